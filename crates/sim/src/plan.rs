//! What a run is to go through: every choice that is made before it begins, all of them from the seed.

use crate::{Dice, clock::Fault, liars::Behaviour};

/// What a run is to go through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Everything else follows from it.
    pub seed: u64,
    /// How many validators.
    pub validators: u16,
    /// How many events of trouble before a core of the network is healed.
    pub trouble_steps: u64,
    /// What the network is like, in trouble and after.
    pub weather: Weather,
    /// Of a thousand messages, how many are lost in trouble.
    pub loss_permille: u64,
    /// Of a thousand, how many arrive twice, the second time perhaps much later.
    pub twice_permille: u64,
    /// Of ten thousand events, after how many a link is cut, or a cut one joined.
    pub cuts_per_10000: u64,
    /// Of ten thousand events, after how many a random part of the links is clogged one by one.
    pub clogs_per_10000: u64,
    /// Of ten thousand effects, at how many the node crashes.
    pub crash_per_10000: u64,
    /// How many transactions are submitted.
    pub transactions: u64,
    /// The most operations a block may hold: few, and blocks are full.
    pub block_operations_max: u32,
    /// Those who are not honest, or not well, at most f of them unless a test wants to see promises broken.
    pub troubled: Vec<Troubled>,
    /// Whether, after the healing, f+1 validators fall silent for a while: nothing may be agreed on, and then again.
    pub hush: bool,
}

/// A validator that the promises must hold without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Troubled {
    /// Its seat.
    pub seat: u16,
    /// What is wrong with it.
    pub how: Trouble,
}

/// What is wrong with a validator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It is honest, and stays dead when the others are healed.
    Dies,
    /// It is honest, and its clock is not to be trusted.
    Clock(Fault),
    /// It lies.
    Lies {
        /// How.
        how: Vec<Behaviour>,
        /// What it does when the others are healed.
        then: Then,
    },
}

/// What a liar does when the others are healed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The same.
    LieOn,
    /// Nothing, for ever.
    Die,
    /// What is right, from then on.
    Behave,
}

/// What the network is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// A millisecond to fifteen; in trouble one message in twenty is late by up to a second and a half.
    Near,
    /// A round trip of 300 ms, one message in twenty sent again after a while, 1 Mbit/s on every link; for ever.
    Far,
}

impl Plan {
    /// The plan that a seed stands for. Most are short; one in two hundred is very long.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        let mut dice = Dice::new(seed, 0);
        let validators = [4, 4, 4, 4, 4, 4, 7, 7, 10][dice.below_usize(9)];
        let trouble_steps = match dice.below(200) {
            0..150 => 200 + dice.below(1000),
            150..190 => 1200 + dice.below(3000),
            190..199 => 4200 + dice.below(5000),
            _ => 20_000 + dice.below(10_000),
        };
        let weather = if dice.odds(1, 8) { Weather::Far } else { Weather::Near };
        Self {
            seed,
            validators,
            trouble_steps,
            weather,
            loss_permille: dice.below(301),
            twice_permille: dice.below(501),
            cuts_per_10000: [0, 50, 170, 500][dice.below_usize(4)],
            clogs_per_10000: [0, 0, 20, 60][dice.below_usize(4)],
            crash_per_10000: dice.below(60),
            transactions: 5 + dice.below(30),
            block_operations_max: if dice.odds(1, 3) { 6 } else { 50 },
            troubled: troubled(&mut dice, validators),
            hush: dice.odds(1, 10),
        }
    }

    /// How many of the validators may be in trouble: f.
    #[must_use]
    pub const fn faults(&self) -> u16 {
        (self.validators - 1) / 3
    }

    /// The plan of a seed, but with exactly these in trouble.
    #[must_use]
    pub fn with_troubled(seed: u64, validators: u16, troubled: Vec<Troubled>) -> Self {
        Self { validators, troubled, ..Self::from_seed(seed) }
    }

    /// What is wrong with a seat, if anything is.
    pub(crate) fn trouble(&self, seat: usize) -> Option<&Trouble> {
        self.troubled
            .iter()
            .find(|troubled| usize::from(troubled.seat) == seat)
            .map(|troubled| &troubled.how)
    }

    /// Whether a seat's owner does not keep to the protocol.
    pub(crate) fn is_liar(&self, seat: usize) -> bool {
        matches!(self.trouble(seat), Some(Trouble::Lies { .. }))
    }

    /// Those who must make progress once they are healed: everyone with whom nothing is wrong.
    pub(crate) fn core(&self) -> Vec<usize> {
        (0..usize::from(self.validators)).filter(|seat| self.trouble(*seat).is_none()).collect()
    }
}

/// Up to f validators in trouble, and what is wrong with them.
fn troubled(dice: &mut Dice, validators: u16) -> Vec<Troubled> {
    let faults = u64::from((validators - 1) / 3);
    let mut seats: Vec<u16> = (0..validators).collect();
    let count = if dice.odds(1, 6) { 0 } else { 1 + dice.below(faults) };
    (0..count)
        .map(|_| {
            let seat = seats.swap_remove(dice.below_usize(seats.len()));
            let how = match dice.below(6) {
                0 => Trouble::Dies,
                1 => Trouble::Clock(Fault::ALL[dice.below_usize(Fault::ALL.len())]),
                _ => Trouble::Lies {
                    how: (0..1 + dice.below(3))
                        .map(|_| Behaviour::ALL[dice.below_usize(Behaviour::ALL.len())])
                        .collect(),
                    then: [Then::LieOn, Then::LieOn, Then::Die, Then::Behave][dice.below_usize(4)],
                },
            };
            Troubled { seat, how }
        })
        .collect()
}
