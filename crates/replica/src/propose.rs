//! Step 5 of a record's life: our turn, and the block we make of what waits.

use crate::{Effect, Progress, Replica, Seen, Wake, block_frame};
use consensus::{Input, Start, Stuck};
use ledger::State;
use types::{Height, Round, Timestamp, net::To};

/// The longest pause after a block.
const PAUSE_MS: u64 = 20;
/// A quarter of what a block may hold is worth one.
const PARTS_WORTH_A_BLOCK: usize = 4;

impl<S: State> Replica<S> {
    /// Starts deciding the next height, unless that is under way.
    pub(crate) fn begin(&mut self, now: Timestamp, effects: &mut Vec<Effect>) -> Result<(), Stuck> {
        if self.progress != Progress::Resting || self.catchup.is_ready(self.deciding()) {
            return Ok(());
        }
        self.progress = Progress::Deciding;
        (self.begun, self.pausing) = (now, false);
        effects.push(Effect::Cancel(Wake::Idle));
        let start =
            Start { height: self.tip.height.next(), committee: self.rules.committee().clone() };
        let actions = self.engine.step(Input::Start(start))?;
        self.perform(now, actions, effects)
    }

    /// Begins the next height if others have: more of them speak of it than may be lying. So no few of them can make those
    /// who rest write empty blocks.
    pub(crate) fn join(&mut self, now: Timestamp, effects: &mut Vec<Effect>) -> Result<(), Stuck> {
        if self.progress != Progress::Resting {
            return Ok(());
        }
        let next = self.deciding();
        let mut speakers = self.engine.speakers(next);
        speakers.extend(self.early.speakers(next));
        if speakers.len() > self.rules.committee().faults() {
            self.begin(now, effects)
        } else {
            Ok(())
        }
    }

    /// Whether so much waits that nothing is gained by waiting for more.
    pub(crate) fn is_worth_a_block(&self) -> bool {
        self.pool.fills(PARTS_WORTH_A_BLOCK, &self.rules)
    }

    /// How long to wait for more before the next block, milliseconds; none if there is no need.
    ///
    /// A block costs every validator the same three syncs and some thirty messages, however little is in it. So while
    /// little waits, we rest for as long as the last height took, and at most [`PAUSE_MS`]: then small blocks take at most
    /// half of the machine. Who finds nobody waiting never comes here.
    pub(crate) fn pause(&self, now: Timestamp) -> Option<u64> {
        let took = now.since(self.begun).min(PAUSE_MS);
        (took > 0 && !self.is_worth_a_block()).then_some(took)
    }

    /// Our block for a round, executed and sent ahead of the signed proposal that names it.
    pub(crate) fn propose(
        &mut self,
        now: Timestamp,
        height: Height,
        round: Round,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Stuck> {
        let Some(seat) = self.seat.filter(|_| height == self.tip.height.next()) else {
            return Ok(());
        };
        // Another round's block is another block, even if the clock stands still.
        let time = self.bodies.last_time(seat).map_or(now, |last| now.max(last.plus(1)));
        let (block, outcome, refused) =
            ledger::propose(&self.rules, &self.state, &self.tip, time, seat, self.pool.turns());
        let ids: Vec<_> = refused.iter().map(|(id, _)| *id).collect();
        let more = self.pool.discard(&self.rules, &self.state, &self.tip, &ids);
        for (id, rejection) in refused.into_iter().chain(more) {
            effects.push(Effect::Refused(id, rejection));
        }
        let id = block.id();
        effects.push(block_frame(To::Everyone, &block));
        self.keep_body(id, Seen { block, outcome: Some(outcome), round });
        let actions = self.engine.step(Input::Propose { height, round, block: id })?;
        self.perform(now, actions, effects)
    }
}
