//! Proofs that a validator said two things: checked, each kept once, not more than anyone needs, and never lost.

use anyhow::Context as _;
use consensus::{Evidence, Place};
use proof::{Said, VotesClaim};
use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::Write as _,
    path::Path,
};
use types::{ChainId, Committee, Height, codec, vote::Proposal};

/// How many are kept: a validator that lies ten thousand times is not more convicted by the next.
const KEPT_MAX: usize = 10_000;

/// Evidence as a proof claims it, the lesser of the two sayings first.
#[must_use]
pub fn claim(evidence: &Evidence) -> VotesClaim {
    match evidence {
        Evidence::Votes([(vote, one), (other, two)]) => {
            let (step, seat) = (vote.step, vote.seat);
            let mut said = [(vote.block, *one), (other.block, *two)];
            said.sort_by_key(|(block, _)| *block);
            let [(first, one), (second, two)] = said;
            VotesClaim {
                height: vote.height,
                round: vote.round,
                seat,
                said: Said::Votes { step, first, second },
                signatures: (one, two),
            }
        }
        Evidence::Proposals([(proposal, one), (other, two)]) => {
            let of = |proposal: &Proposal| (proposal.block, proposal.valid_round);
            let mut said = [(of(proposal), *one), (of(other), *two)];
            said.sort_by_key(|(what, _)| *what);
            let [(first, one), (second, two)] = said;
            VotesClaim {
                height: proposal.height,
                round: proposal.round,
                seat: proposal.seat,
                said: Said::Proposals { first, second },
                signatures: (one, two),
            }
        }
    }
}

/// The evidence a node holds.
#[derive(Debug)]
pub struct Records {
    file: File,
    kept: BTreeMap<Place, Evidence>,
}

impl Records {
    /// The evidence in a directory's file, one piece a line, in hexadecimal of its canonical form.
    ///
    /// # Errors
    /// When the file cannot be read or written. Lines that convict nobody are passed over.
    pub fn open(
        directory: &Path,
        chain: &ChainId,
        committee: impl Fn(Height) -> Committee,
    ) -> anyhow::Result<Self> {
        let path = directory.join("evidence.hex");
        // Damage costs the lines it is in, and no others; so bytes that are no text are read, too.
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        let text = String::from_utf8_lossy(&bytes);
        let decode = |line: &str| codec::decode::<Evidence>(&codec::unhex(line)?).ok();
        let kept = text
            .lines()
            .filter_map(decode)
            .filter_map(|evidence| {
                Some((evidence.convicts(chain, &committee(evidence.height()))?, evidence))
            })
            .take(KEPT_MAX)
            .collect();
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            // Nothing is added while the disk is read-only, and what is there can still be shown.
            .or_else(|error| File::open(&path).map_err(|_also| error))
            .with_context(|| format!("cannot open {}", path.display()))?;
        if bytes.last().is_some_and(|last| *last != b'\n') {
            // A line that a crash cut short must not swallow the next.
            writeln!(file).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(Self { file, kept })
    }

    /// Keeps a piece of evidence, if it convicts somebody of something not known yet. Says whether it did.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(
        &mut self,
        evidence: Evidence,
        chain: &ChainId,
        committee: &Committee,
    ) -> std::io::Result<bool> {
        let Some(place) = evidence.convicts(chain, committee) else { return Ok(false) };
        if self.kept.contains_key(&place) || self.kept.len() >= KEPT_MAX {
            return Ok(false);
        }
        writeln!(self.file, "{}", codec::hex(&codec::encode(&evidence)))?;
        self.file.sync_data().map_err(std::io::Error::other)?;
        self.kept.insert(place, evidence);
        Ok(true)
    }

    /// All of it, by place.
    pub fn iter(&self) -> impl Iterator<Item = (&Place, &Evidence)> {
        self.kept.iter()
    }
}
