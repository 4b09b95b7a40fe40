//! The promise `accepted`: on this node's disk before it is said, put forward again after a restart, and told how it ended.

use super::{Body, Ended, Submission};
use crate::metrics::Metrics;
use ledger::{Rejection, query};
use replica::{Event, Ticket};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
};
use store::{
    Fault, Store, Waiting,
    waiting::{ENDINGS_KEPT, Entry, Kind, Recalled},
};
use tokio::sync::oneshot;
use types::{ChainId, Height, Transaction, TxId, Verified, codec};

/// How many refusals are remembered of transactions that nobody gave us here: a neighbour did.
const REFUSALS_KEPT: usize = 10_000;
/// How many bytes of submissions may wait to be synced; more are told to try again.
const UNSYNCED_BYTES: usize = 16 << 20;
/// What a submission takes up beside its bytes.
const OVERHEAD_BYTES: usize = 256;
/// One sync covers so many submissions at most, or who came first would wait for who came last …
const BATCH_NOTES: usize = 1024;
/// … and so many bytes, more or less.
const BATCH_BYTES: usize = 2 << 20;
/// How many of those that were recalled are put forward before votes are heard again.
const RECALLED_AT_ONCE: usize = 32;
/// How many blocks are waited for what a recalled transaction may build on: it may lie in a neighbour's pool.
const BLOCKS_OF_DOUBT: u64 = 2;

/// Why a transaction will not be committed, as it is told, today or after a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The code, for ever.
    pub code: String,
    /// The same in words.
    pub detail: String,
}

impl From<&Rejection> for Reason {
    fn from(rejection: &Rejection) -> Self {
        Self { code: rejection.code().to_owned(), detail: rejection.to_string() }
    }
}

impl Reason {
    /// Code and words, with a line break between them: a code has none.
    fn encode(&self) -> Vec<u8> {
        format!("{}\n{}", self.code, self.detail).into_bytes()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (code, detail) = str::from_utf8(bytes).ok()?.split_once('\n')?;
        Some(Self { code: code.to_owned(), detail: detail.to_owned() })
    }
}

/// The last refusals, and not more.
#[derive(Debug)]
struct Last {
    by_id: BTreeMap<TxId, Reason>,
    order: VecDeque<TxId>,
    max: usize,
}

impl Last {
    const fn new(max: usize) -> Self {
        Self { by_id: BTreeMap::new(), order: VecDeque::new(), max }
    }

    fn add(&mut self, id: TxId, reason: Reason) {
        if self.by_id.insert(id, reason).is_none() {
            self.order.push_back(id);
        }
        while self.order.len() > self.max {
            if let Some(oldest) = self.order.pop_front() {
                self.by_id.remove(&oldest);
            }
        }
    }

    fn remove(&mut self, id: &TxId) {
        if self.by_id.remove(id).is_some() {
            self.order.retain(|other| other != id);
        }
    }
}

/// Why transactions were refused after they were accepted. What a neighbour gave us does not crowd out what was accepted
/// here.
#[derive(Debug)]
pub(super) struct Refusals {
    ours: Last,
    others: Last,
}

impl Default for Refusals {
    fn default() -> Self {
        Self { ours: Last::new(ENDINGS_KEPT), others: Last::new(REFUSALS_KEPT) }
    }
}

impl Refusals {
    pub(super) fn get(&self, id: &TxId) -> Option<&Reason> {
        self.ours.by_id.get(id).or_else(|| self.others.by_id.get(id))
    }

    fn remove(&mut self, id: &TxId) {
        self.ours.remove(id);
        self.others.remove(id);
    }
}

/// What is told to the thread that remembers, in the order in which it happened.
enum Note {
    /// Remember this, and only then give the answer. Nothing to remember if the bytes are none: it was noted before.
    Accepted(TxId, Option<Vec<u8>>, oneshot::Sender<Result<TxId, Rejection>>),
    /// It will not be committed.
    Ended(TxId, Reason),
    /// They are in the ledger.
    Committed(Vec<TxId>),
}

/// The way to the thread that remembers. The replica's thread does not wait for it: what it was told is proposed already
/// while it is being synced, and only the application's answer waits.
pub(super) struct Keeper {
    notes: mpsc::Sender<Note>,
    unsynced: Arc<AtomicUsize>,
    /// What was accepted here and is not decided.
    ours: BTreeSet<TxId>,
    failed: oneshot::Receiver<Fault>,
}

impl Keeper {
    /// Starts the thread.
    fn start(
        waiting: Waiting,
        ours: BTreeSet<TxId>,
        metrics: Arc<Metrics>,
    ) -> std::io::Result<Self> {
        let (notes, told) = mpsc::channel();
        let (fail, failed) = oneshot::channel();
        let unsynced = Arc::new(AtomicUsize::new(0));
        let counter = unsynced.clone();
        std::thread::Builder::new().name("keeper".into()).spawn(move || {
            if let Err(fault) = keep(waiting, &told, &counter, &metrics) {
                fail.send(fault).unwrap_or(());
                // Whoever still waits for an answer gets none: nothing more is promised.
            }
        })?;
        Ok(Self { notes, unsynced, ours, failed })
    }

    /// Whether more may be accepted now.
    fn has_room(&self) -> bool {
        self.unsynced.load(Ordering::Relaxed) < UNSYNCED_BYTES
    }

    fn accepted(
        &mut self,
        id: TxId,
        bytes: Vec<u8>,
        answer: oneshot::Sender<Result<TxId, Rejection>>,
    ) {
        let bytes = self.ours.insert(id).then_some(bytes);
        self.unsynced.fetch_add(size(bytes.as_deref()), Ordering::Relaxed);
        self.tell(Note::Accepted(id, bytes, answer));
    }

    /// Whether it was one of ours.
    fn ended(&mut self, id: TxId, reason: &Reason) -> bool {
        let ours = self.ours.remove(&id);
        if ours {
            self.tell(Note::Ended(id, reason.clone()));
        }
        ours
    }

    fn committed(&mut self, ids: impl Iterator<Item = TxId>) {
        let ids: Vec<_> = ids.filter(|id| self.ours.remove(id)).collect();
        if !ids.is_empty() {
            self.tell(Note::Committed(ids));
        }
    }

    fn tell(&self, note: Note) {
        // It ends before us only when the disk failed, which ends us, too; an answer in the note is then dropped.
        self.notes.send(note).unwrap_or(());
    }
}

fn size(bytes: Option<&[u8]>) -> usize {
    OVERHEAD_BYTES + bytes.map_or(0, <[u8]>::len)
}

/// Remembers what is told: all that has come while the last sync was under way with one sync.
fn keep(
    mut waiting: Waiting,
    told: &mpsc::Receiver<Note>,
    unsynced: &AtomicUsize,
    metrics: &Metrics,
) -> Result<(), Fault> {
    while let Ok(first) = told.recv() {
        let (mut entries, mut answers, mut committed) = (Vec::new(), Vec::new(), Vec::new());
        let (mut notes, mut bytes, mut done) = (0, 0, 0);
        let mut next = Some(first);
        while let Some(note) = next {
            notes += 1;
            match note {
                Note::Accepted(id, transaction, answer) => {
                    done += size(transaction.as_deref());
                    if let Some(transaction) = transaction {
                        bytes += transaction.len();
                        entries.push(Entry { id, kind: Kind::Waits, bytes: transaction });
                    }
                    answers.push((id, answer));
                }
                Note::Ended(id, reason) => {
                    entries.push(Entry { id, kind: Kind::Ended, bytes: reason.encode() });
                }
                Note::Committed(ids) => committed.extend(ids),
            }
            next = (notes < BATCH_NOTES && bytes < BATCH_BYTES)
                .then(|| told.try_recv().ok())
                .flatten();
        }
        if !entries.is_empty() {
            let started = crate::clock::instant();
            waiting.append(&entries)?;
            metrics.accepted_seconds.observe(started.elapsed().as_secs_f64());
        }
        for id in committed {
            waiting.forget(&id);
        }
        metrics.accepted.inc_by(u64::try_from(answers.len()).unwrap_or(u64::MAX));
        unsynced.fetch_sub(done, Ordering::Relaxed);
        for (id, answer) in answers {
            // Whoever asked may have gone; the transaction stays.
            answer.send(Ok(id)).unwrap_or(());
        }
    }
    Ok(())
}

/// Who waits for what the replica makes of a transaction.
pub(super) enum Asker {
    /// An application, and what is to be remembered before it is answered.
    Application(Vec<u8>, oneshot::Sender<Result<TxId, Rejection>>),
    /// We do: it was accepted before this process began.
    Ourselves(Box<Forward>),
}

/// A transaction on its way to the replica.
#[derive(Debug)]
pub(super) struct Forward {
    id: TxId,
    tx: Verified,
    /// Nobody, if it was accepted before this process began.
    answer: Option<oneshot::Sender<Result<TxId, Rejection>>>,
    /// Not before this block.
    from: Height,
    /// Whether a refusal counts.
    last: bool,
}

impl Forward {
    /// An application's, that had to wait.
    pub(super) fn held(tx: Verified, answer: oneshot::Sender<Result<TxId, Rejection>>) -> Self {
        let id = tx.id();
        Self { id, tx, answer: Some(answer), from: Height::GENESIS, last: true }
    }

    /// Puts back what the replica refused at this height, if it may take it later. Says whether it may.
    fn put_back(mut self, why: &Rejection, height: Height, queue: &mut VecDeque<Self>) -> bool {
        if why.is_passing() {
            // What was accepted is not dropped because others came first. It stays in front, and all wait with it: one of them
            // may build on it, and would be refused for good.
            self.from = height.next();
            queue.push_front(self);
            return true;
        }
        let doubtful = !self.last && !matches!(why, Rejection::Expired { .. });
        if doubtful {
            (self.from, self.last) = (height.plus(BLOCKS_OF_DOUBT), true);
            queue.push_back(self);
        }
        doubtful
    }
}

/// What a directory remembers of what was accepted in it.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) refused: Refusals,
    /// What waits, in the order in which it was accepted.
    pub(super) waiting: VecDeque<Forward>,
    entries: Vec<Entry>,
}

impl Memory {
    /// Reads it. What the ledger has meanwhile is let go, and so is what is no longer what was signed.
    pub(super) fn read(store: &Store, chain: &ChainId) -> Result<Self, Fault> {
        let Recalled { entries, damaged } = Waiting::read(store.directory(), chain)?;
        if damaged > 0 {
            tracing::warn!(
                damaged,
                "the file of accepted transactions is damaged: those in the damaged places are forgotten here, the \
                 others are not; check the disk, and let applications submit again what they find unknown"
            );
        }
        let mut memory = Self::default();
        for entry in entries {
            let id = entry.id;
            if query::place(store, &id).is_some() {
                continue;
            }
            match entry.kind {
                Kind::Ended => {
                    let Some(reason) = Reason::decode(&entry.bytes) else { continue };
                    memory.refused.ours.add(id, reason);
                }
                Kind::Waits => {
                    let decoded = codec::decode::<Transaction>(&entry.bytes).ok();
                    let verified = decoded.and_then(|tx| tx.verify(chain).ok());
                    let Some(tx) = verified.filter(|tx| tx.id() == id) else {
                        tracing::warn!(tx = %id, "accepted once, and no longer readable: forgotten");
                        continue;
                    };
                    let from = Height::GENESIS;
                    let forward = Forward { id, tx, answer: None, from, last: false };
                    memory.waiting.push_back(forward);
                }
            }
            memory.entries.push(entry);
        }
        Ok(memory)
    }

    /// Writes the file anew, with what still counts, and goes on from there.
    pub(super) fn keep(
        self,
        store: &Store,
        chain: &ChainId,
        metrics: Arc<Metrics>,
    ) -> Result<(Keeper, VecDeque<Forward>, Refusals), Ended> {
        let waiting = Waiting::begin(store.directory(), chain, &self.entries)?;
        if !self.waiting.is_empty() {
            let transactions = self.waiting.len();
            tracing::info!(transactions, "accepted before, to be proposed again");
        }
        let ours = self.waiting.iter().map(|forward| forward.id).collect();
        let no_thread = |error| consensus::Stuck(format!("no thread for the keeper: {error}"));
        let keeper = Keeper::start(waiting, ours, metrics).map_err(no_thread)?;
        Ok((keeper, self.waiting, self.refused))
    }

    /// What a ledger that is only read can still tell.
    pub(super) fn told(self) -> (BTreeSet<TxId>, Refusals) {
        (self.waiting.iter().map(|forward| forward.id).collect(), self.refused)
    }
}

impl Body {
    /// Gives the replica what an application submits together, until one finds no room.
    pub(super) fn submit_all(
        &mut self,
        lot: Vec<Submission>,
        crowded: &AtomicBool,
    ) -> Result<(), Ended> {
        for (tx, answer) in lot {
            if crowded.load(Ordering::Relaxed) {
                answer.send(Err(Rejection::Full)).unwrap_or(());
                continue;
            }
            self.crowded = false;
            self.submit(tx, answer)?;
            if self.crowded {
                crowded.store(true, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// Gives the replica what an application submits.
    fn submit(
        &mut self,
        tx: Verified,
        answer: oneshot::Sender<Result<TxId, Rejection>>,
    ) -> Result<(), Ended> {
        // A node that only recovers its ledger takes nothing: it would judge by a state of long ago.
        if !self.keeper.as_ref().is_some_and(Keeper::has_room) {
            self.metrics.refused(Rejection::Full.code());
            self.crowded = true;
            answer.send(Err(Rejection::Full)).unwrap_or(());
            return Ok(());
        }
        let bytes = codec::encode(tx.get());
        self.ask(tx, Asker::Application(bytes, answer))
    }

    fn ask(&mut self, tx: Verified, asker: Asker) -> Result<(), Ended> {
        self.next_ticket += 1;
        let ticket = Ticket(self.next_ticket);
        self.answers.insert(ticket, asker);
        self.feed(Event::Submitted(ticket, tx))
    }

    /// What the replica makes of a submission.
    pub(super) fn answer(&mut self, ticket: Ticket, answer: Result<TxId, Rejection>) {
        let Some(asker) = self.answers.remove(&ticket) else { return };
        match (asker, answer) {
            (Asker::Application(bytes, asker), Ok(id)) => {
                self.refused.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
                if let Some(keeper) = &mut self.keeper {
                    keeper.accepted(id, bytes, asker);
                }
            }
            (Asker::Application(_, asker), Err(rejection)) => {
                self.metrics.refused(rejection.code());
                self.crowded = rejection.is_passing();
                asker.send(Err(rejection)).unwrap_or(());
            }
            (Asker::Ourselves(_), Ok(_)) => {}
            (Asker::Ourselves(forward), Err(Rejection::Committed(_))) => {
                self.settled(core::iter::once(forward.id));
            }
            (Asker::Ourselves(forward), Err(rejection)) => {
                let (id, height) = (forward.id, self.replica.height());
                if !forward.put_back(&rejection, height, &mut self.forward) {
                    self.refuse(id, &rejection);
                }
            }
        }
    }

    /// A transaction that was accepted, here or by a neighbour, will not be committed.
    pub(super) fn refuse(&mut self, id: TxId, rejection: &Rejection) {
        self.metrics.refused(rejection.code());
        let reason = Reason::from(rejection);
        for watcher in self.watchers.remove(&id).unwrap_or_default() {
            watcher.send(super::refused_receipt(id, &reason)).unwrap_or(());
        }
        let ours = self.keeper.as_mut().is_some_and(|keeper| keeper.ended(id, &reason));
        let mut refusals = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let place = if ours { &mut refusals.ours } else { &mut refusals.others };
        place.add(id, reason);
    }

    /// These are in the ledger.
    pub(super) fn settled(&mut self, ids: impl Iterator<Item = TxId>) {
        if let Some(keeper) = &mut self.keeper {
            keeper.committed(ids);
        }
    }

    /// Whether it waits, in the pool or to be put there.
    pub(super) fn is_waiting(&self, id: &TxId) -> bool {
        self.replica.is_pending(id) || self.forward.iter().any(|forward| forward.id == *id)
    }

    /// Whether something that was accepted before can be put forward now. Not while this node knows itself to be behind:
    /// what its ledger does not have yet it may build on, or be overtaken by.
    pub(super) fn may_forward(&mut self) -> bool {
        let Some(first) = self.forward.front() else { return false };
        if first.from > self.replica.height() || self.room.shortage().is_some() {
            return false;
        }
        let status = self.replica.status();
        status.highest <= status.tip.height.next()
    }

    /// Puts some of it forward.
    pub(super) fn put_forward(&mut self) -> Result<(), Ended> {
        for _ in 0..RECALLED_AT_ONCE {
            if !self.may_forward() {
                break;
            }
            let Some(mut forward) = self.forward.pop_front() else { break };
            let tx = forward.tx.clone();
            match forward.answer.take() {
                Some(answer) => self.submit(tx, answer)?,
                None => self.ask(tx, Asker::Ourselves(Box::new(forward)))?,
            }
        }
        Ok(())
    }
}

/// Ends when the thread that remembers has failed.
pub(super) async fn failed(keeper: Option<&mut Keeper>) -> Fault {
    let Some(keeper) = keeper else { return core::future::pending().await };
    match (&mut keeper.failed).await {
        Ok(fault) => fault,
        Err(_) => Fault::Failed { first: "the thread that syncs what is accepted is gone".into() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::{SUBMISSIONS_AT_ONCE, Unaccepted, hand_over};
    use types::{
        AgencyCode, Digest, Hash, Operation, SecretKey, Timestamp,
        operation::{Action, Commitment, EventType, Grade, Provenance, TraceEvent},
    };

    const CHAIN: ChainId = ChainId(Hash([7; 32]));

    fn operation() -> Operation {
        Operation {
            action: Action::Trace(TraceEvent {
                event: EventType::Object,
                id: None,
                time: Timestamp(0),
                step: None,
                lots: Vec::new(),
                cbv_hash: None,
                corrects: None,
            }),
            commitment: Commitment {
                document: Digest::blake3(b"document"),
                content: Digest::blake3(b"content"),
                fields: None,
            },
            effective_from: Timestamp(0),
            grade: Grade::Public,
            provenance: Provenance {
                system: "test".parse().unwrap(),
                version: "1".parse().unwrap(),
                captured_at: Timestamp(0),
            },
        }
    }

    /// The n-th transaction that was accepted before.
    fn recalled(n: u64, last: bool) -> Forward {
        let agency = AgencyCode::new("91350100M000100Y43").unwrap();
        let secret = SecretKey::from_seed([1; 32]);
        let tx = Transaction::sign(CHAIN, agency, &secret, n, Height(900), vec![operation()]);
        let tx = tx.verify(&CHAIN).unwrap();
        Forward { id: tx.id(), tx, answer: None, from: Height::GENESIS, last }
    }

    #[test]
    fn what_waits_for_room_is_not_overtaken_by_what_may_build_on_it() {
        // The first of two is refused at height 7. What then waits, from which height on, and whether a refusal counts.
        let expired = Rejection::Expired { valid_until: Height(3), next: Height(8) };
        for (why, last, expected) in [
            (Rejection::Quota, false, "1 from 8, 2 from 0"),
            (Rejection::Full, false, "1 from 8, 2 from 0"),
            (Rejection::Full, true, "1 from 8!, 2 from 0"),
            (Rejection::Recorded, false, "2 from 0, 1 from 9!"),
            (Rejection::Recorded, true, "2 from 0, refused"),
            (expired, false, "2 from 0, refused"),
        ] {
            let mut queue = VecDeque::from([recalled(2, false)]);
            let again = recalled(1, last).put_back(&why, Height(7), &mut queue);
            let spell = |Forward { tx, from, last, .. }: &Forward| {
                let mark = if *last { "!" } else { "" };
                format!("{} from {from}{mark}", tx.get().header.nonce)
            };
            let mut found: Vec<String> = queue.iter().map(spell).collect();
            if !again {
                found.push("refused".to_owned());
            }
            assert_eq!(found.join(", "), expected, "{why:?}");
        }
    }

    #[tokio::test]
    async fn what_the_replica_had_when_it_ended_is_undecided_and_not_refused() {
        let (asks, mut asked) = tokio::sync::mpsc::channel(1);
        let txs = (0..).take(SUBMISSIONS_AT_ONCE + 1).map(|n| recalled(n, false).tx);
        let txs: Vec<_> = txs.collect();
        // There is room for one lot; the thread has it, and ends.
        let ends = async move { drop(asked.recv().await) };
        let (answers, ()) = tokio::join!(hand_over(&asks, txs.clone()), ends);
        let full: Result<TxId, _> = Err(Unaccepted::Refused(Rejection::Full));
        let had = txs[..SUBMISSIONS_AT_ONCE].iter();
        let mut wanted: Vec<_> = had.map(|tx| Err(Unaccepted::Undecided(tx.id()))).collect();
        wanted.push(full.clone());
        assert_eq!(answers, wanted);
        // Nobody is there to have anything.
        assert_eq!(hand_over(&asks, txs[..1].to_vec()).await, [full]);
    }

    #[test]
    fn a_reason_is_told_after_a_restart_as_it_was_before() {
        let rejection = Rejection::Expired { valid_until: Height(3), next: Height(4) };
        let reason = Reason::from(&rejection);
        assert_eq!(reason.code, "E-TX-EXPIRED");
        assert_eq!(Reason::decode(&reason.encode()), Some(reason));
        assert_eq!(Reason::decode(b"no line break"), None);
    }
}
