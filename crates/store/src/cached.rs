//! The store as its one writer reads it: what was looked up or written of late is answered from memory.

use crate::store::Store;
use hashlink::LruCache;
use ledger::{Column, State, Write};
use std::{cell::RefCell, fmt, sync::Arc};

/// How many answers are kept. A block and the pool behind it ask some forty thousand different questions, most of which
/// are answered with nothing or a few hundred bytes.
const ANSWERS_MAX: usize = 1 << 16;

/// A [`Store`] of which one thread reads and writes. That is what makes it true: nobody else writes, and the writer tells
/// it what is written, so that it never answers with less than what is committed.
///
/// A transaction is judged when it is admitted and again in its block; the second time, and for the pages of the state
/// map, RocksDB would search its memtables and filters for what was found, or found missing, a moment ago.
pub struct Cached {
    store: Arc<Store>,
    answers: RefCell<LruCache<Question, Option<Vec<u8>>>>,
}

type Question = (Column, Vec<u8>);

impl fmt::Debug for Cached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cached").field("store", &self.store).finish_non_exhaustive()
    }
}

impl Cached {
    /// Nothing is remembered yet.
    #[must_use]
    pub fn new(store: Arc<Store>) -> Self {
        Self { store, answers: RefCell::new(LruCache::new(ANSWERS_MAX)) }
    }

    /// Tells it what was committed. To be called after every commit, before anything is read.
    pub fn committed(&self, writes: &[Write]) {
        let mut answers = self.answers.borrow_mut();
        for Write { column, key, value } in writes {
            if is_asked_again(*column) {
                answers.insert((*column, key.clone()), value.clone());
            }
        }
    }
}

impl State for Cached {
    fn get(&self, column: Column, key: &[u8]) -> Option<Vec<u8>> {
        if !is_asked_again(column) {
            return self.store.get(column, key);
        }
        let question = (column, key.to_vec());
        if let Some(answer) = self.answers.borrow_mut().get(&question) {
            return answer.clone();
        }
        let answer = self.store.get(column, key);
        self.answers.borrow_mut().insert(question, answer.clone());
        answer
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

/// Whether execution looks up what admission looked up, or one block what another wrote.
const fn is_asked_again(column: Column) -> bool {
    match column {
        Column::Transactions | Column::Records | Column::Subjects | Column::Map => true,
        // The end of a row is read once a block, everything else by those who ask about the past.
        Column::Log
        | Column::Positions
        | Column::Headers
        | Column::Bodies
        | Column::Certificates
        | Column::History
        | Column::Documents
        | Column::Committees
        | Column::Handovers
        | Column::Meta => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fault;
    use ledger::Memory;
    use proptest::prelude::*;
    use types::{ChainId, Hash};

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
            let store = Arc::new(crate::open(home.path(), &ChainId(Hash([7; 32])), die).unwrap());
            let (cached, mut memory) = (Cached::new(store.clone()), Memory::default());
            for (column, key, value, writes) in steps {
                let key = vec![key];
                if writes {
                    let value = value.map(|value| vec![value]);
                    let writes = [Write { column, key: key.clone(), value }];
                    store.write(&writes).unwrap();
                    cached.committed(&writes);
                    memory.write(&writes);
                }
                prop_assert_eq!(cached.get(column, &key), memory.get(column, &key));
                prop_assert_eq!(cached.scan(column, &[], &[], 9), memory.scan(column, &[], &[], 9));
            }
        }
    }

    #[test]
    fn what_it_remembers_is_bounded() {
        let home = tempfile::tempdir().unwrap();
        let store = Arc::new(crate::open(home.path(), &ChainId(Hash([7; 32])), die).unwrap());
        let cached = Cached::new(store);
        for key in 0..(ANSWERS_MAX as u64 + 1000) {
            assert_eq!(cached.get(Column::Records, &key.to_be_bytes()), None);
        }
        assert_eq!(cached.answers.borrow().len(), ANSWERS_MAX);
    }
}
