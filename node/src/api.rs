//! What applications and inspectors ask over HTTP, and the limits within which they are answered.
//!
//! One file a noun. Each handler carries its own description; together they are the `OpenAPI` document at
//! `/v1/openapi.json`, which a test holds against `node/openapi.json`.

#![expect(
    unused_qualifications,
    reason = "what utoipa writes for `params(…)` qualifies names that need none"
)]

mod answers;
mod asked;
mod blocks;
mod checkpoints;
mod connections;
mod describe;
mod docs;
mod documents;
mod epcis;
mod jobs;
mod problem;
mod proofs;
mod records;
mod stream;
mod subjects;
mod systems;
mod transactions;
mod verify;
mod watching;

pub use connections::{CONNECTIONS_MAX, Connection, Door, Listener, Place, connections_allowed};
pub use describe::describe;
pub use jobs::Jobs;
pub use verify::page as verify_page;

use crate::{
    gateway::{Gateway, Shut},
    metrics::Metrics,
    shell::Handle,
    tls,
};
use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
};
use ledger::{Rules, State as Ledger, prove::Unprovable, query};
use problem::Failure;
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::{CompressionLayer, Predicate as _, predicate},
    timeout::TimeoutLayer,
};
use types::{AgencyCode, Genesis, SecretKey, codec, transaction::TRANSACTION_BYTES_MAX};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The largest body of a single submission, bytes: one transaction.
pub const BODY_BYTES_MAX: usize = TRANSACTION_BYTES_MAX;
/// How long a request may take in all.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// The most rows of one answer.
const ROWS_MAX: usize = 1000;
/// How many rows an answer has when nobody says.
const ROWS: usize = 100;
/// Answers shorter than this are not worth compressing, bytes.
const COMPRESSED_FROM: u16 = 512;
/// The name by which one request is found in the log.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest such name that is taken from a client.
const REQUEST_ID_CHARS_MAX: usize = 64;

/// What the handlers share.
#[derive(Debug)]
pub struct Shared {
    /// The genesis, as agreed.
    pub genesis: Genesis,
    /// The replica.
    pub handle: Handle,
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// Bulk submissions.
    pub jobs: Arc<Jobs>,
    /// What signs for systems without keys, or why nothing does.
    pub gateway: Result<Gateway, Shut>,
    /// What checkpoints are signed with; none while nothing is.
    pub transport: Option<SecretKey>,
    /// Who keeps what this node dropped, if its operator says so.
    pub archive: Option<String>,
    /// The last height that may be read, for whoever follows the chain; closed when the node stops.
    heights: watch::Sender<Tip>,
}

/// Where those who follow the chain are: told once a block, not once a change of the replica's mind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tip {
    height: u64,
    stopping: bool,
}

impl Shared {
    /// What the handlers of one node share.
    #[must_use]
    pub fn new(
        genesis: Genesis,
        handle: Handle,
        metrics: Arc<Metrics>,
        jobs: Arc<Jobs>,
        gateway: Result<Gateway, Shut>,
        transport: Option<SecretKey>,
        archive: Option<String>,
    ) -> Arc<Self> {
        let height = ledger::query::height(&*handle.store).0;
        let (heights, _) = watch::channel(Tip { height, stopping: false });
        let shared =
            Arc::new(Self { genesis, handle, metrics, jobs, gateway, transport, archive, heights });
        let (told, mut status) = (Arc::downgrade(&shared), shared.handle.status.clone());
        tokio::spawn(async move {
            while status.changed().await.is_ok() {
                let Some(shared) = told.upgrade() else { return };
                // What is on disk is what can be read; the replica may be a moment ahead of it.
                let height = ledger::query::height(&*shared.handle.store).0;
                shared.heights.send_if_modified(|tip| {
                    let new = height > tip.height;
                    tip.height = tip.height.max(height);
                    new
                });
            }
        });
        shared
    }

    /// Ends every answer that has no end of its own, so that the node can.
    pub fn stop(&self) {
        self.heights.send_modify(|tip| tip.stopping = true);
    }

    /// The rules for the next block.
    fn rules(&self) -> Arc<Rules> {
        self.handle.status.borrow().rules.clone()
    }

    /// The record at a position of the log; none if there is none.
    fn record_at(
        &self,
        state: &impl Ledger,
        position: u64,
    ) -> Result<Option<query::Found>, Failure> {
        self.not_dropped(state, position)?;
        Ok(query::record_at(state, position))
    }

    /// Refuses what needs a body that was dropped here. An answer without it would be taken for all there is.
    fn not_dropped(&self, state: &impl Ledger, position: u64) -> Result<(), Failure> {
        Unprovable::dropped(state, position).map_or(Ok(()), |why| Err(self.unprovable(why)))
    }

    /// Why there is no such proof, and who may have it.
    fn unprovable(&self, why: Unprovable) -> Failure {
        let dropped = matches!(why, Unprovable::Dropped { .. });
        match self.archive.as_deref().filter(|_| dropped) {
            Some(archive) => Failure::dropped(&format_args!("{why}: {archive}")),
            None => why.into(),
        }
    }

    fn agency_name(&self, code: &AgencyCode) -> String {
        self.rules().agency(code).map(|found| found.facts.name.to_string()).unwrap_or_default()
    }
}

pub(crate) type Node = State<Arc<Shared>>;

/// Every route that is described, in the order in which people read them.
fn described() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::with_openapi(describe::head())
        .routes(routes!(transactions::submit))
        .routes(routes!(transactions::submit_all))
        .routes(routes!(transactions::transaction))
        .routes(routes!(documents::submit))
        .routes(routes!(jobs::submit))
        .routes(routes!(jobs::job))
        .routes(routes!(records::list))
        .routes(routes!(records::record))
        .routes(routes!(subjects::subject))
        .routes(routes!(subjects::history))
        .routes(routes!(proofs::prove_all))
        .routes(routes!(proofs::prove_record))
        .routes(routes!(proofs::prove_subject))
        .routes(routes!(blocks::list))
        .routes(routes!(blocks::block))
        .routes(routes!(checkpoints::checkpoint))
        .routes(routes!(stream::blocks))
        .routes(routes!(stream::records))
        .routes(routes!(epcis::capture))
        .routes(routes!(epcis::job))
        .routes(routes!(epcis::event, epcis::events::events))
        .routes(routes!(epcis::events::event_by_id))
        .routes(routes!(epcis::events::events_of))
        .routes(routes!(epcis::events::of_type))
        .routes(routes!(epcis::events::of_step))
        .routes(routes!(epcis::events::of_location))
        .routes(routes!(epcis::events::of_read_point))
        .routes(routes!(epcis::events::of_disposition))
        .routes(routes!(watching::agencies))
        .routes(routes!(watching::status))
        .routes(routes!(watching::evidence))
        .routes(routes!(watching::genesis))
        .routes(routes!(watching::alive))
        .routes(routes!(watching::ready))
        .routes(routes!(watching::version))
        .routes(routes!(watching::metrics))
}

/// The routes, with their limits.
pub fn router(shared: Arc<Shared>) -> Router {
    let (router, _) = described().split_for_parts();
    router
        .merge(docs::routes())
        .merge(verify::routes())
        .fallback(|request: Request| async move {
            Failure::not_found(
                "E-HTTP-ROUTE",
                format!("there is nothing at {}; see /docs", request.uri().path()),
            )
        })
        .method_not_allowed_fallback(|| async {
            Failure::new(StatusCode::METHOD_NOT_ALLOWED, "E-HTTP-METHOD", "not with this method")
        })
        .layer(
            CompressionLayer::new().gzip(true).compress_when(
                predicate::SizeAbove::new(COMPRESSED_FROM.into())
                    .and(predicate::NotForContentType::SSE)
                    .and(predicate::NotForContentType::const_new("application/vnd.minlian.proof")),
            ),
        )
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_TIMEOUT))
        .layer(CatchPanicLayer::custom(|_: Box<dyn core::any::Any + Send>| {
            let detail = "this request broke the node's own rules; the log tells which";
            Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "E-NODE-FAULT", detail).into_response()
        }))
        .layer(middleware::from_fn(tls::recognise))
        .layer(middleware::from_fn(harden))
        .with_state(shared)
}

/// What holds for every answer: a name to find it by, no guessing of types, and no error that is not explained.
async fn harden(request: Request, next: Next) -> Response {
    let id = request_id(&request);
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let mut response = next.run(request).await;
    let is_problem = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/problem+json"));
    match response.status() {
        StatusCode::REQUEST_TIMEOUT if !is_problem => {
            let detail = format!("not done after {} s; ask again", REQUEST_TIMEOUT.as_secs());
            response =
                Failure::new(StatusCode::REQUEST_TIMEOUT, "E-HTTP-TIMEOUT", detail).into_response();
        }
        StatusCode::INTERNAL_SERVER_ERROR => {
            tracing::error!(request = ?id, %method, path = ?path, "a request failed");
        }
        status => {
            tracing::debug!(request = ?id, %method, path = ?path, status = status.as_u16(), "request");
        }
    }
    let headers = response.headers_mut();
    if path == "/v1/documents" || path.starts_with("/epcis/") {
        // It is for one system. One that shows a certificate sends no header by which a cache would know.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REQUEST_ID, id);
    response
}

/// The client's own name for its request, if it is one to print, or a new one.
fn request_id(request: &Request) -> HeaderValue {
    let given = request.headers().get(REQUEST_ID).filter(|given| {
        let sound = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
        (1..=REQUEST_ID_CHARS_MAX).contains(&given.len()) && given.as_bytes().iter().all(sound)
    });
    given.cloned().unwrap_or_else(|| {
        let mut bytes = [0; 8];
        // A name that is used twice does no harm.
        getrandom::fill(&mut bytes).unwrap_or(());
        HeaderValue::from_str(&codec::hex(&bytes)).expect("hexadecimal digits are a header")
    })
}
