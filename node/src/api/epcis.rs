//! The subset of the EPCIS 2.0 REST interface by which a traceability system records without knowing that there is a chain.
//!
//! An authenticated system's events are signed here with the key enrolled for it. A capture is a job like any other bulk
//! submission. Each event becomes a document of its own, the same whatever it came in, so that the same event is the same
//! record; what is read back are the documents that this node keeps, of events that are on the ledger.

pub(super) mod events;

use super::{
    Node, Shared, answers,
    asked::{self, Name},
    jobs,
    problem::Failure,
    systems,
    transactions::{self, decided},
};
use crate::{
    gateway::{Event, Gateway, Scope, Token},
    shell::Unaccepted,
};
use ::records::{self, CONTEXT_BYTES_MAX, Capture, DOCUMENT_BYTES_MAX, Fault, Prepared, cbv::Room};
use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use client::api::Fate;
use ledger::{Rejection, query};
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::Arc;
use types::{
    Digest, Operation, RecordId, Text, Timestamp,
    operation::{Action, Grade, TraceEvent},
    transaction::TRANSACTION_BYTES_MAX,
};
use utoipa::ToSchema;

/// The versions this interface speaks.
pub(super) const VERSIONS: [(HeaderName, HeaderValue); 2] = [
    (HeaderName::from_static("gs1-epcis-version"), HeaderValue::from_static("2.0.0")),
    (HeaderName::from_static("gs1-cbv-version"), HeaderValue::from_static("2.0.0")),
];
/// Where a document has its events.
const LISTS: [&str; 2] = ["/epcisBody/eventList", "/epcisBody/queryResults/resultsBody/eventList"];
/// When a document was created that is made of an event without a time, which is refused anyway.
const NO_DAY: &str = "1970-01-01T00:00:00Z";
/// How many bytes the events of one capture have at most, each with the context that it stands under.
const EVENTS_BYTES_MAX: usize = 8 * DOCUMENT_BYTES_MAX;
/// How many faults of one capture are told; past that a person mends these first.
const FAULTS_TOLD_MAX: usize = 500;

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
    /// The event as a document of its own, which the operation commits to.
    document: Vec<u8>,
    id: String,
}

/// What a document comes to.
#[derive(Default)]
struct Read {
    sound: Vec<Sound>,
    /// What is wrong, in words that name the place.
    faults: Vec<String>,
    /// How many faults more there are than are told.
    more: usize,
}

impl Read {
    /// Takes in what an event comes to, which is a document of its own and has its part of the room of all.
    fn add(
        &mut self,
        index: usize,
        document: &[u8],
        capture: &Capture,
        room: &Room,
    ) -> Result<(), Failure> {
        match records::prepare_within(room, document, capture) {
            Ok(prepared) => {
                for one in prepared {
                    let operation = one.captured_with_its_effect().operation;
                    let Action::Trace(event) = &operation.action else { continue };
                    let (id, document) = (event_id(event), document.to_vec());
                    self.sound.push(Sound { operation, document, id });
                }
            }
            // What all of them come to is too much, whichever of them is the last.
            Err(faults) if room.is_spent() => return Err(refused(&faults)),
            Err(faults) => {
                let left = FAULTS_TOLD_MAX.saturating_sub(self.faults.len());
                self.more += faults.len().saturating_sub(left);
                let told = faults.iter().take(left);
                self.faults.extend(told.map(|fault| format!("event {index}: {fault}")));
            }
        }
        Ok(())
    }

    /// The same with a word on the faults that are not told, when every event was taken in.
    fn counted(mut self) -> Self {
        if self.more > 0 {
            self.faults.push(format!("and {} faults more", self.more));
        }
        self
    }
}

fn read(body: &[u8], behaviour: Behaviour, system: &Text<64>) -> Result<Read, Failure> {
    let capture = origin(system);
    match records::prepare(body, &capture) {
        Ok(prepared) => {
            let other = |one: &&Prepared| !matches!(one.operation.action, Action::Trace(_));
            if let Some(one) = prepared.iter().find(other) {
                let detail = format_args!("{} is no event: it goes to /v1/documents", one.label);
                return Err(Failure::bad("E-EPCIS-DOCUMENT", &detail));
            }
        }
        Err(faults) => {
            // What is wrong with the document itself is wrong with all of it; and what cannot be told apart is not.
            let whole = !faults.iter().all(is_of_an_event);
            if behaviour == Behaviour::Rollback || whole {
                return Err(refused(&faults));
            }
        }
    }
    let read = one_by_one(body, &capture)?;
    if behaviour == Behaviour::Rollback && !read.faults.is_empty() {
        return Err(Failure::bad("E-EPCIS-DOCUMENT", &read.faults.join("; ")));
    }
    Ok(read)
}

/// A document that is refused whole.
fn refused(faults: &[Fault]) -> Failure {
    let all: Vec<_> = faults.iter().map(ToString::to_string).collect();
    Failure::bad("E-EPCIS-DOCUMENT", &all.join("; "))
}

/// Whether a fault is of one event of a list, so that the others can do without it.
fn is_of_an_event(fault: &Fault) -> bool {
    let within = |list: &str| fault.at.strip_prefix(list).is_some_and(|at| at.starts_with('/'));
    // Of a member that is there twice whoever reads on would see the last one, and no fault.
    LISTS.into_iter().any(within) && fault.code != "E-REC-003"
}

/// Each event as a document of its own.
fn one_by_one(body: &[u8], capture: &Capture) -> Result<Read, Failure> {
    let value: Value =
        serde_json::from_slice(body).map_err(|error| Failure::bad("E-EPCIS-DOCUMENT", &error))?;
    let list = LISTS.iter().find_map(|at| value.pointer(at)?.as_array());
    let context = value.get("@context");
    if list.is_some() {
        bound(context)?;
    }
    let events = match list.or_else(|| value.as_array()) {
        Some(events) => events.as_slice(),
        None => core::slice::from_ref(&value),
    };
    // Of a document with very many faults nobody has looked yet at what all of its events come to.
    let (mut read, mut bytes, room) = (Read::default(), 0, Room::of_document());
    for (index, event) in events.iter().enumerate() {
        // Each has the context with it, so that one is made at a time.
        let document = match list {
            Some(_) => alone(context, event),
            None => bare_alone(event.clone()),
        };
        let document = document.to_string();
        bytes += document.len();
        if bytes > EVENTS_BYTES_MAX {
            let detail = format!(
                "the events, each with its context, are more than {EVENTS_BYTES_MAX} bytes: split the document"
            );
            return Err(Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "E-GATEWAY-SIZE", detail));
        }
        read.add(index, document.as_bytes(), capture, &room)?;
    }
    Ok(read.counted())
}

/// Refuses a context that takes more, as it is spelled, than one may have: it is copied for every event under it.
fn bound(context: Option<&Value>) -> Result<(), Failure> {
    let bytes = context.map_or(0, |context| context.to_string().len());
    if bytes <= CONTEXT_BYTES_MAX {
        return Ok(());
    }
    let detail = format_args!("/@context: {bytes} bytes; it has at most {CONTEXT_BYTES_MAX}");
    Err(Failure::bad("E-EPCIS-DOCUMENT", &detail))
}

/// An event that has its context with it, as a document of its own.
fn bare_alone(mut event: Value) -> Value {
    let context = event.as_object_mut().and_then(|members| members.shift_remove("@context"));
    alone(context.as_ref(), &event)
}

/// An event as a document of its own. Nothing of what it came in is left but the context that gives its words their
/// meaning, and names are in their order: the same event is the same text.
fn alone(context: Option<&Value>, event: &Value) -> Value {
    let time = event.get("eventTime").and_then(Value::as_str);
    let created = time.filter(|time| time.parse::<Timestamp>().is_ok()).unwrap_or(NO_DAY);
    let mut document = json!({
        "@context": context,
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": created,
        "epcisBody": { "eventList": [event] },
    });
    document.sort_all_objects();
    document
}

/// The event's own id, or the CBV hash that stands for one.
fn event_id(event: &TraceEvent) -> String {
    let hash = || {
        let hash = event.cbv_hash.map(|hash| hash.to_string()).unwrap_or_default();
        format!("ni:///sha-256;{hash}?ver=CBV2.0")
    };
    event.id.as_ref().map_or_else(hash, ToString::to_string)
}

/// What the operations say of their origin. When they were captured is when they happened: a capture that is repeated, in
/// whatever document, is the same record, so neither a clock nor a document's date is read here.
fn origin(system: &Text<64>) -> Capture {
    let version = Text::new("EPCIS 2.0").expect("it is short");
    let (system, captured_at) = (system.clone(), Timestamp::default());
    Capture { system, version, captured_at, grade: Grade::Internal }
}

/// Keeps events and writes down that they are signed.
fn keep(door: (&Gateway, &Token), act: &str, body: &[u8], sound: &[Sound]) -> Result<(), Failure> {
    let agency = door.0.signer(door.1).agency();
    let events: Vec<_> = sound
        .iter()
        .map(|event| Event {
            record: event.operation.record(agency),
            id: &event.id,
            document: &event.document,
        })
        .collect();
    systems::keep(door, act, body, &events, sound.len())
}

/// Capture a document of events
///
/// Signed with the key that this node holds for the system whose token it is. The same document again is the same job, and
/// the same event in another document the same record.
#[utoipa::path(
    post,
    path = "/epcis/capture",
    tag = "EPCIS 2.0",
    security(("token" = [])),
    params(("gs1-capture-error-behaviour" = Option<String>, Header, description = "`rollback` (all events or none, in one transaction: at most 1000, and 1 MiB of commitments) or `proceed`.")),
    request_body(content = Object, content_type = "application/json"),
    responses(
        (status = 202, description = "Taken on.", headers(("location" = String, description = "The capture job."))),
        (status = 400, description = "Not an EPCIS 2.0 document, or an unsound one: every fault by its place."),
        (status = 401, description = "No token that this node knows, or an expired one."),
        (status = 403, description = "The token is not good for this."),
        (status = 409, description = "Not in the state in which the ledger is."),
        (status = 413, description = "More bytes, or more events, than at once."),
        (status = 429, description = "Too many jobs are under way, in all or of this system; come back."),
        (status = 501, description = "This node has no gateway."),
    ),
)]
pub(super) async fn capture(
    State(node): Node,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    systems::admit_to_record(&node, &headers, Scope::Capture, "capture").await?;
    let behaviour = Behaviour::read(&headers)?;
    let body = asked::body(body, DOCUMENT_BYTES_MAX, "split the document").await?;
    let work = tokio::task::spawn_blocking(move || take_on(&node, &headers, behaviour, &body));
    let name = work.await.map_err(|error| Failure::fault(&error))??;
    let location = [(header::LOCATION, format!("/epcis/capture/{name}"))];
    Ok((StatusCode::ACCEPTED, VERSIONS, location).into_response())
}

/// Takes events on: they are kept, signed, and a job, whose name is given.
fn take_on(
    node: &Arc<Shared>,
    headers: &HeaderMap,
    behaviour: Behaviour,
    body: &[u8],
) -> Result<String, Failure> {
    let door = systems::find(node, headers)?;
    let token = door.1;
    let read = read(body, behaviour, &token.name)?;
    if read.sound.is_empty() {
        let faults = read.faults.join("; ");
        let detail = if faults.is_empty() { "there is no event in it" } else { &faults };
        return Err(Failure::bad("E-EPCIS-DOCUMENT", &detail));
    }
    let name = jobs::name(&[behaviour.name().as_bytes(), token.name.as_bytes(), body].concat());
    let operations: Vec<_> = read.sound.iter().map(|event| event.operation.clone()).collect();
    if behaviour == Behaviour::Rollback {
        systems::together(&operations)?;
    }
    keep(door, &format!("capture {name}"), body, &read.sound)?;
    let transactions = systems::sign(node, door, operations)?;
    let owner = jobs::Owner::of_system(&token.name);
    jobs::begin(node, &name, transactions, owner, (Some(behaviour.name()), read.faults))?;
    Ok(name)
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
    security(("token" = [])),
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
    systems::admit(&node, &headers, Scope::Capture, "capture job").await?;
    let read = move || {
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
        Ok(CaptureJob {
            capture_id: id,
            created_at: account.created,
            finished_at: account.finished,
            running: account.finished.is_none(),
            success: errors.is_empty(),
            capture_error_behaviour: account.behaviour.unwrap_or_default(),
            errors,
        })
    };
    Ok((VERSIONS, answers::json(read).await?).into_response())
}

/// Capture one event
///
/// Answered when it is on the ledger. The same event again, whatever it was captured in before, is a conflict.
#[utoipa::path(
    post,
    path = "/epcis/events",
    tag = "EPCIS 2.0",
    security(("token" = [])),
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
    systems::admit_to_record(&node, &headers, Scope::Capture, "event").await?;
    let body = asked::body(body, TRANSACTION_BYTES_MAX, "an event is smaller").await?;
    let shared = node.clone();
    let work = tokio::task::spawn_blocking(move || {
        let node = &*shared;
        let door = systems::find(node, &headers)?;
        let Read { sound, .. } = read(&body, Behaviour::Rollback, &door.1.name)?;
        let [event] = &sound[..] else {
            let detail = "one event is captured here; a document with more goes to /epcis/capture";
            return Err(Failure::bad("E-EPCIS-DOCUMENT", &detail));
        };
        let record = event.operation.record(door.0.signer(door.1).agency());
        if query::position(&node.handle.store, &record).is_some() {
            return Err(Rejection::Recorded.into());
        }
        keep(door, &format!("event {record}"), &body, &sound)?;
        let signed = systems::sign(node, door, vec![event.operation.clone()])?;
        let tx = signed.into_iter().next().ok_or_else(|| Failure::fault(&"nothing was signed"))?;
        Ok((tx, event.id.clone()))
    });
    let (tx, id) = work.await.map_err(|error| Failure::fault(&error))??;
    let receipt = match node.handle.submit(tx).await {
        Ok(name) => transactions::outcome(&node, name).await.or_else(|| decided(&node, name)),
        Err(Unaccepted::Refused(rejection)) => return Err(rejection.into()),
        Err(Unaccepted::Undecided(_)) => None,
    };
    // Only what is known to be on the ledger is said to be.
    let Some(receipt) = receipt else {
        let detail = "it is not decided yet; ask for it by its id, or send it again: it will not be recorded twice";
        return Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, "E-EPCIS-UNDECIDED", detail));
    };
    match receipt.status {
        Fate::Committed => {
            let location = [(header::LOCATION, format!("/epcis/events/{}", escaped(&id)))];
            Ok((StatusCode::CREATED, VERSIONS, location).into_response())
        }
        Fate::Recorded => Err(Rejection::Recorded.into()),
        Fate::Refused | Fate::Accepted => {
            let (code, detail) =
                (receipt.code.unwrap_or_default(), receipt.detail.unwrap_or_default());
            let detail = format!("{code}: {detail}");
            Err(Failure::new(StatusCode::CONFLICT, "E-EPCIS-REFUSED", detail))
        }
    }
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

/// The event behind a record, if this node keeps it and it is what was recorded.
fn kept(
    gateway: &Gateway,
    record: &RecordId,
    commitment: &Digest,
    event: &TraceEvent,
) -> Option<Value> {
    let document = gateway.documents.as_ref()?.event(record, commitment)?;
    let mut value = document.pointer("/epcisBody/eventList/0")?.clone();
    let members = value.as_object_mut()?;
    if let Some(context) = document.get("@context") {
        members.entry("@context").or_insert_with(|| context.clone());
    }
    members.entry("eventID").or_insert_with(|| event_id(event).into());
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTEXT: &str = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld";

    fn event(number: u64) -> Value {
        json!({
            "eventID": format!("urn:uuid:00000000-0000-4000-8000-{number:012}"),
            "type": "ObjectEvent", "action": "OBSERVE", "bizStep": "shipping",
            "eventTime": "2026-05-12T08:00:00.000+08:00", "eventTimeZoneOffset": "+08:00",
            "epcList": ["urn:epc:id:sgtin:9521001.010017.1"],
        })
    }

    fn document(created: &str, events: &[Value]) -> String {
        json!({
            "@context": [CONTEXT], "type": "EPCISDocument", "schemaVersion": "2.0", "creationDate": created,
            "epcisBody": { "eventList": events },
        })
        .to_string()
    }

    fn records(text: &str, behaviour: Behaviour) -> Vec<(RecordId, Digest)> {
        let agency = "11350000MXDEX01033".parse().unwrap();
        let read = read(text.as_bytes(), behaviour, &Text::new("erp").unwrap()).unwrap();
        let name = |sound: &Sound| {
            assert_eq!(Digest::blake3(&sound.document), sound.operation.commitment.document);
            assert_eq!(sound.operation.provenance.captured_at, sound.operation.effective_from);
            (sound.operation.record(&agency), sound.operation.commitment.content)
        };
        read.sound.iter().map(name).collect()
    }

    #[test]
    fn an_event_is_one_record_whatever_it_comes_in() {
        let (one, other) = (event(1), event(2));
        let first = document("2026-05-12T09:00:00Z", &[one.clone(), other.clone()]);
        let again = document("2026-11-01T00:00:00Z", &[other, one.clone()]);
        let found = records(&first, Behaviour::Rollback);
        let mut turned = records(&again, Behaviour::Proceed);
        turned.reverse();
        assert_eq!(found, turned);
        let mut bare = one;
        bare["@context"] = json!([CONTEXT]);
        assert_eq!(records(&bare.to_string(), Behaviour::Rollback), found[..1]);
        // Members in another order are no other event.
        let mut shuffled: Vec<_> = bare.as_object().unwrap().clone().into_iter().collect();
        shuffled.reverse();
        let shuffled: Value = shuffled.into_iter().collect::<serde_json::Map<_, _>>().into();
        assert_eq!(records(&shuffled.to_string(), Behaviour::Rollback), found[..1]);
        // Whoever has the document that was sent can still show that it is this event's.
        let read = read(first.as_bytes(), Behaviour::Rollback, &Text::new("erp").unwrap()).unwrap();
        for sound in &read.sound {
            assert_eq!(
                records::matches(&sound.operation, first.as_bytes()),
                records::Match::Content
            );
            assert_eq!(records::matches(&sound.operation, &sound.document), records::Match::Exact);
        }
    }

    /// Nothing goes on when something is wrong that is not one event's.
    #[test]
    fn what_is_wrong_with_a_document_is_wrong_with_every_event_of_it() {
        let sound = document("2026-05-12T09:00:00Z", &[event(1), event(2)]);
        let changed = |from: &str, to: &str| {
            assert!(sound.contains(from), "{from}");
            sound.replacen(from, to, 1)
        };
        let context = format!("[{CONTEXT:?}]");
        let with = |more: &str| changed(&context, &format!("[{CONTEXT:?},{{{more}}}]"));
        let long = "x".repeat(CONTEXT_BYTES_MAX);
        // Comments enough that no other fault is told of.
        let comments: Vec<_> = (0..records::FAULTS_MAX).map(|n| format!("\"//{n}\":0,")).collect();
        let commented = format!("[{{{}", comments.concat());
        for (text, wanted) in [
            (with(&format!("\"ex\":{long:?}")), "E-REC-005 at /@context"),
            (with(&format!("\"ex\":{long:?}")).replacen("[{", &commented, 1), "/@context: "),
            // Its zeros are no part of what is hashed, and would be copied all the same.
            (with(&format!("\"ex\":1.{}", "0".repeat(CONTEXT_BYTES_MAX))), "/@context: "),
            (
                changed("\"epcisBody\":", "\"ex:own\":{\"eventList\":[{\"//\":0}]},\"epcisBody\":"),
                "E-REC-083",
            ),
            (changed("\"action\":", "\"action\":\"ADD\",\"action\":"), "E-REC-003"),
        ] {
            let system = Text::new("erp").unwrap();
            let Err(why) = read(text.as_bytes(), Behaviour::Proceed, &system) else {
                panic!("{wanted}: it goes on")
            };
            assert_eq!(format!("{why:?}").matches(wanted).count(), 1, "{wanted}: {why:?}");
        }
    }

    #[test]
    fn a_context_is_not_copied_without_end() {
        let events = vec![json!({}); records::RECORDS_MAX];
        let context = format!("[{CONTEXT:?},{{\"ex\":{:?}}}]", "x".repeat(CONTEXT_BYTES_MAX / 2));
        let text = document("2026-05-12T09:00:00Z", &events);
        let text = text.replacen(&format!("[{CONTEXT:?}]"), &context, 1);
        let Err(why) = read(text.as_bytes(), Behaviour::Proceed, &Text::new("erp").unwrap()) else {
            panic!("it goes on")
        };
        assert!(format!("{why:?}").contains("E-GATEWAY-SIZE"), "{why:?}");
    }

    #[test]
    fn events_share_what_there_is_to_hash_however_many_faults_are_before_them() {
        let namespace = format!("https://ex.example/{}/", "x".repeat(CONTEXT_BYTES_MAX - 1000));
        let context = format!("[{CONTEXT:?},{{\"ex\":{namespace:?}}}]");
        let mut unsound = event(0);
        for number in 0..records::FAULTS_MAX {
            unsound[format!("m{number}").as_str()] = json!(0);
        }
        let mut large = event(1);
        large["un:m"] = json!(vec!["ex:1"; 1500]);
        let system = Text::new("erp").unwrap();
        let ask = |events: &[Value]| {
            let text = document("2026-05-12T09:00:00Z", events);
            let text = text.replacen(&format!("[{CONTEXT:?}]"), &context, 1);
            read(text.as_bytes(), Behaviour::Proceed, &system)
        };
        let alone = ask(&[unsound.clone(), large.clone()]).unwrap();
        assert_eq!((alone.sound.len(), alone.faults.len()), (1, records::FAULTS_MAX));
        let Err(why) = ask(&[unsound, large.clone(), large]) else { panic!("it goes on") };
        assert!(format!("{why:?}").contains("E-REC-005 at the document"), "{why:?}");
    }

    #[test]
    fn of_very_many_faults_the_first_are_told_and_the_others_counted() {
        let told = |unsound: usize| {
            let mut events = vec![json!({ "type": "ObjectEvent" }); unsound];
            events.push(event(1));
            let text = document("2026-05-12T09:00:00Z", &events);
            let system = Text::new("erp").unwrap();
            let read = read(text.as_bytes(), Behaviour::Proceed, &system).unwrap();
            assert_eq!(read.sound.len(), 1);
            read.faults
        };
        let each = told(1).len();
        let all = told(FAULTS_TOLD_MAX);
        assert_eq!(all.len(), FAULTS_TOLD_MAX + 1);
        let more = FAULTS_TOLD_MAX * each - FAULTS_TOLD_MAX;
        assert!(
            each > 1 && all.ends_with(&[format!("and {more} faults more")]),
            "{:?}",
            all.last()
        );
    }

    #[test]
    fn what_must_be_recorded_together_fits_into_one_transaction() {
        // A hundred events that name a thousand lots each are more than a mebibyte of commitments.
        let lots: Vec<_> =
            (0..1000).map(|n| format!("urn:epc:id:sgtin:9521001.010017.{n:020}")).collect();
        let events: Vec<_> = (0..100)
            .map(|n| {
                let mut event = event(n);
                event["epcList"] = json!(lots);
                event
            })
            .collect();
        let text = document("2026-05-12T09:00:00Z", &events);
        let read = read(text.as_bytes(), Behaviour::Rollback, &Text::new("erp").unwrap()).unwrap();
        let operations: Vec<_> = read.sound.into_iter().map(|sound| sound.operation).collect();
        assert!(systems::grouped(operations.clone()).len() > 1);
        assert!(systems::together(&operations).is_err());
        assert!(systems::together(&operations[..3]).is_ok());
    }
}
