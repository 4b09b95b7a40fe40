//! What lets a system without keys have its records signed here: tokens with scopes, and a log of every use.
//!
//! The key is enrolled for these systems and never leaves this process. A token is 256 random bits, of which the
//! configuration holds only the digest; it may do what its scopes say until it expires. Every use, and every refusal, is a
//! line in a file whose lines are chained by their digests; what cannot be written down is not done.

use crate::{clock, home::key_error};
use anyhow::{Context as _, ensure};
use client::Signer;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};
use subtle::{Choice, ConstantTimeEq as _};
use types::{Digest, RecordId, Text, Timestamp, codec, hash::Algorithm};

/// What every token begins with, so that one that was published by mistake is recognised.
const PREFIX: &str = "mln_";
/// Refusals that are written down in a minute; those beyond are counted in the next line, so that nobody fills the disk.
const REFUSALS_A_MINUTE: u64 = 60;
const MINUTE_MS: u64 = 60_000;

/// `[gateway]` in `node.toml`. Paths are relative to the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayConfig {
    /// The organisation key that is enrolled for the systems that come through here.
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
}

/// What a token may be good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Have events recorded.
    Capture,
    /// Read documents back.
    Read,
}

impl Scope {
    const fn name(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Read => "read",
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
    ) -> anyhow::Result<(String, Self)> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)
            .map_err(|error| anyhow::anyhow!("the system gives no randomness: {error}"))?;
        let secret = format!("{PREFIX}{}", codec::hex(&bytes));
        let digest = Digest::blake3(secret.as_bytes());
        Ok((secret, Self { name, digest, scopes, expires }))
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
    /// It could not be written down.
    #[error("the use of a token cannot be written down, so nothing is done")]
    Unaudited,
}

/// The gateway, open.
#[derive(Debug)]
pub struct Gateway {
    /// Who signs.
    pub signer: Signer,
    /// What is kept beside the ledger.
    pub documents: Option<Documents>,
    tokens: Vec<Token>,
    certificates: Vec<Token>,
    audit: Mutex<Audit>,
}

/// What a system shows of itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shown<'r> {
    /// The token after `Bearer`; where there is one, it alone counts.
    pub bearer: Option<&'r [u8]>,
    /// The digest of the certificate on whose line it came.
    pub certificate: Option<Digest>,
}

impl Gateway {
    /// The gateway that a configuration describes, with its log beside the ledger.
    ///
    /// # Errors
    /// When the key is not one to sign with, the log is not whole, or two tokens have one name.
    pub fn open(config: &GatewayConfig, home: &Path) -> anyhow::Result<Self> {
        let key = home.join(&config.key);
        let signer = Signer::open(&key).map_err(|error| key_error(&key, error))?;
        let accounts = || config.tokens.iter().chain(&config.certificates);
        let mut names: Vec<_> = accounts().map(|token| &token.name).collect();
        names.sort();
        names.dedup();
        ensure!(
            names.len() == accounts().count(),
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
        let audit = home.join("gateway-audit.ndjson");
        let audit = Audit::open(&audit).with_context(|| format!("in {}", audit.display()))?;
        let documents = config.documents.as_ref().map(|path| Documents(home.join(path)));
        let (tokens, certificates) = (config.tokens.clone(), config.certificates.clone());
        Ok(Self { signer, documents, tokens, certificates, audit: Mutex::new(audit) })
    }

    /// Lets in who shows a token or a certificate that is good for this, and writes down that it was used; or that it was not.
    ///
    /// # Errors
    /// Why not.
    pub fn admit(&self, shown: Shown<'_>, scope: Scope, act: &str) -> Result<&Token, Denied> {
        let now = clock::now();
        let found = self.account(shown);
        let answer = match found {
            None => Err(Denied::Unknown),
            Some(token) if token.expires <= now => Err(Denied::Expired),
            Some(token) if !token.scopes.contains(&scope) => Err(Denied::Scope),
            Some(token) => Ok(token),
        };
        let outcome = match &answer {
            Ok(_) => "let in".to_owned(),
            Err(denied) => format!("refused: {denied}"),
        };
        let name = found.map(|token| token.name.as_str());
        let act = format!("{} ({})", act, scope.name());
        self.note(now, name, &act, &outcome, answer.is_err()).map_err(|_told| Denied::Unaudited)?;
        answer
    }

    /// Writes down what came of a use.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn used(&self, token: &Token, act: &str, outcome: &str) -> io::Result<()> {
        self.note(clock::now(), Some(token.name.as_str()), act, outcome, false)
    }

    fn note(
        &self,
        at: Timestamp,
        token: Option<&str>,
        act: &str,
        outcome: &str,
        refused: bool,
    ) -> io::Result<()> {
        let mut audit = self.audit.lock().unwrap_or_else(PoisonError::into_inner);
        let written = audit.note(at, token, act, outcome, refused);
        written.inspect_err(|error| tracing::error!(%error, "the gateway's log cannot be written"))
    }

    /// Whose token or certificate this is.
    #[must_use]
    pub fn account(&self, shown: Shown<'_>) -> Option<&Token> {
        match shown {
            Shown { bearer: Some(secret), certificate: _ } => self.token(secret),
            // The handshake has shown that its holder has the key; the digest is no secret.
            Shown { bearer: None, certificate: Some(digest) } => {
                self.certificates.iter().find(|one| one.digest == digest)
            }
            Shown { bearer: None, certificate: None } => None,
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

/// One line of the log.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    number: u64,
    time: Timestamp,
    token: Option<String>,
    act: String,
    outcome: String,
    /// Refusals before this line that were not written down.
    unwritten: u64,
    /// The digest of the line before, as it stands there.
    before: Digest,
}

/// A log in which no line can be changed or left out without it being seen.
#[derive(Debug)]
struct Audit {
    file: File,
    number: u64,
    last: Digest,
    unwritten: u64,
    minute: (u64, u64),
}

impl Audit {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error.into()),
        };
        // A line that a crash cut off was never relied on: what it would have let in was not let in.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let (number, last) = check(&text[..whole])?;
        let mut options = fs::OpenOptions::new();
        let file = options.create(true).append(true).mode(0o600).open(path)?;
        file.set_len(u64::try_from(whole)?)?;
        Ok(Self { file, number, last, unwritten: 0, minute: (0, 0) })
    }

    fn note(
        &mut self,
        time: Timestamp,
        token: Option<&str>,
        act: &str,
        outcome: &str,
        refused: bool,
    ) -> io::Result<()> {
        if refused {
            let minute = time.0 / MINUTE_MS;
            self.minute =
                if self.minute.0 == minute { (minute, self.minute.1 + 1) } else { (minute, 1) };
            if self.minute.1 > REFUSALS_A_MINUTE {
                self.unwritten += 1;
                return Ok(());
            }
        }
        let line = Line {
            number: self.number,
            time,
            token: token.map(str::to_owned),
            act: act.to_owned(),
            outcome: outcome.to_owned(),
            unwritten: self.unwritten,
            before: self.last,
        };
        let text = serde_json::to_string(&line)?;
        self.file.write_all(format!("{text}\n").as_bytes())?;
        self.file.sync_data()?;
        (self.last, self.number, self.unwritten) =
            (Digest::blake3(text.as_bytes()), self.number + 1, 0);
        Ok(())
    }
}

/// Follows the chain of a log, and gives where it ends.
fn check(text: &str) -> anyhow::Result<(u64, Digest)> {
    let mut last = (0, Digest::blake3(b""));
    for text in text.lines() {
        let (number, before) = last;
        let line: Line = serde_json::from_str(text)
            .with_context(|| format!("line {number} of the gateway's log is none"))?;
        ensure!(
            line.number == number && line.before == before,
            "the gateway's log was changed at or before line {number}; put it aside, and find out by whom"
        );
        last = (number + 1, Digest::blake3(text.as_bytes()));
    }
    Ok(last)
}

/// Documents beside the node: each by its digest, its events by their records, and the records by the events' ids.
#[derive(Clone, Debug)]
pub struct Documents(PathBuf);

impl Documents {
    /// Keeps a document.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&self, document: &[u8]) -> io::Result<()> {
        self.write("documents", &codec::hex(&Digest::blake3(document).bytes), document, true)
    }

    /// Keeps an event, to be found by its record and by its id.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_event(&self, record: &RecordId, id: &str, event: &[u8]) -> io::Result<()> {
        // It can be made again of its document, so the system may write it when it likes.
        self.write("events", &record.to_string(), event, false)?;
        let name = codec::hex(&Digest::blake3(id.as_bytes()).bytes);
        self.write("ids", &name, record.to_string().as_bytes(), false)
    }

    /// The event behind a record.
    #[must_use]
    pub fn event(&self, record: &RecordId) -> Option<Vec<u8>> {
        fs::read(self.path("events", &record.to_string())).ok()
    }

    /// The record of an event that was kept under an id.
    #[must_use]
    pub fn record(&self, id: &str) -> Option<RecordId> {
        let name = codec::hex(&Digest::blake3(id.as_bytes()).bytes);
        fs::read_to_string(self.path("ids", &name)).ok()?.parse().ok()
    }

    /// Names are digests: nothing that anybody sends is ever part of a path.
    fn path(&self, kind: &str, name: &str) -> PathBuf {
        self.0.join(kind).join(&name[..2]).join(name)
    }

    fn write(&self, kind: &str, name: &str, bytes: &[u8], sync: bool) -> io::Result<()> {
        let path = self.path(kind, name);
        if path.exists() {
            return Ok(());
        }
        let directory = path.parent().unwrap_or(&self.0);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let draft = path.with_extension("draft");
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(bytes)?;
        if sync {
            file.sync_all()?;
        }
        fs::rename(&draft, &path)?;
        if sync { File::open(directory)?.sync_all() } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(name: &str, scopes: &[Scope], expires: u64) -> (String, Token) {
        Token::generate(Text::new(name).unwrap(), scopes.to_vec(), Timestamp(expires)).unwrap()
    }

    fn shown(secret: Option<&str>) -> Shown<'_> {
        Shown { bearer: secret.map(str::as_bytes), certificate: None }
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

    #[test]
    fn a_token_lets_in_for_what_it_says_and_every_use_is_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let far = clock::now().plus(1 << 40).0;
        let (good, one) = token("erp", &[Scope::Capture], far);
        let (old, two) = token("old", &[Scope::Capture, Scope::Read], 1);
        let gateway_ = gateway(folder.path(), vec![one.clone(), two]).unwrap();
        let admit = |secret: Option<&str>, scope| {
            gateway_.admit(shown(secret), scope, "test").map(|token| token.name.to_string())
        };
        assert_eq!(admit(Some(&good), Scope::Capture), Ok("erp".into()));
        for (secret, scope, why) in [
            (None, Scope::Capture, Denied::Unknown),
            (Some(""), Scope::Capture, Denied::Unknown),
            (Some("mln_00"), Scope::Capture, Denied::Unknown),
            (Some(&good[..good.len() - 1]), Scope::Capture, Denied::Unknown),
            (Some(&one.digest.to_string()[..]), Scope::Capture, Denied::Unknown),
            (Some(&good[..]), Scope::Read, Denied::Scope),
            (Some(&old[..]), Scope::Read, Denied::Expired),
        ] {
            assert_eq!(admit(secret, scope), Err(why), "{secret:?}");
        }
        let text = fs::read_to_string(folder.path().join("gateway-audit.ndjson")).unwrap();
        assert_eq!(text.lines().count(), 8);
        assert!(!text.contains(&good) && !text.contains(&old), "no secret is written down");
        assert_eq!(check(&text).unwrap().0, 8);
    }

    /// a certificate is an account with scopes and an end like a token, and a token beside it alone counts.
    #[test]
    fn a_certificate_lets_in_like_a_token() {
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
        let admit = |bearer: Option<&str>, byte: Option<u8>, scope| {
            let shown = Shown { bearer: bearer.map(str::as_bytes), certificate: byte.map(digest) };
            gateway.admit(shown, scope, "test").map(|token| token.name.to_string())
        };
        assert_eq!(admit(None, Some(1), Scope::Capture), Ok("mes".into()));
        assert_eq!(admit(None, Some(1), Scope::Read), Err(Denied::Scope));
        assert_eq!(admit(None, Some(2), Scope::Capture), Err(Denied::Expired));
        assert_eq!(admit(None, Some(3), Scope::Capture), Err(Denied::Unknown));
        assert_eq!(admit(Some(&good), Some(1), Scope::Capture), Ok("erp".into()));
        assert_eq!(admit(Some("mln_00"), Some(1), Scope::Capture), Err(Denied::Unknown));
        let text = fs::read_to_string(folder.path().join("gateway-audit.ndjson")).unwrap();
        assert_eq!(text.lines().count(), 6, "every use and every refusal is a line");
        assert!(text.contains("\"token\":\"mes\""));
        drop(gateway);
        // A name is of one account, and a digest of another kind names no certificate.
        assert!(open(vec![account("erp", 1, far)]).is_err());
        let (_, token) = token("blake", &[], far);
        assert!(open(vec![token]).is_err());
    }

    #[test]
    fn a_log_that_was_changed_is_not_written_on() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("gateway-audit.ndjson");
        for _ in 0..3 {
            let gateway = gateway(folder.path(), Vec::new()).unwrap();
            gateway.admit(Shown::default(), Scope::Read, "test").unwrap_err();
        }
        let sound = fs::read_to_string(&log).unwrap();
        assert_eq!(sound.lines().count(), 3, "a start goes on where the last one ended");
        let without: Vec<_> = sound.lines().skip(1).collect();
        for bad in [
            sound.replacen("test", "text", 1),
            format!("{}\n", without.join("\n")),
            sound.replacen("\"number\":1", "\"number\":7", 1),
        ] {
            fs::write(&log, bad).unwrap();
            assert!(gateway(folder.path(), Vec::new()).is_err());
        }
        // What a crash cut off is no change.
        fs::write(&log, format!("{sound}{{\"number\":3,\"ti")).unwrap();
        gateway(folder.path(), Vec::new())
            .unwrap()
            .admit(Shown::default(), Scope::Read, "test")
            .unwrap_err();
        assert_eq!(check(&fs::read_to_string(&log).unwrap()).unwrap().0, 4);
    }

    #[test]
    fn refusals_do_not_fill_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let mut audit = Audit::open(&folder.path().join("log")).unwrap();
        for _ in 0..1000 {
            audit.note(Timestamp(5), None, "x", "refused", true).unwrap();
        }
        audit.note(Timestamp(MINUTE_MS), None, "x", "refused", true).unwrap();
        let text = fs::read_to_string(folder.path().join("log")).unwrap();
        assert_eq!(text.lines().count(), 61);
        assert!(text.lines().last().unwrap().contains("\"unwritten\":940"), "{text}");
    }
}
