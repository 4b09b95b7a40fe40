//! The two commands, run as people run them.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// What a command came to.
#[derive(Clone, Debug)]
pub struct Ran {
    /// Its exit code; 128 and the signal's number if a signal ended it, as a shell would say.
    pub code: i32,
    /// What it printed.
    pub stdout: String,
    /// What it said beside.
    pub stderr: String,
}

impl Ran {
    /// What an ended process came to.
    #[must_use]
    pub fn of(output: &Output) -> Self {
        use std::os::unix::process::ExitStatusExt as _;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let killed = || 128 + output.status.signal().unwrap_or_default();
        Self {
            code: output.status.code().unwrap_or_else(killed),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    /// The same, which had to end with this code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

/// The folder that the commands were built into: the one above this test's, or a command's own.
#[must_use]
pub fn folder() -> PathBuf {
    let program = std::env::current_exe().expect("a process knows its program");
    let folder = program.parent().expect("a program lies in a folder");
    let above = folder.parent().filter(|_| folder.ends_with("deps"));
    above.unwrap_or(folder).to_owned()
}

/// A command that was built beside the tests.
#[must_use]
pub fn path(name: &str) -> PathBuf {
    let path = folder().join(name);
    assert!(
        path.is_file(),
        "{} is not there; first: cargo build --release --workspace --bins",
        path.display()
    );
    path
}

/// A command that was built beside the tests, to be started, in a fixed language and with no settings of the user's.
#[must_use]
pub fn command(name: &str) -> Command {
    prepared(&path(name))
}

/// Any program, prepared in the same way.
#[must_use]
pub fn prepared(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}

/// A program of the system, to be started. Those for disks and networks are not on every user's path.
#[must_use]
pub fn system(name: &str) -> Command {
    let mut command = Command::new(name);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let beyond = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    if let Ok(path) = std::env::join_paths(std::env::split_paths(&path).chain(beyond)) {
        command.env("PATH", path);
    }
    command
}

/// Runs a program of the system to its end.
///
/// # Errors
/// It is not there, or failed; with what it said.
pub fn tool(name: &str, arguments: &[&str]) -> Result<(), String> {
    let ran = system(name).args(arguments).output();
    let ran = ran.map_err(|error| format!("{name}: {error}"))?;
    if ran.status.success() {
        return Ok(());
    }
    Err(format!("{name}: {}", String::from_utf8_lossy(&ran.stderr).trim()))
}

/// Runs `minlian` to its end.
pub fn minlian(arguments: &[impl AsRef<OsStr>]) -> Ran {
    run("minlian", arguments)
}

/// Runs `minlian-node` to its end.
pub fn minlian_node(arguments: &[impl AsRef<OsStr>]) -> Ran {
    run("minlian-node", arguments)
}

fn run(name: &str, arguments: &[impl AsRef<OsStr>]) -> Ran {
    Ran::of(&command(name).args(arguments).output().expect("a program that is there starts"))
}
