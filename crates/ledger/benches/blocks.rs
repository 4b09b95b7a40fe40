//! What a block costs the rules: a thousand records, signed one by one or a hundred together, on a ledger of as many more.

use core::hint::black_box;
use criterion::{BatchSize, Criterion, Throughput};
use ledger::{Pool, PoolLimits, commit, propose, tip, validate};
use types::{Block, Certified, Transaction, Verified};

#[expect(dead_code, reason = "the fixture of all tests offers more than a block needs")]
#[expect(unreachable_pub, reason = "it is a module of another crate too")]
#[path = "../../../tests/src/chain.rs"]
mod chain;

use chain::{Chain, certify, publish};

/// Records of a block, the most that this chain's genesis lets in.
const RECORDS: u32 = 1000;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for (name, each) in [("singly signed", 1), ("of 100 operations", 100)] {
        block_of(&mut criterion, name, each);
    }
    criterion.final_summary();
}

fn block_of(criterion: &mut Criterion, name: &str, each: u32) {
    let mut chain = Chain::new("bench", 1);
    let before = transactions(&chain, 0, 100);
    chain.commit(before);
    let (rules, state, network) = (chain.rules(), chain.state(), chain.genesis().chain());
    let tip = tip(rules, state);
    let checked: Vec<Verified> = transactions(&chain, RECORDS, each)
        .into_iter()
        .map(|tx| tx.verify(&network).expect("it was just signed"))
        .collect();
    let time = tip.time.plus(1000);
    let make = || propose(rules, state, &tip, time, 1, checked.iter().map(|tx| (tx, 0)));
    let (block, outcome, refused) = make();
    assert!(refused.is_empty() && block.transactions.len() == checked.len(), "{refused:?}");
    let pool = || {
        let mut pool = Pool::new(PoolLimits::default());
        for tx in &checked {
            pool.admit(rules, state, &tip, tx.clone()).expect("the rules allow it");
        }
        pool
    };
    let waiting = pool();
    let certified = certified(&chain, block.clone());

    let mut group = criterion.benchmark_group(format!("block {name}"));
    group.throughput(Throughput::Elements(RECORDS.into())).sample_size(20);
    group.bench_function("admit", |b| b.iter(pool));
    group.bench_function("propose", |b| b.iter(make));
    group.bench_function("apply, heard before", |b| {
        b.iter(|| {
            validate(rules, state, &tip, black_box(&block), |tx| waiting.get(&tx.id()))
                .expect("it is the block that was proposed")
        });
    });
    group.bench_function("apply, signatures checked too", |b| {
        b.iter(|| {
            validate(rules, state, &tip, black_box(&block), |_| None)
                .expect("it is the block that was proposed")
        });
    });
    group.bench_function("commit", |b| {
        b.iter_batched(
            || (certified.clone(), outcome.clone()),
            |(certified, outcome)| commit(certified, outcome),
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

/// Transactions of so many operations each, a block of them.
fn transactions(chain: &Chain, first: u32, each: u32) -> Vec<Transaction> {
    (first..first + RECORDS)
        .step_by(each as usize)
        .map(|from| chain.transaction(0, from.into(), (from..from + each).map(publish).collect()))
        .collect()
}

fn certified(chain: &Chain, block: Block) -> Certified {
    let (rules, network) = (chain.rules(), chain.genesis().chain());
    let seats = [0, 1, 2].map(|seat| (seat.into(), chain.seat(seat)));
    let certificate = certify(&block.header, &network, &seats);
    Certified::verify(block, certificate, &network, rules.committee()).expect("a quorum signed it")
}
