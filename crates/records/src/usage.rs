//! Grants and uses of licences, uses of data, documents used again: from an operation in JSON to an act on the ledger.

use crate::{
    canonical::canonical,
    fault::{Faults, Problem, quote},
    licence,
    native::Reading,
    privacy, read,
    read::Members,
};
use types::{
    AgencyCode, Digest, GrantId, Timestamp,
    fields::FieldName,
    operation::{Action, LicenceId},
    usage::{
        Basis, DataName, DataUse, FIELDS_MAX, Presented, Purpose, Reference, Reuse, Terms,
        USES_MAX, Usage, data_owner, grant_id, licence_data,
    },
};

const ALWAYS: [&str; 7] = ["op", "at", "actor", "effective_from", "reason", "note", "_note"];
const LICENCE: [&str; 3] = ["licence", "id", "salt"];
const DATA: [&str; 8] = ["data", "licence", "id", "salt", "purpose", "fields", "basis", "made_at"];

/// The acts, each with the members it has besides those that every operation may have.
const ACTS: [(&str, Verb, &[&str]); 9] = [
    (
        "licence.grant",
        Verb::Grant,
        &["holder", "grantee", "purpose", "reference", "fields", "expires", "max_uses"],
    ),
    (
        "licence.use",
        Verb::Use,
        &[
            "grant",
            "purpose",
            "reference",
            "fields",
            "made_at",
            "copy_until",
            "加注件制作时间",
            "加注件制作者",
            "加注件制作事由",
            "加注件有效期截止时间",
        ],
    ),
    ("licence.revoke_grant", Verb::Withdraw, &["grant", "grantee", "purpose", "reference"]),
    ("data.access", Verb::Access, &DATA),
    (
        "data.transfer",
        Verb::Transfer,
        &["data", "licence", "id", "salt", "purpose", "fields", "basis", "made_at", "to"],
    ),
    ("data.destroy", Verb::Destroy, &DATA),
    ("document.register", Verb::Register, &["document", "title"]),
    ("document.reuse", Verb::Reuse, &["document", "purpose", "reader", "basis", "made_at"]),
    ("document.retire", Verb::Retire, &["document"]),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Grant,
    Use,
    Withdraw,
    Access,
    Transfer,
    Destroy,
    Register,
    Reuse,
    Retire,
}

/// The name an act goes by here: those of the annotated copy, 加注件, have no family in the interfaces in use.
fn full(op: &str) -> &str {
    match op {
        "grant" => "licence.grant",
        "use" => "licence.use",
        other => other,
    }
}

/// Whether there is such an act.
pub(crate) fn knows(op: &str) -> bool {
    ACTS.iter().any(|(name, ..)| *name == full(op))
}

/// Reads an operation whose `op` is one of these.
pub(crate) fn read(op: &str, members: &Members<'_, '_>, faults: &mut Faults) -> Option<Reading> {
    let (_, verb, own) = ACTS.iter().find(|(name, ..)| *name == full(op))?;
    let licence: &[&str] = match verb {
        Verb::Grant | Verb::Use | Verb::Withdraw => &LICENCE,
        Verb::Access
        | Verb::Transfer
        | Verb::Destroy
        | Verb::Register
        | Verb::Reuse
        | Verb::Retire => &[],
    };
    members.only(&[&ALWAYS[..], licence, own].concat(), faults);
    members.require("at", faults);
    let at = members.time("at", faults);
    let effective_from =
        if members.has("effective_from") { members.time("effective_from", faults) } else { at };
    let act = match verb {
        Verb::Grant => grant(members, faults),
        Verb::Use => use_licence(members, at, faults),
        Verb::Withdraw => withdraw(members, faults),
        Verb::Access => data(members, at, faults).map(Usage::Access),
        Verb::Transfer => {
            members.require("to", faults);
            let to = members.agency("to", faults);
            data(members, at, faults).and_then(|data| Some(Usage::Transfer { data, to: to? }))
        }
        Verb::Destroy => data(members, at, faults).map(Usage::Destroy),
        Verb::Register => {
            let (document, title) = (digest(members, faults), members.carried("title", faults));
            document.and_then(|document| Some(Usage::Register { document, title: title? }))
        }
        Verb::Reuse => reuse(members, at, faults),
        Verb::Retire => digest(members, faults).map(|document| Usage::Retire { document }),
    };
    Some(Reading { action: Action::Use(act?), effective_from: effective_from? })
}

fn grant(members: &Members<'_, '_>, faults: &mut Faults) -> Option<Usage> {
    let licence = licence::there(members, faults);
    holder(members, faults);
    members.require("grantee", faults);
    let grantee = members.agency("grantee", faults);
    let purpose = members.carried("purpose", faults);
    let reference = reference(members, faults);
    members.require("fields", faults);
    let fields = fields(members, faults);
    if members.list("fields", &mut Faults::default()).is_some_and(<[_]>::is_empty) {
        members.fault("fields", no_fields(), faults);
    }
    members.require("expires", faults);
    let expires = members.time("expires", faults);
    let uses_max = if members.has("max_uses") { uses(members, faults) } else { Some(1) };
    Some(Usage::Grant(Terms {
        licence: licence?,
        grantee: grantee?,
        purpose: purpose?,
        reference: reference?,
        fields: fields?,
        expires: expires?,
        uses_max: uses_max?,
    }))
}

/// The holder stays in the document. All else of a grant stands on the ledger, so that the digest of the record would tell
/// whoever tries all numbers which one is in it; with a salt in it, it does not.
fn holder(members: &Members<'_, '_>, faults: &mut Faults) {
    let is_number = |holder| privacy::problem(&canonical(holder)).is_some();
    if members.get("holder").is_some_and(is_number) && !members.has("salt") {
        let problem = Problem::new(
            "E-REC-050",
            "a person's number is guessed from the digest of a record without a `salt`: give the one that the licence was \
             issued with, or leave `holder` out",
            "记录无“salt”时,个人号码可由其摘要猜出:须提供颁发证照时所用的“salt”,或删去“holder”",
        );
        members.fault("holder", problem, faults);
    }
}

fn no_fields() -> Problem {
    Problem::new(
        "E-REC-070",
        format!("fields are 1 to {FIELDS_MAX} names, none twice"),
        format!("字段应为 1 至 {FIELDS_MAX} 个名称,不得重复"),
    )
}

fn uses(members: &Members<'_, '_>, faults: &mut Faults) -> Option<u32> {
    let number = whole(members, "max_uses").filter(|number| (1..=USES_MAX).contains(number));
    if number.is_none() {
        let problem = Problem::new(
            "E-REC-071",
            format!("`max_uses` is a whole number from 1 to {USES_MAX}"),
            format!("“max_uses”应为 1 至 {USES_MAX} 的整数"),
        );
        members.fault("max_uses", problem, faults);
    }
    number
}

fn whole(members: &Members<'_, '_>, name: &str) -> Option<u32> {
    match members.get(name)? {
        crate::json::Value::Number(number) => crate::canonical::number_text(*number).parse().ok(),
        crate::json::Value::Null
        | crate::json::Value::Bool(_)
        | crate::json::Value::String(_)
        | crate::json::Value::Array(_)
        | crate::json::Value::Object(_) => None,
    }
}

/// A reference if there is one; `None` outside when what is there is wrong.
#[expect(clippy::option_option, reason = "wrong, absent and present are three things")]
fn reference(members: &Members<'_, '_>, faults: &mut Faults) -> Option<Option<Reference>> {
    if !members.has("reference") {
        return Some(None);
    }
    members.carried("reference", faults).map(Some)
}

/// The names of fields, ascending; none where there is no such member.
fn fields(members: &Members<'_, '_>, faults: &mut Faults) -> Option<Vec<FieldName>> {
    if !members.has("fields") {
        return Some(Vec::new());
    }
    let list = members.list("fields", faults)?;
    let place = members.at("fields");
    let mut names = Vec::new();
    for (index, item) in list.iter().take(FIELDS_MAX + 1).enumerate() {
        let place = place.index(index);
        let text = read::text(item, &place, faults)?;
        names.push(read::carried(text, &place, faults)?);
    }
    names.sort();
    if names.len() > FIELDS_MAX || names.windows(2).any(|pair| pair[0] == pair[1]) {
        members.fault("fields", no_fields(), faults);
        return None;
    }
    Some(names)
}

/// The member of the two that is there; both say the same thing in two languages.
fn either<'n>(members: &Members<'_, '_>, names: [&'n str; 2], faults: &mut Faults) -> &'n str {
    let [one, other] = names;
    if members.has(one) && members.has(other) && members.get(one) != members.get(other) {
        members.fault(other, Problem::disagree(&format!("`{one}`"), &format!("`{other}`")), faults);
    }
    if members.has(other) { other } else { one }
}

/// A time as RFC 3339 has it, or as the directory does: `YYYYMMDDhhmmss`, in China.
fn moment(members: &Members<'_, '_>, name: &str, faults: &mut Faults) -> Option<Timestamp> {
    let found = members.text(name, faults)?;
    let time = read::time(found).or_else(|| {
        let digits = found.len() == 14 && found.bytes().all(|byte| byte.is_ascii_digit());
        let part = |range: core::ops::Range<usize>| found.get(range).unwrap_or_default();
        let text = format!(
            "{}-{}-{}T{}:{}:{}+08:00",
            part(0..4),
            part(4..6),
            part(6..8),
            part(8..10),
            part(10..12),
            part(12..14)
        );
        digits.then(|| read::time(&text))?
    });
    if time.is_none() {
        members.fault(name, Problem::time(found), faults);
    }
    time
}

fn made_at(
    members: &Members<'_, '_>,
    at: Option<Timestamp>,
    faults: &mut Faults,
) -> Option<Timestamp> {
    let name = either(members, ["made_at", "加注件制作时间"], faults);
    if members.has(name) { moment(members, name, faults) } else { at }
}

/// The grant that is named, or the one that follows from whom it is to and what for.
fn named_grant(
    members: &Members<'_, '_>,
    licence: Option<&LicenceId>,
    grantee: Option<(&str, Option<AgencyCode>)>,
    purpose: Option<&Purpose>,
    faults: &mut Faults,
) -> Option<GrantId> {
    let reference = reference(members, faults);
    if members.has("grant") {
        let found = members.text("grant", faults)?;
        let grant = found.parse().ok();
        if grant.is_none() {
            members.fault("grant", not_a_grant(found), faults);
        }
        return grant;
    }
    let (name, grantee) = grantee?;
    members.require(name, faults);
    Some(grant_id(licence?, &grantee?, purpose?, reference?.as_ref()))
}

fn not_a_grant(found: &str) -> Problem {
    Problem::new(
        "E-REC-072",
        format!("{:?} is not the name of a grant: 64 lower-case hexadecimal digits", quote(found)),
        format!("“{}”不是授权标识:应为 64 位小写十六进制数字", quote(found)),
    )
}

fn use_licence(
    members: &Members<'_, '_>,
    at: Option<Timestamp>,
    faults: &mut Faults,
) -> Option<Usage> {
    let licence = licence::there(members, faults);
    // Who makes the copy is who acts.
    let maker = either(members, ["actor", "加注件制作者"], faults);
    let grantee = if maker == "actor" {
        // The acting agency was looked at before.
        members.agency(maker, &mut Faults::default())
    } else {
        members.agency(maker, faults)
    };
    let name = either(members, ["purpose", "加注件制作事由"], faults);
    let purpose: Option<Purpose> = members.carried(name, faults);
    let grant =
        named_grant(members, licence.as_ref(), Some((maker, grantee)), purpose.as_ref(), faults);
    let fields = fields(members, faults);
    let made_at = made_at(members, at, faults);
    let name = either(members, ["copy_until", "加注件有效期截止时间"], faults);
    let copy_until = if members.has(name) { Some(moment(members, name, faults)?) } else { None };
    Some(Usage::Use(Presented {
        grant: grant?,
        licence: licence?,
        purpose: purpose?,
        fields: fields?,
        made_at: made_at?,
        copy_until,
    }))
}

fn withdraw(members: &Members<'_, '_>, faults: &mut Faults) -> Option<Usage> {
    let licence = licence::there(members, faults);
    let grantee = members.agency("grantee", faults);
    let purpose: Option<Purpose> = if members.has("purpose") || !members.has("grant") {
        members.carried("purpose", faults)
    } else {
        None
    };
    let by = Some(("grantee", grantee));
    let grant = named_grant(members, licence.as_ref(), by, purpose.as_ref(), faults);
    Some(Usage::Withdraw { grant: grant?, licence: licence? })
}

fn data(members: &Members<'_, '_>, at: Option<Timestamp>, faults: &mut Faults) -> Option<DataUse> {
    let name = if members.has("licence") || members.has("id") {
        if members.has("data") {
            members.fault(
                "data",
                Problem::not_here("data", "a use of a licence", "证照操作"),
                faults,
            );
        }
        licence::there(members, faults).map(|licence| licence_data(&licence))
    } else {
        data_name(members, faults)
    };
    let purpose = members.carried("purpose", faults);
    let fields = fields(members, faults);
    members.require("basis", faults);
    let basis = basis(members, faults);
    let made_at = made_at(members, at, faults);
    Some(DataUse {
        data: name?,
        purpose: purpose?,
        fields: fields?,
        basis: basis?,
        made_at: made_at?,
    })
}

fn data_name(members: &Members<'_, '_>, faults: &mut Faults) -> Option<DataName> {
    let found = members.required_text("data", faults)?;
    // The kind before the colon would hide from the guard what is a lot's own way of writing.
    let own = found.strip_prefix("lot:").unwrap_or(found);
    if let Some(problem) = privacy::problem(own) {
        members.fault("data", problem, faults);
        return None;
    }
    let name = DataName::new(found).ok().filter(|name| data_owner(name).is_some());
    if name.is_none() {
        let problem = Problem::new(
            "E-REC-073",
            format!(
                "{:?} does not say whose data it is: licence:ID, item:ID, lot:ID, or the owner's code, a slash and a name",
                quote(found)
            ),
            format!(
                "“{}”未表明数据归属:应为 licence:标识、item:编码、lot:批次,或“归属机构代码/名称”",
                quote(found)
            ),
        );
        members.fault("data", problem, faults);
    }
    name
}

fn basis(members: &Members<'_, '_>, faults: &mut Faults) -> Option<Basis> {
    let place = members.at("basis");
    let inside = Members::of(members.get("basis")?, &place, faults)?;
    let names: Vec<&str> = inside.map().keys().map(String::as_str).collect();
    let [name] = *names.as_slice() else {
        members.fault("basis", not_a_basis(), faults);
        return None;
    };
    match name {
        "grant" => {
            let found = inside.text(name, faults)?;
            let grant = found.parse().ok();
            if grant.is_none() {
                inside.fault(name, not_a_grant(found), faults);
            }
            grant.map(Basis::Grant)
        }
        "item" => inside.carried(name, faults).map(Basis::Item),
        "licence" => inside.carried(name, faults).map(Basis::Licence),
        "role" => {
            let number = whole(&inside, name);
            if number.is_none() {
                inside.fault(name, not_a_basis(), faults);
            }
            number.map(Basis::Role)
        }
        _other => {
            members.fault("basis", not_a_basis(), faults);
            None
        }
    }
}

fn not_a_basis() -> Problem {
    Problem::new(
        "E-REC-074",
        "a basis is one of {\"grant\": NAME}, {\"item\": CODE}, {\"licence\": ID} and {\"role\": NUMBER}",
        "依据应为 {\"grant\": 授权标识}、{\"item\": 实施编码}、{\"licence\": 证照标识}、{\"role\": 授权序号} 之一",
    )
}

fn digest(members: &Members<'_, '_>, faults: &mut Faults) -> Option<Digest> {
    let found = members.required_text("document", faults)?;
    let digest = found.parse().ok();
    if digest.is_none() {
        let problem = Problem::new(
            "E-REC-075",
            format!(
                "{:?} is not a digest such as blake3: and 64 lower-case hexadecimal digits",
                quote(found)
            ),
            format!("“{}”不是文件摘要:应为 blake3: 加 64 位小写十六进制数字", quote(found)),
        );
        members.fault("document", problem, faults);
    }
    digest
}

fn reuse(members: &Members<'_, '_>, at: Option<Timestamp>, faults: &mut Faults) -> Option<Usage> {
    let document = digest(members, faults);
    let purpose = members.carried("purpose", faults);
    members.require("reader", faults);
    // Who reads is who acts, and signs for it.
    let reader = members.agency("reader", faults);
    either(members, ["actor", "reader"], faults);
    let basis = if members.has("basis") { Some(basis(members, faults)?) } else { None };
    let made_at = made_at(members, at, faults);
    reader?;
    Some(Usage::Reuse(Reuse { document: document?, purpose: purpose?, basis, made_at: made_at? }))
}

/// The agency that has to act, where another member than `actor` says so.
pub(crate) fn actor(op: &str, members: &Members<'_, '_>) -> Option<AgencyCode> {
    let name = match full(op) {
        "licence.use" => "加注件制作者",
        "document.reuse" => "reader",
        _other => return None,
    };
    members.agency(name, &mut Faults::default())
}
