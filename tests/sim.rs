//! The simulator, run over seeds: those that once found something first, then fresh ones.

#![cfg(test)]

use sim::{Plan, run};
use std::thread;

/// How many seeds beside those that are kept.
const FRESH: u64 = 60;

fn kept() -> Vec<u64> {
    include_str!("seeds.txt")
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim())
        .filter(|line| !line.is_empty())
        .map(|line| line.parse().unwrap_or_else(|why| panic!("seeds.txt: {line:?}: {why}")))
        .collect()
}

/// Every seed is lived through; what broke is told with its seed.
fn survive(seeds: &[u64]) {
    let half = seeds.len().div_ceil(2).max(1);
    let broken: Vec<String> = thread::scope(|scope| {
        let halves: Vec<_> = seeds
            .chunks(half)
            .map(|seeds| {
                scope.spawn(move || {
                    let plans = seeds.iter().map(|seed| Plan::from_seed(*seed));
                    plans.filter_map(|plan| run(plan).err()).collect::<Vec<_>>()
                })
            })
            .collect();
        halves.into_iter().flat_map(|half| half.join().unwrap()).collect()
    });
    assert!(broken.is_empty(), "add these seeds to tests/seeds.txt:\n{}", broken.join("\n"));
}

#[test]
fn no_promise_is_broken_under_any_seed_that_once_broke_one() {
    survive(&kept());
}

#[test]
fn no_promise_is_broken_under_fresh_seeds() {
    survive(&(0..FRESH).collect::<Vec<_>>());
}

#[test]
fn the_same_seed_gives_the_same_run_bit_for_bit_and_another_seed_another() {
    let mut traces = Vec::new();
    for seed in [1, 7, 31] {
        let plan = Plan::from_seed(seed);
        let first = run(plan).unwrap();
        assert_eq!(run(plan).unwrap(), first, "seed {seed}");
        assert!(first.height > 0 && first.records > 0, "seed {seed} did nothing: {first:?}");
        traces.push(first.trace);
    }
    traces.sort();
    traces.dedup();
    assert_eq!(traces.len(), 3);
}
