//! Who could sign for an agency at a height, and what it could record: as genesis says, or as the state map keeps it.

use super::{Fact, Family, Scope};
use crate::{
    error::{AgencyLineError, ProofError},
    receipt::{AgencyState, AuthorityClaim, Claim, LINE_MAX, Proof},
    trust::TrustRoot,
};
use std::collections::BTreeMap;
use types::{
    Agency, AgencyCode, Genesis, Height, Operation, PublicKey, Role, Subject, Text, Timestamp,
    authority::{AgencyFacts, Governance, Moment},
    item::ListVerb,
    operation::{Action, ItemVerb},
    subject::Facts,
    transaction::TransactionHeader,
    usage::Usage,
};

/// What an authority rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grounds {
    /// The trust root's own list of agencies.
    Genesis,
    /// The ledger's state, with the terms of every key and grant.
    Ledger,
}

/// Later than any time: by then whatever ends has ended.
const NEVER: Timestamp = Timestamp(u64::MAX);

/// Who is known, and when what happened.
pub(super) struct Authorities<'a> {
    /// What genesis says of each agency, found without a look at all of them for every record.
    enrolled: BTreeMap<AgencyCode, &'a Agency>,
    /// The first claim of each agency: the others say the same, or their path does not lead to the state.
    claims: BTreeMap<AgencyCode, &'a AuthorityClaim>,
    /// Of each height that the file tells the time of: the least time of it and all later ones.
    times: BTreeMap<Height, Timestamp>,
    /// What was worked out for one record is worked out for all of its block.
    held: BTreeMap<(AgencyCode, Height, Timestamp), Vec<&'a Role>>,
}

/// A record's authority, as found.
pub(super) struct Allowed<'a> {
    pub(super) name: &'a Text<96>,
    pub(super) family: Family,
    pub(super) scope: Scope,
    pub(super) grounds: Grounds,
}

impl<'a> Authorities<'a> {
    pub(super) fn new(proof: &'a Proof, root: &'a TrustRoot) -> Self {
        let genesis = root.genesis();
        let mut claims = BTreeMap::new();
        let mut known =
            vec![(Height::GENESIS, genesis.time), (proof.header.height, proof.header.time)];
        for claim in &proof.claims {
            match claim {
                Claim::Authority(claim) => {
                    claims.entry(claim.agency).or_insert(&**claim);
                }
                Claim::Record(claim) => known.push((claim.entry.height, claim.entry.time)),
                Claim::Records(claim) => {
                    known.extend(claim.transactions.iter().map(|tx| (tx.height, tx.time)));
                }
                Claim::Upstream(claim) => {
                    let transactions = &claim.records.transactions;
                    known.extend(transactions.iter().map(|tx| (tx.height, tx.time)));
                }
                Claim::Consistency(claim) => known.push((claim.header.height, claim.header.time)),
                Claim::Status(_) | Claim::Fork(_) | Claim::Votes(_) | Claim::Block => {}
            }
        }
        known.sort_unstable();
        let (mut times, mut least) = (BTreeMap::new(), NEVER);
        for (height, time) in known.into_iter().rev() {
            least = least.min(time);
            times.insert(height, least);
        }
        let enrolled = genesis.agencies.iter().map(|agency| (agency.code, agency)).collect();
        Self { enrolled, claims, times, held: BTreeMap::new() }
    }

    /// The moment of a block: its height, and the earliest time that the file shows to be no earlier than that of the block
    /// before. What holds then held; roles end with time and never begin with it.
    fn moment(&self, height: Height) -> Moment {
        let before = Height(height.0.saturating_sub(1));
        let time = self.times.range(before..).next().map_or(NEVER, |(_, time)| *time);
        Moment { height, time }
    }

    /// Whether the key is one of the agency's, and the agency may make such a record in such a block.
    pub(super) fn may(
        &mut self,
        transaction: &TransactionHeader,
        operation: &Operation,
        height: Height,
    ) -> Result<Allowed<'a>, ProofError> {
        let TransactionHeader { agency: code, key, .. } = transaction;
        let Some(claim) = self.claims.get(code).copied() else {
            return by_genesis(self.enrolled.get(code).copied(), transaction, operation);
        };
        let line = sound(claim)?;
        let facts = signs(&line, code, Some(key), height)?;
        let at = self.moment(height);
        let held = self.held.entry((*code, at.height, at.time));
        let roles = held.or_insert_with(|| held_by(&line, at).map(|(_, role)| role).collect());
        let (family, scope) = scope(code, roles, operation)?;
        Ok(Allowed { name: &facts.name, family, scope, grounds: Grounds::Ledger })
    }

    /// What an agency could do in a block, and that a key could sign for it.
    pub(super) fn held(&self, claim: &'a AuthorityClaim, tip: Height) -> Result<Fact, ProofError> {
        let line = sound(claim)?;
        let limit = tip.plus(1);
        if claim.at > limit || claim.at == Height::GENESIS {
            return Err(ProofError::Line(AgencyLineError::Height { found: claim.at, limit }));
        }
        let facts = signs(&line, &claim.agency, claim.key.as_ref(), claim.at)?;
        let at = self.moment(claim.at);
        Ok(Fact::Held {
            agency: claim.agency,
            name: facts.name.clone(),
            key: claim.key,
            at: claim.at,
            roles: held_by(&line, at).map(|(number, role)| (number, role.clone())).collect(),
            time: at.time,
        })
    }
}

/// Whether genesis alone answers for a record: its key is the agency's, and one of its roles covers the record.
#[must_use]
pub fn genesis_allows(
    genesis: &Genesis,
    transaction: &TransactionHeader,
    operation: &Operation,
) -> bool {
    by_genesis(genesis.agency(&transaction.agency), transaction, operation).is_ok()
}

fn by_genesis<'a>(
    agency: Option<&'a Agency>,
    transaction: &TransactionHeader,
    operation: &Operation,
) -> Result<Allowed<'a>, ProofError> {
    let TransactionHeader { agency: code, key, .. } = transaction;
    let agency = agency.ok_or(ProofError::Agency { agency: *code })?;
    if !agency.keys.contains(key) {
        return Err(ProofError::Key { key: *key, agency: *code });
    }
    let roles: Vec<&Role> = agency.roles.iter().collect();
    let (family, scope) = scope(code, &roles, operation)?;
    Ok(Allowed { name: &agency.name, family, scope, grounds: Grounds::Genesis })
}

/// The facts of a line's agencies, if it is one: the agency, the one above it, and so on.
fn sound(claim: &AuthorityClaim) -> Result<Vec<(AgencyCode, &AgencyFacts)>, ProofError> {
    let found = claim.line.len();
    if !(1..=LINE_MAX).contains(&found) {
        return Err(ProofError::Line(AgencyLineError::Size { found }));
    }
    let (mut line, mut next) = (Vec::with_capacity(found), Some(claim.agency));
    for AgencyState { state, .. } in &claim.line {
        let stranger = || ProofError::Line(AgencyLineError::Order { found: state.subject.clone() });
        let code = next.ok_or_else(stranger)?;
        let Facts::Agency(facts) = &state.facts else { return Err(stranger()) };
        if state.subject != Subject::agency(&code) {
            return Err(stranger());
        }
        line.push((code, &**facts));
        next = facts.parent;
    }
    Ok(line)
}

/// The facts of the agency, if it could act at a height, by this key or by any.
fn signs<'a>(
    line: &[(AgencyCode, &'a AgencyFacts)],
    agency: &AgencyCode,
    key: Option<&PublicKey>,
    height: Height,
) -> Result<&'a AgencyFacts, ProofError> {
    let (agency, unknown) = (*agency, ProofError::Unenrolled { agency: *agency, height });
    let Some((_, facts)) = line.first() else { return Err(unknown) };
    // Whoever is enrolled has a key, always.
    if !facts.keys.iter().any(|term| term.holds(height)) {
        return Err(unknown);
    }
    if facts.is_suspended(height) {
        return Err(ProofError::Suspended { agency, height });
    }
    match key {
        Some(key) if !facts.may_sign(key, height) => {
            Err(ProofError::KeyTerm { key: *key, agency, height })
        }
        Some(_) | None => Ok(facts),
    }
}

/// The grants that the first of a line held at a moment: by governance, or passed down to it while each above held its own.
fn held_by<'a>(
    line: &[(AgencyCode, &'a AgencyFacts)],
    at: Moment,
) -> impl Iterator<Item = (u32, &'a Role)> + use<'a> {
    let mut above: Option<(AgencyCode, Vec<(u32, &'a Role)>)> = None;
    for (code, facts) in line.iter().rev() {
        let backed = |by: AgencyCode, role: &Role| {
            above.as_ref().is_some_and(|(code, roles)| {
                *code == by && roles.iter().any(|(_, mine)| mine.covers(role))
            })
        };
        let acts = !facts.is_suspended(at.height);
        let grants = facts.grants.iter().filter(|grant| {
            acts && grant.holds(at) && grant.by.is_none_or(|by| backed(by, &grant.role))
        });
        let held = grants.map(|grant| (grant.number, &grant.role)).collect();
        above = Some((*code, held));
    }
    above.map(|(_, held)| held).unwrap_or_default().into_iter()
}

/// Whether roles reach to an operation, as far as the operation itself can tell.
fn scope(
    agency: &AgencyCode,
    roles: &[&Role],
    operation: &Operation,
) -> Result<(Family, Scope), ProofError> {
    let any = |covers: &dyn Fn(&Role) -> bool| roles.iter().any(|role| covers(role));
    let (family, covered) = match &operation.action {
        // The owner of an item may act on it after its region was given to another.
        Action::Item(act) => (
            Family::Item,
            match (&act.verb, any(&|role| role.covers_item(act.region))) {
                (_, true) => Some(true),
                (
                    ItemVerb::Publish { .. }
                    | ItemVerb::Enter(_)
                    | ItemVerb::Merge { .. }
                    | ItemVerb::Split { .. },
                    false,
                ) => Some(false),
                (
                    ItemVerb::Amend { .. }
                    | ItemVerb::Suspend
                    | ItemVerb::Resume
                    | ItemVerb::Cancel
                    | ItemVerb::Revise(_)
                    | ItemVerb::Entrust { .. },
                    false,
                ) => None,
            },
        ),
        // Whoever drew up a list may act on it, too.
        Action::List(act) => (
            Family::Item,
            match (&act.verb, any(&|role| role.covers_item(act.region))) {
                (_, true) => Some(true),
                (ListVerb::Publish { .. }, false) => Some(false),
                (ListVerb::Amend { .. } | ListVerb::Cancel, false) => None,
            },
        ),
        // An act on a licence that exists does not repeat what the licence says of itself.
        Action::Licence(act) => (
            Family::Licence,
            act.verb
                .facts()
                .map(|facts| any(&|role| role.covers_licence(&facts.kind, facts.region))),
        ),
        Action::Trace(event) => (
            Family::Trace,
            Some(event.lots.iter().all(|(lot, _)| any(&|role| role.covers_lot(lot)))),
        ),
        Action::Govern(Governance::Propose(_) | Governance::Approve { .. }) => {
            (Family::Authority, Some(true))
        }
        // What an agency does with its own authority needs no role.
        Action::Govern(
            Governance::Withdraw { .. }
            | Governance::Delegate { .. }
            | Governance::Undelegate { .. }
            | Governance::Rotate { .. },
        ) => return Ok((Family::Authority, Scope::Covered)),
        // Whose licence it is, the validators knew.
        Action::Use(Usage::Grant(_) | Usage::Withdraw { .. }) => (Family::Licence, None),
        // What is used rests on a grant or another basis, which the validators judged; it needs no role.
        Action::Use(
            Usage::Use(_)
            | Usage::Access(_)
            | Usage::Transfer { .. }
            | Usage::Destroy(_)
            | Usage::Register { .. }
            | Usage::Reuse(_)
            | Usage::Retire { .. },
        ) => return Ok((Family::Use, Scope::Covered)),
        Action::Batch(act) => (Family::Trace, Some(any(&|role| role.covers_lot(&act.series)))),
        Action::Seed(act) => (Family::Trace, Some(any(&|role| role.covers_lot(&act.lot)))),
    };
    let agency = *agency;
    if !any(&|role| role.family() == family) {
        return Err(ProofError::Role { agency, family });
    }
    match covered {
        Some(true) => Ok((family, Scope::Covered)),
        Some(false) => Err(ProofError::Scope { agency, family }),
        None => Ok((family, Scope::Family)),
    }
}
