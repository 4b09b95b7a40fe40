//! Checkpoints of the log in the formats of others, signed on demand for blocks that a quorum certified, and for nothing else.

use crate::api::{Failure, Name, Node, Shared, bad, missing_block};
use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use client::api::CheckpointView;
use ledger::query;
use std::sync::Arc;
use types::{
    Height,
    checkpoint::{Checkpoint, Form},
};

/// What is asked of a checkpoint.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new().route("/v1/checkpoints/{height}", get(checkpoint))
}

/// This node's signatures under the log as a block left it. The caller chooses the height and nothing that is signed.
async fn checkpoint(State(node): Node, Name(text): Name) -> Result<Json<CheckpointView>, Failure> {
    let snapshot = node.handle.store.snapshot();
    let last = query::height(&snapshot);
    let height = match text.as_str() {
        "latest" => last,
        number => Height(
            number.parse().map_err(|error: core::num::ParseIntError| bad("E-HTTP-ID", &error))?,
        ),
    };
    let Some(secret) = &node.transport else {
        return Err(Failure::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "E-NODE-READ-ONLY",
            "this node serves what it has and signs nothing; ask another, or again when it runs",
        ));
    };
    let header = query::header(&snapshot, height).ok_or_else(|| missing_block(height))?;
    // A block is on the disk with its certificate or not at all; one without is not vouched for.
    query::certificate(&snapshot, height).ok_or_else(|| missing_block(height))?;
    let checkpoint = Checkpoint::of(&header);
    Ok(Json(CheckpointView {
        height,
        block: header.id(),
        size: checkpoint.size,
        root: checkpoint.root,
        time: checkpoint.time,
        key: secret.public(),
        note: checkpoint.sign(Form::Note, secret),
        cosignature: checkpoint.sign(Form::Cosignature, secret),
        receipt: checkpoint.sign(Form::Receipt, secret),
    }))
}
