//! The fields of a document, each under a salt of its own, so that one can be shown and the others stay hidden.

use crate::{
    codec,
    hash::{Hash, Purpose, hash},
    merkle::{self, List},
    usage::FieldName,
};
use serde::{Deserialize, Serialize};

/// The fewest bytes of a salt: 128 bits.
pub const SALT_BYTES_MIN: usize = 16;
/// The most.
pub const SALT_BYTES_MAX: usize = 64;
/// The longest value, bytes of its canonical text.
pub const VALUE_BYTES_MAX: usize = 64 << 10;
/// The most fields of one document.
pub const FIELDS_MAX: usize = 1024;

/// A field with the salt that hides it.
///
/// Values of licences are few enough to be tried one after the other; under a salt that nobody knows, they cannot be. Who
/// destroys the salt erases the field: what stands on the ledger then says nothing more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Its name.
    pub name: FieldName,
    /// Its value, as the canonical text of JSON (RFC 8785).
    pub value: String,
    /// Its salt: [`SALT_BYTES_MIN`] to [`SALT_BYTES_MAX`] random bytes.
    pub salt: Vec<u8>,
}

impl Field {
    /// The leaf that stands for it.
    #[must_use]
    pub fn leaf(&self) -> Hash {
        hash(Purpose::Field, &[&codec::encode(self)])
    }

    /// Whether it is within the limits.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        (SALT_BYTES_MIN..=SALT_BYTES_MAX).contains(&self.salt.len())
            && self.value.len() <= VALUE_BYTES_MAX
    }
}

/// What is recorded of a document with so many fields whose tree has this root. The number is in it, so that whoever sees
/// some of the fields knows how many there are.
#[must_use]
pub fn commitment(count: u32, root: &Hash) -> Hash {
    hash(Purpose::Fields, &[&count.to_le_bytes(), root.as_bytes()])
}

/// What is recorded of these leaves, in the order of the fields' names; `None` if there are none or too many.
#[must_use]
pub fn commit(leaves: &[Hash]) -> Option<Hash> {
    let count = u32::try_from(leaves.len()).ok()?;
    (1..=FIELDS_MAX)
        .contains(&leaves.len())
        .then(|| commitment(count, &merkle::root::<List>(leaves)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commitment_depends_on_every_field_its_salt_and_their_number() {
        let field = |name: &str, value: &str, salt: u8| Field {
            name: name.parse().unwrap(),
            value: value.into(),
            salt: vec![salt; 16],
        };
        let of = |fields: &[Field]| commit(&fields.iter().map(Field::leaf).collect::<Vec<_>>());
        let one = [field("a", "1", 0), field("b", "2", 1)];
        let base = of(&one).unwrap();
        for other in [
            vec![field("a", "1", 0)],
            vec![field("a", "1", 0), field("b", "2", 2)],
            vec![field("a", "1", 0), field("b", "3", 1)],
            vec![field("a", "1", 0), field("c", "2", 1)],
            vec![field("b", "2", 1), field("a", "1", 0)],
        ] {
            assert_ne!(of(&other), Some(base));
        }
        let root = merkle::root::<List>(&one.each_ref().map(Field::leaf));
        assert_ne!(commitment(3, &root), base);
        assert_eq!(commitment(2, &root), base);
        assert_eq!(commit(&[]), None);
        assert!(!Field { salt: vec![0; 15], ..one[0].clone() }.is_sound());
        assert!(one[0].is_sound());
    }
}
