//! Many replicas, one thread, one seed.
//!
//! What it offers: [`run`], which lives through a whole network's life from a [`Plan`] and checks after every step that
//! no [`Promise`] is broken. A life has two phases, in the manner of `FoundationDB` and `TigerBeetle`: trouble, in which
//! messages are lost, repeated, late, overtaken, held back, links cut and clogged, nodes killed at any effect, clocks
//! wrong, and up to f validators lie; and healing, after which 2f+1 validators must go on, whatever the others do. Some
//! networks then lose their quorum for a while, and must halt until it comes back.
//!
//! The modules are: `plan`, what is drawn before the run; `world`, what happens next; `net`, `disk` and `clock`, what a
//! node stands on; `liars`, who says what no honest node says; `load`, what is submitted; `checks`, what was promised.
//!
//! Time is a number, the network a sorted list, the disk what a crash leaves of it. The same plan gives the same run, bit
//! for bit: [`Report::trace`] says so. Never shipped.

mod checks;
mod clock;
mod dice;
mod disk;
mod liars;
mod load;
mod net;
mod plan;
mod world;

pub use checks::Promise;
pub use clock::Fault;
pub use dice::Dice;
pub use liars::Behaviour;
pub use plan::{Plan, Then, Trouble, Troubled, Weather};

use core::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use types::Hash;
use world::World;

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
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
    /// Two-faced validators convicted, each once by each accuser and height.
    pub accusations: u64,
    /// Simulated milliseconds.
    pub simulated_ms: u64,
}

/// A promise that was broken, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The seed of the plan.
    pub seed: u64,
    /// When, in simulated milliseconds.
    pub at_ms: u64,
    /// At which event.
    pub step: u64,
    /// The promise.
    pub promise: Promise,
    /// What happened instead.
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, at_ms, step, promise, what } = self;
        write!(f, "seed {seed} breaks the promise of {promise} at {at_ms} ms, step {step}: {what}")
    }
}

/// Lives through a plan: trouble first, then a healed core that must make progress.
///
/// # Errors
/// The promise that was broken, and when. A panic is one, too.
pub fn run(plan: &Plan) -> Result<Report, Failure> {
    let mut world = World::new(plan.clone());
    let lived = catch_unwind(AssertUnwindSafe(|| {
        world.trouble()?;
        world.heal()?;
        if world.is_to_hush() {
            world.hush()?;
        }
        world.report()
    }));
    match lived {
        Ok(Ok(report)) => Ok(report),
        Ok(Err(broken)) => Err(world.failure(broken)),
        Err(panic) => {
            let said = panic.downcast_ref::<String>().map(String::as_str);
            let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("silently");
            Err(world.failure((Promise::Service, format!("a panic: {said}"))))
        }
    }
}

/// The same, twice: the second life must be the first, bit for bit.
///
/// # Errors
/// The promise that was broken, in either life; or that they differ.
pub fn run_twice(plan: &Plan) -> Result<Report, Failure> {
    let (first, second) = (run(plan)?, run(plan)?);
    if first == second {
        return Ok(first);
    }
    let what = format!("once {first:?}, and then {second:?}");
    let (seed, promise) = (plan.seed, Promise::Determinism);
    Err(Failure { seed, at_ms: first.simulated_ms, step: first.steps, promise, what })
}

/// The seeds under which a promise was once broken.
///
/// # Panics
/// When the list is not one.
#[must_use]
pub fn kept() -> Vec<u64> {
    include_str!("../../../tests/seeds.txt")
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim())
        .filter(|line| !line.is_empty())
        .map(|line| line.parse().expect("tests/seeds.txt holds a number a line"))
        .collect()
}
