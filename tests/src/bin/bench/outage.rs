//! Validators that die, and lines that are cut: how long until the next block.

use crate::{
    figures::{Spread, micros, thousandths},
    line::{Line, submitted},
    net::Net,
};
use anyhow::{Context as _, bail, ensure};
use client::{Client, Wait, api::BlockView};
use node::clock;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    process::{Command, Stdio},
    time::Duration,
};
use tests::{Lines as _, Network, Pairs, both};
use types::Height;

/// One validator gone without a word, under a small load, and back; `absence` is how long it is gone at most.
pub(crate) async fn kill(net: &Net, absence: Duration) -> anyhow::Result<Value> {
    let victim = net.names.len() - 1;
    let name = net.names[victim].clone();
    let txs = net.sign(400, 1).await?;
    let mut line = Line::to(net.first()).await?;
    for tx in &txs[..20] {
        submitted(&mut line, tx).await?;
    }
    let killed = clock::instant();
    net.running.testnet(&["kill", &name])?;
    submitted(&mut line, &txs[20]).await?;
    let first = micros(killed.elapsed());
    // Its turn to propose comes every fourth height; then the others wait for it in vain.
    let mut gaps = Vec::new();
    for tx in &txs[21..41] {
        if killed.elapsed() > absence {
            break;
        }
        let started = clock::instant();
        submitted(&mut line, tx).await?;
        gaps.push(micros(started.elapsed()));
    }
    let gaps = Spread::of(gaps);
    // Something to catch up with.
    for tx in &txs[41..] {
        if killed.elapsed() > absence {
            break;
        }
        submitted(&mut line, tx).await?;
    }
    let missed = net.first().status().await?.height.0;
    let started = clock::instant();
    let starting = {
        let (command, home, name) =
            (net.running.command.clone(), net.running.home.clone(), name.clone());
        tokio::task::spawn_blocking(move || {
            Command::new(command)
                .args(["testnet", "start", &name, "--home"])
                .arg(home)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .status()
        })
    };
    let back = loop {
        let height = net.clients[victim].status().await.map_or(0, |status| status.height.0);
        if height >= missed {
            break micros(started.elapsed());
        }
        if started.elapsed() > Duration::from_secs(60) {
            bail!("{name} does not catch up");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    ensure!(starting.await??.success(), "`minlian-node testnet start {name}` failed");
    println!(
        "\nkill          {name} killed (SIGKILL): next commit after {} s; then, one record at a time, p50 {} ms, highest {} ms",
        thousandths(first / 1000),
        thousandths(gaps.p50),
        thousandths(gaps.highest)
    );
    println!(
        "              started again: at the height of the others after {} s",
        thousandths(back / 1000)
    );
    Ok(
        json!({ "next_commit_us": first, "without_it_us": gaps.json(), "caught_up_us": back, "height": missed }),
    )
}

/// Whose turn it is to propose after this block, as the blocks before it show.
fn next_proposer(net: &Net, blocks: &[BlockView]) -> anyhow::Result<usize> {
    let seats = net.names.len() as u64;
    // Turns go round by height, and by round when one is missed.
    let shift = |block: &BlockView| {
        let turn = block.header.height.0 + u64::from(block.certificate.round.0);
        (u64::from(block.header.proposer) + seats - turn % seats) % seats
    };
    let last = blocks.last().context("there are blocks")?;
    let one = shift(last);
    ensure!(
        blocks.iter().all(|block| shift(block) == one),
        "proposers do not take turns as expected"
    );
    Ok(usize::try_from((last.header.height.next().0 + one) % seats)?)
}

/// The last blocks, of which the newest is one that was seen being committed just now.
async fn fresh_blocks(client: &Client) -> anyhow::Result<Vec<BlockView>> {
    let before = client.status().await?.height;
    let started = clock::instant();
    let height = loop {
        let height = client.status().await?.height;
        if height > before {
            break height;
        }
        ensure!(started.elapsed() < Duration::from_secs(60), "no block for a minute");
        tokio::time::sleep(Duration::from_millis(2)).await;
    };
    let mut blocks = Vec::new();
    for height in height.0.saturating_sub(3).max(1)..=height.0 {
        blocks.push(client.block(Height(height)).await?.context("a node has all blocks")?);
    }
    Ok(blocks)
}

/// The proposer of the next block killed without a word, again and again; and what its absence costs.
pub(crate) async fn leader(net: &Net, kills: u64) -> anyhow::Result<Value> {
    let txs = net.sign(kills, 1).await?;
    let (mut times, mut rounds) = (Vec::new(), BTreeMap::<u32, u64>::new());
    for tx in &txs {
        // Between two blocks, so that the next round is the victim's, and nothing of it was sent.
        let blocks = fresh_blocks(net.first()).await?;
        let last = blocks.last().map_or(Height(0), |block| block.header.height);
        let victim = next_proposer(net, &blocks)?;
        let witness = &net.clients[(victim + 1) % net.clients.len()];
        let mut line = Line::to(witness).await?;
        let killed = clock::instant();
        net.running.testnet(&["kill", &net.names[victim]])?;
        // There is something to decide at once.
        line.submit(tx, Wait::Accepted).await?.ok().context("a record is taken")?;
        loop {
            if witness.status().await?.height > last {
                break;
            }
            ensure!(
                killed.elapsed() < Duration::from_secs(60),
                "no block without {}",
                net.names[victim]
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        times.push(micros(killed.elapsed()));
        let block = witness.block(last.next()).await?.context("it was just committed")?;
        *rounds.entry(block.certificate.round.0).or_default() += 1;
        net.running.testnet(&["start", &net.names[victim]])?;
    }
    let spread = Spread::of(times);
    println!(
        "\nleader        killed (SIGKILL) {kills} times, each time the next proposer: next commit p50 {} s, p99 {} s, highest {} s; rounds {rounds:?}",
        thousandths(spread.p50 / 1000),
        thousandths(spread.p99 / 1000),
        thousandths(spread.highest / 1000),
    );
    Ok(json!({ "next_commit_us": spread.json(), "committed_in_round": rounds }))
}

/// Two and two that do not hear one another, and then do.
pub(crate) async fn heal(times: u64, cut: Duration) -> anyhow::Result<Value> {
    let network = Network::linked().await;
    let (mut first, mut all) = (Vec::new(), Vec::new());
    for _ in 0..times {
        network.cut(&both(&[1, 2], &[3, 4]));
        tokio::time::sleep(cut).await;
        let mut highest = Height(0);
        for validator in 1..=4 {
            highest = highest.max(network.client(validator).status().await?.height);
        }
        network.cut(&Pairs::new());
        let mended = clock::instant();
        let (mut waiting, mut one) = ((1..=4).collect::<Vec<u16>>(), None);
        while let Some(validator) = waiting.last() {
            if network.client(*validator).status().await?.height > highest {
                one.get_or_insert_with(|| micros(mended.elapsed()));
                waiting.pop();
                continue;
            }
            waiting.rotate_right(1);
            if mended.elapsed() > Duration::from_secs(60) {
                bail!("no block a minute after the lines were mended");
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        first.extend(one);
        all.push(micros(mended.elapsed()));
    }
    let (first, all) = (Spread::of(first), Spread::of(all));
    println!(
        "\nheal          2/2 for {} s, {times} times: next commit p50 {} s, highest {} s after the lines are mended; on all four p50 {} s, highest {} s",
        cut.as_secs(),
        thousandths(first.p50 / 1000),
        thousandths(first.highest / 1000),
        thousandths(all.p50 / 1000),
        thousandths(all.highest / 1000),
    );
    Ok(json!({ "cut_s": cut.as_secs(), "next_commit_us": first.json(), "on_all_us": all.json() }))
}
