//! Clocks that are wrong: what a proposer may claim, and what the network makes of it.

use super::*;

const DAY: i64 = 86_400_000;

/// Four replicas, each with a clock of its own.
struct Clocks {
    town: Town,
    skew: [i64; 4],
    /// Clocks that stand still.
    stuck: [Option<u64>; 4],
}

impl Clocks {
    fn new(skew: [i64; 4]) -> Self {
        let mut clocks = Self { town: Town::asleep(), skew, stuck: [None; 4] };
        clocks.town.skews = [0, 1, 2, 3].map(|n| clocks.of(n));
        (0..4).for_each(|n| clocks.town.start(n));
        clocks
    }

    fn of(&self, n: usize) -> i64 {
        let real = i64::try_from(self.town.now).unwrap();
        self.stuck[n].map_or(self.skew[n], |at| i64::try_from(at).unwrap() - real)
    }

    fn run(&mut self, heights: u64) -> bool {
        let target = (0..4).map(|n| self.town.height(n)).max().unwrap() + heights;
        let deadline = self.town.now + 120_000;
        while (0..4).any(|n| self.town.height(n) < target) {
            if self.town.now > deadline {
                return false;
            }
            self.town.skews = [0, 1, 2, 3].map(|n| self.of(n));
            self.town.advance();
        }
        true
    }

    /// The time of each block against true time when it was committed first, milliseconds.
    fn errors(&self) -> Vec<i64> {
        let first = self.town.committed.iter();
        let errors = first.map(|(height, at)| {
            let header = query::header(&self.town.nodes[0].disk, *height).unwrap();
            i64::try_from(header.time.0).unwrap() - i64::try_from(1_700_000_000_000 + *at).unwrap()
        });
        errors.collect()
    }

    fn times(&self) -> Vec<u64> {
        let disk = &self.town.nodes[0].disk;
        let tip = self.town.height(0);
        (1..=tip).map(|h| query::header(disk, Height(h)).unwrap().time.0).collect()
    }
}

/// What a block's time may be off, of honest clocks that agree: what genesis says, either way, and behind also the time a
/// proposal may be on its way and the rounds until it is decided.
const AHEAD: i64 = 500;
const BEHIND: i64 = 500 + 300 + 1000;

#[test]
fn block_time_stays_between_the_honest_clocks_whatever_one_clock_says() {
    for (name, skew) in [
        ("a day ahead", DAY),
        ("a day behind", -DAY),
        ("a second ahead", 1000),
        ("two seconds behind", -2000),
        ("within the bound", 300),
    ] {
        for bad in 0..4 {
            let mut skews = [0; 4];
            skews[bad] = skew;
            let mut clocks = Clocks::new(skews);
            assert!(clocks.run(12), "{name} at {bad} stops the chain");
            let times = clocks.times();
            assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{name}: time goes back");
            for error in clocks.errors() {
                assert!((-BEHIND..=AHEAD).contains(&error), "{name} at {bad}: {error} ms");
            }
        }
    }
}

#[test]
fn a_clock_that_stands_still_stops_nothing() {
    for bad in 0..4 {
        let mut clocks = Clocks::new([0; 4]);
        assert!(clocks.run(2));
        clocks.stuck[bad] = Some(clocks.town.now);
        assert!(clocks.run(20), "a clock stuck at {bad} stops the chain");
        assert!(clocks.times().windows(2).all(|pair| pair[0] < pair[1]));
        for error in clocks.errors() {
            assert!((-BEHIND..=AHEAD).contains(&error), "{bad}: {error} ms");
        }
    }
}

#[test]
fn a_clock_that_is_set_while_running_stops_nothing() {
    for step in [DAY, -DAY, 5000, -5000, 400, -400] {
        for bad in 0..4 {
            let mut clocks = Clocks::new([0; 4]);
            assert!(clocks.run(3));
            clocks.skew[bad] = step;
            assert!(clocks.run(8), "a step of {step} at {bad} stops the chain");
            clocks.skew[bad] = 0;
            assert!(clocks.run(8), "a step back from {step} at {bad} stops the chain");
            assert!(clocks.times().windows(2).all(|pair| pair[0] < pair[1]));
            for error in clocks.errors() {
                assert!((-BEHIND..=AHEAD).contains(&error), "{step} at {bad}: {error} ms");
            }
        }
    }
}

#[test]
fn honest_clocks_apart_by_less_than_the_bound_decide() {
    let mut clocks = Clocks::new([-200, -80, 90, 200]);
    assert!(clocks.run(20));
    let disk = &clocks.town.nodes[0].disk;
    let rounds: u32 = (1..=20).map(|h| query::certificate(disk, Height(h)).unwrap().round.0).sum();
    assert_eq!(rounds, 0, "no vote is lost to clocks that are right");
}

/// Node 0 at height 1, and what it signs when seat 1 proposes a block with this time in round 0.
fn vote_on(
    late: i64,
    prepare: impl FnOnce(&mut Town, &Message),
) -> (Town, Block, Vec<Option<BlockId>>) {
    let mut town = Town::asleep();
    town.start(0);
    town.now = 1000;
    let disk = SharedMemory::default();
    let tip = ledger::tip(&town.rules, &disk);
    let time = Timestamp(town.clock().0.saturating_add_signed(late));
    let block = ledger::propose(&town.rules, &disk, &tip, time, 1, core::iter::empty()).0;
    let proposal = Proposal {
        height: Height(1),
        round: Round(0),
        block: block.id(),
        valid_round: None,
        seat: 1,
    };
    let message = Message::Proposal(proposal, proposal.sign(&town.chain, &secret(1, 1)));
    prepare(&mut town, &message);
    town.step(0, Event::Received(peer(1), Received::Message(message)));
    town.step(0, Event::Received(peer(1), Received::Block(Box::new(block.clone()))));
    let votes = signed(&town);
    (town, block, votes)
}

fn signed(town: &Town) -> Vec<Option<BlockId>> {
    let did = town.nodes[0].did.iter();
    let did =
        did.filter_map(
            |effect| if let Effect::Sign(signed) = effect { Some(signed.block) } else { None },
        );
    did.collect()
}

#[test]
fn a_proposal_outside_the_window_gets_nil_and_one_inside_a_vote() {
    // 500 ms ahead; behind, the 300 ms that a proposal may take besides.
    for (late, wanted) in [
        (0, true),
        (500, true),
        (501, false),
        (DAY, false),
        (-800, true),
        (-801, false),
        (-900, false),
    ] {
        let (_, block, votes) = vote_on(late, |_, _| {});
        assert_eq!(votes, vec![wanted.then_some(block.id())], "{late} ms");
    }
}

#[test]
fn what_others_agree_on_is_followed_however_late_it_looked() {
    // Node 0 votes nil; the others saw it in time. Their quorum is ours, and the block is committed.
    for late in [-900, DAY] {
        let (mut town, block, votes) = vote_on(late, |_, _| {});
        assert_eq!(votes, vec![None]);
        for step in [Step::Prevote, Step::Precommit] {
            for seat in 1..4 {
                let (height, round, id) = (Height(1), Round(0), Some(block.id()));
                let vote = Vote { height, round, step, block: id, seat };
                let vote =
                    Message::Vote(vote, vote.sign(&town.chain, &secret(1, usize::from(seat))));
                town.step(0, Event::Received(peer(usize::from(seat)), Received::Message(vote)));
            }
        }
        assert_eq!(
            signed(&town),
            vec![None, Some(block.id())],
            "it precommits what a quorum wants"
        );
        assert_eq!(town.height(0), 1);
    }
}

#[test]
fn a_proposal_that_was_in_time_may_have_a_late_body() {
    let (_, block, votes) = vote_on(0, |town, message| {
        let proposal = message.clone();
        town.step(0, Event::Received(peer(1), Received::Message(proposal)));
        // The body takes a day.
        town.now += u64::try_from(DAY).unwrap();
    });
    assert_eq!(votes, vec![Some(block.id())]);
    // A proposal that is itself late by as much gets nil.
    let (_, _, votes) = vote_on(-900, |_, _| {});
    assert_eq!(votes, vec![None]);
}

#[test]
fn a_restart_does_not_make_a_proposal_late() {
    let (town, block, votes) = vote_on(0, |town, message| {
        let proposal = message.clone();
        town.step(0, Event::Received(peer(1), Received::Message(proposal)));
        // What came after the last write is lost; the proposal is said again, and is in the journal if it was written.
        let entry = Entry::Message(message.clone());
        town.nodes[0].journal.push(codec::encode(&Record::Entry(entry)));
        town.nodes[0].replica = None;
        town.now += 60_000;
        town.start(0);
    });
    assert_eq!(votes, vec![Some(block.id())], "{:?}", town.nodes[0].did);
}

#[test]
fn a_proposal_that_came_early_is_as_old_as_when_it_came() {
    // The proposal for round 0 of height 2 comes while node 0 still has height 1 to decide, and that takes ten seconds.
    let mut town = Town::new();
    assert!(town.reaches(&[0, 1, 2, 3], 1));
    town.mail.clear();
    let tip = town.height(0);
    let early = Proposal {
        height: Height(tip + 2),
        round: Round(0),
        block: BlockId(Hash([4; 32])),
        valid_round: None,
        seat: u16::try_from((tip + 2) % 4).unwrap(),
    };
    let key = secret(1, usize::from(early.seat));
    let message = Message::Proposal(early, early.sign(&town.chain, &key));
    let from = peer(usize::from(early.seat));
    town.step(0, Event::Received(from, Received::Message(message.clone())));
    let heard = town.clock();
    let replica = town.nodes[0].replica.as_mut().unwrap();
    let came = replica.early.begins(early.height, Round(0));
    assert_eq!(came.len(), 1);
    assert_eq!((came[0].at, &came[0].message), (heard, &message));
    // Nobody fills the place of others, and a stranger's word is not kept.
    for round in 0..50 {
        let flood = Proposal { round: Round(round), ..early };
        let flood = Message::Proposal(flood, flood.sign(&town.chain, &key));
        town.step(0, Event::Received(from, Received::Message(flood)));
        let forged = Proposal { round: Round(round), seat: 0, ..early };
        let forged = Message::Proposal(forged, forged.sign(&town.chain, &key));
        town.step(0, Event::Received(from, Received::Message(forged)));
    }
    let replica = town.nodes[0].replica.as_mut().unwrap();
    assert!(replica.early.begins(early.height, Round(u32::MAX)).len() <= 8);
}

#[test]
fn a_block_refused_for_its_time_is_not_voted_for_when_it_is_proposed_as_new_again() {
    let (mut town, block, votes) = vote_on(-900, |_, _| {});
    assert_eq!(votes, vec![None]);
    // Seat 1 has its next turn four rounds later, and tries the same block.
    let again = Proposal {
        height: Height(1),
        round: Round(4),
        block: block.id(),
        valid_round: None,
        seat: 1,
    };
    let again = Message::Proposal(again, again.sign(&town.chain, &secret(1, 1)));
    town.step(0, Event::Received(peer(1), Received::Message(again)));
    for seat in [2, 3] {
        let vote =
            Vote { height: Height(1), round: Round(4), step: Step::Prevote, block: None, seat };
        let vote = Message::Vote(vote, vote.sign(&town.chain, &secret(1, usize::from(seat))));
        town.step(0, Event::Received(peer(usize::from(seat)), Received::Message(vote)));
    }
    assert_eq!(town.nodes[0].replica.as_ref().unwrap().engine.at().1, Round(4));
    town.run_for(5000);
    assert!(signed(&town).iter().all(Option::is_none), "{:?}", signed(&town));
}

#[test]
fn a_block_that_is_proposed_again_is_voted_for_however_old_it_is() {
    // Nobody but a quorum of round 0 is asked whether it was in time: seat 2 proposes it again in round 1, a day later.
    let (mut town, block, _) = vote_on(-900, |_, _| {});
    town.now += u64::try_from(DAY).unwrap();
    let signatures = [1, 2, 3].map(|seat: u16| {
        let (height, round, step) = (Height(1), Round(0), Step::Prevote);
        let vote = Vote { height, round, step, block: Some(block.id()), seat };
        (seat, vote.sign(&town.chain, &secret(1, usize::from(seat))))
    });
    let polka = Message::Polka {
        height: Height(1),
        round: Round(0),
        block: block.id(),
        signatures: signatures.to_vec(),
    };
    let again = Proposal {
        height: Height(1),
        round: Round(1),
        block: block.id(),
        valid_round: Some(Round(0)),
        seat: 2,
    };
    let again = Message::Proposal(again, again.sign(&town.chain, &secret(1, 2)));
    for seat in [2, 3] {
        let vote =
            Vote { height: Height(1), round: Round(1), step: Step::Prevote, block: None, seat };
        let vote = Message::Vote(vote, vote.sign(&town.chain, &secret(1, usize::from(seat))));
        town.step(0, Event::Received(peer(usize::from(seat)), Received::Message(vote)));
    }
    town.step(0, Event::Received(peer(2), Received::Message(polka)));
    town.step(0, Event::Received(peer(2), Received::Message(again)));
    let did = town.nodes[0].did.iter();
    let mut voted = did.filter_map(|effect| {
        if let Effect::Sign(s) = effect
            && s.round == Round(1)
            && s.step == 1
        {
            Some(s.block)
        } else {
            None
        }
    });
    assert_eq!(voted.next(), Some(Some(block.id())));
}

#[test]
fn a_node_tells_how_far_its_clock_is_from_the_others() {
    let mut clocks = Clocks::new([0, 10, -1800, 5]);
    assert!(clocks.run(6));
    let offset = |n: usize| clocks.town.nodes[n].replica.as_ref().unwrap().status().clock.unwrap();
    let slow = offset(2);
    assert_eq!(slow.neighbours, 3);
    assert!((-1810..=-1790).contains(&slow.ahead_ms), "{slow:?}");
    for n in [0, 1, 3] {
        assert!(offset(n).distance_ms() <= 20, "{n}: {:?}", offset(n));
    }
}
