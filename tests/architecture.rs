//! The shape of the workspace is the one that was drawn: its arrows, who names which tool, and what lies at the top.

#![cfg(test)]

use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tests::repository;

/// A crate, the crates of ours it may name, and the tools it may name from outside.
type Row = (&'static str, &'static [&'static str], &'static [&'static str]);

const NODE: &[&str] =
    &["types", "proof", "records", "ledger", "consensus", "network", "store", "replica", "client"];
const ALL: &[&str] = &[
    "types",
    "proof",
    "records",
    "verdict",
    "page",
    "ledger",
    "consensus",
    "network",
    "store",
    "replica",
    "client",
    "sim",
    "node",
];

#[rustfmt::skip]
const TABLE: &[Row] = &[
    ("types", &[], &["bincode", "blake3", "curve25519-dalek", "ed25519-dalek", "jiff", "serde", "sha2", "thiserror", "toml", "zeroize"]),
    ("proof", &["types"], &["serde", "thiserror"]),
    ("records", &["types"], &["jiff", "serde", "serde_json", "serde_path_to_error", "sha2", "thiserror"]),
    ("verdict", &["types", "proof", "records"], &["serde_json", "unicode-width"]),
    ("page", &["types", "proof", "records", "verdict"], &["serde_json"]),
    ("ledger", &["types", "proof"], &["serde", "thiserror"]),
    ("consensus", &["types"], &["arc-malachitebft-core-consensus", "arc-malachitebft-core-types", "serde", "thiserror"]),
    ("network", &["types"], &["futures", "libp2p", "thiserror", "tokio", "tracing"]),
    ("store", &["types", "ledger"], &["crc32c", "hashlink", "rocksdb", "thiserror"]),
    ("replica", &["types", "proof", "ledger", "consensus"], &["serde", "thiserror", "tracing"]),
    ("sim", &["types", "proof", "ledger", "consensus", "replica"], &["rand_chacha"]),
    ("client", &["types", "proof", "records", "verdict"], &[
        "anyhow", "argon2", "chacha20poly1305", "clap", "clap_complete", "clap_mangen", "comfy-table", "console", "fast_qr",
        "getrandom", "indicatif", "jiff", "reqwest", "rustls", "rustls-platform-verifier", "serde", "serde_json", "thiserror",
        "tokio", "tracing", "tracing-subscriber", "unicode-width", "utoipa",
        "zeroize",
    ]),
    ("node", NODE, &[
        "anyhow", "axum", "axum-server", "clap", "clap_complete", "clap_mangen", "comfy-table", "config", "futures",
        "getrandom", "hyper-util", "jiff", "mimalloc", "nix", "prometheus-client", "reqwest", "rustls", "sd-notify", "serde",
        "serde_json", "sha2", "subtle", "tar", "thiserror", "tokio", "toml", "tower-http", "tracing", "tracing-subscriber",
        "utoipa", "utoipa-axum", "zeroize",
    ]),
    ("tests", ALL, &[
        "anyhow", "axum", "clap", "coset", "ed25519-dalek", "mimalloc", "nix", "rcgen", "reqwest", "rustls", "serde_json", "signed_note", "tempfile",
        "tlog_tiles", "tokio", "tokio-rustls", "toml", "wasmi",
    ]),
];

/// Tools that are confined, and where.
#[rustfmt::skip]
const CONFINED: &[(&str, &[&str])] = &[
    ("libp2p", &["network"]),
    ("rocksdb", &["store"]),
    ("bincode", &["types"]),
    ("arc-malachitebft-", &["consensus"]),
    ("axum", &["node", "tests"]),
    ("clap", &["node", "client", "tests"]),
    ("coset", &["tests"]),
    ("signed_note", &["tests"]),
    ("tlog_tiles", &["tests"]),
    ("tokio", &["network", "node", "client", "tests"]),
];

struct Package {
    name: String,
    folder: PathBuf,
    description: String,
    /// The normal and build dependencies, ours and others.
    ours: BTreeSet<String>,
    tools: BTreeSet<String>,
}

fn packages() -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(repository())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let packages = metadata["packages"].as_array().unwrap().iter().map(|package| {
        let (ours, tools): (Vec<_>, Vec<_>) = package["dependencies"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|dependency| dependency["kind"] != "dev")
            .partition(|dependency| dependency["path"].is_string());
        let names = |list: Vec<&Value>| list.iter().map(|one| text(&one["name"])).collect();
        let manifest = PathBuf::from(text(&package["manifest_path"]));
        Package {
            name: text(&package["name"]),
            folder: manifest.parent().unwrap().to_owned(),
            description: text(&package["description"]),
            ours: names(ours),
            tools: names(tools),
        }
    });
    packages.collect()
}

fn all<'a>(names: &[&'a str]) -> BTreeSet<&'a str> {
    names.iter().copied().collect()
}

#[test]
fn every_arrow_is_one_that_was_drawn() {
    let packages = packages();
    let found: BTreeSet<_> = packages.iter().map(|package| package.name.as_str()).collect();
    assert_eq!(found, TABLE.iter().map(|(name, ..)| *name).collect(), "crates of the workspace");
    for Package { name, ours, .. } in &packages {
        let (_, may, _) = TABLE.iter().find(|(row, ..)| row == name).unwrap();
        for named in ours {
            assert!(may.contains(&named.as_str()), "{name} → {named} is not drawn");
        }
    }
}

#[test]
fn the_arrows_that_were_drawn_lead_nowhere_in_a_circle() {
    let mut left: BTreeMap<_, _> = TABLE.iter().map(|(name, may, _)| (*name, all(may))).collect();
    while !left.is_empty() {
        let free: Vec<_> =
            left.iter().filter(|(_, may)| may.is_empty()).map(|(name, _)| *name).collect();
        assert!(!free.is_empty(), "in a circle: {left:?}");
        for name in free {
            left.remove(name);
            left.values_mut().for_each(|may| may.retain(|named| *named != name));
        }
    }
}

#[test]
fn every_tool_is_named_by_those_who_may_only() {
    for Package { name, tools, .. } in packages() {
        let (.., may) = TABLE.iter().find(|(row, ..)| *row == name).unwrap();
        for tool in &tools {
            assert!(may.contains(&tool.as_str()), "{name} names {tool}");
            for (prefix, owners) in CONFINED.iter().filter(|(prefix, _)| tool.starts_with(prefix)) {
                assert!(
                    owners.contains(&name.as_str()),
                    "{name} names {tool}: {prefix} is confined to {owners:?}"
                );
            }
        }
    }
}

/// Every Rust file under a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Whether a file is compiled into tests only, as the `lib.rs` beside it says.
fn is_unit_test(path: &Path) -> bool {
    let is_named = |library: &Path, name: &str| {
        let text = fs::read_to_string(library).unwrap_or_default();
        text.contains(&format!("#[cfg(test)]\nmod {name};\n"))
    };
    // A file of its own, or one of a folder of them, which only the library's tests name.
    let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let folder = path.parent().filter(|folder| folder.ends_with("tests"));
    is_named(&path.with_file_name("lib.rs"), name)
        || folder.is_some_and(|folder| is_named(&folder.with_file_name("lib.rs"), "tests"))
}

/// Lines of code that contain one of the words, comments and unit tests aside, as `file:line: text`.
fn lines_with(crates: &[&str], words: &[&str], except: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for name in crates {
        for path in sources(&repository().join("crates").join(name).join("src")) {
            if except.iter().any(|tail| path.ends_with(tail)) || is_unit_test(&path) {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let shipped = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            for (number, line) in (1..).zip(shipped.lines()) {
                let code = line.split("//").next().unwrap_or_default();
                if words.iter().any(|word| code.contains(word)) {
                    found.push(format!("{}:{number}: {}", path.display(), line.trim()));
                }
            }
        }
    }
    found
}

#[test]
fn below_the_shell_nobody_reads_a_clock_a_file_or_a_socket_or_starts_a_thread() {
    let pure = ["types", "proof", "records", "ledger", "consensus", "replica"];
    let words = [
        "Instant::now",
        "SystemTime",
        "std::fs",
        "std::net",
        "std::thread",
        "std::process",
        "std::env",
        "HashMap",
        "HashSet",
        "getrandom",
        "f32",
        "f64",
    ];
    let found = lines_with(&pure, &words, &[]);
    // Documents come with numbers in them, and CBV hashes print them as doubles do.
    let found: Vec<_> = found
        .into_iter()
        .filter(|line| !(line.contains("/crates/records/") && line.contains("f64")))
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn one_file_names_bincode_and_two_the_signatures() {
    let found = lines_with(&["types"], &["bincode::"], &["codec.rs"]);
    assert!(found.is_empty(), "{}", found.join("\n"));
    let found = lines_with(&["types"], &["ed25519_dalek"], &["familiar.rs", "key.rs"]);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_crate_says_the_same_of_itself_in_its_manifest_and_its_first_line() {
    for Package { name, folder, description, .. } in packages() {
        let text = fs::read_to_string(folder.join("src/lib.rs")).unwrap();
        let first = text.lines().next().unwrap_or_default();
        assert_eq!(first, format!("//! {description}"), "{name}");
    }
}

#[test]
fn every_file_opens_with_one_sentence() {
    for Package { folder, .. } in packages() {
        for path in sources(&folder) {
            let text = fs::read_to_string(&path).unwrap();
            let first = text.lines().next().unwrap_or_default();
            let opens = first.starts_with("//! ");
            let (ends, paragraph) = {
                let lines: Vec<_> = text.lines().take_while(|line| line.len() > 3).collect();
                (lines.last().is_some_and(|line| line.ends_with('.')), lines.len())
            };
            assert!(opens && ends && paragraph <= 3, "{}: {first}", path.display());
        }
    }
}

#[test]
fn the_top_of_the_repository_is_what_it_is() {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
        .current_dir(repository())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let visible: BTreeSet<_> = text
        .split('\0')
        .filter_map(|path| path.split('/').next())
        .filter(|name| !name.is_empty() && !name.starts_with('.'))
        .collect();
    let wanted = [
        "CHANGELOG.md",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "README.md",
        "crates",
        "genesis",
        "node",
        "scripts",
        "tests",
    ];
    assert_eq!(visible, wanted.into());
}
