//! Whether lots and records are the complete upstream of a lot: the graph is computed, and nothing of it read.

use super::{Examination, Fact};
use crate::{
    error::{ProofError, UpstreamError},
    receipt::{BATCH_MAX, DEPTH_MAX, LotClaim, SharedRecord, UpstreamClaim},
};
use std::collections::{BTreeMap, BTreeSet};
use types::{
    RecordId, SubjectState,
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
    let mut before = None;
    for LotClaim { state, .. } in &claim.lots {
        let SubjectState { subject, .. } = state;
        let ascends = before.is_none_or(|before| before < subject.id.as_str());
        if !ascends || subject.kind != Kind::Lot {
            return wrong(UpstreamError::Order { lot: subject.id.clone() });
        }
        before = Some(subject.id.as_str());
    }
    let place = |id: &Lot| claim.lots.binary_search_by(|lot| lot.state.subject.id.cmp(id)).ok();
    // What each record says of lots. The ledger takes them in order only, so one is found without a look at all of them.
    let mut said: BTreeMap<u64, &[(Lot, Part)]> = BTreeMap::new();
    for SharedRecord { position, operation, .. } in &claim.records.records {
        let lots = lots_of(operation);
        if lots.windows(2).any(|pair| pair[0] >= pair[1]) {
            return wrong(UpstreamError::Unordered { position: *position });
        }
        said.insert(*position, lots);
    }
    let mut reached = vec![false; found];
    // Every record that is a link, and, of those that made a lot reached, whether it was made of something.
    let (mut used, mut makers) = (BTreeSet::new(), BTreeMap::new());
    let (mut depth, mut sources) = (0, 0);
    let Some(first) = place(&claim.lot) else {
        return wrong(UpstreamError::Missing { lot: claim.lot.clone() });
    };
    let mut here = BTreeSet::from([first]);
    while !here.is_empty() {
        if depth > DEPTH_MAX {
            return wrong(UpstreamError::Depth);
        }
        let mut above = BTreeSet::new();
        for at in here {
            reached[at] = true;
            let LotClaim { state, history, .. } = &claim.lots[at];
            let id = &state.subject.id;
            let mut made = false;
            for Link { position, part, .. } in history {
                let lots = said.get(position).copied().unwrap_or_default();
                let named = |(lot, named): &(Lot, Part)| lot.cmp(id).then(named.cmp(part));
                if lots.binary_search_by(named).is_err() {
                    let (lot, position) = (id.clone(), *position);
                    return wrong(UpstreamError::Record { lot, position });
                }
                used.insert(*position);
                if *part != Part::Output {
                    continue;
                }
                // However many lots a record made, what it made them of is looked at once.
                if let Some(of_something) = makers.get(position) {
                    made |= of_something;
                    continue;
                }
                let of_something =
                    inputs(lots, &claim.lots, &mut above).map_err(ProofError::Upstream)?;
                makers.insert(*position, of_something);
                made |= of_something;
            }
            sources += usize::from(!made);
        }
        above.retain(|at: &usize| !reached[*at]);
        depth += usize::from(!above.is_empty());
        here = above;
    }
    if let Some((lot, _)) = claim.lots.iter().zip(&reached).find(|(_, reached)| !**reached) {
        return wrong(UpstreamError::Extra { lot: lot.state.subject.id.clone() });
    }
    if let Some(position) = said.keys().find(|position| !used.contains(position)) {
        return wrong(UpstreamError::ExtraRecord { position: *position });
    }
    Ok(Fact::Upstream { lots: found, records: said.len(), depth, sources })
}

/// Adds the places, among the lots shown, of those that a record used up: both are in order, so one walk finds them all.
fn inputs(
    named: &[(Lot, Part)],
    shown: &[LotClaim],
    places: &mut BTreeSet<usize>,
) -> Result<bool, UpstreamError> {
    let mut at = 0;
    let mut any = false;
    for (lot, _) in named.iter().filter(|(_, part)| *part == Part::Input) {
        while shown.get(at).is_some_and(|shown| shown.state.subject.id < *lot) {
            at += 1;
        }
        if shown.get(at).is_none_or(|shown| shown.state.subject.id != *lot) {
            return Err(UpstreamError::Missing { lot: lot.clone() });
        }
        places.insert(at);
        any = true;
    }
    Ok(any)
}

/// The lots of an operation; those of anything but an event are none.
fn lots_of(operation: &types::Operation) -> &[(Lot, Part)] {
    match &operation.action {
        types::operation::Action::Trace(event) => &event.lots,
        types::operation::Action::Item(_)
        | types::operation::Action::Licence(_)
        | types::operation::Action::Govern(_)
        | types::operation::Action::List(_)
        | types::operation::Action::Batch(_)
        | types::operation::Action::Seed(_)
        | types::operation::Action::Use(_) => &[],
    }
}
