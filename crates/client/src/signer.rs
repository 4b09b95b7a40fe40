//! In whose name: an agency's key, in a file that nobody else can read, a variable or an agent, and the transactions it signs.

use crate::{agent::Agent, api::KeyFile};
use std::{fs::File, io::Read as _, path::Path};
use types::{
    AgencyCode, ChainId, Domain, Height, Operation, PublicKey, SecretKey, Transaction, codec,
    hash::ParseError,
};

/// The version of the key file's format.
const VERSION: u16 = 1;

/// A key file is a few hundred bytes; whatever is longer is something else.
const KEY_FILE_BYTES_MAX: u64 = 16 << 10;

/// An agency's organisation key.
#[derive(Debug)]
pub struct Signer {
    agency: AgencyCode,
    key: Key,
}

/// Where the secret is.
#[derive(Debug)]
enum Key {
    /// Here.
    Held(SecretKey),
    /// With an agent, which signs when asked.
    Agent(Agent, PublicKey),
}

/// Why a file gives no signer.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// Others than its owner can read it.
    #[error(
        "others can read it (mode {mode:04o}), so the key may be known to them; `chmod 0600` it, or make a new key"
    )]
    Exposed {
        /// Its mode.
        mode: u32,
    },
    /// Not a key file.
    #[error("not a key file: {0}")]
    Malformed(String),
    /// Another format.
    #[error("key file format {found}; this version reads {VERSION}")]
    Version {
        /// The format it has.
        found: u16,
    },
    /// A key for another job. Three keys, three jobs.
    #[error("a key for {found:?}; records are signed with a key for \"organisation\"")]
    Purpose {
        /// What it is for.
        found: String,
    },
    /// A key without an agency.
    #[error("it names no agency; the key has to be enrolled first")]
    NoAgency,
    /// The secret is not of the public key.
    #[error("the secret does not belong to the public key {0}")]
    Pair(PublicKey),
    /// The variable is not set.
    #[error("the environment has no variable {0}; it should hold the text of a key file")]
    NoVariable(String),
    /// No agent in this session.
    #[error("no agent: SSH_AUTH_SOCK is not set; start one with `eval $(ssh-agent)`")]
    NoAgent,
    /// What follows `agent:` is not an agency, or its key none.
    #[error("{0:?} is not agent:AGENCY or agent:AGENCY:PUBLIC-KEY")]
    AgentName(String),
    /// The agent does not hold the one key.
    #[error("the agent holds {} Ed25519 keys{}; name one that is the agency's: agent:AGENCY:PUBLIC-KEY", found.len(), listed(found))]
    AgentKeys {
        /// The keys it holds.
        found: Vec<PublicKey>,
    },
}

fn listed(keys: &[PublicKey]) -> String {
    keys.iter().map(|key| format!(" {key}")).collect()
}

impl Signer {
    /// The signer that a person names: `env:NAME` (a variable with the text of a key file), `agent:AGENCY` or
    /// `agent:AGENCY:PUBLIC-KEY` (a key that `ssh-agent` holds), or the path of a key file.
    ///
    /// ```
    /// # fn main() -> Result<(), client::KeyError> {
    /// use client::{KeyError, Signer};
    ///
    /// assert!(matches!(Signer::find("env:NO_SUCH_KEY".as_ref()), Err(KeyError::NoVariable(_))));
    /// assert!(matches!(Signer::find("agent:nobody".as_ref()), Err(KeyError::AgentName(_))));
    /// assert!(matches!(Signer::find("no/such/file.json".as_ref()), Err(KeyError::Io(_))));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When there is no such key, or it is not fit to be used.
    pub fn find(name: &Path) -> Result<Self, KeyError> {
        let text = name.to_str().unwrap_or_default();
        if let Some(variable) = text.strip_prefix("env:") {
            Self::from_environment(variable)
        } else if let Some(named) = text.strip_prefix("agent:") {
            let unknown = || KeyError::AgentName(text.to_owned());
            let (agency, key) =
                named.split_once(':').map_or((named, None), |(agency, key)| (agency, Some(key)));
            let agency = AgencyCode::new(agency).map_err(|_bad| unknown())?;
            let key = key.map(str::parse).transpose().map_err(|_bad| unknown())?;
            Self::with_agent(agency, key)
        } else {
            Self::open(name)
        }
    }

    /// The signer whose key file's text a variable of the environment holds, as services are given secrets.
    ///
    /// # Errors
    /// When it is not set, or is not an organisation key of an agency.
    pub fn from_environment(variable: &str) -> Result<Self, KeyError> {
        let text = std::env::var_os(variable)
            .ok_or_else(|| KeyError::NoVariable(variable.to_owned()))?
            .into_string()
            .map_err(|_bytes| KeyError::Malformed("not UTF-8".to_owned()))?;
        let key =
            serde_json::from_str(&text).map_err(|why| KeyError::Malformed(why.to_string()))?;
        Self::new(key)
    }

    /// The signer of an agency whose key `ssh-agent` holds: this one, or the only one it has.
    ///
    /// Whether it is the agency's is the ledger's question. Signing may wait for a person who has to touch a token.
    ///
    /// # Errors
    /// When there is no agent in this session, or it does not hold the one key.
    pub fn with_agent(agency: AgencyCode, key: Option<PublicKey>) -> Result<Self, KeyError> {
        let agent = Agent::of_session()?;
        let mut found = agent.keys()?;
        found.retain(|held| key.is_none_or(|key| *held == key));
        match found.as_slice() {
            [one] => Ok(Self { agency, key: Key::Agent(agent, *one) }),
            [] | [_, ..] => Err(KeyError::AgentKeys { found: agent.keys()? }),
        }
    }

    /// Gives a key that is here to the agent of this session, which holds it until it ends.
    ///
    /// # Errors
    /// When there is no agent, or the key is with one already.
    pub fn lend(&self) -> Result<(), KeyError> {
        match &self.key {
            Key::Held(secret) => {
                Ok(Agent::of_session()?.add(secret, &format!("minlian {}", self.agency))?)
            }
            Key::Agent(_, _) => Ok(()),
        }
    }

    /// The signer whose key is in a file.
    ///
    /// # Errors
    /// When the file cannot be read, can be read by others, or is not an organisation key of an agency.
    pub fn open(path: &Path) -> Result<Self, KeyError> {
        let file = File::open(path)?;
        check_mode(&file)?;
        let mut text = String::new();
        file.take(KEY_FILE_BYTES_MAX).read_to_string(&mut text)?;
        let key =
            serde_json::from_str(&text).map_err(|why| KeyError::Malformed(why.to_string()))?;
        Self::new(key)
    }

    /// The signer that a key file describes.
    ///
    /// # Errors
    /// When it is of another version or purpose, names no agency, or does not fit together.
    pub fn new(file: KeyFile) -> Result<Self, KeyError> {
        let KeyFile { version, purpose, agency, public, secret } = file;
        if version != VERSION {
            return Err(KeyError::Version { found: version });
        }
        if purpose != "organisation" {
            return Err(KeyError::Purpose { found: purpose });
        }
        let seed = codec::unhex(&secret).and_then(|bytes| bytes.try_into().ok());
        let expected = ParseError { expected: "a secret of 64 lower-case hexadecimal digits" };
        let secret = seed
            .map(SecretKey::from_seed)
            .ok_or_else(|| KeyError::Malformed(expected.to_string()))?;
        if secret.public() != public {
            return Err(KeyError::Pair(public));
        }
        Ok(Self { agency: agency.ok_or(KeyError::NoAgency)?, key: Key::Held(secret) })
    }

    /// The agency that acts.
    #[must_use]
    pub const fn agency(&self) -> &AgencyCode {
        &self.agency
    }

    /// The key that signs.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        match &self.key {
            Key::Held(secret) => secret.public(),
            Key::Agent(_, key) => *key,
        }
    }

    /// A transaction of `operations`, signed for one chain, to be committed at `valid_until` at the latest.
    ///
    /// # Errors
    /// When the system gives no randomness for the nonce, or an agent does not sign.
    ///
    /// # Panics
    /// With more than 2³² operations.
    pub fn sign(
        &self,
        chain: ChainId,
        valid_until: Height,
        operations: Vec<Operation>,
    ) -> std::io::Result<Transaction> {
        let nonce = getrandom::u64().map_err(|why| std::io::Error::other(why.to_string()))?;
        let (agent, key) = match &self.key {
            Key::Held(secret) => {
                return Ok(Transaction::sign(
                    chain,
                    self.agency,
                    secret,
                    nonce,
                    valid_until,
                    operations,
                ));
            }
            Key::Agent(agent, key) => (agent, *key),
        };
        let header = Transaction::header(chain, self.agency, key, nonce, valid_until, &operations);
        let message = Domain::Transaction.message(&chain, &codec::encode(&header));
        let signature = agent.sign(&key, &message)?;
        header
            .check(&signature)
            .map_err(|_bad| std::io::Error::other("the agent signed with another key"))?;
        Ok(Transaction { header, signature, operations })
    }
}

/// Asked of the open file, so that it cannot be exchanged between the question and the reading.
fn check_mode(file: &File) -> Result<(), KeyError> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = file.metadata()?.permissions().mode() & 0o7777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(KeyError::Exposed { mode }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_file() -> KeyFile {
        let secret = SecretKey::from_seed([7; 32]);
        KeyFile {
            version: 1,
            purpose: "organisation".into(),
            agency: Some(AgencyCode::new("11350000XXXX000195").unwrap()),
            public: secret.public(),
            secret: codec::hex(secret.seed()),
        }
    }

    #[test]
    fn a_key_file_has_to_fit_together() {
        assert!(Signer::new(key_file()).is_ok());
        let why = |edit: fn(&mut KeyFile)| {
            let mut file = key_file();
            edit(&mut file);
            Signer::new(file).unwrap_err().to_string()
        };
        for (edit, wanted) in [
            ((|file| file.version = 2) as fn(&mut KeyFile), "format 2"),
            (|file| file.purpose = "consensus".into(), "consensus"),
            (|file| file.agency = None, "no agency"),
            (|file| file.secret = "00".repeat(32), "does not belong"),
            (|file| file.secret.truncate(10), "64 lower-case"),
        ] {
            assert!(why(edit).contains(wanted), "{wanted}: {}", why(edit));
        }
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let path = std::env::temp_dir().join(format!("minlian-key-{}.json", std::process::id()));
        std::fs::write(&path, serde_json::to_string(&key_file()).unwrap()).unwrap();
        for (mode, good) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            assert_eq!(Signer::open(&path).is_ok(), good, "{mode:o}");
        }
        std::fs::remove_file(&path).unwrap();
    }
}
