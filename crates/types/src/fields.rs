//! A document's fields, committed to one by one: a Merkle tree over named values, so that one can be shown without the others.
//!
//! A field whose values are few enough to be tried one after the other (a name, a date, a licence number) needs a salt; a
//! field of a public document needs none. One tree serves both: a salt is bytes, and no salt is no bytes.

use crate::{
    hash::{Hash, Purpose, hash},
    merkle::{self, PathError, TreeHash},
    text::Text,
};
use serde::{Deserialize, Serialize};

/// The most fields one commitment may hold.
pub const FIELDS_MAX: usize = 256;
/// The fewest bytes of a salt, where there is one: 128 bits.
pub const SALT_BYTES_MIN: usize = 16;
/// The most bytes of a salt.
pub const SALT_BYTES_MAX: usize = 64;

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

/// The root over the leaves of fields, in their order. It binds how many there are.
#[must_use]
pub fn root(leaves: &[Hash]) -> Hash {
    crown(leaves.len(), &merkle::root::<FieldTree>(leaves))
}

fn crown(count: usize, root: &Hash) -> Hash {
    let count = u64::try_from(count).unwrap_or(u64::MAX).to_le_bytes();
    hash(Purpose::FieldNode, &[&count, root.as_bytes()])
}

/// One field, shown: its name, salt and value, its place among the others, and the way up to the root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    /// Its name.
    pub name: FieldName,
    /// Its salt; empty for none.
    pub salt: Vec<u8>,
    /// Its value, as it was committed to.
    pub value: Vec<u8>,
    /// Which field it is.
    pub index: u64,
    /// Of how many.
    pub count: u64,
    /// The siblings from its leaf up to the root, nearest first.
    pub path: Vec<Hash>,
}

/// Why a field that is shown is not one that was committed to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// More fields than a commitment holds.
    #[error("field {index} of {count}, where a commitment holds at most {FIELDS_MAX}")]
    Count {
        /// Which it is said to be.
        index: u64,
        /// Of how many.
        count: u64,
    },
    /// The path does not fit the place.
    #[error(transparent)]
    Path(#[from] PathError),
    /// It leads elsewhere.
    #[error("the field leads to {found}, and {wanted} was committed to")]
    Root {
        /// Where it leads.
        found: Hash,
        /// What was committed to.
        wanted: Hash,
    },
}

impl Shown {
    /// Shows field `index` of those with these leaves.
    ///
    /// # Panics
    /// When there is no such field.
    #[must_use]
    pub fn of(
        leaves: &[Hash],
        index: usize,
        name: FieldName,
        salt: Vec<u8>,
        value: Vec<u8>,
    ) -> Self {
        let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let path = merkle::path::<FieldTree>(leaves, index);
        Self { name, salt, value, index: number(index), count: number(leaves.len()), path }
    }

    /// Whether this field, with this value, is among those that `root` commits to.
    ///
    /// # Errors
    /// Why it is not.
    pub fn check(&self, root: &Hash) -> Result<(), FieldError> {
        let (index, count) = (self.index, self.count);
        let fields = usize::try_from(count).ok().filter(|fields| *fields <= FIELDS_MAX);
        let fields = fields.ok_or(FieldError::Count { index, count })?;
        let leaf = leaf(&self.name, &self.salt, &self.value);
        let found = crown(fields, &merkle::climb::<FieldTree>(leaf, index, count, &self.path)?);
        if found == *root { Ok(()) } else { Err(FieldError::Root { found, wanted: *root }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(count: u8) -> Vec<(String, Vec<u8>, Vec<u8>)> {
        (0..count)
            .map(|n| (format!("field {n}"), vec![n; usize::from(n % 3) * 16], vec![n, 1]))
            .collect()
    }

    fn leaves(fields: &[(String, Vec<u8>, Vec<u8>)]) -> Vec<Hash> {
        fields.iter().map(|(name, salt, value)| leaf(name, salt, value)).collect()
    }

    #[test]
    fn every_field_can_be_shown_alone_and_none_can_be_made_up() {
        for count in 1..=20 {
            let fields = fields(count);
            let leaves = leaves(&fields);
            let root = root(&leaves);
            for (index, (name, salt, value)) in fields.iter().enumerate() {
                let name: FieldName = name.parse().unwrap();
                let shown = Shown::of(&leaves, index, name, salt.clone(), value.clone());
                assert_eq!(shown.check(&root), Ok(()));
                let mut other = shown.clone();
                other.value[0] ^= 1;
                assert!(matches!(other.check(&root), Err(FieldError::Root { .. })));
                let mut other = shown.clone();
                other.salt.push(0);
                assert!(matches!(other.check(&root), Err(FieldError::Root { .. })));
                let mut other = shown.clone();
                other.name = "another".parse().unwrap();
                assert!(matches!(other.check(&root), Err(FieldError::Root { .. })));
                for (index, count) in
                    [(shown.index, shown.count + 1), (shown.index + 1, shown.count)]
                {
                    let other = Shown { index, count, ..shown.clone() };
                    assert!(other.check(&root).is_err(), "{index} of {count}");
                }
            }
        }
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
        let leaves = leaves(&fields(4));
        // A tree whose leaves are the inner nodes of another has the same crownless root.
        let pair = |at: usize| FieldTree::node(&leaves[at], &leaves[at + 1]);
        assert_eq!(
            merkle::root::<FieldTree>(&[pair(0), pair(2)]),
            merkle::root::<FieldTree>(&leaves)
        );
        assert_ne!(root(&[pair(0), pair(2)]), root(&leaves));
        assert_ne!(root(&[]), root(&leaves[..1]));
        let shown = Shown {
            name: "a".parse().unwrap(),
            salt: Vec::new(),
            value: Vec::new(),
            index: 0,
            count: 257,
            path: Vec::new(),
        };
        assert_eq!(shown.check(&Hash::ZERO), Err(FieldError::Count { index: 0, count: 257 }));
    }
}
