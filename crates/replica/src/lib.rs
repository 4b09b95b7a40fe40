//! One validator's mind: events in, effects out.
//!
//! What it offers: [`Replica`], which production, simulation, fuzzing and restart all drive through [`Replica::restore`]
//! and [`Replica::step`]; and [`receive()`], the one place where bytes from the network become values.
//!
//! The modules are the path of a record: `admit`, `share`, `propose`, `vote`, `commit`, and for those who missed it `catchup` on
//! one side and `serve` on the other. `window`, `patience` and `clocks` know what time has to do with it.
//!
//! Invariants: the effects are a function of the events; what we say is preceded in the list by what makes us remember
//! it; a [`ledger::Commit`] is made of a certified block and nothing else.
//!
//! It knows no runtime, socket, file or thread, and time only as an argument.

mod admit;
mod bodies;
mod catchup;
mod certify;
mod clocks;
mod commit;
mod early;
mod listen;
mod patience;
mod propose;
mod receive;
mod serve;
mod share;
mod vote;
mod window;

pub use catchup::Fetching;
pub use certify::{Checked, Unchecked};
pub use clocks::Offset;
pub use listen::{BLOCKS_SEARCHED, Elsewhere, Listener, Unheard};
pub use receive::{Offence, Received, receive};
pub use serve::Question;

use bodies::Bodies;
use consensus::{Engine, Entry, Evidence, Identity, Signed, Start, Stuck, Tally, Timer};
use ledger::{Commit, Outcome, Pool, PoolLimits, Rejection, Rules, State, Tip};
use receive::{Frame, Record};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use types::{
    Block, Genesis, Hash, Height, PublicKey, Round, SecretKey, Timestamp, TxId, Verified, codec,
    net::{Channel, Peer, To},
    vote::Message,
};

/// Names a question of the shell, to be given back with the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// What the replica asked to be woken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wake {
    /// A timer of the height under way.
    Round(Timer),
    /// Nothing to record for a while: say that we live.
    Idle,
    /// Compare heights with the neighbours.
    Status,
    /// Somebody should have answered by now.
    CatchUp,
    /// Go on with the blocks that were fetched.
    Follow,
    /// Answer those who asked for more than they may at once.
    Serve,
    /// Pass on what was admitted here of late.
    Share,
}

/// What happens to a validator.
#[derive(Clone, Debug)]
pub enum Event {
    /// An application submits a transaction here.
    Submitted(Ticket, Verified),
    /// A neighbour said something.
    Received(Peer, Received),
    /// A time asked for has come.
    Elapsed(Wake),
    /// The blocks that were to be checked are.
    Checked(Checked),
    /// The commit asked for is written.
    Committed(Height),
    /// A neighbour can be spoken to.
    Connected(Peer),
    /// It no longer can.
    Lost(Peer),
}

/// What a validator wants done.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Append to the journal, and sync it, before anything after it in the list is done.
    Journal(Vec<Vec<u8>>),
    /// Remember beside the key, and sync, what was signed, before anything after it in the list is done. If the key's
    /// record says that something else was signed there or later, the process ends.
    Sign(Signed),
    /// Write a block and all it changes, as a whole, so that it can be read; then feed [`Event::Committed`]. It is to be
    /// durable before anything after it that [waits for that](Effect::waits_for_sync).
    Commit(Box<Commit>),
    /// Check these, on any thread; then feed [`Event::Checked`], at any time.
    Check(Box<Unchecked>),
    /// Say this.
    Send(To, Channel, Vec<u8>),
    /// Wake me in so many milliseconds. A second setting of the same name replaces the first.
    Set(Wake, u64),
    /// Do not wake me for this.
    Cancel(Wake),
    /// Do not wake me for any round.
    CancelRounds,
    /// The answer to a question.
    Answer(Ticket, Result<TxId, Rejection>),
    /// A transaction that was accepted here will not be committed.
    Refused(TxId, Rejection),
    /// A neighbour broke the protocol.
    Blame(Peer, Offence),
    /// Proof that a validator said two things.
    Accuse(Box<Evidence>),
    /// Speak with these neighbours, ourselves among them if we have a seat, and with nobody else. What was agreed on last
    /// says who they are.
    Admit(Vec<Peer>),
}

impl Effect {
    /// Whether nobody may learn of this before all that was committed is durable. Questions of who catches up are no
    /// promise.
    ///
    /// Whoever performs effects syncs the ledger before such a one, and before it waits for the next event.
    #[must_use]
    pub const fn waits_for_sync(&self) -> bool {
        match self {
            Self::Journal(_)
            | Self::Sign(_)
            | Self::Answer(..)
            | Self::Refused(..)
            | Self::Send(_, Channel::Votes | Channel::Proposals | Channel::Transactions, _) => true,
            Self::Commit(_)
            | Self::Check(_)
            | Self::Send(_, Channel::Sync, _)
            | Self::Set(..)
            | Self::Cancel(_)
            | Self::CancelRounds
            | Self::Blame(..)
            | Self::Accuse(_)
            | Self::Admit(_) => false,
        }
    }
}

/// What an operator wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The last block.
    pub tip: Tip,
    /// The round of the height under way; none while there is nothing to decide.
    pub round: Option<Round>,
    /// The seat whose turn it is.
    pub proposer: Option<u16>,
    /// Seats we can reach, ourselves included.
    pub reachable: BTreeSet<u16>,
    /// The highest block that more neighbours say they have than may be lying, if so many speak to us.
    pub highest: Height,
    /// How far we are, while we fetch blocks that others have.
    pub catching_up: Option<Fetching>,
    /// Whom we have heard in the round under way.
    pub tally: Option<Tally>,
    /// Our clock, seen from our neighbours'.
    pub clock: Option<Offset>,
    /// How many transactions wait.
    pub pending: usize,
}

/// A key, and what its record says it has signed.
#[derive(Clone, Debug)]
pub struct Voter {
    /// The consensus key.
    pub secret: SecretKey,
    /// The last thing it signed, as remembered beside it.
    pub signed: Option<Signed>,
    /// The last height for which it may have signed anything, if its record does not know better.
    pub floor: Height,
}

impl Voter {
    /// A key that never signed anything.
    #[must_use]
    pub const fn new(secret: SecretKey) -> Self {
        Self { secret, signed: None, floor: Height::GENESIS }
    }

    /// What the journal says this key signed in `seat`, and its record does not know: a crash came between the two.
    fn unrecorded(&self, seat: u16, journal: &[Entry]) -> Vec<Signed> {
        // Below the floor the record says already that anything may be signed.
        let signed = journal.iter().filter_map(Entry::signed);
        let signed = signed.filter(|(by, signed)| *by == seat && signed.height > self.floor);
        let mut last = self.signed.map(|signed| signed.place());
        let mut unrecorded = Vec::new();
        for (_, signed) in signed {
            if last < Some(signed.place()) {
                last = Some(signed.place());
                unrecorded.push(signed);
            }
        }
        unrecorded
    }

    /// The first height it may vote at, over a ledger whose next height is `next` and a journal of that height.
    ///
    /// If the journal holds the last thing signed, nothing is lost and the height goes on. If not, the journal is older
    /// than the key, or gone: then the height, and all below it, are left to others.
    fn vote_from(&self, next: Height, journal: &[Entry]) -> Height {
        let last = self.signed.map_or(Height::GENESIS, |signed| signed.height);
        let remembered = |signed: &Signed| {
            let mut known = journal.iter().filter_map(Entry::signed);
            known.any(|(_, known)| known.signature == signed.signature)
        };
        let unknown =
            last > next || (last == next && !self.signed.as_ref().is_some_and(remembered));
        let lost = if unknown { last.next() } else { Height::GENESIS };
        let below = if self.floor > Height::GENESIS { self.floor.next() } else { Height::GENESIS };
        lost.max(below)
    }
}

/// One validator's mind.
///
/// **The contract.** The shell performs the effects of a step in order and completely before it feeds the next event; if
/// one fails, the process ends. So the replica never waits for an acknowledgement, and "journal before you speak" is a
/// property of a list. One effect answers back: after [`Effect::Commit`] the shell feeds [`Event::Committed`], and only
/// that starts the next height. A crash may lose the last blocks that were committed if nothing was said since; they are
/// certified, and fetched again.
pub struct Replica<S> {
    state: S,
    rules: Rules,
    /// Our consensus key.
    own: PublicKey,
    patience: patience::Patience,
    clocks: clocks::Clocks,
    seats: BTreeMap<Peer, u16>,
    seat: Option<u16>,
    engine: Engine,
    tip: Tip,
    pool: Pool,
    /// Admitted here, and not passed on yet.
    unshared: share::Unshared,
    /// When the height under way, or the last one, was begun here.
    begun: Timestamp,
    /// After a block we wait a moment for more to put into the next one.
    pausing: bool,
    /// Blocks of the height under way, and what execution made of them.
    bodies: Bodies,
    /// Journal entries not yet handed to the shell: they go before the next thing we say.
    unwritten: Vec<Vec<u8>>,
    /// Signatures not yet handed to the shell: they go after the journal, and before anything is said.
    signed: Vec<Signed>,
    /// What we said at this height, for those who were not there.
    said: VecDeque<Message>,
    progress: Progress,
    peers: BTreeMap<Peer, Height>,
    catchup: catchup::CatchUp,
    serve: serve::Serve,
    /// Proposals of rounds that have not begun here.
    early: early::Early,
    /// When what the engine is told now was heard, if not now.
    heard_at: Option<Timestamp>,
    turn: Option<(Round, u16)>,
    /// The transactions and subjects of the block being written.
    carried: Vec<TxId>,
    touched: Vec<Hash>,
    /// Whether it changes who may do what.
    governs: bool,
}

/// Where we sit, and where each neighbour does.
fn seating(rules: &Rules, own: &PublicKey) -> (Option<u16>, BTreeMap<Peer, u16>) {
    let peers = rules.members().iter().map(|member| Peer(*member.transport_key.as_bytes()));
    (rules.committee().index_of(own), peers.zip(0..).collect())
}

/// A block that may be agreed on.
#[derive(Debug)]
struct Seen {
    block: Block,
    /// None when it was executed before a restart: that it may be agreed on is in the journal, what it does is not.
    outcome: Option<Outcome>,
    round: Round,
}

/// Where we are between two blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// Nothing to decide: the engine is not started.
    Resting,
    /// The engine decides.
    Deciding,
    /// The shell writes a block.
    Committing(Height),
}

impl<S> core::fmt::Debug for Replica<S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Replica")
            .field("seat", &self.seat)
            .field("tip", &self.tip.height)
            .field("engine", &self.engine)
            .finish_non_exhaustive()
    }
}

/// How often heights are compared.
const STATUS_MS: u64 = 1000;

impl<S: State> Replica<S> {
    /// The replica of the validator with `secret`, over what `state` holds and what `journal` remembers of the height
    /// after it, and the effects by which it goes on.
    ///
    /// # Errors
    /// When the journal contradicts itself. Then this validator must not vote.
    pub fn restore(
        genesis: &Genesis,
        voter: Voter,
        state: S,
        journal: &[Vec<u8>],
        now: Timestamp,
        limits: PoolLimits,
    ) -> Result<(Self, Vec<Effect>), Stuck> {
        let rules = Rules::load(genesis, &state);
        let tip = ledger::tip(&rules, &state);
        let height = tip.height.next();
        let (mut bodies, mut entries) = (Bodies::default(), Vec::new());
        let mut blocks = Vec::new();
        for bytes in journal {
            let record = codec::decode::<Record>(bytes)
                .map_err(|error| Stuck(format!("journal: {error}")))?;
            match record {
                Record::Block(round, block) if block.header.height == height => {
                    blocks.push(Seen { block, outcome: None, round });
                }
                Record::Entry(entry) if entry.height() == height => entries.push(entry),
                // What the commit of its height has overtaken.
                Record::Block(..) | Record::Entry(_) => {}
            }
        }
        let vote_from = voter.vote_from(height, &entries);
        let own = voter.secret.public();
        let (seat, seats) = seating(&rules, &own);
        let unrecorded = seat.map(|seat| voter.unrecorded(seat, &entries)).unwrap_or_default();
        let secret = voter.secret;
        let start = Start { height, committee: rules.committee().clone() };
        if vote_from > height {
            tracing::warn!(%height, %vote_from, "this key may have signed what this node does not remember: following, not voting");
        }
        let identity = Identity { chain: *rules.chain(), secret, vote_from };
        let (engine, actions) = Engine::restore(identity, start, &entries)?;
        for entry in &entries {
            if let Entry::Message(Message::Proposal(proposal, _)) = entry {
                // When it was heard is not in the journal.
                bodies.name(proposal, None);
            }
        }
        for seen in blocks {
            bodies.keep(seen.block.id(), seen, |id| engine.holds(id));
        }
        let (timing, faults) = (rules.timing(), rules.committee().faults());
        let mut replica = Self {
            state,
            rules,
            own,
            patience: patience::Patience::new(timing, faults),
            clocks: clocks::Clocks::default(),
            seats,
            seat,
            engine,
            tip,
            pool: Pool::new(limits),
            unshared: share::Unshared::default(),
            begun: now,
            pausing: false,
            bodies,
            unwritten: Vec::new(),
            signed: Vec::new(),
            said: VecDeque::new(),
            progress: Progress::Deciding,
            peers: BTreeMap::new(),
            catchup: catchup::CatchUp::default(),
            serve: serve::Serve::default(),
            early: early::Early::default(),
            heard_at: None,
            turn: None,
            carried: Vec::new(),
            touched: Vec::new(),
            governs: false,
        };
        tracing::debug!(height = %height, entries = entries.len(), "restored");
        let mut effects =
            vec![Effect::Admit(replica.rules.peers()), Effect::Set(Wake::Status, STATUS_MS)];
        // Before anything else: if the journal is lost next, the key's record alone must tell.
        effects.extend(unrecorded.into_iter().map(Effect::Sign));
        replica.perform(now, actions, &mut effects)?;
        Ok((replica, effects))
    }

    /// What follows from one event. See the contract on the type.
    ///
    /// # Errors
    /// When consensus cannot go on without risking a second vote. The shell must end the process.
    pub fn step(&mut self, now: Timestamp, event: Event) -> Result<Vec<Effect>, Stuck> {
        let mut effects = Vec::new();
        if let Event::Received(peer, _) = &event
            && self.peers.contains_key(peer)
        {
            self.clocks.hears(now, *peer);
        }
        match event {
            Event::Submitted(ticket, tx) => self.submitted(now, ticket, tx, &mut effects)?,
            Event::Received(peer, Received::Transactions(txs)) => {
                self.shared(now, peer, txs, &mut effects)?;
            }
            Event::Received(peer, Received::Message(message)) => {
                self.heard(now, peer, message, &mut effects)?;
            }
            Event::Received(peer, Received::Block(block)) => {
                self.offered(now, peer, *block, &mut effects)?;
            }
            Event::Received(peer, Received::Status(height, time)) => {
                self.clocks.word(now, peer, time);
                self.claimed(peer, height, &mut effects);
            }
            Event::Received(peer, Received::Ask(question)) => {
                self.asked(peer, question, &mut effects);
            }
            Event::Received(peer, Received::Tell(from, blocks)) => {
                self.told(peer, from, blocks, &mut effects);
            }
            Event::Checked(checked) => self.checked(now, checked, &mut effects)?,
            Event::Elapsed(Wake::Round(timer)) => {
                self.patience.ends(timer);
                if self.progress == Progress::Deciding {
                    let actions = self.engine.step(consensus::Input::Elapsed(timer))?;
                    self.perform(now, actions, &mut effects)?;
                }
            }
            Event::Elapsed(Wake::Idle) => self.begin(now, &mut effects)?,
            Event::Elapsed(Wake::Status) => {
                effects.push(self.status_frame(now, To::Everyone));
                effects.push(Effect::Set(Wake::Status, STATUS_MS));
                self.second(&mut effects);
            }
            Event::Elapsed(Wake::CatchUp) => self.tick(&mut effects),
            Event::Elapsed(Wake::Follow) => {
                if !matches!(self.progress, Progress::Committing(_)) {
                    self.settle_or_decide(now, &mut effects)?;
                }
            }
            Event::Elapsed(Wake::Serve) => self.refill(&mut effects),
            Event::Elapsed(Wake::Share) => self.unshared.flush(&mut effects),
            Event::Committed(height) => self.committed(now, height, &mut effects)?,
            Event::Connected(peer) => self.connected(now, peer, &mut effects),
            Event::Lost(peer) => {
                self.peers.remove(&peer);
                self.clocks.lost(&peer);
                self.bodies.lost(&peer);
                self.serve.lost(&peer);
                self.reconsider(now, peer, &mut effects);
                self.catchup_lost(peer, &mut effects);
            }
        }
        Ok(effects)
    }

    /// What an operator wants to know.
    #[must_use]
    pub fn status(&self) -> Status {
        let reachable = self.peers.keys().filter_map(|peer| self.seats.get(peer).copied());
        Status {
            tip: self.tip.clone(),
            round: (self.progress == Progress::Deciding).then(|| self.engine.at().1),
            proposer: self.turn.map(|(_, proposer)| proposer),
            reachable: reachable.chain(self.seat).collect(),
            highest: self.highest(),
            catching_up: self.fetching(),
            tally: (self.progress == Progress::Deciding).then(|| self.engine.tally()),
            clock: self.clocks.offset(),
            pending: self.pool.len(),
        }
    }

    /// The height of the last block.
    #[must_use]
    pub const fn height(&self) -> Height {
        self.tip.height
    }

    fn highest(&self) -> Height {
        let mut claims: Vec<Height> = self.peers.values().copied().collect();
        claims.sort_unstable();
        let liars = self.rules.committee().faults().min(claims.len().saturating_sub(1));
        claims.iter().rev().nth(liars).copied().unwrap_or_default().max(self.tip.height)
    }

    /// Whether a transaction waits to be proposed.
    #[must_use]
    pub fn is_pending(&self, id: &TxId) -> bool {
        self.pool.get(id).is_some()
    }

    /// Whether an entry of the journal is needed still, once all effects are performed: all that was said at the height under
    /// way is, and of its blocks those that it could give to others now. So a restart is left with no less.
    #[must_use]
    pub fn remembers(&self, entry: &[u8]) -> bool {
        match codec::decode::<Record>(entry) {
            Ok(Record::Block(_, block)) => self.bodies.get(&block.id()).is_some(),
            Ok(Record::Entry(_)) | Err(_) => true,
        }
    }

    /// The rules it follows.
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// What is committed.
    pub const fn state(&self) -> &S {
        &self.state
    }

    /// Its seat, if it has one.
    pub const fn seat(&self) -> Option<u16> {
        self.seat
    }

    fn connected(&mut self, now: Timestamp, peer: Peer, effects: &mut Vec<Effect>) {
        self.peers.insert(peer, Height::GENESIS);
        self.clocks.hears(now, peer);
        self.reconsider(now, peer, effects);
        effects.push(self.status_frame(now, To::One(peer)));
        // It missed what we said; a vote unheard can cost a round, a block unseen a height.
        for block in self.bodies.latest(2) {
            effects.push(block_frame(To::One(peer), block));
        }
        for message in &self.said {
            effects.push(message_frame(To::One(peer), message));
        }
        // What was passed on before anybody was here nobody else has, and so nobody begins a height for it.
        if let Some(frame) = share::first(self.pool.iter()) {
            effects.push(Effect::Send(To::One(peer), Channel::Transactions, frame));
        }
    }

    fn status_frame(&self, now: Timestamp, to: To) -> Effect {
        Effect::Send(to, Channel::Votes, codec::encode(&Frame::Status(self.tip.height, now)))
    }
}

fn message_frame(to: To, message: &Message) -> Effect {
    Effect::Send(to, Channel::Votes, codec::encode(&Frame::Message(message.clone())))
}

fn block_frame(to: To, block: &Block) -> Effect {
    Effect::Send(to, Channel::Proposals, codec::encode(block))
}

#[cfg(test)]
mod committee_tests;
#[cfg(test)]
mod tests;
