//! What must not stand on the ledger in the clear: citizen numbers and mobile numbers; and how an identifier is hidden.

use crate::fault::Problem;
use types::{Digest, operation::LicenceId};

/// The fewest hexadecimal digits of a salt: 128 bits.
pub const SALT_DIGITS_MIN: usize = 32;
/// The most.
pub const SALT_DIGITS_MAX: usize = 128;

/// The name under which a licence held by a person stands on the ledger: `c1:` and a commitment to its identifier.
///
/// Licence numbers are few enough to be tried one after the other, so a bare hash would hide nothing; the salt does. Whoever
/// has the salt and the identifier finds the licence; when the salt is destroyed, nobody does. `None` if the salt is not
/// 32 to 128 lower-case hexadecimal digits.
#[must_use]
pub fn hidden_licence(salt: &str, identifier: &str) -> Option<LicenceId> {
    if !is_salt(salt) {
        return None;
    }
    let hidden = ["minlian licence id v1", salt, identifier].join("\0");
    let digest = Digest::blake3(hidden.as_bytes()).to_string();
    LicenceId::new(format!("c1:{}", digest.trim_start_matches("blake3:"))).ok()
}

/// Whether text is the name of a hidden licence.
pub(crate) fn is_hidden(text: &str) -> bool {
    text.strip_prefix("c1:").is_some_and(|digits| digits.len() == 64 && is_lower_hex(digits))
}

pub(crate) fn is_salt(text: &str) -> bool {
    (SALT_DIGITS_MIN..=SALT_DIGITS_MAX).contains(&text.len()) && is_lower_hex(text)
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Why text must not stand on the ledger in the clear, if it must not.
pub(crate) fn problem(text: &str) -> Option<Problem> {
    let (urn, link) = (text.starts_with("urn:epc:"), text.starts_with("http"));
    let mut before = "";
    for token in text.split(|c: char| !c.is_ascii_alphanumeric()) {
        // An SSCC or GSRN may have the shape of a citizen number by chance, and a serial that of a telephone.
        let is_key = link && matches!(before, "00" | "sscc" | "8017" | "gsrnp" | "8018" | "gsrn");
        let is_serial = urn || (link && GS1_PARTS.contains(&before));
        if is_citizen_number(token) && !is_key {
            return Some(Problem::personal("a citizen number", "公民身份号码"));
        }
        if is_mobile_number(token) && !is_serial {
            return Some(Problem::personal("a mobile number", "手机号码"));
        }
        before = token;
    }
    None
}

/// The parts of a GS1 Digital Link whose values may be eleven digits.
const GS1_PARTS: [&str; 14] = [
    "21", "ser", "10", "lot", "22", "cpv", "235", "254", "8004", "giai", "401", "ginc", "8010",
    "8011",
];

/// A citizen number, 公民身份号码 (GB 11643-1999): a region, a date of birth, a sequence, and an ISO 7064 MOD 11-2 check.
pub(crate) fn is_citizen_number(text: &str) -> bool {
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

/// A mobile number of the mainland.
fn is_mobile_number(text: &str) -> bool {
    let digits = text.strip_prefix("86").filter(|rest| rest.len() == 11).unwrap_or(text);
    digits.len() == 11
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && matches!(digits.as_bytes(), [b'1', b'3'..=b'9', ..])
}

#[cfg(test)]
mod tests {
    use super::*;

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
            "https://example.cn/holder/13800138000",
        ] {
            assert!(problem(bad).is_some(), "{bad}");
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
            "1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.U",
            "ni:///sha-256;df7bb3c352fef055578554f09f5e2aa41782150ced7bd0b8af24dd3ccb30ba69?ver=CBV2.0",
        ] {
            assert!(problem(good).is_none(), "{good}");
        }
    }

    #[test]
    fn a_hidden_licence_depends_on_every_character() {
        let salt = "00112233445566778899aabbccddeeff";
        let id = "1.2.156.3005.2.11350000XXXX000270001.11350122XXXX0006X9.2022000001.001.9";
        let hidden = hidden_licence(salt, id).unwrap();
        assert!(is_hidden(&hidden) && hidden.len() == 67);
        assert_eq!(hidden_licence(salt, id), Some(hidden.clone()));
        assert_ne!(hidden_licence(&format!("{salt}00"), id), Some(hidden.clone()));
        assert_ne!(hidden_licence(salt, &id.replace("001.9", "002.7")), Some(hidden));
        for bad in
            ["", "00", "00112233445566778899AABBCCDDEEFF", "00112233445566778899aabbccddeef\0"]
        {
            assert!(hidden_licence(bad, id).is_none(), "{bad:?}");
        }
    }
}
