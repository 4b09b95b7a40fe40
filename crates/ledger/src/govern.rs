//! Governance: how agencies, keys, grants, the committee and the network's own rules are changed, and what may not be.

use crate::{
    rejection::{Misrule, Rejection},
    rules::{Case, Changes, View},
};
use types::{
    AgencyCode, Committee, PublicKey, RecordId, Role, Subject, SubjectState, Timestamp, Validator,
    authority::{
        AgencyFacts, Change, Enrolment, FACTS_BYTES_SPARE, Governance, Grant, KEYS_MAX, KeyTerm,
        Member, NetworkFacts, NewSeat, Possessed, ProposalFacts, Scheduled, Suspension, Target,
        fits,
    },
    fields::FieldName,
    item::ELEMENTS_MAX,
    operation::Family,
    subject::{Facts, Kind, Status},
};

impl<V: View> Case<'_, V> {
    /// What an act of governance makes of its subjects.
    pub(crate) fn govern(&self, record: &RecordId, act: &Governance) -> Result<Changes, Rejection> {
        match act {
            Governance::Propose(change) => self.propose(record, change),
            Governance::Approve { proposal, target } => self.approve(proposal, *target),
            Governance::Withdraw { proposal, target } => self.withdraw(proposal, *target),
            Governance::Delegate { to, role, until } => self.delegate(to, role, *until),
            Governance::Undelegate { from, number } => self.undelegate(from, *number),
            Governance::Rotate { retire, enrol } => self.rotate(retire, enrol),
        }
    }

    fn propose(&self, record: &RecordId, change: &Change) -> Result<Changes, Rejection> {
        self.governs()?;
        let (subject, target) = (Subject::proposal(record), change.target());
        let mut state = self.target(target, change)?;
        // A change that could not be made is not worth a vote.
        let enacted = self.enact(change, state.clone())?;
        let closes = self.at.height.plus(self.network()?.governance.open_heights.into());
        let facts = ProposalFacts {
            change: Box::new(change.clone()),
            approvals: vec![self.agency],
            closes,
        };
        let mut proposal = self.new_state(subject, 1, Facts::Proposal(Box::new(facts)));
        if self.is_enough(&[self.agency])? {
            (proposal.status, state) = (Status::Enacted, enacted);
        }
        self.both(proposal, state)
    }

    fn approve(&self, proposal: &RecordId, target: Target) -> Result<Changes, Rejection> {
        self.governs()?;
        let (mut proposal, mut facts) = self.open(proposal, target)?;
        if facts.approvals.contains(&self.agency) {
            return Err(self.misrule(Misrule::Twice { agency: self.agency }));
        }
        facts.approvals.push(self.agency);
        let mut state = self.target(target, &facts.change)?;
        if self.is_enough(&facts.approvals)? {
            state = self.enact(&facts.change, state)?;
            proposal.status = Status::Enacted;
            proposal.effective_from = self.effective_from;
        }
        proposal.facts = Facts::Proposal(facts);
        self.both(proposal, state)
    }

    fn withdraw(&self, proposal: &RecordId, target: Target) -> Result<Changes, Rejection> {
        let (mut proposal, facts) = self.open(proposal, target)?;
        if proposal.owner != self.agency {
            return Err(self.misrule(Misrule::Proposer { proposer: proposal.owner }));
        }
        let state = self.target(target, &facts.change)?;
        proposal.status = Status::Cancelled;
        proposal.effective_from = self.effective_from;
        self.both(proposal, state)
    }

    fn delegate(
        &self,
        to: &AgencyCode,
        role: &Role,
        until: Option<Timestamp>,
    ) -> Result<Changes, Rejection> {
        let (mut state, mut facts) = self.agency(to)?;
        if facts.parent != Some(self.agency) {
            return Err(self.misrule(Misrule::Line { agency: *to, above: self.agency }));
        }
        if !self.covers(|mine| mine.covers(role)) {
            return Err(self.misrule(Misrule::Wider { agency: self.agency }));
        }
        self.grant(&mut facts, role, until, Some(self.agency))?;
        self.room(to, &facts, FACTS_BYTES_SPARE)?;
        state.facts = Facts::Agency(facts);
        self.one(state)
    }

    fn undelegate(&self, from: &AgencyCode, number: u32) -> Result<Changes, Rejection> {
        let (mut state, mut facts) = self.agency(from)?;
        self.revoke(*from, &mut facts, number, Some(self.agency))?;
        state.facts = Facts::Agency(facts);
        self.one(state)
    }

    fn rotate(&self, retire: &PublicKey, enrol: &Possessed) -> Result<Changes, Rejection> {
        let (mut state, mut facts) = self.agency(&self.agency)?;
        self.enrol_key(&self.agency, &mut facts, enrol)?;
        self.retire_key(self.agency, &mut facts, retire)?;
        self.room(&self.agency, &facts, FACTS_BYTES_SPARE)?;
        state.facts = Facts::Agency(facts);
        self.one(state)
    }

    /// What a change makes of what it is about.
    fn enact(&self, change: &Change, mut state: SubjectState) -> Result<SubjectState, Rejection> {
        state.effective_from = self.effective_from;
        if let Facts::Network(facts) = &mut state.facts {
            self.change_network(change, facts)?;
            return Ok(state);
        }
        if let (Facts::Elements(names), Change::Elements(wanted)) = (&mut state.facts, change) {
            self.uniform(wanted)?;
            names.clone_from(wanted);
            state.version = state.version.saturating_add(1);
            return Ok(state);
        }
        let Facts::Agency(facts) = &mut state.facts else {
            return Err(self.misrule(Misrule::Target { subject: state.subject }));
        };
        match change {
            Change::Enrol(enrolment) => {
                self.enrol(enrolment, facts)?;
                state.status = Status::Active;
            }
            Change::Suspend(code) => {
                self.still_governed(Some(code))?;
                self.stop(facts);
                self.turn(&mut state, "suspend", &[Status::Active], Status::Suspended)?;
            }
            Change::Reinstate(_) => {
                if let Some(last) = facts.suspensions.last_mut() {
                    last.until = Some(self.at.height.next());
                }
                let code = state.owner;
                self.room(&code, facts, 0)?;
                self.turn(&mut state, "reinstate", &[Status::Suspended], Status::Active)?;
            }
            Change::Dissolve(code) => {
                self.still_governed(Some(code))?;
                let network = self.network()?;
                if network.members_from(self.at.height).any(|m| m.validator.agency == *code) {
                    return Err(self.misrule(Misrule::Seated { agency: *code }));
                }
                let from = [Status::Active, Status::Suspended];
                self.stop(facts);
                self.turn(&mut state, "dissolve", &from, Status::Cancelled)?;
            }
            Change::EnrolKey { agency, key } => {
                self.enrol_key(agency, facts, key)?;
                self.room(agency, facts, 0)?;
            }
            Change::RetireKey { agency, key } => self.retire_key(*agency, facts, key)?,
            Change::Grant { agency, role, until } => {
                self.grant(facts, role, *until, None)?;
                self.room(agency, facts, 0)?;
            }
            Change::Revoke { agency, number } => self.revoke(*agency, facts, *number, None)?,
            Change::Committee { .. }
            | Change::Limits(_)
            | Change::Timing(_)
            | Change::Rules(_)
            | Change::Elements(_) => {
                return Err(self.misrule(Misrule::Target { subject: state.subject }));
            }
        }
        Ok(state)
    }

    /// From the next block on the agency cannot act; if it could not before, nothing changes.
    fn stop(&self, facts: &mut AgencyFacts) {
        if facts.suspensions.last().is_none_or(|last| last.until.is_some()) {
            facts.suspensions.push(Suspension { from: self.at.height.next(), until: None });
        }
    }

    fn change_network(&self, change: &Change, facts: &mut NetworkFacts) -> Result<(), Rejection> {
        let parameter = |checked: Result<(), types::genesis::GenesisError>| {
            checked.map_err(|why| self.misrule(Misrule::Parameter { why: why.to_string() }))
        };
        match change {
            Change::Limits(limits) => {
                parameter(limits.check())?;
                facts.limits = *limits;
            }
            Change::Timing(timing) => {
                parameter(timing.check())?;
                facts.timing = *timing;
            }
            Change::Rules(rules) => {
                parameter(rules.check())?;
                facts.governance = *rules;
            }
            Change::Committee { join, leave } => self.change_committee(facts, join, leave)?,
            Change::Enrol(_)
            | Change::Suspend(_)
            | Change::Reinstate(_)
            | Change::Dissolve(_)
            | Change::EnrolKey { .. }
            | Change::RetireKey { .. }
            | Change::Grant { .. }
            | Change::Revoke { .. }
            | Change::Elements(_) => {
                return Err(self.misrule(Misrule::Target { subject: Subject::network() }));
            }
        }
        Ok(())
    }

    /// Uniform elements are named once each, and there is room for them in an item.
    fn uniform(&self, names: &[FieldName]) -> Result<(), Rejection> {
        let once = |(at, name): (usize, &FieldName)| !names.iter().take(at).any(|n| n == name);
        if names.len() <= ELEMENTS_MAX && names.iter().enumerate().all(once) {
            return Ok(());
        }
        let why = format!("at most {ELEMENTS_MAX} elements are uniform, each named once");
        Err(self.misrule(Misrule::Parameter { why }))
    }

    /// The committee with some seats less and some more, to take over when those who join have had time to catch up.
    fn change_committee(
        &self,
        facts: &mut NetworkFacts,
        join: &[NewSeat],
        leave: &[PublicKey],
    ) -> Result<(), Rejection> {
        let next = self.at.height.next();
        if let Some(Scheduled { at, .. }) = facts.scheduled.as_ref().filter(|due| due.at > next) {
            return Err(self.misrule(Misrule::Pending { at: *at }));
        }
        if join.is_empty() && leave.is_empty() {
            return Err(self.misrule(Misrule::Nothing));
        }
        let now = facts.members_at(next).to_vec();
        let mut members = now.clone();
        for key in leave {
            let Some(at) = members.iter().position(|member| member.validator.key == *key) else {
                return Err(self.misrule(Misrule::SeatUnknown { key: *key }));
            };
            members.remove(at);
        }
        for seat in join {
            let (_, standing) = self.agency(&seat.agency)?;
            for possessed in [&seat.consensus_key, &seat.transport_key] {
                if !possessed.holds(self.rules.chain(), &seat.agency) {
                    return Err(self.misrule(Misrule::Possession { key: possessed.key }));
                }
                let taken = |member: &Member| {
                    [member.validator.key, member.transport_key].contains(&possessed.key)
                };
                // The keys of those who leave just now are not free either: their connections are still open.
                if members.iter().chain(&now).any(taken) || self.is_taken(&possessed.key) {
                    return Err(self.misrule(Misrule::KeyTaken { key: possessed.key }));
                }
            }
            if seat.consensus_key.key == seat.transport_key.key {
                return Err(self.misrule(Misrule::KeyTaken { key: seat.transport_key.key }));
            }
            members.push(Member {
                validator: Validator {
                    agency: seat.agency,
                    name: standing.name.clone(),
                    key: seat.consensus_key.key,
                },
                transport_key: seat.transport_key.key,
            });
        }
        let committee = self.in_turns(&mut members)?;
        // Even if none of those who join ever comes, the others are a quorum.
        let (joining, faults) = (join.len(), committee.faults());
        if joining > faults {
            return Err(self.misrule(Misrule::Newcomers { joining, faults }));
        }
        let at = self.at.height.plus(facts.governance.lead_heights.into());
        facts.members = now;
        facts.scheduled = Some(Scheduled { at, members });
        Ok(())
    }

    /// The committee of members, who take turns as they stand, or, if they sat so before, in the next order in which they
    /// did not.
    ///
    /// A proof shows who sits by the changes that led there. Of a committee that came back it could leave out all that was
    /// in between, and to whoever was told so the honest account would look like a fork.
    fn in_turns(&self, members: &mut [Member]) -> Result<Committee, Rejection> {
        for _ in 0..members.len() {
            let committee = NetworkFacts::committee(members)
                .map_err(|why| self.misrule(Misrule::Committee { why }))?;
            if !self.rules.seated().contains(&committee.digest()) {
                return Ok(committee);
            }
            members.rotate_left(1);
        }
        let why = "these validators sat together in every order of turns; one of them must take a new key";
        Err(self.misrule(Misrule::Parameter { why: why.into() }))
    }

    fn enrol(&self, enrolment: &Enrolment, facts: &mut AgencyFacts) -> Result<(), Rejection> {
        let Enrolment { code, name, region, level, parent, keys } = enrolment;
        let misplaced = Misrule::Region { agency: *code, level: *level, region: *region };
        if !level.fits(*region) {
            return Err(self.misrule(misplaced));
        }
        if let Some(above) = parent {
            let (_, standing) = self.agency(above)?;
            if standing.level >= *level {
                return Err(self.misrule(Misrule::Above { agency: *code, above: *above }));
            }
            if !standing.region.covers(*region) {
                return Err(self.misrule(misplaced));
            }
        }
        *facts = AgencyFacts {
            name: name.clone(),
            region: *region,
            level: *level,
            parent: *parent,
            keys: Vec::new(),
            grants: Vec::new(),
            suspensions: Vec::new(),
        };
        if keys.is_empty() || keys.len() > KEYS_MAX {
            return Err(self.misrule(Misrule::Keys { found: keys.len() }));
        }
        keys.iter().try_for_each(|key| self.enrol_key(code, facts, key))
    }

    fn enrol_key(
        &self,
        agency: &AgencyCode,
        facts: &mut AgencyFacts,
        possessed: &Possessed,
    ) -> Result<(), Rejection> {
        let key = possessed.key;
        if !possessed.holds(self.rules.chain(), agency) {
            return Err(self.misrule(Misrule::Possession { key }));
        }
        let network = self.network()?;
        let seated = network.members_from(self.at.height).any(|member| {
            let Member { validator, transport_key } = member;
            [validator.key, *transport_key].contains(&key)
        });
        if seated || facts.had(&key) || self.is_taken(&key) {
            return Err(self.misrule(Misrule::KeyTaken { key }));
        }
        if facts.keys.iter().filter(|term| term.until.is_none()).count() >= KEYS_MAX {
            return Err(self.misrule(Misrule::Keys { found: KEYS_MAX + 1 }));
        }
        facts.keys.push(KeyTerm { key, from: self.at.height.next(), until: None });
        Ok(())
    }

    fn retire_key(
        &self,
        agency: AgencyCode,
        facts: &mut AgencyFacts,
        key: &PublicKey,
    ) -> Result<(), Rejection> {
        let until = Some(self.at.height.next());
        let term = facts.keys.iter_mut().find(|term| term.key == *key && term.until.is_none());
        match term {
            Some(term) => term.until = until,
            None => return Err(self.misrule(Misrule::KeyUnknown { key: *key, agency })),
        }
        if facts.keys.iter().all(|term| term.until.is_some()) {
            return Err(self.misrule(Misrule::KeyLast { agency }));
        }
        Ok(())
    }

    fn grant(
        &self,
        facts: &mut AgencyFacts,
        role: &Role,
        expires: Option<Timestamp>,
        by: Option<AgencyCode>,
    ) -> Result<(), Rejection> {
        if !role.is_sound() {
            return Err(self.misrule(Misrule::Scope));
        }
        if expires.is_some() && matches!(role, Role::Govern {}) {
            return Err(self.misrule(Misrule::Endless));
        }
        if expires.is_some_and(|expires| expires <= self.at.time) {
            return Err(self.misrule(Misrule::Expiry));
        }
        let number = facts.grants.iter().map(|grant| grant.number + 1).max().unwrap_or_default();
        facts.grants.push(Grant {
            number,
            role: role.clone(),
            by,
            from: self.at.height.next(),
            expires,
            until: None,
        });
        Ok(())
    }

    fn revoke(
        &self,
        agency: AgencyCode,
        facts: &mut AgencyFacts,
        number: u32,
        by: Option<AgencyCode>,
    ) -> Result<(), Rejection> {
        let until = Some(self.at.height.next());
        // Governance may take back what was delegated; whoever delegated, only that.
        let mine = |grant: &&mut Grant| {
            grant.number == number && grant.until.is_none() && (by.is_none() || grant.by == by)
        };
        let Some(grant) = facts.grants.iter_mut().find(mine) else {
            return Err(self.misrule(Misrule::Grant { agency, number }));
        };
        grant.until = until;
        if matches!(grant.role, Role::Govern {}) {
            self.still_governed(Some(&agency))?;
        }
        Ok(())
    }

    /// The subject of a change as it is found; an agency to be enrolled is noted as proposed.
    fn target(&self, target: Target, change: &Change) -> Result<SubjectState, Rejection> {
        let subject = target.subject();
        let found = self.view.subject(&subject.key());
        if let (Change::Elements(_), None) = (change, &found) {
            // Until somebody names them there are none.
            return Ok(self.new_state(subject, 1, Facts::Elements(Vec::new())));
        }
        let Change::Enrol(Enrolment { code, name, region, level, parent, .. }) = change else {
            let state = self.alive(found, &subject)?;
            return match state.status {
                Status::Proposed => Err(Rejection::Unknown { index: self.index, subject }),
                Status::Active
                | Status::Suspended
                | Status::Annulled
                | Status::Cancelled
                | Status::TransferredOut
                | Status::Revoked
                | Status::Superseded
                | Status::Enacted
                | Status::Expired
                | Status::Destroyed => Ok(state),
            };
        };
        match found {
            Some(state) if state.status == Status::Proposed => Ok(state),
            Some(state) => Err(self.exists(state)),
            None => {
                let facts = AgencyFacts {
                    name: name.clone(),
                    region: *region,
                    level: *level,
                    parent: *parent,
                    keys: Vec::new(),
                    grants: Vec::new(),
                    suspensions: Vec::new(),
                };
                let mut state = self.new_state(subject, 1, Facts::Agency(Box::new(facts)));
                (state.owner, state.status) = (*code, Status::Proposed);
                Ok(state)
            }
        }
    }

    /// A proposal that may still be decided.
    fn open(
        &self,
        proposal: &RecordId,
        target: Target,
    ) -> Result<(SubjectState, Box<ProposalFacts>), Rejection> {
        let subject = Subject::proposal(proposal);
        let state = self.alive(self.view.subject(&subject.key()), &subject)?;
        let Facts::Proposal(facts) = &state.facts else {
            return Err(self.misrule(Misrule::Target { subject }));
        };
        if facts.closes < self.at.height {
            return Err(self.misrule(Misrule::Closed { closes: facts.closes }));
        }
        if facts.change.target() != target {
            let subject = facts.change.target().subject();
            return Err(self.misrule(Misrule::Target { subject }));
        }
        let facts = facts.clone();
        Ok((state, facts))
    }

    /// An agency that may act, as the operation finds it.
    fn agency(&self, code: &AgencyCode) -> Result<(SubjectState, Box<AgencyFacts>), Rejection> {
        let subject = Subject::agency(code);
        let state = self.alive(self.view.subject(&subject.key()), &subject)?;
        match (&state.facts, state.status) {
            (Facts::Agency(facts), Status::Active) => {
                let facts = facts.clone();
                Ok((state, facts))
            }
            (_, Status::Proposed) => Err(Rejection::Unknown { index: self.index, subject }),
            (_, status) => Err(Rejection::Inactive { agency: *code, status }),
        }
    }

    fn network(&self) -> Result<Box<NetworkFacts>, Rejection> {
        let subject = Subject::network();
        match self.view.subject(&subject.key()).map(|state| state.facts) {
            Some(Facts::Network(facts)) => Ok(facts),
            Some(_) | None => Err(Rejection::Unknown { index: self.index, subject }),
        }
    }

    fn governs(&self) -> Result<(), Rejection> {
        if self.covers(|role| matches!(role, Role::Govern {})) {
            return Ok(());
        }
        Err(self.role(Family::Authority, "governance".into()))
    }

    /// Whether those who approve, and still govern, are enough.
    fn is_enough(&self, approvals: &[AgencyCode]) -> Result<bool, Rejection> {
        let governors = self.rules.authority().governors(self.at);
        let approving = governors.iter().filter(|code| approvals.contains(code)).count();
        Ok(approving >= self.network()?.governance.needed(governors.len()))
    }

    /// Whether somebody governs without this agency.
    fn still_governed(&self, without: Option<&AgencyCode>) -> Result<(), Rejection> {
        let governors = self.rules.authority().governors(self.at);
        // What earlier operations of this block took away is seen as well.
        let stays = |code: &&AgencyCode| {
            Some(*code) != without
                && self.agency(code).is_ok_and(|(_, facts)| {
                    facts
                        .grants
                        .iter()
                        .any(|grant| matches!(grant.role, Role::Govern {}) && grant.until.is_none())
                })
        };
        if governors.iter().any(|code| stays(&code)) {
            Ok(())
        } else {
            Err(self.misrule(Misrule::Ungoverned))
        }
    }

    /// Whether an agency has or had this key, here or earlier in this block.
    fn is_taken(&self, key: &PublicKey) -> bool {
        self.rules.authority().owner(key).is_some() || self.view.has_key(key)
    }

    /// What adds to an agency leaves room for its end; what ends is not asked.
    fn room(&self, code: &AgencyCode, facts: &AgencyFacts, spare: usize) -> Result<(), Rejection> {
        if facts.has_room(spare) {
            return Ok(());
        }
        Err(self.misrule(Misrule::Size { subject: Subject::agency(code) }))
    }

    fn one(&self, state: SubjectState) -> Result<Changes, Rejection> {
        if !fits(&state.facts) {
            return Err(self.misrule(Misrule::Size { subject: state.subject }));
        }
        let mut state = state;
        state.effective_from = self.effective_from;
        Ok(vec![(state.subject.key(), state)])
    }

    fn both(&self, proposal: SubjectState, target: SubjectState) -> Result<Changes, Rejection> {
        for state in [&proposal, &target] {
            if !fits(&state.facts) {
                return Err(self.misrule(Misrule::Size { subject: state.subject.clone() }));
            }
        }
        Ok(vec![(proposal.subject.key(), proposal), (target.subject.key(), target)])
    }

    const fn misrule(&self, why: Misrule) -> Rejection {
        Rejection::Governance { index: self.index, why }
    }
}

/// Whether a subject says who may do what, so that the rules change with it.
pub(crate) const fn is_authority(subject: &Subject) -> bool {
    matches!(subject.kind, Kind::Agency | Kind::Network)
}
