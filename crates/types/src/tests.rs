//! What is signed, what is named by what, and what may be spelled how.

use crate::{
    Agency, AgencyCode, Block, BlockId, Certificate, CertificateError, Certified, ChainId,
    Committee, Digest, Entry, Genesis, Hash, Header, Height, Level, Operation, PublicKey, RecordId,
    Region, Role, Round, SecretKey, Signature, Subject, SubjectState, Timestamp, Transaction, TxId,
    Validator,
    block::CertifiedError,
    bulk::{BatchAction, SeedAction},
    codec::{self, Wire},
    committee::CommitteeError,
    item::{Edition, Element, ListAction, ListVerb, Predecessor, Successor},
    operation::{
        Action, Commitment, EventType, Grade, ItemAction, ItemVerb, LicenceAction, LicenceFacts,
        LicenceVerb, Provenance, TraceEvent,
    },
    subject::{Facts, Kind, Link, Part, Status},
    transaction::{OPERATIONS_MAX, TransactionError, TransactionHeader},
    vote::{Message, Proposal, Step, Vote},
};
use core::fmt::Debug;
use proptest::{collection::vec, option, prelude::*};

const CHAIN: ChainId = ChainId(Hash([7; 32]));
const OTHER: ChainId = ChainId(Hash([8; 32]));

fn code() -> AgencyCode {
    AgencyCode::new("11350000MXDEX0015L").unwrap()
}

fn secret(n: usize) -> SecretKey {
    SecretKey::from_seed([u8::try_from(n + 1).unwrap(); 32])
}

fn committee(size: usize) -> Committee {
    let seat = |n| Validator {
        agency: code(),
        name: format!("机构{n}").parse().unwrap(),
        key: secret(n).public(),
    };
    Committee::new((0..size).map(seat).collect()).unwrap()
}

fn operation(n: u64) -> Operation {
    Operation {
        action: Action::Trace(TraceEvent {
            event: EventType::Object,
            id: None,
            time: Timestamp(n),
            step: None,
            lots: vec![("urn:lot:1".parse().unwrap(), Part::Observed)],
            cbv_hash: None,
            corrects: None,
        }),
        commitment: Commitment {
            document: Digest::blake3(b"document"),
            content: Digest::blake3(b"content"),
            fields: None,
        },
        effective_from: Timestamp(0),
        grade: Grade::Public,
        provenance: Provenance {
            system: "test".parse().unwrap(),
            version: "1".parse().unwrap(),
            captured_at: Timestamp(0),
        },
    }
}

fn transaction(operations: Vec<Operation>) -> Transaction {
    Transaction::sign(CHAIN, code(), &secret(0), 1, Height(10), operations)
}

fn sound() -> Transaction {
    transaction(vec![operation(1), operation(2), operation(3)])
}

/// The word for what a changed transaction is refused for; "" when it is not.
fn check(edit: impl FnOnce(&mut Transaction)) -> &'static str {
    let mut tx = sound();
    edit(&mut tx);
    let alone = tx.clone().verify(&CHAIN);
    let among_others = Transaction::verify_all(vec![sound(), tx, sound()], &CHAIN);
    assert_eq!(among_others.map(|all| all[1].clone()), alone);
    match alone {
        Ok(_) => "",
        Err(TransactionError::Version { .. }) => "version",
        Err(TransactionError::Chain { .. }) => "chain",
        Err(TransactionError::Count { .. }) => "count",
        Err(TransactionError::Operations) => "operations",
        Err(TransactionError::Signature { .. }) => "signature",
    }
}

#[test]
fn of_several_transactions_the_first_fault_is_told() {
    let (mut unsigned, mut foreign, mut fewer) = (sound(), sound(), sound());
    unsigned.header.nonce += 1;
    foreign.header.chain = OTHER;
    fewer.operations.pop();
    let faults = [unsigned, foreign, fewer];
    for first in &faults {
        for second in faults.iter().filter(|second| *second != first) {
            let all = vec![sound(), first.clone(), sound(), second.clone()];
            let alone = first.clone().verify(&CHAIN).map(|verified| vec![verified]);
            assert_eq!(Transaction::verify_all(all, &CHAIN), alone);
        }
    }
    let all = Transaction::verify_all(vec![sound(), sound()], &CHAIN).map(|all| all.len());
    assert_eq!((all, Transaction::verify_all(Vec::new(), &CHAIN)), (Ok(2), Ok(Vec::new())));
}

#[test]
fn a_transaction_is_refused_for_exactly_what_is_wrong_with_it() {
    let other = secret(1).public();
    let agency = AgencyCode::new("11350000MXDEX0023F").unwrap();
    assert_eq!(check(|_| {}), "");
    assert_eq!(check(|tx| tx.header.version = 2), "version");
    assert_eq!(check(|tx| tx.header.chain = OTHER), "chain");
    assert_eq!(check(|tx| tx.header.agency = agency), "signature");
    assert_eq!(check(|tx| tx.header.key = other), "signature");
    assert_eq!(check(|tx| tx.header.nonce = 2), "signature");
    assert_eq!(check(|tx| tx.header.valid_until = Height(11)), "signature");
    assert_eq!(check(|tx| tx.header.count = 2), "count");
    assert_eq!(check(|tx| tx.header.operations = Hash::ZERO), "operations");
    assert_eq!(check(|tx| tx.operations.swap(0, 1)), "operations");
    assert_eq!(check(|tx| drop(tx.operations.pop())), "count");
    assert_eq!(check(|tx| tx.operations.clear()), "count");
    assert_eq!(check(|tx| tx.operations.push(operation(3))), "count");
    assert_eq!(check(|tx| tx.operations[1] = operation(9)), "operations");
    assert_eq!(check(|tx| tx.operations[1] = tx.operations[0].clone()), "operations");
    assert_eq!(check(|tx| *tx = transaction(vec![])), "count");
    assert_eq!(check(|tx| *tx = transaction(vec![operation(1); OPERATIONS_MAX])), "");
    assert_eq!(check(|tx| *tx = transaction(vec![operation(1); OPERATIONS_MAX + 1])), "count");
    // A signature made for another purpose or chain, or by another key, over the very same header.
    let foreign = Transaction::sign(OTHER, code(), &secret(0), 1, Height(10), vec![operation(1)]);
    assert_eq!(check(|tx| *tx = foreign), "chain");
    assert_eq!(
        check(|tx| {
            let body = codec::encode(&tx.header);
            tx.signature = secret(0).sign(crate::Domain::Enrolment, &CHAIN, &body);
        }),
        "signature"
    );
}

#[test]
fn every_field_of_a_transaction_is_under_its_id_and_its_signature_is_not() {
    let edits: [fn(&mut TransactionHeader); 8] = [
        |h| h.version = 2,
        |h| h.chain = OTHER,
        |h| h.agency = AgencyCode::new("11350000MXDEX0023F").unwrap(),
        |h| h.key = secret(1).public(),
        |h| h.nonce = 2,
        |h| h.valid_until = Height(11),
        |h| h.count = 4,
        |h| h.operations = Hash::ZERO,
    ];
    for (n, edit) in edits.into_iter().enumerate() {
        let mut tx = sound();
        edit(&mut tx.header);
        assert_ne!(tx.id(), sound().id(), "field {n}");
        assert!(tx.header.check(&tx.signature).is_err(), "field {n}");
    }
    let mut tx = sound();
    tx.signature = transaction(vec![operation(9)]).signature;
    assert_eq!(tx.id(), sound().id());
}

#[test]
fn a_record_is_named_by_what_was_done_and_by_whom() {
    let agency = AgencyCode::new("11350000MXDEX0023F").unwrap();
    assert_eq!(operation(1).record(&code()), operation(1).record(&code()));
    assert_ne!(operation(1).record(&code()), operation(1).record(&agency));
    let edits: [fn(&mut Operation); 5] = [
        |o| o.effective_from = Timestamp(1),
        |o| o.grade = Grade::Internal,
        |o| o.provenance.version = "2".parse().unwrap(),
        |o| o.commitment.content = Digest::blake3(b"else"),
        |o| o.commitment.document.algorithm = crate::hash::Algorithm::Sha256,
    ];
    for (n, edit) in edits.into_iter().enumerate() {
        let mut other = operation(1);
        edit(&mut other);
        assert_ne!(other.record(&code()), operation(1).record(&code()), "field {n}");
    }
}

#[test]
fn a_quorum_is_more_than_two_thirds() {
    for (size, quorum, faults) in [
        (4, 3, 1),
        (5, 4, 1),
        (6, 5, 1),
        (7, 5, 2),
        (8, 6, 2),
        (9, 7, 2),
        (10, 7, 3),
        (11, 8, 3),
        (12, 9, 3),
        (13, 9, 4),
    ] {
        let committee = committee(size);
        assert_eq!((committee.quorum(), committee.faults()), (quorum, faults), "{size}");
        // Any two quorums share an honest seat, and the honest alone are a quorum.
        assert!(2 * quorum - size > faults && size - faults >= quorum, "{size}");
    }
}

#[test]
fn a_committee_has_four_seats_or_more_and_no_key_twice() {
    let seats = |size| committee(size).seats().map(|(_, seat)| seat.clone()).collect::<Vec<_>>();
    assert_eq!(Committee::new(seats(4)[..3].to_vec()), Err(CommitteeError::Size(3)));
    let many: Vec<_> = seats(100).into_iter().chain(seats(29)).collect();
    assert_eq!(Committee::new(many), Err(CommitteeError::Size(129)));
    let mut twice = seats(4);
    twice[3].key = twice[0].key;
    assert_eq!(Committee::new(twice), Err(CommitteeError::Twice(secret(0).public())));
    assert_ne!(committee(4).digest(), committee(5).digest());
    assert_eq!(committee(5).index_of(&secret(4).public()), Some(4));
    assert_eq!(committee(5).index_of(&secret(5).public()), None);
}

fn certificate(block: BlockId, seats: &[u16]) -> Certificate {
    let (height, round) = (Height(1), Round(2));
    let sign = |seat: u16| {
        let vote = Vote { height, round, step: Step::Precommit, block: Some(block), seat };
        (seat, vote.sign(&CHAIN, &secret(usize::from(seat))))
    };
    Certificate { height, round, block, signatures: seats.iter().map(|seat| sign(*seat)).collect() }
}

#[test]
fn a_certificate_holds_for_what_a_quorum_precommitted_and_nothing_else() {
    use CertificateError::{Order, Quorum, Seat, Signature};
    let id = BlockId(Hash([1; 32]));
    let check = |seats: &[u16], edit: fn(&mut Certificate)| {
        let mut certificate = certificate(id, seats);
        edit(&mut certificate);
        certificate.verify(&CHAIN, &committee(7))
    };
    let all = [0, 1, 2, 3, 4];
    assert_eq!(check(&all, |_| {}), Ok(()));
    assert_eq!(check(&[0, 1, 2, 3, 4, 5, 6], |_| {}), Ok(()));
    assert_eq!(check(&[0, 2, 3, 5, 6], |_| {}), Ok(()));
    assert_eq!(check(&[], |_| {}), Err(Quorum { found: 0, wanted: 5 }));
    assert_eq!(check(&all[..4], |_| {}), Err(Quorum { found: 4, wanted: 5 }));
    assert_eq!(check(&[0, 1, 2, 3, 3], |_| {}), Err(Order { seat: 3 }));
    assert_eq!(check(&[1, 0, 2, 3, 4], |_| {}), Err(Order { seat: 0 }));
    assert_eq!(check(&[0, 1, 2, 3, 7], |_| {}), Err(Seat { seat: 7 }));
    assert_eq!(check(&all, |c| c.height = Height(2)), Err(Signature { seat: 0 }));
    assert_eq!(check(&all, |c| c.round = Round(3)), Err(Signature { seat: 0 }));
    assert_eq!(check(&all, |c| c.block = BlockId::default()), Err(Signature { seat: 0 }));
    assert_eq!(check(&all, |c| c.signatures[4].1 = c.signatures[3].1), Err(Signature { seat: 4 }));
    // One bad signature too many is not outweighed by a quorum of good ones.
    assert_eq!(
        check(&[0, 1, 2, 3, 4, 5], |c| c.signatures[5].1 = c.signatures[0].1),
        Err(Signature { seat: 5 })
    );
    let sound = certificate(id, &all);
    assert_eq!(sound.verify(&OTHER, &committee(7)), Err(Signature { seat: 0 }));
    let prevotes = Certificate {
        signatures: all
            .iter()
            .map(|seat| {
                let vote = Vote {
                    height: Height(1),
                    round: Round(2),
                    step: Step::Prevote,
                    block: Some(id),
                    seat: *seat,
                };
                (*seat, vote.sign(&CHAIN, &secret(usize::from(*seat))))
            })
            .collect(),
        ..sound
    };
    assert_eq!(prevotes.verify(&CHAIN, &committee(7)), Err(Signature { seat: 0 }));
}

#[test]
fn a_vote_is_signed_with_its_step_height_round_block_and_chain() {
    let committee = committee(4);
    let block = Some(BlockId(Hash([1; 32])));
    let vote = Vote { height: Height(1), round: Round(0), step: Step::Prevote, block, seat: 2 };
    let signature = vote.sign(&CHAIN, &secret(2));
    let check = |vote: Vote| vote.check(&CHAIN, &committee, &signature).is_ok();
    assert!(check(vote));
    assert!(!check(Vote { height: Height(2), ..vote }));
    assert!(!check(Vote { round: Round(1), ..vote }));
    assert!(!check(Vote { step: Step::Precommit, ..vote }));
    assert!(!check(Vote { block: None, ..vote }));
    assert!(!check(Vote { block: Some(BlockId::default()), ..vote }));
    assert!(!check(Vote { seat: 1, ..vote }));
    assert!(!check(Vote { seat: 4, ..vote }));
    assert!(vote.check(&OTHER, &committee, &signature).is_err());

    let (height, round, id) = (Height(1), Round(1), BlockId(Hash([1; 32])));
    let proposal = Proposal { height, round, block: id, valid_round: Some(Round(0)), seat: 2 };
    let signature = proposal.sign(&CHAIN, &secret(2));
    let check = |proposal: Proposal| proposal.check(&CHAIN, &committee, &signature).is_ok();
    assert!(check(proposal));
    assert!(!check(Proposal { height: Height(2), ..proposal }));
    assert!(!check(Proposal { round: Round(2), ..proposal }));
    assert!(!check(Proposal { block: BlockId::default(), ..proposal }));
    assert!(!check(Proposal { valid_round: None, ..proposal }));
    assert!(!check(Proposal { seat: 3, ..proposal }));
    assert!(proposal.check(&OTHER, &committee, &signature).is_err());
}

fn header() -> Header {
    Header {
        version: 1,
        chain: CHAIN,
        height: Height(1),
        time: Timestamp(1),
        proposer: 1,
        parent: BlockId::default(),
        payload: Block::payload(&[]),
        log_size: 0,
        log_root: Hash::ZERO,
        state_root: Hash::ZERO,
        committee: committee(4).digest(),
        next_committee: committee(4).digest(),
    }
}

#[test]
fn every_field_of_a_header_is_under_the_blocks_id() {
    let edits: [fn(&mut Header); 12] = [
        |h| h.version = 2,
        |h| h.chain = OTHER,
        |h| h.height = Height(2),
        |h| h.time = Timestamp(2),
        |h| h.proposer = 2,
        |h| h.parent = BlockId(Hash([1; 32])),
        |h| h.payload = Hash([1; 32]),
        |h| h.log_size = 1,
        |h| h.log_root = Hash([1; 32]),
        |h| h.state_root = Hash([1; 32]),
        |h| h.committee = Hash([1; 32]),
        |h| h.next_committee = Hash([1; 32]),
    ];
    let mut ids = std::collections::BTreeSet::from([header().id()]);
    for (n, edit) in edits.into_iter().enumerate() {
        let mut other = header();
        edit(&mut other);
        assert!(ids.insert(other.id()), "field {n}");
    }
}

#[test]
fn a_payload_is_of_these_transactions_in_this_order() {
    let (a, b) = (transaction(vec![operation(1)]), transaction(vec![operation(2)]));
    let of = |list: &[&Transaction]| list.iter().copied().cloned().collect::<Vec<_>>();
    let lists = [of(&[]), of(&[&a]), of(&[&b]), of(&[&a, &b]), of(&[&b, &a]), of(&[&a, &b, &b])];
    let roots: std::collections::BTreeSet<_> = lists.iter().map(Block::payload).collect();
    assert_eq!(roots.len(), lists.len());
}

#[test]
fn a_block_is_certified_by_its_own_certificate_only() {
    let check = |edit: fn(&mut Block, &mut Certificate)| {
        let mut block = Block { header: header(), transactions: vec![] };
        let mut certificate = certificate(block.id(), &[0, 1, 2]);
        edit(&mut block, &mut certificate);
        Certified::verify(block, certificate, &CHAIN, &committee(4)).map(|_| ())
    };
    assert_eq!(check(|_, _| {}), Ok(()));
    assert_eq!(check(|b, _| b.header.time = Timestamp(2)), Err(CertifiedError::Other));
    assert_eq!(check(|_, c| c.height = Height(2)), Err(CertifiedError::Other));
    assert_eq!(check(|_, c| c.block = BlockId::default()), Err(CertifiedError::Other));
    assert_eq!(check(|b, _| b.transactions.push(sound())), Err(CertifiedError::Payload));
    let foreign = |b: &mut Block, c: &mut Certificate| {
        b.header.chain = OTHER;
        *c = certificate(b.id(), &[0, 1, 2]);
    };
    assert_eq!(check(foreign), Err(CertifiedError::Foreign));
    let another = |b: &mut Block, c: &mut Certificate| {
        b.header.committee = committee(5).digest();
        *c = certificate(b.id(), &[0, 1, 2]);
    };
    assert_eq!(check(another), Err(CertifiedError::Foreign));
    assert_eq!(
        check(|_, c| c.signatures.truncate(2)),
        Err(CertifiedError::Certificate(CertificateError::Quorum { found: 2, wanted: 3 }))
    );
}

#[test]
fn a_history_is_a_chain_of_all_its_links_in_order() {
    let link =
        |position, part| Link { position, record: operation(position).record(&code()), part };
    let head = |links: &[Link]| links.iter().fold(Hash::ZERO, |head, link| link.extend(&head));
    let (a, b) = (link(1, Part::Input), link(2, Part::Output));
    let heads: std::collections::BTreeSet<_> = [
        vec![],
        vec![a],
        vec![b],
        vec![a, b],
        vec![b, a],
        vec![a, a],
        vec![link(1, Part::Child), b],
    ]
    .iter()
    .map(|links| head(links))
    .collect();
    assert_eq!(heads.len(), 7);
    let mut state = SubjectState {
        subject: "lot:1".parse().unwrap(),
        status: Status::Active,
        owner: code(),
        version: 1,
        records: 0,
        head: Hash::ZERO,
        latest: 0,
        effective_from: Timestamp(0),
        facts: Facts::Lot,
    };
    let empty = state.digest();
    state.append(&a);
    state.append(&b);
    assert_eq!((state.records, state.latest, state.head), (2, 2, head(&[a, b])));
    assert_ne!(state.digest(), empty);
}

// One strategy for every type on the wire.

fn hash() -> impl Strategy<Value = Hash> {
    any::<[u8; 32]>().prop_map(Hash)
}

fn digest() -> impl Strategy<Value = Digest> {
    (0..3_usize, any::<[u8; 32]>()).prop_map(|(n, bytes)| {
        use crate::hash::Algorithm::{Blake3, Sha256, Sm3};
        Digest { algorithm: [Blake3, Sha256, Sm3][n], bytes }
    })
}

fn text<const MAX: usize>() -> impl Strategy<Value = crate::Text<MAX>> {
    "[a-z水产:0-9]{1,8}".prop_map(|text| text.parse().unwrap())
}

fn time() -> impl Strategy<Value = Timestamp> {
    (0..253_370_764_800_000_u64).prop_map(Timestamp)
}

fn region() -> impl Strategy<Value = Region> {
    (100_000..1_000_000_u32).prop_map(|n| Region::new(&n.to_string()).unwrap())
}

fn agency_code() -> impl Strategy<Value = AgencyCode> {
    prop::sample::select(vec!["11350000MXDEX0015L", "91350100M000100Y43", "113500000035912564"])
        .prop_map(|text| AgencyCode::new(text).unwrap())
}

fn level() -> impl Strategy<Value = Level> {
    (1..7_u8).prop_map(|code| Level::from_code(code).unwrap())
}

fn key() -> impl Strategy<Value = PublicKey> {
    (0..200_usize).prop_map(|n| secret(n).public())
}

fn signature() -> impl Strategy<Value = Signature> {
    any::<u64>().prop_map(|n| secret(0).sign(crate::Domain::Checkpoint, &CHAIN, &n.to_le_bytes()))
}

fn part() -> impl Strategy<Value = Part> {
    prop::sample::select(Part::ALL.to_vec())
}

fn licence_facts() -> impl Strategy<Value = LicenceFacts> {
    (text(), region(), time(), option::of(time())).prop_map(
        |(kind, region, valid_from, valid_until)| LicenceFacts {
            kind,
            region,
            valid_from,
            valid_until,
        },
    )
}

fn element() -> impl Strategy<Value = Element> {
    (text(), hash()).prop_map(|(name, leaf)| Element { name, leaf })
}

fn action() -> impl Strategy<Value = Action> {
    let successor = (text(), text(), level(), region(), option::of(time()), vec(element(), 0..3))
        .prop_map(|(code, basic, level, region, planned_cancel, elements)| Successor {
            code,
            basic,
            level,
            region,
            planned_cancel,
            elements,
        });
    let verb = (
        0..10_u8,
        (any::<u32>(), option::of(time()), vec(element(), 0..3)),
        vec((text(), text()), 0..3),
        vec(successor, 0..3),
        (agency_code(), vec(text(), 0..3)),
    )
        .prop_map(
            |(n, (version, planned_cancel, elements), others, successors, (to, tasks))| {
                let edition = Edition { version, planned_cancel, elements };
                let predecessor = |(code, basic)| Predecessor { code, basic };
                let predecessors = others.into_iter().map(predecessor).collect();
                match n {
                    0 => ItemVerb::Publish { version, planned_cancel },
                    1 => ItemVerb::Amend { version, planned_cancel },
                    2 => ItemVerb::Suspend,
                    3 => ItemVerb::Resume,
                    4 => ItemVerb::Cancel,
                    5 => ItemVerb::Enter(edition),
                    6 => ItemVerb::Revise(edition),
                    7 => ItemVerb::Merge { edition, predecessors },
                    8 => ItemVerb::Split { successors },
                    _ => ItemVerb::Entrust { to, tasks, until: planned_cancel },
                }
            },
        );
    let list = (text(), region(), 0..3_u8, any::<u32>(), vec(text(), 0..3)).prop_map(
        |(name, region, n, version, members)| {
            let verb = match n {
                0 => ListVerb::Publish { members },
                1 => ListVerb::Amend { version, members },
                _ => ListVerb::Cancel,
            };
            Action::List(ListAction { name, region, verb })
        },
    );
    let item =
        (text(), text(), level(), region(), verb).prop_map(|(code, basic, level, region, verb)| {
            Action::Item(ItemAction { code, basic, level, region, verb })
        });
    let verb = (0..10_u8, text(), licence_facts()).prop_map(|(n, supersedes, facts)| match n {
        0 => LicenceVerb::Issue(facts),
        1 => LicenceVerb::Renew { supersedes, facts },
        2 => LicenceVerb::Change { supersedes, facts },
        3 => LicenceVerb::TransferIn { supersedes, facts },
        4 => LicenceVerb::Suspend,
        5 => LicenceVerb::Resume,
        6 => LicenceVerb::Annul,
        7 => LicenceVerb::Cancel,
        8 => LicenceVerb::Revoke,
        _ => LicenceVerb::TransferOut,
    });
    let licence =
        (text(), verb).prop_map(|(licence, verb)| Action::Licence(LicenceAction { licence, verb }));
    let event = prop::sample::select(vec![
        EventType::Object,
        EventType::Aggregation,
        EventType::Transaction,
        EventType::Transformation,
        EventType::Association,
    ]);
    let trace = (
        event,
        option::of(text()),
        time(),
        option::of(text()),
        vec((text(), part()), 0..4),
        option::of(hash()),
        option::of(text()),
    )
        .prop_map(|(event, id, time, step, lots, cbv_hash, corrects)| {
            Action::Trace(TraceEvent { event, id, time, step, lots, cbv_hash, corrects })
        });
    let batch = (text(), any::<u64>(), hash())
        .prop_map(|(series, lines, root)| Action::Batch(BatchAction { series, lines, root }));
    let seed = (text(), text(), text())
        .prop_map(|(permit, unit, lot)| Action::Seed(SeedAction { permit, unit, lot }));
    prop_oneof![item, licence, trace, list, batch, seed]
}

fn any_operation() -> impl Strategy<Value = Operation> {
    let grade = prop::sample::select(vec![
        Grade::Public,
        Grade::Internal,
        Grade::Sensitive,
        Grade::Restricted,
    ]);
    let provenance = (text(), text(), time())
        .prop_map(|(system, version, captured_at)| Provenance { system, version, captured_at });
    let commitment = (digest(), digest(), option::of(hash()))
        .prop_map(|(document, content, fields)| Commitment { document, content, fields });
    (action(), commitment, time(), grade, provenance).prop_map(
        |(action, commitment, effective_from, grade, provenance)| Operation {
            action,
            commitment,
            effective_from,
            grade,
            provenance,
        },
    )
}

fn any_transaction() -> impl Strategy<Value = Transaction> {
    (vec(any_operation(), 0..3), any::<u64>(), agency_code()).prop_map(|(operations, n, code)| {
        Transaction::sign(CHAIN, code, &secret(0), n, Height(n), operations)
    })
}

fn any_header() -> impl Strategy<Value = Header> {
    (vec(hash(), 8), any::<(u16, u64, u16, u64)>(), time()).prop_map(|(h, n, time)| Header {
        version: n.0,
        chain: ChainId(h[0]),
        height: Height(n.1),
        time,
        proposer: n.2,
        parent: BlockId(h[1]),
        payload: h[2],
        log_size: n.3,
        log_root: h[3],
        state_root: h[4],
        committee: h[5],
        next_committee: h[6],
    })
}

fn step() -> impl Strategy<Value = Step> {
    any::<bool>().prop_map(|first| if first { Step::Prevote } else { Step::Precommit })
}

fn message() -> impl Strategy<Value = Message> {
    let at = || (any::<u64>().prop_map(Height), any::<u32>().prop_map(Round));
    let block = || option::of(hash().prop_map(BlockId));
    let vote = (at(), step(), block(), any::<u16>(), signature()).prop_map(
        |((height, round), step, block, seat, signature)| {
            Message::Vote(Vote { height, round, step, block, seat }, signature)
        },
    );
    let valid = option::of(any::<u32>().prop_map(Round));
    let proposal = (at(), hash(), valid, any::<u16>(), signature()).prop_map(
        |((height, round), block, valid_round, seat, signature)| {
            let block = BlockId(block);
            Message::Proposal(Proposal { height, round, block, valid_round, seat }, signature)
        },
    );
    let polka = (at(), hash(), vec((any::<u16>(), signature()), 0..4)).prop_map(
        |((height, round), block, signatures)| Message::Polka {
            height,
            round,
            block: BlockId(block),
            signatures,
        },
    );
    let change =
        (at(), any::<bool>(), vec((any::<u16>(), step(), block(), signature()), 0..4)).prop_map(
            |((height, round), skip, votes)| Message::RoundChange { height, round, skip, votes },
        );
    prop_oneof![vote, proposal, polka, change]
}

fn subject() -> impl Strategy<Value = Subject> {
    let kind = prop::sample::select(Kind::ALL.to_vec());
    (kind, text()).prop_map(|(kind, id)| Subject { kind, id })
}

fn subject_state() -> impl Strategy<Value = SubjectState> {
    let status = prop::sample::select(Status::ALL.to_vec());
    let facts = prop_oneof![
        (text(), level(), region(), option::of(time())).prop_map(
            |(basic, level, region, planned_cancel)| Facts::Item {
                basic,
                level,
                region,
                planned_cancel
            }
        ),
        (level(), text()).prop_map(|(level, opener)| Facts::Basic { level, opener }),
        (licence_facts(), option::of(text()))
            .prop_map(|(facts, successor)| Facts::Licence { facts, successor }),
        Just(Facts::Lot),
        any::<u64>().prop_map(|lines| Facts::Batch { lines }),
        text().prop_map(|lot| Facts::Seed { lot }),
    ];
    (subject(), status, agency_code(), any::<(u32, u64, u64)>(), hash(), time(), facts).prop_map(
        |(subject, status, owner, n, head, effective_from, facts)| SubjectState {
            subject,
            status,
            owner,
            version: n.0,
            records: n.1,
            head,
            latest: n.2,
            effective_from,
            facts,
        },
    )
}

fn any_genesis() -> impl Strategy<Value = Genesis> {
    let role = prop_oneof![
        vec(region(), 0..3).prop_map(|regions| Role::Item { regions }),
        (vec(text(), 0..3), vec(region(), 0..3))
            .prop_map(|(types, regions)| Role::Licence { types, regions }),
        vec(text(), 0..3).prop_map(|namespaces| Role::Trace { namespaces }),
        Just(Role::Govern {}),
    ];
    let agency = (
        agency_code(),
        text(),
        region(),
        level(),
        option::of(agency_code()),
        vec(key(), 0..3),
        vec(role, 0..3),
    )
        .prop_map(|(code, name, region, level, parent, keys, roles)| Agency {
            code,
            name,
            region,
            level,
            parent,
            keys,
            roles,
        });
    let seat = (agency_code(), key(), key()).prop_map(|(agency, consensus_key, transport_key)| {
        crate::genesis::Seat { agency, consensus_key, transport_key }
    });
    (any::<[u32; 12]>(), text(), time(), vec(agency, 0..3), vec(seat, 0..4)).prop_map(
        |(n, name, time, agencies, validators)| Genesis {
            version: 1,
            name,
            time,
            limits: crate::genesis::Limits {
                block_bytes_max: n[0],
                block_operations_max: n[1],
                validity_heights_max: n[2],
            },
            timing: crate::genesis::Timing {
                propose_ms: n[3],
                vote_ms: n[4],
                round_step_ms: n[5],
                timeout_max_ms: n[6],
                idle_ms: n[7],
                clock_ahead_ms: n[8],
            },
            governance: crate::genesis::GovernanceRules {
                approval_percent: n[9],
                open_heights: n[10],
                lead_heights: n[11],
            },
            agencies,
            validators,
        },
    )
}

/// A value reads back; whatever else its bytes are made into either is refused or has only that one spelling.
fn has_one_spelling<T: Wire + PartialEq + Debug>(value: &T, edits: &[(usize, u8)], noise: &[u8]) {
    let bytes = codec::encode(value);
    assert!(bytes.len() <= T::BYTES_MAX);
    assert_eq!(&codec::decode::<T>(&bytes).unwrap(), value);
    let decodes_to_itself = |bytes: &[u8]| {
        if let Ok(value) = codec::decode::<T>(bytes) {
            assert_eq!(codec::encode(&value), bytes);
        }
    };
    decodes_to_itself(noise);
    for (at, flip) in edits {
        let mut changed = bytes.clone();
        let at = at % bytes.len();
        changed[at] ^= flip;
        decodes_to_itself(&changed);
        decodes_to_itself(&bytes[..at]);
        assert!(codec::decode::<T>(&bytes[..at]).is_err(), "a beginning is not the whole");
        changed.truncate(at);
        changed.extend_from_slice(noise);
        decodes_to_itself(&changed);
    }
}

macro_rules! one_spelling {
    ($($name:ident: $strategy:expr;)*) => {
        proptest! {
            #![proptest_config(ProptestConfig::with_cases(48))]
            $(#[test]
            fn $name(
                value in $strategy,
                edits in vec((any::<usize>(), 1..=255_u8), 1..16),
                noise in vec(any::<u8>(), 0..64),
            ) {
                has_one_spelling(&value, &edits, &noise);
            })*
        }
    };
}

one_spelling! {
    an_operation_has_one_spelling: any_operation();
    a_transaction_has_one_spelling: any_transaction();
    a_list_of_transactions_has_one_spelling: vec(any_transaction(), 0..3);
    a_header_has_one_spelling: any_header();
    a_block_has_one_spelling: (any_header(), vec(any_transaction(), 0..3))
        .prop_map(|(header, transactions)| Block { header, transactions });
    an_entry_has_one_spelling: (any::<(u64, u64, u32)>(), time(), hash(), hash())
        .prop_map(|(n, time, tx, record)| Entry {
            position: n.0, height: Height(n.1), time, tx: TxId(tx), index: n.2, record: RecordId(record),
        });
    a_certificate_has_one_spelling: (any::<(u64, u32)>(), hash(), vec((any::<u16>(), signature()), 0..5))
        .prop_map(|(n, block, signatures)| Certificate {
            height: Height(n.0), round: Round(n.1), block: BlockId(block), signatures,
        });
    a_message_has_one_spelling: message();
    a_subject_has_one_spelling: subject();
    a_subjects_state_has_one_spelling: subject_state();
    a_link_has_one_spelling: (any::<u64>(), hash(), part())
        .prop_map(|(position, record, part)| Link { position, record: RecordId(record), part });
    a_genesis_has_one_spelling: any_genesis();
}

#[test]
fn the_largest_values_are_within_their_limits() {
    let full = committee(4);
    let signature = secret(0).sign(crate::Domain::Checkpoint, &CHAIN, b"");
    let block = BlockId(Hash([1; 32]));
    let everyone = 0..u16::try_from(crate::committee::VALIDATORS_MAX).unwrap();
    let (height, round) = (Height(1), Round(1));
    let polka = Message::Polka {
        height,
        round,
        block,
        signatures: everyone.clone().map(|seat| (seat, signature)).collect(),
    };
    let change = Message::RoundChange {
        height,
        round,
        skip: true,
        votes: everyone.clone().map(|seat| (seat, Step::Prevote, Some(block), signature)).collect(),
    };
    for message in [polka, change] {
        assert_eq!(codec::decode::<Message>(&codec::encode(&message)), Ok(message));
    }
    let certificate = Certificate {
        height,
        round,
        block,
        signatures: everyone.map(|seat| (seat, signature)).collect(),
    };
    assert_eq!(codec::decode::<Certificate>(&codec::encode(&certificate)), Ok(certificate));
    let long = "水".repeat(85) + "a";
    let mut operation = operation(1);
    operation.action = Action::Trace(TraceEvent {
        event: EventType::Object,
        id: Some(long.parse().unwrap()),
        time: Timestamp(0),
        step: Some(long[..126].parse().unwrap()),
        lots: vec![(long.parse().unwrap(), Part::Observed); crate::operation::LOTS_MAX],
        cbv_hash: Some(Hash::ZERO),
        corrects: Some(long.parse().unwrap()),
    });
    assert_eq!(codec::decode::<Operation>(&codec::encode(&operation)), Ok(operation));
    assert_eq!(full.size(), 4);
}
