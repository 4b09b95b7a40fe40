//! GS1 identifiers as constrained canonical GS1 Digital Links, the form in which the CBV event hash takes them.

const BASE: &str = "https://id.gs1.org/";

/// The Digital Link of an identifier; `None` for anything else.
pub(crate) fn normal(text: &str) -> Option<String> {
    if let Some(rest) = text.strip_prefix("urn:epc:") {
        return epc(rest).map(|link| format!("{BASE}{link}"));
    }
    web(text)
}

/// GS1 check digit: three and one by turns, from the right.
fn checked(digits: &str) -> Option<String> {
    let mut sum = 0_u32;
    for (index, c) in digits.chars().rev().enumerate() {
        sum += c.to_digit(10)? * if index % 2 == 0 { 3 } else { 1 };
    }
    Some(format!("{digits}{}", (10 - sum % 10) % 10))
}

/// A company prefix of 6 to 12 digits and a reference, `total` digits together.
fn split(company: &str, reference: &str, total: usize) -> Option<()> {
    let digits = |text: &str| text.bytes().all(|c| c.is_ascii_digit());
    let fits = (6..=12).contains(&company.len()) && company.len() + reference.len() == total;
    (fits && digits(company) && digits(reference)).then_some(())
}

fn gtin(company: &str, item: &str) -> Option<String> {
    split(company, item, 13)?;
    let (indicator, rest) = item.split_at_checked(1)?;
    checked(&format!("{indicator}{company}{rest}"))
}

fn gln(company: &str, location: &str) -> Option<String> {
    split(company, location, 12)?;
    checked(&format!("{company}{location}"))
}

/// A serial or lot: its length, its characters, and the percent-encoding a web address needs.
fn serial(text: &str, max: usize) -> Option<String> {
    let mut out = String::new();
    let mut length = 0;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        length += 1;
        match c {
            '!' | '(' | ')' | '*' | '+' | ',' | ':' => {
                out.push_str(&format!("%{:02X}", u32::from(c)));
            }
            '%' => {
                let (high, low) = (rest.next()?, rest.next()?);
                if !(high.is_ascii_hexdigit() && low.is_ascii_hexdigit()) {
                    return None;
                }
                out.extend(['%', high, low]);
            }
            '\'' | '-' | '.' | ';' | '=' | '_' | '0'..='9' | 'A'..='Z' | 'a'..='z' => out.push(c),
            _other => return None,
        }
    }
    (1..=max).contains(&length).then_some(out)
}

fn epc(text: &str) -> Option<String> {
    let (class, scheme, rest) = match text.splitn(3, ':').collect::<Vec<_>>().as_slice() {
        [class, scheme, rest] => (*class, *scheme, *rest),
        _other => return None,
    };
    let (company, rest) = rest.split_once('.')?;
    // What follows the reference may hold dots of its own.
    let two = || rest.split_once('.');
    Some(match (class, scheme) {
        ("id", "sgtin") => {
            let (item, s) = two()?;
            format!("01/{}/21/{}", gtin(company, item)?, serial(s, 20)?)
        }
        ("id", "upui") => {
            let (item, s) = two()?;
            format!("01/{}/235/{}", gtin(company, item)?, serial(s, 28)?)
        }
        ("class", "lgtin") => {
            let (item, lot) = two()?;
            format!("01/{}/10/{}", gtin(company, item)?, serial(lot, 20)?)
        }
        ("idpat", "sgtin" | "upui") => match two()? {
            (item, "*") => format!("01/{}", gtin(company, item)?),
            _other => return None,
        },
        ("id", "sscc") => {
            split(company, rest, 17)?;
            let (extension, reference) = rest.split_at_checked(1)?;
            format!("00/{}", checked(&format!("{extension}{company}{reference}"))?)
        }
        ("id", "sgln") => match two()? {
            (location, "0") => format!("414/{}", gln(company, location)?),
            (location, s) => format!("414/{}/254/{}", gln(company, location)?, serial(s, 20)?),
        },
        ("id", "pgln") => format!("417/{}", gln(company, rest)?),
        ("id", "grai") => {
            let (asset, s) = two()?;
            split(company, asset, 12)?;
            format!("8003/{}{}", checked(&format!("0{company}{asset}"))?, serial(s, 16)?)
        }
        ("idpat", "grai") => match two()? {
            (asset, "*") => {
                split(company, asset, 12)?;
                format!("8003/{}", checked(&format!("0{company}{asset}"))?)
            }
            _other => return None,
        },
        ("id", "giai") => {
            split(company, "", company.len())?;
            format!("8004/{company}{}", serial(rest, 30_usize.checked_sub(company.len())?)?)
        }
        ("id", "gsrn") => {
            split(company, rest, 17)?;
            format!("8018/{}", checked(&format!("{company}{rest}"))?)
        }
        ("id", "gsrnp") => {
            split(company, rest, 17)?;
            format!("8017/{}", checked(&format!("{company}{rest}"))?)
        }
        ("id", "gdti") => {
            let (kind, s) = two()?;
            format!("253/{}{}", gln(company, kind)?, serial(s, 20)?)
        }
        ("idpat", "gdti") => match two()? {
            (kind, "*") => format!("253/{}", gln(company, kind)?),
            _other => return None,
        },
        ("id", "sgcn") => {
            let (coupon, s) = two()?;
            if !((1..=12).contains(&s.len()) && s.bytes().all(|c| c.is_ascii_digit())) {
                return None;
            }
            format!("255/{}{s}", gln(company, coupon)?)
        }
        ("idpat", "sgcn") => match two()? {
            (coupon, "*") => format!("255/{}", gln(company, coupon)?),
            _other => return None,
        },
        ("id", "ginc") => {
            split(company, "", company.len())?;
            format!("401/{company}{}", serial(rest, 30_usize.checked_sub(company.len())?)?)
        }
        ("id", "gsin") => {
            split(company, rest, 16)?;
            format!("402/{}", checked(&format!("{company}{rest}"))?)
        }
        ("id" | "idpat", "itip") => {
            let (item, rest) = two()?;
            let (piece, rest) = rest.split_once('.')?;
            let (total, s) = rest.split_once('.')?;
            let two_digits =
                |text: &str| text.len() == 2 && text.bytes().all(|c| c.is_ascii_digit());
            if !(two_digits(piece) && two_digits(total)) {
                return None;
            }
            let gtin = gtin(company, item)?;
            match (class, s) {
                ("idpat", "*") => format!("8006/{gtin}{piece}{total}"),
                ("idpat", _) => return None,
                (_, s) => format!("8006/{gtin}{piece}{total}/21/{}", serial(s, 20)?),
            }
        }
        ("id" | "idpat", "cpi") => {
            split(company, "", company.len())?;
            let (part, s) = rest.rsplit_once('.')?;
            let part = serial(part, 30_usize.checked_sub(company.len())?)?;
            match (class, s) {
                ("idpat", "*") => format!("8010/{company}{part}"),
                ("idpat", _) => return None,
                (_, s) if (1..=12).contains(&s.len()) && s.bytes().all(|c| c.is_ascii_digit()) => {
                    format!("8010/{company}{part}/8011/{s}")
                }
                (_, _) => return None,
            }
        }
        _other => return None,
    })
}

/// The keys, by number and by the short name of older Digital Links.
const KEYS: [(&str, &str); 14] = [
    ("01", "gtin"),
    ("8006", "itip"),
    ("8010", "cpid"),
    ("414", "gln"),
    ("417", "party"),
    ("8017", "gsrnp"),
    ("8018", "gsrn"),
    ("255", "gcn"),
    ("00", "sscc"),
    ("253", "gdti"),
    ("401", "ginc"),
    ("402", "gsin"),
    ("8003", "grai"),
    ("8004", "giai"),
];
const QUALIFIERS: [(&str, &str); 3] = [("22", "cpv"), ("10", "lot"), ("21", "ser")];

fn number(table: &[(&'static str, &str)], name: &str) -> Option<&'static str> {
    table
        .iter()
        .find(|(number, short)| *number == name || *short == name)
        .map(|(number, _)| *number)
}

fn web(text: &str) -> Option<String> {
    let path = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let path = path.split('?').next()?;
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let at = (0..segments.len()).find(|index| {
        let value = segments.get(index + 1).copied().unwrap_or_default();
        let digits = value.bytes().take_while(u8::is_ascii_digit).count();
        number(&KEYS, segments[*index]).is_some() && digits >= 4 && value.len() >= 5
    })?;
    let key = number(&KEYS, segments[at])?;
    let mut value = segments[at + 1].to_owned();
    if key == "01"
        && matches!(value.len(), 8 | 12 | 13)
        && value.bytes().all(|c| c.is_ascii_digit())
    {
        value = format!("{value:0>14}");
    }
    let rest = segments.get(at + 2..)?.strip_suffix(&[""]).unwrap_or(segments.get(at + 2..)?);
    let mut qualifiers: Vec<(&str, &str)> = Vec::new();
    for pair in rest.chunks(2) {
        let [name, value] = pair else { return None };
        qualifiers.push((number(&QUALIFIERS, name).unwrap_or(name), value));
    }
    if matches!(key, "01" | "8006") {
        qualifiers.retain(|(name, _)| *name != "22");
        if qualifiers.iter().any(|(name, _)| *name == "21") {
            qualifiers.retain(|(name, _)| *name != "10");
        }
    }
    // A link that fits has few qualifiers. One that does not may have a million, and is not put together.
    fits(key, &value, &qualifiers).then(|| {
        qualifiers.iter().fold(format!("{BASE}{key}/{value}"), |link, (name, value)| {
            format!("{link}/{name}/{value}")
        })
    })
}

/// Whether the parts of a link are what the key allows; a link that is not stays as it was written.
fn fits(key: &str, value: &str, qualifiers: &[(&str, &str)]) -> bool {
    let digits =
        |text: &str, count: usize| text.len() == count && text.bytes().all(|c| c.is_ascii_digit());
    let plain = |text: &str, max: usize| {
        text.len() <= max
            && text.bytes().all(|c| matches!(c, b'"' | b'\'' | b'-' | b'.' | b'0'..=b'9' | b';'..=b'?' | b'A'..=b'Z' | b'_' | b'a'..=b'z'))
    };
    let headed = |count: usize, max: usize| {
        value
            .split_at_checked(count)
            .is_some_and(|(head, tail)| digits(head, count) && plain(tail, max))
    };
    match (key, qualifiers) {
        ("00" | "8017" | "8018", []) => digits(value, 18),
        ("01", []) => digits(value, 14),
        ("01", [("10" | "21", part)]) => digits(value, 14) && plain(part, 20),
        ("01", [("235", part)]) => digits(value, 14) && plain(part, 28),
        ("253", []) => headed(13, 17),
        ("255", []) => (13..=25).contains(&value.len()) && digits(value, value.len()),
        ("401" | "8004", []) => plain(value, 30),
        ("402", []) => digits(value, 17),
        ("414" | "417", []) => digits(value, 13),
        ("414", [("254", part)]) => digits(value, 13) && plain(part, 20),
        ("8003", []) => headed(14, 16),
        ("8006", []) => digits(value, 18),
        ("8006", [("10" | "21", part)]) => digits(value, 18) && plain(part, 20),
        ("8010", [] | [("8011", _)]) => {
            let part = value.len() <= 30
                && value.bytes().all(|c| matches!(c, b'#' | b'-' | b'0'..=b'9' | b'A'..=b'Z'));
            let serial = |text: &str| text.len() <= 12 && text.bytes().all(|c| c.is_ascii_digit());
            part && qualifiers.iter().all(|(_, text)| serial(text))
        }
        _other => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_become_digital_links() {
        for (text, want) in [
            ("urn:epc:id:sgtin:0614141.107346.2017", "01/10614141073464/21/2017"),
            ("urn:epc:id:sgtin:4012345.011111.a:b%2F(1)", "01/04012345111118/21/a%3Ab%2F%281%29"),
            ("urn:epc:id:upui:4012345.098765.4", "01/04012345987652/235/4"),
            ("urn:epc:class:lgtin:4012345.012345.998877", "01/04012345123456/10/998877"),
            ("urn:epc:idpat:sgtin:4012345.098765.*", "01/04012345987652"),
            ("urn:epc:id:sscc:4012345.0111111111", "00/040123451111111110"),
            ("urn:epc:id:sgln:4012345.00011.987", "414/4012345000115/254/987"),
            ("urn:epc:id:sgln:4012345.00011.0", "414/4012345000115"),
            ("urn:epc:id:pgln:0614141.00000", "417/0614141000005"),
            ("urn:epc:id:grai:4012345.55555.987", "8003/04012345555554987"),
            ("urn:epc:idpat:grai:4012345.55555.*", "8003/04012345555554"),
            ("urn:epc:id:giai:4000001.111", "8004/4000001111"),
            ("urn:epc:id:gsrn:0614141.0000010253", "8018/061414100000102534"),
            ("urn:epc:id:gdti:4012345.55555.1234", "253/40123455555541234"),
            ("urn:epc:id:gsin:0614141.123456789", "402/06141411234567890"),
            ("urn:epc:id:ginc:0614141.xyz47/11", ""),
            ("urn:epc:id:itip:4012345.012345.01.02.987", "8006/040123451234560102/21/987"),
            ("urn:epc:id:cpi:0614141.123ABC.123456789", "8010/0614141123ABC/8011/123456789"),
            ("urn:epc:id:sscc:08600031303.0004", ""),
            (
                "https://example.com/some/path/gtin/614141777778/lot/987?x=1",
                "01/00614141777778/10/987",
            ),
            ("https://example.com/01/00614141777778/10/987/21/5", "01/00614141777778/21/5"),
            ("https://example.com/01/00614141777778/22/2A/21/5", "01/00614141777778/21/5"),
            ("https://id.example.com/8003/040123450007718765", "8003/040123450007718765"),
            ("https://id.gs1.org/01/00614141777778/21/a%2Fb", ""),
            ("https://example.com/about", ""),
            ("urn:example:x", ""),
        ] {
            let got = normal(text).unwrap_or_default();
            assert_eq!(got.strip_prefix("https://id.gs1.org/").unwrap_or(&got), want, "{text}");
        }
    }

    #[test]
    fn a_million_qualifiers_are_no_link() {
        let tail = "/a/b".repeat(1 << 20);
        assert_eq!(normal(&format!("https://example.com/01/00614141777778{tail}")), None);
    }
}
