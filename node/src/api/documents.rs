//! Native documents of systems without keys: licences, service items and their uses, signed here.

use super::{
    Node,
    asked::{self, Asked},
    problem::Failure,
    systems,
    transactions::{self, WaitFor},
};
use crate::gateway::Scope;
use ::records::{self, Capture, DOCUMENT_BYTES_MAX};
use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use types::{
    AgencyCode, Operation, Text, Timestamp,
    operation::{Action, Grade},
};

/// Have a document recorded
///
/// A native document, as `minlian submit` takes it: an operation with its `op`, a list of them, or `{"operations": […]}`. It is
/// signed with the key that this node holds for the system whose token it is, as one transaction, and answered as that
/// would be. The same document again is the same records. Events go to `/epcis`; governance is for people.
#[utoipa::path(
    post,
    path = "/v1/documents",
    tag = "Submit",
    security(("token" = [])),
    params(WaitFor),
    request_body(content = Object, content_type = "application/json"),
    responses(
        (status = 200, description = "Committed, or every record in it was on the ledger before.", body = client::api::Receipt),
        (status = 202, description = "Accepted: on this node's disk, and proposed until its deadline.", body = client::api::Receipt,
            headers(("location" = String, description = "Where to ask what became of it."))),
        (status = 400, description = "Not a document, or an unsound one: every fault by its place."),
        (status = 401, description = "No token that this node knows, or an expired one."),
        (status = 403, description = "The token, or the key behind it, is not good for this."),
        (status = 409, description = "Not in the state in which the ledger is."),
        (status = 413, description = "More than fits into one transaction."),
        (status = 429, description = "Too many wait already, of this key or in all; come back."),
        (status = 501, description = "This node has no gateway."),
    ),
)]
pub(super) async fn submit(
    State(node): Node,
    headers: HeaderMap,
    Asked(WaitFor { wait }): Asked<WaitFor>,
    body: Body,
) -> Result<Response, Failure> {
    systems::admit_to_record(&node, &headers, Scope::Submit, "document").await?;
    let body = asked::body(body, DOCUMENT_BYTES_MAX, "split the document").await?;
    let shared = node.clone();
    let work = tokio::task::spawn_blocking(move || {
        let node = &*shared;
        let door = systems::find(node, &headers)?;
        let operations = read(&body, &door.1.name, door.0.signer(door.1).agency())?;
        systems::together(&operations)?;
        systems::keep(door, "document", &body, &[], operations.len())?;
        let signed = systems::sign(node, door, operations)?;
        signed.into_iter().next().ok_or_else(|| Failure::fault(&"nothing was signed"))
    });
    let tx = work.await.map_err(|error| Failure::fault(&error))??;
    transactions::hand_in(&node, tx, wait).await
}

/// The operations of a document, by an agency that is the one it names, if it names one.
fn read(body: &[u8], system: &Text<64>, agency: &AgencyCode) -> Result<Vec<Operation>, Failure> {
    let version = Text::new("native").expect("it is short");
    let (system, captured_at) = (system.clone(), Timestamp::default());
    let capture = Capture { system, version, captured_at, grade: Grade::Internal };
    let prepared = records::prepare(body, &capture).map_err(|faults| {
        let all: Vec<_> = faults.iter().map(ToString::to_string).collect();
        Failure::bad("E-DOCUMENT", &all.join("; "))
    })?;
    let forbidden = |detail: String| Failure::new(StatusCode::FORBIDDEN, "E-AUTH-SCOPE", detail);
    let mut operations = Vec::with_capacity(prepared.len());
    for one in prepared {
        if one.actor.is_some_and(|actor| actor != *agency) {
            let detail = format!("{}: another agency acts than the one this key is of", one.label);
            return Err(Failure::new(StatusCode::FORBIDDEN, "E-AUTH-ACTOR", detail));
        }
        match &one.operation.action {
            Action::Item(_)
            | Action::List(_)
            | Action::Licence(_)
            | Action::Seed(_)
            | Action::Use(_) => {}
            Action::Trace(_) => {
                let detail = format!("{} is an event: capture it at /epcis", one.label);
                return Err(Failure::bad("E-DOCUMENT", &detail));
            }
            Action::Govern(_) | Action::Batch(_) => {
                return Err(forbidden(format!(
                    "{}: nothing of the kind is signed for a token",
                    one.label
                )));
            }
        }
        operations.push(one.captured_with_its_effect().operation);
    }
    Ok(operations)
}
