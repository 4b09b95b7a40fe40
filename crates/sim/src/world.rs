//! The network, the disks and the judge of a simulation.

use crate::{Dice, Plan, Report};
use consensus::{Evidence, Signed};
use ledger::{Column, Memory, PoolLimits, State, prove, query};
use replica::{Effect, Event, Received, Replica, Ticket, Voter, Wake, receive};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};
use types::{
    Agency, AgencyCode, BlockId, ChainId, Digest, Genesis, Hash, Height, Operation, Region, Role,
    SecretKey, Timestamp, Transaction, TxId, Verified,
    agency::Level,
    genesis::{GovernanceRules, Limits, Seat, Timing},
    hash::{Purpose, hash},
    net::{Channel, Peer, To},
    operation::{
        Action, Commitment, EventType, Grade, LicenceAction, LicenceFacts, LicenceVerb, Provenance,
        TraceEvent,
    },
    subject::Part,
    vote::{Message, Step},
};

/// A healed network must have committed everything within this.
const PATIENCE_MS: u64 = 120_000;
const CODES: [&str; 10] = [
    "11350000MXDEX0015L",
    "11350000MXDEX0023F",
    "11350000MXDEX0031A",
    "11350000MXDEX004X2",
    "11350100MXDEX00587",
    "11350122MXDEX0066X",
    "11350000MXDEX0074P",
    "11350200MXDEX0082W",
    "11350300MXDEX0090W",
    "11350000MXDEX01033",
];

/// A disk: what is synced stays.
#[derive(Clone, Debug, Default)]
struct Disk(Rc<RefCell<Memory>>);

impl State for Disk {
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

struct Node {
    secret: SecretKey,
    peer: Peer,
    replica: Option<Replica<Disk>>,
    disk: Disk,
    journal: Vec<Vec<u8>>,
    /// What is remembered beside the key.
    signed: Option<Signed>,
    /// For each alarm, the number of its last setting: older ones ring in vain.
    alarms: BTreeMap<Wake, u64>,
    /// How often it was started: what was on its way to an earlier life is lost.
    life: u64,
    /// How far its clock is from true time.
    clock_skew_ms: i64,
}

#[derive(Debug)]
enum Happening {
    Deliver { from: usize, life: u64, channel: Channel, bytes: Vec<u8> },
    Lie { from: usize, life: u64, received: Box<Received> },
    Alarm { wake: Wake, setting: u64, life: u64 },
    Submit(Box<Verified<Transaction>>),
    Checked { life: u64, unchecked: Box<replica::Unchecked> },
    Start,
    Crash,
}

/// A network under simulation.
pub struct World {
    plan: Plan,
    dice: Dice,
    genesis: Genesis,
    chain: ChainId,
    nodes: Vec<Node>,
    now: u64,
    sequence: u64,
    agenda: BTreeMap<(u64, u64), (usize, Happening)>,
    /// Directed links that carry nothing at present.
    cut: BTreeSet<(usize, usize)>,
    healed: bool,
    trace: Hash,
    steps: u64,
    crashes: u64,
    settings: u64,
    /// What the network has agreed on.
    agreed: BTreeMap<Height, BlockId>,
    /// What each key has said: one thing for each kind, height and round.
    spoken: BTreeMap<(u16, u8, Height, u32), Option<BlockId>>,
    submitted: BTreeMap<TxId, Transaction>,
    refused: BTreeSet<TxId>,
}

impl core::fmt::Debug for World {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("World")
            .field("plan", &self.plan)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// A genesis of so many validators whose secrets are small numbers; every agency may record anything.
///
/// # Panics
/// With more validators than there are codes.
#[must_use]
pub(crate) fn genesis(validators: u16) -> Genesis {
    let all = || Region::new("350000").expect("Fujian is a region");
    let code = |n: u16| AgencyCode::new(CODES[usize::from(n)]).expect("the codes are sound");
    Genesis {
        version: types::genesis::VERSION,
        name: "simulation".parse().expect("a short name"),
        time: Timestamp(1_700_000_000_000),
        limits: Limits {
            block_bytes_max: 1 << 20,
            block_operations_max: 50,
            validity_heights_max: 100_000,
        },
        timing: Timing {
            propose_ms: 300,
            vote_ms: 150,
            round_step_ms: 100,
            timeout_max_ms: 3000,
            idle_ms: 400,
            clock_ahead_ms: 500,
        },
        governance: GovernanceRules { approval_percent: 67, open_heights: 100, lead_heights: 2 },
        agencies: (0..validators)
            .map(|n| Agency {
                code: code(n),
                name: format!("机构{n}").parse().expect("a short name"),
                region: all(),
                level: Level::Province,
                parent: None,
                keys: vec![secret(0, n).public()],
                roles: vec![
                    Role::Item { regions: vec![all()] },
                    Role::Licence {
                        types: vec!["T".parse().expect("short")],
                        regions: vec![all()],
                    },
                    Role::Trace { namespaces: vec!["urn:".parse().expect("short")] },
                ],
            })
            .collect(),
        validators: (0..validators)
            .map(|n| Seat {
                agency: code(n),
                consensus_key: secret(1, n).public(),
                transport_key: secret(2, n).public(),
            })
            .collect(),
    }
}

fn secret(kind: u8, n: u16) -> SecretKey {
    let mut seed = [kind; 32];
    seed[..2].copy_from_slice(&n.to_le_bytes());
    SecretKey::from_seed(seed)
}

impl World {
    pub(crate) fn new(plan: Plan) -> Self {
        let genesis = genesis(plan.validators);
        let mut dice = Dice::new(plan.seed, 1);
        let nodes = (0..plan.validators)
            .map(|n| Node {
                secret: secret(1, n),
                peer: Peer(*secret(2, n).public().as_bytes()),
                replica: None,
                disk: Disk::default(),
                journal: Vec::new(),
                signed: None,
                alarms: BTreeMap::new(),
                life: 0,
                clock_skew_ms: i64::try_from(dice.below(200)).unwrap_or(0) - 100,
            })
            .collect();
        let mut world = Self {
            plan,
            dice,
            chain: genesis.chain(),
            genesis,
            nodes,
            now: 0,
            sequence: 0,
            agenda: BTreeMap::new(),
            cut: BTreeSet::new(),
            healed: false,
            trace: Hash::ZERO,
            steps: 0,
            crashes: 0,
            settings: 0,
            agreed: BTreeMap::new(),
            spoken: BTreeMap::new(),
            submitted: BTreeMap::new(),
            refused: BTreeSet::new(),
        };
        for node in 0..world.nodes.len() {
            let delay = world.dice.below(100);
            world.schedule(delay, node, Happening::Start);
        }
        world.prepare_load();
        world
    }

    fn schedule(&mut self, delay: u64, node: usize, happening: Happening) {
        self.sequence += 1;
        self.agenda.insert((self.now + delay, self.sequence), (node, happening));
    }

    /// Transactions by every agency, some of which depend on one another, at random nodes and times.
    fn prepare_load(&mut self) {
        for n in 0..self.plan.transactions {
            let agency = u16::try_from(self.dice.below(self.plan.validators.into())).unwrap_or(0);
            let code = self.genesis.agencies[usize::from(agency)].code;
            let count = 1 + self.dice.below(3);
            let operations = (0..count).map(|m| self.operation(n * 10 + m)).collect();
            let deadline = Height(50_000);
            let tx =
                Transaction::sign(self.chain, code, &secret(0, agency), n, deadline, operations);
            self.submitted.insert(tx.id(), tx.clone());
            let verified = tx.verify(&self.chain).expect("it was just signed");
            let (delay, node) = (self.dice.below(8000), self.dice.below_usize(self.nodes.len()));
            // An application that gets no answer submits again, elsewhere.
            for again in 0..2 {
                let node = (node + again) % self.nodes.len();
                let extra = self.dice.below(2000);
                self.schedule(delay + extra, node, Happening::Submit(Box::new(verified.clone())));
            }
        }
    }

    fn operation(&mut self, n: u64) -> Operation {
        let text = |s: String| s.parse().expect("short identifiers");
        let action = if self.dice.odds(1, 2) {
            Action::Licence(LicenceAction {
                licence: format!("L{n}").parse().expect("short"),
                verb: LicenceVerb::Issue(LicenceFacts {
                    kind: "T1".parse().expect("short"),
                    region: Region::new("350100").expect("Fuzhou is a region"),
                    valid_from: Timestamp(0),
                    valid_until: None,
                }),
            })
        } else {
            // Few lots, so that histories grow and transactions meet.
            let mut lots: Vec<_> = (0..1 + self.dice.below(3))
                .map(|_| (text(format!("urn:lot:{}", self.dice.below(6))), Part::Observed))
                .collect();
            lots.sort();
            lots.dedup();
            Action::Trace(TraceEvent {
                event: EventType::Object,
                id: None,
                time: Timestamp(n),
                step: None,
                lots,
                cbv_hash: None,
                corrects: None,
            })
        };
        Operation {
            action,
            commitment: Commitment {
                document: Digest::blake3(&n.to_le_bytes()),
                content: Digest::blake3(&n.to_le_bytes()),
                fields: None,
            },
            effective_from: Timestamp(n),
            grade: Grade::Public,
            provenance: Provenance {
                system: "sim".parse().expect("short"),
                version: "1".parse().expect("short"),
                captured_at: Timestamp(n),
            },
        }
    }

    /// Loss, repetition, delay, cuts and crashes; safety is all that is asked.
    pub(crate) fn trouble(&mut self) -> Result<(), String> {
        let until = self.steps + self.plan.trouble_steps;
        while self.steps < until && self.advance()? {
            if self.dice.odds(1, 60) {
                let pair = (
                    self.dice.below_usize(self.nodes.len()),
                    self.dice.below_usize(self.nodes.len()),
                );
                if !self.cut.remove(&pair) {
                    self.cut.insert(pair);
                }
            }
            if self.dice.odds(1, 400) {
                self.cut.clear();
            }
        }
        Ok(())
    }

    /// From here on everything works; everything submitted must come to an end.
    pub(crate) fn heal(&mut self) -> Result<(), String> {
        self.healed = true;
        self.cut.clear();
        for node in 0..self.nodes.len() {
            if self.nodes[node].replica.is_none() {
                self.schedule(1, node, Happening::Start);
            }
            // Links that were cut come back: both ends notice.
            for other in 0..self.nodes.len() {
                if node != other {
                    self.connect(node, other)?;
                }
            }
        }
        let all: Vec<_> = self.submitted.values().cloned().collect();
        for tx in all {
            let verified = tx.verify(&self.chain).expect("it verified before");
            let node = self.dice.below_usize(self.nodes.len());
            self.schedule(50, node, Happening::Submit(Box::new(verified)));
        }
        let (deadline, target) = (self.now + PATIENCE_MS, self.lowest().plus(3));
        while self.lowest() < target || !self.all_resolved() {
            if self.now > deadline {
                return Err(self.failure(&format!(
                    "no progress after healing: heights {:?}, target {target}, unresolved {:?}",
                    self.nodes.iter().map(|node| query::height(&node.disk).0).collect::<Vec<_>>(),
                    self.submitted.keys().filter(|id| !self.is_resolved(id)).collect::<Vec<_>>(),
                )));
            }
            if !self.advance()? {
                return Err(self.failure("nothing left to happen"));
            }
        }
        Ok(())
    }

    fn lowest(&self) -> Height {
        self.nodes.iter().map(|node| query::height(&node.disk)).min().unwrap_or_default()
    }

    fn is_resolved(&self, id: &TxId) -> bool {
        self.refused.contains(id)
            || self.nodes.iter().all(|node| query::place(&node.disk, id).is_some())
    }

    fn all_resolved(&self) -> bool {
        self.submitted.keys().all(|id| self.is_resolved(id))
    }

    fn failure(&self, what: &str) -> String {
        format!("seed {}: at {} ms, step {}: {what}", self.plan.seed, self.now, self.steps)
    }

    /// The next thing that happens. False when nothing is left to.
    fn advance(&mut self) -> Result<bool, String> {
        let Some(((at, _), (index, happening))) = self.agenda.pop_first() else { return Ok(false) };
        self.now = at;
        self.steps += 1;
        match happening {
            Happening::Start => self.start(index)?,
            Happening::Crash => self.crash(index)?,
            Happening::Submit(tx) => self.step(index, Event::Submitted(Ticket(0), *tx))?,
            Happening::Checked { life, unchecked } => {
                if self.nodes[index].life == life {
                    self.step(index, Event::Checked(unchecked.check()))?;
                }
            }
            Happening::Alarm { wake, setting, life } => {
                let node = &self.nodes[index];
                if node.life == life && node.alarms.get(&wake) == Some(&setting) {
                    self.step(index, Event::Elapsed(wake))?;
                }
            }
            Happening::Lie { from, life, received } => {
                if self.nodes[index].life == life && !self.cut.contains(&(from, index)) {
                    let peer = self.nodes[from].peer;
                    self.step(index, Event::Received(peer, *received))?;
                }
            }
            Happening::Deliver { from, life, channel, bytes } => {
                if self.nodes[index].life == life && !self.cut.contains(&(from, index)) {
                    let received: Received =
                        receive(&self.chain, channel, &bytes).map_err(|offence| {
                            self.failure(&format!("an honest node sent nonsense: {offence}"))
                        })?;
                    let peer = self.nodes[from].peer;
                    self.step(index, Event::Received(peer, received))?;
                }
            }
        }
        Ok(true)
    }

    fn clock(&self, index: usize) -> Timestamp {
        let true_time = 1_700_000_000_000 + self.now;
        Timestamp(true_time.saturating_add_signed(self.nodes[index].clock_skew_ms))
    }

    fn start(&mut self, index: usize) -> Result<(), String> {
        if self.nodes[index].replica.is_some() {
            return Ok(());
        }
        let now = self.clock(index);
        let node = &mut self.nodes[index];
        node.life += 1;
        node.alarms.clear();
        let (disk, journal) = (node.disk.clone(), node.journal.clone());
        let voter = Voter { signed: node.signed, ..Voter::new(node.secret.clone()) };
        let mut restored =
            Replica::restore(&self.genesis, voter, disk, &journal, now, PoolLimits::default());
        if restored.is_err() && self.plan.liar.is_some_and(|liar| usize::from(liar) == index) {
            // It heard its own lies from others and cannot tell them from what it said; so it forgets everything.
            self.nodes[index].journal.clear();
            let (disk, limits) = (self.nodes[index].disk.clone(), PoolLimits::default());
            let voter = Voter::new(self.nodes[index].secret.clone());
            restored = Replica::restore(&self.genesis, voter, disk, &[], now, limits);
        }
        let (replica, effects) =
            restored.map_err(|stuck| self.failure(&format!("node {index}: {stuck}")))?;
        self.nodes[index].replica = Some(replica);
        self.perform(index, effects)?;
        for other in 0..self.nodes.len() {
            if other != index && self.nodes[other].replica.is_some() {
                self.connect(index, other)?;
                self.connect(other, index)?;
            }
        }
        Ok(())
    }

    fn connect(&mut self, index: usize, other: usize) -> Result<(), String> {
        let peer = self.nodes[other].peer;
        if self.nodes[other].replica.is_some() {
            self.step(index, Event::Connected(peer))
        } else {
            Ok(())
        }
    }

    fn crash(&mut self, index: usize) -> Result<(), String> {
        self.crashes += 1;
        self.nodes[index].replica = None;
        let delay = 50 + self.dice.below(3000);
        self.schedule(delay, index, Happening::Start);
        let peer = self.nodes[index].peer;
        (0..self.nodes.len())
            .filter(|other| *other != index)
            .try_for_each(|other| self.step(other, Event::Lost(peer)))
    }

    fn step(&mut self, index: usize, event: Event) -> Result<(), String> {
        let now = self.clock(index);
        let Some(replica) = self.nodes[index].replica.as_mut() else { return Ok(()) };
        let effects = replica
            .step(now, event)
            .map_err(|stuck| self.failure(&format!("node {index}: {stuck}")))?;
        self.perform(index, effects)
    }

    /// Does what a node wants, in order; in trouble, a crash may come between any two things it wants.
    fn perform(&mut self, index: usize, effects: Vec<Effect>) -> Result<(), String> {
        for effect in effects {
            if !self.healed && self.dice.odds(self.plan.crash_per_10000, 10_000) {
                self.schedule(0, index, Happening::Crash);
                self.nodes[index].replica = None;
                return Ok(());
            }
            match effect {
                Effect::Journal(entries) => {
                    for entry in &entries {
                        self.note(index, entry);
                    }
                    self.nodes[index].journal.extend(entries);
                }
                Effect::Sign(signed) => self.judge_signature(index, signed)?,
                Effect::Check(unchecked) => {
                    let life = self.nodes[index].life;
                    let delay = self.dice.below(5);
                    self.schedule(delay, index, Happening::Checked { life, unchecked });
                }
                Effect::Commit(commit) => {
                    let height = commit.certified().height();
                    self.note(index, commit.certified().block().id().as_bytes());
                    self.judge_commit(index, &commit)?;
                    self.nodes[index].disk.0.borrow_mut().write(commit.writes());
                    self.nodes[index].journal.clear();
                    self.step(index, Event::Committed(height))?;
                }
                Effect::Send(to, channel, bytes) => {
                    self.note(index, &bytes);
                    self.judge_speech(index, channel, &bytes)?;
                    self.send(index, to, channel, &bytes);
                }
                Effect::Set(wake, delay) => self.alarm(index, wake, delay),
                Effect::Cancel(wake) => {
                    self.nodes[index].alarms.remove(&wake);
                }
                Effect::CancelRounds => {
                    self.nodes[index].alarms.retain(|wake, _| !matches!(wake, Wake::Round(_)));
                }
                Effect::Answer(_, Err(rejection)) | Effect::Refused(_, rejection) => {
                    self.note(index, rejection.code().as_bytes());
                }
                Effect::Answer(_, Ok(_)) => {}
                Effect::Blame(_, offence) => {
                    // With honest nodes alone, only lateness can be blamed.
                    if !matches!(offence, replica::Offence::Silence | replica::Offence::CatchUp(_))
                        && self.healed
                    {
                        return Err(
                            self.failure(&format!("node {index} blames an honest node: {offence}"))
                        );
                    }
                }
                // Every node of this world knows every other.
                Effect::Admit(_) => {}
                Effect::Accuse(evidence) if self.is_by_liar(&evidence) => {}
                Effect::Accuse(evidence) => {
                    return Err(
                        self.failure(&format!("node {index} accuses an honest node: {evidence:?}"))
                    );
                }
            }
            if self.nodes[index].replica.is_none() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn note(&mut self, index: usize, bytes: &[u8]) {
        let at = [self.now.to_le_bytes(), u64::try_from(index).unwrap_or(0).to_le_bytes()].concat();
        self.trace = hash(Purpose::Trace, &[self.trace.as_bytes(), &at, bytes]);
    }

    fn alarm(&mut self, index: usize, wake: Wake, delay: u64) {
        self.settings += 1;
        let (setting, life) = (self.settings, self.nodes[index].life);
        self.nodes[index].alarms.insert(wake, setting);
        self.schedule(delay.max(1), index, Happening::Alarm { wake, setting, life });
    }

    fn send(&mut self, from: usize, to: To, channel: Channel, bytes: &[u8]) {
        for index in 0..self.nodes.len() {
            let wanted = match to {
                To::Everyone => index != from,
                To::One(peer) => self.nodes[index].peer == peer,
            };
            if !wanted {
                continue;
            }
            self.lie(from, index, channel, bytes);
            let copies = if self.healed {
                1
            } else if self.dice.odds(self.plan.loss_permille, 1000) {
                0
            } else if self.dice.odds(self.plan.twice_permille, 1000) {
                2
            } else {
                1
            };
            for _ in 0..copies {
                let delay = 1 + if self.dice.odds(1, 20) && !self.healed {
                    self.dice.below(1500)
                } else {
                    self.dice.below(15)
                };
                let life = self.nodes[index].life;
                let happening = Happening::Deliver { from, life, channel, bytes: bytes.to_vec() };
                self.schedule(delay, index, happening);
            }
        }
    }

    /// What the liar says to a neighbour besides what it says to all: the same, but for one thing, and well signed.
    fn lie(&mut self, from: usize, index: usize, channel: Channel, bytes: &[u8]) {
        let is_liar = self.plan.liar.is_some_and(|liar| usize::from(liar) == from);
        if self.healed || !is_liar || !self.dice.odds(1, 3) {
            return;
        }
        let Ok(received) = receive(&self.chain, channel, bytes) else { return };
        let (which, secret) = (self.dice.below(4), self.nodes[from].secret.clone());
        let received = match received {
            Received::Block(mut block) => {
                match which {
                    0 => block.header.state_root = Hash([7; 32]),
                    1 => block.header.time = block.header.time.plus(1 + self.dice.below(2000)),
                    2 => block.header.proposer ^= 1,
                    _ => block.header.parent = BlockId(Hash([7; 32])),
                }
                Received::Block(block)
            }
            Received::Message(Message::Vote(mut vote, signature)) => {
                match which {
                    0 => vote.block = vote.block.is_none().then_some(BlockId(Hash([7; 32]))),
                    1 => vote.round.0 += 1 + u32::try_from(self.dice.below(20)).unwrap_or(0),
                    2 => vote.height.0 += 1 + self.dice.below(5),
                    // Said in another's name.
                    _ => vote.seat ^= 1,
                }
                let signature = if which < 3 { vote.sign(&self.chain, &secret) } else { signature };
                Received::Message(Message::Vote(vote, signature))
            }
            Received::Message(Message::Proposal(mut proposal, _)) => {
                match which {
                    0 => proposal.block = BlockId(Hash([7; 32])),
                    1 => proposal.round.0 += 1,
                    2 => proposal.valid_round = Some(proposal.round),
                    _ => proposal.height.0 += 1,
                }
                let signature = proposal.sign(&self.chain, &secret);
                Received::Message(Message::Proposal(proposal, signature))
            }
            Received::Status(height, time) => {
                Received::Status(height.plus(1 << (which * 20)), time.plus(1 << (which * 10)))
            }
            Received::Tell(from, mut blocks) => {
                match which {
                    0 => blocks.clear(),
                    1 => blocks.reverse(),
                    2 => blocks.iter_mut().for_each(|(_, certificate)| {
                        certificate.signatures.pop();
                    }),
                    _ => blocks.iter_mut().for_each(|(block, _)| block.header.log_size += 1),
                }
                Received::Tell(from, blocks)
            }
            other @ (Received::Message(_) | Received::Transactions(_) | Received::Ask(_)) => other,
        };
        let (life, delay) = (self.nodes[index].life, 1 + self.dice.below(30));
        let happening = Happening::Lie { from, life, received: Box::new(received) };
        self.schedule(delay, index, happening);
    }

    fn is_by_liar(&self, evidence: &Evidence) -> bool {
        let seat = match evidence {
            Evidence::Votes([(vote, _), _]) => vote.seat,
            Evidence::Proposals([(proposal, _), _]) => proposal.seat,
        };
        self.plan.liar == Some(seat)
    }

    /// What is remembered beside a key only goes forward.
    fn judge_signature(&mut self, index: usize, signed: Signed) -> Result<(), String> {
        self.note(index, signed.signature.to_string().as_bytes());
        let last = self.nodes[index].signed.replace(signed);
        let forward = |last: Signed| {
            last.place() < signed.place()
                || (last.place() == signed.place() && last.signature == signed.signature)
        };
        let is_liar = self.plan.liar.is_some_and(|liar| usize::from(liar) == index);
        if is_liar || last.is_none_or(forward) {
            return Ok(());
        }
        Err(self.failure(&format!("node {index} signed {last:?} and then {signed:?}")))
    }

    /// Agreement, validity, durability, and equal roots.
    fn judge_commit(&mut self, index: usize, commit: &ledger::Commit) -> Result<(), String> {
        let block = commit.certified().block();
        let (height, id) = (block.header.height, block.id());
        if query::height(&self.nodes[index].disk).next() != height {
            return Err(self.failure(&format!("node {index} commits height {height} out of order")));
        }
        let agreed = *self.agreed.entry(height).or_insert(id);
        if agreed != id {
            return Err(self.failure(&format!("two blocks at height {height}: {agreed} and {id}")));
        }
        if let Some(unknown) =
            block.transactions.iter().find(|tx| self.submitted.get(&tx.id()) != Some(tx))
        {
            return Err(self.failure(&format!(
                "block {height} carries {}, which nobody submitted",
                unknown.id()
            )));
        }
        if let Some(twice) = block
            .transactions
            .iter()
            .find(|tx| query::place(&self.nodes[index].disk, &tx.id()).is_some())
        {
            return Err(self.failure(&format!("transaction {} is committed twice", twice.id())));
        }
        Ok(())
    }

    /// No key says two things.
    fn judge_speech(&mut self, index: usize, channel: Channel, bytes: &[u8]) -> Result<(), String> {
        if channel != Channel::Votes {
            return Ok(());
        }
        let said = match receive(&self.chain, channel, bytes) {
            Ok(Received::Message(message)) => message,
            Ok(_) => return Ok(()),
            Err(offence) => {
                return Err(self.failure(&format!("node {index} sends nonsense: {offence}")));
            }
        };
        let (key, block) = match said {
            Message::Vote(vote, _) => {
                let kind = match vote.step {
                    Step::Prevote => 0,
                    Step::Precommit => 1,
                };
                ((vote.seat, kind, vote.height, vote.round.0), vote.block)
            }
            Message::Proposal(proposal, _) => {
                ((proposal.seat, 2, proposal.height, proposal.round.0), Some(proposal.block))
            }
            Message::Polka { .. } | Message::RoundChange { .. } => return Ok(()),
        };
        let before = *self.spoken.entry(key).or_insert(block);
        if before == block || self.plan.liar == Some(key.0) {
            return Ok(());
        }
        Err(self.failure(&format!("seat {} said {before:?} and then {block:?} for {key:?}", key.0)))
    }

    /// The end: equal states, and a proof of every record that verifies.
    pub(crate) fn report(self) -> Result<Report, String> {
        let lowest = self.lowest();
        let headers: BTreeSet<_> = self
            .nodes
            .iter()
            .map(|node| query::header(&node.disk, lowest))
            .map(|h| h.map(|h| h.id()))
            .collect();
        if headers.len() != 1 {
            return Err(self.failure(&format!("different headers at height {lowest}")));
        }
        let rules = ledger::Rules::new(&self.genesis);
        let disk = &self.nodes[0].disk;
        let root = proof::TrustRoot::new(self.genesis.clone())
            .map_err(|error| self.failure(&error.to_string()))?;
        let tip = ledger::tip(&rules, disk);
        for position in 0..tip.log.size() {
            let found = query::record_at(disk, position)
                .ok_or_else(|| self.failure(&format!("no record at position {position}")))?;
            let proof = prove::record(&rules, disk, &found.entry.record).ok_or_else(|| {
                self.failure(&format!("no proof of record {}", found.entry.record))
            })?;
            let verdict = proof::verify(&proof::encode(&proof), &root);
            if verdict.proven().is_none() {
                return Err(self.failure(&format!(
                    "the proof of record {position} does not verify: {verdict:?}"
                )));
            }
            for (subject, _) in found.operation().subjects(&found.transaction.header.agency) {
                let proof = prove::subject(&rules, disk, &subject)
                    .ok_or_else(|| self.failure(&format!("no proof of {subject}")))?;
                if proof::verify(&proof::encode(&proof), &root).proven().is_none() {
                    return Err(self.failure(&format!("the proof of {subject} does not verify")));
                }
            }
        }
        Ok(Report {
            plan: self.plan,
            trace: self.trace,
            height: tip.height.0,
            records: tip.log.size(),
            steps: self.steps,
            crashes: self.crashes,
            simulated_ms: self.now,
        })
    }
}
