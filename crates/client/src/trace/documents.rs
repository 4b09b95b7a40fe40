//! What the documents say that the ledger does not: places, quantities, and the licences behind an event.
//!
//! A document is believed as far as its digest goes: an event of it is the one behind a record if the record commits to it.

use crate::exit::{Exit, Stop};
use client::{Client, api::SubjectView, graph::Graph};
use records::{Capture, identifiers::LicenceIdentifier};
use serde::Serialize;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};
use types::{
    Digest, Subject, Text, Timestamp,
    operation::{Action, Grade},
    subject::{Facts, Status},
};

/// The most licences that are asked for.
const LICENCES_MAX: usize = 1000;

/// What an event's document says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Detail {
    /// Where: `bizLocation`, or else `readPoint`.
    pub(crate) place: Option<String>,
    /// How much, by lot.
    pub(crate) quantities: BTreeMap<String, String>,
    /// The licences it names.
    pub(crate) licences: BTreeSet<String>,
}

/// A licence, as it stood when it was needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Licence {
    /// Its status now; none when it is not on the ledger.
    pub(crate) status: Option<Status>,
    /// From when that is so.
    pub(crate) since: Option<Timestamp>,
    /// From when it was to be valid.
    pub(crate) valid_from: Option<Timestamp>,
    /// Until when.
    pub(crate) valid_until: Option<Timestamp>,
}

/// The documents at hand, by the digest of each record's content.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    details: BTreeMap<Digest, Detail>,
    licences: BTreeMap<String, Licence>,
}

impl Documents {
    /// Reads documents.
    ///
    /// # Errors
    /// When a file cannot be read, or is not a document.
    pub(crate) fn open(paths: &[PathBuf]) -> Result<Self, Stop> {
        let mut found = Self::default();
        for path in paths {
            let bytes = fs::read(path).map_err(|why| Stop::file(path, why))?;
            let lines = path.extension().is_some_and(|name| name == "ndjson" || name == "jsonl");
            if lines {
                for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                    found.read(path, line)?;
                }
            } else {
                found.read(path, &bytes)?;
            }
        }
        Ok(found)
    }

    fn read(&mut self, path: &Path, document: &[u8]) -> Result<(), Stop> {
        let wrong = |why: String| Stop::says(Exit::Usage, format!("{}: {why}", path.display()));
        // Of the operation only the commitment is used, and that knows nothing of its capture.
        let capture = Capture {
            system: Text::new("minlian").expect("a plain word"),
            version: Text::new("1").expect("a plain word"),
            captured_at: Timestamp::default(),
            grade: Grade::Internal,
        };
        let prepared = records::prepare(document, &capture)
            .map_err(|faults| wrong(faults.first().map(ToString::to_string).unwrap_or_default()))?;
        let value: Value =
            serde_json::from_slice(document).map_err(|why| wrong(why.to_string()))?;
        for one in prepared {
            if let (Action::Trace(_), Some(event)) = (&one.operation.action, value.pointer(&one.at))
            {
                self.details.insert(one.operation.commitment.content, Detail::of(event));
            }
        }
        Ok(())
    }

    /// Asks for the licences that the events of a graph name, as far as their documents are here.
    ///
    /// # Errors
    /// When there is no answer.
    pub(crate) async fn join(&mut self, graph: &Graph, client: &Client) -> Result<(), Stop> {
        let details = graph.events().values().filter_map(|event| self.details.get(&event.content));
        let named: BTreeSet<String> =
            details.flat_map(|detail| detail.licences.iter().cloned()).collect();
        for id in named.into_iter().take(LICENCES_MAX) {
            let Ok(subject) = format!("licence:{id}").parse::<Subject>() else { continue };
            let found = client.subject(&subject).await?;
            self.licences.insert(id, Licence::of(found));
        }
        Ok(())
    }

    /// What the document behind a record says, if it is here.
    pub(crate) fn detail(&self, content: &Digest) -> Option<&Detail> {
        self.details.get(content)
    }

    /// How a licence stands.
    pub(crate) fn licence(&self, id: &str) -> Option<&Licence> {
        self.licences.get(id)
    }
}

impl Detail {
    fn of(event: &Value) -> Self {
        let place = ["bizLocation", "readPoint"]
            .into_iter()
            .find_map(|name| event.get(name)?.get("id")?.as_str())
            .map(str::to_owned);
        let mut quantities = BTreeMap::new();
        for list in ["quantityList", "childQuantityList", "inputQuantityList", "outputQuantityList"]
        {
            for element in event.get(list).and_then(Value::as_array).into_iter().flatten() {
                if let (Some(lot), Some(quantity)) =
                    (element.get("epcClass").and_then(Value::as_str), element.get("quantity"))
                {
                    let unit = element.get("uom").and_then(Value::as_str).unwrap_or_default();
                    quantities.insert(lot.to_owned(), format!("{quantity} {unit}").trim().into());
                }
            }
        }
        let mut licences = BTreeSet::new();
        find_licences(event, &mut licences);
        Self { place, quantities, licences }
    }
}

/// Every text in an event that is a licence's identifier, check digit and all.
fn find_licences(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            if LicenceIdentifier::parse(text).is_ok() {
                found.insert(text.clone());
            }
        }
        Value::Array(items) => items.iter().for_each(|item| find_licences(item, found)),
        Value::Object(map) => map.values().for_each(|item| find_licences(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl Licence {
    fn of(view: Option<SubjectView>) -> Self {
        let state = view.map(|view| view.state);
        let facts = state.as_ref().and_then(|state| {
            if let Facts::Licence { facts, .. } = &state.facts { Some(facts.clone()) } else { None }
        });
        Self {
            status: state.as_ref().map(|state| state.status),
            since: state.map(|state| state.effective_from),
            valid_from: facts.as_ref().map(|facts| facts.valid_from),
            valid_until: facts.and_then(|facts| facts.valid_until),
        }
    }

    /// Whether it was good for an event at a time, as far as its latest status says.
    pub(crate) fn covers(&self, time: Timestamp) -> bool {
        let (Some(status), Some(since), Some(from)) = (self.status, self.since, self.valid_from)
        else {
            return false;
        };
        let stood = status == Status::Active || since > time;
        stood && from <= time && self.valid_until.is_none_or(|until| time < until)
    }
}
