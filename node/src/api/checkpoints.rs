//! Checkpoints of the log in the formats of others, signed on demand for blocks that a quorum certified, and for nothing else.

use super::{Node, asked::Name, blocks, problem::Failure};
use axum::{Json, extract::State, http::StatusCode};
use client::api::CheckpointView;
use ledger::query;
use types::checkpoint::{Checkpoint, Form};

/// This node's signatures under the log as a block left it
///
/// In the formats of C2SP and COSE. The caller chooses the height and nothing that is signed.
#[utoipa::path(
    get,
    path = "/v1/checkpoints/{height}",
    tag = "Prove",
    params(("height" = String, Path, description = "The block's height, or `latest`.")),
    responses(
        (status = 200, description = "The signatures of this validator.", body = CheckpointView),
        (status = 404, description = "This node has no such block."),
        (status = 503, description = "This node signs nothing for now."),
    ),
)]
pub(super) async fn checkpoint(
    State(node): Node,
    Name(text): Name,
) -> Result<Json<CheckpointView>, Failure> {
    let snapshot = node.handle.store.snapshot();
    let height = blocks::height(&text, &snapshot)?;
    let Some(secret) = &node.transport else {
        return Err(Failure::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "E-NODE-READ-ONLY",
            "this node serves what it has and signs nothing; ask another, or again when it runs",
        ));
    };
    let header = query::header(&snapshot, height).ok_or_else(|| blocks::missing(height))?;
    // A block is on the disk with its certificate or not at all; one without is not vouched for.
    query::certificate(&snapshot, height).ok_or_else(|| blocks::missing(height))?;
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
