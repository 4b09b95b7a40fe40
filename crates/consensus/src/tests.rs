//! Scenarios against [`Engine::step`] alone: no blocks, no network, no clock.

use super::*;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use types::{
    AgencyCode, Hash, Validator,
    hash::{Purpose, hash},
    vote::Step,
};

const CHAIN: ChainId = ChainId(Hash([7; 32]));
const ONE: Height = Height(1);

fn secret(n: usize) -> SecretKey {
    SecretKey::from_seed([u8::try_from(n + 1).unwrap(); 32])
}

fn start(height: Height) -> Start {
    let seat = |n: usize| Validator {
        agency: AgencyCode::new("11350000MXDEX0015L").unwrap(),
        name: format!("机构{n}").parse().unwrap(),
        key: secret(n).public(),
    };
    Start { height, committee: Committee::new((0..4).map(seat).collect()).unwrap() }
}

fn identity(n: usize) -> Identity {
    Identity { chain: CHAIN, secret: secret(n), vote_from: Height::GENESIS }
}

fn block(height: Height, round: Round, maker: usize) -> BlockId {
    let maker = u64::try_from(maker).unwrap();
    let bytes = [height.0, u64::from(round.0), maker].map(u64::to_le_bytes).concat();
    BlockId(hash(Purpose::Trace, &[&bytes]))
}

fn vote(n: usize, round: u32, step: Step, block: Option<BlockId>) -> Message {
    let seat = u16::try_from(n).unwrap();
    let vote = Vote { height: ONE, round: Round(round), step, block, seat };
    Message::Vote(vote, vote.sign(&CHAIN, &secret(n)))
}

fn proposal(n: usize, round: u32, block: BlockId) -> Message {
    let seat = u16::try_from(n).unwrap();
    let proposal = Proposal { height: ONE, round: Round(round), block, valid_round: None, seat };
    Message::Proposal(proposal, proposal.sign(&CHAIN, &secret(n)))
}

/// Four engines and the mail between them.
struct Four {
    engines: Vec<Engine>,
    journals: Vec<Vec<Entry>>,
    timers: Vec<BTreeSet<Timer>>,
    mail: VecDeque<(usize, Input)>,
    said: Vec<Message>,
    blocks: Vec<Input>,
    spoken: BTreeMap<(u16, u8, Height, Round), Option<BlockId>>,
    decided: Vec<BTreeMap<Height, BlockId>>,
    accused: BTreeSet<u16>,
    /// Who crashes, and before which of its actions.
    doomed: Option<(usize, usize)>,
    actions: Vec<usize>,
    deaf: BTreeSet<usize>,
}

impl Four {
    fn new(doomed: Option<(usize, usize)>) -> Self {
        let mut four = Self {
            engines: Vec::new(),
            journals: vec![Vec::new(); 4],
            timers: vec![BTreeSet::new(); 4],
            mail: VecDeque::new(),
            said: Vec::new(),
            blocks: Vec::new(),
            spoken: BTreeMap::new(),
            decided: vec![BTreeMap::new(); 4],
            accused: BTreeSet::new(),
            doomed,
            actions: vec![0; 4],
            deaf: BTreeSet::new(),
        };
        let all: Vec<_> =
            (0..4).map(|n| Engine::restore(identity(n), start(ONE), &[]).unwrap()).collect();
        let mut todo = Vec::new();
        for (engine, actions) in all {
            four.engines.push(engine);
            todo.push(actions);
        }
        for (n, actions) in todo.into_iter().enumerate() {
            four.perform(n, actions);
        }
        four
    }

    fn perform(&mut self, n: usize, actions: Vec<Action>) {
        for action in actions {
            if self.doomed == Some((n, self.actions[n])) {
                self.doomed = None;
                return self.restart(n);
            }
            self.actions[n] += 1;
            match action {
                Action::Journal(entry) => self.journals[n].push(entry),
                Action::Broadcast(message) => self.hear(n, &message),
                Action::Set(timer) => self.timers[n].extend([timer]),
                Action::Cancel(timer) => self.timers[n].retain(|other| *other != timer),
                Action::CancelAll => self.timers[n].clear(),
                Action::Propose { height, round } => {
                    // What is built after a restart is another block.
                    let block = block(height, round, n + 10 * self.journals[n].len());
                    let judged = Input::Judged { height, round, block, valid: true };
                    self.blocks.push(judged.clone());
                    self.mail.extend((0..4).filter(|m| *m != n).map(|m| (m, judged.clone())));
                    let actions =
                        self.engines[n].step(Input::Propose { height, round, block }).unwrap();
                    self.perform(n, actions);
                }
                Action::Decide(certificate) => {
                    certificate.verify(&CHAIN, &start(ONE).committee).unwrap();
                    let (height, block) = (certificate.height, certificate.block);
                    for other in &self.decided {
                        assert!(other.get(&height).is_none_or(|theirs| *theirs == block), "a fork");
                    }
                    self.decided[n].insert(height, block);
                    self.journals[n].clear();
                    let actions = self.engines[n].step(Input::Start(start(height.next()))).unwrap();
                    self.perform(n, actions);
                    // What is left of the list is of a height that is over.
                    return;
                }
                Action::Accuse(Evidence::Votes([(one, a), (two, b)])) => {
                    assert!(
                        one.block != two.block && (one.step, one.round) == (two.step, two.round)
                    );
                    one.check(&CHAIN, &start(ONE).committee, &a).unwrap();
                    two.check(&CHAIN, &start(ONE).committee, &b).unwrap();
                    self.accused.insert(one.seat);
                }
                Action::Accuse(Evidence::Proposals([(one, _), _])) => {
                    self.accused.insert(one.seat);
                }
                Action::Sign(_) | Action::Round { .. } | Action::Restream(_) => {}
            }
        }
    }

    fn hear(&mut self, n: usize, message: &Message) {
        let (key, block) = match message {
            Message::Vote(vote, _) => {
                ((vote.seat, vote.step as u8, vote.height, vote.round), vote.block)
            }
            Message::Proposal(p, _) => ((p.seat, 2, p.height, p.round), Some(p.block)),
            Message::Polka { .. } | Message::RoundChange { .. } => {
                ((u16::MAX, 3, ONE, Round(0)), None)
            }
        };
        assert_eq!(*self.spoken.entry(key).or_insert(block), block, "two words for {key:?}");
        self.said.push(message.clone());
        let others =
            (0..4).filter(|m| *m != n && !self.deaf.contains(m) && !self.deaf.contains(&n));
        self.mail.extend(others.map(|m| (m, Input::Message(message.clone()))));
    }

    /// Back from the journal; the neighbours say again what they said, and offer the blocks again.
    fn restart(&mut self, n: usize) {
        self.timers[n].clear();
        let height = self.decided[n].keys().max().map_or(ONE, |height| height.next());
        let (engine, actions) =
            Engine::restore(identity(n), start(height), &self.journals[n]).unwrap();
        self.engines[n] = engine;
        self.perform(n, actions);
        self.mail.extend(self.blocks.iter().map(|judged| (n, judged.clone())));
        self.mail.extend(self.said.iter().map(|message| (n, Input::Message(message.clone()))));
    }

    fn step(&mut self, n: usize, input: Input) {
        let height = self.engines[n].at().0;
        // Blocks of other heights never come this far.
        if !matches!(&input, Input::Judged { height: h, .. } if *h != height) {
            let actions = self.engines[n].step(input).unwrap();
            self.perform(n, actions);
        }
    }

    fn reaches(&mut self, nodes: &[usize], height: u64) -> bool {
        for _ in 0..20_000 {
            if nodes.iter().all(|n| self.decided[*n].contains_key(&Height(height))) {
                return true;
            }
            if let Some((n, input)) = self.mail.pop_front() {
                self.step(n, input);
                continue;
            }
            for n in 0..4 {
                for timer in core::mem::take(&mut self.timers[n]) {
                    self.step(n, Input::Elapsed(timer));
                }
            }
        }
        false
    }
}

#[test]
fn four_engines_decide_one_height_after_another() {
    let mut four = Four::new(None);
    assert!(four.reaches(&[0, 1, 2, 3], 10));
    assert!(four.accused.is_empty());
}

#[test]
fn three_engines_decide_without_the_fourth() {
    let mut four = Four::new(None);
    four.deaf.insert(1);
    four.mail.retain(|(n, _)| *n != 1);
    assert!(four.reaches(&[0, 2, 3], 5));
}

#[test]
fn a_restart_does_not_vote_twice() {
    // Whoever crashes before whichever of its actions, it says nothing else than before, and the chain is one.
    for n in [0, 1, 2] {
        let mut plain = Four::new(None);
        assert!(plain.reaches(&[0, 1, 2, 3], 3));
        for at in 0..plain.actions[n] {
            let mut four = Four::new(Some((n, at)));
            let others: Vec<usize> = (0..4).filter(|m| *m != n).collect();
            assert!(four.reaches(&others, 3), "seat {n}, action {at}");
            assert!(four.accused.is_empty(), "seat {n}, action {at}");
        }
    }
}

/// What one engine of height 1 does when it hears this: its own votes, in words.
fn check(n: usize, inputs: Vec<Input>) -> Vec<String> {
    let (mut engine, actions) = Engine::restore(identity(n), start(ONE), &[]).unwrap();
    let mut all = actions;
    for input in inputs {
        all.extend(engine.step(input).unwrap());
    }
    let mut journalled = Vec::new();
    let mut said = Vec::new();
    for action in all {
        match action {
            Action::Journal(Entry::Message(message)) => journalled.push(message),
            Action::Broadcast(Message::Vote(vote, signature)) => {
                let message = Message::Vote(vote, signature);
                assert!(journalled.contains(&message), "said before it was remembered");
                let what = if vote.block.is_some() { "block" } else { "nil" };
                said.push(format!("{:?} {} {what}", vote.step, vote.round).to_lowercase());
            }
            Action::Decide(_) => said.push("decide".into()),
            Action::Accuse(_) => said.push("accuse".into()),
            Action::Round { round, .. } if round > Round(0) => said.push(format!("round {round}")),
            Action::Sign(_)
            | Action::Journal(_)
            | Action::Broadcast(_)
            | Action::Set(_)
            | Action::Cancel(_)
            | Action::CancelAll
            | Action::Round { .. }
            | Action::Propose { .. }
            | Action::Restream(_) => {}
        }
    }
    said
}

fn elapsed(kind: TimerKind, round: u32) -> Input {
    Input::Elapsed(Timer { kind, round: Round(round) })
}

fn judged(round: u32, block: BlockId, valid: bool) -> Input {
    Input::Judged { height: ONE, round: Round(round), block, valid }
}

#[test]
fn one_engine_says_what_the_protocol_asks() {
    use Step::{Precommit, Prevote};
    // Seat 1 proposes in round 0 of height 1; we are seat 0.
    let (a, b) = (block(ONE, Round(0), 1), block(ONE, Round(0), 2));
    let hear = |message| Input::Message(message);
    let votes = |round, step, block| (1..4).map(move |n| hear(vote(n, round, step, block)));
    let good = || vec![hear(proposal(1, 0, a)), judged(0, a, true)];
    let with = |mut first: Vec<Input>, more: Vec<Input>| {
        first.extend(more);
        first
    };
    for (inputs, want) in [
        (vec![], ""),
        (good(), "prevote 0 block"),
        (vec![judged(0, a, true), hear(proposal(1, 0, a))], "prevote 0 block"),
        (vec![hear(proposal(1, 0, a)), judged(0, a, false)], "prevote 0 nil"),
        (vec![hear(proposal(2, 0, a)), judged(0, a, true)], ""),
        (vec![elapsed(TimerKind::Propose, 0)], "prevote 0 nil"),
        (vec![elapsed(TimerKind::Propose, 1)], ""),
        (with(good(), vec![elapsed(TimerKind::Propose, 0)]), "prevote 0 block"),
        (with(good(), votes(0, Prevote, Some(a)).collect()), "prevote 0 block, precommit 0 block"),
        (
            with(vec![elapsed(TimerKind::Propose, 0)], votes(0, Prevote, None).collect()),
            "prevote 0 nil, precommit 0 nil",
        ),
        (with(good(), votes(0, Precommit, Some(a)).collect()), "prevote 0 block, decide"),
        // Precommits for a block that nobody showed us decide nothing here.
        (votes(0, Precommit, Some(a)).collect(), ""),
        (
            with(votes(0, Precommit, None).collect(), vec![elapsed(TimerKind::Precommit, 0)]),
            "round 1",
        ),
        // Round 1 at the word of two, for one of them may lie; not at the word of one.
        (vec![hear(vote(1, 1, Prevote, None))], ""),
        (vec![hear(vote(1, 1, Prevote, None)), hear(vote(2, 1, Prevote, None))], "round 1"),
        (vec![hear(vote(1, u32::MAX, Prevote, None)), hear(vote(2, u32::MAX, Prevote, None))], ""),
        (
            vec![hear(vote(1, 1_000_000, Prevote, None)), hear(vote(2, 1_000_000, Prevote, None))],
            "",
        ),
        // Two proposals of one seat: the first is voted for, and the seat is accused.
        (
            with(
                with(good(), vec![hear(proposal(1, 0, b)), judged(0, b, true)]),
                votes(0, Precommit, Some(a)).collect(),
            ),
            "prevote 0 block, accuse, decide",
        ),
        // The same of two votes, once; also when the second comes when the height is over.
        (
            vec![
                hear(vote(1, 0, Prevote, Some(a))),
                Input::Start(start(Height(2))),
                hear(vote(1, 0, Prevote, None)),
                hear(vote(1, 0, Prevote, Some(b))),
            ],
            "accuse",
        ),
        // Locked on a: b is not prevoted in the next round.
        (
            with(
                with(good(), votes(0, Prevote, Some(a)).collect()),
                with(
                    votes(0, Precommit, None).collect(),
                    vec![
                        elapsed(TimerKind::Precommit, 0),
                        hear(proposal(2, 1, b)),
                        judged(1, b, true),
                    ],
                ),
            ),
            "prevote 0 block, precommit 0 block, round 1, prevote 1 nil",
        ),
    ] {
        let shown = format!("{inputs:?}");
        assert_eq!(check(0, inputs).join(", "), want, "{shown:.300}");
    }
}

#[test]
fn a_certificate_counts_only_if_every_part_of_it_is_good() {
    use Step::{Precommit, Prevote};
    let a = block(ONE, Round(0), 1);
    let sign = |n: usize, step, block| {
        let seat = u16::try_from(n).unwrap();
        Vote { height: ONE, round: Round(1), step, block, seat }.sign(&CHAIN, &secret(n))
    };
    let polka = |seats: &[usize], by: fn(usize) -> usize| {
        let signatures =
            seats.iter().map(|n| (u16::try_from(*n).unwrap(), sign(by(*n), Prevote, Some(a))));
        let signatures = signatures.collect();
        vec![Input::Message(Message::Polka { height: ONE, round: Round(1), block: a, signatures })]
    };
    let change = |skip, step, seats: &[usize], by: fn(usize) -> usize| {
        let votes = seats
            .iter()
            .map(|n| (u16::try_from(*n).unwrap(), step, None, sign(by(*n), step, None)))
            .collect();
        vec![Input::Message(Message::RoundChange { height: ONE, round: Round(1), skip, votes })]
    };
    let own: fn(usize) -> usize = |n| n;
    let other: fn(usize) -> usize = |n| (n + 1) % 4;
    for (inputs, want) in [
        (polka(&[1, 2, 3], own), "round 1"),
        (polka(&[1, 2], own), ""),
        (polka(&[1, 2, 2], own), ""),
        (polka(&[1, 2, 3], other), ""),
        (polka(&[1, 2, 3], |n| n.min(2)), ""),
        (change(true, Prevote, &[1, 2], own), "round 1"),
        (change(true, Prevote, &[1], own), ""),
        (change(true, Prevote, &[1, 1], own), ""),
        (change(true, Prevote, &[1, 2], other), ""),
        (change(true, Prevote, &[], own), ""),
        (change(false, Prevote, &[1, 2, 3], own), ""),
        (change(false, Precommit, &[1, 2], own), ""),
        (change(false, Precommit, &[1, 2, 3], own), "round 1"),
    ] {
        let shown = format!("{inputs:?}");
        assert_eq!(check(0, inputs).join(", "), want, "{shown:.300}");
    }
    let outside = Message::Polka {
        height: ONE,
        round: Round(1),
        block: a,
        signatures: [1, 2, 7].map(|n| (n, sign(1, Prevote, Some(a)))).to_vec(),
    };
    assert!(check(0, vec![Input::Message(outside)]).is_empty());
}

#[test]
fn a_node_without_a_seat_follows_and_never_speaks() {
    let a = block(ONE, Round(0), 1);
    let mut inputs = vec![Input::Message(proposal(1, 0, a)), judged(0, a, true)];
    for step in [Step::Prevote, Step::Precommit] {
        inputs.extend((0..3).map(|n| Input::Message(vote(n, 0, step, Some(a)))));
    }
    assert_eq!(check(9, inputs), ["decide"]);
    let (mut engine, _) = Engine::restore(identity(9), start(ONE), &[]).unwrap();
    for kind in [TimerKind::Propose, TimerKind::Rebroadcast] {
        let actions = engine.step(elapsed(kind, 0)).unwrap();
        assert!(!actions.iter().any(|action| matches!(action, Action::Broadcast(_))), "{kind:?}");
    }
}

#[test]
fn messages_that_come_early_are_kept_for_each_seat_alike() {
    let (mut engine, _) = Engine::restore(identity(0), start(ONE), &[]).unwrap();
    let early = |n: usize, round: u32, height: u64| {
        let (height, round, seat) = (Height(height), Round(round), u16::try_from(n).unwrap());
        let vote = Vote { height, round, step: Step::Precommit, block: None, seat };
        (vote, vote.sign(&CHAIN, &secret(n)))
    };
    // One seat says all it can; another's name is forged; the third is heard all the same.
    for round in 0..600 {
        let (vote, signature) = early(3, round, 2);
        assert!(engine.step(Input::Message(Message::Vote(vote, signature))).unwrap().is_empty());
        let forged = Vote { seat: 2, ..vote };
        assert!(!engine.vouches(&Message::Vote(forged, signature)));
        engine.step(Input::Message(Message::Vote(forged, signature))).unwrap();
    }
    let (far, signature) = early(1, 0, u64::MAX);
    engine.step(Input::Message(Message::Vote(far, signature))).unwrap();
    let (heard, signature) = early(1, 0, 2);
    engine.step(Input::Message(Message::Vote(heard, signature))).unwrap();
    let actions = engine.step(Input::Start(start(Height(2)))).unwrap();
    let seats: Vec<u16> = actions
        .iter()
        .filter_map(|action| {
            let Action::Journal(Entry::Message(Message::Vote(vote, _))) = action else {
                return None;
            };
            Some(vote.seat)
        })
        .collect();
    assert_eq!(seats, [3, 3, 3, 3, 3, 3, 1]);
}

#[test]
fn certificates_that_come_early_take_no_place_of_those_they_name() {
    let (mut engine, _) = Engine::restore(identity(0), start(ONE), &[]).unwrap();
    let two = Height(2);
    let sign = |n: usize, round: u32, step, block| {
        let (round, seat) = (Round(round), u16::try_from(n).unwrap());
        let vote = Vote { height: two, round, step, block, seat };
        (vote, vote.sign(&CHAIN, &secret(n)))
    };
    // A prevote of seat 1 goes before what nobody signed, again and again.
    let a = block(two, Round(0), 1);
    let (_, heard) = sign(1, 0, Step::Prevote, Some(a));
    for n in 0..20 {
        let (_, junk) = sign(2, n, Step::Precommit, None);
        let signatures = vec![(1, heard), (2, junk), (3, junk)];
        let polka = Message::Polka { height: two, round: Round(0), block: a, signatures };
        engine.step(Input::Message(polka)).unwrap();
    }
    assert_eq!(engine.speakers(two), BTreeSet::new());
    let (vote, signature) = sign(1, 0, Step::Precommit, None);
    engine.step(Input::Message(Message::Vote(vote, signature))).unwrap();
    assert_eq!(engine.speakers(two), BTreeSet::from([1]));
    // Of those that are good, the one of the latest round is kept.
    for (round, seats) in [(1, [1, 2]), (2, [2, 3]), (1, [1, 3])] {
        let votes = seats.map(|n| {
            let (vote, signature) = sign(n, round, Step::Prevote, None);
            (vote.seat, vote.step, vote.block, signature)
        });
        let (height, round, votes) = (two, Round(round), votes.to_vec());
        let change = Message::RoundChange { height, round, skip: true, votes };
        engine.step(Input::Message(change)).unwrap();
    }
    assert_eq!(engine.speakers(two), BTreeSet::from([1, 2, 3]));
    let actions = engine.step(Input::Start(start(two))).unwrap();
    let entry = Entry::Message(Message::Vote(vote, signature));
    assert!(actions.contains(&Action::Journal(entry)), "{actions:?}");
    assert_eq!(engine.at(), (two, Round(2)));
}

#[test]
fn what_is_said_of_a_height_to_come_is_judged_by_its_own_committee() {
    // Seat 0 leaves, those behind it move up, and another key takes the last seat.
    let mut seats: Vec<_> =
        start(ONE).committee.seats().map(|(_, validator)| validator.clone()).collect();
    let last = Validator { key: secret(4).public(), ..seats.remove(0) };
    seats.push(last);
    let (two, after) = (Height(2), Committee::new(seats).unwrap());
    let vote = |n: usize, round: u32| {
        let (round, step) = (Round(round), Step::Precommit);
        let vote = Vote { height: two, round, step, block: None, seat: 3 };
        Message::Vote(vote, vote.sign(&CHAIN, &secret(n)))
    };
    let (mut engine, _) = Engine::restore(identity(1), start(ONE), &[]).unwrap();
    // Who sits there until then takes all the places of the seat.
    for round in 0..10 {
        engine.step(Input::Message(vote(3, round))).unwrap();
    }
    assert!(engine.vouches(&vote(3, 0)) && !engine.vouches(&vote(4, 0)));
    assert_eq!(engine.speakers(two), BTreeSet::from([3]));
    engine.announce(two, &after);
    assert!(!engine.vouches(&vote(3, 0)) && engine.vouches(&vote(4, 0)));
    assert_eq!(engine.speakers(two), BTreeSet::new());
    assert_eq!(engine.step(Input::Message(vote(4, 0))).unwrap(), [], "it convicts nobody");
    assert_eq!(engine.speakers(two), BTreeSet::from([3]));
    let begin = Start { height: two, committee: after };
    let actions = engine.step(Input::Start(begin)).unwrap();
    let entry = Entry::Message(vote(4, 0));
    assert!(actions.contains(&Action::Journal(entry)), "{actions:?}");
}

#[test]
fn a_journal_that_contradicts_itself_stops_the_engine() {
    // Our own prevote for nil is remembered, but what is remembered before it leads to one for the block.
    let a = block(ONE, Round(0), 1);
    let journal = [
        Entry::Message(vote(0, 0, Step::Prevote, None)),
        Entry::Message(proposal(1, 0, a)),
        Entry::Judged { height: ONE, round: Round(0), block: a, valid: true },
    ];
    assert!(Engine::restore(identity(0), start(ONE), &journal).is_err());
    // A journal of another height says nothing about this one.
    let (_, actions) = Engine::restore(identity(0), start(Height(2)), &journal).unwrap();
    assert!(!actions.iter().any(|action| matches!(action, Action::Broadcast(_))));
}

#[test]
fn what_is_signed_is_journalled_before_it_is_remembered_beside_the_key() {
    // Seat 2 saw a quorum for a block in round 0 that was not decided, and proposes it again in round 1.
    let (mut engine, mut actions) = Engine::restore(identity(2), start(ONE), &[]).unwrap();
    let old = block(ONE, Round(0), 1);
    let mut inputs = vec![Input::Message(proposal(1, 0, old)), judged(0, old, true)];
    for n in [0, 1, 3] {
        inputs.push(Input::Message(vote(n, 0, Step::Prevote, Some(old))));
    }
    for n in [0, 3] {
        inputs.push(Input::Message(vote(n, 0, Step::Precommit, None)));
    }
    inputs.push(elapsed(TimerKind::Precommit, 0));
    for input in inputs {
        actions.extend(engine.step(input).unwrap());
    }
    let (mut journalled, mut places) = (BTreeSet::new(), Vec::new());
    for action in actions {
        if let Action::Journal(Entry::Message(
            Message::Vote(_, signature) | Message::Proposal(_, signature),
        )) = &action
        {
            journalled.insert(*signature);
        }
        if let Action::Sign(signed) = action {
            assert!(journalled.contains(&signed.signature), "{signed:?}");
            places.push((signed.round.0, signed.step));
        }
    }
    assert_eq!(places, [(0, 1), (0, 2), (1, 0), (1, 1)]);
}

#[test]
fn a_restart_keeps_the_lock_and_the_round() {
    use Step::Prevote;
    // Seat 0 is locked on a block of round 0, and hears that more than may be lying are in round 1, where seat 2 proposes
    // another block.
    let (ours, other) = (block(ONE, Round(0), 1), block(ONE, Round(1), 2));
    let (mut engine, mut actions) = Engine::restore(identity(0), start(ONE), &[]).unwrap();
    let mut inputs = vec![Input::Message(proposal(1, 0, ours)), judged(0, ours, true)];
    inputs.extend([1, 2, 3].map(|n| Input::Message(vote(n, 0, Prevote, Some(ours)))));
    let later = |seat: u16| {
        let vote = Vote { height: ONE, round: Round(1), step: Prevote, block: None, seat };
        (seat, Prevote, None, vote.sign(&CHAIN, &secret(usize::from(seat))))
    };
    let votes = [1, 3].map(later).to_vec();
    let over = Message::RoundChange { height: ONE, round: Round(1), skip: true, votes };
    inputs.push(Input::Message(over));
    for input in inputs {
        actions.extend(engine.step(input).unwrap());
    }
    assert!(engine.holds(&ours));
    assert_eq!(engine.at(), (ONE, Round(1)));

    let journal: Vec<Entry> = actions
        .into_iter()
        .filter_map(|action| if let Action::Journal(entry) = action { Some(entry) } else { None })
        .collect();
    let (mut engine, _) = Engine::restore(identity(0), start(ONE), &journal).unwrap();
    assert!(engine.holds(&ours), "the lock is forgotten");
    assert_eq!(engine.at(), (ONE, Round(1)), "why the round was left is forgotten");
    let mut said = engine.step(Input::Message(proposal(2, 1, other))).unwrap();
    said.extend(engine.step(judged(1, other, true)).unwrap());
    let prevotes: Vec<_> = said
        .iter()
        .filter_map(|action| {
            let Action::Broadcast(Message::Vote(vote, _)) = action else { return None };
            (vote.step == Prevote).then_some(vote.block)
        })
        .collect();
    assert_eq!(prevotes, [None]);
}

#[test]
fn a_turn_that_was_taken_is_not_taken_again_after_a_restart() {
    let asks = |actions: &[Action]| actions.iter().any(|it| matches!(it, Action::Propose { .. }));
    let (mut engine, mut actions) = Engine::restore(identity(1), start(ONE), &[]).unwrap();
    assert!(asks(&actions), "seat 1 proposes in round 0");
    let (height, round) = (ONE, Round(0));
    let block = block(ONE, round, 1);
    actions.extend(engine.step(Input::Propose { height, round, block }).unwrap());
    let mut journal: Vec<Entry> = actions
        .into_iter()
        .filter_map(|action| if let Action::Journal(entry) = action { Some(entry) } else { None })
        .collect();
    assert!(!asks(&Engine::restore(identity(1), start(ONE), &journal).unwrap().1));
    // What the journal does not know of was not said.
    journal.clear();
    assert!(asks(&Engine::restore(identity(1), start(ONE), &journal).unwrap().1));
}
