//! Service items, 政务服务事项: from an operation in the words of GB/T 39046 to an act on the ledger.

use crate::{
    elements::elements,
    fault::{Faults, Problem, quote},
    identifiers::{self, ItemCodeParts},
    json::Value,
    native::Reading,
    read::{self, Members},
    reform,
};
use types::{
    AgencyCode, Level, Timestamp,
    item::{Edition, is_basic_code, is_item_code},
    operation::{Action, BasicCode, ItemAction, ItemCode, ItemVerb},
};

/// The members that every operation on an item may have.
pub(crate) const ALWAYS: [&str; 8] =
    ["op", "at", "actor", "effective", "item", "reason", "note", "_note"];
/// The codes by which an operation may name an item without its document.
pub(crate) const CODES: [&str; 4] = ["实施编码", "基本编码", "行使层级代码", "实施主体代码"];

const VERBS: [&str; 8] =
    ["publish", "amend", "suspend", "resume", "cancel", "merge", "split", "delegate"];

/// Whether there is such an act.
pub(crate) fn knows(name: &str) -> bool {
    VERBS.contains(&name)
}

/// Reads an operation whose `op` is `item.` and `name`.
pub(crate) fn read(name: &str, members: &Members<'_, '_>, faults: &mut Faults) -> Option<Reading> {
    match name {
        "merge" => return reform::merge(members, faults),
        "split" => return reform::split(members, faults),
        "delegate" => return reform::delegate(members, faults),
        _other => {}
    }
    let versioned = matches!(name, "publish" | "amend");
    let known = match name {
        "publish" => ALWAYS.to_vec(),
        "amend" => [&ALWAYS[..], &["prev_version"]].concat(),
        _other => [&ALWAYS[..], &CODES].concat(),
    };
    members.only(&known, faults);
    members.time("at", faults);
    members.require("effective", faults);
    let effective_from = effective(members, faults);

    // The whole item when there is a new version of it; otherwise its codes are enough, and may stand in the operation.
    let place = members.at("item");
    let item = if versioned || members.has("item") {
        members.require("item", faults);
        Members::of(members.get("item")?, &place, faults)?
    } else {
        *members
    };
    let what = identify(&item, faults);
    let verb = match name {
        "publish" | "amend" => {
            let edition = edition(&item, effective_from, faults);
            previous(members, edition.as_ref().map(|edition| edition.version), faults);
            if name == "publish" { ItemVerb::Enter(edition?) } else { ItemVerb::Revise(edition?) }
        }
        "suspend" => ItemVerb::Suspend,
        "resume" => ItemVerb::Resume,
        "cancel" => ItemVerb::Cancel,
        _other => return None,
    };
    Some(Reading { action: what?.act(verb)?, effective_from: effective_from? })
}

/// The version that an item's document is.
pub(crate) fn edition(
    item: &Members<'_, '_>,
    effective: Option<Timestamp>,
    faults: &mut Faults,
) -> Option<Edition> {
    item.require("事项名称", faults);
    item.text("事项名称", faults);
    let version = version(item, faults);
    let planned_cancel = planned_cancel(item, effective, faults);
    let elements = elements(item, faults);
    Some(Edition { version: version?, planned_cancel, elements: elements? })
}

pub(crate) fn effective(members: &Members<'_, '_>, faults: &mut Faults) -> Option<Timestamp> {
    let found = members.text("effective", faults)?;
    let time = read::time(found).or_else(|| read::beijing_midnight(found));
    if time.is_none() {
        members.fault("effective", Problem::time(found), faults);
    }
    time
}

/// Which item it is.
pub(crate) struct Identity {
    pub(crate) code: ItemCode,
    pub(crate) basic: BasicCode,
    pub(crate) level: Level,
    pub(crate) organisation: AgencyCode,
}

impl Identity {
    /// An act on it.
    pub(crate) fn act(self, verb: ItemVerb) -> Option<Action> {
        let Self { code, basic, level, organisation } = self;
        let region = organisation.region()?;
        Some(Action::Item(ItemAction { code, basic, level, region, verb }))
    }
}

pub(crate) fn identify(item: &Members<'_, '_>, faults: &mut Faults) -> Option<Identity> {
    let code: Option<ItemCode> = item.carried("实施编码", faults);
    if let Some(code) = code.as_deref()
        && !is_item_code(code)
    {
        let problem = Problem::new(
            "E-REC-046",
            format!(
                "{:?} is not an implementation code: 24 to 36 digits and capitals",
                quote(code)
            ),
            format!("“{}”不是实施编码:应为 24 至 36 位数字或大写字母", quote(code)),
        );
        item.fault("实施编码", problem, faults);
        return None;
    }
    let parts = code.as_deref().and_then(ItemCodeParts::parse);
    // A code in 31 characters says the rest itself; any other scheme needs it said.
    if parts.is_none() {
        for name in ["基本编码", "行使层级代码", "实施主体代码"] {
            item.require(name, faults);
        }
    }
    let basic: Option<BasicCode> = match (item.has("基本编码"), parts) {
        (true, _) | (false, None) => item
            .text("基本编码", faults)
            .and_then(|text| read::carried(text, &item.at("基本编码"), faults)),
        (false, Some(parts)) => BasicCode::new(parts.basic).ok(),
    };
    if let Some(bad) = basic.as_deref().filter(|basic| !is_basic_code(basic)) {
        let problem = Problem::new(
            "E-REC-046",
            format!("{:?} is not a basic code: digits and capitals", quote(bad)),
            format!("“{}”不是基本编码:应为数字或大写字母", quote(bad)),
        );
        item.fault("基本编码", problem, faults);
    }
    let level = if item.has("行使层级代码") {
        level(item, faults)
    } else {
        parts.map(|parts| parts.level)
    };
    let organisation = if item.has("实施主体代码") {
        item.agency("实施主体代码", faults)
    } else {
        parts.map(|parts| parts.organisation)
    };
    let (basic, level, organisation) = (basic?, level?, organisation?);
    let agrees = match parts {
        Some(parts) => {
            parts.organisation == organisation
                && parts.level == level
                && parts.basic == basic.as_str()
        }
        // A code that begins with the organisation is meant to have 31 characters; 30 of them are a slip.
        None => !code.as_deref().is_some_and(|code| code.starts_with(organisation.as_str())),
    };
    if !agrees {
        let problem =
            Problem::disagree("实施编码", "实施主体代码 (18) + 行使层级代码 (1) + 基本编码 (12)");
        item.fault("实施编码", problem, faults);
    }
    if organisation.region().is_none() {
        let problem = Problem::new(
            "E-REC-045",
            "characters 3 to 8 of the organisation's code are not a region",
            "实施主体代码第 3 至 8 位不是行政区划代码",
        );
        item.fault("实施主体代码", problem, faults);
    }
    Some(Identity { code: code?, basic, level, organisation })
}

fn level(item: &Members<'_, '_>, faults: &mut Faults) -> Option<Level> {
    let found = item.text("行使层级代码", faults)?;
    let level = identifiers::level(found);
    if level.is_none() {
        let problem = Problem::new(
            "E-REC-046",
            format!("{:?} is not a level: 1 (national) to 6 (village)", quote(found)),
            format!("“{}”不是行使层级代码:应为 1(国家级)至 6(村级)", quote(found)),
        );
        item.fault("行使层级代码", problem, faults);
    }
    level
}

/// 事项版本, a number or its digits.
fn version(item: &Members<'_, '_>, faults: &mut Faults) -> Option<u32> {
    version_in("事项版本", item, faults)
}

/// A version in a member of another name.
pub(crate) fn version_in(
    name: &str,
    members: &Members<'_, '_>,
    faults: &mut Faults,
) -> Option<u32> {
    members.require(name, faults);
    let value = members.get(name)?;
    let version = whole(value).filter(|version| *version > 0);
    if version.is_none() {
        members.fault(name, not_a_version(), faults);
    }
    version
}

fn not_a_version() -> Problem {
    Problem::new("E-REC-048", "a version is a whole number from 1", "事项版本应为从 1 开始的整数")
}

fn whole(value: &Value) -> Option<u32> {
    let text = match value {
        Value::Number(number) => crate::canonical::number_text(*number),
        Value::String(text) if text.bytes().all(|c| c.is_ascii_digit()) => text.clone(),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            return None;
        }
    };
    text.parse().ok()
}

/// `prev_version`, where it is given, is the version before.
pub(crate) fn previous(members: &Members<'_, '_>, version: Option<u32>, faults: &mut Faults) {
    let (Some(value), Some(version)) = (members.get("prev_version"), version) else { return };
    match whole(value) {
        Some(previous) if previous.checked_add(1) == Some(version) => {}
        Some(_) => members.fault(
            "prev_version",
            Problem::disagree("`prev_version` + 1", "事项版本"),
            faults,
        ),
        None => members.fault("prev_version", not_a_version(), faults),
    }
}

pub(crate) fn planned_cancel(
    item: &Members<'_, '_>,
    effective: Option<Timestamp>,
    faults: &mut Faults,
) -> Option<Timestamp> {
    let found = item.text("计划取消日期", faults).filter(|text| !text.is_empty())?;
    let time = read::beijing_midnight(found);
    match (time, effective) {
        (None, _) => item.fault("计划取消日期", Problem::date(found), faults),
        (Some(cancel), Some(effective)) if cancel <= effective => {
            let problem = Problem::new(
                "E-REC-049",
                "the planned end (计划取消日期) is not after the time it takes effect",
                "计划取消日期应晚于生效时间",
            );
            item.fault("计划取消日期", problem, faults);
        }
        (Some(_), _) => {}
    }
    time
}
