//! Keys that sign again and again, and what need be computed only once for each of them.
//!
//! Checking an Ed25519 signature is the sum of two multiplications, of the key's point and of the base point, by numbers that
//! change; multiples of a point that does not change can be kept, so many that nothing is left to double. What is accepted is
//! what `verify_strict` accepts, bit for bit: the equation is the same (RFC 8032 section 5.1.7, without the cofactor), and so
//! is what is refused beside it: an S that is not reduced, and a key or an R in the small subgroup.

use curve25519_dalek::{
    constants::ED25519_BASEPOINT_POINT,
    edwards::{CompressedEdwardsY, EdwardsPoint},
    scalar::Scalar,
    traits::{Identity as _, IsIdentity as _},
};
use ed25519_dalek::VerifyingKey;
use sha2::{Digest as _, Sha512};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

/// How many keys are kept at most, 220 kB each. The last bits of a key say which place is its own.
const PLACES: usize = 64;
/// How often a key must have been seen, since another was, before its multiples are worth computing: they cost as much as is
/// saved in twenty checks.
const FAMILIAR_FROM: u8 = 32;
/// How many strangers in a row it takes to be forgotten.
const REMEMBERED_FOR: u8 = 64;

/// Bits of a digit: fewer for keys, of which there are many.
const KEY_BITS: usize = 6;
const BASE_BITS: usize = 8;

/// One for all threads: what one has learned of a key serves the others.
static KEYS: [Mutex<Option<Place>>; PLACES] = [const { Mutex::new(None) }; PLACES];
static BASE: LazyLock<Multiples<BASE_BITS>> =
    LazyLock::new(|| Multiples::of(ED25519_BASEPOINT_POINT));

struct Place {
    key: [u8; 32],
    seen: u8,
    familiar: Option<Arc<Familiar>>,
}

/// Multiples of a key's negative.
struct Familiar(Multiples<KEY_BITS>);

/// Of a point, every digit's multiple at every place of a number written to the base 2^BITS, with digits from -2^(BITS-1) to
/// 2^(BITS-1): a product is the sum of one multiple a place. (Brickell and others, "Fast exponentiation with
/// precomputation", 1992.)
struct Multiples<const BITS: usize>(Box<[EdwardsPoint]>);

/// Whether `signature` is one by `key` over `message`, strictly.
pub(crate) fn verify(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    match familiar(key) {
        Some(known) => known.verify(key, message, signature),
        None => verify_once(key, message, signature),
    }
}

/// The same of several, in their order: of all familiar keys together the sums are divided by their Z at the cost of one
/// division.
pub(crate) fn verify_all(signed: &[(&[u8; 32], &[u8], &[u8; 64])]) -> Vec<bool> {
    let (mut good, mut places, mut sums) = (vec![false; signed.len()], Vec::new(), Vec::new());
    for (at, (key, message, signature)) in signed.iter().enumerate() {
        let Some(known) = familiar(key) else {
            good[at] = verify_once(key, message, signature);
            continue;
        };
        if let Some(sum) = known.sum(key, message, signature) {
            places.push(at);
            sums.push(sum);
        }
    }
    let spelled = EdwardsPoint::compress_batch_alloc(&sums);
    for ((at, sum), spelled) in places.into_iter().zip(&sums).zip(&spelled) {
        good[at] = is_commitment(sum, spelled, signed[at].2);
    }
    good
}

/// Whether the sum, so spelled, is the R of a signature, and R is allowed.
fn is_commitment(sum: &EdwardsPoint, spelled: &CompressedEdwardsY, signature: &[u8; 64]) -> bool {
    // Equal bytes are the same point, so what must not be so of R is asked of what it must be.
    signature.starts_with(spelled.as_bytes()) && !sum.mul_by_cofactor().is_identity()
}

fn verify_once(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    let signature = ed25519_dalek::Signature::from_bytes(signature);
    VerifyingKey::from_bytes(key).is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
}

/// Counts that a key was seen, and gives what is kept of it.
fn familiar(key: &[u8; 32]) -> Option<Arc<Familiar>> {
    let at = usize::from(key[31]) % PLACES;
    {
        let mut place = lock(at);
        let known = match &mut *place {
            Some(known) if known.key == *key => known,
            // One that comes often is not displaced by one that comes once.
            Some(other) if other.seen > 0 => {
                other.seen -= 1;
                return None;
            }
            Some(_) | None => place.insert(Place { key: *key, seen: 0, familiar: None }),
        };
        known.seen = (known.seen + 1).min(REMEMBERED_FOR);
        if known.familiar.is_some() || known.seen < FAMILIAR_FROM {
            return known.familiar.clone();
        }
        // Only this thread computes, and the others do not wait for it.
        known.seen = 1;
    }
    let familiar = Familiar::with(key).map(Arc::new)?;
    if let Some(known) = lock(at).as_mut().filter(|known| known.key == *key) {
        (known.seen, known.familiar) = (REMEMBERED_FOR, Some(familiar.clone()));
    }
    Some(familiar)
}

fn lock(at: usize) -> MutexGuard<'static, Option<Place>> {
    KEYS[at].lock().unwrap_or_else(PoisonError::into_inner)
}

impl Familiar {
    /// None for keys under which nothing verifies: those are left to the library.
    fn with(key: &[u8; 32]) -> Option<Self> {
        let key = VerifyingKey::from_bytes(key).ok().filter(|key| !key.is_weak())?;
        Some(Self(Multiples::of(-key.to_edwards())))
    }

    fn verify(&self, key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        let sum = self.sum(key, message, signature);
        sum.is_some_and(|sum| is_commitment(&sum, &sum.compress(), signature))
    }

    /// What R must be; none if S is not reduced.
    fn sum(&self, key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> Option<EdwardsPoint> {
        let (r, s) = signature.split_at(32);
        let s = Option::<Scalar>::from(Scalar::from_canonical_bytes(s.try_into().ok()?))?;
        let mut wide = [0; 64];
        let hash = Sha512::new().chain_update(r).chain_update(key).chain_update(message);
        wide.copy_from_slice(&hash.finalize());
        let k = Scalar::from_bytes_mod_order_wide(&wide);
        Some(BASE.add(&s, self.0.add(&k, EdwardsPoint::identity())))
    }
}

impl<const BITS: usize> Multiples<BITS> {
    const LARGEST: u16 = 1 << (BITS - 1);
    /// A number below the group's order has 253 bits, and one place more may be carried to.
    const DIGITS: usize = 254_usize.div_ceil(BITS);

    fn of(mut point: EdwardsPoint) -> Self {
        let mut multiples = Vec::with_capacity(Self::DIGITS << (BITS - 1));
        for _ in 0..Self::DIGITS {
            let mut multiple = point;
            multiples.push(multiple);
            for _ in 1..Self::LARGEST {
                multiple += point;
                multiples.push(multiple);
            }
            point = multiple + multiple;
        }
        Self(multiples.into())
    }

    /// `sum` and the point `number` times. How long it takes depends on the number, which is no secret.
    fn add(&self, number: &Scalar, mut sum: EdwardsPoint) -> EdwardsPoint {
        let bytes = number.as_bytes();
        let mut carry = 0;
        for (place, multiples) in self.0.chunks_exact(usize::from(Self::LARGEST)).enumerate() {
            let at = place * BITS;
            let [low, high] = [at / 8, at / 8 + 1].map(|at| bytes.get(at).copied().unwrap_or(0));
            let pair = u16::from_le_bytes([low, high]) >> (at % 8);
            let digit = pair % (2 * Self::LARGEST) + carry;
            let is_negative = digit > Self::LARGEST;
            let size = if is_negative { 2 * Self::LARGEST - digit } else { digit };
            carry = u16::from(is_negative);
            let multiple = size.checked_sub(1).map(|before| &multiples[usize::from(before)]);
            match multiple {
                Some(multiple) if is_negative => sum -= multiple,
                Some(multiple) => sum += multiple,
                None => {}
            }
        }
        sum
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
            Familiar::with(key).map_or(once, |known| known.verify(key, message, signature));
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
        for turn in 0..800u32 {
            let key = if turn % 400 < 200 { one } else { other };
            let message = turn.to_be_bytes();
            let (public, good) = (key.verifying_key().to_bytes(), key.sign(&message).to_bytes());
            assert!(verify(&public, &message, &good), "{turn}");
            assert!(!verify(&public, b"another", &good), "{turn}");
            // Each check counts; who was there before is forgotten first.
            let (first, turn) = (turn < 200, usize::try_from(turn % 200).unwrap());
            let before = if first { 0 } else { usize::from(REMEMBERED_FOR) };
            let known = lock(place(key))
                .as_ref()
                .is_some_and(|known| known.key == public && known.familiar.is_some());
            assert_eq!(known, 2 * turn + 2 >= before + usize::from(FAMILIAR_FROM), "{turn}");
        }
    }

    #[test]
    fn several_at_once_are_judged_as_each_alone() {
        let secrets: Vec<_> = (90..94).map(|seed| SigningKey::from_bytes(&[seed; 32])).collect();
        let keys: Vec<_> = secrets.iter().map(|one| one.verifying_key().to_bytes()).collect();
        let good = |at: usize, message: u8| secrets[at].sign(&[message]).to_bytes();
        // Two of the keys are familiar, as long as nobody else takes their places.
        for _ in 0..2 * REMEMBERED_FOR {
            assert!(verify(&keys[0], &[1], &good(0, 1)) && verify(&keys[1], &[1], &good(1, 1)));
        }
        let torsion = curve25519_dalek::constants::EIGHT_TORSION[1].compress().to_bytes();
        let mut signed = Vec::new();
        for (at, key) in keys.iter().enumerate() {
            for byte in [0, 31, 32, 63] {
                let mut bad = good(at, 7);
                bad[byte] ^= 1;
                signed.extend([(key, 7, good(at, 7)), (key, 7, bad), (key, 8, good(at, 7))]);
            }
            let mut small = [0; 64];
            small[..32].copy_from_slice(&torsion);
            signed.extend([(key, 7, small), (key, 7, [0xff; 64]), (&torsion, 7, good(at, 7))]);
        }
        for several in [&signed[..], &signed[1..2], &signed[..1], &[]] {
            let asked: Vec<_> = several.iter().map(|(key, m, s)| (*key, [*m], s)).collect();
            let asked: Vec<_> = asked.iter().map(|(key, m, s)| (*key, &m[..], *s)).collect();
            let alone: Vec<_> = asked.iter().map(|(key, m, s)| verify_once(key, m, s)).collect();
            assert_eq!(verify_all(&asked), alone);
        }
        let right = signed.iter().filter(|(key, m, s)| verify_once(key, &[*m], s)).count();
        assert_eq!(right, 16, "four of each key");
    }

    #[test]
    fn a_sum_of_multiples_is_the_product() {
        let point = EdwardsPoint::mul_base(&Scalar::from(1_234_567_u64));
        let torsion = curve25519_dalek::constants::EIGHT_TORSION[1];
        let minus_one = -Scalar::ONE;
        let two = Scalar::from(2_u64);
        let mut numbers = vec![Scalar::ZERO, Scalar::ONE, minus_one, minus_one - two];
        // Every digit the largest there is, or one off, and ones that carry all the way.
        let mut power = Scalar::ONE;
        for _ in 0..252 {
            power *= two;
            numbers.extend([power, power - Scalar::ONE, -power, minus_one - power]);
        }
        for byte in [0x55, 0x7f, 0x80, 0x81, 0xaa, 0xfe, 0xff] {
            let mut bytes = [byte; 32];
            bytes[31] = 0x0f;
            numbers.push(Scalar::from_canonical_bytes(bytes).unwrap());
        }
        for point in [point, point + torsion, torsion] {
            let (narrow, wide) =
                (Multiples::<KEY_BITS>::of(point), Multiples::<BASE_BITS>::of(point));
            for number in &numbers {
                assert_eq!(narrow.add(number, EdwardsPoint::identity()), point * number);
                assert_eq!(wide.add(number, point), point * number + point);
            }
        }
    }
}
