//! Bytes become values, once: what neighbours say, and what we wrote to ourselves.

use crate::serve::Question;
use consensus::Entry;
use serde::{Deserialize, Serialize};
use types::{
    Block, Certificate, ChainId, Height, Round, Timestamp, Transaction, Verified,
    block::BLOCK_BYTES_MAX,
    codec::{self, CodecError, Wire},
    net::Channel,
    transaction::{TRANSACTION_BYTES_MAX, TransactionError},
    vote::Message,
};

/// What is said in the votes' queue.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Frame {
    Message(Message),
    /// The height of the speaker's last block, and what its clock says.
    Status(Height, Timestamp),
}

impl Wire for Frame {
    const BYTES_MAX: usize = Message::BYTES_MAX + 4;
}

/// What is said in the sync queue.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum SyncFrame {
    Ask(Question),
    /// The blocks from this height on, as asked; or none, from a later height than asked: what is below it was dropped by the
    /// speaker's retention.
    Tell(Height, Vec<(Block, Certificate)>),
}

impl Wire for SyncFrame {
    const BYTES_MAX: usize = BLOCK_BYTES_MAX;
}

#[derive(Debug, Serialize, Deserialize)]
struct TransactionsFrame(Vec<Transaction>);

impl Wire for TransactionsFrame {
    const BYTES_MAX: usize = TRANSACTION_BYTES_MAX + 64;
}

/// What is written to the journal.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Record {
    Entry(Entry),
    /// A block we may vote for, and the round it was proposed in: if every validator restarts, somebody must have it.
    Block(Round, Block),
}

/// A [`Record`] that is only written: the same bytes, and nothing is copied for them.
#[derive(Debug, Serialize)]
pub(crate) enum Remembered<'a> {
    #[expect(dead_code, reason = "it keeps the place of the record's other form")]
    Entry(&'a Entry),
    Block(Round, &'a Block),
}

impl Wire for Record {
    const BYTES_MAX: usize = BLOCK_BYTES_MAX + 64;
}

/// What a neighbour said, decoded; transactions with their signatures checked.
#[derive(Clone, Debug)]
pub enum Received {
    /// Of the vote under way.
    Message(Message),
    /// How far it is, and what its clock says, so it says.
    Status(Height, Timestamp),
    /// A block under vote.
    Block(Box<Block>),
    /// Transactions for the pool.
    Transactions(Vec<Verified>),
    /// It wants blocks.
    Ask(Question),
    /// Blocks we wanted from this height on, with their certificates, unchecked.
    Tell(Height, Vec<(Block, Certificate)>),
}

/// How a neighbour broke the protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Offence {
    /// Bytes that are no message.
    #[error("{channel} frame: {error}")]
    Bytes {
        /// The queue they came in.
        channel: &'static str,
        /// What is wrong.
        error: CodecError,
    },
    /// A transaction that no honest node would pass on.
    #[error("transaction: {0}")]
    Transaction(TransactionError),
    /// A block that does not follow from the chain.
    #[error("block at height {height}: {reason}")]
    Block {
        /// Its height.
        height: Height,
        /// What is wrong.
        reason: String,
    },
    /// Blocks without the certificates that would make them facts, or not those asked for.
    #[error("catch-up answer: {0}")]
    CatchUp(String),
    /// No answer in time.
    #[error("no answer to a catch-up question in time")]
    Silence,
}

/// What `bytes` in a queue say. Stateless, so it may run on any thread, before [`crate::Replica::step`].
///
/// # Errors
/// The way in which they are not an honest node's bytes.
pub fn receive(chain: &ChainId, channel: Channel, bytes: &[u8]) -> Result<Received, Offence> {
    let malformed = |error| Offence::Bytes { channel: channel.name(), error };
    Ok(match channel {
        Channel::Votes => match codec::decode(bytes).map_err(malformed)? {
            Frame::Message(message) => Received::Message(message),
            Frame::Status(height, time) => Received::Status(height, time),
        },
        Channel::Proposals => Received::Block(Box::new(codec::decode(bytes).map_err(malformed)?)),
        Channel::Transactions => {
            let TransactionsFrame(txs) = codec::decode(bytes).map_err(malformed)?;
            let verified = Transaction::verify_all(txs, chain);
            Received::Transactions(verified.map_err(Offence::Transaction)?)
        }
        Channel::Sync => match codec::decode(bytes).map_err(malformed)? {
            SyncFrame::Ask(question) => Received::Ask(question),
            SyncFrame::Tell(from, blocks) => Received::Tell(from, blocks),
        },
    })
}
