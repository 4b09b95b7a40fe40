//! What a proof shows and what it does not, a sentence each; and why nothing was proven, with what to do.

use super::{
    CLAIMS_SHOWN, Lang, clean, problem, say,
    step::said_what,
    usage, visible,
    words::{act, agency, records, thing},
};
use crate::{
    layout::count,
    report::{Answer, Finding, Fit, Obstacle, Report},
};
use proof::{
    AuthorityClaim, Claim, Fact, Outcome, Proof, RecordClaim, RecordsClaim, Scope, StatusClaim,
    UpstreamClaim, VotesClaim,
};
use types::{Operation, PublicKey, Timestamp};

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

/// Whether some role could be checked for its family only.
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
