//! How often: pauses between attempts that fail, and between warnings that repeat.

use std::time::Duration;

use tokio::time::Instant;
use types::net::Peer;

/// The pause after `attempt` failures in a row: `min` doubled for each, at most `max`, less up to a quarter. The quarter
/// depends on both peers and the attempt, so that a committee does not knock on one door in step.
pub(crate) fn backoff(
    (min, max): (Duration, Duration),
    attempt: u32,
    here: &Peer,
    there: &Peer,
) -> Duration {
    let whole = min.saturating_mul(1_u32.checked_shl(attempt).unwrap_or(u32::MAX)).min(max);
    let mut mixed = 0xcbf2_9ce4_8422_2325_u64;
    for byte in here.0.iter().chain(&there.0).chain(&attempt.to_le_bytes()) {
        mixed = (mixed ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    let [first, ..] = (mixed ^ (mixed >> 32)).to_le_bytes();
    whole - whole / 4 * u32::from(first) / 255
}

/// Lets one warning a second through, and remembers how many it held back.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    quiet_until: Option<Instant>,
    muted: u64,
}

impl Pace {
    /// `Some(how many were held back before)` if a warning may be given now.
    pub(crate) fn allow(&mut self, now: Instant) -> Option<u64> {
        if self.quiet_until.is_some_and(|until| now < until) {
            self.muted = self.muted.saturating_add(1);
            return None;
        }
        self.quiet_until = now.checked_add(Duration::from_secs(1));
        Some(core::mem::take(&mut self.muted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_differ() {
        let range = (Duration::from_millis(200), Duration::from_secs(5));
        let pause = |attempt, there| backoff(range, attempt, &Peer([1; 32]), &Peer([there; 32]));
        for (attempt, whole_ms) in
            [(0, 200), (1, 400), (4, 3200), (5, 5000), (31, 5000), (u32::MAX, 5000)]
        {
            let whole = Duration::from_millis(whole_ms);
            let pause = pause(attempt, 2);
            assert!(pause <= whole && pause >= whole * 3 / 4, "{attempt}: {pause:?}");
        }
        assert!((3..9).any(|there| pause(5, there) != pause(5, 2)));
        assert_eq!(pause(5, 2), pause(5, 2));
    }

    #[test]
    fn a_second_warning_waits_a_second() {
        let mut pace = Pace::default();
        let now = Instant::now();
        assert_eq!(pace.allow(now), Some(0));
        assert_eq!(pace.allow(now), None);
        assert_eq!(pace.allow(now + Duration::from_millis(999)), None);
        assert_eq!(pace.allow(now + Duration::from_secs(1)), Some(2));
    }
}
