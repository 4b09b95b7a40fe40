//! Everything that people are told, in both languages side by side: what is said of proofs comes from `verdict`.

use crate::{
    exit::{Exit, Stop},
    layout::count,
};
use client::Pause;
use proof::{Claim, Proof, TrustRoot};
use types::{Height, Subject, Timestamp};
pub(crate) use verdict::{say, speech::*};

// ── Answers of a node ──

/// What `as of` means, under every answer that is not proven.
pub(crate) fn as_of(
    lang: Lang,
    url: &str,
    subject: &Subject,
    height: Height,
    time: Timestamp,
) -> String {
    let (height, time) = (count(height.0), time.in_china());
    say!(
        lang,
        "As of block {height}, {time}. This is what {url} says; for a proof: minlian prove --subject {subject}",
        "截至区块 {height}，{time}。以上为 {url} 的答复；如需证明：minlian prove --subject {subject}"
    )
}

pub(crate) fn unknown_subject(lang: Lang, subject: &Subject, url: &str) -> String {
    say!(
        lang,
        "{subject} is not on the ledger, as {url} says. For a proof of that: minlian prove --subject {subject}",
        "{url} 答复：{subject} 不在账本上。如需证明：minlian prove --subject {subject}"
    )
}

pub(crate) fn unknown_record(lang: Lang, id: &impl std::fmt::Display, url: &str) -> String {
    say!(
        lang,
        "record {id} is not on the ledger, as {url} says",
        "{url} 答复：记录 {id} 不在账本上"
    )
}

pub(crate) fn unprovable(lang: Lang, url: &str) -> String {
    say!(
        lang,
        "something of what was asked for is not on the ledger, as {url} says. For a proof that a subject is not: minlian prove \
         --subject KIND:ID",
        "{url} 答复：所求的某项不在账本上。如需证明某对象不在账本上：minlian prove --subject KIND:ID"
    )
}

/// Why a trust root stays where it is.
pub(crate) fn not_advanced(lang: Lang, file: &str, code: &str) -> String {
    say!(
        lang,
        "{file} does not hold against this trust root ({code}), so nothing is learned from it. See why: minlian verify {file}",
        "{file} 不能依此信任根成立（{code}），信任根保持不变。查看原因：minlian verify {file}"
    )
}

/// Whom a trust root believes.
pub(crate) fn trust_root(lang: Lang, root: &TrustRoot) -> String {
    let (name, chain) = (root.name(), root.chain());
    let mut out = say!(
        lang,
        "trust root \"{name}\"\n  chain      {chain}\n",
        "信任根“{name}”\n  链         {chain}\n"
    );
    for (from, committee) in root.committees() {
        let (from, size, quorum) = (count(from.0), committee.size(), committee.quorum());
        let names: Vec<&str> = committee.seats().map(|(_, seat)| seat.name.as_str()).collect();
        let (digest, names) = (committee.digest().short(), names.join(lang.pick(", ", "、")));
        out.push_str(&say!(
            lang,
            "  committee  from block {from}: {size} validators, {quorum} needed   {digest}\n             {names}\n",
            "  委员会     自区块 {from} 起：{size} 个验证节点，需 {quorum} 个签名   {digest}\n             {names}\n"
        ));
    }
    out.push_str(&match root.checkpoint().map(|saved| saved.header()) {
        Some(header) => {
            let (height, time, id) = (count(header.height.0), header.time.in_china(), header.id());
            say!(
                lang,
                "  saved      block {height}, {time}\n             {id}",
                "  已存区块   {height}，{time}\n             {id}"
            )
        }
        None => say!(
            lang,
            "  saved      no block: every proof is followed from genesis. To save one: minlian trust advance",
            "  已存区块   无：每份证明均自创世追溯。保存区块：minlian trust advance"
        ),
    });
    out.push_str(&say!(
        lang,
        "\nConfirm the chain by another channel, never with the person presenting a proof.",
        "\n请通过其他渠道核对链标识，绝不能向出示证明的人核对。"
    ));
    out
}

pub(crate) fn proof_written(
    lang: Lang,
    file: &str,
    check: &str,
    bytes: usize,
    proof: &Proof,
) -> String {
    let bytes = count(bytes.try_into().unwrap_or(u64::MAX));
    let (what, height) = (headline(lang, proof), count(proof.header.height.0));
    let time = proof.header.time.in_china();
    let status = proof.claims.iter().find_map(Claim::status);
    let history = status.map(|claim| (claim.state.is_some(), claim.history.is_some()));
    let single = match proof.claims.first() {
        Some(Claim::Record(_)) | None => {
            lang.pick("that this record is on the ledger", "此记录已上链")
        }
        Some(Claim::Records(_)) => {
            lang.pick("that these records are on the ledger", "这些记录已上链")
        }
        Some(Claim::Upstream(_)) => lang.pick("everything it was made of", "其全部上游"),
        Some(Claim::Consistency(_)) => lang.pick("that the log only grew", "日志只增不改"),
        Some(Claim::Fork(_) | Claim::Votes(_)) => {
            lang.pick("that somebody broke the rules", "有节点违规")
        }
        Some(Claim::Authority(_)) => {
            lang.pick("who may sign for it and what it may record", "其可用密钥与权限")
        }
        Some(Claim::Status(_) | Claim::Block) => {
            lang.pick("that this block is final", "该区块已最终确认")
        }
    };
    let kind = match history {
        None => single,
        Some((false, _)) => lang.pick("that it is not on the ledger", "其不在账本上"),
        Some((true, true)) => lang.pick("its status and its complete history", "其状态与完整历史"),
        Some((true, false)) => lang.pick("its status", "其状态"),
    };
    say!(
        lang,
        "{file}   {bytes} bytes\n{what}\nproves {kind}, as of block {height}, {time}\n\
         check it: minlian verify {check} --trust-root GENESIS",
        "{file}   {bytes} 字节\n{what}\n证明：{kind}（截至区块 {height}，{time}）\n核验：minlian verify {check} --trust-root GENESIS"
    )
}

pub(crate) fn too_long_for_qr(lang: Lang, bytes: usize) -> String {
    let bytes = count(bytes.try_into().unwrap_or(u64::MAX));
    say!(
        lang,
        "{bytes} bytes are more than QR codes carry: leave out --qr, or ask for less in one file",
        "{bytes} 字节，超出二维码的容量：请去掉 --qr，或减少一份证明中的内容"
    )
}

pub(crate) fn no_evidence(lang: Lang, url: &str) -> String {
    say!(
        lang,
        "{url} holds no evidence: it saw no validator say two things",
        "{url} 没有证据：未见验证节点自相矛盾"
    )
}

pub(crate) fn not_exported(lang: Lang, file: &str, code: &str) -> String {
    say!(
        lang,
        "{file} does not hold against this trust root ({code}), so it is not exported. See why: minlian verify {file}",
        "{file} 不能依此信任根成立（{code}），因此未导出。查看原因：minlian verify {file}"
    )
}

pub(crate) fn too_few_sign(lang: Lang, found: usize, wanted: usize, silent: &[String]) -> String {
    let silent = clean(&silent.join("\n"));
    say!(
        lang,
        "{found} validators signed the log of this block; {wanted} are needed: name more of them with --node\n{silent}",
        "{found} 个验证节点签署了该区块的日志，需要 {wanted} 个：请用 --node 指定更多节点\n{silent}"
    )
}

pub(crate) fn exported(lang: Lang, file: &str, bytes: usize, signed: usize, all: usize) -> String {
    let bytes = count(bytes.try_into().unwrap_or(u64::MAX));
    say!(
        lang,
        "{file}   {bytes} bytes, signed by {signed} of {all} validators",
        "{file}   {bytes} 字节，{all} 个验证节点中有 {signed} 个签署"
    )
}

// ── Submission ──

/// The three bars.
pub(crate) const fn phases(lang: Lang) -> [&'static str; 3] {
    match lang {
        Lang::En => ["Checking  ", "Submitting", "Committing"],
        Lang::Zh => ["检查", "提交", "确认"],
    }
}

pub(crate) fn checked(lang: Lang, valid: u64, rejected: u64, where_to: Option<&str>) -> String {
    let s = if valid + rejected == 1 { "" } else { "s" };
    let (all, valid, rejected) = (count(valid + rejected), count(valid), count(rejected));
    let see = where_to.map(|file| say!(lang, " (see {file})", "（见 {file}）")).unwrap_or_default();
    say!(
        lang,
        "Checked {all} record{s}: {valid} valid, {rejected} rejected{see}",
        "已检查 {all} 条：有效 {valid} 条，拒绝 {rejected} 条{see}"
    )
}

pub(crate) fn resuming(lang: Lang, settled: u64, all: u64) -> String {
    let (settled, all) = (count(settled), count(all));
    say!(
        lang,
        "Resuming: {settled} of {all} already settled.",
        "继续上次提交：{all} 条中已有 {settled} 条完成。"
    )
}

pub(crate) fn other_state(lang: Lang, path: &str) -> String {
    say!(
        lang,
        "{path} is of another run (the file or a flag differs); starting over. What is on the ledger will be recognised.",
        "{path} 属于另一次提交（文件或参数不同），重新开始；已上链的记录会被识别。"
    )
}

pub(crate) fn pausing(lang: Lang, pause: &Pause) -> String {
    let (seconds, why) = (pause.length.as_millis().div_ceil(1000), clean(&pause.why.to_string()));
    say!(lang, "waiting {seconds} s: {why}", "等待 {seconds} 秒：{why}")
}

/// How a submission came out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Newly on the ledger, or accepted.
    pub(crate) new: u64,
    /// There before.
    pub(crate) known: u64,
    /// Refused by the check or by the ledger.
    pub(crate) rejected: u64,
}

pub(crate) fn summary(lang: Lang, tally: &Tally, accepted_only: bool, time: &str) -> String {
    let sign = if tally.rejected == 0 { "✔" } else { "✘" };
    let (new, known, rejected) = (count(tally.new), count(tally.known), count(tally.rejected));
    let new = if accepted_only {
        say!(lang, "{new} accepted", "已接收 {new} 条")
    } else {
        say!(lang, "{new} new", "新上链 {new} 条")
    };
    say!(
        lang,
        "{sign} {new}   {known} already on the ledger (same content, same receipt)   {rejected} rejected   {time}",
        "{sign} {new}   已在账本上 {known} 条（内容相同，回执相同）   拒绝 {rejected} 条   {time}"
    )
}

pub(crate) fn files_written(
    lang: Lang,
    receipts: Option<&str>,
    rejected: Option<&str>,
) -> Option<String> {
    let receipts = receipts.map(|file| say!(lang, "  receipts  {file}", "  回执  {file}"));
    let rejected = rejected.map(|file| say!(lang, "  rejected  {file}", "  拒绝  {file}"));
    let lines: Vec<String> = receipts.into_iter().chain(rejected).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

pub(crate) const fn rejected_title(lang: Lang) -> &'static str {
    match lang {
        Lang::En => "Rejected",
        Lang::Zh => "被拒绝的记录",
    }
}

pub(crate) fn place(lang: Lang, line: Option<u64>, at: &str) -> String {
    match (line, at) {
        (Some(line), "") => say!(lang, "line {line}", "第 {line} 行"),
        (Some(line), at) => say!(lang, "line {line} {at}", "第 {line} 行 {at}"),
        (None, "") => lang.pick("the document", "文档").to_owned(),
        (None, at) => at.to_owned(),
    }
}

pub(crate) fn more_rejected(lang: Lang, more: u64) -> String {
    let more = count(more);
    say!(lang, "  … and {more} more", "  …… 另有 {more} 条")
}

pub(crate) const fn headings(lang: Lang) -> [&'static str; 6] {
    match lang {
        Lang::En => ["#", "TIME", "BLOCK", "ACT", "PART", "AGENCY"],
        Lang::Zh => ["序号", "时间", "区块", "事项", "角色", "机构"],
    }
}

// ── Ends ──

/// Why a command ended before its time, and what to do.
pub(crate) fn stop(lang: Lang, stop: &Stop) -> String {
    let why = clean(&format!("{:#}", stop.why));
    match stop.exit {
        Exit::Network => say!(
            lang,
            "{why}\nNothing is lost: run the same command again when the node is back.",
            "{why}\n没有任何丢失：节点恢复后重新运行同一命令即可。"
        ),
        Exit::Interrupted => say!(
            lang,
            "Interrupted. What was settled is remembered: run the same command to go on.",
            "已中断。已完成的部分已记下，重新运行同一命令即可继续。"
        ),
        Exit::Done | Exit::Negative | Exit::Usage | Exit::Undecided | Exit::Disk => {
            say!(lang, "minlian: {why}", "minlian:{why}")
        }
    }
}
