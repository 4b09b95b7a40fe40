//! Sign a meaning, not bytes: keys, signatures, and the one list of purposes a signature can have.

use crate::{
    codec, familiar,
    hash::{ChainId, ParseError},
};
use core::{fmt, str::FromStr};
use ed25519_dalek::Signer as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::sync::Arc;
use zeroize::Zeroize as _;

/// Everything that is ever signed. The name is inside the signed bytes, so no signature can be replayed as another kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Domain {
    /// A transaction's header, by an organisation key.
    Transaction,
    /// A proposal, by a consensus key.
    Proposal,
    /// A prevote, by a consensus key.
    Prevote,
    /// A precommit, by a consensus key. Certificates are made of these.
    Precommit,
    /// The opening of a connection.
    Handshake,
    /// An agency's application to join.
    Enrolment,
    /// A checkpoint for other people's tools.
    Checkpoint,
}

impl Domain {
    const fn name(self) -> &'static str {
        match self {
            Self::Transaction => "minlian/v1/transaction",
            Self::Proposal => "minlian/v1/proposal",
            Self::Prevote => "minlian/v1/prevote",
            Self::Precommit => "minlian/v1/precommit",
            Self::Handshake => "minlian/v1/handshake",
            Self::Enrolment => "minlian/v1/enrolment",
            Self::Checkpoint => "minlian/v1/checkpoint",
        }
    }

    /// What is signed: the name, a zero byte, the chain, the body. Whoever has the secret elsewhere signs this.
    #[must_use]
    pub fn message(self, chain: &ChainId, body: &[u8]) -> Vec<u8> {
        let name = self.name().as_bytes();
        let mut message = Vec::with_capacity(name.len() + 33 + body.len());
        message.extend_from_slice(name);
        message.push(0);
        message.extend_from_slice(chain.as_bytes());
        message.extend_from_slice(body);
        message
    }
}

/// The signature scheme. The number is the wire form, for ever; SM2 with SM3 has 2 reserved.
const ED25519: u8 = 1;

/// A public key that is fit to be enrolled or to be looked up. 33 bytes: scheme, key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublicKey([u8; 32]);

/// A signature. 65 bytes: scheme, R, S.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signature([u8; 64]);

/// The signature does not verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct BadSignature;

impl PublicKey {
    /// The key, unless it is not a point, is spelled in a second way, or lies in the small subgroup.
    ///
    /// # Errors
    /// For keys whose signatures could be made by anyone, or verify for one library and not for another.
    pub fn new(bytes: [u8; 32]) -> Result<Self, ParseError> {
        let expected = ParseError { expected: "an Ed25519 public key outside the small subgroup" };
        let key =
            ed25519_dalek::VerifyingKey::from_bytes(&bytes).map_err(|_bad| expected.clone())?;
        let canonical = key.to_edwards().compress().to_bytes() == bytes;
        if key.is_weak() || !canonical { Err(expected) } else { Ok(Self(bytes)) }
    }

    /// The 32 bytes of the Ed25519 key.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether `signature` was made with this key, for this purpose, on this chain, over `body`.
    ///
    /// Strict: small-order keys and commitments and second spellings of S are refused, so every verifier agrees.
    ///
    /// # Errors
    /// [`BadSignature`], whatever the reason.
    pub fn verify(
        &self,
        domain: Domain,
        chain: &ChainId,
        body: &[u8],
        signature: &Signature,
    ) -> Result<(), BadSignature> {
        self.signed(&domain.message(chain, body), signature)
    }

    /// For each of these keys, messages (as [`Domain::message`] makes them) and signatures, whether [`PublicKey::verify`] would
    /// take it. Of keys that sign again and again it costs less than one after the other.
    pub(crate) fn verify_all(signed: &[(Self, Vec<u8>, Signature)]) -> Vec<bool> {
        let bytes =
            signed.iter().map(|(key, message, signature)| (&key.0, &message[..], &signature.0));
        familiar::verify_all(&bytes.collect::<Vec<_>>())
    }

    /// Whether this key signed a message of [`Checkpoint`](crate::checkpoint::Checkpoint), whose formats are those of others.
    pub(crate) fn verify_checkpoint(
        &self,
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), BadSignature> {
        self.signed(message, signature)
    }

    fn signed(&self, message: &[u8], signature: &Signature) -> Result<(), BadSignature> {
        let is_good = familiar::verify(&self.0, message, &signature.0);
        if is_good { Ok(()) } else { Err(BadSignature) }
    }

    /// The first four bytes, for people.
    #[must_use]
    pub fn short(&self) -> String {
        format!("{}…", codec::hex(&self.0[..4]))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ed25519:{}", codec::hex(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ed25519:{}", self.short())
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ed25519:{}…", codec::hex(&self.0[..4]))
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ed25519:{}", codec::hex(&self.0))
    }
}

fn tagged<const N: usize>(text: &str) -> Option<[u8; N]> {
    codec::unhex(text.strip_prefix("ed25519:")?)?.try_into().ok()
}

impl FromStr for PublicKey {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::new(
            tagged(text)
                .ok_or(ParseError { expected: "ed25519: and 64 lower-case hexadecimal digits" })?,
        )
    }
}

impl FromStr for Signature {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        tagged(text)
            .map(Self)
            .ok_or(ParseError { expected: "ed25519: and 128 lower-case hexadecimal digits" })
    }
}

#[derive(Serialize, Deserialize)]
struct Raw<const N: usize>(u8, #[serde(with = "crate::codec::bytes")] [u8; N]);

impl<const N: usize> Raw<N> {
    fn bytes<E: de::Error>(self) -> Result<[u8; N], E> {
        if self.0 == ED25519 {
            Ok(self.1)
        } else {
            Err(E::custom(format_args!("signature scheme {} is not known", self.0)))
        }
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() { s.collect_str(self) } else { Raw(ED25519, self.0).serialize(s) }
    }
}

impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() { s.collect_str(self) } else { Raw(ED25519, self.0).serialize(s) }
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        if d.is_human_readable() {
            return String::deserialize(d)?.parse().map_err(de::Error::custom);
        }
        // Whether the point is sound is asked where a key is enrolled; elsewhere keys are compared, or fail to verify.
        Raw::deserialize(d)?.bytes().map(Self)
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        if d.is_human_readable() {
            return String::deserialize(d)?.parse().map_err(de::Error::custom);
        }
        Raw::deserialize(d)?.bytes().map(Self)
    }
}

/// A private key. It is wiped when dropped, and says nothing of itself when printed.
#[derive(Clone)]
pub struct SecretKey(Place);

/// Where the secret is.
#[derive(Clone)]
enum Place {
    /// With its public half, which costs as much to find as a signature does to make. It wipes itself.
    Here(Box<ed25519_dalek::SigningKey>),
    Elsewhere(PublicKey, Arc<dyn Elsewhere>),
}

/// What signs with a key whose secret is not in this process.
///
/// It answers as the key itself would: the same signature for the same content, however often it is asked. When it cannot
/// answer it waits until it can; what must not be signed ends the process that asked, for whoever asks has decided already.
pub trait Elsewhere: Send + Sync {
    /// A signature for one purpose, on one chain, over `body`.
    fn sign(&self, domain: Domain, chain: &ChainId, body: &[u8]) -> Signature;
}

impl SecretKey {
    /// The key grown from 32 secret bytes; the caller brings the randomness.
    #[must_use]
    pub fn from_seed(mut seed: [u8; 32]) -> Self {
        let key = ed25519_dalek::SigningKey::from_bytes(&seed);
        seed.zeroize();
        Self(Place::Here(Box::new(key)))
    }

    /// A key whose secret is elsewhere.
    #[must_use]
    pub fn elsewhere(public: PublicKey, signs: Arc<dyn Elsewhere>) -> Self {
        Self(Place::Elsewhere(public, signs))
    }

    /// The secret bytes, for the one who writes the key file or hands them to a transport.
    ///
    /// # Panics
    /// When the secret is elsewhere: only keys that vote may be, and nobody writes those or opens connections with them.
    #[must_use]
    pub fn seed(&self) -> &[u8; 32] {
        match &self.0 {
            Place::Here(key) => key.as_bytes(),
            #[expect(
                clippy::panic,
                reason = "there is no such value, and the caller has mixed up its keys"
            )]
            Place::Elsewhere(public, _) => panic!("the secret of {public} is elsewhere"),
        }
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        match &self.0 {
            Place::Here(key) => PublicKey(key.verifying_key().to_bytes()),
            Place::Elsewhere(public, _) => *public,
        }
    }

    /// A signature for one purpose, on one chain, over `body`.
    #[must_use]
    pub fn sign(&self, domain: Domain, chain: &ChainId, body: &[u8]) -> Signature {
        match &self.0 {
            Place::Here(key) => Signature(key.sign(&domain.message(chain, body)).to_bytes()),
            Place::Elsewhere(_, signs) => signs.sign(domain, chain, body),
        }
    }

    /// A signature over a message of [`Checkpoint`](crate::checkpoint::Checkpoint): none of them begins like a domain.
    pub(crate) fn sign_checkpoint(&self, message: &[u8]) -> Signature {
        match &self.0 {
            Place::Here(key) => Signature(key.sign(message).to_bytes()),
            #[expect(
                clippy::panic,
                reason = "there is no such value, and the caller has mixed up its keys"
            )]
            Place::Elsewhere(public, _) => panic!("the secret of {public} is elsewhere"),
        }
    }
}

impl Signature {
    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Hash;

    const CHAIN: ChainId = ChainId(Hash([7; 32]));
    const DOMAINS: [Domain; 7] = [
        Domain::Transaction,
        Domain::Proposal,
        Domain::Prevote,
        Domain::Precommit,
        Domain::Handshake,
        Domain::Enrolment,
        Domain::Checkpoint,
    ];

    #[test]
    fn a_signature_is_worth_nothing_for_another_purpose_chain_or_body() {
        let key = SecretKey::from_seed([1; 32]);
        let public = key.public();
        for made in DOMAINS {
            let signature = key.sign(made, &CHAIN, b"body");
            for asked in DOMAINS {
                assert_eq!(
                    public.verify(asked, &CHAIN, b"body", &signature).is_ok(),
                    made == asked
                );
            }
            assert!(public.verify(made, &ChainId(Hash([8; 32])), b"body", &signature).is_err());
            assert!(public.verify(made, &CHAIN, b"bodz", &signature).is_err());
            assert!(
                SecretKey::from_seed([2; 32])
                    .public()
                    .verify(made, &CHAIN, b"body", &signature)
                    .is_err()
            );
        }
    }

    #[test]
    fn every_bit_of_a_signature_counts() {
        let key = SecretKey::from_seed([1; 32]);
        let signature = key.sign(Domain::Precommit, &CHAIN, b"body");
        for bit in 0..512 {
            let mut other = signature;
            other.0[bit / 8] ^= 1 << (bit % 8);
            assert!(
                key.public().verify(Domain::Precommit, &CHAIN, b"body", &other).is_err(),
                "bit {bit}"
            );
        }
        // S + L is the second spelling that lenient verifiers accept (RFC 8032 section 8.4).
        let order = [
            0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9,
            0xde, 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10u8,
        ];
        let (mut other, mut carry) = (signature, 0u16);
        for (index, byte) in order.iter().enumerate() {
            let sum = u16::from(other.0[32 + index]) + u16::from(*byte) + carry;
            other.0[32 + index] = (sum & 0xff) as u8;
            carry = sum >> 8;
        }
        assert!(key.public().verify(Domain::Precommit, &CHAIN, b"body", &other).is_err());
    }

    #[test]
    fn weak_and_doubly_spelled_keys_are_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut second_spelling = [0xff; 32];
        (second_spelling[0], second_spelling[31]) = (0xee, 0x7f); // p + 1, the identity again
        for bad in [[0; 32], identity, second_spelling, [0xff; 32]] {
            assert!(PublicKey::new(bad).is_err(), "{bad:?}");
        }
        assert!(PublicKey::new(*SecretKey::from_seed([3; 32]).public().as_bytes()).is_ok());
    }

    #[test]
    fn keys_read_back_and_secrets_stay_silent() {
        let key = SecretKey::from_seed([1; 32]);
        assert_eq!(key.public().to_string().parse::<PublicKey>().unwrap(), key.public());
        assert_eq!(format!("{key:?}"), "SecretKey(…)");
    }
}
