//! One history, and the roots that every build must come to, whatever compiled it and however many threads run it.

use super::*;
use types::{
    authority::{Change, Governance},
    fields::FieldName,
    item::{Edition, Element, ListAction, ListVerb, Predecessor, elements_root},
    usage::{Basis, DataUse, Presented, Reuse, Terms, Usage, licence_data},
};

/// The last block of [`HISTORY`]: it names both roots, and all blocks before it.
const LAST: &str = "aa6c6bced7279003a9d996f58009f73769b464790b03126e1c5224945579d2c4";

const HISTORY: [&str; 20] = [
    "0: publish P 000101001000 350000 1",
    "1: publish C 000101001000 350100 1",
    "0: amend P 000101001000 350000 2",
    "1: hold C 000101001000 350100",
    "1: release C 000101001000 350100",
    "0: issue L1",
    "0: suspend L1",
    "0: resume L1",
    "0: renew L2 L1",
    "0: transfer-out L2",
    "2: transfer-in L3 L2",
    "2: annul L3",
    "0: issue L4",
    "0: revoke L4",
    "0: trace urn:b:1 urn:b:2",
    "1: trace urn:b:2 urn:b:3",
    "1: withdraw C 000101001000 350100",
    "0: trace urn:b:3",
    "0: batch urn:series 7",
    "0: seed permit-1 AB12 urn:lot",
];

/// What has no line: elements and a merger of items, a list, governance, and uses of a licence, data and documents.
fn more() -> Vec<(usize, Operation)> {
    let name = |text: &str| -> FieldName { text.parse().unwrap() };
    let elements = || vec![Element::new(name("a"), b"1"), Element::new(name("b"), b"2")];
    let edition = || Edition { version: 1, planned_cancel: None, elements: elements() };
    let code = |n: u32| -> types::operation::ItemCode { format!("{n:024}").parse().unwrap() };
    let basic = || "000101002000".parse().unwrap();
    let item = |n: u32, verb| {
        let (level, region) = (Level::Province, region("350000"));
        let act = ItemAction { code: code(n), basic: basic(), level, region, verb };
        let mut done = operation(Action::Item(act), n.into());
        done.commitment.fields = Some(elements_root([elements().as_slice()]));
        (0, done)
    };
    let predecessors = (1..=2).map(|n| Predecessor { code: code(n), basic: basic() }).collect();
    let list = |verb| {
        let act = ListAction { name: "名单".parse().unwrap(), region: region("350000"), verb };
        (0, operation(Action::List(act), 9))
    };
    let change =
        |change, n| (0, operation(Action::Govern(Governance::Propose(Box::new(change))), n));
    let licence: types::operation::LicenceId = "L5".parse().unwrap();
    let issue = (0, operation(action("issue L5"), 20));
    let terms = Terms {
        licence: licence.clone(),
        grantee: fixture::code(3),
        purpose: "审核".parse().unwrap(),
        reference: None,
        fields: vec![name("a"), name("b")],
        expires: Timestamp(1_800_000_000_000),
        uses_max: 3,
    };
    let (grant, purpose) = (terms.id(), terms.purpose.clone());
    let data = |basis| DataUse {
        data: licence_data(&licence),
        purpose: purpose.clone(),
        fields: Vec::new(),
        basis,
        made_at: Timestamp(1_700_000_000_000),
    };
    let made_at = Timestamp(1_700_000_000_000);
    let document = Digest::blake3(b"document");
    let used = |agency, act, n| (agency, operation(Action::Use(act), n));
    vec![
        change(Change::Elements(vec![name("a")]), 10),
        item(1, ItemVerb::Enter(edition())),
        item(2, ItemVerb::Enter(edition())),
        item(3, ItemVerb::Merge { edition: edition(), predecessors }),
        list(ListVerb::Publish { members: vec![code(3)] }),
        list(ListVerb::Amend { version: 2, members: vec![code(3)] }),
        issue,
        used(0, Usage::Grant(terms), 21),
        used(
            3,
            Usage::Use(Presented {
                grant,
                licence: licence.clone(),
                purpose: purpose.clone(),
                fields: Vec::new(),
                made_at: made_at.plus(60_000),
                copy_until: None,
            }),
            22,
        ),
        used(0, Usage::Transfer { data: data(Basis::Role(1)), to: fixture::code(2) }, 24),
        used(0, Usage::Register { document, title: "合同".parse().unwrap() }, 25),
        used(
            3,
            Usage::Reuse(Reuse { document, purpose: purpose.clone(), basis: None, made_at }),
            26,
        ),
        used(0, Usage::Destroy(data(Basis::Role(1))), 27),
        change(Change::Suspend(fixture::code(3)), 28),
        change(Change::Grant { agency: fixture::code(2), role: Role::Govern {}, until: None }, 29),
    ]
}

fn last() -> String {
    let mut chain = Chain::new();
    for line in HISTORY {
        assert_eq!(chain.does(line), "ok", "{line}");
    }
    for (agency, done) in more() {
        let told = format!("{done:?}");
        assert_eq!(chain.performs(agency, done, &told), "ok", "{told}");
    }
    assert_whole(&chain);
    query::header(&chain.state, chain.tip.height).unwrap().id().to_string()
}

#[test]
fn every_build_comes_to_the_same_roots_on_one_thread_and_on_eight() {
    assert_eq!(last(), LAST);
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..8).map(|_| scope.spawn(last)).collect();
        all.into_iter().for_each(|one| assert_eq!(one.join().unwrap(), LAST));
    });
}
