//! The life of an item as its records tell it: which version held when, and where the entries of one basic code differ.

use super::Shown;
use crate::speech::Lang;
use std::collections::{BTreeMap, BTreeSet};
use types::{
    AgencyCode, Height, Level, RecordId, Timestamp,
    fields::FieldName,
    item::{Edition, Element, Successor},
    operation::{Action, BasicCode, ItemAction, ItemCode, ItemVerb},
};

/// One thing done to an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Act {
    /// The record that says so.
    pub(crate) record: RecordId,
    /// Its block.
    pub(crate) height: Height,
    /// Who did it.
    pub(crate) agency: AgencyCode,
    /// From when on it has effect.
    pub(crate) from: Timestamp,
    /// What it was.
    pub(crate) what: What,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A version came into being.
    Version {
        number: u32,
        planned_cancel: Option<Timestamp>,
        level: Level,
        elements: Option<Vec<Element>>,
    },
    Suspended,
    Resumed,
    Cancelled,
    /// Others took its place.
    Replaced(Vec<ItemCode>),
    /// Nothing that changes the item.
    Noted,
}

impl Act {
    /// The version that it made.
    pub(crate) const fn version(&self) -> Option<u32> {
        match &self.what {
            What::Version { number, .. } => Some(*number),
            What::Suspended | What::Resumed | What::Cancelled | What::Replaced(_) | What::Noted => {
                None
            }
        }
    }
}

/// What was done to an item, in the order in which it was recorded.
pub(crate) fn acts(code: &ItemCode, shown: &[Shown]) -> Vec<Act> {
    let act = |shown: &Shown| {
        let Action::Item(act) = &shown.operation.action else { return None };
        Some(Act {
            record: shown.record,
            height: shown.height,
            agency: shown.agency,
            from: shown.operation.effective_from,
            what: what(code, act)?,
        })
    };
    shown.iter().filter_map(act).collect()
}

fn what(code: &ItemCode, act: &ItemAction) -> Option<What> {
    let own = act.code == *code;
    let edition = |edition: &Edition| What::Version {
        number: edition.version,
        planned_cancel: edition.planned_cancel,
        level: act.level,
        elements: Some(edition.elements.clone()),
    };
    match &act.verb {
        ItemVerb::Merge { predecessors, .. } if !own => {
            let mut ended = predecessors.iter().filter(|old| old.code == *code);
            ended.next().map(|_| What::Replaced(vec![act.code.clone()]))
        }
        ItemVerb::Split { successors } => {
            if own {
                return Some(What::Replaced(
                    successors.iter().map(|new| new.code.clone()).collect(),
                ));
            }
            let new = successors.iter().find(|new| new.code == *code)?;
            let Successor { planned_cancel, level, elements, .. } = new;
            let (planned_cancel, elements) = (*planned_cancel, Some(elements.clone()));
            Some(What::Version { number: 1, planned_cancel, level: *level, elements })
        }
        _ if !own => None,
        ItemVerb::Publish { version, planned_cancel }
        | ItemVerb::Amend { version, planned_cancel } => {
            let (number, planned_cancel) = (*version, *planned_cancel);
            Some(What::Version { number, planned_cancel, level: act.level, elements: None })
        }
        ItemVerb::Enter(new) | ItemVerb::Revise(new) | ItemVerb::Merge { edition: new, .. } => {
            Some(edition(new))
        }
        ItemVerb::Suspend => Some(What::Suspended),
        ItemVerb::Resume => Some(What::Resumed),
        ItemVerb::Cancel => Some(What::Cancelled),
        ItemVerb::Entrust { .. } => Some(What::Noted),
    }
}

/// Where an item stood at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) stood: Stood,
    version: Option<Act>,
}

/// The same in one word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stood {
    /// Nothing of it had effect yet.
    NotYet,
    InForce,
    Suspended,
    /// The version in force was to end at this time, and nothing replaced it.
    Planned(Timestamp),
    Cancelled,
    Replaced(Vec<ItemCode>),
}

impl Standing {
    pub(crate) const fn is_in_force(&self) -> bool {
        matches!(self.stood, Stood::InForce)
    }

    /// The version, if there was one.
    pub(crate) const fn version(&self) -> Option<&Act> {
        self.version.as_ref()
    }

    pub(crate) const fn name(&self) -> &'static str {
        match self.stood {
            Stood::NotYet => "not_yet",
            Stood::InForce => "in_force",
            Stood::Suspended => "suspended",
            Stood::Planned(_) => "ended_as_planned",
            Stood::Cancelled => "cancelled",
            Stood::Replaced(_) => "replaced",
        }
    }
}

/// Where an item stood at a time: of the acts that had effect by then, the one that was recorded last has the word.
pub(crate) fn at(acts: &[Act], time: Timestamp) -> Standing {
    let effective = || acts.iter().rev().filter(|act| act.from <= time);
    let version = effective().find(|act| act.version().is_some()).cloned();
    let Some(Act { what: What::Version { planned_cancel, .. }, .. }) = &version else {
        return Standing { stood: Stood::NotYet, version };
    };
    // An end is final, whenever it was recorded: nothing can be recorded after it.
    let stood = effective().find_map(|act| match &act.what {
        What::Suspended => Some(Stood::Suspended),
        What::Resumed => Some(Stood::InForce),
        What::Cancelled => Some(Stood::Cancelled),
        What::Replaced(others) => Some(Stood::Replaced(others.clone())),
        What::Version { .. } | What::Noted => None,
    });
    let stood = match (stood.unwrap_or(Stood::InForce), planned_cancel) {
        (Stood::InForce | Stood::Suspended, Some(end)) if *end <= time => Stood::Planned(*end),
        (stood, _) => stood,
    };
    Standing { stood, version }
}

/// How an item stood from a time until before another: at its beginning, and at every change in between.
pub(crate) fn over(acts: &[Act], from: Timestamp, until: Timestamp) -> Vec<(Timestamp, Standing)> {
    let ends = acts.iter().filter_map(|act| {
        let What::Version { planned_cancel, .. } = &act.what else { return None };
        *planned_cancel
    });
    let times = acts.iter().map(|act| act.from).chain(ends);
    let mut times: BTreeSet<Timestamp> =
        times.filter(|time| *time > from && *time < until).collect();
    times.insert(from);
    let mut stood: Vec<(Timestamp, Standing)> = Vec::new();
    for time in times {
        let now = at(acts, time);
        if stood.last().is_none_or(|(_, last)| *last != now) {
            stood.push((time, now));
        }
    }
    stood
}

/// An entry that is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) code: ItemCode,
    pub(crate) level: Level,
    pub(crate) version: u32,
    pub(crate) record: RecordId,
    /// None of an entry made before elements were committed to.
    pub(crate) elements: Option<Vec<Element>>,
}

/// Where the entries of one basic code differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Drift {
    /// Those in force, from the top; the first is what the others are compared with.
    pub(crate) entries: Vec<Entry>,
    /// How many elements were compared.
    pub(crate) compared: usize,
    /// Those that are not the same everywhere.
    pub(crate) differing: Vec<Differing>,
}

/// An element that is not the same everywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Differing {
    pub(crate) name: FieldName,
    /// Entries in which it has another value than in the first.
    pub(crate) differ: Vec<ItemCode>,
    /// Entries in which it is missing.
    pub(crate) lack: Vec<ItemCode>,
}

/// Where the entries under a basic code differ at a time, in the elements named, or in all of them if none is.
pub(crate) fn drift(
    basic: &BasicCode,
    shown: &[Shown],
    names: &[FieldName],
    time: Timestamp,
) -> Drift {
    let codes: BTreeSet<ItemCode> = shown.iter().flat_map(|shown| entered(basic, shown)).collect();
    let entry = |code: ItemCode| {
        let standing = at(&acts(&code, shown), time);
        let act = standing.version().filter(|_| standing.is_in_force())?;
        let What::Version { number, level, elements, .. } = &act.what else { return None };
        let (level, version, elements) = (*level, *number, elements.clone());
        Some(Entry { code, level, version, record: act.record, elements })
    };
    let mut entries: Vec<Entry> = codes.into_iter().filter_map(entry).collect();
    entries.sort_by(|a, b| (a.level, &a.code).cmp(&(b.level, &b.code)));
    let leaves = |entry: &Entry| -> BTreeMap<FieldName, types::Hash> {
        let elements = entry.elements.iter().flatten();
        elements.map(|element| (element.name.clone(), element.leaf)).collect()
    };
    let all: Vec<_> = entries.iter().map(|entry| (entry, leaves(entry))).collect();
    let names: BTreeSet<FieldName> = if names.is_empty() {
        all.iter().flat_map(|(_, leaves)| leaves.keys().cloned()).collect()
    } else {
        names.iter().cloned().collect()
    };
    let compared = names.len();
    let differing = names.into_iter().filter_map(|name| {
        // The first entry that has it says what it should be.
        let wanted = all.iter().find_map(|(_, leaves)| leaves.get(&name).copied());
        let (mut differ, mut lack) = (Vec::new(), Vec::new());
        for (entry, leaves) in &all {
            match leaves.get(&name) {
                None => lack.push(entry.code.clone()),
                Some(leaf) if Some(*leaf) != wanted => differ.push(entry.code.clone()),
                Some(_) => {}
            }
        }
        let same = differ.is_empty() && lack.is_empty();
        (!same).then_some(Differing { name, differ, lack })
    });
    let differing = differing.collect();
    Drift { entries, compared, differing }
}

/// The items that a record enters under a basic code.
fn entered(basic: &BasicCode, shown: &Shown) -> Vec<ItemCode> {
    let Action::Item(act) = &shown.operation.action else { return Vec::new() };
    let mut codes = Vec::new();
    if act.basic == *basic {
        codes.push(act.code.clone());
    }
    if let ItemVerb::Split { successors } = &act.verb {
        let mine = successors.iter().filter(|new| new.basic == *basic);
        codes.extend(mine.map(|new| new.code.clone()));
    }
    codes
}

/// A level, for people.
pub(crate) const fn level(lang: Lang, level: Level) -> &'static str {
    match (level, lang) {
        (Level::National, Lang::En) => "national",
        (Level::National, Lang::Zh) => "国家级",
        (Level::Province, Lang::En) => "province",
        (Level::Province, Lang::Zh) => "省级",
        (Level::City, Lang::En) => "city",
        (Level::City, Lang::Zh) => "市级",
        (Level::County, Lang::En) => "county",
        (Level::County, Lang::Zh) => "县级",
        (Level::Town, Lang::En) => "town",
        (Level::Town, Lang::Zh) => "乡级",
        (Level::Village, Lang::En) => "village",
        (Level::Village, Lang::Zh) => "村级",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::Hash;

    fn act(n: u8, from: u64, what: What) -> Act {
        let agency = AgencyCode::new("91350100M000100Y43").unwrap();
        Act {
            record: RecordId(Hash([n; 32])),
            height: Height(n.into()),
            agency,
            from: Timestamp(from),
            what,
        }
    }

    fn version(number: u32, end: Option<u64>) -> What {
        let planned_cancel = end.map(Timestamp);
        What::Version { number, planned_cancel, level: Level::Province, elements: None }
    }

    /// `VERSION WORD` at each of these times.
    fn told(acts: &[Act], times: &[u64]) -> String {
        let one = |time: &u64| {
            let standing = at(acts, Timestamp(*time));
            let version = standing.version().and_then(Act::version).unwrap_or(0);
            format!("{version} {}", standing.name())
        };
        times.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn the_act_recorded_last_has_the_word_from_when_it_has_effect() {
        for (acts, times, want) in [
            (vec![version(1, None)], &[9, 10, 99][..], "0 not_yet, 1 in_force, 1 in_force"),
            (
                vec![version(1, Some(50))],
                &[10, 49, 50],
                "1 in_force, 1 in_force, 1 ended_as_planned",
            ),
        ] {
            let acts: Vec<Act> = (1..).zip(acts).map(|(n, what)| act(n, 10, what)).collect();
            assert_eq!(told(&acts, times), want);
        }
        // The next version is recorded long before it takes effect; a suspension in between holds across it.
        let acts = [
            act(1, 10, version(1, Some(50))),
            act(2, 40, version(2, None)),
            act(3, 20, What::Suspended),
            act(4, 30, What::Resumed),
        ];
        assert_eq!(
            told(&acts, &[15, 20, 29, 30, 40, 60]),
            "1 in_force, 1 suspended, 1 suspended, 1 in_force, 2 in_force, 2 in_force"
        );
        assert_eq!(told(&acts[..3], &[45]), "2 suspended");
        // What is recorded later overrides what was planned earlier.
        let acts = [
            act(1, 10, version(1, None)),
            act(2, 40, version(2, None)),
            act(3, 35, version(3, None)),
        ];
        assert_eq!(told(&acts, &[34, 35, 45]), "1 in_force, 3 in_force, 3 in_force");
        let acts = [act(1, 10, version(1, None)), act(2, 20, What::Cancelled)];
        assert_eq!(told(&acts, &[19, 20]), "1 in_force, 1 cancelled");
        let acts = [
            act(1, 10, version(1, None)),
            act(2, 20, What::Replaced(Vec::new())),
            act(3, 15, What::Noted),
        ];
        assert_eq!(told(&acts, &[19, 20]), "1 in_force, 1 replaced");
    }

    #[test]
    fn a_day_is_told_with_its_changes() {
        let acts = [
            act(1, 10, version(1, Some(80))),
            act(2, 30, What::Suspended),
            act(3, 60, What::Resumed),
        ];
        let told = |from, until| -> Vec<(u64, &str)> {
            let stood = over(&acts, Timestamp(from), Timestamp(until));
            stood.iter().map(|(time, standing)| (time.0, standing.name())).collect()
        };
        assert_eq!(told(0, 10), [(0, "not_yet")]);
        assert_eq!(told(0, 40), [(0, "not_yet"), (10, "in_force"), (30, "suspended")]);
        assert_eq!(told(60, 80), [(60, "in_force")]);
        assert_eq!(told(70, 90), [(70, "in_force"), (80, "ended_as_planned")]);
        assert_eq!(told(31, 59), [(31, "suspended")]);
    }
}
