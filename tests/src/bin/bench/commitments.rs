//! A day's exchange: a file of digests by the million, committed to by one record, and any one of them proven.

use crate::{
    figures::{Spread, micros, number, thousandths},
    net::Net,
};
use anyhow::{Context as _, ensure};
use node::clock;
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    io::{BufWriter, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};
use types::Digest;

/// Lines that are proven and verified afterwards, spread over the file.
const PROVEN: u64 = 20;

/// Commits to `lines` digests as `minlian submit --commitments` does, and proves some of them offline.
pub(crate) async fn commitments(net: &Net, scratch: &Path, lines: u64) -> anyhow::Result<Value> {
    let file = scratch.join("day.digests");
    let (of, bytes) = (file.clone(), lines * 65);
    println!("\ncommitments   {lines} digests, one a line, {} MiB in a file", bytes >> 20);
    tokio::task::spawn_blocking(move || write(&of, lines)).await??;
    let home = &net.running.home;
    let minlian = net.running.command.with_file_name("minlian");
    let path = |name: &str| home.join(name).display().to_string();
    let (url, key, root) = (net.first().url(), path("keys/issuer.json"), path("genesis.toml"));
    let day = file.display().to_string();
    let before = net.records().await?;

    let started = clock::instant();
    let words = ["submit", "--commitments", &day, "--series", "urn:fj:exchange:day", "--node", url];
    let child = quiet(&minlian, &words).args(["--key", &key, "--wait", "committed"]).spawn()?;
    let highest = tokio::task::spawn_blocking(move || watched(child)).await??;
    let committed = micros(started.elapsed());
    while net.records().await? <= before {
        ensure!(started.elapsed() < Duration::from_secs(600), "the record never came");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let everywhere = micros(started.elapsed());

    let (proof, document) = (scratch.join("line.proof"), scratch.join("line"));
    let (out, behind) = (proof.display().to_string(), document.display().to_string());
    run(&minlian, &["prove", "line", &day, "1", "--node", url, "--out", &out])?;
    let (mut proving, mut checking) = (Vec::new(), Vec::new());
    for turn in 0..PROVEN {
        let line = 1 + turn * (lines - 1) / (PROVEN - 1);
        let started = clock::instant();
        run(&minlian, &["prove", "line", &day, &line.to_string(), "--out", &out])?;
        proving.push(micros(started.elapsed()));
        fs::write(&document, (line - 1).to_le_bytes())?;
        let started = clock::instant();
        run(&minlian, &["verify", &out, "--trust-root", &root, "--document", &behind])?;
        checking.push(micros(started.elapsed()));
    }
    let proof_bytes = fs::metadata(&proof)?.len();
    let (proving, checking) = (Spread::of(proving), Spread::of(checking));
    let rate = lines * 1_000_000 / everywhere.max(1);
    println!(
        "              from file to committed {} s, on all validators {} s: {rate} digests/s; the command took at most {} MiB",
        thousandths(committed / 1000),
        thousandths(everywhere / 1000),
        highest >> 10,
    );
    println!(
        "              {PROVEN} of them proven from the file alone in p50 {} ms, p99 {}, and verified in p50 {} ms, p99 {}, a process each; {proof_bytes} bytes",
        thousandths(proving.p50),
        thousandths(proving.p99),
        thousandths(checking.p50),
        thousandths(checking.p99),
    );
    fs::remove_file(&file)?;
    Ok(json!({
        "lines": lines, "file_bytes": bytes, "committed_us": committed, "everywhere_us": everywhere, "digests_per_second": rate,
        "rss_highest_kib": highest, "proven_us": proving.json(), "verified_us": checking.json(), "proof_bytes": proof_bytes,
    }))
}

/// Digest `n` is of the eight bytes of `n`, so that any document can be made anew.
fn write(file: &Path, lines: u64) -> anyhow::Result<()> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = BufWriter::with_capacity(1 << 20, File::create(file)?);
    let mut line = [b'\n'; 65];
    for n in 0..lines {
        for (pair, byte) in
            line.as_chunks_mut().0.iter_mut().zip(Digest::blake3(&n.to_le_bytes()).bytes)
        {
            *pair = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
        }
        out.write_all(&line)?;
    }
    // What is still on its way to the disk would be in the figures.
    out.into_inner().context("the file of digests")?.sync_all()?;
    Ok(())
}

fn quiet(command: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(command);
    command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// Waits for a process, and says how much memory it had at most, KiB, as the kernel remembers it.
fn watched(mut child: Child) -> anyhow::Result<u64> {
    let mut highest = 0;
    let ended = loop {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        highest = highest.max(number(line.unwrap_or_default()));
        if let Some(ended) = child.try_wait()? {
            break ended;
        }
        #[expect(clippy::disallowed_methods, reason = "a look now and then at another process")]
        std::thread::sleep(Duration::from_millis(10));
    };
    ensure!(ended.success(), "`minlian submit --commitments` ended with {ended}");
    Ok(highest)
}

fn run(command: &Path, words: &[&str]) -> anyhow::Result<()> {
    let ran = quiet(command, words).output()?;
    let said = String::from_utf8_lossy(&ran.stderr);
    ensure!(
        ran.status.success(),
        "`minlian {}` ended with {}: {said}",
        words.join(" "),
        ran.status
    );
    Ok(())
}
