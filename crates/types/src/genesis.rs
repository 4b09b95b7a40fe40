//! What everyone agrees on by hand before the first block; its digest is the chain's id.

use crate::{
    agency::{Agency, AgencyCode, Level, Region},
    authority::AgencyFacts,
    codec::{self, Wire},
    committee::{Committee, CommitteeError, Validator},
    hash::{ChainId, Purpose, hash},
    key::PublicKey,
    net::Peer,
    text::Text,
    time::Timestamp,
};
use core::ops::RangeInclusive;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The version of the genesis format.
pub const VERSION: u16 = 1;

/// A genesis file. There are no defaults: what is not written is not agreed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// The format, [`VERSION`].
    pub version: u16,
    /// The network's name, for people.
    pub name: Text<64>,
    /// The time of height 0; every block is later.
    pub time: Timestamp,
    /// What a block may hold.
    pub limits: Limits,
    /// How long validators wait for one another.
    pub timing: Timing,
    /// How changes to all of this are decided.
    pub governance: GovernanceRules,
    /// The agencies, with their keys and roles.
    pub agencies: Vec<Agency>,
    /// The validators, in seat order.
    pub validators: Vec<Seat>,
}

impl Wire for Genesis {
    const BYTES_MAX: usize = 4 << 20;
}

/// What a block may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// The most bytes of transactions in a block.
    pub block_bytes_max: u32,
    /// The most operations in a block.
    pub block_operations_max: u32,
    /// How many heights ahead a transaction's `valid_until` may lie.
    pub validity_heights_max: u32,
}

impl Limits {
    /// Whether a chain with these limits can go on.
    ///
    /// # Errors
    /// The first field out of its range.
    pub fn check(&self) -> Result<(), GenesisError> {
        let Self { block_bytes_max, block_operations_max, validity_heights_max } = *self;
        // A block's frame must hold its transactions and the header around them.
        within(&[
            ("limits.block_bytes_max", block_bytes_max, 1 << 16..=4_000_000, "65536 to 4000000"),
            ("limits.block_operations_max", block_operations_max, 1..=100_000, "1 to 100000"),
            ("limits.validity_heights_max", validity_heights_max, 10..=1_000_000, "10 to 1000000"),
        ])
    }
}

type Row = (&'static str, u32, RangeInclusive<u32>, &'static str);

fn within(rows: &[Row]) -> Result<(), GenesisError> {
    for (name, found, range, wanted) in rows {
        if !range.contains(found) {
            return Err(GenesisError::Limit { name, found: *found, wanted });
        }
    }
    Ok(())
}

/// How long validators wait for one another, milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    /// For a proposal, in round 0.
    pub propose_ms: u32,
    /// For votes after a quorum has voted differently, in round 0.
    pub vote_ms: u32,
    /// What each further round adds to both.
    pub round_step_ms: u32,
    /// The most any of them grows to.
    pub timeout_max_ms: u32,
    /// After this long without transactions, an empty block says that the network lives.
    pub idle_ms: u32,
    /// How far a block's time may be ahead of a validator's clock.
    pub clock_ahead_ms: u32,
}

impl Timing {
    /// Whether a chain with this timing can go on.
    ///
    /// # Errors
    /// The first field out of its range.
    pub fn check(&self) -> Result<(), GenesisError> {
        let Self { propose_ms, vote_ms, round_step_ms, timeout_max_ms, idle_ms, clock_ahead_ms } =
            *self;
        within(&[
            ("timing.propose_ms", propose_ms, 10..=60_000, "10 to 60000"),
            ("timing.vote_ms", vote_ms, 10..=60_000, "10 to 60000"),
            ("timing.round_step_ms", round_step_ms, 1..=60_000, "1 to 60000"),
            ("timing.timeout_max_ms", timeout_max_ms, 100..=600_000, "100 to 600000"),
            ("timing.idle_ms", idle_ms, 10..=600_000, "10 to 600000"),
            ("timing.clock_ahead_ms", clock_ahead_ms, 10..=600_000, "10 to 600000"),
        ])
    }
}

/// How the governing agencies, those with a role of `govern`, decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GovernanceRules {
    /// How many of a hundred governing agencies must approve a change. More than half, so that no two halves disagree.
    pub approval_percent: u32,
    /// For how many heights a proposal may be approved.
    pub open_heights: u32,
    /// How many heights after its approval a committee takes over, so that those who join can catch up.
    pub lead_heights: u32,
}

impl GovernanceRules {
    /// Whether governance can go on by these rules.
    ///
    /// # Errors
    /// The first field out of its range.
    pub fn check(&self) -> Result<(), GenesisError> {
        let Self { approval_percent, open_heights, lead_heights } = *self;
        within(&[
            ("governance.approval_percent", approval_percent, 51..=100, "51 to 100"),
            ("governance.open_heights", open_heights, 10..=10_000_000, "10 to 10000000"),
            ("governance.lead_heights", lead_heights, 1..=1_000_000, "1 to 1000000"),
        ])
    }

    /// How many approvals a change needs when so many agencies govern.
    #[must_use]
    pub const fn needed(&self, governors: usize) -> usize {
        let needed = (governors * self.approval_percent as usize).div_ceil(100);
        if needed == 0 { 1 } else { needed }
    }
}

/// A validator: an agency's seat, with its two keys. Addresses are each operator's own business.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seat {
    /// The agency that operates it.
    pub agency: AgencyCode,
    /// Signs votes.
    pub consensus_key: PublicKey,
    /// Opens connections.
    pub transport_key: PublicKey,
}

/// Why a file is not a genesis.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// Not TOML of this shape.
    #[error("not a genesis file: {0}")]
    Toml(String),
    /// Another format.
    #[error("genesis format {found}; this version reads {VERSION}")]
    Version {
        /// The format it has.
        found: u16,
    },
    /// Larger than anything this version handles.
    #[error("{name} is {found}; it must be {wanted}")]
    Limit {
        /// The field.
        name: &'static str,
        /// Its value.
        found: u32,
        /// What it must be.
        wanted: &'static str,
    },
    /// An agency enrolled twice.
    #[error("agency {0} is enrolled twice")]
    AgencyTwice(AgencyCode),
    /// A code that no agency has.
    #[error("{0} is named but not enrolled as an agency")]
    Unknown(AgencyCode),
    /// Parents in a circle.
    #[error("agency {0} is above itself")]
    Circle(AgencyCode),
    /// A level that the region does not have, or a region outside that of the agency above.
    #[error(
        "agency {agency} stands at {level:?} level in region {region}: the code is not of that level, or lies outside the region of the agency above"
    )]
    Region {
        /// The agency.
        agency: AgencyCode,
        /// Its level.
        level: Level,
        /// Its region.
        region: Region,
    },
    /// More than is kept of one subject.
    #[error("agency {0} would take more room than a subject may: give it fewer or smaller roles")]
    Size(AgencyCode),
    /// One key in two places. Three keys, three jobs.
    #[error("the key {0} is used twice")]
    KeyTwice(PublicKey),
    /// A key that anyone could sign with.
    #[error("the key {0} is weak")]
    WeakKey(PublicKey),
    /// The validators are not a committee.
    #[error(transparent)]
    Committee(#[from] CommitteeError),
}

impl Genesis {
    /// The genesis that a TOML file spells, checked.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_toml(text: &str) -> Result<Self, GenesisError> {
        let genesis: Self =
            toml::from_str(text).map_err(|error| GenesisError::Toml(error.to_string()))?;
        genesis.check()?;
        Ok(genesis)
    }

    /// A template: a genesis whose keys and validators are still to be filled in. Only its shape is checked.
    ///
    /// # Errors
    /// When it is not of this shape.
    pub fn template(text: &str) -> Result<Self, GenesisError> {
        toml::from_str(text).map_err(|error| GenesisError::Toml(error.to_string()))
    }

    /// The TOML file that spells it.
    ///
    /// # Panics
    /// Never: every field has a TOML form.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("every field has a TOML form")
    }

    /// Whether the parts fit together.
    ///
    /// # Errors
    /// The first thing that does not.
    pub fn check(&self) -> Result<(), GenesisError> {
        if self.version != VERSION {
            return Err(GenesisError::Version { found: self.version });
        }
        self.check_numbers()?;
        let mut agencies = BTreeMap::new();
        let mut keys = BTreeSet::new();
        let mut enrol = |key: PublicKey| {
            PublicKey::new(*key.as_bytes()).map_err(|_weak| GenesisError::WeakKey(key))?;
            if keys.insert(key) { Ok(()) } else { Err(GenesisError::KeyTwice(key)) }
        };
        for agency in &self.agencies {
            if agencies.insert(agency.code, agency.parent).is_some() {
                return Err(GenesisError::AgencyTwice(agency.code));
            }
            agency.keys.iter().try_for_each(|key| enrol(*key))?;
        }
        for seat in &self.validators {
            if !agencies.contains_key(&seat.agency) {
                return Err(GenesisError::Unknown(seat.agency));
            }
            enrol(seat.consensus_key)?;
            enrol(seat.transport_key)?;
        }
        for agency in &self.agencies {
            let mut above = agency.parent;
            for _ in 0..=self.agencies.len() {
                let Some(code) = above else { break };
                if code == agency.code {
                    return Err(GenesisError::Circle(code));
                }
                above = *agencies.get(&code).ok_or(GenesisError::Unknown(code))?;
            }
            self.check_place(agency)?;
        }
        Committee::new(self.seats())?;
        Ok(())
    }

    /// An agency's region is of its level and lies in that of the agency above, and there is room for all that may end it.
    fn check_place(&self, agency: &Agency) -> Result<(), GenesisError> {
        let Agency { code, region, level, parent, .. } = agency;
        let above = parent.and_then(|code| self.agency(&code));
        if !level.fits(*region) || above.is_some_and(|above| !above.region.covers(*region)) {
            let (agency, level, region) = (*code, *level, *region);
            return Err(GenesisError::Region { agency, level, region });
        }
        if AgencyFacts::of_genesis(agency).has_room(0) {
            Ok(())
        } else {
            Err(GenesisError::Size(*code))
        }
    }

    fn check_numbers(&self) -> Result<(), GenesisError> {
        self.limits.check()?;
        self.timing.check()?;
        self.governance.check()
    }

    fn seats(&self) -> Vec<Validator> {
        self.validators
            .iter()
            .filter_map(|seat| {
                let agency = self.agency(&seat.agency)?;
                Some(Validator {
                    agency: seat.agency,
                    name: agency.name.clone(),
                    key: seat.consensus_key,
                })
            })
            .collect()
    }

    /// The chain's id: the digest of the canonical form. Comments and layout of the file do not matter.
    #[must_use]
    pub fn chain(&self) -> ChainId {
        ChainId(hash(Purpose::Chain, &[&codec::encode(self)]))
    }

    /// The first committee.
    ///
    /// # Panics
    /// When the genesis was not checked.
    #[must_use]
    pub fn committee(&self) -> Committee {
        Committee::new(self.seats()).expect("a genesis is checked when it is read")
    }

    /// An agency by its code.
    #[must_use]
    pub fn agency(&self, code: &AgencyCode) -> Option<&Agency> {
        self.agencies.iter().find(|agency| agency.code == *code)
    }

    /// The transport identities of the validators, in seat order.
    pub fn peers(&self) -> impl Iterator<Item = Peer> + '_ {
        self.validators.iter().map(|seat| Peer(*seat.transport_key.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{agency::Role, key::SecretKey};

    const CODES: [&str; 4] =
        ["11350000MXDEX0015L", "11350000MXDEX0023F", "11350000MXDEX0031A", "11350000MXDEX004X2"];

    fn genesis() -> Genesis {
        let key = |n: usize| SecretKey::from_seed([u8::try_from(n).unwrap(); 32]).public();
        let code = |index: usize| AgencyCode::new(CODES[index]).unwrap();
        Genesis {
            version: VERSION,
            name: "test".parse().unwrap(),
            time: "2026-01-01T00:00:00Z".parse().unwrap(),
            limits: Limits {
                block_bytes_max: 1 << 20,
                block_operations_max: 1000,
                validity_heights_max: 1000,
            },
            timing: Timing {
                propose_ms: 500,
                vote_ms: 200,
                round_step_ms: 100,
                timeout_max_ms: 5000,
                idle_ms: 1000,
                clock_ahead_ms: 500,
            },
            governance: GovernanceRules {
                approval_percent: 67,
                open_heights: 100,
                lead_heights: 2,
            },
            agencies: (0..4)
                .map(|n| Agency {
                    code: code(n),
                    name: format!("机构{n}").parse().unwrap(),
                    region: Region::new("350000").unwrap(),
                    level: Level::Province,
                    parent: (n > 0).then(|| code(0)),
                    keys: vec![key(n)],
                    roles: vec![Role::Item { regions: vec![Region::new("350000").unwrap()] }],
                })
                .collect(),
            validators: (0..4)
                .map(|n| Seat {
                    agency: code(n),
                    consensus_key: key(10 + n),
                    transport_key: key(20 + n),
                })
                .collect(),
        }
    }

    #[test]
    fn agencies_stand_where_their_regions_let_them() {
        let at = |level, place: &str, parent: bool| {
            let mut genesis = genesis();
            let last = genesis.agencies.last_mut().unwrap();
            (last.level, last.region) = (level, Region::new(place).unwrap());
            last.parent = last.parent.filter(|_| parent);
            genesis.check()
        };
        for (level, place, parent, sound) in [
            (Level::Province, "350000", true, true),
            (Level::City, "350100", true, true),
            (Level::County, "350122", true, true),
            (Level::Village, "350122", true, true),
            (Level::City, "350000", true, false),
            (Level::Province, "350100", true, false),
            (Level::National, "350000", false, false),
            (Level::National, "100000", false, true),
            (Level::City, "360100", true, false),
            (Level::City, "360100", false, true),
        ] {
            let found = at(level, place, parent);
            let wrong = matches!(found, Err(GenesisError::Region { .. }));
            assert_eq!((found.is_ok(), wrong), (sound, !sound), "{level:?} {place}: {found:?}");
        }
        let mut full = genesis();
        let space = |n: usize| format!("urn:{n:0>250}").parse().unwrap();
        let role = Role::Trace { namespaces: (0..64).map(space).collect() };
        full.agencies[3].roles = vec![role; 4];
        assert_eq!(full.check(), Err(GenesisError::Size(full.agencies[3].code)));
    }

    #[test]
    fn a_genesis_reads_back_and_its_layout_does_not_matter() {
        let genesis = genesis();
        let text = genesis.to_toml();
        assert_eq!(Genesis::from_toml(&text).unwrap(), genesis, "{text}");
        let commented = format!("# a comment\n\n{text}\n\n# the end\n");
        assert_eq!(Genesis::from_toml(&commented).unwrap().chain(), genesis.chain());
        assert_eq!(codec::decode::<Genesis>(&codec::encode(&genesis)).unwrap(), genesis);
    }

    #[test]
    fn every_field_is_under_the_chain_id() {
        let chain = genesis().chain();
        let change = |edit: fn(&mut Genesis)| {
            let mut other = genesis();
            edit(&mut other);
            assert_ne!(other.chain(), chain);
        };
        change(|g| g.version = 2);
        change(|g| g.name = "other".parse().unwrap());
        change(|g| g.time = Timestamp(1));
        change(|g| g.limits.block_bytes_max += 1);
        change(|g| g.timing.idle_ms += 1);
        change(|g| g.governance.lead_heights += 1);
        change(|g| g.agencies[3].roles.clear());
        change(|g| g.agencies[3].parent = None);
        change(|g| g.validators.swap(0, 1));
        change(|g| g.validators[0].transport_key = g.agencies[0].keys[0]);
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        fn why(edit: fn(&mut Genesis)) -> GenesisError {
            let mut other = genesis();
            edit(&mut other);
            other.check().unwrap_err()
        }
        assert!(matches!(why(|g| g.version = 2), GenesisError::Version { found: 2 }));
        assert!(matches!(
            why(|g| g.timing.propose_ms = 0),
            GenesisError::Limit { name: "timing.propose_ms", .. }
        ));
        assert!(matches!(why(|g| g.limits.block_bytes_max = 1), GenesisError::Limit { .. }));
        assert!(matches!(
            why(|g| g.agencies[1].code = g.agencies[0].code),
            GenesisError::AgencyTwice(_)
        ));
        assert!(matches!(why(|g| drop(g.agencies.remove(3))), GenesisError::Unknown(_)));
        assert!(matches!(
            why(|g| g.agencies[0].parent = Some(g.agencies[2].code)),
            GenesisError::Circle(_)
        ));
        assert!(matches!(
            why(|g| g.validators[0].consensus_key = g.validators[1].consensus_key),
            GenesisError::KeyTwice(_)
        ));
        assert!(matches!(
            why(|g| g.validators.truncate(3)),
            GenesisError::Committee(CommitteeError::Size(3))
        ));
        let unknown = genesis().to_toml().replace("version = 1", "version = 1\nsurprise = 2");
        assert!(matches!(Genesis::from_toml(&unknown), Err(GenesisError::Toml(_))));
        let missing = genesis().to_toml().replace("idle_ms = 1000\n", "");
        assert!(matches!(Genesis::from_toml(&missing), Err(GenesisError::Toml(_))));
    }
}
