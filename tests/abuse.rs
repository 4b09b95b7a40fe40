//! Real validators against a peer that is admitted and does what it likes, and against a crowd that is not.

#![cfg(test)]

use network::{ByChannel, Limits, Neighbour, Rate};
use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, SocketAddr},
    os::unix::process::ExitStatusExt as _,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tests::{
    Chain, Network,
    faults::{eventually, path},
    lots, program, say,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpSocket,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use types::{
    BlockId, ChainId, Hash, Height, Round, SecretKey, Transaction, codec,
    net::{Channel, Peer, To},
    vote::{Message, Step, Vote},
};

/// How long anything may take on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a pace is measured.
const MEASURE: Duration = Duration::from_secs(8);

/// A validator's key for one purpose, which nobody but its operator should have.
fn key(network: &Network, validator: u16, purpose: &str) -> SecretKey {
    let file = network.network_home().join(format!("v{validator}/keys/{purpose}.json"));
    node::home::read_key(&file, purpose).unwrap()
}

fn peer(key: &SecretKey) -> Peer {
    Peer(*key.public().as_bytes())
}

/// A peer with the transport key of validator 4, which does not run, and no bounds of its own.
struct Rogue {
    network: network::Network,
    victims: Vec<Peer>,
}

impl Rogue {
    async fn meet(net: &Network, secret: &SecretKey) -> Self {
        let victims: Vec<_> = (1..=3_u16)
            .map(|validator| Neighbour {
                peer: peer(&key(net, validator, "transport")),
                addresses: vec![net.listens(validator)],
            })
            .collect();
        let boundless = Rate {
            messages: u32::MAX,
            messages_burst: u32::MAX,
            bytes: u32::MAX,
            bytes_burst: u32::MAX,
        };
        let config = network::Config {
            secret: *secret.seed(),
            chain_id: *net.chain().as_bytes(),
            listen: Vec::new(),
            peers: victims.clone(),
            limits: Limits { rates: ByChannel::each(|_| boundless), ..Limits::default() },
        };
        let (network, mut receiver) = network::start(config).unwrap();
        // It hears everything and answers nothing.
        tokio::spawn(async move { while receiver.recv().await.is_some() {} });
        Self { network, victims: victims.into_iter().map(|victim| victim.peer).collect() }
    }

    async fn is_connected(&self) {
        let all = async {
            while self.network.connected().len() < self.victims.len() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        let met = timeout(PATIENCE, all).await;
        assert!(met.is_ok(), "only {:?} would have us", self.network.connected());
    }

    /// Says what `message` gives, to everyone, as fast as it is taken, for so long; and how much was taken.
    async fn flood(
        &self,
        channel: Channel,
        length: Duration,
        mut message: impl FnMut(u64) -> Arc<[u8]>,
    ) -> u64 {
        let started = Instant::now();
        let dropped = || self.network.counters().traffic.of(channel).dropped;
        let (mut number, mut before) = (0, dropped());
        while started.elapsed() < length {
            for _ in 0..64 {
                self.network.send(To::Everyone, channel, message(number));
                number += 1;
            }
            let now = dropped();
            if now > before {
                sleep(Duration::from_millis(5)).await;
            }
            before = now;
            tokio::task::yield_now().await;
        }
        number
    }
}

/// The frame of a vote, as the replica writes it: its case, then the message.
fn vote_frame(chain: &ChainId, secret: &SecretKey, vote: &Vote) -> Arc<[u8]> {
    let message = Message::Vote(*vote, vote.sign(chain, secret));
    [codec::encode(&0_u32), codec::encode(&message)].concat().into()
}

/// Blocks that validator 1 commits in a while.
async fn pace(net: &Network) -> u64 {
    let before = net.node_status(1).await.height;
    sleep(MEASURE).await;
    net.node_status(1).await.height.0 - before.0
}

fn resident_mib(net: &Network, validator: u16) -> u64 {
    let pid = net.pid(validator).expect("it runs");
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

/// What flood of each channel is made of.
struct Junk {
    chain: ChainId,
    consensus: SecretKey,
    height: Arc<AtomicU64>,
    block: Vec<u8>,
    transactions: Arc<[u8]>,
}

impl Junk {
    fn new(net: &Network) -> Self {
        let chain = net.chain();
        // A block that decodes, of some other chain, with much in it.
        let mut other = Chain::new("elsewhere", 9);
        let operations = |n| {
            (0..100)
                .map(|i| lots(&format!("urn:epc:{n}:{i}"), &format!("urn:epc:x:{n}:{i}")))
                .collect()
        };
        let txs = (0..8).map(|n| other.transaction(0, n, operations(n))).collect();
        let block = other.commit(txs).block().clone();
        // Sound signatures by a key that nobody enrolled, as many as fit: each has to be checked to be refused.
        let secret = SecretKey::from_seed([5; 32]);
        let code = block.transactions[0].header.agency;
        let block = codec::encode(&block);
        let many: Vec<_> = (0..2000)
            .map(|nonce| {
                Transaction::sign(
                    chain,
                    code,
                    &secret,
                    nonce,
                    Height(50_000),
                    vec![lots("urn:epc:a", "urn:epc:b")],
                )
            })
            .collect();
        Self {
            chain,
            consensus: key(net, 4, "consensus"),
            height: Arc::default(),
            block,
            transactions: codec::encode(&many).into(),
        }
    }

    fn of(&self, channel: Channel, number: u64) -> Arc<[u8]> {
        let height = Height(self.height.load(Relaxed) + 1);
        match channel {
            Channel::Votes => {
                let round = Round(u32::try_from(number % 100_000).unwrap());
                let vote = Vote { height, round, step: Step::Precommit, block: None, seat: 3 };
                vote_frame(&self.chain, &self.consensus, &vote)
            }
            Channel::Proposals => {
                // Behind the version and the chain stand height and time: each is another block of the next height.
                let mut bytes = self.block.clone();
                bytes[34..42].copy_from_slice(&height.0.to_le_bytes());
                bytes[42..50].copy_from_slice(&(1 << 40 | number).to_le_bytes());
                bytes.into()
            }
            Channel::Transactions => self.transactions.clone(),
            // From the first block on, again and again: a small question with a large answer.
            Channel::Sync => [codec::encode(&0_u32), codec::encode(&Height(1))].concat().into(),
        }
    }
}

/// N-07: one admitted validator floods each channel in turn. The three others are exactly a quorum.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_by_one_validator_slows_nobody_but_itself() {
    let net = Network::up();
    net.testnet(&["kill", "v4"]);
    let rogue = Rogue::meet(&net, &key(&net, 4, "transport")).await;
    rogue.is_connected().await;
    let junk = Arc::new(Junk::new(&net));
    let height = junk.height.clone();
    let client = net.client(1);
    let following = tokio::spawn(async move {
        loop {
            if let Ok(status) = client.status().await {
                height.store(status.height.0, Relaxed);
            }
            sleep(Duration::from_millis(10)).await;
        }
    });
    let alone = pace(&net).await;
    assert!(alone >= 3, "three of four commit {alone} blocks in {MEASURE:?}");
    let memory = [1, 2, 3].map(|validator| resident_mib(&net, validator));
    let mut penalties = 0;
    for channel in Channel::ALL {
        rogue.is_connected().await;
        let slowed = format!("minlian_peers_slowed{{queue=\"{}\"}}", channel.name());
        let before = net.counted(1, &slowed).await;
        // Longer than a flood is borne with, so that it ends in the penalty.
        let (junk, length) = (junk.clone(), Duration::from_secs(13));
        let (sent, kept) = tokio::join!(
            rogue.flood(channel, length, |number| junk.of(channel, number)),
            pace(&net)
        );
        let slowed = net.counted(1, &slowed).await - before;
        let now = net.counted(1, "minlian_peer_penalties").await;
        let grown = [1, 2, 3].map(|validator| resident_mib(&net, validator));
        say(&format!(
            "flood of {}: {sent} messages offered; {kept} blocks in {MEASURE:?}, {alone} without; slowed {slowed} times, \
             {} penalties, MiB {memory:?} → {grown:?}",
            channel.name(),
            now - penalties,
        ));
        assert!(2 * kept >= alone, "{}: {kept} blocks, {alone} without the flood", channel.name());
        assert!(slowed > 0, "{}: never slowed", channel.name());
        match channel {
            Channel::Votes | Channel::Proposals | Channel::Sync => {
                assert!(now > penalties, "{}: not shut out\n{}", channel.name(), net.logs());
            }
            // An honest validator whose applications bring too much looks the same: it is slowed, and stays.
            Channel::Transactions => assert_eq!(now, penalties),
        }
        for (before, now) in memory.into_iter().zip(grown) {
            assert!(now < before + 384, "{}: {before} → {now} MiB", channel.name());
        }
        penalties = now;
    }
    following.abort();
    let name = rogue_name(&net);
    for validator in [1, 2, 3] {
        let log = net.log(validator);
        let told =
            |words: [&str; 2]| log.lines().any(|line| words.iter().all(|word| line.contains(word)));
        assert!(told(["does not stop", &name]), "v{validator} does not say who floods");
        assert!(
            told(["peer shut out for a while", &name]),
            "v{validator} does not say whom it shuts out"
        );
        for other in [1, 2, 3] {
            let honest = format!("peer={}", peer(&key(&net, other, "transport")));
            assert!(!told(["shut out", &honest]), "v{validator} shut out v{other}");
        }
    }
    // Mended, it comes back by itself and votes.
    rogue.network.stop().await;
    let above = net.node_status(1).await.height;
    net.testnet(&["start", "v4"]);
    net.votes_again(4, above).await;
}

fn rogue_name(net: &Network) -> String {
    format!("peer={}", peer(&key(net, 4, "transport")))
}

/// B-04, item by item of what evidence is for: whoever says many things in one place is convicted, once, by each who heard it,
/// to anybody who has the genesis, and for good.
#[tokio::test(flavor = "multi_thread")]
async fn a_validator_that_votes_twice_is_convicted_once_by_everyone_and_for_good() {
    let net = Network::up();
    net.testnet(&["kill", "v4"]);
    let rogue = Rogue::meet(&net, &key(&net, 4, "transport")).await;
    rogue.is_connected().await;
    let (chain, consensus) = (net.chain(), key(&net, 4, "consensus"));
    // Of a height that begins soon, so that nobody is past it when the first vote comes, and v4 itself never voted there.
    let height = net.node_status(1).await.height.plus(3);
    let vote = |n: u8, step| {
        let block = (n > 0).then_some(BlockId(Hash([n; 32])));
        Vote { height, round: Round(0), step, block, seat: 3 }
    };
    let mut said: Vec<_> =
        (0..40).map(|n| vote_frame(&chain, &consensus, &vote(n, Step::Prevote))).collect();
    // One thing alone, however often, convicts nobody.
    said.extend(vec![vote_frame(&chain, &consensus, &vote(7, Step::Precommit)); 10]);
    // Again and again: a connection that is new may end once more, if the one of v4 is not missed yet.
    eventually("everybody has evidence", async || {
        for frame in &said {
            rogue.network.send(To::Everyone, Channel::Votes, frame.clone());
        }
        for validator in [1, 2, 3] {
            if net.client(validator).evidence().await.ok()?.evidence.is_empty() {
                return None;
            }
        }
        Some(())
    })
    .await;
    net.agreed(&[1, 2, 3], height.plus(2)).await;
    let (genesis, file) = (net.genesis(), net.scratch().join("evidence.proof"));
    let mut held = Vec::new();
    for validator in [1, 2, 3] {
        let evidence = net.client(validator).evidence().await.unwrap().evidence;
        let [one] = &evidence[..] else { panic!("v{validator} holds {evidence:?}") };
        let place = (one.height, one.round, one.step.as_str(), one.seat);
        assert_eq!(place, (height, 0, "prevote", 3), "v{validator}");
        let url = net.url(validator);
        let words = ["prove", "--evidence", "--node", &url, "--out", path(&file)];
        program::minlian(&words).expect(0);
        let words = ["verify", path(&file), "--trust-root", path(&genesis)];
        let told = program::minlian(&words).expect(0);
        assert!(told.stdout.contains(&one.name), "who it was: {told:?}");
        let bytes = fs::read(&file).unwrap();
        let mut changed = bytes.clone();
        *changed.last_mut().unwrap() ^= 1;
        fs::write(&file, &changed).unwrap();
        assert_ne!(program::minlian(&words).code, 0, "a changed file convicts nobody");
        fs::remove_file(&file).unwrap();
        held.push(evidence);
    }
    for validator in [1, 2, 3] {
        net.testnet(&["kill", &format!("v{validator}")]);
        net.testnet(&["start", &format!("v{validator}")]);
        let after = net.client(validator).evidence().await.unwrap().evidence;
        assert_eq!(after, held[usize::from(validator) - 1], "v{validator}, after a restart");
    }
    let before = net.node_status(1).await.height;
    net.agreed(&[1, 2, 3], Height(before.0 + 2)).await;
}

/// N-12: one validator's connection carries what another signed. That is allowed, and charged to who says it.
#[tokio::test(flavor = "multi_thread")]
async fn what_another_signed_may_be_passed_on_and_is_charged_to_who_passes_it_on() {
    let net = Network::up();
    // Everybody's own last words are of later heights than those the test will make up.
    net.agreed(&[1, 2, 3, 4], Height(4)).await;
    net.testnet(&["kill", "v4"]);
    let rogue = Rogue::meet(&net, &key(&net, 4, "transport")).await;
    rogue.is_connected().await;
    let (chain, other) = (net.chain(), key(&net, 3, "consensus"));
    // Of a height that is over: with what v3 could still sign, a second faulty validator would be one too many.
    let vote = |number: u64, seat| Vote {
        height: Height(1),
        round: Round(u32::try_from(number % 1000).unwrap()),
        step: Step::Prevote,
        block: None,
        seat,
    };
    // A few: no offence, whoever signed them.
    for number in 0..20 {
        rogue.network.send(
            To::Everyone,
            Channel::Votes,
            vote_frame(&chain, &other, &vote(number, 2)),
        );
    }
    sleep(Duration::from_secs(2)).await;
    assert_eq!(net.counted(1, "minlian_offences_total").await, 0);
    assert_eq!(rogue.network.connected().len(), 3);
    // Very many: v4 pays, v3 does not, though every one of them bears its name and its signature.
    let frames: Vec<_> =
        (0..1000).map(|number| vote_frame(&chain, &other, &vote(number, 2))).collect();
    let frame = |number: u64| frames[usize::try_from(number % 1000).unwrap()].clone();
    rogue.flood(Channel::Votes, Duration::from_secs(13), frame).await;
    let v3 = format!("peer={}", peer(&key(&net, 3, "transport")));
    for validator in [1, 2] {
        assert!(net.counted(validator, "minlian_peer_penalties").await > 0, "v{validator}");
        let log = net.log(validator);
        let shut_out: Vec<_> = log.lines().filter(|line| line.contains("shut out")).collect();
        assert!(shut_out.iter().any(|line| line.contains(&rogue_name(&net))), "{shut_out:?}");
        assert!(!shut_out.iter().any(|line| line.contains(&v3)), "{shut_out:?}");
        let lost = log.lines().any(|line| line.contains("peer lost") && line.contains(&v3));
        assert!(!lost, "v{validator} lost v3");
    }
    let before = net.node_status(1).await.height;
    net.agreed(&[1, 2, 3], Height(before.0 + 2)).await;
}

/// N-07: bytes that no honest node sends are counted, told, and after a few times the end of the connection.
#[tokio::test(flavor = "multi_thread")]
async fn who_says_what_cannot_be_said_is_shut_out_and_may_come_back() {
    let net = Network::up();
    net.testnet(&["kill", "v4"]);
    let rogue = Rogue::meet(&net, &key(&net, 4, "transport")).await;
    rogue.is_connected().await;
    for number in 0..40_u8 {
        rogue.network.send(
            To::Everyone,
            Channel::Votes,
            vec![0xff; usize::from(number) + 1].into(),
        );
    }
    let started = Instant::now();
    while net.counted(1, "minlian_peer_penalties").await == 0 {
        assert!(started.elapsed() < PATIENCE, "{}", net.logs());
        sleep(Duration::from_millis(50)).await;
    }
    assert!(net.counted(1, "minlian_offences_total").await >= 9);
    assert!(
        net.log(1).lines().any(|line| line.contains("offence") && line.contains("votes frame"))
    );
    rogue.is_connected().await;
}

/// N-01: who is not on the list is closed after the handshake; the operator can read who it was, and count.
#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_told_by_key_and_address() {
    let net = Network::up();
    let stranger = SecretKey::from_seed([0x5a; 32]);
    let rogue = Rogue::meet(&net, &stranger).await;
    let started = Instant::now();
    while net.counted(1, "minlian_peers_refused").await == 0 {
        assert!(started.elapsed() < PATIENCE, "{}", net.logs());
        sleep(Duration::from_millis(50)).await;
    }
    let log = net.log(1);
    let line = log.lines().find(|line| line.contains("unknown peer refused"));
    let line = line.unwrap_or_else(|| panic!("{log}"));
    assert!(line.contains("WARN") && line.contains("/ip4/127.0.0.1/tcp/"), "{line}");
    assert!(line.contains(&codec::hex(stranger.public().as_bytes())), "{line}");
    assert!(rogue.network.connected().is_empty());
}

/// How many sockets a process has.
fn sockets(pid: i32) -> usize {
    let links = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let links = links.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    links.filter(|link| link.to_string_lossy().starts_with("socket:")).count()
}

/// A thousand who connect and go no further, for as long as this lives: half of them say nothing, half begin.
fn besiege(target: SocketAddr, sources: &[Ipv4Addr]) -> JoinSet<()> {
    let mut crowd = JoinSet::new();
    for number in 0..1000 {
        let source = sources[number % sources.len()];
        crowd.spawn(async move {
            loop {
                let socket = TcpSocket::new_v4().unwrap();
                socket.bind((source, 0).into()).unwrap();
                if let Ok(mut stream) = socket.connect(target).await {
                    if number % 2 == 0 {
                        let begin = b"\x13/multistream/1.0.0\n\x07/noise\n\x00\x20half";
                        stream.write_all(begin).await.unwrap_or_default();
                    }
                    // Until it is closed by the other side.
                    let mut buffer = [0; 64];
                    while let Ok(1..) = stream.read(&mut buffer).await {}
                }
                sleep(Duration::from_millis(500)).await;
            }
        });
    }
    crowd
}

/// N-02: unfinished handshakes take the places that are kept for them, and no more.
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_unfinished_handshakes_take_no_validators_place() {
    let net = Network::up();
    let pid = net.pid(1).unwrap();
    let limit = usize::try_from(Limits::default().pending_incoming).unwrap();
    let own = Ipv4Addr::LOCALHOST;
    let crowds = [
        // The address that the validators themselves have here.
        ("one known address", vec![own]),
        ("one address", vec![Ipv4Addr::new(127, 0, 1, 1)]),
        ("fifty addresses", (1..=50).map(|n| Ipv4Addr::new(127, 0, 2, n)).collect()),
    ];
    for (what, sources) in crowds {
        let calm = sockets(pid);
        let crowded = net.counted(1, "minlian_connections_crowded").await;
        let crowd = besiege(net.listens(1), &sources);
        sleep(Duration::from_secs(1)).await;
        let above = net.node_status(1).await.height;
        net.testnet(&["kill", "v4"]);
        let (mut most, started) = (0, Instant::now());
        net.testnet(&["start", "v4"]);
        while started.elapsed() < Duration::from_secs(4) {
            most = most.max(sockets(pid));
            sleep(Duration::from_millis(5)).await;
        }
        let status = net.node_status(1).await;
        let crowded = net.counted(1, "minlian_connections_crowded").await - crowded;
        say(&format!(
            "a thousand from {what}: {calm} sockets before, at most {most}; {crowded} turned away; {} blocks meanwhile",
            status.height.0 - above.0
        ));
        // Besides, the connections of this test to the API, and the one that is being turned away.
        assert!(most <= calm + limit + 8, "{what}: {calm} → {most} sockets");
        assert!(crowded >= 900, "{what}: only {crowded} turned away");
        // Who was connected still is, and who comes back finds a place.
        net.votes_again(4, status.height).await;
        let seats = net.node_status(1).await.validators;
        assert!(seats.iter().all(|seat| seat.reachable), "{what}: {seats:?}");
        for validator in [2, 3] {
            let lost = format!("peer={}", peer(&key(&net, validator, "transport")));
            let log = net.log(1);
            let lost = log.lines().any(|line| line.contains("peer lost") && line.contains(&lost));
            assert!(!lost, "{what}: v1 lost v{validator}\n{log}");
        }
        drop(crowd);
        sleep(Duration::from_secs(6)).await;
    }
}

/// N-04: the smallest frames with the greatest claims.
#[test]
fn small_frames_that_claim_gigabytes_are_refused_without_memory() {
    const ALONE: &str = "MINLIAN_TEST_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let name = "small_frames_that_claim_gigabytes_are_refused_without_memory";
        let ran = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(ALONE, "")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&ran.stdout).into_owned()
            + &String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success() && text.contains("1 passed"), "{text}");
        return;
    }
    let chain = ChainId(Hash([1; 32]));
    let claims = [u64::MAX, 1 << 63, 1 << 40, 2 << 30, (2 << 30) - 1, 1 << 28, 1 << 20];
    let mut frames = Vec::new();
    for claim in claims {
        for case in 0..4_u32 {
            // A claim behind the case, at once, and behind what a header may hold.
            for before in [0, 2, 4, 8, 40, 74, 150, 300] {
                frames.push(
                    [&case.to_le_bytes()[..], &vec![0; before], &claim.to_le_bytes()].concat(),
                );
            }
        }
        frames.push(claim.to_le_bytes().to_vec());
        frames.push([&claim.to_le_bytes()[..], &[0; 2]].concat());
    }
    let peak = || {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap().to_owned();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
    };
    // The first of everything may take what it likes.
    let refused = |frame: &[u8]| {
        Channel::ALL.map(|channel| replica::receive(&chain, channel, frame).is_err())
    };
    refused(&[0; 10]);
    let (before, mut passed) = (peak(), BTreeMap::new());
    for frame in &frames {
        for (channel, is_refused) in Channel::ALL.into_iter().zip(refused(frame)) {
            if !is_refused {
                passed.insert((channel, frame.clone()), ());
            }
        }
    }
    let more = peak() - before;
    assert!(more < 1024, "{more} KiB more");
    // A status is two numbers and so is a question: no claim of length.
    let plain = |(channel, frame): &(Channel, Vec<u8>)| match channel {
        Channel::Votes => frame.len() == 20,
        Channel::Sync => frame.len() <= 16,
        Channel::Proposals | Channel::Transactions => false,
    };
    assert!(passed.keys().all(plain), "{passed:?}");
}

/// A node in this very process, one task of which panics.
fn serve_and_panic(home: &std::ffi::OsStr) {
    let api = std::env::var_os("MINLIAN_TEST_API").unwrap().into_string().unwrap();
    let home = std::path::PathBuf::from(home);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async move {
        tokio::spawn(async move {
            node::run::run(&home, node::run::Until::Told, node::shell::Listening::First)
                .await
                .unwrap();
        });
        let client = client::Client::new(&api).unwrap();
        while !client.status().await.is_ok_and(|status| status.height.0 > 0) {
            sleep(Duration::from_millis(20)).await;
        }
        println!("serving");
        // A task like any other, that nobody waits for.
        tokio::spawn(async { panic!("on purpose") });
        sleep(Duration::from_secs(20)).await;
        println!("survived");
    });
}

/// N-15: one policy for a panic, wherever it happens: the process ends at once, and says why.
#[test]
fn a_panic_in_any_task_ends_the_node() {
    // The test runs itself in a process of its own, which is to end.
    if let Some(home) = std::env::var_os("MINLIAN_TEST_HOME") {
        return serve_and_panic(&home);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(panics_end_a_node());
}

async fn panics_end_a_node() {
    let net = Network::up();
    net.testnet(&["kill", "v4"]);
    let ran = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_panic_in_any_task_ends_the_node", "--nocapture"])
        .env("MINLIAN_TEST_HOME", net.network_home().join("v4"))
        .env("MINLIAN_TEST_API", net.url(4))
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&ran.stdout);
    let err = String::from_utf8_lossy(&ran.stderr);
    assert!(out.contains("serving"), "{out}\n{err}");
    assert!(!out.contains("survived"), "half a node went on: {out}\n{err}");
    // SIGABRT: what `Restart=on-failure` acts on, and no exit code of ours.
    assert_eq!(ran.status.signal(), Some(6), "{:?}\n{err}", ran.status);
    assert!(err.contains("on purpose") && err.contains("abuse.rs"), "{err}");
    // Nothing is held by what is gone: the real one starts in its place, from the same ledger, and votes.
    let above = net.node_status(1).await.height;
    net.testnet(&["start", "v4"]);
    net.votes_again(4, above).await;
}
