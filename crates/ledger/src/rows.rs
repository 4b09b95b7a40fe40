//! Sequences that only grow, kept many entries to a key: one write for a row of them instead of one for each.

use crate::state::{Column, State, Write};

/// Where a sequence of entries of one length is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows {
    column: Column,
    /// Tells the sequences of a column apart.
    tag: u8,
    entry_bytes: usize,
    /// Entries in a full row.
    width: u64,
}

impl Rows {
    pub(crate) const fn new(column: Column, tag: u8, entry_bytes: usize, width: u64) -> Self {
        Self { column, tag, entry_bytes, width }
    }

    fn key(&self, row: u64) -> Vec<u8> {
        let mut key = vec![self.tag];
        key.extend_from_slice(&row.to_be_bytes());
        key
    }

    fn bytes(&self, entries: u64) -> usize {
        usize::try_from(entries).expect("a row is short") * self.entry_bytes
    }

    /// `count` entries from `index` on, which all stand in one row; none unless all are there.
    pub(crate) fn get(&self, state: &impl State, index: u64, count: u64) -> Option<Vec<u8>> {
        let mut row = state.get(self.column, &self.key(index / self.width))?;
        let from = self.bytes(index % self.width);
        let to = from + self.bytes(count);
        (to <= row.len()).then(|| {
            row.truncate(to);
            row.split_off(from)
        })
    }

    /// The writes that put `entries`, one after the other, behind the first `size` entries.
    ///
    /// # Panics
    /// When the row they begin in is not there as far as `size` says: a store that lost state must not go on.
    pub(crate) fn append(&self, state: &impl State, size: u64, entries: &[u8]) -> Vec<Write> {
        if entries.is_empty() {
            return Vec::new();
        }
        let (mut row, begun) = (size / self.width, self.bytes(size % self.width));
        let mut bytes = Vec::new();
        if begun > 0 {
            bytes = state.get(self.column, &self.key(row)).unwrap_or_default();
            assert!(
                bytes.len() >= begun,
                "a row of {} is short: the store has lost state",
                self.column.name()
            );
            bytes.truncate(begun);
        }
        bytes.extend_from_slice(entries);
        let mut writes = Vec::new();
        for full in bytes.chunks(self.bytes(self.width)) {
            let value = Some(full.to_vec());
            writes.push(Write { column: self.column, key: self.key(row), value });
            row += 1;
        }
        writes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Memory;
    use proptest::prelude::*;

    const ROWS: Rows = Rows::new(Column::Log, 3, 2, 4);

    proptest! {
        #[test]
        fn what_is_put_behind_what_was_there_is_read_back(blocks in prop::collection::vec(0u16..11, 0..12)) {
            let (mut state, mut size) = (Memory::default(), 0u16);
            for block in blocks {
                let entries: Vec<u8> = (size..size + block).flat_map(u16::to_be_bytes).collect();
                let writes = ROWS.append(&state, size.into(), &entries);
                prop_assert!(writes.len() <= usize::from(block).div_ceil(4) + 1);
                state.write(&writes);
                size += block;
            }
            for at in 0..size {
                prop_assert_eq!(ROWS.get(&state, at.into(), 1), Some(at.to_be_bytes().to_vec()));
            }
            prop_assert_eq!(ROWS.get(&state, size.into(), 1), None);
            for row in 0..u64::from(size) / 4 {
                prop_assert_eq!(ROWS.get(&state, row * 4, 4).map(|row| row.len()), Some(8));
            }
        }
    }

    #[test]
    fn a_block_that_was_not_agreed_on_leaves_nothing_in_the_next_one() {
        let mut state = Memory::default();
        state.write(&ROWS.append(&state, 0, &[0, 0, 0, 1, 0, 2]));
        let after_two = ROWS.append(&state, 2, &[9, 9]);
        assert_eq!(after_two[0].value.as_deref(), Some(&[0, 0, 0, 1, 9, 9][..]));
    }

    #[test]
    #[should_panic(expected = "lost state")]
    fn a_row_that_is_gone_is_not_built_on() {
        ROWS.append(&Memory::default(), 1, &[0, 0]);
    }
}
