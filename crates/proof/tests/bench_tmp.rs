//! tmp
use std::{collections::BTreeMap, time::Instant};
use types::{
    Hash,
    hash::{Purpose, hash},
};
struct M(std::collections::HashMap<Vec<u8>, Vec<u8>>);
impl proof::map::Pages for M {
    fn page(&self, p: &[u8]) -> Option<Vec<u8>> {
        self.0.get(p).cloned()
    }
}
#[test]
fn bench() {
    let mut m = M(Default::default());
    let k = |n: u32| hash(Purpose::Trace, &[&n.to_le_bytes()]);
    let t = Instant::now();
    let all: BTreeMap<_, _> = (0..1_000_000u32).map(|n| (k(n), Some(Hash([1; 32])))).collect();
    println!("keys {:?}", t.elapsed());
    let t = Instant::now();
    let u = proof::map::update(&m, &all);
    println!("1M bulk {:?} pages {}", t.elapsed(), u.pages.len());
    for (p, b) in u.pages {
        m.0.insert(p, b.unwrap());
    }
    for (name, base, size) in [
        ("update", 0u32, 1000u32),
        ("insert", 1_000_000, 1000),
        ("update", 5000, 100),
        ("insert", 2_000_000, 100),
        ("one", 7000, 1),
    ] {
        let mut total = std::time::Duration::ZERO;
        let (mut pages, mut bytes) = (0, 0);
        for r in 0..20u32 {
            let w: BTreeMap<_, _> = (0..size)
                .map(|n| (k(base + r * size + n), Some(Hash([2 + r as u8; 32]))))
                .collect();
            let t = Instant::now();
            let u = proof::map::update(&m, &w);
            total += t.elapsed();
            pages += u.pages.len();
            for (p, b) in u.pages {
                let b = b.unwrap();
                bytes += b.len();
                m.0.insert(p, b);
            }
        }
        println!(
            "{name} {size}: {:?}/batch {:?}/key pages/key {} bytes/key {}",
            total / 20,
            total / 20 / size,
            pages as u32 / 20 / size,
            bytes as u32 / 20 / size
        );
    }
    let t = Instant::now();
    let mut l = 0;
    for n in 0..10_000u32 {
        l += proof::map::prove(&m, &k(n)).siblings.len();
    }
    println!("prove {:?} len {}", t.elapsed() / 10_000, l / 10_000);
    let t = Instant::now();
    let h = k(1);
    for _ in 0..1_000_000 {
        std::hint::black_box(hash(Purpose::MapNode, &[&h.0, std::hint::black_box(&h.0)]));
    }
    println!("hash {:?}", t.elapsed() / 1_000_000);
}
