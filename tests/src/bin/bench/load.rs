//! One record after the other, and as many as are taken.

use crate::{
    VALIDATORS,
    figures::{Spread, Syncs, count, in_words, micros, thousandths},
    line::{Line, Refused},
    machine::Limits,
    net::Net,
};
use client::{Wait, api::Fate};
use node::clock;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// Connections that submit at once.
pub(crate) const LINES: usize = 256;

/// Connections that submit one transaction at a time and wait until it is committed, to measure.
pub(crate) const PROBES: usize = 8;

/// Before it is measured, a load runs for this long.
pub(crate) const WARM_UP: Duration = Duration::from_secs(2);

/// How long accepted transactions may take to be committed when nothing more comes.
pub(crate) const DRAIN: Duration = Duration::from_secs(30);

/// The longest pause after a node asked for patience.
pub(crate) const BACK_OFF_MAX: Duration = Duration::from_millis(800);

/// One record after the other, each waited for.
pub(crate) async fn idle(net: &Net, samples: u64) -> anyhow::Result<Value> {
    let txs = net.sign(samples, 1).await?;
    let mut lines = Vec::new();
    for client in &net.clients {
        lines.push(Line::to(client).await?);
    }
    let (before, cpu) = (net.counted().await?, net.cpu_ms());
    let (mut times, mut errors) = (Vec::new(), BTreeMap::new());
    for (turn, tx) in (0..lines.len()).cycle().zip(&txs) {
        // Enough for the others to have written the last block too.
        tokio::time::sleep(Duration::from_millis(15)).await;
        let started = clock::instant();
        match lines[turn].submit(tx, Wait::Committed).await? {
            Ok(Fate::Committed) => times.push(micros(started.elapsed())),
            Ok(fate) => count(&mut errors, &format!("{fate:?}")),
            Err(Refused { code, .. }) => count(&mut errors, &code),
        }
    }
    let syncs = Syncs::between(before, net.counted().await?);
    let nodes_us = (net.cpu_ms().0 - cpu.0) * 1000 / samples.max(1);
    let spread = Spread::of(times);
    println!(
        "\nidle          {samples} records, one at a time, each submitted to the next validator and waited for"
    );
    println!(
        "              finality p50 {} ms, p90 {}, p99 {}, highest {}; errors {}",
        thousandths(spread.p50),
        thousandths(spread.p90),
        thousandths(spread.p99),
        thousandths(spread.highest),
        in_words(&errors)
    );
    println!("              processor: {nodes_us} µs a record in the {VALIDATORS} nodes");
    syncs.print(samples);
    Ok(json!({
        "finality_us": spread.json(), "errors": errors, "syncs": syncs.json(), "cpu_us_per_record": nodes_us,
    }))
}

/// Transactions, signed beforehand, as fast as they are taken or as wanted.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) name: &'static str,
    pub(crate) operations: u64,
    /// Transactions that are handed in with one request.
    pub(crate) together: u64,
    pub(crate) seconds: u64,
    /// The most transactions that may be sent and not yet committed everywhere.
    pub(crate) window: u64,
    /// Transactions a second, if not as many as possible.
    pub(crate) pace: Option<u64>,
    /// Transactions to prepare for each second: more than there is hope of.
    pub(crate) per_second: u64,
}

/// What the connections of a load share.
pub(crate) struct Course {
    pub(crate) txs: Vec<Vec<u8>>,
    pub(crate) together: u64,
    pub(crate) next: AtomicU64,
    pub(crate) accepted: AtomicU64,
    pub(crate) refused: AtomicU64,
    /// Those that were committed everywhere or refused, by the last look.
    pub(crate) settled: AtomicU64,
    pub(crate) stopped: AtomicBool,
    pub(crate) window: u64,
    pub(crate) pace: Option<u64>,
    pub(crate) started: Instant,
    pub(crate) errors: Mutex<BTreeMap<String, u64>>,
}

impl Course {
    /// The next transactions, when their time has come; none when the course is over.
    pub(crate) async fn next(&self) -> Option<&[Vec<u8>]> {
        let index = self.next.fetch_add(self.together, Relaxed);
        let from = usize::try_from(index).ok()?;
        let to = usize::try_from(index + self.together).ok()?.min(self.txs.len());
        let txs = self.txs.get(from..to).filter(|txs| !txs.is_empty())?;
        loop {
            if self.stopped.load(Relaxed) {
                return None;
            }
            let waiting = index.saturating_sub(self.settled.load(Relaxed));
            let due = self.pace.map_or(0, |pace| index * 1_000_000 / pace);
            let now = micros(self.started.elapsed());
            if waiting < self.window && now >= due {
                return Some(txs);
            }
            tokio::time::sleep(Duration::from_micros(due.saturating_sub(now).clamp(1000, 50_000)))
                .await;
        }
    }

    pub(crate) fn note(&self, code: &str) {
        count(&mut self.errors.lock().unwrap_or_else(PoisonError::into_inner), code);
    }

    /// Submits until the course is over. A node that asks for patience gets it.
    pub(crate) async fn submit(self: Arc<Self>, mut line: Line) -> anyhow::Result<()> {
        while let Some(txs) = self.next().await {
            let mut left = txs.to_vec();
            let mut pause = Duration::from_millis(50);
            while !left.is_empty() && !self.stopped.load(Relaxed) {
                left = self.submit_once(&mut line, left).await?;
                if !left.is_empty() {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(BACK_OFF_MAX);
                }
            }
        }
        Ok(())
    }

    /// Submits these, and gives back those to be submitted again.
    async fn submit_once(
        &self,
        line: &mut Line,
        txs: Vec<Vec<u8>>,
    ) -> anyhow::Result<Vec<Vec<u8>>> {
        let told = match &txs[..] {
            [tx] => line.submit(tx, Wait::Accepted).await?.map(|fate| vec![(fate, None)]),
            several => line.submit_all(several).await?.map(|receipts| {
                receipts.into_iter().map(|receipt| (receipt.status, receipt.code)).collect()
            }),
        };
        let told = match told {
            Ok(told) => told,
            Err(Refused { status: 429 | 503, code }) => {
                self.note(&code);
                return Ok(txs);
            }
            Err(Refused { code, .. }) => {
                self.note(&code);
                self.refused.fetch_add(txs.len() as u64, Relaxed);
                return Ok(Vec::new());
            }
        };
        let mut again = Vec::new();
        for (tx, (fate, code)) in txs.into_iter().zip(told) {
            match (fate, code) {
                (Fate::Accepted | Fate::Committed, _) => {
                    self.accepted.fetch_add(1, Relaxed);
                }
                (_, Some(code)) if code.starts_with("E-POOL") => {
                    self.note(&code);
                    again.push(tx);
                }
                (fate @ (Fate::Recorded | Fate::Refused), code) => {
                    self.note(&code.unwrap_or_else(|| format!("{fate:?}")));
                    self.refused.fetch_add(1, Relaxed);
                }
            }
        }
        Ok(again)
    }

    /// Submits one transaction after the other, and measures until each is committed.
    pub(crate) async fn probe(
        self: Arc<Self>,
        mut line: Line,
        txs: Vec<Vec<u8>>,
    ) -> anyhow::Result<Vec<u64>> {
        let mut times = Vec::new();
        for tx in txs {
            if self.stopped.load(Relaxed) {
                break;
            }
            let started = clock::instant();
            match line.submit(&tx, Wait::Committed).await? {
                Ok(Fate::Committed) => times.push(micros(started.elapsed())),
                Ok(fate) => self.note(&format!("probe {fate:?}")),
                Err(Refused { code, .. }) => self.note(&format!("probe {code}")),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(times)
    }
}

impl Load {
    /// What was measured, and transactions a second.
    pub(crate) async fn run(&self, net: &Net, limits: &Limits) -> anyhow::Result<(Value, u64)> {
        let Self { name, operations, together, seconds, window, pace, per_second } = *self;
        let signing = clock::instant();
        let txs = net.sign(per_second * (seconds + WARM_UP.as_secs() + 1), operations).await?;
        let (signed, signing) = (txs.len(), micros(signing.elapsed()).max(1));
        let tx_bytes = txs.first().map_or(0, Vec::len);
        let mut probes = Vec::new();
        for _ in 0..PROBES {
            probes.push(net.sign(50 * (seconds + 2), operations).await?);
        }
        let base = net.records().await?;
        let course = Arc::new(Course {
            txs,
            together,
            next: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            settled: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            window,
            pace,
            started: clock::instant(),
            errors: Mutex::default(),
        });
        let (mut submitters, mut probing) = (JoinSet::new(), JoinSet::new());
        for line in 0..LINES {
            let line = Line::to(&net.clients[line % net.clients.len()]).await?;
            submitters.spawn(Arc::clone(&course).submit(line));
        }
        for (index, txs) in probes.into_iter().enumerate() {
            let line = Line::to(&net.clients[index % net.clients.len()]).await?;
            probing.spawn(Arc::clone(&course).probe(line, txs));
        }
        // Followed while it runs: what is committed on all of them makes room for more.
        let follow = async |until: Duration| -> anyhow::Result<(Instant, u64)> {
            loop {
                let (at, records) = (clock::instant(), net.records().await?);
                let refused = course.refused.load(Relaxed);
                course.settled.store((records - base) / operations + refused, Relaxed);
                if course.started.elapsed() >= until || submitters.is_empty() {
                    return Ok((at, records));
                }
                tokio::time::sleep(Duration::from_millis(40)).await;
            }
        };
        let (from, before) = follow(WARM_UP).await?;
        let (cpu_before, counted) = (net.cpu_ms(), net.counted().await?);
        let (to, after) = follow(WARM_UP + Duration::from_secs(seconds)).await?;
        let (cpu_after, syncs) = (net.cpu_ms(), Syncs::between(counted, net.counted().await?));
        let exhausted = course.next.load(Relaxed) >= course.txs.len() as u64;
        course.stopped.store(true, Relaxed);
        while let Some(ended) = submitters.join_next().await {
            ended??;
        }
        let mut times = Vec::new();
        while let Some(ended) = probing.join_next().await {
            times.extend(ended??);
        }
        let probed = times.len() as u64;
        let accepted = course.accepted.load(Relaxed) + probed;
        let settled = drained(net, base + accepted * operations).await?;
        if settled == base {
            let errors = course.errors.lock().unwrap_or_else(PoisonError::into_inner);
            anyhow::bail!("{name}: nothing was committed; the nodes said: {}", in_words(&errors));
        }

        let (records, time) = (after - before, micros(to.duration_since(from)).max(1));
        let rate = records * 1_000_000 / time;
        let spread = Spread::of(times);
        let errors = course.errors.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let nodes_us = (cpu_after.0 - cpu_before.0) * 1000 / records.max(1);
        let bench_us = (cpu_after.1 - cpu_before.1) * 1000 / records.max(1);
        let txs_rate = rate / operations;
        println!(
            "\n{name}: {operations} records and {tx_bytes} bytes a transaction, {together} a request, {signed} signed beforehand in {} s; {LINES} connections,",
            thousandths(signing / 1000),
        );
        println!(
            "              {}, measured for {} s after {} s",
            pace.map_or_else(
                || format!("at most {window} transactions under way"),
                |pace| format!("{pace} transactions/s wanted"),
            ),
            thousandths(time / 1000),
            WARM_UP.as_secs(),
        );
        println!(
            "              {rate} records/s committed on all {VALIDATORS}: {} of the limit for singly signed ones ({} if signed beforehand, {} if each key came once)",
            thousandths(rate * 1000 / limits.singles.max(1)),
            thousandths(rate * 1000 / limits.singles_signed.max(1)),
            thousandths(rate * 1000 / limits.singles_strange.max(1)),
        );
        println!(
            "              finality at this load, {} samples: p50 {} ms, p90 {}, p99 {}, highest {}",
            spread.samples,
            thousandths(spread.p50),
            thousandths(spread.p90),
            thousandths(spread.p99),
            thousandths(spread.highest),
        );
        println!(
            "              processor: {nodes_us} µs a record in the {VALIDATORS} nodes, {bench_us} µs in this command",
        );
        syncs.print(records);
        let failed: u64 = errors.values().sum();
        let error_rate = failed * 1000 / (failed + accepted).max(1);
        let lost = (base + accepted * operations).saturating_sub(settled);
        println!(
            "              errors: {} ({} of all requests); accepted and not committed after all: {lost} records",
            in_words(&errors),
            thousandths(error_rate),
        );
        if exhausted {
            println!(
                "              all that was signed beforehand was used up: the nodes could have taken more"
            );
        }
        Ok((
            json!({
                "operations": operations, "transactions_a_request": together, "transaction_bytes": tx_bytes, "window": window, "wanted_per_second": pace,
                "connections": LINES, "measured_us": time, "records": records, "records_per_second": rate,
                "of_limit_thousandths": rate * 1000 / limits.singles.max(1),
                "of_limit_signed_beforehand_thousandths": rate * 1000 / limits.singles_signed.max(1),
                "of_limit_by_strangers_thousandths": rate * 1000 / limits.singles_strange.max(1),
                "finality_us": spread.json(), "errors": errors, "error_thousandths": error_rate, "lost_records": lost, "exhausted": exhausted,
                "cpu_us_per_record": { "nodes": nodes_us, "bench": bench_us },
                "syncs": syncs.json(),
                "signing": { "transactions": signed, "us": signing },
            }),
            txs_rate,
        ))
    }
}

/// Waits until all validators have so many records, or for as long as is reasonable; says how many they have.
pub(crate) async fn drained(net: &Net, wanted: u64) -> anyhow::Result<u64> {
    let started = clock::instant();
    loop {
        let records = net.records().await?;
        if records >= wanted || started.elapsed() > DRAIN {
            return Ok(records);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
