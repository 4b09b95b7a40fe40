//! What single members cannot say about an event: that they agree with one another.

use super::EventAction;
use crate::{
    fault::{Faults, Problem},
    json::Value,
    read::{Members, time},
    vocabulary::DISPOSITION,
};
use std::collections::BTreeSet;
use types::{
    operation::{EventType, Lot},
    subject::Part,
};

/// Checks that the members of an event fit together.
pub(super) fn check<'l>(
    event: &Members<'_, '_>,
    kind: EventType,
    action: Option<EventAction>,
    lots: impl Iterator<Item = &'l (Lot, Part)>,
    faults: &mut Faults,
) {
    contains_itself(event, lots, faults);
    dispositions(event, faults);
    measures(event, faults);
    if action == Some(EventAction::Add) {
        ends(event, kind, faults);
    }
}

/// A container is not among what it contains.
fn contains_itself<'l>(
    event: &Members<'_, '_>,
    lots: impl Iterator<Item = &'l (Lot, Part)>,
    faults: &mut Faults,
) {
    let lots: Vec<&(Lot, Part)> = lots.collect();
    let parent = lots.iter().find(|(_, part)| *part == Part::Parent).map(|(lot, _)| lot);
    if lots.iter().any(|(lot, part)| *part == Part::Child && Some(lot) == parent) {
        let problem = Problem::new(
            "E-REC-027",
            "a thing is not its own container: `parentID` is among the children",
            "物品不能是自身的容器:“parentID”同时列为子项",
        );
        event.fault("parentID", problem, faults);
    }
}

/// A disposition is not set and unset at once.
fn dispositions(event: &Members<'_, '_>, faults: &mut Faults) {
    let place = event.at("persistentDisposition");
    let Some(persistent) = event.get("persistentDisposition") else { return };
    let list = |name: &str| persistent.get(name).and_then(Value::as_array).unwrap_or_default();
    let bare = |value: &Value| {
        let word = value.as_str()?;
        let standard = word.strip_prefix(DISPOSITION.web);
        Some(standard.or_else(|| word.strip_prefix(DISPOSITION.urn)).unwrap_or(word).to_owned())
    };
    let unset: BTreeSet<String> = list("unset").iter().filter_map(bare).collect();
    let at = place.member("set");
    for (index, value) in list("set").iter().enumerate() {
        if bare(value).is_some_and(|word| unset.contains(&word)) {
            let problem = Problem::new(
                "E-REC-027",
                "this disposition is set and unset by the same event",
                "同一事件同时设置并取消该状态",
            );
            faults.add(&at.index(index), problem);
        }
    }
}

/// What a sensor reports of a span lies in the order of its names.
fn measures(event: &Members<'_, '_>, faults: &mut Faults) {
    let list = event.at("sensorElementList");
    let elements = event.get("sensorElementList").and_then(Value::as_array).unwrap_or_default();
    let order = |early: &str, late: &str| {
        Problem::new(
            "E-REC-027",
            format!("`{early}` is after `{late}`"),
            format!("“{early}”大于或晚于“{late}”"),
        )
    };
    for (index, element) in elements.iter().enumerate() {
        let place = list.index(index);
        if let Some(metadata) = element.get("sensorMetadata") {
            let of = |name| metadata.get(name).and_then(Value::as_str).and_then(time);
            if let (Some(start), Some(end)) = (of("startTime"), of("endTime"))
                && start > end
            {
                let at = place.member("sensorMetadata");
                faults.add(&at.member("startTime"), order("startTime", "endTime"));
            }
        }
        let reports = place.member("sensorReport");
        let all = element.get("sensorReport").and_then(Value::as_array).unwrap_or_default();
        for (index, report) in all.iter().enumerate() {
            let of = |name| match report.get(name) {
                Some(Value::Number(number)) => Some(*number),
                _ => None,
            };
            if let (Some(least), Some(most)) = (of("minValue"), of("maxValue"))
                && least > most
            {
                let at = reports.index(index);
                faults.add(&at.member("minValue"), order("minValue", "maxValue"));
            }
        }
    }
}

/// Steps that end goods, or take them out of a container, are not added.
fn ends(event: &Members<'_, '_>, kind: EventType, faults: &mut Faults) {
    let wrong: &[&str] = match kind {
        EventType::Object => &["decommissioning", "destroying"],
        EventType::Aggregation => &["unpacking", "disassembling"],
        EventType::Transaction | EventType::Transformation | EventType::Association => &[],
    };
    let Some(step) = event.get("bizStep").and_then(Value::as_str) else { return };
    let word = step.rsplit([':', '/']).next().unwrap_or_default();
    let word = word.strip_prefix("BizStep-").unwrap_or(word);
    if wrong.contains(&word) {
        let problem = Problem::new(
            "E-REC-022",
            format!("{word} ends what was there, so its action is DELETE (or OBSERVE), not ADD"),
            format!("业务步骤 {word} 表示终止,action 应为 DELETE(或 OBSERVE),不应为 ADD"),
        );
        event.fault("action", problem, faults);
    }
}
