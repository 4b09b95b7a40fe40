//! Text armour: a proof as lines of plain characters that survive e-mail, spelled in exactly one way.

use crate::{error::ProofError, file::PROOF_BYTES_MAX};
use types::{Digest, codec};

/// The line every armoured proof begins with.
pub(crate) const BEGIN: &str = "-----BEGIN MINLIAN PROOF-----";
const END: &str = "-----END MINLIAN PROOF-----";

/// Characters in a full line, and the bytes they spell.
const COLUMNS: usize = 64;
const LINE_BYTES: usize = COLUMNS / 4 * 3;

/// The longest armoured proof, bytes: the largest proof with lines that end in CRLF.
pub const ARMOR_BYTES_MAX: usize = PROOF_BYTES_MAX.div_ceil(LINE_BYTES) * (COLUMNS + 2) + 128;

/// The text that carries `bytes`: a begin line, base64 in lines of 64, a checksum line, an end line.
#[must_use]
pub fn armor(bytes: &[u8]) -> String {
    spell(bytes, "\n")
}

fn spell(bytes: &[u8], ending: &str) -> String {
    let lines = bytes.len().div_ceil(LINE_BYTES);
    let mut text = String::with_capacity(lines * (COLUMNS + ending.len()) + 128);
    let mut line = |part: &str| {
        text.push_str(part);
        text.push_str(ending);
    };
    line(BEGIN);
    bytes.chunks(LINE_BYTES).for_each(|chunk| line(&base64(chunk)));
    line(&checksum(bytes));
    line(END);
    text
}

/// Sixty-four bits are plenty against accidents; forgers are the certificate's business.
fn checksum(bytes: &[u8]) -> String {
    format!("={}", codec::hex(&Digest::blake3(bytes).bytes[..8]))
}

/// The bytes that armoured `text` carries.
///
/// The text must be what [`armor`] prints, with LF or with CRLF line ends throughout: so no change of it goes unnoticed.
///
/// # Errors
/// Cut off, or damaged, and where.
pub fn dearmor(text: &[u8]) -> Result<Vec<u8>, ProofError> {
    if text.len() > ARMOR_BYTES_MAX {
        return Err(ProofError::TooLong { found: text.len() });
    }
    let ending = if text.get(BEGIN.len()) == Some(&b'\r') { "\r\n" } else { "\n" };
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let mut lines = (1..).zip(text.split(|c| *c == b'\n')).skip(1);
    let sum = loop {
        let (number, line) = lines.next().ok_or(ProofError::Truncated)?;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.starts_with(b"=") {
            break line;
        }
        bytes.extend(unbase64(line).ok_or(ProofError::Armor { line: number })?);
    };
    if sum != checksum(&bytes).as_bytes() {
        return Err(ProofError::Checksum);
    }
    // What was read leniently is spelled again strictly: the two texts are the same, or the first difference is told.
    let strict = spell(&bytes, ending);
    if strict.as_bytes() == text {
        return Ok(bytes);
    }
    if strict.as_bytes().starts_with(text) {
        return Err(ProofError::Truncated);
    }
    let same = strict.bytes().zip(text).take_while(|(ours, theirs)| ours == *theirs).count();
    let line = 1 + strict.bytes().take(same).filter(|c| *c == b'\n').count();
    Err(ProofError::Armor { line })
}

/// Base64 digits of RFC 4648 section 4.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// `bytes` in base64, padded.
pub(crate) fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let word =
            group.iter().chain(&[0, 0]).take(3).fold(0, |word, b| word << 8 | usize::from(*b));
        for place in 0..4 {
            let digit = DIGITS[word >> (18 - 6 * place) & 63];
            text.push(if place <= group.len() { digit.into() } else { '=' });
        }
    }
    text
}

/// The bytes that padded base64 spells; `None` for any spelling that [`base64`] would not give.
pub(crate) fn unbase64(text: &[u8]) -> Option<Vec<u8>> {
    let value = |c: u8| match c {
        b'A'..=b'Z' => Some(u32::from(c - b'A')),
        b'a'..=b'z' => Some(u32::from(c - b'a') + 26),
        b'0'..=b'9' => Some(u32::from(c - b'0') + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let (groups, rest) = text.as_chunks::<4>();
    let mut bytes = Vec::with_capacity(groups.len() * 3);
    for (index, group) in groups.iter().enumerate() {
        let padding = group.iter().rev().take_while(|c| **c == b'=').count();
        if padding > 2 || padding > 0 && index + 1 != groups.len() {
            return None;
        }
        let digits = &group[..4 - padding];
        let word = digits.iter().try_fold(0, |word, c| Some(word << 6 | value(*c)?))?;
        let spelled = (word << (6 * padding)).to_be_bytes();
        let (kept, dropped) = spelled[1..].split_at(3 - padding);
        if dropped.iter().any(|byte| *byte != 0) {
            return None;
        }
        bytes.extend_from_slice(kept);
    }
    rest.is_empty().then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
            assert_eq!(unbase64(text.as_bytes()).as_deref(), Some(bytes.as_bytes()));
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), "+//+");
        for bad in
            ["Z", "Zg", "Zg=", "Zh==", "Zm9=", "Zg==Zm9v", "=", "====", "Z===", "Zm 9", "Zm-_"]
        {
            assert_eq!(unbase64(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn every_length_survives_both_kinds_of_line_ends_and_nothing_else() {
        for length in 0..200u8 {
            let bytes: Vec<u8> = (0..length).map(|n| n ^ 0x5a).collect();
            let text = armor(&bytes);
            assert!(text.lines().all(|line| line.len() <= COLUMNS));
            assert_eq!(dearmor(text.as_bytes()), Ok(bytes.clone()));
            let crlf = text.replace('\n', "\r\n");
            assert_eq!(dearmor(crlf.as_bytes()), Ok(bytes));
            for mixed in [text.replacen('\n', "\r\n", 1), crlf.replacen("\r\n", "\n", 1)] {
                assert!(dearmor(mixed.as_bytes()).is_err(), "{length}");
            }
            assert!(dearmor(format!("{text}\n").as_bytes()).is_err());
        }
    }

    #[test]
    fn damage_is_told_by_line() {
        let text = armor(&[7; 100]);
        let why = |text: &str| dearmor(text.as_bytes()).unwrap_err();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 6);
        assert_eq!(why(&text.replacen("BwcH", "Bw!H", 1)), ProofError::Armor { line: 2 });
        assert_eq!(why(&text.replacen("BwcH", "BwcI", 1)), ProofError::Checksum);
        assert_eq!(why(&text.replace("END", "EMD")), ProofError::Armor { line: 6 });
        assert_eq!(why(&text.replace("\n=", " \n=")), ProofError::Armor { line: 4 });
        assert_eq!(why(&text.replace("\n=", "\n\n=")), ProofError::Armor { line: 5 });
        assert_eq!(why(&lines[..3].join("\n")), ProofError::Truncated);
        let long = vec![b'-'; ARMOR_BYTES_MAX + 1];
        assert!(matches!(dearmor(&long), Err(ProofError::TooLong { .. })));
        let most = armor(&vec![0; PROOF_BYTES_MAX]).replace('\n', "\r\n");
        assert!(most.len() <= ARMOR_BYTES_MAX && dearmor(most.as_bytes()).is_ok());
    }
}
