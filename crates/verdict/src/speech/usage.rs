//! Grants, uses of licences and data, and where a licence stood at a time, in words.

use super::{Lang, say};
use types::{
    SubjectState, Timestamp,
    standing::Standing,
    subject::{Facts, Kind, Status},
    usage::{Basis, DataUse, GrantFacts, Usage},
};

/// What a grant allows, and how much of it is used.
pub(super) fn grant(lang: Lang, facts: &GrantFacts) -> String {
    let GrantFacts { terms, uses } = facts;
    let (grantee, purpose, all) = (&terms.grantee, &terms.purpose, terms.uses_max);
    let (until, licence) = (terms.expires.in_china(), &terms.licence);
    let fields: Vec<&str> = terms.fields.iter().map(|name| &**name).collect();
    let fields = fields.join(lang.pick(", ", "、"));
    say!(
        lang,
        "{grantee} may use licence {licence} for “{purpose}” until before {until}; used {uses} of {all} times; fields: {fields}",
        "{grantee} 可为“{purpose}”使用证照 {licence}，{until} 前有效；已用 {uses}/{all} 次；字段：{fields}"
    )
}

/// An act of use, or one that allows it.
pub(super) fn act(lang: Lang, act: &Usage) -> String {
    match act {
        Usage::Grant(terms) => {
            let (licence, to, purpose) = (&terms.licence, &terms.grantee, &terms.purpose);
            say!(
                lang,
                "grant of e-licence {licence} to {to} for “{purpose}”",
                "电子证照 {licence} 授权 {to} 使用，事由“{purpose}”"
            )
        }
        Usage::Use(used) => {
            let (licence, purpose) = (&used.licence, &used.purpose);
            say!(
                lang,
                "use of e-licence {licence} for “{purpose}”",
                "使用电子证照 {licence}，事由“{purpose}”"
            )
        }
        Usage::Withdraw { licence, .. } => say!(
            lang,
            "withdrawal of a grant of e-licence {licence}",
            "收回电子证照 {licence} 的授权"
        ),
        Usage::Access(used) => {
            let what = data(lang, used);
            say!(lang, "access to {what}", "调阅{what}")
        }
        Usage::Transfer { data: used, to } => {
            let what = data(lang, used);
            say!(lang, "transfer to {to} of {what}", "向 {to} 共享{what}")
        }
        Usage::Destroy(used) => {
            let what = data(lang, used);
            say!(lang, "destruction of {what}", "销毁{what}")
        }
        Usage::Register { document, title } => say!(
            lang,
            "registration of document “{title}” {document}",
            "登记材料《{title}》{document}"
        ),
        Usage::Reuse(reuse) => {
            let (document, purpose) = (&reuse.document, &reuse.purpose);
            say!(
                lang,
                "re-use of document {document} for “{purpose}”",
                "复用登记材料 {document}，事由“{purpose}”"
            )
        }
        Usage::Retire { document } => {
            say!(lang, "retirement of document {document}", "停用登记材料 {document}")
        }
    }
}

fn data(lang: Lang, used: &DataUse) -> String {
    let (name, purpose) = (&used.data, &used.purpose);
    let basis = match &used.basis {
        Basis::Grant(grant) => {
            let grant = grant.0.short();
            say!(lang, "grant {grant}", "授权 {grant}")
        }
        Basis::Item(code) => say!(lang, "service item {code}", "事项 {code}"),
        Basis::Licence(id) => say!(lang, "e-licence {id}", "证照 {id}"),
        Basis::Role(number) => say!(lang, "its role {number}", "自身职权第 {number} 项"),
    };
    say!(
        lang,
        "data {name} for “{purpose}”, by right of {basis}",
        "数据 {name}，事由“{purpose}”，依据：{basis}"
    )
}

/// Where a licence stood, in a word.
pub fn standing(lang: Lang, standing: Standing) -> &'static str {
    match standing {
        Standing::Absent => lang.pick("NOT ISSUED", "尚未颁发"),
        Standing::Pending => lang.pick("NOT YET VALID", "尚未生效"),
        Standing::Known(status) => super::status(lang, Kind::Licence, status),
    }
}

/// The same, for programs.
pub fn word(standing: Standing) -> String {
    match standing {
        Standing::Absent => "absent".into(),
        Standing::Pending => "pending".into(),
        Standing::Known(status) => serde_json::to_value(status)
            .ok()
            .and_then(|word| word.as_str().map(str::to_owned))
            .unwrap_or_default(),
    }
}

/// The same, as an answer.
pub fn stood(lang: Lang, licence: &str, at: Timestamp, found: Standing) -> String {
    let (word, time) = (standing(lang, found), at.in_china());
    say!(lang, "{word}   e-licence {licence} at {time}", "{word}   电子证照 {licence}，{time}")
}

/// Where a subject stands at a time, by its state then: what has run out is not told to be valid, and what is only to come is
/// told with its day.
pub fn word_at(lang: Lang, state: &SubjectState, at: Timestamp) -> String {
    let word = word_of(lang, state, at);
    if state.effective_from <= at {
        return word.to_owned();
    }
    let from = state.effective_from.in_china();
    say!(lang, "{word} (to take effect on {from}, not before)", "{word}（自 {from} 起方才生效）")
}

fn word_of(lang: Lang, state: &SubjectState, at: Timestamp) -> &'static str {
    match &state.facts {
        Facts::Licence { facts, .. } => standing(lang, Standing::of(state.status, facts, at)),
        Facts::Grant(grant) if state.status == Status::Active && at >= grant.terms.expires => {
            lang.pick("EXPIRED", "已到期")
        }
        Facts::Grant(grant)
            if state.status == Status::Active && grant.uses >= grant.terms.uses_max =>
        {
            lang.pick("USED UP", "已用尽")
        }
        Facts::Item { .. }
        | Facts::Basic { .. }
        | Facts::Lot
        | Facts::Agency(_)
        | Facts::Proposal(_)
        | Facts::Network(_)
        | Facts::Elements(_)
        | Facts::List { .. }
        | Facts::Batch { .. }
        | Facts::Seed { .. }
        | Facts::Grant(_)
        | Facts::Trail
        | Facts::Document { .. } => super::status(lang, state.subject.kind, state.status),
    }
}
