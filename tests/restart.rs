//! What becomes of a network whose validators are started twice, paused, starved, or bereft of their ledgers: shown with
//! real processes.

#![cfg(test)]

use client::Wait;
use std::{
    fs,
    net::SocketAddr,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tests::{
    Load, Network,
    faults::{
        EVERYONE, Node, accused, all_is_well, copy, eventually, home, not_ready, number, path,
        ready, twin,
    },
    licence, lots,
    program::minlian_node,
    say,
};
use tokio::{
    io::AsyncReadExt as _,
    net::TcpStream,
    task::JoinSet,
    time::{Instant, sleep},
};
use types::Height;

/// What of `/proc/PID/status` is a size, bytes.
fn memory(pid: u32, what: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':'));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).unwrap_or("0");
    kib.trim().parse::<u64>().unwrap() << 10
}

/// How many files a process has open.
fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// How long a process has computed.
fn computed(pid: u32) -> Duration {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // Behind the name, which may hold anything: state, …, and as the 12th and 13th of them the time in user and system mode.
    let (_, behind) = text.rsplit_once(") ").unwrap();
    let words: Vec<_> = behind.split(' ').collect();
    let ticks: u64 = words[11..13].iter().map(|word| word.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

/// Waits until it is known that one key is used by two processes: one of them has ended for safety, or others have proof.
async fn found_out(network: &Network, seat: u16, twins: &mut [&mut Node]) -> String {
    eventually("somebody notices that one key is used twice", async || {
        for (n, node) in twins.iter_mut().enumerate() {
            if let Some(code) = node.ended() {
                assert_eq!(code, 5, "{}", node.log());
                return Some(format!("process {} of {} stopped", n + 1, 2));
            }
        }
        for other in EVERYONE.into_iter().filter(|other| other - 1 != seat) {
            let accused = accused(network, other).await;
            if !accused.is_empty() {
                assert!(accused.iter().all(|accused| *accused == seat), "{accused:?}");
                return Some(format!("v{other} has proof"));
            }
        }
        None
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_with_one_key_that_start_at_once_are_found_out_and_fork_nothing() {
    let network = Network::up();
    for turn in 0..number("MINLIAN_TWINS", 3) {
        network.testnet(&["kill", "v2"]);
        let copy = twin(&network, 2);
        let load = Load::start(&network, 4).await;
        let above = network.node_status(1).await.height;
        let (mut one, mut other) =
            (Node::start(&network, 2, ""), Node::of(&copy, network.scratch(), "", &[]));
        let how = found_out(&network, 1, &mut [&mut one, &mut other]).await;
        // Whatever they say, the others decide one thing at each height.
        network.agreed(&[1, 3, 4], Height(above.0 + 5)).await;
        say(&format!("turn {turn}: {how}"));
        drop((one, other));
        assert!(!load.stop().await.is_empty());
        fs::remove_dir_all(&copy).unwrap();
        // The operator does what the log says, and it is a validator again.
        minlian_node(&["recover", "--home", path(&home(&network, 2))]).expect(0);
        network.testnet(&["start", "v2"]);
        let height = network.node_status(1).await.height;
        network.votes_again(2, height).await;
        network.agreed(&EVERYONE, height).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_twin_that_does_not_listen_is_found_out_all_the_same() {
    let network = Network::up();
    network.testnet(&["kill", "v2"]);
    let copy = twin(&network, 2);
    let mut one = Node::start(&network, 2, "");
    let height = network.node_status(1).await.height;
    network.votes_again(2, Height(height.0 + 3)).await;
    let load = Load::start(&network, 4).await;
    let mut other = Node::of(&copy, network.scratch(), "", &["--no-listen"]);
    let above = network.node_status(1).await.height;
    let how = found_out(&network, 1, &mut [&mut one, &mut other]).await;
    network.agreed(&[1, 3, 4], Height(above.0 + 5)).await;
    assert!(!load.stop().await.is_empty());
    say(&how);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_on_one_directory_are_one_too_many() {
    let network = Network::up();
    let mut second = Node::start(&network, 2, "");
    assert_eq!(second.end().await, Some(5), "{}", second.log());
    assert!(second.log().contains("two nodes with one directory would sign twice"));
    // Nor may anything else write there meanwhile.
    for verb in ["fsck", "recover"] {
        let ran = minlian_node(&[verb, "--home", path(&home(&network, 2))]).expect(5);
        assert!(ran.stderr.contains("another process uses"), "{ran:?}");
    }
    all_is_well(&network, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_of_all_ledgers_lost_begin_nothing_anew_and_recover_from_the_others() {
    let network = Network::up();
    let receipt = network.commit(1, vec![licence("before the ledgers were lost")]).await;
    let before = network.agreed(&EVERYONE, Height(5)).await.header;
    let lost = [1, 2].map(|n| (n, home(&network, n)));
    for (n, home) in &lost {
        network.testnet(&["kill", &format!("v{n}")]);
        fs::remove_dir_all(home.join("data")).unwrap();
    }
    let height = network.node_status(3).await.height;
    assert!(network.node_status(4).await.height.0 <= height.0 + 1);
    // What the README says: one after the other, each beside those that have something.
    for (n, home) in &lost {
        let ran = minlian_node(&["recover", "--home", path(home)]).expect(0);
        assert!(ran.stdout.contains("recovered: every block was fetched"), "v{n}: {ran:?}");
    }
    assert!(network.node_status(3).await.height.0 <= height.0 + 1, "recovery votes never");
    for (n, _) in &lost {
        network.testnet(&["start", &format!("v{n}")]);
    }
    for (n, _) in &lost {
        all_is_well(&network, *n).await;
        let found = network.client(*n).transaction(&receipt.tx).await.unwrap();
        assert_eq!(found.as_ref(), Some(&receipt));
        let block = network.client(*n).block(before.height).await.unwrap().unwrap();
        assert_eq!(block.header, before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_ledgers_lost_begin_nothing_anew_and_go_on_from_a_backup() {
    let network = Network::up();
    let receipt = network.commit(1, vec![licence("before all ledgers were lost")]).await;
    let before = network.agreed(&EVERYONE, Height(5)).await.header;
    network.kill_all();
    // The last of them that stood: a backup taken while the validator was stopped.
    let backup = network.scratch().join("backup");
    copy(&home(&network, 1).join("data"), &backup);
    for n in EVERYONE {
        fs::remove_dir_all(home(&network, n).join("data")).unwrap();
    }
    // They are started all the same, by whoever supervises them, and begin no second chain.
    let nodes = EVERYONE.map(|n| Node::start(&network, n, ""));
    for (n, node) in EVERYONE.into_iter().zip(&nodes) {
        not_ready(&network, n, "a network is never begun anew by itself").await;
        assert!(node.log().contains("put a backup of one in its place"), "{}", node.log());
    }
    sleep(Duration::from_secs(5)).await;
    for n in EVERYONE {
        assert_eq!(network.node_status(n).await.height, Height::GENESIS, "v{n}");
        assert!(accused(&network, n).await.is_empty());
    }
    drop(nodes);
    // What the README says.
    fs::remove_dir_all(home(&network, 1).join("data")).unwrap();
    copy(&backup, &home(&network, 1).join("data"));
    let first = Node::start(&network, 1, "");
    for n in [2, 3, 4] {
        minlian_node(&["recover", "--home", path(&home(&network, n))]).expect(0);
    }
    let _others = [2, 3, 4].map(|n| Node::start(&network, n, ""));
    for n in EVERYONE {
        all_is_well(&network, n).await;
        let found = network.client(n).transaction(&receipt.tx).await.unwrap();
        assert_eq!(found.as_ref(), Some(&receipt));
        let block = network.client(n).block(before.height).await.unwrap().unwrap();
        assert_eq!(block.header, before);
    }
    drop(first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_validator_holds_up_nobody_and_comes_back_without_a_restart() {
    let network = Network::up();
    let pause = Duration::from_secs(number("MINLIAN_PAUSE_S", 10));
    let load = Load::start(&network, 3).await;
    let pid = network.pid(4).unwrap();
    let height = network.node_status(1).await.height;
    network.testnet(&["pause", "v4"]);
    let paused = Instant::now();
    // The length of the pause is what is tested, not a wait for something else.
    sleep(pause).await;
    let meanwhile = network.agreed(&[1, 2, 3], height).await.header.height.0 - height.0;
    // A round in four waits for v4's proposal.
    assert!(meanwhile >= pause.as_secs() / 2, "only {meanwhile} blocks in {:?}", paused.elapsed());
    network.testnet(&["resume", "v4"]);
    let resumed = Instant::now();
    let height = network.node_status(1).await.height;
    network.votes_again(4, height).await;
    say(&format!("{meanwhile} blocks during {pause:?}; votes again {:?} later", resumed.elapsed()));
    assert!(!load.stop().await.is_empty());
    assert_eq!(network.pid(4), Some(pid), "without a restart");
    all_is_well(&network, 4).await;
    ready(&network, 4).await;
}

/// Applications that submit as much as they can, more than a validator may keep, with nobody to decide on it.
struct Flood {
    workers: JoinSet<()>,
    accepted: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
}

impl Flood {
    async fn start(network: &Network, validator: u16) -> Self {
        let (accepted, refused) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let deadline = network.node_status(validator).await.valid_until_max;
        let mut workers = JoinSet::new();
        for application in 0..16 {
            let (client, signer) = (network.client(validator), network.signer("issuer"));
            let (chain, accepted, refused) = (network.chain(), accepted.clone(), refused.clone());
            workers.spawn(async move {
                for turn in 0.. {
                    let lot =
                        |n| format!("urn:epc:id:sgtin:9521001.010017.F{application}-{turn}-{n}");
                    let operations = (0..900).map(|n| lots(&lot(n), &lot(n + 900))).collect();
                    let tx = signer.sign(chain, deadline, operations).unwrap();
                    match client.submit(&tx, Wait::Accepted).await {
                        Ok(_) => accepted.fetch_add(1, Ordering::Relaxed),
                        Err(_) => refused.fetch_add(1, Ordering::Relaxed),
                    };
                }
            });
        }
        Self { workers, accepted, refused }
    }

    fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

/// What a validator may take of memory, whatever is submitted to it.
const RESIDENT_BYTES_MAX: u64 = 512 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_submissions_fills_a_bounded_queue_and_a_kill_for_memory_loses_nothing() {
    let network = Network::up();
    let receipt = network.commit(1, vec![licence("before the flood")]).await;
    network.testnet(&["kill", "v1"]);
    let mut node = Node::start(&network, 1, "");
    all_is_well(&network, 1).await;
    // Nothing can be decided, so what is accepted waits: the queue is filled to its end.
    network.testnet(&["pause", "v3"]);
    network.testnet(&["pause", "v4"]);
    let mut flood = Flood::start(&network, 1).await;
    eventually("the queue is full", async || (flood.refused() > 100).then_some(())).await;
    sleep(Duration::from_secs(5)).await;
    let peak = memory(node.pid(), "VmHWM");
    let (accepted, refused) = (flood.accepted.load(Ordering::Relaxed), flood.refused());
    let waiting = network.node_status(1).await.pending;
    say(&format!(
        "{accepted} transactions of 900 operations accepted, {refused} refused, {waiting} wait; at most {} MiB resident",
        peak >> 20
    ));
    assert!(peak <= RESIDENT_BYTES_MAX, "{} MiB resident", peak >> 20);
    assert!(node.is_running(), "{}", node.log());
    // The system takes the memory away: whatever it asks for from now on is refused, as by a limit that is too small.
    let data = memory(node.pid(), "VmData");
    let limit = format!("--data={}", data / 2);
    let limited =
        Command::new("prlimit").args(["--pid", &node.pid().to_string(), &limit]).status().unwrap();
    assert!(limited.success());
    // What is refused at the quota needs little of it, so the node may live on within what it has: then the system kills it.
    for _ in 0..100 {
        if !node.is_running() {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    if node.is_running() {
        let killed = Command::new("kill").args(["-9", &node.pid().to_string()]).status().unwrap();
        assert!(killed.success());
    }
    let code = node.end().await;
    say(&format!("without memory it ended with {code:?}"));
    flood.workers.shutdown().await;
    drop(node);
    // What the system itself does is a SIGKILL, which is what every other test here does.
    network.testnet(&["resume", "v3"]);
    network.testnet(&["resume", "v4"]);
    network.testnet(&["start", "v1"]);
    all_is_well(&network, 1).await;
    let found = network.client(1).transaction(&receipt.tx).await.unwrap();
    assert_eq!(found.as_ref(), Some(&receipt));
}

/// So many connections that say nothing, stay, and come again when they are closed; gone when this is.
fn besiege(to: &[SocketAddr], connections: usize) -> JoinSet<()> {
    let mut siege = JoinSet::new();
    for address in to.iter().copied().cycle().take(connections) {
        siege.spawn(async move {
            loop {
                if let Ok(mut line) = TcpStream::connect(address).await {
                    let mut buffer = [0; 64];
                    while let Ok(1..) = line.read(&mut buffer).await {}
                }
                sleep(Duration::from_millis(250)).await;
            }
        });
    }
    siege
}

#[tokio::test(flavor = "multi_thread")]
async fn with_few_descriptors_it_warns_turns_away_and_goes_on() {
    let network = Network::up();
    network.testnet(&["kill", "v3"]);
    let limit = number("MINLIAN_DESCRIPTORS", 64);
    let mut node = Node::within(&network, 3, &["prlimit", &format!("--nofile={limit}")]);
    all_is_well(&network, 3).await;
    assert!(node.log().contains("few files may be open at once"), "{}", node.log());
    let pid = node.pid();
    let calm = descriptors(pid);
    let api = network.url(3).strip_prefix("http://").unwrap().parse().unwrap();
    let siege = besiege(&[network.listens(3), api], 400);
    eventually("the siege is felt", async || (descriptors(pid) > calm + 8).then_some(())).await;
    let (computed_before, since) = (computed(pid), Instant::now());
    let height = network.node_status(1).await.height;
    let (mut most, mut load) = (0, Some(Load::start(&network, 2).await));
    while since.elapsed() < Duration::from_secs(10) {
        most = most.max(descriptors(pid));
        sleep(Duration::from_millis(20)).await;
    }
    let (busy, took) = (computed(pid) - computed_before, since.elapsed());
    assert!(node.is_running(), "{}", node.log());
    // Its lines to the others stood before the siege, and stand.
    network.votes_again(3, height).await;
    assert!(!load.take().unwrap().stop().await.is_empty());
    say(&format!(
        "{limit} descriptors: {calm} in use when calm, at most {most} besieged; {busy:?} of computing in {took:?}"
    ));
    // Some are kept for its files: it turns away before there are none.
    assert!(most < usize::try_from(limit).unwrap(), "{most} of {limit} descriptors");
    assert!(!node.log().contains("Too many open files"), "{}", node.log());
    assert!(busy * 2 < took, "it computes {busy:?} in {took:?}: a loop that does not wait");
    drop(siege);
    // Unfinished handshakes and headers are given ten seconds.
    eventually("the descriptors are given back", async || {
        (descriptors(pid) <= calm + 8).then_some(())
    })
    .await;
    all_is_well(&network, 3).await;
    ready(&network, 3).await;
    let receipt = network.commit(3, vec![licence("after the siege")]).await;
    assert!(receipt.height.is_some());
    assert!(node.is_running(), "{}", node.log());
}
