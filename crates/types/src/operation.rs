//! What an agency wants recorded: the act, its subject, and a commitment to the document behind it.

use crate::{
    agency::{AgencyCode, Level, Region},
    authority::Governance,
    bulk::{BatchAction, SeedAction},
    codec::{self, Wire},
    hash::{Digest, Hash, Purpose, RecordId, hash},
    item::{Edition, ListAction, Predecessor, Successor},
    subject::{Part, Subject},
    text::Text,
    time::Timestamp,
    usage::Usage,
};
use serde::{Deserialize, Serialize};

/// The families of records: the three that agencies keep, and the one by which they govern themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Service items 政务服务事项.
    Item,
    /// E-licences 电子证照.
    Licence,
    /// Traceability events 溯源.
    Trace,
    /// Enrolments, grants and the committee 治理.
    Authority,
    /// Uses of licences, data and documents 用证用数.
    Use,
}

/// One thing an agency did, as the ledger keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// What was done, to what.
    pub action: Action,
    /// The document behind it, which stays with the agency.
    pub commitment: Commitment,
    /// From when it has effect; may differ from the time of its block.
    pub effective_from: Timestamp,
    /// How sensitive the record is, 数据分类分级.
    pub grade: Grade,
    /// Where it was captured.
    pub provenance: Provenance,
}

/// The largest encoded operation, bytes: that of an event with as many lots as there may be, each as long as it may be.
pub const OPERATION_BYTES_MAX: usize = 320 << 10;

impl Wire for Operation {
    const BYTES_MAX: usize = OPERATION_BYTES_MAX;
}

/// The record's name of the operation that is spelled so.
pub(crate) fn record_of(bytes: &[u8], agency: &AgencyCode) -> RecordId {
    RecordId(hash(Purpose::Record, &[agency.as_str().as_bytes(), bytes]))
}

impl Operation {
    /// The record's name: this operation by this agency, and no other.
    #[must_use]
    pub fn record(&self, agency: &AgencyCode) -> RecordId {
        codec::encoded(self, |bytes| record_of(bytes, agency))
    }

    /// The subjects it appends to when `agency` does it, in order, each with its part in the record. Not to be extended for what can
    /// be spelled today: a subject that old records did not append to would let them be recorded again.
    #[must_use]
    pub fn subjects(&self, agency: &AgencyCode) -> Vec<(Subject, Part)> {
        match &self.action {
            Action::Item(act) => {
                // The basic code's own history is what all levels did under it.
                let own = match &act.verb {
                    ItemVerb::Split { .. } => Part::Superseded,
                    ItemVerb::Publish { .. }
                    | ItemVerb::Amend { .. }
                    | ItemVerb::Suspend
                    | ItemVerb::Resume
                    | ItemVerb::Cancel
                    | ItemVerb::Enter(_)
                    | ItemVerb::Revise(_)
                    | ItemVerb::Merge { .. }
                    | ItemVerb::Entrust { .. } => Part::Subject,
                };
                let (others, part) = act.verb.relatives();
                let mut subjects = vec![(Subject::item(&act.code), own)];
                subjects.extend(others.iter().map(|(code, _)| (Subject::item(code), part)));
                subjects.push((Subject::basic(&act.basic), Part::Parent));
                for (_, basic) in others {
                    let parent = (Subject::basic(basic), Part::Parent);
                    if !subjects.contains(&parent) {
                        subjects.push(parent);
                    }
                }
                subjects
            }
            Action::List(act) => vec![(Subject::list(&act.name), Part::Subject)],
            Action::Licence(act) => {
                let mut subjects = vec![(Subject::licence(&act.licence), Part::Subject)];
                if let Some(old) = act.verb.supersedes() {
                    subjects.push((Subject::licence(old), Part::Superseded));
                }
                subjects
            }
            Action::Trace(event) => {
                event.lots.iter().map(|(lot, part)| (Subject::lot(lot), *part)).collect()
            }
            Action::Govern(act) => match act {
                Governance::Propose(change) => vec![
                    (Subject::proposal(&self.record(agency)), Part::Subject),
                    (change.target().subject(), Part::Target),
                ],
                Governance::Approve { proposal, target }
                | Governance::Withdraw { proposal, target } => vec![
                    (Subject::proposal(proposal), Part::Subject),
                    (target.subject(), Part::Target),
                ],
                Governance::Delegate { to: target, .. }
                | Governance::Undelegate { from: target, .. } => {
                    vec![(Subject::agency(target), Part::Target)]
                }
                Governance::Rotate { .. } => vec![(Subject::agency(agency), Part::Target)],
            },
            Action::Batch(act) => vec![(Subject::batch(&act.series), Part::Subject)],
            Action::Seed(act) => vec![(Subject::seed(&act.permit, &act.unit), Part::Subject)],
            Action::Use(act) => act.subjects(agency),
        }
    }
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// To a service item.
    Item(ItemAction),
    /// To an e-licence.
    Licence(LicenceAction),
    /// To lots on their way.
    Trace(TraceEvent),
    /// To agencies and the network.
    Govern(Governance),
    /// To a named list of service items.
    List(ListAction),
    /// Of many commitments at once.
    Batch(BatchAction),
    /// To a unit of seed.
    Seed(SeedAction),
    /// With licences, data and documents.
    Use(Usage),
}

/// A service item's implementation code, 实施编码.
pub type ItemCode = Text<36>;
/// A service item's basic code, 基本编码, common to all levels.
pub type BasicCode = Text<24>;
/// A licence's identifier, 证照标识, or a salted commitment to it.
pub type LicenceId = Text<160>;
/// A licence type code, 证照类型代码.
pub type LicenceType = Text<32>;
/// A lot: any identifier an EPCIS event gives to goods.
pub type Lot = Text<256>;

/// An act on a service item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemAction {
    /// The item: 实施编码.
    pub code: ItemCode,
    /// Its basic code, 基本编码.
    pub basic: BasicCode,
    /// The level at which it is exercised, 行使层级.
    pub level: Level,
    /// Where it is exercised.
    pub region: Region,
    /// What is done.
    pub verb: ItemVerb,
}

/// What can be done to a service item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemVerb {
    /// Enter it in the catalogue, as its next version (the first is 1).
    Publish {
        /// 事项版本.
        version: u32,
        /// 计划取消日期.
        planned_cancel: Option<Timestamp>,
    },
    /// Replace the version in force by the next.
    Amend {
        /// The new version: one more than the version it supersedes.
        version: u32,
        /// 计划取消日期.
        planned_cancel: Option<Timestamp>,
    },
    /// Put it on hold.
    Suspend,
    /// End the hold.
    Resume,
    /// Take it out of the catalogue for good.
    Cancel,
    /// Enter it in the catalogue, with its elements committed to one by one. What is published today is published so.
    Enter(Edition),
    /// Replace the version in force by the next, with its elements.
    Revise(Edition),
    /// Enter it, or its next version, in place of others, which end by this.
    Merge {
        /// The version that they are merged into: 1 of a new item, or the next of this one.
        edition: Edition,
        /// Those that end, by ascending code.
        predecessors: Vec<Predecessor>,
    },
    /// End it, and enter others in its place.
    Split {
        /// Those that come into being, by ascending code.
        successors: Vec<Successor>,
    },
    /// Entrust another agency with part of the work, 委托, until a time. Nothing about authority on the ledger changes.
    Entrust {
        /// To whom.
        to: AgencyCode,
        /// With what, such as `accept`.
        tasks: Vec<Text<32>>,
        /// Before this time; none means until it is cancelled.
        until: Option<Timestamp>,
    },
}

impl ItemVerb {
    /// The other items in it, with their basic codes, and their part.
    #[must_use]
    pub fn relatives(&self) -> (Vec<(&ItemCode, &BasicCode)>, Part) {
        match self {
            Self::Merge { predecessors, .. } => {
                let all = predecessors.iter().map(|other| (&other.code, &other.basic));
                (all.collect(), Part::Superseded)
            }
            Self::Split { successors } => {
                let all = successors.iter().map(|other| (&other.code, &other.basic));
                (all.collect(), Part::Subject)
            }
            Self::Publish { .. }
            | Self::Amend { .. }
            | Self::Suspend
            | Self::Resume
            | Self::Cancel
            | Self::Enter(_)
            | Self::Revise(_)
            | Self::Entrust { .. } => (Vec::new(), Part::Subject),
        }
    }
}

/// An act on an e-licence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LicenceAction {
    /// The licence.
    pub licence: LicenceId,
    /// What is done.
    pub verb: LicenceVerb,
}

/// What a licence says of itself in the clear, when it comes into being.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LicenceFacts {
    /// 证照类型代码.
    pub kind: LicenceType,
    /// 证照所属管辖属地编码.
    pub region: Region,
    /// 证照有效期起始: valid from this time.
    pub valid_from: Timestamp,
    /// 证照有效期截至: valid before this time; none means without end.
    pub valid_until: Option<Timestamp>,
}

/// What can be done to an e-licence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LicenceVerb {
    /// 颁发.
    Issue(LicenceFacts),
    /// 延续: a new licence in place of one that runs out.
    Renew {
        /// The licence that ends by this.
        supersedes: LicenceId,
        /// The new one.
        facts: LicenceFacts,
    },
    /// 变更: a new licence in place of one whose content changed.
    Change {
        /// The licence that ends by this.
        supersedes: LicenceId,
        /// The new one.
        facts: LicenceFacts,
    },
    /// 转入: a licence that another jurisdiction transferred out.
    TransferIn {
        /// The licence that ends by this.
        supersedes: LicenceId,
        /// The new one.
        facts: LicenceFacts,
    },
    /// 暂扣.
    Suspend,
    /// 解除暂扣.
    Resume,
    /// 撤销: it was issued unlawfully; `effective_from` of the operation says from when it is void.
    Annul,
    /// 注销: its formal end.
    Cancel,
    /// 吊销: a penalty.
    Revoke,
    /// 转出.
    TransferOut,
    /// 撤回转出: it stays where it was.
    UndoTransferOut,
    /// 失效: takes note that its time has run out, which needs no record to be so.
    Expire,
}

impl LicenceVerb {
    /// The licence that ends by this act.
    #[must_use]
    pub const fn supersedes(&self) -> Option<&LicenceId> {
        match self {
            Self::Renew { supersedes, .. }
            | Self::Change { supersedes, .. }
            | Self::TransferIn { supersedes, .. } => Some(supersedes),
            Self::Issue(_)
            | Self::Suspend
            | Self::Resume
            | Self::Annul
            | Self::Cancel
            | Self::Revoke
            | Self::TransferOut
            | Self::UndoTransferOut
            | Self::Expire => None,
        }
    }

    /// What it says of a licence that comes into being by it.
    #[must_use]
    pub const fn facts(&self) -> Option<&LicenceFacts> {
        match self {
            Self::Issue(facts)
            | Self::Renew { facts, .. }
            | Self::Change { facts, .. }
            | Self::TransferIn { facts, .. } => Some(facts),
            Self::Suspend
            | Self::Resume
            | Self::Annul
            | Self::Cancel
            | Self::Revoke
            | Self::TransferOut
            | Self::UndoTransferOut
            | Self::Expire => None,
        }
    }
}

/// The five event types of EPCIS 2.0 (ISO/IEC 19987:2024).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventType {
    /// Something happened to objects.
    Object,
    /// Objects were put into or taken out of a container.
    Aggregation,
    /// Objects were tied to a business transaction.
    Transaction,
    /// Inputs were consumed and outputs made.
    Transformation,
    /// Objects were attached to a place or another object.
    Association,
}

/// One traceability event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceEvent {
    /// Its type.
    pub event: EventType,
    /// `eventID`, as the capturing system gave it.
    pub id: Option<Text<256>>,
    /// `eventTime`.
    pub time: Timestamp,
    /// `bizStep`, as written.
    pub step: Option<Text<128>>,
    /// The lots it appends to, sorted, no lot twice in the same part.
    pub lots: Vec<(Lot, Part)>,
    /// The CBV 2.0 event hash: an identifier others may know the event by, never the commitment.
    pub cbv_hash: Option<Hash>,
    /// The event this one declares erroneous or corrects (`errorDeclaration`).
    pub corrects: Option<Text<256>>,
}

/// The most lots one event may name.
pub const LOTS_MAX: usize = 1024;

/// The document behind a record, committed to and never carried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commitment {
    /// The digest of the exact bytes of the file that was submitted.
    pub document: Digest,
    /// The digest of this record's own content in canonical form (RFC 8785 for JSON); one file may hold many records.
    pub content: Digest,
    /// The root over salted fields, when they are to be disclosed one by one.
    pub fields: Option<Hash>,
}

/// How sensitive a record is, 数据分类分级: 1 public to 4 restricted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// 1, 公开.
    Public,
    /// 2, 内部.
    Internal,
    /// 3, 敏感.
    Sensitive,
    /// 4, 受限.
    Restricted,
}

/// Where and when a record was captured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The system that captured it.
    pub system: Text<64>,
    /// Its version.
    pub version: Text<32>,
    /// When.
    pub captured_at: Timestamp,
}
