//! Ask: the Rust SDK over HTTP, and the command of applications and inspectors.
//!
//! What it offers: [`Client`] (a node, asked over HTTP), [`Signer`] (an agency's key in a file,
//! the environment or an agent, and the transactions it signs),
//! [`api`] (what nodes answer, as types). The command `minlian` is made of these.
//!
//! Invariants: whatever [`Client`] sends may be sent again, because records are named by their content; nothing here believes
//! a node where a proof would do, and checking a proof is the business of the `proof` crate, which has no sockets.
//!
//! A record from a document to a proof that needs nobody:
//!
//! ```no_run
//! # async fn example(operations: Vec<types::Operation>) -> Result<(), Box<dyn std::error::Error>> {
//! use client::{Client, Signer, Wait};
//!
//! let node = Client::new("http://127.0.0.1:28001")?;
//! // A file, `env:NAME`, or `agent:AGENCY` for a key that ssh-agent holds.
//! let signer = Signer::find("keys/issuer.json".as_ref())?;
//! let status = node.status().await?;
//! let tx = signer.sign(status.chain, status.valid_until_max, operations)?;
//! // Sending it again is one commit and the same receipt.
//! let receipt = node.submit(&tx, Wait::Committed).await?;
//! for recorded in &receipt.records {
//!     let proof = node.record_proof(&recorded.record).await?.ok_or("not recorded")?;
//!     std::fs::write(format!("{}.proof", recorded.record), proof)?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Keys, here one from the environment, and what is signed with them; nothing is sent:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use client::{Signer, keystore::Key};
//! use types::{ChainId, Hash, Height, SecretKey};
//!
//! let signer = Signer::new(Key {
//!     purpose: "organisation".into(),
//!     agency: Some("11350000MXDEX01033".parse()?),
//!     chain: None,
//!     secret: SecretKey::from_seed([7; 32]),
//! })?;
//! let chain = ChainId(Hash([1; 32]));
//! let tx = signer.sign(chain, Height(100), vec![])?;
//! assert_eq!(tx.header.key, signer.public());
//! assert!(tx.header.check(&tx.signature).is_ok());
//! # Ok(())
//! # }
//! ```
//!
//! Patience, for what may be away for a while, and what is found by its names:
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use client::{Client, Patience};
//! use types::{Digest, Subject, TxId};
//!
//! let node = Client::new("http://127.0.0.1:28001")?;
//! let id: TxId = "5a0e…".parse()?;
//! // Until it is committed or refused.
//! let settled = node.settled(&id, &Patience::default()).await?;
//! // By the document's digest, and by what the record is about.
//! let recorded = node.records(&Digest::blake3(&std::fs::read("licence.json")?)).await?;
//! let subject: Subject = "licence:1.2.156.3005.2…".parse()?;
//! let stands = node.subject(&subject).await?.map(|view| view.state.status);
//! # drop((settled, recorded, stands));
//! # Ok(())
//! # }
//! ```
//!
//! This crate never learns that there is a disk with a ledger on it, or that validators speak to one another.

mod agent;
pub mod api;
mod follow;
pub mod graph;
mod http;
pub mod keystore;
pub mod passphrase;
mod signer;
mod tls;

pub use follow::Follower;
pub use http::{Client, ClientError, Every, Patience, Pause, Wait};
pub use keystore::KeyError;
pub use signer::Signer;
pub use tls::{Tls, TlsError, plain};
