//! How our own machine fails, and what its operator can do about it.

use std::{
    io,
    path::{Path, PathBuf},
};
use types::ChainId;

/// What to do when the journal cannot be trusted.
pub(crate) const ADVICE_JOURNAL: &str = "this validator may have forgotten what it signed and must not vote until the \
     ledger is past it: keep the directory as it is and run `minlian-node recover`";

/// What to do when the ledger cannot be trusted.
pub(crate) const ADVICE_LEDGER: &str = "check the disk, keep a copy of the directory, and run `minlian-node recover`, \
     which fetches the ledger again from the other agencies and verifies it";

/// A failure of our own machine. It travels to `main` and ends the run; nobody else's mistake is one.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The system refused to read, write or sync. What was not synced may or may not be on the disk.
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// What was attempted, as a verb.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Bytes that were once good no longer are. A torn tail is not damage: it was never acknowledged.
    #[error("{what}; {advice}")]
    Damaged {
        /// What was found.
        what: String,
        /// What to do.
        advice: &'static str,
    },
    /// The directory belongs to another chain.
    #[error(
        "the directory holds chain {found}, the genesis is of chain {expected}; give the directory of this chain, or \
         an empty one"
    )]
    Foreign {
        /// The chain of the directory.
        found: ChainId,
        /// The chain it was opened for.
        expected: ChainId,
    },
    /// The directory is in a format that this version does not know. Nothing in it was changed.
    #[error(
        "the directory has format {found}, this version knows format {known}; run the version that wrote it, or a \
         newer one"
    )]
    Format {
        /// The format of the directory.
        found: u32,
        /// The format this version reads and writes.
        known: u32,
    },
    /// Another process has the directory open.
    #[error(
        "another process uses {path}; two nodes with one directory would sign twice: stop the other one, or give this \
         one its own directory"
    )]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// Something failed earlier, so nothing is written any more.
    #[error(
        "refusing to write after an earlier failure ({first}); start the node again once its cause is gone"
    )]
    Failed {
        /// The earlier failure.
        first: String,
    },
}

impl Fault {
    /// The exit code of a run that this ends: as [`exit_code_of`], and 5 for what was refused for safety.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Io { source, .. } => exit_code_of(source),
            Self::Failed { .. } => 74,
            Self::Damaged { .. }
            | Self::Foreign { .. }
            | Self::Format { .. }
            | Self::Locked { .. } => 5,
        }
    }

    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, path: path.to_owned(), source }
    }

    pub(crate) fn rocksdb(doing: &'static str, path: &Path) -> impl FnOnce(rocksdb::Error) -> Self {
        move |error| {
            if error.kind() == rocksdb::ErrorKind::Corruption {
                let what = format!("cannot {doing} {}: {error}", path.display());
                Self::Damaged { what, advice: ADVICE_LEDGER }
            } else {
                let source = io::Error::new(kind_of(error.as_ref()), error);
                Self::Io { doing, path: path.to_owned(), source }
            }
        }
    }
}

/// The exit code of a run that the system's refusal ends: 75 if there is no room or the disk is read-only, so that the next
/// start serves and waits until that is mended; 74 for the rest, which another start does not cure.
///
/// A failed sync is of the rest, whatever the reason that is given for it: what was written before may be gone. So its kind
/// is taken from it where it is met, by [`io::Error::other`].
#[must_use]
pub fn exit_code_of(error: &io::Error) -> u8 {
    use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    if matches!(error.kind(), QuotaExceeded | ReadOnlyFilesystem | StorageFull) { 75 } else { 74 }
}

/// What RocksDB was refused, which it tells in words alone.
fn kind_of(told: &str) -> io::ErrorKind {
    const SYNCS: [&str; 3] = ["While fdatasync", "While fsync", "While sync"];
    let kinds = [
        ("No space left on device", io::ErrorKind::StorageFull),
        ("Read-only file system", io::ErrorKind::ReadOnlyFilesystem),
        ("Disk quota exceeded", io::ErrorKind::QuotaExceeded),
    ];
    let known = kinds.into_iter().find(|(words, _)| told.contains(words));
    let is_sync = SYNCS.into_iter().any(|words| told.contains(words));
    known.filter(|_| !is_sync).map_or(io::ErrorKind::Other, |(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn want_of_room_is_not_a_disk_that_failed() {
        for (told, code) in [
            (
                "IO error: No space left on device: While appending to file: /d/000012.log: No space left on device",
                75,
            ),
            ("IO error: While open a file for appending: /d/000013.sst: Read-only file system", 75),
            ("IO error: While appending to file: /d/000012.log: Disk quota exceeded", 75),
            ("IO error: While fdatasync: /d/000012.log: Input/output error", 74),
            (
                "IO error: No space left on device: While fdatasync: /d/000012.log: No space left on device",
                74,
            ),
            ("IO error: While fsync: /d/MANIFEST-000004: Read-only file system", 74),
            ("IO error: While appending to file: /d/000012.log: Input/output error", 74),
        ] {
            assert_eq!(exit_code_of(&io::Error::new(kind_of(told), told)), code, "{told}");
        }
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        assert_eq!(exit_code_of(&full()), 75);
        assert_eq!(exit_code_of(&io::Error::other(full())), 74, "of a sync");
    }
}
