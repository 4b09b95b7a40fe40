//! The network under measurement, and what is submitted to it.

use crate::{
    VALIDATORS,
    figures::{cpu_ms, disk_bytes, millionths, number},
    line::Line,
};
use anyhow::{Context as _, ensure};
use client::{Client, Signer};
use node::{clock, testnet::Testnet};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};
use tokio::task::JoinSet;
use types::{
    ChainId, Digest, Hash, Height, Operation, Region, Text, codec,
    identifier::LicenceIdentifier,
    operation::{
        Action, Commitment, EventType, Grade, LicenceAction, LicenceFacts, LicenceVerb, Provenance,
        TraceEvent,
    },
    subject::Part as Role,
};

/// The processes of a network. However the run ends, they end too.
pub(crate) struct Running {
    pub(crate) command: PathBuf,
    pub(crate) home: PathBuf,
    pub(crate) stopped: AtomicBool,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Err(error) = self.down() {
            eprintln!("error: {error:#}");
        }
    }
}

impl Running {
    /// Whatever will run of the network in a directory.
    pub(crate) fn of(home: &Path) -> anyhow::Result<Self> {
        let command = std::env::current_exe()?.with_file_name("minlian-node");
        ensure!(command.exists(), "{} is not there; `scripts/build` makes it", command.display());
        Ok(Self { command, home: home.to_owned(), stopped: AtomicBool::new(false) })
    }

    pub(crate) fn testnet(&self, words: &[&str]) -> anyhow::Result<()> {
        let status = Command::new(&self.command)
            .arg("testnet")
            .args(words)
            .arg("--home")
            .arg(&self.home)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()?;
        ensure!(status.success(), "`minlian-node testnet {}` failed", words.join(" "));
        Ok(())
    }

    pub(crate) fn down(&self) -> anyhow::Result<()> {
        if self.stopped.swap(true, Relaxed) || !self.home.join("testnet.json").exists() {
            return Ok(());
        }
        self.testnet(&["down"])
    }
}

/// The network under measurement.
pub(crate) struct Net {
    pub(crate) running: Running,
    pub(crate) names: Vec<String>,
    pub(crate) clients: Vec<Client>,
    pub(crate) signer: Arc<Signer>,
    pub(crate) chain: ChainId,
    pub(crate) serial: AtomicU64,
}

impl Net {
    pub(crate) async fn up(home: &Path, base_port: u16) -> anyhow::Result<Self> {
        let running = Running::of(home)?;
        let (size, port) = (VALIDATORS.to_string(), base_port.to_string());
        running.testnet(&["up", "--detach", "--validators", &size, "--base-port", &port])?;
        let clients = Self::clients(home).await?;
        let first = clients.first().context("a network has validators")?;
        Ok(Self {
            chain: first.status().await?.chain,
            names: Testnet::open(home)?.names().map(str::to_owned).collect(),
            signer: Arc::new(Signer::open(&home.join("keys/issuer.json"))?),
            serial: AtomicU64::new(0),
            clients,
            running,
        })
    }

    /// Clients of all validators of a network.
    pub(crate) async fn clients(home: &Path) -> anyhow::Result<Vec<Client>> {
        let views = Testnet::open(home)?.view().await;
        Ok(views.iter().map(|view| Client::new(&view.api)).collect::<Result<_, _>>()?)
    }

    pub(crate) fn first(&self) -> &Client {
        &self.clients[0]
    }

    /// How many records every one of the validators has.
    pub(crate) async fn records(&self) -> anyhow::Result<u64> {
        let mut least = u64::MAX;
        for client in &self.clients {
            least = least.min(client.status().await?.records);
        }
        Ok(least)
    }

    /// Transactions of so many operations each, on subjects that nobody has seen, as bytes.
    pub(crate) async fn sign(&self, count: u64, operations: u64) -> anyhow::Result<Vec<Vec<u8>>> {
        let valid_until = self.first().status().await?.valid_until_max;
        let first = self.serial.fetch_add(count * operations, Relaxed);
        let shares = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
        let mut tasks = JoinSet::new();
        for share in 0..shares {
            let (signer, chain) = (Arc::clone(&self.signer), self.chain);
            tasks.spawn_blocking(move || {
                let mine = (share..count).step_by(usize::try_from(shares).unwrap_or(1));
                mine.map(|n| sign(&signer, chain, valid_until, first + n * operations, operations))
                    .collect::<std::io::Result<Vec<_>>>()
            });
        }
        let mut all = Vec::new();
        while let Some(share) = tasks.join_next().await {
            all.extend(share??);
        }
        Ok(all)
    }

    pub(crate) fn pids(&self) -> Vec<i32> {
        let testnet = Testnet::open(&self.running.home);
        let pid = |name: &String| testnet.as_ref().ok()?.pid(name);
        self.names.iter().filter_map(pid).collect()
    }

    /// What the validators' data takes on disk, all together.
    pub(crate) fn disk_bytes(&self) -> u64 {
        self.names.iter().map(|name| disk_bytes(&self.running.home.join(name).join("data"))).sum()
    }

    /// Processor time spent so far, milliseconds: the validators', and ours.
    pub(crate) fn cpu_ms(&self) -> (u64, u64) {
        let own = i32::try_from(std::process::id()).unwrap_or_default();
        (self.pids().into_iter().map(cpu_ms).sum(), cpu_ms(own))
    }

    /// What each validator has of the machine now.
    pub(crate) fn look(&self) -> Vec<Resources> {
        self.pids().into_iter().map(Resources::of).collect()
    }

    pub(crate) fn resources(&self) -> Value {
        println!();
        let mut rows = Vec::new();
        for (name, found) in self.names.iter().zip(self.look()) {
            let Resources { rss_kib, rss_highest_kib, threads, files } = found;
            let (rss, peak) = (rss_kib / 1024, rss_highest_kib / 1024);
            println!(
                "{name:<13} RSS {rss} MiB (highest {peak} MiB), {threads} threads, {files} descriptors"
            );
            rows.push(json!({
                "name": name, "rss_mib": rss, "rss_highest_mib": peak, "threads": threads, "descriptors": files,
            }));
        }
        rows.into()
    }

    /// What the first validator counts: syncs of its journal and of its blocks, and their microseconds.
    pub(crate) async fn counted(&self) -> anyhow::Result<[u64; 4]> {
        let text = self.metrics().await?;
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            millionths(line.unwrap_or_default())
        };
        Ok([
            value("minlian_journal_seconds_count") / 1_000_000,
            value("minlian_journal_seconds_sum"),
            value("minlian_commit_seconds_count") / 1_000_000,
            value("minlian_commit_seconds_sum"),
        ])
    }

    /// How often the first validator wrote a block, by how long that took.
    pub(crate) async fn commits(&self) -> anyhow::Result<Buckets> {
        let text = self.metrics().await?;
        let bucket = |line: &str| {
            let (bound, times) =
                line.strip_prefix("minlian_commit_seconds_bucket{le=\"")?.split_once("\"} ")?;
            let bound = if bound == "+Inf" { u64::MAX } else { millionths(bound) };
            Some((bound, number(times)))
        };
        Ok(Buckets(text.lines().filter_map(bucket).collect()))
    }

    async fn metrics(&self) -> anyhow::Result<String> {
        Line::to(self.first()).await?.get("/metrics").await
    }
}

/// What a process has of the machine.
pub(crate) struct Resources {
    pub(crate) rss_kib: u64,
    pub(crate) rss_highest_kib: u64,
    pub(crate) threads: u64,
    pub(crate) files: u64,
}

impl Resources {
    fn of(pid: i32) -> Self {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let field = |key: &str| {
            number(status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default())
        };
        let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten();
        Self {
            rss_kib: field("VmRSS:"),
            rss_highest_kib: field("VmHWM:"),
            threads: field("Threads:"),
            files: files.count() as u64,
        }
    }
}

/// A histogram: under each bound, microseconds, how often it took at most so long.
#[derive(Default)]
pub(crate) struct Buckets(Vec<(u64, u64)>);

impl Buckets {
    /// What came after an earlier look.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let before = |bound| earlier.0.iter().find(|(under, _)| *under == bound);
        let since = |(bound, times): &(u64, u64)| {
            (*bound, times.saturating_sub(before(*bound).map_or(0, |(_, times)| *times)))
        };
        Self(self.0.iter().map(since).collect())
    }

    /// What 99 of 100 took at most, as exactly as the bounds tell.
    pub(crate) fn p99_us(&self) -> u64 {
        let all = self.0.last().map_or(0, |(_, times)| *times);
        let found = self.0.iter().find(|(_, times)| times * 100 >= all * 99);
        found.map_or(0, |(bound, _)| *bound)
    }
}

pub(crate) fn sign(
    signer: &Signer,
    chain: ChainId,
    valid_until: Height,
    first: u64,
    operations: u64,
) -> std::io::Result<Vec<u8>> {
    let operations = (first..first + operations).map(operation).collect();
    Ok(codec::encode(&signer.sign(chain, valid_until, operations)?))
}

/// The `serial`-th record: four lots on their way, then a licence; each of its own subject.
pub(crate) fn operation(serial: u64) -> Operation {
    let now = clock::now();
    let document = Digest::blake3(&serial.to_le_bytes());
    let action = if serial % 5 == 4 {
        let serial = format!("{serial:012}");
        let (kind, issuer, version) = ("11350000MXDEX01033", "350000", "001");
        let licence = LicenceIdentifier { kind, issuer, serial: &serial, version }.compose();
        Action::Licence(LicenceAction {
            licence: text(&licence),
            verb: LicenceVerb::Issue(LicenceFacts {
                kind: text(kind),
                region: Region::new("350000").expect("it is a region"),
                valid_from: now,
                valid_until: Some(now.plus(3 * 365 * 86_400_000)),
            }),
        })
    } else {
        let lot = format!("urn:epc:class:lgtin:6901234.056789.{serial:010}");
        Action::Trace(TraceEvent {
            event: EventType::Object,
            id: Some(text(&format!("urn:uuid:00000000-0000-4000-8000-{serial:012}"))),
            time: now,
            step: Some(text("https://ref.gs1.org/cbv/BizStep-commissioning")),
            lots: vec![(text(&lot), Role::Observed)],
            cbv_hash: Some(Hash(document.bytes)),
            corrects: None,
        })
    };
    Operation {
        action,
        commitment: Commitment { document, content: document, fields: None },
        effective_from: now,
        grade: Grade::Internal,
        provenance: Provenance {
            system: text("capture"),
            version: text("1.4.2"),
            captured_at: now,
        },
    }
}

/// A word of ours as a text with a limit.
pub(crate) fn text<const MAX: usize>(words: &str) -> Text<MAX> {
    Text::new(words).expect("what is written here is within the rules")
}
