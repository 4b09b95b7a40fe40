//! Many leaves under one root: what lies beside them, from left to right, each node once.

use crate::log::Nodes;
use types::{
    Hash,
    merkle::{Rfc6962, TreeHash},
};

/// Why nodes do not lead many leaves to a root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManyError {
    /// No leaf, a leaf beyond the last, or leaves that do not ascend.
    #[error("leaf {index} of a tree of {count} does not stand in order")]
    Index {
        /// The leaf at fault.
        index: u64,
        /// How many there are.
        count: u64,
    },
    /// The leaves and the count fix how many nodes there are.
    #[error("{found} nodes where the leaves ask for {wanted}")]
    Length {
        /// Nodes given.
        found: usize,
        /// Nodes asked for.
        wanted: usize,
    },
}

/// The root of a tree of `count` leaves in which these stand at their indexes, ascending, beside `nodes`.
///
/// # Errors
/// When there are no such leaves, or another number of nodes.
pub fn climb<H: TreeHash>(
    leaves: &[(u64, Hash)],
    count: u64,
    nodes: &[Hash],
) -> Result<Hash, ManyError> {
    climb_telling::<H>(leaves, count, nodes, &mut |_, _, _| {})
}

/// The same, and tells of every node that is computed which leaves it is over: from this one on, and before that one.
pub(crate) fn climb_telling<H: TreeHash>(
    leaves: &[(u64, Hash)],
    count: u64,
    nodes: &[Hash],
    tell: &mut dyn FnMut(u64, u64, Hash),
) -> Result<Hash, ManyError> {
    let indexes: Vec<u64> = leaves.iter().map(|(index, _)| *index).collect();
    check(&indexes, count)?;
    let (found, wanted) = (nodes.len(), count_beside(&indexes, 0, count));
    if found != wanted {
        return Err(ManyError::Length { found, wanted });
    }
    let mut beside = nodes.iter().copied();
    let mut node = |from, to, left, right| {
        let node = H::node(&left, &right);
        tell(from, to, node);
        node
    };
    let root = fold(0, count, leaves, &mut |_, _| beside.next(), &mut node);
    // The nodes were counted, so there is one wherever one is asked for.
    root.ok_or(ManyError::Length { found, wanted })
}

fn check(indexes: &[u64], count: u64) -> Result<(), ManyError> {
    let ascending = indexes.windows(2).find(|pair| pair[0] >= pair[1]).map(|pair| pair[1]);
    match (indexes.last(), ascending) {
        (Some(last), None) if *last < count => Ok(()),
        (last, ascending) => {
            let index = ascending.or_else(|| last.copied()).unwrap_or(0);
            Err(ManyError::Index { index, count })
        }
    }
}

/// What lies beside leaves of the log's first `size`, from left to right; `None` when a node is missing.
pub fn beside(log: &impl Nodes, indexes: &[u64], size: u64) -> Option<Vec<Hash>> {
    check(indexes, size).ok()?;
    let mut nodes = Vec::new();
    let leaves: Vec<(u64, Hash)> = indexes.iter().map(|index| (*index, Hash::ZERO)).collect();
    let mut take = |from, to| {
        let node = crate::log::range(log, from, to)?;
        nodes.push(node);
        Some(node)
    };
    let mut node = |_, _, left, right| Rfc6962::node(&left, &right);
    fold(0, size, &leaves, &mut take, &mut node)?;
    Some(nodes)
}

/// What lies beside leaves of a list that is all at hand, from left to right.
///
/// # Panics
/// When the indexes do not ascend or lie beyond the list.
#[must_use]
pub fn beside_list<H: TreeHash>(list: &[Hash], indexes: &[u64]) -> Vec<Hash> {
    let size = u64::try_from(list.len()).expect("a list in memory is counted in 64 bits");
    check(indexes, size).expect("the leaves are of the list");
    let mut nodes = Vec::new();
    let leaves: Vec<(u64, Hash)> = indexes.iter().map(|index| (*index, Hash::ZERO)).collect();
    let at = |index: u64| usize::try_from(index).expect("below the list's length");
    let mut take = |from, to| {
        nodes.push(types::merkle::root::<H>(&list[at(from)..at(to)]));
        nodes.last().copied()
    };
    fold(0, size, &leaves, &mut take, &mut |_, _, left, right| H::node(&left, &right));
    nodes
}

/// The root over leaves `from..to`: of what is known, and of what `take` gives for every part in which nothing is.
fn fold(
    from: u64,
    to: u64,
    leaves: &[(u64, Hash)],
    take: &mut impl FnMut(u64, u64) -> Option<Hash>,
    node: &mut impl FnMut(u64, u64, Hash, Hash) -> Hash,
) -> Option<Hash> {
    match leaves {
        [] => take(from, to),
        [(_, leaf)] if to - from == 1 => Some(*leaf),
        _ => {
            let middle = from + split(to - from);
            let (left, right) = leaves.split_at(leaves.partition_point(|(at, _)| *at < middle));
            let left = fold(from, middle, left, take, node)?;
            let right = fold(middle, to, right, take, node)?;
            Some(node(from, to, left, right))
        }
    }
}

/// How many parts of `from..to` have no leaf in them and stand beside one that has.
fn count_beside(indexes: &[u64], from: u64, to: u64) -> usize {
    match indexes {
        [] => 1,
        [_] if to - from == 1 => 0,
        _ => {
            let middle = from + split(to - from);
            let (left, right) = indexes.split_at(indexes.partition_point(|at| *at < middle));
            count_beside(left, from, middle) + count_beside(right, middle, to)
        }
    }
}

/// Where a range of more than one leaf is cut: the largest power of two below its length.
const fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use types::merkle;

    fn leaves(count: u64) -> Vec<Hash> {
        (0..count).map(|n| Rfc6962::leaf(&n.to_le_bytes())).collect()
    }

    #[test]
    fn every_subset_of_every_small_tree_climbs_to_its_root() {
        for count in 1..=10u64 {
            let all = leaves(count);
            let (mut frontier, mut kept) = (crate::log::Frontier::new(), Vec::new());
            all.iter().for_each(|leaf| frontier.append(*leaf, &mut kept));
            let log: BTreeMap<(u8, u64), Hash> =
                kept.into_iter().map(|(level, index, hash)| ((level, index), hash)).collect();
            let root = merkle::root::<Rfc6962>(&all);
            for set in 1u64..1 << count {
                let chosen: Vec<u64> = (0..count).filter(|at| set >> at & 1 == 1).collect();
                let nodes = beside_list::<Rfc6962>(&all, &chosen);
                assert_eq!(beside(&log, &chosen, count).as_ref(), Some(&nodes));
                let given: Vec<_> =
                    chosen.iter().map(|at| (*at, all[usize::try_from(*at).unwrap()])).collect();
                assert_eq!(climb::<Rfc6962>(&given, count, &nodes), Ok(root), "{set:b}");
                // One more, one less, another count: never the same root.
                let longer = [&nodes[..], &[Hash::ZERO]].concat();
                assert!(climb::<Rfc6962>(&given, count, &longer).is_err());
                if let Some((_, shorter)) = nodes.split_first() {
                    assert!(climb::<Rfc6962>(&given, count, shorter).is_err());
                }
            }
        }
    }

    #[test]
    fn what_is_no_set_of_leaves_is_refused() {
        let leaf = |at: u64| (at, Hash::ZERO);
        for (given, count) in [
            (vec![], 3),
            (vec![], 0),
            (vec![leaf(0)], 0),
            (vec![leaf(3)], 3),
            (vec![leaf(1), leaf(1)], 3),
            (vec![leaf(2), leaf(1)], 3),
        ] {
            let error = climb::<Rfc6962>(&given, count, &[]);
            assert!(matches!(error, Err(ManyError::Index { .. })), "{given:?} {count}");
        }
        // The deepest tree there can be costs no more than its one leaf's path.
        let path = vec![Hash::ZERO; 64];
        assert!(climb::<Rfc6962>(&[leaf(u64::MAX - 1)], u64::MAX, &path).is_err());
        assert!(climb::<Rfc6962>(&[leaf(u64::MAX - 1)], u64::MAX, &path[..63]).is_ok());
        assert!(climb::<Rfc6962>(&[leaf(0)], u64::MAX, &path).is_ok());
    }
}
