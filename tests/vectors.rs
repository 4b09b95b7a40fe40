//! The vectors that are committed are those that the code gives, and they hold for whoever reads nothing else.

#![cfg(test)]

use ed25519_dalek::{Signer as _, SigningKey};
use proof::{LineError, ProofError, TrustRoot, log::LogError};
use serde_json::Value;
use std::{collections::BTreeSet, fmt::Write as _, fs};
use tests::{
    python,
    vectors::{files, folder},
};
use types::{
    Block, Certificate, CertificateError, Genesis, Header, Operation, Subject, SubjectState,
    Transaction,
    codec::{self, Wire, hex, unhex},
};
use verdict::speech::Lang;

fn committed(name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(folder().join(name)).unwrap()).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    unhex(value.as_str().unwrap()).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn rows(value: &Value) -> &[Value] {
    let rows = value.as_array().unwrap();
    assert!(!rows.is_empty());
    rows
}

#[test]
fn no_byte_of_any_format_has_changed() {
    let wanted: BTreeSet<_> = files().iter().map(|(name, _)| (*name).to_owned()).collect();
    let found: BTreeSet<_> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(found, wanted);
    for (name, text) in files() {
        let kept = fs::read_to_string(folder().join(name)).unwrap();
        let differs = kept.lines().zip(text.lines()).position(|(kept, now)| kept != now);
        assert!(
            kept == text,
            "tests/vectors/{name} differs from line {} on; a format may change only with a new version number, \
             and then: scripts/vectors",
            differs.map_or(0, |line| line + 1)
        );
    }
}

#[test]
fn every_spelling_reads_back_to_a_value_with_that_name() {
    fn same<T: Wire>(value: &Value) -> T {
        let spelled = bytes(value);
        let read: T = codec::decode(&spelled).unwrap();
        assert_eq!(codec::encode(&read), spelled);
        read
    }
    let values = committed("values.json");
    let genesis: Genesis = same(&values["genesis"]["bytes"]);
    assert_eq!(Genesis::from_toml(text(&values["genesis"]["toml"])).unwrap(), genesis);
    assert_eq!(genesis.chain().to_string(), text(&values["genesis"]["chain"]));
    for row in rows(&values["operations"]) {
        let operation: Operation = same(&row["bytes"]);
        let agency = text(&row["agency"]).parse().unwrap();
        assert_eq!(operation.record(&agency).to_string(), text(&row["record"]));
    }
    for row in rows(&values["subjects"]) {
        let subject: Subject = same(&row["bytes"]);
        assert_eq!(subject.to_string(), text(&row["subject"]));
        assert_eq!(subject.key().to_string(), text(&row["key"]));
        let state: SubjectState = same(&row["state"]["bytes"]);
        assert_eq!(state.digest().to_string(), text(&row["state"]["digest"]));
        assert_eq!(state.subject, subject);
    }
    let tx: Transaction = same(&values["transaction"]["bytes"]);
    assert_eq!(tx.id().to_string(), text(&values["transaction"]["id"]));
    assert!(tx.verify(&genesis.chain()).is_ok());
    let block: Block = same(&values["block"]["bytes"]);
    let header: Header = same(&values["block"]["header"]);
    assert_eq!(block.header, header);
    assert_eq!(block.id().to_string(), text(&values["block"]["id"]));
    let certificate: Certificate = same(&values["certificate"]["bytes"]);
    assert_eq!(certificate.block, block.id());
    assert_eq!(certificate.verify(&genesis.chain(), &genesis.committee()), Ok(()));
}

#[test]
fn every_signature_is_plain_ed25519_over_the_message_shown() {
    let file = committed("signatures.json");
    let sign = |secret: &[u8], message: &[u8]| {
        let key = SigningKey::from_bytes(secret.try_into().unwrap());
        format!("ed25519:{}", hex(&key.sign(message).to_bytes()))
    };
    let seat = bytes(&file["purposes"][0]["secret"]);
    for row in rows(&file["purposes"]) {
        assert_eq!(sign(&bytes(&row["secret"]), &bytes(&row["message"])), text(&row["signature"]));
    }
    for row in rows(&file["votes"]) {
        assert_eq!(sign(&seat, &bytes(&row["message"])), text(&row["signature"]));
    }
    let row = &file["transaction"];
    assert_eq!(sign(&bytes(&row["secret"]), &bytes(&row["message"])), text(&row["signature"]));
}

#[test]
fn every_proof_holds_against_its_trust_root_and_no_other() {
    let files = [committed("proofs.json"), committed("proofs-1.json")];
    let saved = files[0]["trust_root_saved"].as_str().unwrap();
    let saved = TrustRoot::from_text(saved).unwrap();
    assert_eq!(saved.committees().count(), 4);
    files.iter().for_each(proven_in);
}

fn proven_in(file: &Value) {
    let root = TrustRoot::from_toml(text(&file["trust_root"])).unwrap();
    let other = tests::Chain::new("another", 9).trust_root();
    for row in rows(&file["proofs"]) {
        let name = text(&row["name"]);
        let mut carriers = vec![bytes(&row["bytes"]), text(&row["armor"]).as_bytes().to_vec()];
        if let Some(frames) = row["frames"].as_array() {
            let frames: Vec<&str> = frames.iter().rev().map(text).collect();
            carriers.push(frames.join("\n").into_bytes());
        }
        for carrier in carriers {
            assert_eq!(proof::verify(&carrier, &root).error(), None, "{name}");
            let refused = proof::verify(&carrier, &other);
            assert_eq!(refused.error().map(ProofError::code), Some("V-CHAIN"), "{name}");
        }
    }
}

#[test]
fn every_refusal_has_its_code_and_every_code_is_shown() {
    let file = committed("refusals.json");
    let root = TrustRoot::from_toml(text(&file["trust_root"])).unwrap();
    let mut seen = BTreeSet::new();
    for row in rows(&file["refusals"]) {
        // Where a checker knows more than the genesis, the row says so.
        let root = row["trust_root"]
            .as_str()
            .map_or_else(|| root.clone(), |text| TrustRoot::from_text(text).unwrap());
        let verdict = proof::verify(&bytes(&row["bytes"]), &root);
        let error = verdict.error().unwrap_or_else(|| panic!("{} is proven", row["name"]));
        assert_eq!(error.code(), text(&row["code"]), "{}", row["name"]);
        assert_eq!(error.code(), code_of(error), "{}", row["name"]);
        assert_eq!(error.is_undecided(), row["verdict"] == "cannot-check", "{}", row["name"]);
        seen.insert(error.code());
    }
    // And of every reason there is it is written here which code it has: one more does not compile until it is, too.
    let wanted = [
        "V-ABSENCE",
        "V-AUTHORITY",
        "V-CHAIN",
        "V-CONSISTENCY",
        "V-ENTRY",
        "V-EQUIVOCATION",
        "V-FORK",
        "V-FORMAT",
        "V-FRAMES",
        "V-HANDOVER",
        "V-HEADER",
        "V-HISTORY",
        "V-MALFORMED",
        "V-OPERATION",
        "V-PATH-LENGTH",
        "V-PATH-MISMATCH",
        "V-QUORUM",
        "V-SEAL",
        "V-SIGNATURE",
        "V-STATE",
        "V-SUBMITTER",
        "V-TRUST-ROOT",
        "V-UPSTREAM",
    ];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), wanted);
}

#[test]
fn the_second_verifier_says_the_same_of_every_vector() {
    let folder = tempfile::tempdir().unwrap();
    let (mut cases, mut roots) = (String::new(), Vec::new());
    let mut root_of = |text: &str| {
        let at =
            roots.iter().position(|root: &String| root.as_str() == text).unwrap_or(roots.len());
        if at == roots.len() {
            roots.push(text.to_owned());
            fs::write(folder.path().join(format!("{at}.toml")), text).unwrap();
        }
        at.to_string()
    };
    for (name, list) in
        [("proofs.json", "proofs"), ("proofs-1.json", "proofs"), ("refusals.json", "refusals")]
    {
        let file = committed(name);
        for row in rows(&file[list]) {
            let root = row["trust_root"].as_str().unwrap_or_else(|| text(&file["trust_root"]));
            let mut carriers = vec![bytes(&row["bytes"])];
            if let Some(frames) = row["frames"].as_array() {
                carriers
                    .push(frames.iter().rev().map(text).collect::<Vec<_>>().join(" ").into_bytes());
            }
            for carrier in carriers {
                let case = serde_json::json!({
                    "proof": hex(&carrier), "root": root_of(root), "kind": name,
                    "result": row["verdict"], "code": row["code"],
                });
                writeln!(cases, "{case}").unwrap();
            }
        }
    }
    fs::write(folder.path().join("cases.ndjson"), cases).unwrap();
    let done = python("verifier/differential.py").arg(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && said.contains(" 0 disagreements"), "{said}");
}

#[test]
fn the_second_verifier_says_the_same_of_lines_presentations_and_logs() {
    let done = python("verifier/vectors.py").arg(folder()).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    let why = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && said.ends_with("0 judged otherwise\n"), "{said}{why}");
}

/// The codes of proofs, once more and without the library: a new reason is to be told here, and its code above.
const fn code_of(error: &ProofError) -> &'static str {
    use ProofError as E;
    match error {
        E::NotAProof | E::Version { .. } => "V-FORMAT",
        E::TooLong { .. }
        | E::Truncated
        | E::Malformed(_)
        | E::NotCanonical
        | E::Armor { .. }
        | E::Checksum
        | E::Frame { .. }
        | E::FrameOfAnother { .. }
        | E::Claims { .. }
        | E::Hops { .. }
        | E::Links { .. }
        | E::Signatures { .. }
        | E::Work { .. } => "V-MALFORMED",
        E::FramesMissing { .. } => "V-FRAMES",
        E::Seal => "V-SEAL",
        E::Chain { .. } => "V-CHAIN",
        E::TrustRoot { .. } => "V-TRUST-ROOT",
        E::Handover(_) => "V-HANDOVER",
        E::Fork { .. } | E::Contradiction { .. } => "V-FORK",
        E::Header => "V-HEADER",
        E::Signature { .. } | E::Certificate(CertificateError::Signature { .. }) => "V-SIGNATURE",
        E::Certificate(
            CertificateError::Order { .. }
            | CertificateError::Seat { .. }
            | CertificateError::Quorum { .. },
        ) => "V-QUORUM",
        E::PathLength { .. } | E::Consistency(LogError::Length { .. }) => "V-PATH-LENGTH",
        E::PathMismatch { .. } => "V-PATH-MISMATCH",
        E::Operation { .. } => "V-OPERATION",
        E::Agency { .. }
        | E::Key { .. }
        | E::Unenrolled { .. }
        | E::Suspended { .. }
        | E::KeyTerm { .. } => "V-SUBMITTER",
        E::Line(_) | E::Role { .. } | E::Scope { .. } => "V-AUTHORITY",
        E::Position { .. }
        | E::Index { .. }
        | E::EntryTransaction { .. }
        | E::EntryRecord { .. }
        | E::EntryHeight { .. }
        | E::EntryTime { .. }
        | E::Batch(_) => "V-ENTRY",
        E::StateSubject { .. } | E::StatePath(_) | E::State { .. } => "V-STATE",
        E::AbsencePath(_) | E::Absence { .. } => "V-ABSENCE",
        E::HistoryOfNothing
        | E::HistoryCount { .. }
        | E::HistoryOrder { .. }
        | E::HistoryHead { .. }
        | E::HistoryRecord { .. } => "V-HISTORY",
        E::Consistency(LogError::Order { .. } | LogError::Old { .. } | LogError::New { .. })
        | E::ConsistencyOrder { .. }
        | E::ConsistencyChain { .. }
        | E::ConsistencyMissing { .. } => "V-CONSISTENCY",
        E::Equivocation(_) => "V-EQUIVOCATION",
        E::Upstream(_) => "V-UPSTREAM",
    }
}

/// The codes of lines, in the same way.
const fn code_of_line(error: &LineError) -> &'static str {
    match error {
        LineError::NotALine | LineError::Version { .. } => "V-LINE-FORMAT",
        LineError::Malformed(_) => "V-LINE-MALFORMED",
        LineError::Seal => "V-LINE-SEAL",
        LineError::Record => "V-LINE-RECORD",
        LineError::Index { .. } => "V-LINE-INDEX",
        LineError::Path { .. } => "V-LINE-PATH",
        LineError::Root { .. } => "V-LINE-ROOT",
        LineError::Inner(code) => code,
    }
}

#[test]
fn every_line_is_judged_as_it_is_told_and_every_code_is_shown() {
    let file = committed("lines.json");
    let root = TrustRoot::from_toml(text(&file["trust_root"])).unwrap();
    let mut seen = BTreeSet::new();
    for row in rows(&file["lines"]) {
        let spelled = bytes(&row["bytes"]);
        let found = proof::verify_line(&spelled, &root).result.err();
        let code = found.as_ref().map(LineError::code);
        assert_eq!(code, row["code"].as_str(), "{}", row["name"]);
        assert_eq!(code, found.as_ref().map(code_of_line), "{}", row["name"]);
        seen.insert(code.unwrap_or("proven"));
    }
    let wanted = [
        "V-CHAIN",
        "V-FORMAT",
        "V-LINE-FORMAT",
        "V-LINE-INDEX",
        "V-LINE-MALFORMED",
        "V-LINE-PATH",
        "V-LINE-RECORD",
        "V-LINE-ROOT",
        "V-LINE-SEAL",
        "V-MALFORMED",
        "proven",
    ];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), wanted);
}

#[test]
fn what_is_asked_beyond_a_proof_is_answered_as_it_is_told() {
    let file = committed("beyond.json");
    let mut seen = BTreeSet::new();
    for row in rows(&file["rows"]) {
        let proof = bytes(&row["bytes"]);
        let report = verdict::examine(verdict::Brought {
            file: "proof".into(),
            root: Some(("root".into(), Ok(text(&file["trust_root"]).as_bytes().to_vec()))),
            proof: Ok(&proof),
            document: row["document"]
                .as_str()
                .map(|document| ("document".into(), Ok(unhex(document).unwrap()))),
            at: row["at"].as_str().map(|at| at.parse().unwrap()),
        });
        let found = (report.answer().name(), report.code());
        assert_eq!(found, (text(&row["verdict"]), row["code"].as_str()), "{}", row["name"]);
        let standing = report.json(Lang::En)["beyond"]["standing"].clone();
        assert_eq!(standing, row["standing"], "{}", row["name"]);
        seen.extend(report.code().map(str::to_owned));
        seen.extend(standing[0]["standing"].as_str().map(str::to_owned));
    }
    for wanted in [
        "V-AT-INCOMPLETE",
        "V-AT-LATER",
        "V-AT-NOTHING",
        "V-DOC-MISMATCH",
        "V-DOC-NO-RECORD",
        "absent",
        "active",
        "expired",
    ] {
        assert!(seen.contains(wanted), "{wanted} of {seen:?}");
    }
}
