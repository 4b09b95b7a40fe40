//! The life of a licence: which act is possible when, by whom, and what it makes of it.

use crate::{
    objection::Objection,
    rejection::Rejection,
    rules::{Case, Changes, View},
};
use types::{
    AgencyCode, Region, Subject, SubjectState, Timestamp,
    identifier::{LicenceIdentifier, ROOT},
    operation::{Family, LicenceAction, LicenceFacts, LicenceId, LicenceVerb},
    standing::Standing,
    subject::{Facts, Status},
};

impl<V: View> Case<'_, V> {
    pub(crate) fn licence(&self, act: &LicenceAction) -> Result<Changes, Rejection> {
        use Status::{Active, Expired, Suspended, TransferredOut};
        let subject = Subject::licence(&act.licence);
        let (key, verb) = (subject.key(), name(&act.verb));
        let found = self.view.subject(&key);
        let from: &[Status] = match &act.verb {
            LicenceVerb::Issue(facts) => {
                return Ok(vec![(key, self.new_licence(&act.licence, found, facts)?)]);
            }
            LicenceVerb::Renew { supersedes, facts }
            | LicenceVerb::Change { supersedes, facts } => {
                return self.succeed(act, found, supersedes, facts, Active);
            }
            LicenceVerb::TransferIn { supersedes, facts } => {
                return self.succeed(act, found, supersedes, facts, TransferredOut);
            }
            LicenceVerb::Suspend | LicenceVerb::TransferOut => &[Active],
            LicenceVerb::Resume => &[Suspended],
            LicenceVerb::UndoTransferOut => &[TransferredOut],
            LicenceVerb::Revoke => &[Active, Suspended],
            // That it was unlawful, or is formally at an end, is said of what has run out too.
            LicenceVerb::Annul | LicenceVerb::Cancel => &[Active, Suspended, Expired],
            LicenceVerb::Expire => return self.note_expiry(found, &subject),
        };
        let mut state = self.alive(found, &subject)?;
        self.owns(&state)?;
        if let Facts::Licence { facts, .. } = &state.facts {
            self.covers_licence(facts)?;
        }
        self.turn_licence(&mut state, verb, from, act.verb.leaves())?;
        Ok(vec![(key, state)])
    }

    pub(crate) fn object(&self, why: Objection) -> Rejection {
        Rejection::Objection { index: self.index, why: Box::new(why) }
    }

    /// A licence that an act has brought into being.
    fn new_licence(
        &self,
        licence: &LicenceId,
        found: Option<SubjectState>,
        facts: &LicenceFacts,
    ) -> Result<SubjectState, Rejection> {
        self.covers_licence(facts)?;
        // Identifiers that are not the national ones are whatever their network agrees on.
        if licence.starts_with(ROOT) {
            self.identifier(licence, facts)?;
        }
        if let Some(state) = found {
            return Err(self.exists(state));
        }
        let subject = Subject::licence(licence);
        if facts.valid_until.is_some_and(|until| until <= facts.valid_from) {
            return Err(Rejection::Validity { index: self.index, subject });
        }
        Ok(self.new_state(subject, 1, Facts::Licence { facts: facts.clone(), successor: None }))
    }

    /// A national identifier says of what type a licence is and who issues it, and the record may say nothing else.
    fn identifier(&self, licence: &LicenceId, facts: &LicenceFacts) -> Result<(), Rejection> {
        let parts = LicenceIdentifier::parse(licence).map_err(|why| {
            self.object(Objection::Identifier { licence: licence.to_string(), why })
        })?;
        if parts.kind != facts.kind.as_str() {
            let (named, kind) = (parts.kind.to_owned(), facts.kind.clone());
            return Err(self.object(Objection::IdentifierKind { named, kind }));
        }
        // Of an issuer that is not enrolled here the ledger knows nothing: then the type alone binds.
        let issues = match (AgencyCode::new(parts.issuer), Region::new(parts.issuer)) {
            (Ok(issuer), _) => {
                let enrolled = self.rules.agency(&issuer);
                enrolled.is_none_or(|found| found.status == Status::Proposed)
                    || self.rules.is_or_above(&self.agency, &issuer)
            }
            (Err(_), Some(place)) => {
                self.rules.agency(&self.agency).is_some_and(|mine| mine.facts.region.covers(place))
            }
            // A code of eighteen whose check characters are wrong is nobody's.
            (Err(_), None) => parts.issuer.len() == 18,
        };
        if issues {
            return Ok(());
        }
        let (issuer, agency) = (parts.issuer.to_owned(), self.agency);
        Err(self.object(Objection::IdentifierIssuer { issuer, agency }))
    }

    /// A new licence in the place of an old one, which ends by it.
    fn succeed(
        &self,
        act: &LicenceAction,
        found: Option<SubjectState>,
        old: &LicenceId,
        facts: &LicenceFacts,
        from: Status,
    ) -> Result<Changes, Rejection> {
        let (subject, old_subject) = (Subject::licence(&act.licence), Subject::licence(old));
        if subject == old_subject {
            return Err(Rejection::Itself { index: self.index, subject });
        }
        let (key, old_key) = (subject.key(), old_subject.key());
        let new = self.new_licence(&act.licence, found, facts)?;
        let mut old_state = self.alive(self.view.subject(&old_key), &old_subject)?;
        let Facts::Licence { facts: old_facts, .. } = &old_state.facts else {
            return Err(Rejection::Identity { index: self.index, subject: old_subject });
        };
        if from == Status::Active {
            // A transfer was agreed by whoever transferred out; all else is done to one's own.
            self.owns(&old_state)?;
            self.covers_licence(old_facts)?;
        }
        if old_facts.kind != facts.kind {
            let (old, new) = (old_facts.kind.clone(), facts.kind.clone());
            return Err(self.object(Objection::Succession { subject: old_subject, old, new }));
        }
        self.turn_licence(&mut old_state, name(&act.verb), &[from], Status::Superseded)?;
        if let Facts::Licence { successor, .. } = &mut old_state.facts {
            *successor = Some(act.licence.clone());
        }
        Ok(vec![(key, new), (old_key, old_state)])
    }

    /// Expiry needs no record; one that says so must be true.
    fn note_expiry(
        &self,
        found: Option<SubjectState>,
        subject: &Subject,
    ) -> Result<Changes, Rejection> {
        let mut state = self.alive(found, subject)?;
        self.owns(&state)?;
        if let Facts::Licence { facts, .. } = &state.facts {
            self.covers_licence(facts)?;
        }
        let until = until(&state).filter(|until| {
            matches!(state.status, Status::Active | Status::Suspended)
                && self.at.time >= *until
                && self.effective_from >= *until
        });
        if until.is_none() {
            return Err(self.object(Objection::Unexpired { subject: subject.clone() }));
        }
        state.status = Status::Expired;
        state.effective_from = self.effective_from;
        Ok(vec![(subject.key(), state)])
    }

    fn turn_licence(
        &self,
        state: &mut SubjectState,
        verb: &'static str,
        from: &[Status],
        to: Status,
    ) -> Result<(), Rejection> {
        // Whether its time has run out is asked of the ledger's own time.
        let found = self.standing(state);
        if found == Standing::Known(Status::Expired) && !from.contains(&Status::Expired) {
            let (subject, until) = (state.subject.clone(), until(state).unwrap_or_default());
            return Err(self.object(Objection::Expired { subject, until, verb }));
        }
        // What is still to have effect was relied on by nobody, so it may be put right from now on.
        let since = state.effective_from.min(self.at.time);
        if to != Status::Annulled && self.effective_from < since {
            let (subject, from) = (state.subject.clone(), self.effective_from);
            return Err(self.object(Objection::Backdated { subject, verb, from, since }));
        }
        self.turn(state, verb, from, to)
    }

    /// Where a licence stands at the ledger's own time.
    pub(crate) fn standing(&self, state: &SubjectState) -> Standing {
        match &state.facts {
            Facts::Licence { facts, .. } => Standing::of(state.status, facts, self.at.time),
            Facts::Item { .. }
            | Facts::Basic { .. }
            | Facts::Lot
            | Facts::Agency(_)
            | Facts::Proposal(_)
            | Facts::Network(_)
            | Facts::Elements(_)
            | Facts::List { .. }
            | Facts::Batch { .. }
            | Facts::Seed { .. }
            | Facts::Grant(_)
            | Facts::Trail
            | Facts::Document { .. } => Standing::Known(state.status),
        }
    }

    pub(crate) fn covers_licence(&self, facts: &LicenceFacts) -> Result<(), Rejection> {
        if self.covers(|role| role.covers_licence(&facts.kind, facts.region)) {
            return Ok(());
        }
        Err(self.role(
            Family::Licence,
            format!("licences of type {} in region {}", facts.kind, facts.region),
        ))
    }

    pub(crate) fn owns(&self, state: &SubjectState) -> Result<(), Rejection> {
        if self.rules.is_or_above(&self.agency, &state.owner) {
            return Ok(());
        }
        let (subject, owner) = (state.subject.clone(), state.owner);
        Err(Rejection::Owner { index: self.index, subject, owner, agency: self.agency })
    }
}

fn until(state: &SubjectState) -> Option<Timestamp> {
    match &state.facts {
        Facts::Licence { facts, .. } => facts.valid_until,
        Facts::Item { .. }
        | Facts::Basic { .. }
        | Facts::Lot
        | Facts::Agency(_)
        | Facts::Proposal(_)
        | Facts::Network(_)
        | Facts::Elements(_)
        | Facts::List { .. }
        | Facts::Batch { .. }
        | Facts::Seed { .. }
        | Facts::Grant(_)
        | Facts::Trail
        | Facts::Document { .. } => None,
    }
}

const fn name(verb: &LicenceVerb) -> &'static str {
    match verb {
        LicenceVerb::Issue(_) => "issue",
        LicenceVerb::Renew { .. } => "renew",
        LicenceVerb::Change { .. } => "change",
        LicenceVerb::TransferIn { .. } => "transfer in",
        LicenceVerb::Suspend => "suspend",
        LicenceVerb::Resume => "resume",
        LicenceVerb::Annul => "annul",
        LicenceVerb::Cancel => "cancel",
        LicenceVerb::Revoke => "revoke",
        LicenceVerb::TransferOut => "transfer out",
        LicenceVerb::UndoTransferOut => "undo the transfer of",
        LicenceVerb::Expire => "expire",
    }
}
