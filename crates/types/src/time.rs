//! Heights, rounds and times: numbers that know what they count and do not turn into one another.

use core::{fmt, str::FromStr};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A block's place in the chain. Genesis is agreed by hand and is height 0; the first block has height 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Height(pub u64);

impl Height {
    /// Genesis.
    pub const GENESIS: Self = Self(0);

    /// The height after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The height before this one; `None` for genesis.
    #[must_use]
    pub const fn previous(self) -> Option<Self> {
        match self.0.checked_sub(1) {
            Some(height) => Some(Self(height)),
            None => None,
        }
    }

    /// This height and `count` more, or the last there is.
    #[must_use]
    pub const fn plus(self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }
}

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An attempt to agree on one height, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Round(pub u32);

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted. People see RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Timestamp(pub u64);

/// 9999-01-01T00:00:00Z: the last year that RFC 3339 can say is left as a margin for offsets.
const LATEST: u64 = 253_370_764_800_000;

impl Timestamp {
    /// This time and `milliseconds` more, or the last there is.
    #[must_use]
    pub const fn plus(self, milliseconds: u64) -> Self {
        let sum = self.0.saturating_add(milliseconds);
        Self(if sum > LATEST { LATEST } else { sum })
    }

    /// Milliseconds from `earlier` to this time, 0 if it is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Whether this is a time that can be written.
    #[must_use]
    pub const fn is_sound(self) -> bool {
        self.0 <= LATEST
    }

    /// The time in China (UTC+8, no summer time since 1991), for people: `2026-11-23 20:14:07 +08:00`.
    #[must_use]
    pub fn in_china(self) -> String {
        let local = jiff::tz::offset(8).to_datetime(self.instant());
        local.strftime("%Y-%m-%d %H:%M:%S +08:00").to_string()
    }

    fn instant(self) -> jiff::Timestamp {
        let milliseconds = i64::try_from(self.0.min(LATEST)).expect("the latest time fits");
        jiff::Timestamp::from_millisecond(milliseconds)
            .expect("the latest time is one jiff can hold")
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.instant().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").fmt(f)
    }
}

impl FromStr for Timestamp {
    type Err = crate::hash::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected =
            crate::hash::ParseError { expected: "an RFC 3339 time with offset, 1970 or later" };
        let instant: jiff::Timestamp = text.parse().map_err(|_bad| expected.clone())?;
        let at =
            u64::try_from(instant.as_millisecond()).map_err(|_before_1970| expected.clone())?;
        if Self(at).is_sound() { Ok(Self(at)) } else { Err(expected) }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() { s.collect_str(self) } else { self.0.serialize(s) }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        if d.is_human_readable() {
            return String::deserialize(d)?.parse().map_err(de::Error::custom);
        }
        let at = Self(u64::deserialize(d)?);
        if at.is_sound() { Ok(at) } else { Err(de::Error::custom("a time after the year 9998")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read_to_the_millisecond() {
        for (text, want) in [
            ("1970-01-01T00:00:00.000Z", 0),
            ("2026-11-23T12:14:07.250Z", 1_795_436_047_250),
            ("9999-01-01T00:00:00.000Z", LATEST),
        ] {
            assert_eq!(text.parse::<Timestamp>().unwrap(), Timestamp(want));
            assert_eq!(Timestamp(want).to_string(), text);
        }
        assert_eq!(
            "2026-11-23T20:14:07.25+08:00".parse::<Timestamp>().unwrap(),
            Timestamp(1_795_436_047_250)
        );
        assert_eq!(Timestamp(1_795_436_047_250).in_china(), "2026-11-23 20:14:07 +08:00");
        for bad in [
            "",
            "2026-11-23",
            "9999-01-01T00:00:01Z",
            "1969-12-31T23:59:59Z",
            "2026-11-23T12:14:07",
        ] {
            assert!(bad.parse::<Timestamp>().is_err(), "{bad}");
        }
    }
}
