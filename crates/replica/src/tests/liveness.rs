//! Timers that fit the network they are in, rounds that are joined late, and restarts of any pattern.

use super::*;

/// From whom, to whom, and what.
type Letter = (usize, usize, Channel, Vec<u8>);

/// Four replicas on lines that take their time.
struct Lines {
    town: Town,
    post: BTreeMap<(u64, u64), Letter>,
    sequence: u64,
    /// How long a message takes, by whom it is from.
    delay: [u64; 4],
}

impl Lines {
    fn new(delay: [u64; 4]) -> Self {
        Self { town: Town::new(), post: BTreeMap::new(), sequence: 0, delay }
    }

    fn advance(&mut self) {
        for (from, to, channel, bytes) in core::mem::take(&mut self.town.mail) {
            self.sequence += 1;
            let due = self.town.now + self.delay[from];
            self.post.insert((due, self.sequence), (from, to, channel, bytes));
        }
        let alarm = self.town.nodes.iter().filter(|node| node.replica.is_some());
        let alarm = alarm.flat_map(|node| node.alarms.values().copied()).min();
        match self.post.first_key_value() {
            Some(((due, _), _)) if alarm.is_none_or(|at| *due <= at) => {
                let ((due, _), letter) = self.post.pop_first().unwrap();
                self.town.now = self.town.now.max(due);
                self.town.mail.push_back(letter);
                self.town.advance();
            }
            Some(_) | None => self.town.advance(),
        }
    }

    fn reaches(&mut self, nodes: &[usize], height: u64, within: u64) -> bool {
        let deadline = self.town.now + within;
        while nodes.iter().any(|n| self.town.height(*n) < height) {
            if self.town.now > deadline {
                return false;
            }
            self.advance();
        }
        true
    }

    fn rounds(&self, heights: core::ops::RangeInclusive<u64>) -> Vec<u32> {
        let disk = &self.town.nodes[0].disk;
        heights.map(|h| query::certificate(disk, Height(h)).unwrap().round.0).collect()
    }
}

#[test]
fn a_slow_network_is_learned_and_then_every_height_takes_one_round() {
    // N-10: 600 ms there and 600 ms back, where genesis expects a proposal within 300 ms.
    let mut lines = Lines::new([600; 4]);
    assert!(lines.reaches(&[0, 1, 2, 3], 30, 300_000), "{}", lines.town.height(0));
    let early: u32 = lines.rounds(1..=8).iter().sum();
    let late = lines.rounds(21..=30);
    assert!(early > 0, "the test's network is not slow");
    assert_eq!(late, vec![0; 10], "it is still not learned; the first took {early} rounds more");
}

#[test]
fn a_round_trip_of_300_ms_commits() {
    let mut lines = Lines::new([150; 4]);
    assert!(lines.reaches(&[0, 1, 2, 3], 20, 60_000), "{}", lines.town.height(0));
    assert_eq!(lines.rounds(1..=20), vec![0; 20]);
}

#[test]
fn one_slow_line_does_not_slow_the_others_turns() {
    let mut lines = Lines::new([10, 10, 10, 700]);
    assert!(lines.reaches(&[0, 1, 2], 40, 200_000));
    let replica = lines.town.nodes[0].replica.as_ref().unwrap();
    for seat in 0..3 {
        assert_eq!(replica.patience.for_proposal(Round(0), seat, true), 300);
    }
    for (height, round) in (1..=40).zip(lines.rounds(1..=40)) {
        assert!(round <= u32::from(height % 4 == 3), "round {round} at height {height}");
    }
}

#[test]
fn a_body_that_overtakes_the_votes_before_it_is_kept() {
    let mut town = Town::new();
    assert!(town.reaches(&[0, 1, 2, 3], 3));
    // Nothing reaches node 3 but bodies, until the others have decided two heights without it.
    let mut held = VecDeque::new();
    for height in [4, 5] {
        while (0..3).any(|n| town.height(n) < height) {
            for letter in core::mem::take(&mut town.mail) {
                let (_, to, channel, _) = letter;
                let is_late = to == 3 && channel != Channel::Proposals;
                if is_late { held.push_back(letter) } else { town.mail.push_back(letter) }
            }
            town.advance();
        }
        // So that they do not rest in between.
        town.submit(0, tx(town.chain, height, vec![issue(height)]));
    }
    assert_eq!(town.height(3), 3);
    let (now, spoken) = (town.now, town.nodes[3].did.len());
    held.append(&mut town.mail);
    town.mail = held;
    while town.height(3) < 5 && !town.mail.is_empty() {
        town.advance();
    }
    assert_eq!((town.height(3), town.now), (5, now), "it waits for nothing");
    let asks = |effect: &Effect| matches!(effect, Effect::Send(_, Channel::Sync, _));
    assert!(!town.nodes[3].did[spoken..].iter().any(asks), "and asks nobody");
}

#[test]
fn a_dead_leader_costs_less_than_one_round_timeout() {
    let timing = genesis().timing;
    let whole = u64::from(timing.propose_ms + timing.vote_ms);
    for dead in 0..4 {
        let mut town = Town::new();
        assert!(town.reaches(&[0, 1, 2, 3], 2));
        town.stop(dead);
        let others: Vec<usize> = (0..4).filter(|n| *n != dead).collect();
        let (from, start) = (town.height(others[0]), town.now);
        assert!(town.reaches(&others, from + 8));
        // Two of eight turns are its own; at rest nothing is waited for but the idle time.
        let cost = (town.now - start).saturating_sub(8 * u64::from(IDLE_MS)) / 2;
        assert!(cost < whole / 2, "{dead}: a turn of the dead costs {cost} ms of {whole}");
    }
}

#[test]
fn a_leader_that_hangs_with_its_line_open_costs_one_round_timeout_at_most() {
    let timing = genesis().timing;
    let whole = u64::from(timing.propose_ms + timing.vote_ms + timing.round_step_ms);
    for hung in 0..4 {
        let mut town = Town::new();
        assert!(town.reaches(&[0, 1, 2, 3], 2));
        // Nobody notices a lost line: its mail is swallowed.
        town.silent.insert(hung);
        let others: Vec<usize> = (0..4).filter(|n| *n != hung).collect();
        let mut worst = 0;
        for _ in 0..8 {
            let (height, start) = (town.height(others[0]), town.now);
            assert!(town.reaches(&others, height + 1));
            worst = worst.max(town.now - start);
        }
        assert!(worst <= whole + u64::from(IDLE_MS) + 50, "{hung}: {worst} ms");
    }
}

#[test]
fn a_leader_that_comes_back_in_its_turn_is_waited_for() {
    let mut town = Town::new();
    assert!(town.reaches(&[0, 1, 2, 3], 1));
    while town.nodes[0].replica.as_ref().unwrap().progress != Progress::Deciding {
        town.advance();
    }
    let (round, seat) = town.nodes[0].replica.as_ref().unwrap().turn.unwrap();
    assert_eq!((round, seat), (Round(0), 2));
    let timer = Wake::Round(Timer { kind: consensus::TimerKind::Propose, round });
    let last = |town: &Town| {
        let set = town.nodes[0].did.iter().rev();
        let mut set = set.filter_map(|effect| {
            if let Effect::Set(wake, delay) = effect
                && *wake == timer
            {
                Some(*delay)
            } else {
                None
            }
        });
        set.next().unwrap()
    };
    town.mail.clear();
    assert_eq!(last(&town), 300);
    town.step(0, Event::Lost(peer(2)));
    assert_eq!(last(&town), 100, "it went: shorter");
    let before = town.nodes[0].did.len();
    town.step(0, Event::Connected(peer(2)));
    town.step(0, Event::Lost(peer(2)));
    let again = town.nodes[0].did[before..].iter();
    let again = again.filter(|e| matches!(e, Effect::Set(wake, _) if *wake == timer)).count();
    assert_eq!(again, 0, "once a round, however often the line comes and goes");
}

#[test]
fn whoever_was_away_for_rounds_joins_the_one_under_way_at_once() {
    // 1 and 2 are at round 5 of height 1; 0 hears only two votes of it, which is more than may be lying.
    for rounds in [1, 5, 9] {
        let mut town = Town::asleep();
        town.start(0);
        let vote = |seat: u16, step| {
            let vote = Vote { height: Height(1), round: Round(rounds), step, block: None, seat };
            Message::Vote(vote, vote.sign(&town.chain, &secret(1, usize::from(seat))))
        };
        let (one, two) = (vote(1, Step::Prevote), vote(2, Step::Precommit));
        let at = |town: &Town| town.nodes[0].replica.as_ref().unwrap().engine.at().1;
        town.step(0, Event::Received(peer(1), Received::Message(one)));
        assert_eq!(at(&town), Round(0), "one may be lying");
        let before = town.now;
        town.step(0, Event::Received(peer(2), Received::Message(two)));
        assert_eq!((at(&town), town.now), (Round(rounds), before));
    }
}

#[test]
fn an_early_proposal_is_kept_for_its_round() {
    // Seat 3 proposes in round 2 of height 1 (seat 1 has round 0). Node 0 hears it in round 0.
    let mut town = Town::asleep();
    town.start(0);
    let block = town.block(0, 0, 3);
    let proposal = Proposal {
        height: Height(1),
        round: Round(2),
        block: block.id(),
        valid_round: None,
        seat: 3,
    };
    let message = Message::Proposal(proposal, proposal.sign(&town.chain, &secret(1, 3)));
    town.step(0, Event::Received(peer(3), Received::Message(message)));
    town.step(0, Event::Received(peer(3), Received::Block(Box::new(block.clone()))));
    let signed = |town: &Town| {
        let did = town.nodes[0].did.iter();
        let mut did = did.filter_map(|effect| {
            if let Effect::Sign(signed) = effect
                && signed.round == Round(2)
            {
                Some(signed.block)
            } else {
                None
            }
        });
        did.next()
    };
    assert_eq!(signed(&town), None);
    for seat in [1, 2] {
        let vote =
            Vote { height: Height(1), round: Round(2), step: Step::Prevote, block: None, seat };
        let vote = Message::Vote(vote, vote.sign(&town.chain, &secret(1, usize::from(seat))));
        town.step(0, Event::Received(peer(usize::from(seat)), Received::Message(vote)));
    }
    assert_eq!(signed(&town), Some(Some(block.id())), "voted for when its round begins");
}

#[test]
fn no_pattern_of_restarts_stops_the_chain() {
    // A hundred patterns of one to four nodes that restart at any point of a round, some together, some a moment apart.
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut roll = |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    for pattern in 0..100 {
        let mut town = Town::new();
        for _ in 0..=roll(3) {
            (0..roll(60)).for_each(|_| town.advance());
            let together = roll(2) == 0;
            let nodes: Vec<usize> = (0..4).filter(|_| roll(4) > 0).collect();
            if together {
                for n in &nodes {
                    town.nodes[*n].replica = None;
                    town.mail.retain(|(_, to, ..)| to != n);
                }
                for n in &nodes {
                    for other in 0..4 {
                        town.step(other, Event::Lost(peer(*n)));
                    }
                }
                nodes.iter().for_each(|n| town.start(*n));
            } else {
                for n in &nodes {
                    town.stop(*n);
                    (0..roll(8)).for_each(|_| town.advance());
                    town.start(*n);
                }
            }
        }
        let (height, start) = ((0..4).map(|n| town.height(n)).max().unwrap(), town.now);
        assert!(town.reaches(&[0, 1, 2, 3], height + 2), "pattern {pattern} stops the chain");
        let took = town.now - start;
        assert!(took < 5000, "pattern {pattern}: {took} ms for two blocks");
    }
}

#[test]
fn a_node_that_was_paused_rejoins_and_its_old_votes_count_for_nothing() {
    // node 3 stands still for 10 s, 60 s and 10 minutes, then hears everything that was sent meanwhile, and rings
    // alarms long past.
    for seconds in [10, 60, 600] {
        let mut town = Town::new();
        assert!(town.reaches(&[0, 1, 2, 3], 3));
        let frozen = town.nodes[3].replica.take();
        let alarms = core::mem::take(&mut town.nodes[3].alarms);
        // What it was about to say when it stopped: a vote of a height long decided.
        let height = Height(town.height(3) + 1);
        let old = Vote { height, round: Round(0), step: Step::Precommit, block: None, seat: 3 };
        let old = Message::Vote(old, old.sign(&town.chain, &secret(1, 3)));
        town.run_for(seconds * 1000);
        let decided = town.height(0);
        assert!(decided > 3 + seconds, "the others went on");
        town.nodes[3].replica = frozen;
        town.nodes[3].alarms = alarms;
        let before = town.nodes[0].did.len();
        town.step(0, Event::Received(peer(3), Received::Message(old)));
        assert_eq!(town.nodes[0].did.len(), before, "an old vote is heard, and nothing follows");
        let start = town.now;
        assert!(town.reaches(&[3], decided), "{seconds} s");
        assert!(town.now - start < 10_000, "{seconds} s: {} ms", town.now - start);
        // And it votes again.
        let from = town.nodes[3].did.len();
        let height = town.height(0) + 4;
        assert!(town.reaches(&[0, 1, 2, 3], height));
        let signs = town.nodes[3].did[from..].iter().any(|e| matches!(e, Effect::Sign(_)));
        assert!(signs, "{seconds} s: it follows without voting");
    }
}
