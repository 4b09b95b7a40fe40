//! What README.md tells people to type exists.

#![cfg(test)]

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};
use tests::{program, repository};

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
