//! Events beyond their schema: EPC URIs, members that contradict one another, what links events, and hashes that collide.

#![cfg(test)]

use records::{Capture, cbv, prepare};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};
use types::{
    Operation, Text,
    operation::{Action, Grade, TraceEvent},
    subject::Part,
};

const CONTEXT: &str = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld";
const PALLET: &str = "urn:epc:id:sscc:9521001.0000000001";
const BOX: &str = "urn:epc:id:sgtin:9521001.010017.1";
const LOT: &str = "urn:epc:class:lgtin:9521001.010017.A1";

fn capture() -> Capture {
    Capture {
        system: Text::new("test").unwrap(),
        version: Text::new("1").unwrap(),
        captured_at: "2026-11-23T00:00:00Z".parse().unwrap(),
        grade: Grade::Public,
    }
}

/// An event of a kind, with members added, replaced, or taken away by `null`.
fn event(kind: &str, more: &Value) -> Value {
    let mut event = json!({
        "@context": [CONTEXT, {"ex": "https://ex.example/"}], "type": kind,
        "eventTime": "2026-05-12T04:40:00.000+08:00", "eventTimeZoneOffset": "+08:00",
    });
    let base = match kind {
        "ObjectEvent" => json!({"action": "OBSERVE", "epcList": [PALLET]}),
        "AggregationEvent" | "AssociationEvent" => {
            json!({"action": "ADD", "parentID": PALLET, "childEPCs": [BOX]})
        }
        "TransactionEvent" => {
            json!({"action": "ADD", "epcList": [PALLET],
                   "bizTransactionList": [{"type": "po", "bizTransaction": "urn:epcglobal:cbv:bt:9521001000001:1"}]})
        }
        "TransformationEvent" => {
            json!({"inputEPCList": [PALLET], "outputQuantityList": [{"epcClass": LOT}]})
        }
        other => panic!("{other}"),
    };
    for (name, value) in base.as_object().unwrap().iter().chain(more.as_object().unwrap()) {
        if value.is_null() {
            event.as_object_mut().unwrap().remove(name);
        } else {
            event[name] = value.clone();
        }
    }
    event
}

fn outcome(document: &Value) -> String {
    match prepare(&serde_json::to_vec(document).unwrap(), &capture()) {
        Ok(_) => "ok".to_owned(),
        Err(faults) => {
            let all: Vec<_> = faults.iter().map(|f| format!("{} {}", f.code, f.at)).collect();
            all.join(", ")
        }
    }
}

fn operation(document: &Value) -> Operation {
    prepare(&serde_json::to_vec(document).unwrap(), &capture())
        .unwrap_or_else(|faults| panic!("{document}: {faults:?}"))
        .remove(0)
        .operation
}

fn trace(document: &Value) -> TraceEvent {
    let Action::Trace(event) = operation(document).action else { panic!("not an event") };
    event
}

#[test]
fn what_the_schema_lets_pass_is_refused_at_its_place() {
    for (kind, more, want) in [
        // EPC URIs.
        (
            "ObjectEvent",
            json!({"epcList": ["urn:epc:id:sgtin:9521001.01001.1"]}),
            "E-REC-028 /epcList/0",
        ),
        (
            "ObjectEvent",
            json!({"epcList": [PALLET, "urn:epc:id:sgln:9521001.00011"]}),
            "E-REC-028 /epcList/1",
        ),
        ("ObjectEvent", json!({"epcList": [LOT]}), "E-REC-028 /epcList/0"),
        (
            "ObjectEvent",
            json!({"epcList": ["urn:epc:tag:sscc-96:0.9521001.0000000001"]}),
            "E-REC-028 /epcList/0",
        ),
        (
            "ObjectEvent",
            json!({"quantityList": [{"epcClass": BOX}]}),
            "E-REC-028 /quantityList/0/epcClass",
        ),
        (
            "ObjectEvent",
            json!({"quantityList": [{"epcClass": "urn:epc:class:lgtin:9521001.010017"}]}),
            "E-REC-028 /quantityList/0/epcClass",
        ),
        (
            "ObjectEvent",
            json!({"quantityList": [{"epcClass": "urn:epc:idpat:sgtin:9521001.010017.*"}]}),
            "ok",
        ),
        (
            "AggregationEvent",
            json!({"parentID": "urn:epc:id:sscc:95210010000000001"}),
            "E-REC-028 /parentID",
        ),
        (
            "AggregationEvent",
            json!({"childEPCs": ["urn:epc:id:sgtin:9521001.010017.*"]}),
            "E-REC-028 /childEPCs/0",
        ),
        (
            "TransformationEvent",
            json!({"inputEPCList": ["urn:epc:id:grai:9521001.0001.1"]}),
            "E-REC-028 /inputEPCList/0",
        ),
        // Half a transformation has to be joined to the other by something that can be.
        (
            "TransformationEvent",
            json!({"inputEPCList": null, "transformationID": "mixing-1:2"}),
            "E-REC-024 /transformationID",
        ),
        ("TransformationEvent", json!({"transformationID": "mixing-1:2"}), "ok"),
        // Counts without a unit are whole.
        (
            "ObjectEvent",
            json!({"quantityList": [{"epcClass": LOT, "quantity": 1.5}]}),
            "E-REC-025 /quantityList/0/quantity",
        ),
        (
            "ObjectEvent",
            json!({"quantityList": [{"epcClass": LOT, "quantity": 1.5, "uom": "KGM"}]}),
            "ok",
        ),
        ("ObjectEvent", json!({"quantityList": [{"epcClass": LOT, "quantity": 2}]}), "ok"),
        // Containers.
        ("AggregationEvent", json!({"childEPCs": [BOX, PALLET]}), "E-REC-027 /parentID"),
        ("AssociationEvent", json!({"childEPCs": [PALLET]}), "E-REC-027 /parentID"),
        ("TransactionEvent", json!({"parentID": PALLET}), "ok"),
        // Dispositions.
        (
            "ObjectEvent",
            json!({"persistentDisposition": {"set": ["recalled"], "unset": ["urn:epcglobal:cbv:disp:recalled"]}}),
            "E-REC-027 /persistentDisposition/set/0",
        ),
        (
            "ObjectEvent",
            json!({"persistentDisposition": {"set": ["recalled"], "unset": ["expired"]}}),
            "ok",
        ),
        // Spans.
        (
            "ObjectEvent",
            json!({"sensorElementList": [{"sensorMetadata": {"startTime": "2026-05-12T05:00:00Z", "endTime": "2026-05-12T04:00:00Z"}, "sensorReport": [{"type": "Temperature"}]}]}),
            "E-REC-027 /sensorElementList/0/sensorMetadata/startTime",
        ),
        (
            "ObjectEvent",
            json!({"sensorElementList": [{"sensorReport": [{"type": "Temperature", "minValue": 5, "maxValue": 4}]}]}),
            "E-REC-027 /sensorElementList/0/sensorReport/0/minValue",
        ),
        // Steps that end something.
        (
            "ObjectEvent",
            json!({"action": "ADD", "bizStep": "decommissioning"}),
            "E-REC-022 /action",
        ),
        ("ObjectEvent", json!({"action": "DELETE", "bizStep": "decommissioning"}), "ok"),
        (
            "AggregationEvent",
            json!({"bizStep": "https://ref.gs1.org/cbv/BizStep-unpacking"}),
            "E-REC-022 /action",
        ),
        (
            "AggregationEvent",
            json!({"action": "DELETE", "bizStep": "urn:epcglobal:cbv:bizstep:unpacking"}),
            "ok",
        ),
    ] {
        assert_eq!(outcome(&event(kind, &more)), want, "{kind} {more}");
    }
}

#[test]
fn every_type_of_event_gives_its_lots_their_parts() {
    use Part::{Child, Input, Observed, Output, Parent};
    let shared = "urn:epc:id:gdti:9521001.00002.T1";
    for (kind, more, want) in [
        ("ObjectEvent", json!({}), vec![(PALLET, Observed)]),
        ("ObjectEvent", json!({"action": "ADD", "ilmd": {"ex:a": 1}}), vec![(PALLET, Output)]),
        ("ObjectEvent", json!({"action": "DELETE"}), vec![(PALLET, Observed)]),
        ("AggregationEvent", json!({}), vec![(BOX, Child), (PALLET, Parent)]),
        ("AssociationEvent", json!({}), vec![(BOX, Child), (PALLET, Parent)]),
        (
            "TransactionEvent",
            json!({"parentID": "urn:epc:id:sscc:9521001.0000000002"}),
            vec![(PALLET, Observed), ("urn:epc:id:sscc:9521001.0000000002", Parent)],
        ),
        ("TransformationEvent", json!({}), vec![(LOT, Output), (PALLET, Input)]),
        // Two halves of one transformation meet in what they share.
        (
            "TransformationEvent",
            json!({"transformationID": shared, "outputQuantityList": null}),
            vec![(shared, Output), (PALLET, Input)],
        ),
        (
            "TransformationEvent",
            json!({"transformationID": shared, "inputEPCList": null}),
            vec![(LOT, Output), (shared, Input)],
        ),
        (
            "TransformationEvent",
            json!({"transformationID": shared}),
            vec![(LOT, Output), (PALLET, Input)],
        ),
    ] {
        let got = trace(&event(kind, &more)).lots;
        let got: BTreeSet<(&str, Part)> =
            got.iter().map(|(lot, part)| (lot.as_str(), *part)).collect();
        assert_eq!(got, want.into_iter().collect(), "{kind} {more}");
    }
}

/// The pairs of different events that the pitfalls name, by the name of the pitfall.
fn colliding() -> Vec<(&'static str, Value, Value)> {
    let object = |more: Value| event("ObjectEvent", &more);
    let serial = |text: &str| object(json!({"ex:serial": text}));
    let id = |uri: &str| object(json!({"epcList": [uri]}));
    let error = json!({"declarationTime": "2026-05-13T00:00:00Z", "reason": "did_not_occur"});
    vec![
        (
            "field-injection-in-extension",
            object(json!({"ex:a": "1{https://ex.example/}b=2"})),
            object(json!({"ex:a": "1", "ex:b": "2"})),
        ),
        (
            "field-injection-across-standard-fields",
            object(json!({"bizStep": "urn:x:adisposition=urn:x:b"})),
            object(json!({"bizStep": "urn:x:a", "disposition": "urn:x:b"})),
        ),
        ("numeric-coercion-leading-zero", serial("007"), serial("7")),
        ("numeric-coercion-big", serial("12345678901234567890"), serial("12345678901234567891")),
        ("numeric-coercion-exponent", serial("1e3"), serial("1000")),
        (
            "errorDeclaration-excluded",
            object(json!({})),
            object(json!({"errorDeclaration": error})),
        ),
        (
            "recordTime-eventID-excluded",
            object(json!({"eventID": "urn:x:1"})),
            object(json!({"eventID": "urn:x:2", "recordTime": "2026-05-12T05:00:00Z"})),
        ),
        (
            "digital-link-domain-dropped",
            id("https://id.gs1.org/01/09521141012345/21/2017"),
            id("https://evil.example/01/09521141012345/21/2017"),
        ),
        (
            "serial-wins-over-lot",
            id("https://id.gs1.org/01/09521141012345/10/A/21/2017"),
            id("https://id.gs1.org/01/09521141012345/10/B/21/2017"),
        ),
        ("duplicate-whitespace", serial(" x"), serial("x ")),
        // Not named there: order of lists, the type of a scalar, one or many.
        (
            "order-of-a-list",
            object(json!({"epcList": [PALLET, BOX]})),
            object(json!({"epcList": [BOX, PALLET]})),
        ),
        ("number-or-text", object(json!({"ex:n": 1})), object(json!({"ex:n": "1"}))),
        ("one-or-many", object(json!({"ex:n": "a"})), object(json!({"ex:n": ["a"]}))),
        (
            "half-a-millisecond",
            object(json!({"eventTime": "2026-05-12T04:40:00.0001Z"})),
            object(json!({"eventTime": "2026-05-12T04:40:00.0002Z"})),
        ),
        ("comment", object(json!({"rdfs:comment": "a"})), object(json!({"rdfs:comment": "b"}))),
    ]
}

#[test]
fn events_whose_cbv_hash_collides_never_share_a_record() {
    let agency = "11350000MXDEX0015L".parse().unwrap();
    for (name, one, other) in colliding() {
        let (one, other) = (operation(&one), operation(&other));
        let hash = |operation: &Operation| {
            let Action::Trace(event) = &operation.action else { panic!("not an event") };
            event.cbv_hash.expect("the reference has an answer")
        };
        assert_eq!(hash(&one), hash(&other), "{name}: the pair is meant to collide");
        assert_ne!(one.commitment.content, other.commitment.content, "{name}");
        assert_ne!(one.commitment.document, other.commitment.document, "{name}");
        assert_ne!(one.record(&agency), other.record(&agency), "{name}");
    }
}

/// An event in which each of the pitfalls called ambiguous occurs, by the name of the pitfall.
fn ambiguous() -> Vec<(&'static str, Value)> {
    let object = |more: Value| event("ObjectEvent", &more);
    let party =
        |name: &str| json!([{"type": "owning_party", name: "urn:epc:id:pgln:9521001.00000"}]);
    let sensor = json!([{"sensorReport": [{"type": "Temperature", "value": 1}]}]);
    let order = json!([{"type": "po", "bizTransaction": "urn:epcglobal:cbv:bt:9521001000001:1"}]);
    let untyped = json!([{"bizTransaction": "urn:epcglobal:cbv:bt:9521001000001:1"}]);
    vec![
        (
            "source+destination",
            object(json!({"sourceList": party("source"), "destinationList": party("destination")})),
        ),
        (
            "sensor+bizTransaction",
            object(json!({"sensorElementList": sensor, "bizTransactionList": order})),
        ),
        (
            "ilmd+source",
            object(json!({"action": "ADD", "ilmd": {"ex:a": "b"}, "sourceList": party("source")})),
        ),
        (
            "transaction-parent+epcList",
            event("TransactionEvent", &json!({"parentID": "urn:epc:id:sscc:9521001.0000000002"})),
        ),
        ("bizTransaction-member-order", object(json!({"bizTransactionList": order}))),
        ("bizTransaction-without-type", object(json!({"bizTransactionList": untyped}))),
        ("round-half-even", object(json!({"eventTime": "2026-05-12T04:40:00.0005Z"}))),
        ("round-overflow", object(json!({"eventTime": "2026-05-12T04:40:00.9996Z"}))),
        ("list-suffixed-extension", object(json!({"ex:thingList": {"ex:thing": "a"}}))),
        ("boolean-extension", object(json!({"ex:frozen": true}))),
        ("standard-prefix-not-declared", object(json!({"cbvmda:countryOfOrigin": "CN"}))),
        ("cjk-value", object(json!({"ex:name": "e\u{301}"}))),
        ("bare-string-capture", object(json!({"bizStep": "shipping", "ex:note": "shipping"}))),
        ("extension-in-a-place", object(json!({"readPoint": {"id": "urn:x:1", "ex:a": "b"}}))),
        ("certification-info", object(json!({"certificationInfo": "https://ex.example/c"}))),
        ("numeric-coercion", object(json!({"ex:serial": "007"}))),
        ("field-injection", object(json!({"ex:a": "1{https://ex.example/}b=2"}))),
    ]
}

#[test]
fn a_hash_on_which_implementations_part_is_flagged() {
    let found = |document: &Value| -> Vec<&str> {
        let bytes = serde_json::to_vec(document).unwrap();
        let prepared = prepare(&bytes, &capture()).unwrap_or_else(|faults| panic!("{faults:?}"));
        prepared[0].ambiguous.iter().map(|one| one.name()).collect()
    };
    assert_eq!(found(&event("ObjectEvent", &json!({"ex:own": "a"}))), Vec::<&str>::new());
    for (name, document) in ambiguous() {
        assert!(found(&document).contains(&name), "{name}: {:?}", found(&document));
    }
}

/// Every pitfall that others have found is one of those above: a pair that collides, or an ambiguity that is flagged.
#[test]
fn every_pitfall_on_the_list_is_covered() {
    let list = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data/epcis/cbv-hash-pitfalls.json");
    let Ok(list) = fs::read(&list) else {
        println!("skipped: {} is not here", list.display());
        return;
    };
    let list: Vec<BTreeMap<String, String>> = serde_json::from_slice(&list).unwrap();
    assert!(list.len() >= 23, "{}", list.len());
    for pitfall in list {
        let name = pitfall["name"].as_str();
        let covered = match pitfall["kind"].as_str() {
            "collision" => colliding().iter().any(|(known, ..)| *known == name),
            "ambiguous" => ambiguous().iter().any(|(known, _)| *known == name),
            other => panic!("{other}"),
        };
        assert!(covered, "{name}");
    }
    assert_eq!(cbv::PROFILE, "refpy");
}

#[test]
fn a_seed_label_is_read_line_by_line() {
    let label = "榕优示例8号\n某种业公司(示例)\n35072220260000000217\nhttps://trace.example.cn/s/1";
    let good = json!({
        "op": "seed.label", "at": "2026-03-02T08:30:00+08:00", "label": label, "permit": "1.2.156.3005.2.X",
        "lot": "urn:epc:class:lgtin:9521006.060011.PC2026-RY8-02", "variety": "榕优示例8号",
    });
    let Action::Seed(act) = operation(&good).action else { panic!("not a seed label") };
    assert_eq!(act.unit.as_str(), "35072220260000000217");
    assert_eq!(act.lot.as_str(), "urn:epc:class:lgtin:9521006.060011.PC2026-RY8-02");
    for (name, value, want) in [
        (
            "label",
            json!(label.replace("35072220260000000217", "350722202600000002171")),
            "E-REC-054 /label",
        ),
        ("label", json!(label.replace("35072220260000000217", "3507-2")), "E-REC-054 /label"),
        ("label", json!("榕优示例8号\n\n1\nhttps://a.cn"), "E-REC-054 /label"),
        ("label", json!(format!("{label}\n")), "E-REC-054 /label"),
        ("label", json!(label.replace("https://", "trace://")), "E-REC-054 /label"),
        ("label", Value::Null, "E-REC-011 "),
        ("permit", Value::Null, "E-REC-011 "),
        ("lot", Value::Null, "E-REC-011 "),
        ("variety", json!("另一品种"), "E-REC-047 /variety"),
        ("at", json!("today"), "E-REC-015 /at"),
        ("units", json!(1), "E-REC-012 /units"),
    ] {
        let mut document = good.clone();
        if value.is_null() {
            document.as_object_mut().unwrap().remove(name);
        } else {
            document[name] = value;
        }
        assert_eq!(outcome(&document), want, "{name}");
    }
}
