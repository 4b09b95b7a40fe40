//! Events read back: the simple queries of EPCIS 2.0, page by page.
//!
//! What the ledger has of an event is asked of the ledger, the rest of the document that this node keeps. What this subset
//! does not know is refused: a filter that is not heeded gives a wrong answer.

use super::{VERSIONS, event_id, kept};
use crate::{
    api::{
        Node, ROWS, Shared, answers,
        asked::{Asked, Name},
        problem::Failure,
        records::{Filter, found_view, oldest},
        systems,
    },
    clock,
    gateway::{Gateway, Scope},
};
use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, Uri, header},
    response::{IntoResponse as _, Response},
};
use client::api::RecordView;
use ledger::{State as Ledger, query};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc};
use types::{
    RecordId, Subject, Timestamp,
    operation::{Action, EventType, TraceEvent},
    subject::Part,
};
use utoipa::IntoParams;

/// The context of every answer.
const CONTEXT: &str = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld";
/// How many records are looked at for one page of events.
const LOOKED_AT_MAX: usize = 1000;
/// How many events a page has when nobody says.
const EVENTS: usize = 30;

/// Which events are wanted. A list has `|` between its members, and one of them is enough; a name that this subset does not
/// know is refused, not ignored.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in super::super) struct Simple {
    /// Of one of these types, such as `ObjectEvent|AggregationEvent`.
    #[serde(rename = "eventType")]
    event_type: Option<String>,
    /// With one of these actions: `ADD`, `OBSERVE`, `DELETE`.
    #[serde(rename = "EQ_action")]
    action: Option<String>,
    /// With one of these business steps, as written or in the short form.
    #[serde(rename = "EQ_bizStep")]
    step: Option<String>,
    /// With one of these dispositions.
    #[serde(rename = "EQ_disposition")]
    disposition: Option<String>,
    /// Read at one of these.
    #[serde(rename = "EQ_readPoint")]
    read_point: Option<String>,
    /// Read at one of these, or within: an SGLN whose extension is 0 has in it all that differ from it by the extension.
    #[serde(rename = "WD_readPoint")]
    read_point_within: Option<String>,
    /// At one of these business locations.
    #[serde(rename = "EQ_bizLocation")]
    location: Option<String>,
    /// At one of these business locations, or within.
    #[serde(rename = "WD_bizLocation")]
    location_within: Option<String>,
    /// With one of these ids, 100 at most.
    #[serde(rename = "EQ_eventID")]
    id: Option<String>,
    /// That happened at this time or later.
    #[serde(rename = "GE_eventTime")]
    from: Option<String>,
    /// That happened before this time.
    #[serde(rename = "LT_eventTime")]
    until: Option<String>,
    /// That were recorded at this time or later, by the ledger's own time.
    #[serde(rename = "GE_recordTime")]
    recorded_from: Option<String>,
    /// That were recorded before this time.
    #[serde(rename = "LT_recordTime")]
    recorded_until: Option<String>,
    /// That name one of these EPCs, in whatever part.
    #[serde(rename = "MATCH_anyEPC")]
    any: Option<String>,
    /// The same for classes.
    #[serde(rename = "MATCH_anyEPCClass")]
    any_class: Option<String>,
    /// In `epcList` or `childEPCs`.
    #[serde(rename = "MATCH_epc")]
    seen: Option<String>,
    /// In `quantityList` or `childQuantityList`.
    #[serde(rename = "MATCH_epcClass")]
    seen_class: Option<String>,
    /// As `parentID`.
    #[serde(rename = "MATCH_parentID")]
    parent: Option<String>,
    /// In `inputEPCList`.
    #[serde(rename = "MATCH_inputEPC")]
    input: Option<String>,
    /// In `inputQuantityList`.
    #[serde(rename = "MATCH_inputEPCClass")]
    input_class: Option<String>,
    /// In `outputEPCList`.
    #[serde(rename = "MATCH_outputEPC")]
    output: Option<String>,
    /// In `outputQuantityList`.
    #[serde(rename = "MATCH_outputEPCClass")]
    output_class: Option<String>,
    /// That have a business step; like all of its kind without a value, or with `true`.
    #[serde(rename = "EXISTS_bizStep")]
    has_step: Option<String>,
    /// That have a disposition.
    #[serde(rename = "EXISTS_disposition")]
    has_disposition: Option<String>,
    /// That have a read point.
    #[serde(rename = "EXISTS_readPoint")]
    has_read_point: Option<String>,
    /// That have a business location.
    #[serde(rename = "EXISTS_bizLocation")]
    has_location: Option<String>,
    /// That have instance or lot master data.
    #[serde(rename = "EXISTS_ilmd")]
    has_ilmd: Option<String>,
    /// That have what sensors told.
    #[serde(rename = "EXISTS_sensorElementList")]
    has_sensors: Option<String>,
    /// That declare another event erroneous.
    #[serde(rename = "EXISTS_errorDeclaration")]
    has_error: Option<String>,
    /// How many events at most: 1 to 100.
    #[serde(rename = "perPage")]
    per_page: Option<usize>,
    /// What the link to the next page says.
    #[serde(rename = "nextPageToken")]
    next: Option<String>,
}

/// A name of the EPCIS vocabulary, and what may be asked of it.
type Matched<'a> = (&'a Option<String>, &'static [Part]);

/// Every part of an event that an EPC may be named in.
const ANY: &[Part] = &[Part::Observed, Part::Child, Part::Parent, Part::Input, Part::Output];

impl Simple {
    fn matched(&self) -> [Matched<'_>; 9] {
        const SEEN: &[Part] = &[Part::Observed, Part::Child];
        [
            (&self.any, ANY),
            (&self.any_class, ANY),
            (&self.seen, SEEN),
            (&self.seen_class, SEEN),
            (&self.parent, &[Part::Parent]),
            (&self.input, &[Part::Input]),
            (&self.input_class, &[Part::Input]),
            (&self.output, &[Part::Output]),
            (&self.output_class, &[Part::Output]),
        ]
    }

    fn existing(&self) -> [(&Option<String>, &'static str); 7] {
        [
            (&self.has_step, "/bizStep"),
            (&self.has_disposition, "/disposition"),
            (&self.has_read_point, "/readPoint"),
            (&self.has_location, "/bizLocation"),
            (&self.has_ilmd, "/ilmd"),
            (&self.has_sensors, "/sensorElementList"),
            (&self.has_error, "/errorDeclaration"),
        ]
    }

    /// The lot whose history has every event that is wanted, if one does.
    fn lot(&self) -> Option<Subject> {
        let alone = |list: &&String| !list.contains('|');
        let named = self.matched().into_iter().find_map(|(list, _)| list.as_ref().filter(alone));
        format!("lot:{}", named?).parse().ok()
    }
}

/// Where a page begins. Each kind of list has its own places, and one is no place in the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// A position of the log.
    Log(u64),
    /// A place in a lot's history.
    History(u64),
}

impl Place {
    fn read(text: &str) -> Option<Self> {
        let (kind, number) = text.split_at_checked(1)?;
        let number = number.parse().ok()?;
        match kind {
            "l" => Some(Self::Log(number)),
            "h" => Some(Self::History(number)),
            _ => None,
        }
    }
}

impl core::fmt::Display for Place {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Log(number) => write!(f, "l{number}"),
            Self::History(number) => write!(f, "h{number}"),
        }
    }
}

/// A simple query, read.
#[derive(Debug)]
struct Simply {
    asked: Simple,
    happened: (Option<Timestamp>, Option<Timestamp>),
    recorded: (Option<Timestamp>, Option<Timestamp>),
    lot: Option<Subject>,
    place: Place,
}

impl Simply {
    fn read(asked: Simple) -> Result<Self, Failure> {
        let bad = |why: &dyn core::fmt::Display| Failure::bad("E-HTTP-QUERY", why);
        let time = |text: &Option<String>| {
            let time = text.as_ref().map(|text| text.parse::<Timestamp>()).transpose();
            time.map_err(|error| bad(&error))
        };
        let patterns = asked.matched().into_iter().filter_map(|(list, _)| list.as_ref());
        if let Some(pattern) = patterns
            .flat_map(|list| list.split('|'))
            .find(|epc| epc.starts_with("urn:epc:idpat:") || epc.ends_with(".*"))
        {
            return Err(bad(&format_args!(
                "{pattern:?}: patterns are not matched here, whole EPCs are"
            )));
        }
        let odd = asked.existing().into_iter().filter_map(|(value, _)| value.as_deref());
        if let Some(value) = odd.into_iter().find(|value| !["", "true"].contains(value)) {
            return Err(bad(&format_args!("EXISTS_… has no value, and not {value:?}")));
        }
        let ids = asked.id.as_ref().map_or(0, |list| list.split('|').count());
        if ids > ROWS {
            return Err(bad(&format_args!("EQ_eventID has {ids} ids; {ROWS} at most at once")));
        }
        // What is asked by its ids is looked up by them, and is found in the log.
        let lot = asked.lot().filter(|_| asked.id.is_none());
        let place = match (&asked.next, &lot) {
            (None, Some(_)) => Place::History(0),
            (None, None) => Place::Log(0),
            (Some(token), lot) => match (Place::read(token), lot) {
                (Some(place @ Place::History(_)), Some(_))
                | (Some(place @ Place::Log(_)), None) => place,
                (Some(_) | None, _) => {
                    return Err(bad(&"nextPageToken is what the link of this very query said"));
                }
            },
        };
        Ok(Self {
            happened: (time(&asked.from)?, time(&asked.until)?),
            recorded: (time(&asked.recorded_from)?, time(&asked.recorded_until)?),
            lot,
            place,
            asked,
        })
    }

    /// What the ledger itself can tell.
    fn takes(&self, event: &TraceEvent, recorded: Timestamp) -> bool {
        let asked = &self.asked;
        let kind = match event.event {
            EventType::Object => "ObjectEvent",
            EventType::Aggregation => "AggregationEvent",
            EventType::Transaction => "TransactionEvent",
            EventType::Transformation => "TransformationEvent",
            EventType::Association => "AssociationEvent",
        };
        let within = |(from, until): (Option<Timestamp>, Option<Timestamp>), time: Timestamp| {
            from.is_none_or(|from| time >= from) && until.is_none_or(|until| time < until)
        };
        let names = |(list, parts): Matched<'_>| {
            let named = |wanted: &str| {
                let is = |(lot, part): &(_, Part)| parts.contains(part) && lot_is(lot, wanted);
                event.lots.iter().any(is)
            };
            one_of(list, named)
        };
        one_of(&asked.event_type, |wanted| wanted == kind)
            && one_of(&asked.step, |wanted| {
                event.step.as_ref().is_some_and(|step| same(step, wanted))
            })
            && asked.matched().into_iter().all(names)
            && one_of(&asked.id, |wanted| wanted == event_id(event))
            && within(self.happened, event.time)
            && within(self.recorded, recorded)
    }

    /// What only the document can.
    fn takes_document(&self, event: &Value) -> bool {
        let at = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
        let asked = &self.asked;
        let is = |list: &Option<String>, found: Option<&str>, same: fn(&str, &str) -> bool| {
            one_of(list, |wanted| found.is_some_and(|found| same(found, wanted)))
        };
        is(&asked.action, at("/action"), |found, wanted| found == wanted)
            && is(&asked.disposition, at("/disposition"), same)
            && is(&asked.read_point, at("/readPoint/id"), |found, wanted| found == wanted)
            && is(&asked.read_point_within, at("/readPoint/id"), lies_in)
            && is(&asked.location, at("/bizLocation/id"), |found, wanted| found == wanted)
            && is(&asked.location_within, at("/bizLocation/id"), lies_in)
            && asked
                .existing()
                .into_iter()
                .all(|(wanted, pointer)| wanted.is_none() || event.pointer(pointer).is_some())
    }
}

/// Whether a list is not there, or one of it is.
fn one_of(list: &Option<String>, is: impl Fn(&str) -> bool) -> bool {
    list.as_ref().is_none_or(|list| list.split('|').any(is))
}

fn lot_is(lot: &types::operation::Lot, wanted: &str) -> bool {
    lot.as_str() == wanted
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

/// Whether a place is another or within it, as far as their names say.
fn lies_in(found: &str, wanted: &str) -> bool {
    let sgln = |text: &str| text.starts_with("urn:epc:id:sgln:");
    let whole = wanted.strip_suffix(".0").filter(|_| sgln(wanted));
    found == wanted
        || whole.is_some_and(|whole| found.rsplit_once('.').is_some_and(|(site, _)| site == whole))
}

/// A page of events, and where the next begins.
struct Page {
    events: Vec<Value>,
    next: Option<Place>,
}

/// From a position of the log on, or, when a lot is named, from a place in its history on.
fn search(
    node: &Shared,
    gateway: &Gateway,
    state: &impl Ledger,
    simply: &Simply,
    limit: usize,
) -> Result<Page, Failure> {
    let (places, rest) = match (simply.place, &simply.asked.id) {
        (Place::History(start), _) => match &simply.lot {
            Some(lot) => history(node, state, lot, start)?,
            None => (Vec::new(), None),
        },
        (Place::Log(start), Some(ids)) => (by_id(node, gateway, state, ids, start)?, None),
        (Place::Log(start), None) => {
            let found = oldest(node, state, &Filter::events(), Some(start), LOOKED_AT_MAX)?;
            let rows = found.records.into_iter().map(|row| (Place::Log(row.position), row));
            (rows.collect(), found.next.map(Place::Log))
        }
    };
    let mut events = Vec::new();
    for (place, row) in places {
        if events.len() == limit {
            return Ok(Page { events, next: Some(place) });
        }
        let Action::Trace(event) = &row.operation.action else { continue };
        if simply.takes(event, row.time) {
            let commitment = &row.operation.commitment.document;
            let document = kept(gateway, &row.record, commitment, event);
            events.extend(document.filter(|document| simply.takes_document(document)));
        }
    }
    Ok(Page { events, next: rest })
}

type Rows = Vec<(Place, RecordView)>;

/// As the log has them, from a position on; an id that is named twice is of one event.
fn by_id(
    node: &Shared,
    gateway: &Gateway,
    state: &impl Ledger,
    ids: &str,
    start: u64,
) -> Result<Rows, Failure> {
    let newest = ids.split('|').filter_map(|id| newest(gateway, state, id));
    let positions: BTreeSet<u64> = newest.map(|(position, _)| position).collect();
    let mut found = Vec::new();
    for position in positions.range(start..).copied() {
        let record = node.record_at(state, position)?;
        found.extend(record.map(|record| (Place::Log(position), found_view(node, &record))));
    }
    Ok(found)
}

/// The newest record on the ledger of those that were sent under an id.
fn newest(gateway: &Gateway, state: &impl Ledger, id: &str) -> Option<(u64, RecordId)> {
    let sent = gateway.documents.as_ref()?.records(id);
    sent.into_iter().filter_map(|record| Some((query::position(state, &record)?, record))).max()
}

fn history(
    node: &Shared,
    state: &impl Ledger,
    lot: &Subject,
    start: u64,
) -> Result<(Rows, Option<Place>), Failure> {
    // An event may name it in two parts, which stand one after the other: also over the end of a page.
    let before = start.saturating_sub(1);
    let links = query::history(state, lot, before, LOOKED_AT_MAX);
    let more = links.len() == LOOKED_AT_MAX;
    let next = before.saturating_add(u64::try_from(links.len()).unwrap_or(u64::MAX));
    let mut links: Vec<_> = links.into_iter().zip(before..).collect();
    links.dedup_by_key(|(link, _)| link.position);
    let mut found = Vec::with_capacity(links.len());
    for (link, place) in links.into_iter().filter(|(_, place)| *place >= start) {
        let record = node.record_at(state, link.position)?;
        found.extend(record.map(|record| (Place::History(place), found_view(node, &record))));
    }
    Ok((found, more.then_some(Place::History(next))))
}

/// The same question, at another place.
fn link(uri: &Uri, next: Place) -> Result<HeaderValue, Failure> {
    let same = uri.query().into_iter().flat_map(|query| query.split('&'));
    let same = same.filter(|pair| !pair.is_empty() && !pair.starts_with("nextPageToken="));
    let query: Vec<&str> = same.collect();
    let (path, token) = (uri.path(), format!("nextPageToken={next}"));
    let all = [&query[..], &[token.as_str()]].concat().join("&");
    let mut link = String::from("<");
    for byte in format!("{path}?{all}").bytes() {
        // What a request may have, and a header may not.
        if byte.is_ascii_graphic() && !b"<>\"".contains(&byte) {
            link.push(byte.into());
        } else {
            link.push_str(&format!("%{byte:02X}"));
        }
    }
    link.push_str(">; rel=\"next\"");
    HeaderValue::from_str(&link).map_err(|error| Failure::fault(&error))
}

async fn answer(
    node: Arc<Shared>,
    headers: HeaderMap,
    uri: Uri,
    asked: Simple,
) -> Result<Response, Failure> {
    let (gateway, _) = systems::admit(&node, &headers, Scope::Read, "events").await?;
    systems::documents(gateway)?;
    let simply = Simply::read(asked)?;
    let limit = simply.asked.per_page.unwrap_or(EVENTS).clamp(1, ROWS);
    let read = move || {
        let (gateway, _) = systems::find(&node, &headers)?;
        let snapshot = node.handle.store.snapshot();
        let Page { events, next } = search(&node, gateway, &snapshot, &simply, limit)?;
        let document = json!({
            "@context": [CONTEXT],
            "type": "EPCISQueryDocument",
            "schemaVersion": "2.0",
            "creationDate": clock::now(),
            "epcisBody": { "queryResults": { "queryName": "SimpleEventQuery", "resultsBody": { "eventList": events } } },
        });
        let spelled = serde_json::to_vec(&document).map_err(|error| Failure::fault(&error))?;
        Ok::<_, Failure>((spelled, next))
    };
    let (spelled, next) = answers::in_turn(read).await??;
    let mut response = (VERSIONS, answers::answer("application/json", spelled)?).into_response();
    if let Some(next) = next {
        response.headers_mut().insert(header::LINK, link(&uri, next)?);
    }
    Ok(response)
}

/// The same, of what a path names. What the query says of that, too, would be lost.
async fn answer_of(
    node: Arc<Shared>,
    headers: HeaderMap,
    uri: Uri,
    mut asked: Simple,
    (of, name): (fn(&mut Simple) -> &mut Option<String>, String),
) -> Result<Response, Failure> {
    let place = of(&mut asked);
    if place.is_some() {
        return Err(Failure::bad("E-HTTP-QUERY", &"the path says this already"));
    }
    *place = Some(name);
    answer(node, headers, uri, asked).await
}

/// Events, by the simple queries
#[utoipa::path(
    get,
    path = "/epcis/events",
    tag = "EPCIS 2.0",
    security(("token" = [])),
    params(Simple),
    responses(
        (status = 200, description = "A page of events as they were captured; `Link` leads on, with the same filters.", body = Object),
        (status = 401, description = "No token that this node knows, or an expired one."),
        (status = 403, description = "The token is not good for this."),
        (status = 410, description = "Dropped here by retention; the answer says who may keep it."),
        (status = 501, description = "This node has no gateway, or keeps no documents."),
    ),
)]
pub(in super::super) async fn events(
    State(node): Node,
    headers: HeaderMap,
    uri: Uri,
    Asked(asked): Asked<Simple>,
) -> Result<Response, Failure> {
    answer(node, headers, uri, asked).await
}

/// An event by its id
#[utoipa::path(
    get,
    path = "/epcis/events/{eventID}",
    tag = "EPCIS 2.0",
    security(("token" = [])),
    params(("eventID" = String, Path, description = "The id, every reserved character escaped.")),
    responses(
        (status = 200, description = "The event as it was captured; of several under one id, the one recorded last.", body = Object),
        (status = 401, description = "No token that this node knows, or an expired one."),
        (status = 403, description = "The token is not good for this."),
        (status = 404, description = "No event of that id is on the ledger and kept here."),
        (status = 410, description = "Dropped here by retention; the answer says who may keep it."),
        (status = 501, description = "This node has no gateway, or keeps no documents."),
    ),
)]
pub(in super::super) async fn event_by_id(
    State(node): Node,
    Name(id): Name,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let (gateway, _) = systems::admit(&node, &headers, Scope::Read, "event").await?;
    systems::documents(gateway)?;
    let read = move || {
        let (gateway, _) = systems::find(&node, &headers)?;
        let unknown = || {
            let detail = format!("no event {id:?} is on the ledger and kept here");
            Failure::not_found("E-EPCIS-UNKNOWN", detail)
        };
        let store = &*node.handle.store;
        let (position, record) = newest(gateway, store, &id).ok_or_else(unknown)?;
        let found = node.record_at(store, position)?.ok_or_else(unknown)?;
        let operation = found.operation();
        let Action::Trace(event) = &operation.action else { return Err(unknown()) };
        let commitment = &operation.commitment.document;
        kept(gateway, &record, commitment, event).ok_or_else(unknown)
    };
    Ok((VERSIONS, answers::json(read).await?).into_response())
}

/// Routes that name what most queries are about in their path.
macro_rules! of {
    ($(#[doc = $doc:tt])* $name:ident, $path:tt, $part:tt, $words:tt, $field:ident) => {
        $(#[doc = $doc])*
        #[utoipa::path(
            get,
            path = $path,
            tag = "EPCIS 2.0",
            security(("token" = [])),
            params(($part = String, Path, description = $words), Simple),
            responses(
                (status = 200, description = "A page of them as they were captured; `Link` leads on, with the same filters.", body = Object),
                (status = 401, description = "No token that this node knows, or an expired one."),
                (status = 403, description = "The token is not good for this."),
                (status = 410, description = "Dropped here by retention; the answer says who may keep it."),
                (status = 501, description = "This node has no gateway, or keeps no documents."),
            ),
        )]
        pub(in super::super) async fn $name(
            State(node): Node,
            Name(name): Name,
            headers: HeaderMap,
            uri: Uri,
            Asked(asked): Asked<Simple>,
        ) -> Result<Response, Failure> {
            answer_of(node, headers, uri, asked, (|asked| &mut asked.$field, name)).await
        }
    };
}

of!(
    /// The events that name an EPC
    events_of, "/epcis/epcs/{epc}/events", "epc", "The EPC or class, every reserved character escaped.", any
);
of!(
    /// The events of a type
    of_type, "/epcis/eventTypes/{eventType}/events", "eventType", "The type, such as `ObjectEvent`.", event_type
);
of!(
    /// The events of a business step
    of_step, "/epcis/bizSteps/{bizStep}/events", "bizStep", "The step, as written or in its short form, every reserved character escaped.", step
);
of!(
    /// The events at a business location
    of_location, "/epcis/bizLocations/{bizLocation}/events", "bizLocation", "The place, every reserved character escaped.", location
);
of!(
    /// The events at a read point
    of_read_point, "/epcis/readPoints/{readPoint}/events", "readPoint", "The place, every reserved character escaped.", read_point
);
of!(
    /// The events of a disposition
    of_disposition, "/epcis/dispositions/{disposition}/events", "disposition", "The disposition, as written or in its short form, every reserved character escaped.", disposition
);

#[cfg(test)]
mod tests {
    use super::*;

    fn simply(query: &str) -> Result<Simply, Failure> {
        let uri: Uri = format!("/epcis/events?{query}").parse().unwrap();
        let asked = axum::extract::Query::<Simple>::try_from_uri(&uri);
        Simply::read(asked.map_err(|error| Failure::bad("E-HTTP-QUERY", &error))?.0)
    }

    #[test]
    fn what_is_not_known_is_refused_and_not_ignored() {
        for sound in [
            "",
            "eventType=ObjectEvent|AggregationEvent&EQ_bizStep=shipping|receiving&EXISTS_ilmd",
            "MATCH_anyEPC=urn:x:1&nextPageToken=h7",
            "MATCH_anyEPC=urn:x:1|urn:x:2&nextPageToken=l7",
            "EQ_eventID=urn:x:7&nextPageToken=l7",
            "EQ_eventID=urn:x:7|urn:x:8&MATCH_anyEPC=urn:x:1&nextPageToken=l7",
            "GE_recordTime=2026-01-01T00:00:00Z&WD_readPoint=urn:epc:id:sgln:9521001.00001.0",
        ] {
            assert!(simply(sound).is_ok(), "{sound}");
        }
        for bad in [
            "eventTypes=ObjectEvent",
            "EQ_color=red",
            "MATCH_anyEPC=urn:epc:idpat:sgtin:9521001.*.*",
            "EXISTS_ilmd=maybe",
            "GE_eventTime=yesterday",
            "eventType=a&eventType=b",
            "nextPageToken=7",
            "nextPageToken=h7",
            "MATCH_anyEPC=urn:x:1&nextPageToken=l7",
            "MATCH_anyEPC=urn:x:1&nextPageToken=h",
            "EQ_eventID=urn:x:7&MATCH_anyEPC=urn:x:1&nextPageToken=h7",
            "nextPageToken=%E9%97%BD",
        ] {
            assert!(simply(bad).is_err(), "{bad}");
        }
        let ids = |count: usize| format!("EQ_eventID={}", vec!["urn:x:1"; count].join("|"));
        assert!(simply(&ids(ROWS)).is_ok() && simply(&ids(ROWS + 1)).is_err());
        let described = include_str!("../../../openapi.json");
        assert!(described.contains(&format!("With one of these ids, {ROWS} at most.")));
    }

    #[test]
    fn words_and_places_are_the_same_in_every_spelling() {
        assert!(same("shipping", "urn:epcglobal:cbv:bizstep:shipping"));
        assert!(same("https://ref.gs1.org/cbv/BizStep-shipping", "shipping"));
        assert!(!same("shipping", "receiving"));
        let site = "urn:epc:id:sgln:9521001.00001.0";
        assert!(lies_in("urn:epc:id:sgln:9521001.00001.12", site) && lies_in(site, site));
        assert!(!lies_in("urn:epc:id:sgln:9521001.00002.12", site));
        assert!(!lies_in(site, "urn:epc:id:sgln:9521001.00001.12"));
        assert!(!lies_in("urn:x:1.7", "urn:x:1.0"), "of other names nothing is known");
    }

    #[test]
    fn the_link_leads_on_within_the_same_question() {
        let ask = |text: &str| {
            let uri: Uri = text.parse().unwrap();
            link(&uri, Place::History(3)).unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(
            ask("/epcis/epcs/urn%3Ax%3A1/events?EQ_bizStep=a%7Cb&perPage=2&nextPageToken=h1"),
            "</epcis/epcs/urn%3Ax%3A1/events?EQ_bizStep=a%7Cb&perPage=2&nextPageToken=h3>; rel=\"next\""
        );
        assert_eq!(ask("/epcis/events"), "</epcis/events?nextPageToken=h3>; rel=\"next\"");
    }
}
