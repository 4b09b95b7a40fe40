//! Typed reading of a document's values, each with its place, so that what is wrong can be said exactly.

use crate::{
    fault::{Faults, Place, Problem},
    json::{Map, Value},
};
use types::{AgencyCode, Text, Timestamp};

/// The members of one object, and where it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Members<'v, 'p> {
    map: &'v Map,
    place: &'p Place<'p>,
}

impl<'v, 'p> Members<'v, 'p> {
    pub(crate) fn of(value: &'v Value, place: &'p Place<'p>, faults: &mut Faults) -> Option<Self> {
        let map = value.as_object();
        if map.is_none() {
            faults.add(place, Problem::kind("an object", "对象"));
        }
        map.map(|map| Self { map, place })
    }

    pub(crate) const fn map(&self) -> &'v Map {
        self.map
    }

    pub(crate) const fn place(&self) -> &'p Place<'p> {
        self.place
    }

    pub(crate) const fn at<'n>(&self, name: &'n str) -> Place<'n>
    where
        'p: 'n,
    {
        self.place.member(name)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&'v Value> {
        self.map.get(name)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.map.contains_key(name)
    }

    /// Says that a member is wrong.
    pub(crate) fn fault(&self, name: &str, problem: Problem, faults: &mut Faults) {
        faults.add(&self.at(name), problem);
    }

    /// Says that a member is missing, unless it is there.
    pub(crate) fn require(&self, name: &str, faults: &mut Faults) {
        if !self.has(name) {
            faults.add(self.place, Problem::missing(name));
        }
    }

    /// Every member must be one of these.
    pub(crate) fn only(&self, known: &[&str], faults: &mut Faults) {
        for name in self.map.keys().filter(|name| !known.contains(&name.as_str())) {
            self.fault(name, Problem::unknown_member(name), faults);
        }
    }

    /// A member that is a string, if it is there.
    pub(crate) fn text(&self, name: &str, faults: &mut Faults) -> Option<&'v str> {
        text(self.get(name)?, &self.at(name), faults)
    }

    /// A member that is a string and has to be there.
    pub(crate) fn required_text(&self, name: &str, faults: &mut Faults) -> Option<&'v str> {
        self.require(name, faults);
        self.text(name, faults)
    }

    /// A member that is a list, if it is there.
    pub(crate) fn list(&self, name: &str, faults: &mut Faults) -> Option<&'v [Value]> {
        let items = self.get(name)?.as_array();
        if items.is_none() {
            self.fault(name, Problem::kind("a list", "数组"), faults);
        }
        items
    }

    /// A time with its offset, if it is there.
    pub(crate) fn time(&self, name: &str, faults: &mut Faults) -> Option<Timestamp> {
        let found = self.text(name, faults)?;
        let time = time(found);
        if time.is_none() {
            self.fault(name, Problem::time(found), faults);
        }
        time
    }

    /// A 统一社会信用代码, if it is there.
    pub(crate) fn agency(&self, name: &str, faults: &mut Faults) -> Option<AgencyCode> {
        let found = self.text(name, faults)?;
        match AgencyCode::new(found) {
            Ok(code) => Some(code),
            Err(why) => {
                self.fault(name, Problem::code_error(found, why), faults);
                None
            }
        }
    }

    /// A member the ledger carries, which has to be there.
    pub(crate) fn carried<const MAX: usize>(
        &self,
        name: &str,
        faults: &mut Faults,
    ) -> Option<Text<MAX>> {
        let found = self.required_text(name, faults)?;
        carried(found, &self.at(name), faults)
    }
}

pub(crate) fn text<'v>(
    value: &'v Value,
    place: &Place<'_>,
    faults: &mut Faults,
) -> Option<&'v str> {
    let found = value.as_str();
    if found.is_none() {
        faults.add(place, Problem::kind("a string", "字符串"));
    }
    found
}

/// Text the ledger carries in the clear: short, plain, and naming no person.
pub(crate) fn carried<const MAX: usize>(
    found: &str,
    place: &Place<'_>,
    faults: &mut Faults,
) -> Option<Text<MAX>> {
    if let Some(problem) = crate::privacy::problem(found) {
        faults.add(place, problem);
        return None;
    }
    match Text::new(found) {
        Ok(text) => Some(text),
        Err(why) => {
            faults.add(place, Problem::text(&why));
            None
        }
    }
}

/// A time as RFC 3339 has it. The parser behind it knows more spellings; those are refused here.
pub(crate) fn time(text: &str) -> Option<Timestamp> {
    is_rfc3339(text).then(|| text.parse().ok()).flatten()
}

fn is_rfc3339(text: &str) -> bool {
    const SHAPE: &[u8; 19] = b"0000-00-00T00:00:00";
    let same = |shape: &[u8], text: &[u8]| {
        shape.len() == text.len()
            && shape
                .iter()
                .zip(text)
                .all(|(s, t)| if *s == b'0' { t.is_ascii_digit() } else { s == t })
    };
    let Some((head, mut rest)) = text.as_bytes().split_at_checked(SHAPE.len()) else {
        return false;
    };
    if let [b'.', fraction @ ..] = rest {
        let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return false;
        }
        rest = &fraction[digits..];
    }
    same(SHAPE, head) && (rest == b"Z" || same(b"+00:00", rest) || same(b"-00:00", rest))
}

/// The first millisecond, in China, of a date written `YYYYMMDD` or `YYYY-MM-DD`.
pub(crate) fn beijing_midnight(text: &str) -> Option<Timestamp> {
    midnight(date(text)?)
}

/// The first millisecond, in China, of the day after a date.
pub(crate) fn beijing_midnight_after(text: &str) -> Option<Timestamp> {
    midnight(date(text)?.tomorrow().ok()?)
}

fn date(text: &str) -> Option<jiff::civil::Date> {
    let dashed = text.len() == 10 && text.as_bytes()[4] == b'-' && text.as_bytes()[7] == b'-';
    let digits = if dashed { text.replace('-', "") } else { text.to_owned() };
    if digits.len() != 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    jiff::civil::Date::new(
        digits[..4].parse().ok()?,
        digits[4..6].parse().ok()?,
        digits[6..].parse().ok()?,
    )
    .ok()
}

fn midnight(date: jiff::civil::Date) -> Option<Timestamp> {
    let instant = jiff::tz::offset(8).to_timestamp(date.at(0, 0, 0, 0)).ok()?;
    u64::try_from(instant.as_millisecond()).ok().map(Timestamp).filter(|time| time.is_sound())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_one_shape() {
        for good in [
            "2026-03-01T08:00:00+08:00",
            "2026-03-01T08:00:00Z",
            "2021-12-01T11:09:40.7930000+00:00",
            "2026-03-01T08:00:00-06:00",
        ] {
            assert!(time(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "2026-03-01",
            "2026-03-01T08:00:00",
            "2026-03-01 08:00:00Z",
            "2026-03-01T08:00Z",
            "2026-03-01T08:00:00.Z",
            "2026-03-01T08:00:00+08",
            "2026-03-01T08:00:00+0800",
            "2026-03-01t08:00:00z",
            "2026-02-30T08:00:00Z",
            "2026-03-01T25:00:00Z",
            "2026-03-01T08:00:00+08:00[Asia/Shanghai]",
            "1969-12-31T23:59:59Z",
            "+002026-03-01T08:00:00Z",
            "2026-03-01T08:00:00Z ",
            "二〇二六-03-01T08:00:00Z",
        ] {
            assert!(time(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn days_begin_at_midnight_in_china() {
        for (text, first, last) in [
            ("20220110", "2022-01-09T16:00:00.000Z", "2022-01-10T16:00:00.000Z"),
            ("2024-02-29", "2024-02-28T16:00:00.000Z", "2024-02-29T16:00:00.000Z"),
            ("20231231", "2023-12-30T16:00:00.000Z", "2023-12-31T16:00:00.000Z"),
        ] {
            assert_eq!(beijing_midnight(text).unwrap().to_string(), first);
            assert_eq!(beijing_midnight_after(text).unwrap().to_string(), last);
        }
        for bad in [
            "",
            "2022-1-10",
            "20220230",
            "2022011",
            "202201100",
            "2022/01/10",
            "长期有效",
            "19691231",
            "省省省a",
        ] {
            assert!(beijing_midnight(bad).is_none(), "{bad}");
        }
    }
}
