//! Figures: how they are spread, spelled and read.

use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, path::Path, time::Duration};

/// How some measurements are spread.
#[derive(Clone, Copy, Default)]
pub(crate) struct Spread {
    pub(crate) samples: u64,
    pub(crate) p50: u64,
    pub(crate) p90: u64,
    pub(crate) p99: u64,
    pub(crate) highest: u64,
}

impl Spread {
    pub(crate) fn of(mut values: Vec<u64>) -> Self {
        values.sort_unstable();
        let at = |percent: usize| {
            values.get((values.len() * percent / 100).min(values.len().saturating_sub(1)))
        };
        let at = |percent| at(percent).copied().unwrap_or_default();
        Self {
            samples: values.len() as u64,
            p50: at(50),
            p90: at(90),
            p99: at(99),
            highest: at(100),
        }
    }

    pub(crate) fn json(&self) -> Value {
        let Self { samples, p50, p90, p99, highest } = self;
        json!({ "samples": samples, "p50": p50, "p90": p90, "p99": p99, "highest": highest })
    }
}

/// What the first validator wrote and waited for between two moments.
pub(crate) struct Syncs {
    pub(crate) journals: u64,
    pub(crate) journals_us: u64,
    pub(crate) blocks: u64,
    pub(crate) blocks_us: u64,
}

impl Syncs {
    pub(crate) fn between(before: [u64; 4], after: [u64; 4]) -> Self {
        let [journals, journals_us, blocks, blocks_us] =
            core::array::from_fn(|index| after[index].saturating_sub(before[index]));
        Self { journals, journals_us, blocks, blocks_us }
    }

    pub(crate) fn print(&self, records: u64) {
        let blocks = self.blocks.max(1);
        println!(
            "              {} blocks of {} records; each {} ms in {} syncs of the journal and {} ms in the commit",
            self.blocks,
            records / blocks,
            thousandths(self.journals_us / blocks),
            thousandths(self.journals * 1000 / blocks),
            thousandths(self.blocks_us / blocks),
        );
    }

    pub(crate) fn json(&self) -> Value {
        let Self { journals, journals_us, blocks, blocks_us } = self;
        json!({ "journal": journals, "journal_us": journals_us, "blocks": blocks, "commit_us": blocks_us })
    }
}

pub(crate) fn count(counts: &mut BTreeMap<String, u64>, code: &str) {
    *counts.entry(code.to_owned()).or_default() += 1;
}

pub(crate) fn in_words(errors: &BTreeMap<String, u64>) -> String {
    if errors.is_empty() {
        return "none".into();
    }
    let words: Vec<_> = errors.iter().map(|(code, times)| format!("{code} {times}")).collect();
    words.join(", ")
}

pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// A number of thousandths, with a point.
pub(crate) fn thousandths(number: u64) -> String {
    format!("{}.{:03}", number / 1000, number % 1000)
}

/// The digits that a text begins with, white space aside.
pub(crate) fn number(text: &str) -> u64 {
    let digits: String = text.trim().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_default()
}

/// A decimal number in millionths.
pub(crate) fn millionths(text: &str) -> u64 {
    let text = text.trim();
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let part: String = part.chars().chain("000000".chars()).take(6).collect();
    number(whole) * 1_000_000 + number(&part)
}

/// What the files under a directory take, as long as they are.
pub(crate) fn disk_bytes(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok);
    entries
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => disk_bytes(&entry.path()),
            Ok(found) => found.len(),
            // It vanished while we looked.
            Err(_) => 0,
        })
        .sum()
}

/// The processor time of a process so far, milliseconds. The kernel counts in hundredths of a second.
pub(crate) fn cpu_ms(pid: i32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = text.rsplit(')').next().unwrap_or_default();
    fields.split_whitespace().skip(11).take(2).map(|ticks| number(ticks) * 10).sum()
}
