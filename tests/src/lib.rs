//! Many nodes: real processes, real sockets, real RocksDB; vectors; conformance.
//!
//! What it offers to the tests beside it: [`Network`] (validators as processes on this machine, which end with the test),
//! [`Links`] and [`Namespaces`] (lines between them that can be cut), [`faults`] (disks and files that fail),
//! [`program`] (the two commands, run as people run them), [`python()`] (the second verifier), [`Desk`] (one operation at a time), [`Chain`] (a ledger in one value, with secrets that everyone
//! knows, for forgers and for vectors), [`exports`] (what others' software says of our exports), [`vectors`] (the bytes that must
//! never change).
//!
//! It adds no rule of its own and is never shipped.

#![expect(
    clippy::missing_panics_doc,
    reason = "whatever goes wrong here fails a test, and panics say what"
)]

pub mod catalogue;
mod chain;
mod desk;
pub mod exports;
pub mod faults;
mod lines;
mod namespaces;
mod network;
pub mod powercut;
pub mod program;
mod proxy;
mod python;
pub mod schema;
mod uses;
pub mod vectors;

pub use chain::{Chain, certify, govern, lastly, licence, lots, moved, operation, publish, used};
pub use desk::Desk;
pub use lines::{Lines, Pairs, both, everyone};
pub use namespaces::{Namespaces, isolated};
pub use network::{Load, Network, Submission, say};
pub use proxy::{Condition, Links};
pub use python::python;

use std::path::PathBuf;

/// What a node of this machine answers, of whatever kind.
///
/// # Errors
/// When nothing answers.
pub async fn get(url: impl reqwest::IntoUrl) -> reqwest::Result<reqwest::Response> {
    client::plain().build()?.get(url).send().await
}

/// The top of the repository.
#[must_use]
pub fn repository() -> PathBuf {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    path.canonicalize().expect("the tests are in the repository")
}
