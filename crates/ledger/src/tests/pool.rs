//! What a block of somebody else's does to what waits here.

use super::*;
use crate::Column;
use std::{cell::RefCell, collections::BTreeSet};

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

/// A state that remembers which subjects it was asked for, and which it was told of beforehand.
#[derive(Default)]
struct Watched {
    state: Memory,
    asked: RefCell<BTreeSet<Vec<u8>>>,
    foreseen: RefCell<BTreeSet<Vec<u8>>>,
}

impl State for Watched {
    fn get(&self, column: Column, key: &[u8]) -> Option<Vec<u8>> {
        if column == Column::Subjects {
            self.asked.borrow_mut().insert(key.to_vec());
        }
        self.state.get(column, key)
    }

    fn foresee(&self, column: Column, keys: &[&[u8]]) {
        assert_eq!(column, Column::Subjects);
        self.foreseen.borrow_mut().extend(keys.iter().map(|key| key.to_vec()));
    }

    fn scan(&self, _: Column, _: &[u8], _: &[u8], _: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        panic!("nothing is listed to admit a transaction")
    }
}

#[test]
fn only_what_will_be_judged_is_looked_for_beforehand() {
    let mut chain = Chain::new();
    let issue = |id: &str| operation(action(&format!("issue {id}")), 1);
    let there = chain.sign(0, vec![issue("L1"), issue("L2")]);
    let (block, outcome, refused) = chain.block(std::slice::from_ref(&there));
    assert_eq!(refused, []);
    chain.append(block, outcome);
    let Chain { rules, state, tip, .. } = chain.clone();
    let watched = Watched { state, ..Watched::default() };
    // What was asked for and what was foreseen since the last time, as licences.
    let looked = |pool: &str| {
        let names = |keys: &RefCell<BTreeSet<Vec<u8>>>| {
            let keys = keys.take();
            let name = |n: usize| format!("L{n}");
            let is_in = |name: &String| {
                let subject: Subject = format!("licence:{name}").parse().unwrap();
                keys.contains(&subject.key().0[..])
            };
            let known: Vec<String> = (0..9).map(name).filter(is_in).collect();
            assert_eq!(known.len(), keys.len(), "{pool}");
            known.join(" ")
        };
        (names(&watched.asked), names(&watched.foreseen))
    };
    let same = |names: &str| (names.to_owned(), names.to_owned());
    let nothing = same("");
    let mut pool = Pool::new(PoolLimits { transactions_max: 3, ..PoolLimits::default() });
    let mut admit = |tx: &Verified| pool.admit(&rules, &watched, &tip, tx.clone());

    let many = chain.sign(0, vec![issue("L3"), issue("L4")]);
    assert_eq!(admit(&many), Ok(many.id()));
    assert_eq!(looked("many"), same("L3 L4"));
    assert_eq!(admit(&many), Ok(many.id()));
    assert_eq!(looked("waiting"), nothing);
    assert_eq!(admit(&there), Err(Rejection::Committed(there.id())));
    assert_eq!(looked("committed"), nothing);
    let sign = |by: usize, until: u64, operations| {
        let (agency, key) = (code(0), secret(0, by));
        let tx = Transaction::sign(*rules.chain(), agency, &key, 9, Height(until), operations);
        tx.verify(rules.chain()).unwrap()
    };
    let late = sign(0, 1, vec![issue("L5"), issue("L6")]);
    let stranger = sign(1, 20, vec![issue("L5"), issue("L6")]);
    assert_eq!(admit(&late).map_err(|why| why.code()), Err("E-TX-EXPIRED"));
    assert_eq!(admit(&stranger).map_err(|why| why.code()), Err("E-AUTH-AGENCY"));
    assert_eq!(looked("refused"), nothing);

    // Of a message the small ones, which are judged at once, together; the others when their turn comes.
    let small = chain.sign(0, vec![issue("L7")]);
    let other = chain.sign(1, vec![issue("L8")]);
    let foreign = sign(1, 20, vec![issue("L0")]);
    let message = [small.clone(), many.clone(), late, foreign, other.clone()];
    pool.foresee(&rules, &watched, &tip, &message);
    assert_eq!(looked("message"), (String::new(), "L7 L8".to_owned()));
    for tx in [&small, &other] {
        assert_eq!(pool.admit(&rules, &watched, &tip, tx.clone()), Ok(tx.id()));
    }
    assert_eq!(looked("small"), ("L7 L8".to_owned(), String::new()));
    // And when there is no room, nobody makes us read.
    let more = [chain.sign(1, vec![issue("L5"), issue("L6")]), chain.sign(1, vec![issue("L0")])];
    pool.foresee(&rules, &watched, &tip, &more);
    for tx in more {
        assert_eq!(pool.admit(&rules, &watched, &tip, tx), Err(Rejection::Full));
    }
    assert_eq!(looked("full"), nothing);
}
