//! What helps others to help, in one file, and nothing that must stay here: no key, no token, no document.
//!
//! Every part is made for the bundle from what it may hold; no directory is copied. The configuration goes through its own
//! type, without the tokens' digests; of keys only the public halves are named.

use crate::{
    cli::tell,
    doctor,
    gateway::GatewayConfig,
    home::{self, Config},
};
use anyhow::Context as _;
use clap::Subcommand;
use client::keystore;
use serde_json::json;
use std::{
    fs::{self, File, OpenOptions},
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

/// How much of the end of a log is taken.
const LOG_BYTES_MAX: u64 = 1 << 20;
/// How long the node may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What helps others to help.
#[derive(Debug, Subcommand)]
pub enum DebugCommand {
    /// Gather versions, configuration, findings, status, metrics and the end of the log in a tar file, without secrets.
    Bundle {
        /// The validator's directory.
        #[arg(long, env = "MINLIAN_HOME")]
        home: PathBuf,
        /// The file.
        #[arg(long)]
        out: PathBuf,
    },
}

/// Writes a bundle to a new file.
///
/// # Errors
/// When the directory cannot be read, or the file exists or cannot be written.
pub async fn write(directory: &Path, out: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let directory = fs::canonicalize(directory)
        .with_context(|| format!("no directory {}", directory.display()))?;
    let (config, genesis) = home::read_public(&directory)?;
    let cannot = || format!("cannot create {}; it is never overwritten", out.display());
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(out);
    let mut tar = tar::Builder::new(file.with_context(cannot)?);
    let version = json!({
        "version": env!("CARGO_PKG_VERSION"), "chain": genesis.chain(), "network": genesis.name,
        "block_format": types::block::VERSION, "transaction_format": types::transaction::VERSION,
    });
    add(&mut tar, "version.json", &pretty(&version)?)?;
    add(&mut tar, "node.toml", redacted(&config)?.as_bytes())?;
    add(&mut tar, "genesis.toml", genesis.to_toml().as_bytes())?;
    add(&mut tar, "keys.json", &pretty(&keys(&config))?)?;
    let findings = doctor::examine(&directory).await;
    add(&mut tar, "doctor.json", &pretty(&json!({ "findings": findings }))?)?;
    let http = client::plain().timeout(PATIENCE).build()?;
    for (name, path) in
        [("status.json", "/v1/status"), ("readyz.json", "/readyz"), ("metrics.txt", "/metrics")]
    {
        let answer =
            async { http.get(format!("http://{}{path}", config.api)).send().await?.text().await };
        let text = answer.await.unwrap_or_else(|error| format!("no answer: {error}"));
        add(&mut tar, name, text.as_bytes())?;
    }
    add(&mut tar, "files.json", &pretty(&files(&directory))?)?;
    let process = holder_of(&config.data.join("lock"));
    for name in ["limits", "status"] {
        let text = match process {
            Some(pid) => fs::read_to_string(format!("/proc/{pid}/{name}"))
                .unwrap_or_else(|error| format!("process {pid}: {error}")),
            None => "no process has the ledger open".to_owned(),
        };
        add(&mut tar, &format!("process-{name}.txt"), text.as_bytes())?;
    }
    if let Some(log) = end_of(&directory.join("node.log")) {
        add(&mut tar, "node.log", &log)?;
    }
    let file = tar.into_inner()?;
    file.sync_all()?;
    let text = format!(
        "{}: read it before you hand it on; names and addresses of your network are in it, secrets are not",
        out.display()
    );
    tell(json, &json!({ "file": out, "process": process }), &text);
    Ok(ExitCode::SUCCESS)
}

/// The process that has a file locked: the node, if it is the ledger's. Its own files tell nobody, since nothing may look
/// into its memory; the system's list of locks does.
fn holder_of(lock: &Path) -> Option<u32> {
    use std::os::unix::fs::MetadataExt as _;
    let file = fs::metadata(lock).ok()?;
    let locks = fs::read_to_string("/proc/locks").ok()?;
    locks.lines().find_map(|line| {
        // `1: FLOCK  ADVISORY  WRITE 4121 fe:01:131 0 EOF`; the device is shown in other words than here.
        let words: Vec<_> = line.split_whitespace().collect();
        let [_, "FLOCK", _, _, pid, place, ..] = words[..] else { return None };
        let inode: u64 = place.rsplit(':').next()?.parse().ok()?;
        (inode == file.ino()).then(|| pid.parse().ok())?
    })
}

fn pretty(value: &serde_json::Value) -> anyhow::Result<Vec<u8>> {
    Ok(serde_json::to_vec_pretty(value)?)
}

fn add(tar: &mut tar::Builder<File>, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o600);
    tar.append_data(&mut header, format!("minlian-debug/{name}"), bytes)?;
    tar.get_mut().flush()?;
    Ok(())
}

/// The configuration as it holds, without what lets anybody in.
fn redacted(config: &Config) -> anyhow::Result<String> {
    let mut config = config.clone();
    let tokens = match &mut config.gateway {
        Some(gateway) => core::mem::take(&mut gateway.tokens).len(),
        None => 0,
    };
    Ok(format!(
        "# {tokens} tokens of the gateway are left out.\n{}",
        toml::to_string_pretty(&config)?
    ))
}

fn keys(config: &Config) -> serde_json::Value {
    let gateway = config.gateway.iter().flat_map(GatewayConfig::keys);
    let own = [config.consensus_key.as_path(), &config.transport_key];
    let described = own.into_iter().chain(gateway).map(|path| match keystore::label(path) {
        Ok(label) => json!({
            "file": path, "purpose": label.purpose, "public": label.public, "encrypted": label.is_sealed,
        }),
        Err(error) => json!({ "file": path, "error": error.to_string() }),
    });
    described.collect()
}

/// What lies in the directory, by name, size and mode.
fn files(directory: &Path) -> serde_json::Value {
    use std::os::unix::fs::MetadataExt as _;
    let mut rows = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten().flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            let path = entry.path();
            let name = path.strip_prefix(directory).unwrap_or(&path).display().to_string();
            // Names of documents are digests of what is in them, and there are as many as documents.
            let is_documents = name == "documents" || name == "jobs";
            rows.push(json!({
                "name": name, "bytes": metadata.len(), "mode": format!("{:o}", metadata.mode()),
            }));
            if metadata.is_dir() && !is_documents && rows.len() < 10_000 {
                open.push(path);
            }
        }
    }
    rows.into()
}

fn end_of(path: &Path) -> Option<Vec<u8>> {
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_BYTES_MAX))).ok()?;
    let mut bytes = Vec::new();
    file.take(LOG_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
