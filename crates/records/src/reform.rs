//! What moves service items: merging several into one, splitting one into several, entrusting another agency.

use crate::{
    fault::{Faults, Place, Problem, quote},
    identifiers::ItemCodeParts,
    item::{ALWAYS, CODES, edition, effective, identify, previous},
    json::Value,
    native::Reading,
    read::{self, Members},
};
use types::{
    Text,
    item::{Predecessor, RELATIVES_MAX, Successor, TASKS_MAX},
    operation::{BasicCode, ItemCode, ItemVerb},
};

/// `item.merge`: the items in `predecessors` end, and `item` takes their place.
pub(crate) fn merge(members: &Members<'_, '_>, faults: &mut Faults) -> Option<Reading> {
    members.only(&[&ALWAYS[..], &["predecessors", "prev_version"]].concat(), faults);
    members.time("at", faults);
    members.require("effective", faults);
    let effective_from = effective(members, faults);
    members.require("item", faults);
    members.require("predecessors", faults);
    let old = predecessors(members, faults);
    let place = members.at("item");
    let item = Members::of(members.get("item")?, &place, faults)?;
    let what = identify(&item, faults);
    let edition = edition(&item, effective_from, faults);
    previous(members, edition.as_ref().map(|edition| edition.version), faults);
    let (old, edition) = (old?, edition?);
    // Into a new item two are merged at least; into one that is there, one more.
    let least = if edition.version == 1 { 2 } else { 1 };
    let twice = old.windows(2).any(|pair| pair[0].code == pair[1].code);
    if twice || !(least..=RELATIVES_MAX).contains(&old.len()) {
        members.fault("predecessors", relatives(least), faults);
        return None;
    }
    let what = what?;
    if old.iter().any(|other| other.code == what.code) {
        members.fault("predecessors", itself(&what.code), faults);
        return None;
    }
    let verb = ItemVerb::Merge { edition, predecessors: old };
    Some(Reading { action: what.act(verb)?, effective_from: effective_from? })
}

fn predecessors(members: &Members<'_, '_>, faults: &mut Faults) -> Option<Vec<Predecessor>> {
    let list = members.list("predecessors", faults)?;
    let place = members.at("predecessors");
    let before = faults.len();
    let mut all: Vec<Predecessor> = list
        .iter()
        .take(RELATIVES_MAX + 1)
        .enumerate()
        .filter_map(|(index, value)| predecessor(value, &place.index(index), faults))
        .collect();
    all.sort();
    (faults.len() == before).then_some(all)
}

/// A code of 31 characters, which names its basic code, or an object with both.
fn predecessor(value: &Value, place: &Place<'_>, faults: &mut Faults) -> Option<Predecessor> {
    if let Some(text) = value.as_str() {
        let code: ItemCode = read::carried(text, place, faults)?;
        let Some(parts) = ItemCodeParts::parse(&code) else {
            let problem = Problem::new(
                "E-REC-046",
                format!(
                    "{:?} is not a code of 31 characters, so its basic code has to be given: {{\"实施编码\": …, \"基本编码\": …}}",
                    quote(text)
                ),
                format!("“{}”不是 31 位实施编码,须同时给出基本编码", quote(text)),
            );
            faults.add(place, problem);
            return None;
        };
        let basic = BasicCode::new(parts.basic).ok()?;
        return Some(Predecessor { code, basic });
    }
    let one = Members::of(value, place, faults)?;
    one.only(&["实施编码", "基本编码"], faults);
    let code = one.carried("实施编码", faults);
    let basic = one.carried("基本编码", faults);
    Some(Predecessor { code: code?, basic: basic? })
}

/// `item.split`: the item named by its codes ends, and those in `items` take its place.
pub(crate) fn split(members: &Members<'_, '_>, faults: &mut Faults) -> Option<Reading> {
    let known: Vec<&str> = ALWAYS
        .iter()
        .copied()
        .filter(|name| *name != "item")
        .chain(CODES)
        .chain(["items"])
        .collect();
    members.only(&known, faults);
    members.time("at", faults);
    members.require("effective", faults);
    let effective_from = effective(members, faults);
    let what = identify(members, faults);
    members.require("items", faults);
    let (place, before) = (members.at("items"), faults.len());
    let list = members.list("items", faults)?;
    if !(2..=RELATIVES_MAX).contains(&list.len()) {
        faults.add(&place, relatives(2));
        return None;
    }
    let mut new: Vec<Successor> = Vec::with_capacity(list.len());
    for (index, value) in list.iter().enumerate() {
        let place = place.index(index);
        let Some(item) = Members::of(value, &place, faults) else { continue };
        let (identity, edition) = (identify(&item, faults), edition(&item, effective_from, faults));
        let (Some(identity), Some(edition)) = (identity, edition) else { continue };
        if edition.version != 1 {
            let problem = Problem::new(
                "E-REC-048",
                "an item that comes of a split begins with version 1",
                "拆分产生的事项版本应为 1",
            );
            item.fault("事项版本", problem, faults);
        }
        let Some(region) = identity.organisation.region() else { continue };
        new.push(Successor {
            code: identity.code,
            basic: identity.basic,
            level: identity.level,
            region,
            planned_cancel: edition.planned_cancel,
            elements: edition.elements,
        });
    }
    if faults.len() > before {
        return None;
    }
    new.sort_by(|a, b| a.code.cmp(&b.code));
    if new.windows(2).any(|pair| pair[0].code == pair[1].code) {
        faults.add(&place, relatives(2));
        return None;
    }
    let what = what?;
    if new.iter().any(|other| other.code == what.code) {
        faults.add(&place, itself(&what.code));
        return None;
    }
    let verb = ItemVerb::Split { successors: new };
    Some(Reading { action: what.act(verb)?, effective_from: effective_from? })
}

fn relatives(least: usize) -> Problem {
    Problem::new(
        "E-REC-080",
        format!("{least} to {RELATIVES_MAX} items, none twice"),
        format!("应为 {least} 至 {RELATIVES_MAX} 个事项,且不重复"),
    )
}

fn itself(code: &str) -> Problem {
    Problem::new(
        "E-REC-080",
        format!("{} cannot take its own place", quote(code)),
        format!("{} 不能取代自身", quote(code)),
    )
}

/// `item.delegate`, 委托: part of the work on an item is entrusted to another agency, from a day to a day.
pub(crate) fn delegate(members: &Members<'_, '_>, faults: &mut Faults) -> Option<Reading> {
    const OWN: [&str; 4] = ["grantee", "scope", "not_before", "not_after"];
    let known: Vec<&str> = ALWAYS
        .iter()
        .copied()
        .filter(|name| !matches!(*name, "item" | "effective"))
        .chain(CODES)
        .chain(OWN)
        .collect();
    members.only(&known, faults);
    members.time("at", faults);
    let what = identify(members, faults);
    for name in ["grantee", "scope", "not_before"] {
        members.require(name, faults);
    }
    let to = members.agency("grantee", faults);
    let from = day(members, "not_before", read::beijing_midnight, faults);
    let until = day(members, "not_after", read::beijing_midnight_after, faults);
    if let (Some(from), Some(until)) = (from, until)
        && until <= from
    {
        let problem = Problem::new(
            "E-REC-049",
            "`not_after` is before `not_before`",
            "“not_after”早于“not_before”",
        );
        members.fault("not_after", problem, faults);
    }
    let tasks = tasks(members, faults);
    if members.has("not_after") && until.is_none() {
        return None;
    }
    let verb = ItemVerb::Entrust { to: to?, tasks: tasks?, until };
    Some(Reading { action: what?.act(verb)?, effective_from: from? })
}

fn day(
    members: &Members<'_, '_>,
    name: &str,
    read: impl Fn(&str) -> Option<types::Timestamp>,
    faults: &mut Faults,
) -> Option<types::Timestamp> {
    let found = members.text(name, faults)?;
    let time = read(found);
    if time.is_none() {
        members.fault(name, Problem::date(found), faults);
    }
    time
}

fn tasks(members: &Members<'_, '_>, faults: &mut Faults) -> Option<Vec<Text<32>>> {
    let list = members.list("scope", faults)?;
    let (place, before) = (members.at("scope"), faults.len());
    let mut tasks: Vec<Text<32>> = Vec::new();
    for (index, value) in list.iter().take(TASKS_MAX + 1).enumerate() {
        let place = place.index(index);
        let text = read::text(value, &place, faults);
        tasks.extend(text.and_then(|text| read::carried::<32>(text, &place, faults)));
    }
    if faults.len() > before {
        return None;
    }
    tasks.sort();
    let twice = tasks.windows(2).any(|pair| pair[0] == pair[1]);
    if twice || !(1..=TASKS_MAX).contains(&tasks.len()) {
        let problem = Problem::new(
            "E-REC-082",
            format!("1 to {TASKS_MAX} tasks, none twice"),
            format!("委托内容应为 1 至 {TASKS_MAX} 项,且不重复"),
        );
        members.fault("scope", problem, faults);
        return None;
    }
    Some(tasks)
}
