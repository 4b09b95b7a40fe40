//! What can be checked of a ledger that dropped bodies, and so cannot be executed again.
//!
//! From genesis on: every certificate with the committee that the chain itself names, every link, and the log, whose leaves
//! are made anew from headers and indexes and whose root each header has. At the last block: the state map, made anew of all
//! subjects, with its root; every history, with the end its subject's state has; every index that these reach. Of the blocks
//! whose bodies are here: the bodies, with their signatures. What it cannot show is that the rules were kept in the blocks
//! without bodies: for that stands, as for anybody who holds a proof, the quorum that signed them.

use crate::{
    execute::{
        AUTHORITY, DOCUMENT_BYTES, Handover, Kept, Pages, Place, SPOTS, TILE_LEVELS, document_key,
        history_key, spot, tiles,
    },
    govern::is_authority,
    query,
    retention::kept_from,
    rules::Rules,
    state::{Column, State, Write},
};
use proof::{log, map};
use std::collections::{BTreeMap, BTreeSet};
use types::{
    Block, BlockId, Certificate, Committee, Entry, Hash, Header, Height, RecordId, SubjectState,
    Transaction, TxId,
    codec::{self, Wire},
    subject::Link,
};

/// The columns that an audit makes anew, to be compared key by key with those of the ledger.
pub const MADE_ANEW: [Column; 5] =
    [Column::Log, Column::Positions, Column::Map, Column::Committees, Column::Handovers];

/// How many keys are read, and leaves gathered, at a time.
const PAGE: usize = 1024;

/// What an audit looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Audited {
    /// Blocks whose header, certificate and log were checked.
    pub blocks: u64,
    /// Blocks of those whose body was, too.
    pub bodies: u64,
    /// Records in the log.
    pub records: u64,
    /// Keys that were read of indexes, subjects and histories.
    pub keys: u64,
}

/// Checks a ledger without executing it. What it makes anew it hands to `write`, to be read back from `scratch`, which is
/// empty; each fault is told to `tell`. `rules` are those of genesis.
///
/// It takes about 100 bytes of memory a record.
///
/// # Errors
/// Those of `write`.
pub fn audit<E>(
    rules: &Rules,
    state: &impl State,
    scratch: &impl State,
    write: impl FnMut(&[Write]) -> Result<(), E>,
    tell: impl FnMut(String),
    progress: impl FnMut(Height, Height),
) -> Result<Audited, E> {
    let indexes = Indexes::default();
    let mut audit =
        Audit { rules, state, scratch, write, tell, indexes, audited: Audited::default() };
    audit.read_indexes();
    let Some(last) = audit.chain(progress)? else { return Ok(audit.audited) };
    audit.subjects(&last)?;
    audit.rest(&last);
    Ok(audit.audited)
}

/// The indexes the other way round.
#[derive(Debug, Default)]
struct Indexes {
    /// The record at each position.
    records: Vec<Option<RecordId>>,
    /// The transaction at each place, in order.
    transactions: Vec<((Height, u32), TxId)>,
}

impl Indexes {
    fn record(&self, position: u64) -> Option<RecordId> {
        *self.records.get(usize::try_from(position).ok()?)?
    }

    fn transaction(&self, height: Height, index: u32) -> Option<TxId> {
        let place = (height, index);
        let at = self.transactions.binary_search_by_key(&place, |(found, _)| *found).ok()?;
        Some(self.transactions.get(at)?.1)
    }
}

struct Audit<'a, S, R, W, T> {
    rules: &'a Rules,
    state: &'a S,
    scratch: &'a R,
    write: W,
    tell: T,
    indexes: Indexes,
    audited: Audited,
}

/// What is made anew of the log since it was last written.
struct Growing {
    frontier: log::Frontier,
    /// The size of the log at the last writing.
    written: u64,
    nodes: BTreeMap<u8, Vec<u8>>,
    spots: Vec<u8>,
}

fn read<T: Wire>(state: &impl State, column: Column, key: &[u8]) -> Option<T> {
    codec::decode(&state.get(column, key)?).ok()
}

/// Every pair of a column under a prefix, in order.
fn each(state: &impl State, column: Column, prefix: &[u8], mut with: impl FnMut(&[u8], &[u8])) {
    let mut from = Vec::new();
    loop {
        let pairs = state.scan(column, prefix, &from, PAGE);
        for (key, value) in &pairs {
            with(key, value);
        }
        let Some((last, _)) = pairs.last().filter(|_| pairs.len() == PAGE) else { return };
        from = [last.as_slice(), &[0]].concat();
    }
}

impl<S, R, W, T, E> Audit<'_, S, R, W, T>
where
    S: State,
    R: State,
    W: FnMut(&[Write]) -> Result<(), E>,
    T: FnMut(String),
{
    fn read_indexes(&mut self) {
        let Self { state, tell, indexes, audited, .. } = self;
        let size = query::header(*state, query::height(*state)).map_or(0, |last| last.log_size);
        indexes.records = vec![None; usize::try_from(size).unwrap_or(0)];
        each(*state, Column::Records, &[], |key, value| {
            audited.keys += 1;
            let position = value.try_into().map(u64::from_be_bytes).ok();
            let slot = position
                .and_then(|position| usize::try_from(position).ok())
                .and_then(|at| indexes.records.get_mut(at));
            match (slot, <[u8; 32]>::try_from(key)) {
                (Some(slot), Ok(id)) if slot.is_none() => *slot = Some(RecordId(Hash(id))),
                _ => tell(format!("records: {} is not where it says", codec::hex(key))),
            }
        });
        each(*state, Column::Transactions, &[], |key, value| {
            audited.keys += 1;
            match (codec::decode::<Place>(value), <[u8; 32]>::try_from(key)) {
                (Ok(place), Ok(id)) => {
                    // What is committed holds a record at least that is new with it.
                    let own = |at: &u64| {
                        spot(*state, *at).is_some_and(|spot| {
                            (spot.height, spot.tx) == (place.height, place.index)
                        })
                    };
                    if !place.positions.iter().any(own) {
                        tell(format!("transactions: {} has no record", codec::hex(key)));
                    }
                    indexes.transactions.push(((place.height, place.index), TxId(Hash(id))));
                }
                _ => tell(format!("transactions: the value of {} is damaged", codec::hex(key))),
            }
        });
        indexes.transactions.sort_unstable();
    }

    /// From genesis to the last block: its header, or nothing if the chain is broken before it.
    fn chain(&mut self, mut progress: impl FnMut(Height, Height)) -> Result<Option<Header>, E> {
        let (tip, kept) = (query::height(self.state), kept_from(self.state));
        let mut committee = self.rules.committee().clone();
        let first = Height::GENESIS.next();
        self.put(Column::Committees, &first.0.to_be_bytes(), codec::encode(&committee))?;
        let mut before: Option<Header> = None;
        let mut log = Growing {
            frontier: log::Frontier::new(),
            written: 0,
            nodes: BTreeMap::new(),
            spots: Vec::new(),
        };
        let mut height = first;
        while height <= tip {
            let found = self.block(height, &committee, before.as_ref());
            let found = found.and_then(|header| self.grow(&mut log, &header).map(|()| header));
            let header = match found {
                Ok(header) => header,
                Err(what) => {
                    (self.tell)(format!("block {height}: {what}"));
                    return Ok(None);
                }
            };
            self.audited.blocks += 1;
            if height >= kept {
                if let Err(what) = self.body(&header) {
                    (self.tell)(format!("block {height}: {what}"));
                }
                self.audited.bodies += 1;
            }
            if header.next_committee != header.committee {
                let at = height.next().0.to_be_bytes();
                let next = read::<Committee>(self.state, Column::Committees, &at)
                    .filter(|next| next.digest() == header.next_committee);
                let Some(next) = next else {
                    (self.tell)(format!(
                        "block {height}: the committee after it is missing or damaged"
                    ));
                    return Ok(None);
                };
                self.put(Column::Committees, &at, codec::encode(&next))?;
                if let Some(handover) = Handover::of(&header, &committee, &next) {
                    self.put(Column::Handovers, &height.0.to_be_bytes(), codec::encode(&handover))?;
                }
                committee = next;
            }
            if log.frontier.size() - log.written >= PAGE as u64 || height == tip {
                self.keep(&mut log)?;
            }
            if height.0.is_multiple_of(100) {
                progress(height, tip);
            }
            before = Some(header);
            height = height.next();
        }
        self.audited.records = log.frontier.size();
        Ok(before)
    }

    /// The header at a height, certified and linked.
    fn block(
        &self,
        height: Height,
        committee: &Committee,
        before: Option<&Header>,
    ) -> Result<Header, String> {
        let at = height.0.to_be_bytes();
        let missing = |what| format!("its {what} is missing or cannot be read");
        let header: Header =
            read(self.state, Column::Headers, &at).ok_or_else(|| missing("header"))?;
        let certificate: Certificate =
            read(self.state, Column::Certificates, &at).ok_or_else(|| missing("certificate"))?;
        let chain = self.rules.chain();
        let parent = before.map_or_else(BlockId::default, Header::id);
        let time = before.map_or_else(|| self.rules.genesis_time(), |before| before.time);
        let size = before.map_or(0, |before| before.log_size);
        for (what, holds) in [
            ("its height is another", header.height == height),
            ("it is of another chain", header.chain == *chain),
            ("it does not follow the block before", header.parent == parent),
            ("its time is not after the block before", header.time > time),
            ("its log is shorter than the one before", header.log_size >= size),
            ("it is of another committee", header.committee == committee.digest()),
            (
                "its certificate is of another block",
                certificate.block == header.id() && certificate.height == height,
            ),
        ] {
            if !holds {
                return Err(what.to_owned());
            }
        }
        certificate.verify(chain, committee).map_err(|error| error.to_string())?;
        Ok(header)
    }

    /// Makes the leaves of a block anew, and compares the log's root with what the header says.
    fn grow(&self, log: &mut Growing, header: &Header) -> Result<(), String> {
        let mut nodes = Vec::new();
        for position in log.frontier.size()..header.log_size {
            let entry = self.entry(position, header).ok_or_else(|| {
                format!(
                    "what the indexes say of record {position} of the log is missing or damaged"
                )
            })?;
            log.frontier.append(entry.leaf(), &mut nodes);
            log.spots.extend_from_slice(
                &spot(self.state, position).expect("the entry was made of it").to_bytes(),
            );
        }
        for (level, _, node) in nodes {
            if level % TILE_LEVELS == 0 {
                log.nodes.entry(level).or_default().extend_from_slice(&node.0);
            }
        }
        if log.frontier.root() != header.log_root {
            return Err(format!(
                "the log made anew of headers and indexes has root {}, the header says {}",
                log.frontier.root(),
                header.log_root
            ));
        }
        Ok(())
    }

    fn entry(&self, position: u64, header: &Header) -> Option<Entry> {
        let spot = spot(self.state, position).filter(|spot| spot.height == header.height)?;
        Some(Entry {
            position,
            height: spot.height,
            time: header.time,
            tx: self.indexes.transaction(spot.height, spot.tx)?,
            index: spot.index,
            record: self.indexes.record(position)?,
        })
    }

    /// Writes what is made anew of the log.
    fn keep(&mut self, log: &mut Growing) -> Result<(), E> {
        let mut writes = SPOTS.append(self.scratch, log.written, &core::mem::take(&mut log.spots));
        for (level, nodes) in core::mem::take(&mut log.nodes) {
            writes.extend(tiles(level).append(self.scratch, log.written >> level, &nodes));
        }
        log.written = log.frontier.size();
        (self.write)(&writes)
    }

    /// The body of a block is what the header says, signed, and found by its documents.
    fn body(&self, header: &Header) -> Result<(), String> {
        let at = header.height.0.to_be_bytes();
        let mut transactions: Vec<Transaction> = Vec::new();
        for (_, bytes) in self.state.scan(Column::Bodies, &at, &at, usize::MAX) {
            transactions.push(codec::decode(&bytes).map_err(|error| format!("its body: {error}"))?);
        }
        if Block::payload(&transactions) != header.payload {
            return Err("its body is not the one that was agreed on".to_owned());
        }
        for (index, transaction) in (0..).zip(transactions) {
            let id = transaction.id();
            let place: Option<Place> = read(self.state, Column::Transactions, id.as_bytes());
            let place = place.filter(|place| (place.height, place.index) == (header.height, index));
            let Some(place) = place else {
                return Err(format!("transaction {id} is not found by its name"));
            };
            let agency = transaction.header.agency;
            for (position, operation) in place.positions.iter().zip(&transaction.operations) {
                let record = operation.record(&agency);
                if self.indexes.record(*position) != Some(record) {
                    return Err(format!("record {record} is not at position {position}"));
                }
                let document = document_key(&operation.commitment.document, *position);
                let is_here = spot(self.state, *position).map(|spot| (spot.height, spot.tx))
                    == Some((header.height, index));
                if is_here && self.state.get(Column::Documents, &document).is_none() {
                    return Err(format!("record {record} is not found by its document"));
                }
            }
            if place.positions.len() != transaction.operations.len() {
                return Err(format!("transaction {id} has not as many records as it says"));
            }
            transaction
                .verify(self.rules.chain())
                .map_err(|error| format!("transaction {id}: {error}"))?;
        }
        Ok(())
    }

    /// The map made anew of all subjects, and their histories.
    fn subjects(&mut self, last: &Header) -> Result<(), E> {
        let (mut from, mut links, mut authority) = (Vec::new(), 0, BTreeSet::new());
        loop {
            let pairs = self.state.scan(Column::Subjects, &[], &from, PAGE);
            let mut digests = BTreeMap::new();
            for (key, value) in &pairs {
                self.audited.keys += 1;
                let found = codec::decode::<Kept>(value).ok();
                let found = found.filter(|found| found.state.subject.key().0 == key[..]);
                let Some(Kept { state: found, last }) = found else {
                    (self.tell)(format!("subjects: the value of {} is damaged", codec::hex(key)));
                    continue;
                };
                digests.insert(found.subject.key(), Some(found.digest()));
                if is_authority(&found.subject) {
                    authority.insert([AUTHORITY, key].concat());
                }
                links += self.history(&found, last);
            }
            let update = map::update(&Pages(self.scratch), &digests);
            let page = |(key, value)| Write { column: Column::Map, key, value };
            (self.write)(&update.pages.into_iter().map(page).collect::<Vec<_>>())?;
            let Some((key, _)) = pairs.last().filter(|_| pairs.len() == PAGE) else { break };
            from = [key.as_slice(), &[0]].concat();
        }
        let root = map::root(&Pages(self.scratch));
        if root != last.state_root {
            (self.tell)(format!(
                "subjects: the state map made anew of them has root {root}, block {} says {}",
                last.height, last.state_root
            ));
        }
        let mut there = 0_u64;
        each(self.state, Column::History, &[], |_, _| there += 1);
        self.audited.keys += there;
        if there != links {
            (self.tell)(format!("history: {there} links, of which {links} are of a subject"));
        }
        let mut named = BTreeSet::new();
        each(self.state, Column::Meta, AUTHORITY, |key, _| {
            named.insert(key.to_vec());
        });
        if named != authority {
            (self.tell)("meta: the list of those who say who may do what is damaged".to_owned());
        }
        Ok(())
    }

    /// Follows a subject's history to the end that its state has, and says how many links there are beside its last.
    fn history(&mut self, found: &SubjectState, last: Option<Link>) -> u64 {
        let key = found.subject.key();
        let (mut head, mut count, mut latest, mut whole) = (Hash::ZERO, 0, None, true);
        let mut follow = |link: Option<Link>| {
            match link.filter(|link| self.indexes.record(link.position) == Some(link.record)) {
                Some(link) => (head, latest) = (link.extend(&head), Some(link.position)),
                None => whole = false,
            }
            count += 1;
        };
        let mut others = 0;
        each(self.state, Column::History, &key.0, |at, value| {
            follow(codec::decode(value).ok().filter(|_| at == history_key(&key, others)));
            others += 1;
        });
        if last.is_some() {
            follow(last);
        }
        let latest = latest.unwrap_or(found.latest);
        if !whole || (head, count, latest) != (found.head, found.records, found.latest) {
            (self.tell)(format!("history: that of {} is damaged", found.subject));
        }
        others
    }

    /// What neither chain, log nor map reach.
    fn rest(&mut self, last: &Header) {
        let state = self.state;
        let (tip, kept) = (query::height(state), kept_from(state).0.to_be_bytes());
        let Self { tell, audited, .. } = self;
        // Each record has one key, whatever document it begins with.
        let mut waiting = vec![true; usize::try_from(last.log_size).unwrap_or(0)];
        each(state, Column::Documents, &[], |key, value| {
            audited.keys += 1;
            let position = key.get(DOCUMENT_BYTES..).and_then(|position| position.try_into().ok());
            let position = position.and_then(|it| usize::try_from(u64::from_be_bytes(it)).ok());
            match position.and_then(|at| waiting.get_mut(at)) {
                Some(waits) if *waits && value.is_empty() => *waits = false,
                _ => tell(format!("documents: {} should not be there", codec::hex(key))),
            }
        });
        let missing = waiting.iter().filter(|waits| **waits).count();
        if missing > 0 {
            tell(format!("documents: {missing} records are not found by their document"));
        }
        let after = tip.next().0.to_be_bytes();
        for column in [Column::Headers, Column::Certificates, Column::Bodies] {
            let behind = state.scan(column, &[], &after, 1);
            let dropped = state.scan(Column::Bodies, &[], &[], 1);
            let dropped = dropped.into_iter().filter(|(key, _)| key[..] < kept[..]);
            let dropped = dropped.filter(|_| column == Column::Bodies);
            for (key, _) in behind.into_iter().chain(dropped) {
                let (name, key) = (column.name(), codec::hex(&key));
                (self.tell)(format!("{name}: {key} should not be there"));
            }
        }
    }

    fn put(&mut self, column: Column, key: &[u8], value: Vec<u8>) -> Result<(), E> {
        (self.write)(&[Write { column, key: key.to_vec(), value: Some(value) }])
    }
}
