//! In which order what waits is proposed: key by key in turn, so that who brings much does not keep others waiting.

use super::{Pending, Pool};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use types::{PublicKey, Verified};

/// What waits, one transaction of each key in turn.
///
/// The keys come in the order in which their first transactions did. A transaction comes behind all that were admitted before
/// it and touch what it touches, whosever they are: it was judged on top of them, and may build on them.
#[derive(Debug)]
pub struct Turns<'p> {
    pool: &'p Pool,
    /// What each key has waiting, in order.
    queues: BTreeMap<PublicKey, VecDeque<u64>>,
    /// Whose turn it is, and whose it will be.
    turn: VecDeque<PublicKey>,
    given: BTreeSet<u64>,
    /// What comes before the next turn.
    ready: VecDeque<u64>,
}

impl<'p> Turns<'p> {
    pub(super) fn new(pool: &'p Pool) -> Self {
        let (mut queues, mut turn) = (BTreeMap::<_, VecDeque<_>>::new(), VecDeque::new());
        for (at, Pending { tx, .. }) in &pool.pending {
            let key = tx.get().header.key;
            let queue = queues.entry(key).or_insert_with(|| {
                turn.push_back(key);
                VecDeque::new()
            });
            queue.push_back(*at);
        }
        Self { pool, queues, turn, given: BTreeSet::new(), ready: VecDeque::new() }
    }

    /// Makes ready a transaction and, before it, all that it may build on and that was not given yet.
    fn make_ready(&mut self, at: u64) {
        let (mut wanted, mut work) = (BTreeSet::new(), vec![at]);
        while let Some(at) = work.pop() {
            if self.given.contains(&at) || !wanted.insert(at) {
                continue;
            }
            let subjects = self.pool.pending.get(&at).map(|pending| pending.subjects.as_slice());
            for subject in subjects.unwrap_or_default() {
                let sharing = self.pool.by_subject.get(subject);
                // The one before is enough: it leads to those before it.
                work.extend(sharing.and_then(|all| all.range(..at).next_back()));
            }
        }
        self.given.extend(&wanted);
        self.ready.extend(wanted);
    }
}

impl<'p> Iterator for Turns<'p> {
    type Item = (&'p Verified, usize);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(at) = self.ready.pop_front() {
                let pending = self.pool.pending.get(&at)?;
                return Some((&pending.tx, pending.bytes));
            }
            let key = self.turn.pop_front()?;
            let queue = self.queues.get_mut(&key)?;
            let Some(at) = queue.pop_front() else { continue };
            self.turn.push_back(key);
            self.make_ready(at);
        }
    }
}
