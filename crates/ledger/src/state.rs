//! Where the ledger's facts rest: columns of bytes, whoever keeps them.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};
use types::Certified;

/// The families of keys. Each is a column family of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    /// Height (8 bytes, big-endian) → block header.
    Headers,
    /// Height and index in the block (4 bytes, big-endian) → transaction.
    Bodies,
    /// Height → certificate.
    Certificates,
    /// Transaction id → where it was committed.
    Transactions,
    /// Record id → its position in the log.
    Records,
    /// A zero and position / 64 (8 bytes, big-endian) → where up to 64 records are, 16 bytes each.
    Positions,
    /// Subject key → its state, and the last link of its history.
    Subjects,
    /// Subject key and sequence number (8 bytes, big-endian) → link of its history, but for the last one.
    History,
    /// Path → page of the state map.
    Map,
    /// Level / 5 (1 byte) and index / 32 (8 bytes, big-endian) → up to 32 nodes of the history log, of one level.
    Log,
    /// The first half of a document's digest and position (8 bytes, big-endian) → nothing: which records may commit to it.
    Documents,
    /// First height (8 bytes, big-endian) → the committee that decides from there on.
    Committees,
    /// Height (8 bytes, big-endian) of a block that hands over to another committee → what proofs need of it.
    Handovers,
    /// Single values: the tip; and which subjects say who may do what.
    Meta,
}

impl Column {
    /// Every column.
    pub const ALL: [Self; 14] = [
        Self::Headers,
        Self::Bodies,
        Self::Certificates,
        Self::Transactions,
        Self::Records,
        Self::Positions,
        Self::Subjects,
        Self::History,
        Self::Map,
        Self::Log,
        Self::Documents,
        Self::Committees,
        Self::Handovers,
        Self::Meta,
    ];

    /// Its name on disk.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Headers => "headers",
            Self::Bodies => "bodies",
            Self::Certificates => "certificates",
            Self::Transactions => "transactions",
            Self::Records => "records",
            Self::Positions => "positions",
            Self::Subjects => "subjects",
            Self::History => "history",
            Self::Map => "map",
            Self::Log => "log",
            Self::Documents => "documents",
            Self::Committees => "committees",
            Self::Handovers => "handovers",
            Self::Meta => "meta",
        }
    }
}

/// What was committed, to be read. A read that fails is a fault of the machine and does not return.
pub trait State {
    /// The value under a key.
    fn get(&self, column: Column, key: &[u8]) -> Option<Vec<u8>>;

    /// The values under many keys: for whoever finds many more quickly together.
    fn get_many(&self, column: Column, keys: &[&[u8]]) -> Vec<Option<Vec<u8>>> {
        keys.iter().map(|key| self.get(column, key)).collect()
    }

    /// Says that all these keys will be asked for soon: whoever remembers may look for them together.
    fn foresee(&self, _column: Column, _keys: &[&[u8]]) {}

    /// Up to `limit` pairs from `from` (inclusive) on, in key order, as long as the key begins with `prefix`.
    fn scan(
        &self,
        column: Column,
        prefix: &[u8],
        from: &[u8],
        limit: usize,
    ) -> Vec<(Vec<u8>, Vec<u8>)>;
}

/// One change: the new value, or none to remove the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Where.
    pub column: Column,
    /// The key.
    pub key: Vec<u8>,
    /// The value.
    pub value: Option<Vec<u8>>,
}

/// All that a certified block changes, to be written as a whole or not at all.
#[derive(Clone, Debug)]
pub struct Commit {
    certified: Certified,
    writes: Vec<Write>,
}

impl Commit {
    pub(crate) const fn new(certified: Certified, writes: Vec<Write>) -> Self {
        Self { certified, writes }
    }

    /// The block, with its certificate.
    #[must_use]
    pub const fn certified(&self) -> &Certified {
        &self.certified
    }

    /// The changes, certificate included.
    #[must_use]
    pub fn writes(&self) -> &[Write] {
        &self.writes
    }
}

/// A state in memory: for tests, for the simulator, and as the overlay of a block under execution.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory(BTreeMap<(Column, Vec<u8>), Vec<u8>>);

impl Memory {
    /// Applies changes.
    pub fn write(&mut self, writes: &[Write]) {
        for Write { column, key, value } in writes {
            match value {
                Some(value) => self.0.insert((*column, key.clone()), value.clone()),
                None => self.0.remove(&(*column, key.clone())),
            };
        }
    }
}

impl State for Memory {
    fn get(&self, column: Column, key: &[u8]) -> Option<Vec<u8>> {
        self.0.get(&(column, key.to_vec())).cloned()
    }

    fn scan(
        &self,
        column: Column,
        prefix: &[u8],
        from: &[u8],
        limit: usize,
    ) -> Vec<(Vec<u8>, Vec<u8>)> {
        let start = if from > prefix { from } else { prefix };
        self.0
            .range((column, start.to_vec())..)
            .take_while(|((c, key), _)| *c == column && key.starts_with(prefix))
            .take(limit)
            .map(|((_, key), value)| (key.clone(), value.clone()))
            .collect()
    }
}

/// A state in memory that one reads while another writes it, as a replica and its disk do, on one thread.
#[derive(Clone, Debug, Default)]
pub struct SharedMemory(Rc<RefCell<Memory>>);

impl SharedMemory {
    /// Applies changes, for all who hold it.
    pub fn write(&self, writes: &[Write]) {
        self.0.borrow_mut().write(writes);
    }
}

impl State for SharedMemory {
    fn get(&self, column: Column, key: &[u8]) -> Option<Vec<u8>> {
        self.0.borrow().get(column, key)
    }

    fn scan(
        &self,
        column: Column,
        prefix: &[u8],
        from: &[u8],
        limit: usize,
    ) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.0.borrow().scan(column, prefix, from, limit)
    }
}

impl<S: State + ?Sized> State for &S {
    fn get(&self, column: Column, key: &[u8]) -> Option<Vec<u8>> {
        (**self).get(column, key)
    }

    fn get_many(&self, column: Column, keys: &[&[u8]]) -> Vec<Option<Vec<u8>>> {
        (**self).get_many(column, keys)
    }

    fn foresee(&self, column: Column, keys: &[&[u8]]) {
        (**self).foresee(column, keys);
    }

    fn scan(
        &self,
        column: Column,
        prefix: &[u8],
        from: &[u8],
        limit: usize,
    ) -> Vec<(Vec<u8>, Vec<u8>)> {
        (**self).scan(column, prefix, from, limit)
    }
}

impl<S: State + ?Sized> State for std::sync::Arc<S> {
    fn get(&self, column: Column, key: &[u8]) -> Option<Vec<u8>> {
        (**self).get(column, key)
    }

    fn get_many(&self, column: Column, keys: &[&[u8]]) -> Vec<Option<Vec<u8>>> {
        (**self).get_many(column, keys)
    }

    fn foresee(&self, column: Column, keys: &[&[u8]]) {
        (**self).foresee(column, keys);
    }

    fn scan(
        &self,
        column: Column,
        prefix: &[u8],
        from: &[u8],
        limit: usize,
    ) -> Vec<(Vec<u8>, Vec<u8>)> {
        (**self).scan(column, prefix, from, limit)
    }
}
