//! What the operator and the chain decide: who we are, whom we know, and how much of anything we will hold.

use core::fmt;
use std::{error::Error, io, net::SocketAddr, time::Duration};

use types::net::{Channel, Peer};

/// Everything [`start`](crate::start) needs.
pub struct Config {
    /// The Ed25519 seed of our transport identity. It is never printed.
    pub secret: [u8; 32],
    /// The chain we serve. A peer that serves another one shares no stream name with us.
    pub chain_id: [u8; 32],
    /// Where to listen; port 0 lets the system choose.
    pub listen: Vec<SocketAddr>,
    /// Who may connect, and where to find them. Ourselves among them is harmless.
    pub peers: Vec<Neighbour>,
    /// How much of anything we will hold.
    pub limits: Limits,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("listen", &self.listen)
            .field("peers", &self.peers)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// A peer we admit, and where to find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Its transport key.
    pub peer: Peer,
    /// Where it listens. Without an address it is admitted, but never dialled.
    pub addresses: Vec<SocketAddr>,
}

/// How much of anything we will hold, and how long we will wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections that have not finished their handshake. Addresses of no known peer share half of them, so that a
    /// flood from anywhere else leaves room for the committee.
    pub pending_incoming: u32,
    /// The same, for one address (one /64 in IPv6) of no known peer.
    pub pending_incoming_per_address: u32,
    /// The same, for one address of known peers: whoever shares an address with one peer cannot lock out the others.
    pub pending_incoming_per_known_address: u32,
    /// Connections with one peer. Two, because both sides may dial at the same moment.
    pub established_per_peer: u32,
    /// Connections with all peers together.
    pub established_total: u32,
    /// The most descriptors of the process that may be in use when a connection is let in; more are for the node's files,
    /// which it must be able to open at any time. None if there is no limit.
    pub descriptors: Option<u32>,
    /// Streams on one connection, both directions together.
    pub streams_per_connection: usize,
    /// What may wait for one peer in each channel. Beyond it, new messages are dropped and counted.
    pub outgoing: ByChannel<Bound>,
    /// What may wait for the node in each channel, from all peers together. Beyond it, peers wait.
    pub incoming: ByChannel<Bound>,
    /// What one peer may say in each channel, on average and at once. Who says more is read more slowly.
    pub rates: ByChannel<Rate>,
    /// How long a peer may say more than it may, without a pause, before that is a flood and it is shut out. Too many
    /// transactions are told after as long, but an honest peer's applications may bring them, so it is only slowed.
    pub flood_max: Duration,
    /// How many offences that the node reports are borne with. One is forgotten every `offence_forgotten`.
    pub offences_max: u32,
    /// After how long one offence is forgotten.
    pub offence_forgotten: Duration,
    /// How long a peer is shut out the first time. It doubles with each time.
    pub penalty_min: Duration,
    /// The longest a peer is shut out. A validator that was mended must come back by itself.
    pub penalty_max: Duration,
    /// After how long without a penalty the next one is again the shortest.
    pub penalty_forgotten: Duration,
    /// How long a handshake may take.
    pub handshake: Duration,
    /// How long a write may stand still before the peer is disconnected; long messages get a little more.
    pub write_deadline: Duration,
    /// The pause between two pings.
    pub ping_interval: Duration,
    /// How long a connection may bring nothing, not even the answer to a ping, before it is closed.
    pub silence_max: Duration,
    /// The pause after the first failed dial; it doubles with each failure.
    pub dial_backoff_min: Duration,
    /// The longest pause between two dials.
    pub dial_backoff_max: Duration,
    /// How long the side with the greater key lets the other one dial first.
    pub dial_courtesy: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            pending_incoming: 32,
            pending_incoming_per_address: 4,
            pending_incoming_per_known_address: 8,
            established_per_peer: 2,
            established_total: 64,
            descriptors: None,
            streams_per_connection: 32,
            outgoing: ByChannel {
                votes: Bound { messages: 4096, bytes: 4 << 20 },
                proposals: Bound { messages: 16, bytes: 16 << 20 },
                transactions: Bound { messages: 1024, bytes: 8 << 20 },
                sync: Bound { messages: 64, bytes: 16 << 20 },
            },
            incoming: ByChannel {
                votes: Bound { messages: 8192, bytes: 8 << 20 },
                proposals: Bound { messages: 64, bytes: 32 << 20 },
                transactions: Bound { messages: 2048, bytes: 16 << 20 },
                sync: Bound { messages: 64, bytes: 16 << 20 },
            },
            // A peer speaks for itself, and passes nothing on unasked: in a round it says a proposal, two votes and a
            // certificate, so this is 512 rounds a second, several times what disks allow; a body for every fourth of
            // them; several times the transactions that were ever committed in a second, though all came in at one
            // validator; and the questions and answers of a neighbour that fetches blocks one answer after the other.
            rates: ByChannel {
                votes: Rate {
                    messages: 2048,
                    messages_burst: 1024,
                    bytes: 2 << 20,
                    bytes_burst: 2 << 20,
                },
                proposals: Rate {
                    messages: 128,
                    messages_burst: 64,
                    bytes: 4 << 20,
                    bytes_burst: 16 << 20,
                },
                transactions: Rate {
                    messages: 16_384,
                    messages_burst: 8192,
                    bytes: 6 << 20,
                    bytes_burst: 8 << 20,
                },
                sync: Rate {
                    messages: 64,
                    messages_burst: 64,
                    bytes: 32 << 20,
                    bytes_burst: 32 << 20,
                },
            },
            flood_max: Duration::from_secs(10),
            offences_max: 8,
            offence_forgotten: Duration::from_secs(10),
            penalty_min: Duration::from_secs(1),
            penalty_max: Duration::from_secs(60),
            penalty_forgotten: Duration::from_secs(600),
            handshake: Duration::from_secs(5),
            write_deadline: Duration::from_secs(10),
            ping_interval: Duration::from_secs(2),
            silence_max: Duration::from_secs(6),
            dial_backoff_min: Duration::from_millis(200),
            // What a partition adds to an outage when it heals.
            dial_backoff_max: Duration::from_secs(2),
            dial_courtesy: Duration::from_secs(1),
        }
    }
}

/// The size of a queue. Both bounds hold; a queue always has room for one message of its channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// How many messages.
    pub messages: usize,
    /// How many bytes they may have together.
    pub bytes: usize,
}

/// What one peer may say in one channel. Both bounds hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many messages a second, on average. Not zero.
    pub messages: u32,
    /// How many messages at once, after a pause.
    pub messages_burst: u32,
    /// How many bytes a second, on average. Not zero.
    pub bytes: u32,
    /// How many bytes at once, after a pause.
    pub bytes_burst: u32,
}

/// One `T` for each channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByChannel<T> {
    /// For [`Channel::Votes`].
    pub votes: T,
    /// For [`Channel::Proposals`].
    pub proposals: T,
    /// For [`Channel::Transactions`].
    pub transactions: T,
    /// For [`Channel::Sync`].
    pub sync: T,
}

impl<T> ByChannel<T> {
    /// Asks `make` once for each channel.
    pub fn each(mut make: impl FnMut(Channel) -> T) -> Self {
        Self {
            votes: make(Channel::Votes),
            proposals: make(Channel::Proposals),
            transactions: make(Channel::Transactions),
            sync: make(Channel::Sync),
        }
    }

    /// The one for `channel`.
    pub const fn of(&self, channel: Channel) -> &T {
        match channel {
            Channel::Votes => &self.votes,
            Channel::Proposals => &self.proposals,
            Channel::Transactions => &self.transactions,
            Channel::Sync => &self.sync,
        }
    }

    /// The one for `channel`, to change.
    pub const fn of_mut(&mut self, channel: Channel) -> &mut T {
        match channel {
            Channel::Votes => &mut self.votes,
            Channel::Proposals => &mut self.proposals,
            Channel::Transactions => &mut self.transactions,
            Channel::Sync => &mut self.sync,
        }
    }
}

/// Why we cannot talk at all. What a peer does wrong is never a fault; it is counted.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The system does not let us listen.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where we tried.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The transport identity cannot be used.
    #[error("the transport key cannot be used")]
    Key {
        /// What the handshake said about it.
        source: Box<dyn Error + Send + Sync>,
    },
    /// There is no runtime to run on.
    #[error("the network must be started inside a tokio runtime")]
    Runtime {
        /// What the runtime said.
        source: tokio::runtime::TryCurrentError,
    },
}
