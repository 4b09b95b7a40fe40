//! Four validators whose lines are cut, slowed and spoiled: the lesser part never commits, and what is mended goes on.

#![cfg(test)]

use client::api::NodeStatus;
use nix::sys::signal::{Signal, kill};
use std::{collections::BTreeSet, time::Duration};
use tests::{
    Condition, Lines, Links, Load, Namespaces, Network, Pairs, both, everyone, isolated, say,
};
use tokio::time::{Instant, sleep};
use types::Height;

const EVERYONE: [u16; 4] = [1, 2, 3, 4];
/// How long anything may take on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);
/// What was under way when a line was cut may still arrive.
const SETTLE: Duration = Duration::from_secs(2);
/// How long a part without a quorum is watched.
const WATCH: Duration = Duration::from_secs(8);
/// How long after the lines are mended the next block may take.
const HEAL: Duration = Duration::from_secs(5);

async fn status(lines: &impl Lines, validator: u16) -> NodeStatus {
    let client = lines.client(validator);
    let deadline = Instant::now() + PATIENCE;
    loop {
        match client.status().await {
            Ok(status) => return status,
            Err(error) => assert!(Instant::now() < deadline, "v{validator}: {error}"),
        }
        sleep(Duration::from_millis(20)).await;
    }
}

async fn height(lines: &impl Lines, validator: u16) -> Height {
    status(lines, validator).await.height
}

async fn heights(lines: &impl Lines, validators: &[u16]) -> Vec<Height> {
    let mut heights = Vec::new();
    for validator in validators {
        heights.push(height(lines, *validator).await);
    }
    heights
}

/// Waits until all of these have a block at or above a height.
async fn reach(lines: &impl Lines, what: &str, validators: &[u16], wanted: Height) {
    let deadline = Instant::now() + PATIENCE;
    for validator in validators {
        while height(lines, *validator).await < wanted {
            if Instant::now() > deadline {
                let found = heights(lines, &EVERYONE).await;
                panic!("{what}: v{validator} has no block {wanted}; {found:?}\n{}", lines.logs());
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// All four have the same block at the lowest of their heights.
async fn agree(lines: &impl Lines) {
    let lowest = heights(lines, &EVERYONE).await.into_iter().min().unwrap();
    let mut blocks = BTreeSet::new();
    for validator in EVERYONE {
        blocks.insert(lines.client(validator).block(lowest).await.unwrap().unwrap().header.id());
    }
    assert_eq!(blocks.len(), 1, "two blocks at height {lowest}");
}

/// Cuts, watches who goes on and who must not, mends, and measures until the next block.
async fn check(lines: &impl Lines, what: &str, cut: &Pairs, go_on: &[u16], stand: &[u16]) {
    lines.cut(cut);
    sleep(SETTLE).await;
    let (before, watched) = (heights(lines, stand).await, Instant::now());
    if let Some(first) = go_on.first() {
        let from = height(lines, *first).await;
        reach(lines, what, go_on, Height(from.0 + 3)).await;
    }
    sleep(WATCH.saturating_sub(watched.elapsed())).await;
    assert_eq!(heights(lines, stand).await, before, "{what}: a part without a quorum committed");
    let highest = heights(lines, &EVERYONE).await.into_iter().max().unwrap();

    let mended = Instant::now();
    lines.cut(&Pairs::new());
    reach(lines, what, &[1], highest.next()).await;
    let first = mended.elapsed();
    reach(lines, what, &EVERYONE, highest.next()).await;
    say(&format!(
        "{}, {what}: next block {} ms after the lines were mended, on all four after {} ms",
        lines.name(),
        first.as_millis(),
        mended.elapsed().as_millis()
    ));
    assert!(first <= HEAL, "{what}: {first:?}\n{}", lines.logs());
    agree(lines).await;
}

async fn rows(lines: &impl Lines) {
    check(lines, "2/2", &both(&[1, 2], &[3, 4]), &[], &EVERYONE).await;
    check(lines, "1/3", &both(&[1], &[2, 3, 4]), &[2, 3, 4], &[1]).await;
    check(lines, "3/1", &both(&[1, 2, 3], &[4]), &[1, 2, 3], &[4]).await;
    check(lines, "1/1/1/1", &all_but(&[]), &[], &EVERYONE).await;
    check(lines, "nobody hears v2", &everyone(&[2], &[1, 3, 4]), &[1, 3, 4], &[]).await;
    check(lines, "v3 hears nobody", &everyone(&[1, 2, 4], &[3]), &[1, 2, 4], &[3]).await;
    check(
        lines,
        "a half that is heard and does not hear",
        &everyone(&[1, 2], &[3, 4]),
        &[],
        &[3, 4],
    )
    .await;
    // v3 is the bridge: the first three are a quorum, and v4 learns of their blocks through v3 alone.
    check(lines, "v4 behind a bridge", &both(&[1, 2], &[4]), &EVERYONE, &[]).await;

    let halves = both(&[1, 2], &[3, 4]);
    let before = height(lines, 1).await;
    for _ in 0..4 {
        lines.cut(&halves);
        sleep(Duration::from_secs(2)).await;
        lines.cut(&Pairs::new());
        sleep(Duration::from_secs(2)).await;
    }
    let during = height(lines, 1).await;
    say(&format!("{}, flapping every 2 s for 16 s: {} blocks", lines.name(), during.0 - before.0));
    assert!(during > before, "not one block in eight seconds of being whole");
    check(lines, "2/2 after flapping", &halves, &[], &EVERYONE).await;
}

/// Every direction but those between members of one group.
fn all_but(groups: &[&[u16]]) -> Pairs {
    let together =
        |from, to| groups.iter().any(|group| group.contains(&from) && group.contains(&to));
    let all = everyone(&EVERYONE, &EVERYONE).into_iter();
    all.filter(|(from, to)| from != to && !together(*from, *to)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_without_a_quorum_never_commits_and_a_mended_network_goes_on() {
    rows(&Network::linked().await).await;
}

/// The same rows with the kernel's own routes. Where a user may not make namespaces, this says so and fails.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_in_network_namespaces() {
    match isolated("the_same_in_network_namespaces") {
        None => rows(&Namespaces::up().await).await,
        Some(there_are) => assert!(
            there_are,
            "this machine lets us make no network namespaces (unshare, ip netns); the same rows ran over proxies, but \
             nothing was shown about the kernel's own network"
        ),
    }
}

/// What a slow network carries: blocks, transactions and records in a while, over lines in one condition.
async fn carries(network: &(Network, Links), what: &str, condition: Condition, while_: Duration) {
    let (net, links) = network;
    links.set_all(condition);
    let load = Load::start(net, 8).await;
    sleep(Duration::from_secs(3)).await;
    let (before, bytes, started) = (status(network, 1).await, links.bytes(), Instant::now());
    sleep(while_).await;
    let (after, ms) = (status(network, 1).await, started.elapsed().as_millis());
    let bytes = links.bytes() - bytes;
    let receipts = load.stop().await;
    let (blocks, records) = (after.height.0 - before.height.0, after.records - before.records);
    say(&format!(
        "{what}: {blocks} blocks, {records} records in {ms} ms ({} records/s), {} kbit/s on all 12 directions together",
        u128::from(records) * 1000 / ms,
        u128::from(bytes) * 8 / ms,
    ));
    assert!(
        blocks >= 3 && records >= 50,
        "{what}: {blocks} blocks, {records} records\n{}",
        net.logs()
    );
    assert!(!receipts.is_empty(), "{what}: nobody was told of a commit");
    links.set_all(Condition::default());
    let highest = height(network, 1).await;
    reach(network, what, &EVERYONE, highest.next()).await;
    agree(network).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_megabit_and_300_ms_with_losses_still_commits() {
    let network = Network::linked().await;
    let slow = Condition {
        delay: Duration::from_millis(150),
        bytes_per_second: 125_000,
        ..Condition::default()
    };
    let while_ = Duration::from_secs(20);
    carries(&network, "as it is", Condition::default(), Duration::from_secs(8)).await;
    carries(&network, "1 Mbit, 300 ms there and back", slow, while_).await;
    carries(&network, "the same, 5 % lost", Condition { lost_percent: 5, ..slow }, while_).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn spoiled_bytes_and_forgetful_routers_cost_a_reconnection() {
    let network = Network::linked().await;
    let pids = EVERYONE.map(|validator| network.0.pid(validator));
    for (from, to) in network.1.pairs().collect::<Vec<_>>() {
        network.1.spoil(from, to);
        sleep(Duration::from_millis(200)).await;
    }
    for _ in 0..5 {
        network.1.reset();
        sleep(Duration::from_millis(700)).await;
    }
    let before = height(&network, 1).await;
    reach(&network, "after resets", &EVERYONE, Height(before.0 + 3)).await;
    // Everybody sees everybody again, and nobody was shut out for what the line did.
    let deadline = Instant::now() + PATIENCE;
    for validator in EVERYONE {
        while status(&network, validator).await.validators.iter().any(|seat| !seat.reachable) {
            assert!(
                Instant::now() < deadline,
                "v{validator} does not reach all\n{}",
                network.logs()
            );
            sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(network.0.counted(validator, "minlian_peer_penalties").await, 0);
    }
    assert_eq!(EVERYONE.map(|validator| network.0.pid(validator)), pids, "somebody ended");
    agree(&network).await;
}

/// Nobody's line is cut, but half of the validators stand still: the same as a partition, seen from inside.
#[tokio::test(flavor = "multi_thread")]
async fn two_validators_that_stand_still_and_go_on() {
    let network = Network::linked().await;
    let pause = |signal| {
        for validator in [3, 4] {
            let pid = network.0.pid(validator).expect("it runs");
            kill(nix::unistd::Pid::from_raw(pid), signal).unwrap();
        }
    };
    pause(Signal::SIGSTOP);
    sleep(SETTLE).await;
    let before = heights(&network, &[1, 2]).await;
    sleep(WATCH).await;
    assert_eq!(heights(&network, &[1, 2]).await, before);
    pause(Signal::SIGCONT);
    let resumed = Instant::now();
    let wanted = before.into_iter().max().unwrap().next();
    reach(&network, "two of four go on", &EVERYONE, wanted).await;
    say(&format!(
        "two of four went on: next block on all after {} ms",
        resumed.elapsed().as_millis()
    ));
    agree(&network).await;
}
