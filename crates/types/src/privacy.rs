//! What must not stand on the ledger in the clear: citizen numbers and mobile numbers.

use crate::{
    agency::Role,
    authority::{Change, Governance},
    fields::FieldName,
    item::Element,
    operation::{Action, ItemAction, ItemVerb, Operation},
    usage::{Basis, DataOwner, Usage, data_owner},
};

/// What a text looks like that it must not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Personal {
    /// A citizen number, 公民身份号码, with a right check character.
    CitizenNumber,
    /// A mobile number.
    MobileNumber,
}

impl Personal {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CitizenNumber => "a citizen number",
            Self::MobileNumber => "a mobile number",
        }
    }
}

impl core::fmt::Display for Personal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

/// What text in the clear would tell of a person, if it does.
///
/// A number is found alone or with a word on either side of it. One with signs in between, in digits of other scripts, or
/// amid other digits and letters is not: whoever looked for those would refuse the numbers of goods.
#[must_use]
pub fn personal(text: &str) -> Option<Personal> {
    found_in(text).or_else(|| found_in(&narrowed(text)?))
}

fn found_in(text: &str) -> Option<Personal> {
    if has_number(text.as_bytes()) { personal_token(text) } else { None }
}

/// Text with full-width digits, as Chinese keyboards give them, in the usual digits and letters; `None` of any other.
fn narrowed(text: &str) -> Option<String> {
    let narrow = |c: char| match c {
        '\u{ff10}'..='\u{ff19}' | '\u{ff21}'..='\u{ff3a}' | '\u{ff41}'..='\u{ff5a}' => {
            char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c)
        }
        other => other,
    };
    let wide = !text.is_ascii() && text.contains(|c: char| matches!(c, '\u{ff10}'..='\u{ff19}'));
    wide.then(|| text.chars().map(narrow).collect())
}

/// Digits that stand together in whatever is looked for.
const DIGITS_MIN: usize = 11;

/// Whether as many digits stand together anywhere. In most texts they do not, and those need not be taken apart.
fn has_number(text: &[u8]) -> bool {
    let mut from = 0;
    while let Some(window) = text.get(from..from + DIGITS_MIN) {
        match window.iter().rposition(|byte| !byte.is_ascii_digit()) {
            // Other windows over this one are no numbers, either.
            Some(other) => from += other + 1,
            None => return true,
        }
    }
    false
}

fn personal_token(text: &str) -> Option<Personal> {
    let (urn, link) = (text.starts_with("urn:epc:"), text.starts_with("http"));
    let mut before = "";
    for token in text.split(|c: char| !c.is_ascii_alphanumeric()) {
        // An SSCC or GSRN may have the shape of a citizen number by chance, and a serial that of a telephone.
        let is_key = link && matches!(before, "00" | "sscc" | "8017" | "gsrnp" | "8018" | "gsrn");
        let is_serial = urn || (link && GS1_PARTS.contains(&before));
        // A word in front, as in tel13800138000, hides no number; and a digest is never a word and one number.
        let number = token.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        if begins_with_citizen_number(number) && !is_key {
            return Some(Personal::CitizenNumber);
        }
        if is_mobile_number(number) && !is_serial {
            return Some(Personal::MobileNumber);
        }
        before = token;
    }
    None
}

/// Where an operation names a person in the clear, if it does: a path into its JSON form, and what is there.
#[must_use]
pub fn personal_in(operation: &Operation) -> Option<(&'static str, Personal)> {
    let mut texts: Vec<(&'static str, &str)> = vec![
        ("/provenance/system", &operation.provenance.system),
        ("/provenance/version", &operation.provenance.version),
    ];
    match &operation.action {
        Action::Item(act) => item_texts(act, &mut texts),
        Action::Licence(act) => {
            texts.push(("/action/licence/licence", &act.licence));
            texts.extend(act.verb.supersedes().map(|id| ("/action/licence/supersedes", &**id)));
            texts.extend(act.verb.facts().map(|facts| ("/action/licence/kind", &*facts.kind)));
        }
        Action::Trace(event) => {
            texts.extend(event.id.as_ref().map(|id| ("/action/trace/id", &**id)));
            texts.extend(event.step.as_ref().map(|step| ("/action/trace/step", &**step)));
            texts.extend(event.corrects.as_ref().map(|id| ("/action/trace/corrects", &**id)));
            texts.extend(event.lots.iter().map(|(lot, _)| ("/action/trace/lots", &**lot)));
        }
        Action::Govern(act) => govern_texts(act, &mut texts),
        Action::Use(act) => usage_texts(act, &mut texts),
        Action::List(act) => {
            texts.push(("/action/list/name", &act.name));
            let members = act.verb.members();
            texts.extend(members.iter().map(|code| ("/action/list/members", &**code)));
        }
        Action::Batch(act) => texts.push(("/action/batch/series", &act.series)),
        // A unit code is digits that its maker chose; the label is in shops.
        Action::Seed(act) => {
            texts.push(("/action/seed/permit", &act.permit));
            texts.push(("/action/seed/lot", &act.lot));
        }
    }
    texts.into_iter().find_map(|(at, text)| Some((at, personal(text)?)))
}

fn item_texts<'o>(act: &'o ItemAction, texts: &mut Vec<(&'static str, &'o str)>) {
    let mut elements = |elements: &'o [Element]| {
        texts.extend(elements.iter().map(|element| ("/action/item/elements", &*element.name)));
    };
    match &act.verb {
        ItemVerb::Enter(edition) | ItemVerb::Revise(edition) | ItemVerb::Merge { edition, .. } => {
            elements(&edition.elements);
        }
        ItemVerb::Split { successors } => successors.iter().for_each(|new| elements(&new.elements)),
        ItemVerb::Entrust { tasks, .. } => {
            texts.extend(tasks.iter().map(|task| ("/action/item/tasks", &**task)));
        }
        ItemVerb::Publish { .. }
        | ItemVerb::Amend { .. }
        | ItemVerb::Suspend
        | ItemVerb::Resume
        | ItemVerb::Cancel => {}
    }
    let (others, _) = act.verb.relatives();
    for (code, basic) in others.into_iter().chain([(&act.code, &act.basic)]) {
        texts.push(("/action/item/code", code));
        texts.push(("/action/item/basic", basic));
    }
}

fn govern_texts<'o>(act: &'o Governance, texts: &mut Vec<(&'static str, &'o str)>) {
    let role = match act {
        Governance::Delegate { role, .. } => Some(role),
        Governance::Propose(change) => match &**change {
            Change::Enrol(enrolment) => {
                texts.push(("/action/govern/propose/enrol/name", &enrolment.name));
                None
            }
            Change::Grant { role, .. } => Some(role),
            Change::Suspend(_)
            | Change::Reinstate(_)
            | Change::Dissolve(_)
            | Change::EnrolKey { .. }
            | Change::RetireKey { .. }
            | Change::Revoke { .. }
            | Change::Committee { .. }
            | Change::Limits(_)
            | Change::Timing(_)
            | Change::Rules(_) => None,
            Change::Elements(names) => {
                let at = "/action/govern/propose/elements";
                texts.extend(names.iter().map(|name| (at, &**name)));
                None
            }
        },
        Governance::Approve { .. }
        | Governance::Withdraw { .. }
        | Governance::Undelegate { .. }
        | Governance::Rotate { .. } => None,
    };
    match role {
        Some(Role::Licence { types, .. }) => {
            texts.extend(types.iter().map(|kind| ("/action/govern/role/types", &**kind)));
        }
        Some(Role::Trace { namespaces }) => {
            texts.extend(namespaces.iter().map(|name| ("/action/govern/role/namespaces", &**name)));
        }
        Some(Role::Item { .. } | Role::Govern {}) | None => {}
    }
}

fn usage_texts<'o>(act: &'o Usage, texts: &mut Vec<(&'static str, &'o str)>) {
    fn fields(names: &[FieldName]) -> impl Iterator<Item = (&'static str, &str)> {
        names.iter().map(|name| ("/action/use/fields", &**name))
    }
    fn basis(basis: &Basis) -> Option<(&'static str, &str)> {
        match basis {
            Basis::Item(code) => Some(("/action/use/basis/item", code)),
            Basis::Licence(id) => Some(("/action/use/basis/licence", id)),
            Basis::Grant(_) | Basis::Role(_) => None,
        }
    }
    match act {
        Usage::Grant(terms) => {
            texts.push(("/action/use/licence", &terms.licence));
            texts.push(("/action/use/purpose", &terms.purpose));
            let reference = terms.reference.as_ref();
            texts.extend(reference.map(|text| ("/action/use/reference", &**text)));
            texts.extend(fields(&terms.fields));
        }
        Usage::Use(used) => {
            texts.push(("/action/use/licence", &used.licence));
            texts.push(("/action/use/purpose", &used.purpose));
            texts.extend(fields(&used.fields));
        }
        Usage::Withdraw { licence, .. } => texts.push(("/action/use/licence", licence)),
        Usage::Access(data) | Usage::Destroy(data) | Usage::Transfer { data, .. } => {
            // What is before the owner's own name of the data has rules of its own.
            let own = match data_owner(&data.data) {
                Some(DataOwner::Subject(subject)) => data.data.get(subject.kind.name().len() + 1..),
                Some(DataOwner::Agency(code)) => data.data.get(code.as_str().len() + 1..),
                None => None,
            };
            texts.push(("/action/use/data", own.unwrap_or(&data.data)));
            texts.push(("/action/use/purpose", &data.purpose));
            texts.extend(fields(&data.fields));
            texts.extend(basis(&data.basis));
        }
        Usage::Register { title, .. } => texts.push(("/action/use/title", title)),
        Usage::Reuse(reuse) => {
            texts.push(("/action/use/purpose", &reuse.purpose));
            texts.extend(reuse.basis.as_ref().and_then(basis));
        }
        Usage::Retire { .. } => {}
    }
}

/// The parts of a GS1 Digital Link whose values may be eleven digits.
const GS1_PARTS: [&str; 14] = [
    "21", "ser", "10", "lot", "22", "cpv", "235", "254", "8004", "giai", "401", "ginc", "8010",
    "8011",
];

/// Whether text is a citizen number, 公民身份号码 (GB 11643-1999): a region, a date of birth, a sequence, and an ISO 7064 MOD 11-2 check.
#[must_use]
pub fn is_citizen_number(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() != 18 || !bytes[..17].iter().all(u8::is_ascii_digit) {
        return false;
    }
    let number = |range: core::ops::Range<usize>| text[range].parse().unwrap_or(0_i16);
    let province = matches!(number(0..2), 11..=15 | 21..=23 | 31..=37 | 41..=46 | 50..=54 | 61..=65 | 71 | 81..=83);
    let birth = (1850..=2150).contains(&number(6..10))
        && i8::try_from(number(10..12))
            .and_then(|month| Ok((month, i8::try_from(number(12..14))?)))
            .is_ok_and(|(month, day)| jiff::civil::Date::new(number(6..10), month, day).is_ok());
    let remainder =
        bytes[..17].iter().fold(0, |sum: u32, digit| (sum + u32::from(digit - b'0')) * 2 % 11);
    let check = match (12 - remainder) % 11 {
        10 => b'X',
        digit => b'0' + u8::try_from(digit).unwrap_or(0),
    };
    province && birth && bytes[17].to_ascii_uppercase() == check
}

/// Whether text is a citizen number, or one with a word behind it. Where other digits follow it is a digest or a code of its own.
fn begins_with_citizen_number(text: &str) -> bool {
    let word = text.trim_start_matches(|c: char| c.is_ascii_digit());
    // The check character may be a letter.
    (17..=18).contains(&(text.len() - word.len()))
        && word.bytes().all(|byte| byte.is_ascii_alphabetic())
        && text.get(..18).is_some_and(is_citizen_number)
}

/// A mobile number of the mainland, by itself or behind the country's code.
fn is_mobile_number(text: &str) -> bool {
    let behind = ["0086", "86"].into_iter().find_map(|code| text.strip_prefix(code));
    let digits = behind.filter(|rest| rest.len() == 11).unwrap_or(text);
    digits.len() == 11
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && matches!(digits.as_bytes(), [b'1', b'3'..=b'9', ..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_text_that_is_not_taken_apart_tells_nothing(
            text in "(urn:|http|[a-z.]|[0-9]{1,10}|1[0-9]{10}|11010519491231002X|[0-9]{17}X){0,6}",
        ) {
            let long = text.as_bytes().windows(DIGITS_MIN).any(|few| few.iter().all(u8::is_ascii_digit));
            prop_assert_eq!(has_number(text.as_bytes()), long);
            prop_assert!(long || personal_token(&text).is_none());
        }
    }

    #[test]
    fn people_are_recognised_and_goods_are_not() {
        // The number is the worked example of GB 11643-1999.
        for bad in [
            "11010519491231002X",
            "lot-11010519491231002x-1",
            "urn:example:11010519491231002X",
            "urn:epc:id:sgtin:6901234.056789.11010519491231002X",
            "https://id.gs1.org/01/06901234567892/10/11010519491231002X",
            "1.2.156.3005.2.11350000XXXX000270001.11350122XXXX0006X9.11010519491231002X.001.9",
            "13800138000",
            "urn:example:person:13800138000",
            "8613800138000",
            "tel13800138000",
            "联系tel8613800138000",
            "id11010519491231002X",
            "11010519491231002Xold",
            "440524188001010014",
            "440524188001010014a",
            "id440524188001010014x",
            "008613800138000",
            "tel008613800138000",
            "１３８００１３８０００",
            "电话:138０0138000",
            "００８６１３８００１３８０００",
            "号码１１０１０５１９４９１２３１００２Ｘ",
            "ｉｄ440524188001010014ａ",
            "https://example.cn/holder/13800138000",
        ] {
            assert!(personal(bad).is_some(), "{bad}");
        }
        for good in [
            "",
            "110105194912310021",
            "11010519491331002X",
            "https://id.gs1.org/00/110105194912310026",
            "urn:epc:id:sgtin:9520001.012346.13800138000",
            "urn:epc:id:sscc:4012345.0111111111",
            "https://id.gs1.org/01/06901234567892/21/13800138000",
            "113500000035912564",
            "12800138000",
            "138001380001",
            "tel138001380001",
            "0086138001380001",
            "08613800138000",
            "13800138000a",
            "１２８００１３８０００",
            "１３８００１３８０００１",
            "4405241880010100140",
            "440524188001010014a1",
            "a1b440524188001010014",
            "https://id.gs1.org/00/440524188001010014",
            "c1:a440524188001010014c0ffee0000000000000000000000000000000000000000b",
            "c1:a13800138000000000000000000000000000000000000000000000000000000b",
            "1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.U",
            "ni:///sha-256;df7bb3c352fef055578554f09f5e2aa41782150ced7bd0b8af24dd3ccb30ba69?ver=CBV2.0",
        ] {
            assert!(personal(good).is_none(), "{good}");
        }
    }
}
