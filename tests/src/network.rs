//! Validators as processes on this machine: one network at a time, on free ports, gone when the test is.

use crate::{
    Links,
    program::{self, Ran},
};
use client::{
    Client, Signer, Wait,
    api::{BlockView, Fate, NodeStatus, Receipt},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use node::testnet::Testnet;
use proof::TrustRoot;
use serde_json::Value;
use std::{
    fs::{self, File},
    io::Write as _,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use types::{ChainId, Height, Operation, Transaction};

/// How long anything that must happen may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long to wait before looking again.
const PAUSE: Duration = Duration::from_millis(50);
/// Lines of each log that are shown when a test fails.
const LOG_LINES: usize = 15;

/// Four validators with a directory of their own.
#[derive(Debug)]
pub struct Network {
    home: TempDir,
    base_port: u16,
    watchdog: Child,
    /// Held for as long as the network lives: two networks at once are slower than one after the other.
    _turn: File,
}

impl Network {
    /// A network that has agreed on its first block.
    #[must_use]
    pub fn up() -> Self {
        let network = Self::planned();
        network.go_on();
        network
    }

    /// The same, whose validators reach one another over lines that can be cut, slowed and spoiled.
    pub async fn linked() -> (Self, Links) {
        let network = Self::planned();
        let (home, base) = (network.network_home(), network.base_port);
        Testnet::create(&home, 4, base).expect("the directory is empty");
        let listens = |validator: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, base + validator));
        let links = Links::lay([1, 2, 3, 4].map(|validator| (validator, listens(validator)))).await;
        for (from, to) in links.pairs() {
            let file = home.join(format!("v{from}/node.toml"));
            let text = fs::read_to_string(&file).expect("it was just made");
            let (direct, through) = (listens(to), links.entrance(from, to));
            let text = text.replace(&format!("\"{direct}\""), &format!("\"{through}\""));
            assert!(text.contains(&through.to_string()), "{text}");
            fs::write(file, text).expect("it can be written");
        }
        network.go_on();
        (network, links)
    }

    /// A network whose `node.toml`s were changed before it started, each by the number of its validator.
    #[must_use]
    pub fn altered(alter: impl Fn(u16, &Self, String) -> String) -> Self {
        let network = Self::planned();
        let home = network.network_home();
        Testnet::create(&home, 4, network.base_port).expect("the directory is empty");
        for validator in 1..=4 {
            let file = home.join(format!("v{validator}/node.toml"));
            let text = fs::read_to_string(&file).expect("it was just made");
            fs::write(file, alter(validator, &network, text)).expect("it can be written");
        }
        network.go_on();
        network
    }

    /// A network of which nothing is there yet.
    fn planned() -> Self {
        let turn = File::create(program::folder().join("one-network-at-a-time.lock"))
            .expect("the target directory can be written");
        turn.lock().expect("files can be locked");
        let home = tempfile::tempdir().expect("there is room for a temporary directory");
        Self { watchdog: watch(home.path()), home, base_port: free_ports(), _turn: turn }
    }

    /// `testnet up`: makes the network, or starts what does not run.
    pub fn go_on(&self) {
        let (home, port) = (self.network_home(), self.base_port.to_string());
        let arguments = ["testnet", "up", "--detach", "--base-port", &port, "--home"];
        let ran = Ran::of(
            &program::command("minlian-node")
                .args(arguments)
                .arg(&home)
                .output()
                .expect("the command starts"),
        );
        assert_eq!(ran.code, 0, "{}{}\n{}", ran.stdout, ran.stderr, self.logs());
    }

    /// The directory for whatever else the test needs.
    #[must_use]
    pub fn scratch(&self) -> &Path {
        self.home.path()
    }

    /// The network's own directory.
    #[must_use]
    pub fn network_home(&self) -> PathBuf {
        self.home.path().join("network")
    }

    /// The genesis file, which is also the trust root.
    #[must_use]
    pub fn genesis(&self) -> PathBuf {
        self.network_home().join("genesis.toml")
    }

    /// Whom an inspector of this network believes.
    #[must_use]
    pub fn trust_root(&self) -> TrustRoot {
        let text = fs::read_to_string(self.genesis()).expect("`testnet up` leaves a genesis");
        TrustRoot::from_toml(&text).expect("it is one")
    }

    /// The chain.
    #[must_use]
    pub fn chain(&self) -> ChainId {
        *self.trust_root().chain()
    }

    /// An agency's key file: `issuer`, or `v1` to `v4`.
    #[must_use]
    pub fn key(&self, name: &str) -> PathBuf {
        self.network_home().join("keys").join(format!("{name}.json"))
    }

    /// The same, ready to sign.
    #[must_use]
    pub fn signer(&self, name: &str) -> Signer {
        Signer::open(&self.key(name)).expect("`testnet up` leaves keys")
    }

    /// The API of validator 1 to 4.
    #[must_use]
    pub fn url(&self, validator: u16) -> String {
        format!("http://127.0.0.1:{}", self.base_port + 1000 + validator)
    }

    /// Where validator 1 to 4 may serve its API with TLS.
    #[must_use]
    pub fn tls(&self, validator: u16) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.base_port + 2000 + validator).into()
    }

    /// A client of validator 1 to 4.
    #[must_use]
    pub fn client(&self, validator: u16) -> Client {
        Client::new(&self.url(validator)).expect("it is an address")
    }

    /// Runs `minlian-node testnet VERB …` on this network, which has to succeed.
    pub fn testnet(&self, words: &[&str]) -> String {
        let home = self.network_home();
        let home = home.to_str().expect("temporary directories have plain names");
        let all = [&["testnet"], words, &["--home", home]].concat();
        program::minlian_node(&all).expect(0).stdout
    }

    /// What `testnet status --json` says of each validator.
    #[must_use]
    pub fn status(&self) -> Vec<Value> {
        let home = self.network_home();
        let home = home.to_str().expect("temporary directories have plain names");
        let ran = program::minlian_node(&["testnet", "status", "--json", "--home", home]);
        let value: Value = serde_json::from_str(&ran.stdout).expect("--json prints JSON");
        value["nodes"].as_array().expect("it lists the nodes").clone()
    }

    /// The process of validator 1 to 4, if it runs.
    #[must_use]
    pub fn pid(&self, validator: u16) -> Option<i32> {
        Testnet::open(&self.network_home()).ok()?.pid(&format!("v{validator}"))
    }

    /// Where validator 1 to 4 is reached by the others.
    #[must_use]
    pub fn listens(&self, validator: u16) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.base_port + validator).into()
    }

    /// Everything a validator logged.
    #[must_use]
    pub fn log(&self, validator: u16) -> String {
        let log = self.network_home().join(format!("v{validator}/node.log"));
        fs::read_to_string(log).unwrap_or_default()
    }

    /// A figure that a validator counts, by the name it has there, labels included.
    pub async fn counted(&self, validator: u16, name: &str) -> u64 {
        let url = format!("{}/metrics", self.url(validator));
        let text =
            until("the counters", async || crate::get(&url).await.ok()?.text().await.ok()).await;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0, |value| value.trim().parse().expect("a whole number"))
    }

    /// A signal for validator 1 to 4.
    pub fn signal(&self, validator: u16, signal: Signal) {
        let pid = self.pid(validator).expect("it runs");
        kill(Pid::from_raw(pid), signal).expect("it is ours");
    }

    /// SIGKILL for all of them at once.
    pub fn kill_all(&self) {
        self.signal_all(Signal::SIGKILL);
    }

    fn signal_all(&self, signal: Signal) {
        let Ok(testnet) = Testnet::open(&self.network_home()) else { return };
        let pids: Vec<_> = testnet.names().filter_map(|name| testnet.pid(name)).collect();
        for pid in &pids {
            // It may have ended by itself.
            kill(Pid::from_raw(*pid), signal).unwrap_or_default();
        }
        while signal == Signal::SIGKILL && testnet.names().any(|name| testnet.pid(name).is_some()) {
            std::thread::yield_now();
        }
    }

    /// Submits files with the issuer's key, and gives the receipts as they were written.
    #[must_use]
    pub fn submit(&self, files: &[PathBuf]) -> Vec<Value> {
        self.submission(files, 1).expect(0);
        self.receipts()
    }

    /// `minlian submit FILES --wait committed`, whatever comes of it.
    #[must_use]
    pub fn submission(&self, files: &[PathBuf], validator: u16) -> Ran {
        let output = self.submit_command(files, validator).output().expect("the command starts");
        Ran::of(&output)
    }

    /// The same in the background, so many records to a transaction, with that many receipts written already.
    pub async fn submitting(
        &self,
        file: &Path,
        validator: u16,
        batch: u16,
        receipts: usize,
    ) -> Submission {
        let mut command = self.submit_command(&[file.to_owned()], validator);
        command.args(["--batch", &batch.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut submission = Submission(command.spawn().expect("the command starts"));
        until("the first receipts", async || {
            assert!(submission.is_running(), "it ended before anything could happen to it");
            let file = self.scratch().join("receipts.ndjson");
            let lines = fs::read_to_string(file).unwrap_or_default().lines().count();
            (lines >= receipts).then_some(())
        })
        .await;
        submission
    }

    fn submit_command(&self, files: &[PathBuf], validator: u16) -> std::process::Command {
        let mut command = program::command("minlian");
        command.arg("submit").args(files).args(["--wait", "committed"]);
        command.arg("--node").arg(self.url(validator)).arg("--key").arg(self.key("issuer"));
        command.arg("--receipts").arg(self.scratch().join("receipts.ndjson"));
        command.arg("--rejected").arg(self.scratch().join("rejected.ndjson"));
        command
    }

    /// The receipts of the last submission.
    #[must_use]
    pub fn receipts(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.scratch().join("receipts.ndjson"))
            .expect("a submission leaves receipts");
        let parse = |line| serde_json::from_str(line).expect("a receipt is a line of JSON");
        text.lines().map(parse).collect()
    }

    /// A transaction by one of the network's keys, good for as long as can be.
    pub async fn sign(&self, signer: &Signer, operations: Vec<Operation>) -> Transaction {
        let deadline = self.node_status(1).await.valid_until_max;
        signer.sign(self.chain(), deadline, operations).expect("the system gives a nonce")
    }

    /// Submits operations by the issuer to a validator, to be committed.
    pub async fn commit(&self, validator: u16, operations: Vec<Operation>) -> Receipt {
        let tx = self.sign(&self.signer("issuer"), operations).await;
        let receipt = self.client(validator).submit(&tx, Wait::Committed).await;
        let receipt = receipt.expect("a sound transaction is taken");
        assert_eq!(receipt.status, Fate::Committed, "{receipt:?}");
        receipt
    }

    /// What a validator says of itself; one that does not answer yet is asked again.
    pub async fn node_status(&self, validator: u16) -> NodeStatus {
        let client = self.client(validator);
        until("a validator answers", async || client.status().await.ok()).await
    }

    /// Waits until these validators have blocks up to a height, and gives the last block they all have: the same one.
    pub async fn agreed(&self, validators: &[u16], at_least: Height) -> BlockView {
        let mut lowest = Height(u64::MAX);
        for validator in validators {
            let client = self.client(*validator);
            let height = until(&format!("v{validator} has height {at_least}"), async || {
                let status = client.status().await.ok()?;
                (status.height >= at_least).then_some(status.height)
            })
            .await;
            lowest = lowest.min(height);
        }
        let mut common: Option<BlockView> = None;
        for validator in validators {
            let block = self.client(*validator).block(lowest).await.expect("it answers");
            let block = block.expect("it has all blocks up to its height");
            let first = common.get_or_insert_with(|| block.clone());
            assert_eq!(first.header, block.header, "v{validator} has another block {lowest}");
        }
        common.expect("somebody was asked")
    }

    /// Waits until a validator's vote is in the certificate of a block above a height.
    pub async fn votes_again(&self, validator: u16, above: Height) -> Height {
        let client = self.client(1);
        until(&format!("v{validator} signs a block above {above}"), async || {
            let block = client.latest_block().await.ok()??;
            let signs = block.certificate.signatures.iter().any(|(seat, _)| seat + 1 == validator);
            (block.header.height > above && signs).then_some(block.header.height)
        })
        .await
    }

    /// The ends of the validators' logs.
    #[must_use]
    pub fn logs(&self) -> String {
        let mut text = String::new();
        for name in ["v1", "v2", "v3", "v4"] {
            let log = fs::read_to_string(self.network_home().join(name).join("node.log"));
            let log = log.unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            for line in &lines[lines.len().saturating_sub(LOG_LINES)..] {
                text += &format!("{name}  {line}\n");
            }
        }
        text
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if std::thread::panicking() {
            say(&self.logs());
        }
        self.signal_all(Signal::SIGCONT);
        let home = self.network_home();
        let down = program::command("minlian-node")
            .args(["testnet", "down", "--home"])
            .arg(&home)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if !down.is_ok_and(|status| status.success()) {
            self.signal_all(Signal::SIGKILL);
        }
        if let Some(mut wire) = self.watchdog.stdin.take() {
            wire.write_all(b"done\n").unwrap_or_default();
        }
        self.watchdog.wait().map(drop).unwrap_or_default();
    }
}

/// A process that outlives a test that is killed, and then stops the network and removes its directory.
fn watch(home: &Path) -> Child {
    const SCRIPT: &str =
        r#"read -r word && exit 0; "$1" testnet down --home "$2/network"; rm -rf -- "$2""#;
    program::prepared(Path::new("sh"))
        .args(["-c", SCRIPT, "watchdog"])
        .arg(program::path("minlian-node"))
        .arg(home)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // What interrupts the test must not interrupt this.
        .process_group(0)
        .spawn()
        .expect("a shell starts")
}

/// A port N such that N+1 to N+4 and N+1001 to N+1004 are free: below those that systems give out by themselves.
fn free_ports() -> u16 {
    let start = u16::try_from(std::process::id() % 900).expect("a small number") * 10;
    (0..900u16)
        .map(|step| 20_000 + (start + step * 10) % 9_000)
        .find(|base| {
            let ports = (1..=4).flat_map(|n| [base + n, base + 1000 + n, base + 2000 + n]);
            ports.into_iter().all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok())
        })
        .expect("some ports are free")
}

/// Looks again and again until there is an answer.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        sleep(PAUSE).await;
    }
}

/// Tells whoever watches, even when the test succeeds.
pub fn say(text: &str) {
    writeln!(std::io::stderr(), "{text}").unwrap_or_default();
}

/// A `minlian submit` in the background, which ends with the test.
#[derive(Debug)]
pub struct Submission(Child);

impl Submission {
    /// Whether it has something left to do.
    pub fn is_running(&mut self) -> bool {
        self.0.try_wait().expect("a child can be asked").is_none()
    }

    /// Its exit code, once it has ended by itself.
    pub fn end(mut self) -> Option<i32> {
        self.0.wait().expect("a child can be waited for").code()
    }
}

impl Drop for Submission {
    fn drop(&mut self) {
        // It may have ended long ago.
        self.0.kill().unwrap_or_default();
        self.0.wait().map(drop).unwrap_or_default();
    }
}

/// Applications that go on submitting, whatever becomes of the validators.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    workers: JoinSet<Vec<Receipt>>,
}

impl Load {
    /// So many applications, each at a validator of its own, each with one transaction of five records at a time.
    pub async fn start(network: &Network, applications: u16) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let deadline = network.node_status(1).await.valid_until_max;
        let mut workers = JoinSet::new();
        for application in 0..applications {
            let (client, signer) = (network.client(application % 4 + 1), network.signer("issuer"));
            let (chain, stop) = (network.chain(), stop.clone());
            workers.spawn(async move {
                let mut receipts = Vec::new();
                for turn in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let lot =
                        |n| format!("urn:epc:id:sgtin:9521001.010017.{application}-{turn}-{n}");
                    let operations = (0..5).map(|n| crate::lots(&lot(n), &lot(n + 5))).collect();
                    let tx = signer.sign(chain, deadline, operations).expect("a nonce");
                    match client.submit(&tx, Wait::Committed).await {
                        Ok(receipt) if receipt.status == Fate::Committed => receipts.push(receipt),
                        Ok(_) => {}
                        Err(_) => sleep(PAUSE).await,
                    }
                }
                receipts
            });
        }
        Self { stop, workers }
    }

    /// Ends it, and gives every receipt that said that a transaction was committed.
    pub async fn stop(self) -> Vec<Receipt> {
        self.stop.store(true, Ordering::Relaxed);
        self.workers.join_all().await.into_iter().flatten().collect()
    }
}
