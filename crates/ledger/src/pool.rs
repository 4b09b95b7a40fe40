//! What waits to be proposed: admitted once, in order, against the state as it will be when its turn comes.

mod turns;

pub use turns::Turns;

use crate::{
    execute::Tip,
    judge::{self, Effects, Overlay, judge, judge_as},
    rejection::Rejection,
    rules::Rules,
    state::State,
};
use std::collections::{BTreeMap, BTreeSet};
use types::{Hash, Height, PublicKey, RecordId, TxId, Verified, authority::Moment, codec};

/// How much may wait. Local to a node: no two need agree.
///
/// Of one key as much may wait as there is room left. One that floods thus has half of the pool, two a third each, and n of
/// them leave an n-plus-first part to those who do not; nothing that was admitted is ever taken out to make room.
#[derive(Clone, Copy, Debug)]
pub struct PoolLimits {
    /// Transactions in all.
    pub transactions_max: usize,
    /// Their bytes in all.
    pub bytes_max: usize,
}

impl Default for PoolLimits {
    fn default() -> Self {
        Self { transactions_max: 20_000, bytes_max: 64 << 20 }
    }
}

/// Transactions in the order of their arrival.
#[derive(Debug, Default)]
pub struct Pool {
    limits: PoolLimits,
    next: u64,
    bytes: usize,
    operations: usize,
    pending: BTreeMap<u64, Pending>,
    by_id: BTreeMap<TxId, u64>,
    by_subject: BTreeMap<Hash, BTreeSet<u64>>,
    by_deadline: BTreeSet<(Height, u64)>,
    /// How many of each key's transactions wait, and their bytes.
    by_key: BTreeMap<PublicKey, (usize, usize)>,
    /// What the pending transactions will have made of their subjects, each admitted on top of those before it.
    overlay: Overlay,
}

#[derive(Debug)]
struct Pending {
    tx: Verified,
    bytes: usize,
    /// What it changes, and what it would change if records it repeats were not there.
    subjects: Vec<Hash>,
    /// The records that are new with it.
    records: Vec<RecordId>,
}

impl Pool {
    /// An empty pool.
    #[must_use]
    pub fn new(limits: PoolLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// How many transactions wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// Whether at least one part in `parts` of a block's operations waits.
    #[must_use]
    pub fn fills(&self, parts: usize, rules: &Rules) -> bool {
        !rules.has_room(0, self.operations * parts)
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// The transaction with an id, if it waits here.
    #[must_use]
    pub fn get(&self, id: &TxId) -> Option<&Verified> {
        self.by_id.get(id).and_then(|at| self.pending.get(at)).map(|pending| &pending.tx)
    }

    /// What waits, first come first, each with its size in bytes.
    pub fn iter(&self) -> impl Iterator<Item = (&Verified, usize)> {
        self.pending.values().map(|pending| (&pending.tx, pending.bytes))
    }

    /// The same in the order in which it is proposed: one transaction of each key in turn.
    #[must_use]
    pub fn turns(&self) -> Turns<'_> {
        Turns::new(self)
    }

    /// What the waiting transactions will have made of the state.
    #[cfg(test)]
    pub(crate) const fn overlay(&self) -> &Overlay {
        &self.overlay
    }

    /// Admits a transaction. One that waits already is admitted again at no cost.
    ///
    /// # Errors
    /// The rule it breaks, in the state after everything that waits; or that there is no room.
    pub fn admit(
        &mut self,
        rules: &Rules,
        state: &impl State,
        tip: &Tip,
        tx: Verified,
    ) -> Result<TxId, Rejection> {
        let id = tx.id();
        if self.by_id.contains_key(&id) {
            return Ok(id);
        }
        let (bytes, operations) = (codec::length(tx.get()), tx.get().operations.len());
        if !rules.has_room(bytes, operations) {
            // It would stand at the head of the queue until its deadline, and everything else behind it.
            return Err(Rejection::Size { bytes, operations });
        }
        self.room(&tx, bytes)?;
        let next = tip.moment();
        let agency = judge::enter(rules, state, next, &tx)?;
        if !judge::is_small(&tx) {
            judge::foresee(state, [&tx]);
        }
        let effects = judge_as(agency, rules, state, &self.overlay, next, u64::MAX >> 1, &tx)?;
        let at = self.next;
        self.next += 1;
        self.insert(at, tx, bytes, effects);
        Ok(id)
    }

    /// Whether there is room for `bytes` more of a transaction's key.
    fn room(&self, tx: &Verified, bytes: usize) -> Result<(), Rejection> {
        if self.pending.len() >= self.limits.transactions_max
            || self.bytes + bytes > self.limits.bytes_max
        {
            return Err(Rejection::Full);
        }
        let (waiting, waiting_bytes) =
            self.by_key.get(&tx.get().header.key).copied().unwrap_or_default();
        if waiting >= self.limits.transactions_max - self.pending.len()
            || waiting_bytes + bytes > self.limits.bytes_max - self.bytes
        {
            return Err(Rejection::Quota);
        }
        Ok(())
    }

    /// Says what the state will be asked for when these are admitted, of those that are small and come many together: the
    /// others are looked into one by one.
    pub fn foresee(&self, rules: &Rules, state: &impl State, tip: &Tip, txs: &[Verified]) {
        let is_judged = |tx: &&Verified| {
            judge::is_small(tx)
                && !self.by_id.contains_key(&tx.id())
                && self.room(tx, 0).is_ok()
                && judge::enter(rules, state, tip.moment(), tx).is_ok()
        };
        judge::foresee(state, txs.iter().filter(is_judged));
    }

    /// Takes out what was committed or has expired, and judges again whatever the block may have overtaken.
    ///
    /// If the rules are `amended`, that is everything. Returns those that are now refused, with the reason.
    pub fn settle(
        &mut self,
        rules: &Rules,
        state: &impl State,
        tip: &Tip,
        (committed, touched): (&[TxId], &[Hash]),
        amended: bool,
    ) -> Vec<(TxId, Rejection)> {
        let next = tip.height.next();
        let mut refused = Vec::new();
        let mut stale: BTreeSet<Hash> = touched.iter().copied().collect();
        for id in committed {
            if let Some(at) = self.by_id.get(id).copied() {
                stale.extend(self.remove(at).subjects);
            }
        }
        if amended {
            stale.extend(self.by_subject.keys());
        }
        while let Some((valid_until, at)) = self.by_deadline.first().copied()
            && valid_until < next
        {
            let expired = self.remove(at);
            stale.extend(expired.subjects);
            refused.push((expired.tx.id(), Rejection::Expired { valid_until, next }));
        }
        self.judge_again(rules, state, tip.moment(), stale, &mut refused);
        refused
    }

    /// Drops transactions that execution refused. Returns those that are now refused for want of them.
    pub fn discard(
        &mut self,
        rules: &Rules,
        state: &impl State,
        tip: &Tip,
        ids: &[TxId],
    ) -> Vec<(TxId, Rejection)> {
        let (mut stale, mut refused) = (BTreeSet::new(), Vec::new());
        for id in ids {
            if let Some(at) = self.by_id.get(id).copied() {
                stale.extend(self.remove(at).subjects);
            }
        }
        self.judge_again(rules, state, tip.moment(), stale, &mut refused);
        refused
    }

    /// Judges again, in their order, all transactions that share a subject with `stale` or with another such one.
    fn judge_again(
        &mut self,
        rules: &Rules,
        state: &impl State,
        at: Moment,
        mut stale: BTreeSet<Hash>,
        refused: &mut Vec<(TxId, Rejection)>,
    ) {
        let mut affected = BTreeSet::new();
        let mut work: Vec<Hash> = stale.iter().copied().collect();
        while let Some(subject) = work.pop() {
            for at in self.by_subject.get(&subject).into_iter().flatten() {
                if affected.insert(*at) {
                    let more = &self.pending[at].subjects;
                    work.extend(more.iter().filter(|subject| stale.insert(**subject)));
                }
            }
        }
        for subject in &stale {
            self.overlay.subjects.remove(subject);
        }
        let again: Vec<Pending> = affected.iter().map(|at| self.remove(*at)).collect();
        for (order, Pending { tx, bytes, .. }) in affected.into_iter().zip(again) {
            let operations = tx.get().operations.len();
            if !rules.has_room(bytes, operations) {
                refused.push((tx.id(), Rejection::Size { bytes, operations }));
                continue;
            }
            match judge(rules, state, &self.overlay, at, u64::MAX >> 1, &tx) {
                Ok(effects) => self.insert(order, tx, bytes, effects),
                Err(rejection) => refused.push((tx.id(), rejection)),
            }
        }
    }

    fn insert(&mut self, at: u64, tx: Verified, bytes: usize, effects: Effects) {
        let subjects: BTreeSet<Hash> =
            effects.subjects.keys().chain(&effects.spared).copied().collect();
        let new = effects.records.iter().filter(|(.., new)| *new);
        let records = new.map(|(record, ..)| *record).collect();
        self.overlay.absorb(effects);
        let header = &tx.get().header;
        self.bytes += bytes;
        self.operations += tx.get().operations.len();
        self.by_id.insert(tx.id(), at);
        self.by_deadline.insert((header.valid_until, at));
        let (waiting, waiting_bytes) = self.by_key.entry(header.key).or_default();
        *waiting += 1;
        *waiting_bytes += bytes;
        for subject in &subjects {
            self.by_subject.entry(*subject).or_default().insert(at);
        }
        let subjects = subjects.into_iter().collect();
        self.pending.insert(at, Pending { tx, bytes, subjects, records });
    }

    fn remove(&mut self, at: u64) -> Pending {
        let pending = self.pending.remove(&at).expect("the indexes name what is pending");
        let header = &pending.tx.get().header;
        self.bytes -= pending.bytes;
        self.operations -= pending.tx.get().operations.len();
        self.by_id.remove(&pending.tx.id());
        self.by_deadline.remove(&(header.valid_until, at));
        if let Some((waiting, waiting_bytes)) = self.by_key.get_mut(&header.key) {
            *waiting -= 1;
            *waiting_bytes -= pending.bytes;
            if *waiting == 0 {
                self.by_key.remove(&header.key);
            }
        }
        for subject in &pending.subjects {
            if let Some(set) = self.by_subject.get_mut(subject) {
                set.remove(&at);
                if set.is_empty() {
                    self.by_subject.remove(subject);
                }
            }
        }
        for record in &pending.records {
            self.overlay.records.remove(record);
        }
        pending
    }
}
