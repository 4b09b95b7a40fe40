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
    /// The exit code of a run that this ends: 74 for a failing disk, 5 for what was refused for safety. Neither is
    /// cured by starting again at once.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Io { .. } | Self::Failed { .. } => 74,
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
                Self::Io { doing, path: path.to_owned(), source: io::Error::other(error) }
            }
        }
    }
}
