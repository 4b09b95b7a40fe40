//! Agencies: who they are (统一社会信用代码), where they stand, and what they may record.

use crate::{
    key::PublicKey,
    operation::{Family, LicenceType, Lot},
    text::Text,
};
use core::{fmt, str::FromStr};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A unified social credit code, 统一社会信用代码 (GB 32100-2015): 18 characters, both check characters right.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AgencyCode([u8; 18]);

/// Why text is not a unified social credit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// Not 18 characters.
    #[error("a 统一社会信用代码 has 18 characters")]
    Length,
    /// A character outside the alphabet of GB 32100: digits and capitals without I, O, Z, S, V.
    #[error(
        "{0:?} is not a character of a 统一社会信用代码 (digits and capitals without I, O, S, V, Z)"
    )]
    Character(char),
    /// The 17th character does not follow from characters 9 to 16 (GB 11714).
    #[error("the organisation part should end in {0:?} (GB 11714 check)")]
    OrganisationCheck(char),
    /// The 18th character does not follow from the other 17.
    #[error("the code should end in {0:?} (GB 32100 check)")]
    Check(char),
}

const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

impl AgencyCode {
    /// The code, if its characters and both check characters are right.
    ///
    /// # Errors
    /// What is wrong, and what the check character should have been.
    pub fn new(text: &str) -> Result<Self, CodeError> {
        if text.chars().count() != 18 {
            return Err(CodeError::Length);
        }
        if let Some(bad) =
            text.chars().find(|c| !u8::try_from(*c).is_ok_and(|byte| ALPHABET.contains(&byte)))
        {
            return Err(CodeError::Character(bad));
        }
        let code: [u8; 18] = text.as_bytes().try_into().map_err(|_length| CodeError::Length)?;
        let organisation = organisation_check(&code);
        if code[16] != organisation {
            return Err(CodeError::OrganisationCheck(organisation.into()));
        }
        let last = code_check(&code);
        if code[17] != last {
            return Err(CodeError::Check(last.into()));
        }
        Ok(Self(code))
    }

    /// The code as text.
    ///
    /// # Panics
    /// Never: the alphabet is ASCII.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).expect("the alphabet is ASCII")
    }

    /// The region in it: characters 3 to 8, if they are one.
    #[must_use]
    pub fn region(&self) -> Option<Region> {
        self.as_str().get(2..8).and_then(Region::new)
    }
}

/// GB 11714: eleven minus the weighted sum modulo 11; 10 is written X, 11 is written 0. Letters count from A = 10.
fn organisation_check(code: &[u8; 18]) -> u8 {
    const WEIGHTS: [u32; 8] = [3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = code[8..16]
        .iter()
        .zip(WEIGHTS)
        .map(|(c, weight)| {
            let value = if c.is_ascii_digit() { c - b'0' } else { c - b'A' + 10 };
            u32::from(value) * weight
        })
        .sum();
    match 11 - sum % 11 {
        10 => b'X',
        11 => b'0',
        digit => b'0' + u8::try_from(digit).expect("below ten"),
    }
}

/// GB 32100: thirty-one minus the sum weighted by powers of three, modulo 31, in the 31-character alphabet.
fn code_check(code: &[u8; 18]) -> u8 {
    let (sum, _) = code[..17].iter().fold((0, 1), |(sum, weight), c| {
        let value = ALPHABET.iter().position(|a| a == c).expect("characters were checked");
        (sum + value * weight, weight * 3 % 31)
    });
    ALPHABET[(31 - sum % 31) % 31]
}

impl fmt::Display for AgencyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for AgencyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for AgencyCode {
    type Err = CodeError;

    fn from_str(text: &str) -> Result<Self, CodeError> {
        Self::new(text)
    }
}

impl Serialize for AgencyCode {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() {
            s.serialize_str(self.as_str())
        } else {
            crate::codec::bytes::serialize(&self.0, s)
        }
    }
}

impl<'de> Deserialize<'de> for AgencyCode {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        if d.is_human_readable() {
            return Self::new(&String::deserialize(d)?).map_err(de::Error::custom);
        }
        let bytes: [u8; 18] = crate::codec::bytes::deserialize(d)?;
        Self::new(core::str::from_utf8(&bytes).map_err(de::Error::custom)?)
            .map_err(de::Error::custom)
    }
}

/// An administrative division: six digits of GB/T 2260.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Region(u32);

/// The digits of the whole country.
const COUNTRY: u32 = 100_000;

impl Region {
    /// The region, if it is six digits that do not start with 0.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let digits = text.len() == 6 && text.bytes().all(|c| c.is_ascii_digit());
        text.parse().ok().filter(|number| digits && *number >= 100_000).map(Self)
    }

    /// Whether `other` is this division or lies in it: a province ends in 0000, a city in 00, and 100000 is the whole country.
    #[must_use]
    pub const fn covers(self, other: Self) -> bool {
        if self.0 == COUNTRY {
            return true;
        }
        let span = if self.0.is_multiple_of(10_000) {
            10_000
        } else if self.0.is_multiple_of(100) {
            100
        } else {
            1
        };
        self.0 / span == other.0 / span
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Region {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() { s.collect_str(self) } else { self.0.serialize(s) }
    }
}

impl<'de> Deserialize<'de> for Region {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = if d.is_human_readable() {
            String::deserialize(d)?
        } else {
            u32::deserialize(d)?.to_string()
        };
        Self::new(&text).ok_or_else(|| de::Error::custom("a region is six digits of GB/T 2260"))
    }
}

/// The level at which an agency stands or an item is exercised, 行使层级 (GB/T 39046-2020). Ordered from the top.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// 国家级, code 1.
    National,
    /// 省级, code 2.
    Province,
    /// 市级, code 3.
    City,
    /// 县级, code 4.
    County,
    /// 乡级, code 5.
    Town,
    /// 村级, code 6.
    Village,
}

impl Level {
    /// The level with a code of GB/T 39046-2020, 1 to 6.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::National,
            2 => Self::Province,
            3 => Self::City,
            4 => Self::County,
            5 => Self::Town,
            6 => Self::Village,
            _ => return None,
        })
    }

    /// Whether what stands at this level can be in a region: GB/T 2260 has codes down to counties. Towns and villages have
    /// their county's, or their city's where a city has no counties.
    #[must_use]
    pub const fn fits(self, region: Region) -> bool {
        let (country, code) = (region.0 == COUNTRY, region.0);
        let (province, city) = (code.is_multiple_of(10_000), code.is_multiple_of(100));
        match self {
            Self::National => country,
            Self::Province => province && !country,
            Self::City => city && !province,
            Self::County => !city,
            Self::Town | Self::Village => !province,
        }
    }
}

/// What an agency may record. A grant names its scope; there is no grant of everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Role {
    /// Publish, amend, suspend, resume and cancel service items in these regions.
    Item {
        /// Regions covered, with everything inside them.
        regions: Vec<Region>,
    },
    /// Issue and act on e-licences of these types in these regions.
    Licence {
        /// Beginnings of licence type codes; a type is covered when it starts with one of them.
        types: Vec<Text<32>>,
        /// Regions covered, with everything inside them.
        regions: Vec<Region>,
    },
    /// Record traceability events whose every lot is in one of these namespaces.
    Trace {
        /// Beginnings of lot identifiers, such as `urn:epc:id:sgtin:6901234`.
        namespaces: Vec<Text<256>>,
    },
    /// Propose and approve changes to agencies, grants, the committee and the network's rules.
    Govern {},
}

impl Role {
    /// The family of records this role is for.
    #[must_use]
    pub const fn family(&self) -> Family {
        match self {
            Self::Item { .. } => Family::Item,
            Self::Licence { .. } => Family::Licence,
            Self::Trace { .. } => Family::Trace,
            Self::Govern {} => Family::Authority,
        }
    }

    /// Whether it covers a service item in `region`.
    #[must_use]
    pub fn covers_item(&self, region: Region) -> bool {
        matches!(self, Self::Item { regions } if regions.iter().any(|mine| mine.covers(region)))
    }

    /// Whether it covers a licence of `kind` in `region`.
    #[must_use]
    pub fn covers_licence(&self, kind: &LicenceType, region: Region) -> bool {
        matches!(self, Self::Licence { types, regions }
            if types.iter().any(|mine| kind.starts_with(mine.as_str())) && regions.iter().any(|mine| mine.covers(region)))
    }

    /// Whether whoever has it may do all that `other` allows. Governing is never part of anything else.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let regions = |mine: &[Region], theirs: &[Region]| {
            theirs.iter().all(|region| mine.iter().any(|mine| mine.covers(*region)))
        };
        match (self, other) {
            (Self::Item { regions: mine }, Self::Item { regions: theirs }) => regions(mine, theirs),
            (
                Self::Licence { types, regions: mine },
                Self::Licence { types: narrower, regions: theirs },
            ) => {
                let kinds = |kind: &Text<32>| types.iter().any(|t| kind.starts_with(t.as_str()));
                narrower.iter().all(kinds) && regions(mine, theirs)
            }
            (Self::Trace { namespaces: mine }, Self::Trace { namespaces: theirs }) => {
                theirs.iter().all(|space| mine.iter().any(|mine| space.starts_with(mine.as_str())))
            }
            (
                Self::Item { .. } | Self::Licence { .. } | Self::Trace { .. } | Self::Govern {},
                Self::Item { .. } | Self::Licence { .. } | Self::Trace { .. } | Self::Govern {},
            ) => false,
        }
    }

    /// Whether it names something, and not more than a role may name.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let sound = |count: usize| (1..=crate::authority::SCOPE_MAX).contains(&count);
        match self {
            Self::Item { regions } => sound(regions.len()),
            Self::Licence { types, regions } => sound(types.len()) && sound(regions.len()),
            Self::Trace { namespaces } => sound(namespaces.len()),
            Self::Govern {} => true,
        }
    }

    /// Whether it covers `lot`.
    #[must_use]
    pub fn covers_lot(&self, lot: &Lot) -> bool {
        matches!(self, Self::Trace { namespaces } if namespaces.iter().any(|mine| lot.starts_with(mine.as_str())))
    }
}

/// An enrolled agency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agency {
    /// Its 统一社会信用代码.
    pub code: AgencyCode,
    /// Its name, as people know it.
    pub name: Text<96>,
    /// Where it is.
    pub region: Region,
    /// Its level.
    pub level: Level,
    /// The agency above it, which may act on its licences.
    pub parent: Option<AgencyCode>,
    /// Its organisation keys: each may sign transactions for it.
    pub keys: Vec<PublicKey>,
    /// What it may record.
    pub roles: Vec<Role>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_checked_twice() {
        // The example of GB 32100-2015, and codes of public bodies.
        for good in
            ["91350100M000100Y43", "113500000035912564", "11430000006122244L", "11330105002500287C"]
        {
            assert_eq!(AgencyCode::new(good).unwrap().as_str(), good);
        }
        assert_eq!(AgencyCode::new("11430000006122244L").unwrap().region(), Region::new("430000"));
        for (bad, why) in [
            ("91350100M000100Y44", CodeError::Check('3')),
            ("91350100M000100Y4Z", CodeError::Character('Z')),
            ("91350100m000100y43", CodeError::Character('m')),
            ("91350100M000100Y4", CodeError::Length),
            ("", CodeError::Length),
        ] {
            assert_eq!(AgencyCode::new(bad), Err(why), "{bad}");
        }
        assert!(matches!(
            AgencyCode::new("91350100M000200Y43"),
            Err(CodeError::OrganisationCheck(_))
        ));
        assert!(AgencyCode::new("省省省省省省").is_err());
    }

    #[test]
    fn every_single_character_change_of_a_code_is_noticed() {
        let good = "113500000035912564";
        for position in 0..18 {
            for c in ALPHABET {
                let mut bytes = good.as_bytes().to_vec();
                bytes[position] = *c;
                let text = String::from_utf8(bytes).unwrap();
                assert_eq!(AgencyCode::new(&text).is_ok(), text == good, "{text}");
            }
        }
    }

    #[test]
    fn regions_contain_regions() {
        let region = |text| Region::new(text).unwrap();
        for (outer, inner, want) in [
            ("350000", "350122", true),
            ("350000", "350000", true),
            ("350100", "350122", true),
            ("350100", "350200", false),
            ("350100", "350000", false),
            ("350122", "350122", true),
            ("350122", "350100", false),
            ("360000", "350122", false),
            ("100000", "350122", true),
            ("100000", "100000", true),
            ("350000", "100000", false),
            ("110000", "100000", false),
        ] {
            assert_eq!(region(outer).covers(region(inner)), want, "{outer} {inner}");
        }
        use Level::{City, County, National, Province, Town, Village};
        for (code, want) in [
            ("100000", &[National][..]),
            ("350000", &[Province]),
            ("350100", &[City, Town, Village]),
            ("350122", &[County, Town, Village]),
            ("469001", &[County, Town, Village]),
        ] {
            let all = [National, Province, City, County, Town, Village];
            let fit: Vec<Level> =
                all.into_iter().filter(|level| level.fits(region(code))).collect();
            assert_eq!(fit, want, "{code}");
        }
        for bad in ["", "35012", "0350122", "035012", "35012x", "+35012"] {
            assert!(Region::new(bad).is_none(), "{bad}");
        }
    }
}
