//! How the command ends: the exit codes, and what leads to each.

use client::{ClientError, KeyError};
use std::process::ExitCode;

/// The version of this command.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How the command ends. The numbers are a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done, or proven.
    Done = 0,
    /// A definite negative: not proven, some records rejected, subject unknown.
    Negative = 1,
    /// The command line asks for something that cannot be.
    Usage = 2,
    /// Could not decide.
    Undecided = 3,
    /// The node or the network is not there; the same command may be run again.
    Network = 4,
    /// This machine's disk.
    Disk = 74,
    /// Interrupted by the user.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The end of a command that could not do what it was asked to.
#[derive(Debug)]
pub(crate) struct Stop {
    /// How it ends.
    pub(crate) exit: Exit,
    /// Why.
    pub(crate) why: anyhow::Error,
}

impl Stop {
    pub(crate) fn new(exit: Exit, why: impl Into<anyhow::Error>) -> Self {
        Self { exit, why: why.into() }
    }

    pub(crate) fn says(exit: Exit, why: impl Into<String>) -> Self {
        Self { exit, why: anyhow::Error::msg(why.into()) }
    }

    pub(crate) fn interrupted() -> Self {
        Self::says(Exit::Interrupted, "interrupted")
    }

    /// A file that could not be read or written.
    pub(crate) fn file(path: &std::path::Path, why: std::io::Error) -> Self {
        Self { exit: Exit::Disk, why: anyhow::Error::new(why).context(path.display().to_string()) }
    }

    /// A key file that gives no signer.
    pub(crate) fn key(path: &std::path::Path, why: KeyError) -> Self {
        Self { exit: Exit::Usage, why: anyhow::Error::new(why).context(path.display().to_string()) }
    }
}

impl From<std::io::Error> for Stop {
    fn from(why: std::io::Error) -> Self {
        Self::new(Exit::Disk, why)
    }
}

impl From<ClientError> for Stop {
    fn from(why: ClientError) -> Self {
        let exit = match &why {
            ClientError::Address { .. } | ClientError::Tls(_) => Exit::Usage,
            ClientError::Unreachable { .. } | ClientError::Busy { .. } => Exit::Network,
            ClientError::Problem(_) if why.is_passing() => Exit::Network,
            ClientError::Problem(_) => Exit::Negative,
            ClientError::Untrusted { .. } | ClientError::Strange { .. } => Exit::Undecided,
        };
        Self::new(exit, why)
    }
}
