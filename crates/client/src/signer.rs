//! In whose name: an agency's key, in a file that nobody else can read, a variable or an agent, and the transactions it signs.

use crate::{
    agent::Agent,
    keystore::{self, Key, KeyError},
};
use std::path::Path;
use types::{
    AgencyCode, ChainId, Domain, Height, Operation, PublicKey, SecretKey, Transaction, codec,
};

/// What a key is for that signs transactions.
const PURPOSE: &str = "organisation";

/// An agency's organisation key.
#[derive(Debug)]
pub struct Signer {
    agency: AgencyCode,
    /// The one chain that its key serves, if it is bound to one.
    chain: Option<ChainId>,
    key: Held,
}

/// Where the secret is.
#[derive(Debug)]
enum Held {
    /// Here.
    Here(SecretKey),
    /// With an agent, which signs when asked.
    Agent(Agent, PublicKey),
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
        Self::new(keystore::open_text(variable, &text)?)
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
            [one] => Ok(Self { agency, chain: None, key: Held::Agent(agent, *one) }),
            [] | [_, ..] => Err(KeyError::AgentKeys { found: agent.keys()? }),
        }
    }

    /// Gives a key that is here to the agent of this session, which holds it until it ends. An agent knows nothing of chains:
    /// there the key is bound to none.
    ///
    /// # Errors
    /// When there is no agent, or the key is with one already.
    pub fn lend(&self) -> Result<(), KeyError> {
        match &self.key {
            Held::Here(secret) => {
                Ok(Agent::of_session()?.add(secret, &format!("minlian {}", self.agency))?)
            }
            Held::Agent(_, _) => Ok(()),
        }
    }

    /// The signer whose key is in a file. If it is sealed, the passphrase is asked for; see [`crate::passphrase`].
    ///
    /// # Errors
    /// When the file cannot be read, can be read by others, or is not an organisation key of an agency.
    pub fn open(path: &Path) -> Result<Self, KeyError> {
        Self::new(keystore::open_for(path, PURPOSE)?)
    }

    /// The signer with a key.
    ///
    /// # Errors
    /// When it is for another purpose, or names no agency.
    pub fn new(key: Key) -> Result<Self, KeyError> {
        let Key { purpose, agency, chain, secret } = key;
        if purpose != PURPOSE {
            return Err(KeyError::Purpose { found: purpose, wanted: PURPOSE.to_owned() });
        }
        Ok(Self { agency: agency.ok_or(KeyError::NoAgency)?, chain, key: Held::Here(secret) })
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
            Held::Here(secret) => secret.public(),
            Held::Agent(_, key) => *key,
        }
    }

    /// Whether the key may sign for a chain. Which one a node is on is that node's word, and the key's file may know better.
    ///
    /// # Errors
    /// When its file binds it to another.
    pub fn check_chain(&self, wanted: &ChainId) -> Result<(), KeyError> {
        match self.chain {
            Some(found) if found != *wanted => Err(KeyError::Chain { found, wanted: *wanted }),
            Some(_) | None => Ok(()),
        }
    }

    /// A transaction of `operations`, signed for one chain, to be committed at `valid_until` at the latest.
    ///
    /// # Errors
    /// When the key serves another chain, the system gives no randomness for the nonce, or an agent does not sign.
    ///
    /// # Panics
    /// With more than 2³² operations.
    pub fn sign(
        &self,
        chain: ChainId,
        valid_until: Height,
        operations: Vec<Operation>,
    ) -> std::io::Result<Transaction> {
        self.check_chain(&chain).map_err(std::io::Error::other)?;
        let nonce = getrandom::u64().map_err(|why| std::io::Error::other(why.to_string()))?;
        let (agent, key) = match &self.key {
            Held::Here(secret) => {
                return Ok(Transaction::sign(
                    chain,
                    self.agency,
                    secret,
                    nonce,
                    valid_until,
                    operations,
                ));
            }
            Held::Agent(agent, key) => (agent, *key),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        let agency = Some(AgencyCode::new("11350000XXXX000195").unwrap());
        let secret = SecretKey::from_seed([7; 32]);
        Key { purpose: PURPOSE.into(), agency, chain: None, secret }
    }

    #[test]
    fn only_an_agencys_organisation_key_signs_transactions() {
        assert!(Signer::new(key()).is_ok());
        let other = Signer::new(Key { purpose: "consensus".into(), ..key() });
        assert!(other.unwrap_err().to_string().contains("consensus"));
        let nobody = Signer::new(Key { agency: None, ..key() });
        assert!(nobody.unwrap_err().to_string().contains("no agency"));
    }

    #[test]
    fn a_key_that_is_bound_to_a_chain_signs_for_no_other() {
        let chain = |n| ChainId(types::Hash([n; 32]));
        for (bound, asked, good) in [(None, 1, true), (Some(1), 1, true), (Some(2), 1, false)] {
            let signer = Signer::new(Key { chain: bound.map(chain), ..key() }).unwrap();
            let signed = signer.sign(chain(asked), Height(1), Vec::new());
            assert_eq!(signed.is_ok(), good, "{bound:?}");
            let checked = signer.check_chain(&chain(asked));
            assert!(good || matches!(checked, Err(KeyError::Chain { .. })), "{checked:?}");
        }
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let path = std::env::temp_dir().join(format!("minlian-key-{}.json", std::process::id()));
        std::fs::remove_file(&path).ok();
        keystore::create(&path, &key(), None).unwrap();
        for (mode, good) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            assert_eq!(Signer::open(&path).is_ok(), good, "{mode:o}");
        }
        std::fs::remove_file(&path).unwrap();
    }
}
