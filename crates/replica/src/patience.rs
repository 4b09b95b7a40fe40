//! How long a timer takes: what genesis says, more in each round, more for those who were seen to need it, and less for
//! a proposer who cannot be heard at all.
//!
//! Timers serve liveness only, so each validator may have its own. What is learned from one seat lengthens the wait for
//! that seat; what lengthens the wait for everyone is what more than f seats need, so that f of them cannot slow down the
//! others by being slow on purpose.
//!
//! Who waited longest for votes enters a round last, and it may be its turn: its block then comes a wait for votes, and a
//! way there and back, after the first of the others began to wait for it. So the wait for votes grows half as fast from round
//! to round as that for a proposal, and to half of its height: sooner or later the difference covers the way.

use consensus::{Timer, TimerKind};
use std::collections::BTreeMap;
use types::{Round, Timestamp, genesis::Timing};

/// How many rounds of a height are remembered with the moment they began.
const ROUNDS_KEPT: usize = 32;
/// What is waited for is half as long again as what was needed.
const MARGIN: (u64, u64) = (3, 2);
/// A height decided in its first round makes what was learned this much smaller: a sixteenth.
const FADE: u64 = 16;

#[derive(Debug)]
pub(crate) struct Patience {
    timing: Timing,
    /// How many seats may be slow on purpose.
    faults: usize,
    /// How long after the beginning of its round a seat's block was here, milliseconds; a maximum that fades.
    proposals: BTreeMap<u16, u64>,
    /// How long after a quorum had voted differently a seat's vote was here; a maximum that fades.
    votes: BTreeMap<u16, u64>,
    began: BTreeMap<Round, Timestamp>,
    waiting: BTreeMap<(Round, TimerKind), Timestamp>,
    /// The proposal's timer that runs, and whether it has been set anew since.
    proposal: Option<(Timer, bool)>,
}

impl Patience {
    pub(crate) const fn new(timing: Timing, faults: usize) -> Self {
        Self {
            timing,
            faults,
            proposals: BTreeMap::new(),
            votes: BTreeMap::new(),
            began: BTreeMap::new(),
            waiting: BTreeMap::new(),
            proposal: None,
        }
    }

    /// How long the proposal of `seat` in `round` is waited for.
    pub(crate) fn for_proposal(&self, round: Round, seat: u16, is_heard: bool) -> u64 {
        if !is_heard {
            // Long enough for a line to come back; nobody waits for the dead.
            return self.capped(self.timing.vote_ms.min(self.timing.propose_ms).into(), round);
        }
        let own = self.proposals.get(&seat).copied().unwrap_or(0);
        let need = own.max(self.needed(&self.proposals));
        self.capped(widened(need).max(self.timing.propose_ms.into()), round)
    }

    /// How long votes are waited for after a quorum has voted, but not for one thing.
    pub(crate) fn for_votes(&self, round: Round) -> u64 {
        let base = widened(self.needed(&self.votes)).max(self.timing.vote_ms.into());
        let steps = u64::from(self.timing.round_step_ms).saturating_mul(round.0.into());
        let most = u64::from(self.timing.timeout_max_ms / 2);
        base.saturating_add(steps / 2).min(most.max(self.timing.vote_ms.into()))
    }

    /// How long nothing may happen before the last votes are said again.
    pub(crate) fn for_silence(&self, round: Round, seat: u16) -> u64 {
        let propose = self.for_proposal(round, seat, true);
        let votes = self.for_votes(round).saturating_mul(2);
        propose.saturating_add(votes).min(self.timing.timeout_max_ms.into())
    }

    /// What is needed by all but the f slowest.
    fn needed(&self, learned: &BTreeMap<u16, u64>) -> u64 {
        let mut needs: Vec<u64> = learned.values().copied().collect();
        needs.sort_unstable();
        needs.iter().rev().nth(self.faults).copied().unwrap_or(0)
    }

    fn capped(&self, base: u64, round: Round) -> u64 {
        let step = u64::from(self.timing.round_step_ms).saturating_mul(round.0.into());
        base.saturating_add(step).min(self.timing.timeout_max_ms.into())
    }

    /// A round begins.
    pub(crate) fn begins(&mut self, now: Timestamp, round: Round) {
        self.began.entry(round).or_insert(now);
        while self.began.len() > ROUNDS_KEPT {
            self.began.pop_first();
        }
    }

    /// What `seat` proposed in `round` is here, so late: its block, or its word that an earlier one is still valid.
    pub(crate) fn proposed(&mut self, now: Timestamp, round: Round, seat: u16) {
        if let Some(began) = self.began.get(&round) {
            let took = now.since(*began).min(self.timing.timeout_max_ms.into());
            learn(&mut self.proposals, seat, took);
        }
    }

    /// A vote of `seat` is here, so late.
    pub(crate) fn voted(&mut self, now: Timestamp, round: Round, kind: TimerKind, seat: u16) {
        if let Some(since) = self.waiting.get(&(round, kind)) {
            let took = now.since(*since).min(self.timing.timeout_max_ms.into());
            learn(&mut self.votes, seat, took);
        }
    }

    /// A timer is set.
    pub(crate) fn sets(&mut self, now: Timestamp, timer: Timer) {
        match timer.kind {
            TimerKind::Propose => self.proposal = Some((timer, false)),
            TimerKind::Prevote | TimerKind::Precommit => {
                self.waiting.entry((timer.round, timer.kind)).or_insert(now);
                while self.waiting.len() > ROUNDS_KEPT {
                    self.waiting.pop_first();
                }
            }
            TimerKind::Rebroadcast => {}
        }
    }

    /// A timer is cancelled, or rang.
    pub(crate) fn ends(&mut self, timer: Timer) {
        if self.proposal.is_some_and(|(running, _)| running == timer) {
            self.proposal = None;
        }
    }

    /// Every timer is cancelled.
    pub(crate) const fn ends_all(&mut self) {
        self.proposal = None;
    }

    /// The proposal's timer, if it runs and was not set anew in its round: a line that comes and goes does not hold it.
    pub(crate) fn anew(&mut self) -> Option<Timer> {
        let (timer, is_anew) = self.proposal.as_mut()?;
        (!core::mem::replace(is_anew, true)).then_some(*timer)
    }

    /// A height is decided.
    pub(crate) fn decided(&mut self, round: Round) {
        if round == Round(0) {
            for need in self.proposals.values_mut().chain(self.votes.values_mut()) {
                *need = need.saturating_sub(*need / FADE + 1);
            }
            self.proposals.retain(|_, need| *need > 0);
            self.votes.retain(|_, need| *need > 0);
        }
        self.began.clear();
        self.waiting.clear();
        self.proposal = None;
    }
}

fn learn(learned: &mut BTreeMap<u16, u64>, seat: u16, took: u64) {
    let need = learned.entry(seat).or_insert(0);
    *need = took.max(*need);
}

const fn widened(need: u64) -> u64 {
    need.saturating_mul(MARGIN.0) / MARGIN.1
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMING: Timing = Timing {
        propose_ms: 300,
        vote_ms: 100,
        round_step_ms: 50,
        timeout_max_ms: 3000,
        idle_ms: 400,
        clock_ahead_ms: 500,
    };

    #[test]
    fn genesis_is_the_least_and_the_ceiling_the_most() {
        let patience = Patience::new(TIMING, 1);
        for (round, is_heard, want) in [
            (0, true, 300),
            (1, true, 350),
            (1000, true, 3000),
            (0, false, 100),
            (2, false, 200),
            (1000, false, 3000),
        ] {
            assert_eq!(patience.for_proposal(Round(round), 0, is_heard), want, "{round}");
        }
        assert_eq!(patience.for_votes(Round(0)), 100);
        assert_eq!(patience.for_votes(Round(10)), 100 + 250);
        assert_eq!(patience.for_votes(Round(u32::MAX)), 1500);
    }

    #[test]
    fn whoever_waited_longest_for_votes_is_still_waited_for() {
        let patience = Patience::new(TIMING, 1);
        let slack = |round| {
            let votes = patience.for_votes(Round(round));
            patience.for_proposal(Round(round), 0, true).saturating_sub(votes)
        };
        assert!((0..50).all(|round| slack(round) < slack(round + 1)), "by more in each round");
        assert_eq!(slack(100), 1500, "at the ceiling it is half of it");
    }

    #[test]
    fn one_slow_seat_is_waited_for_and_slows_nobody_else() {
        let mut patience = Patience::new(TIMING, 1);
        patience.begins(Timestamp(1000), Round(0));
        patience.proposed(Timestamp(1600), Round(0), 2);
        assert_eq!(patience.for_proposal(Round(0), 2, true), 900);
        assert_eq!(patience.for_proposal(Round(0), 1, true), 300);
        // More than f slow seats are a slow network.
        patience.proposed(Timestamp(1400), Round(0), 1);
        assert_eq!(patience.for_proposal(Round(0), 3, true), 600);
        assert_eq!(patience.for_proposal(Round(0), 2, true), 900);
    }

    #[test]
    fn a_liar_cannot_make_anyone_wait_longer_than_the_ceiling() {
        let mut patience = Patience::new(TIMING, 1);
        patience.begins(Timestamp(0), Round(0));
        for seat in 0..4 {
            patience.proposed(Timestamp(u64::MAX), Round(0), seat);
        }
        assert_eq!(patience.for_proposal(Round(0), 2, true), 3000);
        // A clock that goes backwards teaches nothing.
        let mut patience = Patience::new(TIMING, 1);
        patience.begins(Timestamp(5000), Round(0));
        patience.proposed(Timestamp(10), Round(0), 1);
        assert_eq!(patience.for_proposal(Round(0), 1, true), 300);
    }

    #[test]
    fn what_was_learned_fades_slowly_after_success() {
        let mut patience = Patience::new(TIMING, 0);
        patience.begins(Timestamp(0), Round(0));
        patience.proposed(Timestamp(1000), Round(0), 1);
        patience.decided(Round(3));
        assert_eq!(
            patience.for_proposal(Round(0), 1, true),
            1500,
            "a height that failed is no success"
        );
        patience.decided(Round(0));
        assert_eq!(patience.for_proposal(Round(0), 1, true), 1405);
        (0..200).for_each(|_| patience.decided(Round(0)));
        assert_eq!(patience.for_proposal(Round(0), 1, true), 300);
    }

    #[test]
    fn votes_count_from_when_a_quorum_had_voted() {
        let mut patience = Patience::new(TIMING, 0);
        patience.voted(Timestamp(900), Round(0), TimerKind::Prevote, 1);
        assert_eq!(patience.for_votes(Round(0)), 100, "no timer ran");
        patience.sets(Timestamp(1000), Timer { kind: TimerKind::Prevote, round: Round(0) });
        patience.voted(Timestamp(1400), Round(0), TimerKind::Prevote, 1);
        assert_eq!(patience.for_votes(Round(0)), 600);
    }

    #[test]
    fn a_line_that_comes_and_goes_sets_the_timer_anew_once() {
        let mut patience = Patience::new(TIMING, 1);
        let timer = Timer { kind: TimerKind::Propose, round: Round(0) };
        assert_eq!(patience.anew(), None);
        patience.sets(Timestamp(0), timer);
        assert_eq!(patience.anew(), Some(timer));
        assert_eq!(patience.anew(), None);
        patience.sets(Timestamp(0), timer);
        patience.ends(timer);
        assert_eq!(patience.anew(), None);
    }
}
