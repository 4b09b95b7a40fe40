//! The agenda of a simulated network: what happens next, to whom, and what follows from it.

use crate::{
    Dice, Failure, Plan, Report, Then, Trouble,
    checks::{Broken, Judge, Promise},
    clock::Clock,
    disk::{Disk, Fate},
    liars::{Liars, Stage},
    load::{self, Key, Order},
    net::{Net, Parcel, Sent},
};
use ledger::{PoolLimits, SharedMemory, query};
use replica::{Effect, Event, Offence, Received, Replica, Ticket, Voter, Wake};
use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};
use types::{
    ChainId, Genesis, Hash, Height, Round, SecretKey, Timestamp, TxId, Verified,
    hash::{Purpose, hash},
    net::{Channel, Peer, To},
};

/// A healed core must have agreed on new blocks, and seen to everything submitted, within this.
const PATIENCE_MS: u64 = 180_000;
/// How long a network without a quorum may still decide what was on its way, and how long it then must not.
const HUSH_MS: (u64, u64) = (10_000, 20_000);

struct Node {
    secret: SecretKey,
    peer: Peer,
    replica: Option<Replica<SharedMemory>>,
    disk: Disk,
    clock: Clock,
    /// For each alarm, the number of its last setting: older ones ring in vain.
    alarms: BTreeMap<Wake, u64>,
    /// How often it was started: what was on its way to an earlier life is lost.
    life: u64,
    /// Whether it never starts again.
    is_gone: bool,
}

#[derive(Debug)]
enum Happening {
    /// A message comes to the end of its link.
    Arrive(Parcel),
    /// An alarm rings, if it is still set.
    Alarm { node: usize, wake: Wake, setting: u64, life: u64 },
    /// An application submits the transaction of a ticket.
    Submit { node: usize, ticket: Ticket },
    /// A node starts.
    Start(usize),
    /// The others notice that a node died.
    Died(usize),
    /// A link is clogged.
    Clog(usize, usize),
    /// It is not any more.
    Unclog(usize, usize),
    /// A liar does something unprovoked.
    Mischief(usize),
    /// Fetched blocks were checked on another thread.
    Checked { node: usize, life: u64, unchecked: Box<replica::Unchecked> },
}

/// A network under simulation.
pub(crate) struct World {
    plan: Plan,
    dice: Dice,
    /// What a crash takes with it.
    losses: Dice,
    genesis: Genesis,
    chain: ChainId,
    nodes: Vec<Node>,
    net: Net,
    liars: Liars,
    judge: Judge,
    now: u64,
    sequence: u64,
    agenda: BTreeMap<(u64, u64), Happening>,
    healed: bool,
    trace: Hash,
    steps: u64,
    crashes: u64,
    settings: u64,
    /// What was submitted, by ticket.
    submitted: Vec<Verified>,
    /// What was refused since the healing.
    refused: BTreeSet<TxId>,
}

impl World {
    pub(crate) fn new(plan: Plan) -> Self {
        let genesis = load::genesis(&plan);
        let chain = genesis.chain();
        let mut dice = Dice::new(plan.seed, 1);
        let nodes = (0..plan.validators)
            .map(|seat| Node {
                secret: load::secret(Key::Consensus, seat),
                peer: Peer(*load::secret(Key::Transport, seat).public().as_bytes()),
                replica: None,
                disk: Disk::default(),
                clock: Clock::new(
                    &mut dice,
                    match plan.trouble(seat.into()) {
                        Some(Trouble::Clock(fault)) => Some(*fault),
                        Some(Trouble::Dies | Trouble::Lies { .. }) | None => None,
                    },
                ),
                alarms: BTreeMap::new(),
                life: 0,
                is_gone: false,
            })
            .collect();
        let orders = load::orders(&mut dice, &plan, chain);
        let mut world = Self {
            chain,
            nodes,
            net: Net::new(&plan),
            liars: Liars::new(&plan),
            judge: Judge::new(&plan, &genesis),
            genesis,
            dice,
            losses: Dice::new(plan.seed, 2),
            now: 0,
            sequence: 0,
            agenda: BTreeMap::new(),
            healed: false,
            trace: Hash::ZERO,
            steps: 0,
            crashes: 0,
            settings: 0,
            submitted: Vec::new(),
            refused: BTreeSet::new(),
            plan,
        };
        world.prepare(orders);
        world
    }

    fn prepare(&mut self, orders: Vec<Order>) {
        for node in 0..self.nodes.len() {
            let delay = self.dice.below(100);
            self.schedule(delay, Happening::Start(node));
            if self.liars.has(node) {
                self.schedule(delay + 200, Happening::Mischief(node));
            }
        }
        for (number, order) in (0..).zip(orders) {
            self.judge.submitted(&order.tx);
            let verified = order.tx.verify(&self.chain).expect("it was just signed");
            self.submitted.push(verified);
            // An application that gets no answer submits again, elsewhere.
            for again in 0..2 {
                let node = (order.node + again) % self.nodes.len();
                let extra = self.dice.below(2000);
                let ticket = Ticket(number);
                self.schedule(order.delay + extra, Happening::Submit { node, ticket });
            }
        }
    }

    /// Loss, repetition, delay, cuts, clogs, crashes, lies; safety is all that is asked.
    pub(crate) fn trouble(&mut self) -> Result<(), Broken> {
        let until = self.steps + self.plan.trouble_steps;
        while self.steps < until && self.advance()? {
            if self.dice.odds(self.plan.cuts_per_10000, 10_000) {
                let (from, to) = self.any_link();
                if self.net.toggle(from, to) && self.dice.odds(1, 2) {
                    self.meet(from, to)?;
                }
            }
            if self.dice.odds(self.plan.cuts_per_10000, 70_000) {
                self.net.join_all();
            }
            if self.dice.odds(self.plan.clogs_per_10000, 10_000) {
                self.swizzle();
            }
            if self.dice.odds(1, 500) {
                let node = self.dice.below_usize(self.nodes.len());
                self.nodes[node].clock.step(&mut self.dice);
            }
        }
        Ok(())
    }

    fn any_link(&mut self) -> (usize, usize) {
        (self.dice.below_usize(self.nodes.len()), self.dice.below_usize(self.nodes.len()))
    }

    /// Clogs a random part of the links one by one, and unclogs them in another order.
    fn swizzle(&mut self) {
        let nodes = self.nodes.len();
        let mut links: Vec<_> = (0..nodes * nodes)
            .filter(|_| self.dice.odds(1, 3))
            .map(|link| (link / nodes, link % nodes))
            .collect();
        let mut at = 0;
        for (from, to) in &links {
            at += self.dice.below(200);
            self.schedule(at, Happening::Clog(*from, *to));
        }
        while !links.is_empty() {
            at += self.dice.below(400);
            let (from, to) = links.swap_remove(self.dice.below_usize(links.len()));
            self.schedule(at, Happening::Unclog(from, to));
        }
    }

    /// From here on the network works, and the core of the validators lives; everything submitted must come to an end.
    pub(crate) fn heal(&mut self) -> Result<(), Broken> {
        self.healed = true;
        self.judge.heals(self.now);
        for parcel in self.net.heal() {
            self.schedule(1, Happening::Arrive(parcel));
        }
        for node in 0..self.nodes.len() {
            match self.plan.trouble(node) {
                Some(Trouble::Dies | Trouble::Lies { then: Then::Die, .. }) => {
                    self.nodes[node].is_gone = true;
                    if self.nodes[node].replica.take().is_some() {
                        self.tell_lost(node)?;
                    }
                }
                Some(Trouble::Lies { then: Then::Behave, .. }) => self.liars.reform(node),
                Some(Trouble::Lies { then: Then::LieOn, .. } | Trouble::Clock(_)) | None => {}
            }
            self.schedule(1, Happening::Start(node));
        }
        self.meet_all()?;
        let core = self.plan.core();
        for ticket in 0..self.submitted.len() {
            let node = core[self.dice.below_usize(core.len())];
            let ticket = Ticket(u64::try_from(ticket).unwrap_or(0));
            self.schedule(50, Happening::Submit { node, ticket });
        }
        self.advance_core(3)
    }

    /// More validators than may fail fall silent; they hear, but nobody hears them. Nothing may be agreed on, until they
    /// speak again.
    pub(crate) fn hush(&mut self) -> Result<(), Broken> {
        let mut core = self.plan.core();
        for _ in 0..=self.plan.faults() {
            let muted = core.swap_remove(self.dice.below_usize(core.len()));
            self.net.mute(muted);
        }
        self.advance_for(HUSH_MS.0)?;
        let height = self.judge.tip().height;
        self.advance_for(HUSH_MS.1)?;
        if self.judge.tip().height != height {
            let what = format!("block {} without a quorum", self.judge.tip().height);
            return Err((Promise::Halt, what));
        }
        self.net.join_all();
        self.judge.heals(self.now);
        self.meet_all()?;
        self.advance_core(2)
    }

    /// Whether the plan wants that.
    pub(crate) const fn is_to_hush(&self) -> bool {
        self.plan.hush
    }

    fn advance_for(&mut self, milliseconds: u64) -> Result<(), Broken> {
        let until = self.now + milliseconds;
        while self.now < until && self.advance()? {}
        Ok(())
    }

    /// Goes on until the core has agreed on so many more blocks, and everything submitted has come to an end.
    fn advance_core(&mut self, blocks: u64) -> Result<(), Broken> {
        let (deadline, target) = (self.now + PATIENCE_MS, self.judge.tip().height.plus(blocks));
        let mut count = 0_u64;
        loop {
            // Looking at everything after each step would cost more than the steps.
            if count.is_multiple_of(16) && self.lowest() >= target && self.unresolved().is_empty() {
                return Ok(());
            }
            count += 1;
            if self.now > deadline {
                let heights: Vec<_> =
                    self.nodes.iter().map(|node| query::height(node.disk.ledger()).0).collect();
                let unresolved = self.unresolved();
                let what = format!(
                    "within {PATIENCE_MS} ms: heights {heights:?}, target {target}, unresolved {unresolved:?}"
                );
                return Err((Promise::Progress, what));
            }
            if !self.advance()? {
                return Err((Promise::Progress, "nothing left to happen".to_owned()));
            }
        }
    }

    fn lowest(&self) -> Height {
        let height = |node: usize| query::height(self.nodes[node].disk.ledger());
        self.plan.core().into_iter().map(height).min().unwrap_or_default()
    }

    /// Transactions that are neither committed on the whole core, nor refused and waiting nowhere.
    fn unresolved(&self) -> Vec<TxId> {
        let core = self.plan.core();
        let is_resolved = |id: &TxId| {
            if self.judge.is_committed(id) {
                let ledger = |node: &usize| self.nodes[*node].disk.ledger();
                return core.iter().all(|node| query::place(ledger(node), id).is_some());
            }
            let replica = |node: &usize| self.nodes[*node].replica.as_ref();
            self.refused.contains(id)
                && !core.iter().filter_map(replica).any(|replica| replica.is_pending(id))
        };
        let ids = self.submitted.iter().map(|tx| tx.id());
        ids.filter(|id| !is_resolved(id)).collect()
    }

    /// The failure that a broken promise is.
    pub(crate) fn failure(&self, (promise, what): Broken) -> Failure {
        Failure { seed: self.plan.seed, at_ms: self.now, step: self.steps, promise, what }
    }

    /// The next thing that happens. False when nothing is left to.
    fn advance(&mut self) -> Result<bool, Broken> {
        let Some(((at, _), happening)) = self.agenda.pop_first() else { return Ok(false) };
        self.now = at;
        self.steps += 1;
        match happening {
            Happening::Arrive(parcel) => self.arrive(parcel)?,
            Happening::Alarm { node, wake, setting, life } => {
                let alarms = &self.nodes[node].alarms;
                if self.nodes[node].life == life && alarms.get(&wake) == Some(&setting) {
                    self.step(node, Event::Elapsed(wake))?;
                }
            }
            Happening::Submit { node, ticket } => {
                let tx = usize::try_from(ticket.0).ok().and_then(|at| self.submitted.get(at));
                let tx = tx.expect("tickets number what was submitted").clone();
                self.step(node, Event::Submitted(ticket, tx))?;
            }
            Happening::Start(node) => self.start(node)?,
            Happening::Died(node) => self.died(node)?,
            Happening::Clog(from, to) if !self.healed => self.net.clog(from, to),
            Happening::Clog(..) => {}
            Happening::Unclog(from, to) => {
                for parcel in self.net.unclog(from, to) {
                    let delay = 1 + self.dice.below(20);
                    self.schedule(delay, Happening::Arrive(parcel));
                }
            }
            Happening::Mischief(node) => self.mischief(node)?,
            Happening::Checked { node, life, unchecked } => {
                if self.nodes[node].life == life {
                    self.step(node, Event::Checked(unchecked.check()))?;
                }
            }
        }
        Ok(true)
    }

    fn schedule(&mut self, delay: u64, happening: Happening) {
        self.sequence += 1;
        self.agenda.insert((self.now + delay, self.sequence), happening);
    }

    fn clock(&self, node: usize) -> Timestamp {
        self.nodes[node].clock.read(self.now)
    }

    fn arrive(&mut self, parcel: Parcel) -> Result<(), Broken> {
        if self.nodes[parcel.to].life != parcel.life {
            return Ok(());
        }
        let Some(Parcel { from, to, sent, .. }) = self.net.arrive(parcel) else { return Ok(()) };
        let Some(replica) = &self.nodes[to].replica else { return Ok(()) };
        // What cannot be decoded never comes as far as the replica.
        let Ok(received) = &sent.received else { return Ok(()) };
        self.liars.hears(to, &sent);
        if self.judge.suspects(received) && !self.plan.is_liar(to) {
            self.judge.hears(to, &replica.status(), received)?;
        }
        let peer = self.nodes[from].peer;
        self.step(to, Event::Received(peer, received.clone()))
    }

    fn start(&mut self, node: usize) -> Result<(), Broken> {
        if self.nodes[node].replica.is_some() || self.nodes[node].is_gone {
            return Ok(());
        }
        let now = self.clock(node);
        let at = &mut self.nodes[node];
        at.life += 1;
        at.alarms.clear();
        self.judge.starts(node, at.disk.ledger())?;
        let mut restored = restore(&self.genesis, at, now);
        if restored.is_err() && self.plan.is_liar(node) {
            // It heard its own lies from others and cannot tell them from what it said; so it forgets everything.
            self.nodes[node].disk.forget();
            restored = restore(&self.genesis, &mut self.nodes[node], now);
        }
        let (replica, effects) = restored
            .map_err(|stuck| (Promise::Service, format!("node {node} does not start: {stuck}")))?;
        self.nodes[node].replica = Some(replica);
        self.perform(node, effects)?;
        self.sync(node);
        (0..self.nodes.len()).try_for_each(|other| self.meet(node, other))
    }

    /// Two nodes that both live can speak to one another.
    fn meet(&mut self, one: usize, other: usize) -> Result<(), Broken> {
        for (node, peer) in [(one, other), (other, one)] {
            if one != other && self.nodes[peer].replica.is_some() {
                let peer = self.nodes[peer].peer;
                self.step(node, Event::Connected(peer))?;
            }
        }
        Ok(())
    }

    fn meet_all(&mut self) -> Result<(), Broken> {
        for one in 0..self.nodes.len() {
            for other in 0..one {
                self.meet(one, other)?;
            }
        }
        Ok(())
    }

    /// A node is no more, until it is started again. What it sent may arrive or not, and what it committed and did not
    /// sync may be there or not.
    fn die(&mut self, node: usize) {
        self.crashes += 1;
        let at = &mut self.nodes[node];
        at.replica = None;
        let lost = self.losses.below_usize(at.disk.unsynced() + 1);
        at.disk.lose(lost);
        let kept = [0, 1, 2][self.dice.below_usize(3)];
        let dice = &mut self.dice;
        self.agenda.retain(|_, happening| match happening {
            Happening::Arrive(parcel) => parcel.from != node || dice.below(2) < kept,
            Happening::Alarm { .. }
            | Happening::Submit { .. }
            | Happening::Start(_)
            | Happening::Died(_)
            | Happening::Clog(..)
            | Happening::Unclog(..)
            | Happening::Mischief(_)
            | Happening::Checked { .. } => true,
        });
        self.schedule(0, Happening::Died(node));
    }

    fn died(&mut self, node: usize) -> Result<(), Broken> {
        let delay = 50 + self.dice.below(3000);
        self.schedule(delay, Happening::Start(node));
        self.tell_lost(node)
    }

    fn tell_lost(&mut self, node: usize) -> Result<(), Broken> {
        let peer = self.nodes[node].peer;
        (0..self.nodes.len())
            .filter(|other| *other != node)
            .try_for_each(|other| self.step(other, Event::Lost(peer)))
    }

    /// A node hears of something, and does what follows.
    fn step(&mut self, node: usize, event: Event) -> Result<(), Broken> {
        self.react(node, event)?;
        self.sync(node);
        Ok(())
    }

    /// Before it waits for what happens next, and before anybody may learn of it, what a node committed is synced.
    fn sync(&mut self, node: usize) {
        let at = &mut self.nodes[node];
        if at.replica.is_some() && at.disk.sync() {
            self.judge.synced(node, at.disk.ledger());
        }
    }

    fn react(&mut self, node: usize, event: Event) -> Result<(), Broken> {
        let now = self.clock(node);
        let Some(replica) = self.nodes[node].replica.as_mut() else { return Ok(()) };
        match replica.step(now, event) {
            Ok(effects) => self.perform(node, effects),
            Err(_) if self.plan.is_liar(node) => {
                // Its lies came back to it.
                self.nodes[node].disk.forget();
                self.die(node);
                Ok(())
            }
            Err(stuck) => Err((Promise::Service, format!("node {node} stops: {stuck}"))),
        }
    }

    /// Does what a node wants, in order; in trouble, it may crash at any of the things it wants.
    fn perform(&mut self, node: usize, effects: Vec<Effect>) -> Result<(), Broken> {
        for effect in effects {
            if !self.healed && self.dice.odds(self.plan.crash_per_10000, 10_000) {
                let fate = [Fate::Done, Fate::Lost, Fate::Torn][self.dice.below_usize(3)];
                if fate != Fate::Lost && effect.waits_for_sync() {
                    self.sync(node);
                }
                if fate != Fate::Lost || !effect.waits_for_sync() {
                    self.act(node, effect, fate, true)?;
                }
                self.die(node);
                return Ok(());
            }
            if effect.waits_for_sync() {
                self.sync(node);
            }
            self.act(node, effect, Fate::Done, false)?;
            if self.nodes[node].replica.is_none() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Does one thing, as far as its fate lets it.
    fn act(
        &mut self,
        node: usize,
        effect: Effect,
        fate: Fate,
        is_last: bool,
    ) -> Result<(), Broken> {
        match effect {
            Effect::Journal(entries) => {
                for entry in &entries {
                    self.note(node, entry);
                    if fate == Fate::Done {
                        self.judge.journals(node, entry)?;
                    }
                }
                self.nodes[node].disk.append(entries, fate);
            }
            Effect::Sign(signed) => {
                self.note(node, signed.signature.to_string().as_bytes());
                self.judge.signs(node, self.nodes[node].disk.signed(), signed)?;
                self.nodes[node].disk.remember(signed, fate);
            }
            Effect::Commit(commit) => {
                let height = commit.certified().height();
                self.note(node, commit.certified().block().id().as_bytes());
                self.judge.commits(node, self.nodes[node].disk.ledger(), &commit, self.now)?;
                if self.nodes[node].disk.commit(&commit, fate) {
                    self.judge.committed(node, self.nodes[node].disk.ledger())?;
                    if !is_last {
                        self.react(node, Event::Committed(height))?;
                    }
                }
            }
            Effect::Send(to, channel, bytes) => {
                self.note(node, &bytes);
                let reached = match fate {
                    Fate::Done => self.nodes.len(),
                    Fate::Lost => 0,
                    Fate::Torn => self.dice.below_usize(self.nodes.len()),
                };
                self.send(node, to, channel, bytes, reached)?;
            }
            Effect::Set(wake, delay) => self.alarm(node, wake, delay),
            Effect::Cancel(wake) => {
                self.nodes[node].alarms.remove(&wake);
            }
            Effect::CancelRounds => {
                self.nodes[node].alarms.retain(|wake, _| !matches!(wake, Wake::Round(_)));
            }
            Effect::Answer(_, Ok(_)) => self.answers(node)?,
            Effect::Answer(ticket, Err(rejection)) => {
                self.answers(node)?;
                self.note(node, rejection.code().as_bytes());
                let tx = usize::try_from(ticket.0).ok().and_then(|at| self.submitted.get(at));
                self.refuse(tx.expect("tickets number what was submitted").id());
            }
            Effect::Refused(id, rejection) => {
                self.answers(node)?;
                self.note(node, rejection.code().as_bytes());
                self.refuse(id);
            }
            Effect::Blame(peer, offence) => self.blame(node, peer, &offence)?,
            Effect::Accuse(evidence) => self.judge.accuses(node, &evidence)?,
            Effect::Check(unchecked) => {
                let (life, delay) = (self.nodes[node].life, 1 + self.dice.below(4));
                self.schedule(delay, Happening::Checked { node, life, unchecked });
            }
            // Every node of this world may speak with every other.
            Effect::Admit(_) => {}
        }
        Ok(())
    }

    fn answers(&self, node: usize) -> Result<(), Broken> {
        self.judge.answers(node, self.nodes[node].disk.unsynced())
    }

    fn refuse(&mut self, id: TxId) {
        if self.healed {
            self.refused.insert(id);
        }
    }

    /// Of an honest node only lateness can be said, by an honest one.
    fn blame(&self, node: usize, peer: Peer, offence: &Offence) -> Result<(), Broken> {
        let blamed = self.nodes.iter().position(|other| other.peer == peer);
        let is_honest = blamed.is_some_and(|blamed| !self.plan.is_liar(blamed));
        match offence {
            Offence::Silence | Offence::CatchUp(_) => Ok(()),
            Offence::Bytes { .. } | Offence::Transaction(_) | Offence::Block { .. } => {
                if is_honest && !self.plan.is_liar(node) {
                    let what = format!("node {node} blames the honest {blamed:?}: {offence}");
                    return Err((Promise::Service, what));
                }
                Ok(())
            }
        }
    }

    fn note(&mut self, node: usize, bytes: &[u8]) {
        let at = [self.now.to_le_bytes(), u64::try_from(node).unwrap_or(0).to_le_bytes()].concat();
        self.trace = hash(Purpose::Trace, &[self.trace.as_bytes(), &at, bytes]);
    }

    fn alarm(&mut self, node: usize, wake: Wake, delay: u64) {
        self.settings += 1;
        let (setting, life) = (self.settings, self.nodes[node].life);
        self.nodes[node].alarms.insert(wake, setting);
        self.schedule(delay.max(1), Happening::Alarm { node, wake, setting, life });
    }

    /// Sends what a node says to those of the first `reached` nodes that it is for; a liar says something else.
    fn send(
        &mut self,
        from: usize,
        to: To,
        channel: Channel,
        bytes: Vec<u8>,
        reached: usize,
    ) -> Result<(), Broken> {
        let sent = Sent::new(&self.chain, channel, bytes);
        if !self.plan.is_liar(from) {
            match &sent.received {
                Ok(said) if reached > 0 => {
                    self.judge.tells(from, said)?;
                    if let Received::Message(message) = said {
                        self.judge.says(message)?;
                    }
                }
                Ok(_) => {}
                Err(offence) => {
                    return Err((Promise::Service, format!("node {from} sends: {offence}")));
                }
            }
        }
        for index in 0..reached {
            let wanted = match to {
                To::Everyone => index != from,
                To::One(peer) => self.nodes[index].peer == peer,
            };
            if !wanted {
                continue;
            }
            if self.liars.has(from) {
                let stage = stage(&self.chain, &self.judge, &self.nodes[from]);
                for lie in self.liars.bend(&stage, (from, index), &sent) {
                    self.post(from, index, &lie);
                }
            } else {
                self.post(from, index, &sent);
            }
        }
        Ok(())
    }

    fn post(&mut self, from: usize, to: usize, sent: &Rc<Sent>) {
        let life = self.nodes[to].life;
        for delay in self.net.post(&mut self.dice, self.now, (from, to), sent) {
            let sent = sent.clone();
            self.schedule(delay, Happening::Arrive(Parcel { from, to, life, sent }));
        }
    }

    fn mischief(&mut self, node: usize) -> Result<(), Broken> {
        if !self.liars.has(node) || self.nodes[node].is_gone {
            return Ok(());
        }
        let again = 100 + self.dice.below(700);
        self.schedule(again, Happening::Mischief(node));
        if self.nodes[node].replica.is_none() {
            return Ok(());
        }
        let stage = stage(&self.chain, &self.judge, &self.nodes[node]);
        let (lies, forgets) = self.liars.mischief(&stage, node);
        for (to, lie) in lies {
            self.post(node, to, &lie);
        }
        if forgets {
            self.nodes[node].disk.forget();
            self.die(node);
        }
        Ok(())
    }

    /// The end: everyone who is honest holds what was agreed on, and every record can be proven.
    pub(crate) fn report(&self) -> Result<Report, Broken> {
        let core = self.plan.core();
        for (node, at) in self.nodes.iter().enumerate() {
            self.judge.inspects(node, at.disk.ledger(), core.first() == Some(&node))?;
        }
        let tip = self.judge.tip();
        Ok(Report {
            trace: self.trace,
            height: tip.height.0,
            records: tip.log.size(),
            steps: self.steps,
            crashes: self.crashes,
            accusations: self.judge.accusations(),
            simulated_ms: self.now,
        })
    }
}

type Restored = Result<(Replica<SharedMemory>, Vec<Effect>), consensus::Stuck>;

fn restore(genesis: &Genesis, node: &mut Node, now: Timestamp) -> Restored {
    let (journal, signed) = node.disk.open();
    let voter = Voter { signed, ..Voter::new(node.secret.clone()) };
    let ledger = node.disk.ledger().clone();
    Replica::restore(genesis, voter, ledger, &journal, now, PoolLimits::default())
}

fn stage<'a>(chain: &'a ChainId, judge: &'a Judge, node: &'a Node) -> Stage<'a> {
    let round = node.replica.as_ref().and_then(|replica| replica.status().round);
    Stage {
        chain,
        rules: judge.rules(),
        ledger: node.disk.ledger(),
        round: round.unwrap_or(Round(0)),
    }
}
