//! A lot's graph: what it was made of and what was made of it, as far as the records of one ledger say, as of one block.
//!
//! Nothing here asks anyone: [`Graph::wanted`] says which histories are missing, [`Graph::learn`] takes one, and whoever has
//! a node or a ledger goes on until nothing is wanted. Records after the block are passed over, so that the graph is of one
//! moment however long the asking takes.
//!
//! Two ties join lots: an event *made* its outputs of its inputs, and an event put children *into* a parent. A tie holds from
//! the event on, and a container keeps what was once in it: the graph errs on the side of more.

use crate::api::HistoryRow;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use types::{
    AgencyCode, Digest, Height, RecordId, Timestamp,
    operation::{Action, EventType, Lot, TraceEvent},
    subject::Part,
};

/// A way along the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// To what a lot was made of.
    Up,
    /// To what was made of a lot.
    Down,
}

/// How two lots are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tie {
    /// The upper is an input of an event whose output is the lower.
    Made,
    /// The upper was put into the lower.
    Held,
}

/// What stops a graph from growing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most lots.
    pub lots: usize,
    /// The most steps from the lot it is of.
    pub depth: usize,
    /// The most events.
    pub events: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { lots: 2000, depth: 64, events: 20_000 }
    }
}

/// Why a graph ends before the ledger does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Cut {
    /// More lots than asked for.
    Lots,
    /// More steps than asked for.
    Depth,
    /// More events than asked for.
    Events,
}

/// What is done with events that their own agency declared erroneous.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withdrawn {
    /// They join nothing.
    Ignored,
    /// They join lots as if nobody had: for a recall, where a wrong word must not hide goods.
    Followed,
}

/// An event, as its record has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its record.
    pub record: RecordId,
    /// The record's position in the log.
    pub position: u64,
    /// The block that brought it.
    pub height: Height,
    /// Whose record it is.
    pub agency: AgencyCode,
    /// That agency's name, as the node says.
    pub agency_name: String,
    /// The digest of the record's content: whoever has the document can be asked for more.
    pub content: Digest,
    /// What happened.
    pub event: TraceEvent,
    /// Whether the same agency declared it erroneous later.
    pub withdrawn: bool,
}

/// A lot of the graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Steps up to it; none when it lies the other way.
    pub up: Option<usize>,
    /// Steps down to it.
    pub down: Option<usize>,
    /// Its part in every event of its history, oldest first: position and part. None until it was asked for.
    pub history: Option<Vec<(u64, Part)>>,
}

/// A tie of two lots and the events that say so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Edge {
    /// The lot nearer to the origin.
    pub from: Lot,
    /// The lot farther from it.
    pub to: Lot,
    /// How they are joined.
    pub tie: Tie,
    /// The positions of the events, in order.
    pub events: Vec<u64>,
}

/// A lot's graph.
#[derive(Clone, Debug)]
pub struct Graph {
    lot: Lot,
    as_of: Height,
    ways: BTreeSet<Way>,
    limits: Limits,
    withdrawn: Withdrawn,
    nodes: BTreeMap<Lot, Node>,
    events: BTreeMap<u64, Event>,
    ties: BTreeMap<(Lot, Lot, Tie), BTreeSet<u64>>,
    reverse: BTreeSet<(Lot, Lot, Tie)>,
    cuts: BTreeSet<Cut>,
}

impl Graph {
    /// The graph of a lot of which nothing is known yet.
    #[must_use]
    pub fn new(
        lot: Lot,
        ways: impl IntoIterator<Item = Way>,
        as_of: Height,
        limits: Limits,
        withdrawn: Withdrawn,
    ) -> Self {
        let ways: BTreeSet<Way> = ways.into_iter().collect();
        let start = Node {
            up: ways.contains(&Way::Up).then_some(0),
            down: ways.contains(&Way::Down).then_some(0),
            history: None,
        };
        Self {
            nodes: BTreeMap::from([(lot.clone(), start)]),
            lot,
            as_of,
            ways,
            limits,
            withdrawn,
            events: BTreeMap::new(),
            ties: BTreeMap::new(),
            reverse: BTreeSet::new(),
            cuts: BTreeSet::new(),
        }
    }

    /// The lots whose history is asked for next: one step of the way. Learn all of them before asking again.
    #[must_use]
    pub fn wanted(&self) -> Vec<Lot> {
        let unknown = self.nodes.iter().filter(|(_, node)| node.history.is_none());
        unknown.map(|(lot, _)| lot.clone()).collect()
    }

    /// How many more events of a lot's history may be learned.
    #[must_use]
    pub fn room(&self) -> usize {
        self.limits.events.saturating_sub(self.events.len())
    }

    /// Takes a lot's complete history, from the first record on.
    pub fn learn(&mut self, lot: &Lot, rows: Vec<HistoryRow>) {
        let mut history = Vec::new();
        for row in rows {
            let HistoryRow { part, record: view, .. } = row;
            if view.height > self.as_of {
                continue;
            }
            let Action::Trace(event) = view.operation.action else { continue };
            if self.events.len() >= self.limits.events && !self.events.contains_key(&view.position)
            {
                self.cuts.insert(Cut::Events);
                break;
            }
            history.push((view.position, part));
            self.events.entry(view.position).or_insert(Event {
                record: view.record,
                position: view.position,
                height: view.height,
                agency: view.agency,
                agency_name: view.agency_name,
                content: view.operation.commitment.content,
                event,
                withdrawn: false,
            });
        }
        self.withdraw(&history);
        for (position, part) in &history {
            self.tie(lot, *position, *part);
        }
        if let Some(node) = self.nodes.get_mut(lot) {
            node.history = Some(history);
        }
        self.reach(lot);
    }

    /// Takes the beginning of a lot's history, of which there is more: nobody takes the graph for the whole.
    pub fn learn_beginning(&mut self, lot: &Lot, rows: Vec<HistoryRow>) {
        self.cuts.insert(Cut::Events);
        self.learn(lot, rows);
    }

    /// Marks the events that a later record of the same agency declares erroneous. Such a record repeats the event's lots, so
    /// both are in the history of each.
    fn withdraw(&mut self, history: &[(u64, Part)]) {
        let positions = || history.iter().map(|(position, _)| *position);
        let declared: BTreeSet<(AgencyCode, String)> = positions()
            .filter_map(|at| self.events.get(&at))
            .filter_map(|one| Some((one.agency, one.event.corrects.as_ref()?.to_string())))
            .collect();
        for at in positions() {
            let Some(event) = self.events.get_mut(&at) else { continue };
            if event.event.corrects.is_some() {
                continue;
            }
            let names = [
                event.event.id.as_ref().map(ToString::to_string),
                event.event.cbv_hash.as_ref().map(records::cbv::identifier),
            ];
            let named = |name| declared.contains(&(event.agency, name));
            if names.into_iter().flatten().any(named) {
                event.withdrawn = true;
            }
        }
    }

    /// Whether an event joins lots.
    fn joins(&self, event: &Event) -> bool {
        let withdrawn = event.withdrawn || event.event.corrects.is_some();
        !withdrawn || self.withdrawn == Withdrawn::Followed
    }

    /// The ties of a lot that one event says.
    fn tie(&mut self, lot: &Lot, position: u64, part: Part) {
        let Some(event) = self.events.get(&position).filter(|event| self.joins(event)) else {
            return;
        };
        let lots = &event.event.lots;
        let all = |wanted: Part| {
            lots.iter().filter(move |(other, part)| *part == wanted && other != lot).map(|(o, _)| o)
        };
        // What is tied to a document under a parent is under it, whatever the event calls it.
        let content =
            if event.event.event == EventType::Transaction { Part::Observed } else { Part::Child };
        let ties: Vec<(Lot, Lot, Tie)> = match part {
            Part::Output => {
                all(Part::Input).map(|from| (from.clone(), lot.clone(), Tie::Made)).collect()
            }
            Part::Input => {
                all(Part::Output).map(|to| (lot.clone(), to.clone(), Tie::Made)).collect()
            }
            Part::Parent => {
                all(content).map(|from| (from.clone(), lot.clone(), Tie::Held)).collect()
            }
            Part::Child | Part::Observed if part == content => {
                all(Part::Parent).map(|to| (lot.clone(), to.clone(), Tie::Held)).collect()
            }
            Part::Child
            | Part::Observed
            | Part::Subject
            | Part::Superseded
            | Part::Target
            | Part::Actor
            | Part::Recipient
            | Part::Basis => Vec::new(),
        };
        for (from, to, tie) in ties {
            self.reverse.insert((to.clone(), from.clone(), tie));
            self.ties.entry((from, to, tie)).or_default().insert(position);
        }
    }

    /// Goes on from a lot whose ties are known now.
    fn reach(&mut self, lot: &Lot) {
        let mut work: Vec<(Lot, Way)> = self.ways.iter().map(|way| (lot.clone(), *way)).collect();
        while let Some((lot, way)) = work.pop() {
            let Some(node) = self.nodes.get(&lot) else { continue };
            let Some(steps) = node.steps(way).filter(|_| node.history.is_some()) else { continue };
            for (next, _) in self.beside(&lot, way) {
                if self.nodes.get(&next).is_some_and(|node| node.steps(way).is_some()) {
                    continue;
                }
                if steps >= self.limits.depth {
                    self.cuts.insert(Cut::Depth);
                    continue;
                }
                if !self.nodes.contains_key(&next) && self.nodes.len() >= self.limits.lots {
                    self.cuts.insert(Cut::Lots);
                    continue;
                }
                let node = self.nodes.entry(next.clone()).or_default();
                match way {
                    Way::Up => node.up = Some(steps + 1),
                    Way::Down => node.down = Some(steps + 1),
                }
                // It may be known already, from the other way.
                work.push((next, way));
            }
        }
    }

    /// The lots next to one, each with its tie.
    #[must_use]
    pub fn beside(&self, lot: &Lot, way: Way) -> Vec<(Lot, Tie)> {
        let mine = |(one, _, _): &&(Lot, Lot, Tie)| one == lot;
        let start = lowest(lot);
        let found = |key: &(Lot, Lot, Tie)| (key.1.clone(), key.2);
        match way {
            Way::Down => {
                self.ties.range(start..).map(|(key, _)| key).take_while(mine).map(found).collect()
            }
            Way::Up => self.reverse.range(start..).take_while(mine).map(found).collect(),
        }
    }

    /// The lot it is of.
    #[must_use]
    pub const fn lot(&self) -> &Lot {
        &self.lot
    }

    /// The block as of which it speaks.
    #[must_use]
    pub const fn as_of(&self) -> Height {
        self.as_of
    }

    /// Its lots.
    #[must_use]
    pub const fn nodes(&self) -> &BTreeMap<Lot, Node> {
        &self.nodes
    }

    /// Its events, by position.
    #[must_use]
    pub const fn events(&self) -> &BTreeMap<u64, Event> {
        &self.events
    }

    /// Why it is not the whole; empty when it is.
    #[must_use]
    pub const fn cuts(&self) -> &BTreeSet<Cut> {
        &self.cuts
    }

    /// The events that say a tie.
    #[must_use]
    pub fn sayings(&self, from: &Lot, to: &Lot, tie: Tie) -> Vec<&Event> {
        let positions = self.ties.get(&(from.clone(), to.clone(), tie));
        positions.into_iter().flatten().filter_map(|at| self.events.get(at)).collect()
    }

    /// The ties between its lots along the ways that were gone.
    #[must_use]
    pub fn edges(&self) -> Vec<Edge> {
        let along = |from: &Lot, to: &Lot| {
            let (Some(from), Some(to)) = (self.nodes.get(from), self.nodes.get(to)) else {
                return false;
            };
            (from.up.is_some() && to.up.is_some()) || (from.down.is_some() && to.down.is_some())
        };
        let ties = self.ties.iter().filter(|((from, to, _), _)| along(from, to));
        ties.map(|((from, to, tie), events)| Edge {
            from: from.clone(),
            to: to.clone(),
            tie: *tie,
            events: events.iter().copied().collect(),
        })
        .collect()
    }

    /// The lots reached one way, nearest first, the first of them the lot itself.
    #[must_use]
    pub fn reached(&self, way: Way) -> Vec<&Lot> {
        let mut found: Vec<(usize, &Lot)> =
            self.nodes.iter().filter_map(|(lot, node)| Some((node.steps(way)?, lot))).collect();
        found.sort_unstable();
        found.into_iter().map(|(_, lot)| lot).collect()
    }

    /// The lots up from it that nothing is up from.
    #[must_use]
    pub fn origins(&self) -> Vec<&Lot> {
        let mut found = self.reached(Way::Up);
        found.retain(|lot| self.beside(lot, Way::Up).is_empty());
        found
    }

    /// Who has what was reached one way: for each lot the agency of its latest event.
    #[must_use]
    pub fn holders(&self, way: Way) -> BTreeMap<AgencyCode, Vec<(&Lot, &Event)>> {
        let mut found: BTreeMap<AgencyCode, Vec<(&Lot, &Event)>> = BTreeMap::new();
        for lot in self.reached(way) {
            let Some(event) = self.latest(lot) else { continue };
            found.entry(event.agency).or_default().push((lot, event));
        }
        found
    }

    /// The latest event of a lot by its own time; of several at one time, the one recorded last.
    #[must_use]
    pub fn latest(&self, lot: &Lot) -> Option<&Event> {
        let history = self.nodes.get(lot)?.history.as_ref()?;
        let events = history.iter().filter_map(|(at, _)| self.events.get(at));
        events.filter(|event| !event.withdrawn).max_by_key(|event| event.key())
    }

    /// The lots whose complete upstream has to be proven one by one so that together they are all of this graph's: the
    /// upstream that a proof shows goes from outputs to inputs, and what is in a container is a graph of its own.
    #[must_use]
    pub fn proofs(&self) -> Vec<Lot> {
        let (mut asked, mut covered) = (Vec::new(), BTreeSet::new());
        for lot in self.reached(Way::Up) {
            if covered.contains(lot) {
                continue;
            }
            asked.push(lot.clone());
            let mut work = vec![lot.clone()];
            while let Some(one) = work.pop() {
                if covered.insert(one.clone()) {
                    let made = self.beside(&one, Way::Up).into_iter();
                    work.extend(made.filter(|(_, tie)| *tie == Tie::Made).map(|(lot, _)| lot));
                }
            }
        }
        asked
    }
}

impl Node {
    /// Steps to it along a way.
    #[must_use]
    pub const fn steps(&self, way: Way) -> Option<usize> {
        match way {
            Way::Up => self.up,
            Way::Down => self.down,
        }
    }
}

impl Event {
    const fn key(&self) -> (Timestamp, u64) {
        (self.event.time, self.position)
    }
}

/// What stands before every tie of a lot: no identifier is shorter than one character.
fn lowest(lot: &Lot) -> (Lot, Lot, Tie) {
    let least = Lot::new("!").expect("one plain character is an identifier");
    (lot.clone(), least, Tie::Made)
}

#[cfg(test)]
mod tests;
