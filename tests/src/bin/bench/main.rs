//! How fast four validators on this machine are, beside what the machine itself can do in the same minutes.
//!
//! Real processes, real sockets on loopback, fsync on. Nothing here is asserted: a figure is for a person to judge. All
//! of them are integers (nanoseconds, microseconds, thousandths), so that two runs can be compared digit by digit.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command speaks")]

mod figures;
mod growth;
mod ledger;
mod line;
mod load;
mod machine;
mod net;
mod outage;
mod proofs;

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use load::{Load, idle};
use machine::{Limits, Machine};
use net::Net;
use serde_json::json;
use std::{fs, path::PathBuf, process::ExitCode, time::Duration};
use tokio::signal::unix::{SignalKind, signal};

/// How many validators.
const VALIDATORS: u64 = 4;

/// Measures four validators on this machine: latency, throughput, growth, recovery.
#[derive(Debug, Parser)]
#[command(name = "bench", version)]
struct Arguments {
    /// Less of everything: under two minutes in all.
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
    /// Seconds that each load is measured for.
    #[arg(long)]
    seconds: Option<u64>,
    /// Validator N listens on this port plus N, and serves its API 1000 above.
    #[arg(long, default_value_t = 21000)]
    base_port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// One record at a time, nothing else going on.
    Idle,
    /// One record a transaction, as many as are taken; then half as many.
    Single,
    /// A hundred records a transaction.
    Hundred,
    /// A validator killed and started again.
    Kill,
    /// The proposer of the next block killed, many times.
    Leader,
    /// Two and two cut off from one another, and mended.
    Heal,
    /// A long ledger: starting over it, and fetching it.
    Ledger,
    /// One validator's part of a record, stage by stage, as its ledger grows.
    Growth,
    /// Bytes of proofs, how many are checked, how many are served.
    Proofs,
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
    let wanted = |part| arguments.part.is_empty() || arguments.part.contains(&part);
    let seconds = arguments.seconds.unwrap_or(if arguments.quick { 8 } else { 20 });
    let machine = Machine::look();
    machine.print();
    let directory = tempfile::tempdir()?;
    let limits = Limits::measure(directory.path(), machine.cores)?;
    limits.print();
    let mut report = json!({
        "machine": machine.json(), "limits": limits.json(), "validators": VALIDATORS, "seconds": seconds,
        "quick": arguments.quick,
    });

    let here = [Part::Idle, Part::Single, Part::Hundred, Part::Kill, Part::Leader];
    if here.into_iter().any(wanted) {
        let net = Net::up(&directory.path().join("net"), arguments.base_port).await?;
        let disk_before = net.disk_bytes();
        if wanted(Part::Idle) {
            report["idle"] = idle(&net, if arguments.quick { 100 } else { 200 }).await?;
        }
        if wanted(Part::Single) {
            let saturated = Load {
                name: "single",
                operations: 1,
                seconds,
                window: 2000,
                pace: None,
                per_second: 9000,
            };
            let (found, rate) = saturated.run(&net, &limits).await?;
            report["single"] = found;
            let half = Load {
                name: "single, half load",
                pace: Some((rate / 2).max(1)),
                per_second: rate / 2 + 1,
                window: u64::MAX,
                ..saturated
            };
            report["single_half"] = half.run(&net, &limits).await?.0;
        }
        if wanted(Part::Hundred) {
            let load = Load {
                name: "hundred",
                operations: 100,
                seconds,
                window: 80,
                pace: None,
                per_second: 400,
            };
            report["hundred"] = load.run(&net, &limits).await?.0;
        }
        report["nodes"] = net.resources();
        if wanted(Part::Kill) {
            report["kill"] = outage::kill(&net).await?;
        }
        if wanted(Part::Leader) {
            report["leader"] = outage::leader(&net, if arguments.quick { 3 } else { 12 }).await?;
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
    if wanted(Part::Heal) {
        let (times, cut) = if arguments.quick { (2, 4) } else { (10, 8) };
        report["heal"] = outage::heal(times, Duration::from_secs(cut)).await?;
    }
    if wanted(Part::Ledger) {
        let blocks = if arguments.quick { 2000 } else { 100_000 };
        let port = arguments.base_port.checked_add(20).context("the base port is too high")?;
        report["ledger"] = ledger::long(&directory.path().join("long"), port, blocks).await?;
    }
    if wanted(Part::Growth) {
        let lengths: Vec<u64> = [10_000, 100_000, 1_000_000, 10_000_000]
            .into_iter()
            .take_while(|length| {
                *length
                    <= arguments.records.unwrap_or(if arguments.quick { 10_000 } else { 1_000_000 })
            })
            .collect();
        let home = directory.path().join("growth");
        report["growth"] =
            tokio::task::spawn_blocking(move || growth::growth(&home, &lengths)).await??;
    }
    if wanted(Part::Proofs) {
        report["proofs"] = proofs::sizes(if arguments.quick { 1 } else { 3 })?;
        let port = arguments.base_port.checked_add(40).context("the base port is too high")?;
        let net = Net::up(&directory.path().join("proofs"), port).await?;
        report["served"] = proofs::served(&net, seconds.min(5)).await?;
        net.running.down()?;
    }
    if let Some(path) = &arguments.out {
        fs::write(path, serde_json::to_string_pretty(&report)? + "\n")
            .with_context(|| format!("cannot write {}", path.display()))?;
        println!("\nwritten to {}", path.display());
    }
    Ok(())
}
