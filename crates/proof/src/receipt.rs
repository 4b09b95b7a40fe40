//! What a proof claims, and everything needed to check it but the trust root.

use crate::map::MapPath;
use serde::{Deserialize, Serialize};
use types::{
    AgencyCode, BlockId, Certificate, ChainId, Entry, Hash, Header, Height, Operation, PublicKey,
    Round, Signature, Subject, SubjectState, Timestamp, Validator, operation::Lot, subject::Link,
    transaction::TransactionHeader, vote,
};

/// The most claims one proof may make: a whole transaction fits.
pub const CLAIMS_MAX: usize = 1000;

/// The most changes of the committee one proof may carry. Past that, a trust root is advanced in steps.
pub const HOPS_MAX: usize = 512;

/// The most signatures one proof may ask to be verified, counted before the first is: they cost more than all the rest.
pub const SIGNATURES_MAX: usize = 512;

/// The most links of histories one proof may list.
pub const LINKS_MAX: usize = 16_384;

/// The most records one batch may show, and the most lots one upstream may reach.
pub const BATCH_MAX: usize = 1000;

/// The most steps upstream from the lot that was asked for.
pub const DEPTH_MAX: usize = 64;

/// The most agencies in one line: six levels, and what genesis may have put between them.
pub const LINE_MAX: usize = 16;

/// The most work that the authority of one file may take, counted before any of it is done.
pub const AUTHORITY_WORK_MAX: u64 = 1 << 19;

/// Claims about a ledger, as of one certified block. It does not expire, and nobody has looked at it yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// The chain it is of.
    pub chain: ChainId,
    /// Every change of the committee from the one the checker knows to the one of the block, oldest first.
    pub handover: Vec<Hop>,
    /// The block as of which it speaks.
    pub header: Header,
    /// That the committee agreed on that block.
    pub certificate: Certificate,
    /// What it claims: 1 to [`CLAIMS_MAX`].
    pub claims: Vec<Claim>,
}

/// A change of the committee: a block by whose certificate one committee hands over to the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// The last block of the old committee; it names both.
    pub header: Header,
    /// That the old committee agreed on it: a quorum of signatures and not one more.
    pub certificate: Certificate,
    /// The seats of the new committee, in order.
    pub committee: Vec<Validator>,
}

/// One thing a proof claims.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Claim {
    /// That a record is on the ledger.
    Record(Box<RecordClaim>),
    /// Where a subject stands, or that it is not on the ledger.
    Status(Box<StatusClaim>),
    /// That several records are on the ledger; what they have in common is there once.
    Records(Box<RecordsClaim>),
    /// The complete upstream of a lot: what it was made of, what that was made of, and so on to the first.
    Upstream(Box<UpstreamClaim>),
    /// That the log of an earlier block begins the log of this one.
    Consistency(Box<ConsistencyClaim>),
    /// That another block of the same height was certified too.
    Fork(Box<ForkClaim>),
    /// That a validator said two things where it may say one.
    Votes(Box<VotesClaim>),
    /// That the block is final, and nothing more: what a trust root is advanced by.
    Block,
    /// Who could sign for an agency at a height, and what it could record then.
    Authority(Box<AuthorityClaim>),
}

impl Claim {
    /// Where a subject stands, if that is what is claimed.
    #[must_use]
    pub fn status(&self) -> Option<&StatusClaim> {
        match self {
            Self::Status(claim) => Some(claim),
            Self::Record(_)
            | Self::Records(_)
            | Self::Upstream(_)
            | Self::Consistency(_)
            | Self::Fork(_)
            | Self::Votes(_)
            | Self::Block
            | Self::Authority(_) => None,
        }
    }
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

/// Records that are on the ledger, with what they share: transactions and their signatures, and the trees' nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordsClaim {
    /// The transactions that carried them, in the order in which the records first name them.
    pub transactions: Vec<SharedTransaction>,
    /// The records, by ascending position: 1 to [`BATCH_MAX`].
    pub records: Vec<SharedRecord>,
    /// What lies beside the records under the log's root, from left to right.
    pub log_nodes: Vec<Hash>,
}

/// A transaction of which one record or more is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedTransaction {
    /// What was signed.
    pub header: TransactionHeader,
    /// The agency's signature over it.
    pub signature: Signature,
    /// The block that brought it.
    pub height: Height,
    /// That block's time.
    pub time: Timestamp,
    /// What lies beside the operations shown under the root that was signed, from left to right.
    pub operation_nodes: Vec<Hash>,
}

/// A record of a batch. Its entry in the log is made of this and its transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedRecord {
    /// Its position in the log.
    pub position: u64,
    /// Which of the batch's transactions carried it.
    pub transaction: u32,
    /// Which of that transaction's operations it is.
    pub index: u32,
    /// What was recorded.
    pub operation: Operation,
}

/// A lot's complete upstream: every record of the lot, of every input of a record in which it is an output, and so on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpstreamClaim {
    /// The lot asked for.
    pub lot: Lot,
    /// Every lot reached from it, itself included, by ascending identifier: 1 to [`BATCH_MAX`].
    pub lots: Vec<LotClaim>,
    /// Every record of every one of them.
    pub records: RecordsClaim,
}

/// A lot with its complete history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LotClaim {
    /// Its state.
    pub state: SubjectState,
    /// From the state map's root to its place, root-most first.
    pub siblings: Vec<Hash>,
    /// Every record of it from the first on.
    pub history: Vec<Link>,
}

/// Who could sign for an agency at a height, and what it could record then; and the same of the file's records by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorityClaim {
    /// The agency.
    pub agency: AgencyCode,
    /// A key that could sign for it.
    pub key: Option<PublicKey>,
    /// In the block of this height, at most the one after the proof's.
    pub at: Height,
    /// The agency's state, that of the agency above it, and so on as far up as delegations come from: 1 to [`LINE_MAX`].
    pub line: Vec<AgencyState>,
}

/// An agency's state with its place in the map: keys and grants with their terms, those that ended too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgencyState {
    /// The state.
    pub state: SubjectState,
    /// From the state map's root to its place, root-most first.
    pub siblings: Vec<Hash>,
}

/// That the log of an earlier certified block begins the log of the proof's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsistencyClaim {
    /// The earlier block.
    pub header: Header,
    /// That its committee agreed on it.
    pub certificate: Certificate,
    /// The consistency proof of RFC 9162 section 2.1.4.
    pub path: Vec<Hash>,
}

/// Another certified block of the proof's height.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForkClaim {
    /// The other block.
    pub header: Header,
    /// That the same committee agreed on it, too.
    pub certificate: Certificate,
}

/// Two things a validator said where it may say one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VotesClaim {
    /// At this height, at most the proof's.
    pub height: Height,
    /// In this round.
    pub round: Round,
    /// By this seat.
    pub seat: u16,
    /// What it said.
    pub said: Said,
    /// Its signatures, of the first and of the second.
    pub signatures: (Signature, Signature),
}

/// Two different things, the lesser first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Said {
    /// Two votes of one step.
    Votes {
        /// The step.
        step: vote::Step,
        /// For what; none is nil.
        first: Option<BlockId>,
        /// And for what else.
        second: Option<BlockId>,
    },
    /// Two proposals: the block, and the earlier round in which a quorum prevoted it.
    Proposals {
        /// One.
        first: (BlockId, Option<Round>),
        /// And the other.
        second: (BlockId, Option<Round>),
    },
}

/// What format 1 could say, kept so that the proofs handed out in it are read for ever.
pub(crate) mod first {
    use super::{Claim, Proof, RecordClaim, StatusClaim};
    use serde::{Deserialize, Serialize};
    use types::{Certificate, ChainId, Header};

    #[derive(Debug, Serialize, Deserialize)]
    pub(crate) struct ProofV1 {
        chain: ChainId,
        header: Header,
        certificate: Certificate,
        claims: Vec<ClaimV1>,
    }

    #[derive(Debug, Serialize, Deserialize)]
    enum ClaimV1 {
        Record(Box<RecordClaim>),
        Status(Box<StatusClaim>),
    }

    impl From<ProofV1> for Proof {
        fn from(proof: ProofV1) -> Self {
            let ProofV1 { chain, header, certificate, claims } = proof;
            let claims = claims.into_iter().map(|claim| match claim {
                ClaimV1::Record(claim) => Claim::Record(claim),
                ClaimV1::Status(claim) => Claim::Status(claim),
            });
            Self { chain, handover: Vec::new(), header, certificate, claims: claims.collect() }
        }
    }
}
