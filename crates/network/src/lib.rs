//! Talk: the only crate that names libp2p.
//!
//! What it offers: [`start`], which takes a [`Config`] and returns a [`Network`] to speak through and a [`Receiver`] to
//! listen at; [`Inbound`], the three things that can be heard; [`Counters`], what went in, out and missing.
//!
//! How it talks: a full mesh of known peers over TCP, Noise and Yamux. For each peer and [`Channel`] each side opens one
//! stream of its own, on which it only speaks; a message is four bytes of length and then itself. Every queue is
//! bounded, in messages and in bytes, on both sides.
//!
//! Invariants: a peer that is not admitted is refused before it can open a stream; a message longer than its channel
//! allows is refused at its header; sending never waits; a channel that is full holds up no other channel. Messages of
//! one peer on one channel arrive in the order they were sent, but any may be lost: delivery is promised by whoever
//! repeats them, not here. A peer that says more in a channel than an honest one can need is read more slowly, in that
//! channel alone; one that goes on, or breaks the protocol, is shut out for a while, longer each time, and may come back.
//!
//! This crate never reads a message, never discovers a peer by itself, and holds no randomness but Noise's.

// What the node sees.
mod config;
mod network;

mod counters;
mod inbound;

// Who decides.
mod mesh;

// What a peer may do, and what it did.
mod allowance;
mod conduct;

// What carries a message.
mod frame;
mod incoming;
mod outgoing;

// What carries a connection.
mod behaviour;
mod door;
mod streams;
mod transport;

// What things are called, and how often they are tried.
mod name;
mod pace;

#[cfg(test)]
mod tests;

pub use config::{Bound, ByChannel, Config, Fault, Limits, Neighbour, Rate};
pub use counters::{Counters, Traffic};
pub use inbound::{Inbound, Receiver};
pub use network::{Network, start};
pub use types::net::{Channel, Peer, To};
