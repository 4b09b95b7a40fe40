//! How RocksDB is set up: what it may spend, and what it must never forgive.

use ledger::Column;
use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, ColumnFamilyDescriptor, DBCompressionType,
    DBRecoveryMode, LogLevel, Options,
};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};

/// The column family of the store's own records. RocksDB has it in every database, and no column of the ledger is in it.
pub(crate) const OWN: &str = rocksdb::DEFAULT_COLUMN_FAMILY_NAME;

/// Blocks, indexes and filters kept in memory, for all columns together. Pages of the map are better kept one by one, by
/// [`crate::Cached`].
const CACHE_BYTES: usize = 64 << 20;

/// Writes kept in memory until they are flushed, for all columns together. With the cache, what the files need and
/// the allocator's slack, a node stays below 400 MiB.
const WRITE_BUFFERS_BYTES: usize = 96 << 20;

/// … and for one column.
const WRITE_BUFFER_BYTES: usize = 32 << 20;

/// The most that a restart has to replay, which takes a second. At that length all memtables are flushed together; before
/// it, one after another as the room for them is used up, later and so in larger pieces, which is less to compact.
const WAL_BYTES_MAX: u64 = 256 << 20;

/// How many tables may lie about as they were flushed before they are merged into the next level, which is then written
/// anew from end to end, because keys are hashes: twice as many are half as much writing, and some filters more to ask.
const FLUSHED_TABLES: i32 = 8;

/// The pace of flushes and compactions, bytes a second at most; at least a twentieth of it. In between RocksDB seeks the one
/// at which they have work for most of the time, and none in heaps: a compaction at full speed takes a core for seconds, and
/// whoever votes waits for one.
const PACE_BYTES_MAX: i64 = 320 << 20;
/// How often they may go on, microseconds: as short a time as they then run.
const PACE_REFILL_MICROS: i64 = 20_000;
/// One time in so many a compaction goes before a flush. RocksDB's own default.
const PACE_FAIRNESS: i32 = 10;

/// Descriptors for tables, if a quarter of what the process may open is as many. It promises to stay under 512 as a whole.
const OPEN_FILES_MAX: i32 = 256;

/// How many files this process may have open; none if there is no limit, or it is not known.
#[must_use]
pub fn files_allowed() -> Option<u64> {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn open_files_max() -> i32 {
    let quarter = files_allowed().and_then(|allowed| i32::try_from(allowed / 4).ok());
    quarter.map_or(OPEN_FILES_MAX, |quarter| quarter.min(OPEN_FILES_MAX))
}

/// A limit of this store's own, at most an eighth below, drawn anew at every start.
///
/// Validators write the same at the same time. With one limit for all, they would flush and compact in the same second, and
/// every block would wait for it; a quorum does not wait for one of them.
fn own(most: usize) -> usize {
    let drawn = RandomState::new().build_hasher().finish();
    let eighth = most / 8;
    most - usize::try_from(drawn % eighth as u64).unwrap_or(0)
}

/// Of the database.
pub(crate) fn database() -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);

    // A power cut may tear the last record of the log, which was then never acknowledged; `AbsoluteConsistency` would
    // refuse to start after one. `PointInTime`, the default, forgives too much: it stops quietly at the first bad
    // record, and every acknowledged one behind it is gone. This mode accepts a log that ends early and refuses one
    // that is damaged before its end. One gap remains: a length damaged in the last 32 KiB reads as an early end. The
    // journal closes it, because it names the commit that it follows (see `journal`).
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    // A log that was closed is complete; then the manifest knows its size, and an early end is damage.
    options.set_track_and_verify_wals_in_manifest(true);
    options.set_paranoid_checks(true);
    // A commit asks for its own sync; nothing may linger in our memory before it.
    options.set_manual_wal_flush(false);

    options.set_db_write_buffer_size(own(WRITE_BUFFERS_BYTES));
    options.set_max_total_wal_size(WAL_BYTES_MAX);
    options.set_max_open_files(open_files_max());
    // Each part of the cache of tables holds one at least, and by default there are 64 parts: more than a small limit allows.
    options.set_table_cache_num_shard_bits(2);
    options.set_max_background_jobs(2);
    options.set_auto_tuned_ratelimiter(PACE_BYTES_MAX, PACE_REFILL_MICROS, PACE_FAIRNESS);
    options.set_log_level(LogLevel::Warn);
    options.set_keep_log_file_num(2);
    options.set_max_log_file_size(4 << 20);
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    options
}

/// Of each column family.
pub(crate) fn families() -> Vec<ColumnFamilyDescriptor> {
    let cache = Cache::new_lru_cache(CACHE_BYTES);
    let own = ColumnFamilyDescriptor::new(OWN, family(&table(&cache)));
    let columns = Column::ALL.into_iter().map(|column| {
        let mut table = table(&cache);
        if is_asked_for_the_absent(column) {
            // Ten bits a key: one look-up in a hundred for an absent key reads the disk.
            table.set_bloom_filter(10.0, false);
            table.set_whole_key_filtering(true);
        }
        let mut options = family(&table);
        options.set_compression_type(compression(column));
        if is_asked_for_the_absent(column) {
            // The same for what is not in tables yet: a search of a memtable costs as much as all else of a look-up.
            options.set_memtable_prefix_bloom_ratio(0.05);
            options.set_memtable_whole_key_filtering(true);
        }
        ColumnFamilyDescriptor::new(column.name(), options)
    });
    std::iter::once(own).chain(columns).collect()
}

fn table(cache: &Cache) -> BlockBasedOptions {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    // Inside the cache they are bounded; outside they grow with the ledger.
    table.set_cache_index_and_filter_blocks(true);
    table.set_cache_index_and_filter_blocks_with_high_priority(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
    // In pieces: the filter of a whole file is a megabyte or two, more than a shard of the cache holds, and would be read
    // again for every look-up once the ledger has a million records.
    table.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
    table.set_partition_filters(true);
    table
}

fn family(table: &BlockBasedOptions) -> Options {
    let mut options = Options::default();
    options.set_block_based_table_factory(table);
    options.set_compression_type(DBCompressionType::None);
    options.set_write_buffer_size(own(WRITE_BUFFER_BYTES));
    options.set_level_zero_file_num_compaction_trigger(FLUSHED_TABLES);
    options.set_max_write_buffer_number(2);
    options
}

/// Whether keys are looked up that are often not there: a filter spares the disk.
const fn is_asked_for_the_absent(column: Column) -> bool {
    match column {
        Column::Transactions | Column::Records | Column::Subjects | Column::Map => true,
        Column::Headers
        | Column::Bodies
        | Column::Certificates
        | Column::Positions
        | Column::History
        | Column::Log
        | Column::Documents
        | Column::Committees
        | Column::Handovers
        | Column::Meta => false,
    }
}

/// Text and structure shrink; hashes and signatures do not. Beside the hashes of an index stand numbers of many zeros, and
/// eight bytes more that RocksDB adds to every key.
const fn compression(column: Column) -> DBCompressionType {
    match column {
        Column::Headers
        | Column::Bodies
        | Column::Subjects
        | Column::Map
        | Column::Transactions
        | Column::Records
        | Column::Positions
        | Column::History
        | Column::Documents => DBCompressionType::Lz4,
        Column::Certificates
        | Column::Log
        | Column::Committees
        | Column::Handovers
        | Column::Meta => DBCompressionType::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn stores_that_write_the_same_flush_at_limits_of_their_own() {
        let drawn: BTreeSet<usize> = (0..64).map(|_| own(WRITE_BUFFERS_BYTES)).collect();
        assert!(drawn.len() > 60, "{drawn:?}");
        let allowed = WRITE_BUFFERS_BYTES / 8 * 7..=WRITE_BUFFERS_BYTES;
        assert!(drawn.iter().all(|bytes| allowed.contains(bytes)), "{drawn:?}");
    }
}
