//! Who may do what at the next height: what the state says of agencies, keys and the network, kept where it is asked often.

use core::{iter::Zip, slice};
use std::{collections::BTreeMap, sync::OnceLock};
use types::{
    AgencyCode, Height, PublicKey, Role, SubjectState, Timestamp,
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

/// Everything the state says of authority, for the next block and for those after it until it is said anew.
#[derive(Clone, Debug)]
pub(crate) struct Authority {
    agencies: BTreeMap<AgencyCode, Known>,
    /// The height of the next block.
    next: Height,
    /// Every key an agency ever had: none is used twice.
    keys: BTreeMap<PublicKey, AgencyCode>,
    network: NetworkFacts,
    /// The elements that every version of a service item must have.
    uniform: Vec<FieldName>,
}

/// An agency with the term of each of its grants.
#[derive(Clone, Debug)]
struct Known {
    standing: Standing,
    /// Worked out when it is first asked for, from those of the agencies above: to look up the line each time would multiply
    /// the grants of all its levels with one another, for every lot of every event.
    terms: OnceLock<Vec<Term>>,
}

/// Until when a grant holds; of two, the greater lasts longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Term {
    /// It does not hold.
    Over,
    /// It holds for blocks whose parent is before this time.
    Before(Timestamp),
    /// It holds without end.
    Endless,
}

impl Term {
    fn holds(self, at: Moment) -> bool {
        self > Self::Before(at.time)
    }
}

/// An agency's grants, each with its term.
type Held<'a> = Zip<slice::Iter<'a, Grant>, slice::Iter<'a, Term>>;

impl Authority {
    /// What these subjects say to the block at `next`; all else that they hold is left alone.
    ///
    /// # Panics
    /// When the network itself is not among them, or an agency's subject is not named by a code.
    pub(crate) fn of(states: impl IntoIterator<Item = SubjectState>, next: Height) -> Self {
        let (mut agencies, mut network, mut uniform) = (BTreeMap::new(), None, Vec::new());
        for SubjectState { subject, status, facts, .. } in states {
            match facts {
                Facts::Agency(facts) => {
                    let code = AgencyCode::new(&subject.id).expect("agencies are named by codes");
                    let standing = Standing { status, facts: *facts };
                    agencies.insert(code, Known { standing, terms: OnceLock::new() });
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
            .flat_map(|(code, Known { standing, .. })| {
                standing.facts.keys.iter().map(|term| (term.key, *code))
            })
            .collect();
        let network = network.expect("every chain has a network");
        Self { agencies, next, keys, network, uniform }
    }

    pub(crate) const fn network(&self) -> &NetworkFacts {
        &self.network
    }

    pub(crate) fn uniform(&self) -> &[FieldName] {
        &self.uniform
    }

    pub(crate) fn agency(&self, code: &AgencyCode) -> Option<&Standing> {
        self.agencies.get(code).map(|known| &known.standing)
    }

    pub(crate) fn agencies(&self) -> impl Iterator<Item = (&AgencyCode, &Standing)> {
        self.agencies.iter().map(|(code, known)| (code, &known.standing))
    }

    pub(crate) fn owner(&self, key: &PublicKey) -> Option<&AgencyCode> {
        self.keys.get(key)
    }

    /// The roles an agency holds at a moment: granted by governance, or passed down a line in which each still holds its own.
    pub(crate) fn roles(&self, code: &AgencyCode, at: Moment) -> impl Iterator<Item = &Role> {
        self.held(code).filter(move |(_, term)| term.holds(at)).map(|(grant, _)| &grant.role)
    }

    /// An agency's role of a number, and whether it holds at a moment; `None` when it never had one of that number.
    pub(crate) fn role(&self, code: &AgencyCode, number: u32, at: Moment) -> Option<(&Role, bool)> {
        let (grant, term) = self.held(code).find(|(grant, _)| grant.number == number)?;
        Some((&grant.role, term.holds(at)))
    }

    /// The agencies that govern at a moment. Governing is part of no other role, so none of them does by delegation, and no
    /// line is worked out to find them.
    pub(crate) fn governors(&self, at: Moment) -> Vec<AgencyCode> {
        let governs = |grant: &Grant| {
            matches!(grant.role, Role::Govern {}) && grant.by.is_none() && grant.holds(at)
        };
        let acts = |standing: &Standing| {
            standing.status == Status::Active && standing.facts.grants.iter().any(governs)
        };
        self.agencies().filter(|(_, standing)| acts(standing)).map(|(code, _)| *code).collect()
    }

    fn held(&self, code: &AgencyCode) -> Held<'_> {
        let found = self.agencies.get(code).map(|Known { standing, terms }| {
            let terms = terms.get_or_init(|| self.terms(standing));
            (standing.facts.grants.as_slice(), terms.as_slice())
        });
        let (grants, terms) = found.unwrap_or_default();
        grants.iter().zip(terms)
    }

    /// The terms of an agency's grants, in their order: none holds while it cannot act.
    fn terms(&self, Standing { status, facts }: &Standing) -> Vec<Term> {
        let acts = *status == Status::Active;
        facts.grants.iter().map(|grant| if acts { self.term(grant) } else { Term::Over }).collect()
    }

    /// A grant's own term; of a delegated one no more than the longest of those above that cover it. Parents make no circle
    /// and delegation goes one level down at a time, so this ends.
    fn term(&self, grant: &Grant) -> Term {
        // Whatever begins or ends at a height does so by the next block: what holds then, only time can end.
        if !grant.holds(Moment { height: self.next, time: Timestamp::default() }) {
            return Term::Over;
        }
        let own = grant.expires.map_or(Term::Endless, Term::Before);
        let Some(above) = grant.by else { return own };
        let mut longest = Term::Over;
        for (cover, term) in self.held(&above) {
            let term = own.min(*term);
            // Roles may be long: only one that would make a difference is looked at.
            if term > longest && cover.role.covers(&grant.role) {
                longest = term;
            }
        }
        longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{agencies, code, genesis, item_role, licence_role};
    use proptest::{collection::vec, option::of, prelude::*};
    use types::{Level, authority::FACTS_BYTES_SPARE, operation::Lot};

    /// The block that is asked about.
    const NEXT: Height = Height(4);

    fn trace_role(space: &str) -> Role {
        Role::Trace { namespaces: vec![space.parse().unwrap()] }
    }

    /// Four agencies, each below the one before it, with these grants.
    fn line(all: impl IntoIterator<Item = (Status, Vec<Grant>)>) -> Authority {
        let mut states = genesis(agencies([
            (Level::Province, None, vec![]),
            (Level::City, Some(0), vec![]),
            (Level::County, Some(1), vec![]),
            (Level::Town, Some(2), vec![]),
        ]))
        .subjects();
        // The network comes before them.
        for (state, (status, grants)) in states.iter_mut().skip(1).zip(all) {
            state.status = status;
            let Facts::Agency(facts) = &mut state.facts else { unreachable!("it is an agency") };
            facts.grants =
                (0..).zip(grants).map(|(number, grant)| Grant { number, ..grant }).collect();
        }
        Authority::of(states, NEXT)
    }

    /// What an agency holds, as anyone would say it, and as nobody should work it out: for each grant up the whole line.
    fn plain<'a>(authority: &'a Authority, code: &AgencyCode, at: Moment) -> Vec<&'a Grant> {
        let standing = authority.agency(code).filter(|found| found.status == Status::Active);
        let grants = standing.map(|found| found.facts.grants.as_slice()).unwrap_or_default();
        let holds = |grant: &&Grant| {
            grant.holds(at)
                && grant.by.is_none_or(|above| {
                    plain(authority, &above, at).iter().any(|held| held.role.covers(&grant.role))
                })
        };
        grants.iter().filter(holds).collect()
    }

    #[test]
    fn a_line_of_many_grants_is_worked_out_once() {
        // Of each agency only the last grant covers anything, and that is all that the next one has.
        const MANY: usize = 750;
        let grants = |n: usize| -> Vec<Grant> {
            let space = format!("a{}", "z".repeat(n));
            let name = |number: usize| match number {
                MANY => format!("{space}z"),
                number => format!("{space}{number}"),
            };
            let grant = |number: usize| Grant {
                number: 0,
                role: trace_role(&name(number)),
                by: n.checked_sub(1).map(code),
                from: Height(2),
                expires: None,
                until: None,
            };
            (1..=MANY).map(grant).collect()
        };
        let authority = line((0..4).map(|n| (Status::Active, grants(n))));
        let is_worked_out = |n: usize| authority.agencies[&code(n)].terms.get().is_some();
        for (_, standing) in authority.agencies() {
            assert_eq!(standing.facts.grants.len(), MANY);
            assert!(standing.facts.has_room(FACTS_BYTES_SPARE), "it could be delegated as much");
        }
        let lot: Lot = "azzzz9".parse().unwrap();
        for n in 0..1000 {
            let at = Moment { height: NEXT.plus(n), time: Timestamp(n) };
            assert!(authority.governors(at).is_empty());
            assert_eq!([0, 1, 2, 3].map(is_worked_out), [n > 0; 4], "only the roles are asked for");
            assert!(authority.roles(&code(3), at).any(|role| role.covers_lot(&lot)));
            assert_eq!(authority.roles(&code(3), at).count(), MANY);
        }
    }

    proptest! {
        #[test]
        fn whatever_is_held_is_held_by_the_plain_definition(
            all in vec(
                (0..5_u8, vec((0..8_usize, 0..5_usize, 1..=NEXT.0, of(1..=NEXT.0), of(0..6_u64)), 0..7)),
                4,
            ),
        ) {
            let choice = [
                item_role("350000"),
                item_role("350100"),
                item_role("350122"),
                licence_role("1", "350000"),
                licence_role("11", "350100"),
                trace_role("a"),
                trace_role("ab"),
                Role::Govern {},
            ];
            let authority = line(all.iter().enumerate().map(|(n, (status, grants))| {
                let status = if *status == 0 { Status::Suspended } else { Status::Active };
                let grant = |(role, by, from, until, expires): &(usize, usize, u64, Option<u64>, Option<u64>)| Grant {
                    number: 0,
                    role: choice[*role].clone(),
                    by: (*by < n).then(|| code(*by)),
                    from: Height(*from),
                    expires: expires.map(Timestamp),
                    until: until.map(Height),
                };
                (status, grants.iter().map(grant).collect::<Vec<_>>())
            }));
            for (height, time) in [NEXT, NEXT.plus(5)].into_iter().flat_map(|height| (0..7).map(move |time| (height, time))) {
                let at = Moment { height, time: Timestamp(time) };
                let mut governors = Vec::new();
                for (code, standing) in authority.agencies() {
                    let held = plain(&authority, code, at);
                    let roles: Vec<&Role> = held.iter().map(|grant| &grant.role).collect();
                    prop_assert_eq!(authority.roles(code, at).collect::<Vec<_>>(), roles, "{} at {:?}", code, at);
                    for grant in &standing.facts.grants {
                        let holds = held.iter().any(|found| found.number == grant.number);
                        prop_assert_eq!(authority.role(code, grant.number, at), Some((&grant.role, holds)));
                    }
                    prop_assert_eq!(authority.role(code, 99, at), None);
                    if held.iter().any(|grant| matches!(grant.role, Role::Govern {})) {
                        governors.push(*code);
                    }
                }
                prop_assert_eq!(authority.governors(at), governors, "at {:?}", at);
            }
        }
    }
}
