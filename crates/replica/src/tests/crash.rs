//! A crash after every effect of a life that has everything in it, and again while it recovers.
//!
//! The life: transactions submitted to others and to the node itself; a height that takes two rounds, because three
//! validators lock on a block and cannot show one another that they do, so that it is proposed again; a stretch of heights
//! that the node misses and fetches; and heights after it. The node is stopped before effect i, for every i; what it had
//! journalled, recorded beside the key and committed by then is all it is given back, once with and once without what was
//! committed and not yet synced; and the network goes on with it.
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

/// Says whether there was anything that the crash could take, which it then did once and once did not.
fn crashed(n: usize, at: usize, again: Option<usize>) -> bool {
    let live = |is_lossy| {
        let what = format!("node {n}, effect {at}, then {again:?}, with losses: {is_lossy}");
        let mut town = Town::asleep();
        (town.doomed, town.doomed_again, town.is_lossy) = (Some((n, at)), again, is_lossy);
        (0..4).for_each(|node| town.start(node));
        assert!(life(&mut town, n), "{what}: no progress");
        judge(&town, &what);
        town.losses > 0
    };
    live(true) && live(false)
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
    let (mut points, mut losses) = (0, 0);
    // One that locks and proposes again, one that is blind, and the one whose block it is.
    for n in [0, BLIND, 3] {
        let effects = plain(n);
        losses += (0..effects).filter(|at| crashed(n, *at, None)).count();
        points += effects;
    }
    println!("{points} crash points, at {losses} of which commits may be lost");
    assert!(points > 300 && losses > 20, "{points} {losses}");
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

/// What a node finds when it listens before it votes, asking all that live.
fn listens(town: &Town, n: usize) -> Listener {
    let node = &town.nodes[n];
    let voter = Voter { secret: secret(1, n), signed: node.signed, floor: node.floor };
    let rules = Rules::load(&town.genesis, &node.disk);
    let mut listener = Listener::new(&rules, &voter, query::height(&node.disk));
    for (other, replica) in (0..4).filter_map(|m| Some((m, town.nodes[m].replica.as_ref()?))) {
        let status = Received::Status(replica.height(), town.clock());
        let asked = listener.ask(peer(other), &status);
        let Some(Effect::Send(_, channel, bytes)) = asked else { panic!("{asked:?}") };
        let Ok(Received::Ask(question)) = receive(&town.chain, channel, &bytes) else { panic!() };
        let Effect::Send(_, channel, bytes) = replica.tell(peer(n), question) else { panic!() };
        let told = receive(&town.chain, channel, &bytes).unwrap();
        listener.hear(&told).unwrap();
        assert!(listener.ask(peer(other), &told).is_none());
    }
    listener
}

#[test]
fn an_older_home_says_nothing_where_its_key_may_have_spoken_and_votes_again_later() {
    let mut town = Town::new();
    let (n, others) = (2, [0, 1, 3]);
    // A copy is taken when the next turn is its own, and before it is taken; then the key goes on, and is silent for longer
    // than anybody searches.
    assert!(town.reaches(&[n], 5));
    let taken_at = query::height(&town.nodes[n].disk);
    assert_eq!(taken_at.next().0 % 4, 2, "the turn after the copy is its own");
    let (journal, signed) = (town.nodes[n].journal.clone(), town.nodes[n].signed);
    assert!(signed.unwrap().height <= taken_at && journal.is_empty(), "it has said nothing yet");
    let away_at = taken_at.0 + 40;
    assert!(town.reaches(&[0, 1, 2, 3], away_at));
    town.stop(n);
    assert!(town.reaches(&others, away_at + 2 * BLOCKS_SEARCHED));

    let disk = SharedMemory::default();
    let did = core::mem::take(&mut town.nodes[n].did);
    let commits = did
        .iter()
        .filter_map(|effect| if let Effect::Commit(commit) = effect { Some(commit) } else { None });
    let commits = commits.filter(|commit| commit.certified().height() <= taken_at);
    commits.for_each(|commit| disk.write(commit.writes()));
    assert_eq!(query::height(&disk), taken_at);
    let node = &mut town.nodes[n];
    (node.disk, node.journal, node.signed) = (disk, journal, signed);
    let listener = listens(&town, n);
    assert!(listener.has_heard());
    // Every word of every life is compared with every other, and every signature with the floor.
    let decided = listener.decided().unwrap_or_default();
    town.nodes[n].floor = decided;
    town.start(n);
    assert!(decided.0 + 1 >= town.height(0), "{decided}");
    assert!(town.reaches(&[0, 1, 2, 3], decided.0 + 8));
    let signs = |height: &u64| {
        let certificate = query::certificate(&town.nodes[0].disk, Height(*height)).unwrap();
        certificate.signatures.iter().any(|(seat, _)| usize::from(*seat) == n)
    };
    assert!((decided.0 + 1..=decided.0 + 8).any(|height| signs(&height)), "it votes again");
}
