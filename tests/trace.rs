//! `minlian trace` against four validators: the samples and GDST's chain, drawn in every form, and proven.

#![cfg(test)]

use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};
use tests::{Network, program::minlian, repository};

/// Copies a document to where receipts may lie beside it.
fn copied(network: &Network, from: &Path) -> PathBuf {
    let folder = network.scratch().join("documents");
    fs::create_dir_all(&folder).unwrap();
    let to = folder.join(from.file_name().unwrap());
    fs::write(&to, fs::read(from).unwrap()).unwrap();
    to
}

fn trace(network: &Network, lot: &str, more: &[&str]) -> String {
    let url = network.url(2);
    let all = [&["--lang", "en", "trace", lot, "--node", &url], more].concat();
    minlian(&all).expect(0).stdout
}

fn json(network: &Network, lot: &str, more: &[&str]) -> Value {
    let answer = trace(network, lot, &[&["--json"], more].concat());
    serde_json::from_str(&answer).unwrap_or_else(|why| panic!("{why}: {answer}"))
}

fn set(value: &Value) -> BTreeSet<&str> {
    value.as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect()
}

const SEA: &str = "urn:epc:class:lgtin:9521001.010017.LJ20260512-01";
const BATCH: &str = "urn:epc:class:lgtin:9521002.020031.JG20260514-03";
const PALLET: &str = "urn:epc:id:sscc:9521002.0001000001";
const VESSEL: &str = "1.2.156.3005.2.11350000XXXX2001XJ002.11350122XXXX200524.2026000007.001.O";

#[tokio::test(flavor = "multi_thread")]
async fn a_lot_is_traced_up_and_down_recalled_and_proven() {
    let network = Network::up();
    let sample = |name: &str| copied(&network, &repository().join("genesis/samples").join(name));
    let catch = sample("catch-to-shop.jsonld");
    let gdst = repository().join("../shared/data/epcis/gdst/gdst_data_withmasterdata.jsonld");
    let mut files = vec![catch.clone(), sample("licences.ndjson")];
    let with_gdst = gdst.exists();
    if with_gdst {
        files.push(copied(&network, &gdst));
    } else {
        println!("skipped: {} is not here", gdst.display());
    }
    let receipts = network.submit(&files);
    let last = receipts.iter().filter_map(|row| row["height"].as_u64()).max().unwrap();
    network.agreed(&[1, 2, 3, 4], types::Height(last)).await;

    // For people: places and licences come from the document, matched by digest.
    let document = catch.to_str().unwrap();
    let tree = trace(&network, PALLET, &["--up", "--documents", document]);
    for wanted in [
        "UPSTREAM",
        BATCH,
        SEA,
        "● origin",
        "packed into it by: packing",
        "fishingEvent",
        "geo:26",
        "origins: 1",
    ] {
        assert!(tree.contains(wanted), "{wanted}:\n{tree}");
    }
    assert!(tree.contains(VESSEL), "{tree}");
    assert!(!tree.contains("DOWNSTREAM"), "{tree}");
    assert!(!trace(&network, PALLET, &["--up"]).contains("geo:26"));

    // For programs.
    let up = json(&network, PALLET, &["--up", "--documents", document]);
    assert_eq!(set(&up["upstream"]), BTreeSet::from([SEA, BATCH, PALLET]));
    assert_eq!((set(&up["origins"]), &up["complete"]), (BTreeSet::from([SEA]), &Value::Bool(true)));
    let licences: Vec<&Value> = up["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|event| event["licences"].get(VESSEL))
        .collect();
    assert!(!licences.is_empty());
    let recall = json(&network, SEA, &["--recall"]);
    assert_eq!(set(&recall["downstream"]), BTreeSet::from([SEA, BATCH, PALLET]));
    let held: usize = recall["holders"]
        .as_array()
        .unwrap()
        .iter()
        .map(|holder| holder["lots"].as_array().unwrap().len())
        .sum();
    assert_eq!(held, 3);
    assert!(trace(&network, SEA, &["--recall"]).contains("HOLDERS: 1"));

    // For those who draw.
    let dot = trace(&network, PALLET, &["--dot"]);
    assert!(dot.starts_with("digraph trace {") && dot.ends_with("}\n"), "{dot}");
    assert!(dot.contains(&format!("\"{SEA}\" -> \"{BATCH}\"")), "{dot}");
    let mermaid = trace(&network, PALLET, &["--mermaid"]);
    assert!(mermaid.starts_with("flowchart LR\n") && mermaid.contains("-.->"), "{mermaid}");

    // The proof of the upstream holds without the network, and a changed one does not.
    let proof = network.scratch().join("upstream.proof");
    trace(&network, PALLET, &["--up", "--prove", proof.to_str().unwrap()]);
    let root = network.genesis();
    let verify = |proof: &Path| {
        minlian(&[
            "verify",
            proof.to_str().unwrap(),
            "--trust-root",
            root.to_str().unwrap(),
            "--json",
        ])
    };
    let ran = verify(&proof).expect(0);
    assert_eq!(ran.stdout.matches(SEA).count() > 0, true, "{}", ran.stdout);
    let mut bytes = fs::read(&proof).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let spoiled = network.scratch().join("spoiled.proof");
    fs::write(&spoiled, bytes).unwrap();
    assert_ne!(verify(&spoiled).code, 0);

    // What is cut says so, and what is not there is not found.
    let url = network.url(3);
    let cut = minlian(&["--lang", "en", "trace", PALLET, "--depth", "1", "--node", &url]);
    assert_eq!(cut.code, 3, "{cut:?}");
    assert!(cut.stderr.contains("NOT THE WHOLE"), "{cut:?}");
    assert_eq!(minlian(&["trace", "urn:x:nowhere", "--node", &url]).code, 1);

    if with_gdst {
        gdst_chain(&network, &root);
    }
}

/// From its final lot to every origin.
fn gdst_chain(network: &Network, root: &Path) {
    let class = |rest: &str| format!("urn:gdst:example.org:product:lot:class:{rest}");
    let last = class("processor.2u.v1-0122-2022");
    let origins =
        ["hatchery.1u.tf12012021", "feedmill.1u.ff11252021", "fisherman01.tunau.v1-0122-2022"]
            .map(class);
    let origins: BTreeSet<&str> = origins.iter().map(String::as_str).collect();
    for (start, lots) in [(last.as_str(), 6), ("urn:epc:id:sscc:08600031303.0004", 7)] {
        let up = json(network, start, &["--up"]);
        assert_eq!(set(&up["origins"]), origins, "{start}");
        assert_eq!(set(&up["upstream"]).len(), lots, "{start}");
    }
    let proof = network.scratch().join("gdst.proof");
    trace(network, &last, &["--up", "--prove", proof.to_str().unwrap()]);
    let ran = minlian(&[
        "verify",
        proof.to_str().unwrap(),
        "--trust-root",
        root.to_str().unwrap(),
        "--json",
    ])
    .expect(0);
    for origin in origins {
        assert!(
            ran.stdout.contains("proven") && !ran.stdout.contains("missing"),
            "{origin}: {}",
            ran.stdout
        );
    }
}
