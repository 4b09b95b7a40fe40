//! The replica's body: one thread that feeds it events and performs its effects, in order and completely.

mod accepted;
mod quiet;

pub use accepted::Reason;
pub use quiet::Listening;

use crate::{
    clock,
    evidence::{self, Records},
    metrics::Metrics,
    room::Room,
    signstate::{Refusal, SignState},
};
use accepted::{Asker, Forward, Keeper, Memory, Refusals};
use client::api::{Fate, Receipt, Recorded};
use consensus::{Evidence, Place};
use ledger::{Commit, PoolLimits, Rejection, Rules, execute, query};
use network::{Inbound, Neighbour, Network};
use replica::{
    BLOCKS_SEARCHED, Effect, Elsewhere, Event, Listener, Offence, Replica, Status, Ticket, Unheard,
    Voter, Wake, receive,
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicBool},
    time::{Duration, Instant},
};
use store::{Cached, Store};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use types::{ChainId, Genesis, Height, SecretKey, Transaction, TxId, Verified, net::Peer};

/// How often an observer may be told something new between two blocks.
const PUBLISH_EVERY: Duration = Duration::from_millis(20);
/// How long an alarm is put off while there is no room.
const WITHOUT_ROOM_MS: u64 = 500;
/// A sync that takes longer than this is worth a look at the disk.
const SLOW: Duration = Duration::from_millis(250);
/// … but not more often than this.
const SLOW_TOLD_EVERY: Duration = Duration::from_secs(10);
/// A height that no chain reaches.
const FOR_GOOD: Height = Height(u64::MAX / 2);
/// How many submissions may wait for the replica's thread.
const SUBMISSIONS_WAITING: usize = 4096;
/// How many transactions the replica's thread takes from one application before it looks at what is urgent.
const SUBMISSIONS_AT_ONCE: usize = 16;
/// How many messages of the vote, and blocks under vote, may wait for it.
const URGENT_WAITING: usize = 8192;
/// How many other messages may.
const PATIENT_WAITING: usize = 1024;
/// How many bytes either may have together, as they came: what waits is bounded in memory, too.
const WAITING_BYTES: usize = 64 << 20;

/// What an application handed in, and where it waits for the answer.
type Submission = (Verified, oneshot::Sender<Result<TxId, Rejection>>);

/// What the thread is asked from outside.
#[derive(Debug)]
enum Ask {
    /// In their order; once one of them found no room, so do those behind it, which may build on it.
    Submit(Vec<Submission>, Arc<AtomicBool>),
    Watch(TxId, oneshot::Sender<Receipt>),
    IsPending(TxId, oneshot::Sender<bool>),
    Stop(oneshot::Sender<()>),
}

/// Why the thread ended without being asked to.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// The disk failed.
    #[error("disk: {0}")]
    Disk(#[from] store::Fault),
    /// The evidence against a validator could not be kept.
    #[error("cannot keep evidence: {0}")]
    Evidence(std::io::Error),
    /// The record of signatures could not be written.
    #[error("cannot record a signature: {0}")]
    Record(std::io::Error),
    /// The record of signatures forbids what was to be said.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Somebody else uses the key.
    #[error(transparent)]
    Elsewhere(#[from] Elsewhere),
    /// Somebody else has our neighbours' ear.
    #[error(transparent)]
    Unheard(#[from] Unheard),
    /// Consensus cannot go on without risking a second vote.
    #[error(transparent)]
    Stuck(#[from] consensus::Stuck),
}

impl Ended {
    /// The exit code of a run that this ends.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Disk(fault) => fault.exit_code(),
            Self::Evidence(error) | Self::Record(error) => store::exit_code_of(error),
            Self::Stuck(_) | Self::Refused(_) | Self::Elsewhere(_) | Self::Unheard(_) => 5,
        }
    }

    /// Whether the disk is not to be written to any more.
    #[must_use]
    pub const fn is_disk(&self) -> bool {
        match self {
            Self::Disk(_) | Self::Evidence(_) | Self::Record(_) => true,
            Self::Stuck(_) | Self::Refused(_) | Self::Elsewhere(_) | Self::Unheard(_) => false,
        }
    }
}

/// Why a transaction is not said to be accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unaccepted {
    /// It is refused, or finds no room: it is not on this node's disk.
    #[error(transparent)]
    Refused(#[from] Rejection),
    /// The replica had it and ended. It may be on the disk, and is proposed after the next start then.
    #[error(
        "this node ended before it could say whether it has accepted transaction {0}; ask for it by its id, or hand it in again: \
         it will not be recorded twice"
    )]
    Undecided(TxId),
}

/// What the rest of the node knows of the replica.
#[derive(Clone, Debug)]
pub struct Handle {
    asks: mpsc::Sender<Ask>,
    /// The replica's own account of itself, after every batch of events.
    pub status: watch::Receiver<Snapshot>,
    /// The ledger on disk.
    pub store: Arc<Store>,
    refused: Arc<Mutex<Refusals>>,
    evidence: Arc<Mutex<Records>>,
    /// What waits on a disk that is only read: nobody proposes it for now, and it is not forgotten.
    recalled: Arc<BTreeSet<TxId>>,
}

/// What the replica said of itself, and when.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// What it said.
    pub status: Status,
    /// When the last block was committed here.
    pub committed_at: Instant,
    /// Why nothing may be written, if nothing may.
    pub shortage: Option<String>,
    /// The rules for the next block.
    pub rules: Arc<Rules>,
    /// This node's seat in the committee of the next block.
    pub seat: Option<u16>,
    /// Why this validator follows without voting, if it does.
    pub silence: Option<String>,
}

impl Handle {
    /// Hands a transaction to the replica.
    ///
    /// # Errors
    /// The ledger's refusal; [`Rejection::Full`] when more wait for the replica than may; or that the replica ended meanwhile.
    pub async fn submit(&self, tx: Verified) -> Result<TxId, Unaccepted> {
        let answers = self.submit_all(vec![tx]).await;
        answers.into_iter().next().unwrap_or(Err(Unaccepted::Refused(Rejection::Full)))
    }

    /// Hands transactions to the replica, in their order; the answers are in the same. Behind one that found no room, none does.
    pub async fn submit_all(&self, txs: Vec<Verified>) -> Vec<Result<TxId, Unaccepted>> {
        hand_over(&self.asks, txs).await
    }

    /// What becomes of a transaction, once it is decided.
    pub async fn outcome(&self, id: TxId) -> Option<Receipt> {
        let (answer, wait) = oneshot::channel();
        self.asks.send(Ask::Watch(id, answer)).await.ok()?;
        wait.await.ok()
    }

    /// Whether a transaction waits here to be proposed.
    pub async fn is_pending(&self, id: TxId) -> bool {
        let (answer, wait) = oneshot::channel();
        let asked = self.asks.send(Ask::IsPending(id, answer)).await.is_ok();
        self.recalled.contains(&id) || asked && wait.await.unwrap_or(false)
    }

    /// Why a transaction that was accepted here was refused later.
    #[must_use]
    pub fn refusal(&self, id: &TxId) -> Option<Reason> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// The evidence this node holds that validators said two things.
    #[must_use]
    pub fn evidence(&self) -> Vec<(Place, Evidence)> {
        let records = self.evidence.lock().unwrap_or_else(PoisonError::into_inner);
        records.iter().map(|(place, evidence)| (*place, evidence.clone())).collect()
    }

    /// Ends the thread after the effects under way.
    pub async fn stop(&self) {
        let (done, wait) = oneshot::channel();
        if self.asks.send(Ask::Stop(done)).await.is_ok() {
            wait.await.unwrap_or(());
        }
    }
}

/// Asks the replica's thread to take transactions, and gives what it answers of each.
async fn hand_over(asks: &mpsc::Sender<Ask>, txs: Vec<Verified>) -> Vec<Result<TxId, Unaccepted>> {
    let (count, mut txs) = (txs.len(), txs.into_iter().peekable());
    let mut waits = Vec::with_capacity(count);
    let crowded = Arc::new(AtomicBool::new(false));
    while txs.peek().is_some() {
        let asked = waits.len();
        let lot = txs.by_ref().take(SUBMISSIONS_AT_ONCE).map(|tx| {
            let (answer, wait) = oneshot::channel();
            waits.push((tx.id(), wait));
            (tx, answer)
        });
        // What finds the queue full comes back, and the replica has never had it.
        if asks.try_send(Ask::Submit(lot.collect(), crowded.clone())).is_err() {
            waits.truncate(asked);
            break;
        }
    }
    let mut answers = Vec::with_capacity(count);
    for (id, wait) in waits {
        answers.push(match wait.await {
            Ok(answer) => answer.map_err(Unaccepted::Refused),
            // It went with the thread that had it, which may have put it on the disk before.
            Err(_gone) => Err(Unaccepted::Undecided(id)),
        });
    }
    answers.resize(count, Err(Unaccepted::Refused(Rejection::Full)));
    answers
}

/// A handle on a ledger that nobody writes to, for as long as nothing can be written. Keep the sender.
#[must_use]
pub fn reading(
    genesis: &Genesis,
    store: Arc<Store>,
    evidence: Records,
    shortage: &str,
) -> (Handle, watch::Sender<Snapshot>) {
    let rules = Rules::load(genesis, &*store);
    let tip = ledger::tip(&rules, &*store);
    let status = Status {
        highest: tip.height,
        tip,
        round: None,
        proposer: None,
        reachable: BTreeSet::new(),
        catching_up: None,
        tally: None,
        clock: None,
        pending: 0,
    };
    let (publish, status) = watch::channel(Snapshot {
        status,
        committed_at: clock::instant(),
        shortage: Some(shortage.to_owned()),
        silence: None,
        rules: Arc::new(rules),
        seat: None,
    });
    // Nobody listens: every submission is answered with "full, try again".
    let (asks, _) = mpsc::channel(1);
    let evidence = Arc::new(Mutex::new(evidence));
    let memory = Memory::read(&store, &genesis.chain()).unwrap_or_else(|fault| {
        tracing::warn!(%fault, "what was accepted here cannot be told now");
        Memory::default()
    });
    let (recalled, refused) = memory.told();
    let (recalled, refused) = (Arc::new(recalled), Arc::new(Mutex::new(refused)));
    (Handle { asks, status, store, refused, evidence, recalled }, publish)
}

/// The receipt of a committed transaction, from the ledger.
#[must_use]
pub fn committed_receipt(store: &Store, id: &TxId) -> Option<Receipt> {
    let place = query::place(store, id)?;
    match query::transaction(store, place.height, place.index) {
        Some(tx) => Some(receipt(store, &tx, &place)),
        // Its place is an index, and stays; which records it carried stood in the body.
        None => Some(Receipt {
            tx: *id,
            status: Fate::Committed,
            height: Some(place.height),
            records: Vec::new(),
            code: None,
            detail: Some(format!(
                "the body of block {} was dropped here by retention: the records are named by another validator, or by whoever \
                 keeps the archive",
                place.height
            )),
        }),
    }
}

fn receipt(store: &Store, tx: &Transaction, place: &execute::Place) -> Receipt {
    let records = tx.records().zip(&place.positions).map(|(record, position)| {
        // A record that was there before this transaction stands in an older block.
        let height = query::record_height(store, *position);
        Recorded { record, position: Some(*position), height }
    });
    Receipt {
        tx: tx.id(),
        status: Fate::Committed,
        height: Some(place.height),
        records: records.collect(),
        code: None,
        detail: None,
    }
}

/// The receipt of a refused transaction.
#[must_use]
pub fn refused_receipt(id: TxId, reason: &Reason) -> Receipt {
    Receipt {
        tx: id,
        status: Fate::Refused,
        height: None,
        records: Vec::new(),
        code: Some(reason.code.clone()),
        detail: Some(reason.detail.clone()),
    }
}

/// What a validator keeps beside its ledger.
#[derive(Debug)]
pub struct Beside {
    /// The disk's room.
    pub room: Room,
    /// The evidence against others.
    pub evidence: Records,
    /// What the key has signed.
    pub signatures: SignState,
    /// Where neighbours listen.
    pub addresses: Addresses,
    /// What to do when the key is heard to be used elsewhere.
    pub listening: Listening,
}

/// Where neighbours listen, as this operator knows: the chain says who they are, and not where.
#[derive(Debug)]
pub struct Addresses {
    /// This node, which is not its own neighbour.
    pub own: Peer,
    /// The others; whoever is not here is waited for.
    pub known: BTreeMap<Peer, Vec<SocketAddr>>,
}

impl Addresses {
    /// These peers but ourselves, with what is known of where they listen.
    #[must_use]
    pub fn neighbours(&self, peers: &[Peer]) -> Vec<Neighbour> {
        let others = peers.iter().filter(|peer| **peer != self.own);
        let neighbour = |peer: &Peer| {
            let addresses = self.known.get(peer).cloned().unwrap_or_default();
            Neighbour { peer: *peer, addresses }
        };
        others.map(neighbour).collect()
    }
}

/// Starts the replica on a thread of its own. The receiver yields when it ends unasked.
///
/// # Errors
/// When the disk or the journal does not let this validator go on.
pub fn start(
    genesis: &Genesis,
    secret: SecretKey,
    store: Arc<Store>,
    network: Network,
    inbound: network::Receiver,
    metrics: Arc<Metrics>,
    beside: Beside,
) -> Result<(Handle, oneshot::Receiver<Ended>), Ended> {
    // A journal that is not believed does not keep us from following; it keeps us from speaking.
    let distrusted = store.distrusted_blocks()?;
    let journal = if distrusted == 0 { store.replay()? } else { Vec::new() };
    let tip = query::height(&*store);
    let silent_until = quiet::silent_until(tip, distrusted, beside.signatures.height());
    if let Some((until, why)) = &silent_until {
        tracing::warn!(%until, %why, "follows without voting");
    }
    let mut voter = Voter {
        secret,
        signed: beside.signatures.last().copied(),
        floor: beside.signatures.floor(),
    };
    let listener = Listener::new(&Rules::load(genesis, &*store), &voter, tip);
    voter.floor = match beside.listening {
        Listening::Only => FOR_GOOD,
        Listening::First | Listening::WhileVoting if distrusted > 0 => {
            silent_until.as_ref().map_or(voter.floor, |(until, _)| voter.floor.max(*until))
        }
        Listening::First | Listening::WhileVoting => voter.floor,
    };
    let (replica, effects) = restored(genesis, voter.clone(), &store, &journal)?;
    let chain = *replica.rules().chain();
    let (asks, asked) = mpsc::channel(SUBMISSIONS_WAITING);
    let snapshot = Snapshot {
        status: replica.status(),
        committed_at: clock::instant(),
        shortage: None,
        silence: None,
        rules: Arc::new(replica.rules().clone()),
        seat: replica.seat(),
    };
    let (publish, status) = watch::channel(snapshot);
    let (keeper, forward, refused) = match beside.listening {
        Listening::First | Listening::WhileVoting => {
            let memory = Memory::read(&store, &chain)?;
            let (keeper, forward, refused) = memory.keep(&store, &chain, metrics.clone())?;
            (Some(keeper), forward, refused)
        }
        // The ledger is fetched from its first block on, by which nothing of today can be judged. The next start does.
        Listening::Only => (None, VecDeque::new(), Refusals::default()),
    };
    let refused = Arc::new(Mutex::new(refused));
    let Beside { room, evidence, signatures, addresses, listening } = beside;
    let evidence = Arc::new(Mutex::new(evidence));
    let handle = Handle {
        asks,
        status,
        store: store.clone(),
        refused: refused.clone(),
        evidence: evidence.clone(),
        recalled: Arc::default(),
    };

    // Votes and blocks are decoded apart from the rest, and each by its own hands: a message full of transactions takes
    // a third of a second to check, and a vote must not wait for that.
    let (votes, urgent) = mpsc::channel(URGENT_WAITING);
    let (events, heard) = mpsc::channel(PATIENT_WAITING);
    let (hurried, patient) = inbound.split();
    let ears = |inbound, queue| Ears {
        chain,
        inbound,
        queue,
        room: Arc::new(Semaphore::new(WAITING_BYTES)),
        network: network.clone(),
        metrics: metrics.clone(),
    };
    let (hands, checked) = (tokio::runtime::Handle::current(), votes.clone());
    tokio::spawn(ears(hurried, votes).listen());
    let others = ears(patient, events);
    let no_decoder =
        |error: std::io::Error| consensus::Stuck(format!("no thread for the decoder: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(no_decoder)?;
    std::thread::Builder::new()
        .name("decoder".into())
        .spawn(move || runtime.block_on(others.listen()))
        .map_err(no_decoder)?;

    let (end, ended) = oneshot::channel();
    let mut body = Body {
        genesis: genesis.clone(),
        voter,
        replica,
        listener,
        listening,
        silence: None,
        silent_until,
        slow_told_at: None,
        deaf_until: None,
        store,
        network,
        metrics,
        room,
        evidence,
        signatures,
        publish,
        keeper,
        forward,
        refused,
        alarms: BTreeMap::new(),
        hands,
        checked,
        addresses,
        put_off: Vec::new(),
        answers: BTreeMap::new(),
        crowded: false,
        watchers: BTreeMap::new(),
        next_ticket: 0,
        committed_at: clock::instant(),
        unsynced: Vec::new(),
        unsynced_since: clock::instant(),
        published_at: clock::instant(),
        published_height: Height::GENESIS,
        effects: VecDeque::from(effects),
    };
    // What the ledger here says of our key needs no neighbour.
    let ledger_here = body.store.clone();
    let recent = tip.0.saturating_sub(BLOCKS_SEARCHED).max(1)..=tip.0;
    for certificate in recent.filter_map(|height| query::certificate(&*ledger_here, Height(height)))
    {
        if let Err(elsewhere) = body.listener.certified(&certificate) {
            body.elsewhere(elsewhere)?;
        }
    }
    std::thread::Builder::new()
        .name("replica".into())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            match runtime.map(|runtime| runtime.block_on(body.live(asked, heard, urgent))) {
                Ok(Ok(())) => {}
                Ok(Err(why)) => end.send(why).unwrap_or(()),
                Err(error) => tracing::error!(%error, "no runtime for the replica"),
            }
        })
        .map_err(|error| consensus::Stuck(format!("no thread for the replica: {error}")))?;
    Ok((handle, ended))
}

/// The replica over this ledger and journal, and how it goes on.
fn restored(
    genesis: &Genesis,
    voter: Voter,
    store: &Arc<Store>,
    journal: &[Vec<u8>],
) -> Result<(Replica<Cached>, Vec<Effect>), consensus::Stuck> {
    let (state, limits) = (Cached::new(store.clone()), PoolLimits::default());
    Replica::restore(genesis, voter, state, journal, clock::now(), limits)
}

/// What turns bytes into events for the replica's thread, with their signatures checked, off that thread.
struct Ears {
    chain: ChainId,
    inbound: network::Receiver,
    queue: mpsc::Sender<Heard>,
    room: Arc<Semaphore>,
    network: Network,
    metrics: Arc<Metrics>,
}

/// An event, and the room it takes up until it is stepped.
type Heard = (Event, Option<OwnedSemaphorePermit>);

impl Ears {
    async fn listen(mut self) {
        while let Some(message) = self.inbound.recv().await {
            let (event, bytes) = match message {
                Inbound::Connected(peer) => (Event::Connected(peer), 0),
                Inbound::Lost(peer) => (Event::Lost(peer), 0),
                Inbound::Message(peer, channel, bytes) => {
                    match receive(&self.chain, channel, &bytes) {
                        Ok(received) => (Event::Received(peer, received), bytes.len()),
                        Err(offence) => {
                            note_offence(&self.metrics, &self.network, peer, &offence);
                            continue;
                        }
                    }
                }
            };
            let size = u32::try_from(bytes).unwrap_or(u32::MAX);
            // Nobody closes it; without a permit there would be no bound, and nothing else.
            let room = self.room.clone().acquire_many_owned(size).await.ok();
            if self.queue.send((event, room)).await.is_err() {
                return;
            }
        }
    }
}

/// Counts and tells what a neighbour did; what no honest node's mistake explains is reported to the network, which shuts
/// out who does not stop.
fn note_offence(metrics: &Metrics, network: &Network, peer: Peer, offence: &Offence) {
    metrics.offences.inc();
    tracing::warn!(%peer, %offence, "offence");
    match offence {
        Offence::Bytes { .. } | Offence::Transaction(_) | Offence::Block { .. } => {
            network.blame(peer);
        }
        // A neighbour may be slow, or know of a block that it has not written yet.
        Offence::CatchUp(_) | Offence::Silence => {}
    }
}

struct Body {
    genesis: Genesis,
    voter: Voter,
    replica: Replica<Cached>,
    listener: Listener,
    listening: Listening,
    /// Why we say nothing for the moment.
    silence: Option<String>,
    /// Until which height we follow without voting, and why.
    silent_until: Option<(Height, String)>,
    slow_told_at: Option<Instant>,
    /// When we have waited long enough for somebody to say anything to us.
    deaf_until: Option<Instant>,
    store: Arc<Store>,
    network: Network,
    metrics: Arc<Metrics>,
    room: Room,
    evidence: Arc<Mutex<Records>>,
    signatures: SignState,
    publish: watch::Sender<Snapshot>,
    /// The promise `accepted`; none while the ledger is only recovered.
    keeper: Option<Keeper>,
    /// What was submitted before we could hear it.
    forward: VecDeque<Forward>,
    refused: Arc<Mutex<Refusals>>,
    alarms: BTreeMap<Wake, Instant>,
    /// Where there are threads to spare, and how their answers come back.
    /// Where work is done that is not the replica's.
    hands: tokio::runtime::Handle,
    checked: mpsc::Sender<Heard>,
    addresses: Addresses,
    /// What waits for room on the disk.
    put_off: Vec<Event>,
    answers: BTreeMap<Ticket, Asker>,
    /// Whether the last submission found no room.
    crowded: bool,
    watchers: BTreeMap<TxId, Vec<oneshot::Sender<Receipt>>>,
    next_ticket: u64,
    committed_at: Instant,
    /// What is written and not yet durable, and since when.
    unsynced: Vec<Commit>,
    unsynced_since: Instant,
    published_at: Instant,
    published_height: Height,
    effects: VecDeque<Effect>,
}

impl Body {
    async fn live(
        mut self,
        mut asked: mpsc::Receiver<Ask>,
        mut heard: mpsc::Receiver<Heard>,
        mut urgent: mpsc::Receiver<Heard>,
    ) -> Result<(), Ended> {
        let held = self.keep_quiet(&mut asked, &mut heard, &mut urgent).await?;
        let Some(held) = held else { return Ok(()) };
        self.perform()?;
        self.catch_up_with(held)?;
        // Our own applications and our neighbours' transactions in turn: neither may fill the other's queue, behind which
        // its decoder would wait, and with it the votes.
        let mut own_turn = true;
        loop {
            self.publish_status();
            let forward = self.may_forward();
            let next = self.alarms.iter().min_by_key(|(_, at)| **at).map(|(wake, at)| (*wake, *at));
            let alarm = async {
                match next {
                    Some((_, at)) => tokio::time::sleep_until(at.into()).await,
                    None => core::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                fault = accepted::failed(self.keeper.as_mut()) => return Err(fault.into()),
                Some((event, _room)) = urgent.recv() => self.feed(event)?,
                () = alarm => if let Some((wake, _)) = next {
                    self.alarms.remove(&wake);
                    self.feed(Event::Elapsed(wake))?;
                },
                // Before applications are heard: theirs may build on it.
                () = core::future::ready(()), if forward => self.put_forward()?,
                Some(ask) = asked.recv(), if own_turn || heard.is_empty() => match ask {
                    Ask::Submit(lot, crowded) => {
                        own_turn = false;
                        self.submit_all(lot, &crowded)?;
                    }
                    Ask::Watch(id, answer) => self.watch(id, answer),
                    Ask::IsPending(id, answer) => answer.send(self.is_waiting(&id)).unwrap_or(()),
                    Ask::Stop(done) => {
                        done.send(()).unwrap_or(());
                        return Ok(());
                    }
                },
                Some((event, _room)) = heard.recv(), if !own_turn || asked.is_empty() => {
                    own_turn = true;
                    self.feed(event)?;
                },
                else => return Ok(()),
            }
        }
    }

    fn feed(&mut self, event: Event) -> Result<(), Ended> {
        self.notice(&event)?;
        if let Event::Received(_, received) = &event {
            self.compare(received)?;
        }
        if self.room.shortage().is_some() {
            return self.feed_without_room(event);
        }
        for put_off in core::mem::take(&mut self.put_off) {
            let effects = self.replica.step(clock::now(), put_off)?;
            self.effects.extend(effects);
            self.perform()?;
        }
        let effects = self.replica.step(clock::now(), event)?;
        self.effects.extend(effects);
        self.perform()
    }

    /// Without room nothing is written, so nothing is voted on: what is heard is let go, as if the line were cut, and
    /// fetched later.
    fn feed_without_room(&mut self, event: Event) -> Result<(), Ended> {
        match event {
            Event::Submitted(ticket, _) => self.answer(ticket, Err(Rejection::Full)),
            Event::Elapsed(wake) => {
                self.alarms.insert(wake, clock::after(WITHOUT_ROOM_MS));
            }
            Event::Connected(_) | Event::Lost(_) => {
                let effects = self.replica.step(clock::now(), event)?;
                self.effects.extend(effects);
                return self.perform();
            }
            // A commit is written before anything else is heard, so it is never told here.
            Event::Received(..) | Event::Committed(_) => {}
            // It may lead to a commit; there are never more of them than questions under way.
            Event::Checked(_) => self.put_off.push(event),
        }
        Ok(())
    }

    fn perform(&mut self) -> Result<(), Ended> {
        while let Some(effect) = self.effects.pop_front() {
            if effect.waits_for_sync() {
                self.sync()?;
            }
            match effect {
                // A journal that is not believed takes nothing; and what is not our own word need not be remembered.
                Effect::Journal(_) if self.store.distrusted_blocks()? > 0 => {}
                Effect::Journal(entries) => {
                    let started = clock::instant();
                    self.store.journal(&entries)?;
                    self.metrics.journal_seconds.observe(started.elapsed().as_secs_f64());
                    self.note_slow("journal", started.elapsed());
                }
                Effect::Sign(signed) => {
                    // Refuses while the journal is not believed: what it did not take must not be said.
                    self.store.journal(&[])?;
                    let started = clock::instant();
                    let chain = *self.replica.rules().chain();
                    self.signatures.advance(&chain, signed).map_err(Ended::Record)??;
                    self.listener.signed(signed);
                    self.note_slow("record of signatures", started.elapsed());
                    let (height, round, step) = signed.place();
                    let block =
                        signed.block.map_or_else(|| "nil".to_owned(), |block| block.to_string());
                    tracing::debug!(%height, %round, step, %block, signature = %signed.signature, "signed");
                }
                Effect::Commit(commit) => self.commit(commit)?,
                Effect::Check(unchecked) => {
                    let checked = self.checked.clone();
                    // Dropped when this thread is gone, and nobody waits for it any more.
                    drop(self.hands.spawn_blocking(move || {
                        checked
                            .blocking_send((Event::Checked(unchecked.check()), None))
                            .unwrap_or(());
                    }));
                }
                Effect::Send(to, channel, bytes) => self.network.send(to, channel, bytes.into()),
                Effect::Set(wake, delay) => {
                    self.alarms.insert(wake, clock::after(delay));
                }
                Effect::Cancel(wake) => {
                    self.alarms.remove(&wake);
                }
                Effect::CancelRounds => {
                    self.alarms.retain(|wake, _| !matches!(wake, Wake::Round(_)));
                }
                Effect::Answer(ticket, answer) => self.answer(ticket, answer),
                Effect::Refused(id, rejection) => self.refuse(id, &rejection),
                Effect::Blame(peer, offence) => {
                    note_offence(&self.metrics, &self.network, peer, &offence);
                }
                Effect::Admit(peers) => {
                    self.listener.reseat(self.replica.rules().committee());
                    self.network.admit(self.addresses.neighbours(&peers));
                }
                Effect::Accuse(evidence) => self.accuse(*evidence)?,
            }
        }
        self.sync()?;
        // Not before all is done: what is decided is under vote no more, and needed until it is committed.
        self.store.thin_journal(|entry| self.replica.remembers(entry))?;
        Ok(())
    }

    /// Keeps evidence that a validator said two things. If it is this one, somebody else has its key.
    fn accuse(&mut self, evidence: Evidence) -> Result<(), Ended> {
        let rules = self.replica.rules();
        let committee = query::committee(&*self.store, evidence.height());
        let committee = committee.as_ref().unwrap_or_else(|| rules.committee());
        let accused = evidence::convicted(&evidence, rules.chain(), committee);
        let mut records = self.evidence.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = records.add(evidence, rules.chain(), committee).map_err(Ended::Evidence)?;
        drop(records);
        if kept {
            self.metrics.accusations.inc();
        }
        // Not the seat: ours is that of the next block, and at the height of the evidence another may have sat there.
        if let Some(((height, round, step, _), key)) = accused
            && key == self.voter.secret.public()
        {
            let highest = self.replica.height();
            self.elsewhere(Elsewhere { height, round, step, highest })?;
        }
        Ok(())
    }

    /// Writes a block, and tells the replica at once, which may have the next one ready: who catches up syncs once for
    /// many. Nobody else is told before [`Body::sync`].
    fn commit(&mut self, commit: Box<Commit>) -> Result<(), Ended> {
        if self.unsynced.is_empty() {
            self.unsynced_since = clock::instant();
        }
        self.store.commit(&commit)?;
        self.replica.state().committed(commit.writes());
        if let Err(elsewhere) = self.listener.certified(commit.certified().certificate()) {
            self.elsewhere(elsewhere)?;
        }
        let height = commit.certified().height();
        self.unsynced.push(*commit);
        // Before anything else happens: the replica takes no other event while a commit is under way.
        let effects = self.replica.step(clock::now(), Event::Committed(height))?;
        for effect in effects.into_iter().rev() {
            self.effects.push_front(effect);
        }
        Ok(())
    }

    /// Makes durable what was committed, and then tells those who wait for it.
    fn sync(&mut self) -> Result<(), Ended> {
        if self.unsynced.is_empty() {
            return Ok(());
        }
        self.store.sync()?;
        self.committed_at = clock::instant();
        let took = self.unsynced_since.elapsed();
        self.metrics.commit_seconds.observe(took.as_secs_f64());
        for commit in core::mem::take(&mut self.unsynced) {
            let certified = commit.certified();
            let (block, certificate) = (certified.block(), certified.certificate());
            let records: usize = block.transactions.iter().map(|tx| tx.operations.len()).sum();
            self.metrics.committed(certified.height(), block.transactions.len(), records);
            tracing::info!(
                height = %certified.height(),
                block = %certificate.block.0.short(),
                txs = block.transactions.len(),
                records,
                round = %certificate.round,
                signatures = certificate.signatures.len(),
                ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
                "block"
            );
            let ids: Vec<TxId> = block.transactions.iter().map(Transaction::id).collect();
            self.settled(ids.iter().copied());
            for (tx, id) in block.transactions.iter().zip(&ids) {
                if let Some(watchers) = self.watchers.remove(id)
                    && let Some(place) = query::place(&*self.store, id)
                {
                    let receipt = receipt(&self.store, tx, &place);
                    for watcher in watchers {
                        watcher.send(receipt.clone()).unwrap_or(());
                    }
                }
            }
        }
        Ok(())
    }

    /// Tells, now and then, that the disk keeps us waiting: everything we say waits for it.
    fn note_slow(&mut self, what: &'static str, took: Duration) {
        if took > SLOW && self.slow_told_at.is_none_or(|told| told.elapsed() > SLOW_TOLD_EVERY) {
            self.slow_told_at = Some(clock::instant());
            let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(what, ms, "the disk is slow; votes wait for it");
        }
    }

    fn watch(&mut self, id: TxId, answer: oneshot::Sender<Receipt>) {
        let known = committed_receipt(&self.store, &id).or_else(|| {
            let refusals = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            refusals.get(&id).map(|reason| refused_receipt(id, reason))
        });
        match known {
            Some(receipt) => answer.send(receipt).unwrap_or(()),
            None => {
                let watchers = self.watchers.entry(id).or_default();
                watchers.retain(|watcher| !watcher.is_closed());
                watchers.push(answer);
            }
        }
    }

    /// Tells the rest of the node where we are: at every block, and else not more often than anyone could read it.
    fn publish_status(&mut self) {
        if self.published_at.elapsed() < PUBLISH_EVERY
            && self.published_height == self.replica.height()
        {
            return;
        }
        (self.published_at, self.published_height) = (clock::instant(), self.replica.height());
        let status = self.replica.status();
        let (committed_at, shortage) = (self.committed_at, self.room.shortage().map(str::to_owned));
        self.metrics.observe(&status, &self.network.counters());
        let silence = self.why_silent();
        let (rules, seat) = (self.replica.rules(), self.replica.seat());
        self.publish.send_modify(|snapshot| {
            let rules = if rules.next() == snapshot.rules.next() {
                snapshot.rules.clone()
            } else {
                Arc::new(rules.clone())
            };
            *snapshot = Snapshot { status, committed_at, shortage, silence, rules, seat };
        });
    }
}
