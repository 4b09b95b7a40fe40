//! From an empty directory to a validator that knows its network.

use crate::{
    cli::{complain, print, tell},
    genesis,
    home::{self, CONFIG, Config, PeerConfig, Unsafe},
};
use anyhow::{Context as _, ensure};
use client::passphrase;
use core::str::FromStr;
use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::Write as _,
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    process::ExitCode,
};
use types::{AgencyCode, ChainId, Hash, PublicKey};

/// Make a validator's directory.
#[derive(Debug, clap::Args)]
pub struct Init {
    /// The directory, which must be empty or absent.
    #[arg(long, env = "MINLIAN_HOME")]
    home: PathBuf,
    /// The agency, by its 统一社会信用代码.
    #[arg(long)]
    agency: AgencyCode,
    /// Where other validators reach this one.
    #[arg(long, required = true)]
    listen: Vec<SocketAddr>,
    /// Where the HTTP API listens.
    #[arg(long, default_value = "127.0.0.1:28001")]
    api: SocketAddr,
    /// Leave the keys in the clear, for development.
    #[arg(long)]
    unencrypted: bool,
}

/// Give a validator's directory its network.
#[derive(Debug, clap::Args)]
pub struct Join {
    /// The validator's directory, as `init` made it.
    #[arg(long, env = "MINLIAN_HOME")]
    home: PathBuf,
    /// The network's genesis file.
    #[arg(long)]
    genesis: PathBuf,
    /// The chain id, as another operator read it to you: not as the file says.
    #[arg(long)]
    chain: String,
    /// Where another validator is, as `TRANSPORT_KEY@ADDRESS:PORT`. May be given more than once.
    #[arg(long)]
    peer: Vec<Neighbour>,
}

/// Where another validator is.
#[derive(Clone, Debug)]
pub struct Neighbour {
    key: PublicKey,
    address: SocketAddr,
}

impl FromStr for Neighbour {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, address) = text.split_once('@').ok_or("expected TRANSPORT_KEY@ADDRESS:PORT")?;
        let key = key.parse().map_err(|error| format!("{error}"))?;
        let address = address.parse().map_err(|error| format!("{address}: {error}"))?;
        Ok(Self { key, address })
    }
}

/// Makes keys and node.toml, and prints what genesis, or a governance proposal, needs to know.
///
/// # Errors
/// When the directory is not empty, or cannot be written.
pub fn init(what: &Init) -> anyhow::Result<ExitCode> {
    let Init { home, agency, listen, api, unencrypted } = what;
    let occupied = home.exists() && fs::read_dir(home)?.next().is_some();
    ensure!(
        !occupied,
        "{} is not empty; a validator's directory is never overwritten",
        home.display()
    );
    let seal = if *unencrypted {
        complain("The keys are not encrypted: for development, and for nothing else.");
        None
    } else {
        let what = format!("the keys in {}", home.display());
        Some(passphrase::ask_new(&what)?)
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(home)
        .with_context(|| format!("cannot create {}", home.display()))?;
    let (consensus, transport) =
        (home.join("keys/consensus.json"), home.join("keys/transport.json"));
    let public =
        home::new_key(&consensus, "consensus", Some(*agency), None, seal.as_ref())?.public();
    let line = home::new_key(&transport, "transport", Some(*agency), None, seal.as_ref())?.public();
    let config = Config {
        genesis: "genesis.toml".into(),
        data: "data".into(),
        consensus_key: "keys/consensus.json".into(),
        transport_key: "keys/transport.json".into(),
        signer: None,
        api: *api,
        listen: listen.clone(),
        reserve_mib: home::reserve_mib(),
        log: None,
        peers: Vec::new(),
        gateway: None,
        tls: None,
        signer_tls: None,
        retention: home::RetentionConfig::default(),
    };
    write_new(&home.join(CONFIG), &toml::to_string_pretty(&config)?)?;
    let seat = genesis::SeatKeys { consensus_key: public, transport_key: line };
    let enrolment = genesis::Enrolment {
        version: 1,
        agency: *agency,
        organisation_keys: Vec::new(),
        validator: Some(seat),
    };
    print(&serde_json::to_string_pretty(&enrolment)?);
    complain(
        "This goes to whoever builds genesis. Then: minlian-node join --genesis FILE --chain ID --peer …",
    );
    Ok(ExitCode::SUCCESS)
}

/// Puts the genesis and the neighbours' addresses in their places.
///
/// # Errors
/// When the genesis is of another chain than the operator was told, or there is one already.
pub fn join(what: &Join, json: bool) -> anyhow::Result<ExitCode> {
    let Join { home, genesis: file, chain: told, peer } = what;
    let genesis = home::read_genesis(file)?;
    let chain = genesis.chain();
    let hash: Hash = told.parse().context("--chain is the whole chain id")?;
    if ChainId(hash) != chain {
        return Err(Unsafe(format!(
            "{} is the genesis of chain {chain}, and you were told {told}: one of the two is not your network's; ask again, \
             by another channel",
            file.display()
        ))
        .into());
    }
    let path = home.join(CONFIG);
    let text = fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}; `minlian-node init` makes it", path.display()))?;
    let mut config: Config =
        toml::from_str(&text).with_context(|| format!("in {}", path.display()))?;
    for Neighbour { key, address } in peer {
        ensure!(
            genesis.validators.iter().any(|seat| seat.transport_key == *key),
            "{key} is no validator's transport key in {}; keys that joined later are known from the chain, and go into \
             node.toml by hand",
            file.display()
        );
        match config.peers.iter_mut().find(|known| known.transport_key == *key) {
            Some(known) if known.addresses.contains(address) => {}
            Some(known) => known.addresses.push(*address),
            None => {
                config.peers.push(PeerConfig { transport_key: *key, addresses: vec![*address] });
            }
        }
    }
    let place = home.join(&config.genesis);
    if place.exists() {
        let there = home::read_genesis(&place)?.chain();
        if there != chain {
            return Err(Unsafe(format!(
                "{} is of chain {there}; a directory serves one chain: make another",
                place.display()
            ))
            .into());
        }
    } else {
        let text = fs::read_to_string(file)?;
        write_new(&place, &text)?;
    }
    let new = path.with_extension("toml.new");
    fs::write(&new, toml::to_string_pretty(&config)?)?;
    fs::File::open(&new)?.sync_all()?;
    fs::rename(&new, &path)?;
    let neighbours = config.peers.len();
    let done = serde_json::json!({
        "home": home, "network": genesis.name, "chain": chain, "neighbours": neighbours,
    });
    let text = format!(
        "{} is of network {}, chain {chain}, with {neighbours} neighbours. Now: minlian-node doctor, then start",
        home.display(),
        genesis.name
    );
    tell(json, &done, &text);
    let own = home::label_of(home, &config.consensus_key)?;
    if !genesis.validators.iter().any(|seat| seat.consensus_key == own) {
        complain("This key has no seat in genesis: it follows until the chain gives it one.");
    }
    Ok(ExitCode::SUCCESS)
}

fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = file.with_context(|| format!("cannot create {}", path.display()))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    Ok(())
}
