//! Who may do what at the next height: what the state says of agencies, keys and the network, kept where it is asked often.

use std::collections::BTreeMap;
use types::{
    AgencyCode, PublicKey, Role, SubjectState,
    authority::{AgencyFacts, Grant, Moment, NetworkFacts},
    fields::FieldName,
    subject::{Facts, Status},
};

/// An agency as the last block left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whether it may act.
    pub status: Status,
    /// Its keys and grants, and where it stands.
    pub facts: AgencyFacts,
}

/// Everything the state says of authority.
#[derive(Clone, Debug)]
pub(crate) struct Authority {
    agencies: BTreeMap<AgencyCode, Standing>,
    /// Every key an agency ever had: none is used twice.
    keys: BTreeMap<PublicKey, AgencyCode>,
    network: NetworkFacts,
    /// The elements that every version of a service item must have.
    uniform: Vec<FieldName>,
}

impl Authority {
    /// What these subjects say; all else that they hold is left alone.
    ///
    /// # Panics
    /// When the network itself is not among them, or an agency's subject is not named by a code.
    pub(crate) fn of(states: impl IntoIterator<Item = SubjectState>) -> Self {
        let (mut agencies, mut network, mut uniform) = (BTreeMap::new(), None, Vec::new());
        for SubjectState { subject, status, facts, .. } in states {
            match facts {
                Facts::Agency(facts) => {
                    let code = AgencyCode::new(&subject.id).expect("agencies are named by codes");
                    agencies.insert(code, Standing { status, facts: *facts });
                }
                Facts::Network(facts) => network = Some(*facts),
                Facts::Elements(names) => uniform = names,
                Facts::Item { .. }
                | Facts::Basic { .. }
                | Facts::Licence { .. }
                | Facts::Lot
                | Facts::List { .. }
                | Facts::Batch { .. }
                | Facts::Seed { .. }
                | Facts::Proposal(_)
                | Facts::Grant(_)
                | Facts::Trail
                | Facts::Document { .. } => {}
            }
        }
        let keys = agencies
            .iter()
            .flat_map(|(code, standing)| standing.facts.keys.iter().map(|term| (term.key, *code)))
            .collect();
        let network = network.expect("every chain has a network");
        Self { agencies, keys, network, uniform }
    }

    pub(crate) const fn network(&self) -> &NetworkFacts {
        &self.network
    }

    pub(crate) fn uniform(&self) -> &[FieldName] {
        &self.uniform
    }

    pub(crate) fn agency(&self, code: &AgencyCode) -> Option<&Standing> {
        self.agencies.get(code)
    }

    pub(crate) fn agencies(&self) -> impl Iterator<Item = (&AgencyCode, &Standing)> {
        self.agencies.iter()
    }

    pub(crate) fn owner(&self, key: &PublicKey) -> Option<&AgencyCode> {
        self.keys.get(key)
    }

    /// The roles an agency holds at a moment: granted by governance, or passed down a line in which each still holds its own.
    pub(crate) fn roles(&self, code: &AgencyCode, at: Moment) -> impl Iterator<Item = &Role> {
        let standing = self.agencies.get(code).filter(|found| found.status == Status::Active);
        let grants = standing.map(|found| found.facts.grants.as_slice()).unwrap_or_default();
        grants.iter().filter(move |grant| self.holds(grant, at)).map(|grant| &grant.role)
    }

    /// Whether a grant holds at a moment. A delegated one holds while some grant above covers it; parents make no circle
    /// and delegation goes one level down at a time, so this ends.
    pub(crate) fn holds(&self, grant: &Grant, at: Moment) -> bool {
        grant.holds(at)
            && grant.by.is_none_or(|above| {
                let mut roles: Box<dyn Iterator<Item = &Role>> = Box::new(self.roles(&above, at));
                roles.any(|role| role.covers(&grant.role))
            })
    }

    /// The agencies that govern at a moment.
    pub(crate) fn governors(&self, at: Moment) -> Vec<AgencyCode> {
        let governs =
            |code: &&AgencyCode| self.roles(code, at).any(|role| matches!(role, Role::Govern {}));
        self.agencies.keys().filter(governs).copied().collect()
    }
}
