//! Documents beside the node: what was sent by its digest, each event by its record, and records by the events' ids.

use serde_json::Value;
use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use types::{Digest, RecordId, codec};

/// How many events may be sent under one id. An id is an event's own, and is sent again for one that was refused or erroneous; the
/// file of its records is read for each of them.
const RECORDS_OF_ID_MAX: usize = 1000;

/// Tells the drafts of this process apart.
static DRAFT: AtomicU64 = AtomicU64::new(0);

/// Documents beside the node.
#[derive(Clone, Debug)]
pub struct Documents {
    home: PathBuf,
    /// Held while an id is given another record.
    ids: Arc<Mutex<()>>,
}

/// Why documents are not kept.
#[derive(Debug, thiserror::Error)]
pub enum Unkept {
    /// They cannot be written.
    #[error(transparent)]
    Disk(#[from] io::Error),
    /// Too many were sent under an id.
    #[error(
        "{RECORDS_OF_ID_MAX} events were sent under the id {id:?}, and no more are taken under it; give each event an id of its own"
    )]
    Crowded {
        /// The id.
        id: String,
    },
}

/// An event to be kept: a document of its own, which its record commits to.
#[derive(Clone, Copy, Debug)]
pub struct Event<'e> {
    /// Its record.
    pub record: RecordId,
    /// Its id.
    pub id: &'e str,
    /// The document.
    pub document: &'e [u8],
}

impl Documents {
    /// Documents in a directory, which is made when the first one is kept.
    #[must_use]
    pub fn new(home: PathBuf) -> Self {
        Self { home, ids: Arc::default() }
    }

    /// Keeps a document and the events in it: when this returns they are on the disk.
    ///
    /// # Errors
    /// When they cannot be written, or too many were sent under the id of one.
    pub fn keep(&self, document: &[u8], events: &[Event<'_>]) -> Result<(), Unkept> {
        self.write("documents", &codec::hex(&Digest::blake3(document).bytes), document)?;
        for event in events {
            self.write("events", &event.record.to_string(), event.document)?;
            self.add(event.id, &event.record)?;
        }
        // One for all: a document may have a thousand events, and each its file and its folder.
        nix::unistd::syncfs(File::open(&self.home)?).map_err(io::Error::from)?;
        Ok(())
    }

    /// The document behind the record of an event, if it is here and is what the record commits to.
    #[must_use]
    pub fn event(&self, record: &RecordId, commitment: &Digest) -> Option<Value> {
        let bytes = fs::read(self.path("events", &record.to_string())).ok()?;
        if Digest::blake3(&bytes) != *commitment {
            tracing::warn!(%record, "the document kept of an event is not what was recorded");
            return None;
        }
        serde_json::from_slice(&bytes).ok()
    }

    /// The records of events that were sent under an id, in the order in which they were: one that was refused among them, or
    /// one whose error was declared later.
    #[must_use]
    pub fn records(&self, id: &str) -> Vec<RecordId> {
        let text = fs::read_to_string(self.path("ids", &named(id))).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).collect()
    }

    /// Names are digests: nothing that anybody sends is ever part of a path.
    fn path(&self, kind: &str, name: &str) -> PathBuf {
        self.home.join(kind).join(&name[..2]).join(name)
    }

    fn write(&self, kind: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.path(kind, name);
        // What a power cut left may have the name, and not the bytes.
        if fs::read(&path).is_ok_and(|there| there == bytes) {
            return Ok(());
        }
        make_folder(&path)?;
        let draft = path.with_extension(format!("{}.draft", DRAFT.fetch_add(1, Ordering::Relaxed)));
        let written = write_new(&draft, bytes).and_then(|()| fs::rename(&draft, &path));
        if written.is_err() {
            // No other draft has its name, so that it would stay, and on a full disk with all that it takes up.
            fs::remove_file(&draft).unwrap_or(());
        }
        written
    }

    fn add(&self, id: &str, record: &RecordId) -> Result<(), Unkept> {
        let _held = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = self.records(id);
        if sent.contains(record) {
            return Ok(());
        }
        if sent.len() >= RECORDS_OF_ID_MAX {
            return Err(Unkept::Crowded { id: id.to_owned() });
        }
        let path = self.path("ids", &named(id));
        make_folder(&path)?;
        let mut options = fs::OpenOptions::new();
        let mut file = options.read(true).append(true).create(true).mode(0o600).open(&path)?;
        let mut last = [b'\n'];
        if file.metadata()?.len() > 0 {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
        }
        // A line that was cut off is none.
        let begin = if last == *b"\n" { "" } else { "\n" };
        file.write_all(format!("{begin}{record}\n").as_bytes())?;
        Ok(())
    }
}

fn named(id: &str) -> String {
    codec::hex(&Digest::blake3(id.as_bytes()).bytes)
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)
}

fn make_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::Hash;

    #[test]
    fn what_was_cut_off_is_written_again_and_never_believed() {
        let folder = tempfile::tempdir().unwrap();
        let documents = Documents::new(folder.path().join("documents"));
        let (text, record) = (br#"{"a":1}"#, RecordId(Hash::default()));
        let event = Event { record, id: "urn:uuid:1", document: text };
        let commitment = Digest::blake3(text);
        let path = documents.path("events", &record.to_string());
        make_folder(&path).unwrap();
        for left in [&b""[..], b"{\"a\":2}"] {
            fs::write(&path, left).unwrap();
            assert_eq!(documents.event(&record, &commitment), None);
            documents.keep(b"whole", &[event]).unwrap();
            assert_eq!(documents.event(&record, &commitment).unwrap()["a"], 1);
        }
    }

    #[test]
    fn an_id_has_every_record_that_was_sent_under_it() {
        let folder = tempfile::tempdir().unwrap();
        let documents = Documents::new(folder.path().to_owned());
        let records = [1, 2, 3].map(|byte| RecordId(Hash([byte; 32])));
        for record in [records[0], records[1], records[0]] {
            documents.keep(b"x", &[Event { record, id: "urn:x", document: b"{}" }]).unwrap();
        }
        assert_eq!(documents.records("urn:x"), records[..2]);
        // After a power cut in the middle of a line.
        let path = documents.path("ids", &named("urn:x"));
        let mut file = fs::OpenOptions::new().append(true).open(path).unwrap();
        file.write_all(b"0303").unwrap();
        let event = Event { record: records[2], id: "urn:x", document: b"{}" };
        documents.keep(b"x", &[event]).unwrap();
        assert_eq!(documents.records("urn:x"), records);
        assert!(documents.records("urn:y").is_empty());
    }

    #[test]
    fn under_an_id_no_more_are_taken_than_may_be_and_those_there_are_stay() {
        let folder = tempfile::tempdir().unwrap();
        let documents = Documents::new(folder.path().to_owned());
        let record = |n: usize| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&n.to_le_bytes());
            RecordId(Hash(bytes))
        };
        let path = documents.path("ids", &named("urn:x"));
        make_folder(&path).unwrap();
        let sent: String = (1..RECORDS_OF_ID_MAX).map(|n| format!("{}\n", record(n))).collect();
        fs::write(&path, sent).unwrap();
        let keep = |n: usize, id: &str| {
            documents.keep(b"x", &[Event { record: record(n), id, document: b"{}" }])
        };
        keep(RECORDS_OF_ID_MAX, "urn:x").unwrap();
        let refused = keep(0, "urn:x").unwrap_err();
        assert!(matches!(refused, Unkept::Crowded { .. }), "{refused:?}");
        // What was sent before may be sent again, and other ids are others' business.
        keep(1, "urn:x").unwrap();
        keep(0, "urn:y").unwrap();
        let found = documents.records("urn:x");
        assert_eq!(found, (1..=RECORDS_OF_ID_MAX).map(record).collect::<Vec<_>>());
    }

    #[test]
    fn what_cannot_be_written_leaves_no_draft_behind() {
        let folder = tempfile::tempdir().unwrap();
        let documents = Documents::new(folder.path().to_owned());
        let path = documents.path("documents", &named("x"));
        // A folder stands where the file belongs.
        fs::create_dir_all(&path).unwrap();
        assert!(documents.keep(b"x", &[]).is_err());
        let there = fs::read_dir(path.parent().unwrap()).unwrap();
        assert_eq!(there.map(|entry| entry.unwrap().path()).collect::<Vec<_>>(), [path]);
    }
}
