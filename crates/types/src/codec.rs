//! One spelling per value: the only file that names bincode, and the only way bytes become values.

use bincode::{enc::write::Writer, error::EncodeError};
use core::cell::Cell;
use serde::{Serialize, de::DeserializeOwned};

/// The most that any single value may occupy, bytes; also the most a claimed length can make us allocate.
const CEILING: usize = 16 << 20;

/// A type that travels or rests as bytes, with the most bytes one value may take.
pub trait Wire: Serialize + DeserializeOwned {
    /// The limit, bytes. Longer input is refused before it is looked at.
    const BYTES_MAX: usize;
}

/// Why bytes are not a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// More bytes than the type may take.
    #[error("{found} bytes where at most {limit} are allowed")]
    TooLong {
        /// Bytes given.
        found: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Not an encoding of the type.
    #[error("malformed: {0}")]
    Malformed(String),
    /// A value, but followed by something.
    #[error("{0} bytes follow the value")]
    Trailing(usize),
    /// A value, but not spelled the way we spell it.
    #[error("not the canonical spelling of this value")]
    NotCanonical,
}

const fn config() -> bincode::config::Configuration<
    bincode::config::LittleEndian,
    bincode::config::Fixint,
    bincode::config::Limit<CEILING>,
> {
    bincode::config::standard().with_fixed_int_encoding().with_limit::<CEILING>()
}

/// The canonical bytes of `value`: little-endian, fixed-width integers, 64-bit lengths, 32-bit variants.
///
/// # Panics
/// When the value holds more than the ceiling of 16 MiB, which no type of this crate can.
#[must_use]
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let desk = write(value);
    // What is too large to be kept is given away as it is.
    if desk.capacity() > DESK_BYTES_MAX { desk } else { put_back(desk, <[u8]>::to_vec) }
}

/// What `use_of` makes of the canonical bytes of `value`, for whoever only looks at them.
///
/// # Panics
/// As [`encode`].
pub fn encoded<T: Serialize + ?Sized, R>(value: &T, use_of: impl FnOnce(&[u8]) -> R) -> R {
    put_back(write(value), use_of)
}

thread_local! {
    // Most values are written to be hashed, compared or copied, and are gone again: one piece of memory does for all. Who
    // writes a value while another is looked at finds it gone, and takes a new one.
    static DESK: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

fn write<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut desk = Desk(DESK.take());
    desk.0.clear();
    bincode::serde::encode_into_writer(value, &mut desk, config()).expect(ENCODES);
    desk.0
}

fn put_back<R>(desk: Vec<u8>, use_of: impl FnOnce(&[u8]) -> R) -> R {
    let made = use_of(&desk);
    if desk.capacity() <= DESK_BYTES_MAX {
        DESK.set(desk);
    }
    made
}

/// What a thread keeps of its desk between two values.
const DESK_BYTES_MAX: usize = 64 << 10;

const ENCODES: &str = "our types encode: no maps, no unsized sequences";

struct Desk(Vec<u8>);

impl Writer for Desk {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// Compares what is written with what it should be.
struct Likeness<'a> {
    rest: &'a [u8],
    alike: bool,
}

impl Writer for Likeness<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        match self.rest.split_at_checked(bytes.len()) {
            Some((head, rest)) => (self.alike, self.rest) = (self.alike && head == bytes, rest),
            None => (self.alike, self.rest) = (false, &[]),
        }
        Ok(())
    }
}

/// How many bytes [`encode`] gives.
///
/// # Panics
/// As [`encode`].
#[must_use]
pub fn length<T: Serialize>(value: &T) -> usize {
    let mut counter = bincode::enc::write::SizeWriter::default();
    bincode::serde::encode_into_writer(value, &mut counter, config()).expect(ENCODES);
    counter.bytes_written
}

/// The value that `bytes` spell, if they are its canonical spelling.
///
/// # Errors
/// Too long, malformed, followed by more, or spelled differently than [`encode`] would.
pub fn decode<T: Wire>(bytes: &[u8]) -> Result<T, CodecError> {
    if bytes.len() > T::BYTES_MAX {
        return Err(CodecError::TooLong { found: bytes.len(), limit: T::BYTES_MAX });
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place; what it accepts too freely is refused below"
    )]
    let (value, used) = bincode::serde::decode_from_slice::<T, _>(bytes, config())
        .map_err(|error| CodecError::Malformed(error.to_string()))?;
    if used != bytes.len() {
        return Err(CodecError::Trailing(bytes.len().saturating_sub(used)));
    }
    let mut likeness = Likeness { rest: bytes, alike: true };
    let written = bincode::serde::encode_into_writer(&value, &mut likeness, config());
    if written.is_err() || !likeness.alike || !likeness.rest.is_empty() {
        return Err(CodecError::NotCanonical);
    }
    Ok(value)
}

/// Byte arrays as themselves in binary, as lower-case hexadecimal (or text) where people read.
pub(crate) mod bytes {
    use core::fmt;
    use serde::{Deserializer, Serializer, de, ser::SerializeTuple};

    struct Array<const N: usize>;

    impl<'de, const N: usize> de::Visitor<'de> for Array<N> {
        type Value = [u8; N];

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{N} bytes")
        }

        fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<[u8; N], A::Error> {
            let mut out = [0; N];
            let (wide, rest) = out.as_chunks_mut::<WIDE>();
            let short = |index: usize| move || de::Error::invalid_length(index, &Self);
            for (index, chunk) in wide.iter_mut().enumerate() {
                let number: u128 = seq.next_element()?.ok_or_else(short(index * WIDE))?;
                *chunk = number.to_le_bytes();
            }
            for (index, byte) in rest.iter_mut().enumerate() {
                *byte = seq.next_element()?.ok_or_else(short(N - N % WIDE + index))?;
            }
            Ok(out)
        }
    }

    /// As many bytes as one element carries: a number of 16 bytes is spelled as its bytes are, the lowest first, so that
    /// whole arrays go at once that would else go byte by byte.
    const WIDE: usize = 16;

    pub(crate) fn serialize<S: Serializer, const N: usize>(
        bytes: &[u8; N],
        s: S,
    ) -> Result<S::Ok, S::Error> {
        let (wide, rest) = bytes.as_chunks::<WIDE>();
        let mut tuple = s.serialize_tuple(wide.len() + rest.len())?;
        for chunk in wide {
            tuple.serialize_element(&u128::from_le_bytes(*chunk))?;
        }
        for byte in rest {
            tuple.serialize_element(byte)?;
        }
        tuple.end()
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
        d: D,
    ) -> Result<[u8; N], D::Error> {
        d.deserialize_tuple(N / WIDE + N % WIDE, Array::<N>)
    }
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use core::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // Writing to a String cannot fail.
        write!(out, "{byte:02x}").expect("a String takes what it is given");
        out
    })
}

/// The bytes that lower-case hexadecimal `text` spells; `None` for anything else, capitals included.
#[must_use]
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    };
    let text = text.as_bytes();
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Sample {
        number: u64,
        words: Vec<String>,
        map: BTreeMap<u8, u8>,
        flag: Option<bool>,
    }

    impl Wire for Sample {
        const BYTES_MAX: usize = 100;
    }

    fn sample() -> Sample {
        Sample {
            number: 5,
            words: vec!["a".into()],
            map: BTreeMap::from([(1, 2), (3, 4)]),
            flag: Some(true),
        }
    }

    #[test]
    fn a_value_has_one_spelling() {
        let bytes = encode(&sample());
        assert_eq!(decode::<Sample>(&bytes), Ok(sample()));
        let mut tail = bytes.clone();
        tail.push(0);
        assert_eq!(decode::<Sample>(&tail), Err(CodecError::Trailing(1)));
        assert!(matches!(
            decode::<Sample>(&bytes[..bytes.len() - 1]),
            Err(CodecError::Malformed(_))
        ));
        assert!(matches!(
            decode::<Sample>(&[0; 101]),
            Err(CodecError::TooLong { found: 101, limit: 100 })
        ));
        // The map's two entries exchanged: bincode reads it, we do not.
        let mut swapped = bytes;
        let entries = swapped.len() - 2 - 4;
        swapped[entries..entries + 4].rotate_left(2);
        assert_eq!(decode::<Sample>(&swapped), Err(CodecError::NotCanonical));
    }

    #[test]
    fn a_claimed_length_does_not_allocate() {
        let mut bytes = encode(&sample());
        bytes[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(matches!(decode::<Sample>(&bytes), Err(CodecError::Malformed(_))));
    }

    #[test]
    fn hexadecimal_has_one_spelling_too() {
        assert_eq!(unhex("00ff"), Some(vec![0, 255]));
        assert_eq!(hex(&[0, 255]), "00ff");
        for bad in ["0", "0F", "0g", " 00"] {
            assert_eq!(unhex(bad), None, "{bad}");
        }
    }
}
