//! Commitments by the million: a file of digests, one operation whose root covers them, and the proof of any one line later.
//!
//! What stays with the agency is the file itself and `NAME.batch.json` beside it, which has one hash for every 4096 lines: enough
//! to prove a line from a short piece of the file. A run that was interrupted is run again: the record has the same name.

mod line;
mod tree;

use crate::{
    arguments::{self, Wait},
    console::{Console, Stopwatch},
    exit::{Exit, Stop},
    layout::count,
    speech::say,
    submit,
};
use client::Signer;
pub(crate) use line::{is_line, prove, verify};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Arc,
};
use tree::Tree;
use types::{
    AgencyCode, ChainId, Digest, Hash, Height, Operation, RecordId, Timestamp, TxId,
    bulk::{BatchAction, Series},
    operation::{Action, Commitment, Provenance},
};

/// The version of the book.
const VERSION: u16 = 1;

/// What is kept of a batch beside its file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Book {
    /// Of this format.
    version: u16,
    /// The file's length when it was read.
    bytes: u64,
    /// When it was last modified then, milliseconds.
    modified: u64,
    /// When its record says that it was captured: when it was last modified, the first time it was read. A file that is only
    /// touched, or copied with its book, is the same record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    captured_at: Option<Timestamp>,
    /// How many lines it has.
    lines: u64,
    /// The root over them.
    root: Hash,
    /// The digest of the file.
    document: Digest,
    /// The root of every 4096 lines.
    chunks: Vec<Hash>,
    /// Where it was recorded; none until it is.
    recorded: Option<Recorded>,
}

/// Where a batch was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recorded {
    chain: ChainId,
    agency: AgencyCode,
    series: Series,
    record: RecordId,
    tx: TxId,
    height: Option<Height>,
    position: Option<u64>,
}

impl Book {
    fn path(file: &Path) -> PathBuf {
        let mut name = file.file_name().unwrap_or_default().to_owned();
        name.push(".batch.json");
        file.with_file_name(name)
    }

    /// The book of a file, if there is one.
    fn open(file: &Path) -> Result<Option<Self>, Stop> {
        let path = Self::path(file);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(why) => return Err(Stop::file(&path, why)),
        };
        let book: Self = serde_json::from_str(&text).map_err(|why| {
            let path = path.display();
            Stop::says(Exit::Usage, format!("{path} is damaged ({why}); remove it and run again"))
        })?;
        if book.version != VERSION {
            let (path, found) = (path.display(), book.version);
            return Err(Stop::says(
                Exit::Usage,
                format!("{path} is of version {found}; this command knows {VERSION}"),
            ));
        }
        Ok(Some(book))
    }

    fn captured_at(&self) -> Timestamp {
        self.captured_at.unwrap_or(Timestamp(self.modified))
    }

    /// Writes it so that there is always a whole one.
    fn write(&self, file: &Path) -> Result<PathBuf, Stop> {
        let path = Self::path(file);
        let mut fresh = path.clone().into_os_string();
        fresh.push(".new");
        let text = serde_json::to_string(self).map_err(std::io::Error::from)?;
        let write = || {
            fs::write(&fresh, text)?;
            File::open(&fresh)?.sync_all()?;
            fs::rename(&fresh, &path)
        };
        write().map_err(|why| Stop::file(&path, why))?;
        Ok(path)
    }
}

/// Submits a file of commitments as one operation.
///
/// # Errors
/// When the file has another form, or the node, the key or a file is not there.
pub(crate) async fn run(
    what: &arguments::Submit,
    file: &Path,
    console: &Console,
) -> Result<Exit, Stop> {
    let (time, lang) = (Stopwatch::start(), console.lang());
    let Some(series) = what.series.clone() else {
        return Err(Stop::says(Exit::Usage, "--commitments needs --series"));
    };
    let modified = submit::modified_at(file)?;
    let bytes = fs::metadata(file).map_err(|why| Stop::file(file, why))?.len();
    let earlier = Book::open(file)?;
    let is_unchanged = |kept: &Book| (kept.bytes, kept.modified) == (bytes, modified.0);
    let mut book = match earlier {
        Some(book) if is_unchanged(&book) => book,
        earlier => {
            let path = file.to_owned();
            // On threads of their own, so that the user can interrupt it.
            let built = tokio::task::spawn_blocking(move || Tree::build(&path));
            let built = built.await.map_err(|why| Stop::new(Exit::Disk, why))??;
            let Tree { lines, root, document, chunks } = match built {
                Ok(tree) => tree,
                Err(fault) => {
                    console.talk(&format!("{}: {}", file.display(), fault.words(lang)));
                    return Ok(Exit::Negative);
                }
            };
            let same = earlier.filter(|earlier| earlier.document == document);
            let captured_at = same.as_ref().map_or(modified, Book::captured_at);
            Book {
                version: VERSION,
                bytes,
                modified: modified.0,
                captured_at: Some(captured_at),
                lines,
                root,
                document,
                chunks,
                recorded: same.and_then(|same| same.recorded),
            }
        }
    };
    book.write(file)?;
    let (lines, root, took) = (count(book.lines), book.root, time.read());
    console.talk(&say!(
        lang,
        "{lines} lines, root {root} ({took})",
        "共 {lines} 行，根 {root}（{took}）"
    ));
    if what.check {
        return Ok(Exit::Done);
    }
    let operation = operation(what, &book, series.clone());
    let (Some(node), Some(key)) = (&what.node, &what.key) else {
        return Err(Stop::says(Exit::Usage, "--node and --key are needed"));
    };
    let client = console.client(node)?;
    let signer = Arc::new(Signer::find(key).map_err(|why| Stop::key(key, why))?);
    let agency = *signer.agency();
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let outcome = submit::one(what, client, Arc::clone(&signer), name, operation.clone()).await?;
    let settled = match outcome {
        Ok(settled) => settled,
        Err(why) => {
            console.talk(&why);
            return Ok(Exit::Negative);
        }
    };
    let recorded = Recorded {
        chain: settled.chain,
        agency,
        series,
        record: operation.record(&agency),
        tx: settled.tx,
        height: settled.height,
        position: settled.position,
    };
    book.recorded = Some(recorded.clone());
    let beside = book.write(file)?;
    if what.json {
        let row = json!({
            "file": file.display().to_string(), "lines": book.lines, "root": book.root,
            "document": book.document, "series": recorded.series, "record": recorded.record,
            "tx": recorded.tx, "height": recorded.height, "position": recorded.position,
            "status": what.wait.name(),
        });
        console.data(&row.to_string())?;
    } else {
        let (record, took, beside) = (recorded.record, time.read(), beside.display());
        let how = match (what.wait, lang) {
            (Wait::Accepted, crate::speech::Lang::En) => "accepted",
            (Wait::Accepted, crate::speech::Lang::Zh) => "已受理",
            (Wait::Committed, crate::speech::Lang::En) => "committed",
            (Wait::Committed, crate::speech::Lang::Zh) => "已上链",
        };
        console.talk(&say!(
            lang,
            "{lines} lines {how} as record {record} in {took}; keep the file and {beside}",
            "{lines} 行{how}，记录 {record}，用时 {took}；请保存原文件与 {beside}"
        ));
    }
    Ok(Exit::Done)
}

/// The operation of a batch: the same for the same file, so that a rerun gives the same record.
fn operation(what: &arguments::Submit, book: &Book, series: Series) -> Operation {
    let captured_at = what.captured_at.unwrap_or_else(|| book.captured_at());
    // The canonical form of what the record says of the batch.
    let content = format!(
        r#"{{"lines":{},"root":"{}","series":{}}}"#,
        book.lines,
        book.root,
        json!(series.as_str())
    );
    Operation {
        action: Action::Batch(BatchAction { series, lines: book.lines, root: book.root }),
        commitment: Commitment {
            document: book.document,
            content: Digest::blake3(content.as_bytes()),
            fields: None,
        },
        effective_from: captured_at,
        grade: what.grade.into(),
        provenance: Provenance {
            system: what.system.clone(),
            version: what.system_version.clone(),
            captured_at,
        },
    }
}
