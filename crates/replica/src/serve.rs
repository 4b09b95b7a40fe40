//! Blocks for those who missed them, at a bounded pace: whoever asks without end is answered slowly and costs little.

use crate::{Effect, Progress, Replica, Wake, receive::SyncFrame};
use ledger::{State, query, retention};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use types::{
    Height, codec,
    net::{Channel, Peer, To},
};

/// How many bytes of blocks one answer carries at most, give or take the last block.
const ANSWER_BYTES: usize = 1 << 20;
/// How many blocks one answer carries at most.
pub(crate) const ANSWER_BLOCKS: u32 = 256;
/// How often the budgets are refilled while any is not full.
const REFILL_MS: u64 = 100;
/// What one neighbour's budget gains each time: about 8 MiB a second.
const REFILL_BYTES: usize = 800 << 10;
/// The most one neighbour may have saved up.
const BUDGET_BYTES: usize = 4 << 20;
/// What an answer costs at least: reading costs time even if nothing is found.
const ANSWER_COST_MIN: usize = 32 << 10;
/// How many questions of one neighbour wait. Those who keep to the protocol never have more.
const WAITING_MAX: usize = 4;

/// A question for blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// From this height on.
    pub from: Height,
    /// At most so many.
    pub count: u32,
}

#[derive(Debug)]
struct Budget {
    bytes: usize,
    waiting: VecDeque<Question>,
}

#[derive(Debug, Default)]
pub(crate) struct Serve(BTreeMap<Peer, Budget>);

impl Serve {
    pub(crate) fn lost(&mut self, peer: &Peer) {
        self.0.remove(peer);
    }
}

impl<S: State> Replica<S> {
    /// A neighbour wants blocks.
    pub(crate) fn asked(&mut self, peer: Peer, question: Question, effects: &mut Vec<Effect>) {
        if !self.peers.contains_key(&peer) {
            return;
        }
        if self.serve.0.is_empty() {
            effects.push(Effect::Set(Wake::Serve, REFILL_MS));
        }
        let budget = self
            .serve
            .0
            .entry(peer)
            .or_insert_with(|| Budget { bytes: BUDGET_BYTES, waiting: VecDeque::new() });
        if budget.waiting.len() < WAITING_MAX && !budget.waiting.contains(&question) {
            budget.waiting.push_back(question);
        }
        self.answer(peer, effects);
    }

    /// The answer to a neighbour that asks before we take part: those who start together would otherwise all listen, and
    /// none would speak. It costs no budget; the time is short, and the network has allowances of its own.
    #[must_use]
    pub fn tell(&self, peer: Peer, question: Question) -> Effect {
        Effect::Send(To::One(peer), Channel::Sync, self.blocks(question))
    }

    /// The budgets grow; questions that waited are answered.
    pub(crate) fn refill(&mut self, effects: &mut Vec<Effect>) {
        for budget in self.serve.0.values_mut() {
            budget.bytes = budget.bytes.saturating_add(REFILL_BYTES).min(BUDGET_BYTES);
        }
        let peers: Vec<Peer> = self.serve.0.keys().copied().collect();
        for peer in peers {
            self.answer(peer, effects);
        }
        self.serve.0.retain(|_, budget| budget.bytes < BUDGET_BYTES || !budget.waiting.is_empty());
        if !self.serve.0.is_empty() {
            effects.push(Effect::Set(Wake::Serve, REFILL_MS));
        }
    }

    fn answer(&mut self, peer: Peer, effects: &mut Vec<Effect>) {
        while let Some(budget) = self.serve.0.get_mut(&peer)
            // An answer may be larger than what is left, once.
            && budget.bytes > ANSWER_COST_MIN
            && let Some(question) = budget.waiting.pop_front()
        {
            let answer = self.blocks(question);
            let cost = answer.len().max(ANSWER_COST_MIN);
            if let Some(budget) = self.serve.0.get_mut(&peer) {
                budget.bytes = budget.bytes.saturating_sub(cost);
            }
            effects.push(Effect::Send(To::One(peer), Channel::Sync, answer));
        }
    }

    fn blocks(&self, Question { from, count }: Question) -> Vec<u8> {
        let kept = retention::kept_from(&self.state);
        if from < kept {
            // No blocks from a later height than asked for: what is below it was dropped here.
            return codec::encode(&SyncFrame::Tell(kept, Vec::new()));
        }
        let (mut blocks, mut bytes, mut height) = (Vec::new(), 0, from);
        let count = usize::try_from(count.min(ANSWER_BLOCKS)).unwrap_or(0);
        while blocks.len() < count && bytes < ANSWER_BYTES && height <= self.written() {
            let pair =
                query::block(&self.state, height).zip(query::certificate(&self.state, height));
            let Some(pair) = pair else { break };
            bytes += codec::length(&pair);
            blocks.push(pair);
            height = height.next();
        }
        // A last block that does not fit any more is for the next question; a single one always fits.
        while bytes > types::block::BLOCK_BYTES_MAX - 128 && blocks.len() > 1 {
            bytes -= blocks.pop().map_or(0, |pair| codec::length(&pair));
        }
        codec::encode(&SyncFrame::Tell(from, blocks))
    }

    /// The last height that is on disk.
    const fn written(&self) -> Height {
        match self.progress {
            Progress::Committing(height) => match height.previous() {
                Some(before) => before,
                None => Height::GENESIS,
            },
            Progress::Resting | Progress::Deciding => self.tip.height,
        }
    }
}
