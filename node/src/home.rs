//! A validator's directory: what is in it, and how it is read.

use crate::{gateway::GatewayConfig, signstate::SignState, tls::TlsConfig};
use anyhow::{Context as _, ensure};
use client::api::KeyFile;
use serde::{Deserialize, Serialize};
use std::{
    fs,
    io::Write as _,
    net::SocketAddr,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};
use types::{AgencyCode, Genesis, Height, PublicKey, SecretKey, codec};

/// `node.toml`: what one operator decides. Paths are relative to the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The genesis file.
    pub genesis: PathBuf,
    /// The ledger's directory.
    pub data: PathBuf,
    /// The consensus key's file.
    pub consensus_key: PathBuf,
    /// The transport key's file.
    pub transport_key: PathBuf,
    /// Where the HTTP API listens. Loopback unless the operator decides otherwise.
    pub api: SocketAddr,
    /// Where other validators reach this one.
    pub listen: Vec<SocketAddr>,
    /// How much room must stay free where the ledger is, MiB. Below it this validator stops voting and goes on serving.
    #[serde(default = "reserve_mib")]
    pub reserve_mib: u64,
    /// What to log, instead of `--log`, such as `info,network=debug`. Read again at SIGHUP.
    #[serde(default)]
    pub log: Option<String>,
    /// Where this validator reaches the others.
    #[serde(default)]
    pub peers: Vec<PeerConfig>,
    /// What signs for systems without keys of their own; nothing does without it.
    #[serde(default)]
    pub gateway: Option<GatewayConfig>,
    /// Where the API is served with TLS as well; nowhere without it.
    #[serde(default)]
    pub tls: Option<TlsConfig>,
}

const fn reserve_mib() -> u64 {
    512
}

/// Where one validator is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerConfig {
    /// Its transport key, as in genesis.
    pub transport_key: PublicKey,
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
}

/// A validator's directory, read and checked.
#[derive(Debug)]
pub struct Home {
    /// The configuration, its paths absolute.
    pub config: Config,
    /// The genesis.
    pub genesis: Genesis,
    /// The key that signs votes.
    pub consensus: SecretKey,
    /// The key that opens connections.
    pub transport: SecretKey,
}

/// Going on could harm: the process ends with exit code 5, which must not be restarted automatically.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unsafe(pub String);

/// The configuration's name in the directory.
pub const CONFIG: &str = "node.toml";

impl Home {
    /// Reads a validator's directory.
    ///
    /// # Errors
    /// What is missing or wrong, and what to do.
    pub fn open(home: &Path) -> anyhow::Result<Self> {
        let path = home.join(CONFIG);
        let text = fs::read_to_string(&path).with_context(|| {
            format!("cannot read {}; is this a validator's directory?", path.display())
        })?;
        let mut config: Config =
            toml::from_str(&text).with_context(|| format!("in {}", path.display()))?;
        for relative in [
            &mut config.genesis,
            &mut config.data,
            &mut config.consensus_key,
            &mut config.transport_key,
        ] {
            *relative = home.join(&*relative);
        }
        let genesis = read_genesis(&config.genesis)?;
        let consensus = read_key(&config.consensus_key, "consensus")?;
        let transport = read_key(&config.transport_key, "transport")?;
        // A key without a seat in genesis may have been given one since: the ledger says so, once it is here.
        if let Some(seat) =
            genesis.validators.iter().find(|seat| seat.consensus_key == consensus.public())
        {
            ensure!(
                seat.transport_key == transport.public(),
                "the transport key {} is not the one enrolled for this seat, {}",
                transport.public(),
                seat.transport_key
            );
        }
        Ok(Self { config, genesis, consensus, transport })
    }
}

/// The filter of the log that a validator's directory asks for, as it is now.
///
/// # Errors
/// When the configuration cannot be read.
pub fn read_log_filter(home: &Path) -> anyhow::Result<Option<String>> {
    let path = home.join(CONFIG);
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let config: Config = toml::from_str(&text).with_context(|| format!("in {}", path.display()))?;
    Ok(config.log)
}

/// Reads a genesis file.
///
/// # Errors
/// When it cannot be read, or is not a genesis.
pub fn read_genesis(path: &Path) -> anyhow::Result<Genesis> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Genesis::from_toml(&text).with_context(|| format!("in {}", path.display()))
}

/// Reads a secret key for one purpose. A file that others may read is refused.
///
/// # Errors
/// When it cannot be read, is open to others, or is for another purpose.
pub fn read_key(path: &Path, purpose: &str) -> anyhow::Result<SecretKey> {
    let shown = path.display();
    let mode =
        fs::metadata(path).with_context(|| format!("cannot read {shown}"))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(Unsafe(format!(
            "others can read the secret key in {shown}; run: chmod 600 {shown}"
        ))
        .into());
    }
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
    let file: KeyFile = serde_json::from_str(&text).with_context(|| format!("in {shown}"))?;
    ensure!(file.version == 1, "{shown} has key format {}, this version reads 1", file.version);
    ensure!(
        file.purpose == purpose,
        "{shown} is a {} key; a {purpose} key is needed here",
        file.purpose
    );
    let seed = codec::unhex(&file.secret).and_then(|seed| <[u8; 32]>::try_from(seed).ok());
    let secret = SecretKey::from_seed(
        seed.with_context(|| format!("{shown}: `secret` is not 64 hexadecimal digits"))?,
    );
    ensure!(secret.public() == file.public, "{shown}: the public key is not the secret key's");
    Ok(secret)
}

/// Makes a key and writes it to a new file that only its owner can read.
///
/// # Errors
/// When the file exists, or cannot be written.
pub fn new_key(
    path: &Path,
    purpose: &str,
    agency: Option<AgencyCode>,
) -> anyhow::Result<SecretKey> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)
        .map_err(|error| anyhow::anyhow!("the system gives no randomness: {error}"))?;
    let secret = SecretKey::from_seed(seed);
    let file = KeyFile {
        version: 1,
        purpose: purpose.into(),
        agency,
        public: secret.public(),
        secret: codec::hex(secret.seed()),
    };
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)
            .with_context(|| format!("cannot create {}", directory.display()))?;
    }
    let mut out =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).with_context(
            || format!("cannot create {}; a key is never overwritten", path.display()),
        )?;
    out.write_all(serde_json::to_string_pretty(&file)?.as_bytes())?;
    out.write_all(b"\n")?;
    out.sync_all()?;
    if purpose == "consensus" {
        // From its first day on: a key whose record is missing is a key that may have signed anything.
        SignState::create(path, secret.public(), Height::GENESIS)?;
    }
    Ok(secret)
}
