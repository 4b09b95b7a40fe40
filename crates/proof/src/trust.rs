//! What the checker brings: the genesis of a chain, had from a channel other than the one the proof came by.

use types::{ChainId, Committee, Genesis, Hash, Text, genesis::GenesisError};

/// Whom to believe. It never comes out of a proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustRoot {
    genesis: Genesis,
    chain: ChainId,
    committee: Committee,
    digest: Hash,
}

impl TrustRoot {
    /// The trust root that a genesis is, once its parts are found to fit together.
    ///
    /// # Errors
    /// What does not fit.
    pub fn new(genesis: Genesis) -> Result<Self, GenesisError> {
        genesis.check()?;
        let (chain, committee) = (genesis.chain(), genesis.committee());
        Ok(Self { digest: committee.digest(), genesis, chain, committee })
    }

    /// The trust root that a genesis file spells.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn from_toml(text: &str) -> Result<Self, GenesisError> {
        Self::new(Genesis::from_toml(text)?)
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

    /// The committee whose certificates count.
    #[must_use]
    pub const fn committee(&self) -> &Committee {
        &self.committee
    }

    /// The committee's digest, as headers name it.
    #[must_use]
    pub const fn digest(&self) -> &Hash {
        &self.digest
    }

    /// The genesis itself.
    #[must_use]
    pub const fn genesis(&self) -> &Genesis {
        &self.genesis
    }
}
