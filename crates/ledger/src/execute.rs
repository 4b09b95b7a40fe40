//! A block, executed: from transactions in order to the roots after them.

use crate::{
    govern::is_authority,
    judge::{Overlay, judge},
    rejection::Rejection,
    rows::Rows,
    rules::Rules,
    state::{Column, Commit, State, Write},
};
use proof::{log, map};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, collections::BTreeMap};
use types::{
    Block, BlockId, Certified, Committee, Entry, Hash, Header, Height, Subject, SubjectState,
    Timestamp, Transaction, TxId, Validator, Verified,
    authority::{Moment, NetworkFacts},
    block,
    codec::{self, Wire},
    committee::VALIDATORS_MAX,
    hash::Digest,
    merkle::{Rfc6962, TreeHash as _},
    subject::{Facts, Link},
    transaction::TransactionError,
};

/// The end of the chain, as the next block finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tip {
    /// The last block's height; genesis before the first.
    pub height: Height,
    /// Its id; zeros for genesis.
    pub id: BlockId,
    /// Its time.
    pub time: Timestamp,
    /// The state map's root.
    pub state_root: Hash,
    /// The history log's right edge.
    pub log: log::Frontier,
}

/// Where a transaction was committed, and where each of its records stands in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The block.
    pub height: Height,
    /// Which of the block's transactions it is.
    pub index: u32,
    /// The positions of its operations' records; a record that was there before keeps its old one.
    pub positions: Vec<u64>,
}

impl Wire for Place {
    const BYTES_MAX: usize = 64 + 8 * types::transaction::OPERATIONS_MAX;
}

/// Where a record is: block, transaction in it, operation in that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    /// The block.
    pub height: Height,
    /// Which of its transactions.
    pub tx: u32,
    /// Which of that transaction's operations.
    pub index: u32,
}

impl Spot {
    pub(crate) fn to_bytes(self) -> [u8; SPOT_BYTES] {
        let mut bytes = [0; SPOT_BYTES];
        bytes[..8].copy_from_slice(&self.height.0.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.tx.to_be_bytes());
        bytes[12..].copy_from_slice(&self.index.to_be_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; SPOT_BYTES] = bytes.try_into().ok()?;
        let half = |from: usize| bytes[from..from + 4].try_into().map(u32::from_be_bytes);
        let height = bytes[..8].try_into().map(u64::from_be_bytes).ok()?;
        Some(Self { height: Height(height), tx: half(8).ok()?, index: half(12).ok()? })
    }
}

const SPOT_BYTES: usize = 16;

/// Where each position of the log is.
pub(crate) const SPOTS: Rows = Rows::new(Column::Positions, 0, SPOT_BYTES, 64);

/// Where a position of the log is.
pub(crate) fn spot(state: &impl State, position: u64) -> Option<Spot> {
    Spot::from_bytes(&SPOTS.get(state, position, 1)?)
}

/// What is kept of a block that hands over to another committee, for the proofs of later blocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handover {
    /// How many signatures of its certificate are a quorum of the old committee.
    pub quorum: u16,
    /// The seats of the new committee.
    pub seats: Vec<Validator>,
}

impl Wire for Handover {
    const BYTES_MAX: usize = 64 + VALIDATORS_MAX * 160;
}

impl Handover {
    /// Of a block certified by `committee` that hands over to `next`; none if it hands over to nobody else.
    #[must_use]
    pub fn of(header: &Header, committee: &Committee, next: &Committee) -> Option<Self> {
        (header.next_committee != header.committee).then(|| Self {
            quorum: u16::try_from(committee.quorum()).unwrap_or(u16::MAX),
            seats: next.seats().map(|(_, seat)| seat.clone()).collect(),
        })
    }
}

/// Why a block cannot be agreed on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// A field of the header is not what it must be.
    #[error("header field {field} is not what it must be")]
    Header {
        /// The field.
        field: &'static str,
    },
    /// The block's time is not after its parent's.
    #[error("block time {time} is not after {parent}")]
    Early {
        /// Its time.
        time: Timestamp,
        /// Its parent's.
        parent: Timestamp,
    },
    /// More than a block may hold.
    #[error("the block holds more than genesis allows")]
    Size,
    /// A transaction may not be in it.
    #[error("transaction {index}: {rejection}")]
    Transaction {
        /// Which.
        index: usize,
        /// Why.
        rejection: Rejection,
    },
    /// Execution here gives other roots: the proposer is wrong, or we are.
    #[error("the {field} after this block is {ours}, the header says {theirs}")]
    Diverges {
        /// Which root.
        field: &'static str,
        /// What we compute.
        ours: Hash,
        /// What the header says.
        theirs: Hash,
        /// What the block changes here, to be compared with what it changes elsewhere.
        changes: Vec<Change>,
    },
}

/// What a block makes of a subject: its key in the state map, and the digest under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its key.
    pub key: Hash,
    /// Its name.
    pub subject: Subject,
    /// The digest of its state after the block.
    pub digest: Hash,
}

impl core::fmt::Display for Change {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} = {} ({})", self.key, self.digest, self.subject)
    }
}

/// The first key at which two executions of one block differ, if they do: of two lists in the order of keys, as
/// [`Outcome::changes`] gives them.
#[must_use]
pub fn first_difference(ours: &[Change], theirs: &[Change]) -> Option<Hash> {
    let (mut ours, mut theirs) = (ours.iter(), theirs.iter());
    loop {
        match (ours.next(), theirs.next()) {
            (None, None) => return None,
            (Some(one), Some(other)) if (one.key, one.digest) == (other.key, other.digest) => {}
            (Some(one), Some(other)) => return Some(one.key.min(other.key)),
            (Some(only), None) | (None, Some(only)) => return Some(only.key),
        }
    }
}

impl Invalid {
    /// Whether another body under the same header may be right. A header commits to the ids of its transactions, and an id
    /// to the operations, but neither to the bytes that arrived under that name: those, and the signatures, anyone who
    /// passes a block on can spoil. Who brought them is at fault then, not who signed the header.
    #[must_use]
    pub const fn is_of_the_body(&self) -> bool {
        match self {
            Self::Header { field } => matches!(field.as_bytes(), b"payload"),
            Self::Transaction { rejection: Rejection::Transaction(error), .. } => match error {
                TransactionError::Count { .. }
                | TransactionError::Operations
                | TransactionError::Signature { .. } => true,
                TransactionError::Version { .. } | TransactionError::Chain { .. } => false,
            },
            // Spoiled bytes may be more than were agreed on.
            Self::Size => true,
            Self::Transaction { .. } | Self::Early { .. } | Self::Diverges { .. } => false,
        }
    }
}

/// A block's effects, kept from its execution until it is agreed on.
#[derive(Clone, Debug)]
pub struct Outcome {
    block: BlockId,
    tip: Tip,
    writes: Vec<Write>,
    governs: bool,
    changes: Vec<Change>,
}

impl Outcome {
    /// Whether it changes who may do what, so that the next block has other rules.
    #[must_use]
    pub const fn governs(&self) -> bool {
        self.governs
    }

    /// The end of the chain after the block.
    #[must_use]
    pub const fn tip(&self) -> &Tip {
        &self.tip
    }

    /// The keys of the subjects it changes.
    #[must_use]
    pub fn touched(&self) -> Vec<Hash> {
        self.changes.iter().map(|change| change.key).collect()
    }

    /// What it makes of them, in the order of their keys.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The block it is of.
    #[must_use]
    pub const fn block(&self) -> BlockId {
        self.block
    }
}

/// Levels of the log between those that are kept: the nodes between are hashed anew, which costs less than keeping them.
pub(crate) const TILE_LEVELS: u8 = 5;

/// The nodes of one kept level of the log, as many to a row as make one node of the kept level above.
pub(crate) const fn tiles(level: u8) -> Rows {
    Rows::new(Column::Log, level / TILE_LEVELS, 32, 1 << TILE_LEVELS)
}

/// Reads the nodes of the log from a state.
#[derive(Debug)]
pub(crate) struct Nodes<'a, S>(pub(crate) &'a S);

impl<S: State> log::Nodes for Nodes<'_, S> {
    fn node(&self, level: u8, index: u64) -> Option<Hash> {
        let below = level % TILE_LEVELS;
        let bytes = tiles(level).get(self.0, index << below, 1 << below)?;
        let (kept, _) = bytes.as_chunks();
        let mut nodes: Vec<Hash> = kept.iter().copied().map(Hash).collect();
        while nodes.len() > 1 {
            let (pairs, _) = nodes.as_chunks();
            nodes = pairs.iter().map(|[left, right]| Rfc6962::node(left, right)).collect();
        }
        nodes.first().copied()
    }
}

/// Reads the pages of the map from a state.
#[derive(Debug)]
pub(crate) struct Pages<'a, S>(pub(crate) &'a S);

impl<S: State> map::Pages for Pages<'_, S> {
    fn page(&self, path: &[u8]) -> Option<Vec<u8>> {
        self.0.get(Column::Map, path)
    }

    fn pages(&self, paths: &[&[u8]]) -> Vec<Option<Vec<u8>>> {
        self.0.get_many(Column::Map, paths)
    }
}

/// Where the records of a document are found: half of its digest tells documents apart, and whoever makes two whose halves
/// agree has only made these two slower to find.
pub(crate) fn document_key(document: &Digest, position: u64) -> Vec<u8> {
    let mut key = document.bytes[..DOCUMENT_BYTES].to_vec();
    key.extend_from_slice(&position.to_be_bytes());
    key
}

/// How much of a document's digest is in its key.
pub(crate) const DOCUMENT_BYTES: usize = 16;

/// The key of a transaction in a block.
pub(crate) fn body_key(height: Height, index: u32) -> Vec<u8> {
    let mut key = height.0.to_be_bytes().to_vec();
    key.extend_from_slice(&index.to_be_bytes());
    key
}

/// The key of a link in a subject's history.
pub(crate) fn history_key(subject: &Hash, sequence: u64) -> Vec<u8> {
    let mut key = subject.0.to_vec();
    key.extend_from_slice(&sequence.to_be_bytes());
    key
}

const TIP: &[u8] = b"tip";
/// Before the keys of subjects that say who may do what.
pub(crate) const AUTHORITY: &[u8] = b"authority/";

/// The end of the chain that `state` holds.
///
/// # Panics
/// When the state does not hold what a commit wrote: it was damaged, and nothing may be built on it.
#[must_use]
pub fn tip(rules: &Rules, state: &impl State) -> Tip {
    let Some(bytes) = state.get(Column::Meta, TIP) else {
        return Tip {
            height: Height::GENESIS,
            id: BlockId::default(),
            time: rules.genesis_time(),
            state_root: Hash::ZERO,
            log: log::Frontier::new(),
        };
    };
    let header =
        state.get(Column::Headers, &bytes).expect("the tip's header was written with the tip");
    let header: Header = codec::decode(&header).expect("headers are written canonically");
    let log = log::Frontier::restore(header.log_size, &Nodes(state))
        .expect("the log was written with the header");
    assert_eq!(log.root(), header.log_root, "the log on disk is not the log that was agreed on");
    Tip {
        height: header.height,
        id: header.id(),
        time: header.time,
        state_root: header.state_root,
        log,
    }
}

/// What is kept under a subject's key: its state, and the last link of its history.
///
/// Most subjects have one record for years. With the link beside the state it costs them no key of its own, and goes to the
/// column of links when the next one comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// The state.
    pub(crate) state: SubjectState,
    /// The last link; none of what genesis says, until something is recorded of it.
    pub(crate) last: Option<Link>,
}

impl Wire for Kept {
    const BYTES_MAX: usize = SubjectState::BYTES_MAX + Link::BYTES_MAX + 1;
}

impl Kept {
    /// What `state` holds under a subject's key.
    pub(crate) fn read(state: &impl State, key: &[u8]) -> Option<Self> {
        let bytes = state.get(Column::Subjects, key)?;
        Some(codec::decode(&bytes).expect("subjects are written canonically"))
    }
}

impl Tip {
    /// The block that follows, as far as it is known beforehand.
    #[must_use]
    pub const fn moment(&self) -> Moment {
        Moment { height: self.height.next(), time: self.time }
    }
}

/// A block under execution.
#[derive(Debug)]
pub struct Draft<'a, 't, S> {
    rules: &'a Rules,
    state: &'a S,
    tip: &'a Tip,
    time: Timestamp,
    overlay: Overlay,
    log: log::Frontier,
    /// The new nodes of each kept level of the log, one behind the other.
    nodes: BTreeMap<u8, Vec<u8>>,
    /// Where the new positions of the log are, one behind the other.
    spots: Vec<u8>,
    /// The new links of subjects' histories: how many there were before, how many come before the last one, and that.
    links: BTreeMap<Hash, (u64, u64, Link)>,
    writes: Vec<Write>,
    transactions: Vec<&'t Transaction>,
    bytes: usize,
    operations: usize,
}

impl<'a, 't, S: State> Draft<'a, 't, S> {
    /// An empty block after `tip`, at `time`.
    #[must_use]
    pub fn new(rules: &'a Rules, state: &'a S, tip: &'a Tip, time: Timestamp) -> Self {
        Self {
            rules,
            state,
            tip,
            time,
            overlay: Overlay::default(),
            log: tip.log.clone(),
            nodes: BTreeMap::new(),
            spots: Vec::new(),
            links: BTreeMap::new(),
            writes: Vec::new(),
            transactions: Vec::new(),
            bytes: 0,
            operations: 0,
        }
    }

    /// Whether a transaction of so many bytes and operations still fits.
    #[must_use]
    pub fn has_room(&self, bytes: usize, operations: usize) -> bool {
        self.rules.has_room(self.bytes + bytes, self.operations + operations)
    }

    /// Executes a transaction of so many bytes, whose signature has been checked.
    ///
    /// # Errors
    /// The rule it breaks; the draft is as it was.
    pub fn push(&mut self, tx: &'t Verified, bytes: usize) -> Result<(), Rejection> {
        let next = self.tip.height.next();
        let at = self.tip.moment();
        let effects = judge(self.rules, self.state, &self.overlay, at, self.log.size(), tx)?;
        let (id, tx) = (tx.id(), tx.get());
        let place = Place {
            height: next,
            index: count(self.transactions.len()),
            positions: effects.records.iter().map(|(_, position, _)| *position).collect(),
        };
        let mut nodes = Vec::new();
        for (index, (record, position, new)) in effects.records.iter().enumerate() {
            if !new {
                continue;
            }
            let (position, record) = (*position, *record);
            let entry = Entry {
                position,
                height: next,
                time: self.time,
                tx: id,
                index: count(index),
                record,
            };
            self.log.append(entry.leaf(), &mut nodes);
            let spot = Spot { height: next, tx: place.index, index: count(index) };
            let at = position.to_be_bytes();
            self.put(Column::Records, record.as_bytes(), at.to_vec());
            self.spots.extend_from_slice(&spot.to_bytes());
            let document = &tx.operations[index].commitment.document;
            self.put(Column::Documents, &document_key(document, position), Vec::new());
        }
        for (level, _, node) in nodes {
            if level % TILE_LEVELS == 0 {
                self.nodes.entry(level).or_default().extend_from_slice(&node.0);
            }
        }
        for (key, sequence, link) in &effects.links {
            let known = self.links.get(key).map_or(*sequence, |(known, ..)| *known);
            let last = (known, *sequence, *link);
            if let Some((_, sequence, link)) = self.links.insert(*key, last) {
                self.put(Column::History, &history_key(key, sequence), codec::encode(&link));
            }
        }
        self.put(Column::Transactions, id.as_bytes(), codec::encode(&place));
        self.overlay.absorb(effects);
        self.bytes += bytes;
        self.operations += tx.operations.len();
        self.transactions.push(tx);
        Ok(())
    }

    fn put(&mut self, column: Column, key: &[u8], value: Vec<u8>) {
        self.writes.push(Write { column, key: key.to_vec(), value: Some(value) });
    }

    /// The last link of a subject's history. The one that was the last before this block becomes one of the others.
    fn last_link(&mut self, key: &Hash) -> Option<Link> {
        match self.links.remove(key) {
            Some((0, _, link)) => Some(link),
            Some((known, _, link)) => {
                let before = Kept::read(self.state, &key.0).and_then(|kept| kept.last);
                let before = before.expect("a subject with records has a last one");
                self.put(Column::History, &history_key(key, known - 1), codec::encode(&before));
                Some(link)
            }
            None => Kept::read(self.state, &key.0).and_then(|kept| kept.last),
        }
    }

    /// The block of what was pushed, and its effects.
    #[must_use]
    ///
    /// # Panics
    /// Never: no rule makes a committee that is none.
    pub fn finish(self, proposer: u16) -> (Block, Outcome) {
        let transactions = self.transactions.iter().map(|tx| (*tx).clone()).collect();
        let (header, outcome) = self.seal(proposer);
        (Block { header, transactions }, outcome)
    }

    /// The header of what was pushed, and its effects.
    fn seal(mut self, proposer: u16) -> (Header, Outcome) {
        let next = self.tip.height.next();
        if self.tip.height == Height::GENESIS {
            // The first block takes what genesis says into the state map, under what its own transactions made of it.
            for (key, state) in self.rules.first() {
                self.overlay.subjects.entry(*key).or_insert_with(|| state.clone());
            }
        }
        let size = self.tip.log.size();
        self.writes.extend(SPOTS.append(self.state, size, &self.spots));
        for (level, nodes) in &self.nodes {
            self.writes.extend(tiles(*level).append(self.state, size >> level, nodes));
        }
        let digests =
            self.overlay.subjects.iter().map(|(key, state)| (*key, Some(state.digest()))).collect();
        let update = map::update(&Pages(self.state), &digests);
        for (path, page) in update.pages {
            self.writes.push(Write { column: Column::Map, key: path, value: page });
        }
        let subjects = core::mem::take(&mut self.overlay.subjects);
        let (mut governs, mut network) = (false, self.rules.network().clone());
        let mut changes = Vec::with_capacity(subjects.len());
        for (key, state) in subjects {
            let last = self.last_link(&key);
            self.put(Column::Subjects, &key.0, codec::encode(&(&state, last)));
            if is_authority(&state.subject) {
                governs = true;
                self.put(Column::Meta, &[AUTHORITY, &key.0].concat(), Vec::new());
            }
            if let Facts::Network(facts) = &state.facts {
                network.clone_from(facts);
            }
            if let Some(Some(digest)) = digests.get(&key) {
                changes.push(Change { key, subject: state.subject, digest: *digest });
            }
        }
        let committee = self.rules.committee();
        let after = NetworkFacts::committee(network.members_at(next.next()))
            .expect("no change makes a committee that is none");
        if self.tip.height == Height::GENESIS {
            self.put(Column::Committees, &next.0.to_be_bytes(), codec::encode(committee));
        }
        if after != *committee {
            self.put(Column::Committees, &next.next().0.to_be_bytes(), codec::encode(&after));
        }
        let (committee, next_committee) = (committee.digest(), after.digest());
        let header = Header {
            version: block::VERSION,
            chain: *self.rules.chain(),
            height: self.tip.height.next(),
            time: self.time,
            proposer,
            parent: self.tip.id,
            payload: Block::payload(self.transactions.iter().copied()),
            log_size: self.log.size(),
            log_root: self.log.root(),
            state_root: if digests.is_empty() { self.tip.state_root } else { update.root },
            committee,
            next_committee,
        };
        let at = header.height.0.to_be_bytes();
        if let Some(handover) = Handover::of(&header, self.rules.committee(), &after) {
            self.put(Column::Handovers, &at, codec::encode(&handover));
        }
        self.put(Column::Headers, &at, codec::encode(&header));
        for (index, tx) in core::mem::take(&mut self.transactions).into_iter().enumerate() {
            self.put(Column::Bodies, &body_key(header.height, count(index)), codec::encode(tx));
        }
        self.put(Column::Meta, TIP, at.to_vec());
        let id = header.id();
        let tip = Tip {
            height: header.height,
            id,
            time: header.time,
            state_root: header.state_root,
            log: self.log,
        };
        let outcome = Outcome { block: id, tip, writes: self.writes, governs, changes };
        (header, outcome)
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).expect("a block holds far fewer than 2^32 of anything")
}

/// A block of as many of `candidates` as fit, in order, and those that may not be committed, with the reason.
#[must_use]
pub fn propose<'t, S: State>(
    rules: &Rules,
    state: &S,
    tip: &Tip,
    now: Timestamp,
    proposer: u16,
    candidates: impl Iterator<Item = (&'t Verified, usize)>,
) -> (Block, Outcome, Vec<(TxId, Rejection)>) {
    let time = now.max(tip.time.plus(1));
    let mut draft = Draft::new(rules, state, tip, time);
    let mut refused = Vec::new();
    for (tx, bytes) in candidates {
        if !draft.has_room(bytes, tx.get().operations.len()) {
            break;
        }
        if let Err(rejection) = draft.push(tx, bytes) {
            refused.push((tx.id(), rejection));
        }
    }
    let (block, outcome) = draft.finish(proposer);
    (block, outcome, refused)
}

/// Executes a proposed block and compares every field of its header with what it must be.
///
/// `known` answers with the transaction if this node has checked that very signature before. No clock is asked: whether a
/// proposal is timely is each validator's vote, and not a property of the block.
///
/// # Errors
/// The first thing that is wrong with it.
///
/// # Panics
/// Never: a header that passes is the one we would have made.
pub fn validate<'k, S: State>(
    rules: &Rules,
    state: &S,
    tip: &Tip,
    block: &Block,
    known: impl Fn(&Transaction) -> Option<&'k Verified>,
) -> Result<Outcome, Invalid> {
    let header = &block.header;
    if header.time <= tip.time {
        return Err(Invalid::Early { time: header.time, parent: tip.time });
    }
    if rules.committee().seat(header.proposer).is_none() {
        return Err(Invalid::Header { field: "proposer" });
    }
    // What a wrong header costs us is little: all that does not follow from execution is compared before it.
    let committee = rules.committee().digest();
    for (field, same) in [
        ("version", header.version == block::VERSION),
        ("chain", header.chain == *rules.chain()),
        ("height", header.height == tip.height.next()),
        ("parent", header.parent == tip.id),
        ("payload", header.payload == Block::payload(&block.transactions)),
        ("committee", header.committee == committee),
    ] {
        if !same {
            return Err(Invalid::Header { field });
        }
    }
    let refuse = |index| move |rejection| Invalid::Transaction { index, rejection };
    let (mut bytes, mut operations) = (0, 0);
    let mut checked = Vec::with_capacity(block.transactions.len());
    for (index, tx) in block.transactions.iter().enumerate() {
        let length = codec::length(tx);
        (bytes, operations) = (bytes + length, operations + tx.operations.len());
        if !rules.has_room(bytes, operations) {
            return Err(Invalid::Size);
        }
        let verified = match known(tx) {
            Some(verified) => Cow::Borrowed(verified),
            None => {
                let verified = tx.clone().verify(rules.chain());
                Cow::Owned(verified.map_err(|error| refuse(index)(error.into()))?)
            }
        };
        checked.push((verified, length));
    }
    let mut draft = Draft::new(rules, state, tip, header.time);
    for (index, (verified, length)) in checked.iter().enumerate() {
        draft.push(verified, *length).map_err(refuse(index))?;
    }
    let (ours, outcome) = draft.seal(header.proposer);
    if ours.log_size != header.log_size {
        return Err(Invalid::Header { field: "log size" });
    }
    if ours.next_committee != header.next_committee {
        return Err(Invalid::Header { field: "next committee" });
    }
    for (field, ours, theirs) in [
        ("log root", ours.log_root, header.log_root),
        ("state root", ours.state_root, header.state_root),
    ] {
        if ours != theirs {
            let changes = outcome.changes;
            return Err(Invalid::Diverges { field, ours, theirs, changes });
        }
    }
    assert_eq!(ours, *header, "every field was compared");
    Ok(outcome)
}

/// All that an agreed block changes.
///
/// # Panics
/// When the outcome is of another block: the caller has mixed up its blocks.
#[must_use]
pub fn commit(certified: Certified, outcome: Outcome) -> Commit {
    assert_eq!(
        certified.block().id(),
        outcome.block,
        "an outcome belongs to the block it was computed from"
    );
    let mut writes = outcome.writes;
    writes.push(Write {
        column: Column::Certificates,
        key: certified.height().0.to_be_bytes().to_vec(),
        value: Some(codec::encode(certified.certificate())),
    });
    Commit::new(certified, writes)
}
