//! Merkle trees over lists, in the shape of RFC 6962 section 2.1, over any pair of leaf and node hashes.

use crate::hash::{Hash, Purpose, hash};
use sha2::{Digest as _, Sha256};

/// How a tree hashes its leaves and nodes.
pub trait TreeHash {
    /// The root of a tree with no leaves.
    fn empty() -> Hash;
    /// The hash of a leaf.
    fn leaf(data: &[u8]) -> Hash;
    /// The hash of an inner node.
    fn node(left: &Hash, right: &Hash) -> Hash;
}

/// RFC 6962 with SHA-256: the history log, readable by any transparency-log tool.
#[derive(Clone, Copy, Debug)]
pub struct Rfc6962;

impl TreeHash for Rfc6962 {
    fn empty() -> Hash {
        Hash(Sha256::digest(b"").into())
    }

    fn leaf(data: &[u8]) -> Hash {
        Hash(Sha256::new().chain_update([0]).chain_update(data).finalize().into())
    }

    fn node(left: &Hash, right: &Hash) -> Hash {
        Hash(
            Sha256::new()
                .chain_update([1])
                .chain_update(left.0)
                .chain_update(right.0)
                .finalize()
                .into(),
        )
    }
}

/// The same shape with BLAKE3: operations in a transaction, transactions in a block.
#[derive(Clone, Copy, Debug)]
pub struct List;

impl TreeHash for List {
    fn empty() -> Hash {
        hash(Purpose::ListLeaf, &[])
    }

    fn leaf(data: &[u8]) -> Hash {
        // The empty list's root is the hash of nothing at all; a leaf always has at least this byte.
        hash(Purpose::ListLeaf, &[&[0], data])
    }

    fn node(left: &Hash, right: &Hash) -> Hash {
        hash(Purpose::ListNode, &[&left.0, &right.0])
    }
}

/// The longest path there can be: one hash a level, for a count that fits 64 bits.
pub const PATH_MAX: usize = 64;

/// The root over leaf hashes.
#[must_use]
pub fn root<H: TreeHash>(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => H::empty(),
        [one] => *one,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            H::node(&root::<H>(left), &root::<H>(right))
        }
    }
}

/// The siblings from leaf `index` up to the root, nearest first.
///
/// # Panics
/// When there is no such leaf.
#[must_use]
pub fn path<H: TreeHash>(leaves: &[Hash], index: usize) -> Vec<Hash> {
    assert!(index < leaves.len(), "a path starts at a leaf of the tree");
    if leaves.len() == 1 {
        return Vec::new();
    }
    let at = split(leaves.len());
    let (left, right) = leaves.split_at(at);
    let (mut below, sibling) = if index < at {
        (path::<H>(left, index), root::<H>(right))
    } else {
        (path::<H>(right, index - at), root::<H>(left))
    };
    below.push(sibling);
    below
}

/// Why a path does not lead anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// No leaf has this index.
    #[error("leaf {index} of a tree of {count}")]
    Index {
        /// The index claimed.
        index: u64,
        /// The number of leaves claimed.
        count: u64,
    },
    /// The index and the count fix how many siblings there are.
    #[error("{found} siblings where the position asks for {wanted}")]
    Length {
        /// Siblings given.
        found: usize,
        /// Siblings that the position asks for.
        wanted: usize,
    },
}

/// The root that `leaf`, at `index` of `count`, has under `siblings` (RFC 9162 section 2.1.3.2).
///
/// # Errors
/// When there is no such position, or its path has another length.
pub fn climb<H: TreeHash>(
    leaf: Hash,
    index: u64,
    count: u64,
    siblings: &[Hash],
) -> Result<Hash, PathError> {
    if index >= count {
        return Err(PathError::Index { index, count });
    }
    let (mut at, mut last, mut node) = (index, count - 1, leaf);
    let wanted = path_length(index, count);
    if wanted != siblings.len() {
        return Err(PathError::Length { found: siblings.len(), wanted });
    }
    for sibling in siblings {
        if at & 1 == 1 || at == last {
            node = H::node(sibling, &node);
            // The last node of an odd level has no sibling there: it rises until it is somebody's right child.
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            node = H::node(&node, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    Ok(node)
}

/// How many siblings the path of leaf `index` of `count` has.
#[must_use]
pub fn path_length(index: u64, count: u64) -> usize {
    let (mut at, mut last, mut length) = (index, count.saturating_sub(1), 0);
    while last > 0 {
        if at & 1 == 1 || at != last {
            length += 1;
        }
        at >>= 1;
        last >>= 1;
    }
    length
}

/// Where a list of more than one leaf is cut: the largest power of two below its length.
fn split(count: usize) -> usize {
    1 << (count - 1).ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(count: usize) -> Vec<Hash> {
        (0..count).map(|n| Rfc6962::leaf(&n.to_le_bytes())).collect()
    }

    #[test]
    fn every_leaf_of_every_small_tree_climbs_to_its_root() {
        for count in 1..=70 {
            let leaves = leaves(count);
            let want = root::<Rfc6962>(&leaves);
            for index in 0..count {
                let path = path::<Rfc6962>(&leaves, index);
                let (leaf, index, count) = (leaves[index], index as u64, count as u64);
                assert_eq!(climb::<Rfc6962>(leaf, index, count, &path), Ok(want));
                assert_eq!(path.len(), path_length(index, count));
                if count > 1 {
                    assert!(climb::<Rfc6962>(leaf, index, count, &path[1..]).is_err());
                    let other = (index + 1) % count;
                    assert_ne!(climb::<Rfc6962>(leaf, other, count, &path), Ok(want));
                }
            }
        }
        assert!(climb::<Rfc6962>(Hash::ZERO, 3, 3, &[]).is_err());
    }

    #[test]
    fn a_repeated_last_leaf_changes_the_root() {
        for count in 1..=40 {
            let mut list = leaves(count);
            let before = root::<List>(&list);
            list.push(list[count - 1]);
            assert_ne!(root::<List>(&list), before, "{count}");
        }
    }

    #[test]
    fn the_empty_tree_is_what_the_rfc_says() {
        assert_eq!(
            root::<Rfc6962>(&[]).to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
