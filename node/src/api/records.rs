//! Records: one by its name, and lists of them by kind, agency, subject or document.

use super::{
    Node, ROWS, ROWS_MAX, Shared, answers,
    asked::{self, Asked, Name},
    problem::Failure,
};
use axum::{Json, extract::State, response::Response};
use client::api::{Kind, Order, RecordView, Records};
use ledger::{State as Ledger, query};
use serde::Deserialize;
use std::collections::BTreeSet;
use types::{AgencyCode, Digest, Entry, Height, Operation, RecordId, Subject, operation::Action};
use utoipa::IntoParams;

/// How many records one answer may look at to find those that were asked for.
const LOOKED_AT_MAX: usize = 20_000;
/// How many blocks.
const BLOCKS_MAX: u64 = 2_000;

/// What is known of a record, as it is told.
pub(super) fn found_view(node: &Shared, found: &query::Found) -> RecordView {
    view(node, &found.entry, found.transaction.header.agency, found.operation())
}

fn view(node: &Shared, entry: &Entry, agency: AgencyCode, operation: &Operation) -> RecordView {
    RecordView {
        record: entry.record,
        position: entry.position,
        height: entry.height,
        time: entry.time,
        tx: entry.tx,
        index: entry.index,
        agency,
        agency_name: node.agency_name(&agency),
        operation: operation.clone(),
    }
}

pub(super) fn unknown_record(id: &RecordId) -> Failure {
    Failure::not_found(
        "E-REC-UNKNOWN",
        format!("no record {id} on the ledger, as of this node's last block"),
    )
}

/// A record by its name
#[utoipa::path(
    get,
    path = "/v1/records/{id}",
    tag = "Read",
    params(("id" = String, Path, description = "The record: 64 hexadecimal digits.")),
    responses(
        (status = 200, description = "The record.", body = RecordView),
        (status = 404, description = "Not on the ledger."),
        (status = 410, description = "Dropped here by retention; the answer says who may keep it."),
    ),
)]
pub(super) async fn record(State(node): Node, Name(id): Name) -> Result<Json<RecordView>, Failure> {
    let id: RecordId = id.parse().map_err(|error| Failure::bad("E-HTTP-ID", &error))?;
    let store = &node.handle.store;
    let position = query::position(store, &id).ok_or_else(|| unknown_record(&id))?;
    let found = node.record_at(store, position)?.ok_or_else(|| unknown_record(&id))?;
    Ok(Json(found_view(&node, &found)))
}

const fn kind_of(action: &Action) -> Kind {
    match action {
        Action::Item(_) | Action::List(_) => Kind::Item,
        Action::Licence(_) => Kind::Licence,
        Action::Trace(_) => Kind::Trace,
        Action::Govern(_) => Kind::Govern,
        Action::Batch(_) => Kind::Batch,
        Action::Seed(_) => Kind::Seed,
        Action::Use(_) => Kind::Use,
    }
}

/// Which records are wanted.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    kind: Option<Kind>,
    agency: Option<AgencyCode>,
    subject: Option<Subject>,
}

impl Filter {
    /// Every event.
    pub(super) fn events() -> Self {
        Self { kind: Some(Kind::Trace), ..Self::default() }
    }

    pub(super) fn read(
        kind: Option<Kind>,
        agency: Option<&str>,
        subject: Option<&str>,
    ) -> Result<Self, Failure> {
        let agency = agency.map(str::parse).transpose();
        Ok(Self {
            kind,
            agency: agency
                .map_err(|error: types::agency::CodeError| Failure::bad("E-HTTP-QUERY", &error))?,
            subject: subject.map(asked::subject).transpose()?,
        })
    }

    fn takes(&self, agency: &AgencyCode, operation: &Operation) -> bool {
        self.kind.is_none_or(|kind| kind == kind_of(&operation.action))
            && self.agency.is_none_or(|wanted| wanted == *agency)
            && self.subject.as_ref().is_none_or(|wanted| {
                operation.subjects(agency).iter().any(|(subject, _)| subject == wanted)
            })
    }
}

/// The records that are new with a block and pass a filter, oldest first, and how many there are in all.
pub(super) fn of_block(
    node: &Shared,
    state: &impl Ledger,
    height: Height,
    filter: &Filter,
) -> (Vec<RecordView>, usize) {
    let Some(block) = query::block(state, height) else { return (Vec::new(), 0) };
    let before = height.previous().and_then(|before| query::header(state, before));
    let first = before.map_or(0, |before| before.log_size);
    // A record that is repeated, in this block or from before, stands where it stood first.
    let (mut seen, mut rows) = (BTreeSet::new(), Vec::new());
    for transaction in &block.transactions {
        let tx = transaction.id();
        let Some(place) = query::place(state, &tx) else { continue };
        let agency = transaction.header.agency;
        for (index, (position, operation)) in
            (0..).zip(place.positions.iter().zip(&transaction.operations))
        {
            if *position < first || !seen.insert(*position) || !filter.takes(&agency, operation) {
                continue;
            }
            let entry = Entry {
                position: *position,
                height,
                time: block.header.time,
                tx,
                index,
                record: operation.record(&agency),
            };
            rows.push(view(node, &entry, agency, operation));
        }
    }
    rows.sort_by_key(|row| row.position);
    (rows, seen.len())
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Those that commit to this document: `blake3:` and 64 hexadecimal digits.
    document: Option<String>,
    /// Those of this family.
    #[param(inline)]
    kind: Option<Kind>,
    /// Those by this agency: its 统一社会信用代码.
    agency: Option<String>,
    /// Those of this subject, `KIND:ID`.
    subject: Option<String>,
    /// In which order; with a document or subject, oldest first only.
    #[serde(default)]
    #[param(inline)]
    order: Order,
    /// What `next` of the page before says.
    cursor: Option<u64>,
    /// How many rows at most: 1 to 1000.
    limit: Option<usize>,
}

/// Records, by kind, agency, subject or document
///
/// An answer looks at no more than it can in a moment: a page may be short, or empty, and `next` still lead on.
#[utoipa::path(
    get,
    path = "/v1/records",
    tag = "Read",
    params(Wanted),
    responses(
        (status = 200, description = "A page of records.", body = Records),
        (status = 410, description = "Dropped here by retention; the answer says who may keep it."),
    ),
)]
pub(super) async fn list(
    State(node): Node,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Failure> {
    let Wanted { document, kind, agency, subject, order, cursor, limit } = wanted;
    let filter = Filter::read(kind, agency.as_deref(), subject.as_deref())?;
    let document: Option<Digest> = document
        .map(|digest| digest.parse())
        .transpose()
        .map_err(|error| Failure::bad("E-HTTP-ID", &error))?;
    if order == Order::Newest && (document.is_some() || filter.subject.is_some()) {
        let detail = "the records of a document or a subject come oldest first; leave out `order`";
        return Err(Failure::bad("E-HTTP-QUERY", &detail));
    }
    let limit = limit.unwrap_or(ROWS).clamp(1, ROWS_MAX);
    let read = move || {
        let snapshot = node.handle.store.snapshot();
        match (document, &filter.subject) {
            (Some(document), _) => by_document(&node, &snapshot, &document, &filter, cursor, limit),
            (None, Some(subject)) => by_subject(&node, &snapshot, subject, &filter, cursor, limit),
            (None, None) => match order {
                Order::Oldest => oldest(&node, &snapshot, &filter, cursor, limit),
                Order::Newest => newest(&node, &snapshot, &filter, cursor, limit),
            },
        }
    };
    answers::json(read).await
}

/// The records that pass a filter, of these positions, each by its cursor; and the cursor of the first for which there is no
/// room.
fn at(
    node: &Shared,
    state: &impl Ledger,
    positions: impl Iterator<Item = (u64, u64)>,
    filter: &Filter,
) -> Result<Records, Failure> {
    let (mut records, mut page) = (Vec::new(), answers::Page::new(ROWS_MAX));
    for (cursor, position) in positions {
        if page.is_full() {
            return Ok(Records { records, next: Some(cursor) });
        }
        let Some(found) = node.record_at(state, position)? else { continue };
        if filter.takes(&found.transaction.header.agency, found.operation()) {
            page.add(found.operation());
            records.push(found_view(node, &found));
        }
    }
    Ok(Records { records, next: None })
}

/// The cursor is a position of the log.
fn by_document(
    node: &Shared,
    state: &impl Ledger,
    document: &Digest,
    filter: &Filter,
    cursor: Option<u64>,
    limit: usize,
) -> Result<Records, Failure> {
    let mut positions = query::by_document(state, document, cursor.unwrap_or(0), limit + 1);
    let next = (positions.len() > limit).then(|| positions.pop()).flatten();
    let positions = positions.into_iter().map(|position| (position, position));
    let page = at(node, state, positions, filter)?;
    Ok(Records { next: page.next.or(next), ..page })
}

/// The cursor is a place in the subject's history.
fn by_subject(
    node: &Shared,
    state: &impl Ledger,
    subject: &Subject,
    filter: &Filter,
    cursor: Option<u64>,
    limit: usize,
) -> Result<Records, Failure> {
    let from = cursor.unwrap_or(0);
    let end = from.saturating_add(u64::try_from(limit).unwrap_or(u64::MAX));
    // A record may have the same subject in two parts, which stand one after the other: also over the end of a page.
    let before = from.saturating_sub(1);
    let links = query::history(state, subject, before, limit + 2);
    let mut links: Vec<_> = links.into_iter().zip(before..).collect();
    let next = links.iter().any(|(_, place)| *place >= end).then_some(end);
    links.dedup_by_key(|(link, _)| link.position);
    let page = links.iter().filter(|(_, place)| (from..end).contains(place));
    let positions = page.map(|(link, place)| (*place, link.position));
    let page = at(node, state, positions, filter)?;
    Ok(Records { next: page.next.or(next), ..page })
}

/// The cursor is the position of the first record that was not looked at.
pub(super) fn oldest(
    node: &Shared,
    state: &impl Ledger,
    filter: &Filter,
    cursor: Option<u64>,
    limit: usize,
) -> Result<Records, Failure> {
    let (mut records, mut looked, mut page) = (Vec::new(), 0, answers::Page::new(limit));
    let tip = query::height(state);
    let from = cursor.unwrap_or(0);
    let Some(first) = query::record_height(state, from) else { return Ok(Records::default()) };
    node.not_dropped(state, from)?;
    for height in first.0..=tip.0 {
        let (rows, there) = of_block(node, state, Height(height), filter);
        looked += there.max(1);
        for row in rows.into_iter().filter(|row| row.position >= from) {
            if page.is_full() {
                return Ok(Records { records, next: Some(row.position) });
            }
            page.add(&row.operation);
            records.push(row);
        }
        let many = looked >= LOOKED_AT_MAX || height - first.0 >= BLOCKS_MAX;
        if many && height < tip.0 {
            let next = query::header(state, Height(height)).map(|header| header.log_size);
            let more = next.is_some_and(|next| query::record_height(state, next).is_some());
            return Ok(Records { records, next: next.filter(|_| more) });
        }
    }
    Ok(Records { records, next: None })
}

/// The cursor is the position of the last record that was looked at.
fn newest(
    node: &Shared,
    state: &impl Ledger,
    filter: &Filter,
    cursor: Option<u64>,
    limit: usize,
) -> Result<Records, Failure> {
    let (mut records, mut looked, mut page) = (Vec::new(), 0, answers::Page::new(limit));
    let size = query::header(state, query::height(state)).map_or(0, |header| header.log_size);
    let mut below = cursor.unwrap_or(size).min(size);
    while let Some(last) = below.checked_sub(1) {
        // Blocks without records are skipped: this goes from record to record.
        let Some(height) = query::record_height(state, last) else { break };
        if query::dropped(state, last).is_some() && looked > 0 {
            // Whoever goes on is told that there is more, and who may have it.
            return Ok(Records { records, next: Some(below) });
        }
        node.not_dropped(state, last)?;
        let (rows, there) = of_block(node, state, height, filter);
        looked += there.max(1);
        for row in rows.into_iter().rev().filter(|row| row.position < below) {
            if page.is_full() {
                let next = records.last().map(|last: &RecordView| last.position);
                return Ok(Records { records, next });
            }
            page.add(&row.operation);
            records.push(row);
        }
        let before = height.previous().and_then(|before| query::header(state, before));
        below = before.map_or(0, |before| before.log_size);
        if looked >= LOOKED_AT_MAX {
            return Ok(Records { records, next: (below > 0).then_some(below) });
        }
    }
    Ok(Records { records, next: None })
}
