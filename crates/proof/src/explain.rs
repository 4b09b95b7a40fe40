//! Every hash of a check, one after the other, for whoever wants to compute them by hand.

use crate::{
    log, many,
    map::MapPath,
    present::Presentation,
    receipt::{
        AgencyState, Claim, ConsistencyClaim, LotClaim, Proof, RecordClaim, RecordsClaim,
        SharedTransaction, StatusClaim,
    },
};
use types::{
    Entry, Hash, Header, SubjectState,
    fields::{FieldTree, commitment},
    merkle::{self, List, Rfc6962},
    subject::Link,
    transaction::operation_leaf,
};

/// A hash that the check computes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hashed {
    /// For which claim; none for what all claims rest on.
    pub claim: Option<usize>,
    /// What it is, in the words of `FORMAT.md`.
    pub what: String,
    /// The hash.
    pub hash: Hash,
}

/// The hashes that the check of a proof computes, whether they turn out right or not, in the order of its steps.
#[must_use]
pub fn explain(proof: &Proof) -> Vec<Hashed> {
    let mut out = Vec::new();
    for (index, claim) in proof.claims.iter().enumerate() {
        let mut say =
            |what: String, hash: Hash| out.push(Hashed { claim: Some(index), what, hash });
        match claim {
            Claim::Record(claim) => record(claim, &proof.header, &mut say),
            Claim::Status(claim) => status(claim, &mut say),
            Claim::Records(claim) => batch(claim, &proof.header, &mut say),
            Claim::Upstream(claim) => {
                batch(&claim.records, &proof.header, &mut say);
                for LotClaim { state, siblings, history } in &claim.lots {
                    place(state, siblings, &mut say);
                    links(history, &mut say);
                }
            }
            Claim::Consistency(claim) => growth(claim, &proof.header, &mut say),
            Claim::Fork(claim) => say("id of the other block".into(), claim.header.id().0),
            Claim::Authority(claim) => {
                for AgencyState { state, siblings } in &claim.line {
                    place(state, siblings, &mut say);
                }
            }
            Claim::Votes(_) | Claim::Block => {}
        }
    }
    let mut say = |what: String, hash: Hash| out.push(Hashed { claim: None, what, hash });
    for hop in &proof.handover {
        let height = hop.header.height;
        say(format!("id of block {height}, which hands over"), hop.header.id().0);
        say(format!("committee that block {height} hands over to"), hop.header.next_committee);
    }
    say(format!("id of block {}", proof.header.height), proof.header.id().0);
    out
}

type Say<'s> = dyn FnMut(String, Hash) + 's;

fn record(claim: &RecordClaim, header: &Header, say: &mut Say<'_>) {
    let RecordClaim { entry, log_path, transaction, operation, operation_path, .. } = claim;
    say("transaction id".into(), transaction.id().0);
    say("record id".into(), operation.record(&transaction.agency).0);
    let leaf = (u64::from(entry.index), operation_leaf(operation));
    say("operation leaf".into(), leaf.1);
    climb::<List>(leaf, transaction.count.into(), operation_path, "operation node", say);
    let leaf = (entry.position, entry.leaf());
    say("log leaf: SHA-256(00 ‖ entry)".into(), leaf.1);
    climb::<Rfc6962>(leaf, header.log_size, log_path, "log node: SHA-256(01 ‖ left ‖ right)", say);
}

/// From a leaf to the root, a line a level; nothing where the path cannot be one.
fn climb<H: merkle::TreeHash>(
    (index, leaf): (u64, Hash),
    count: u64,
    path: &[Hash],
    what: &str,
    say: &mut Say<'_>,
) {
    if index >= count || path.len() != merkle::path_length(index, count) {
        return;
    }
    let (mut at, mut last, mut node) = (index, count - 1, leaf);
    for (step, sibling) in (1..).zip(path) {
        // The last node of an odd level has no sibling there, and rises.
        while last > 0 && at & 1 == 0 && at == last {
            (at, last) = (at >> 1, last >> 1);
        }
        let right = at & 1 == 1;
        node = if right { H::node(sibling, &node) } else { H::node(&node, sibling) };
        let side = if right { "left" } else { "right" };
        say(
            format!("{what}, {step} of {}, sibling on the {side} {}", path.len(), sibling.short()),
            node,
        );
        (at, last) = (at >> 1, last >> 1);
    }
}

fn status(claim: &StatusClaim, say: &mut Say<'_>) {
    let StatusClaim { subject, state, path, history } = claim;
    match state {
        Some(state) => place(state, &path.siblings, say),
        None => {
            say("subject key".into(), subject.key());
            if let Some((key, value)) = &path.other {
                say("key that has the place to itself".into(), *key);
                say("its value".into(), *value);
            }
            if let Ok(root) = path.root_without(&subject.key()) {
                say(format!("state root, after {} siblings", path.siblings.len()), root);
            }
        }
    }
    links(history.as_deref().unwrap_or_default(), say);
}

fn place(state: &SubjectState, siblings: &[Hash], say: &mut Say<'_>) {
    let (key, value) = (state.subject.key(), state.digest());
    say(format!("subject key of {}", state.subject), key);
    say("subject value".into(), value);
    let path = MapPath { siblings: siblings.to_vec(), other: None };
    for (depth, node) in path.way(&key, &value) {
        say(format!("map node at depth {depth} of {}", siblings.len()), node);
    }
}

fn links(history: &[Link], say: &mut Say<'_>) {
    let mut head = Hash::ZERO;
    for (number, link) in (1..).zip(history) {
        head = link.extend(&head);
        say(
            format!("history head after {number} of {}, position {}", history.len(), link.position),
            head,
        );
    }
}

/// The roots of both logs, a step of the path at a time.
fn growth(claim: &ConsistencyClaim, header: &Header, say: &mut Say<'_>) {
    let (old, path) = (&claim.header, &claim.path);
    say("id of the earlier block".into(), old.id().0);
    let mut step = 0;
    let mut tell = |earlier: Hash, later: Hash| {
        step += 1;
        let of = path.len();
        say(format!("root of the earlier log so far, hash {step} of {of}"), earlier);
        say(format!("root of the log so far, hash {step} of {of}"), later);
    };
    let (from, to) = (old.log_size, header.log_size);
    // Whether it leads to the roots is what the check says; here is where it leads.
    log::grow(from, &old.log_root, to, &header.log_root, path, &mut tell).unwrap_or(());
}

fn batch(claim: &RecordsClaim, header: &Header, say: &mut Say<'_>) {
    for (number, transaction) in (0u32..).zip(&claim.transactions) {
        say(format!("id of transaction {number}"), transaction.header.id().0);
        let of = claim.records.iter().filter(|record| record.transaction == number);
        let leaves: Vec<(u64, Hash)> =
            of.map(|record| (record.index.into(), operation_leaf(&record.operation))).collect();
        for (index, leaf) in &leaves {
            say(format!("leaf of its operation {index}"), *leaf);
        }
        let count = transaction.header.count.into();
        let mut tell =
            |from, to, node| say(format!("node over its operations {}", range(from, to)), node);
        let nodes = &transaction.operation_nodes;
        if let Ok(root) = many::climb_telling::<List>(&leaves, count, nodes, &mut tell) {
            say("root of its operations".into(), root);
        }
    }
    let entries = claim.records.iter().filter_map(|record| {
        let at = usize::try_from(record.transaction).ok()?;
        let SharedTransaction { header, height, time, .. } = claim.transactions.get(at)?;
        let entry = Entry {
            position: record.position,
            height: *height,
            time: *time,
            tx: header.id(),
            index: record.index,
            record: record.operation.record(&header.agency),
        };
        Some((record.position, entry.leaf()))
    });
    let entries: Vec<(u64, Hash)> = entries.collect();
    for (position, leaf) in &entries {
        say(format!("log leaf {position}: SHA-256(00 ‖ entry)"), *leaf);
    }
    let mut tell = |from, to, node| {
        say(format!("log node over {}: SHA-256(01 ‖ left ‖ right)", range(from, to)), node);
    };
    let (size, nodes) = (header.log_size, &claim.log_nodes);
    if let Ok(root) = many::climb_telling::<Rfc6962>(&entries, size, nodes, &mut tell) {
        say(
            format!("log root, over {} leaves and {} nodes", entries.len(), claim.log_nodes.len()),
            root,
        );
    }
}

/// Such as `4 to 7`.
fn range(from: u64, to: u64) -> String {
    format!("{from} to {}", to.saturating_sub(1))
}

impl Presentation {
    /// The hashes that lead from the fields to what the record commits to, in the order of the check.
    #[must_use]
    pub fn explain(&self) -> Vec<Hashed> {
        let mut out = Vec::new();
        let claim = usize::try_from(self.claim).ok();
        let mut say = |what: String, hash: Hash| out.push(Hashed { claim, what, hash });
        let leaves: Vec<(u64, Hash)> =
            self.fields.iter().map(|(index, field)| (u64::from(*index), field.leaf())).collect();
        for ((index, leaf), (_, field)) in leaves.iter().zip(&self.fields) {
            say(format!("leaf of field {index}, {}", field.name), *leaf);
        }
        let count = u64::from(self.count);
        let mut tell = |from, to, node| say(format!("node over fields {}", range(from, to)), node);
        if let Ok(root) = many::climb_telling::<FieldTree>(&leaves, count, &self.nodes, &mut tell) {
            say(format!("commitment to {count} fields"), commitment(count, &root));
        }
        out
    }
}
