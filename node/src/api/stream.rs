//! Blocks and records as they come (server-sent events), resumed from the ledger by whoever was away.
//!
//! A subscriber is a place in the chain, and nothing is kept for it: events are read from the ledger when the subscriber
//! takes them. One that does not read is not read for, and its connection ends when it takes nothing for a while.

use super::{
    Node, Shared, Tip, answers,
    asked::Asked,
    blocks::row,
    problem::Failure,
    records::{Filter, of_block},
};
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{
        IntoResponse as _, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use client::api::{Kind, RecordView};
use futures::stream::{Stream, unfold};
use ledger::query;
use serde::{Deserialize, Serialize};
use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{Arc, LazyLock},
    time::Duration,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use types::{Height, codec};
use utoipa::IntoParams;

/// How many subscribers a node has at most.
pub(super) const SUBSCRIBERS_MAX: usize = 512;
/// How many bytes of records are made ready for one subscriber at once: with all of a block for each, those who take their
/// time would hold hundreds of blocks.
const READY_BYTES_MAX: usize = 512 << 10;
/// How often something is said when nothing happens, so that both sides know that the line is there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// When a client that lost its line comes back.
const RETRY: Duration = Duration::from_secs(2);

static ROOM: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(SUBSCRIBERS_MAX)));

fn seat() -> Result<OwnedSemaphorePermit, Failure> {
    ROOM.clone().try_acquire_owned().map_err(|_full| {
        Failure::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "E-STREAM-FULL",
            format!("{SUBSCRIBERS_MAX} follow this node already; follow another, or come back"),
        )
        .after(30)
    })
}

/// Where a client left off, if it says so.
fn last_seen(headers: &HeaderMap) -> Result<Option<u64>, Failure> {
    let Some(id) = headers.get("last-event-id") else { return Ok(None) };
    let number = id.to_str().ok().and_then(|id| id.parse().ok());
    number.map(Some).ok_or_else(|| {
        Failure::bad("E-HTTP-QUERY", &"Last-Event-ID is not the id of an event of this stream")
    })
}

/// One who follows.
struct Subscriber {
    node: Arc<Shared>,
    tips: watch::Receiver<Tip>,
    /// The next block to look at.
    next: u64,
    /// Records before this position were seen.
    position: u64,
    filter: Option<Filter>,
    ready: VecDeque<Event>,
    _seat: OwnedSemaphorePermit,
}

impl Subscriber {
    /// The next event; none when the node stops.
    async fn event(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            let Tip { height, stopping } = *self.tips.borrow_and_update();
            if stopping {
                return None;
            }
            if self.next > height {
                self.tips.changed().await.ok()?;
                continue;
            }
            let (node, filter, at) = (self.node.clone(), self.filter.clone(), Height(self.next));
            let position = self.position;
            let read = answers::in_turn(move || match filter {
                None => (block_event(&node, at).into_iter().collect(), None),
                Some(filter) => {
                    let (rows, _) = of_block(&node, &node.handle.store, at, &filter);
                    made_ready(&rows, position)
                }
            });
            let (ready, rest) = read.await.ok()?;
            self.ready = ready;
            match rest {
                Some(position) => self.position = position,
                None => self.next += 1,
            }
        }
    }
}

/// The events of a block's records from a position on, as many as are made ready at once; and the position of the next, if
/// there is one.
fn made_ready(rows: &[RecordView], position: u64) -> (VecDeque<Event>, Option<u64>) {
    let (mut ready, mut bytes) = (VecDeque::new(), 0);
    for row in rows.iter().filter(|row| row.position >= position) {
        if bytes > READY_BYTES_MAX {
            return (ready, Some(row.position));
        }
        bytes += codec::length(&row.operation);
        ready.extend(event("record", row.position, row));
    }
    (ready, None)
}

fn block_event(node: &Shared, height: Height) -> Option<Event> {
    event("block", height.0, &row(&node.handle.store, height)?)
}

fn event(kind: &str, id: u64, data: &impl Serialize) -> Option<Event> {
    Event::default().event(kind).id(id.to_string()).retry(RETRY).json_data(data).ok()
}

fn answer(subscriber: Subscriber) -> Response {
    let events = unfold(subscriber, async |mut subscriber| {
        let event = subscriber.event().await?;
        Some((Ok::<_, Infallible>(event), subscriber))
    });
    sse(events).into_response()
}

fn sse<S: Stream<Item = Result<Event, Infallible>> + Send + 'static>(
    events: S,
) -> Sse<axum::response::sse::KeepAliveStream<S>> {
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct FromBlock {
    /// The first block; without it, the one after `Last-Event-ID`, or the next one.
    from: Option<u64>,
}

/// Blocks as they come
///
/// Events of type `block`, whose id is the height and whose data is a row of `GET /v1/blocks`.
#[utoipa::path(
    get,
    path = "/v1/events/blocks",
    tag = "Follow",
    params(FromBlock, ("last-event-id" = Option<String>, Header, description = "The last event that was seen.")),
    responses((status = 200, description = "Events, without end.", body = String, content_type = "text/event-stream")),
)]
pub(super) async fn blocks(
    State(node): Node,
    Asked(FromBlock { from }): Asked<FromBlock>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let seen = last_seen(&headers)?.map(|seen| seen.saturating_add(1));
    let tips = node.heights.subscribe();
    let next = seen.or(from).unwrap_or_else(|| tips.borrow().height + 1).max(1);
    let (ready, seat) = (VecDeque::new(), seat()?);
    let follows = Subscriber { node, tips, next, position: 0, filter: None, ready, _seat: seat };
    Ok(answer(follows))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Those of this family.
    #[param(inline)]
    kind: Option<Kind>,
    /// Those by this agency: its 统一社会信用代码.
    agency: Option<String>,
    /// Those of this subject, `KIND:ID`.
    subject: Option<String>,
    /// The first position of the log; without it, the one after `Last-Event-ID`, or the next one.
    from: Option<u64>,
}

/// Records as they come, by kind, agency or subject
///
/// Events of type `record`, whose id is the position in the log and whose data is a row of `GET /v1/records`.
#[utoipa::path(
    get,
    path = "/v1/events/records",
    tag = "Follow",
    params(Which, ("last-event-id" = Option<String>, Header, description = "The last event that was seen.")),
    responses(
        (status = 200, description = "Events, without end.", body = String, content_type = "text/event-stream"),
        (status = 410, description = "Dropped here by retention; the answer says who may keep it."),
    ),
)]
pub(super) async fn records(
    State(node): Node,
    Asked(Which { kind, agency, subject, from }): Asked<Which>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let filter = Filter::read(kind, agency.as_deref(), subject.as_deref())?;
    let seen = last_seen(&headers)?.map(|seen| seen.saturating_add(1));
    let tips = node.heights.subscribe();
    let tip = tips.borrow().height;
    let position = seen.or(from).unwrap_or(0);
    let next = match seen.or(from) {
        None => tip + 1,
        // The first block has it; or it is to come.
        Some(0) => 1,
        Some(position) => {
            query::record_height(&node.handle.store, position).map_or(tip + 1, |height| height.0)
        }
    };
    if seen.or(from).is_some() {
        node.not_dropped(&node.handle.store, position)?;
    }
    let (ready, seat) = (VecDeque::new(), seat()?);
    let filter = Some(filter);
    Ok(answer(Subscriber { node, tips, next, position, filter, ready, _seat: seat }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{
        Digest, Hash, Operation, RecordId, Timestamp, TxId,
        block::BLOCK_BYTES_MAX,
        operation::{Action, Commitment, EventType, Grade, Lot, Provenance, TraceEvent},
        subject::Part,
    };

    /// An event that names a thousand lots, as it stands at a position.
    fn row(position: u64) -> RecordView {
        let lot =
            |n: u32| -> (Lot, Part) { (format!("{n:0>240}").parse().unwrap(), Part::Observed) };
        let event = TraceEvent {
            event: EventType::Object,
            id: None,
            time: Timestamp(1),
            step: None,
            lots: (0..1000).map(lot).collect(),
            cbv_hash: None,
            corrects: None,
        };
        let digest = Digest::blake3(b"document");
        let operation = Operation {
            action: Action::Trace(event),
            commitment: Commitment { document: digest, content: digest, fields: None },
            effective_from: Timestamp(1),
            grade: Grade::Public,
            provenance: Provenance {
                system: "test".parse().unwrap(),
                version: "1".parse().unwrap(),
                captured_at: Timestamp(1),
            },
        };
        RecordView {
            record: RecordId(Hash([1; 32])),
            position,
            height: Height(1),
            time: Timestamp(1),
            tx: TxId(Hash([2; 32])),
            index: 0,
            agency: "11350000MXDEX01033".parse().unwrap(),
            agency_name: String::new(),
            operation,
        }
    }

    #[test]
    fn of_a_large_block_a_part_is_made_ready_and_the_next_begins_where_it_ended() {
        let rows: Vec<_> = (10..20).map(row).collect();
        let (mut parts, mut from) = (Vec::new(), 12);
        loop {
            let (ready, rest) = made_ready(&rows, from);
            parts.push(ready.len());
            match rest {
                Some(next) => from = next,
                None => break,
            }
        }
        assert_eq!(parts, [3, 3, 2], "eight records of a quarter of a mebibyte");
        assert!(made_ready(&rows, 20).0.is_empty());
    }

    #[test]
    fn a_page_is_of_so_many_records_and_of_no_more_than_a_block() {
        let operation = row(0).operation;
        let fits = |limit: usize| {
            let (mut page, mut count) = (answers::Page::new(limit), 0);
            while !page.is_full() {
                page.add(&operation);
                count += 1;
            }
            count
        };
        assert_eq!(fits(7), 7);
        assert_eq!(fits(1000), BLOCK_BYTES_MAX / codec::length(&operation) + 1);
    }
}
