//! The steps of a check in words: what each found, or what is wrong.

use super::{
    CLAIMS_SHOWN, Lang, Mark, Step, claim_in_words, problem, say, usage, visible,
    words::{agency, facts, records},
};
use crate::{
    layout::count,
    report::{Document, Finding, Fit, Report, short},
};
use proof::{Check, Claim, Fact, Grounds, Outcome, Proof, Said, Scope, StatusClaim};
use types::{PublicKey, Region, Role, Timestamp, operation::Family, vote::Step as Vote};

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

pub(super) const fn said_what(lang: Lang, said: &Said) -> &'static str {
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
