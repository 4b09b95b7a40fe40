//! Checking documents without a node, a key or a network: every fault with its place, its code, and what would be right.

use crate::{
    console::Console,
    exit::{Exit, Stop},
    layout::{count, hang},
    speech::{self, Lang, say},
};
use clap::Args;
use records::{Capture, DOCUMENT_BYTES_MAX, Fault};
use serde_json::{Value, json};
use std::{
    fs::File,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
};
use types::{Timestamp, operation::Grade};

/// Check documents, offline, and explain every fault
///
/// Reads what `minlian submit` reads, and submits nothing. Comments of a template are passed over. What a document alone
/// cannot tell is not checked: whether the agency may act, which version is next, where a licence stands.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  minlian check licences.ndjson item.json\n  minlian check item.json --lang zh-CN\n  \
                  minlian check item.json --strip > item.clean.json\n\nExit codes: 0 nothing wrong, 1 faults."
)]
pub(crate) struct Check {
    /// The files; `.ndjson` and `.jsonl` hold one document a line
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Write the document without the comments of a template to standard output
    #[arg(long, conflicts_with = "json")]
    pub(crate) strip: bool,
    /// JSON on standard output
    #[arg(long)]
    pub(crate) json: bool,
}

/// What was found in a document.
#[derive(Debug)]
struct Found {
    line: Option<u64>,
    comments: bool,
    result: Result<Vec<records::Prepared>, Vec<Fault>>,
}

/// A document of a file, with its line if the file has one a line.
type Document<'t> = (Option<u64>, &'t [u8]);

/// Checks files.
///
/// # Errors
/// When one cannot be read.
pub(crate) fn run(what: &Check, console: &Console) -> Result<Exit, Stop> {
    let lang = console.lang();
    if what.strip && what.files.len() > 1 {
        let why = say!(lang, "--strip takes one file", "--strip 一次只处理一个文件");
        return Err(Stop::says(Exit::Usage, why));
    }
    let (mut rows, mut records, mut faults) = (Vec::new(), 0, 0);
    for path in &what.files {
        let bytes = read(path)?;
        let file = path.display().to_string();
        let documents = documents(path, &bytes);
        if what.strip {
            return strip(&documents, console, &file);
        }
        for found in documents.into_iter().map(look) {
            match &found.result {
                Ok(prepared) => records += prepared.len(),
                Err(wrong) => faults += wrong.len(),
            }
            if what.json {
                rows.push(row(&file, &found));
            } else {
                tell(&file, &found, console)?;
            }
        }
    }
    if what.json {
        let answer = json!({
            "ok": faults == 0, "records": records, "faults": faults, "documents": rows,
        });
        console.data(&answer.to_string())?;
    } else {
        console.talk(&summary(lang, records, faults));
    }
    Ok(if faults == 0 { Exit::Done } else { Exit::Negative })
}

/// At most one byte more than a document may have is read of a file that is one.
fn read(path: &Path) -> Result<Vec<u8>, Stop> {
    let fault = |why| Stop::file(path, why);
    let mut bytes = Vec::new();
    let mut file = File::open(path).map_err(fault)?;
    if is_lines(path) {
        file.read_to_end(&mut bytes).map_err(fault)?;
    } else {
        let limit = u64::try_from(DOCUMENT_BYTES_MAX).map_or(u64::MAX, |max| max.saturating_add(1));
        file.take(limit).read_to_end(&mut bytes).map_err(fault)?;
    }
    Ok(bytes)
}

fn is_lines(path: &Path) -> bool {
    let extension = path.extension().map(|name| name.to_ascii_lowercase());
    extension.is_some_and(|name| name == "ndjson" || name == "jsonl")
}

fn documents<'t>(path: &Path, bytes: &'t [u8]) -> Vec<Document<'t>> {
    if !is_lines(path) {
        return vec![(None, bytes)];
    }
    let lines = bytes.split(|byte| *byte == b'\n').zip(1..);
    lines
        .map(|(line, number)| (Some(number), line.strip_suffix(b"\r").unwrap_or(line)))
        .filter(|(_, line)| !line.iter().all(u8::is_ascii_whitespace))
        .collect()
}

fn look((line, document): Document<'_>) -> Found {
    let stripped = records::strip(document);
    let comments = stripped.as_ref().is_ok_and(|stripped| stripped.len() != document.len());
    // A fault's place is a pointer, which is the same with the comments and without.
    let result = stripped.and_then(|stripped| records::prepare(&stripped, &capture()));
    Found { line, comments, result }
}

/// Nothing of it is recorded, so anything will do.
fn capture() -> Capture {
    Capture {
        system: "check".parse().expect("a word is a text"),
        version: "1".parse().expect("a number is a text"),
        captured_at: Timestamp::default(),
        grade: Grade::Internal,
    }
}

fn strip(documents: &[Document<'_>], console: &Console, file: &str) -> Result<Exit, Stop> {
    let mut out = Vec::new();
    let mut exit = Exit::Done;
    for (line, document) in documents {
        match records::strip(document) {
            Ok(stripped) => {
                out.extend_from_slice(&stripped);
                if line.is_some() {
                    out.push(b'\n');
                }
            }
            Err(faults) => {
                exit = Exit::Negative;
                let found = Found { line: *line, comments: false, result: Err(faults) };
                for text in lines(console.lang(), file, &found) {
                    console.talk(&text);
                }
            }
        }
    }
    // Every byte counts: the digest of a document is of exactly these.
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(&out).and_then(|()| stdout.flush())?;
    Ok(exit)
}

fn row(file: &str, found: &Found) -> Value {
    let (records, faults) = match &found.result {
        Ok(prepared) => {
            let record = |one: &records::Prepared| json!({ "at": one.at, "label": one.label, "actor": one.actor });
            (prepared.iter().map(record).collect(), Vec::new())
        }
        Err(faults) => (Vec::new(), faults.clone()),
    };
    json!({
        "file": file, "line": found.line, "comments": found.comments,
        "records": Value::Array(records), "faults": faults,
    })
}

fn tell(file: &str, found: &Found, console: &Console) -> Result<(), Stop> {
    for text in lines(console.lang(), file, found) {
        console.data(&text)?;
    }
    Ok(())
}

fn lines(lang: Lang, file: &str, found: &Found) -> Vec<String> {
    let line = found.line.map(|line| format!(":{line}")).unwrap_or_default();
    let file = speech::clean(&format!("{file}{line}"));
    match &found.result {
        Ok(prepared) => {
            let records = prepared.len();
            let mut text =
                say!(lang, "✔ {file}   {records} records", "✔ {file}   记录 {records} 条");
            if found.comments {
                text.push_str(&say!(
                    lang,
                    "; comments are to be taken out before it is submitted: minlian check --strip",
                    ";含模板注释,提交前请用 minlian check --strip 去除"
                ));
            }
            vec![text]
        }
        Err(faults) => {
            let one = |fault: &Fault| {
                let place = speech::place(lang, None, &fault.at);
                let message = match lang {
                    Lang::En => &fault.message,
                    Lang::Zh => &fault.zh,
                };
                let head = format!("  {}  {}  ", fault.code, speech::clean(&place));
                hang(&head, &speech::clean(message))
            };
            let number = count(u64::try_from(faults.len()).unwrap_or(u64::MAX));
            let title = if faults.len() >= records::FAULTS_MAX {
                say!(
                    lang,
                    "✘ {file}   {number} faults, and perhaps more",
                    "✘ {file}   {number} 处错误,可能还有更多"
                )
            } else {
                say!(lang, "✘ {file}   {number} faults", "✘ {file}   {number} 处错误")
            };
            std::iter::once(title).chain(faults.iter().map(one)).collect()
        }
    }
}

fn summary(lang: Lang, records: usize, faults: usize) -> String {
    let number = speech::records(lang, records.try_into().unwrap_or(u64::MAX));
    let (are, s) = (if records == 1 { "is" } else { "are" }, if faults == 1 { "" } else { "s" });
    if faults == 0 {
        say!(
            lang,
            "{number} {are} in order, as far as a document alone can tell. Nothing was submitted.",
            "{number}格式无误(权限、版本、状态须由节点判断)。未提交任何内容。"
        )
    } else {
        say!(
            lang,
            "{number} in order, {faults} fault{s}. Nothing was submitted; what each code means is in crates/records/README.md.",
            "{number}无误,{faults} 处错误。未提交任何内容;错误代码见 crates/records/README.md。"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_told_with_its_place_in_both_languages() {
        let document = r#"{"// op": "a comment", "op": "item.publish", "effective": "soon", "item": {
            "// x": 1, "事项版本": 0, "实施编码": "11350122XXXX0006X94350117002011"}, "more": 1}"#;
        let found = look((Some(3), document.as_bytes()));
        assert!(found.comments);
        let faults = found.result.as_ref().unwrap_err();
        let told: Vec<_> = faults.iter().map(|f| (f.code, f.at.as_str())).collect();
        for want in [
            ("E-REC-012", "/more"),
            ("E-REC-015", "/effective"),
            ("E-REC-011", "/item"),
            ("E-REC-048", "/item/事项版本"),
        ] {
            assert!(told.contains(&want), "{told:?}");
        }
        let en = lines(Lang::En, "a.ndjson", &found).join("\n");
        let zh = lines(Lang::Zh, "a.ndjson", &found).join("\n");
        assert!(en.starts_with("✘ a.ndjson:3   4 faults") && zh.contains("处错误"), "{en}\n{zh}");
        assert!(en.contains("a version is a whole number") && zh.contains("事项版本应为"), "{zh}");
        assert!(row("a", &found)["faults"].as_array().unwrap().len() == 4);
    }

    #[test]
    fn lines_are_documents_of_their_own() {
        let text = b"{\"op\":1}\r\n\n  \n[]\n";
        let lines = documents(Path::new("a.NDJSON"), text);
        assert_eq!(lines, [(Some(1), &b"{\"op\":1}"[..]), (Some(4), &b"[]"[..])]);
        assert_eq!(documents(Path::new("a.json"), text).len(), 1);
    }
}
