//! What is wrong with a proof, in both languages, and what an inspector should do about it.

use crate::{
    layout::count,
    speech::{Lang, clean, say, thing},
};
use proof::{
    AgencyLineError, BatchError, EquivocationError, HandoverError, ProofError, UpstreamError,
};
use types::CertificateError;

/// What is wrong.
pub(super) fn text(lang: Lang, error: &ProofError) -> String {
    match error {
        ProofError::NotAProof => say!(lang, "this is not a proof", "这不是证明文件"),
        ProofError::Version { what, found, known } => {
            // The word is the proof crate's, and English; the number is what matters.
            say!(
                lang,
                "{what} format {found}; this verifier knows formats up to {known}",
                "格式版本为 {found}，本程序最高支持版本 {known}"
            )
        }
        ProofError::TooLong { found } => {
            say!(
                lang,
                "{found} bytes are more than a proof has",
                "{found} 字节，超出证明文件的上限"
            )
        }
        ProofError::Truncated => say!(
            lang,
            "the file ends before the proof does: it was cut off, or a length in it is damaged",
            "文件不完整：被截断，或其中的长度已损坏"
        ),
        ProofError::Malformed(why) => {
            let why = clean(why);
            say!(lang, "the file is damaged: {why}", "文件已损坏：{why}")
        }
        ProofError::NotCanonical => say!(
            lang,
            "the file does not spell the proof in the one way there is",
            "文件的编码不是唯一的规范形式"
        ),
        ProofError::Armor { line } => {
            say!(lang, "line {line} of the text armour is damaged", "文本封装的第 {line} 行已损坏")
        }
        ProofError::Checksum => say!(
            lang,
            "the checksum of the text does not match: a character was changed on the way",
            "文本校验和不符：传递途中有字符被改动"
        ),
        ProofError::Frame { nth } => say!(
            lang,
            "frame {nth} of those given was not read well: scan it again",
            "所给第 {nth} 个二维码未能正确读取，请重新扫描"
        ),
        ProofError::FrameOfAnother { nth } => say!(
            lang,
            "frame {nth} of those given is of another proof",
            "所给第 {nth} 个二维码属于另一份证明"
        ),
        ProofError::FramesMissing { missing, count } => {
            let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
            let missing = missing.join(lang.pick(", ", "、"));
            say!(
                lang,
                "incomplete QR: of {count} frames these are missing: {missing}",
                "二维码不完整：共 {count} 个，缺第 {missing} 个"
            )
        }
        ProofError::Claims { found } => {
            say!(
                lang,
                "{found} claims, which is none or too many",
                "声明数量为 {found}，不在允许范围内"
            )
        }
        ProofError::Hops { found } => say!(
            lang,
            "{found} changes of the committee, more than one file may carry",
            "含 {found} 次委员会更替，超出单个文件的上限"
        ),
        ProofError::Links { found } => say!(
            lang,
            "{found} links of histories, more than one file may list",
            "含 {found} 条历史链接，超出单个文件的上限"
        ),
        ProofError::Signatures { found } => say!(
            lang,
            "{found} signatures, more than one file may ask to be checked",
            "含 {found} 个签名，超出单个文件的上限"
        ),
        ProofError::Work { .. } => say!(
            lang,
            "the roles in it are more than one file may ask to be compared",
            "所含权限的比对量超出单个文件的上限"
        ),
        ProofError::Unenrolled { agency, height } => {
            let height = count(height.0);
            say!(
                lang,
                "agency {agency} was not enrolled in block {height}",
                "机构 {agency} 在区块 {height} 时尚未在册"
            )
        }
        ProofError::Suspended { agency, height } => {
            let height = count(height.0);
            say!(
                lang,
                "agency {agency} was suspended or dissolved in block {height}",
                "机构 {agency} 在区块 {height} 时已被暂停或撤并"
            )
        }
        ProofError::KeyTerm { key, agency, height } => {
            let (key, height) = (key.short(), count(height.0));
            say!(
                lang,
                "the key {key} could not sign for agency {agency} in block {height}",
                "密钥 {key} 在区块 {height} 时不能代表机构 {agency} 签名"
            )
        }
        ProofError::Line(why) => match why {
            AgencyLineError::Size { .. } | AgencyLineError::Order { .. } => say!(
                lang,
                "the agencies shown are not the one it is about and those above it",
                "所示机构并非该机构及其各级上级"
            ),
            AgencyLineError::Height { found, limit } => {
                let (found, limit) = (count(found.0), count(limit.0));
                say!(
                    lang,
                    "block {found} is not one of which the file tells: 1 to {limit}",
                    "区块 {found} 不在文件所及范围（1 至 {limit}）"
                )
            }
        },
        ProofError::Handover(why) => handover(lang, why),
        ProofError::Fork { height, found, yours } => {
            let (height, found, yours) = (count(height.0), found.0.short(), yours.0.short());
            say!(
                lang,
                "block {height} of this file is {found}, the one you saved is {yours}, and the validators certified both",
                "本文件的区块 {height} 为 {found}，您保存的为 {yours}，而验证节点对两者都签了名"
            )
        }
        ProofError::Contradiction { height, yours } => {
            let (height, yours) = (count(height.0), count(yours.0));
            say!(
                lang,
                "block {height} was certified, but cannot stand in one chain with block {yours}, which you saved",
                "区块 {height} 经过签署，却不可能与您保存的区块 {yours} 同在一条链上"
            )
        }
        ProofError::Batch(why) => batch(lang, why),
        ProofError::Consistency(_) => say!(
            lang,
            "the earlier log does not begin the later one: records were changed, removed or moved",
            "较早的日志并非较晚日志的开头：有记录被改动、删除或移位"
        ),
        ProofError::ConsistencyOrder { found, limit } => {
            let (found, limit) = (count(found.0), count(limit.0));
            say!(
                lang,
                "block {found} is said to be before block {limit}, and is not",
                "区块 {found} 被称早于区块 {limit}，实则不然"
            )
        }
        ProofError::ConsistencyChain { found, limit } => {
            let (found, limit) = (count(found.0), count(limit.0));
            say!(
                lang,
                "block {found} is certified, but what follows it in the file is not what it leads to (block {limit})",
                "区块 {found} 已获证明，但文件中其后的内容与它所指向的不符（区块 {limit}）"
            )
        }
        ProofError::ConsistencyMissing { saved } => {
            let saved = count(saved.0);
            say!(
                lang,
                "the file does not show that its log continues that of block {saved}, which your trust root saved; ask for one with `minlian prove --block --trust-root ROOT`",
                "文件未表明其日志延续了信任根所存区块 {saved} 的日志；请用 `minlian prove --block --trust-root ROOT` 重新索取"
            )
        }
        ProofError::Equivocation(why) => equivocation(lang, why),
        ProofError::Upstream(why) => upstream(lang, why),
        ProofError::Seal => {
            say!(lang, "the file was changed after it was made", "文件在生成之后被改动过")
        }
        ProofError::Chain { found, wanted } => {
            let (found, wanted) = (found.0.short(), wanted.0.short());
            say!(
                lang,
                "made on chain {found}; your trust root is that of chain {wanted}",
                "该证明来自链 {found}，您的信任根属于链 {wanted}"
            )
        }
        ProofError::TrustRoot { .. } => say!(
            lang,
            "this validator set does not follow from your trust root: the file brings its own authorities",
            "该验证节点集合并非源自您的信任根：文件自带了“权威”"
        ),
        ProofError::Header => say!(
            lang,
            "the validators' signatures are for another block than the one in the file",
            "验证节点签署的是另一个区块，而不是文件中的区块"
        ),
        ProofError::Certificate(error) => certificate(lang, error),
        ProofError::Signature { key } => {
            let key = key.short();
            say!(
                lang,
                "the signature of the record does not verify under the key {key}",
                "记录的签名与密钥 {key} 不符"
            )
        }
        ProofError::PathLength { found, wanted } => say!(
            lang,
            "a path of {found} hashes where {wanted} are needed",
            "路径有 {found} 个哈希，应为 {wanted} 个"
        ),
        ProofError::PathMismatch { found, wanted } => {
            let (found, wanted) = (found.short(), wanted.short());
            say!(
                lang,
                "hashing the record up its path gives {found}, but the signed block says {wanted}: the path or the record was altered",
                "由记录沿路径计算得 {found}，而已签署的区块为 {wanted}：路径或记录被改动"
            )
        }
        ProofError::Operation { found, wanted } => {
            let (found, wanted) = (found.short(), wanted.short());
            say!(
                lang,
                "hashing the operation up its path gives {found}, but the agency signed {wanted}",
                "由操作沿路径计算得 {found}，而机构签署的是 {wanted}"
            )
        }
        ProofError::Agency { agency } => {
            say!(lang, "agency {agency} is not enrolled", "机构 {agency} 未登记")
        }
        ProofError::Key { key, agency } => {
            let key = key.short();
            say!(
                lang,
                "the key {key} is not one of agency {agency}",
                "密钥 {key} 不属于机构 {agency}"
            )
        }
        ProofError::Role { agency, .. } => say!(
            lang,
            "agency {agency} has no role for this family of records",
            "机构 {agency} 没有此类记录的权限"
        ),
        ProofError::Scope { agency, .. } => say!(
            lang,
            "the roles of agency {agency} do not cover this record",
            "机构 {agency} 的权限不涵盖此记录"
        ),
        ProofError::Position { position, size } => {
            let (position, size) = (count(*position), count(*size));
            say!(
                lang,
                "position {position} is beyond the log's {size} records",
                "位置 {position} 超出日志的 {size} 条记录"
            )
        }
        ProofError::Index { index, count } => say!(
            lang,
            "operation {index} of a transaction that has {count}",
            "交易只有 {count} 项操作，却指向第 {index} 项"
        ),
        ProofError::EntryTransaction { .. } => say!(
            lang,
            "the log's entry is of another transaction than the one in the file",
            "日志条目属于另一笔交易"
        ),
        ProofError::EntryRecord { .. } => say!(
            lang,
            "the log's entry is of another record than the one in the file",
            "日志条目属于另一条记录"
        ),
        ProofError::EntryHeight { found, limit } => {
            let (found, limit) = (count(found.0), count(limit.0));
            say!(
                lang,
                "the entry is of block {found}, later than {limit}, the last it can be of",
                "条目所在区块 {found} 晚于允许的 {limit}"
            )
        }
        ProofError::EntryTime { found, block } => {
            let (found, block) = (found.in_china(), block.in_china());
            say!(
                lang,
                "the entry's time {found} does not fit the block's, {block}",
                "条目时间 {found} 与区块时间 {block} 不相容"
            )
        }
        ProofError::StateSubject { found } => {
            let found = thing(lang, found);
            say!(lang, "the state in the file is that of {found}", "文件中的状态属于{found}")
        }
        ProofError::StatePath(_) | ProofError::AbsencePath(_) => {
            say!(lang, "the path leads to another place in the state", "路径指向状态树的另一位置")
        }
        ProofError::State { found, wanted } | ProofError::Absence { found, wanted } => {
            let (found, wanted) = (found.short(), wanted.short());
            say!(
                lang,
                "hashing the state up its path gives {found}, but the signed block says {wanted}",
                "由状态沿路径计算得 {found}，而已签署的区块为 {wanted}"
            )
        }
        ProofError::HistoryOfNothing => say!(
            lang,
            "records are listed of something that is said not to be on the ledger",
            "声称不在账本上，却列出了记录"
        ),
        ProofError::HistoryCount { found, wanted } => say!(
            lang,
            "{found} records are listed where the state counts {wanted}: some were left out or added",
            "列出 {found} 条记录，而状态记载为 {wanted} 条：有遗漏或增添"
        ),
        ProofError::HistoryOrder { position } => {
            let position = count(*position);
            say!(
                lang,
                "the record at position {position} does not stand in order",
                "位置 {position} 的记录次序不对"
            )
        }
        ProofError::HistoryHead { found, wanted } => {
            let (found, wanted) = (found.short(), wanted.short());
            say!(
                lang,
                "the records listed chain to {found}, but the state has {wanted}: one was changed or exchanged",
                "所列记录的链值为 {found}，而状态为 {wanted}：有记录被改动或替换"
            )
        }
        ProofError::HistoryRecord { position } => {
            let position = count(*position);
            say!(
                lang,
                "the record shown at position {position} is not the one of the history",
                "位置 {position} 所示的记录与历史不符"
            )
        }
    }
}

fn handover(lang: Lang, error: &HandoverError) -> String {
    match error {
        HandoverError::Order { found, limit } => {
            let (found, limit) = (count(found.0), count(limit.0));
            say!(
                lang,
                "the change of the committee at block {found} does not stand before block {limit}",
                "区块 {found} 的委员会更替不在区块 {limit} 之前"
            )
        }
        HandoverError::Same { height } => {
            let height = count(height.0);
            say!(
                lang,
                "block {height} changes nothing of the committee",
                "区块 {height} 并未更替委员会"
            )
        }
        HandoverError::Again { height, from } => {
            let (height, from) = (count(height.0), count(from.0));
            say!(
                lang,
                "block {height} hands over to the very committee that sat from block {from} on, which no ledger does",
                "区块 {height} 将职权交还给自区块 {from} 起任职的同一委员会，任何账本都不会如此"
            )
        }
        HandoverError::Committee { found, wanted } => {
            let (found, wanted) = (found.short(), wanted.short());
            say!(
                lang,
                "the new committee shown is {found}, the validators handed over to {wanted}",
                "所示新委员会为 {found}，而验证节点移交给 {wanted}"
            )
        }
        HandoverError::Seats(_) => {
            say!(lang, "the new committee shown is none", "所示新委员会不成立")
        }
        HandoverError::Excess { found, wanted } => say!(
            lang,
            "a change of the committee with {found} signatures, where it has exactly {wanted}",
            "委员会更替带有 {found} 个签名，应恰为 {wanted} 个"
        ),
    }
}

fn batch(lang: Lang, error: &BatchError) -> String {
    match error {
        BatchError::Size { found } => say!(
            lang,
            "a batch of {found} records, which is none or too many",
            "一批 {found} 条记录，不在允许范围内"
        ),
        BatchError::Order { position } => {
            let position = count(*position);
            say!(
                lang,
                "the record at position {position} does not stand in order in the batch",
                "批中位置 {position} 的记录次序不对"
            )
        }
        BatchError::Unused { index } => say!(
            lang,
            "transaction {index} of the batch carries none of its records",
            "批中第 {index} 笔交易没有对应的记录"
        ),
    }
}

fn equivocation(lang: Lang, error: &EquivocationError) -> String {
    match error {
        EquivocationError::Height { found, wanted } => {
            let (found, wanted) = (count(found.0), count(wanted.0));
            say!(
                lang,
                "a block of height {found} does not contradict one of height {wanted}",
                "高度 {found} 的区块与高度 {wanted} 的区块并不矛盾"
            )
        }
        EquivocationError::Same => say!(
            lang,
            "the same thing was said twice, or the two are not in order",
            "两次表示相同，或次序不对"
        ),
        EquivocationError::Later { found, limit } => {
            let (found, limit) = (count(found.0), count(limit.0));
            say!(
                lang,
                "it was said at block {found}, later than the file's block {limit}",
                "其高度 {found} 晚于文件的区块 {limit}"
            )
        }
        EquivocationError::Seat { seat } => {
            say!(lang, "there was no validator {seat} at that block", "当时没有验证节点 {seat}")
        }
    }
}

fn upstream(lang: Lang, error: &UpstreamError) -> String {
    match error {
        UpstreamError::Size { found } => {
            say!(lang, "{found} lots, which is none or too many", "{found} 个批次，不在允许范围内")
        }
        UpstreamError::Order { lot } => say!(
            lang,
            "lot {lot} does not stand in order, or is not a lot",
            "批次 {lot} 次序不对，或不是批次"
        ),
        UpstreamError::Record { lot, position } => {
            let position = count(*position);
            say!(
                lang,
                "the record at position {position} of the history of lot {lot} is not in the file",
                "批次 {lot} 历史中位置 {position} 的记录不在文件中"
            )
        }
        UpstreamError::Unordered { position } => {
            let position = count(*position);
            say!(
                lang,
                "the record at position {position} does not name its lots in order, which no ledger takes",
                "位置 {position} 的记录所列批次次序不对，任何账本都不会接受"
            )
        }
        UpstreamError::Missing { lot } => {
            say!(lang, "lot {lot} is upstream and was left out", "批次 {lot} 属于上游却被遗漏")
        }
        UpstreamError::Extra { lot } => {
            say!(
                lang,
                "lot {lot} is in the file and not upstream",
                "批次 {lot} 在文件中却不属于上游"
            )
        }
        UpstreamError::ExtraRecord { position } => {
            let position = count(*position);
            say!(
                lang,
                "the record at position {position} is of none of the lots",
                "位置 {position} 的记录不属于任何所列批次"
            )
        }
        UpstreamError::Depth => {
            say!(lang, "the way upstream is longer than may be", "上游层级超出上限")
        }
    }
}

fn certificate(lang: Lang, error: &CertificateError) -> String {
    match error {
        CertificateError::Order { seat } => say!(
            lang,
            "the signature of validator {seat} is listed twice or out of order",
            "验证节点 {seat} 的签名重复或次序不对"
        ),
        CertificateError::Seat { seat } => say!(
            lang,
            "a signature is of validator {seat}, which there is not",
            "签名者 {seat} 不是验证节点"
        ),
        CertificateError::Signature { seat } => say!(
            lang,
            "the signature of validator {seat} does not verify",
            "验证节点 {seat} 的签名不成立"
        ),
        CertificateError::Quorum { found, wanted } => {
            say!(lang, "{found} signatures, {wanted} needed", "有 {found} 个签名，需要 {wanted} 个")
        }
    }
}

/// What to make of it.
pub(super) fn advice(lang: Lang, error: &ProofError, file: &str) -> String {
    let what = text(lang, error);
    match error {
        ProofError::Version { .. } => say!(
            lang,
            "{file} is not a proof this version understands: {what}. Update the verifier; nothing was proven or disproven.",
            "本版本不认识 {file}：{what}。请更新核验程序；既未证实也未证伪。"
        ),
        ProofError::NotAProof => say!(
            lang,
            "{file} is not a proof file. Ask the holder for the proof; nothing was proven or disproven.",
            "{file} 不是证明文件。请向持有人索取证明；既未证实也未证伪。"
        ),
        ProofError::TooLong { .. }
        | ProofError::Truncated
        | ProofError::Malformed(_)
        | ProofError::NotCanonical
        | ProofError::Armor { .. }
        | ProofError::Checksum
        | ProofError::Frame { .. }
        | ProofError::FrameOfAnother { .. }
        | ProofError::FramesMissing { .. }
        | ProofError::Claims { .. }
        | ProofError::Hops { .. }
        | ProofError::Links { .. }
        | ProofError::Signatures { .. }
        | ProofError::Work { .. } => say!(
            lang,
            "{file} cannot be checked: {what}. Ask the holder for the file again; nothing was proven or disproven.",
            "无法核验 {file}：{what}。请向持有人重新索取文件；既未证实也未证伪。"
        ),
        ProofError::Chain { .. } => say!(
            lang,
            "The proof is of another network than your trust root: perhaps a test network, perhaps a forgery. Do not rely on it. \
             Trust roots come from your agency, never from the person presenting the proof.",
            "该证明与您的信任根不属于同一网络：可能是测试网络，也可能是伪造。请勿采信。\
             信任根只能来自本单位，绝不能由出示证明的人提供。"
        ),
        ProofError::TrustRoot { .. } => say!(
            lang,
            "This is what a forged ledger looks like. Trust roots come from your agency, never from the person presenting the proof.",
            "伪造的账本正是如此。信任根只能来自本单位，绝不能由出示证明的人提供。"
        ),
        ProofError::Seal => say!(
            lang,
            "{file} was changed after it was made, even though nothing it still says is untrue. Do not rely on it: ask the holder \
             for the file as it was handed out.",
            "{file} 在生成之后被改动过，尽管其中尚存的内容未见不实。请勿采信，并向持有人索取原始证明文件。"
        ),
        ProofError::Fork { .. } | ProofError::Contradiction { .. } => say!(
            lang,
            "The validators certified two histories. Rely on neither, keep both files, and tell your agency at once: this is \
             evidence against more than a third of the validators, or of stolen keys.",
            "验证节点签署了两种历史。两者都不可采信；请保存两份文件并立即报告本单位：这说明超过三分之一的验证节点违规，或密钥被盗。"
        ),
        ProofError::Handover(_)
        | ProofError::Batch(_)
        | ProofError::Consistency(_)
        | ProofError::ConsistencyOrder { .. }
        | ProofError::ConsistencyChain { .. }
        | ProofError::ConsistencyMissing { .. }
        | ProofError::Equivocation(_)
        | ProofError::Upstream(_)
        | ProofError::Header
        | ProofError::Certificate(_)
        | ProofError::Signature { .. }
        | ProofError::PathLength { .. }
        | ProofError::PathMismatch { .. }
        | ProofError::Operation { .. }
        | ProofError::Agency { .. }
        | ProofError::Key { .. }
        | ProofError::Unenrolled { .. }
        | ProofError::Suspended { .. }
        | ProofError::KeyTerm { .. }
        | ProofError::Line(_)
        | ProofError::Role { .. }
        | ProofError::Scope { .. }
        | ProofError::Position { .. }
        | ProofError::Index { .. }
        | ProofError::EntryTransaction { .. }
        | ProofError::EntryRecord { .. }
        | ProofError::EntryHeight { .. }
        | ProofError::EntryTime { .. }
        | ProofError::StateSubject { .. }
        | ProofError::StatePath(_)
        | ProofError::State { .. }
        | ProofError::AbsencePath(_)
        | ProofError::Absence { .. }
        | ProofError::HistoryOfNothing
        | ProofError::HistoryCount { .. }
        | ProofError::HistoryOrder { .. }
        | ProofError::HistoryHead { .. }
        | ProofError::HistoryRecord { .. } => say!(
            lang,
            "Do not rely on this file. Keep it as evidence: it does not match the ledger it claims to come from.",
            "请勿采信此文件，并将其作为证据保存：它与所称的账本不符。"
        ),
    }
}
