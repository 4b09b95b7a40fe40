//! Tables: a CSV file and a mapping make a file of JSON lines, one for every row, which is then submitted like any other.
//!
//! The mapping is a JSON document with `${column}` where a cell goes. A text that is nothing but `${column:number}` becomes a
//! number, and a member that is nothing but `${column?}` is left out where the cell is empty. The lines are kept beside the
//! table: they are the documents that the records commit to, and each stands on the line of the table that its row begins on.

use super::source::pass_over;
use crate::exit::{Exit, Stop};
use serde_json::{Map, Number, Value};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufRead, BufReader, BufWriter, Read as _, Write as _},
    path::{Path, PathBuf},
};
use types::Digest;

/// The longest row, bytes.
const ROW_BYTES_MAX: usize = 1 << 20;

/// Before a row that could not be mapped: no JSON begins like this.
pub(super) const FAULT: &str = "!E-CSV-ROW ";

/// What was made of a table.
#[derive(Clone, Debug)]
pub(crate) struct Mapped {
    /// The file of lines.
    pub(crate) lines: PathBuf,
    /// The digest of the mapping: by another one the rows are other records.
    pub(crate) mapping: Digest,
}

/// Maps a table into a file of lines.
///
/// # Errors
/// When a file cannot be read or written, or the mapping asks for what the table does not have.
pub(super) fn map(table: &Path, mapping: &Path) -> Result<Mapped, Stop> {
    let usage =
        |path: &Path, why: String| Stop::says(Exit::Usage, format!("{}: {why}", path.display()));
    let text = fs::read_to_string(mapping).map_err(|why| Stop::file(mapping, why))?;
    let template: Value =
        serde_json::from_str(&text).map_err(|why| usage(mapping, why.to_string()))?;
    let fault = |why| Stop::file(table, why);
    let mut rows = Rows::new(BufReader::new(File::open(table).map_err(fault)?));
    let header = match rows.next().map_err(fault)? {
        Some(Ok(header)) => header,
        Some(Err(why)) => return Err(usage(table, format!("the first row: {why}"))),
        None => return Err(usage(table, "there is no row in it".into())),
    };
    let mut columns = BTreeMap::new();
    for (index, name) in header.iter().enumerate() {
        if columns.insert(name.trim().to_owned(), index).is_some() {
            return Err(usage(table, format!("the column {:?} is there twice", name.trim())));
        }
    }
    check(&template, &columns).map_err(|why| usage(mapping, why))?;
    let out = beside(table);
    let mut fresh = out.clone().into_os_string();
    fresh.push(".new");
    let fresh = PathBuf::from(fresh);
    let broken = |why| Stop::file(&fresh, why);
    let mut lines = BufWriter::new(File::create(&fresh).map_err(broken)?);
    let mut written = 0;
    while let Some(row) = rows.next().map_err(fault)? {
        let line = match row {
            Ok(cells) if cells.len() != header.len() => {
                let (found, wanted) = (cells.len(), header.len());
                Err(format!("{found} cells where the first row has {wanted}"))
            }
            Ok(cells) => fill(&template, &columns, &cells).map(|filled| {
                filled.map(|value| value.to_string()).unwrap_or_else(|| "{}".to_owned())
            }),
            Err(why) => Err(why.to_owned()),
        };
        let line = line.unwrap_or_else(|why| format!("{FAULT}{why}"));
        // Empty lines stand for the header, and for what else has no row: a line is known by the number it has in the table.
        while written + 1 < rows.began {
            writeln!(lines).map_err(broken)?;
            written += 1;
        }
        writeln!(lines, "{line}").map_err(broken)?;
        written += 1;
    }
    let file = lines.into_inner().map_err(|why| broken(why.into_error()))?;
    file.sync_all().map_err(broken)?;
    fs::rename(&fresh, &out).map_err(broken)?;
    Ok(Mapped { lines: out, mapping: Digest::blake3(text.as_bytes()) })
}

/// Whether a file is a table, as its name says.
pub(super) fn is_table(path: &Path) -> bool {
    path.extension().is_some_and(|name| name.eq_ignore_ascii_case("csv"))
}

/// `NAME.mapped.ndjson` beside the table.
pub(super) fn beside(table: &Path) -> PathBuf {
    let mut name = table.file_stem().unwrap_or_default().to_owned();
    name.push(".mapped.ndjson");
    table.with_file_name(name)
}

/// One `${…}`: the column, and what is to be made of its cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot<'t> {
    Text(&'t str),
    Number(&'t str),
    Optional(&'t str),
}

impl<'t> Slot<'t> {
    fn of(inside: &'t str) -> Self {
        if let Some(name) = inside.strip_suffix(":number") {
            Self::Number(name)
        } else if let Some(name) = inside.strip_suffix('?') {
            Self::Optional(name)
        } else {
            Self::Text(inside)
        }
    }

    const fn column(self) -> &'t str {
        match self {
            Self::Text(name) | Self::Number(name) | Self::Optional(name) => name,
        }
    }
}

/// The pieces of a text: what stands as it is, and slots.
fn pieces(text: &str) -> Vec<Result<&str, Slot<'_>>> {
    let (mut found, mut rest) = (Vec::new(), text);
    while let Some((before, after)) = rest.split_once("${") {
        let Some((inside, behind)) = after.split_once('}') else { break };
        found.push(Ok(before));
        found.push(Err(Slot::of(inside)));
        rest = behind;
    }
    found.push(Ok(rest));
    found.retain(|piece| *piece != Ok(""));
    found
}

/// Every column that is asked for is there.
fn check(template: &Value, columns: &BTreeMap<String, usize>) -> Result<(), String> {
    match template {
        Value::String(text) => {
            for slot in pieces(text).into_iter().filter_map(Result::err) {
                if !columns.contains_key(slot.column()) {
                    let known: Vec<&str> = columns.keys().map(String::as_str).collect();
                    let (name, known) = (slot.column(), known.join(", "));
                    return Err(format!("the table has no column {name:?}; it has {known}"));
                }
            }
            Ok(())
        }
        Value::Array(items) => items.iter().try_for_each(|item| check(item, columns)),
        Value::Object(members) => members.values().try_for_each(|item| check(item, columns)),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

/// The template with a row's cells in it; none where an optional cell is empty.
fn fill(
    template: &Value,
    columns: &BTreeMap<String, usize>,
    cells: &[String],
) -> Result<Option<Value>, String> {
    let cell = |slot: Slot<'_>| {
        columns.get(slot.column()).and_then(|at| cells.get(*at)).map_or("", |cell| cell.trim())
    };
    match template {
        Value::String(text) => match pieces(text).as_slice() {
            [Err(slot @ Slot::Optional(_))] if cell(*slot).is_empty() => Ok(None),
            [Err(slot @ Slot::Number(name))] => {
                let found = cell(*slot);
                let number: Number = serde_json::from_str(found)
                    .map_err(|_other| format!("{found:?} in column {name:?} is not a number"))?;
                Ok(Some(Value::Number(number)))
            }
            several => {
                let text = several.iter().map(|piece| match piece {
                    Ok(text) => *text,
                    Err(slot) => cell(*slot),
                });
                Ok(Some(Value::String(text.collect())))
            }
        },
        Value::Array(items) => {
            let mut filled = Vec::new();
            for item in items {
                filled.extend(fill(item, columns, cells)?);
            }
            Ok(Some(Value::Array(filled)))
        }
        Value::Object(members) => {
            // In the order of their names, whatever order the library keeps: the same row gives the same bytes for ever.
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            let mut filled = Map::new();
            for (name, item) in members {
                if let Some(value) = fill(item, columns, cells)? {
                    filled.insert(name.clone(), value);
                }
            }
            Ok(Some(Value::Object(filled)))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(Some(template.clone())),
    }
}

/// The rows of a table (RFC 4180): cells between commas, quoted where they hold commas, quotes or line ends.
struct Rows<R> {
    reader: R,
    first: bool,
    /// How many line ends were read.
    ended: u64,
    /// The line on which the last row began, from 1.
    began: u64,
}

impl<R: BufRead> Rows<R> {
    const fn new(reader: R) -> Self {
        Self { reader, first: true, ended: 0, began: 0 }
    }

    /// The next row that is not empty, or what is wrong with it.
    fn next(&mut self) -> io::Result<Option<Result<Vec<String>, &'static str>>> {
        loop {
            let (mut row, mut quotes, mut long) = (Vec::new(), 0, false);
            self.began = self.ended + 1;
            loop {
                let before = row.len();
                let most = u64::try_from(ROW_BYTES_MAX.saturating_sub(before)).unwrap_or(0);
                if (&mut self.reader).take(most).read_until(b'\n', &mut row)? == 0 {
                    long = before >= ROW_BYTES_MAX;
                    break;
                }
                self.ended += u64::from(row.ends_with(b"\n"));
                quotes += row[before..].iter().filter(|byte| **byte == b'"').count();
                // A line end within quotes is part of a cell.
                if quotes % 2 == 0 && row.ends_with(b"\n") {
                    break;
                }
            }
            if std::mem::take(&mut self.first) && row.starts_with(b"\xef\xbb\xbf") {
                row.drain(..3);
            }
            if long {
                pass_over(&mut self.reader)?;
                self.ended += 1;
                return Ok(Some(Err(
                    "longer than a row may be, or a quotation mark is not closed",
                )));
            }
            if row.is_empty() {
                return Ok(None);
            }
            let text = match String::from_utf8(row) {
                Ok(text) => text,
                Err(_bad) => return Ok(Some(Err("not UTF-8"))),
            };
            let text = text.trim_end_matches(['\r', '\n']);
            if !text.is_empty() {
                return Ok(Some(cells(text)));
            }
        }
    }
}

fn cells(row: &str) -> Result<Vec<String>, &'static str> {
    let (mut cells, mut rest) = (Vec::new(), row);
    loop {
        let after = if let Some(quoted) = rest.strip_prefix('"') {
            let mut cell = String::new();
            let mut inside = quoted;
            let after = loop {
                let (before, behind) =
                    inside.split_once('"').ok_or("a quotation mark is not closed")?;
                cell.push_str(before);
                match behind.strip_prefix('"') {
                    Some(more) => {
                        cell.push('"');
                        inside = more;
                    }
                    None => break behind,
                }
            };
            cells.push(cell);
            after
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            let (cell, after) = rest.split_at(end);
            if cell.contains('"') {
                return Err("a quotation mark within a cell that is not quoted");
            }
            cells.push(cell.to_owned());
            after
        };
        match after.strip_prefix(',') {
            Some(more) => rest = more,
            None if after.is_empty() => return Ok(cells),
            None => return Err("something follows a closing quotation mark"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<Result<Vec<String>, &'static str>> {
        let mut rows = Rows::new(text.as_bytes());
        std::iter::from_fn(|| rows.next().unwrap()).collect()
    }

    #[test]
    fn rows_are_read_as_rfc_4180_has_them() {
        let ok = |cells: &[&str]| Ok(cells.iter().map(|cell| (*cell).to_owned()).collect());
        assert_eq!(
            rows("\u{feff}a,b\r\n\n1,\"x, \"\"y\"\"\nz\"\n,\n\"\",2"),
            [ok(&["a", "b"]), ok(&["1", "x, \"y\"\nz"]), ok(&["", ""]), ok(&["", "2"])]
        );
        for (bad, why) in [("\"a", "not closed"), ("\"a\"b", "follows"), ("a\"b\"", "not quoted")] {
            let found = rows(bad).remove(0).unwrap_err();
            assert!(found.contains(why), "{bad}: {found}");
        }
        let long = format!("{}\nb\n", "x".repeat(ROW_BYTES_MAX + 1));
        assert_eq!(rows(&long)[1], ok(&["b"]));
        assert!(rows(&long)[0].is_err());
    }

    #[test]
    fn a_row_is_known_by_the_line_it_begins_on() {
        let text = "a,b\r\n\n1,\"x\ny\nz\"\n\n2,3\n";
        let mut rows = Rows::new(text.as_bytes());
        let mut began = Vec::new();
        while rows.next().unwrap().is_some() {
            began.push(rows.began);
        }
        assert_eq!(began, [1, 3, 7]);
    }

    #[test]
    fn cells_go_where_the_mapping_says() {
        let columns: BTreeMap<String, usize> =
            [("标识", 0), ("数量", 1), ("备注", 2)].map(|(name, at)| (name.to_owned(), at)).into();
        let template: Value = serde_json::from_str(
            r#"{"id":"urn:x:${标识}","n":"${数量:number}","note":"${备注?}","list":["${标识}-${数量}",true]}"#,
        )
        .unwrap();
        assert_eq!(check(&template, &columns), Ok(()));
        let fill = |cells: [&str; 3]| {
            fill(&template, &columns, &cells.map(str::to_owned))
                .map(|value| value.unwrap().to_string())
        };
        assert_eq!(fill(["A", "2", ""]).unwrap(), r#"{"id":"urn:x:A","list":["A-2",true],"n":2}"#);
        assert_eq!(
            fill([" A ", "2.5", "好\"的"]).unwrap(),
            r#"{"id":"urn:x:A","list":["A-2.5",true],"n":2.5,"note":"好\"的"}"#
        );
        assert!(fill(["A", "two", ""]).unwrap_err().contains("not a number"));
        let other: Value = serde_json::from_str(r#"["${无此列}"]"#).unwrap();
        assert!(check(&other, &columns).unwrap_err().contains("无此列"));
    }
}
