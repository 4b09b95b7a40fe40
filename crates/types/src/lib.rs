//! The nouns: heights, digests, keys, codec, transactions, blocks, committees, certificates, genesis.
//!
//! What it offers: [`Operation`] (what an agency wants recorded), [`Transaction`] (operations under one signature),
//! [`Block`] and [`Certificate`] (what the committee agreed), [`Genesis`] (what everyone agreed by hand), and the
//! [`codec`] that gives every one of them exactly one spelling.
//!
//! Invariants: a value that decodes re-encodes to the same bytes; every signature is made for one [`key::Domain`] on one
//! chain, or in one [`checkpoint::Form`]; [`Verified`] and [`Certified`] have one constructor each, the check, and nothing deserialises into them.
//!
//! This crate never learns that there is a network, a disk or a clock.

pub mod agency;
pub mod authority;
pub mod block;
pub mod bulk;
pub mod checkpoint;
pub mod codec;
pub mod committee;
mod familiar;
pub mod fields;
pub mod genesis;
pub mod hash;
pub mod identifier;
pub mod item;
pub mod key;
pub mod merkle;
pub mod net;
pub mod operation;
pub mod privacy;
pub mod standing;
pub mod subject;
pub mod text;
pub mod time;
pub mod transaction;
pub mod usage;
pub mod vote;

pub use agency::{Agency, AgencyCode, Level, Region, Role};
pub use block::{Block, Certified, Entry, Header};
pub use committee::{Certificate, CertificateError, Committee, Validator};
pub use genesis::Genesis;
pub use hash::{BlockId, ChainId, Digest, GrantId, Hash, RecordId, TxId};
pub use key::{Domain, PublicKey, SecretKey, Signature};
pub use operation::Operation;
pub use subject::{Subject, SubjectState};
pub use text::Text;
pub use time::{Height, Round, Timestamp};
pub use transaction::{Transaction, Verified};

#[cfg(test)]
mod tests;
