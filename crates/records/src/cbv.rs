//! The CBV 2.0 event hash: an identifier that others may know an event by, never a commitment.
//!
//! The algorithm joins names and values without separators, so different events can be made to have the same hash; and
//! implementations differ in details. What is computed here is the profile `refpy`: what the reference implementation of
//! the standard's authors prints (RalphTro/epcis-event-hash-generator), for events it can print.

use crate::{
    DOCUMENT_BYTES_MAX,
    canonical::number_text,
    context::Prefixes,
    digital_link,
    fault::Problem,
    json::{Map, Value},
    vocabulary::{COMPONENT, DISPOSITION, PARTY, REASON, STEP, TRANSACTION},
};
use core::cell::Cell;
use sha2::{Digest as _, Sha256};
use types::Hash;

/// The profile whose hashes these are.
pub const PROFILE: &str = "refpy";

/// An event hash as an event's identifier: `ni:///sha-256;…?ver=CBV2.0`.
#[must_use]
pub fn identifier(hash: &Hash) -> String {
    format!("ni:///sha-256;{hash}?ver=CBV2.0")
}

/// A way in which an event's hash is less of a name than it seems: implementations part on it, or it may be made to collide.
///
/// The hash is carried all the same, as computed by [`PROFILE`]; what names the record is its digest, which knows none of this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ambiguity {
    /// Sources and destinations: which list comes first.
    SourceAndDestination,
    /// Sensors and business transactions: which comes first.
    SensorAndTransaction,
    /// Master data and sources: which comes first.
    IlmdAndSource,
    /// A transaction event with a parent: before or after its list.
    ParentAndList,
    /// Within a business transaction: its type or its value first.
    TransactionOrder,
    /// A business transaction without a type, for which the reference has no answer.
    TransactionWithoutType,
    /// A time of more than three decimals.
    Rounding,
    /// A time at whose rounding the reference fails.
    Overflow,
    /// An extension named …List, to which the reference adds an element.
    ListSuffix,
    /// A truth value or nothing at all, printed as Python does.
    Boolean,
    /// A prefix that the document does not declare itself.
    UndeclaredPrefix,
    /// Text of which Unicode has more than one spelling.
    Combining,
    /// An extension's value that is a word of the standard, used elsewhere in the event.
    BareWord,
    /// An extension inside a place or a sensor element.
    ExtensionInside,
    /// `certificationInfo`, which some leave out.
    Certification,
    /// Text that is read as a number, or trimmed: another text has the same hash.
    Coerced,
    /// Text that may imitate the members after it: another event may have the same hash.
    Injection,
}

impl Ambiguity {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SourceAndDestination => "source+destination",
            Self::SensorAndTransaction => "sensor+bizTransaction",
            Self::IlmdAndSource => "ilmd+source",
            Self::ParentAndList => "transaction-parent+epcList",
            Self::TransactionOrder => "bizTransaction-member-order",
            Self::TransactionWithoutType => "bizTransaction-without-type",
            Self::Rounding => "round-half-even",
            Self::Overflow => "round-overflow",
            Self::ListSuffix => "list-suffixed-extension",
            Self::Boolean => "boolean-extension",
            Self::UndeclaredPrefix => "standard-prefix-not-declared",
            Self::Combining => "cjk-value",
            Self::BareWord => "bare-string-capture",
            Self::ExtensionInside => "extension-in-a-place",
            Self::Certification => "certification-info",
            Self::Coerced => "numeric-coercion",
            Self::Injection => "field-injection",
        }
    }
}

/// Whether text is printed as the number it reads as, and so differs from what was written.
pub(crate) fn is_coerced(text: &str) -> bool {
    numeric(text).is_none_or(|printed| printed != text)
}

/// The hash of an event; `None` for one the algorithm has no answer for.
///
/// # Errors
/// The events of the document come to more text than there is room for.
pub(crate) fn hash(
    event: &Map,
    prefixes: &Prefixes<'_>,
    room: &Room,
) -> Result<Option<Hash>, Problem> {
    let text = prehash(event, prefixes, room);
    if room.is_spent() {
        return Err(too_much());
    }
    Ok(text.map(|text| Hash(Sha256::digest(text.as_bytes()).into())))
}

/// There is no room left for the events of the document.
pub(crate) fn too_much() -> Problem {
    Problem::too_many(
        "bytes to hash for the events of one document: split it, or shorten its namespaces",
        "文档中各事件待哈希文本的字节数",
        TEXT_BYTES_MAX,
    )
}

/// The most text that the events of one document come to, bytes. What comes near it is made to: a prefix of two letters
/// may stand for a namespace of thousands, in every item of a list.
const TEXT_BYTES_MAX: usize = 4 * DOCUMENT_BYTES_MAX;

/// How much text the events of a document may still come to; nothing once there was not enough.
#[derive(Debug)]
pub struct Room(Cell<Option<usize>>);

impl Room {
    /// All that a document has.
    #[must_use]
    pub const fn of_document() -> Self {
        Self(Cell::new(Some(TEXT_BYTES_MAX)))
    }

    /// Whether more was asked for than there was.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.0.get().is_none()
    }

    /// Takes so many bytes. Where there are fewer nothing is left, and the event is not written on.
    fn take(&self, bytes: usize) -> Option<()> {
        let left = self.0.get()?.checked_sub(bytes);
        self.0.set(left);
        left.is_some().then_some(())
    }
}

/// Members that are not hashed.
const IGNORED: [&str; 7] =
    ["type", "recordTime", "eventID", "errorDeclaration", "rdfs:comment", "comment", "@context"];

/// Standard members in their order, each with its shape. Everything else comes after them, sorted.
const ORDER: [(&str, Shape); 20] = [
    ("eventTime", Shape::Time),
    ("eventTimeZoneOffset", Shape::AsIs),
    ("certificationInfo", Shape::Plain),
    ("parentID", Shape::Plain),
    ("epcList", Shape::Epcs),
    ("inputEPCList", Shape::Epcs),
    ("childEPCs", Shape::Epcs),
    ("quantityList", Shape::Quantities),
    ("childQuantityList", Shape::Quantities),
    ("inputQuantityList", Shape::Quantities),
    ("outputEPCList", Shape::Epcs),
    ("outputQuantityList", Shape::Quantities),
    ("action", Shape::Plain),
    ("transformationID", Shape::Plain),
    ("bizStep", Shape::Word(STEP.web)),
    ("disposition", Shape::Word(DISPOSITION.web)),
    ("persistentDisposition", Shape::Dispositions),
    ("readPoint", Shape::Place),
    ("bizLocation", Shape::Place),
    ("sensorElementList", Shape::Sensors),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Plain,
    AsIs,
    Time,
    /// Bare words stand for URIs that begin like this.
    Word(&'static str),
    Epcs,
    Quantities,
    Dispositions,
    Place,
    Sensors,
}

const METADATA: [(&str, Shape); 8] = [
    ("time", Shape::Time),
    ("startTime", Shape::Time),
    ("endTime", Shape::Time),
    ("deviceID", Shape::Plain),
    ("deviceMetadata", Shape::Plain),
    ("rawData", Shape::Plain),
    ("dataProcessingMethod", Shape::Plain),
    ("bizRules", Shape::Plain),
];

const GS1_VOCABULARY: &str = "https://gs1.org/voc/";

const REPORT: [(&str, Shape); 23] = [
    ("type", Shape::Word(GS1_VOCABULARY)),
    ("exception", Shape::Word(GS1_VOCABULARY)),
    ("deviceID", Shape::Plain),
    ("deviceMetadata", Shape::Plain),
    ("rawData", Shape::Plain),
    ("dataProcessingMethod", Shape::Plain),
    ("time", Shape::Time),
    ("microorganism", Shape::Plain),
    ("chemicalSubstance", Shape::Plain),
    ("value", Shape::Plain),
    ("component", Shape::Word(COMPONENT.web)),
    ("stringValue", Shape::Plain),
    ("booleanValue", Shape::Plain),
    ("hexBinaryValue", Shape::Plain),
    ("uriValue", Shape::Plain),
    ("minValue", Shape::Plain),
    ("maxValue", Shape::Plain),
    ("meanValue", Shape::Plain),
    ("sDev", Shape::Plain),
    ("percRank", Shape::Plain),
    ("percValue", Shape::Plain),
    ("uom", Shape::Plain),
    ("coordinateReferenceSystem", Shape::Plain),
];

/// The text that is hashed.
pub(crate) fn prehash(event: &Map, prefixes: &Prefixes<'_>, room: &Room) -> Option<String> {
    let writer = Writer { prefixes, room };
    let mut out = format!("eventType={}", event.get("type")?.as_str()?);
    for (name, shape) in ORDER {
        if let Some(value) = event.get(name) {
            out.push_str(&writer.standard(name, value, shape)?);
        }
    }
    let mut rest = Vec::new();
    for (name, value) in event {
        if IGNORED.contains(&name.as_str()) || ORDER.iter().any(|(known, _)| known == name) {
            continue;
        }
        match name.as_str() {
            "bizTransactionList" => {
                rest.push(writer.pairs(name, "bizTransaction", TRANSACTION.web, value)?);
            }
            "sourceList" => rest.push(writer.pairs(name, "source", PARTY.web, value)?),
            "destinationList" => rest.push(writer.pairs(name, "destination", PARTY.web, value)?),
            _extension => rest.extend(writer.extension(name, value)?),
        }
    }
    rest.sort();
    out.push_str(&rest.concat());
    Some(out)
}

struct Writer<'r, 'v> {
    prefixes: &'r Prefixes<'v>,
    room: &'r Room,
}

impl Writer<'_, '_> {
    fn standard(&self, name: &str, value: &Value, shape: Shape) -> Option<String> {
        match shape {
            Shape::Plain | Shape::AsIs | Shape::Time | Shape::Word(_) => {
                let mut texts = Vec::new();
                for one in value.one_or_many() {
                    texts.push(self.field(name, one, shape)?);
                }
                texts.sort();
                Some(texts.concat())
            }
            Shape::Epcs => self.list(name, value, |epc| self.field("epc", epc, Shape::Plain)),
            Shape::Quantities => self.list(name, value, |element| self.quantity(element)),
            Shape::Dispositions => {
                let word = Shape::Word(DISPOSITION.web);
                let mut out = String::new();
                for key in ["set", "unset"] {
                    if let Some(value) = value.get(key) {
                        out.push_str(&self.standard(key, value, word)?);
                    }
                }
                Some(format!("{name}{out}"))
            }
            Shape::Place => {
                let map = value.as_object()?;
                let id = match map.get("id") {
                    Some(id) => self.field("id", id, Shape::Plain)?,
                    None => String::new(),
                };
                Some(format!("{name}{id}{}", self.extensions(map, &["id"])?))
            }
            Shape::Sensors => self.list(name, value, |element| self.sensor_element(element)),
        }
    }

    /// A list's name and its elements, sorted; nothing for an empty list.
    fn list(
        &self,
        name: &str,
        value: &Value,
        element: impl Fn(&Value) -> Option<String>,
    ) -> Option<String> {
        let mut elements = value.as_array()?.iter().map(element).collect::<Option<Vec<_>>>()?;
        if elements.is_empty() {
            return Some(String::new());
        }
        elements.sort();
        Some(format!("{name}{}", elements.concat()))
    }

    fn quantity(&self, element: &Value) -> Option<String> {
        let mut out = "quantityElement".to_owned();
        for name in ["epcClass", "quantity", "uom"] {
            if let Some(value) = element.get(name) {
                out.push_str(&self.field(name, value, Shape::Plain)?);
            }
        }
        Some(out)
    }

    /// A business transaction, source or destination: its type first.
    fn pairs(&self, name: &str, member: &str, web: &'static str, value: &Value) -> Option<String> {
        self.list(name, value, |element| {
            // The reference has no answer for an element without a type.
            let kind = self.field("type", element.get("type")?, Shape::Word(web))?;
            Some(format!("{kind}{}", self.field(member, element.get(member)?, Shape::Plain)?))
        })
    }

    fn sensor_element(&self, element: &Value) -> Option<String> {
        let map = element.as_object()?;
        let mut out = "sensorElement".to_owned();
        if let Some(metadata) = map.get("sensorMetadata") {
            out.push_str("sensorMetadata");
            out.push_str(&self.ordered(metadata.as_object()?, &METADATA)?);
        }
        let mut reports = Vec::new();
        for report in map.get("sensorReport").and_then(Value::as_array).unwrap_or_default() {
            reports.push(format!("sensorReport{}", self.ordered(report.as_object()?, &REPORT)?));
        }
        reports.sort();
        out.push_str(&reports.concat());
        out.push_str(&self.extensions(map, &["sensorMetadata", "sensorReport"])?);
        Some(out)
    }

    fn ordered(&self, map: &Map, order: &[(&str, Shape)]) -> Option<String> {
        let mut out = String::new();
        for (name, shape) in order {
            if let Some(value) = map.get(*name) {
                out.push_str(&self.field(name, value, *shape)?);
            }
        }
        let known: Vec<&str> = order.iter().map(|(name, _)| *name).collect();
        out.push_str(&self.extensions(map, &known)?);
        Some(out)
    }

    /// `name=value` of a standard member; nothing if the value is empty.
    fn field(&self, name: &str, value: &Value, shape: Shape) -> Option<String> {
        let text = scalar(value)?;
        let text = match shape {
            Shape::Time => time(&text)?,
            Shape::AsIs => text,
            Shape::Word(web) => {
                self.value(&if is_bare(&text) { format!("{web}{text}") } else { text })?
            }
            Shape::Plain
            | Shape::Epcs
            | Shape::Quantities
            | Shape::Dispositions
            | Shape::Place
            | Shape::Sensors => self.value(&text)?,
        };
        Some(if text.is_empty() { text } else { format!("{name}={text}") })
    }

    /// The members of an object that are not known, sorted.
    fn extensions(&self, map: &Map, known: &[&str]) -> Option<String> {
        let mut out = Vec::new();
        for (name, value) in map.iter().filter(|(name, _)| !known.contains(&name.as_str())) {
            out.extend(self.extension(name, value)?);
        }
        out.sort();
        Some(out.concat())
    }

    /// One member of somebody's own: one text for each of its values.
    fn extension(&self, name: &str, value: &Value) -> Option<Vec<String>> {
        if matches!(name, "rdfs:comment" | "comment") {
            return Some(Vec::new());
        }
        let key = match name.split_once(':') {
            Some((prefix, local)) => match self.prefixes.namespace(prefix) {
                Some(namespace) => format!("{{{namespace}}}{local}"),
                None => name.to_owned(),
            },
            None => name.to_owned(),
        };
        // The key is written once for each value, and made even if there is none.
        let values = value.one_or_many();
        self.room.take(key.len().saturating_mul(values.len().max(1)))?;
        // The reference takes any member named …List for one of the standard's lists, whose elements have a name.
        let (outer, inner) = match key.strip_suffix("List") {
            Some(element) => (Some(key.as_str()), element),
            None => (None, key.as_str()),
        };
        let mut texts = Vec::new();
        for one in values {
            texts.push(format!("{inner}{}", self.extension_value(one)?));
        }
        match outer {
            Some(outer) if !texts.is_empty() => {
                texts.sort();
                Some(vec![format!("{outer}{}", texts.concat())])
            }
            Some(_) | None => Some(texts),
        }
    }

    fn extension_value(&self, value: &Value) -> Option<String> {
        match value {
            Value::Object(map) => self.extensions(map, &[]),
            Value::Array(items) => {
                let mut texts = items
                    .iter()
                    .map(|item| self.extension_value(item))
                    .collect::<Option<Vec<_>>>()?;
                texts.sort();
                Some(texts.concat())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                let text = self.value(&scalar(value)?)?;
                Some(if text.is_empty() { text } else { format!("={text}") })
            }
        }
    }

    /// A value in its normal form.
    fn value(&self, text: &str) -> Option<String> {
        let text = self.prefixes.expand(text.trim());
        let text = [STEP, DISPOSITION, TRANSACTION, PARTY, REASON]
            .iter()
            .find_map(|vocabulary| {
                text.strip_prefix(vocabulary.urn).map(|word| format!("{}{word}", vocabulary.web))
            })
            .unwrap_or_else(|| text.into_owned());
        let printed = numeric(&text)?;
        // Either may be long where little was written: a compact form in full, which may end as a short link, and `1e300`.
        self.room.take(text.len().max(printed.len()))?;
        Some(digital_link::normal(&printed).unwrap_or(printed))
    }
}

/// A bare word: neither a URI nor a compact form.
fn is_bare(text: &str) -> bool {
    !text.is_empty() && !text.contains(':')
}

/// A scalar as Python's `str` prints it, without the blanks around it.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some("None".to_owned()),
        Value::Bool(true) => Some("True".to_owned()),
        Value::Bool(false) => Some("False".to_owned()),
        Value::Number(number) => Some(number_text(*number)),
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// Whatever reads as a number is printed as one: `26.0` as `26`, `007` as `7`. The reference fails on infinity.
fn numeric(text: &str) -> Option<String> {
    let Some(number) = python_float(text) else { return Some(text.to_owned()) };
    if !number.is_finite() {
        return None;
    }
    if number.fract() == 0.0 {
        let whole = format!("{number:.0}");
        return Some(if whole == "-0" { "0".to_owned() } else { whole });
    }
    // Only numbers below one ten-thousandth are printed with an exponent, which has two digits at least.
    let scientific = format!("{number:e}");
    match scientific.split_once("e-") {
        Some((mantissa, exponent)) if exponent.parse().is_ok_and(|places: u32| places > 4) => {
            Some(format!("{mantissa}e-{exponent:0>2}"))
        }
        Some(_) | None => Some(format!("{number}")),
    }
}

/// What Python's `float` accepts, apart from digits of other scripts; "not a number" stays text.
fn python_float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned.to_ascii_lowercase().as_str(), "inf" | "infinity") {
        return Some(f64::INFINITY);
    }
    let bytes = text.as_bytes();
    let digit =
        |index: Option<usize>| index.and_then(|i| bytes.get(i)).is_some_and(u8::is_ascii_digit);
    for (index, byte) in bytes.iter().enumerate() {
        let fits = match byte {
            b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-' => true,
            b'_' => digit(index.checked_sub(1)) && digit(index.checked_add(1)),
            _other => false,
        };
        if !fits {
            return None;
        }
    }
    text.replace('_', "").parse().ok()
}

/// A time in UTC with three decimals. Half a millisecond goes to the even one; the reference fails above 0.9995 seconds.
fn time(text: &str) -> Option<String> {
    let Ok(instant) = text.parse::<jiff::Timestamp>() else { return Some(text.to_owned()) };
    let microseconds = instant.as_microsecond().rem_euclid(1_000_000);
    let (whole, rest) = (microseconds / 1000, microseconds % 1000);
    let rounded = match rest {
        0..500 => whole,
        500 => whole + whole % 2,
        _more => whole + 1,
    };
    if rounded > 999 {
        return None;
    }
    Some(format!("{}.{rounded:03}Z", instant.strftime("%Y-%m-%dT%H:%M:%S")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;
    use std::{fs, path::Path};

    /// The pre-hash and the hash of each event of a document.
    fn hashes(document: &[u8]) -> Vec<(Option<String>, Option<String>)> {
        let value = parse(document).unwrap();
        let context = value.get("@context");
        let prefixes = Prefixes::of(context);
        let events = value
            .get("epcisBody")
            .and_then(|body| body.get("eventList"))
            .and_then(Value::as_array)
            .unwrap();
        let room = Room::of_document();
        let one = |event: &Value| {
            let event = event.as_object().unwrap();
            let hash = hash(event, &prefixes, &room).unwrap();
            (prehash(event, &prefixes, &room), hash.map(|hash| identifier(&hash)))
        };
        events.iter().map(one).collect()
    }

    fn check(event: &str, want: &str) {
        let document = format!(
            r#"{{"@context":[{{"ex":"https://ex.org/"}}],"epcisBody":{{"eventList":[{event}]}}}}"#
        );
        assert_eq!(hashes(document.as_bytes())[0].0.as_deref().unwrap_or("none"), want, "{event}");
    }

    #[test]
    fn the_worked_case() {
        let document = r#"{
            "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld", {"example": "https://ns.example.com/epcis/"}],
            "epcisBody": {"eventList": [{
                "type": "ObjectEvent", "eventTime": "2020-03-04T11:00:30.000+01:00", "eventTimeZoneOffset": "+01:00",
                "recordTime": "2020-03-04T11:00:30.999+01:00", "action": "OBSERVE", "bizStep": "departing", "disposition": "in_transit",
                "epcList": ["urn:epc:id:sgtin:0614141.011111.987"],
                "readPoint": {"id": "urn:epc:id:sgln:4012345.00011.0", "example:myField1": "AB-12"},
                "bizTransactionList": [{"type": "po", "bizTransaction": "urn:epc:id:gdti:4012345.11111.123"}],
                "sourceList": [{"type": "owning_party", "source": "urn:epc:id:pgln:4012345.00000"}],
                "destinationList": [{"type": "owning_party", "destination": "urn:epc:id:pgln:0614141.00000"}],
                "example:userExt": "CD-34"
            }]}
        }"#;
        let (text, hash) = hashes(document.as_bytes()).remove(0);
        assert_eq!(
            text.unwrap(),
            "eventType=ObjectEventeventTime=2020-03-04T10:00:30.000ZeventTimeZoneOffset=+01:00epcListepc=https://id.gs1.org/01/00614141111114/21/987action=OBSERVEbizStep=https://ref.gs1.org/cbv/BizStep-departingdisposition=https://ref.gs1.org/cbv/Disp-in_transitreadPointid=https://id.gs1.org/414/4012345000115{https://ns.example.com/epcis/}myField1=AB-12bizTransactionListtype=https://ref.gs1.org/cbv/BTT-pobizTransaction=https://id.gs1.org/253/4012345111118123destinationListtype=https://ref.gs1.org/cbv/SDT-owning_partydestination=https://id.gs1.org/417/0614141000005sourceListtype=https://ref.gs1.org/cbv/SDT-owning_partysource=https://id.gs1.org/417/4012345000009{https://ns.example.com/epcis/}userExt=CD-34"
        );
        assert_eq!(
            hash.unwrap(),
            "ni:///sha-256;a13cbe6c8bb6df3710b3edaeff760a1365ec8fd69ca1f4d7e0c10eb5189a883a?ver=CBV2.0"
        );
    }

    #[test]
    fn members_are_ordered_and_values_are_normal() {
        for (event, want) in [
            (
                r#"{"type":"E","ex:b":"1","ex:a":[" 007 ","x"],"eventID":"u"}"#,
                "eventType=E{https://ex.org/}a=7{https://ex.org/}a=x{https://ex.org/}b=1",
            ),
            (
                r#"{"type":"E","un:a":"ex:v","ex:l":{"z":"","y":[]}}"#,
                "eventType=Eun:a=https://ex.org/v{https://ex.org/}lz",
            ),
            (
                r#"{"type":"E","ex:certificationList":{"certification":[{"a":1},{"a":2}]}}"#,
                "eventType=E{https://ex.org/}certificationList{https://ex.org/}certificationcertificationa=1certificationa=2",
            ),
            (
                r#"{"type":"E","ex:n":[26.0,1e-7,0.00015,1e21,"1e3","1_0","1__0","inf1","nan",true,null]}"#,
                "eventType=E{https://ex.org/}n=0.00015{https://ex.org/}n=10{https://ex.org/}n=1000{https://ex.org/}n=1000000000000000000000{https://ex.org/}n=1__0{https://ex.org/}n=1e-07{https://ex.org/}n=26{https://ex.org/}n=None{https://ex.org/}n=True{https://ex.org/}n=inf1{https://ex.org/}n=nan",
            ),
            (r#"{"type":"E","ex:n":"-Infinity"}"#, "none"),
            (
                r#"{"type":"E","eventTime":"2020-01-01T00:00:00.0005Z"}"#,
                "eventType=EeventTime=2020-01-01T00:00:00.000Z",
            ),
            (
                r#"{"type":"E","eventTime":"2020-01-01T08:00:00.0015+08:00"}"#,
                "eventType=EeventTime=2020-01-01T00:00:00.002Z",
            ),
            (r#"{"type":"E","eventTime":"2020-01-01T00:00:00.9996Z"}"#, "none"),
            (
                r#"{"type":"E","ex:time":"2020-01-01T08:00:00+08:00"}"#,
                "eventType=E{https://ex.org/}time=2020-01-01T08:00:00+08:00",
            ),
            (r#"{"type":"E","bizTransactionList":[{"bizTransaction":"urn:x:y"}]}"#, "none"),
            (
                r#"{"type":"E","bizStep":"urn:epcglobal:cbv:bizstep:shipping","disposition":"active"}"#,
                "eventType=EbizStep=https://ref.gs1.org/cbv/BizStep-shippingdisposition=https://ref.gs1.org/cbv/Disp-active",
            ),
            (
                r#"{"type":"E","persistentDisposition":{"unset":["recalled"],"set":["active","ex:d"]}}"#,
                "eventType=EpersistentDispositionset=https://ex.org/dset=https://ref.gs1.org/cbv/Disp-activeunset=https://ref.gs1.org/cbv/Disp-recalled",
            ),
            (
                r#"{"type":"E","epcList":[],"rdfs:comment":"c","errorDeclaration":{}}"#,
                "eventType=E",
            ),
        ] {
            check(event, want);
        }
    }

    fn data(name: &str) -> Option<std::path::PathBuf> {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/epcis").join(name);
        if !path.exists() {
            println!("skipped: {} is not here", path.display());
            return None;
        }
        Some(path)
    }

    #[test]
    fn the_vectors_of_the_reference_agree() {
        let Some(folder) = data("cbv-hash-vectors") else { return };
        let mut count = 0;
        let mut wrong = Vec::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "jsonld") {
                continue;
            }
            let read =
                |extension: &str| fs::read_to_string(path.with_extension(extension)).unwrap();
            let got = hashes(&fs::read(&path).unwrap());
            let (texts, ids) = (read("prehashes"), read("hashes"));
            let wanted = texts.lines().zip(ids.lines()).filter(|(text, _)| !text.is_empty());
            for (index, ((text, id), want)) in
                got.into_iter().zip(wanted.chain(std::iter::repeat(("", "")))).enumerate()
            {
                count += 1;
                if (text.as_deref(), id.as_deref()) != (Some(want.0), Some(want.1)) {
                    wrong.push(format!("{} {index}\n{text:?}\n{want:?}", path.display()));
                }
            }
        }
        assert_eq!(count, 21);
        assert!(wrong.is_empty(), "{} of {count}: {}", wrong.len(), wrong.join("\n"));
    }

    #[test]
    fn the_vectors_computed_with_the_reference_agree() {
        let Some(list) = data("cbv-extended-vectors.jsonl") else { return };
        let (mut count, mut wrong) = (0, Vec::new());
        for line in fs::read_to_string(&list).unwrap().lines() {
            count += 1;
            let vector: serde_json::Value = serde_json::from_str(line).unwrap();
            let file = list.with_file_name(vector["file"].as_str().unwrap());
            let index: usize = vector["index"].as_u64().unwrap().try_into().unwrap();
            let (text, id) = hashes(&fs::read(&file).unwrap()).swap_remove(index);
            if id.as_deref() != vector["cbv_hash"].as_str() {
                wrong.push(format!("{} {index}\n{text:?}", file.display()));
            }
        }
        assert_eq!(count, 20);
        assert!(wrong.is_empty(), "{}: {}", wrong.len(), wrong.join("\n"));
    }
}
