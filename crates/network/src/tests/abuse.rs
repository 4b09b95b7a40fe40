//! Peers that are not what they should be: strangers, floods, lies about themselves, and what becomes of each.

use core::fmt::Write as _;
use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::Command,
    sync::{Mutex, MutexGuard, Once, PoisonError},
};

use libp2p::{Multiaddr, StreamProtocol, swarm::NetworkBehaviour};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
    subscriber::Interest,
};

use super::*;
use crate::{ByChannel, Rate, streams::Streams};

/// Lines that the crates of this process logged, by target.
static LOG: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

/// Writes down what is logged at `debug` and above.
struct Ear;

struct Sentence(String);

impl Visit for Sentence {
    fn record_debug(&mut self, field: &Field, value: &dyn core::fmt::Debug) {
        write!(self.0, "{field}={value:?} ").unwrap();
    }
}

impl Subscriber for Ear {
    fn register_callsite(&self, _metadata: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= Level::DEBUG
    }

    fn new_span(&self, _span: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _span: &span::Id, _values: &span::Record<'_>) {}

    fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut sentence = Sentence(format!("{} ", event.metadata().level()));
        event.record(&mut sentence);
        log().push((event.metadata().target().to_owned(), sentence.0));
    }

    fn enter(&self, _span: &span::Id) {}

    fn exit(&self, _span: &span::Id) {}
}

fn log() -> MutexGuard<'static, Vec<(String, String)>> {
    LOG.lock().unwrap_or_else(PoisonError::into_inner)
}

fn listen_to_the_log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Ear).unwrap());
}

/// A logged line that holds all of these.
fn logged(words: &[&str]) -> Option<String> {
    let log = log();
    let found = log.iter().find(|(_, line)| words.iter().all(|word| line.contains(word)));
    found.map(|(_, line)| line.clone())
}

/// Runs the test in a process of its own, in which a panic on any thread is the end, and says whether this is it.
fn is_alone(test: &str) -> bool {
    const ALONE: &str = "MINLIAN_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        let tell = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            tell(panic);
            std::process::exit(101);
        }));
        return true;
    }
    let name = format!("tests::abuse::{test}");
    let ran = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &name, "--nocapture"])
        .env(ALONE, "")
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success() && out.contains("1 passed"), "{out}\n{err}");
    false
}

/// The most memory that this process ever had, KiB.
fn peak_kib() -> u64 {
    let status = fs::read_to_string(Path::new("/proc/self/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Nothing of libp2p but streams: under the names of our chain, and under others.
#[derive(NetworkBehaviour)]
struct Bare {
    streams: Streams,
    others: Streams,
}

/// A peer that speaks for our chain, and for itself what libp2p would have said.
fn bare(number: u8) -> Swarm<Bare> {
    let others = ByChannel {
        votes: StreamProtocol::new("/ipfs/id/1.0.0"),
        proposals: StreamProtocol::new("/ipfs/ping/1.0.0"),
        transactions: StreamProtocol::new("/ipfs/id/push/1.0.0"),
        sync: StreamProtocol::new("/nothing"),
    };
    let keys = Keypair::ed25519_from_bytes(secret(number)).unwrap();
    let transport = transport::build(&keys, &limits()).unwrap();
    let running = swarm::Config::with_tokio_executor();
    let behaviour = Bare {
        streams: Streams::new(name::streams(&CHAIN)),
        others: Streams::new(Arc::new(others)),
    };
    Swarm::new(transport, behaviour, keys.public().to_peer_id(), running)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_of_the_next_protocol_version_is_refused_and_the_log_says_why() {
    listen_to_the_log();
    let (stem, number) = name::PROTOCOL.rsplit_once('/').unwrap();
    let next = format!("{stem}/{}", number.parse::<u32>().unwrap() + 1);
    let mut victim = Node::alone(1);
    let mut rogue = Rogue::approach(&victim, name::streams_of(&next, &CHAIN)).await;
    rogue.is_cut_off().await;
    victim.until("found to speak otherwise", |counters| counters.foreign > 0).await;
    victim.hears_nothing_for(Duration::from_millis(300)).await;
    assert!(victim.network.connected().is_empty());
    let line = logged(&["WARN", "another chain or protocol version", &peer(9).to_string()]);
    let line = line.expect("whoever reads the log learns of it");
    assert!(
        line.contains(name::PROTOCOL) && line.contains("compare genesis and versions"),
        "{line}"
    );
    // The same peer after its upgrade was taken back.
    Rogue::meet(&mut victim).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_peer_is_closed_after_the_handshake_before_any_stream_and_told() {
    listen_to_the_log();
    let mut victim = Node::alone(1);
    let mut stranger = bare(77);
    let id = name::id(victim.peer).unwrap();
    let addresses = vec![name::dial_address(victim.address)];
    stranger.dial(DialOpts::peer_id(id).addresses(addresses).build()).unwrap();
    let talk = async {
        loop {
            let event = stranger.select_next_some().await;
            if let SwarmEvent::ConnectionEstablished { connection_id, .. } = event {
                // It asks for every stream at once; none may come about.
                for channel in Channel::ALL {
                    stranger.behaviour_mut().streams.open(id, connection_id, channel);
                    stranger.behaviour_mut().others.open(id, connection_id, channel);
                }
            } else if let SwarmEvent::ConnectionClosed { .. } = event {
                break;
            } else if let SwarmEvent::Behaviour(
                BareEvent::Streams(happening) | BareEvent::Others(happening),
            ) = event
            {
                let failed = matches!(happening.what, What::Failed(_) | What::Unknown);
                assert!(failed, "{happening:?}");
            }
        }
    };
    timeout(PATIENCE, talk).await.expect("it is closed");
    victim.until("refused", |counters| counters.refused == 1).await;
    let line = logged(&["unknown peer refused", &name::spell(stranger.local_peer_id())]);
    let line = line.expect("it is told who it was");
    assert!(line.starts_with("WARN") && line.contains("/ip4/127.0.0.1/tcp/"), "{line}");
    victim.hears_nothing_for(Duration::from_millis(300)).await;
    assert_eq!(victim.network.counters().traffic, ByChannel::default());
}

/// Limits under which a flood is found out within a second.
fn strict() -> Limits {
    let rate = Rate { messages: 200, messages_burst: 100, bytes: 1 << 20, bytes_burst: 1 << 20 };
    Limits {
        rates: ByChannel::each(|_| rate),
        flood_max: Duration::from_secs(1),
        penalty_min: Duration::from_secs(1),
        dial_backoff_max: Duration::from_millis(500),
        ..limits()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_slowed_then_shut_out_for_longer_each_time_and_harms_nobody_else() {
    listen_to_the_log();
    let (mut flooder, mut other) = (Node::alone(11), Node::alone(12));
    let mut victim = Node::start(13, at("127.0.0.1:0"), CHAIN, vec![], strict());
    introduce(&mut [&mut flooder, &mut other, &mut victim]).await;
    let network = flooder.network.clone();
    let target = victim.peer;
    let flooding = tokio::spawn(async move {
        loop {
            network.send(To::One(target), Channel::Votes, b"vote"[..].into());
            sleep(Duration::from_micros(200)).await;
        }
    });
    let mut absences = Vec::new();
    let mut worst = Duration::ZERO;
    let started = Instant::now();
    let (mut heard, mut gone) = (0_u32, None::<Instant>);
    while absences.len() < 2 {
        let sent = Instant::now();
        other.send(&victim, Channel::Votes, b"mine");
        loop {
            match victim.hear().await {
                Inbound::Message(from, Channel::Votes, bytes) if from == other.peer => {
                    assert_eq!(bytes, b"mine");
                    break;
                }
                Inbound::Message(from, ..) => {
                    assert_eq!(from, flooder.peer);
                    heard += 1;
                }
                Inbound::Lost(peer) => {
                    assert_eq!(peer, flooder.peer, "only the flooder is shut out");
                    gone = Some(Instant::now());
                }
                Inbound::Connected(peer) => {
                    assert_eq!(peer, flooder.peer);
                    absences.extend(gone.take().map(|gone| gone.elapsed()));
                }
            }
        }
        worst = worst.max(sent.elapsed());
        sleep(Duration::from_millis(10)).await;
    }
    flooding.abort();
    assert!(worst < Duration::from_secs(1), "an honest vote took {worst:?}");
    // A second, then two; both less than the next step.
    assert!(absences[0] >= Duration::from_millis(900), "{absences:?}");
    assert!(absences[1] >= Duration::from_millis(1900), "{absences:?}");
    let counters = victim.network.counters();
    assert_eq!(counters.penalties, 2);
    assert!(counters.traffic.votes.slowed > 100, "{counters:?}");
    // 200 a second and two bursts, where 5000 a second were sent.
    let seconds = u32::try_from(started.elapsed().as_secs()).unwrap() + 1;
    assert!(heard <= 200 * seconds + 300, "{heard} in {seconds} s");
    let name = flooder.peer.to_string();
    assert!(logged(&["WARN", "offence", "does not stop", &name]).is_some());
    assert!(logged(&["WARN", "peer shut out for a while", &name, "seconds=2"]).is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_brief_excess_loses_nothing() {
    let mut victim = Node::start(13, at("127.0.0.1:0"), CHAIN, vec![], strict());
    let mut eager = Node::alone(11);
    introduce(&mut [&mut eager, &mut victim]).await;
    for number in 0..200_u16 {
        eager.send(&victim, Channel::Votes, &number.to_le_bytes());
    }
    for number in 0..200_u16 {
        assert_eq!(victim.message().await.1, number.to_le_bytes());
    }
    let counters = victim.network.counters();
    assert!(counters.traffic.votes.slowed > 50, "{counters:?}");
    assert_eq!((counters.penalties, counters.offences), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_blamed_too_often_is_shut_out_and_comes_back() {
    let limits = Limits { offences_max: 3, ..strict() };
    let mut victim = Node::start(13, at("127.0.0.1:0"), CHAIN, vec![], limits);
    let mut liar = Node::alone(11);
    introduce(&mut [&mut liar, &mut victim]).await;
    for _ in 0..3 {
        victim.network.blame(liar.peer);
    }
    victim.network.blame(peer(99));
    victim.hears_nothing_for(Duration::from_millis(200)).await;
    victim.network.blame(liar.peer);
    victim.expect(Inbound::Lost(liar.peer)).await;
    let gone = Instant::now();
    // Reports about what it said before change nothing.
    for _ in 0..20 {
        victim.network.blame(liar.peer);
    }
    victim.expect(Inbound::Connected(liar.peer)).await;
    liar.expect(Inbound::Connected(victim.peer)).await;
    assert!(gone.elapsed() >= Duration::from_millis(900), "{:?}", gone.elapsed());
    assert_eq!(victim.network.counters().penalties, 1);
    converse(&mut liar, &mut victim).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_shut_out_knocks_in_vain_and_is_counted() {
    let (mut victim, mut liar) = (Node::alone(13), Node::alone(11));
    introduce(&mut [&mut liar, &mut victim]).await;
    for _ in 0..=Limits::default().offences_max {
        victim.network.blame(liar.peer);
    }
    victim.expect(Inbound::Lost(liar.peer)).await;
    victim.until("barred", |counters| counters.barred > 0).await;
    assert_eq!(victim.network.counters().refused, 0, "it is no stranger");
    victim.expect(Inbound::Connected(liar.peer)).await;
}

/// N-11: the list of peers is replaced while the network runs, as a chain's own state will have it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_list_of_peers_disconnects_refuses_and_dials_at_once() {
    let (mut a, mut b, mut c) = (Node::alone(1), Node::alone(2), Node::alone(3));
    introduce(&mut [&mut a, &mut b]).await;
    c.network.admit(vec![Neighbour { peer: a.peer, addresses: vec![] }]);
    let before = Instant::now();
    // The network is told of all, ourselves included, as a chain has it.
    a.network.admit(vec![a.neighbour(), c.neighbour()]);
    a.expect(Inbound::Lost(b.peer)).await;
    assert!(before.elapsed() < Duration::from_secs(1), "{:?}", before.elapsed());
    // Nobody but `a` knows where the other is, so it was dialled.
    a.expect(Inbound::Connected(c.peer)).await;
    c.expect(Inbound::Connected(a.peer)).await;
    a.until("refused", |counters| counters.refused > 0).await;
    assert_eq!(a.network.connected(), [c.peer]);
    converse(&mut a, &mut c).await;
    // An order that is replaced at once leaves nothing behind, whether it was looked at in between or not.
    a.network.admit(vec![]);
    a.network.admit(vec![b.neighbour(), c.neighbour()]);
    a.expect(Inbound::Connected(b.peer)).await;
    let both: BTreeSet<_> = [b.peer, c.peer].into();
    let connected = async || {
        while a.network.connected().into_iter().collect::<BTreeSet<_>>() != both {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, connected()).await.expect("both are connected in the end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_reads_a_byte_at_a_time_is_disconnected() {
    let hurried = Limits { write_deadline: Duration::from_secs(1), ..limits() };
    let mut victim = Node::start(1, at("127.0.0.1:0"), CHAIN, vec![], hurried);
    let mut rogue = Rogue::meet(&mut victim).await;
    let mut unread = rogue.accept(Channel::Transactions).await;
    let transaction: Arc<[u8]> = vec![7; 64 << 10].into();
    for _ in 0..500 {
        victim.network.send(To::Everyone, Channel::Transactions, Arc::clone(&transaction));
    }
    // Its place in the queue is bounded, so most of it is gone already.
    assert!(victim.network.counters().traffic.transactions.dropped >= 300);
    let sipping = tokio::spawn(async move {
        let mut byte = [0];
        while let Ok(1) = unread.read(&mut byte).await {
            sleep(Duration::from_millis(100)).await;
        }
    });
    tokio::select! {
        () = victim.expect(Inbound::Lost(peer(9))) => {}
        () = async { loop { rogue.step().await } } => {}
    }
    assert_eq!(victim.network.counters().stalled, 1);
    rogue.is_cut_off().await;
    sipping.abort();
}

#[tokio::test]
async fn a_claim_of_gigabytes_takes_no_memory() {
    if !is_alone("a_claim_of_gigabytes_takes_no_memory") {
        return;
    }
    let read = async |claim: u32, bytes_max| {
        let mut wire = futures::io::Cursor::new(claim.to_le_bytes());
        crate::frame::read(&mut wire, bytes_max, || ()).await.unwrap_err()
    };
    // The first of everything may take what it likes.
    read(1, 1).await;
    let before = peak_kib();
    for _ in 0..10_000 {
        for channel in Channel::ALL {
            read(u32::MAX, channel.frame_bytes_max()).await;
            // Allowed, but nothing comes.
            read(u32::try_from(channel.frame_bytes_max()).unwrap(), channel.frame_bytes_max())
                .await;
        }
    }
    let more = peak_kib() - before;
    assert!(more < 1024, "{more} KiB more");
}

/// What an admitted peer writes where Yamux is spoken.
fn yamux_frames() -> Vec<(&'static str, bool, Vec<u8>)> {
    const DATA: u8 = 0;
    const WINDOW: u8 = 1;
    const PING: u8 = 2;
    const SYN: u8 = 1;
    let header = |kind: u8, flags: u8, stream: u32, length: u32| {
        let mut header = vec![0, kind, 0, flags];
        header.extend(stream.to_be_bytes());
        header.extend(length.to_be_bytes());
        header
    };
    let long = [header(DATA, SYN, 1, 300 << 10), vec![0; 300 << 10]].concat();
    let streams = |count: u32| (0..count).flat_map(|n| header(WINDOW, SYN, 2 * n + 1, 0)).collect();
    vec![
        (
            "CVE-2026-32314: data of more than a window in the frame that opens the stream",
            true,
            long,
        ),
        ("data of 4 GiB", true, header(DATA, SYN, 1, u32::MAX)),
        (
            "GHSA-4w32: a window that overflows",
            true,
            [header(WINDOW, SYN, 1, u32::MAX), header(WINDOW, 0, 1, u32::MAX)].concat(),
        ),
        (
            "the same on a stream of data",
            true,
            [
                // The beginning of a greeting, so that the stream is still waited for.
                header(DATA, SYN, 1, 4),
                b"\x13/mu".to_vec(),
                header(WINDOW, 0, 1, u32::MAX),
                header(WINDOW, 0, 1, u32::MAX),
            ]
            .concat(),
        ),
        ("ten thousand streams", true, streams(10_000)),
        ("the last stream there can be, and one more", true, {
            [header(WINDOW, SYN, u32::MAX, 0), streams(40)].concat()
        }),
        ("a stream opened twice", true, header(WINDOW, SYN, 1, 0).repeat(2)),
        ("stream zero", true, [header(DATA, SYN, 0, 4), vec![0; 4]].concat()),
        ("a stream of ours", true, header(DATA, SYN, 2, 0)),
        ("a kind that does not exist", true, header(9, 0xff, 1, 1)),
        ("another version", true, vec![0xff; 4096]),
        ("pings without end", false, header(PING, SYN, 0, 7).repeat(20_000)),
        ("half a header", false, vec![0, 0, 0]),
        ("nothing", false, Vec::new()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_that_once_felled_yamux_close_the_connection_and_nothing_else() {
    if !is_alone("frames_that_once_felled_yamux_close_the_connection_and_nothing_else") {
        return;
    }
    let quick = Limits {
        ping_interval: Duration::from_millis(200),
        silence_max: Duration::from_secs(3),
        ..limits()
    };
    let mut victim = Node::start(1, at("127.0.0.1:0"), CHAIN, vec![], quick);
    let before = peak_kib();
    let id = name::id(victim.peer).unwrap();
    for (what, fatal, bytes) in yamux_frames() {
        let answers = raw::Answers::default();
        let mut rogue = raw::swarm(bytes, Arc::clone(&answers));
        let addresses = vec![name::dial_address(victim.address)];
        victim.network.admit(vec![Neighbour { peer: peer(9), addresses: vec![] }]);
        sleep(Duration::from_millis(50)).await;
        rogue.dial(DialOpts::peer_id(id).addresses(addresses).build()).unwrap();
        let mut met = false;
        let talking = async {
            loop {
                let event = rogue.select_next_some().await;
                met |= matches!(event, SwarmEvent::ConnectionEstablished { .. });
                if let SwarmEvent::ConnectionClosed { .. } = event {
                    break;
                }
            }
        };
        // To some frames Yamux says that the connection is over, and leaves it to the far side to close it; a far side
        // that does not is closed for its silence.
        let started = Instant::now();
        let closed = timeout(PATIENCE, talking).await.is_ok();
        assert!(met && closed, "{what}: met {met}, closed {closed}");
        let at_once = started.elapsed() < Duration::from_secs(2);
        assert_eq!(at_once || raw::says_that_it_is_over(&answers), fatal, "{what}");
        drop(rogue);
        victim.network.admit(vec![]);
    }
    let more = peak_kib() - before;
    assert!(more < 16 << 10, "{more} KiB more");
    Rogue::meet(&mut victim).await;
    assert_eq!(victim.network.connected(), [peer(9)]);
}

/// A field of a protocol buffer, as long as it says.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2][..], &varint(bytes.len()), bytes].concat()
}

fn varint(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap());
    bytes
}

/// What a peer says of itself is neither kept nor repeated: it may say what it likes, and be heard all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_peer_says_of_itself_harms_nothing() {
    listen_to_the_log();
    let address = |n: u16| {
        Multiaddr::from(std::net::Ipv4Addr::LOCALHOST).with(libp2p::multiaddr::Protocol::Tcp(n))
    };
    let addresses = |count: u16| -> Vec<u8> {
        (0..count).flat_map(|n| field(2, address(n).as_ref())).collect()
    };
    let key = Keypair::ed25519_from_bytes(secret(41)).unwrap().public();
    let true_key = field(1, &key.encode_protobuf());
    let other_key = Keypair::ed25519_from_bytes(secret(42)).unwrap().public().encode_protobuf();
    let escapes = "\x1b[2J\x1b[31mMARKER41\x1b]0;owned\x07\r\n2026 ERROR forged line\u{202e}\0";
    let cases = [
        ("an agent of a megabyte", field(6, &vec![b'M'; 1 << 20])),
        ("escapes", [field(6, escapes.as_bytes()), field(5, escapes.as_bytes())].concat()),
        ("escapes as protocols", field(3, escapes.as_bytes()).repeat(10)),
        ("ten thousand addresses", addresses(10_000)),
        ("as many addresses as fit", addresses(300)),
        ("addresses that are none", field(2, &[0xff; 64]).repeat(20)),
        ("another's key", field(1, &other_key)),
        ("bytes", vec![0xff; 3000]),
        ("nothing", Vec::new()),
    ];
    for (what, said) in cases {
        let mut victim = Node::alone(1);
        victim.network.admit(vec![Neighbour { peer: peer(41), addresses: vec![] }]);
        let mut liar = bare(41);
        let id = name::id(victim.peer).unwrap();
        sleep(Duration::from_millis(50)).await;
        let there = vec![name::dial_address(victim.address)];
        liar.dial(DialOpts::peer_id(id).addresses(there).build()).unwrap();
        let message = [true_key.clone(), said].concat();
        let answer = [varint(message.len()), message].concat();
        let driving = tokio::spawn(async move {
            let mut heard = Vec::new();
            loop {
                let event = liar.select_next_some().await;
                if let SwarmEvent::ConnectionEstablished { connection_id, .. } = event {
                    liar.behaviour_mut().streams.open(id, connection_id, Channel::Votes);
                } else if let SwarmEvent::Behaviour(BareEvent::Others(happening)) = event {
                    let What::Accepted(mut stream) = happening.what else { continue };
                    if happening.channel == Channel::Votes {
                        // The question of who it is. The answer may be cut short.
                        stream.write_all(&answer).await.unwrap_or_default();
                        stream.close().await.unwrap_or_default();
                    } else {
                        heard.push(stream);
                    }
                } else if let SwarmEvent::Behaviour(BareEvent::Streams(happening)) = event {
                    match happening.what {
                        What::Opened(mut stream) => {
                            sleep(Duration::from_millis(200)).await;
                            stream.write_all(b"\x04\0\0\0true").await.unwrap();
                            stream.flush().await.unwrap();
                            heard.push(stream);
                        }
                        What::Accepted(stream) => heard.push(stream),
                        What::Unknown | What::Failed(_) => {}
                    }
                }
            }
        });
        victim.expect(Inbound::Connected(peer(41))).await;
        assert_eq!(victim.message().await, (Channel::Votes, b"true".to_vec()), "{what}");
        driving.abort();
        assert_eq!(victim.network.counters().offences, 0, "{what}");
        // It is as well as ever.
        Rogue::meet(&mut victim).await;
        victim.network.stop().await;
    }
    let ours = log();
    let ours = ours.iter().filter(|(target, _)| target.starts_with("network"));
    let mut lines = 0;
    for (_, line) in ours {
        lines += 1;
        assert!(!line.contains('\x1b') && !line.contains("MARKER41"), "{line:?}");
        assert!(line.len() < 2000, "{} bytes: {line:.200}", line.len());
    }
    assert!(lines > 0, "the log was not heard");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_cannot_be_reached_is_not_stormed() {
    // It answers and hangs up, which is the fastest way to fail.
    let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = door.local_addr().unwrap();
    let absent = Neighbour { peer: peer(2), addresses: vec![address] };
    let quick = Limits { dial_courtesy: Duration::ZERO, ..limits() };
    let _node = Node::start(1, at("127.0.0.1:0"), CHAIN, vec![absent], quick);
    let mut knocks = Vec::new();
    let started = Instant::now();
    while let Ok(accepted) = timeout(Duration::from_secs(8), door.accept()).await {
        drop(accepted.unwrap());
        knocks.push(started.elapsed());
        if started.elapsed() > Duration::from_secs(8) {
            break;
        }
    }
    // 0.2, 0.4, 0.8, 1.6, then every 2 seconds, each less at most a quarter.
    assert!((4..=9).contains(&knocks.len()), "{knocks:?}");
    let gaps: Vec<_> = knocks.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let least = [150, 300, 600, 1200, 1500, 1500, 1500, 1500];
    for (gap, least) in gaps.iter().zip(least) {
        assert!(*gap >= Duration::from_millis(least), "{gaps:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_moves_is_found_at_its_new_address() {
    for listen in ["127.0.0.1:0", "[::1]:0"] {
        let mut a = Node::start(1, at(listen), CHAIN, vec![], limits());
        let mut b = Node::start(2, at(listen), CHAIN, vec![], limits());
        introduce(&mut [&mut a, &mut b]).await;
        let old = b.address;
        b.network.stop().await;
        a.expect(Inbound::Lost(peer(2))).await;
        // It knows nobody's address now, so only the other side can find it.
        let nowhere = vec![Neighbour { peer: a.peer, addresses: vec![] }];
        let mut b = Node::start(2, at(listen), CHAIN, nowhere, limits());
        assert_ne!(b.address, old);
        a.network.admit(vec![b.neighbour()]);
        a.expect(Inbound::Connected(b.peer)).await;
        b.expect(Inbound::Connected(a.peer)).await;
        converse(&mut a, &mut b).await;
    }
}
