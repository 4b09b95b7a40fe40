//! What must not stand on the ledger in the clear: citizen numbers and mobile numbers; and how an identifier is hidden.

use crate::fault::Problem;
pub(crate) use types::privacy::is_citizen_number;
use types::{
    Digest,
    operation::LicenceId,
    privacy::{Personal, personal},
};

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
#[must_use]
pub fn is_hidden(text: &str) -> bool {
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
    personal(text).map(|found| match found {
        Personal::CitizenNumber => Problem::personal(found.name(), "公民身份号码"),
        Personal::MobileNumber => Problem::personal(found.name(), "手机号码"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
