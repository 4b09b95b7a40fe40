//! Who may vote, how many are enough, and the certificate that enough have.

use crate::{
    agency::AgencyCode,
    codec::{self, Wire},
    hash::{BlockId, ChainId, Hash, Purpose, hash},
    key::{PublicKey, Signature},
    text::Text,
    time::{Height, Round},
    vote::{Step, Vote},
};
use serde::{Deserialize, Deserializer, Serialize, de};

/// The most validators a committee may have.
pub const VALIDATORS_MAX: usize = 128;

/// A seat of the committee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validator {
    /// The agency that operates it.
    pub agency: AgencyCode,
    /// Its name, as people know it.
    pub name: Text<96>,
    /// Its consensus key.
    pub key: PublicKey,
}

/// The validators of a height, by index. One validator, one vote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Committee(Vec<Validator>);

impl<'de> Deserialize<'de> for Committee {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Self::new(Vec::deserialize(d)?).map_err(de::Error::custom)
    }
}

impl Wire for Committee {
    const BYTES_MAX: usize = 64 + VALIDATORS_MAX * 192;
}

/// Why a list of validators is not a committee.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitteeError {
    /// Too few to tolerate one fault, or too many to be carried in a proof.
    #[error("{0} validators; a committee has 4 to {VALIDATORS_MAX}")]
    Size(usize),
    /// One key in two seats.
    #[error("two validators have the key {0}")]
    Twice(PublicKey),
}

impl Committee {
    /// The committee of these seats.
    ///
    /// # Errors
    /// When there are fewer than four or more than the limit, or a key sits twice.
    pub fn new(seats: Vec<Validator>) -> Result<Self, CommitteeError> {
        if !(4..=VALIDATORS_MAX).contains(&seats.len()) {
            return Err(CommitteeError::Size(seats.len()));
        }
        let mut keys: Vec<_> = seats.iter().map(|seat| seat.key).collect();
        keys.sort_unstable();
        if let Some(pair) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(CommitteeError::Twice(pair[0]));
        }
        Ok(Self(seats))
    }

    /// How many seats there are.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.0.len()
    }

    /// The seat with an index.
    #[must_use]
    pub fn seat(&self, index: u16) -> Option<&Validator> {
        self.0.get(usize::from(index))
    }

    /// The index of a key's seat.
    #[must_use]
    pub fn index_of(&self, key: &PublicKey) -> Option<u16> {
        self.0.iter().position(|seat| seat.key == *key).and_then(|index| u16::try_from(index).ok())
    }

    /// The seats in order.
    pub fn seats(&self) -> impl Iterator<Item = (u16, &Validator)> {
        (0..).zip(&self.0)
    }

    /// How many votes are a quorum: more than two thirds (2f+1 of 3f+1).
    #[must_use]
    pub const fn quorum(&self) -> usize {
        self.0.len() * 2 / 3 + 1
    }

    /// How many may fail: f.
    #[must_use]
    pub const fn faults(&self) -> usize {
        (self.0.len() - 1) / 3
    }

    /// The hash by which headers name it.
    #[must_use]
    pub fn digest(&self) -> Hash {
        codec::encoded(self, |bytes| hash(Purpose::Committee, &[bytes]))
    }
}

/// Proof that a quorum agreed on a block: their precommits for it in one round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The height agreed on.
    pub height: Height,
    /// The round in which they did.
    pub round: Round,
    /// The block.
    pub block: BlockId,
    /// Seats and their signatures, by strictly ascending seat.
    pub signatures: Vec<(u16, Signature)>,
}

impl Wire for Certificate {
    const BYTES_MAX: usize = 64 + VALIDATORS_MAX * 67;
}

/// Why a certificate certifies nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Seats repeated or out of order.
    #[error("seat {seat} does not follow the seat before it")]
    Order {
        /// The seat at fault.
        seat: u16,
    },
    /// A seat the committee does not have.
    #[error("seat {seat} is not a seat of this committee")]
    Seat {
        /// The seat at fault.
        seat: u16,
    },
    /// A signature that does not verify.
    #[error("the signature of seat {seat} does not verify")]
    Signature {
        /// The seat at fault.
        seat: u16,
    },
    /// Valid as far as it goes, but too few.
    #[error("{found} signatures where {wanted} are needed")]
    Quorum {
        /// Signatures there are.
        found: usize,
        /// Signatures needed.
        wanted: usize,
    },
}

impl Certificate {
    /// Whether a quorum of `committee` precommitted this block, in this round, on `chain`.
    ///
    /// Every signature must be good: a certificate with one bad signature is nobody's honest work.
    ///
    /// # Errors
    /// The first thing wrong with it.
    pub fn verify(&self, chain: &ChainId, committee: &Committee) -> Result<(), CertificateError> {
        let mut before = None;
        for (seat, _) in &self.signatures {
            if before.is_some_and(|before| *seat <= before) {
                return Err(CertificateError::Order { seat: *seat });
            }
            before = Some(*seat);
            if committee.seat(*seat).is_none() {
                return Err(CertificateError::Seat { seat: *seat });
            }
        }
        let (found, wanted) = (self.signatures.len(), committee.quorum());
        if found < wanted {
            return Err(CertificateError::Quorum { found, wanted });
        }
        for (seat, signature) in &self.signatures {
            let vote = Vote {
                height: self.height,
                round: self.round,
                step: Step::Precommit,
                block: Some(self.block),
                seat: *seat,
            };
            vote.check(chain, committee, signature)
                .map_err(|_why| CertificateError::Signature { seat: *seat })?;
        }
        Ok(())
    }
}
