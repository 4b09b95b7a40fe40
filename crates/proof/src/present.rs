//! A presentation: some fields of a recorded document, and nothing of the others but that there are so many.

use crate::{
    error::ProofError,
    file::{PROOF_BYTES_MAX, seal},
    many::{self, ManyError},
    receipt::{Claim, Proof},
    trust::TrustRoot,
    verify::{Verdict, verify_binary},
};
use serde::{Deserialize, Serialize};
use types::{
    Hash,
    codec::{self, CodecError, Wire},
    fields::{FIELDS_MAX, Field, FieldTree, commit, commitment},
};

/// The first bytes of every presentation.
pub const PRESENTATION_MAGIC: &[u8; 8] = b"MINLIANP";

/// The version of the presentation format.
pub const PRESENTATION_VERSION: u16 = 1;

/// The largest presentation, bytes.
pub const PRESENTATION_BYTES_MAX: usize = PROOF_BYTES_MAX + (2 << 20);

const SEAL_BYTES: usize = 8;
const FRAME_BYTES: usize = PRESENTATION_MAGIC.len() + size_of::<u16>() + SEAL_BYTES;

/// Fields with what shows that they are those of a record, and the proof of that record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presentation {
    /// The proof, in its binary carrier.
    pub proof: Vec<u8>,
    /// Which of its claims is the record that commits to the fields.
    pub claim: u32,
    /// How many fields the document has.
    pub count: u32,
    /// The fields shown, each with its place among all, ascending: 1 to [`FIELDS_MAX`].
    pub fields: Vec<(u32, Field)>,
    /// What lies beside them under the fields' root, from left to right.
    pub nodes: Vec<Hash>,
}

impl Wire for Presentation {
    const BYTES_MAX: usize = PRESENTATION_BYTES_MAX - FRAME_BYTES;
}

/// Why fields are not shown to be those of a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PresentationError {
    /// The claim named is no record, or one that commits to no fields.
    #[error("claim {claim} of the proof is no record that commits to fields")]
    Record {
        /// The claim named.
        claim: u32,
    },
    /// The fields do not stand in order, or are beyond a limit.
    #[error("the fields shown do not stand in order, or are more or longer than they may be")]
    List,
    /// Another number of hashes than the fields ask for.
    #[error("{found} hashes beside the fields, where they ask for {wanted}")]
    Path {
        /// Hashes given.
        found: usize,
        /// Hashes asked for.
        wanted: usize,
    },
    /// A value, a name, a salt or the number of fields is not what was recorded.
    #[error("the fields shown lead to {found}, but {wanted} was recorded: one of them was changed")]
    Mismatch {
        /// What they lead to.
        found: Hash,
        /// What was recorded.
        wanted: Hash,
    },
    /// Nothing in it is untrue, but it is not what was handed out.
    #[error("the presentation was changed after it was made")]
    Seal,
}

impl PresentationError {
    /// The code, for ever.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Record { .. } => "V-FIELD-RECORD",
            Self::List => "V-FIELD-LIST",
            Self::Path { .. } => "V-FIELD-PATH",
            Self::Mismatch { .. } => "V-FIELD-MISMATCH",
            Self::Seal => "V-FIELD-SEAL",
        }
    }
}

/// What was found out about a presentation.
#[derive(Clone, Debug)]
pub struct Showing {
    /// What came of its proof.
    pub verdict: Verdict,
    /// What it shows. Nothing of it is proven unless the proof is.
    pub fields: Result<Disclosed, PresentationError>,
}

/// Fields that a record commits to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disclosed {
    /// The claim that is the record.
    pub claim: usize,
    /// The fields, by ascending name.
    pub fields: Vec<Field>,
    /// How many the document has, these included.
    pub count: u32,
}

/// Whether bytes begin as a presentation does.
#[must_use]
pub fn is_presentation(bytes: &[u8]) -> bool {
    bytes.starts_with(PRESENTATION_MAGIC)
}

impl Presentation {
    /// Shows those of a document's fields that `shown` picks, with the proof of the record that commits to all of them.
    ///
    /// `None` when no field is picked, or the proof is of no record that commits to exactly these fields.
    #[must_use]
    pub fn of(proof: &[u8], all: &[Field], shown: impl Fn(&Field) -> bool) -> Option<Self> {
        let leaves: Vec<Hash> = all.iter().map(Field::leaf).collect();
        let recorded = commit(&leaves);
        let read = crate::decode(proof).ok()?;
        let claim = read.claims.iter().position(|claim| {
            recorded.is_some()
                && matches!(claim, Claim::Record(claim) if claim.operation.commitment.fields == recorded)
        })?;
        let fields: Vec<(u32, Field)> = (0..)
            .zip(all)
            .filter(|(_, field)| shown(field))
            .map(|(n, field)| (n, field.clone()))
            .collect();
        let indexes: Vec<u64> = fields.iter().map(|(index, _)| u64::from(*index)).collect();
        if indexes.is_empty() {
            return None;
        }
        Some(Self {
            proof: crate::encode(&read),
            claim: u32::try_from(claim).ok()?,
            count: u32::try_from(all.len()).ok()?,
            nodes: many::beside_list::<FieldTree>(&leaves, &indexes),
            fields,
        })
    }

    /// The file that spells it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let head = PRESENTATION_VERSION.to_le_bytes();
        let mut bytes = [&PRESENTATION_MAGIC[..], &head, &codec::encode(self)].concat();
        let seal = seal(&bytes);
        bytes.extend_from_slice(&seal);
        bytes
    }

    /// Reads a file, and says whether its seal is whole.
    ///
    /// # Errors
    /// Not a presentation, of another version, damaged, or not spelled in the one way there is.
    pub fn decode(bytes: &[u8]) -> Result<(Self, bool), ProofError> {
        let rest = bytes.strip_prefix(PRESENTATION_MAGIC).ok_or(ProofError::NotAProof)?;
        if bytes.len() > PRESENTATION_BYTES_MAX {
            return Err(ProofError::TooLong { found: bytes.len() });
        }
        let (version, rest) = rest.split_first_chunk().ok_or(ProofError::Truncated)?;
        let (found, known) = (u16::from_le_bytes(*version), PRESENTATION_VERSION);
        if found != known {
            return Err(ProofError::Version { what: "presentation", found, known });
        }
        let (body, found) = rest.split_last_chunk::<SEAL_BYTES>().ok_or(ProofError::Truncated)?;
        let presentation = codec::decode(body).map_err(|error| match error {
            CodecError::TooLong { found, .. } => ProofError::TooLong { found },
            CodecError::Malformed(why) => ProofError::Malformed(why),
            CodecError::Trailing(_) | CodecError::NotCanonical => ProofError::NotCanonical,
        })?;
        Ok((presentation, seal(&bytes[..bytes.len() - SEAL_BYTES]) == *found))
    }

    /// The fields, if a record of the proof commits to them.
    fn disclosed(&self, proof: &Proof) -> Result<Disclosed, PresentationError> {
        let wanted = usize::try_from(self.claim)
            .ok()
            .and_then(|at| match proof.claims.get(at) {
                Some(Claim::Record(claim)) => claim.operation.commitment.fields,
                Some(_) | None => None,
            })
            .ok_or(PresentationError::Record { claim: self.claim })?;
        let count = usize::try_from(self.count).unwrap_or(usize::MAX);
        let ascends =
            |pair: &[(u32, Field)]| pair[0].0 < pair[1].0 && pair[0].1.name < pair[1].1.name;
        let sound = (1..=FIELDS_MAX).contains(&count)
            && (1..=count).contains(&self.fields.len())
            && self.fields.windows(2).all(ascends)
            && self.fields.iter().all(|(index, field)| *index < self.count && field.is_sound());
        if !sound {
            return Err(PresentationError::List);
        }
        let leaves: Vec<(u64, Hash)> =
            self.fields.iter().map(|(index, field)| (u64::from(*index), field.leaf())).collect();
        let root =
            many::climb::<FieldTree>(&leaves, self.count.into(), &self.nodes).map_err(|error| {
                match error {
                    ManyError::Index { .. } => PresentationError::List,
                    ManyError::Length { found, wanted } => {
                        PresentationError::Path { found, wanted }
                    }
                }
            })?;
        let found = commitment(self.count.into(), &root);
        if found != wanted {
            return Err(PresentationError::Mismatch { found, wanted });
        }
        let fields = self.fields.iter().map(|(_, field)| field.clone()).collect();
        Ok(Disclosed {
            claim: usize::try_from(self.claim).unwrap_or(usize::MAX),
            fields,
            count: self.count,
        })
    }
}

/// Checks a presentation: its proof, as any other; then the fields, against what the proof says was recorded.
///
/// # Errors
/// When it cannot be read.
pub fn present(bytes: &[u8], root: &TrustRoot) -> Result<Showing, ProofError> {
    let (presentation, sealed) = Presentation::decode(bytes)?;
    let verdict = verify_binary(&presentation.proof, root);
    let proof = match &verdict.result {
        Ok(proven) => Some(proven.get()),
        Err(refusal) => refusal.claimed.as_deref(),
    };
    let fields = proof
        .ok_or(PresentationError::Record { claim: presentation.claim })
        .and_then(|proof| presentation.disclosed(proof))
        .and_then(|fields| if sealed { Ok(fields) } else { Err(PresentationError::Seal) });
    Ok(Showing { verdict, fields })
}
