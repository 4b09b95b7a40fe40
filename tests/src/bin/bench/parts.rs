//! The parts by themselves: the benches that lie beside the crates, run by cargo, and what they found, read from their files.

use crate::figures::{millionths, thousandths};
use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::SystemTime,
};

/// The benches, which are files in `benches/` of the crates that own the parts.
const BENCHES: [&str; 4] = ["codec", "proofs", "blocks", "commits"];

/// Runs them all, in the profile and the selection of packages in which everything else was built, so that RocksDB is not
/// compiled again.
pub(crate) fn parts() -> anyhow::Result<Value> {
    let repository = tests::repository();
    let program = std::env::current_exe()?;
    let target = program.ancestors().nth(2).context("the command lies in a target directory")?;
    let found = target.join("criterion");
    println!(
        "\nparts         each by itself, on one thread, in some three minutes; more in {} (criterion)",
        found.display()
    );
    let before = newest(&found);
    let mut command = Command::new("cargo");
    command.args(["bench", "--profile", "release", "--locked", "--workspace", "--quiet"]);
    for bench in BENCHES {
        command.args(["--bench", bench]);
    }
    command.args(["--", "--noplot", "--warm-up-time", "1", "--measurement-time", "3"]);
    command.current_dir(&repository);
    command.env("CARGO_TARGET_DIR", target).env("CRITERION_HOME", &found);
    let output = command.stdin(Stdio::null()).output();
    let output = output.context("cannot run cargo, which the parts are measured with")?;
    ensure!(
        output.status.success(),
        "`cargo bench` failed in {}: {}",
        repository.display(),
        String::from_utf8_lossy(&output.stderr)
    );

    println!("              {:<62}{:>14}{:>12}", "", "mean µs", "± µs");
    let mut report = Vec::new();
    for directory in estimates(&found)? {
        // Those of benches that are no more lie there too.
        if modified(&directory.join("estimates.json")) <= before {
            continue;
        }
        let (bench, estimates) =
            (read(&directory.join("benchmark.json"))?, read(&directory.join("estimates.json"))?);
        let nanoseconds = |value: &Value| millionths(&value.to_string()) / 1_000_000;
        let name = bench["full_id"].as_str().context("a bench has a name")?;
        let mean = nanoseconds(&estimates["mean"]["point_estimate"]);
        let interval = &estimates["mean"]["confidence_interval"];
        let low = nanoseconds(&interval["lower_bound"]);
        let half = nanoseconds(&interval["upper_bound"]).saturating_sub(low) / 2;
        println!("              {name:<62}{:>14}{:>12}", thousandths(mean), thousandths(half));
        report.push(json!({
            "name": name, "mean_ns": mean, "confidence_ns": half, "throughput": bench["throughput"],
        }));
    }
    ensure!(!report.is_empty(), "cargo bench left nothing in {}", found.display());
    Ok(report.into())
}

fn read(file: &Path) -> anyhow::Result<Value> {
    let text = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(serde_json::from_slice(&text)?)
}

fn modified(file: &Path) -> SystemTime {
    fs::metadata(file).and_then(|found| found.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// When the latest estimate was written.
fn newest(found: &Path) -> SystemTime {
    let all = estimates(found).unwrap_or_default();
    let all = all.iter().map(|directory| modified(&directory.join("estimates.json")));
    all.max().unwrap_or(SystemTime::UNIX_EPOCH)
}

/// The directories of the latest estimates, in the order of their names.
fn estimates(under: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    let mut left = vec![under.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(&directory)? {
            let path = entry?.path();
            if path.is_dir() && path.ends_with("new") {
                all.push(path);
            } else if path.is_dir() {
                left.push(path);
            }
        }
    }
    all.sort();
    Ok(all)
}
