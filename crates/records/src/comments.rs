//! Comments in a document: members whose name begins with `//`. They help who fills in a template, and are no part of a record.

use crate::{
    fault::{Fault, Faults, Place, Problem, quote},
    json::{self, Value},
};

/// How the name of a comment begins.
const MARK: &str = "//";

/// Says where a document that is to be recorded still has comments.
pub(crate) fn refuse(value: &Value, place: &Place<'_>, faults: &mut Faults) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                let here = place.member(name);
                if name.starts_with(MARK) {
                    faults.add(&here, still_there(name));
                } else {
                    refuse(value, &here, faults);
                }
                if faults.is_full() {
                    return;
                }
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                refuse(value, &place.index(index), faults);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn still_there(name: &str) -> Problem {
    Problem::new(
        "E-REC-083",
        format!(
            "{:?} is a comment of a template; take the comments out with `minlian check --strip FILE`",
            quote(name)
        ),
        format!("“{}”是模板注释,请用 minlian check --strip FILE 去除", quote(name)),
    )
}

/// The same document without its comments, every other character as it was.
///
/// # Errors
/// What is wrong with the document as JSON.
pub fn strip(document: &[u8]) -> Result<Vec<u8>, Vec<Fault>> {
    // What the reader takes is well formed, so that what follows needs to look at nothing but brackets and strings.
    json::parse(document).map_err(|fault| vec![fault])?;
    let mut out = Vec::with_capacity(document.len());
    let mut cursor = Cursor { text: document, at: 0 };
    cursor.value(&mut out);
    out.extend_from_slice(&document[cursor.at..]);
    Ok(out)
}

/// Whether there is a comment anywhere in a document. What is no JSON has none.
#[must_use]
pub fn has_comments(document: &[u8]) -> bool {
    strip(document).is_ok_and(|stripped| stripped.len() != document.len())
}

/// A place in text that is known to be JSON.
struct Cursor<'t> {
    text: &'t [u8],
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or_default()
    }

    /// Passes over white space, and gives it.
    fn space(&mut self) -> core::ops::Range<usize> {
        let start = self.at;
        while matches!(self.peek(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        start..self.at
    }

    /// Passes over a string, and says whether it begins with the mark. The mark may be escaped, as `\/\/` or `\u002f`.
    fn string(&mut self) -> bool {
        let start = self.at;
        self.at += 1;
        while !matches!(self.peek(), b'"' | 0) {
            self.at += if self.peek() == b'\\' { 2 } else { 1 };
        }
        self.at += 1;
        let name = json::parse(&self.text[start..self.at]);
        name.is_ok_and(|name| name.as_str().is_some_and(|name| name.starts_with(MARK)))
    }

    /// Copies a value without its comments.
    fn value(&mut self, out: &mut Vec<u8>) {
        let space = self.space();
        out.extend_from_slice(&self.text[space]);
        match self.peek() {
            b'{' => self.members(out),
            b'[' => self.items(out),
            b'"' => {
                let start = self.at;
                self.string();
                out.extend_from_slice(&self.text[start..self.at]);
            }
            _ => {
                let start = self.at;
                while !matches!(self.peek(), b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r' | 0)
                {
                    self.at += 1;
                }
                out.extend_from_slice(&self.text[start..self.at]);
            }
        }
    }

    fn members(&mut self, out: &mut Vec<u8>) {
        out.push(b'{');
        self.at += 1;
        let mut first = true;
        loop {
            let space = self.space();
            match self.peek() {
                b'}' | 0 => {
                    out.extend_from_slice(&self.text[space]);
                    out.push(b'}');
                    self.at += 1;
                    return;
                }
                b',' => {
                    self.at += 1;
                    continue;
                }
                _ => {}
            }
            let start = self.at;
            let comment = self.string();
            let name = start..self.at;
            let colon = self.space();
            self.at += 1;
            let mut copied = Vec::new();
            self.value(&mut copied);
            if comment {
                continue;
            }
            if !first {
                out.push(b',');
            }
            first = false;
            out.extend_from_slice(&self.text[space]);
            out.extend_from_slice(&self.text[name]);
            out.extend_from_slice(&self.text[colon]);
            out.push(b':');
            out.extend_from_slice(&copied);
        }
    }

    fn items(&mut self, out: &mut Vec<u8>) {
        loop {
            // The bracket or the comma before, and the item after it if there is one.
            out.push(self.peek());
            self.at += 1;
            let before = self.at;
            self.space();
            if self.peek() != b']' {
                self.at = before;
                self.value(out);
            } else {
                out.extend_from_slice(&self.text[before..self.at]);
            }
            let space = self.space();
            out.extend_from_slice(&self.text[space]);
            if self.peek() != b',' {
                out.push(b']');
                self.at += 1;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_go_and_all_else_stays() {
        for (with, without) in [
            (r#"{"a": 1}"#, r#"{"a": 1}"#),
            (r#"{"// a": "what a is", "a": 1}"#, r#"{ "a": 1}"#),
            (r#"{"a": 1, "//": {"b": [1, 2, "}"]}}"#, r#"{"a": 1}"#),
            (r#"{"//": 1}"#, "{}"),
            (
                r#"[ {"// x": 1 , "y" : [ ] }, [], [1, {"//":2}], "// no" ]"#,
                r#"[ { "y" : [ ] }, [], [1, {}], "// no" ]"#,
            ),
            (
                r#"{"\/\/ a": 1, "\u002f/": 2, "b": "//", "c/": -1.5e3 }"#,
                r#"{ "b": "//", "c/": -1.5e3 }"#,
            ),
            (r#"{"a": "\"// no\\", "//": "\"", "b": null}"#, r#"{"a": "\"// no\\", "b": null}"#),
            ("7", "7"),
            (" [] ", " [] "),
        ] {
            let stripped = strip(with.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(stripped.clone()).unwrap(), without);
            assert_eq!(has_comments(with.as_bytes()), with != without, "{with}");
            assert_eq!(strip(&stripped).unwrap(), stripped, "{with}");
            let mut faults = Faults::default();
            refuse(&json::parse(&stripped).unwrap(), &Place::start(""), &mut faults);
            assert_eq!(faults.len(), 0, "{with}");
            refuse(&json::parse(with.as_bytes()).unwrap(), &Place::start(""), &mut faults);
            assert_eq!(faults.len() > 0, with != without, "{with}");
        }
        assert!(strip(b"{\"a\": 1, \"a\": 2}").is_err() && !has_comments(b"{"));
    }
}
