//! Grants, uses, data and documents: each row is a right operation, one change, and the code and place of the fault.

#![cfg(test)]

use records::{Capture, prepare, salted_fields};
use serde_json::{Value, json};
use types::{
    Text,
    operation::{Action, Grade, LicenceVerb},
    usage::{Basis, Usage, grant_id},
};

const LICENCE: &str = "1.2.156.3005.2.11350000XXXX000270001.11350122XXXX0006X9.2022000001.001.9";
const SALT: &str = "00112233445566778899aabbccddeeff";
const OTHER: &str = "ff112233445566778899aabbccddeeff";
const GRANTEE: &str = "11350000XXXX00043M";
const ISSUER: &str = "11350122XXXX0006X9";
const CITIZEN: &str = "11010519491231002X";
const DIGEST: &str = "blake3:6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85";
const NAME: &str = "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85";

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
    for (name, change) in changes {
        if change.is_null() {
            target.as_object_mut().unwrap().remove(name);
        } else if change.is_object() && target[name.as_str()].is_object() {
            merge(&mut target[name.as_str()], change);
        } else {
            target[name.as_str()] = change.clone();
        }
    }
}

/// `ok`, or the codes and places of the faults.
fn outcome(document: &Value) -> String {
    match prepare(&serde_json::to_vec(document).unwrap(), &capture()) {
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

fn check(base: &Value, rows: &[(Value, &str)]) {
    assert_eq!(outcome(base), "ok");
    for (patch, want) in rows {
        let mut document = base.clone();
        merge(&mut document, patch);
        assert_eq!(outcome(&document), *want, "{patch}");
    }
}

fn act(document: &Value) -> Usage {
    let all = prepare(&serde_json::to_vec(document).unwrap(), &capture()).unwrap();
    let Action::Use(act) = all[0].operation.action.clone() else { panic!("not a use") };
    act
}

fn grant() -> Value {
    json!({
        "op": "licence.grant", "at": "2022-03-01T10:00:00+08:00", "actor": ISSUER, "licence": LICENCE, "grantee": GRANTEE,
        "purpose": "办理食品生产许可", "fields": ["证照标识", "证照有效期截至"], "expires": "2022-03-01T10:10:00+08:00",
    })
}

#[test]
fn malformed_grants_are_refused() {
    check(
        &grant(),
        &[
            (json!({"max_uses": 3, "reference": "BJ-1", "holder": "91350122XXXX01011C"}), "ok"),
            (json!({"licence": null, "id": LICENCE}), "ok"),
            (json!({"salt": SALT}), "ok"),
            (json!({"salt": SALT, "holder": CITIZEN}), "ok"),
            (json!({"holder": CITIZEN}), "E-REC-050 /holder"),
            (json!({"holder": {"电话": "13800138000"}}), "E-REC-050 /holder"),
            (json!({"op": "grant"}), "ok"),
            (json!({"licence": null}), "E-REC-011"),
            (json!({"licence": LICENCE.replace("001.9", "001.8")}), "E-REC-043 /licence"),
            (json!({"licence": "L"}), "E-REC-042 /licence"),
            (json!({"salt": "1"}), "E-REC-051 /salt"),
            (json!({"grantee": null}), "E-REC-011"),
            (json!({"grantee": "11350000XXXX00043N"}), "E-REC-044 /grantee"),
            (json!({"purpose": null}), "E-REC-011"),
            (json!({"purpose": ""}), "E-REC-014 /purpose"),
            (json!({"purpose": format!("为{CITIZEN}办理")}), "E-REC-052 /purpose"),
            (json!({"reference": "13800138000"}), "E-REC-052 /reference"),
            (json!({"fields": null}), "E-REC-011"),
            (json!({"fields": []}), "E-REC-070 /fields"),
            (json!({"fields": "证照标识"}), "E-REC-013 /fields"),
            (json!({"fields": ["a", "a"]}), "E-REC-070 /fields"),
            (json!({"fields": ["a", 1]}), "E-REC-013 /fields/1"),
            (json!({"fields": ["a", CITIZEN]}), "E-REC-052 /fields/1"),
            (json!({"expires": null}), "E-REC-011"),
            (json!({"expires": "2022-03-01"}), "E-REC-015 /expires"),
            (json!({"max_uses": 0}), "E-REC-071 /max_uses"),
            (json!({"max_uses": 1_000_001}), "E-REC-071 /max_uses"),
            (json!({"max_uses": "1"}), "E-REC-071 /max_uses"),
            (json!({"uses": 1}), "E-REC-012 /uses"),
            (json!({"at": null}), "E-REC-011"),
        ],
    );
}

#[test]
fn malformed_uses_are_refused() {
    let used = json!({
        "op": "licence.use", "at": "2022-03-01T10:05:00+08:00", "actor": GRANTEE, "licence": LICENCE, "purpose": "办理食品生产许可",
    });
    check(
        &used,
        &[
            (json!({"grant": NAME}), "ok"),
            (json!({"grant": "1"}), "E-REC-072 /grant"),
            (json!({"actor": null}), "E-REC-011"),
            (json!({"actor": null, "grant": NAME}), "ok"),
            (json!({"purpose": null, "加注件制作事由": "x"}), "ok"),
            (json!({"purpose": null}), "E-REC-011"),
            (json!({"加注件制作事由": "x"}), "E-REC-047 /加注件制作事由"),
            (json!({"加注件制作者": ISSUER}), "E-REC-047 /加注件制作者"),
            (json!({"加注件制作者": GRANTEE}), "ok"),
            (json!({"加注件制作时间": "20220301100500"}), "ok"),
            (json!({"加注件制作时间": "20221301100500"}), "E-REC-015 /加注件制作时间"),
            (json!({"加注件有效期截止时间": "2022"}), "E-REC-015 /加注件有效期截止时间"),
            (json!({"purpose": "13800138000"}), "E-REC-052 /purpose"),
            (json!({"max_uses": 1}), "E-REC-012 /max_uses"),
        ],
    );
    // A use that names no grant names the one that lets it: by licence, agency, purpose and reference.
    let Usage::Use(found) = act(&used) else { panic!() };
    let Usage::Grant(terms) = act(&grant()) else { panic!() };
    assert_eq!(found.grant, terms.id());
    let mut referred = used;
    merge(&mut referred, &json!({"reference": "BJ-1"}));
    let Usage::Use(other) = act(&referred) else { panic!() };
    let reference = "BJ-1".parse().unwrap();
    let want = grant_id(&terms.licence, &terms.grantee, &terms.purpose, Some(&reference));
    assert_eq!(other.grant, want);
    let revoke = json!({
        "op": "licence.revoke_grant", "at": "2022-03-01T10:05:00+08:00", "licence": LICENCE, "grantee": GRANTEE, "purpose": "办理食品生产许可",
    });
    check(
        &revoke,
        &[
            (json!({"grantee": null}), "E-REC-011"),
            (json!({"purpose": null}), "E-REC-011"),
            (json!({"grantee": null, "purpose": null, "grant": NAME}), "ok"),
        ],
    );
    let Usage::Withdraw { grant, .. } = act(&revoke) else { panic!() };
    assert_eq!(grant, terms.id());
}

#[test]
fn malformed_uses_of_data_and_documents_are_refused() {
    let access = json!({
        "op": "data.access", "at": "2022-03-01T10:05:00+08:00", "data": format!("{GRANTEE}/人口库"), "purpose": "核验",
        "basis": {"role": 0},
    });
    check(
        &access,
        &[
            (json!({"data": null, "licence": LICENCE, "salt": SALT}), "ok"),
            (json!({"licence": LICENCE}), "E-REC-016 /data"),
            (json!({"data": format!("licence:{LICENCE}")}), "ok"),
            (json!({"data": "lot:urn:epc:id:sgtin:9520001.012346.13800138000"}), "ok"),
            (json!({"data": null}), "E-REC-011"),
            (json!({"data": "人口库"}), "E-REC-073 /data"),
            (json!({"data": "agency:x"}), "E-REC-073 /data"),
            (json!({"data": format!("{GRANTEE}/{CITIZEN}")}), "E-REC-052 /data"),
            (json!({"purpose": CITIZEN}), "E-REC-052 /purpose"),
            (json!({"basis": null}), "E-REC-011"),
            (json!({"basis": "law"}), "E-REC-013 /basis"),
            (json!({"basis": {"law": 1}}), "E-REC-074 /basis"),
            (json!({"basis": {"role": null}}), "E-REC-074 /basis"),
            (json!({"basis": {"role": 0, "item": "I"}}), "E-REC-074 /basis"),
            (json!({"basis": {"role": "0"}}), "E-REC-074 /basis/role"),
            (json!({"basis": {"role": null, "grant": "x"}}), "E-REC-072 /basis/grant"),
            (json!({"basis": {"role": null, "item": CITIZEN}}), "E-REC-052 /basis/item"),
            (
                json!({"basis": {"role": null, "licence": "13800138000"}}),
                "E-REC-052 /basis/licence",
            ),
            (json!({"made_at": "noon"}), "E-REC-015 /made_at"),
            (json!({"op": "data.transfer"}), "E-REC-011"),
            (json!({"op": "data.transfer", "to": ISSUER}), "ok"),
            (json!({"op": "data.transfer", "to": "x"}), "E-REC-044 /to"),
            (json!({"op": "data.destroy"}), "ok"),
            (json!({"op": "data.read"}), "E-REC-040 /op"),
        ],
    );
    let Usage::Access(used) = act(&access) else { panic!() };
    assert_eq!(
        (used.basis, used.made_at),
        (Basis::Role(0), "2022-03-01T02:05:00Z".parse().unwrap())
    );
    let reuse = json!({
        "op": "document.reuse", "at": "2022-03-01T10:05:00+08:00", "document": DIGEST, "purpose": "核验", "reader": GRANTEE,
    });
    check(
        &reuse,
        &[
            (json!({"document": "6437"}), "E-REC-075 /document"),
            (json!({"document": null}), "E-REC-011"),
            (json!({"reader": null}), "E-REC-011"),
            (json!({"reader": "x"}), "E-REC-044 /reader"),
            (json!({"actor": ISSUER}), "E-REC-047 /reader"),
            (json!({"purpose": null}), "E-REC-011"),
            (json!({"basis": {"item": "I"}}), "ok"),
            (json!({"basis": {}}), "E-REC-074 /basis"),
        ],
    );
    let register = json!({"op": "document.register", "at": "2022-03-01T10:05:00+08:00", "document": DIGEST, "title": "租赁合同"});
    check(
        &register,
        &[
            (json!({"title": null}), "E-REC-011"),
            (json!({"title": format!("{CITIZEN}的合同")}), "E-REC-052 /title"),
            (json!({"op": "document.retire"}), "E-REC-012 /title"),
            (json!({"op": "document.retire", "title": null}), "ok"),
        ],
    );
    let all = prepare(&serde_json::to_vec(&reuse).unwrap(), &capture()).unwrap();
    assert_eq!(all[0].actor.unwrap().as_str(), GRANTEE, "who reads must sign");
}

fn salted() -> Value {
    json!({
        "op": "licence.issue", "at": "2022-01-10T09:00:00+08:00",
        "meta": {
            "证照标识": LICENCE, "证照类型代码": "11350000XXXX000270001", "证照有效期起始": "20220110", "证照有效期截至": "20270109",
            "证照所属管辖属地编码": "350122", "持证主体代码类型": "001",
        },
        "salts": {
            "证照标识": format!("01{SALT}"), "证照类型代码": format!("02{SALT}"), "证照有效期起始": format!("03{SALT}"),
            "证照有效期截至": format!("04{SALT}"), "证照所属管辖属地编码": format!("05{SALT}"), "持证主体代码类型": SALT,
        },
    })
}

#[test]
fn every_field_has_a_salt_of_its_own() {
    check(
        &salted(),
        &[
            (json!({"salts": {"持证主体代码类型": OTHER}}), "ok"),
            (json!({"salts": {"持证主体代码类型": null}}), "E-REC-076 /salts"),
            (json!({"salts": {"别的": OTHER}}), "E-REC-076 /salts/别的"),
            (
                json!({"salts": {"持证主体代码类型": format!("01{SALT}")}}),
                "E-REC-051 /salts/证照标识",
            ),
            (json!({"salts": {"持证主体代码类型": "00"}}), "E-REC-051 /salts/持证主体代码类型"),
            (
                json!({"salts": {"持证主体代码类型": OTHER.to_uppercase()}}),
                "E-REC-051 /salts/持证主体代码类型",
            ),
            (json!({"salts": {"持证主体代码类型": 1}}), "E-REC-013 /salts/持证主体代码类型"),
            (json!({"salts": null}), "ok"),
        ],
    );
    let suspend =
        json!({"op": "licence.suspend", "at": "2022-01-10T09:00:00+08:00", "licence": LICENCE});
    check(&suspend, &[(json!({"salts": {}}), "E-REC-012 /salts")]);
    let document = serde_json::to_vec(&salted()).unwrap();
    let operation = prepare(&document, &capture()).unwrap().remove(0).operation;
    let fields = salted_fields(&document).unwrap().remove(0);
    assert_eq!(operation.commitment.fields, Some(fields.commitment));
    assert_eq!(fields.fields.len(), 6);
    assert!(fields.fields.windows(2).all(|pair| pair[0].name < pair[1].name));
    // Another salt, another commitment; none, none.
    let with = |patch: Value| {
        let mut document = salted();
        merge(&mut document, &patch);
        let all = prepare(&serde_json::to_vec(&document).unwrap(), &capture()).unwrap();
        all[0].operation.commitment.fields
    };
    assert_ne!(with(json!({"salts": {"持证主体代码类型": OTHER}})), Some(fields.commitment));
    assert_eq!(with(json!({"salts": null})), None);
}

#[test]
fn the_new_acts_on_licences_are_read() {
    for (op, verb, codes) in [
        ("licence.undo_transfer_out", LicenceVerb::UndoTransferOut, ["10", "01"]),
        ("licence.expire", LicenceVerb::Expire, ["04", "05"]),
    ] {
        let document = json!({
            "op": op, "at": "2022-01-10T09:00:00+08:00", "licence": LICENCE, "operate_type": codes[0], "state": codes[1],
        });
        check(&document, &[(json!({"state": "07"}), "E-REC-053 /state")]);
        let all = prepare(&serde_json::to_vec(&document).unwrap(), &capture()).unwrap();
        let Action::Licence(act) = &all[0].operation.action else { panic!() };
        assert_eq!(act.verb, verb);
    }
}
