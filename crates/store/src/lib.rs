//! Remember: the only crate that names rocksdb.
//!
//! What it offers: [`open`] (a directory becomes a [`Store`]), [`Store::commit`] (all of a block or none of it),
//! [`Store::journal`] and [`Store::replay`] (what must not be forgotten before the next commit), [`Snapshot`] (the
//! ledger as it stood at one moment), [`Cached`] (the same for the one who writes it), [`Waiting`] (what was accepted here and is not decided), and [`Fault`] (how our own
//! machine fails, and what its operator can do).
//!
//! Invariants: what returned `Ok` survives a power cut; a commit and the end of the journal before it are one atomic
//! write; after a write or sync has failed nothing is written again, because what the disk then holds is unknown.
//!
//! This crate does not know what bytes mean beyond their column, never reads a clock, and never repairs: it refuses,
//! and says what to do.

pub mod cached;
pub mod fault;
mod journal;
mod options;
pub mod store;
pub mod waiting;

pub use cached::Cached;
pub use fault::{Fault, exit_code_of};
pub use options::files_allowed;
pub use store::{Snapshot, Store, open, open_reading};
pub use waiting::Waiting;
