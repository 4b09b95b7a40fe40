//! Every reason for which the ledger refuses a transaction, each with a code that never changes.

use types::{
    AgencyCode, Height, PublicKey, Subject, TxId,
    agency::Level,
    operation::{Family, LOTS_MAX},
    subject::Status,
    transaction::TransactionError,
};

/// Somebody else's mistake: enumerated, counted, answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// It is not a transaction for this chain at all.
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    /// No block could ever hold it.
    #[error("{bytes} bytes and {operations} operations; no block of this chain holds so much")]
    Size {
        /// Its bytes.
        bytes: usize,
        /// Its operations.
        operations: usize,
    },
    /// Its deadline has passed.
    #[error(
        "valid until height {valid_until}, and the next height is {next}; sign it again with a later deadline"
    )]
    Expired {
        /// Its deadline.
        valid_until: Height,
        /// The next height.
        next: Height,
    },
    /// Its deadline is further ahead than genesis allows.
    #[error("valid until height {valid_until}, but at most {max} may be asked for now")]
    Horizon {
        /// Its deadline.
        valid_until: Height,
        /// The furthest deadline allowed.
        max: Height,
    },
    /// This very transaction is committed.
    #[error("transaction {0} is already committed")]
    Committed(TxId),
    /// Every record in it is on the ledger.
    #[error("every record of this transaction is already on the ledger")]
    Recorded,
    /// The key is nobody's.
    #[error("the key {0} is not enrolled")]
    UnknownKey(PublicKey),
    /// The key is somebody else's.
    #[error("the key {key} is enrolled for {owner}, not for {claimed}")]
    ForeignKey {
        /// The key.
        key: PublicKey,
        /// Whose it is.
        owner: AgencyCode,
        /// Whose it was said to be.
        claimed: AgencyCode,
    },
    /// No role of the agency covers what it wants to do.
    #[error("operation {index}: no {family:?} role of {agency} covers {what}")]
    Role {
        /// Which operation.
        index: usize,
        /// The agency.
        agency: AgencyCode,
        /// The family of role that is needed.
        family: Family,
        /// What it would have to cover.
        what: String,
    },
    /// The subject belongs to an agency that is neither this one nor below it.
    #[error(
        "operation {index}: {subject} belongs to {owner}; {agency} is neither that agency nor above it"
    )]
    Owner {
        /// Which operation.
        index: usize,
        /// The subject.
        subject: Subject,
        /// Whose it is.
        owner: AgencyCode,
        /// Who tried.
        agency: AgencyCode,
    },
    /// There is such a subject already.
    #[error("operation {index}: {subject} already exists, and is {status:?}")]
    Exists {
        /// Which operation.
        index: usize,
        /// The subject.
        subject: Subject,
        /// Where it stands.
        status: Status,
    },
    /// There is no such subject.
    #[error("operation {index}: {subject} is not on the ledger")]
    Unknown {
        /// Which operation.
        index: usize,
        /// The subject.
        subject: Subject,
    },
    /// The subject's life is over.
    #[error("operation {index}: {subject} is {status:?}, which is final")]
    Terminal {
        /// Which operation.
        index: usize,
        /// The subject.
        subject: Subject,
        /// Where it stands.
        status: Status,
    },
    /// The subject is not in a state from which this is possible.
    #[error("operation {index}: {subject} is {status:?}; {verb} is not possible from there")]
    Status {
        /// Which operation.
        index: usize,
        /// The subject.
        subject: Subject,
        /// Where it stands.
        status: Status,
        /// What was tried.
        verb: &'static str,
    },
    /// Versions are consecutive.
    #[error("operation {index}: version {found} of {subject}, where version {wanted} is next")]
    Version {
        /// Which operation.
        index: usize,
        /// The subject.
        subject: Subject,
        /// The version given.
        found: u32,
        /// The version due.
        wanted: u32,
    },
    /// A lower level may exist only under a published basic code.
    #[error(
        "operation {index}: basic code {basic} is not published, so it cannot be exercised at {level:?} level"
    )]
    Level {
        /// Which operation.
        index: usize,
        /// The basic code.
        basic: String,
        /// The level.
        level: Level,
    },
    /// An item does not change its basic code, level or region.
    #[error("operation {index}: the basic code, level or region differs from that of {subject}")]
    Identity {
        /// Which operation.
        index: usize,
        /// The subject.
        subject: Subject,
    },
    /// A licence must end after it begins.
    #[error("operation {index}: {subject} would end before it begins")]
    Validity {
        /// Which operation.
        index: usize,
        /// The subject.
        subject: Subject,
    },
    /// A licence does not take its own place.
    #[error("operation {index}: {subject} cannot supersede itself")]
    Itself {
        /// Which operation.
        index: usize,
        /// The subject.
        subject: Subject,
    },
    /// Lots are sorted, at most so many, none twice in the same part.
    #[error("operation {index}: lots must be sorted, without repetition, and at most {LOTS_MAX}")]
    Lots {
        /// Which operation.
        index: usize,
    },
    /// The pool holds as much as it may.
    #[error("this node holds as many unconfirmed transactions as it may; try again in a moment")]
    Full,
    /// One key may not fill the pool.
    #[error(
        "this key has as many unconfirmed transactions as it may; wait for some to be committed"
    )]
    Quota,
}

impl Rejection {
    /// The code, for ever.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Transaction(TransactionError::Version { .. }) => "E-TX-VERSION",
            Self::Transaction(TransactionError::Chain { .. }) => "E-TX-CHAIN",
            Self::Transaction(TransactionError::Count { .. }) => "E-TX-COUNT",
            Self::Transaction(TransactionError::Operations) => "E-TX-OPERATIONS",
            Self::Transaction(TransactionError::Signature { .. }) => "E-TX-SIGNATURE",
            Self::Size { .. } => "E-TX-SIZE",
            Self::Expired { .. } => "E-TX-EXPIRED",
            Self::Horizon { .. } => "E-TX-HORIZON",
            Self::Committed(_) => "E-TX-COMMITTED",
            Self::Recorded => "E-REC-RECORDED",
            Self::UnknownKey(_) => "E-AUTH-KEY",
            Self::ForeignKey { .. } => "E-AUTH-AGENCY",
            Self::Role { .. } => "E-AUTH-ROLE",
            Self::Owner { .. } => "E-AUTH-OWNER",
            Self::Exists { .. } => "E-SUB-EXISTS",
            Self::Unknown { .. } => "E-SUB-UNKNOWN",
            Self::Terminal { .. } => "E-SUB-TERMINAL",
            Self::Status { .. } => "E-SUB-STATUS",
            Self::Version { .. } => "E-ITEM-VERSION",
            Self::Level { .. } => "E-ITEM-LEVEL",
            Self::Identity { .. } => "E-ITEM-IDENTITY",
            Self::Validity { .. } => "E-LIC-VALIDITY",
            Self::Itself { .. } => "E-LIC-ITSELF",
            Self::Lots { .. } => "E-TRACE-LOTS",
            Self::Full => "E-POOL-FULL",
            Self::Quota => "E-POOL-QUOTA",
        }
    }

    /// Whether the same transaction may succeed later, unchanged.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Full | Self::Quota)
    }
}
