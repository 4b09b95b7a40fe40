//! Graphs of the samples, of GDST's chain, and of chains made to be difficult.

use super::*;
use crate::api::RecordView;
use records::{Capture, prepare};
use std::{fs, path::Path};
use types::{Operation, Subject, Text, TxId, operation::Grade};

/// What a ledger would say, as far as one can be asked for histories.
#[derive(Default)]
struct Book {
    rows: BTreeMap<String, Vec<HistoryRow>>,
    records: u64,
}

const AGENCIES: [&str; 3] = ["11350000MXDEX0015L", "11350000MXDEX0023F", "11350000MXDEX0031A"];

impl Book {
    /// Records an operation by the n-th agency, in a block of its own.
    fn record(&mut self, n: usize, operation: &Operation) {
        let agency: AgencyCode = AGENCIES[n].parse().unwrap();
        self.records += 1;
        let view = RecordView {
            record: operation.record(&agency),
            position: self.records - 1,
            height: Height(self.records),
            time: operation.effective_from,
            tx: TxId::default(),
            index: 0,
            agency,
            agency_name: format!("机构{n}"),
            operation: operation.clone(),
        };
        for (subject, part) in operation.subjects(&agency) {
            let rows = self.rows.entry(subject.to_string()).or_default();
            let sequence = rows.len().try_into().unwrap();
            rows.push(HistoryRow { sequence, part, record: view.clone() });
        }
    }

    /// Records a document, each agency one event in turn.
    fn document(mut self, document: &[u8]) -> Self {
        let capture = Capture {
            system: Text::new("test").unwrap(),
            version: Text::new("1").unwrap(),
            captured_at: "2026-11-23T00:00:00Z".parse().unwrap(),
            grade: Grade::Public,
        };
        for (n, one) in prepare(document, &capture).unwrap().into_iter().enumerate() {
            self.record(n % 3, &one.operation);
        }
        self
    }

    fn events(self, events: &[String]) -> Self {
        self.document(format!("[{}]", events.join(",")).as_bytes())
    }

    fn graph(&self, lot: &str, ways: &[Way]) -> Graph {
        self.graph_within(lot, ways, Limits::default(), Withdrawn::Ignored)
    }

    fn graph_within(&self, lot: &str, ways: &[Way], limits: Limits, withdrawn: Withdrawn) -> Graph {
        let ways = ways.iter().copied();
        let mut graph = Graph::new(name(lot), ways, Height(self.records), limits, withdrawn);
        self.fill(&mut graph);
        graph
    }

    fn fill(&self, graph: &mut Graph) {
        let mut steps = 0;
        loop {
            let wanted = graph.wanted();
            if wanted.is_empty() {
                break;
            }
            for lot in wanted {
                let rows = self.rows.get(&Subject::lot(&lot).to_string());
                graph.learn(&lot, rows.cloned().unwrap_or_default());
            }
            steps += 1;
            assert!(steps < 1000, "it goes on for ever");
        }
    }
}

fn name(lot: &str) -> Lot {
    lot.parse().unwrap()
}

fn lots<'l>(found: impl IntoIterator<Item = &'l Lot>) -> Vec<&'l str> {
    let mut found: Vec<&str> = found.into_iter().map(|lot| lot.as_str()).collect();
    found.sort_unstable();
    found
}

const CONTEXT: &str = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld";

/// A transformation at a minute: from some lots to others.
fn made(minute: u32, from: &[&str], to: &[&str]) -> String {
    let list = |lots: &[&str]| {
        let lots: Vec<String> =
            lots.iter().map(|lot| format!(r#"{{"epcClass":"urn:x:{lot}"}}"#)).collect();
        lots.join(",")
    };
    let (from, to) = (list(from), list(to));
    format!(
        r#"{{"@context":"{CONTEXT}","type":"TransformationEvent","eventID":"urn:x:event:{minute}",
        "eventTime":"2026-05-12T04:{minute:02}:00Z","eventTimeZoneOffset":"+08:00",
        "inputQuantityList":[{from}],"outputQuantityList":[{to}]}}"#
    )
}

#[test]
fn a_sample_leads_from_the_shop_to_the_sea_and_back() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../genesis/samples/catch-to-shop.jsonld");
    let book = Book::default().document(&fs::read(path).unwrap());
    let (sea, batch, pallet) = (
        "urn:epc:class:lgtin:9521001.010017.LJ20260512-01",
        "urn:epc:class:lgtin:9521002.020031.JG20260514-03",
        "urn:epc:id:sscc:9521002.0001000001",
    );
    let up = book.graph(pallet, &[Way::Up]);
    assert_eq!(lots(up.reached(Way::Up)), [sea, batch, pallet]);
    assert_eq!(lots(up.origins()), [sea]);
    assert!(up.cuts().is_empty());
    // What is in a container is proven for itself.
    assert_eq!(lots(&up.proofs()), [batch, pallet]);
    let down = book.graph(sea, &[Way::Down]);
    assert_eq!(lots(down.reached(Way::Down)), [sea, batch, pallet]);
    // Whoever recorded a lot last has it.
    let holders = down.holders(Way::Down);
    assert_eq!(holders.values().map(Vec::len).sum::<usize>(), 3);
    let last = down.latest(&name(pallet)).unwrap();
    assert!(holders[&last.agency].iter().any(|(lot, _)| lot.as_str() == pallet));
}

/// The chain of GDST's samples, to every origin: what the events themselves say, written down by hand.
#[test]
fn the_gdst_chain_leads_from_its_final_lot_to_every_origin() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data/epcis/gdst/gdst_data_withmasterdata.jsonld");
    let Ok(document) = fs::read(&path) else {
        println!("skipped: {} is not here", path.display());
        return;
    };
    let book = Book::default().document(&document);
    let class = |rest: &str| format!("urn:gdst:example.org:product:lot:class:{rest}");
    let pallet = "urn:epc:id:sscc:08600031303.0004".to_owned();
    let [hatchery, feed, farmed, caught, mixed, last] = [
        "hatchery.1u.tf12012021",
        "feedmill.1u.ff11252021",
        "fishfarm.1u.farmed-tuna-01192022",
        "fisherman01.tunau.v1-0122-2022",
        "processor.10u.commingle-01232022",
        "processor.2u.v1-0122-2022",
    ]
    .map(class);
    let sorted = |lots: &[&String]| {
        let mut lots: Vec<&str> = lots.iter().map(|lot| lot.as_str()).collect();
        lots.sort_unstable();
        lots.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let graph = book.graph(&last, &[Way::Up, Way::Down]);
    assert_eq!(
        lots(graph.reached(Way::Up)),
        sorted(&[&hatchery, &feed, &farmed, &caught, &mixed, &last])
    );
    assert_eq!(lots(graph.origins()), sorted(&[&hatchery, &feed, &caught]));
    assert_eq!(lots(graph.reached(Way::Down)), sorted(&[&last, &pallet]));
    // From the pallet it leads there too, and from every origin to the pallet.
    assert_eq!(
        lots(book.graph(&pallet, &[Way::Up]).origins()),
        sorted(&[&hatchery, &feed, &caught])
    );
    for origin in [&hatchery, &feed, &caught] {
        let down = book.graph(origin, &[Way::Down]);
        let down = lots(down.reached(Way::Down));
        assert!([&mixed, &last, &pallet].into_iter().all(|lot| down.contains(&lot.as_str())));
        assert!(
            ![&hatchery, &feed, &caught].iter().any(|o| *o != origin && down.contains(&o.as_str()))
        );
    }
    // One upstream proof shows all of the lot's, two all of the pallet's.
    assert_eq!(graph.proofs().len(), 1);
    assert_eq!(book.graph(&pallet, &[Way::Up]).proofs().len(), 2);
}

#[test]
fn circles_and_repeats_end() {
    let book = Book::default().events(&[
        made(1, &["a"], &["b"]),
        made(2, &["b", "s"], &["c"]),
        made(3, &["c"], &["a", "d"]),
        made(4, &["d", "d2"], &["d", "e"]),
    ]);
    let graph = book.graph("urn:x:e", &[Way::Up]);
    let all = ["urn:x:a", "urn:x:b", "urn:x:c", "urn:x:d", "urn:x:d2", "urn:x:e", "urn:x:s"];
    assert_eq!(lots(graph.reached(Way::Up)), all);
    assert_eq!(lots(graph.origins()), ["urn:x:d2", "urn:x:s"]);
    assert_eq!(graph.edges().len(), 8);
    let down = book.graph("urn:x:s", &[Way::Down]);
    assert_eq!(
        lots(down.reached(Way::Down)),
        ["urn:x:a", "urn:x:b", "urn:x:c", "urn:x:d", "urn:x:e", "urn:x:s"]
    );
    // Both ways from one lot do not run together: what was made beside it is neither above nor below.
    let both = book.graph("urn:x:d2", &[Way::Up, Way::Down]);
    assert_eq!(lots(both.reached(Way::Up)), ["urn:x:d2"]);
    assert_eq!(lots(both.reached(Way::Down)), ["urn:x:d", "urn:x:d2", "urn:x:e"]);
}

#[test]
fn a_graph_that_is_cut_says_so() {
    let chain: Vec<String> = (0..20u32)
        .map(|n| made(n, &[&format!("l{n}")], &[&format!("l{}", n + 1), &format!("side{n}")]))
        .collect();
    let book = Book::default().events(&chain);
    let whole = Limits::default();
    for (limits, reached, cut) in [
        (whole, 41, None),
        (Limits { depth: 20, ..whole }, 41, None),
        (Limits { depth: 19, ..whole }, 39, Some(Cut::Depth)),
        (Limits { lots: 41, ..whole }, 41, None),
        (Limits { lots: 40, ..whole }, 40, Some(Cut::Lots)),
        (Limits { events: 20, ..whole }, 41, None),
        (Limits { events: 19, ..whole }, 39, Some(Cut::Events)),
    ] {
        let graph = book.graph_within("urn:x:l0", &[Way::Down], limits, Withdrawn::Ignored);
        assert_eq!(graph.reached(Way::Down).len(), reached, "{limits:?}");
        assert_eq!(graph.cuts().iter().copied().collect::<Vec<_>>(), Vec::from_iter(cut));
    }
}

#[test]
fn a_history_of_which_there_is_more_makes_no_whole_graph() {
    let book = Book::default().events(&[made(1, &["a"], &["b"])]);
    let (limits, ways, lot) = (Limits::default(), [Way::Up], name("urn:x:b"));
    let mut graph = Graph::new(lot.clone(), ways, Height(1), limits, Withdrawn::Ignored);
    graph.learn_beginning(&lot, book.rows["lot:urn:x:b"].clone());
    book.fill(&mut graph);
    assert_eq!(lots(graph.reached(Way::Up)), ["urn:x:a", "urn:x:b"]);
    assert_eq!(graph.cuts().iter().copied().collect::<Vec<_>>(), [Cut::Events]);
}

#[test]
fn later_blocks_are_of_another_graph() {
    let book = Book::default().events(&[made(1, &["a"], &["b"]), made(2, &["b"], &["c"])]);
    for (height, reached) in [(0, 1), (1, 2), (2, 3)] {
        let (limits, ways) = (Limits::default(), [Way::Down]);
        let mut graph =
            Graph::new(name("urn:x:a"), ways, Height(height), limits, Withdrawn::Ignored);
        book.fill(&mut graph);
        assert_eq!(graph.reached(Way::Down).len(), reached, "{height}");
    }
}

#[test]
fn an_event_declared_erroneous_joins_nothing_but_in_a_recall() {
    let wrong = made(1, &["a"], &["b"]);
    let declared = wrong.replacen(
        '{',
        r#"{"errorDeclaration":{"declarationTime":"2026-05-13T00:00:00Z","reason":"did_not_occur"},"#,
        1,
    );
    let declaration = |agency: usize| {
        let mut book = Book::default().events(std::slice::from_ref(&wrong));
        let capture = |document: &str| {
            let other = Book::default().events(&[document.to_owned()]);
            other.rows["lot:urn:x:a"][0].record.operation.clone()
        };
        book.record(agency, &capture(&declared));
        book
    };
    let own = declaration(0);
    assert_eq!(own.graph("urn:x:b", &[Way::Up]).reached(Way::Up).len(), 1);
    assert!(own.graph("urn:x:b", &[Way::Up]).events()[&0].withdrawn);
    let followed =
        own.graph_within("urn:x:a", &[Way::Down], Limits::default(), Withdrawn::Followed);
    assert_eq!(lots(followed.reached(Way::Down)), ["urn:x:a", "urn:x:b"]);
    // Nobody takes back the word of somebody else.
    assert_eq!(declaration(1).graph("urn:x:b", &[Way::Up]).reached(Way::Up).len(), 2);
}
