//! A ledger in one file: every block with its certificate, from which everything else is computed again.
//!
//! The file is trusted for nothing. A restore checks each certificate with the committee that follows from genesis,
//! executes each block, and compares the state's and the log's root with the certified header's, into a directory of its
//! own; only a ledger that holds to its last block takes the old one's place. A cut, changed or foreign file leaves
//! everything as it was.
//!
//! Format 1: [`MAGIC`]; chain (32 bytes), height (8), block id (32); then for each height from 1 on the block and its
//! certificate, each after its length (4 bytes), all integers little-endian.

use crate::fsck;
use anyhow::{Context as _, ensure};
use ledger::{Rules, query, retention};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufReader, BufWriter, Read, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};
use store::{Fault, Store};
use types::{
    Block, BlockId, Certificate, ChainId, Genesis, Hash, Height,
    codec::{self, Wire},
};

/// What a snapshot begins with.
pub const MAGIC: &[u8; 19] = b"minlian snapshot 1\n";
/// So many blocks share a sync while a ledger is restored: a crash during it leaves nothing in the ledger's place.
const BLOCKS_A_SYNC: u64 = 1000;

/// What a snapshot says of itself, before any of it is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// The chain.
    pub chain: ChainId,
    /// The last block's height.
    pub height: Height,
    /// The last block.
    pub block: BlockId,
}

/// Why a snapshot is not restored. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It is not one, or it is not whole.
    #[error("{0}")]
    Unsound(String),
    /// It is of another chain.
    #[error("the snapshot is of chain {found}, the genesis here is of chain {expected}")]
    Foreign {
        /// Its chain.
        found: ChainId,
        /// The genesis' chain.
        expected: ChainId,
    },
    /// It cannot be read.
    #[error("cannot read the snapshot: {0}")]
    Io(#[from] io::Error),
    /// Our own disk.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Writes all blocks of a ledger to a new file, and returns when it is durable. `progress` is told now and then.
///
/// # Errors
/// When the file exists or cannot be written, or the ledger lacks a block.
pub fn create(
    chain: &ChainId,
    ledger: &Store,
    out: &Path,
    progress: impl Fn(Height, Height),
) -> anyhow::Result<Label> {
    let height = query::height(ledger);
    let header = query::header(ledger, height).context("the ledger has no block yet")?;
    let label = Label { chain: *chain, height, block: header.id() };
    let kept = retention::kept_from(ledger);
    ensure!(
        kept == Height(1),
        "this ledger dropped the bodies of blocks 1 to {} by retention, and a snapshot is of all blocks: create it from a validator \
         that keeps them, or from the archive",
        kept.previous().unwrap_or_default()
    );
    ensure!(!out.exists(), "{} exists; a snapshot is never overwritten", out.display());
    let mut name = out.as_os_str().to_owned();
    name.push(".part");
    let part = PathBuf::from(name);
    let cannot = || format!("cannot write {}", part.display());
    let options = &mut OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(&part);
    let mut file = BufWriter::new(file.with_context(cannot)?);
    file.write_all(MAGIC).with_context(cannot)?;
    file.write_all(chain.as_bytes()).with_context(cannot)?;
    file.write_all(&height.0.to_le_bytes()).with_context(cannot)?;
    file.write_all(label.block.as_bytes()).with_context(cannot)?;
    let mut at = Height(1);
    while at <= height {
        let pair = query::block(ledger, at).zip(query::certificate(ledger, at));
        let (block, certificate) =
            pair.with_context(|| format!("the ledger lacks block {at}; run `minlian-node fsck`"))?;
        put(&mut file, &codec::encode(&block)).with_context(cannot)?;
        put(&mut file, &codec::encode(&certificate)).with_context(cannot)?;
        if at.0.is_multiple_of(BLOCKS_A_SYNC) {
            progress(at, height);
        }
        at = at.next();
    }
    let file = file.into_inner().map_err(io::IntoInnerError::into_error).with_context(cannot)?;
    file.sync_all().with_context(cannot)?;
    fs::rename(&part, out).with_context(cannot)?;
    let directory = out.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or_else(|| Path::new(".")))?.sync_all()?;
    Ok(label)
}

fn put(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(bytes)
}

/// Builds the ledger of a snapshot in `into`, which must not be there, believing only what follows from genesis.
///
/// # Errors
/// The first thing that does not hold. What was built until then is of no use.
pub fn restore(
    genesis: &Genesis,
    file: &Path,
    into: &Path,
    progress: impl Fn(Height, Height),
) -> Result<Label, Refusal> {
    let mut file = BufReader::new(File::open(file)?);
    let label = read_label(&mut file)?;
    let expected = genesis.chain();
    if label.chain != expected {
        return Err(Refusal::Foreign { found: label.chain, expected });
    }
    let store = store::open(into, &expected, crate::run::end)?;
    let mut rules = Rules::new(genesis);
    let mut height = Height(1);
    while height <= label.height {
        let wrong = |what: String| Refusal::Unsound(format!("block {height}: {what}"));
        let (block, certificate) = read_block(&mut file).map_err(wrong)?;
        let executed = fsck::execute(&rules, &store, block, certificate);
        let (commit, governs) = executed.map_err(wrong)?;
        store.commit(&commit)?;
        (rules, _) = rules.after(&store, governs);
        if height.0.is_multiple_of(BLOCKS_A_SYNC) {
            store.sync()?;
            progress(height, label.height);
        }
        height = height.next();
    }
    let tip = ledger::tip(&rules, &store);
    if tip.id != label.block {
        return Err(Refusal::Unsound(format!(
            "it ends with block {}, not {}",
            tip.id, label.block
        )));
    }
    if file.read(&mut [0])? != 0 {
        return Err(Refusal::Unsound("there is more behind its last block".into()));
    }
    store.sync()?;
    store.flush()?;
    Ok(label)
}

/// What a snapshot says of itself. Nothing of it is checked.
///
/// # Errors
/// When it is not a snapshot, or of a format that this version does not know.
pub fn read_label(file: &mut impl Read) -> Result<Label, Refusal> {
    let mut magic = [0; MAGIC.len()];
    let (mut chain, mut height, mut block) = ([0; 32], [0; 8], [0; 32]);
    let short =
        |_end| Refusal::Unsound("it is not a whole snapshot: it ends in its first bytes".into());
    file.read_exact(&mut magic).map_err(short)?;
    if magic != *MAGIC {
        let known = b"minlian snapshot ";
        return Err(Refusal::Unsound(if magic.starts_with(known) {
            "it is a snapshot of another format; use the version that wrote it, or a newer one"
                .into()
        } else {
            "it is not a snapshot".into()
        }));
    }
    file.read_exact(&mut chain).map_err(short)?;
    file.read_exact(&mut height).map_err(short)?;
    file.read_exact(&mut block).map_err(short)?;
    let height = Height(u64::from_le_bytes(height));
    Ok(Label { chain: ChainId(Hash(chain)), height, block: BlockId(Hash(block)) })
}

/// The next block of a snapshot and its certificate. Nothing of either is checked.
///
/// # Errors
/// When there is none, or no whole one.
pub fn read_block(file: &mut impl Read) -> Result<(Block, Certificate), String> {
    Ok((take(file)?, take(file)?))
}

/// The next value, which takes no more memory than its kind may.
fn take<T: Wire>(file: &mut impl Read) -> Result<T, String> {
    let mut length = [0; 4];
    file.read_exact(&mut length).map_err(|_end| "the file ends before it".to_owned())?;
    let length = u64::from(u32::from_le_bytes(length));
    if length > u64::try_from(T::BYTES_MAX).unwrap_or(u64::MAX) {
        return Err(format!("it says to be {length} bytes long, more than may be"));
    }
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) < length {
        return Err("the file ends in the middle of it".into());
    }
    codec::decode(&bytes).map_err(|error| error.to_string())
}
