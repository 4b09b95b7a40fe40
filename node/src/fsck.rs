//! Whether a ledger on disk is what the committee agreed on: everything in it, computed again.

use ledger::{Column, Rules, State as _, Write, audit, query, retention};
use std::path::Path;
use store::{Fault, Store};
use types::{Block, BlockId, Certificate, Certified, Genesis, Height};

/// How many keys are compared at a time.
const PAGE: usize = 1024;
/// How many differences are named before the rest is only counted.
const NAMED_MAX: usize = 20;

/// What a check found.
#[derive(Debug, Default)]
pub struct Report {
    /// Blocks whose certificate and links were checked, and whose execution, unless bodies were dropped.
    pub blocks: u64,
    /// The first height whose body is here. Above 1 nothing was executed: see [`ledger::audit`].
    pub kept_from: Height,
    /// Records in the log.
    pub records: u64,
    /// Keys compared with what the blocks make of them.
    pub keys: u64,
    /// What is wrong, in words, the first few.
    pub damage: Vec<String>,
    /// How much more is wrong.
    pub more: u64,
}

impl Report {
    fn add(&mut self, what: String) {
        if self.damage.len() < NAMED_MAX { self.damage.push(what) } else { self.more += 1 }
    }
}

/// Checks every certificate and link, executes every block again into `scratch`, and compares every key of every column.
///
/// Damage ends the walk along the chain, since what follows a damaged block cannot be computed; the comparison still
/// covers everything up to there.
///
/// # Errors
/// When a disk fails.
pub fn check(
    genesis: &Genesis,
    store: &Store,
    scratch: &Path,
    progress: impl Fn(Height, Height),
) -> Result<Report, Fault> {
    let mut rules = Rules::new(genesis);
    let mut report = Report { kept_from: retention::kept_from(store), ..Report::default() };
    let replay = store::open(scratch, rules.chain(), fail)?;
    if report.kept_from > Height::GENESIS.next() {
        return audited(&rules, store, &replay, report, progress);
    }
    let tip = query::height(store);
    let mut height = Height::GENESIS.next();
    while height <= tip {
        match block(&rules, store, &replay, height) {
            Ok((commit, governs)) => {
                replay.commit(&commit)?;
                (rules, _) = rules.after(&replay, governs);
            }
            Err(what) => {
                report.add(format!("block {height}: {what}"));
                break;
            }
        }
        report.blocks += 1;
        if height.0.is_multiple_of(100) {
            progress(height, tip);
        }
        height = height.next();
    }
    report.records = ledger::tip(&rules, &replay).log.size();
    let whole = height > tip;
    for column in Column::ALL {
        compare(column, store, &replay, whole, &mut report);
    }
    Ok(report)
}

/// Of a ledger that dropped bodies: everything that can be computed without them.
fn audited(
    rules: &Rules,
    store: &Store,
    replay: &Store,
    mut report: Report,
    progress: impl Fn(Height, Height),
) -> Result<Report, Fault> {
    let tell = |what| report.add(what);
    let write = |writes: &[Write]| replay.write(writes);
    let found = audit::audit(rules, store, replay, write, tell, progress)?;
    (report.blocks, report.records, report.keys) = (found.blocks, found.records, found.keys);
    let whole = found.blocks == query::height(store).0;
    for column in audit::MADE_ANEW {
        compare(column, store, replay, whole, &mut report);
    }
    Ok(report)
}

/// The commit of a block as computed from what the disk holds of it, and whether the rules change with it.
fn block(
    rules: &Rules,
    store: &Store,
    replay: &Store,
    height: Height,
) -> Result<(ledger::Commit, bool), String> {
    let missing = |what| format!("its {what} is missing or cannot be read");
    let block =
        readable(|| query::block(store, height)).ok_or_else(|| missing("header or body"))?;
    let certificate =
        readable(|| query::certificate(store, height)).ok_or_else(|| missing("certificate"))?;
    execute(rules, replay, block, certificate)
}

/// The commit of a certified block that follows what `replay` holds, and whether the rules change with it.
///
/// # Errors
/// What does not hold: the certificate, the link, or what the block says follows from it.
pub(crate) fn execute(
    rules: &Rules,
    replay: &Store,
    block: Block,
    certificate: Certificate,
) -> Result<(ledger::Commit, bool), String> {
    let certified = Certified::verify(block, certificate, rules.chain(), rules.committee())
        .map_err(|error| error.to_string())?;
    let before = ledger::tip(rules, replay);
    let block = certified.block();
    if block.header.parent != before.id {
        return Err(format!("it follows {}, not {}", name(&block.header.parent), name(&before.id)));
    }
    let outcome = ledger::validate(rules, replay, &before, block, |_| None)
        .map_err(|invalid| invalid.to_string())?;
    let governs = outcome.governs();
    Ok((ledger::commit(certified, outcome), governs))
}

/// A value whose bytes decode; damage shows as a panic in the reader, which trusts what commits wrote.
fn readable<T>(read: impl FnOnce() -> Option<T>) -> Option<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)).ok().flatten()
}

fn name(id: &BlockId) -> String {
    id.0.short()
}

/// Walks one column on both sides at once.
fn compare(column: Column, store: &Store, replay: &Store, whole: bool, report: &mut Report) {
    let (mut from, mut expected_from) = (Vec::new(), Vec::new());
    let (mut found, mut expected): (Vec<_>, Vec<_>) = (Vec::new(), Vec::new());
    let (mut found_done, mut expected_done) = (false, false);
    loop {
        if found.is_empty() && !found_done {
            (found, from, found_done) = page(store, column, &from);
        }
        if expected.is_empty() && !expected_done {
            (expected, expected_from, expected_done) = page(replay, column, &expected_from);
        }
        report.keys += 1;
        match (found.last(), expected.last()) {
            (None, None) => return,
            (Some((key, value)), Some((wanted, right))) if key == wanted => {
                if value != right {
                    report.add(format!(
                        "{}: the value of {} is damaged",
                        column.name(),
                        types::codec::hex(key)
                    ));
                }
                found.pop();
                expected.pop();
            }
            (Some((key, _)), other) if other.is_none_or(|(wanted, _)| key < wanted) => {
                // After a damaged block more is on disk than could be computed; that is not damage.
                if whole {
                    report.add(format!(
                        "{}: {} should not be there",
                        column.name(),
                        types::codec::hex(key)
                    ));
                }
                found.pop();
            }
            (_, Some((wanted, _))) => {
                report.add(format!("{}: {} is missing", column.name(), types::codec::hex(wanted)));
                expected.pop();
            }
            (Some(_), None) => {
                found.pop();
            }
        }
    }
}

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// The next page of a column in reverse, so that the least key is popped first; where to go on; whether that is all.
fn page(store: &Store, column: Column, from: &[u8]) -> (Pairs, Vec<u8>, bool) {
    let mut pairs = store.scan(column, &[], from, PAGE);
    let done = pairs.len() < PAGE;
    let mut next = pairs.last().map(|(key, _)| key.clone()).unwrap_or_default();
    next.push(0);
    pairs.reverse();
    (pairs, next, done)
}

/// Ends the process when the scratch ledger or the ledger under check cannot be read at all.
fn fail(fault: &Fault) -> ! {
    tracing::error!(%fault, "disk");
    std::process::exit(i32::from(fault.exit_code()))
}
