//! Words for what is on a ledger: agencies, subjects and where they stand, acts, and parts in them.

use super::{Lang, clean, say, usage};
use crate::{layout::count, report::Report};
use proof::Claim;
use types::{
    AgencyCode, Subject, Text, Timestamp,
    authority::{Governance, Target},
    item::ListVerb,
    operation::{Action, EventType, ItemVerb, LicenceVerb},
    subject::{Facts, Kind, Part, Status},
};

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
