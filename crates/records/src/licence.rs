//! E-licences, 电子证照: from an operation in the words of the national directory to an act on the ledger.

use crate::{
    fault::{Faults, Problem, quote},
    identifiers::{LicenceIdentifier, LicenceIdentifierError},
    native::Reading,
    privacy, read,
    read::Members,
};
use types::{
    Region, Timestamp,
    operation::{Action, LicenceAction, LicenceFacts, LicenceId, LicenceVerb},
};

/// A kind of act: the word after `licence.`, and what the directory's own codes should say of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Act {
    verb: Verb,
    name: &'static str,
    /// 操作类型.
    operate_type: &'static str,
    /// 证照状态 after it.
    state: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Issue,
    Renew,
    Change,
    TransferIn,
    Suspend,
    Resume,
    Annul,
    Cancel,
    Revoke,
    TransferOut,
    UndoTransferOut,
    Expire,
}

impl Verb {
    /// Whether a licence comes into being by it.
    const fn is_birth(self) -> bool {
        match self {
            Self::Issue | Self::Renew | Self::Change | Self::TransferIn => true,
            Self::Suspend
            | Self::Resume
            | Self::Annul
            | Self::Cancel
            | Self::Revoke
            | Self::TransferOut
            | Self::UndoTransferOut
            | Self::Expire => false,
        }
    }

    /// Whether a licence ends by it, in favour of another.
    const fn supersedes(self) -> bool {
        self.is_birth() && !matches!(self, Self::Issue)
    }
}

const fn act(
    verb: Verb,
    name: &'static str,
    operate_type: &'static str,
    state: &'static str,
) -> Act {
    Act { verb, name, operate_type, state }
}

/// The twelve acts. The codes are those of the interface of the national housing ministry, the only public ones.
const ACTS: [Act; 12] = [
    act(Verb::Issue, "issue", "01", "01"),
    act(Verb::Renew, "renew", "02", "01"),
    act(Verb::Change, "change", "09", "01"),
    act(Verb::TransferIn, "transfer_in", "08", "01"),
    act(Verb::Suspend, "suspend", "03", "02"),
    act(Verb::Resume, "resume", "06", "01"),
    act(Verb::Annul, "annul", "05", "03"),
    act(Verb::Cancel, "cancel", "05", "04"),
    act(Verb::Revoke, "revoke", "05", "07"),
    act(Verb::TransferOut, "transfer_out", "05", "06"),
    act(Verb::UndoTransferOut, "undo_transfer_out", "10", "01"),
    act(Verb::Expire, "expire", "04", "05"),
];

/// Whether there is such an act.
pub(crate) fn knows(name: &str) -> bool {
    ACTS.iter().any(|act| act.name == name)
}

/// Reads an operation whose `op` is `licence.` and `name`.
pub(crate) fn read(name: &str, members: &Members<'_, '_>, faults: &mut Faults) -> Option<Reading> {
    let act = ACTS.into_iter().find(|act| act.name == name)?;
    let mut known = vec![
        "op",
        "at",
        "actor",
        "effective_from",
        "operate_type",
        "state",
        "reason",
        "until",
        "note",
        "_note",
        "salt",
    ];
    if act.verb.is_birth() {
        known.extend(["meta", "salts"]);
    } else {
        known.extend(["licence", "id"]);
    }
    if act.verb.supersedes() {
        known.extend(["supersedes", "supersedes_salt"]);
    }
    members.only(&known, faults);
    for (member, expected) in [("operate_type", act.operate_type), ("state", act.state)] {
        if let Some(found) = members.text(member, faults).filter(|found| *found != expected) {
            let problem = Problem::new(
                "E-REC-053",
                format!("{:?} contradicts licence.{name}, which is {expected:?}", quote(found)),
                format!("“{}”与 licence.{name} 不符,应为“{expected}”", quote(found)),
            );
            members.fault(member, problem, faults);
        }
    }
    members.require("at", faults);
    let at = members.time("at", faults);
    let effective_from =
        if members.has("effective_from") { effective(members, faults) } else { at };
    let action = if act.verb.is_birth() {
        birth(act.verb, members, faults)
    } else {
        end(act.verb, members, faults)
    };
    Some(Reading { action: Action::Licence(action?), effective_from: effective_from? })
}

/// `effective_from` may be a time or a day.
fn effective(members: &Members<'_, '_>, faults: &mut Faults) -> Option<Timestamp> {
    let found = members.text("effective_from", faults)?;
    let time = read::time(found).or_else(|| read::beijing_midnight(found));
    if time.is_none() {
        members.fault("effective_from", Problem::time(found), faults);
    }
    time
}

/// An act on a licence that is there.
fn end(verb: Verb, members: &Members<'_, '_>, faults: &mut Faults) -> Option<LicenceAction> {
    let licence = there(members, faults)?;
    let verb = match verb {
        Verb::Suspend => LicenceVerb::Suspend,
        Verb::Resume => LicenceVerb::Resume,
        Verb::Annul => LicenceVerb::Annul,
        Verb::Cancel => LicenceVerb::Cancel,
        Verb::Revoke => LicenceVerb::Revoke,
        Verb::TransferOut => LicenceVerb::TransferOut,
        Verb::UndoTransferOut => LicenceVerb::UndoTransferOut,
        Verb::Expire => LicenceVerb::Expire,
        Verb::Issue | Verb::Renew | Verb::Change | Verb::TransferIn => return None,
    };
    Some(LicenceAction { licence, verb })
}

/// The licence that an operation names by `licence` or `id`, hidden if it gives a `salt`.
pub(crate) fn there(members: &Members<'_, '_>, faults: &mut Faults) -> Option<LicenceId> {
    let name = if members.has("id") { "id" } else { "licence" };
    if members.has("id") && members.has("licence") && members.get("id") != members.get("licence") {
        members.fault("id", Problem::disagree("`id`", "`licence`"), faults);
    }
    let salt = salt(members, "salt", faults);
    members.require(name, faults);
    named(members, name, salt, faults)
}

/// An act by which a licence comes into being.
fn birth(verb: Verb, members: &Members<'_, '_>, faults: &mut Faults) -> Option<LicenceAction> {
    let salt = salt(members, "salt", faults);
    let old_salt = salt_of_old(members, faults);
    members.require("meta", faults);
    let place = members.at("meta");
    let meta = Members::of(members.get("meta")?, &place, faults)?;

    let personal = is_personal(&meta, faults);
    if personal && !members.has("salt") {
        let problem = Problem::new(
            "E-REC-050",
            "this licence is held by a person: the operation needs a `salt` of at least 32 lower-case hexadecimal digits, \
             kept with the document and never used again",
            "该证照由个人持有:操作须带“salt”(至少 32 位小写十六进制随机数,随文档保存,不得重复使用)",
        );
        faults.add(members.place(), problem);
    }
    let salt = if members.has("salt") { Some(salt?) } else { None };
    let identifier = identifier(&meta, faults);
    let facts = facts(&meta, faults);
    let supersedes = if verb.supersedes() {
        members.require("supersedes", faults);
        if personal
            && !members.has("supersedes_salt")
            && !members.text("supersedes", faults).is_some_and(privacy::is_hidden)
        {
            let problem = Problem::new(
                "E-REC-050",
                "the licence superseded is held by a person too: give the `supersedes_salt` it was issued with",
                "被替代的证照同样由个人持有:须提供颁发时所用的“supersedes_salt”",
            );
            faults.add(members.place(), problem);
        }
        named(members, "supersedes", old_salt, faults)
    } else {
        None
    };
    // Without a salt in a personal operation there is a fault already; the bare identifier goes nowhere.
    let licence = on_ledger(identifier?, salt, &meta, faults)?;
    let facts = facts?;
    let verb = match (verb, supersedes) {
        (Verb::Issue, _none) => LicenceVerb::Issue(facts),
        (Verb::Renew, Some(supersedes)) => LicenceVerb::Renew { supersedes, facts },
        (Verb::Change, Some(supersedes)) => LicenceVerb::Change { supersedes, facts },
        (Verb::TransferIn, Some(supersedes)) => LicenceVerb::TransferIn { supersedes, facts },
        (Verb::Renew | Verb::Change | Verb::TransferIn, None)
        | (
            Verb::Suspend
            | Verb::Resume
            | Verb::Annul
            | Verb::Cancel
            | Verb::Revoke
            | Verb::TransferOut
            | Verb::UndoTransferOut
            | Verb::Expire,
            _,
        ) => {
            return None;
        }
    };
    if verb.supersedes() == Some(&licence) {
        members.fault("supersedes", same_licence(), faults);
    }
    Some(LicenceAction { licence, verb })
}

fn same_licence() -> Problem {
    Problem::new("E-REC-047", "a licence cannot supersede itself", "证照不能替代其自身")
}

/// Whether a person holds the licence: by the type of the holder's code, and by the look of the code itself.
fn is_personal(meta: &Members<'_, '_>, faults: &mut Faults) -> bool {
    const CITIZEN: &str = "111";
    meta.require("持证主体代码类型", faults);
    let kind = meta.text("持证主体代码类型", faults);
    let holder = meta.text("持证主体代码", faults);
    kind == Some(CITIZEN) || holder.is_some_and(privacy::is_citizen_number)
}

fn identifier<'v>(meta: &Members<'v, '_>, faults: &mut Faults) -> Option<&'v str> {
    let text = meta.required_text("证照标识", faults)?;
    let parts = match LicenceIdentifier::parse(text) {
        Ok(parts) => parts,
        Err(why) => {
            meta.fault("证照标识", malformed(text, &why), faults);
            return None;
        }
    };
    for (member, in_identifier) in [
        ("证照类型代码", parts.kind),
        ("证照颁发机构代码", parts.issuer),
        ("证照版本号", parts.version),
    ] {
        if meta.text(member, faults).is_some_and(|found| found != in_identifier) {
            meta.fault(member, Problem::disagree(member, "证照标识"), faults);
        }
    }
    // A region of six digits may stand for the issuer in an identifier; a code of eighteen has check characters.
    meta.agency("证照颁发机构代码", faults);
    Some(text)
}

fn malformed(text: &str, why: &LicenceIdentifierError) -> Problem {
    let code = match why {
        LicenceIdentifierError::Shape(_) => "E-REC-042",
        LicenceIdentifierError::Check(_) => "E-REC-043",
    };
    Problem::new(
        code,
        format!("{:?} is not a licence identifier: it {why}", quote(text)),
        format!("“{}”不是有效的证照标识:{}", quote(text), why.zh()),
    )
}

fn facts(meta: &Members<'_, '_>, faults: &mut Faults) -> Option<LicenceFacts> {
    let kind = meta.carried("证照类型代码", faults);
    let region = meta.required_text("证照所属管辖属地编码", faults).and_then(|found| {
        let region = Region::new(found);
        if region.is_none() {
            let problem = Problem::new(
                "E-REC-045",
                format!("{:?} is not a region: six digits of GB/T 2260", quote(found)),
                format!("“{}”不是行政区划代码(GB/T 2260 六位数字)", quote(found)),
            );
            meta.fault("证照所属管辖属地编码", problem, faults);
        }
        region
    });
    meta.require("证照有效期起始", faults);
    let valid_from = day(meta, "证照有效期起始", read::beijing_midnight, faults);
    let endless = meta
        .text("证照有效期截至", faults)
        .is_none_or(|text| matches!(text, "长期" | "99991231" | ""));
    let valid_until = if endless {
        None
    } else {
        Some(day(meta, "证照有效期截至", read::beijing_midnight_after, faults)?)
    };
    let issued = if meta.has("证照颁发日期") {
        day(meta, "证照颁发日期", read::beijing_midnight, faults)
    } else {
        None
    };
    if let Some(until) = valid_until
        && (valid_from.is_some_and(|from| from >= until)
            || issued.is_some_and(|issued| issued >= until))
    {
        let problem = Problem::new(
            "E-REC-049",
            "the licence ends (证照有效期截至) before it begins or is issued",
            "证照有效期截至早于起始日期或颁发日期",
        );
        meta.fault("证照有效期截至", problem, faults);
    }
    Some(LicenceFacts { kind: kind?, region: region?, valid_from: valid_from?, valid_until })
}

fn day(
    meta: &Members<'_, '_>,
    name: &str,
    moment: impl Fn(&str) -> Option<Timestamp>,
    faults: &mut Faults,
) -> Option<Timestamp> {
    let found = meta.text(name, faults)?;
    let time = moment(found);
    if time.is_none() {
        meta.fault(name, Problem::date(found), faults);
    }
    time
}

fn salt_of_old<'v>(members: &Members<'v, '_>, faults: &mut Faults) -> Option<&'v str> {
    salt(members, "supersedes_salt", faults)
}

fn salt<'v>(members: &Members<'v, '_>, name: &str, faults: &mut Faults) -> Option<&'v str> {
    let found = members.text(name, faults)?;
    if privacy::is_salt(found) {
        return Some(found);
    }
    // The fault does not repeat the salt: faults are logged.
    let problem = Problem::new(
        "E-REC-051",
        "a salt is 32 to 128 lower-case hexadecimal digits",
        "“salt”应为 32 至 128 位小写十六进制数字",
    );
    members.fault(name, problem, faults);
    None
}

/// The licence a member names: an identifier, hidden if a salt is given, or the name of a hidden licence.
fn named(
    members: &Members<'_, '_>,
    name: &str,
    salt: Option<&str>,
    faults: &mut Faults,
) -> Option<LicenceId> {
    let text = members.text(name, faults)?;
    if privacy::is_hidden(text) {
        return LicenceId::new(text).ok();
    }
    if let Err(why) = LicenceIdentifier::parse(text) {
        members.fault(name, malformed(text, &why), faults);
        return None;
    }
    match salt {
        Some(salt) => privacy::hidden_licence(salt, text),
        None => read::carried(text, &members.at(name), faults),
    }
}

fn on_ledger(
    identifier: &str,
    salt: Option<&str>,
    meta: &Members<'_, '_>,
    faults: &mut Faults,
) -> Option<LicenceId> {
    match salt {
        Some(salt) => privacy::hidden_licence(salt, identifier),
        None => read::carried(identifier, &meta.at("证照标识"), faults),
    }
}
