//! What a proof claims, and everything needed to check it but the trust root.

use crate::map::MapPath;
use serde::{Deserialize, Serialize};
use types::{
    Certificate, ChainId, Entry, Hash, Header, Operation, Signature, Subject, SubjectState,
    subject::Link, transaction::TransactionHeader,
};

/// The most claims one proof may make: a whole transaction fits.
pub const CLAIMS_MAX: usize = 1000;

/// Claims about a ledger, as of one certified block. It does not expire, and nobody has looked at it yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// The chain it is of.
    pub chain: ChainId,
    /// The block as of which it speaks.
    pub header: Header,
    /// That the committee agreed on that block.
    pub certificate: Certificate,
    /// What it claims: 1 to [`CLAIMS_MAX`].
    pub claims: Vec<Claim>,
}

/// One thing a proof claims.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Claim {
    /// That a record is on the ledger.
    Record(Box<RecordClaim>),
    /// Where a subject stands, or that it is not on the ledger.
    Status(Box<StatusClaim>),
}

/// That an operation was signed by an agency and recorded at a place in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordClaim {
    /// The record's entry in the log; its block may be an earlier one than the proof's.
    pub entry: Entry,
    /// From the entry up to the log's root, nearest first.
    pub log_path: Vec<Hash>,
    /// The transaction that carried it.
    pub transaction: TransactionHeader,
    /// The agency's signature over the transaction.
    pub signature: Signature,
    /// What was recorded.
    pub operation: Operation,
    /// From the operation up to the root that was signed, nearest first.
    pub operation_path: Vec<Hash>,
}

/// Where a subject stands after the proof's block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusClaim {
    /// The subject asked for.
    pub subject: Subject,
    /// Its state; none claims that it is not on the ledger.
    pub state: Option<SubjectState>,
    /// From the state map's root to the subject's place.
    pub path: MapPath,
    /// Every record of the subject from the first on, if they are to be shown complete. An absent subject has none.
    pub history: Option<Vec<Link>>,
}
