//! How fast four validators on this machine are, beside what the machine itself can do in the same minutes.
//!
//! Real processes, real sockets on loopback, fsync on. Nothing here is asserted: a figure is for a person to judge. All
//! of them are integers (nanoseconds, microseconds, thousandths), so that two runs can be compared digit by digit.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command speaks")]

mod commitments;
mod figures;
mod growth;
mod ledger;
mod line;
mod load;
mod machine;
mod net;
mod open;
mod outage;
mod parts;
mod proofs;
mod shares;
mod soak;
mod stages;

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use figures::{micros, thousandths};
use load::{Load, idle};
use machine::{Limits, Machine};
use net::Net;
use node::clock;
use serde_json::{Value, json};
use shares::Pace;
use std::{
    fs,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};
use tokio::signal::unix::{SignalKind, signal};

/// The node's: what `growth` measures of a validator's part is to be measured as in a validator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How many validators.
const VALIDATORS: u64 = 4;

/// Measures four validators on this machine: latency, throughput, growth, recovery.
#[derive(Debug, Parser)]
#[command(name = "bench", version)]
struct Arguments {
    /// Less of everything: under two minutes in all on a quiet machine, without `stages`, `parts` and `soak`.
    #[arg(long)]
    quick: bool,
    /// Write everything measured to this file, as JSON.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Only these parts, separated by commas; the limits are always measured.
    #[arg(long, value_enum, value_delimiter = ',')]
    part: Vec<Part>,
    /// How far the ledger of `growth` grows: 1000000, or 10000 with --quick.
    #[arg(long)]
    records: Option<u64>,
    /// Seconds that each load is measured for: 20, or 3 with --quick; of `soak`, in all: 3600.
    #[arg(long)]
    seconds: Option<u64>,
    /// Transactions a second of `soak`, if not 70 % of the saturation that is searched for before it.
    #[arg(long)]
    rate: Option<u64>,
    /// Validator N listens on this port plus N, and serves its API 1000 above.
    #[arg(long, default_value_t = 21000)]
    base_port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// One record at a time, nothing else going on.
    Idle,
    /// One record a transaction, as many as are taken.
    Single,
    /// Saturation by search; latency at 10, 50 and 90 % of it; twice as much, and what is left of that.
    Shares,
    /// A hundred records a transaction.
    Hundred,
    /// A day's exchange: 25 million digests from a file, by one record; 250,000 with --quick.
    Commitments,
    /// A validator killed and started again.
    Kill,
    /// The proposer of the next block killed, many times.
    Leader,
    /// Two and two cut off from one another, and mended.
    Heal,
    /// A long ledger: starting over it, and fetching it; and fetching full blocks.
    Ledger,
    /// One validator's part of a record, stage by stage, as its ledger grows.
    Growth,
    /// Bytes of proofs, how many are checked, how many are served.
    Proofs,
    /// Where one validator's time goes under load, stage by stage, by `perf`.
    Stages,
    /// The parts by themselves, with the spread of each: codec, map, verification, blocks, commits.
    Parts,
    /// A load that goes on for an hour, or `--seconds`; only when it is asked for.
    Soak,
}

impl Part {
    /// Whether it is measured when nobody says what.
    fn is_usual(self, quick: bool) -> bool {
        match self {
            Self::Idle
            | Self::Single
            | Self::Shares
            | Self::Hundred
            | Self::Commitments
            | Self::Kill
            | Self::Leader
            | Self::Heal
            | Self::Ledger
            | Self::Growth
            | Self::Proofs => true,
            // What is not there cannot be usual.
            Self::Stages => !quick && stages::has_perf(),
            Self::Parts => !quick,
            Self::Soak => false,
        }
    }
}

/// How long each part took.
struct Laps {
    started: Instant,
    last: u64,
    laps: Vec<(&'static str, u64)>,
}

impl Laps {
    fn start() -> Self {
        Self { started: clock::instant(), last: 0, laps: Vec::new() }
    }

    fn end(&mut self, name: &'static str) {
        let now = micros(self.started.elapsed());
        self.laps.push((name, now - self.last));
        self.last = now;
    }

    /// The last line, and the same as JSON.
    fn print(&self) -> Value {
        let laps: Vec<_> =
            self.laps.iter().map(|(name, took)| format!("{name} {}", took / 1_000_000)).collect();
        println!("\ntook          {} s: {}", thousandths(self.last / 1000), laps.join(", "));
        let mut json = json!({ "all": self.last });
        for (name, took) in &self.laps {
            json[*name] = (*took).into();
        }
        json
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            return ExitCode::from(74);
        }
    };
    let done = runtime.block_on(async {
        tokio::select! {
            done = bench(&arguments) => done,
            stopped = stopped() => stopped.and(Err(anyhow::anyhow!("interrupted; the network was stopped"))),
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Waits until somebody wants us to stop.
async fn stopped() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

async fn bench(arguments: &Arguments) -> anyhow::Result<()> {
    let quick = arguments.quick;
    let wanted = |part: Part| {
        arguments.part.contains(&part) || (arguments.part.is_empty() && part.is_usual(quick))
    };
    let seconds = arguments.seconds.unwrap_or(if quick { 3 } else { 20 });
    let pace = if quick {
        Pace { warm_up: 1, search: 2, seconds, halvings: 1 }
    } else {
        Pace { warm_up: 2, search: 6, seconds, halvings: 4 }
    };
    let port =
        |above: u16| arguments.base_port.checked_add(above).context("the base port is too high");
    let mut laps = Laps::start();
    let machine = Machine::look();
    machine.print();
    let directory = tempfile::tempdir()?;
    let limits = Limits::measure(directory.path(), machine.cores)?;
    limits.print();
    let mut report = json!({
        "machine": machine.json(), "limits": limits.json(), "validators": VALIDATORS, "seconds": seconds,
        "quick": quick,
    });
    laps.end("limits");

    let single = Load {
        name: "single",
        operations: 1,
        together: 1,
        seconds,
        window: 2000,
        pace: None,
        per_second: 9000,
    };
    let hundred = Load { name: "hundred", operations: 100, window: 80, per_second: 400, ..single };
    let here = [
        Part::Idle,
        Part::Single,
        Part::Shares,
        Part::Hundred,
        Part::Stages,
        Part::Kill,
        Part::Leader,
    ];
    if here.into_iter().any(wanted) {
        let net = Net::up(&directory.path().join("net"), arguments.base_port).await?;
        let disk_before = net.disk_bytes();
        if wanted(Part::Idle) {
            report["idle"] = idle(&net, if quick { 100 } else { 200 }).await?;
        }
        laps.end("idle");
        let mut hint = None;
        if wanted(Part::Single) {
            let (found, rate) = single.run(&net, &limits).await?;
            report["single"] = found;
            hint = Some(rate);
            let batched = Load { name: "single, handed in together", together: 50, ..single };
            report["single_together"] = batched.run(&net, &limits).await?.0;
            laps.end("single");
        }
        if wanted(Part::Shares) {
            let (found, steps) = shares::saturation(&net, hint, pace).await?;
            report["saturation"] = steps;
            report["shares"] = shares::shares(&net, found, pace).await?;
            laps.end("shares");
        }
        if wanted(Part::Hundred) {
            report["hundred"] = hundred.run(&net, &limits).await?.0;
            laps.end("hundred");
        }
        if wanted(Part::Stages) {
            report["stages"] = json!({
                "single": stages::stages(&net, &limits, single).await?,
                "hundred": stages::stages(&net, &limits, hundred).await?,
            });
            laps.end("stages");
        }
        report["nodes"] = net.resources();
        if wanted(Part::Kill) {
            let patience = Duration::from_secs(if quick { 8 } else { 25 });
            report["kill"] = outage::kill(&net, patience).await?;
            laps.end("kill");
        }
        if wanted(Part::Leader) {
            report["leader"] = outage::leader(&net, if quick { 2 } else { 12 }).await?;
            laps.end("leader");
        }
        let records = net.records().await?;
        net.running.down()?;
        // A node that stops in peace moves its log into tables, so what is left is what the records take.
        let disk = net.disk_bytes().saturating_sub(disk_before);
        let each = disk / VALIDATORS / records.max(1);
        println!(
            "\nat rest       {records} records; {each} bytes of disk a record and node, all indexes and roots included"
        );
        report["at_rest"] = json!({ "records": records, "disk_bytes_per_record": each });
    }
    if wanted(Part::Commitments) {
        let net = Net::up(&directory.path().join("day"), port(10)?).await?;
        let lines = if quick { 250_000 } else { 25_000_000 };
        report["commitments"] = commitments::commitments(&net, directory.path(), lines).await?;
        net.running.down()?;
        laps.end("commitments");
    }
    if wanted(Part::Heal) {
        let (times, cut) = if quick { (1, 3) } else { (10, 8) };
        report["heal"] = outage::heal(times, Duration::from_secs(cut)).await?;
        laps.end("heal");
    }
    if wanted(Part::Ledger) {
        let (blocks, full) = if quick { (1000, 4) } else { (100_000, 40) };
        let long = directory.path().join("long");
        report["ledger"] = ledger::long(&long, port(20)?, blocks).await?;
        let home = directory.path().join("full");
        report["full_blocks"] = ledger::full(&home, port(30)?, full).await?;
        laps.end("ledger");
    }
    if wanted(Part::Growth) {
        let most = arguments.records.unwrap_or(if quick { 10_000 } else { 1_000_000 });
        let lengths: Vec<u64> = [10_000, 100_000, 1_000_000, 10_000_000]
            .into_iter()
            .take_while(|length| *length <= most)
            .collect();
        let home = directory.path().join("growth");
        report["growth"] =
            tokio::task::spawn_blocking(move || growth::growth(&home, &lengths)).await??;
        laps.end("growth");
    }
    if wanted(Part::Proofs) {
        let each = Duration::from_millis(if quick { 300 } else { 3000 });
        report["proofs"] = proofs::sizes(each)?;
        let net = Net::up(&directory.path().join("proofs"), port(40)?).await?;
        report["served"] = proofs::served(&net, seconds.min(if quick { 1 } else { 5 })).await?;
        net.running.down()?;
        laps.end("proofs");
    }
    if wanted(Part::Parts) {
        report["parts"] = tokio::task::spawn_blocking(parts::parts).await??;
        laps.end("parts");
    }
    if wanted(Part::Soak) {
        let net = Net::up(&directory.path().join("soak"), port(50)?).await?;
        let rate = match arguments.rate {
            Some(rate) => rate.max(1),
            None => (shares::saturation(&net, None, pace).await?.0 * 7 / 10).max(1),
        };
        report["soak"] = soak::soak(&net, rate, arguments.seconds.unwrap_or(3600)).await?;
        net.running.down()?;
        laps.end("soak");
    }
    report["took_us"] = laps.print();
    if let Some(path) = &arguments.out {
        fs::write(path, serde_json::to_string_pretty(&report)? + "\n")
            .with_context(|| format!("cannot write {}", path.display()))?;
        println!("\nwritten to {}", path.display());
    }
    Ok(())
}
