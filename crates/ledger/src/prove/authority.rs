//! What a proof says of those who signed its records, where genesis does not answer for them.

use super::{Pages, Unprovable};
use crate::{query, state::State};
use proof::{AgencyState, AuthorityClaim, Claim, LINE_MAX, RecordsClaim, genesis_allows, map};
use std::collections::{BTreeMap, BTreeSet};
use types::{
    AgencyCode, Genesis, Header, Height, Operation, PublicKey, Subject, Timestamp, subject::Facts,
    transaction::TransactionHeader,
};

/// The agency's authority at a height: its state, and those of the agencies above it from whom it holds.
pub(super) fn claim(
    state: &impl State,
    agency: AgencyCode,
    key: Option<PublicKey>,
    at: Height,
) -> Result<Claim, Unprovable> {
    let (mut line, mut next) = (Vec::new(), Some(agency));
    while let Some(code) = next.take() {
        let subject = Subject::agency(&code);
        let found = query::subject(state, &subject).ok_or(Unprovable::Agency(code))?;
        if let Facts::Agency(facts) = &found.facts {
            next = facts.parent.filter(|_| facts.grants.iter().any(|grant| grant.by.is_some()));
        }
        let siblings = map::prove(&Pages(state), &subject.key()).siblings;
        line.push(AgencyState { state: found, siblings });
        if line.len() > LINE_MAX {
            return Err(Unprovable::TooMuch { what: "the number of agencies above" });
        }
    }
    Ok(Claim::Authority(Box::new(AuthorityClaim { agency, key, at, line })))
}

/// What was signed, what was recorded, and in which block, at what time.
type Shown<'c> = (&'c TransactionHeader, &'c Operation, Height, Timestamp);

fn of_batch(batch: &RecordsClaim) -> impl Iterator<Item = Shown<'_>> {
    batch.records.iter().filter_map(|record| {
        let shared = batch.transactions.get(usize::try_from(record.transaction).ok()?)?;
        Some((&shared.header, &record.operation, shared.height, shared.time))
    })
}

/// The records that claims show.
fn records(claims: &[Claim]) -> Vec<Shown<'_>> {
    let mut all = Vec::new();
    for claim in claims {
        match claim {
            Claim::Record(claim) => {
                let (height, time) = (claim.entry.height, claim.entry.time);
                all.push((&claim.transaction, &claim.operation, height, time));
            }
            Claim::Records(claim) => all.extend(of_batch(claim)),
            Claim::Upstream(claim) => all.extend(of_batch(&claim.records)),
            Claim::Status(_)
            | Claim::Consistency(_)
            | Claim::Fork(_)
            | Claim::Votes(_)
            | Claim::Block
            | Claim::Authority(_) => {}
        }
    }
    all
}

/// A claim for each agency that made a record for which genesis does not answer, unless there is one.
pub(super) fn beside(
    genesis: &Genesis,
    state: &impl State,
    claims: &[Claim],
) -> Result<Vec<Claim>, Unprovable> {
    let mut wanted = BTreeMap::new();
    for (transaction, operation, height, _) in records(claims) {
        if !genesis_allows(genesis, transaction, operation) {
            wanted.entry(transaction.agency).or_insert((transaction.key, height));
        }
    }
    for one in claims {
        if let Claim::Authority(claim) = one {
            wanted.remove(&claim.agency);
        }
    }
    wanted.into_iter().map(|(code, (key, at))| claim(state, code, Some(key), at)).collect()
}

/// The blocks whose time decides whether a role had ended: it ended after them, but before the next time that the file tells.
pub(super) fn moments(state: &impl State, tip: &Header, claims: &[Claim]) -> BTreeSet<Height> {
    let mut ends: BTreeMap<AgencyCode, Vec<Timestamp>> = BTreeMap::new();
    // Of what is recorded the file tells the time; of a block that is only asked about, that of the proof's.
    let mut heights: BTreeMap<(AgencyCode, Height), Timestamp> = BTreeMap::new();
    for claim in claims {
        let Claim::Authority(claim) = claim else { continue };
        heights.insert((claim.agency, claim.at), tip.time);
        for AgencyState { state, .. } in &claim.line {
            if let Facts::Agency(facts) = &state.facts {
                let all = facts.grants.iter().filter_map(|grant| grant.expires);
                ends.entry(claim.agency).or_default().extend(all);
            }
        }
    }
    let shown = records(claims).into_iter();
    let shown = shown.map(|(header, _, height, time)| ((header.agency, height), time));
    heights.extend(shown.filter(|((agency, _), _)| ends.contains_key(agency)));
    let decides = |((agency, height), told): ((AgencyCode, Height), Timestamp)| {
        let before = height.previous()?;
        let start = query::header(state, before)?.time;
        let between = |expires: &Timestamp| start < *expires && *expires <= told;
        ends.get(&agency)?.iter().any(between).then_some(before)
    };
    heights.into_iter().filter_map(decides).collect()
}
