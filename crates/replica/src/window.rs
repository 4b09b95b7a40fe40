//! Which block times a validator accepts from a proposer: no clock of the few decides what time it is.
//!
//! Only a vote for a block that is proposed as new, in its own round, asks this. A block that is proposed again, that
//! others are locked on, or that a quorum certified is never too old: that its time was right when it was new is what
//! the votes of its first round say.

use types::Timestamp;

/// How far from our clock a block's time may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// Ahead of it.
    pub(crate) ahead_ms: u64,
    /// Behind it: as much, and the time a proposal may be on its way.
    pub(crate) behind_ms: u64,
}

/// Why a proposal gets no vote of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Untimely {
    /// The block's time is so many milliseconds ahead of our clock.
    Ahead(u64),
    /// It is so many milliseconds behind it.
    Behind(u64),
}

impl core::fmt::Display for Untimely {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Ahead(by) => write!(f, "{by} ms ahead of our clock"),
            Self::Behind(by) => write!(f, "{by} ms behind our clock"),
        }
    }
}

impl Window {
    /// What is wrong with a block's time. `heard` is when we first heard the proposal that names it; none if a restart
    /// forgot that: then the block may be as old as it is.
    pub(crate) const fn refuses(
        self,
        time: Timestamp,
        heard: Option<Timestamp>,
        now: Timestamp,
    ) -> Option<Untimely> {
        let ahead = time.since(now);
        if ahead > self.ahead_ms {
            return Some(Untimely::Ahead(ahead));
        }
        if let Some(heard) = heard {
            // A clock that was set forward since then says nothing about the block.
            let behind = if heard.0 < now.0 { heard.since(time) } else { now.since(time) };
            if behind > self.behind_ms {
                return Some(Untimely::Behind(behind));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_timely_within_the_window_and_no_further() {
        let window = Window { ahead_ms: 500, behind_ms: 800 };
        let (now, day) = (Timestamp(1_000_000_000), 86_400_000);
        for (time, heard, want) in [
            (now.0, Some(now.0), None),
            (now.0 + 500, Some(now.0), None),
            (now.0 + 501, Some(now.0), Some(Untimely::Ahead(501))),
            (now.0 + day, Some(now.0), Some(Untimely::Ahead(day))),
            (now.0 - 800, Some(now.0), None),
            (now.0 - 801, Some(now.0), Some(Untimely::Behind(801))),
            (now.0 - day, Some(now.0), Some(Untimely::Behind(day))),
            // The body came ten seconds after the proposal: the proposal was in time.
            (now.0 - 10_000, Some(now.0 - 10_000), None),
            (now.0 - 10_000, Some(now.0 - 9_000), Some(Untimely::Behind(1000))),
            // Time made it right while its body was on the way.
            (now.0 + 400, Some(now.0 - 10_000), None),
            // A restart forgot when it was heard; a time to come is still one.
            (now.0 - day, None, None),
            (now.0 + 501, None, Some(Untimely::Ahead(501))),
            // Our clock was set back after we heard it.
            (now.0 - 100, Some(now.0 + day), None),
        ] {
            let heard = heard.map(Timestamp);
            assert_eq!(window.refuses(Timestamp(time), heard, now), want, "{time} {heard:?}");
        }
    }
}
