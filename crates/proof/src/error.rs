//! Why a proof proves nothing: every reason, with a code that never changes.

use crate::{
    file::PROOF_BYTES_MAX,
    log::LogError,
    map::MapError,
    receipt::{
        AUTHORITY_WORK_MAX, BATCH_MAX, CLAIMS_MAX, DEPTH_MAX, HOPS_MAX, LINE_MAX, LINKS_MAX,
        SIGNATURES_MAX,
    },
};
use types::{
    AgencyCode, BlockId, CertificateError, ChainId, Hash, Height, PublicKey, RecordId, Subject,
    Timestamp, TxId,
    committee::CommitteeError,
    operation::{Family, Lot},
};

/// Why a proof proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Some other kind of file.
    #[error("this is not a proof")]
    NotAProof,
    /// A format that a later verifier may know.
    #[error("{what} format {found}; this verifier knows {known}: update the verifier")]
    Version {
        /// The format of what.
        what: &'static str,
        /// The format it has.
        found: u16,
        /// The format known.
        known: u16,
    },
    /// More bytes than a proof may have.
    #[error("{found} bytes; a proof has at most {PROOF_BYTES_MAX}")]
    TooLong {
        /// Bytes given.
        found: usize,
    },
    /// The end is missing.
    #[error("the file ends before the proof does: it was cut off, or a length in it is damaged")]
    Truncated,
    /// Damaged.
    #[error("the file is damaged: {0}")]
    Malformed(String),
    /// Readable, but spelled in another way than every encoder spells it.
    #[error("the file does not spell the proof in the one way there is")]
    NotCanonical,
    /// Text armour that is not exactly what the encoder prints.
    #[error("line {line} of the text armour is damaged")]
    Armor {
        /// The line, from 1.
        line: usize,
    },
    /// The bytes in the armour are not those that were put there.
    #[error("the checksum of the text does not match: a character was changed on the way")]
    Checksum,
    /// A QR frame that was read wrongly, or cut off.
    #[error("frame {nth} of those given is damaged: scan it again")]
    Frame {
        /// Which of those given, from 1.
        nth: usize,
    },
    /// A QR frame of another proof than those before it.
    #[error("frame {nth} of those given is of another proof")]
    FrameOfAnother {
        /// Which of those given, from 1.
        nth: usize,
    },
    /// QR frames that were not scanned.
    #[error("incomplete QR: of {count} frames these are missing: {missing:?}")]
    FramesMissing {
        /// Their numbers, from 1.
        missing: Vec<usize>,
        /// How many there are.
        count: usize,
    },
    /// Nothing claimed, or too much.
    #[error("{found} claims; a proof makes 1 to {CLAIMS_MAX}")]
    Claims {
        /// Claims made.
        found: usize,
    },
    /// More changes of the committee than one file may carry.
    #[error(
        "{found} changes of the committee; a proof carries at most {HOPS_MAX}: advance the trust root in steps"
    )]
    Hops {
        /// Changes carried.
        found: usize,
    },
    /// Longer histories than one file may list.
    #[error("{found} links of histories; a proof has at most {LINKS_MAX}: ask for it in parts")]
    Links {
        /// Links listed.
        found: usize,
    },
    /// More signatures than one file may ask to be verified.
    #[error("{found} signatures; a proof has at most {SIGNATURES_MAX}: ask for it in parts")]
    Signatures {
        /// Signatures carried.
        found: usize,
    },
    /// More to compare than one file may ask for.
    #[error(
        "the roles in the file would take {found} comparisons; a proof may take {AUTHORITY_WORK_MAX}: ask for it in parts"
    )]
    Work {
        /// What it would take.
        found: u64,
    },
    /// Nothing that it says is untrue, but it is not what was handed out.
    #[error("the file was changed after it was made")]
    Seal,
    /// Of another chain.
    #[error("made on chain {found}; your trust root is that of {wanted}")]
    Chain {
        /// The chain named.
        found: ChainId,
        /// The chain that it must be.
        wanted: ChainId,
    },
    /// Certified by people the trust root does not know.
    #[error("the block names a committee {found} that does not follow from your trust root")]
    TrustRoot {
        /// The committee's digest.
        found: Hash,
        /// The trust root's.
        wanted: Hash,
    },
    /// A change of the committee that hands nothing over.
    #[error("handover: {0}")]
    Handover(HandoverError),
    /// Two certified blocks of one height: this file's, and the one you saved.
    #[error(
        "block {height} of this file is {found}, of your trust root {yours}, and both are certified"
    )]
    Fork {
        /// The height.
        height: Height,
        /// The file's.
        found: BlockId,
        /// Yours.
        yours: BlockId,
    },
    /// A certified block that cannot be of one chain with the one you saved.
    #[error(
        "block {height} is certified, but cannot stand in one chain with the block {yours} of your trust root"
    )]
    Contradiction {
        /// The file's.
        height: Height,
        /// Yours.
        yours: Height,
    },
    /// The certificate is for another block than the header.
    #[error("the certificate is for another block than the one in the file")]
    Header,
    /// The certificate certifies nothing.
    #[error("certificate: {0}")]
    Certificate(CertificateError),
    /// The transaction's signature is not the key's.
    #[error("the signature of the record does not verify under the key {key}")]
    Signature {
        /// The key named.
        key: PublicKey,
    },
    /// A path of another length than its ends ask for.
    #[error("a path of {found} hashes where the position asks for {wanted}")]
    PathLength {
        /// Hashes given.
        found: usize,
        /// Hashes asked for.
        wanted: usize,
    },
    /// The entry does not lead to the certified log.
    #[error("hashing the entry up its path gives {found}, but the certified log has {wanted}")]
    PathMismatch {
        /// What the path leads to.
        found: Hash,
        /// What it must lead to.
        wanted: Hash,
    },
    /// The operation does not lead to the signed root.
    #[error("hashing the operation up its path gives {found}, but {wanted} was signed")]
    Operation {
        /// What the path leads to.
        found: Hash,
        /// What it must lead to.
        wanted: Hash,
    },
    /// An agency that was never enrolled.
    #[error("agency {agency} is not enrolled")]
    Agency {
        /// The agency named.
        agency: AgencyCode,
    },
    /// A key that is not the agency's.
    #[error("the key {key} is not one of agency {agency}")]
    Key {
        /// The key that signed.
        key: PublicKey,
        /// The agency named.
        agency: AgencyCode,
    },
    /// An agency that was not enrolled then.
    #[error("agency {agency} was not enrolled at height {height}")]
    Unenrolled {
        /// The agency named.
        agency: AgencyCode,
        /// The height.
        height: Height,
    },
    /// An agency that could not act then.
    #[error("agency {agency} was suspended or dissolved at height {height}")]
    Suspended {
        /// The agency named.
        agency: AgencyCode,
        /// The height.
        height: Height,
    },
    /// A key that could not sign for the agency then.
    #[error("the key {key} could not sign for agency {agency} at height {height}")]
    KeyTerm {
        /// The key that signed.
        key: PublicKey,
        /// The agency named.
        agency: AgencyCode,
        /// The height.
        height: Height,
    },
    /// Agencies that are no line.
    #[error("authority: {0}")]
    Line(AgencyLineError),
    /// The agency may not make such records at all.
    #[error("agency {agency} has no role for this family of records")]
    Role {
        /// The agency.
        agency: AgencyCode,
        /// The family.
        family: Family,
    },
    /// The agency's roles do not reach so far.
    #[error("the roles of agency {agency} do not cover this record")]
    Scope {
        /// The agency.
        agency: AgencyCode,
        /// The family.
        family: Family,
    },
    /// The entry is beyond the end of the log.
    #[error("position {position} in a log of {size}")]
    Position {
        /// The position claimed.
        position: u64,
        /// The log's certified size.
        size: u64,
    },
    /// The entry names an operation the transaction does not have.
    #[error("operation {index} of a transaction of {count}")]
    Index {
        /// The operation named.
        index: u32,
        /// How many there are.
        count: u32,
    },
    /// The entry is of another transaction.
    #[error("the log's entry is of another transaction, {found}")]
    EntryTransaction {
        /// The transaction the entry names.
        found: TxId,
        /// The transaction given.
        wanted: TxId,
    },
    /// The entry is of another record.
    #[error("the log's entry is of another record, {found}")]
    EntryRecord {
        /// The record the entry names.
        found: RecordId,
        /// The record given.
        wanted: RecordId,
    },
    /// The entry is from a later block, or one that its transaction does not allow.
    #[error("the entry is of height {found}, later than {limit}")]
    EntryHeight {
        /// The entry's height.
        found: Height,
        /// The last height it can be of.
        limit: Height,
    },
    /// The entry's time and its height do not fit the block's.
    #[error("the entry's time {found} does not fit the block's, {block}")]
    EntryTime {
        /// The entry's time.
        found: Timestamp,
        /// The block's time.
        block: Timestamp,
    },
    /// The state is of another subject than was asked for.
    #[error("the state is that of {found}")]
    StateSubject {
        /// The subject of the state.
        found: Subject,
    },
    /// The path cannot be that of a subject on the ledger.
    #[error("state: {0}")]
    StatePath(MapError),
    /// The state does not lead to the certified map.
    #[error("hashing the state up its path gives {found}, but the certified map has {wanted}")]
    State {
        /// What the path leads to.
        found: Hash,
        /// What it must lead to.
        wanted: Hash,
    },
    /// The path cannot be that of an absent subject.
    #[error("absence: {0}")]
    AbsencePath(MapError),
    /// The empty place does not lead to the certified map.
    #[error(
        "hashing the empty place up its path gives {found}, but the certified map has {wanted}"
    )]
    Absence {
        /// What the path leads to.
        found: Hash,
        /// What it must lead to.
        wanted: Hash,
    },
    /// A history of nothing.
    #[error("a subject that is absent has no history")]
    HistoryOfNothing,
    /// Records left out or added.
    #[error("{found} records where the state counts {wanted}")]
    HistoryCount {
        /// Records shown.
        found: usize,
        /// Records counted by the state.
        wanted: u64,
    },
    /// Records that stand before their predecessors, beyond the log, or end elsewhere than the state says.
    #[error("the record at position {position} does not stand in order")]
    HistoryOrder {
        /// The position at fault.
        position: u64,
    },
    /// Other records than the state's.
    #[error("the records chain to {found}, but the state has {wanted}")]
    HistoryHead {
        /// Where they lead.
        found: Hash,
        /// Where they must lead.
        wanted: Hash,
    },
    /// The file's own record says otherwise.
    #[error("the history has another record at position {position} than the file shows there")]
    HistoryRecord {
        /// The position.
        position: u64,
    },
    /// A batch that shows nothing, too much, or out of order.
    #[error("batch: {0}")]
    Batch(BatchError),
    /// The earlier log does not begin the later.
    #[error("consistency: {0}")]
    Consistency(LogError),
    /// The block said to be earlier is not.
    #[error("block {found} is not before block {limit}, as its height, its time and its log say")]
    ConsistencyOrder {
        /// The block said to be earlier.
        found: Height,
        /// The proof's.
        limit: Height,
    },
    /// Two certified blocks of which one does not lead to the other.
    #[error(
        "block {found} is certified, but does not lead to block {limit}: another committee or another block follows it"
    )]
    ConsistencyChain {
        /// The earlier block.
        found: Height,
        /// The proof's.
        limit: Height,
    },
    /// What is to be saved is not shown to continue what was saved before.
    #[error(
        "the file does not show that its log continues that of block {saved}, which your trust root saved: ask for one that \
         does, with `minlian prove --block --trust-root ROOT`"
    )]
    ConsistencyMissing {
        /// The block saved.
        saved: Height,
    },
    /// What is shown convicts nobody.
    #[error("equivocation: {0}")]
    Equivocation(EquivocationError),
    /// What is shown is not the whole upstream, or more than that.
    #[error("upstream: {0}")]
    Upstream(UpstreamError),
}

/// Why a change of the committee hands nothing over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandoverError {
    /// Out of order, or not before the proof's block.
    #[error("the change at block {found} does not stand before block {limit}")]
    Order {
        /// The height of the change.
        found: Height,
        /// What it must stand before.
        limit: Height,
    },
    /// No change at all.
    #[error("block {height} hands over to the committee that it came from")]
    Same {
        /// Its height.
        height: Height,
    },
    /// A committee that sat before: with it, what was in between could be left out of a proof.
    #[error("block {height} hands over to the very committee that sat from block {from} on")]
    Again {
        /// Its height.
        height: Height,
        /// The first block that the committee decided.
        from: Height,
    },
    /// Other seats than the block names.
    #[error("the block hands over to the committee {wanted}, the file shows {found}")]
    Committee {
        /// The digest of the seats shown.
        found: Hash,
        /// The digest in the header.
        wanted: Hash,
    },
    /// Seats that are no committee.
    #[error("the new committee: {0}")]
    Seats(CommitteeError),
    /// More signatures than a quorum: two files must not spell one handover differently.
    #[error("{found} signatures where a handover has exactly {wanted}")]
    Excess {
        /// Signatures there are.
        found: usize,
        /// A quorum.
        wanted: usize,
    },
}

/// Why what is shown of an agency is not its authority at a height.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgencyLineError {
    /// None, or too many.
    #[error("{found} agencies; a line has 1 to {LINE_MAX}")]
    Size {
        /// Agencies shown.
        found: usize,
    },
    /// Not the agency, or not the one above the one before.
    #[error("{found} does not stand in line")]
    Order {
        /// What stands there.
        found: Subject,
    },
    /// A height of which the state does not tell.
    #[error("height {found} is not between 1 and {limit}")]
    Height {
        /// The height asked for.
        found: Height,
        /// The last that can be asked for.
        limit: Height,
    },
}

/// Why a batch of records is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// None, or too many.
    #[error("{found} records; a batch has 1 to {BATCH_MAX}")]
    Size {
        /// Records shown.
        found: usize,
    },
    /// Positions, transactions or operations out of order, twice, or not there.
    #[error("the record at position {position} does not stand in order")]
    Order {
        /// The position at fault.
        position: u64,
    },
    /// A transaction of which nothing is shown.
    #[error("transaction {index} carries none of the records")]
    Unused {
        /// Which.
        index: usize,
    },
}

/// Why two sayings convict nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EquivocationError {
    /// The other block is of another height.
    #[error("a block of height {found} does not contradict one of height {wanted}")]
    Height {
        /// The other block's height.
        found: Height,
        /// The proof's.
        wanted: Height,
    },
    /// The same thing twice, or not in order.
    #[error("the same was said twice, or the two are not in order")]
    Same,
    /// A height of which the file does not say who sat where.
    #[error("what was said at height {found} is later than the proof's block {limit}")]
    Later {
        /// Where it was said.
        found: Height,
        /// The proof's.
        limit: Height,
    },
    /// A seat that there was not.
    #[error("there was no seat {seat} at that height")]
    Seat {
        /// The seat.
        seat: u16,
    },
}

/// Why what is shown is not the complete upstream of a lot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// None, or too many.
    #[error("{found} lots; an upstream has 1 to {BATCH_MAX}")]
    Size {
        /// Lots shown.
        found: usize,
    },
    /// Out of order, twice, or not a lot.
    #[error("{lot} does not stand in order, or is not a lot")]
    Order {
        /// The lot at fault.
        lot: Lot,
    },
    /// A record of a lot that is not shown, or is another.
    #[error(
        "the record at position {position} of the history of {lot} is not shown, or does not name the lot so"
    )]
    Record {
        /// The lot.
        lot: Lot,
        /// The position.
        position: u64,
    },
    /// A record whose lots are not in order: no ledger takes one.
    #[error("the record at position {position} does not name its lots in order")]
    Unordered {
        /// Its position.
        position: u64,
    },
    /// A lot that was left out.
    #[error("{lot} is upstream and was left out")]
    Missing {
        /// The lot.
        lot: Lot,
    },
    /// A lot that does not belong.
    #[error("{lot} is not upstream")]
    Extra {
        /// The lot.
        lot: Lot,
    },
    /// A record that does not belong.
    #[error("the record at position {position} is of none of the lots")]
    ExtraRecord {
        /// Its position.
        position: u64,
    },
    /// Too far upstream.
    #[error("more than {DEPTH_MAX} steps upstream")]
    Depth,
}

impl ProofError {
    /// The code that people quote and programs compare. It never changes.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotAProof | Self::Version { .. } => "V-FORMAT",
            Self::TooLong { .. }
            | Self::Truncated
            | Self::Malformed(_)
            | Self::NotCanonical
            | Self::Armor { .. }
            | Self::Checksum
            | Self::Frame { .. }
            | Self::FrameOfAnother { .. }
            | Self::Claims { .. }
            | Self::Hops { .. }
            | Self::Links { .. }
            | Self::Signatures { .. }
            | Self::Work { .. } => "V-MALFORMED",
            Self::FramesMissing { .. } => "V-FRAMES",
            Self::Seal => "V-SEAL",
            Self::Chain { .. } => "V-CHAIN",
            Self::TrustRoot { .. } => "V-TRUST-ROOT",
            Self::Handover(_) => "V-HANDOVER",
            Self::Fork { .. } | Self::Contradiction { .. } => "V-FORK",
            Self::Header => "V-HEADER",
            Self::Certificate(CertificateError::Signature { .. }) | Self::Signature { .. } => {
                "V-SIGNATURE"
            }
            Self::Certificate(
                CertificateError::Order { .. }
                | CertificateError::Seat { .. }
                | CertificateError::Quorum { .. },
            ) => "V-QUORUM",
            Self::PathLength { .. } | Self::Consistency(LogError::Length { .. }) => "V-PATH-LENGTH",
            Self::PathMismatch { .. } => "V-PATH-MISMATCH",
            Self::Operation { .. } => "V-OPERATION",
            Self::Agency { .. }
            | Self::Key { .. }
            | Self::Unenrolled { .. }
            | Self::Suspended { .. }
            | Self::KeyTerm { .. } => "V-SUBMITTER",
            Self::Role { .. } | Self::Scope { .. } | Self::Line(_) => "V-AUTHORITY",
            Self::Position { .. }
            | Self::Index { .. }
            | Self::EntryTransaction { .. }
            | Self::EntryRecord { .. }
            | Self::EntryHeight { .. }
            | Self::EntryTime { .. }
            | Self::Batch(_) => "V-ENTRY",
            Self::StateSubject { .. } | Self::StatePath(_) | Self::State { .. } => "V-STATE",
            Self::AbsencePath(_) | Self::Absence { .. } => "V-ABSENCE",
            Self::HistoryOfNothing
            | Self::HistoryCount { .. }
            | Self::HistoryOrder { .. }
            | Self::HistoryHead { .. }
            | Self::HistoryRecord { .. } => "V-HISTORY",
            Self::Consistency(
                LogError::Order { .. } | LogError::Old { .. } | LogError::New { .. },
            )
            | Self::ConsistencyOrder { .. }
            | Self::ConsistencyChain { .. }
            | Self::ConsistencyMissing { .. } => "V-CONSISTENCY",
            Self::Equivocation(_) => "V-EQUIVOCATION",
            Self::Upstream(_) => "V-UPSTREAM",
        }
    }

    /// Whether nothing was proven *or disproven*: the file could not be read, or asks for a later verifier.
    #[must_use]
    pub const fn is_undecided(&self) -> bool {
        matches!(
            self,
            Self::NotAProof
                | Self::Version { .. }
                | Self::TooLong { .. }
                | Self::Truncated
                | Self::Malformed(_)
                | Self::NotCanonical
                | Self::Armor { .. }
                | Self::Checksum
                | Self::Frame { .. }
                | Self::FrameOfAnother { .. }
                | Self::FramesMissing { .. }
                | Self::Claims { .. }
                | Self::Hops { .. }
                | Self::Links { .. }
                | Self::Signatures { .. }
                | Self::Work { .. }
        )
    }
}
