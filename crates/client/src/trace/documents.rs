//! What the documents say that the ledger does not: places, quantities, and the licences behind an event.
//!
//! A document is believed as far as its digest goes: an event of it is the one behind a record if the record commits to it.

use super::{Found, history};
use crate::exit::{Exit, Stop};
use client::{Client, ClientError, api::SubjectView, graph::Graph};
use records::{Capture, identifiers::LicenceIdentifier};
use serde::Serialize;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};
use types::{
    Digest, Operation, Subject, Text, Timestamp,
    operation::{Action, Grade, LicenceId},
    standing,
    subject::{Facts, Status},
};

/// The most licences that are asked for, and the most digests.
const LICENCES_MAX: usize = 1000;
/// The most acts on one licence that are looked at.
const ACTS_MAX: usize = 1000;

/// What an event's document says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Detail {
    /// Where: `bizLocation`, or else `readPoint`.
    pub(crate) place: Option<String>,
    /// How much, by lot.
    pub(crate) quantities: BTreeMap<String, String>,
    /// The licences it names: by identifier, by a commitment to that, or by the digest of their documents.
    pub(crate) licences: BTreeSet<String>,
    /// The digests it names, which may be those of licences' documents.
    #[serde(skip)]
    digests: BTreeSet<Digest>,
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
    /// Its name on the ledger, and every act on it in order; none when the node could not show all of them.
    #[serde(skip)]
    acts: Option<(LicenceId, Vec<Operation>)>,
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
        let contents: BTreeSet<Digest> =
            graph.events().values().map(|event| event.content).collect();
        let here = |contents: &BTreeSet<Digest>, details: &BTreeMap<Digest, Detail>| {
            let found = contents.iter().filter_map(|content| details.get(content));
            found.cloned().collect::<Vec<_>>()
        };
        let details = here(&contents, &self.details);
        let digests: BTreeSet<Digest> =
            details.into_iter().flat_map(|detail| detail.digests).collect();
        for digest in digests.into_iter().take(LICENCES_MAX) {
            let behind = of_document(client, &digest).await?;
            for content in &contents {
                if let Some(detail) = self.details.get_mut(content)
                    && detail.digests.contains(&digest)
                {
                    detail.licences.extend(behind.iter().cloned());
                }
            }
        }
        let details = here(&contents, &self.details);
        let named: BTreeSet<String> =
            details.into_iter().flat_map(|detail| detail.licences).collect();
        for id in named.into_iter().take(LICENCES_MAX) {
            let Ok(licence) = id.parse::<LicenceId>() else { continue };
            let subject = Subject::licence(&licence);
            let found = client.subject(&subject).await?;
            let acts = if found.is_some() { acts(client, &subject).await? } else { None };
            self.licences.insert(id, Licence::of(found, acts.map(|acts| (licence, acts))));
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
        let mut detail = Self { place, quantities, ..Self::default() };
        detail.find_licences(event);
        detail
    }

    /// Every text in an event that names a licence: an identifier, check digit and all, or a commitment to one; and every
    /// digest, which may be that of a licence's document.
    fn find_licences(&mut self, value: &Value) {
        match value {
            Value::String(text) => {
                if LicenceIdentifier::parse(text).is_ok() || records::is_hidden(text) {
                    self.licences.insert(text.clone());
                } else if let Ok(digest) = text.parse() {
                    self.digests.insert(digest);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.find_licences(item)),
            Value::Object(map) => map.values().for_each(|item| self.find_licences(item)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// The licences whose records commit to a document.
async fn of_document(client: &Client, document: &Digest) -> Result<BTreeSet<String>, Stop> {
    let found = match client.records(document).await {
        Ok(found) => found,
        Err(why) if is_dropped(&why) => return Ok(BTreeSet::new()),
        Err(why) => return Err(why.into()),
    };
    let licence = |operation: &Operation| match &operation.action {
        Action::Licence(act) => Some(act.licence.to_string()),
        Action::Item(_)
        | Action::Trace(_)
        | Action::Govern(_)
        | Action::List(_)
        | Action::Batch(_)
        | Action::Seed(_)
        | Action::Use(_) => None,
    };
    Ok(found.records.iter().filter_map(|record| licence(&record.operation)).collect())
}

/// Every act on a licence, in order; none when the node cannot show all of them.
async fn acts(client: &Client, subject: &Subject) -> Result<Option<Vec<Operation>>, Stop> {
    match history(client, subject, ACTS_MAX).await {
        Ok(Found::Whole(rows)) if rows.len() <= ACTS_MAX => {
            Ok(Some(rows.into_iter().map(|row| row.record.operation).collect()))
        }
        Ok(Found::Whole(_) | Found::Beginning(_)) => Ok(None),
        Err(why) if is_dropped(&why) => Ok(None),
        Err(why) => Err(why.into()),
    }
}

/// Whether a node has forgotten what would be needed for the answer.
fn is_dropped(why: &ClientError) -> bool {
    matches!(why, ClientError::Problem(problem) if problem.code == "E-BODY-DROPPED")
}

impl Licence {
    fn of(view: Option<SubjectView>, acts: Option<(LicenceId, Vec<Operation>)>) -> Self {
        let state = view.map(|view| view.state);
        let facts = state.as_ref().and_then(|state| {
            if let Facts::Licence { facts, .. } = &state.facts { Some(facts.clone()) } else { None }
        });
        Self {
            status: state.as_ref().map(|state| state.status),
            since: state.map(|state| state.effective_from),
            valid_from: facts.as_ref().map(|facts| facts.valid_from),
            valid_until: facts.and_then(|facts| facts.valid_until),
            acts,
        }
    }

    /// Whether it was good for an event at a time, by everything that was done to it.
    pub(crate) fn covers(&self, time: Timestamp) -> bool {
        self.acts.as_ref().is_some_and(|(id, acts)| standing::status_at(id, acts, time).is_valid())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use types::{
        Region,
        operation::{Commitment, LicenceAction, LicenceFacts, LicenceVerb, Provenance},
    };

    fn act(verb: LicenceVerb, from: u64) -> Operation {
        let digest = Digest::blake3(b"");
        Operation {
            action: Action::Licence(LicenceAction { licence: "L".parse().unwrap(), verb }),
            commitment: Commitment { document: digest, content: digest, fields: None },
            effective_from: Timestamp(from),
            grade: Grade::Public,
            provenance: Provenance {
                system: "t".parse().unwrap(),
                version: "1".parse().unwrap(),
                captured_at: Timestamp(0),
            },
        }
    }

    #[test]
    fn a_licence_covers_what_fell_between_its_suspensions() {
        let facts = LicenceFacts {
            kind: "T".parse().unwrap(),
            region: Region::new("350000").unwrap(),
            valid_from: Timestamp(10),
            valid_until: Some(Timestamp(100)),
        };
        let all = vec![
            act(LicenceVerb::Issue(facts), 10),
            act(LicenceVerb::Suspend, 20),
            act(LicenceVerb::Resume, 30),
            act(LicenceVerb::Suspend, 40),
        ];
        let covers = |acts: Option<Vec<Operation>>, time: u64| {
            let acts = acts.map(|acts| ("L".parse().unwrap(), acts));
            Licence::of(None, acts).covers(Timestamp(time))
        };
        for (time, want) in [
            (9, false),
            (10, true),
            (20, false),
            (29, false),
            (30, true),
            (40, false),
            (100, false),
        ] {
            assert_eq!(covers(Some(all.clone()), time), want, "at {time}");
        }
        // It is resumed now, and was not good then; and of what is not whole nothing is said.
        assert!(!covers(Some(all[..3].to_vec()), 25));
        assert!(covers(Some(all[..3].to_vec()), 35));
        assert!(!covers(None, 35));
    }

    #[test]
    fn licences_are_named_in_three_ways() {
        let plain = "1.2.156.3005.2.11350000XXXX000270001.11350122XXXX0006X9.2022000001.001.9";
        let hidden = format!("c1:{}", "0a".repeat(32));
        let digest = Digest::blake3(b"a licence's document");
        let detail = Detail::of(&json!({
            "ilmd": {"x:list": [{"x:permit": plain}, hidden, {"x:document": digest.to_string()}]},
            "x:other": ["c1:0", "blake3:0", "sha256", 1, null],
        }));
        assert_eq!(detail.licences, BTreeSet::from([plain.to_owned(), hidden]));
        assert_eq!(detail.digests, BTreeSet::from([digest]));
    }
}
