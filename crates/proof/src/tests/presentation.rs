//! Presentations, honest and not; and what a proof says of a licence at a time.

use super::*;
use crate::{
    PRESENTATION_BYTES_MAX, Presentation, PresentationError, StoodError, present, stood_at,
};
use types::{fields::Field, standing::Standing};

const NAMES: [&str; 5] = ["持证主体名称", "有效期截至", "有效期起始", "类型", "编号"];

fn fields() -> Vec<Field> {
    let mut all: Vec<Field> = (0u8..)
        .zip(NAMES)
        .map(|(n, name)| Field {
            name: text(name),
            value: format!("\"value {n}\""),
            salt: Digest::blake3(&[n]).bytes[..16].to_vec(),
        })
        .collect();
    all.sort_by(|one, other| one.name.cmp(&other.name));
    all
}

/// A ledger whose last record commits to the fields, and the proof of that record.
fn committed() -> (Ledger, Proof) {
    let mut ledger = ledger(1);
    let leaves: Vec<Hash> = fields().iter().map(Field::leaf).collect();
    let mut issue = licence("licence-9", LicenceVerb::Issue(facts("1135")));
    issue.commitment.fields = types::fields::commit(&leaves);
    let tx = ledger.transaction(1, vec![issue]);
    ledger.block(vec![tx]);
    let at = ledger.entries.len() - 1;
    let proof = ledger.proof(vec![ledger.record_claim(2), ledger.record_claim(at)]);
    (ledger, proof)
}

fn showing(names: &[&str]) -> (Ledger, Presentation) {
    let (ledger, proof) = committed();
    let shown = |field: &Field| names.contains(&field.name.as_str());
    let made = Presentation::of(&encode(&proof), &fields(), shown).unwrap();
    (ledger, made)
}

fn code(made: &Presentation, ledger: &Ledger) -> &'static str {
    let showing = present(&made.encode(), &ledger.root()).unwrap();
    assert!(showing.verdict.error().is_none());
    showing.fields.err().map_or("ok", |error| error.code())
}

#[test]
fn what_is_shown_is_what_was_recorded_and_nothing_else_is_in_the_file() {
    let all: Vec<&str> = NAMES.to_vec();
    for names in [&all[1..2], &all[..1], &all[2..4], &all[..]] {
        let (ledger, made) = showing(names);
        let bytes = made.encode();
        let showing = present(&bytes, &ledger.root()).unwrap();
        let disclosed = showing.fields.unwrap();
        assert!(showing.verdict.proven().is_some());
        assert_eq!((disclosed.count, disclosed.claim), (5, 1));
        let found: Vec<&str> = disclosed.fields.iter().map(|field| field.name.as_str()).collect();
        assert_eq!(found.len(), names.len());
        assert!(names.iter().all(|name| found.contains(name)));
        // Neither name, value nor salt of another field is anywhere in the bytes.
        for field in fields().iter().filter(|field| !names.contains(&field.name.as_str())) {
            let there = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
            assert!(!there(field.name.as_bytes()) && !there(field.value.as_bytes()));
            assert!(!there(&field.salt));
        }
    }
    let (_, proof) = committed();
    assert!(Presentation::of(&encode(&proof), &fields(), |_| false).is_none());
    let other: Vec<Field> = fields().into_iter().skip(1).collect();
    assert!(Presentation::of(&encode(&proof), &other, |_| true).is_none());
}

#[test]
fn what_was_changed_is_not_shown() {
    let names = &NAMES[1..3];
    type Change = fn(&mut Presentation);
    let rows: [(&str, Change); 18] = [
        ("ok", |_| {}),
        ("V-FIELD-MISMATCH", |made| made.fields[0].1.value = "\"20991231\"".into()),
        ("V-FIELD-MISMATCH", |made| made.fields[0].1.salt[0] ^= 1),
        ("V-FIELD-MISMATCH", |made| made.fields[1].1.name = text("有效期起始z")),
        ("V-FIELD-MISMATCH", |made| made.nodes[0].0[0] ^= 1),
        // One field taken for another, or for another number of them.
        ("V-FIELD-MISMATCH", |made| {
            let value = made.fields[0].1.value.clone();
            made.fields[0].1.value = core::mem::replace(&mut made.fields[1].1.value, value);
        }),
        ("V-FIELD-PATH", |made| made.nodes.truncate(1)),
        ("V-FIELD-PATH", |made| made.nodes.push(Hash::ZERO)),
        ("V-FIELD-MISMATCH", |made| drop(made.fields.pop())),
        ("V-FIELD-LIST", |made| made.fields.clear()),
        ("V-FIELD-LIST", |made| made.fields.reverse()),
        ("V-FIELD-LIST", |made| made.fields[1] = made.fields[0].clone()),
        ("V-FIELD-LIST", |made| made.fields[1].0 = 5),
        ("V-FIELD-LIST", |made| made.count = 0),
        ("V-FIELD-LIST", |made| made.count = 1025),
        ("V-FIELD-LIST", |made| made.fields[0].1.salt.truncate(15)),
        // That record commits to fields too, and to others.
        ("V-FIELD-MISMATCH", |made| made.claim = 0),
        ("V-FIELD-RECORD", |made| made.claim = 2),
    ];
    for (want, change) in rows {
        let (ledger, mut made) = showing(names);
        change(&mut made);
        assert_eq!(code(&made, &ledger), want, "{:?}", made.fields);
    }
    // Another count with as many nodes: a tree of six has the same way beside the last two of four.
    let (ledger, mut made) = showing(names);
    made.count = 4;
    assert!(matches!(code(&made, &ledger), "V-FIELD-MISMATCH" | "V-FIELD-PATH"));
}

#[test]
fn no_byte_of_a_presentation_can_be_changed() {
    let (ledger, made) = showing(&NAMES[1..2]);
    let bytes = made.encode();
    let good = |bytes: &[u8]| {
        present(bytes, &ledger.root())
            .is_ok_and(|showing| showing.verdict.proven().is_some() && showing.fields.is_ok())
    };
    assert!(good(&bytes));
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(!good(&changed), "byte {at}");
        assert!(present(&bytes[..at], &ledger.root()).is_err(), "cut at {at}");
    }
    let mut sealed = bytes.clone();
    *sealed.last_mut().unwrap() ^= 1;
    let showing = present(&sealed, &ledger.root()).unwrap();
    assert_eq!(showing.fields, Err(PresentationError::Seal));
    assert!(present(&[&bytes[..], &[0]].concat(), &ledger.root()).is_err());
    assert!(present(&vec![0; PRESENTATION_BYTES_MAX + 1], &ledger.root()).is_err());
    let mut later = bytes;
    later[8] = 2;
    let error = present(&later, &ledger.root()).unwrap_err();
    assert_eq!((error.code(), error.is_undecided()), ("V-FORMAT", true));
}

#[test]
fn a_presentation_of_another_network_proves_nothing() {
    let (_, made) = showing(&NAMES[1..2]);
    let showing = present(&made.encode(), &ledger(2).root()).unwrap();
    assert_eq!(showing.verdict.error().map(ProofError::code), Some("V-CHAIN"));
}

#[test]
fn the_hashes_of_what_is_shown_lead_to_what_was_recorded() {
    let (ledger, made) = showing(&[NAMES[0], NAMES[3]]);
    let said = made.explain();
    let shown: Vec<Hash> = made.fields.iter().map(|(_, field)| field.leaf()).collect();
    assert!(said.iter().map(|line| line.hash).take(2).eq(shown));
    assert!(said.iter().all(|line| line.claim == Some(1)), "{said:?}");
    let Claim::Record(record) = ledger.record_claim(ledger.entries.len() - 1) else {
        unreachable!("made so")
    };
    assert_eq!(said.last().map(|line| line.hash), record.operation.commitment.fields);
    // Two leaves of five, with every node between them and the root, and what is recorded.
    assert!(said.len() > 2 + 3, "{said:?}");
}

#[test]
fn a_licence_stood_where_its_whole_history_says() {
    let ledger = ledger(1);
    let mut acts = [5, 8, 9].map(|position| ledger.record_claim(position)).to_vec();
    let ask = |claims: Vec<Claim>, at: u64| {
        let verdict = ledger.proof(claims).verify(&ledger.root());
        stood_at(verdict.proven().unwrap(), Timestamp(at))
    };
    acts.push(ledger.status_claim(&licence_0()));
    let time = ledger.header.time.0;
    let found = ask(acts.clone(), time).unwrap();
    assert_eq!(found, [(licence_0(), Standing::Known(Status::Active))]);
    // Every act took effect at one time, before which there was none.
    let from = operation(licence("licence-0", LicenceVerb::Resume).action).effective_from.0;
    assert_eq!(ask(acts.clone(), from - 1).unwrap(), [(licence_0(), Standing::Absent)]);
    let later = ask(acts.clone(), time + 1).unwrap_err();
    assert_eq!(later.code(), "V-AT-LATER");
    acts.remove(1);
    let some = ask(acts, time).unwrap_err();
    assert_eq!(some, StoodError::Incomplete { subject: licence_0(), shown: 2, records: 3 });
    assert_eq!(some.code(), "V-AT-INCOMPLETE");
    let nothing = ask(vec![ledger.record_claim(0)], time).unwrap_err();
    assert_eq!(nothing.code(), "V-AT-NOTHING");
    let never = ask(vec![ledger.status_claim(&absent())], time).unwrap();
    assert_eq!(never, [(absent(), Standing::Absent)]);
}
