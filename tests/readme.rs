//! What README.md tells people to type exists, and what units and containers run does, too.

#![cfg(test)]

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};
use tests::{program, repository, say};

/// The lines after `$ ` in the console blocks of a document, continued ones in one piece.
fn commands(text: &str) -> Vec<String> {
    let (mut inside, mut found) = (false, Vec::<String>::new());
    for line in text.lines() {
        if line.starts_with("```") {
            inside = line.trim_end() == "```console";
        } else if inside {
            let goes_on = found.last().is_some_and(|last| last.ends_with('\\'));
            if let Some(command) = line.strip_prefix("$ ") {
                found.push(command.trim_end().to_owned());
            } else if let Some(last) = found.last_mut().filter(|_| goes_on) {
                last.pop();
                last.push_str(line.trim());
            }
        }
    }
    found
}

/// The words of a command up to the first flag, file or placeholder: what has to be a subcommand.
fn subcommands<'a>(words: &[&'a str]) -> Vec<&'a str> {
    words
        .iter()
        .take_while(|word| {
            word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-')
        })
        .copied()
        .collect()
}

/// What is wrong with a command, if something is.
fn fault(command: &str) -> Option<String> {
    // Variables before a command, and comments after it, are the reader's business.
    let command = command.split(" # ").next().unwrap_or_default();
    let mut words = command.split_whitespace().skip_while(|word| word.contains('=')).peekable();
    let first = words.next()?;
    let rest: Vec<_> =
        words.take_while(|word| !["|", "&&", ";", ">", "<"].contains(word)).collect();
    match first {
        "minlian" | "minlian-node" => help(first, &rest),
        "cargo" | "git" | "cd" | "curl" | "echo" | "cp" | "sed" | "unshare" | "sudo" | "ls" => None,
        script => {
            let path = repository().join(script);
            match fs::metadata(&path) {
                Ok(found) if found.is_file() && found.permissions().mode() & 0o111 != 0 => None,
                Ok(_) => Some(format!("{script} is not a program")),
                Err(why) => Some(format!("{script}: {why}")),
            }
        }
    }
}

/// Asks the command itself whether it has such a subcommand and such flags.
fn help(name: &str, rest: &[&str]) -> Option<String> {
    let run = |words: &[&str]| match name {
        "minlian" => program::minlian(words),
        _ => program::minlian_node(words),
    };
    let mut path = subcommands(rest);
    // The last of the words may be an argument, such as v3 or a file without an extension.
    let shown = loop {
        let answer = run(&[&path[..], &["--help"]].concat());
        if answer.code == 0 || path.len() <= 1 {
            break answer;
        }
        path.pop();
    };
    if shown.code != 0 {
        return Some(format!("{name} {}: {}", path.join(" "), shown.stderr));
    }
    let flags = rest.iter().filter(|word| word.starts_with("--"));
    let unknown = flags
        .filter_map(|flag| flag.split('=').next())
        .find(|flag| *flag != "--version" && !shown.stdout.contains(flag))?;
    Some(format!("{name} {} has no {unknown}", path.join(" ")))
}

#[test]
fn every_command_of_the_readme_is_one_that_exists() {
    let path = repository().join("README.md");
    let text = fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    let commands = commands(&text);
    assert!(commands.len() >= 2, "README.md shows at least the two commands: {commands:?}");
    assert!(commands.iter().any(|command| command.contains("scripts/devnet")), "{commands:?}");
    let faults: Vec<_> = commands
        .iter()
        .filter_map(|command| Some(format!("$ {command}\n    {}", fault(command)?)))
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_file_the_readme_links_to_is_there() {
    let text = fs::read_to_string(repository().join("README.md")).unwrap();
    for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        let target = link.split('#').next().unwrap_or_default();
        if !target.is_empty() && !target.contains("://") {
            assert!(Path::exists(&repository().join(target)), "README.md links to {target}");
        }
    }
}

#[test]
fn a_command_that_does_not_exist_is_noticed() {
    let text = "text\n```console\n$ scripts/no-such-thing --once\noutput\n$ minlian verify a.proof \\\n    --trust-root g.toml\n\
                $ minlian bake cake\n$ minlian verify a --sweet\n$ minlian-node testnet kill v3 --home x\n```\n$ not-inside\n";
    let commands = commands(text);
    assert_eq!(commands.len(), 5, "{commands:?}");
    let found: Vec<bool> = commands.iter().map(|command| fault(command).is_some()).collect();
    assert_eq!(found, [true, false, true, true, false], "{commands:?}");
}

/// A command that something other than a person starts, with the environment it starts it in.
#[derive(Debug)]
struct Started {
    words: Vec<String>,
    environment: Vec<(String, String)>,
}

fn packaged(name: &str) -> String {
    let path = repository().join("node/packaging").join(name);
    fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

fn pair(text: &str) -> (String, String) {
    let (name, value) = text.split_once('=').unwrap_or_else(|| panic!("{text} sets nothing"));
    (name.to_owned(), value.to_owned())
}

/// What a unit says of this.
fn said<'t>(text: &'t str, key: &str) -> Vec<&'t str> {
    text.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

/// What a unit starts.
fn of_unit(text: &str) -> Started {
    let start = said(text, "ExecStart");
    let [start] = start[..] else { panic!("one command: {start:?}") };
    let words = start.split_whitespace().map(str::to_owned).collect();
    Started { words, environment: said(text, "Environment").into_iter().map(pair).collect() }
}

/// What stands between brackets after a word, as `CMD ["a", "b"]`.
fn list(text: &str, after: &str) -> Vec<String> {
    let rest = text.split_once(after).unwrap_or_else(|| panic!("no {after} in {text}")).1;
    let inner = rest.split_once('[').and_then(|(_, rest)| rest.split_once(']')).expect("a list").0;
    inner.split(',').map(|word| word.trim().trim_matches('"').to_owned()).collect()
}

#[test]
fn what_units_and_containers_start_is_complete_and_known() {
    let image = packaged("Containerfile");
    let environment: Vec<_> = image
        .lines()
        .filter_map(|line| line.strip_prefix("ENV "))
        .flat_map(str::split_whitespace)
        .map(pair)
        .collect();
    let health = list(&image, "HEALTHCHECK");
    let start = [list(&image, "ENTRYPOINT"), list(&image, "\nCMD")].concat();
    let mut all = vec![
        of_unit(&packaged("minlian-node.service")),
        of_unit(&packaged("minlian-signer.service")),
    ];
    // The image alone, and as each service of the compose file has it: one home for the validator and for its check.
    let mut homes = vec![environment.clone()];
    for line in packaged("compose.yml").lines().filter(|line| line.contains("<<: *validator")) {
        assert!(!line.contains("command:"), "a home that the health check does not know: {line}");
        let (_, set) = line.split_once("environment: {").expect("a home");
        let (name, value) = set.trim_end_matches([' ', '}']).split_once(':').expect("a home");
        let own = (name.trim().to_owned(), value.trim().to_owned());
        let others = environment.iter().filter(|(name, _)| *name != own.0).cloned();
        homes.push(others.chain([own.clone()]).collect());
    }
    assert_eq!(homes.len(), 5, "the image and four validators");
    assert!(!packaged("compose.yml").contains("${UID"), "no shell lets that be set");
    for environment in homes {
        for words in [&start, &health] {
            all.push(Started { words: words.clone(), environment: environment.clone() });
        }
    }
    for Started { words, environment } in &all {
        assert_eq!(words[0], "/usr/bin/minlian-node", "{words:?}");
        // Somewhere else than on this machine's real places: there is nothing, which is said with another code than usage is.
        let nowhere = tempfile::tempdir().unwrap();
        let moved = |text: &String| match text.strip_prefix('/') {
            Some(path) => nowhere.path().join(path).to_str().unwrap().to_owned(),
            None => text.clone(),
        };
        let mut command = program::command("minlian-node");
        command.env_clear().args(words[1..].iter().map(moved));
        command.envs(environment.iter().map(|(name, value)| (name, moved(value))));
        let ran = program::Ran::of(&command.output().unwrap());
        assert!(![0, 2].contains(&ran.code), "{words:?} {environment:?}: {ran:?}");
        assert!(ran.stderr.contains(nowhere.path().to_str().unwrap()), "{words:?}: {ran:?}");
        assert!(fault(&words.join(" ").replace("/usr/bin/", "")).is_none(), "{words:?}");
    }
    // What would be noticed: a flag that is none, and a home that nobody names.
    for words in [&["start", "--sweet"][..], &["start"], &["status"]] {
        let mut command = program::command("minlian-node");
        let ran = program::Ran::of(&command.env_clear().args(words).output().unwrap());
        assert_eq!(ran.code, 2, "{words:?}: {ran:?}");
    }
}

/// The page at /verify is the verifier for browsers, which needs a target that an image of Rust does not come with; and what
/// lies around here is no part of an image.
#[test]
fn the_image_is_built_with_the_page_and_without_what_lies_around() {
    let image = packaged("Containerfile");
    let at = |words: &str| image.find(words).unwrap_or_else(|| panic!("no {words}: {image}"));
    let script = fs::read_to_string(repository().join("node/build.rs")).unwrap();
    let target = script.split_once("const TARGET: &str = \"").unwrap().1.split('"').next().unwrap();
    let (added, built) = (at(&format!("rustup target add {target}")), at("cargo build"));
    assert!(added < built, "the target is there before anything is built");
    let version = image.split_once("library/rust:").unwrap().1.split('-').next().unwrap();
    let manifest = fs::read_to_string(repository().join("Cargo.toml")).unwrap();
    assert!(manifest.contains(&format!("rust-version = \"{version}\"")), "{version}");
    // Every file that the build includes is in its context, and no build's own folder is.
    let ignored = fs::read_to_string(repository().join(".dockerignore")).unwrap();
    let ignored: Vec<_> = ignored.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(ignored.contains(&"target") && ignored.contains(&".git"), "{ignored:?}");
    for needed in ["Cargo.toml", "Cargo.lock", "crates", "node", "tests", "genesis"] {
        assert!(repository().join(needed).exists() && !ignored.contains(&needed), "{needed}");
    }
}

#[test]
fn the_units_are_ones_that_systemd_reads() {
    if let Err(why) = program::tool("systemd-analyze", &["--version"]) {
        say(&format!("NOT CHECKED: units, as systemd-analyze is not here: {why}"));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let program = program::path("minlian-node").to_str().unwrap().to_owned();
    for name in ["minlian-node.service", "minlian-signer.service"] {
        let text = packaged(name);
        assert!(text.contains("Restart=always\n"), "{name}: 4 and 75 are tried again");
        assert!(text.contains("\nRestartPreventExitStatus=5 74\n"), "{name}: and these are not");
        // It wants to find the program, which is not installed here.
        fs::write(folder.path().join(name), text.replace("/usr/bin/minlian-node", &program))
            .unwrap();
    }
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let verify = |name: &str| {
        let ran =
            program::system("systemd-analyze").args(["verify", "--man=no", &path(name)]).output();
        let ran = program::Ran::of(&ran.unwrap());
        // What it does not know it says, and goes on.
        (ran.code, ran.stderr)
    };
    for name in ["minlian-node.service", "minlian-signer.service"] {
        assert_eq!(verify(name), (0, String::new()), "{name}");
    }
    let broken =
        packaged("minlian-node.service").replace("Type=notify", "Type=notify\nRestrt=always");
    fs::write(
        folder.path().join("broken.service"),
        broken.replace("/usr/bin/minlian-node", &program),
    )
    .unwrap();
    assert!(verify("broken.service").1.contains("Restrt"));
}
