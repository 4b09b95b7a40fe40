//! Ask: the Rust SDK over HTTP, and the command of applications and inspectors.
//!
//! What it offers: [`Client`] (a node, asked over HTTP), [`Signer`] (an agency's key, and the transactions it signs),
//! [`api`] (what nodes answer, as types). The command `minlian` is made of these.
//!
//! Invariants: whatever [`Client`] sends may be sent again, because records are named by their content; nothing here believes
//! a node where a proof would do, and checking a proof is the business of the `proof` crate, which has no sockets.
//!
//! ```no_run
//! # async fn example(operations: Vec<types::Operation>) -> Result<(), Box<dyn std::error::Error>> {
//! use client::{Client, Signer, Wait};
//!
//! let node = Client::new("http://127.0.0.1:28001")?;
//! let signer = Signer::open("keys/issuer.json".as_ref())?;
//! let status = node.status().await?;
//! let tx = signer.sign(status.chain, status.valid_until_max, operations)?;
//! let receipt = node.submit(&tx, Wait::Committed).await?;
//! # drop(receipt);
//! # Ok(())
//! # }
//! ```
//!
//! This crate never learns that there is a disk with a ledger on it, or that validators speak to one another.

pub mod api;
pub mod graph;
mod http;
pub mod keystore;
pub mod passphrase;
mod signer;

pub use http::{Client, ClientError, Patience, Pause, Wait};
pub use keystore::KeyError;
pub use signer::Signer;
