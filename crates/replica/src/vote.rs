//! Step 6 of a record's life: judging blocks, and doing what the engine wants, in its order.

use crate::{
    Effect, Offence, Progress, Replica, Seen, Wake, block_frame,
    early::{Came, HEIGHTS_MAX},
    message_frame,
    receive::{Record, Remembered},
    window::{Untimely, Window},
};
use consensus::{Action, Entry, Input, Stuck, Timer, TimerKind};
use ledger::State;
use types::{
    Block, BlockId, Height, Round, Timestamp, codec,
    net::{Peer, To},
    vote::{Message, Step},
};

/// Messages kept for those who connect late: our proposal and votes of the last rounds.
const SAID_MAX: usize = 12;
/// A neighbour of whom nothing is heard for so long is not waited for, though its line may be open; it says its height
/// every second.
const SILENCE_MS: u64 = 3000;

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
            if !self.engine.vouches(&message) || self.catchup.is_ready(next) {
                return Ok(());
            }
            // There is something to record, so one is enough.
            if !self.pool.is_empty() {
                self.begin(now, effects)?;
            }
        }
        if let Message::Proposal(proposal, _) = &message
            && proposal.valid_round.is_none()
        {
            let place = (proposal.height, proposal.round, proposal.seat);
            let here = (next, self.round());
            if (height, proposal.round) > here || self.progress != Progress::Deciding {
                if self.early.has_room(here, place, &message) && self.engine.vouches(&message) {
                    self.early.keep(place, Came { peer, at: now, message });
                }
                return self.join(now, effects);
            }
        }
        self.listen(now, now, message, effects)?;
        self.join(now, effects)
    }

    /// The round of the height under way.
    fn round(&self) -> Round {
        if self.progress == Progress::Deciding { self.engine.at().1 } else { Round(0) }
    }

    /// Tells the engine what was heard at `heard`.
    fn listen(
        &mut self,
        now: Timestamp,
        heard: Timestamp,
        message: Message,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Stuck> {
        if let Message::Proposal(proposal, _) = &message
            && proposal.valid_round.is_none()
            && proposal.height == self.deciding()
        {
            if self.bodies.was_fresh(proposal.block, proposal.seat, proposal.round) {
                // No honest validator proposes a block as new twice; what the first time was worth is known.
                return Ok(());
            }
            // A block that the engine knows is voted for at once, so its time is asked for before.
            let time = self.bodies.get(&proposal.block).map(|seen| seen.block.header.time);
            let untimely = time.and_then(|time| {
                self.window(proposal.round, proposal.seat).refuses(time, Some(heard), now)
            });
            if let Some(why) = untimely
                && proposal.round == self.round()
            {
                if !self.engine.vouches(&message) {
                    return Ok(());
                }
                self.pass(now, proposal.block, proposal.round, why, effects)?;
            }
        }
        self.heard_at = Some(heard);
        let actions = self.engine.step(Input::Message(message))?;
        let done = self.perform(now, actions, effects);
        self.heard_at = None;
        done
    }

    /// The block times that are accepted of a proposer.
    fn window(&self, round: Round, seat: u16) -> Window {
        let ahead_ms = self.rules.clock_ahead_ms();
        let on_its_way = self.patience.for_proposal(round, seat, true);
        Window { ahead_ms, behind_ms: ahead_ms.saturating_add(on_its_way) }
    }

    /// Waits no longer for the proposal of this round: if we have not voted in it yet, we vote for nothing.
    fn pass(
        &mut self,
        now: Timestamp,
        block: BlockId,
        round: Round,
        why: Untimely,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Stuck> {
        let height = self.deciding();
        tracing::warn!(%height, %round, %block, time = %why, "block is not timely: not voted for in its round");
        let timer = Timer { kind: TimerKind::Propose, round };
        let actions = self.engine.step(Input::Elapsed(timer))?;
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
        if height > next && height <= next.plus(HEIGHTS_MAX) {
            // The others were quicker than we, who still hear of the last block; bodies have a line of their own, on which
            // they overtake votes.
            self.bodies.wait_early(peer, block);
            return Ok(());
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
        let Some((peer, block)) = self.bodies.claim(&id, self.deciding()) else { return Ok(()) };
        let Some(naming) = self.bodies.naming(id, &block) else {
            self.bodies.wait(peer, block);
            return Ok(());
        };
        let round = naming.round;
        let (height, time, seat) = (block.header.height, block.header.time, block.header.proposer);
        let known =
            |tx: &types::Transaction| self.pool.get(&tx.id()).filter(|mine| mine.get() == tx);
        let judged = ledger::validate(&self.rules, &self.state, &self.tip, &block, known);
        let valid = judged.is_ok();
        match judged {
            Ok(outcome) => {
                self.keep_body(id, Seen { block, outcome: Some(outcome), round });
                if naming.is_fresh {
                    // First judged, then learned from: nobody widens the window by being late once.
                    let refused = self.window(round, seat).refuses(time, naming.heard, now);
                    self.patience.proposed(now, round, seat);
                    if let Some(why) = refused.filter(|_| round == self.round()) {
                        self.pass(now, id, round, why, effects)?;
                    }
                }
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
        if self.progress != Progress::Deciding || height != self.deciding() {
            return Ok(());
        }
        let actions = self.engine.step(Input::Judged { height, round, block: id, valid })?;
        self.perform(now, actions, effects)
    }

    /// Before we may say that we want this block, we must be able to give it to others, restart or not.
    pub(crate) fn keep_body(&mut self, id: BlockId, seen: Seen) {
        self.unwritten.push(codec::encode(&Remembered::Block(seen.round, &seen.block)));
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
        let (mut named, mut turn, mut begun) = (Vec::new(), None, None);
        let heard = self.heard_at.take().or(Some(now));
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
                        self.bodies.name(proposal, heard);
                        named.push(proposal.block);
                        if proposal.valid_round.is_some() {
                            // The block is no news, so nothing else will teach how late this seat is.
                            self.patience.proposed(now, proposal.round, proposal.seat);
                        }
                    }
                    if let Entry::Message(Message::Vote(vote, _)) = &entry {
                        let kind = match vote.step {
                            Step::Prevote => TimerKind::Prevote,
                            Step::Precommit => TimerKind::Precommit,
                        };
                        self.patience.voted(now, vote.round, kind, vote.seat);
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
                    self.patience.sets(now, timer);
                    effects.push(Effect::Set(Wake::Round(timer), self.patience(now, timer)));
                }
                Action::Cancel(timer) => {
                    self.patience.ends(timer);
                    effects.push(Effect::Cancel(Wake::Round(timer)));
                }
                Action::CancelAll => {
                    self.patience.ends_all();
                    effects.push(Effect::CancelRounds);
                }
                Action::Round { height, round, proposer } => {
                    self.turn = Some((round, proposer));
                    self.patience.begins(now, round);
                    begun = Some((height, round));
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
        named.into_iter().try_for_each(|id| self.called(now, id, effects))?;
        let came = begun.map(|(height, round)| self.early.begins(height, round));
        for Came { peer, at, message } in came.into_iter().flatten() {
            // What came early may have been overtaken by what was done with the one before it.
            if message.height() == self.deciding() && self.progress == Progress::Deciding {
                tracing::trace!(%peer, "a proposal that came early");
                if !self.misattributes(&message) {
                    self.listen(now, at, message, effects)?;
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

    /// How long a timer takes, milliseconds.
    pub(crate) fn patience(&self, now: Timestamp, timer: Timer) -> u64 {
        let proposer = self.turn.map_or(u16::MAX, |(_, proposer)| proposer);
        let is_heard = self.hears(now, proposer);
        match timer.kind {
            TimerKind::Propose => self.patience.for_proposal(timer.round, proposer, is_heard),
            // Nothing can be decided any more in a round that a quorum refused; whose proposer is gone need not be slow,
            // for the next proposal was waited for already.
            TimerKind::Precommit
                if !is_heard
                    && self.engine.tally().refused.len() >= self.rules.committee().quorum() =>
            {
                1
            }
            TimerKind::Prevote | TimerKind::Precommit => self.patience.for_votes(timer.round),
            TimerKind::Rebroadcast => self.patience.for_silence(timer.round, proposer),
        }
    }

    /// Whether a seat is ours, or of a neighbour that said something of late.
    fn hears(&self, now: Timestamp, seat: u16) -> bool {
        self.seat == Some(seat)
            || self.peers.keys().any(|peer| {
                self.seats.get(peer) == Some(&seat) && self.clocks.is_heard(now, peer, SILENCE_MS)
            })
    }

    /// The proposer we wait for came, or went: its time is measured anew, once a round.
    pub(crate) fn reconsider(&mut self, now: Timestamp, peer: Peer, effects: &mut Vec<Effect>) {
        let is_turn = self.turn.is_some_and(|(_, seat)| self.seats.get(&peer) == Some(&seat));
        if is_turn
            && self.progress == Progress::Deciding
            && let Some(timer) = self.patience.anew()
        {
            effects.push(Effect::Set(Wake::Round(timer), self.patience(now, timer)));
        }
    }

    /// The height the engine decides.
    pub(crate) fn deciding(&self) -> Height {
        self.tip.height.next()
    }
}
