//! Service items from document to ledger: the operations of others in order, and every refusal a document can meet there.

#![cfg(test)]

use ledger::{Rejection, query};
use records::{Capture, Prepared, prepare};
use serde_json::{Value, json};
use std::fs;
use tests::{Chain, repository};
use types::{
    Agency, AgencyCode, Height, Level, Region, Role, Subject, Transaction,
    operation::Grade,
    subject::{Facts, Status},
};

/// An agency: its code, its region, its level, the agency above it, and the region whose items it may record.
type Row = (&'static str, &'static str, Level, Option<&'static str>, Option<&'static str>);

/// Those of `organisations.json` that act on items, with what they would be granted.
const AGENCIES: [Row; 7] = [
    ("11350000XXXX000195", "350000", Level::Province, None, Some("350000")),
    ("11350000XXXX000270", "350000", Level::Province, Some("11350000XXXX000195"), None),
    ("11350000XXXX00035T", "350000", Level::Province, Some("11350000XXXX000195"), None),
    ("11350000XXXX00043M", "350000", Level::Province, Some("11350000XXXX000195"), None),
    ("11350100XXXX00051M", "350100", Level::City, Some("11350000XXXX000195"), Some("350100")),
    ("11350122XXXX0006X9", "350122", Level::County, Some("11350100XXXX00051M"), Some("350122")),
    ("11350122XXXX000789", "350122", Level::Town, Some("11350122XXXX0006X9"), None),
];

fn chain() -> Chain {
    let agency =
        |(code, place, level, parent, items): &(&str, &str, Level, Option<&str>, Option<&str>)| {
            Agency {
                code: AgencyCode::new(code).unwrap(),
                name: format!("机构{code}").parse().unwrap(),
                region: Region::new(place).unwrap(),
                level: *level,
                parent: parent.map(|parent| AgencyCode::new(parent).unwrap()),
                keys: Vec::new(),
                roles: items
                    .map(|place| Role::Item { regions: vec![Region::new(place).unwrap()] })
                    .into_iter()
                    .chain((*code == AGENCIES[0].0).then_some(Role::Govern {}))
                    .collect(),
            }
        };
    Chain::with(AGENCIES.iter().map(agency).collect(), 71)
}

fn capture() -> Capture {
    Capture {
        system: "test".parse().unwrap(),
        version: "1".parse().unwrap(),
        captured_at: "2026-11-23T00:00:00Z".parse().unwrap(),
        grade: Grade::Public,
    }
}

fn read(document: &Value) -> Prepared {
    let bytes = serde_json::to_vec(document).unwrap();
    let faults = |faults| panic!("{document}: {faults:#?}");
    prepare(&bytes, &capture()).unwrap_or_else(faults).remove(0)
}

/// Does what a document says, in the name of the agency it names.
fn does(chain: &mut Chain, document: &Value, nonce: u64) -> Result<(), Rejection> {
    let prepared = read(document);
    let actor = prepared.actor.expect("the document names who acts");
    let place = AGENCIES.iter().position(|(code, ..)| *code == actor.as_str());
    let key = chain.key(u8::try_from(place.expect("that agency is enrolled")).unwrap());
    let genesis = chain.genesis().chain();
    let tx = Transaction::sign(genesis, actor, &key, nonce, Height(200), vec![prepared.operation]);
    chain.attempt(tx)
}

/// The operations of `service_items.json`, or none where they are not to be had.
fn operations() -> Vec<Value> {
    let path = repository().join("../shared/data/cn/service_items.json");
    let Ok(text) = fs::read_to_string(&path) else {
        println!("skipped: {} is not here", path.display());
        return Vec::new();
    };
    let value: Value = serde_json::from_str(&text).unwrap();
    value["operations"].as_array().unwrap().clone()
}

#[test]
fn the_operations_of_others_run_in_order_on_a_fresh_chain() {
    let operations = operations();
    let mut chain = chain();
    for (nonce, operation) in (0..).zip(&operations) {
        does(&mut chain, operation, nonce).unwrap_or_else(|why| panic!("{operation}: {why}"));
    }
    if operations.is_empty() {
        return;
    }
    let find = |code: &str| {
        let subject = Subject::item(&code.parse().unwrap());
        query::subject(chain.state(), &subject).unwrap()
    };
    for (code, version, status, records) in [
        ("11350000XXXX0002702350117002011", 1, Status::Active, 1),
        ("11350100XXXX00051M3350117002011", 1, Status::Active, 2),
        ("11350122XXXX0006X94350117002011", 2, Status::Active, 2),
        ("11350122XXXX0007895350117002011", 1, Status::Active, 1),
        ("11350122XXXX0007896350117002011", 1, Status::Cancelled, 2),
    ] {
        let state = find(code);
        assert_eq!(
            (state.version, state.status, state.records),
            (version, status, records),
            "{code}"
        );
    }
    let basic = Subject::basic(&"350117002011".parse().unwrap());
    let state = query::subject(chain.state(), &basic).unwrap();
    assert_eq!(state.records, 8, "the basic code's history is what all levels did under it");
    assert!(matches!(state.facts, Facts::Basic { level: Level::Province, .. }));
    // Run again they are on the ledger: nothing is recorded twice.
    for (nonce, operation) in (100..).zip(&operations) {
        assert_eq!(does(&mut chain, operation, nonce).unwrap_err().code(), "E-REC-RECORDED");
    }
}

/// A merge patch (RFC 7396): `null` takes a member away.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    for (name, change) in changes {
        if change.is_null() {
            target.as_object_mut().unwrap().remove(name);
        } else {
            merge(&mut target[name.as_str()], change);
        }
    }
}

const PROVINCE: &str = "11350000XXXX0002702350117002011";
const COUNTY: &str = "11350122XXXX0006X94350117002011";

#[test]
fn documents_that_are_right_are_refused_by_what_is_on_the_ledger() {
    let item = |code: &str, version: u32| json!({ "实施编码": code, "事项版本": version, "事项名称": "示例", "承诺办结时限": "15" });
    let publish = |code: &str| json!({ "op": "item.publish", "actor": AGENCIES[0].0, "effective": "2026-01-01", "item": item(code, 1) });
    let list = json!({
        "op": "list.publish", "actor": AGENCIES[0].0, "effective": "2026-01-01",
        "list": { "清单名称": "高频", "行政区划代码": "350000", "清单版本": 1, "事项": [PROVINCE, COUNTY] },
    });
    let mut chain = chain();
    does(&mut chain, &publish(PROVINCE), 0).unwrap();
    does(&mut chain, &publish(COUNTY), 1).unwrap();
    does(&mut chain, &list, 2).unwrap();
    let uniform = json!({ "op": "govern.propose", "actor": AGENCIES[0].0, "at": "2026-01-02T00:00:00Z",
                          "change": { "elements": ["事项名称", "承诺办结时限"] } });
    does(&mut chain, &uniform, 3).unwrap();

    let amend = json!({ "op": "item.amend", "actor": AGENCIES[0].0, "effective": "2026-02-01", "item": item(COUNTY, 2) });
    let cancel = json!({ "op": "item.cancel", "actor": AGENCIES[0].0, "effective": "2026-02-01", "实施编码": COUNTY });
    let third = "11350122XXXX0006X94350117002012";
    let new = |code: &str| item(code, 1);
    let merge_op = json!({ "op": "item.merge", "actor": AGENCIES[0].0, "effective": "2026-02-01",
        "predecessors": [PROVINCE, COUNTY], "item": item("11350000XXXX0002702350117002013", 1) });
    let split_op = json!({ "op": "item.split", "actor": AGENCIES[0].0, "effective": "2026-02-01", "实施编码": COUNTY,
        "items": [new("11350122XXXX0006X9435011700201A"), new("11350122XXXX0006X9435011700201B")] });
    let delegate = json!({ "op": "item.delegate", "actor": AGENCIES[0].0, "grantee": AGENCIES[5].0, "实施编码": PROVINCE,
        "scope": ["accept"], "not_before": "2026-02-01", "not_after": "2027-01-31" });
    for (base, patch, want) in [
        (&amend, json!({ "item": { "事项版本": 3 } }), "E-ITEM-VERSION"),
        (&amend, json!({ "item": { "事项版本": 1 } }), "E-ITEM-VERSION"),
        (&amend, json!({ "actor": AGENCIES[1].0 }), "E-AUTH-ROLE"),
        (
            &amend,
            json!({ "actor": AGENCIES[4].0, "item": { "实施编码": PROVINCE } }),
            "E-AUTH-ROLE",
        ),
        (&amend, json!({ "item": { "承诺办结时限": null } }), "E-ITEM-UNIFORM"),
        (&amend, json!({ "item": { "实施编码": third } }), "E-SUB-UNKNOWN"),
        (&publish(PROVINCE), json!({ "note": "again" }), "E-SUB-EXISTS"),
        (&publish(third), json!({}), "E-ITEM-LEVEL"),
        (
            &publish("11350000XXXX0002702350117002019"),
            json!({ "item": { "事项版本": 2 } }),
            "E-ITEM-VERSION",
        ),
        (
            &publish("11350000XXXX0002702350117002019"),
            json!({ "actor": AGENCIES[5].0 }),
            "E-AUTH-ROLE",
        ),
        (&cancel, json!({ "op": "item.resume" }), "E-SUB-STATUS"),
        (&cancel, json!({ "actor": AGENCIES[2].0 }), "E-AUTH-ROLE"),
        (&cancel, json!({ "实施编码": third }), "E-SUB-UNKNOWN"),
        (&merge_op, json!({ "actor": AGENCIES[4].0 }), "E-AUTH-ROLE"),
        (&merge_op, json!({ "predecessors": [PROVINCE, third] }), "E-SUB-UNKNOWN"),
        (&merge_op, json!({ "item": { "承诺办结时限": null } }), "E-ITEM-UNIFORM"),
        (
            &merge_op,
            json!({ "item": { "实施编码": "11350122XXXX0006X94350117002011", "事项版本": 2 }, "predecessors": [PROVINCE] }),
            "E-ITEM-LEVEL",
        ),
        (
            &merge_op,
            json!({ "item": { "事项版本": 2 }, "predecessors": [PROVINCE] }),
            "E-SUB-UNKNOWN",
        ),
        (&split_op, json!({}), "E-ITEM-LEVEL"),
        (&split_op, json!({ "actor": AGENCIES[1].0 }), "E-AUTH-ROLE"),
        (&split_op, json!({ "实施编码": third }), "E-SUB-UNKNOWN"),
        (
            &split_op,
            json!({ "items": [new(PROVINCE), new("11350000XXXX0002702350117002015")] }),
            "E-SUB-EXISTS",
        ),
        (&delegate, json!({ "grantee": "91350100M000100Y43" }), "E-SUB-UNKNOWN"),
        (&delegate, json!({ "grantee": AGENCIES[0].0 }), "E-ITEM-ENTRUST"),
        (&delegate, json!({ "actor": AGENCIES[4].0 }), "E-AUTH-ROLE"),
        (&list, json!({ "note": "again" }), "E-SUB-EXISTS"),
        (&list, json!({ "list": { "清单名称": "其他", "事项": [third] } }), "E-SUB-UNKNOWN"),
        (&list, json!({ "actor": AGENCIES[4].0, "list": { "清单名称": "其他" } }), "E-AUTH-ROLE"),
        (&list, json!({ "op": "list.amend", "list": { "清单版本": 3 } }), "E-ITEM-VERSION"),
        (
            &list,
            json!({ "op": "list.amend", "list": { "清单版本": 2, "行政区划代码": "350100" } }),
            "E-ITEM-IDENTITY",
        ),
        (
            &list,
            json!({ "op": "list.amend", "list": { "清单名称": "其他", "清单版本": 2 } }),
            "E-SUB-UNKNOWN",
        ),
        (
            &list,
            json!({ "op": "list.amend", "actor": AGENCIES[1].0, "list": { "清单版本": 2 } }),
            "E-AUTH-ROLE",
        ),
    ] {
        let mut document = base.clone();
        merge(&mut document, &patch);
        let before = query::height(chain.state());
        let why = does(&mut chain, &document, 50).expect_err(&document.to_string());
        assert_eq!(why.code(), want, "{document}: {why}");
        assert_eq!(query::height(chain.state()), before);
    }
    // And when the item's life is over, nothing more is taken.
    does(&mut chain, &cancel, 60).unwrap();
    for (base, patch, want) in [
        (&amend, json!({}), "E-SUB-TERMINAL"),
        (&cancel, json!({ "op": "item.suspend" }), "E-SUB-TERMINAL"),
        (&merge_op, json!({}), "E-SUB-TERMINAL"),
        (&split_op, json!({}), "E-SUB-TERMINAL"),
        (&delegate, json!({ "实施编码": COUNTY }), "E-SUB-TERMINAL"),
        (&publish(COUNTY), json!({ "note": "again" }), "E-SUB-EXISTS"),
        (&list, json!({ "list": { "清单名称": "其他" } }), "E-SUB-TERMINAL"),
    ] {
        let mut document = base.clone();
        merge(&mut document, &patch);
        let why = does(&mut chain, &document, 61).expect_err(&document.to_string());
        assert_eq!(why.code(), want, "{document}: {why}");
    }
}

/// Each row of the vectors is judged as it says: by the ledger's own types, and wherever a document may hold such a code.
#[test]
fn every_identifier_row_is_judged_where_documents_hold_it() {
    let path = repository().join("../shared/data/cn/id-vectors.json");
    let Ok(text) = fs::read_to_string(&path) else {
        println!("skipped: {} is not here", path.display());
        return;
    };
    let vectors: Value = serde_json::from_str(&text).unwrap();
    let judge = |document: &Value| -> Vec<&'static str> {
        let bytes = serde_json::to_vec(document).unwrap();
        prepare(&bytes, &capture())
            .err()
            .unwrap_or_default()
            .iter()
            .map(|fault| fault.code)
            .collect()
    };
    let row = |row: &Value, name: &str| {
        (row[name].as_str().unwrap().to_owned(), row["valid"].as_bool().unwrap())
    };
    let mut rows = 0;
    for (code, valid) in vectors["uscc"].as_array().unwrap().iter().map(|one| row(one, "code")) {
        let cancel = json!({ "op": "item.cancel", "effective": "2026-01-01", "实施编码": PROVINCE, "actor": code });
        let want: &[&str] = if valid { &[] } else { &["E-REC-044"] };
        assert_eq!(judge(&cancel), want, "{code}");
        rows += 1;
    }
    for (id, valid) in vectors["elicence"].as_array().unwrap().iter().map(|one| row(one, "id")) {
        let suspend =
            json!({ "op": "licence.suspend", "at": "2026-01-01T00:00:00Z", "licence": id });
        let want: &[&str] = if valid { &[] } else { &["E-REC-043"] };
        assert_eq!(judge(&suspend), want, "{id}");
        rows += 1;
    }
    for (code, valid) in vectors["item_code"].as_array().unwrap().iter().map(|one| row(one, "code"))
    {
        // A code that says nothing of itself needs three members more; one that begins with the organisation must have 31.
        let mut cancel =
            json!({ "op": "item.cancel", "effective": "2026-01-01", "实施编码": code });
        assert_eq!(judge(&cancel).is_empty(), valid, "{code}");
        merge(
            &mut cancel,
            &json!({ "基本编码": "370117002011", "行使层级代码": "3", "实施主体代码": "11370800MB28559184" }),
        );
        let want: &[&str] = if valid { &[] } else { &["E-REC-047"] };
        assert_eq!(judge(&cancel), want, "{code}");
        rows += 1;
    }
    assert_eq!(rows, 26, "every row was judged");
}
