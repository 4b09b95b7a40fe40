//! The history log: an RFC 6962 tree with SHA-256 that only grows, and the two proofs it gives.

use types::{
    Hash,
    merkle::{PATH_MAX, Rfc6962, TreeHash as _},
};

/// Where the log's nodes are kept.
pub trait Nodes {
    /// The hash of the complete subtree of `2^level` leaves that starts at leaf `index << level`.
    fn node(&self, level: u8, index: u64) -> Option<Hash>;
}

/// The right edge of the log: all that is needed to append to it and to know its root.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    /// The roots of the complete subtrees the size is made of, one a set bit, largest first.
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The edge of an empty log.
    #[must_use]
    pub const fn new() -> Self {
        Self { size: 0, peaks: Vec::new() }
    }

    /// The edge of a log of `size` leaves whose nodes are kept; `None` when one is missing.
    pub fn restore(size: u64, nodes: &impl Nodes) -> Option<Self> {
        let mut peaks = Vec::new();
        for level in (0..64u8).rev().filter(|level| size >> level & 1 == 1) {
            // The leaves before this peak are those of the higher bits.
            peaks.push(nodes.node(level, (size >> level) - 1)?);
        }
        Some(Self { size, peaks })
    }

    /// How many leaves the log has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The log's root.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.peaks
            .iter()
            .rev()
            .copied()
            .reduce(|right, left| Rfc6962::node(&left, &right))
            .unwrap_or_else(Rfc6962::empty)
    }

    /// Adds a leaf, and pushes every node it completes: level, index, hash; the leaf itself first, at level 0.
    ///
    /// # Panics
    /// After 2⁶⁴ - 1 leaves.
    pub fn append(&mut self, leaf: Hash, out: &mut Vec<(u8, u64, Hash)>) {
        let (mut node, mut index) = (leaf, self.size);
        out.push((0, index, node));
        // Every trailing one of the size is a peak of equal height that the new node completes.
        for level in 1.. {
            if index & 1 == 0 {
                break;
            }
            let left = self.peaks.pop().expect("the size has a bit for every peak");
            node = Rfc6962::node(&left, &node);
            index >>= 1;
            out.push((level, index, node));
        }
        self.peaks.push(node);
        self.size += 1;
    }
}

/// The siblings from leaf `index` up to the root of the first `size` leaves, nearest first.
///
/// `None` when there is no such leaf, or a node is missing.
pub fn inclusion(nodes: &impl Nodes, index: u64, size: u64) -> Option<Vec<Hash>> {
    let mut last = size.checked_sub(1).filter(|last| index <= *last)?;
    let (mut at, mut level, mut path) = (index, 0, Vec::new());
    while last > 0 {
        if at & 1 == 1 {
            path.push(nodes.node(level, at - 1)?);
        } else if at < last {
            let from = (at + 1) << level;
            path.push(range(nodes, from, size.min(from.saturating_add(1 << level)))?);
        }
        at >>= 1;
        last >>= 1;
        level += 1;
    }
    Some(path)
}

/// The hashes that show that the first `old` leaves begin the first `new` ones (RFC 9162 section 2.1.4.1).
///
/// `None` when the log was not that long, or a node is missing.
pub fn consistency(nodes: &impl Nodes, old: u64, new: u64) -> Option<Vec<Hash>> {
    if old > new {
        return None;
    }
    let mut path = Vec::new();
    if old == 0 || old == new {
        return Some(path);
    }
    // Descend to the node at which the old log ends, noting what lies beside the way.
    let (mut from, mut to, mut whole) = (0, new, true);
    while to != old {
        let middle = from + split(to - from);
        if old <= middle {
            path.push(range(nodes, middle, to)?);
            to = middle;
        } else {
            path.push(range(nodes, from, middle)?);
            from = middle;
            whole = false;
        }
    }
    if !whole {
        path.push(range(nodes, from, to)?);
    }
    path.reverse();
    Some(path)
}

/// Why one log is not shown to continue another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// The later log is shorter.
    #[error("a log of {new} leaves cannot continue one of {old}")]
    Order {
        /// The size of the earlier log.
        old: u64,
        /// The size of the later log.
        new: u64,
    },
    /// The two sizes fix how many hashes there are.
    #[error("{found} hashes do not lead from a log of {old} leaves to one of {new}")]
    Length {
        /// The size of the earlier log.
        old: u64,
        /// The size of the later log.
        new: u64,
        /// Hashes given.
        found: usize,
    },
    /// The hashes lead to another earlier log.
    #[error("the earlier log has the root {found}, not {wanted}")]
    Old {
        /// The root the hashes lead to.
        found: Hash,
        /// The root that was asked for.
        wanted: Hash,
    },
    /// The hashes lead to another later log.
    #[error("the later log has the root {found}, not {wanted}")]
    New {
        /// The root the hashes lead to.
        found: Hash,
        /// The root that was asked for.
        wanted: Hash,
    },
}

/// Whether `path` shows that the log with the new root continues the log with the old one (RFC 9162 section 2.1.4.2).
///
/// # Errors
/// Why it does not.
pub fn verify_consistency(
    old_size: u64,
    old_root: &Hash,
    new_size: u64,
    new_root: &Hash,
    path: &[Hash],
) -> Result<(), LogError> {
    grow(old_size, old_root, new_size, new_root, path, &mut |_, _| {})
}

/// The same, and tells the roots so far, of the old log and of the new one, after every hash of the path.
pub(crate) fn grow(
    old_size: u64,
    old_root: &Hash,
    new_size: u64,
    new_root: &Hash,
    path: &[Hash],
    tell: &mut dyn FnMut(Hash, Hash),
) -> Result<(), LogError> {
    let (old, new, found) = (old_size, new_size, path.len());
    let length = LogError::Length { old, new, found };
    if old > new {
        return Err(LogError::Order { old, new });
    }
    if found > PATH_MAX + 1 {
        return Err(length);
    }
    if old == 0 || old == new {
        if found > 0 {
            return Err(length);
        }
        if old == 0 {
            same_old(Rfc6962::empty(), old_root)?;
        }
        // Nothing is known of the root of a log that continues the empty one: every log does.
        return if old == new { same_old(*new_root, old_root) } else { Ok(()) };
    }
    // An old log that is one complete subtree is itself where the climb begins.
    let (start, path) = match path.split_first() {
        _ if old.is_power_of_two() => (*old_root, path),
        Some((first, rest)) => (*first, rest),
        None => return Err(length),
    };
    let (mut at, mut last) = (old - 1, new - 1);
    let rise = at.trailing_ones();
    (at, last) = (at >> rise, last >> rise);
    let (mut earlier, mut later) = (start, start);
    for sibling in path {
        if last == 0 {
            return Err(length);
        }
        if at & 1 == 1 || at == last {
            earlier = Rfc6962::node(sibling, &earlier);
            later = Rfc6962::node(sibling, &later);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            later = Rfc6962::node(&later, sibling);
        }
        tell(earlier, later);
        (at, last) = (at >> 1, last >> 1);
    }
    if last != 0 {
        return Err(length);
    }
    same_old(earlier, old_root)?;
    if later == *new_root { Ok(()) } else { Err(LogError::New { found: later, wanted: *new_root }) }
}

fn same_old(found: Hash, wanted: &Hash) -> Result<(), LogError> {
    if found == *wanted { Ok(()) } else { Err(LogError::Old { found, wanted: *wanted }) }
}

/// The root over leaves `from..to`, where the range is a node of the tree, complete or at its right edge.
pub(crate) fn range(nodes: &impl Nodes, from: u64, to: u64) -> Option<Hash> {
    let count = to - from;
    if count.is_power_of_two() {
        let level = count.ilog2();
        return nodes.node(u8::try_from(level).ok()?, from >> level);
    }
    let middle = from + split(count);
    Some(Rfc6962::node(&range(nodes, from, middle)?, &range(nodes, middle, to)?))
}

/// Where a range of more than one leaf is cut: the largest power of two below its length.
const fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::{collections::BTreeMap, fs, path::Path};
    use types::merkle;

    impl Nodes for BTreeMap<(u8, u64), Hash> {
        fn node(&self, level: u8, index: u64) -> Option<Hash> {
            self.get(&(level, index)).copied()
        }
    }

    fn at(index: u64) -> usize {
        index.try_into().unwrap()
    }

    fn leaves(count: u64) -> Vec<Hash> {
        (0..count).map(|n| Rfc6962::leaf(&n.to_le_bytes())).collect()
    }

    /// A log with the leaves, every node, and the frontier at every size.
    fn log(leaves: &[Hash]) -> (BTreeMap<(u8, u64), Hash>, Vec<Frontier>) {
        let (mut nodes, mut out) = (BTreeMap::new(), Vec::new());
        let mut frontier = Frontier::new();
        let mut all = vec![frontier.clone()];
        for leaf in leaves {
            frontier.append(*leaf, &mut out);
            for (level, index, hash) in out.drain(..) {
                assert!(nodes.insert((level, index), hash).is_none(), "a node is completed once");
            }
            all.push(frontier.clone());
        }
        (nodes, all)
    }

    #[test]
    fn it_agrees_with_the_definition_at_every_small_size() {
        let leaves = leaves(70);
        let (nodes, frontiers) = log(&leaves);
        for size in 0..=70 {
            let now = &leaves[..size];
            let root = merkle::root::<Rfc6962>(now);
            let frontier = &frontiers[size];
            let size = size as u64;
            assert_eq!((frontier.size(), frontier.root()), (size, root));
            assert_eq!(Frontier::restore(size, &nodes).as_ref(), Some(frontier));
            for index in 0..size {
                let want = merkle::path::<Rfc6962>(now, at(index));
                assert_eq!(inclusion(&nodes, index, size), Some(want), "{index} of {size}");
            }
            assert_eq!(inclusion(&nodes, size, size), None);
        }
    }

    /// RFC 6962 section 2.1.2, as written.
    fn subproof(old: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
        if old == leaves.len() {
            return if whole { Vec::new() } else { vec![merkle::root::<Rfc6962>(leaves)] };
        }
        let middle = 1 << (leaves.len() - 1).ilog2();
        let (left, right) = leaves.split_at(middle);
        let (mut path, beside) = if old <= middle {
            (subproof(old, left, whole), right)
        } else {
            (subproof(old - middle, right, false), left)
        };
        path.push(merkle::root::<Rfc6962>(beside));
        path
    }

    #[test]
    fn a_log_continues_its_own_past_and_no_other() {
        let leaves = leaves(70);
        let (nodes, frontiers) = log(&leaves);
        let root = |size: u64| frontiers[at(size)].root();
        for new in 0..=70u64 {
            for old in 0..=new {
                let path = consistency(&nodes, old, new).unwrap();
                if old > 0 {
                    assert_eq!(path, subproof(at(old), &leaves[..at(new)], true));
                }
                let check = |old, old_root: Hash, new, new_root: Hash, path: &[Hash]| {
                    verify_consistency(old, &old_root, new, &new_root, path)
                };
                let (before, after) = (root(old), root(new));
                assert_eq!(check(old, before, new, after, &path), Ok(()), "{old} {new}");
                let other = Rfc6962::leaf(b"another log");
                assert!(check(old, other, new, after, &path).is_err(), "{old} {new}");
                if old > 0 {
                    assert!(check(old, before, new, other, &path).is_err(), "{old} {new}");
                }
                let mut longer = path.clone();
                longer.push(other);
                assert!(check(old, before, new, after, &longer).is_err(), "{old} {new}");
                for place in 0..path.len() {
                    let mut bad = path.clone();
                    bad[place].0[7] ^= 1;
                    assert!(check(old, before, new, after, &bad).is_err(), "{old} {new} {place}");
                    bad.remove(place);
                    assert!(check(old, before, new, after, &bad).is_err(), "{old} {new} {place}");
                }
                for wrong in 0..=new {
                    if wrong != old {
                        assert!(check(wrong, before, new, after, &path).is_err());
                    }
                }
                if old < new {
                    assert!(check(new, after, old, before, &path).is_err());
                    assert_eq!(consistency(&nodes, new, old), None);
                }
            }
        }
    }

    #[test]
    fn a_log_that_rewrote_an_entry_does_not_continue_what_it_was() {
        let honest = leaves(20);
        let mut rewritten = honest.clone();
        rewritten[3] = Rfc6962::leaf(b"rewritten");
        let (nodes, _) = log(&rewritten);
        for old in 4..20u64 {
            let path = consistency(&nodes, old, 20).unwrap();
            let before = merkle::root::<Rfc6962>(&honest[..at(old)]);
            let after = merkle::root::<Rfc6962>(&rewritten);
            let refusal = verify_consistency(old, &before, 20, &after, &path).unwrap_err();
            assert!(matches!(refusal, LogError::Old { .. } | LogError::New { .. }), "{old}");
        }
    }

    #[test]
    fn sizes_at_the_end_of_the_numbers_do_not_overflow() {
        let (zero, most) = (Hash::ZERO, u64::MAX);
        let long = [zero; 80];
        for (old, new) in [(1, most), (most - 1, most), (most, most), (1 << 63, most), (0, most)] {
            for count in 0..80 {
                let verdict = verify_consistency(old, &zero, new, &zero, &long[..count]);
                assert_eq!(verdict.is_ok(), old == new && count == 0, "{old} {new} {count}");
            }
            assert!(consistency(&BTreeMap::new(), old, new).is_none_or(|path| path.is_empty()));
        }
        assert_eq!(inclusion(&BTreeMap::new(), most - 1, most), None);
        assert_eq!(inclusion(&BTreeMap::new(), 0, most), None);
        assert_eq!(Frontier::restore(most, &BTreeMap::new()), None);
    }

    /// Base64 with padding; `None` for a hash that is not 32 bytes, which our types cannot even say.
    fn hash(value: &Value) -> Option<Hash> {
        crate::armor::unbase64(value.as_str()?.as_bytes())?.try_into().ok().map(Hash)
    }

    fn hashes(value: &Value) -> Option<Vec<Hash>> {
        value.as_array().map_or(Some(Vec::new()), |list| list.iter().map(hash).collect())
    }

    fn cases(kind: &str) -> Option<Vec<Value>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/merkle");
        let mut found = Vec::new();
        for group in fs::read_dir(folder.join(kind)).ok()? {
            for file in fs::read_dir(group.unwrap().path()).unwrap() {
                let text = fs::read_to_string(file.unwrap().path()).unwrap();
                found.push(serde_json::from_str(&text).unwrap());
            }
        }
        Some(found)
    }

    /// Cases of our own, always at hand: `tests/src/vectors.rs` makes them, and the second verifier judges them, too.
    #[test]
    fn our_own_cases_are_judged_as_they_are_told() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/logs.json");
        let told: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        let hash = |value: &Value| value.as_str().unwrap().parse::<Hash>().unwrap();
        let path = |case: &Value| -> Vec<Hash> {
            case["path"].as_array().unwrap().iter().map(hash).collect()
        };
        let number = |case: &Value, name: &str| case[name].as_u64().unwrap();
        let cases = |kind: &str| told[kind].as_array().unwrap().clone();
        let (inclusions, consistencies) = (cases("inclusion"), cases("consistency"));
        assert!(inclusions.len() > 100 && consistencies.len() > 100, "the cases are all there");
        for case in inclusions {
            let (at, size) = (number(&case, "index"), number(&case, "size"));
            let top = merkle::climb::<Rfc6962>(hash(&case["leaf"]), at, size, &path(&case));
            assert_eq!(top == Ok(hash(&case["root"])), case["holds"] == true, "{case}");
        }
        for case in consistencies {
            let (old, new) = (number(&case, "old"), number(&case, "new"));
            let (before, after) = (hash(&case["old_root"]), hash(&case["new_root"]));
            let found = verify_consistency(old, &before, new, &after, &path(&case));
            assert_eq!(found.is_ok(), case["holds"] == true, "{case}");
        }
    }

    /// Those of others, beside: they are not ours to hand on, so where they are not, `scripts/test` says so at its end.
    #[test]
    fn published_cases_are_judged_as_published() {
        let (Some(inclusions), Some(consistencies)) = (cases("inclusion"), cases("consistency"))
        else {
            println!("NOT RUN: the published cases are not here; our own are judged beside");
            return;
        };
        assert!(inclusions.len() > 40 && consistencies.len() > 30, "the cases are all there");
        for case in inclusions {
            let verdict = (|| {
                let (leaf, root) = (hash(&case["leafHash"])?, hash(&case["root"])?);
                let (at, size) = (case["leafIdx"].as_u64()?, case["treeSize"].as_u64()?);
                let top =
                    merkle::climb::<Rfc6962>(leaf, at, size, &hashes(&case["proof"])?).ok()?;
                (top == root).then_some(())
            })();
            assert_eq!(verdict.is_none(), case["wantErr"].as_bool().unwrap(), "{case}");
        }
        for case in consistencies {
            let verdict = (|| {
                let (old, new) = (case["size1"].as_u64()?, case["size2"].as_u64()?);
                let (before, after) = (hash(&case["root1"])?, hash(&case["root2"])?);
                verify_consistency(old, &before, new, &after, &hashes(&case["proof"])?).ok()
            })();
            assert_eq!(verdict.is_none(), case["wantErr"].as_bool().unwrap(), "{case}");
        }
    }
}
