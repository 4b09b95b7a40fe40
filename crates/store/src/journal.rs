//! The journal: what must be remembered before the next commit, in a file of our own.
//!
//! The file is one page of header, then *frames*, one for each call of [`Journal::append`], each beginning on a page of
//! 4 KiB. A frame is its header of 20 bytes (epoch, payload length, CRC-32C of the payload, CRC-32C of this header) and
//! its payload (entries, each after its length), all integers little-endian.
//!
//! **The epoch** is the number of writes the ledger has durably taken. It rises in the same atomic write as the ledger,
//! so a frame is void from the moment that the commit after it is durable: there is no instant at which both count, or
//! neither. Beginning anew costs nothing: the next frame goes to the first page again, over void ones.
//!
//! **Torn or damaged.** A frame is written only after the one before it was synced, and no acknowledged page is written
//! again in its epoch. So a bad frame with nothing of its epoch behind it was being written when the power went: it was
//! never acknowledged, and is forgotten whole. A bad frame with one behind it was once good: that is damage. So is a
//! frame of a later epoch than the ledger's: the ledger has lost commits that it had synced. What was journaled before
//! the next commit stops mattering after it, and damage with it, once the ledger has again come past that epoch. The
//! one thing a single file cannot tell is a last frame that was torn from a last frame that rotted.
//!
//! **Old frames hold other people's bytes**, which may have been made to look like frames. Checksums of headers
//! therefore begin with a salt that only this file knows and with the frame's place in it, as in the log of `SQLite`.

use crate::{
    fault::{ADVICE_JOURNAL, Fault},
    store::{FORMAT, check},
};
use std::{
    fs::{self, File, OpenOptions},
    hash::{BuildHasher as _, RandomState},
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};
use types::{ChainId, Hash};

/// A frame begins on a multiple of this. No device tears a page that it was not asked to write.
const PAGE_BYTES: usize = 4096;

/// The file grows by this much at a time, in zeros. Then a sync writes data only: on ext4 the median was 0.09 ms over
/// written zeros, against 0.14 ms for a growing file and 0.15 ms for a sparse one, whose extents must be recorded.
const GROWTH_BYTES: usize = 1 << 20;

/// A height that took many rounds leaves a long file; more than this is given back.
const KEPT_BYTES: usize = 8 << 20;

/// Longer than this within one height, it is looked through for what is not needed any more.
const LONG_BYTES: usize = 64 << 20;

const MAGIC: [u8; 8] = *b"minlianj";

/// Magic, format, chain, salt, checksum.
const FILE_HEADER_BYTES: usize = 8 + 4 + 32 + 8 + 4;

/// Epoch, payload length, payload checksum, header checksum.
const FRAME_HEADER_BYTES: usize = 8 + 4 + 4 + 4;

/// The open file, and where its next frame goes.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    path: PathBuf,
    salt: [u8; 8],
    epoch: u64,
    end: usize,
    bytes: usize,
    /// Where it is long: what was needed the last time may be needed still.
    long: usize,
    damage: Option<Damage>,
}

/// Why the journal is not believed, and until which epoch that matters.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Damage {
    what: &'static str,
    until: u64,
}

impl Journal {
    /// Makes an empty journal, whole and durable, or none.
    pub(crate) fn create(path: &Path, chain: &ChainId) -> Result<(), Fault> {
        // Any number will do that the authors of entries cannot know; nothing that nodes must agree on depends on it.
        let salt = RandomState::new().hash_one(()).to_le_bytes();
        let mut bytes = header(chain, salt);
        bytes.resize(GROWTH_BYTES, 0);
        put(path, &bytes).map(drop).map_err(Fault::io("create", path))
    }

    /// Whether there is a journal, and one for this chain in a format we know. Changes nothing.
    pub(crate) fn exists(path: &Path, chain: &ChainId) -> Result<bool, Fault> {
        let mut bytes = [0; FILE_HEADER_BYTES];
        let read = File::open(path).and_then(|file| file.read_exact_at(&mut bytes, 0));
        match read {
            Ok(()) => salt(&bytes, chain).map(|_salt| true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(not_a_journal()),
            Err(error) => Err(Fault::io("read", path)(error)),
        }
    }

    /// Opens the journal of a ledger at `epoch`. A damaged one opens too, so that what the ledger knows can be served
    /// and the blocks it lacks fetched, but neither replays nor takes entries.
    pub(crate) fn open(path: &Path, chain: &ChainId, epoch: u64) -> Result<Self, Fault> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .map_err(Fault::io("open", path))?;
        let bytes = fs::read(path).map_err(Fault::io("read", path))?;
        let salt = salt(&bytes, chain)?;
        let Reading { entries: _, end, damage } = Reading::of(&bytes, salt, epoch);
        let journal = Self {
            file,
            path: path.to_owned(),
            salt,
            epoch,
            end,
            bytes: bytes.len(),
            long: LONG_BYTES,
            damage,
        };
        if journal.damage.is_none() {
            // A process may end between writing and syncing, or because syncing failed; what we then read is the
            // kernel's memory, and looks clean. Written and synced again, it is the disk's.
            journal
                .file
                .write_all_at(bytes.get(PAGE_BYTES..end).unwrap_or_default(), PAGE_BYTES as u64)
                .and_then(|()| journal.file.sync_data().map_err(io::Error::other))
                .map_err(Fault::io("write", path))?;
        }
        Ok(journal)
    }

    /// The journal of a ledger that is only read: it is not looked at, and takes nothing.
    pub(crate) fn unread(path: &Path) -> Result<Self, Fault> {
        let file = File::open(path).map_err(Fault::io("open", path))?;
        let (salt, epoch, end, bytes, long) = ([0; 8], 0, PAGE_BYTES, 0, LONG_BYTES);
        Ok(Self { file, path: path.to_owned(), salt, epoch, end, bytes, long, damage: None })
    }

    /// Refuses while the journal is not believed.
    pub(crate) fn believed(&self) -> Result<(), Fault> {
        match &self.damage {
            Some(damage) => Err(damaged(damage.what)),
            None => Ok(()),
        }
    }

    /// How many commits it takes until the journal is believed again: 0 while it is.
    pub(crate) fn distrusted(&self) -> u64 {
        self.damage
            .as_ref()
            .map_or(0, |damage| damage.until.saturating_sub(self.epoch).saturating_add(1))
    }

    /// The entries of this epoch.
    pub(crate) fn replay(&self) -> Result<Vec<Vec<u8>>, Fault> {
        self.believed()?;
        let bytes = fs::read(&self.path).map_err(Fault::io("read", &self.path))?;
        let reading = Reading::of(&bytes, self.salt, self.epoch);
        match reading.damage {
            Some(damage) => Err(damaged(damage.what)),
            None => Ok(reading.entries),
        }
    }

    /// Adds entries, all or none, and returns when they are durable.
    pub(crate) fn append(&mut self, entries: &[Vec<u8>]) -> Result<(), Fault> {
        self.believed()?;
        if entries.is_empty() {
            return Ok(());
        }
        let write = || {
            let frame = frame(self.salt, self.epoch, self.end, entries)?;
            let end = self.end + frame.len();
            let bytes = end.next_multiple_of(GROWTH_BYTES).max(self.bytes);
            if bytes > self.bytes {
                self.file.write_all_at(&vec![0; bytes - self.bytes], self.bytes as u64)?;
            }
            self.file.write_all_at(&frame, self.end as u64)?;
            self.file.sync_data().map_err(io::Error::other)?;
            Ok((end, bytes))
        };
        (self.end, self.bytes) = write().map_err(Fault::io("write", &self.path))?;
        Ok(())
    }

    /// Whether it is worth looking for entries that are not needed any more.
    pub(crate) const fn is_long(&self) -> bool {
        self.end > self.long && self.damage.is_none()
    }

    /// Puts a journal with the needed ones of these entries in the place of this one, whole and durable, or not at all.
    pub(crate) fn thin(&mut self, is_needed: impl Fn(&[u8]) -> bool) -> Result<(), Fault> {
        let mut entries = self.replay()?;
        entries.retain(|entry| is_needed(entry));
        let write = || {
            let mut bytes = vec![0; PAGE_BYTES];
            self.file.read_exact_at(&mut bytes, 0)?;
            bytes.extend(frame(self.salt, self.epoch, PAGE_BYTES, &entries)?);
            let end = bytes.len();
            bytes.resize(end.next_multiple_of(GROWTH_BYTES), 0);
            Ok((put(&self.path, &bytes)?, end, bytes.len()))
        };
        (self.file, self.end, self.bytes) = write().map_err(Fault::io("write", &self.path))?;
        self.long = LONG_BYTES.max(2 * self.end);
        Ok(())
    }

    /// Voids what was written before `epoch`, which the ledger has durably reached.
    pub(crate) fn begin(&mut self, epoch: u64) -> Result<(), Fault> {
        self.epoch = epoch;
        (self.end, self.long) = (PAGE_BYTES, LONG_BYTES);
        self.damage.take_if(|damage| damage.until < epoch);
        // Damaged pages are evidence, and are kept.
        if self.bytes > KEPT_BYTES && self.damage.is_none() {
            self.file.set_len(GROWTH_BYTES as u64).map_err(Fault::io("shorten", &self.path))?;
            self.bytes = GROWTH_BYTES;
        }
        Ok(())
    }
}

/// What a file says, read for one epoch.
#[derive(Debug, PartialEq, Eq)]
struct Reading {
    entries: Vec<Vec<u8>>,
    end: usize,
    damage: Option<Damage>,
}

impl Reading {
    fn of(bytes: &[u8], salt: [u8; 8], epoch: u64) -> Self {
        let mut entries = Vec::new();
        let mut end = PAGE_BYTES;
        while let Some((taken, frame_bytes)) = read_frame(bytes, salt, epoch, end) {
            entries.extend(taken);
            end += frame_bytes;
        }
        // Headers suffice here: wherever one is, everything before it in its epoch was once whole.
        let last = (end..bytes.len())
            .step_by(PAGE_BYTES)
            .filter_map(|at| Some((at, FrameHeader::read(bytes, salt, at)?.epoch)))
            .filter(|(at, found)| *found > epoch || *found == epoch && *at > end)
            .map(|(_at, found)| found)
            .max();
        let damage = if let Some(until) = last {
            let what = if until > epoch {
                "the ledger is older than the journal beside it: commits that were on the disk are gone"
            } else {
                "the journal is damaged before its end"
            };
            Some(Damage { what, until })
        } else if bytes.len() < GROWTH_BYTES {
            // It is made whole before it has its name, so a power cut does not leave it short.
            Some(Damage { what: "the journal was cut short", until: epoch })
        } else {
            None
        };
        Self { entries, end, damage }
    }
}

/// The first bytes of a frame.
struct FrameHeader {
    epoch: u64,
    payload_bytes: u32,
    payload_checksum: u32,
}

impl FrameHeader {
    fn write(&self, salt: [u8; 8], at: usize) -> [u8; FRAME_HEADER_BYTES] {
        let mut out = [0; FRAME_HEADER_BYTES];
        out[..8].copy_from_slice(&self.epoch.to_le_bytes());
        out[8..12].copy_from_slice(&self.payload_bytes.to_le_bytes());
        out[12..16].copy_from_slice(&self.payload_checksum.to_le_bytes());
        let checksum = crc32c(&[&salt, &(at as u64).to_le_bytes(), &out[..16]]);
        out[16..].copy_from_slice(&checksum.to_le_bytes());
        out
    }

    /// The header at `at`, if there is one.
    fn read(bytes: &[u8], salt: [u8; 8], at: usize) -> Option<Self> {
        let found = bytes.get(at..)?.first_chunk::<FRAME_HEADER_BYTES>()?;
        let [e0, e1, e2, e3, e4, e5, e6, e7, l0, l1, l2, l3, c0, c1, c2, c3, ..] = *found;
        let header = Self {
            epoch: u64::from_le_bytes([e0, e1, e2, e3, e4, e5, e6, e7]),
            payload_bytes: u32::from_le_bytes([l0, l1, l2, l3]),
            payload_checksum: u32::from_le_bytes([c0, c1, c2, c3]),
        };
        (header.write(salt, at) == *found).then_some(header)
    }
}

/// Puts a file with these bytes in this place, whole and durable, or not at all.
fn put(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let new = path.with_extension("new");
    let options = &mut OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(true).mode(0o600);
    let file = options.open(&new)?;
    file.write_all_at(bytes, 0)?;
    file.sync_all().map_err(io::Error::other)?;
    fs::rename(&new, path)?;
    // The name is the directory's data.
    File::open(path.parent().unwrap_or_else(|| Path::new(".")))?
        .sync_all()
        .map_err(io::Error::other)?;
    Ok(file)
}

fn frame(salt: [u8; 8], epoch: u64, at: usize, entries: &[Vec<u8>]) -> io::Result<Vec<u8>> {
    let short = |bytes: usize| {
        u32::try_from(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
    };
    let mut out = vec![0; FRAME_HEADER_BYTES];
    for entry in entries {
        out.extend_from_slice(&short(entry.len())?.to_le_bytes());
        out.extend_from_slice(entry);
    }
    let payload = &out[FRAME_HEADER_BYTES..];
    let header = FrameHeader {
        epoch,
        payload_bytes: short(payload.len())?,
        payload_checksum: crc32c(&[payload]),
    };
    out[..FRAME_HEADER_BYTES].copy_from_slice(&header.write(salt, at));
    out.resize(out.len().next_multiple_of(PAGE_BYTES), 0);
    Ok(out)
}

/// The entries of the frame at `at` and the bytes it takes, if it is whole and of this epoch.
fn read_frame(bytes: &[u8], salt: [u8; 8], epoch: u64, at: usize) -> Option<(Vec<Vec<u8>>, usize)> {
    let header = FrameHeader::read(bytes, salt, at)?;
    let payload_bytes = usize::try_from(header.payload_bytes).ok()?;
    let mut payload = bytes.get(at + FRAME_HEADER_BYTES..)?.get(..payload_bytes)?;
    if header.epoch != epoch || header.payload_checksum != crc32c(&[payload]) {
        return None;
    }
    let mut entries = Vec::new();
    while let Some((length, rest)) = payload.split_first_chunk() {
        let (entry, rest) =
            rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        entries.push(entry.to_vec());
        payload = rest;
    }
    Some((entries, (FRAME_HEADER_BYTES + payload_bytes).next_multiple_of(PAGE_BYTES)))
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

/// The salt of a file whose header is sound and ours.
fn salt(bytes: &[u8], chain: &ChainId) -> Result<[u8; 8], Fault> {
    let split = || {
        let (magic, rest) = bytes.split_first_chunk::<8>()?;
        let (format, rest) = rest.split_first_chunk::<4>()?;
        let (found, rest) = rest.split_first_chunk::<32>()?;
        let (salt, rest) = rest.split_first_chunk::<8>()?;
        Some((*magic, u32::from_le_bytes(*format), ChainId(Hash(*found)), *salt, rest))
    };
    let (magic, format, found, salt, rest) = split().ok_or_else(not_a_journal)?;
    if magic != MAGIC {
        return Err(not_a_journal());
    }
    let checksum = crc32c(&[&bytes[..FILE_HEADER_BYTES - 4]]).to_le_bytes();
    // Another format may have another header, so its number is looked at before the checksum.
    if format == FORMAT && !rest.starts_with(&checksum) {
        return Err(not_a_journal());
    }
    check(format, found, chain)?;
    Ok(salt)
}

fn not_a_journal() -> Fault {
    damaged("the journal's header is not that of a journal")
}

fn damaged(what: &str) -> Fault {
    Fault::Damaged { what: what.to_owned(), advice: ADVICE_JOURNAL }
}

/// CRC-32C (RFC 3720, appendix B.4): reflected, polynomial 0x1EDC6F41.
pub(crate) fn crc32c(parts: &[&[u8]]) -> u32 {
    parts.iter().fold(0, |crc, part| crc32c::crc32c_append(crc, part))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const SALT: [u8; 8] = *b"saltsalt";

    /// Puts a journal's writes into another file, for the tests of failing disks.
    pub(crate) fn divert(journal: &mut Journal, file: File) {
        journal.file = file;
    }

    /// A file's bytes, with one frame for each epoch and list of entries.
    fn image(frames: &[(u64, &[&[u8]])]) -> (Vec<u8>, Vec<usize>) {
        let mut bytes = vec![0; PAGE_BYTES];
        let mut places = Vec::new();
        for (epoch, entries) in frames {
            let entries: Vec<_> = entries.iter().map(|entry| entry.to_vec()).collect();
            places.push(bytes.len());
            bytes.extend(frame(SALT, *epoch, bytes.len(), &entries).unwrap());
        }
        places.push(bytes.len());
        bytes.resize(GROWTH_BYTES, 0);
        (bytes, places)
    }

    fn check(bytes: &[u8], epoch: u64, expected: &str) {
        let Reading { entries, end: _, damage } = Reading::of(bytes, SALT, epoch);
        let mut found: Vec<_> =
            entries.iter().map(|entry| String::from_utf8_lossy(&entry[..1]).into_owned()).collect();
        found.extend(damage.map(|damage| damage.what.split(' ').nth(3).unwrap().to_owned()));
        assert_eq!(found.join(" "), expected);
    }

    #[test]
    fn the_checksum_is_crc32c() {
        // RFC 3720, appendix B.4, and the customary check value.
        for (bytes, expected) in [
            (&[0; 32][..], 0x8A91_36AA),
            (&[0xFF; 32][..], 0x62A8_AB43),
            (&b"123456789"[..], 0xE306_9283),
        ] {
            assert_eq!(crc32c(&[bytes]), expected);
            assert_eq!(crc32c(&[&bytes[..4], &bytes[4..]]), expected);
        }
    }

    #[test]
    fn a_torn_tail_is_forgotten_whole() {
        let long = [b'd'; 2 * PAGE_BYTES];
        let (whole, places) = image(&[(7, &[b"a", b"b"]), (7, &[b"c", &long])]);
        check(&whole, 7, "a b c d");
        let (from, to) = (places[1], places[2]);
        // Behind the tear: zeros, or what an earlier epoch left.
        let (zeros, _) = image(&[(7, &[b"a", b"b"])]);
        let (void, _) = image(&[(6, &[b"v"]), (6, &[&[b'w'; PAGE_BYTES]]), (6, &[b"x"])]);
        for behind in [zeros, void] {
            let mut torn = whole.clone();
            torn[to..].copy_from_slice(&behind[to..]);
            for at in (from..to).rev() {
                torn[at] = behind[at];
                // Padding may go.
                let is_whole = at >= from + FRAME_HEADER_BYTES + 4 + 1 + 4 + long.len();
                check(&torn, 7, if is_whole { "a b c d" } else { "a b" });
            }
        }
    }

    #[test]
    fn a_page_that_came_before_its_frame_is_torn_not_damaged() {
        // The disk may write the pages of one frame in any order.
        let long = [b'd'; 2 * PAGE_BYTES];
        let (mut bytes, places) = image(&[(7, &[b"a"]), (7, &[&long])]);
        bytes[places[1]..places[1] + PAGE_BYTES].fill(0);
        check(&bytes, 7, "a");
    }

    #[test]
    fn damage_before_the_tail_is_not_a_tear() {
        let (whole, places) = image(&[(7, &[b"a"]), (7, &[b"b"]), (7, &[b"c"])]);
        for (frame, expected) in [(0, "damaged"), (1, "a damaged")] {
            for at in places[frame]..places[frame] + FRAME_HEADER_BYTES + 5 {
                let mut bytes = whole.clone();
                bytes[at] ^= 1;
                check(&bytes, 7, expected);
            }
            let mut bytes = whole.clone();
            bytes[places[frame]..places[frame + 1]].fill(0);
            check(&bytes, 7, expected);
        }
        let mut bytes = whole;
        bytes[places[2]] ^= 1;
        check(&bytes, 7, "a b");
    }

    #[test]
    fn no_byte_of_any_record_can_change_unnoticed() {
        let (whole, places) =
            image(&[(7, &[b"a", b"bb"]), (7, &[b"ccc"]), (7, &[b"d", b"", b"ee"]), (7, &[b"f"])]);
        let truth = Reading::of(&whole, SALT, 7);
        assert_eq!(truth.damage, None);
        let last = places.len() - 2;
        for frame in 0..=last {
            let length = u32::from_le_bytes(
                whole[places[frame] + 8..places[frame] + 12].try_into().unwrap(),
            );
            let used = FRAME_HEADER_BYTES + usize::try_from(length).unwrap();
            let before: Vec<_> = truth.entries[..[0, 2, 3, 6][frame]].to_vec();
            let look = |bytes: &[u8], what: &str| {
                let found = Reading::of(bytes, SALT, 7);
                assert_eq!(found.entries, before, "{what}: only what lies before it is believed");
                // The last record may have been torn, and was then never acknowledged; any other was once whole.
                assert_eq!(found.damage.is_none(), frame == last, "{what}");
            };
            for at in places[frame]..places[frame] + used {
                for bit in 0..8 {
                    let mut bytes = whole.clone();
                    bytes[at] ^= 1 << bit;
                    look(&bytes, &format!("record {frame}, byte {at}, bit {bit}"));
                }
            }
            // A smaller length that is plausible, for the record and for its first entry, checksum of the header and all.
            for smaller in 0..length {
                let mut bytes = whole.clone();
                bytes[places[frame] + 8..][..4].copy_from_slice(&smaller.to_le_bytes());
                look(&bytes, &format!("record {frame}, length {smaller}"));
                let mut header = FrameHeader::read(&whole, SALT, places[frame]).unwrap();
                header.payload_bytes = smaller;
                let header = header.write(SALT, places[frame]);
                bytes[places[frame]..][..header.len()].copy_from_slice(&header);
                look(&bytes, &format!("record {frame}, length {smaller} with its checksum"));
            }
            let mut bytes = whole.clone();
            bytes[places[frame]..places[frame + 1]].fill(0);
            look(&bytes, &format!("record {frame}, zeros"));
        }
        // The tail again, behind itself, once and as often as there is room: it counts where it was written, once.
        let mut bytes = whole;
        let (from, to) = (places[last], places[last + 1]);
        for at in (to..bytes.len() - (to - from)).step_by(PAGE_BYTES) {
            bytes.copy_within(from..to, at);
            assert_eq!(Reading::of(&bytes, SALT, 7), truth);
        }
    }

    #[test]
    fn an_epoch_voids_what_came_before_it() {
        let (bytes, _) = image(&[(7, &[b"a"]), (6, &[b"b"]), (6, &[b"c"])]);
        check(&bytes, 7, "a");
        check(&bytes, 8, "");
        // The ledger says 6, the journal has seen 7: commits are lost, whatever else there is.
        check(&bytes, 6, "older");
        check(&bytes, 0, "older");
    }

    #[test]
    fn a_frame_counts_only_where_it_was_written() {
        let (mut bytes, places) = image(&[(7, &[b"a"]), (7, &[b"b"])]);
        // The tail, twice.
        bytes.copy_within(places[1]..places[2], places[2]);
        check(&bytes, 7, "a b");
        // The tail, over the first.
        bytes.copy_within(places[1]..places[2], places[0]);
        check(&bytes, 7, "damaged");
    }

    #[test]
    fn an_entry_that_looks_like_a_frame_is_not_one() {
        // Its author knows the format, the epoch to come and the place, but not the salt.
        let forged = frame(*b"guessed?", 8, 2 * PAGE_BYTES, &[b"f".to_vec()]).unwrap();
        let entry = [&[b'e'; PAGE_BYTES - FRAME_HEADER_BYTES - 4], &forged[..]].concat();
        let (mut bytes, _) = image(&[(7, &[&entry])]);
        check(&bytes, 7, "e");
        check(&bytes, 8, "");
        let next = frame(SALT, 8, PAGE_BYTES, &[b"n".to_vec()]).unwrap();
        bytes[PAGE_BYTES..][..next.len()].copy_from_slice(&next);
        check(&bytes, 8, "n");
        // With the salt it would have been believed; so the test above tests the salt.
        let forged = frame(SALT, 8, 2 * PAGE_BYTES, &[b"f".to_vec()]).unwrap();
        bytes[2 * PAGE_BYTES..][..forged.len()].copy_from_slice(&forged);
        check(&bytes, 8, "n f");
    }

    #[test]
    fn a_file_that_was_cut_is_not_torn() {
        let (bytes, places) = image(&[(7, &[b"a"]), (7, &[b"b"])]);
        check(&bytes[..places[1]], 7, "a cut");
        check(&[], 7, "cut");
    }
}
