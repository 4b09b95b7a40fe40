//! Load that does not wait for answers: every transaction has its moment, whatever became of those before it.
//!
//! A latency counts from the moment that was planned, not from when there was a connection to send on, so that a node that
//! stands still is seen by everyone who would have asked meanwhile.

use crate::{
    VALIDATORS,
    figures::{Spread, count, in_words, micros, thousandths},
    line::{Line, Refused},
    load::{LINES, drained},
    net::Net,
};
use anyhow::Context as _;
use client::{Client, Wait, api::Fate};
use node::clock;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::{
    sync::{Mutex as Turn, mpsc},
    task::JoinSet,
};

/// Transactions a second that are waited for until they are committed, on a connection of their own each.
const SAMPLES_PER_SECOND: u64 = 100;

/// How long such a one is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A transaction whose moment has come, microseconds after the start.
type Due = (u64, Vec<u8>);

/// What those share who send.
struct Course {
    started: Instant,
    queue: Turn<mpsc::UnboundedReceiver<Due>>,
    stopped: AtomicBool,
    sent: AtomicU64,
    accepted: AtomicU64,
    refused: AtomicU64,
    errors: Mutex<BTreeMap<String, u64>>,
    /// The planned moment of each sample, and how long after it the transaction was committed; microseconds.
    samples: Mutex<Vec<(u64, u64)>>,
    /// Connections for samples that nobody uses now, by node.
    idle: Mutex<Vec<Vec<Line>>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Course {
    fn note(&self, code: &str) {
        count(&mut locked(&self.errors), code);
        self.refused.fetch_add(1, Relaxed);
    }

    /// Sends what is due, one after the other, until there is no more.
    async fn send(self: Arc<Self>, mut line: Line) -> anyhow::Result<()> {
        loop {
            let due = self.queue.lock().await.recv().await;
            let Some((_, tx)) = due else { return Ok(()) };
            if self.stopped.load(Relaxed) {
                // Nobody refused it; that it is not committed is seen in the rate.
                count(&mut locked(&self.errors), "never sent, for want of a free connection");
                continue;
            }
            self.sent.fetch_add(1, Relaxed);
            match line.submit(&tx, Wait::Accepted).await? {
                Ok(Fate::Accepted | Fate::Committed) => {
                    self.accepted.fetch_add(1, Relaxed);
                }
                Ok(fate @ (Fate::Recorded | Fate::Refused)) => self.note(&format!("{fate:?}")),
                Err(Refused { code, status }) => self.note(&format!("{code} ({status})")),
            }
        }
    }

    /// Sends one, and waits until it is committed.
    async fn sample(self: Arc<Self>, node: usize, client: Client, due: Due) -> anyhow::Result<()> {
        let free = locked(&self.idle)[node].pop();
        let mut line = match free {
            Some(line) => line,
            None => Line::to(&client).await?,
        };
        let (at, tx) = due;
        self.sent.fetch_add(1, Relaxed);
        match tokio::time::timeout(PATIENCE, line.submit(&tx, Wait::Committed)).await {
            Ok(answer) => match answer? {
                Ok(Fate::Committed) => {
                    self.accepted.fetch_add(1, Relaxed);
                    let after = micros(self.started.elapsed()).saturating_sub(at);
                    locked(&self.samples).push((at, after));
                }
                Ok(Fate::Accepted) => {
                    self.accepted.fetch_add(1, Relaxed);
                    count(&mut locked(&self.errors), "accepted, and not committed in time");
                }
                Ok(fate @ (Fate::Recorded | Fate::Refused)) => self.note(&format!("{fate:?}")),
                Err(Refused { code, status }) => self.note(&format!("{code} ({status})")),
            },
            // What is half read cannot be asked again.
            Err(_) => {
                self.note("no answer within a minute");
                return Ok(());
            }
        }
        locked(&self.idle)[node].push(line);
        Ok(())
    }

    /// Gives everything its moment, as long as there is stock.
    async fn plan(
        self: Arc<Self>,
        per_second: u64,
        clients: Vec<Client>,
        mut stock: mpsc::Receiver<Vec<u8>>,
        to: mpsc::UnboundedSender<Due>,
    ) -> anyhow::Result<()> {
        let every = (per_second / SAMPLES_PER_SECOND).max(1);
        let (mut index, mut samples) = (0, JoinSet::new());
        while let Some(tx) = stock.recv().await {
            let at = index * 1_000_000 / per_second;
            let wait = at.saturating_sub(micros(self.started.elapsed()));
            if wait > 0 {
                tokio::time::sleep(Duration::from_micros(wait)).await;
            }
            if self.stopped.load(Relaxed) {
                break;
            }
            if index.is_multiple_of(every) {
                let node = usize::try_from(index / every)? % clients.len();
                let client = clients[node].clone();
                samples.spawn(Arc::clone(&self).sample(node, client, (at, tx)));
            } else {
                to.send((at, tx)).ok().context("all senders are gone")?;
            }
            while let Some(ended) = samples.try_join_next() {
                ended??;
            }
            index += 1;
        }
        drop(to);
        while let Some(ended) = samples.join_next().await {
            ended??;
        }
        Ok(())
    }
}

/// A load under way.
pub(crate) struct Open {
    course: Arc<Course>,
    tasks: JoinSet<anyhow::Result<()>>,
    base: u64,
    operations: u64,
}

/// What became of it.
pub(crate) struct Ended {
    pub(crate) sent: u64,
    pub(crate) refused: u64,
    pub(crate) errors: BTreeMap<String, u64>,
    /// Records that were accepted and are not on all validators.
    pub(crate) lost: u64,
}

impl Open {
    /// Begins to send what is in stock, so many a second, to all validators in turn.
    pub(crate) async fn start(
        net: &Net,
        per_second: u64,
        operations: u64,
        stock: mpsc::Receiver<Vec<u8>>,
    ) -> anyhow::Result<Self> {
        let base = net.records().await?;
        let (to, queue) = mpsc::unbounded_channel();
        let mut lines = Vec::new();
        for line in 0..LINES {
            lines.push(Line::to(&net.clients[line % net.clients.len()]).await?);
        }
        let course = Arc::new(Course {
            started: clock::instant(),
            queue: Turn::new(queue),
            stopped: AtomicBool::new(false),
            sent: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            errors: Mutex::default(),
            samples: Mutex::default(),
            idle: Mutex::new(net.clients.iter().map(|_| Vec::new()).collect()),
        });
        let mut tasks = JoinSet::new();
        for line in lines {
            tasks.spawn(Arc::clone(&course).send(line));
        }
        tasks.spawn(Arc::clone(&course).plan(per_second, net.clients.clone(), stock, to));
        Ok(Self { course, tasks, base, operations })
    }

    /// Waits until so long after the start.
    pub(crate) async fn until(&mut self, time: Duration) -> anyhow::Result<()> {
        let end = tokio::time::sleep(time.saturating_sub(self.course.started.elapsed()));
        tokio::pin!(end);
        loop {
            tokio::select! {
                () = &mut end => return Ok(()),
                // A load that ends by itself has something to say.
                Some(ended) = self.tasks.join_next() => ended??,
            }
        }
    }

    /// Microseconds since the start.
    pub(crate) fn elapsed(&self) -> u64 {
        micros(self.course.started.elapsed())
    }

    /// How long it took to commit those whose moment was between these, microseconds after the start.
    pub(crate) fn finality(&self, from: u64, to: u64) -> Spread {
        let samples = locked(&self.course.samples);
        Spread::of(
            samples
                .iter()
                .filter(|(at, _)| (from..to).contains(at))
                .map(|(_, took)| *took)
                .collect(),
        )
    }

    /// How many requests were sent, and how many were refused, so far.
    pub(crate) fn counted(&self) -> (u64, u64) {
        (self.course.sent.load(Relaxed), self.course.refused.load(Relaxed))
    }

    /// Sends no more, and waits until everything accepted is on all validators.
    pub(crate) async fn stop(&mut self, net: &Net) -> anyhow::Result<Ended> {
        self.course.stopped.store(true, Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended??;
        }
        let wanted = self.base + self.course.accepted.load(Relaxed) * self.operations;
        let lost = wanted.saturating_sub(drained(net, wanted).await?);
        let (sent, refused) = self.counted();
        Ok(Ended { sent, refused, errors: locked(&self.course.errors).clone(), lost })
    }
}

/// What a load of so many transactions a second came to.
pub(crate) struct Seen {
    pub(crate) offered: u64,
    /// Transactions a second that were committed on all validators.
    pub(crate) committed: u64,
    pub(crate) finality: Spread,
    pub(crate) ended: Ended,
    cpu_us: u64,
}

/// Offers so many transactions a second, signed beforehand, and looks for so long at what becomes of them.
pub(crate) async fn offer(
    net: &Net,
    per_second: u64,
    operations: u64,
    (warm_up, seconds): (u64, u64),
) -> anyhow::Result<Seen> {
    let txs = net.sign(per_second * (warm_up + seconds), operations).await?;
    let (filling, stock) = mpsc::channel(txs.len().max(1));
    for tx in txs {
        filling.try_send(tx)?;
    }
    drop(filling);
    let mut open = Open::start(net, per_second, operations, stock).await?;
    open.until(Duration::from_secs(warm_up)).await?;
    let (from, before, cpu) = (open.elapsed(), net.records().await?, net.cpu_ms());
    open.until(Duration::from_secs(warm_up + seconds)).await?;
    let (to, after, cpu_after) = (open.elapsed(), net.records().await?, net.cpu_ms());
    let ended = open.stop(net).await?;
    // What came due in the window counts, however late it was done.
    let finality = open.finality(from, to);
    let records = after - before;
    Ok(Seen {
        offered: per_second,
        committed: records / operations * 1_000_000 / (to - from).max(1),
        finality,
        ended,
        cpu_us: (cpu_after.0 - cpu.0) * 1000 / records.max(1),
    })
}

impl Seen {
    /// Whether the validators kept up: all but what a short look cannot tell was committed, and nothing refused.
    pub(crate) const fn kept_up(&self) -> bool {
        self.committed * 100 >= self.offered * 97 && self.ended.refused == 0
    }

    pub(crate) fn error_thousandths(&self) -> u64 {
        self.ended.refused * 1000 / self.ended.sent.max(1)
    }

    /// The line of a table whose head is [`HEAD`].
    pub(crate) fn print(&self, name: &str) {
        let Self { offered, committed, finality, ended, cpu_us } = self;
        println!(
            "              {name:<22}{offered:>9}{committed:>11}{:>11}{:>10}{:>10}{:>10}{:>9}{cpu_us:>9}",
            thousandths(finality.p50),
            thousandths(finality.p90),
            thousandths(finality.p99),
            thousandths(finality.highest),
            thousandths(self.error_thousandths()),
        );
        if !ended.errors.is_empty() || ended.lost > 0 {
            println!(
                "              {:<22}{}; accepted and not committed after all: {} records",
                "",
                in_words(&ended.errors),
                ended.lost
            );
        }
    }

    pub(crate) fn json(&self) -> Value {
        let Self { offered, committed, finality, ended, cpu_us } = self;
        json!({
            "offered_per_second": offered, "committed_per_second": committed, "finality_us": finality.json(),
            "sent": ended.sent, "refused": ended.refused, "error_thousandths": self.error_thousandths(),
            "errors": ended.errors, "lost_records": ended.lost, "validators": VALIDATORS,
            "cpu_us_per_record": cpu_us,
        })
    }
}

/// The head of a table of loads.
pub(crate) const HEAD: &str = "              transactions/s          offered  committed     p50 ms       p90       p99   highest  refused   µs/rec";
