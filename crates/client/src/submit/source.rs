//! The records in a file, prepared one after another; a file of lines is never held whole.

use super::{files::Beside, table::Mapped};
use crate::exit::Stop;
use records::Capture;
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read as _},
    path::{Path, PathBuf},
};
use types::{AgencyCode, Digest, Operation, Timestamp};

/// A file of records.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// What is read: the file itself, or the lines that were made of it.
    path: PathBuf,
    /// The file that the user named.
    own: PathBuf,
    /// Its name without its folders.
    pub(crate) name: String,
    /// Its length when it was opened.
    pub(crate) bytes: u64,
    /// When it was last modified then.
    pub(crate) modified: Timestamp,
    /// Of a table, the digest of the mapping that made its lines.
    pub(crate) mapping: Option<Digest>,
    shape: Shape,
    /// What its records say of their origin.
    pub(crate) capture: Capture,
    /// When they were captured; without it, each when it took effect, as it says itself: then a file that is copied, or in
    /// which other rows were mended, makes the same records.
    pub(crate) captured_at: Option<Timestamp>,
    /// In whose name its records are signed; none when they are only checked.
    agency: Option<AgencyCode>,
}

/// How documents stand in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// The file is one document.
    Whole,
    /// Every line is one.
    Lines,
}

/// A record that may be signed.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// Its line, from 1; none in a file that is one document.
    pub(crate) line: Option<u64>,
    /// Where it is in the document: a JSON pointer.
    pub(crate) at: String,
    /// One line for people.
    pub(crate) label: String,
    /// What is to be recorded.
    pub(crate) operation: Operation,
    /// Of an event, what makes its CBV hash less of a name than it seems.
    pub(crate) doubts: Vec<&'static str>,
}

/// A record that was refused, by the check or by the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rejected {
    /// The file's name.
    pub(crate) file: String,
    /// Its line, from 1.
    pub(crate) line: Option<u64>,
    /// Where in the document: a JSON pointer.
    pub(crate) at: String,
    /// The rule it breaks.
    pub(crate) code: String,
    /// What is wrong.
    pub(crate) message: String,
    /// The same in Chinese, where there is such a text.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) zh: Option<String>,
}

/// What is found in a file.
#[derive(Debug)]
pub(crate) enum Found {
    /// A record.
    Record(Box<Item>),
    /// A document with faults, none of whose records is taken: at least one fault.
    Faulty(Vec<Rejected>),
}

impl Source {
    /// A file of the user's, ready to be read; of a table, the lines that were made of it.
    ///
    /// # Errors
    /// When the file cannot be opened or has no time.
    pub(crate) fn open(
        own: &Path,
        mapped: Option<&Mapped>,
        agency: Option<AgencyCode>,
        capture: Capture,
        captured_at: Option<Timestamp>,
    ) -> Result<Self, Stop> {
        let fault = |why| Stop::file(own, why);
        let metadata = File::open(own).and_then(|file| file.metadata()).map_err(fault)?;
        if !metadata.is_file() {
            return Err(fault(io::Error::other("not a file")));
        }
        let path = mapped.map_or(own, |mapped| mapped.lines.as_path());
        let extension = path.extension().map(|name| name.to_ascii_lowercase());
        let lines = extension.is_some_and(|name| name == "ndjson" || name == "jsonl");
        Ok(Self {
            path: path.to_owned(),
            own: own.to_owned(),
            name: own.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            bytes: metadata.len(),
            modified: modified(&metadata).map_err(fault)?,
            mapping: mapped.map(|mapped| mapped.mapping),
            shape: if lines { Shape::Lines } else { Shape::Whole },
            capture,
            captured_at,
            agency,
        })
    }

    /// A file beside this one, named after it.
    pub(crate) fn beside(&self, what: Beside) -> PathBuf {
        what.of(&self.own)
    }

    /// Reads the file from front to back and hands over what is found, until `each` returns an error.
    ///
    /// # Errors
    /// When the file cannot be read, or `each` says so.
    pub(crate) fn read(&self, mut each: impl FnMut(Found) -> Result<(), Stop>) -> Result<(), Stop> {
        let fault = |why| Stop::file(&self.path, why);
        let mut reader = BufReader::new(File::open(&self.path).map_err(fault)?);
        match self.shape {
            Shape::Whole => {
                let mut document = Vec::new();
                reader.take(limit()).read_to_end(&mut document).map_err(fault)?;
                self.prepare(None, &document, &mut each)
            }
            Shape::Lines => {
                let mut line = Vec::new();
                for number in 1.. {
                    if !read_line(&mut reader, &mut line).map_err(fault)? {
                        break;
                    }
                    if !line.iter().all(u8::is_ascii_whitespace) {
                        self.prepare(Some(number), &line, &mut each)?;
                    }
                }
                Ok(())
            }
        }
    }

    fn prepare(
        &self,
        line: Option<u64>,
        document: &[u8],
        each: &mut impl FnMut(Found) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let refuse = |at: String, code: &str, message: String, zh: String| Rejected {
            file: self.name.clone(),
            line,
            at,
            code: code.to_owned(),
            message,
            zh: Some(zh),
        };
        // A row of a table that could not be mapped, and why.
        if let Some(why) = document.strip_prefix(super::table::FAULT.as_bytes()) {
            let why = String::from_utf8_lossy(why).into_owned();
            let zh = format!("表格此行无法转换：{why}");
            return each(Found::Faulty(vec![refuse(String::new(), "E-CSV-ROW", why, zh)]));
        }
        let prepared = match records::prepare(document, &self.capture) {
            Ok(prepared) => prepared,
            Err(faults) => {
                let faults = faults
                    .into_iter()
                    .map(|fault| refuse(fault.at, fault.code, fault.message, fault.zh));
                return each(Found::Faulty(faults.collect()));
            }
        };
        for one in prepared {
            let mut one = one.captured_with_its_effect();
            if let Some(time) = self.captured_at {
                one.operation.provenance.captured_at = time;
            }
            each(match (one.actor, self.agency) {
                (Some(actor), Some(agency)) if actor != agency => Found::Faulty(vec![refuse(
                    one.at,
                    "E-AUTH-ACTOR",
                    format!("the record says that {actor} acts, but the key is one of {agency}"),
                    format!("记录写明由 {actor} 办理，而签名密钥属于 {agency}"),
                )]),
                (Some(_) | None, Some(_) | None) => Found::Record(Box::new(Item {
                    line,
                    at: one.at,
                    label: one.label,
                    operation: one.operation,
                    doubts: one.ambiguous.iter().map(|doubt| doubt.name()).collect(),
                })),
            })?;
        }
        Ok(())
    }
}

pub(super) fn modified(metadata: &std::fs::Metadata) -> io::Result<Timestamp> {
    let since = metadata
        .modified()?
        .duration_since(std::time::UNIX_EPOCH)
        .map_err(|why| io::Error::other(why.to_string()))?;
    let time = u64::try_from(since.as_millis()).map(Timestamp).map_err(io::Error::other)?;
    if time.is_sound() { Ok(time) } else { Err(io::Error::other("modified after the year 9998")) }
}

/// One byte more than a document may have: enough for `prepare` to say that it is too long.
fn limit() -> u64 {
    u64::try_from(records::DOCUMENT_BYTES_MAX).map_or(u64::MAX, |max| max.saturating_add(1))
}

/// Reads a line without its end, at most [`limit`] bytes of it; the rest of a longer one is passed over.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    if reader.take(limit()).read_until(b'\n', line)? == 0 {
        return Ok(false);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
    } else if u64::try_from(line.len()) == Ok(limit()) {
        pass_over(reader)?;
    }
    Ok(true)
}

pub(super) fn pass_over(reader: &mut impl BufRead) -> io::Result<()> {
    loop {
        let seen = reader.fill_buf()?;
        let end = seen.iter().position(|byte| *byte == b'\n');
        let (length, done) =
            (end.map_or(seen.len(), |at| at + 1), end.is_some() || seen.is_empty());
        reader.consume(length);
        if done {
            return Ok(());
        }
    }
}
