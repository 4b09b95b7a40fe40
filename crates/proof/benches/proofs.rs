//! What it costs to change a state map of some size, and to check a proof.
//!
//! The pages of the map are in memory, so that the map alone is measured: what a disk adds is seen in `store` and in
//! `scripts/bench --part growth`. The proofs are the golden ones, so that the same bytes are checked by every version.

use core::{cell::LazyCell, hint::black_box};
use criterion::{Criterion, SamplingMode, Throughput};
use proof::{
    TrustRoot,
    map::{Pages, Update, update},
};
use serde_json::Value;
use std::collections::BTreeMap;
use types::{
    Hash,
    hash::{Purpose, hash},
};

/// Leaves that are written together while a map is built, in the order of keys.
const STRETCH: usize = 100_000;
/// Leaves that a block changes: some are there, every fourth is new.
const CHANGED: u64 = 1000;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for leaves in [10_000, 1_000_000, 10_000_000] {
        map_of(&mut criterion, leaves);
    }
    golden(&mut criterion);
    criterion.final_summary();
}

/// One that is not wanted is not built: the largest takes half a minute and two gigabytes.
fn map_of(criterion: &mut Criterion, leaves: u64) {
    let map = LazyCell::new(|| Map::of(leaves));
    let writes: BTreeMap<Hash, Option<Hash>> = (0..CHANGED)
        .map(|n| {
            let number = if n % 4 == 3 { leaves + n } else { n * (leaves / CHANGED) };
            (key(number), Some(Hash([2; 32])))
        })
        .collect();
    let mut group = criterion.benchmark_group("map");
    group.throughput(Throughput::Elements(CHANGED)).sampling_mode(SamplingMode::Flat);
    group.sample_size(30);
    group.bench_function(format!("update of {CHANGED}/{leaves} leaves"), |b| {
        let map = &*map;
        b.iter(|| update(map, black_box(&writes)));
    });
    group.finish();
}

fn golden(criterion: &mut Criterion) {
    let golden: Value = serde_json::from_str(include_str!("../../../tests/vectors/proofs.json"))
        .expect("the golden proofs are JSON");
    let root = golden["trust_root"].as_str().map(TrustRoot::from_toml);
    let root = root.and_then(Result::ok).expect("the golden trust root is sound");
    let proofs = golden["proofs"].as_array().expect("there are golden proofs");
    let mut group = criterion.benchmark_group("verify");
    for (name, begins) in [
        ("record", "a record, third of five"),
        ("status", "a lot with its whole history"),
        ("batch", "a batch of records of two transactions"),
        ("after five committees", "a record and a subject after five"),
    ] {
        let proof =
            proofs.iter().find(|row| row["name"].as_str().is_some_and(|is| is.starts_with(begins)));
        let bytes = proof.and_then(|row| row["bytes"].as_str()).map(unhex).expect("it is golden");
        let verdict = proof::verify(&bytes, &root);
        assert_eq!(verdict.error(), None, "a golden proof holds");
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(name, |b| b.iter(|| proof::verify(black_box(&bytes), &root)));
    }
    group.finish();
}

fn unhex(text: &str) -> Vec<u8> {
    let (pairs, _) = text.as_bytes().as_chunks::<2>();
    let pair = |pair: &[u8; 2]| {
        let digits = core::str::from_utf8(pair).ok()?;
        u8::from_str_radix(digits, 16).ok()
    };
    pairs.iter().map(|digits| pair(digits).expect("it is hexadecimal")).collect()
}

fn key(number: u64) -> Hash {
    hash(Purpose::Trace, &[&number.to_le_bytes()])
}

/// A map, page by page.
#[derive(Default)]
struct Map(BTreeMap<Vec<u8>, Vec<u8>>);

impl Map {
    fn of(leaves: u64) -> Self {
        let mut keys: Vec<Hash> = (0..leaves).map(key).collect();
        // Neighbours share their pages, so each page is written about once.
        keys.sort_unstable();
        let mut map = Self::default();
        for keys in keys.chunks(STRETCH) {
            let leaves = keys.iter().map(|key| (*key, Some(Hash([1; 32])))).collect();
            let Update { pages, .. } = update(&map, &leaves);
            for (path, page) in pages {
                match page {
                    Some(page) => map.0.insert(path, page),
                    None => map.0.remove(&path),
                };
            }
        }
        map
    }
}

impl Pages for Map {
    fn page(&self, path: &[u8]) -> Option<Vec<u8>> {
        self.0.get(path).cloned()
    }
}
