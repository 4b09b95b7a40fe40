//! Power cuts: validators on disks of their own, whose contents are taken at an instant, as a plug that is pulled leaves
//! them, and put back in their place.
//!
//! Each validator's directory is an ext4 file system in a file, mounted so that it writes by itself nearly never
//! (`commit=300`): what was not synced is not in the file. A cut stops the processes, copies the files, kills the
//! processes, and starts them again over the copies. What the validators signed is read from their logs, which lie outside.

use crate::{lots, program};
use client::{
    Client, Signer, Wait,
    api::{EvidenceList, Fate, Receipt},
};
use core::fmt;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use node::{home, testnet::Testnet};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use types::ChainId;

/// The size of one disk. It is sparse: only what is written takes room.
const DISK_MIB: u64 = 256;
/// How long a network may take to come back.
const PATIENCE: Duration = Duration::from_secs(90);
const NAMES: [&str; 4] = ["v1", "v2", "v3", "v4"];

/// What to do.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How often the power is cut.
    pub cuts: u32,
    /// From which all chance comes.
    pub seed: u64,
}

/// Why it was not shown.
#[derive(Debug)]
pub enum Failed {
    /// This machine does not let us.
    NotHere(String),
    /// A promise does not hold.
    Broken(String),
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotHere(why) => write!(f, "not run: {why}"),
            Self::Broken(why) => write!(f, "broken: {why}"),
        }
    }
}

/// What was shown.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    cuts: u32,
    of_all: u32,
    acknowledged: usize,
    signed: usize,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} cuts ({} of all four, {} of one): {} transactions acknowledged, 0 lost, {} signatures, 0 double signs",
            self.cuts,
            self.of_all,
            self.cuts - self.of_all,
            self.acknowledged,
            self.signed
        )
    }
}

/// Cuts the power again and again, each time while applications submit, and checks what is left.
///
/// # Errors
/// What does not hold, or why it cannot be tried here.
pub fn run(plan: &Plan) -> Result<Summary, Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failed::NotHere(error.to_string()))?;
    runtime.block_on(async {
        let mut rig = Rig::new()?;
        let mut summary = Summary { cuts: 0, of_all: 0, acknowledged: 0, signed: 0 };
        let mut dice = plan.seed;
        let mut acknowledged: Vec<Receipt> = Vec::new();
        rig.start(&NAMES)?;
        for cut in 0..plan.cuts {
            rig.is_well(&acknowledged[acknowledged.len().saturating_sub(300)..]).await?;
            let load = Load::start(&rig, cut).await?;
            sleep(Duration::from_millis(300 + roll(&mut dice, 1500))).await;
            let all = roll(&mut dice, 3) != 0;
            let one = usize::try_from(roll(&mut dice, 4)).unwrap_or_default();
            let victims: &[&str] = if all { &NAMES } else { &NAMES[one..=one] };
            rig.cut(victims)?;
            acknowledged.extend(load.stop());
            rig.start(victims)?;
            summary.cuts += 1;
            summary.of_all += u32::from(all);
        }
        rig.is_well(&acknowledged).await?;
        summary.acknowledged = acknowledged.len();
        summary.signed = rig.signed()?;
        if summary.acknowledged < plan.cuts as usize || summary.signed == 0 {
            return Err(Failed::Broken(format!("too little was done to show anything: {summary}")));
        }
        Ok(summary)
    })
}

/// Any number below `below`, of a sequence that a seed begins (xorshift).
const fn roll(dice: &mut u64, below: u64) -> u64 {
    *dice ^= 0x9E37_79B9_7F4A_7C15;
    *dice ^= *dice << 13;
    *dice ^= *dice >> 7;
    *dice ^= *dice << 17;
    *dice % below
}

/// Four validators, their disks and their logs.
struct Rig {
    root: TempDir,
    nodes: BTreeMap<&'static str, Child>,
    urls: Vec<String>,
    chain: ChainId,
    life: u32,
}

impl Rig {
    fn new() -> Result<Self, Failed> {
        let not_here =
            |what: &str, why: &dyn fmt::Display| Failed::NotHere(format!("{what}: {why}"));
        // In memory if possible: what is tested is what is written, not how fast.
        let memory = Path::new("/dev/shm");
        let root = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let root = root.map_err(|error| not_here("no temporary directory", &error))?;
        let net = root.path().join("net");
        let port = free_ports().ok_or_else(|| Failed::NotHere("no free ports".into()))?;
        let made = Testnet::create(&net, 4, port);
        made.map_err(|error| not_here("cannot make a network", &error))?;
        let genesis = home::read_genesis(&net.join("genesis.toml"));
        let chain = genesis.map_err(|error| not_here("no genesis", &error))?.chain();
        let urls = (1..=4).map(|n| format!("http://127.0.0.1:{}", port + 1000 + n)).collect();
        let rig = Self { root, nodes: BTreeMap::new(), urls, chain, life: 0 };
        for name in NAMES {
            let (home, disk) = (net.join(name), rig.disk(name));
            let config = fs::read_to_string(home.join("node.toml")).unwrap_or_default();
            let config = config.replace("reserve_mib = 128", "reserve_mib = 16");
            fs::write(home.join("node.toml"), config).map_err(|e| not_here("node.toml", &e))?;
            let aside = net.join(format!("{name}.made"));
            fs::rename(&home, &aside)
                .and_then(|()| fs::create_dir(&home))
                .map_err(|e| not_here("mv", &e))?;
            let file = File::create(&disk).and_then(|file| file.set_len(DISK_MIB << 20));
            file.map_err(|error| not_here("cannot make a disk", &error))?;
            tool("mkfs.ext4", &["-q", "-F", "-m", "0", "-J", "size=8", path(&disk)])?;
            rig.mount(name)?;
            tool("cp", &["-a", &format!("{}/.", path(&aside)), path(&home)])?;
            tool("sync", &["-f", path(&home)])?;
        }
        Ok(rig)
    }

    fn home(&self, name: &str) -> PathBuf {
        self.root.path().join("net").join(name)
    }

    fn disk(&self, name: &str) -> PathBuf {
        self.root.path().join(format!("{name}.img"))
    }

    fn mount(&self, name: &str) -> Result<(), Failed> {
        let (disk, home) = (self.disk(name), self.home(name));
        tool("mount", &["-o", "loop,commit=300,noatime", path(&disk), path(&home)])
    }

    fn start(&mut self, names: &[&'static str]) -> Result<(), Failed> {
        self.life += 1;
        for name in names {
            let log = self.root.path().join(format!("{name}.{}.log", self.life));
            let log = File::create(log).map_err(|error| Failed::NotHere(error.to_string()))?;
            let child = program::command("minlian-node")
                .args([
                    "--log",
                    "info,node::shell=debug,arc_malachitebft_core_consensus=warn,libp2p=warn",
                ])
                .args(["start", "--home"])
                .arg(self.home(name))
                .stdout(Stdio::null())
                .stderr(log)
                .spawn();
            self.nodes.insert(*name, child.map_err(|error| Failed::NotHere(error.to_string()))?);
        }
        Ok(())
    }

    /// Pulls the plug: what is on the disks now is all that is left.
    fn cut(&mut self, names: &[&'static str]) -> Result<(), Failed> {
        let pid = |child: &Child| Pid::from_raw(i32::try_from(child.id()).unwrap_or_default());
        let nodes: Vec<Child> = names.iter().filter_map(|name| self.nodes.remove(name)).collect();
        for node in &nodes {
            kill(pid(node), Signal::SIGSTOP).map_err(|error| Failed::Broken(error.to_string()))?;
        }
        for node in &nodes {
            while !is_stopped(node.id()) {
                std::thread::yield_now();
            }
        }
        for name in names {
            let disk = self.disk(name);
            let copy = disk.with_extension("cut");
            tool("cp", &["--sparse=always", path(&disk), path(&copy)])?;
        }
        for mut node in nodes {
            node.kill().and_then(|()| node.wait()).map_err(|e| Failed::Broken(e.to_string()))?;
        }
        for name in names {
            let disk = self.disk(name);
            tool("umount", &[path(&self.home(name))])?;
            fs::rename(disk.with_extension("cut"), &disk)
                .map_err(|e| Failed::Broken(e.to_string()))?;
            self.mount(name)?;
        }
        Ok(())
    }

    fn client(&self, n: usize) -> Result<Client, Failed> {
        Client::new(&self.urls[n]).map_err(|error| Failed::Broken(error.to_string()))
    }

    /// All four have a new block, the same one; everything acknowledged is on all of them; nobody is accused; and no place
    /// was signed twice in all their lives.
    async fn is_well(&mut self, acknowledged: &[Receipt]) -> Result<(), Failed> {
        let deadline = Instant::now() + PATIENCE;
        let mut from = None;
        let mut common = None;
        for n in 0..4 {
            let client = self.client(n)?;
            loop {
                let ended = self.nodes.iter_mut().find_map(|(name, node)| {
                    node.try_wait().ok().flatten().map(|status| format!("{name} ended: {status}"))
                });
                if let Some(ended) = ended {
                    return Err(Failed::Broken(format!("{ended}\n{}", self.logs())));
                }
                if let Ok(status) = client.status().await {
                    let from = *from.get_or_insert(status.height);
                    if status.height > from.plus(1) {
                        break;
                    }
                }
                if Instant::now() > deadline {
                    return Err(Failed::Broken(format!(
                        "v{} is not back:\n{}",
                        n + 1,
                        self.logs()
                    )));
                }
                sleep(Duration::from_millis(50)).await;
            }
            let height = from.unwrap_or_default().next();
            let block = client.block(height).await.ok().flatten();
            let header = block.map(|block| block.header);
            if header.is_none() || *common.get_or_insert(header) != header {
                return Err(Failed::Broken(format!("v{} has another block {height}", n + 1)));
            }
            for receipt in acknowledged {
                let found = client
                    .transaction(&receipt.tx)
                    .await
                    .map_err(|e| Failed::Broken(e.to_string()))?;
                if found.as_ref() != Some(receipt) {
                    return Err(Failed::Broken(format!(
                        "v{} lost {receipt:?}, has {found:?}\n{}",
                        n + 1,
                        self.logs()
                    )));
                }
            }
            let url = format!("{}/v1/evidence", self.urls[n]);
            let list = async { crate::get(url).await?.json::<EvidenceList>().await };
            let list = list.await.map_err(|error| Failed::Broken(error.to_string()))?;
            if !list.evidence.is_empty() {
                return Err(Failed::Broken(format!("v{} holds evidence: {list:?}", n + 1)));
            }
        }
        self.signed().map(drop)
    }

    /// How many signatures there are in the logs of all lives, of which no two are for one place and differ.
    fn signed(&self) -> Result<usize, Failed> {
        let mut count = 0;
        for name in NAMES {
            let mut places: BTreeMap<(u64, u64, u64), String> = BTreeMap::new();
            for life in 1..=self.life {
                let log = self.root.path().join(format!("{name}.{life}.log"));
                let text = fs::read_to_string(log).unwrap_or_default();
                for line in text.lines().filter(|line| line.contains(" signed ")) {
                    let Some((place, signature)) = place(line) else {
                        // The last line of a life may be cut.
                        continue;
                    };
                    count += 1;
                    let first = places.entry(place).or_insert_with(|| signature.clone());
                    if *first != signature {
                        return Err(Failed::Broken(format!(
                            "{name} signed twice at {place:?}: {line}"
                        )));
                    }
                }
            }
        }
        Ok(count)
    }

    fn logs(&self) -> String {
        let mut text = String::new();
        for name in NAMES {
            for life in self.life.saturating_sub(1)..=self.life {
                let log = self.root.path().join(format!("{name}.{life}.log"));
                let log = fs::read_to_string(log).unwrap_or_default();
                let lines: Vec<_> = log.lines().filter(|line| !line.contains("DEBUG")).collect();
                for line in &lines[lines.len().saturating_sub(12)..] {
                    text += &format!("{name}.{life}  {line}\n");
                }
            }
        }
        text
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        for node in self.nodes.values_mut() {
            node.kill().and_then(|()| node.wait()).map(drop).unwrap_or_default();
        }
        for name in NAMES {
            tool("umount", &[path(&self.home(name))]).unwrap_or_default();
        }
    }
}

/// The place and the signature of a line `… signed height=7 round=0 step=1 block=… signature=…`.
#[must_use]
pub fn place(line: &str) -> Option<((u64, u64, u64), String)> {
    let word = |name: &str| {
        line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    };
    let number = |name: &str| word(name)?.parse().ok();
    let signature = word("signature").filter(|signature| signature.len() >= 128)?;
    Some(((number("height")?, number("round")?, number("step")?), signature.to_owned()))
}

fn is_stopped(pid: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task"));
    threads.is_ok_and(|threads| {
        threads.filter_map(Result::ok).all(|thread| {
            let status = fs::read_to_string(thread.path().join("status")).unwrap_or_default();
            status.lines().any(|line| line.starts_with("State:") && line.contains('T'))
        })
    })
}

fn tool(name: &str, arguments: &[&str]) -> Result<(), Failed> {
    program::tool(name, arguments).map_err(Failed::NotHere)
}

fn path(path: &Path) -> &str {
    path.to_str().expect("temporary directories have plain names")
}

fn free_ports() -> Option<u16> {
    let start = u16::try_from(std::process::id() % 90).ok()? * 10;
    (0..90u16).map(|step| 17_000 + (start + step * 10) % 900).find(|base| {
        let ports = (1..=4).flat_map(|n| [base + n, base + 1000 + n]);
        ports.into_iter().all(|port| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok())
    })
}

/// Applications that submit, and note what is reported committed at the moment it is.
struct Load {
    stop: Arc<AtomicBool>,
    receipts: mpsc::Receiver<Receipt>,
    workers: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    async fn start(rig: &Rig, cut: u32) -> Result<Self, Failed> {
        let broken = |why: &dyn fmt::Display| Failed::Broken(why.to_string());
        let stop = Arc::new(AtomicBool::new(false));
        let (report, receipts) = mpsc::channel();
        let status = rig.client(0)?.status().await.map_err(|error| broken(&error))?;
        let mut workers = Vec::new();
        for n in 0..4 {
            let key = rig.root.path().join("net/keys/issuer.json");
            let signer = Signer::open(&key).map_err(|error| broken(&error))?;
            let (client, chain) = (rig.client(n)?, rig.chain);
            let (stop, report) = (stop.clone(), report.clone());
            workers.push(tokio::spawn(async move {
                for turn in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let lot = |m| format!("urn:epc:id:sgtin:9521001.010017.{cut}-{n}-{turn}-{m}");
                    let operations = (0..5).map(|m| lots(&lot(m), &lot(m + 5))).collect();
                    let tx = signer.sign(chain, status.valid_until_max, operations);
                    let Ok(tx) = tx else { return };
                    match client.submit(&tx, Wait::Committed).await {
                        Ok(receipt) if receipt.status == Fate::Committed => {
                            report.send(receipt).unwrap_or_default();
                        }
                        Ok(_) => {}
                        Err(_) => sleep(Duration::from_millis(20)).await,
                    }
                }
            }));
        }
        Ok(Self { stop, receipts, workers })
    }

    fn stop(self) -> Vec<Receipt> {
        self.stop.store(true, Ordering::Relaxed);
        self.workers.iter().for_each(tokio::task::JoinHandle::abort);
        self.receipts.try_iter().collect()
    }
}
