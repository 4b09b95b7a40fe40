//! A directory that remembers a ledger: a RocksDB of columns, and a journal beside it.

use crate::{
    fault::{ADVICE_JOURNAL, ADVICE_LEDGER, Fault},
    journal::Journal,
    options,
};
use core::fmt;
use ledger::{Column, Commit, State, Write};
use rocksdb::{ColumnFamily, DB, FlushOptions, ReadOptions, WriteBatch, WriteOptions, properties};
use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard},
};
use types::{ChainId, Hash};

/// The format of the directory, journal included.
pub(crate) const FORMAT: u32 = 3;

/// Under this key of our own: the format (4 bytes) and the chain (32 bytes).
const FORMAT_KEY: &[u8] = b"format";

/// Under this key of our own: how many writes the ledger has taken, which is the journal's epoch.
const WRITES_KEY: &[u8] = b"writes";

/// How many keys are looked for together.
pub(crate) const TOGETHER: usize = 256;

/// A ledger on disk. Reads run beside each other and beside a write; writes wait for one another.
///
/// Dropping it closes the files. Nothing is lost by that, nor by being killed; [`Store::flush`] before it makes the
/// next start quicker.
pub struct Store {
    db: DB,
    path: PathBuf,
    on_fault: fn(&Fault) -> !,
    writer: Mutex<Writer>,
    // Declared last, released last: when another process gets in, RocksDB is closed.
    _lock: File,
}

/// What only one thread at a time may do.
struct Writer {
    journal: Journal,
    /// How much was written, and how much of it is durable.
    writes: u64,
    synced: u64,
    failed: Option<String>,
}

impl Writer {
    /// Remembers a failure. The disk may hold what it refused and lack what it took (a failed sync is not tried again:
    /// the kernel has marked the pages clean), so only a new start, which reads it back, may write again.
    fn note<T>(&mut self, result: Result<T, Fault>) -> Result<T, Fault> {
        result.inspect_err(|fault| self.failed = Some(fault.to_string()))
    }
}

/// Opens the store of a chain, or begins one in a directory that is empty or absent. `on_fault` is told of a read that
/// fails; it ends the process.
///
/// # Errors
/// The directory is in use, is of another chain or format, is damaged, or cannot be read and written.
pub fn open(path: &Path, chain: &ChainId, on_fault: fn(&Fault) -> !) -> Result<Store, Fault> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(Fault::io("create", path))?;
    let lock = lock(path)?;

    // The journal is asked first, because RocksDB changes files by being opened.
    let journal = path.join("journal");
    let has_journal = Journal::exists(&journal, chain)?;
    let ledger = path.join("ledger");
    let open = DB::open_cf_descriptors(&options::database(), &ledger, options::families());
    let db = open.map_err(Fault::rocksdb("open", &ledger))?;

    let read = |key| db.get(key).map_err(Fault::rocksdb("read", &ledger));
    if let Some(record) = read(FORMAT_KEY)? {
        let (format, found) = decode_format(&record)?;
        check(format, found, chain)?;
        if !has_journal {
            let what = "the ledger's journal is missing".to_owned();
            return Err(Fault::Damaged { what, advice: ADVICE_JOURNAL });
        }
    } else {
        if db.latest_sequence_number() != 0 {
            return Err(not_a_ledger("the database has no format record"));
        }
        // The record says that there was a journal, so the journal is made before it.
        if !has_journal {
            Journal::create(&journal, chain)?;
        }
        begin(&db, chain).map_err(Fault::rocksdb("write", &ledger))?;
        sync_names(path).map_err(Fault::io("sync", path))?;
    }
    let writes = read(WRITES_KEY)?
        .and_then(|bytes| bytes.try_into().ok())
        .map(u64::from_le_bytes)
        .ok_or_else(|| not_a_ledger("the database does not know how much was written"))?;
    let journal = Journal::open(&journal, chain, writes)?;
    let writer = Mutex::new(Writer { journal, writes, synced: writes, failed: None });
    Ok(Store { db, path: path.to_owned(), on_fault, writer, _lock: lock })
}

/// Opens the store of a chain for reading alone, on a disk that cannot be written to. Nothing on it is changed; every
/// write fails.
///
/// # Errors
/// There is no store, it is in use, is of another chain or format, is damaged, or cannot be read.
pub fn open_reading(
    path: &Path,
    chain: &ChainId,
    on_fault: fn(&Fault) -> !,
) -> Result<Store, Fault> {
    let name = path.join("lock");
    let lock = taken(File::open(&name).map_err(Fault::io("open", &name))?, path)?;
    let (journal, ledger) = (path.join("journal"), path.join("ledger"));
    Journal::exists(&journal, chain)?;
    let mut options = options::database();
    options.create_if_missing(false);
    options.create_missing_column_families(false);
    let db = DB::open_cf_descriptors_read_only(&options, &ledger, options::families(), false)
        .map_err(Fault::rocksdb("open", &ledger))?;
    let record = db.get(FORMAT_KEY).map_err(Fault::rocksdb("read", &ledger))?;
    let record = record.ok_or_else(|| not_a_ledger("the database has no format record"))?;
    let (format, found) = decode_format(&record)?;
    check(format, found, chain)?;
    let failed = Some("opened for reading, because the disk could not be written to".to_owned());
    let writer =
        Mutex::new(Writer { journal: Journal::unread(&journal)?, writes: 0, synced: 0, failed });
    Ok(Store { db, path: path.to_owned(), on_fault, writer, _lock: lock })
}

impl Store {
    /// Writes all that a block changes, or nothing. It can be read at once, and is durable, with all that was written
    /// before it, after [`Store::sync`]: a crash until then loses the last blocks, whole, and none in between.
    ///
    /// # Errors
    /// The disk failed, now or earlier. Whether the block was written is then unknown until the next start.
    pub fn commit(&self, commit: &Commit) -> Result<(), Fault> {
        let mut writer = self.writer()?;
        let result = self.put(&mut writer, commit.writes());
        writer.note(result)
    }

    /// Returns when all that was committed is durable. The journal begins anew.
    ///
    /// # Errors
    /// The disk failed, now or earlier. Which of the blocks since the last sync are there is then unknown until the next
    /// start.
    pub fn sync(&self) -> Result<(), Fault> {
        let mut writer = self.writer()?;
        let result = self.sync_log(&mut writer);
        writer.note(result)
    }

    /// Writes what no block changes: the state that a genesis describes. As a whole, durably, as [`Store::commit`] and
    /// [`Store::sync`], and so the journal begins anew: this is not for writing between two blocks.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn write(&self, writes: &[Write]) -> Result<(), Fault> {
        let mut writer = self.writer()?;
        let result = self.put(&mut writer, writes).and_then(|()| self.sync_log(&mut writer));
        writer.note(result)
    }

    fn put(&self, writer: &mut Writer, writes: &[Write]) -> Result<(), Fault> {
        let epoch = writer.writes + 1;
        // Grown by doubling, it would be copied over and again: a large block writes megabytes.
        let bytes: usize = writes
            .iter()
            .map(|write| 16 + write.key.len() + write.value.as_ref().map_or(0, Vec::len))
            .sum();
        let mut batch = WriteBatch::with_capacity_bytes(bytes + 64);
        batch.put(WRITES_KEY, epoch.to_le_bytes());
        // In the order of keys, so that each finds its place in the memtable beside the one before it: most of them are
        // hashes, and from anywhere a place costs twenty comparisons. Of one key only the last write counts.
        let mut order: Vec<(Column, u64, usize)> = writes
            .iter()
            .enumerate()
            .map(|(at, write)| (write.column, head(&write.key), at))
            .collect();
        order.sort_unstable();
        for of_column in order.chunk_by(|(one, ..), (other, ..)| one == other) {
            let family = self.family(of_column[0].0);
            for Write { key, value, .. } in of_column.iter().map(|(.., at)| &writes[*at]) {
                match value {
                    Some(value) => batch.put_cf(family, key, value),
                    None => batch.delete_cf(family, key),
                }
            }
        }
        self.db.write(batch).map_err(Fault::rocksdb("write", &self.path.join("ledger")))?;
        writer.writes = epoch;
        Ok(())
    }

    fn sync_log(&self, writer: &mut Writer) -> Result<(), Fault> {
        if writer.synced == writer.writes {
            return Ok(());
        }
        self.db.flush_wal(true).map_err(Fault::rocksdb("sync", &self.path.join("ledger")))?;
        writer.synced = writer.writes;
        // Not before: if the commits are lost, what was journalled before them counts.
        writer.journal.begin(writer.synced)
    }

    /// Adds entries to the journal, all or none, and returns when they are durable, and all that was committed before
    /// them. They count until the next commit.
    ///
    /// # Errors
    /// The disk failed, now or earlier, or the journal is damaged: a node that cannot know what it said must not speak.
    pub fn journal(&self, entries: &[Vec<u8>]) -> Result<(), Fault> {
        let mut writer = self.writer()?;
        // A refusal is not a failure: blocks may still be committed, until the ledger is past the damage.
        writer.journal.believed()?;
        let result = self.sync_log(&mut writer).and_then(|()| writer.journal.append(entries));
        writer.note(result)
    }

    /// Leaves out of the journal what is not needed any more, once it has grown long: a height that goes through rounds for
    /// days has a block in each of them, which together would fill the disk, and the memory of the next start. The journal is
    /// the old one or the new one, wherever this is interrupted.
    ///
    /// # Errors
    /// The disk failed, now or earlier.
    pub fn thin_journal(&self, is_needed: impl Fn(&[u8]) -> bool) -> Result<(), Fault> {
        let mut writer = self.writer()?;
        if !writer.journal.is_long() {
            return Ok(());
        }
        let result = writer.journal.thin(is_needed);
        writer.note(result)
    }

    /// The entries since the last commit, oldest first. A commit and the end of the entries before it are one write, so
    /// none of them is older. Entries that were being added when the power went are absent, all that came in one call.
    ///
    /// # Errors
    /// The journal is damaged before its end, or the ledger has lost commits since it was written; or the disk failed.
    pub fn replay(&self) -> Result<Vec<Vec<u8>>, Fault> {
        self.writer()?.journal.replay()
    }

    /// How many blocks must be committed until the journal is believed again, because it is damaged, or because the
    /// ledger has lost what the journal knows to have been committed: 0 while all is well. Until then nothing can be
    /// journalled, so nothing may be said; blocks can be committed.
    ///
    /// # Errors
    /// The disk failed earlier.
    pub fn distrusted_blocks(&self) -> Result<u64, Fault> {
        Ok(self.writer()?.journal.distrusted())
    }

    /// The ledger as it stands now, whatever is committed later. It keeps old versions from being cleared away, so it is
    /// for answering one question, not for keeping.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot<'_> {
        Snapshot { view: self.db.snapshot(), store: self }
    }

    /// Removes every key of a column below `before`, and writes `note`, in one durable step: all of it or nothing. Then the
    /// room is given back, which may be interrupted and asked for again. It says how many bytes the files took before and
    /// take now.
    ///
    /// This is no commit: it is not counted, so the journal of the height under vote stays what it was. It is for a node that
    /// is stopped, since removed ranges slow down whoever reads beside them until the room is given back.
    ///
    /// # Errors
    /// The disk failed, now or earlier.
    pub fn discard(
        &self,
        column: Column,
        before: &[u8],
        note: &Write,
    ) -> Result<(u64, u64), Fault> {
        let mut writer = self.writer()?;
        let result =
            self.sync_log(&mut writer).and_then(|()| self.remove_below(column, before, note));
        writer.note(result)
    }

    fn remove_below(
        &self,
        column: Column,
        before: &[u8],
        note: &Write,
    ) -> Result<(u64, u64), Fault> {
        let ledger = self.path.join("ledger");
        let (family, bytes) = (self.family(column), self.disk_bytes());
        let last = self.last_below(column, before);
        let mut batch = WriteBatch::default();
        batch.delete_range_cf(family, &[][..], before);
        match &note.value {
            Some(value) => batch.put_cf(self.family(note.column), &note.key, value),
            None => batch.delete_cf(self.family(note.column), &note.key),
        }
        self.db.write_opt(batch, &synced()).map_err(Fault::rocksdb("write", &ledger))?;
        // From here on nothing is read of it. Whole tables go at once, the rest by being written anew without it.
        if let Some(last) = last {
            let removed = self.db.delete_file_in_range_cf(family, &[][..], &last);
            removed.map_err(Fault::rocksdb("remove", &ledger))?;
        }
        self.flush()?;
        self.db.compact_range_cf(family, None::<&[u8]>, Some(before));
        Ok((bytes, self.disk_bytes()))
    }

    /// The last key of a column below `before`. A range of files includes its end, and a range of keys does not.
    fn last_below(&self, column: Column, before: &[u8]) -> Option<Vec<u8>> {
        let mut cursor = self.db.raw_iterator_cf(self.family(column));
        cursor.seek_for_prev(before);
        if cursor.key() == Some(before) {
            cursor.prev();
        }
        let last = cursor.key().map(<[u8]>::to_vec);
        self.checked(cursor.status());
        last
    }

    /// Moves what is still in RocksDB's log into its tables, so that the next start has nothing to replay.
    ///
    /// # Errors
    /// The disk failed. What was committed is durable all the same.
    pub fn flush(&self) -> Result<(), Fault> {
        let families: Vec<_> = Column::ALL.into_iter().map(|column| self.family(column)).collect();
        let options = FlushOptions::default();
        self.db
            .flush_cfs_opt(&families.iter().collect::<Vec<_>>(), &options)
            .and_then(|()| self.db.flush_opt(&options))
            .map_err(Fault::rocksdb("flush", &self.path.join("ledger")))
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.path
    }

    /// What the files of the directory take, bytes. A file that vanishes during the count (RocksDB clears away behind
    /// itself) counts as nothing.
    #[must_use]
    pub fn disk_bytes(&self) -> u64 {
        [self.path.clone(), self.path.join("ledger")]
            .into_iter()
            .filter_map(|directory| fs::read_dir(directory).ok())
            .flat_map(|entries| entries.filter_map(|entry| entry.ok()?.metadata().ok()))
            .filter(fs::Metadata::is_file)
            .map(|metadata| metadata.len())
            .sum()
    }

    /// What each column takes, bytes: its tables, and its writes that are not in tables yet.
    #[must_use]
    pub fn column_sizes(&self) -> Vec<(&'static str, u64)> {
        let size = |column| {
            let family = self.family(column);
            [properties::LIVE_SST_FILES_SIZE, properties::SIZE_ALL_MEM_TABLES]
                .into_iter()
                .filter_map(|name| self.db.property_int_value_cf(family, name).ok()?)
                .sum()
        };
        Column::ALL.into_iter().map(|column| (column.name(), size(column))).collect()
    }

    fn writer(&self) -> Result<MutexGuard<'_, Writer>, Fault> {
        let stopped = "a thread stopped in the middle of a write";
        let writer =
            self.writer.lock().map_err(|_poisoned| Fault::Failed { first: stopped.to_owned() })?;
        match &writer.failed {
            Some(first) => Err(Fault::Failed { first: first.clone() }),
            None => Ok(writer),
        }
    }

    fn family(&self, column: Column) -> &ColumnFamily {
        self.db.cf_handle(column.name()).expect("every column was opened")
    }

    /// The value, or the end of the process.
    fn checked<T>(&self, read: Result<T, rocksdb::Error>) -> T {
        read.unwrap_or_else(|error| {
            let fault = Fault::rocksdb("read", &self.path.join("ledger"))(error);
            (self.on_fault)(&fault)
        })
    }

    fn value(&self, column: Column, key: &[u8], options: &ReadOptions) -> Option<Vec<u8>> {
        self.checked(self.db.get_cf_opt(self.family(column), key, options))
    }

    fn page(
        &self,
        column: Column,
        prefix: &[u8],
        from: &[u8],
        limit: usize,
        mut options: ReadOptions,
    ) -> Vec<(Vec<u8>, Vec<u8>)> {
        // Without a bound RocksDB steps over what was removed behind the prefix, looking for a next key.
        if let Some(bound) = after(prefix) {
            options.set_iterate_upper_bound(bound);
        }
        let mut pairs = Vec::new();
        let mut cursor = self.db.raw_iterator_cf_opt(self.family(column), options);
        cursor.seek(from.max(prefix));
        while pairs.len() < limit
            && let Some((key, value)) = cursor.item()
            && key.starts_with(prefix)
        {
            pairs.push((key.to_vec(), value.to_vec()));
            cursor.next();
        }
        // A cursor that failed looks like one that has come to the end.
        self.checked(cursor.status());
        pairs
    }
}

impl State for Store {
    fn get(&self, column: Column, key: &[u8]) -> Option<Vec<u8>> {
        self.value(column, key, &ReadOptions::default())
    }

    fn get_many(&self, column: Column, keys: &[&[u8]]) -> Vec<Option<Vec<u8>>> {
        let family = self.family(column);
        // What was found holds on to its blocks until it is copied: of a large block's pages that would be all memory.
        let few = |keys: &[&[u8]]| -> Vec<_> {
            let found = self.db.batched_multi_get_cf(family, keys, keys.is_sorted());
            found.into_iter().map(|read| self.checked(read).map(|value| value.to_vec())).collect()
        };
        keys.chunks(TOGETHER).flat_map(few).collect()
    }

    fn scan(
        &self,
        column: Column,
        prefix: &[u8],
        from: &[u8],
        limit: usize,
    ) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.page(column, prefix, from, limit, ReadOptions::default())
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("path", &self.path).finish_non_exhaustive()
    }
}

/// The ledger as it stood at one moment. It can be sent to the thread that answers from it.
pub struct Snapshot<'a> {
    view: rocksdb::Snapshot<'a>,
    store: &'a Store,
}

impl Snapshot<'_> {
    fn options(&self) -> ReadOptions {
        let mut options = ReadOptions::default();
        options.set_snapshot(&self.view);
        options
    }
}

impl State for Snapshot<'_> {
    fn get(&self, column: Column, key: &[u8]) -> Option<Vec<u8>> {
        self.store.value(column, key, &self.options())
    }

    fn scan(
        &self,
        column: Column,
        prefix: &[u8],
        from: &[u8],
        limit: usize,
    ) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.store.page(column, prefix, from, limit, self.options())
    }
}

impl fmt::Debug for Snapshot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("store", self.store).finish_non_exhaustive()
    }
}

/// Refuses what another chain or another format wrote.
pub(crate) fn check(format: u32, found: ChainId, expected: &ChainId) -> Result<(), Fault> {
    if format != FORMAT {
        return Err(Fault::Format { found: format, known: FORMAT });
    }
    if found != *expected {
        return Err(Fault::Foreign { found, expected: *expected });
    }
    Ok(())
}

/// Takes the directory for this process. The system gives it back, however the process ends.
fn lock(path: &Path) -> Result<File, Fault> {
    let name = path.join("lock");
    let options = &mut OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).mode(0o600).open(&name);
    taken(file.map_err(Fault::io("open", &name))?, path)
}

fn taken(file: File, path: &Path) -> Result<File, Fault> {
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Fault::Locked { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(Fault::io("lock", &path.join("lock"))(error)),
    }
}

/// Makes the names durable that lead to a new store: a name is the data of the directory above it.
fn sync_names(path: &Path) -> io::Result<()> {
    path.canonicalize()?
        .ancestors()
        // Where we may not look, we have made nothing.
        .map_while(|directory| File::open(directory).ok())
        .try_for_each(|directory| directory.sync_all().map_err(io::Error::other))
}

/// The first write: whose directory this is.
fn begin(db: &DB, chain: &ChainId) -> Result<(), rocksdb::Error> {
    let mut batch = WriteBatch::default();
    batch.put(FORMAT_KEY, [&FORMAT.to_le_bytes()[..], chain.as_bytes()].concat());
    batch.put(WRITES_KEY, 0u64.to_le_bytes());
    db.write_opt(batch, &synced())
}

fn decode_format(record: &[u8]) -> Result<(u32, ChainId), Fault> {
    let split = || {
        let (format, rest) = record.split_first_chunk()?;
        // Only the number is promised to be where it is in every format.
        let chain = rest.try_into().unwrap_or_default();
        Some((u32::from_le_bytes(*format), ChainId(Hash(chain))))
    };
    split().ok_or_else(|| not_a_ledger("the format record is malformed"))
}

fn not_a_ledger(what: &str) -> Fault {
    Fault::Damaged { what: what.to_owned(), advice: ADVICE_LEDGER }
}

fn synced() -> WriteOptions {
    let mut options = WriteOptions::default();
    options.set_sync(true);
    options
}

/// What a key begins with, as a number.
fn head(key: &[u8]) -> u64 {
    let mut head = [0; 8];
    let bytes = key.len().min(head.len());
    head[..bytes].copy_from_slice(&key[..bytes]);
    u64::from_be_bytes(head)
}

/// The least key that is greater than all that begin with `prefix`, if any is.
fn after(prefix: &[u8]) -> Option<Vec<u8>> {
    let kept = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut bound = prefix[..=kept].to_vec();
    bound[kept] += 1;
    Some(bound)
}

#[cfg(test)]
mod tests;
