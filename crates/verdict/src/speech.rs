//! What people are told of a proof and of what it is about, in both languages side by side.

mod problem;
pub mod usage;

use crate::{
    VERSION,
    layout::{count, hang, pad},
    report::{Answer, Document, Finding, Fit, Obstacle, Report, short},
};
use proof::{
    AuthorityClaim, Check, Claim, Fact, Grounds, Hashed, Outcome, Proof, RecordClaim, RecordsClaim,
    Said, Scope, StatusClaim, UpstreamClaim, VotesClaim,
};
use std::fmt::Write as _;
use types::{
    AgencyCode, Operation, PublicKey, Region, Role, Subject, Text, Timestamp,
    authority::{Governance, Target},
    item::ListVerb,
    operation::{Action, EventType, Family, ItemVerb, LicenceVerb},
    subject::{Facts, Kind, Part, Status},
    vote::Step as Vote,
};
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
    let state = claim.and_then(|claim| match claim {
        Claim::Status(claim) => Some(stands(lang, claim, proof)),
        Claim::Record(_)
        | Claim::Records(_)
        | Claim::Upstream(_)
        | Claim::Consistency(_)
        | Claim::Fork(_)
        | Claim::Votes(_)
        | Claim::Block
        | Claim::Authority(_) => None,
    });
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

/// The steps that were taken, or would have been.
pub fn steps(lang: Lang, report: &Report) -> Vec<Step> {
    let Finding::Checked(verdict, document) = &report.finding else { return Vec::new() };
    let mut steps: Vec<Step> =
        document.iter().map(|document| document_step(lang, document, report)).collect();
    for step in &verdict.steps {
        let (mark, code, text) = match &step.outcome {
            Outcome::Passed(fact) => {
                let claim = step.claim.and_then(|index| report.proof()?.claims.get(index));
                (Mark::Passed, None, self::fact(lang, fact, claim, report))
            }
            Outcome::Failed(error) => {
                (Mark::Failed, Some(error.code()), problem::text(lang, error))
            }
            Outcome::NotEvaluated => {
                (Mark::NotEvaluated, None, lang.pick("not evaluated", "未作判断").to_owned())
            }
        };
        let title = match step.check {
            Check::Record => lang.pick("record", "记录签名"),
            Check::Authority => lang.pick("authority", "机构权限"),
            Check::Inclusion => lang.pick("inclusion", "包含证明"),
            Check::State => lang.pick("state", "状态证明"),
            Check::History => lang.pick("history", "完整历史"),
            Check::Upstream => lang.pick("upstream", "完整上游"),
            Check::Consistency => lang.pick("consistency", "日志延续"),
            Check::Fork => lang.pick("fork", "分叉"),
            Check::Equivocation => lang.pick("equivocation", "自相矛盾"),
            Check::Finality => lang.pick("finality", "终局性"),
            Check::Trust => lang.pick("trust", "信任根"),
            Check::Checkpoint => lang.pick("checkpoint", "已存区块"),
        };
        steps.push(Step { check: step.check.name(), claim: step.claim, mark, code, title, text });
    }
    steps.extend(report.beyond.steps(lang, verdict.proven().is_some()));
    for step in &mut steps {
        step.text = visible(&step.text);
    }
    steps
}

/// Of a proof that shows several things: of which of them a document is the file.
fn file_of(lang: Lang, document: &Document, proof: &Proof) -> String {
    if proof.claims.len() < 2 {
        return String::new();
    }
    let told = document.claims.iter().take(CLAIMS_SHOWN);
    let told: Vec<String> = told.filter_map(|index| claim_in_words(lang, proof, *index)).collect();
    let of = told.join(lang.pick("; ", "；"));
    match document.claims.len().saturating_sub(told.len()) {
        0 => say!(lang, "\nit is the file of: {of}", "\n该文件对应：{of}"),
        more => say!(
            lang,
            "\nit is the file of: {of}; and {more} more",
            "\n该文件对应：{of}；另有 {more} 项"
        ),
    }
}

fn document_step(lang: Lang, document: &Document, report: &Report) -> Step {
    let Document { name, digest, fit, claims: _ } = document;
    let this = short(digest);
    let (mark, code, text) = match fit {
        Fit::Exact => {
            let of =
                report.proof().map_or_else(String::new, |proof| file_of(lang, document, proof));
            (
                Mark::Passed,
                None,
                say!(
                    lang,
                    "the digest of {name} equals the recorded one   {this}{of}",
                    "文件一致：{name} 的摘要与上链摘要相同   {this}{of}"
                ),
            )
        }
        Fit::Content(recorded) => {
            let recorded = short(recorded);
            (
                Mark::Failed,
                Some("V-DOC-MISMATCH"),
                say!(
                    lang,
                    "{name} contains the recorded content, but is not the file that was recorded\n\
                     recorded   {recorded}\nthis file  {this}",
                    "{name} 含有上链的内容，但不是当时上链的那份文件\n上链摘要  {recorded}\n本文件    {this}"
                ),
            )
        }
        Fit::No(recorded) => {
            let recorded = short(recorded);
            (
                Mark::Failed,
                Some("V-DOC-MISMATCH"),
                say!(
                    lang,
                    "{name} is not the file that was recorded\nrecorded   {recorded}\nthis file  {this}",
                    "{name} 不是当时上链的那份文件\n上链摘要  {recorded}\n本文件    {this}"
                ),
            )
        }
        Fit::NoRecord => (
            Mark::NotEvaluated,
            Some("V-DOC-NO-RECORD"),
            say!(
                lang,
                "not evaluated: this proof is of a status, and carries no document's digest",
                "未作判断：本证明是状态证明，不含文件摘要"
            ),
        ),
        Fit::NotEvaluated => {
            (Mark::NotEvaluated, None, lang.pick("not evaluated", "未作判断").to_owned())
        }
    };
    Step {
        check: "document", claim: None, mark, code, title: lang.pick("document", "文件"), text
    }
}

fn fact(lang: Lang, fact: &Fact, claim: Option<&Claim>, report: &Report) -> String {
    match fact {
        Fact::Record { record, tx, index, count: all, agency, key } => {
            let (who, key) = (self::agency(lang, agency, report), key.short());
            let (nth, all) = (index + 1, count((*all).into()));
            let (record, tx) = (record.0.short(), tx.0.short());
            say!(
                lang,
                "signed by {who}, key {key}\nrecord {record}, operation {nth} of {all} in transaction {tx}",
                "由{who}签名，密钥 {key}\n记录 {record}，交易 {tx} 的第 {nth} 项操作（共 {all} 项）"
            )
        }
        Fact::Authority { name, family, scope, grounds: Grounds::Ledger } => {
            let role = family_name(lang, *family);
            match scope {
                Scope::Covered => say!(
                    lang,
                    "as the ledger's own state says, the key could then sign for {name}, whose role for {role} covered this record",
                    "依账本自身的状态，该密钥当时可代表{name}签名，其“{role}”权限涵盖此记录"
                ),
                Scope::Family => say!(
                    lang,
                    "as the ledger's own state says, the key could then sign for {name}, which had a role for {role}",
                    "依账本自身的状态，该密钥当时可代表{name}签名，该机构当时具有“{role}”权限"
                ),
            }
        }
        Fact::Held { agency, name, key, at, roles, time: _ } => {
            let at = count(at.0);
            let roles: Vec<String> = roles.iter().map(|(_, role)| self::role(lang, role)).collect();
            let roles = if roles.is_empty() {
                lang.pick("nothing", "无").to_owned()
            } else {
                roles.join(lang.pick("; ", "；"))
            };
            match key.as_ref().map(PublicKey::short) {
                Some(key) => say!(
                    lang,
                    "{name} ({agency}) was enrolled and not suspended in block {at}, and the key {key} could sign for it\n\
                     it could record: {roles}",
                    "{name}({agency})在区块 {at} 时在册且未被暂停，密钥 {key} 可代表其签名\n其可记录的范围：{roles}"
                ),
                None => say!(
                    lang,
                    "{name} ({agency}) was enrolled and not suspended in block {at}\nit could record: {roles}",
                    "{name}({agency})在区块 {at} 时在册且未被暂停\n其可记录的范围：{roles}"
                ),
            }
        }
        Fact::Line { agencies, hashes, root } => {
            let root = root.short();
            say!(
                lang,
                "its keys and roles, with all their terms, stand in the ledger's state (agencies: {agencies}, hashes: {hashes}, \
                 root {root})",
                "其密钥与权限及各自的起止高度均在账本状态之中（机构 {agencies} 家，{hashes} 个哈希，根 {root}）"
            )
        }
        Fact::Authority { name, family, scope, grounds: Grounds::Genesis } => {
            let role = family_name(lang, *family);
            match scope {
                Scope::Covered => say!(
                    lang,
                    "the key is enrolled for {name}, whose role for {role} covers this record",
                    "该密钥登记在{name}名下，其“{role}”权限涵盖此记录"
                ),
                Scope::Family => say!(
                    lang,
                    "the key is enrolled for {name}, which has a role for {role}",
                    "该密钥登记在{name}名下，该机构具有“{role}”权限"
                ),
            }
        }
        Fact::Inclusion { position, size, hashes, root, height, time } => {
            let (nth, size) = (count(position + 1), count(*size));
            let (height, time, root) = (count(height.0), time.in_china(), root.short());
            say!(
                lang,
                "record {nth} of {size} in the log ({hashes} hashes, root {root})\n\
                 recorded in block {height} at {time} (block time)",
                "日志中第 {nth} 条记录，共 {size} 条（{hashes} 个哈希，根 {root}）\n记录于区块 {height}，{time}（区块时间）"
            )
        }
        Fact::State { present, hashes, root, .. } => {
            let root = root.short();
            if let (true, Some(Claim::Status(claim))) = (present, claim) {
                let standing = standing(lang, claim, report);
                say!(
                    lang,
                    "it stands in the ledger's state ({hashes} hashes, root {root})\n{standing}",
                    "在账本状态之中（{hashes} 个哈希，根 {root}）\n{standing}"
                )
            } else {
                say!(
                    lang,
                    "it is NOT on the ledger: its place in the state is empty ({hashes} hashes, root {root})",
                    "不在账本上：其在状态树中的位置为空（{hashes} 个哈希，根 {root}）"
                )
            }
        }
        Fact::History { records, shown } => {
            let (all, shown) = (self::records(lang, *records), count(*shown));
            say!(
                lang,
                "complete: {all}, all listed in the file, {shown} of them shown whole",
                "完整：{all}全部列于文件之中，其中 {shown} 条完整附在文件中"
            )
        }
        Fact::Finality { height, time, signers, quorum, .. } => {
            let all = validators(report).unwrap_or(signers.len());
            let (signed, height, time) = (signers.len(), count(height.0), time.in_china());
            let names: Vec<&str> = signers.iter().map(|seat| seat.name.as_str()).collect();
            let names = names.join(lang.pick(", ", "、"));
            say!(
                lang,
                "{signed} of {all} validators signed block {height} ({time}); {quorum} needed\n{names}",
                "{all} 个验证节点中有 {signed} 个签署了区块 {height}（{time}），需要 {quorum} 个\n{names}"
            )
        }
        Fact::Trust { name, validators, changes: 0, .. } => say!(
            lang,
            "the chain and its {validators} validators are those of your trust root \"{name}\"",
            "该链及其 {validators} 个验证节点与您的信任根“{name}”一致"
        ),
        Fact::Trust { name, validators, changes, .. } => {
            let times = match (lang, changes) {
                (Lang::En, 1) => "1 change".to_owned(),
                (Lang::En, _) => format!("{changes} changes"),
                (Lang::Zh, _) => format!("{changes} 次"),
            };
            say!(
                lang,
                "the chain is that of your trust root \"{name}\", and its {validators} validators follow from it through {times}",
                "该链即您的信任根“{name}”之链，其 {validators} 个验证节点由信任根经 {times}更替而来"
            )
        }
        Fact::Checkpoint { height, same } => {
            let height = count(height.0);
            if *same {
                say!(
                    lang,
                    "it is the very block {height} you saved",
                    "与您保存的区块 {height} 完全相同"
                )
            } else {
                say!(
                    lang,
                    "nothing in it contradicts block {height}, which you saved",
                    "与您保存的区块 {height} 没有矛盾"
                )
            }
        }
        Fact::Records { records, transactions, agencies } => {
            let records = self::records(lang, (*records).try_into().unwrap_or(u64::MAX));
            let s = if *transactions == 1 { "" } else { "s" };
            let names: Vec<String> =
                agencies.iter().map(|code| agency(lang, code, report)).collect();
            let names = names.join(lang.pick(", ", "、"));
            say!(
                lang,
                "{records}, signed under {transactions} signature{s} by {names}",
                "{records}，共 {transactions} 个签名，签名机构：{names}"
            )
        }
        Fact::Authorities { names, covered, by_ledger } => {
            let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
            let names = names.join(lang.pick(", ", "、"));
            let covered = count((*covered).try_into().unwrap_or(u64::MAX));
            let mut text = say!(
                lang,
                "the keys are enrolled for {names}, which have roles for these families of records\n\
                 the role's whole scope could be checked of this many of them: {covered}",
                "密钥登记在{names}名下，均具有相应类别的权限\n其中 {covered} 条可核验权限的全部范围"
            );
            if *by_ledger > 0 {
                text.push_str(&say!(
                    lang,
                    "\nof {by_ledger} of them the ledger's own state says so, of the others genesis",
                    "\n其中 {by_ledger} 条依据账本自身的状态，其余依据创世文件"
                ));
            }
            text
        }
        Fact::Inclusions { records, size, hashes, root, first, last } => {
            let records = self::records(lang, (*records).try_into().unwrap_or(u64::MAX));
            let (size, root) = (count(*size), root.short());
            let (first, last) = (first.in_china(), last.in_china());
            let (when, then) = if first == last {
                (format!("at {first} (block time)"), format!("{first}（区块时间）"))
            } else {
                (
                    format!("between {first} and {last} (block times)"),
                    format!("{first} 至 {last}（区块时间）"),
                )
            };
            say!(
                lang,
                "{records} of {size} in the log ({hashes} hashes, root {root})\n\
                 recorded {when}",
                "日志共 {size} 条，其中 {records}（{hashes} 个哈希，根 {root}）\n记录时间 {then}"
            )
        }
        Fact::States { lots, hashes, root } => {
            let root = root.short();
            say!(
                lang,
                "{lots} lots stand in the ledger's state ({hashes} hashes, root {root})",
                "{lots} 个批次均在账本状态之中（{hashes} 个哈希，根 {root}）"
            )
        }
        Fact::Upstream { lots, records, depth, sources } => {
            let records = self::records(lang, (*records).try_into().unwrap_or(u64::MAX));
            say!(
                lang,
                "complete: {lots} lots and {records}, up to {depth} steps; {sources} of the lots were made of nothing recorded",
                "完整：{lots} 个批次、{records}，最远 {depth} 级；其中 {sources} 个批次没有记录在案的投入"
            )
        }
        Fact::Consistency { height, time, old, new, hashes } => {
            let (height, time) = (count(height.0), time.in_china());
            let (old, new) = (count(*old), count(*new));
            say!(
                lang,
                "the {old} records of block {height} ({time}) are the first of the {new} now ({hashes} hashes)",
                "区块 {height}（{time}）的 {old} 条记录，正是现有 {new} 条的最前部分（{hashes} 个哈希）"
            )
        }
        Fact::Fork { height, one, other, both } => {
            let (height, one, other) = (count(height.0), one.0.short(), other.0.short());
            let names: Vec<&str> = both.iter().map(|seat| seat.name.as_str()).collect();
            let (number, names) = (both.len(), names.join(lang.pick(", ", "、")));
            say!(
                lang,
                "block {height} was certified twice, as {one} and as {other}\n{number} validators signed both: {names}",
                "区块 {height} 被签署了两次：{one} 与 {other}\n{number} 个验证节点两次都签了名：{names}"
            )
        }
        Fact::Equivocation { validator, height, round, said } => {
            let (name, key) = (&validator.name, validator.key.short());
            let (height, what) = (count(height.0), said_what(lang, said));
            say!(
                lang,
                "{name}, key {key}, signed two different {what} at block {height}, round {round}",
                "{name}（密钥 {key}）在区块 {height} 第 {round} 轮签署了两份不同的{what}"
            )
        }
    }
}

/// A family of records.
const fn family_name(lang: Lang, family: Family) -> &'static str {
    match family {
        Family::Item => lang.pick("service items", "政务服务事项"),
        Family::Licence => lang.pick("e-licences", "电子证照"),
        Family::Trace => lang.pick("traceability events", "溯源事件"),
        Family::Authority => lang.pick("governance", "治理"),
        Family::Use => lang.pick("uses of licences and data", "用证用数"),
    }
}

/// Past this many parts of a role's scope their number is told.
const SCOPE_SHOWN: usize = 6;

/// A role with its scope.
fn role(lang: Lang, role: &Role) -> String {
    let family = family_name(lang, role.family());
    let listed = |all: Vec<String>| {
        let more = all.len().saturating_sub(SCOPE_SHOWN);
        let shown = all[..all.len() - more].join(lang.pick(", ", "、"));
        if more == 0 {
            shown
        } else {
            say!(lang, "{shown} and {more} more", "{shown} 等，另有 {more} 项")
        }
    };
    let regions = |all: &[Region]| listed(all.iter().map(ToString::to_string).collect());
    let beginnings = |all: Vec<String>| listed(all.iter().map(|text| format!("{text}…")).collect());
    match role {
        Role::Item { regions: all } => {
            let all = regions(all);
            say!(lang, "{family} in {all}", "{family}（区划 {all}）")
        }
        Role::Licence { types, regions: all } => {
            let (types, all) =
                (beginnings(types.iter().map(ToString::to_string).collect()), regions(all));
            say!(lang, "{family} of types {types} in {all}", "{family}（类型 {types}，区划 {all}）")
        }
        Role::Trace { namespaces } => {
            let spaces = beginnings(namespaces.iter().map(ToString::to_string).collect());
            say!(lang, "{family} of lots {spaces}", "{family}（批次 {spaces}）")
        }
        Role::Govern {} => family.to_owned(),
    }
}

/// How many validators the committee has that certified the proof's block.
fn validators(report: &Report) -> Option<usize> {
    let Finding::Checked(verdict, _) = &report.finding else { return None };
    verdict.steps.iter().find_map(|step| match &step.outcome {
        Outcome::Passed(Fact::Trust { validators, .. }) => Some(*validators),
        Outcome::Passed(_) | Outcome::Failed(_) | Outcome::NotEvaluated => None,
    })
}

const fn said_what(lang: Lang, said: &Said) -> &'static str {
    match said {
        Said::Votes { step: Vote::Prevote, .. } => lang.pick("prevotes", "预投票"),
        Said::Votes { step: Vote::Precommit, .. } => lang.pick("precommits", "预提交"),
        Said::Proposals { .. } => lang.pick("proposals", "提案"),
    }
}

/// Where a subject stands, in words.
fn standing(lang: Lang, claim: &StatusClaim, report: &Report) -> String {
    let Some(state) = &claim.state else { return String::new() };
    let word =
        usage::word_at(lang, state, report.proof().map_or(Timestamp(0), |proof| proof.header.time));
    let (owner, from) = (agency(lang, &state.owner, report), state.effective_from.in_china());
    let (version, records) = (state.version, records(lang, state.records));
    let mut text = say!(
        lang,
        "status {word}, effective from {from}; version {version}, {records}; belongs to {owner}",
        "状态：{word}，自 {from} 起生效；版本 {version}，共 {records}；归属{owner}"
    );
    if let Some(more) = facts(lang, &state.facts) {
        text.push('\n');
        text.push_str(&more);
    }
    text
}

/// What more there is to know of a subject's kind.
pub fn facts(lang: Lang, facts: &Facts) -> Option<String> {
    match facts {
        Facts::Licence { facts, successor } => {
            let (kind, region) = (&facts.kind, facts.region);
            let from = facts.valid_from.in_china();
            let mut text = match facts.valid_until.map(Timestamp::in_china) {
                Some(until) => say!(
                    lang,
                    "valid from {from} until before {until}; type {kind}, region {region}",
                    "有效期 {from} 起，至 {until} 前；类型 {kind}，属地 {region}"
                ),
                None => say!(
                    lang,
                    "valid from {from} without end; type {kind}, region {region}",
                    "有效期 {from} 起，长期；类型 {kind}，属地 {region}"
                ),
            };
            if let Some(successor) = successor {
                text.push_str(&say!(lang, "; succeeded by {successor}", "；由 {successor} 取代"));
            }
            Some(text)
        }
        Facts::Item { basic, region, planned_cancel, .. } => {
            let mut text = say!(
                lang,
                "basic code {basic}, region {region}",
                "基本编码 {basic}，区划 {region}"
            );
            if let Some(planned) = planned_cancel.map(Timestamp::in_china) {
                text.push_str(&say!(lang, "; to be cancelled {planned}", "；计划取消 {planned}"));
            }
            Some(text)
        }
        Facts::Agency(agency) => {
            let (name, region) = (&agency.name, agency.region);
            let keys = agency.keys.iter().filter(|term| term.until.is_none()).count();
            let grants = agency.grants.iter().filter(|grant| grant.until.is_none()).count();
            Some(say!(
                lang,
                "{name}, region {region}; {keys} keys and {grants} grants not taken back",
                "{name}，区划 {region}；在用密钥 {keys} 个，未收回授权 {grants} 项"
            ))
        }
        Facts::Proposal(proposal) => {
            let (count, closes) = (proposal.approvals.len(), proposal.closes);
            Some(say!(
                lang,
                "approved by {count}; may be approved until block {closes}",
                "已有 {count} 家同意；可表决至区块 {closes}"
            ))
        }
        Facts::Network(network) => {
            let size = network.members.len();
            Some(match &network.scheduled {
                None => say!(lang, "{size} validators", "验证节点 {size} 个"),
                Some(next) => {
                    let (at, size) = (next.at, next.members.len());
                    say!(
                        lang,
                        "{size} validators from block {at} on",
                        "自区块 {at} 起验证节点 {size} 个"
                    )
                }
            })
        }
        Facts::Elements(names) => {
            let (count, names) = (
                names.len(),
                clean(&names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ")),
            );
            Some(say!(lang, "{count} uniform elements: {names}", "统一要素 {count} 项：{names}"))
        }
        Facts::List { region, members, count } => Some(say!(
            lang,
            "{count} items of region {region}, digest {members}",
            "区划 {region} 事项 {count} 项，摘要 {members}"
        )),
        Facts::Batch { lines } => {
            let lines = count(*lines);
            Some(say!(lang, "{lines} lines in all its batches", "各批共 {lines} 行"))
        }
        Facts::Seed { lot } => Some(say!(lang, "of lot {lot}", "所属批次 {lot}")),
        Facts::Grant(grant) => Some(usage::grant(lang, grant)),
        Facts::Document { title, uses } => {
            Some(say!(lang, "“{title}”; used again {uses} times", "《{title}》，已复用 {uses} 次"))
        }
        Facts::Basic { .. } | Facts::Lot | Facts::Trail => None,
    }
}

/// What is shown and what is not, a sentence each.
pub fn meaning(lang: Lang, report: &Report) -> (Vec<String>, Vec<String>) {
    let (mut shown, mut not_shown) = (Vec::new(), Vec::new());
    let Some(proof) = report.proof() else { return (shown, not_shown) };
    let (height, time) = (count(proof.header.height.0), proof.header.time.in_china());
    for (index, claim) in (0..).zip(&proof.claims) {
        let is_file = report.document().is_some_and(|document| document.claims.contains(&index));
        // What was brought beside the proof is told of, wherever it stands.
        if index >= CLAIMS_SHOWN && !is_file && index != report.first() {
            continue;
        }
        match claim {
            Claim::Record(claim) => {
                shown.push(record_shown(lang, claim, report, is_file));
                not_shown.push(record_not_shown(lang, claim));
            }
            Claim::Status(claim) => {
                let (subject, what) = (&claim.subject, thing(lang, &claim.subject));
                match &claim.state {
                    Some(state) => {
                        let word = usage::word_at(lang, state, proof.header.time);
                        shown.push(say!(
                            lang,
                            "As of block {height} ({time}) {what} was {word}.",
                            "截至区块 {height}（{time}），{what} 的状态为：{word}。"
                        ));
                        if claim.history.is_some() {
                            let records = records(lang, state.records);
                            shown.push(say!(
                                lang,
                                "Its history is complete with {records}: none was left out, none was changed.",
                                "其 {records}即完整历史，没有遗漏，没有改动。"
                            ));
                        }
                        shown.extend(earlier(lang, claim, proof));
                        not_shown.push(say!(
                            lang,
                            "Anything that was recorded after block {height}, and that what was recorded is true. \
                             Its status now, if a node is at hand:\nminlian status {subject}",
                            "区块 {height} 之后的任何记录，以及所记录内容的真实性。查询当前状态（联网）：\nminlian status {subject}"
                        ));
                    }
                    None => {
                        shown.push(say!(
                            lang,
                            "As of block {height} ({time}) there was no record of {what} on this ledger.",
                            "截至区块 {height}（{time}），本账本上没有{what} 的任何记录。"
                        ));
                        not_shown.push(say!(
                            lang,
                            "That it was not recorded later, or under another identifier, or elsewhere.",
                            "此后是否上链、是否以其他标识上链、是否记录于别处。"
                        ));
                    }
                }
            }
            Claim::Records(claim) => {
                shown.push(batch_shown(lang, claim, is_file));
                not_shown.push(batch_not_shown(lang));
            }
            Claim::Upstream(claim) => {
                upstream_meaning(lang, claim, proof, &mut shown, &mut not_shown);
            }
            Claim::Consistency(claim) => {
                let (old, then) = (count(claim.header.height.0), claim.header.time.in_china());
                let size = records(lang, claim.header.log_size);
                shown.push(say!(
                    lang,
                    "The log as of block {height} ({time}) begins with the {size} it had as of block {old} ({then}): none of \
                     them was changed, removed or moved since.",
                    "截至区块 {height}（{time}）的日志，以区块 {old}（{then}）时的 {size}为开头：其后没有任何一条被改动、删除或移位。"
                ));
                not_shown.push(say!(
                    lang,
                    "What any of the records says, or where any subject stands.",
                    "任何一条记录的内容，以及任何对象的状态。"
                ));
            }
            Claim::Fork(_) => {
                shown.push(say!(
                    lang,
                    "The network's validators certified two different blocks at height {height}. More than a third of them \
                     broke the rules, or their keys were stolen. Neither block can be relied on until people have settled it.",
                    "网络验证节点在高度 {height} 签署了两个不同的区块：超过三分之一的节点违规，或其密钥被盗。在人工查明之前，两个区块都不可采信。"
                ));
                not_shown.push(say!(
                    lang,
                    "Which of the two is right, or who of those that signed both meant harm.",
                    "二者之中何者为真，以及两次都签名者是否出于恶意。"
                ));
            }
            Claim::Votes(claim) => votes_meaning(lang, claim, &mut shown, &mut not_shown),
            Claim::Block => {
                let id = proof.header.id();
                shown.push(say!(
                    lang,
                    "Block {height} ({time}) is final; its id is\n{id}",
                    "区块 {height}（{time}）已最终确认，其标识为\n{id}"
                ));
                not_shown.push(say!(
                    lang,
                    "Anything about any record or subject, or that it is the latest block.",
                    "任何记录或对象的情况，以及它是否为最新区块。"
                ));
            }
            Claim::Authority(claim) => authority_meaning(lang, claim, &mut shown, &mut not_shown),
        }
    }
    shown.dedup();
    not_shown.dedup();
    if family_only(report) {
        not_shown.push(say!(
            lang,
            "That the agency's role reaches to this very subject: the validators checked that, the file does not carry it.",
            "该机构的权限是否及于此具体对象：上链时已由验证节点检查，文件本身不含此项。"
        ));
    }
    if report.answer() == Answer::Proven {
        let (more, less) = report.beyond.meaning(lang, report);
        shown.extend(more);
        not_shown.extend(less);
    }
    let visible = |sentences: Vec<String>| sentences.iter().map(|it| visible(it)).collect();
    (visible(shown), visible(not_shown))
}

/// What a subject had been through as of earlier blocks that the file shows, if it shows all of its records.
fn earlier(lang: Lang, claim: &StatusClaim, proof: &Proof) -> Vec<String> {
    let Some(history) = &claim.history else { return Vec::new() };
    let then = proof.claims.iter().filter_map(|claim| match claim {
        Claim::Consistency(claim) => Some(claim.header),
        Claim::Record(_)
        | Claim::Status(_)
        | Claim::Records(_)
        | Claim::Upstream(_)
        | Claim::Fork(_)
        | Claim::Votes(_)
        | Claim::Block
        | Claim::Authority(_) => None,
    });
    let said = then.map(|then| {
        let (height, time) = (count(then.height.0), then.time.in_china());
        let by_then: Vec<_> =
            history.iter().filter(|link| link.position < then.log_size).collect();
        let number = records(lang, by_then.len().try_into().unwrap_or(u64::MAX));
        let last = by_then.last().and_then(|link| shown_at(proof, link.position));
        match (by_then.is_empty(), last.map(|operation| act(lang, &operation.action))) {
            (true, _) => say!(
                lang,
                "As of block {height} ({time}) it had no record on this ledger.",
                "截至区块 {height}（{time}），其在本账本上没有任何记录。"
            ),
            (false, Some(last)) => say!(
                lang,
                "As of block {height} ({time}) it had {number}, no more and no less, of which the last was: {last}.",
                "截至区块 {height}（{time}），其恰有 {number}，最后一条为：{last}。"
            ),
            (false, None) => say!(
                lang,
                "As of block {height} ({time}) it had {number}, no more and no less.",
                "截至区块 {height}（{time}），其恰有 {number}。"
            ),
        }
    });
    said.collect()
}

/// The operation that a file shows whole at a position of the log.
fn shown_at(proof: &Proof, position: u64) -> Option<&Operation> {
    proof.claims.iter().find_map(|claim| match claim {
        Claim::Record(claim) if claim.entry.position == position => Some(&claim.operation),
        Claim::Records(claim) => claim
            .records
            .iter()
            .find(|record| record.position == position)
            .map(|record| &record.operation),
        Claim::Record(_)
        | Claim::Status(_)
        | Claim::Upstream(_)
        | Claim::Consistency(_)
        | Claim::Fork(_)
        | Claim::Votes(_)
        | Claim::Block
        | Claim::Authority(_) => None,
    })
}

fn authority_meaning(
    lang: Lang,
    claim: &AuthorityClaim,
    shown: &mut Vec<String>,
    not_shown: &mut Vec<String>,
) {
    let (agency, at) = (claim.agency, count(claim.at.0));
    shown.push(match claim.key.as_ref().map(PublicKey::short) {
        Some(key) => say!(
            lang,
            "In block {at} agency {agency} was enrolled and could act, the key {key} could sign for it, and it could record what \
             is listed above.",
            "在区块 {at}，机构 {agency} 在册且可履职，密钥 {key} 可代表其签名，可记录的范围如上所列。"
        ),
        None => say!(
            lang,
            "In block {at} agency {agency} was enrolled and could act, and it could record what is listed above.",
            "在区块 {at}，机构 {agency} 在册且可履职，可记录的范围如上所列。"
        ),
    });
    not_shown.push(say!(
        lang,
        "Who in the agency used a key, or what the agency may do at other heights. A role that ended with time may have held a \
         little longer than is listed.",
        "机构内由何人使用密钥，以及该机构在其他高度的权限。按时间到期的权限，实际终止可能略晚于所列。"
    ));
}

fn batch_shown(lang: Lang, claim: &RecordsClaim, is_file: bool) -> String {
    let records = records(lang, claim.records.len().try_into().unwrap_or(u64::MAX));
    let time = claim.transactions.iter().map(|transaction| transaction.time).max();
    let time = time.map(Timestamp::in_china).unwrap_or_default();
    let exact = if is_file {
        lang.pick(" This exact file is that of one of them.", "本文件即其中一条所依据的文件。")
    } else {
        ""
    };
    let were = if claim.records.len() == 1 {
        "This record was".into()
    } else {
        format!("These {records} were")
    };
    say!(
        lang,
        "{were} recorded, each signed by its agency, no later than {time}, and the network's validators agreed on them.{exact}",
        "这 {records}均由各自机构签名，不晚于 {time} 上链，并经网络验证节点共同确认。{exact}"
    )
}

fn batch_not_shown(lang: Lang) -> String {
    say!(
        lang,
        "That the content is true, that these are all records of anything, or what was recorded later about the same subjects.",
        "内容是否真实；这些是否为某对象的全部记录；同一对象此后有无其他记录。"
    )
}

fn upstream_meaning(
    lang: Lang,
    claim: &UpstreamClaim,
    proof: &Proof,
    shown: &mut Vec<String>,
    not_shown: &mut Vec<String>,
) {
    let (height, time) = (count(proof.header.height.0), proof.header.time.in_china());
    let (lot, others) =
        (&claim.lot, count(claim.lots.len().saturating_sub(1).try_into().unwrap_or(u64::MAX)));
    let records = records(lang, claim.records.records.len().try_into().unwrap_or(u64::MAX));
    shown.push(say!(
        lang,
        "As of block {height} ({time}) lot {lot} has {others} lots upstream, as recorded: every record of it, of every input of \
         a record in which it is an output, and so on to the first. All {records} are in the file; none was left out.",
        "截至区块 {height}（{time}），按账本记录，批次 {lot} 的上游共有 {others} 个批次：包括该批次的全部记录、凡以其为产出的记录中每项投入的全部记录，\
         逐级追溯至源头。{records}全部在文件之中，没有遗漏。"
    ));
    not_shown.push(say!(
        lang,
        "That what was recorded is true, that inputs were recorded at all, who was told of packing and unpacking (containers are \
         not followed), or what was recorded after block {height}.",
        "所记录内容是否真实；投入是否都已记录；装箱与拆箱（不追溯容器）；区块 {height} 之后的记录。"
    ));
}

fn votes_meaning(
    lang: Lang,
    claim: &VotesClaim,
    shown: &mut Vec<String>,
    not_shown: &mut Vec<String>,
) {
    let (height, round, what) = (count(claim.height.0), claim.round, said_what(lang, &claim.said));
    shown.push(say!(
        lang,
        "One validator signed two different {what} for block {height}, round {round}, where the rules allow one: it broke the \
         rules, or its key was used twice.",
        "某验证节点就区块 {height} 第 {round} 轮签署了两份不同的{what}，而规则只允许一份：该节点违规，或其密钥被重复使用。"
    ));
    not_shown.push(say!(
        lang,
        "That any block is wrong: fewer than a third of such validators change nothing. Nor that harm was meant.",
        "任何区块有误：此类节点不足三分之一时不影响结果；也不说明其出于恶意。"
    ));
}

fn record_shown(lang: Lang, claim: &RecordClaim, report: &Report, is_file: bool) -> String {
    let who = agency(lang, &claim.transaction.agency, report);
    let time = claim.entry.time.in_china();
    let act = act(lang, &claim.operation.action);
    if is_file {
        return say!(
            lang,
            "This exact file was recorded by {who} no later than {time} for the {act}, and the network's validators agreed on it.",
            "这份文件由{who}不晚于 {time} 上链（事由：{act}），并经网络验证节点共同确认。"
        );
    }
    let digest = claim.operation.commitment.document;
    say!(
        lang,
        "The {act} was recorded by {who} no later than {time}, and the network's validators agreed on it. \
         The file it stands for has the digest\n{digest}",
        "{act}：由{who}不晚于 {time} 上链，并经网络验证节点共同确认。所依据文件的摘要为\n{digest}"
    )
}

fn record_not_shown(lang: Lang, claim: &RecordClaim) -> String {
    let height = count(claim.entry.height.0);
    let subjects = claim.operation.subjects(&claim.transaction.agency);
    let Some((subject, _)) = subjects.first() else {
        return say!(lang, "That the content is true.", "内容的真实性。");
    };
    say!(
        lang,
        "That the content is true, or what was recorded after block {height}: it may have been changed or ended since. \
         Ask the holder for a status proof, or a node:\nminlian status {subject}",
        "内容的真实性，以及区块 {height} 之后的变化：此后可能已变更或终止。请持有人出示状态证明，或联网查询：\n\
         minlian status {subject}"
    )
}

/// Whether some role could be checked for its family only.
/// How many records a claim of many shows.
fn batch_size(report: &Report, claim: usize) -> usize {
    match report.proof().and_then(|proof| proof.claims.get(claim)) {
        Some(Claim::Records(claim)) => claim.records.len(),
        Some(Claim::Upstream(claim)) => claim.records.records.len(),
        Some(
            Claim::Record(_)
            | Claim::Status(_)
            | Claim::Consistency(_)
            | Claim::Fork(_)
            | Claim::Votes(_)
            | Claim::Block
            | Claim::Authority(_),
        )
        | None => 0,
    }
}

fn family_only(report: &Report) -> bool {
    let Finding::Checked(verdict, _) = &report.finding else { return false };
    verdict.steps.iter().any(|step| match &step.outcome {
        Outcome::Passed(Fact::Authority { scope, .. }) => *scope == Scope::Family,
        Outcome::Passed(Fact::Authorities { covered, .. }) => {
            *covered < step.claim.map_or(0, |claim| batch_size(report, claim))
        }
        Outcome::Passed(_) | Outcome::Failed(_) | Outcome::NotEvaluated => false,
    })
}

/// Why nothing was proven, and what to do; none when it was.
pub fn reason(lang: Lang, report: &Report) -> Option<String> {
    let Finding::Checked(_, document) = &report.finding else {
        let Finding::Nothing(obstacle) = &report.finding else { return None };
        return Some(self::obstacle(lang, obstacle, &report.file));
    };
    if let Some(error) = report.error() {
        return Some(problem::advice(lang, error, &report.file));
    }
    if let Some(reason) = report.beyond.reason(lang)
        && document.as_ref().is_none_or(|document| document.fit == Fit::Exact)
    {
        return Some(reason);
    }
    match document.as_ref()?.fit {
        Fit::Exact => None,
        Fit::Content(_) => Some(say!(
            lang,
            "The proof itself is genuine, and this file holds the content that was recorded, under the same meaning. But it \
             is not the file itself: spaces, order or line ends differ, or there is more in it. Ask the holder for the original \
             file if the file as such matters.",
            "证明本身真实，且本文件含有上链的同一内容。但它不是当时的那份文件：空白、顺序、换行不同，或另有其他内容。\
             如需确认文件本身，请向持有人索取原始文件。"
        )),
        Fit::No(_) => Some(say!(
            lang,
            "The proof itself is genuine; the file differs from what was recorded, even if by one byte (saving it again or \
             printing it changes it). Ask the holder for the original file.",
            "证明本身真实，但文件与上链时不同，哪怕只差一个字节（重新保存或打印都会改变文件）。请向持有人索取原始文件。"
        )),
        Fit::NoRecord | Fit::NotEvaluated => Some(say!(
            lang,
            "The proof holds, but it says where a subject stands, not which file was recorded; about this file nothing was \
             proven or disproven. Ask the holder for the proof of the record, or leave out --document.",
            "证明成立，但它说明的是对象的状态，而不是哪份文件已上链；关于本文件，既未证实也未证伪。\
             请向持有人索取该记录的证明，或去掉 --document。"
        )),
    }
}

fn obstacle(lang: Lang, obstacle: &Obstacle, file: &str) -> String {
    match obstacle {
        Obstacle::NoRoot => say!(
            lang,
            "Without a trust root nothing can be proven: give the genesis file of the chain with --trust-root. It comes from \
             your agency, never from the person presenting the proof.",
            "没有信任根就无法证明任何事情：请用 --trust-root 指定该链的创世文件。信任根只能来自本单位，绝不能由出示证明的人提供。"
        ),
        Obstacle::Root(name, why) => {
            let why = clean(why);
            say!(lang, "{name} is not a trust root: {why}", "{name} 不是信任根：{why}")
        }
        Obstacle::Proof(why) => {
            let why = clean(why);
            say!(lang, "{file} cannot be read: {why}", "无法读取 {file}：{why}")
        }
        Obstacle::Document(name, why) => {
            let why = clean(why);
            say!(
                lang,
                "{name} cannot be read, so it was not held against the proof: {why}",
                "无法读取 {name}，因此未与证明核对：{why}"
            )
        }
    }
}

// ── Words ──

/// A number of records.
pub fn records(lang: Lang, number: u64) -> String {
    match (lang, number) {
        (Lang::En, 1) => "1 record".into(),
        (Lang::En, _) => format!("{} records", count(number)),
        (Lang::Zh, _) => format!("{} 条记录", count(number)),
    }
}

/// An agency by its name, if the trust root knows it, and its code.
pub(crate) fn agency(lang: Lang, code: &AgencyCode, report: &Report) -> String {
    let known = report.root.as_ref().and_then(|root| root.genesis().agency(code));
    let named = known.map(|agency| &agency.name).or_else(|| enrolled(code, report));
    match named {
        Some(name) => {
            say!(lang, "\"{name}\" ({code})", "“{name}”({code})")
        }
        None => say!(lang, "agency {code}", "机构 {code}"),
    }
}

/// The name that the ledger knows an agency by, if the file shows its state and all of it is proven.
fn enrolled<'r>(code: &AgencyCode, report: &'r Report) -> Option<&'r Text<96>> {
    let proof = report.proof().filter(|_| report.error().is_none())?;
    proof.claims.iter().find_map(|claim| {
        let Claim::Authority(claim) = claim else { return None };
        let Facts::Agency(facts) = &claim.line.first()?.state.facts else { return None };
        (claim.agency == *code).then_some(&facts.name)
    })
}

/// A subject, for people.
pub fn thing(lang: Lang, subject: &Subject) -> String {
    let kind = match subject.kind {
        Kind::Item => lang.pick("service item", "政务服务事项"),
        Kind::Basic => lang.pick("basic code", "基本编码"),
        Kind::Licence => lang.pick("e-licence", "电子证照"),
        Kind::Lot => lang.pick("lot", "批次"),
        Kind::Agency => lang.pick("agency", "机构"),
        Kind::Proposal => lang.pick("proposal", "提案"),
        Kind::Network => lang.pick("network", "网络"),
        Kind::List => lang.pick("list of service items", "专题清单"),
        Kind::Batch => lang.pick("series of batches", "批量存证系列"),
        Kind::Seed => lang.pick("seed unit", "种子销售单元"),
        Kind::Grant => lang.pick("grant", "亮证授权"),
        Kind::Actor => lang.pick("acts of agency", "机构用证用数记录"),
        Kind::Data => lang.pick("data", "数据"),
        Kind::Document => lang.pick("document", "登记材料"),
    };
    format!("{kind} {}", subject.id)
}

/// Where a subject stands, in the words of its kind.
pub fn status(lang: Lang, kind: Kind, status: Status) -> &'static str {
    match (status, kind) {
        (Status::Active, Kind::Licence) => lang.pick("ACTIVE", "有效"),
        (Status::Active, Kind::Item | Kind::Basic | Kind::List) => lang.pick("IN FORCE", "在用"),
        (Status::Active, Kind::Lot | Kind::Batch | Kind::Seed) => lang.pick("RECORDED", "有记录"),
        (Status::Active, Kind::Agency) => lang.pick("ENROLLED", "在册"),
        (Status::Active, Kind::Proposal) => lang.pick("OPEN", "表决中"),
        (Status::Active, Kind::Network) => lang.pick("IN FORCE", "生效"),
        (Status::Active, Kind::Grant) => lang.pick("GRANTED", "已授权"),
        (Status::Active, Kind::Actor | Kind::Data) => lang.pick("RECORDED", "有记录"),
        (Status::Active, Kind::Document) => lang.pick("REGISTERED", "已登记"),
        (Status::Suspended, Kind::Licence) => lang.pick("SUSPENDED", "暂扣"),
        (
            Status::Suspended,
            Kind::Item
            | Kind::Basic
            | Kind::Lot
            | Kind::Agency
            | Kind::Proposal
            | Kind::Network
            | Kind::List
            | Kind::Batch
            | Kind::Seed
            | Kind::Grant
            | Kind::Actor
            | Kind::Data
            | Kind::Document,
        ) => lang.pick("SUSPENDED", "暂停"),
        (Status::Annulled, _) => lang.pick("ANNULLED", "撤销"),
        (Status::Cancelled, Kind::Licence) => lang.pick("CANCELLED", "注销"),
        (
            Status::Cancelled,
            Kind::Item
            | Kind::Basic
            | Kind::Lot
            | Kind::Network
            | Kind::List
            | Kind::Batch
            | Kind::Seed
            | Kind::Actor
            | Kind::Data,
        ) => lang.pick("CANCELLED", "取消"),
        (Status::Cancelled, Kind::Grant) => lang.pick("WITHDRAWN", "已收回"),
        (Status::Cancelled, Kind::Document) => lang.pick("RETIRED", "已停用"),
        (Status::Cancelled, Kind::Agency) => lang.pick("DISSOLVED", "撤并"),
        (Status::Cancelled, Kind::Proposal) => lang.pick("WITHDRAWN", "撤回"),
        (Status::TransferredOut, _) => lang.pick("TRANSFERRED OUT", "转出"),
        (Status::Revoked, Kind::Grant) => lang.pick("WITHDRAWN", "已收回"),
        (Status::Revoked, _) => lang.pick("REVOKED", "吊销"),
        (Status::Superseded, _) => lang.pick("SUPERSEDED", "已被取代"),
        (Status::Proposed, _) => lang.pick("PROPOSED", "拟登记"),
        (Status::Enacted, _) => lang.pick("ENACTED", "已通过"),
        (Status::Expired, _) => lang.pick("EXPIRED", "失效"),
        (Status::Destroyed, _) => lang.pick("DESTROYED", "已销毁"),
    }
}

/// An act and what it was done to.
pub fn act(lang: Lang, action: &Action) -> String {
    match action {
        Action::Item(act) => {
            let verb = match &act.verb {
                ItemVerb::Publish { .. } | ItemVerb::Enter(_) => lang.pick("publication", "发布"),
                ItemVerb::Amend { .. } | ItemVerb::Revise(_) => lang.pick("amendment", "变更"),
                ItemVerb::Suspend => lang.pick("suspension", "暂停"),
                ItemVerb::Resume => lang.pick("resumption", "恢复"),
                ItemVerb::Cancel => lang.pick("cancellation", "取消"),
                ItemVerb::Merge { .. } => lang.pick("merger into", "合并"),
                ItemVerb::Split { .. } => lang.pick("split", "拆分"),
                ItemVerb::Entrust { .. } => lang.pick("entrustment", "委托"),
            };
            let code = &act.code;
            say!(lang, "{verb} of service item {code}", "政务服务事项 {code} {verb}")
        }
        Action::Licence(act) => {
            let verb = match act.verb {
                LicenceVerb::Issue(_) => lang.pick("issue", "颁发"),
                LicenceVerb::Renew { .. } => lang.pick("renewal", "延续"),
                LicenceVerb::Change { .. } => lang.pick("change", "变更"),
                LicenceVerb::TransferIn { .. } => lang.pick("transfer in", "转入"),
                LicenceVerb::Suspend => lang.pick("suspension", "暂扣"),
                LicenceVerb::Resume => lang.pick("resumption", "解除暂扣"),
                LicenceVerb::Annul => lang.pick("annulment", "撤销"),
                LicenceVerb::Cancel => lang.pick("cancellation", "注销"),
                LicenceVerb::Revoke => lang.pick("revocation", "吊销"),
                LicenceVerb::TransferOut => lang.pick("transfer out", "转出"),
                LicenceVerb::UndoTransferOut => lang.pick("withdrawn transfer", "撤回转出"),
                LicenceVerb::Expire => lang.pick("noted expiry", "失效登记"),
            };
            let licence = &act.licence;
            say!(lang, "{verb} of e-licence {licence}", "电子证照 {licence} {verb}")
        }
        Action::Govern(act) => governance(lang, act),
        Action::List(act) => {
            let verb = match act.verb {
                ListVerb::Publish { .. } => lang.pick("publication", "发布"),
                ListVerb::Amend { .. } => lang.pick("amendment", "变更"),
                ListVerb::Cancel => lang.pick("cancellation", "取消"),
            };
            let name = &act.name;
            say!(lang, "{verb} of the list {name}", "专题清单“{name}”{verb}")
        }
        Action::Batch(act) => {
            let (lines, series) = (count(act.lines), &act.series);
            say!(
                lang,
                "batch of {lines} commitments in series {series}",
                "系列 {series} 批量存证 {lines} 行"
            )
        }
        Action::Seed(act) => {
            let (unit, lot) = (&act.unit, &act.lot);
            say!(lang, "seed unit {unit} of lot {lot}", "批次 {lot} 种子单元 {unit}")
        }
        Action::Use(act) => usage::act(lang, act),
        Action::Trace(event) => {
            let kind = match event.event {
                EventType::Object => lang.pick("object event", "对象事件"),
                EventType::Aggregation => lang.pick("aggregation event", "聚合事件"),
                EventType::Transaction => lang.pick("transaction event", "交易事件"),
                EventType::Transformation => lang.pick("transformation event", "转化事件"),
                EventType::Association => lang.pick("association event", "关联事件"),
            };
            match event.lots.as_slice() {
                [] => kind.to_owned(),
                [(lot, _)] => say!(lang, "{kind} of lot {lot}", "批次 {lot} {kind}"),
                [(lot, _), rest @ ..] => {
                    let (all, more) = (rest.len() + 1, rest.len());
                    say!(
                        lang,
                        "{kind} of lot {lot} and {more} more",
                        "批次 {lot} 等 {all} 个批次 {kind}"
                    )
                }
            }
        }
    }
}

/// An act of governance and what it is about.
fn governance(lang: Lang, act: &Governance) -> String {
    let about = |target: &Target| thing(lang, &target.subject());
    match act {
        Governance::Propose(change) => {
            let about = about(&change.target());
            say!(lang, "proposal about {about}", "关于{about}的提案")
        }
        Governance::Approve { target, .. } => {
            let about = about(target);
            say!(lang, "approval of a proposal about {about}", "同意关于{about}的提案")
        }
        Governance::Withdraw { target, .. } => {
            let about = about(target);
            say!(lang, "withdrawal of a proposal about {about}", "撤回关于{about}的提案")
        }
        Governance::Delegate { to, .. } => say!(lang, "delegation to {to}", "向 {to} 委托职权"),
        Governance::Undelegate { from, .. } => {
            say!(lang, "end of a delegation to {from}", "收回对 {from} 的委托")
        }
        Governance::Rotate { .. } => lang.pick("rotation of a key", "更换密钥").to_owned(),
    }
}

/// A subject's part in a record.
pub fn part(lang: Lang, part: Part) -> &'static str {
    match part {
        Part::Subject => lang.pick("subject", "对象"),
        Part::Superseded => lang.pick("superseded", "被取代"),
        Part::Observed => lang.pick("observed", "观察"),
        Part::Input => lang.pick("input", "投入"),
        Part::Output => lang.pick("output", "产出"),
        Part::Parent => lang.pick("parent", "上级"),
        Part::Child => lang.pick("child", "下级"),
        Part::Target => lang.pick("target", "所涉对象"),
        Part::Actor => lang.pick("actor", "行为机构"),
        Part::Recipient => lang.pick("recipient", "接收机构"),
        Part::Basis => lang.pick("basis", "依据"),
    }
}
