//! A document's fields, committed to one by one: a Merkle tree over named values, so that some can be shown without the others.
//!
//! A field whose values are few enough to be tried one after the other (a name, a date, a licence number) needs a salt; a
//! field of a public document needs none. One tree serves both: a salt is bytes, and no salt is no bytes.

use crate::{
    hash::{Hash, Purpose, hash},
    merkle::{self, TreeHash},
    text::Text,
};
use serde::{Deserialize, Serialize};

/// The most fields of one document.
pub const FIELDS_MAX: usize = 1024;
/// The fewest bytes of a salt, where there is one: 128 bits.
pub const SALT_BYTES_MIN: usize = 16;
/// The most bytes of a salt.
pub const SALT_BYTES_MAX: usize = 64;
/// The longest value of a salted field, bytes of its canonical text.
pub const VALUE_BYTES_MAX: usize = 64 << 10;

/// A field's name.
pub type FieldName = Text<96>;

/// How the tree of fields hashes its nodes; its leaves are made by [`leaf`].
#[derive(Clone, Copy, Debug)]
pub struct FieldTree;

impl TreeHash for FieldTree {
    fn empty() -> Hash {
        hash(Purpose::FieldNode, &[])
    }

    fn leaf(data: &[u8]) -> Hash {
        hash(Purpose::FieldLeaf, &[data])
    }

    fn node(left: &Hash, right: &Hash) -> Hash {
        hash(Purpose::FieldNode, &[left.as_bytes(), right.as_bytes()])
    }
}

/// The leaf of a field. The lengths are hashed before what they are of, so that no two fields run into one another.
#[must_use]
pub fn leaf(name: &str, salt: &[u8], value: &[u8]) -> Hash {
    let length = |bytes: &[u8]| u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes();
    let (name_length, salt_length) = (length(name.as_bytes()), length(salt));
    hash(
        Purpose::FieldLeaf,
        &[&name_length, name.as_bytes(), &salt_length, salt, &length(value), value],
    )
}

/// What is recorded of so many fields whose tree has this root. The number is in it, so that whoever sees some of the
/// fields knows how many there are.
#[must_use]
pub fn commitment(count: u64, root: &Hash) -> Hash {
    hash(Purpose::FieldNode, &[&count.to_le_bytes(), root.as_bytes()])
}

/// The commitment to the leaves of fields, in their order.
#[must_use]
pub fn root(leaves: &[Hash]) -> Hash {
    let count = u64::try_from(leaves.len()).unwrap_or(u64::MAX);
    commitment(count, &merkle::root::<FieldTree>(leaves))
}

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
        leaf(&self.name, &self.salt, self.value.as_bytes())
    }

    /// Whether it is within the limits.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        (SALT_BYTES_MIN..=SALT_BYTES_MAX).contains(&self.salt.len())
            && self.value.len() <= VALUE_BYTES_MAX
    }
}

/// What is recorded of salted fields with these leaves, in the order of their names; `None` if there are none or too many.
#[must_use]
pub fn commit(leaves: &[Hash]) -> Option<Hash> {
    (1..=FIELDS_MAX).contains(&leaves.len()).then(|| root(leaves))
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
        let tree = merkle::root::<FieldTree>(&one.each_ref().map(Field::leaf));
        assert_ne!(commitment(3, &tree), base);
        assert_eq!(commitment(2, &tree), base);
        assert_eq!(commit(&[]), None);
        assert_eq!(commit(&vec![base; FIELDS_MAX + 1]), None);
        assert!(!Field { salt: vec![0; 15], ..one[0].clone() }.is_sound());
        assert!(one[0].is_sound());
    }

    #[test]
    fn no_two_fields_run_into_one_another() {
        let all = [
            leaf("ab", b"", b"c"),
            leaf("a", b"b", b"c"),
            leaf("a", b"", b"bc"),
            leaf("abc", b"", b""),
            leaf("", b"abc", b""),
            leaf("", b"", b"abc"),
        ];
        for (n, one) in all.iter().enumerate() {
            assert!(all.iter().skip(n + 1).all(|other| other != one), "{n}");
        }
    }

    #[test]
    fn the_root_binds_the_number_of_fields() {
        let leaves: Vec<Hash> = (0..4_u8).map(|n| leaf("a", &[], &[n])).collect();
        // A tree whose leaves are the inner nodes of another has the same root, until their number is in it.
        let pair = |at: usize| FieldTree::node(&leaves[at], &leaves[at + 1]);
        let pairs = [pair(0), pair(2)];
        assert_eq!(merkle::root::<FieldTree>(&pairs), merkle::root::<FieldTree>(&leaves));
        assert_ne!(root(&pairs), root(&leaves));
        assert_ne!(root(&[]), root(&leaves[..1]));
    }
}
