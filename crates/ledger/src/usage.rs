//! Use of licences, data and documents: never without a live basis, and never without a trace.

use crate::{
    objection::Objection,
    rejection::Rejection,
    rules::{Case, Changes, View},
};
use types::{
    AgencyCode, GrantId, Hash, Subject, SubjectState, Timestamp,
    fields::FieldName,
    operation::LicenceId,
    standing::Standing,
    subject::{Facts, Status},
    usage::{
        Basis, DataName, DataOwner, DataUse, FIELDS_MAX, GrantFacts, Presented, Purpose, Reuse,
        Terms, USES_MAX, Usage, data_owner, licence_data,
    },
};

/// How far the time at which something is said to have been done may be ahead of the ledger's, which is that of the last block: an hour.
const AHEAD_MS_MAX: u64 = 60 * 60 * 1000;

/// What is to be done under a grant.
struct Wanted<'a> {
    licence: &'a LicenceId,
    purpose: &'a Purpose,
    fields: &'a [FieldName],
    made_at: Timestamp,
}

impl<V: View> Case<'_, V> {
    pub(crate) fn usage(&self, act: &Usage) -> Result<Changes, Rejection> {
        let mut changes = match act {
            Usage::Grant(terms) => self.grant_licence(terms)?,
            Usage::Use(used) => self.use_licence(used)?,
            Usage::Withdraw { grant, licence } => self.withdraw_grant(grant, licence)?,
            Usage::Access(data) => self.use_data(data)?.0,
            Usage::Transfer { data, to } => {
                if *to == self.agency {
                    return Err(self.object(Objection::DataItself { agency: *to }));
                }
                self.party(to)?;
                let mut changes = self.use_data(data)?.0;
                changes.push(self.trail(Subject::actor(to), *to));
                changes
            }
            Usage::Destroy(data) => {
                let (mut changes, data) = self.use_data(data)?;
                if let Some((_, state)) = changes.iter_mut().find(|(key, _)| *key == data) {
                    if !self.rules.is_or_above(&self.agency, &state.owner) {
                        let (data, owner) = (state.subject.clone(), state.owner);
                        return Err(self.object(Objection::DataOwner { data, owner }));
                    }
                    state.status = Status::Destroyed;
                }
                changes
            }
            Usage::Register { document, title } => {
                let subject = Subject::document(document);
                if let Some(state) = self.view.subject(&subject.key()) {
                    return Err(self.exists(state));
                }
                let facts = Facts::Document { title: title.clone(), uses: 0 };
                vec![(subject.key(), self.new_state(subject, 1, facts))]
            }
            Usage::Reuse(reuse) => self.reuse(reuse)?,
            Usage::Retire { document } => {
                let mut state = self.registered(&Subject::document(document))?;
                self.owns(&state)?;
                self.turn(&mut state, "retire", &[Status::Active], Status::Cancelled)?;
                vec![(state.subject.key(), state)]
            }
        };
        changes.push(self.trail(Subject::actor(&self.agency), self.agency));
        Ok(changes)
    }

    /// The trail of an actor or of data, as it is or from its beginning.
    fn trail(&self, subject: Subject, owner: AgencyCode) -> (Hash, SubjectState) {
        let key = subject.key();
        let mut state = self
            .view
            .subject(&key)
            .unwrap_or_else(|| SubjectState { owner, ..self.new_state(subject, 1, Facts::Trail) });
        state.effective_from = self.effective_from;
        (key, state)
    }

    /// An agency to which something is granted or handed must be able to answer for it.
    fn party(&self, agency: &AgencyCode) -> Result<(), Rejection> {
        let active = |status| status == Status::Active;
        if self.rules.agency(agency).is_some_and(|found| active(found.status)) {
            return Ok(());
        }
        Err(self.object(Objection::Party { agency: *agency }))
    }

    fn fields(&self, fields: &[FieldName]) -> Result<(), Rejection> {
        let ascending = fields.windows(2).all(|pair| pair[0] < pair[1]);
        if ascending && fields.len() <= FIELDS_MAX {
            return Ok(());
        }
        Err(self.object(Objection::FieldList))
    }

    /// Nothing was done at a time that has not come. The ledger's own time lags behind by what a block may take.
    fn made(&self, made_at: Timestamp) -> Result<(), Rejection> {
        let now = self.at.time;
        if made_at <= now.plus(AHEAD_MS_MAX) {
            return Ok(());
        }
        Err(self.object(Objection::Unmade { made_at, now }))
    }

    /// A state is relied on once it has effect. How its subject stands until then only its history tells, and that execution
    /// does not read: old bodies may be gone.
    fn effective(&self, state: &SubjectState) -> Result<(), Rejection> {
        let from = state.effective_from;
        if from <= self.at.time {
            return Ok(());
        }
        Err(self.object(Objection::Planned { subject: state.subject.clone(), from }))
    }

    /// A licence that is valid now.
    fn live(&self, licence: &LicenceId) -> Result<SubjectState, Rejection> {
        let subject = Subject::licence(licence);
        let state = self
            .view
            .subject(&subject.key())
            .ok_or_else(|| Rejection::Unknown { index: self.index, subject: subject.clone() })?;
        self.effective(&state)?;
        let standing = self.standing(&state);
        if standing.is_valid() {
            return Ok(state);
        }
        Err(self.object(Objection::LicenceNotLive { licence: subject, why: word(standing) }))
    }

    /// The data of a licence, which is not destroyed.
    fn licence_data(
        &self,
        licence: &LicenceId,
        owner: AgencyCode,
    ) -> Result<(Hash, SubjectState), Rejection> {
        self.data(&licence_data(licence), owner)
    }

    fn data(&self, name: &DataName, owner: AgencyCode) -> Result<(Hash, SubjectState), Rejection> {
        let (key, state) = self.trail(Subject::data(name), owner);
        if state.status == Status::Destroyed {
            return Err(self.object(Objection::DataGone { data: state.subject }));
        }
        Ok((key, state))
    }

    fn grant_licence(&self, terms: &Terms) -> Result<Changes, Rejection> {
        let Terms { licence, grantee, fields, expires, uses_max, .. } = terms;
        let holder = self.live(licence)?;
        self.owns(&holder)?;
        if let Facts::Licence { facts, .. } = &holder.facts {
            self.covers_licence(facts)?;
        }
        self.party(grantee)?;
        if fields.is_empty() {
            return Err(self.object(Objection::FieldList));
        }
        self.fields(fields)?;
        if !(1..=USES_MAX).contains(uses_max) {
            return Err(self.object(Objection::UsesBound));
        }
        let (expires, after) = (*expires, self.at.time.max(self.effective_from));
        if expires <= after {
            return Err(self.object(Objection::GrantOver { expires, after }));
        }
        let subject = Subject::grant(&terms.id());
        let key = subject.key();
        if let Some(state) = self.view.subject(&key) {
            return Err(self.exists(state));
        }
        let facts = Facts::Grant(Box::new(GrantFacts { terms: terms.clone(), uses: 0 }));
        let grant = self.new_state(subject, 1, facts);
        let mut changes = vec![(key, grant), self.licence_data(licence, holder.owner)?];
        if *grantee != self.agency {
            changes.push(self.trail(Subject::actor(grantee), *grantee));
        }
        Ok(changes)
    }

    fn use_licence(&self, used: &Presented) -> Result<Changes, Rejection> {
        let Presented { grant, licence, purpose, fields, made_at, copy_until } = used;
        self.made(*made_at)?;
        if let Some(until) = copy_until.filter(|until| until <= made_at) {
            return Err(self.object(Objection::Copy { until, made_at: *made_at }));
        }
        let wanted = Wanted { licence, purpose, fields, made_at: *made_at };
        let (spent, owner) = self.spend(grant, &wanted)?;
        Ok(vec![spent, self.licence_data(licence, owner)?])
    }

    fn withdraw_grant(&self, grant: &GrantId, licence: &LicenceId) -> Result<Changes, Rejection> {
        let (mut state, facts) = self.found_grant(grant)?;
        self.is_of(grant, &facts.terms, licence)?;
        self.owns(&state)?;
        if state.status == Status::Revoked {
            return Err(self.object(Objection::GrantWithdrawn { grant: *grant }));
        }
        state.status = Status::Revoked;
        state.effective_from = self.effective_from;
        let owner = self.licence_owner(licence).unwrap_or(state.owner);
        // That it is at an end is said even where the data is no more.
        let data = self.trail(Subject::data(&licence_data(licence)), owner);
        Ok(vec![(state.subject.key(), state), data])
    }

    fn licence_owner(&self, licence: &LicenceId) -> Option<AgencyCode> {
        self.view.subject(&Subject::licence(licence).key()).map(|state| state.owner)
    }

    fn found_grant(&self, grant: &GrantId) -> Result<(SubjectState, GrantFacts), Rejection> {
        let unknown = || self.object(Objection::NoGrant { grant: *grant });
        let state = self.view.subject(&Subject::grant(grant).key()).ok_or_else(unknown)?;
        match &state.facts {
            Facts::Grant(facts) => {
                let facts = (**facts).clone();
                Ok((state, facts))
            }
            Facts::Item { .. }
            | Facts::Basic { .. }
            | Facts::Licence { .. }
            | Facts::Lot
            | Facts::Agency(_)
            | Facts::Proposal(_)
            | Facts::Network(_)
            | Facts::Elements(_)
            | Facts::List { .. }
            | Facts::Batch { .. }
            | Facts::Seed { .. }
            | Facts::Trail
            | Facts::Document { .. } => Err(unknown()),
        }
    }

    fn is_of(&self, grant: &GrantId, terms: &Terms, licence: &LicenceId) -> Result<(), Rejection> {
        if terms.licence == *licence {
            return Ok(());
        }
        let (granted, named) = (Subject::licence(&terms.licence), licence.to_string());
        Err(self.object(Objection::GrantOf { grant: *grant, granted, named }))
    }

    /// A grant with one use fewer left, and whose the licence is; if it lets the agency do what it wants.
    fn spend(
        &self,
        grant: &GrantId,
        wanted: &Wanted<'_>,
    ) -> Result<((Hash, SubjectState), AgencyCode), Rejection> {
        let (mut state, mut facts) = self.found_grant(grant)?;
        let (grant, terms) = (*grant, &facts.terms);
        if terms.grantee != self.agency {
            let (grantee, agency) = (terms.grantee, self.agency);
            return Err(self.object(Objection::Grantee { grant, grantee, agency }));
        }
        self.is_of(&grant, terms, wanted.licence)?;
        if terms.purpose != *wanted.purpose {
            let (granted, purpose) = (terms.purpose.clone(), wanted.purpose.clone());
            return Err(self.object(Objection::Purpose { grant, granted, purpose }));
        }
        self.fields(wanted.fields)?;
        if let Some(field) = wanted.fields.iter().find(|field| !terms.fields.contains(field)) {
            return Err(self.object(Objection::Field { grant, field: field.clone() }));
        }
        if state.status != Status::Active {
            return Err(self.object(Objection::GrantWithdrawn { grant }));
        }
        self.effective(&state)?;
        let (expires, made_at, from) = (terms.expires, wanted.made_at, state.effective_from);
        if self.at.time.max(made_at) >= expires {
            return Err(self.object(Objection::GrantExpired { grant, expires }));
        }
        if made_at < from {
            return Err(self.object(Objection::Early { grant, made_at, from }));
        }
        if facts.uses >= terms.uses_max {
            return Err(self.object(Objection::GrantSpent { grant, uses: facts.uses }));
        }
        let owner = self.live(wanted.licence)?.owner;
        facts.uses += 1;
        state.facts = Facts::Grant(Box::new(facts));
        Ok(((state.subject.key(), state), owner))
    }

    /// What a use of data changes, and the data's key.
    fn use_data(&self, used: &DataUse) -> Result<(Changes, Hash), Rejection> {
        self.fields(&used.fields)?;
        self.made(used.made_at)?;
        let (owner, of) = match data_owner(&used.data) {
            Some(DataOwner::Agency(code)) => {
                let unknown =
                    || self.object(Objection::DataUnknown { what: format!("agency:{code}") });
                (self.rules.agency(&code).map(|_| code).ok_or_else(unknown)?, None)
            }
            Some(DataOwner::Subject(subject)) => {
                let unknown = || self.object(Objection::DataUnknown { what: subject.to_string() });
                let state = self.view.subject(&subject.key()).ok_or_else(unknown)?;
                (state.owner, Some(state))
            }
            None => {
                let name = used.data.to_string();
                return Err(self.object(Objection::DataName { name }));
            }
        };
        let data = self.data(&used.data, owner)?;
        let key = data.0;
        let mut changes = vec![data];
        if let Basis::Grant(grant) = &used.basis {
            // What it is of is asked of the grant: the name of the data must be that licence's.
            let (_, facts) = self.found_grant(grant)?;
            if licence_data(&facts.terms.licence) != used.data {
                let why = "a grant of a licence is no right to anything but that licence";
                return Err(self.object(Objection::BasisScope { why }));
            }
            let wanted = Wanted {
                licence: &facts.terms.licence,
                purpose: &used.purpose,
                fields: &used.fields,
                made_at: used.made_at,
            };
            changes.push(self.spend(grant, &wanted)?.0);
        } else {
            self.basis(&used.basis)?;
            self.entitled(used, owner, of.as_ref())?;
        }
        Ok((changes, key))
    }

    /// Whether a live basis that is no grant gives a right to this data: to what is of the agency's own line always, to a
    /// licence of others only as a role that covers it.
    fn entitled(
        &self,
        used: &DataUse,
        owner: AgencyCode,
        of: Option<&SubjectState>,
    ) -> Result<(), Rejection> {
        if self.rules.is_or_above(&self.agency, &owner) {
            return Ok(());
        }
        let facts = of.map(|state| (&state.facts, &state.subject.id));
        let licence = matches!(facts, Some((Facts::Licence { .. }, _)));
        let Basis::Role(number) = &used.basis else {
            if licence {
                let data = Subject::data(&used.data);
                return Err(self.object(Objection::DataForeign { data, owner }));
            }
            return Ok(());
        };
        let role = self.rules.role(&self.agency, *number, self.at).map(|(role, _)| role);
        let covers = role.is_some_and(|role| match facts {
            Some((Facts::Licence { facts, .. }, _)) => {
                role.covers_licence(&facts.kind, facts.region)
            }
            Some((Facts::Item { region, .. }, _)) => role.covers_item(*region),
            Some((Facts::Lot, lot)) => role.covers_lot(lot),
            // Of what only its owner names, no role says anything.
            Some(_) | None => false,
        });
        if covers {
            Ok(())
        } else if licence {
            let data = Subject::data(&used.data);
            Err(self.object(Objection::DataForeign { data, owner }))
        } else {
            let why = "the data is another agency's, and the role does not cover it";
            Err(self.object(Objection::BasisScope { why }))
        }
    }

    fn reuse(&self, reuse: &Reuse) -> Result<Changes, Rejection> {
        self.made(reuse.made_at)?;
        let mut state = self.registered(&Subject::document(&reuse.document))?;
        if let Facts::Document { uses, .. } = &mut state.facts {
            *uses += 1;
        }
        match &reuse.basis {
            Some(Basis::Grant(_)) => {
                let why = "a grant is of a licence, not of a registered document";
                return Err(self.object(Objection::BasisScope { why }));
            }
            Some(basis) => self.basis(basis)?,
            None => {}
        }
        Ok(vec![(state.subject.key(), state)])
    }

    /// A document that others may use.
    fn registered(&self, subject: &Subject) -> Result<SubjectState, Rejection> {
        let state = self
            .view
            .subject(&subject.key())
            .ok_or_else(|| Rejection::Unknown { index: self.index, subject: subject.clone() })?;
        if state.status == Status::Active {
            return Ok(state);
        }
        let (document, status) = (subject.clone(), state.status);
        Err(self.object(Objection::DocumentRetired { document, status }))
    }

    /// Whether a basis that is no grant is live, and the agency's to cite.
    fn basis(&self, basis: &Basis) -> Result<(), Rejection> {
        let over = |basis: &Subject, why: String| {
            self.object(Objection::BasisOver { basis: basis.to_string(), why })
        };
        let found = |subject: &Subject| {
            let unknown = || self.object(Objection::NoBasis { basis: subject.to_string() });
            self.view.subject(&subject.key()).ok_or_else(unknown)
        };
        match basis {
            Basis::Grant(grant) => Err(self.object(Objection::NoGrant { grant: *grant })),
            Basis::Item(code) => {
                let subject = Subject::item(code);
                let state = found(&subject)?;
                self.effective(&state)?;
                if state.status != Status::Active {
                    return Err(over(&subject, word(Standing::Known(state.status))));
                }
                if let Facts::Item { planned_cancel: Some(end), .. } = &state.facts
                    && self.at.time >= *end
                {
                    return Err(over(&subject, "past its planned end".into()));
                }
                // Whoever exercises an item, or stands above who does, works by it.
                if self.rules.is_or_above(&self.agency, &state.owner) {
                    return Ok(());
                }
                let why = "the service item is another agency's";
                Err(self.object(Objection::BasisScope { why }))
            }
            Basis::Licence(licence) => {
                let subject = Subject::licence(licence);
                let state = found(&subject)?;
                self.effective(&state)?;
                let standing = self.standing(&state);
                if !standing.is_valid() {
                    return Err(over(&subject, word(standing)));
                }
                // Whoever issued a licence, stands above who did, or is in charge of such, works by it.
                let covered = || matches!(&state.facts, Facts::Licence { facts, .. } if self.covers_licence(facts).is_ok());
                if self.rules.is_or_above(&self.agency, &state.owner) || covered() {
                    return Ok(());
                }
                let why = "the licence is another agency's, and no role covers it";
                Err(self.object(Objection::BasisScope { why }))
            }
            Basis::Role(number) => {
                let subject = Subject::agency(&self.agency);
                let name = || format!("role {number} of {subject}");
                match self.rules.role(&self.agency, *number, self.at) {
                    Some((_, true)) => Ok(()),
                    Some((_, false)) => {
                        let why = "not held now".into();
                        Err(self.object(Objection::BasisOver { basis: name(), why }))
                    }
                    None => Err(self.object(Objection::NoBasis { basis: name() })),
                }
            }
        }
    }
}

fn word(standing: Standing) -> String {
    match standing {
        Standing::Absent => "not issued".into(),
        Standing::Pending => "not yet valid".into(),
        Standing::Known(status) => format!("{status:?}").to_lowercase(),
    }
}
