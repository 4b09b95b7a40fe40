//! Keys that sign again and again, and what need be computed only once for each of them.
//!
//! Checking an Ed25519 signature is one multiplication of two points, the key's and the base point, by numbers that change;
//! multiples of a point that does not change can be kept. What is accepted is what `verify_strict` accepts, bit for bit:
//! the equation is the same (RFC 8032 section 5.1.7, without the cofactor), and so is what is refused beside it: an S that is
//! not reduced, and a key or an R in the small subgroup.

use core::cell::RefCell;
use curve25519_dalek::{
    edwards::{EdwardsPoint, VartimeEdwardsPrecomputation},
    scalar::Scalar,
    traits::{IsIdentity as _, VartimePrecomputedMultiscalarMul as _},
};
use ed25519_dalek::VerifyingKey;
use sha2::{Digest as _, Sha512};

/// How many keys a thread is familiar with at most, about 20 kB each. The last bits of a key say which place is its own.
const PLACES: usize = 64;
/// How often a key must have been seen, since another was, before its multiples are worth computing.
const FAMILIAR_FROM: u8 = 4;
/// How many strangers in a row it takes to be forgotten.
const REMEMBERED_FOR: u8 = 32;

thread_local! {
    static KEYS: RefCell<Vec<Option<Place>>> = RefCell::new((0..PLACES).map(|_| None).collect());
}

struct Place {
    key: [u8; 32],
    seen: u8,
    multiples: Option<Box<Multiples>>,
}

/// Multiples of a key's negative and of the base point.
struct Multiples(VartimeEdwardsPrecomputation);

/// Whether `signature` is one by `key` over `message`, strictly.
pub(crate) fn verify(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    KEYS.with_borrow_mut(|places| {
        let place = &mut places[usize::from(key[31]) % PLACES];
        let known = match place {
            Some(known) if known.key == *key => known,
            // One that comes often is not displaced by one that comes once.
            Some(other) if other.seen > 0 => {
                other.seen -= 1;
                return verify_once(key, message, signature);
            }
            Some(_) | None => place.insert(Place { key: *key, seen: 0, multiples: None }),
        };
        known.seen = (known.seen + 1).min(REMEMBERED_FOR);
        if known.multiples.is_none() && known.seen >= FAMILIAR_FROM {
            known.multiples = Multiples::of(key).map(Box::new);
        }
        match &known.multiples {
            Some(multiples) => multiples.verify(key, message, signature),
            None => verify_once(key, message, signature),
        }
    })
}

fn verify_once(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    let signature = ed25519_dalek::Signature::from_bytes(signature);
    VerifyingKey::from_bytes(key).is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
}

impl Multiples {
    /// None for keys under which nothing verifies: those are left to the library.
    fn of(key: &[u8; 32]) -> Option<Self> {
        let key = VerifyingKey::from_bytes(key).ok().filter(|key| !key.is_weak())?;
        let points = [-key.to_edwards(), curve25519_dalek::constants::ED25519_BASEPOINT_POINT];
        Some(Self(VartimeEdwardsPrecomputation::new(points)))
    }

    fn verify(&self, key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        let (r, s) = signature.split_at(32);
        let s = <[u8; 32]>::try_from(s).ok();
        let Some(s) = s.and_then(|s| Option::<Scalar>::from(Scalar::from_canonical_bytes(s)))
        else {
            return false;
        };
        let mut wide = [0; 64];
        let hash = Sha512::new().chain_update(r).chain_update(key).chain_update(message);
        wide.copy_from_slice(&hash.finalize());
        let k = Scalar::from_bytes_mod_order_wide(&wide);
        let expected: EdwardsPoint = self.0.vartime_multiscalar_mul([k, s]);
        // Equal bytes are the same point, so what must not be so of R is asked of what it must be.
        expected.compress().as_bytes() == r && !expected.mul_by_cofactor().is_identity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::{Signer as _, SigningKey};

    /// What both ways say, which must be one thing.
    fn both(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        let once = verify_once(key, message, signature);
        let familiar =
            Multiples::of(key).map_or(once, |multiples| multiples.verify(key, message, signature));
        assert_eq!(familiar, once, "{key:?} {signature:?}");
        once
    }

    #[test]
    fn both_ways_say_the_same_of_every_bit_flipped() {
        for seed in 0..4 {
            let secret = SigningKey::from_bytes(&[seed; 32]);
            let key = secret.verifying_key().to_bytes();
            let message = [seed; 100];
            let good = secret.sign(&message).to_bytes();
            assert!(both(&key, &message, &good));
            for bit in 0..512 {
                let mut bad = good;
                bad[bit / 8] ^= 1 << (bit % 8);
                assert!(!both(&key, &message, &bad), "bit {bit}");
            }
            assert!(!both(&key, &[seed; 99], &good));
            for bit in 0..256 {
                let mut other = key;
                other[bit / 8] ^= 1 << (bit % 8);
                assert!(!both(&other, &message, &good), "bit {bit} of the key");
            }
        }
    }

    #[test]
    fn a_second_spelling_of_s_is_refused() {
        // The group's order, RFC 8032 section 5.1.
        const ORDER: [u8; 32] = [
            0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9,
            0xde, 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
        ];
        let secret = SigningKey::from_bytes(&[9; 32]);
        let mut signature = secret.sign(b"once").to_bytes();
        let mut carry = 0;
        for (byte, order) in signature[32..].iter_mut().zip(ORDER) {
            let sum = u16::from(*byte) + u16::from(order) + carry;
            (*byte, carry) = (sum.to_le_bytes()[0], sum >> 8);
        }
        assert!(!both(&secret.verifying_key().to_bytes(), b"once", &signature));
    }

    #[test]
    fn points_of_the_small_subgroup_are_refused_as_key_and_as_r() {
        let zero = [0; 32];
        for torsion in curve25519_dalek::constants::EIGHT_TORSION {
            let point = torsion.compress().to_bytes();
            // S = 0 and a key and R of small order satisfy the equation for one message in eight, or for all.
            let mut signature = [0; 64];
            signature[..32].copy_from_slice(&point);
            for message in 0..=255 {
                assert!(!both(&point, &[message], &signature));
            }
            // An honest key of order l, and R of small order: refused without looking further.
            let key = SigningKey::from_bytes(&[3; 32]).verifying_key().to_bytes();
            assert!(!both(&key, b"", &signature));
        }
        assert!(!both(&zero, b"", &[0; 64]));
        // The identity, spelled with y = p + 1.
        let mut second = [0xff; 32];
        (second[0], second[31]) = (0xee, 0x7f);
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&second);
        let key = SigningKey::from_bytes(&[3; 32]).verifying_key().to_bytes();
        assert!(!both(&key, b"", &signature));
    }

    #[test]
    fn a_key_of_mixed_order_is_judged_alike() {
        // A key plus a point of order eight: the library takes it, and what it says of each signature must be said.
        let secret = SigningKey::from_bytes(&[5; 32]);
        for torsion in curve25519_dalek::constants::EIGHT_TORSION {
            let key = (secret.verifying_key().to_edwards() + torsion).compress().to_bytes();
            for message in 0..64 {
                let signature = secret.sign(&[message]).to_bytes();
                both(&key, &[message], &signature);
            }
        }
    }

    #[test]
    fn a_key_becomes_familiar_is_displaced_and_comes_back() {
        // Two keys with one place: strangers to each other by construction.
        let keys: Vec<_> = (0..=255u8).map(|seed| SigningKey::from_bytes(&[seed; 32])).collect();
        let place = |key: &SigningKey| usize::from(key.verifying_key().to_bytes()[31]) % PLACES;
        let one = &keys[0];
        let other =
            keys[1..].iter().find(|key| place(key) == place(one)).expect("256 in 64 places");
        for turn in 0..400u32 {
            let key = if turn % 100 < 50 { one } else { other };
            let message = turn.to_be_bytes();
            let (public, good) = (key.verifying_key().to_bytes(), key.sign(&message).to_bytes());
            assert!(verify(&public, &message, &good), "{turn}");
            assert!(!verify(&public, b"another", &good), "{turn}");
        }
    }
}
