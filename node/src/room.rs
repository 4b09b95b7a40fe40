//! Whether the disk has room to go on voting, asked before it has none.

use crate::clock;
use nix::sys::statvfs::{FsFlags, statvfs};
use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// How often the disk is asked.
const EVERY: Duration = Duration::from_millis(100);
/// What must be free beside the key: its record of signatures has its place already, so this only tells a full disk.
const BESIDE_KEY_BYTES: u64 = 1 << 20;

/// The room left for the ledger, and how much of it must stay.
#[derive(Debug)]
pub struct Room {
    places: Vec<(PathBuf, u64)>,
    asked_at: Instant,
    shortage: Option<String>,
}

impl Room {
    /// The room of a directory, of which so many bytes must stay free.
    #[must_use]
    pub fn new(directory: PathBuf, reserve_bytes: u64) -> Self {
        let places = vec![(directory, reserve_bytes)];
        let mut room = Self { places, asked_at: clock::instant(), shortage: None };
        room.ask();
        room
    }

    /// The same, and of the directory of a key, beside which its signatures are remembered.
    #[must_use]
    pub fn with_key(mut self, key_file: &Path) -> Self {
        let directory = key_file.parent().unwrap_or_else(|| Path::new("."));
        self.places.push((directory.to_owned(), BESIDE_KEY_BYTES));
        self.ask();
        self
    }

    /// Why this validator must not write, if it must not; asks the disk again when the last answer is old.
    ///
    /// Below the reserve a write may still succeed. That is the point: RocksDB that runs out of room in the middle of a
    /// write needs an operator, and one that never tries needs only room.
    pub fn shortage(&mut self) -> Option<&str> {
        if self.asked_at.elapsed() >= EVERY {
            self.ask();
        }
        self.shortage.as_deref()
    }

    fn ask(&mut self) {
        self.asked_at = clock::instant();
        let now =
            self.places.iter().find_map(|(place, reserve_bytes)| lacks(place, *reserve_bytes));
        match (&self.shortage, &now) {
            (None, Some(shortage)) => {
                tracing::error!(%shortage, "voting stops; reads and proofs are still served");
            }
            (Some(_), None) => tracing::info!("there is room again; voting goes on"),
            (None, None) | (Some(_), Some(_)) => {}
        }
        self.shortage = now;
    }
}

/// What a directory lacks to be written to, if it lacks anything.
fn lacks(directory: &Path, reserve_bytes: u64) -> Option<String> {
    let shown = directory.display();
    match statvfs(directory) {
        Ok(found) if found.flags().contains(FsFlags::ST_RDONLY) => Some(format!(
            "disk_read_only: {shown} is mounted read-only; mount it read-write and voting goes on"
        )),
        Ok(found) => {
            let free = found.blocks_available().saturating_mul(found.fragment_size());
            (free < reserve_bytes).then(|| {
                format!(
                    "disk_full: {} MiB are free in {shown} and {} MiB must stay free; make room and voting goes on",
                    free >> 20,
                    reserve_bytes >> 20
                )
            })
        }
        Err(error) => Some(format!("disk: cannot ask how much room there is in {shown}: {error}")),
    }
}

/// Why a directory cannot be written to though the disk has room, found out by writing: a file system that the kernel has
/// shut after an error still says that it is mounted read-write. What else may be wrong is told by whoever writes next.
#[must_use]
pub fn refusal(directory: &Path) -> Option<String> {
    let (probe, shown) = (directory.join("probe"), directory.display());
    let write = || {
        let mut file =
            fs::OpenOptions::new().create(true).write(true).truncate(true).open(&probe)?;
        file.write_all(b"?")?;
        file.sync_all()?;
        fs::remove_file(&probe)
    };
    let error = write().err()?;
    let why = if error.kind() == io::ErrorKind::ReadOnlyFilesystem {
        format!(
            "disk_read_only: {shown} cannot be written to ({error}); mount it read-write, or if the system has shut it \
             after an error, stop this node, repair the disk and start again"
        )
    } else if error.kind() == io::ErrorKind::StorageFull {
        format!(
            "disk_full: nothing can be written to {shown} ({error}); make room and voting goes on"
        )
    } else {
        return None;
    };
    Some(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_can_be_written_to_is_left_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(refusal(directory.path()), None);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        assert_eq!(refusal(&directory.path().join("missing")), None, "told by whoever opens it");
    }

    #[test]
    fn a_reserve_that_cannot_be_kept_is_a_shortage() {
        let directory = tempfile::tempdir().unwrap();
        let mut room = Room::new(directory.path().into(), 0);
        assert_eq!(room.shortage(), None);
        let mut room = Room::new(directory.path().into(), u64::MAX);
        assert!(room.shortage().unwrap().starts_with("disk_full"));
        let mut room = Room::new(directory.path().join("missing"), 0);
        assert!(room.shortage().unwrap().starts_with("disk: "));
        let mut room =
            Room::new(directory.path().into(), 0).with_key(&directory.path().join("no/key"));
        assert!(room.shortage().unwrap().contains("no"), "the key's place counts too");
    }
}
