//! Transactions: handed in one at a time, and what became of them.

use super::{
    BODY_BYTES_MAX, Node, Shared,
    asked::{self, Asked, Name},
    jobs,
    problem::Failure,
};
use crate::shell::{Unaccepted, committed_receipt, refused_receipt};
use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use client::api::{Fate, Receipt, Receipts, Recorded};
use ledger::{Rejection, query};
use serde::Deserialize;
use std::time::Duration;
use types::{RecordId, Transaction, TxId, Verified, codec};
use utoipa::{IntoParams, ToSchema};

/// How long a submission waits to be committed before it is answered as accepted.
const COMMIT_WAIT: Duration = Duration::from_secs(10);

/// How far a transaction is to have come when the node answers.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Wait {
    /// On this node's disk.
    #[default]
    Accepted,
    /// In a block; after ten seconds the answer is `accepted` all the same.
    Committed,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WaitFor {
    /// How far it is to have come when the node answers.
    #[serde(default)]
    #[param(inline)]
    pub(super) wait: Wait,
}

/// Hand in a transaction
///
/// In canonical encoding, signed. It is named by its content: handing it in again is one commit and the same receipt. A node
/// that ends before it knows whether it has accepted it says so (503, `E-TX-UNDECIDED`): ask for it by its id, or hand it in again.
#[utoipa::path(
    post,
    path = "/v1/transactions",
    tag = "Submit",
    params(WaitFor),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 200, description = "Committed, or every record in it was on the ledger before.", body = Receipt),
        (status = 202, description = "Accepted: on this node's disk, and proposed until its deadline.", body = Receipt,
            headers(("location" = String, description = "Where to ask what became of it."))),
        (status = 400, description = "Not a transaction, or none that could ever be committed."),
        (status = 403, description = "The key or its agency may not do this."),
        (status = 409, description = "Not in the state in which the ledger is."),
        (status = 413, description = "More bytes than a transaction may have."),
        (status = 429, description = "Too many wait already, of this key or in all; come back."),
    ),
)]
pub(super) async fn submit(
    State(node): Node,
    Asked(WaitFor { wait }): Asked<WaitFor>,
    body: Body,
) -> Result<Response, Failure> {
    let verified = read(&node, body).await?;
    hand_in(&node, verified, wait).await
}

/// The transaction of a body, its signature checked. Its bytes end here: whoever waits for the commit keeps no room with them.
async fn read(node: &Shared, body: Body) -> Result<Verified, Failure> {
    let bytes = asked::body(body, BODY_BYTES_MAX, "send fewer operations at once").await?;
    let tx: Transaction =
        codec::decode(&bytes).map_err(|error| Failure::bad("E-TX-ENCODING", &error))?;
    Ok(tx.verify(node.rules().chain()).map_err(Rejection::from)?)
}

/// Hands a transaction in, and answers when it is as far as asked.
pub(super) async fn hand_in(
    node: &Shared,
    verified: Verified,
    wait: Wait,
) -> Result<Response, Failure> {
    let id = verified.id();
    let names: Vec<RecordId> = verified.records().to_vec();
    let receipt = match node.handle.submit(verified).await {
        Ok(_) => match wait {
            Wait::Accepted => None,
            Wait::Committed => outcome(node, id).await,
        },
        Err(Unaccepted::Refused(Rejection::Committed(_))) => {
            committed_receipt(&node.handle.store, &id)
        }
        Err(Unaccepted::Refused(Rejection::Recorded)) => Some(recorded(node, id, &names)),
        Err(why @ (Unaccepted::Refused(_) | Unaccepted::Undecided(_))) => return Err(why.into()),
    };
    Ok(match receipt {
        Some(receipt) => (StatusCode::OK, Json(receipt)).into_response(),
        None => {
            let location = format!("/v1/transactions/{id}");
            (StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(accepted(id, &names)))
                .into_response()
        }
    })
}

pub(super) async fn outcome(node: &Shared, id: TxId) -> Option<Receipt> {
    tokio::time::timeout(COMMIT_WAIT, node.handle.outcome(id)).await.ok().flatten()
}

/// The receipt of a transaction that is on this node's disk, and not decided.
pub(super) fn accepted(id: TxId, names: &[RecordId]) -> Receipt {
    let records =
        names.iter().map(|record| Recorded { record: *record, position: None, height: None });
    Receipt {
        tx: id,
        status: Fate::Accepted,
        height: None,
        records: records.collect(),
        code: None,
        detail: None,
    }
}

/// The receipts of records that came by another transaction before.
pub(super) fn recorded(node: &Shared, id: TxId, names: &[RecordId]) -> Receipt {
    let store = &node.handle.store;
    let records = names.iter().map(|record| {
        let position = query::position(store, record);
        Recorded {
            record: *record,
            position,
            height: position.and_then(|at| query::record_height(store, at)),
        }
    });
    Receipt {
        tx: id,
        status: Fate::Recorded,
        height: None,
        records: records.collect(),
        code: None,
        detail: None,
    }
}

/// Hand in several transactions
///
/// One after the other, each behind its length as four bytes, little-endian, as for `/v1/jobs`; but answered when all of them
/// are as far as asked, each by a receipt, in their order. One that is refused does not hold up the others. Where one finds no
/// room (`E-POOL-FULL`, `E-POOL-QUOTA`), neither do those behind it: hand them in again when `Retry-After` says.
#[utoipa::path(
    post,
    path = "/v1/transactions:batch",
    tag = "Submit",
    params(WaitFor),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 200, description = "What became of each.", body = Receipts,
            headers(("retry-after" = Option<u32>, description = "When some found no room: after how many seconds to come back."))),
        (status = 400, description = "One of them is not a transaction, or is not signed; none was taken."),
        (status = 413, description = "More bytes than at once."),
        (status = 429, description = "There was room for none of them; come back."),
    ),
)]
pub(super) async fn submit_all(
    State(node): Node,
    Asked(WaitFor { wait }): Asked<WaitFor>,
    body: Body,
) -> Result<Response, Failure> {
    let bytes = asked::body(body, BODY_BYTES_MAX, "send fewer at once").await?;
    let txs = jobs::verified(&node, bytes).await?;
    let names = txs.iter().map(|tx| (tx.id(), tx.records().to_vec()));
    let names: Vec<(TxId, Vec<RecordId>)> = names.collect();
    let answers = node.handle.submit_all(txs).await;
    if let Some(Err(full)) = answers.first().filter(|first| jobs::is_crowded(first)) {
        // Behind the first, there was room for none.
        return Err(full.clone().into());
    }
    let crowded = answers.iter().any(jobs::is_crowded);
    let mut receipts = Vec::with_capacity(names.len());
    for ((id, names), answer) in names.iter().zip(answers) {
        receipts.push(match answer {
            Ok(_) => accepted(*id, names),
            Err(Unaccepted::Refused(Rejection::Committed(_))) => {
                committed_receipt(&node.handle.store, id).unwrap_or_else(|| accepted(*id, names))
            }
            Err(Unaccepted::Refused(Rejection::Recorded)) => recorded(&node, *id, names),
            Err(Unaccepted::Refused(rejection)) => refused_receipt(*id, &(&rejection).into()),
            // There is no receipt for it; and all of them may be handed in again.
            Err(why @ Unaccepted::Undecided(_)) => return Err(why.into()),
        });
    }
    if matches!(wait, Wait::Committed) {
        let waiting = async {
            for receipt in receipts.iter_mut().filter(|receipt| receipt.status == Fate::Accepted) {
                if let Some(outcome) = node.handle.outcome(receipt.tx).await {
                    *receipt = outcome;
                }
            }
        };
        // Who is not decided in time is told as accepted, which it is.
        tokio::time::timeout(COMMIT_WAIT, waiting).await.unwrap_or(());
    }
    let mut response = Json(Receipts { receipts }).into_response();
    if crowded {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    Ok(response)
}

/// What became of a transaction
#[utoipa::path(
    get,
    path = "/v1/transactions/{id}",
    tag = "Submit",
    params(("id" = String, Path, description = "The transaction: 64 hexadecimal digits."), WaitFor),
    responses(
        (status = 200, description = "What became of it.", body = Receipt),
        (status = 404, description = "Neither committed nor waiting on this node. Submitting it again is safe."),
    ),
)]
pub(super) async fn transaction(
    State(node): Node,
    Name(id): Name,
    Asked(WaitFor { wait }): Asked<WaitFor>,
) -> Result<Json<Receipt>, Failure> {
    let id: TxId = id.parse().map_err(|error| Failure::bad("E-HTTP-ID", &error))?;
    if let Some(receipt) = decided(&node, id) {
        return Ok(Json(receipt));
    }
    if node.handle.is_pending(id).await {
        let outcome = match wait {
            Wait::Accepted => None,
            Wait::Committed => outcome(&node, id).await,
        };
        return Ok(Json(outcome.unwrap_or_else(|| accepted(id, &[]))));
    }
    // Between the two questions it may have been decided.
    let unknown = || format!("transaction {id} is neither committed nor waiting on this node");
    decided(&node, id).map(Json).ok_or_else(|| Failure::not_found("E-TX-UNKNOWN", unknown()))
}

/// The receipt of a transaction that waits no longer.
pub(super) fn decided(node: &Shared, id: TxId) -> Option<Receipt> {
    let refused = || node.handle.refusal(&id).map(|reason| refused_receipt(id, &reason));
    committed_receipt(&node.handle.store, &id).or_else(refused)
}
