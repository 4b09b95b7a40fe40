//! What lies between validators, whatever it is made of, and the shapes in which it is cut.

use client::Client;
use std::collections::BTreeSet;

/// Directions in which nothing comes through: from one validator to another.
pub type Pairs = BTreeSet<(u16, u16)>;

/// Lines between four validators.
pub trait Lines {
    /// What they are made of, for people.
    fn name(&self) -> &'static str;

    /// Cuts these directions, and mends all others.
    fn cut(&self, pairs: &Pairs);

    /// A client of validator 1 to 4, over a line that is never cut.
    fn client(&self, validator: u16) -> Client;

    /// The ends of the validators' logs.
    fn logs(&self) -> String;
}

/// Everything that passes from one group to another, in one direction.
#[must_use]
pub fn everyone(from: &[u16], to: &[u16]) -> Pairs {
    from.iter().flat_map(|from| to.iter().map(|to| (*from, *to))).collect()
}

/// The same in both directions.
#[must_use]
pub fn both(one: &[u16], other: &[u16]) -> Pairs {
    everyone(one, other).into_iter().chain(everyone(other, one)).collect()
}
