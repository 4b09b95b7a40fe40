//! Who is spoken to and in which queue: the names that the replica and the network share.

use core::fmt;
use serde::{Deserialize, Serialize};

/// A neighbour, named by the Ed25519 public key of its transport identity (32 bytes, as in genesis).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Peer(pub [u8; 32]);

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Peer({self})")
    }
}

/// The queue a message travels in. Each has its own stream, so that none starves another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Channel {
    /// Votes, signed proposals, certificates: small, urgent, never behind anything else.
    Votes,
    /// Whole blocks under vote.
    Proposals,
    /// Transactions on their way to every pool.
    Transactions,
    /// Questions and answers of a node that is behind.
    Sync,
}

impl Channel {
    /// Every channel, most urgent first.
    pub const ALL: [Self; 4] = [Self::Votes, Self::Proposals, Self::Transactions, Self::Sync];

    /// The name used on the wire and in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Votes => "votes",
            Self::Proposals => "proposals",
            Self::Transactions => "transactions",
            Self::Sync => "sync",
        }
    }

    /// The largest frame this channel accepts, bytes.
    #[must_use]
    pub const fn frame_bytes_max(self) -> usize {
        match self {
            Self::Votes => 64 << 10,
            Self::Proposals | Self::Sync => 4 << 20,
            Self::Transactions => 2 << 20,
        }
    }
}

/// Whom a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// Every connected peer.
    Everyone,
    /// One peer.
    One(Peer),
}
