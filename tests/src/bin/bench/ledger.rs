//! A long ledger: how soon a validator serves and votes again over it, and how soon another has it, from its neighbours and
//! from a snapshot.

use crate::{
    figures::{disk_bytes, micros, thousandths},
    net::{Net, Running, operation},
};
use anyhow::{Context as _, bail, ensure};
use client::{Client, Signer};
use ledger::{Memory, Rules, commit, propose, tip};
use node::{clock, home, testnet::Testnet};
use serde_json::{Value, json};
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use tests::certify;
use types::{Certified, Genesis, Height, SecretKey, Timestamp, codec};

/// Blocks that are written to disk together while the ledger is built.
const BATCH: u64 = 500;
/// Writes that are gathered at most.
const WRITES: usize = 100_000;
/// Every so many blocks of a long ledger, one carries a record.
const RECORD_EVERY: u64 = 4;
/// Transactions of a full block, and records of each: together the most that a development network lets in.
const FULL: (u64, u64) = (50, 100);
/// How long any one thing here may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// Builds it, starts four validators on copies of it, restarts one, and lets one fetch it.
pub(crate) async fn long(home: &Path, base_port: u16, blocks: u64) -> anyhow::Result<Value> {
    let (testnet, _) = Testnet::create(home, 4, base_port)?;
    let names: Vec<_> = testnet.names().map(str::to_owned).collect();
    let started = clock::instant();
    let sparse = |number: u64| (u64::from(number.is_multiple_of(RECORD_EVERY)), 1);
    let records = build(home, blocks, sparse)?;
    let built = micros(started.elapsed());
    let bytes = disk_bytes(&home.join("v1/data"));
    copy(home, &names[1..])?;
    println!(
        "\nledger        {blocks} certified blocks, {records} records, {} MiB; built in {} s",
        bytes >> 20,
        thousandths(built / 1000)
    );

    let running = Running::of(home)?;
    tell_keys(&running, &names, blocks)?;
    let clients = Net::clients(home).await?;
    let started = clock::instant();
    let starting = spawn(&running, &["up", "--detach"])?;
    let (serves, votes) = all_serve_and_vote(&clients, started, Height(blocks)).await?;
    ensure!(starting.wait_with_output()?.status.success(), "the four do not start");
    println!(
        "restart       all four at once: reads served by all after {} s, votes of all in certificates after {} s",
        thousandths(serves / 1000),
        thousandths(votes / 1000)
    );

    running.testnet(&["kill", &names[3]])?;
    let above = clients[0].status().await?.height;
    let started = clock::instant();
    let mut starting = spawn(&running, &["start", &names[3]])?;
    let one_serves = serves_after(&clients[3], started).await?;
    let one_votes = votes_after(&clients[0], 3, above, started).await?;
    ensure!(starting.wait()?.success(), "{} does not start", names[3]);
    println!(
        "              one of four: reads served after {} s, its vote in a certificate after {} s",
        thousandths(one_serves / 1000),
        thousandths(one_votes / 1000)
    );

    running.testnet(&["kill", &names[3]])?;
    fs::remove_dir_all(home.join(&names[3]).join("data"))?;
    let started = clock::instant();
    let mut starting = spawn(&running, &["start", &names[3]])?;
    serves_after(&clients[3], started).await?;
    let (mut fetched, mut took) = (0, 1);
    while fetched < blocks && started.elapsed() < PATIENCE {
        fetched = clients[3].status().await.map_or(fetched, |status| status.height.0);
        took = micros(started.elapsed());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let fetched = fetched.min(blocks);
    // It gives up after a minute; the validator does not.
    starting.kill().unwrap_or_default();
    starting.wait()?;
    let records_fetched = clients[3].status().await?.records.min(records);
    println!(
        "catch-up      {fetched} of {blocks} blocks in {} s from three neighbours, every one verified and executed: {} blocks/s, {} records/s",
        thousandths(took / 1000),
        fetched * 1_000_000 / took,
        records_fetched * 1_000_000 / took,
    );
    let snapshot = from_snapshot(home, &running, &clients, &names, took).await?;
    running.down()?;
    Ok(json!({
        "snapshot": snapshot,
        "blocks": blocks, "records": records, "bytes": bytes, "built_us": built,
        "four": { "serve_us": serves, "vote_us": votes }, "one": { "serves_us": one_serves, "votes_us": one_votes },
        "catch_up": {
            "blocks": fetched, "us": took, "blocks_per_second": fetched * 1_000_000 / took,
            "records_per_second": records_fetched * 1_000_000 / took,
        },
    }))
}

/// Writes one validator's ledger to a snapshot and gives it to another that has nothing: until it stands where the others
/// stand, and votes.
async fn from_snapshot(
    home: &Path,
    running: &Running,
    clients: &[Client],
    names: &[String],
    took_fresh: u64,
) -> anyhow::Result<Value> {
    let (file, giver, taker) = (home.join("snapshot"), &names[2], &names[3]);
    let run = |words: &[&str]| -> anyhow::Result<u64> {
        let started = clock::instant();
        let ran = Command::new(&running.command).args(words).stdin(Stdio::null()).output()?;
        let said = String::from_utf8_lossy(&ran.stderr);
        ensure!(ran.status.success(), "minlian-node {}: {said}", words.join(" "));
        Ok(micros(started.elapsed()))
    };
    let place = |path: &Path| path.display().to_string();
    running.testnet(&["kill", giver])?;
    let (out, from, to) = (place(&file), place(&home.join(giver)), place(&home.join(taker)));
    let create = run(&["snapshot", "create", "--home", &from, "--out", &out])?;
    let bytes = fs::metadata(&file)?.len();
    running.testnet(&["start", giver])?;
    votes_after(&clients[0], 2, clients[0].status().await?.height, clock::instant()).await?;

    running.testnet(&["kill", taker])?;
    fs::remove_dir_all(home.join(taker).join("data"))?;
    let began = clock::instant();
    let restore = run(&["snapshot", "restore", "--home", &to, &out])?;
    let above = clients[0].status().await?.height;
    let restarted = clock::instant();
    let mut starting = spawn(running, &["start", taker])?;
    serves_after(&clients[3], restarted).await?;
    while clients[3].status().await.map_or(Height(0), |status| status.height) < above {
        ensure!(restarted.elapsed() < PATIENCE, "{taker} does not catch up");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let tip = micros(began.elapsed());
    let votes = votes_after(&clients[0], 3, above, clock::instant()).await?;
    let votes = votes + tip;
    starting.kill().unwrap_or_default();
    starting.wait()?;
    println!(
        "snapshot      created in {} s, {} MiB; a validator with nothing: checked, executed and the rest fetched after {} s, at the tip \
         after {} s, votes again after {} s; without it, from its neighbours, {} s",
        thousandths(create / 1000),
        bytes >> 20,
        thousandths(restore / 1000),
        thousandths(tip / 1000),
        thousandths(votes / 1000),
        thousandths(took_fresh / 1000)
    );
    Ok(json!({
        "create_us": create, "bytes": bytes, "restore_us": restore, "to_tip_us": tip, "to_vote_us": votes,
        "fresh_us": took_fresh,
    }))
}

/// Lets one of four fetch full blocks from three that have them.
pub(crate) async fn full(home: &Path, base_port: u16, blocks: u64) -> anyhow::Result<Value> {
    let (testnet, _) = Testnet::create(home, 4, base_port)?;
    let names: Vec<_> = testnet.names().map(str::to_owned).collect();
    let started = clock::instant();
    let records = build(home, blocks, |_| FULL)?;
    println!(
        "\nfull blocks   {blocks} blocks of {} transactions of {} records, {} MiB; built in {} s",
        FULL.0,
        FULL.1,
        disk_bytes(&home.join("v1/data")) >> 20,
        thousandths(micros(started.elapsed()) / 1000)
    );
    copy(home, &names[1..3])?;
    let running = Running::of(home)?;
    tell_keys(&running, &names, blocks)?;
    let clients = Net::clients(home).await?;
    let starting = spawn(&running, &["up", "--detach"])?;
    let started = clock::instant();
    serves_after(&clients[3], started).await?;
    // Counted from its first answer, because what a start takes is another figure.
    let (before, from) = (clients[3].status().await?.records, clock::instant());
    let (mut after, mut took) = (before, 1);
    while after < records && started.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(5)).await;
        after = clients[3].status().await.map_or(after, |status| status.records);
        took = micros(from.elapsed());
    }
    ensure!(starting.wait_with_output()?.status.success(), "the four do not start");
    let fetched = after.min(records).saturating_sub(before);
    let rate = fetched * 1_000_000 / took.max(1);
    println!(
        "catch-up      {fetched} of {records} records in {} s from three neighbours, every one verified and executed: {rate} records/s",
        thousandths(took / 1000),
    );
    running.down()?;
    Ok(json!({
        "blocks": blocks, "records": records, "transactions_a_block": FULL.0, "records_a_transaction": FULL.1,
        "catch_up": { "records": fetched, "us": took, "records_per_second": rate },
    }))
}

/// Gives these validators the ledger of the first.
fn copy(home: &Path, names: &[String]) -> anyhow::Result<()> {
    for name in names {
        let copied = Command::new("cp")
            .arg("-r")
            .arg(home.join("v1/data"))
            .arg(home.join(name).join("data"))
            .status()?;
        ensure!(copied.success(), "cannot copy the ledger");
    }
    Ok(())
}

/// The blocks were signed here, with the validators' keys; whose record does not know that would take it for another's doing.
fn tell_keys(running: &Running, names: &[String], blocks: u64) -> anyhow::Result<()> {
    for name in names {
        let key = running.home.join(name).join("keys/consensus.json");
        let raised = Command::new(&running.command)
            .args(["key", "sign-state", "--voted-until", &blocks.to_string(), "--key"])
            .arg(&key)
            .stdout(Stdio::null())
            .status()?;
        ensure!(raised.success(), "cannot raise the record of {}", key.display());
    }
    Ok(())
}

/// Writes so many blocks to the first validator's ledger, certified by the first three, and says how many records. What a
/// block of this number carries is transactions, and operations of each.
fn build(home: &Path, blocks: u64, carries: impl Fn(u64) -> (u64, u64)) -> anyhow::Result<u64> {
    let genesis: Genesis = home::read_genesis(&home.join("genesis.toml"))?;
    let (rules, chain) = (Rules::new(&genesis), genesis.chain());
    let store = store::open(&home.join("v1/data"), &chain, end)?;
    let signer = Signer::open(&home.join("keys/issuer.json"))?;
    let mut secrets: Vec<(u16, SecretKey)> = Vec::new();
    for seat in 0..3 {
        let file = home.join(format!("v{}/keys/consensus.json", seat + 1));
        secrets.push((seat, home::read_key(&file, "consensus")?));
    }
    let (mut state, mut writes, mut records) = (Memory::default(), Vec::new(), 0);
    // All before now, so that the network's own blocks can follow.
    let start = Timestamp(clock::now().0.saturating_sub(10 * blocks + 60_000));
    for number in 1..=blocks {
        let tip = tip(&rules, &state);
        let (transactions, operations) = carries(number);
        let mut txs = Vec::new();
        for _ in 0..transactions {
            let serials = records..records + operations;
            records += operations;
            let tx = signer.sign(chain, Height(number + 1000), serials.map(operation).collect())?;
            txs.push(tx.verify(&chain)?);
        }
        let time = start.plus(10 * number);
        let proposer = u16::try_from(number % 4)?;
        let candidates = txs.iter().map(|tx| (tx, codec::length(tx.get())));
        let (block, outcome, refused) = propose(&rules, &state, &tip, time, proposer, candidates);
        ensure!(refused.is_empty(), "{refused:?}");
        ensure!(block.transactions.len() == txs.len(), "a block holds what it is to carry");
        let certificate = certify(&block.header, &chain, &secrets);
        let certified = Certified::verify(block, certificate, &chain, rules.committee())?;
        let commit = commit(certified, outcome);
        state.write(commit.writes());
        writes.extend_from_slice(commit.writes());
        if number.is_multiple_of(BATCH) || writes.len() > WRITES || number == blocks {
            store.write(&writes)?;
            writes.clear();
        }
    }
    store.flush()?;
    Ok(records)
}

/// Ends the run after a read that failed: there is nothing to measure on such a disk.
pub(crate) fn end(fault: &store::Fault) -> ! {
    eprintln!("error: {fault}");
    std::process::exit(i32::from(fault.exit_code()))
}

fn spawn(running: &Running, words: &[&str]) -> anyhow::Result<std::process::Child> {
    let mut command = Command::new(&running.command);
    command.arg("testnet").args(words).arg("--home").arg(&running.home);
    Ok(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?)
}

/// Microseconds until a validator answers.
async fn serves_after(client: &Client, started: Instant) -> anyhow::Result<u64> {
    while client.status().await.is_err() {
        if started.elapsed() > PATIENCE {
            bail!("{} does not answer", client.url());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(micros(started.elapsed()))
}

/// Microseconds until a seat's vote is in the certificate of a block above this height.
async fn votes_after(
    client: &Client,
    seat: u16,
    above: Height,
    started: Instant,
) -> anyhow::Result<u64> {
    loop {
        if let Ok(Some(block)) = client.latest_block().await
            && block.header.height > above
            && block.certificate.signatures.iter().any(|(signer, _)| *signer == seat)
        {
            return Ok(micros(started.elapsed()));
        }
        if started.elapsed() > PATIENCE {
            bail!("no vote of seat {seat} above {above}");
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn all_serve_and_vote(
    clients: &[Client],
    started: Instant,
    above: Height,
) -> anyhow::Result<(u64, u64)> {
    let (mut serves, mut votes) = (0, 0);
    for client in clients {
        serves = serves.max(serves_after(client, started).await?);
    }
    for seat in 0..4 {
        votes = votes.max(votes_after(&clients[0], seat, above, started).await?);
    }
    clients.first().context("there are four")?;
    Ok((serves, votes))
}
