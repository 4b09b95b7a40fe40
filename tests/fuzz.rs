//! Every decoder, and the replica's step, against inputs that nobody honest makes: none may panic, and what each target
//! promises besides is asserted in it.
//!
//! Ours are seeds and mutations: a corpus of sound inputs (taken from a network that runs here in memory, from the samples
//! and from the vectors), edited and spliced; an input that is answered in a way not seen before joins the corpus. It runs
//! on the stable compiler, as ordinary tests, a moment a target. Longer: `scripts/fuzz SECONDS` (a target), or
//! `MINLIAN_FUZZ_SECONDS=600 MINLIAN_FUZZ_SEED=7 cargo test --release --workspace --test fuzz -- --nocapture`.
//!
//! An input that was found to do harm is kept as a row of [`FOUND`], and tried first, for ever.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "whatever goes wrong here fails a test; what a search did is told to whoever runs it"
)]

use consensus::{Evidence, Signed, Timer, TimerKind};
use ledger::{PoolLimits, Rules, SharedMemory, query};
use node::{
    api, evidence::Records, gateway::Shut, metrics::Metrics, shell, signer, signstate::SignState,
    snapshot,
};
use proof::TrustRoot;
use replica::{
    Effect, Event, Question, Received, Replica, Ticket, Unchecked, Voter, Wake, receive,
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Arc, Mutex},
    time::Duration,
};
use tests::{Chain, catalogue, licence, lots, publish, repository, vectors};
use types::{
    Block, BlockId, Certificate, ChainId, Domain, Genesis, Hash, Header, Height, Operation,
    RecordId, Round, SecretKey, Subject, Timestamp, Transaction,
    codec::{self, Wire},
    net::{Channel, Peer, To},
    vote::{Message, Proposal, Step, Vote},
};

/// Inputs that once did harm: the target, and the bytes in hexadecimal.
const FOUND: [(&str, &str); 2] = [
    // A last line without its end: the next piece of evidence was appended to it, and both were lost.
    ("evidence file", "3030"),
    // Bytes that are no text: the node could not start.
    ("evidence file", "ff0a"),
];

/// How many inputs a target's corpus may grow to.
const CORPUS_MAX: usize = 2000;

fn setting(name: &str) -> Option<u64> {
    #[expect(
        clippy::disallowed_methods,
        reason = "how long to search is for whoever runs it to say"
    )]
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[expect(clippy::disallowed_methods, reason = "how long is a matter of the clock")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

/// `SplitMix64`: the same inputs for the same seed, everywhere.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    /// Some edits of some input.
    fn mutate(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = if corpus.is_empty() { Vec::new() } else { self.pick(corpus).clone() };
        for _ in 0..=self.below(6) {
            let (at, length) = (self.below(bytes.len() + 1), bytes.len());
            match self.below(9) {
                0 if at < length => bytes[at] ^= 1 << self.below(8),
                1 if at < length => {
                    bytes[at] = *self.pick(&[0, 1, 0x7f, 0x80, 0xff, b'"', b'{', b' ']);
                }
                2 => bytes.insert(at, self.byte()),
                3 => bytes.truncate(at),
                4 => {
                    let end = (at + self.below(64)).min(length);
                    drop(bytes.drain(at..end));
                }
                5 => {
                    let end = (at + self.below(64)).min(length);
                    let copy = bytes[at..end].to_vec();
                    drop(bytes.splice(at..at, copy));
                }
                6 => {
                    let numbers =
                        [0, 1, u64::MAX, i64::MAX as u64, 1 << 32, u32::MAX.into(), length as u64];
                    let number = self.pick(&numbers).to_le_bytes();
                    let wide = *self.pick(&[1, 2, 4, 8]);
                    for (byte, new) in bytes.iter_mut().skip(at).zip(&number[..wide]) {
                        *byte = *new;
                    }
                }
                7 if !corpus.is_empty() => {
                    let other = self.pick(corpus).clone();
                    let from = self.below(other.len() + 1);
                    bytes.truncate(at);
                    bytes.extend_from_slice(&other[from..]);
                }
                _ => bytes.extend((0..self.below(16)).map(|_| self.byte()).collect::<Vec<_>>()),
            }
        }
        bytes
    }
}

/// Feeds a target what was found before, the corpus, and mutations of it. The target says in a word how it took the input.
fn fuzz(name: &str, corpus: Vec<Vec<u8>>, target: impl Fn(&[u8]) -> String) {
    let seed = setting("MINLIAN_FUZZ_SEED").unwrap_or(0);
    let millis = setting("MINLIAN_FUZZ_SECONDS").map_or(700, |seconds| seconds * 1000);
    let attempt = |bytes: &[u8]| {
        catch_unwind(AssertUnwindSafe(|| target(bytes))).unwrap_or_else(|panic| {
            eprintln!("{name}: seed {seed}, input {}", codec::hex(bytes));
            resume_unwind(panic)
        })
    };
    let mut kinds = BTreeSet::new();
    for (_, found) in FOUND.iter().filter(|(of, _)| *of == name) {
        attempt(&codec::unhex(found).expect("hexadecimal"));
    }
    for input in &corpus {
        kinds.insert(attempt(input));
    }
    assert!(!kinds.is_empty(), "{name}: a corpus of sound inputs");
    let (mut dice, mut corpus, mut count, from) = (Dice(seed), corpus, 0_u64, now());
    while from.elapsed().as_millis() < millis.into() {
        let input = dice.mutate(&corpus);
        let kind = attempt(&input);
        count += 1;
        if corpus.len() < CORPUS_MAX && input.len() <= 1 << 16 && kinds.insert(kind) {
            corpus.push(input);
        }
    }
    println!("{name}: {count} inputs, {} ways to answer", kinds.len());
}

/// What an error says, without the numbers in it.
fn kind(text: impl core::fmt::Display) -> String {
    text.to_string().chars().filter(|c| !c.is_ascii_hexdigit()).take(80).collect()
}

/// A value that decodes has this one spelling.
fn spelled<T: Wire + PartialEq + core::fmt::Debug>(bytes: &[u8]) -> String {
    match codec::decode::<T>(bytes) {
        Ok(value) => {
            assert_eq!(codec::encode(&value), bytes);
            assert_eq!(codec::decode::<T>(bytes).unwrap(), value);
            "sound".into()
        }
        Err(error) => kind(error),
    }
}

/// Four replicas in memory, which hear one another at once; what they say is kept, as the corpus.
struct Town {
    chain: Chain,
    replicas: Vec<Replica<SharedMemory>>,
    disks: Vec<SharedMemory>,
    journals: Vec<Vec<Vec<u8>>>,
    /// Of earlier heights, too.
    journalled: Vec<Vec<u8>>,
    alarms: Vec<BTreeMap<Wake, u64>>,
    mail: VecDeque<(usize, usize, Channel, Vec<u8>)>,
    frames: BTreeMap<Channel, BTreeSet<Vec<u8>>>,
    now: u64,
}

fn start() -> u64 {
    "2026-01-01T00:00:10Z".parse::<Timestamp>().unwrap().0
}

fn peer(chain: &Chain, n: usize) -> Peer {
    chain.genesis().peers().nth(n).unwrap()
}

fn seat(n: usize) -> u8 {
    u8::try_from(n).unwrap()
}

fn restored(
    chain: &Chain,
    n: usize,
    disk: &SharedMemory,
    journal: &[Vec<u8>],
    signed: Option<Signed>,
) -> Result<(Replica<SharedMemory>, Vec<Effect>), consensus::Stuck> {
    let voter = Voter { signed, ..Voter::new(chain.seat(seat(n))) };
    let limits = PoolLimits::default();
    Replica::restore(chain.genesis(), voter, disk.clone(), journal, Timestamp(start()), limits)
}

impl Town {
    /// Has lived through some heights, one of them with a round more.
    fn new() -> Self {
        let chain = Chain::new("fuzz", 1);
        let mut town = Self {
            chain,
            replicas: Vec::new(),
            disks: (0..4).map(|_| SharedMemory::default()).collect(),
            journals: vec![Vec::new(); 4],
            journalled: Vec::new(),
            alarms: vec![BTreeMap::new(); 4],
            mail: VecDeque::new(),
            frames: BTreeMap::new(),
            now: 0,
        };
        let mut begun = Vec::new();
        for n in 0..4 {
            let (replica, effects) = restored(&town.chain, n, &town.disks[n], &[], None).unwrap();
            town.replicas.push(replica);
            begun.push(effects);
        }
        for (n, effects) in begun.into_iter().enumerate() {
            town.perform(n, effects);
        }
        for n in 0..4 {
            for other in (0..4).filter(|other| *other != n) {
                let event = Event::Connected(peer(&town.chain, other));
                town.step(n, event);
            }
        }
        let records = vec![publish(1), licence("L1"), lots("urn:epc:a:1", "urn:epc:a:2")];
        for (nonce, operation) in records.into_iter().enumerate() {
            let tx = town.chain.transaction(0, nonce as u64, vec![operation]);
            let verified = tx.verify(&town.chain.genesis().chain()).unwrap();
            town.step(nonce, Event::Submitted(Ticket(1), verified));
        }
        town.lives_to(2, |_| true);
        // The leader of height 3 is not heard in its first round.
        town.lives_to(3, |from| from != 3);
        town.lives_to(5, |_| true);
        town
    }

    fn clock(&self) -> Timestamp {
        Timestamp(start() + self.now)
    }

    fn lives_to(&mut self, height: u64, is_heard: impl Fn(usize) -> bool) {
        for _ in 0..20_000 {
            if (0..3).all(|n| query::height(&self.disks[n]) >= Height(height)) {
                return;
            }
            if let Some((from, to, channel, bytes)) = self.mail.pop_front() {
                if is_heard(from) {
                    let received = receive(&self.chain.genesis().chain(), channel, &bytes).unwrap();
                    self.step(to, Event::Received(peer(&self.chain, from), received));
                }
                continue;
            }
            let due = self.alarms.iter().enumerate();
            let (at, n, wake) = due
                .flat_map(|(n, alarms)| alarms.iter().map(move |(wake, at)| (*at, n, *wake)))
                .min()
                .expect("something is always to come");
            self.now = self.now.max(at);
            self.alarms[n].remove(&wake);
            self.step(n, Event::Elapsed(wake));
        }
        panic!("the network of the corpus does not reach height {height}");
    }

    fn step(&mut self, n: usize, event: Event) {
        let now = self.clock();
        let effects = self.replicas[n].step(now, event).unwrap();
        self.perform(n, effects);
    }

    fn perform(&mut self, n: usize, effects: Vec<Effect>) {
        for effect in effects {
            if let Effect::Journal(entries) = &effect {
                self.journalled.extend(entries.iter().cloned());
                self.journals[n].extend(entries.iter().cloned());
            } else if let Effect::Commit(commit) = &effect {
                self.disks[n].write(commit.writes());
                self.journals[n].clear();
                self.step(n, Event::Committed(commit.certified().height()));
            } else if let Effect::Send(to, channel, bytes) = &effect {
                self.frames.entry(*channel).or_default().insert(bytes.clone());
                for other in (0..4).filter(|other| *other != n) {
                    if *to == To::Everyone || *to == To::One(peer(&self.chain, other)) {
                        self.mail.push_back((n, other, *channel, bytes.clone()));
                    }
                }
            } else if let Effect::Set(wake, delay) = effect {
                self.alarms[n].insert(wake, self.now + delay.max(1));
            } else if let Effect::Cancel(wake) = effect {
                self.alarms[n].remove(&wake);
            } else if matches!(effect, Effect::CancelRounds) {
                self.alarms[n].retain(|wake, _| !matches!(wake, Wake::Round(_)));
            }
        }
    }

    fn frames(&self, channel: Channel) -> Vec<Vec<u8>> {
        self.frames.get(&channel).into_iter().flatten().cloned().collect()
    }

    fn blocks(&self) -> Vec<(Block, Certificate)> {
        let disk = &self.disks[0];
        let pair = |h| query::block(disk, Height(h)).zip(query::certificate(disk, Height(h)));
        (1..=5).filter_map(pair).collect()
    }
}

#[test]
fn what_neighbours_say_in_any_queue() {
    let town = Town::new();
    let chain = town.chain.genesis().chain();
    for channel in Channel::ALL {
        let mut corpus = town.frames(channel);
        if channel == Channel::Sync {
            // Questions and answers of catching up: as one of them would ask, and a block with its certificate.
            corpus.push(codec::encode(&(0_u32, Height(1))));
            corpus.push(codec::encode(&(1_u32, town.blocks())));
        }
        fuzz(channel.name(), corpus, |bytes| match receive(&chain, channel, bytes) {
            Ok(Received::Message(_)) => "message".into(),
            Ok(Received::Block(_)) => "block".into(),
            Ok(Received::Transactions(txs)) => {
                assert!(txs.iter().all(|tx| tx.get().clone().verify(&chain).is_ok()));
                "transactions".into()
            }
            Ok(_) => "something else".into(),
            Err(offence) => kind(offence),
        });
    }
}

#[test]
fn a_journal_on_a_disk_that_lies() {
    let town = Town::new();
    // Every journal there was, of any height, one record of it changed, over the state before it and after it.
    let journalled = town.journalled.clone();
    for disk in [&SharedMemory::default(), &town.disks[0]] {
        fuzz("journal", journalled.clone(), |bytes| {
            for others in [&journalled[..0], &journalled[..journalled.len().min(30)]] {
                let mut journal = others.to_vec();
                journal.insert(others.len() / 2, bytes.to_vec());
                match restored(&town.chain, 0, disk, &journal, None) {
                    Ok((replica, _)) => assert!(replica.status().pending == 0),
                    Err(stuck) => return kind(stuck),
                }
            }
            "restored".into()
        });
    }
}

#[test]
fn blocks_certificates_headers_transactions_and_messages() {
    let town = Town::new();
    let blocks = town.blocks();
    let encoded =
        |encode: fn(&(Block, Certificate)) -> Vec<u8>| blocks.iter().map(encode).collect();
    fuzz("block", encoded(|(block, _)| codec::encode(block)), spelled::<Block>);
    fuzz("header", encoded(|(block, _)| codec::encode(&block.header)), spelled::<Header>);
    fuzz("certificate", encoded(|(_, c)| codec::encode(c)), |bytes| {
        // What is not the certificate itself certifies nothing, whatever it decodes to.
        if let Ok(certificate) = codec::decode::<Certificate>(bytes) {
            let good = certificate
                .verify(&town.chain.genesis().chain(), &town.chain.genesis().committee());
            let block = (certificate.height, certificate.block);
            assert!(
                good.is_err() || blocks.iter().any(|(b, _)| (b.header.height, b.id()) == block),
                "a certificate for something nobody signed"
            );
            return good.err().map_or_else(|| "good".into(), kind);
        }
        spelled::<Certificate>(bytes)
    });
    let txs: Vec<Vec<u8>> =
        blocks.iter().flat_map(|(block, _)| &block.transactions).map(codec::encode).collect();
    let originals: BTreeSet<_> = txs.iter().cloned().collect();
    let chain = town.chain.genesis().chain();
    fuzz("transaction", txs, |bytes| match codec::decode::<Transaction>(bytes) {
        // The body of `POST /v1/transactions` is this, too.
        Ok(tx) => match tx.verify(&chain) {
            Ok(_) => {
                assert!(originals.contains(bytes), "a signature for something nobody signed");
                "signed".into()
            }
            Err(error) => kind(error),
        },
        Err(error) => kind(error),
    });
    // Records of each kind, and every act of governance.
    let mut operations = vec![publish(1), licence("L"), lots("a", "b")];
    operations.extend(catalogue::operations(&town.chain));
    operations.extend(vectors::governance(&town.chain, RecordId(Hash([3; 32]))));
    fuzz("operation", operations.iter().map(codec::encode).collect(), spelled::<Operation>);
}

#[test]
fn genesis_files() {
    let devnet = std::fs::read(repository().join("genesis/devnet.toml")).unwrap();
    let whole = Chain::new("fuzz", 1).genesis().to_toml().into_bytes();
    fuzz("genesis", vec![devnet, whole], |bytes| {
        let Ok(text) = core::str::from_utf8(bytes) else { return "no text".into() };
        match Genesis::from_toml(text) {
            Ok(genesis) => {
                // What is accepted is written the same way by everyone, and names one chain.
                let again = Genesis::from_toml(&genesis.to_toml()).unwrap();
                assert_eq!(again.chain(), genesis.chain());
                "sound".into()
            }
            Err(error) => kind(error),
        }
    });
}

fn two_votes(chain: &Chain, n: u64) -> Evidence {
    let (height, round, step) = (Height(n), Round(0), Step::Prevote);
    let vote = |block| {
        let vote = Vote { height, round, step, block, seat: 1 };
        (vote, vote.sign(&chain.genesis().chain(), &chain.seat(1)))
    };
    Evidence::Votes([vote(None), vote(Some(BlockId(Hash([1; 32]))))])
}

#[test]
fn evidence_and_the_file_it_is_kept_in() {
    let chain = Chain::new("fuzz", 1);
    let (id, committee) = (chain.genesis().chain(), chain.genesis().committee());
    let pieces: Vec<Evidence> = (1..4).map(|n| two_votes(&chain, n)).collect();
    fuzz("evidence", pieces.iter().map(codec::encode).collect(), |bytes| {
        match codec::decode::<Evidence>(bytes) {
            Ok(evidence) => match evidence.convicts(&id, &committee) {
                Some(place) => {
                    assert_eq!(place.3, 1, "somebody else is convicted");
                    "convicts".into()
                }
                None => "convicts nobody".into(),
            },
            Err(error) => kind(error),
        }
    });
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("evidence.hex");
    let lines: Vec<String> = pieces.iter().map(|e| codec::hex(&codec::encode(e))).collect();
    let sound = (lines.join("\n") + "\n").into_bytes();
    fuzz("evidence file", vec![sound, b"\n".to_vec()], |bytes| {
        std::fs::write(&file, bytes).unwrap();
        let mut records = match Records::open(directory.path(), &id, |_| committee.clone()) {
            Ok(records) => records,
            Err(error) => return kind(error),
        };
        assert!(records.iter().all(|((height, .., seat), _)| *seat == 1 && height.0 < 4));
        let kept = records.iter().count();
        // It can be written on to, whatever it holds, and what was written is read.
        assert!(records.add(two_votes(&chain, 9), &id, &committee).unwrap());
        let again = Records::open(directory.path(), &id, |_| committee.clone()).unwrap();
        assert_eq!(again.iter().count(), kept + 1, "what was added is there");
        format!("{kept} kept")
    });
}

#[test]
fn a_flood_of_evidence_is_kept_once_and_not_for_ever() {
    let chain = Chain::new("fuzz", 1);
    let (id, committee) = (chain.genesis().chain(), chain.genesis().committee());
    let directory = tempfile::tempdir().unwrap();
    let mut records = Records::open(directory.path(), &id, |_| committee.clone()).unwrap();
    let size = || std::fs::metadata(directory.path().join("evidence.hex")).unwrap().len();
    // Forged, or no contradiction at all, a thousand times: nothing is written.
    let Evidence::Votes([one, two]) = two_votes(&chain, 1) else { unreachable!("they are votes") };
    for n in 0..1000_u64 {
        let forged = Vote { height: Height(n + 2), ..two.0 };
        for evidence in [
            Evidence::Votes([one, (forged, two.1)]),
            Evidence::Votes([one, one]),
            Evidence::Votes([(one.0, two.1), (two.0, one.1)]),
        ] {
            assert!(!records.add(evidence, &id, &committee).unwrap());
        }
    }
    assert_eq!(size(), 0);
    // The same contradiction in either order, and a third word in its place: once.
    let third = Vote { block: Some(BlockId(Hash([2; 32]))), ..two.0 };
    let third = (third, third.sign(&id, &chain.seat(1)));
    assert!(records.add(Evidence::Votes([one, two]), &id, &committee).unwrap());
    let once = size();
    for pair in [[one, two], [two, one], [one, third], [third, two]] {
        assert!(!records.add(Evidence::Votes(pair), &id, &committee).unwrap());
    }
    assert_eq!((size(), records.iter().count()), (once, 1));
    // And after a restart.
    let mut records = Records::open(directory.path(), &id, |_| committee.clone()).unwrap();
    assert!(!records.add(Evidence::Votes([two, one]), &id, &committee).unwrap());
    assert_eq!(size(), once);
}

#[test]
fn a_record_of_signatures_on_a_disk_that_lies() {
    let directory = tempfile::tempdir().unwrap();
    let key_file = directory.path().join("consensus.json");
    let (secret, chain) = (SecretKey::from_seed([1; 32]), ChainId(Hash([7; 32])));
    let signed = |height| {
        let vote = Vote {
            height: Height(height),
            round: Round(0),
            step: Step::Prevote,
            block: None,
            seat: 0,
        };
        let signature = vote.sign(&chain, &secret);
        Signed { height: vote.height, round: vote.round, step: 1, block: None, signature }
    };
    let mut state = SignState::create(&key_file, secret.public(), Height(0)).unwrap();
    for height in [1, 2] {
        state.advance(&chain, signed(height)).unwrap().unwrap();
    }
    let path = node::signstate::path_of(&key_file);
    let sound = std::fs::read(&path).unwrap();
    fuzz("signatures", vec![sound], |bytes| {
        std::fs::write(&path, bytes).unwrap();
        match SignState::open(&key_file, secret.public(), &chain) {
            Ok(state) => {
                // One of the two that were written, and nothing that was not.
                let last = state.last().expect("both say what was signed last");
                assert!([signed(1), signed(2)].contains(last));
                format!("height {}", state.height())
            }
            Err(error) => kind(error),
        }
    });
}

#[test]
fn lines_to_a_signer_that_anybody_may_write() {
    let directory = tempfile::tempdir().unwrap();
    let key_file = directory.path().join("consensus.json");
    let (secret, chain) = (SecretKey::from_seed([1; 32]), ChainId(Hash([7; 32])));
    let record = SignState::create(&key_file, secret.public(), Height(0)).unwrap();
    let guard = signer::Guard::new(secret.clone(), chain, record).unwrap();
    let vote = |height, step, block| Vote {
        height: Height(height),
        round: Round(0),
        step,
        block,
        seat: 0,
    };
    let block = Some(BlockId(Hash([5; 32])));
    let asks = [
        (signer::Purpose::Prevote, vote(1, Step::Prevote, None)),
        (signer::Purpose::Prevote, vote(1, Step::Prevote, block)),
        (signer::Purpose::Precommit, vote(1, Step::Precommit, block)),
        (signer::Purpose::Prevote, vote(2, Step::Prevote, block)),
    ];
    let line = |(id, (purpose, vote)): (u64, &(signer::Purpose, Vote))| {
        let body = codec::hex(&codec::encode(&(vote.height, vote.round, vote.block)));
        serde_json::to_vec(&signer::Request { id, purpose: *purpose, chain, body }).unwrap()
    };
    let mut corpus: Vec<Vec<u8>> = (1..).zip(&asks).map(line).collect();
    // What the node reads from it: a greeting, a refusal.
    let greeting = signer::Greeting {
        version: 1,
        public: secret.public(),
        chain,
        height: Height(2),
        last: None,
    };
    corpus.push(serde_json::to_vec(&greeting).unwrap());
    let refused = signer::Answer::Refused { id: 3, why: "no".into() };
    corpus.push(serde_json::to_vec(&refused).unwrap());
    // Every signature that leaves it: of one purpose and body at a place, whatever was asked in between.
    let places = Mutex::new(BTreeMap::new());
    fuzz("signer", corpus, |bytes| {
        let read = [
            serde_json::from_slice::<signer::Greeting>(bytes).is_ok(),
            serde_json::from_slice::<signer::Answer>(bytes).is_ok(),
        ];
        let Ok(request) = serde_json::from_slice::<signer::Request>(bytes) else {
            return format!("{read:?}");
        };
        match guard.answer(&request).unwrap() {
            signer::Answer::Signed { signature, .. } => {
                let body = codec::unhex(&request.body).unwrap();
                let domain = match request.purpose {
                    signer::Purpose::Proposal => Domain::Proposal,
                    signer::Purpose::Prevote => Domain::Prevote,
                    signer::Purpose::Precommit => Domain::Precommit,
                };
                let asked = types::vote::Asked::of(domain, &body).unwrap();
                let place = (asked.height, asked.round, asked.step);
                let mut places = places.lock().unwrap();
                let first = places.entry(place).or_insert(signature);
                assert_eq!(*first, signature, "signed twice at {place:?}");
                "signed".into()
            }
            signer::Answer::Refused { why, .. } => kind(why),
        }
    });
}

/// A snapshot of the corpus' network, as `snapshot create` writes one.
fn a_snapshot(town: &Town) -> Vec<u8> {
    let blocks = town.blocks();
    let last = &blocks.last().unwrap().0;
    let mut bytes = snapshot::MAGIC.to_vec();
    bytes.extend(town.chain.genesis().chain().as_bytes());
    bytes.extend(last.header.height.0.to_le_bytes());
    bytes.extend(last.id().as_bytes());
    for (block, certificate) in &blocks {
        for part in [codec::encode(block), codec::encode(certificate)] {
            bytes.extend(u32::try_from(part.len()).unwrap().to_le_bytes());
            bytes.extend(part);
        }
    }
    bytes
}

#[test]
fn snapshots_from_anywhere() {
    let town = Town::new();
    let sound = a_snapshot(&town);
    let directory = tempfile::tempdir().unwrap();
    let (file, into) = (directory.path().join("a.snapshot"), directory.path().join("restored"));
    fuzz("snapshot", vec![sound.clone()], |bytes| {
        let mut rest = bytes;
        let label = match snapshot::read_label(&mut rest) {
            Ok(label) => label,
            Err(refusal) => return kind(refusal),
        };
        let mut read = 0;
        while let Ok((block, certificate)) = snapshot::read_block(&mut rest) {
            assert!(codec::encode(&block).len() + codec::encode(&certificate).len() < bytes.len());
            read += 1;
        }
        // Whatever reads as a whole one is restored, which is slower; and only the one that was made is.
        if read < town.blocks().len() || label.height.0 > 8 {
            return format!("{read} blocks");
        }
        std::fs::write(&file, bytes).unwrap();
        let restored = snapshot::restore(town.chain.genesis(), &file, &into, |_, _| ());
        std::fs::remove_dir_all(&into).unwrap_or_default();
        assert_eq!(restored.is_ok(), bytes == sound, "{restored:?}");
        restored.map_or_else(kind, |_| "restored".into())
    });
}

/// What an HTTP server answers to a request whose method, target and body stand in `input`, line by line: the status, and
/// the code if it is a problem.
fn asked(address: SocketAddr, input: &[u8]) -> String {
    let cut = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (head, body) = input.split_at(cut);
    let body = body.get(1..).unwrap_or_default();
    let (method, target) =
        head.split_at(head.iter().position(|byte| *byte == b' ').unwrap_or(head.len()));
    let spelled = |bytes: &[u8]| -> String {
        let spell = |byte: &u8| match byte {
            b'!'..=b'~' => char::from(*byte).to_string(),
            _ => format!("%{byte:02x}"),
        };
        bytes.iter().map(spell).collect()
    };
    let head = format!(
        "{} {} HTTP/1.1\r\nhost: fuzz\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        spelled(method),
        spelled(target.get(1..).unwrap_or_default()),
        body.len()
    );
    let mut line = TcpStream::connect(address).unwrap();
    line.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // It may have answered, and hung up, before it has read all.
    line.write_all(head.as_bytes()).and_then(|()| line.write_all(body)).unwrap_or_default();
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(read @ 1..) = line.read(&mut buffer) {
        answer.extend_from_slice(&buffer[..read]);
        // A stream of events has no end.
        if answer.windows(17).any(|window| window == b"text/event-stream") {
            break;
        }
    }
    let text = String::from_utf8_lossy(&answer);
    let status = text.split(' ').nth(1).unwrap_or_default().to_owned();
    assert!(status.len() == 3 && !status.starts_with("500"), "{head}{}", text.trim());
    let code = text.split("\"code\":\"").nth(1).and_then(|rest| rest.split('"').next());
    // What the HTTP library refuses by itself has no body; what we do says why.
    assert!(
        !status.starts_with('4') || code.is_some() || text.contains("content-length: 0"),
        "{text}"
    );
    format!("{status} {}", code.unwrap_or_default())
}

#[test]
fn requests_of_strangers_to_the_api() {
    let town = Town::new();
    let (genesis, chain) = (town.chain.genesis().clone(), town.chain.genesis().chain());
    let home = tempfile::tempdir().unwrap();
    let (file, data) = (home.path().join("a.snapshot"), home.path().join("data"));
    std::fs::write(&file, a_snapshot(&town)).unwrap();
    snapshot::restore(&genesis, &file, &data, |_, _| ()).unwrap();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
    let _within = runtime.enter();
    let store = store::open(&data, &chain, node_ends).unwrap();
    let evidence = Records::open(&data, &chain, |_| genesis.committee()).unwrap();
    let (handle, _publish) = shell::reading(&genesis, Arc::new(store), evidence, "nobody writes");
    let jobs = Arc::new(api::Jobs::open(&home.path().join("jobs")).unwrap());
    let transport = Some(SecretKey::from_seed([9; 32]));
    let metrics = Arc::new(Metrics::default());
    let closed = Err(Shut::Absent);
    let shared = api::Shared::new(genesis, handle, metrics, jobs, closed, transport, None);
    let socket = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = socket.local_addr().unwrap();
    drop(runtime.spawn(async move { axum::serve(socket, api::router(shared)).await }));

    let blocks = town.blocks();
    let txs: Vec<&Transaction> = blocks.iter().flat_map(|(block, _)| &block.transactions).collect();
    let (tx, record) = (txs[0].id(), txs[0].records().next().unwrap());
    let with = |head: &str, body: &[u8]| [head.as_bytes(), b"\n", body].concat();
    let ask = vec![client::api::Ask::Record(record), client::api::Ask::Block];
    let proofs = client::api::ProofRequest { since: Height::GENESIS, at: None, ask };
    let proofs = serde_json::to_vec(&proofs).unwrap();
    let event = std::fs::read(repository().join("genesis/samples/farm-lot.jsonld")).unwrap();
    let batch = client::api::job(txs.iter().copied());
    let mut corpus = vec![
        with("POST /v1/transactions?wait=accepted", &codec::encode(txs[0])),
        with("POST /v1/transactions:batch?wait=committed", &batch),
        with("POST /v1/jobs", &batch),
        with("POST /v1/proofs", &proofs),
        with("POST /epcis/capture", &event),
        with("POST /epcis/events", &event),
    ];
    for target in [
        "/v1/status",
        "/v1/evidence",
        "/v1/blocks?limit=3&before=4",
        "/v1/blocks/2",
        &format!("/v1/transactions/{tx}"),
        &format!("/v1/records/{record}"),
        &format!("/v1/proofs/records/{record}"),
        "/v1/records?kind=licence&limit=2&from=1",
        "/v1/subjects/licence:L1",
        "/v1/subjects/licence:L1/history?limit=1",
        "/v1/proofs/subjects/lot:urn:epc:a:1?at=3",
        "/v1/checkpoints/3",
        "/v1/events/blocks?from=2",
        "/v1/events/records?kind=item&from=1",
        "/v1/agencies",
        "/v1/genesis",
        "/v1/jobs/00112233445566778899aabbccddeeff",
        "/epcis/events?EQ_bizStep=shipping&perPage=2",
        "/readyz",
        "/healthz",
        "/version",
        "/metrics",
        "/docs",
        "/",
    ] {
        corpus.push(with(&format!("GET {target}"), b""));
    }
    fuzz("api", corpus, |input| asked(address, input));
}

/// A disk that fails fails the test.
fn node_ends(fault: &store::Fault) -> ! {
    panic!("{fault}")
}

#[test]
fn names_in_requests_and_files_of_keys() {
    let texts =
        ["lot:urn:epc:class:lgtin:9521001.010017.LJ20260512-01", "licence:L1", "item:1", "basic:2"];
    let mut corpus: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    corpus.push(types::Digest::blake3(b"x").to_string().into_bytes());
    corpus.push(Hash([3; 32]).to_string().into_bytes());
    corpus.push(SecretKey::from_seed([1; 32]).public().to_string().into_bytes());
    corpus.push(b"2026-01-01T00:00:00+08:00".to_vec());
    fuzz("names", corpus, |bytes| {
        let Ok(text) = core::str::from_utf8(bytes) else { return "no text".into() };
        let mut said = String::new();
        if let Ok(subject) = text.parse::<Subject>() {
            assert_eq!(subject.to_string().parse(), Ok(subject));
            said.push_str("subject ");
        }
        if let Ok(digest) = text.parse::<types::Digest>() {
            assert_eq!(digest.to_string(), text);
            said.push_str("digest ");
        }
        if let Ok(hash) = text.parse::<Hash>() {
            assert_eq!(hash.to_string(), text);
            said.push_str("hash ");
        }
        if let Ok(key) = text.parse::<types::PublicKey>() {
            assert_eq!(key.to_string(), text);
            said.push_str("key ");
        }
        if let Ok(time) = text.parse::<Timestamp>() {
            assert_eq!(time.to_string().parse::<Timestamp>().ok(), Some(time), "{text}");
            said.push_str("time ");
        }
        said
    });
}

#[test]
fn answers_of_a_node_that_lies() {
    // What the client reads: whatever a node, or somebody in between, answers.
    let receipt = br#"{"tx":"0303030303030303030303030303030303030303030303030303030303030303","status":"committed","height":3,"records":[{"record":"0404040404040404040404040404040404040404040404040404040404040404","position":1,"height":3}]}"#;
    let problem =
        br#"{"type":"urn:minlian:problem:E","title":"t","status":400,"code":"E-TX","detail":"d"}"#;
    let corpus = vec![receipt.to_vec(), problem.to_vec(), b"[]".to_vec()];
    fuzz("answers", corpus, |bytes| {
        use client::api;
        let read = [
            serde_json::from_slice::<api::Receipt>(bytes).map(drop),
            serde_json::from_slice::<api::Problem>(bytes).map(drop),
            serde_json::from_slice::<api::NodeStatus>(bytes).map(drop),
            serde_json::from_slice::<api::SubjectView>(bytes).map(drop),
            serde_json::from_slice::<api::History>(bytes).map(drop),
            serde_json::from_slice::<api::Records>(bytes).map(drop),
            serde_json::from_slice::<api::BlockView>(bytes).map(drop),
            serde_json::from_slice::<api::EvidenceList>(bytes).map(drop),
            serde_json::from_slice::<api::KeyFile>(bytes).map(drop),
        ];
        read.iter().map(|one| if one.is_ok() { '1' } else { '0' }).collect()
    });
}

/// Everything that verifiers are given, of every kind and in every carrier, honest and not: the vectors.
fn vectors() -> (Vec<TrustRoot>, Vec<Vec<u8>>) {
    let read = |name: &str| -> serde_json::Value {
        let text = std::fs::read_to_string(vectors::folder().join(name)).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let (mut roots, mut inputs) = (Vec::new(), Vec::new());
    for (name, list, root) in [
        ("proofs.json", "proofs", "trust_root"),
        ("proofs-1.json", "proofs", "trust_root"),
        ("refusals.json", "refusals", "trust_root"),
        ("lines.json", "lines", "trust_root"),
        ("presentations.json", "presentations", "genesis"),
    ] {
        let file = read(name);
        let root = TrustRoot::from_toml(file[root].as_str().unwrap()).unwrap();
        if !roots.contains(&root) {
            roots.push(root);
        }
        for row in file[list].as_array().unwrap() {
            inputs.push(codec::unhex(row["bytes"].as_str().unwrap()).unwrap());
            inputs.extend(row["armor"].as_str().map(|text| text.as_bytes().to_vec()));
            let frames = row["frames"].as_array().map(|all| {
                all.iter().map(|frame| frame.as_str().unwrap()).collect::<Vec<_>>().join("\n")
            });
            inputs.extend(frames.map(String::into_bytes));
        }
    }
    let saved = read("proofs.json")["trust_root_saved"].as_str().map(TrustRoot::from_text);
    roots.extend(saved.unwrap());
    (roots, inputs)
}

/// What a file says, of whatever kind it is, to one who trusts a root: none, or why it proves nothing.
fn judged(bytes: &[u8], root: &TrustRoot) -> Option<String> {
    if bytes.starts_with(proof::LINE_MAGIC) {
        return proof::verify_line(bytes, root).result.err().map(kind);
    }
    if proof::is_presentation(bytes) {
        return match proof::present(bytes, root) {
            Err(error) => Some(kind(error)),
            Ok(shown) => shown.verdict.error().map(kind).or_else(|| shown.fields.err().map(kind)),
        };
    }
    proof::verify(bytes, root).error().map(kind)
}

#[test]
fn proof_files() {
    // For any file 50 ms are promised, on a machine that does nothing else; here others compute beside.
    const MOST: Duration = Duration::from_millis(150);
    let (roots, inputs) = vectors();
    // A file that holds spells what a file of the vectors that holds spells: the seal leaves no second one.
    let spelled =
        |bytes: &[u8]| proof::decode(bytes).map_or_else(|_| bytes.to_vec(), |p| proof::encode(&p));
    let holds = |bytes: &[u8]| roots.iter().any(|root| judged(bytes, root).is_none());
    let sound: BTreeSet<Vec<u8>> =
        inputs.iter().filter(|bytes| holds(bytes)).map(|bytes| spelled(bytes)).collect();
    assert!(sound.len() > 30, "{} files hold", sound.len());
    fuzz("proof", inputs, |bytes| {
        let mut said = String::new();
        for root in &roots {
            let mut spent = Duration::MAX;
            for _ in 0..5 {
                let started = now();
                let found = judged(bytes, root);
                spent = spent.min(started.elapsed());
                if found.is_none() {
                    assert!(sound.contains(&spelled(bytes)), "what nobody signed is proven");
                }
                said = found.unwrap_or_else(|| "proven".into());
                if spent < MOST {
                    break;
                }
            }
            assert!(spent < MOST, "a file that takes {spent:?}");
        }
        said
    });
}

#[test]
fn documents_of_applications() {
    let directory = repository().join("genesis/samples");
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let corpus: Vec<Vec<u8>> = files.map(|path| std::fs::read(path).unwrap()).collect();
    let capture = records::Capture {
        system: "fuzz".parse().unwrap(),
        version: "1".parse().unwrap(),
        captured_at: Timestamp(start()),
        grade: types::operation::Grade::Public,
    };
    fuzz("documents", corpus, |bytes| match records::prepare(bytes, &capture) {
        Ok(prepared) => {
            for one in &prepared {
                let encoded = codec::encode(&one.operation);
                assert_eq!(codec::decode::<Operation>(&encoded).as_ref(), Ok(&one.operation));
            }
            format!("{} prepared", prepared.len().min(4))
        }
        Err(faults) => {
            assert!(faults.len() <= records::FAULTS_MAX && !faults.is_empty());
            faults.first().map(kind).unwrap_or_default()
        }
    });
}

/// One replica, seat 0, in the hands of everyone else: the other three seats say what the dice want, with good signatures.
struct Victim<'a> {
    town: &'a Town,
    frames: &'a [(Channel, Vec<u8>)],
    blocks: &'a [(Block, Certificate)],
    disk: SharedMemory,
    journal: Vec<Vec<u8>>,
    replica: Replica<SharedMemory>,
    signed: BTreeMap<(Height, Round, u8), Option<BlockId>>,
    last: Option<Signed>,
    journalled: BTreeSet<Vec<u8>>,
    /// Blocks that exist, sound and not.
    bodies: Vec<Block>,
    /// What it wants checked, and was not told of yet.
    unchecked: Vec<Unchecked>,
    now: u64,
}

impl<'a> Victim<'a> {
    fn new(
        town: &'a Town,
        frames: &'a [(Channel, Vec<u8>)],
        blocks: &'a [(Block, Certificate)],
    ) -> Self {
        let disk = SharedMemory::default();
        let (replica, effects) = restored(&town.chain, 0, &disk, &[], None).unwrap();
        let mut victim = Self {
            town,
            frames,
            blocks,
            disk,
            journal: Vec::new(),
            replica,
            signed: BTreeMap::new(),
            last: None,
            journalled: BTreeSet::new(),
            bodies: Vec::new(),
            unchecked: Vec::new(),
            now: 0,
        };
        assert!(victim.perform(effects));
        victim
    }

    /// The contract of `step`: true if the life goes on.
    fn step(&mut self, event: Event) -> bool {
        match self.replica.step(Timestamp(start() + self.now), event) {
            Ok(effects) => self.perform(effects),
            // It may stop, when three of four agree on nonsense. It may not lie.
            Err(_stuck) => false,
        }
    }

    fn perform(&mut self, effects: Vec<Effect>) -> bool {
        for effect in effects {
            if let Effect::Journal(entries) = effect {
                self.journalled.extend(entries.iter().cloned());
                self.journal.extend(entries);
            } else if let Effect::Sign(signed) = effect {
                let block = *self.signed.entry(signed.place()).or_insert(signed.block);
                assert_eq!(block, signed.block, "signed twice at {:?}", signed.place());
                if let Some(last) = self.last.replace(signed) {
                    assert!(last.place() <= signed.place(), "signed backwards");
                }
            } else if let Effect::Send(_, Channel::Votes, bytes) = effect {
                let chain = self.town.chain.genesis().chain();
                if let Received::Message(Message::Vote(vote, _)) =
                    receive(&chain, Channel::Votes, &bytes).unwrap()
                    && vote.seat == 0
                {
                    let step = if vote.step == Step::Prevote { 1 } else { 2 };
                    let said = self.signed.get(&(vote.height, vote.round, step));
                    assert_eq!(said, Some(&vote.block), "said before it was signed");
                }
            } else if let Effect::Commit(commit) = effect {
                let height = commit.certified().height();
                assert_eq!(query::height(&self.disk).next(), height);
                self.disk.write(commit.writes());
                self.journal.clear();
                if !self.step(Event::Committed(height)) {
                    return false;
                }
            } else if let Effect::Check(unchecked) = effect {
                self.unchecked.push(*unchecked);
            }
        }
        true
    }

    /// The process dies, and comes back with what was synced.
    fn dies(&mut self) -> bool {
        match restored(&self.town.chain, 0, &self.disk, &self.journal, self.last) {
            Ok((replica, effects)) => {
                self.replica = replica;
                self.unchecked.clear();
                self.perform(effects)
            }
            Err(stuck) => {
                for bytes in &self.journal {
                    // Four bytes tell an entry from a block.
                    match bytes.get(4..).map(codec::decode::<consensus::Entry>) {
                        Some(Ok(entry)) => eprintln!("{entry:?}"),
                        Some(Err(_)) | None => eprintln!("a block"),
                    }
                }
                panic!("its own journal stops it: {stuck}")
            }
        }
    }

    fn body(&mut self, dice: &mut Dice) -> Block {
        let rules = Rules::new(self.town.chain.genesis());
        let tip = ledger::tip(&rules, &self.disk);
        let time = Timestamp(start() + self.now).plus(u64::from(dice.byte()));
        let seat = u16::try_from(dice.below(4)).unwrap();
        let (mut block, ..) =
            ledger::propose(&rules, &self.disk, &tip, time, seat, core::iter::empty());
        if dice.one_in(4) {
            block.header.state_root.0[0] ^= dice.byte();
        }
        if dice.one_in(6) {
            block = dice.pick(self.blocks).0.clone();
        }
        self.bodies.push(block.clone());
        block
    }

    fn message(&mut self, dice: &mut Dice) -> Message {
        let town = self.town;
        let chain = town.chain.genesis().chain();
        let height = match dice.below(8) {
            0 => Height(dice.next()),
            1 => query::height(&self.disk),
            2 => query::height(&self.disk).plus(2),
            _ => query::height(&self.disk).next(),
        };
        let round = match dice.below(12) {
            0 => Round(u32::try_from(dice.next() >> 32).unwrap()),
            n => Round(u32::try_from(n / 4).unwrap()),
        };
        let seat = u16::try_from(1 + dice.below(3)).unwrap();
        let known = !self.bodies.is_empty() && !dice.one_in(8);
        let block = if known {
            let recent = self.bodies.len().saturating_sub(3);
            self.bodies[recent + dice.below(self.bodies.len() - recent)].id()
        } else {
            BlockId(Hash([dice.byte(); 32]))
        };
        let vote = |seat: u16, step, block| {
            let vote = Vote { height, round, step, block, seat };
            (vote, vote.sign(&chain, &town.chain.seat(u8::try_from(seat).unwrap())))
        };
        let step = if dice.one_in(2) { Step::Prevote } else { Step::Precommit };
        match dice.below(8) {
            0..=3 => {
                let (vote, signature) = vote(seat, step, (!dice.one_in(3)).then_some(block));
                Message::Vote(vote, signature)
            }
            4 | 5 => {
                let valid_round = dice.one_in(3).then(|| Round(round.0.saturating_sub(1)));
                // Whose turn it is, most of the time.
                let turn = (height.0 % 4 + u64::from(round.0) % 4) % 4;
                let turn = u16::try_from(turn).unwrap();
                let seat = if turn != 0 && !dice.one_in(5) { turn } else { seat };
                let proposal = Proposal { height, round, block, valid_round, seat };
                let key = town.chain.seat(u8::try_from(seat).unwrap());
                Message::Proposal(proposal, proposal.sign(&chain, &key))
            }
            6 => {
                let sign = |seat| (seat, vote(seat, Step::Prevote, Some(block)).1);
                Message::Polka { height, round, block, signatures: (1..4).map(sign).collect() }
            }
            _ => {
                let skip = dice.one_in(2);
                let voted = (!dice.one_in(2)).then_some(block);
                let step = if skip { step } else { Step::Precommit };
                let sign = |seat| (seat, step, voted, vote(seat, step, voted).1);
                Message::RoundChange { height, round, skip, votes: (1..4).map(sign).collect() }
            }
        }
    }

    /// What an honest round looks like, told up to a point of the dice's choosing: without it nothing is ever decided.
    fn honest_round(&mut self, dice: &mut Dice) -> bool {
        let (chain, height) = (self.town.chain.genesis().chain(), query::height(&self.disk).next());
        let round = self.replica.status().round.unwrap_or_default();
        let turn = u16::try_from((height.0 % 4 + u64::from(round.0) % 4) % 4).unwrap();
        if turn == 0 || round.0 > 1000 {
            return self.step(Event::Elapsed(Wake::Idle));
        }
        let rules = Rules::new(self.town.chain.genesis());
        let tip = ledger::tip(&rules, &self.disk);
        let time = Timestamp(start() + self.now).plus(1);
        let (body, ..) = ledger::propose(&rules, &self.disk, &tip, time, turn, core::iter::empty());
        let block = body.id();
        self.bodies.push(body.clone());
        let key = |seat: u16| self.town.chain.seat(u8::try_from(seat).unwrap());
        let proposal = Proposal { height, round, block, valid_round: None, seat: turn };
        let signature = proposal.sign(&chain, &key(turn));
        let mut told = vec![
            Received::Block(Box::new(body)),
            Received::Message(Message::Proposal(proposal, signature)),
        ];
        for step in [Step::Prevote, Step::Precommit] {
            for seat in 1..4 {
                let vote = Vote { height, round, step, block: Some(block), seat };
                told.push(Received::Message(Message::Vote(vote, vote.sign(&chain, &key(seat)))));
            }
        }
        if dice.one_in(2) {
            told.truncate(dice.below(told.len()));
        }
        let from = peer(&self.town.chain, 1 + dice.below(3));
        told.into_iter().all(|received| {
            let goes_on = self.step(Event::Received(from, received));
            goes_on && (!dice.one_in(12) || self.dies())
        })
    }

    /// What one who catches up is told or asked: mostly what the other network agreed on, some of it changed.
    fn catching_up(&self, dice: &mut Dice) -> Received {
        let here = query::height(&self.disk).next();
        let height = match dice.below(6) {
            0 => Height(dice.next()),
            1 => Height(dice.below(8) as u64),
            _ => here,
        };
        let count = *dice.pick(&[0, 1, 16, 256, u32::MAX]);
        match dice.below(6) {
            0 => Received::Ask(Question { from: height, count }),
            1 | 2 => Received::Status(height, Timestamp(start() + self.now)),
            _ => {
                let from = self.blocks.iter().filter(|(block, _)| block.header.height >= height);
                let mut told: Vec<_> = from.take(dice.below(6)).cloned().collect();
                if let Some((block, certificate)) = told.last_mut()
                    && dice.one_in(3)
                {
                    match dice.below(4) {
                        0 => block.header.time = block.header.time.plus(1),
                        1 => drop(block.transactions.pop()),
                        2 => drop(certificate.signatures.pop()),
                        _ => certificate.round = Round(certificate.round.0 + 1),
                    }
                }
                Received::Tell(height, told)
            }
        }
    }

    /// One event of the dice's making; false if the life is over.
    fn suffer(&mut self, dice: &mut Dice) -> bool {
        self.now += u64::from(dice.byte()) / 8;
        if dice.one_in(12) {
            return self.honest_round(dice);
        }
        let from = peer(&self.town.chain, 1 + dice.below(3));
        let chain = self.town.chain.genesis().chain();
        let event = match dice.below(16) {
            0 => Event::Connected(from),
            1 => Event::Lost(from),
            2 => return self.dies(),
            3 | 4 => {
                let kinds = [
                    TimerKind::Propose,
                    TimerKind::Prevote,
                    TimerKind::Precommit,
                    TimerKind::Rebroadcast,
                ];
                let (kind, round) =
                    (*dice.pick(&kinds), Round(u32::try_from(dice.below(4)).unwrap()));
                Event::Elapsed(Wake::Round(Timer { kind, round }))
            }
            5 => Event::Elapsed(*dice.pick(&[
                Wake::Idle,
                Wake::Status,
                Wake::CatchUp,
                Wake::Follow,
                Wake::Serve,
                Wake::Share,
            ])),
            6 => {
                let (channel, bytes) = dice.pick(self.frames);
                match receive(&chain, *channel, bytes) {
                    Ok(received) => Event::Received(from, received),
                    Err(_) => return true,
                }
            }
            7 => {
                let nonce = dice.next();
                let tx = self.town.chain.transaction(0, nonce, vec![licence(&format!("F{nonce}"))]);
                Event::Submitted(Ticket(nonce), tx.verify(&chain).unwrap())
            }
            8 | 9 => {
                let body = self.body(dice);
                Event::Received(from, Received::Block(Box::new(body)))
            }
            10 if !self.unchecked.is_empty() && dice.one_in(2) => {
                let at = dice.below(self.unchecked.len());
                Event::Checked(self.unchecked.swap_remove(at).check())
            }
            10 => Event::Received(from, self.catching_up(dice)),
            _ => Event::Received(from, Received::Message(self.message(dice))),
        };
        self.step(event)
    }
}

/// Whether a frame holds something the key of seat 0 signed in the other network. Heard here, it would be a second mind
/// with the victim's own key, and a journal that holds both contradicts itself: the victim then rightly does not start.
fn names_seat_0(frame: &[u8], town: &Town) -> bool {
    match receive(&town.chain.genesis().chain(), Channel::Votes, frame) {
        Ok(Received::Message(message)) => match message {
            Message::Vote(vote, _) => vote.seat == 0,
            Message::Proposal(proposal, _) => proposal.seat == 0,
            Message::Polka { signatures, .. } => signatures.iter().any(|(seat, _)| *seat == 0),
            Message::RoundChange { votes, .. } => votes.iter().any(|(seat, ..)| *seat == 0),
        },
        Ok(_) | Err(_) => false,
    }
}

#[test]
fn a_replica_among_three_liars_never_signs_twice_and_never_panics() {
    let town = Town::new();
    let frames: Vec<(Channel, Vec<u8>)> = Channel::ALL
        .iter()
        .flat_map(|channel| town.frames(*channel).into_iter().map(|bytes| (*channel, bytes)))
        .filter(|(channel, bytes)| *channel != Channel::Votes || !names_seat_0(bytes, &town))
        .collect();
    let blocks = town.blocks();
    let seed = setting("MINLIAN_FUZZ_SEED").unwrap_or(0);
    let millis = setting("MINLIAN_FUZZ_SECONDS").map_or(3000, |seconds| seconds * 1000);
    let (from, mut lives, mut events, mut signed, mut heights) = (now(), 0_u64, 0_u64, 0, 0);
    while from.elapsed().as_millis() < millis.into() {
        let life = seed.wrapping_add(lives);
        let lived = catch_unwind(AssertUnwindSafe(|| {
            let (mut dice, mut victim) = (Dice(life), Victim::new(&town, &frames, &blocks));
            let mut count = 0;
            while count < 300 && victim.suffer(&mut dice) {
                count += 1;
                assert!(victim.replica.status().pending <= 300);
            }
            (count, victim.signed.len(), query::height(&victim.disk).0)
        }));
        let (count, places, height) = lived.unwrap_or_else(|panic| {
            eprintln!("replica: MINLIAN_FUZZ_SEED={life}");
            resume_unwind(panic)
        });
        lives += 1;
        events += count;
        signed += places;
        heights += height;
    }
    println!("replica: {lives} lives, {events} events, {signed} things signed, {heights} heights");
    assert!(
        signed > 0 && heights > 0,
        "nothing is ever signed or decided: the dice are no adversary"
    );
}
