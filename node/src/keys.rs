//! Keys, as an operator handles them: made, succeeded, copied, sealed, vouched for.

use crate::{
    cli::{complain, print, tell},
    clock,
    gateway::{Scope, Token},
    genesis,
    home::{self, Unsafe},
    signstate::{self, SignState},
};
use anyhow::Context as _;
use clap::{Subcommand, ValueEnum};
use client::{
    keystore::{self, Label},
    passphrase::{self, Passphrase},
};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};
use types::{AgencyCode, Height, PublicKey, Text, authority::Possessed};

/// What can be done with keys.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a key in a new file that only its owner can read.
    New {
        /// What it is for. Three keys, three jobs: never use one for two.
        #[arg(long, value_enum)]
        purpose: Purpose,
        /// The agency it belongs to, by its 统一社会信用代码.
        #[arg(long)]
        agency: Option<AgencyCode>,
        /// The file.
        #[arg(long)]
        out: PathBuf,
        /// The chain's genesis file, if there is one yet: then the key opens on this chain only.
        #[arg(long)]
        genesis: Option<PathBuf>,
        /// Leave the secret in the clear, for development.
        #[arg(long)]
        unencrypted: bool,
    },
    /// Make the successor of a key, for the same purpose and agency, and print what the chain must be told.
    Rotate {
        /// The key's file.
        #[arg(long)]
        key: PathBuf,
        /// The chain's genesis file: the successor opens on this chain only.
        #[arg(long)]
        genesis: PathBuf,
        /// The successor's file.
        #[arg(long)]
        out: PathBuf,
        /// Leave its secret in the clear, for development.
        #[arg(long)]
        unencrypted: bool,
    },
    /// Print what a key file says without its passphrase; with --out, write a copy under a passphrase of its own.
    Export {
        /// The key's file.
        #[arg(long)]
        key: PathBuf,
        /// The copy.
        #[arg(long)]
        out: Option<PathBuf>,
        /// The file whose first line is the copy's passphrase; asked for at the terminal if left out.
        #[arg(long, requires = "out")]
        new_passphrase_file: Option<PathBuf>,
    },
    /// Seal a key under another passphrase, or one that is in the clear under its first.
    Passphrase {
        /// The key's file.
        #[arg(long)]
        key: PathBuf,
        /// The file whose first line is the new passphrase; asked for at the terminal if left out.
        #[arg(long)]
        new_passphrase_file: Option<PathBuf>,
        /// The chain's genesis file: from now on the key opens on this chain only.
        #[arg(long)]
        genesis: Option<PathBuf>,
    },
    /// Make the record of what a consensus key has signed, when it was lost, or raise it, when it is an older copy of
    /// itself; one that is damaged throughout is put aside. Read what it asks before you answer.
    SignState {
        /// The consensus key's file.
        #[arg(long)]
        key: PathBuf,
        /// This key has never voted on any network.
        #[arg(long, conflicts_with = "voted_until", required_unless_present = "voted_until")]
        never_voted: bool,
        /// This key cannot have voted beyond this height; it will not vote up to it.
        #[arg(long)]
        voted_until: Option<u64>,
    },
    /// Print a key with the holder's word that it is an agency's, for a proposal that enrols it on a running chain.
    Possess {
        /// The key's file.
        #[arg(long)]
        key: PathBuf,
        /// What it is for.
        #[arg(long, value_enum)]
        purpose: Purpose,
        /// The agency, by its 统一社会信用代码.
        #[arg(long)]
        agency: AgencyCode,
        /// The chain's genesis file: the word is good on this chain only.
        #[arg(long)]
        genesis: PathBuf,
    },
    /// Make a token for a system that has its records signed by this node, and print what goes into node.toml.
    Token {
        /// The system it is for.
        #[arg(long)]
        name: Text<64>,
        /// What it is good for. May be given more than once.
        #[arg(long, value_enum, required = true)]
        scope: Vec<Scope>,
        /// For how many days.
        #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u64).range(1..=3650))]
        days: u64,
        /// The organisation key that is enrolled for this system alone, as node.toml is to name it; the gateway's, if left out.
        #[arg(long)]
        key: Option<PathBuf>,
    },
    /// Print an agency's public keys, for the one who builds genesis.
    Enrol {
        /// The agency, by its 统一社会信用代码.
        #[arg(long)]
        agency: AgencyCode,
        /// A key file that signs transactions for it. May be given more than once.
        #[arg(long)]
        organisation: Vec<PathBuf>,
        /// The consensus key file of its validator.
        #[arg(long, requires = "transport")]
        consensus: Option<PathBuf>,
        /// The transport key file of its validator.
        #[arg(long, requires = "consensus")]
        transport: Option<PathBuf>,
    },
}

/// What a key is for.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Purpose {
    /// Signs votes.
    Consensus,
    /// Opens connections.
    Transport,
    /// Signs transactions.
    Organisation,
}

impl Purpose {
    const fn name(self) -> &'static str {
        match self {
            Self::Consensus => "consensus",
            Self::Transport => "transport",
            Self::Organisation => "organisation",
        }
    }
}

/// Does what was asked of a key.
///
/// # Errors
/// When a key cannot be opened or written, or must not be.
pub fn run(command: Command, json: bool) -> anyhow::Result<ExitCode> {
    match command {
        Command::New { purpose, agency, out, genesis, unencrypted } => {
            let purpose = purpose.name();
            let chain = genesis.map(|file| home::read_genesis(&file)).transpose()?;
            let chain = chain.map(|genesis| genesis.chain());
            let seal = seal(unencrypted, &out)?;
            let secret = home::new_key(&out, purpose, agency, chain, seal.as_ref())?;
            written(json, &secret.public(), purpose, &out);
        }
        Command::Rotate { key, genesis, out, unencrypted } => {
            rotate(&key, &genesis, &out, unencrypted)?;
        }
        Command::Export { key, out: None, .. } => print(&described(&key)?),
        Command::Export { key, out: Some(out), new_passphrase_file } => {
            copy(&key, &out, new_passphrase_file.as_deref(), json)?;
        }
        Command::Passphrase { key, new_passphrase_file, genesis } => {
            reseal(&key, new_passphrase_file.as_deref(), genesis.as_deref(), json)?;
        }
        Command::SignState { key, never_voted: _, voted_until } => {
            let secret = home::read_key(&key, "consensus")?;
            // Nothing is learned from one that is damaged throughout: what its operator says holds instead.
            let aside = signstate::put_damaged_aside(&key)?;
            if let Some(aside) = &aside {
                complain(&format!("the damaged record is kept in {}", aside.display()));
            }
            let record = match voted_until.map(Height) {
                // A record that is there is raised, and goes on knowing what it knows.
                Some(floor) if signstate::path_of(&key).exists() => {
                    let mut record = SignState::reopen(&key, secret.public())?;
                    record.hold()?;
                    record.raise(floor)?;
                    record
                }
                floor => SignState::create(&key, secret.public(), floor.unwrap_or_default())?,
            };
            let text = record.to_string();
            let found = serde_json::json!({
                "record": text, "floor": record.floor(), "aside": aside,
            });
            tell(json, &found, &text);
        }
        Command::Possess { key, purpose, agency, genesis } => {
            let secret = home::read_key(&key, purpose.name())?;
            let chain = home::read_genesis(&genesis)?.chain();
            print(&serde_json::to_string(&Possessed::sign(&secret, &chain, &agency))?);
        }
        Command::Token { name, scope, days, key } => {
            let expires = clock::now().plus(days * 24 * 3600 * 1000);
            let (secret, token) = Token::generate(name, scope, expires, key)?;
            if json {
                print(&serde_json::json!({ "token": secret, "node_toml": token }));
                return Ok(ExitCode::SUCCESS);
            }
            complain(
                "Give the token on the next line to the system, by a safe way; it is not shown again.",
            );
            complain(&secret);
            complain("This goes into node.toml, under [gateway], before the node is started anew:");
            print(&format!("[[gateway.tokens]]\n{}", toml::to_string(&token)?));
        }
        Command::Enrol { agency, organisation, consensus, transport } => {
            let seat = consensus.as_deref().zip(transport.as_deref());
            print(&serde_json::to_string_pretty(&genesis::enrol(agency, &organisation, seat)?)?);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn written(json: bool, public: &PublicKey, purpose: &str, file: &Path) {
    let made = serde_json::json!({ "public": public, "purpose": purpose, "file": file });
    tell(json, &made, &format!("{public}\n{purpose} key written to {}", file.display()));
}

/// The passphrase of a new file, unless it is to have none.
fn seal(unencrypted: bool, file: &Path) -> anyhow::Result<Option<Passphrase>> {
    if unencrypted {
        complain("The secret is not encrypted: for development, and for nothing else.");
        return Ok(None);
    }
    let what = file.display().to_string();
    Ok(Some(passphrase::ask_new(&what).with_context(|| {
        format!("{what} is not made; a development network's key may be --unencrypted")
    })?))
}

/// The passphrase under which a file is sealed anew: never the one it has, unless a person types that.
fn other_seal(file: Option<&Path>, label: &Label, what: &Path) -> anyhow::Result<Passphrase> {
    let what = what.display().to_string();
    Ok(match file {
        Some(file) => passphrase::new_from_file(file)?,
        None if label.is_sealed => passphrase::type_new(&what)?,
        None => passphrase::ask_new(&what)?,
    })
}

fn described(file: &Path) -> anyhow::Result<String> {
    let label = keystore::label(file).map_err(|error| home::key_error(file, error))?;
    let Label { purpose, agency, chain, public, is_sealed } = label;
    Ok(serde_json::to_string_pretty(&serde_json::json!({
        "purpose": purpose, "agency": agency, "chain": chain, "public": public, "encrypted": is_sealed,
    }))?)
}

fn rotate(file: &Path, genesis: &Path, out: &Path, unencrypted: bool) -> anyhow::Result<()> {
    let chain = home::read_genesis(genesis)?.chain();
    let old = keystore::open(file).map_err(|error| home::key_error(file, error))?;
    let agency = old.agency.with_context(|| {
        format!("{} names no agency, and a successor needs one", file.display())
    })?;
    let seal = seal(unencrypted, out)?;
    let new = home::new_key(out, &old.purpose, Some(agency), Some(chain), seal.as_ref())?;
    let enrol = Possessed::sign(&new, &chain, &agency);
    print(&serde_json::to_string_pretty(&serde_json::json!({
        "retire": old.secret.public(), "enrol": enrol,
    }))?);
    complain(match old.purpose.as_str() {
        "organisation" => {
            "Tell the chain: {\"op\": \"govern.rotate\", \"at\": NOW, \"retire\": …, \"enrol\": …} with `minlian submit`, \
             signed by the old key. The old one signs until that is committed, the new one from the next block on."
        }
        _ => {
            "Tell the chain: a governance proposal gives the seat to the new keys at a height. Until then the old ones are \
             used, from then on the new ones; keep each with its own record of signatures."
        }
    });
    Ok(())
}

fn copy(
    file: &Path,
    out: &Path,
    new_passphrase_file: Option<&Path>,
    json: bool,
) -> anyhow::Result<()> {
    let label = keystore::label(file).map_err(|error| home::key_error(file, error))?;
    if label.purpose == "consensus" {
        // Two copies vote twice sooner or later, and only a record that moves along prevents it.
        return Err(Unsafe(format!(
            "a consensus key is not copied: stop its node, move {} and {} together, or give the seat to a new key (key rotate)",
            file.display(),
            signstate::path_of(file).display()
        ))
        .into());
    }
    let key = keystore::open(file).map_err(|error| home::key_error(file, error))?;
    let label = Label { is_sealed: true, ..label };
    let seal = other_seal(new_passphrase_file, &label, out)?;
    keystore::create(out, &key, Some(&seal))
        .with_context(|| format!("cannot create {}; a key is never overwritten", out.display()))?;
    written(json, &key.secret.public(), &key.purpose, out);
    Ok(())
}

fn reseal(
    file: &Path,
    new_passphrase_file: Option<&Path>,
    genesis: Option<&Path>,
    json: bool,
) -> anyhow::Result<()> {
    let label = keystore::label(file).map_err(|error| home::key_error(file, error))?;
    let mut key = keystore::open(file).map_err(|error| home::key_error(file, error))?;
    if let Some(genesis) = genesis {
        key.chain = Some(home::read_genesis(genesis)?.chain());
    }
    let seal = other_seal(new_passphrase_file, &label, file)?;
    keystore::replace(file, &key, Some(&seal))
        .with_context(|| format!("cannot replace {}", file.display()))?;
    let text = format!("{} is sealed under the new passphrase", file.display());
    tell(json, &serde_json::json!({ "sealed": file, "public": key.secret.public() }), &text);
    Ok(())
}
