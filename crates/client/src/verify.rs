//! The inspector's command: the files are read here, and `verdict` says what they show. No network, no clock.

use crate::{arguments, console::Console, exit::Exit, speech};
use proof::TrustRoot;
use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};
use verdict::{Answer, Brought, Report, html, plain_name};

/// What `--json` prints, for programs.
const SCHEMA: &str = include_str!("../verify.schema.json");

/// Checks a proof and says what was found.
pub(crate) fn run(what: &arguments::Verify, console: &Console) -> Exit {
    if what.schema {
        return if console.data(SCHEMA.trim_end()).is_err() { Exit::Disk } else { Exit::Done };
    }
    let report = examine(what);
    let exit = exit_of(report.answer());
    let page = what.report.as_ref().map(|path| (path, html::html(console.lang(), &report).into()));
    let evidence = report.evidence().map(|evidence| proof::encode(&evidence));
    let kept: [Option<(&PathBuf, Vec<u8>)>; 2] = [page, what.evidence.as_ref().zip(evidence)];
    for (path, bytes) in kept.into_iter().flatten() {
        if let Err(why) = fs::write(path, bytes) {
            console.complain(&format!("{}: {why}", path.display()));
            return Exit::Disk;
        }
    }
    if what.quiet {
        return exit;
    }
    let text = if what.json {
        report.json(console.lang()).to_string()
    } else {
        let mut text = speech::report(console.lang(), &report, console.colour());
        if what.explain {
            text.push_str("\n\n");
            text.push_str(&speech::explanation(console.lang(), &report));
        }
        text
    };
    // An answer that did not arrive must not look like one that did.
    if console.data(&text).is_err() { Exit::Disk } else { exit }
}

/// How the command ends after an answer.
pub(crate) const fn exit_of(answer: Answer) -> Exit {
    match answer {
        Answer::Proven => Exit::Done,
        Answer::NotProven => Exit::Negative,
        Answer::CannotCheck => Exit::Undecided,
    }
}

fn examine(what: &arguments::Verify) -> Report {
    let said = |read: io::Result<Vec<u8>>| read.map_err(|why| why.to_string());
    let proof = said(proof_of(&what.proof));
    let given = |path: &PathBuf, limit| (name(path), said(read(path, limit)));
    verdict::examine(Brought {
        file: what.proof.iter().map(|path| name(path)).collect::<Vec<_>>().join(", "),
        root: what.trust_root.as_ref().map(|path| given(path, proof::TRUST_ROOT_BYTES_MAX)),
        proof: proof.as_deref().map_err(Clone::clone),
        document: what.document.as_ref().map(|path| given(path, records::DOCUMENT_BYTES_MAX)),
        at: what.at,
    })
}

/// The trust root in a file: a genesis, and perhaps a block saved after it.
pub(crate) fn trust_root(path: &Path) -> Result<TrustRoot, String> {
    let bytes = read(path, proof::TRUST_ROOT_BYTES_MAX).map_err(|why| why.to_string())?;
    verdict::trust_root(bytes)
}

/// What the files hold, one after the other: several are the frames of one proof.
pub(crate) fn proof_of(files: &[PathBuf]) -> io::Result<Vec<u8>> {
    let limit = proof::ARMOR_BYTES_MAX.max(proof::PRESENTATION_BYTES_MAX);
    let mut all = Vec::new();
    for path in files {
        if !all.is_empty() {
            all.push(b'\n');
        }
        if path.as_os_str() == "-" {
            all.extend(at_most(io::stdin().lock(), limit)?);
        } else {
            all.extend(read(path, limit)?);
        }
        if all.len() > limit {
            break;
        }
    }
    Ok(all)
}

/// At most one byte more than `bytes_max`: enough for whoever reads it to see that it is too long.
pub(crate) fn read(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    at_most(File::open(path)?, bytes_max)
}

fn at_most(from: impl io::Read, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(bytes_max).map_or(u64::MAX, |max| max.saturating_add(1));
    from.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The last part of a path, without anything that could deceive a terminal.
fn name(path: &Path) -> String {
    plain_name(&path.file_name().unwrap_or(path.as_os_str()).to_string_lossy())
}

#[cfg(test)]
mod tests;
