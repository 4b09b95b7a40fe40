//! EPCIS 2.0 events: from an event to the lots it is about, refusing what the JSON schema of the standard lets pass.

pub(crate) mod ambiguity;
mod coherence;
mod uri;

use crate::{
    cbv,
    context::Prefixes,
    document::{has_namespace, namespaced, not_namespaced},
    fault::{Faults, Place, Problem, quote},
    gdst,
    json::Value,
    read::{self, Members, text, time},
    vocabulary::{self, Vocabulary, is_uri},
};
use std::{borrow::Cow, collections::BTreeSet};
use types::{
    Text,
    operation::{EventType, LOTS_MAX, Lot, TraceEvent},
    subject::Part,
    text::TextError,
};
use uri::Level;

/// The most items in any list of an event.
const LIST_MAX: usize = LOTS_MAX;

/// Members every event may have.
const COMMON: [&str; 17] = [
    "@context",
    "type",
    "eventTime",
    "recordTime",
    "eventTimeZoneOffset",
    "eventID",
    "certificationInfo",
    "errorDeclaration",
    "bizStep",
    "disposition",
    "persistentDisposition",
    "readPoint",
    "bizLocation",
    "bizTransactionList",
    "sourceList",
    "destinationList",
    "sensorElementList",
];

/// Members that only some types of event have.
const PARTICULAR: [&str; 12] = [
    "action",
    "ilmd",
    "parentID",
    "epcList",
    "quantityList",
    "childEPCs",
    "childQuantityList",
    "inputEPCList",
    "inputQuantityList",
    "outputEPCList",
    "outputQuantityList",
    "transformationID",
];

/// What an event of one type may have beside the common members.
const fn particular(event: EventType) -> &'static [&'static str] {
    match event {
        EventType::Object => &["action", "epcList", "quantityList", "ilmd"],
        EventType::Aggregation | EventType::Association => {
            &["action", "parentID", "childEPCs", "childQuantityList"]
        }
        EventType::Transaction => &["action", "parentID", "epcList", "quantityList"],
        EventType::Transformation => &[
            "inputEPCList",
            "inputQuantityList",
            "outputEPCList",
            "outputQuantityList",
            "transformationID",
            "ilmd",
        ],
    }
}

/// The name of a type of event in EPCIS.
pub(crate) const fn type_name(event: EventType) -> &'static str {
    match event {
        EventType::Object => "ObjectEvent",
        EventType::Aggregation => "AggregationEvent",
        EventType::Transaction => "TransactionEvent",
        EventType::Transformation => "TransformationEvent",
        EventType::Association => "AssociationEvent",
    }
}

const TYPES: [EventType; 5] = [
    EventType::Object,
    EventType::Aggregation,
    EventType::Transaction,
    EventType::Transformation,
    EventType::Association,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EventAction {
    Add,
    Observe,
    Delete,
}

/// Reads an event.
pub(crate) fn read(
    event: &Members<'_, '_>,
    prefixes: &Prefixes<'_>,
    room: &cbv::Room,
    faults: &mut Faults,
) -> Option<TraceEvent> {
    let before = faults.len();
    let kind = kind(event, faults)?;
    members(event, kind, faults);
    let at = when(event, faults);
    let action = action(event, kind, faults);
    let lots = lots(event, kind, action, prefixes, faults);
    complete(event, kind, action, faults);
    coherence::check(event, kind, action, lots.iter(), faults);
    what_and_where(event, faults);
    parties(event, faults);
    sensors(event, faults);
    error_declaration(event, faults);
    ilmd(event, kind, action, faults);
    gdst::check(event, prefixes, faults);
    let id = carried_uri(event, "eventID", faults);
    let step = event
        .get("bizStep")
        .and_then(Value::as_str)
        .and_then(|step| read::carried(step, &event.at("bizStep"), faults));
    if faults.len() > before || faults.is_full() {
        return None; // A hash of something malformed would be an identifier of nothing.
    }
    let cbv_hash = match cbv::hash(event.map(), prefixes, room) {
        Ok(hash) => hash,
        Err(problem) => {
            // All events share the room, so that it is the document which is too large.
            faults.add(&Place::start(""), problem);
            return None;
        }
    };
    // An error declaration repeats the event it is about, with the same identifier and therefore the same hash.
    let name = || id.clone().or_else(|| Text::new(cbv::identifier(&cbv_hash?)).ok());
    let corrects = if event.has("errorDeclaration") { name() } else { None };
    if event.has("errorDeclaration") && corrects.is_none() {
        let problem = Problem::new(
            "E-REC-029",
            "an error declaration that names no event would be an event itself: give the `eventID` of the one it is about, \
             or a `type` to every business transaction, source and destination, so that there is an event hash",
            "更正声明未指明所更正的事件,将被当作新事件:须提供“eventID”,或为每个业务单据、来源、目的地注明“type”以得出事件哈希",
        );
        event.fault("errorDeclaration", problem, faults);
        return None;
    }
    Some(TraceEvent {
        event: kind,
        id,
        time: at?,
        step,
        lots: lots.into_iter().collect(),
        cbv_hash,
        corrects,
    })
}

fn kind(event: &Members<'_, '_>, faults: &mut Faults) -> Option<EventType> {
    let found = event.required_text("type", faults)?;
    let kind = TYPES.into_iter().find(|kind| type_name(*kind) == found);
    if kind.is_none() {
        event.fault("type", Problem::not_one_of("E-REC-020", found, &TYPES.map(type_name)), faults);
    }
    kind
}

fn members(event: &Members<'_, '_>, kind: EventType, faults: &mut Faults) {
    for name in event.map().keys().map(String::as_str) {
        if COMMON.contains(&name) || particular(kind).contains(&name) || has_namespace(name) {
            continue;
        }
        let problem = if PARTICULAR.contains(&name) {
            Problem::not_here(name, type_name(kind), type_name(kind))
        } else {
            not_namespaced(name)
        };
        event.fault(name, problem, faults);
    }
}

fn when(event: &Members<'_, '_>, faults: &mut Faults) -> Option<types::Timestamp> {
    event.require("eventTime", faults);
    let at = event.time("eventTime", faults);
    event.time("recordTime", faults);
    if let Some(offset) = event.required_text("eventTimeZoneOffset", faults)
        && !is_offset(offset)
    {
        let problem = Problem::new(
            "E-REC-021",
            format!("{:?} is not a time zone offset, such as +08:00", quote(offset)),
            format!("“{}”不是时区偏移,例如 +08:00", quote(offset)),
        );
        event.fault("eventTimeZoneOffset", problem, faults);
    }
    at
}

fn is_offset(text: &str) -> bool {
    match text.as_bytes() {
        [b'+' | b'-', h @ b'0'..=b'1', o @ b'0'..=b'9', b':', m @ b'0'..=b'5', n @ b'0'..=b'9'] => {
            (*h, *o) < (b'1', b'4') || (*h, *o, *m, *n) == (b'1', b'4', b'0', b'0')
        }
        _other => false,
    }
}

fn action(event: &Members<'_, '_>, kind: EventType, faults: &mut Faults) -> Option<EventAction> {
    if kind == EventType::Transformation {
        return None;
    }
    let found = event.required_text("action", faults)?;
    let action = match found {
        "ADD" => Some(EventAction::Add),
        "OBSERVE" => Some(EventAction::Observe),
        "DELETE" => Some(EventAction::Delete),
        _other => None,
    };
    if action.is_none() {
        event.fault(
            "action",
            Problem::not_one_of("E-REC-022", found, &["ADD", "OBSERVE", "DELETE"]),
            faults,
        );
    }
    action
}

/// Lots, each with its part; shapes and identifiers are checked on the way.
fn lots(
    event: &Members<'_, '_>,
    kind: EventType,
    action: Option<EventAction>,
    prefixes: &Prefixes<'_>,
    faults: &mut Faults,
) -> BTreeSet<(Lot, Part)> {
    // An event that brings new goods and describes them makes them; any other event only sees them.
    let seen = if action == Some(EventAction::Add) && event.has("ilmd") {
        Part::Output
    } else {
        Part::Observed
    };
    let (single, lists): (Option<&str>, &[(&str, &str, Part)]) = match kind {
        EventType::Object => (None, &[("epcList", "quantityList", seen)]),
        EventType::Aggregation | EventType::Association => {
            (Some("parentID"), &[("childEPCs", "childQuantityList", Part::Child)])
        }
        EventType::Transaction => {
            (Some("parentID"), &[("epcList", "quantityList", Part::Observed)])
        }
        EventType::Transformation => (
            None,
            &[
                ("inputEPCList", "inputQuantityList", Part::Input),
                ("outputEPCList", "outputQuantityList", Part::Output),
            ],
        ),
    };
    let mut lots = BTreeSet::new();
    if let Some(parent) = single
        && let Some(value) = event.get(parent)
        && let Some(lot) = epc(value, &event.at(parent), Level::Instance, prefixes, faults)
    {
        lots.insert((lot, Part::Parent));
    }
    for (epcs, quantities, part) in lists {
        let place = event.at(epcs);
        let mut here = BTreeSet::new();
        for (index, value) in bounded(event, epcs, faults).iter().enumerate() {
            let at = place.index(index);
            let Some(lot) = epc(value, &at, Level::Instance, prefixes, faults) else { continue };
            if !here.insert(lot.clone()) {
                let problem =
                    Problem::new("E-REC-027", "this identifier is there twice", "该标识重复出现");
                faults.add(&place.index(index), problem);
            }
            lots.insert((lot, *part));
        }
        let place = event.at(quantities);
        for (index, value) in bounded(event, quantities, faults).iter().enumerate() {
            let place = place.index(index);
            if let Some(lot) = Members::of(value, &place, faults)
                .and_then(|element| quantity(&element, prefixes, faults))
            {
                lots.insert((lot, *part));
            }
        }
    }
    // Two events may each tell half of a transformation. What they share is the link between them, like a lot: made of what
    // went in by the one, and what came out by the other is made of it.
    if kind == EventType::Transformation
        && let Some(shared) = event.get("transformationID")
        && let Some(missing) = missing_half(&lots)
        && let Some(link) =
            epc(shared, &event.at("transformationID"), Level::Instance, prefixes, faults)
    {
        lots.insert((link, missing));
    }
    if lots.len() > LOTS_MAX {
        faults.add(
            event.place(),
            Problem::too_many("lots in one event", "事件中批次的数量", LOTS_MAX),
        );
    }
    lots
}

/// The part that no lot of a transformation has, if only one of its two has lots.
fn missing_half(lots: &BTreeSet<(Lot, Part)>) -> Option<Part> {
    let has = |wanted: Part| lots.iter().any(|(_, part)| *part == wanted);
    match (has(Part::Input), has(Part::Output)) {
        (true, false) => Some(Part::Output),
        (false, true) => Some(Part::Input),
        (true, true) | (false, false) => None,
    }
}

/// A list of at most [`LIST_MAX`] items.
fn bounded<'v>(owner: &Members<'v, '_>, name: &str, faults: &mut Faults) -> &'v [Value] {
    let items = owner.list(name, faults).unwrap_or_default();
    if items.len() > LIST_MAX {
        owner.fault(name, Problem::too_many("items in one list", "列表项的数量", LIST_MAX), faults);
        return &[];
    }
    items
}

/// An identifier of goods: a URN, a web URI, or a compact form whose prefix the document declares.
fn epc(
    value: &Value,
    place: &Place<'_>,
    level: Level,
    prefixes: &Prefixes<'_>,
    faults: &mut Faults,
) -> Option<Lot> {
    let found = text(value, place, faults)?;
    // A prefix may stand for thousands of bytes in every item of a list: a name that no lot can have is not written out.
    if let Some(bytes) = prefixes.expanded_bytes(found).filter(|bytes| *bytes > Lot::BYTES_MAX) {
        let why = TextError::TooLong { found: bytes, limit: Lot::BYTES_MAX };
        faults.add(place, Problem::text(&why));
        return None;
    }
    let full: Cow<'_, str> = prefixes.expand(found);
    let scheme = full.split(':').next().unwrap_or_default();
    if !is_uri(&full) || !matches!(scheme, "urn" | "http" | "https") {
        let problem = Problem::new(
            "E-REC-024",
            format!(
                "{:?} does not identify goods: a URN, a web URI, or a compact form with a prefix declared in `@context` does",
                quote(found)
            ),
            format!("“{}”不是货品标识:应为 URN、网址,或使用“@context”中声明的前缀", quote(found)),
        );
        faults.add(place, problem);
        return None;
    }
    if let Some(why) = uri::wrong(&full, level) {
        let problem = Problem::new(
            "E-REC-028",
            format!("{:?} is not an EPC URI for this place: {why}", quote(found)),
            format!(
                "“{}”不是此处可用的 EPC URI,不符合 GS1 标签数据标准(TDS 2.0)对其各组成部分的规定",
                quote(found)
            ),
        );
        faults.add(place, problem);
        return None;
    }
    read::carried(&full, place, faults)
}

fn quantity(
    element: &Members<'_, '_>,
    prefixes: &Prefixes<'_>,
    faults: &mut Faults,
) -> Option<Lot> {
    element.only(&["epcClass", "quantity", "uom"], faults);
    element.require("epcClass", faults);
    let wrong = |what: &str, zh: &str| Problem::new("E-REC-025", what, zh);
    match element.get("quantity") {
        Some(Value::Number(number))
            if *number >= 0.0 && (number.fract() == 0.0 || element.has("uom")) => {}
        Some(Value::Number(number)) if *number >= 0.0 => {
            let problem = wrong(
                "a quantity without a unit counts things, and is whole",
                "没有计量单位的数量表示件数,应为整数",
            );
            element.fault("quantity", problem, faults);
        }
        Some(Value::Number(_)) => {
            element.fault("quantity", wrong("a quantity is not negative", "数量不得为负"), faults);
        }
        Some(
            Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_),
        ) => {
            element.fault("quantity", wrong("a quantity is a number", "数量应为数字"), faults);
        }
        None if element.has("uom") => {
            element.fault(
                "uom",
                wrong("a unit of measure needs a `quantity`", "有计量单位则须有“quantity”"),
                faults,
            );
        }
        None => {}
    }
    if let Some(unit) = element.text("uom", faults)
        && !((2..=3).contains(&unit.len())
            && unit.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit()))
    {
        let problem = wrong(
            "a unit of measure is a code of 2 or 3 capitals and digits (UN/CEFACT Recommendation 20), such as KGM",
            "计量单位应为 2 至 3 位大写字母或数字(UN/CEFACT 第 20 号建议书),例如 KGM",
        );
        element.fault("uom", problem, faults);
    }
    let at = element.at("epcClass");
    epc(element.get("epcClass")?, &at, Level::Class, prefixes, faults)
}

/// What the standard requires to be there, which depends on the type and the action.
fn complete(
    event: &Members<'_, '_>,
    kind: EventType,
    action: Option<EventAction>,
    faults: &mut Faults,
) {
    let some = |name: &str| {
        event.get(name).and_then(Value::as_array).is_some_and(|items| !items.is_empty())
    };
    let deletes = action == Some(EventAction::Delete);
    let mut need = |there: bool, what: &str, zh: &str| {
        if !there {
            let message = format!("an event of type {} needs {what}", type_name(kind));
            faults.add(
                event.place(),
                Problem::new("E-REC-027", message, format!("{} 须有{zh}", type_name(kind))),
            );
        }
    };
    match kind {
        EventType::Object => need(
            event.has("epcList")
                || some("quantityList")
                || (some("sensorElementList") && event.has("readPoint")),
            "`epcList`, `quantityList`, or `sensorElementList` with `readPoint`",
            "“epcList”、“quantityList”,或“sensorElementList”与“readPoint”",
        ),
        EventType::Aggregation | EventType::Association => {
            let parent = event.has("parentID")
                || (kind == EventType::Aggregation && action == Some(EventAction::Observe));
            need(parent, "`parentID`", "“parentID”");
            let children = deletes || some("childEPCs") || some("childQuantityList");
            need(
                children,
                "`childEPCs` or `childQuantityList`",
                "“childEPCs”或“childQuantityList”",
            );
        }
        EventType::Transaction => {
            need(some("bizTransactionList"), "`bizTransactionList`", "“bizTransactionList”");
            let objects = deletes || event.has("epcList") || some("quantityList");
            need(objects, "`epcList` or `quantityList`", "“epcList”或“quantityList”");
        }
        EventType::Transformation => {
            let inputs = some("inputEPCList") || some("inputQuantityList");
            let outputs = some("outputEPCList") || some("outputQuantityList");
            // Events that share a transformationID may each tell half of the story.
            let half = event.has("transformationID");
            need(
                inputs || (half && outputs),
                "inputs (`inputEPCList` or `inputQuantityList`)",
                "投入物(inputEPCList 或 inputQuantityList)",
            );
            need(
                outputs || (half && inputs),
                "outputs (`outputEPCList` or `outputQuantityList`)",
                "产出物(outputEPCList 或 outputQuantityList)",
            );
        }
    }
}

fn uri(value: &Value, place: &Place<'_>, faults: &mut Faults) {
    if let Some(found) = text(value, place, faults)
        && !is_uri(found)
    {
        faults.add(place, Problem::not_a_uri(found));
    }
}

fn uri_member(owner: &Members<'_, '_>, name: &str, faults: &mut Faults) {
    if let Some(value) = owner.get(name) {
        uri(value, &owner.at(name), faults);
    }
}

/// A URI the ledger carries.
fn carried_uri<const MAX: usize>(
    owner: &Members<'_, '_>,
    name: &str,
    faults: &mut Faults,
) -> Option<Text<MAX>> {
    uri_member(owner, name, faults);
    read::carried(owner.get(name)?.as_str()?, &owner.at(name), faults)
}

fn word(value: &Value, place: &Place<'_>, vocabulary: Vocabulary, faults: &mut Faults) {
    let Some(found) = text(value, place, faults) else { return };
    if vocabulary.allows(found) {
        return;
    }
    let name = vocabulary.name;
    let problem = Problem::new(
        "E-REC-023",
        format!(
            "{:?} is not a {name} of CBV 2.0, and not a URI of somebody else's vocabulary",
            quote(found)
        ),
        format!("“{}”不是 CBV 2.0 的 {name} 词汇,也不是其他词汇表的 URI", quote(found)),
    );
    faults.add(place, problem);
}

fn word_member(owner: &Members<'_, '_>, name: &str, vocabulary: Vocabulary, faults: &mut Faults) {
    if let Some(value) = owner.get(name) {
        word(value, &owner.at(name), vocabulary, faults);
    }
}

fn what_and_where(event: &Members<'_, '_>, faults: &mut Faults) {
    word_member(event, "bizStep", vocabulary::STEP, faults);
    word_member(event, "disposition", vocabulary::DISPOSITION, faults);
    uri_member(event, "transformationID", faults);
    if let Some(value) = event.get("persistentDisposition") {
        let place = event.at("persistentDisposition");
        if let Some(persistent) = Members::of(value, &place, faults) {
            persistent.only(&["set", "unset"], faults);
            if persistent.map().is_empty() {
                faults.add(&place, Problem::missing("set"));
            }
            for name in ["set", "unset"] {
                let place = persistent.at(name);
                let items = bounded(&persistent, name, faults);
                if persistent.has(name) && items.is_empty() {
                    faults.add(
                        &place,
                        Problem::kind("a list of at least one disposition", "至少含一项的数组"),
                    );
                }
                for (index, value) in items.iter().enumerate() {
                    word(value, &place.index(index), vocabulary::DISPOSITION, faults);
                }
            }
        }
    }
    for name in ["readPoint", "bizLocation"] {
        let place = event.at(name);
        let Some(location) = event.get(name).and_then(|value| Members::of(value, &place, faults))
        else {
            continue;
        };
        namespaced(&location, &["id"], faults);
        location.require("id", faults);
        uri_member(&location, "id", faults);
    }
    let place = event.at("certificationInfo");
    match event.get("certificationInfo") {
        Some(Value::Array(_)) => {
            for (index, value) in bounded(event, "certificationInfo", faults).iter().enumerate() {
                uri(value, &place.index(index), faults);
            }
        }
        Some(value) => uri(value, &place, faults),
        None => {}
    }
}

fn parties(event: &Members<'_, '_>, faults: &mut Faults) {
    for (list, member, vocabulary, typed) in [
        ("bizTransactionList", "bizTransaction", vocabulary::TRANSACTION, false),
        ("sourceList", "source", vocabulary::PARTY, true),
        ("destinationList", "destination", vocabulary::PARTY, true),
    ] {
        let place = event.at(list);
        for (index, value) in bounded(event, list, faults).iter().enumerate() {
            let place = place.index(index);
            let Some(element) = Members::of(value, &place, faults) else { continue };
            element.only(&["type", member], faults);
            element.require(member, faults);
            uri_member(&element, member, faults);
            if typed {
                element.require("type", faults);
            }
            word_member(&element, "type", vocabulary, faults);
        }
    }
}

const METADATA_TIMES: [&str; 3] = ["time", "startTime", "endTime"];
const METADATA_URIS: [&str; 5] =
    ["deviceID", "deviceMetadata", "rawData", "dataProcessingMethod", "bizRules"];
const REPORT_URIS: [&str; 9] = [
    "deviceID",
    "deviceMetadata",
    "rawData",
    "dataProcessingMethod",
    "bizRules",
    "microorganism",
    "chemicalSubstance",
    "coordinateReferenceSystem",
    "uriValue",
];
const REPORT_NUMBERS: [&str; 7] =
    ["value", "minValue", "maxValue", "meanValue", "sDev", "percRank", "percValue"];
const REPORT_TEXTS: [&str; 2] = ["stringValue", "uom"];

fn sensors(event: &Members<'_, '_>, faults: &mut Faults) {
    let list = event.at("sensorElementList");
    for (index, value) in bounded(event, "sensorElementList", faults).iter().enumerate() {
        let place = list.index(index);
        let Some(element) = Members::of(value, &place, faults) else { continue };
        namespaced(&element, &["sensorMetadata", "sensorReport"], faults);
        let at = element.at("sensorMetadata");
        if let Some(metadata) =
            element.get("sensorMetadata").and_then(|value| Members::of(value, &at, faults))
        {
            namespaced(&metadata, &[&METADATA_TIMES[..], &METADATA_URIS].concat(), faults);
            times(&metadata, &METADATA_TIMES, faults);
            METADATA_URIS.iter().for_each(|name| uri_member(&metadata, name, faults));
        }
        element.require("sensorReport", faults);
        let at = element.at("sensorReport");
        let reports = bounded(&element, "sensorReport", faults);
        if reports.is_empty() && element.has("sensorReport") {
            faults.add(&at, Problem::kind("a list of at least one report", "至少含一项的数组"));
        }
        for (index, value) in reports.iter().enumerate() {
            let place = at.index(index);
            if let Some(report) = Members::of(value, &place, faults) {
                sensor_report(&report, faults);
            }
        }
    }
}

fn times(owner: &Members<'_, '_>, names: &[&str], faults: &mut Faults) {
    for name in names {
        if let Some(found) = owner.text(name, faults)
            && time(found).is_none()
        {
            owner.fault(name, Problem::time(found), faults);
        }
    }
}

fn sensor_report(report: &Members<'_, '_>, faults: &mut Faults) {
    let others = ["type", "exception", "time", "component", "booleanValue", "hexBinaryValue"];
    namespaced(
        report,
        &[&others[..], &REPORT_URIS, &REPORT_NUMBERS, &REPORT_TEXTS].concat(),
        faults,
    );
    // A report of an alarm may say no more than that.
    if !report.has("exception") {
        report.require("type", faults);
    }
    // The measurement types are a part of the GS1 web vocabulary, which grows; a word is enough.
    for name in ["type", "exception"] {
        if let Some(found) = report.text(name, faults)
            && !(is_uri(found)
                || (!found.is_empty()
                    && found.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_')))
        {
            report.fault(name, Problem::not_a_uri(found), faults);
        }
    }
    times(report, &["time"], faults);
    word_member(report, "component", vocabulary::COMPONENT, faults);
    REPORT_URIS.iter().for_each(|name| uri_member(report, name, faults));
    for name in REPORT_TEXTS {
        report.text(name, faults);
    }
    for name in REPORT_NUMBERS {
        if report.get(name).is_some_and(|value| !matches!(value, Value::Number(_))) {
            report.fault(name, Problem::kind("a number", "数字"), faults);
        }
    }
    if report.get("booleanValue").is_some_and(|value| !matches!(value, Value::Bool(_))) {
        report.fault("booleanValue", Problem::kind("true or false", "布尔值"), faults);
    }
    if report
        .text("hexBinaryValue", faults)
        .is_some_and(|hex| hex.is_empty() || !hex.bytes().all(|c| c.is_ascii_hexdigit()))
    {
        report.fault("hexBinaryValue", Problem::kind("hexadecimal digits", "十六进制数字"), faults);
    }
}

fn error_declaration(event: &Members<'_, '_>, faults: &mut Faults) {
    let place = event.at("errorDeclaration");
    let Some(declaration) =
        event.get("errorDeclaration").and_then(|value| Members::of(value, &place, faults))
    else {
        return;
    };
    namespaced(&declaration, &["declarationTime", "reason", "correctiveEventIDs"], faults);
    declaration.require("declarationTime", faults);
    declaration.time("declarationTime", faults);
    word_member(&declaration, "reason", vocabulary::REASON, faults);
    let place = declaration.at("correctiveEventIDs");
    for (index, value) in bounded(&declaration, "correctiveEventIDs", faults).iter().enumerate() {
        uri(value, &place.index(index), faults);
    }
}

fn ilmd(
    event: &Members<'_, '_>,
    kind: EventType,
    action: Option<EventAction>,
    faults: &mut Faults,
) {
    let place = event.at("ilmd");
    let Some(ilmd) = event.get("ilmd").and_then(|value| Members::of(value, &place, faults)) else {
        return;
    };
    if kind == EventType::Object && action != Some(EventAction::Add) {
        faults.add(
            &place,
            Problem::not_here(
                "ilmd",
                "an ObjectEvent whose action is not ADD",
                "action 不为 ADD 的 ObjectEvent ",
            ),
        );
    }
    namespaced(&ilmd, &[], faults);
    for (name, value) in ilmd.map() {
        if name.rsplit(':').next() == Some("seedLabel") {
            seed_label(value, &ilmd.at(name), faults);
        }
    }
}

/// A seed label is recognised by the name of the member that carries it, in any namespace.
fn seed_label(value: &Value, place: &Place<'_>, faults: &mut Faults) {
    let Some(found) = text(value, place, faults) else { return };
    if let Err(problem) = crate::seed::parse(found) {
        faults.add(place, problem);
    }
}
