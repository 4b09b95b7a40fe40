//! What every scenario begins with: four agencies, the secrets of all keys, a genesis, and the votes under a block.

use crate::{Rules, Tip, commit, state::Memory};
use types::{
    Agency, AgencyCode, Block, Certificate, Certified, Genesis, Level, Region, Role, Round,
    SecretKey, Timestamp,
    genesis::{GovernanceRules, Limits, Seat, Timing},
    vote::{Step, Vote},
};

/// 0: the province. 1: a city below it. 2: another province's office. 3: an agency without roles.
pub(crate) const CODES: [&str; 4] =
    ["11350000MXDEX0015L", "11350100MXDEX00587", "11350000MXDEX0031A", "11350000MXDEX004X2"];

pub(crate) fn code(n: usize) -> AgencyCode {
    AgencyCode::new(CODES[n]).unwrap()
}

/// Of an agency (0), of its seat's consensus (1) or of its transport (2).
pub(crate) fn secret(kind: u8, n: usize) -> SecretKey {
    let mut seed = [kind; 32];
    seed[0] = u8::try_from(n).unwrap();
    SecretKey::from_seed(seed)
}

pub(crate) fn region(text: &str) -> Region {
    Region::new(text).unwrap()
}

pub(crate) fn item_role(place: &str) -> Role {
    Role::Item { regions: vec![region(place)] }
}

pub(crate) fn licence_role(kind: &str, place: &str) -> Role {
    Role::Licence { types: vec![kind.parse().unwrap()], regions: vec![region(place)] }
}

/// Where an agency of a level is.
const fn place(level: Level) -> &'static str {
    match level {
        Level::National => "100000",
        Level::Province => "350000",
        Level::City => "350100",
        Level::County | Level::Town | Level::Village => "350122",
    }
}

/// The agencies with these levels, superiors and roles.
pub(crate) fn agencies(all: [(Level, Option<usize>, Vec<Role>); 4]) -> Vec<Agency> {
    let agency = |(n, (level, parent, roles)): (usize, (Level, Option<usize>, Vec<Role>))| Agency {
        code: code(n),
        name: format!("机构{n}").parse().unwrap(),
        region: region(place(level)),
        level,
        parent: parent.map(code),
        keys: vec![secret(0, n).public()],
        roles,
    };
    all.into_iter().enumerate().map(agency).collect()
}

/// Agencies of which each has a seat, with limits that no ordinary scenario meets.
pub(crate) fn genesis(agencies: Vec<Agency>) -> Genesis {
    let seat = |(n, agency): (usize, &Agency)| Seat {
        agency: agency.code,
        consensus_key: secret(1, n).public(),
        transport_key: secret(2, n).public(),
    };
    Genesis {
        version: types::genesis::VERSION,
        name: "test".parse().unwrap(),
        time: Timestamp(1_700_000_000_000),
        limits: Limits {
            block_bytes_max: 1 << 20,
            block_operations_max: 1000,
            validity_heights_max: 1000,
        },
        timing: Timing {
            propose_ms: 300,
            vote_ms: 100,
            round_step_ms: 100,
            timeout_max_ms: 3000,
            idle_ms: 400,
            clock_ahead_ms: 500,
        },
        governance: GovernanceRules { approval_percent: 67, open_heights: 100, lead_heights: 2 },
        validators: agencies.iter().enumerate().map(seat).collect(),
        agencies,
    }
}

/// Commits a block that the first three seats agreed on; the rules and the tip go on to the next.
pub(crate) fn append(
    (rules, state, tip): (&mut Rules, &mut Memory, &mut Tip),
    block: Block,
    outcome: crate::Outcome,
) {
    let (height, round, id) = (block.header.height, Round(0), block.id());
    let vote = |seat: u16| {
        let vote = Vote { height, round, step: Step::Precommit, block: Some(id), seat };
        (seat, vote.sign(rules.chain(), &secret(1, usize::from(seat))))
    };
    let signatures = (0..3).map(vote).collect();
    let certificate = Certificate { height, round, block: id, signatures };
    let certified =
        Certified::verify(block, certificate, rules.chain(), rules.committee()).unwrap();
    let (next, governs) = (outcome.tip().clone(), outcome.governs());
    state.write(commit(certified, outcome).writes());
    *tip = next;
    *rules = rules.after(state, governs).0;
}
