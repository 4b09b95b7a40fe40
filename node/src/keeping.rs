//! What an operator does to a validator's ledger from outside: snapshots, recovery, sizes.

use crate::{
    cli::{complain, print, tell},
    clock, evidence,
    gateway::audit,
    home::{self, Home},
    run,
    shell::Listening,
    snapshot::{self, Refusal},
};
use anyhow::{Context as _, ensure};
use clap::Subcommand;
use ledger::{
    Column, query,
    retention::{self, Retention},
};
use std::{
    collections::BTreeSet,
    fs,
    io::{IsTerminal as _, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
};
use store::{
    Store, Waiting,
    waiting::{self, Kind},
};
use types::{ChainId, Height, Transaction, TxId, codec};

/// What can be done with snapshots.
#[derive(Debug, Subcommand)]
pub enum SnapshotCommand {
    /// Write every block of a stopped validator, with its certificate, to a new file.
    Create {
        /// The validator's directory.
        #[arg(long, env = "MINLIAN_HOME")]
        home: PathBuf,
        /// The file.
        #[arg(long)]
        out: PathBuf,
    },
    /// Check a snapshot from genesis to its last block, put it in the ledger's place, fetch what came after it, and end.
    Restore {
        /// The validator's directory.
        #[arg(long, env = "MINLIAN_HOME")]
        home: PathBuf,
        /// The file.
        file: PathBuf,
        /// Do not ask the others for what came after it, because there are none: for a network whose ledgers are all lost.
        #[arg(long)]
        alone: bool,
    },
}

/// Does what was asked with a snapshot.
///
/// # Errors
/// When it cannot be read or written.
pub async fn snapshot(command: SnapshotCommand, json: bool) -> anyhow::Result<ExitCode> {
    let progress = |height: Height, of: Height| complain(&format!("{height} of {of} blocks"));
    match command {
        SnapshotCommand::Create { home, out } => {
            let (config, genesis) = home::read_public(&home)?;
            let chain = genesis.chain();
            let store = match store::open_reading(&config.data, &chain, run::end) {
                Ok(store) => store,
                Err(fault) => return Ok(end_with(&fault)),
            };
            let label = snapshot::create(&chain, &store, &out, progress)?;
            let bytes = fs::metadata(&out)?.len();
            let done = serde_json::json!({
                "height": label.height, "chain": chain, "bytes": bytes, "file": out,
            });
            let text = format!(
                "blocks 1 to {} of chain {chain}, {} MiB, in {}",
                label.height,
                bytes.div_ceil(1 << 20),
                out.display()
            );
            tell(json, &done, &text);
            Ok(ExitCode::SUCCESS)
        }
        SnapshotCommand::Restore { home, file, alone } => {
            let home = fs::canonicalize(&home)
                .with_context(|| format!("no directory {}", home.display()))?;
            restore(&home, &file, alone, json, progress).await
        }
    }
}

async fn restore(
    directory: &Path,
    file: &Path,
    alone: bool,
    json: bool,
    progress: impl Fn(Height, Height),
) -> anyhow::Result<ExitCode> {
    let started = clock::instant();
    let opened = Home::open(directory)?;
    let data = opened.config.data.clone();
    let Some(held) = lock(&data)? else { return Ok(ExitCode::from(5)) };
    let next = next_to(&data)?;
    let label = match snapshot::restore(&opened.genesis, file, &next, progress) {
        Ok(label) => label,
        Err(refusal) => {
            fs::remove_dir_all(&next).ok();
            let code = match &refusal {
                Refusal::Fault(fault) => ExitCode::from(fault.exit_code()),
                Refusal::Io(error) => ExitCode::from(store::exit_code_of(error)),
                Refusal::Unsound(_) | Refusal::Foreign { .. } => ExitCode::FAILURE,
            };
            complain(&format!("error: {}: {refusal}; nothing was changed", file.display()));
            return Ok(code);
        }
    };
    let talk = talk(json);
    talk(&format!(
        "checked {} blocks: certificates from genesis on, links, execution, state and log roots   {:.1} s",
        label.height,
        started.elapsed().as_secs_f32()
    ));
    // With the old journal goes the memory of what this key is locked on, so it says nothing more about any height that it
    // may have said something about. First this, durably; then the ledger.
    let mut record = opened.signatures()?;
    record.raise(record.height())?;
    drop(record);
    let aside = install(&next, &data, talk)?;
    drop(held);
    let done = serde_json::json!({
        "restored": label.height, "alone": alone, "aside": aside,
    });
    if alone {
        let text = "restored, without asking the others; this key votes above what its record knows. Now: minlian-node start";
        tell(json, &done, text);
        return Ok(ExitCode::SUCCESS);
    }
    let code = run::run(directory, run::Until::CaughtUp, Listening::Only).await?;
    if code == ExitCode::SUCCESS {
        let text = "restored, and what came after it was fetched. Now: minlian-node start";
        tell(json, &done, text);
    }
    Ok(code)
}

/// Puts the ledger aside and fetches it again from the others.
///
/// # Errors
/// When it cannot be moved, or the others cannot be asked.
pub async fn recover(directory: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let directory = fs::canonicalize(directory)
        .with_context(|| format!("no directory {}", directory.display()))?;
    // Nothing is moved before it is known that its keys open.
    let Home { config, .. } = Home::open(&directory)?;
    let Some(held) = lock(&config.data)? else { return Ok(ExitCode::from(5)) };
    let next = next_to(&config.data)?;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&next)
        .with_context(|| format!("cannot create {}", next.display()))?;
    let aside = install(&next, &config.data, talk(json))?;
    drop(held);
    let code = run::run(&directory, run::Until::CaughtUp, Listening::Only).await?;
    if code == ExitCode::SUCCESS {
        let text = "recovered: every block was fetched, certified and executed again. Now: minlian-node start";
        tell(json, &serde_json::json!({ "recovered": true, "aside": aside }), text);
    }
    Ok(code)
}

/// The ledger's lock, if there is a ledger; nothing when another process has it: whoever holds it still writes there, and
/// would go on writing beside us.
fn lock(data: &Path) -> anyhow::Result<Option<Option<fs::File>>> {
    if !data.exists() {
        return Ok(Some(None));
    }
    let lock = fs::OpenOptions::new().create(true).append(true).open(data.join("lock"))?;
    if lock.try_lock().is_err() {
        complain(&format!("error: another process uses {}; stop it first", data.display()));
        return Ok(None);
    }
    Ok(Some(Some(lock)))
}

/// Where what is told on the way goes: to people beside what was done, and out of the way of a program that reads that.
fn talk(json: bool) -> fn(&str) {
    if json { complain } else { |text| print(text) }
}

/// Where what takes the ledger's place is made. Nothing is there: what an interrupted command left behind is of no use.
fn next_to(data: &Path) -> anyhow::Result<PathBuf> {
    let next = named_beside(data, "restoring");
    match fs::remove_dir_all(&next) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", next.display()))
        }
        Ok(()) | Err(_) => Ok(next),
    }
}

/// Why a node must not begin here, if `recover` or `snapshot restore` ended between putting the ledger aside and putting another
/// in its place. One that did would begin a ledger anew, without what was accepted in the old one and the evidence in it.
pub(crate) fn interrupted(data: &Path) -> Option<String> {
    let found = beside(data);
    let aside = found.iter().rfind(|path| is_aside(path)).filter(|_| !data.exists())?;
    let next = found.iter().find(|path| path.extension().is_some_and(|end| end == "restoring"))?;
    Some(format!(
        "there is no ledger in {}: `recover` or `snapshot restore` was interrupted after it had put the ledger aside, in {}. Run \
         it again, or move that one back; what was accepted there and the evidence in it are taken along. To begin without \
         either, remove {}",
        data.display(),
        aside.display(),
        next.display()
    ))
}

/// Puts a directory in the ledger's place, once it has what is no part of a ledger, too. Says where the old one is kept.
fn install(next: &Path, data: &Path, talk: fn(&str)) -> anyhow::Result<Option<PathBuf>> {
    // A run that was interrupted between the two renames left what was in place in the newest that was put aside.
    let newest = || beside(data).into_iter().rfind(|path| is_aside(path));
    let from = if data.exists() { Some(data.to_owned()) } else { newest() };
    if let Some(from) = from {
        carry(&from, next)?;
    }
    let aside = put_aside(data, talk)?;
    fs::rename(next, data)
        .with_context(|| format!("cannot move {} to {}", next.display(), data.display()))?;
    if let Some(above) = data.parent() {
        fs::File::open(above)?.sync_all()?;
    }
    Ok(aside)
}

fn put_aside(data: &Path, talk: fn(&str)) -> anyhow::Result<Option<PathBuf>> {
    if !data.exists() {
        return Ok(None);
    }
    let aside = named_beside(data, &format!("aside-{}", clock::now().0));
    fs::rename(data, &aside)
        .with_context(|| format!("cannot move {} to {}", data.display(), aside.display()))?;
    talk(&format!(
        "the old ledger is kept in {}; remove it when you no longer need it",
        aside.display()
    ));
    Ok(Some(aside))
}

/// What was accepted here, and the evidence, are no part of the ledger, and no other validator may have them.
fn carry(from: &Path, to: &Path) -> anyhow::Result<()> {
    for name in [waiting::FILE, evidence::FILE] {
        let (from, copied) = (from.join(name), to.join(name));
        if !from.exists() {
            continue;
        }
        let copy = || {
            fs::copy(&from, &copied)?;
            fs::File::open(&copied)?.sync_all()?;
            fs::File::open(to)?.sync_all()
        };
        copy().with_context(|| {
            format!(
                "cannot copy {} to {}, and nothing was moved; to do without it, move it elsewhere",
                from.display(),
                copied.display()
            )
        })?;
    }
    Ok(())
}

/// That a ledger which was put aside, and whose blocks the one in place has, holds nothing else that that one lacks. Without
/// its `blocks`, nothing that was accepted there counts as committed.
///
/// # Errors
/// What it holds, or why that cannot be known.
fn nothing_is_lost_with(
    aside: &Path,
    data: &Path,
    blocks: Option<&Store>,
    chain: &ChainId,
    here: Height,
) -> anyhow::Result<()> {
    let held_in = |directory: &Path| {
        let path = directory.join(evidence::FILE);
        match fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            read => read.with_context(|| format!("cannot read {}", path.display())),
        }
    };
    let (there, in_place) = (held_in(aside)?, held_in(data)?);
    let known: BTreeSet<&[u8]> = in_place.split(|byte| *byte == b'\n').collect();
    ensure!(
        there.split(|byte| *byte == b'\n').all(|line| line.is_empty() || known.contains(line)),
        "it has evidence against a validator that is not in {}; add the lines of its {} there, with the node stopped",
        data.display(),
        evidence::FILE
    );
    let known = Waiting::read(data, chain)?.entries;
    let known: BTreeSet<TxId> = known.iter().map(|entry| entry.id).collect();
    let may_be_committed = |bytes: &[u8]| {
        codec::decode::<Transaction>(bytes).is_ok_and(|tx| tx.header.valid_until > here)
    };
    let waits = Waiting::read(aside, chain)?.entries.into_iter().any(|entry| {
        entry.kind == Kind::Waits
            && !known.contains(&entry.id)
            && blocks.is_none_or(|blocks| query::place(blocks, &entry.id).is_none())
            && may_be_committed(&entry.bytes)
    });
    ensure!(!waits, "what was accepted there may be committed still, and is not remembered here");
    Ok(())
}

/// What can be asked of a validator's disk.
#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// How much the ledger takes, column by column, and what lies beside it.
    Size {
        /// The validator's directory.
        #[arg(long, env = "MINLIAN_HOME")]
        home: PathBuf,
    },
}

/// Says what takes how much of the disk.
///
/// # Errors
/// When the directory cannot be read.
pub fn data(command: DataCommand, json: bool) -> anyhow::Result<ExitCode> {
    let DataCommand::Size { home } = command;
    let (config, genesis) = home::read_public(&home)?;
    let sizes = sizes(&home, &config);
    // RocksDB knows its columns' sizes, and only one process may open it.
    let columns = match store::open_reading(&config.data, &genesis.chain(), run::end) {
        Ok(store) => Ok((store.column_sizes(), query::height(&store))),
        Err(fault) => Err(fault.to_string()),
    };
    if json {
        let columns = columns.as_ref().ok().map(|(columns, height)| {
            let columns: serde_json::Map<_, _> =
                columns.iter().map(|(name, bytes)| ((*name).to_owned(), (*bytes).into())).collect();
            serde_json::json!({ "height": height, "columns": columns })
        });
        let sizes: serde_json::Map<_, _> =
            sizes.iter().map(|(name, bytes)| ((*name).to_owned(), (*bytes).into())).collect();
        print(&serde_json::json!({ "files": sizes, "ledger": columns }));
        return Ok(ExitCode::SUCCESS);
    }
    for (name, bytes) in &sizes {
        print(&format!("{name:<14}{:>12} KiB", bytes.div_ceil(1024)));
    }
    match columns {
        Ok((columns, height)) => {
            print(&format!("of the ledger, at height {height}:"));
            for (name, bytes) in columns {
                print(&format!("  {name:<12}{:>12} KiB", bytes.div_ceil(1024)));
            }
        }
        Err(why) => complain(&format!("column by column only while the node is stopped: {why}")),
    }
    Ok(ExitCode::SUCCESS)
}

/// Removes what no proof and no other validator needs: ledgers that were put aside and hold nothing that the one in place
/// lacks, and what interrupted commands left. And, where the operator says so, the bodies of old blocks, while the node is
/// stopped. `asked` counts before `node.toml`.
///
/// # Errors
/// When something cannot be removed.
pub async fn prune(
    home: &Path,
    asked: Retention,
    damaged: bool,
    sure: Sure,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let home =
        fs::canonicalize(home).with_context(|| format!("no directory {}", home.display()))?;
    let (config, genesis) = home::read_public(&home)?;
    let (chain, talk) = (genesis.chain(), talk(json));
    let open = |data: &Path| store::open_reading(data, &chain, run::end);
    let here = match open(&config.data).map(|store| query::height(&store)) {
        Ok(height) => height,
        // Whoever has it open knows.
        Err(store::Fault::Locked { .. }) => match crate::doctor::own_status(config.api).await {
            Some(status) => status.height,
            None => {
                let why = format!("the ledger is in use, and nothing answers at {}", config.api);
                return Err(home::Unavailable(why).into());
            }
        },
        Err(fault) => return Ok(end_with(&fault)),
    };
    let mut kept = Vec::new();
    let mut keep = |what: &Path, why: &str| {
        kept.push(serde_json::json!({ "path": what, "why": why }));
        complain(&format!("kept: {}: {why}", what.display()));
    };
    let mut ledgers = Vec::new();
    for path in beside(&config.data) {
        let opened = open(&path);
        match &opened {
            Err(store::Fault::Locked { .. }) => {
                keep(&path, "another process uses it");
                continue;
            }
            // What an interrupted command left.
            _ if !is_aside(&path) => {}
            Ok(store) if query::height(store) > here => {
                let height = query::height(store);
                keep(&path, &format!("it has {height} blocks, and the ledger here {here}"));
                continue;
            }
            Err(fault) if !damaged => {
                keep(&path, &format!("{fault}; --damaged removes it"));
                continue;
            }
            Ok(_) | Err(_) => {
                let blocks = opened.as_ref().ok();
                let found = nothing_is_lost_with(&path, &config.data, blocks, &chain, here);
                if let Err(why) = found {
                    keep(&path, &format!("{why:#}"));
                    continue;
                }
            }
        }
        let bytes = bytes_in(&path);
        talk(&format!("{}  {} KiB", path.display(), bytes.div_ceil(1024)));
        ledgers.push((path, bytes));
    }
    let is_silent = asked == Retention::default();
    let retention = if is_silent { config.retention.retention() } else { asked };
    let mut bodies = None;
    if retention != Retention::default() {
        match Bodies::look(&config.data, &chain, retention) {
            Ok(found) => bodies = Some(found),
            Err(store::Fault::Locked { .. }) => {
                keep(&config.data, "bodies are dropped while the node is stopped: stop it first");
            }
            Err(fault) => return Ok(end_with(&fault)),
        }
    }
    if let Some(bodies) = &bodies {
        talk(&bodies.to_string());
    }
    let is_something = !ledgers.is_empty() || bodies.as_ref().is_some_and(Bodies::is_something);
    if sure == Sure::Ask && is_something {
        let question = "Remove that? What is removed here is gone from this machine.";
        if !confirmed(question)? {
            complain("nothing was removed");
            return Ok(ExitCode::FAILURE);
        }
    }
    let dry_run = sure == Sure::Never;
    if !dry_run {
        for (path, _) in &ledgers {
            fs::remove_dir_all(path)
                .with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    let freed: u64 = ledgers.iter().map(|(_, bytes)| *bytes).sum();
    let verb = if dry_run { "would be freed" } else { "freed" };
    talk(&format!("{} KiB {verb}; the ledger here has {here} blocks", freed.div_ceil(1024)));
    let mut dropped = None;
    if let Some(bodies) = bodies.filter(|bodies| !dry_run && bodies.is_something()) {
        match bodies.discard(&config.data, &chain) {
            Ok((text, done)) => {
                talk(&text);
                dropped = Some(done);
            }
            Err(fault) => return Ok(end_with(&fault)),
        }
    }
    if json {
        let ledgers: Vec<_> = ledgers
            .iter()
            .map(|(path, bytes)| serde_json::json!({ "path": path, "bytes": bytes }))
            .collect();
        print(&serde_json::json!({
            "dry_run": dry_run, "ledgers": ledgers, "kept": kept, "bodies": dropped, "height": here,
        }));
    }
    Ok(if kept.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether what cannot be undone is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sure {
    /// It is only shown.
    Never,
    /// A person at the terminal is asked.
    Ask,
    /// It was said beforehand.
    Yes,
}

/// Asks a person. Where there is none, nothing is taken for granted.
fn confirmed(question: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        let why = "there is nobody to ask at a terminal: --yes does it, --dry-run only shows it";
        return Err(Unasked(why).into());
    }
    let mut error = std::io::stderr();
    write!(error, "{question} [y/N] ")?;
    error.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Something was not said that has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unasked(&'static str);

/// Bodies of old blocks, and which of them are not wanted any more.
#[derive(Clone, Copy, Debug)]
struct Bodies {
    /// The first block whose body is here.
    now: Height,
    /// The first whose body stays.
    first: Height,
    held: u64,
}

impl Bodies {
    fn look(data: &Path, chain: &ChainId, wanted: Retention) -> Result<Self, store::Fault> {
        let store = store::open_reading(data, chain, run::end)?;
        let (now, first) = (retention::kept_from(&store), wanted.first_kept(&store));
        Ok(Self { now, first, held: Self::size(&store) })
    }

    fn size(store: &Store) -> u64 {
        let bodies =
            store.column_sizes().into_iter().find(|(name, _)| *name == Column::Bodies.name());
        bodies.map_or(0, |(_, bytes)| bytes)
    }

    /// Also where nothing is new: what was interrupted last time is given back now.
    fn is_something(&self) -> bool {
        self.first.previous().unwrap_or_default() != Height::GENESIS
    }

    fn discard(
        self,
        data: &Path,
        chain: &ChainId,
    ) -> Result<(String, serde_json::Value), store::Fault> {
        let store = store::open(data, chain, run::end)?;
        let (column, before, note) = retention::drop_below(self.first);
        let (had, has) = store.discard(column, &before, &note)?;
        let (last, held) = (self.first.previous().unwrap_or_default(), Self::size(&store));
        let text = format!(
            "bodies: those of blocks 1 to {last} are dropped; bodies {} KiB before, {} KiB now; the ledger {} KiB before, {} KiB now",
            self.held.div_ceil(1024),
            held.div_ceil(1024),
            had.div_ceil(1024),
            has.div_ceil(1024)
        );
        let done = serde_json::json!({
            "dropped_to": last, "bytes_before": self.held, "bytes": held, "ledger_before": had, "ledger": has,
        });
        Ok((text, done))
    }
}

impl core::fmt::Display for Bodies {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let held = self.held.div_ceil(1024);
        if !self.is_something() {
            return write!(f, "bodies: {held} KiB, none older than what is kept");
        }
        let (now, last) = (self.now, self.first.previous().unwrap_or_default());
        let blocks = self.first.0.saturating_sub(now.0);
        write!(
            f,
            "bodies: those of blocks {now} to {last} would be dropped, {blocks} blocks; all bodies take {held} KiB"
        )
    }
}

/// What lies beside a ledger under its name and this end, whatever dots are in the name.
pub(crate) fn named_beside(data: &Path, end: &str) -> PathBuf {
    let mut name = data.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(end);
    data.with_file_name(name)
}

/// Old ledgers, and what interrupted commands left, beside the ledger in place.
fn beside(data: &Path) -> Vec<PathBuf> {
    let name = data.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let directory = data.parent().unwrap_or_else(|| Path::new("."));
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let is_ours = |found: &str| {
        let end = found.strip_prefix(&name).and_then(|rest| rest.strip_prefix('.'));
        end.is_some_and(|end| end.starts_with("aside-") || end == "restoring" || end == "fsck")
    };
    let ours = entries.filter(|entry| is_ours(&entry.file_name().to_string_lossy()));
    let mut found: Vec<_> = ours.map(|entry| entry.path()).collect();
    found.sort();
    found
}

/// Whether that is an old ledger, and nothing that an interrupted command left.
fn is_aside(path: &Path) -> bool {
    path.extension().is_some_and(|end| end.to_string_lossy().starts_with("aside-"))
}

/// What the files of each purpose take, bytes.
fn sizes(home: &Path, config: &home::Config) -> Vec<(&'static str, u64)> {
    let documents = config.gateway.as_ref().and_then(|gateway| gateway.documents.as_ref());
    let aside = beside(&config.data).iter().map(|path| bytes_in(path)).sum();
    vec![
        ("ledger", bytes_in(&config.data.join("ledger"))),
        ("journal", bytes_in(&config.data.join("journal"))),
        ("accepted", bytes_in(&config.data.join(waiting::FILE))),
        ("evidence", bytes_in(&config.data.join(evidence::FILE))),
        ("jobs", bytes_in(&config.data.with_file_name("jobs"))),
        ("documents", documents.map_or(0, |path| bytes_in(&home.join(path)))),
        ("audit", audit::files(home).iter().map(|path| bytes_in(path)).sum()),
        ("put aside", aside),
    ]
}

/// What a file, or all files under a directory, take.
fn bytes_in(path: &Path) -> u64 {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::read_dir(path)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| bytes_in(&entry.path()))
            .sum(),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    }
}

/// Ends with what a fault of the store means.
fn end_with(fault: &store::Fault) -> ExitCode {
    complain(&format!("error: {fault}"));
    ExitCode::from(fault.exit_code())
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::waiting::Entry;
    use types::{AgencyCode, Hash, SecretKey};

    const CHAIN: ChainId = ChainId(Hash([7; 32]));

    fn directory(home: &Path, name: &str) -> PathBuf {
        let directory = home.join(name);
        fs::create_dir(&directory).unwrap();
        directory
    }

    /// A transaction that waits for a block up to this height.
    fn waits(valid_until: u64) -> Entry {
        let agency = AgencyCode::new("91350100M000100Y43").unwrap();
        let (secret, valid_until) = (SecretKey::from_seed([1; 32]), Height(valid_until));
        let tx = Transaction::sign(CHAIN, agency, &secret, 7, valid_until, vec![]);
        Entry { id: tx.id(), kind: Kind::Waits, bytes: codec::encode(&tx) }
    }

    #[test]
    fn evidence_and_what_was_accepted_are_in_place_wherever_it_is_interrupted() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path();
        let data = directory(home, "data.v1");
        for name in [waiting::FILE, evidence::FILE] {
            fs::write(data.join(name), name).unwrap();
        }
        let install = || {
            let next = next_to(&data).unwrap();
            fs::create_dir(&next).unwrap();
            install(&next, &data, |_| {}).unwrap()
        };
        let is_whole = |directory: &Path| {
            [waiting::FILE, evidence::FILE]
                .iter()
                .all(|name| fs::read_to_string(directory.join(name)).unwrap() == *name)
        };
        let aside = install().unwrap();
        assert!(is_whole(&aside) && is_whole(&data));
        assert_eq!(interrupted(&data), None);
        // The second rename was not reached: nobody begins a ledger without them meanwhile.
        fs::rename(&data, next_to(&data).unwrap()).unwrap();
        let why = interrupted(&data).unwrap();
        assert!(why.contains(&aside.display().to_string()), "{why}");
        assert_eq!(install(), None);
        assert!(is_whole(&aside) && is_whole(&data));
        assert_eq!(interrupted(&data), None);
        // A ledger that somebody removed, to fetch it again, is nobody's interruption.
        fs::remove_dir_all(&data).unwrap();
        assert_eq!(interrupted(&data), None);
    }

    #[test]
    fn what_only_lies_aside_is_kept() {
        let home = tempfile::tempdir().unwrap();
        let (data, aside) =
            (directory(home.path(), "data"), directory(home.path(), "data.aside-1"));
        let kept = || {
            let found = nothing_is_lost_with(&aside, &data, None, &CHAIN, Height(10));
            found.err().map(|why| why.to_string()).unwrap_or_default()
        };
        assert_eq!(kept(), "", "neither has anything");
        fs::write(aside.join(evidence::FILE), "aa\nbb\n").unwrap();
        assert!(kept().contains("evidence"), "{}", kept());
        fs::write(data.join(evidence::FILE), "cc\nbb\n").unwrap();
        assert!(kept().contains("evidence"), "{}", kept());
        fs::write(data.join(evidence::FILE), "cc\nbb\naa\n").unwrap();
        assert_eq!(kept(), "");
        drop(Waiting::begin(&aside, &CHAIN, &[waits(10)]).unwrap());
        assert_eq!(kept(), "", "its time is over");
        drop(Waiting::begin(&aside, &CHAIN, &[waits(10), waits(11)]).unwrap());
        assert!(kept().contains("accepted"), "{}", kept());
        drop(Waiting::begin(&data, &CHAIN, &[waits(11)]).unwrap());
        assert_eq!(kept(), "", "it is remembered here");
    }
}
