//! The subset of the EPCIS 2.0 REST interface by which a traceability system records without knowing that there is a chain.
//!
//! An authenticated system's events are signed here with the key enrolled for it. A capture is a job like any other bulk
//! submission; what is read back are the documents that this node keeps, of events that are on the ledger.

use super::{
    Node, ROWS, Shared,
    asked::{self, Asked, Name},
    jobs,
    problem::Failure,
    records::{Filter, found_view, oldest},
};
use crate::{
    clock,
    gateway::{Denied, Documents, Gateway, Scope, Shown, Token},
    tls,
};
use ::records::{self, Capture, DOCUMENT_BYTES_MAX, Prepared};
use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use client::api::RecordView;
use ledger::{Rejection, State as Ledger, query};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use types::{
    Operation, RecordId, Subject, Text, Timestamp, Transaction, Verified, codec,
    operation::{Action, EventType, Grade, TraceEvent},
    transaction::{OPERATIONS_MAX, TRANSACTION_BYTES_MAX},
};
use utoipa::{IntoParams, ToSchema};

/// The context of every answer.
const CONTEXT: &str = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld";
/// The versions this interface speaks.
const VERSIONS: [(HeaderName, HeaderValue); 2] = [
    (HeaderName::from_static("gs1-epcis-version"), HeaderValue::from_static("2.0.0")),
    (HeaderName::from_static("gs1-cbv-version"), HeaderValue::from_static("2.0.0")),
];
/// How many records are looked at for one page of events.
const LOOKED_AT_MAX: usize = 1000;
/// What a transaction takes beside its operations, bytes, at most.
const HEADER_BYTES: usize = 1024;

fn gateway(node: &Shared) -> Result<&Gateway, Failure> {
    node.gateway.as_ref().ok_or_else(|| {
        let detail =
            "this node signs for nobody now: no [gateway] is configured, or nothing can be written";
        Failure::new(StatusCode::NOT_IMPLEMENTED, "E-GATEWAY-NONE", detail)
    })
}

/// What a request shows of whose it is. Any authorization but a token's is nobody's token, and not a certificate's.
fn shown(headers: &HeaderMap) -> Shown<'_> {
    let bearer = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    let bearer = bearer.map(|value| value.strip_prefix(b"Bearer ").unwrap_or_default());
    Shown { bearer, certificate: tls::certificate(headers) }
}

fn admit<'n>(
    node: &'n Shared,
    headers: &HeaderMap,
    scope: Scope,
    act: &str,
) -> Result<(&'n Gateway, &'n Token), Failure> {
    let gateway = gateway(node)?;
    match gateway.admit(shown(headers), scope, act) {
        Ok(token) => Ok((gateway, token)),
        Err(denied) => {
            let (status, code) = match denied {
                Denied::Unknown => (StatusCode::UNAUTHORIZED, "E-AUTH-TOKEN"),
                Denied::Expired => (StatusCode::UNAUTHORIZED, "E-AUTH-EXPIRED"),
                Denied::Scope => (StatusCode::FORBIDDEN, "E-AUTH-SCOPE"),
                Denied::Unaudited => (StatusCode::SERVICE_UNAVAILABLE, "E-NODE-DISK"),
            };
            Err(Failure::new(status, code, denied.to_string()))
        }
    }
}

fn documents(gateway: &Gateway) -> Result<&Documents, Failure> {
    gateway.documents.as_ref().ok_or_else(|| {
        let detail =
            "this node keeps no documents: its operator has configured no `documents` in [gateway]";
        Failure::new(StatusCode::NOT_IMPLEMENTED, "E-EPCIS-DOCUMENTS", detail)
    })
}

/// What becomes of the other events when one of a document is unsound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behaviour {
    /// None is recorded.
    Rollback,
    /// They are recorded.
    Proceed,
}

impl Behaviour {
    fn read(headers: &HeaderMap) -> Result<Self, Failure> {
        match headers.get("gs1-capture-error-behaviour").map(HeaderValue::as_bytes) {
            None | Some(b"rollback") => Ok(Self::Rollback),
            Some(b"proceed") => Ok(Self::Proceed),
            Some(_) => {
                let detail = "GS1-Capture-Error-Behaviour is `rollback` or `proceed`";
                Err(Failure::bad("E-EPCIS-BEHAVIOUR", &detail))
            }
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Rollback => "rollback",
            Self::Proceed => "proceed",
        }
    }
}

/// An event that will be signed.
struct Sound {
    operation: Operation,
    /// The event, with the context that gives its words their meaning.
    text: Vec<u8>,
    id: String,
}

/// What a document comes to.
struct Read {
    sound: Vec<Sound>,
    /// What is wrong, in words that name the place.
    faults: Vec<String>,
}

fn read(body: &[u8], behaviour: Behaviour, capture: &Capture) -> Result<Read, Failure> {
    let refuse = |faults: Vec<records::Fault>| {
        let all: Vec<_> = faults.iter().map(ToString::to_string).collect();
        Failure::bad("E-EPCIS-DOCUMENT", &all.join("; "))
    };
    match records::prepare(body, capture) {
        Ok(prepared) => {
            let value = parse(body)?;
            let sound = prepared.into_iter().map(|one| sound(&value, one));
            Ok(Read { sound: sound.collect::<Result<_, _>>()?, faults: Vec::new() })
        }
        Err(faults) => {
            // What is wrong with the document itself is wrong with all of it; and what cannot be told apart is not.
            let whole = faults.iter().any(|fault| !fault.at.contains("/eventList/"));
            if behaviour == Behaviour::Rollback || whole {
                return Err(refuse(faults));
            }
            one_by_one(body, capture)
        }
    }
}

/// Each event as a document of its own, so that the sound ones can be recorded without the others.
fn one_by_one(body: &[u8], capture: &Capture) -> Result<Read, Failure> {
    let value = parse(body)?;
    let list = ["/epcisBody/eventList", "/epcisBody/queryResults/resultsBody/eventList"]
        .iter()
        .find_map(|at| value.pointer(at)?.as_array());
    let Some(list) = list else {
        return Err(Failure::bad("E-EPCIS-DOCUMENT", &"there is no eventList"));
    };
    let mut read = Read { sound: Vec::new(), faults: Vec::new() };
    for (index, event) in list.iter().enumerate() {
        let text = with_context(&value, event);
        match records::prepare(&text, capture) {
            Ok(prepared) => {
                let own = parse(&text)?;
                for one in prepared {
                    read.sound.push(sound(&own, one)?);
                }
            }
            Err(faults) => {
                let all = faults.iter().map(|fault| format!("event {index}: {fault}"));
                read.faults.extend(all);
            }
        }
    }
    Ok(read)
}

fn parse(body: &[u8]) -> Result<Value, Failure> {
    serde_json::from_slice(body).map_err(|error| Failure::bad("E-EPCIS-DOCUMENT", &error))
}

/// An event under its document's context, if it has none of its own.
fn with_context(document: &Value, event: &Value) -> Vec<u8> {
    let mut event = event.clone();
    if let (Some(members), Some(context)) = (event.as_object_mut(), document.get("@context")) {
        members.entry("@context").or_insert_with(|| context.clone());
    }
    event.to_string().into_bytes()
}

fn sound(document: &Value, prepared: Prepared) -> Result<Sound, Failure> {
    let Action::Trace(event) = &prepared.operation.action else {
        let detail = format_args!("{} is no event: submit it as a transaction", prepared.label);
        return Err(Failure::bad("E-EPCIS-DOCUMENT", &detail));
    };
    let text = document.pointer(&prepared.at).map(|event| with_context(document, event));
    let (text, id) = (text.unwrap_or_default(), event_id(event));
    Ok(Sound { operation: prepared.operation, text, id })
}

/// The event's own id, or the CBV hash that stands for one.
fn event_id(event: &TraceEvent) -> String {
    let hash = || {
        let hash = event.cbv_hash.map(|hash| hash.to_string()).unwrap_or_default();
        format!("ni:///sha-256;{hash}?ver=CBV2.0")
    };
    event.id.as_ref().map_or_else(hash, ToString::to_string)
}

/// Signs in as few transactions as they fit.
fn sign(
    node: &Shared,
    gateway: &Gateway,
    operations: Vec<Operation>,
) -> Result<Vec<Verified<Transaction>>, Failure> {
    let rules = node.rules();
    let (chain, limits) = (*rules.chain(), rules.limits());
    let deadline = rules.next().plus(limits.validity_heights_max.into());
    let mut groups: Vec<(usize, Vec<Operation>)> = Vec::new();
    for operation in operations {
        let bytes = codec::length(&operation);
        match groups.last_mut() {
            Some((all, group))
                if *all + bytes <= TRANSACTION_BYTES_MAX - HEADER_BYTES
                    && group.len() < OPERATIONS_MAX =>
            {
                *all += bytes;
                group.push(operation);
            }
            Some(_) | None => groups.push((bytes, vec![operation])),
        }
    }
    let signed = groups.into_iter().map(|(_, group)| {
        let tx = gateway.signer.sign(chain, deadline, group);
        let tx = tx.map_err(|error| Failure::fault(&error))?;
        tx.verify(&chain).map_err(|error| Failure::from(Rejection::from(error)))
    });
    signed.collect()
}

/// Takes events on: they are kept, signed, and a job.
fn take_on(
    node: &Arc<Shared>,
    (gateway, token): (&Gateway, &Token),
    (name, behaviour): (&str, Behaviour),
    body: &[u8],
    Read { sound, faults }: Read,
) -> Result<(), Failure> {
    let agency = *gateway.signer.agency();
    if let Some(documents) = &gateway.documents {
        let unwritten = |error: std::io::Error| {
            let detail = format!("the document cannot be kept, so it is not recorded: {error}");
            Failure::new(StatusCode::SERVICE_UNAVAILABLE, "E-NODE-DISK", detail)
        };
        documents.keep(body).map_err(unwritten)?;
        for event in &sound {
            let record = event.operation.record(&agency);
            documents.keep_event(&record, &event.id, &event.text).map_err(unwritten)?;
        }
    }
    let count = sound.len();
    let operations = sound.into_iter().map(|event| event.operation).collect();
    let transactions = sign(node, gateway, operations)?;
    let outcome = format!("{count} events signed in {} transactions", transactions.len());
    gateway.used(token, &format!("capture {name}"), &outcome).map_err(|error| {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Failure::new(status, "E-NODE-DISK", format!("the use cannot be written down: {error}"))
    })?;
    jobs::begin(node, name, transactions, (Some(behaviour.name()), faults))
}

/// What the operations say of their origin. A capture that is repeated is the same record, so no clock is read here:
/// nothing in a request says when it was made but the document itself.
fn origin(token: &Token, body: &[u8]) -> Capture {
    let stated = serde_json::from_slice::<Stated>(body).ok();
    let captured_at = stated.and_then(|stated| stated.time()).unwrap_or_default();
    let version = Text::new("EPCIS 2.0").expect("it is short");
    Capture { system: token.name.clone(), version, captured_at, grade: Grade::Internal }
}

/// When a document says that it was made.
#[derive(Deserialize)]
struct Stated {
    #[serde(rename = "creationDate")]
    created: Option<String>,
    #[serde(rename = "eventTime")]
    time: Option<String>,
}

impl Stated {
    fn time(&self) -> Option<Timestamp> {
        self.created.as_ref().or(self.time.as_ref())?.parse().ok()
    }
}

/// Capture a document of events
///
/// Signed with the key that this node holds for the system whose token it is. The same document again is the same job.
#[utoipa::path(
    post,
    path = "/epcis/capture",
    tag = "EPCIS 2.0",
    params(("gs1-capture-error-behaviour" = Option<String>, Header, description = "`rollback` (all events or none, at most 1000) or `proceed`.")),
    request_body(content = Object, content_type = "application/json"),
    responses(
        (status = 202, description = "Taken on.", headers(("location" = String, description = "The capture job."))),
        (status = 400, description = "Not an EPCIS 2.0 document, or an unsound one: every fault by its place."),
        (status = 401, description = "No token that this node knows, or an expired one."),
        (status = 403, description = "The token is not good for this."),
        (status = 409, description = "Not in the state in which the ledger is."),
        (status = 413, description = "More bytes, or more events, than at once."),
        (status = 429, description = "Too many jobs are under way; come back."),
        (status = 501, description = "This node has no gateway."),
    ),
)]
pub(super) async fn capture(
    State(node): Node,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    admit(&node, &headers, Scope::Capture, "capture")?;
    let behaviour = Behaviour::read(&headers)?;
    let body = asked::body(body, DOCUMENT_BYTES_MAX, "split the document").await?;
    let work = tokio::task::spawn_blocking(move || {
        let (gateway, token) = find(&node, &headers)?;
        let read = read(&body, behaviour, &origin(token, &body))?;
        if read.sound.is_empty() {
            let faults = read.faults.join("; ");
            let detail = if faults.is_empty() { "there is no event in it" } else { &faults };
            return Err(Failure::bad("E-EPCIS-DOCUMENT", &detail));
        }
        if behaviour == Behaviour::Rollback && read.sound.len() > OPERATIONS_MAX {
            let detail = format!(
                "{} events; at most {OPERATIONS_MAX} can be recorded all or none: split the document, or `proceed`",
                read.sound.len()
            );
            return Err(Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "E-EPCIS-EVENTS", detail));
        }
        let name =
            jobs::name(&[behaviour.name().as_bytes(), token.name.as_bytes(), &body].concat());
        take_on(&node, (gateway, token), (&name, behaviour), &body, read)?;
        Ok(name)
    });
    let name = work.await.map_err(|error| Failure::fault(&error))??;
    let location = [(header::LOCATION, format!("/epcis/capture/{name}"))];
    Ok((StatusCode::ACCEPTED, VERSIONS, location).into_response())
}

/// The token again, on another thread, after it was let in and written down.
fn find<'n>(node: &'n Shared, headers: &HeaderMap) -> Result<(&'n Gateway, &'n Token), Failure> {
    let gateway = gateway(node)?;
    let token = gateway.account(shown(headers));
    token.map(|token| (gateway, token)).ok_or_else(|| Failure::fault(&"the token is gone"))
}

/// A capture job, as EPCIS 2.0 has it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CaptureJob {
    #[serde(rename = "captureID")]
    capture_id: String,
    /// When it was taken on.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When all of it was decided.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<Timestamp>,
    /// Whether it is under way.
    running: bool,
    /// Whether nothing was refused so far.
    success: bool,
    /// `rollback` or `proceed`.
    capture_error_behaviour: String,
    /// What was refused, and why.
    #[schema(value_type = Vec<Object>)]
    errors: Vec<Value>,
}

/// How a capture is doing
#[utoipa::path(
    get,
    path = "/epcis/capture/{id}",
    tag = "EPCIS 2.0",
    params(("id" = String, Path, description = "The job, as `Location` named it.")),
    responses(
        (status = 200, description = "How it is doing.", body = CaptureJob),
        (status = 401, description = "No token that this node knows, or an expired one."),
        (status = 403, description = "The token is not good for this."),
        (status = 404, description = "This node knows of no such job."),
        (status = 501, description = "This node has no gateway."),
    ),
)]
pub(super) async fn job(
    State(node): Node,
    Name(id): Name,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    admit(&node, &headers, Scope::Capture, "capture job")?;
    let account = node.jobs.account(&id).ok_or_else(|| {
        Failure::not_found("E-JOB-UNKNOWN", format!("this node knows of no capture {id:?}"))
    })?;
    let mut errors: Vec<Value> = account
        .faults
        .into_iter()
        .map(|fault| json!({ "type": "epcisException:ValidationException", "title": "unsound event", "status": 400, "detail": fault }))
        .collect();
    errors.extend(account.refused.iter().map(|(records, code, detail)| {
        json!({ "type": format!("urn:minlian:problem:{code}"), "title": "refused", "status": 409, "detail": detail, "records": records })
    }));
    let job = CaptureJob {
        capture_id: id,
        created_at: account.created,
        finished_at: account.finished,
        running: account.finished.is_none(),
        success: errors.is_empty(),
        capture_error_behaviour: account.behaviour.unwrap_or_default(),
        errors,
    };
    Ok((VERSIONS, Json(job)).into_response())
}

/// Capture one event
///
/// Answered when it is on the ledger.
#[utoipa::path(
    post,
    path = "/epcis/events",
    tag = "EPCIS 2.0",
    request_body(content = Object, content_type = "application/json"),
    responses(
        (status = 201, description = "On the ledger.", headers(("location" = String, description = "The event."))),
        (status = 400, description = "Not an EPCIS 2.0 event, or an unsound one."),
        (status = 401, description = "No token that this node knows, or an expired one."),
        (status = 403, description = "The token, or the key behind it, is not good for this."),
        (status = 409, description = "It is on the ledger already, or cannot be in the state in which the ledger is."),
        (status = 413, description = "More bytes than an event may have."),
        (status = 429, description = "Too many wait already; come back."),
        (status = 501, description = "This node has no gateway."),
    ),
)]
pub(super) async fn event(
    State(node): Node,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    let (gateway, token) = admit(&node, &headers, Scope::Capture, "event")?;
    let body = asked::body(body, TRANSACTION_BYTES_MAX, "an event is smaller").await?;
    let Read { mut sound, .. } = read(&body, Behaviour::Rollback, &origin(token, &body))?;
    let (Some(event), true) = (sound.pop(), sound.is_empty()) else {
        let detail = "one event is captured here; a document with more goes to /epcis/capture";
        return Err(Failure::bad("E-EPCIS-DOCUMENT", &detail));
    };
    let record = event.operation.record(gateway.signer.agency());
    if query::position(&node.handle.store, &record).is_some() {
        return Err(Rejection::Recorded.into());
    }
    if let Some(documents) = &gateway.documents {
        let kept = documents.keep(&body);
        let kept = kept.and_then(|()| documents.keep_event(&record, &event.id, &event.text));
        kept.map_err(|error| {
            let detail = format!("the event cannot be kept, so it is not recorded: {error}");
            Failure::new(StatusCode::SERVICE_UNAVAILABLE, "E-NODE-DISK", detail)
        })?;
    }
    let id = event.id;
    let signed = sign(&node, gateway, vec![event.operation])?;
    gateway.used(token, &format!("event {record}"), "signed").map_err(|error| {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Failure::new(status, "E-NODE-DISK", format!("the use cannot be written down: {error}"))
    })?;
    for tx in signed {
        let name = node.handle.submit(tx).await?;
        let outcome = node.handle.outcome(name).await;
        let refused = outcome.and_then(|receipt| Some((receipt.code?, receipt.detail?)));
        if let Some((code, detail)) = refused {
            let detail = format!("{code}: {detail}");
            return Err(Failure::new(StatusCode::CONFLICT, "E-EPCIS-REFUSED", detail));
        }
    }
    let location = [(header::LOCATION, format!("/epcis/events/{}", escaped(&id)))];
    Ok((StatusCode::CREATED, VERSIONS, location).into_response())
}

fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte.into());
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

/// Which events are wanted. A name that this subset does not know is refused, not ignored.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Simple {
    /// Of this type, such as `ObjectEvent`.
    #[serde(rename = "eventType")]
    event_type: Option<String>,
    /// With this business step, as written or in its short form.
    #[serde(rename = "EQ_bizStep")]
    step: Option<String>,
    /// With this disposition.
    #[serde(rename = "EQ_disposition")]
    disposition: Option<String>,
    /// Read here.
    #[serde(rename = "EQ_readPoint")]
    read_point: Option<String>,
    /// At this business location.
    #[serde(rename = "EQ_bizLocation")]
    location: Option<String>,
    /// With this id.
    #[serde(rename = "EQ_eventID")]
    id: Option<String>,
    /// That happened at this time or later.
    #[serde(rename = "GE_eventTime")]
    from: Option<String>,
    /// That happened before this time.
    #[serde(rename = "LT_eventTime")]
    until: Option<String>,
    /// That name this EPC or class, in whatever part.
    #[serde(rename = "MATCH_anyEPC", alias = "MATCH_epc", alias = "MATCH_anyEPCClass")]
    epc: Option<String>,
    /// How many events at most: 1 to 100.
    #[serde(rename = "perPage")]
    per_page: Option<usize>,
    /// What the link to the next page says.
    #[serde(rename = "nextPageToken")]
    next: Option<u64>,
}

/// A simple query, read.
struct Simply {
    asked: Simple,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Simply {
    fn read(asked: Simple) -> Result<Self, Failure> {
        let time = |text: &Option<String>| {
            let time = text.as_ref().map(|text| text.parse::<Timestamp>()).transpose();
            time.map_err(|error| Failure::bad("E-HTTP-QUERY", &error))
        };
        Ok(Self { from: time(&asked.from)?, until: time(&asked.until)?, asked })
    }

    /// What the ledger itself can tell.
    fn takes(&self, event: &TraceEvent) -> bool {
        let asked = &self.asked;
        let kind = match event.event {
            EventType::Object => "ObjectEvent",
            EventType::Aggregation => "AggregationEvent",
            EventType::Transaction => "TransactionEvent",
            EventType::Transformation => "TransformationEvent",
            EventType::Association => "AssociationEvent",
        };
        let names = |wanted: &str| event.lots.iter().any(|(lot, _)| lot.as_str() == wanted);
        asked.event_type.as_ref().is_none_or(|wanted| wanted == kind)
            && asked
                .step
                .as_ref()
                .is_none_or(|wanted| event.step.as_ref().is_some_and(|step| same(step, wanted)))
            && asked.epc.as_ref().is_none_or(|wanted| names(wanted))
            && asked.id.as_ref().is_none_or(|wanted| *wanted == event_id(event))
            && self.from.is_none_or(|from| event.time >= from)
            && self.until.is_none_or(|until| event.time < until)
    }

    /// What only the document can.
    fn takes_document(&self, event: &Value) -> bool {
        let at = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
        let asked = &self.asked;
        [
            (&asked.disposition, at("/disposition")),
            (&asked.read_point, at("/readPoint/id")),
            (&asked.location, at("/bizLocation/id")),
        ]
        .into_iter()
        .all(|(wanted, found)| {
            wanted.as_ref().is_none_or(|wanted| found.is_some_and(|found| same(found, wanted)))
        })
    }
}

/// Whether two spellings of a vocabulary word are one: bare, as a URN, or as a web address.
fn same(found: &str, wanted: &str) -> bool {
    let bare = |word: &str| {
        let vocabulary = ["urn:epcglobal:cbv:bizstep:", "urn:epcglobal:cbv:disp:"];
        let web = ["https://ref.gs1.org/cbv/BizStep-", "https://ref.gs1.org/cbv/Disp-"];
        let prefix = vocabulary.iter().chain(&web).find(|prefix| word.starts_with(**prefix));
        prefix.map_or(word, |prefix| &word[prefix.len()..]).to_owned()
    };
    bare(found) == bare(wanted)
}

/// A page of events, and where the next begins.
struct Page {
    events: Vec<Value>,
    next: Option<u64>,
}

fn kept(documents: &Documents, record: &RecordId, event: &TraceEvent) -> Option<Value> {
    let mut value: Value = serde_json::from_slice(&documents.event(record)?).ok()?;
    if let Some(members) = value.as_object_mut() {
        members.entry("eventID").or_insert_with(|| event_id(event).into());
    }
    Some(value)
}

/// From a position of the log on, or, when an EPC is named, from a place in its history on.
fn search(
    node: &Shared,
    state: &impl Ledger,
    documents: &Documents,
    simply: &Simply,
    limit: usize,
) -> Result<Page, Failure> {
    let start = simply.asked.next.unwrap_or(0);
    let subject =
        simply.asked.epc.as_ref().and_then(|epc| format!("lot:{epc}").parse::<Subject>().ok());
    let mut rest = None;
    let places: Vec<(u64, RecordView)> = match (&simply.asked.id, subject) {
        (Some(id), _) => {
            let record = documents.record(id);
            let position = record.and_then(|record| query::position(state, &record));
            let found = position.map(|position| node.record_at(state, position)).transpose()?;
            found.flatten().iter().map(|found| (0, found_view(node, found))).collect()
        }
        (None, Some(subject)) => {
            let links = query::history(state, &subject, start, LOOKED_AT_MAX);
            if links.len() == LOOKED_AT_MAX {
                rest = Some(start.saturating_add(u64::try_from(LOOKED_AT_MAX).unwrap_or(u64::MAX)));
            }
            let mut links: Vec<_> = (start..).zip(links).collect();
            // An event may name it in two parts.
            links.dedup_by_key(|(_, link)| link.position);
            let mut found = Vec::with_capacity(links.len());
            for (place, link) in links {
                let record = node.record_at(state, link.position)?;
                found.extend(record.map(|record| (place, found_view(node, &record))));
            }
            found
        }
        (None, None) => {
            let records = oldest(node, state, &Filter::events(), Some(start), LOOKED_AT_MAX)?;
            rest = records.next;
            records.records.into_iter().map(|row| (row.position, row)).collect()
        }
    };
    let mut events = Vec::new();
    for (place, row) in places {
        if events.len() == limit {
            return Ok(Page { events, next: Some(place) });
        }
        let Action::Trace(event) = &row.operation.action else { continue };
        if simply.takes(event) {
            let document = kept(documents, &row.record, event);
            events.extend(document.filter(|document| simply.takes_document(document)));
        }
    }
    Ok(Page { events, next: rest })
}

async fn answer(
    node: Arc<Shared>,
    headers: &HeaderMap,
    asked: Simple,
) -> Result<Response, Failure> {
    let (gateway, _) = admit(&node, headers, Scope::Read, "events")?;
    let documents = documents(gateway)?.clone();
    let simply = Simply::read(asked)?;
    let limit = simply.asked.per_page.unwrap_or(30).clamp(1, ROWS);
    let work = tokio::task::spawn_blocking(move || {
        let snapshot = node.handle.store.snapshot();
        search(&node, &snapshot, &documents, &simply, limit)
    });
    let Page { events, next } = work.await.map_err(|error| Failure::fault(&error))??;
    let document = json!({
        "@context": [CONTEXT],
        "type": "EPCISQueryDocument",
        "schemaVersion": "2.0",
        "creationDate": clock::now(),
        "epcisBody": { "queryResults": { "queryName": "SimpleEventQuery", "resultsBody": { "eventList": events } } },
    });
    let mut response = (VERSIONS, Json(document)).into_response();
    if let Some(next) = next {
        let link = format!("</epcis/events?perPage={limit}&nextPageToken={next}>; rel=\"next\"");
        let link = HeaderValue::from_str(&link).map_err(|error| Failure::fault(&error))?;
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

/// Events, by the simple queries
#[utoipa::path(
    get,
    path = "/epcis/events",
    tag = "EPCIS 2.0",
    params(Simple),
    responses(
        (status = 200, description = "A page of events as they were captured; `Link` leads on.", body = Object),
        (status = 401, description = "No token that this node knows, or an expired one."),
        (status = 403, description = "The token is not good for this."),
        (status = 410, description = "Dropped here by retention; the answer says who may keep it."),
        (status = 501, description = "This node has no gateway, or keeps no documents."),
    ),
)]
pub(super) async fn events(
    State(node): Node,
    headers: HeaderMap,
    Asked(asked): Asked<Simple>,
) -> Result<Response, Failure> {
    answer(node, &headers, asked).await
}

/// An event by its id
#[utoipa::path(
    get,
    path = "/epcis/events/{eventID}",
    tag = "EPCIS 2.0",
    params(("eventID" = String, Path, description = "The id, every reserved character escaped.")),
    responses(
        (status = 200, description = "The event as it was captured.", body = Object),
        (status = 401, description = "No token that this node knows, or an expired one."),
        (status = 403, description = "The token is not good for this."),
        (status = 404, description = "No event of that id is on the ledger and kept here."),
        (status = 410, description = "Dropped here by retention; the answer says who may keep it."),
        (status = 501, description = "This node has no gateway, or keeps no documents."),
    ),
)]
pub(super) async fn event_by_id(
    State(node): Node,
    Name(id): Name,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let (gateway, _) = admit(&node, &headers, Scope::Read, "event")?;
    let documents = documents(gateway)?;
    let unknown = || {
        Failure::not_found(
            "E-EPCIS-UNKNOWN",
            format!("no event {id:?} is on the ledger and kept here"),
        )
    };
    let record = documents.record(&id).ok_or_else(unknown)?;
    let store = &node.handle.store;
    let position = query::position(store, &record).ok_or_else(unknown)?;
    let found = node.record_at(store, position)?.ok_or_else(unknown)?;
    let Action::Trace(event) = &found.operation().action else { return Err(unknown()) };
    let document = kept(documents, &record, event).ok_or_else(unknown)?;
    Ok((VERSIONS, Json(document)).into_response())
}

/// The events that name an EPC
#[utoipa::path(
    get,
    path = "/epcis/epcs/{epc}/events",
    tag = "EPCIS 2.0",
    params(("epc" = String, Path, description = "The EPC or class, every reserved character escaped.")),
    responses(
        (status = 200, description = "Its events as they were captured.", body = Object),
        (status = 401, description = "No token that this node knows, or an expired one."),
        (status = 403, description = "The token is not good for this."),
        (status = 410, description = "Dropped here by retention; the answer says who may keep it."),
        (status = 501, description = "This node has no gateway, or keeps no documents."),
    ),
)]
pub(super) async fn events_of(
    State(node): Node,
    Name(epc): Name,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let asked = Simple { epc: Some(epc), per_page: Some(ROWS), ..Simple::default() };
    answer(node, &headers, asked).await
}
