//! One lie at a time, and two liars of four. Seat 1 leads round 0 of height 1, seat 2 round 1, and so on.

use crate::{
    net::{Net, proposal, vote},
    nouns::{CHAIN, ONE, block, committee, identity, judged, restored, secret, start},
};
use consensus::{Action, Charge, Engine, Evidence, Input, Timer, TimerKind, account};
use std::collections::BTreeSet;
use types::{
    AgencyCode, Certificate, ChainId, Domain, Hash, Height, Operation, Round, SecretKey, Signature,
    Transaction,
    vote::{Message, Proposal, Step, Vote},
};

const EVERYTHING: fn(usize, usize, &Message) -> bool = |_, _, _| true;

#[test]
fn of_two_proposals_of_one_leader_at_most_one_is_agreed_on_and_both_convict_it() {
    let (a, b) = (block(&[1]), block(&[2]));
    // Whom the leader shows which: every way of telling three engines one of two blocks first, or both.
    for pattern in 0..27 {
        let mut net = Net::new(&[0, 2, 3]);
        let shown = |n: usize| (pattern / [1, 0, 3, 9][n]) % 3;
        for n in [0, 2, 3] {
            let blocks = [vec![a], vec![b], vec![a, b]][shown(n)].clone();
            blocks.into_iter().for_each(|block| net.hear(n, &proposal(1, 0, block, None)));
        }
        // It votes for both, to everyone.
        for n in [0, 2, 3] {
            for (step, block) in [(Step::Prevote, a), (Step::Prevote, b)] {
                net.hear(n, &vote(1, 0, step, Some(block)));
            }
        }
        let mut turns = 0;
        while net.certificates.len() < 3 {
            net.settle(EVERYTHING);
            for kind in [TimerKind::Propose, TimerKind::Prevote, TimerKind::Precommit] {
                if net.certificates.len() < 3 {
                    net.ring(kind);
                    net.settle(EVERYTHING);
                }
            }
            // Those who cannot decide what they were not shown are shown it now; the block, for who asks for it.
            if net.certificates.len() < 3 {
                for n in [0, 2, 3] {
                    for block in [a, b] {
                        net.hear(n, &proposal(1, 0, block, None));
                    }
                }
            }
            turns += 1;
            assert!(turns < 8, "pattern {pattern}: stuck at {:?}", net.rounds());
        }
        let first: Vec<_> = net.certificates.values().map(|all| &all[0]).collect();
        assert!(first.windows(2).all(|pair| pair[0].block == pair[1].block), "{pattern}: a fork");
        // Two rounds after the liar's: the next leader may be the one who was shown the other block.
        assert!(first.iter().all(|one| one.round <= Round(2)), "{pattern}: within two rounds");
        // Everyone heard it vote for both, and says so once a place.
        for n in [0, 2, 3] {
            let places: Vec<_> = net
                .accused
                .iter()
                .filter(|(by, ..)| *by == n)
                .map(|(_, place, _)| *place)
                .collect();
            assert!(places.contains(&(ONE, Round(0), 1, 1)), "{pattern}: {n} says {places:?}");
            let distinct: BTreeSet<_> = places.iter().collect();
            assert_eq!(distinct.len(), places.len(), "{pattern}: said twice");
        }
        assert!(net.accused.iter().all(|(_, place, _)| place.3 == 1), "{pattern}");
    }
}

#[test]
fn a_hidden_lock_is_found_out_by_the_certificate() {
    // The shape of Malachite's Quint test `hiddenlock`. The leader, seat 1, shows seat 0 another block than seats 2 and 3,
    // and prevotes with 2 and 3 but nil to 0: the two lock, and seat 0 does not know.
    let (value, other) = (block(&[1]), block(&[2]));
    let mut net = Net::new(&[0, 2, 3]);
    net.hear(0, &proposal(1, 0, other, None));
    for n in [2, 3] {
        net.hear(n, &proposal(1, 0, value, None));
        net.hear(n, &vote(1, 0, Step::Prevote, Some(value)));
    }
    net.hear(0, &vote(1, 0, Step::Prevote, None));
    net.settle(|_, _, m| !matches!(m, Message::Polka { .. }));
    net.ring(TimerKind::Prevote);
    net.settle(|_, _, m| !matches!(m, Message::Polka { .. }));
    for n in [2, 3] {
        assert_eq!(net.voted(n, 0, Step::Precommit), Some(Some(value)), "{n} locks");
        assert!(net.engines[&n].holds(&value));
    }
    assert_eq!(net.voted(0, 0, Step::Precommit), Some(None), "the tested one does not");
    assert!(!net.engines[&0].holds(&value));
    net.ring(TimerKind::Precommit);
    // Round 1: seat 2 proposes its valid value again; the certificate for it does not reach seat 0, which votes nil.
    let hidden = |_: usize, to: usize, m: &Message| to != 0 || !matches!(m, Message::Polka { .. });
    net.settle(hidden);
    assert!(net.rounds().iter().all(|at| *at == (ONE, Round(1))), "{:?}", net.rounds());
    net.lose();
    net.hear(0, &vote(1, 0, Step::Prevote, Some(value)));
    net.ring(TimerKind::Propose);
    net.settle(hidden);
    assert_eq!(net.voted(3, 1, Step::Prevote), Some(Some(value)));
    // Seat 0 was given the prevotes that make the quorum of round 0 one by one, the liar's as the second it said.
    let zero = net.voted(0, 1, Step::Prevote);
    assert_ne!(zero, Some(Some(other)), "the block nobody locked on is dead");
    assert!(net.accused.iter().any(|(by, place, _)| (*by, *place) == (0, (ONE, Round(0), 1, 1))));
    // Whatever seat 0 said, with the certificate the height is decided, by round 2, and for the value.
    for _ in 0..6 {
        net.settle(EVERYTHING);
        for kind in [TimerKind::Propose, TimerKind::Prevote, TimerKind::Precommit] {
            if net.certificates.len() < 3 {
                net.ring(kind);
                net.settle(EVERYTHING);
            }
        }
        if net.certificates.len() == 3 {
            break;
        }
    }
    assert_eq!(net.certificates.len(), 3, "{:?}", net.rounds());
    for all in net.certificates.values() {
        assert_eq!(all[0].block, value);
        assert!(all[0].round <= Round(2), "{}", all[0].round);
    }
    // One liar, whose lies are known, and no other.
    assert!(net.accused.iter().all(|(_, place, _)| place.3 == 1));
}

#[test]
fn one_that_forgets_its_lock_changes_nothing() {
    // Seat 3 locks with 0 and 2 on the leader's block, and votes in round 1 for another as if it had not. It is one.
    let (a, b) = (block(&[1]), block(&[2]));
    let mut net = Net::new(&[0, 2]);
    for n in [0, 2] {
        net.hear(n, &proposal(1, 0, a, None));
        net.hear(n, &vote(3, 0, Step::Prevote, Some(a)));
    }
    net.settle(EVERYTHING);
    assert!([0, 2].iter().all(|n| net.engines[n].holds(&a)));
    // No third precommit for it: the leader votes nil.
    net.lose();
    for n in [0, 2] {
        net.hear(n, &vote(1, 0, Step::Precommit, None));
        net.hear(n, &vote(3, 0, Step::Precommit, None));
    }
    net.ring(TimerKind::Precommit);
    net.settle(EVERYTHING);
    // In round 3 it leads itself, and proposes b; both liars vote for it.
    for n in [0, 2] {
        net.hear(n, &vote(3, 1, Step::Prevote, Some(b)));
        net.hear(n, &vote(1, 1, Step::Prevote, Some(b)));
    }
    net.settle(EVERYTHING);
    for n in [0, 2] {
        assert_eq!(net.voted(n, 1, Step::Prevote), Some(Some(a)), "what is locked is voted for");
    }
    assert!(net.certificates.values().flatten().all(|one| one.block == a));
}

#[test]
fn two_liars_of_four_can_fork_and_are_both_convicted() {
    // The shape of Malachite's Quint test `disagreement`: seats 0 and 1 lie, 2 and 3 are shown different blocks.
    let (a, b) = (block(&[1]), block(&[2]));
    let mut net = Net::new(&[2, 3]);
    let mut heard = Vec::new();
    for (n, block) in [(2, a), (3, b)] {
        let mut tell = vec![proposal(1, 0, block, None)];
        for step in [Step::Prevote, Step::Precommit] {
            tell.extend([0, 1].map(|liar| vote(liar, 0, step, Some(block))));
        }
        tell.iter().for_each(|message| net.hear(n, message));
        heard.extend(tell);
    }
    let [two, three] = [2, 3].map(|n| net.certificates[&n][0].clone());
    assert_eq!((two.block, three.block), (a, b), "beyond f nothing is promised but this:");
    heard.extend(net.said.iter().map(|(_, message)| message.clone()));
    let account = account(&CHAIN, &committee(), [&two, &three], &heard).unwrap();
    assert!(account.charges.is_empty());
    assert_eq!(account.culprits(&CHAIN, &committee()), BTreeSet::from([0, 1]));
    // Of the certificates alone, too: whoever has both needs nothing else.
    let alone = consensus::account(&CHAIN, &committee(), [&three, &two], &[]).unwrap();
    assert_eq!(alone.culprits(&CHAIN, &committee()), BTreeSet::from([0, 1]));
    // And the honest ones find it out themselves as soon as they hear one another's liars.
    for message in heard {
        net.hear(2, &message);
    }
    let found: BTreeSet<u16> = net.accused.iter().map(|(_, place, _)| place.3).collect();
    assert_eq!(found, BTreeSet::from([0, 1]));
}

fn certificate(round: u32, block: types::BlockId, seats: &[usize]) -> Certificate {
    let sign = |seat: &usize| match vote(*seat, round, Step::Precommit, Some(block)) {
        Message::Vote(vote, signature) => (vote.seat, signature),
        Message::Proposal(..) | Message::Polka { .. } | Message::RoundChange { .. } => {
            unreachable!("it is a vote")
        }
    };
    let signatures = seats.iter().map(sign).collect();
    Certificate { height: ONE, round: Round(round), block, signatures }
}

fn polka(round: u32, block: types::BlockId, seats: &[usize]) -> Message {
    let sign = |seat: &usize| {
        let (height, round, step) = (ONE, Round(round), Step::Prevote);
        let seat16 = u16::try_from(*seat).unwrap();
        let vote = Vote { height, round, step, block: Some(block), seat: seat16 };
        (seat16, vote.sign(&CHAIN, &secret(*seat)))
    };
    let signatures = seats.iter().map(sign).collect();
    Message::Polka { height: ONE, round: Round(round), block, signatures }
}

#[test]
fn two_that_forget_their_locks_are_charged_and_who_did_not_can_answer() {
    // Seats 0 and 1 precommit a with 2, then prevote b with 3, never two things in one place: there is no evidence.
    let (a, b) = (block(&[1]), block(&[2]));
    let first = certificate(0, a, &[0, 1, 2]);
    let culprits = |second: &Certificate, shown: &[Message]| {
        let account = account(&CHAIN, &committee(), [&first, second], shown).unwrap();
        (account.culprits(&CHAIN, &committee()), account)
    };
    let second = certificate(1, b, &[0, 1, 3]);
    let (named, found) = culprits(&second, &[polka(1, b, &[0, 1, 3])]);
    assert_eq!(named, BTreeSet::from([0, 1]));
    assert!(found.evidence.is_empty(), "amnesia contradicts nothing word by word");
    assert!(found.charges.iter().all(|charge| matches!(charge, Charge::Forgotten { .. })));
    // Seat 2, which kept its lock while the two forgot theirs in round 1, follows that quorum in round 2, as it must.
    // Shown round 2 alone it is charged with them; it answers with the quorum of round 1, and is charged no more.
    let second = certificate(2, b, &[0, 2, 3]);
    let late = polka(2, b, &[0, 2, 3]);
    let (named, found) = culprits(&second, core::slice::from_ref(&late));
    assert_eq!(named, BTreeSet::from([0, 2]));
    let answer = polka(1, b, &[0, 1, 3]);
    let charged = |seat: u16| {
        let mine = |charge: &&Charge| charge.charges(&CHAIN, &committee()) == Some(seat);
        found.charges.iter().find(mine).unwrap()
    };
    assert!(charged(2).is_answered(&answer, &CHAIN, &committee()));
    for no_answer in [
        &late,
        &polka(1, a, &[0, 1, 3]),
        &polka(1, b, &[0, 1]),
        &polka(1, b, &[0, 1, 1]),
        &vote(2, 1, Step::Prevote, Some(b)),
    ] {
        assert!(!charged(2).is_answered(no_answer, &CHAIN, &committee()), "{no_answer:?}");
    }
    let (named, _) = culprits(&second, &[late, answer]);
    assert_eq!(named, BTreeSet::from([0, 1]), "f+1, and both of them liars");
    // Who precommits without any quorum is asked for it.
    let (named, found) = culprits(&certificate(1, b, &[0, 1, 3]), &[]);
    assert_eq!(named, BTreeSet::from([0, 1]));
    assert!(found.charges.iter().all(|charge| matches!(charge, Charge::Unfounded(_))));
    // Two quorums of prevotes in the round of the first certificate are evidence, once both are shown.
    let second = certificate(1, b, &[0, 1, 3]);
    let shown = [polka(0, b, &[0, 1, 3]), polka(0, a, &[0, 1, 2])];
    let (named, found) = culprits(&second, &shown[..1]);
    assert_eq!(named, BTreeSet::from([0, 1]), "{found:?}");
    let (named, found) = culprits(&second, &shown);
    assert_eq!((named, found.charges.len()), (BTreeSet::from([0, 1]), 0));
    // What is no fork has no culprits.
    let same = certificate(1, a, &[0, 1, 2]);
    let sound = [(&first, &same), (&first, &certificate(1, b, &[0, 1]))];
    for (one, other) in sound {
        assert_eq!(account(&CHAIN, &committee(), [one, other], &[]), None);
    }
}

#[test]
fn rounds_of_the_far_future_cost_nothing_and_move_nobody() {
    let far = [11, 1_000_000, u32::MAX - 1, u32::MAX];
    let (mut engine, _) = restored(0, ONE, &[]);
    let mut actions = 0;
    for round in far {
        for seat in 1..4 {
            for step in [Step::Prevote, Step::Precommit] {
                actions +=
                    engine.step(Input::Message(vote(seat, round, step, None))).unwrap().len();
            }
        }
        actions +=
            engine.step(Input::Message(proposal(1, round, block(&[1]), None))).unwrap().len();
    }
    assert_eq!(actions, 0, "not one is journalled, answered or kept");
    // Nor are a hundred thousand of them, of rounds and heights without end.
    for n in 0..100_000_u64 {
        let Message::Vote(vote, signature) = vote(1, u32::MAX, Step::Prevote, None) else {
            unreachable!("it is a vote")
        };
        let height = if n % 2 == 0 { ONE } else { Height(u64::MAX - n) };
        let round = Round(u32::MAX - u32::try_from(n).unwrap());
        let message = Message::Vote(Vote { height, round, ..vote }, signature);
        actions += engine.step(Input::Message(message)).unwrap().len();
    }
    assert_eq!(actions, 0);
    assert_eq!(engine.at(), (ONE, Round(0)));
    // f+1 of them, together, move us to a round that a network can be in; no number of them to one it cannot.
    let change = |round: u32, step, seats: &[usize]| {
        let votes = seats.iter().map(|seat| {
            let Message::Vote(vote, signature) = vote(*seat, round, step, None) else {
                unreachable!("it is a vote")
            };
            (vote.seat, step, None, signature)
        });
        let (height, skip) = (ONE, step == Step::Prevote);
        let votes = votes.collect();
        Input::Message(Message::RoundChange { height, round: Round(round), skip, votes })
    };
    for round in [(1 << 30) + 1, u32::MAX - 1, u32::MAX] {
        for step in [Step::Prevote, Step::Precommit] {
            engine.step(change(round, step, &[1, 2, 3])).unwrap();
            assert_eq!(engine.at(), (ONE, Round(0)), "round {round}");
        }
    }
    engine.step(change(1_000_000, Step::Prevote, &[1])).unwrap();
    assert_eq!(engine.at(), (ONE, Round(0)), "one may lie");
    engine.step(change(1_000_000, Step::Prevote, &[1, 2])).unwrap();
    assert_eq!(engine.at(), (ONE, Round(1_000_000)), "of two, one does not");
    // A timer of a round that is over, or never was, is nothing.
    for round in [0, u32::MAX] {
        let timer = Timer { kind: TimerKind::Propose, round: Round(round) };
        engine.step(Input::Elapsed(timer)).unwrap();
    }
}

/// Whether three prevotes for a block, the third of them this one, lock seat 0 on it.
fn counts(third: Message) -> bool {
    let a = block(&[1]);
    let (mut engine, _) = restored(0, ONE, &[]);
    let mut actions = Vec::new();
    for input in [
        Input::Message(proposal(1, 0, a, None)),
        judged(ONE, Round(0), a),
        Input::Message(vote(1, 0, Step::Prevote, Some(a))),
        Input::Message(third),
    ] {
        actions.extend(engine.step(input).unwrap());
    }
    actions.iter().any(|action| {
        matches!(action, Action::Broadcast(Message::Vote(vote, _)) if vote.step == Step::Precommit)
    })
}

#[test]
fn a_vote_counts_only_from_a_seat_with_its_key_on_this_chain_for_this_very_thing() {
    let a = block(&[1]);
    let (height, round, step, seat) = (ONE, Round(0), Step::Prevote, 2);
    let sound = Vote { height, round, step, block: Some(a), seat };
    let with = |vote: Vote, signature: Signature| Message::Vote(vote, signature);
    let good = sound.sign(&CHAIN, &secret(2));
    assert!(counts(with(sound, good)));
    let stranger = SecretKey::from_seed([99; 32]);
    let other = ChainId(Hash([8; 32]));
    let header = Transaction::sign(
        CHAIN,
        AgencyCode::new("11350000MXDEX0015L").unwrap(),
        &secret(2),
        1,
        Height(9),
        Vec::<Operation>::new(),
    );
    let body = types::codec::encode(&(height, round, Some(a)));
    let proposal = Proposal { height, round, block: a, valid_round: None, seat };
    let mut rows = vec![
        ("by nobody", with(sound, stranger.sign(Domain::Prevote, &CHAIN, &body))),
        ("by nobody, in a seat there is not", with(Vote { seat: 4, ..sound }, good)),
        ("by another seat", with(sound, sound.sign(&CHAIN, &secret(3)))),
        ("under another's name", with(Vote { seat: 3, ..sound }, good)),
        ("of another chain", with(sound, sound.sign(&other, &secret(2)))),
        ("for another block", with(Vote { block: Some(block(&[2])), ..sound }, good)),
        ("for nothing", with(Vote { block: None, ..sound }, good)),
        ("of another round", with(Vote { round: Round(1), ..sound }, good)),
        ("of another height", with(Vote { height: Height(2), ..sound }, good)),
        ("of another step", with(Vote { step: Step::Precommit, ..sound }, good)),
        ("a proposal's signature", with(sound, proposal.sign(&CHAIN, &secret(2)))),
        ("a transaction's signature", with(sound, header.signature)),
    ];
    for domain in [
        Domain::Transaction,
        Domain::Proposal,
        Domain::Precommit,
        Domain::Handshake,
        Domain::Enrolment,
        Domain::Checkpoint,
    ] {
        rows.push(("of another domain", with(sound, secret(2).sign(domain, &CHAIN, &body))));
    }
    for (what, message) in rows {
        assert!(!counts(message), "{what}");
    }
    // One that left the committee: at the height after, its key opens nothing, and its words convict nobody.
    let mut seats: Vec<_> = committee().seats().map(|(_, seat)| seat.clone()).collect();
    seats[2].key = secret(7).public();
    let after = types::Committee::new(seats).unwrap();
    let begin = consensus::Start { height: Height(2), committee: after.clone() };
    let (mut engine, _) = Engine::restore(identity(0), begin, &[]).unwrap();
    for block in [None, Some(a)] {
        let former = Vote { height: Height(2), block, ..sound };
        let message = Message::Vote(former, former.sign(&CHAIN, &secret(2)));
        assert!(!engine.vouches(&message));
        assert_eq!(engine.step(Input::Message(message)).unwrap(), []);
    }
    // What it did while it sat there is judged by the committee it sat in, and by no other.
    let pair = [None, Some(a)].map(|block| {
        let vote = Vote { block, ..sound };
        (vote, vote.sign(&CHAIN, &secret(2)))
    });
    let evidence = Evidence::Votes(pair);
    assert_eq!(evidence.convicts(&CHAIN, &committee()), Some((ONE, Round(0), 1, 2)));
    assert_eq!(evidence.convicts(&CHAIN, &after), None);
    assert_eq!(start(ONE).committee, committee());
}
