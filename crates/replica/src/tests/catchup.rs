//! One real replica that missed everything, and neighbours that follow a script.

use super::*;
use crate::receive::SyncFrame;
use types::{Certificate, codec::Wire as _};

const START: u64 = 1_700_000_000_000;
/// The real one.
const PUPIL: usize = 3;

/// A chain as its neighbours have it.
struct Library {
    rules: Rules,
    disk: SharedMemory,
    blocks: Vec<(Block, Certificate)>,
}

/// A block that a quorum certified, whatever it says.
fn certify(chain: &ChainId, block: &Block) -> Certificate {
    let (height, round, id) = (block.header.height, Round(0), block.id());
    let signatures = (0..3).map(|seat| {
        let vote = Vote { height, round, step: Step::Precommit, block: Some(id), seat };
        (seat, vote.sign(chain, &secret(1, usize::from(seat))))
    });
    Certificate { height, round, block: id, signatures: signatures.collect() }
}

/// The next block of a chain, and its commit.
fn append(rules: &Rules, disk: &SharedMemory, txs: &[Verified]) -> (Block, Certificate) {
    let tip = ledger::tip(rules, disk);
    let sized = txs.iter().map(|tx| (tx, codec::encode(tx.get()).len()));
    let (block, outcome, refused) =
        ledger::propose(rules, disk, &tip, tip.time.plus(1000), 0, sized);
    assert_eq!(refused, vec![]);
    assert_eq!(block.transactions.len(), txs.len());
    let certificate = certify(rules.chain(), &block);
    let certified = types::Certified::verify(
        block.clone(),
        certificate.clone(),
        rules.chain(),
        rules.committee(),
    );
    disk.write(ledger::commit(certified.unwrap(), outcome).writes());
    (block, certificate)
}

impl Library {
    fn new(genesis: &Genesis, blocks: u64, records: u64) -> Self {
        let (rules, disk) = (Rules::new(genesis), SharedMemory::default());
        let chain = *rules.chain();
        let blocks = (0..blocks).map(|height| {
            let txs: Vec<_> = (0..records)
                .map(|n| {
                    let n = height * records + n + 1;
                    tx(chain, n, vec![issue(n)]).verify(&chain).unwrap()
                })
                .collect();
            append(&rules, &disk, &txs)
        });
        let blocks = blocks.collect();
        Self { rules, disk, blocks }
    }

    fn tip(&self) -> u64 {
        query::height(&self.disk).0
    }

    fn range(&self, question: Question) -> Vec<(Block, Certificate)> {
        let from = usize::try_from(question.from.0 - 1).unwrap_or(usize::MAX);
        let count = usize::try_from(question.count).unwrap();
        self.blocks.iter().skip(from).take(count).cloned().collect()
    }
}

/// What a scripted neighbour does when it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trick {
    /// Answers after so many milliseconds.
    Honest(u64),
    /// Never answers.
    Silent,
    /// Claims the highest height there is, and has no blocks.
    Boasts,
    Gap,
    Falling,
    WrongHeader,
    WrongSignature,
    WrongOperations,
    OtherCertificate,
    FewSignatures,
    OtherChain,
    OtherCommittee,
    MoreThanAsked,
    /// Another answer than to what was asked.
    OtherRange,
    /// Half of what was asked, always.
    Half,
    /// Honest twice, then never again.
    Stalls,
    /// Honest, and keeps only the blocks from this height on.
    KeepsFrom(u64),
}

/// Everything that is a lie: no honest neighbour does it, and it shows when it is looked at.
const LIES: [Trick; 11] = [
    Trick::Gap,
    Trick::Falling,
    Trick::WrongHeader,
    Trick::WrongSignature,
    Trick::WrongOperations,
    Trick::OtherCertificate,
    Trick::FewSignatures,
    Trick::OtherChain,
    Trick::OtherCommittee,
    Trick::MoreThanAsked,
    Trick::Boasts,
];

struct School {
    library: Library,
    tricks: [Trick; 3],
    replica: Replica<SharedMemory>,
    disk: SharedMemory,
    now: u64,
    alarms: BTreeMap<Wake, u64>,
    post: BTreeMap<(u64, u64), (usize, Received)>,
    posted: u64,
    /// Who was asked what, and when.
    questions: Vec<(u64, usize, Question)>,
    blamed: Vec<(u64, usize, Offence)>,
    held_bytes_max: usize,
    under_way_max: usize,
    answered: usize,
    /// How long the replica's own thread and the others were busy, nanoseconds.
    busy: [u128; 2],
}

impl School {
    fn new(library: Library, genesis: &Genesis, tricks: [Trick; 3]) -> Self {
        let disk = SharedMemory::default();
        let (replica, effects) = Replica::restore(
            genesis,
            Voter::new(secret(1, PUPIL)),
            disk.clone(),
            &[],
            Timestamp(START),
            PoolLimits::default(),
        )
        .unwrap();
        let mut school = Self {
            library,
            tricks,
            replica,
            disk,
            now: 0,
            alarms: BTreeMap::new(),
            post: BTreeMap::new(),
            posted: 0,
            questions: Vec::new(),
            blamed: Vec::new(),
            held_bytes_max: 0,
            under_way_max: 0,
            answered: 0,
            busy: [0; 2],
        };
        school.perform(effects);
        for n in 0..3 {
            school.step(Event::Connected(peer(n)));
        }
        school.claim();
        school
    }

    fn claim(&mut self) {
        for n in 0..3 {
            let boasts = self.tricks[n] == Trick::Boasts;
            let height = Height(if boasts { u64::MAX } else { self.library.tip() });
            let time = Timestamp(START + self.now);
            self.deliver(1, n, Received::Status(height, time));
        }
    }

    fn deliver(&mut self, delay: u64, from: usize, received: Received) {
        self.posted += 1;
        self.post.insert((self.now + delay, self.posted), (from, received));
    }

    #[expect(clippy::disallowed_methods, reason = "a measurement, of this test alone")]
    fn step(&mut self, event: Event) {
        let started = std::time::Instant::now();
        let effects = self.replica.step(Timestamp(START + self.now), event).unwrap();
        self.busy[0] += started.elapsed().as_nanos();
        self.held_bytes_max = self.held_bytes_max.max(self.replica.catchup.held_bytes());
        self.perform(effects);
    }

    #[expect(clippy::disallowed_methods, reason = "a measurement, of this test alone")]
    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Commit(commit) => {
                    let height = commit.certified().height();
                    let theirs = self.library.blocks[usize::try_from(height.0 - 1).unwrap()].0.id();
                    assert_eq!(commit.certified().block().id(), theirs);
                    self.disk.write(commit.writes());
                    self.step(Event::Committed(height));
                }
                Effect::Check(unchecked) => {
                    let started = std::time::Instant::now();
                    let checked = unchecked.check();
                    self.busy[1] += started.elapsed().as_nanos();
                    self.step(Event::Checked(checked));
                }
                Effect::Send(To::One(to), Channel::Sync, bytes) => {
                    let n = (0..3).find(|n| peer(*n) == to).unwrap();
                    match receive(&self.library.rules.chain().clone(), Channel::Sync, &bytes) {
                        Ok(Received::Ask(question)) => self.asked(n, question),
                        other => panic!("{other:?}"),
                    }
                }
                Effect::Set(wake, delay) => {
                    self.alarms.insert(wake, self.now + delay.max(1));
                }
                Effect::Cancel(wake) => {
                    self.alarms.remove(&wake);
                }
                Effect::CancelRounds => {
                    self.alarms.retain(|wake, _| !matches!(wake, Wake::Round(_)));
                }
                Effect::Blame(who, offence) => {
                    let n = (0..3).find(|n| peer(*n) == who).unwrap();
                    self.blamed.push((self.now, n, offence));
                }
                Effect::Send(..)
                | Effect::Journal(_)
                | Effect::Sign(_)
                | Effect::Answer(..)
                | Effect::Refused(..)
                | Effect::Accuse(_)
                | Effect::Admit(_) => {}
            }
        }
    }

    fn asked(&mut self, n: usize, question: Question) {
        self.questions.push((self.now, n, question));
        let twice = self.questions.iter().filter(|(_, who, _)| *who == n).count() <= 2;
        let mut blocks = self.library.range(question);
        let mut delay = 20;
        match self.tricks[n] {
            Trick::Honest(after) => delay = after,
            Trick::Silent => return,
            Trick::Boasts => blocks.clear(),
            Trick::Gap if blocks.len() > 1 => drop(blocks.remove(0)),
            Trick::Gap => blocks.clear(),
            Trick::Falling => blocks.reverse(),
            Trick::WrongHeader => {
                blocks.iter_mut().for_each(|(b, _)| b.header.state_root = Hash([9; 32]));
            }
            Trick::WrongSignature => blocks.iter_mut().for_each(|(b, _)| {
                b.transactions.iter_mut().for_each(|tx| {
                    tx.signature =
                        secret(0, 9).sign(types::Domain::Prevote, &ChainId::default(), b"x");
                });
            }),
            Trick::WrongOperations => blocks.iter_mut().for_each(|(b, _)| {
                b.transactions.iter_mut().for_each(|tx| tx.operations = vec![issue(u64::MAX)]);
            }),
            Trick::OtherCertificate => {
                let other = self.library.blocks.last().unwrap().1.clone();
                blocks.iter_mut().for_each(|(_, certificate)| *certificate = other.clone());
            }
            Trick::FewSignatures => {
                blocks.iter_mut().for_each(|(_, c)| c.signatures.truncate(2));
            }
            Trick::OtherChain => {
                blocks.iter_mut().for_each(|(b, _)| b.header.chain = ChainId(Hash([9; 32])));
            }
            Trick::OtherCommittee => {
                blocks.iter_mut().for_each(|(b, _)| b.header.committee = Hash([9; 32]));
            }
            Trick::MoreThanAsked => {
                blocks = self.library.range(Question { count: question.count + 1, ..question });
            }
            Trick::OtherRange => {
                let from = Height(1);
                self.deliver(
                    delay,
                    n,
                    Received::Tell(from, self.library.range(Question { from, count: 1 })),
                );
                return;
            }
            Trick::Half => blocks.truncate((blocks.len() / 2).max(1)),
            Trick::Stalls if !twice => return,
            Trick::KeepsFrom(kept) if question.from.0 < kept => {
                self.deliver(delay, n, Received::Tell(Height(kept), Vec::new()));
                return;
            }
            Trick::Stalls | Trick::KeepsFrom(_) => {}
        }
        self.deliver(delay, n, Received::Tell(question.from, blocks));
        self.answered += 1;
        self.under_way_max = self.under_way_max.max(self.post.len());
    }

    fn height(&self) -> u64 {
        query::height(&self.disk).0
    }

    fn advance(&mut self) {
        let alarm = self.alarms.iter().map(|(wake, at)| (*at, *wake)).min();
        let letter = self.post.first_key_value().map(|(key, _)| *key);
        match (alarm, letter) {
            (Some((at, wake)), letter) if letter.is_none_or(|(due, _)| at < due) => {
                self.now = self.now.max(at);
                self.alarms.remove(&wake);
                if wake == Wake::Status {
                    self.claim();
                }
                self.step(Event::Elapsed(wake));
            }
            (_, Some(key)) => {
                let (from, received) = self.post.remove(&key).unwrap();
                self.now = self.now.max(key.0);
                self.step(Event::Received(peer(from), received));
            }
            _ => panic!("nothing is to come"),
        }
    }

    /// How long it takes to have everything, milliseconds of its time; none if it is more than `limit`.
    fn finishes(&mut self, limit: u64) -> Option<u64> {
        while self.height() < self.library.tip() {
            if self.now > limit {
                return None;
            }
            self.advance();
        }
        Some(self.now)
    }

    fn run_for(&mut self, milliseconds: u64) {
        let until = self.now + milliseconds;
        while self.now < until {
            self.advance();
        }
    }
}

fn school(blocks: u64, records: u64, tricks: [Trick; 3]) -> School {
    let mut genesis = genesis();
    genesis.limits.block_operations_max = 200;
    School::new(Library::new(&genesis, blocks, records), &genesis, tricks)
}

#[test]
fn one_honest_neighbour_is_enough_whatever_lies_the_others_tell() {
    for lie in LIES {
        let mut school = school(200, 1, [lie, lie, Trick::Honest(20)]);
        let took =
            school.finishes(20_000).unwrap_or_else(|| panic!("{lie:?}: {}", school.height()));
        assert!(took < 8000, "{lie:?} costs {took} ms");
        for n in [0, 1] {
            assert!(
                school.blamed.iter().any(|(_, who, _)| *who == n),
                "{lie:?}: {n} is not blamed"
            );
        }
        assert!(school.blamed.iter().all(|(_, who, _)| *who != 2), "{lie:?}: {:?}", school.blamed);
    }
}

#[test]
fn a_liar_is_left_at_once_and_not_asked_again_for_a_growing_time() {
    for lie in LIES {
        if lie == Trick::Boasts {
            // To have no blocks is not a lie by itself; the next test.
            continue;
        }
        let mut school = school(200, 1, [lie, Trick::Silent, Trick::Silent]);
        school.run_for(200_000);
        let asked = |n| school.questions.iter().filter(move |(_, who, _)| *who == n);
        let mut times: Vec<u64> = asked(0).map(|(at, ..)| *at).collect();
        // Two questions go out together, or one after the other when the second answer alone tells the lie.
        times.dedup_by(|later, earlier| *later - *earlier < 100);
        let pauses: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(pauses.len() >= 3, "{lie:?}: {pauses:?}");
        assert!(pauses[0] >= 9000, "{lie:?}: {pauses:?}");
        assert!(
            pauses.windows(2).all(|pair| pair[1] > pair[0] + pair[0] / 2),
            "{lie:?}: {pauses:?}"
        );
        assert_eq!(school.height(), 0, "{lie:?}");
        // What it had been asked for was asked of others at once.
        let blamed = school.blamed.iter().find(|(_, who, _)| *who == 0).unwrap().0;
        assert!(blamed <= 100, "{lie:?} is found at {blamed} ms");
    }
}

#[test]
fn a_claim_of_the_highest_height_there_is_moves_nothing() {
    let mut school = school(200, 1, [Trick::Boasts, Trick::Boasts, Trick::Honest(20)]);
    assert!(school.finishes(8000).is_some());
    school.run_for(60_000);
    assert_eq!(school.replica.status().tip.height, Height(200));
    // They are asked less and less: once in half a minute at the end.
    let late = school.questions.iter().filter(|(at, who, _)| *at > 30_000 && *who != 2).count();
    assert!(late <= 8, "{late} questions");
    let beyond = school.questions.iter().filter(|(_, who, q)| *who == 2 && q.from.0 > 200).count();
    assert_eq!(beyond, 0, "nobody is asked for what it does not claim");
}

#[test]
fn a_silent_neighbour_is_left_for_another() {
    let mut school = school(100, 1, [Trick::Silent, Trick::Silent, Trick::Honest(20)]);
    let took = school.finishes(20_000).unwrap();
    assert!(took < 2500, "{took} ms");
    let first: Vec<usize> =
        school.questions.iter().filter(|(.., q)| q.from == Height(1)).map(|(_, n, _)| *n).collect();
    assert_eq!(first.first(), Some(&0));
    assert_eq!(first.last(), Some(&2), "what holds everything up is asked of another: {first:?}");
}

#[test]
fn when_all_are_silent_each_is_asked_in_turn_and_less_and_less() {
    let mut school = school(20, 1, [Trick::Silent; 3]);
    school.run_for(120_000);
    for n in 0..3 {
        let asked = school.questions.iter().filter(|(_, who, _)| *who == n).count();
        assert!((3..20).contains(&asked), "{n} is asked {asked} times");
        let silences = school.blamed.iter().filter(|(_, who, _)| *who == n);
        assert!(silences.clone().count() >= 3);
        assert!(silences.clone().all(|(.., why)| *why == Offence::Silence));
    }
    // And when one speaks at last, it is heard.
    school.tricks[1] = Trick::Honest(20);
    let from = school.now;
    assert!(school.finishes(from + 70_000).is_some(), "{}", school.height());
}

#[test]
fn a_neighbour_that_stalls_in_the_middle_is_left() {
    let mut school = school(600, 1, [Trick::Stalls, Trick::Stalls, Trick::Honest(20)]);
    let took = school.finishes(20_000).unwrap();
    assert!(took < 6000, "{took} ms");
}

#[test]
fn half_of_what_was_asked_is_taken_and_the_rest_asked_for_again() {
    let mut all = school(200, 1, [Trick::Half, Trick::Half, Trick::Half]);
    assert!(all.finishes(20_000).is_some(), "{}", all.height());
    let mut one = school(200, 1, [Trick::Half, Trick::Half, Trick::Honest(20)]);
    assert!(one.finishes(5000).is_some(), "{}", one.height());
    assert_eq!(all.blamed.len() + one.blamed.len(), 0);
}

#[test]
fn an_answer_to_another_question_is_no_answer() {
    let mut school = school(100, 1, [Trick::OtherRange, Trick::OtherRange, Trick::Honest(20)]);
    assert!(school.finishes(10_000).is_some(), "{}", school.height());
}

#[test]
fn the_pace_is_that_of_the_fastest_neighbour() {
    // Two that take almost as long as they may, and one that is quick: the quick one does the work.
    let mut slow = school(800, 1, [Trick::Honest(900), Trick::Honest(900), Trick::Honest(5)]);
    let took = slow.finishes(60_000).unwrap();
    let mut alone = school(800, 1, [Trick::Silent, Trick::Silent, Trick::Honest(5)]);
    let without = alone.finishes(60_000).unwrap();
    assert!(took <= without, "{took} ms with slow ones, {without} ms without");
    assert!(took < 3500, "{took} ms");
}

#[test]
fn a_single_neighbour_on_a_thin_line_is_given_the_time_it_needs() {
    let mut school = school(60, 1, [Trick::Silent, Trick::Silent, Trick::Honest(7000)]);
    let took = school.finishes(200_000);
    assert!(took.is_some(), "{}", school.height());
}

#[test]
fn several_ranges_are_asked_of_several_neighbours_at_once() {
    let mut school = school(880, 1, [Trick::Honest(50); 3]);
    school.run_for(40);
    let first: Vec<_> = school.questions.iter().filter(|(at, ..)| *at < 50).collect();
    let asked: BTreeSet<usize> = first.iter().map(|(_, who, _)| *who).collect();
    assert_eq!((asked.len(), first.len()), (3, 6), "{first:?}");
    let ranges: BTreeSet<u64> = first.iter().map(|(.., q)| q.from.0).collect();
    assert_eq!(ranges.len(), 6, "no range is asked for twice");
    let took = school.finishes(20_000).unwrap();
    assert!(took < 1500, "{took} ms");
    assert_eq!(school.blamed, vec![]);
}

#[test]
fn what_is_held_is_bounded() {
    // The first range never comes; the others have all they want.
    let mut school = school(450, 100, [Trick::Honest(5); 3]);
    let first = school.replica.tip.height.next();
    while school.now < 5000 && school.questions.len() < 120 {
        let next = school.post.iter().find_map(|(key, (_, received))| {
            if let Received::Tell(from, _) = received
                && *from == first
            {
                Some(*key)
            } else {
                None
            }
        });
        if let Some(key) = next {
            school.post.remove(&key);
        }
        school.advance();
    }
    assert_eq!(school.height(), 0);
    let (held, answer) = (school.held_bytes_max, 256 * 40_000);
    assert!(held > 1 << 20 && held <= (16 << 20) + 8 * answer, "{held} bytes");
    let furthest = school.questions.iter().map(|(.., q)| q.from.0 + u64::from(q.count)).max();
    assert!(furthest.unwrap() <= 451, "{furthest:?}");
}

#[test]
fn a_second_history_with_a_quorum_stops_us() {
    let mut school = school(5, 1, [Trick::Silent; 3]);
    let (mut block, _) = school.library.blocks[0].clone();
    block.header.parent = BlockId(Hash([1; 32]));
    let certificate = certify(school.library.rules.chain(), &block);
    while school.questions.is_empty() {
        school.advance();
    }
    let (_, n, _) = school.questions[0];
    let now = Timestamp(START + school.now);
    let told = Received::Tell(Height(1), vec![(block, certificate)]);
    let effects = school.replica.step(now, Event::Received(peer(n), told)).unwrap();
    let check = effects.into_iter().find_map(|effect| {
        if let Effect::Check(unchecked) = effect { Some(unchecked.check()) } else { None }
    });
    assert!(school.replica.step(now, Event::Checked(check.unwrap())).is_err());
}

#[test]
fn a_claim_of_one_is_not_what_the_network_has() {
    let mut school = school(5, 1, [Trick::Silent; 3]);
    for (n, height) in [(0, u64::MAX), (1, 5), (2, 4)] {
        let status = Received::Status(Height(height), Timestamp(START));
        school.step(Event::Received(peer(n), status));
    }
    assert_eq!(school.replica.status().highest, Height(5));
}

#[test]
fn how_far_it_is_is_told_in_words() {
    let mut school = school(800, 1, [Trick::Honest(900); 3]);
    assert_eq!(school.replica.status().catching_up, None, "nobody claimed anything yet");
    school.run_for(2100);
    let fetching = school.replica.status().catching_up.unwrap();
    assert_eq!((fetching.from, fetching.to), (Height(0), Height(800)));
    assert!(fetching.per_second > 0 && fetching.height > Height(0), "{fetching:?}");
    assert!(school.finishes(20_000).is_some());
    school.run_for(100);
    assert_eq!(school.replica.status().catching_up, None);
    let words = |height, per_second, to| {
        let (from, height, to) = (Height(0), Height(height), Height(to));
        Fetching { from, height, to, per_second, dropped_below: None }.to_string()
    };
    assert_eq!(
        words(12_340, 1850, 100_000),
        "catching up: 12,340 of 100,000 (1,850 blocks/s, about 48 s left)"
    );
    assert_eq!(words(0, 0, 999), "catching up: 0 of 999 (not moving yet)");
    assert_eq!(words(0, 1, 1000), "catching up: 0 of 1,000 (1 blocks/s, about 16 min left)");
    assert!(words(0, 1, u64::MAX).contains("left"));
}

#[test]
fn whoever_dropped_what_is_wanted_says_so_and_another_is_asked_at_once() {
    // It is neither blamed nor disbelieved, and helps as soon as it can.
    let keeps = [Trick::KeepsFrom(601), Trick::KeepsFrom(401), Trick::Honest(20)];
    let mut school = school(800, 1, keeps);
    let took = school.finishes(20_000).expect("one keeps all");
    assert_eq!(school.blamed, vec![]);
    let vainly = |n: usize, kept: u64| {
        let asked = school.questions.iter().filter(|(_, who, _)| *who == n);
        asked.filter(|(.., question)| question.from.0 < kept).count()
    };
    assert!((1..=2).contains(&vainly(0, 601)), "{} times, in {took} ms", vainly(0, 601));
    assert!((1..=2).contains(&vainly(1, 401)), "{} times, in {took} ms", vainly(1, 401));
    assert!(school.questions.iter().any(|(_, who, question)| *who == 0 && question.from.0 > 600));
}

#[test]
fn if_nobody_keeps_what_is_wanted_it_is_told_and_found_when_somebody_does() {
    let mut school = school(300, 1, [Trick::KeepsFrom(101), Trick::KeepsFrom(51), Trick::Silent]);
    school.run_for(10_000);
    assert_eq!(school.replica.status().catching_up.unwrap().dropped_below, None, "one may have it");
    school.tricks[2] = Trick::KeepsFrom(201);
    school.run_for(90_000);
    let fetching = school.replica.status().catching_up.unwrap();
    assert_eq!((school.height(), fetching.dropped_below), (0, Some(Height(51))));
    assert!(fetching.to_string().contains("no neighbour here keeps block 1: "), "{fetching}");
    assert!(fetching.to_string().contains("snapshot restore"), "{fetching}");
    let asked = school.questions.len();
    school.run_for(120_000);
    let more = school.questions.len() - asked;
    assert!((3..=20).contains(&more), "{more} questions in two minutes");
    // One is given all blocks back.
    school.tricks[0] = Trick::Honest(20);
    let now = school.now;
    let done = school.finishes(now + 70_000).expect("it is asked again within a minute");
    assert!(done > now);
    assert_eq!(school.replica.status().catching_up, None);
}

#[test]
fn a_question_for_what_was_dropped_is_answered_by_where_the_blocks_begin() {
    let library = Library::new(&genesis(), 100, 1);
    let (_, _, note) = ledger::retention::drop_below(Height(31));
    library.disk.write(&[note]);
    let (replica, _) = Replica::restore(
        &genesis(),
        Voter::new(secret(1, PUPIL)),
        library.disk,
        &[],
        Timestamp(START),
        PoolLimits::default(),
    )
    .unwrap();
    for (from, first, some) in
        [(1, 31, false), (30, 31, false), (31, 31, true), (95, 95, true), (101, 101, false)]
    {
        let question = Question { from: Height(from), count: 3 };
        let Effect::Send(_, _, bytes) = replica.tell(peer(0), question) else { panic!() };
        let Ok(SyncFrame::Tell(at, blocks)) = codec::decode(&bytes) else { panic!() };
        assert_eq!((at.0, !blocks.is_empty()), (first, some), "{from}");
        assert!(
            blocks.iter().zip(from..).all(|((block, _), height)| block.header.height.0 == height)
        );
    }
}

#[test]
fn a_clock_that_is_set_back_or_forward_hurries_and_stops_nothing() {
    let mut school = school(300, 1, [Trick::Silent, Trick::Honest(20), Trick::Honest(20)]);
    let mut steps = 0_u64;
    while school.height() < 300 && steps < 100_000 {
        steps += 1;
        school.advance();
        if steps.is_multiple_of(40) {
            // What the replica is told of the time is all it knows of it.
            let wrong =
                if steps.is_multiple_of(80) { START - 86_400_000 } else { START + 86_400_000 };
            let now = Timestamp(wrong + school.now);
            let status = Received::Status(Height(300), now);
            let effects = school.replica.step(now, Event::Received(peer(1), status)).unwrap();
            school.perform(effects);
        }
    }
    assert_eq!(school.height(), 300);
    assert!(school.now < 10_000, "{} ms", school.now);
    let wrongly = school.blamed.iter().filter(|(_, who, _)| *who != 0).count();
    assert_eq!(wrongly, 0, "{:?}", school.blamed);
}

/// Answers that `n` gives to `questions` within the milliseconds after they were asked.
fn served(town: &mut Town, n: usize, from: usize, milliseconds: u64) -> (usize, usize) {
    let start = town.nodes[n].did.len();
    town.run_for(milliseconds);
    let answers = town.nodes[n].did[start..].iter().filter_map(|effect| {
        if let Effect::Send(To::One(to), Channel::Sync, bytes) = effect
            && *to == peer(from)
        {
            Some(bytes.len())
        } else {
            None
        }
    });
    answers.fold((0, 0), |(count, sum), len| (count + 1, sum + len))
}

#[test]
fn whoever_asks_without_end_is_answered_at_a_bounded_pace_and_votes_go_on() {
    let mut town = Town::new();
    assert!(town.reaches(&[0, 1, 2, 3], 3));
    let before = town.nodes[0].did.len();
    for n in 0..10_000_u64 {
        let question = Question { from: Height(1 + n % 3), count: u32::MAX };
        town.step(0, Event::Received(peer(3), Received::Ask(question)));
    }
    let sync = |did: &[Effect]| {
        did.iter().filter(|e| matches!(e, Effect::Send(_, Channel::Sync, _))).count()
    };
    let burst = sync(&town.nodes[0].did[before..]);
    assert!(burst <= 128, "{burst} answers to 10,000 questions");
    // Few questions wait, and they are answered; the chain has not noticed.
    let height = town.height(0);
    let (late, bytes) = served(&mut town, 0, 3, 2000);
    assert!((1..=4).contains(&late), "{late} late answers");
    assert!(bytes < 1 << 20);
    assert!(town.height(0) > height);
    // Its budget is its own: another is answered at once.
    let question = Question { from: Height(1), count: 1 };
    let before = town.nodes[0].did.len();
    town.step(0, Event::Received(peer(2), Received::Ask(question)));
    assert_eq!(sync(&town.nodes[0].did[before..]), 1);
    // A stranger is not answered at all.
    let before = town.nodes[0].did.len();
    town.step(0, Event::Received(peer(9), Received::Ask(question)));
    assert_eq!(sync(&town.nodes[0].did[before..]), 0);
}

#[test]
fn an_answer_always_fits_a_frame() {
    let mut genesis = genesis();
    genesis.limits.block_operations_max = 200;
    let library = Library::new(&genesis, 60, 150);
    let (replica, _) = Replica::restore(
        &genesis,
        Voter::new(secret(1, 0)),
        library.disk,
        &[],
        Timestamp(START),
        PoolLimits::default(),
    )
    .unwrap();
    let mut replica = replica;
    replica.step(Timestamp(START), Event::Connected(peer(3))).unwrap();
    let mut next = Height(1);
    while next.0 <= 60 {
        let question = Question { from: next, count: u32::MAX };
        let effects = replica
            .step(Timestamp(START), Event::Received(peer(3), Received::Ask(question)))
            .unwrap();
        for effect in effects {
            if let Effect::Send(_, Channel::Sync, bytes) = effect {
                assert!(bytes.len() <= SyncFrame::BYTES_MAX && bytes.len() < (1 << 20) + (1 << 17));
                let Ok(Received::Tell(from, blocks)) =
                    receive(replica.rules().chain(), Channel::Sync, &bytes)
                else {
                    panic!("an answer is no answer")
                };
                assert_eq!(from, next);
                assert!(!blocks.is_empty());
                next = next.plus(u64::try_from(blocks.len()).unwrap());
            }
        }
        replica.step(Timestamp(START), Event::Elapsed(Wake::Serve)).unwrap();
    }
}

/// Not a promise about this machine, but a number to look at: `cargo test -p replica fetched -- --nocapture`.
#[test]
fn blocks_are_fetched_checked_and_executed_fast_enough() {
    let mut school = school(300, 100, [Trick::Honest(5); 3]);
    assert!(school.finishes(60_000).is_some());
    let [own, others] = school.busy.map(|ns| u64::try_from(ns / 1000).unwrap().max(1));
    let rate = |us: u64| 300 * 100 * 1_000_000 / us;
    println!(
        "300 blocks of 100 records: {} records/s on the replica's thread, {} records/s on one thread that checks",
        rate(own),
        rate(others)
    );
    assert!(rate(own) > 1000, "even a slow and loaded machine");
}
