//! One line of a batch, proven: the line's digest under the batch's root, and the proof that a record carries that root.
//!
//! The file is a wrapper around an ordinary proof, which says everything about chain, committee, agency and log; what is added
//! is the way from one line to the root that the record names. FORMAT.md has it byte by byte.

use crate::{
    file::{PROOF_BYTES_MAX, seal},
    receipt::{Claim, Proof},
    trust::TrustRoot,
    verify::{self, Verdict},
};
use serde::{Deserialize, Serialize};
use types::{
    Entry, Hash, Operation,
    bulk::BatchAction,
    codec::{self, CodecError, Wire},
    merkle::{self, PATH_MAX, PathError, Rfc6962, TreeHash as _},
    operation::Action,
};

/// The first bytes of every proof of a line.
pub const LINE_MAGIC: &[u8; 8] = b"MINLINE\0";

/// The version of the format that is written, and the only one there is.
pub const LINE_VERSION: u16 = 1;

/// The largest proof of a line, bytes: a proof, a path, and what is around them.
pub const LINE_BYTES_MAX: usize = PROOF_BYTES_MAX + PATH_MAX * 32 + 128;

const SEAL_BYTES: usize = 8;

/// A line of a batch and the way to the batch's root, with the proof of the record that carries it. Nobody has looked at it yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineProof {
    /// The line: the digest that was committed to.
    pub line: Hash,
    /// Which line of the batch it is, from 0.
    pub index: u64,
    /// From the line up to the batch's root, nearest first.
    pub path: Vec<Hash>,
    /// The proof that the batch is on the ledger, in its binary carrier: exactly one claim, of the record.
    pub proof: Vec<u8>,
}

impl Wire for LineProof {
    const BYTES_MAX: usize = LINE_BYTES_MAX;
}

/// Why a proof of a line proves nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// Some other kind of file.
    #[error("this is not a proof of a line")]
    NotALine,
    /// A format that a later verifier may know.
    #[error("line proof format {found}; this verifier knows {LINE_VERSION}: update the verifier")]
    Version {
        /// The format it has.
        found: u16,
    },
    /// Cut off, damaged, too long, or spelled in another way than the one there is.
    #[error("the file is damaged: {0}")]
    Malformed(String),
    /// Nothing that it says is untrue, but it is not what was handed out.
    #[error("the file was changed after it was made")]
    Seal,
    /// The proof inside is not of one record, or the record is no batch.
    #[error("the proof inside is not of one record that carries a batch")]
    Record,
    /// No line has this number.
    #[error("line {index} of a batch of {lines}")]
    Index {
        /// The line claimed.
        index: u64,
        /// How many there are.
        lines: u64,
    },
    /// The line and the number of lines fix how long the path is.
    #[error("a path of {found} hashes where the line asks for {wanted}")]
    Path {
        /// Hashes given.
        found: usize,
        /// Hashes asked for.
        wanted: usize,
    },
    /// The line does not lead to the batch's root.
    #[error("hashing the line up its path gives {found}, but the batch has {wanted}")]
    Root {
        /// What the path leads to.
        found: Hash,
        /// What it must lead to.
        wanted: Hash,
    },
    /// The proof inside proves nothing.
    #[error("the proof of the batch: {0}")]
    Inner(&'static str),
}

impl LineError {
    /// The code that people quote and programs compare. It never changes.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotALine | Self::Version { .. } => "V-LINE-FORMAT",
            Self::Malformed(_) => "V-LINE-MALFORMED",
            Self::Seal => "V-LINE-SEAL",
            Self::Record => "V-LINE-RECORD",
            Self::Index { .. } => "V-LINE-INDEX",
            Self::Path { .. } => "V-LINE-PATH",
            Self::Root { .. } => "V-LINE-ROOT",
            Self::Inner(code) => code,
        }
    }

    /// Whether nothing was proven or disproven.
    #[must_use]
    pub const fn is_undecided(&self) -> bool {
        matches!(self, Self::NotALine | Self::Version { .. } | Self::Malformed(_))
    }
}

/// A line that is proven: what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenLine {
    /// The line.
    pub line: Hash,
    /// Its number, from 0.
    pub index: u64,
    /// The batch it is of.
    pub batch: BatchAction,
    /// What was recorded with it.
    pub operation: Operation,
    /// Where in the log.
    pub entry: Entry,
}

/// What was found out about a proof of a line.
#[derive(Clone, Debug)]
pub struct LineVerdict {
    /// What was found out about the proof inside; none when the file could not be read.
    pub inner: Option<Verdict>,
    /// The line, proven; or why not. Trust comes before the line: who certified nothing has no lines.
    pub result: Result<ProvenLine, LineError>,
}

/// The file that spells `proof`.
///
/// # Panics
/// When it is beyond 16 MiB.
#[must_use]
pub fn encode_line(proof: &LineProof) -> Vec<u8> {
    let mut bytes = [&LINE_MAGIC[..], &LINE_VERSION.to_le_bytes(), &codec::encode(proof)].concat();
    let seal = seal(&bytes);
    bytes.extend_from_slice(&seal);
    bytes
}

/// The proof of a line that `bytes` spell.
///
/// # Errors
/// Not one, of an unknown version, damaged, or changed.
pub fn decode_line(bytes: &[u8]) -> Result<LineProof, LineError> {
    let rest = bytes.strip_prefix(LINE_MAGIC).ok_or(LineError::NotALine)?;
    let cut = || LineError::Malformed("it ends before the proof does".into());
    let (version, rest) = rest.split_first_chunk().ok_or_else(cut)?;
    let found = u16::from_le_bytes(*version);
    if found != LINE_VERSION {
        return Err(LineError::Version { found });
    }
    if bytes.len() > LINE_BYTES_MAX {
        return Err(LineError::Malformed(format!(
            "{} bytes; it has at most {LINE_BYTES_MAX}",
            bytes.len()
        )));
    }
    let (body, found) = rest.split_last_chunk::<SEAL_BYTES>().ok_or_else(cut)?;
    let proof: LineProof =
        codec::decode(body).map_err(|why: CodecError| LineError::Malformed(why.to_string()))?;
    if seal(&bytes[..bytes.len() - SEAL_BYTES]) != *found {
        return Err(LineError::Seal);
    }
    Ok(proof)
}

/// Checks a proof of a line against a trust root.
#[must_use]
pub fn verify_line(bytes: &[u8], root: &TrustRoot) -> LineVerdict {
    let proof = match decode_line(bytes) {
        Ok(proof) => proof,
        Err(why) => return LineVerdict { inner: None, result: Err(why) },
    };
    let inner = verify::verify_binary(&proof.proof, root);
    let result = match (&inner.result, inner.error()) {
        (Ok(proven), None) => stands(&proof, proven.get()),
        (_, Some(error)) => Err(LineError::Inner(error.code())),
        (Err(refusal), None) => Err(LineError::Inner(refusal.error.code())),
    };
    LineVerdict { inner: Some(inner), result }
}

/// Whether the line is one of the batch that a proven record carries.
fn stands(proof: &LineProof, proven: &Proof) -> Result<ProvenLine, LineError> {
    let [Claim::Record(claim)] = proven.claims.as_slice() else { return Err(LineError::Record) };
    let Action::Batch(batch) = &claim.operation.action else { return Err(LineError::Record) };
    let leaf = line_leaf(&proof.line);
    let found =
        merkle::climb::<Rfc6962>(leaf, proof.index, batch.lines, &proof.path).map_err(|why| {
            match why {
                PathError::Index { index, count } => LineError::Index { index, lines: count },
                PathError::Length { found, wanted } => LineError::Path { found, wanted },
            }
        })?;
    if found != batch.root {
        return Err(LineError::Root { found, wanted: batch.root });
    }
    Ok(ProvenLine {
        line: proof.line,
        index: proof.index,
        batch: batch.clone(),
        operation: claim.operation.clone(),
        entry: claim.entry,
    })
}

/// The leaf of a line in its batch's tree.
#[must_use]
pub fn line_leaf(line: &Hash) -> Hash {
    Rfc6962::leaf(line.as_bytes())
}

/// How many lines have one hash kept, so that any of them can be proven from a short piece of the file: a power of two.
pub const CHUNK: usize = 1 << 12;

/// The root over lines of which only the roots of whole chunks are at hand, the last chunk perhaps a short one.
///
/// The tree of RFC 6962 is cut at powers of two, so the roots of aligned chunks are nodes of it.
#[must_use]
pub fn root_of_chunks(chunks: &[Hash]) -> Hash {
    merkle::root::<Rfc6962>(chunks)
}

/// The way from a line to its batch's root: within its chunk, given its lines, then among the chunks, given their roots.
///
/// # Panics
/// When there is no such line in the chunk, or no such chunk.
#[must_use]
pub fn path_in_chunks(chunk: &[Hash], within: usize, chunks: &[Hash], at: usize) -> Vec<Hash> {
    let leaves: Vec<Hash> = chunk.iter().map(line_leaf).collect();
    let mut path = merkle::path::<Rfc6962>(&leaves, within);
    path.extend(merkle::path::<Rfc6962>(chunks, at));
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(count: usize) -> Vec<Hash> {
        (0..count)
            .map(|n| {
                let mut bytes = [7; 32];
                bytes[..8].copy_from_slice(&(n as u64).to_le_bytes());
                Hash(bytes)
            })
            .collect()
    }

    /// Cut into chunks or not, it is one tree; and every line climbs to its root.
    #[test]
    fn chunks_are_nodes_of_the_one_tree() {
        for count in [1, 2, 3, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 17, 5 * CHUNK] {
            let lines = lines(count);
            let leaves: Vec<Hash> = lines.iter().map(line_leaf).collect();
            let want = merkle::root::<Rfc6962>(&leaves);
            let chunks: Vec<Hash> = leaves.chunks(CHUNK).map(merkle::root::<Rfc6962>).collect();
            assert_eq!(root_of_chunks(&chunks), want, "{count}");
            for index in [0, 1, count / 2, count.saturating_sub(2), count - 1] {
                let Some(line) = lines.get(index) else { continue };
                let at = index / CHUNK;
                let chunk = &lines[at * CHUNK..count.min((at + 1) * CHUNK)];
                let path = path_in_chunks(chunk, index % CHUNK, &chunks, at);
                let (index, count) = (index as u64, count as u64);
                assert_eq!(
                    merkle::climb::<Rfc6962>(line_leaf(line), index, count, &path),
                    Ok(want)
                );
            }
        }
    }

    #[test]
    fn a_file_is_spelled_one_way() {
        let proof = LineProof { line: Hash([1; 32]), index: 5, path: lines(3), proof: vec![1, 2] };
        let bytes = encode_line(&proof);
        assert_eq!(decode_line(&bytes).as_ref(), Ok(&proof));
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 1;
            assert!(decode_line(&other).is_err(), "byte {at}");
            assert!(decode_line(&bytes[..at]).is_err(), "cut at {at}");
        }
        assert!(decode_line(&[&bytes[..], &[0]].concat()).is_err());
        assert_eq!(decode_line(b"MINLIAN\0").unwrap_err().code(), "V-LINE-FORMAT");
        // As long as one may be, in all; and one byte more.
        let around = bytes.len() - 2;
        for (length, malformed) in [(LINE_BYTES_MAX, false), (LINE_BYTES_MAX + 1, true)] {
            let long =
                LineProof { proof: vec![7; length - around], ..decode_line(&bytes).unwrap() };
            let long = encode_line(&long);
            assert_eq!(long.len(), length);
            let why = decode_line(&long).err().map(|why| (why.code(), why.is_undecided()));
            assert_eq!(why, malformed.then_some(("V-LINE-MALFORMED", true)));
        }
    }
}
