//! Every reason for which the ledger refuses a transaction, each with a code that never changes.

use crate::objection::Objection;
use types::{
    AgencyCode, Height, PublicKey, Subject, Timestamp, TxId,
    agency::{Level, Region},
    bulk::{LINES_MAX, SeedUnit},
    committee::CommitteeError,
    fields::FieldName,
    item::{ELEMENTS_MAX, ListName, MEMBERS_MAX, RELATIVES_MAX, TASKS_MAX},
    operation::{Family, ItemCode, LOTS_MAX},
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
        "operation {index}: basic code {basic} is not published, or its opening entry has ended, so it cannot be exercised at {level:?} level"
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
    /// The agency may not act.
    #[error("{agency} is {status:?} and may not act")]
    Inactive {
        /// The agency.
        agency: AgencyCode,
        /// Where it stands.
        status: Status,
    },
    /// The key was the agency's, and is no longer, or not yet.
    #[error("the key {key} of {agency} does not sign at height {height}")]
    KeyTerm {
        /// The key.
        key: PublicKey,
        /// Whose it is.
        agency: AgencyCode,
        /// The next height.
        height: Height,
    },
    /// Governance does not work like this.
    #[error("operation {index}: {why}")]
    Governance {
        /// Which operation.
        index: usize,
        /// The rule.
        why: Misrule,
    },
    /// Licences, grants, data and documents are not treated like this.
    #[error("operation {index}: {why}")]
    Objection {
        /// Which operation.
        index: usize,
        /// The rule.
        why: Box<Objection>,
    },
    /// The pool holds as much as it may.
    #[error("this node holds as many unconfirmed transactions as it may; try again in a moment")]
    Full,
    /// One key may not fill the pool.
    #[error(
        "this key has as many unconfirmed transactions as there is room left for; wait for some to be committed"
    )]
    Quota,
    /// The catalogue of service items does not work like this.
    #[error("operation {index}: {why}")]
    Item {
        /// Which operation.
        index: usize,
        /// The rule.
        why: ItemFault,
    },
    /// A batch of nothing, or of too much.
    #[error(
        "operation {index}: a batch of {lines} lines; it has 1 to {LINES_MAX}, and a series no more than can be counted"
    )]
    Lines {
        /// Which operation.
        index: usize,
        /// The lines claimed.
        lines: u64,
    },
    /// Not a unit code.
    #[error("operation {index}: {unit:?} is not a unit code: it has 1 to 20 digits and letters")]
    SeedUnit {
        /// Which operation.
        index: usize,
        /// The code.
        unit: SeedUnit,
    },
    /// The permit is not valid, or another line's.
    #[error(
        "operation {index}: {permit} is not valid now, or was issued by an agency that is neither this one nor in one line with it"
    )]
    SeedPermit {
        /// Which operation.
        index: usize,
        /// The permit.
        permit: Subject,
    },
    /// A unit code is never used again.
    #[error("operation {index}: {subject} is on a pack already; a unit code is never used again")]
    SeedReused {
        /// Which operation.
        index: usize,
        /// The unit.
        subject: Subject,
    },
}

impl Rejection {
    /// The code, for ever.
    #[must_use]
    pub fn code(&self) -> &'static str {
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
            Self::Inactive { .. } => "E-AUTH-INACTIVE",
            Self::KeyTerm { .. } => "E-AUTH-TERM",
            Self::Governance { why, .. } => why.code(),
            Self::Objection { why, .. } => why.code(),
            Self::Full => "E-POOL-FULL",
            Self::Quota => "E-POOL-QUOTA",
            Self::Item { why, .. } => why.code(),
            Self::Lines { .. } => "E-BATCH-LINES",
            Self::SeedUnit { .. } => "E-SEED-UNIT",
            Self::SeedPermit { .. } => "E-SEED-PERMIT",
            Self::SeedReused { .. } => "E-SEED-REUSED",
        }
    }

    /// Whether the same transaction may succeed later, unchanged.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Full | Self::Quota)
    }
}

/// A rule of governance that an operation breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misrule {
    /// Too late.
    #[error("the proposal could be approved until height {closes}; propose it again")]
    Closed {
        /// The last height at which it could.
        closes: Height,
    },
    /// One agency, one approval.
    #[error("{agency} approves this proposal already")]
    Twice {
        /// The agency.
        agency: AgencyCode,
    },
    /// The act names something else than the proposal or the change is about.
    #[error("the change is about {subject}; name that as the target")]
    Target {
        /// What it is about.
        subject: Subject,
    },
    /// Only whoever proposed may withdraw.
    #[error("only {proposer}, which proposed it, may withdraw it")]
    Proposer {
        /// Who did.
        proposer: AgencyCode,
    },
    /// A key is used once.
    #[error("the key {key} is or was in use; make a new one")]
    KeyTaken {
        /// The key.
        key: PublicKey,
    },
    /// Not a key of that agency.
    #[error("{key} is not a key that {agency} signs with")]
    KeyUnknown {
        /// The key.
        key: PublicKey,
        /// The agency.
        agency: AgencyCode,
    },
    /// Nobody shows that they hold the key.
    #[error(
        "the signature by {key} over the agency's code does not verify on this chain; sign it with `minlian-node key possess`"
    )]
    Possession {
        /// The key.
        key: PublicKey,
    },
    /// An agency keeps at least one key.
    #[error("{agency} would have no key left; enrol another first, or suspend the agency")]
    KeyLast {
        /// The agency.
        agency: AgencyCode,
    },
    /// Too few keys, or too many.
    #[error("{found} keys; an agency has 1 to 16 at a time")]
    Keys {
        /// Keys there would be.
        found: usize,
    },
    /// There is no such grant in force, or not of this agency's making.
    #[error("{agency} holds no grant {number} that could be taken back here")]
    Grant {
        /// The agency.
        agency: AgencyCode,
        /// The number.
        number: u32,
    },
    /// A role names something, and not too much.
    #[error("a role names 1 to 64 regions, types or namespaces")]
    Scope,
    /// A grant ends in the future.
    #[error("a grant must end after the time of the last block")]
    Expiry,
    /// Governing does not run out.
    #[error("a grant to govern has no end but revocation")]
    Endless,
    /// Delegation narrows.
    #[error("{agency} may not pass on more than it may do itself")]
    Wider {
        /// The agency.
        agency: AgencyCode,
    },
    /// Delegation goes down the line, one step at a time.
    #[error("{above} is not the agency directly above {agency}")]
    Line {
        /// The lower.
        agency: AgencyCode,
        /// The higher.
        above: AgencyCode,
    },
    /// An agency is enrolled below one of a higher level.
    #[error("{above} does not stand at a higher level than {agency}")]
    Above {
        /// The lower.
        agency: AgencyCode,
        /// The higher.
        above: AgencyCode,
    },
    /// A level that the region does not have, or a region outside that of the agency above.
    #[error(
        "{agency} cannot stand at {level:?} level in region {region}: the code is not of that level, or lies outside the region of the agency above"
    )]
    Region {
        /// The agency.
        agency: AgencyCode,
        /// Its level.
        level: Level,
        /// Its region.
        region: Region,
    },
    /// No such seat.
    #[error("no validator has the key {key}")]
    SeatUnknown {
        /// The key.
        key: PublicKey,
    },
    /// It has a seat, or will.
    #[error("{agency} has a seat in the committee; it must leave that first")]
    Seated {
        /// The agency.
        agency: AgencyCode,
    },
    /// Not a committee.
    #[error("after the change there would be {why}")]
    Committee {
        /// Why not.
        why: CommitteeError,
    },
    /// More join than may be absent.
    #[error(
        "{joining} seats join, and only {faults} may be absent from the new committee; join fewer at a time"
    )]
    Newcomers {
        /// Seats that join.
        joining: usize,
        /// Seats that may be absent.
        faults: usize,
    },
    /// One change at a time.
    #[error("another committee takes over at height {at}; wait for it")]
    Pending {
        /// When.
        at: Height,
    },
    /// Nothing changes.
    #[error("no seat joins and none leaves")]
    Nothing,
    /// With this number the chain could not go on.
    #[error("{why}")]
    Parameter {
        /// Which, and what it may be.
        why: String,
    },
    /// Somebody must be able to change things.
    #[error("no agency would be left to govern")]
    Ungoverned,
    /// More than is kept of one subject, or no room left for what may have to end it.
    #[error("{subject} would take more room than a subject may, if all of it is to be ended later")]
    Size {
        /// The subject.
        subject: Subject,
    },
}

impl Misrule {
    const fn code(&self) -> &'static str {
        match self {
            Self::Closed { .. } => "E-GOV-CLOSED",
            Self::Twice { .. } => "E-GOV-TWICE",
            Self::Target { .. } => "E-GOV-TARGET",
            Self::Proposer { .. } => "E-GOV-PROPOSER",
            Self::KeyTaken { .. } => "E-GOV-KEY-TAKEN",
            Self::KeyUnknown { .. } => "E-GOV-KEY-UNKNOWN",
            Self::Possession { .. } => "E-GOV-POSSESSION",
            Self::KeyLast { .. } => "E-GOV-KEY-LAST",
            Self::Keys { .. } => "E-GOV-KEYS",
            Self::Grant { .. } => "E-GOV-GRANT",
            Self::Scope => "E-GOV-SCOPE",
            Self::Expiry => "E-GOV-EXPIRY",
            Self::Endless => "E-GOV-ENDLESS",
            Self::Wider { .. } => "E-GOV-WIDER",
            Self::Line { .. } => "E-GOV-LINE",
            Self::Above { .. } => "E-GOV-LEVEL",
            Self::Region { .. } => "E-GOV-REGION",
            Self::SeatUnknown { .. } => "E-GOV-SEAT-UNKNOWN",
            Self::Seated { .. } => "E-GOV-SEATED",
            Self::Committee { .. } => "E-GOV-COMMITTEE",
            Self::Newcomers { .. } => "E-GOV-NEWCOMERS",
            Self::Pending { .. } => "E-GOV-PENDING",
            Self::Nothing => "E-GOV-NOTHING",
            Self::Parameter { .. } => "E-GOV-PARAMETER",
            Self::Ungoverned => "E-GOV-UNGOVERNED",
            Self::Size { .. } => "E-GOV-SIZE",
        }
    }
}

/// A rule of the catalogue of service items that an operation breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ItemFault {
    /// Not the shape of a code.
    #[error(
        "{code:?} is not a code: 24 to 36 digits and capitals for an item, digits and capitals for a basic code"
    )]
    Code {
        /// What was given.
        code: String,
    },
    /// A level that the region does not have.
    #[error(
        "nothing is exercised at {level:?} level in region {region}: the code is not of that level"
    )]
    Region {
        /// The level.
        level: Level,
        /// The region.
        region: Region,
    },
    /// The end is not after the beginning.
    #[error("the end, {end}, is not after {effective_from}, from when it has effect")]
    Dates {
        /// The end.
        end: Timestamp,
        /// From when it has effect.
        effective_from: Timestamp,
    },
    /// Elements are not in order.
    #[error("a version has 1 to {ELEMENTS_MAX} elements, by ascending name, none twice")]
    Elements,
    /// A uniform element is missing.
    #[error(
        "the element {name} is uniform at all levels and is missing here; `minlian status network:elements` tells when that was decided"
    )]
    Uniform {
        /// Its name.
        name: FieldName,
    },
    /// The commitment is to other fields.
    #[error("the fields committed to are not the elements that are listed")]
    Root,
    /// Not what can be merged.
    #[error(
        "1 to {RELATIVES_MAX} items are merged, at least 2 into a new one, by ascending code, none twice"
    )]
    Predecessors,
    /// Not what can come of a split.
    #[error("an item is split into 2 to {RELATIVES_MAX} new ones, by ascending code, none twice")]
    Successors,
    /// An item does not take its own place.
    #[error("{code} cannot take its own place")]
    Itself {
        /// The item.
        code: ItemCode,
    },
    /// Not an entrustment.
    #[error(
        "1 to {TASKS_MAX} tasks are entrusted, in ascending order, none twice, to another agency"
    )]
    Entrustment,
    /// Not a list.
    #[error("a list names 1 to {MEMBERS_MAX} items, by ascending code, none twice")]
    Members,
    /// A list that is not named after its region.
    #[error(
        "“{name}” is no name for a list of region {region}: below the provinces it begins `{region}/`, and nowhere with another region"
    )]
    ListName {
        /// The name.
        name: ListName,
        /// The region.
        region: Region,
    },
}

impl ItemFault {
    const fn code(&self) -> &'static str {
        match self {
            Self::Code { .. } => "E-ITEM-CODE",
            Self::Region { .. } => "E-ITEM-REGION",
            Self::Dates { .. } => "E-ITEM-DATES",
            Self::Elements => "E-ITEM-ELEMENTS",
            Self::Uniform { .. } => "E-ITEM-UNIFORM",
            Self::Root => "E-ITEM-ROOT",
            Self::Predecessors => "E-ITEM-PREDECESSORS",
            Self::Successors => "E-ITEM-SUCCESSORS",
            Self::Itself { .. } => "E-ITEM-ITSELF",
            Self::Entrustment => "E-ITEM-ENTRUST",
            Self::Members => "E-LIST-MEMBERS",
            Self::ListName { .. } => "E-LIST-NAME",
        }
    }
}
