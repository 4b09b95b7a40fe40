//! What became of every record, written down as it becomes known: receipts, rejections, and the state to go on from.

use super::source::{Rejected, Source};
use crate::{
    console::Console,
    exit::{Exit, Stop},
    speech::{self, Tally},
};
use comfy_table::{ContentArrangement, Table, presets};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead as _, BufReader, BufWriter, Write as _},
    path::{Path, PathBuf},
};
use types::{AgencyCode, ChainId, Digest, Height, RecordId, Timestamp, TxId};

/// The rejections shown one by one.
const SHOWN_MAX: usize = 20;

/// A record's receipt: one line of the receipts file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Row {
    /// The file's name.
    pub(crate) file: String,
    /// The line, from 1; none in a file that is one document.
    pub(crate) line: Option<u64>,
    /// Where in the document: a JSON pointer.
    pub(crate) at: String,
    /// The record.
    pub(crate) record: RecordId,
    /// The transaction that brought it.
    pub(crate) tx: TxId,
    /// The block, when it is in one.
    pub(crate) height: Option<Height>,
    /// Its position in the log, when it is in a block.
    pub(crate) position: Option<u64>,
    /// How far it has come.
    pub(crate) status: Standing,
    /// One line for people.
    pub(crate) label: String,
}

/// How far a record has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Standing {
    /// In a node's pool.
    Accepted,
    /// On the ledger, by this run.
    Committed,
    /// On the ledger since before.
    Recorded,
}

/// What became of a record, for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Settled {
    /// It has a receipt.
    Receipt(Row),
    /// It was refused.
    Rejected(Rejected),
}

/// What a state file is of. When any of it differs, the file is of another run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Run {
    pub(crate) minlian_state: u16,
    pub(crate) file: String,
    pub(crate) bytes: u64,
    pub(crate) modified: Timestamp,
    /// Of a table: by another mapping its rows are other records, and which of them are settled is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mapping: Option<Digest>,
    pub(crate) captured_at: Option<Timestamp>,
    pub(crate) origin: String,
    pub(crate) chain: ChainId,
    pub(crate) agency: AgencyCode,
    pub(crate) wait: String,
}

/// The rejections of all files: told to people, and kept for programs.
#[derive(Debug)]
pub(crate) struct Rejections {
    path: PathBuf,
    file: Option<BufWriter<File>>,
    shown: Vec<Rejected>,
    count: u64,
}

impl Rejections {
    /// None so far. A list left by an earlier run is not of this one, and is removed.
    ///
    /// # Errors
    /// When the old list cannot be removed.
    pub(crate) fn open(path: PathBuf) -> Result<Self, Stop> {
        remove(&path)?;
        Ok(Self { path, file: None, shown: Vec::new(), count: 0 })
    }

    /// Adds one record's rejection: all its faults.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn add(&mut self, faults: &[Rejected]) -> Result<(), Stop> {
        let fault = |why| Stop::file(&self.path, why);
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(BufWriter::new(File::create(&self.path).map_err(fault)?)),
        };
        for one in faults {
            write_line(file, one).map_err(fault)?;
            if self.shown.len() < SHOWN_MAX {
                self.shown.push(one.clone());
            }
        }
        file.flush().map_err(fault)?;
        self.count += 1;
        Ok(())
    }

    /// Returns when they are durable.
    fn sync(&self) -> Result<(), Stop> {
        let Some(file) = &self.file else { return Ok(()) };
        sync(file.get_ref()).map_err(|why| Stop::file(&self.path, why))
    }

    /// How many records were rejected.
    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    /// The file they are in, if there are any.
    pub(crate) fn file(&self) -> Option<String> {
        self.file.as_ref().map(|_open| self.path.display().to_string())
    }

    /// Tells people of the first ones.
    pub(crate) fn tell(&self, console: &Console, several_files: bool) {
        if self.shown.is_empty() {
            return;
        }
        let lang = console.lang();
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        for one in &self.shown {
            let place = speech::place(lang, one.line, &speech::clean(&one.at));
            let place = if several_files { format!("{} {place}", one.file) } else { place };
            let message = match (lang, &one.zh) {
                (speech::Lang::Zh, Some(zh)) => zh,
                (speech::Lang::Zh | speech::Lang::En, _) => &one.message,
            };
            table.add_row([place, one.code.clone(), speech::clean(message)]);
        }
        console.talk(&format!("\n{}\n{}", speech::rejected_title(lang), table.trim_fmt()));
        let told: std::collections::BTreeSet<_> =
            self.shown.iter().map(|one| (&one.file, one.line)).collect();
        let more = self.count.saturating_sub(told.len().try_into().unwrap_or(u64::MAX));
        if more > 0 && self.shown.len() == SHOWN_MAX {
            console.talk(&speech::more_rejected(lang, more));
        }
    }
}

/// Where receipts go.
#[derive(Debug)]
pub(crate) enum Receipts {
    /// To standard output.
    Output,
    /// To a file.
    File(PathBuf, BufWriter<File>),
}

impl Receipts {
    /// A file of receipts, empty.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn create(path: PathBuf) -> Result<Self, Stop> {
        let file = File::create(&path).map_err(|why| Stop::file(&path, why))?;
        Ok(Self::File(path, BufWriter::new(file)))
    }

    fn add(&mut self, row: &Row, console: &Console) -> Result<(), Stop> {
        match self {
            Self::Output => {
                Ok(console.data(&serde_json::to_string(row).map_err(io::Error::from)?)?)
            }
            Self::File(path, file) => write_line(file, row).map_err(|why| Stop::file(path, why)),
        }
    }

    fn flush(&mut self) -> Result<(), Stop> {
        match self {
            Self::Output => Ok(()),
            Self::File(path, file) => file.flush().map_err(|why| Stop::file(path, why)),
        }
    }

    /// Returns when they are durable.
    fn sync(&mut self) -> Result<(), Stop> {
        self.flush()?;
        match self {
            Self::Output => Ok(()),
            Self::File(path, file) => sync(file.get_ref()).map_err(|why| Stop::file(path, why)),
        }
    }

    /// The file they are in.
    pub(crate) fn file(&self) -> Option<String> {
        match self {
            Self::Output => None,
            Self::File(path, _) => Some(path.display().to_string()),
        }
    }
}

/// The books of one file.
#[derive(Debug)]
pub(crate) struct Books<'a> {
    console: &'a Console,
    receipts: &'a mut Receipts,
    rejections: &'a mut Rejections,
    tally: &'a mut Tally,
    state: PathBuf,
    file: BufWriter<File>,
    settled: u64,
}

impl<'a> Books<'a> {
    /// The books of a run: those of the same run interrupted earlier, replayed, or new ones.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub(crate) fn open(
        run: &Run,
        state: PathBuf,
        console: &'a Console,
        receipts: &'a mut Receipts,
        rejections: &'a mut Rejections,
        tally: &'a mut Tally,
    ) -> Result<Self, Stop> {
        let fault = |why| Stop::file(&state, why);
        let mut settled = 0;
        let earlier = replay(&state, run, |entry| {
            settled += 1;
            enter(&entry, console, receipts, rejections, tally)
        })?;
        let file = match earlier {
            Earlier::Same { whole } => {
                receipts.flush()?;
                let file = OpenOptions::new().append(true).open(&state).map_err(fault)?;
                // A line that was not written whole is written again.
                file.set_len(whole).map_err(fault)?;
                BufWriter::new(file)
            }
            Earlier::None | Earlier::Other => {
                if earlier == Earlier::Other {
                    console
                        .talk(&speech::other_state(console.lang(), &state.display().to_string()));
                }
                let mut file = BufWriter::new(File::create(&state).map_err(fault)?);
                write_line(&mut file, run).and_then(|()| file.flush()).map_err(fault)?;
                file
            }
        };
        Ok(Self { console, receipts, rejections, tally, state, file, settled })
    }

    /// How many records are settled: those at the beginning of the file.
    pub(crate) const fn settled(&self) -> u64 {
        self.settled
    }

    /// Writes down what became of the next records.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(crate) fn settle(&mut self, entries: &[Settled]) -> Result<(), Stop> {
        for entry in entries {
            write_line(&mut self.file, entry).map_err(|why| Stop::file(&self.state, why))?;
            enter(entry, self.console, self.receipts, self.rejections, self.tally)?;
            self.settled += 1;
        }
        self.receipts.flush()?;
        self.file.flush().map_err(|why| Stop::file(&self.state, why))
    }

    /// Closes the books: there is nothing left to go on with. What became of the records is durable before.
    ///
    /// # Errors
    /// When a file cannot be synced, or the state file cannot be removed.
    pub(crate) fn close(self) -> Result<(), Stop> {
        self.receipts.sync()?;
        self.rejections.sync()?;
        drop(self.file);
        remove(&self.state)
    }
}

fn enter(
    entry: &Settled,
    console: &Console,
    receipts: &mut Receipts,
    rejections: &mut Rejections,
    tally: &mut Tally,
) -> Result<(), Stop> {
    match entry {
        Settled::Receipt(row) => {
            match row.status {
                Standing::Accepted | Standing::Committed => tally.new += 1,
                Standing::Recorded => tally.known += 1,
            }
            receipts.add(row, console)
        }
        Settled::Rejected(rejected) => rejections.add(std::slice::from_ref(rejected)),
    }
}

/// What an earlier run has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Earlier {
    /// Nothing.
    None,
    /// The state of another run.
    Other,
    /// The state of the same run, and how many bytes of it are whole lines.
    Same { whole: u64 },
}

/// Reads the state that `wanted` has left, if it has, and hands over every entry.
fn replay(
    path: &Path,
    wanted: &Run,
    mut each: impl FnMut(Settled) -> Result<(), Stop>,
) -> Result<Earlier, Stop> {
    let fault = |why| Stop::file(path, why);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Earlier::None),
        Err(why) => return Err(fault(why)),
    };
    let (mut reader, mut line, mut whole) = (BufReader::new(file), Vec::new(), 0);
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line).map_err(fault)?;
        // The last line may be torn; all before it are ours.
        let torn = line.last() != Some(&b'\n');
        if whole == 0 {
            if torn && read == 0 {
                return Ok(Earlier::None);
            }
            let found: Run = serde_json::from_slice(&line).map_err(|_why| {
                let path = path.display();
                Stop::says(
                    Exit::Usage,
                    format!("{path} is in the way: it is not a state file of this command"),
                )
            })?;
            if found != *wanted {
                return Ok(Earlier::Other);
            }
        } else {
            let entry = if torn { None } else { serde_json::from_slice(&line).ok() };
            let Some(entry) = entry else { return Ok(Earlier::Same { whole }) };
            each(entry)?;
        }
        whole += u64::try_from(read).unwrap_or(u64::MAX);
    }
}

fn write_line(file: &mut BufWriter<File>, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *file, value)?;
    file.write_all(b"\n")
}

/// Syncs what has a disk under it; a pipe or a terminal has none, and refuses.
fn sync(file: &File) -> io::Result<()> {
    if file.metadata()?.is_file() { file.sync_all() } else { Ok(()) }
}

fn remove(path: &Path) -> Result<(), Stop> {
    match fs::remove_file(path) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => Err(Stop::file(path, why)),
        Ok(()) | Err(_) => Ok(()),
    }
}

impl Run {
    /// The run of a file.
    pub(crate) fn of(source: &Source, chain: ChainId, agency: AgencyCode, wait: &str) -> Self {
        let capture = &source.capture;
        Self {
            minlian_state: 2,
            file: source.name.clone(),
            bytes: source.bytes,
            modified: source.modified,
            mapping: source.mapping,
            captured_at: source.captured_at,
            origin: format!("{} {} {:?}", capture.system, capture.version, capture.grade),
            chain,
            agency,
            wait: wait.to_owned(),
        }
    }
}
