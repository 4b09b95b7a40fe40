//! How much one peer may say in one channel, and whether it has been saying more for too long.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::config::Rate;

/// What is left of a peer's allowance in one channel. It belongs to the peer and not to a stream: a peer that comes back,
/// or opens another stream, finds it as it left it.
#[derive(Clone)]
pub(crate) struct Allowance {
    ledger: Arc<Mutex<Ledger>>,
    flood_max: Duration,
}

struct Ledger {
    messages: Tap,
    bytes: Tap,
    /// Since when there was never much left.
    short_since: Option<Instant>,
}

/// What follows from a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Read on.
    Fine,
    /// Read on after a pause.
    Slower(Duration),
    /// It was slowed without a pause for too long; this would be the next.
    Flood(Duration),
}

impl Allowance {
    pub(crate) fn new(rate: Rate, flood_max: Duration, now: Instant) -> Self {
        let ledger = Ledger {
            messages: Tap::new(rate.messages, rate.messages_burst, now),
            bytes: Tap::new(rate.bytes, rate.bytes_burst, now),
            short_since: None,
        };
        Self { ledger: Arc::new(Mutex::new(ledger)), flood_max }
    }

    /// Charges for a message that was read.
    pub(crate) fn charge(&self, bytes: usize, now: Instant) -> Verdict {
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let size = u32::try_from(bytes).unwrap_or(u32::MAX);
        let wait = ledger.messages.draw(1, now).max(ledger.bytes.draw(size, now));
        if wait.is_zero() {
            // A pause of a moment, ours or the peer's, is none: what counts is whether it ever lets up.
            if ledger.messages.is_half_full(now) && ledger.bytes.is_half_full(now) {
                ledger.short_since = None;
            }
            return Verdict::Fine;
        }
        let since = *ledger.short_since.get_or_insert(now);
        if now.saturating_duration_since(since) < self.flood_max {
            return Verdict::Slower(wait);
        }
        // It is answered for once; when the peer is back, it is measured anew.
        ledger.short_since = None;
        Verdict::Flood(wait)
    }
}

/// A bucket with a hole, told by the time at which it will be full again.
struct Tap {
    per_second: u32,
    /// How long an empty bucket takes to fill.
    depth: Duration,
    full_at: Instant,
}

impl Tap {
    fn new(per_second: u32, burst: u32, now: Instant) -> Self {
        let per_second = per_second.max(1);
        Self { per_second, depth: time_for(burst, per_second), full_at: now }
    }

    /// Takes `amount` out, be it there or not, and says how long until there is none missing.
    fn draw(&mut self, amount: u32, now: Instant) -> Duration {
        self.full_at = self.full_at.max(now) + time_for(amount, self.per_second);
        self.full_at.saturating_duration_since(now).saturating_sub(self.depth)
    }

    fn is_half_full(&self, now: Instant) -> bool {
        self.full_at.saturating_duration_since(now) <= self.depth / 2
    }
}

fn time_for(amount: u32, per_second: u32) -> Duration {
    Duration::from_nanos(u64::from(amount) * 1_000_000_000 / u64::from(per_second))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { messages: 10, messages_burst: 5, bytes: 1000, bytes_burst: 2000 };

    /// Messages as `milliseconds:bytes`, and for each `.` (fine), the pause in milliseconds, or `flood`.
    fn check(messages: &str, expected: &str) {
        let start = Instant::now();
        let allowance = Allowance::new(RATE, Duration::from_secs(2), start);
        let told = messages.split(' ').map(|message| {
            let (at, bytes) = message.split_once(':').unwrap();
            let now = start + Duration::from_millis(at.parse().unwrap());
            match allowance.charge(bytes.parse().unwrap(), now) {
                Verdict::Fine => ".".to_owned(),
                Verdict::Slower(pause) => pause.as_millis().to_string(),
                Verdict::Flood(_) => "flood".to_owned(),
            }
        });
        assert_eq!(told.collect::<Vec<_>>().join(" "), expected, "{messages}");
    }

    #[test]
    fn a_burst_is_free_and_what_follows_is_slowed() {
        check("0:1 0:1 0:1 0:1 0:1 0:1 0:1", ". . . . . 100 200");
        check("0:2000 0:1 1000:1 1000:1000", ". 1 . 2");
    }

    #[test]
    fn a_pause_gives_back_the_burst_and_no_more() {
        check(
            "0:1 0:1 0:1 0:1 0:1 9000:1 9000:1 9000:1 9000:1 9000:1 9000:1",
            ". . . . . . . . . . 100",
        );
    }

    #[test]
    fn a_message_larger_than_the_burst_is_paid_for_afterwards() {
        check("0:3000 1000:1 6000:1", "1000 1 .");
    }

    #[test]
    fn who_is_slowed_without_a_pause_for_too_long_is_a_flood() {
        check("0:4000 1000:1000 1999:1000 2000:1000 2000:1", "2000 2000 2001 flood 3001");
        check("0:4000 1000:1 4000:1 5000:4000 6999:1000 7000:1", "2000 1001 . 2000 1001 flood");
    }

    #[test]
    fn a_moment_without_being_slowed_is_no_pause() {
        check("0:3000 1500:1 2000:1000", "1000 . flood");
        check("0:3000 2100:1 2200:2000", "1000 . 801");
    }

    #[test]
    fn clones_share_what_is_left() {
        let now = Instant::now();
        let allowance = Allowance::new(RATE, Duration::from_secs(2), now);
        let other = allowance.clone();
        assert_eq!(allowance.charge(2000, now), Verdict::Fine);
        assert_eq!(other.charge(1000, now), Verdict::Slower(Duration::from_secs(1)));
        assert_eq!(allowance.charge(1000, now), Verdict::Slower(Duration::from_secs(2)));
    }
}
