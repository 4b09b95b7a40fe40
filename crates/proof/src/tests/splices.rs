//! Ten thousand proofs spliced from honest ones: whatever is proven is what a model of the ledgers knows to be true.

use super::{authority, kinds::later, *};
use crate::AuthorityClaim;
use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};
use std::collections::BTreeSet;

struct Dice(TestRng);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.0.next_u64() % u64::try_from(bound).unwrap()).unwrap()
    }

    fn pick<'t, T>(&mut self, among: &'t [T]) -> &'t T {
        &among[self.below(among.len())]
    }
}

/// What is true: which headers were certified, and which claims hold under each.
#[derive(Default)]
struct Model {
    headers: BTreeSet<Vec<u8>>,
    claims: BTreeSet<(Vec<u8>, Vec<u8>)>,
    /// What validators said at one place is true whatever was certified later.
    said: BTreeSet<Vec<u8>>,
    /// The agencies' states under each header, line by line.
    lines: BTreeSet<(Vec<u8>, Vec<u8>)>,
}

impl Model {
    fn learn(&mut self, proof: &Proof) {
        let header = codec::encode(&proof.header);
        for claim in &proof.claims {
            self.claims.insert((header.clone(), codec::encode(claim)));
            if let Claim::Votes(_) = claim {
                self.said.insert(codec::encode(claim));
            }
            if let Claim::Authority(claim) = claim {
                self.lines.insert((header.clone(), codec::encode(&claim.line)));
            }
            // To offer less is to claim less.
            if let Claim::Status(claim) = claim {
                let less = StatusClaim { history: None, ..(**claim).clone() };
                let less = Claim::Status(Box::new(less));
                self.claims.insert((header.clone(), codec::encode(&less)));
            }
        }
        self.claims.insert((header.clone(), codec::encode(&Claim::Block)));
        self.headers.insert(header);
    }

    /// Whether every claim is one that holds under this very header.
    fn justifies(&self, proof: &Proof) -> bool {
        let header = codec::encode(&proof.header);
        self.headers.contains(&header)
            && proof.claims.iter().all(|claim| {
                let bytes = codec::encode(claim);
                let known =
                    self.said.contains(&bytes) || self.claims.contains(&(header.clone(), bytes));
                known
                    || match claim {
                        // Of any height and key, not of those alone that somebody asked for.
                        Claim::Authority(claim) => {
                            let line = (header.clone(), codec::encode(&claim.line));
                            self.lines.contains(&line)
                                && authority::could_act(claim, proof.header.height)
                        }
                        // Two ledgers of one chain were certified, by the same validators.
                        Claim::Fork(claim) => {
                            let other = &claim.header;
                            self.headers.contains(&codec::encode(other))
                                && other.height == proof.header.height
                                && *other != proof.header
                        }
                        Claim::Record(_)
                        | Claim::Status(_)
                        | Claim::Records(_)
                        | Claim::Upstream(_)
                        | Claim::Consistency(_)
                        | Claim::Votes(_)
                        | Claim::Block => false,
                    }
            })
    }
}

/// Exchanges a part of one proof for that of another.
fn splice(dice: &mut Dice, into: &mut Proof, from: &Proof) {
    match dice.below(16) {
        0 => into.header = from.header,
        1 => into.certificate = from.certificate.clone(),
        2 => (into.header, into.certificate) = (from.header, from.certificate.clone()),
        3 => into.handover.clone_from(&from.handover),
        4 => into.certificate.signatures.clone_from(&from.certificate.signatures),
        5 if !from.certificate.signatures.is_empty() && !into.certificate.signatures.is_empty() => {
            let at = dice.below(into.certificate.signatures.len());
            into.certificate.signatures[at] = *dice.pick(&from.certificate.signatures);
        }
        6 => into.header.log_root = from.header.log_root,
        7 => into.header.state_root = from.header.state_root,
        8 => {
            into.header.committee = from.header.committee;
            into.header.next_committee = from.header.next_committee;
        }
        9 => into.chain = from.chain,
        10 => into.claims.clone_from(&from.claims),
        11 => into.claims.extend(from.claims.iter().cloned()),
        12 if !into.handover.is_empty() && !from.handover.is_empty() => {
            let at = dice.below(into.handover.len());
            let other = dice.pick(&from.handover).clone();
            match dice.below(4) {
                0 => into.handover[at] = other,
                1 => into.handover[at].committee = other.committee,
                2 => into.handover[at].certificate = other.certificate,
                _ => into.handover.insert(at, other),
            }
        }
        _ => splice_claims(dice, into, from),
    }
}

fn splice_claims(dice: &mut Dice, into: &mut Proof, from: &Proof) {
    let at = dice.below(into.claims.len());
    let other = dice.pick(&from.claims).clone();
    let which = dice.below(8);
    match (&mut into.claims[at], other) {
        (Claim::Record(a), Claim::Record(b)) => match which {
            0 => a.entry = b.entry,
            1 => a.log_path = b.log_path,
            2 => a.transaction = b.transaction,
            3 => a.signature = b.signature,
            4 => a.operation = b.operation,
            5 => a.operation_path = b.operation_path,
            6 => a.entry.position = b.entry.position,
            _ => a.entry.height = b.entry.height,
        },
        (Claim::Status(a), Claim::Status(b)) => match which {
            0 | 1 => a.subject = b.subject,
            2 | 3 => a.state = b.state,
            4 | 5 => a.path = b.path,
            _ => a.history = b.history,
        },
        (Claim::Records(a), Claim::Records(b)) => match which {
            0 => a.log_nodes = b.log_nodes,
            1 => a.transactions = b.transactions,
            2 => a.records = b.records,
            3 => a.records[0].position = b.records[0].position,
            4 => a.transactions[0].signature = b.transactions[0].signature,
            5 => a.records.truncate(1),
            6 => a.transactions[0].height = Height(which as u64),
            _ => a.records.reverse(),
        },
        (Claim::Upstream(a), Claim::Upstream(b)) => match which {
            0 => a.lot = b.lot,
            1 => a.lots = b.lots,
            2 => a.records = b.records,
            3 => drop(a.lots.pop()),
            4 => a.records.records.truncate(2),
            5 => a.lots.extend(b.lots),
            6 => {
                a.lots[0].history.pop();
            }
            _ => a.lots[0].siblings.clone_from(&b.lots[b.lots.len() - 1].siblings),
        },
        (Claim::Consistency(a), Claim::Consistency(b)) => match which % 4 {
            0 => a.path = b.path,
            1 => a.header = b.header,
            2 => a.certificate = b.certificate,
            _ => a.path.reverse(),
        },
        (Claim::Fork(a), Claim::Fork(b)) => match which % 3 {
            0 => a.header = b.header,
            1 => a.certificate = b.certificate,
            _ => a.header = into.header,
        },
        (Claim::Votes(a), Claim::Votes(b)) => match which {
            0 => a.said = b.said,
            1 => a.signatures = b.signatures,
            2 => a.seat = b.seat,
            3 => a.height = b.height,
            4 => a.round = b.round,
            _ => a.signatures.1 = b.signatures.0,
        },
        (Claim::Authority(a), Claim::Authority(b)) => splice_authority(dice, a, *b),
        (claim, other) => *claim = other,
    }
}

fn splice_authority(dice: &mut Dice, into: &mut AuthorityClaim, from: AuthorityClaim) {
    match dice.below(8) {
        0 => into.agency = from.agency,
        1 => into.key = from.key,
        2 => into.key = None,
        3 => into.at = from.at,
        4 => into.at = Height(dice.below(12) as u64),
        5 => into.line = from.line,
        6 => {
            let place = dice.below(into.line.len());
            into.line[place] = dice.pick(&from.line).clone();
        }
        _ => {
            let place = dice.below(into.line.len());
            into.line[place].siblings.clone_from(&dice.pick(&from.line).siblings);
        }
    }
}

#[test]
fn ten_thousand_splices_prove_nothing_that_is_not_true() {
    let mut model = Model::default();
    let mut proofs: Vec<Proof> = later(1).into_iter().map(|(_, _, proof)| proof).collect();
    proofs.extend(honest(&ledger(1)).into_iter().map(|(_, proof)| proof));
    let mut longer = ledger(1);
    for number in 0..3u8 {
        let next: Vec<u8> = longer.next.iter().skip(1).copied().chain([30 + number]).collect();
        longer.hand_over(&next);
        longer.block(vec![longer.transaction(0, vec![publish(200 + u32::from(number))])]);
        proofs.extend(honest(&longer).into_iter().map(|(_, proof)| proof));
        let newest = longer.entries.len() - 1;
        proofs.push(longer.proof(vec![longer.record_claim(newest), Claim::Block]));
    }
    let (allowed, not_allowed) = authority::proofs();
    proofs.extend(allowed);
    let root = ledger(1).root();
    let saved = root.advance(&longer.proof(vec![Claim::Block])).unwrap();
    proofs.iter().for_each(|proof| model.learn(proof));
    // What nobody of this chain ever certified, and what was recorded that its agency may not.
    let mut strangers: Vec<Proof> = later(2).into_iter().map(|(_, _, proof)| proof).collect();
    strangers.extend(not_allowed);
    let mut dice = Dice(TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]));
    let (mut proven, mut of_authority, mut refused) = (0, 0, BTreeMap::new());
    for number in 0..10_000 {
        let mut proof = dice.pick(&proofs).clone();
        for _ in 0..=dice.below(3) {
            let other = if dice.below(6) == 0 { dice.pick(&strangers) } else { dice.pick(&proofs) };
            splice(&mut dice, &mut proof, &other.clone());
        }
        let trusted = if number % 3 == 0 { &saved } else { &root };
        let verdict = verify(&encode(&proof), trusted);
        match verdict.error() {
            None => {
                assert!(model.justifies(&proof), "splice {number} is proven: {proof:?}");
                proven += 1;
                let told = |claim: &Claim| matches!(claim, Claim::Authority(_));
                of_authority += u32::from(proof.claims.iter().any(told));
            }
            Some(error) => *refused.entry(error.code()).or_insert(0) += 1,
        }
    }
    println!(
        "10000 splices: {proven} proven and true, {of_authority} of them of authority, refused {refused:?}"
    );
    assert!(proven > 100 && of_authority > 100 && refused.len() >= 17, "{proven} {refused:?}");
    for code in ["V-SUBMITTER", "V-AUTHORITY"] {
        assert!(refused.get(code).is_some_and(|count| *count >= 20), "{code}: {refused:?}");
    }
}
