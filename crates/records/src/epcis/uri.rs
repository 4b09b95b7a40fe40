//! EPC URIs: the schemes of the Tag Data Standard 2.0 section 6, each with the parts its key is made of.

use crate::fault::quote;

/// Where an identifier stands, which decides what it may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// In a list of EPCs, or as a parent: one thing.
    Instance,
    /// In `epcClass`: a kind of thing, or a lot.
    Class,
}

/// What one part of an identifier is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Made {
    /// Digits, as many as the key leaves after the parts before it.
    Digits,
    /// Exactly so many digits.
    Exactly(usize),
    /// Up to so many digits, at least one.
    Upto(usize),
    /// Up to so many characters of the GS1 set, escaped where a URN needs it.
    Characters(usize),
}

/// A scheme: its name, how many digits its first two parts have together, and the parts after the company prefix.
struct Scheme(&'static str, Together, &'static [Made]);

/// How many digits the company prefix and the part after it have together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Together {
    /// Exactly so many.
    Is(usize),
    /// So many at most. For SSCC: files in circulation leave digits of the serial reference out, and are understood.
    AtMost(usize),
    /// The part after the prefix is not of digits.
    Free,
}

use Made::{Characters, Digits, Exactly, Upto};
use Together::{AtMost, Free, Is};

/// Identifiers of one thing: `urn:epc:id:…`.
const INSTANCES: [Scheme; 16] = [
    Scheme("sgtin", Is(13), &[Digits, Characters(20)]),
    Scheme("upui", Is(13), &[Digits, Characters(28)]),
    Scheme("sscc", AtMost(17), &[Digits]),
    Scheme("sgln", Is(12), &[Digits, Characters(20)]),
    Scheme("pgln", Is(12), &[Digits]),
    Scheme("grai", Is(12), &[Digits, Characters(16)]),
    Scheme("giai", Free, &[Characters(24)]),
    Scheme("gsrn", Is(17), &[Digits]),
    Scheme("gsrnp", Is(17), &[Digits]),
    Scheme("gdti", Is(12), &[Digits, Characters(17)]),
    Scheme("cpi", Free, &[Characters(24), Upto(12)]),
    Scheme("sgcn", Is(12), &[Digits, Upto(12)]),
    Scheme("ginc", Free, &[Characters(24)]),
    Scheme("gsin", Is(16), &[Digits]),
    Scheme("itip", Is(13), &[Digits, Exactly(2), Exactly(2), Characters(20)]),
    Scheme("gid", Free, &[Upto(8), Upto(11)]),
];

/// Schemes of others than GS1, whose parts are left to them.
const FOREIGN: [&str; 5] = ["usdod", "adi", "bic", "imovn", "ldip"];

/// Lots: `urn:epc:class:…`.
const LOTS: [Scheme; 1] = [Scheme("lgtin", Is(13), &[Digits, Characters(20)])];

/// What is wrong with an EPC URI; nothing with any other URI, which is somebody else's to judge.
pub(crate) fn wrong(uri: &str, level: Level) -> Option<String> {
    let rest = uri.strip_prefix("urn:epc:")?;
    let Some((space, name)) = rest.split_once(':') else {
        return Some("after `urn:epc:` comes `id:`, `class:` or `idpat:`".into());
    };
    let (schemes, pattern): (&[Scheme], bool) = match (space, level) {
        ("id", Level::Instance) => (&INSTANCES, false),
        ("class", Level::Class) => (&LOTS, false),
        ("idpat", Level::Class) => (&INSTANCES, true),
        ("id", Level::Class) => {
            return Some(
                "it names one thing; `epcClass` names a kind (`urn:epc:idpat:`) or a lot (`urn:epc:class:`)".into(),
            );
        }
        ("class" | "idpat", Level::Instance) => {
            return Some(
                "it names a kind or a lot; a list of EPCs names single things (`urn:epc:id:`), a quantity list the rest"
                    .into(),
            );
        }
        _ => return Some(format!("`urn:epc:{}:` does not identify goods", quote(space))),
    };
    let Some((scheme, key)) = name.split_once(':') else {
        return Some(format!("after `urn:epc:{space}:` come a scheme and a colon"));
    };
    let Some(Scheme(_, together, made)) = schemes.iter().find(|one| one.0 == scheme) else {
        let foreign = space != "class" && FOREIGN.contains(&scheme) && !key.is_empty();
        return (!foreign)
            .then(|| format!("`{}` is not a scheme of `urn:epc:{space}:`", quote(scheme)));
    };
    parts(scheme, key, *together, made, pattern)
}

fn parts(
    scheme: &str,
    key: &str,
    together: Together,
    made: &[Made],
    pattern: bool,
) -> Option<String> {
    let wanted = made.len() + 1;
    // A serial number may have points of its own.
    let parts: Vec<&str> = key.splitn(wanted, '.').collect();
    if parts.len() != wanted {
        return Some(format!(
            "an {scheme} has {wanted} parts with points between them, this has {}",
            parts.len()
        ));
    }
    let stars = parts.iter().rev().take_while(|part| **part == "*").count();
    if stars > 0 && !pattern {
        return Some("`*` stands in patterns (`urn:epc:idpat:`) only".into());
    }
    let fixed = &parts[..parts.len() - stars];
    let (prefix, rest) = fixed.split_first()?;
    let company = scheme == "gid" || (6..=12).contains(&prefix.len());
    if !is_digits(prefix) || !company {
        return Some(format!("the company prefix {:?} is not of 6 to 12 digits", quote(prefix)));
    }
    for (part, made) in rest.iter().zip(made) {
        let fits = match made {
            Digits => part.is_empty() || is_digits(part),
            Exactly(count) => is_digits(part) && part.len() == *count,
            Upto(most) => is_digits(part) && part.len() <= *most,
            Characters(most) => {
                // The extension 0 of a place, and the serial of a document class, may be there or not; never nothing.
                characters(part).is_some_and(|count| (1..=*most).contains(&count))
            }
        };
        if !fits {
            return Some(format!(
                "the part {:?} of an {scheme} should be {}",
                quote(part),
                made.words()
            ));
        }
    }
    let (digits, wanted) = match (together, rest.first()) {
        (Is(wanted), Some(second)) => (prefix.len() + second.len(), wanted),
        (AtMost(most), Some(second)) => {
            let digits = prefix.len() + second.len();
            (digits, if digits <= most && !second.is_empty() { digits } else { most })
        }
        (Is(_) | AtMost(_), None) | (Free, _) => return None,
    };
    (digits != wanted).then(|| {
        format!("the first two parts of an {scheme} have {wanted} digits together, not {digits}")
    })
}

impl Made {
    fn words(self) -> String {
        match self {
            Digits => "digits".into(),
            Exactly(count) => format!("{count} digits"),
            Upto(most) => format!("1 to {most} digits"),
            Characters(most) => {
                format!("1 to {most} letters, digits and !'()*+,-.:;=_, all else escaped (%2F)")
            }
        }
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit())
}

/// How many characters a part has when its escapes are read; none if one does not belong there.
fn characters(text: &str) -> Option<usize> {
    let mut bytes = text.bytes();
    let mut count = 0;
    while let Some(byte) = bytes.next() {
        match byte {
            b'0'..=b'9'
            | b'A'..=b'Z'
            | b'a'..=b'z'
            | b'!'
            | b'\''
            | b'('
            | b')'
            | b'*'
            | b'+'
            | b','
            | b'-'
            | b'.'
            | b':'
            | b';'
            | b'='
            | b'_' => {}
            b'%' => {
                let escaped = (bytes.next()?, bytes.next()?);
                // The characters GS1 allows and a URN does not: " % & / < > ? and #.
                if !matches!(
                    escaped,
                    (b'2', b'2' | b'3' | b'5' | b'6' | b'F' | b'f')
                        | (b'3', b'C' | b'c' | b'E' | b'e' | b'F' | b'f')
                ) {
                    return None;
                }
            }
            _other => return None,
        }
        count += 1;
    }
    Some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epc_uri_is_what_its_scheme_says() {
        use Level::{Class, Instance};
        for (uri, level, want) in [
            ("urn:epc:id:sgtin:4012345.011111.987", Instance, "ok"),
            ("urn:epc:id:sgtin:4012345.011111.a.b%2Fc", Instance, "ok"),
            ("urn:epc:id:sscc:08600031303.0004", Instance, "ok"),
            ("urn:epc:id:itip:4012345.012345.01.02.999", Instance, "ok"),
            ("urn:epc:id:cpi:4012345.ABC.123", Instance, "ok"),
            ("urn:epc:id:imovn:9176187", Instance, "ok"),
            ("urn:gdst:example.org:product:lot:class:a.b.c", Instance, "ok"),
            ("https://id.gs1.org/01/09521141012345/21/2017", Instance, "ok"),
            ("urn:epc:class:lgtin:4012345.012345.998877", Class, "ok"),
            ("urn:epc:idpat:sgtin:4012345.044444.*", Class, "ok"),
            ("urn:epc:idpat:sgtin:*.*.*", Class, "ok"),
            ("urn:epc:idpat:itip:4012345.012345.01.02.*", Class, "ok"),
            ("urn:epc:id", Instance, "comes `id:`"),
            ("urn:epc:id:sgtin", Instance, "a scheme and a colon"),
            ("urn:epc:tag:sgtin-96:1.4012345.011111.9", Instance, "does not identify goods"),
            ("urn:epc:id:sgtn:4012345.011111.987", Instance, "not a scheme"),
            ("urn:epc:id:lgtin:4012345.012345.9", Instance, "not a scheme"),
            ("urn:epc:class:sgtin:4012345.012345.9", Class, "not a scheme"),
            ("urn:epc:id:sgtin:4012345.011111", Instance, "3 parts"),
            ("urn:epc:id:sgtin:4012345.01111.987", Instance, "13 digits together, not 12"),
            ("urn:epc:id:sgtin:4012345.0111111.987", Instance, "13 digits together, not 14"),
            ("urn:epc:id:sgtin:40123.01111111.987", Instance, "6 to 12 digits"),
            ("urn:epc:id:sgtin:401234X.011111.987", Instance, "6 to 12 digits"),
            ("urn:epc:id:sgtin:4012345.01111X.987", Instance, "should be digits"),
            ("urn:epc:id:sgtin:4012345.011111.", Instance, "1 to 20 letters"),
            ("urn:epc:id:sgtin:4012345.011111.123456789012345678901", Instance, "1 to 20 letters"),
            ("urn:epc:id:sgtin:4012345.011111.a/b", Instance, "1 to 20 letters"),
            ("urn:epc:id:sgtin:4012345.011111.a%41", Instance, "1 to 20 letters"),
            ("urn:epc:id:sgtin:4012345.011111.*", Instance, "patterns"),
            ("urn:epc:id:sscc:4012345.", Instance, "17 digits together, not 7"),
            ("urn:epc:id:sscc:4012345.00000001111", Instance, "17 digits together, not 18"),
            ("urn:epc:id:sgln:4012345.0001.0", Instance, "12 digits together, not 11"),
            ("urn:epc:id:itip:4012345.012345.1.02.9", Instance, "2 digits"),
            ("urn:epc:id:sgcn:4012345.99999.x", Instance, "1 to 12 digits"),
            ("urn:epc:id:sgtin:4012345.011111.987", Class, "names one thing"),
            ("urn:epc:class:lgtin:4012345.012345.9", Instance, "names a kind or a lot"),
            ("urn:epc:idpat:sgtin:4012345.044444.*", Instance, "names a kind or a lot"),
        ] {
            let got = wrong(uri, level).unwrap_or_else(|| "ok".into());
            assert!(got.contains(want), "{uri}: {got:?}, not {want:?}");
        }
    }
}
