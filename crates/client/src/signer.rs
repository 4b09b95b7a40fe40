//! In whose name: an agency's key, read from a file that nobody else can read, and the transactions it signs.

use crate::api::KeyFile;
use std::{fs::File, io::Read as _, path::Path};
use types::{
    AgencyCode, ChainId, Height, Operation, PublicKey, SecretKey, Transaction, codec,
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
    secret: SecretKey,
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
}

impl Signer {
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
