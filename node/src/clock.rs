//! The only place that reads a clock.

use std::time::{Duration, Instant};
use types::Timestamp;

/// What the machine's clock says now.
///
/// # Panics
/// When it says a time before 1970: nothing this process could do would be right.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place")]
pub fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect(
        "the machine's clock is set to a time before 1970; set it before starting a validator",
    );
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// A moment to measure from.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place")]
pub fn instant() -> Instant {
    Instant::now()
}

/// The moment so many milliseconds from now.
#[must_use]
pub fn after(milliseconds: u64) -> Instant {
    instant() + Duration::from_millis(milliseconds)
}
