//! Every reason for which the ledger refuses an act on a licence, a grant, data or a document, each with its code.

use types::{
    AgencyCode, GrantId, Subject, Timestamp,
    fields::FieldName,
    identifier::LicenceIdentifierError,
    operation::LicenceType,
    privacy::Personal,
    subject::Status,
    usage::{FIELDS_MAX, Purpose, USES_MAX},
};

/// A rule of licences, grants, data and documents that an operation breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Objection {
    /// It names a person.
    #[error(
        "{at} holds what looks like {what}; nothing personal stands on the ledger in the clear: commit to it with a salt"
    )]
    Personal {
        /// A path into the operation's JSON form.
        at: &'static str,
        /// What it looks like.
        what: Personal,
    },
    /// It begins like a national identifier and is none.
    #[error("{licence} is not a licence identifier: it {why}")]
    Identifier {
        /// As given.
        licence: String,
        /// What is wrong.
        why: LicenceIdentifierError,
    },
    /// The identifier is of another type.
    #[error("the identifier is of a licence of type {named}, and the record says {kind}")]
    IdentifierKind {
        /// In the identifier.
        named: String,
        /// In the record.
        kind: LicenceType,
    },
    /// The identifier names another issuer.
    #[error(
        "the identifier names {issuer} as the issuer, and {agency} is neither that agency nor above it, nor in charge of that region"
    )]
    IdentifierIssuer {
        /// In the identifier.
        issuer: String,
        /// Who acts.
        agency: AgencyCode,
    },
    /// A licence of another type takes no licence's place.
    #[error("{subject} is of type {old}; one of type {new} cannot take its place")]
    Succession {
        /// The licence that would end.
        subject: Subject,
        /// Its type.
        old: LicenceType,
        /// The type of the new one.
        new: LicenceType,
    },
    /// What it became has effect only later, and how it stands until then the state does not say.
    #[error(
        "the last act on {subject} takes effect at {from}; until then it is neither granted, used nor cited"
    )]
    Planned {
        /// The licence or item.
        subject: Subject,
        /// From when.
        from: Timestamp,
    },
    /// The licence's time is over.
    #[error(
        "{subject} ended with {until}; {verb} is not possible after that, only to annul or cancel it"
    )]
    Expired {
        /// The licence.
        subject: Subject,
        /// When it ended.
        until: Timestamp,
        /// What was tried.
        verb: &'static str,
    },
    /// It has not run out.
    #[error("{subject} has not run out; note its end once the ledger's time is past it")]
    Unexpired {
        /// The licence.
        subject: Subject,
    },
    /// Only an annulment reaches back.
    #[error(
        "to {verb} {subject} from {from} would reach back before {since}, which only an annulment may"
    )]
    Backdated {
        /// The licence.
        subject: Subject,
        /// What was tried.
        verb: &'static str,
        /// From when.
        from: Timestamp,
        /// From when its state is, or now, if that is still to come.
        since: Timestamp,
    },
    /// What the grant or the use rests on is not valid now.
    #[error("{licence} is {why}, so it can neither be granted nor used")]
    LicenceNotLive {
        /// The licence.
        licence: Subject,
        /// In a word.
        why: String,
    },
    /// Nobody by that code may use anything.
    #[error("{agency} is not an agency that may act on this chain")]
    Party {
        /// The agency.
        agency: AgencyCode,
    },
    /// The fields are not a list with a meaning.
    #[error(
        "fields are named ascending, none twice, at most {FIELDS_MAX}; a grant names at least one"
    )]
    FieldList,
    /// A grant that allows nothing, or too much.
    #[error("a grant allows 1 to {USES_MAX} uses")]
    UsesBound,
    /// A grant that would be over before it is made.
    #[error("the grant would expire at {expires}, which is not after {after}")]
    GrantOver {
        /// When.
        expires: Timestamp,
        /// What it must be after.
        after: Timestamp,
    },
    /// Without a grant there is no use.
    #[error("there is no grant {grant} on the ledger; nothing is used without one")]
    NoGrant {
        /// As named.
        grant: GrantId,
    },
    /// It was taken back.
    #[error("the grant {grant} was taken back")]
    GrantWithdrawn {
        /// The grant.
        grant: GrantId,
    },
    /// It is past.
    #[error("the grant {grant} expired at {expires}; ask the holder for another")]
    GrantExpired {
        /// The grant.
        grant: GrantId,
        /// When.
        expires: Timestamp,
    },
    /// It is used up.
    #[error("the grant {grant} was used {uses} times, which is all that it allows")]
    GrantSpent {
        /// The grant.
        grant: GrantId,
        /// How often.
        uses: u32,
    },
    /// It is someone else's.
    #[error("the grant {grant} is to {grantee}, and {agency} is another agency")]
    Grantee {
        /// The grant.
        grant: GrantId,
        /// To whom it is.
        grantee: AgencyCode,
        /// Who acts.
        agency: AgencyCode,
    },
    /// It is for something else.
    #[error("the grant {grant} is for “{granted}”, not for “{purpose}”")]
    Purpose {
        /// The grant.
        grant: GrantId,
        /// What it is for.
        granted: Purpose,
        /// What it was used for.
        purpose: Purpose,
    },
    /// It is of other fields.
    #[error("the grant {grant} does not let the field “{field}” be used")]
    Field {
        /// The grant.
        grant: GrantId,
        /// The field.
        field: FieldName,
    },
    /// It is of another licence.
    #[error("the grant {grant} is of {granted}, not of {named}")]
    GrantOf {
        /// The grant.
        grant: GrantId,
        /// What it is of.
        granted: Subject,
        /// What was named.
        named: String,
    },
    /// The use was made when the grant did not hold.
    #[error("the use was made at {made_at}, before the grant {grant} took effect at {from}")]
    Early {
        /// The grant.
        grant: GrantId,
        /// When it was made.
        made_at: Timestamp,
        /// From when the grant holds.
        from: Timestamp,
    },
    /// It is said to have been done at a time that has not come.
    #[error("it would have been done at {made_at}, and the ledger's time is {now}")]
    Unmade {
        /// When it is said to have been done.
        made_at: Timestamp,
        /// The ledger's time.
        now: Timestamp,
    },
    /// A copy that was to be destroyed before it was made.
    #[error("the copy could be kept until {until}, and was made at {made_at}")]
    Copy {
        /// Until when.
        until: Timestamp,
        /// When it was made.
        made_at: Timestamp,
    },
    /// The name of the data does not say whose it is.
    #[error(
        "“{name}” does not say whose data it is; name it licence:ID, item:ID, lot:ID, or OWNER-CODE/NAME"
    )]
    DataName {
        /// The name.
        name: String,
    },
    /// There is nothing of which this would be the data.
    #[error("{what} is not on the ledger, so it has no data")]
    DataUnknown {
        /// Of what.
        what: String,
    },
    /// It is no more.
    #[error("{data} was destroyed")]
    DataGone {
        /// The data.
        data: Subject,
    },
    /// Data is destroyed by its owner.
    #[error("{data} belongs to {owner}; only that agency or one above it may destroy it")]
    DataOwner {
        /// The data.
        data: Subject,
        /// Whose it is.
        owner: AgencyCode,
    },
    /// Data of a licence is used by its owner's line, under a grant, or with a role that covers the licence.
    #[error(
        "{data} belongs to {owner}; another agency needs a grant of that licence, or a role that covers it"
    )]
    DataForeign {
        /// The data.
        data: Subject,
        /// Whose it is.
        owner: AgencyCode,
    },
    /// Nobody hands anything to themselves.
    #[error("{agency} cannot hand data to itself")]
    DataItself {
        /// The agency.
        agency: AgencyCode,
    },
    /// A grant of a licence is no right to anything but that licence.
    #[error("the basis does not cover this: {why}")]
    BasisScope {
        /// Why.
        why: &'static str,
    },
    /// The basis is not on the ledger.
    #[error("the basis {basis} is not on the ledger")]
    NoBasis {
        /// As named.
        basis: String,
    },
    /// The basis is not live.
    #[error("the basis {basis} is {why}; what is used needs a basis that is live")]
    BasisOver {
        /// As named.
        basis: String,
        /// In a word.
        why: String,
    },
    /// The document is not to be used any more.
    #[error("{document} is {status:?} and not to be used any more")]
    DocumentRetired {
        /// The document.
        document: Subject,
        /// Where it stands.
        status: Status,
    },
}

impl Objection {
    /// The code, for ever.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Personal { .. } => "E-REC-PERSONAL",
            Self::Identifier { .. } => "E-LIC-ID",
            Self::IdentifierKind { .. } => "E-LIC-KIND",
            Self::IdentifierIssuer { .. } => "E-LIC-ISSUER",
            Self::Succession { .. } => "E-LIC-SUCCESSION",
            Self::Planned { .. } => "E-USE-PLANNED",
            Self::Expired { .. } => "E-LIC-EXPIRED",
            Self::Unexpired { .. } => "E-LIC-UNEXPIRED",
            Self::Backdated { .. } => "E-LIC-BACKDATED",
            Self::LicenceNotLive { .. } => "E-GRANT-LICENCE",
            Self::Party { .. } => "E-USE-PARTY",
            Self::FieldList => "E-USE-FIELD-LIST",
            Self::UsesBound => "E-GRANT-USES",
            Self::GrantOver { .. } => "E-GRANT-EXPIRY",
            Self::NoGrant { .. } => "E-GRANT-UNKNOWN",
            Self::GrantWithdrawn { .. } => "E-GRANT-WITHDRAWN",
            Self::GrantExpired { .. } => "E-GRANT-EXPIRED",
            Self::GrantSpent { .. } => "E-GRANT-SPENT",
            Self::Grantee { .. } => "E-GRANT-GRANTEE",
            Self::Purpose { .. } => "E-GRANT-PURPOSE",
            Self::Field { .. } => "E-GRANT-FIELD",
            Self::GrantOf { .. } => "E-GRANT-OF",
            Self::Early { .. } => "E-GRANT-EARLY",
            Self::Unmade { .. } => "E-USE-UNMADE",
            Self::Copy { .. } => "E-USE-COPY",
            Self::DataName { .. } => "E-DATA-NAME",
            Self::DataUnknown { .. } => "E-DATA-UNKNOWN",
            Self::DataGone { .. } => "E-DATA-GONE",
            Self::DataOwner { .. } => "E-DATA-OWNER",
            Self::DataForeign { .. } => "E-DATA-FOREIGN",
            Self::DataItself { .. } => "E-DATA-ITSELF",
            Self::BasisScope { .. } => "E-BASIS-SCOPE",
            Self::NoBasis { .. } => "E-BASIS-UNKNOWN",
            Self::BasisOver { .. } => "E-BASIS-OVER",
            Self::DocumentRetired { .. } => "E-DOC-RETIRED",
        }
    }
}
