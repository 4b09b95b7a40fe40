//! What the checker brings: the genesis of a chain, had from a channel other than the one the proof came by, and perhaps a
//! block of it that the checker has seen proven before.

use crate::{
    armor,
    error::ProofError,
    file,
    receipt::{Claim, Hop, Proof},
    succession::Succession,
};
use types::{
    Certificate, ChainId, Committee, Genesis, Hash, Header, Height, Text, genesis::GenesisError,
};

/// The longest trust root, bytes: a genesis and a saved proof.
pub const TRUST_ROOT_BYTES_MAX: usize = (4 << 20) + armor::ARMOR_BYTES_MAX;

/// Whom to believe. It never comes out of a proof that was handed over; it may be advanced by one that held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustRoot {
    genesis: Genesis,
    chain: ChainId,
    succession: Succession,
    checkpoint: Option<Checkpoint>,
}

/// A block that was proven to be of the chain, with the changes of the committee that lead to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    handover: Vec<Hop>,
    header: Header,
    certificate: Certificate,
}

impl Checkpoint {
    /// The block.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// That its committee agreed on it.
    #[must_use]
    pub const fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Every block that is known: those in which the committee changed, and the one that was saved.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = &Header> {
        self.handover.iter().map(|hop| &hop.header).chain([&self.header])
    }
}

/// Why text is not a trust root.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustRootError {
    /// The genesis is none.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// What is saved after the genesis does not follow from it.
    #[error("the block saved after the genesis: {0}")]
    Checkpoint(ProofError),
    /// What is saved claims more than a block, or less.
    #[error("what is saved after the genesis is not the proof of a block and nothing else")]
    Claims,
    /// Longer than any.
    #[error("{found} bytes; a trust root has at most {TRUST_ROOT_BYTES_MAX}")]
    TooLong {
        /// Bytes given.
        found: usize,
    },
}

impl TrustRoot {
    /// The trust root that a genesis is, once its parts are found to fit together.
    ///
    /// # Errors
    /// What does not fit.
    pub fn new(genesis: Genesis) -> Result<Self, GenesisError> {
        genesis.check()?;
        let succession = Succession::genesis(genesis.committee());
        Ok(Self { chain: genesis.chain(), genesis, succession, checkpoint: None })
    }

    /// The trust root that a genesis file spells.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn from_toml(text: &str) -> Result<Self, GenesisError> {
        Self::new(Genesis::from_toml(text)?)
    }

    /// The trust root that a text spells: a genesis file, and after it, if a block was saved, the armoured proof of it.
    ///
    /// The saved block is checked again: whoever can change the file can still not make it lead elsewhere than the genesis.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn from_text(text: &str) -> Result<Self, TrustRootError> {
        if text.len() > TRUST_ROOT_BYTES_MAX {
            return Err(TrustRootError::TooLong { found: text.len() });
        }
        let Some(at) = saved_from(text) else { return Ok(Self::from_toml(text)?) };
        let (genesis, saved) = text.split_at(at);
        let root = Self::from_toml(genesis)?;
        let proof = file::decode(saved.as_bytes()).map_err(TrustRootError::Checkpoint)?;
        if proof.claims != [Claim::Block] {
            return Err(TrustRootError::Claims);
        }
        root.advance(&proof).map_err(TrustRootError::Checkpoint)
    }

    /// The text that spells it: the genesis, and the armoured proof of the saved block, if there is one.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = self.genesis.to_toml();
        if let Some(proof) = self.saved() {
            if !text.ends_with('\n') {
                text.push('\n');
            }
            text.push_str(&armor(&file::encode(&proof)));
        }
        text
    }

    /// The proof of the saved block from genesis on, if there is one.
    #[must_use]
    pub fn saved(&self) -> Option<Proof> {
        let Checkpoint { handover, header, certificate } = self.checkpoint.clone()?;
        Some(Proof { chain: self.chain, handover, header, certificate, claims: vec![Claim::Block] })
    }

    /// The proof, from genesis on, of a block that is known: the saved one, or one in which the committee changed.
    #[must_use]
    pub fn known(&self, height: Height) -> Option<Proof> {
        let mut proof = self.saved()?;
        if let Some(at) = proof.handover.iter().position(|hop| hop.header.height == height) {
            let Hop { header, certificate, .. } = proof.handover.swap_remove(at);
            proof.handover.truncate(at);
            (proof.header, proof.certificate) = (header, certificate);
        }
        (proof.header.height == height).then_some(proof)
    }

    /// The same trust root, with the block of a proof as what is known of the chain.
    ///
    /// An older block than the one that is saved already is checked, and the later stays. Of a later one the proof must show
    /// that its log continues that of the block that is saved, or the validators could have two logs for two inspectors.
    ///
    /// # Errors
    /// When the block does not follow from this trust root, or contradicts it.
    pub fn advance(&self, proof: &Proof) -> Result<Self, ProofError> {
        let succession = proof.finality(self)?;
        let header = proof.header;
        let saved = self.checkpoint.as_ref();
        if let Some(saved) = saved {
            if saved.header.height >= header.height {
                return Ok(self.clone());
            }
            proof.continues(&saved.header, self, &succession)?;
        }
        // Of what the file brings, what was known before is kept as it was.
        let known = saved.map_or(&[][..], |saved| &saved.handover[..]);
        let fresh =
            |hop: &&Hop| known.last().is_none_or(|last| hop.header.height > last.header.height);
        let fresh = proof.handover.iter().filter(fresh).cloned();
        let handover = known.iter().cloned().chain(fresh).collect();
        let checkpoint = Checkpoint { handover, header, certificate: proof.certificate.clone() };
        Ok(Self {
            genesis: self.genesis.clone(),
            chain: self.chain,
            succession,
            checkpoint: Some(checkpoint),
        })
    }

    /// The network's name, for people.
    #[must_use]
    pub const fn name(&self) -> &Text<64> {
        &self.genesis.name
    }

    /// The chain's id. Two people compare this to know that they hold the same trust root.
    #[must_use]
    pub const fn chain(&self) -> &ChainId {
        &self.chain
    }

    /// The committee that certified the block of a proof that is proven against this trust root.
    #[must_use]
    pub fn committee_of(&self, proof: &Proof) -> Option<Committee> {
        let known = proof.finality(self).ok()?;
        Some(known.at(proof.header.height).committee.clone())
    }

    /// The last committee known.
    #[must_use]
    pub fn committee(&self) -> &Committee {
        &self.succession.last().committee
    }

    /// That committee's digest, as headers name it.
    #[must_use]
    pub fn digest(&self) -> &Hash {
        &self.succession.last().digest
    }

    /// Every committee known, with the first height that it certifies, oldest first.
    pub fn committees(&self) -> impl Iterator<Item = (Height, &Committee)> {
        self.succession.reigns().map(|reign| (reign.from, &reign.committee))
    }

    /// The block saved, if there is one.
    #[must_use]
    pub const fn checkpoint(&self) -> Option<&Checkpoint> {
        self.checkpoint.as_ref()
    }

    /// The genesis itself.
    #[must_use]
    pub const fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    pub(crate) const fn succession(&self) -> &Succession {
        &self.succession
    }

    /// Whether a certified block can stand in one chain with every block that is known.
    ///
    /// # Errors
    /// It cannot: evidence, or as good as that, against those who certified it.
    pub(crate) fn fits(&self, header: &Header) -> Result<(), ProofError> {
        let Some(saved) = &self.checkpoint else { return Ok(()) };
        for known in saved.blocks() {
            if known.height == header.height && known != header {
                let (height, found, yours) = (known.height, header.id(), known.id());
                return Err(ProofError::Fork { height, found, yours });
            }
            let (older, newer) =
                if header.height < known.height { (header, known) } else { (known, header) };
            if older.height < newer.height && !fit_together(older, newer) {
                let (height, yours) = (header.height, known.height);
                return Err(ProofError::Contradiction { height, yours });
            }
        }
        // Up to the saved block it is known who sat when.
        let (height, yours) = (header.height, saved.header.height);
        if height < yours && header.next_committee != self.succession.at(height.plus(1)).digest {
            return Err(ProofError::Contradiction { height, yours });
        }
        Ok(())
    }
}

/// Whether two blocks of different heights can stand in one chain, as far as their headers tell.
fn fit_together(older: &Header, newer: &Header) -> bool {
    older.time < newer.time
        && older.log_size <= newer.log_size
        && (older.log_size < newer.log_size || older.log_root == newer.log_root)
        && (older.height.plus(1) < newer.height
            || newer.parent == older.id() && newer.committee == older.next_committee)
}

/// Where the first line that begins an armoured proof begins.
fn saved_from(text: &str) -> Option<usize> {
    if text.starts_with(armor::BEGIN) {
        return Some(0);
    }
    let line = format!("\n{}", armor::BEGIN);
    text.find(&line).map(|at| at + 1)
}
