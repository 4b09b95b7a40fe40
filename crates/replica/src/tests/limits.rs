//! The chain's limits become smaller while more than they allow is under way.

use super::*;
use ledger::Rejection;
use types::authority::{Change, Governance};

const ALL: [usize; 4] = [0, 1, 2, 3];
/// How many operations a block holds afterwards.
const FEW: u32 = 3;
/// How many the large transactions have, of which there are so many.
const LARGE: (u64, u64) = (10, 6);

/// A town whose first agency decides alone what a block may hold.
fn town() -> Town {
    let mut town = Town::asleep();
    town.genesis.agencies[0].roles.push(Role::Govern {});
    (town.chain, town.rules) = (town.genesis.chain(), Rules::new(&town.genesis));
    ALL.into_iter().for_each(|n| town.start(n));
    assert!(town.reaches(&ALL, 2));
    town
}

fn large(chain: ChainId, n: u64) -> Transaction {
    tx(chain, 100 + n, (0..LARGE.0).map(|m| issue(1000 + n * LARGE.0 + m)).collect())
}

fn small(chain: ChainId, n: u64) -> Transaction {
    tx(chain, 200 + n, vec![issue(5000 + n)])
}

fn place(town: &Town, n: usize, id: &TxId) -> Option<Height> {
    query::place(&town.nodes[n].disk, id).map(|place| place.height)
}

/// Makes blocks smaller while larger transactions wait, and maybe crashes a node after so many of its effects.
fn shrink(doomed: Option<(usize, usize)>) -> Town {
    let mut town = town();
    let chain = town.chain;
    let limits = Limits { block_operations_max: FEW, ..town.genesis.limits };
    let propose = Governance::Propose(Box::new(Change::Limits(limits)));
    let change = tx(chain, 1, vec![Operation { action: Action::Govern(propose), ..issue(0) }]);
    let (large, small): (Vec<_>, Vec<_>) = (
        (0..LARGE.1).map(|n| large(chain, n)).collect(),
        (0..4).map(|n| small(chain, n)).collect(),
    );
    // By one of its future effects, whatever it did so far.
    town.doomed = doomed.map(|(n, after)| (n, town.effects[n] + after));
    for tx in core::iter::once(&change).chain(&large).chain(&small) {
        // Every node is told: what waited in one that crashes is gone with it.
        ALL.into_iter().for_each(|n| town.submit(n, tx.clone()));
    }
    let until = town.height(0) + 14;
    assert!(town.reaches(&ALL, until), "the chain goes on");
    let changed = place(&town, 0, &change.id()).expect("the change is decided");
    for n in ALL {
        assert_eq!(
            Rules::load(&town.genesis, &town.nodes[n].disk).limits(),
            &limits,
            "the change is in force"
        );
        for tx in &small {
            assert!(place(&town, n, &tx.id()).is_some(), "what fits is decided");
        }
        for tx in &large {
            // In the last large block, or never; and nowhere does it stand in the way.
            assert!(place(&town, n, &tx.id()).is_none_or(|height| height <= changed));
            assert!(!town.nodes[n].replica.as_ref().unwrap().is_pending(&tx.id()));
        }
        for height in changed.0 + 1..=until {
            let block = query::block(&town.nodes[n].disk, Height(height)).unwrap();
            let operations: usize = block.transactions.iter().map(|tx| tx.operations.len()).sum();
            assert!(operations <= FEW as usize, "block {height} holds {operations}");
        }
    }
    let undecided = large.iter().filter(|tx| place(&town, 0, &tx.id()).is_none());
    for id in undecided.map(Transaction::id) {
        let told = town.nodes.iter().flat_map(|node| &node.did).any(|effect| {
            matches!(effect, Effect::Refused(refused, why) if *refused == id && why.code() == "E-TX-SIZE")
        });
        assert!(told, "whoever asks for it is told why");
    }
    town
}

#[test]
fn what_was_accepted_and_is_too_large_now_is_refused_and_the_chain_goes_on() {
    let mut town = shrink(None);
    assert!((0..LARGE.1).any(|n| place(&town, 0, &large(town.chain, n).id()).is_none()));
    // All of them start again, knowing nothing but what is on their disks.
    ALL.into_iter().for_each(|n| town.stop(n));
    ALL.into_iter().for_each(|n| town.start(n));
    let (again, fits) = (large(town.chain, LARGE.1), small(town.chain, 9));
    let before = town.nodes[1].did.len();
    town.submit(1, again);
    town.submit(1, fits.clone());
    let answers: Vec<_> = town.nodes[1].did[before..]
        .iter()
        .filter_map(|effect| {
            let Effect::Answer(_, answer) = effect else { return None };
            Some(answer.as_ref().map_err(Rejection::code).copied())
        })
        .collect();
    assert_eq!(answers, [Err("E-TX-SIZE"), Ok(fits.id())]);
    let until = town.height(0) + 6;
    assert!(town.reaches(&ALL, until));
    ALL.into_iter().for_each(|n| assert!(place(&town, n, &fits.id()).is_some()));
}

#[test]
fn a_crash_at_any_time_while_limits_shrink_stalls_nobody() {
    for n in ALL {
        for after in (0..120).step_by(3) {
            shrink(Some((n, after)));
        }
    }
}

#[test]
fn bodies_of_heights_to_come_wait_in_the_room_that_is_left() {
    let town = Town::new();
    let block = |height, late| {
        let mut block = town.block(0, late, 0);
        block.header.height = Height(height);
        block
    };
    let near = block(5, 1);
    let far = block(6, 2);
    let third = block(5, 3);
    let here = block(4, 4);
    let mut bodies = Bodies::default();
    for early in [&near, &far, &third] {
        bodies.wait_early(peer(1), early.clone());
    }
    let mut claims = |block: &Block, height| bodies.claim(&block.id(), Height(height)).is_some();
    assert!(!claims(&third, 5), "two of a neighbour are enough");
    assert!(!claims(&near, 4), "at another height it is not what is named");
    bodies.wait(peer(1), here.clone());
    let mut claims = |block: &Block, height| bodies.claim(&block.id(), Height(height)).is_some();
    assert!(!claims(&far, 6), "the farthest gives way to the height under way");
    assert!(claims(&here, 4));
    bodies.wait_early(peer(1), far.clone());
    bodies.begin(Height(5));
    bodies.begin(Height(5));
    let mut claims = |block: &Block, height| bodies.claim(&block.id(), Height(height)).is_some();
    assert!(claims(&near, 5));
    bodies.begin(Height(6));
    assert!(bodies.claim(&far.id(), Height(6)).is_some(), "what is still to come is kept");
    bodies.wait_early(peer(1), far.clone());
    bodies.begin(Height(7));
    assert!(bodies.claim(&far.id(), Height(6)).is_none(), "what is over is not");
}
