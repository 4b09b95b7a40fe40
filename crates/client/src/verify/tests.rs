//! Golden answers, in both languages, for proofs that hold and proofs that do not.

use super::*;
use crate::{
    fixture::{Folder, HOME, Ledger, document, genesis},
    speech::Lang,
};
use proof::{Claim, Proof};
use serde_json::{Value, json};
use types::{Digest, Timestamp, codec};

/// Checks files and gives the answer, and what is said, hashes masked.
struct Desk {
    folder: Folder,
    root: PathBuf,
}

impl Desk {
    fn new(name: &str) -> Self {
        let folder = Folder::new(name);
        let root = folder.write("national-root.toml", genesis(HOME).to_toml());
        Self { folder, root }
    }

    fn report(&self, proof: &[u8], document: Option<&[u8]>) -> Report {
        self.report_at(proof, document, None)
    }

    fn report_at(&self, proof: &[u8], document: Option<&[u8]>, at: Option<Timestamp>) -> Report {
        examine(&arguments::Verify {
            proof: vec![self.folder.write("licence.proof", proof)],
            trust_root: Some(self.root.clone()),
            document: document.map(|bytes| self.folder.write("licence.json", bytes)),
            at,
            report: None,
            explain: false,
            schema: false,
            evidence: None,
            json: false,
            quiet: false,
        })
    }

    /// The answer and the code must be these, and the words those of the golden file.
    fn check(
        &self,
        case: &str,
        proof: &[u8],
        document: Option<&[u8]>,
        answer: Answer,
        code: Option<&str>,
    ) {
        self.check_at(case, proof, document, None, answer, code);
    }

    fn check_at(
        &self,
        case: &str,
        proof: &[u8],
        document: Option<&[u8]>,
        at: Option<Timestamp>,
        answer: Answer,
        code: Option<&str>,
    ) {
        let report = self.report_at(proof, document, at);
        assert_eq!(
            (report.answer(), report.code()),
            (answer, code),
            "{case}: {:?}",
            report.error()
        );
        for (lang, name) in [(Lang::En, "en"), (Lang::Zh, "zh")] {
            let said = mask(&speech::report(lang, &report, false));
            let path = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join(format!("src/speech/golden/{case}.{name}.txt"));
            let golden = fs::read_to_string(&path).unwrap_or_default();
            if golden != said {
                let seen = std::env::temp_dir().join(format!("{case}.{name}.txt"));
                fs::write(&seen, &said).unwrap();
                panic!("{} says otherwise; now it is {}:\n{said}", path.display(), seen.display());
            }
        }
    }
}

/// Hashes and versions change; words do not.
fn mask(text: &str) -> String {
    let text = text.replace(crate::exit::VERSION, "VERSION");
    let mut out = String::new();
    for word in text.split_inclusive(|c: char| !(c.is_ascii_hexdigit() || c == '…')) {
        let body = word.trim_end_matches(|c: char| !(c.is_ascii_hexdigit() || c == '…'));
        let short = body.contains('…') && body.len() > 8;
        if short || body.len() == 64 {
            out.push('#');
            out.push_str(&word[body.len()..]);
        } else {
            out.push_str(word);
        }
    }
    out
}

fn home() -> Ledger {
    Ledger::new(&genesis(HOME), HOME, &[0, 1, 3])
}

#[test]
fn what_is_proven_is_said_in_both_languages() {
    let desk = Desk::new("proven");
    let record = proof::encode(&home().record());
    desk.check("proven", &record, Some(document()), Answer::Proven, None);
    desk.check("record", proof::armor(&record).as_bytes(), None, Answer::Proven, None);
    desk.check("status", &proof::encode(&home().status()), None, Answer::Proven, None);
    let absent = "lot:urn:epc:class:lgtin:6901234.012345.L1".parse().unwrap();
    desk.check("absent", &proof::encode(&home().absence(&absent)), None, Answer::Proven, None);
}

/// The proof of the first two licences of the samples, and their documents.
fn pair() -> (Proof, [&'static [u8]; 2]) {
    let mut lines = crate::fixture::LICENCES.lines().map(str::as_bytes);
    let documents = [lines.next().unwrap(), lines.next().unwrap()];
    (Ledger::pair(documents, &genesis(HOME), HOME, &[0, 1, 3]), documents)
}

#[test]
fn a_file_is_said_to_be_that_of_its_own_record_and_of_no_other() {
    let desk = Desk::new("pair");
    let (proof, documents) = pair();
    let names = proof.claims.iter().map(|claim| {
        let Claim::Record(claim) = claim else { panic!("{claim:?}") };
        claim.operation.subjects(&claim.transaction.agency)[0].0.id.to_string()
    });
    let names: Vec<String> = names.collect();
    assert_ne!(names[0], names[1]);
    let encoded = proof::encode(&proof);
    for (mine, other) in [(0, 1), (1, 0)] {
        let report = desk.report(&encoded, Some(documents[mine]));
        assert_eq!(report.answer(), Answer::Proven, "{:?}", report.error());
        let (shown, _) = speech::meaning(Lang::En, &report);
        let exact: Vec<&String> =
            shown.iter().filter(|sentence| sentence.contains("This exact file")).collect();
        assert!(exact.len() == 1 && exact[0].contains(&names[mine]), "{shown:?}");
        assert!(shown.iter().any(|it| it.contains(&names[other]) && it.contains("has the digest")));
        // The first line is about the record whose file was brought.
        let said = speech::report(Lang::En, &report, false);
        let head = said.lines().next().unwrap();
        assert!(head.contains(&names[mine]) && !head.contains(&names[other]), "{head}");
        assert!(said.contains("it is the file of:"), "{said}");
    }
    // Past the claims that are told one by one, the one whose file was brought is told all the same.
    let mut many = proof.clone();
    many.claims = vec![proof.claims[0].clone(); 7];
    many.claims.push(proof.claims[1].clone());
    let report = desk.report(&proof::encode(&many), Some(documents[1]));
    assert_eq!(report.answer(), Answer::Proven, "{:?}", report.error());
    let (shown, _) = speech::meaning(Lang::En, &report);
    assert!(
        shown.iter().any(|it| it.contains("This exact file") && it.contains(&names[1])),
        "{shown:?}"
    );
}

#[test]
fn where_a_subject_stands_is_in_the_first_line_and_for_programs() {
    let desk = Desk::new("states");
    let absent = "lot:urn:epc:class:lgtin:6901234.012345.L1\u{200b}".parse().unwrap();
    let report = desk.report(&proof::encode(&home().absence(&absent)), None);
    let said = speech::report(Lang::En, &report, false);
    // What cannot be seen is shown: it is another lot than the one it looks like.
    assert!(said.starts_with("PROVEN   lot urn:epc:class:lgtin:6901234.012345.L1<U+200B>: NOT ON THE LEDGER as of block 2,119\n"), "{said}");
    assert!(!said.contains('\u{200b}'));
    let states = &report.json(Lang::En)["states"];
    assert_eq!((&states[0]["present"], &states[0]["status"]), (&json!(false), &Value::Null));
    let status = desk.report(&proof::encode(&home().status()), None);
    let said = speech::report(Lang::En, &status, false);
    assert!(said.lines().next().unwrap().ends_with(": ACTIVE as of block 2,119"), "{said}");
    let states = &status.json(Lang::En)["states"];
    assert_eq!((&states[0]["present"], &states[0]["status"]), (&json!(true), &json!("active")));
}

#[test]
fn what_is_only_to_take_effect_is_said_with_its_day() {
    let at: Timestamp = "2026-11-05T00:00:00+08:00".parse().unwrap();
    let Claim::Status(claim) = home().status().claims.remove(0) else { panic!("a status") };
    let mut state = claim.state.clone().unwrap();
    assert_eq!(speech::usage::word_at(Lang::En, &state, at), "ACTIVE");
    state.effective_from = "2026-12-01T00:00:00+08:00".parse().unwrap();
    let word = speech::usage::word_at(Lang::En, &state, at);
    assert_eq!(word, "ACTIVE (to take effect on 2026-12-01 00:00:00 +08:00, not before)");
}

#[test]
fn another_file_is_not_proven_even_with_the_same_content() {
    let desk = Desk::new("document");
    let record = proof::encode(&home().record());
    let mismatch = Some("V-DOC-MISMATCH");
    let other = [document(), b"x"].concat();
    desk.check("document", &record, Some(&other), Answer::NotProven, mismatch);
    let spaced = [document(), b"\n"].concat();
    desk.check("content", &record, Some(&spaced), Answer::NotProven, mismatch);
    let status = proof::encode(&home().status());
    desk.check(
        "document-of-status",
        &status,
        Some(document()),
        Answer::CannotCheck,
        Some("V-DOC-NO-RECORD"),
    );
}

#[test]
fn forgeries_are_told_apart() {
    let desk = Desk::new("forged");
    // Too few signatures.
    let quorum = Ledger::new(&genesis(HOME), HOME, &[0, 3]).record();
    desk.check(
        "quorum",
        &proof::encode(&quorum),
        Some(document()),
        Answer::NotProven,
        Some("V-QUORUM"),
    );
    // Another network, with its own validators.
    let foreign = Ledger::new(&genesis(60), 60, &[0, 1, 2, 3]).record();
    desk.check("chain", &proof::encode(&foreign), None, Answer::NotProven, Some("V-CHAIN"));
    // The right chain id, and other people's committee.
    let mut forged = Ledger::new(&genesis(60), 60, &[0, 1, 2, 3]).record();
    let home = home().record();
    (forged.chain, forged.header.chain) = (home.chain, home.chain);
    let Claim::Record(claim) = &mut forged.claims[0] else { panic!("it is a record") };
    let Claim::Record(there) = &home.claims[0] else { panic!("it is a record") };
    (claim.transaction, claim.signature) = (there.transaction, there.signature);
    claim.entry = there.entry;
    desk.check("root", &proof::encode(&forged), None, Answer::NotProven, Some("V-TRUST-ROOT"));
    // The record was changed.
    let mut changed = home;
    changed.header.log_root.0[0] ^= 1;
    desk.check("header", &proof::encode(&changed), None, Answer::NotProven, Some("V-HEADER"));
}

#[test]
fn what_cannot_be_checked_is_neither_proven_nor_disproven() {
    let desk = Desk::new("undecided");
    let mut record = proof::encode(&home().record());
    desk.check("cut", &record[..100], None, Answer::CannotCheck, Some("V-MALFORMED"));
    record[8] = 3;
    desk.check("format", &record, None, Answer::CannotCheck, Some("V-FORMAT"));
    desk.check("photo", b"\xff\xd8\xff\xe0", None, Answer::CannotCheck, Some("V-FORMAT"));
    let asked = |root: Option<PathBuf>, proof: PathBuf, document: Option<PathBuf>| {
        let report = examine(&arguments::Verify {
            proof: vec![proof],
            trust_root: root,
            document,
            at: None,
            report: None,
            explain: false,
            schema: false,
            evidence: None,
            json: false,
            quiet: false,
        });
        (report.answer(), report.code())
    };
    let (proof, nothing) =
        (desk.folder.path().join("licence.proof"), desk.folder.path().join("nothing"));
    let (root, sound) = (Some(desk.root), proof.with_extension("sound"));
    fs::write(&sound, proof::encode(&home().record())).unwrap();
    for (root, proof, document, code) in [
        (None, &proof, None, "V-NO-TRUST-ROOT"),
        (Some(proof.clone()), &proof, None, "V-BAD-TRUST-ROOT"),
        (root.clone(), &nothing, None, "V-UNREADABLE"),
        (root, &sound, Some(nothing.clone()), "V-DOC-UNREADABLE"),
    ] {
        let found = asked(root, proof.clone(), document);
        assert_eq!(found, (Answer::CannotCheck, Some(code)));
    }
}

#[test]
fn programs_get_the_same_answer_as_people() {
    let desk = Desk::new("json");
    let record = proof::encode(&home().record());
    let proven = desk.report(&record, Some(document())).json(Lang::En);
    assert_eq!(proven["result"], "proven");
    assert_eq!(proven["code"], Value::Null);
    assert_eq!(proven["as_of"]["height"], 2119);
    assert_eq!(proven["trust_root"]["name"], "闽链测试网");
    let checks: Vec<_> =
        proven["steps"].as_array().unwrap().iter().map(|step| &step["check"]).collect();
    assert_eq!(checks, ["document", "record", "authority", "inclusion", "finality", "trust"]);
    assert_eq!(proven["claims"].as_array().unwrap().len(), 1);
    let refused = desk.report(&record, Some(b"{}")).json(Lang::Zh);
    assert_eq!(
        (&refused["result"], &refused["code"]),
        (&"not-proven".into(), &"V-DOC-MISMATCH".into())
    );
    assert_eq!(refused["steps"][0]["outcome"], "failed");
    assert_eq!(refused["claims"], json!([]));
}

/// Whether a value is of the shape that a schema asks for: the few words of JSON Schema that ours uses.
fn fits(schema: &Value, value: &Value, root: &Value) -> bool {
    if let Some(Value::String(name)) = schema.get("$ref") {
        let name = name.strip_prefix("#/$defs/").expect("a definition of ours");
        return fits(&root["$defs"][name], value, root);
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let typed = match schema["type"].as_array() {
        Some(names) => names.iter().any(|name| name == kind),
        None => schema["type"] == kind,
    };
    let listed = schema.get("enum").is_none_or(|all| all.as_array().unwrap().contains(value));
    let inside = match value {
        Value::Array(items) => items.iter().all(|item| fits(&schema["items"], item, root)),
        Value::Object(fields) => {
            let known = schema["properties"].as_object().unwrap();
            let required = schema["required"].as_array().unwrap();
            required.iter().all(|name| fields.contains_key(name.as_str().unwrap()))
                && fields.iter().all(|(name, field)| {
                    known.get(name).is_some_and(|schema| fits(schema, field, root))
                })
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    };
    typed && listed && inside
}

#[test]
fn every_answer_for_programs_is_of_the_published_shape_and_every_page_says_the_same() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let desk = Desk::new("schema");
    let (record, status) = (proof::encode(&home().record()), proof::encode(&home().status()));
    let foreign = proof::encode(&Ledger::new(&genesis(60), 60, &[0, 1, 2, 3]).record());
    let reports = [
        desk.report(&record, Some(document())),
        desk.report(&record, Some(b"<script>")),
        desk.report(&status, None),
        desk.report(&status, Some(document())),
        desk.report(&foreign, None),
        desk.report(b"%PDF", None),
        desk.report(&presented(), None),
        desk.report_at(&proof::encode(&home().both()), None, Some(home().record().header.time)),
    ];
    for report in &reports {
        for lang in [Lang::En, Lang::Zh] {
            let answer = report.json(lang);
            assert!(fits(&schema, &answer, &schema), "{answer}");
            let page = html::html(lang, report);
            let (word, _) = speech::answer(lang, report.answer());
            assert!(page.contains(&format!(">{word}</h1>")), "{page}");
            assert!(report.code().is_none_or(|code| page.contains(code)), "{page}");
            assert_eq!(page.matches("<tr ").count(), speech::steps(lang, report).len());
            assert!(!page.contains("<script") && !page.contains("http://"), "{page}");
        }
    }
    let mut wrong = reports[0].json(Lang::En);
    wrong["result"] = "valid".into();
    assert!(!fits(&schema, &wrong, &schema), "the shape is asked for");
}

/// The licence of the samples, with salts that everyone may know.
fn salted() -> Vec<u8> {
    let mut value: Value = serde_json::from_slice(document()).unwrap();
    let names: Vec<String> = value["meta"].as_object().unwrap().keys().cloned().collect();
    for name in names {
        let salt = codec::hex(&Digest::blake3(name.as_bytes()).bytes[..16]);
        value["salts"][name] = salt.into();
    }
    serde_json::to_vec(&value).unwrap()
}

/// The presentation of its end of validity.
fn presented() -> Vec<u8> {
    let document = salted();
    let proof = Ledger::of(&document, &genesis(HOME), HOME, &[0, 1, 3]).both();
    let fields = records::salted_fields(&document).unwrap().remove(0).fields;
    let shown = |field: &types::fields::Field| field.name.as_str() == "证照有效期截至";
    proof::Presentation::of(&proof::encode(&proof), &fields, shown).unwrap().encode()
}

#[test]
fn a_presentation_shows_some_fields_and_says_so() {
    let desk = Desk::new("presentation");
    let (made, _sealed) = proof::Presentation::decode(&presented()).unwrap();
    desk.check("presented", &made.encode(), None, Answer::Proven, None);
    // The holder's name is in neither answer.
    for lang in [Lang::En, Lang::Zh] {
        let said = speech::report(lang, &desk.report(&made.encode(), None), false);
        assert!(said.contains("20310104") && !said.contains("某海水养殖公司01"), "{said}");
    }
    let mut forged = made.clone();
    forged.fields[0].1.value = "\"20991231\"".into();
    let code = Some("V-FIELD-MISMATCH");
    desk.check("presented-forged", &forged.encode(), None, Answer::NotProven, code);
    let json = desk.report(&made.encode(), None).json(Lang::En);
    let row = json!({"name": "证照有效期截至", "value": "\"20310104\""});
    assert_eq!(json["beyond"]["fields"]["disclosed"], json!([row]));
    assert_eq!(json["beyond"]["fields"]["count"], 17);
    assert_eq!(json["beyond"]["fields"]["claim"], 0);
    let json = desk.report(&forged.encode(), None).json(Lang::En);
    assert_eq!(json["beyond"], Value::Null);
}

#[test]
fn a_licence_is_told_to_have_stood_where_it_did() {
    let desk = Desk::new("at");
    let at = |text: &str| Some(text.parse().unwrap());
    let both = proof::encode(&home().both());
    let (before, within) = ("2026-01-04T00:00:00+08:00", "2026-06-01T00:00:00+08:00");
    desk.check_at("stood", &both, None, at(within), Answer::Proven, None);
    let json = desk.report_at(&both, None, at(before)).json(Lang::En);
    assert_eq!(json["beyond"]["standing"][0]["standing"], "absent");
    let json = desk.report_at(&both, None, at(within)).json(Lang::En);
    assert_eq!(json["beyond"]["standing"][0]["standing"], "active");
    let later = Some("V-AT-LATER");
    desk.check_at(
        "stood-later",
        &both,
        None,
        at("2040-01-01T00:00:00Z"),
        Answer::CannotCheck,
        later,
    );
    let some = proof::encode(&home().status());
    let code = Some("V-AT-INCOMPLETE");
    desk.check_at("stood-incomplete", &some, None, at(within), Answer::CannotCheck, code);
    let nothing = desk.report_at(&proof::encode(&home().record()), None, at(within));
    assert_eq!((nothing.answer(), nothing.code()), (Answer::CannotCheck, Some("V-AT-NOTHING")));
}
