//! A transaction, judged: what it would do to the ledger, or the rule it breaks.

use crate::{
    execute::Kept,
    rejection::Rejection,
    rules::{Changes, Rules, View},
    state::{Column, State},
};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};
use types::{
    AgencyCode, Hash, Operation, PublicKey, RecordId, Subject, SubjectState, Verified,
    authority::Moment,
    operation::Action,
    subject::{Facts, Link, Part},
};

/// What pending operations have made of subjects, over what is committed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overlay {
    pub(crate) subjects: BTreeMap<Hash, SubjectState>,
    pub(crate) records: BTreeMap<RecordId, u64>,
}

struct Layered<'a, S> {
    state: &'a S,
    /// What genesis says, which the first block writes.
    first: &'a BTreeMap<Hash, SubjectState>,
    below: &'a Overlay,
    fresh: BTreeMap<Hash, SubjectState>,
    /// What was found below, where it is not yet sure to stay.
    leaned_on: RefCell<BTreeSet<Hash>>,
}

impl<S: State> Layered<'_, S> {
    /// Whether there is a subject under a key.
    fn has(&self, key: &Hash) -> bool {
        self.fresh.contains_key(key)
            || self.below.subjects.contains_key(key)
            || self.first.contains_key(key)
            || self.state.get(Column::Subjects, &key.0).is_some()
    }
}

impl<S: State> View for Layered<'_, S> {
    fn subject(&self, key: &Hash) -> Option<SubjectState> {
        if let Some(state) = self.fresh.get(key) {
            return Some(state.clone());
        }
        if let Some(state) = self.below.subjects.get(key) {
            self.leaned_on.borrow_mut().insert(*key);
            return Some(state.clone());
        }
        Kept::read(self.state, &key.0)
            .map(|kept| kept.state)
            .or_else(|| self.first.get(key).cloned())
    }

    fn has_key(&self, key: &PublicKey) -> bool {
        let fresh = self.fresh.values().chain(self.below.subjects.values());
        fresh
            .into_iter()
            .any(|state| matches!(&state.facts, Facts::Agency(facts) if facts.had(key)))
    }
}

/// What one transaction would do.
#[derive(Debug)]
pub(crate) struct Effects {
    pub(crate) subjects: BTreeMap<Hash, SubjectState>,
    /// For each operation its record, its position, and whether it is new.
    pub(crate) records: Vec<(RecordId, u64, bool)>,
    /// The subjects of records that are there already: were they not, these would change too. And those that a rule found as
    /// something pending leaves them: without that, it might say otherwise.
    pub(crate) spared: Vec<Hash>,
    /// The links they add: the key of the subject, how many it had before, the link.
    pub(crate) links: Vec<(Hash, u64, Link)>,
}

impl Overlay {
    pub(crate) fn absorb(&mut self, effects: Effects) {
        self.subjects.extend(effects.subjects);
        let new = effects.records.into_iter().filter(|(.., new)| *new);
        self.records.extend(new.map(|(record, at, _)| (record, at)));
    }
}

/// The agency that a transaction acts for, if it may in the block at `at`: all that is asked before its subjects are.
///
/// Whoever sends again what is there must not have it all judged, so it is looked for first; what is small is judged as soon
/// as looked for, and is not.
pub(crate) fn enter(
    rules: &Rules,
    state: &impl State,
    at: Moment,
    tx: &Verified,
) -> Result<AgencyCode, Rejection> {
    let agency = rules.authorise(&tx.get().header, at.height)?;
    if !is_small(tx) && is_committed(state, tx) {
        return Err(Rejection::Committed(tx.id()));
    }
    Ok(agency)
}

fn is_committed(state: &impl State, tx: &Verified) -> bool {
    state.get(Column::Transactions, tx.id().as_bytes()).is_some()
}

/// What `tx` would do if it were committed in the block at `at`, its first new record at `position`.
///
/// The one place where a transaction meets the rules: admission, proposal and validation all come here.
pub(crate) fn judge(
    rules: &Rules,
    state: &impl State,
    overlay: &Overlay,
    at: Moment,
    position: u64,
    tx: &Verified,
) -> Result<Effects, Rejection> {
    let agency = enter(rules, state, at, tx)?;
    judge_as(agency, rules, state, overlay, at, position, tx)
}

/// The same of a transaction whose agency [`enter`] told.
pub(crate) fn judge_as(
    agency: AgencyCode,
    rules: &Rules,
    state: &impl State,
    overlay: &Overlay,
    at: Moment,
    mut position: u64,
    tx: &Verified,
) -> Result<Effects, Rejection> {
    let (first, leaned_on) = (rules.first(), RefCell::default());
    let mut view = Layered { state, first, below: overlay, fresh: BTreeMap::new(), leaned_on };
    let mut seen = BTreeMap::new();
    let mut records = Vec::with_capacity(tx.get().operations.len());
    let (mut links, mut spared) = (Vec::new(), Vec::new());
    let operations = tx.records().iter().copied().zip(&tx.get().operations);
    for (index, (record, operation)) in operations.enumerate() {
        let known = seen.get(&record).or_else(|| overlay.records.get(&record)).copied();
        let (changes, parts) =
            match consider(rules, &view, known, index, agency, (&record, operation), at)? {
                Comes::There(place) => {
                    records.push((record, place, false));
                    let subjects = operation.subjects(&agency);
                    spared.extend(subjects.iter().map(|(subject, _)| subject.key()));
                    continue;
                }
                Comes::New(changes, parts) => (changes, parts),
            };
        view.fresh.extend(changes);
        for (key, part) in parts {
            let link = Link { position, record, part };
            let changed =
                view.fresh.get_mut(&key).expect("the rules return every subject of an operation");
            links.push((key, changed.records, link));
            changed.append(&link);
        }
        seen.insert(record, position);
        records.push((record, position, true));
        position += 1;
    }
    if records.iter().all(|(.., new)| !new) {
        // Of a transaction that was committed every record is there, whatever the rules say today.
        let is_again = is_committed(state, tx);
        return Err(if is_again { Rejection::Committed(tx.id()) } else { Rejection::Recorded });
    }
    spared.extend(view.leaned_on.into_inner());
    Ok(Effects { subjects: view.fresh, records, spared, links })
}

/// How many subjects are looked for together at most: no more than whoever keeps the state is sure to remember until they are
/// asked for, one by one.
const FORESEEN_MAX: usize = 1 << 13;

/// … and how many of one transaction: a rule that its first operation breaks would have spared us all of it.
const FORESEEN_OF_ONE: usize = 1 << 10;

/// Says which subjects will be asked for when these transactions are judged, so that they may be looked for together.
///
/// It costs reading; so it is for transactions that will be judged, and not refused before.
pub fn foresee<'t>(state: &impl State, txs: impl IntoIterator<Item = &'t Verified>) {
    let named = txs.into_iter().map(Verified::get).flat_map(|tx| {
        let subjects = |operation: &'t Operation| operation.subjects(&tx.header.agency);
        tx.operations.iter().flat_map(subjects).take(FORESEEN_OF_ONE)
    });
    let mut keys: Vec<Hash> = named.take(FORESEEN_MAX).map(|(subject, _)| subject.key()).collect();
    keys.sort_unstable();
    keys.dedup();
    let keys: Vec<&[u8]> = keys.iter().map(|key| &key.0[..]).collect();
    state.foresee(Column::Subjects, &keys);
}

/// How many lots an event may name to be judged as soon as looked for.
const LOTS_FEW: usize = 4;

/// Whether a transaction costs no more to judge than to look for among those that were committed.
pub(crate) fn is_small(tx: &Verified) -> bool {
    let [operation] = &tx.get().operations[..] else { return false };
    match &operation.action {
        Action::Licence(_) => true,
        Action::Trace(event) => event.lots.len() <= LOTS_FEW,
        Action::Item(_)
        | Action::Govern(_)
        | Action::List(_)
        | Action::Batch(_)
        | Action::Seed(_)
        | Action::Use(_) => false,
    }
}

/// What an operation comes to.
enum Comes {
    /// Its record is there already, at this position.
    There(u64),
    /// What it makes of subjects, and the key of each it names with the part that has in it.
    New(Changes, Vec<(Hash, Part)>),
}

/// Whether an operation's record is there already, and if not, what the rules say of it.
///
/// A record is a link of each of its subjects: beside a subject of which there is nothing yet it cannot be there either, and
/// need not be looked for. Most operations bring a subject; to look for what is absent is dear.
fn consider<S: State>(
    rules: &Rules,
    view: &Layered<'_, S>,
    known: Option<u64>,
    index: usize,
    agency: AgencyCode,
    (record, operation): (&RecordId, &Operation),
    at: Moment,
) -> Result<Comes, Rejection> {
    if let Some(place) = known {
        return Ok(Comes::There(place));
    }
    let is_looked_for = !is_soon_judged(&operation.action);
    if is_looked_for && let Some(place) = find_record(view.state, record) {
        return Ok(Comes::There(place));
    }
    let judged = rules.judge(index, agency, (record, operation), at, view).map(|changes| {
        let parts = parts(operation, &agency, &changes);
        (changes, parts)
    });
    let brings_one = |(changes, parts): &(Changes, Vec<(Hash, Part)>)| {
        let is_named = |key: &Hash| parts.iter().any(|(named, _)| named == key);
        changes.iter().any(|(key, state)| state.records == 0 && is_named(key) && !view.has(key))
    };
    let is_new = is_looked_for || judged.as_ref().is_ok_and(brings_one);
    if !is_new && let Some(place) = find_record(view.state, record) {
        return Ok(Comes::There(place));
    }
    judged.map(|(changes, parts)| Comes::New(changes, parts))
}

/// Whether an operation costs less to judge than its record to look for. In governance signatures are checked; the others come
/// too seldom to matter.
const fn is_soon_judged(action: &Action) -> bool {
    match action {
        Action::Trace(_) | Action::Licence(_) | Action::Item(_) => true,
        Action::Govern(_)
        | Action::List(_)
        | Action::Batch(_)
        | Action::Seed(_)
        | Action::Use(_) => false,
    }
}

/// The keys of the subjects an operation names, each with its part.
fn parts(operation: &Operation, agency: &AgencyCode, changes: &Changes) -> Vec<(Hash, Part)> {
    let subjects = operation.subjects(agency).into_iter().enumerate();
    // The rules name the subjects in the same order, as a rule; where they do, nothing is hashed for it again.
    let key = |place: usize, subject: &Subject| match changes.get(place) {
        Some((key, state)) if state.subject == *subject => *key,
        Some(_) | None => subject.key(),
    };
    subjects.map(|(place, (subject, part))| (key(place, &subject), part)).collect()
}

fn find_record(state: &impl State, record: &RecordId) -> Option<u64> {
    let bytes = state.get(Column::Records, record.as_bytes())?;
    Some(u64::from_be_bytes(bytes.try_into().expect("positions are written as eight bytes")))
}
