//! A validator's directory: what is in it, and how it is read.

use crate::{
    gateway::GatewayConfig,
    layers,
    signer::{Greeting, Place, Remote},
    signstate::{self, SignState},
    tls::{MutualTls, TlsConfig},
};
use anyhow::{Context as _, ensure};
use client::{
    KeyError,
    keystore::{self, Key},
    passphrase::Passphrase,
};
use ledger::retention::Retention;
use serde::{Deserialize, Serialize};
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};
use types::{AgencyCode, ChainId, Genesis, Height, PublicKey, SecretKey};
use zeroize::Zeroizing;

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
    /// Where the process listens that has the consensus key, as `unix:/run/minlian/signer`, or `tls:10.0.0.7:27100` on another
    /// machine; then the key's file need not be here, and only its record of signatures lies beside the name.
    #[serde(default)]
    pub signer: Option<String>,
    /// Where the HTTP API listens. Loopback unless the operator decides otherwise.
    pub api: SocketAddr,
    /// Where other validators reach this one.
    pub listen: Vec<SocketAddr>,
    /// How much room must stay free where the ledger is, MiB. Below it this validator stops voting and goes on serving.
    #[serde(default = "reserve_mib")]
    pub reserve_mib: u64,
    /// What to log, such as `info,network=debug`, unless `--log` says otherwise. Read again at SIGHUP.
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
    /// What this node shows a signer at `tls:…`, and whom it believes there.
    #[serde(default)]
    pub signer_tls: Option<MutualTls>,
    /// How much of the past keeps its bodies when `minlian-node prune` is run; all of it without it.
    #[serde(default, skip_serializing_if = "RetentionConfig::is_silent")]
    pub retention: RetentionConfig,
}

/// `[retention]` in `node.toml`. Where both numbers are given, what keeps more counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionConfig {
    /// The bodies of the last so many blocks stay.
    pub keep_blocks: Option<u64>,
    /// Those of the last so many days stay.
    pub keep_days: Option<u64>,
    /// Who keeps all, for those who ask this node for what it dropped: an address, or words.
    pub archive: Option<String>,
}

impl RetentionConfig {
    fn is_silent(&self) -> bool {
        *self == Self::default()
    }

    /// What stays.
    #[must_use]
    pub const fn retention(&self) -> Retention {
        Retention { keep_blocks: self.keep_blocks, keep_days: self.keep_days }
    }
}

pub(crate) const fn reserve_mib() -> u64 {
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
    /// How the key's guard greets, if it is not in this process.
    pub guard: Option<Greeting>,
    /// The key that opens connections.
    pub transport: SecretKey,
}

/// Going on could harm: the process ends with exit code 5, which must not be restarted automatically.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unsafe(pub String);

/// Somebody else, or an address of this machine, is not there yet: the process ends with exit code 4, and may be started again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(pub String);

/// The configuration's name in the directory.
pub const CONFIG: &str = "node.toml";

impl Home {
    /// Reads a validator's directory.
    ///
    /// # Errors
    /// What is missing or wrong, and what to do.
    pub fn open(home: &Path) -> anyhow::Result<Self> {
        let (config, genesis) = read_public(home)?;
        let chain = genesis.chain();
        let (consensus, guard) = match &config.signer {
            None => (read_key_of(&config.consensus_key, "consensus", &chain)?, None),
            Some(at) => {
                let place = Place::read(home, at)?.reached(home, config.signer_tls.as_ref())?;
                let (remote, greeting) = Remote::connect(place, &chain, refused)?;
                let key = SecretKey::elsewhere(greeting.public, Arc::new(remote));
                (key, Some(greeting))
            }
        };
        let transport = read_key_of(&config.transport_key, "transport", &chain)?;
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
        Ok(Self { config, genesis, consensus, guard, transport })
    }

    /// The record of what the consensus key has signed, held by this process. If the key is guarded elsewhere, a record here
    /// that lacks what the guard has signed is raised over it: what this node does not remember it does not contradict.
    ///
    /// # Errors
    /// As [`SignState::open`] and [`SignState::hold`].
    pub fn signatures(&self) -> anyhow::Result<SignState> {
        let (file, key) = (&self.config.consensus_key, self.consensus.public());
        let mut record = match &self.guard {
            Some(guard) if !signstate::path_of(file).exists() => {
                SignState::create(file, key, guard.height)?
            }
            Some(_) | None => SignState::open(file, key, &self.genesis.chain())?,
        };
        record.hold()?;
        if let Some(guard) = &self.guard
            && guard.last.is_some()
            && guard.last.as_ref() != record.last()
        {
            record.raise(guard.height)?;
        }
        Ok(record)
    }

    /// What that record says, in words. Nothing is held or written: a node may be running by it.
    ///
    /// # Errors
    /// As [`SignState::open`].
    pub fn signatures_told(&self) -> anyhow::Result<String> {
        let file = &self.config.consensus_key;
        if self.guard.is_some() && !signstate::path_of(file).exists() {
            return Ok("the signer's; the first start makes one here, too".to_owned());
        }
        let record = SignState::open(file, self.consensus.public(), &self.genesis.chain())?;
        Ok(record.to_string())
    }
}

/// Ends a node whose signer refuses: its memory and its guard's differ, and only a person can say why.
fn refused(why: &str) -> ! {
    tracing::error!(why, "the signer refuses to sign; this validator must not go on");
    std::process::exit(5)
}

/// What a validator's directory says without its keys: the configuration, its paths absolute, and the genesis.
///
/// # Errors
/// What is missing or wrong, and what to do.
pub fn read_public(home: &Path) -> anyhow::Result<(Config, Genesis)> {
    let mut config = layers::read(home)?.config;
    for relative in [
        &mut config.genesis,
        &mut config.data,
        &mut config.consensus_key,
        &mut config.transport_key,
    ] {
        *relative = home.join(&*relative);
    }
    if let Some(gateway) = &mut config.gateway {
        gateway.within(home);
    }
    let genesis = read_genesis(&config.genesis)?;
    Ok((config, genesis))
}

/// The filter of the log that a validator's directory asks for, as it is now.
///
/// # Errors
/// When the configuration cannot be read.
pub fn read_log_filter(home: &Path) -> anyhow::Result<Option<String>> {
    Ok(layers::read(home)?.config.log)
}

/// The public half of a key in a validator's directory, without its passphrase.
pub(crate) fn label_of(home: &Path, file: &Path) -> anyhow::Result<PublicKey> {
    let path = home.join(file);
    Ok(keystore::label(&path).map_err(|error| key_error(&path, error))?.public)
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

/// Reads a secret key for one purpose. A file that others may read is refused; for one that is sealed the passphrase is
/// asked for where the process was told to.
///
/// # Errors
/// When it cannot be read, is open to others, is for another purpose, or its passphrase is not at hand.
pub fn read_key(path: &Path, purpose: &str) -> anyhow::Result<SecretKey> {
    Ok(open_key(path, purpose)?.secret)
}

fn open_key(path: &Path, purpose: &str) -> anyhow::Result<Key> {
    keystore::open_for(path, purpose).map_err(|error| key_error(path, error))
}

/// The same, of a validator: a key that is bound to another chain is refused.
pub(crate) fn read_key_of(
    path: &Path,
    purpose: &str,
    chain: &ChainId,
) -> anyhow::Result<SecretKey> {
    let key = open_key(path, purpose)?;
    match key.chain {
        Some(other) if other != *chain => Err(Unsafe(format!(
            "{} is a key of chain {other}, this is chain {chain}; a key serves one chain: make a new one",
            path.display()
        ))
        .into()),
        Some(_) | None => Ok(key.secret),
    }
}

/// Why a file gives no key, with its name. What a restart does not cure ends the process with exit code 5.
pub(crate) fn key_error(path: &Path, error: KeyError) -> anyhow::Error {
    let shown = path.display();
    match error {
        KeyError::Io(error) => anyhow::Error::new(error).context(format!("cannot read {shown}")),
        KeyError::Exposed { .. } => {
            Unsafe(format!("others can read the secret key in {shown}; run: chmod 600 {shown}"))
                .into()
        }
        KeyError::Passphrase | KeyError::Unasked(_) | KeyError::Cost(_) => {
            Unsafe(format!("{shown}: {error}")).into()
        }
        KeyError::Malformed(_)
        | KeyError::Version { .. }
        | KeyError::Purpose { .. }
        | KeyError::Chain { .. }
        | KeyError::NoAgency
        | KeyError::Pair(_)
        | KeyError::NoVariable(_)
        | KeyError::NoAgent
        | KeyError::AgentName(_)
        | KeyError::AgentKeys { .. } => anyhow::anyhow!("{shown}: {error}"),
    }
}

/// Makes a key and writes it to a new file that only its owner can read; sealed, if there is a passphrase.
///
/// # Errors
/// When the file exists, or cannot be written.
pub fn new_key(
    path: &Path,
    purpose: &str,
    agency: Option<AgencyCode>,
    chain: Option<ChainId>,
    seal: Option<&Passphrase>,
) -> anyhow::Result<SecretKey> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut seed[..])
        .map_err(|error| anyhow::anyhow!("the system gives no randomness: {error}"))?;
    let secret = SecretKey::from_seed(*seed);
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)
            .with_context(|| format!("cannot create {}", directory.display()))?;
    }
    let key = Key { purpose: purpose.into(), agency, chain, secret };
    keystore::create(path, &key, seal)
        .with_context(|| format!("cannot create {}; a key is never overwritten", path.display()))?;
    if purpose == "consensus" {
        // From its first day on: a key whose record is missing is a key that may have signed anything.
        SignState::create(path, key.secret.public(), Height::GENESIS)?;
    }
    Ok(key.secret)
}
