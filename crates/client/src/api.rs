//! What a node answers over HTTP, as types: the node writes them, this crate reads them.

use proof::VotesClaim;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use types::{
    AgencyCode, BlockId, ChainId, Digest, Hash, Height, Operation, PublicKey, RecordId, Round,
    Signature, Subject, SubjectState, Timestamp, Transaction, TxId, codec, operation::Lot,
    subject::Part, vote::Step,
};

/// The most transactions of one bulk submission.
pub const JOB_TRANSACTIONS_MAX: usize = 2000;
/// The largest bulk submission, bytes.
pub const JOB_BYTES_MAX: usize = 16 << 20;

/// Transactions as `POST /v1/jobs` takes them: one after the other, each behind its length.
///
/// # Panics
/// When a transaction has 4 GiB, of which none is.
#[must_use]
pub fn job<'t>(transactions: impl IntoIterator<Item = &'t Transaction>) -> Vec<u8> {
    transactions.into_iter().fold(Vec::new(), |mut bytes, tx| {
        let encoded = codec::encode(tx);
        let length = u32::try_from(encoded.len()).expect("a transaction is short");
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&encoded);
        bytes
    })
}

/// Which records are wanted: those that are all of what is said. The default is every record, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Those that commit to this document.
    pub document: Option<Digest>,
    /// Those of this family.
    pub kind: Option<Kind>,
    /// Those by this agency.
    pub agency: Option<AgencyCode>,
    /// Those of this subject.
    pub subject: Option<Subject>,
    /// In which order; those of a document or a subject come oldest first.
    pub order: Order,
    /// What `next` of the page before says.
    pub cursor: Option<u64>,
    /// How many at most in a page: 1 to 1000. The node has a number of its own without it.
    pub limit: Option<usize>,
}

impl Wanted {
    /// The path that asks for it; with `from` as those who follow ask, who have no pages.
    pub(crate) fn path(&self, path: &str, from: Option<u64>) -> String {
        let Self { document, kind, agency, subject, order, cursor, limit } = self;
        let pairs = [
            ("document", document.map(|document| document.to_string())),
            ("kind", kind.map(|kind| kind.name().to_owned())),
            ("agency", agency.map(|agency| agency.to_string())),
            ("subject", subject.as_ref().map(ToString::to_string)),
            ("order", (*order == Order::Newest).then(|| "newest".to_owned())),
            ("cursor", cursor.map(|cursor| cursor.to_string())),
            ("limit", limit.map(|limit| limit.to_string())),
            ("from", from.map(|from| from.to_string())),
        ];
        let said = pairs.into_iter().filter_map(|(name, value)| {
            value.map(|value| format!("{name}={}", crate::http::escaped(&value)))
        });
        let query: Vec<_> = said.collect();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
    }
}

/// A family of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Kind {
    /// Service items 政务服务事项, and lists of them.
    Item,
    /// E-licences 电子证照.
    Licence,
    /// Traceability events 溯源.
    Trace,
    /// Enrolments, grants and the committee 治理.
    Govern,
    /// Batches of commitments 批量存证.
    Batch,
    /// Units of seed 种子销售单元.
    Seed,
    /// Grants, uses of licences and data, documents used again 用证用数.
    Use,
}

impl Kind {
    /// As a query has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Item => "item",
            Self::Licence => "licence",
            Self::Trace => "trace",
            Self::Govern => "govern",
            Self::Batch => "batch",
            Self::Seed => "seed",
            Self::Use => "use",
        }
    }
}

/// In which order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Order {
    /// Oldest first.
    #[default]
    Oldest,
    /// Newest first.
    Newest,
}

/// What is asked with `POST /v1/proofs`: one file that shows all of it, as of the node's last block
/// or, where the log suffices, an earlier one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ProofRequest {
    /// Up to which block the one who asks knows the chain already: earlier changes of the committee are left out.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(value_type = u64))]
    pub since: Height,
    /// As of which earlier block; none is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<u64>))]
    pub at: Option<Height>,
    /// What the file is to show.
    #[cfg_attr(feature = "schema", schema(value_type = Vec<Object>))]
    pub ask: Vec<Ask>,
}

/// One thing a proof is asked to show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ask {
    /// That a record is on the ledger.
    Record(RecordId),
    /// The same of several, with what they share there once.
    Records(Vec<RecordId>),
    /// Where a subject stands, with its history, or that it is not on the ledger.
    Subject(Named),
    /// The complete upstream of a lot.
    Upstream(Lot),
    /// That the log of this earlier block begins that of the last.
    Consistency(Height),
    /// That the last block is final.
    Block,
    /// Who could sign for an agency, and what it could record.
    Authority(Authority),
    /// That a validator said two things, of which the node holds both.
    Evidence(Twice),
}

/// Where a validator said two things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Twice {
    /// At this height.
    pub height: Height,
    /// In this round.
    pub round: Round,
    /// This seat.
    pub seat: u16,
    /// Two proposals, two prevotes or two precommits.
    pub step: Said,
}

/// What can be said twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Said {
    /// A proposal.
    Proposal,
    /// A prevote.
    Prevote,
    /// A precommit.
    Precommit,
}

impl Twice {
    /// Whether a claim is of this.
    #[must_use]
    pub fn is(&self, claim: &VotesClaim) -> bool {
        let step = match claim.said {
            proof::Said::Proposals { .. } => Said::Proposal,
            proof::Said::Votes { step: Step::Prevote, .. } => Said::Prevote,
            proof::Said::Votes { step: Step::Precommit, .. } => Said::Precommit,
        };
        let Self { height, round, seat, .. } = *self;
        (height, round, seat, self.step) == (claim.height, claim.round, claim.seat, step)
    }
}

/// An agency whose authority is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authority {
    /// The agency.
    pub agency: AgencyCode,
    /// A key that could sign for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PublicKey>,
    /// In the block of this height; none is the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Height>,
}

/// A subject, written `KIND:ID`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named(pub Subject);

impl Serialize for Named {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map(Self).map_err(de::Error::custom)
    }
}

/// The answer to `GET /v1/status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NodeStatus {
    /// The chain.
    #[cfg_attr(feature = "schema", schema(value_type = String, pattern = "^[0-9a-f]{64}$"))]
    pub chain: ChainId,
    /// The network's name.
    pub name: String,
    /// The last block's height.
    #[cfg_attr(feature = "schema", schema(value_type = u64))]
    pub height: Height,
    /// The last block.
    #[cfg_attr(feature = "schema", schema(value_type = String, pattern = "^[0-9a-f]{64}$"))]
    pub block: BlockId,
    /// Its time.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub time: Timestamp,
    /// The state map's root after it.
    #[cfg_attr(feature = "schema", schema(value_type = String, pattern = "^[0-9a-f]{64}$"))]
    pub state_root: Hash,
    /// How many records the log holds after it.
    pub records: u64,
    /// The first block whose body is here, if older ones were dropped by retention.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<u64>))]
    pub kept_from: Option<Height>,
    /// The log's root after it.
    #[cfg_attr(feature = "schema", schema(value_type = String, pattern = "^[0-9a-f]{64}$"))]
    pub log_root: Hash,
    /// The furthest `valid_until` a transaction may have now.
    #[cfg_attr(feature = "schema", schema(value_type = u64))]
    pub valid_until_max: Height,
    /// The round under way; none when there is nothing to decide.
    pub round: Option<u32>,
    /// Transactions that wait.
    pub pending: u64,
    /// Whether the node fetches blocks that others have.
    pub catching_up: bool,
    /// How far it is with that; none while it is not.
    #[serde(default)]
    pub catch_up: Option<CatchUp>,
    /// Whose votes the node has seen in the round under way; none when there is nothing to decide.
    #[serde(default)]
    pub votes: Option<Votes>,
    /// The node's clock, seen from its neighbours'; none without neighbours.
    #[serde(default)]
    pub clock: Option<Clock>,
    /// The highest block a neighbour claims.
    #[cfg_attr(feature = "schema", schema(value_type = u64))]
    pub highest: Height,
    /// The validators, in seat order.
    pub validators: Vec<ValidatorStatus>,
    /// How many of them make a quorum.
    pub quorum: u64,
    /// What stands in the way of the next block, in plain words; empty when nothing does.
    pub obstacles: Vec<String>,
}

/// How far a node is that fetches blocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CatchUp {
    /// The height it began at.
    #[cfg_attr(feature = "schema", schema(value_type = u64))]
    pub from: Height,
    /// The height it has.
    #[cfg_attr(feature = "schema", schema(value_type = u64))]
    pub height: Height,
    /// The height its neighbours say they have.
    #[cfg_attr(feature = "schema", schema(value_type = u64))]
    pub to: Height,
    /// Blocks a second of late; 0 while that is unknown.
    pub blocks_per_s: u64,
    /// Seconds left at that pace.
    pub eta_s: Option<u64>,
    /// The same in words.
    pub summary: String,
}

/// Whose votes a node has seen in a round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Votes {
    /// The seat whose proposal decides the round.
    pub proposer: Option<u16>,
    /// Whether that proposal is here, with its block.
    pub proposed: bool,
    /// Seats that prevoted.
    pub prevoted: Vec<u16>,
    /// Seats that precommitted.
    pub precommitted: Vec<u16>,
}

/// A node's clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Clock {
    /// Milliseconds by which it is ahead of its neighbours' median; negative when it is behind.
    pub ahead_ms: i64,
    /// How many neighbours that is the median of.
    pub neighbours: u64,
}

/// A validator as one node sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ValidatorStatus {
    /// Its seat.
    pub seat: u16,
    /// Its agency.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub agency: AgencyCode,
    /// Its agency's name.
    pub name: String,
    /// Whether the node can reach it.
    pub reachable: bool,
    /// Whether it is the node that answers.
    pub this_node: bool,
}

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Fate {
    /// Checked, and on this node's disk: proposed until its deadline, also after a crash, and never forgotten.
    Accepted,
    /// In a block that a quorum agreed on, and on this node's disk.
    Committed,
    /// Every record in it was on the ledger before: here is where.
    Recorded,
    /// It will not be committed; `code` and `detail` say why.
    Refused,
}

/// The answer to a submission, and to `GET /v1/transactions/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Receipt {
    /// The transaction.
    #[cfg_attr(feature = "schema", schema(value_type = String, pattern = "^[0-9a-f]{64}$"))]
    pub tx: TxId,
    /// What became of it.
    pub status: Fate,
    /// The block, when it is committed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "schema", schema(value_type = Option<u64>))]
    pub height: Option<Height>,
    /// Its records, in the order of its operations.
    pub records: Vec<Recorded>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub code: Option<String>,
    /// The same, in words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<String>,
}

/// A record and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Recorded {
    /// The record.
    #[cfg_attr(feature = "schema", schema(value_type = String, pattern = "^[0-9a-f]{64}$"))]
    pub record: RecordId,
    /// Its position in the history log; none until it is committed.
    pub position: Option<u64>,
    /// The block that holds it; none until it is committed.
    #[cfg_attr(feature = "schema", schema(value_type = Option<u64>))]
    pub height: Option<Height>,
}

/// The answer to `GET /v1/records/{id}`, and one row of `GET /v1/records?document=…`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RecordView {
    /// The record.
    #[cfg_attr(feature = "schema", schema(value_type = String, pattern = "^[0-9a-f]{64}$"))]
    pub record: RecordId,
    /// Its position in the history log.
    pub position: u64,
    /// The block that holds it.
    #[cfg_attr(feature = "schema", schema(value_type = u64))]
    pub height: Height,
    /// That block's time.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub time: Timestamp,
    /// The transaction that carried it.
    #[cfg_attr(feature = "schema", schema(value_type = String, pattern = "^[0-9a-f]{64}$"))]
    pub tx: TxId,
    /// Which of its operations it is.
    pub index: u32,
    /// The acting agency.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub agency: AgencyCode,
    /// That agency's name.
    pub agency_name: String,
    /// What was recorded.
    #[cfg_attr(feature = "schema", schema(value_type = Object))]
    pub operation: Operation,
}

/// A page of records, the answer to `GET /v1/records`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Records {
    /// The records, in the order asked for.
    pub records: Vec<RecordView>,
    /// The `cursor` with which to go on; none at the end. A page may be short, or empty, and not be the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// The answer to `GET /v1/subjects/{KIND:ID}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SubjectView {
    /// Its state.
    #[cfg_attr(feature = "schema", schema(value_type = Object))]
    pub state: SubjectState,
    /// The owner's name.
    pub owner_name: String,
    /// The block as of which this is so.
    #[cfg_attr(feature = "schema", schema(value_type = u64))]
    pub height: Height,
    /// That block's time.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub time: Timestamp,
}

/// The answer to `GET /v1/subjects/{KIND:ID}/history?from=N&limit=N`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct History {
    /// The subject.
    #[cfg_attr(feature = "schema", schema(value_type = Object))]
    pub subject: Subject,
    /// How many records it has.
    pub total: u64,
    /// The rows, oldest first.
    pub rows: Vec<HistoryRow>,
    /// Where to go on; none at the end.
    pub next: Option<u64>,
}

/// One record of a subject's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct HistoryRow {
    /// Its place in the history, from 0.
    pub sequence: u64,
    /// The subject's part in it.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub part: Part,
    /// The record.
    #[serde(flatten)]
    pub record: RecordView,
}

/// The answer to `GET /v1/blocks/{height}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BlockView {
    /// The block.
    #[cfg_attr(feature = "schema", schema(value_type = String, pattern = "^[0-9a-f]{64}$"))]
    pub block: BlockId,
    /// Its header.
    #[cfg_attr(feature = "schema", schema(value_type = Object))]
    pub header: types::Header,
    /// Its certificate.
    #[cfg_attr(feature = "schema", schema(value_type = Object))]
    pub certificate: types::Certificate,
    /// Its transactions.
    #[cfg_attr(feature = "schema", schema(value_type = Vec<String>))]
    pub transactions: Vec<TxId>,
}

/// One row of `GET /v1/blocks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BlockRow {
    /// Its height.
    #[cfg_attr(feature = "schema", schema(value_type = u64))]
    pub height: Height,
    /// The block.
    #[cfg_attr(feature = "schema", schema(value_type = String, pattern = "^[0-9a-f]{64}$"))]
    pub block: BlockId,
    /// Its time.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub time: Timestamp,
    /// The seat that proposed it.
    pub proposer: u16,
    /// How many records are new with it.
    pub records: u64,
    /// How many records the log holds after it.
    pub log_size: u64,
    /// How many validators signed it.
    pub signatures: u64,
}

/// A page of blocks, the answer to `GET /v1/blocks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Blocks {
    /// The blocks, newest first.
    pub blocks: Vec<BlockRow>,
    /// The `cursor` with which to go on; none at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// An agency and what it may do, one row of `GET /v1/agencies`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AgencyView {
    /// Its code.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub agency: AgencyCode,
    /// Its name.
    pub name: String,
    /// Whether it may act.
    pub active: bool,
    /// Its roles, keys and terms, as the ledger has them.
    #[cfg_attr(feature = "schema", schema(value_type = Object))]
    pub facts: serde_json::Value,
}

/// The answer to `GET /v1/agencies`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Agencies {
    /// The agencies, by code.
    pub agencies: Vec<AgencyView>,
}

/// The answer to `POST /v1/transactions:batch`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Receipts {
    /// What became of each transaction, in the order submitted.
    pub receipts: Vec<Receipt>,
}

/// How a bulk submission is doing, the answer to `POST /v1/jobs` and `GET /v1/jobs/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct JobView {
    /// The job: the digest of what was submitted, so that submitting it again is the same job.
    pub job: String,
    /// When it was made.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub created: Timestamp,
    /// Whether every transaction of it is decided.
    pub finished: bool,
    /// How many transactions it has.
    pub total: u64,
    /// How many are in a block, now or from before.
    pub committed: u64,
    /// How many will not be committed.
    pub refused: u64,
    /// Each transaction, in the order submitted.
    pub transactions: Vec<Receipt>,
}

/// The answer to `GET /v1/checkpoints/{height}`: what one validator signs of the log as a block left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CheckpointView {
    /// The block's height.
    #[cfg_attr(feature = "schema", schema(value_type = u64))]
    pub height: Height,
    /// The block.
    #[cfg_attr(feature = "schema", schema(value_type = String, pattern = "^[0-9a-f]{64}$"))]
    pub block: BlockId,
    /// The log's size.
    pub size: u64,
    /// The log's root.
    #[cfg_attr(feature = "schema", schema(value_type = String, pattern = "^[0-9a-f]{64}$"))]
    pub root: Hash,
    /// The block's time.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub time: Timestamp,
    /// The key that signs: the one with which the validator opens connections.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub key: PublicKey,
    /// Its signature under the checkpoint, as a C2SP signed-note.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub note: Signature,
    /// Its cosignature, as a C2SP tlog-cosignature.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub cosignature: Signature,
    /// Its signature of a COSE receipt.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub receipt: Signature,
}

/// An error, as RFC 9457 has it, with a code that never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Problem {
    /// A name for the kind of problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// The HTTP status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// Our code.
    pub code: String,
    /// What is wrong, and what to do.
    pub detail: String,
}

/// The answer to `GET /v1/evidence`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct EvidenceList {
    /// What the node holds, by height, round, step and seat.
    pub evidence: Vec<EvidenceView>,
}

/// Proof that a validator said two things.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct EvidenceView {
    /// The height.
    #[cfg_attr(feature = "schema", schema(value_type = u64))]
    pub height: Height,
    /// The round.
    pub round: u32,
    /// `proposal`, `prevote` or `precommit`.
    pub step: String,
    /// The seat.
    pub seat: u16,
    /// Its agency's name.
    pub name: String,
    /// Both messages and both signatures, in canonical form, in hexadecimal.
    pub evidence: String,
}

/// An agency's key, as a file with its secret in the clear: `DIR/keys/issuer.json`. Sealed ones are read by
/// [`crate::keystore`].
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyFile {
    /// The format, 1.
    pub version: u16,
    /// What the key is for: `organisation`, `consensus` or `transport`.
    pub purpose: String,
    /// The agency it belongs to, if it is enrolled.
    pub agency: Option<AgencyCode>,
    /// The public key.
    pub public: PublicKey,
    /// The secret seed, 64 hexadecimal digits. The file's mode must be 0600.
    pub secret: String,
}

impl core::fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { version, purpose, agency, public, secret: _ } = self;
        write!(f, "KeyFile({version}, {purpose}, {agency:?}, {public}, …)")
    }
}
