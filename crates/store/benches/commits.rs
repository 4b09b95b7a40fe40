//! What it costs to write a block for good: the batch, and the sync that makes it durable, on the disk of `TMPDIR`.

use criterion::{BatchSize, Criterion, SamplingMode, Throughput};
use ledger::Commit;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use store::{Fault, Store};

#[expect(dead_code, reason = "the fixture of all tests offers more than a block needs")]
#[expect(unreachable_pub, reason = "it is a module of another crate too")]
#[path = "../../../tests/src/chain.rs"]
mod chain;

use chain::{Chain, publish};
use types::{Height, Transaction};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for (records, each) in [(1, 1), (100, 100), (1000, 1), (1000, 100)] {
        blocks_of(&mut criterion, records, each);
    }
    criterion.final_summary();
}

fn blocks_of(criterion: &mut Criterion, records: u32, each: u32) {
    let home = tempfile::tempdir().expect("there is room for a directory");
    let mut chain = Chain::new("bench", 1);
    let store = store::open(home.path(), &chain.genesis().chain(), end).expect("a store begins");
    let serial = AtomicU32::new(0);
    // Every block is written once, as the next of its chain.
    let (code, secret) = (chain.genesis().agencies[0].code, chain.organisation(0));
    let network = chain.genesis().chain();
    let mut next = || -> Commit {
        let first = serial.fetch_add(records, Relaxed);
        let until = Height(u64::from(first / records) + 100);
        let txs = (first..first + records).step_by(each as usize).map(|from| {
            let operations = (from..from + each).map(publish).collect();
            Transaction::sign(network, code, &secret, from.into(), until, operations)
        });
        chain.append(txs.collect())
    };
    let mut group = criterion.benchmark_group("commit");
    group.throughput(Throughput::Elements(records.into())).sampling_mode(SamplingMode::Flat);
    group.sample_size(20);
    let transactions = records / each;
    group.bench_function(format!("{records} records in {transactions}, written and synced"), |b| {
        b.iter_batched(&mut next, |commit| durable(&store, &commit), BatchSize::PerIteration);
    });
    group.finish();
}

fn durable(store: &Store, commit: &Commit) {
    store.commit(commit).expect("the disk takes it");
    store.sync().expect("the disk keeps it");
}

/// Ends the run after a read that failed: there is nothing to measure on such a disk.
#[expect(clippy::panic, reason = "a bench has no other way to end with a word")]
fn end(fault: &Fault) -> ! {
    panic!("{fault}")
}
