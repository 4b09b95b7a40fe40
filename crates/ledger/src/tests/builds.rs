//! One history, and the roots that every build must come to, whatever compiled it and however many threads run it.

use super::*;

/// The last block of [`HISTORY`]: it names both roots, and all blocks before it.
const LAST: &str = "43f014b95609c6ea16b5120c8874a37d94ae634b71b3fa0754a8237318909d28";

const HISTORY: [&str; 18] = [
    "0: publish P 000101001000 350000 1",
    "1: publish C 000101001000 350100 1",
    "0: amend P 000101001000 350000 2",
    "1: hold C 000101001000 350100",
    "1: release C 000101001000 350100",
    "0: issue L1",
    "0: suspend L1",
    "0: resume L1",
    "0: renew L2 L1",
    "0: transfer-out L2",
    "2: transfer-in L3 L2",
    "2: annul L3",
    "0: issue L4",
    "0: revoke L4",
    "0: trace urn:b:1 urn:b:2",
    "1: trace urn:b:2 urn:b:3",
    "1: withdraw C 000101001000 350100",
    "0: trace urn:b:3",
];

fn last() -> String {
    let mut chain = Chain::new();
    for line in HISTORY {
        assert_eq!(chain.does(line), "ok", "{line}");
    }
    assert_whole(&chain);
    query::header(&chain.state, chain.tip.height).unwrap().id().to_string()
}

#[test]
fn every_build_comes_to_the_same_roots_on_one_thread_and_on_eight() {
    assert_eq!(last(), LAST);
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..8).map(|_| scope.spawn(last)).collect();
        all.into_iter().for_each(|one| assert_eq!(one.join().unwrap(), LAST));
    });
}
