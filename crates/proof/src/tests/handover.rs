//! Committees that change until nobody of the first is left, and what those who left can still do: nothing.

use super::*;
use crate::{HOPS_MAX, HandoverError, SIGNATURES_MAX, TrustRootError};
use types::committee::CommitteeError;

/// Changes of one seat each, oldest out first; then as many more as are asked for. Records are made all along.
fn generations(network: u8, changes: u8) -> Ledger {
    let mut ledger = ledger(network);
    for number in 0..changes {
        let mut next = ledger.next.clone();
        next.remove(0);
        next.push(30 + number);
        ledger.hand_over(&next);
        let tx = ledger.transaction(0, vec![publish(100 + u32::from(number))]);
        ledger.block(vec![tx]);
    }
    ledger
}

fn last_record(ledger: &Ledger) -> Proof {
    ledger.proof(vec![ledger.record_claim(ledger.entries.len() - 1)])
}

fn refused(proof: &Proof, root: &TrustRoot) -> ProofError {
    proof.clone().verify(root).error().expect("it is refused").clone()
}

#[test]
fn a_proof_from_after_twenty_four_changes_verifies_from_genesis() {
    let ledger = generations(1, 24);
    let root = ledger.root();
    assert!(ledger.committee.iter().all(|key| *key >= 30), "nobody of the first is left");
    let proof = last_record(&ledger);
    let bytes = encode(&proof);
    let verdict = verify(&bytes, &root);
    assert_eq!(verdict.error(), None);
    let trust = outcome(&verdict, Check::Trust);
    assert!(
        matches!(trust, Outcome::Passed(Fact::Trust { changes: 24, validators: 4, .. })),
        "{trust:?}"
    );
    // And one of the first year still does, with what was known then and with what is known now.
    let first = self::ledger(1);
    let old = first.proof(vec![first.record_claim(2)]);
    let advanced = root.advance(&proof).unwrap();
    assert_eq!(old.clone().verify(&root).error(), None);
    assert_eq!(old.verify(&advanced).error(), None);
    // A saved checkpoint makes the handover superfluous.
    let mut short = proof;
    short.handover.clear();
    assert_eq!(refused(&short, &root).code(), "V-TRUST-ROOT");
    assert_eq!(short.clone().verify(&advanced).error(), None);
    let without = encode(&short).len();
    println!(
        "record proof after 24 changes of a committee of 4: {} bytes, {} a change, {without} from a checkpoint",
        bytes.len(),
        (bytes.len() - without) / 24,
    );
}

#[test]
fn every_change_of_a_handover_is_needed_and_none_can_be_altered() {
    let ledger = generations(1, 6);
    let root = ledger.root();
    let honest = last_record(&ledger);
    assert_eq!(honest.clone().verify(&root).error(), None);
    for at in 0..6 {
        let mut proof = honest.clone();
        proof.handover.remove(at);
        assert_eq!(refused(&proof, &root).code(), "V-TRUST-ROOT", "{at} left out");
        let mut proof = honest.clone();
        let again = proof.handover[at].clone();
        proof.handover.insert(at, again);
        assert_eq!(refused(&proof, &root).code(), "V-HANDOVER", "{at} twice");
        if at > 0 {
            let mut proof = honest.clone();
            proof.handover.swap(at - 1, at);
            assert_eq!(refused(&proof, &root).code(), "V-HANDOVER", "{at} before its time");
        }
    }
}

/// One change altered, the rest honest.
fn altered(change: impl FnOnce(&Ledger, &mut Hop)) -> ProofError {
    let ledger = generations(1, 3);
    let mut proof = last_record(&ledger);
    change(&ledger, &mut proof.handover[1]);
    refused(&proof, &ledger.root())
}

/// One change of which its own committee signed something else.
fn resigned(change: impl FnOnce(&mut Hop)) -> ProofError {
    let mut ledger = generations(1, 3);
    let mut proof = last_record(&ledger);
    change(&mut proof.handover[1]);
    ledger.committee = vec![11, 12, 13, 30];
    let header = proof.handover[1].header;
    proof.handover[1].certificate = ledger.certificate(&header, &[1, 2, 3]);
    refused(&proof, &ledger.root())
}

#[test]
fn every_reason_a_handover_is_refused_has_its_code() {
    use HandoverError as H;
    use ProofError as E;
    let handover =
        |error: &ProofError, is: fn(&H) -> bool| matches!(error, E::Handover(why) if is(why));
    let error = resigned(|hop| hop.header.height = Height(90));
    assert!(handover(&error, |why| matches!(why, H::Order { .. })), "{error}");
    let error = resigned(|hop| hop.header.next_committee = hop.header.committee);
    assert!(handover(&error, |why| matches!(why, H::Same { .. })), "{error}");
    let error = altered(|_, hop| hop.committee.swap(0, 1));
    assert!(handover(&error, |why| matches!(why, H::Committee { .. })), "{error}");
    let error = refused(&last_record(&returned(&[10, 11, 12, 13])), &ledger(1).root());
    let again = |why: &H| matches!(why, H::Again { height: Height(6), from: Height(1) });
    assert!(handover(&error, again), "{error}");
    let error = altered(|_, hop| hop.committee.truncate(3));
    assert!(handover(&error, |why| *why == H::Seats(CommitteeError::Size(3))), "{error}");
    let error = altered(|ledger, hop| {
        let committee = [11, 12, 13, 30].map(|number| key(ledger.network, number));
        let vote = Vote {
            height: hop.header.height,
            round: hop.certificate.round,
            step: VoteStep::Precommit,
            block: Some(hop.header.id()),
            seat: 0,
        };
        let signature = vote.sign(&ledger.genesis.chain(), &committee[0]);
        hop.certificate.signatures.insert(0, (0, signature));
    });
    assert!(handover(&error, |why| *why == H::Excess { found: 4, wanted: 3 }), "{error}");
    assert_eq!(error.code(), "V-HANDOVER");
    let rows = [
        ("V-CHAIN", resigned(|hop| hop.header.chain.0.0[0] ^= 1)),
        ("V-TRUST-ROOT", resigned(|hop| hop.header.committee.0[0] ^= 1)),
        ("V-HEADER", altered(|_, hop| hop.header.time.0 += 1)),
        ("V-FORMAT", resigned(|hop| hop.header.version = 2)),
        (
            "V-QUORUM",
            altered(|_, hop| {
                hop.certificate.signatures.pop();
            }),
        ),
        ("V-QUORUM", altered(|_, hop| hop.certificate.signatures.swap(0, 1))),
        ("V-SIGNATURE", altered(|_, hop| hop.certificate.round = Round(7))),
    ];
    for (code, error) in rows {
        assert_eq!(error.code(), code, "{error}");
        assert_eq!(error.is_undecided(), code == "V-FORMAT");
    }
}

/// A fifth seat joins and leaves again; then those who are left sit in this order.
fn returned(back: &[u8]) -> Ledger {
    let mut ledger = ledger(1);
    for (number, next) in (0..).zip([&[10, 11, 12, 13, 14][..], back]) {
        ledger.hand_over(next);
        ledger.block(vec![ledger.transaction(0, vec![publish(100 + number)])]);
    }
    ledger
}

/// What is known of who sat when is exact: else whoever is shown less than all would take the honest account for a fork,
/// and a seat could be accused of what was said while others sat there.
#[test]
fn a_committee_that_comes_back_is_followed_in_another_order_and_refused_in_the_same() {
    let root = ledger(1).root();
    let ledger = returned(&[11, 12, 13, 10]);
    let proof = last_record(&ledger);
    let verdict = proof.clone().verify(&root);
    let trust = outcome(&verdict, Check::Trust);
    assert!(matches!(trust, Outcome::Passed(Fact::Trust { changes: 2, .. })), "{trust:?}");
    for left_out in [0..2, 0..1, 1..2] {
        let mut short = proof.clone();
        drop(short.handover.drain(left_out));
        assert_eq!(refused(&short, &root).code(), "V-TRUST-ROOT");
    }
    // One who saved the last block takes every block before it, under whichever committee.
    let saved = root.advance(&proof).unwrap();
    let (first, mut then) = (self::ledger(1), self::ledger(1));
    assert_eq!(first.proof(vec![Claim::Block]).verify(&saved).error(), None);
    then.hand_over(&[10, 11, 12, 13, 14]);
    then.block(vec![then.transaction(0, vec![publish(100)])]);
    let mut between = then.proof(vec![Claim::Votes(Box::new(kinds::two_votes(&then, 5)))]);
    between.certificate = then.certificate(&then.header, &[1, 2, 3, 4]);
    assert_eq!(between.clone().verify(&root).error(), None);
    assert_eq!(between.verify(&saved).error(), None);
    // Two votes are held against the seat of their own height: the third of five is not the third of four.
    for (height, convicts) in [(3, true), (5, true), (7, false)] {
        let mut later = proof.clone();
        later.claims = vec![Claim::Votes(Box::new(kinds::two_votes(&then, height)))];
        let error = later.verify(&saved).error().map(ProofError::code);
        assert_eq!(error, if convicts { None } else { Some("V-SIGNATURE") }, "{height}");
    }
}

#[test]
fn a_later_signature_of_a_removed_validator_is_worth_nothing() {
    let mut ledger = generations(1, 24);
    let root = ledger.root();
    let honest = last_record(&ledger);
    let now = ledger.committee.clone();
    // Alone or with friends, in any seat: the key is not that of a seat any more.
    for count in 1..=3usize {
        ledger.committee.clone_from(&now);
        for seat in ledger.committee.iter_mut().take(count) {
            *seat = 10;
        }
        let mut proof = honest.clone();
        proof.certificate = ledger.certificate(&proof.header, &[0, 1, 2, 3]);
        assert_eq!(refused(&proof, &root).code(), "V-SIGNATURE", "{count}");
    }
    // All of the first committee together, under the name of the present one.
    ledger.committee = (10..14).collect();
    let mut proof = honest.clone();
    proof.certificate = ledger.certificate(&proof.header, &[0, 1, 2, 3]);
    assert_eq!(refused(&proof, &root).code(), "V-SIGNATURE");
    // Under their own name, without the handover that ended them: one who never heard of it cannot know; one who did does.
    proof.handover.clear();
    proof.header.committee = committee(1, &[10, 11, 12, 13]).digest();
    proof.certificate = ledger.certificate(&proof.header, &[0, 1, 2, 3]);
    assert_eq!(proof.clone().verify(&root).error(), None, "FORMAT.md says so");
    let advanced = root.advance(&honest).unwrap();
    assert_eq!(refused(&proof, &advanced).code(), "V-TRUST-ROOT");
    // Even at a height of their time what they sign now contradicts what they signed then.
    let then = honest.handover[0].clone();
    let mut fork = proof;
    fork.header.height = then.header.height;
    fork.header.time = then.header.time;
    fork.header.next_committee = committee(1, &[50, 51, 52, 53]).digest();
    let hop = Hop {
        header: fork.header,
        certificate: ledger.certificate(&fork.header, &[0, 1, 2]),
        committee: committee(1, &[50, 51, 52, 53]).seats().map(|(_, seat)| seat.clone()).collect(),
    };
    let mut longer = honest;
    longer.handover = vec![hop];
    assert_eq!(refused(&longer, &advanced).code(), "V-FORK");
}

#[test]
fn a_saved_block_reads_back_and_shows_forks() {
    let mut ledger = generations(1, 5);
    let root = ledger.root();
    let proof = last_record(&ledger);
    let saved = root.advance(&proof).unwrap();
    assert_eq!(saved.committees().count(), 6);
    assert_eq!(saved.checkpoint().map(|saved| *saved.header()), Some(proof.header));
    let text = saved.to_text();
    assert_eq!(TrustRoot::from_text(&text).as_ref(), Ok(&saved));
    assert_eq!(TrustRoot::from_text(&root.to_text()).as_ref(), Ok(&root));
    // Going on from what is known: the new changes alone.
    let before = ledger.hops.len();
    ledger.hand_over(&[40, 41, 42, 43]);
    ledger.block(vec![ledger.transaction(0, vec![publish(500)])]);
    let mut short = last_record(&ledger);
    short.handover.drain(..before);
    assert_eq!(short.clone().verify(&saved).error(), None);
    assert_eq!(refused(&short, &root).code(), "V-TRUST-ROOT");
    // What is saved next must be shown to continue what is saved now.
    let error = saved.advance(&short).unwrap_err();
    let missing = ProofError::ConsistencyMissing { saved: proof.header.height };
    assert_eq!((&error, error.code()), (&missing, "V-CONSISTENCY"));
    let past = Box::new(kinds::consistency(&generations(1, 5), &ledger));
    short.claims.push(Claim::Consistency(past.clone()));
    let mut rewritten = short.clone();
    rewritten.header.log_root.0[0] ^= 1;
    rewritten.certificate = ledger.certificate(&rewritten.header, &[0, 1, 2]);
    assert_eq!(saved.advance(&rewritten).unwrap_err().code(), "V-CONSISTENCY");
    let further = saved.advance(&short).unwrap();
    // An earlier block that is shown is held against what is saved, too.
    let mut forked = short.clone();
    forked.claims.pop();
    let mut other = past;
    other.header.proposer += 1;
    other.certificate = generations(1, 5).certificate(&other.header, &[0, 1, 3]);
    forked.claims.push(Claim::Consistency(other));
    let error = refused(&forked, &saved);
    assert!(matches!(error, ProofError::Fork { .. }), "{error}");
    forked.handover = last_record(&ledger).handover;
    assert_eq!(forked.verify(&root).error(), None, "alone it cannot be told");
    // So is one in which the committee changed: from it on, all is known.
    let hop = saved.known(Height(6)).unwrap();
    assert_eq!(hop.clone().verify(&saved).error(), None);
    let mut other = hop;
    other.header.proposer += 1;
    other.certificate = generations(1, 1).certificate(&other.header, &[0, 1, 2]);
    assert_eq!(other.clone().verify(&root).error(), None, "alone it cannot be told");
    assert!(matches!(refused(&other, &saved), ProofError::Fork { height: Height(6), .. }));
    // And one in between that hands over to others than sat after it.
    let mut other = last_record(&generations(1, 1));
    other.header.next_committee.0[0] ^= 1;
    other.certificate = generations(1, 1).certificate(&other.header, &[0, 1, 2]);
    assert_eq!(other.clone().verify(&root).error(), None, "alone it cannot be told");
    assert!(matches!(refused(&other, &saved), ProofError::Contradiction { .. }));
    assert_eq!(further.committees().count(), 7);
    assert_eq!(TrustRoot::from_text(&further.to_text()).as_ref(), Ok(&further));
    // An older proof teaches nothing, and holds.
    assert_eq!(further.advance(&proof).as_ref(), Ok(&further));
    // Two certified blocks of one height.
    let mut other = short.clone();
    other.header.log_root.0[0] ^= 1;
    other.certificate = ledger.certificate(&other.header, &[0, 1, 2]);
    other.claims = vec![Claim::Block];
    assert!(matches!(refused(&other, &further), ProofError::Fork { .. }));
    assert_eq!(other.clone().verify(&saved).error(), None, "alone it cannot be told");
    // One that nobody certified is no evidence of anything but forgery.
    other.header.log_root.0[0] ^= 2;
    assert_eq!(refused(&other, &further).code(), "V-HEADER");
}

#[test]
fn what_cannot_stand_in_one_chain_with_the_saved_block_is_told() {
    let mut ledger = generations(1, 2);
    let root = ledger.root();
    let proof = last_record(&ledger);
    let saved = root.advance(&proof).unwrap();
    ledger.block(Vec::new());
    let next = ledger.proof(vec![Claim::Block]);
    assert_eq!(next.clone().verify(&saved).error(), None);
    let changes: [fn(&mut Header); 5] = [
        |header| header.parent.0.0[0] ^= 1,
        |header| header.time = Timestamp(1),
        |header| header.log_size -= 1,
        |header| header.log_root.0[0] ^= 1,
        |header| {
            header.height = header.height.plus(1);
            header.log_size = 0;
        },
    ];
    for change in changes {
        let mut other = next.clone();
        change(&mut other.header);
        other.certificate = ledger.certificate(&other.header, &[0, 1, 2]);
        let error = refused(&other, &saved);
        assert!(matches!(error, ProofError::Contradiction { .. }), "{error}");
        assert_eq!((error.code(), error.is_undecided()), ("V-FORK", false));
        let verdict = other.verify(&saved);
        assert!(matches!(outcome(&verdict, Check::Finality), Outcome::Passed(_)));
        assert!(matches!(outcome(&verdict, Check::Checkpoint), Outcome::Failed(_)));
    }
}

#[test]
fn a_saved_block_of_another_chain_is_no_trust_root() {
    let (ours, theirs) = (generations(1, 2), generations(2, 2));
    let their_root = theirs.root().advance(&last_record(&theirs)).unwrap();
    let their_text = their_root.to_text();
    let at = their_text.find("-----BEGIN").unwrap();
    let mixed = format!("{}{}", ours.root().to_text(), &their_text[at..]);
    assert!(matches!(
        TrustRoot::from_text(&mixed),
        Err(TrustRootError::Checkpoint(ProofError::Chain { .. }))
    ));
    let claims = format!("{}{}", ours.root().to_text(), armor(&encode(&last_record(&ours))));
    assert_eq!(TrustRoot::from_text(&claims), Err(TrustRootError::Claims));
    let cut = &their_text[..their_text.len() - 3];
    assert!(matches!(
        TrustRoot::from_text(cut),
        Err(TrustRootError::Checkpoint(ProofError::Truncated))
    ));
    assert!(matches!(TrustRoot::from_text(&their_text[at..]), Err(TrustRootError::Genesis(_))));
}

#[test]
fn limits_are_counted_before_anything_is_verified() {
    let ledger = generations(1, 1);
    let root = ledger.root();
    let honest = last_record(&ledger);
    let mut proof = honest.clone();
    let hop = Hop {
        certificate: Certificate {
            signatures: Vec::new(),
            ..proof.handover[0].certificate.clone()
        },
        ..proof.handover[0].clone()
    };
    proof.handover = vec![hop; HOPS_MAX + 1];
    let error = refused(&proof, &root);
    assert_eq!(error, ProofError::Hops { found: HOPS_MAX + 1 });
    assert_eq!((error.code(), error.is_undecided()), ("V-MALFORMED", true));
    let Claim::Status(mut claim) = ledger.status_claim(&licence_0()) else { unreachable!() };
    claim.history = claim.history.map(|links| vec![links[0]; LINKS_MAX]);
    let mut proof = ledger.proof(vec![Claim::Status(claim), ledger.status_claim(&lot())]);
    let found = LINKS_MAX + ledger.histories[&lot().key()].len();
    let error = refused(&proof, &root);
    assert_eq!(error, ProofError::Links { found });
    assert_eq!((error.code(), error.is_undecided()), ("V-MALFORMED", true));
    // As many as may be are looked at.
    proof.claims.pop();
    assert_eq!(refused(&proof, &root).code(), "V-HISTORY");
    let mut proof = honest;
    let signature = proof.certificate.signatures[0];
    proof.certificate.signatures = vec![signature; SIGNATURES_MAX];
    let error = refused(&proof, &root);
    assert!(matches!(error, ProofError::Signatures { found } if found > SIGNATURES_MAX));
    assert_eq!((error.code(), error.is_undecided()), ("V-MALFORMED", true));
    assert_eq!(decode(&encode(&proof)), Err(error));
}

/// A file of the first format, which had neither handover nor later kinds of claims.
fn first_format(proof: &Proof) -> Vec<u8> {
    let body = codec::encode(&(&proof.chain, &proof.header, &proof.certificate, &proof.claims));
    let mut bytes = [&MAGIC[..], &1u16.to_le_bytes(), &body].concat();
    bytes.extend(crate::file::seal(&bytes));
    bytes
}

#[test]
fn proofs_of_the_first_format_are_read_for_ever() {
    let ledger = ledger(1);
    for (name, proof) in honest(&ledger) {
        let bytes = first_format(&proof);
        assert_eq!(decode(&bytes).as_ref(), Ok(&proof), "{name}");
        assert_eq!(verify(&bytes, &ledger.root()).error(), None, "{name}");
    }
    // It had no third kind.
    let block = first_format(&ledger.proof(vec![Claim::Block]));
    assert!(matches!(decode(&block), Err(ProofError::Malformed(_))));
}
