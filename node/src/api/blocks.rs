//! Blocks, as they were agreed on.

use super::{
    Node, ROWS, ROWS_MAX, answers,
    asked::{Asked, Name},
    problem::Failure,
};
use axum::{extract::State, response::Response};
use client::api::{BlockRow, BlockView, Blocks};
use ledger::{query, retention};
use serde::Deserialize;
use types::{Height, Transaction};
use utoipa::IntoParams;

/// The height that is meant.
pub(super) fn height(text: &str, state: &impl ledger::State) -> Result<Height, Failure> {
    match text {
        "latest" => Ok(query::height(state)),
        number => number.parse().map(Height).map_err(|error: core::num::ParseIntError| {
            Failure::bad("E-HTTP-ID", &format_args!("{number:?} is no height: {error}"))
        }),
    }
}

pub(super) fn missing(height: Height) -> Failure {
    Failure::not_found("E-BLOCK-UNKNOWN", format!("this node has no block {height}"))
}

/// A block by its height
#[utoipa::path(
    get,
    path = "/v1/blocks/{height}",
    tag = "Read",
    params(("height" = String, Path, description = "Its height, or `latest`.")),
    responses(
        (status = 200, description = "The block.", body = BlockView),
        (status = 404, description = "This node has no such block."),
        (status = 410, description = "Dropped here by retention; the answer says who may keep it."),
    ),
)]
pub(super) async fn block(State(node): Node, Name(text): Name) -> Result<Response, Failure> {
    let read = move || {
        let store = &node.handle.store;
        let height = height(&text, &**store)?;
        let kept = retention::kept_from(&**store);
        if height < kept && query::header(store, height).is_some() {
            return Err(Failure::dropped(&format_args!(
                "the body of block {height} was dropped here by retention (blocks from {kept} on are kept): ask another validator, \
                 or whoever keeps the archive{}; its header and certificate are proven here as before, by POST /v1/proofs",
                node.archive.as_ref().map_or_else(String::new, |archive| format!(": {archive}"))
            )));
        }
        let missing = || missing(height);
        let block = query::block(store, height).ok_or_else(missing)?;
        let certificate = query::certificate(store, height).ok_or_else(missing)?;
        let transactions = block.transactions.iter().map(Transaction::id).collect();
        Ok(BlockView { block: block.id(), header: block.header, certificate, transactions })
    };
    answers::json(read).await
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// What `next` of the page before says.
    cursor: Option<u64>,
    /// How many rows at most: 1 to 1000.
    limit: Option<usize>,
}

/// Blocks, newest first
#[utoipa::path(
    get,
    path = "/v1/blocks",
    tag = "Read",
    params(Page),
    responses((status = 200, description = "A page of blocks.", body = Blocks)),
)]
pub(super) async fn list(
    State(node): Node,
    Asked(Page { cursor, limit }): Asked<Page>,
) -> Result<Response, Failure> {
    let read = move || {
        let snapshot = node.handle.store.snapshot();
        let tip = query::height(&snapshot).0;
        // The cursor is the first height of the next page.
        let first = cursor.unwrap_or(tip).min(tip);
        let limit = u64::try_from(limit.unwrap_or(ROWS).clamp(1, ROWS_MAX)).unwrap_or(1);
        let last = first.saturating_sub(limit);
        let rows = (last + 1..=first).rev().filter_map(|height| row(&snapshot, Height(height)));
        Ok(Blocks { blocks: rows.collect(), next: (last > 0).then_some(last) })
    };
    answers::json(read).await
}

/// One row, from headers alone.
pub(super) fn row(state: &impl ledger::State, height: Height) -> Option<BlockRow> {
    let header = query::header(state, height)?;
    let before = height.previous().and_then(|before| query::header(state, before));
    let signatures = query::certificate(state, height)?.signatures.len();
    Some(BlockRow {
        height,
        block: header.id(),
        time: header.time,
        proposer: header.proposer,
        records: header.log_size - before.map_or(0, |before| before.log_size),
        log_size: header.log_size,
        signatures: u64::try_from(signatures).unwrap_or(u64::MAX),
    })
}
