//! What an operator does over the years, with real processes: sealed keys, a signer apart, snapshots, bundles, formats.

#![cfg(test)]

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use node::signer::{Answer, Greeting, Purpose, Request};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _},
        net::{UnixDatagram, UnixStream},
    },
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::Duration,
};
use tests::{
    Load, Network,
    faults::{EVERYONE, Node, all_is_well, eventually, flip, home, path},
    licence,
    program::{self, Ran, minlian_node},
    say,
};
use types::{Height, codec};

const PASSPHRASE: &str = "correct horse battery staple";

/// A file that only its owner can read.
fn secret_file(at: PathBuf, text: &str) -> PathBuf {
    fs::write(&at, text).unwrap();
    fs::set_permissions(&at, fs::Permissions::from_mode(0o600)).unwrap();
    at
}

/// Every file under a directory, and what is in it.
fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut found, mut open) = (BTreeMap::new(), vec![directory.to_owned()]);
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if !path.ends_with("LOG") && !path.ends_with("lock") && !path.ends_with("LOCK") {
                let bytes = fs::read(&path).unwrap();
                found.insert(path, bytes);
            }
        }
    }
    found
}

fn has(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

#[tokio::test(flavor = "multi_thread")]
async fn sealed_keys_open_by_their_passphrase_alone_and_a_bundle_tells_none_of_it() {
    let network = Network::up();
    let home = home(&network, 3);
    network.testnet(&["kill", "v3"]);
    let files = ["consensus", "transport"].map(|name| home.join(format!("keys/{name}.json")));
    let secrets = files.clone().map(|file| {
        let key: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        key["secret"].as_str().unwrap().to_owned()
    });
    let good = secret_file(network.scratch().join("good"), &format!("{PASSPHRASE}\n"));
    let wrong = secret_file(network.scratch().join("wrong"), "correct horse battery stable\n");
    for file in &files {
        let words =
            ["key", "passphrase", "--key", path(file), "--new-passphrase-file", path(&good)];
        minlian_node(&words).expect(0);
        let text = fs::read_to_string(file).unwrap();
        assert!(secrets.iter().all(|secret| !text.contains(secret)), "{text}");
    }
    let with = |file: &Path| format!("MINLIAN_PASSPHRASE_FILE={}", file.display());

    // Refused, each with its reason, and for a supervisor that must not try again.
    let whole = fs::read(&files[0]).unwrap();
    let refused = async |given: &str, code: i32, why: &str| {
        let mut node = Node::within(&network, 3, &["env", given]);
        assert_eq!(node.end().await, Some(code), "{why}: {}", node.log());
        assert!(node.log().contains(why), "{why}: {}", node.log());
    };
    refused(&with(&wrong), 5, "the passphrase is wrong, or the file was changed").await;
    refused("A=b", 5, "needs a passphrase, and there is no terminal to ask at").await;
    fs::set_permissions(&good, fs::Permissions::from_mode(0o640)).unwrap();
    refused(&with(&good), 5, "others can read it").await;
    fs::set_permissions(&good, fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(&files[0], fs::Permissions::from_mode(0o644)).unwrap();
    refused(&with(&good), 5, "others can read the secret key").await;
    fs::set_permissions(&files[0], fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&files[0], &whole[..whole.len() / 2]).unwrap();
    refused(&with(&good), 1, "not a key file").await;
    let digit = whole.windows(10).position(|bytes| bytes == b"\"sealed\": ").unwrap() + 20;
    let mut flipped = whole.clone();
    flipped[digit] = if flipped[digit] == b'0' { b'1' } else { b'0' };
    fs::write(&files[0], &flipped).unwrap();
    refused(&with(&good), 5, "the passphrase is wrong, or the file was changed").await;
    fs::write(&files[0], &whole).unwrap();

    // A gateway whose token and documents are nobody's business.
    let key = secret_file(home.join("keys/gateway.json"), "");
    fs::copy(network.key("issuer"), &key).unwrap();
    let words = ["key", "token", "--name", "erp", "--scope", "capture"];
    let made = minlian_node(&words).expect(0);
    let token = made.stderr.lines().find(|line| line.starts_with("mln_")).unwrap().to_owned();
    let digest = made.stdout.lines().find_map(|line| line.strip_prefix("digest = ")).unwrap();
    let digest = digest.trim_matches('"').to_owned();
    let text = fs::read_to_string(home.join("node.toml")).unwrap();
    let gateway = format!(
        "{text}\n[gateway]\nkey = \"keys/gateway.json\"\ndocuments = \"documents\"\n\n{}",
        made.stdout
    );
    fs::write(home.join("node.toml"), gateway).unwrap();
    fs::create_dir_all(home.join("documents")).unwrap();
    fs::write(home.join("documents/one"), "the vessel landed 40 kg of crab").unwrap();

    // As another group: whom the files of a process that may be looked into belong to, and root's those of one that may not.
    let apart = ["setpriv", "--regid", "65534", "--clear-groups"];
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let apart = if is_root { &apart[..] } else { &[] };
    let passphrase = with(&good);
    let command = [apart, &["env", &passphrase]].concat();
    let node = Node::within(&network, 3, &command);
    let height = network.node_status(1).await.height;
    network.votes_again(3, height).await;
    let pid = node.pid();
    let process: Vec<u8> = ["cmdline", "environ"]
        .iter()
        .flat_map(|name| fs::read(format!("/proc/{pid}/{name}")).unwrap())
        .collect();
    let owner = |pid: u32| {
        let status = fs::metadata(format!("/proc/{pid}/status")).unwrap();
        (status.uid(), status.gid())
    };
    let mut open = program::system(apart.first().unwrap_or(&"sleep"));
    open.args(apart.iter().skip(1)).args(is_root.then_some("sleep")).arg("60");
    let mut open = open.spawn().unwrap();
    eventually("another program runs", async || {
        let name = fs::read_to_string(format!("/proc/{}/comm", open.id())).unwrap();
        (name == "sleep\n").then_some(())
    })
    .await;
    assert_ne!(owner(open.id()), (0, 0), "any other program may be looked into, and dumped");
    assert_eq!(owner(pid), (0, 0), "the node may not");
    open.kill().unwrap();
    open.wait().unwrap();
    let log = node.log().into_bytes();
    for hidden in secrets.iter().map(String::as_str).chain([PASSPHRASE, &token]) {
        assert!(!has(&process, hidden.as_bytes()) && !has(&log, hidden.as_bytes()), "{hidden}");
    }

    let out = network.scratch().join("bundle.tar");
    let opened = |words: &[&str]| {
        let ran = program::command("minlian-node")
            .args(words)
            .env("MINLIAN_PASSPHRASE_FILE", &good)
            .output()
            .unwrap();
        Ran::of(&ran)
    };
    opened(&["debug", "bundle", "--home", path(&home), "--out", path(&out)]).expect(0);
    let bundle = fs::read(&out).unwrap();
    assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
    let parts =
        ["node.toml", "genesis.toml", "doctor.json", "status.json", "metrics.txt", "node.log"];
    for part in parts {
        assert!(has(&bundle, format!("minlian-debug/{part}").as_bytes()), "{part}");
    }
    assert!(has(&bundle, b"minlian_height") && has(&bundle, b"\"encrypted\": true"));
    assert!(has(&bundle, format!("\nPid:\t{pid}\n").as_bytes()), "the node's process, not another");
    let organisation = fs::read_to_string(network.key("issuer")).unwrap();
    let organisation: Value = serde_json::from_str(&organisation).unwrap();
    let organisation = organisation["secret"].as_str().unwrap();
    let mut hidden: Vec<Vec<u8>> = Vec::new();
    for secret in secrets.iter().map(String::as_str).chain([organisation]) {
        hidden.push(secret.into());
        hidden.push(codec::unhex(secret).unwrap());
    }
    let words = [PASSPHRASE, token.as_str(), digest.as_str(), "the vessel landed"];
    hidden.extend(words.map(|word| word.as_bytes().to_vec()));
    for hidden in &hidden {
        assert!(!has(&bundle, hidden), "{}", String::from_utf8_lossy(hidden));
    }

    // What an operator asks of it while it runs.
    let said = opened(&["doctor", "--home", path(&home)]);
    assert!(said.stdout.contains("keys           not encrypted"), "{}", said.stdout);
    assert!(said.stdout.contains("gateway.json") && !said.stdout.contains("consensus.json;"));
    let said = opened(&["status", "--home", path(&home), "--json"]).expect(0);
    let status: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(status["quorum"], 3);
    let said = opened(&["peers", "--home", path(&home)]).expect(0);
    assert!(said.stdout.contains("this node") && said.stdout.matches("yes").count() == 3);
    assert!(said.stdout.contains(&network.listens(1).to_string()), "{}", said.stdout);
    let said = opened(&["data", "size", "--home", path(&home), "--json"]).expect(0);
    let sizes: Value = serde_json::from_str(&said.stdout).unwrap();
    assert!(sizes["files"]["ledger"].as_u64().unwrap() > 0 && sizes["ledger"].is_null());
    drop(node);
    let said = opened(&["data", "size", "--home", path(&home), "--json"]).expect(0);
    let sizes: Value = serde_json::from_str(&said.stdout).unwrap();
    assert!(sizes["ledger"]["height"].as_u64().unwrap() > 0, "{sizes}");
    assert_eq!(opened(&["status", "--home", path(&home)]).code, 4, "nobody answers");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_believed_from_genesis_on_or_not_at_all() {
    let network = Network::up();
    let load = Load::start(&network, 4).await;
    network.agreed(&EVERYONE, Height(12)).await;
    load.stop().await;
    let (third, fourth) = (home(&network, 3), home(&network, 4));
    let file = network.scratch().join("ledger.snapshot");
    let create = ["snapshot", "create", "--home", path(&third), "--out", path(&file)];
    minlian_node(&create).expect(5);
    network.testnet(&["kill", "v3"]);
    let made = minlian_node(&create).expect(0);
    minlian_node(&create).expect(1);
    let whole = fs::read(&file).unwrap();
    say(&format!("{} ({} bytes)", made.stdout.trim(), whole.len()));

    // Whatever is wrong with it, the ledger stays, and the record of what was signed.
    let before = contents(&third);
    let edit = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole.clone();
        change(&mut bytes);
        let file = network.scratch().join("bad.snapshot");
        fs::write(&file, bytes).unwrap();
        let ran =
            minlian_node(&["snapshot", "restore", "--alone", "--home", path(&third), path(&file)]);
        assert!(ran.stderr.contains("nothing was changed"), "{}", ran.stderr);
        let after = contents(&third);
        assert!(before == after, "{:?}", ran.stderr);
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        ran.stderr
    };
    let end = whole.len();
    for (why, change) in [
        ("not a snapshot", &(|bytes: &mut Vec<u8>| bytes[0] ^= 1) as &dyn Fn(&mut Vec<u8>)),
        ("of another format", &|bytes| bytes[17] = b'2'),
        ("of chain", &|bytes| bytes[19] ^= 1),
        ("the file ends before it", &|bytes| bytes[51] += 1),
        ("not", &|bytes| bytes[60] ^= 1),
        ("ends in its first bytes", &|bytes| bytes.truncate(40)),
        ("the file ends", &|bytes| bytes.truncate(end - 1)),
        ("the file ends", &|bytes| bytes.truncate(end / 2)),
        ("more behind its last block", &|bytes| bytes.push(0)),
        ("more than may be", &|bytes| bytes[94] = 0xff),
        ("block ", &|bytes| bytes[end - 10] ^= 1),
        ("block ", &|bytes| bytes[end / 2] ^= 0x10),
        ("block ", &|bytes| bytes[end / 3] ^= 0x01),
        ("more behind its last block", &|bytes| {
            // One block less in its first bytes than there are.
            bytes[51] -= 1;
        }),
    ] {
        let said = edit(change);
        let known = said.contains(why)
            || (why == "more behind its last block" && said.contains("it ends with block"));
        assert!(known, "{why}: {said}");
    }
    // A ledger of other validators, sound in itself, is no ledger of this network.
    let foreign = third.join("genesis-of-others.toml");
    let text = fs::read_to_string(network.genesis()).unwrap();
    fs::write(&foreign, text.replacen("name = \"dev-", "name = \"dex-", 1)).unwrap();
    let config = fs::read_to_string(third.join("node.toml")).unwrap();
    let other = config.replace("../genesis.toml", "genesis-of-others.toml");
    assert_ne!(config, other);
    fs::write(third.join("node.toml"), other).unwrap();
    let restore = ["snapshot", "restore", "--home", path(&third), path(&file)];
    assert!(minlian_node(&restore).expect(1).stderr.contains("of chain"));
    fs::write(third.join("node.toml"), &config).unwrap();
    fs::remove_file(foreign).unwrap();

    // The others go on; then it is restored, and another begins with nothing.
    let height = network.node_status(1).await.height;
    network.commit(1, vec![licence("after the snapshot")]).await;
    network.testnet(&["kill", "v4"]);
    network.testnet(&["start", "v3"]);
    let voted = network.votes_again(3, height).await;
    network.testnet(&["kill", "v3"]);
    network.testnet(&["start", "v4"]);
    let restored = minlian_node(&restore).expect(0);
    assert!(restored.stdout.contains("state and log roots"), "{}", restored.stdout);
    let own_key = third.join("keys/consensus.json");
    let state = ["key", "sign-state", "--key", path(&own_key), "--voted-until", "1"];
    let record = minlian_node(&state).expect(0).stdout;
    let floor: u64 = record.trim().rsplit(' ').next().unwrap().parse().unwrap();
    assert!(floor >= voted.0, "it voted at {voted}, and may vote above {floor}");
    network.testnet(&["start", "v3"]);
    all_is_well(&network, 3).await;
    network.testnet(&["kill", "v4"]);
    fs::remove_dir_all(fourth.join("data")).unwrap();
    network.testnet(&["start", "v4"]);
    let tip = network.node_status(1).await.height;
    network.agreed(&EVERYONE, tip).await;
    all_is_well(&network, 4).await;
    // What was put aside is given back once the ledger has all of it, and not before.
    let asides = || {
        let names = fs::read_dir(&third).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.display().to_string().starts_with("data.aside-")).count()
    };
    assert_eq!(asides(), 1);
    let prune = ["prune", "--home", path(&third)];
    minlian_node(&[&prune[..], &["--dry-run"]].concat()).expect(0);
    assert_eq!(asides(), 1);
    // Nothing is removed unasked, and where there is nobody to ask, nothing is taken for granted.
    assert!(minlian_node(&prune).expect(2).stderr.contains("--yes"));
    assert_eq!(asides(), 1);
    let pruned = minlian_node(&[&prune[..], &["--yes", "--json"]].concat()).expect(0).stdout;
    let pruned: Value = serde_json::from_str(&pruned).unwrap();
    assert_eq!(pruned["ledgers"].as_array().unwrap().len(), 1, "{pruned}");
    assert_eq!(asides(), 0);
    network.testnet(&["down"]);
    for home in [&third, &fourth] {
        minlian_node(&["fsck", "--home", path(home)]).expect(0);
    }
    let alone = ["snapshot", "restore", "--alone", "--home", path(&third), path(&file), "--json"];
    let restored: Value = serde_json::from_str(&minlian_node(&alone).expect(0).stdout).unwrap();
    assert!(restored["restored"].as_u64().unwrap() > 0 && restored["aside"].is_string());
    assert!(minlian_node(&prune).expect(1).stderr.contains("kept: "));
    assert_eq!(asides(), 1, "it has blocks that the snapshot has not");
}

/// R-01, 7.7: what an operator dropped is refused by name, everything else is as it was, and whoever begins with nothing turns to
/// those who keep it, or is told that nobody does.
#[tokio::test(flavor = "multi_thread")]
async fn old_bodies_are_dropped_and_what_is_kept_is_served_and_proven() {
    let network = Network::up();
    let old = network.commit(1, vec![licence("to be dropped")]).await;
    let load = Load::start(&network, 4).await;
    network.agreed(&EVERYONE, Height(100)).await;
    load.stop().await;
    let new = network.commit(1, vec![licence("to be kept")]).await;
    let tip = network.agreed(&EVERYONE, new.height.unwrap()).await.header.height;
    let homes = [1, 2, 3, 4].map(|n| home(&network, n));
    let [_, second, third, fourth] = &homes;
    let prune = |home: &PathBuf, more: &[&str]| {
        let sure = if more.contains(&"--dry-run") { &[][..] } else { &["--yes"] };
        minlian_node(&[&["prune", "--home", path(home)], more, sure].concat())
    };
    let least = ["--keep-blocks", "1"];

    // While it runs it is left alone; and a dry run changes nothing.
    assert!(prune(third, &least).expect(1).stderr.contains("stop it first"));
    network.testnet(&["kill", "v3"]);
    let before = contents(third);
    let dry = prune(third, &["--keep-blocks", "1", "--dry-run"]).expect(0).stdout;
    let last = tip.0 - 64;
    assert!(dry.contains(&format!("blocks 1 to {last} would be dropped")), "{dry}");
    prune(third, &["--dry-run"]).expect(0);
    assert!(before == contents(third), "a dry run changes nothing");
    assert!(prune(third, &["--keep-days", "1"]).expect(0).stdout.contains("none older"));

    // Killed in the middle, wherever that is; then once more, as node.toml says.
    for milliseconds in [0, 5, 10, 20, 40, 80] {
        let mut child = program::command("minlian-node")
            .args(["prune", "--home", path(third), "--keep-blocks", "1", "--yes"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        minlian_node(&["fsck", "--home", path(third)]).expect(0);
    }
    let toml = third.join("node.toml");
    let text = fs::read_to_string(&toml).unwrap();
    let said = "\n[retention]\nkeep_blocks = 64\narchive = \"https://archive.example\"\n";
    fs::write(&toml, format!("{text}{said}")).unwrap();
    let done = prune(third, &[]).expect(0).stdout;
    assert!(done.contains(&format!("blocks 1 to {last} are dropped")), "{done}");
    say(done.trim().lines().last().unwrap());
    let checked = minlian_node(&["fsck", "--home", path(third)]).expect(0).stdout;
    assert!(checked.contains(&format!("blocks 1 to {last} were dropped")), "{checked}");
    let file = network.scratch().join("pruned.snapshot");
    let create = ["snapshot", "create", "--home", path(third), "--out", path(&file)];
    assert!(minlian_node(&create).expect(1).stderr.contains("that keeps them"));

    // It votes, and proves what it keeps; for the rest it names the archive.
    network.testnet(&["start", "v3"]);
    network.votes_again(3, tip).await;
    all_is_well(&network, 3).await;
    assert_eq!(network.node_status(3).await.kept_from, Some(Height(last + 1)));
    let root = network.trust_root();
    let (whole, pruned) = (network.client(1), network.client(3));
    let (old, new) = (old.records[0].record, new.records[0].record);
    for (client, id, is_shown) in
        [(&whole, old, true), (&whole, new, true), (&pruned, new, true), (&pruned, old, false)]
    {
        let (proof, record) = (client.record_proof(&id).await, client.record(&id).await);
        if is_shown {
            assert!(proof::verify(&proof.unwrap().unwrap(), &root).proven().is_some());
            assert_eq!(record.unwrap().unwrap().record, id);
            continue;
        }
        for refused in [proof.unwrap_err(), record.unwrap_err()] {
            let refused = refused.to_string();
            assert!(refused.contains("E-BODY-DROPPED"), "{refused}");
            assert!(refused.contains("https://archive.example"), "{refused}");
        }
    }

    // One that begins with nothing has it from the others.
    network.testnet(&["kill", "v4"]);
    fs::remove_dir_all(fourth.join("data")).unwrap();
    network.testnet(&["start", "v4"]);
    let tip = network.node_status(1).await.height;
    network.agreed(&EVERYONE, tip).await;
    all_is_well(&network, 4).await;
    assert!(network.client(4).record_proof(&old).await.unwrap().is_some());

    // If all who are there dropped it, that is said, and what helps.
    network.testnet(&["down"]);
    for home in [&homes[0], second] {
        prune(home, &least).expect(0);
    }
    for validator in ["v1", "v2", "v3"] {
        network.testnet(&["start", validator]);
    }
    let refused = minlian_node(&["recover", "--home", path(fourth)]).expect(4);
    let words = refused.stdout + &refused.stderr;
    assert!(words.contains("no neighbour here keeps block 1"), "{words}");
    assert!(words.contains("snapshot restore"), "{words}");
}

/// A signer as a process, which ends with the test.
struct Signer(Child);

impl Signer {
    fn start(network: &Network, key: &Path, socket: &Path) -> Self {
        Self::listening(network, key, &["--listen", &format!("unix:{}", socket.display())])
    }

    fn listening(network: &Network, key: &Path, words: &[&str]) -> Self {
        let child = program::command("minlian-node")
            .args(["signer", "--key", path(key), "--genesis", path(&network.genesis())])
            .args(words)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.0.id()).unwrap()), signal).unwrap();
    }
}

impl Drop for Signer {
    fn drop(&mut self) {
        self.0.kill().unwrap_or_default();
        self.0.wait().map(drop).unwrap_or_default();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signer_that_dies_or_hangs_costs_rounds_and_not_the_node() {
    let network = Network::up();
    let home = home(&network, 2);
    network.testnet(&["kill", "v2"]);
    // The key and its record move together, to where the node cannot read them.
    let apart = network.scratch().join("apart");
    fs::create_dir(&apart).unwrap();
    for name in ["consensus.json", "consensus.signed"] {
        fs::rename(home.join("keys").join(name), apart.join(name)).unwrap();
    }
    let (key, socket) = (apart.join("consensus.json"), apart.join("socket"));
    let text = fs::read_to_string(home.join("node.toml")).unwrap();
    let line = format!("signer = \"unix:{}\"\n", socket.display());
    fs::write(home.join("node.toml"), line + &text).unwrap();

    let mut node = Node::start(&network, 2, "");
    assert_eq!(node.end().await, Some(4), "{}", node.log());
    assert!(node.log().contains("no signer answers"), "{}", node.log());
    let mut signer = Signer::start(&network, &key, &socket);
    eventually("the signer listens", async || UnixStream::connect(&socket).ok()).await;
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let listen = format!("unix:{}", apart.join("another").display());
    let genesis = network.genesis();
    let second = ["signer", "--key", path(&key), "--genesis", path(&genesis), "--listen", &listen];
    assert!(minlian_node(&second).expect(5).stderr.contains("another process signs by"));
    let mut node = Node::start(&network, 2, "");
    let height = network.node_status(1).await.height;
    network.votes_again(2, height).await;

    for silence in [Signal::SIGKILL, Signal::SIGSTOP] {
        signer.signal(silence);
        eventually("it is missed", async || {
            node.log().contains("nothing is voted on until the signer answers").then_some(())
        })
        .await;
        let height = network.node_status(1).await.height;
        network.agreed(&[1, 3, 4], Height(height.0 + 5)).await;
        assert!(node.is_running(), "{}", node.log());
        if silence == Signal::SIGKILL {
            signer = Signer::start(&network, &key, &socket);
        } else {
            signer.signal(Signal::SIGCONT);
        }
        network.votes_again(2, network.node_status(1).await.height).await;
        all_is_well(&network, 2).await;
        // What it says of the next silence is told again.
        if silence == Signal::SIGKILL {
            node.signal(Signal::SIGTERM);
            assert_eq!(node.end().await, Some(0), "{}", node.log());
            drop(node);
            node = Node::start(&network, 2, "");
            network.votes_again(2, network.node_status(1).await.height).await;
        }
    }

    // Asked by somebody else for a second word at a height that is over, it gives none.
    let mut line = BufReader::new(UnixStream::connect(&socket).unwrap());
    let mut said = String::new();
    line.read_line(&mut said).unwrap();
    let greeting: Greeting = serde_json::from_str(&said).unwrap();
    let last = greeting.last.unwrap();
    let body = codec::hex(&codec::encode(&(last.height, last.round, None::<types::BlockId>)));
    for (height, purpose) in [(last.height, Purpose::Prevote), (Height(1), Purpose::Precommit)] {
        let body = if height == last.height {
            body.clone()
        } else {
            codec::hex(&codec::encode(&(height, last.round, None::<types::BlockId>)))
        };
        // By then the node may have had it sign further; either way this lies behind.
        eventually("the signer is past it", async || {
            (network.node_status(1).await.height > last.height.next()).then_some(())
        })
        .await;
        let request = Request { id: 7, purpose, chain: network.chain(), body };
        let text = serde_json::to_string(&request).unwrap() + "\n";
        line.get_mut().write_all(text.as_bytes()).unwrap();
        said.clear();
        line.read_line(&mut said).unwrap();
        let answer: Answer = serde_json::from_str(&said).unwrap();
        assert!(
            matches!(&answer, Answer::Refused { id: 7, why } if why.contains("behind")),
            "{answer:?}"
        );
    }

    // Told to stop while it waits for its signer, the node stops.
    signer.signal(Signal::SIGSTOP);
    let height = network.node_status(1).await.height;
    network.agreed(&[1, 3, 4], Height(height.0 + 3)).await;
    node.signal(Signal::SIGTERM);
    assert_eq!(node.end().await, Some(0), "{}", node.log());
    signer.signal(Signal::SIGCONT);
}

/// A certificate that names itself, and its key, in files.
fn certificate(directory: &Path, name: &str, host: &str) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec![host.into()]).unwrap();
    params.is_ca = rcgen::IsCa::ExplicitNoCa;
    let made = params.self_signed(&key).unwrap();
    fs::write(directory.join(format!("{name}.pem")), made.pem()).unwrap();
    secret_file(directory.join(format!("{name}.key")), &key.serialize_pem());
}

/// K-03: the same signer from another machine: votes with the right certificates, none with others.
#[tokio::test(flavor = "multi_thread")]
async fn a_signer_over_tls_signs_for_the_node_whose_certificate_it_knows() {
    let network = Network::up();
    let home = home(&network, 2);
    network.testnet(&["kill", "v2"]);
    let apart = network.scratch().join("apart");
    fs::create_dir(&apart).unwrap();
    for name in ["consensus.json", "consensus.signed"] {
        fs::rename(home.join("keys").join(name), apart.join(name)).unwrap();
    }
    for (name, host) in [("signer", "127.0.0.1"), ("node", "v2"), ("stranger", "v2")] {
        certificate(&apart, name, host);
    }
    let key = apart.join("consensus.json");
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let listen = format!("tls:127.0.0.1:{port}");
    let [own, secret, trusted] =
        ["signer.pem", "signer.key", "node.pem"].map(|name| apart.join(name));
    let words = ["--listen", &listen, "--tls-certificate", path(&own)];
    let words =
        [&words[..], &["--tls-key", path(&secret), "--tls-trusted", path(&trusted)]].concat();
    let mut signer = Signer::listening(&network, &key, &words);
    let text = fs::read_to_string(home.join("node.toml")).unwrap();
    let configured = |who: &str| {
        let file = |name: &str| apart.join(name).display().to_string();
        let tls = format!(
            "\n[signer_tls]\ncertificate = {:?}\nkey = {:?}\ntrusted = {:?}\n",
            file(&format!("{who}.pem")),
            file(&format!("{who}.key")),
            file("signer.pem")
        );
        fs::write(home.join("node.toml"), format!("signer = {listen:?}\n{text}{tls}")).unwrap();
    };
    let listens = || std::net::TcpStream::connect(("127.0.0.1", port)).ok();
    eventually("the signer listens", async || listens()).await;

    configured("stranger");
    let mut node = Node::start(&network, 2, "");
    assert_eq!(node.end().await, Some(4), "{}", node.log());
    assert!(node.log().contains("no signer answers"), "{}", node.log());
    configured("node");
    let node = Node::start(&network, 2, "");
    let height = network.node_status(1).await.height;
    network.votes_again(2, height).await;
    signer.signal(Signal::SIGKILL);
    eventually("it is missed", async || {
        node.log().contains("nothing is voted on until the signer answers").then_some(())
    })
    .await;
    drop(signer);
    signer = Signer::listening(&network, &key, &words);
    network.votes_again(2, network.node_status(1).await.height).await;
    all_is_well(&network, 2).await;
    drop(signer);
}

#[tokio::test(flavor = "multi_thread")]
async fn systemd_hears_that_it_is_ready_lives_and_stops() {
    let network = Network::up();
    network.testnet(&["kill", "v4"]);
    let socket = network.scratch().join("notify");
    let heard = UnixDatagram::bind(&socket).unwrap();
    heard.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let hear = || {
        let mut bytes = [0; 256];
        let length = heard.recv(&mut bytes).expect("systemd would have given it up");
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    };
    let notify = format!("NOTIFY_SOCKET={}", socket.display());
    let words = ["env", &notify, "WATCHDOG_USEC=400000", "MINLIAN_LOG_FORMAT=journald"];
    let mut node = Node::within(&network, 4, &words);
    assert!(hear().contains("READY=1"));
    for _ in 0..3 {
        assert!(hear().contains("WATCHDOG=1"));
    }
    // Nobody listens for longer than the socket keeps what is told: the node goes on, and can be stopped.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let height = network.node_status(1).await.height;
    network.votes_again(4, height).await;
    node.signal(Signal::SIGTERM);
    while !hear().contains("STOPPING=1") {}
    assert_eq!(node.end().await, Some(0));
    let log = node.log();
    assert!(log.lines().all(|line| line.starts_with('<')), "{log}");
    assert!(log.lines().any(|line| line.starts_with("<6>") && line.contains("block")), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_validator_after_the_other_is_stopped_and_started_and_nothing_is_lost() {
    let network = Network::up();
    let load = Load::start(&network, 2).await;
    let mut waited = Vec::new();
    for validator in [4, 3, 2] {
        let node = format!("v{validator}");
        network.signal(validator, Signal::SIGTERM);
        eventually("it has stopped", async || network.pid(validator).is_none().then_some(())).await;
        network.testnet(&["start", &node]);
        let height = network.node_status(1).await.height;
        let voted = network.votes_again(validator, height).await;
        waited.push(voted.0 - height.0);
        all_is_well(&network, validator).await;
    }
    let receipts = load.stop().await;
    assert!(!receipts.is_empty());
    for receipt in &receipts {
        let found = network.client(4).transaction(&receipt.tx).await.unwrap();
        assert_eq!(found.as_ref().map(|found| found.height), Some(receipt.height), "{receipt:?}");
    }
    say(&format!(
        "{} transactions over three restarts, voting again after {waited:?} blocks",
        receipts.len()
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_of_a_newer_format_is_refused_and_left_as_it_is() {
    let network = Network::up();
    network.agreed(&EVERYONE, Height(3)).await;
    network.testnet(&["kill", "v3"]);
    let home = home(&network, 3);
    // The journal's header: eight bytes of name, then the format.
    let journal = home.join("data/journal");
    let now = fs::read(&journal).unwrap();
    let mut newer = now.clone();
    newer[8] += 1;
    fs::write(&journal, &newer).unwrap();
    let before = contents(&home.join("data"));
    for command in [&["start", "--no-listen"][..], &["fsck"], &["data", "size"]] {
        let ran = minlian_node(&[command, &["--home", path(&home)]].concat());
        let said = ran.stdout + &ran.stderr;
        let told = format!("has format {}, this version knows format {}", newer[8], now[8]);
        assert!(said.contains(&told), "{command:?}: {said}");
        assert_eq!(ran.code, if command[0] == "data" { 0 } else { 5 }, "{said}");
        assert!(contents(&home.join("data")) == before, "{command:?}");
    }
    fs::write(&journal, &now).unwrap();
    // The record of signatures has a format of its own; so has a key.
    let record = home.join("keys/consensus.signed");
    let kept = fs::read(&record).unwrap();
    for at in [2, 1026] {
        flip(&record, at);
    }
    let ran = minlian_node(&["start", "--home", path(&home)]);
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    fs::write(&record, kept).unwrap();
    let key = home.join("keys/transport.json");
    let kept = fs::read_to_string(&key).unwrap();
    secret_file(key.clone(), &kept.replace("\"version\": 1", "\"version\": 9"));
    let ran = minlian_node(&["start", "--home", path(&home)]).expect(1);
    assert!(ran.stderr.contains("key file format 9; this version reads 1 and 2"), "{}", ran.stderr);
    secret_file(key, &kept);
    network.testnet(&["start", "v3"]);
    all_is_well(&network, 3).await;
}

/// A network's blocks as the first format wrote them, kept for ever: what was recorded then is read by every version since.
#[test]
fn blocks_of_the_first_format_are_read_and_executed_as_they_were() {
    let folder = tests::repository().join("tests/formats");
    let genesis = node::home::read_genesis(&folder.join("genesis-1.toml")).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let file = folder.join("ledger-1.snapshot");
    let label = node::snapshot::restore(&genesis, &file, &scratch.path().join("data"), |_, _| {});
    let label = label.unwrap();
    let expected = fs::read_to_string(folder.join("ledger-1.txt")).unwrap();
    assert_eq!(format!("{} {}\n", label.height, label.block), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn from_an_empty_directory_to_a_member_of_the_network() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    let pass = secret_file(folder.join("pass"), PASSPHRASE);
    let template = tests::repository().join("genesis/devnet.toml");
    let agencies =
        types::Genesis::template(&fs::read_to_string(&template).unwrap()).unwrap().agencies;
    let mut enrolments = Vec::new();
    for (agency, n) in agencies.iter().zip(1..=4) {
        let (home, code) = (folder.join(format!("v{n}")), agency.code.to_string());
        let listen = format!("127.0.0.1:{}", 1000 + n);
        let words = ["init", "--home", path(&home), "--agency", &code, "--listen", &listen];
        let sealed = [&words[..], &["--passphrase-file", path(&pass)]].concat();
        let made = minlian_node(&sealed).expect(0);
        minlian_node(&sealed).expect(1);
        assert_eq!(fs::metadata(&home).unwrap().permissions().mode() & 0o777, 0o700);
        let key = folder.join(format!("organisation-{n}.json"));
        let words =
            ["key", "new", "--purpose", "organisation", "--agency", &code, "--out", path(&key)];
        minlian_node(&[&words[..], &["--passphrase-file", path(&pass)]].concat()).expect(0);
        let label = minlian_node(&["key", "export", "--key", path(&key)]).expect(0).stdout;
        let label: Value = serde_json::from_str(&label).unwrap();
        assert_eq!(label["encrypted"], true);
        let mut enrolment: Value = serde_json::from_str(&made.stdout).unwrap();
        enrolment["organisation_keys"] = vec![label["public"].clone()].into();
        let file = folder.join(format!("{n}.enrol.json"));
        fs::write(&file, enrolment.to_string()).unwrap();
        enrolments.push(file);
    }
    let genesis = folder.join("genesis.toml");
    let mut words =
        vec!["genesis", "build", "--template", path(&template), "--out", path(&genesis)];
    words.extend(enrolments.iter().map(|file| path(file)));
    minlian_node(&words).expect(0);
    let shown = minlian_node(&["genesis", "show", "--json", path(&genesis)]).expect(0).stdout;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let chain = shown["chain"].as_str().unwrap().to_owned();
    let seats = node::home::read_genesis(&genesis).unwrap().validators;
    let peers: Vec<String> = (1..=4)
        .zip(&seats)
        .map(|(n, seat)| format!("{}@127.0.0.1:{}", seat.transport_key, 1000 + n))
        .collect();
    let home = folder.join("v1");
    let join = |chain: &str| {
        let mut words =
            vec!["join", "--home", path(&home), "--genesis", path(&genesis), "--chain", chain];
        peers[1..].iter().for_each(|peer| words.extend(["--peer", peer.as_str()]));
        minlian_node(&words)
    };
    let mut told = chain.clone();
    told.replace_range(0..1, if chain.starts_with('0') { "1" } else { "0" });
    assert!(join(&told).expect(5).stderr.contains("ask again"));
    assert!(!home.join("genesis.toml").exists());
    join(&chain).expect(0);
    join(&chain).expect(0);
    let check = ["config", "check", "--home", path(&home), "--passphrase-file", path(&pass)];
    minlian_node(&check).expect(0);
    let config = fs::read_to_string(home.join("node.toml")).unwrap();
    assert_eq!(config.matches("[[peers]]").count(), 3, "{config}");

    // Without a ledger nothing is called sound, and none is made by looking.
    let fsck = ["fsck", "--home", path(&home)];
    assert!(minlian_node(&fsck).expect(3).stderr.contains("there is no ledger in"));
    let found = minlian_node(&[&fsck[..], &["--json"]].concat()).expect(3).stdout;
    let found: Value = serde_json::from_str(&found).unwrap();
    assert!(found["sound"].is_null() && !home.join("data/ledger").exists(), "{found}");
    // A record that is damaged throughout is put aside when its operator says what holds.
    let consensus = home.join("keys/consensus.json");
    let state = ["key", "sign-state", "--key", path(&consensus), "--passphrase-file", path(&pass)];
    fs::write(consensus.with_extension("signed"), "nothing").unwrap();
    let said = minlian_node(&[&state[..], &["--voted-until", "7"]].concat()).expect(0);
    assert!(said.stdout.trim().ends_with(" 7"), "{said:?}");
    let aside = consensus.with_extension("signed.damaged-1");
    assert!(said.stderr.contains(path(&aside)), "{said:?}");
    assert_eq!(fs::read_to_string(aside).unwrap(), "nothing");
    // An address that is not there yet may be there at the next start.
    let away = config.replace("127.0.0.1:1001", "192.0.2.1:1001");
    assert_ne!(config, away);
    fs::write(home.join("node.toml"), away).unwrap();
    let start = ["start", "--home", path(&home), "--passphrase-file", path(&pass)];
    let refused = minlian_node(&start).expect(4);
    assert!(refused.stderr.contains("cannot listen for other validators on 192.0.2.1:1001"));
    fs::write(home.join("node.toml"), config).unwrap();

    // The successor of a key opens on this chain only, and says what the chain must be told.
    let (old, new) = (folder.join("organisation-1.json"), folder.join("next.json"));
    let words =
        ["key", "rotate", "--key", path(&old), "--genesis", path(&genesis), "--out", path(&new)];
    let said = minlian_node(&[&words[..], &["--passphrase-file", path(&pass)]].concat()).expect(0);
    let said: Value = serde_json::from_str(&said.stdout).unwrap();
    let label = |file: &Path| -> Value {
        let ran = minlian_node(&["key", "export", "--key", path(file)]).expect(0);
        serde_json::from_str(&ran.stdout).unwrap()
    };
    assert_eq!(said["retire"], label(&old)["public"]);
    assert_eq!(said["enrol"]["key"], label(&new)["public"]);
    assert_eq!(label(&new)["chain"], chain);
    let copy = folder.join("copy.json");
    let other = secret_file(folder.join("other"), "another long passphrase");
    let words = ["key", "export", "--key", path(&new), "--out", path(&copy)];
    let more = ["--new-passphrase-file", path(&other), "--passphrase-file", path(&pass)];
    minlian_node(&[&words[..], &more].concat()).expect(0);
    let twin = folder.join("twin.json");
    let words = ["key", "export", "--key", path(&consensus), "--out", path(&twin)];
    assert!(minlian_node(&[&words[..], &more].concat()).expect(5).stderr.contains("is not copied"));
}
