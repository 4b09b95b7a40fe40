//! Step 6 of a record's life: judging blocks, and doing what the engine wants, in its order.

use crate::{
    Effect, Offence, Progress, Replica, Seen, Wake, block_frame, message_frame, receive::Record,
};
use consensus::{Action, Entry, Input, Stuck, Timer, TimerKind};
use ledger::{Invalid, State};
use types::{
    Block, BlockId, Height, Round, Timestamp, codec,
    net::{Peer, To},
    vote::Message,
};

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
        if height < next || (height == next && self.misattributes(&message)) {
            // It counts for nothing, but may convict: who speaks to two sides is often heard late by one of them.
            let actions = self.engine.overhear(&message);
            return self.perform(now, actions, effects);
        }
        if height == next && self.progress == Progress::Resting {
            if !self.engine.vouches(&message) {
                return Ok(());
            }
            self.begin(now, effects)?;
        }
        // While a block is being written the engine is a height behind, and keeps this for later.
        let actions = self.engine.step(Input::Message(message))?;
        self.perform(now, actions, effects)
    }

    /// Whether somebody proposes as new, and so as its own, what another built.
    fn misattributes(&self, message: &Message) -> bool {
        let Message::Proposal(proposal, _) = message else { return false };
        let seen = self.bodies.get(&proposal.block);
        proposal.valid_round.is_none()
            && seen.is_some_and(|seen| seen.block.header.proposer != proposal.seat)
    }

    /// A neighbour offers a block: executed once, here, if a proposal names it.
    pub(crate) fn offered(
        &mut self,
        now: Timestamp,
        peer: Peer,
        block: Block,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Stuck> {
        let (id, height, next) = (block.id(), block.header.height, self.tip.height.next());
        if height > next
            && let Some(before) = height.previous()
        {
            self.claimed(peer, before, effects);
        }
        if height == next && !self.bodies.is_judged(&id) && !self.bodies.is_spoiled(peer, id) {
            self.bodies.wait(peer, block);
            self.called(now, id, effects)?;
        }
        Ok(())
    }

    /// Judges the block with this id, if its body is here and a proposal names it.
    fn called(
        &mut self,
        now: Timestamp,
        id: BlockId,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Stuck> {
        if self.progress != Progress::Deciding || self.bodies.is_judged(&id) {
            return Ok(());
        }
        let Some((peer, block)) = self.bodies.claim(&id) else { return Ok(()) };
        let Some(round) = self.bodies.round(id, &block) else {
            self.bodies.wait(peer, block);
            return Ok(());
        };
        let height = block.header.height;
        let known = |tx: &types::Transaction| {
            self.pool.get(&tx.id()).filter(|mine| mine.get() == tx).cloned()
        };
        let judged = ledger::validate(&self.rules, &self.state, &self.tip, now, &block, known);
        let valid = judged.is_ok();
        match judged {
            Ok(outcome) => self.keep_body(id, Seen { block, outcome: Some(outcome), round }),
            // Time may make it right: it is looked at again when it is proposed or offered again.
            Err(Invalid::Ahead { time, now }) => {
                self.bodies.wait(peer, block);
                if !self.bodies.put_off(id) {
                    return Ok(());
                }
                tracing::warn!(%height, %round, block = %id, %time, %now, "block ahead of our clock");
            }
            // Somebody spoiled it on the way: nothing is said of the block, and whoever brought it intact is heard.
            Err(invalid) if invalid.is_of_the_body() => {
                tracing::warn!(%height, %round, %peer, block = %id, reason = %invalid, "body refused");
                let reason = invalid.to_string();
                effects.push(Effect::Blame(peer, Offence::Block { height, reason }));
                self.bodies.spoil(peer, id);
                return self.called(now, id, effects);
            }
            Err(invalid) => {
                tracing::warn!(%height, %round, %peer, block = %id, reason = %invalid, "block refused");
                let reason = invalid.to_string();
                effects.push(Effect::Blame(peer, Offence::Block { height, reason }));
                self.bodies.refuse(id);
            }
        }
        let actions = self.engine.step(Input::Judged { height, round, block: id, valid })?;
        self.perform(now, actions, effects)
    }

    /// Before we may say that we want this block, we must be able to give it to others, restart or not.
    pub(crate) fn keep_body(&mut self, id: BlockId, seen: Seen) {
        self.unwritten.push(codec::encode(&Record::Block(seen.round, seen.block.clone())));
        self.bodies.keep(id, seen, |id| self.engine.holds(id));
    }

    /// Does what the engine wants, in its order.
    pub(crate) fn perform(
        &mut self,
        now: Timestamp,
        actions: Vec<Action>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Stuck> {
        // What the engine is told next waits for the end of the list, or the journal would have another order than the
        // engine had, and a replay could lead elsewhere.
        let (mut named, mut turn) = (Vec::new(), None);
        for action in actions {
            // When a block is decided, what is left of the list speaks of a height that is over: its votes may still
            // help others, but its timers have the names of the next height's.
            if self.progress != Progress::Deciding
                && !matches!(action, Action::Sign(_) | Action::Broadcast(_) | Action::Accuse(_))
            {
                continue;
            }
            match action {
                Action::Journal(entry) => {
                    if let Entry::Message(Message::Proposal(proposal, _)) = &entry {
                        self.bodies.name(proposal);
                        named.push(proposal.block);
                    }
                    self.unwritten.push(codec::encode(&Record::Entry(entry)));
                }
                Action::Sign(signed) => self.signed.push(signed),
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
                Action::Propose { height, round } => turn = Some((height, round)),
                Action::Restream(id) => self.restream(&id, effects),
                Action::Decide(certificate) => self.decided(certificate, effects)?,
                Action::Accuse(evidence) => {
                    tracing::warn!(?evidence, "a validator said two things");
                    effects.push(Effect::Accuse(Box::new(evidence)));
                }
            }
        }
        if let Some((height, round)) = turn {
            self.propose(now, height, round, effects)?;
        }
        named.into_iter().try_for_each(|id| self.called(now, id, effects))
    }

    /// Hands the shell what must be remembered before what follows in the list is said.
    pub(crate) fn write_journal(&mut self, effects: &mut Vec<Effect>) {
        if !self.unwritten.is_empty() {
            effects.push(Effect::Journal(core::mem::take(&mut self.unwritten)));
        }
        // The journal first: then what is remembered beside the key is always in the journal too, unless that is lost.
        effects.extend(self.signed.drain(..).map(Effect::Sign));
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
        if let Some(seen) = self.bodies.get(id) {
            effects.push(block_frame(To::Everyone, &seen.block));
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
