//! A crash after every effect of a life that has everything in it, and again while it recovers.
//!
//! The life: transactions submitted to others and to the node itself; a height that takes two rounds, because three
//! validators lock on a block and cannot show one another that they do, so that it is proposed again; a stretch of heights
//! that the node misses and fetches; and heights after it. The node is stopped before effect i, for every i; what it had
//! journalled, recorded beside the key and committed by then is all it is given back; and the network goes on with it.
//! Every message that leaves it, of this life or of the one before, is compared with every other: nothing is said twice
//! and differently. Every block is compared with what the others committed.

use super::*;

/// The height that takes two rounds. Seat 3 leads it, and seat 0 the round after.
const LOCKED: Height = Height(3);
/// The one that does not see the block of that height in its first round, and so votes for nothing.
const BLIND: usize = 1;
/// The height before which the node is cut off.
const MISSED: u64 = 5;

/// Whether the network loses this: at one height and round, the proposal on its way to one seat, and precommits for it
/// between the others, such that each hears too few.
fn is_lost(from: usize, to: usize, channel: Channel, bytes: &[u8], chain: &ChainId) -> bool {
    let is_of_round = |message: &Message| message.height() == LOCKED && message.round() == Round(0);
    match receive(chain, channel, bytes) {
        Ok(Received::Message(message)) if is_of_round(&message) => match &message {
            Message::Proposal(..) => to == BLIND,
            Message::Vote(vote, _) => {
                let after = [2, BLIND, 3, 0];
                let lost = to == BLIND || to == after[from];
                vote.step == Step::Precommit && vote.block.is_some() && lost
            }
            Message::Polka { .. } | Message::RoundChange { .. } => false,
        },
        // The body, until the round is over.
        Ok(Received::Block(block)) => to == BLIND && block.header.height == LOCKED && from == 3,
        _ => false,
    }
}

/// Goes on, over the network of this life, until all of `nodes` have reached a height.
fn go(town: &mut Town, nodes: &[usize], height: u64) -> bool {
    let deadline = town.now + 60_000;
    while nodes.iter().any(|n| town.height(*n) < height) {
        if town.now > deadline {
            return false;
        }
        if let Some((from, to, channel, bytes)) = town.mail.front()
            && is_lost(*from, *to, *channel, bytes, &town.chain)
        {
            town.mail.pop_front();
            continue;
        }
        town.advance();
    }
    true
}

/// The life. The node that crashes is `n`.
fn life(town: &mut Town, n: usize) -> bool {
    let all = [0, 1, 2, 3];
    let others: Vec<usize> = all.into_iter().filter(|other| *other != n).collect();
    town.submit(2, tx(town.chain, 1, vec![issue(1)]));
    town.submit(n, tx(town.chain, 2, vec![issue(2), issue(3)]));
    if !go(town, &all, LOCKED.0) {
        return false;
    }
    town.submit(n, tx(town.chain, 3, vec![issue(4)]));
    if !go(town, &all, MISSED - 1) {
        return false;
    }
    town.silent.insert(n);
    if !go(town, &others, MISSED + 2) {
        return false;
    }
    town.silent.clear();
    town.submit(others[0], tx(town.chain, 4, vec![issue(5)]));
    go(town, &all, MISSED + 4)
}

/// What must hold whatever happened.
fn judge(town: &Town, what: &str) {
    for node in &town.nodes {
        for effect in &node.did {
            assert!(!matches!(effect, Effect::Accuse(_)), "{what}: somebody is accused");
        }
    }
    // The same chain, and the same state after it.
    let height = (0..4).map(|n| town.height(n)).min().unwrap();
    for h in (1..=height).map(Height) {
        let headers: BTreeSet<_> =
            town.nodes.iter().map(|node| query::header(&node.disk, h).unwrap().id()).collect();
        assert_eq!(headers.len(), 1, "{what}: height {h}");
    }
    // What was agreed on before any crash could change it is in the chain: the transaction given to another node.
    let first = tx(town.chain, 1, vec![issue(1)]).id();
    assert!(query::place(&town.nodes[3].disk, &first).is_some(), "{what}");
}

fn crashed(n: usize, at: usize, again: Option<usize>) {
    let what = format!("node {n}, effect {at}, then {again:?}");
    let mut town = Town::asleep();
    (town.doomed, town.doomed_again) = (Some((n, at)), again);
    (0..4).for_each(|node| town.start(node));
    assert!(life(&mut town, n), "{what}: no progress");
    judge(&town, &what);
}

/// How many effects a node performs in the life without a crash.
fn plain(n: usize) -> usize {
    let mut town = Town::new();
    assert!(life(&mut town, n));
    judge(&town, "no crash");
    // It is the life we mean: two rounds at one height with a block that was proposed again, and fetched blocks.
    let certificate = query::certificate(&town.nodes[n].disk, LOCKED).unwrap();
    let header = query::header(&town.nodes[n].disk, LOCKED).unwrap();
    assert_eq!((certificate.round, header.proposer), (Round(1), 3), "proposed again, by another");
    assert!(
        town.nodes[n]
            .did
            .iter()
            .any(|effect| { matches!(effect, Effect::Send(To::One(_), Channel::Sync, _)) })
    );
    town.effects[n]
}

#[test]
fn a_crash_after_every_effect_of_a_whole_life_changes_nothing() {
    let mut points = 0;
    // One that locks and proposes again, one that is blind, and the one whose block it is.
    for n in [0, BLIND, 3] {
        let effects = plain(n);
        (0..effects).for_each(|at| crashed(n, at, None));
        points += effects;
    }
    println!("{points} crash points");
    assert!(points > 300, "{points}");
}

#[test]
fn a_second_crash_while_it_recovers_changes_nothing_either() {
    let mut points = 0;
    let effects = plain(0);
    for at in (0..effects).step_by(5) {
        for again in [0, 1, 2, 3, 5, 8, 13, 21] {
            crashed(0, at, Some(again));
            points += 1;
        }
    }
    println!("{points} pairs of crash points");
    assert!(points > 100, "{points}");
}
