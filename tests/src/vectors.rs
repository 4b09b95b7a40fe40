//! The bytes that must never change: what every value is spelled as, named by and proven with, for other implementations.

use crate::uses::{presentations, uses};
use crate::{Chain, catalogue, certify, govern, lastly, licence, lots, moved, operation, publish};
use ledger::prove::Asked;
use proof::{
    AuthorityClaim, Claim, ForkClaim, LineProof, Proof, ProofError, RecordClaim, RecordsClaim,
    Said, StatusClaim, TrustRoot, UpstreamClaim, VotesClaim,
    map::{self, Pages},
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use types::{
    AgencyCode, Digest, Domain, Hash, Level, Operation, RecordId, Region, Role, Subject, Timestamp,
    Transaction,
    authority::{Change, Enrolment, Governance, NewSeat, Possessed, Suspension, Target},
    bulk::BatchAction,
    codec::{encode, hex},
    hash::{Purpose, hash},
    merkle::{self, List, Rfc6962, TreeHash},
    operation::{Action, LicenceVerb, Lot},
    subject::Facts,
    vote::{Proposal, Step, Vote},
};
use verdict::{Line, speech::Lang};

/// The folder that the vectors are kept in.
#[must_use]
pub fn folder() -> std::path::PathBuf {
    crate::repository().join("tests/vectors")
}

/// Every file of vectors: its name, and its text.
#[must_use]
pub fn files() -> Vec<(&'static str, String)> {
    let (chain, story) = story();
    let parts = [
        ("digests.json", digests()),
        ("trees.json", trees()),
        ("logs.json", logs()),
        ("map.json", state_map()),
        ("values.json", values(&chain, &story)),
        ("signatures.json", signatures(&chain, &story)),
        ("proofs.json", proofs(&chain, &story)),
        ("proofs-1.json", proofs_of_format_1(&chain, &story)),
        ("refusals.json", refusals(&chain, &story)),
        ("presentations.json", presentations()),
        ("lines.json", lines()),
        ("beyond.json", beyond()),
    ];
    let text =
        |value| serde_json::to_string_pretty(&value).expect("JSON is made of strings") + "\n";
    parts.map(|(name, value)| (name, text(value))).into()
}

/// What is committed on the chain of the vectors.
struct Story {
    operations: Vec<Operation>,
    transaction: Transaction,
    last: types::Certified,
    proposal: RecordId,
    approval: RecordId,
    /// A licence that the agency issued which the ledger enrolled.
    issue: RecordId,
}

/// An agency that genesis does not know.
const NEWCOMER: &str = "11350100MXDEX00587";

const LOT: &str = "urn:epc:class:lgtin:9521005.050021.SG20260725-01";
const PRODUCT: &str = "urn:epc:id:sgtin:9521005.050021.1";

fn newcomer() -> AgencyCode {
    AgencyCode::new(NEWCOMER).expect("the code is sound")
}

/// The newcomer, to be enrolled below the first agency with one key.
fn enrolment(chain: &Chain) -> Enrolment {
    let (code, genesis) = (newcomer(), chain.genesis());
    Enrolment {
        code,
        name: "新机构".parse().expect("a name"),
        region: Region::new("350100").expect("a region"),
        level: Level::City,
        parent: Some(genesis.agencies[0].code),
        keys: vec![Possessed::sign(&chain.organisation(5), &genesis.chain(), &code)],
    }
}

/// The newcomer is given a role until a time, uses it in the block after the last before that time, and is suspended.
fn later(chain: &mut Chain) -> RecordId {
    let (agency, id) = (newcomer(), chain.genesis().chain());
    let decide = |chain: &mut Chain, nonce: u64, change: Change| {
        let target = change.target();
        let propose = govern(Governance::Propose(Box::new(change)));
        // The first agency replaced its key.
        let (first, key) = (chain.genesis().agencies[0].code, chain.organisation(6));
        let until = types::Height(100);
        let proposes = Transaction::sign(id, first, &key, nonce, until, vec![propose]);
        let proposal = proposes.records().next().expect("it has an operation");
        chain.commit(vec![proposes]);
        let approve = govern(Governance::Approve { proposal, target });
        chain.commit(vec![chain.transaction(1, nonce, vec![approve])]);
    };
    let role = Role::Licence {
        types: vec!["11".parse().expect("a text")],
        regions: vec![Region::new("350100").expect("a region")],
    };
    // Between block 6 and block 7.
    let until = Some(chain.genesis().time.plus(6500));
    decide(chain, 20, Change::Grant { agency, role, until });
    let key = chain.organisation(5);
    let issued = licence("issued by the newcomer");
    let issues = Transaction::sign(id, agency, &key, 1, types::Height(100), vec![issued]);
    let record = issues.records().next().expect("it has an operation");
    chain.commit(vec![issues]);
    decide(chain, 21, Change::Suspend(agency));
    record
}

/// Nine blocks: one of two transactions, of which the first has five operations; one that continues a lot; one that
/// proposes to enrol an agency, and one that approves it and replaces a key; and what [`later`] adds.
fn story() -> (Chain, Story) {
    let mut chain = Chain::new("vectors", 1);
    let operations = vec![
        publish(1),
        licence("1.2.156.3005.2.11350000XXXX2001XJ001.11350122XXXX200524.2026000101.001.0"),
        licence("c1:0000000000000000000000000000000000000000000000000000000000000001"),
        lots("urn:epc:class:lgtin:9521006.060011.PC2026-RY8-02", LOT),
        publish(2),
    ];
    let transaction = chain.transaction(0, 7, operations.clone());
    chain.commit(vec![transaction.clone(), chain.transaction(1, 8, vec![licence("another")])]);
    let more = lots(LOT, PRODUCT);
    let last = chain.commit(vec![chain.transaction(2, 9, vec![more])]);
    let name = |tx: &Transaction| tx.records().next().expect("it has an operation");
    let act = Governance::Propose(Box::new(Change::Enrol(enrolment(&chain))));
    let proposes = chain.transaction(0, 10, vec![govern(act)]);
    let proposal = name(&proposes);
    chain.commit(vec![proposes]);
    let target = Target::Agency(newcomer());
    let approves = chain.transaction(1, 11, vec![govern(Governance::Approve { proposal, target })]);
    let (approval, agency) = (name(&approves), chain.genesis().agencies[0].code);
    let enrol = Possessed::sign(&chain.organisation(6), &chain.genesis().chain(), &agency);
    let retire = chain.organisation(0).public();
    let rotates = chain.transaction(0, 12, vec![govern(Governance::Rotate { retire, enrol })]);
    chain.commit(vec![approves, rotates]);
    let issue = later(&mut chain);
    (chain, Story { operations, transaction, last, proposal, approval, issue })
}

/// Every act of governance and every change, sensible or not; what is approved and withdrawn is `proposal`.
#[must_use]
pub fn governance(chain: &Chain, proposal: RecordId) -> Vec<Operation> {
    let genesis = chain.genesis();
    let (agency, key) = (newcomer(), chain.organisation(7).public());
    let possessed = |n| Possessed::sign(&chain.organisation(n), &genesis.chain(), &agency);
    let role = Role::Trace { namespaces: vec!["urn:epc:".parse().expect("a text")] };
    let seat = NewSeat { agency, consensus_key: possessed(8), transport_key: possessed(9) };
    let until = Some(genesis.time.plus(1000));
    let changes = [
        Change::Enrol(enrolment(chain)),
        Change::Suspend(agency),
        Change::Reinstate(agency),
        Change::Dissolve(agency),
        Change::EnrolKey { agency, key: possessed(7) },
        Change::RetireKey { agency, key },
        Change::Grant { agency, role: Role::Govern {}, until: None },
        Change::Revoke { agency, number: 3 },
        Change::Committee { join: vec![seat], leave: vec![chain.seat(3).public()] },
        Change::Limits(genesis.limits),
        Change::Timing(genesis.timing),
        Change::Rules(genesis.governance),
    ];
    let acts = [
        Governance::Approve { proposal, target: Target::Agency(agency) },
        Governance::Withdraw { proposal, target: Target::Network },
        Governance::Delegate { to: agency, role, until },
        Governance::Undelegate { from: agency, number: 4 },
        Governance::Rotate { retire: key, enrol: possessed(6) },
    ];
    let proposals = changes.into_iter().map(|change| Governance::Propose(Box::new(change)));
    proposals.chain(acts).map(govern).collect()
}

fn digests() -> Value {
    let rows = [
        (Purpose::Chain, "minlian v1 chain"),
        (Purpose::Block, "minlian v1 block"),
        (Purpose::Transaction, "minlian v1 transaction"),
        (Purpose::Record, "minlian v1 record"),
        (Purpose::ListLeaf, "minlian v1 list leaf"),
        (Purpose::ListNode, "minlian v1 list node"),
        (Purpose::SubjectKey, "minlian v1 subject key"),
        (Purpose::SubjectValue, "minlian v1 subject value"),
        (Purpose::MapLeaf, "minlian v1 map leaf"),
        (Purpose::MapNode, "minlian v1 map node"),
        (Purpose::History, "minlian v1 history"),
        (Purpose::Committee, "minlian v1 committee"),
        (Purpose::Trace, "minlian v1 trace"),
        (Purpose::FieldLeaf, "minlian v1 field leaf"),
        (Purpose::FieldNode, "minlian v1 field node"),
    ];
    let contexts = rows.map(|(purpose, context)| {
        json!({ "context": context, "input": hex(b"abc"), "hash": hash(purpose, &[b"abc"]) })
    });
    let documents = ["", "abc", "闽链"].map(
        |text| json!({ "input": hex(text.as_bytes()), "digest": Digest::blake3(text.as_bytes()).to_string() }),
    );
    json!({
        "description": "Hashes of this ledger are BLAKE3 in derive-key mode, one context for each purpose; digests of documents are plain BLAKE3 of the exact bytes.",
        "purposes": contexts,
        "documents": documents,
    })
}

/// The root over leaves "0", "1", … of a size, and the path of every leaf.
fn tree<H: TreeHash>(size: usize) -> Value {
    let leaves: Vec<Hash> = (0..size).map(|n| H::leaf(n.to_string().as_bytes())).collect();
    let paths: Vec<_> = (0..size).map(|index| merkle::path::<H>(&leaves, index)).collect();
    json!({ "size": size, "root": merkle::root::<H>(&leaves), "paths": paths })
}

fn trees() -> Value {
    json!({
        "description": "Leaf n is the decimal digits of n. `log` is RFC 6962 with SHA-256; `list` has the same shape with BLAKE3, and a zero byte before a leaf's data. Path i leads from leaf i to the root, nearest sibling first.",
        "log": (0..=9).map(tree::<Rfc6962>).collect::<Vec<_>>(),
        "list": (0..=9).map(tree::<List>).collect::<Vec<_>>(),
    })
}

/// Proofs about small logs, honest ones and others, and which of them hold: what RFC 6962 leaves to whoever checks them.
fn logs() -> Value {
    let leaves: Vec<Hash> = (0..40).map(|n: u8| Rfc6962::leaf(n.to_string().as_bytes())).collect();
    let root = |size: usize| merkle::root::<Rfc6962>(&leaves[..size]);
    let other = Rfc6962::leaf(b"another log");
    let mut inclusion = Vec::new();
    let mut shows =
        |name: &str, index: u64, size: u64, leaf: Hash, root: Hash, path: &[Hash], holds: bool| {
            inclusion.push(json!({
            "name": name, "index": index, "size": size, "leaf": leaf, "root": root, "path": path,
            "holds": holds,
        }));
        };
    for size in [1, 2, 5, 8, 33usize] {
        for index in BTreeSet::from([0, size / 3, size / 2, size - 1]) {
            let (leaf, root) = (leaves[index], root(size));
            let path = merkle::path::<Rfc6962>(&leaves[..size], index);
            let (index, size) = (wide(index), wide(size));
            shows("honest", index, size, leaf, root, &path, true);
            shows("another leaf", index, size, other, root, &path, false);
            shows("another root", index, size, leaf, other, &path, false);
            shows("a leaf beyond the last", size, size, leaf, root, &path, false);
            shows("a log without leaves", index, 0, leaf, root, &path, false);
            shows("a longer log", index, 4 * size + 1, leaf, root, &path, false);
            shows("the last of numbers", u64::MAX - 1, u64::MAX, leaf, root, &path, false);
            shows("a node too many", index, size, leaf, root, &with(&path, other), false);
            shows("the root for a leaf", index, size, root, root, &path, size == 1);
            if let [.., last] = path[..] {
                shows("a node left out", index, size, leaf, root, &path[1..], false);
                shows("no path", index, size, leaf, root, &[], false);
                let changed = with(&path[..path.len() - 1], Hash(last.0.map(|byte| !byte)));
                shows("another node", index, size, leaf, root, &changed, false);
                shows("another place", index ^ 1, size, leaf, root, &path, false);
            }
        }
    }
    let mut consistency = Vec::new();
    let mut grows =
        |name: &str, old: u64, new: u64, roots: [Hash; 2], path: &[Hash], holds: bool| {
            let [old_root, new_root] = roots;
            consistency.push(json!({
                "name": name, "old": old, "new": new, "old_root": old_root, "new_root": new_root,
                "path": path, "holds": holds,
            }));
        };
    for new in [1, 3, 6, 13, 40usize] {
        for old in BTreeSet::from([0, 1, new / 2, new - 1, new]) {
            let (roots, path) = ([root(old), root(new)], continued(&leaves[..new], old));
            let (old, new) = (wide(old), wide(new));
            grows("honest", old, new, roots, &path, true);
            grows("another old root", old, new, [other, roots[1]], &path, false);
            grows("a node too many", old, new, roots, &with(&path, other), false);
            grows("backwards", new, old, [roots[1], roots[0]], &path, old == new);
            if old > 0 {
                grows("another new root", old, new, [roots[0], other], &path, false);
                grows("an empty log that has a root", 0, new, roots, &[], false);
            }
            if let [.., last] = path[..] {
                grows("a node left out", old, new, roots, &path[1..], false);
                grows("no path", old, new, roots, &[], false);
                let changed = with(&path[..path.len() - 1], Hash(last.0.map(|byte| !byte)));
                grows("another node", old, new, roots, &changed, false);
                grows("another size", old - 1, new, roots, &path, false);
            }
        }
    }
    json!({
        "description": "Leaf n of the log is the decimal digits of n. Inclusion: whether the path leads from the leaf at its index to the root of a log of that size. Consistency: whether the path shows that the old log begins the new one. Both as RFC 9162 sections 2.1.3 and 2.1.4 check them, any other length of a path refused.",
        "inclusion": inclusion,
        "consistency": consistency,
    })
}

/// What RFC 6962 section 2.1.2 lists for a log that had `old` leaves and has all of these.
fn continued(leaves: &[Hash], old: usize) -> Vec<Hash> {
    fn part(leaves: &[Hash], old: usize, whole: bool) -> Vec<Hash> {
        if old == leaves.len() {
            return if whole { Vec::new() } else { vec![merkle::root::<Rfc6962>(leaves)] };
        }
        let half = leaves.len().next_power_of_two() / 2;
        let (left, right) = leaves.split_at(half);
        if old <= half {
            with(&part(left, old, whole), merkle::root::<Rfc6962>(right))
        } else {
            with(&part(right, old - half, false), merkle::root::<Rfc6962>(left))
        }
    }
    if old == 0 { Vec::new() } else { part(leaves, old, true) }
}

fn with(path: &[Hash], last: Hash) -> Vec<Hash> {
    path.iter().copied().chain([last]).collect()
}

fn wide(number: usize) -> u64 {
    u64::try_from(number).expect("few")
}

/// Pages of a map, as a state keeps them.
#[derive(Default)]
struct Kept(BTreeMap<Vec<u8>, Vec<u8>>);

impl Pages for Kept {
    fn page(&self, path: &[u8]) -> Option<Vec<u8>> {
        self.0.get(path).cloned()
    }
}

impl Kept {
    fn of(pairs: &[(Hash, Hash)]) -> Self {
        let writes = pairs.iter().map(|(key, value)| (*key, Some(*value))).collect();
        let pages = map::update(&Self::default(), &writes).pages;
        Self(pages.into_iter().filter_map(|(path, page)| Some((path, page?))).collect())
    }
}

fn state_map() -> Value {
    let number = |n: u8| hash(Purpose::Trace, &[&[n]]);
    let (mut left, mut right) = (Hash::ZERO, Hash::ZERO);
    (left.0[31], right.0[31]) = (2, 3);
    let sets: [Vec<(Hash, Hash)>; 6] = [
        vec![],
        vec![(number(0), number(100))],
        vec![(number(0), number(100)), (number(1), number(101))],
        (0..7).map(|n| (number(n), number(100 + n))).collect(),
        (0..40).map(|n| (number(n), number(100 + n))).collect(),
        // These two part at the last of the 256 bits.
        vec![(left, number(1)), (right, number(2))],
    ];
    let path = |kept: &Kept, key: &Hash| {
        let path = map::prove(kept, key);
        json!({ "key": key, "siblings": path.siblings, "other": path.other })
    };
    let rows = sets.iter().map(|pairs| {
        let kept = Kept::of(pairs);
        json!({
            "entries": pairs.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect::<Vec<_>>(),
            "root": map::root(&kept),
            "present": pairs.first().map(|(key, _)| path(&kept, key)),
            "absent": path(&kept, &number(255)),
        })
    });
    json!({
        "description": "Roots of the sparse Merkle map over sets of keys and value digests, the path of the first key, and the path of a key that is absent.",
        "maps": rows.collect::<Vec<_>>(),
    })
}

fn values(chain: &Chain, story: &Story) -> Value {
    let genesis = chain.genesis();
    let Story { operations, transaction, last, .. } = story;
    let governance = governance(chain, story.proposal);
    let uses = uses(&transaction.header.agency);
    let catalogue: Vec<Operation> = catalogue::operations(chain)
        .into_iter()
        .chain(catalogue::uniform(story.proposal))
        .collect();
    let agency = &transaction.header.agency;
    let header = &last.block().header;
    let governing = [
        Subject::network(),
        Subject::agency(agency),
        Subject::agency(&newcomer()),
        Subject::proposal(&story.proposal),
    ];
    let named = operations.iter().flat_map(|o| o.subjects(agency)).map(|(subject, _)| subject);
    let named: BTreeSet<Subject> = named.chain(governing).collect();
    let subjects = named.iter().map(|subject| {
        let state = match &chain.prove_subject(subject).claims[..] {
            [Claim::Status(claim)] => claim.state.clone().expect("it was recorded"),
            other => unreachable!("a subject's proof makes one claim of a subject: {other:?}"),
        };
        json!({
            "subject": subject.to_string(),
            "bytes": hex(&encode(subject)),
            "key": subject.key(),
            "state": {
                "digest": state.digest(),
                "bytes": hex(&encode(&state)),
                "json": state,
            },
        })
    });
    json!({
        "description": "Canonical bytes of values and the names made of them: bincode with fixed-width little-endian integers, 64-bit lengths, 32-bit variants.",
        "genesis": {
            "toml": genesis.to_toml(),
            "bytes": hex(&encode(genesis)),
            "chain": genesis.chain(),
            "committee": genesis.committee().digest(),
        },
        "operations": operations.iter().chain(&governance).chain(&catalogue).chain(&uses).map(|operation| json!({
            "agency": agency.as_str(),
            "json": operation,
            "bytes": hex(&encode(operation)),
            "record": operation.record(agency),
        })).collect::<Vec<_>>(),
        "subjects": subjects.collect::<Vec<_>>(),
        "transaction": {
            "header": hex(&encode(&transaction.header)),
            "operations_root": transaction.header.operations,
            "bytes": hex(&encode(transaction)),
            "id": transaction.id(),
        },
        "block": {
            "header_json": header,
            "header": hex(&encode(header)),
            "bytes": hex(&encode(last.block())),
            "id": header.id(),
        },
        "certificate": { "json": last.certificate(), "bytes": hex(&encode(last.certificate())) },
    })
}

/// What a signature is over: the purpose's name, a zero byte, the chain, the body.
fn message(name: &str, chain: &Chain, body: &[u8]) -> Vec<u8> {
    [name.as_bytes(), &[0], chain.genesis().chain().as_bytes(), body].concat()
}

fn signatures(chain: &Chain, story: &Story) -> Value {
    let domains = [
        (Domain::Transaction, "minlian/v1/transaction"),
        (Domain::Proposal, "minlian/v1/proposal"),
        (Domain::Prevote, "minlian/v1/prevote"),
        (Domain::Precommit, "minlian/v1/precommit"),
        (Domain::Handshake, "minlian/v1/handshake"),
        (Domain::Enrolment, "minlian/v1/enrolment"),
        (Domain::Checkpoint, "minlian/v1/checkpoint"),
    ];
    let id = chain.genesis().chain();
    let seat = chain.seat(0);
    let purposes = domains.map(|(domain, name)| {
        json!({
            "domain": name,
            "secret": hex(seat.seed()),
            "public": seat.public(),
            "body": hex(b"body"),
            "message": hex(&message(name, chain, b"body")),
            "signature": seat.sign(domain, &id, b"body"),
        })
    });
    let block = story.last.block().id();
    let (height, round) = (story.last.height(), types::Round(3));
    let ballots = [
        (Step::Prevote, None, "minlian/v1/prevote"),
        (Step::Prevote, Some(block), "minlian/v1/prevote"),
        (Step::Precommit, None, "minlian/v1/precommit"),
        (Step::Precommit, Some(block), "minlian/v1/precommit"),
    ];
    let votes = ballots.map(|(step, block, name)| {
        let vote = Vote { height, round, step, block, seat: 0 };
        json!({
            "vote": vote,
            "message": hex(&message(name, chain, &encode(&(height, round, block)))),
            "signature": vote.sign(&id, &seat),
        })
    });
    let header = &story.transaction.header;
    json!({
        "description": "Ed25519 over: the purpose's name, a zero byte, the chain id, the body. A vote's body is its height, round and block; the seat is not signed.",
        "chain": id,
        "purposes": purposes,
        "votes": votes,
        "transaction": {
            "message": hex(&message("minlian/v1/transaction", chain, &encode(header))),
            "secret": hex(chain.organisation(0).seed()),
            "signature": story.transaction.signature,
        },
    })
}

fn subject(text: &str) -> Subject {
    text.parse().expect("a subject")
}

fn record_proof(chain: &Chain, story: &Story) -> Proof {
    chain.prove_record(&story.operations[2].record(&story.transaction.header.agency))
}

fn status_proof(chain: &Chain) -> Proof {
    chain.prove_subject(&subject(&format!("lot:{LOT}")))
}

/// The committees from genesis's on, of which each replaces one seat.
fn committees(chain: &Chain, changes: u8) -> Vec<Vec<types::SecretKey>> {
    let seats = |from: u8, to: u8| (from..to).map(|n| chain.seat(n)).collect::<Vec<_>>();
    lastly(&seats(0, 4), &seats(4, 4 + changes))
}

fn product() -> Lot {
    PRODUCT.parse().expect("a lot")
}

/// The last block, certified a second time with another log.
fn fork_proof(chain: &Chain) -> Proof {
    let mut proof = chain.prove(&[Asked::Block]);
    let mut header = proof.header;
    header.log_root.0[0] ^= 1;
    let secrets = [1, 2, 3].map(|seat| (seat.into(), chain.seat(seat)));
    let certificate = certify(&header, &proof.chain, &secrets);
    proof.claims = vec![Claim::Fork(Box::new(ForkClaim { header, certificate }))];
    proof
}

/// A seat that prevoted for nil and for a block.
fn votes_proof(chain: &Chain) -> Proof {
    let mut proof = chain.prove(&[Asked::Block]);
    let (height, round, seat, step) = (proof.header.height, types::Round(1), 2, Step::Prevote);
    let (first, second) = (None, Some(proof.header.id()));
    let sign = |block| Vote { height, round, step, block, seat }.sign(&proof.chain, &chain.seat(2));
    let signatures = (sign(first), sign(second));
    let said = Said::Votes { step, first, second };
    proof.claims =
        vec![Claim::Votes(Box::new(VotesClaim { height, round, seat, said, signatures }))];
    proof
}

/// A seat that proposed one block as new, and again as one that was voted for before.
fn proposals_proof(chain: &Chain) -> Proof {
    let mut proof = chain.prove(&[Asked::Block]);
    let (height, round, seat, block) = (proof.header.height, types::Round(3), 1, proof.header.id());
    let (first, second) = ((block, None), (block, Some(types::Round(1))));
    let sign = |(block, valid_round)| {
        let proposal = Proposal { height, round, block, valid_round, seat };
        proposal.sign(&proof.chain, &chain.seat(1))
    };
    let signatures = (sign(first), sign(second));
    let said = Said::Proposals { first, second };
    proof.claims =
        vec![Claim::Votes(Box::new(VotesClaim { height, round, seat, said, signatures }))];
    proof
}

/// The committees of a chain on which a fifth validator joins and leaves again: those who are left sit in another order.
fn returning(chain: &Chain) -> Vec<Vec<types::SecretKey>> {
    let seats = |numbers: &[u8]| numbers.iter().map(|n| chain.seat(*n)).collect();
    [&[0, 1, 2, 3][..], &[0, 1, 2, 3, 4], &[1, 2, 3, 0]].map(seats).into()
}

fn batch_proof(chain: &Chain, story: &Story) -> Proof {
    let agency = &story.transaction.header.agency;
    let ids = [0, 2, 4].map(|at: usize| story.operations[at].record(agency));
    let last = story.last.block().transactions.iter().flat_map(Transaction::records);
    chain.prove(&[Asked::Records(ids.into_iter().chain(last).collect())])
}

/// What the newcomer could do in the block in which it issued a licence.
fn authority_proof(chain: &Chain) -> Proof {
    let (agency, key) = (newcomer(), Some(chain.organisation(5).public()));
    chain.prove(&[Asked::Authority { agency, key, at: Some(types::Height(7)) }])
}

fn proofs(chain: &Chain, story: &Story) -> Value {
    let (record, lot) = (record_proof(chain, story), status_proof(chain));
    let status = |subject: &Subject| chain.prove_subject(subject);
    let agencies = &chain.genesis().agencies;
    let both =
        Proof { claims: [record.claims.clone(), lot.claims.clone()].concat(), ..record.clone() };
    let far = moved(both.clone(), &committees(chain, 5));
    let consistency = chain.prove(&[Asked::Consistency(types::Height(1))]);
    let rows = [
        ("a record, third of five in its transaction, as of a later block", record),
        ("a lot with its whole history", lot),
        ("a subject that is not on the ledger", chain.prove_subject(&subject("licence:nowhere"))),
        ("a record and a subject under one certificate", both),
        ("a record and a subject after five changes of the committee", far),
        ("a batch of records of two transactions", batch_proof(chain, story)),
        ("a lot with its complete upstream", chain.prove(&[Asked::Upstream(product())])),
        ("a log that continues that of an earlier block", consistency.clone()),
        ("the same, after two changes of the committee", moved(consistency, &committees(chain, 2))),
        ("two certified blocks of one height", fork_proof(chain)),
        ("two prevotes of one seat", votes_proof(chain)),
        ("a block", chain.prove(&[Asked::Block])),
        ("a proposal, approved by one and decided later", chain.prove_record(&story.proposal)),
        ("the approval that enacts it", chain.prove_record(&story.approval)),
        ("the proposal, with its history", status(&Subject::proposal(&story.proposal))),
        ("an agency that was enrolled", status(&Subject::agency(&newcomer()))),
        (
            "an agency of genesis, after it replaced a key",
            status(&Subject::agency(&agencies[0].code)),
        ),
        ("an agency as genesis enrolled it", status(&Subject::agency(&agencies[3].code))),
        ("the network as genesis made it", status(&Subject::network())),
        ("a record by an agency that the ledger enrolled", chain.prove_record(&story.issue)),
        ("a batch of records of several agencies, one of them enrolled by the ledger", {
            let ids = story.operations.iter().map(|o| o.record(&agencies[0].code));
            chain.prove(&[Asked::Records(ids.chain([story.issue]).collect())])
        }),
        ("the authority of that agency in an earlier block", authority_proof(chain)),
        (
            "the authority of an agency of genesis in the next block",
            chain.prove(&[Asked::Authority { agency: agencies[0].code, key: None, at: None }]),
        ),
        (
            "a basic code with every record of it, a list of items, and the uniform elements",
            items_proof(),
        ),
        ("two proposals of one seat", proposals_proof(chain)),
        (
            "a lot as it stood in an earlier block, of which nobody keeps the state",
            chain.prove_at(1, &[Asked::Subject(subject(&format!("lot:{LOT}")))]),
        ),
        (
            "a record after one joined the committee and left it again",
            moved(record_proof(chain, story), &returning(chain)),
        ),
    ];
    let root = chain.trust_root();
    let rows = rows.map(|(name, proof)| {
        let bytes = proof::encode(&proof);
        let verdict = proof::verify(&bytes, &root);
        assert_eq!(verdict.error(), None, "{name}");
        let frames = proof::frames(&bytes).expect("it is short");
        json!({
            "name": name, "verdict": "proven", "armor": proof::armor(&bytes), "frames": frames, "bytes": hex(&bytes),
        })
    });
    let saved = root
        .advance(&moved(chain.prove(&[Asked::Block]), &committees(chain, 3)))
        .expect("it follows from genesis");
    json!({
        "description": "Proofs that hold against the trust root given; the last one is saved, after three changes, in the other.",
        "trust_root": chain.genesis().to_toml(),
        "trust_root_saved": saved.to_text(),
        "proofs": rows,
    })
}

/// The spelling of format 1, which is not written any more.
///
/// It was never released: its values are those of today, and so is the genesis these proofs are held against. A genesis
/// without rules of governance is no genesis, so there is no trust root for a file from before there were any.
fn encode_1(proof: &Proof) -> Vec<u8> {
    let Proof { chain, header, certificate, claims, .. } = proof;
    let body = encode(&(chain, header, certificate, claims));
    let mut bytes = [&proof::MAGIC[..], &1u16.to_le_bytes(), &body].concat();
    let seal = Digest::blake3(&bytes).bytes;
    bytes.extend_from_slice(&seal[..8]);
    bytes
}

/// The complete history of a basic code, on a chain of its own with the same genesis.
fn items_proof() -> Proof {
    let mut chain = Chain::new("vectors", 1);
    let operations = catalogue::operations(&chain);
    let tx = chain.transaction(0, 20, operations);
    let records: Vec<RecordId> = tx.records().collect();
    chain.commit(vec![tx]);
    let [proposes, _] = catalogue::uniform(records[0]);
    let tx = chain.transaction(0, 21, vec![proposes]);
    let proposal = tx.records().next().expect("it has an operation");
    chain.commit(vec![tx]);
    let [_, approves] = catalogue::uniform(proposal);
    chain.commit(vec![chain.transaction(1, 22, vec![approves])]);
    let list = Subject::list(&"高频事项清单".parse().expect("a name"));
    let basic = Subject::basic(&catalogue::basic());
    let subjects = [basic, list, Subject::elements()].map(Asked::Subject);
    chain.prove(&[&subjects[..], &[Asked::Records(records)]].concat())
}

fn proofs_of_format_1(chain: &Chain, story: &Story) -> Value {
    let (record, status) = (record_proof(chain, story), status_proof(chain));
    let both =
        Proof { claims: [record.claims.clone(), status.claims.clone()].concat(), ..record.clone() };
    let rows = [
        ("a record, third of five in its transaction, as of a later block", record),
        ("a lot with its whole history", status),
        ("a subject that is not on the ledger", chain.prove_subject(&subject("licence:nowhere"))),
        ("a record and a subject under one certificate", both),
    ];
    let rows = rows.map(|(name, proof)| {
        let bytes = encode_1(&proof);
        json!({ "name": name, "verdict": "proven", "armor": proof::armor(&bytes), "bytes": hex(&bytes) })
    });
    json!({
        "description": "Proofs that hold against the trust root given.",
        "trust_root": chain.genesis().to_toml(),
        "proofs": rows,
    })
}

/// Proofs of single lines of a batch of five, on a chain of their own with the same genesis.
fn lines() -> Value {
    let mut chain = Chain::new("vectors", 1);
    let all: Vec<Hash> = (0..5u8).map(|n| hash(Purpose::Trace, &[b"line", &[n]])).collect();
    let leaves: Vec<Hash> = all.iter().map(proof::line_leaf).collect();
    let series = "urn:epc:class:lgtin:9521005.050021.units".parse().expect("a series");
    let act = BatchAction { series, lines: 5, root: merkle::root::<Rfc6962>(&leaves) };
    let batch = operation(Action::Batch(act), "the lines, one after the other");
    let tx = chain.transaction(0, 30, vec![batch, licence("beside the batch")]);
    let records: Vec<RecordId> = tx.records().collect();
    chain.commit(vec![tx]);
    let proof = proof::encode(&chain.prove_record(&records[0]));
    let line = |index: usize| LineProof {
        line: all[index],
        index: wide(index),
        path: merkle::path::<Rfc6962>(&leaves, index),
        proof: proof.clone(),
    };
    let changed = |change: &dyn Fn(&mut LineProof)| {
        let mut made = line(3);
        change(&mut made);
        proof::encode_line(&made)
    };
    let edit = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = proof::encode_line(&line(3));
        change(&mut bytes);
        bytes
    };
    let two = proof::encode(&chain.prove(&[Asked::Record(records[0]), Asked::Block]));
    let beside = proof::encode(&chain.prove_record(&records[1]));
    let elsewhere = proof::encode(&foreign());
    let armor = proof::armor(&proof).into_bytes();
    let frames = proof::frames(&proof).expect("it is short").join("\n").into_bytes();
    let mut rows: Vec<(&str, Vec<u8>)> =
        vec![("the first line of five", proof::encode_line(&line(0)))];
    rows.push(("the fourth", proof::encode_line(&line(3))));
    rows.push(("the last, whose path is shorter", proof::encode_line(&line(4))));
    rows.push(("something else", proof.clone()));
    rows.push(("of a later format", edit(&|bytes| bytes[8] = 2)));
    rows.push(("nothing after the magic", edit(&|bytes| bytes.truncate(8))));
    rows.push(("cut off", edit(&|bytes| bytes.truncate(bytes.len() - 40))));
    rows.push(("followed by a byte", edit(&|bytes| bytes.push(0))));
    rows.push(("a seal that does not match", edit(&|bytes| bytes[20] ^= 1)));
    rows.push(("a proof of another chain", changed(&|made| made.proof.clone_from(&elsewhere))));
    rows.push(("a proof that is cut off", changed(&|made| made.proof.truncate(100))));
    rows.push(("no proof", changed(&|made| made.proof.clear())));
    rows.push(("the proof in text armour", changed(&|made| made.proof.clone_from(&armor))));
    rows.push(("the proof in frames", changed(&|made| made.proof.clone_from(&frames))));
    rows.push(("a proof of more than the record", changed(&|made| made.proof.clone_from(&two))));
    rows.push(("a record that is no batch", changed(&|made| made.proof.clone_from(&beside))));
    rows.push(("a line beyond the last", changed(&|made| made.index = 5)));
    rows.push(("a path that is too short", changed(&|made| made.path.truncate(1))));
    rows.push(("a path that is too long", changed(&|made| made.path.push(Hash::ZERO))));
    rows.push(("another line", changed(&|made| made.line.0[0] ^= 1)));
    rows.push(("another number", changed(&|made| made.index = 2)));
    rows.push(("another node", changed(&|made| made.path[1].0[0] ^= 1)));
    let root = chain.trust_root();
    let judged = rows.iter().map(|(name, bytes)| {
        let (answer, code) = Line::examine(bytes, &root, None).decide();
        json!({ "name": name, "verdict": answer.name(), "code": code, "bytes": hex(bytes) })
    });
    json!({
        "description": "Proofs of single lines of a batch, and why some show nothing (FORMAT.md, One line of a batch).",
        "trust_root": chain.genesis().to_toml(),
        "lines": judged.collect::<Vec<_>>(),
    })
}

/// What is asked beyond the proof: whether a document is the one that was recorded, and where licences stood at a time.
fn beyond() -> Value {
    const LICENCE: &str = "c1:0000000000000000000000000000000000000000000000000000000000000001";
    let mut chain = Chain::new("vectors", 1);
    let begin = chain.genesis().time;
    let mut issue = licence(LICENCE);
    issue.effective_from = begin;
    if let Action::Licence(act) = &mut issue.action
        && let LicenceVerb::Issue(facts) = &mut act.verb
    {
        (facts.valid_from, facts.valid_until) = (begin.plus(1500), Some(begin.plus(4000)));
    }
    let tx = chain.transaction(0, 1, vec![issue]);
    let id = tx.records().next().expect("it has an operation");
    chain.commit(vec![tx]);
    (0..5).for_each(|_| drop(chain.commit(Vec::new())));
    let licence = subject(&format!("licence:{LICENCE}"));
    let record = chain.prove_record(&id);
    let stood = chain.prove(&[Asked::Subject(licence.clone()), Asked::Record(id)]);
    let alone = chain.prove(&[Asked::Subject(licence)]);
    let never = chain.prove(&[Asked::Subject(subject("licence:nowhere"))]);
    let (exact, other) = (LICENCE.as_bytes(), LICENCE.replace('1', "2"));
    let time = |ms: u64| Some(begin.plus(ms));
    let before = "2025-12-31T00:00:00Z".parse().ok();
    /// What is asked, of which proof, beside which document, about which time.
    type Row<'a> = (&'a str, &'a Proof, Option<&'a [u8]>, Option<Timestamp>);
    let rows: [Row<'_>; 12] = [
        ("the document that was recorded", &record, Some(exact), None),
        ("another document", &record, Some(other.as_bytes()), None),
        ("no byte of it", &record, Some(b""), None),
        ("a document beside the proof of an absence", &never, Some(exact), None),
        ("a licence before it was issued", &stood, None, before),
        ("a licence that is not valid yet", &stood, None, time(1499)),
        ("a licence that is valid", &stood, None, time(1500)),
        ("a licence whose time is over", &stood, None, time(4000)),
        ("a licence that was never issued", &never, None, time(2000)),
        ("a time after the block", &stood, None, time(6001)),
        ("a history whose records are not there", &alone, None, time(2000)),
        ("a proof of no licence's state", &record, None, time(2000)),
    ];
    let genesis = chain.genesis().to_toml();
    let judged = rows.map(|(name, proof, document, at)| {
        let bytes = proof::encode(proof);
        let report = verdict::examine(verdict::Brought {
            file: "proof".into(),
            root: Some(("root".into(), Ok(genesis.clone().into_bytes()))),
            proof: Ok(&bytes),
            document: document.map(|document| ("document".into(), Ok(document.to_vec()))),
            at,
        });
        let standing = report.json(Lang::En)["beyond"]["standing"].clone();
        json!({
            "name": name, "bytes": hex(&bytes), "document": document.map(hex), "at": at,
            "verdict": report.answer().name(), "code": report.code(), "standing": standing,
        })
    });
    json!({
        "description": "What is asked beyond a proof that holds: whether a document, in hexadecimal, is the one that was recorded; where the licences stood at a time.",
        "trust_root": genesis,
        "rows": judged,
    })
}

/// A record's proof with one change; whatever rests on the change is signed again by those who can.
fn altered(chain: &Chain, story: &Story, change: impl FnOnce(&mut RecordClaim)) -> Proof {
    let mut proof = record_proof(chain, story);
    match &mut proof.claims[..] {
        [Claim::Record(claim)] => change(claim),
        other => unreachable!("a record's proof makes one claim of a record: {other:?}"),
    }
    proof
}

fn restated(chain: &Chain, change: impl FnOnce(&mut StatusClaim)) -> Proof {
    let mut proof = status_proof(chain);
    match &mut proof.claims[..] {
        [Claim::Status(claim)] => change(claim),
        other => unreachable!("a subject's proof makes one claim of a subject: {other:?}"),
    }
    proof
}

/// The record's transaction, signed by someone else in the name of an agency, and the entry made to fit.
fn resigned(claim: &mut RecordClaim, chain: &Chain, agency: AgencyCode, key: &types::SecretKey) {
    let header = &mut claim.transaction;
    (header.agency, header.key) = (agency, key.public());
    claim.signature = key.sign(Domain::Transaction, &chain.genesis().chain(), &encode(header));
    claim.entry.tx = header.id();
    claim.entry.record = claim.operation.record(&agency);
}

fn refusals(chain: &Chain, story: &Story) -> Value {
    let id = chain.genesis().chain();
    let good = record_proof(chain, story);
    let other = Chain::new("vectors", 2);
    let seats = |from: &Chain, count: u8| -> Vec<_> {
        (0..count).map(|seat| (seat.into(), from.seat(seat))).collect()
    };
    let recertified = |mut proof: Proof, by: &Chain, count: u8| {
        proof.certificate = certify(&proof.header, &id, &seats(by, count));
        proof
    };
    let mut own_committee = good.clone();
    own_committee.header.committee = other.genesis().committee().digest();
    own_committee.header.next_committee = own_committee.header.committee;
    let mut other_header = good.clone();
    other_header.header.time = other_header.header.time.plus(1);
    let mut claimless = good.clone();
    claimless.claims.clear();
    let agencies = &chain.genesis().agencies;
    let mut rows: Vec<(&str, Vec<u8>)> = vec![
        ("of another chain, with a committee of its own", proof::encode(&foreign())),
        (
            "a committee of its own under this chain's name",
            proof::encode(&recertified(own_committee, &other, 4)),
        ),
        (
            "this committee's name, signed by others",
            proof::encode(&recertified(good.clone(), &other, 4)),
        ),
        (
            "two signatures where three are needed",
            proof::encode(&recertified(good.clone(), chain, 2)),
        ),
        ("a header that was not signed", proof::encode(&other_header)),
        ("no claim at all", proof::encode(&claimless)),
        (
            "a sibling in the log altered",
            proof::encode(&altered(chain, story, |claim| claim.log_path[0].0[0] ^= 1)),
        ),
        (
            "a sibling in the log left out",
            proof::encode(&altered(chain, story, |claim| claim.log_path.truncate(1))),
        ),
        (
            "another operation than was signed",
            proof::encode(&altered(chain, story, |claim| {
                if let Action::Licence(act) = &mut claim.operation.action
                    && let LicenceVerb::Issue(facts) = &mut act.verb
                {
                    facts.valid_until = None;
                }
            })),
        ),
        (
            "an entry of another place",
            proof::encode(&altered(chain, story, |claim| claim.entry.record.0.0[0] ^= 1)),
        ),
        (
            "signed with a key that is nobody's",
            proof::encode(&altered(chain, story, |claim| {
                resigned(claim, chain, agencies[0].code, &other.organisation(0));
            })),
        ),
        (
            "signed by an agency without the role",
            proof::encode(&altered(chain, story, |claim| {
                resigned(claim, chain, agencies[3].code, &chain.organisation(3));
            })),
        ),
        (
            "a proposal by an agency that does not govern",
            proof::encode(&{
                let mut proof = chain.prove_record(&story.proposal);
                let Some(Claim::Record(claim)) = proof.claims.first_mut() else {
                    unreachable!("made so")
                };
                resigned(claim, chain, agencies[2].code, &chain.organisation(2));
                proof
            }),
        ),
        (
            "the state of a subject altered",
            proof::encode(&restated(chain, |claim| {
                if let Some(state) = &mut claim.state {
                    state.version += 1;
                }
            })),
        ),
        (
            "a subject that is there, said to be absent",
            proof::encode(&restated(chain, |claim| {
                (claim.state, claim.history) = (None, None);
            })),
        ),
        (
            "a history with a record left out",
            proof::encode(&restated(chain, |claim| {
                if let Some(history) = &mut claim.history {
                    history.remove(0);
                }
            })),
        ),
    ];
    let bytes = proof::encode(&good);
    let edit = |change: fn(&mut Vec<u8>)| {
        let mut bytes = bytes.clone();
        change(&mut bytes);
        bytes
    };
    rows.push((
        "a seal that does not match",
        edit(|bytes| *bytes.last_mut().expect("a seal") ^= 1),
    ));
    rows.push(("cut off", edit(|bytes| bytes.truncate(bytes.len() - 1))));
    rows.push(("followed by a byte", edit(|bytes| bytes.push(0))));
    rows.push(("of a later format", edit(|bytes| bytes[8] = 3)));
    let frames = proof::frames(&bytes).expect("it is short");
    rows.push(("one frame of several", frames[1].clone().into_bytes()));
    rows.push(("a frame cut off", frames[0].as_bytes()[..400].to_vec()));
    let others = proof::frames(&proof::encode(&status_proof(chain))).expect("it is short");
    rows.push(("frames of two proofs", [&frames[0][..], &others[0]].join("\n").into_bytes()));
    let armor = proof::armor(&bytes);
    let framed = proof::frames(armor.as_bytes()).expect("it is short").join("\n");
    rows.push(("frames of a text armour", framed.into_bytes()));
    rows.push(("a text armour of a text armour", proof::armor(armor.as_bytes()).into_bytes()));
    rows.push(("something else", b"%PDF-1.7\n".to_vec()));
    rows.push(("nothing", Vec::new()));
    rows.extend(later_refusals(chain, story));
    rows.extend(authority_refusals(chain, story));
    let root = chain.trust_root();
    let judge = |name: &str, bytes: &[u8], root: &TrustRoot| {
        let why = refusal(bytes, root).unwrap_or_else(|| unreachable!("{name} is proven"));
        let verdict = if why.is_undecided() { "cannot-check" } else { "not-proven" };
        json!({ "name": name, "verdict": verdict, "code": why.code(), "bytes": hex(bytes) })
    };
    let mut rows: Vec<Value> =
        rows.into_iter().map(|(name, bytes)| judge(name, &bytes, &root)).collect();
    // Of these a checker knows more than the genesis.
    let saved = root.advance(&fork_proof(chain)).expect("alone it cannot be told");
    let mut forked = fork_proof(chain);
    let Some(Claim::Fork(other)) = forked.claims.pop() else { unreachable!("made so") };
    (forked.header, forked.certificate, forked.claims) =
        (other.header, other.certificate, vec![Claim::Block]);
    let mut row =
        judge("another block than the one that was saved", &proof::encode(&forked), &saved);
    row["trust_root"] = saved.to_text().into();
    rows.push(row);
    for (name, proof) in contradictions(chain) {
        let saved = root.advance(&chain.prove_at(8, &[Asked::Block])).expect("it follows");
        let mut row = judge(name, &proof::encode(&proof), &saved);
        row["trust_root"] = saved.to_text().into();
        rows.push(row);
    }
    json!({
        "description": "Files that prove nothing against the trust root given, and the code of the reason.",
        "trust_root": chain.genesis().to_toml(),
        "refusals": rows,
    })
}

/// What cannot stand in one chain with block 8, for one who saved that.
fn contradictions(chain: &Chain) -> Vec<(&'static str, Proof)> {
    let seats = [0, 1, 2].map(|seat| (seat.into(), chain.seat(seat)));
    let mut earlier = chain.prove(&[Asked::Consistency(types::Height(8))]);
    if let Some(Claim::Consistency(claim)) = earlier.claims.first_mut() {
        claim.header.proposer += 1;
        claim.certificate = certify(&claim.header, &earlier.chain, &seats);
    }
    let mut other = chain.prove_at(5, &[Asked::Block]);
    other.header.next_committee.0[0] ^= 1;
    other.certificate = certify(&other.header, &other.chain, &seats);
    let mut child = chain.prove(&[Asked::Block]);
    child.header.parent.0.0[0] ^= 1;
    child.certificate = certify(&child.header, &child.chain, &seats);
    vec![
        ("a log that continues another block than the one that was saved", earlier),
        ("a block that hands over to others than sat after it", other),
        ("a child of another block than the one that was saved", child),
    ]
}

/// What is wrong with handovers and with the later kinds of claims.
fn later_refusals(chain: &Chain, story: &Story) -> Vec<(&'static str, Vec<u8>)> {
    let far = moved(record_proof(chain, story), &committees(chain, 3));
    let hop = |change: fn(&mut Vec<proof::Hop>)| {
        let mut proof = far.clone();
        change(&mut proof.handover);
        proof::encode(&proof)
    };
    let batch = |change: fn(&mut RecordsClaim)| {
        let mut proof = batch_proof(chain, story);
        let Some(Claim::Records(claim)) = proof.claims.first_mut() else { unreachable!("made so") };
        change(claim);
        proof::encode(&proof)
    };
    let upstream = |change: fn(&mut UpstreamClaim)| {
        let mut proof = chain.prove(&[Asked::Upstream(product())]);
        let Some(Claim::Upstream(claim)) = proof.claims.first_mut() else {
            unreachable!("made so")
        };
        change(claim);
        proof::encode(&proof)
    };
    let mut shrunk = chain.prove(&[Asked::Consistency(types::Height(1))]);
    if let Some(Claim::Consistency(claim)) = shrunk.claims.first_mut() {
        claim.path[0].0[0] ^= 1;
    }
    let mut childless = chain.prove(&[Asked::Consistency(types::Height(8))]);
    if let Some(Claim::Consistency(claim)) = childless.claims.first_mut() {
        let seats = [0, 1, 2].map(|seat| (seat.into(), chain.seat(seat)));
        claim.header.proposer += 1;
        claim.certificate = certify(&claim.header, &childless.chain, &seats);
    }
    let back = moved(record_proof(chain, story), &{
        let mut all = returning(chain);
        all[2].rotate_right(1);
        all
    });
    let mut straight = moved(record_proof(chain, story), &returning(chain));
    straight.handover.clear();
    let mut harmless = votes_proof(chain);
    if let Some(Claim::Votes(claim)) = harmless.claims.first_mut() {
        claim.said = Said::Votes { step: Step::Prevote, first: None, second: None };
    }
    let mut removed = far.clone();
    removed.certificate = certify(
        &removed.header,
        &removed.chain,
        &[(0, chain.seat(3)), (1, chain.seat(4)), (2, chain.seat(0))],
    );
    let mut many = far.clone();
    let signature = many.certificate.signatures[0];
    many.certificate.signatures = vec![signature; proof::SIGNATURES_MAX + 1];
    vec![
        ("a change of the committee left out", hop(|hops| drop(hops.remove(1)))),
        ("changes of the committee exchanged", hop(|hops| hops.swap(0, 1))),
        ("other seats than were handed over to", hop(|hops| hops[2].committee.swap(0, 1))),
        ("signed by one whose seat was given to another", proof::encode(&removed)),
        ("handed back to the committee that sat before", proof::encode(&back)),
        ("changes that led to the first validators again left out", proof::encode(&straight)),
        ("a batch out of order", batch(|claim| claim.records.swap(0, 1))),
        ("a node of a batch altered", batch(|claim| claim.log_nodes[0].0[0] ^= 1)),
        ("an input left out of an upstream", upstream(|claim| drop(claim.lots.remove(0)))),
        ("the upstream of another lot", upstream(|claim| claim.lot = LOT.parse().expect("a lot"))),
        ("a log that was rewritten", proof::encode(&shrunk)),
        ("a block before that is not the parent", proof::encode(&childless)),
        ("evidence of nothing", proof::encode(&harmless)),
        ("more signatures than may be", proof::encode(&many)),
    ]
}

/// Records and claims that an agency's state does not bear out.
fn authority_refusals(chain: &Chain, story: &Story) -> Vec<(&'static str, Vec<u8>)> {
    let claim = |change: &dyn Fn(&mut AuthorityClaim)| {
        let mut proof = authority_proof(chain);
        for claim in &mut proof.claims {
            if let Claim::Authority(claim) = claim {
                change(claim);
            }
        }
        proof::encode(&proof)
    };
    let without = |keep: fn(&Claim) -> bool| {
        let mut proof = chain.prove_record(&story.issue);
        proof.claims.retain(keep);
        proof::encode(&proof)
    };
    let regions = vec![Region::new("350101").expect("a region"); 730];
    vec![
        (
            "a record by an agency that genesis does not know, without its state",
            without(|claim| matches!(claim, Claim::Record(_))),
        ),
        (
            "a record under a role that had ended, as far as the file tells the time",
            without(|claim| !matches!(claim, Claim::Consistency(_))),
        ),
        (
            "a record by an agency while it is suspended",
            proof::encode(&restated_agencies(chain, chain.prove_record(&story.issue))),
        ),
        ("an agency before it was enrolled", claim(&|claim| claim.at = types::Height(4))),
        ("an agency while it is suspended", claim(&|claim| claim.at = types::Height(10))),
        (
            "a key that was never the agency's",
            claim(&|claim| claim.key = Some(chain.organisation(6).public())),
        ),
        (
            "a key after it was replaced",
            proof::encode(&{
                let agency = chain.genesis().agencies[0].code;
                let key = Some(chain.organisation(0).public());
                chain.prove(&[Asked::Authority { agency, key, at: None }])
            }),
        ),
        ("a height that is yet to come", claim(&|claim| claim.at = types::Height(11))),
        ("no agency at all", claim(&|claim| claim.line.clear())),
        ("the state of an agency altered", claim(&|claim| claim.line[0].state.version += 1)),
        (
            "more to compare than may be",
            claim(&|claim| {
                if let Facts::Agency(facts) = &mut claim.line[0].state.facts {
                    facts.grants[0].role = Role::Item { regions: regions.clone() };
                    facts.grants[0].by = Some(newcomer());
                }
                claim.line.push(claim.line[0].clone());
            }),
        ),
    ]
}

/// The same, with agencies of which each was suspended from its first block on, in a state that the validators certify: no
/// honest ledger takes a record by one of them.
fn restated_agencies(chain: &Chain, mut proof: Proof) -> Proof {
    let mut pairs = Vec::new();
    let mut each = |change: &mut dyn FnMut(&mut proof::AgencyState)| {
        for claim in &mut proof.claims {
            if let Claim::Authority(claim) = claim {
                claim.line.iter_mut().for_each(&mut *change);
            }
        }
    };
    each(&mut |place| {
        if let Facts::Agency(facts) = &mut place.state.facts {
            facts.suspensions = vec![Suspension { from: types::Height(1), until: None }];
        }
        pairs.push((place.state.subject.key(), place.state.digest()));
    });
    let kept = Kept::of(&pairs);
    each(&mut |place| place.siblings = map::prove(&kept, &place.state.subject.key()).siblings);
    proof.header.state_root = map::root(&kept);
    let seats = [0, 1, 2].map(|seat| (seat.into(), chain.seat(seat)));
    proof.certificate = certify(&proof.header, &proof.chain, &seats);
    proof
}

fn refusal(bytes: &[u8], root: &TrustRoot) -> Option<ProofError> {
    proof::verify(bytes, root).error().cloned()
}

/// A sound proof of another chain that gave itself the same name.
fn foreign() -> Proof {
    let mut chain = Chain::new("vectors", 2);
    let tx = chain.transaction(0, 1, vec![licence("another")]);
    let record = tx.records().next().expect("it has an operation");
    chain.commit(vec![tx]);
    chain.prove_record(&record)
}
