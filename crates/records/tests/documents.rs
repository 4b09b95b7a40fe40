//! Whole documents through the front door: the samples of this repository, and those of others where they are to be had.

#![cfg(test)]

use records::{Capture, Match, Prepared, matches, prepare};
use std::{
    fs,
    path::{Path, PathBuf},
};
use types::{
    AgencyCode, Operation, Text, codec,
    operation::{Action, Grade},
};

fn capture() -> Capture {
    Capture {
        system: Text::new("test").unwrap(),
        version: Text::new("1").unwrap(),
        captured_at: "2026-11-23T00:00:00Z".parse().unwrap(),
        grade: Grade::Public,
    }
}

fn folder(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name);
    if !path.exists() {
        println!("skipped: {} is not here", path.display());
        return None;
    }
    Some(path)
}

fn files(path: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Prepares a document that has to be right, and checks what must hold for every document.
fn accept(name: &str, document: &[u8]) -> Vec<Prepared> {
    let prepared =
        prepare(document, &capture()).unwrap_or_else(|faults| panic!("{name}: {faults:#?}"));
    for one in &prepared {
        assert_eq!(matches(&one.operation, document), Match::Exact, "{name}");
        assert!(!one.label.is_empty() && !one.label.contains('\n'));
        let bytes = codec::encode(&one.operation);
        let back: Operation = codec::decode(&bytes).unwrap();
        assert_eq!(back, one.operation, "{name}");
    }
    // The same document written otherwise is another file with the same content.
    let value: serde_json::Value = serde_json::from_slice(document).unwrap();
    let other = serde_json::to_vec_pretty(&value).unwrap();
    let other = [&b"\n"[..], &other].concat();
    for one in &prepared {
        assert_eq!(matches(&one.operation, &other), Match::Content, "{name}");
        assert_eq!(matches(&one.operation, b"{}"), Match::No, "{name}");
    }
    prepared
}

#[test]
fn every_sample_is_right() {
    let samples = folder("genesis/samples").expect("the samples are part of the repository");
    let mut labels = Vec::new();
    for path in files(&samples) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = fs::read(&path).unwrap();
        let documents: Vec<&[u8]> = if name.ends_with(".ndjson") {
            bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect()
        } else {
            vec![&bytes]
        };
        for document in documents {
            for one in accept(&name, document) {
                assert_eq!(one.actor, None, "{name} names an agency of its own");
                labels.push(one.label);
            }
        }
    }
    let count = |start: &str| labels.iter().filter(|label| label.starts_with(start)).count();
    assert_eq!(count("licence.issue"), 21);
    assert_eq!((count("licence.suspend"), count("licence.resume")), (1, 1));
    assert_eq!((count("item.publish"), count("item.amend")), (2, 1));
    assert_eq!(
        (count("TransformationEvent"), count("AggregationEvent"), count("ObjectEvent")),
        (3, 3, 14)
    );
}

/// A lot on a shop's shelf leads back to the sea, through the lots of the events alone.
#[test]
fn the_samples_are_connected() {
    use types::subject::Part;
    let samples = folder("genesis/samples").expect("the samples are part of the repository");
    for (file, from, to) in [
        (
            "catch-to-shop.jsonld",
            "urn:epc:id:sscc:9521002.0001000001",
            "urn:epc:class:lgtin:9521001.010017.LJ20260512-01",
        ),
        (
            "farm-lot.jsonld",
            "urn:epc:id:sscc:9521005.0000500001",
            "urn:epc:class:lgtin:9521006.060011.PC2026-RY8-02",
        ),
    ] {
        let prepared = accept(file, &fs::read(samples.join(file)).unwrap());
        let mut upstream = std::collections::BTreeSet::from([from.to_owned()]);
        for one in prepared.iter().rev() {
            let Action::Trace(event) = &one.operation.action else {
                panic!("{file} has a record of another family")
            };
            let parts = |wanted: &[Part]| -> Vec<String> {
                event
                    .lots
                    .iter()
                    .filter(|(_, part)| wanted.contains(part))
                    .map(|(lot, _)| lot.to_string())
                    .collect()
            };
            if parts(&[Part::Output, Part::Parent]).iter().any(|lot| upstream.contains(lot)) {
                upstream.extend(parts(&[Part::Input, Part::Child]));
            }
        }
        assert!(upstream.contains(to), "{file}: {upstream:?}");
    }
}

#[test]
fn documents_of_others_are_accepted_event_by_event() {
    let Some(data) = folder("../shared/data/epcis") else { return };
    let mut paths = files(&data.join("openepcis/documents"));
    paths.extend(
        files(&data.join("cbv-hash-vectors"))
            .into_iter()
            .filter(|path| path.extension().is_some_and(|e| e == "jsonld")),
    );
    paths.push(data.join("gdst/gdst_data_withmasterdata.jsonld"));
    let mut events = 0;
    for path in paths {
        let bytes = fs::read(&path).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let list = value["epcisBody"]["eventList"].as_array().unwrap();
        let prepared = accept(&path.display().to_string(), &bytes);
        assert_eq!(prepared.len(), list.len(), "{}", path.display());
        for (index, (one, event)) in prepared.iter().zip(list).enumerate() {
            assert_eq!(one.at, format!("/epcisBody/eventList/{index}"));
            // Each event is accepted on its own too, when it brings its context.
            let mut event = event.clone();
            event["@context"] = value["@context"].clone();
            let alone = accept("an event", &serde_json::to_vec(&event).unwrap());
            let (Action::Trace(a), Action::Trace(b)) =
                (&alone[0].operation.action, &one.operation.action)
            else {
                panic!()
            };
            assert_eq!(a, b, "{} {index}", path.display());
        }
        events += prepared.len();
    }
    assert!(events >= 100, "{events}");
}

#[test]
fn faulty_gdst_files_are_refused_by_the_element() {
    let Some(data) = folder("../shared/data/epcis/gdst") else { return };
    for (file, want) in [
        (
            "gdst_event_missing_product_owner.jsonld",
            ("E-REC-030", "/epcisBody/eventList/0", "gdst:productOwner"),
        ),
        (
            "gdst_processing_missing_lot_number.jsonld",
            ("E-REC-030", "/epcisBody/eventList/0/ilmd", "cbvmda:lotNumber"),
        ),
        (
            "gdst_vessel_invalid_imo.jsonld",
            (
                "E-REC-031",
                "/epcisBody/eventList/0/ilmd/cbvmda:vesselCatchInformationList/cbvmda:vesselCatchInformation/0/gdst:imoNumber",
                "gdst:imoNumber",
            ),
        ),
    ] {
        let faults = prepare(&fs::read(data.join(file)).unwrap(), &capture()).unwrap_err();
        assert!(
            faults
                .iter()
                .any(|f| (f.code, f.at.as_str()) == (want.0, want.1) && f.message.contains(want.2)),
            "{file}: {faults:#?}"
        );
    }
}

#[test]
fn the_operations_of_others_are_accepted_one_by_one() {
    let Some(data) = folder("../shared/data/cn") else { return };
    for file in ["licences.json", "service_items.json", "presentations.json"] {
        let value: serde_json::Value =
            serde_json::from_slice(&fs::read(data.join(file)).unwrap()).unwrap();
        for operation in value["operations"].as_array().unwrap() {
            let op = operation["op"].as_str().unwrap();
            let document = serde_json::to_string(operation).unwrap();
            let prepared = accept(op, document.as_bytes());
            // A grant is the holder's; which agency records it, the file does not say.
            assert_eq!(
                prepared[0].actor.map(|actor| actor.to_string()).as_deref(),
                operation["actor"].as_str()
            );
        }
    }
}

/// What becomes of a seed label.
fn label(text: &str) -> Result<String, Vec<&'static str>> {
    let document = serde_json::json!({
        "op": "seed.label", "at": "2026-03-02T08:30:00+08:00", "label": text, "permit": "permit-1", "lot": "urn:x:1",
    });
    let prepared = prepare(document.to_string().as_bytes(), &capture())
        .map_err(|faults| faults.iter().map(|fault| fault.code).collect::<Vec<_>>())?;
    let Action::Seed(act) = &prepared[0].operation.action else { panic!("not a seed label") };
    Ok(act.unit.to_string())
}

#[test]
fn seed_labels_are_judged_as_their_makers_say() {
    let refused = Err(vec!["E-REC-054"]);
    let four = |unit: &str| format!("闽优示例1号\n某种业公司\n{unit}\nhttps://example.cn/s/{unit}");
    assert_eq!(label(&four("35070010500000000001")), Ok("35070010500000000001".to_owned()));
    assert_eq!(label(&four("A1")), Ok("A1".to_owned()));
    for unit in ["350700105000000000012", "", "A-1", "单元"] {
        assert_eq!(label(&four(unit)), refused, "{unit}");
    }
    assert_eq!(label("闽优示例1号\n某种业公司\n1"), refused);
    let Some(data) = folder("../shared/data/cn/seed_labels.json") else { return };
    let value: serde_json::Value = serde_json::from_slice(&fs::read(data).unwrap()).unwrap();
    let (valid, invalid) =
        (value["valid"].as_array().unwrap(), value["invalid"].as_array().unwrap());
    assert_eq!((valid.len(), invalid.len()), (1, 1));
    for row in valid {
        assert!(label(row.as_str().unwrap()).is_ok(), "{row}");
    }
    for row in invalid {
        assert_eq!(label(row["text"].as_str().unwrap()), refused, "{row}");
    }
}

#[test]
fn the_codes_of_organisations_are_codes() {
    let named = |code: &str, name: &str| {
        AgencyCode::new(code).unwrap_or_else(|why| panic!("{name} {code}: {why}"));
        let mut changed = code.to_owned();
        let last = changed.pop().unwrap();
        changed.push(if last == '0' { '1' } else { '0' });
        assert!(AgencyCode::new(&changed).is_err(), "{changed}");
    };
    for code in
        ["11350000XXXX000195", "11350122XXXX0006X9", "91350105XXXX0102XG", "93350122XXXX01062E"]
    {
        named(code, "invented");
    }
    let Some(data) = folder("../shared/data/cn/organisations.json") else { return };
    let value: serde_json::Value = serde_json::from_slice(&fs::read(data).unwrap()).unwrap();
    let all = |kind: &str| value[kind].as_object().unwrap().clone();
    let (agencies, enterprises) = (all("agencies"), all("enterprises"));
    assert_eq!((agencies.len(), enterprises.len()), (8, 6));
    for (name, code) in agencies.iter().chain(&enterprises) {
        named(code.as_str().unwrap(), name);
    }
    // Organs of the state are told by how their codes begin.
    assert!(agencies.values().all(|code| code.as_str().unwrap().starts_with("11")));
}

/// Whoever meets a code finds it in the list, and the list has no code that nobody meets.
#[test]
fn every_code_is_listed() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let codes = |text: &str| -> std::collections::BTreeSet<String> {
        text.match_indices("E-REC-")
            .filter_map(|(at, _)| text.get(at..at + 9))
            .map(str::to_owned)
            .collect()
    };
    let (mut folders, mut source) = (vec![here.join("src")], String::new());
    while let Some(folder) = folders.pop() {
        for path in files(&folder) {
            if path.is_dir() {
                folders.push(path);
            } else {
                source.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }
    let rules = source.replace("E-REC-001 …", "");
    assert_eq!(codes(&rules), codes(&fs::read_to_string(here.join("README.md")).unwrap()));
}
