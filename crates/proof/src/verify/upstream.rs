//! Whether lots and records are the complete upstream of a lot: the graph is computed, and nothing of it read.

use super::{Examination, Fact};
use crate::{
    error::{ProofError, UpstreamError},
    receipt::{BATCH_MAX, DEPTH_MAX, LotClaim, UpstreamClaim},
};
use std::collections::{BTreeMap, BTreeSet};
use types::{
    RecordId,
    operation::Lot,
    subject::{Kind, Link, Part},
};

impl Examination<'_> {
    /// That every lot stands in the certified map as shown.
    pub(super) fn lot_states(&self, claim: &UpstreamClaim) -> Result<Fact, ProofError> {
        let places = claim.lots.iter().map(|lot| (&lot.state, &lot.siblings));
        let (lots, hashes) = self.places(places)?;
        Ok(Fact::States { lots, hashes, root: self.proof.header.state_root })
    }

    /// That every history shown is complete.
    pub(super) fn lot_histories(
        &self,
        claim: &UpstreamClaim,
        shown: &BTreeMap<u64, BTreeSet<RecordId>>,
    ) -> Result<Fact, ProofError> {
        let (mut all, mut whole) = (0, 0);
        for LotClaim { state, history, .. } in &claim.lots {
            if let Fact::History { records, shown } = self.history(Some(state), history, shown)? {
                (all, whole) = (all + records, whole + shown);
            }
        }
        Ok(Fact::History { records: all, shown: whole })
    }
}

/// Of a batch of sound shape: that the lots are all that is reached, and the records all that is theirs.
pub(super) fn whole(claim: &UpstreamClaim) -> Result<Fact, ProofError> {
    let wrong = |why| Err(ProofError::Upstream(why));
    let found = claim.lots.len();
    if !(1..=BATCH_MAX).contains(&found) {
        return wrong(UpstreamError::Size { found });
    }
    let mut lots: BTreeMap<&str, &LotClaim> = BTreeMap::new();
    for lot in &claim.lots {
        let subject = &lot.state.subject;
        let ascends = lots.last_key_value().is_none_or(|(before, _)| *before < subject.id.as_str());
        if !ascends || subject.kind != Kind::Lot {
            return wrong(UpstreamError::Order { lot: subject.id.clone() });
        }
        lots.insert(subject.id.as_str(), lot);
    }
    // What each record says of lots: which, in which part.
    let parts: BTreeMap<u64, Vec<(&Lot, Part)>> = claim
        .records
        .records
        .iter()
        .map(|record| (record.position, lots_of(&record.operation)))
        .collect();
    let mut reached: BTreeSet<&str> = BTreeSet::new();
    let mut used: BTreeSet<u64> = BTreeSet::new();
    let (mut depth, mut sources) = (0, 0);
    let mut here: BTreeSet<&Lot> = BTreeSet::from([&claim.lot]);
    while !here.is_empty() {
        if depth > DEPTH_MAX {
            return wrong(UpstreamError::Depth);
        }
        let mut above: BTreeSet<&Lot> = BTreeSet::new();
        for id in here {
            let Some(lot) = lots.get(id.as_str()) else {
                return wrong(UpstreamError::Missing { lot: id.clone() });
            };
            reached.insert(id.as_str());
            let mut made = false;
            for Link { position, part, .. } in &lot.history {
                let named = parts.get(position).map_or(&[][..], Vec::as_slice);
                if !named.contains(&(id, *part)) {
                    let (lot, position) = (id.clone(), *position);
                    return wrong(UpstreamError::Record { lot, position });
                }
                used.insert(*position);
                if *part == Part::Output {
                    let inputs = named.iter().filter(|(_, part)| *part == Part::Input);
                    let inputs: Vec<&Lot> = inputs.map(|(lot, _)| *lot).collect();
                    made |= !inputs.is_empty();
                    above.extend(inputs);
                }
            }
            sources += usize::from(!made);
        }
        above.retain(|lot| !reached.contains(lot.as_str()));
        depth += usize::from(!above.is_empty());
        here = above;
    }
    if let Some(lot) =
        claim.lots.iter().find(|lot| !reached.contains(lot.state.subject.id.as_str()))
    {
        return wrong(UpstreamError::Extra { lot: lot.state.subject.id.clone() });
    }
    if let Some(position) = parts.keys().find(|position| !used.contains(position)) {
        return wrong(UpstreamError::ExtraRecord { position: *position });
    }
    Ok(Fact::Upstream { lots: lots.len(), records: parts.len(), depth, sources })
}

/// The lots of an operation; those of anything but an event are none.
fn lots_of(operation: &types::Operation) -> Vec<(&Lot, Part)> {
    match &operation.action {
        types::operation::Action::Trace(event) => {
            event.lots.iter().map(|(lot, part)| (lot, *part)).collect()
        }
        types::operation::Action::Item(_)
        | types::operation::Action::Licence(_)
        | types::operation::Action::Govern(_)
        | types::operation::Action::List(_)
        | types::operation::Action::Batch(_)
        | types::operation::Action::Seed(_)
        | types::operation::Action::Use(_) => Vec::new(),
    }
}
