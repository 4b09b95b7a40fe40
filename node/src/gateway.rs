//! What lets a system without keys have its records signed here: tokens with scopes, and a log of every use.
//!
//! The keys are enrolled for these systems and never leave this process. A token is 256 random bits, of which the
//! configuration holds only the digest; it may do what its scopes say until it expires. Every use, and every refusal, is a
//! line in a file whose lines are chained by their digests; what cannot be written down is not done.

pub mod audit;
mod documents;

pub use documents::{Documents, Event, Unkept};

use crate::{clock, home::key_error};
use anyhow::ensure;
use audit::{Audit, Entry};
use client::Signer;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};
use subtle::{Choice, ConstantTimeEq as _};
use types::{Digest, Text, Timestamp, codec, hash::Algorithm};

/// What every token begins with, so that one that was published by mistake is recognised.
const PREFIX: &str = "mln_";

/// `[gateway]` in `node.toml`. Paths are relative to the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayConfig {
    /// The organisation key that is enrolled for the systems that come through here and have none of their own.
    pub key: PathBuf,
    /// Where documents are kept beside the node, to be read back; none are kept without it.
    pub documents: Option<PathBuf>,
    /// Who may come.
    #[serde(default)]
    pub tokens: Vec<Token>,
    /// Who may come with a certificate instead, over TLS; the digest is the certificate's SHA-256.
    #[serde(default)]
    pub certificates: Vec<Token>,
}

impl GatewayConfig {
    /// Every key that signs here, each once.
    #[must_use]
    pub fn keys(&self) -> BTreeSet<&Path> {
        let own = self.accounts().filter_map(|account| account.key.as_deref());
        own.chain([self.key.as_path()]).collect()
    }

    fn accounts(&self) -> impl Iterator<Item = &Token> {
        self.tokens.iter().chain(&self.certificates)
    }

    /// The same, with every path from the directory that the file lies in.
    pub(crate) fn within(&mut self, home: &Path) {
        self.key = home.join(&self.key);
        for account in self.tokens.iter_mut().chain(&mut self.certificates) {
            account.key = account.key.as_ref().map(|key| home.join(key));
        }
    }
}

/// A token, as the configuration knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// The system it was given to.
    pub name: Text<64>,
    /// The digest of it: `blake3:` and 64 hexadecimal digits.
    pub digest: Digest,
    /// What it is good for.
    pub scopes: Vec<Scope>,
    /// Until when.
    pub expires: Timestamp,
    /// The organisation key that is enrolled for this system alone; the gateway's, if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
}

/// What a token may be good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Have events recorded.
    Capture,
    /// Read documents back.
    Read,
    /// Have documents of licences, items and their uses recorded.
    Submit,
}

impl Scope {
    const fn name(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Read => "read",
            Self::Submit => "submit",
        }
    }
}

impl Token {
    /// A new token: what the system is given, and what the configuration is.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn generate(
        name: Text<64>,
        scopes: Vec<Scope>,
        expires: Timestamp,
        key: Option<PathBuf>,
    ) -> anyhow::Result<(String, Self)> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)
            .map_err(|error| anyhow::anyhow!("the system gives no randomness: {error}"))?;
        let secret = format!("{PREFIX}{}", codec::hex(&bytes));
        let digest = Digest::blake3(secret.as_bytes());
        Ok((secret, Self { name, digest, scopes, expires, key }))
    }
}

/// Why somebody was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Nobody we know.
    #[error(
        "no token and no certificate that this node knows; send `Authorization: Bearer mln_…`, or come over TLS with yours"
    )]
    Unknown,
    /// Not any more.
    #[error("this token has expired; ask the node's operator for a new one")]
    Expired,
    /// Not for this.
    #[error("this token is not good for this; its scopes say for what it is")]
    Scope,
    /// Not by a page of another site.
    #[error(
        "a page of another site asks for this by the certificate in a browser; ask by a page of this node, by a program, or with a token"
    )]
    Origin,
    /// It could not be written down.
    #[error("the use of a token cannot be written down, so nothing is done")]
    Unaudited,
}

/// The gateway, open.
#[derive(Debug)]
pub struct Gateway {
    /// What is kept beside the ledger.
    pub documents: Option<Documents>,
    key: PathBuf,
    signers: BTreeMap<PathBuf, Signer>,
    tokens: Vec<Token>,
    certificates: Vec<Token>,
    audit: Audit,
}

/// Why there is no gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shut {
    /// None is configured, or nothing can be written.
    Absent,
    /// It cannot be opened, and a person has to see why; the validator goes on.
    Unfit(String),
}

/// What a system shows of itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shown<'r> {
    /// The token after `Bearer`; where there is one, it alone counts.
    pub bearer: Option<&'r [u8]>,
    /// The digest of the certificate on whose line it came.
    pub certificate: Option<Digest>,
    /// Whether a page of another site has a browser ask for what is to be recorded. A token no such page has.
    pub by_foreign_page: bool,
}

impl Gateway {
    /// The gateway that a configuration describes, with its log beside the ledger.
    ///
    /// # Errors
    /// When a key is not one to sign with, the log is not whole or not ours alone, or two tokens have one name.
    pub fn open(config: &GatewayConfig, home: &Path) -> anyhow::Result<Self> {
        let signers = signers(config, home)?;
        Ok(Self {
            documents: config.documents.as_ref().map(|path| Documents::new(home.join(path))),
            key: config.key.clone(),
            signers,
            tokens: config.tokens.clone(),
            certificates: config.certificates.clone(),
            audit: Audit::open(home)?,
        })
    }

    /// Looks at everything that opening it would, and changes nothing: a node may be running.
    ///
    /// # Errors
    /// As [`Gateway::open`].
    pub fn check(config: &GatewayConfig, home: &Path) -> anyhow::Result<()> {
        signers(config, home)?;
        audit::check(home)
    }

    /// Who signs for a system.
    ///
    /// # Panics
    /// Never: the key of every token was opened with the gateway.
    #[must_use]
    pub fn signer(&self, token: &Token) -> &Signer {
        let key = token.key.as_ref().unwrap_or(&self.key);
        self.signers.get(key).expect("every key was opened with the gateway")
    }

    /// Lets in who shows a token or a certificate that is good for this, and writes down that it was used; or that it was not.
    ///
    /// # Errors
    /// Why not.
    pub async fn admit(&self, shown: Shown<'_>, scope: Scope, act: &str) -> Result<&Token, Denied> {
        let now = clock::now();
        let found = self.account(shown);
        let answer = match found {
            None => Err(Denied::Unknown),
            Some(token) if token.expires <= now => Err(Denied::Expired),
            Some(token) if !token.scopes.contains(&scope) => Err(Denied::Scope),
            Some(_) if shown.by_foreign_page && shown.bearer.is_none() => Err(Denied::Origin),
            Some(token) => Ok(token),
        };
        let outcome = match &answer {
            Ok(_) => "let in".to_owned(),
            Err(denied) => format!("refused: {denied}"),
        };
        let entry = Entry {
            time: now,
            token: found.map(|token| token.name.to_string()),
            act: format!("{} ({})", act, scope.name()),
            outcome,
            refused: answer.is_err(),
        };
        self.audit.note(entry).await.map_err(|_told| Denied::Unaudited)?;
        answer
    }

    /// Writes down what came of a use. Waits for the disk: not to be called where others are served meanwhile.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn used(&self, token: &Token, act: &str, outcome: &str) -> Result<(), String> {
        self.audit.note_and_wait(Entry {
            time: clock::now(),
            token: Some(token.name.to_string()),
            act: act.to_owned(),
            outcome: outcome.to_owned(),
            refused: false,
        })
    }

    /// Whose token or certificate this is.
    #[must_use]
    pub fn account(&self, shown: Shown<'_>) -> Option<&Token> {
        match shown {
            Shown { bearer: Some(secret), .. } => self.token(secret),
            // The handshake has shown that its holder has the key; the digest is no secret.
            Shown { bearer: None, certificate: Some(digest), .. } => {
                self.certificates.iter().find(|one| one.digest == digest)
            }
            Shown { bearer: None, certificate: None, .. } => None,
        }
    }

    /// The token that this is the secret of. It is compared with every one, for as long whatever is found.
    #[must_use]
    pub fn token(&self, secret: &[u8]) -> Option<&Token> {
        let digest = Digest::blake3(secret).bytes;
        self.tokens.iter().fold(None, |found, token| {
            let same: Choice = token.digest.bytes.ct_eq(&digest);
            if bool::from(same) { Some(token) } else { found }
        })
    }
}

/// The keys of a configuration, opened; and what else is wrong with it.
fn signers(config: &GatewayConfig, home: &Path) -> anyhow::Result<BTreeMap<PathBuf, Signer>> {
    let mut names: Vec<_> = config.accounts().map(|token| &token.name).collect();
    names.sort();
    names.dedup();
    ensure!(
        names.len() == config.accounts().count(),
        "two tokens or certificates of [gateway] have the same name"
    );
    for one in &config.certificates {
        let name = &one.name;
        ensure!(
            one.digest.algorithm == Algorithm::Sha256,
            "the certificate {name:?} of [gateway] is named by its SHA-256, as `openssl x509 -fingerprint -sha256` prints it: \
             sha256: and 64 hexadecimal digits"
        );
    }
    let open = |key: &Path| {
        let path = home.join(key);
        let signer = Signer::open(&path).map_err(|error| key_error(&path, error))?;
        Ok((key.to_owned(), signer))
    };
    config.keys().into_iter().map(open).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn token(name: &str, scopes: &[Scope], expires: u64) -> (String, Token) {
        Token::generate(Text::new(name).unwrap(), scopes.to_vec(), Timestamp(expires), None)
            .unwrap()
    }

    fn shown(secret: Option<&str>) -> Shown<'_> {
        Shown { bearer: secret.map(str::as_bytes), ..Shown::default() }
    }

    fn gateway(folder: &Path, tokens: Vec<Token>) -> anyhow::Result<Gateway> {
        let key = folder.join("gateway.json");
        if !key.exists() {
            let agency = "11350000MXDEX01033".parse().unwrap();
            crate::home::new_key(&key, "organisation", Some(agency), None, None).unwrap();
        }
        let certificates = Vec::new();
        Gateway::open(&GatewayConfig { key, documents: None, tokens, certificates }, folder)
    }

    fn lines(home: &Path) -> u64 {
        audit::verify(home, |_, _| Ok(())).unwrap().end.number
    }

    #[tokio::test]
    async fn a_token_lets_in_for_what_it_says_and_every_use_is_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let far = clock::now().plus(1 << 40).0;
        let (good, one) = token("erp", &[Scope::Capture], far);
        let (old, two) = token("old", &[Scope::Capture, Scope::Read], 1);
        let gateway_ = gateway(folder.path(), vec![one.clone(), two]).unwrap();
        let admit = async |secret: Option<&str>, scope| {
            let admitted = gateway_.admit(shown(secret), scope, "test").await;
            admitted.map(|token| token.name.to_string())
        };
        assert_eq!(admit(Some(&good), Scope::Capture).await, Ok("erp".into()));
        for (secret, scope, why) in [
            (None, Scope::Capture, Denied::Unknown),
            (Some(""), Scope::Capture, Denied::Unknown),
            (Some("mln_00"), Scope::Capture, Denied::Unknown),
            (Some(&good[..good.len() - 1]), Scope::Capture, Denied::Unknown),
            (Some(&one.digest.to_string()[..]), Scope::Capture, Denied::Unknown),
            (Some(&good[..]), Scope::Read, Denied::Scope),
            (Some(&old[..]), Scope::Read, Denied::Expired),
        ] {
            assert_eq!(admit(secret, scope).await, Err(why), "{secret:?}");
        }
        let text = fs::read_to_string(folder.path().join("gateway-audit.ndjson")).unwrap();
        assert_eq!(text.lines().count(), 8);
        assert!(!text.contains(&good) && !text.contains(&old), "no secret is written down");
        assert_eq!(lines(folder.path()), 8);
    }

    /// a certificate is an account with scopes and an end like a token, and a token beside it alone counts.
    #[tokio::test]
    async fn a_certificate_lets_in_like_a_token() {
        let folder = tempfile::tempdir().unwrap();
        let far = clock::now().plus(1 << 40).0;
        let digest = |byte| Digest { algorithm: Algorithm::Sha256, bytes: [byte; 32] };
        let account = |name: &str, byte, expires| {
            let (_, token) = token(name, &[Scope::Capture], expires);
            Token { digest: digest(byte), ..token }
        };
        drop(gateway(folder.path(), Vec::new()).unwrap());
        let open = |certificates: Vec<Token>| {
            let (good, one) = token("erp", &[Scope::Capture], far);
            let key = folder.path().join("gateway.json");
            let config = GatewayConfig { key, documents: None, tokens: vec![one], certificates };
            Gateway::open(&config, folder.path()).map(|gateway| (gateway, good))
        };
        let (gateway, good) = open(vec![account("mes", 1, far), account("old", 2, 1)]).unwrap();
        let enter = async |bearer: Option<&str>, byte: Option<u8>, scope, by_foreign_page| {
            let (bearer, certificate) = (bearer.map(str::as_bytes), byte.map(digest));
            let shown = Shown { bearer, certificate, by_foreign_page };
            let admitted = gateway.admit(shown, scope, "test").await;
            admitted.map(|token| token.name.to_string())
        };
        let admit = async |bearer: Option<&str>, byte: Option<u8>, scope| {
            enter(bearer, byte, scope, false).await
        };
        assert_eq!(admit(None, Some(1), Scope::Capture).await, Ok("mes".into()));
        assert_eq!(admit(None, Some(1), Scope::Read).await, Err(Denied::Scope));
        assert_eq!(admit(None, Some(2), Scope::Capture).await, Err(Denied::Expired));
        assert_eq!(admit(None, Some(3), Scope::Capture).await, Err(Denied::Unknown));
        assert_eq!(admit(Some(&good), Some(1), Scope::Capture).await, Ok("erp".into()));
        assert_eq!(admit(Some("mln_00"), Some(1), Scope::Capture).await, Err(Denied::Unknown));
        // A browser shows the certificate for whatever page asks; a token has to be known.
        assert_eq!(enter(None, Some(1), Scope::Capture, true).await, Err(Denied::Origin));
        assert_eq!(enter(Some(&good), Some(1), Scope::Capture, true).await, Ok("erp".into()));
        let text = fs::read_to_string(folder.path().join("gateway-audit.ndjson")).unwrap();
        assert_eq!(text.lines().count(), 8, "every use and every refusal is a line");
        assert!(text.contains("\"token\":\"mes\""));
        drop(gateway);
        // A name is of one account, and a digest of another kind names no certificate.
        assert!(open(vec![account("erp", 1, far)]).is_err());
        let (_, token) = token("blake", &[], far);
        assert!(open(vec![token]).is_err());
    }

    #[tokio::test]
    async fn a_log_that_was_changed_is_not_written_on() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join(audit::FILE);
        let refused = async || {
            let gateway = gateway(folder.path(), Vec::new()).unwrap();
            gateway.admit(Shown::default(), Scope::Read, "test").await.unwrap_err()
        };
        for _ in 0..3 {
            refused().await;
        }
        let sound = fs::read_to_string(&log).unwrap();
        assert_eq!(sound.lines().count(), 3, "a start goes on where the last one ended");
        let without: Vec<_> = sound.lines().skip(1).collect();
        for bad in [
            sound.replacen("test", "text", 1),
            format!("{}\n", without.join("\n")),
            sound.replacen("\"number\":1", "\"number\":7", 1),
        ] {
            fs::write(&log, &bad).unwrap();
            assert!(gateway(folder.path(), Vec::new()).is_err());
            assert_eq!(fs::read_to_string(&log).unwrap(), bad, "it is left as it is");
        }
        // What a crash cut off is no change.
        fs::write(&log, format!("{sound}{{\"number\":3,\"ti")).unwrap();
        refused().await;
        assert_eq!(lines(folder.path()), 4);
    }

    /// Each system may have a key of its own, and signs with no other.
    #[test]
    fn a_system_may_have_a_key_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let new = |name: &str, agency: &str| {
            let key = folder.path().join(name);
            let agency = agency.parse().unwrap();
            crate::home::new_key(&key, "organisation", Some(agency), None, None).unwrap().public()
        };
        let (common, own) =
            (new("gateway.json", "11350000MXDEX01033"), new("tax.json", "11350000MXDEX01033"));
        let (_, erp) = token("erp", &[Scope::Capture], 1);
        let (_, tax) = token("tax", &[Scope::Submit], 1);
        let tax = Token { key: Some("tax.json".into()), ..tax };
        let mut config = GatewayConfig {
            key: "gateway.json".into(),
            documents: None,
            tokens: vec![erp.clone(), tax.clone()],
            certificates: Vec::new(),
        };
        assert_eq!(config.keys().len(), 2);
        let gateway = Gateway::open(&config, folder.path()).unwrap();
        assert_eq!(gateway.signer(&erp).public(), common);
        assert_eq!(gateway.signer(&tax).public(), own);
        config.tokens[1].key = Some("none.json".into());
        assert!(Gateway::check(&config, folder.path()).is_err());
    }
}
