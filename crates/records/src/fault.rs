//! Faults: what is wrong with a document, where, and what would have been right, in two languages.

use core::fmt;
use serde::Serialize;
use std::borrow::Cow;
use types::{agency::CodeError, text::TextError};

/// One thing wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{code} at {place}: {message}", place = if self.at.is_empty() { "the document" } else { self.at.as_str() })]
pub struct Fault {
    /// Where: a JSON pointer (RFC 6901), empty for the whole document. A very long name in it is cut, and ends in `…`.
    pub at: String,
    /// The stable name of the rule that is broken, such as `E-REC-011`; the list is in this crate's `README.md`.
    pub code: &'static str,
    /// What is wrong and what would be right.
    pub message: String,
    /// The same in Chinese.
    pub zh: String,
}

/// The most faults reported for one document; past that a person fixes the first ones and tries again.
pub const FAULTS_MAX: usize = 50;

/// Where one is in a document: a list of steps that lives on the stack, written out only when something is wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'p> {
    parent: Option<&'p Self>,
    step: Step<'p>,
}

#[derive(Clone, Copy, Debug)]
enum Step<'p> {
    /// From here on, a pointer that was written out before.
    Start(&'p str),
    Member(&'p str),
    Index(usize),
}

impl<'p> Place<'p> {
    pub(crate) const fn start(pointer: &'p str) -> Self {
        Self { parent: None, step: Step::Start(pointer) }
    }

    pub(crate) const fn member<'q>(&'q self, name: &'q str) -> Place<'q>
    where
        'p: 'q,
    {
        Place { parent: Some(self), step: Step::Member(name) }
    }

    pub(crate) const fn index<'q>(&'q self, index: usize) -> Place<'q>
    where
        'p: 'q,
    {
        Place { parent: Some(self), step: Step::Index(index) }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Start(pointer) => f.write_str(pointer),
            Step::Member(name) => write!(f, "/{}", token(name)),
            Step::Index(index) => write!(f, "/{index}"),
        }
    }
}

/// A member's name as a token of a JSON pointer. A name may have megabytes, and every fault beneath it repeats it.
pub(crate) fn token(name: &str) -> String {
    const SHOWN: usize = 200;
    cut(name, SHOWN).replace('~', "~0").replace('/', "~1")
}

/// The faults found so far: at most [`FAULTS_MAX`].
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, at: &Place<'_>, problem: Problem) {
        if !self.is_full() {
            self.0.push(problem.at(at.to_string()));
        }
    }

    pub(crate) const fn is_full(&self) -> bool {
        self.0.len() >= FAULTS_MAX
    }

    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    /// The value, unless something was wrong.
    pub(crate) fn or<T>(self, value: T) -> Result<T, Vec<Fault>> {
        if self.0.is_empty() { Ok(value) } else { Err(self.0) }
    }
}

/// A fault that does not know its place yet.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    code: &'static str,
    message: String,
    zh: String,
}

impl Problem {
    pub(crate) fn new(
        code: &'static str,
        message: impl Into<String>,
        zh: impl Into<String>,
    ) -> Self {
        Self { code, message: message.into(), zh: zh.into() }
    }

    pub(crate) fn at(self, at: String) -> Fault {
        Fault { at, code: self.code, message: self.message, zh: self.zh }
    }

    /// There is more of something than anyone should send.
    pub(crate) fn too_many(what: &str, zh: &str, limit: usize) -> Self {
        Self::new("E-REC-005", format!("more than {limit} {what}"), format!("{zh}超过上限 {limit}"))
    }

    pub(crate) fn missing(name: &str) -> Self {
        Self::new("E-REC-011", format!("`{name}` is missing"), format!("缺少“{name}”"))
    }

    pub(crate) fn unknown_member(name: &str) -> Self {
        Self::new(
            "E-REC-012",
            format!("`{}` is not a member known here; a typing error?", quote(name)),
            format!("此处没有名为“{}”的成员,请检查拼写", quote(name)),
        )
    }

    /// The JSON type is another one.
    pub(crate) fn kind(expected: &str, zh: &str) -> Self {
        Self::new("E-REC-013", format!("should be {expected}"), format!("应为{zh}"))
    }

    /// Text the ledger would not carry.
    pub(crate) fn text(why: &TextError) -> Self {
        let zh = match why {
            TextError::Empty => "不得为空".to_owned(),
            TextError::TooLong { found, limit } => {
                format!("文本为 {found} 字节,上限为 {limit} 字节")
            }
            TextError::Character(code) => format!("含有不允许的字符 U+{code:04X}"),
            TextError::Space => "首尾不得有空白".to_owned(),
        };
        Self::new("E-REC-014", why.to_string(), zh)
    }

    pub(crate) fn time(found: &str) -> Self {
        Self::new(
            "E-REC-015",
            format!(
                "{:?} is not a time with an offset from 1970 to 9999, such as 2026-03-01T08:00:00+08:00",
                quote(found)
            ),
            format!("“{}”不是带时区的时间(RFC 3339),例如 2026-03-01T08:00:00+08:00", quote(found)),
        )
    }

    pub(crate) fn date(found: &str) -> Self {
        Self::new(
            "E-REC-015",
            format!("{:?} is not a date from 1970 to 9999 written YYYYMMDD", quote(found)),
            format!("“{}”不是日期,应写作 YYYYMMDD", quote(found)),
        )
    }

    pub(crate) fn not_here(name: &str, place: &str, zh: &str) -> Self {
        Self::new(
            "E-REC-016",
            format!("`{name}` does not belong in {place}"),
            format!("“{name}”不应出现在{zh}中"),
        )
    }

    /// A value outside a short list.
    pub(crate) fn not_one_of(code: &'static str, found: &str, allowed: &[&str]) -> Self {
        let list = allowed.join(", ");
        Self::new(
            code,
            format!("{:?} is not one of {list}", quote(found)),
            format!("“{}”不在允许值之内:{list}", quote(found)),
        )
    }

    pub(crate) fn not_a_uri(found: &str) -> Self {
        Self::new(
            "E-REC-024",
            format!(
                "{:?} is not a URI: it needs a scheme, and only printable ASCII without spaces",
                quote(found)
            ),
            format!("“{}”不是 URI:须有方案名,且仅含可打印的 ASCII 字符", quote(found)),
        )
    }

    pub(crate) fn code_error(found: &str, why: CodeError) -> Self {
        let zh = match why {
            CodeError::Length => "应为 18 位".to_owned(),
            CodeError::Character(c) => format!("不应含有字符“{c}”"),
            CodeError::OrganisationCheck(c) => format!("第 17 位(组织机构代码校验位)应为“{c}”"),
            CodeError::Check(c) => format!("第 18 位(校验位)应为“{c}”"),
        };
        Self::new(
            "E-REC-044",
            format!("{:?} is not a 统一社会信用代码: {why}", quote(found)),
            format!("“{}”不是有效的统一社会信用代码:{zh}", quote(found)),
        )
    }

    /// Two members that must agree do not.
    pub(crate) fn disagree(one: &str, other: &str) -> Self {
        Self::new(
            "E-REC-047",
            format!("{one} and {other} disagree"),
            format!("{one} 与 {other} 不一致"),
        )
    }

    pub(crate) fn personal(what: &str, zh: &str) -> Self {
        Self::new(
            "E-REC-052",
            format!(
                "contains what looks like {what}; personal data does not go on the ledger in the clear"
            ),
            format!("含有疑似{zh}的内容;个人信息不得以明文上链"),
        )
    }
}

/// A document's own words, cut short enough for a message.
pub(crate) fn quote(text: &str) -> String {
    const SHOWN: usize = 60;
    cut(text, SHOWN)
        .chars()
        .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
        .collect()
}

/// The first characters of a text, and an ellipsis if there are more.
fn cut(text: &str, shown: usize) -> Cow<'_, str> {
    match text.char_indices().nth(shown) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_whole_names_unless_they_are_very_long() {
        let (whole, root) = ("水".repeat(200), Place::start("/0"));
        for (name, want) in [
            ("a/b~c".to_owned(), "/0/a~1b~0c".to_owned()),
            (whole.clone(), format!("/0/{whole}")),
            (format!("{whole}水"), format!("/0/{whole}…")),
            ("~".repeat(201), format!("/0/{}…", "~0".repeat(200))),
        ] {
            assert_eq!(root.member(&name).to_string(), want);
        }
    }
}
