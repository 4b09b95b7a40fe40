//! Who may do what, as the chain itself decides it: enrolments, grants, proposals, and the committee to come.

use crate::{
    agency::{Agency, AgencyCode, Level, Region, Role},
    codec::{self, Wire},
    committee::{Committee, CommitteeError, Validator},
    fields::FieldName,
    genesis::{Genesis, GovernanceRules, Limits, Seat, Timing},
    hash::{ChainId, RecordId},
    key::{Domain, PublicKey, SecretKey, Signature},
    net::Peer,
    subject::{Facts, Status, Subject, SubjectState},
    text::Text,
    time::{Height, Timestamp},
};
use serde::{Deserialize, Serialize};

/// The most entries a list inside a role may have.
pub const SCOPE_MAX: usize = 64;
/// The most keys an enrolment may bring.
pub const KEYS_MAX: usize = 16;

/// A key, and its owner's word that it is theirs: a signature over the agency's code with that very key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Possessed {
    /// The key.
    pub key: PublicKey,
    /// The signature, [`Domain::Enrolment`].
    pub signature: Signature,
}

impl Possessed {
    fn body(agency: &AgencyCode, key: &PublicKey) -> Vec<u8> {
        [agency.as_str().as_bytes(), key.as_bytes()].concat()
    }

    /// The word of whoever holds `secret` that the key is `agency`'s.
    #[must_use]
    pub fn sign(secret: &SecretKey, chain: &ChainId, agency: &AgencyCode) -> Self {
        let key = secret.public();
        Self { key, signature: secret.sign(Domain::Enrolment, chain, &Self::body(agency, &key)) }
    }

    /// Whether the key's holder says that it is `agency`'s on `chain`, and it is a key fit for signing.
    #[must_use]
    pub fn holds(&self, chain: &ChainId, agency: &AgencyCode) -> bool {
        PublicKey::new(*self.key.as_bytes()).is_ok()
            && self
                .key
                .verify(Domain::Enrolment, chain, &Self::body(agency, &self.key), &self.signature)
                .is_ok()
    }
}

/// An act of governance, or of an agency on its own authority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Governance {
    /// A governing agency proposes a change, and thereby approves it.
    Propose(Box<Change>),
    /// A governing agency approves. The approval that makes enough enacts the change.
    Approve {
        /// The record that proposed it.
        proposal: RecordId,
        /// What the change is about, as the proposal says.
        target: Target,
    },
    /// The agency that proposed it takes it back.
    Withdraw {
        /// The record that proposed it.
        proposal: RecordId,
        /// What the change is about, as the proposal says.
        target: Target,
    },
    /// An agency lets one directly below it do part of what it may do itself.
    Delegate {
        /// To this agency.
        to: AgencyCode,
        /// What it may do.
        role: Role,
        /// Before this time; none means as long as the agency above may.
        until: Option<Timestamp>,
    },
    /// It takes that back.
    Undelegate {
        /// From this agency.
        from: AgencyCode,
        /// The number of the grant there.
        number: u32,
    },
    /// An agency replaces one of its own organisation keys.
    Rotate {
        /// Ends with this block.
        retire: PublicKey,
        /// Begins with the next.
        enrol: Possessed,
    },
}

/// What a change is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The network: its committee, limits, timing, rules of governance.
    Network,
    /// An agency.
    Agency(AgencyCode),
    /// Which elements of service items are uniform.
    Elements,
}

impl Target {
    /// Its subject.
    #[must_use]
    pub fn subject(&self) -> Subject {
        match self {
            Self::Network => Subject::network(),
            Self::Agency(code) => Subject::agency(code),
            Self::Elements => Subject::elements(),
        }
    }
}

/// A change that governance can make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// Enrol an agency.
    Enrol(Enrolment),
    /// Let an agency do nothing more, for now.
    Suspend(AgencyCode),
    /// End its suspension.
    Reinstate(AgencyCode),
    /// End it for good: it is dissolved.
    Dissolve(AgencyCode),
    /// Give an agency one more organisation key.
    EnrolKey {
        /// The agency.
        agency: AgencyCode,
        /// The key.
        key: Possessed,
    },
    /// Take an organisation key from an agency, lost or stolen.
    RetireKey {
        /// The agency.
        agency: AgencyCode,
        /// The key.
        key: PublicKey,
    },
    /// Let an agency do something.
    Grant {
        /// The agency.
        agency: AgencyCode,
        /// What it may do.
        role: Role,
        /// Before this time; none means without end.
        until: Option<Timestamp>,
    },
    /// No longer let it, nor those it delegated to.
    Revoke {
        /// The agency.
        agency: AgencyCode,
        /// The number of the grant.
        number: u32,
    },
    /// Change the committee.
    Committee {
        /// Seats that join, with the word of both their keys.
        join: Vec<NewSeat>,
        /// Consensus keys of the seats that leave.
        leave: Vec<PublicKey>,
    },
    /// What a block may hold.
    Limits(Limits),
    /// How long validators wait for one another.
    Timing(Timing),
    /// How governance itself decides.
    Rules(GovernanceRules),
    /// Which elements of service items are uniform at all levels, 五级十五同: every version of an item must have them.
    Elements(Vec<FieldName>),
}

impl Change {
    /// What it is about.
    #[must_use]
    pub const fn target(&self) -> Target {
        match self {
            Self::Enrol(Enrolment { code: agency, .. })
            | Self::Suspend(agency)
            | Self::Reinstate(agency)
            | Self::Dissolve(agency)
            | Self::EnrolKey { agency, .. }
            | Self::RetireKey { agency, .. }
            | Self::Grant { agency, .. }
            | Self::Revoke { agency, .. } => Target::Agency(*agency),
            Self::Committee { .. } | Self::Limits(_) | Self::Timing(_) | Self::Rules(_) => {
                Target::Network
            }
            Self::Elements(_) => Target::Elements,
        }
    }
}

/// An agency to be enrolled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    /// Its 统一社会信用代码.
    pub code: AgencyCode,
    /// Its name.
    pub name: Text<96>,
    /// Where it is.
    pub region: Region,
    /// Its level.
    pub level: Level,
    /// The agency above it, which must be enrolled and stand higher.
    pub parent: Option<AgencyCode>,
    /// Its organisation keys.
    pub keys: Vec<Possessed>,
}

/// A seat that joins the committee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewSeat {
    /// The agency that operates it.
    pub agency: AgencyCode,
    /// Will sign votes.
    pub consensus_key: Possessed,
    /// Will open connections.
    pub transport_key: Possessed,
}

/// A key with the heights between which it may sign. Kept after its end, so that what it signed can be judged for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyTerm {
    /// The key.
    pub key: PublicKey,
    /// The first height at which it may sign.
    pub from: Height,
    /// The first at which it no longer may.
    pub until: Option<Height>,
}

/// A role with the heights and the time between which it holds. Kept after its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Its number among the agency's grants.
    pub number: u32,
    /// What it allows.
    pub role: Role,
    /// The agency above that delegated it; none when governance granted it.
    pub by: Option<AgencyCode>,
    /// The first height at which it holds.
    pub from: Height,
    /// It holds for blocks whose parent is before this time.
    pub expires: Option<Timestamp>,
    /// The first height at which it no longer holds, once it was taken back.
    pub until: Option<Height>,
}

/// The block a rule is applied in: its height, and the time of its parent, which everyone knows beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The height.
    pub height: Height,
    /// The time of the block before.
    pub time: Timestamp,
}

const fn is_within(height: Height, from: Height, until: Option<Height>) -> bool {
    height.0 >= from.0
        && match until {
            Some(until) => height.0 < until.0,
            None => true,
        }
}

impl KeyTerm {
    /// Whether the key may sign at a height.
    #[must_use]
    pub const fn holds(&self, height: Height) -> bool {
        is_within(height, self.from, self.until)
    }
}

impl Grant {
    /// Whether it holds at a moment, as far as it says itself.
    #[must_use]
    pub fn holds(&self, at: Moment) -> bool {
        is_within(at.height, self.from, self.until)
            && self.expires.is_none_or(|expires| at.time < expires)
    }
}

/// Heights between which an agency could not act. Kept after its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspension {
    /// The first height at which it could not.
    pub from: Height,
    /// The first at which it could again; none while it cannot, and for ever once it is dissolved.
    pub until: Option<Height>,
}

impl Suspension {
    /// Whether the agency could not act at a height.
    #[must_use]
    pub const fn holds(&self, height: Height) -> bool {
        is_within(height, self.from, self.until)
    }
}

/// What the state map holds of an agency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgencyFacts {
    /// Its name, as people know it.
    pub name: Text<96>,
    /// Where it is.
    pub region: Region,
    /// Its level.
    pub level: Level,
    /// The agency above it.
    pub parent: Option<AgencyCode>,
    /// Its organisation keys, all that it ever had.
    pub keys: Vec<KeyTerm>,
    /// What it may do, and ever might.
    pub grants: Vec<Grant>,
    /// When it could not act: suspended, or dissolved.
    pub suspensions: Vec<Suspension>,
}

impl AgencyFacts {
    /// The facts of an agency that genesis enrols: its keys and roles hold from the first block on.
    #[must_use]
    pub fn of_genesis(agency: &Agency) -> Self {
        let Agency { code: _, name, region, level, parent, keys, roles } = agency;
        let from = Height::GENESIS.next();
        let grant = |(number, role): (u32, &Role)| Grant {
            number,
            role: role.clone(),
            by: None,
            from,
            expires: None,
            until: None,
        };
        Self {
            name: name.clone(),
            region: *region,
            level: *level,
            parent: *parent,
            keys: keys.iter().map(|key| KeyTerm { key: *key, from, until: None }).collect(),
            grants: (0..).zip(roles).map(grant).collect(),
            suspensions: Vec::new(),
        }
    }

    /// Whether it was suspended or dissolved at a height.
    #[must_use]
    pub fn is_suspended(&self, height: Height) -> bool {
        self.suspensions.iter().any(|suspension| suspension.holds(height))
    }

    /// Whether a key may sign for it at a height.
    #[must_use]
    pub fn may_sign(&self, key: &PublicKey, height: Height) -> bool {
        self.keys.iter().any(|term| term.key == *key && term.holds(height))
    }

    /// Whether every key, grant and suspension of it can still be ended, it can be suspended once more, and so many bytes are
    /// left after that. What ends never adds to what is counted here, so it always finds room.
    #[must_use]
    pub fn has_room(&self, spare: usize) -> bool {
        let end = Some(Height(u64::MAX));
        let mut ended = self.clone();
        ended.keys.iter_mut().for_each(|term| term.until = term.until.or(end));
        ended.grants.iter_mut().for_each(|grant| grant.until = grant.until.or(end));
        match ended.suspensions.last_mut() {
            Some(last) if last.until.is_none() => last.until = end,
            Some(_) | None => {
                ended.suspensions.push(Suspension { from: Height::GENESIS, until: end });
            }
        }
        codec::length(&Facts::Agency(Box::new(ended))) + spare <= FACTS_BYTES_MAX
    }

    /// Whether it ever had this key.
    #[must_use]
    pub fn had(&self, key: &PublicKey) -> bool {
        self.keys.iter().any(|term| term.key == *key)
    }
}

/// A validator with all that its neighbours need to know of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its seat in the committee.
    pub validator: Validator,
    /// The key it opens connections with.
    pub transport_key: PublicKey,
}

/// A committee that is to take over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scheduled {
    /// The first height it decides.
    pub at: Height,
    /// Its members, in seat order.
    pub members: Vec<Member>,
}

/// What the state map holds of the network as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkFacts {
    /// The members of the committee until the scheduled one takes over, in seat order.
    pub members: Vec<Member>,
    /// The committee that takes over next, or has.
    pub scheduled: Option<Scheduled>,
    /// What a block may hold.
    pub limits: Limits,
    /// How long validators wait for one another.
    pub timing: Timing,
    /// How governance decides.
    pub governance: GovernanceRules,
}

impl NetworkFacts {
    /// What genesis says.
    #[must_use]
    pub fn of_genesis(genesis: &Genesis) -> Self {
        let member = |seat: &Seat| {
            let name = genesis.agency(&seat.agency)?.name.clone();
            let validator = Validator { agency: seat.agency, name, key: seat.consensus_key };
            Some(Member { validator, transport_key: seat.transport_key })
        };
        Self {
            members: genesis.validators.iter().filter_map(member).collect(),
            scheduled: None,
            limits: genesis.limits,
            timing: genesis.timing,
            governance: genesis.governance,
        }
    }

    /// The members that decide a height.
    #[must_use]
    pub fn members_at(&self, height: Height) -> &[Member] {
        match &self.scheduled {
            Some(scheduled) if height >= scheduled.at => &scheduled.members,
            Some(_) | None => &self.members,
        }
    }

    /// The committee of some members.
    ///
    /// # Errors
    /// When they are no committee.
    pub fn committee(members: &[Member]) -> Result<Committee, CommitteeError> {
        Committee::new(members.iter().map(|member| member.validator.clone()).collect())
    }

    /// The members that decide a height, and those who are to take over later.
    pub fn members_from(&self, height: Height) -> impl Iterator<Item = &Member> {
        let waiting = self.scheduled.iter().filter(move |scheduled| height < scheduled.at);
        self.members_at(height).iter().chain(waiting.flat_map(|scheduled| &scheduled.members))
    }

    /// Those to be connected to from a height on.
    #[must_use]
    pub fn peers(&self, height: Height) -> Vec<Peer> {
        let peer = |member: &Member| Peer(*member.transport_key.as_bytes());
        let mut peers: Vec<_> = self.members_from(height).map(peer).collect();
        peers.sort_unstable();
        peers.dedup();
        peers
    }
}

/// What the state map holds of a proposal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposalFacts {
    /// The change.
    pub change: Box<Change>,
    /// Those who approve, the proposer first.
    pub approvals: Vec<AgencyCode>,
    /// The last height at which it may be approved.
    pub closes: Height,
}

impl Genesis {
    /// What the state map holds before the first block: the network, and every agency.
    #[must_use]
    pub fn subjects(&self) -> Vec<SubjectState> {
        let owner = self.agencies.first().map(|agency| agency.code);
        let state = |subject, owner, facts| SubjectState {
            subject,
            status: Status::Active,
            owner,
            version: 1,
            records: 0,
            head: crate::Hash::ZERO,
            latest: 0,
            effective_from: self.time,
            facts,
        };
        let network = owner.map(|owner| {
            let facts = Facts::Network(Box::new(NetworkFacts::of_genesis(self)));
            state(Subject::network(), owner, facts)
        });
        let agencies = self.agencies.iter().map(|agency| {
            let facts = Facts::Agency(Box::new(AgencyFacts::of_genesis(agency)));
            state(Subject::agency(&agency.code), agency.code, facts)
        });
        network.into_iter().chain(agencies).collect()
    }
}

/// The most bytes one of these facts may take, so that a subject's state fits where it is kept and proven.
pub const FACTS_BYTES_MAX: usize = 60 << 10;

/// What an agency and the one above it leave free of that in all they do themselves, so that governance can always add to it.
pub const FACTS_BYTES_SPARE: usize = 8 << 10;

/// Whether facts are small enough to be kept.
#[must_use]
pub fn fits(facts: &Facts) -> bool {
    codec::length(facts) <= FACTS_BYTES_MAX
}

impl Wire for Change {
    const BYTES_MAX: usize = FACTS_BYTES_MAX;
}
