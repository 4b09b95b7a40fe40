//! Writes the golden vectors anew, into `tests/vectors` or the folder that is named.

use std::{env, fs, io, path::PathBuf};

fn main() -> io::Result<()> {
    let folder = env::args_os().nth(1).map_or_else(tests::vectors::folder, PathBuf::from);
    fs::create_dir_all(&folder)?;
    tests::vectors::files()
        .into_iter()
        .try_for_each(|(name, text)| fs::write(folder.join(name), text))
}
