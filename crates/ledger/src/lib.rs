//! The rules: what is allowed, and what it changes.
//!
//! What it offers: [`Rules`] (who may do what), [`propose`] and [`validate`] (a block, executed), [`commit`] (what an
//! agreed block changes, as writes), [`Pool`] (what waits to be proposed), [`query`] and [`mod@prove`] (what anyone may ask, and the
//! proof of the answer), [`retention`] (what may be forgotten) and [`audit`] (what can be checked afterwards).
//!
//! Invariants: nothing is refused at execution that admission lets pass against the same state, and the reverse; the
//! same block on the same state gives the same roots everywhere; no clock, no randomness, no unordered iteration.
//!
//! This crate does not know that blocks are voted on, nor whether state is memory or RocksDB.

pub mod audit;
pub mod authority;
mod bulk;
pub mod execute;
mod govern;
mod item;
mod judge;
mod licence;
pub mod objection;
pub mod pool;
pub mod prove;
pub mod query;
pub mod rejection;
pub mod retention;
mod rows;
pub mod rules;
pub mod state;
mod usage;

pub use execute::{
    Change, Draft, Invalid, Outcome, Tip, commit, first_difference, propose, tip, validate,
};
pub use judge::foresee;
pub use objection::Objection;
pub use pool::{Pool, PoolLimits};
pub use rejection::{ItemFault, Misrule, Rejection};
pub use rules::{Amended, Rules};
pub use state::{Column, Commit, Memory, SharedMemory, State, Write};

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod govern_tests;
#[cfg(test)]
mod item_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod usage_tests;
