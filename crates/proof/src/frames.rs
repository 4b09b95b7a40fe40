//! Frames: a proof as one line of plain capitals or several, each small enough for a printed QR code, read in any order.

use crate::error::ProofError;
use types::Digest;

/// What every frame begins with.
pub(crate) const BEGIN: &str = "MINLIAN1/";

/// Bytes of the proof in every frame but the last. With 45 characters around them a QR code of version 27 holds them at
/// level M, 42 mm wide with modules of a third of a millimetre.
pub const FRAME_BYTES: usize = 990;

/// The most frames a proof is cut into; what is longer travels as a file.
pub const FRAMES_MAX: usize = 99;

/// The longest text of frames that is read, bytes: all of them several times over.
pub const FRAMES_TEXT_MAX: usize = 1 << 20;

/// Base32 digits of RFC 4648 section 6.
const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The frames that carry `bytes`, in order; none when they are too many.
#[must_use]
pub fn frames(bytes: &[u8]) -> Option<Vec<String>> {
    let count = bytes.len().div_ceil(FRAME_BYTES);
    if !(1..=FRAMES_MAX).contains(&count) {
        return None;
    }
    let whole = upper(&Digest::blake3(bytes).bytes[..8]);
    let frame = |(number, part): (usize, &[u8])| {
        let text = format!("{BEGIN}{number}/{count}/{whole}/{}/", base32(part));
        let check = check(&text);
        text + &check
    };
    Some((1..).zip(bytes.chunks(FRAME_BYTES)).map(frame).collect())
}

fn upper(bytes: &[u8]) -> String {
    types::codec::hex(bytes).to_uppercase()
}

/// Tells a frame that was read wrongly, or cut off, from one of another proof.
fn check(text: &str) -> String {
    upper(&Digest::blake3(text.as_bytes()).bytes[..4])
}

/// The bytes that frames carry: in any order, more than once if need be, with white space between them.
///
/// # Errors
/// One is damaged, they are of several proofs, or some are missing: these are named.
pub fn unframe(text: &[u8]) -> Result<Vec<u8>, ProofError> {
    if text.len() > FRAMES_TEXT_MAX {
        return Err(ProofError::TooLong { found: text.len() });
    }
    let mut parts: Vec<Option<Vec<u8>>> = Vec::new();
    let mut whole = String::new();
    let words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    for (nth, word) in (1..).zip(words) {
        let Frame { number, count, digest, part } =
            Frame::read(word).ok_or(ProofError::Frame { nth })?;
        if parts.is_empty() {
            parts.resize(count, None);
            whole.push_str(digest);
        }
        if parts.len() != count || whole != digest {
            return Err(ProofError::FrameOfAnother { nth });
        }
        let place = &mut parts[number - 1];
        if place.as_ref().is_some_and(|there| *there != part) {
            return Err(ProofError::Frame { nth });
        }
        *place = Some(part);
    }
    let lacks = |(number, part): (usize, &Option<Vec<u8>>)| part.is_none().then_some(number);
    let missing: Vec<usize> = (1..).zip(&parts).filter_map(lacks).collect();
    if !missing.is_empty() {
        return Err(ProofError::FramesMissing { missing, count: parts.len() });
    }
    let bytes = parts.into_iter().flatten().flatten().collect::<Vec<u8>>();
    if upper(&Digest::blake3(&bytes).bytes[..8]) == whole {
        Ok(bytes)
    } else {
        Err(ProofError::Checksum)
    }
}

/// A frame as read; nobody has looked at what it carries.
struct Frame<'t> {
    number: usize,
    count: usize,
    digest: &'t str,
    part: Vec<u8>,
}

impl<'t> Frame<'t> {
    /// The frame that a word is, spelled as [`frames`] spells it.
    fn read(word: &'t [u8]) -> Option<Self> {
        let word = core::str::from_utf8(word).ok()?;
        let (signed, found) = word.split_at_checked(word.len().checked_sub(8)?)?;
        let mut fields = signed.strip_prefix(BEGIN)?.split('/');
        let number = decimal(fields.next()?)?;
        let count = decimal(fields.next()?)?;
        let (digest, digits) = (fields.next()?, fields.next()?);
        let ends = fields.next() == Some("") && fields.next().is_none();
        let part = unbase32(digits.as_bytes())?;
        let full = if number < count { part.len() == FRAME_BYTES } else { !part.is_empty() };
        let sound = ends
            && number <= count
            && full
            && part.len() <= FRAME_BYTES
            && digest.len() == 16
            && digest.bytes().all(|c| c.is_ascii_digit() || (b'A'..=b'F').contains(&c))
            && check(signed) == found;
        sound.then_some(Self { number, count, digest, part })
    }
}

/// 1 to [`FRAMES_MAX`], without a zero before it.
fn decimal(text: &str) -> Option<usize> {
    let plain =
        text.len() <= 2 && text.bytes().all(|c| c.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|number| plain && (1..=FRAMES_MAX).contains(number))
}

fn base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    let (mut kept, mut bits) = (0u32, 0);
    for byte in bytes {
        kept = kept << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(digit(kept >> bits));
        }
        kept &= (1 << bits) - 1;
    }
    if bits > 0 {
        text.push(digit(kept << (5 - bits)));
    }
    text
}

fn digit(five: u32) -> char {
    DIGITS[usize::try_from(five & 31).expect("five bits are few")].into()
}

/// The bytes that unpadded digits spell, if they spell them as [`base32`] does.
fn unbase32(digits: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(digits.len() * 5 / 8);
    let (mut kept, mut bits) = (0u32, 0);
    for c in digits {
        let value = DIGITS.iter().position(|digit| digit == c)?;
        kept = kept << 5 | u32::try_from(value).ok()?;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(kept >> bits).ok()?);
            kept &= (1 << bits) - 1;
        }
    }
    // What is left over is less than a digit, and nothing.
    (bits < 5 && kept == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof(length: usize) -> Vec<u8> {
        (0..length).map(|n| u8::try_from(n * n % 251).unwrap()).collect()
    }

    #[test]
    fn frames_come_back_in_any_order_and_more_than_once() {
        for length in [1, 4, 5, 6, 989, 990, 991, 1980, 1981, 98_009, 98_010] {
            let bytes = proof(length);
            let all = frames(&bytes).unwrap();
            assert_eq!(all.len(), length.div_ceil(FRAME_BYTES));
            let plain = |c: char| c.is_ascii_digit() || c.is_ascii_uppercase() || c == '/';
            // Version 27 at level M holds 1637 such characters.
            assert!(all.iter().all(|frame| frame.chars().all(plain) && frame.len() <= 1637));
            let mut words: Vec<String> = all.iter().rev().cloned().collect();
            words.extend(all.iter().take(2).cloned());
            for between in ["\n", "\r\n", " \n\n"] {
                assert_eq!(unframe(words.join(between).as_bytes()).as_ref(), Ok(&bytes));
            }
        }
        assert_eq!((frames(&[]), frames(&proof(98_011))), (None, None));
    }

    #[test]
    fn what_is_missing_is_named() {
        let all = frames(&proof(3500)).unwrap();
        for missing in [vec![1], vec![4], vec![2, 3], vec![1, 2, 4]] {
            let there = (1..).zip(&all).filter(|(n, _)| !missing.contains(n));
            let text: Vec<&str> = there.map(|(_, frame)| frame.as_str()).collect();
            let error = unframe(text.join("\n").as_bytes()).unwrap_err();
            assert_eq!(error, ProofError::FramesMissing { missing, count: 4 });
            assert_eq!((error.code(), error.is_undecided()), ("V-FRAMES", true));
        }
    }

    #[test]
    fn no_character_of_a_frame_can_be_changed_or_left_out() {
        let all = frames(&proof(1203)).unwrap();
        let text = all.join("\n");
        for at in 0..text.len() {
            for other in [b'A', b'7', b'/', b'\0', b'a', 0xff] {
                let mut bytes = text.clone().into_bytes();
                if core::mem::replace(&mut bytes[at], other) == other {
                    continue;
                }
                assert!(unframe(&bytes).is_err(), "{at}");
            }
            let mut bytes = text.clone().into_bytes();
            bytes.remove(at);
            assert!(unframe(&bytes).is_err(), "{at}");
            if at != 0 && at != all[0].len() + 1 {
                assert!(unframe(&text.as_bytes()[..at]).is_err(), "{at}");
            }
        }
        // Frames of two proofs, and two spellings of one frame.
        let other = frames(&proof(1204)).unwrap();
        let mixed = [all[0].as_str(), other[1].as_str()].join("\n");
        assert_eq!(unframe(mixed.as_bytes()), Err(ProofError::FrameOfAnother { nth: 2 }));
        let respelled = all[1].replace("/2/2/", "/02/2/");
        assert_eq!(unframe(respelled.as_bytes()), Err(ProofError::Frame { nth: 1 }));
        // Sound frames of a whole that they are not.
        let part = &all[1][..all[1].len() - 8];
        let alone = part.replace("/2/2/", "/1/1/");
        let alone = format!("{alone}{}", check(&alone));
        assert_eq!(unframe(alone.as_bytes()), Err(ProofError::Checksum));
    }
}
