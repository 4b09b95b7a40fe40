//! Nodes on one machine: honest ones through the front door, dishonest ones with libp2p in their hands.

use std::{collections::VecDeque, net::SocketAddr, sync::Arc, time::Duration};

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::{
    Stream, Swarm,
    identity::Keypair,
    swarm::{
        self, ConnectionId, SwarmEvent,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use crate::{
    Channel, Config, Counters, Inbound, Limits, Neighbour, Network, Peer, Receiver, To,
    behaviour::{Behaviour, BehaviourEvent},
    name, start,
    streams::{Happening, What},
    transport,
};

mod abuse;
mod raw;

const CHAIN: [u8; 32] = [0xc4; 32];
const PATIENCE: Duration = Duration::from_secs(10);

/// A node under test.
struct Node {
    peer: Peer,
    address: SocketAddr,
    network: Network,
    receiver: Receiver,
}

fn secret(number: u8) -> [u8; 32] {
    [number; 32]
}

fn peer(number: u8) -> Peer {
    let keys = Keypair::ed25519_from_bytes(secret(number)).unwrap();
    Peer(keys.public().try_into_ed25519().unwrap().to_bytes())
}

/// The numbers of two peers, the smaller key first.
fn ordered(one: u8, other: u8) -> (u8, u8) {
    if peer(one) < peer(other) { (one, other) } else { (other, one) }
}

fn limits() -> Limits {
    Limits { dial_courtesy: Duration::from_millis(300), ..Limits::default() }
}

fn at(listen: &str) -> SocketAddr {
    listen.parse().unwrap()
}

impl Node {
    fn start(
        number: u8,
        listen: SocketAddr,
        chain_id: [u8; 32],
        peers: Vec<Neighbour>,
        limits: Limits,
    ) -> Self {
        let config =
            Config { secret: secret(number), chain_id, listen: vec![listen], peers, limits };
        let (network, receiver) = start(config).unwrap();
        let [address] = network.listening()[..] else { panic!("one address was asked for") };
        Self { peer: peer(number), address, network, receiver }
    }

    fn alone(number: u8) -> Self {
        Self::start(number, at("127.0.0.1:0"), CHAIN, vec![], limits())
    }

    fn neighbour(&self) -> Neighbour {
        Neighbour { peer: self.peer, addresses: vec![self.address] }
    }

    fn send(&self, to: &Self, channel: Channel, message: &[u8]) {
        self.network.send(To::One(to.peer), channel, message.into());
    }

    async fn hear(&mut self) -> Inbound {
        timeout(PATIENCE, self.receiver.recv()).await.expect("something is heard").expect("it runs")
    }

    async fn message(&mut self) -> (Channel, Vec<u8>) {
        loop {
            match self.hear().await {
                Inbound::Message(_, channel, message) => return (channel, message),
                Inbound::Connected(_) | Inbound::Lost(_) => {}
            }
        }
    }

    async fn expect(&mut self, expected: Inbound) {
        while self.hear().await != expected {}
    }

    async fn hears_nothing_for(&mut self, pause: Duration) {
        let heard = timeout(pause, self.receiver.recv()).await;
        assert!(heard.is_err(), "{heard:?}");
    }

    async fn until(&self, what: &str, holds: impl Fn(Counters) -> bool) {
        let counted = async {
            while !holds(self.network.counters()) {
                sleep(Duration::from_millis(10)).await;
            }
        };
        let waited = timeout(PATIENCE, counted).await;
        assert!(waited.is_ok(), "{what}: {:?}", self.network.counters());
    }
}

/// Introduces nodes to each other, and waits until all are connected.
async fn introduce(nodes: &mut [&mut Node]) {
    let all: Vec<_> = nodes.iter().map(|node| node.neighbour()).collect();
    for node in nodes.iter() {
        node.network.admit(all.clone());
    }
    for node in nodes.iter_mut() {
        for _ in 1..all.len() {
            let heard = node.hear().await;
            assert!(matches!(heard, Inbound::Connected(_)), "{heard:?}");
        }
    }
}

async fn two() -> (Node, Node) {
    let (mut a, mut b) = (Node::alone(1), Node::alone(2));
    introduce(&mut [&mut a, &mut b]).await;
    (a, b)
}

/// Sends on every channel in both directions and checks that each channel keeps its order.
async fn converse(a: &mut Node, b: &mut Node) {
    const COUNT: usize = 50;
    for number in 0..COUNT {
        for channel in Channel::ALL {
            let mut message = vec![0; 1 + number * 997 % 60_000];
            message[0] = u8::try_from(number).unwrap();
            a.send(b, channel, &message);
            b.send(a, channel, &message);
        }
        // Within every outgoing bound, whatever the machine is busy with.
        sleep(Duration::from_millis(2)).await;
    }
    for node in [a, b] {
        let mut next = crate::ByChannel::<usize>::default();
        for _ in 0..4 * COUNT {
            let (channel, message) = node.message().await;
            let number = next.of_mut(channel);
            assert_eq!(usize::from(message[0]), *number, "{channel:?}");
            assert_eq!(message.len(), 1 + *number * 997 % 60_000, "{channel:?}");
            *number += 1;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_converse_on_every_channel_in_order() {
    let (mut a, mut b) = two().await;
    assert_eq!(a.network.connected(), [b.peer]);
    converse(&mut a, &mut b).await;
    let (here, there) = (a.network.counters(), b.network.counters());
    for channel in Channel::ALL {
        assert_eq!(here.traffic.of(channel).dropped, 0);
        assert_eq!(here.traffic.of(channel).messages_out, 50);
        assert_eq!(here.traffic.of(channel).messages_out, there.traffic.of(channel).messages_in);
        assert_eq!(here.traffic.of(channel).bytes_out, there.traffic.of(channel).bytes_in);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_converse_over_ipv6() {
    let mut a = Node::start(1, at("[::1]:0"), CHAIN, vec![], limits());
    let mut b = Node::start(2, at("[::1]:0"), CHAIN, vec![], limits());
    introduce(&mut [&mut a, &mut b]).await;
    converse(&mut a, &mut b).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_largest_message_of_each_channel_arrives() {
    let (a, mut b) = two().await;
    for channel in Channel::ALL {
        let message: Vec<u8> = (0_u8..251).cycle().take(channel.frame_bytes_max()).collect();
        a.send(&b, channel, &message);
        assert_eq!(b.message().await, (channel, message));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everyone_hears_a_broadcast() {
    let mut nodes = [Node::alone(1), Node::alone(2), Node::alone(3), Node::alone(4)];
    introduce(&mut nodes.each_mut()).await;
    let [a, others @ ..] = &mut nodes;
    a.network.send(To::Everyone, Channel::Votes, b"vote"[..].into());
    for node in others {
        let heard = node.hear().await;
        assert_eq!(heard, Inbound::Message(a.peer, Channel::Votes, b"vote".to_vec()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dialling_each_other_at_once_is_one_acquaintance() {
    let eager = Limits { dial_courtesy: Duration::ZERO, ..limits() };
    for _ in 0..5 {
        let mut a = Node::start(1, at("127.0.0.1:0"), CHAIN, vec![], eager.clone());
        let mut b = Node::start(2, at("127.0.0.1:0"), CHAIN, vec![], eager.clone());
        introduce(&mut [&mut a, &mut b]).await;
        converse(&mut a, &mut b).await;
        a.hears_nothing_for(Duration::from_millis(100)).await;
        a.network.stop().await;
        b.network.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_round_trip_is_short() {
    let (mut a, mut b) = two().await;
    let before = Instant::now();
    for number in 0_u8..100 {
        a.send(&b, Channel::Votes, &[number]);
        assert_eq!(b.message().await.1, [number]);
        b.send(&a, Channel::Votes, &[number]);
        assert_eq!(a.message().await.1, [number]);
    }
    // Nagle and delayed acknowledgements together would cost 40 ms a trip.
    let each = before.elapsed() / 100;
    assert!(each < Duration::from_millis(20), "{each:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_is_refused() {
    let mut a = Node::alone(1);
    let mut stranger = Node::start(9, at("127.0.0.1:0"), CHAIN, vec![a.neighbour()], limits());
    a.until("refused", |counters| counters.refused > 0).await;
    a.hears_nothing_for(Duration::from_millis(500)).await;
    stranger.hears_nothing_for(Duration::from_millis(100)).await;
    assert!(a.network.connected().is_empty() && stranger.network.connected().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_of_another_chain_is_refused() {
    let mut a = Node::alone(1);
    let mut b = Node::start(2, at("127.0.0.1:0"), [0xee; 32], vec![a.neighbour()], limits());
    a.network.admit(vec![b.neighbour()]);
    let foreign = async {
        while a.network.counters().foreign + b.network.counters().foreign == 0 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, foreign).await.unwrap();
    a.hears_nothing_for(Duration::from_secs(1)).await;
    b.hears_nothing_for(Duration::from_millis(100)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_peer_is_back_soon() {
    let (small, great) = ordered(1, 2);
    for (staying, leaving) in [(small, great), (great, small)] {
        let (mut a, mut b) = (Node::alone(staying), Node::alone(leaving));
        introduce(&mut [&mut a, &mut b]).await;
        let Node { address, network, mut receiver, .. } = b;
        network.stop().await;
        while let Some(inbound) = receiver.recv().await {
            assert_eq!(inbound, Inbound::Lost(a.peer));
        }
        a.expect(Inbound::Lost(peer(leaving))).await;
        a.network.send(To::One(peer(leaving)), Channel::Votes, b"nobody"[..].into());
        assert_eq!(a.network.counters().traffic.votes.dropped, 1);
        sleep(Duration::from_secs(2)).await;

        let before = Instant::now();
        let mut b = Node::start(leaving, address, CHAIN, vec![a.neighbour()], limits());
        a.expect(Inbound::Connected(b.peer)).await;
        b.expect(Inbound::Connected(a.peer)).await;
        assert!(before.elapsed() < Duration::from_secs(3), "{:?}", before.elapsed());
        converse(&mut a, &mut b).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_peer_is_disconnected_and_may_come_back() {
    let (mut a, mut b) = two().await;
    a.network.admit(vec![a.neighbour()]);
    a.expect(Inbound::Lost(b.peer)).await;
    b.expect(Inbound::Lost(a.peer)).await;
    a.until("refused", |counters| counters.refused > 0).await;
    a.hears_nothing_for(Duration::from_millis(200)).await;
    assert!(a.network.connected().is_empty());

    a.network.admit(vec![a.neighbour(), b.neighbour()]);
    a.expect(Inbound::Connected(b.peer)).await;
    b.expect(Inbound::Connected(a.peer)).await;
    converse(&mut a, &mut b).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_impossible_size_and_to_nobody_are_dropped() {
    let (a, mut b) = two().await;
    a.send(&b, Channel::Votes, b"");
    a.send(&b, Channel::Votes, &vec![0; Channel::Votes.frame_bytes_max() + 1]);
    a.network.send(To::One(peer(9)), Channel::Votes, b"who?"[..].into());
    a.send(&b, Channel::Votes, b"heard");
    assert_eq!(b.message().await, (Channel::Votes, b"heard".to_vec()));
    assert_eq!(a.network.counters().traffic.votes.dropped, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_is_taken_is_a_fault() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listen = vec![taken.local_addr().unwrap()];
    let config =
        Config { secret: secret(1), chain_id: CHAIN, listen, peers: vec![], limits: limits() };
    assert!(matches!(start(config), Err(crate::Fault::Listen { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn impossible_keys_are_left_out() {
    let mut a = Node::alone(1);
    let mut b = Node::alone(2);
    let nobody = (0..=255).map(|byte| Neighbour { peer: Peer([byte; 32]), addresses: vec![] });
    a.network.admit(nobody.chain([b.neighbour()]).collect());
    b.network.admit(vec![a.neighbour()]);
    a.expect(Inbound::Connected(b.peer)).await;
    b.expect(Inbound::Connected(a.peer)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn votes_pass_a_flood_of_transactions() {
    let (a, mut b) = two().await;
    let flood = a.network.clone();
    let flooding = tokio::spawn(async move {
        let transaction: Arc<[u8]> = vec![7; 200 << 10].into();
        loop {
            flood.send(To::Everyone, Channel::Transactions, Arc::clone(&transaction));
            sleep(Duration::from_micros(200)).await;
        }
    });
    a.until("a full queue", |counters| counters.traffic.transactions.dropped > 100).await;
    for number in 0_u8..20 {
        let before = Instant::now();
        a.send(&b, Channel::Votes, &[number]);
        // A slow node: it takes a millisecond for whatever it hears.
        while b.message().await != (Channel::Votes, vec![number]) {
            sleep(Duration::from_millis(1)).await;
        }
        assert!(before.elapsed() < Duration::from_secs(1), "{:?}", before.elapsed());
    }
    flooding.abort();
    assert!(a.network.counters().traffic.transactions.messages_out > 0);
    assert_eq!(a.network.counters().traffic.votes.dropped, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_line_is_given_up() {
    let quick = Limits {
        ping_interval: Duration::from_millis(100),
        silence_max: Duration::from_millis(500),
        ..limits()
    };
    let mut b = Node::start(2, at("127.0.0.1:0"), CHAIN, vec![], limits());
    let (line, cut) = Line::lay(b.address).await;
    let through = Neighbour { peer: b.peer, addresses: vec![line.address] };
    let mut a = Node::start(1, at("127.0.0.1:0"), CHAIN, vec![through], quick);
    b.network.admit(vec![Neighbour { peer: a.peer, addresses: vec![] }]);
    a.expect(Inbound::Connected(b.peer)).await;
    b.expect(Inbound::Connected(a.peer)).await;
    cut.send_replace(true);
    a.expect(Inbound::Lost(b.peer)).await;
    assert!(a.network.counters().silent > 0);
    cut.send_replace(false);
    a.expect(Inbound::Connected(b.peer)).await;
    line.carrying.abort();
}

/// A line that can be cut without either end noticing.
struct Line {
    address: SocketAddr,
    carrying: JoinHandle<()>,
}

impl Line {
    async fn lay(to: SocketAddr) -> (Self, watch::Sender<bool>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (cut, is_cut) = watch::channel(false);
        let carrying = tokio::spawn(async move {
            loop {
                let (near, _) = listener.accept().await.unwrap();
                let far = TcpStream::connect(to).await.unwrap();
                let ((near_in, near_out), (far_in, far_out)) =
                    (near.into_split(), far.into_split());
                tokio::spawn(Self::carry(near_in, far_out, is_cut.clone()));
                tokio::spawn(Self::carry(far_in, near_out, is_cut.clone()));
            }
        });
        (Self { address, carrying }, cut)
    }

    async fn carry(
        mut from: tokio::net::tcp::OwnedReadHalf,
        mut to: tokio::net::tcp::OwnedWriteHalf,
        mut is_cut: watch::Receiver<bool>,
    ) {
        let mut buffer = [0; 4096];
        while let Ok(read) = from.read(&mut buffer).await {
            if *is_cut.borrow() {
                // What was under way is lost, so this connection never recovers.
                is_cut.wait_for(|_| false).await.unwrap_err();
            }
            if read == 0 || to.write_all(&buffer[..read]).await.is_err() {
                break;
            }
        }
    }
}

/// A peer with libp2p in its hands: it is admitted, and does what it likes.
struct Rogue {
    swarm: Swarm<Behaviour>,
    news: VecDeque<Happening>,
    connections: Vec<ConnectionId>,
    closed: bool,
    victim: libp2p::PeerId,
}

impl Rogue {
    /// Connects to a node that admits it.
    async fn meet(victim: &mut Node) -> Self {
        let mut rogue = Self::approach(victim, name::streams(&CHAIN)).await;
        rogue.accept(Channel::Votes).await;
        victim.expect(Inbound::Connected(peer(9))).await;
        rogue
    }

    /// The same, speaking whatever it likes; the node may not want to know it then.
    async fn approach(victim: &Node, names: name::Names) -> Self {
        let keys = Keypair::ed25519_from_bytes(secret(9)).unwrap();
        let limits = limits();
        let behaviour = Behaviour::new(&limits, keys.public(), names);
        let transport =
            transport::build(&keys, &Limits { streams_per_connection: 1000, ..limits }).unwrap();
        let running = swarm::Config::with_tokio_executor();
        let mut swarm = Swarm::new(transport, behaviour, keys.public().to_peer_id(), running);
        let id = name::id(victim.peer).unwrap();
        swarm.behaviour_mut().allowed.allow_peer(id);
        victim.network.admit(vec![Neighbour { peer: peer(9), addresses: vec![] }]);
        // An order takes effect a moment later.
        sleep(Duration::from_millis(50)).await;
        let mut rogue = Self {
            swarm,
            news: VecDeque::new(),
            connections: Vec::new(),
            closed: false,
            victim: id,
        };
        rogue.dial(victim.address);
        rogue
    }

    fn dial(&mut self, address: SocketAddr) {
        let address = name::dial_address(address);
        let options = DialOpts::peer_id(self.victim).addresses(vec![address]);
        self.swarm.dial(options.condition(PeerCondition::Always).build()).unwrap();
    }

    async fn step(&mut self) {
        let event =
            timeout(PATIENCE, self.swarm.select_next_some()).await.expect("something happens");
        if let SwarmEvent::Behaviour(BehaviourEvent::Streams(happening)) = event {
            self.news.push_back(happening);
        } else if let SwarmEvent::ConnectionEstablished { connection_id, .. } = event {
            self.connections.push(connection_id);
        } else if let SwarmEvent::ConnectionClosed { .. } = event {
            self.closed = true;
        }
    }

    async fn wait(&mut self, wanted: impl Fn(&Happening) -> bool) -> Happening {
        loop {
            if let Some(place) = self.news.iter().position(&wanted) {
                return self.news.remove(place).unwrap();
            }
            self.step().await;
        }
    }

    /// The stream on which the victim speaks to us.
    async fn accept(&mut self, channel: Channel) -> Stream {
        let wanted = |happening: &Happening| {
            happening.channel == channel && matches!(happening.what, What::Accepted(_))
        };
        let What::Accepted(stream) = self.wait(wanted).await.what else { unreachable!() };
        stream
    }

    fn ask(&mut self, channel: Channel) {
        let newest = *self.connections.last().expect("we have met");
        self.swarm.behaviour_mut().streams.open(self.victim, newest, channel);
    }

    /// A stream on which we speak to the victim, on the newest connection.
    async fn open(&mut self, channel: Channel) -> Stream {
        self.ask(channel);
        let wanted = |happening: &Happening| {
            happening.channel == channel && matches!(happening.what, What::Opened(_))
        };
        let What::Opened(stream) = self.wait(wanted).await.what else { unreachable!() };
        stream
    }

    async fn is_cut_off(&mut self) {
        while !self.closed {
            self.step().await;
        }
    }
}

/// What an admitted peer does on a stream of `channel`, and the offence that follows.
async fn check_offence(channel: Channel, bytes: &[u8]) {
    let mut victim = Node::alone(1);
    let mut rogue = Rogue::meet(&mut victim).await;
    let mut stream = rogue.open(channel).await;
    stream.write_all(bytes).await.unwrap();
    stream.flush().await.unwrap();
    rogue.is_cut_off().await;
    victim.expect(Inbound::Lost(peer(9))).await;
    assert_eq!(victim.network.counters().offences, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_that_no_channel_allows_is_an_offence() {
    check_offence(Channel::Votes, &[0xff; 4]).await;
    check_offence(Channel::Votes, &65_537_u32.to_le_bytes()).await;
    check_offence(Channel::Proposals, &((4_u32 << 20) + 1).to_le_bytes()).await;
    check_offence(Channel::Transactions, b"\x01\0\0\0x\xff\xff\xff\x7f").await;
    check_offence(Channel::Sync, &[0; 4]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn speaking_on_our_stream_is_an_offence() {
    let mut victim = Node::alone(1);
    let mut rogue = Rogue::meet(&mut victim).await;
    let mut stream = rogue.accept(Channel::Sync).await;
    stream.write_all(b"\x01\0\0\0x").await.unwrap();
    stream.flush().await.unwrap();
    rogue.is_cut_off().await;
    victim.expect(Inbound::Lost(peer(9))).await;
    assert_eq!(victim.network.counters().offences, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opening_streams_without_end_ends_the_connection() {
    let mut victim = Node::alone(1);
    let mut rogue = Rogue::meet(&mut victim).await;
    let _first = rogue.open(Channel::Votes).await;
    for _ in 0..100 {
        rogue.ask(Channel::Votes);
    }
    rogue.is_cut_off().await;
    victim.expect(Inbound::Lost(peer(9))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_stream_replaces_the_older() {
    let mut victim = Node::alone(1);
    let mut rogue = Rogue::meet(&mut victim).await;
    let mut older = rogue.open(Channel::Votes).await;
    older.write_all(b"\x05\0\0\0older").await.unwrap();
    older.flush().await.unwrap();
    assert_eq!(victim.message().await.1, b"older");
    let mut newer = rogue.open(Channel::Votes).await;
    newer.write_all(b"\x05\0\0\0newer").await.unwrap();
    newer.flush().await.unwrap();
    tokio::select! {
        message = victim.message() => assert_eq!(message.1, b"newer"),
        () = async { loop { rogue.step().await } } => {}
    }
    let mut nothing = [0];
    let ended = timeout(PATIENCE, older.read(&mut nothing)).await.unwrap();
    assert!(!matches!(ended, Ok(1..)), "{ended:?}");
    assert_eq!(victim.network.counters().offences, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_does_not_read_is_disconnected_and_costs_a_queue() {
    let hurried = Limits { write_deadline: Duration::from_millis(500), ..limits() };
    let mut victim = Node::start(1, at("127.0.0.1:0"), CHAIN, vec![], hurried);
    let mut rogue = Rogue::meet(&mut victim).await;
    let _unread = rogue.accept(Channel::Transactions).await;
    let transaction: Arc<[u8]> = vec![7; 64 << 10].into();
    let before = Instant::now();
    for _ in 0..500 {
        victim.network.send(To::Everyone, Channel::Transactions, Arc::clone(&transaction));
    }
    assert!(before.elapsed() < Duration::from_secs(1), "sending waited");
    assert!(victim.network.counters().traffic.transactions.dropped >= 300);
    tokio::select! {
        () = victim.expect(Inbound::Lost(peer(9))) => {}
        () = async { loop { rogue.step().await } } => {}
    }
    assert_eq!(victim.network.counters().stalled, 1);
    rogue.is_cut_off().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unfinished_handshakes_leave_room_for_peers() {
    let mut a = Node::alone(1);
    // Nobody we know has this address yet.
    let mut idle = Vec::new();
    for _ in 0..100 {
        idle.push(TcpStream::connect(a.address).await.unwrap());
    }
    a.until("crowded", |counters| counters.crowded >= 90).await;
    let before = Instant::now();
    let nowhere = Neighbour { peer: peer(2), addresses: vec![at("127.0.0.1:1")] };
    a.network.admit(vec![nowhere]);
    let mut b = Node::start(2, at("127.0.0.1:0"), CHAIN, vec![a.neighbour()], limits());
    a.expect(Inbound::Connected(b.peer)).await;
    b.expect(Inbound::Connected(a.peer)).await;
    // The idle ones are still waiting for their handshake to be given up.
    assert!(before.elapsed() < Duration::from_secs(3), "{:?}", before.elapsed());
    drop(idle);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_move_to_the_connection_that_is_left() {
    let mut victim = Node::alone(1);
    let mut rogue = Rogue::meet(&mut victim).await;
    rogue.dial(victim.address);
    while rogue.connections.len() < 2 {
        rogue.step().await;
    }
    // The victim has noticed the second connection when it has heard something on it.
    let mut spoken = rogue.open(Channel::Votes).await;
    spoken.write_all(b"\x01\0\0\0x").await.unwrap();
    spoken.flush().await.unwrap();
    assert_eq!(victim.message().await.1, b"x");
    let first = rogue.connections[0];
    rogue.swarm.close_connection(first);
    rogue.is_cut_off().await;
    let moved = |happening: &Happening| {
        happening.channel == Channel::Votes && happening.connection != first
    };
    let What::Accepted(mut stream) = rogue.wait(moved).await.what else { unreachable!() };
    victim.network.send(To::Everyone, Channel::Votes, b"vote"[..].into());
    let mut frame = [0; 8];
    tokio::select! {
        read = stream.read_exact(&mut frame) => read.unwrap(),
        () = async { loop { rogue.step().await } } => {}
    }
    assert_eq!(&frame, b"\x04\0\0\0vote");
    victim.hears_nothing_for(Duration::from_millis(100)).await;
}
