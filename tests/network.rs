//! Four validators as real processes: what they promise when all goes well, when it does not, and when somebody lies.

#![cfg(test)]

use client::{
    ClientError, Signer, Wait,
    api::{Fate, Problem},
};
use proof::{Proof, ProofError, TrustRoot};
use records::Match;
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use tests::{
    Chain, Load, Network, certify, licence, lots,
    program::{self, Ran, minlian, minlian_node},
    repository, say,
};
use tokio::time::{Instant, sleep};
use types::{
    ChainId, Height, Operation, RecordId, SecretKey, Subject, Transaction,
    operation::{Action, LicenceVerb},
};

const EVERYONE: [u16; 4] = [1, 2, 3, 4];

/// Copies documents to where receipts may lie beside them.
fn copied(network: &Network, from: &[PathBuf]) -> Vec<PathBuf> {
    let folder = network.scratch().join("documents");
    fs::create_dir_all(&folder).unwrap();
    let copy = |path: &PathBuf| {
        let to = folder.join(path.file_name().unwrap());
        fs::write(&to, fs::read(path).unwrap()).unwrap();
        to
    };
    from.iter().map(copy).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files
}

fn samples(network: &Network) -> Vec<PathBuf> {
    copied(network, &files(&repository().join("genesis/samples")))
}

fn height(receipt: &Value) -> Height {
    Height(receipt["height"].as_u64().unwrap_or_else(|| panic!("not committed: {receipt}")))
}

fn last(receipts: &[Value]) -> Height {
    receipts.iter().map(height).max().expect("something was submitted")
}

/// What stays the same when a record is submitted again.
fn places(receipts: &[Value]) -> Vec<(Value, Value, Value)> {
    let place =
        |row: &Value| (row["record"].clone(), row["position"].clone(), row["height"].clone());
    receipts.iter().map(place).collect()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Fetches a proof with the command, and gives the file.
fn prove(network: &Network, validator: u16, what: [&str; 2], name: &str) -> PathBuf {
    let out = network.scratch().join(name);
    let [flag, id] = what;
    minlian(&["prove", "--node", &network.url(validator), flag, id, "--out", path(&out)]).expect(0);
    out
}

fn verify(proof: &Path, root: &Path, more: &[&str]) -> Ran {
    minlian(&[&["verify", path(proof), "--trust-root", path(root)], more].concat())
}

/// The code that `minlian verify --json` gives, or `proven`.
fn answer(proof: &Path, root: &Path, more: &[&str]) -> (i32, String) {
    let ran = verify(proof, root, &[&["--json"], more].concat());
    let value: Value =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|why| panic!("{why}: {ran:?}"));
    let word = value["code"].as_str().or_else(|| value["result"].as_str()).unwrap_or_default();
    (ran.code, word.to_owned())
}

/// Everything that is submitted is committed, the same on all four, and provable; giving it in again changes nothing.
async fn conforms(network: &Network, files: &[PathBuf]) -> Vec<Value> {
    let receipts = network.submit(files);
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(receipts.iter().any(|row| row["file"] == name), "no receipt for {name}");
    }
    let block = network.agreed(&EVERYONE, last(&receipts)).await;
    let highest = receipts.iter().filter_map(|row| row["position"].as_u64()).max();
    assert!(highest.is_some_and(|position| position < block.header.log_size));
    let root = network.genesis();
    for (n, row) in receipts.iter().enumerate() {
        let id = row["record"].as_str().unwrap();
        let name = format!("record-{n}.proof");
        let proof = prove(network, u16::try_from(n % 4).unwrap() + 1, ["--record", id], &name);
        let file =
            files.iter().find(|file| file.file_name().unwrap() == row["file"].as_str().unwrap());
        let whole = row["line"].is_null().then(|| path(file.unwrap()));
        let document: &[&str] = match whole {
            Some(file) => &["--document", file],
            None => &[],
        };
        assert_eq!(answer(&proof, &root, document), (0, "proven".into()), "{row}");
    }
    let again = network.submit(files);
    assert_eq!(places(&again), places(&receipts));
    receipts
}

/// Every subject that these records append to.
async fn subjects(network: &Network, receipts: &[Value]) -> Vec<Subject> {
    let client = network.client(2);
    let mut found = Vec::new();
    for row in receipts {
        let id: RecordId = row["record"].as_str().unwrap().parse().unwrap();
        let record = client.record(&id).await.unwrap().unwrap();
        found.extend(
            record.operation.subjects(&record.agency).into_iter().map(|(subject, _)| subject),
        );
    }
    found.sort();
    found.dedup();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn the_samples_are_committed_proven_and_recognised_when_they_come_again() {
    let network = Network::up();
    let receipts = conforms(&network, &samples(&network)).await;
    let subjects = subjects(&network, &receipts).await;
    assert!(subjects.len() > 10, "{subjects:?}");
    let root = network.genesis();
    for (n, subject) in subjects.iter().enumerate() {
        let subject = subject.to_string();
        let proof = prove(&network, 3, ["--subject", &subject], &format!("subject-{n}.proof"));
        assert_eq!(answer(&proof, &root, &[]), (0, "proven".into()), "{subject}");
    }
    let absent = prove(&network, 4, ["--subject", "licence:nowhere"], "absent.proof");
    assert_eq!(answer(&absent, &root, &[]), (0, "proven".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_peoples_documents_are_committed_and_proven() {
    let epcis = repository().join("../shared/data/epcis");
    if !epcis.is_dir() {
        say(&format!("skipped: {} is not here; the samples stand for it", epcis.display()));
        return;
    }
    let mut documents = files(&epcis.join("openepcis/documents"));
    documents.push(epcis.join("gdst/gdst_data_withmasterdata.jsonld"));
    let network = Network::up();
    let receipts = conforms(&network, &copied(&network, &documents)).await;
    say(&format!(
        "{} documents, {} records: committed on four validators, proven",
        documents.len(),
        receipts.len()
    ));
}

/// One record's proof with its document, and one subject's, as files; and the document.
struct Evidence {
    record: PathBuf,
    status: PathBuf,
    document: PathBuf,
    operation: Operation,
}

async fn evidence(network: &Network) -> Evidence {
    let samples = samples(network);
    let document = samples.iter().find(|file| file.ends_with("aquaculture-licence.json")).unwrap();
    let receipts = network.submit(std::slice::from_ref(document));
    network.agreed(&EVERYONE, last(&receipts)).await;
    let id = receipts[0]["record"].as_str().unwrap();
    let record = network.client(1).record(&id.parse().unwrap()).await.unwrap().unwrap();
    let subject = record.operation.subjects(&record.agency)[0].0.to_string();
    Evidence {
        record: prove(network, 1, ["--record", id], "record.proof"),
        status: prove(network, 1, ["--subject", &subject], "status.proof"),
        document: document.clone(),
        operation: record.operation,
    }
}

/// How to run a program without any network, if this machine lets us.
fn isolated() -> Option<Vec<&'static str>> {
    let ways = [vec!["unshare", "-n"], vec!["unshare", "-r", "-n"]];
    ways.into_iter().find(|way| {
        let run = Command::new(way[0]).args(&way[1..]).arg("true").output();
        run.is_ok_and(|output| output.status.success())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_is_checked_without_a_network_in_a_moment() {
    let network = Network::up();
    let evidence = evidence(&network).await;
    let root = network.genesis();
    let way = isolated();
    if way.is_none() {
        say("not isolated: this machine does not let us take the network away (unshare -n)");
    }
    for (name, proof, document) in
        [("record", &evidence.record, Some(&evidence.document)), ("status", &evidence.status, None)]
    {
        let mut words: Vec<_> = way.clone().unwrap_or_default();
        let program = program::path("minlian");
        words.extend([path(&program), "verify", path(proof), "--trust-root", path(&root)]);
        if let Some(document) = document {
            words.extend(["--document", path(document)]);
        }
        let mut times = Vec::new();
        for _ in 0..10 {
            let started = Instant::now();
            let output = program::prepared(Path::new(words[0])).args(&words[1..]).output().unwrap();
            times.push(started.elapsed());
            Ran::of(&output).expect(0);
        }
        times.sort();
        let bytes = fs::metadata(proof).unwrap().len();
        say(&format!(
            "{name} proof: {bytes} bytes, verified in {:?} (median of 10 processes)",
            times[5]
        ));
        assert!(times[5] <= Duration::from_millis(150), "{times:?}");
        assert!(bytes <= 16 << 10, "{bytes} bytes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_byte_of_a_proof_or_its_document_can_be_changed() {
    let network = Network::up();
    let evidence = evidence(&network).await;
    let (root, genesis) = (network.trust_root(), network.genesis());
    let document = fs::read(&evidence.document).unwrap();
    let ways: [fn(u8) -> u8; 3] =
        [|byte| byte ^ 1, |byte| byte ^ 0x80, |byte| byte.wrapping_add(1)];
    let changed = |bytes: &[u8], at: usize, way: fn(u8) -> u8| {
        let mut bytes = bytes.to_vec();
        bytes[at] = way(bytes[at]);
        bytes
    };
    let file = network.scratch().join("changed");
    for proof in [&evidence.record, &evidence.status] {
        let bytes = fs::read(proof).unwrap();
        assert!(proof::verify(&bytes, &root).proven().is_some());
        for at in 0..bytes.len() {
            for way in ways {
                let verdict = proof::verify(&changed(&bytes, at, way), &root);
                assert!(
                    verdict.proven().is_none(),
                    "{}: byte {at} changed, and proven",
                    proof.display()
                );
            }
        }
        for at in (0..bytes.len()).step_by(bytes.len() / 12) {
            fs::write(&file, changed(&bytes, at, ways[at % 3])).unwrap();
            let ran = verify(&file, &genesis, &[]);
            assert!([1, 3].contains(&ran.code), "byte {at}: {ran:?}");
        }
    }
    assert_eq!(records::matches(&evidence.operation, &document), Match::Exact);
    for at in 0..document.len() {
        for way in ways {
            let found = records::matches(&evidence.operation, &changed(&document, at, way));
            assert_ne!(found, Match::Exact, "byte {at} of the document changed, and it matches");
        }
    }
    for at in (0..document.len()).step_by(document.len() / 12) {
        fs::write(&file, changed(&document, at, ways[at % 3])).unwrap();
        let (code, why) = answer(&evidence.record, &genesis, &["--document", path(&file)]);
        assert_eq!((code, why.as_str()), (1, "V-DOC-MISMATCH"), "byte {at}");
    }
}

/// The proof, certified by whoever holds these keys.
fn certified_by(mut proof: Proof, secrets: &[(u16, SecretKey)]) -> Proof {
    proof.certificate = certify(&proof.header, &proof.chain, secrets);
    proof
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_that_brings_its_own_authorities_is_refused_with_that_reason() {
    let network = Network::up();
    let evidence = evidence(&network).await;
    let root = network.trust_root();
    let honest = proof::decode(&fs::read(&evidence.record).unwrap()).unwrap();

    // Somebody else's chain, of the same name, with four keys of their own.
    let mut own = Chain::new(root.name(), 66);
    let tx = own.transaction(0, 1, vec![evidence.operation.clone()]);
    let record = tx.records().next().unwrap();
    own.commit(vec![tx]);
    let whole = own.prove_record(&record);
    let seats: Vec<_> = (0..4).map(|seat| (u16::from(seat), own.seat(seat))).collect();
    // The true chain's id on it, and their own committee under it.
    let mut committee = honest.clone();
    committee.header.committee = own.genesis().committee().digest();
    committee.header.next_committee = committee.header.committee;
    // The true committee's name, and their own signatures under it.
    let pretenders = certified_by(honest.clone(), &seats);
    // Two of the true signatures, and one of theirs.
    let mut short = honest.clone();
    short.certificate.signatures.truncate(2);
    let mut header = honest;
    header.header.log_size += 1;
    for (name, proof, wanted) in [
        ("another chain of the same name", whole.clone(), "V-CHAIN"),
        ("a committee of its own", certified_by(committee, &seats), "V-TRUST-ROOT"),
        ("signatures of strangers", pretenders, "V-SIGNATURE"),
        ("two signatures", short, "V-QUORUM"),
        ("a header nobody signed", header, "V-HEADER"),
    ] {
        let file = network.scratch().join("forged.proof");
        fs::write(&file, proof::encode(&proof)).unwrap();
        assert_eq!(answer(&file, &network.genesis(), &[]), (1, wanted.into()), "{name}");
    }

    // The honest proof, before an inspector of the other chain; and the forger's, before its own.
    let other = network.scratch().join("other.toml");
    fs::write(&other, own.genesis().to_toml()).unwrap();
    assert_eq!(answer(&evidence.record, &other, &[]), (1, "V-CHAIN".into()));
    assert_eq!(answer(&evidence.status, &other, &[]), (1, "V-CHAIN".into()));
    let verdict = proof::verify(&proof::encode(&whole), &own.trust_root());
    assert_eq!(verdict.error().map(ProofError::code), None, "the forgery is a good one");
    let ran = minlian(&["verify", path(&evidence.record)]).expect(3);
    assert!(ran.stdout.contains("V-NO-TRUST-ROOT"), "{ran:?}");
}

/// A file of so many events, one a line, each of a lot of its own.
fn events(network: &Network, name: &str, count: usize) -> PathBuf {
    let line = |n: usize| {
        let event = json!({
            "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],
            "type": "ObjectEvent",
            "eventTime": "2026-05-12T04:40:00.000+08:00",
            "eventTimeZoneOffset": "+08:00",
            "action": "OBSERVE",
            "bizStep": "inspecting",
            "epcList": [format!("urn:epc:id:sgtin:9521001.010017.{name}-{n}")],
        });
        format!("{event}\n")
    };
    let path = network.scratch().join(format!("{name}.ndjson"));
    fs::write(&path, (0..count).map(line).collect::<String>()).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn three_go_on_when_one_is_killed_and_it_votes_again_when_it_is_back() {
    let network = Network::up();
    let file = events(&network, "kill-one", 5000);
    let mut submission = network.submitting(&file, 1, 5, 500).await;
    let said = network.testnet(&["kill", "v3"]);
    assert!(said.contains("goes on"), "{said}");
    assert!(submission.is_running(), "the load was over before the kill");
    let before = network.node_status(1).await;
    network.agreed(&[1, 2, 4], Height(before.height.0 + 3)).await;
    assert_eq!(submission.end(), Some(0));
    let receipts = network.receipts();
    assert_eq!(receipts.len(), 5000);
    // v1 was never away: had it forgotten any of them, the application would have had to submit it twice.
    assert!(receipts.iter().all(|row| row["status"] == "committed"), "submitted twice");
    assert!(last(&receipts) > before.height, "nothing was committed after the kill");

    let back = network.node_status(1).await.height;
    network.testnet(&["start", "v3"]);
    let block = network.agreed(&EVERYONE, back).await;
    assert_eq!(block.header.log_size, 5000);
    network.votes_again(3, back).await;
    let client = network.client(3);
    for row in receipts.iter().step_by(100) {
        let record = client
            .record(&row["record"].as_str().unwrap().parse().unwrap())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(Some(record.position), row["position"].as_u64());
    }
}

/// `GET /readyz`: the status, and what stands in the way.
async fn readiness(network: &Network, validator: u16) -> (u16, String) {
    let answer = tests::get(format!("{}/readyz", network.url(validator))).await.unwrap();
    let status = answer.status().as_u16();
    let value: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    (status, value["failed_checks"].to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_halt_and_name_the_missing_and_go_on_by_themselves() {
    let network = Network::up();
    assert_eq!(readiness(&network, 1).await, (200, "[]".into()));
    network.testnet(&["kill", "v3"]);
    let said = network.testnet(&["kill", "v4"]);
    assert!(said.contains("halts"), "{said}");
    sleep(Duration::from_secs(1)).await;
    let halted = network.node_status(1).await.height;
    // What is accepted while the chain stands still is committed when it moves.
    let tx = network.sign(&network.signer("issuer"), vec![licence("while halted")]).await;
    let accepted = network.client(1).submit(&tx, Wait::Accepted).await.unwrap();
    assert_eq!(accepted.status, Fate::Accepted);
    sleep(Duration::from_secs(4)).await;
    assert_eq!(network.node_status(1).await.height, halted);
    for validator in [1, 2] {
        let (status, why) = readiness(&network, validator).await;
        assert_eq!(status, 503);
        assert!(why.contains("no_quorum: ") && why.contains("v3") && why.contains("v4"), "{why}");
        assert!(!why.contains("v1 ") && !why.contains("v2 "), "{why}");
    }
    // The operator asks in another way, and is told the same: which line is dead, and what that comes to.
    let home = network.network_home().join("v1");
    let doctor = |more: &[&str]| {
        let words = [&["doctor", "--json", "--home", path(&home)][..], more].concat();
        let ran = minlian_node(&words).expect(1);
        let said: Value = serde_json::from_str(&ran.stdout).unwrap();
        let findings = said["findings"].as_array().unwrap().iter();
        let unsound = findings.filter(|found| found["sound"] == false);
        unsound.map(|found| format!("{}: {}", found["what"], found["detail"])).collect::<Vec<_>>()
    };
    let of = |found: &[String], what: &str| -> Vec<String> {
        found.iter().filter(|line| line.starts_with(&format!("\"{what}\": "))).cloned().collect()
    };
    let found = doctor(&[]);
    let (chain, lines) = (of(&found, "chain"), of(&found, "line"));
    assert!(chain.len() == 1 && chain[0].contains("no_quorum: 2 of 4"), "{found:?}");
    assert_eq!(lines.len(), 2, "{found:?}");
    let names = network.node_status(1).await.validators;
    for (line, stopped) in lines.iter().zip(&names[2..]) {
        assert!(line.contains(&stopped.name) && line.contains("cannot be reached"), "{line}");
    }
    assert!(of(&found, "disk").is_empty(), "{found:?}");
    let full = of(&doctor(&["--set", "reserve_mib=1000000000"]), "disk");
    assert!(full.len() == 1 && full[0].contains("disk_full: "), "{full:?}");
    let states: Vec<_> = network.status().iter().map(|node| node["state"].to_string()).collect();
    assert_eq!(states, [r#""waiting""#, r#""waiting""#, r#""stopped""#, r#""stopped""#]);

    network.testnet(&["start", "v3"]);
    network.testnet(&["start", "v4"]);
    network.agreed(&EVERYONE, Height(halted.0 + 2)).await;
    let receipt = network.client(4).submit(&tx, Wait::Committed).await.unwrap();
    assert_eq!(receipt.status, Fate::Committed);
    assert!(receipt.height > Some(halted));
    assert_eq!(readiness(&network, 1).await, (200, "[]".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_reported_committed_survives_the_death_of_all_four() {
    let network = Network::up();
    let load = Load::start(&network, 8).await;
    let file = events(&network, "kill-all", 5000);
    let mut submission = network.submitting(&file, 2, 5, 1000).await;
    network.kill_all();
    assert!(submission.is_running(), "the load was over before the kill");
    let states: Vec<_> = network.status().iter().map(|node| node["state"].clone()).collect();
    assert_eq!(states, ["stopped"; 4]);
    let receipts = load.stop().await;
    assert!(receipts.len() > 10, "only {} transactions", receipts.len());

    network.go_on();
    let highest = receipts.iter().filter_map(|receipt| receipt.height).max().unwrap();
    network.agreed(&EVERYONE, Height(highest.0 + 1)).await;
    for validator in EVERYONE {
        let client = network.client(validator);
        for receipt in &receipts {
            let found = client.transaction(&receipt.tx).await.unwrap();
            assert_eq!(found.as_ref(), Some(receipt), "on v{validator}");
        }
    }
    // The application that was cut off goes on by itself, and nothing of it is lost or there twice.
    assert_eq!(submission.end(), Some(0));
    let mut ids: Vec<_> = network.receipts().iter().map(|row| row["record"].to_string()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 5000);
    let end = network.agreed(&EVERYONE, last(&network.receipts())).await;
    let root = network.trust_root();
    for validator in EVERYONE {
        let client = network.client(validator);
        for row in network.receipts().iter().step_by(400) {
            let id: RecordId = row["record"].as_str().unwrap().parse().unwrap();
            let proof = client.record_proof(&id).await.unwrap().unwrap();
            assert!(proof::verify(&proof, &root).proven().is_some(), "v{validator}: {row}");
        }
    }
    assert!(end.header.log_size >= 5000);
    say(&format!("{} transactions reported before all four died, all there after", receipts.len()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_that_slept_catches_up_and_votes() {
    let network = Network::up();
    network.testnet(&["pause", "v2"]);
    let before = network.node_status(1).await.height;
    sleep(Duration::from_secs(5)).await;
    let state = network.status()[1]["state"].clone();
    assert_eq!(state, "paused");
    let during = network.agreed(&[1, 3, 4], Height(before.0 + 2)).await;
    let receipt = network.commit(1, vec![licence("while v2 sleeps")]).await;
    network.testnet(&["resume", "v2"]);
    network.agreed(&EVERYONE, receipt.height.unwrap().max(during.header.height)).await;
    network.votes_again(2, receipt.height.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_is_never_unknown_until_it_is_committed() {
    let network = Network::up();
    let (client, signer) = (network.client(1), network.signer("issuer"));
    for turn in 0..40 {
        let tx = network.sign(&signer, vec![licence(&format!("licence {turn}"))]).await;
        client.submit(&tx, Wait::Accepted).await.unwrap();
        let mut looks = 0;
        loop {
            looks += 1;
            let receipt = client.transaction(&tx.id()).await.unwrap();
            let receipt = receipt
                .unwrap_or_else(|| panic!("turn {turn}, look {looks}: accepted, then unknown"));
            if receipt.status == Fate::Committed {
                break;
            }
            assert_eq!(receipt.status, Fate::Accepted);
        }
    }
}

/// The code with which a node refuses a transaction.
async fn refused(network: &Network, tx: &Transaction) -> String {
    match network.client(1).submit(tx, Wait::Committed).await {
        Err(ClientError::Problem(Problem { code, .. })) => code,
        other => panic!("not refused: {other:?}"),
    }
}

fn act(id: &str, verb: LicenceVerb) -> Operation {
    let mut operation = licence(id);
    let Action::Licence(act) = &mut operation.action else { unreachable!("it is a licence") };
    act.verb = verb;
    operation
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_has_its_own_reason_and_disturbs_nobody() {
    let network = Network::up();
    let (issuer, v1, v2) = (network.signer("issuer"), network.signer("v1"), network.signer("v2"));
    network.commit(1, vec![licence("alive"), licence("over")]).await;
    let receipt = network.commit(2, vec![act("over", LicenceVerb::Revoke)]).await;
    let before = network.agreed(&EVERYONE, receipt.height.unwrap()).await;

    let (chain, deadline) = (network.chain(), network.node_status(1).await.valid_until_max);
    let sign = |signer: &Signer, operation: Operation| {
        signer.sign(chain, deadline, vec![operation]).unwrap()
    };
    let stranger = SecretKey::from_seed([42; 32]);
    let new = || vec![licence("new")];
    let mut tampered = sign(&issuer, licence("new"));
    tampered.operations = vec![licence("newer")];
    let mut resigned = sign(&issuer, licence("new"));
    resigned.signature = sign(&issuer, licence("newer")).signature;
    let mut other_licence = licence("alive");
    other_licence.commitment.document = types::Digest::blake3(b"another document");
    let foreign = ChainId(types::Hash([7; 32]));
    for (name, tx, wanted) in [
        ("a role the agency does not have", sign(&v1, licence("new")), "E-AUTH-ROLE"),
        (
            "an agency that is not above the owner",
            sign(&v2, act("alive", LicenceVerb::Suspend)),
            "E-AUTH-OWNER",
        ),
        (
            "a key that is nobody's",
            Transaction::sign(chain, *issuer.agency(), &stranger, 1, deadline, new()),
            "E-AUTH-KEY",
        ),
        (
            "a key that is another agency's",
            sign_as(&network, &v1, *issuer.agency(), deadline),
            "E-AUTH-AGENCY",
        ),
        (
            "a licence that was revoked",
            sign(&issuer, act("over", LicenceVerb::Suspend)),
            "E-SUB-TERMINAL",
        ),
        ("a licence that exists", sign(&issuer, other_licence), "E-SUB-EXISTS"),
        (
            "a licence that does not exist",
            sign(&issuer, act("none", LicenceVerb::Suspend)),
            "E-SUB-UNKNOWN",
        ),
        (
            "a licence that is not suspended",
            sign(&issuer, act("alive", LicenceVerb::Resume)),
            "E-SUB-STATUS",
        ),
        ("lots out of order", sign(&issuer, disordered()), "E-TRACE-LOTS"),
        ("another chain", issuer.sign(foreign, deadline, new()).unwrap(), "E-TX-CHAIN"),
        (
            "a deadline that has passed",
            issuer.sign(chain, Height(1), new()).unwrap(),
            "E-TX-EXPIRED",
        ),
        (
            "a deadline too far ahead",
            issuer.sign(chain, Height(deadline.0 + 1000), new()).unwrap(),
            "E-TX-HORIZON",
        ),
        ("other operations than were signed", tampered, "E-TX-OPERATIONS"),
        ("the signature of something else", resigned, "E-TX-SIGNATURE"),
        ("no operation", issuer.sign(chain, deadline, Vec::new()).unwrap(), "E-TX-COUNT"),
    ] {
        assert_eq!(refused(&network, &tx).await, wanted, "{name}");
    }
    let url = format!("{}/v1/transactions", network.url(1));
    for (name, body, status, wanted) in [
        ("two MiB", vec![0; 2 << 20], 413, "E-HTTP-BODY"),
        ("garbage", b"\x01\x02garbage".to_vec(), 400, "E-TX-ENCODING"),
        ("nothing", Vec::new(), 400, "E-TX-ENCODING"),
        ("JSON", b"{}".to_vec(), 400, "E-TX-ENCODING"),
    ] {
        let answer = client::plain().build().unwrap().post(&url).body(body).send().await;
        let answer = answer.unwrap_or_else(|why| panic!("{name}: no answer: {why:?}"));
        assert_eq!(problem(answer).await, Ok((status, wanted.into())), "{name}");
    }
    refused_documents(&network);

    let end = network.agreed(&EVERYONE, Height(before.header.height.0 + 1)).await;
    assert_eq!(end.header.log_size, before.header.log_size, "a refused record is on the ledger");
    assert_eq!(end.header.state_root, before.header.state_root);
    network.commit(1, vec![licence("new")]).await;
}

/// A transaction in the name of an agency whose key it is not.
fn sign_as(
    network: &Network,
    signer: &Signer,
    agency: types::AgencyCode,
    deadline: Height,
) -> Transaction {
    let key: Value = serde_json::from_str(&fs::read_to_string(network.key("v1")).unwrap()).unwrap();
    let seed = types::codec::unhex(key["secret"].as_str().unwrap()).unwrap();
    let secret = SecretKey::from_seed(seed.try_into().unwrap());
    assert_eq!(secret.public(), signer.public());
    Transaction::sign(network.chain(), agency, &secret, 1, deadline, vec![licence("new")])
}

fn disordered() -> Operation {
    let mut operation = lots("urn:a", "urn:b");
    let Action::Trace(event) = &mut operation.action else { unreachable!("it is an event") };
    event.lots.reverse();
    operation
}

/// Documents that the command itself refuses, each with its code, and keys it does not use.
fn refused_documents(network: &Network) {
    let file = network.scratch().join("bad.json");
    let event = r#"{"@context":["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],"type":"ObjectEvent","eventTime":"yesterday","eventTimeZoneOffset":"+08:00","action":"OBSERVE","epcList":["urn:epc:id:sgtin:1.2.3"]}"#;
    for (document, wanted) in
        [(event, "E-REC-015"), ("{\"type\":\"EPCISDocument\"", "E-REC-002"), ("{}", "E-REC-010")]
    {
        fs::write(&file, document).unwrap();
        let ran = network.submission(std::slice::from_ref(&file), 1).expect(1);
        assert!(ran.stderr.contains(wanted), "{wanted}: {ran:?}");
        let kept = fs::read_to_string(network.scratch().join("rejected.ndjson")).unwrap();
        assert!(kept.contains(wanted), "{kept}");
    }
    let good = events(network, "never", 1);
    let key = network.scratch().join("exposed.json");
    fs::copy(network.key("issuer"), &key).unwrap();
    fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).unwrap();
    let words = ["submit", path(&good), "--node", &network.url(1), "--key", path(&key)];
    let ran = minlian(&words);
    assert!(ran.code != 0 && ran.stderr.contains("0600"), "{ran:?}");
}

/// The status and the code of an answer that must be a problem (RFC 9457); or what it is instead.
async fn problem(answer: reqwest::Response) -> Result<(u16, String), String> {
    let status = answer.status().as_u16();
    let kind = answer.headers().get("content-type").cloned();
    let body = answer.text().await.map_err(|why| why.to_string())?;
    if kind.as_ref().is_none_or(|kind| kind != "application/problem+json") {
        return Err(format!("{status}, of type {kind:?}: {body}"));
    }
    let problem: Problem = serde_json::from_str(&body).map_err(|why| format!("{why}: {body}"))?;
    let whole = problem.status == status
        && !problem.detail.is_empty()
        && problem.kind.ends_with(&problem.code);
    if whole { Ok((status, problem.code)) } else { Err(body) }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_question_that_has_no_answer_is_told_why() {
    let network = Network::up();
    let mut faults = Vec::new();
    let zeros = "0".repeat(64);
    let http = client::plain().build().unwrap();
    for (method, question, status, wanted) in [
        ("GET", "/nothing", 404, "E-HTTP-ROUTE"),
        ("GET", "/v2/status", 404, "E-HTTP-ROUTE"),
        ("POST", "/v1/status", 405, "E-HTTP-METHOD"),
        ("DELETE", "/v1/transactions", 405, "E-HTTP-METHOD"),
        ("GET", "/v1/records/zz", 400, "E-HTTP-ID"),
        ("GET", "/v1/records?kind=none", 400, "E-HTTP-QUERY"),
        ("GET", "/v1/records?document=zz", 400, "E-HTTP-ID"),
        ("GET", "/v1/records?surprise=1", 400, "E-HTTP-QUERY"),
        ("GET", &format!("/v1/records/{zeros}"), 404, "E-REC-UNKNOWN"),
        ("GET", &format!("/v1/proofs/records/{zeros}"), 404, "E-REC-UNKNOWN"),
        ("GET", "/v1/subjects/licence:none", 404, "E-SUB-UNKNOWN"),
        ("GET", "/v1/subjects/licence:none/history", 404, "E-SUB-UNKNOWN"),
        ("GET", "/v1/subjects/none", 400, "E-HTTP-ID"),
        ("GET", "/v1/subjects/%FF", 400, "E-HTTP-ID"),
        ("GET", "/v1/blocks/99999999", 404, "E-BLOCK-UNKNOWN"),
        ("GET", "/v1/blocks/-1", 400, "E-HTTP-ID"),
        ("GET", &format!("/v1/transactions/{zeros}"), 404, "E-TX-UNKNOWN"),
        ("GET", "/v1/transactions/zz", 400, "E-HTTP-ID"),
        ("POST", "/v1/transactions?wait=forever", 400, "E-HTTP-QUERY"),
    ] {
        let url = format!("{}{question}", network.url(1));
        let answer = http.request(method.parse().unwrap(), url).send().await.unwrap();
        let found = problem(answer).await;
        if found != Ok((status, wanted.into())) {
            faults.push(format!("{method} {question}: {found:?}, not {status} {wanted}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Starts a validator in the foreground, which must refuse, and gives what it came to.
fn refuses_to_start(home: &Path) -> Ran {
    let mut command = program::prepared(Path::new("timeout"));
    command.arg("20").arg(program::path("minlian-node")).args(["start", "--home"]).arg(home);
    Ran::of(&command.output().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_is_not_safe_to_use_is_refused() {
    let network = Network::up();
    let home = network.network_home();
    // A second process, on the directory of one that runs.
    let second = refuses_to_start(&home.join("v1"));
    assert_eq!(second.code, 5, "{second:?}");
    let height = network.node_status(1).await.height;
    network.agreed(&EVERYONE, Height(height.0 + 2)).await;

    // Another chain's genesis, on a directory that has blocks of this one.
    network.testnet(&["down"]);
    let text = fs::read_to_string(network.genesis()).unwrap();
    let name = TrustRoot::from_toml(&text).unwrap().name().to_string();
    fs::write(home.join("other.toml"), text.replace(&name, "another")).unwrap();
    let config = home.join("v1/node.toml");
    let kept = fs::read_to_string(&config).unwrap();
    fs::write(&config, kept.replace("../genesis.toml", "../other.toml")).unwrap();
    let foreign = refuses_to_start(&home.join("v1"));
    assert_eq!(foreign.code, 5, "{foreign:?}");
    fs::write(&config, kept).unwrap();

    // A key that others can read.
    for key in ["consensus", "transport"] {
        let key = home.join("v1/keys").join(format!("{key}.json"));
        fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).unwrap();
        let exposed = refuses_to_start(&home.join("v1"));
        assert!([1, 5].contains(&exposed.code), "{exposed:?}");
        assert!(exposed.stderr.contains("chmod 600"), "{exposed:?}");
        fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
    }
    // Somebody else's key.
    let (mine, theirs) = (home.join("v1/keys/consensus.json"), home.join("v2/keys/consensus.json"));
    let kept = fs::read(&mine).unwrap();
    fs::write(&mine, fs::read(theirs).unwrap()).unwrap();
    assert_ne!(refuses_to_start(&home.join("v1")).code, 0);
    fs::write(&mine, kept).unwrap();

    // None of which has harmed anything.
    network.go_on();
    network.agreed(&EVERYONE, Height(height.0 + 4)).await;
    network.commit(1, vec![licence("after all that")]).await;
}

#[test]
fn a_network_that_is_not_there_is_a_network_error() {
    let ran = minlian(&["status", "licence:x", "--node", "http://127.0.0.1:9"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert_ne!(minlian_node(&["testnet", "status", "--home", "/nonexistent"]).code, 0);
}

/// What a validator holds against others.
async fn accusations(network: &Network, validator: u16) -> usize {
    let answer = tests::get(format!("{}/v1/evidence", network.url(validator))).await.unwrap();
    let list: client::api::EvidenceList = answer.json().await.unwrap();
    list.evidence.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_ledger_is_fetched_again_and_its_key_signs_nothing_twice() {
    let network = Network::up();
    network.commit(1, vec![licence("before the loss")]).await;
    network.testnet(&["kill", "v1"]);
    let home = network.network_home().join("v1");
    fs::remove_dir_all(home.join("data")).unwrap();
    let recovered = minlian_node(&["recover", "--home", path(&home)]).expect(0);
    assert!(recovered.stdout.contains("recovered"), "{recovered:?}");
    network.testnet(&["start", "v1"]);
    let height = network.node_status(1).await.height;
    network.votes_again(1, height).await;
    network.agreed(&EVERYONE, height).await;
    for validator in 2..=4 {
        assert_eq!(accusations(&network, validator).await, 0);
    }
    // The ledger that came from others is theirs, key by key.
    network.testnet(&["down"]);
    let checked = minlian_node(&["fsck", "--home", path(&home), "--json"]).expect(0);
    let report: Value = serde_json::from_str(&checked.stdout).unwrap();
    assert_eq!(report["sound"], true, "{report}");
    assert!(report["records"].as_u64().unwrap() > 0, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_without_its_record_does_not_vote_until_somebody_answers_for_it() {
    let network = Network::up();
    network.commit(1, vec![licence("while all is well")]).await;
    network.testnet(&["kill", "v2"]);
    let killed_at = network.node_status(1).await.height;
    let home = network.network_home().join("v2");
    let record = home.join("keys/consensus.signed");
    let kept = fs::read(&record).unwrap();
    for (damage, why) in [(None, "is missing"), (Some(vec![0; kept.len()]), "is damaged")] {
        match damage {
            Some(bytes) => fs::write(&record, bytes).unwrap(),
            None => fs::remove_file(&record).unwrap(),
        }
        let refused = refuses_to_start(&home);
        assert_eq!(refused.code, 5, "{refused:?}");
        assert!(
            refused.stderr.contains(why) && refused.stderr.contains("--voted-until"),
            "{refused:?}"
        );
    }
    fs::remove_file(&record).unwrap();
    let until = Height(network.node_status(1).await.height.0 + 5);
    let key = home.join("keys/consensus.json");
    minlian_node(&["key", "sign-state", "--key", path(&key), "--voted-until", &until.to_string()])
        .expect(0);
    network.testnet(&["start", "v2"]);
    network.votes_again(2, until).await;
    let client = network.client(1);
    for height in killed_at.0 + 2..=until.0 {
        let block = client.block(Height(height)).await.unwrap().unwrap();
        let voted = block.certificate.signatures.iter().any(|(seat, _)| *seat == 1);
        assert!(!voted, "it voted at height {height}, and was to be silent until {until}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_ledger_is_not_called_sound() {
    let network = Network::up();
    let operations = (0..200).map(|n| licence(&format!("damage {n}"))).collect();
    network.commit(1, operations).await;
    network.testnet(&["down"]);
    let home = network.network_home().join("v1");
    minlian_node(&["fsck", "--home", path(&home)]).expect(0);
    let tables = files(&home.join("data/ledger"));
    let largest = tables
        .iter()
        .filter(|file| file.extension().is_some_and(|end| end == "sst"))
        .max_by_key(|file| fs::metadata(file).unwrap().len())
        .unwrap();
    let mut bytes = fs::read(largest).unwrap();
    let middle = bytes.len() / 3;
    bytes[middle] ^= 0x40;
    fs::write(largest, bytes).unwrap();
    let found = minlian_node(&["fsck", "--home", path(&home)]);
    assert_ne!(found.code, 0, "{found:?}");
    assert_ne!(found.code, 101, "a check never panics: {found:?}");
}
