//! What each node's clock says: near the true time, or wrong in one of a few ways.

use crate::Dice;
use types::Timestamp;

/// When every simulation begins.
pub(crate) const START_MS: u64 = 1_700_000_000_000;
/// How far the clock of an honest node is from the true time at most, either way. Two such clocks differ by less than
/// the time that the genesis of simulations lets a block be ahead.
pub(crate) const HONEST_MS: u64 = 120;
const DAY_MS: i64 = 86_400_000;

/// How a clock is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A day ahead.
    Ahead,
    /// A day behind.
    Behind,
    /// It stopped when the run began.
    Stuck,
    /// A day ahead, until somebody sets it right.
    Corrected,
}

impl Fault {
    /// Every way.
    pub const ALL: [Self; 4] = [Self::Ahead, Self::Behind, Self::Stuck, Self::Corrected];
}

/// A clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    offset_ms: i64,
    fault: Option<Fault>,
}

impl Clock {
    pub(crate) fn new(dice: &mut Dice, fault: Option<Fault>) -> Self {
        let mut clock = Self { offset_ms: 0, fault };
        clock.step(dice);
        clock
    }

    /// What it says when `elapsed` milliseconds of the run are over.
    pub(crate) fn read(&self, elapsed: u64) -> Timestamp {
        let (since, offset) = match self.fault {
            None => (elapsed, self.offset_ms),
            Some(Fault::Ahead | Fault::Corrected) => (elapsed, DAY_MS),
            Some(Fault::Behind) => (elapsed, -DAY_MS),
            Some(Fault::Stuck) => (0, 0),
        };
        Timestamp((START_MS + since).saturating_add_signed(offset))
    }

    /// Steps to another offset, as a time service makes it do; forward or back.
    pub(crate) fn step(&mut self, dice: &mut Dice) {
        let offset = i64::try_from(dice.below(2 * HONEST_MS + 1)).unwrap_or(0);
        self.offset_ms = offset - i64::try_from(HONEST_MS).unwrap_or(0);
        if self.fault == Some(Fault::Corrected) && dice.odds(1, 2) {
            self.fault = None;
        }
    }
}
