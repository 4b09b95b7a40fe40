//! The proofs of what a state says, as of its last block.

use crate::{
    execute::{Nodes, Pages},
    query,
    rules::Rules,
    state::State,
};
use proof::{Claim, Proof, RecordClaim, StatusClaim, log, map};
use types::{Header, RecordId, Subject};

/// Longer histories are proven by their end alone.
pub const HISTORY_IN_PROOF_MAX: u64 = 4096;

/// The proof that a record is on the ledger, as of the last block.
#[must_use]
pub fn record(rules: &Rules, state: &impl State, id: &RecordId) -> Option<Proof> {
    let found = query::record(state, id)?;
    prove(rules, state, |tip| {
        let query::Found { entry, transaction } = found;
        let index = usize::try_from(entry.index).ok()?;
        let log_path = log::inclusion(&Nodes(state), entry.position, tip.log_size)?;
        let operation_path = transaction.path(index);
        Some(Claim::Record(Box::new(RecordClaim {
            entry,
            log_path,
            transaction: transaction.header,
            signature: transaction.signature,
            operation: transaction.operations.into_iter().nth(index)?,
            operation_path,
        })))
    })
}

/// The proof of where a subject stands as of the last block, or that it is not on the ledger.
///
/// # Panics
/// Never: a history that is proven whole is short.
#[must_use]
pub fn subject(rules: &Rules, state: &impl State, asked: &Subject) -> Option<Proof> {
    prove(rules, state, |_| {
        let found = query::subject(state, asked);
        let history =
            found.as_ref().filter(|found| found.records <= HISTORY_IN_PROOF_MAX).map(|found| {
                let limit = usize::try_from(found.records).expect("a history in a proof is short");
                query::history(state, asked, 0, limit)
            });
        let path = map::prove(&Pages(state), &asked.key());
        Some(Claim::Status(Box::new(StatusClaim {
            subject: asked.clone(),
            state: found,
            path,
            history,
        })))
    })
}

fn prove(
    rules: &Rules,
    state: &impl State,
    claim: impl FnOnce(&Header) -> Option<Claim>,
) -> Option<Proof> {
    let height = query::height(state);
    let header = query::header(state, height)?;
    let certificate = query::certificate(state, height)?;
    let claims = vec![claim(&header)?];
    Some(Proof { chain: *rules.chain(), header, certificate, claims })
}
