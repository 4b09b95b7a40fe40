//! The elements of a service item: every member of its document, committed to by itself.

use crate::{
    canonical::canonical,
    fault::{Faults, Problem},
    privacy,
    read::{self, Members},
};
use types::{
    Hash,
    item::{ELEMENTS_MAX, Element, elements_root},
    operation::{Action, ItemVerb},
};

/// The elements of an item's document, by name. An item is public: its elements need no salt, and name nobody.
pub(crate) fn elements(item: &Members<'_, '_>, faults: &mut Faults) -> Option<Vec<Element>> {
    let before = faults.len();
    let map = item.map();
    if map.len() > ELEMENTS_MAX {
        let problem = Problem::too_many("elements of one item", "一个事项的要素数量", ELEMENTS_MAX);
        faults.add(item.place(), problem);
        return None;
    }
    let mut elements = Vec::with_capacity(map.len());
    for (name, value) in map {
        let place = item.at(name);
        let value = canonical(value);
        if let Some(problem) = privacy::problem(&value) {
            faults.add(&place, problem);
        }
        if let Some(name) = read::carried(name, &place, faults) {
            elements.push(Element::new(name, value.as_bytes()));
        }
    }
    elements.sort();
    (faults.len() == before).then_some(elements)
}

/// The root over the fields that an operation brings one by one, if it does.
pub(crate) fn fields(action: &Action) -> Option<Hash> {
    let Action::Item(act) = action else { return None };
    match &act.verb {
        ItemVerb::Enter(edition) | ItemVerb::Revise(edition) | ItemVerb::Merge { edition, .. } => {
            Some(elements_root([edition.elements.as_slice()]))
        }
        ItemVerb::Split { successors } => {
            Some(elements_root(successors.iter().map(|new| new.elements.as_slice())))
        }
        ItemVerb::Publish { .. }
        | ItemVerb::Amend { .. }
        | ItemVerb::Suspend
        | ItemVerb::Resume
        | ItemVerb::Cancel
        | ItemVerb::Entrust { .. } => None,
    }
}
