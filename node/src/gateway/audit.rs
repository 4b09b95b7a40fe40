//! The gateway's log: a line for every use and every refusal, chained by digests, synced before anything is done.
//!
//! One thread writes it, and one sync covers what came meanwhile, so that nobody who serves the API waits for a disk. When it
//! has grown it is put aside under the number of its first line, and the next file goes on with the chain: a start reads the
//! last of them and no more.

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::mpsc::{self, Receiver, SyncSender},
    thread::JoinHandle,
};
use tokio::sync::oneshot;
use types::{Digest, Timestamp};

/// Where the log is written, in the validator's directory.
pub const FILE: &str = "gateway-audit.ndjson";
/// What the names of those that were put aside begin with; then comes the number of the first line.
const ASIDE: &str = "gateway-audit-";
/// A log that is longer is put aside, bytes.
const SEGMENT_BYTES: u64 = 16 << 20;
/// The longest line that is read, bytes: none that is written is as long.
const LINE_BYTES_MAX: u64 = 1 << 20;
/// How many may wait to be written down.
const WAITING_MAX: usize = 4096;
/// One sync covers so many at most.
const TOGETHER: usize = 256;
/// Refusals that are written down in a minute; those beyond are counted in the next line, so that nobody fills the disk.
const REFUSALS_A_MINUTE: u64 = 60;
const MINUTE_MS: u64 = 60_000;

/// One line of the log.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Its number, from 0.
    pub number: u64,
    /// When it was written.
    pub time: Timestamp,
    /// Whose token or certificate it was, if anybody's.
    pub token: Option<String>,
    /// What was asked.
    pub act: String,
    /// What came of it.
    pub outcome: String,
    /// Refusals before this line that were not written down.
    pub unwritten: u64,
    /// The digest of the line before, as it stands there.
    pub before: Digest,
}

/// What is to be written down.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) time: Timestamp,
    pub(super) token: Option<String>,
    pub(super) act: String,
    pub(super) outcome: String,
    pub(super) refused: bool,
}

/// Where a chain of lines has come to: the number of the next line, and the digest of the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The next line's number.
    pub number: u64,
    /// The last line's digest.
    pub last: Digest,
}

impl Default for End {
    fn default() -> Self {
        Self { number: 0, last: Digest::blake3(b"") }
    }
}

/// An entry on its way to the disk, and who waits for it.
struct Note {
    entry: Entry,
    written: oneshot::Sender<Result<(), String>>,
}

/// The way to the thread that writes. The thread ends with it.
#[derive(Debug)]
pub(super) struct Audit {
    notes: Option<SyncSender<Note>>,
    thread: Option<JoinHandle<()>>,
}

impl Audit {
    /// Goes on with the log of a directory, which nobody else may write.
    ///
    /// # Errors
    /// When it cannot be written, was changed, or another process writes it.
    pub(super) fn open(home: &Path) -> anyhow::Result<Self> {
        Self::of(Writer::open(home, SEGMENT_BYTES)?)
    }

    fn of(writer: Writer) -> anyhow::Result<Self> {
        let (notes, told) = mpsc::sync_channel(WAITING_MAX);
        let thread = std::thread::Builder::new().name("audit".into());
        let thread = thread.spawn(move || writer.run(&told))?;
        Ok(Self { notes: Some(notes), thread: Some(thread) })
    }

    /// Ends when it is on the disk, or cannot be.
    pub(super) async fn note(&self, entry: Entry) -> Result<(), String> {
        let written = self.tell(entry)?.await;
        written.unwrap_or_else(|_gone| Err("the log is closed".into()))
    }

    /// The same for a thread that may wait.
    pub(super) fn note_and_wait(&self, entry: Entry) -> Result<(), String> {
        let written = self.tell(entry)?.blocking_recv();
        written.unwrap_or_else(|_gone| Err("the log is closed".into()))
    }

    fn tell(&self, entry: Entry) -> Result<oneshot::Receiver<Result<(), String>>, String> {
        let (written, wait) = oneshot::channel();
        let notes = self.notes.as_ref().ok_or("the log is closed")?;
        notes.try_send(Note { entry, written }).map_err(|_full| "more than the disk takes")?;
        Ok(wait)
    }
}

impl Drop for Audit {
    fn drop(&mut self) {
        self.notes = None;
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap_or(());
        }
    }
}

/// What the thread has.
#[derive(Debug)]
struct Writer {
    home: PathBuf,
    file: File,
    /// How much of the file is whole lines.
    bytes: u64,
    /// The number of the file's first line.
    first: u64,
    end: End,
    unwritten: u64,
    minute: (u64, u64),
    segment_bytes: u64,
    /// Why nothing more is written, if that is so.
    broken: Option<String>,
}

impl Writer {
    fn open(home: &Path, segment_bytes: u64) -> anyhow::Result<Self> {
        let path = home.join(FILE);
        let mut options = fs::OpenOptions::new();
        let file = options.read(true).append(true).create(true).mode(0o600).open(&path)?;
        ensure!(file.try_lock().is_ok(), "another process writes {}", path.display());
        let before = end_of_aside(home)?;
        let read = follow(BufReader::new(&file), Some(before), |_, _| Ok(()));
        let Followed { end, whole, .. } = read.with_context(|| format!("in {}", path.display()))?;
        // A line that a crash cut off was never relied on: what it would have let in was not let in.
        file.set_len(whole)?;
        File::open(home)?.sync_all()?;
        let (home, first, bytes) = (home.to_owned(), before.number, whole);
        let (unwritten, minute, broken) = (0, (0, 0), None);
        Ok(Self { home, file, bytes, first, end, unwritten, minute, segment_bytes, broken })
    }

    fn run(mut self, notes: &Receiver<Note>) {
        while let Ok(first) = notes.recv() {
            let mut lot = vec![first];
            lot.extend(notes.try_iter().take(TOGETHER - 1));
            let written = self.write(lot.iter().map(|note| &note.entry));
            for note in lot {
                // Whoever no longer waits does not mind.
                note.written.send(written.clone()).unwrap_or(());
            }
        }
    }

    /// Writes entries and syncs them, all or none.
    fn write<'e>(&mut self, entries: impl Iterator<Item = &'e Entry>) -> Result<(), String> {
        if let Some(why) = &self.broken {
            return Err(why.clone());
        }
        let before = (self.end, self.unwritten, self.minute);
        let mut text = String::new();
        for entry in entries {
            if entry.refused && self.is_one_too_many(entry.time) {
                self.unwritten += 1;
                continue;
            }
            let line = Line {
                number: self.end.number,
                time: entry.time,
                token: entry.token.clone(),
                act: entry.act.clone(),
                outcome: entry.outcome.clone(),
                unwritten: self.unwritten,
                before: self.end.last,
            };
            let line = serde_json::to_string(&line).map_err(|error| error.to_string())?;
            self.end = End { number: self.end.number + 1, last: Digest::blake3(line.as_bytes()) };
            self.unwritten = 0;
            text.push_str(&line);
            text.push('\n');
        }
        if text.is_empty() {
            return Ok(());
        }
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            (self.end, self.unwritten, self.minute) = before;
            // Half a line, with others behind it, would be a log that was changed.
            let undone = self.file.set_len(self.bytes).and_then(|()| self.file.sync_data());
            if let Err(error) = undone {
                self.broken = Some(format!("what was half written cannot be undone: {error}"));
            }
            tracing::error!(%error, "the gateway's log cannot be written");
            return Err(error.to_string());
        }
        self.bytes += u64::try_from(text.len()).unwrap_or(u64::MAX);
        if self.bytes >= self.segment_bytes
            && let Err(error) = self.put_aside()
        {
            // The file that is open goes on, whatever its name is now; the next start finds the chain in it.
            tracing::warn!(%error, "the gateway's log is not put aside");
        }
        Ok(())
    }

    fn is_one_too_many(&mut self, time: Timestamp) -> bool {
        let minute = time.0 / MINUTE_MS;
        let count = if self.minute.0 == minute { self.minute.1 + 1 } else { 1 };
        self.minute = (minute, count);
        count > REFUSALS_A_MINUTE
    }

    fn put_aside(&mut self) -> io::Result<()> {
        let path = self.home.join(FILE);
        let aside = self.home.join(format!("{ASIDE}{:012}.ndjson", self.first));
        // An attempt that came no further has put it aside already: what bears the log's name since then has no line, and must
        // not take the place of what has them.
        if !aside.try_exists()? {
            fs::rename(&path, &aside)?;
        }
        let mut options = fs::OpenOptions::new();
        let file = options.read(true).append(true).create(true).mode(0o600).open(&path)?;
        file.try_lock().map_err(io::Error::other)?;
        File::open(&self.home)?.sync_all()?;
        (self.file, self.bytes, self.first) = (file, 0, self.end.number);
        Ok(())
    }
}

/// What was found in a file.
#[derive(Clone, Copy, Debug)]
struct Followed {
    first: u64,
    end: End,
    /// How many of its bytes are whole lines.
    whole: u64,
    /// Whether something is behind them.
    torn: bool,
}

/// Follows the chain through a file, from where it must begin, or from where its first line says.
fn follow(
    mut file: impl BufRead,
    begin: Option<End>,
    mut each: impl FnMut(&Line, &str) -> io::Result<()>,
) -> anyhow::Result<Followed> {
    let (mut at, mut whole, mut text) = (begin, 0, String::new());
    let mut first = begin.map(|begin| begin.number);
    loop {
        text.clear();
        let read = (&mut file).take(LINE_BYTES_MAX).read_line(&mut text);
        let next = at.map_or(0, |at| at.number);
        let read = read.with_context(|| format!("line {next} is none"))?;
        let Some(line_text) = text.strip_suffix('\n') else {
            let long = u64::try_from(read) == Ok(LINE_BYTES_MAX);
            ensure!(!long, "line {next} is longer than any that was written");
            let end = at.unwrap_or_default();
            let first = first.unwrap_or(end.number);
            return Ok(Followed { first, end, whole, torn: read > 0 });
        };
        let line: Line =
            serde_json::from_str(line_text).with_context(|| format!("line {next} is none"))?;
        let wanted = at.unwrap_or_else(|| match line.number {
            0 => End::default(),
            number => End { number, last: line.before },
        });
        ensure!(
            line.number == wanted.number && line.before == wanted.last,
            "it was changed at or before line {}; put it aside, and find out by whom",
            wanted.number
        );
        each(&line, line_text)?;
        first.get_or_insert(line.number);
        let last = Digest::blake3(line_text.as_bytes());
        at = Some(End { number: line.number + 1, last });
        whole += u64::try_from(read).unwrap_or(u64::MAX);
    }
}

/// The files that were put aside, oldest first.
fn aside(home: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(home)? {
        let entry = entry?;
        let name = entry.file_name();
        let number =
            name.to_str().and_then(|name| name.strip_prefix(ASIDE)?.strip_suffix(".ndjson"));
        if number.is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_digit())) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// All files of the log, oldest first.
#[must_use]
pub fn files(home: &Path) -> Vec<PathBuf> {
    let mut files = aside(home).unwrap_or_default();
    let current = home.join(FILE);
    if current.exists() {
        files.push(current);
    }
    files
}

/// Where the chain has come to in the newest file that was put aside.
fn end_of_aside(home: &Path) -> anyhow::Result<End> {
    let Some(newest) = aside(home)?.pop() else { return Ok(End::default()) };
    let within = || format!("in {}", newest.display());
    let file = BufReader::new(File::open(&newest)?);
    Ok(follow(file, None, |_, _| Ok(())).with_context(within)?.end)
}

/// The whole log, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many files it is in.
    pub files: usize,
    /// The number of the first line that is here.
    pub first: u64,
    /// Where it ends.
    pub end: End,
    /// Whether the last line is cut off: it is being written, or a crash did it.
    pub torn: bool,
}

/// Follows the chain through all that is here, changing nothing; a node that runs may go on writing.
///
/// # Errors
/// When a line was changed or left out, or a file cannot be read.
pub fn verify(
    home: &Path,
    mut each: impl FnMut(&Line, &str) -> io::Result<()>,
) -> anyhow::Result<Verified> {
    let (files, current) = (files(home), home.join(FILE));
    let mut found = Verified { files: files.len(), first: 0, end: End::default(), torn: false };
    for (index, path) in files.iter().enumerate() {
        let within = || format!("in {}", path.display());
        // The files before the first that is here may lie in an archive.
        let begin = if index == 0 && *path != current { None } else { Some(found.end) };
        let file = BufReader::new(File::open(path).with_context(within)?);
        let Followed { first, end, torn, .. } =
            follow(file, begin, &mut each).with_context(within)?;
        ensure!(!torn || index + 1 == files.len(), "{}: its last line is cut off", path.display());
        if index == 0 {
            found.first = first;
        }
        (found.end, found.torn) = (end, torn);
    }
    Ok(found)
}

/// The same, of what a start reads.
///
/// # Errors
/// As [`verify`].
pub(super) fn check(home: &Path) -> anyhow::Result<()> {
    let path = home.join(FILE);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("in {}", path.display())),
    };
    let begin = end_of_aside(home)?;
    let followed = follow(BufReader::new(file), Some(begin), |_, _| Ok(()));
    match followed.with_context(|| format!("in {}", path.display())) {
        // It may have been put aside between the two looks.
        Err(_) if end_of_aside(home)? != begin => check(home),
        other => other.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(act: &str, time: u64, refused: bool) -> Entry {
        let (act, outcome) = (act.to_owned(), "x".to_owned());
        Entry { time: Timestamp(time), token: Some("erp".into()), act, outcome, refused }
    }

    fn lines(home: &Path) -> u64 {
        let verified = verify(home, |_, _| Ok(())).unwrap();
        verified.end.number - verified.first
    }

    #[test]
    fn refusals_do_not_fill_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(folder.path(), SEGMENT_BYTES).unwrap();
        for _ in 0..1000 {
            writer.write([entry("x", 5, true)].iter()).unwrap();
        }
        writer.write([entry("x", MINUTE_MS, true)].iter()).unwrap();
        let text = fs::read_to_string(folder.path().join(FILE)).unwrap();
        assert_eq!(text.lines().count(), 61);
        assert!(text.lines().last().unwrap().contains("\"unwritten\":940"), "{text}");
    }

    #[test]
    fn the_chain_goes_on_from_file_to_file_and_a_start_reads_the_last() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path();
        for start in 0..4 {
            let audit = Audit::of(Writer::open(home, 2000).unwrap()).unwrap();
            for number in 0..20 {
                audit.note_and_wait(entry(&format!("{start} {number}"), 1, false)).unwrap();
            }
        }
        assert_eq!(lines(home), 80);
        let files = aside(home).unwrap();
        assert!(files.len() > 5, "{files:?}");
        // What lies in an archive is not missed, and what is missing between two files is.
        let moved = fs::read(&files[0]).unwrap();
        fs::remove_file(&files[0]).unwrap();
        assert!((60..80).contains(&lines(home)));
        fs::write(&files[0], moved).unwrap();
        let gap = fs::read(&files[2]).unwrap();
        fs::remove_file(&files[2]).unwrap();
        assert!(verify(home, |_, _| Ok(())).unwrap_err().to_string().contains("in "));
        fs::write(&files[2], &gap).unwrap();
        assert_eq!(lines(home), 80);
        // A crash between the two steps of putting one aside.
        Audit::open(home).unwrap().note_and_wait(entry("last", 1, false)).unwrap();
        fs::rename(home.join(FILE), home.join(format!("{ASIDE}{:012}.ndjson", 80))).unwrap();
        assert_eq!(lines(home), 81);
        Audit::open(home).unwrap().note_and_wait(entry("next", 1, false)).unwrap();
        assert_eq!(lines(home), 82);
    }

    /// The disk failed between the steps of putting the log aside, and the node went on.
    #[test]
    fn what_was_put_aside_by_half_is_not_written_over() {
        for left in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let home = folder.path();
            let mut writer = Writer::open(home, SEGMENT_BYTES).unwrap();
            writer.write([entry("one", 1, false)].iter()).unwrap();
            fs::rename(home.join(FILE), home.join(format!("{ASIDE}{:012}.ndjson", 0))).unwrap();
            if left {
                fs::write(home.join(FILE), "").unwrap();
            }
            writer.segment_bytes = 200;
            for act in ["two", "three", "four"] {
                writer.write([entry(act, 1, false)].iter()).unwrap();
            }
            drop(writer);
            assert_eq!(lines(home), 4);
            let goes_on = Writer::open(home, SEGMENT_BYTES).unwrap();
            assert_eq!(goes_on.end.number, 4);
        }
    }

    #[test]
    fn one_process_writes_and_others_read() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path();
        check(home).unwrap();
        assert!(!home.join(FILE).exists(), "a check makes nothing");
        let audit = Audit::open(home).unwrap();
        audit.note_and_wait(entry("one", 1, false)).unwrap();
        assert!(Audit::open(home).unwrap_err().to_string().contains("another process"));
        // A line that is on its way is left to who writes it.
        let mut half = fs::OpenOptions::new().append(true).open(home.join(FILE)).unwrap();
        half.write_all(b"{\"number\":1,\"ti").unwrap();
        let before = fs::read(home.join(FILE)).unwrap();
        check(home).unwrap();
        assert!(verify(home, |_, _| Ok(())).unwrap().torn);
        assert_eq!(fs::read(home.join(FILE)).unwrap(), before);
    }

    #[test]
    fn what_cannot_be_written_is_told_and_leaves_no_half_line() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(folder.path(), SEGMENT_BYTES).unwrap();
        writer.write([entry("one", 1, false)].iter()).unwrap();
        let sound = std::mem::replace(&mut writer.file, File::open("/dev/full").unwrap());
        assert!(writer.write([entry("two", 1, false)].iter()).is_err());
        writer.file = sound;
        // Nobody knows what stands in a file that cannot even be cut.
        let broken = writer.broken.take();
        assert!(broken.is_some());
        writer.write([entry("three", 1, false)].iter()).unwrap();
        drop(writer);
        assert_eq!(lines(folder.path()), 2);
    }

    #[test]
    fn many_at_once_are_all_written() {
        let folder = tempfile::tempdir().unwrap();
        let audit = Audit::open(folder.path()).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        audit.note_and_wait(entry("x", 1, false)).unwrap();
                    }
                });
            }
        });
        drop(audit);
        assert_eq!(lines(folder.path()), 320);
    }
}
