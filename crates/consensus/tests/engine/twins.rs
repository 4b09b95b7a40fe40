//! Twins (Bano and others, *Twins: BFT Systems Made Robust*, 2020): one validator runs as two whole engines with one key,
//! and every way of splitting the five engines into groups, round after round, is tried.
//!
//! **What a scenario is.** Four seats; the seat that is twinned; and for each of the first rounds of height 1 a partition
//! of the five engines. A message of round r is heard at once within its group of round r, and by everyone else when the
//! network heals. Rounds advance together: when nothing is left to deliver, every timer of those rounds rings. Then the
//! network heals: all that was withheld is delivered, and all goes on until every honest engine has decided.
//!
//! **What is reduced.** The proposer of (height, round) is the seat (height + round) mod 4, so that the assignments of
//! leaders to rounds that the rule allows are, up to the names of seats, the four places the twinned seat can have in that
//! order. The twins are the same until they are told different things: of two scenarios that differ only in which twin is
//! which, one is run. Honest seats lead in different rounds and are not interchangeable.
//!
//! **What is not explored.** The order of messages within a group (first come, first heard), a timer that rings while
//! messages are under way, and loss; the simulator throws dice for those.
//!
//! `cargo test --release -p consensus --test engine twins` runs what is exhaustive. To draw scenarios of up to six rounds
//! from all partitions, by seed, for as long as wanted: `MINLIAN_TWINS_SECONDS=600 MINLIAN_TWINS_SEED=1 cargo test
//! --release -p consensus --test engine drawn_twins -- --nocapture`.

use crate::nouns::{CHAIN, ONE, SEATS, block, committee, judged, restored, start};
use consensus::{Action, Engine, Evidence, Input, Place, Timer, TimerKind};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use types::{
    BlockId, Height, Round,
    vote::{Message, Step},
};

/// The engines: one a seat, and the twin of one of them last.
const ENGINES: usize = SEATS + 1;
const TWIN: usize = SEATS;

/// Which group each engine is in.
type Partition = [u8; ENGINES];

/// All partitions into at most `groups` groups, as restricted growth strings: the first engine is in group 0, and each in
/// a group there is or the next new one.
fn partitions(groups: u8) -> Vec<Partition> {
    let mut all = vec![vec![0_u8]];
    for _ in 1..ENGINES {
        all = all
            .iter()
            .flat_map(|start| {
                let fresh = start.iter().max().map_or(0, |last| last + 1);
                (0..=fresh.min(groups - 1)).map(|group| [start.as_slice(), &[group]].concat())
            })
            .collect();
    }
    all.into_iter().map(|groups| groups.try_into().unwrap()).collect()
}

/// The same partition with the twins exchanged, spelled in the one way.
fn exchanged(partition: Partition, twinned: usize) -> Partition {
    let mut other = partition;
    other.swap(twinned, TWIN);
    let mut names = BTreeMap::new();
    other.map(|group| {
        let next = u8::try_from(names.len()).unwrap();
        *names.entry(group).or_insert(next)
    })
}

/// Whether this is the one of the two scenarios that is run.
fn is_first(twinned: usize, rounds: &[Partition]) -> bool {
    let other: Vec<Partition> = rounds.iter().map(|p| exchanged(*p, twinned)).collect();
    rounds <= other.as_slice()
}

/// What somebody says where an honest validator says one thing: a block or nil, and why it may be proposed again.
type Word = (Option<BlockId>, Option<Round>);

/// What a message says, in its own name or, if it is a certificate, in the names of others.
fn words(message: &Message) -> Vec<(Place, Word)> {
    let step = |step| match step {
        Step::Prevote => 1,
        Step::Precommit => 2,
    };
    let (height, round) = (message.height(), message.round());
    match message {
        Message::Vote(vote, _) => {
            vec![((height, round, step(vote.step), vote.seat), (vote.block, None))]
        }
        Message::Proposal(proposal, _) => {
            let word = (Some(proposal.block), proposal.valid_round);
            vec![((height, round, 0, proposal.seat), word)]
        }
        Message::Polka { block, signatures, .. } => {
            let seats = signatures.iter().map(|(seat, _)| *seat);
            seats.map(|seat| ((height, round, 1, seat), (Some(*block), None))).collect()
        }
        Message::RoundChange { votes, .. } => {
            let votes = votes.iter();
            votes
                .map(|(seat, s, block, _)| ((height, round, step(*s), *seat), (*block, None)))
                .collect()
        }
    }
}

#[derive(Debug)]
struct Letter {
    to: usize,
    message: Message,
}

struct Scenario<'a> {
    twinned: usize,
    rounds: &'a [Partition],
    engines: Vec<Option<Engine>>,
    timers: Vec<BTreeSet<Timer>>,
    mail: VecDeque<Letter>,
    withheld: Vec<Letter>,
    healed: bool,
    /// What each engine was told of a block.
    judged: Vec<BTreeSet<(Height, BlockId)>>,
    decided: Vec<BTreeMap<Height, BlockId>>,
    /// What each engine heard the twinned seat say.
    heard: Vec<BTreeMap<Place, BTreeSet<Word>>>,
    accused: Vec<BTreeSet<Place>>,
    steps: usize,
}

/// What a scenario showed.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    scenarios: usize,
    /// With two different messages of the twins in one place, heard by one honest engine.
    equivocations: usize,
    /// Healed after some honest engine had decided, and some had not.
    uneven: usize,
    /// Decided in a later round than the first.
    late: usize,
    /// With somebody in a round after the last partition when the network healed.
    entered_next: usize,
    most_steps: usize,
}

impl<'a> Scenario<'a> {
    fn new(twinned: usize, rounds: &'a [Partition]) -> Self {
        let mut scenario = Self {
            twinned,
            rounds,
            engines: Vec::new(),
            timers: vec![BTreeSet::new(); ENGINES],
            mail: VecDeque::new(),
            withheld: Vec::new(),
            healed: false,
            judged: vec![BTreeSet::new(); ENGINES],
            decided: vec![BTreeMap::new(); ENGINES],
            heard: vec![BTreeMap::new(); ENGINES],
            accused: vec![BTreeSet::new(); ENGINES],
            steps: 0,
        };
        let begun: Vec<_> =
            (0..ENGINES).map(|n| restored(if n == TWIN { twinned } else { n }, ONE, &[])).collect();
        let mut todo = Vec::new();
        for (engine, actions) in begun {
            scenario.engines.push(Some(engine));
            todo.push(actions);
        }
        for (n, actions) in todo.into_iter().enumerate() {
            scenario.perform(n, actions);
        }
        scenario
    }

    fn is_honest(&self, n: usize) -> bool {
        n != self.twinned && n != TWIN
    }

    fn honest(&self) -> impl Iterator<Item = usize> {
        (0..ENGINES).filter(|n| self.is_honest(*n))
    }

    fn step(&mut self, n: usize, input: Input) {
        self.steps += 1;
        let Some(engine) = self.engines[n].as_mut() else { return };
        match engine.step(input) {
            Ok(actions) => self.perform(n, actions),
            Err(stuck) => {
                assert!(!self.is_honest(n), "engine {n} of {self:?}: {stuck}");
                // A mind that hears its own key contradict it may stop; it is not the one we promise anything to.
                self.engines[n] = None;
                self.timers[n].clear();
            }
        }
    }

    fn perform(&mut self, n: usize, actions: Vec<Action>) {
        let mut over = None;
        for action in actions {
            // What follows a decision in the list are last words, which others may need; the timers are of the past.
            match action {
                Action::Broadcast(message) => self.say(n, &message),
                Action::Set(_) | Action::Propose { .. } if over.is_some() => {}
                Action::Set(timer) => self.timers[n].extend([timer]),
                Action::Cancel(timer) => self.timers[n].retain(|other| *other != timer),
                Action::CancelAll => self.timers[n].clear(),
                Action::Propose { height, round } => {
                    // The twins do not make the same block.
                    let made = block(&[height.0, round.0.into(), u64::try_from(n).unwrap()]);
                    self.judged[n].insert((height, made));
                    self.step(n, Input::Propose { height, round, block: made });
                }
                Action::Decide(certificate) => {
                    certificate.verify(&CHAIN, &committee()).unwrap();
                    let (height, block) = (certificate.height, certificate.block);
                    self.decided[n].insert(height, block);
                    if self.is_honest(n) {
                        for other in self.honest() {
                            let theirs = self.decided[other].get(&height);
                            assert!(
                                theirs.is_none_or(|theirs| *theirs == block),
                                "a fork: {self:?}"
                            );
                        }
                    }
                    self.timers[n].clear();
                    over = Some(height);
                }
                Action::Accuse(evidence) => self.accuse(n, &evidence),
                Action::Journal(_)
                | Action::Sign(_)
                | Action::Round { .. }
                | Action::Restream(_) => {}
            }
        }
        if let Some(height) = over {
            self.step(n, Input::Start(start(height.next())));
        }
    }

    fn accuse(&mut self, n: usize, evidence: &Evidence) {
        let place = evidence.convicts(&CHAIN, &committee());
        let place = place.unwrap_or_else(|| panic!("{evidence:?} convicts nobody: {self:?}"));
        assert_eq!(usize::from(place.3), self.twinned, "an honest one is convicted: {self:?}");
        // A node keeps one a place; the engine says each piece once.
        self.accused[n].insert(place);
    }

    /// Whether the network carries a message of this height and round from one engine to another, for now.
    fn carries(&self, from: usize, to: usize, message: &Message) -> bool {
        if self.healed {
            return true;
        }
        let round = usize::try_from(message.round().0).unwrap();
        // Height 2 and the rounds after the last partition wait for the network to heal.
        message.height() == ONE && self.rounds.get(round).is_some_and(|p| p[from] == p[to])
    }

    fn say(&mut self, from: usize, message: &Message) {
        for to in (0..ENGINES).filter(|to| *to != from) {
            let letter = Letter { to, message: message.clone() };
            if self.carries(from, to, message) {
                self.mail.push_back(letter);
            } else {
                self.withheld.push(letter);
            }
        }
    }

    fn deliver(&mut self, Letter { to, message }: Letter) {
        for (place, word) in words(&message) {
            if usize::from(place.3) == self.twinned {
                self.heard[to].entry(place).or_default().insert(word);
            }
        }
        let body = match &message {
            Message::Proposal(p, _) => Some((p.height, p.round, p.block)),
            Message::Vote(..) | Message::Polka { .. } | Message::RoundChange { .. } => None,
        };
        self.step(to, Input::Message(message));
        // The body travels with the proposal that names it, and is judged once, at its height.
        if let Some((height, round, block)) = body
            && self.engines[to].as_ref().is_some_and(|engine| engine.at().0 == height)
            && self.judged[to].insert((height, block))
        {
            self.step(to, judged(height, round, block));
        }
    }

    /// Lets every timer ring that `rings`; false if none does.
    fn ring(&mut self, rings: impl Fn(&Timer) -> bool) -> bool {
        let mut rang = false;
        for n in 0..ENGINES {
            let (due, kept) = core::mem::take(&mut self.timers[n]).into_iter().partition(&rings);
            self.timers[n] = kept;
            for timer in BTreeSet::into_iter(due) {
                rang = true;
                self.step(n, Input::Elapsed(timer));
            }
        }
        rang
    }

    fn run(mut self) -> Seen {
        let last = u32::try_from(self.rounds.len()).unwrap();
        loop {
            while let Some(letter) = self.mail.pop_front() {
                self.deliver(letter);
            }
            // To say the same again within the same group changes nothing.
            let partitioned =
                |timer: &Timer| timer.round.0 < last && timer.kind != TimerKind::Rebroadcast;
            if !self.ring(partitioned) {
                break;
            }
        }
        let decided = self.honest().filter(|n| !self.decided[*n].is_empty()).count();
        let heights = self.honest().map(|n| self.decided[n].len()).max().unwrap_or(0);
        // At height 1, one that has decided waits for nobody; the others are to follow when they can hear.
        let target =
            Height(if decided == SEATS - 1 { 1 + u64::try_from(heights).unwrap() } else { 1 });
        let next = Round(last);
        let entered_next = self.engines.iter().flatten().any(|engine| {
            let (height, round) = engine.at();
            height == ONE && round >= next
        }) || self
            .withheld
            .iter()
            .any(|letter| letter.message.height() == ONE && letter.message.round() >= next);
        self.healed = true;
        self.mail = core::mem::take(&mut self.withheld).into();
        let mut rings = 0;
        while self.honest().any(|n| !self.decided[n].contains_key(&target)) {
            if let Some(letter) = self.mail.pop_front() {
                self.deliver(letter);
                continue;
            }
            rings += 1;
            assert!(rings < 40 && self.ring(|_| true), "no progress after healing: {self:?}");
        }
        // What is still under way reaches those who have gone on, and must not be lost on them; what they answer is.
        for letter in core::mem::take(&mut self.mail) {
            self.deliver(letter);
        }
        Seen { entered_next: usize::from(entered_next), ..self.judge(decided) }
    }

    fn judge(&self, decided: usize) -> Seen {
        let mut seen = Seen { scenarios: 1, most_steps: self.steps, ..Seen::default() };
        for n in self.honest() {
            for (place, words) in &self.heard[n] {
                if words.len() > 1 {
                    seen.equivocations = 1;
                    assert!(
                        self.accused[n].contains(place),
                        "engine {n} heard {words:?} at {place:?} and says nothing: {self:?}"
                    );
                }
            }
        }
        seen.uneven = usize::from(decided > 0 && decided < SEATS - 1);
        seen.late = usize::from(decided == 0);
        seen
    }
}

impl core::fmt::Debug for Scenario<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "twins of seat {}, partitions {:?}", self.twinned, self.rounds)
    }
}

impl core::ops::AddAssign for Seen {
    fn add_assign(&mut self, other: Self) {
        self.scenarios += other.scenarios;
        self.equivocations += other.equivocations;
        self.uneven += other.uneven;
        self.late += other.late;
        self.entered_next += other.entered_next;
        self.most_steps = self.most_steps.max(other.most_steps);
    }
}

/// Every sequence of so many rounds out of these partitions that goes on from one that was run. Where nobody entered the
/// next round before the network healed, its partition plays no part, and all that go on from there are the same.
fn exhaust(
    partitions: &[Partition],
    rounds: usize,
    twinned: usize,
    sequence: &mut Vec<Partition>,
) -> Seen {
    let mut seen = Seen::default();
    for partition in partitions {
        sequence.push(*partition);
        if is_first(twinned, sequence) {
            let one = Scenario::new(twinned, sequence).run();
            seen += one;
            if sequence.len() < rounds && one.entered_next > 0 {
                seen += exhaust(partitions, rounds, twinned, sequence);
            }
        }
        sequence.pop();
    }
    seen
}

fn exhaust_all(partitions: &[Partition], rounds: usize) -> Seen {
    let mut seen = Seen::default();
    for twinned in 0..SEATS {
        seen += exhaust(partitions, rounds, twinned, &mut Vec::new());
    }
    println!("{} partitions, {rounds} rounds: {seen:?}", partitions.len());
    seen
}

#[test]
fn the_partitions_are_all_there_are() {
    // Bell's number of five, and Stirling's of five into at most two.
    assert_eq!(partitions(5).len(), 52);
    assert_eq!(partitions(2).len(), 16);
    let twice = |p: Partition| exchanged(exchanged(p, 1), 1);
    assert!(partitions(5).into_iter().all(|p| twice(p) == p));
}

/// A setting of the one who runs the tests.
fn setting(name: &str) -> Option<u64> {
    #[expect(
        clippy::disallowed_methods,
        reason = "how long to search is for whoever runs it to say"
    )]
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// `SplitMix64`: the same scenarios for the same seed, everywhere.
fn draw(state: &mut u64, below: usize) -> usize {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from((z ^ (z >> 31)) % u64::try_from(below).unwrap()).unwrap()
}

#[test]
fn twins_in_every_partition_of_two_rounds() {
    let seen = exhaust_all(&partitions(5), 2);
    assert!(seen.equivocations > 100 && seen.uneven > 100 && seen.late > 100, "{seen:?}");
}

#[test]
fn twins_in_every_split_of_so_many_rounds() {
    // Two groups only, which is how networks break. More rounds take longer, and are run when asked for.
    let rounds = setting("MINLIAN_TWINS_ROUNDS").unwrap_or(2);
    let seen = exhaust_all(&partitions(2), usize::try_from(rounds).unwrap());
    assert!(seen.equivocations > 100, "{seen:?}");
}

#[test]
fn drawn_twins_of_up_to_six_rounds() {
    let all = partitions(5);
    let (mut seed, seconds) =
        (setting("MINLIAN_TWINS_SEED").unwrap_or(0), setting("MINLIAN_TWINS_SECONDS"));
    #[expect(clippy::disallowed_methods, reason = "how long is a matter of the clock")]
    let from = std::time::Instant::now();
    let mut seen = Seen::default();
    while seconds.map_or(seen.scenarios < 300, |most| from.elapsed().as_secs() < most) {
        let twinned = draw(&mut seed, SEATS);
        let rounds: Vec<Partition> =
            (0..=draw(&mut seed, 6)).map(|_| all[draw(&mut seed, all.len())]).collect();
        seen += Scenario::new(twinned, &rounds).run();
    }
    println!("{seen:?}");
    assert!(seen.equivocations > 0);
}
