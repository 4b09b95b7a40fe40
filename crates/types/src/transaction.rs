//! Operations under one signature, each of which can be shown alone.

use crate::{
    agency::AgencyCode,
    codec::{self, Wire},
    hash::{ChainId, Hash, Purpose, RecordId, TxId, hash},
    key::{BadSignature, Domain, PublicKey, SecretKey, Signature},
    merkle::{self, TreeHash as _},
    operation::{self, Operation},
    time::Height,
};
use serde::{Deserialize, Serialize};

/// The version of the transaction format.
pub const VERSION: u16 = 1;

/// The largest encoded transaction, bytes.
pub const TRANSACTION_BYTES_MAX: usize = 1 << 20;

/// The most operations one transaction may carry.
pub const OPERATIONS_MAX: usize = 1000;

/// What is signed. The transaction's id is the hash of this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransactionHeader {
    /// The format, [`VERSION`].
    pub version: u16,
    /// The chain it is for.
    pub chain: ChainId,
    /// The agency that acts.
    pub agency: AgencyCode,
    /// The agency's key that signs.
    pub key: PublicKey,
    /// Anything; tells two transactions with the same operations apart.
    pub nonce: u64,
    /// The last height at which it may be committed.
    pub valid_until: Height,
    /// How many operations it carries.
    pub count: u32,
    /// The root over the operations.
    pub operations: Hash,
}

impl TransactionHeader {
    /// The transaction's id.
    #[must_use]
    pub fn id(&self) -> TxId {
        TxId(codec::encoded(self, |bytes| hash(Purpose::Transaction, &[bytes])))
    }

    /// Whether `signature` is the named key's, over this header.
    ///
    /// # Errors
    /// When it is not.
    pub fn check(&self, signature: &Signature) -> Result<(), BadSignature> {
        codec::encoded(self, |bytes| {
            self.key.verify(Domain::Transaction, &self.chain, bytes, signature)
        })
    }
}

/// A transaction as it travels: nobody has looked at it yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// What is signed.
    pub header: TransactionHeader,
    /// By the header's key.
    pub signature: Signature,
    /// What is to be recorded, in order.
    pub operations: Vec<Operation>,
}

impl Wire for Transaction {
    const BYTES_MAX: usize = TRANSACTION_BYTES_MAX;
}

/// Why a transaction is not even looked at by the rules of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransactionError {
    /// Another format.
    #[error("transaction format {found}; this node speaks {VERSION}")]
    Version {
        /// The format it has.
        found: u16,
    },
    /// Another chain.
    #[error("made for chain {found}, this is chain {wanted}")]
    Chain {
        /// The chain it names.
        found: ChainId,
        /// Ours.
        wanted: ChainId,
    },
    /// No operations, or more than allowed, or another number than signed.
    #[error("{found} operations; 1 to {OPERATIONS_MAX} are allowed and {signed} are signed")]
    Count {
        /// Operations carried.
        found: usize,
        /// Operations signed for.
        signed: u32,
    },
    /// The operations are not those that were signed.
    #[error("the operations are not those that were signed")]
    Operations,
    /// The signature is not the key's.
    #[error("the signature does not verify under the key {key}")]
    Signature {
        /// The key named.
        key: PublicKey,
    },
}

impl Transaction {
    /// A transaction of `operations`, signed.
    ///
    /// # Panics
    /// With more than 2³² operations.
    #[must_use]
    pub fn sign(
        chain: ChainId,
        agency: AgencyCode,
        secret: &SecretKey,
        nonce: u64,
        valid_until: Height,
        operations: Vec<Operation>,
    ) -> Self {
        let header = Self::header(chain, agency, secret.public(), nonce, valid_until, &operations);
        let signature = secret.sign(Domain::Transaction, &chain, &codec::encode(&header));
        Self { header, signature, operations }
    }

    /// What is signed of a transaction of `operations`, for whoever has the secret of `key` elsewhere.
    ///
    /// # Panics
    /// With more than 2³² operations.
    #[must_use]
    pub fn header(
        chain: ChainId,
        agency: AgencyCode,
        key: PublicKey,
        nonce: u64,
        valid_until: Height,
        operations: &[Operation],
    ) -> TransactionHeader {
        TransactionHeader {
            version: VERSION,
            chain,
            agency,
            key,
            nonce,
            valid_until,
            count: operations.len().try_into().expect("operations are counted in 32 bits"),
            operations: merkle::root::<merkle::List>(&leaves(operations)),
        }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> TxId {
        self.header.id()
    }

    /// Its records' names, in order.
    pub fn records(&self) -> impl Iterator<Item = RecordId> + '_ {
        self.operations.iter().map(|operation| operation.record(&self.header.agency))
    }

    /// The siblings that lead from operation `index` to the signed root.
    ///
    /// # Panics
    /// When there is no such operation.
    #[must_use]
    pub fn path(&self, index: usize) -> Vec<Hash> {
        merkle::path::<merkle::List>(&leaves(&self.operations), index)
    }

    /// The same transaction, known to be of `chain`, whole, and signed by the key it names.
    ///
    /// Whether that key may act for that agency is the ledger's question, not this one's.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn verify(self, chain: &ChainId) -> Result<Verified, TransactionError> {
        let records = self.whole(chain)?;
        let header = &self.header;
        header
            .check(&self.signature)
            .map_err(|BadSignature| TransactionError::Signature { key: header.key })?;
        Ok(Verified { id: self.id(), records, transaction: self })
    }

    /// The same of several, if nothing is wrong with any: their signatures are checked together, which costs less.
    ///
    /// # Errors
    /// What is wrong with the first that is not right.
    pub fn verify_all(
        transactions: Vec<Self>,
        chain: &ChainId,
    ) -> Result<Vec<Verified>, TransactionError> {
        let mut records = Vec::with_capacity(transactions.len());
        // Those before a broken one are still asked for their signatures: theirs would be the first fault.
        let broken = transactions.iter().find_map(|tx| match tx.whole(chain) {
            Ok(names) => {
                records.push(names);
                None
            }
            Err(error) => Some(error),
        });
        let signed: Vec<_> = transactions
            .iter()
            .take(records.len())
            .map(|Self { header, signature, .. }| {
                let message =
                    codec::encoded(header, |bytes| Domain::Transaction.message(chain, bytes));
                (header.key, message, *signature)
            })
            .collect();
        let good = PublicKey::verify_all(&signed);
        let all = transactions.into_iter().zip(records).zip(good);
        let verified = all.map(|((transaction, records), good)| {
            let key = transaction.header.key;
            let verified = Verified { id: transaction.id(), records, transaction };
            good.then_some(verified).ok_or(TransactionError::Signature { key })
        });
        let verified = verified.collect::<Result<_, _>>()?;
        broken.map_or(Ok(verified), Err)
    }

    /// The names of its records, if it is of `chain` and whole; whether it is signed is not asked.
    fn whole(&self, chain: &ChainId) -> Result<Vec<RecordId>, TransactionError> {
        let header = &self.header;
        if header.version != VERSION {
            return Err(TransactionError::Version { found: header.version });
        }
        if header.chain != *chain {
            return Err(TransactionError::Chain { found: header.chain, wanted: *chain });
        }
        let found = self.operations.len();
        if found == 0 || found > OPERATIONS_MAX || u32::try_from(found) != Ok(header.count) {
            return Err(TransactionError::Count { found, signed: header.count });
        }
        let (mut leaves, mut records) = (Vec::with_capacity(found), Vec::with_capacity(found));
        for operation in &self.operations {
            let (leaf, record) = codec::encoded(operation, |bytes| {
                (merkle::List::leaf(bytes), operation::record_of(bytes, &header.agency))
            });
            leaves.push(leaf);
            records.push(record);
        }
        if merkle::root::<merkle::List>(&leaves) != header.operations {
            return Err(TransactionError::Operations);
        }
        Ok(records)
    }
}

/// A transaction whose signature was checked, and the names that the check met on its way: they are asked for at each of its
/// steps. Nothing can be deserialised into it; [`Transaction::verify`] and [`Transaction::verify_all`] alone make it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    transaction: Transaction,
    id: TxId,
    records: Vec<RecordId>,
}

impl Verified {
    /// The transaction.
    #[must_use]
    pub const fn get(&self) -> &Transaction {
        &self.transaction
    }

    /// The transaction, no longer vouched for.
    #[must_use]
    pub fn into_inner(self) -> Transaction {
        self.transaction
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> TxId {
        self.id
    }

    /// Its records' names, one for each operation, in order.
    #[must_use]
    pub fn records(&self) -> &[RecordId] {
        &self.records
    }
}

/// The leaf that stands for an operation under the signed root.
#[must_use]
pub fn operation_leaf(operation: &Operation) -> Hash {
    codec::encoded(operation, merkle::List::leaf)
}

fn leaves(operations: &[Operation]) -> Vec<Hash> {
    operations.iter().map(operation_leaf).collect()
}
