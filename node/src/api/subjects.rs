//! Subjects: where a thing stands by its business identifier, and all that became of it.

use super::{
    Node, ROWS, ROWS_MAX, answers,
    asked::{self, Asked, Name},
    problem::Failure,
    records::found_view,
};
use axum::{Json, extract::State, response::Response};
use client::api::{History, HistoryRow, SubjectView};
use ledger::query;
use serde::Deserialize;
use types::Subject;
use utoipa::IntoParams;

fn unknown(subject: &Subject) -> Failure {
    Failure::not_found(
        "E-SUB-UNKNOWN",
        format!("{subject} is not on the ledger, as of this node's last block"),
    )
}

/// Where a subject stands
///
/// A licence, an item, a lot, an agency, by its business identifier.
#[utoipa::path(
    get,
    path = "/v1/subjects/{subject}",
    tag = "Read",
    params(("subject" = String, Path, description = "`KIND:ID`, such as `licence:1.2.156.3005.2…`, every reserved character escaped.")),
    responses(
        (status = 200, description = "Where it stands.", body = SubjectView),
        (status = 404, description = "Not on the ledger."),
    ),
)]
pub(super) async fn subject(
    State(node): Node,
    Name(text): Name,
) -> Result<Json<SubjectView>, Failure> {
    let asked = asked::subject(&text)?;
    let snapshot = node.handle.store.snapshot();
    let state = query::subject(&snapshot, &asked).ok_or_else(|| unknown(&asked))?;
    let header =
        query::header(&snapshot, query::height(&snapshot)).ok_or_else(Failure::no_block)?;
    let owner_name = node.agency_name(&state.owner);
    Ok(Json(SubjectView { state, owner_name, height: header.height, time: header.time }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// The first row, counted from 0.
    #[serde(default)]
    from: u64,
    /// How many rows at most: 1 to 1000.
    limit: Option<usize>,
}

/// A subject's complete history, oldest first
#[utoipa::path(
    get,
    path = "/v1/subjects/{subject}/history",
    tag = "Read",
    params(("subject" = String, Path, description = "`KIND:ID`, every reserved character escaped."), Page),
    responses(
        (status = 200, description = "A page of its history.", body = History),
        (status = 404, description = "Not on the ledger."),
        (status = 410, description = "A record of it was dropped here by retention; the answer says who may keep it."),
    ),
)]
pub(super) async fn history(
    State(node): Node,
    Name(text): Name,
    Asked(Page { from, limit }): Asked<Page>,
) -> Result<Response, Failure> {
    let asked = asked::subject(&text)?;
    let read = move || {
        let snapshot = node.handle.store.snapshot();
        let state = query::subject(&snapshot, &asked).ok_or_else(|| unknown(&asked))?;
        let limit = limit.unwrap_or(ROWS).clamp(1, ROWS_MAX);
        let links = query::history(&snapshot, &asked, from, limit);
        let (mut rows, mut page) = (Vec::with_capacity(links.len()), answers::Page::new(limit));
        // The links are asked first: behind the last number there is, there is none to count on to.
        for (link, sequence) in links.iter().zip(from..) {
            if page.is_full() {
                break;
            }
            let Some(found) = node.record_at(&snapshot, link.position)? else { continue };
            page.add(found.operation());
            let record = found_view(&node, &found);
            rows.push(HistoryRow { sequence, part: link.part, record });
        }
        let next = rows
            .last()
            .map(|row: &HistoryRow| row.sequence + 1)
            .filter(|next| *next < state.records);
        Ok(History { subject: asked, total: state.records, rows, next })
    };
    answers::json(read).await
}
