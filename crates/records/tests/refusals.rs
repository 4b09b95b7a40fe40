//! What is refused: each row is a right document, one change, and the code and place of the fault it must cause.

#![cfg(test)]

use proptest::prelude::*;
use records::{
    Capture, DOCUMENT_BYTES_MAX, FAULTS_MAX, Match, Prepared, RECORDS_MAX, cbv::Room, matches,
    prepare, prepare_within,
};
use serde_json::{Value, json};
use types::{
    Text,
    operation::{Action, Grade, ItemVerb, LicenceVerb},
};

fn capture() -> Capture {
    Capture {
        system: Text::new("test").unwrap(),
        version: Text::new("1").unwrap(),
        captured_at: "2026-11-23T00:00:00Z".parse().unwrap(),
        grade: Grade::Internal,
    }
}

/// A merge patch (RFC 7396): `null` takes a member away.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (name, change) in changes {
        if change.is_null() {
            target.as_object_mut().unwrap().remove(name);
        } else {
            merge(&mut target[name.as_str()], change);
        }
    }
}

/// `ok`, or the codes and places of the faults.
fn outcome(document: &[u8]) -> String {
    match prepare(document, &capture()) {
        Ok(_) => "ok".to_owned(),
        Err(faults) => {
            assert!(faults.iter().all(|fault| !fault.message.is_empty() && !fault.zh.is_empty()));
            let all: Vec<String> = faults
                .iter()
                .map(|fault| format!("{} {}", fault.code, fault.at).trim_end().to_owned())
                .collect();
            all.join(", ")
        }
    }
}

fn check(base: &Value, patch: &Value, want: &str) {
    let mut document = base.clone();
    merge(&mut document, patch);
    assert_eq!(outcome(&serde_json::to_vec(&document).unwrap()), want, "{patch}");
}

fn prepared(document: &Value) -> Prepared {
    prepare(&serde_json::to_vec(document).unwrap(), &capture()).unwrap().remove(0)
}

const CONTEXT: &str = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld";
const LOT: &str = "urn:epc:class:lgtin:9521001.010017.A1";
const EPC: &str = "urn:epc:id:sscc:9521001.0000000001";

fn event(kind: &str) -> Value {
    let mut event = json!({
        "@context": [CONTEXT, {"ex": "https://ex.example/"}],
        "type": kind, "eventTime": "2026-05-12T04:40:00+08:00", "eventTimeZoneOffset": "+08:00",
        "bizStep": "inspecting", "disposition": "active", "readPoint": {"id": "geo:26.0,120.7"},
    });
    merge(
        &mut event,
        &match kind {
            "ObjectEvent" => {
                json!({"action": "ADD", "epcList": [EPC], "quantityList": [{"epcClass": LOT, "quantity": 1.5, "uom": "KGM"}]})
            }
            "AggregationEvent" | "AssociationEvent" => {
                json!({"action": "ADD", "parentID": EPC, "childEPCs": ["urn:epc:id:sgtin:9521001.010017.1"]})
            }
            "TransactionEvent" => {
                json!({"action": "ADD", "epcList": [EPC], "bizTransactionList": [{"type": "po", "bizTransaction": "urn:epcglobal:cbv:bt:9521001000001:1"}]})
            }
            "TransformationEvent" => {
                json!({"inputEPCList": [EPC], "outputQuantityList": [{"epcClass": LOT}]})
            }
            _other => panic!("{kind}"),
        },
    );
    event
}

#[test]
fn malformed_events_are_refused_where_they_are_wrong() {
    for (kind, patch, want) in [
        // Right as they are.
        ("ObjectEvent", json!({}), "ok"),
        ("AggregationEvent", json!({}), "ok"),
        ("AssociationEvent", json!({}), "ok"),
        ("TransactionEvent", json!({}), "ok"),
        ("TransformationEvent", json!({}), "ok"),
        ("ObjectEvent", json!({"epcList": [], "quantityList": null}), "ok"),
        (
            "ObjectEvent",
            json!({"epcList": null, "quantityList": null, "sensorElementList": [{"sensorReport": [{"type": "Temperature", "value": 1}]}]}),
            "ok",
        ),
        ("AggregationEvent", json!({"action": "DELETE", "childEPCs": null}), "ok"),
        ("AggregationEvent", json!({"action": "OBSERVE", "parentID": null}), "ok"),
        ("TransformationEvent", json!({"inputEPCList": null, "transformationID": "urn:x:1"}), "ok"),
        (
            "ObjectEvent",
            json!({"ex:own": {"anything": [1, null]}, "rdfs:comment": "c", "https://ex.example/own": 1}),
            "ok",
        ),
        ("ObjectEvent", json!({"bizStep": "urn:epcglobal:cbv:bizstep:shipping"}), "ok"),
        ("ObjectEvent", json!({"bizStep": "https://ref.gs1.org/cbv/BizStep-shipping"}), "ok"),
        ("ObjectEvent", json!({"bizStep": "https://ex.example/step/drying"}), "ok"),
        ("ObjectEvent", json!({"bizStep": null, "disposition": null, "readPoint": null}), "ok"),
        // Type and context.
        ("ObjectEvent", json!({"type": "ObjectEvents"}), "E-REC-020 /type"),
        ("ObjectEvent", json!({"type": "https://ex.example/MyEvent"}), "E-REC-020 /type"),
        ("ObjectEvent", json!({"type": 1}), "E-REC-013 /type"),
        ("ObjectEvent", json!({"@context": null}), "E-REC-011"),
        ("ObjectEvent", json!({"@context": "https://ex.example/context"}), "E-REC-020 /@context"),
        ("ObjectEvent", json!({"@context": [CONTEXT, 1]}), "E-REC-013 /@context"),
        // Time.
        ("ObjectEvent", json!({"eventTime": null}), "E-REC-011"),
        ("ObjectEvent", json!({"eventTime": "2026-05-12T04:40:00"}), "E-REC-015 /eventTime"),
        ("ObjectEvent", json!({"eventTime": "yesterday"}), "E-REC-015 /eventTime"),
        ("ObjectEvent", json!({"eventTime": "2026-13-12T04:40:00Z"}), "E-REC-015 /eventTime"),
        ("ObjectEvent", json!({"eventTime": "2026-05-12 04:40:00Z"}), "E-REC-015 /eventTime"),
        ("ObjectEvent", json!({"eventTime": 1778532000}), "E-REC-013 /eventTime"),
        ("ObjectEvent", json!({"recordTime": "2026"}), "E-REC-015 /recordTime"),
        ("ObjectEvent", json!({"eventTimeZoneOffset": null}), "E-REC-011"),
        ("ObjectEvent", json!({"eventTimeZoneOffset": "+8"}), "E-REC-021 /eventTimeZoneOffset"),
        ("ObjectEvent", json!({"eventTimeZoneOffset": "+14:30"}), "E-REC-021 /eventTimeZoneOffset"),
        ("ObjectEvent", json!({"eventTimeZoneOffset": "Z"}), "E-REC-021 /eventTimeZoneOffset"),
        // Action.
        ("ObjectEvent", json!({"action": null}), "E-REC-011"),
        ("AggregationEvent", json!({"action": "add"}), "E-REC-022 /action"),
        ("TransactionEvent", json!({"action": "UPDATE"}), "E-REC-022 /action"),
        ("AssociationEvent", json!({"action": null}), "E-REC-011"),
        ("TransformationEvent", json!({"action": "ADD"}), "E-REC-016 /action"),
        // Words.
        ("ObjectEvent", json!({"bizStep": "Shipping"}), "E-REC-023 /bizStep"),
        ("ObjectEvent", json!({"bizStep": "drying"}), "E-REC-023 /bizStep"),
        ("ObjectEvent", json!({"bizStep": ""}), "E-REC-023 /bizStep, E-REC-014 /bizStep"),
        (
            "ObjectEvent",
            json!({"bizStep": "urn:epcglobal:cbv:bizstep:drying"}),
            "E-REC-023 /bizStep",
        ),
        (
            "ObjectEvent",
            json!({"bizStep": "https://ref.gs1.org/cbv/BizStep-drying"}),
            "E-REC-023 /bizStep",
        ),
        ("ObjectEvent", json!({"disposition": "in transit"}), "E-REC-023 /disposition"),
        ("ObjectEvent", json!({"persistentDisposition": {}}), "E-REC-011 /persistentDisposition"),
        (
            "ObjectEvent",
            json!({"persistentDisposition": {"set": []}}),
            "E-REC-013 /persistentDisposition/set",
        ),
        (
            "ObjectEvent",
            json!({"persistentDisposition": {"set": ["gone"]}}),
            "E-REC-023 /persistentDisposition/set/0",
        ),
        (
            "ObjectEvent",
            json!({"persistentDisposition": {"sets": ["active"], "set": ["active"]}}),
            "E-REC-012 /persistentDisposition/sets",
        ),
        // Identifiers of goods.
        ("ObjectEvent", json!({"epcList": ["A1"]}), "E-REC-024 /epcList/0"),
        ("ObjectEvent", json!({"epcList": [EPC, "urn:批次:1"]}), "E-REC-024 /epcList/1"),
        ("ObjectEvent", json!({"epcList": ["geo:1,2"]}), "E-REC-024 /epcList/0"),
        ("ObjectEvent", json!({"epcList": ["undeclared:1"]}), "E-REC-024 /epcList/0"),
        ("ObjectEvent", json!({"epcList": ["https:///01/1"]}), "E-REC-024 /epcList/0"),
        ("ObjectEvent", json!({"epcList": ["urn:x:a b"]}), "E-REC-024 /epcList/0"),
        ("ObjectEvent", json!({"epcList": [1]}), "E-REC-013 /epcList/0"),
        ("ObjectEvent", json!({"epcList": EPC}), "E-REC-013 /epcList"),
        ("ObjectEvent", json!({"epcList": [EPC, EPC]}), "E-REC-027 /epcList/1"),
        (
            "ObjectEvent",
            json!({"epcList": [format!("urn:x:{}", "1".repeat(300))]}),
            "E-REC-014 /epcList/0",
        ),
        ("ObjectEvent", json!({"epcList": vec![EPC; 1025]}), "E-REC-005 /epcList"),
        ("AggregationEvent", json!({"parentID": "pallet 1"}), "E-REC-024 /parentID"),
        // Quantities.
        ("ObjectEvent", json!({"quantityList": [{"quantity": 1}]}), "E-REC-011 /quantityList/0"),
        (
            "ObjectEvent",
            json!({"quantityList": [{"epcClass": LOT, "quantity": "1"}]}),
            "E-REC-025 /quantityList/0/quantity",
        ),
        (
            "ObjectEvent",
            json!({"quantityList": [{"epcClass": LOT, "quantity": -1}]}),
            "E-REC-025 /quantityList/0/quantity",
        ),
        (
            "ObjectEvent",
            json!({"quantityList": [{"epcClass": LOT, "quantity": 1, "uom": "kg"}]}),
            "E-REC-025 /quantityList/0/uom",
        ),
        (
            "ObjectEvent",
            json!({"quantityList": [{"epcClass": LOT, "quantity": 1, "uom": "KILO"}]}),
            "E-REC-025 /quantityList/0/uom",
        ),
        (
            "ObjectEvent",
            json!({"quantityList": [{"epcClass": LOT, "uom": "KGM"}]}),
            "E-REC-025 /quantityList/0/uom",
        ),
        (
            "ObjectEvent",
            json!({"quantityList": [{"epcClass": LOT, "amount": 1}]}),
            "E-REC-012 /quantityList/0/amount",
        ),
        ("ObjectEvent", json!({"quantityList": [LOT]}), "E-REC-013 /quantityList/0"),
        // What has to be there, and what must not.
        ("ObjectEvent", json!({"epcList": null, "quantityList": null}), "E-REC-027"),
        ("AggregationEvent", json!({"parentID": null}), "E-REC-027"),
        ("AggregationEvent", json!({"childEPCs": []}), "E-REC-027"),
        ("AssociationEvent", json!({"parentID": null, "action": "OBSERVE"}), "E-REC-027"),
        ("TransactionEvent", json!({"bizTransactionList": null}), "E-REC-027"),
        ("TransactionEvent", json!({"epcList": null}), "E-REC-027"),
        ("TransformationEvent", json!({"inputEPCList": null}), "E-REC-027"),
        ("TransformationEvent", json!({"outputQuantityList": []}), "E-REC-027"),
        ("ObjectEvent", json!({"childEPCs": [EPC]}), "E-REC-016 /childEPCs"),
        ("AggregationEvent", json!({"ilmd": {"ex:a": 1}}), "E-REC-016 /ilmd"),
        ("ObjectEvent", json!({"ilmd": {"ex:a": 1}, "action": "OBSERVE"}), "E-REC-016 /ilmd"),
        // Members nobody owns.
        ("ObjectEvent", json!({"weather": "fine"}), "E-REC-026 /weather"),
        ("ObjectEvent", json!({"bizstep": "shipping"}), "E-REC-026 /bizstep"),
        ("ObjectEvent", json!({":x": 1, "y:": 2}), "E-REC-026 /:x, E-REC-026 /y:"),
        ("ObjectEvent", json!({"ilmd": {"lotNumber": "A1"}}), "E-REC-026 /ilmd/lotNumber"),
        ("ObjectEvent", json!({"a/b~c": 1}), "E-REC-026 /a~1b~0c"),
        (
            "ObjectEvent",
            json!({"ilmd": {"ex:seedLabel": "榕优示例8号\n某种业公司\n1"}}),
            "E-REC-054 /ilmd/ex:seedLabel",
        ),
        // Places, parties, certificates.
        ("ObjectEvent", json!({"readPoint": "geo:1,2"}), "E-REC-013 /readPoint"),
        ("ObjectEvent", json!({"readPoint": {"id": null, "ex:a": 1}}), "E-REC-011 /readPoint"),
        ("ObjectEvent", json!({"readPoint": {"id": "here"}}), "E-REC-024 /readPoint/id"),
        (
            "ObjectEvent",
            json!({"bizLocation": {"id": "urn:x:1", "name": "港"}}),
            "E-REC-026 /bizLocation/name",
        ),
        (
            "ObjectEvent",
            json!({"bizTransactionList": [{"type": "purchase", "bizTransaction": "urn:x:1"}]}),
            "E-REC-023 /bizTransactionList/0/type",
        ),
        (
            "ObjectEvent",
            json!({"bizTransactionList": [{"type": "po"}]}),
            "E-REC-011 /bizTransactionList/0",
        ),
        (
            "ObjectEvent",
            json!({"bizTransactionList": [{"bizTransaction": "PO 1"}]}),
            "E-REC-024 /bizTransactionList/0/bizTransaction",
        ),
        ("ObjectEvent", json!({"sourceList": [{"source": "urn:x:1"}]}), "E-REC-011 /sourceList/0"),
        (
            "ObjectEvent",
            json!({"sourceList": [{"type": "owner", "source": "urn:x:1"}]}),
            "E-REC-023 /sourceList/0/type",
        ),
        (
            "ObjectEvent",
            json!({"destinationList": [{"type": "location", "destination": "urn:x:1", "note": ""}]}),
            "E-REC-012 /destinationList/0/note",
        ),
        (
            "ObjectEvent",
            json!({"destinationList": {"type": "location"}}),
            "E-REC-013 /destinationList",
        ),
        (
            "ObjectEvent",
            json!({"certificationInfo": "certificate 1"}),
            "E-REC-024 /certificationInfo",
        ),
        (
            "ObjectEvent",
            json!({"certificationInfo": ["https://ex.example/1", 2]}),
            "E-REC-013 /certificationInfo/1",
        ),
        ("ObjectEvent", json!({"eventID": "17"}), "E-REC-024 /eventID"),
        // Sensors.
        ("ObjectEvent", json!({"sensorElementList": [{}]}), "E-REC-011 /sensorElementList/0"),
        (
            "ObjectEvent",
            json!({"sensorElementList": [{"sensorReport": []}]}),
            "E-REC-013 /sensorElementList/0/sensorReport",
        ),
        (
            "ObjectEvent",
            json!({"sensorElementList": [{"sensorReport": [{"value": 1}]}]}),
            "E-REC-011 /sensorElementList/0/sensorReport/0",
        ),
        (
            "ObjectEvent",
            json!({"sensorElementList": [{"sensorReport": [{"type": "Temperature", "value": "1"}]}]}),
            "E-REC-013 /sensorElementList/0/sensorReport/0/value",
        ),
        (
            "ObjectEvent",
            json!({"sensorElementList": [{"sensorReport": [{"type": "Temperature", "temp": 1}]}]}),
            "E-REC-026 /sensorElementList/0/sensorReport/0/temp",
        ),
        (
            "ObjectEvent",
            json!({"sensorElementList": [{"sensorReport": [{"type": "Angle", "component": "up"}]}]}),
            "E-REC-023 /sensorElementList/0/sensorReport/0/component",
        ),
        (
            "ObjectEvent",
            json!({"sensorElementList": [{"sensorReport": [{"type": "A", "hexBinaryValue": "0x1"}]}]}),
            "E-REC-013 /sensorElementList/0/sensorReport/0/hexBinaryValue",
        ),
        (
            "ObjectEvent",
            json!({"sensorElementList": [{"sensorReport": [{"type": "A", "booleanValue": "true"}]}]}),
            "E-REC-013 /sensorElementList/0/sensorReport/0/booleanValue",
        ),
        (
            "ObjectEvent",
            json!({"sensorElementList": [{"sensorMetadata": {"time": "noon"}, "sensorReport": [{"type": "A"}]}]}),
            "E-REC-015 /sensorElementList/0/sensorMetadata/time",
        ),
        (
            "ObjectEvent",
            json!({"sensorElementList": [{"sensorMetadata": {"deviceID": "7"}, "sensorReport": [{"type": "A"}]}]}),
            "E-REC-024 /sensorElementList/0/sensorMetadata/deviceID",
        ),
        // Error declarations.
        // A correction names what it corrects, by the event's identifier or by its hash, which needs a type.
        (
            "TransactionEvent",
            json!({"bizTransactionList": [{"bizTransaction": "urn:epcglobal:cbv:bt:9521001000001:1"}],
                   "errorDeclaration": {"declarationTime": "2026-05-13T04:40:00Z"}}),
            "E-REC-029 /errorDeclaration",
        ),
        (
            "TransactionEvent",
            json!({"bizTransactionList": [{"bizTransaction": "urn:epcglobal:cbv:bt:9521001000001:1"}],
                   "eventID": "urn:uuid:1", "errorDeclaration": {"declarationTime": "2026-05-13T04:40:00Z"}}),
            "ok",
        ),
        (
            "TransactionEvent",
            json!({"errorDeclaration": {"declarationTime": "2026-05-13T04:40:00Z"}}),
            "ok",
        ),
        (
            "ObjectEvent",
            json!({"errorDeclaration": {"reason": "incorrect_data"}}),
            "E-REC-011 /errorDeclaration",
        ),
        (
            "ObjectEvent",
            json!({"errorDeclaration": {"declarationTime": "2026", "reason": "oops"}}),
            "E-REC-015 /errorDeclaration/declarationTime, E-REC-023 /errorDeclaration/reason",
        ),
        (
            "ObjectEvent",
            json!({"errorDeclaration": {"declarationTime": "2026-05-13T04:40:00Z", "correctiveEventIDs": ["2"]}}),
            "E-REC-024 /errorDeclaration/correctiveEventIDs/0",
        ),
        (
            "ObjectEvent",
            json!({"errorDeclaration": {"declarationTime": "2026-05-13T04:40:00Z", "by": "x"}}),
            "E-REC-026 /errorDeclaration/by",
        ),
        // What is too long in full is not written out, so that nothing else is said of it.
        (
            "ObjectEvent",
            json!({"@context": [CONTEXT, {"ex": format!("{} ", "x".repeat(256))}], "epcList": ["ex:1"]}),
            "E-REC-014 /epcList/0",
        ),
        // People.
        ("ObjectEvent", json!({"epcList": ["urn:ex:11010519491231002X"]}), "E-REC-052 /epcList/0"),
        ("ObjectEvent", json!({"epcList": ["urn:ex:holder:13800138000"]}), "E-REC-052 /epcList/0"),
        (
            "ObjectEvent",
            json!({"quantityList": [{"epcClass": "urn:epc:class:lgtin:9521001.010017.11010519491231002X"}]}),
            "E-REC-052 /quantityList/0/epcClass",
        ),
        ("ObjectEvent", json!({"eventID": "urn:ex:13800138000"}), "E-REC-052 /eventID"),
    ] {
        check(&event(kind), &patch, want);
    }
}

#[test]
fn gdst_elements_are_named() {
    let base = {
        let mut base = event("ObjectEvent");
        let vessel = json!({"cbvmda:vesselFlagState": "CN", "gdst:imoNumber": "IMO9990007"});
        merge(
            &mut base,
            &json!({
                "bizStep": "urn:gdst:bizStep:fishingEvent", "gdst:productOwner": "urn:x:o", "cbvmda:informationProvider": "urn:x:p",
                "gdst:humanWelfarePolicy": "Internal",
                "ilmd": {
                    "cbvmda:productionMethodForFishAndSeafoodCode": "MARINE_FISHERY",
                    "cbvmda:vesselCatchInformationList": {"cbvmda:vesselCatchInformation": [vessel]},
                },
            }),
        );
        base
    };
    let vessel = |member: &str, value: &str| {
        let mut vessel = json!({"cbvmda:vesselFlagState": "CN", "gdst:imoNumber": "IMO9990007"});
        vessel[member] = json!(value);
        json!({"ilmd": {"cbvmda:vesselCatchInformationList": {"cbvmda:vesselCatchInformation": [vessel]}}})
    };
    const VESSEL: &str = "/ilmd/cbvmda:vesselCatchInformationList/cbvmda:vesselCatchInformation/0";
    for (patch, want) in [
        (json!({}), "ok".to_owned()),
        (json!({"gdst:productOwner": null}), "E-REC-030".to_owned()),
        (json!({"cbvmda:informationProvider": null}), "E-REC-030".to_owned()),
        (
            json!({"cbvmda:informationProvider": " "}),
            "E-REC-030 /cbvmda:informationProvider".to_owned(),
        ),
        (json!({"gdst:humanWelfarePolicy": null}), "E-REC-030".to_owned()),
        (
            json!({"gdst:humanWelfarePolicy": "Yes"}),
            "E-REC-031 /gdst:humanWelfarePolicy, E-REC-031 /gdst:humanWelfarePolicy".to_owned(),
        ),
        (
            json!({"ilmd": {"cbvmda:productionMethodForFishAndSeafoodCode": null}}),
            "E-REC-030 /ilmd".to_owned(),
        ),
        (
            json!({"ilmd": {"cbvmda:vesselCatchInformationList": null}}),
            "E-REC-030 /ilmd".to_owned(),
        ),
        (vessel("gdst:imoNumber", "9990007"), format!("E-REC-031 {VESSEL}/gdst:imoNumber")),
        (
            vessel("cbvmda:vesselFlagState", "China"),
            format!("E-REC-031 {VESSEL}/cbvmda:vesselFlagState"),
        ),
        (json!({"bizStep": "urn:gdst:bizStep:landing"}), "E-REC-030".to_owned()),
        (json!({"bizStep": "urn:gdst:bizStep:hatching"}), "E-REC-030 /ilmd".to_owned()),
        (
            json!({"bizStep": "urn:gdst:bizStep:farmHarvest"}),
            "E-REC-030 /ilmd, E-REC-031 /ilmd/cbvmda:productionMethodForFishAndSeafoodCode"
                .to_owned(),
        ),
        (
            json!({"bizStep": "commissioning", "ilmd": {"gdst:proteinSource": "wild"}}),
            "E-REC-030 /ilmd".to_owned(),
        ),
        (
            json!({"ilmd": {"cbvmda:certificationList": {"certification": [{"gdst:certificationType": "coc"}]}}}),
            "E-REC-031 /ilmd/cbvmda:certificationList/certification/0/gdst:certificationType"
                .to_owned(),
        ),
        // The prefix is the document's choice; the namespace counts, with a slash or without.
        (
            json!({"@context": [CONTEXT, {"g": "https://traceability-dialogue.org/epcis/"}], "gdst:productOwner": null, "g:productOwner": "urn:x:o"}),
            "ok".to_owned(),
        ),
    ] {
        check(&base, &patch, &want);
    }
}

#[test]
fn envelopes_are_checked() {
    let event = event("ObjectEvent");
    let document = json!({
        "@context": [CONTEXT, {"ex": "https://ex.example/"}], "type": "EPCISDocument", "schemaVersion": "2.0",
        "creationDate": "2026-05-12T04:40:00Z", "epcisBody": {"eventList": [event]},
    });
    let query = json!({
        "@context": [CONTEXT], "type": "EPCISQueryDocument",
        "epcisBody": {"queryResults": {"queryName": "q", "resultsBody": {"eventList": [event]}}},
    });
    let mut long = event.clone();
    long["@context"] = json!([CONTEXT, {"ex": "x".repeat(20_000)}]);
    for (base, patch, want) in [
        (&document, json!({}), "ok"),
        (
            &document,
            json!({"epcisHeader": {"epcisMasterData": {"vocabularyList": []}}, "sender": "x", "ex:own": 1}),
            "ok",
        ),
        (&document, json!({"@context": null}), "E-REC-011"),
        (&document, json!({"schemaVersion": "1.2"}), "E-REC-020 /schemaVersion"),
        (&document, json!({"creationDate": null}), "E-REC-011"),
        (&document, json!({"creationDate": "2026-05-12"}), "E-REC-015 /creationDate"),
        (&document, json!({"epcisBody": {"eventList": []}}), "E-REC-060"),
        (&document, json!({"epcisBody": {"eventList": null}}), "E-REC-011 /epcisBody"),
        (&document, json!({"epcisBody": {"eventList": {}}}), "E-REC-013 /epcisBody/eventList"),
        (&document, json!({"epcisBody": {"events": []}}), "E-REC-026 /epcisBody/events"),
        (&document, json!({"extra": 1}), "E-REC-026 /extra"),
        (
            &document,
            json!({"epcisBody": {"eventList": [{"type": "ObjectEvent"}, 7]}}),
            "E-REC-011 /epcisBody/eventList/0, E-REC-011 /epcisBody/eventList/0, E-REC-011 /epcisBody/eventList/0, E-REC-027 /epcisBody/eventList/0, E-REC-013 /epcisBody/eventList/1",
        ),
        (
            &document,
            json!({"@context": long["@context"], "epcisBody": {"eventList": [event, event]}}),
            "E-REC-005 /@context",
        ),
        (&query, json!({}), "ok"),
        (
            &query,
            json!({"epcisBody": {"queryResults": {"resultsBody": null}}}),
            "E-REC-011 /epcisBody/queryResults",
        ),
        (
            &query,
            json!({"epcisBody": {"queryResults": {"resultsBody": {"eventList": [7]}}}}),
            "E-REC-013 /epcisBody/queryResults/resultsBody/eventList/0",
        ),
        (&json!([event, event]), json!([event, event]), "ok"),
        (&json!(null), json!([event, long]), "E-REC-005 /1/@context"),
        (&json!(null), json!([event, document]), "E-REC-016 /1"),
        (&json!(null), json!([]), "E-REC-060"),
        (&json!(null), json!({}), "E-REC-010"),
        (&json!(null), json!("text"), "E-REC-010"),
        (&json!(null), json!({"operations": []}), "E-REC-060"),
        (&json!(null), json!({"operations": [{}]}), "E-REC-011 /operations/0"),
        (&json!(null), json!({"operations": [], "operation": 1}), "E-REC-012 /operation"),
    ] {
        check(base, &patch, want);
    }
}

const LICENCE: &str = "1.2.156.3005.2.11350000XXXX000270001.11350122XXXX0006X9.2022000001.001.9";
const NEXT: &str = "1.2.156.3005.2.11350000XXXX000270001.11350122XXXX0006X9.2022000001.002.7";
const SALT: &str = "00112233445566778899aabbccddeeff";

fn issue() -> Value {
    json!({
        "op": "licence.issue", "at": "2022-01-10T09:00:00+08:00",
        "meta": {
            "证照标识": LICENCE, "证照类型代码": "11350000XXXX000270001", "证照有效期起始": "20220110", "证照有效期截至": "20270109",
            "证照所属管辖属地编码": "350122", "持证主体代码类型": "001", "备注": {"任意": [1]},
        },
    })
}

#[test]
fn malformed_licence_operations_are_refused() {
    let suspend = json!({"op": "licence.suspend", "at": "2022-08-01T09:00:00+08:00", "licence": LICENCE, "reason": "x"});
    let renew = json!({"op": "licence.renew", "supersedes": LICENCE, "meta": {"证照标识": NEXT}});
    let person = json!({"salt": SALT, "meta": {"持证主体代码类型": "111", "持证主体代码": "11010519491231002X"}});
    for (patch, want) in [
        (json!({}), "ok"),
        (json!({"actor": "11350122XXXX0006X9", "operate_type": "01", "state": "01"}), "ok"),
        (json!({"meta": {"证照有效期截至": "长期"}}), "ok"),
        (json!({"at": null}), "E-REC-011"),
        (json!({"at": "2022-01-10"}), "E-REC-015 /at"),
        (json!({"effective_from": "2022-01-32"}), "E-REC-015 /effective_from"),
        (json!({"meat": {}}), "E-REC-012 /meat"),
        (json!({"licence": LICENCE}), "E-REC-012 /licence"),
        (json!({"supersedes": NEXT}), "E-REC-012 /supersedes"),
        (json!({"meta": null}), "E-REC-011"),
        (json!({"actor": "11350122XXXX0006X8"}), "E-REC-044 /actor"),
        (json!({"state": "02"}), "E-REC-053 /state"),
        (json!({"operate_type": "09"}), "E-REC-053 /operate_type"),
        (json!({"op": "licence.issues"}), "E-REC-040 /op"),
        (json!({"op": "issue"}), "E-REC-040 /op"),
        (json!({"op": 1}), "E-REC-013 /op"),
        (json!({"meta": {"证照标识": null}}), "E-REC-011 /meta"),
        (
            json!({"meta": {"证照标识": LICENCE.replace("001.9", "001.8")}}),
            "E-REC-043 /meta/证照标识",
        ),
        (
            json!({"meta": {"证照标识": LICENCE.replace("1.2.156", "1.2.840")}}),
            "E-REC-042 /meta/证照标识",
        ),
        (
            json!({"meta": {"证照类型代码": "11350000XXXX000270002"}}),
            "E-REC-047 /meta/证照类型代码",
        ),
        (json!({"meta": {"证照版本号": "002"}}), "E-REC-047 /meta/证照版本号"),
        (
            json!({"meta": {"证照颁发机构代码": "11350000XXXX000270"}}),
            "E-REC-047 /meta/证照颁发机构代码",
        ),
        (
            json!({"meta": {"证照所属管辖属地编码": "35012"}}),
            "E-REC-045 /meta/证照所属管辖属地编码",
        ),
        (json!({"meta": {"证照有效期起始": "2022-13-01"}}), "E-REC-015 /meta/证照有效期起始"),
        (json!({"meta": {"证照有效期截至": "20210109"}}), "E-REC-049 /meta/证照有效期截至"),
        (json!({"meta": {"证照颁发日期": "20280101"}}), "E-REC-049 /meta/证照有效期截至"),
        (json!({"meta": {"持证主体代码类型": null}}), "E-REC-011 /meta"),
        (json!({"meta": {"持证主体代码类型": "111"}}), "E-REC-050"),
        (json!({"meta": {"持证主体代码": "11010519491231002X"}}), "E-REC-050"),
        (person.clone(), "ok"),
        (json!({"salt": "1234", "meta": {"持证主体代码类型": "111"}}), "E-REC-051 /salt"),
        (
            json!({"salt": SALT.to_uppercase(), "meta": {"持证主体代码类型": "111"}}),
            "E-REC-051 /salt",
        ),
        (renew.clone(), "ok"),
        (json!({"op": "licence.change", "meta": {"证照标识": NEXT}}), "E-REC-011"),
        (
            json!({"op": "licence.transfer_in", "supersedes": "1", "meta": {"证照标识": NEXT}}),
            "E-REC-042 /supersedes",
        ),
        (json!({"op": "licence.renew", "supersedes": LICENCE}), "E-REC-047 /supersedes"),
    ] {
        check(&issue(), &patch, want);
    }
    let mut personal = issue();
    merge(&mut personal, &renew);
    merge(&mut personal, &person);
    check(&personal, &json!({}), "E-REC-050");
    check(&personal, &json!({"supersedes_salt": SALT}), "ok");
    check(&personal, &json!({"supersedes_salt": "x"}), "E-REC-051 /supersedes_salt");
    for (patch, want) in [
        (json!({}), "ok"),
        (json!({"licence": null, "id": LICENCE}), "ok"),
        (json!({"op": "licence.annul", "effective_from": "2022-02-01", "_note": "x"}), "ok"),
        (json!({"op": "licence.revoke"}), "ok"),
        (json!({"op": "licence.transfer_out"}), "ok"),
        (json!({"op": "licence.cancel", "salt": SALT}), "ok"),
        (json!({"licence": format!("c1:{}", "0".repeat(64))}), "ok"),
        (json!({"licence": "c1:00"}), "E-REC-042 /licence"),
        (json!({"licence": null}), "E-REC-011"),
        (json!({"id": NEXT}), "E-REC-047 /id"),
        (json!({"meta": {}}), "E-REC-012 /meta"),
    ] {
        check(&suspend, &patch, want);
    }
}

#[test]
fn malformed_item_operations_are_refused() {
    let base = json!({
        "op": "item.publish", "effective": "2021-09-01T00:00:00+08:00",
        "item": {
            "实施编码": "11350122XXXX0006X94350117002011", "基本编码": "350117002011", "行使层级代码": "4",
            "实施主体代码": "11350122XXXX0006X9", "事项版本": 1, "事项名称": "示例", "其他": [1],
        },
    });
    for (patch, want) in [
        (json!({}), "ok"),
        (json!({"item": {"事项版本": "1"}}), "ok"),
        (json!({"item": {"基本编码": null, "行使层级代码": null, "实施主体代码": null}}), "ok"),
        (json!({"item": {"实施编码": "350122000000000000000001"}}), "ok"),
        (json!({"op": "item.amend", "prev_version": 1, "item": {"事项版本": 2}}), "ok"),
        (json!({"effective": null}), "E-REC-011"),
        (json!({"effective": "soon"}), "E-REC-015 /effective"),
        (json!({"item": null}), "E-REC-011"),
        (json!({"items": 1}), "E-REC-012 /items"),
        (json!({"prev_version": 0}), "E-REC-012 /prev_version"),
        (json!({"item": {"实施编码": null}}), "E-REC-011 /item"),
        (
            json!({"item": {"实施编码": "11350122XXXX0006X9435011700201"}}),
            "E-REC-047 /item/实施编码",
        ),
        (
            json!({"item": {"实施编码": "11350122XXXX0006X93350117002011"}}),
            "E-REC-047 /item/实施编码",
        ),
        (json!({"item": {"实施编码": "11350122"}}), "E-REC-046 /item/实施编码"),
        (
            json!({"item": {"实施编码": "350122000000000000000001", "基本编码": null}}),
            "E-REC-011 /item",
        ),
        (json!({"item": {"基本编码": "350117002012"}}), "E-REC-047 /item/实施编码"),
        (json!({"item": {"行使层级代码": "7"}}), "E-REC-046 /item/行使层级代码"),
        (json!({"item": {"行使层级代码": 4}}), "E-REC-013 /item/行使层级代码"),
        (json!({"item": {"实施主体代码": "11350122XXXX0006X8"}}), "E-REC-044 /item/实施主体代码"),
        (json!({"item": {"事项版本": 0}}), "E-REC-048 /item/事项版本"),
        (json!({"item": {"事项版本": 1.5}}), "E-REC-048 /item/事项版本"),
        (json!({"item": {"事项版本": "一"}}), "E-REC-048 /item/事项版本"),
        (json!({"item": {"事项名称": null}}), "E-REC-011 /item"),
        (json!({"item": {"计划取消日期": "20200101"}}), "E-REC-049 /item/计划取消日期"),
        (json!({"item": {"计划取消日期": "明年"}}), "E-REC-015 /item/计划取消日期"),
        (
            json!({"op": "item.amend", "prev_version": 1, "item": {"事项版本": 3}}),
            "E-REC-047 /prev_version",
        ),
        (json!({"item": {"咨询电话": "13800138000"}}), "E-REC-052 /item/咨询电话"),
        (json!({"item": {"// 事项名称": "x"}}), "E-REC-083 /item/~1~1 事项名称"),
        (json!({"// op": "x"}), "E-REC-083 /~1~1 op, E-REC-012 /~1~1 op"),
        (json!({"op": "item.delete"}), "E-REC-040 /op"),
    ] {
        check(&base, &patch, want);
    }
    let cancel = json!({"op": "item.cancel", "effective": "2023-01-01", "实施编码": "11350122XXXX0007896350117002011", "reason": "x"});
    for (patch, want) in [
        (json!({}), "ok"),
        (json!({"op": "item.suspend"}), "ok"),
        (json!({"op": "item.resume"}), "ok"),
        (json!({"实施编码": "350122000000000000000001"}), "E-REC-011, E-REC-011, E-REC-011"),
        (json!({"实施编码": null}), "E-REC-011, E-REC-011, E-REC-011, E-REC-011"),
        (json!({"基本编码": "350117002012"}), "E-REC-047 /实施编码"),
    ] {
        check(&cancel, &patch, want);
    }
}

#[test]
fn what_is_read_is_what_was_meant() {
    use types::subject::Part::{Child, Input, Observed, Output, Parent};
    let lots = |document: &Value| {
        let Action::Trace(event) = prepared(document).operation.action else {
            panic!("not an event")
        };
        event.lots.into_iter().map(|(lot, part)| (lot.to_string(), part)).collect::<Vec<_>>()
    };
    let sgtin = "urn:epc:id:sgtin:9521001.010017.1";
    for (kind, patch, want) in [
        ("ObjectEvent", json!({}), vec![(LOT, Observed), (EPC, Observed)]),
        ("ObjectEvent", json!({"ilmd": {"ex:a": 1}}), vec![(LOT, Output), (EPC, Output)]),
        ("ObjectEvent", json!({"action": "OBSERVE"}), vec![(LOT, Observed), (EPC, Observed)]),
        (
            "ObjectEvent",
            json!({"epcList": ["ex:lot/1"], "quantityList": [{"epcClass": "ex:lot/1"}]}),
            vec![("https://ex.example/lot/1", Observed)],
        ),
        ("AggregationEvent", json!({}), vec![(sgtin, Child), (EPC, Parent)]),
        ("AssociationEvent", json!({}), vec![(sgtin, Child), (EPC, Parent)]),
        ("TransactionEvent", json!({"parentID": EPC}), vec![(EPC, Observed), (EPC, Parent)]),
        (
            "TransformationEvent",
            json!({"outputEPCList": [EPC]}),
            vec![(LOT, Output), (EPC, Input), (EPC, Output)],
        ),
    ] {
        let mut document = event(kind);
        merge(&mut document, &patch);
        let want: Vec<_> = want.into_iter().map(|(lot, part)| (lot.to_owned(), part)).collect();
        assert_eq!(lots(&document), want, "{kind} {patch}");
    }

    let issue = prepared(&issue());
    assert_eq!(issue.label, format!("licence.issue {LICENCE}"));
    let Action::Licence(act) = issue.operation.action else { panic!("not a licence") };
    let LicenceVerb::Issue(facts) = act.verb else { panic!("not issued") };
    assert_eq!(facts.valid_from.to_string(), "2022-01-09T16:00:00.000Z");
    assert_eq!(facts.valid_until.unwrap().to_string(), "2027-01-09T16:00:00.000Z");
    assert_eq!(issue.operation.effective_from.to_string(), "2022-01-10T01:00:00.000Z");
    assert_eq!(issue.operation.grade, Grade::Internal);

    let annul = json!({"op": "licence.annul", "at": "2022-10-01T09:00:00+08:00", "id": LICENCE, "effective_from": "2022-02-01", "actor": "11350122XXXX0006X9"});
    let annul = prepared(&annul);
    assert_eq!(annul.operation.effective_from.to_string(), "2022-01-31T16:00:00.000Z");
    assert_eq!(annul.actor.unwrap().as_str(), "11350122XXXX0006X9");

    let cancel = json!({"op": "item.cancel", "effective": "2023-01-01", "实施编码": "11350122XXXX0007896350117002011"});
    let Action::Item(act) = prepared(&cancel).operation.action else { panic!("not an item") };
    assert_eq!(
        (act.basic.as_str(), act.region.to_string().as_str(), act.verb),
        ("350117002011", "350122", ItemVerb::Cancel)
    );
}

#[test]
fn a_person_is_nowhere_in_an_operation() {
    let mut document = issue();
    merge(
        &mut document,
        &json!({"salt": SALT, "meta": {"持证主体代码类型": "111", "持证主体代码": "11010519491231002X"}}),
    );
    let one = prepared(&document);
    let Action::Licence(act) = &one.operation.action else { panic!("not a licence") };
    assert_eq!(Some(&act.licence), records::hidden_licence(SALT, LICENCE).as_ref());
    let bytes = types::codec::encode(&one.operation);
    for secret in ["11010519491231002X", "2022000001", SALT] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
        assert!(!one.label.contains(secret));
    }
    // Later acts find it by the same salt, or by its name.
    for suspend in [
        json!({"op": "licence.suspend", "at": "2022-08-01T09:00:00+08:00", "licence": LICENCE, "salt": SALT}),
        json!({"op": "licence.suspend", "at": "2022-08-01T09:00:00+08:00", "licence": act.licence.as_str()}),
    ] {
        let suspend = prepared(&suspend);
        let Action::Licence(later) = &suspend.operation.action else { panic!("not a licence") };
        assert_eq!(later.licence, act.licence);
    }
}

#[test]
fn a_correction_names_what_it_corrects() {
    let mut wrong = event("ObjectEvent");
    merge(
        &mut wrong,
        &json!({"errorDeclaration": {"declarationTime": "2026-05-13T04:40:00Z", "reason": "incorrect_data"}}),
    );
    let (Action::Trace(original), Action::Trace(unnamed)) =
        (prepared(&event("ObjectEvent")).operation.action, prepared(&wrong).operation.action)
    else {
        panic!("not events")
    };
    assert_eq!(original.corrects, None);
    assert_eq!(
        unnamed.corrects.unwrap().as_str(),
        records::cbv::identifier(&original.cbv_hash.unwrap())
    );
    merge(&mut wrong, &json!({"eventID": "urn:x:1"}));
    let Action::Trace(named) = prepared(&wrong).operation.action else { panic!("not an event") };
    assert_eq!(named.corrects.unwrap().as_str(), "urn:x:1");
}

#[test]
fn a_content_means_something_only_under_its_context() {
    let one = event("ObjectEvent");
    let mut envelope = json!({
        "@context": [CONTEXT, {"ex": "https://ex.example/"}], "type": "EPCISDocument", "schemaVersion": "2.0",
        "creationDate": "2026-05-12T04:40:00Z", "epcisBody": {"eventList": [one, event("TransactionEvent")]},
    });
    let operation = prepared(&envelope).operation;
    // Without its neighbour, in another order, with other master data: the same content.
    envelope["epcisBody"]["eventList"].as_array_mut().unwrap().reverse();
    envelope["sender"] = json!("x");
    assert_eq!(matches(&operation, &serde_json::to_vec(&envelope).unwrap()), Match::Content);
    envelope["epcisBody"]["eventList"].as_array_mut().unwrap().remove(0);
    assert_eq!(matches(&operation, &serde_json::to_vec(&envelope).unwrap()), Match::Content);
    envelope["@context"][1]["ex"] = json!("https://other.example/");
    assert_eq!(matches(&operation, &serde_json::to_vec(&envelope).unwrap()), Match::No);
    assert_eq!(matches(&operation, b"{\"a\":1,\"a\":2}"), Match::No);
}

#[test]
fn limits_hold() {
    assert_eq!(outcome(&vec![b' '; DOCUMENT_BYTES_MAX + 1]), "E-REC-005");
    let many = format!("[{}]", vec![r#"{"op":"x"}"#; RECORDS_MAX + 1].join(","));
    assert_eq!(outcome(many.as_bytes()), "E-REC-005");
    let wrong = format!("[{}]", vec![r#"{"op":"x"}"#; RECORDS_MAX].join(","));
    assert_eq!(prepare(wrong.as_bytes(), &capture()).unwrap_err().len(), FAULTS_MAX);
    let values = format!("[{}0]", "0,".repeat(records::VALUES_MAX));
    assert!(outcome(values.as_bytes()).starts_with("E-REC-005"));
    let with = |members: usize| {
        let members: String = (0..members).map(|n| format!("\"m{n}\":0,")).collect();
        outcome(format!("{{{members}\"op\":\"licence.issue\"}}").as_bytes())
    };
    assert!(with(records::MEMBERS_MAX - 1).starts_with("E-REC-012"));
    assert!(with(records::MEMBERS_MAX).starts_with("E-REC-005"));
}

#[test]
fn long_lists_of_dispositions_are_answered_at_once() {
    let words = |from: usize| -> Vec<String> {
        (from..from + 100_000).map(|n| format!("urn:x:{n}")).collect()
    };
    let mut document = event("ObjectEvent");
    document["persistentDisposition"] = json!({"set": words(100_000), "unset": words(200_000)});
    let outcome = outcome(&serde_json::to_vec(&document).unwrap());
    assert!(outcome.starts_with("E-REC-005 /persistentDisposition/set"), "{outcome}");
}

#[test]
fn what_a_prefix_stands_for_is_not_written_out_without_end() {
    let namespace = format!("https://ex.example/{}/01/", "x".repeat(16_000));
    let document = json!({
        "@context": [CONTEXT, {"ex": namespace}], "type": "EPCISDocument", "schemaVersion": "2.0",
        "creationDate": "2026-05-12T04:40:00Z",
    });
    let numbers = |count: usize| json!({"ex:m": vec![0; count]});
    let empty: serde_json::Map<String, Value> =
        (0..3000).map(|n| (format!("ex:m{n}"), json!([]))).collect();
    for (extensions, want) in [
        (vec![numbers(1000)], "ok"),
        (vec![numbers(1500)], "ok"),
        (vec![numbers(3000)], "E-REC-005"),
        // The events of a document share what there is, and what is too much is said once.
        (vec![numbers(1500), numbers(1500), numbers(1500)], "E-REC-005"),
        // What is made and thrown away counts: of each value only a short Digital Link is left, of each name nothing.
        (vec![json!({"un:m": vec!["ex:00614141777778"; 3000]})], "E-REC-005"),
        (vec![Value::Object(empty)], "E-REC-005"),
    ] {
        let mut events = vec![event("ObjectEvent"); extensions.len()];
        for (event, extension) in events.iter_mut().zip(&extensions) {
            merge(event, extension);
        }
        check(&document, &json!({"epcisBody": {"eventList": events}}), want);
    }
}

#[test]
fn the_parts_of_a_document_share_its_room() {
    let namespace = format!("https://ex.example/{}/01/", "x".repeat(16_000));
    let mut part = event("ObjectEvent");
    merge(&mut part, &json!({"@context": [CONTEXT, {"ex": namespace}], "ex:m": vec![0; 1500]}));
    let (part, room) = (serde_json::to_vec(&part).unwrap(), Room::of_document());
    assert!(prepare_within(&room, &part, &capture()).is_ok());
    let small = serde_json::to_vec(&event("ObjectEvent")).unwrap();
    for part in [&part, &small] {
        let faults = prepare_within(&room, part, &capture()).unwrap_err();
        assert_eq!(faults.len(), 1);
        assert_eq!((faults[0].code, faults[0].at.as_str()), ("E-REC-005", ""));
    }
}

#[test]
fn a_fault_is_short_however_long_what_it_is_about() {
    let (long, prefix) = ("~".repeat(1 << 20), "p".repeat(10_000));
    let element = format!("{prefix}:humanWelfarePolicy");
    let changed = |patch: Value| {
        let mut document = event("ObjectEvent");
        merge(&mut document, &patch);
        document
    };
    for document in [
        json!({"op": "licence.issue", long.as_str(): 1}),
        json!({"op": "govern.propose", "at": "2026-01-01T00:00:00Z", "change": {"enrol": {long.as_str(): 1}}}),
        changed(json!({
            "@context": [CONTEXT, {prefix.as_str(): "https://traceability-dialogue.org/epcis/"}],
            "bizStep": "urn:gdst:bizStep:landing", element.as_str(): "maybe",
        })),
        changed(json!({long.as_str(): 1})),
        changed(json!({"ilmd": {long.as_str(): 1}})),
        changed(json!({"epcList": [format!("urn:epc:{long}:sgtin:4012345.011111.987")]})),
        changed(json!({"epcList": [format!("urn:epc:id:{long}:4012345.011111.987")]})),
        changed(json!({"epcList": [format!("urn:epc:id:sgtin:{long}.011111.987")]})),
        changed(json!({"epcList": [format!("urn:epc:id:sgtin:4012345.{long}.987")]})),
    ] {
        for fault in prepare(&serde_json::to_vec(&document).unwrap(), &capture()).unwrap_err() {
            let longest = fault.at.len().max(fault.message.len()).max(fault.zh.len());
            assert!(longest < 1000, "{}: {longest} bytes", fault.code);
        }
    }
}

/// The samples, and one event of each type, as seeds to damage.
fn seeds() -> Vec<Vec<u8>> {
    let samples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../genesis/samples");
    let mut seeds: Vec<Vec<u8>> = std::fs::read_dir(samples)
        .unwrap()
        .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .map(|bytes| {
            bytes
                .split(|byte| *byte == b'\n')
                .next()
                .filter(|line| line.len() > 2)
                .map(<[u8]>::to_vec)
                .unwrap_or(bytes)
        })
        .collect();
    for kind in [
        "ObjectEvent",
        "AggregationEvent",
        "TransactionEvent",
        "TransformationEvent",
        "AssociationEvent",
    ] {
        seeds.push(serde_json::to_vec(&event(kind)).unwrap());
    }
    seeds
}

/// Every value of a document, replaced by something else, in turn.
fn replaced(value: &Value, by: &Value) -> Vec<Value> {
    let mut all = vec![by.clone()];
    let parts: Vec<(String, Value)> = match value {
        Value::Object(map) => {
            map.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
        }
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, value)| (index.to_string(), value.clone()))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    for (name, part) in parts {
        for changed in replaced(&part, by) {
            let mut whole = value.clone();
            match &mut whole {
                Value::Object(map) => {
                    map.insert(name.clone(), changed);
                }
                Value::Array(items) => items[name.parse::<usize>().unwrap()] = changed,
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
            all.push(whole);
        }
    }
    all
}

/// No document, however wrong, does more than fail.
#[test]
fn a_value_of_another_kind_anywhere_is_answered() {
    let odd = [
        json!(null),
        json!(true),
        json!(-1.5),
        json!("水\u{202e}"),
        json!(""),
        json!([]),
        json!([[{}]]),
        json!({}),
        json!({"type": "x"}),
    ];
    for seed in seeds() {
        let value: Value = serde_json::from_slice(&seed).unwrap();
        if seed.len() > 8_000 {
            continue; // The large samples are damaged at random, below.
        }
        for by in &odd {
            for changed in replaced(&value, by) {
                let bytes = serde_json::to_vec(&changed).unwrap();
                if let Ok(prepared) = prepare(&bytes, &capture()) {
                    assert!(
                        prepared.iter().all(|one| matches(&one.operation, &bytes) == Match::Exact)
                    );
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn damage_is_answered(seed in any::<prop::sample::Index>(), cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_usize..4), 1..6)) {
        let seeds = seeds();
        let mut bytes = seed.get(&seeds).clone();
        for (at, byte, what) in cuts {
            let at = at.index(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
            match what {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => bytes.truncate(at.max(1)),
                _remove => { bytes.remove(at); if bytes.is_empty() { bytes.push(b' '); } }
            }
        }
        match prepare(&bytes, &capture()) {
            Ok(prepared) => prop_assert!(prepared.iter().all(|one| matches(&one.operation, &bytes) == Match::Exact)),
            Err(faults) => prop_assert!((1..=FAULTS_MAX).contains(&faults.len())),
        }
    }

    #[test]
    fn noise_is_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(prepare(&bytes, &capture()).is_err());
    }
}
