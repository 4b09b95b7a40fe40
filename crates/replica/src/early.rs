//! Proposals that came before their round, with the time they came at: the engine hears them when the round begins.
//!
//! Whoever is a round behind, or still writes the block before, must not find a proposal late that was early. And a block
//! that the engine knows already would be voted for the moment its round begins, with nobody asking for its time.

use std::collections::BTreeMap;
use types::{Height, Round, Timestamp, net::Peer, vote::Message};

/// How many heights and rounds ahead proposals are kept for, and bodies; what consensus keeps, too.
pub(crate) const HEIGHTS_MAX: u64 = 3;
const ROUNDS_MAX: u32 = 10;
/// Two of one seat in one round convict it; more are no use.
const PER_SEAT: usize = 2;
/// How many rounds of a seat are kept.
const PER_SEAT_ROUNDS: usize = 8;

/// What came early.
#[derive(Debug)]
pub(crate) struct Came {
    pub(crate) peer: Peer,
    pub(crate) at: Timestamp,
    pub(crate) message: Message,
}

#[derive(Debug, Default)]
pub(crate) struct Early(BTreeMap<(Height, Round, u16), Vec<Came>>);

impl Early {
    /// Whether there is a place for a proposal of `seat`, seen from where we are.
    pub(crate) fn has_room(
        &self,
        here: (Height, Round),
        (height, round, seat): (Height, Round, u16),
        message: &Message,
    ) -> bool {
        let is_near = height <= here.0.plus(HEIGHTS_MAX)
            && round.0 <= if height == here.0 { here.1.0 } else { 0 }.saturating_add(ROUNDS_MAX);
        let kept = self.0.get(&(height, round, seat)).map_or(&[][..], Vec::as_slice);
        let rounds = self.0.keys().filter(|(.., other)| *other == seat).count();
        is_near
            && kept.len() < PER_SEAT
            && kept.iter().all(|came| came.message != *message)
            && (!kept.is_empty() || rounds < PER_SEAT_ROUNDS)
    }

    /// Whose proposals are kept for a height.
    pub(crate) fn speakers(&self, height: Height) -> impl Iterator<Item = u16> {
        let all = (height, Round(0), 0)..=(height, Round(u32::MAX), u16::MAX);
        self.0.range(all).map(|((.., seat), _)| *seat)
    }

    /// Forgets what is not vouched for any more: its seat has another holder.
    pub(crate) fn retain(&mut self, is_vouched_for: impl Fn(&Message) -> bool) {
        self.0.retain(|_, kept| {
            kept.retain(|came| is_vouched_for(&came.message));
            !kept.is_empty()
        });
    }

    pub(crate) fn keep(&mut self, place: (Height, Round, u16), came: Came) {
        self.0.entry(place).or_default().push(came);
    }

    /// What is for `height` up to `round`, which begins now; what is for heights before is forgotten.
    pub(crate) fn begins(&mut self, height: Height, round: Round) -> Vec<Came> {
        self.0 = self.0.split_off(&(height, Round(0), 0));
        let Some(after) = round.0.checked_add(1) else {
            return core::mem::take(&mut self.0).into_values().flatten().collect();
        };
        let later = self.0.split_off(&(height, Round(after), 0));
        core::mem::replace(&mut self.0, later).into_values().flatten().collect()
    }
}
