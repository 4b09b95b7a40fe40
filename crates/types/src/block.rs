//! What the committee agrees on: transactions in order, and what the ledger is after them.

use crate::{
    codec::{self, Wire},
    committee::{Certificate, CertificateError, Committee},
    hash::{BlockId, ChainId, Hash, Purpose, RecordId, TxId, hash},
    merkle::{self, TreeHash as _},
    time::{Height, Timestamp},
    transaction::Transaction,
};
use serde::{Deserialize, Serialize};

/// The version of the block format.
pub const VERSION: u16 = 1;

/// The largest encoded block, bytes.
pub const BLOCK_BYTES_MAX: usize = 4 << 20;

/// What validators sign. Log and state are *after* the block, so its certificate proves the state at its own height.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The format, [`VERSION`].
    pub version: u16,
    /// The chain.
    pub chain: ChainId,
    /// The height.
    pub height: Height,
    /// When it was proposed, later than its parent.
    pub time: Timestamp,
    /// The seat that built it.
    pub proposer: u16,
    /// The block before it; zeros after genesis.
    pub parent: BlockId,
    /// The root over its transactions' ids.
    pub payload: Hash,
    /// How many records the history log holds after it.
    pub log_size: u64,
    /// The log's RFC 6962 root after it.
    pub log_root: Hash,
    /// The state map's root after it.
    pub state_root: Hash,
    /// The committee that certifies it.
    pub committee: Hash,
    /// The committee that certifies the next one.
    pub next_committee: Hash,
}

impl Wire for Header {
    const BYTES_MAX: usize = 512;
}

impl Header {
    /// The block's name.
    #[must_use]
    pub fn id(&self) -> BlockId {
        BlockId(codec::encoded(self, |bytes| hash(Purpose::Block, &[bytes])))
    }
}

/// A block as it travels: nobody has looked at it yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// What is signed.
    pub header: Header,
    /// The transactions, in order.
    pub transactions: Vec<Transaction>,
}

impl Wire for Block {
    const BYTES_MAX: usize = BLOCK_BYTES_MAX;
}

impl Wire for Vec<Transaction> {
    const BYTES_MAX: usize = BLOCK_BYTES_MAX;
}

impl Block {
    /// Its name.
    #[must_use]
    pub fn id(&self) -> BlockId {
        self.header.id()
    }

    /// The root that a header of these transactions must carry.
    #[must_use]
    pub fn payload<'t>(transactions: impl IntoIterator<Item = &'t Transaction>) -> Hash {
        let leaves: Vec<Hash> =
            transactions.into_iter().map(|tx| merkle::List::leaf(tx.id().as_bytes())).collect();
        merkle::root::<merkle::List>(&leaves)
    }
}

/// A block with the certificate that it was agreed on. Only the check makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certified {
    block: Block,
    certificate: Certificate,
}

/// Why a block is not certified by a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertifiedError {
    /// The certificate is for something else.
    #[error("the certificate is for another block")]
    Other,
    /// The transactions are not those of the header.
    #[error("the transactions are not those the header commits to")]
    Payload,
    /// The block is of another chain or committee.
    #[error("the header names another chain or committee")]
    Foreign,
    /// The certificate does not hold.
    #[error("certificate: {0}")]
    Certificate(#[from] CertificateError),
}

impl Certified {
    /// The block, certified.
    ///
    /// # Errors
    /// When the certificate is not for this very block, or does not hold.
    pub fn verify(
        block: Block,
        certificate: Certificate,
        chain: &ChainId,
        committee: &Committee,
    ) -> Result<Self, CertifiedError> {
        if certificate.block != block.id() || certificate.height != block.header.height {
            return Err(CertifiedError::Other);
        }
        if block.header.chain != *chain || block.header.committee != committee.digest() {
            return Err(CertifiedError::Foreign);
        }
        if Block::payload(&block.transactions) != block.header.payload {
            return Err(CertifiedError::Payload);
        }
        certificate.verify(chain, committee)?;
        Ok(Self { block, certificate })
    }

    /// The block.
    #[must_use]
    pub const fn block(&self) -> &Block {
        &self.block
    }

    /// Its certificate.
    #[must_use]
    pub const fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Its height.
    #[must_use]
    pub const fn height(&self) -> Height {
        self.block.header.height
    }
}

/// A leaf of the history log: which record stands at which place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its index in the log, from 0.
    pub position: u64,
    /// The block that brought it.
    pub height: Height,
    /// That block's time.
    pub time: Timestamp,
    /// The transaction that carried it.
    pub tx: TxId,
    /// Which of the transaction's operations it is.
    pub index: u32,
    /// The record.
    pub record: RecordId,
}

impl Wire for Entry {
    const BYTES_MAX: usize = 128;
}

impl Entry {
    /// Its leaf hash in the log.
    #[must_use]
    pub fn leaf(&self) -> Hash {
        codec::encoded(self, merkle::Rfc6962::leaf)
    }
}
