//! Who may do what, and what it makes of the subjects it touches.

use crate::rejection::Rejection;
use std::collections::BTreeMap;
use types::{
    Agency, AgencyCode, ChainId, Committee, Genesis, Hash, Height, PublicKey, Subject,
    SubjectState, Timestamp,
    agency::{Level, Role},
    genesis::Limits,
    operation::{
        Action, Family, ItemAction, ItemVerb, LOTS_MAX, LicenceAction, LicenceFacts, LicenceVerb,
        Operation, TraceEvent,
    },
    subject::{Facts, Status},
    transaction::TransactionHeader,
};

/// What genesis says of agencies, keys and limits, ready to be asked.
#[derive(Clone, Debug)]
pub struct Rules {
    chain: ChainId,
    genesis_time: Timestamp,
    limits: Limits,
    clock_ahead_ms: u64,
    committee: Committee,
    agencies: BTreeMap<AgencyCode, Agency>,
    keys: BTreeMap<PublicKey, AgencyCode>,
}

/// What the rules may look at: the state of subjects as the operation finds them.
pub trait View {
    /// A subject's state, by its key in the map.
    fn subject(&self, key: &Hash) -> Option<SubjectState>;
}

/// Subjects as they are after an operation, before it is added to their history.
pub(crate) type Changes = Vec<(Hash, SubjectState)>;

/// One operation before its judge.
struct Case<'a, V> {
    index: usize,
    agency: &'a Agency,
    rules: &'a Rules,
    view: &'a V,
    effective_from: Timestamp,
}

impl Rules {
    /// The rules that a genesis sets.
    #[must_use]
    pub fn new(genesis: &Genesis) -> Self {
        let keys = genesis
            .agencies
            .iter()
            .flat_map(|agency| agency.keys.iter().map(|key| (*key, agency.code)));
        Self {
            chain: genesis.chain(),
            genesis_time: genesis.time,
            limits: genesis.limits,
            clock_ahead_ms: genesis.timing.clock_ahead_ms.into(),
            committee: genesis.committee(),
            agencies: genesis.agencies.iter().map(|agency| (agency.code, agency.clone())).collect(),
            keys: keys.collect(),
        }
    }

    /// The chain.
    #[must_use]
    pub const fn chain(&self) -> &ChainId {
        &self.chain
    }

    /// The time of height 0.
    #[must_use]
    pub const fn genesis_time(&self) -> Timestamp {
        self.genesis_time
    }

    /// What a block may hold.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether a block may hold so many bytes and operations.
    pub(crate) fn has_room(&self, bytes: usize, operations: usize) -> bool {
        let within = |sum: usize, limit: u32| u32::try_from(sum).is_ok_and(|sum| sum <= limit);
        within(bytes, self.limits.block_bytes_max)
            && within(operations, self.limits.block_operations_max)
    }

    /// How far a block's time may be ahead of a validator's clock, milliseconds.
    #[must_use]
    pub const fn clock_ahead_ms(&self) -> u64 {
        self.clock_ahead_ms
    }

    /// The committee.
    #[must_use]
    pub const fn committee(&self) -> &Committee {
        &self.committee
    }

    /// The agency with a code.
    #[must_use]
    pub fn agency(&self, code: &AgencyCode) -> Option<&Agency> {
        self.agencies.get(code)
    }

    /// The agency in whose name a header's key signs, if the header may be committed at `next`.
    pub(crate) fn authorise(
        &self,
        header: &TransactionHeader,
        next: Height,
    ) -> Result<&Agency, Rejection> {
        let valid_until = header.valid_until;
        if valid_until < next {
            return Err(Rejection::Expired { valid_until, next });
        }
        let max = next.plus(self.limits.validity_heights_max.into());
        if valid_until > max {
            return Err(Rejection::Horizon { valid_until, max });
        }
        let owner = self.keys.get(&header.key).ok_or(Rejection::UnknownKey(header.key))?;
        let foreign =
            Rejection::ForeignKey { key: header.key, owner: *owner, claimed: header.agency };
        if *owner == header.agency { self.agencies.get(owner).ok_or(foreign) } else { Err(foreign) }
    }

    /// What `operation` makes of its subjects, if `agency` may do it.
    pub(crate) fn judge(
        &self,
        index: usize,
        agency: &Agency,
        operation: &Operation,
        view: &impl View,
    ) -> Result<Changes, Rejection> {
        let case =
            Case { index, agency, rules: self, view, effective_from: operation.effective_from };
        match &operation.action {
            Action::Item(act) => case.item(act),
            Action::Licence(act) => case.licence(act),
            Action::Trace(event) => case.trace(event),
        }
    }

    /// Whether `upper` is `lower` or stands above it.
    fn is_or_above(&self, upper: &AgencyCode, lower: &AgencyCode) -> bool {
        let mut at = Some(*lower);
        // Genesis refuses circles, so this ends.
        while let Some(code) = at {
            if code == *upper {
                return true;
            }
            at = self.agencies.get(&code).and_then(|agency| agency.parent);
        }
        false
    }
}

impl<V: View> Case<'_, V> {
    fn item(&self, act: &ItemAction) -> Result<Changes, Rejection> {
        let subject = Subject::item(&act.code);
        let basic = Subject::basic(&act.basic);
        let (key, basic_key) = (subject.key(), basic.key());
        let covered = self.agency.roles.iter().any(|role| role.covers_item(act.region));
        let uncovered = || self.role(Family::Item, format!("items in region {}", act.region));
        let found = self.view.subject(&key);
        let found_basic = self.view.subject(&basic_key);
        match act.verb {
            ItemVerb::Publish { version, planned_cancel } => {
                if !covered {
                    return Err(uncovered());
                }
                if let Some(state) = found {
                    return Err(self.exists(state));
                }
                if version != 1 {
                    return Err(Rejection::Version {
                        index: self.index,
                        subject,
                        found: version,
                        wanted: 1,
                    });
                }
                let basic_state = match found_basic {
                    Some(state) if state.status == Status::Active => state,
                    None if act.level <= Level::Province => {
                        let (level, opener) = (act.level, act.code.clone());
                        self.new_state(basic, 1, Facts::Basic { level, opener })
                    }
                    Some(_) | None => {
                        let basic = act.basic.to_string();
                        return Err(Rejection::Level {
                            index: self.index,
                            basic,
                            level: act.level,
                        });
                    }
                };
                let (basic, level, region) = (act.basic.clone(), act.level, act.region);
                let state = self.new_state(
                    subject,
                    1,
                    Facts::Item { basic, level, region, planned_cancel },
                );
                Ok(vec![(key, state), (basic_key, basic_state)])
            }
            ItemVerb::Amend { .. } | ItemVerb::Suspend | ItemVerb::Resume | ItemVerb::Cancel => {
                let mut state = self.alive(found, &subject)?;
                let owner = state.owner == self.agency.code
                    && self.agency.roles.iter().any(|role| role.family() == Family::Item);
                if !covered && !owner {
                    return Err(uncovered());
                }
                let Facts::Item { basic, level, region, planned_cancel } = &mut state.facts else {
                    return Err(Rejection::Identity { index: self.index, subject });
                };
                if (&*basic, *level, *region) != (&act.basic, act.level, act.region) {
                    return Err(Rejection::Identity { index: self.index, subject });
                }
                let mut basic_state = found_basic.ok_or_else(|| Rejection::Unknown {
                    index: self.index,
                    subject: Subject::basic(&act.basic),
                })?;
                match act.verb {
                    ItemVerb::Amend { version, planned_cancel: planned } => {
                        let wanted = state.version + 1;
                        if version != wanted {
                            return Err(Rejection::Version {
                                index: self.index,
                                subject,
                                found: version,
                                wanted,
                            });
                        }
                        *planned_cancel = planned;
                        state.version = version;
                    }
                    ItemVerb::Suspend => {
                        self.turn(&mut state, "suspend", &[Status::Active], Status::Suspended)?;
                    }
                    ItemVerb::Resume => {
                        self.turn(&mut state, "resume", &[Status::Suspended], Status::Active)?;
                    }
                    ItemVerb::Cancel => {
                        self.turn(
                            &mut state,
                            "cancel",
                            &[Status::Active, Status::Suspended],
                            Status::Cancelled,
                        )?;
                        // With the entry that opened the basic code goes the right to add levels below it.
                        if matches!(&basic_state.facts, Facts::Basic { opener, .. } if *opener == act.code)
                        {
                            basic_state.status = Status::Cancelled;
                        }
                    }
                    ItemVerb::Publish { .. } => return Err(self.exists(state)),
                }
                state.effective_from = self.effective_from;
                Ok(vec![(key, state), (basic_key, basic_state)])
            }
        }
    }

    fn licence(&self, act: &LicenceAction) -> Result<Changes, Rejection> {
        let subject = Subject::licence(&act.licence);
        let key = subject.key();
        let found = self.view.subject(&key);
        let alone = |state| Ok(vec![(key, state)]);
        match &act.verb {
            LicenceVerb::Issue(facts) => alone(self.new_licence(subject, found, facts)?),
            LicenceVerb::Renew { supersedes, facts } => {
                self.succeed(act, found, supersedes, facts, "renew", Status::Active)
            }
            LicenceVerb::Change { supersedes, facts } => {
                self.succeed(act, found, supersedes, facts, "change", Status::Active)
            }
            LicenceVerb::TransferIn { supersedes, facts } => {
                self.succeed(act, found, supersedes, facts, "transfer in", Status::TransferredOut)
            }
            LicenceVerb::Suspend => alone(self.turn_licence(
                found,
                &subject,
                "suspend",
                &[Status::Active],
                Status::Suspended,
            )?),
            LicenceVerb::Resume => alone(self.turn_licence(
                found,
                &subject,
                "resume",
                &[Status::Suspended],
                Status::Active,
            )?),
            LicenceVerb::Annul => {
                alone(self.end_licence(found, &subject, "annul", Status::Annulled)?)
            }
            LicenceVerb::Cancel => {
                alone(self.end_licence(found, &subject, "cancel", Status::Cancelled)?)
            }
            LicenceVerb::Revoke => {
                alone(self.end_licence(found, &subject, "revoke", Status::Revoked)?)
            }
            LicenceVerb::TransferOut => alone(self.turn_licence(
                found,
                &subject,
                "transfer out",
                &[Status::Active],
                Status::TransferredOut,
            )?),
        }
    }

    fn trace(&self, event: &TraceEvent) -> Result<Changes, Rejection> {
        let sorted = event.lots.windows(2).all(|pair| pair[0] < pair[1]);
        if !sorted || event.lots.len() > LOTS_MAX {
            return Err(Rejection::Lots { index: self.index });
        }
        if !self.agency.roles.iter().any(|role| role.family() == Family::Trace) {
            return Err(self.role(Family::Trace, "traceability events".into()));
        }
        let mut changes = Changes::new();
        for (lot, _) in &event.lots {
            if !self.agency.roles.iter().any(|role| role.covers_lot(lot)) {
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

    fn new_state(&self, subject: Subject, version: u32, facts: Facts) -> SubjectState {
        SubjectState {
            subject,
            status: Status::Active,
            owner: self.agency.code,
            version,
            records: 0,
            head: Hash::ZERO,
            latest: 0,
            effective_from: self.effective_from,
            facts,
        }
    }

    fn new_licence(
        &self,
        subject: Subject,
        found: Option<SubjectState>,
        facts: &LicenceFacts,
    ) -> Result<SubjectState, Rejection> {
        self.covers_licence(facts)?;
        if let Some(state) = found {
            return Err(self.exists(state));
        }
        if facts.valid_until.is_some_and(|until| until <= facts.valid_from) {
            return Err(Rejection::Validity { index: self.index, subject });
        }
        Ok(self.new_state(subject, 1, Facts::Licence { facts: facts.clone(), successor: None }))
    }

    /// A new licence in the place of an old one, which ends by it.
    fn succeed(
        &self,
        act: &LicenceAction,
        found: Option<SubjectState>,
        old: &types::operation::LicenceId,
        facts: &LicenceFacts,
        verb: &'static str,
        from: Status,
    ) -> Result<Changes, Rejection> {
        let (subject, old_subject) = (Subject::licence(&act.licence), Subject::licence(old));
        if subject == old_subject {
            return Err(Rejection::Itself { index: self.index, subject });
        }
        let (key, old_key) = (subject.key(), old_subject.key());
        let new = self.new_licence(subject, found, facts)?;
        let mut old_state = self.alive(self.view.subject(&old_key), &old_subject)?;
        if from == Status::Active {
            // A transfer was agreed by whoever transferred out; all else is done to one's own.
            self.owns(&old_state)?;
        }
        self.turn(&mut old_state, verb, &[from], Status::Superseded)?;
        if let Facts::Licence { successor, .. } = &mut old_state.facts {
            *successor = Some(act.licence.clone());
        }
        Ok(vec![(key, new), (old_key, old_state)])
    }

    fn end_licence(
        &self,
        found: Option<SubjectState>,
        subject: &Subject,
        verb: &'static str,
        to: Status,
    ) -> Result<SubjectState, Rejection> {
        self.turn_licence(found, subject, verb, &[Status::Active, Status::Suspended], to)
    }

    fn turn_licence(
        &self,
        found: Option<SubjectState>,
        subject: &Subject,
        verb: &'static str,
        from: &[Status],
        to: Status,
    ) -> Result<SubjectState, Rejection> {
        let mut state = self.alive(found, subject)?;
        self.owns(&state)?;
        if let Facts::Licence { facts, .. } = &state.facts {
            self.covers_licence(facts)?;
        }
        self.turn(&mut state, verb, from, to)?;
        Ok(state)
    }

    fn covers_licence(&self, facts: &LicenceFacts) -> Result<(), Rejection> {
        let covers = |role: &Role| role.covers_licence(&facts.kind, facts.region);
        if self.agency.roles.iter().any(covers) {
            return Ok(());
        }
        Err(self.role(
            Family::Licence,
            format!("licences of type {} in region {}", facts.kind, facts.region),
        ))
    }

    fn owns(&self, state: &SubjectState) -> Result<(), Rejection> {
        if self.rules.is_or_above(&self.agency.code, &state.owner) {
            return Ok(());
        }
        let (subject, owner) = (state.subject.clone(), state.owner);
        Err(Rejection::Owner { index: self.index, subject, owner, agency: self.agency.code })
    }

    /// The state found, if there is one and its life is not over.
    fn alive(
        &self,
        found: Option<SubjectState>,
        subject: &Subject,
    ) -> Result<SubjectState, Rejection> {
        let state = found
            .ok_or_else(|| Rejection::Unknown { index: self.index, subject: subject.clone() })?;
        match state.status {
            Status::Active | Status::Suspended | Status::TransferredOut => Ok(state),
            Status::Annulled | Status::Cancelled | Status::Revoked | Status::Superseded => {
                Err(Rejection::Terminal {
                    index: self.index,
                    subject: subject.clone(),
                    status: state.status,
                })
            }
        }
    }

    fn turn(
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

    fn exists(&self, state: SubjectState) -> Rejection {
        Rejection::Exists { index: self.index, subject: state.subject, status: state.status }
    }

    fn role(&self, family: Family, what: String) -> Rejection {
        Rejection::Role { index: self.index, agency: self.agency.code, family, what }
    }
}
