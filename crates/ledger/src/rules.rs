//! Who may do what, and what it makes of the subjects it touches.

use crate::{
    authority::{Authority, Standing},
    objection::Objection,
    query,
    rejection::Rejection,
    state::State,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use types::{
    AgencyCode, ChainId, Committee, Genesis, Hash, Height, PublicKey, RecordId, Subject,
    SubjectState, Timestamp,
    agency::Role,
    authority::{Member, Moment, NetworkFacts},
    fields::FieldName,
    genesis::{Limits, Timing},
    net::Peer,
    operation::{Action, Family, LOTS_MAX, Operation, TraceEvent},
    privacy::personal_in,
    subject::{Facts, Status},
    transaction::TransactionHeader,
};

/// What the chain says of agencies, keys, limits and the committee for the next block, ready to be asked.
#[derive(Clone, Debug)]
pub struct Rules {
    chain: ChainId,
    /// What the state map holds before the first block, by place.
    genesis: Arc<Genesis>,
    first: Arc<BTreeMap<Hash, SubjectState>>,
    authority: Arc<Authority>,
    /// The height these rules are for.
    next: Height,
    committee: Committee,
    /// The digest of every committee that ever sat, this one included.
    sat: Arc<BTreeSet<Hash>>,
}

/// What a block changed in the rules themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amended {
    /// Agencies, keys, grants, limits or timing.
    pub authority: bool,
    /// The committee.
    pub committee: bool,
}

/// What the rules may look at: the state of subjects as the operation finds them.
pub trait View {
    /// A subject's state, by its key in the map.
    fn subject(&self, key: &Hash) -> Option<SubjectState>;

    /// Whether an agency took this key since the last block.
    fn has_key(&self, key: &PublicKey) -> bool;
}

/// Subjects as they are after an operation, before it is added to their history.
pub(crate) type Changes = Vec<(Hash, SubjectState)>;

/// One operation before its judge.
pub(crate) struct Case<'a, V> {
    pub(crate) index: usize,
    pub(crate) agency: AgencyCode,
    pub(crate) rules: &'a Rules,
    pub(crate) view: &'a V,
    pub(crate) at: Moment,
    pub(crate) effective_from: Timestamp,
}

impl Rules {
    /// The rules that a genesis sets for the first block.
    ///
    /// # Panics
    /// When the genesis was not checked.
    #[must_use]
    pub fn new(genesis: &Genesis) -> Self {
        let subjects = genesis.subjects();
        let next = Height::GENESIS.next();
        let authority = Authority::of(subjects.iter().cloned(), next);
        let first = subjects.into_iter().map(|state| (state.subject.key(), state)).collect();
        Self {
            chain: genesis.chain(),
            genesis: Arc::new(genesis.clone()),
            first: Arc::new(first),
            authority: Arc::new(authority),
            next,
            committee: genesis.committee(),
            sat: Arc::new(BTreeSet::from([genesis.committee().digest()])),
        }
    }

    /// The rules for the block after those that `state` holds.
    ///
    /// # Panics
    /// When the state holds what no commit wrote.
    #[must_use]
    pub fn load(genesis: &Genesis, state: &impl State) -> Self {
        let mut rules = Self::new(genesis);
        let height = query::height(state);
        if height > Height::GENESIS {
            rules.authority = Arc::new(Authority::of(query::authority(state), height.next()));
            rules.sat = Arc::new(query::seated(state));
        }
        rules.turn_to(height.next());
        rules
    }

    /// The rules for the block after the one that `state` has just taken in, and whether they are other rules.
    ///
    /// # Panics
    /// When the state holds what no commit wrote.
    #[must_use]
    pub fn after(&self, state: &impl State, outcome_governs: bool) -> (Self, Amended) {
        let (mut rules, next) = (self.clone(), query::height(state).next());
        if outcome_governs {
            rules.authority = Arc::new(Authority::of(query::authority(state), next));
        }
        rules.turn_to(next);
        let committee = rules.committee != self.committee;
        (rules, Amended { authority: outcome_governs, committee })
    }

    fn turn_to(&mut self, next: Height) {
        self.next = next;
        self.committee = NetworkFacts::committee(self.authority.network().members_at(next))
            .expect("no change makes a committee that is none");
        let digest = self.committee.digest();
        if !self.sat.contains(&digest) {
            Arc::make_mut(&mut self.sat).insert(digest);
        }
    }

    /// The digest of every committee that ever sat, this one included.
    pub(crate) fn seated(&self) -> &BTreeSet<Hash> {
        &self.sat
    }

    /// The chain.
    #[must_use]
    pub const fn chain(&self) -> &ChainId {
        &self.chain
    }

    /// What everyone agreed on by hand.
    #[must_use]
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// What the state map holds before the first block, by place.
    pub(crate) fn first(&self) -> &BTreeMap<Hash, SubjectState> {
        &self.first
    }

    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The time of height 0.
    #[must_use]
    pub fn genesis_time(&self) -> Timestamp {
        self.genesis.time
    }

    /// The network as the last block left it.
    #[must_use]
    pub fn network(&self) -> &NetworkFacts {
        self.authority.network()
    }

    /// What a block may hold.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.network().limits
    }

    /// How long validators wait for one another.
    #[must_use]
    pub fn timing(&self) -> Timing {
        self.network().timing
    }

    /// Whether a block may hold so many bytes and operations.
    pub(crate) fn has_room(&self, bytes: usize, operations: usize) -> bool {
        let within = |sum: usize, limit: u32| u32::try_from(sum).is_ok_and(|sum| sum <= limit);
        within(bytes, self.limits().block_bytes_max)
            && within(operations, self.limits().block_operations_max)
    }

    /// How far a block's time may be ahead of a validator's clock, milliseconds.
    #[must_use]
    pub fn clock_ahead_ms(&self) -> u64 {
        self.timing().clock_ahead_ms.into()
    }

    /// The height these rules are for.
    #[must_use]
    pub const fn next(&self) -> Height {
        self.next
    }

    /// The committee that decides it.
    #[must_use]
    pub const fn committee(&self) -> &Committee {
        &self.committee
    }

    /// Its members in seat order, with the keys by which they are connected to.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        self.network().members_at(self.next)
    }

    /// Those to be connected to: the committee, and those who are to take over.
    #[must_use]
    pub fn peers(&self) -> Vec<Peer> {
        self.network().peers(self.next)
    }

    /// The elements that every version of a service item must have, as the last block left them.
    #[must_use]
    pub fn uniform(&self) -> &[FieldName] {
        self.authority.uniform()
    }

    /// An agency as the last block left it.
    #[must_use]
    pub fn agency(&self, code: &AgencyCode) -> Option<&Standing> {
        self.authority.agency(code)
    }

    /// Every agency, by code.
    pub fn agencies(&self) -> impl Iterator<Item = (&AgencyCode, &Standing)> {
        self.authority.agencies()
    }

    /// The agency in whose name a header's key signs, if the header may be committed at `next`.
    pub(crate) fn authorise(
        &self,
        header: &TransactionHeader,
        next: Height,
    ) -> Result<AgencyCode, Rejection> {
        let valid_until = header.valid_until;
        if valid_until < next {
            return Err(Rejection::Expired { valid_until, next });
        }
        let max = next.plus(self.limits().validity_heights_max.into());
        if valid_until > max {
            return Err(Rejection::Horizon { valid_until, max });
        }
        let (key, claimed) = (header.key, header.agency);
        let owner = *self.authority.owner(&key).ok_or(Rejection::UnknownKey(key))?;
        let foreign = Rejection::ForeignKey { key, owner, claimed };
        if owner != claimed {
            return Err(foreign);
        }
        let standing = self.authority.agency(&owner).ok_or(foreign)?;
        if !standing.facts.may_sign(&key, next) {
            return Err(Rejection::KeyTerm { key, agency: owner, height: next });
        }
        if standing.status == Status::Active {
            Ok(owner)
        } else {
            Err(Rejection::Inactive { agency: owner, status: standing.status })
        }
    }

    /// What `operation` makes of its subjects, if `agency` may do it.
    pub(crate) fn judge(
        &self,
        index: usize,
        agency: AgencyCode,
        (record, operation): (&RecordId, &Operation),
        at: Moment,
        view: &impl View,
    ) -> Result<Changes, Rejection> {
        let effective_from = operation.effective_from;
        let case = Case { index, agency, rules: self, view, at, effective_from };
        if let Some((at, what)) = personal_in(operation) {
            return Err(case.object(Objection::Personal { at, what }));
        }
        match &operation.action {
            Action::Item(act) => case.item(act, &operation.commitment),
            Action::Licence(act) => case.licence(act),
            Action::Trace(event) => case.trace(event),
            Action::Govern(act) => case.govern(record, act),
            Action::List(act) => case.list(act),
            Action::Batch(act) => case.batch(act),
            Action::Seed(act) => case.seed(act),
            Action::Use(act) => case.usage(act),
        }
    }

    /// An agency's role of a number, and whether it holds at a moment; `None` when it never had one of that number.
    pub(crate) fn role(&self, code: &AgencyCode, number: u32, at: Moment) -> Option<(&Role, bool)> {
        self.authority.role(code, number, at)
    }

    /// Whether `upper` is `lower` or stands above it.
    pub(crate) fn is_or_above(&self, upper: &AgencyCode, lower: &AgencyCode) -> bool {
        let mut at = Some(*lower);
        // Genesis refuses circles, and enrolment puts an agency below one that is there: so this ends.
        while let Some(code) = at {
            if code == *upper {
                return true;
            }
            at = self.agency(&code).and_then(|found| found.facts.parent);
        }
        false
    }
}

impl<V: View> Case<'_, V> {
    /// Whether a role that the agency holds now is like this.
    pub(crate) fn covers(&self, covers: impl Fn(&Role) -> bool) -> bool {
        self.rules.authority.roles(&self.agency, self.at).any(covers)
    }

    fn trace(&self, event: &TraceEvent) -> Result<Changes, Rejection> {
        let sorted = event.lots.windows(2).all(|pair| pair[0] < pair[1]);
        if !sorted || event.lots.len() > LOTS_MAX {
            return Err(Rejection::Lots { index: self.index });
        }
        if !self.covers(|role| role.family() == Family::Trace) {
            return Err(self.role(Family::Trace, "traceability events".into()));
        }
        let mut changes = Changes::new();
        for (lot, _) in &event.lots {
            if !self.covers(|role| role.covers_lot(lot)) {
                return Err(self.role(Family::Trace, format!("the lot {lot}")));
            }
            let subject = Subject::lot(lot);
            let key = subject.key();
            if changes.last().is_some_and(|(last, _)| *last == key) {
                continue;
            }
            let mut state =
                self.view.subject(&key).unwrap_or_else(|| self.new_state(subject, 1, Facts::Lot));
            state.effective_from = self.effective_from;
            changes.push((key, state));
        }
        Ok(changes)
    }

    pub(crate) fn new_state(&self, subject: Subject, version: u32, facts: Facts) -> SubjectState {
        SubjectState {
            subject,
            status: Status::Active,
            owner: self.agency,
            version,
            records: 0,
            head: Hash::ZERO,
            latest: 0,
            effective_from: self.effective_from,
            facts,
        }
    }

    /// The state found, if there is one and its life is not over.
    pub(crate) fn alive(
        &self,
        found: Option<SubjectState>,
        subject: &Subject,
    ) -> Result<SubjectState, Rejection> {
        let state = found
            .ok_or_else(|| Rejection::Unknown { index: self.index, subject: subject.clone() })?;
        match state.status {
            Status::Active
            | Status::Suspended
            | Status::TransferredOut
            | Status::Proposed
            | Status::Expired => Ok(state),
            Status::Annulled
            | Status::Cancelled
            | Status::Revoked
            | Status::Superseded
            | Status::Enacted
            | Status::Destroyed => Err(Rejection::Terminal {
                index: self.index,
                subject: subject.clone(),
                status: state.status,
            }),
        }
    }

    pub(crate) fn turn(
        &self,
        state: &mut SubjectState,
        verb: &'static str,
        from: &[Status],
        to: Status,
    ) -> Result<(), Rejection> {
        if !from.contains(&state.status) {
            let (subject, status) = (state.subject.clone(), state.status);
            return Err(Rejection::Status { index: self.index, subject, status, verb });
        }
        state.status = to;
        state.effective_from = self.effective_from;
        Ok(())
    }

    pub(crate) fn exists(&self, state: SubjectState) -> Rejection {
        Rejection::Exists { index: self.index, subject: state.subject, status: state.status }
    }

    pub(crate) fn role(&self, family: Family, what: String) -> Rejection {
        Rejection::Role { index: self.index, agency: self.agency, family, what }
    }
}
