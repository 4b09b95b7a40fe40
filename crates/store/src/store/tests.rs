//! A directory, as its owner and its enemies treat it: what is durable, what is refused, what a failing disk does.

use super::*;
use crate::journal::tests::divert;
use ledger::Memory;
use proptest::prelude::*;
use std::os::unix::fs::PermissionsExt as _;

const CHAIN: ChainId = ChainId(Hash([7; 32]));

fn die(fault: &Fault) -> ! {
    panic!("{fault}");
}

fn store(path: &Path) -> Store {
    open(path, &CHAIN, die).unwrap()
}

fn refusal(path: &Path) -> String {
    open(path, &CHAIN, die).unwrap_err().to_string()
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn put(column: Column, key: &[u8], value: &[u8]) -> Write {
    Write { column, key: key.to_vec(), value: Some(value.to_vec()) }
}

fn entries(words: &[&str]) -> Vec<Vec<u8>> {
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

/// What a power cut or a kill would leave at this moment.
fn copy(from: &Path) -> tempfile::TempDir {
    let to = directory();
    fs::create_dir(to.path().join("ledger")).unwrap();
    for part in ["", "ledger"] {
        for entry in fs::read_dir(from.join(part)).unwrap().map(Result::unwrap) {
            if entry.metadata().unwrap().is_file() {
                fs::copy(entry.path(), to.path().join(part).join(entry.file_name())).unwrap();
            }
        }
    }
    to
}

/// Changes the newest file of RocksDB with this extension.
fn change(path: &Path, extension: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let file = fs::read_dir(path.join("ledger"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .max()
        .unwrap();
    let mut bytes = fs::read(&file).unwrap();
    change(&mut bytes);
    fs::write(&file, bytes).unwrap();
}

#[test]
fn what_is_written_is_there_after_a_restart_and_after_a_crash() {
    let home = directory();
    let path = home.path().join("a/b");
    let writes: Vec<_> =
        Column::ALL.into_iter().map(|c| put(c, b"key", c.name().as_bytes())).collect();
    let first = store(&path);
    first.write(&writes).unwrap();
    first
        .write(&[
            put(Column::Meta, b"tip", b"1"),
            Write { column: Column::Log, key: b"key".to_vec(), value: None },
        ])
        .unwrap();
    let crashed = copy(&path);
    drop(first);
    for path in [&path, crashed.path()] {
        let again = store(path);
        for column in Column::ALL {
            let expected = (column != Column::Log).then(|| column.name().as_bytes().to_vec());
            assert_eq!(again.get(column, b"key"), expected, "{column:?}");
        }
        assert_eq!(again.get(Column::Meta, b"tip"), Some(b"1".to_vec()));
    }
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_write_is_whole_or_absent() {
    let home = directory();
    let first = store(home.path());
    first.write(&[put(Column::Meta, b"tip", b"1")]).unwrap();
    first
        .write(&[put(Column::Meta, b"tip", b"2"), put(Column::Bodies, b"2", &[b'x'; 9000])])
        .unwrap();
    for cut in [1, 100, 8000, 9000, 9050] {
        let crashed = copy(home.path());
        change(crashed.path(), "log", |bytes| bytes.truncate(bytes.len() - cut));
        let again = store(crashed.path());
        assert_eq!(again.get(Column::Meta, b"tip"), Some(b"1".to_vec()));
        assert_eq!(again.get(Column::Bodies, b"2"), None);
    }
}

#[test]
fn a_snapshot_stands_still() {
    let home = directory();
    let store = store(home.path());
    store.write(&[put(Column::Log, b"1", b"a")]).unwrap();
    let before = store.snapshot();
    store.write(&[put(Column::Log, b"1", b"b"), put(Column::Log, b"2", b"c")]).unwrap();
    assert_eq!(before.get(Column::Log, b"1"), Some(b"a".to_vec()));
    assert_eq!(before.scan(Column::Log, b"", b"", 9).len(), 1);
    assert_eq!(store.scan(Column::Log, b"", b"", 9).len(), 2);
    // It goes to the thread that answers.
    std::thread::scope(|scope| {
        scope.spawn(move || assert_eq!(before.get(Column::Log, b"2"), None));
    });
}

#[test]
fn a_directory_has_one_process_one_chain_and_one_format() {
    let home = directory();
    let first = store(home.path());
    let fault = open(home.path(), &CHAIN, die).unwrap_err();
    assert!(matches!(fault, Fault::Locked { .. }), "{fault}");
    assert_eq!(fault.exit_code(), 5);
    drop(first);

    let other = ChainId(Hash([8; 32]));
    let fault = open(home.path(), &other, die).unwrap_err();
    assert!(matches!(fault, Fault::Foreign { found: CHAIN, expected } if expected == other));
    // The database says so too, should the journal have been exchanged.
    fs::remove_file(home.path().join("journal")).unwrap();
    Journal::create(&home.path().join("journal"), &other).unwrap();
    let fault = open(home.path(), &other, die).unwrap_err();
    assert!(matches!(fault, Fault::Foreign { found: CHAIN, .. }), "{fault}");

    Journal::create(&home.path().join("journal"), &CHAIN).unwrap();
    let first = store(home.path());
    first.db.put(FORMAT_KEY, [&9u32.to_le_bytes()[..], b"whatever"].concat()).unwrap();
    drop(first);
    let fault = open(home.path(), &CHAIN, die).unwrap_err();
    assert!(matches!(fault, Fault::Format { found: 9, known: FORMAT }), "{fault}");
}

#[test]
fn what_is_not_ours_is_refused() {
    let home = directory();
    let journal = home.path().join("journal");
    store(home.path()).write(&[]).unwrap();
    let good = fs::read(&journal).unwrap();

    let mut bad_salt = good.clone();
    bad_salt[45] ^= 1;
    let mut newer = good.clone();
    newer[8] = 4;
    for (bytes, expected) in [
        (&b""[..], "header is not that of a journal"),
        (&b"garbage"[..], "header is not that of a journal"),
        (&[0xA5; 5000][..], "header is not that of a journal"),
        (&bad_salt[..], "header is not that of a journal"),
        (&newer[..], "format 4, this version knows format 3"),
    ] {
        fs::write(&journal, bytes).unwrap();
        assert!(refusal(home.path()).contains(expected), "{}", refusal(home.path()));
    }
    fs::remove_file(&journal).unwrap();
    assert!(refusal(home.path()).contains("journal is missing"));
    // Without the record that says there was a ledger, the journal alone is a first start cut short.
    fs::write(&journal, &good).unwrap();
    fs::remove_dir_all(home.path().join("ledger")).unwrap();
    assert_eq!(store(home.path()).replay().unwrap(), entries(&[]));

    let strange = directory();
    let mut options = rocksdb::Options::default();
    options.create_if_missing(true);
    DB::open(&options, strange.path().join("ledger")).unwrap().put("a", "b").unwrap();
    assert!(refusal(strange.path()).contains("no format record"));
}

#[test]
fn the_journal_lasts_until_the_next_commit() {
    let home = directory();
    let first = store(home.path());
    assert_eq!(first.replay().unwrap(), entries(&[]));
    first.journal(&entries(&["a", ""])).unwrap();
    first.journal(&entries(&[])).unwrap();
    first.journal(&entries(&["b"])).unwrap();
    assert_eq!(first.replay().unwrap(), entries(&["a", "", "b"]));
    let crashed = copy(home.path());
    let again = store(crashed.path());
    assert_eq!(again.replay().unwrap(), entries(&["a", "", "b"]));
    again.journal(&entries(&["c"])).unwrap();
    assert_eq!(again.replay().unwrap(), entries(&["a", "", "b", "c"]));

    first.write(&[put(Column::Meta, b"tip", b"1")]).unwrap();
    assert_eq!(first.replay().unwrap(), entries(&[]));
    assert_eq!(store(copy(home.path()).path()).replay().unwrap(), entries(&[]));
    first.journal(&entries(&["d"])).unwrap();
    drop(first);
    assert_eq!(store(home.path()).replay().unwrap(), entries(&["d"]));
}

#[test]
fn a_journal_grows_and_shrinks() {
    let home = directory();
    let store = store(home.path());
    let bytes = || fs::metadata(home.path().join("journal")).unwrap().len() >> 20;
    assert_eq!(bytes(), 1);
    let large = vec![vec![b'x'; 3 << 20]];
    store.journal(&large).unwrap();
    store.journal(&large).unwrap();
    assert_eq!(bytes(), 7);
    store.write(&[]).unwrap();
    assert_eq!(bytes(), 7);
    (0..3).for_each(|_| store.journal(&large).unwrap());
    assert_eq!(store.replay().unwrap().len(), 3);
    store.write(&[]).unwrap();
    assert_eq!(bytes(), 1);
    store.journal(&large).unwrap();
    drop(store);
    assert_eq!(open(home.path(), &CHAIN, die).unwrap().replay().unwrap(), large);
}

#[test]
fn a_journal_that_grew_long_keeps_what_is_needed() {
    let home = directory();
    let first = store(home.path());
    let bytes = |path: &Path| fs::metadata(path.join("journal")).unwrap().len() >> 20;
    let (block, vote) = (|n: u8| vec![n; 3 << 20], |n: u8| vec![b'v', n]);
    let is_needed = |entry: &[u8]| entry.len() == 2 || entry[0] > 20;
    for n in 0..22 {
        assert!(bytes(home.path()) >= u64::from(n) * 3, "it is not long yet");
        first.journal(&[block(n), vote(n)]).unwrap();
        first.thin_journal(is_needed).unwrap();
    }
    assert_eq!(bytes(home.path()), 4);
    let mut expected: Vec<_> = (0..21).map(vote).chain([block(21), vote(21)]).collect();
    assert_eq!(first.replay().unwrap(), expected);
    first.journal(&[vote(22)]).unwrap();
    expected.push(vote(22));
    // A crash now, or during the next time.
    let crashed = copy(home.path());
    fs::write(crashed.path().join("journal.new"), b"half of it").unwrap();
    let again = store(crashed.path());
    assert_eq!(again.replay().unwrap(), expected);
    again.journal(&[vote(23)]).unwrap();
    assert_eq!(again.replay().unwrap().len(), expected.len() + 1);
    again.write(&[]).unwrap();
    assert_eq!(again.replay().unwrap(), entries(&[]));
}

#[test]
fn a_damaged_journal_keeps_us_silent_until_the_ledger_is_past_it() {
    let home = directory();
    let first = store(home.path());
    first.journal(&entries(&["a"])).unwrap();
    first.journal(&entries(&["b"])).unwrap();
    drop(first);
    let journal = home.path().join("journal");
    let mut bytes = fs::read(&journal).unwrap();
    bytes[4096 + 24] ^= 1;
    fs::write(&journal, bytes).unwrap();

    let store = store(home.path());
    for fault in [store.replay().unwrap_err(), store.journal(&entries(&["c"])).unwrap_err()] {
        assert!(fault.to_string().contains("damaged before its end"), "{fault}");
        assert_eq!(fault.exit_code(), 5);
    }
    assert_eq!(store.distrusted_blocks().unwrap(), 1);
    store.write(&[]).unwrap();
    assert_eq!(store.distrusted_blocks().unwrap(), 0);
    store.journal(&entries(&["c"])).unwrap();
    assert_eq!(store.replay().unwrap(), entries(&["c"]));
}

#[test]
fn a_ledger_that_lost_commits_is_noticed() {
    let home = directory();
    let first = store(home.path());
    first.write(&[put(Column::Meta, b"tip", b"1")]).unwrap();
    first.journal(&entries(&["a"])).unwrap();
    first.write(&[put(Column::Meta, b"tip", b"2")]).unwrap();

    // The journal was not written since: all is as it was before the commit, entries too.
    let lost = copy(home.path());
    change(lost.path(), "log", |bytes| bytes.truncate(bytes.len() - 3));
    let again = store(lost.path());
    assert_eq!(again.get(Column::Meta, b"tip"), Some(b"1".to_vec()));
    assert_eq!(again.replay().unwrap(), entries(&["a"]));

    first.journal(&entries(&["b"])).unwrap();
    let lost = copy(home.path());
    change(lost.path(), "log", |bytes| bytes.truncate(bytes.len() - 3));
    let again = store(lost.path());
    let fault = again.replay().unwrap_err();
    assert!(fault.to_string().contains("older than the journal"), "{fault}");
    assert_eq!(again.distrusted_blocks().unwrap(), 2);
    // Once what was lost has been fetched, "b" counts for nothing only after the commit that it preceded.
    again.write(&[]).unwrap();
    assert!(again.journal(&entries(&["c"])).is_err());
    again.write(&[]).unwrap();
    again.journal(&entries(&["c"])).unwrap();
    assert_eq!(again.replay().unwrap(), entries(&["c"]));
}

#[test]
fn what_is_committed_and_not_synced_may_be_lost_and_then_the_journal_before_it_counts() {
    let home = directory();
    let first = store(home.path());
    let commit = |tip: &[u8]| {
        let mut writer = first.writer().unwrap();
        first.put(&mut writer, &[put(Column::Meta, b"tip", tip)]).unwrap();
    };
    first.write(&[put(Column::Meta, b"tip", b"1")]).unwrap();
    first.journal(&entries(&["a"])).unwrap();
    let before = copy(home.path());
    commit(b"2");
    commit(b"3");
    assert_eq!(first.get(Column::Meta, b"tip"), Some(b"3".to_vec()), "it is read at once");

    // The power goes: the ledger is what was synced, the journal what is in its file.
    let lost = |journal: &Path| {
        let lost = copy(before.path());
        fs::copy(journal.join("journal"), lost.path().join("journal")).unwrap();
        let again = store(lost.path());
        (again.get(Column::Meta, b"tip"), again.replay().map_err(|fault| fault.to_string()))
    };
    let (tip, journal) = lost(home.path());
    assert_eq!((tip, journal), (Some(b"1".to_vec()), Ok(entries(&["a"]))));

    // Nothing is journalled before it is durable.
    first.journal(&entries(&["b"])).unwrap();
    assert_eq!(first.replay().unwrap(), entries(&["b"]));
    assert!(lost(home.path()).1.unwrap_err().contains("older than the journal"));
    let whole = copy(home.path());
    assert_eq!(store(whole.path()).replay().unwrap(), entries(&["b"]));
}

#[test]
fn damage_inside_the_log_of_rocksdb_is_refused() {
    let home = directory();
    let first = store(home.path());
    for tip in [b"1", b"2", b"3"] {
        first.write(&[put(Column::Meta, b"tip", tip)]).unwrap();
    }
    let damaged = copy(home.path());
    change(damaged.path(), "log", |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    });
    let fault = open(damaged.path(), &CHAIN, die).unwrap_err();
    assert!(matches!(fault, Fault::Damaged { .. }), "{fault}");
}

#[test]
#[should_panic(expected = "Corruption")]
fn a_damaged_table_ends_the_process() {
    let home = directory();
    let first = store(home.path());
    first.write(&[put(Column::Bodies, b"1", &[b'x'; 20_000])]).unwrap();
    first.flush().unwrap();
    drop(first);
    for entry in fs::read_dir(home.path().join("ledger")).unwrap().map(Result::unwrap) {
        if entry.path().extension().is_some_and(|found| found == "sst") {
            let mut bytes = fs::read(entry.path()).unwrap();
            bytes[20] ^= 1;
            fs::write(entry.path(), bytes).unwrap();
        }
    }
    store(home.path()).get(Column::Bodies, b"1");
}

#[test]
fn after_a_failure_nothing_is_written() {
    let home = directory();
    let bad = home.path().join("bad");
    fs::write(&bad, vec![0; 2 << 20]).unwrap();
    let read_only = || File::open(&bad).unwrap();
    let full = || OpenOptions::new().write(true).open("/dev/full").unwrap();
    let without_sync = || OpenOptions::new().write(true).open("/dev/null").unwrap();
    let files: [(&str, &dyn Fn() -> File, u8); 3] =
        [("a", &read_only, 74), ("b", &full, 75), ("c", &without_sync, 74)];
    for (name, file, code) in files {
        let path = home.path().join(name);
        let first = store(&path);
        first.journal(&entries(&["a"])).unwrap();
        divert(&mut first.writer.lock().unwrap().journal, file());
        let fault = first.journal(&entries(&["b"])).unwrap_err();
        assert!(matches!(fault, Fault::Io { .. }), "{fault}");
        assert_eq!(fault.exit_code(), code, "{fault}");
        let writes = [put(Column::Meta, b"tip", b"1")];
        for fault in [
            first.journal(&entries(&["c"])).unwrap_err(),
            first.write(&writes).unwrap_err(),
            first.replay().unwrap_err(),
        ] {
            assert!(matches!(fault, Fault::Failed { .. }), "{fault}");
            assert_eq!(fault.exit_code(), 74);
        }
        assert_eq!(first.get(Column::Meta, b"tip"), None);
        drop(first);
        assert_eq!(store(&path).replay().unwrap(), entries(&["a"]));
    }
}

#[test]
fn a_store_for_reading_changes_nothing() {
    let home = directory();
    assert!(open_reading(home.path(), &CHAIN, die).is_err(), "there is nothing to read");
    let first = store(home.path());
    first.write(&[put(Column::Meta, b"tip", b"1")]).unwrap();
    first.journal(&entries(&["a"])).unwrap();
    let fault = open_reading(home.path(), &CHAIN, die).unwrap_err();
    assert!(matches!(fault, Fault::Locked { .. }), "{fault}");
    let other = ChainId(Hash([8; 32]));
    drop(first);
    assert!(matches!(open_reading(home.path(), &other, die), Err(Fault::Foreign { .. })));

    let list = |path: &Path| -> Vec<_> {
        let mut found: Vec<_> = [path.to_owned(), path.join("ledger")]
            .iter()
            .flat_map(|directory| fs::read_dir(directory).unwrap())
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
            .map(|path| (fs::read(&path).unwrap(), path))
            .collect();
        found.sort();
        found
    };
    let before = list(home.path());
    let reading = open_reading(home.path(), &CHAIN, die).unwrap();
    assert_eq!(reading.get(Column::Meta, b"tip"), Some(b"1".to_vec()));
    for fault in [
        reading.write(&[put(Column::Meta, b"tip", b"2")]).unwrap_err(),
        reading.journal(&entries(&["b"])).unwrap_err(),
    ] {
        assert!(matches!(fault, Fault::Failed { .. }), "{fault}");
    }
    drop(reading);
    assert_eq!(list(home.path()), before);
    assert_eq!(store(home.path()).replay().unwrap(), entries(&["a"]));
}

#[test]
fn what_is_discarded_is_gone_and_the_journal_stays() {
    let home = directory();
    let first = store(home.path());
    let key = |n: u64| n.to_be_bytes().to_vec();
    for n in 0..200 {
        // Bytes that do not shrink.
        let value: Vec<u8> = (0..600_u64)
            .flat_map(|m| {
                let mixed = (n * 600 + m).wrapping_mul(0x9E37_79B9_7F4A_7C15);
                [mixed, mixed.rotate_left(17), !mixed, mixed ^ n].map(u64::to_be_bytes).concat()
            })
            .collect();
        first.write(&[put(Column::Bodies, &key(n), &value)]).unwrap();
        if n % 50 == 0 {
            first.flush().unwrap();
        }
    }
    first.journal(&entries(&["a vote"])).unwrap();
    let untouched = copy(home.path());
    let note = put(Column::Meta, b"noted", b"1");
    let bodies = |store: &Store| {
        let sizes = store.column_sizes();
        sizes.into_iter().find(|(name, _)| *name == Column::Bodies.name()).unwrap().1
    };
    let all = bodies(&first);
    let (before, after) = first.discard(Column::Bodies, &key(150), &note).unwrap();
    assert!(after < before, "{before} bytes, then {after}");
    // A quarter stays. Of the files, RocksDB removes the last a moment after it says that it has.
    let stays = bodies(&first);
    assert!(stays < all / 3, "{all} bytes of bodies, then {stays}");
    let check = |store: &Store| {
        assert_eq!(store.scan(Column::Bodies, &[], &[], 1)[0].0, key(150));
        assert_eq!(store.scan(Column::Bodies, &[], &[], 1000).len(), 50);
        assert_eq!(store.get(Column::Meta, b"noted"), Some(b"1".to_vec()));
        assert_eq!(store.replay().unwrap(), entries(&["a vote"]), "no commit voided it");
    };
    check(&first);
    drop(first);
    let again = store(home.path());
    check(&again);
    // Again, and for a range with nothing in it.
    again.discard(Column::Bodies, &key(150), &note).unwrap();
    check(&again);

    // A kill after the step that counts, and before the room was given back.
    let killed = store(untouched.path());
    let mut batch = WriteBatch::default();
    batch.delete_range_cf(killed.family(Column::Bodies), &[][..], &key(150)[..]);
    batch.put_cf(killed.family(Column::Meta), b"noted", b"1");
    killed.db.write_opt(batch, &synced()).unwrap();
    let crashed = copy(untouched.path());
    drop(killed);
    let crashed = store(crashed.path());
    check(&crashed);
    crashed.discard(Column::Bodies, &key(150), &note).unwrap();
    check(&crashed);
}

#[test]
fn sizes_are_counted() {
    let home = directory();
    let store = store(home.path());
    store.write(&[put(Column::Bodies, b"1", &[b'x'; 50_000])]).unwrap();
    let size = |name| store.column_sizes().into_iter().find(|(found, _)| *found == name).unwrap().1;
    assert_eq!(store.column_sizes().len(), Column::ALL.len());
    assert!(size("bodies") > size("meta"));
    store.flush().unwrap();
    assert!(size("bodies") > 0);
    assert!(store.disk_bytes() > 1 << 20);
}

#[test]
fn a_prefix_ends_where_it_cannot_grow() {
    for (prefix, expected) in [
        (&b""[..], None),
        (b"a", Some(b"b".to_vec())),
        (b"a\xFF\xFF", Some(b"b".to_vec())),
        (b"\xFF\xFF", None),
    ] {
        assert_eq!(after(prefix), expected);
    }
}

#[test]
fn it_can_be_shared() {
    const fn shared<T: Send + Sync>() {}
    shared::<Store>();
    shared::<Snapshot<'_>>();
    shared::<Fault>();
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(prop_oneof![Just(0), Just(1), Just(254), Just(255)], 0..4)
}

fn column() -> impl Strategy<Value = Column> {
    prop_oneof![Just(Column::Bodies), Just(Column::Map), Just(Column::Meta)]
}

fn writes() -> impl Strategy<Value = Vec<Write>> {
    let write = (column(), key(), proptest::option::weighted(0.7, key()))
        .prop_map(|(column, key, value)| Write { column, key, value });
    proptest::collection::vec(write, 0..30)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn it_answers_as_memory_does(
        batches in proptest::collection::vec(writes(), 1..5),
        later in writes(),
        questions in proptest::collection::vec((column(), key(), key(), 0..20usize), 60),
    ) {
        let home = directory();
        let mut memory = Memory::default();
        let first = store(home.path());
        for batch in &batches {
            memory.write(batch);
            first.write(batch).unwrap();
            // Half of it in tables, half in memory.
            if batch.len() % 2 == 0 {
                first.flush().unwrap();
            }
        }
        let snapshot = first.snapshot();
        let then = memory.clone();
        memory.write(&later);
        first.write(&later).unwrap();
        let pairs: [(&dyn State, &Memory); 2] = [(&first, &memory), (&snapshot, &then)];
        for (column, prefix, from, limit) in &questions {
            for (found, expected) in pairs {
                prop_assert_eq!(found.get(*column, from), expected.get(*column, from));
                prop_assert_eq!(
                    found.scan(*column, prefix, from, *limit),
                    expected.scan(*column, prefix, from, *limit)
                );
            }
        }
    }
}

/// More keys than are looked for together, in any order, some twice, in tables and not yet in tables.
#[test]
fn many_keys_are_answered_as_one_by_one() {
    let home = directory();
    let store = store(home.path());
    let key = |n: usize| n.to_be_bytes().to_vec();
    let writes = |odd: usize| -> Vec<Write> {
        let keys = (0..TOGETHER * 3).filter(|n| n % 5 == odd);
        keys.map(|n| put(Column::Map, &key(n), &key(n).repeat(40))).collect()
    };
    store.write(&writes(1)).unwrap();
    store.flush().unwrap();
    store.write(&writes(3)).unwrap();
    // Seven and the number of keys have no divisor in common: every key comes, none in its place.
    let ask = (0..TOGETHER * 3).map(|n| key(n * 7 % (TOGETHER * 3))).chain([key(1), key(1)]);
    let keys: Vec<Vec<u8>> = ask.collect();
    let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
    let found = store.get_many(Column::Map, &keys);
    assert_eq!(found.iter().flatten().count(), writes(1).len() + writes(3).len() + 2);
    for (key, found) in keys.iter().zip(found) {
        assert_eq!(found, store.get(Column::Map, key));
    }
    let sorted: Vec<&[u8]> =
        keys.iter().copied().collect::<std::collections::BTreeSet<_>>().into_iter().collect();
    let found = store.get_many(Column::Map, &sorted);
    let alone: Vec<_> = sorted.iter().map(|key| store.get(Column::Map, key)).collect();
    assert_eq!(found, alone);
    assert_eq!(store.get_many(Column::Map, &[]), [] as [Option<Vec<u8>>; 0]);
}
