//! A graph on paper: a tree for a terminal, JSON for programs, DOT and Mermaid for those who draw.

use super::documents::{Detail, Documents, Licence};
use crate::{
    layout::count,
    speech::{self, Lang, say},
};
use client::graph::{Event, Graph, Node, Tie, Way};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};
use types::{operation::Lot, subject::Part};

/// Lines of one tree; past that a person needs a program.
const LINES_MAX: usize = 5000;

/// A graph, and what is said with it.
pub(crate) struct View<'g> {
    pub(crate) lang: Lang,
    pub(crate) graph: &'g Graph,
    pub(crate) documents: &'g Documents,
    pub(crate) recall: bool,
}

impl View<'_> {
    /// The tree, one for each way.
    pub(crate) fn tree(&self) -> String {
        let (lang, graph) = (self.lang, self.graph);
        let mut out = String::new();
        for (way, en, zh) in [(Way::Up, "UPSTREAM", "上游"), (Way::Down, "DOWNSTREAM", "下游")]
        {
            if graph.nodes().get(graph.lot()).is_none_or(|node| node.steps(way).is_none()) {
                continue;
            }
            let head = match lang {
                Lang::En => en,
                Lang::Zh => zh,
            };
            let head = if self.recall && way == Way::Down {
                say!(lang, "RECALL (everything downstream)", "召回范围（全部下游）")
            } else {
                head.to_owned()
            };
            line(&mut out, &head);
            let mut tree =
                Tree { view: self, way, drawn: BTreeSet::new(), lines: 0, out: &mut out };
            tree.root();
            if way == Way::Up {
                let origins = graph.origins();
                let size = origins.len();
                line(&mut out, &say!(lang, "origins: {size}", "源头：{size} 个"));
                for origin in origins {
                    line(&mut out, &format!("  {}", speech::clean(origin)));
                }
            }
        }
        if self.recall {
            self.holders(&mut out);
        }
        let (lots, events, height) = (graph.nodes().len(), graph.events().len(), graph.as_of());
        let (lots, events, height) = (number(lots), number(events), count(height.0));
        out.push_str(&say!(
            lang,
            "{lots} lots, {events} events, as of block {height}",
            "批次 {lots} 个，事件 {events} 个，截至区块 {height}"
        ));
        out
    }

    fn holders(&self, out: &mut String) {
        let lang = self.lang;
        let holders = self.graph.holders(Way::Down);
        let size = holders.len();
        line(out, &say!(lang, "HOLDERS: {size}", "持有方：{size} 家"));
        for (agency, held) in holders {
            let name = held.first().map(|(_, event)| event.agency_name.clone()).unwrap_or_default();
            let (name, lots) = (speech::clean(&name), number(held.len()));
            line(
                out,
                &say!(
                    lang,
                    "  {name} ({agency}): {lots} lots",
                    "  {name}({agency})：{lots} 个批次"
                ),
            );
            for (lot, event) in held {
                let (lot, last) = (speech::clean(lot), self.event(event));
                line(out, &format!("    {lot}  {last}"));
            }
        }
    }

    /// An event in one line: step, when, who, where.
    fn event(&self, event: &Event) -> String {
        let step = event.event.step.as_deref().map_or_else(
            || format!("{:?}", event.event.event),
            |step| step.rsplit(['/', ':']).next().unwrap_or(step).to_owned(),
        );
        let mut out = format!(
            "{} {} {}",
            speech::clean(&step),
            event.event.time.in_china(),
            speech::clean(&event.agency_name)
        );
        if let Some(place) = self.detail(event).and_then(|detail| detail.place.as_ref()) {
            write!(out, " @ {}", speech::clean(place)).expect("a String takes what it is given");
        }
        if event.withdrawn {
            out.push_str(match self.lang {
                Lang::En => " [declared erroneous]",
                Lang::Zh => " [已声明有误]",
            });
        }
        out
    }

    fn detail(&self, event: &Event) -> Option<&Detail> {
        self.documents.detail(&event.content)
    }

    /// The graph for programs.
    pub(crate) fn json(&self) -> String {
        let graph = self.graph;
        let lots = graph.nodes().iter().map(|(lot, node)| {
            let latest = graph.latest(lot);
            json!({
                "lot": lot,
                "steps_up": node.up,
                "steps_down": node.down,
                "origin": node.up.is_some() && graph.beside(lot, Way::Up).is_empty(),
                "history": node.history.iter().flatten().map(|(position, part)| json!({"position": position, "part": part})).collect::<Vec<_>>(),
                "holder": latest.map(|event| &event.agency),
                "holder_name": latest.map(|event| &event.agency_name),
            })
        });
        let events = graph.events().values().map(|event| {
            let detail = self.detail(event);
            let licences: BTreeMap<&String, Option<Value>> = detail
                .iter()
                .flat_map(|detail| &detail.licences)
                .map(|id| {
                    let found = self.documents.licence(id);
                    (id, found.map(|one| json!({"licence": one, "covers": one.covers(event.event.time)})))
                })
                .collect();
            json!({
                "position": event.position,
                "record": event.record,
                "height": event.height,
                "agency": event.agency,
                "agency_name": event.agency_name,
                "event": event.event,
                "cbv_profile": event.event.cbv_hash.map(|_| records::cbv::PROFILE),
                "withdrawn": event.withdrawn,
                "document": detail.map(|detail| json!({"place": detail.place, "quantities": detail.quantities})),
                "licences": licences,
            })
        });
        let value = json!({
            "lot": graph.lot(),
            "as_of": graph.as_of(),
            "complete": graph.cuts().is_empty(),
            "cut": graph.cuts(),
            "upstream": graph.reached(Way::Up),
            "origins": graph.origins(),
            "downstream": graph.reached(Way::Down),
            "holders": self.recall.then(|| graph.holders(Way::Down).into_iter().map(|(agency, held)| json!({
                "agency": agency,
                "agency_name": held.first().map(|(_, event)| event.agency_name.clone()),
                "lots": held.iter().map(|(lot, _)| lot).collect::<Vec<_>>(),
            })).collect::<Vec<_>>()),
            "lots": lots.collect::<Vec<_>>(),
            "edges": graph.edges(),
            "events": events.collect::<Vec<_>>(),
        });
        value.to_string()
    }

    /// The graph for Graphviz.
    pub(crate) fn dot(&self) -> String {
        let quote = |text: &str| {
            format!("\"{}\"", speech::clean(text).replace('\\', "\\\\").replace('"', "\\\""))
        };
        let mut out =
            "digraph trace {\n  rankdir=LR;\n  node [shape=box, fontsize=10];\n".to_owned();
        for (lot, node) in self.graph.nodes() {
            let style = self.style(lot, node);
            line(&mut out, &format!("  {} [label={}{style}];", quote(lot), quote(lot)));
        }
        for edge in self.graph.edges() {
            let label = self.label(&edge.from, &edge.to, edge.tie);
            let style = if edge.tie == Tie::Held { ", style=dashed" } else { "" };
            line(
                &mut out,
                &format!(
                    "  {} -> {} [label={}{style}];",
                    quote(&edge.from),
                    quote(&edge.to),
                    quote(&label)
                ),
            );
        }
        out.push('}');
        out
    }

    fn style(&self, lot: &Lot, node: &Node) -> &'static str {
        if lot == self.graph.lot() {
            ", style=bold"
        } else if node.up.is_some() && self.graph.beside(lot, Way::Up).is_empty() {
            ", shape=ellipse"
        } else {
            ""
        }
    }

    /// The graph for Mermaid.
    pub(crate) fn mermaid(&self) -> String {
        // Entity codes are the one way to say a quotation mark, and a number sign, there.
        let quote = |text: &str| {
            let text = speech::clean(text).replace('#', "#35;").replace('"', "#quot;");
            format!("\"{}\"", text.replace('<', "#lt;").replace('>', "#gt;"))
        };
        let mut out = "flowchart LR\n".to_owned();
        let numbers: BTreeMap<&Lot, usize> =
            self.graph.nodes().keys().enumerate().map(|(n, lot)| (lot, n)).collect();
        for (lot, n) in &numbers {
            line(&mut out, &format!("  n{n}[{}]", quote(lot)));
        }
        for edge in self.graph.edges() {
            let (Some(from), Some(to)) = (numbers.get(&edge.from), numbers.get(&edge.to)) else {
                continue;
            };
            let label = quote(&self.label(&edge.from, &edge.to, edge.tie));
            let arrow = if edge.tie == Tie::Held { "-.->" } else { "-->" };
            line(&mut out, &format!("  n{from} {arrow}|{label}| n{to}"));
        }
        out.trim_end().to_owned()
    }

    fn label(&self, from: &Lot, to: &Lot, tie: Tie) -> String {
        self.graph
            .sayings(from, to, tie)
            .first()
            .map(|event| {
                let step = event.event.step.as_deref().unwrap_or_default();
                let step = step.rsplit(['/', ':']).next().unwrap_or_default().to_owned();
                format!("{step} {}", event.event.time.in_china())
            })
            .unwrap_or_default()
    }
}

/// A tree being drawn.
struct Tree<'v, 'g> {
    view: &'v View<'g>,
    way: Way,
    /// The lots whose own branches are drawn already.
    drawn: BTreeSet<Lot>,
    lines: usize,
    out: &'v mut String,
}

impl Tree<'_, '_> {
    fn root(&mut self) {
        let lot = self.view.graph.lot().clone();
        let text = speech::clean(&lot);
        line(self.out, &text);
        self.below(&lot, "", &mut vec![lot.clone()]);
    }

    /// Everything under a lot: its own events, then the lots next to it.
    fn below(&mut self, lot: &Lot, indent: &str, path: &mut Vec<Lot>) {
        self.drawn.insert(lot.clone());
        let graph = self.view.graph;
        let next: Vec<(Lot, Tie)> = graph
            .beside(lot, self.way)
            .into_iter()
            .filter(|(lot, _)| graph.nodes().get(lot).is_some_and(|n| n.steps(self.way).is_some()))
            .collect();
        self.own_events(lot, indent, !next.is_empty());
        for (index, (other, tie)) in next.iter().enumerate() {
            if self.lines >= LINES_MAX {
                line(self.out, &format!("{indent}└─ …"));
                return;
            }
            let last = index + 1 == next.len();
            let (branch, deeper) = if last { ("└─", "   ") } else { ("├─", "│  ") };
            let (from, to) = match self.way {
                Way::Up => (other, lot),
                Way::Down => (lot, other),
            };
            let sayings = graph.sayings(from, to, *tie);
            let by = sayings.first().map(|event| self.view.event(event)).unwrap_or_default();
            let more = match sayings.len() {
                0 | 1 => String::new(),
                all => format!(" (+{})", all - 1),
            };
            let role = self.role(*tie);
            let mark = self.mark(other, path);
            let name = speech::clean(other);
            line(self.out, &format!("{indent}{branch} {name}{mark}"));
            line(self.out, &format!("{indent}{deeper}   {role}: {by}{more}"));
            self.lines += 2;
            if let Some(event) = sayings.first() {
                self.licences(event, &format!("{indent}{deeper}   "));
            }
            if !self.drawn.contains(other) {
                path.push(other.clone());
                self.below(other, &format!("{indent}{deeper}"), path);
                path.pop();
            }
        }
    }

    /// The part the other lot has in what joins the two.
    fn role(&self, tie: Tie) -> &'static str {
        let pick = |en, zh| match self.view.lang {
            Lang::En => en,
            Lang::Zh => zh,
        };
        match (tie, self.way) {
            (Tie::Made, Way::Up) => pick("input of", "投入"),
            (Tie::Made, Way::Down) => pick("output of", "产出"),
            (Tie::Held, Way::Up) => pick("packed into it by", "装入其中"),
            (Tie::Held, Way::Down) => pick("container since", "装入容器"),
        }
    }

    fn mark(&self, lot: &Lot, path: &[Lot]) -> &'static str {
        let pick = |en, zh| match self.view.lang {
            Lang::En => en,
            Lang::Zh => zh,
        };
        let graph = self.view.graph;
        if path.contains(lot) {
            pick("  ↺ (a circle: it is above on this branch)", "  ↺（循环：已在本支上方）")
        } else if self.drawn.contains(lot) {
            pick("  ⇡ (drawn above)", "  ⇡（上文已列）")
        } else if graph.nodes().get(lot).is_some_and(|node| node.history.is_none()) {
            pick("  … (not asked for)", "  …（未查询）")
        } else if self.way == Way::Up && graph.beside(lot, Way::Up).is_empty() {
            pick("  ● origin", "  ● 源头")
        } else {
            ""
        }
    }

    /// The licences that an event's document names, and how they stood.
    fn licences(&mut self, event: &Event, indent: &str) {
        let Some(detail) = self.view.detail(event) else { return };
        for id in &detail.licences {
            let found = self.view.documents.licence(id);
            let text = licence(self.view.lang, found, event);
            line(self.out, &format!("{indent}{} {text}", speech::clean(id)));
            self.lines += 1;
        }
    }

    /// What happened to a lot besides joining others, with its licences.
    fn own_events(&mut self, lot: &Lot, indent: &str, more: bool) {
        let graph = self.view.graph;
        let bar = if more { "│" } else { " " };
        let history = graph.nodes().get(lot).and_then(|node| node.history.as_ref());
        for (position, part) in history.into_iter().flatten() {
            let Some(event) = graph.events().get(position) else { continue };
            if joins(event, *part) {
                continue;
            }
            let amount = self
                .view
                .detail(event)
                .and_then(|detail| detail.quantities.get(lot.as_str()))
                .map(|amount| format!(" · {}", speech::clean(amount)))
                .unwrap_or_default();
            line(self.out, &format!("{indent}{bar}  · {}{amount}", self.view.event(event)));
            self.lines += 1;
            self.licences(event, &format!("{indent}{bar}      "));
        }
    }
}

/// Whether an event joins a lot that has this part in it to others.
fn joins(event: &Event, part: Part) -> bool {
    let other = match part {
        Part::Input => Part::Output,
        Part::Output => Part::Input,
        Part::Parent => Part::Child,
        Part::Child => Part::Parent,
        Part::Observed
        | Part::Subject
        | Part::Superseded
        | Part::Target
        | Part::Actor
        | Part::Recipient
        | Part::Basis => return false,
    };
    event.event.lots.iter().any(|(_, found)| *found == other)
}

/// How a licence stood when an event needed it.
fn licence(lang: Lang, found: Option<&Licence>, event: &Event) -> String {
    let Some(found) = found else { return String::new() };
    let Some(status) = found.status else {
        return say!(lang, "✘ not on the ledger", "✘ 链上无此证照");
    };
    let word = speech::status(lang, types::subject::Kind::Licence, status);
    if found.covers(event.event.time) {
        say!(lang, "✔ valid at the time (now {word})", "✔ 事发时有效（现状：{word}）")
    } else {
        say!(
            lang,
            "✘ not shown to be valid at the time (now {word})",
            "✘ 事发时未见有效（现状：{word}）"
        )
    }
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

fn number(size: usize) -> String {
    count(size.try_into().unwrap_or(u64::MAX))
}
