//! How fast four validators on this machine are, beside what the machine itself can do in the same minutes.
//!
//! Real processes, real sockets on loopback, fsync on. Nothing here is asserted: a figure is for a person to judge. All
//! of them are integers (nanoseconds, microseconds, thousandths), so that two runs can be compared digit by digit.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command speaks")]

use anyhow::{Context as _, bail, ensure};
use clap::{Parser, ValueEnum};
use client::{Client, Signer, Wait, api::Fate};
use node::{clock, testnet::Testnet};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};
use types::{
    ChainId, Digest, Hash, Height, Operation, Region, SecretKey, Text, codec,
    hash::{Purpose, hash},
    key::Domain,
    operation::{
        Action, Commitment, EventType, Grade, LicenceAction, LicenceFacts, LicenceVerb, Provenance,
        TraceEvent,
    },
    subject::Part as Role,
};

/// How many validators.
const VALIDATORS: u64 = 4;
/// Connections that submit at once.
const LINES: usize = 256;
/// Connections that submit one transaction at a time and wait until it is committed, to measure.
const PROBES: usize = 8;
/// Before it is measured, a load runs for this long.
const WARM_UP: Duration = Duration::from_secs(2);
/// How long accepted transactions may take to be committed when nothing more comes.
const DRAIN: Duration = Duration::from_secs(30);
/// The longest pause after a node asked for patience.
const BACK_OFF_MAX: Duration = Duration::from_millis(800);

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
        report["kill"] = kill(&net).await?;
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
    if let Some(path) = &arguments.out {
        fs::write(path, serde_json::to_string_pretty(&report)? + "\n")
            .with_context(|| format!("cannot write {}", path.display()))?;
        println!("\nwritten to {}", path.display());
    }
    Ok(())
}

/// What all this ran on.
struct Machine {
    cpu: String,
    cores: u64,
    memory_mib: u64,
    kernel: String,
    compiler: String,
}

impl Machine {
    fn look() -> Self {
        let field = |file: &str, name: &str| {
            let text = fs::read_to_string(file).unwrap_or_default();
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
        };
        let memory = field("/proc/meminfo", "MemTotal");
        let compiler = Command::new("rustc").arg("--version").stdin(Stdio::null()).output();
        Self {
            cpu: field("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism().map_or(1, |n| n.get() as u64),
            memory_mib: number(&memory) / 1024,
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .unwrap_or_default()
                .trim()
                .into(),
            compiler: compiler
                .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
                .unwrap_or_default(),
        }
    }

    fn print(&self) {
        let Self { cpu, cores, memory_mib, kernel, compiler } = self;
        println!(
            "machine       {cpu}, {cores} cores, {memory_mib} MiB, Linux {kernel}; {compiler}"
        );
    }

    fn json(&self) -> Value {
        json!({
            "cpu": self.cpu, "cores": self.cores, "memory_mib": self.memory_mib, "kernel": self.kernel,
            "rustc": self.compiler, "version": env!("CARGO_PKG_VERSION"),
        })
    }
}

/// What the machine can do at best, measured just now.
struct Limits {
    verify_ns: u64,
    sign_ns: u64,
    hash_ns: u64,
    sync_us: Spread,
    /// Singly signed transactions a second if there were nothing but signatures: each is made once and checked by all.
    singles: u64,
    /// The same, for those that were signed beforehand.
    singles_signed: u64,
}

impl Limits {
    fn measure(directory: &Path, cores: u64) -> anyhow::Result<Self> {
        let (secret, chain) = (SecretKey::from_seed([7; 32]), ChainId(Hash([1; 32])));
        let (public, body) = (secret.public(), [9; 160]);
        let signature = secret.sign(Domain::Transaction, &chain, &body);
        let verify_ns = best_of(100, || {
            let good = public.verify(Domain::Transaction, &chain, &body, &signature);
            assert!(good.is_ok(), "a signature just made verifies");
        });
        let sign_ns = best_of(100, || {
            std::hint::black_box(secret.sign(Domain::Transaction, &chain, &body));
        });
        let hash_ns = best_of(10_000, || {
            std::hint::black_box(hash(Purpose::Record, &[&body[..64]]));
        });
        let mut file = fs::File::create(directory.join("sync"))?;
        let page = [7; 4096];
        let mut syncs = Vec::new();
        for _ in 0..300 {
            let started = clock::instant();
            file.write_all(&page)?;
            file.sync_data()?;
            syncs.push(micros(started.elapsed()));
        }
        let all = VALIDATORS * verify_ns;
        Ok(Self {
            verify_ns,
            sign_ns,
            hash_ns,
            sync_us: Spread::of(syncs),
            singles: cores * 1_000_000_000 / (all + sign_ns),
            singles_signed: cores * 1_000_000_000 / all,
        })
    }

    fn print(&self) {
        println!(
            "limits        verify {} µs, sign {} µs, hash of 64 bytes {} ns, append 4 KiB + fdatasync p50 {} ms p99 {} ms",
            thousandths(self.verify_ns),
            thousandths(self.sign_ns),
            self.hash_ns,
            thousandths(self.sync_us.p50),
            thousandths(self.sync_us.p99),
        );
        println!(
            "              all cores ÷ ({VALIDATORS} verifications + 1 signature): {} singly signed transactions/s ({} if signed beforehand)",
            self.singles, self.singles_signed,
        );
    }

    fn json(&self) -> Value {
        json!({
            "verify_ns": self.verify_ns, "sign_ns": self.sign_ns, "hash_64_bytes_ns": self.hash_ns,
            "append_fdatasync_us": self.sync_us.json(), "singly_signed_per_second": self.singles,
            "singly_signed_beforehand_per_second": self.singles_signed,
        })
    }
}

/// Nanoseconds that `work` takes: the least of many means, because a limit is what the machine does when left alone.
fn best_of(times: u64, mut work: impl FnMut()) -> u64 {
    let mean = |_| {
        let started = clock::instant();
        (0..times).for_each(|_| work());
        u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX) / times
    };
    (0..30).map(mean).min().unwrap_or_default()
}

/// The processes of a network. However the run ends, they end too.
struct Running {
    command: PathBuf,
    home: PathBuf,
    stopped: AtomicBool,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Err(error) = self.down() {
            eprintln!("error: {error:#}");
        }
    }
}

impl Running {
    fn testnet(&self, words: &[&str]) -> anyhow::Result<()> {
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

    fn down(&self) -> anyhow::Result<()> {
        if self.stopped.swap(true, Relaxed) || !self.home.join("testnet.json").exists() {
            return Ok(());
        }
        self.testnet(&["down"])
    }
}

/// The network under measurement.
struct Net {
    running: Running,
    names: Vec<String>,
    clients: Vec<Client>,
    signer: Arc<Signer>,
    chain: ChainId,
    serial: AtomicU64,
}

impl Net {
    async fn up(home: &Path, base_port: u16) -> anyhow::Result<Self> {
        let command = std::env::current_exe()?.with_file_name("minlian-node");
        ensure!(command.exists(), "{} is not there; `scripts/build` makes it", command.display());
        let running = Running { command, home: home.to_owned(), stopped: AtomicBool::new(false) };
        let (size, port) = (VALIDATORS.to_string(), base_port.to_string());
        running.testnet(&["up", "--detach", "--validators", &size, "--base-port", &port])?;
        let views = Testnet::open(home)?.view().await;
        let clients: Vec<_> =
            views.iter().map(|view| Client::new(&view.api)).collect::<Result<_, _>>()?;
        let first = clients.first().context("a network has validators")?;
        Ok(Self {
            chain: first.status().await?.chain,
            names: views.into_iter().map(|view| view.name).collect(),
            signer: Arc::new(Signer::open(&home.join("keys/issuer.json"))?),
            serial: AtomicU64::new(0),
            clients,
            running,
        })
    }

    fn first(&self) -> &Client {
        &self.clients[0]
    }

    /// How many records every one of the validators has.
    async fn records(&self) -> anyhow::Result<u64> {
        let mut least = u64::MAX;
        for client in &self.clients {
            least = least.min(client.status().await?.records);
        }
        Ok(least)
    }

    /// Transactions of so many operations each, on subjects that nobody has seen, as bytes.
    async fn sign(&self, count: u64, operations: u64) -> anyhow::Result<Vec<Vec<u8>>> {
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

    fn pids(&self) -> Vec<i32> {
        let testnet = Testnet::open(&self.running.home);
        let pid = |name: &String| testnet.as_ref().ok()?.pid(name);
        self.names.iter().filter_map(pid).collect()
    }

    /// What the validators' data takes on disk, all together.
    fn disk_bytes(&self) -> u64 {
        self.names.iter().map(|name| disk_bytes(&self.running.home.join(name).join("data"))).sum()
    }

    /// Processor time spent so far, milliseconds: the validators', and ours.
    fn cpu_ms(&self) -> (u64, u64) {
        let own = i32::try_from(std::process::id()).unwrap_or_default();
        (self.pids().into_iter().map(cpu_ms).sum(), cpu_ms(own))
    }

    fn resources(&self) -> Value {
        println!();
        let mut rows = Vec::new();
        for (name, pid) in self.names.iter().zip(self.pids()) {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let field = |key: &str| {
                number(status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default())
            };
            let (rss, peak, threads) =
                (field("VmRSS:") / 1024, field("VmHWM:") / 1024, field("Threads:"));
            let files = fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
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
    async fn counted(&self) -> anyhow::Result<[u64; 4]> {
        let mut line = Line::to(self.first()).await?;
        let text = line.get("/metrics").await?;
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
}

fn sign(
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
fn operation(serial: u64) -> Operation {
    let now = clock::now();
    let document = Digest::blake3(&serial.to_le_bytes());
    let action = if serial % 5 == 4 {
        Action::Licence(LicenceAction {
            licence: text(&format!("1.2.156.3005.2.11350000MXDEX01033.{serial:012}")),
            verb: LicenceVerb::Issue(LicenceFacts {
                kind: text("1"),
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
fn text<const MAX: usize>(words: &str) -> Text<MAX> {
    Text::new(words).expect("what is written here is within the rules")
}

/// One record after the other, each waited for.
async fn idle(net: &Net, samples: u64) -> anyhow::Result<Value> {
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
struct Load {
    name: &'static str,
    operations: u64,
    seconds: u64,
    /// The most transactions that may be sent and not yet committed everywhere.
    window: u64,
    /// Transactions a second, if not as many as possible.
    pace: Option<u64>,
    /// Transactions to prepare for each second: more than there is hope of.
    per_second: u64,
}

/// What the connections of a load share.
struct Course {
    txs: Vec<Vec<u8>>,
    next: AtomicU64,
    accepted: AtomicU64,
    refused: AtomicU64,
    /// Those that were committed everywhere or refused, by the last look.
    settled: AtomicU64,
    stopped: AtomicBool,
    window: u64,
    pace: Option<u64>,
    started: Instant,
    errors: Mutex<BTreeMap<String, u64>>,
}

impl Course {
    /// The next transaction, when its time has come; none when the course is over.
    async fn next(&self) -> Option<&Vec<u8>> {
        let index = self.next.fetch_add(1, Relaxed);
        let tx = self.txs.get(usize::try_from(index).ok()?)?;
        loop {
            if self.stopped.load(Relaxed) {
                return None;
            }
            let waiting = index.saturating_sub(self.settled.load(Relaxed));
            let due = self.pace.map_or(0, |pace| index * 1_000_000 / pace);
            let now = micros(self.started.elapsed());
            if waiting < self.window && now >= due {
                return Some(tx);
            }
            tokio::time::sleep(Duration::from_micros(due.saturating_sub(now).clamp(1000, 50_000)))
                .await;
        }
    }

    fn note(&self, code: &str) {
        count(&mut self.errors.lock().unwrap_or_else(PoisonError::into_inner), code);
    }

    /// Submits until the course is over. A node that asks for patience gets it.
    async fn submit(self: Arc<Self>, mut line: Line) -> anyhow::Result<()> {
        while let Some(tx) = self.next().await {
            let mut pause = Duration::from_millis(50);
            while !self.stopped.load(Relaxed) {
                match line.submit(tx, Wait::Accepted).await? {
                    Ok(Fate::Accepted | Fate::Committed) => {
                        self.accepted.fetch_add(1, Relaxed);
                        break;
                    }
                    Ok(fate @ (Fate::Recorded | Fate::Refused)) => {
                        self.note(&format!("{fate:?}"));
                        self.refused.fetch_add(1, Relaxed);
                        break;
                    }
                    Err(Refused { status: 429 | 503, code }) => {
                        self.note(&code);
                        tokio::time::sleep(pause).await;
                        pause = (pause * 2).min(BACK_OFF_MAX);
                    }
                    Err(Refused { code, .. }) => {
                        self.note(&code);
                        self.refused.fetch_add(1, Relaxed);
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Submits one transaction after the other, and measures until each is committed.
    async fn probe(self: Arc<Self>, mut line: Line, txs: Vec<Vec<u8>>) -> anyhow::Result<Vec<u64>> {
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
    async fn run(&self, net: &Net, limits: &Limits) -> anyhow::Result<(Value, u64)> {
        let Self { name, operations, seconds, window, pace, per_second } = *self;
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

        let (records, time) = (after - before, micros(to.duration_since(from)).max(1));
        let rate = records * 1_000_000 / time;
        let spread = Spread::of(times);
        let errors = course.errors.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let nodes_us = (cpu_after.0 - cpu_before.0) * 1000 / records.max(1);
        let bench_us = (cpu_after.1 - cpu_before.1) * 1000 / records.max(1);
        let txs_rate = rate / operations;
        println!(
            "\n{name}: {operations} records and {tx_bytes} bytes a transaction, {signed} signed beforehand in {} s; {LINES} connections,",
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
            "              {rate} records/s committed on all {VALIDATORS}: {} of the limit for singly signed ones ({} if signed beforehand)",
            thousandths(rate * 1000 / limits.singles.max(1)),
            thousandths(rate * 1000 / limits.singles_signed.max(1)),
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
                "operations": operations, "transaction_bytes": tx_bytes, "window": window, "wanted_per_second": pace,
                "connections": LINES, "measured_us": time, "records": records, "records_per_second": rate,
                "of_limit_thousandths": rate * 1000 / limits.singles.max(1),
                "of_limit_signed_beforehand_thousandths": rate * 1000 / limits.singles_signed.max(1),
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
async fn drained(net: &Net, wanted: u64) -> anyhow::Result<u64> {
    let started = clock::instant();
    loop {
        let records = net.records().await?;
        if records >= wanted || started.elapsed() > DRAIN {
            return Ok(records);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// One validator gone without a word, under a small load, and back.
async fn kill(net: &Net) -> anyhow::Result<Value> {
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
        let started = clock::instant();
        submitted(&mut line, tx).await?;
        gaps.push(micros(started.elapsed()));
    }
    let gaps = Spread::of(gaps);
    // Something to catch up with.
    for tx in &txs[41..] {
        if killed.elapsed() > Duration::from_secs(25) {
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

/// Submits until it is committed.
async fn submitted(line: &mut Line, tx: &[u8]) -> anyhow::Result<()> {
    for _ in 0..5 {
        if let Ok(Fate::Committed) = line.submit(tx, Wait::Committed).await? {
            return Ok(());
        }
    }
    bail!("a record was not committed, four times")
}

/// A connection to a node that asks one thing at a time: the least that speaking HTTP can cost, because the load shares
/// the processors with the nodes.
struct Line {
    stream: BufReader<TcpStream>,
    host: String,
    text: String,
    body: Vec<u8>,
}

/// A node's no.
struct Refused {
    status: u16,
    code: String,
}

impl Line {
    async fn to(client: &Client) -> anyhow::Result<Self> {
        let host = client.url().trim_start_matches("http://").to_owned();
        let address: SocketAddr = host.parse()?;
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), host, text: String::new(), body: Vec::new() })
    }

    async fn get(&mut self, path: &str) -> anyhow::Result<String> {
        let head = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.host);
        let status = self.exchange(head.as_bytes()).await?;
        ensure!(status == 200, "{path} answers {status}");
        Ok(String::from_utf8_lossy(&self.body).into_owned())
    }

    async fn submit(&mut self, tx: &[u8], wait: Wait) -> anyhow::Result<Result<Fate, Refused>> {
        let wait = match wait {
            Wait::Accepted => "accepted",
            Wait::Committed => "committed",
        };
        let mut request = format!(
            "POST /v1/transactions?wait={wait} HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n\r\n",
            self.host,
            tx.len()
        )
        .into_bytes();
        request.extend_from_slice(tx);
        let status = self.exchange(&request).await?;
        // Most answers are many, alike and long; the one that matters is spelled out by its status.
        if status == 202 {
            return Ok(Ok(Fate::Accepted));
        }
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        if status == 200 {
            return Ok(Ok(serde_json::from_value(body["status"].clone())?));
        }
        let code = body["code"].as_str().map_or_else(|| format!("HTTP-{status}"), str::to_owned);
        Ok(Err(Refused { status, code }))
    }

    /// Sends a request, reads the answer's body, and returns its status.
    async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<u16> {
        self.stream.get_mut().write_all(request).await?;
        let (mut status, mut length) = (None, 0);
        loop {
            self.text.clear();
            ensure!(self.stream.read_line(&mut self.text).await? > 0, "{} hung up", self.host);
            let line = self.text.trim_end();
            if line.is_empty() {
                break;
            }
            if status.is_none() {
                status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
            } else if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse()?;
            }
        }
        self.body.resize(length, 0);
        self.stream.read_exact(&mut self.body).await?;
        status.with_context(|| format!("{} does not speak HTTP", self.host))
    }
}

/// How some measurements are spread.
#[derive(Clone, Copy, Default)]
struct Spread {
    samples: u64,
    p50: u64,
    p90: u64,
    p99: u64,
    highest: u64,
}

impl Spread {
    fn of(mut values: Vec<u64>) -> Self {
        values.sort_unstable();
        let at = |percent: usize| {
            values.get((values.len() * percent / 100).min(values.len().saturating_sub(1)))
        };
        let at = |percent| at(percent).copied().unwrap_or_default();
        Self {
            samples: values.len() as u64,
            p50: at(50),
            p90: at(90),
            p99: at(99),
            highest: at(100),
        }
    }

    fn json(&self) -> Value {
        let Self { samples, p50, p90, p99, highest } = self;
        json!({ "samples": samples, "p50": p50, "p90": p90, "p99": p99, "highest": highest })
    }
}

/// What the first validator wrote and waited for between two moments.
struct Syncs {
    journals: u64,
    journals_us: u64,
    blocks: u64,
    blocks_us: u64,
}

impl Syncs {
    fn between(before: [u64; 4], after: [u64; 4]) -> Self {
        let [journals, journals_us, blocks, blocks_us] =
            core::array::from_fn(|index| after[index].saturating_sub(before[index]));
        Self { journals, journals_us, blocks, blocks_us }
    }

    fn print(&self, records: u64) {
        let blocks = self.blocks.max(1);
        println!(
            "              {} blocks of {} records; each {} ms in {} syncs of the journal and {} ms in the commit",
            self.blocks,
            records / blocks,
            thousandths(self.journals_us / blocks),
            thousandths(self.journals * 1000 / blocks),
            thousandths(self.blocks_us / blocks),
        );
    }

    fn json(&self) -> Value {
        let Self { journals, journals_us, blocks, blocks_us } = self;
        json!({ "journal": journals, "journal_us": journals_us, "blocks": blocks, "commit_us": blocks_us })
    }
}

fn count(counts: &mut BTreeMap<String, u64>, code: &str) {
    *counts.entry(code.to_owned()).or_default() += 1;
}

fn in_words(errors: &BTreeMap<String, u64>) -> String {
    if errors.is_empty() {
        return "none".into();
    }
    let words: Vec<_> = errors.iter().map(|(code, times)| format!("{code} {times}")).collect();
    words.join(", ")
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// A number of thousandths, with a point.
fn thousandths(number: u64) -> String {
    format!("{}.{:03}", number / 1000, number % 1000)
}

/// The digits that a text begins with, white space aside.
fn number(text: &str) -> u64 {
    let digits: String = text.trim().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_default()
}

/// A decimal number in millionths.
fn millionths(text: &str) -> u64 {
    let text = text.trim();
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let part: String = part.chars().chain("000000".chars()).take(6).collect();
    number(whole) * 1_000_000 + number(&part)
}

/// What the files under a directory take, as long as they are.
fn disk_bytes(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok);
    entries
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => disk_bytes(&entry.path()),
            Ok(found) => found.len(),
            // It vanished while we looked.
            Err(_) => 0,
        })
        .sum()
}

/// The processor time of a process so far, milliseconds. The kernel counts in hundredths of a second.
fn cpu_ms(pid: i32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = text.rsplit(')').next().unwrap_or_default();
    fields.split_whitespace().skip(11).take(2).map(|ticks| number(ticks) * 10).sum()
}
