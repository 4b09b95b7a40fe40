//! Some honest engines, and a network that the test holds in its hand; the other seats are played by the test.

use crate::nouns::{CHAIN, ONE, block, committee, judged, restored, secret, start};
use consensus::{Action, Engine, Evidence, Input, Place, Timer, TimerKind};
use std::collections::{BTreeMap, BTreeSet};
use types::{
    BlockId, Certificate, Height, Round,
    vote::{Message, Proposal, Step, Vote},
};

pub(crate) struct Net {
    pub(crate) engines: BTreeMap<usize, Engine>,
    timers: BTreeMap<usize, BTreeSet<Timer>>,
    mail: Vec<(usize, usize, Message)>,
    /// Everything honest engines said, and everything they heard.
    pub(crate) said: Vec<(usize, Message)>,
    pub(crate) certificates: BTreeMap<usize, Vec<Certificate>>,
    pub(crate) accused: Vec<(usize, Place, Evidence)>,
    judged: BTreeSet<(usize, BlockId)>,
}

impl Net {
    pub(crate) fn new(honest: &[usize]) -> Self {
        let mut net = Self {
            engines: BTreeMap::new(),
            timers: BTreeMap::new(),
            mail: Vec::new(),
            said: Vec::new(),
            certificates: BTreeMap::new(),
            accused: Vec::new(),
            judged: BTreeSet::new(),
        };
        for n in honest {
            let (engine, actions) = restored(*n, ONE, &[]);
            net.engines.insert(*n, engine);
            net.perform(*n, actions);
        }
        net
    }

    fn perform(&mut self, n: usize, actions: Vec<Action>) {
        let mut over = None;
        for action in actions {
            match action {
                Action::Broadcast(message) => {
                    self.said.push((n, message.clone()));
                    let others = self.engines.keys().filter(|to| **to != n);
                    self.mail.extend(others.map(|to| (n, *to, message.clone())));
                }
                Action::Set(_) | Action::Propose { .. } if over.is_some() => {}
                Action::Set(timer) => {
                    self.timers.entry(n).or_default().insert(timer);
                }
                Action::Cancel(timer) => {
                    self.timers.entry(n).or_default().remove(&timer);
                }
                Action::CancelAll => self.timers.entry(n).or_default().clear(),
                Action::Propose { height, round } => {
                    let made = block(&[height.0, round.0.into(), u64::try_from(n).unwrap()]);
                    self.judged.insert((n, made));
                    self.tell(n, Input::Propose { height, round, block: made });
                }
                Action::Decide(certificate) => {
                    certificate.verify(&CHAIN, &committee()).unwrap();
                    over = Some(certificate.height);
                    self.timers.entry(n).or_default().clear();
                    self.certificates.entry(n).or_default().push(certificate);
                }
                Action::Accuse(evidence) => {
                    let place = evidence.convicts(&CHAIN, &committee()).expect("it convicts");
                    self.accused.push((n, place, evidence));
                }
                Action::Journal(_)
                | Action::Sign(_)
                | Action::Round { .. }
                | Action::Restream(_) => {}
            }
        }
        if let Some(height) = over {
            self.tell(n, Input::Start(start(height.next())));
        }
    }

    pub(crate) fn tell(&mut self, n: usize, input: Input) {
        let actions = self.engines.get_mut(&n).unwrap().step(input).unwrap();
        self.perform(n, actions);
    }

    /// A message, from whomever, as the network brings it; with the body, if it is a proposal.
    pub(crate) fn hear(&mut self, n: usize, message: &Message) {
        self.tell(n, Input::Message(message.clone()));
        if let Message::Proposal(p, _) = message
            && self.engines[&n].at().0 == p.height
            && self.judged.insert((n, p.block))
        {
            self.tell(n, judged(p.height, p.round, p.block));
        }
    }

    /// Delivers what is under way and passes `carries`, until nothing is left; the rest is kept.
    pub(crate) fn settle(&mut self, carries: impl Fn(usize, usize, &Message) -> bool) {
        let mut kept = Vec::new();
        while !self.mail.is_empty() {
            for (from, to, message) in core::mem::take(&mut self.mail) {
                if carries(from, to, &message) {
                    self.hear(to, &message);
                } else {
                    kept.push((from, to, message));
                }
            }
        }
        self.mail = kept;
    }

    /// Forgets what was kept back.
    pub(crate) fn lose(&mut self) {
        self.mail.clear();
    }

    /// Lets every timer of one kind ring.
    pub(crate) fn ring(&mut self, kind: TimerKind) {
        let nodes: Vec<usize> = self.engines.keys().copied().collect();
        for n in nodes {
            let timers = self.timers.entry(n).or_default();
            let due: Vec<Timer> = timers.iter().filter(|t| t.kind == kind).copied().collect();
            timers.retain(|timer| timer.kind != kind);
            due.into_iter().for_each(|timer| self.tell(n, Input::Elapsed(timer)));
        }
    }

    /// What an engine voted at a step of a round, if it did.
    pub(crate) fn voted(&self, n: usize, round: u32, step: Step) -> Option<Option<BlockId>> {
        self.said.iter().find_map(|(from, message)| match message {
            Message::Vote(vote, _)
                if (*from, vote.round, vote.step) == (n, Round(round), step)
                    && vote.height == ONE =>
            {
                Some(vote.block)
            }
            Message::Vote(..)
            | Message::Proposal(..)
            | Message::Polka { .. }
            | Message::RoundChange { .. } => None,
        })
    }

    pub(crate) fn rounds(&self) -> Vec<(Height, Round)> {
        self.engines.values().map(Engine::at).collect()
    }
}

pub(crate) fn vote(seat: usize, round: u32, step: Step, block: Option<BlockId>) -> Message {
    let vote =
        Vote { height: ONE, round: Round(round), step, block, seat: u16::try_from(seat).unwrap() };
    Message::Vote(vote, vote.sign(&CHAIN, &secret(seat)))
}

pub(crate) fn proposal(seat: usize, round: u32, block: BlockId, valid: Option<u32>) -> Message {
    let (round, valid_round) = (Round(round), valid.map(Round));
    let seat16 = u16::try_from(seat).unwrap();
    let proposal = Proposal { height: ONE, round, block, valid_round, seat: seat16 };
    Message::Proposal(proposal, proposal.sign(&CHAIN, &secret(seat)))
}
