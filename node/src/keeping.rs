//! What an operator does to a validator's ledger from outside: snapshots, recovery, sizes.

use crate::{
    cli::{complain, print, tell},
    clock,
    gateway::audit,
    home::{self, Home},
    run,
    shell::Listening,
    snapshot::{self, Refusal},
};
use anyhow::Context as _;
use clap::Subcommand;
use ledger::{
    Column,
    retention::{self, Retention},
};
use std::{
    fs,
    io::{IsTerminal as _, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
};
use store::Store;
use types::{ChainId, Height};

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
    let beside = data.with_extension("restoring");
    // What an interrupted restore left behind is of no use.
    match fs::remove_dir_all(&beside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot remove {}", beside.display()));
        }
        Ok(()) | Err(_) => {}
    }
    let label = match snapshot::restore(&opened.genesis, file, &beside, progress) {
        Ok(label) => label,
        Err(refusal) => {
            fs::remove_dir_all(&beside).ok();
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
    record.hold()?;
    record.raise(record.height())?;
    drop(record);
    let aside = put_aside(&data, talk)?;
    if let Some(aside) = &aside {
        keep_accepted(aside, &beside)?;
    }
    fs::rename(&beside, &data)
        .with_context(|| format!("cannot move {} to {}", beside.display(), data.display()))?;
    if let Some(above) = data.parent() {
        fs::File::open(above)?.sync_all()?;
    }
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
    let aside = put_aside(&config.data, talk(json))?;
    if let Some(aside) = &aside {
        fs::DirBuilder::new().mode(0o700).create(&config.data)?;
        keep_accepted(aside, &config.data)?;
    }
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

fn put_aside(data: &Path, talk: fn(&str)) -> anyhow::Result<Option<PathBuf>> {
    if !data.exists() {
        return Ok(None);
    }
    let aside = data.with_extension(format!("aside-{}", clock::now().0));
    fs::rename(data, &aside)
        .with_context(|| format!("cannot move {} to {}", data.display(), aside.display()))?;
    talk(&format!(
        "the old ledger is kept in {}; remove it when you no longer need it",
        aside.display()
    ));
    Ok(Some(aside))
}

/// What was accepted here is no part of the ledger, and no other validator may have it.
fn keep_accepted(from: &Path, to: &Path) -> anyhow::Result<()> {
    let (from, to) = (from.join(store::waiting::FILE), to.join(store::waiting::FILE));
    if !from.exists() {
        return Ok(());
    }
    let carry = || {
        let directory = to.parent().unwrap_or_else(|| Path::new("."));
        fs::copy(&from, &to)?;
        fs::File::open(&to)?.sync_all()?;
        fs::File::open(directory)?.sync_all()
    };
    carry().with_context(|| {
        format!("cannot copy {} to {}; copy it before you start", from.display(), to.display())
    })
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
        Ok(store) => Ok((store.column_sizes(), ledger::query::height(&store))),
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
    let height_of = |data: &Path| {
        store::open_reading(data, &chain, run::end).map(|store| ledger::query::height(&store))
    };
    let here = match height_of(&config.data) {
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
    for path in beside(&home, &config) {
        let left_over =
            ["restoring", "fsck"].iter().any(|end| path.extension() == Some(end.as_ref()));
        match height_of(&path) {
            Err(store::Fault::Locked { .. }) => {
                keep(&path, "another process uses it");
                continue;
            }
            _ if left_over => {}
            Ok(height) if height <= here => {}
            Ok(height) => {
                keep(&path, &format!("it has {height} blocks, and the ledger here {here}"));
                continue;
            }
            Err(_) if damaged => {}
            Err(fault) => {
                keep(&path, &format!("{fault}; --damaged removes it"));
                continue;
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

/// Old ledgers, and what interrupted commands left, beside the ledger in place.
fn beside(home: &Path, config: &home::Config) -> Vec<PathBuf> {
    let name = config.data.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let directory = config.data.parent().unwrap_or(home);
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

/// What the files of each purpose take, bytes.
fn sizes(home: &Path, config: &home::Config) -> Vec<(&'static str, u64)> {
    let documents = config.gateway.as_ref().and_then(|gateway| gateway.documents.as_ref());
    let aside = beside(home, config).iter().map(|path| bytes_in(path)).sum();
    vec![
        ("ledger", bytes_in(&config.data.join("ledger"))),
        ("journal", bytes_in(&config.data.join("journal"))),
        ("accepted", bytes_in(&config.data.join(store::waiting::FILE))),
        ("evidence", bytes_in(&config.data.join("evidence.hex"))),
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
