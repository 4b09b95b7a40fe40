//! Many records under one root: signed, allowed, and in the log.

use super::{
    Examination, Fact, Scope,
    authority::{Allowed, Authorities, Grounds},
    version,
};
use crate::{
    error::{BatchError, ProofError},
    many::{self, ManyError},
    receipt::{BATCH_MAX, RecordsClaim, SharedRecord, SharedTransaction},
};
use std::collections::BTreeSet;
use types::{
    Entry, Hash, RecordId,
    key::BadSignature,
    merkle,
    transaction::{self, operation_leaf},
};

/// Whether a batch is one: records that ascend, transactions in the order in which records name them, none in vain.
pub(super) fn shape(claim: &RecordsClaim) -> Result<(), ProofError> {
    let RecordsClaim { transactions, records, .. } = claim;
    let found = records.len();
    if !(1..=BATCH_MAX).contains(&found) {
        return Err(ProofError::Batch(BatchError::Size { found }));
    }
    let mut before = None;
    // The last operation shown of each transaction named so far.
    let mut last: Vec<u32> = Vec::new();
    for SharedRecord { position, transaction, index, .. } in records {
        let at = usize::try_from(*transaction).unwrap_or(usize::MAX);
        let ascends = before.is_none_or(|before| before < *position);
        let follows = match last.get_mut(at) {
            Some(before) => core::mem::replace(before, *index) < *index,
            None => {
                last.push(*index);
                last.len() == at.saturating_add(1)
            }
        };
        if !ascends || !follows || at >= transactions.len() {
            return Err(ProofError::Batch(BatchError::Order { position: *position }));
        }
        before = Some(*position);
    }
    if last.len() < transactions.len() {
        return Err(ProofError::Batch(BatchError::Unused { index: last.len() }));
    }
    Ok(())
}

/// The records with their transactions, as far as there are such.
fn pairs(claim: &RecordsClaim) -> impl Iterator<Item = (&SharedRecord, &SharedTransaction)> {
    claim.records.iter().filter_map(|record| {
        let transaction = claim.transactions.get(usize::try_from(record.transaction).ok()?)?;
        Some((record, transaction))
    })
}

/// Where each record stands, and its name.
pub(super) fn names(claim: &RecordsClaim) -> impl Iterator<Item = (u64, RecordId)> {
    pairs(claim).map(|(record, transaction)| {
        (record.position, record.operation.record(&transaction.header.agency))
    })
}

impl Examination<'_> {
    /// Of a batch of sound shape: that each transaction was signed, and holds the operations shown.
    pub(super) fn records(&self, claim: &RecordsClaim) -> Result<Fact, ProofError> {
        let mut leaves: Vec<Vec<(u64, Hash)>> = vec![Vec::new(); claim.transactions.len()];
        for record in &claim.records {
            if let Some(of) =
                usize::try_from(record.transaction).ok().and_then(|at| leaves.get_mut(at))
            {
                of.push((record.index.into(), operation_leaf(&record.operation)));
            }
        }
        for (SharedTransaction { header, signature, operation_nodes, .. }, leaves) in
            claim.transactions.iter().zip(&leaves)
        {
            if header.chain != self.proof.chain {
                let (found, wanted) = (header.chain, self.proof.chain);
                return Err(ProofError::Chain { found, wanted });
            }
            let key = header.key;
            header.check(signature).map_err(|BadSignature| ProofError::Signature { key })?;
            version("transaction", header.version, transaction::VERSION)?;
            let (count, wanted) = (header.count, header.operations);
            let found = many::climb::<merkle::List>(leaves, count.into(), operation_nodes)
                .map_err(|error| match error {
                    ManyError::Index { index, .. } => {
                        ProofError::Index { index: u32::try_from(index).unwrap_or(u32::MAX), count }
                    }
                    ManyError::Length { found, wanted } => ProofError::PathLength { found, wanted },
                })?;
            if found != wanted {
                return Err(ProofError::Operation { found, wanted });
            }
        }
        let agencies: BTreeSet<_> =
            claim.transactions.iter().map(|transaction| transaction.header.agency).collect();
        Ok(Fact::Records {
            records: claim.records.len(),
            transactions: claim.transactions.len(),
            agencies: agencies.into_iter().collect(),
        })
    }

    /// Of a batch of sound shape: that its entries stand in the certified log.
    pub(super) fn inclusions(&self, claim: &RecordsClaim) -> Result<Fact, ProofError> {
        let (size, wanted) = (self.proof.header.log_size, self.proof.header.log_root);
        let leaves: Vec<(u64, Hash)> = pairs(claim)
            .map(|(record, SharedTransaction { header, height, time, .. })| {
                let entry = Entry {
                    position: record.position,
                    height: *height,
                    time: *time,
                    tx: header.id(),
                    index: record.index,
                    record: record.operation.record(&header.agency),
                };
                (record.position, entry.leaf())
            })
            .collect();
        let found =
            many::climb::<merkle::Rfc6962>(&leaves, size, &claim.log_nodes).map_err(|error| {
                match error {
                    ManyError::Index { index, .. } => {
                        ProofError::Position { position: index, size }
                    }
                    ManyError::Length { found, wanted } => ProofError::PathLength { found, wanted },
                }
            })?;
        if found != wanted {
            return Err(ProofError::PathMismatch { found, wanted });
        }
        let (mut first, mut last) = (self.proof.header.time, types::Timestamp::default());
        for SharedTransaction { header, height, time, .. } in &claim.transactions {
            self.recorded_at(header, *height, *time)?;
            (first, last) = (first.min(*time), last.max(*time));
        }
        Ok(Fact::Inclusions {
            records: leaves.len(),
            size,
            hashes: claim.log_nodes.len(),
            root: found,
            first,
            last,
        })
    }
}

/// Of a batch of sound shape: that each agency could make its records when it did.
pub(super) fn authorities(
    claim: &RecordsClaim,
    authorities: &mut Authorities<'_>,
) -> Result<Fact, ProofError> {
    let (mut names, mut covered, mut by_ledger) = (BTreeSet::new(), 0, 0);
    for (record, transaction) in pairs(claim) {
        let SharedTransaction { header, height, .. } = transaction;
        let Allowed { name, scope, grounds, .. } =
            authorities.may(header, &record.operation, *height)?;
        names.insert(name);
        covered += usize::from(scope == Scope::Covered);
        by_ledger += usize::from(grounds == Grounds::Ledger);
    }
    Ok(Fact::Authorities { names: names.into_iter().cloned().collect(), covered, by_ledger })
}
