//! The files of a run, as the system knows them: none that it writes is one that it reads, or is written for two purposes.

use super::table;
use crate::{
    arguments,
    exit::{Exit, Stop},
};
use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// What a run writes beside a file, named after it, unless it is told where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beside {
    /// The lines that are made of a table.
    Mapped,
    /// The receipts.
    Receipts,
    /// The rejected records.
    Rejected,
    /// What to go on from.
    State,
}

impl Beside {
    /// In the order in which a collision is told: no option helps against the first.
    const ALL: [Self; 4] = [Self::Mapped, Self::Receipts, Self::Rejected, Self::State];

    /// Where it is, of this file.
    pub(crate) fn of(self, file: &Path) -> PathBuf {
        let text = |part: Option<&OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
        let (name, stem) = (text(file.file_name()), text(file.file_stem()));
        match self {
            Self::Mapped => table::beside(file),
            Self::Receipts => file.with_file_name(format!("{stem}.receipts.ndjson")),
            Self::Rejected => file.with_file_name(format!("{stem}.rejected.ndjson")),
            Self::State => file.with_file_name(format!(".{name}.minlian-state")),
        }
    }

    /// Whether this run writes it.
    fn is_written(self, what: &arguments::Submit, file: &Path) -> bool {
        match self {
            Self::Mapped => table::is_table(file),
            Self::Receipts => what.receipts.is_none() && !what.json && !what.check,
            Self::Rejected => what.rejected.is_none(),
            Self::State => what.state.is_none() && !what.check,
        }
    }

    /// What to do when two files would have the same one. Running one after the other is no help: the second overwrites it.
    const fn remedy(self) -> &'static str {
        match self {
            Self::Receipts => "name --receipts and --rejected, or rename one of the two",
            Self::Rejected => "name --rejected, or rename one of the two",
            Self::Mapped | Self::State => "rename one of the two, or leave it out",
        }
    }
}

/// Sees to it that a run destroys nothing that it reads or has written, before it opens anything.
///
/// # Errors
/// When a file is to be written that is read, or that is written for another purpose.
pub(super) fn keep_apart(what: &arguments::Submit) -> Result<(), Stop> {
    let read = what.files.iter().chain(&what.mapping).chain(&what.key);
    let mut known: BTreeMap<Place, Purpose<'_>> =
        read.map(|path| (Place::of(path), Purpose::Read)).collect();
    for (path, purpose) in written(what) {
        if let Some(other) = known.insert(Place::of(&path), purpose) {
            return Err(Stop::says(Exit::Usage, collision(&path, other, purpose)));
        }
    }
    Ok(())
}

/// What a run writes, and what for.
fn written(what: &arguments::Submit) -> Vec<(PathBuf, Purpose<'_>)> {
    let named = [&what.receipts, &what.rejected, &what.state].into_iter().flatten();
    let mut all: Vec<_> = named.map(|path| (path.clone(), Purpose::Named)).collect();
    for file in &what.files {
        let beside = Beside::ALL.into_iter().filter(|beside| beside.is_written(what, file));
        all.extend(beside.map(|beside| (beside.of(file), Purpose::Derived(file, beside))));
    }
    all
}

fn collision(path: &Path, one: Purpose<'_>, other: Purpose<'_>) -> String {
    let path = path.display();
    match (one, other) {
        (Purpose::Derived(one, _), Purpose::Derived(other, beside)) => {
            let (one, other, remedy) = (one.display(), other.display(), beside.remedy());
            format!("{one} and {other} would both write {path}; {remedy}")
        }
        (
            Purpose::Read | Purpose::Named | Purpose::Derived(..),
            Purpose::Read | Purpose::Named | Purpose::Derived(..),
        ) => format!(
            "{path} cannot be read and written, or written for two purposes, at the same time; \
             name another file, or leave this one out"
        ),
    }
}

/// What a run does with a file.
#[derive(Clone, Copy, Debug)]
enum Purpose<'a> {
    /// It is read.
    Read,
    /// It is written, as the command line says.
    Named,
    /// It is written beside this file.
    Derived(&'a Path, Beside),
}

/// A file as the system knows it, however it is spelled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// It is there: its device and its number there, which all its names and all links to it share.
    There(u64, u64),
    /// It is to be made: its name in its folder, as the system spells that.
    ToBe(PathBuf),
}

impl Place {
    fn of(path: &Path) -> Self {
        if let Ok(found) = fs::metadata(path) {
            return Self::There(found.dev(), found.ino());
        }
        // A name without a folder is in the current one.
        let path = Path::new(".").join(path);
        let folder = path.parent().and_then(|folder| fs::canonicalize(folder).ok());
        let place = folder.zip(path.file_name()).map(|(folder, name)| folder.join(name));
        // Without a folder it cannot be written; whoever opens it says why.
        Self::ToBe(place.unwrap_or(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_one_place_however_it_is_spelled() {
        let here = std::env::current_dir().unwrap();
        for name in ["Cargo.toml", "not-there"] {
            let place = Place::of(Path::new(name));
            for folder in [Path::new("."), &here, &here.join("src/..")] {
                let path = folder.join(name);
                assert_eq!(Place::of(&path), place, "{}", path.display());
            }
        }
        let elsewhere = Place::of(Path::new("src/not-there"));
        assert_ne!(elsewhere, Place::of(Path::new("not-there")));
    }
}
