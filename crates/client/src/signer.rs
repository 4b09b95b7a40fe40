//! In whose name: an agency's key, read from a file that nobody else can read, and the transactions it signs.

use crate::keystore::{self, Key, KeyError};
use std::path::Path;
use types::{AgencyCode, ChainId, Height, Operation, PublicKey, SecretKey, Transaction};

/// What a key is for that signs transactions.
const PURPOSE: &str = "organisation";

/// An agency's organisation key.
#[derive(Debug)]
pub struct Signer {
    agency: AgencyCode,
    secret: SecretKey,
}

impl Signer {
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
        let Key { purpose, agency, chain: _, secret } = key;
        if purpose != PURPOSE {
            return Err(KeyError::Purpose { found: purpose, wanted: PURPOSE.to_owned() });
        }
        Ok(Self { agency: agency.ok_or(KeyError::NoAgency)?, secret })
    }

    /// The agency that acts.
    #[must_use]
    pub const fn agency(&self) -> &AgencyCode {
        &self.agency
    }

    /// The key that signs.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        self.secret.public()
    }

    /// A transaction of `operations`, signed for one chain, to be committed at `valid_until` at the latest.
    ///
    /// # Errors
    /// When the system gives no randomness for the nonce.
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
        Ok(Transaction::sign(chain, self.agency, &self.secret, nonce, valid_until, operations))
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
