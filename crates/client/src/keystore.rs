//! Keys at rest: a secret sealed under a passphrase, in a file that nobody else can read.
//!
//! A sealed file is JSON: a header that anyone who may read the file can read, and the secret, encrypted with
//! XChaCha20-Poly1305 under a key that Argon2id makes of the passphrase. The header is the associated data, so that nobody
//! can give a key another purpose, agency, chain or cost without the passphrase. A file of version 1 holds its secret in the
//! clear, for development.

use crate::{api::KeyFile, passphrase::Passphrase};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use chacha20poly1305::{AeadInPlace as _, KeyInit as _, XChaCha20Poly1305};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};
use types::{AgencyCode, ChainId, PublicKey, SecretKey, codec};
use zeroize::{Zeroize as _, Zeroizing};

/// The format whose secret stands in the clear.
const CLEAR: u16 = 1;
/// The format whose secret is sealed.
const SEALED: u16 = 2;

/// A key file is a few hundred bytes; whatever is longer is something else.
const FILE_BYTES_MAX: u64 = 16 << 10;

/// What a guess costs whoever has stolen the file: the second recommendation of RFC 9106.
const COST: Cost = Cost { memory_kib: 64 << 10, passes: 3, lanes: 4 };
/// Files that ask for less are refused: somebody has made them cheap to guess. Tests flip every bit, and cannot wait.
const MEMORY_KIB_MIN: u32 = if cfg!(test) { 64 } else { COST.memory_kib };
/// Files that ask for more than these are refused, or opening a stranger's file could take this machine's memory.
const MEMORY_KIB_MAX: u32 = 1 << 20;
const PASSES_MAX: u32 = 16;
const LANES_MAX: u32 = 16;

/// Why a file gives no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It cannot be read or written.
    #[error("cannot be read or written: {0}")]
    Io(#[from] io::Error),
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
    #[error("key file format {found}; this version reads {CLEAR} and {SEALED}")]
    Version {
        /// The format it has.
        found: u16,
    },
    /// A cost that is too low to protect it, or too high to be meant.
    #[error(
        "its passphrase is hashed with {0}; this version wants 64 MiB to 1 GiB and at most 16 passes and 16 lanes"
    )]
    Cost(String),
    /// The passphrase does not open it.
    #[error("the passphrase is wrong, or the file was changed")]
    Passphrase,
    /// No passphrase is to be had.
    #[error(transparent)]
    Unasked(#[from] crate::passphrase::Unasked),
    /// A key for another job. Three keys, three jobs.
    #[error("a key for {found:?}; a key for {wanted:?} is needed here")]
    Purpose {
        /// What it is for.
        found: String,
        /// What is needed.
        wanted: String,
    },
    /// A key for another chain.
    #[error("a key for chain {found} alone; chain {wanted} is asked for here")]
    Chain {
        /// The one it is bound to.
        found: ChainId,
        /// The one that is asked for.
        wanted: ChainId,
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

/// A secret key, and what its file says of it.
#[derive(Clone, Debug)]
pub struct Key {
    /// What it is for: `organisation`, `consensus` or `transport`.
    pub purpose: String,
    /// The agency it belongs to, if the file says so.
    pub agency: Option<AgencyCode>,
    /// The chain it serves, if it is bound to one.
    pub chain: Option<ChainId>,
    /// The secret.
    pub secret: SecretKey,
}

/// What a key file says without a passphrase. Of a sealed file nothing of it is proven until the file is opened.
#[derive(Clone, Debug)]
pub struct Label {
    /// What it is for.
    pub purpose: String,
    /// The agency it belongs to.
    pub agency: Option<AgencyCode>,
    /// The chain it serves.
    pub chain: Option<ChainId>,
    /// The public half.
    pub public: PublicKey,
    /// Whether a passphrase is needed.
    pub is_sealed: bool,
}

/// What a passphrase's hash costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// Everything of a sealed file but the secret: the associated data.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u16,
    purpose: String,
    agency: Option<AgencyCode>,
    chain: Option<ChainId>,
    public: PublicKey,
    kdf: Kdf,
    cipher: Cipher,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kdf {
    name: Argon2id,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    /// 16 bytes.
    salt: String,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Argon2id {
    #[serde(rename = "argon2id")]
    V13,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cipher {
    name: Aead,
    /// 24 bytes.
    nonce: String,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Aead {
    #[serde(rename = "xchacha20-poly1305")]
    XChaCha20Poly1305,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    header: Header,
    /// The secret and its tag, 48 bytes.
    sealed: String,
}

/// A file as it stands, before anything is decrypted.
enum Read {
    Clear(KeyFile),
    Sealed(Box<Sealed>),
}

/// The key in a file. If it is sealed, the passphrase is asked for where this process was told to.
///
/// # Errors
/// When the file cannot be read, can be read by others, is not whole, or the passphrase does not open it.
pub fn open(path: &Path) -> Result<Key, KeyError> {
    decrypted(&path.display().to_string(), read(path)?)
}

/// The key whose file's text came another way, under a name to ask the passphrase for.
pub(crate) fn open_text(name: &str, text: &str) -> Result<Key, KeyError> {
    decrypted(name, parse(text)?)
}

fn decrypted(shown: &str, file: Read) -> Result<Key, KeyError> {
    match file {
        Read::Clear(file) => clear(file),
        Read::Sealed(sealed) => {
            crate::passphrase::try_each(shown, |passphrase| match unseal(&sealed, passphrase) {
                Err(KeyError::Passphrase) => None,
                other => Some(other),
            })?
            .unwrap_or(Err(KeyError::Passphrase))
        }
    }
}

/// The key in a file, for one purpose.
///
/// # Errors
/// As [`open`], and when it is for another purpose.
pub fn open_for(path: &Path, wanted: &str) -> Result<Key, KeyError> {
    // Asked before the passphrase is: nobody types one for the wrong file.
    let Label { purpose: found, .. } = label(path)?;
    if found != wanted {
        return Err(KeyError::Purpose { found, wanted: wanted.to_owned() });
    }
    open(path)
}

/// What a key file says of itself.
///
/// # Errors
/// When the file cannot be read, can be read by others, or is not a key file.
pub fn label(path: &Path) -> Result<Label, KeyError> {
    Ok(match read(path)? {
        Read::Clear(KeyFile { purpose, agency, public, .. }) => {
            Label { purpose, agency, chain: None, public, is_sealed: false }
        }
        Read::Sealed(sealed) => {
            let Header { purpose, agency, chain, public, .. } = sealed.header;
            Label { purpose, agency, chain, public, is_sealed: true }
        }
    })
}

/// Writes a key to a new file, sealed if there is a passphrase, and returns when it is durable.
///
/// # Errors
/// When the file exists or cannot be written, or the system gives no randomness.
pub fn create(path: &Path, key: &Key, passphrase: Option<&Passphrase>) -> io::Result<()> {
    write_new(path, &encode(key, passphrase)?)
}

/// Writes a key in the place of its file. A crash leaves the one or the other, whole.
///
/// # Errors
/// As [`create`].
pub fn replace(path: &Path, key: &Key, passphrase: Option<&Passphrase>) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    write_new(&new, &encode(key, passphrase)?)?;
    fs::rename(&new, path)?;
    sync_directory(path)
}

/// Writes what nobody else may read, such as salts, to a new file, and returns when it is durable.
///
/// # Errors
/// When the file exists or cannot be written.
pub fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    sync_directory(path)
}

/// Returns when the name of a file is durable, after it was made or renamed.
///
/// # Errors
/// When its folder cannot be opened or synced.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

fn encode(key: &Key, passphrase: Option<&Passphrase>) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = match passphrase {
        Some(passphrase) => serde_json::to_vec_pretty(&seal(key, passphrase, COST)?)?,
        None => serde_json::to_vec_pretty(&KeyFile {
            version: CLEAR,
            purpose: key.purpose.clone(),
            agency: key.agency,
            public: key.secret.public(),
            secret: codec::hex(key.secret.seed()),
        })?,
    };
    bytes.push(b'\n');
    Ok(Zeroizing::new(bytes))
}

fn read(path: &Path) -> Result<Read, KeyError> {
    let file = File::open(path)?;
    check_mode(&file)?;
    let mut text = Zeroizing::new(String::new());
    file.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    parse(&text)
}

fn parse(text: &str) -> Result<Read, KeyError> {
    #[derive(Deserialize)]
    struct Clear {
        version: u16,
    }
    #[derive(Deserialize)]
    struct Versioned {
        version: Option<u16>,
        header: Option<Clear>,
    }
    let malformed = |error: serde_json::Error| KeyError::Malformed(error.to_string());
    let Versioned { version, header } = serde_json::from_str(text).map_err(malformed)?;
    match version.or_else(|| header.map(|header| header.version)) {
        Some(CLEAR) => serde_json::from_str(text).map(Read::Clear).map_err(malformed),
        Some(SEALED) => serde_json::from_str(text).map(Read::Sealed).map_err(malformed),
        Some(found) => Err(KeyError::Version { found }),
        None => Err(KeyError::Malformed("it says no version".into())),
    }
}

/// The key that a file in the clear describes.
///
/// # Errors
/// When it is of another version, or does not fit together.
pub(crate) fn clear(file: KeyFile) -> Result<Key, KeyError> {
    let KeyFile { version, purpose, agency, public, secret } = file;
    let secret = Zeroizing::new(secret);
    if version != CLEAR {
        return Err(KeyError::Version { found: version });
    }
    let bytes = codec::unhex(&secret).map(Zeroizing::new);
    let seed = bytes.and_then(|bytes| <[u8; 32]>::try_from(&bytes[..]).ok());
    let expected = "the secret has to be 64 lower-case hexadecimal digits";
    let secret =
        seed.map(SecretKey::from_seed).ok_or_else(|| KeyError::Malformed(expected.into()))?;
    if secret.public() != public {
        return Err(KeyError::Pair(public));
    }
    Ok(Key { purpose, agency, chain: None, secret })
}

fn seal(key: &Key, passphrase: &Passphrase, cost: Cost) -> io::Result<Sealed> {
    let (mut salt, mut nonce) = ([0; 16], [0; 24]);
    for bytes in [&mut salt[..], &mut nonce[..]] {
        getrandom::fill(bytes).map_err(|error| io::Error::other(error.to_string()))?;
    }
    let Cost { memory_kib, passes, lanes } = cost;
    let header = Header {
        version: SEALED,
        purpose: key.purpose.clone(),
        agency: key.agency,
        chain: key.chain,
        public: key.secret.public(),
        kdf: Kdf { name: Argon2id::V13, memory_kib, passes, lanes, salt: codec::hex(&salt) },
        cipher: Cipher { name: Aead::XChaCha20Poly1305, nonce: codec::hex(&nonce) },
    };
    let derived =
        derive(passphrase, cost, &salt).map_err(|error| io::Error::other(error.to_string()))?;
    let mut secret = Zeroizing::new(*key.secret.seed());
    let tag = XChaCha20Poly1305::new((&*derived).into())
        .encrypt_in_place_detached(&nonce.into(), &associated(&header), &mut secret[..])
        .map_err(|_too_long| io::Error::other("32 bytes cannot be sealed"))?;
    let sealed = codec::hex(&[&secret[..], &tag[..]].concat());
    Ok(Sealed { header, sealed })
}

fn unseal(file: &Sealed, passphrase: &Passphrase) -> Result<Key, KeyError> {
    let Sealed { header, sealed } = file;
    let Kdf { name: Argon2id::V13, memory_kib, passes, lanes, salt } = &header.kdf;
    let Cipher { name: Aead::XChaCha20Poly1305, nonce } = &header.cipher;
    let wrong = |what: &str| {
        KeyError::Malformed(format!("{what} is not of its length, in lower-case hexadecimal"))
    };
    let salt: [u8; 16] = fixed(salt).ok_or_else(|| wrong("the salt"))?;
    let nonce: [u8; 24] = fixed(nonce).ok_or_else(|| wrong("the nonce"))?;
    let sealed: [u8; 48] = fixed(sealed).ok_or_else(|| wrong("the sealed secret"))?;
    let cost = Cost { memory_kib: *memory_kib, passes: *passes, lanes: *lanes };
    let derived = derive(passphrase, cost, &salt)?;
    let (secret, tag) = sealed.split_at(32);
    let mut seed = Zeroizing::new([0; 32]);
    seed.copy_from_slice(secret);
    XChaCha20Poly1305::new((&*derived).into())
        .decrypt_in_place_detached(&nonce.into(), &associated(header), &mut seed[..], tag.into())
        .map_err(|_unauthentic| KeyError::Passphrase)?;
    let secret = SecretKey::from_seed(*seed);
    if secret.public() != header.public {
        return Err(KeyError::Pair(header.public));
    }
    let Header { purpose, agency, chain, .. } = header.clone();
    Ok(Key { purpose, agency, chain, secret })
}

fn fixed<const N: usize>(text: &str) -> Option<[u8; N]> {
    codec::unhex(text)?.try_into().ok()
}

/// The bytes that vouch for the header: its values, however the file spaces them.
fn associated(header: &Header) -> Vec<u8> {
    let json = serde_json::to_vec(header).expect("strings and numbers are JSON");
    [b"minlian key file\n".as_slice(), &json].concat()
}

fn derive(
    passphrase: &Passphrase,
    cost: Cost,
    salt: &[u8],
) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let Cost { memory_kib, passes, lanes } = cost;
    let unfit = || KeyError::Cost(format!("{memory_kib} KiB, {passes} passes and {lanes} lanes"));
    let fits = (MEMORY_KIB_MIN..=MEMORY_KIB_MAX).contains(&memory_kib)
        && (1..=PASSES_MAX).contains(&passes)
        && (1..=LANES_MAX).contains(&lanes);
    let params = Params::new(memory_kib, passes, lanes, Some(32)).ok().filter(|_| fits);
    let params = params.ok_or_else(unfit)?;
    // What the hash worked on is enough to guess the rest from, so it is wiped, too.
    let mut memory = vec![Block::default(); params.block_count()];
    let mut key = Zeroizing::new([0; 32]);
    let hashed = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(passphrase.as_bytes(), salt, &mut key[..], &mut memory);
    memory.zeroize();
    hashed.map_err(|_unfit| unfit())?;
    Ok(key)
}

/// Asked of the open file, so that it cannot be exchanged between the question and the reading.
pub(crate) fn check_mode(file: &File) -> Result<(), KeyError> {
    let mode = file.metadata()?.permissions().mode() & 0o7777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(KeyError::Exposed { mode }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };

    fn key() -> Key {
        Key {
            purpose: "consensus".into(),
            agency: Some(AgencyCode::new("11350000XXXX000195").unwrap()),
            chain: Some(ChainId(types::Hash([9; 32]))),
            secret: SecretKey::from_seed([7; 32]),
        }
    }

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(Zeroizing::new(text.to_owned())).unwrap()
    }

    fn sealed() -> String {
        serde_json::to_string_pretty(
            &seal(&key(), &passphrase("correct horse battery"), CHEAP).unwrap(),
        )
        .unwrap()
    }

    fn opened(text: &str, words: &str) -> Result<Key, KeyError> {
        match parse(text)? {
            Read::Clear(file) => clear(file),
            Read::Sealed(sealed) => unseal(&sealed, &passphrase(words)),
        }
    }

    #[test]
    fn what_was_sealed_is_opened_by_its_passphrase_alone() {
        let text = sealed();
        let found = opened(&text, "correct horse battery").unwrap();
        assert_eq!(found.secret.seed(), key().secret.seed());
        assert_eq!(
            (found.purpose, found.agency, found.chain),
            (key().purpose, key().agency, key().chain)
        );
        for wrong in ["correct horse batterz", "correct horse battery ", "Correct horse battery"] {
            assert!(matches!(opened(&text, wrong), Err(KeyError::Passphrase)), "{wrong}");
        }
        let secret = codec::hex(key().secret.seed());
        assert!(!text.contains(&secret), "the secret stands in the file");
        assert_ne!(text, sealed(), "salt and nonce are new each time");
    }

    #[test]
    fn no_bit_can_be_changed_and_no_byte_left_out() {
        let whole = sealed();
        let words = "correct horse battery";
        for cut in 0..whole.len() - 1 {
            assert!(opened(&whole[..cut], words).is_err(), "cut at {cut}");
        }
        for at in 0..whole.len() {
            for bit in 0..7 {
                let mut bytes = whole.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let Ok(text) = String::from_utf8(bytes) else { continue };
                assert!(opened(&text, words).is_err(), "bit {bit} of byte {at}: {text}");
            }
        }
    }

    #[test]
    fn a_cost_that_protects_nothing_or_takes_all_memory_is_refused() {
        let text = sealed();
        for (from, to) in [
            ("\"memory_kib\": 64", "\"memory_kib\": 63"),
            ("\"memory_kib\": 64", "\"memory_kib\": 1048577"),
            ("\"passes\": 1", "\"passes\": 17"),
            ("\"passes\": 1", "\"passes\": 0"),
            ("\"lanes\": 1", "\"lanes\": 17"),
            ("\"lanes\": 1", "\"lanes\": 0"),
        ] {
            let text = text.replace(from, to);
            let why = opened(&text, "correct horse battery").unwrap_err();
            assert!(matches!(why, KeyError::Cost(_)), "{to}: {why}");
        }
    }

    #[test]
    fn a_key_in_the_clear_has_to_fit_together() {
        let file = || KeyFile {
            version: 1,
            purpose: "organisation".into(),
            agency: None,
            public: key().secret.public(),
            secret: codec::hex(key().secret.seed()),
        };
        assert!(clear(file()).is_ok());
        for (edit, wanted) in [
            ((|file| file.version = 3) as fn(&mut KeyFile), "format 3"),
            (|file| file.secret = "00".repeat(32), "does not belong"),
            (|file| file.secret.truncate(10), "64 lower-case"),
        ] {
            let mut file = file();
            edit(&mut file);
            let why = clear(file).unwrap_err().to_string();
            assert!(why.contains(wanted), "{wanted}: {why}");
        }
    }

    #[test]
    fn a_secret_is_not_shown_by_debug() {
        let file = KeyFile {
            version: 1,
            purpose: "organisation".into(),
            agency: None,
            public: key().secret.public(),
            secret: codec::hex(key().secret.seed()),
        };
        let shown = format!("{file:?} {:?} {:?}", key(), passphrase("correct horse battery"));
        assert!(!shown.contains(&file.secret) && !shown.contains("horse"), "{shown}");
        assert!(!shown.contains("[7, 7"), "{shown}");
    }
}
