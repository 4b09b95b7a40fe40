//! Whole networks of replicas, driven effect by effect.

mod byzantine;
mod crash;

use super::*;

mod catchup;
mod clock;
mod limits;
mod liveness;

use ledger::{SharedMemory, Write, query};
use proptest::prelude::*;
use types::{
    Agency, AgencyCode, BlockId, ChainId, Digest, Operation, Region, Role, Signature, Transaction,
    agency::Level,
    genesis::{GovernanceRules, Limits, Seat, Timing},
    operation::{Action, Commitment, Grade, LicenceAction, LicenceFacts, LicenceVerb, Provenance},
    vote::{Proposal, Step, Vote},
};

const CODES: [&str; 4] =
    ["11350000MXDEX0015L", "11350000MXDEX0023F", "11350000MXDEX0031A", "11350000MXDEX004X2"];
const IDLE_MS: u32 = 400;

pub(crate) fn secret(kind: u8, n: usize) -> SecretKey {
    let mut seed = [kind; 32];
    seed[0] = u8::try_from(n).unwrap();
    SecretKey::from_seed(seed)
}

fn peer(n: usize) -> Peer {
    Peer(*secret(2, n).public().as_bytes())
}

pub(crate) fn genesis() -> Genesis {
    let all = || Region::new("350000").unwrap();
    let code = |n: usize| AgencyCode::new(CODES[n]).unwrap();
    Genesis {
        version: types::genesis::VERSION,
        name: "test".parse().unwrap(),
        time: Timestamp(1_700_000_000_000),
        limits: Limits {
            block_bytes_max: 1 << 20,
            block_operations_max: 20,
            validity_heights_max: 1000,
        },
        timing: Timing {
            propose_ms: 300,
            vote_ms: 100,
            round_step_ms: 100,
            timeout_max_ms: 3000,
            idle_ms: IDLE_MS,
            clock_ahead_ms: 500,
        },
        governance: GovernanceRules { approval_percent: 67, open_heights: 100, lead_heights: 2 },
        agencies: (0..4)
            .map(|n| Agency {
                code: code(n),
                name: format!("机构{n}").parse().unwrap(),
                region: all(),
                level: Level::Province,
                parent: None,
                keys: vec![secret(0, n).public()],
                roles: vec![Role::Licence {
                    types: vec!["T".parse().unwrap()],
                    regions: vec![all()],
                }],
            })
            .collect(),
        validators: (0..4)
            .map(|n| Seat {
                agency: code(n),
                consensus_key: secret(1, n).public(),
                transport_key: secret(2, n).public(),
            })
            .collect(),
    }
}

fn issue(n: u64) -> Operation {
    Operation {
        action: Action::Licence(LicenceAction {
            licence: format!("L{n}").parse().unwrap(),
            verb: LicenceVerb::Issue(LicenceFacts {
                kind: "T1".parse().unwrap(),
                region: Region::new("350100").unwrap(),
                valid_from: Timestamp(0),
                valid_until: None,
            }),
        }),
        commitment: Commitment {
            document: Digest::blake3(&n.to_le_bytes()),
            content: Digest::blake3(&n.to_le_bytes()),
            fields: None,
        },
        effective_from: Timestamp(n),
        grade: Grade::Public,
        provenance: Provenance {
            system: "test".parse().unwrap(),
            version: "1".parse().unwrap(),
            captured_at: Timestamp(n),
        },
    }
}

fn tx(chain: ChainId, n: u64, operations: Vec<Operation>) -> Transaction {
    let code = AgencyCode::new(CODES[0]).unwrap();
    Transaction::sign(chain, code, &secret(0, 0), n, Height(900), operations)
}

struct Node {
    replica: Option<Replica<SharedMemory>>,
    disk: SharedMemory,
    /// Of each commit that is not synced, what it replaced. Until they are, the journal of their height counts.
    unsynced: Vec<Vec<Write>>,
    journal: Vec<Vec<u8>>,
    signed: Option<Signed>,
    /// Up to where its record says that anything may be signed.
    floor: Height,
    alarms: BTreeMap<Wake, u64>,
    /// What it did, in words that leave out the bytes.
    did: Vec<Effect>,
}

/// Four replicas in one thread; what is sent arrives at once, in order, unless the network drops it.
struct Town {
    genesis: Genesis,
    chain: ChainId,
    rules: Rules,
    nodes: Vec<Node>,
    now: u64,
    mail: VecDeque<(usize, usize, Channel, Vec<u8>)>,
    /// Nodes that nobody hears and that hear nobody.
    silent: BTreeSet<usize>,
    /// The node to crash, and after how many more of its effects.
    doomed: Option<(usize, usize)>,
    /// After how many effects of its next life it crashes again.
    doomed_again: Option<usize>,
    /// Whether a crash takes with it what was committed and not synced; and how often it took something.
    is_lossy: bool,
    losses: usize,
    effects: Vec<usize>,
    /// How often each node was started.
    lives: Vec<usize>,
    spoken: BTreeMap<(u16, u8, Height, Round), Option<BlockId>>,
    agreed: BTreeMap<Height, BlockId>,
    blamed: Vec<(usize, Peer, Offence)>,
    /// How far each clock is from true time.
    skews: [i64; 4],
    /// When each height was committed first, by true time.
    committed: BTreeMap<Height, u64>,
}

impl Town {
    fn new() -> Self {
        let mut town = Self::asleep();
        for node in 0..4 {
            town.start(node);
        }
        town
    }

    fn asleep() -> Self {
        let genesis = genesis();
        let node = || Node {
            replica: None,
            disk: SharedMemory::default(),
            unsynced: Vec::new(),
            journal: Vec::new(),
            signed: None,
            floor: Height::GENESIS,
            alarms: BTreeMap::new(),
            did: Vec::new(),
        };
        Self {
            chain: genesis.chain(),
            rules: Rules::new(&genesis),
            genesis,
            nodes: (0..4).map(|_| node()).collect(),
            now: 0,
            mail: VecDeque::new(),
            silent: BTreeSet::new(),
            doomed: None,
            doomed_again: None,
            is_lossy: true,
            losses: 0,
            effects: vec![0; 4],
            lives: vec![0; 4],
            spoken: BTreeMap::new(),
            agreed: BTreeMap::new(),
            blamed: Vec::new(),
            skews: [0; 4],
            committed: BTreeMap::new(),
        }
    }

    fn clock(&self) -> Timestamp {
        Timestamp(1_700_000_000_000 + self.now)
    }

    fn clock_of(&self, n: usize) -> Timestamp {
        Timestamp(self.clock().0.saturating_add_signed(self.skews[n]))
    }

    fn start(&mut self, n: usize) {
        let now = self.clock_of(n);
        self.lives[n] += 1;
        let node = &mut self.nodes[n];
        node.alarms.clear();
        let (disk, journal) = (node.disk.clone(), node.journal.clone());
        let (replica, effects) = Replica::restore(
            &self.genesis,
            Voter { secret: secret(1, n), signed: node.signed, floor: node.floor },
            disk,
            &journal,
            now,
            PoolLimits::default(),
        )
        .unwrap();
        node.replica = Some(replica);
        self.perform(n, effects);
        self.sync(n);
        for other in (0..4).filter(|other| *other != n) {
            self.meet(n, other);
        }
    }

    fn meet(&mut self, n: usize, other: usize) {
        if self.nodes[other].replica.is_some() {
            self.step(n, Event::Connected(peer(other)));
            self.step(other, Event::Connected(peer(n)));
        }
    }

    fn stop(&mut self, n: usize) {
        self.nodes[n].replica = None;
        let unsynced = core::mem::take(&mut self.nodes[n].unsynced);
        if !unsynced.is_empty() {
            self.losses += 1;
            if self.is_lossy {
                unsynced.iter().rev().for_each(|replaced| self.nodes[n].disk.write(replaced));
            } else {
                self.nodes[n].journal.clear();
            }
        }
        self.mail.retain(|(_, to, ..)| *to != n);
        for other in 0..4 {
            self.step(other, Event::Lost(peer(n)));
        }
    }

    fn step(&mut self, n: usize, event: Event) {
        self.react(n, event);
        self.sync(n);
    }

    /// Before it waits for the next event, and before anybody may learn of it, what a node committed is durable.
    fn sync(&mut self, n: usize) {
        let node = &mut self.nodes[n];
        if node.replica.is_some() && !node.unsynced.is_empty() {
            node.unsynced.clear();
            node.journal.clear();
        }
    }

    fn react(&mut self, n: usize, event: Event) {
        let now = self.clock_of(n);
        let Some(replica) = self.nodes[n].replica.as_mut() else { return };
        let effects = replica.step(now, event).unwrap();
        self.perform(n, effects);
    }

    /// Whether a node's journal has what this signature is of.
    fn is_journalled(&self, n: usize, signature: &Signature) -> bool {
        self.nodes[n].journal.iter().any(|bytes| match codec::decode(bytes) {
            Ok(Record::Entry(Entry::Message(
                Message::Vote(_, other) | Message::Proposal(_, other),
            ))) => other == *signature,
            Ok(Record::Entry(_) | Record::Block(..)) | Err(_) => false,
        })
    }

    /// What the record beside a key does: forward, or the same again, and nothing else; and nothing that is not journalled.
    fn remember(&mut self, n: usize, signed: Signed) {
        let journalled = self.is_journalled(n, &signed.signature);
        assert!(journalled, "node {n} signed what is not in its journal: {signed:?}");
        assert!(signed.height > self.nodes[n].floor, "node {n} signs below its floor: {signed:?}");
        if let Some(last) = self.nodes[n].signed.replace(signed) {
            let same = last.place() == signed.place() && last.signature == signed.signature;
            assert!(last.place() < signed.place() || same, "{last:?} and then {signed:?}");
        }
    }

    fn perform(&mut self, n: usize, effects: Vec<Effect>) {
        // The timers of a height bear the names of the next one's: none is touched once a block is written.
        let written = effects.iter().position(|effect| matches!(effect, Effect::Commit(_)));
        for effect in effects.iter().skip(written.unwrap_or(effects.len())) {
            assert!(!matches!(
                effect,
                Effect::Set(Wake::Round(_), _)
                    | Effect::Cancel(Wake::Round(_))
                    | Effect::CancelRounds
                    | Effect::Journal(_)
            ));
        }
        let life = self.lives[n];
        for effect in effects {
            if self.doomed == Some((n, self.effects[n])) {
                self.doomed = self.doomed_again.take().map(|more| (n, self.effects[n] + more));
                self.stop(n);
                self.start(n);
                return;
            }
            self.effects[n] += 1;
            self.nodes[n].did.push(effect.clone());
            if effect.waits_for_sync() {
                self.sync(n);
            }
            match effect {
                Effect::Journal(entries) => self.nodes[n].journal.extend(entries),
                Effect::Sign(signed) => self.remember(n, signed),
                Effect::Check(unchecked) => self.react(n, Event::Checked(unchecked.check())),
                Effect::Commit(commit) => {
                    let block = commit.certified().block();
                    let (height, id) = (block.header.height, block.id());
                    assert_eq!(query::height(&self.nodes[n].disk).next(), height);
                    assert_eq!(*self.agreed.entry(height).or_insert(id), id, "a fork at {height}");
                    self.committed.entry(height).or_insert(self.now);
                    let node = &mut self.nodes[n];
                    let replaced = |write: &Write| Write {
                        value: node.disk.get(write.column, &write.key),
                        ..write.clone()
                    };
                    node.unsynced.push(commit.writes().iter().map(replaced).collect());
                    node.disk.write(commit.writes());
                    self.react(n, Event::Committed(height));
                }
                Effect::Send(to, channel, bytes) => self.send(n, to, channel, &bytes),
                Effect::Set(wake, delay) => {
                    self.nodes[n].alarms.insert(wake, self.now + delay.max(1));
                }
                Effect::Cancel(wake) => {
                    self.nodes[n].alarms.remove(&wake);
                }
                Effect::CancelRounds => {
                    self.nodes[n].alarms.retain(|wake, _| !matches!(wake, Wake::Round(_)));
                }
                Effect::Blame(peer, offence) => self.blamed.push((n, peer, offence)),
                Effect::Answer(..) | Effect::Refused(..) => {
                    assert!(
                        self.nodes[n].unsynced.is_empty(),
                        "node {n} answers, and may lose a block"
                    );
                }
                Effect::Accuse(_) | Effect::Admit(_) => {}
            }
            // What a life that is over would have done next is never done.
            if self.nodes[n].replica.is_none() || self.lives[n] != life {
                return;
            }
        }
    }

    fn send(&mut self, from: usize, to: To, channel: Channel, bytes: &[u8]) {
        let unsynced = self.nodes[from].unsynced.len();
        assert!(
            channel == Channel::Sync || unsynced == 0,
            "node {from} speaks, and may lose a block"
        );
        if let (Channel::Votes, Ok(Received::Message(message))) =
            (channel, receive(&self.chain, channel, bytes))
        {
            self.judge_speech(from, &message);
        }
        for other in (0..4).filter(|other| *other != from) {
            let wanted = match to {
                To::Everyone => true,
                To::One(one) => one == peer(other),
            };
            if wanted && !self.silent.contains(&from) && !self.silent.contains(&other) {
                self.mail.push_back((from, other, channel, bytes.to_vec()));
            }
        }
    }

    fn judge_speech(&mut self, from: usize, message: &Message) {
        let (key, block, step) = match message {
            Message::Vote(vote, _) => {
                let key = (vote.seat, vote.step as u8, vote.height, vote.round);
                (key, vote.block, 1 + vote.step as u8)
            }
            Message::Proposal(p, _) => ((p.seat, 2, p.height, p.round), Some(p.block), 0),
            Message::Polka { .. } | Message::RoundChange { .. } => return,
        };
        let (seat, _, height, round) = key;
        let remembered =
            self.nodes[from].signed.map(|signed| signed.place()) >= Some((height, round, step));
        assert!(usize::from(seat) != from || remembered, "node {from} speaks, and may forget it");
        assert_eq!(*self.spoken.entry(key).or_insert(block), block, "two words for {key:?}");
    }

    /// Delivers one message, or lets one alarm ring.
    fn advance(&mut self) {
        if let Some((from, to, channel, bytes)) = self.mail.pop_front() {
            if self.nodes[to].replica.is_some() {
                let received = receive(&self.chain, channel, &bytes).unwrap();
                self.step(to, Event::Received(peer(from), received));
            }
            return;
        }
        let alarms = self.nodes.iter().enumerate().filter(|(_, node)| node.replica.is_some());
        let (at, n, wake) = alarms
            .flat_map(|(n, node)| node.alarms.iter().map(move |(wake, at)| (*at, n, *wake)))
            .min()
            .expect("something is always to come");
        self.now = self.now.max(at);
        self.nodes[n].alarms.remove(&wake);
        self.step(n, Event::Elapsed(wake));
    }

    fn height(&self, n: usize) -> u64 {
        query::height(&self.nodes[n].disk).0
    }

    /// Goes on until all of `nodes` have reached `height`; true if that is within a minute of their time.
    fn reaches(&mut self, nodes: &[usize], height: u64) -> bool {
        let deadline = self.now + 60_000;
        while nodes.iter().any(|n| self.height(*n) < height) {
            if self.now > deadline {
                return false;
            }
            self.advance();
        }
        true
    }

    fn run_for(&mut self, milliseconds: u64) {
        let until = self.now + milliseconds;
        while self.now < until {
            self.advance();
        }
    }

    fn submit(&mut self, n: usize, tx: Transaction) {
        let verified = tx.verify(&self.chain).unwrap();
        self.step(n, Event::Submitted(Ticket(0), verified));
    }

    /// A block that follows what node `n` has, but `late` milliseconds later than now.
    fn block(&self, n: usize, late: u64, seat: u16) -> Block {
        let disk = &self.nodes[n].disk;
        let tip = ledger::tip(&self.rules, disk);
        let time = self.clock().plus(late);
        ledger::propose(&self.rules, disk, &tip, time, seat, core::iter::empty()).0
    }

    fn offer(&mut self, from: usize, block: &Block) {
        for other in (0..4).filter(|other| *other != from) {
            let bytes = codec::encode(block);
            self.mail.push_back((from, other, Channel::Proposals, bytes));
        }
    }
}

#[test]
fn four_replicas_decide() {
    let mut town = Town::new();
    assert!(town.reaches(&[0, 1, 2, 3], 3));
    town.submit(2, tx(town.chain, 1, vec![issue(1)]));
    let next = town.height(0) + 2;
    assert!(town.reaches(&[0, 1, 2, 3], next));
    let roots: BTreeSet<_> =
        town.nodes.iter().map(|n| ledger::tip(&town.rules, &n.disk).log.root()).collect();
    assert_eq!(roots.len(), 1);
    assert_eq!(ledger::tip(&town.rules, &town.nodes[3].disk).log.size(), 1);
}

#[test]
fn what_others_learn_from_waits_for_what_was_committed() {
    let send = |channel| Effect::Send(To::Everyone, channel, Vec::new());
    let id = tx(genesis().chain(), 1, vec![issue(1)]).id();
    for (effect, waits) in [
        (Effect::Journal(Vec::new()), true),
        (send(Channel::Votes), true),
        (send(Channel::Proposals), true),
        (send(Channel::Transactions), true),
        (Effect::Answer(Ticket(1), Ok(id)), true),
        (Effect::Refused(id, Rejection::Full), true),
        // Who catches up asks on, and syncs once for many.
        (send(Channel::Sync), false),
        (Effect::Set(Wake::Follow, 1), false),
        (Effect::CancelRounds, false),
    ] {
        assert_eq!(effect.waits_for_sync(), waits, "{effect:?}");
    }
}

#[test]
fn one_peer_cannot_crowd_out_the_blocks_of_others() {
    // Whatever one validator offers unasked, the others go on: two blocks a round, and many a height.
    for count in [2, 30] {
        let mut town = Town::new();
        assert!(town.reaches(&[0, 1, 2, 3], 1));
        town.run_for(10);
        for late in 1..=count {
            let mut block = town.block(3, late, 3);
            if late % 2 == 0 {
                block.header.state_root = Hash([7; 32]);
            }
            town.offer(3, &block);
        }
        while town.mail.iter().any(|(_, _, channel, _)| *channel == Channel::Proposals) {
            town.advance();
        }
        town.stop(3);
        assert!(town.reaches(&[0, 1, 2], 4), "{count} blocks stop the chain");
    }
}

#[test]
fn a_crash_after_any_effect_changes_nothing_that_was_said() {
    // Seat 1 proposes at height 1, seat 0 at height 4: both roles are crashed in, before every one of their effects.
    let life = |town: &mut Town| {
        let first = tx(town.chain, 1, vec![issue(1)]);
        town.submit(2, first);
        town.reaches(&[0, 1, 2, 3], 3)
    };
    for n in [0, 1] {
        let mut plain = Town::new();
        assert!(life(&mut plain));
        for at in 0..plain.effects[n] {
            let mut town = Town::asleep();
            town.doomed = Some((n, at));
            (0..4).for_each(|node| town.start(node));
            assert!(life(&mut town), "node {n}, effect {at}");
        }
    }
}

#[test]
fn all_four_come_back_at_once() {
    // With votes in their journals and nobody connected while they start: the height goes on where it was.
    for messages in [0, 5, 10, 15, 20, 25, 30, 35, 40] {
        let mut town = Town::new();
        (0..messages).for_each(|_| town.advance());
        (0..4).for_each(|n| town.nodes[n].replica = None);
        town.mail.clear();
        (0..4).for_each(|n| town.start(n));
        assert!(town.reaches(&[0, 1, 2, 3], 3), "after {messages} messages");
    }
}

#[test]
fn a_restart_goes_on_without_the_others_too() {
    for silent in 0..4 {
        let mut town = Town::new();
        assert!(town.reaches(&[0, 1, 2, 3], 1));
        town.silent.insert(silent);
        let others: Vec<usize> = (0..4).filter(|n| *n != silent).collect();
        for n in &others {
            town.run_for(150);
            town.stop(*n);
            town.start(*n);
        }
        let height = town.height(others[0]) + 3;
        assert!(town.reaches(&others, height), "without {silent}");
        town.silent.clear();
        let height = town.height(others[0]);
        assert!(town.reaches(&[silent], height), "{silent} catches up");
    }
}

#[test]
fn a_body_is_executed_only_when_a_proposal_names_it() {
    let mut town = Town::new();
    assert!(town.reaches(&[0, 1, 2, 3], 1));
    town.run_for(IDLE_MS.into());
    while town.nodes[0].replica.as_ref().unwrap().progress == Progress::Resting {
        town.advance();
    }
    town.mail.clear();
    let block = town.block(0, 1, 3);
    let before = town.nodes[0].did.len();
    for _ in 0..3 {
        town.step(0, Event::Received(peer(3), Received::Block(Box::new(block.clone()))));
    }
    assert_eq!(town.nodes[0].did.len(), before, "nothing follows from a body alone");
}

#[test]
fn a_junk_message_does_not_wake_those_who_rest() {
    let mut town = Town::new();
    assert!(town.reaches(&[0, 1, 2, 3], 1));
    while town.nodes[0].replica.as_ref().unwrap().progress != Progress::Resting {
        town.advance();
    }
    // By whose key, in whose seat, in which round. Nor does whoever is alone, whatever it says; it may be lying.
    for (key, seat, round, progress) in [
        (2, 3, 0, Progress::Resting),
        (3, 3, 0, Progress::Resting),
        (3, 3, 1, Progress::Resting),
        (3, 2, 0, Progress::Resting),
        (2, 2, 0, Progress::Deciding),
    ] {
        let message = nil(&town, town.height(0) + 1, key, seat, round);
        town.step(0, Event::Received(peer(key), Received::Message(message)));
        assert_eq!(town.nodes[0].replica.as_ref().unwrap().progress, progress, "{key} {seat}");
    }
}

/// A prevote for nothing, by the key of one in the seat of another.
fn nil(town: &Town, height: u64, key: usize, seat: u16, round: u32) -> Message {
    let (height, round) = (Height(height), Round(round));
    let vote = Vote { height, round, step: Step::Prevote, block: None, seat };
    Message::Vote(vote, vote.sign(&town.chain, &secret(1, key)))
}

#[test]
fn one_validator_alone_does_not_hurry_an_idle_network() {
    // Seat 3 is played by the test, and has voted for whatever comes next before anybody begins it.
    let mut town = Town::asleep();
    [0, 1, 2].into_iter().for_each(|n| town.start(n));
    assert!(town.reaches(&[0, 1, 2], 2));
    let (until, height) = (town.now + 10 * u64::from(IDLE_MS), town.height(0));
    while town.now < until && town.height(0) < height + 50 {
        for n in [0, 1, 2] {
            let message = nil(&town, town.height(n) + 1, 3, 3, 0);
            town.step(n, Event::Received(peer(3), Received::Message(message)));
        }
        town.advance();
    }
    let blocks = town.height(0) - height;
    assert!((5..=10).contains(&blocks), "{blocks} blocks");
}

#[test]
fn whoever_is_late_joins_the_height_that_others_have_begun() {
    let mut town = Town::new();
    assert!(town.reaches(&[0, 1, 2, 3], 1));
    // While it decides height 2, it hears two of height 3.
    while town.nodes[0].replica.as_ref().unwrap().progress != Progress::Deciding {
        town.advance();
    }
    assert_eq!(town.height(0), 1);
    for seat in [1, 2] {
        let message = nil(&town, 3, usize::from(seat), seat, 0);
        town.step(0, Event::Received(peer(usize::from(seat)), Received::Message(message)));
    }
    while town.height(0) < 2 {
        town.advance();
    }
    let replica = town.nodes[0].replica.as_ref().unwrap();
    assert_eq!((replica.progress, replica.engine.at().0), (Progress::Deciding, Height(3)));
}

#[test]
fn a_transaction_that_one_validator_alone_has_is_recorded_all_the_same() {
    let mut town = Town::new();
    assert!(town.reaches(&[0, 1, 2, 3], 2));
    let first = tx(town.chain, 1, vec![issue(1)]);
    let (id, now) = (first.id(), town.now);
    // Three others lead before it, and rest for as long as nothing waits at theirs.
    town.submit(2, first);
    town.mail.retain(|(.., channel, _)| *channel != Channel::Transactions);
    while query::place(&town.nodes[0].disk, &id).is_none() {
        town.advance();
        assert!(town.now - now < 6 * u64::from(IDLE_MS), "its turn is among the next four");
    }
}

#[test]
fn what_waits_is_passed_on_to_whoever_connects() {
    let mut town = Town::asleep();
    town.start(3);
    let first = tx(town.chain, 1, vec![issue(1)]);
    let id = first.id();
    town.submit(3, first);
    town.run_for(10);
    town.start(0);
    while !town.mail.is_empty() {
        town.advance();
    }
    assert!(town.nodes[0].replica.as_ref().unwrap().is_pending(&id));
}

#[test]
fn an_idle_network_rests_until_there_is_something_to_record() {
    let mut town = Town::new();
    assert!(town.reaches(&[0, 1, 2, 3], 2));
    let (from, height) = (town.now, town.height(0));
    town.run_for(10 * u64::from(IDLE_MS));
    let blocks = town.height(0) - height;
    assert!((8..=10).contains(&blocks), "{blocks} blocks in {} ms", town.now - from);
    // A transaction does not wait for the idle time to pass.
    while town.nodes[3].replica.as_ref().unwrap().progress != Progress::Resting {
        town.advance();
    }
    let first = tx(town.chain, 1, vec![issue(1)]);
    let (id, now) = (first.id(), town.now);
    town.submit(3, first);
    while query::place(&town.nodes[0].disk, &id).is_none() {
        town.advance();
    }
    assert!(town.now - now < 100, "{} ms", town.now - now);
}

#[test]
fn a_transaction_no_block_can_hold_does_not_stand_in_the_way() {
    let mut town = Town::new();
    let large = tx(town.chain, 1, (0..21).map(issue).collect());
    let small = tx(town.chain, 2, vec![issue(100)]);
    let id = small.id();
    town.submit(0, large);
    town.submit(0, small);
    assert!(matches!(
        town.nodes[0].did.iter().find(|effect| matches!(effect, Effect::Answer(..))),
        Some(Effect::Answer(_, Err(Rejection::Size { operations: 21, .. })))
    ));
    assert!(town.reaches(&[0, 1, 2, 3], 4));
    assert!(query::place(&town.nodes[3].disk, &id).is_some());
}

#[test]
fn a_two_faced_proposer_is_accused_and_the_chain_goes_on() {
    let mut town = Town::asleep();
    // Seat 1 is played by the test: it proposes one block to seat 0 and another to the rest.
    for n in [0, 2, 3] {
        town.start(n);
    }
    let (one, two) = (town.block(0, 1, 1), town.block(0, 2, 1));
    for (n, first, second) in [(0, &one, &two), (2, &two, &one), (3, &two, &one)] {
        for block in [first, second] {
            town.step(n, Event::Received(peer(1), Received::Block(Box::new(block.clone()))));
            let proposal = Proposal {
                height: Height(1),
                round: Round(0),
                block: block.id(),
                valid_round: None,
                seat: 1,
            };
            let signature = proposal.sign(&town.chain, &secret(1, 1));
            let message = Message::Proposal(proposal, signature);
            town.step(n, Event::Received(peer(1), Received::Message(message)));
        }
    }
    assert!(town.reaches(&[0, 2, 3], 3));
    for n in [0, 2, 3] {
        let accused = town.nodes[n].did.iter().any(|effect| matches!(effect, Effect::Accuse(_)));
        assert!(accused, "node {n} says nothing");
    }
}

#[test]
fn what_is_of_another_chain_is_refused_at_the_door() {
    let town = Town::asleep();
    let other = ChainId(Hash([9; 32]));
    let frame =
        codec::encode(&vec![tx(town.chain, 1, vec![issue(1)]), tx(other, 1, vec![issue(2)])]);
    let refused = receive(&town.chain, Channel::Transactions, &frame);
    assert!(matches!(refused, Err(Offence::Transaction(_))));
    let sound = codec::encode(&vec![tx(town.chain, 1, vec![issue(1)])]);
    let received = receive(&town.chain, Channel::Transactions, &sound);
    assert!(matches!(received, Ok(Received::Transactions(txs)) if txs.len() == 1));
    // A vote of another chain is heard, and counts for nothing.
    let mut town = Town::new();
    let vote =
        Vote { height: Height(1), round: Round(0), step: Step::Prevote, block: None, seat: 3 };
    let foreign = Message::Vote(vote, vote.sign(&other, &secret(1, 3)));
    let before = town.nodes[0].did.len();
    town.step(0, Event::Received(peer(3), Received::Message(foreign)));
    assert_eq!(town.nodes[0].did.len(), before);
}

#[test]
fn a_damaged_journal_stops_the_replica() {
    let town = Town::asleep();
    let restore = |journal: &[Vec<u8>]| {
        let disk = SharedMemory::default();
        let limits = PoolLimits::default();
        let voter = Voter::new(secret(1, 0));
        Replica::restore(&town.genesis, voter, disk, journal, town.clock(), limits).is_ok()
    };
    assert!(restore(&[]));
    assert!(!restore(&[vec![1, 2, 3]]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_from_the_network_do_harm(noise in proptest::collection::vec(any::<u8>(), 0..200), cut in 0..400_usize) {
        let town = Town::asleep();
        let mut sound = codec::encode(&vec![tx(town.chain, 1, vec![issue(1)])]);
        let at = cut % sound.len();
        sound[at] ^= noise.first().copied().unwrap_or(1);
        for channel in Channel::ALL {
            for bytes in [&noise[..], &sound[..], &sound[..at]] {
                drop(receive(&town.chain, channel, bytes));
            }
        }
    }
}

#[test]
fn the_journal_has_the_order_the_engine_had() {
    // A vote for height 2 comes early to its proposer. The engine hears it before it hears of the proposer's own block,
    // so a replay must too.
    let mut town = Town::new();
    let (height, round) = (Height(2), Round(0));
    let early = Vote { height, round, step: Step::Prevote, block: None, seat: 3 };
    let message = Message::Vote(early, early.sign(&town.chain, &secret(1, 3)));
    town.step(2, Event::Received(peer(3), Received::Message(message.clone())));
    assert!(town.reaches(&[2], 1));
    while town.nodes[2].journal.is_empty() {
        town.advance();
    }
    let entries: Vec<Entry> = town.nodes[2]
        .journal
        .iter()
        .filter_map(|bytes| match codec::decode(bytes).unwrap() {
            Record::Entry(entry) => Some(entry),
            Record::Block(..) => None,
        })
        .collect();
    let heard = entries.iter().position(|entry| *entry == Entry::Message(message.clone()));
    let built = entries.iter().position(|entry| matches!(entry, Entry::Judged { .. }));
    assert!(heard.unwrap() < built.unwrap(), "{entries:?}");
}

#[test]
fn a_key_whose_memory_is_lost_follows_until_the_height_is_over() {
    let signed = |height| Signed {
        height: Height(height),
        round: Round(0),
        step: 1,
        block: None,
        signature: secret(1, 0).sign(types::Domain::Prevote, &ChainId::default(), b"forgotten"),
    };
    let voter = |signed: Option<Signed>, floor| Voter {
        secret: secret(1, 0),
        signed,
        floor: Height(floor),
    };
    let said = |signed: &Signed| {
        let vote = Vote {
            height: signed.height,
            round: signed.round,
            step: Step::Prevote,
            block: None,
            seat: 0,
        };
        vec![Entry::Message(Message::Vote(vote, signed.signature))]
    };
    let next = Height(5);
    for (voter, journal, wanted) in [
        (voter(None, 0), vec![], 0),
        (voter(Some(signed(4)), 0), vec![], 0),
        (voter(Some(signed(5)), 0), said(&signed(5)), 0),
        (voter(Some(signed(5)), 0), vec![], 6),
        (voter(Some(signed(9)), 0), vec![], 10),
        (voter(None, 5), vec![], 6),
        (voter(None, 3), vec![], 4),
        (voter(Some(signed(5)), 7), vec![], 8),
    ] {
        assert_eq!(voter.vote_from(next, &journal), Height(wanted), "{voter:?}");
    }
}

#[test]
fn a_node_that_lost_its_journal_says_nothing_new_at_that_height() {
    let mut town = Town::asleep();
    (0..4).for_each(|n| town.start(n));
    town.run_for(2000);
    // Node 0 has signed at the height under way; it comes back without its journal.
    while town.nodes[0].signed.unwrap().height <= query::height(&town.nodes[0].disk) {
        town.advance();
    }
    town.stop(0);
    town.nodes[0].journal.clear();
    let forgotten = town.nodes[0].signed.unwrap();
    town.nodes[0].did.clear();
    town.start(0);
    town.run_for(4000);
    let new = town.nodes[0].did.iter().filter_map(|effect| {
        if let Effect::Sign(signed) = effect { Some(signed.height) } else { None }
    });
    let heights: Vec<_> = new.collect();
    assert!(heights.iter().all(|height| *height > forgotten.height));
    assert!(!heights.is_empty(), "it votes again at later heights");
}

#[test]
fn of_a_height_that_goes_on_for_long_the_journal_needs_the_latest_blocks_alone() {
    let all = [0, 1, 2, 3];
    let mut town = Town::new();
    assert!(town.reaches(&all, 1));
    // Two clocks are wrong, and not alike: whatever is proposed, no quorum finds it timely, and each round has a block.
    town.skews = [0, 0, 60_000, 120_000];
    town.run_for(60_000);
    let blocks = |journal: &[Vec<u8>]| {
        let is_block =
            |bytes: &&Vec<u8>| matches!(codec::decode::<Record>(bytes), Ok(Record::Block(..)));
        journal.iter().filter(is_block).count()
    };
    let node = &town.nodes[0];
    let replica = node.replica.as_ref().unwrap();
    let thin: Vec<Vec<u8>> =
        node.journal.iter().filter(|bytes| replica.remembers(bytes)).cloned().collect();
    let (had, has) = (blocks(&node.journal), blocks(&thin));
    assert!(had > 12 && (1..=10).contains(&has), "{had} blocks, then {has}");
    assert_eq!(thin.len(), node.journal.len() - had + has, "all that was said is kept");
    // With what is left it goes on as any other.
    town.stop(0);
    town.nodes[0].journal = thin;
    town.start(0);
    town.skews = [0; 4];
    let next = town.height(0) + 1;
    assert!(town.reaches(&all, next));
}
