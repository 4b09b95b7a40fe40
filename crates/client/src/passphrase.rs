//! Where a passphrase comes from: a file, a descriptor, the environment, systemd, or the person at the terminal.
//!
//! Never from the command line, which every process on the machine can read. A process has one environment and one
//! terminal, so it has one place that passphrases come from; it is said once, by the command, before a key is opened.

use crate::keystore::check_mode;
use core::fmt;
use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock, PoisonError},
};
use zeroize::Zeroizing;

/// The environment's passphrase. It can be read by whoever may read `/proc/PID/environ`; a credential is better.
const VARIABLE: &str = "MINLIAN_PASSPHRASE";
/// The credential that a unit loads: `LoadCredentialEncrypted=minlian-passphrase`.
const CREDENTIAL: &str = "minlian-passphrase";
/// A passphrase is a line of text.
const BYTES_MAX: u64 = 1024;
/// A new one is at least so long.
const CHARACTERS_MIN: usize = 12;
/// How often a person may mistype it.
const TRIES: u32 = 3;

/// Where the command line says that it is.
#[derive(Clone, Debug)]
pub enum Given {
    /// The first line of a file, whose mode must be 0600.
    File(PathBuf),
    /// The first line that an open descriptor gives.
    Descriptor(u32),
}

static GIVEN: OnceLock<Given> = OnceLock::new();
/// What opened the last file: a node's keys mostly have one passphrase, and a descriptor gives it once.
static LAST: Mutex<Option<Passphrase>> = Mutex::new(None);

/// A passphrase. It is wiped when dropped, and says nothing of itself when printed.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

/// Why there is no passphrase.
#[derive(Debug, thiserror::Error)]
pub enum Unasked {
    /// Nobody said where it is, and there is no terminal to ask at.
    #[error(
        "{what} needs a passphrase, and there is no terminal to ask at; give --passphrase-file, --passphrase-fd, \
         {VARIABLE}, or the systemd credential {CREDENTIAL}"
    )]
    Nowhere {
        /// For what.
        what: String,
    },
    /// The place that was named cannot be read.
    #[error("cannot read the passphrase from {place}: {why}")]
    Unreadable {
        /// Where.
        place: String,
        /// Why.
        why: String,
    },
    /// It is empty.
    #[error("the passphrase is empty")]
    Empty,
    /// Too short to be new.
    #[error("a new passphrase has at least {CHARACTERS_MIN} characters")]
    Short,
    /// Typed twice, differently.
    #[error("the two passphrases differ")]
    Differ,
}

/// Says where this process finds passphrases, once.
pub fn found_in(given: Option<Given>) {
    if let Some(given) = given {
        GIVEN.set(given).unwrap_or(());
    }
}

impl Passphrase {
    /// A passphrase, which is not empty.
    ///
    /// # Errors
    /// When it is.
    pub fn new(text: Zeroizing<String>) -> Result<Self, Unasked> {
        if text.is_empty() { Err(Unasked::Empty) } else { Ok(Self(text)) }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

/// A passphrase for a new file. At the terminal it is typed twice.
///
/// # Errors
/// When none is to be had, or it is too short.
pub fn ask_new(what: &str) -> Result<Passphrase, Unasked> {
    match unattended()? {
        Some(chosen) => long_enough(chosen),
        None => type_new(what),
    }
}

/// A passphrase for a file that has one already, typed twice at the terminal.
///
/// # Errors
/// When there is no terminal, they differ, or it is too short.
pub fn type_new(what: &str) -> Result<Passphrase, Unasked> {
    let chosen = type_in(&format!("New passphrase for {what}: "), what)?;
    let again = type_in("Once more: ", what)?;
    if chosen.as_bytes() != again.as_bytes() {
        return Err(Unasked::Differ);
    }
    long_enough(chosen)
}

fn long_enough(chosen: Passphrase) -> Result<Passphrase, Unasked> {
    if chosen.0.chars().count() < CHARACTERS_MIN { Err(Unasked::Short) } else { Ok(chosen) }
}

/// A passphrase for a new file, from a file of its own.
///
/// # Errors
/// As [`ask_new`].
pub fn new_from_file(path: &Path) -> Result<Passphrase, Unasked> {
    long_enough(from_file(path)?)
}

/// Gives `open` the passphrases there are until it has an answer: the one that opened the last file, the one that was
/// given, or what a person types, three times at most.
pub(crate) fn try_each<T>(
    what: &str,
    mut open: impl FnMut(&Passphrase) -> Option<T>,
) -> Result<Option<T>, Unasked> {
    let last = LAST.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(answer) = last.as_ref().and_then(&mut open) {
        return Ok(Some(answer));
    }
    if last.is_some() && matches!(GIVEN.get(), Some(Given::Descriptor(_))) {
        // It was read to its end, and gave this one.
        return Ok(None);
    }
    if let Some(passphrase) = unattended()? {
        let answer = open(&passphrase);
        remember(passphrase);
        return Ok(answer);
    }
    for _ in 0..TRIES {
        let passphrase = type_in(&format!("Passphrase for {what}: "), what)?;
        if let Some(answer) = open(&passphrase) {
            remember(passphrase);
            return Ok(Some(answer));
        }
    }
    Ok(None)
}

fn remember(passphrase: Passphrase) {
    *LAST.lock().unwrap_or_else(PoisonError::into_inner) = Some(passphrase);
}

/// The passphrase that needs no person.
fn unattended() -> Result<Option<Passphrase>, Unasked> {
    match GIVEN.get() {
        Some(Given::File(path)) => return from_file(path).map(Some),
        Some(Given::Descriptor(number)) => {
            let path = PathBuf::from(format!("/dev/fd/{number}"));
            return read(&path, |_| Ok(())).map(Some);
        }
        None => {}
    }
    if let Some(text) = variable(VARIABLE) {
        return Passphrase::new(Zeroizing::new(text)).map(Some);
    }
    let credential = variable("CREDENTIALS_DIRECTORY").map(|at| Path::new(&at).join(CREDENTIAL));
    match credential.filter(|path| path.exists()) {
        // Who may read it is systemd's business.
        Some(path) => read(&path, |_| Ok(())).map(Some),
        None => Ok(None),
    }
}

fn from_file(path: &Path) -> Result<Passphrase, Unasked> {
    read(path, |file| {
        check_mode(file).map_err(|_exposed| "others can read it; `chmod 0600` it".to_owned())
    })
}

fn read(path: &Path, check: impl Fn(&File) -> Result<(), String>) -> Result<Passphrase, Unasked> {
    let unreadable = |why: String| Unasked::Unreadable { place: path.display().to_string(), why };
    let file = File::open(path).map_err(|error| unreadable(error.to_string()))?;
    check(&file).map_err(unreadable)?;
    let mut text = Zeroizing::new(String::new());
    let read = file.take(BYTES_MAX).read_to_string(&mut text);
    read.map_err(|error| unreadable(error.to_string()))?;
    let line = text.split(['\n', '\r']).next().unwrap_or_default();
    Passphrase::new(Zeroizing::new(line.to_owned()))
}

fn type_in(prompt: &str, what: &str) -> Result<Passphrase, Unasked> {
    let terminal = console::Term::stderr();
    if !terminal.is_term() {
        return Err(Unasked::Nowhere { what: what.to_owned() });
    }
    let typed = terminal.write_str(prompt).and_then(|()| terminal.read_secure_line());
    let unreadable = |error: io::Error| Unasked::Unreadable {
        place: "the terminal".into(),
        why: error.to_string(),
    };
    Passphrase::new(Zeroizing::new(typed.map_err(unreadable)?))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the place where the environment is asked for a passphrase"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
