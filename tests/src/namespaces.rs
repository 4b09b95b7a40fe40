//! Lines made of the kernel's own: each validator in a network namespace, on a bridge, and routes that lead nowhere.
//!
//! Everything lies in namespaces that this makes, and is gone with the process that made them.

use crate::{Lines, Pairs, network::until, program, program::system};
use client::Client;
use node::testnet::Testnet;
use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Child, Stdio},
    sync::Mutex,
};
use tempfile::TempDir;

/// The variable by which a process knows that it is in namespaces of its own.
const INSIDE: &str = "MINLIAN_TEST_NAMESPACES";
/// Where validators listen, each at its own address.
const PORT: u16 = 20_000;

/// Runs a test again in namespaces of its own, if this machine lets us, and says what came of it: `None` inside, where
/// the test goes on; outside, whether there are namespaces here.
#[must_use]
pub fn isolated(test: &str) -> Option<bool> {
    if std::env::var_os(INSIDE).is_some() {
        return None;
    }
    let words = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
    let tries: [&[&str]; 2] = [&[], &["--user", "--map-root-user"]];
    let run = |more: &[&str], program: &Path, arguments: &[&str]| {
        let mut command = program::prepared(Path::new("unshare"));
        command.args(more).args(words).arg(program).args(arguments);
        command
    };
    // Not only may we have them, we may also do in them what is needed.
    let probe = "mount -t tmpfs none /run && ip link add probe type bridge && ip netns add probe";
    let way = tries.into_iter().find(|more| {
        let ran = run(more, Path::new("sh"), &["-c", probe]).output();
        ran.is_ok_and(|output| output.status.success())
    });
    let Some(way) = way else { return Some(false) };
    let this = std::env::current_exe().expect("a process knows its program");
    let status = run(way, &this, &["--exact", test, "--nocapture", "--include-ignored"])
        .env(INSIDE, "")
        .env("TMPDIR", std::env::temp_dir())
        .status()
        .expect("what ran a moment ago runs again");
    assert!(status.success(), "{test} failed in its namespaces");
    Some(true)
}

/// Four validators, each on a machine of its own as far as the network goes.
#[derive(Debug)]
pub struct Namespaces {
    home: TempDir,
    validators: Vec<Child>,
    cut: Mutex<Pairs>,
}

impl Namespaces {
    /// Makes the namespaces and starts the validators. To be called inside, see [`isolated`].
    pub async fn up() -> Self {
        assert!(std::env::var_os(INSIDE).is_some(), "never among the machine's own interfaces");
        ip(&["mount -t tmpfs none /run"]);
        ip(&["ip link set lo up", "ip link add data type bridge", "ip link add side type bridge"]);
        ip(&["ip link set data up", "ip link set side up", "ip addr add 10.98.0.254/24 dev side"]);
        for n in 1..=4 {
            ip(&[&format!("ip netns add v{n}"), &format!("ip -n v{n} link set lo up")]);
            // One line to the others, and one to us, which is never cut.
            for (bridge, net) in [("data", 99), ("side", 98)] {
                let add =
                    format!("ip link add {bridge}{n} type veth peer name {bridge} netns v{n}");
                let join = format!("ip link set {bridge}{n} master {bridge} up");
                let address = format!("ip -n v{n} addr add 10.{net}.0.{n}/24 dev {bridge}");
                ip(&[&add, &join, &address, &format!("ip -n v{n} link set {bridge} up")]);
            }
        }
        let home = tempfile::tempdir().expect("there is room for a temporary directory");
        let network = home.path().join("network");
        Testnet::create(&network, 4, PORT).expect("the directory is empty");
        let mut validators = Vec::new();
        for n in 1..=4_u16 {
            let directory = network.join(format!("v{n}"));
            let mut text = fs::read_to_string(directory.join("node.toml")).expect("just made");
            for other in 1..=4_u16 {
                let port = PORT + other;
                let address = format!("\"10.99.0.{other}:{port}\"");
                text = text.replace(&format!("\"127.0.0.1:{port}\""), &address);
            }
            let port = PORT + 1000 + n;
            text = text.replace(&format!("127.0.0.1:{port}"), &format!("10.98.0.{n}:{port}"));
            fs::write(directory.join("node.toml"), text).expect("it can be written");
            let log = fs::File::create(directory.join("node.log")).expect("it can be made");
            let child = program::prepared(Path::new("ip"))
                .args(["netns", "exec", &format!("v{n}")])
                .arg(program::path("minlian-node"))
                .args(["start", "--home"])
                .arg(&directory)
                .stdout(log.try_clone().expect("descriptors are plenty"))
                .stderr(log)
                .spawn()
                .expect("`ip` starts");
            validators.push(child);
        }
        let namespaces = Self { home, validators, cut: Mutex::default() };
        for n in 1..=4 {
            let client = namespaces.client(n);
            until(&format!("v{n} has a block"), async || {
                client.status().await.ok().filter(|status| status.height.0 > 0)
            })
            .await;
        }
        namespaces
    }
}

impl Lines for Namespaces {
    fn name(&self) -> &'static str {
        "namespaces"
    }

    fn cut(&self, pairs: &Pairs) {
        let mut before = self.cut.lock().expect("no test goes on after a panic");
        // What leaves for there is dropped by the sender's own kernel, and nobody is told.
        for (from, to) in before.difference(pairs) {
            ip(&[&format!("ip -n v{from} route del blackhole 10.99.0.{to}/32")]);
        }
        for (from, to) in pairs.difference(&before) {
            ip(&[&format!("ip -n v{from} route add blackhole 10.99.0.{to}/32")]);
        }
        before.clone_from(pairs);
    }

    fn client(&self, validator: u16) -> Client {
        let url = format!("http://10.98.0.{validator}:{}", PORT + 1000 + validator);
        Client::new(&url).expect("it is an address")
    }

    fn logs(&self) -> String {
        let mut text = String::new();
        for n in 1..=4 {
            let log = self.home.path().join(format!("network/v{n}/node.log"));
            let log = fs::read_to_string(log).unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            for line in &lines[lines.len().saturating_sub(15)..] {
                text += &format!("v{n}  {line}\n");
            }
        }
        text
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for child in &mut self.validators {
            child.kill().unwrap_or_default();
            child.wait().map(drop).unwrap_or_default();
        }
        if std::thread::panicking() {
            writeln!(std::io::stderr(), "{}", self.logs()).unwrap_or_default();
        }
    }
}

/// Runs commands that must succeed.
fn ip(commands: &[&str]) {
    for command in commands {
        let mut words = command.split(' ');
        let program = words.next().expect("a command has words");
        let ran = system(program).args(words).stdin(Stdio::null()).output();
        let ran = ran.expect("the probe has shown that this command is there");
        assert!(ran.status.success(), "{command}: {}", String::from_utf8_lossy(&ran.stderr));
    }
}
