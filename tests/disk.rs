//! What a validator does when its disk, its files or its process fail: shown with real processes, and a disk that fails
//! when it is told to.

#![cfg(test)]

use client::Wait;
use ledger::{Column, State as _, Write};
use nix::sys::signal::Signal;
use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    time::Duration,
};
use store::Store;
use tests::{
    Chain, Load, Network,
    faults::{
        EVERYONE, Node, SmallDisk, all_is_well, copy, eventually, flip, home, not_ready, number,
        path, ready, twin,
    },
    licence, powercut,
    program::minlian_node,
    publish, say,
};
use tokio::time::{Instant, sleep};
use types::{Certificate, Height, codec};

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_fails_ends_the_process_and_is_never_tried_again() {
    let network = Network::up();
    for (part, others) in
        [("/data/journal", false), ("consensus.signed", false), ("/ledger/", true)]
    {
        network.testnet(&["kill", "v3"]);
        let mut node = Node::start(&network, 3, "");
        let height = network.node_status(1).await.height;
        network.votes_again(3, height).await;
        node.rules(&format!("fsync EIO 2 0 {part}\n"));
        assert_eq!(node.end().await, Some(74), "{part}\n{}", node.log());
        let injected = node.injected();
        assert_eq!(
            injected.iter().filter(|line| line.starts_with("fsync EIO")).count(),
            1,
            "{injected:?}"
        );
        // RocksDB has other files, which it may sync; what failed is not synced again, and nothing else of ours is.
        let again = injected.iter().filter(|line| line.starts_with("again")).count();
        assert!(others || again == 0, "{injected:?}");
        assert!(node.log().contains("Input/output error"), "{}", node.log());
        drop(node);
        network.testnet(&["start", "v3"]);
        all_is_well(&network, 3).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_synced_is_not_said_to_be_accepted() {
    let network = Network::up();
    network.testnet(&["kill", "v3"]);
    let mut node = Node::start(&network, 3, "");
    let height = network.node_status(1).await.height;
    network.votes_again(3, height).await;
    node.rules("fsync EIO 1 0 /data/waiting\n");
    let tx = network.sign(&network.signer("issuer"), vec![licence("not synced")]).await;
    let answer = network.client(3).submit(&tx, Wait::Accepted).await;
    assert!(answer.is_err(), "{answer:?}");
    // What failed to be synced may be on the disk all the same.
    assert!(!format!("{answer:?}").contains("E-POOL-FULL"), "{answer:?}");
    assert_eq!(node.end().await, Some(74), "{}", node.log());
    let injected = node.injected();
    assert_eq!(injected.len(), 1, "one sync, not tried again: {injected:?}");
    drop(node);
    network.testnet(&["start", "v3"]);
    all_is_well(&network, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_room_nothing_is_voted_on_everything_is_served_and_it_goes_on_by_itself() {
    let network = Network::up();
    let receipt = network.commit(1, vec![licence("before the disk was full")]).await;
    let record = receipt.records[0].record;
    network.testnet(&["kill", "v2"]);
    let mut node = Node::start(&network, 2, "");
    let root = network.trust_root();
    for (lie, word) in [("FULL", "disk_full"), ("READONLY", "disk_read_only")] {
        all_is_well(&network, 2).await;
        // While it runs, and then over a restart: it neither votes nor ends.
        for restart in [false, true] {
            node.rules(&format!("statvfs {lie} 0 0 *\n"));
            if restart {
                node.signal(Signal::SIGKILL);
                drop(node);
                node = Node::start(&network, 2, &format!("statvfs {lie} 0 0 *\n"));
            }
            not_ready(&network, 2, word).await;
            let stopped_at = network.node_status(2).await.height;
            network.agreed(&[1, 3, 4], Height(stopped_at.0 + 3)).await;
            assert!(
                network.node_status(2).await.height.0 <= stopped_at.0 + 1,
                "it goes on writing"
            );
            let client = network.client(2);
            assert!(client.record(&record).await.unwrap().is_some(), "reads are served");
            let proof = client.record_proof(&record).await.unwrap().unwrap();
            assert!(proof::verify(&proof, &root).proven().is_some(), "proofs are served");
            let tx = network.sign(&network.signer("issuer"), vec![licence("no room")]).await;
            assert!(client.submit(&tx, Wait::Accepted).await.is_err(), "nothing is accepted");
            assert!(node.is_running(), "{}", node.log());
        }
        node.rules("");
    }
    all_is_well(&network, 2).await;
    ready(&network, 2).await;
    assert!(node.is_running());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_finds_no_room_ends_the_process_and_loses_nothing() {
    let network = Network::up();
    let receipt = network.commit(4, vec![licence("before")]).await;
    for (error, part) in
        [("ENOSPC", "/data/journal"), ("ENOSPC", "consensus.signed"), ("EROFS", "/ledger/")]
    {
        network.testnet(&["kill", "v4"]);
        let mut node = Node::start(&network, 4, "");
        let height = network.node_status(1).await.height;
        network.votes_again(4, height).await;
        node.rules(&format!("write {error} 1 0 {part}\n"));
        // A supervisor starts it again, unlike one whose disk failed.
        assert_eq!(node.end().await, Some(75), "{part}: {}", node.log());
        drop(node);
        network.testnet(&["start", "v4"]);
        all_is_well(&network, 4).await;
        let found = network.client(4).transaction(&receipt.tx).await.unwrap();
        assert_eq!(found.as_ref(), Some(&receipt));
    }
}

/// What no library lies about: a file system that is full, and one that the kernel has made read-only.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_cannot_be_written_stops_nobody() {
    let network = Network::up();
    network.testnet(&["kill", "v2"]);
    let onto_a_full_disk = ["sh", "-c", "exec \"$0\" \"$@\" 2> /dev/full"];
    let mut node = Node::within(&network, 2, &onto_a_full_disk);
    all_is_well(&network, 2).await;
    ready(&network, 2).await;
    assert!(node.is_running());
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_real_disk_that_is_full_or_read_only_it_serves_waits_and_goes_on() {
    let network = Network::up();
    let receipt = network.commit(1, vec![licence("before the disk was full")]).await;
    let record = receipt.records[0].record;
    let home = home(&network, 2);
    network.testnet(&["kill", "v2"]);
    let image = network.scratch().join("small.img");
    let disk = match SmallDisk::under(&home, image, 160) {
        Ok(disk) => disk,
        Err(why) => {
            say(&format!("NOT RUN: a small disk needs root, loop devices and ext4: {why}"));
            assert!(
                std::env::var_os("MINLIAN_WITHOUT_ROOT").is_some(),
                "set MINLIAN_WITHOUT_ROOT=1 to accept that real disks are not tried: {why}"
            );
            return;
        }
    };
    let config = fs::read_to_string(home.join("node.toml")).unwrap();
    let config = config.replace("reserve_mib = 128", "reserve_mib = 32");
    assert!(config.contains("reserve_mib = 32"), "{config}");
    fs::write(home.join("node.toml"), config).unwrap();
    let serves = async || {
        let stopped_at = network.node_status(2).await.height;
        network.agreed(&[1, 3, 4], Height(stopped_at.0 + 3)).await;
        assert!(network.node_status(2).await.height.0 <= stopped_at.0 + 1, "it goes on writing");
        let client = network.client(2);
        assert!(client.record(&record).await.unwrap().is_some(), "reads are served");
        let proof = client.record_proof(&record).await.unwrap().unwrap();
        assert!(proof::verify(&proof, &network.trust_root()).proven().is_some());
        let tx = network.sign(&network.signer("issuer"), vec![licence("no room")]).await;
        assert!(client.submit(&tx, Wait::Accepted).await.is_err(), "nothing is accepted");
    };

    // Below the reserve; then not a byte is left, not even for the log; then it starts like that.
    let mut node = Node::start(&network, 2, "");
    all_is_well(&network, 2).await;
    disk.fill(16 << 20);
    not_ready(&network, 2, "disk_full").await;
    serves().await;
    disk.fill(0);
    serves().await;
    assert!(node.is_running(), "{}", node.log());
    drop(node);
    let mut node = Node::start(&network, 2, "");
    not_ready(&network, 2, "disk_full").await;
    serves().await;
    disk.empty();
    ready(&network, 2).await;
    all_is_well(&network, 2).await;
    assert!(node.is_running(), "by itself");

    // The log of what follows is elsewhere: it cannot be written here.
    drop(node);
    fs::remove_file(home.join("node.log")).unwrap();
    std::os::unix::fs::symlink(network.scratch().join("v2.log"), home.join("node.log")).unwrap();
    // An operator mounts it read-only, and thinks better of it.
    disk.remount("ro");
    let mut node = Node::start(&network, 2, "");
    not_ready(&network, 2, "disk_read_only").await;
    serves().await;
    disk.remount("rw");
    ready(&network, 2).await;
    all_is_well(&network, 2).await;
    assert!(node.is_running(), "by itself");

    // The kernel does, after an error, under a validator that votes. It ends at the next write, which nobody has
    // acknowledged (or at a sync, if one was under way); and whoever starts it again and again finds it serving.
    disk.remount("abort");
    let code = node.end().await;
    assert!([Some(74), Some(75)].contains(&code), "{code:?}: {}", node.log());
    let mut node = Node::start(&network, 2, "");
    not_ready(&network, 2, "disk_read_only").await;
    serves().await;
    assert!(node.is_running(), "{}", node.log());
    drop(node);
    disk.repair();
    let mut node = Node::start(&network, 2, "");
    all_is_well(&network, 2).await;
    let found = network.client(2).transaction(&receipt.tx).await.unwrap();
    assert_eq!(found.as_ref(), Some(&receipt));
    assert!(node.is_running());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_disk_slows_nobody_else_and_is_told() {
    let network = Network::up();
    network.testnet(&["kill", "v4"]);
    let mut node = Node::start(&network, 4, "");
    all_is_well(&network, 4).await;
    node.rules("fsync NONE 0 500 *\n");
    let from = network.node_status(1).await.height;
    let load = Load::start(&network, 3).await;
    network.agreed(&[1, 2, 3], Height(from.0 + 10)).await;
    assert!(!load.stop().await.is_empty());
    eventually("a warning", async || node.log().contains("the disk is slow").then_some(())).await;
    assert!(node.is_running());
    node.rules("");
    all_is_well(&network, 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_with_the_same_keys_refuses_to_vote() {
    let network = Network::up();
    let copy = twin(&network, 2);
    let height = network.node_status(1).await.height;
    network.agreed(&EVERYONE, Height(height.0 + 3)).await;
    let mut second = Node::of(&copy, network.scratch(), "", &[]);
    assert_eq!(second.end().await, Some(5), "{}", second.log());
    let log = second.log();
    let last = log.lines().rfind(|line| line.contains("ERROR")).unwrap_or_default();
    assert!(last.contains("another process"), "{log}");
    assert!(!log.contains("signed up"), "{log}");
    all_is_well(&network, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_copy_of_the_record_is_refused_and_recovered_from() {
    let network = Network::up();
    let home = home(&network, 3);
    let (record, key) = (home.join("keys/consensus.signed"), home.join("keys/consensus.json"));
    network.testnet(&["kill", "v3"]);
    let yesterday = fs::read(&record).unwrap();
    network.testnet(&["start", "v3"]);
    let height = network.node_status(1).await.height;
    let voted = network.votes_again(3, Height(height.0 + 3)).await;
    network.agreed(&EVERYONE, voted).await;
    network.testnet(&["kill", "v3"]);
    fs::write(&record, &yesterday).unwrap();
    for data_too in [false, true] {
        if data_too {
            // The machine that was restored has nothing newer; only the neighbours know.
            fs::remove_dir_all(home.join("data")).unwrap();
        }
        let mut node = Node::start(&network, 3, "");
        assert_eq!(node.end().await, Some(5), "{}", node.log());
        let log = node.log();
        assert!(log.contains("of which its record knows nothing"), "{log}");
        assert!(log.contains("minlian-node recover"), "{log}");
    }
    let recovered = minlian_node(&["recover", "--home", path(&home)]).expect(0);
    assert!(recovered.stderr.contains("the record of signatures was too old"), "{recovered:?}");
    network.testnet(&["start", "v3"]);
    all_is_well(&network, 3).await;
    // The other way, for who knows the height: raised, and never lowered.
    network.testnet(&["kill", "v3"]);
    let floor = network.node_status(1).await.height.0 + 4;
    for until in [floor, floor - 3] {
        let words = ["key", "sign-state", "--key", path(&key), "--voted-until", &until.to_string()];
        let said = minlian_node(&words).expect(0).stdout;
        assert!(said.contains(&floor.to_string()), "{said}");
    }
    network.testnet(&["start", "v3"]);
    assert!(network.votes_again(3, Height(floor)).await > Height(floor));
    all_is_well(&network, 3).await;
}

/// What a validator's lives have signed, by place, as they logged it.
fn places(logs: &[String]) -> BTreeMap<(u64, u64, u64), String> {
    let mut places = BTreeMap::new();
    for line in logs.iter().flat_map(|log| log.lines()).filter(|line| line.contains(" signed ")) {
        if let Some((place, signature)) = powercut::place(line) {
            let first = places.entry(place).or_insert_with(|| signature.clone());
            assert_eq!(*first, signature, "signed twice: {line}");
        }
    }
    places
}

/// The height of the last signature that a record has, in the later of its two slots.
fn signed_up_to(record: &Path) -> u64 {
    let text = fs::read_to_string(record).unwrap();
    let slots = text.lines().filter_map(|slot| {
        let (json, _) = slot.trim_end().rsplit_once(' ')?;
        serde_json::from_str::<serde_json::Value>(json).ok()
    });
    let last = slots.max_by_key(|slot| slot["sequence"].as_u64()).unwrap();
    last["last"]["height"].as_u64().unwrap()
}

/// A whole home comes back from a backup, all of it of one age, when its key has been silent for longer than anybody
/// searches: nothing in it and nothing that is heard says what the key signed in between.
#[tokio::test(flavor = "multi_thread")]
async fn an_older_copy_of_a_whole_home_signs_nothing_again_and_votes_when_it_has_caught_up() {
    const SIGNED: &str = "info,node::shell=debug,arc_malachitebft_core_consensus=warn,libp2p=warn";
    let network = Network::up();
    let (home, backup) = (home(&network, 3), network.network_home().join("backup"));
    let flags = ["--log", SIGNED];
    network.testnet(&["kill", "v3"]);
    let mut node = Node::of(&home, network.scratch(), "", &flags);
    all_is_well(&network, 3).await;
    // Copied while the chain rests before its own turn (heights 2, 6, 10 … are led by seat 2), which it then takes.
    let copied_at = eventually("a copy from before its own turn", async || {
        let rests_at = network.node_status(3).await.height;
        if rests_at.0 % 4 != 1 {
            return None;
        }
        node.signal(Signal::SIGSTOP);
        copy(&home, &backup);
        node.signal(Signal::SIGCONT);
        network.agreed(&[3], rests_at.next()).await;
        let ran = minlian_node(&["fsck", "--json", "--home", path(&backup)]).expect(0);
        let said: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        let signed = places(&[node.log()]);
        if said["blocks"] == rests_at.0
            && signed_up_to(&backup.join("keys/consensus.signed")) == rests_at.0
            && signed.contains_key(&(rests_at.0 + 1, 0, 0))
        {
            return Some(rests_at.0);
        }
        fs::remove_dir_all(&backup).unwrap();
        None
    })
    .await;

    // More than 40 blocks with it, then more than 40 without.
    let load = Load::start(&network, 2).await;
    let voted = network.votes_again(3, Height(copied_at + 44)).await;
    node.signal(Signal::SIGKILL);
    node.end().await;
    let mut logs = vec![node.log()];
    drop(node);
    network.agreed(&[1, 2, 4], Height(voted.0 + 48)).await;
    let before = places(&logs);

    fs::remove_dir_all(&home).unwrap();
    copy(&backup, &home);
    let mut node = Node::of(&home, network.scratch(), "", &flags);
    eventually("it holds back", async || {
        let log = node.log();
        let held = log.lines().find(|line| line.contains("follows without voting"))?;
        held.contains("if this is an older copy of this validator").then_some(())
    })
    .await;
    let again = network.votes_again(3, Height(voted.0 + 48)).await;
    assert!(!load.stop().await.is_empty());
    all_is_well(&network, 3).await;
    ready(&network, 3).await;
    assert!(node.is_running(), "{}", node.log());
    logs.push(node.log());
    let all = places(&logs);
    let new: Vec<_> = all.keys().filter(|place| !before.contains_key(place)).collect();
    let (first, last) = (new.first().unwrap(), before.keys().last().unwrap());
    assert!(first.0 > last.0, "it signed {first:?}, and had signed up to {last:?} before");
    say(&format!(
        "copied at {copied_at}, last signed at {}, came back and votes at {again}; first signature at {}",
        last.0, first.0
    ));
    // Over a restart, too: what its own ledger shows of its key is no surprise.
    drop(node);
    network.testnet(&["start", "v3"]);
    all_is_well(&network, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_lost_commits_follows_without_voting_and_heals() {
    let network = Network::up();
    let home = home(&network, 2);
    let load = Load::start(&network, 4).await;
    let height = network.node_status(1).await.height;
    network.votes_again(2, Height(height.0 + 10)).await;
    network.testnet(&["kill", "v2"]);
    load.stop().await;
    let log = newest_log(&home);
    // What RocksDB forgives: a log that ends early. What was acknowledged behind it is gone.
    let bytes = fs::metadata(&log).unwrap().len();
    File::options().write(true).open(&log).unwrap().set_len(bytes * 7 / 10).unwrap();
    let before = fs::metadata(home.join("node.log")).unwrap().len();
    network.testnet(&["start", "v2"]);
    let text = fs::read_to_string(home.join("node.log")).unwrap();
    let since = &text[usize::try_from(before).unwrap()..];
    assert!(since.contains("follows without voting"), "{since}");
    all_is_well(&network, 2).await;
    network.testnet(&["down"]);
    minlian_node(&["fsck", "--home", path(&home)]).expect(0);
}

/// How many frames of the journal are of the ledger's epoch: whole ones, from the first page on (see `store::journal`).
fn frames(journal: &Path) -> usize {
    const PAGE: usize = 4096;
    let bytes = fs::read(journal).unwrap();
    let word = |at: usize| bytes.get(at..at + 8).map(|word| <[u8; 8]>::try_from(word).unwrap());
    let epoch = word(PAGE).unwrap();
    let (mut count, mut at) = (0, PAGE);
    while epoch != [0; 8] && word(at) == Some(epoch) {
        let [length @ .., _, _, _, _] = word(at + 8).unwrap();
        let payload = usize::try_from(u32::from_le_bytes(length)).unwrap();
        (count, at) = (count + 1, at + (20 + payload).next_multiple_of(PAGE));
    }
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_damaged_before_its_end_follows_without_voting_and_heals() {
    let network = Network::up();
    let journal = home(&network, 2).join("data/journal");
    // Without a quorum a height stands still, with what v2 said of it in the journal: a vote, and a proposal as well
    // if the turn was its own. They stop again and again until it stands still at a height of more than one frame, each
    // time for longer than a proposal is waited for: until v2 votes, the journal still holds the frames of the last height.
    let load = Load::start(&network, 1).await;
    eventually("two frames", async || {
        network.testnet(&["pause", "v3"]);
        network.testnet(&["pause", "v4"]);
        sleep(Duration::from_millis(2500)).await;
        network.testnet(&["kill", "v2"]);
        if frames(&journal) >= 2 {
            return Some(());
        }
        network.testnet(&["start", "v2"]);
        network.testnet(&["resume", "v3"]);
        network.testnet(&["resume", "v4"]);
        // It listens to a quorum before it votes, and so before it has anything to write down.
        ready(&network, 2).await;
        None
    })
    .await;
    let stands_at = network.node_status(1).await.height;
    // In what the first frame says, behind its header.
    flip(&journal, 4096 + 20 + 8);
    let mut node = Node::start(&network, 2, "");
    let says = |words: &str| node.log().contains(words).then_some(());
    eventually("it follows without voting", async || says("follows without voting")).await;
    assert!(says("the journal beside the ledger is damaged").is_some(), "{}", node.log());
    not_ready(&network, 2, "").await;
    assert_eq!(network.node_status(2).await.height, stands_at);
    network.testnet(&["resume", "v3"]);
    network.testnet(&["resume", "v4"]);
    load.stop().await;
    all_is_well(&network, 2).await;
    ready(&network, 2).await;
    assert!(node.is_running(), "by itself");
}

/// What the check of a ledger says is wrong, in all the words it has.
fn damage(chain: &Chain, ledger: &Store, scratch: &Path) -> Vec<String> {
    let report = node::fsck::check(chain.genesis(), ledger, scratch, |_, _| ()).unwrap();
    fs::remove_dir_all(scratch).unwrap();
    report.damage
}

#[test]
fn the_check_of_a_ledger_names_what_is_changed_missing_or_should_not_be_there() {
    let directory = tempfile::tempdir().unwrap();
    let (data, scratch) = (directory.path().join("data"), directory.path().join("scratch"));
    let mut chain = Chain::new("check", 1);
    let fails = |fault: &store::Fault| -> ! { panic!("{fault}") };
    let ledger = store::open(&data, &chain.genesis().chain(), fails).unwrap();
    for n in 1..=3 {
        let tx = chain.transaction(
            0,
            n,
            vec![licence(&format!("L{n}")), publish(u32::try_from(n).unwrap())],
        );
        ledger.commit(&chain.append(vec![tx])).unwrap();
    }
    ledger.sync().unwrap();
    assert_eq!(damage(&chain, &ledger, &scratch), Vec::<String>::new());
    let put = |column, key: &[u8], value: Option<Vec<u8>>| {
        ledger.write(&[Write { column, key: key.to_vec(), value }]).unwrap();
    };
    let mut columns = 0;
    for column in Column::ALL {
        let Some((key, value)) = ledger.scan(column, &[], &[], 1).pop() else { continue };
        columns += 1;
        // Some keys say all there is to say, and have no value.
        let mut changed = value.clone();
        match changed.first_mut() {
            Some(byte) => *byte ^= 1,
            None => changed.push(1),
        }
        let (more, name) = ([&key[..], &[0xff]].concat(), codec::hex(&key));
        let longer = codec::hex(&more);
        for (key, to, was, said) in [
            (&key, Some(changed), Some(value.clone()), format!("the value of {name} is damaged")),
            (&key, None, Some(value.clone()), format!("{name} is missing")),
            (&more, Some(vec![1]), None, format!("{longer} should not be there")),
        ] {
            put(column, key, to);
            let found = damage(&chain, &ledger, &scratch);
            put(column, key, was);
            let named = format!("{}: {said}", column.name());
            // What a block is read from is missed before columns are compared, and by its height.
            let is_read_first =
                [Column::Headers, Column::Bodies, Column::Certificates].contains(&column);
            let of_a_block = if is_read_first { "block " } else { &named };
            let is_named = |line: &String| *line == named || line.starts_with(of_a_block);
            assert!(found.iter().any(is_named), "{named}, and it says {found:?}");
        }
    }
    assert!(columns > 10, "{columns}");
    // A certificate that certifies nothing: one signature is of another block.
    let (key, sound) = ledger.scan(Column::Certificates, &[], &[], 2).pop().unwrap();
    let mut certificate: Certificate = codec::decode(&sound).unwrap();
    certificate.signatures[1].1 = certificate.signatures[0].1;
    put(Column::Certificates, &key, Some(codec::encode(&certificate)));
    let found = damage(&chain, &ledger, &scratch);
    assert!(found[0].starts_with("block 2: certificate: the signature of seat 1"), "{found:?}");
    put(Column::Certificates, &key, Some(sound));
    assert_eq!(damage(&chain, &ledger, &scratch), Vec::<String>::new());
}

/// The tables of a ledger, each with the name of its column, which RocksDB writes behind the data.
fn tables(home: &Path) -> Vec<(String, PathBuf)> {
    let files = fs::read_dir(home.join("data/ledger")).unwrap().map(|entry| entry.unwrap().path());
    let mut tables: Vec<_> = files
        .filter(|file| file.extension().is_some_and(|end| end == "sst"))
        .map(|file| {
            let bytes = fs::read(&file).unwrap();
            let is = |name: &str| {
                let mark = format!("name{name}");
                bytes.windows(mark.len()).any(|window| window == mark.as_bytes())
            };
            let name = Column::ALL.into_iter().map(Column::name).find(|name| is(name));
            (name.unwrap_or("default").to_owned(), file)
        })
        .collect();
    tables.sort();
    tables
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_a_table_is_named_never_served_and_healed() {
    let network = Network::up();
    let home = home(&network, 1);
    network.testnet(&["kill", "v1"]);
    let mut node = Node::start(&network, 1, "");
    let load = Load::start(&network, 4).await;
    let height = network.node_status(2).await.height;
    network.votes_again(1, Height(height.0 + 8)).await;
    let receipts = load.stop().await;
    assert!(receipts.len() > 8, "{}", receipts.len());
    let root = network.trust_root();
    // A stop moves everything into tables.
    node.signal(Signal::SIGTERM);
    assert_eq!(node.end().await, Some(0));
    drop(node);
    let (sound, copied) = (network.scratch().join("sound"), network.network_home().join("copied"));
    copy(&home, &sound);
    let all = tables(&home);
    assert!(all.len() >= 10, "{all:?}");

    // Offline: whichever table it is in, the check ends badly and names the file.
    let outside = [&["data", "size"][..], &["prune", "--dry-run"]];
    let mut met = [0_u32; 2];
    for (column, table) in &all {
        let name = table.file_name().unwrap();
        // The first block of data, and the last bytes, by which the rest of a table is found.
        for at in [20, fs::metadata(table).unwrap().len() - 1] {
            copy(&sound, &copied);
            flip(&copied.join("data/ledger").join(name), at);
            // Whatever else reads a ledger from outside says what it could not read.
            for (words, met) in outside.into_iter().zip(&mut met) {
                let ran = minlian_node(&[words, &["--home", path(&copied)]].concat());
                *met += u32::from(ran.code != 0);
                let told = ran.code == 0 || ran.stderr.contains(name.to_str().unwrap());
                assert!(told, "{words:?}, {column}, byte {at}: {ran:?}");
            }
            let ran = minlian_node(&["fsck", "--home", path(&copied)]);
            assert_ne!(ran.code, 0, "{column}, byte {at}: {ran:?}");
            let said = ran.stdout + &ran.stderr;
            assert!(said.contains(name.to_str().unwrap()), "{column}, byte {at}: {said}");
            fs::remove_dir_all(&copied).unwrap();
        }
    }
    assert!(met.iter().all(|met| *met > 0), "{met:?}");

    // Online: it ends at the first read that meets the damage, and until then all it says is true.
    for damaged in ["transactions", "records", "log", "map", "bodies"] {
        fs::remove_dir_all(home.join("data")).unwrap();
        copy(&sound.join("data"), &home.join("data"));
        let hit: Vec<_> = all.iter().filter(|(column, _)| column == damaged).collect();
        assert!(!hit.is_empty(), "{all:?}");
        for (_, table) in hit {
            flip(table, 20);
        }
        let mut node = Node::start(&network, 1, "");
        let client = network.client(1);
        let (mut true_answers, mut turn) = (0, 0);
        let deadline = Instant::now() + Duration::from_secs(60);
        while node.is_running() {
            assert!(Instant::now() < deadline, "{damaged}: nothing meets the damage");
            let receipt = &receipts[turn % receipts.len()];
            turn += 1;
            let record = receipt.records[0].record;
            if let Ok(found) = client.transaction(&receipt.tx).await {
                assert_eq!(found.as_ref(), Some(receipt), "{damaged}");
                true_answers += 1;
            }
            if let Ok(found) = client.record_proof(&record).await {
                let proof = found.expect("it is on the ledger");
                assert!(proof::verify(&proof, &root).proven().is_some(), "{damaged}");
                true_answers += 1;
            }
            if let Ok(found) = client.record(&record).await {
                let found = found.expect("it is on the ledger");
                let (subject, _) = found.operation.subjects(&found.agency).swap_remove(0);
                if let Ok(found) = client.subject_proof(&subject).await {
                    let proof = found.expect("it is on the ledger");
                    assert!(proof::verify(&proof, &root).proven().is_some(), "{damaged}");
                    true_answers += 1;
                }
            }
            sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(node.end().await, Some(5), "{damaged}: {}", node.log());
        let log = node.log();
        assert!(log.contains(".sst") && log.contains("minlian-node recover"), "{damaged}: {log}");
        say(&format!("{damaged}: {true_answers} true answers, no false one, then it stopped"));
    }

    // From the neighbours, and verified.
    minlian_node(&["recover", "--home", path(&home)]).expect(0);
    let mut node = Node::start(&network, 1, "");
    all_is_well(&network, 1).await;
    for receipt in &receipts {
        let found = network.client(1).transaction(&receipt.tx).await.unwrap();
        assert_eq!(found.as_ref(), Some(receipt));
    }
    node.signal(Signal::SIGTERM);
    assert_eq!(node.end().await, Some(0));
    minlian_node(&["fsck", "--home", path(&home)]).expect(0);
}

/// RocksDB's newest log.
fn newest_log(home: &Path) -> PathBuf {
    let files = fs::read_dir(home.join("data/ledger")).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|file| file.extension().is_some_and(|end| end == "log")).max().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_inside_a_log_refuses_to_start_and_recover_heals_it() {
    let network = Network::up();
    let home = home(&network, 1);
    let load = Load::start(&network, 4).await;
    let height = network.node_status(2).await.height;
    network.agreed(&EVERYONE, Height(height.0 + 10)).await;
    network.testnet(&["kill", "v1"]);
    let receipts = load.stop().await;
    let log = newest_log(&home);
    flip(&log, fs::metadata(&log).unwrap().len() / 2);
    let mut node = Node::start(&network, 1, "");
    assert_eq!(node.end().await, Some(5), "{}", node.log());
    assert!(node.log().contains("minlian-node recover"), "{}", node.log());
    minlian_node(&["recover", "--home", path(&home)]).expect(0);
    network.testnet(&["start", "v1"]);
    all_is_well(&network, 1).await;
    for receipt in &receipts {
        let found = network.client(1).transaction(&receipt.tx).await.unwrap();
        assert_eq!(found.as_ref(), Some(receipt));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_killed_again_and_again_loses_and_contradicts_nothing() {
    let network = Network::up();
    let load = Load::start(&network, 4).await;
    let times = number("MINLIAN_KILLS", 25);
    for turn in 0..times {
        // An instant that no two turns share: sometimes while it listens, sometimes while it fetches or votes.
        sleep(Duration::from_millis(turn * 397 % 4001)).await;
        network.testnet(&["kill", "v3"]);
        network.testnet(&["start", "v3"]);
    }
    let receipts = load.stop().await;
    assert!(receipts.len() > 25, "{}", receipts.len());
    all_is_well(&network, 3).await;
    for receipt in &receipts {
        let found = network.client(3).transaction(&receipt.tx).await.unwrap();
        assert_eq!(found.as_ref(), Some(receipt));
    }
    say(&format!("{times} kills, {} transactions reported committed, 0 lost", receipts.len()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_under_load_drains_in_five_seconds_and_a_second_one_forces() {
    const AT_MOST: Duration = Duration::from_secs(5);
    let network = Network::up();
    let load = Load::start(&network, 8).await;
    network.testnet(&["kill", "v2"]);
    let mut node = Node::start(&network, 2, "");
    let height = network.node_status(1).await.height;
    network.votes_again(2, height).await;
    let told = Instant::now();
    node.signal(Signal::SIGTERM);
    assert_eq!(node.end().await, Some(0), "{}", node.log());
    assert!(told.elapsed() <= AT_MOST, "{:?}", told.elapsed());
    drop(node);
    load.stop().await;

    // Somebody waits for what nobody can decide: that is waited for, but not for ever, and not at all if it is told again.
    for signals in [1, 2] {
        let mut node = Node::start(&network, 2, "");
        all_is_well(&network, 2).await;
        let tx =
            network.sign(&network.signer("issuer"), vec![licence(&format!("{signals}"))]).await;
        network.testnet(&["pause", "v3"]);
        network.testnet(&["pause", "v4"]);
        // What was decided by then is not what is waited for.
        sleep(Duration::from_millis(500)).await;
        let client = network.client(2);
        let waits = tokio::spawn(async move { client.submit(&tx, Wait::Committed).await });
        eventually("it waits", async || (network.node_status(2).await.pending > 0).then_some(()))
            .await;
        let told = Instant::now();
        node.signal(Signal::SIGTERM);
        if signals == 2 {
            eventually("it has heard", async || node.log().contains("stopping").then_some(()))
                .await;
            node.signal(Signal::SIGTERM);
        }
        assert_eq!(node.end().await, Some(0), "{}", node.log());
        let took = told.elapsed();
        let (drained, forced) = (took >= Duration::from_secs(2), node.log().contains("told twice"));
        assert_eq!((drained, forced), (signals == 1, signals == 2), "{took:?}\n{}", node.log());
        assert!(took <= AT_MOST, "{took:?}");
        waits.abort();
        network.testnet(&["resume", "v3"]);
        network.testnet(&["resume", "v4"]);
        drop(node);
    }
    network.testnet(&["start", "v2"]);
    all_is_well(&network, 2).await;
}

#[test]
fn what_was_acknowledged_survives_power_cuts() {
    match powercut::run(&powercut::Plan { cuts: 4, seed: 7 }) {
        Ok(summary) => say(&summary.to_string()),
        Err(powercut::Failed::NotHere(why)) => {
            say(&format!("NOT RUN: power cuts need root, loop devices and ext4: {why}"));
            // Without them this promise is not shown, and a test that shows nothing must say so, not pass.
            assert!(
                std::env::var_os("MINLIAN_WITHOUT_ROOT").is_some(),
                "set MINLIAN_WITHOUT_ROOT=1 to accept that power cuts are not tried: {why}"
            );
        }
        Err(powercut::Failed::Broken(why)) => panic!("{why}"),
    }
}
