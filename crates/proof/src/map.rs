//! The state map: a sparse Merkle tree over 256-bit keys, kept in pages of four levels, and the paths it gives.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, vec};
use types::{
    Hash,
    hash::{Purpose, hash},
};

/// Where the map's pages are kept.
pub trait Pages {
    /// The encoded page at `path`: one nibble (0 to 15) a byte, from the root, which is at the empty path.
    fn page(&self, path: &[u8]) -> Option<Vec<u8>>;

    /// The same of many paths of one length, each once and in their order: for whoever finds many more quickly together.
    fn pages(&self, paths: &[&[u8]]) -> Vec<Option<Vec<u8>>> {
        paths.iter().map(|path| self.page(path)).collect()
    }
}

/// What a batch of writes makes of the map. Nothing is kept until the caller keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// The root after the batch.
    pub root: Hash,
    /// What to keep at which path, each path once, a page after the pages below it; none removes.
    pub pages: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

/// The map after `writes`: key to the digest of its value, none removes.
///
/// Every page on the way to a written key is read once, with all others of its level, and listed once if it changed.
///
/// # Panics
/// When a page is missing or damaged: a store that lost state must not go on as if it had not.
pub fn update(pages: &impl Pages, writes: &BTreeMap<Hash, Option<Hash>>) -> Update {
    let writes: Vec<Write> = writes.iter().map(|(key, value)| (*key, *value)).collect();
    let mut batch = Batch {
        levels: gather(pages, &writes),
        path: Vec::with_capacity(NIBBLES),
        out: Vec::new(),
    };
    let (before, existed) = match batch.next_page() {
        Some(bytes) => (Page::decode(&[], &bytes).expect(DAMAGED), true),
        None => (Page::EMPTY, false),
    };
    let mut after = before.clone();
    batch.apply(&mut after, &writes);
    if after.is_empty() {
        if existed {
            batch.out.push((Vec::new(), None));
        }
    } else if after != before {
        batch.out.push((Vec::new(), Some(after.encode())));
    }
    Update { root: after.root(), pages: batch.out }
}

/// The map's root; zeros when it is empty.
///
/// # Panics
/// When the first page is damaged.
pub fn root(pages: &impl Pages) -> Hash {
    pages.page(&[]).map_or(Hash::ZERO, |bytes| Page::decode(&[], &bytes).expect(DAMAGED).root())
}

/// The path of `key`, whether it is there or not.
///
/// # Panics
/// When a page is missing or damaged.
pub fn prove(pages: &impl Pages, key: &Hash) -> MapPath {
    let mut path = MapPath { siblings: Vec::new(), other: None };
    let Some(bytes) = pages.page(&[]) else { return path };
    let mut page = Page::decode(&[], &bytes).expect(DAMAGED);
    let mut way = Vec::with_capacity(NIBBLES);
    loop {
        let nibble = nibble(key, way.len());
        let (mut from, mut width) = (0, 16);
        // Halve the page towards the key, for as long as more than one leaf is in sight.
        loop {
            match tenants(&page.0[from..from + width]) {
                Tenants::None => return path,
                Tenants::One(other, value) => {
                    path.other = (other != *key).then_some((other, value));
                    return path;
                }
                Tenants::More if width == 1 => break,
                Tenants::More => {
                    width /= 2;
                    let right = usize::from(nibble) & width != 0;
                    let (ours, beside) =
                        if right { (from + width, from) } else { (from, from + width) };
                    path.siblings.push(subroot(&page.0[beside..beside + width]));
                    from = ours;
                }
            }
        }
        way.push(nibble);
        page = Page::decode(&way, &pages.page(&way).expect(MISSING)).expect(DAMAGED);
    }
}

/// The way from the map's root to the place of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapPath {
    /// What lies beside the way, root-most first: sibling `i` stands beside bit `i` of the key, the highest bit first.
    pub siblings: Vec<Hash>,
    /// For a key that is absent: the leaf (key, value digest) that has its place to itself, if there is one.
    pub other: Option<(Hash, Hash)>,
}

/// Why a path says nothing of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// Longer than a key.
    #[error("{found} siblings; a key has {BITS} bits")]
    Length {
        /// Siblings given.
        found: usize,
    },
    /// A path of absence, offered for presence.
    #[error("the path ends at another key")]
    Other,
    /// The leaf offered for absence is the key's own.
    #[error("the path ends at this very key")]
    Present,
    /// The leaf offered for absence does not stand in the key's place.
    #[error("the other key shares {shared} bits where the path has {wanted}")]
    Elsewhere {
        /// Bits in common.
        shared: usize,
        /// Bits that the path decides.
        wanted: usize,
    },
}

impl MapPath {
    /// The root of a map in which `key` has the value digest `value`.
    ///
    /// # Errors
    /// When the path cannot be one to a key that is there.
    pub fn root_with(&self, key: &Hash, value: &Hash) -> Result<Hash, MapError> {
        match self.other {
            Some(_) => Err(MapError::Other),
            None => self.climb(key, leaf(key, value)),
        }
    }

    /// The root of a map in which `key` is absent: its place is empty, or another key has it to itself.
    ///
    /// # Errors
    /// When the path cannot be one to a key that is absent.
    pub fn root_without(&self, key: &Hash) -> Result<Hash, MapError> {
        let Some((other, value)) = &self.other else { return self.climb(key, Hash::ZERO) };
        let (shared, wanted) = (shared_bits(key, other), self.siblings.len());
        if shared == BITS {
            return Err(MapError::Present);
        }
        if shared < wanted {
            return Err(MapError::Elsewhere { shared, wanted });
        }
        self.climb(key, leaf(other, value))
    }

    /// Every node on the way from a key's leaf up to the root, with its depth, the leaf first.
    pub(crate) fn way(&self, key: &Hash, value: &Hash) -> Vec<(usize, Hash)> {
        let mut below = leaf(key, value);
        let mut way = vec![(self.siblings.len(), below)];
        for (depth, sibling) in self.siblings.iter().enumerate().take(BITS).rev() {
            below = if bit(key, depth) { node(sibling, &below) } else { node(&below, sibling) };
            way.push((depth, below));
        }
        way
    }

    fn climb(&self, key: &Hash, from: Hash) -> Result<Hash, MapError> {
        let found = self.siblings.len();
        if found > BITS {
            return Err(MapError::Length { found });
        }
        Ok(self.siblings.iter().enumerate().rev().fold(from, |below, (depth, sibling)| {
            if bit(key, depth) { node(sibling, &below) } else { node(&below, sibling) }
        }))
    }
}

/// Bits in a key.
pub(crate) const BITS: usize = 256;
/// Nibbles in a key, hence the most pages on a way.
const NIBBLES: usize = BITS / 4;

const MISSING: &str = "a page of the state map is missing: the store has lost state";
const DAMAGED: &str = "a page of the state map is damaged: the store has lost state";

/// A leaf's hash holds the whole key, so it means the same at whatever depth it stands.
fn leaf(key: &Hash, value: &Hash) -> Hash {
    hash(Purpose::MapLeaf, &[&key.0, &value.0])
}

fn node(left: &Hash, right: &Hash) -> Hash {
    hash(Purpose::MapNode, &[&left.0, &right.0])
}

const fn bit(key: &Hash, depth: usize) -> bool {
    key.0[depth / 8] >> (7 - depth % 8) & 1 == 1
}

const fn nibble(key: &Hash, depth: usize) -> u8 {
    let byte = key.0[depth / 2];
    if depth.is_multiple_of(2) { byte >> 4 } else { byte & 15 }
}

fn shared_bits(a: &Hash, b: &Hash) -> usize {
    (0..BITS).find(|depth| bit(a, *depth) != bit(b, *depth)).unwrap_or(BITS)
}

/// A key and what is to become of it.
type Write = (Hash, Option<Hash>);

/// One sixteenth of a page.
#[derive(Clone, PartialEq, Eq)]
enum Slot {
    Empty,
    /// The only key below here, and its value digest.
    Leaf(Hash, Hash),
    /// The root of the page below, which has two leaves or more.
    Child(Hash),
}

/// Four levels of the tree.
///
/// The fourteen nodes between its root and its slots are hashed anew when it changes rather than kept: hashing them
/// costs less than writing them to a disk would.
#[derive(Clone, PartialEq, Eq)]
struct Page([Slot; 16]);

impl Page {
    const EMPTY: Self = Self([const { Slot::Empty }; 16]);

    fn is_empty(&self) -> bool {
        self.0.iter().all(|slot| matches!(slot, Slot::Empty))
    }

    fn root(&self) -> Hash {
        subroot(&self.0)
    }

    /// What stands for the page in the page above: a page that holds less than two leaves need not be.
    fn collapse(&self) -> Slot {
        match tenants(&self.0) {
            Tenants::None => Slot::Empty,
            Tenants::One(key, value) => Slot::Leaf(key, value),
            Tenants::More => Slot::Child(self.root()),
        }
    }

    /// Two bytes say which slots are occupied (slot `i` is bit `i`, little-endian), two which of these are leaves; then
    /// 32 bytes for every child and 64 for every leaf, in slot order.
    fn encode(&self) -> Vec<u8> {
        let (mut occupied, mut leaves, mut length) = (0u16, 0u16, 4);
        for (index, slot) in self.0.iter().enumerate() {
            match slot {
                Slot::Empty => {}
                Slot::Leaf(..) => {
                    (occupied, leaves) = (occupied | 1 << index, leaves | 1 << index);
                    length += 64;
                }
                Slot::Child(_) => {
                    occupied |= 1 << index;
                    length += 32;
                }
            }
        }
        let mut bytes = Vec::with_capacity(length);
        bytes.extend_from_slice(&occupied.to_le_bytes());
        bytes.extend_from_slice(&leaves.to_le_bytes());
        for slot in &self.0 {
            match slot {
                Slot::Empty => {}
                Slot::Leaf(key, value) => {
                    bytes.extend_from_slice(&key.0);
                    bytes.extend_from_slice(&value.0);
                }
                Slot::Child(hash) => bytes.extend_from_slice(&hash.0),
            }
        }
        bytes
    }

    /// The page that `bytes` spell, if it can stand at `path`.
    fn decode(path: &[u8], bytes: &[u8]) -> Option<Self> {
        let (Head { occupied, leaves }, mut rest) = Head::read(bytes)?;
        let mut page = Self::EMPTY;
        let mut take = || {
            let (hash, after) = rest.split_first_chunk::<32>()?;
            rest = after;
            Some(Hash(*hash))
        };
        for (index, slot) in (0..).zip(&mut page.0) {
            if occupied >> index & 1 == 0 {
                continue;
            }
            let first = take()?;
            *slot = if leaves >> index & 1 == 1 {
                let way = path.iter().copied().chain([index]).enumerate();
                if !way.into_iter().all(|(depth, step)| nibble(&first, depth) == step) {
                    return None;
                }
                Slot::Leaf(first, take()?)
            } else {
                Slot::Child(first)
            };
        }
        // A page of one leaf is only ever the first, a page of none is never.
        let few = if path.is_empty() { 0 } else { 1 };
        let sound = leaves & !occupied == 0 && (occupied.count_ones() > few || leaves != occupied);
        (rest.is_empty() && sound).then_some(page)
    }
}

/// What an encoded page begins with: which of its slots are occupied, and which of these are leaves; slot `i` is bit `i`.
struct Head {
    occupied: u16,
    leaves: u16,
}

impl Head {
    /// The head of a page, and what comes behind it.
    fn read(page: &[u8]) -> Option<(Self, &[u8])> {
        let ([one, two, three, four], rest) = page.split_first_chunk()?;
        let occupied = u16::from_le_bytes([*one, *two]);
        let leaves = u16::from_le_bytes([*three, *four]);
        Some((Self { occupied, leaves }, rest))
    }
}

/// Whether slot `step` of an encoded page holds a page below.
fn has_child(page: &[u8], step: u8) -> bool {
    Head::read(page).is_some_and(|(head, _)| (head.occupied & !head.leaves) >> step & 1 == 1)
}

/// How many leaves there are under a range of slots.
enum Tenants {
    None,
    One(Hash, Hash),
    More,
}

fn tenants(slots: &[Slot]) -> Tenants {
    let mut occupied = slots.iter().filter(|slot| !matches!(slot, Slot::Empty));
    match (occupied.next(), occupied.next()) {
        (None, _) => Tenants::None,
        (Some(Slot::Leaf(key, value)), None) => Tenants::One(*key, *value),
        (Some(_), _) => Tenants::More,
    }
}

/// The root over a range of slots whose number is a power of two.
fn subroot(slots: &[Slot]) -> Hash {
    match (tenants(slots), slots) {
        (Tenants::None, _) => Hash::ZERO,
        (Tenants::One(key, value), _) => leaf(&key, &value),
        (Tenants::More, [Slot::Child(hash)]) => *hash,
        (Tenants::More, _) => {
            let (left, right) = slots.split_at(slots.len() / 2);
            node(&subroot(left), &subroot(right))
        }
    }
}

/// Sorted writes under a page at `depth`, by the slot to which they belong.
fn by_slot(writes: &[Write], depth: usize) -> impl Iterator<Item = (u8, &[Write])> {
    let step = move |(key, _): &Write| nibble(key, depth);
    writes
        .chunk_by(move |one, other| step(one) == step(other))
        .map(move |group| (step(&group[0]), group))
}

/// A path, and the page that is kept there, if one is.
type Found = (Vec<u8>, Option<Vec<u8>>);

/// The pages on the way to sorted writes: those of a level together, in the order of their paths.
fn gather(pages: &impl Pages, writes: &[Write]) -> Vec<vec::IntoIter<Found>> {
    let mut levels = Vec::new();
    let mut asked: Vec<(Vec<u8>, &[Write])> = vec![(Vec::new(), writes)];
    while !asked.is_empty() {
        let paths: Vec<&[u8]> = asked.iter().map(|(path, _)| path.as_slice()).collect();
        let found = pages.pages(&paths);
        assert_eq!(found.len(), asked.len(), "every path is answered");
        let mut below = Vec::new();
        for ((path, writes), page) in asked.iter().zip(&found) {
            let Some(page) = page else { continue };
            for (step, group) in by_slot(writes, path.len()) {
                if has_child(page, step) {
                    below.push(([path.as_slice(), &[step]].concat(), group));
                }
            }
        }
        let paths = asked.into_iter().map(|(path, _)| path);
        levels.push(paths.zip(found).collect::<Vec<_>>().into_iter());
        asked = below;
    }
    levels
}

/// A batch on its way down.
struct Batch {
    /// What [`gather`] found at each level, from where the batch is on.
    levels: Vec<vec::IntoIter<Found>>,
    path: Vec<u8>,
    out: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Batch {
    /// The page at `self.path`, if one is kept there. The batch comes to paths in the order in which they were gathered.
    fn next_page(&mut self) -> Option<Vec<u8>> {
        let next = self.levels.get_mut(self.path.len()).and_then(Iterator::next);
        let (path, page) = next.expect("every page on the way was gathered");
        assert_eq!(path, self.path, "pages are met in the order in which they were gathered");
        page
    }

    /// Applies sorted writes, all of which belong under the page at `self.path`.
    fn apply(&mut self, page: &mut Page, writes: &[Write]) {
        for (step, group) in by_slot(writes, self.path.len()) {
            let slot = &mut page.0[usize::from(step)];
            self.path.push(step);
            self.change(slot, group);
            self.path.pop();
        }
    }

    /// Applies sorted writes, one at least, all of which belong in the slot at `self.path`.
    fn change(&mut self, slot: &mut Slot, writes: &[Write]) {
        // Most writes end here: one key, and nobody else's in its place.
        if let [(key, value)] = writes {
            match slot {
                Slot::Empty => {
                    if let Some(value) = value {
                        *slot = Slot::Leaf(*key, *value);
                    }
                    return;
                }
                Slot::Leaf(there, digest) if there == key => {
                    match value {
                        Some(value) => *digest = *value,
                        None => *slot = Slot::Empty,
                    }
                    return;
                }
                Slot::Leaf(..) if value.is_none() => return,
                Slot::Leaf(..) | Slot::Child(_) => {}
            }
        }
        let mut page = Page::EMPTY;
        let mut existed = false;
        match slot {
            Slot::Empty => {}
            Slot::Leaf(key, value) => {
                let step = nibble(key, self.path.len());
                page.0[usize::from(step)] = Slot::Leaf(*key, *value);
            }
            Slot::Child(_) => {
                let bytes = self.next_page().expect(MISSING);
                page = Page::decode(&self.path, &bytes).expect(DAMAGED);
                existed = true;
            }
        }
        self.apply(&mut page, writes);
        let after = page.collapse();
        // A page that changed has another root; one that did not is not written again.
        if after == *slot {
            return;
        }
        if matches!(after, Slot::Child(_)) {
            self.out.push((self.path.clone(), Some(page.encode())));
        } else if existed {
            self.out.push((self.path.clone(), None));
        }
        *slot = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cell::RefCell;

    /// Pages in memory, which remember how often they were read.
    #[derive(Default)]
    struct Memory {
        pages: BTreeMap<Vec<u8>, Vec<u8>>,
        read: RefCell<BTreeMap<Vec<u8>, usize>>,
    }

    impl Pages for Memory {
        fn page(&self, path: &[u8]) -> Option<Vec<u8>> {
            *self.read.borrow_mut().entry(path.to_vec()).or_default() += 1;
            self.pages.get(path).cloned()
        }
    }

    impl Memory {
        /// Applies a batch, checking its manners.
        fn write(&mut self, writes: &BTreeMap<Hash, Option<Hash>>) -> Hash {
            self.read.borrow_mut().clear();
            let update = update(self, writes);
            assert!(self.read.borrow().values().all(|count| *count == 1), "a page is read once");
            let mut seen = std::collections::BTreeSet::new();
            for (path, page) in update.pages {
                assert!(seen.insert(path.clone()), "a page is written once");
                let before = match &page {
                    Some(bytes) => self.pages.insert(path.clone(), bytes.clone()),
                    None => self.pages.remove(&path),
                };
                assert_ne!(before, page, "a page that did not change is not written");
            }
            assert_eq!(root(self), update.root);
            update.root
        }
    }

    /// The definition: no leaf is nothing, one leaf is itself, more are a node.
    fn naive(leaves: &[(Hash, Hash)], depth: usize) -> Hash {
        match leaves {
            [] => Hash::ZERO,
            [(key, value)] => leaf(key, value),
            _ => {
                let at = leaves.partition_point(|(key, _)| !bit(key, depth));
                let (left, right) = leaves.split_at(at);
                node(&naive(left, depth + 1), &naive(right, depth + 1))
            }
        }
    }

    fn naive_root(map: &BTreeMap<Hash, Hash>) -> Hash {
        naive(&map.iter().map(|(key, value)| (*key, *value)).collect::<Vec<_>>(), 0)
    }

    /// Keys that crowd: few different bytes, at the beginning and at the end, so that prefixes are shared at every depth.
    fn key() -> impl Strategy<Value = Hash> {
        prop_oneof![
            any::<[u8; 32]>().prop_map(Hash),
            (0..4u8, 0..32usize, any::<u8>()).prop_map(|(first, place, byte)| {
                let mut key = [0; 32];
                key[0] = first << 6;
                key[place] ^= byte;
                Hash(key)
            }),
            (0..256usize).prop_map(|bit| {
                let mut key = [0xff; 32];
                key[bit / 8] ^= 0x80 >> (bit % 8);
                Hash(key)
            }),
        ]
    }

    fn value() -> impl Strategy<Value = Hash> {
        (1..4u8).prop_map(|byte| Hash([byte; 32]))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn batches_make_the_map_the_definition_makes(
            batches in prop::collection::vec(
                prop::collection::btree_map(key(), prop::option::of(value()), 0..20), 0..12),
            strangers in prop::collection::vec(key(), 8),
        ) {
            let (mut memory, mut model) = (Memory::default(), BTreeMap::new());
            for batch in &batches {
                for (key, value) in batch {
                    match value {
                        Some(value) => model.insert(*key, *value),
                        None => model.remove(key),
                    };
                }
                prop_assert_eq!(memory.write(batch), naive_root(&model));
            }
            let root = naive_root(&model);
            // The pages are a function of the content: not of its order, its batches or what was removed.
            let mut again = Memory::default();
            for (key, value) in model.iter().rev() {
                again.write(&BTreeMap::from([(*key, Some(*value))]));
            }
            prop_assert_eq!(&again.pages, &memory.pages);
            let mut at_once = Memory::default();
            at_once.write(&model.iter().map(|(key, value)| (*key, Some(*value))).collect());
            prop_assert_eq!(&at_once.pages, &memory.pages);
            // Every key has a path of presence and none of absence, every stranger the other way about.
            for (key, value) in &model {
                let path = prove(&memory, key);
                prop_assert_eq!(path.root_with(key, value), Ok(root));
                prop_assert_ne!(path.root_with(key, &Hash([9; 32])), Ok(root));
                prop_assert_ne!(path.root_without(key), Ok(root));
                let own = MapPath { other: Some((*key, *value)), ..path.clone() };
                prop_assert_eq!(own.root_without(key), Err(MapError::Present));
                // Any other leaf in its stead is elsewhere, or hashes to something else.
                for (other, value) in &model {
                    let forged = MapPath { other: Some((*other, *value)), ..path.clone() };
                    prop_assert_ne!(forged.root_without(key), Ok(root));
                }
            }
            for key in strangers.iter().filter(|key| !model.contains_key(key)) {
                let path = prove(&memory, key);
                prop_assert_eq!(path.root_without(key), Ok(root));
                prop_assert_ne!(path.root_with(key, &Hash([1; 32])), Ok(root));
                for there in model.keys() {
                    prop_assert_ne!(path.root_without(there), Ok(root));
                }
                let silent = MapPath { other: None, ..path.clone() };
                if path.other.is_some() {
                    prop_assert_ne!(silent.root_without(key), Ok(root));
                }
            }
            // What is removed leaves nothing behind.
            let empty = memory.write(&model.keys().map(|key| (*key, None)).collect());
            prop_assert_eq!(empty, Hash::ZERO);
            prop_assert!(memory.pages.is_empty());
        }

        #[test]
        fn a_damaged_page_is_noticed_or_is_another_page(
            leaves in prop::collection::btree_map(key(), value(), 1..40),
            at in any::<prop::sample::Index>(), with in 1..=255u8,
        ) {
            let mut memory = Memory::default();
            memory.write(&leaves.iter().map(|(key, value)| (*key, Some(*value))).collect());
            for (path, bytes) in &memory.pages {
                let page = Page::decode(path, bytes).unwrap();
                prop_assert_eq!(&page.encode(), bytes);
                let mut bad = bytes.clone();
                bad[at.index(bytes.len())] ^= with;
                if let Some(other) = Page::decode(path, &bad) {
                    prop_assert_eq!(other.encode(), bad);
                    prop_assert_ne!(other.root(), page.root());
                }
                prop_assert!(Page::decode(path, &bytes[..bytes.len() - 1]).is_none());
                prop_assert!(Page::decode(path, &[&bytes[..], &[0]].concat()).is_none());
            }
        }
    }

    #[test]
    fn neighbours_share_their_whole_path_but_the_last_bit() {
        let last = |byte| {
            let mut key = [0xa5; 32];
            key[31] = byte;
            Hash(key)
        };
        let (first, second, stranger) = (last(0x10), last(0x11), last(0x12));
        let value = Hash([1; 32]);
        let mut memory = Memory::default();
        let one = memory.write(&BTreeMap::from([(first, Some(value))]));
        assert_eq!(one, leaf(&first, &value));
        assert_eq!(memory.pages.len(), 1);
        let two = memory.write(&BTreeMap::from([(second, Some(value))]));
        assert_eq!(memory.pages.len(), 64);
        for key in [first, second] {
            let path = prove(&memory, &key);
            assert_eq!(path.siblings.len(), 256);
            assert_eq!(path.root_with(&key, &value), Ok(two));
            assert_ne!(path.root_without(&key), Ok(two));
        }
        let path = prove(&memory, &stranger);
        assert_eq!((path.siblings.len(), path.other), (255, None));
        assert_eq!(path.root_without(&stranger), Ok(two));
        // The sibling bit away from both: an empty half, or one of the two passed off as its only tenant.
        let forged =
            MapPath { siblings: path.siblings[..254].to_vec(), other: Some((first, value)) };
        assert_ne!(forged.root_without(&stranger), Ok(two));
        assert_eq!(memory.write(&BTreeMap::from([(second, None)])), one);
        assert_eq!(memory.pages.len(), 1);
    }

    #[test]
    fn paths_that_cannot_be_are_refused() {
        let (key, value) = (Hash([0; 32]), Hash([1; 32]));
        let path = |length, other| MapPath { siblings: vec![Hash::ZERO; length], other };
        let far = Some((Hash([0x80; 32]), value));
        assert_eq!(path(257, None).root_with(&key, &value), Err(MapError::Length { found: 257 }));
        assert_eq!(path(257, None).root_without(&key), Err(MapError::Length { found: 257 }));
        assert_eq!(path(1, far).root_with(&key, &value), Err(MapError::Other));
        assert_eq!(
            path(1, far).root_without(&key),
            Err(MapError::Elsewhere { shared: 0, wanted: 1 })
        );
        assert_eq!(path(1, Some((key, value))).root_without(&key), Err(MapError::Present));
        assert_eq!(path(0, None).root_without(&key), Ok(Hash::ZERO));
    }

    #[test]
    fn a_big_map_has_short_paths() {
        let leaves: BTreeMap<Hash, Option<Hash>> = (0..20_000u32)
            .map(|n| (hash(Purpose::Trace, &[&n.to_le_bytes()]), Some(Hash([1; 32]))))
            .collect();
        let mut memory = Memory::default();
        memory.write(&leaves);
        let lengths: Vec<usize> =
            leaves.keys().take(1000).map(|key| prove(&memory, key).siblings.len()).collect();
        let sum: usize = lengths.iter().sum();
        assert!(sum / lengths.len() <= 17 && lengths.iter().all(|length| *length < 40));
    }

    #[test]
    #[should_panic(expected = "missing")]
    fn a_lost_page_stops_the_process() {
        let leaves: BTreeMap<Hash, Option<Hash>> =
            (0..64u8).map(|n| (Hash([n; 32]), Some(Hash([1; 32])))).collect();
        let mut memory = Memory::default();
        memory.write(&leaves);
        memory.pages.retain(|path, _| path.is_empty());
        update(&memory, &BTreeMap::from([(Hash([3; 32]), None)]));
    }
}
