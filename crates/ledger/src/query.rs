//! What anyone may ask of a state.

use crate::{
    execute::{AUTHORITY, DOCUMENT_BYTES, Kept, Place, body_key, document_key, history_key, spot},
    retention::kept_from,
    state::{Column, State},
};
use std::collections::BTreeSet;
use types::{
    Block, Certificate, Committee, Entry, Hash, Header, Height, Operation, RecordId, Subject,
    SubjectState, Timestamp, Transaction, TxId,
    codec::{self, Wire},
    hash::Digest,
    operation::LicenceId,
    standing::Standing,
    subject::Link,
};

/// A record with all that surrounds it.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its leaf in the log.
    pub entry: Entry,
    /// The transaction that carried it.
    pub transaction: Transaction,
}

impl Found {
    /// The operation recorded.
    ///
    /// # Panics
    /// Never: the ledger only finds operations that are there.
    #[must_use]
    pub fn operation(&self) -> &Operation {
        &self.transaction.operations[usize::try_from(self.entry.index).expect("an index fits")]
    }
}

fn read<T: Wire>(state: &impl State, column: Column, key: &[u8]) -> Option<T> {
    state
        .get(column, key)
        .map(|bytes| codec::decode(&bytes).expect("what a commit writes is canonical"))
}

/// The height of the last block.
#[must_use]
pub fn height(state: &impl State) -> Height {
    let bytes = state.get(Column::Meta, b"tip").and_then(|bytes| bytes.try_into().ok());
    Height(bytes.map_or(0, u64::from_be_bytes))
}

/// The header of a block.
#[must_use]
pub fn header(state: &impl State, height: Height) -> Option<Header> {
    read(state, Column::Headers, &height.0.to_be_bytes())
}

/// The certificate of a block.
#[must_use]
pub fn certificate(state: &impl State, height: Height) -> Option<Certificate> {
    read(state, Column::Certificates, &height.0.to_be_bytes())
}

/// A block, if its body is here.
///
/// # Panics
/// When the state holds what no commit wrote.
#[must_use]
pub fn block(state: &impl State, height: Height) -> Option<Block> {
    if height < kept_from(state) {
        return None;
    }
    let header = header(state, height)?;
    let at = height.0.to_be_bytes();
    let bodies = state.scan(Column::Bodies, &at, &at, usize::MAX);
    let written = |(_, bytes): (_, Vec<u8>)| {
        codec::decode(&bytes).expect("what a commit writes is canonical")
    };
    Some(Block { header, transactions: bodies.into_iter().map(written).collect() })
}

/// A transaction by its place.
#[must_use]
pub fn transaction(state: &impl State, height: Height, index: u32) -> Option<Transaction> {
    read(state, Column::Bodies, &body_key(height, index))
}

/// Where a transaction was committed.
#[must_use]
pub fn place(state: &impl State, id: &TxId) -> Option<Place> {
    read(state, Column::Transactions, id.as_bytes())
}

/// The position of a record in the log.
#[must_use]
pub fn position(state: &impl State, record: &RecordId) -> Option<u64> {
    let bytes = state.get(Column::Records, record.as_bytes())?;
    Some(u64::from_be_bytes(bytes.try_into().ok()?))
}

/// The height of the block that holds a position of the log.
#[must_use]
pub fn record_height(state: &impl State, position: u64) -> Option<Height> {
    spot(state, position).map(|spot| spot.height)
}

/// The record at a position of the log, if the body that carries it is here.
#[must_use]
pub fn record_at(state: &impl State, position: u64) -> Option<Found> {
    let spot = spot(state, position)?;
    let header = header(state, spot.height)?;
    let transaction = transaction(state, spot.height, spot.tx)?;
    let operation = transaction.operations.get(usize::try_from(spot.index).ok()?)?;
    let entry = Entry {
        position,
        height: spot.height,
        time: header.time,
        tx: transaction.id(),
        index: spot.index,
        record: operation.record(&transaction.header.agency),
    };
    Some(Found { entry, transaction })
}

/// The height whose body was dropped here and would show the record at a position of the log; none if it is here, or not on the
/// ledger at all.
#[must_use]
pub fn dropped(state: &impl State, position: u64) -> Option<Height> {
    record_height(state, position).filter(|height| *height < kept_from(state))
}

/// A record by its id.
#[must_use]
pub fn record(state: &impl State, record: &RecordId) -> Option<Found> {
    record_at(state, position(state, record)?)
}

/// The positions from `from` on of the records that commit to a document, oldest first; those too whose bodies were dropped
/// here, of which half a digest is known.
///
/// # Panics
/// When the state holds what no commit wrote.
#[must_use]
pub fn by_document(state: &impl State, document: &Digest, mut from: u64, limit: usize) -> Vec<u64> {
    let (prefix, _) = document.bytes.split_at(DOCUMENT_BYTES);
    let mut found = Vec::new();
    loop {
        let wanted = limit - found.len();
        let pairs = state.scan(Column::Documents, prefix, &document_key(document, from), wanted);
        let positions = pairs.iter().filter_map(|(key, _)| {
            Some(u64::from_be_bytes(key.get(DOCUMENT_BYTES..)?.try_into().ok()?))
        });
        for position in positions {
            from = position + 1;
            // Another document may begin with the same half.
            let is_it = dropped(state, position).is_some() || {
                let record = record_at(state, position).expect("what a commit writes is there");
                record.operation().commitment.document == *document
            };
            if is_it {
                found.push(position);
            }
        }
        if pairs.len() < wanted || found.len() == limit {
            return found;
        }
    }
}

/// The committee that decides a height, if a block of the ledger says so.
///
/// # Panics
/// When the state holds what no commit wrote.
#[must_use]
pub fn committee(state: &impl State, height: Height) -> Option<Committee> {
    let all = state.scan(Column::Committees, &[], &[], COMMITTEES_MAX);
    let (_, bytes) = all
        .into_iter()
        .take_while(|(from, _)| from.as_slice() <= height.0.to_be_bytes().as_slice())
        .last()?;
    Some(codec::decode(&bytes).expect("what a commit writes is canonical"))
}

/// The heights from which another committee decides, with it, oldest first; the first is genesis'.
#[must_use]
pub fn committees(state: &impl State) -> Vec<(Height, Committee)> {
    let all = state.scan(Column::Committees, &[], &[], COMMITTEES_MAX);
    let read = |(from, bytes): (Vec<u8>, Vec<u8>)| {
        let from = u64::from_be_bytes(from.try_into().ok()?);
        Some((Height(from), codec::decode(&bytes).ok()?))
    };
    all.into_iter().filter_map(read).collect()
}

/// The digest of every committee that a block named: those that sat, and the one that decides the next height.
pub(crate) fn seated(state: &impl State) -> BTreeSet<Hash> {
    let all = state.scan(Column::Committees, &[], &[], usize::MAX);
    let read = |bytes: &[u8]| -> Committee {
        codec::decode(bytes).expect("what a commit writes is canonical")
    };
    all.iter().map(|(_, bytes)| read(bytes).digest()).collect()
}

/// The most committees that are looked through: two changes a week for a century.
const COMMITTEES_MAX: usize = 10_400;

/// The subjects that say who may do what.
pub(crate) fn authority(state: &impl State) -> Vec<SubjectState> {
    let keys = state.scan(Column::Meta, AUTHORITY, AUTHORITY, usize::MAX);
    keys.iter()
        .filter_map(|(key, _)| Some(Kept::read(state, key.get(AUTHORITY.len()..)?)?.state))
        .collect()
}

/// The state of a subject.
#[must_use]
pub fn subject(state: &impl State, subject: &Subject) -> Option<SubjectState> {
    Kept::read(state, &subject.key().0).map(|kept| kept.state)
}

/// Where a licence stood at a time, by every record that the ledger holds of it.
///
/// # Panics
/// When the state holds what no commit wrote, or the body of one of them was dropped.
#[must_use]
pub fn status_at(state: &impl State, licence: &LicenceId, at: Timestamp) -> Standing {
    let links = history(state, &Subject::licence(licence), 0, usize::MAX);
    let records: Vec<Found> = links
        .iter()
        .map(|link| record_at(state, link.position).expect("what a commit writes is there"))
        .collect();
    types::standing::status_at(licence, records.iter().map(Found::operation), at)
}

/// The links of a subject's history from sequence number `from` on, oldest first.
///
/// # Panics
/// When the state holds what no commit wrote.
#[must_use]
pub fn history(state: &impl State, subject: &Subject, from: u64, limit: usize) -> Vec<Link> {
    let key = subject.key();
    let Some(Kept { state: found, last }) = Kept::read(state, &key.0) else { return Vec::new() };
    // All but the last are in a column of their own.
    let others = found.records.saturating_sub(1);
    let mut links: Vec<Link> = Vec::new();
    if from < others {
        let pairs = state.scan(Column::History, &key.0, &history_key(&key, from), limit);
        let read =
            |link: &[u8]| codec::decode::<Link>(link).expect("what a commit writes is canonical");
        links.extend(pairs.iter().map(|(_, link)| read(link)));
    }
    if links.len() < limit && from + links.len() as u64 == others {
        links.extend(last);
    }
    links
}
