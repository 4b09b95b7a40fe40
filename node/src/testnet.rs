//! A network of validators on one machine, for development, demonstrations and tests.

use crate::{
    clock, genesis,
    home::{self, CONFIG, Config, PeerConfig},
};
use anyhow::{Context as _, bail, ensure};
use client::api::NodeStatus;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};
use types::{AgencyCode, Genesis, Hash};

/// The template every development network is built from.
const TEMPLATE: &str = include_str!("../../genesis/devnet.toml");
/// The most validators a development network may have: as many as the template has agencies for.
pub const VALIDATORS_MAX: u16 = 9;
/// How long the system may take to close the files of a process that was killed.
const CLOSING_MS: u64 = 2_000;
/// How long a network may take to agree on its first block.
const UP_MS: u64 = 60_000;

/// A development network on disk.
#[derive(Debug)]
pub struct Testnet {
    home: PathBuf,
    layout: Layout,
}

/// `testnet.json`: what belongs to the network.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Layout {
    version: u16,
    base_port: u16,
    nodes: Vec<Node>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Node {
    name: String,
    agency: AgencyCode,
    agency_name: String,
    p2p: SocketAddr,
    api: SocketAddr,
}

/// One validator of a network, as `testnet status` shows it.
#[derive(Clone, Debug, Serialize)]
pub struct NodeView {
    /// `v1`, `v2`, …
    pub name: String,
    /// Its agency's name.
    pub agency: String,
    /// Its process, if there is one.
    pub pid: Option<i32>,
    /// The base URL of its API.
    pub api: String,
    /// Where the other validators reach it.
    pub p2p: SocketAddr,
    /// `ready`, `waiting`, `unreachable`, `paused` or `stopped`.
    pub state: &'static str,
    /// Its last block's height.
    pub height: Option<u64>,
    /// The state root after it.
    pub root: Option<Hash>,
    /// The history log's root after it.
    pub log_root: Option<Hash>,
    /// How many records the log holds.
    pub records: Option<u64>,
    /// What stands in the way of the next block, as this node sees it.
    pub obstacles: Vec<String>,
}

impl Testnet {
    /// The network in a directory, made if it is not there.
    ///
    /// # Errors
    /// When the directory holds something else, or cannot be written.
    pub fn create(home: &Path, validators: u16, base_port: u16) -> anyhow::Result<(Self, bool)> {
        if home.join("testnet.json").exists() {
            return Ok((Self::open(home)?, false));
        }
        ensure!(
            (4..=VALIDATORS_MAX).contains(&validators),
            "a development network has 4 to {VALIDATORS_MAX} validators"
        );
        let occupied = home.exists() && fs::read_dir(home)?.next().is_some();
        ensure!(
            !occupied,
            "{} holds something that is not a development network; name another directory",
            home.display()
        );
        fs::create_dir_all(home).with_context(|| format!("cannot create {}", home.display()))?;
        let home = fs::canonicalize(home)?;
        let template = Genesis::template(TEMPLATE)?;
        let issuer = template.agencies.last().context("the template has agencies")?.code;
        let mut enrolments = Vec::new();
        let mut nodes = Vec::new();
        for (agency, n) in template.agencies.iter().zip(1..=validators) {
            let name = format!("v{n}");
            let keys = home.join(&name).join("keys");
            let consensus = home::new_key(
                &keys.join("consensus.json"),
                "consensus",
                Some(agency.code),
                None,
                None,
            )?;
            let transport = home::new_key(
                &keys.join("transport.json"),
                "transport",
                Some(agency.code),
                None,
                None,
            )?;
            let organisation = home.join("keys").join(format!("{name}.json"));
            let organisation =
                home::new_key(&organisation, "organisation", Some(agency.code), None, None)?;
            enrolments.push(genesis::Enrolment {
                version: 1,
                agency: agency.code,
                organisation_keys: vec![organisation.public()],
                validator: Some(genesis::SeatKeys {
                    consensus_key: consensus.public(),
                    transport_key: transport.public(),
                }),
            });
            let port = |offset: u16| {
                base_port.checked_add(offset + n).context("the base port is too high")
            };
            let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
            nodes.push(Node {
                name,
                agency: agency.code,
                agency_name: agency.name.to_string(),
                p2p: SocketAddr::new(local, port(0)?),
                api: SocketAddr::new(local, port(1000)?),
            });
        }
        let key = home::new_key(
            &home.join("keys/issuer.json"),
            "organisation",
            Some(issuer),
            None,
            None,
        )?;
        enrolments.push(genesis::Enrolment {
            version: 1,
            agency: issuer,
            organisation_keys: vec![key.public()],
            validator: None,
        });
        let mut suffix = [0; 2];
        getrandom::fill(&mut suffix).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
        let name = format!("dev-{}", types::codec::hex(&suffix)).parse()?;
        let genesis = genesis::build(TEMPLATE, &enrolments, Some(name), None)?;
        genesis::write(&genesis, &home.join("genesis.toml"))?;
        for (index, node) in nodes.iter().enumerate() {
            let others = nodes
                .iter()
                .zip(&genesis.validators)
                .enumerate()
                .filter(|(other, _)| *other != index);
            let config = Config {
                genesis: "../genesis.toml".into(),
                data: "data".into(),
                consensus_key: "keys/consensus.json".into(),
                transport_key: "keys/transport.json".into(),
                signer: None,
                api: node.api,
                listen: vec![node.p2p],
                reserve_mib: 128,
                log: None,
                peers: others
                    .map(|(_, (node, seat))| PeerConfig {
                        transport_key: seat.transport_key,
                        addresses: vec![node.p2p],
                    })
                    .collect(),
                gateway: None,
                tls: None,
                signer_tls: None,
                retention: home::RetentionConfig::default(),
            };
            fs::write(home.join(&node.name).join(CONFIG), toml::to_string_pretty(&config)?)?;
        }
        let layout = Layout { version: 1, base_port, nodes };
        fs::write(home.join("testnet.json"), serde_json::to_string_pretty(&layout)?)?;
        Ok((Self { home, layout }, true))
    }

    /// The network in a directory.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(home: &Path) -> anyhow::Result<Self> {
        let path = home.join("testnet.json");
        let text = fs::read_to_string(&path).with_context(|| {
            format!("no development network in {}; `testnet up` makes one", home.display())
        })?;
        let layout =
            serde_json::from_str(&text).with_context(|| format!("in {}", path.display()))?;
        Ok(Self { home: fs::canonicalize(home)?, layout })
    }

    /// The directory.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The genesis file, which is also the trust root.
    #[must_use]
    pub fn genesis_path(&self) -> PathBuf {
        self.home.join("genesis.toml")
    }

    /// The key of the agency that holds every record role.
    #[must_use]
    pub fn issuer_path(&self) -> PathBuf {
        self.home.join("keys/issuer.json")
    }

    /// The names of the validators.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.layout.nodes.iter().map(|node| node.name.as_str())
    }

    /// The base URL of the first validator's API.
    #[must_use]
    pub fn first_url(&self) -> String {
        self.layout.nodes.first().map(url).unwrap_or_default()
    }

    fn node(&self, name: &str) -> anyhow::Result<&Node> {
        let found = self.layout.nodes.iter().find(|node| node.name == name);
        found.with_context(|| {
            format!(
                "no validator {name} here; there are {}",
                self.names().collect::<Vec<_>>().join(", ")
            )
        })
    }

    /// The file that a validator logs to.
    ///
    /// # Errors
    /// When there is no such validator.
    pub fn log_path(&self, name: &str) -> anyhow::Result<PathBuf> {
        Ok(self.home.join(&self.node(name)?.name).join("node.log"))
    }

    /// The process of a validator, if it runs.
    #[must_use]
    pub fn pid(&self, name: &str) -> Option<i32> {
        let text = fs::read_to_string(self.home.join(name).join("pid")).ok()?;
        let pid: i32 = text.trim().parse().ok()?;
        // A process number is used again: only one that was started for this directory counts.
        let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let wanted = self.home.join(name);
        let mut words = command.split(|byte| *byte == 0);
        words.any(|word| word == wanted.as_os_str().as_encoded_bytes()).then_some(pid)
    }

    /// Whether a validator's process is over, its hold on its data too: the system takes that from one that was killed
    /// after its name is gone.
    #[must_use]
    pub fn has_ended(&self, name: &str) -> bool {
        let lock = fs::File::open(self.home.join(name).join("data/lock"));
        let is_held = |lock: fs::File| matches!(lock.try_lock(), Err(fs::TryLockError::WouldBlock));
        self.pid(name).is_none() && !lock.is_ok_and(is_held)
    }

    /// Starts a validator in the background.
    ///
    /// # Errors
    /// When it runs already, or cannot be started.
    pub fn start(&self, name: &str) -> anyhow::Result<i32> {
        let node = self.node(name)?;
        if let Some(pid) = self.pid(name) {
            bail!("{name} runs already, as process {pid}");
        }
        // Of a process that was killed a moment ago the system closes the files last.
        let deadline = clock::after(CLOSING_MS);
        for address in [node.p2p, node.api] {
            let mut free = std::net::TcpListener::bind(address);
            while free.is_err() && clock::instant() < deadline {
                std::thread::yield_now();
                free = std::net::TcpListener::bind(address);
            }
            free.with_context(|| {
                format!("{address} is taken; stop what uses it, or choose another --base-port")
            })?;
        }
        let home = self.home.join(name);
        let log = fs::OpenOptions::new().create(true).append(true).open(home.join("node.log"))?;
        let mut child = Command::new(std::env::current_exe()?)
            .arg("start")
            .arg("--home")
            .arg(&home)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C is for whoever started the network, not for every validator at once.
            .process_group(0)
            .spawn()?;
        let pid = i32::try_from(child.id())?;
        fs::write(home.join("pid"), pid.to_string())?;
        // A process that has only just begun has no command line yet, and would pass for one that has ended.
        while self.pid(name).is_none() && child.try_wait()?.is_none() {
            std::thread::yield_now();
        }
        Ok(pid)
    }

    /// Starts every validator that does not run.
    ///
    /// # Errors
    /// As [`Testnet::start`].
    pub fn start_all(&self) -> anyhow::Result<()> {
        let stopped: Vec<_> =
            self.names().filter(|name| self.pid(name).is_none()).map(str::to_owned).collect();
        stopped.iter().try_for_each(|name| self.start(name).map(drop))
    }

    /// Sends a signal to a validator.
    ///
    /// # Errors
    /// When it does not run.
    pub fn signal(&self, name: &str, signal: Signal) -> anyhow::Result<()> {
        self.node(name)?;
        let pid = self.pid(name).with_context(|| format!("{name} does not run"))?;
        kill(Pid::from_raw(pid), signal).with_context(|| format!("cannot signal {name}"))
    }

    /// Stops every validator: politely, and after ten seconds not.
    ///
    /// # Errors
    /// When a process cannot be signalled.
    pub async fn down(&self) -> anyhow::Result<usize> {
        let running: Vec<_> =
            self.names().filter(|name| self.pid(name).is_some()).map(str::to_owned).collect();
        for name in &running {
            // A paused process takes the signal when it goes on.
            self.signal(name, Signal::SIGTERM).ok();
            self.signal(name, Signal::SIGCONT).ok();
        }
        let deadline = clock::after(10_000);
        while running.iter().any(|name| !self.has_ended(name)) {
            if clock::instant() > deadline {
                for name in &running {
                    self.signal(name, Signal::SIGKILL).ok();
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(running.len())
    }

    /// Every validator as it is now.
    pub async fn view(&self) -> Vec<NodeView> {
        let http = client::plain().timeout(Duration::from_secs(2)).build().unwrap_or_default();
        let mut views = Vec::new();
        for node in &self.layout.nodes {
            let pid = self.pid(&node.name);
            let status = match pid {
                Some(_) => fetch(&http, &url(node)).await,
                None => None,
            };
            let paused = pid.is_some_and(is_paused);
            views.push(NodeView {
                name: node.name.clone(),
                agency: node.agency_name.clone(),
                pid,
                api: url(node),
                p2p: node.p2p,
                state: match (&status, pid) {
                    (Some(status), _) if status.obstacles.is_empty() && status.height.0 > 0 => {
                        "ready"
                    }
                    (Some(_), _) => "waiting",
                    (None, Some(_)) if paused => "paused",
                    (None, Some(_)) => "unreachable",
                    (None, None) => "stopped",
                },
                height: status.as_ref().map(|status| status.height.0),
                root: status.as_ref().map(|status| status.state_root),
                log_root: status.as_ref().map(|status| status.log_root),
                records: status.as_ref().map(|status| status.records),
                obstacles: status.map(|status| status.obstacles).unwrap_or_default(),
            });
        }
        views
    }

    /// Waits until every validator has the same block, and says which.
    ///
    /// # Errors
    /// When one ends, or they do not agree in time.
    pub async fn await_agreement(&self) -> anyhow::Result<(u64, Hash)> {
        let deadline = clock::after(UP_MS);
        loop {
            let views = self.view().await;
            if let Some(ended) = views.iter().find(|view| view.pid.is_none()) {
                let log = self.log_path(&ended.name)?;
                let text = fs::read_to_string(&log).unwrap_or_default();
                let last: Vec<_> = text.lines().rev().take(5).collect();
                let last: Vec<_> = last.into_iter().rev().collect();
                bail!("{} ended; the end of {}:\n{}", ended.name, log.display(), last.join("\n"));
            }
            let lowest = views.iter().map(|view| view.height.unwrap_or(0)).min().unwrap_or(0);
            if lowest > 0
                && let Some(id) = self.common_block(lowest).await
            {
                return Ok((lowest, id));
            }
            ensure!(
                clock::instant() < deadline,
                "no agreement after {} s; see `testnet logs`",
                UP_MS / 1000
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The block at a height, if every validator has the same.
    async fn common_block(&self, height: u64) -> Option<Hash> {
        let http = client::plain().timeout(Duration::from_secs(2)).build().ok()?;
        let mut common = None;
        for node in &self.layout.nodes {
            let response =
                http.get(format!("{}/v1/blocks/{height}", url(node))).send().await.ok()?;
            let block: client::api::BlockView = response.json().await.ok()?;
            if *common.get_or_insert(block.block.0) != block.block.0 {
                return None;
            }
        }
        common
    }
}

fn url(node: &Node) -> String {
    format!("http://{}", node.api)
}

async fn fetch(http: &reqwest::Client, url: &str) -> Option<NodeStatus> {
    http.get(format!("{url}/v1/status")).send().await.ok()?.json().await.ok()
}

fn is_paused(pid: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:") && line.contains('T'))
}
