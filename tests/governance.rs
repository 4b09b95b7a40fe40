//! A chain that governs itself, with real validators: a fifth joins, the first leaves, an agency is enrolled and records.

#![cfg(test)]

use serde_json::{Value, json};
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::Duration,
};
use tests::{Desk, Network, exports, program, program::Ran, say};
use types::{AgencyCode, Height, PublicKey, codec};

/// The agency of the fourth validator, which operates the fifth as well.
const FOURTH: &str = "11350000MXDEX004X2";
/// An agency that genesis does not know.
const NEW: &str = "11350100MXDE09992C";

fn path(path: &Path) -> &str {
    path.to_str().expect("temporary directories have plain names")
}

/// A process that ends with the test.
struct Fifth(Child);

impl Drop for Fifth {
    fn drop(&mut self) {
        self.0.kill().unwrap_or(());
        self.0.wait().map(drop).unwrap_or(());
    }
}

/// What governs: a desk, and two who agree.
struct Hall<'a>(Desk<'a>);

impl Hall<'_> {
    fn say(&self, key: &str, operation: &Value) -> (i32, Value) {
        self.0.say(key, operation)
    }

    /// Proposed by the first agency and approved by the second, which is enough of three. Gives the height of the approval.
    fn change(&self, change: &Value, target: &Value) -> Height {
        let at = "2026-06-01T08:00:00+08:00";
        let (code, row) =
            self.say("v1", &json!({ "op": "govern.propose", "at": at, "change": change }));
        assert_eq!(code, 0, "{row}");
        let proposal = row["record"].as_str().unwrap().to_owned();
        let approve =
            json!({ "op": "govern.approve", "at": at, "proposal": proposal, "target": target });
        // Who does not govern does not approve.
        let (code, row) = self.say("v4", &approve);
        assert_ne!(code, 0);
        assert!(row.to_string().contains("E-AUTH-ROLE"), "{row}");
        let (code, row) = self.say("v3", &approve);
        assert_eq!(code, 0, "{row}");
        Height(row["height"].as_u64().unwrap())
    }
}

fn key(file: &Path, purpose: &str, agency: &str, genesis: &Path) -> Value {
    program::minlian_node(&[
        "key",
        "new",
        "--purpose",
        purpose,
        "--agency",
        agency,
        "--out",
        path(file),
        "--unencrypted",
    ])
    .expect(0);
    let word = program::minlian_node(&[
        "key",
        "possess",
        "--key",
        path(file),
        "--purpose",
        purpose,
        "--agency",
        agency,
        "--genesis",
        path(genesis),
    ])
    .expect(0);
    serde_json::from_str(&word.stdout).unwrap()
}

/// The directory of a fifth validator: like the first's, with keys and ports of its own, and the other four as neighbours.
fn fifth(net: &Network) -> (PathBuf, Value, Value) {
    let home = net.scratch().join("v5");
    fs::create_dir_all(home.join("keys")).unwrap();
    let keys = ["consensus", "transport"].map(|purpose| {
        let file = home.join(format!("keys/{purpose}.json"));
        key(&file, purpose, FOURTH, &net.genesis())
    });
    let record = home.join("keys/consensus.json");
    if !home.join("keys/consensus.signed").exists() {
        program::minlian_node(&["key", "sign-state", "--key", path(&record), "--never-voted"])
            .expect(0);
    }
    let text = fs::read_to_string(net.network_home().join("v1/node.toml")).unwrap();
    let mut config: toml::Table = text.parse().unwrap();
    let own = net.listens(1);
    let port = |number: u16| SocketAddr::new(own.ip(), own.port() + number).to_string();
    config.insert("genesis".into(), path(&net.genesis()).into());
    config.insert("data".into(), path(&home.join("data")).into());
    for purpose in ["consensus", "transport"] {
        let file = home.join(format!("keys/{purpose}.json"));
        config.insert(format!("{purpose}_key"), path(&file).into());
    }
    config.insert("api".into(), net.url(5).trim_start_matches("http://").into());
    config.insert("listen".into(), vec![port(4)].into());
    // The first's own key is in the second's list.
    let text = fs::read_to_string(net.network_home().join("v2/node.toml")).unwrap();
    let second: toml::Table = text.parse().unwrap();
    let address = |peer: &toml::Value| peer["addresses"].to_string().contains(&own.to_string());
    let first = second["peers"].as_array().unwrap().iter().find(|peer| address(peer)).unwrap();
    config["peers"].as_array_mut().unwrap().push(first.clone());
    fs::write(home.join("node.toml"), config.to_string()).unwrap();
    let [consensus, transport] = keys;
    (home, consensus, transport)
}

async fn within(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let began = tokio::time::Instant::now();
    while !done().await {
        assert!(began.elapsed() < Duration::from_secs(90), "{what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fifth_validator_joins_the_first_leaves_and_a_new_agency_records() {
    let net = Network::up();
    let hall = Hall(Desk::new(&net));
    let network = json!("network");
    let (home, consensus, transport) = fifth(&net);
    let own: PublicKey = serde_json::from_value(consensus["key"].clone()).unwrap();

    // Before it is enrolled nobody speaks with it.
    let log = fs::File::create(net.scratch().join("v5.log")).unwrap();
    let mut five = Fifth(
        program::command("minlian-node")
            .args(["start", "--home", path(&home)])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap(),
    );
    let seat = json!({ "agency": FOURTH, "consensus_key": consensus, "transport_key": transport });
    let change = json!({ "committee": { "join": [seat], "leave": [] } });
    let approved = hall.change(&change, &network);
    let from = Height(approved.0 + 20);
    within("the committee of five decides", async || {
        net.node_status(2).await.height >= Height(from.0 + 5)
    })
    .await;
    let told = || fs::read_to_string(net.scratch().join("v5.log")).unwrap();
    for validator in [1, 2, 3, 4] {
        let status = net.node_status(validator).await;
        assert_eq!((status.validators.len(), status.quorum), (5, 4), "v{validator}");
        assert!(status.validators.iter().all(|v| v.reachable), "v{validator}\n{}", told());
    }
    assert!(five.0.try_wait().unwrap().is_none(), "{}", told());
    within("the fifth votes", async || {
        let height = net.node_status(5).await.height;
        let block = net.client(5).block(height).await.unwrap().unwrap();
        block.certificate.signatures.iter().any(|(seat, _)| *seat == 4)
    })
    .await;
    assert!(told().contains("seat"), "{own} has a seat:\n{}", told());

    // The first leaves: from that height it is spoken to no more.
    let first: Value = {
        let file = net.network_home().join("v1/keys/consensus.json");
        let file = if file.exists() { file } else { net.network_home().join("v1/consensus.json") };
        serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
    };
    let change = json!({ "committee": { "join": [], "leave": [first["public"]] } });
    let approved = hall.change(&change, &network);
    let from = Height(approved.0 + 20);
    within("the committee without the first decides", async || {
        net.node_status(2).await.height >= Height(from.0 + 5)
    })
    .await;
    for validator in [2, 3, 4, 5] {
        let status = net.node_status(validator).await;
        assert_eq!((status.validators.len(), status.quorum), (4, 3), "v{validator}");
        assert!(status.validators.iter().all(|v| v.reachable), "v{validator}: {status:?}");
    }
    // It has the block before, with which its seat ended, and nobody gives it another, or speaks with it.
    let (left_at, mut refused) = (net.node_status(1).await.height, 0);
    assert!(left_at < from.next(), "the first is at {left_at}, and had its seat until {from}");
    for validator in [2, 3, 4, 5] {
        refused += net.counted(validator, "minlian_peers_refused").await;
    }
    within("the others go on without the first, and turn it away", async || {
        let mut now = 0;
        for validator in [2, 3, 4, 5] {
            now += net.counted(validator, "minlian_peers_refused").await;
        }
        now > refused && net.node_status(2).await.height >= Height(from.0 + 15)
    })
    .await;
    assert_eq!(net.node_status(1).await.height, left_at, "the first is left alone");

    // An agency that genesis does not know is enrolled, granted a role, and records.
    let organisation = key(&net.key("new"), "organisation", NEW, &net.genesis());
    let enrolment = json!({
        "code": NEW, "name": "市农业农村部门(示例)", "region": "350100", "level": "city",
        "parent": null, "keys": [organisation],
    });
    let target = json!({ "agency": NEW });
    hall.change(&json!({ "enrol": enrolment }), &target);
    let role = json!({ "item": { "regions": ["350100"] } });
    let grant = json!({ "grant": { "agency": NEW, "role": role, "until": null } });
    let granted = hall.change(&grant, &target);
    net.agreed(&[3], granted).await;
    let ran = Ran::of(
        &program::command("minlian")
            .args(["status", &format!("agency:{NEW}"), "--node", &net.url(3)])
            .output()
            .unwrap(),
    );
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains(NEW), "{}", ran.stdout);

    // What it records is proven from the first genesis: who it is, the ledger itself shows.
    let next = key(&net.key("next"), "organisation", NEW, &net.genesis());
    let rotate = json!({
        "op": "govern.rotate", "at": "2026-06-01T08:00:00+08:00",
        "retire": organisation["key"], "enrol": next,
    });
    let (code, row) = hall.say("new", &rotate);
    assert_eq!(code, 0, "{row}");
    // Whom we ask next may be a moment behind whom we submitted to.
    net.agreed(&[3], Height(row["height"].as_u64().unwrap())).await;
    let proof = net.scratch().join("new.proof");
    let ran = program::minlian(&[
        "prove",
        "--record",
        row["record"].as_str().unwrap(),
        "--node",
        &net.url(3),
        "--out",
        path(&proof),
    ]);
    ran.expect(0);
    let ran =
        program::minlian(&["verify", path(&proof), "--trust-root", path(&net.genesis())]).expect(0);
    assert!(ran.stdout.contains("as the ledger's own state says"), "{}", ran.stdout);

    // In the formats of others it is signed by those who sit now, of whom the proof and genesis do not know all.
    let mut keys = exports::transport_keys(&fs::read_to_string(net.genesis()).unwrap());
    let nodes: Vec<String> = [2, 3, 4, 5].map(|n| net.url(n)).into();
    let first = keys.remove(0);
    for format in ["tlog-proof", "cose"] {
        let out = net.scratch().join(format!("new.{format}"));
        let export = |nodes: &[String]| {
            let mut words = vec!["export", path(&proof), "--to", format, "--out", path(&out)];
            let genesis = net.genesis();
            words.extend(["--trust-root", path(&genesis), "--json"]);
            words.extend(nodes.iter().flat_map(|node| ["--node", node.as_str()]));
            program::minlian(&words)
        };
        // What the first says is worth nothing any more, so of three that are asked two count.
        let few = export(&[net.url(1), net.url(2), net.url(3)]).expect(4);
        assert!(few.stderr.contains("3 are needed"), "{}", few.stderr);
        let row: Value = serde_json::from_str(&export(&nodes).expect(0).stdout).unwrap();
        let leaf = codec::unhex(row["leaf"].as_str().unwrap()).unwrap();
        let signers: Vec<_> = row["keys"]
            .as_array()
            .unwrap()
            .iter()
            .map(|key| exports::key(key.as_str().unwrap()))
            .collect();
        assert_eq!((signers.len(), signers.contains(&first)), (4, false), "{row}");
        let fifth = exports::key(transport["key"].as_str().unwrap());
        let now: Vec<_> = keys.iter().copied().chain([fifth]).collect();
        let bytes = fs::read(&out).unwrap();
        let seen = exports::check(format, &bytes, &leaf, &now, 4);
        say(&format!("{format} after the change, as others read it: {seen:?}"));
        let before: Vec<_> = keys.iter().copied().chain([first]).collect();
        assert!(exports::read(format, &bytes, &leaf, &before).is_err(), "the fifth is no stranger");
    }

    // What is on the disk of one that lived through it all is sound, and it comes back with the committee it left.
    net.testnet(&["kill", "v2"]);
    let home = net.network_home().join("v2");
    // On a busy machine a process that was killed may hold its directory for a moment longer.
    within("its directory is free", async || {
        program::minlian_node(&["fsck", "--home", path(&home)]).code != 5
    })
    .await;
    program::minlian_node(&["fsck", "--home", path(&home)]).expect(0);
    net.testnet(&["start", "v2"]);
    let above = net.node_status(3).await.height;
    within("the second votes again", async || {
        let height = net.node_status(3).await.height;
        let block = net.client(3).block(height).await.unwrap().unwrap();
        // It sits first now.
        height > above && block.certificate.signatures.iter().any(|(seat, _)| *seat == 0)
    })
    .await;
    let height = net.node_status(3).await.height;
    say(&format!("{height} blocks, committees of 4, 5 and 4"));
    assert!(AgencyCode::new(NEW).is_ok());
}

/// `minlian` as an agency of the network runs it, without questions; its answer as JSON.
fn minlian(net: &Network, key: &str, words: &[&str]) -> (i32, Value) {
    let ran = Ran::of(
        &program::command("minlian")
            .args(words)
            .args(["--node", &net.url(2), "--key", path(&net.key(key)), "--yes", "--json"])
            .stdin(Stdio::null())
            .output()
            .unwrap(),
    );
    let row = ran.stdout.lines().last().and_then(|line| serde_json::from_str(line).ok());
    (ran.code, row.unwrap_or_else(|| panic!("{words:?}: {}{}", ran.stdout, ran.stderr)))
}

/// An answer about items, as JSON, with more words such as where the proof is kept.
fn asked(words: &[&str], more: &[&str]) -> (i32, Value) {
    let ran = Ran::of(
        &program::command("minlian")
            .args(["item"])
            .args(words)
            .args(more)
            .arg("--json")
            .output()
            .unwrap(),
    );
    let row = ran.stdout.lines().last().and_then(|line| serde_json::from_str(line).ok());
    (ran.code, row.unwrap_or(Value::String(ran.stderr)))
}

const FIRST: &str = "11350000MXDEX0015L";

fn item(code: &str, days: &str) -> Value {
    json!({
        "op": "item.publish", "effective": "2026-06-01T00:00:00+08:00",
        "item": { "实施编码": code, "事项版本": 1, "事项名称": "水域滩涂养殖证核发(示例)", "承诺办结时限": days },
    })
}

/// On real validators: a delegation lets an agency do less than the one above, a grant is refused for its reasons, and what
/// became of the catalogue is proven from files.
#[test]
fn a_delegation_narrows_a_grant_is_refused_and_the_catalogue_is_proven() {
    let net = Network::up();
    let refused = |key: &str, words: &[&str], want: &str| {
        let (exit, row) = minlian(&net, key, words);
        assert_eq!((exit, row["code"].as_str()), (1, Some(want)), "{words:?}: {row}");
    };
    // The province publishes; the uniform elements are laid down by two of three that govern.
    let hall = Hall(Desk::new(&net));
    let province = format!("{FIRST}2350117002011");
    let (exit, row) = hall.say("v1", &item(&province, "15"));
    assert_eq!(exit, 0, "{row}");
    let elements = ["govern", "propose", "elements", "事项名称", "承诺办结时限"];
    refused("v4", &elements, "E-AUTH-ROLE");
    let (exit, row) = minlian(&net, "v1", &elements);
    assert_eq!((exit, row["status"].as_str()), (0, Some("active")), "{row}");
    let proposal = row["proposal"].as_str().unwrap().to_owned();
    refused("v1", &["govern", "approve", &proposal], "E-GOV-TWICE");
    refused("v2", &["govern", "withdraw", &proposal], "E-GOV-PROPOSER");
    let (exit, row) = minlian(&net, "v2", &["govern", "approve", &proposal]);
    assert_eq!(
        (exit, row["status"].as_str(), row["approvals"].as_u64()),
        (0, Some("enacted"), Some(2)),
        "{row}"
    );

    // Grants, and what is none.
    let grant = |role: &'static str, more: &[&'static str]| -> Vec<&'static str> {
        [&["govern", "propose", "grant", FOURTH, "--role", role], more].concat()
    };
    let past = ["--until", "2020-01-01T00:00:00Z"];
    refused("v1", &grant("item:350100", &past), "E-GOV-EXPIRY");
    refused("v1", &grant("govern", &["--until", "2099-01-01T00:00:00Z"]), "E-GOV-ENDLESS");
    refused("v4", &grant("item:350100", &[]), "E-AUTH-ROLE");
    refused("v1", &["govern", "propose", "revoke", FOURTH, "77"], "E-GOV-GRANT");

    // The fourth may enter nothing until the first, directly above it, lets it; and then only in that city.
    let (city, other) = (format!("{FOURTH}3350117002011"), format!("{NEW}3350117002011"));
    let inside = item(&other, "10");
    let (exit, row) = hall.say("v4", &inside);
    assert!(exit == 1 && row.to_string().contains("E-AUTH-ROLE"), "{row}");
    refused("v1", &["govern", "delegate", FOURTH, "--role", "item:360000"], "E-GOV-WIDER");
    refused("v1", &["govern", "delegate", FOURTH, "--role", "licence:1@350100"], "E-GOV-WIDER");
    refused("v2", &["govern", "delegate", FOURTH, "--role", "trace:urn:"], "E-GOV-LINE");
    let (exit, row) = minlian(&net, "v1", &["govern", "delegate", FOURTH, "--role", "item:350100"]);
    assert_eq!(exit, 0, "{row}");
    let (exit, row) = hall.say("v4", &inside);
    assert_eq!(exit, 0, "{row}");
    let (exit, row) = hall.say("v4", &item(&city, "10"));
    assert!(
        exit == 1 && row.to_string().contains("E-AUTH-ROLE"),
        "the fourth sits in 350000: {row}"
    );
    let (_, row) = minlian(&net, "v1", &["govern", "show", FOURTH]);
    let number =
        row["state"]["facts"]["agency"]["grants"].as_array().unwrap().last().unwrap()["number"]
            .to_string();
    let (exit, row) = minlian(&net, "v1", &["govern", "undelegate", FOURTH, &number]);
    assert_eq!(exit, 0, "{row}");
    let cancel = json!({ "op": "item.cancel", "effective": "2026-07-01", "实施编码": other });
    let (exit, row) = hall.say("v4", &cancel);
    assert!(exit == 1 && row.to_string().contains("E-AUTH-ROLE"), "{row}");
    let list = json!({ "op": "list.publish", "effective": "2026-06-01",
        "list": { "清单名称": "高频", "行政区划代码": "350000", "清单版本": 1, "事项": [&province, &other] } });
    let (exit, row) = hall.say("v1", &list);
    assert_eq!(exit, 0, "{row}");

    // What differs is proven, from the node and from the file alone.
    let (genesis, url) = (net.genesis(), net.url(3));
    let online = ["--node", &url, "--trust-root", path(&genesis)];
    let file = net.scratch().join("drift.proof");
    let (exit, row) =
        asked(&["drift", "350117002011"], &[&online[..], &["--out", path(&file)]].concat());
    assert_eq!(
        (exit, row["proven"].as_bool(), row["compared"].as_u64()),
        (1, Some(true), Some(2)),
        "{row}"
    );
    let differing = json!([{ "element": "承诺办结时限", "differ": [other], "lack": [] }]);
    assert_eq!(row["differing"], differing, "{row}");
    let offline = ["--proof", path(&file), "--trust-root", path(&genesis)];
    assert_eq!(asked(&["drift", "350117002011"], &offline), (exit, row));
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let forged = net.scratch().join("forged.proof");
    fs::write(&forged, bytes).unwrap();
    let (exit, _) = asked(
        &["drift", "350117002011"],
        &["--proof", path(&forged), "--trust-root", path(&genesis)],
    );
    assert_eq!(exit, 1, "a proof that was changed proves nothing");

    for (code, day, exit, standing) in [
        (province.as_str(), "2026-06-01", 0, "in_force"),
        (&province, "2026-05-31", 1, "not_yet"),
        (&other, "20270101", 0, "in_force"),
    ] {
        let (found, row) = asked(&["in-force", code, "--on", day], &online);
        assert_eq!((found, row["stood"][0]["standing"].as_str()), (exit, Some(standing)), "{row}");
        assert_eq!(
            (row["proven"].as_bool(), row["latest_version"].as_u64()),
            (Some(true), Some(1)),
            "{row}"
        );
    }
    let (exit, row) = asked(&["in-force", &city, "--on", "2026-06-01"], &online);
    assert_eq!(
        (exit, row["absent"].as_bool(), row["proven"].as_bool()),
        (1, Some(true), Some(true)),
        "{row}"
    );
    for (code, exit) in [(&province, 0), (&city, 1)] {
        let (found, row) = asked(&["list", "高频", "--contains", code], &online);
        assert_eq!(
            (found, row["contains"].as_bool(), row["proven"].as_bool()),
            (exit, Some(exit == 0), Some(true)),
            "{row}"
        );
    }
}
