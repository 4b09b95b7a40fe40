//! What a node finds when it starts again, whatever it was doing when the power went.
//!
//! Three things are written, and each is modelled by what `store` and `node::signstate` give back after a crash:
//!
//! * **The ledger** takes a commit as one batch of RocksDB, and syncs many at once. A crash within a batch leaves all of it
//!   or nothing; a crash before the sync may take any number of the last commits, whole and from the end. What is found
//!   at a start is durable by then: RocksDB writes what it recovers from its log to tables, synced, before it opens.
//! * **The journal** takes the entries of one `Effect::Journal` as one frame under one checksum. A crash within leaves
//!   the whole frame, nothing, or a *torn* one (some of its bytes); a torn frame with nothing of its epoch behind it was
//!   never acknowledged, and is forgotten whole, its first entries too. The next frame is written over it. Every frame
//!   carries the epoch, the number of commits the ledger holds; those of another epoch are void, so the commit and the
//!   end of the journal's validity are one write. A frame is written when all commits before it are synced, and the first
//!   frames are written over only then: a commit that is lost leaves the journal of its height.
//! * **The record beside the key** is written in two slots in turn. A torn write spoils one and leaves the other, which
//!   is the record before.
//!
//! But for commits, every effect is synced before the next begins, so at most the one in flight is in doubt: [`Fate`].

use consensus::Signed;
use ledger::{Commit, SharedMemory, State as _, Write};

/// What becomes of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// All of it is on the disk.
    Done,
    /// The power went before any of it was.
    Lost,
    /// The power went when some of its bytes were.
    Torn,
}

#[derive(Debug)]
struct Frame {
    epoch: u64,
    is_torn: bool,
    entries: Vec<Vec<u8>>,
}

/// A disk.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    ledger: SharedMemory,
    /// Of each commit that is not synced, what it replaced.
    unsynced: Vec<Vec<Write>>,
    epoch: u64,
    /// The frames of the file in their order, void ones included; they are written over from the first on.
    frames: Vec<Frame>,
    /// How many frames are good and of this epoch.
    end: usize,
    slots: [Option<(u64, Signed)>; 2],
    sequence: u64,
}

impl Disk {
    /// The ledger.
    pub(crate) const fn ledger(&self) -> &SharedMemory {
        &self.ledger
    }

    /// Adds a frame to the journal. What was committed is synced first, or there would be no saying which frames are void.
    pub(crate) fn append(&mut self, entries: Vec<Vec<u8>>, fate: Fate) {
        assert!(self.unsynced.is_empty(), "journalled over commits that may be lost");
        let frame = Frame { epoch: self.epoch, is_torn: fate == Fate::Torn, entries };
        match fate {
            Fate::Lost => return,
            Fate::Done | Fate::Torn if self.end < self.frames.len() => {
                self.frames[self.end] = frame;
            }
            Fate::Done | Fate::Torn => self.frames.push(frame),
        }
        if fate == Fate::Done {
            self.end += 1;
        }
    }

    /// Writes what was signed into the slot whose turn it is.
    pub(crate) fn remember(&mut self, signed: Signed, fate: Fate) {
        let sequence = self.sequence + 1;
        let slot = &mut self.slots[usize::from(sequence.is_multiple_of(2))];
        match fate {
            Fate::Done => (*slot, self.sequence) = (Some((sequence, signed)), sequence),
            Fate::Torn => *slot = None,
            Fate::Lost => {}
        }
    }

    /// Writes a block and all it changes, and does not sync it. Says whether it did.
    pub(crate) fn commit(&mut self, commit: &Commit, fate: Fate) -> bool {
        match fate {
            Fate::Done => {
                let replaced = |write: &Write| Write {
                    value: self.ledger.get(write.column, &write.key),
                    ..write.clone()
                };
                self.unsynced.push(commit.writes().iter().map(replaced).collect());
                self.ledger.write(commit.writes());
                self.epoch += 1;
                true
            }
            Fate::Lost | Fate::Torn => false,
        }
    }

    /// Makes durable what was committed. The journal begins anew, if anything was.
    pub(crate) fn sync(&mut self) -> bool {
        let was_committed = self.unsynced() > 0;
        if was_committed {
            self.unsynced.clear();
            self.end = 0;
        }
        was_committed
    }

    /// How many commits a crash may take.
    pub(crate) const fn unsynced(&self) -> usize {
        self.unsynced.len()
    }

    /// The power goes, and takes so many of the last commits with it, which were not synced.
    pub(crate) fn lose(&mut self, commits: usize) {
        for _ in 0..commits {
            let replaced = self.unsynced.pop().expect("what is synced is not lost");
            self.ledger.write(&replaced);
            self.epoch -= 1;
        }
        self.unsynced.clear();
    }

    /// What was signed last, as far as the disk knows.
    pub(crate) fn signed(&self) -> Option<Signed> {
        self.slots.iter().flatten().max_by_key(|(sequence, _)| *sequence).map(|(_, signed)| *signed)
    }

    /// What a start finds: the journal's entries, and what was signed last.
    pub(crate) fn open(&mut self) -> (Vec<Vec<u8>>, Option<Signed>) {
        let epoch = self.epoch;
        let good = |frame: &&Frame| !frame.is_torn && frame.epoch == epoch;
        self.end = self.frames.iter().take_while(good).count();
        let entries =
            self.frames.iter().take(self.end).flat_map(|frame| frame.entries.iter().cloned());
        self.sequence =
            self.slots.iter().flatten().map(|(sequence, _)| *sequence).max().unwrap_or(0);
        (entries.collect(), self.signed())
    }

    /// Forgets the votes of the height under way, and that the key ever signed: what no honest node does.
    pub(crate) fn forget(&mut self) {
        self.frames.clear();
        (self.end, self.slots) = (0, [None; 2]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{ChainId, Domain, Hash, Height, Round, SecretKey};

    fn signed(height: u64) -> Signed {
        let signature =
            SecretKey::from_seed([1; 32]).sign(Domain::Prevote, &ChainId(Hash::ZERO), &[0]);
        Signed { height: Height(height), round: Round(0), step: 1, block: None, signature }
    }

    /// Appends one frame a letter: upper case is written, lower case is torn, `-` is lost.
    fn check(appends: &str, wanted: &str) {
        let mut disk = Disk::default();
        for letter in appends.chars() {
            let fate = match letter {
                '-' => Fate::Lost,
                'A'..='Z' => Fate::Done,
                _ => Fate::Torn,
            };
            disk.append(vec![vec![u8::try_from(letter).unwrap()]; 2], fate);
            if fate != Fate::Done {
                disk.open();
            }
        }
        let found: Vec<u8> = disk.open().0.into_iter().flatten().step_by(2).collect();
        assert_eq!(String::from_utf8(found).unwrap(), wanted, "{appends}");
    }

    #[test]
    fn a_torn_frame_is_forgotten_whole_and_written_over() {
        check("AB", "AB");
        check("ABc", "AB");
        check("ABcD", "ABD");
        check("A-B", "AB");
        check("abC", "C");
    }

    #[test]
    fn a_torn_record_leaves_the_one_before() {
        let mut disk = Disk::default();
        for (height, fate, wanted) in [
            (1, Fate::Torn, None),
            (2, Fate::Done, Some(2)),
            (3, Fate::Torn, Some(2)),
            (4, Fate::Lost, Some(2)),
            (5, Fate::Done, Some(5)),
            (6, Fate::Torn, Some(5)),
        ] {
            disk.remember(signed(height), fate);
            assert_eq!(disk.open().1.map(|signed| signed.height.0), wanted, "{height}");
        }
    }
}
