//! Names made of content: one BLAKE3 context per purpose, so that no hash of one kind can stand for another.

use crate::codec;
use core::{fmt, str::FromStr};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::sync::OnceLock;

/// What a hash is for. Each purpose is a context of BLAKE3's key derivation mode (BLAKE3 paper, section 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Purpose {
    /// A genesis file, hence a chain.
    Chain,
    /// A block header.
    Block,
    /// A transaction header.
    Transaction,
    /// An operation by an agency.
    Record,
    /// A leaf of a tree of operations or transactions.
    ListLeaf,
    /// An inner node of such a tree.
    ListNode,
    /// A subject's place in the state map.
    SubjectKey,
    /// A subject's value in the state map.
    SubjectValue,
    /// A leaf of the state map.
    MapLeaf,
    /// An inner node of the state map.
    MapNode,
    /// The chain of a subject's records.
    History,
    /// A committee.
    Committee,
    /// The effects of a step, compared between runs of the simulator.
    Trace,
    /// A field of a document.
    FieldLeaf,
    /// An inner node of a tree of fields, and its root with their number.
    FieldNode,
    /// A grant of a licence to an agency for a purpose.
    Grant,
}

const PURPOSES: [&str; 16] = [
    "minlian v1 chain",
    "minlian v1 block",
    "minlian v1 transaction",
    "minlian v1 record",
    "minlian v1 list leaf",
    "minlian v1 list node",
    "minlian v1 subject key",
    "minlian v1 subject value",
    "minlian v1 map leaf",
    "minlian v1 map node",
    "minlian v1 history",
    "minlian v1 committee",
    "minlian v1 trace",
    "minlian v1 field leaf",
    "minlian v1 field node",
    "minlian v1 grant",
];

/// The BLAKE3 derive-key hash of `parts`, one after the other, for one purpose.
#[must_use]
pub fn hash(purpose: Purpose, parts: &[&[u8]]) -> Hash {
    use blake3::hazmat::{ContextKey, HasherExt as _, hash_derive_key_context};
    // The context's own hash is half the cost of a small input, and never changes.
    static KEYS: [OnceLock<ContextKey>; PURPOSES.len()] =
        [const { OnceLock::new() }; PURPOSES.len()];
    let index = purpose as usize;
    let key = KEYS[index].get_or_init(|| hash_derive_key_context(PURPOSES[index]));
    let mut hasher = blake3::Hasher::new_from_context_key(key);
    for part in parts {
        hasher.update(part);
    }
    Hash(*hasher.finalize().as_bytes())
}

/// 32 bytes of BLAKE3 or SHA-256; which one, and of what, is said by where it stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// All zeros: the parent of the first block, the root of an empty map.
    pub const ZERO: Self = Self([0; 32]);

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first and last two bytes, for people.
    #[must_use]
    pub fn short(&self) -> String {
        format!("{}…{}", codec::hex(&self.0[..2]), codec::hex(&self.0[30..]))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&codec::hex(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}

/// Why text is not a hash, key, digest or signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}")]
pub struct ParseError {
    /// What would have been right.
    pub expected: &'static str,
}

impl FromStr for Hash {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        codec::unhex(text)
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or(ParseError { expected: "64 lower-case hexadecimal digits" })
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() {
            s.collect_str(self)
        } else {
            codec::bytes::serialize(&self.0, s)
        }
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        if d.is_human_readable() {
            String::deserialize(d)?.parse().map_err(de::Error::custom)
        } else {
            codec::bytes::deserialize(d).map(Self)
        }
    }
}

macro_rules! named_hash {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Default)]
        #[serde(transparent)]
        pub struct $name(pub Hash);

        impl $name {
            /// The bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:?})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = ParseError;

            fn from_str(text: &str) -> Result<Self, ParseError> {
                text.parse().map(Self)
            }
        }
    )*};
}

named_hash! {
    /// A chain: the digest of its genesis.
    ChainId
    /// A block: the hash of its header.
    BlockId
    /// A transaction: the hash of its header, which commits to the operations. The signature is not part of it.
    TxId
    /// A record: the hash of its operation and the agency that asked for it. The same record again has the same name.
    RecordId
    /// A grant: the hash of whose licence it lets whom use for what.
    GrantId
}

/// How a document was hashed. The number is the wire form, for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Algorithm {
    /// BLAKE3, 256 bits, no key.
    Blake3 = 1,
    /// SHA-256 (FIPS 180-4).
    Sha256 = 2,
    /// SM3 (GB/T 32905-2016). Carried and compared; this version does not compute it.
    Sm3 = 3,
}

impl Algorithm {
    const ALL: [Self; 3] = [Self::Blake3, Self::Sha256, Self::Sm3];

    /// The word before the colon in a digest's text form.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Blake3 => "blake3",
            Self::Sha256 => "sha256",
            Self::Sm3 => "sm3",
        }
    }
}

/// The digest of a document, with the algorithm that made it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest {
    /// What made it.
    pub algorithm: Algorithm,
    /// The 32 bytes.
    pub bytes: [u8; 32],
}

impl Digest {
    /// The BLAKE3 digest of a document's exact bytes.
    #[must_use]
    pub fn blake3(document: &[u8]) -> Self {
        Self { algorithm: Algorithm::Blake3, bytes: *blake3::hash(document).as_bytes() }
    }
}

/// The BLAKE3 digest of a document that is never held whole.
#[derive(Clone, Debug, Default)]
pub struct Digester(blake3::Hasher);

impl Digester {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all that was taken.
    #[must_use]
    pub fn finish(&self) -> Digest {
        Digest { algorithm: Algorithm::Blake3, bytes: *self.0.finalize().as_bytes() }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), codec::hex(&self.bytes))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:?}", self.algorithm.name(), Hash(self.bytes))
    }
}

impl FromStr for Digest {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let expected = ParseError {
            expected: "blake3:, sha256: or sm3: and 64 lower-case hexadecimal digits",
        };
        let (name, digits) = text.split_once(':').ok_or_else(|| expected.clone())?;
        let algorithm = Algorithm::ALL
            .into_iter()
            .find(|a| a.name() == name)
            .ok_or_else(|| expected.clone())?;
        Ok(Self { algorithm, bytes: digits.parse::<Hash>().map_err(|_bad| expected)?.0 })
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() {
            s.collect_str(self)
        } else {
            (self.algorithm as u8, Hash(self.bytes)).serialize(s)
        }
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        if d.is_human_readable() {
            return String::deserialize(d)?.parse().map_err(de::Error::custom);
        }
        let (number, Hash(bytes)) = <(u8, Hash)>::deserialize(d)?;
        let algorithm =
            Algorithm::ALL.into_iter().find(|a| *a as u8 == number).ok_or_else(|| {
                de::Error::custom(format_args!("digest algorithm {number} is not known"))
            })?;
        Ok(Self { algorithm, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purposes_do_not_meet() {
        let all: Vec<Hash> = (0..PURPOSES.len())
            .map(|index| {
                Hash(
                    *blake3::Hasher::new_derive_key(PURPOSES[index])
                        .update(b"x")
                        .finalize()
                        .as_bytes(),
                )
            })
            .collect();
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), PURPOSES.len());
        // The cached context gives what the public interface of BLAKE3 gives.
        assert_eq!(hash(Purpose::Trace, &[b"x"]), all[12]);
        assert_eq!(hash(Purpose::Chain, &[b"", b"x"]), all[0]);
    }

    #[test]
    fn a_digest_reads_back() {
        let digest = Digest::blake3(b"abc");
        assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
        assert_eq!(
            digest.to_string(),
            "blake3:6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"
        );
        for bad in [
            "",
            "md5:00",
            "blake3:00",
            "BLAKE3:6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85",
        ] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }
}
