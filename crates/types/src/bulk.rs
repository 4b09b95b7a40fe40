//! What is recorded by the million: commitments under one root, and the units of seed that are sold.

use crate::{
    hash::Hash,
    operation::{LicenceId, Lot},
    text::Text,
};
use serde::{Deserialize, Serialize};

/// The most lines of one batch.
pub const LINES_MAX: u64 = 1 << 32;

/// A series of batches, such as a day's data exchange between two agencies: a name within the namespaces of a role.
pub type Series = Lot;

/// A batch of commitments, each of which can be proven alone: the root covers them, and nothing else of them is on the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchAction {
    /// The series it goes on.
    pub series: Series,
    /// How many lines it has: 1 to [`LINES_MAX`].
    pub lines: u64,
    /// The root over the lines in their order: RFC 6962 with SHA-256, a leaf for the 32 bytes of each.
    pub root: Hash,
}

/// A unit code of a seed label, 单元识别代码.
pub type SeedUnit = Text<20>;

/// The smallest pack of seed that is sold, put under its code: once, and never again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeedAction {
    /// The permit under which it was produced or imported, by whose holder the code was set.
    pub permit: LicenceId,
    /// The unit code: at most 20 digits and letters.
    pub unit: SeedUnit,
    /// The lot it is of.
    pub lot: Lot,
}
