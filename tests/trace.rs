//! `minlian trace` against four validators: the samples and GDST's chain, drawn in every form, and proven.

#![cfg(test)]

use proof::Claim;
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};
use tests::{Network, program::minlian, python, repository};
use types::Digest;

/// Copies a document to where receipts may lie beside it.
fn copied(network: &Network, from: &Path) -> PathBuf {
    let folder = network.scratch().join("documents");
    fs::create_dir_all(&folder).unwrap();
    let to = folder.join(from.file_name().unwrap());
    fs::write(&to, fs::read(from).unwrap()).unwrap();
    to
}

/// The vessel's permit, which the fishing event names: like the farm's among the samples, under its own identifier.
fn permit(network: &Network) -> PathBuf {
    let farm = fs::read(repository().join("genesis/samples/aquaculture-licence.json")).unwrap();
    let farm: Value = serde_json::from_slice(&farm).unwrap();
    let mut issue = farm["operations"][0].clone();
    issue["meta"]["证照标识"] = VESSEL.into();
    issue["meta"]["证照类型代码"] = "11350000XXXX2001XJ002".into();
    let file = network.scratch().join("documents/permit.json");
    fs::write(&file, issue.to_string()).unwrap();
    file
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
    let permit = permit(&network);
    let gdst = repository().join("../shared/data/epcis/gdst/gdst_data_withmasterdata.jsonld");
    let mut files = vec![catch.clone(), sample("licences.ndjson"), permit];
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
        "urn:epc:id:sgln:9521001.00011.0",
        "origins: 1",
    ] {
        assert!(tree.contains(wanted), "{wanted}:\n{tree}");
    }
    assert!(tree.contains(&format!("{VESSEL} ✔ valid at the time (now ACTIVE)")), "{tree}");
    assert!(!tree.contains("DOWNSTREAM"), "{tree}");
    assert!(!trace(&network, PALLET, &["--up"]).contains("urn:epc:id:sgln:9521001.00011.0"));

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
    assert!(
        !licences.is_empty() && licences.iter().all(|one| one["covers"] == true),
        "{licences:?}"
    );
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
    verify(&proof).expect(0);
    assert_eq!(proven_lots(&proof), [SEA, BATCH, PALLET].map(str::to_owned).into());
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
    a_batch(&network, &root);
    seeds(&network);
    // Both are subjects like any other.
    for subject in ["batch:urn:fj:exchange:day", "seed:1.2.156.3005.2.X/A1"] {
        let out = network.scratch().join("subject.proof");
        let to = out.to_str().unwrap();
        minlian(&["prove", "--subject", subject, "--node", &url, "--out", to]).expect(0);
        verify(&out).expect(0);
        another_opinion("verify.py", &out, &root, 0);
    }
}

/// A file of digests is one record; each of its lines is proven alone, without the node, and only as what it is.
fn a_batch(network: &Network, root: &Path) {
    let file = network.scratch().join("day.digests");
    let digest = |n: u32| Digest::blake3(&n.to_le_bytes());
    let line = |n: u32| format!("{}\n", digest(n).to_string().trim_start_matches("blake3:"));
    fs::write(&file, (0..10_000).map(line).collect::<String>()).unwrap();
    let (file, url, key) = (file.to_str().unwrap(), network.url(1), network.key("issuer"));
    let submit = || {
        let ran = minlian(&[
            "submit",
            "--commitments",
            file,
            "--series",
            "urn:fj:exchange:day",
            "--node",
            &url,
            "--key",
            key.to_str().unwrap(),
            "--json",
        ])
        .expect(0);
        serde_json::from_str::<Value>(&ran.stdout).unwrap()
    };
    let first = submit();
    assert_eq!(
        (&first["lines"], first["height"].is_u64()),
        (&Value::from(10_000), true),
        "{first}"
    );
    // Run again, it is the same record at the same place.
    let again = submit();
    assert_eq!((&again["record"], &again["position"]), (&first["record"], &first["position"]));

    let out = network.scratch().join("line.proof");
    let prove = |number: &str, more: &[&str]| {
        let all = [&["prove", "line", file, number, "--out", out.to_str().unwrap()], more].concat();
        minlian(&all)
    };
    let verify = |more: &[&str]| {
        let words =
            ["verify", out.to_str().unwrap(), "--trust-root", root.to_str().unwrap(), "--json"];
        let ran = minlian(&[&words, more].concat());
        (
            ran.code,
            serde_json::from_str::<Value>(&ran.stdout)
                .unwrap_or_else(|why| panic!("{why}: {ran:?}")),
        )
    };
    assert_eq!(prove("1", &[]).code, 2, "the batch's own proof is not here yet");
    prove("1", &["--node", &url]).expect(0);
    let document = network.scratch().join("behind");
    for number in [1_u32, 2, 4096, 4097, 9999, 10_000] {
        prove(&number.to_string(), &[]).expect(0);
        fs::write(&document, (number - 1).to_le_bytes()).unwrap();
        let (code, answer) = verify(&["--document", document.to_str().unwrap()]);
        assert_eq!(
            (code, &answer["result"], &answer["number"]),
            (0, &"proven".into(), &number.into()),
            "{answer}"
        );
        fs::write(&document, number.to_le_bytes()).unwrap();
        let (code, answer) = verify(&["--document", document.to_str().unwrap()]);
        assert_eq!((code, &answer["code"]), (1, &"V-DOC-MISMATCH".into()), "{answer}");
    }
    let good = fs::read(&out).unwrap();
    let proof = proof::decode_line(&good).unwrap();
    second_opinion(&out, root, 0);
    for (change, want) in [
        ((|proof| proof.index -= 1) as fn(&mut proof::LineProof), "V-LINE-ROOT"),
        (|proof| proof.index = 0, "V-LINE-PATH"),
        (|proof| proof.index = 10_000, "V-LINE-INDEX"),
        (|proof| proof.line.0[0] ^= 1, "V-LINE-ROOT"),
        (|proof| proof.path[3].0[9] ^= 1, "V-LINE-ROOT"),
        (|proof| proof.path.truncate(2), "V-LINE-PATH"),
        (|proof| proof.proof[100] ^= 1, ""),
    ] {
        let mut other = proof.clone();
        change(&mut other);
        fs::write(&out, proof::encode_line(&other)).unwrap();
        let (code, answer) = verify(&[]);
        assert_ne!(code, 0, "{answer}");
        if !want.is_empty() {
            assert_eq!((code, &answer["code"]), (1, &want.into()), "{answer}");
        }
        second_opinion(&out, root, code);
    }
    let mut spoiled = good;
    spoiled[30] ^= 1;
    fs::write(&out, spoiled).unwrap();
    assert_eq!(verify(&[]).1["code"], "V-LINE-SEAL");
    second_opinion(&out, root, 1);
    // A file that was changed proves nothing more.
    fs::write(file, (1..10_001).map(line).collect::<String>()).unwrap();
    assert_eq!(prove("17", &[]).code, 3);
    assert_eq!(prove("10001", &[]).code, 2);
}

/// What the verifier in Python says of the proof of a line.
fn second_opinion(proof: &Path, root: &Path, want: i32) {
    another_opinion("line.py", proof, root, want);
}

fn another_opinion(program: &str, proof: &Path, root: &Path, want: i32) {
    let ran = python(format!("verifier/{program}"))
        .arg(proof)
        .arg("--trust-root")
        .arg(root)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert_eq!(ran.status.code(), Some(want), "{said}{}", String::from_utf8_lossy(&ran.stderr));
}

/// A table of seed packs: a unit code is put on one pack, the second is refused by its own code, and a row that is none too;
/// run again, nothing is recorded twice.
fn seeds(network: &Network) {
    let at = |name: &str| network.scratch().join(name).to_str().unwrap().to_owned();
    let (table, mapping, rejected) = (at("seeds.csv"), at("mapping.json"), at("rejected.ndjson"));
    let rows = [
        "品种,企业,单元识别代码,批次",
        "榕优示例8号,\"某种业公司,示例\",A1,urn:x:1",
        "榕优示例8号,\"某种业公司,示例\",A2,urn:x:1",
        "榕优示例8号,\"某种业公司,示例\",A1,urn:x:2",
        "榕优示例8号,A3,urn:x:2",
        "榕优示例8号,某种业公司,A-4,urn:x:2",
    ];
    fs::write(&table, rows.join("\r\n")).unwrap();
    let template = r#"{"op": "seed.label", "at": "2026-03-02T08:30:00+08:00", "permit": "1.2.156.3005.2.X", "lot": "${批次}",
        "label": "${品种}\n${企业}\n${单元识别代码}\nhttps://trace.example.cn/s/${单元识别代码}"}"#;
    fs::write(&mapping, template).unwrap();
    let (url, key) = (network.url(1), network.key("issuer"));
    let before = || {
        let ran = minlian(&["status", "seed:1.2.156.3005.2.X/A1", "--node", &url, "--json"]);
        (ran.code, ran.stdout)
    };
    assert_eq!(before().0, 1);
    let mut seen = Vec::new();
    for _ in 0..2 {
        let ran = minlian(&[
            "submit",
            &table,
            "--mapping",
            &mapping,
            "--node",
            &url,
            "--key",
            key.to_str().unwrap(),
            "--rejected",
            &rejected,
            "--batch",
            "1",
        ]);
        assert_eq!(ran.code, 1, "{ran:?}");
        let list = fs::read_to_string(&rejected).unwrap();
        let mut found: Vec<(u64, String)> = list
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .map(|row| (row["line"].as_u64().unwrap(), row["code"].as_str().unwrap().to_owned()))
            .collect();
        found.sort();
        let wanted = [(4, "E-SEED-REUSED"), (5, "E-CSV-ROW"), (6, "E-REC-054")]
            .map(|(line, code)| (line, code.to_owned()));
        assert_eq!(found, wanted, "{list}");
        let state: Value = serde_json::from_str(&before().1).unwrap();
        seen.push((state["state"]["records"].clone(), state["state"]["latest"].clone()));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0].0, 1);
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
    let words = ["verify", proof.to_str().unwrap(), "--trust-root", root.to_str().unwrap()];
    minlian(&words).expect(0);
    let proven = proven_lots(&proof);
    assert_eq!(proven.len(), 6);
    assert!(origins.iter().all(|origin| proven.contains(*origin)), "{proven:?}");
}

/// The lots whose complete histories a proof of upstreams shows.
fn proven_lots(proof: &Path) -> BTreeSet<String> {
    let proof = proof::decode(&fs::read(proof).unwrap()).unwrap();
    let mut lots = BTreeSet::new();
    for claim in proof.claims {
        let Claim::Upstream(claim) = claim else { panic!("{claim:?}") };
        lots.extend(claim.lots.iter().map(|lot| lot.state.subject.id.to_string()));
    }
    lots
}
