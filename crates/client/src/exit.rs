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
        let Self { exit, why } = Self::from(why);
        Self { exit, why: why.context(path.display().to_string()) }
    }
}

impl From<KeyError> for Stop {
    fn from(why: KeyError) -> Self {
        let exit = match &why {
            KeyError::Io(_) => Exit::Disk,
            KeyError::Exposed { .. }
            | KeyError::Malformed(_)
            | KeyError::Version { .. }
            | KeyError::Cost(_)
            | KeyError::Passphrase
            | KeyError::Unasked(_)
            | KeyError::Purpose { .. }
            | KeyError::Chain { .. }
            | KeyError::NoAgency
            | KeyError::Pair(_)
            | KeyError::NoVariable(_)
            | KeyError::NoAgent
            | KeyError::AgentName(_)
            | KeyError::AgentKeys { .. } => Exit::Usage,
        };
        Self::new(exit, why)
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
            // What a node keeps no longer, does not put into one file, or did not understand is not answered with no.
            ClientError::Problem(problem)
                if matches!(problem.code.as_str(), "E-BODY-DROPPED" | "E-PROOF-SIZE")
                    || problem.code.starts_with("E-HTTP-") =>
            {
                Exit::Undecided
            }
            ClientError::Problem(_) => Exit::Negative,
            ClientError::Untrusted { .. } | ClientError::Strange { .. } => Exit::Undecided,
        };
        Self::new(exit, why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use client::{Signer, api::Problem};

    #[test]
    fn a_key_file_that_cannot_be_read_is_this_machines_fault_and_no_misuse() {
        for (name, wanted) in [
            ("no/such/key.json", Exit::Disk),
            ("agent:nobody", Exit::Usage),
            ("env:NO_SUCH_KEY", Exit::Usage),
        ] {
            let why = Signer::find(name.as_ref()).unwrap_err();
            assert_eq!(Stop::key(name.as_ref(), why).exit, wanted, "{name}");
        }
    }

    #[test]
    fn what_is_not_answered_is_not_answered_with_no() {
        for (status, code, wanted) in [
            (410, "E-BODY-DROPPED", Exit::Undecided),
            (400, "E-PROOF-SIZE", Exit::Undecided),
            (404, "E-HTTP-ROUTE", Exit::Undecided),
            (408, "E-HTTP-TIMEOUT", Exit::Network),
            (500, "E-NODE-FAULT", Exit::Network),
            (403, "E-AUTH-ROLE", Exit::Negative),
        ] {
            let problem = Problem {
                kind: "about:blank".into(),
                title: "no".into(),
                status,
                code: code.into(),
                detail: "no".into(),
            };
            assert_eq!(Stop::from(ClientError::Problem(problem)).exit, wanted, "{code}");
        }
    }
}
