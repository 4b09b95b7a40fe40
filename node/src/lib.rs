//! The hands: runtime, clock, sockets, flags, HTTP API, metrics; the command of operators.
//!
//! What it offers: [`run::run`], a validator as one process; [`testnet`], a network of them on one machine; [`cli`], the
//! command `minlian-node`.
//!
//! It performs what [`replica::Replica`] wants, in order, and decides nothing: no rule of the ledger is here.

pub mod api;
pub mod bundle;
pub mod cli;
pub mod clock;
pub mod doctor;
pub mod evidence;
pub mod fsck;
pub mod gateway;
pub mod genesis;
pub mod health;
pub mod home;
pub mod join;
pub mod keeping;
pub mod keys;
pub mod layers;
pub mod logs;
pub mod metrics;
pub mod room;
pub mod run;
pub mod shell;
pub mod signer;
pub mod signstate;
pub mod snapshot;
pub mod testnet;
pub mod tls;
pub mod watch;
