//! The identifier of an e-licence: its parts, and its check character.

/// An e-licence identifier, 电子证照标识: `1.2.156.3005.2.<type>.<issuer>.<serial>.<version>.<check>` (GB/T 36904-2018).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LicenceIdentifier<'a> {
    /// 证照类型代码: the defining authority's code and three digits.
    pub kind: &'a str,
    /// 证照颁发机构代码: 18 characters, or a region of 6.
    pub issuer: &'a str,
    /// 流水号.
    pub serial: &'a str,
    /// 版本号, three digits.
    pub version: &'a str,
}

/// Why text is not an e-licence identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LicenceIdentifierError {
    /// The parts are not there or have the wrong shape.
    #[error("should be 1.2.156.3005.2.<type>.<issuer>.<serial>.<version>.<check>, but {0}")]
    Shape(&'static str),
    /// The last character does not follow from the others.
    #[error("should end in {0:?} (ISO/IEC 7064 MOD 37,36)")]
    Check(char),
}

impl LicenceIdentifierError {
    /// The same in Chinese.
    #[must_use]
    pub fn zh(&self) -> String {
        match self {
            Self::Shape(_) => {
                "应为 1.2.156.3005.2.<类型代码>.<颁发机构代码>.<流水号>.<版本号>.<校验位>"
                    .to_owned()
            }
            Self::Check(c) => format!("校验位应为“{c}”(ISO/IEC 7064 MOD 37,36)"),
        }
    }
}

/// Where these identifiers begin.
pub const ROOT: &str = "1.2.156.3005.2.";

impl<'a> LicenceIdentifier<'a> {
    /// Takes an identifier apart.
    ///
    /// # Errors
    /// What is wrong, or what the check character should have been.
    pub fn parse(text: &'a str) -> Result<Self, LicenceIdentifierError> {
        use LicenceIdentifierError::{Check, Shape};
        let rest =
            text.strip_prefix(ROOT).ok_or(Shape("it does not begin with 1.2.156.3005.2."))?;
        let parts: Vec<&'a str> = rest.split('.').collect();
        let [kind, issuer, serial, version, check] = *parts.as_slice() else {
            return Err(Shape("it does not have five parts after the root"));
        };
        let shape = |part: &str, lengths: core::ops::RangeInclusive<usize>| {
            lengths.contains(&part.len())
                && part.bytes().all(|c| matches!(c, b'0'..=b'9' | b'A'..=b'Z'))
        };
        if !shape(kind, 4..=32) || !kind[kind.len() - 3..].bytes().all(|c| c.is_ascii_digit()) {
            return Err(Shape("the type is not a code and three digits"));
        }
        if !(shape(issuer, 18..=18) || shape(issuer, 6..=6)) {
            return Err(Shape("the issuer is not a code of 18 or 6 characters"));
        }
        if !shape(serial, 1..=40) {
            return Err(Shape("the serial is not 1 to 40 digits and capitals"));
        }
        if !shape(version, 3..=3) || !version.bytes().all(|c| c.is_ascii_digit()) {
            return Err(Shape("the version is not three digits"));
        }
        let expected = mod_37_36([kind, issuer, serial, version].concat().as_str());
        if check.chars().eq([expected]) {
            Ok(Self { kind, issuer, serial, version })
        } else {
            Err(Check(expected))
        }
    }

    /// Puts an identifier together, with its check character.
    #[must_use]
    pub fn compose(self) -> String {
        let Self { kind, issuer, serial, version } = self;
        let check = mod_37_36([kind, issuer, serial, version].concat().as_str());
        format!("{ROOT}{kind}.{issuer}.{serial}.{version}.{check}")
    }
}

/// The check character of ISO/IEC 7064 MOD 37,36, the hybrid system over digits and capitals.
fn mod_37_36(text: &str) -> char {
    let product = text.chars().filter_map(|c| c.to_digit(36)).fold(36, |product, value| {
        let sum = (product + value) % 36;
        2 * if sum == 0 { 36 } else { sum } % 37
    });
    char::from_digit((37 - product) % 36, 36).unwrap_or('0').to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licence_identifiers_are_checked() {
        for good in [
            "1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.U",
            "1.2.156.3005.2.11100000000013338W032.11220000013544541J.2430599.001.F",
        ] {
            assert_eq!(LicenceIdentifier::parse(good).unwrap().compose(), good);
        }
        for (bad, why) in [
            (
                "1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.V",
                "should end in 'U'",
            ),
            (
                "1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.002.U",
                "should end in ",
            ),
            (
                "1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.UU",
                "should end in 'U'",
            ),
            (
                "1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.u",
                "should end in 'U'",
            ),
            (
                "1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001",
                "five parts",
            ),
            (
                "1.2.156.3005.1.11100000000013338W011.11430000006122244L.20230000403.001.U",
                "does not begin",
            ),
            (
                "1.2.156.3005.2.11100000000013338W01A.11430000006122244L.20230000403.001.U",
                "three digits",
            ),
            ("1.2.156.3005.2.11100000000013338W011.1143000000612224.20230000403.001.U", "18 or 6"),
            ("1.2.156.3005.2.11100000000013338W011.11430000006122244L..001.U", "serial"),
            ("1.2.156.3005.2.11100000000013338W011.11430000006122244L.省.001.U", "serial"),
            ("1.2.156.3005.2.省省省.11430000006122244L.1.001.U", "type"),
            ("", "does not begin"),
        ] {
            let message = LicenceIdentifier::parse(bad).unwrap_err().to_string();
            assert!(message.contains(why), "{bad}: {message}");
        }
    }

    #[test]
    fn every_single_character_change_of_an_identifier_is_noticed() {
        let good = "1.2.156.3005.2.11350000XXXX000270001.11350122XXXX0006X9.2022000001.001.9";
        assert!(LicenceIdentifier::parse(good).is_ok());
        for position in ROOT.len()..good.len() {
            for c in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ".chars() {
                let changed: String = good
                    .chars()
                    .enumerate()
                    .map(|(i, old)| if i == position { c } else { old })
                    .collect();
                assert_eq!(
                    LicenceIdentifier::parse(&changed).is_ok(),
                    changed == good,
                    "{changed}"
                );
            }
        }
    }
}
