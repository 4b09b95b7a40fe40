//! How far this machine's clock is from those of its neighbours, as far as their own words tell.
//!
//! A word takes time to arrive, which makes its speaker's clock look slow by as much; so of a neighbour's last words the
//! one that looks earliest sent is believed. Of the neighbours the one in the middle is, so that a minority may lie.

use std::collections::{BTreeMap, VecDeque};
use types::{Timestamp, net::Peer};

/// How many words of each neighbour are kept.
const WORDS_KEPT: usize = 8;

/// This machine's clock, seen from its neighbours'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offset {
    /// Milliseconds by which it is ahead of their median; negative when it is behind.
    pub ahead_ms: i64,
    /// How many neighbours' clocks there were.
    pub neighbours: usize,
}

impl Offset {
    /// How far it is off, either way, milliseconds.
    #[must_use]
    pub const fn distance_ms(&self) -> u64 {
        self.ahead_ms.unsigned_abs()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Clocks {
    words: BTreeMap<Peer, VecDeque<i64>>,
    /// When something was last heard of a neighbour.
    heard: BTreeMap<Peer, Timestamp>,
}

impl Clocks {
    /// A neighbour said what its clock says.
    pub(crate) fn word(&mut self, now: Timestamp, peer: Peer, theirs: Timestamp) {
        let lead = signed(theirs.since(now)).saturating_sub(signed(now.since(theirs)));
        let words = self.words.entry(peer).or_default();
        if words.len() >= WORDS_KEPT {
            words.pop_front();
        }
        words.push_back(lead);
    }

    /// A neighbour said anything at all.
    pub(crate) fn hears(&mut self, now: Timestamp, peer: Peer) {
        self.heard.insert(peer, now);
    }

    /// Whether something was heard of a neighbour within so many milliseconds. A clock set back does not make it deaf.
    pub(crate) fn is_heard(&self, now: Timestamp, peer: &Peer, within_ms: u64) -> bool {
        self.heard.get(peer).is_some_and(|at| now.since(*at) <= within_ms)
    }

    pub(crate) fn lost(&mut self, peer: &Peer) {
        self.words.remove(peer);
        self.heard.remove(peer);
    }

    /// This machine's clock, seen from its neighbours'. None without neighbours.
    pub(crate) fn offset(&self) -> Option<Offset> {
        let mut leads: Vec<i64> =
            self.words.values().filter_map(|words| words.iter().max().copied()).collect();
        leads.sort_unstable();
        // Of two in the middle, the one that accuses us less.
        let middle = [leads.len().checked_sub(1)? / 2, leads.len() / 2];
        let lead = middle.iter().map(|at| leads[*at]).min_by_key(|lead| lead.unsigned_abs())?;
        Some(Offset { ahead_ms: lead.saturating_neg(), neighbours: leads.len() })
    }
}

fn signed(milliseconds: u64) -> i64 {
    i64::try_from(milliseconds).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offset(leads: &[&[i64]]) -> Option<i64> {
        let mut clocks = Clocks::default();
        let now = Timestamp(1_000_000_000);
        for (n, leads) in (0..).zip(leads) {
            for lead in *leads {
                let theirs = Timestamp(now.0.saturating_add_signed(*lead));
                clocks.word(now, Peer([n; 32]), theirs);
            }
        }
        clocks.offset().map(|offset| offset.ahead_ms)
    }

    #[test]
    fn the_median_of_the_least_delayed_words_is_believed() {
        assert_eq!(offset(&[]), None);
        assert_eq!(offset(&[&[-40, -3, -200]]), Some(3));
        assert_eq!(offset(&[&[1800], &[1790], &[1805]]), Some(-1800));
        assert_eq!(offset(&[&[-900], &[-905], &[-880]]), Some(900));
        // Of two that differ, the one that accuses us less; of three, one liar does not count.
        assert_eq!(offset(&[&[5], &[90_000]]), Some(-5));
        assert_eq!(offset(&[&[5], &[-86_400_000], &[-2]]), Some(2));
        assert_eq!(offset(&[&[5], &[86_400_000], &[-2]]), Some(-5));
    }

    #[test]
    fn words_are_forgotten_after_a_while_so_that_a_clock_that_is_set_right_is_seen_to_be() {
        let mut clocks = Clocks::default();
        let peer = Peer([1; 32]);
        clocks.word(Timestamp(10_000), peer, Timestamp(90_000));
        for _ in 0..WORDS_KEPT {
            clocks.word(Timestamp(90_000), peer, Timestamp(90_000));
        }
        assert_eq!(clocks.offset(), Some(Offset { ahead_ms: 0, neighbours: 1 }));
        clocks.lost(&peer);
        assert_eq!(clocks.offset(), None);
    }

    #[test]
    fn no_time_is_too_far() {
        let mut clocks = Clocks::default();
        clocks.word(Timestamp(u64::MAX), Peer([1; 32]), Timestamp(0));
        assert_eq!(clocks.offset().unwrap().ahead_ms, i64::MAX);
    }

    #[test]
    fn a_neighbour_is_heard_for_a_while() {
        let mut clocks = Clocks::default();
        let peer = Peer([1; 32]);
        assert!(!clocks.is_heard(Timestamp(0), &peer, 100));
        clocks.hears(Timestamp(1000), peer);
        assert!(clocks.is_heard(Timestamp(1100), &peer, 100));
        assert!(!clocks.is_heard(Timestamp(1101), &peer, 100));
        assert!(clocks.is_heard(Timestamp(5), &peer, 100), "set back");
    }
}
