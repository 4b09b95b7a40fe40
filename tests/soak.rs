//! What is left of a node after much was asked of it: answers as quick as before, room for those who do not flood, and no
//! more memory or files than in the first minutes. `MINLIAN_SOAK_SECONDS` makes it longer.

#![cfg(test)]

use client::{
    Client, ClientError, Patience, Wait,
    api::{Fate, Kind, Wanted},
};
use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tests::{
    Load, Network,
    faults::{eventually, number},
    licence, lots, say,
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use types::Height;

/// Applications that hand in as much as they can, and do not wait to be asked.
struct Flood {
    workers: JoinSet<()>,
    accepted: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
}

impl Flood {
    /// So many at one validator, with one key and so many operations at once.
    async fn start(network: &Network, key: &str, (workers, operations): (u16, u64)) -> Self {
        let (accepted, refused) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let deadline = network.node_status(1).await.valid_until_max;
        let mut set = JoinSet::new();
        for worker in 0..workers {
            let (client, signer, chain) = (network.client(1), network.signer(key), network.chain());
            let (accepted, refused, key) = (accepted.clone(), refused.clone(), key.to_owned());
            set.spawn(async move {
                for turn in 0.. {
                    let lot =
                        |n| format!("urn:epc:id:sgtin:9521001.010017.{key}-{worker}-{turn}-{n}");
                    let made = (0..operations).map(|n| lots(&lot(n), &lot(n + operations)));
                    let tx = signer.sign(chain, deadline, made.collect()).unwrap();
                    match client.submit(&tx, Wait::Accepted).await {
                        Ok(_) => accepted.fetch_add(1, Relaxed),
                        Err(_) => refused.fetch_add(1, Relaxed),
                    };
                }
            });
        }
        Self { workers: set, accepted, refused }
    }

    fn counts(&self) -> (u64, u64) {
        (self.accepted.load(Relaxed), self.refused.load(Relaxed))
    }
}

/// two keys flood a node on which nothing can be decided; a third is let in all the same, and its turn comes soon.
#[tokio::test(flavor = "multi_thread")]
async fn two_keys_that_flood_leave_room_and_turns_for_a_third() {
    const COUNT: u64 = 20;
    let network = Network::up();
    let deadline = network.node_status(1).await.valid_until_max;
    for paused in ["v3", "v4"] {
        network.testnet(&["pause", paused]);
    }
    let mut floods = [
        Flood::start(&network, "v2", (4, 900)).await,
        Flood::start(&network, "v3", (4, 900)).await,
    ];
    let full = async || floods.iter().all(|flood| flood.counts().1 > 50).then_some(());
    eventually("both are refused, over and over", full).await;
    let (client, signer) = (network.client(1), network.signer("issuer"));
    let mut ids = Vec::new();
    for n in 0..COUNT {
        let made = vec![licence(&format!("of the third {n}"))];
        let tx = signer.sign(network.chain(), deadline, made).unwrap();
        let receipt = client.submit(&tx, Wait::Accepted).await.expect("there is room for it");
        ids.push(receipt.tx);
    }
    let counts = floods.each_ref().map(Flood::counts);
    let before = network.node_status(1).await;
    for flood in &mut floods {
        flood.workers.shutdown().await;
    }
    for paused in ["v3", "v4"] {
        network.testnet(&["resume", paused]);
    }
    let mut last = Height(0);
    for id in &ids {
        let receipt = client.settled(id, &Patience::default()).await.unwrap().unwrap();
        assert_eq!(receipt.status, Fate::Committed, "{receipt:?}");
        last = last.max(receipt.height.unwrap());
    }
    let pending = network.node_status(1).await.pending;
    let blocks = last.0 - before.height.0;
    say(&format!(
        "(accepted, refused) of the floods {counts:?}, {} waited; {COUNT} of a third key were committed within {blocks} blocks, \
         when {pending} still waited",
        before.pending
    ));
    assert!(counts.iter().all(|(accepted, _)| *accepted > COUNT), "{counts:?}");
    // One in three of what is proposed is the third's: all of it is in long before the floods are.
    assert!(pending > 0 && blocks <= COUNT, "{blocks} blocks, {pending} wait");
}

/// How long each of so many transactions takes to be committed, one after the other; the 99th of a hundred.
async fn p99(network: &Network, name: &str, count: usize) -> Duration {
    let (client, signer) = (network.client(1), network.signer("issuer"));
    let mut took = Vec::new();
    for n in 0..count {
        let tx = network.sign(&signer, vec![licence(&format!("{name} {n}"))]).await;
        let started = Instant::now();
        let receipt = client.submit(&tx, Wait::Committed).await.unwrap();
        assert_eq!(receipt.status, Fate::Committed);
        took.push(started.elapsed());
    }
    took.sort();
    took[took.len() * 99 / 100 - 1]
}

/// what is offered beyond what can be decided waits or is refused, and afterwards the node answers as before.
#[tokio::test(flavor = "multi_thread")]
async fn after_more_than_it_can_decide_it_answers_as_before() {
    let seconds = number("MINLIAN_FLOOD_SECONDS", 15);
    let network = Network::up();
    p99(&network, "warm", 50).await;
    let before = p99(&network, "before", 200).await;
    let records = network.node_status(1).await.records;
    let mut flood = Flood::start(&network, "issuer", (32, 300)).await;
    sleep(Duration::from_secs(seconds)).await;
    flood.workers.shutdown().await;
    let (accepted, refused) = flood.counts();
    let drained = Instant::now();
    eventually("all that was accepted is decided", async || {
        (network.node_status(1).await.pending == 0).then_some(())
    })
    .await;
    let drained = drained.elapsed();
    let decided = network.node_status(1).await.records - records;
    let after = p99(&network, "after", 200).await;
    say(&format!(
        "p99 {before:?} before; {seconds} s of flood: {accepted} transactions of 300 operations accepted, {refused} refused, \
         {decided} records decided, the rest of them within {drained:?}; p99 {after:?} after"
    ));
    // Whoever was cut off while he waited for an answer does not know that his was accepted, too.
    assert!((accepted * 300..=(accepted + 32) * 300).contains(&decided), "{accepted}, {decided}");
    assert!(after <= 2 * before + Duration::from_millis(50), "{before:?} before, {after:?} after");
}

/// What a process has: resident memory in MiB, open files, threads.
fn has(pid: i32) -> [u64; 3] {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let figure = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap()
    };
    let files = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    [figure("VmRSS:") >> 10, u64::try_from(files).unwrap(), figure("Threads:")]
}

/// What people and systems ask, until it is over: lists, proofs, histories, and followers that come and go.
async fn readers(network: &Network, over: &Arc<AtomicBool>) -> JoinSet<u64> {
    let mut set = JoinSet::new();
    for reader in 0..4 {
        let (client, over) = (network.client(reader + 1), over.clone());
        set.spawn(async move {
            let mut asked = 0;
            while !over.load(Relaxed) {
                // A node that is busy says so, and is asked again.
                asked += u64::from(look(&client).await.is_ok());
                sleep(Duration::from_millis(20)).await;
            }
            asked
        });
    }
    set
}

async fn look(client: &Client) -> Result<(), ClientError> {
    let status = client.status().await?;
    let wanted = Wanted { kind: Some(Kind::Trace), limit: Some(20), ..Wanted::default() };
    let page = client.list(&wanted).await?;
    for row in page.records.iter().take(3) {
        client.record_proof(&row.record).await?;
        client.records(&row.operation.commitment.document).await?;
    }
    let from = Height(status.height.0.saturating_sub(3));
    let mut follower = client.follow_blocks(from);
    for _ in 0..3 {
        follower.next().await?;
    }
    Ok(())
}

/// under all of it at once, a validator soon has what it needs, and then no more of it.
#[tokio::test(flavor = "multi_thread")]
async fn under_load_for_long_it_has_no_more_than_after_a_while() {
    let seconds = number("MINLIAN_SOAK_SECONDS", 30);
    let network = Network::up();
    let over = Arc::<AtomicBool>::default();
    let load = Load::start(&network, 4).await;
    let readers = readers(&network, &over).await;
    let pids: Vec<i32> = (1..=4).map(|validator| network.pid(validator).unwrap()).collect();
    // The caches fill in the first third; then the middle is compared with the end.
    let third = Duration::from_secs(seconds) / 3;
    let mut seen: Vec<Vec<[u64; 3]>> = Vec::new();
    for part in 0..3 {
        let until = Instant::now() + third;
        let mut most = vec![[0; 3]; 4];
        while Instant::now() < until {
            for (most, pid) in most.iter_mut().zip(&pids) {
                let now = has(*pid);
                for (most, now) in most.iter_mut().zip(now) {
                    *most = now.max(*most);
                }
            }
            sleep(Duration::from_millis(500)).await;
        }
        let height = network.node_status(1).await;
        say(&format!(
            "part {}: at most {most:?} (MiB, files, threads) of each; block {}, {} records",
            part + 1,
            height.height,
            height.records
        ));
        seen.push(most);
    }
    over.store(true, Relaxed);
    let asked: u64 = readers.join_all().await.into_iter().sum();
    let receipts = load.stop().await;
    network.commit(2, vec![licence("at the end")]).await;
    say(&format!("{} transactions committed, {asked} rounds of reading", receipts.len()));
    assert!(asked > 0 && !receipts.is_empty());
    for (validator, (middle, end)) in seen[1].iter().zip(&seen[2]).enumerate() {
        let [memory, files, threads] = *middle;
        let bounds = [memory + memory / 4 + 48, files + 32, threads + 4];
        assert!(
            end.iter().zip(bounds).all(|(has, bound)| *has <= bound),
            "v{}: {middle:?} in the middle, {end:?} in the end",
            validator + 1
        );
    }
}
