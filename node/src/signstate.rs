//! What a consensus key has signed, kept beside the key: synced before a signature leaves, and never gone back on.

use crate::home::{Unavailable, Unsafe};
use anyhow::Context as _;
use consensus::Signed;
use core::fmt;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};
use types::{BlockId, ChainId, Digest, Height, PublicKey};

/// One of the two places where the state is written in turn, bytes. A torn write spoils one and leaves the other.
const SLOT: usize = 1024;
/// The format of the file.
const VERSION: u16 = 1;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    version: u16,
    /// How often it was written: of two sound slots the later counts.
    sequence: u64,
    key: PublicKey,
    /// Unknown until the first signature.
    chain: Option<ChainId>,
    /// Nothing at or below this height may be signed, whatever `last` says.
    floor: Height,
    last: Option<Signed>,
}

/// Why something must not be signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It would be a second, different thing at one place.
    #[error(
        "about to say a second thing at {place}: for {asked:?}, after one for {signed:?}; is this key in use elsewhere?"
    )]
    Twice {
        /// Where.
        place: String,
        /// What is signed there.
        signed: Option<BlockId>,
        /// What was asked for.
        asked: Option<BlockId>,
    },
    /// It lies before what is signed.
    #[error(
        "about to say something at {asked}, behind {signed}; is this key in use elsewhere, or its record newer than the ledger?"
    )]
    Back {
        /// Where.
        asked: String,
        /// How far we are.
        signed: String,
    },
}

/// The record of what a key has signed.
#[derive(Debug)]
pub struct SignState {
    file: File,
    path: PathBuf,
    state: State,
}

/// The file beside a key's file.
#[must_use]
pub fn path_of(key: &Path) -> PathBuf {
    key.with_extension("signed")
}

impl SignState {
    /// A new record for a key. `floor` is the last height it may have signed anything for: 0 for a new key.
    ///
    /// # Errors
    /// When there is a record already, or it cannot be written.
    pub fn create(key_file: &Path, key: PublicKey, floor: Height) -> anyhow::Result<Self> {
        let path = path_of(key_file);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| {
                format!(
                    "cannot create {}; a record of signatures is never overwritten",
                    path.display()
                )
            })?;
        // Written, not only sized: a disk that is full later must not refuse the second slot.
        file.write_all_at(&[b' '; 2 * SLOT], 0)?;
        let state = State { version: VERSION, sequence: 0, key, chain: None, floor, last: None };
        let mut record = Self { file, path, state };
        record.write(&record.state.clone())?;
        record.file.sync_all().map_err(io::Error::other)?;
        let directory = record.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(directory.unwrap_or_else(|| Path::new(".")))?
            .sync_all()
            .map_err(io::Error::other)?;
        Ok(record)
    }

    /// The record of a key whose chain is not known here, to be held, and raised by its operator.
    ///
    /// # Errors
    /// As [`SignState::open`].
    pub fn reopen(key_file: &Path, key: PublicKey) -> anyhow::Result<Self> {
        Self::read(key_file, key)
    }

    /// Says that nothing at or below a height may be signed any more, and returns when that is durable. A record is never
    /// lowered.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn raise(&mut self, floor: Height) -> io::Result<()> {
        if floor > self.state.floor {
            self.write(&State { floor, ..self.state.clone() })?;
        }
        Ok(())
    }

    /// The record of a key, if it is there, whole, and of this key and chain.
    ///
    /// # Errors
    /// What is wrong, and what to do. The key must not be used until that is done.
    pub fn open(key_file: &Path, key: PublicKey, chain: &ChainId) -> anyhow::Result<Self> {
        let record = Self::read(key_file, key)?;
        if let Some(other) = record.state.chain.filter(|other| other != chain) {
            return Err(Unsafe(format!(
                "{} is of chain {other}, this is chain {chain}; a key serves one chain: make a new one",
                record.path.display()
            ))
            .into());
        }
        Ok(record)
    }

    fn read(key_file: &Path, key: PublicKey) -> anyhow::Result<Self> {
        let path = path_of(key_file);
        let shown = path.display();
        let advice = format!(
            "a validator that does not know what it signed could sign twice. If this key has never voted, run \
             `minlian-node key sign-state --key {} --never-voted`; otherwise find the network's height on another \
             validator and run it with `--voted-until HEIGHT`, using a height this key cannot have voted beyond",
            key_file.display()
        );
        let file = match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Unsafe(format!("{shown} is missing: {advice}")).into());
            }
            Err(error) => return Err(error).with_context(|| format!("cannot open {shown}")),
        };
        let state = match newest(&slots(&file)) {
            Ok(Some(state)) => state,
            Ok(None) => return Err(Unsafe(format!("{shown} is damaged: {advice}")).into()),
            Err(error) => {
                return Err(Unsafe(format!(
                    "{shown} is whole, and of a format that this version does not know ({error}); use the version that wrote it"
                ))
                .into());
            }
        };
        if state.version != VERSION {
            return Err(Unsafe(format!("{shown} has format {}, this version knows {VERSION}; use the version that wrote it",
                state.version)).into());
        }
        if state.key != key {
            return Err(Unsafe(format!(
                "{shown} is the record of {}, not of {key}; put the right file beside the key",
                state.key
            ))
            .into());
        }
        Ok(Self { file, path, state })
    }

    /// Takes the record for this process, until it ends: two that sign by one record could sign twice. It is read again: until
    /// now another process may have signed by it.
    ///
    /// # Errors
    /// When another process has it, or it became another's while it was opened.
    pub fn hold(&mut self) -> anyhow::Result<()> {
        lock(&self.file, &self.path)?;
        let whose = |state: &State| (state.version, state.key, state.chain);
        let held = newest(&slots(&self.file)).ok().flatten();
        let held = held.filter(|state| whose(state) == whose(&self.state));
        self.state = held.ok_or_else(|| {
            Unavailable(format!(
                "{} was changed while it was opened; try again",
                self.path.display()
            ))
        })?;
        Ok(())
    }

    /// The last height for which anything may have been signed.
    #[must_use]
    pub fn height(&self) -> Height {
        self.state.last.map_or(self.state.floor, |last| last.height.max(self.state.floor))
    }

    /// The last height for which it may have signed anything without knowing what.
    #[must_use]
    pub const fn floor(&self) -> Height {
        self.state.floor
    }

    /// The last thing signed.
    #[must_use]
    pub const fn last(&self) -> Option<&Signed> {
        self.state.last.as_ref()
    }

    /// Remembers what is about to be sent, and returns when it is durable. The same thing again changes nothing.
    ///
    /// # Errors
    /// The outer one when the disk fails; the inner one when it must not be sent. Nothing is written then.
    pub fn advance(&mut self, chain: &ChainId, next: Signed) -> io::Result<Result<(), Refusal>> {
        if let Some(last) = &self.state.last {
            if next.place() == last.place() {
                let (place, signed, asked) = (place(&next), last.block, next.block);
                return Ok(if next.signature == last.signature {
                    Ok(())
                } else {
                    Err(Refusal::Twice { place, signed, asked })
                });
            }
            if next.place() < last.place() {
                return Ok(Err(Refusal::Back { asked: place(&next), signed: place(last) }));
            }
        }
        if next.height <= self.state.floor {
            let signed =
                format!("height {}, up to which this key may have voted", self.state.floor);
            return Ok(Err(Refusal::Back { asked: place(&next), signed }));
        }
        self.write(&State { chain: Some(*chain), last: Some(next), ..self.state.clone() })?;
        Ok(Ok(()))
    }

    fn write(&mut self, state: &State) -> io::Result<()> {
        let state = State { sequence: state.sequence + 1, ..state.clone() };
        let mut bytes = serde_json::to_vec(&state)?;
        let sum = Digest::blake3(&bytes).to_string();
        bytes.push(b' ');
        bytes.extend_from_slice(sum.as_bytes());
        if bytes.len() >= SLOT {
            return Err(io::Error::other("the record of signatures outgrew its place"));
        }
        bytes.resize(SLOT - 1, b' ');
        bytes.push(b'\n');
        let at = if state.sequence.is_multiple_of(2) { 0 } else { SLOT };
        self.file.write_all_at(&bytes, at as u64)?;
        self.file.sync_data().map_err(io::Error::other)?;
        self.state = state;
        Ok(())
    }
}

/// Puts a record aside that says nothing any more, since neither of its places is sound, and says where it is now. One that is
/// missing, or says anything, stays as it is.
///
/// # Errors
/// When another process has it, or it cannot be moved.
pub fn put_damaged_aside(key_file: &Path) -> anyhow::Result<Option<PathBuf>> {
    let path = path_of(key_file);
    let shown = path.display();
    let file = match OpenOptions::new().read(true).write(true).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot open {shown}")),
    };
    lock(&file, &path)?;
    if !slots(&file).is_empty() {
        return Ok(None);
    }
    let aside = (1_u32..)
        .map(|number| path.with_extension(format!("signed.damaged-{number}")))
        .find(|aside| !aside.exists())
        .with_context(|| format!("there is no name left for {shown}"))?;
    fs::rename(&path, &aside)
        .with_context(|| format!("cannot move {shown} to {}", aside.display()))?;
    Ok(Some(aside))
}

fn lock(file: &File, path: &Path) -> anyhow::Result<()> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => {
            Unsafe(format!("another process signs by {}; stop it first", path.display())).into()
        }
        TryLockError::Error(error) => anyhow::Error::new(error),
    })
}

/// What stands in those of the two places that are sound.
fn slots(file: &File) -> Vec<String> {
    [0, SLOT].into_iter().filter_map(|at| read_slot(file, at)).collect()
}

fn read_slot(file: &File, at: usize) -> Option<String> {
    let mut bytes = vec![0; SLOT];
    file.read_exact_at(&mut bytes, at as u64).ok()?;
    let (json, sum) = core::str::from_utf8(&bytes).ok()?.trim_end().rsplit_once(' ')?;
    (Digest::blake3(json.as_bytes()).to_string() == sum).then(|| json.to_owned())
}

/// The later of the states that stand there. One that is sound and cannot be understood may be the later one.
fn newest(slots: &[String]) -> serde_json::Result<Option<State>> {
    let states: Vec<State> =
        slots.iter().map(|json| serde_json::from_str(json)).collect::<Result<_, _>>()?;
    Ok(states.into_iter().max_by_key(|state| state.sequence))
}

fn place(signed: &Signed) -> String {
    let step = match signed.step {
        0 => "proposal",
        1 => "prevote",
        _ => "precommit",
    };
    format!("height {}, round {}, {step}", signed.height, signed.round)
}

impl fmt::Display for SignState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.state.last {
            Some(last) if last.height > self.state.floor => {
                write!(f, "{}: signed up to {}", self.path.display(), place(last))
            }
            Some(_) | None => write!(
                f,
                "{}: may have signed up to height {}",
                self.path.display(),
                self.state.floor
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{Hash, Round, SecretKey};

    const CHAIN: ChainId = ChainId(Hash([7; 32]));

    fn signed(height: u64, round: u32, step: u8, block: Option<u8>) -> Signed {
        let block = block.map(|n| BlockId(Hash([n; 32])));
        let body = types::codec::encode(&(height, round, step, block));
        let signature = SecretKey::from_seed([1; 32]).sign(types::Domain::Precommit, &CHAIN, &body);
        Signed { height: Height(height), round: Round(round), step, block, signature }
    }

    struct Case {
        _directory: tempfile::TempDir,
        key_file: PathBuf,
        key: PublicKey,
    }

    fn case() -> Case {
        let directory = tempfile::tempdir().unwrap();
        let key_file = directory.path().join("consensus.json");
        Case { _directory: directory, key_file, key: SecretKey::from_seed([1; 32]).public() }
    }

    #[test]
    fn it_goes_forward_and_never_back() {
        let case = case();
        let mut state = SignState::create(&case.key_file, case.key, Height(0)).unwrap();
        for (next, allowed) in [
            (signed(1, 0, 1, Some(1)), true),
            (signed(1, 0, 1, Some(1)), true),
            (signed(1, 0, 1, Some(2)), false),
            (signed(1, 0, 1, None), false),
            (signed(1, 0, 2, None), true),
            (signed(1, 0, 0, Some(1)), false),
            (signed(1, 2, 0, Some(3)), true),
            (signed(1, 1, 2, Some(3)), false),
            (signed(2, 0, 1, None), true),
            (signed(1, 9, 1, None), false),
        ] {
            assert_eq!(state.advance(&CHAIN, next).unwrap().is_ok(), allowed, "{next:?}");
            // What is remembered is on the disk at once.
            state = SignState::open(&case.key_file, case.key, &CHAIN).unwrap();
        }
        assert_eq!(state.height(), Height(2));
    }

    #[test]
    fn below_the_floor_nothing_is_signed() {
        let case = case();
        let mut state = SignState::create(&case.key_file, case.key, Height(10)).unwrap();
        assert_eq!(state.height(), Height(10));
        assert!(state.advance(&CHAIN, signed(10, 0, 1, None)).unwrap().is_err());
        assert!(state.advance(&CHAIN, signed(11, 0, 1, None)).unwrap().is_ok());
    }

    #[test]
    fn a_floor_is_raised_and_never_lowered() {
        let case = case();
        let mut state = SignState::create(&case.key_file, case.key, Height(0)).unwrap();
        state.advance(&CHAIN, signed(5, 1, 2, Some(1))).unwrap().unwrap();
        for (floor, expected) in [(20, 20), (7, 20), (21, 21)] {
            state.raise(Height(floor)).unwrap();
            state = SignState::reopen(&case.key_file, case.key).unwrap();
            assert_eq!((state.floor(), state.height()), (Height(expected), Height(expected)));
            assert_eq!(state.last().unwrap().height, Height(5), "what was signed is kept");
            assert!(state.advance(&CHAIN, signed(expected, 0, 1, None)).unwrap().is_err());
        }
        state.advance(&CHAIN, signed(22, 0, 1, None)).unwrap().unwrap();
    }

    #[test]
    fn missing_foreign_and_damaged_records_are_refused() {
        let case = case();
        let why = |chain: &ChainId, key| {
            SignState::open(&case.key_file, key, chain).unwrap_err().to_string()
        };
        assert!(why(&CHAIN, case.key).contains("is missing"));
        let mut state = SignState::create(&case.key_file, case.key, Height(0)).unwrap();
        assert!(
            SignState::create(&case.key_file, case.key, Height(0)).is_err(),
            "never overwritten"
        );
        state.advance(&CHAIN, signed(1, 0, 1, None)).unwrap().unwrap();
        assert!(why(&ChainId(Hash([8; 32])), case.key).contains("is of chain"));
        assert!(why(&CHAIN, SecretKey::from_seed([2; 32]).public()).contains("is the record of"));
        let path = path_of(&case.key_file);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, b"").unwrap();
        assert!(why(&CHAIN, case.key).contains("is damaged"));
        fs::write(&path, vec![0; whole.len()]).unwrap();
        assert!(why(&CHAIN, case.key).contains("is damaged"));
        // A later version wrote last, and what it wrote is not guessed at.
        let json = r#"{"version":2,"more":true}"#;
        let slot = format!("{json} {}", Digest::blake3(json.as_bytes()));
        let newer = format!("{slot:<SLOT$}").into_bytes();
        fs::write(&path, [&newer[..], &whole[SLOT..]].concat()).unwrap();
        assert!(why(&CHAIN, case.key).contains("does not know"));
        assert_eq!(put_damaged_aside(&case.key_file).unwrap(), None);
    }

    #[test]
    fn what_another_signed_until_it_let_go_counts() {
        let case = case();
        let open = || SignState::open(&case.key_file, case.key, &CHAIN).unwrap();
        SignState::create(&case.key_file, case.key, Height(0))
            .unwrap()
            .advance(&CHAIN, signed(1, 0, 1, None))
            .unwrap()
            .unwrap();
        let (mut other, mut state) = (open(), open());
        other.hold().unwrap();
        assert!(state.hold().unwrap_err().to_string().contains("another process signs by"));
        assert!(put_damaged_aside(&case.key_file).is_err());
        other.advance(&CHAIN, signed(9, 0, 1, None)).unwrap().unwrap();
        other.raise(Height(7)).unwrap();
        drop(other);
        state.hold().unwrap();
        assert_eq!((state.height(), state.floor()), (Height(9), Height(7)));
        state.raise(Height(20)).unwrap();
        drop(state);
        assert_eq!(open().last().unwrap().height, Height(9), "what was signed is kept");
        assert_eq!(open().floor(), Height(20));
    }

    #[test]
    fn only_a_record_that_says_nothing_any_more_is_put_aside() {
        let case = case();
        let put_aside = || put_damaged_aside(&case.key_file).unwrap();
        assert_eq!(put_aside(), None, "there is none");
        let mut state = SignState::create(&case.key_file, case.key, Height(0)).unwrap();
        state.advance(&CHAIN, signed(1, 0, 1, None)).unwrap().unwrap();
        drop(state);
        let path = path_of(&case.key_file);
        let whole = fs::read(&path).unwrap();
        for damaged in [0, SLOT] {
            let mut half = whole.clone();
            half[damaged] ^= 1;
            fs::write(&path, half).unwrap();
            assert_eq!(put_aside(), None, "the other place is sound");
        }
        for number in 1..=2 {
            fs::write(&path, format!("nothing {number}")).unwrap();
            let aside = put_aside().unwrap();
            assert!(aside.ends_with(format!("consensus.signed.damaged-{number}")));
            assert_eq!(fs::read_to_string(aside).unwrap(), format!("nothing {number}"));
            let stated = SignState::create(&case.key_file, case.key, Height(number)).unwrap();
            assert_eq!(stated.floor(), Height(number));
        }
    }

    #[test]
    fn a_torn_write_leaves_the_state_before_it() {
        let case = case();
        let mut state = SignState::create(&case.key_file, case.key, Height(0)).unwrap();
        state.advance(&CHAIN, signed(1, 0, 1, None)).unwrap().unwrap();
        let before = fs::read(path_of(&case.key_file)).unwrap();
        state.advance(&CHAIN, signed(1, 0, 2, None)).unwrap().unwrap();
        let after = fs::read(path_of(&case.key_file)).unwrap();
        for cut in 0..=after.len() {
            let torn = [&after[..cut], &before[cut..]].concat();
            fs::write(path_of(&case.key_file), torn).unwrap();
            let found = SignState::open(&case.key_file, case.key, &CHAIN).unwrap();
            let step = found.last().unwrap().step;
            assert!(step == 1 || step == 2, "torn at {cut}");
        }
    }
}
