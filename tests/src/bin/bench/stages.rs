//! Where one validator's time goes under load: samples of its stacks, taken by `perf`, each counted where the work was for.
//!
//! The node itself reads no clock between its stages, and need not for this: its functions have names.

use crate::{
    figures::{micros, number, thousandths},
    load::{Load, WARM_UP},
    machine::Limits,
    net::Net,
};
use anyhow::{Context as _, ensure};
use node::clock;
use serde_json::{Value, json};
use std::{
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

/// Samples a second of processor time: a prime, so that nothing which happens by itself every so often keeps step with it.
const FREQUENCY: &str = "199";

/// The longest that is sampled: a second is some six megabytes of stacks.
const SECONDS_MAX: u64 = 10;

/// A stage, and what the names of its functions contain. Of a stack, the innermost function that belongs to a stage
/// decides, and for that the first of these lines.
const STAGES: [(&str, &[&str]); 13] = [
    ("verify", &["types::key::", "ed25519_dalek", "curve25519_dalek"]),
    ("fsync", &["fsync", "fdatasync", "sync_data", "store::journal", "node::signstate"]),
    ("map", &["proof::map::"]),
    ("admit", &["ledger::pool::", "replica::admit", "node::shell::accepted"]),
    ("share", &["replica::share"]),
    ("propose", &["ledger::execute::propose", "replica::propose"]),
    ("execute", &["ledger::execute::", "ledger::judge::"]),
    ("store", &["store::", "rocksdb"]),
    ("vote", &["consensus::", "malachitebft", "replica::vote", "types::vote::"]),
    ("send", &["network::", "libp2p", "yamux", "snow::", "chacha20"]),
    ("decode", &["replica::receive", "types::codec::decode"]),
    ("api", &["hyper", "axum", "tower", "node::api"]),
    ("wake", &["epoll_wait", "futex", "tokio::runtime::park", "::wake"]),
];

/// What belongs to no stage.
const REST: &str = "rest";

/// Whether stacks can be sampled here.
pub(crate) fn has_perf() -> bool {
    let asked = Command::new("perf").arg("--version").stdout(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

/// Looks at the first validator while a load runs, and prints what each stage takes of a record.
pub(crate) async fn stages(net: &Net, limits: &Limits, load: Load) -> anyhow::Result<Value> {
    ensure!(
        has_perf(),
        "stacks are sampled with perf, which does not run here; install it (Debian: linux-perf) and see that \
         /proc/sys/kernel/perf_event_paranoid is at most 2"
    );
    let pid = *net.pids().first().context("the first validator runs")?;
    let file = net.running.home.join("perf.data");
    let seconds = load.seconds.saturating_sub(1).clamp(1, SECONDS_MAX);
    let sampling = async {
        // The load signs its transactions before it begins.
        let (none, waiting) = (net.records().await?, clock::instant());
        while net.records().await? == none {
            ensure!(waiting.elapsed() < Duration::from_secs(120), "the load does not begin");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        tokio::time::sleep(WARM_UP).await;
        let (before, counted, from) =
            (net.records().await?, net.counted().await?, clock::instant());
        let sampled = tokio::process::Command::new("perf")
            .args(["record", "--quiet", "-F", FREQUENCY, "--call-graph", "dwarf,16384"])
            .args(["-p", &pid.to_string(), "-o"])
            .arg(&file)
            .args(["--", "sleep", &seconds.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .await?;
        ensure!(sampled.success(), "`perf record` failed for the process {pid}");
        let took = micros(from.elapsed());
        let (after, counted_after) = (net.records().await?, net.counted().await?);
        let waited = [counted_after[1] - counted[1], counted_after[3] - counted[3]];
        anyhow::Ok((after - before, took, waited))
    };
    let name = load.name;
    let ((records, took, [journal, commit]), _) =
        tokio::try_join!(sampling, load.run(net, limits))?;
    let stacks = tokio::task::spawn_blocking(move || script(&file)).await??;
    let mut found: Vec<(&str, u64)> =
        STAGES.iter().map(|(stage, _)| (*stage, 0)).chain([(REST, 0)]).collect();
    let mut samples = 0u64;
    for stack in stacks.split("\n\n").filter(|stack| !stack.trim().is_empty()) {
        let (stage, nanoseconds) = belongs(stack);
        let row = found.iter_mut().find(|(name, _)| *name == stage);
        row.context("every stage has its row")?.1 += nanoseconds;
        samples += 1;
    }
    let all: u64 = found.iter().map(|(_, time)| time).sum();
    ensure!(all > 0 && records > 0, "perf saw nothing of the process {pid}");
    println!(
        "\nstages        of one validator under the load {name}: {records} records in {} s, {samples} stacks",
        thousandths(took / 1000)
    );
    println!("              {:<10}{:>14}{:>12}", "", "µs a record", "of its time");
    let mut report = Vec::new();
    for (stage, time) in found {
        let each = time / records;
        println!(
            "              {stage:<10}{:>14}{:>12}",
            thousandths(each),
            thousandths(time * 1000 / all)
        );
        report.push(json!({ "stage": stage, "cpu_ns_per_record": each }));
    }
    let (journal, commit) = (journal * 1000 / records, commit * 1000 / records);
    println!(
        "              waited for, on the thread that decides: the journal {} µs a record, commits {}",
        thousandths(journal),
        thousandths(commit),
    );
    Ok(json!({
        "records": records, "us": took, "stacks": samples, "stages": report,
        "waited_ns_per_record": { "journal": journal, "commit": commit },
    }))
}

/// What was sampled, as text: for each stack a line with the thread and the nanoseconds it stands for, and a line for each
/// function, the innermost first.
fn script(file: &Path) -> anyhow::Result<String> {
    let output = Command::new("perf")
        .args(["script", "--no-inline", "-F", "comm,period,ip,sym", "-i"])
        .arg(file)
        .stdin(Stdio::null())
        .output()?;
    ensure!(
        output.status.success(),
        "`perf script` failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The stage a stack belongs to, and the time it stands for.
fn belongs(stack: &str) -> (&'static str, u64) {
    let mut lines = stack.trim_start().lines();
    let time = lines.next().and_then(|head| head.split_whitespace().next_back()).map_or(0, number);
    let stage = lines.find_map(|line| {
        STAGES.iter().find(|(_, names)| names.iter().any(|name| line.contains(name)))
    });
    (stage.map_or(REST, |(stage, _)| *stage), time)
}

#[cfg(test)]
mod tests {
    use super::belongs;

    #[test]
    fn the_innermost_function_that_is_known_decides() {
        for (stack, stage) in [
            (
                "replica 5025125 \n\t 1 blake3\n\t 2 proof::map::update\n\t 3 ledger::execute::propose",
                "map",
            ),
            ("replica 5025125 \n\t 1 vfs_fsync_range\n\t 2 store::store::Store::sync", "fsync"),
            ("tokio-rt-worker 5025125 \n\t 1 main", "rest"),
        ] {
            assert_eq!(belongs(stack), (stage, 5_025_125), "{stack}");
        }
    }
}
