//! All the chance there is in a simulation, from one seed.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng as _, SeedableRng as _},
};

/// Dice that fall the same way for the same seed and stream.
#[derive(Debug)]
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// The dice of one stream of a seed.
    #[must_use]
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self(rng)
    }

    /// A number below `bound`; the bias of a remainder does not matter here.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0.next_u64() % bound.max(1)
    }

    /// The same, as an index.
    ///
    /// # Panics
    /// Never: a remainder is smaller than its bound.
    pub fn below_usize(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).expect("indexes fit");
        usize::try_from(self.below(bound)).expect("smaller than the bound")
    }

    /// True `part` times in `whole`.
    pub fn odds(&mut self, part: u64, whole: u64) -> bool {
        self.below(whole) < part
    }
}
