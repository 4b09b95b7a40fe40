//! The things the ledger keeps the state of, and what it knows of each.

use crate::{
    agency::{AgencyCode, Level, Region},
    authority::{AgencyFacts, NetworkFacts, ProposalFacts},
    bulk::{SeedUnit, Series},
    codec::{self, Wire},
    fields::FieldName,
    hash::{Digest, GrantId, Hash, Purpose, RecordId, hash},
    item::ListName,
    operation::{BasicCode, ItemCode, LicenceFacts, LicenceId, Lot},
    text::Text,
    time::Timestamp,
    usage::{DataName, GrantFacts, Title},
};
use core::{fmt, str::FromStr};
use serde::{Deserialize, Serialize};

/// A subject's part in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// What the record is about.
    Subject,
    /// Ended by the record, which brings its successor.
    Superseded,
    /// Seen.
    Observed,
    /// Consumed.
    Input,
    /// Made.
    Output,
    /// The container.
    Parent,
    /// In the container.
    Child,
    /// What an act of governance is about; and the licence's data, of a grant or a use.
    Target,
    /// Who acts.
    Actor,
    /// To whom something is granted or handed.
    Recipient,
    /// The grant by whose right something is used.
    Basis,
}

impl Part {
    /// Every part.
    pub const ALL: [Self; 11] = [
        Self::Subject,
        Self::Superseded,
        Self::Observed,
        Self::Input,
        Self::Output,
        Self::Parent,
        Self::Child,
        Self::Target,
        Self::Actor,
        Self::Recipient,
        Self::Basis,
    ];
}

/// The kinds of things the ledger keeps the state of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A service item, by 实施编码.
    Item,
    /// All levels of a service item, by 基本编码.
    Basic,
    /// An e-licence, by 证照标识 or a commitment to it.
    Licence,
    /// A lot, by its identifier.
    Lot,
    /// An agency, by 统一社会信用代码.
    Agency,
    /// A proposal, by the record that made it.
    Proposal,
    /// The network itself: `network:chain`; and which elements of items are uniform: `network:elements`.
    Network,
    /// A named list of service items, 专题清单.
    List,
    /// A series of batches, by its name.
    Batch,
    /// A unit of seed: `seed:PERMIT/UNIT`.
    Seed,
    /// A grant, by its name.
    Grant,
    /// Everything an agency did with licences, data and documents, by its 统一社会信用代码.
    Actor,
    /// Everything that was done with data, by its name.
    Data,
    /// A registered document, by its digest.
    Document,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 14] = [
        Self::Item,
        Self::Basic,
        Self::Licence,
        Self::Lot,
        Self::Agency,
        Self::Proposal,
        Self::Network,
        Self::List,
        Self::Batch,
        Self::Seed,
        Self::Grant,
        Self::Actor,
        Self::Data,
        Self::Document,
    ];

    /// The word before the colon in `KIND:ID`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Item => "item",
            Self::Basic => "basic",
            Self::Licence => "licence",
            Self::Lot => "lot",
            Self::Agency => "agency",
            Self::Proposal => "proposal",
            Self::Network => "network",
            Self::List => "list",
            Self::Batch => "batch",
            Self::Seed => "seed",
            Self::Grant => "grant",
            Self::Actor => "actor",
            Self::Data => "data",
            Self::Document => "document",
        }
    }
}

/// A thing the ledger keeps the state of, written `KIND:ID`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Subject {
    /// What kind of thing.
    pub kind: Kind,
    /// Its identifier.
    pub id: Text<256>,
}

impl Wire for Subject {
    const BYTES_MAX: usize = 300;
}

impl Subject {
    fn new(kind: Kind, id: &str) -> Self {
        Self { kind, id: Text::new(id).expect("identifiers are shorter than subjects allow") }
    }

    /// A service item.
    #[must_use]
    pub fn item(code: &ItemCode) -> Self {
        Self::new(Kind::Item, code)
    }

    /// All levels of a service item.
    #[must_use]
    pub fn basic(code: &BasicCode) -> Self {
        Self::new(Kind::Basic, code)
    }

    /// A licence.
    #[must_use]
    pub fn licence(id: &LicenceId) -> Self {
        Self::new(Kind::Licence, id)
    }

    /// A lot.
    #[must_use]
    pub fn lot(id: &Lot) -> Self {
        Self::new(Kind::Lot, id)
    }

    /// An agency.
    #[must_use]
    pub fn agency(code: &AgencyCode) -> Self {
        Self::new(Kind::Agency, code.as_str())
    }

    /// A proposal.
    #[must_use]
    pub fn proposal(record: &RecordId) -> Self {
        Self::new(Kind::Proposal, &record.to_string())
    }

    /// The network itself.
    #[must_use]
    pub fn network() -> Self {
        Self::new(Kind::Network, "chain")
    }

    /// Which elements of service items are uniform.
    #[must_use]
    pub fn elements() -> Self {
        Self::new(Kind::Network, "elements")
    }

    /// A named list of service items.
    #[must_use]
    pub fn list(name: &ListName) -> Self {
        Self::new(Kind::List, name)
    }

    /// A series of batches.
    #[must_use]
    pub fn batch(series: &Series) -> Self {
        Self::new(Kind::Batch, series)
    }

    /// A unit of seed. Whoever holds a permit sets the codes under it, so two holders may use the same one.
    #[must_use]
    pub fn seed(permit: &LicenceId, unit: &SeedUnit) -> Self {
        Self::new(Kind::Seed, &format!("{permit}/{unit}"))
    }

    /// A grant.
    #[must_use]
    pub fn grant(id: &GrantId) -> Self {
        Self::new(Kind::Grant, &id.to_string())
    }

    /// What an agency did with licences, data and documents.
    #[must_use]
    pub fn actor(code: &AgencyCode) -> Self {
        Self::new(Kind::Actor, code.as_str())
    }

    /// What was done with data.
    #[must_use]
    pub fn data(name: &DataName) -> Self {
        Self::new(Kind::Data, name)
    }

    /// A registered document.
    #[must_use]
    pub fn document(digest: &Digest) -> Self {
        Self::new(Kind::Document, &digest.to_string())
    }

    /// Its place in the state map.
    #[must_use]
    pub fn key(&self) -> Hash {
        codec::encoded(self, |bytes| hash(Purpose::SubjectKey, &[bytes]))
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.name(), self.id)
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Subject {
    type Err = crate::hash::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = crate::hash::ParseError {
            expected: "KIND:ID with a kind of item, basic, licence, lot, agency, proposal, network, list, batch, seed, grant, actor, data or document",
        };
        let (kind, id) = text.split_once(':').ok_or_else(|| expected.clone())?;
        let kind =
            Kind::ALL.into_iter().find(|k| k.name() == kind).ok_or_else(|| expected.clone())?;
        Ok(Self { kind, id: Text::new(id).map_err(|_bad| expected)? })
    }
}

/// Where a subject stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// In force: a published item, a licence of state 01 有效, a lot that has been seen.
    Active,
    /// On hold: a suspended item, a licence of state 02 暂扣.
    Suspended,
    /// 03 撤销: issued unlawfully. Terminal.
    Annulled,
    /// 04 注销: formally ended; for an item, cancelled. Terminal.
    Cancelled,
    /// 06 转出. Only a transfer-in may follow, which supersedes it.
    TransferredOut,
    /// 07 吊销: ended as a penalty. Terminal.
    Revoked,
    /// Ended by a successor. Terminal.
    Superseded,
    /// An agency that a proposal would enrol: it has no authority yet.
    Proposed,
    /// A proposal that was approved and done. Terminal.
    Enacted,
    /// 05 失效: the time of a licence has run out, and that was taken note of. Only an annulment or the formal end follows.
    Expired,
    /// Data that is no more. Terminal.
    Destroyed,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 11] = [
        Self::Active,
        Self::Suspended,
        Self::Annulled,
        Self::Cancelled,
        Self::TransferredOut,
        Self::Revoked,
        Self::Superseded,
        Self::Proposed,
        Self::Enacted,
        Self::Expired,
        Self::Destroyed,
    ];
}

/// What the state map holds under a subject's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubjectState {
    /// The subject.
    pub subject: Subject,
    /// Where it stands.
    pub status: Status,
    /// The agency it belongs to: the publisher, the issuer, the first to see a lot.
    pub owner: AgencyCode,
    /// How many times its content was replaced, from 1; for items, 事项版本.
    pub version: u32,
    /// How many records it has.
    pub records: u64,
    /// The end of the chain of all its records: see [`Link::extend`].
    pub head: Hash,
    /// The log position of its latest record.
    pub latest: u64,
    /// When the latest change takes effect.
    pub effective_from: Timestamp,
    /// What more there is to know of its kind.
    pub facts: Facts,
}

/// What the state of one kind holds and others do not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Facts {
    /// Of a service item.
    Item {
        /// 基本编码.
        basic: BasicCode,
        /// 行使层级.
        level: Level,
        /// Where it is exercised.
        region: Region,
        /// 计划取消日期.
        planned_cancel: Option<Timestamp>,
    },
    /// Of all levels of an item: the entry that opened the basic code, and closes it when it is cancelled.
    Basic {
        /// That entry's level.
        level: Level,
        /// That entry.
        opener: ItemCode,
    },
    /// Of a licence.
    Licence {
        /// What it said of itself when issued.
        facts: LicenceFacts,
        /// The licence that took its place.
        successor: Option<LicenceId>,
    },
    /// Of a lot: nothing but its history.
    Lot,
    /// Of an agency.
    Agency(Box<AgencyFacts>),
    /// Of a proposal.
    Proposal(Box<ProposalFacts>),
    /// Of the network.
    Network(Box<NetworkFacts>),
    /// Of the uniform elements: their names.
    Elements(Vec<FieldName>),
    /// Of a named list of service items.
    List {
        /// The region whose catalogue it is a part of.
        region: Region,
        /// The digest of its items, in order: [`crate::item::members_root`].
        members: Hash,
        /// How many they are.
        count: u32,
    },
    /// Of a series of batches: how many lines all of them have.
    Batch {
        /// The lines.
        lines: u64,
    },
    /// Of a unit of seed.
    Seed {
        /// The lot it is of.
        lot: Lot,
    },
    /// Of a grant.
    Grant(Box<GrantFacts>),
    /// Of an actor or data: nothing but their history.
    Trail,
    /// Of a registered document.
    Document {
        /// What it is called.
        title: Title,
        /// How often it was used again.
        uses: u64,
    },
}

impl Wire for SubjectState {
    const BYTES_MAX: usize = crate::authority::FACTS_BYTES_MAX + 1024;
}

/// One step of a subject's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The record's position in the log.
    pub position: u64,
    /// The record.
    pub record: RecordId,
    /// The subject's part in it.
    pub part: Part,
}

impl Wire for Link {
    const BYTES_MAX: usize = 64;
}

impl Link {
    /// The end of the chain after this link. The chain begins at [`Hash::ZERO`].
    #[must_use]
    pub fn extend(&self, head: &Hash) -> Hash {
        codec::encoded(self, |bytes| hash(Purpose::History, &[head.as_bytes(), bytes]))
    }
}

impl SubjectState {
    /// The hash under which the state map holds it.
    #[must_use]
    pub fn digest(&self) -> Hash {
        codec::encoded(self, |bytes| hash(Purpose::SubjectValue, &[bytes]))
    }

    /// Adds a record to its history.
    pub fn append(&mut self, link: &Link) {
        self.head = link.extend(&self.head);
        self.records += 1;
        self.latest = link.position;
    }
}
