//! What is wrong with a proof, in both languages, and what an inspector should do about it.

use crate::{
    layout::count,
    speech::{Lang, clean, say, thing},
};
use proof::ProofError;
use types::CertificateError;

/// What is wrong.
pub(super) fn text(lang: Lang, error: &ProofError) -> String {
    match error {
        ProofError::NotAProof => say!(lang, "this is not a proof", "这不是证明文件"),
        ProofError::Version { what, found, known } => {
            // The word is the proof crate's, and English; the number is what matters.
            say!(
                lang,
                "{what} format {found}; this verifier knows {known}",
                "格式版本为 {found}，本程序只认识版本 {known}"
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
        ProofError::Claims { found } => {
            say!(
                lang,
                "{found} claims, which is none or too many",
                "声明数量为 {found}，不在允许范围内"
            )
        }
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
        | ProofError::Claims { .. } => say!(
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
        ProofError::Header
        | ProofError::Certificate(_)
        | ProofError::Signature { .. }
        | ProofError::PathLength { .. }
        | ProofError::PathMismatch { .. }
        | ProofError::Operation { .. }
        | ProofError::Agency { .. }
        | ProofError::Key { .. }
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
