//! How the node and its network are: for operators, and for what watches on their behalf.

use super::{Node, Shared, problem::Failure};
use crate::{gateway::Shut, health};
use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use client::api::{Agencies, AgencyView, EvidenceList, EvidenceView, NodeStatus};
use ledger::query;
use types::{Transaction, codec, codec::Wire as _, subject::Status};

fn node_status(node: &Shared) -> NodeStatus {
    let snapshot = node.handle.status.borrow().clone();
    health::status(&node.genesis, &node.handle.store, &snapshot)
}

/// How the node and its chain are
#[utoipa::path(
    get,
    path = "/v1/status",
    tag = "Watch",
    responses((status = 200, description = "Height, validators, and what stands in the way, in plain words.", body = NodeStatus)),
)]
pub(super) async fn status(State(node): Node) -> Json<NodeStatus> {
    Json(node_status(&node))
}

/// The agencies, their keys and roles
#[utoipa::path(
    get,
    path = "/v1/agencies",
    tag = "Read",
    responses((status = 200, description = "Every agency that is enrolled.", body = Agencies)),
)]
pub(super) async fn agencies(State(node): Node) -> Result<Json<Agencies>, Failure> {
    let rules = node.rules();
    let agencies = rules.agencies().map(|(code, standing)| {
        Ok(AgencyView {
            agency: *code,
            name: standing.facts.name.to_string(),
            active: standing.status == Status::Active,
            facts: serde_json::to_value(&standing.facts).map_err(|error| Failure::fault(&error))?,
        })
    });
    Ok(Json(Agencies { agencies: agencies.collect::<Result<_, Failure>>()? }))
}

/// Proof that validators said two things
#[utoipa::path(
    get,
    path = "/v1/evidence",
    tag = "Watch",
    responses((status = 200, description = "What this node holds.", body = EvidenceList)),
)]
pub(super) async fn evidence(State(node): Node) -> Json<EvidenceList> {
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

/// The genesis file
///
/// It is only as trustworthy as this node: take trust roots from your agency.
#[utoipa::path(
    get,
    path = "/v1/genesis",
    tag = "Read",
    responses((status = 200, description = "The file.", body = String, content_type = "application/toml")),
)]
pub(super) async fn genesis(State(node): Node) -> Response {
    ([(header::CONTENT_TYPE, "application/toml; charset=utf-8")], node.genesis.to_toml())
        .into_response()
}

/// Whether the process lives
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "Watch",
    responses((status = 200, description = "It does.", body = String, content_type = "text/plain")),
)]
pub(super) async fn alive() -> &'static str {
    "alive\n"
}

/// Whether the node is fit to be asked, and what it lacks if not
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub(super) struct Readiness {
    /// Whether it is.
    ready: bool,
    /// What stands in the way of the next block.
    failed_checks: Vec<String>,
    /// What stops nothing yet.
    warnings: Vec<String>,
}

/// Whether the node is fit to be asked
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "Watch",
    responses(
        (status = 200, description = "It is.", body = Readiness),
        (status = 503, description = "It is not, and why.", body = Readiness),
    ),
)]
pub(super) async fn ready(State(node): Node) -> Response {
    let failed_checks = node_status(&node).obstacles;
    let clock = node.handle.status.borrow().status.clock;
    let mut warnings: Vec<_> = health::clock_warning(clock).into_iter().collect();
    if let Err(Shut::Unfit(why)) = &node.gateway {
        warnings.push(format!("the gateway is shut, and signs for nobody: {why}"));
    }
    let ready = failed_checks.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, failed_checks, warnings })).into_response()
}

/// The version, and the formats it speaks
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub(super) struct Version {
    /// The program.
    version: &'static str,
    /// Of blocks.
    block_format: u16,
    /// Of transactions.
    transaction_format: u16,
    /// Of genesis.
    genesis_format: u16,
    /// The largest transaction, bytes.
    transaction_bytes_max: usize,
}

/// The version, and the formats it speaks
#[utoipa::path(
    get,
    path = "/version",
    tag = "Watch",
    responses((status = 200, description = "The version.", body = Version)),
)]
pub(super) async fn version() -> Json<Version> {
    Json(Version {
        version: env!("CARGO_PKG_VERSION"),
        block_format: types::block::VERSION,
        transaction_format: types::transaction::VERSION,
        genesis_format: types::genesis::VERSION,
        transaction_bytes_max: Transaction::BYTES_MAX,
    })
}

/// Counters for Prometheus
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "Watch",
    responses((status = 200, description = "In the text form of OpenMetrics.", body = String, content_type = "application/openmetrics-text")),
)]
pub(super) async fn metrics(State(node): Node) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], node.metrics.text()).into_response()
}
