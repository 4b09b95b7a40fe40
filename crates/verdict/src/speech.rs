//! What people are told of a proof and of what it is about, in both languages side by side.

mod problem;
mod shown;
mod step;
pub mod usage;
mod words;

pub use shown::{meaning, reason};
pub use step::steps;
pub(crate) use words::agency;
pub use words::{act, facts, part, records, status, thing};

use crate::{
    VERSION,
    layout::{count, hang, pad},
    report::{Answer, Report},
};
use proof::{Claim, Hashed, Proof, StatusClaim};
use std::fmt::Write as _;
use unicode_width::UnicodeWidthStr as _;

/// A language people are spoken to in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lang {
    /// English
    En,
    /// 中文
    Zh,
}

impl Lang {
    /// The one of two sentences that is in this language.
    #[must_use]
    pub const fn pick<'t>(self, en: &'t str, zh: &'t str) -> &'t str {
        match self {
            Self::En => en,
            Self::Zh => zh,
        }
    }
}

/// The same sentence in both languages; the one that is asked for is written.
#[macro_export]
macro_rules! say {
    ($lang:expr, $en:literal, $zh:literal $(,)?) => {
        match $lang {
            $crate::speech::Lang::En => format!($en),
            $crate::speech::Lang::Zh => format!($zh),
        }
    };
}
pub use crate::say;

/// Whether a character may be shown: no controls, nothing that reorders what is read.
pub fn is_plain(c: char) -> bool {
    !(c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'))
}

/// Whether a character is not seen at all where it stands: two identifiers that differ by one look the same.
const fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200d}' | '\u{2028}' | '\u{2029}'
            | '\u{2060}'..='\u{2065}' | '\u{3164}' | '\u{ffa0}' | '\u{e0001}'..='\u{e007f}'
    )
}

/// An answer, with a sign for whatever in it would not be seen or would reorder what is read: `<U+200B>`.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\n' || (is_plain(c) && !is_unseen(c)) {
            out.push(c);
        } else {
            let code = u32::from(c);
            write!(out, "<U+{code:04X}>").expect("a String takes what it is given");
        }
    }
    out
}

/// Somebody else's words, without anything that could deceive a terminal.
pub fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if is_plain(c) || c == '\n' { c } else { char::REPLACEMENT_CHARACTER })
        .collect()
}

// ── Verification ──

/// How a step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It holds.
    Passed,
    /// It does not.
    Failed,
    /// Nobody could look.
    NotEvaluated,
}

impl Mark {
    /// Its name, for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NotEvaluated => "not-evaluated",
        }
    }

    /// Its sign, for people.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Passed => "✔",
            Self::Failed => "✘",
            Self::NotEvaluated => "–",
        }
    }

    fn paint(self, text: &str, colour: bool) -> String {
        let code = match self {
            Self::Passed => "32",
            Self::Failed => "31",
            Self::NotEvaluated => "33",
        };
        if colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// One step of a check, in words.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its name, for programs.
    pub check: &'static str,
    /// Of which claim.
    pub claim: Option<usize>,
    /// How it went.
    pub mark: Mark,
    /// The code of what is wrong.
    pub code: Option<&'static str>,
    /// Its name, for people.
    pub title: &'static str,
    /// What it says.
    pub text: String,
}

/// Past this many claims only those that do not hold are told one by one.
const CLAIMS_SHOWN: usize = 5;

/// The whole answer, for a terminal.
pub fn report(lang: Lang, report: &Report, colour: bool) -> String {
    let (word, mark) = answer(lang, report.answer());
    let subject = about(lang, report).unwrap_or_else(|| report.file.clone());
    let mut out = format!("{}   {subject}\n\n", mark.paint(word, colour));
    let steps = steps(lang, report);
    let columns = steps.iter().map(|step| step.title.width()).max().unwrap_or(0) + 2;
    let claims = report.proof().map_or(0, |proof| proof.claims.len());
    for (number, step) in (1..).zip(&steps) {
        if step.claim.is_some_and(|claim| claim >= CLAIMS_SHOWN) && step.mark == Mark::Passed {
            continue;
        }
        let code = step.code.map(|code| format!("   {code}"));
        let head = format!("{number:>3} {} {}", step.mark.sign(), pad(step.title, columns));
        let line = hang(&head, &format!("{}{}", step.text, code.unwrap_or_default()));
        // Painted last: the signs of colour have no width, and hanging would count them.
        let sign = step.mark.sign();
        out.push_str(&line.replacen(sign, &step.mark.paint(sign, colour), 1));
        out.push('\n');
    }
    if claims > CLAIMS_SHOWN {
        let more = claims - CLAIMS_SHOWN;
        let line = say!(
            lang,
            "    … the steps of {more} more claims are left out where they hold",
            "    …… 其余 {more} 项声明中成立的步骤从略"
        );
        out.push_str(&line);
        out.push('\n');
    }
    if !steps.is_empty() {
        out.push('\n');
    }
    let (shown, not_shown) = meaning(lang, report);
    let (yes, no) = headings_of_meaning(lang);
    let columns = yes.width().max(no.width()) + 3;
    if report.answer() == Answer::Proven {
        for (head, sentences) in [(yes, shown), (no, not_shown)] {
            out.push_str(&hang(&pad(head, columns), &sentences.join("\n")));
            out.push('\n');
        }
    } else if let Some(reason) = reason(lang, report) {
        let code = report.code().map(|code| say!(lang, "code {code}", "代码 {code}"));
        out.push_str(&hang("", &reason));
        writeln!(out, "\n{}", code.unwrap_or_default()).expect("a String takes what it is given");
    }
    out.push_str(&foot(lang, report));
    out
}

/// Every hash that the check computes, a line each; the words are those of the format, which is English.
pub fn explanation(lang: Lang, report: &Report) -> String {
    let Some(proof) = report.proof() else {
        return lang
            .pick(
                "There is nothing to explain: the file could not be read.",
                "文件无法读取，没有可说明的步骤。",
            )
            .to_owned();
    };
    let mut out =
        lang.pick("Every hash, as FORMAT.md names them", "全部哈希（名称见 FORMAT.md）").to_owned();
    for Hashed { claim, what, hash } in proof::explain(proof).iter().chain(&report.beyond.hashes) {
        let of = claim.map_or_else(String::new, |claim| format!("claim {claim}: "));
        let line = clean(&format!("{of}{what}"));
        write!(out, "\n{hash}  {line}").expect("a String takes what it is given");
    }
    out
}

/// The answer in one word, and how that is marked.
pub const fn answer(lang: Lang, answer: Answer) -> (&'static str, Mark) {
    match answer {
        Answer::Proven => (lang.pick("PROVEN", "已证明"), Mark::Passed),
        Answer::NotProven => (lang.pick("NOT PROVEN", "未证明"), Mark::Failed),
        Answer::CannotCheck => (lang.pick("CANNOT CHECK", "无法核验"), Mark::NotEvaluated),
    }
}

/// What stands over the sentences of [`meaning`].
pub const fn headings_of_meaning(lang: Lang) -> (&'static str, &'static str) {
    (lang.pick("What this shows", "证明了什么"), lang.pick("What it does NOT show", "没有证明什么"))
}

/// The language's name on a page.
pub const fn tag(lang: Lang) -> &'static str {
    lang.pick("en", "zh-CN")
}

/// What the answer rests on: the program and the trust root.
pub fn foot(lang: Lang, report: &Report) -> String {
    let root = report.root.as_ref().map_or_else(String::new, |root| {
        let (name, chain) = (root.name(), root.chain().0.short());
        say!(
            lang,
            ", trust root \"{name}\" {chain} (confirm this by another channel)",
            "，信任根“{name}” {chain}（请通过其他渠道核对）"
        )
    });
    say!(
        lang,
        "No network was used. Verifier {VERSION}{root}.",
        "核验过程未使用网络。核验程序 {VERSION}{root}。"
    )
}

/// What an answer is about, in a few words; with the state of a subject, if that is what is proven: who reads no further must
/// not take a revoked licence for a valid one.
pub fn about(lang: Lang, report: &Report) -> Option<String> {
    let (proof, first) = (report.proof()?, report.first());
    let claim = proof.claims.get(first).filter(|_| report.answer() == Answer::Proven);
    let state = claim.and_then(Claim::status).map(|claim| stands(lang, claim, proof));
    let what = claim_in_words(lang, proof, first)?;
    let what = match state {
        Some(state) => say!(lang, "{what}: {state}", "{what}：{state}"),
        None => what,
    };
    Some(visible(&with_more(lang, proof, what)))
}

/// Where a subject stood as of the proof's block.
fn stands(lang: Lang, claim: &StatusClaim, proof: &Proof) -> String {
    let height = count(proof.header.height.0);
    let word = claim.state.as_ref().map_or_else(
        || lang.pick("NOT ON THE LEDGER", "账本上没有记录").to_owned(),
        |state| usage::word_at(lang, state, proof.header.time),
    );
    say!(lang, "{word} as of block {height}", "{word}（截至区块 {height}）")
}

/// What a proof is about, in a few words.
pub fn headline(lang: Lang, proof: &Proof) -> String {
    claim_in_words(lang, proof, 0).map_or_else(String::new, |first| with_more(lang, proof, first))
}

fn with_more(lang: Lang, proof: &Proof, first: String) -> String {
    let (all, more) = (proof.claims.len(), proof.claims.len().saturating_sub(1));
    if more == 0 { first } else { say!(lang, "{first}, and {more} more", "{first} 等 {all} 项") }
}

/// What one claim of a proof is about.
fn claim_in_words(lang: Lang, proof: &Proof, index: usize) -> Option<String> {
    Some(match proof.claims.get(index)? {
        Claim::Record(claim) => act(lang, &claim.operation.action),
        Claim::Status(claim) => thing(lang, &claim.subject),
        Claim::Records(claim) => {
            let records = records(lang, claim.records.len().try_into().unwrap_or(u64::MAX));
            say!(lang, "a batch of {records}", "一批共 {records}")
        }
        Claim::Upstream(claim) => {
            let lot = &claim.lot;
            say!(lang, "complete upstream of lot {lot}", "批次 {lot} 的完整上游")
        }
        Claim::Consistency(claim) => {
            let (old, new) = (count(claim.header.height.0), count(proof.header.height.0));
            say!(
                lang,
                "log of block {new} continues that of block {old}",
                "区块 {new} 的日志延续区块 {old} 的日志"
            )
        }
        Claim::Fork(_) => {
            let height = count(proof.header.height.0);
            say!(
                lang,
                "evidence: two certified blocks {height}",
                "证据：高度 {height} 有两个经签署的区块"
            )
        }
        Claim::Votes(claim) => {
            let height = count(claim.height.0);
            say!(
                lang,
                "evidence: a validator said two things at block {height}",
                "证据：某验证节点在区块 {height} 作出两种相互矛盾的表示"
            )
        }
        Claim::Block => {
            let height = count(proof.header.height.0);
            say!(lang, "block {height}", "区块 {height}")
        }
        Claim::Authority(claim) => {
            let (agency, at) = (claim.agency, count(claim.at.0));
            say!(
                lang,
                "authority of agency {agency} in block {at}",
                "机构 {agency} 在区块 {at} 的权限"
            )
        }
    })
}
