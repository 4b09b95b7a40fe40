//! Templates: a document of every kind that can be submitted, with a comment on what needs one.

use crate::{
    console::Console,
    exit::{Exit, Stop},
    speech::{Lang, say},
};
use clap::{Args, ValueEnum};
use serde_json::json;
use std::{fs::OpenOptions, io::Write as _, path::PathBuf};

/// Write a commented example of a document
///
/// Comments are members whose name begins with `//`. `minlian check` passes over them; before the document is submitted they
/// are taken out, with `minlian check --strip`, or never written, with --plain.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  minlian new item --out item.json\n  minlian check item.json\n  \
                  minlian check item.json --strip > item.clean.json && minlian submit item.clean.json …\n  \
                  minlian new licence --plain > licence.json"
)]
pub(crate) struct New {
    /// What kind of document
    #[arg(value_name = "KIND")]
    pub(crate) kind: Kind,
    /// Without comments: ready to be submitted
    #[arg(long)]
    pub(crate) plain: bool,
    /// The file to write; one that is there is left alone. Default: standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// What was written where, as JSON on standard output
    #[arg(long, requires = "out")]
    pub(crate) json: bool,
}

/// The kinds of documents there are templates of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// A service item 政务服务事项
    Item,
    /// Several items merged into one 合并
    Merge,
    /// An item split into several 拆分
    Split,
    /// A named list of items 专题清单
    List,
    /// An e-licence 电子证照
    Licence,
    /// A traceability event, EPCIS 2.0 溯源
    Event,
    /// Leave to look at a licence 亮证
    Grant,
    /// A use of a licence 用证
    Use,
    /// A proposal to change who may do what 治理
    Govern,
    /// A proposal of the uniform elements 五级十五同
    Elements,
    /// A delegation to the level below 委托
    Delegate,
}

impl Kind {
    const fn text(self) -> &'static str {
        match self {
            Self::Item => include_str!("../templates/item.json"),
            Self::Merge => include_str!("../templates/merge.json"),
            Self::Split => include_str!("../templates/split.json"),
            Self::List => include_str!("../templates/list.json"),
            Self::Licence => include_str!("../templates/licence.json"),
            Self::Event => include_str!("../templates/event.json"),
            Self::Grant => include_str!("../templates/grant.json"),
            Self::Use => include_str!("../templates/use.json"),
            Self::Govern => include_str!("../templates/govern.json"),
            Self::Elements => include_str!("../templates/elements.json"),
            Self::Delegate => include_str!("../templates/delegate.json"),
        }
    }
}

/// Writes a template.
///
/// # Errors
/// When it cannot be written, or the file is there.
pub(crate) fn run(what: &New, console: &Console) -> Result<Exit, Stop> {
    let text = template(what.kind, console.lang(), what.plain);
    let Some(path) = &what.out else {
        console.data(text.trim_end())?;
        return Ok(Exit::Done);
    };
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .map_err(|why| Stop::file(path, why))?;
    file.write_all(text.as_bytes()).map_err(|why| Stop::file(path, why))?;
    let name = path.display().to_string();
    if what.json {
        console.data(&json!({ "file": name, "bytes": text.len() }).to_string())?;
    } else {
        let lang = console.lang();
        console.talk(&if what.plain {
            say!(lang, "{name}: fill it in, then: minlian check {name}", "已写入 {name}:填写后运行 minlian check {name}")
        } else {
            say!(
                lang,
                "{name}: fill it in, then: minlian check {name}, and take the comments out: minlian check --strip {name}",
                "已写入 {name}:填写后运行 minlian check {name};提交前去除注释:minlian check --strip {name}"
            )
        });
    }
    Ok(Exit::Done)
}

/// The template of a kind, its comments in one language or none.
fn template(kind: Kind, lang: Lang, plain: bool) -> String {
    let lines = kind.text().lines().filter_map(|line| {
        let is_comment = line.trim_start().starts_with("\"//");
        match (is_comment, plain) {
            (true, true) => None,
            (true, false) => Some(in_one_language(line, lang)),
            (false, _) => Some(line.to_owned()),
        }
    });
    lines.map(|line| line + "\n").collect()
}

/// A comment is written in both languages: `"// name": "中文 | English",`.
fn in_one_language(line: &str, lang: Lang) -> String {
    let Some((zh, en)) = line.split_once(" | ") else { return line.to_owned() };
    match lang {
        Lang::Zh => format!("{zh}\","),
        Lang::En => {
            let head = zh.find("\": \"").map_or(zh, |at| &zh[..at + 4]);
            format!("{head}{en}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use records::Capture;

    fn capture() -> Capture {
        Capture {
            system: "test".parse().unwrap(),
            version: "1".parse().unwrap(),
            captured_at: types::Timestamp(0),
            grade: types::operation::Grade::Public,
        }
    }

    #[test]
    fn every_template_is_right_with_comments_and_without() {
        for kind in Kind::value_variants() {
            for lang in [Lang::En, Lang::Zh] {
                let commented = template(*kind, lang, false);
                assert!(records::has_comments(commented.as_bytes()), "{kind:?}");
                assert!(!commented.contains(" | "), "{commented}");
                let refused = records::prepare(commented.as_bytes(), &capture()).unwrap_err();
                assert!(refused.iter().any(|fault| fault.code == "E-REC-083"), "{kind:?}");
                let stripped = records::strip(commented.as_bytes()).unwrap();
                let plain = template(*kind, lang, true);
                let value =
                    |bytes: &[u8]| -> serde_json::Value { serde_json::from_slice(bytes).unwrap() };
                assert_eq!(value(&stripped), value(plain.as_bytes()), "{kind:?}");
                for document in [&stripped[..], plain.as_bytes()] {
                    let prepared = records::prepare(document, &capture());
                    let prepared =
                        prepared.unwrap_or_else(|faults| panic!("{kind:?}: {faults:#?}"));
                    assert_eq!(prepared.len(), 1, "{kind:?}");
                }
            }
        }
    }

    #[test]
    fn a_comment_is_in_one_language() {
        let line = r#"  "// a": "甲 | first | and second","#;
        assert_eq!(in_one_language(line, Lang::Zh), r#"  "// a": "甲","#);
        assert_eq!(in_one_language(line, Lang::En), r#"  "// a": "first | and second","#);
        assert_eq!(in_one_language(r#""// a": "x","#, Lang::En), r#""// a": "x","#);
    }
}
