//! Step 6 of a record's life: judging blocks, and doing what the engine wants, in its order.

use crate::{
    Effect, Offence, Progress, Replica, Seen, Wake, block_frame, message_frame, receive::Record,
};
use consensus::{Action, Input, Stuck, Timer, TimerKind};
use ledger::State;
use types::{
    Block, BlockId, Height, Round, Timestamp, codec,
    net::{Peer, To},
    vote::Message,
};

/// More blocks than this at one height are not an honest committee's.
const BLOCKS_MAX: usize = 24;
/// Messages kept for those who connect late: our proposal and votes of the last rounds.
const SAID_MAX: usize = 12;

impl<S: State> Replica<S> {
    /// A neighbour's message of the vote.
    pub(crate) fn heard(
        &mut self,
        now: Timestamp,
        peer: Peer,
        message: Message,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Stuck> {
        let (height, next) = (message.height(), self.tip.height.next());
        if height > next {
            // It speaks of a height that follows blocks we do not have; a claim, until they come with certificates.
            if let Some(before) = height.previous() {
                self.claimed(peer, before, effects);
            }
        }
        if height < next {
            return Ok(());
        }
        if height == next {
            self.begin(now, effects)?;
        }
        if self.progress != Progress::Deciding && height == next {
            return Ok(());
        }
        let actions = self.engine.step(Input::Message(message))?;
        self.perform(now, actions, effects)
    }

    /// A block offered for the height under way: executed once, here.
    pub(crate) fn offered(
        &mut self,
        now: Timestamp,
        peer: Peer,
        round: Round,
        block: Block,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Stuck> {
        let height = block.header.height;
        if height != self.tip.height.next() {
            if height > self.tip.height.next()
                && let Some(before) = height.previous()
            {
                self.claimed(peer, before, effects);
            }
            return Ok(());
        }
        self.begin(now, effects)?;
        let id = block.id();
        if self.progress != Progress::Deciding
            || self.blocks.get(&id).is_some_and(|seen| seen.outcome.is_some())
        {
            return Ok(());
        }
        if self.blocks.len() >= BLOCKS_MAX {
            effects.push(Effect::Blame(peer, Offence::Flood));
            return Ok(());
        }
        let known = |tx: &types::Transaction| {
            self.pool.get(&tx.id()).filter(|mine| mine.get() == tx).cloned()
        };
        let judged = ledger::validate(&self.rules, &self.state, &self.tip, now, &block, known);
        let valid = judged.is_ok();
        let outcome = match judged {
            Ok(outcome) => {
                self.remember_block(round, &block);
                Some(outcome)
            }
            Err(invalid) => {
                tracing::warn!(%height, %round, %peer, block = %id, reason = %invalid, "block refused");
                effects.push(Effect::Blame(
                    peer,
                    Offence::Block { height, reason: invalid.to_string() },
                ));
                None
            }
        };
        self.blocks.insert(id, Seen { block, outcome, round });
        let actions = self.engine.step(Input::Judged { height, round, block: id, valid })?;
        self.perform(now, actions, effects)
    }

    /// Before we may say that we want this block, we must be able to give it to others, restart or not.
    pub(crate) fn remember_block(&mut self, round: Round, block: &Block) {
        self.unwritten.push(codec::encode(&Record::Block(round, block.clone())));
    }

    /// Does what the engine wants, in its order.
    pub(crate) fn perform(
        &mut self,
        now: Timestamp,
        actions: Vec<Action>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Stuck> {
        for action in actions {
            match action {
                Action::Journal(entry) => self.unwritten.push(codec::encode(&Record::Entry(entry))),
                Action::Broadcast(message) => {
                    self.write_journal(effects);
                    effects.push(message_frame(To::Everyone, &message));
                    self.note_said(message);
                }
                Action::Set(timer) => {
                    effects.push(Effect::Set(Wake::Round(timer), self.patience(timer)));
                }
                Action::Cancel(timer) => effects.push(Effect::Cancel(Wake::Round(timer))),
                Action::CancelAll => effects.push(Effect::CancelRounds),
                Action::Round { height, round, proposer } => {
                    self.turn = Some((round, proposer));
                    if round > Round(0) {
                        tracing::info!(%height, %round, proposer, "round");
                    }
                }
                Action::Propose { height, round } => self.propose(now, height, round, effects)?,
                Action::Restream(id) => self.restream(&id, effects),
                Action::Decide(certificate) => self.decided(certificate, effects)?,
                Action::Accuse(evidence) => {
                    tracing::warn!(?evidence, "a validator said two things");
                    effects.push(Effect::Accuse(Box::new(evidence)));
                }
            }
        }
        Ok(())
    }

    /// Hands the shell what must be remembered before what follows in the list is said.
    pub(crate) fn write_journal(&mut self, effects: &mut Vec<Effect>) {
        if !self.unwritten.is_empty() {
            effects.push(Effect::Journal(core::mem::take(&mut self.unwritten)));
        }
    }

    fn note_said(&mut self, message: Message) {
        if self.said.contains(&message) {
            return;
        }
        if self.said.len() >= SAID_MAX {
            self.said.pop_front();
        }
        self.said.push_back(message);
    }

    fn restream(&self, id: &BlockId, effects: &mut Vec<Effect>) {
        if let Some(seen) = self.blocks.get(id) {
            let (_, round) = self.engine.at();
            effects.push(block_frame(To::Everyone, round, &seen.block));
        }
    }

    /// How long a timer takes, milliseconds: longer in each round, so that some round is long enough.
    fn patience(&self, timer: Timer) -> u64 {
        let timing = &self.timing;
        let step = u64::from(timing.round_step_ms).saturating_mul(timer.round.0.into());
        let (propose, vote) = (u64::from(timing.propose_ms), u64::from(timing.vote_ms));
        let wait = match timer.kind {
            TimerKind::Propose => propose.saturating_add(step),
            TimerKind::Prevote | TimerKind::Precommit => vote.saturating_add(step),
            TimerKind::Rebroadcast => propose.saturating_add(2 * vote).saturating_add(step),
        };
        wait.min(timing.timeout_max_ms.into())
    }

    /// The height the engine decides.
    pub(crate) fn deciding(&self) -> Height {
        self.tip.height.next()
    }
}
