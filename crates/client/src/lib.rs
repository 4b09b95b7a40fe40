//! Ask: the Rust SDK over HTTP, and the command of applications and inspectors.
//!
//! What it offers: [`Client`] (a node, asked over HTTP or, as [`Tls`] says, HTTPS), [`Signer`] (an agency's key in a file,
//! the environment or an agent, and the transactions it signs), [`Follower`] (blocks and records as they come),
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
//! Many at once, as a job that the node carries out whatever happens to it:
//!
//! ```no_run
//! # async fn example(node: client::Client, many: Vec<types::Transaction>) -> Result<(), Box<dyn std::error::Error>> {
//! use client::{Patience, api::{Fate, JOB_TRANSACTIONS_MAX}};
//!
//! for some in many.chunks(JOB_TRANSACTIONS_MAX) {
//!     // Sending the same again is the same job.
//!     let job = node.submit_many(some).await?;
//!     let done = node.finished(&job.job, &Patience::default()).await?.ok_or("the job is forgotten")?;
//!     for refused in done.transactions.iter().filter(|receipt| receipt.status == Fate::Refused) {
//!         println!("{}: {}", refused.tx, refused.detail.as_deref().unwrap_or_default());
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Lists, page by page behind the scenes; and everything that comes, from where a program left off, each once and in order,
//! however often the line breaks:
//!
//! ```no_run
//! # async fn example(node: client::Client, left_off: u64) -> Result<(), Box<dyn std::error::Error>> {
//! use client::api::{Kind, Wanted};
//!
//! let licences = Wanted { kind: Some(Kind::Licence), ..Wanted::default() };
//! let mut all = node.every(licences.clone());
//! while let Some(record) = all.next().await? {
//!     println!("{} {}", record.position, record.record);
//! }
//! // A program keeps `next_place`, and gives it when it starts again.
//! let mut coming = node.follow_records(licences, left_off);
//! loop {
//!     let record = coming.next().await?;
//!     println!("{} in block {}; go on from {}", record.record, record.height, coming.next_place());
//! }
//! # }
//! ```
//!
//! A node elsewhere, over TLS: it is believed if its certificate follows from an authority in the file (without a file, from one
//! that the system believes), and is shown a certificate if it asks for one. Nothing is sent yet:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use client::{Client, ClientError, Tls, TlsError};
//!
//! let wrong = Tls::open(Some("no-such-file.pem".as_ref()), None);
//! assert!(matches!(wrong, Err(TlsError::Read { .. })));
//! # if let Ok(tls) = Tls::open(None, None) {
//! let node = Client::with("https://ledger.example.gov.cn", &tls)?;
//! assert_eq!(node.url(), "https://ledger.example.gov.cn");
//! # }
//! assert!(matches!(Client::new("ldap://x"), Err(ClientError::Address { .. })));
//! # Ok(())
//! # }
//! ```
//!
//! What is asked and how it went is told as events of `tracing`, at `debug`: node, method, path, status, milliseconds, and the
//! request id by which the node's own log has it.
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
