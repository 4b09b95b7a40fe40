//! What a ledger may forget: the bodies of old blocks, and nothing that the proof of anything else is made of.
//!
//! A body is the transactions of a block. Headers, certificates, the log, the state map, histories and indexes stay: what
//! stands of a subject, what the log held at any height, and every record whose body is kept are proven as before. A record
//! whose body was dropped cannot be shown by this ledger any more, only by one that keeps it.

use crate::{
    query,
    state::{Column, State, Write},
};
use types::{Height, Timestamp};

/// The fewest blocks whose bodies stay, whatever is asked for: neighbours that look for a second user of their key, or missed
/// the last minutes, ask for no more.
pub const BLOCKS_KEPT_MIN: u64 = 64;

/// Under this key of [`Column::Meta`]: the last height whose body was dropped. It belongs to the disk, and to no block.
pub(crate) const DROPPED: &[u8] = b"dropped";

/// How much of the past keeps its bodies. Where both say something, what keeps more counts; neither keeps all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// The last so many blocks.
    pub keep_blocks: Option<u64>,
    /// The blocks of the last so many days before the last block's time. No clock is asked: one that is wrong would forget.
    pub keep_days: Option<u64>,
}

impl Retention {
    /// The first height whose body stays. Never below where it is now: what was dropped does not come back.
    #[must_use]
    pub fn first_kept(&self, state: &impl State) -> Height {
        let (tip, now) = (query::height(state), kept_from(state));
        let by_blocks = self.keep_blocks.map(|count| tip.0.saturating_add(1).saturating_sub(count));
        let by_days = self.keep_days.and_then(|days| {
            let last = query::header(state, tip)?.time.0;
            let since = Timestamp(last.saturating_sub(days.saturating_mul(DAY_MS)));
            Some(first_since(state, since, tip))
        });
        let wanted = match (by_blocks, by_days) {
            (Some(blocks), Some(days)) => blocks.min(days),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => 0,
        };
        let most = tip.0.saturating_add(1).saturating_sub(BLOCKS_KEPT_MIN);
        Height(wanted.min(most)).max(now)
    }
}

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// The first block at or after a time, which the last one is. Times grow from block to block.
fn first_since(state: &impl State, since: Timestamp, tip: Height) -> u64 {
    let (mut low, mut high) = (1, tip.0);
    while low < high {
        let middle = low + (high - low) / 2;
        match query::header(state, Height(middle)) {
            Some(header) if header.time < since => low = middle + 1,
            Some(_) | None => high = middle,
        }
    }
    low
}

/// The first height whose body is here; 1 where nothing was dropped.
#[must_use]
pub fn kept_from(state: &impl State) -> Height {
    let bytes = state.get(Column::Meta, DROPPED).and_then(|bytes| bytes.try_into().ok());
    Height(bytes.map_or(0, u64::from_be_bytes)).next()
}

/// How the bodies below `first` are dropped: all keys of this column below this one go, and this is noted, in one step.
#[must_use]
pub fn drop_below(first: Height) -> (Column, Vec<u8>, Write) {
    let last = first.previous().unwrap_or_default();
    let note = Write {
        column: Column::Meta,
        key: DROPPED.to_vec(),
        value: Some(last.0.to_be_bytes().to_vec()),
    };
    (Column::Bodies, first.0.to_be_bytes().to_vec(), note)
}
