//! One operation of every kind on the catalogue of service items, as they can be done one after the other on a fresh [`Chain`].

use crate::chain::{Chain, govern, operation};
use types::{
    Level, Operation, RecordId, Region,
    authority::{Change, Governance, Target},
    fields::FieldName,
    item::{Edition, Element, ListAction, ListVerb, Predecessor, Successor, elements_root},
    operation::{Action, BasicCode, ItemAction, ItemCode, ItemVerb},
};

/// The basic code of all of them.
#[must_use]
pub fn basic() -> BasicCode {
    BasicCode::new("350117002011").expect("a code")
}

fn code(number: u32) -> ItemCode {
    ItemCode::new(format!("1135000000359125642350{number:09}")).expect("a code")
}

fn region() -> Region {
    Region::new("350000").expect("a region")
}

fn elements(days: &str) -> Vec<Element> {
    let element = |(name, value): (&str, &str)| {
        let name = FieldName::new(name).expect("a name");
        Element::new(name, format!("\"{value}\"").as_bytes())
    };
    let mut all: Vec<Element> = [("事项名称", "示例"), ("承诺办结时限", days)].map(element).into();
    all.sort();
    all
}

fn item(number: u32, verb: ItemVerb) -> Operation {
    let act = ItemAction {
        code: code(number),
        basic: basic(),
        level: Level::Province,
        region: region(),
        verb,
    };
    let lists: Vec<Vec<Element>> = match &act.verb {
        ItemVerb::Enter(edition) | ItemVerb::Revise(edition) | ItemVerb::Merge { edition, .. } => {
            vec![edition.elements.clone()]
        }
        ItemVerb::Split { successors } => {
            successors.iter().map(|new| new.elements.clone()).collect()
        }
        ItemVerb::Publish { .. }
        | ItemVerb::Amend { .. }
        | ItemVerb::Suspend
        | ItemVerb::Resume
        | ItemVerb::Cancel
        | ItemVerb::Entrust { .. } => Vec::new(),
    };
    let mut operation = operation(Action::Item(act), &format!("item {number}"));
    if !lists.is_empty() {
        operation.commitment.fields = Some(elements_root(lists.iter().map(Vec::as_slice)));
    }
    operation
}

fn edition(version: u32, days: &str) -> Edition {
    let planned_cancel = Some("2031-12-31T16:00:00Z".parse().expect("a time"));
    Edition { version, planned_cancel, elements: elements(days) }
}

/// Entered, revised, merged, entrusted, split, and named in a list that is drawn up, amended and given up.
#[must_use]
pub fn operations(chain: &Chain) -> Vec<Operation> {
    let old = |number| Predecessor { code: code(number), basic: basic() };
    let new = |number| Successor {
        code: code(number),
        basic: basic(),
        level: Level::Province,
        region: region(),
        planned_cancel: None,
        elements: elements("10"),
    };
    let list = |verb| {
        let name = "高频事项清单".parse().expect("a name");
        operation(Action::List(ListAction { name, region: region(), verb }), "list")
    };
    let (to, tasks) = (chain.genesis().agencies[2].code, vec!["accept".parse().expect("a word")]);
    vec![
        item(1, ItemVerb::Enter(edition(1, "15"))),
        item(2, ItemVerb::Enter(edition(1, "20"))),
        item(1, ItemVerb::Revise(edition(2, "10"))),
        item(3, ItemVerb::Merge { edition: edition(1, "10"), predecessors: vec![old(1), old(2)] }),
        item(3, ItemVerb::Entrust { to, tasks, until: None }),
        item(3, ItemVerb::Split { successors: vec![new(4), new(5)] }),
        list(ListVerb::Publish { members: vec![code(4)] }),
        list(ListVerb::Amend { version: 2, members: vec![code(4), code(5)] }),
        list(ListVerb::Cancel),
    ]
}

/// The proposal of uniform elements, and the approval of it.
#[must_use]
pub fn uniform(proposal: RecordId) -> [Operation; 2] {
    let names = ["事项名称", "承诺办结时限"].map(|name| FieldName::new(name).expect("a name"));
    let change = Change::Elements(names.into());
    [
        govern(Governance::Propose(Box::new(change))),
        govern(Governance::Approve { proposal, target: Target::Elements }),
    ]
}
