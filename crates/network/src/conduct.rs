//! What a peer did before, and for how long it is shut out for what it did now.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::Limits;

/// The record of one peer. It outlives connections, and ends with the peer's admission.
#[derive(Default)]
pub(crate) struct Conduct {
    /// Offences that the node reported and that are not forgotten yet, told by the time at which they all will be.
    clean_at: Option<Instant>,
    /// How often it was shut out lately.
    times: u32,
    shut_out_until: Option<Instant>,
}

impl Conduct {
    /// Notes an offence that was reported, and says whether it was one too many.
    pub(crate) fn note(&mut self, limits: &Limits, now: Instant) -> bool {
        let clean_at = self.clean_at.map_or(now, |at| at.max(now)) + limits.offence_forgotten;
        let borne = limits.offence_forgotten.saturating_mul(limits.offences_max);
        let too_many = clean_at.saturating_duration_since(now) > borne;
        self.clean_at = (!too_many).then_some(clean_at);
        too_many
    }

    /// Shuts the peer out, longer each time, and says until when.
    pub(crate) fn shut_out(&mut self, limits: &Limits, now: Instant) -> Duration {
        if self.shut_out_until.is_some_and(|until| now >= until + limits.penalty_forgotten) {
            self.times = 0;
        }
        let doubled = 1_u32.checked_shl(self.times).unwrap_or(u32::MAX);
        let pause = limits.penalty_min.saturating_mul(doubled).min(limits.penalty_max);
        self.times = self.times.saturating_add(1);
        self.shut_out_until = Some(now + pause);
        pause
    }

    /// Until when it is shut out, if it still is.
    pub(crate) fn shut_out_until(&self, now: Instant) -> Option<Instant> {
        self.shut_out_until.filter(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_penalty_doubles_to_a_limit_and_is_forgotten() {
        let limits = Limits { penalty_forgotten: seconds(100), ..Limits::default() };
        let (mut conduct, start) = (Conduct::default(), Instant::now());
        let mut at = start;
        for expected in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(conduct.shut_out(&limits, at), seconds(expected));
            assert_eq!(conduct.shut_out_until(at), Some(at + seconds(expected)));
            at += seconds(expected);
            assert_eq!(conduct.shut_out_until(at), None);
        }
        assert_eq!(conduct.shut_out(&limits, at + seconds(99)), seconds(60));
        assert_eq!(conduct.shut_out(&limits, at + seconds(99 + 60 + 100)), seconds(1));
    }

    #[test]
    fn a_few_offences_are_borne_with_and_forgotten_one_by_one() {
        let limits =
            Limits { offences_max: 3, offence_forgotten: seconds(10), ..Limits::default() };
        let (mut conduct, start) = (Conduct::default(), Instant::now());
        let mut told = Vec::new();
        for at in [0, 0, 0, 0, 1, 1, 1, 12, 13] {
            told.push(conduct.note(&limits, start + seconds(at)));
        }
        assert_eq!(told, [false, false, false, true, false, false, false, false, true]);
    }
}
