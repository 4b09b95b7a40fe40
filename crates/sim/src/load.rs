//! The genesis of simulated networks, and what applications submit to them.

use crate::{Dice, Plan, clock::START_MS};
use types::{
    Agency, AgencyCode, ChainId, Digest, Genesis, Height, Operation, Region, Role, SecretKey,
    Timestamp, Transaction,
    agency::Level,
    genesis::{GovernanceRules, Limits, Seat, Timing},
    operation::{
        Action, Commitment, EventType, Grade, LicenceAction, LicenceFacts, LicenceVerb, Provenance,
        TraceEvent,
    },
    subject::Part,
};

const CODES: [&str; 10] = [
    "11350000MXDEX0015L",
    "11350000MXDEX0023F",
    "11350000MXDEX0031A",
    "11350000MXDEX004X2",
    "11350100MXDEX00587",
    "11350122MXDEX0066X",
    "11350000MXDEX0074P",
    "11350200MXDEX0082W",
    "11350300MXDEX0090W",
    "11350000MXDEX01033",
];

/// What a secret key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// Transactions of an agency.
    Agency = 0,
    /// Votes.
    Consensus = 1,
    /// Connections.
    Transport = 2,
    /// Nothing: it is enrolled nowhere.
    Nobody = 3,
}

/// The secret key of a seat's owner for one purpose.
pub(crate) fn secret(key: Key, seat: u16) -> SecretKey {
    let mut seed = [key as u8; 32];
    seed[..2].copy_from_slice(&seat.to_le_bytes());
    SecretKey::from_seed(seed)
}

/// A genesis of as many validators as the plan wants; every agency may record anything.
pub(crate) fn genesis(plan: &Plan) -> Genesis {
    let all = || Region::new("350000").expect("Fujian is a region");
    let code = |n: u16| AgencyCode::new(CODES[usize::from(n)]).expect("the codes are sound");
    Genesis {
        version: types::genesis::VERSION,
        name: "simulation".parse().expect("a short name"),
        time: Timestamp(START_MS),
        limits: Limits {
            block_bytes_max: 1 << 20,
            block_operations_max: plan.block_operations_max,
            validity_heights_max: 100_000,
        },
        timing: Timing {
            propose_ms: 300,
            vote_ms: 150,
            round_step_ms: 100,
            timeout_max_ms: 3000,
            idle_ms: 400,
            clock_ahead_ms: 500,
        },
        governance: GovernanceRules { approval_percent: 67, open_heights: 100, lead_heights: 2 },
        agencies: (0..plan.validators)
            .map(|n| Agency {
                code: code(n),
                name: format!("机构{n}").parse().expect("a short name"),
                region: all(),
                level: Level::Province,
                parent: None,
                keys: vec![secret(Key::Agency, n).public()],
                roles: vec![
                    Role::Item { regions: vec![all()] },
                    Role::Licence {
                        types: vec!["T".parse().expect("short")],
                        regions: vec![all()],
                    },
                    Role::Trace { namespaces: vec!["urn:".parse().expect("short")] },
                ],
            })
            .collect(),
        validators: (0..plan.validators)
            .map(|n| Seat {
                agency: code(n),
                consensus_key: secret(Key::Consensus, n).public(),
                transport_key: secret(Key::Transport, n).public(),
            })
            .collect(),
    }
}

/// A transaction, and where and when it is submitted first.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) tx: Transaction,
    pub(crate) delay: u64,
    pub(crate) node: usize,
}

/// Transactions by every agency. Some follow from others, some contradict others, some are good for a few blocks only.
pub(crate) fn orders(dice: &mut Dice, plan: &Plan, chain: ChainId) -> Vec<Order> {
    (0..plan.transactions)
        .map(|n| {
            let agency = u16::try_from(dice.below(plan.validators.into())).unwrap_or(0);
            let code = AgencyCode::new(CODES[usize::from(agency)]).expect("the codes are sound");
            let count = 1 + dice.below(3);
            let operations = (0..count).map(|m| operation(dice, n * 10 + m)).collect();
            let until = Height(if dice.odds(1, 8) { 2 + dice.below(12) } else { 50_000 });
            let key = secret(Key::Agency, agency);
            Order {
                tx: Transaction::sign(chain, code, &key, n, until, operations),
                delay: dice.below(8000),
                node: dice.below_usize(plan.validators.into()),
            }
        })
        .collect()
}

fn operation(dice: &mut Dice, n: u64) -> Operation {
    let text = |s: String| s.parse().expect("short identifiers");
    let action = if dice.odds(1, 2) {
        // One in eight takes a number that another may have taken: then one of the two is refused.
        let number = if dice.odds(1, 8) { dice.below(n + 1) } else { n };
        Action::Licence(LicenceAction {
            licence: format!("L{number}").parse().expect("short"),
            verb: LicenceVerb::Issue(LicenceFacts {
                kind: "T1".parse().expect("short"),
                region: Region::new("350100").expect("Fuzhou is a region"),
                valid_from: Timestamp(0),
                valid_until: None,
            }),
        })
    } else {
        // Few lots, so that histories grow and transactions meet.
        let mut lots: Vec<_> = (0..1 + dice.below(3))
            .map(|_| (text(format!("urn:lot:{}", dice.below(6))), Part::Observed))
            .collect();
        lots.sort();
        lots.dedup();
        Action::Trace(TraceEvent {
            event: EventType::Object,
            id: None,
            time: Timestamp(n),
            step: None,
            lots,
            cbv_hash: None,
            corrects: None,
        })
    };
    Operation {
        action,
        commitment: Commitment {
            document: Digest::blake3(&n.to_le_bytes()),
            content: Digest::blake3(&n.to_le_bytes()),
            fields: None,
        },
        effective_from: Timestamp(n),
        grade: Grade::Public,
        provenance: Provenance {
            system: "sim".parse().expect("short"),
            version: "1".parse().expect("short"),
            captured_at: Timestamp(n),
        },
    }
}
