//! The store as its one writer reads it: what was looked up or written of late is answered from memory.

use crate::store::Store;
use hashlink::LruCache;
use ledger::{Column, State, Write};
use std::{borrow::Borrow, cell::RefCell, fmt, hash::Hash, sync::Arc};

/// How many answers are kept of each column that is asked by name. A block and the pool behind it ask some ten thousand
/// questions of each, most of which are answered with nothing.
const NAMED_MAX: usize = 1 << 15;
/// Levels of the state map's pages of which all are kept, half a kilobyte each: 69,905 pages, what a block changes of them but
/// the lowest up to ten million keys.
const UPPER_LEVELS: usize = 5;
/// … and how many pages in them.
const UPPER_MAX: usize = ((1 << (4 * UPPER_LEVELS)) - 1) / 15;
/// How many pages below are kept: what a block of new keys touches it does not touch again, and among so many that it reads
/// and writes the upper ones would be forgotten.
const LOWER_MAX: usize = 1 << 13;

/// A [`Store`] of which one thread reads and writes. That is what makes it true: nobody else writes, and the writer tells
/// it what is written, so that it never answers with less than what is committed.
///
/// A transaction is judged when it is admitted and again in its block; the second time, and for the pages of the state
/// map, RocksDB would search its memtables and filters for what was found, or found missing, a moment ago.
pub struct Cached {
    store: Arc<Store>,
    transactions: Answers<[u8; 32]>,
    records: Answers<[u8; 32]>,
    subjects: Answers<[u8; 32]>,
    upper: Answers<Vec<u8>>,
    lower: Answers<Vec<u8>>,
}

type Answers<K> = RefCell<LruCache<K, Option<Vec<u8>>>>;

impl fmt::Debug for Cached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cached").field("store", &self.store).finish_non_exhaustive()
    }
}

impl Cached {
    /// Nothing is remembered yet.
    #[must_use]
    pub fn new(store: Arc<Store>) -> Self {
        let named = || RefCell::new(LruCache::new(NAMED_MAX));
        let pages = |most| RefCell::new(LruCache::new(most));
        let (upper, lower) = (pages(UPPER_MAX), pages(LOWER_MAX));
        Self { store, transactions: named(), records: named(), subjects: named(), upper, lower }
    }

    const fn pages(&self, path: &[u8]) -> &Answers<Vec<u8>> {
        if path.len() < UPPER_LEVELS { &self.upper } else { &self.lower }
    }

    /// Tells it what was committed. To be called after every commit, before anything is read.
    pub fn committed(&self, writes: &[Write]) {
        for Write { column, key, value } in writes {
            if let Some(answers) = self.named(*column) {
                // What was found missing is there now, and is seldom asked for again.
                answers.borrow_mut().remove(&key[..]);
            } else if *column == Column::Map {
                self.pages(key).borrow_mut().insert(key.clone(), value.clone());
            }
        }
    }

    /// The answers of a column whose keys are hashes, and which execution asks again for what admission asked.
    const fn named(&self, column: Column) -> Option<&Answers<[u8; 32]>> {
        match column {
            Column::Transactions => Some(&self.transactions),
            Column::Records => Some(&self.records),
            Column::Subjects => Some(&self.subjects),
            // The end of a row is read once a block, everything else by those who ask about the past.
            Column::Map
            | Column::Log
            | Column::Positions
            | Column::Headers
            | Column::Bodies
            | Column::Certificates
            | Column::History
            | Column::Documents
            | Column::Committees
            | Column::Handovers
            | Column::Meta => None,
        }
    }
}

impl State for Cached {
    fn get(&self, column: Column, key: &[u8]) -> Option<Vec<u8>> {
        let ask = || self.store.get(column, key);
        if column == Column::Map {
            return remembered(self.pages(key), key, || Some(key.to_vec()), ask);
        }
        match self.named(column) {
            Some(answers) => remembered(answers, key, || key.try_into().ok(), ask),
            None => ask(),
        }
    }

    fn get_many(&self, column: Column, keys: &[&[u8]]) -> Vec<Option<Vec<u8>>> {
        if column == Column::Map {
            let pages = |key: &[u8]| self.pages(key);
            return remembered_of_many(
                keys,
                pages,
                |key| Some(key.to_vec()),
                |missing| self.store.get_many(column, missing),
            );
        }
        match self.named(column) {
            Some(answers) => remembered_of_many(
                keys,
                |_| answers,
                |key| key.try_into().ok(),
                |missing| self.store.get_many(column, missing),
            ),
            None => self.store.get_many(column, keys),
        }
    }

    fn foresee(&self, column: Column, keys: &[&[u8]]) {
        drop(self.get_many(column, keys));
    }

    fn scan(
        &self,
        column: Column,
        prefix: &[u8],
        from: &[u8],
        limit: usize,
    ) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.store.scan(column, prefix, from, limit)
    }
}

/// What is remembered of a key, or what asking tells, to be remembered.
fn remembered<K: Borrow<[u8]> + Eq + Hash>(
    answers: &Answers<K>,
    key: &[u8],
    own: impl FnOnce() -> Option<K>,
    ask: impl FnOnce() -> Option<Vec<u8>>,
) -> Option<Vec<u8>> {
    if let Some(answer) = answers.borrow_mut().get(key) {
        return answer.clone();
    }
    let answer = ask();
    if let Some(key) = own() {
        answers.borrow_mut().insert(key, answer.clone());
    }
    answer
}

/// What is remembered of many keys, and of the others what asking for them together tells, to be remembered.
fn remembered_of_many<'a, K: Borrow<[u8]> + Eq + Hash + 'a>(
    keys: &[&[u8]],
    answers: impl Fn(&[u8]) -> &'a Answers<K>,
    own: impl Fn(&[u8]) -> Option<K>,
    ask: impl FnOnce(&[&[u8]]) -> Vec<Option<Vec<u8>>>,
) -> Vec<Option<Vec<u8>>> {
    let known = |key: &&[u8]| answers(key).borrow_mut().get(*key).cloned();
    let known: Vec<Option<Option<Vec<u8>>>> = keys.iter().map(known).collect();
    let missing = keys.iter().zip(&known).filter(|(_, known)| known.is_none());
    let missing: Vec<&[u8]> = missing.map(|(key, _)| *key).collect();
    let mut found = if missing.is_empty() { Vec::new() } else { ask(&missing) }.into_iter();
    let answer = |(key, known): (&&[u8], Option<Option<Vec<u8>>>)| {
        known.unwrap_or_else(|| {
            let answer = found.next().flatten();
            if let Some(own) = own(key) {
                answers(key).borrow_mut().insert(own, answer.clone());
            }
            answer
        })
    };
    keys.iter().zip(known).map(answer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fault;
    use ledger::Memory;
    use proptest::prelude::*;
    use types::ChainId;

    fn die(fault: &Fault) -> ! {
        panic!("{fault}");
    }

    fn column() -> impl Strategy<Value = Column> {
        prop::sample::select(&Column::ALL[..])
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn it_answers_as_memory_does(steps in prop::collection::vec(
            (column(), 0u8..4, prop::option::of(0u8..9), any::<bool>()), 0..60,
        )) {
            let home = tempfile::tempdir().unwrap();
            let store = Arc::new(crate::open(home.path(), &ChainId(types::Hash([7; 32])), die).unwrap());
            let (cached, mut memory) = (Cached::new(store.clone()), Memory::default());
            for (column, key, value, writes) in steps {
                let key = vec![key; 32];
                if writes {
                    let value = value.map(|value| vec![value]);
                    let writes = [Write { column, key: key.clone(), value }];
                    store.write(&writes).unwrap();
                    cached.committed(&writes);
                    memory.write(&writes);
                }
                // Of what is asked together some is remembered, some twice, some not there.
                let keys: Vec<Vec<u8>> =
                    [9, 2, key[0], 3, 2, 0].map(|byte| vec![byte; 32]).to_vec();
                let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
                prop_assert_eq!(cached.get_many(column, &keys), memory.get_many(column, &keys));
                prop_assert_eq!(store.get_many(column, &keys), memory.get_many(column, &keys));
                prop_assert_eq!(cached.get(column, &key), memory.get(column, &key));
                prop_assert_eq!(cached.scan(column, &[], &[], 9), memory.scan(column, &[], &[], 9));
            }
        }
    }

    #[test]
    fn what_it_remembers_is_bounded() {
        let home = tempfile::tempdir().unwrap();
        let store =
            Arc::new(crate::open(home.path(), &ChainId(types::Hash([7; 32])), die).unwrap());
        let cached = Cached::new(store);
        for key in 0..(NAMED_MAX.max(UPPER_MAX).max(LOWER_MAX) as u64 + 1000) {
            let name = [&key.to_be_bytes()[..], &[0; 24]].concat();
            assert_eq!(cached.get(Column::Records, &name), None);
            cached.foresee(Column::Subjects, &[&name]);
            assert_eq!(cached.get(Column::Map, &name), None);
            assert_eq!(cached.get_many(Column::Map, &[&name[4..8]]), [None]);
        }
        assert_eq!(cached.records.borrow().len(), NAMED_MAX);
        assert_eq!(cached.subjects.borrow().len(), NAMED_MAX);
        assert_eq!(cached.lower.borrow().len(), LOWER_MAX);
        assert_eq!(cached.upper.borrow().len(), UPPER_MAX);
    }
}
