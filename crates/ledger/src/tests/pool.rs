//! What a block of somebody else's does to what waits here.

use super::*;

/// Lets `waiting` wait here, appends a block of `theirs` that another node built, and says what becomes of what waited:
/// "waits", "gone", or the code of its refusal.
fn check(before: &[&str], waiting: &[&str], theirs: &[&str], want: &[&str]) {
    let mut chain = Chain::new();
    for line in before {
        assert_eq!(chain.does(line), "ok", "{line}");
    }
    let sign = |chain: &mut Chain, line: &str, n: usize| {
        let (agency, line) = line.split_once(": ").unwrap();
        // The same words are the same record, whoever carries it.
        let n = u64::try_from(n).unwrap();
        chain.sign(agency.parse().unwrap(), vec![operation(action(line), n)])
    };
    let mut pool = Pool::new(PoolLimits::default());
    let mut ids = Vec::new();
    for line in waiting {
        let tx = sign(&mut chain, line, 70);
        ids.push(pool.admit(&chain.rules, &chain.state, &chain.tip, tx).unwrap());
    }
    let n = if theirs == waiting { 70 } else { 60 };
    let txs: Vec<_> = theirs.iter().map(|line| sign(&mut chain, line, n)).collect();
    let (block, outcome, refused) = chain.block(&txs);
    assert_eq!(refused, []);
    let (carried, touched): (Vec<TxId>, _) =
        (block.transactions.iter().map(Transaction::id).collect(), outcome.touched());
    chain.append(block, outcome);
    let settled = (carried.as_slice(), touched.as_slice());
    let refused: BTreeMap<TxId, Rejection> =
        pool.settle(&chain.rules, &chain.state, &chain.tip, settled, false).into_iter().collect();
    let became = ids.iter().map(|id| match (pool.get(id), refused.get(id)) {
        (Some(_), None) => "waits",
        (None, Some(why)) => why.code(),
        (None, None) => "gone",
        (Some(_), Some(_)) => "both",
    });
    assert_eq!(became.collect::<Vec<_>>(), want, "{waiting:?} overtaken by {theirs:?}");
    assert_sound(&chain, &pool);
    // What waits can be proposed, all of it.
    let now = chain.now();
    let (_, _, refused) = propose(&chain.rules, &chain.state, &chain.tip, now, 0, pool.iter());
    assert_eq!(refused, [], "{waiting:?} overtaken by {theirs:?}");
}

#[test]
fn what_a_block_overtakes_is_refused_with_all_that_rests_on_it_and_the_rest_waits() {
    let issued = ["0: issue L1"];
    // Nothing in common.
    check(&issued, &["0: suspend L1", "0: issue L2"], &["0: issue L3"], &["waits", "waits"]);
    // The same subject, left in a state that allows it all the same.
    check(&issued, &["0: cancel L1"], &["0: suspend L1"], &["waits"]);
    // And in one that does not; what rests on it goes with it.
    check(
        &issued,
        &["0: suspend L1", "0: issue L2"],
        &["0: cancel L1"],
        &["E-SUB-TERMINAL", "waits"],
    );
    check(
        &[],
        &["0: issue L1", "0: renew L2 L1", "0: suspend L2", "0: issue L4"],
        &["0: issue L2"],
        &["waits", "E-SUB-EXISTS", "waits", "waits"],
    );
    check(&[], &["0: issue L1"], &["0: issue L1", "0: cancel L1"], &["E-SUB-EXISTS"]);
    // One step further than the state that its neighbour in the queue would have left.
    check(
        &issued,
        &["0: suspend L1", "0: resume L1"],
        &["0: suspend L1"],
        &["E-SUB-STATUS", "waits"],
    );
    // The very same record in another transaction: it is there, with its receipt.
    check(&issued, &["0: suspend L1"], &["0: suspend L1"], &["E-REC-RECORDED"]);
}
