//! What liars do: each is an honest node whose mouth somebody else moves.
//!
//! Underneath, a liar runs the same replica as everyone. What it sends passes through its behaviours, one after the
//! other, separately for each receiver; now and then it also says something unprovoked. All liars of a network know what
//! the others proposed twice, and to which half of the network: they conspire.

use crate::{
    Dice, Plan,
    load::{Key, secret},
    net::Sent,
};
use ledger::{Rules, SharedMemory, execute::Draft, query};
use replica::{Question, Received, receive};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    rc::Rc,
};
use types::{
    Block, BlockId, Certificate, ChainId, Hash, Height, Round, SecretKey, Timestamp, Verified,
    codec,
    vote::{Message, Proposal, Step, Vote},
};

/// A way to lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Behaviour {
    /// As proposer it shows one half of the network one block and the other half another, and votes for both.
    TwoProposals,
    /// Beside its vote it casts another in the same place.
    DoubleVotes,
    /// It does not vote.
    Withholding,
    /// Time and again it forgets what it said and what it is locked on, and begins the height anew.
    Amnesia,
    /// At each height it speaks to some neighbours only; as often as not, to all but one.
    SelectiveSilence,
    /// It speaks of rounds and heights far ahead, up to the last there are.
    FarFuture,
    /// Its blocks, votes and bytes are not what they say: wrong header fields, more than a block may hold, signatures of
    /// other content, other keys and other chains, seats that are another's or nobody's, flipped bits.
    Forgery,
    /// Small changes of what it would say (a round or height one off, another block) and repetitions of what it heard.
    Mutation,
    /// Who asks it for blocks gets wrong ones, none, too few, or no answer; and it lies about how many it has.
    LyingCatchUp,
}

impl Behaviour {
    /// Every way.
    pub const ALL: [Self; 9] = [
        Self::TwoProposals,
        Self::DoubleVotes,
        Self::Withholding,
        Self::Amnesia,
        Self::SelectiveSilence,
        Self::FarFuture,
        Self::Forgery,
        Self::Mutation,
        Self::LyingCatchUp,
    ];
}

/// Where a liar is when it speaks.
pub(crate) struct Stage<'a> {
    pub(crate) chain: &'a ChainId,
    pub(crate) rules: &'a Rules,
    pub(crate) ledger: &'a SharedMemory,
    pub(crate) round: Round,
}

/// What all liars of a network share.
#[derive(Debug, Default)]
struct Plot {
    /// Those who are shown the other block, none of them a liar.
    half: BTreeSet<usize>,
    /// Two blocks in one place: the one, and the one for that half.
    twins: Vec<[Block; 2]>,
}

impl Plot {
    /// Which of the two blocks a node is shown, if there are two.
    fn shown(&self, id: BlockId, to: usize) -> Option<&Block> {
        let pair = self.twins.iter().find(|pair| pair.iter().any(|block| block.id() == id))?;
        Some(&pair[usize::from(self.half.contains(&to))])
    }
}

/// The liars of a network.
pub(crate) struct Liars {
    liars: BTreeMap<usize, Liar>,
    plot: Plot,
}

struct Liar {
    seat: u16,
    nodes: usize,
    secret: SecretKey,
    how: Vec<Behaviour>,
    dice: Dice,
    height: Height,
    /// Whom it does not speak to at this height.
    snubbed: BTreeSet<usize>,
    /// Blocks it made wrong, by the ids of the right ones.
    forged: BTreeMap<BlockId, Option<Block>>,
    /// Block ids it heard of lately.
    ids: VecDeque<BlockId>,
    /// What it heard and said lately.
    memory: VecDeque<Rc<Sent>>,
    /// Transactions it heard of.
    transactions: Vec<Verified>,
}

/// How many messages and block ids a liar remembers.
const MEMORY: usize = 64;

impl Liars {
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut dice = Dice::new(plan.seed, 2);
        let nodes = usize::from(plan.validators);
        let liar = |(seat, how): (u16, &Vec<Behaviour>)| Liar {
            seat,
            nodes,
            secret: secret(Key::Consensus, seat),
            how: how.clone(),
            dice: Dice::new(plan.seed, 100 + u64::from(seat)),
            height: Height::GENESIS,
            snubbed: BTreeSet::new(),
            forged: BTreeMap::new(),
            ids: VecDeque::new(),
            memory: VecDeque::new(),
            transactions: Vec::new(),
        };
        let lies = plan.troubled.iter().filter_map(|troubled| match &troubled.how {
            crate::Trouble::Lies { how, .. } => Some((troubled.seat, how)),
            crate::Trouble::Dies | crate::Trouble::Clock(_) => None,
        });
        let half = (0..nodes).filter(|node| dice.odds(1, 2) && !plan.is_liar(*node)).collect();
        Self {
            liars: lies.map(|lie| (usize::from(lie.0), liar(lie))).collect(),
            plot: Plot { half, twins: Vec::new() },
        }
    }

    /// From now on this node says what is right.
    pub(crate) fn reform(&mut self, node: usize) {
        self.liars.remove(&node);
    }

    /// Whether a node lies at present.
    pub(crate) fn has(&self, node: usize) -> bool {
        self.liars.contains_key(&node)
    }

    /// A liar hears something it may use.
    pub(crate) fn hears(&mut self, node: usize, sent: &Rc<Sent>) {
        if let Some(liar) = self.liars.get_mut(&node) {
            liar.note(sent);
        }
    }

    /// What a node says to a neighbour instead of what it would.
    pub(crate) fn bend(
        &mut self,
        stage: &Stage<'_>,
        (from, to): (usize, usize),
        sent: &Rc<Sent>,
    ) -> Vec<Rc<Sent>> {
        let Some(liar) = self.liars.get_mut(&from) else { return vec![sent.clone()] };
        liar.note(sent);
        let mut said = vec![sent.clone()];
        for behaviour in liar.how.clone() {
            let before = core::mem::take(&mut said);
            for sent in before {
                said.extend(liar.bend(behaviour, stage, &mut self.plot, to, &sent));
            }
        }
        said
    }

    /// What a liar says unprovoked, and to whom; and whether it forgets everything now.
    pub(crate) fn mischief(
        &mut self,
        stage: &Stage<'_>,
        node: usize,
    ) -> (Vec<(usize, Rc<Sent>)>, bool) {
        let Some(liar) = self.liars.get_mut(&node) else { return (Vec::new(), false) };
        liar.mischief(stage)
    }
}

impl Sent {
    /// Something that no honest node encoded.
    fn lie(received: Received) -> Rc<Self> {
        Rc::new(Self { received: Ok(received), frame: None })
    }
}

impl Liar {
    fn note(&mut self, sent: &Rc<Sent>) {
        let Ok(received) = &sent.received else { return };
        let id = match received {
            Received::Message(Message::Vote(vote, _)) => vote.block,
            Received::Message(Message::Proposal(proposal, _)) => Some(proposal.block),
            Received::Transactions(txs) if self.transactions.len() < MEMORY => {
                self.transactions.extend(txs.iter().cloned());
                None
            }
            Received::Message(Message::Polka { .. } | Message::RoundChange { .. })
            | Received::Status(..)
            | Received::Block(_)
            | Received::Transactions(_)
            | Received::Ask(_)
            | Received::Tell(..) => None,
        };
        if let Some(id) = id.filter(|id| !self.ids.contains(id)) {
            self.ids.push_back(id);
        }
        self.memory.push_back(sent.clone());
        while self.memory.len() > MEMORY {
            self.memory.pop_front();
        }
        while self.ids.len() > MEMORY {
            self.ids.pop_front();
        }
    }

    fn bend(
        &mut self,
        behaviour: Behaviour,
        stage: &Stage<'_>,
        plot: &mut Plot,
        to: usize,
        sent: &Rc<Sent>,
    ) -> Vec<Rc<Sent>> {
        let Ok(received) = &sent.received else { return vec![sent.clone()] };
        match behaviour {
            Behaviour::TwoProposals => self.say_both(stage, plot, to, sent, received),
            Behaviour::DoubleVotes => {
                let mut said = vec![sent.clone()];
                if let Received::Message(Message::Vote(vote, _)) = received
                    && self.dice.odds(1, 2)
                {
                    let block = if vote.block.is_some() && self.dice.odds(1, 2) {
                        None
                    } else {
                        Some(self.any_id())
                    };
                    said.push(self.vote(stage.chain, Vote { block, ..*vote }));
                }
                said
            }
            Behaviour::Withholding => match received {
                Received::Message(Message::Vote(..)) => Vec::new(),
                Received::Message(
                    Message::Proposal(..) | Message::Polka { .. } | Message::RoundChange { .. },
                )
                | Received::Status(..)
                | Received::Block(_)
                | Received::Transactions(_)
                | Received::Ask(_)
                | Received::Tell(..) => vec![sent.clone()],
            },
            // These speak unprovoked only.
            Behaviour::Amnesia | Behaviour::FarFuture => vec![sent.clone()],
            Behaviour::SelectiveSilence => {
                let height = query::height(stage.ledger);
                if self.height != height || self.snubbed.is_empty() {
                    self.height = height;
                    self.snubbed = if self.dice.odds(1, 2) {
                        BTreeSet::from([self.dice.below_usize(self.nodes)])
                    } else {
                        (0..self.nodes).filter(|_| self.dice.odds(1, 2)).collect()
                    };
                }
                if self.snubbed.contains(&to) { Vec::new() } else { vec![sent.clone()] }
            }
            Behaviour::Forgery => self.forge(stage, sent, received),
            Behaviour::Mutation => self.mutate(stage, sent, received),
            Behaviour::LyingCatchUp => self.mislead(sent, received),
        }
    }

    /// A half of the network sees everything about another block than the one the replica made.
    fn say_both(
        &mut self,
        stage: &Stage<'_>,
        plot: &mut Plot,
        to: usize,
        sent: &Rc<Sent>,
        received: &Received,
    ) -> Vec<Rc<Sent>> {
        if let Received::Block(block) = received
            && block.header.proposer == self.seat
            && plot.shown(block.id(), to).is_none()
            && let Some(twin) = self.twin(stage, block)
        {
            plot.twins.push([(**block).clone(), twin]);
        }
        let shown = |id: BlockId| plot.shown(id, to);
        let bent = match received {
            Received::Block(block) => {
                shown(block.id()).map(|block| Sent::lie(Received::Block(block.clone().into())))
            }
            Received::Message(Message::Proposal(proposal, _)) => {
                shown(proposal.block).map(|block| {
                    self.proposal(stage.chain, Proposal { block: block.id(), ..*proposal })
                })
            }
            Received::Message(Message::Vote(vote, _)) => vote
                .block
                .and_then(shown)
                .map(|block| self.vote(stage.chain, Vote { block: Some(block.id()), ..*vote })),
            Received::Message(Message::Polka { .. } | Message::RoundChange { .. })
            | Received::Status(..)
            | Received::Transactions(_)
            | Received::Ask(_)
            | Received::Tell(..) => None,
        };
        match bent {
            // Now and then somebody sees both.
            Some(bent) if self.dice.odds(1, 16) => vec![sent.clone(), bent],
            Some(bent) => vec![bent],
            None => vec![sent.clone()],
        }
    }

    /// Another good block in the same place: of the same transactions or fewer, a moment later.
    fn twin(&mut self, stage: &Stage<'_>, block: &Block) -> Option<Block> {
        let tip = ledger::tip(stage.rules, stage.ledger);
        if tip.height.next() != block.header.height {
            return None;
        }
        let kept = self.dice.below_usize(block.transactions.len() + 1);
        let verified: Vec<_> = block.transactions[..kept]
            .iter()
            .filter_map(|tx| tx.clone().verify(stage.chain).ok())
            .map(|tx| (codec::encode(tx.get()).len(), tx))
            .collect();
        let candidates = verified.iter().map(|(bytes, tx)| (tx, *bytes));
        let time = block.header.time.plus(1);
        Some(ledger::propose(stage.rules, stage.ledger, &tip, time, self.seat, candidates).0)
    }

    fn forge(&mut self, stage: &Stage<'_>, sent: &Rc<Sent>, received: &Received) -> Vec<Rc<Sent>> {
        if let Some((channel, bytes)) = &sent.frame
            && !bytes.is_empty()
            && self.dice.odds(1, 20)
        {
            let mut bytes = bytes.clone();
            for _ in 0..1 + self.dice.below(3) {
                let at = self.dice.below_usize(bytes.len());
                bytes[at] ^= 1 << self.dice.below(8);
            }
            let received = receive(stage.chain, *channel, &bytes);
            return vec![Rc::new(Sent { received, frame: Some((*channel, bytes)) })];
        }
        match received {
            Received::Block(block) if block.header.proposer == self.seat => {
                let id = block.id();
                if !self.forged.contains_key(&id) {
                    let forged = self.dice.odds(1, 2).then(|| self.wrong_block(stage, block));
                    self.forged.insert(id, forged);
                }
                let forged = self.forged.get(&id).cloned().flatten();
                vec![forged.map_or_else(
                    || sent.clone(),
                    |forged| Sent::lie(Received::Block(Box::new(forged))),
                )]
            }
            Received::Message(Message::Proposal(proposal, signature)) => {
                let forged = self.forged.get(&proposal.block).cloned().flatten();
                if let Some(forged) = forged {
                    let proposal = Proposal { block: forged.id(), ..*proposal };
                    return vec![self.proposal(stage.chain, proposal)];
                }
                let (proposal, signature) = match self.dice.below(12) {
                    0 => (Proposal { seat: proposal.seat ^ 1, ..*proposal }, *signature),
                    1 => (Proposal { block: self.any_id(), ..*proposal }, *signature),
                    2 => (*proposal, proposal.sign(stage.chain, &secret(Key::Nobody, self.seat))),
                    3 => (*proposal, proposal.sign(&ChainId(Hash([7; 32])), &self.secret)),
                    _ => (*proposal, *signature),
                };
                vec![Sent::lie(Received::Message(Message::Proposal(proposal, signature)))]
            }
            Received::Message(Message::Vote(vote, signature)) => {
                let (vote, signature) = match self.dice.below(12) {
                    // Said in another's name; with a seat that is nobody's; under a signature of something else.
                    0 => (Vote { seat: vote.seat ^ 1, ..*vote }, *signature),
                    1 => (Vote { seat: u16::MAX, ..*vote }, *signature),
                    2 => (Vote { block: Some(self.any_id()), ..*vote }, *signature),
                    3 => (*vote, vote.sign(stage.chain, &secret(Key::Nobody, self.seat))),
                    4 => (*vote, vote.sign(&ChainId(Hash([7; 32])), &self.secret)),
                    // A transaction's key is not a vote's.
                    5 => (*vote, vote.sign(stage.chain, &secret(Key::Agency, self.seat))),
                    _ => (*vote, *signature),
                };
                vec![Sent::lie(Received::Message(Message::Vote(vote, signature)))]
            }
            Received::Message(Message::Polka { height, round, signatures, .. })
                if self.dice.odds(1, 4) =>
            {
                let (block, signatures) = (self.any_id(), signatures.clone());
                let (height, round) = (*height, *round);
                vec![Sent::lie(Received::Message(Message::Polka {
                    height,
                    round,
                    block,
                    signatures,
                }))]
            }
            Received::Message(Message::Polka { .. } | Message::RoundChange { .. })
            | Received::Block(_)
            | Received::Status(..)
            | Received::Transactions(_)
            | Received::Ask(_)
            | Received::Tell(..) => vec![sent.clone()],
        }
    }

    /// A block that is wrong in one thing.
    fn wrong_block(&mut self, stage: &Stage<'_>, block: &Block) -> Block {
        let mut wrong = block.clone();
        let (header, other) = (&mut wrong.header, Hash([7; 32]));
        match self.dice.below(15) {
            0 => header.version += 1,
            1 => header.chain = ChainId(other),
            2 => header.height = header.height.plus(1),
            3 => header.time = header.time.plus(1 + self.dice.below(5000)),
            4 => header.time = Timestamp(0),
            5 => header.proposer ^= 1,
            6 => header.proposer = u16::MAX,
            7 => header.parent = BlockId(other),
            8 => header.payload = other,
            9 => header.log_size = u64::MAX,
            10 => header.log_root = other,
            11 => header.state_root = other,
            12 => header.next_committee = other,
            13 => wrong.transactions.reverse(),
            _ => {
                // More than a block may hold, and right in everything else.
                let tip = ledger::tip(stage.rules, stage.ledger);
                if tip.height.next() == block.header.height {
                    let time = block.header.time;
                    let mut draft = Draft::new(stage.rules, stage.ledger, &tip, time);
                    for tx in &self.transactions {
                        // Those that are committed already stay out.
                        draft.push(tx, codec::length(tx.get())).unwrap_or(());
                    }
                    return draft.finish(self.seat).0;
                }
            }
        }
        wrong
    }

    fn mutate(&mut self, stage: &Stage<'_>, sent: &Rc<Sent>, received: &Received) -> Vec<Rc<Sent>> {
        let mut said = vec![sent.clone()];
        if self.dice.odds(1, 6) {
            said.extend(self.recall());
        }
        if !self.dice.odds(1, 3) {
            return said;
        }
        let mutated = match received {
            Received::Message(Message::Vote(vote, _)) => {
                let mut vote = *vote;
                match self.dice.below(6) {
                    0 => vote.round.0 = vote.round.0.saturating_add(1),
                    1 => vote.round.0 = vote.round.0.saturating_sub(1),
                    2 => vote.height.0 = vote.height.0.saturating_add(1),
                    3 => vote.height.0 = vote.height.0.saturating_sub(1),
                    4 => vote.block = Some(self.any_id()),
                    _ => {
                        vote.step = match vote.step {
                            Step::Prevote => Step::Precommit,
                            Step::Precommit => Step::Prevote,
                        }
                    }
                }
                self.vote(stage.chain, vote)
            }
            Received::Message(Message::Proposal(proposal, _)) => {
                let mut proposal = *proposal;
                match self.dice.below(6) {
                    0 => proposal.round.0 = proposal.round.0.saturating_add(1),
                    1 => proposal.round.0 = proposal.round.0.saturating_sub(1),
                    2 => proposal.height.0 = proposal.height.0.saturating_add(1),
                    3 => proposal.block = self.any_id(),
                    4 => proposal.valid_round = Some(proposal.round),
                    _ => proposal.valid_round = proposal.round.0.checked_sub(1).map(Round),
                }
                self.proposal(stage.chain, proposal)
            }
            Received::Message(Message::RoundChange { height, round, skip, votes }) => {
                let (height, skip, votes) = (*height, !skip, votes.clone());
                let round = Round(round.0.saturating_add(u32::from(self.dice.odds(1, 2))));
                Sent::lie(Received::Message(Message::RoundChange { height, round, skip, votes }))
            }
            Received::Message(Message::Polka { height, round, block, signatures }) => {
                let (height, block, signatures) = (*height, *block, signatures.clone());
                let round = Round(round.0.saturating_add(1));
                Sent::lie(Received::Message(Message::Polka { height, round, block, signatures }))
            }
            Received::Status(height, time) => {
                Sent::lie(Received::Status(height.plus(1), time.plus(1)))
            }
            Received::Ask(Question { from, count }) => Sent::lie(Received::Ask(Question {
                from: from.plus(1),
                count: count.wrapping_add(1),
            })),
            Received::Block(_) | Received::Transactions(_) | Received::Tell(..) => return said,
        };
        // Sometimes beside what it stands for, sometimes instead.
        if self.dice.odds(1, 2) {
            said.clear();
        }
        said.push(mutated);
        said
    }

    fn mislead(&mut self, sent: &Rc<Sent>, received: &Received) -> Vec<Rc<Sent>> {
        match received {
            Received::Status(height, time) => {
                let claim = match self.dice.below(5) {
                    0 => Height(u64::MAX),
                    1 => Height::GENESIS,
                    2 => height.previous().unwrap_or_default(),
                    3 => height.plus(1_000_000),
                    _ => height.plus(1),
                };
                let time = match self.dice.below(3) {
                    0 => Timestamp(u64::MAX),
                    1 => Timestamp(0),
                    _ => *time,
                };
                vec![Sent::lie(Received::Status(claim, time))]
            }
            Received::Tell(from, blocks) => self.wrong_answer(*from, blocks),
            Received::Message(_)
            | Received::Block(_)
            | Received::Transactions(_)
            | Received::Ask(..) => vec![sent.clone()],
        }
    }

    fn wrong_answer(&mut self, from: Height, blocks: &[(Block, Certificate)]) -> Vec<Rc<Sent>> {
        let mut blocks = blocks.to_vec();
        match self.dice.below(9) {
            0 => return Vec::new(),
            1 => blocks.clear(),
            2 => blocks.reverse(),
            3 => blocks.truncate(blocks.len().div_ceil(2)),
            4 => blocks.iter_mut().for_each(|(_, certificate)| {
                certificate.signatures.pop();
            }),
            5 => blocks.iter_mut().for_each(|(block, _)| block.header.log_size += 1),
            6 => blocks.iter_mut().for_each(|(block, _)| block.transactions.clear()),
            7 => blocks.iter_mut().for_each(|(block, certificate)| {
                block.header.chain = ChainId(Hash([7; 32]));
                certificate.block = block.id();
            }),
            // The first is right.
            _ => {
                for (block, certificate) in blocks.iter_mut().skip(1) {
                    block.header.height = Height(u64::MAX);
                    (certificate.height, certificate.block) = (block.header.height, block.id());
                }
            }
        }
        let from = if self.dice.odds(1, 10) { from.plus(1) } else { from };
        vec![Sent::lie(Received::Tell(from, blocks))]
    }

    fn mischief(&mut self, stage: &Stage<'_>) -> (Vec<(usize, Rc<Sent>)>, bool) {
        let (mut said, mut forgets) = (Vec::new(), false);
        for behaviour in self.how.clone() {
            match behaviour {
                Behaviour::FarFuture => {
                    let sent = self.far_future(stage);
                    said.extend((0..self.nodes).map(|to| (to, sent.clone())));
                }
                Behaviour::Amnesia => forgets |= self.dice.odds(1, 4),
                Behaviour::LyingCatchUp => {
                    let height = query::height(stage.ledger);
                    for to in 0..self.nodes {
                        let claim = Rc::new(Sent {
                            received: Ok(Received::Status(height, Timestamp(0))),
                            frame: None,
                        });
                        said.extend(self.bend_status(&claim).into_iter().map(|sent| (to, sent)));
                    }
                }
                Behaviour::Mutation => {
                    let to = self.dice.below_usize(self.nodes);
                    said.extend(self.recall().map(|sent| (to, sent)));
                }
                Behaviour::TwoProposals
                | Behaviour::DoubleVotes
                | Behaviour::Withholding
                | Behaviour::SelectiveSilence
                | Behaviour::Forgery => {}
            }
        }
        said.retain(|(to, _)| *to != usize::from(self.seat));
        (said, forgets)
    }

    fn bend_status(&mut self, claim: &Rc<Sent>) -> Vec<Rc<Sent>> {
        match &claim.received {
            Ok(received) => self.mislead(claim, received),
            Err(_) => Vec::new(),
        }
    }

    fn far_future(&mut self, stage: &Stage<'_>) -> Rc<Sent> {
        let here = query::height(stage.ledger).next();
        let heights = [0, 0, 0, 1, 2, 3, 4, 1_000_000, u64::MAX - 1, u64::MAX];
        let rounds = [0, 1, 2, 17, 1000, 1_000_000, u32::MAX - 1, u32::MAX];
        let height = here.plus(heights[self.dice.below_usize(heights.len())]);
        let ahead = rounds[self.dice.below_usize(rounds.len())];
        let round = Round(stage.round.0.saturating_add(ahead));
        let block = self.dice.odds(1, 2).then(|| self.any_id());
        let step = if self.dice.odds(1, 2) { Step::Prevote } else { Step::Precommit };
        let vote = Vote { height, round, step, block, seat: self.seat };
        let signature = vote.sign(stage.chain, &self.secret);
        let received = match self.dice.below(8) {
            0 => Received::Status(height, Timestamp(ahead.into())),
            1 => Received::Ask(Question { from: height, count: ahead }),
            2 => {
                let (block, signatures) = (self.any_id(), vec![(self.seat, signature)]);
                Received::Message(Message::Polka { height, round, block, signatures })
            }
            3 => {
                let (skip, votes) =
                    (self.dice.odds(1, 2), vec![(self.seat, step, vote.block, signature)]);
                Received::Message(Message::RoundChange { height, round, skip, votes })
            }
            4 => {
                let (block, seat) = (self.any_id(), self.seat);
                let valid_round = self.dice.odds(1, 2).then_some(Round(u32::MAX - 1));
                return self
                    .proposal(stage.chain, Proposal { height, round, block, valid_round, seat });
            }
            _ => Received::Message(Message::Vote(vote, signature)),
        };
        Sent::lie(received)
    }

    /// Something it heard or said before.
    fn recall(&mut self) -> Option<Rc<Sent>> {
        let at = self.dice.below_usize(self.memory.len());
        self.memory.get(at).cloned()
    }

    /// A block it heard of, or one that nobody did.
    fn any_id(&mut self) -> BlockId {
        let at = self.dice.below_usize(self.ids.len() + 1);
        self.ids.get(at).copied().unwrap_or(BlockId(Hash([7; 32])))
    }

    fn vote(&self, chain: &ChainId, vote: Vote) -> Rc<Sent> {
        let signature = vote.sign(chain, &self.secret);
        Sent::lie(Received::Message(Message::Vote(vote, signature)))
    }

    fn proposal(&self, chain: &ChainId, proposal: Proposal) -> Rc<Sent> {
        let signature = proposal.sign(chain, &self.secret);
        Sent::lie(Received::Message(Message::Proposal(proposal, signature)))
    }
}
