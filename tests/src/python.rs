//! The second verifier, and other people's software, in Python.

use std::{env, ffi::OsStr, path::PathBuf, process::Command};

/// A program of `tests/`, to be run by the Python that `scripts/python` makes, or by the system's if it has what is needed.
///
/// Without one a test of two verifiers would be one of none, so it does not pass.
#[must_use]
pub fn python(program: impl AsRef<OsStr>) -> Command {
    let cache = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")));
    let own = cache.map(|cache| cache.join("minlian/venv/bin/python"));
    let found = own.into_iter().chain([PathBuf::from("python3")]).find(|python| {
        let needs = ["-c", "import blake3, cryptography, tomllib"];
        Command::new(python).args(needs).output().is_ok_and(|done| done.status.success())
    });
    let python =
        found.expect("the second verifier needs a Python of its own; first: scripts/python");
    let mut command = Command::new(python);
    command.arg("-B").arg(crate::repository().join("tests").join(program.as_ref()));
    command
}
