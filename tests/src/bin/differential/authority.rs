//! Agencies as the ledger's state might have them, whether or not its rules could have made them so, and records of theirs.

use super::{CODES, Forger, Network, hash, pick, region, small, text, word};
use proof::{
    AgencyState, AuthorityClaim, Claim, ConsistencyClaim, Proof,
    map::{self, Pages},
};
use sim::Dice;
use std::collections::BTreeMap;
use types::{
    AgencyCode, Hash, Header, Height, Level, Role, Subject, SubjectState, Timestamp,
    authority::{AgencyFacts, Grant, KeyTerm, Suspension},
    merkle::{self, Rfc6962},
    subject::{Facts, Status},
};

#[derive(Default)]
struct Kept(BTreeMap<Vec<u8>, Vec<u8>>);

impl Pages for Kept {
    fn page(&self, path: &[u8]) -> Option<Vec<u8>> {
        self.0.get(path).cloned()
    }
}

fn height(dice: &mut Dice) -> Height {
    Height(dice.below(9))
}

fn code(dice: &mut Dice) -> AgencyCode {
    AgencyCode::new(word(dice, &CODES)).expect("the code is sound")
}

fn role(dice: &mut Dice) -> Role {
    let regions = |dice: &mut Dice| {
        (0..small(dice, 3))
            .map(|_| region(word(dice, &["350000", "350100", "350122", "360000"])))
            .collect()
    };
    match dice.below(7) {
        0 | 1 => Role::Item { regions: regions(dice) },
        2 | 3 => {
            let types = (0..small(dice, 3)).map(|_| text(word(dice, &["1", "11", "9", "水"])));
            Role::Licence { types: types.collect(), regions: regions(dice) }
        }
        4 | 5 => {
            let all = ["urn:epc:", "urn:epc:id:sgtin:6901234", "urn:epc:class:", "批次"];
            Role::Trace {
                namespaces: (0..small(dice, 3)).map(|_| text(word(dice, &all))).collect(),
            }
        }
        _ => Role::Govern {},
    }
}

/// An agency as the state might have it.
fn facts(
    network: &Network,
    agency: u8,
    parent: Option<AgencyCode>,
    dice: &mut Dice,
) -> AgencyFacts {
    let until = |dice: &mut Dice| dice.odds(1, 3).then(|| height(dice));
    let keys = (0..small(dice, 4)).map(|_| KeyTerm {
        key: network.organisation(agency, small(dice, 2)).public(),
        from: Height(dice.below(4)),
        until: until(dice),
    });
    let keys = keys.collect();
    let grants = (0..u32::from(small(dice, 5))).map(|number| Grant {
        number,
        role: role(dice),
        by: match dice.below(3) {
            0 => None,
            1 => parent,
            _ => dice.odds(1, 4).then(|| code(dice)),
        },
        from: Height(dice.below(4)),
        expires: dice.odds(1, 4).then(|| Timestamp(1_767_225_600_000 + dice.below(15_000))),
        until: until(dice),
    });
    let grants = grants.collect();
    let suspensions = (0..dice.below(3) / 2)
        .map(|_| Suspension { from: height(dice), until: until(dice) })
        .collect();
    AgencyFacts {
        name: text("机构"),
        region: region("350100"),
        level: Level::City,
        parent,
        keys,
        grants,
        suspensions,
    }
}

impl<'a> Forger<'a> {
    /// Records with the authority of whoever signed them, under a state that has it so.
    pub(super) fn authority(&mut self, network: &'a Network) -> Proof {
        let mut proof =
            if self.dice.odds(1, 4) { self.later(network) } else { self.record(network) };
        proof.handover.clear();
        let dice = &mut self.dice;
        let signed = proof.claims.iter().find_map(|claim| match claim {
            Claim::Record(claim) => Some((claim.transaction.agency, claim.entry.height)),
            Claim::Records(claim) => {
                claim.transactions.first().map(|tx| (tx.header.agency, tx.height))
            }
            Claim::Status(_)
            | Claim::Upstream(_)
            | Claim::Consistency(_)
            | Claim::Fork(_)
            | Claim::Votes(_)
            | Claim::Block
            | Claim::Authority(_) => None,
        });
        let (first, at) = signed.unwrap_or_else(|| (code(dice), height(dice)));
        let mut states = BTreeMap::new();
        for _ in 0..=small(dice, 2) {
            let mut next = Some(if states.is_empty() { first } else { code(dice) });
            while let Some(code) = next {
                let number = CODES.iter().position(|known| *known == code.as_str());
                let number = u8::try_from(number.expect("one of ours")).expect("few");
                let parent = dice.odds(1, 2).then(|| self::code(dice));
                let facts = Facts::Agency(Box::new(facts(network, number, parent, dice)));
                let subject = Subject::agency(&code);
                let kept: &mut SubjectState =
                    states.entry(subject.key()).or_insert_with(|| SubjectState {
                        subject,
                        status: Status::Active,
                        owner: code,
                        version: 1,
                        records: 0,
                        head: Hash::ZERO,
                        latest: 0,
                        effective_from: Timestamp(1),
                        facts,
                    });
                let Facts::Agency(facts) = &kept.facts else { unreachable!("made so") };
                next = facts
                    .parent
                    .filter(|above| !states.contains_key(&Subject::agency(above).key()));
            }
        }
        let writes = states.iter().map(|(key, state)| (*key, Some(state.digest()))).collect();
        let made = map::update(&Kept::default(), &writes);
        let pages =
            Kept(made.pages.into_iter().filter_map(|(at, page)| Some((at, page?))).collect());
        proof.header.state_root = made.root;
        for _ in 0..=dice.below(3) / 2 {
            let claim = line(&states, &pages, first, at, network, dice);
            let place = dice.below_usize(proof.claims.len() + 1);
            proof.claims.insert(place, Claim::Authority(Box::new(claim)));
        }
        if dice.odds(1, 3) {
            let claim = before(&proof.header, at, network, dice);
            proof.claims.push(Claim::Consistency(Box::new(claim)));
        }
        proof.header.committee = *network.root.digest();
        proof.certificate = network.certify(&proof.header, dice);
        proof
    }
}

/// The authority of an agency, whole or not.
fn line(
    states: &BTreeMap<Hash, SubjectState>,
    pages: &Kept,
    agency: AgencyCode,
    at: Height,
    network: &Network,
    dice: &mut Dice,
) -> AuthorityClaim {
    let (mut line, mut next): (Vec<AgencyState>, _) = (Vec::new(), Some(agency));
    while let Some(code) = next.filter(|_| line.len() < 4) {
        let key = Subject::agency(&code).key();
        let Some(state) = states.get(&key) else { break };
        let Facts::Agency(facts) = &state.facts else { unreachable!("made so") };
        next = facts.parent;
        let siblings = map::prove(pages, &key).siblings;
        line.push(AgencyState { state: state.clone(), siblings });
    }
    let key = network.organisation(small(dice, 4), small(dice, 2)).public();
    let mut claim = AuthorityClaim { agency, key: dice.odds(1, 2).then_some(key), at, line };
    match dice.below(24) {
        0 => claim.line.clear(),
        1 => claim.line.reverse(),
        2 => drop(claim.line.pop()),
        3 => claim.line.extend(claim.line.clone()),
        4 => claim.agency = code(dice),
        5 => claim.at = Height(dice.below(12)),
        6 => claim.at = Height(u64::MAX),
        7 => claim.line = claim.line.iter().cycle().take(17).cloned().collect(),
        8 => claim.line.iter_mut().for_each(|place| place.siblings.push(hash(dice))),
        9 => claim.line.iter_mut().for_each(|place| place.state.facts = Facts::Lot),
        10 => claim.line.iter_mut().for_each(|place| place.state.status = Status::Suspended),
        // As heavy as may be, or a little more.
        11 => claim.line.iter_mut().for_each(|place| {
            let many = *pick(dice, &[500, 720, 730, 3000]);
            let regions = vec![region("350122"); many];
            if let Facts::Agency(facts) = &mut place.state.facts
                && let Some(grant) = facts.grants.first_mut()
            {
                grant.role = Role::Item { regions };
            }
        }),
        _ => {}
    }
    claim
}

/// An empty block before the one at which something was recorded, so that its time is known.
fn before(header: &Header, at: Height, network: &Network, dice: &mut Dice) -> ConsistencyClaim {
    let mut earlier = *header;
    earlier.height = Height(at.0.saturating_sub(dice.below(3)));
    earlier.time = Timestamp(header.time.0.saturating_sub(1 + dice.below(15_000)));
    earlier.committee = *network.root.digest();
    (earlier.log_size, earlier.log_root) = (0, merkle::root::<Rfc6962>(&[]));
    let certificate = network.certify(&earlier, dice);
    ConsistencyClaim { header: earlier, certificate, path: Vec::new() }
}
