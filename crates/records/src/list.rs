//! Named lists of service items, 专题清单: which items they name, and nothing else.

use crate::{
    fault::{Faults, Place, Problem, quote},
    item::{effective, previous, version_in},
    json::Value,
    native::Reading,
    read::{self, Members},
};
use types::{
    Region,
    item::{ListAction, ListVerb, MEMBERS_MAX, is_item_code},
    operation::{Action, ItemCode},
};

const VERBS: [&str; 3] = ["publish", "amend", "cancel"];

/// Whether there is such an act.
pub(crate) fn knows(name: &str) -> bool {
    VERBS.contains(&name)
}

/// Reads an operation whose `op` is `list.` and `name`.
pub(crate) fn read(name: &str, members: &Members<'_, '_>, faults: &mut Faults) -> Option<Reading> {
    const ALWAYS: [&str; 8] = ["op", "at", "actor", "effective", "list", "reason", "note", "_note"];
    let amends: &[&str] = if name == "amend" { &["prev_version"] } else { &[] };
    members.only(&[&ALWAYS[..], amends].concat(), faults);
    members.time("at", faults);
    members.require("effective", faults);
    members.require("list", faults);
    let effective_from = effective(members, faults);
    let place = members.at("list");
    let list = Members::of(members.get("list")?, &place, faults)?;
    let title = list.carried("清单名称", faults);
    let region = region(&list, faults);
    let verb = if name == "cancel" {
        list.only(&["清单名称", "行政区划代码", "清单版本"], faults);
        Some(ListVerb::Cancel)
    } else {
        list.only(&["清单名称", "行政区划代码", "清单版本", "事项"], faults);
        let version = version_in("清单版本", &list, faults);
        previous(members, version, faults);
        let codes = codes(&list, faults);
        if name == "publish" && version.is_some_and(|version| version != 1) {
            let problem = Problem::new(
                "E-REC-048",
                "a list begins with version 1",
                "清单首次发布时版本应为 1",
            );
            list.fault("清单版本", problem, faults);
        }
        match (name, version, codes) {
            ("publish", Some(_), Some(members)) => Some(ListVerb::Publish { members }),
            ("amend", Some(version), Some(members)) => Some(ListVerb::Amend { version, members }),
            _other => None,
        }
    };
    let act = ListAction { name: title?, region: region?, verb: verb? };
    Some(Reading { action: Action::List(act), effective_from: effective_from? })
}

fn region(list: &Members<'_, '_>, faults: &mut Faults) -> Option<Region> {
    let found = list.required_text("行政区划代码", faults)?;
    let region = Region::new(found);
    if region.is_none() {
        let problem = Problem::new(
            "E-REC-045",
            format!("{:?} is not a region: six digits of GB/T 2260", quote(found)),
            format!("“{}”不是行政区划代码:应为 6 位数字(GB/T 2260)", quote(found)),
        );
        list.fault("行政区划代码", problem, faults);
    }
    region
}

/// The items, in the order of their codes.
fn codes(list: &Members<'_, '_>, faults: &mut Faults) -> Option<Vec<ItemCode>> {
    list.require("事项", faults);
    let values = list.list("事项", faults)?;
    let (place, before) = (list.at("事项"), faults.len());
    if !(1..=MEMBERS_MAX).contains(&values.len()) {
        let problem = Problem::new(
            "E-REC-081",
            format!("a list names 1 to {MEMBERS_MAX} items"),
            format!("清单应含 1 至 {MEMBERS_MAX} 个事项"),
        );
        faults.add(&place, problem);
        return None;
    }
    let mut codes: Vec<ItemCode> = Vec::with_capacity(values.len());
    for (index, value) in values.iter().enumerate() {
        codes.extend(code(value, &place.index(index), faults));
    }
    codes.sort();
    for pair in codes.windows(2).filter(|pair| pair[0] == pair[1]) {
        let problem = Problem::new(
            "E-REC-081",
            format!("{} is named twice", pair[0]),
            format!("{} 重复列出", pair[0]),
        );
        faults.add(&place, problem);
    }
    (faults.len() == before).then_some(codes)
}

fn code(value: &Value, place: &Place<'_>, faults: &mut Faults) -> Option<ItemCode> {
    let text = read::text(value, place, faults)?;
    if is_item_code(text) {
        return read::carried(text, place, faults);
    }
    let problem = Problem::new(
        "E-REC-046",
        format!("{:?} is not an implementation code: 24 to 36 digits and capitals", quote(text)),
        format!("“{}”不是实施编码:应为 24 至 36 位数字或大写字母", quote(text)),
    );
    faults.add(place, problem);
    None
}
