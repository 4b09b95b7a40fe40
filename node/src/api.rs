//! What applications and inspectors ask over HTTP, and the limits within which they are answered.

use crate::{
    health,
    metrics::Metrics,
    shell::{Handle, committed_receipt, refused_receipt},
};
use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{FromRequestParts, Path, Query, Request, State, rejection::QueryRejection},
    http::{HeaderValue, StatusCode, header, request::Parts},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use client::api::{
    Ask, Authority, BlockView, EvidenceList, EvidenceView, Fate, History, HistoryRow, NodeStatus,
    Problem, ProofRequest, Receipt, RecordView, Recorded, Records, SubjectView,
};
use ledger::{
    Rejection, Rules,
    prove::{self, Asked, Unprovable},
    query,
};
use serde::Deserialize;
use std::{sync::Arc, time::Duration};
use tower_http::timeout::TimeoutLayer;
use types::{
    Digest, Genesis, Height, RecordId, SecretKey, Subject, Transaction, TxId,
    codec::{self, Wire as _},
    transaction::TRANSACTION_BYTES_MAX,
};

/// The largest body, bytes: one transaction.
pub const BODY_BYTES_MAX: usize = TRANSACTION_BYTES_MAX;
/// How long a request may take in all.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a submission waits to be committed before it is answered as accepted.
const COMMIT_WAIT: Duration = Duration::from_secs(10);
/// The most rows of one answer.
const ROWS_MAX: usize = 1000;

/// What the handlers share.
#[derive(Debug)]
pub struct Shared {
    /// The genesis, as agreed.
    pub genesis: Genesis,
    /// The replica.
    pub handle: Handle,
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// What checkpoints are signed with; none while nothing is.
    pub transport: Option<SecretKey>,
}

impl Shared {
    /// The rules for the next block.
    fn rules(&self) -> Arc<Rules> {
        self.handle.status.borrow().rules.clone()
    }
}

pub(crate) type Node = State<Arc<Shared>>;

/// An error on its way out (RFC 9457).
#[derive(Debug)]
pub(crate) struct Failure {
    status: StatusCode,
    code: &'static str,
    detail: String,
}

impl Failure {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into() }
    }

    fn not_found(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let problem = Problem {
            kind: format!("urn:minlian:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error").into(),
            status: self.status.as_u16(),
            code: self.code.into(),
            detail: self.detail,
        };
        let mut response = (self.status, Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        let status = match &rejection {
            Rejection::Full | Rejection::Quota => StatusCode::TOO_MANY_REQUESTS,
            Rejection::UnknownKey(_)
            | Rejection::ForeignKey { .. }
            | Rejection::Role { .. }
            | Rejection::Inactive { .. }
            | Rejection::KeyTerm { .. }
            | Rejection::Owner { .. } => StatusCode::FORBIDDEN,
            Rejection::Transaction(_)
            | Rejection::Size { .. }
            | Rejection::Horizon { .. }
            | Rejection::Lots { .. }
            | Rejection::Validity { .. }
            | Rejection::Itself { .. } => StatusCode::BAD_REQUEST,
            Rejection::Expired { .. }
            | Rejection::Committed(_)
            | Rejection::Recorded
            | Rejection::Exists { .. }
            | Rejection::Unknown { .. }
            | Rejection::Terminal { .. }
            | Rejection::Status { .. }
            | Rejection::Version { .. }
            | Rejection::Level { .. }
            | Rejection::Identity { .. }
            | Rejection::Governance { .. } => StatusCode::CONFLICT,
        };
        Self::new(status, rejection.code(), rejection.to_string())
    }
}

/// The last part of a path, decoded.
pub(crate) struct Name(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        path.map(|Path(text)| Self(text)).map_err(|error| bad("E-HTTP-ID", &error))
    }
}

/// The routes, with their limits.
pub fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/v1/transactions", axum::routing::post(submit))
        .route("/v1/transactions/{id}", get(transaction))
        .route("/v1/records", get(records))
        .route("/v1/records/{id}", get(record))
        .route("/v1/subjects/{subject}", get(subject))
        .route("/v1/subjects/{subject}/history", get(history))
        .route("/v1/proofs", axum::routing::post(prove_all))
        .route("/v1/proofs/records/{id}", get(prove_record))
        .route("/v1/proofs/subjects/{subject}", get(prove_subject))
        .route("/v1/blocks/{height}", get(block))
        .route("/v1/evidence", get(evidence))
        .merge(crate::checkpoint::routes())
        .route("/v1/status", get(status))
        .route("/v1/genesis", get(genesis))
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .route("/version", get(version))
        .route("/metrics", get(metrics))
        .fallback(|request: Request| async move {
            Failure::not_found(
                "E-HTTP-ROUTE",
                format!("there is nothing at {}", request.uri().path()),
            )
        })
        .method_not_allowed_fallback(|| async {
            Failure::new(StatusCode::METHOD_NOT_ALLOWED, "E-HTTP-METHOD", "not with this method")
        })
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_TIMEOUT))
        .layer(middleware::from_fn(harden))
        .with_state(shared)
}

/// What holds for every answer: no guessing of types, and no error that is not explained.
async fn harden(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if response.status() == StatusCode::REQUEST_TIMEOUT {
        let detail = format!("not done after {} s; ask again", REQUEST_TIMEOUT.as_secs());
        response =
            Failure::new(StatusCode::REQUEST_TIMEOUT, "E-HTTP-TIMEOUT", detail).into_response();
    }
    response
        .headers_mut()
        .insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Wait {
    #[default]
    Accepted,
    Committed,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SubmitQuery {
    #[serde(default)]
    wait: Wait,
}

async fn submit(
    State(node): Node,
    query: Result<Query<SubmitQuery>, QueryRejection>,
    body: Body,
) -> Result<Response, Failure> {
    let Query(SubmitQuery { wait }) = query.map_err(|error| bad("E-HTTP-QUERY", &error))?;
    let bytes = to_bytes(body, BODY_BYTES_MAX).await.map_err(|error| {
        let detail = format!("a transaction has at most {BODY_BYTES_MAX} bytes; send fewer operations at once ({error})");
        Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "E-HTTP-BODY", detail)
    })?;
    let tx: Transaction = codec::decode(&bytes).map_err(|error| bad("E-TX-ENCODING", &error))?;
    let verified = tx.verify(node.rules().chain()).map_err(Rejection::from)?;
    let id = verified.get().id();
    let names: Vec<RecordId> = verified.get().records().collect();
    let receipt = match node.handle.submit(verified).await {
        Ok(_) => match wait {
            Wait::Accepted => None,
            Wait::Committed => {
                tokio::time::timeout(COMMIT_WAIT, node.handle.outcome(id)).await.ok().flatten()
            }
        },
        Err(Rejection::Committed(_)) => committed_receipt(&node.handle.store, &id),
        Err(Rejection::Recorded) => Some(recorded(&node, id, &names)),
        Err(rejection) => return Err(rejection.into()),
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

fn accepted(id: TxId, names: &[RecordId]) -> Receipt {
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
fn recorded(node: &Shared, id: TxId, names: &[RecordId]) -> Receipt {
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

async fn transaction(
    State(node): Node,
    Name(id): Name,
    query: Result<Query<SubmitQuery>, QueryRejection>,
) -> Result<Json<Receipt>, Failure> {
    let Query(SubmitQuery { wait }) = query.map_err(|error| bad("E-HTTP-QUERY", &error))?;
    let id: TxId = id.parse().map_err(|error| bad("E-HTTP-ID", &error))?;
    if let Some(receipt) = decided(&node, id) {
        return Ok(Json(receipt));
    }
    if node.handle.is_pending(id).await {
        let outcome = match wait {
            Wait::Accepted => None,
            Wait::Committed => {
                tokio::time::timeout(COMMIT_WAIT, node.handle.outcome(id)).await.ok().flatten()
            }
        };
        return Ok(Json(outcome.unwrap_or_else(|| accepted(id, &[]))));
    }
    // Between the two questions it may have been decided.
    let unknown = || format!("transaction {id} is neither committed nor waiting on this node");
    decided(&node, id).map(Json).ok_or_else(|| Failure::not_found("E-TX-UNKNOWN", unknown()))
}

/// The receipt of a transaction that waits no longer.
fn decided(node: &Shared, id: TxId) -> Option<Receipt> {
    let refused = || node.handle.refusal(&id).map(|reason| refused_receipt(id, &reason));
    committed_receipt(&node.handle.store, &id).or_else(refused)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordsQuery {
    document: String,
}

async fn records(
    State(node): Node,
    query: Result<Query<RecordsQuery>, QueryRejection>,
) -> Result<Json<Records>, Failure> {
    let Query(RecordsQuery { document }) = query.map_err(|error| bad("E-HTTP-QUERY", &error))?;
    let document: Digest = document.parse().map_err(|error| bad("E-HTTP-ID", &error))?;
    let store = &node.handle.store;
    let positions = query::by_document(store, &document, ROWS_MAX);
    let records = positions
        .into_iter()
        .filter_map(|at| query::record_at(store, at))
        .map(|found| view(&node, &found));
    Ok(Json(Records { records: records.collect() }))
}

async fn record(State(node): Node, Name(id): Name) -> Result<Json<RecordView>, Failure> {
    let id: RecordId = id.parse().map_err(|error| bad("E-HTTP-ID", &error))?;
    let found = query::record(&node.handle.store, &id).ok_or_else(|| unknown_record(&id))?;
    Ok(Json(view(&node, &found)))
}

fn view(node: &Shared, found: &query::Found) -> RecordView {
    let (entry, agency) = (found.entry, found.transaction.header.agency);
    RecordView {
        record: entry.record,
        position: entry.position,
        height: entry.height,
        time: entry.time,
        tx: entry.tx,
        index: entry.index,
        agency,
        agency_name: agency_name(node, &agency),
        operation: found.operation().clone(),
    }
}

fn agency_name(node: &Shared, code: &types::AgencyCode) -> String {
    node.rules().agency(code).map(|found| found.facts.name.to_string()).unwrap_or_default()
}

fn unknown_record(id: &RecordId) -> Failure {
    Failure::not_found(
        "E-REC-UNKNOWN",
        format!("no record {id} on the ledger, as of this node's last block"),
    )
}

fn parse_subject(text: &str) -> Result<Subject, Failure> {
    text.parse().map_err(|error| bad("E-HTTP-ID", &error))
}

fn unknown_subject(subject: &Subject) -> Failure {
    Failure::not_found(
        "E-SUB-UNKNOWN",
        format!("{subject} is not on the ledger, as of this node's last block"),
    )
}

async fn subject(State(node): Node, Name(text): Name) -> Result<Json<SubjectView>, Failure> {
    let asked = parse_subject(&text)?;
    let snapshot = node.handle.store.snapshot();
    let state = query::subject(&snapshot, &asked).ok_or_else(|| unknown_subject(&asked))?;
    let header = query::header(&snapshot, query::height(&snapshot)).ok_or_else(no_block)?;
    let owner_name = agency_name(&node, &state.owner);
    Ok(Json(SubjectView { state, owner_name, height: header.height, time: header.time }))
}

fn no_block() -> Failure {
    Failure::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "E-NODE-EMPTY",
        "this node has no block yet; ask again in a moment",
    )
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    #[serde(default)]
    from: u64,
    limit: Option<usize>,
}

async fn history(
    State(node): Node,
    Name(text): Name,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<History>, Failure> {
    let Query(Page { from, limit }) = page.map_err(|error| bad("E-HTTP-QUERY", &error))?;
    let asked = parse_subject(&text)?;
    let snapshot = node.handle.store.snapshot();
    let state = query::subject(&snapshot, &asked).ok_or_else(|| unknown_subject(&asked))?;
    let links = query::history(&snapshot, &asked, from, limit.unwrap_or(100).clamp(1, ROWS_MAX));
    let rows: Vec<HistoryRow> = (from..)
        .zip(&links)
        .filter_map(|(sequence, link)| {
            let record = view(&node, &query::record_at(&snapshot, link.position)?);
            Some(HistoryRow { sequence, part: link.part, record })
        })
        .collect();
    let next = rows.last().map(|row| row.sequence + 1).filter(|next| *next < state.records);
    Ok(Json(History { subject: asked, total: state.records, rows, next }))
}

async fn prove_record(State(node): Node, Name(id): Name) -> Result<Response, Failure> {
    let id: RecordId = id.parse().map_err(|error| bad("E-HTTP-ID", &error))?;
    let snapshot = node.handle.store.snapshot();
    let proof = prove::record(&node.rules(), &snapshot, &id).ok_or_else(|| unknown_record(&id))?;
    Ok(proof_file(&proof))
}

async fn prove_subject(State(node): Node, Name(text): Name) -> Result<Response, Failure> {
    let asked = parse_subject(&text)?;
    let snapshot = node.handle.store.snapshot();
    let proof = prove::subject(&node.rules(), &snapshot, &asked).ok_or_else(no_block)?;
    Ok(proof_file(&proof))
}

/// The most bytes of a request for a proof: a thousand record ids, and the words around them.
const ASK_BYTES_MAX: usize = 128 << 10;
/// The most things one request for a proof may ask.
const ASKS_MAX: usize = 64;

/// One file with all that is asked, made from a snapshot, on a thread that nothing waits for.
async fn prove_all(State(node): Node, body: Body) -> Result<Response, Failure> {
    let bytes = to_bytes(body, ASK_BYTES_MAX).await.map_err(|error| {
        let detail = format!("a request has at most {ASK_BYTES_MAX} bytes; ask in parts ({error})");
        Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "E-HTTP-BODY", detail)
    })?;
    let ProofRequest { since, at, ask } =
        serde_json::from_slice(&bytes).map_err(|error| bad("E-HTTP-QUERY", &error))?;
    if ask.is_empty() || ask.len() > ASKS_MAX {
        let detail = format!("{} things asked for; 1 to {ASKS_MAX} at once", ask.len());
        return Err(Failure::new(StatusCode::BAD_REQUEST, "E-HTTP-QUERY", detail));
    }
    let asked: Vec<Asked> =
        ask.into_iter().map(|ask| asked(&node, ask)).collect::<Result<_, _>>()?;
    let work = tokio::task::spawn_blocking(move || {
        let snapshot = node.handle.store.snapshot();
        prove::as_of(&node.rules(), &snapshot, since, at, &asked)
    });
    let proof = work.await.map_err(|error| {
        Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "E-NODE-FAULT", error.to_string())
    })??;
    Ok(proof_file(&proof))
}

fn asked(node: &Shared, ask: Ask) -> Result<Asked, Failure> {
    Ok(match ask {
        Ask::Record(id) => Asked::Record(id),
        Ask::Records(ids) => Asked::Records(ids),
        Ask::Subject(subject) => Asked::Subject(subject.0),
        Ask::Upstream(lot) => Asked::Upstream(lot),
        Ask::Consistency(height) => Asked::Consistency(height),
        Ask::Block => Asked::Block,
        Ask::Authority(Authority { agency, key, at }) => Asked::Authority { agency, key, at },
        Ask::Evidence(said) => {
            let held =
                node.handle.evidence().into_iter().map(|(_, one)| crate::evidence::claim(&one));
            let found = held.into_iter().find(|claim| said.is(claim));
            let unknown =
                || Failure::not_found("E-EVIDENCE-UNKNOWN", "this node holds no such evidence");
            Asked::Votes(Box::new(found.ok_or_else(unknown)?))
        }
    })
}

impl From<Unprovable> for Failure {
    fn from(why: Unprovable) -> Self {
        let detail = why.to_string();
        match why {
            Unprovable::Empty => no_block(),
            Unprovable::Record(_) | Unprovable::Later(_) => {
                Self::not_found("E-REC-UNKNOWN", detail)
            }
            Unprovable::Lot(_) | Unprovable::Agency(_) => Self::not_found("E-SUB-UNKNOWN", detail),
            Unprovable::Height(_) => Self::not_found("E-BLOCK-UNKNOWN", detail),
            Unprovable::Early(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "E-BLOCK-UNKNOWN", detail)
            }
            Unprovable::TooMuch { .. } | Unprovable::Far { .. } => {
                Self::new(StatusCode::BAD_REQUEST, "E-PROOF-SIZE", detail)
            }
        }
    }
}

fn proof_file(proof: &proof::Proof) -> Response {
    ([(header::CONTENT_TYPE, "application/vnd.minlian.proof")], proof::encode(proof))
        .into_response()
}

async fn block(State(node): Node, Name(text): Name) -> Result<Json<BlockView>, Failure> {
    let store = &node.handle.store;
    let height = match text.as_str() {
        "latest" => query::height(store),
        number => Height(
            number.parse().map_err(|error: core::num::ParseIntError| bad("E-HTTP-ID", &error))?,
        ),
    };
    let missing = || missing_block(height);
    let block = query::block(store, height).ok_or_else(missing)?;
    let certificate = query::certificate(store, height).ok_or_else(missing)?;
    let transactions = block.transactions.iter().map(Transaction::id).collect();
    Ok(Json(BlockView { block: block.id(), header: block.header, certificate, transactions }))
}

pub(crate) fn missing_block(height: Height) -> Failure {
    Failure::not_found("E-BLOCK-UNKNOWN", format!("this node has no block {height}"))
}

fn node_status(node: &Shared) -> NodeStatus {
    let snapshot = node.handle.status.borrow().clone();
    health::status(&node.genesis, &node.handle.store, &snapshot)
}

async fn status(State(node): Node) -> Json<NodeStatus> {
    Json(node_status(&node))
}

async fn evidence(State(node): Node) -> Json<EvidenceList> {
    let all = node.handle.evidence();
    let evidence = all.into_iter().map(|((height, round, step, seat), evidence)| EvidenceView {
        height,
        round: round.0,
        step: ["proposal", "prevote", "precommit"][usize::from(step.min(2))].into(),
        seat,
        name: query::committee(&*node.handle.store, height)
            .unwrap_or_else(|| node.genesis.committee())
            .seat(seat)
            .map(|seat| seat.name.to_string())
            .unwrap_or_default(),
        evidence: codec::hex(&codec::encode(&evidence)),
    });
    Json(EvidenceList { evidence: evidence.collect() })
}

async fn genesis(State(node): Node) -> Response {
    ([(header::CONTENT_TYPE, "application/toml; charset=utf-8")], node.genesis.to_toml())
        .into_response()
}

async fn ready(State(node): Node) -> Response {
    let obstacles = node_status(&node).obstacles;
    let clock = node.handle.status.borrow().status.clock;
    // What stops nothing yet.
    let warnings: Vec<_> = health::clock_warning(clock).into_iter().collect();
    let status =
        if obstacles.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = serde_json::json!({ "ready": obstacles.is_empty(), "failed_checks": obstacles, "warnings": warnings });
    (status, Json(body)).into_response()
}

async fn version() -> Json<serde_json::Value> {
    Json(serde_json::json!({
        "version": env!("CARGO_PKG_VERSION"),
        "block_format": types::block::VERSION,
        "transaction_format": types::transaction::VERSION,
        "genesis_format": types::genesis::VERSION,
        "transaction_bytes_max": Transaction::BYTES_MAX,
    }))
}

async fn metrics(State(node): Node) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], node.metrics.text()).into_response()
}

pub(crate) fn bad(code: &'static str, error: &dyn core::fmt::Display) -> Failure {
    Failure::new(StatusCode::BAD_REQUEST, code, error.to_string())
}
