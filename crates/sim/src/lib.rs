//! Many replicas, one thread, one seed.
//!
//! What it offers: [`run`], which lives through a whole network's life from a [`Plan`] and checks after every step that
//! nothing promised was broken: agreement, validity, durability, no second vote, equal roots, receipts that verify.
//!
//! Time is a number, the network a sorted list, the disk a map whose unsynced end a crash may take. The same plan gives
//! the same run, bit for bit: [`Report::trace`] says so. Never shipped.

mod dice;
mod world;

pub use dice::Dice;
pub use world::World;

use types::Hash;

/// What a run is to go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Everything else follows from it.
    pub seed: u64,
    /// How many validators.
    pub validators: u16,
    /// How many events of trouble before the network is healed.
    pub trouble_steps: u64,
    /// Of a thousand messages, how many are lost in trouble.
    pub loss_permille: u64,
    /// Of a thousand, how many arrive twice.
    pub twice_permille: u64,
    /// Of ten thousand effects, after how many a node crashes.
    pub crash_per_10000: u64,
    /// How many transactions are submitted.
    pub transactions: u64,
    /// A validator that, in trouble, also says what no honest one says.
    pub liar: Option<u16>,
}

impl Plan {
    /// The plan that a seed stands for.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        let mut dice = Dice::new(seed, 0);
        let validators = [4, 4, 4, 7, 10][dice.below_usize(5)];
        Self {
            seed,
            validators,
            trouble_steps: 500 + dice.below(6000),
            loss_permille: dice.below(301),
            twice_permille: dice.below(201),
            crash_per_10000: dice.below(40),
            transactions: 5 + dice.below(40),
            liar: dice.odds(1, 2).then(|| u16::try_from(seed % u64::from(validators)).unwrap_or(0)),
        }
    }
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The plan.
    pub plan: Plan,
    /// The hash of every effect in order: equal for equal plans.
    pub trace: Hash,
    /// Blocks agreed on.
    pub height: u64,
    /// Records in the log.
    pub records: u64,
    /// Events stepped.
    pub steps: u64,
    /// Crashes lived through.
    pub crashes: u64,
    /// Simulated milliseconds.
    pub simulated_ms: u64,
}

/// Lives through a plan: trouble first, then a healed network that must make progress.
///
/// # Errors
/// The promise that was broken, and when.
pub fn run(plan: Plan) -> Result<Report, String> {
    let mut world = World::new(plan);
    world.trouble()?;
    world.heal()?;
    world.report()
}
