//! The kinds of claims that came with format 2: honest ones of each, and every reason one of them is refused.

use super::*;
use crate::{
    BATCH_MAX, BatchError, ConsistencyClaim, DEPTH_MAX, EquivocationError, ForkClaim, LotClaim,
    RecordsClaim, Said, SharedRecord, SharedTransaction, UpstreamClaim, UpstreamError, VotesClaim,
    log::LogError, many,
};
use std::collections::BTreeSet;
use types::{
    merkle::List,
    operation::Lot,
    transaction::operation_leaf,
    vote::{Proposal, Vote},
};

pub(super) fn batch(ledger: &Ledger, positions: &[usize]) -> RecordsClaim {
    let mut claim = RecordsClaim { transactions: vec![], records: vec![], log_nodes: vec![] };
    let mut shown: Vec<(&Transaction, Vec<u64>)> = Vec::new();
    for position in positions {
        let (entry, tx) = &ledger.entries[*position];
        let at = shown.iter().position(|(shown, _)| shown.id() == tx.id()).unwrap_or(shown.len());
        if at == shown.len() {
            shown.push((tx, Vec::new()));
            claim.transactions.push(SharedTransaction {
                header: tx.header,
                signature: tx.signature,
                height: entry.height,
                time: entry.time,
                operation_nodes: Vec::new(),
            });
        }
        shown[at].1.push(entry.index.into());
        claim.records.push(SharedRecord {
            position: entry.position,
            transaction: u32::try_from(at).unwrap(),
            index: entry.index,
            operation: tx.operations[entry.index as usize].clone(),
        });
    }
    for (transaction, (tx, indexes)) in claim.transactions.iter_mut().zip(&shown) {
        let leaves: Vec<Hash> = tx.operations.iter().map(operation_leaf).collect();
        transaction.operation_nodes = many::beside_list::<List>(&leaves, indexes);
    }
    let positions: Vec<u64> = claim.records.iter().map(|record| record.position).collect();
    claim.log_nodes = many::beside(&ledger.kept, &positions, ledger.frontier.size()).unwrap();
    claim
}

fn lot_id(name: &str) -> Lot {
    text(&format!("urn:epc:id:sgtin:6901234.{name}"))
}

/// An event that makes outputs of inputs.
fn made(inputs: &[&str], outputs: &[&str]) -> Operation {
    let mut operation = trace(&[]);
    let Action::Trace(event) = &mut operation.action else { unreachable!("it is a trace") };
    event.lots = inputs
        .iter()
        .map(|lot| (lot_id(lot), Part::Input))
        .chain(outputs.iter().map(|lot| (lot_id(lot), Part::Output)))
        .collect();
    event.lots.sort();
    operation
}

/// Two catches and salt become a batch, the batch and spice a product; the product is seen; something else is made elsewhere.
pub(super) fn factory(network: u8) -> Ledger {
    let mut ledger = Ledger::new(network);
    ledger.block(vec![
        ledger.transaction(0, vec![made(&[], &["catch-1"]), made(&[], &["catch-2"])]),
        ledger.transaction(1, vec![made(&[], &["salt"]), made(&[], &["spice"])]),
        ledger.transaction(2, vec![made(&[], &["wood"])]),
    ]);
    ledger.block(vec![
        ledger.transaction(1, vec![made(&["catch-1", "catch-2", "salt"], &["batch"])]),
        ledger.transaction(2, vec![made(&["wood", "salt"], &["smoke"])]),
    ]);
    let mut seen = made(&[], &[]);
    let Action::Trace(event) = &mut seen.action else { unreachable!("it is a trace") };
    event.lots = vec![(lot_id("product"), Part::Observed)];
    ledger.block(vec![
        ledger.transaction(0, vec![made(&["batch", "spice"], &["product"]), publish(3)]),
        ledger.transaction(2, vec![seen]),
    ]);
    ledger
}

pub(super) fn upstream(ledger: &Ledger, lot: &str) -> UpstreamClaim {
    let mut lots = BTreeMap::new();
    let mut positions = BTreeSet::new();
    let mut wanted = vec![lot_id(lot)];
    while let Some(id) = wanted.pop() {
        let key = Subject::lot(&id).key();
        let history = ledger.histories[&key].clone();
        for link in &history {
            let at = usize::try_from(link.position).unwrap();
            positions.insert(at);
            let (entry, tx) = &ledger.entries[at];
            let Action::Trace(event) = &tx.operations[entry.index as usize].action else {
                continue;
            };
            if link.part == Part::Output {
                wanted.extend(
                    event
                        .lots
                        .iter()
                        .filter(|(_, part)| *part == Part::Input)
                        .map(|(lot, _)| lot.clone()),
                );
            }
        }
        wanted.retain(|id| !lots.contains_key(id));
        let siblings = map::prove(&ledger.kept, &key).siblings;
        lots.insert(id, LotClaim { state: ledger.states[&key].clone(), siblings, history });
    }
    let positions: Vec<usize> = positions.into_iter().collect();
    UpstreamClaim {
        lot: lot_id(lot),
        lots: lots.into_values().collect(),
        records: batch(ledger, &positions),
    }
}

pub(super) fn consistency(old: &Ledger, new: &Ledger) -> ConsistencyClaim {
    ConsistencyClaim {
        header: old.header,
        certificate: old.certificate(&old.header, &[0, 1, 3]),
        path: log::consistency(&new.kept, old.frontier.size(), new.frontier.size()).unwrap(),
    }
}

pub(super) fn fork(ledger: &Ledger) -> ForkClaim {
    let header = Header { log_root: Hash([9; 32]), ..ledger.header };
    ForkClaim { header, certificate: ledger.certificate(&header, &[1, 2, 3]) }
}

pub(super) fn two_votes(ledger: &Ledger, height: u64) -> VotesClaim {
    let (height, round, seat, step) = (Height(height), Round(4), 2, VoteStep::Prevote);
    let (first, second) = (None, Some(BlockId(Hash([3; 32]))));
    let sign = |block| {
        let secret = key(ledger.network, ledger.committee[2]);
        Vote { height, round, step, block, seat }.sign(&ledger.genesis.chain(), &secret)
    };
    let signatures = (sign(first), sign(second));
    VotesClaim { height, round, seat, said: Said::Votes { step, first, second }, signatures }
}

fn two_proposals(ledger: &Ledger) -> VotesClaim {
    let (height, round, seat) = (Height(1), Round(2), 3);
    let (first, second) =
        ((BlockId(Hash([3; 32])), None), (BlockId(Hash([3; 32])), Some(Round(1))));
    let sign = |(block, valid_round)| {
        let secret = key(ledger.network, ledger.committee[3]);
        let proposal = Proposal { height, round, block, valid_round, seat };
        proposal.sign(&ledger.genesis.chain(), &secret)
    };
    let signatures = (sign(first), sign(second));
    VotesClaim { height, round, seat, said: Said::Proposals { first, second }, signatures }
}

/// An honest proof of each of the later kinds, and one of several.
pub(super) fn later(network: u8) -> Vec<(&'static str, Ledger, Proof)> {
    let (plain, factory) = (ledger(network), factory(network));
    let mut longer = ledger(network);
    longer.hand_over(&[30, 11, 12, 13]);
    longer.block(vec![longer.transaction(0, vec![publish(60)])]);
    let rows = vec![
        ("batch", vec![Claim::Records(Box::new(batch(&plain, &[0, 2, 4, 5, 10])))]),
        ("batch of one", vec![Claim::Records(Box::new(batch(&plain, &[7])))]),
        ("fork", vec![Claim::Fork(Box::new(fork(&plain)))]),
        ("two votes", vec![Claim::Votes(Box::new(two_votes(&plain, 2)))]),
        ("two proposals", vec![Claim::Votes(Box::new(two_proposals(&plain)))]),
        ("block", vec![Claim::Block]),
        (
            "record, status and history",
            vec![plain.record_claim(5), plain.status_claim(&licence_0())],
        ),
    ];
    let mut all: Vec<(&str, Ledger, Proof)> = rows
        .into_iter()
        .map(|(name, claims)| (name, ledger(network), plain.proof(claims)))
        .collect();
    let proof = longer.proof(vec![
        Claim::Consistency(Box::new(consistency(&plain, &longer))),
        longer.record_claim(11),
    ]);
    all.push(("consistency across a change of the committee", longer, proof));
    let proof = factory.proof(vec![Claim::Upstream(Box::new(upstream(&factory, "product")))]);
    all.push(("upstream", factory, proof));
    all
}

#[test]
fn every_later_kind_is_proven_in_both_carriers_and_says_what_it_shows() {
    for (name, ledger, proof) in later(1) {
        let bytes = encode(&proof);
        for carrier in [&bytes[..], armor(&bytes).as_bytes()] {
            let verdict = verify(carrier, &ledger.root());
            assert_eq!(verdict.error(), None, "{name}");
            assert!(verdict.steps.iter().all(|step| matches!(step.outcome, Outcome::Passed(_))));
        }
        println!("{name}: {} bytes", bytes.len());
        let verdict = proof.verify(&ledger.root());
        let has = |check, is: &dyn Fn(&Fact) -> bool| {
            let Outcome::Passed(fact) = outcome(&verdict, check) else { return false };
            is(fact)
        };
        match name {
            "batch" => {
                assert!(has(Check::Record, &|fact| matches!(
                    fact,
                    Fact::Records { records: 5, transactions: 3, .. }
                )));
                assert!(has(Check::Authority, &|fact| matches!(
                    fact,
                    Fact::Authorities { covered: 5, .. }
                )));
                assert!(has(Check::Inclusion, &|fact| matches!(
                    fact,
                    Fact::Inclusions { records: 5, size: 11, .. }
                )));
            }
            "fork" => {
                let both: &dyn Fn(&Fact) -> bool =
                    &|fact| matches!(fact, Fact::Fork { both, .. } if both.len() == 2);
                assert!(has(Check::Fork, both));
            }
            "two votes" => {
                assert!(has(Check::Equivocation, &|fact| matches!(
                    fact,
                    Fact::Equivocation { height: Height(2), .. }
                )));
            }
            "consistency across a change of the committee" => {
                assert!(has(Check::Consistency, &|fact| matches!(
                    fact,
                    Fact::Consistency { old: 11, new: 12, .. }
                )));
                assert!(has(Check::Trust, &|fact| matches!(fact, Fact::Trust { changes: 1, .. })));
            }
            "upstream" => {
                // Product, batch, spice, two catches, salt; not wood, not smoke; salt's use for smoke is in its history.
                assert!(has(Check::Upstream, &|fact| matches!(
                    fact,
                    Fact::Upstream { lots: 6, records: 8, depth: 2, sources: 4 }
                )));
            }
            _ => {}
        }
    }
}

#[test]
fn no_byte_of_a_later_kind_can_be_changed() {
    for (name, ledger, proof) in later(1) {
        let (root, mut bytes) = (ledger.root(), encode(&proof));
        for place in (0..bytes.len()).step_by(if bytes.len() > 3000 { 5 } else { 2 }) {
            let byte = bytes[place];
            for other in [byte ^ 1, byte ^ 0x80, byte.wrapping_add(1)] {
                bytes[place] = other;
                // The seal would catch all; so it is made anew, and what is inside must be what catches it.
                let end = bytes.len() - 8;
                let seal = crate::file::seal(&bytes[..end]);
                bytes[end..].copy_from_slice(&seal);
                let verdict = verify(&bytes, &root);
                let signer_unused = verdict.proven().is_some_and(|proven| *proven.get() == proof);
                assert!(
                    verdict.proven().is_none() || signer_unused || place >= end,
                    "{name}: byte {place}"
                );
            }
            bytes[place] = byte;
        }
    }
}

fn of(make: impl FnOnce(&Ledger) -> Claim) -> ProofError {
    of_ledger(&ledger(1), make)
}

fn of_ledger(ledger: &Ledger, make: impl FnOnce(&Ledger) -> Claim) -> ProofError {
    let verdict = ledger.proof(vec![make(ledger)]).verify(&ledger.root());
    verdict.error().expect("it was changed").clone()
}

fn of_batch(change: impl FnOnce(&mut RecordsClaim)) -> ProofError {
    of(|ledger| {
        let mut claim = batch(ledger, &[0, 2, 4, 5, 10]);
        change(&mut claim);
        Claim::Records(Box::new(claim))
    })
}

fn of_consistency(change: impl FnOnce(&Ledger, &mut ConsistencyClaim)) -> ProofError {
    let (old, mut new) = (ledger(1), ledger(1));
    new.block(vec![new.transaction(0, (20..25).map(publish).collect())]);
    of_ledger(&new, |new| {
        let mut claim = consistency(&old, new);
        change(&old, &mut claim);
        Claim::Consistency(Box::new(claim))
    })
}

/// An earlier block as its committee might have signed it.
fn of_other_past(change: impl FnOnce(&mut Header)) -> ProofError {
    of_consistency(|old, claim| {
        change(&mut claim.header);
        claim.certificate = old.certificate(&claim.header, &[0, 1, 2]);
    })
}

fn of_fork(change: impl FnOnce(&mut Header)) -> ProofError {
    of(|ledger| {
        let mut claim = fork(ledger);
        change(&mut claim.header);
        claim.certificate = ledger.certificate(&claim.header, &[0, 1, 2]);
        Claim::Fork(Box::new(claim))
    })
}

fn of_votes(change: impl FnOnce(&mut VotesClaim)) -> ProofError {
    of(|ledger| {
        let mut claim = two_votes(ledger, 2);
        change(&mut claim);
        Claim::Votes(Box::new(claim))
    })
}

fn of_upstream(change: impl FnOnce(&Ledger, &mut UpstreamClaim)) -> ProofError {
    of_ledger(&factory(1), |ledger| {
        let mut claim = upstream(ledger, "product");
        change(ledger, &mut claim);
        Claim::Upstream(Box::new(claim))
    })
}

/// The upstream of what was made by an event that no ledger takes.
fn of_event(change: impl FnOnce(&mut Vec<(Lot, Part)>)) -> ProofError {
    let mut made_so = made(&["one"], &["two"]);
    let Action::Trace(event) = &mut made_so.action else { unreachable!("it is a trace") };
    change(&mut event.lots);
    let mut ledger = Ledger::new(1);
    ledger.block(vec![ledger.transaction(0, vec![made(&[], &["one"]), made_so])]);
    of_ledger(&ledger, |ledger| Claim::Upstream(Box::new(upstream(ledger, "two"))))
}

/// A way upstream of so many steps.
fn chain_of_lots(steps: usize) -> ProofError {
    let mut ledger = Ledger::new(1);
    let names: Vec<String> = (0..=steps).map(|n| format!("step-{n:03}")).collect();
    let mut acts = vec![made(&[], &[&names[0]])];
    acts.extend(names.windows(2).map(|pair| made(&[&pair[0]], &[&pair[1]])));
    let tx = ledger.transaction(0, acts);
    ledger.block(vec![tx]);
    let claim = upstream(&ledger, &names[steps]);
    let verdict = ledger.proof(vec![Claim::Upstream(Box::new(claim))]).verify(&ledger.root());
    verdict.error().cloned().unwrap_or(ProofError::Seal)
}

#[test]
fn every_reason_of_a_later_kind_has_its_test_and_its_code() {
    use {BatchError as B, EquivocationError as Q, ProofError as E, UpstreamError as U};
    #[rustfmt::skip]
    let rows: Vec<Row> = vec![
        // Batches.
        ("V-ENTRY", false, of_batch(|claim| claim.records.clear()), |e| *e == E::Batch(B::Size { found: 0 })),
        ("V-ENTRY", false, of_batch(|claim| claim.records = vec![claim.records[0].clone(); BATCH_MAX + 1]), |e| *e == E::Batch(B::Size { found: BATCH_MAX + 1 })),
        ("V-ENTRY", false, of_batch(|claim| claim.records.swap(0, 1)), |e| matches!(e, E::Batch(B::Order { .. }))),
        ("V-ENTRY", false, of_batch(|claim| claim.records[1].position = 0), |e| *e == E::Batch(B::Order { position: 0 })),
        ("V-ENTRY", false, of_batch(|claim| claim.records[4].transaction = 3), |e| *e == E::Batch(B::Order { position: 10 })),
        ("V-ENTRY", false, of_batch(|claim| claim.transactions.swap(0, 2)), |e| matches!(e, E::Index { .. })),
        ("V-ENTRY", false, of_batch(|claim| { let again = claim.transactions[2].clone(); claim.transactions.push(again); }), |e| *e == E::Batch(B::Unused { index: 3 })),
        ("V-ENTRY", false, of_batch(|claim| claim.records[4].position = 11), |e| *e == E::Position { position: 11, size: 11 }),
        ("V-PATH-MISMATCH", false, of_batch(|claim| claim.transactions[2].height = Height(7)), |e| matches!(e, E::PathMismatch { .. })),
        ("V-ENTRY", false, of_batch(|claim| claim.records[2].index = 9), |e| *e == E::Index { index: 9, count: 5 }),
        ("V-PATH-LENGTH", false, of_batch(|claim| claim.log_nodes.push(Hash::ZERO)), |e| matches!(e, E::PathLength { .. })),
        ("V-PATH-LENGTH", false, of_batch(|claim| claim.transactions[0].operation_nodes.clear()), |e| matches!(e, E::PathLength { .. })),
        ("V-PATH-MISMATCH", false, of_batch(|claim| claim.log_nodes[0].0[0] ^= 1), |e| matches!(e, E::PathMismatch { .. })),
        ("V-OPERATION", false, of_batch(|claim| claim.transactions[0].operation_nodes[0].0[0] ^= 1), |e| matches!(e, E::Operation { .. })),
        ("V-SIGNATURE", false, of_batch(|claim| claim.transactions[1].header.nonce += 1), |e| matches!(e, E::Signature { .. })),
        ("V-CHAIN", false, of_batch(|claim| claim.transactions[1].header.chain.0.0[0] ^= 1), |e| matches!(e, E::Chain { .. })),
        // Consistency.
        ("V-CONSISTENCY", false, of_other_past(|header| header.height = Height(4)), |e| matches!(e, E::ConsistencyOrder { .. })),
        ("V-CONSISTENCY", false, of_other_past(|header| header.time.0 += 1000), |e| matches!(e, E::ConsistencyOrder { .. })),
        ("V-CONSISTENCY", false, of_other_past(|header| header.log_size = 17), |e| matches!(e, E::ConsistencyOrder { .. })),
        ("V-CONSISTENCY", false, of_other_past(|header| header.log_root.0[0] ^= 1), |e| matches!(e, E::Consistency(LogError::Old { .. }))),
        ("V-CONSISTENCY", false, of_other_past(|header| header.next_committee.0[0] ^= 1), |e| matches!(e, E::ConsistencyChain { .. })),
        ("V-CONSISTENCY", false, of_other_past(|header| header.proposer += 1), |e| matches!(e, E::ConsistencyChain { .. })),
        ("V-CONSISTENCY", false, of_consistency(|_, claim| claim.path[1].0[0] ^= 1), |e| matches!(e, E::Consistency(LogError::New { .. }))),
        ("V-PATH-LENGTH", false, of_consistency(|_, claim| { claim.path.pop(); }), |e| matches!(e, E::Consistency(LogError::Length { .. }))),
        ("V-TRUST-ROOT", false, of_other_past(|header| header.committee.0[0] ^= 1), |e| matches!(e, E::TrustRoot { .. })),
        ("V-CHAIN", false, of_other_past(|header| header.chain.0.0[0] ^= 1), |e| matches!(e, E::Chain { .. })),
        ("V-SIGNATURE", false, of_consistency(|_, claim| claim.certificate.round = Round(9)), |e| matches!(e, E::Certificate(_))),
        // Evidence.
        ("V-EQUIVOCATION", false, of_fork(|header| header.height = Height(2)), |e| matches!(e, E::Equivocation(Q::Height { .. }))),
        ("V-EQUIVOCATION", false, of(|ledger| { let mut claim = fork(ledger); claim.header = ledger.header; Claim::Fork(Box::new(claim)) }), |e| *e == E::Equivocation(Q::Same)),
        ("V-TRUST-ROOT", false, of_fork(|header| header.committee.0[0] ^= 1), |e| matches!(e, E::TrustRoot { .. })),
        ("V-CHAIN", false, of_fork(|header| header.chain.0.0[0] ^= 1), |e| matches!(e, E::Chain { .. })),
        ("V-HEADER", false, of(|ledger| { let mut claim = fork(ledger); claim.header.time.0 += 1; Claim::Fork(Box::new(claim)) }), |e| *e == E::Header),
        ("V-EQUIVOCATION", false, of_votes(|claim| claim.said = Said::Votes { step: VoteStep::Prevote, first: None, second: None }), |e| *e == E::Equivocation(Q::Same)),
        ("V-EQUIVOCATION", false, of_votes(|claim| claim.height = Height(4)), |e| matches!(e, E::Equivocation(Q::Later { .. }))),
        ("V-EQUIVOCATION", false, of_votes(|claim| claim.seat = 4), |e| *e == E::Equivocation(Q::Seat { seat: 4 })),
        ("V-SIGNATURE", false, of_votes(|claim| claim.seat = 1), |e| matches!(e, E::Signature { .. })),
        ("V-SIGNATURE", false, of_votes(|claim| claim.said = Said::Votes { step: VoteStep::Precommit, first: None, second: Some(BlockId(Hash([3; 32]))) }), |e| matches!(e, E::Signature { .. })),
        ("V-SIGNATURE", false, of_votes(|claim| claim.signatures = (claim.signatures.1, claim.signatures.0)), |e| matches!(e, E::Signature { .. })),
        // Upstreams.
        ("V-UPSTREAM", false, of_upstream(|_, claim| claim.lots.clear()), |e| *e == E::Upstream(U::Size { found: 0 })),
        ("V-UPSTREAM", false, of_upstream(|_, claim| claim.lots.swap(0, 1)), |e| matches!(e, E::Upstream(U::Order { .. }))),
        ("V-UPSTREAM", false, of_upstream(|_, claim| drop(claim.lots.remove(0))), |e| matches!(e, E::Upstream(U::Missing { .. }))),
        ("V-UPSTREAM", false, of_upstream(|_, claim| claim.lot = lot_id("batch")), |e| matches!(e, E::Upstream(U::Extra { .. }))),
        ("V-UPSTREAM", false, of_upstream(|_, claim| claim.lot = lot_id("wood")), |e| *e == E::Upstream(U::Missing { lot: lot_id("wood") })),
        ("V-UPSTREAM", false, of_upstream(|ledger, claim| claim.records = batch(ledger, &[0, 1, 2, 3, 4, 5, 6, 7, 9])), |e| *e == E::Upstream(U::ExtraRecord { position: 4 })),
        ("V-UPSTREAM", false, of_upstream(|ledger, claim| claim.records = batch(ledger, &[0, 1, 2, 3, 5, 6, 7])), |e| matches!(e, E::Upstream(U::Record { .. }))),
        ("V-UPSTREAM", false, of_event(|lots| lots.swap(0, 1)), |e| *e == E::Upstream(U::Unordered { position: 1 })),
        ("V-UPSTREAM", false, of_event(|lots| lots.push(lots[1].clone())), |e| *e == E::Upstream(U::Unordered { position: 1 })),
        ("V-UPSTREAM", false, chain_of_lots(DEPTH_MAX + 1), |e| *e == E::Upstream(U::Depth)),
        ("V-STATE", false, of_upstream(|_, claim| claim.lots[0].state.version += 1), |e| matches!(e, E::State { .. })),
        ("V-PATH-LENGTH", false, of_upstream(|_, claim| claim.lots[0].siblings = vec![Hash::ZERO; 257]), |e| matches!(e, E::PathLength { .. })),
        ("V-HISTORY", false, of_upstream(|_, claim| { claim.lots[0].history.pop(); }), |e| matches!(e, E::HistoryCount { .. })),
        ("V-ENTRY", false, of_upstream(|_, claim| claim.records.records.swap(0, 1)), |e| matches!(e, E::Batch(_))),
    ];
    for (index, (code, undecided, error, is)) in rows.iter().enumerate() {
        assert!(is(error), "row {index}, {code}: {error:?}");
        assert_eq!(
            (error.code(), error.is_undecided()),
            (*code, *undecided),
            "row {index}: {error:?}"
        );
    }
    assert_eq!(chain_of_lots(DEPTH_MAX), ProofError::Seal, "as deep as may be is proven");
}

#[test]
fn a_batch_costs_less_than_its_records_one_by_one() {
    let mut ledger = Ledger::new(1);
    for block in 0..10 {
        let tx = ledger.transaction(0, (0..100).map(|n| publish(block * 100 + n)).collect());
        ledger.block(vec![tx]);
    }
    let all: Vec<usize> = (0..1000).collect();
    let shared = ledger.proof(vec![Claim::Records(Box::new(batch(&ledger, &all)))]);
    let alone = ledger.proof(vec![ledger.record_claim(500)]);
    let (shared_bytes, alone_bytes) = (encode(&shared).len(), encode(&alone).len());
    assert_eq!(shared.verify(&ledger.root()).error(), None);
    let scattered: Vec<usize> = (0..1000).step_by(37).collect();
    let some = ledger.proof(vec![Claim::Records(Box::new(batch(&ledger, &scattered)))]);
    let some_bytes = encode(&some).len();
    assert_eq!(some.verify(&ledger.root()).error(), None);
    println!(
        "1000 records together: {shared_bytes} bytes, {} a record; {} scattered ones: {} a record; one alone: {alone_bytes}",
        shared_bytes / 1000,
        scattered.len(),
        some_bytes / scattered.len(),
    );
    assert!(shared_bytes / 1000 < alone_bytes / 3);
}

#[test]
fn an_explanation_computes_what_the_check_computes() {
    for (name, ledger, proof) in later(1) {
        let said = crate::explain(&proof);
        let root_named = |root: Hash| said.iter().any(|line| line.hash == root);
        assert!(root_named(proof.header.id().0), "{name}");
        for claim in &proof.claims {
            match claim {
                Claim::Record(claim) => {
                    assert!(
                        root_named(proof.header.log_root)
                            && root_named(claim.transaction.operations)
                    );
                }
                Claim::Records(_) => assert!(root_named(proof.header.log_root), "{name}"),
                Claim::Status(claim) => {
                    let head = claim.state.as_ref().expect("present").head;
                    assert!(root_named(proof.header.state_root) && root_named(head), "{name}");
                }
                Claim::Upstream(claim) => {
                    assert!(
                        root_named(proof.header.state_root) && root_named(proof.header.log_root)
                    );
                    assert!(claim.lots.iter().all(|lot| root_named(lot.state.head)), "{name}");
                }
                Claim::Consistency(claim) => {
                    assert!(root_named(claim.header.id().0), "{name}");
                    // The last two lines before the block's id are both roots.
                    let roots = [claim.header.log_root, proof.header.log_root];
                    assert!(claim.path.is_empty() || roots.into_iter().all(root_named), "{name}");
                }
                Claim::Fork(claim) => assert!(root_named(claim.header.id().0), "{name}"),
                Claim::Authority(claim) => {
                    let keys = claim.line.iter().map(|agency| agency.state.subject.key());
                    assert!(
                        root_named(proof.header.state_root) && keys.into_iter().all(root_named)
                    );
                }
                Claim::Votes(_) | Claim::Block => {}
            }
        }
        // Whatever a file says, explaining it does not panic.
        let mut bytes = encode(&proof);
        for place in (10..bytes.len() - 8).step_by(11) {
            bytes[place] ^= 1;
            let end = bytes.len() - 8;
            let seal = crate::file::seal(&bytes[..end]);
            bytes[end..].copy_from_slice(&seal);
            drop(decode(&bytes).map(|proof| crate::explain(&proof)));
            bytes[place] ^= 1;
        }
        drop(ledger);
    }
    // Every leaf of every log: the last line is the root.
    let ledger = factory(1);
    for at in 0..ledger.entries.len() {
        let said = crate::explain(&ledger.proof(vec![ledger.record_claim(at)]));
        let last = said.iter().rev().nth(1).expect("there is one before the block's id");
        assert_eq!(last.hash, ledger.header.log_root, "{at}");
    }
}

#[test]
fn a_proof_grows_by_a_hash_for_every_doubling() {
    let ledger = ledger(1);
    let sizes = [1_000u64, 1_000_000, 1_000_000_000].map(|count| {
        let length = types::merkle::path_length(0, count);
        let (Claim::Record(mut record), Claim::Status(mut status)) =
            (ledger.record_claim(5), ledger.status_claim(&licence_0()))
        else {
            unreachable!("made so")
        };
        record.log_path.resize(length, Hash::ZERO);
        // Of random keys the deepest neighbours share about as many bits as there are doublings, and one or two more.
        status.path.siblings.resize(length + 2, Hash::ZERO);
        status.history = None;
        let size = |claim: Claim| encode(&ledger.proof(vec![claim])).len();
        let (record, status) = (size(Claim::Record(record)), size(Claim::Status(status)));
        println!(
            "of {count} records: a record proof {record} bytes, a status proof {status} bytes"
        );
        (record, status)
    });
    assert!(
        sizes.windows(2).all(|pair| pair[1].0 - pair[0].0 == 320 && pair[1].1 - pair[0].1 == 320)
    );
}
