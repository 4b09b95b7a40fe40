//! Where implementations of the CBV event hash part, or make one thing of two: what to know of an event's hash before relying on it.

use crate::{
    cbv::Ambiguity,
    context::Prefixes,
    json::{Map, Value},
};
use std::collections::BTreeSet;

/// The members whose own members the standard names; all else in an event is somebody's extension.
const LISTS: [&str; 12] = [
    "epcList",
    "childEPCs",
    "inputEPCList",
    "outputEPCList",
    "quantityList",
    "childQuantityList",
    "inputQuantityList",
    "outputQuantityList",
    "bizTransactionList",
    "sourceList",
    "destinationList",
    "persistentDisposition",
];

/// What there is to know of the hash of an event that was found sound.
pub(crate) fn of(event: &Map, prefixes: &Prefixes<'_>) -> BTreeSet<Ambiguity> {
    let mut found = Finder { prefixes, words: words(event), found: BTreeSet::new() };
    let some = |name: &str| {
        event.get(name).is_some_and(|value| value.as_array().is_none_or(|items| !items.is_empty()))
    };
    let together = [
        (["sourceList", "destinationList"], Ambiguity::SourceAndDestination),
        (["sensorElementList", "bizTransactionList"], Ambiguity::SensorAndTransaction),
        (["ilmd", "sourceList"], Ambiguity::IlmdAndSource),
    ];
    for (names, ambiguity) in together {
        if names.into_iter().all(some) {
            found.found.insert(ambiguity);
        }
    }
    let transaction = event.get("type").and_then(Value::as_str) == Some("TransactionEvent");
    if transaction && some("parentID") && (some("epcList") || some("quantityList")) {
        found.found.insert(Ambiguity::ParentAndList);
    }
    if some("certificationInfo") {
        found.found.insert(Ambiguity::Certification);
    }
    for element in event.get("bizTransactionList").and_then(Value::as_array).unwrap_or_default() {
        found.found.insert(if element.get("type").is_some() {
            Ambiguity::TransactionOrder
        } else {
            Ambiguity::TransactionWithoutType
        });
    }
    for time in ["eventTime"].into_iter().filter_map(|name| event.get(name)?.as_str()) {
        found.time(time);
    }
    for (name, value) in event {
        match name.as_str() {
            "@context" | "eventID" | "recordTime" | "errorDeclaration" | "rdfs:comment"
            | "comment" => {}
            "readPoint" | "bizLocation" => found.place(value),
            "sensorElementList" => found.sensors(value),
            "ilmd" => found.extensions(value),
            name if LISTS.contains(&name) => found.standard(value),
            name if name.contains(':') => found.extension(name, value),
            _standard => found.text(value),
        }
    }
    found.found
}

/// The bare words of the standard that the event uses.
fn words(event: &Map) -> BTreeSet<String> {
    ["bizStep", "disposition"]
        .into_iter()
        .filter_map(|name| event.get(name)?.as_str())
        .filter(|word| !word.contains(':'))
        .map(str::to_owned)
        .collect()
}

struct Finder<'r, 'v> {
    prefixes: &'r Prefixes<'v>,
    words: BTreeSet<String>,
    found: BTreeSet<Ambiguity>,
}

impl Finder<'_, '_> {
    /// The reference keeps three decimals and lets half a millisecond go to the even one, or fails; others do otherwise.
    fn time(&mut self, text: &str) {
        let Some((_, fraction)) = text.split_once('.') else { return };
        let digits: String = fraction.chars().take_while(char::is_ascii_digit).collect();
        let rest = digits.get(3..).unwrap_or_default();
        if rest.bytes().any(|digit| digit != b'0') {
            let fails = digits.starts_with("999") && rest.as_bytes().first() >= Some(&b'5');
            self.found.insert(if fails { Ambiguity::Overflow } else { Ambiguity::Rounding });
        }
    }

    fn place(&mut self, value: &Value) {
        for (name, value) in value.as_object().into_iter().flatten() {
            if name == "id" {
                self.text(value);
            } else {
                self.found.insert(Ambiguity::ExtensionInside);
                self.extension(name, value);
            }
        }
    }

    fn sensors(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.sensors(item)),
            Value::Object(map) => {
                for (name, value) in map {
                    if name.contains(':') {
                        self.found.insert(Ambiguity::ExtensionInside);
                        self.extension(name, value);
                    } else {
                        if matches!(name.as_str(), "time" | "startTime" | "endTime")
                            && let Some(text) = value.as_str()
                        {
                            self.time(text);
                        }
                        self.sensors(value);
                    }
                }
            }
            Value::Bool(_) => {
                self.found.insert(Ambiguity::Boolean);
            }
            Value::Null | Value::Number(_) | Value::String(_) => self.text(value),
        }
    }

    /// Members of the standard's own shapes.
    fn standard(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.standard(item)),
            Value::Object(map) => map.values().for_each(|value| self.standard(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => self.text(value),
        }
    }

    fn extensions(&mut self, value: &Value) {
        for (name, value) in value.as_object().into_iter().flatten() {
            self.extension(name, value);
        }
    }

    fn extension(&mut self, name: &str, value: &Value) {
        if matches!(name, "rdfs:comment" | "comment") {
            return;
        }
        if name.ends_with("List") {
            self.found.insert(Ambiguity::ListSuffix);
        }
        if let Some((prefix, _)) = name.split_once(':')
            && self.prefixes.namespace(prefix).is_none()
        {
            self.found.insert(Ambiguity::UndeclaredPrefix);
        }
        for one in value.one_or_many() {
            match one {
                Value::Object(_) => self.extensions(one),
                Value::Array(items) => items.iter().for_each(|item| self.extension(name, item)),
                Value::Bool(_) | Value::Null => {
                    self.found.insert(Ambiguity::Boolean);
                }
                Value::Number(_) | Value::String(_) => {
                    if one.as_str().is_some_and(|text| self.words.contains(text)) {
                        self.found.insert(Ambiguity::BareWord);
                    }
                    self.text(one);
                }
            }
        }
    }

    fn text(&mut self, value: &Value) {
        let Some(text) = value.as_str() else { return };
        // The hash has nothing between one member and the next but what the values leave.
        if text.contains(['=', '{', '}']) {
            self.found.insert(Ambiguity::Injection);
        }
        if text != text.trim() || crate::cbv::is_coerced(text) {
            self.found.insert(Ambiguity::Coerced);
        }
        if text.chars().any(is_combining) {
            self.found.insert(Ambiguity::Combining);
        }
    }
}

/// Characters that join the one before, or of which one is written in two ways: no form of Unicode is asked for.
const fn is_combining(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{1100}'..='\u{11ff}' | '\u{3099}' | '\u{309a}' | '\u{f900}'..='\u{faff}')
}
