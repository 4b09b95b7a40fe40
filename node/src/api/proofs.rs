//! Proofs: files that show something without this node being believed.

use super::{
    Node, Shared, answers,
    asked::{self, Name},
    problem::Failure,
    records::unknown_record,
};
use crate::evidence;
use axum::{body::Body, extract::State, response::Response};
use client::api::{Ask, Authority, ProofRequest};
use ledger::prove::{self, Asked, Unprovable};
use types::{Height, RecordId};

/// The most bytes of a request for a proof: a thousand record ids, and the words around them.
const ASK_BYTES_MAX: usize = 128 << 10;
/// The most things one request for a proof may ask.
const ASKS_MAX: usize = 64;

/// The proof of a record
#[utoipa::path(
    get,
    path = "/v1/proofs/records/{id}",
    tag = "Prove",
    params(("id" = String, Path, description = "The record: 64 hexadecimal digits.")),
    responses(
        (status = 200, description = "A proof file, to be checked offline.", body = Vec<u8>, content_type = "application/vnd.minlian.proof"),
        (status = 404, description = "Not on the ledger."),
        (status = 410, description = "Dropped here by retention; the answer says who may keep it."),
    ),
)]
pub(super) async fn prove_record(State(node): Node, Name(id): Name) -> Result<Response, Failure> {
    let id: RecordId = id.parse().map_err(|error| Failure::bad("E-HTTP-ID", &error))?;
    apart(move || {
        let snapshot = node.handle.store.snapshot();
        let asked = [Asked::Record(id)];
        prove::asked(&node.rules(), &snapshot, Height::GENESIS, &asked).map_err(|why| {
            let dropped = matches!(why, Unprovable::Dropped { .. });
            if dropped { node.unprovable(why) } else { unknown_record(&id) }
        })
    })
    .await
}

/// The proof of where a subject stands, or that it is not on the ledger
#[utoipa::path(
    get,
    path = "/v1/proofs/subjects/{subject}",
    tag = "Prove",
    params(("subject" = String, Path, description = "`KIND:ID`, every reserved character escaped.")),
    responses(
        (status = 200, description = "A proof file, to be checked offline.", body = Vec<u8>, content_type = "application/vnd.minlian.proof"),
    ),
)]
pub(super) async fn prove_subject(
    State(node): Node,
    Name(text): Name,
) -> Result<Response, Failure> {
    let asked = asked::subject(&text)?;
    apart(move || {
        let snapshot = node.handle.store.snapshot();
        prove::subject(&node.rules(), &snapshot, &asked).ok_or_else(Failure::no_block)
    })
    .await
}

/// One proof file of all that is asked
///
/// Made from one snapshot, so that its parts agree.
#[utoipa::path(
    post,
    path = "/v1/proofs",
    tag = "Prove",
    request_body = ProofRequest,
    responses(
        (status = 200, description = "A proof file, to be checked offline.", body = Vec<u8>, content_type = "application/vnd.minlian.proof"),
        (status = 404, description = "Something of it is not on the ledger."),
        (status = 410, description = "Something of it was dropped here by retention; the answer says who may keep it."),
        (status = 413, description = "More is asked than at once."),
    ),
)]
pub(super) async fn prove_all(State(node): Node, body: Body) -> Result<Response, Failure> {
    let bytes = asked::body(body, ASK_BYTES_MAX, "ask in parts").await?;
    let ProofRequest { since, at, ask } =
        serde_json::from_slice(&bytes).map_err(|error| Failure::bad("E-HTTP-QUERY", &error))?;
    if ask.is_empty() || ask.len() > ASKS_MAX {
        let detail = format_args!("{} things asked for; 1 to {ASKS_MAX} at once", ask.len());
        return Err(Failure::bad("E-HTTP-QUERY", &detail));
    }
    let asked: Vec<Asked> =
        ask.into_iter().map(|ask| meant(&node, ask)).collect::<Result<_, _>>()?;
    apart(move || {
        let snapshot = node.handle.store.snapshot();
        prove::as_of(&node.rules(), &snapshot, since, at, &asked)
            .map_err(|why| node.unprovable(why))
    })
    .await
}

/// The file of a proof that is read and spelled on a thread that nothing waits for.
async fn apart(
    prove: impl FnOnce() -> Result<proof::Proof, Failure> + Send + 'static,
) -> Result<Response, Failure> {
    let bytes = answers::in_turn(move || prove().map(|proof| proof::encode(&proof))).await??;
    answers::answer("application/vnd.minlian.proof", bytes)
}

fn meant(node: &Shared, ask: Ask) -> Result<Asked, Failure> {
    Ok(match ask {
        Ask::Record(id) => Asked::Record(id),
        Ask::Records(ids) => Asked::Records(ids),
        Ask::Subject(subject) => Asked::Subject(subject.0),
        Ask::Upstream(lot) => Asked::Upstream(lot),
        Ask::Consistency(height) => Asked::Consistency(height),
        Ask::Block => Asked::Block,
        Ask::Authority(Authority { agency, key, at }) => Asked::Authority { agency, key, at },
        Ask::Evidence(said) => {
            let held = node.handle.evidence().into_iter().map(|(_, one)| evidence::claim(&one));
            let found = held.into_iter().find(|claim| said.is(claim));
            let unknown =
                || Failure::not_found("E-EVIDENCE-UNKNOWN", "this node holds no such evidence");
            Asked::Votes(Box::new(found.ok_or_else(unknown)?))
        }
    })
}
