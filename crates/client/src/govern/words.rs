//! What is governed, in words: roles, how long they last, and changes, with everyone they are about.

use crate::{
    items::life::level,
    speech::{Lang, say},
};
use types::{
    Region, Role, Timestamp,
    authority::{Change, NewSeat},
};

/// How long a grant lasts.
pub(super) fn until_in_words(lang: Lang, until: Option<Timestamp>) -> String {
    match until.map(Timestamp::in_china) {
        Some(until) => say!(lang, "until {until}", "至 {until} 止"),
        None => lang.pick("without an end of its own", "不另设期限").to_owned(),
    }
}

/// What a role allows.
pub(super) fn role_in_words(lang: Lang, role: &Role) -> String {
    let places =
        |regions: &[Region]| regions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match role {
        Role::Item { regions } => {
            let places = places(regions);
            say!(lang, "service items in region {places}", "区划 {places} 的政务服务事项")
        }
        Role::Licence { types, regions } => {
            let places = places(regions);
            let kinds = types.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ");
            say!(
                lang,
                "e-licences of types beginning with {kinds} in region {places}",
                "区划 {places} 内类型代码以 {kinds} 开头的电子证照"
            )
        }
        Role::Trace { namespaces } => {
            let spaces =
                namespaces.iter().map(|space| space.as_str()).collect::<Vec<_>>().join(", ");
            say!(
                lang,
                "traceability events of lots beginning with {spaces}",
                "以 {spaces} 开头的批次的溯源事件"
            )
        }
        Role::Govern {} => lang.pick("governance itself", "治理").to_owned(),
    }
}

/// What a change does. Who agrees answers for all of it, so nothing is told by its number alone.
pub(super) fn change_in_words(lang: Lang, change: &Change) -> String {
    match change {
        Change::Enrol(enrolment) => {
            let (code, name, region) = (enrolment.code, &enrolment.name, enrolment.region);
            let level = level(lang, enrolment.level);
            let above = match enrolment.parent {
                Some(parent) => say!(lang, "below {parent}", "上级机构 {parent}"),
                None => lang.pick("below no other", "无上级机构").to_owned(),
            };
            let keys = enrolment.keys.iter().map(|key| key.key.to_string());
            let keys = keys.collect::<Vec<_>>().join(", ");
            say!(
                lang,
                "enrol {name} ({code}), level {level}, region {region}, {above}, with the keys {keys}",
                "登记机构 {name}({code}),{level},区划 {region},{above},密钥 {keys}"
            )
        }
        Change::Suspend(code) => {
            say!(lang, "suspend {code}: it may do nothing", "暂停 {code} 的一切操作")
        }
        Change::Reinstate(code) => say!(lang, "end the suspension of {code}", "恢复 {code}"),
        Change::Dissolve(code) => say!(lang, "dissolve {code}, for good", "撤并 {code},不可恢复"),
        Change::EnrolKey { agency, key } => {
            let key = key.key;
            say!(lang, "give {agency} the key {key}", "为 {agency} 增加密钥 {key}")
        }
        Change::RetireKey { agency, key } => {
            say!(lang, "take the key {key} from {agency}", "停用 {agency} 的密钥 {key}")
        }
        Change::Grant { agency, role, until } => {
            let (role, until) = (role_in_words(lang, role), until_in_words(lang, *until));
            say!(lang, "grant {agency} {role}, {until}", "授予 {agency}:{role},{until}")
        }
        Change::Revoke { agency, number } => say!(
            lang,
            "revoke grant {number} of {agency}, and what was delegated of it",
            "撤销 {agency} 的第 {number} 项授权,由其委托的一并失效"
        ),
        Change::Committee { join, leave } => {
            let joins = join.iter().map(|seat| {
                let NewSeat { agency, consensus_key, transport_key } = seat;
                let (votes, connects) = (consensus_key.key, transport_key.key);
                say!(
                    lang,
                    "{agency} joins, which votes with {votes} and connects with {connects}",
                    "{agency} 加入,共识密钥 {votes},传输密钥 {connects}"
                )
            });
            let leaves = leave.iter().map(|key| {
                say!(lang, "the seat that votes with {key} leaves", "共识密钥为 {key} 的席位退出")
            });
            let seats = joins.chain(leaves).collect::<Vec<_>>().join("; ");
            say!(lang, "change the committee: {seats}", "变更委员会:{seats}")
        }
        Change::Limits(limits) => {
            let limits = serde_json::to_string(limits).unwrap_or_default();
            say!(lang, "set the limits of a block to {limits}", "将区块限额设为 {limits}")
        }
        Change::Timing(timing) => {
            let timing = serde_json::to_string(timing).unwrap_or_default();
            say!(lang, "set the timing to {timing}", "将时间参数设为 {timing}")
        }
        Change::Rules(rules) => {
            let rules = serde_json::to_string(rules).unwrap_or_default();
            say!(lang, "set the rules of governance to {rules}", "将治理规则设为 {rules}")
        }
        Change::Elements(names) => {
            let number = names.len();
            let names = names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
            say!(
                lang,
                "make {number} elements of service items uniform: {names}",
                "将 {number} 项要素定为五级统一:{names}"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{
        AgencyCode, ChainId, Level, SecretKey,
        authority::{Enrolment, Possessed},
    };

    #[test]
    fn a_change_is_told_with_everyone_it_is_about() {
        let codes = ["11350000XXXX000195", "11350000XXXX000270"];
        let [above, agency] = codes.map(|code| AgencyCode::new(code).unwrap());
        let region = Region::new("350122").unwrap();
        let key = |n: u8| {
            let secret = SecretKey::from_seed([n; 32]);
            Possessed::sign(&secret, &ChainId::default(), &agency)
        };
        let enrol = Change::Enrol(Enrolment {
            code: agency,
            name: "连江县海洋与渔业局".parse().unwrap(),
            region,
            level: Level::County,
            parent: Some(above),
            keys: vec![key(1), key(2)],
        });
        let seat = NewSeat { agency, consensus_key: key(3), transport_key: key(4) };
        let committee = Change::Committee { join: vec![seat], leave: vec![key(5).key, key(6).key] };
        for (change, codes, keys) in [
            (&enrol, &[agency.as_str(), above.as_str(), "350122"][..], 1..=2),
            (&committee, &[agency.as_str()], 3..=6),
        ] {
            for lang in [Lang::En, Lang::Zh] {
                let told = change_in_words(lang, change);
                assert!(codes.iter().all(|code| told.contains(code)), "{told}");
                let all = keys.clone().all(|n| told.contains(&key(n).key.to_string()));
                assert!(all, "{told}");
            }
        }
        assert!(change_in_words(Lang::En, &enrol).contains("level county"));
        assert!(change_in_words(Lang::Zh, &enrol).contains("县级"));
    }
}
