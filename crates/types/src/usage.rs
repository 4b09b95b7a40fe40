//! How licences, data and documents are used: who lets whom, who did so, and by what right.

use crate::{
    agency::AgencyCode,
    codec,
    fields::FieldName,
    hash::{Digest, GrantId, Purpose as HashOf, hash},
    operation::{ItemCode, LicenceId},
    subject::{Kind, Part, Subject},
    text::Text,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// What something is used for, 事由. Compared byte for byte.
pub type Purpose = Text<240>;
/// What tells several grants of one licence to one agency for one purpose apart, such as a case number, 办件编号.
pub type Reference = Text<64>;
/// Data: `licence:ID`, `item:ID` or `lot:ID` on this ledger; or the owner's code, a slash, and the owner's own name for it.
pub type DataName = Text<200>;
/// What a document is called, 材料名称.
pub type Title = Text<96>;

/// The most fields one act may name.
pub const FIELDS_MAX: usize = 64;
/// The most uses one grant may allow.
pub const USES_MAX: u32 = 1_000_000;

/// An act of use, or one that allows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Usage {
    /// 亮证授权: the holder's side lets an agency use a licence.
    Grant(Terms),
    /// 用证: that agency does.
    Use(Presented),
    /// 收回授权: the holder's side ends a grant before its time.
    Withdraw {
        /// The grant.
        grant: GrantId,
        /// The licence it is of.
        licence: LicenceId,
    },
    /// 调阅: data is read.
    Access(DataUse),
    /// 共享: data is handed to another agency.
    Transfer {
        /// What, and by what right.
        data: DataUse,
        /// To whom.
        to: AgencyCode,
    },
    /// 销毁: data is destroyed; so are the salts of a licence, by which what it disclosed can no longer be found.
    Destroy(DataUse),
    /// 一次生成: a document is registered, so that others need not ask for it again.
    Register {
        /// The digest of its bytes.
        document: Digest,
        /// What it is called.
        title: Title,
    },
    /// 多方复用: it is used again, by the agency that acts.
    Reuse(Reuse),
    /// A registered document is not to be used any more.
    Retire {
        /// The digest of its bytes.
        document: Digest,
    },
}

/// What a grant allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Of this licence.
    pub licence: LicenceId,
    /// To this agency.
    pub grantee: AgencyCode,
    /// For this.
    pub purpose: Purpose,
    /// What tells it from other such grants.
    pub reference: Option<Reference>,
    /// These fields, ascending: 1 to [`FIELDS_MAX`].
    pub fields: Vec<FieldName>,
    /// Before this time.
    pub expires: Timestamp,
    /// So many times: 1 to [`USES_MAX`].
    pub uses_max: u32,
}

impl Terms {
    /// The grant's name: it follows from the licence, the grantee, the purpose and the reference, so that whoever uses it
    /// can name it without having been told.
    #[must_use]
    pub fn id(&self) -> GrantId {
        grant_id(&self.licence, &self.grantee, &self.purpose, self.reference.as_ref())
    }
}

/// The name of the grant of a licence to an agency for a purpose.
#[must_use]
pub fn grant_id(
    licence: &LicenceId,
    grantee: &AgencyCode,
    purpose: &Purpose,
    reference: Option<&Reference>,
) -> GrantId {
    GrantId(hash(HashOf::Grant, &[&codec::encode(&(licence, grantee, purpose, reference))]))
}

/// A use of a licence under a grant, 加注件.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presented {
    /// The grant.
    pub grant: GrantId,
    /// The licence it is of.
    pub licence: LicenceId,
    /// For this.
    pub purpose: Purpose,
    /// These fields, ascending; none means all that were granted.
    pub fields: Vec<FieldName>,
    /// 加注件制作时间.
    pub made_at: Timestamp,
    /// 加注件有效期截止时间: until when the copy made may be kept.
    pub copy_until: Option<Timestamp>,
}

/// A use of data, and by what right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataUse {
    /// The data.
    pub data: DataName,
    /// For this.
    pub purpose: Purpose,
    /// These fields, ascending; none means all, and under a grant all that were granted.
    pub fields: Vec<FieldName>,
    /// By this right.
    pub basis: Basis,
    /// When it happened.
    pub made_at: Timestamp,
}

/// A registered document, used again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reuse {
    /// The digest of its bytes.
    pub document: Digest,
    /// For this.
    pub purpose: Purpose,
    /// By this right, where one is needed.
    pub basis: Option<Basis>,
    /// When it happened.
    pub made_at: Timestamp,
}

/// By what right data is used, 用必有据. It must be live when the use is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// A grant to the agency that acts. It counts as one of its uses.
    Grant(GrantId),
    /// A service item in force, which the agency that acts exercises.
    Item(ItemCode),
    /// A licence that is valid, which the agency that acts issued or is in charge of.
    Licence(LicenceId),
    /// The role of this number among those of the agency that acts. To data of others it gives a right as far as it covers it.
    Role(u32),
}

/// Whose data is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataOwner {
    /// The owner of this subject.
    Subject(Subject),
    /// This agency.
    Agency(AgencyCode),
}

/// Whose data of this name is; `None` when the name does not say.
#[must_use]
pub fn data_owner(name: &DataName) -> Option<DataOwner> {
    if let Ok(subject) = name.parse::<Subject>()
        && matches!(subject.kind, Kind::Licence | Kind::Item | Kind::Lot)
    {
        return Some(DataOwner::Subject(subject));
    }
    let (code, own) = name.split_once('/')?;
    (!own.trim().is_empty()).then(|| AgencyCode::new(code).ok().map(DataOwner::Agency))?
}

/// The name of a licence's data.
///
/// # Panics
/// Never: identifiers of licences are shorter than names of data.
#[must_use]
pub fn licence_data(licence: &LicenceId) -> DataName {
    DataName::new(Subject::licence(licence).to_string()).expect("licences are shorter than data")
}

impl Usage {
    /// The subjects it appends to when `agency` does it, in order.
    pub(crate) fn subjects(&self, agency: &AgencyCode) -> Vec<(Subject, Part)> {
        let licence = |id: &LicenceId| (Subject::data(&licence_data(id)), Part::Target);
        let actor = (Subject::actor(agency), Part::Actor);
        let recipient = |to: &AgencyCode| {
            (to != agency).then(|| (Subject::actor(to), Part::Recipient)).into_iter()
        };
        let basis = |basis: &Basis| match basis {
            Basis::Grant(grant) => Some((Subject::grant(grant), Part::Basis)),
            Basis::Item(_) | Basis::Licence(_) | Basis::Role(_) => None,
        };
        match self {
            Self::Grant(terms) => {
                let grant = (Subject::grant(&terms.id()), Part::Subject);
                let both = [grant, licence(&terms.licence), actor];
                both.into_iter().chain(recipient(&terms.grantee)).collect()
            }
            Self::Use(Presented { grant, licence: of, .. })
            | Self::Withdraw { grant, licence: of } => {
                vec![(Subject::grant(grant), Part::Subject), licence(of), actor]
            }
            Self::Access(data) | Self::Destroy(data) => {
                let all = [(Subject::data(&data.data), Part::Subject), actor];
                all.into_iter().chain(basis(&data.basis)).collect()
            }
            Self::Transfer { data, to } => {
                let all = [(Subject::data(&data.data), Part::Subject), actor];
                all.into_iter().chain(recipient(to)).chain(basis(&data.basis)).collect()
            }
            Self::Register { document, .. } | Self::Retire { document } => {
                vec![(Subject::document(document), Part::Subject), actor]
            }
            Self::Reuse(reuse) => {
                let all = [(Subject::document(&reuse.document), Part::Subject), actor];
                all.into_iter().chain(reuse.basis.as_ref().and_then(basis)).collect()
            }
        }
    }
}

/// What the state map holds of a grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantFacts {
    /// What it allows.
    pub terms: Terms,
    /// How often it was used.
    pub uses: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_says_whose_it_is() {
        let owner = |name: &str| data_owner(&name.parse().unwrap());
        for name in ["licence:L", "item:I", "lot:urn:x:1/2"] {
            assert_eq!(owner(name), Some(DataOwner::Subject(name.parse().unwrap())), "{name}");
        }
        let code = AgencyCode::new("11350000MXDEX0015L").unwrap();
        assert_eq!(owner("11350000MXDEX0015L/persons/2026"), Some(DataOwner::Agency(code)));
        for name in [
            "persons",
            "11350000MXDEX0015L",
            "11350000MXDEX0015L/",
            "11350000MXDEX0015M/persons",
            "agency:11350000MXDEX0015L",
            "data:licence:L",
            "document:x",
        ] {
            assert_eq!(owner(name), None, "{name}");
        }
    }

    #[test]
    fn a_grant_is_named_by_all_that_tells_it_from_others() {
        let terms = |licence: &str, grantee: &str, purpose: &str, reference: Option<&str>| Terms {
            licence: licence.parse().unwrap(),
            grantee: AgencyCode::new(grantee).unwrap(),
            purpose: purpose.parse().unwrap(),
            reference: reference.map(|text| text.parse().unwrap()),
            fields: vec!["f".parse().unwrap()],
            expires: Timestamp(1),
            uses_max: 1,
        };
        let one = terms("L", "11350000MXDEX0015L", "p", None);
        let same = Terms { expires: Timestamp(2), uses_max: 9, fields: Vec::new(), ..one.clone() };
        assert_eq!(one.id(), same.id());
        for other in [
            terms("M", "11350000MXDEX0015L", "p", None),
            terms("L", "11350000MXDEX0023F", "p", None),
            terms("L", "11350000MXDEX0015L", "q", None),
            terms("L", "11350000MXDEX0015L", "p", Some("1")),
        ] {
            assert_ne!(one.id(), other.id());
        }
    }
}
