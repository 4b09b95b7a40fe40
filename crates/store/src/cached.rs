//! The store as its one writer reads it: what was looked up or written of late is answered from memory.

use crate::store::{Store, TOGETHER};
use hashlink::LruCache;
use ledger::{Column, State, Write};
use std::{borrow::Borrow, cell::RefCell, fmt, hash::Hash, sync::Arc};

/// How many answers are kept of each column that is asked by name. A block and the pool behind it ask some ten thousand
/// questions of each, most of which are answered with nothing.
const NAMED_MAX: usize = 1 << 15;
/// Levels of the state map's pages, from the root, that are all kept, half a kilobyte a page. Of ten million keys only the
/// lowest pages are below them.
const UPPER_LEVELS: usize = 5;
/// … and how many pages these levels have.
const UPPER_MAX: usize = ((1 << (4 * UPPER_LEVELS)) - 1) / 15;
/// How many pages below them are kept. A block of new keys seldom touches one again, and reads and writes so many that they
/// would push the upper ones out.
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

    /// Looks together for what is not remembered, and remembers it.
    fn learn<'a, K: Borrow<[u8]> + Eq + Hash + 'a>(
        &self,
        column: Column,
        keys: &[&[u8]],
        answers: impl Fn(&[u8]) -> &'a Answers<K>,
        own: impl Fn(&[u8]) -> Option<K>,
    ) {
        let is_known = |key: &[u8]| answers(key).borrow().contains_key(key);
        let missing: Vec<&[u8]> = keys.iter().copied().filter(|key| !is_known(key)).collect();
        for (key, answer) in missing.iter().zip(self.store.get_many(column, &missing)) {
            if let Some(own) = own(key) {
                answers(key).borrow_mut().insert(own, answer);
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
        // So few at a time that none is forgotten before it is answered.
        let few = |keys: &[&[u8]]| -> Vec<_> {
            self.foresee(column, keys);
            keys.iter().map(|key| self.get(column, key)).collect()
        };
        keys.chunks(TOGETHER).flat_map(few).collect()
    }

    fn foresee(&self, column: Column, keys: &[&[u8]]) {
        if column == Column::Map {
            self.learn(column, keys, |path| self.pages(path), |path| Some(path.to_vec()));
        } else if let Some(answers) = self.named(column) {
            self.learn(column, keys, |_| answers, |key| key.try_into().ok());
        }
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
            (column(), 0u8..4, 0usize..3, prop::option::of(0u8..9), any::<bool>()), 0..60,
        )) {
            let home = tempfile::tempdir().unwrap();
            let store = Arc::new(crate::open(home.path(), &ChainId(types::Hash([7; 32])), die).unwrap());
            let (cached, mut memory) = (Cached::new(store.clone()), Memory::default());
            for (column, key, length, value, writes) in steps {
                let name = |byte: u8| vec![byte; [32, 4, 5][length]];
                let key = name(key);
                if writes {
                    let value = value.map(|value| vec![value]);
                    let writes = [Write { column, key: key.clone(), value }];
                    store.write(&writes).unwrap();
                    cached.committed(&writes);
                    memory.write(&writes);
                }
                // Of what is asked together some is remembered, some twice, some not there.
                let keys = [9, 2, key[0], 3, 2, 0].map(name);
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
        // Many lower pages push out no upper one, and more than are kept are answered all the same.
        let many: Vec<Vec<u8>> = (0..LOWER_MAX as u64 + 1000)
            .map(|key| [&key.to_be_bytes()[..], &[1; 24]].concat())
            .collect();
        let many: Vec<&[u8]> = many.iter().map(Vec::as_slice).collect();
        assert_eq!(cached.get_many(Column::Map, &many), vec![None; many.len()]);
        assert_eq!(cached.records.borrow().len(), NAMED_MAX);
        assert_eq!(cached.subjects.borrow().len(), NAMED_MAX);
        assert_eq!(cached.lower.borrow().len(), LOWER_MAX);
        assert_eq!(cached.upper.borrow().len(), UPPER_MAX);
    }
}
