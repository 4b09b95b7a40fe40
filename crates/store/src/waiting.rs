//! What was accepted here and is not decided yet, in a file beside the ledger: the promise `accepted`, on disk.
//!
//! The file is one page of header, then *frames*, one for each call of [`Waiting::append`], each beginning on a page of
//! 4 KiB: payload length, CRC-32C of the payload, CRC-32C of this header, and the payload, which is entries after their
//! lengths. An entry is its kind, the transaction's id, and bytes that are the caller's affair. The last word on an id
//! counts.
//!
//! **Nothing is taken out.** What is committed stands in the ledger, so the next start sees by itself that it waits no
//! longer. When most of the file is such entries it is written anew, under another name that then takes its place, so
//! that at each moment one whole file is there. So it is at each start, which also leaves nothing behind that was torn.
//!
//! **Torn or damaged.** A frame is written only after the one before it was synced. A bad frame with nothing behind it
//! was being written when the power went: nobody was told that it was accepted, and it is forgotten whole. A bad frame
//! with others behind it has rotted: what it held is lost, the others are not, and the caller is told how many. No vote
//! depends on this file, so damage here stops nobody.
//!
//! Headers are salted as those of the journal are, and for its reason: the bytes are other people's.

use crate::{
    fault::Fault,
    journal::crc32c,
    store::{FORMAT, check},
};
use std::{
    collections::{BTreeMap, VecDeque},
    fs::{self, File, OpenOptions},
    hash::{BuildHasher as _, RandomState},
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};
use types::{ChainId, Hash, TxId};

/// How many endings are remembered: the oldest are forgotten first.
pub const ENDINGS_KEPT: usize = 100_000;

/// The file's name in the directory of a ledger.
pub const FILE: &str = "waiting";

/// A frame begins on a multiple of this, as in the journal.
const PAGE_BYTES: usize = 4096;
/// The file grows by this much at a time, in zeros, so that a sync writes data only.
const GROWTH_BYTES: usize = 1 << 20;
/// So much may be void before the file is written anew …
const VOID_BYTES: usize = 16 << 20;
/// … in frames of about this size.
const FRAME_BYTES: usize = 1 << 20;

const MAGIC: [u8; 8] = *b"minlianw";
/// Magic, format, chain, salt, checksum.
const FILE_HEADER_BYTES: usize = 8 + 4 + 32 + 8 + 4;
/// Payload length, payload checksum, header checksum.
const FRAME_HEADER_BYTES: usize = 4 + 4 + 4;
/// Length, kind, id.
const ENTRY_HEADER_BYTES: usize = 4 + 1 + 32;

/// What there is to say of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It was accepted, and waits; the bytes are the transaction.
    Waits,
    /// It was accepted and will not be committed; the bytes say why.
    Ended,
}

/// One entry of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The transaction.
    pub id: TxId,
    /// What became of it.
    pub kind: Kind,
    /// The transaction itself, or why it ended.
    pub bytes: Vec<u8>,
}

/// What a file says: the last word on each id, in the order in which these were said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recalled {
    /// The entries.
    pub entries: Vec<Entry>,
    /// How many stretches of the file can no longer be read, though they once were sound.
    pub damaged: usize,
}

/// The open file, and where in it what still counts lies.
#[derive(Debug)]
pub struct Waiting {
    file: File,
    path: PathBuf,
    chain: ChainId,
    salt: [u8; 8],
    end: usize,
    bytes: usize,
    next: u64,
    kept: BTreeMap<u64, Kept>,
    by_id: BTreeMap<TxId, u64>,
    endings: VecDeque<u64>,
    live_bytes: usize,
}

/// Where an entry's bytes are.
#[derive(Clone, Copy, Debug)]
struct Kept {
    id: TxId,
    kind: Kind,
    at: usize,
    bytes: usize,
}

impl Waiting {
    /// What the file in a ledger's directory says; nothing if there is none. Changes nothing.
    ///
    /// # Errors
    /// The file is of another chain or format, or cannot be read.
    pub fn read(directory: &Path, chain: &ChainId) -> Result<Recalled, Fault> {
        let path = directory.join(FILE);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Recalled::default()),
            Err(error) => return Err(Fault::io("read", &path)(error)),
        };
        match salt(&bytes, chain)? {
            Some(salt) => Ok(recall(&bytes, salt)),
            None => Ok(Recalled { entries: Vec::new(), damaged: 1 }),
        }
    }

    /// Puts a file with these entries in the place of the one that is there, whole and durable, or not at all.
    ///
    /// # Errors
    /// The disk failed.
    pub fn begin(directory: &Path, chain: &ChainId, entries: &[Entry]) -> Result<Self, Fault> {
        let path = directory.join(FILE);
        // Any number will do that the authors of entries cannot know; nothing that nodes must agree on depends on it.
        let salt = RandomState::new().hash_one(()).to_le_bytes();
        let mut image = header(chain, salt);
        image.resize(PAGE_BYTES, 0);
        let mut places = Vec::new();
        let mut rest = entries;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = |entry: &&Entry| {
                bytes += entry.bytes.len();
                bytes <= FRAME_BYTES
            };
            let (now, later) = rest.split_at(rest.iter().take_while(fits).count().max(1));
            let (frame, at) = frame(salt, image.len(), now).map_err(Fault::io("write", &path))?;
            image.extend(frame);
            places.extend(at);
            rest = later;
        }
        let end = image.len();
        image.resize(end.next_multiple_of(GROWTH_BYTES), 0);
        let new = path.with_extension("new");
        let write = || {
            let options = &mut OpenOptions::new();
            let options = options.read(true).write(true).create(true).truncate(true).mode(0o600);
            let file = options.open(&new)?;
            file.write_all_at(&image, 0)?;
            file.sync_all().map_err(io::Error::other)?;
            fs::rename(&new, &path)?;
            // The name is the directory's data.
            File::open(directory)?.sync_all().map_err(io::Error::other)?;
            Ok(file)
        };
        let file = write().map_err(Fault::io("write", &path))?;
        let mut waiting = Self {
            file,
            path,
            chain: *chain,
            salt,
            end,
            bytes: image.len(),
            next: 0,
            kept: BTreeMap::new(),
            by_id: BTreeMap::new(),
            endings: VecDeque::new(),
            live_bytes: 0,
        };
        waiting.keep(entries, &places);
        Ok(waiting)
    }

    /// Adds entries, all or none, and returns when they are durable. Clears the file of what no longer counts when that
    /// is most of it.
    ///
    /// # Errors
    /// The disk failed. What it then holds is unknown, so this must not be written to again.
    pub fn append(&mut self, entries: &[Entry]) -> Result<(), Fault> {
        if entries.is_empty() {
            return Ok(());
        }
        let write = || {
            let (frame, places) = frame(self.salt, self.end, entries)?;
            let end = self.end + frame.len();
            let bytes = end.next_multiple_of(GROWTH_BYTES).max(self.bytes);
            if bytes > self.bytes {
                self.file.write_all_at(&vec![0; bytes - self.bytes], self.bytes as u64)?;
            }
            self.file.write_all_at(&frame, self.end as u64)?;
            self.file.sync_data().map_err(io::Error::other)?;
            Ok((end, bytes, places))
        };
        let (end, bytes, places) = write().map_err(Fault::io("write", &self.path))?;
        (self.end, self.bytes) = (end, bytes);
        self.keep(entries, &places);
        if self.end > VOID_BYTES + 2 * self.live_bytes {
            self.rewrite()?;
        }
        Ok(())
    }

    /// What is said of this id no longer counts: it is committed. Nothing is written; the ledger says so, too.
    pub fn forget(&mut self, id: &TxId) {
        if let Some(kept) = self.by_id.remove(id).and_then(|seq| self.kept.remove(&seq)) {
            self.live_bytes -= kept.bytes + ENTRY_HEADER_BYTES;
        }
    }

    /// How long the file is, what grows ahead of it left out.
    #[must_use]
    pub const fn file_bytes(&self) -> usize {
        self.end
    }

    fn keep(&mut self, entries: &[Entry], places: &[usize]) {
        for (entry, at) in entries.iter().zip(places) {
            self.forget(&entry.id);
            let (seq, bytes) = (self.next, entry.bytes.len());
            self.next += 1;
            self.live_bytes += bytes + ENTRY_HEADER_BYTES;
            self.kept.insert(seq, Kept { id: entry.id, kind: entry.kind, at: *at, bytes });
            self.by_id.insert(entry.id, seq);
            if entry.kind == Kind::Ended {
                self.endings.push_back(seq);
            }
        }
        while self.endings.len() > ENDINGS_KEPT {
            let oldest = self.endings.pop_front().and_then(|seq| self.kept.get(&seq));
            if let Some(Kept { id, .. }) = oldest.copied() {
                self.forget(&id);
            }
        }
    }

    fn rewrite(&mut self) -> Result<(), Fault> {
        let mut entries = Vec::with_capacity(self.kept.len());
        for Kept { id, kind, at, bytes } in self.kept.values().copied() {
            let mut read = vec![0; bytes];
            self.file.read_exact_at(&mut read, at as u64).map_err(Fault::io("read", &self.path))?;
            entries.push(Entry { id, kind, bytes: read });
        }
        let directory = self.path.parent().unwrap_or_else(|| Path::new("."));
        *self = Self::begin(directory, &self.chain, &entries)?;
        Ok(())
    }
}

/// The bytes of a frame at a place in the file, and where in the file each entry's bytes come to lie.
fn frame(salt: [u8; 8], at: usize, entries: &[Entry]) -> io::Result<(Vec<u8>, Vec<usize>)> {
    let short = |bytes: usize| {
        u32::try_from(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
    };
    let mut out = vec![0; FRAME_HEADER_BYTES];
    let mut places = Vec::with_capacity(entries.len());
    for Entry { id, kind, bytes } in entries {
        out.extend_from_slice(&short(bytes.len())?.to_le_bytes());
        out.push(match kind {
            Kind::Waits => 1,
            Kind::Ended => 2,
        });
        out.extend_from_slice(id.as_bytes());
        places.push(at + out.len());
        out.extend_from_slice(bytes);
    }
    let payload = &out[FRAME_HEADER_BYTES..];
    let header = frame_header(salt, at, short(payload.len())?, crc32c(&[payload]));
    out[..FRAME_HEADER_BYTES].copy_from_slice(&header);
    out.resize(out.len().next_multiple_of(PAGE_BYTES), 0);
    Ok((out, places))
}

fn frame_header(salt: [u8; 8], at: usize, bytes: u32, checksum: u32) -> [u8; FRAME_HEADER_BYTES] {
    let mut out = [0; FRAME_HEADER_BYTES];
    out[..4].copy_from_slice(&bytes.to_le_bytes());
    out[4..8].copy_from_slice(&checksum.to_le_bytes());
    let checksum = crc32c(&[&salt, &(at as u64).to_le_bytes(), &out[..8]]);
    out[8..].copy_from_slice(&checksum.to_le_bytes());
    out
}

/// The payload's length and checksum, if a frame begins at `at`.
fn read_header(bytes: &[u8], salt: [u8; 8], at: usize) -> Option<(usize, u32)> {
    let found = bytes.get(at..)?.first_chunk::<FRAME_HEADER_BYTES>()?;
    let [l0, l1, l2, l3, c0, c1, c2, c3, ..] = *found;
    let (length, checksum) =
        (u32::from_le_bytes([l0, l1, l2, l3]), u32::from_le_bytes([c0, c1, c2, c3]));
    let sound = frame_header(salt, at, length, checksum) == *found;
    Some((usize::try_from(length).ok()?, checksum)).filter(|_| sound)
}

/// The entries of the frame at `at` and the bytes it takes, if it is whole.
fn read_frame(bytes: &[u8], salt: [u8; 8], at: usize) -> Option<(Vec<Entry>, usize)> {
    let (length, checksum) = read_header(bytes, salt, at)?;
    let mut payload = bytes.get(at + FRAME_HEADER_BYTES..)?.get(..length)?;
    if crc32c(&[payload]) != checksum {
        return None;
    }
    let mut entries = Vec::new();
    while !payload.is_empty() {
        let (length, rest) = payload.split_first_chunk::<4>()?;
        let (kind, rest) = rest.split_first()?;
        let (id, rest) = rest.split_first_chunk::<32>()?;
        let (taken, rest) =
            rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        let kind = match kind {
            1 => Kind::Waits,
            2 => Kind::Ended,
            _ => return None,
        };
        entries.push(Entry { id: TxId(Hash(*id)), kind, bytes: taken.to_vec() });
        payload = rest;
    }
    Some((entries, (FRAME_HEADER_BYTES + length).next_multiple_of(PAGE_BYTES)))
}

/// Everything that can be read of a file's frames.
fn recall(bytes: &[u8], salt: [u8; 8]) -> Recalled {
    let (mut last, mut order, mut seq) = (BTreeMap::new(), BTreeMap::new(), 0_u64);
    let (mut at, mut damaged) = (PAGE_BYTES, 0);
    while at < bytes.len() {
        if let Some((entries, frame_bytes)) = read_frame(bytes, salt, at) {
            for entry in entries {
                if let Some(before) = last.insert(entry.id, seq) {
                    order.remove(&before);
                }
                order.insert(seq, entry);
                seq += 1;
            }
            at += frame_bytes;
            continue;
        }
        // Wherever a frame begins, everything before it was once synced.
        let mut behind = (at + PAGE_BYTES..bytes.len()).step_by(PAGE_BYTES);
        let Some(next) = behind.find(|at| read_header(bytes, salt, *at).is_some()) else { break };
        damaged += 1;
        at = next;
    }
    Recalled { entries: order.into_values().collect(), damaged }
}

fn header(chain: &ChainId, salt: [u8; 8]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&FORMAT.to_le_bytes());
    out.extend_from_slice(chain.as_bytes());
    out.extend_from_slice(&salt);
    let checksum = crc32c(&[&out]);
    out.extend_from_slice(&checksum.to_le_bytes());
    out
}

/// The salt of a file that is ours; none if its header is damaged, and with it all that it would make readable.
fn salt(bytes: &[u8], chain: &ChainId) -> Result<Option<[u8; 8]>, Fault> {
    let split = || {
        let (magic, rest) = bytes.split_first_chunk::<8>()?;
        let (format, rest) = rest.split_first_chunk::<4>()?;
        let (found, rest) = rest.split_first_chunk::<32>()?;
        let (salt, rest) = rest.split_first_chunk::<8>()?;
        let checksum = rest.first_chunk::<4>()?;
        Some((*magic, u32::from_le_bytes(*format), ChainId(Hash(*found)), *salt, *checksum))
    };
    let Some((magic, format, found, salt, checksum)) = split() else { return Ok(None) };
    if magic == MAGIC && format > FORMAT {
        // Another format may have another header, so its number is looked at before the checksum; and a newer version
        // may have promised what this one cannot read.
        return Err(Fault::Format { found: format, known: FORMAT });
    }
    if magic != MAGIC || crc32c(&[&bytes[..FILE_HEADER_BYTES - 4]]).to_le_bytes() != checksum {
        return Ok(None);
    }
    check(format, found, chain)?;
    Ok(Some(salt))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAIN: ChainId = ChainId(Hash([7; 32]));

    fn id(n: u8) -> TxId {
        TxId(Hash([n; 32]))
    }

    fn waits(n: u8, bytes: usize) -> Entry {
        Entry { id: id(n), kind: Kind::Waits, bytes: vec![n; bytes] }
    }

    fn ended(n: u8) -> Entry {
        Entry { id: id(n), kind: Kind::Ended, bytes: b"E-TX-EXPIRED".to_vec() }
    }

    fn found(directory: &Path) -> (Vec<Entry>, usize) {
        let Recalled { entries, damaged } = Waiting::read(directory, &CHAIN).unwrap();
        (entries, damaged)
    }

    #[test]
    fn the_last_word_on_each_is_remembered_in_order() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(found(directory.path()), (vec![], 0), "a directory without the file");
        let mut waiting = Waiting::begin(directory.path(), &CHAIN, &[waits(1, 9)]).unwrap();
        waiting.append(&[waits(2, 5000), waits(3, 0)]).unwrap();
        waiting.append(&[]).unwrap();
        waiting.append(&[ended(1), waits(4, 1)]).unwrap();
        drop(waiting);
        let expected = vec![waits(2, 5000), waits(3, 0), ended(1), waits(4, 1)];
        assert_eq!(found(directory.path()), (expected.clone(), 0));
        let mut again = Waiting::begin(directory.path(), &CHAIN, &expected).unwrap();
        // Refused once and accepted later: what counts is what was said last.
        again.append(&[waits(1, 9)]).unwrap();
        let expected = vec![waits(2, 5000), waits(3, 0), waits(4, 1), waits(1, 9)];
        assert_eq!(found(directory.path()), (expected, 0));
    }

    #[test]
    fn a_file_of_another_chain_or_of_tomorrow_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        Waiting::begin(directory.path(), &CHAIN, &[waits(1, 9)]).unwrap();
        let other = Waiting::read(directory.path(), &ChainId(Hash([8; 32]))).unwrap_err();
        assert!(matches!(other, Fault::Foreign { .. }), "{other}");
        let path = directory.path().join(FILE);
        let mut bytes = fs::read(&path).unwrap();
        bytes[8] = 200;
        fs::write(&path, &bytes).unwrap();
        let newer = Waiting::read(directory.path(), &CHAIN).unwrap_err();
        assert!(matches!(newer, Fault::Format { found: 200, .. }), "{newer}");
    }

    /// The bytes of a file with three frames, its salt, and where the third begins.
    fn image() -> (Vec<u8>, [u8; 8], usize) {
        let directory = tempfile::tempdir().unwrap();
        let mut waiting = Waiting::begin(directory.path(), &CHAIN, &[waits(1, 300)]).unwrap();
        waiting.append(&[waits(2, 300)]).unwrap();
        let third = waiting.file_bytes();
        waiting.append(&[waits(3, 5000), waits(4, 10)]).unwrap();
        let mut bytes = fs::read(directory.path().join(FILE)).unwrap();
        bytes.truncate(waiting.file_bytes() + PAGE_BYTES);
        (bytes, waiting.salt, third)
    }

    #[test]
    fn a_tail_torn_at_any_byte_is_forgotten_whole_and_nothing_else_is() {
        let (bytes, salt, third) = image();
        let frame_bytes = FRAME_HEADER_BYTES + 2 * ENTRY_HEADER_BYTES + 5010;
        let before = vec![waits(1, 300), waits(2, 300)];
        let all = [&before[..], &[waits(3, 5000), waits(4, 10)]].concat();
        for torn in 0..=frame_bytes {
            // What was not written is zeros, or not there at all.
            let mut zeros = bytes.clone();
            zeros[third + torn..].fill(0);
            let short = &bytes[..third + torn];
            let expected = if torn == frame_bytes { &all } else { &before };
            for file in [&zeros[..], short] {
                let Recalled { entries, damaged } = recall(file, salt);
                assert_eq!((&entries, damaged), (expected, 0), "torn after {torn} bytes");
            }
        }
        // The pages of a frame may reach the disk in any order.
        let mut pages = bytes;
        pages[third..third + PAGE_BYTES].fill(0);
        assert_eq!(recall(&pages, salt), Recalled { entries: before, damaged: 0 });
    }

    #[test]
    fn a_byte_that_rots_costs_its_own_frame_at_most_and_is_told() {
        let (bytes, salt, third) = image();
        let whole = recall(&bytes, salt).entries;
        let mut lost = 0;
        for at in PAGE_BYTES..third {
            let mut rotten = bytes.clone();
            rotten[at] ^= 0x20;
            let Recalled { entries, damaged } = recall(&rotten, salt);
            let frame = (at - PAGE_BYTES) / PAGE_BYTES;
            let mut expected = whole.clone();
            if damaged == 1 {
                expected.remove(frame);
                lost += 1;
            }
            assert_eq!(entries, expected, "byte {at}");
        }
        assert_eq!(lost, 2 * (FRAME_HEADER_BYTES + ENTRY_HEADER_BYTES + 300), "padding aside");
    }

    #[test]
    fn without_its_header_the_file_is_lost_and_that_is_told() {
        let directory = tempfile::tempdir().unwrap();
        Waiting::begin(directory.path(), &CHAIN, &[waits(1, 300)]).unwrap();
        let path = directory.path().join(FILE);
        let sound = fs::read(&path).unwrap();
        for at in (0..8).chain(12..FILE_HEADER_BYTES) {
            let mut bytes = sound.clone();
            bytes[at] ^= 1;
            fs::write(&path, &bytes).unwrap();
            assert_eq!(found(directory.path()), (vec![], 1), "byte {at}");
        }
    }

    #[test]
    fn a_crash_while_it_is_written_anew_leaves_the_old_file_or_the_new_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        let mut waiting = Waiting::begin(directory.path(), &CHAIN, &[waits(1, 300)]).unwrap();
        waiting.append(&[waits(2, 300), ended(1)]).unwrap();
        let (old, said) = (fs::read(&path).unwrap(), found(directory.path()));
        Waiting::begin(directory.path(), &CHAIN, &said.0).unwrap();
        let new = fs::read(&path).unwrap();
        assert_ne!(old, new, "the salt is another");
        assert_eq!(found(directory.path()), said, "after the name was changed");
        // Before it, whatever there is of the new file.
        for written in [0, 1, FILE_HEADER_BYTES, PAGE_BYTES, PAGE_BYTES + 5, new.len()] {
            fs::write(&path, &old).unwrap();
            fs::write(path.with_extension("new"), &new[..written]).unwrap();
            assert_eq!(found(directory.path()), said, "{written} bytes of the new file");
            Waiting::begin(directory.path(), &CHAIN, &said.0).unwrap();
            assert_eq!(found(directory.path()), said);
            assert!(!path.with_extension("new").exists());
        }
    }

    #[test]
    fn what_is_decided_takes_no_room_for_ever() {
        let directory = tempfile::tempdir().unwrap();
        let mut waiting =
            Waiting::begin(directory.path(), &CHAIN, &[waits(0, 10), ended(1)]).unwrap();
        let mut longest = 0;
        for _ in 0..60 {
            waiting.append(&[waits(9, 1 << 20)]).unwrap();
            waiting.forget(&id(9));
            longest = longest.max(waiting.file_bytes());
        }
        assert!(longest > VOID_BYTES / 2, "{longest}");
        assert!(longest < VOID_BYTES + (4 << 20), "{longest}");
        assert!(waiting.file_bytes() < VOID_BYTES);
        let left = found(directory.path()).0;
        assert_eq!(left[..2], [waits(0, 10), ended(1)]);
        assert!(left[2..].iter().all(|entry| entry.id == id(9)), "only the ledger forgets those");
    }

    #[test]
    fn the_oldest_endings_are_forgotten_first() {
        let directory = tempfile::tempdir().unwrap();
        let entry = |n: usize| {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&(n as u64).to_le_bytes());
            Entry { id: TxId(Hash(id)), kind: Kind::Ended, bytes: vec![1] }
        };
        let all: Vec<_> = (0..ENDINGS_KEPT + 5).map(entry).collect();
        let mut waiting = Waiting::begin(directory.path(), &CHAIN, &all).unwrap();
        assert_eq!(waiting.kept.len(), ENDINGS_KEPT);
        waiting.rewrite().unwrap();
        assert_eq!(found(directory.path()), (all[5..].to_vec(), 0));
    }
}
