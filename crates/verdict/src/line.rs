//! What a proof of one line of a batch shows, in words and for programs.

use crate::{
    layout::{count, hang},
    report::Answer,
    speech::{self, Lang, answer, say},
};
use proof::{LINE_MAGIC, LineVerdict, ProofError, TrustRoot, verify_line};
use serde_json::{Value, json};
use types::Digest;

/// Whether bytes are the proof of a line.
#[must_use]
pub fn is_line(bytes: &[u8]) -> bool {
    bytes.starts_with(LINE_MAGIC)
}

/// What was found out about the proof of a line, before it is put into words.
#[derive(Debug)]
pub struct Line {
    checked: LineVerdict,
    document: Option<Digest>,
}

impl Line {
    /// Checks the proof of a line, and whether a document is the one behind it.
    #[must_use]
    pub fn examine(bytes: &[u8], root: &TrustRoot, document: Option<&[u8]>) -> Self {
        Self { checked: verify_line(bytes, root), document: document.map(Digest::blake3) }
    }

    /// The answer in one word, and the code of what stands in its way.
    #[must_use]
    pub fn decide(&self) -> (Answer, Option<&'static str>) {
        match &self.checked.result {
            Ok(line) => match self.document {
                Some(digest) if digest.bytes != line.line.0 => {
                    (Answer::NotProven, Some("V-DOC-MISMATCH"))
                }
                Some(_) | None => (Answer::Proven, None),
            },
            Err(why) => {
                let inner = self.checked.inner.as_ref().and_then(|inner| inner.error());
                let undecided = why.is_undecided() || inner.is_some_and(ProofError::is_undecided);
                (if undecided { Answer::CannotCheck } else { Answer::NotProven }, Some(why.code()))
            }
        }
    }

    /// The same for programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let (result, code) = self.decide();
        let line = self.checked.result.as_ref().ok();
        json!({
            "result": result.name(),
            "code": code,
            "line": line.map(|line| line.line),
            "number": line.map(|line| line.index + 1),
            "lines": line.map(|line| line.batch.lines),
            "series": line.map(|line| &line.batch.series),
            "root": line.map(|line| line.batch.root),
            "record": line.map(|line| line.entry.record),
            "recorded": line.map(|line| json!({"height": line.entry.height, "time": line.entry.time, "position": line.entry.position})),
            "detail": self.checked.result.as_ref().err().map(ToString::to_string),
        })
    }

    /// What people are told.
    #[must_use]
    pub fn words(&self, lang: Lang) -> String {
        let (result, code) = self.decide();
        let (word, _mark) = answer(lang, result);
        match (&self.checked.result, code) {
            (Ok(line), None) => {
                let (digest, number, lines) =
                    (line.line, count(line.index + 1), count(line.batch.lines));
                let (series, record) = (speech::clean(&line.batch.series), line.entry.record);
                let (height, time) = (count(line.entry.height.0), line.entry.time.in_china());
                let said = say!(
                    lang,
                    "The digest {digest} is line {number} of the {lines} lines committed to by record {record} in the series \
                     {series}, which was recorded in block {height} ({time}) and not changed since. \
                     What the digest is of, whoever holds the document and its salt can show.",
                    "摘要 {digest} 是系列 {series} 中记录 {record} 所承诺的 {lines} 行中的第 {number} 行；该记录载于区块 \
                     {height}（{time}），此后未被改动。摘要对应的内容由持有原文与盐值者出示。"
                );
                format!("{word}\n{}", hang("  ", &said))
            }
            (Ok(_), Some(code)) => {
                let why = say!(
                    lang,
                    "the document is not the one behind this line",
                    "所附文件不是该行对应的文件"
                );
                format!("{word}  {code}\n  {why}")
            }
            (Err(why), code) => format!("{word}  {}\n  {why}", code.unwrap_or_default()),
        }
    }
}
