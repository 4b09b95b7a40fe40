//! The proof file: magic, format version, canonical body, seal, and nothing else.

use crate::{
    armor,
    error::ProofError,
    receipt::{
        CLAIMS_MAX, Claim, HOPS_MAX, LINKS_MAX, Proof, RecordsClaim, SIGNATURES_MAX, first::ProofV1,
    },
};
use types::{
    Digest,
    codec::{self, CodecError, Wire},
};

/// The first bytes of every proof.
pub const MAGIC: &[u8; 8] = b"MINLIAN\0";

/// The version of the proof format that is written.
pub const VERSION: u16 = 2;

/// The first version, which had no handovers and two kinds of claims. It is read for ever.
const FIRST: u16 = 1;

/// The largest proof, bytes.
pub const PROOF_BYTES_MAX: usize = 4 << 20;

/// Bytes of the seal: plenty against accidents; forgers are the certificate's business.
const SEAL_BYTES: usize = 8;

const FRAME_BYTES: usize = MAGIC.len() + size_of::<u16>() + SEAL_BYTES;

impl Wire for Proof {
    const BYTES_MAX: usize = PROOF_BYTES_MAX - FRAME_BYTES;
}

impl Wire for ProofV1 {
    const BYTES_MAX: usize = Proof::BYTES_MAX;
}

/// The file that spells `proof`.
///
/// # Panics
/// When the proof is beyond 16 MiB; what is beyond [`PROOF_BYTES_MAX`] is encoded, and no verifier will read it.
#[must_use]
pub fn encode(proof: &Proof) -> Vec<u8> {
    let mut bytes = [&MAGIC[..], &VERSION.to_le_bytes(), &codec::encode(proof)].concat();
    let seal = seal(&bytes);
    bytes.extend_from_slice(&seal);
    bytes
}

/// The first bytes of the BLAKE3 digest of all that stands before the seal.
///
/// A path of absence is true of every key that would stand in the same empty place, so no hash of the ledger pins the
/// subject that was asked for. The seal does: a proof that was changed is not the proof that was made.
pub(crate) fn seal(bytes: &[u8]) -> [u8; SEAL_BYTES] {
    let digest = Digest::blake3(bytes).bytes;
    *digest.first_chunk().expect("a digest is longer than a seal")
}

/// The proof that `bytes` spell, in either carrier: the binary file or its text armour.
///
/// # Errors
/// Not a proof, of an unknown version, damaged, changed, or not spelled in the one way there is.
pub fn decode(bytes: &[u8]) -> Result<Proof, ProofError> {
    let (proof, seal) = read(bytes)?;
    seal.and(Ok(proof))
}

/// The proof that `bytes` spell, and whether its seal is whole; so that a changed proof can be told what is wrong with it.
pub(crate) fn read(bytes: &[u8]) -> Result<(Proof, Result<(), ProofError>), ProofError> {
    if MAGIC.starts_with(bytes) || armor::BEGIN.as_bytes().starts_with(bytes) {
        return Err(ProofError::Truncated);
    }
    if bytes.starts_with(armor::BEGIN.as_bytes()) {
        return read_binary(&armor::dearmor(bytes)?);
    }
    read_binary(bytes)
}

fn read_binary(bytes: &[u8]) -> Result<(Proof, Result<(), ProofError>), ProofError> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(ProofError::NotAProof)?;
    if bytes.len() > PROOF_BYTES_MAX {
        return Err(ProofError::TooLong { found: bytes.len() });
    }
    let (version, rest) = rest.split_first_chunk().ok_or(ProofError::Truncated)?;
    let format = u16::from_le_bytes(*version);
    if !(FIRST..=VERSION).contains(&format) {
        return Err(ProofError::Version { what: "proof", found: format, known: VERSION });
    }
    let (body, found) = rest.split_last_chunk().ok_or(ProofError::Truncated)?;
    let proof: Proof = if format == FIRST {
        codec::decode::<ProofV1>(body).map(Proof::from)
    } else {
        codec::decode(body)
    }
    .map_err(|error| match error {
        CodecError::TooLong { found, .. } => ProofError::TooLong { found },
        // The codec reports this as text only; a test holds it to the word.
        CodecError::Malformed(why) if why.starts_with("UnexpectedEnd") => ProofError::Truncated,
        CodecError::Malformed(why) => ProofError::Malformed(why),
        CodecError::Trailing(_) | CodecError::NotCanonical => ProofError::NotCanonical,
    })?;
    proof.within_limits()?;
    let sealed = seal(&bytes[..bytes.len() - SEAL_BYTES]) == *found;
    Ok((proof, if sealed { Ok(()) } else { Err(ProofError::Seal) }))
}

impl Proof {
    /// A proof of nothing must not pass for a proof, nor one of too much take for ever.
    pub(crate) fn within_limits(&self) -> Result<(), ProofError> {
        let found = self.claims.len();
        if !(1..=CLAIMS_MAX).contains(&found) {
            return Err(ProofError::Claims { found });
        }
        let found = self.handover.len();
        if found > HOPS_MAX {
            return Err(ProofError::Hops { found });
        }
        let found = self.links();
        if found > LINKS_MAX {
            return Err(ProofError::Links { found });
        }
        let found = self.signatures();
        if found > SIGNATURES_MAX { Err(ProofError::Signatures { found }) } else { Ok(()) }
    }

    /// How many links of histories are listed.
    fn links(&self) -> usize {
        let of = |claim: &Claim| match claim {
            Claim::Status(claim) => claim.history.as_ref().map_or(0, Vec::len),
            Claim::Upstream(claim) => claim.lots.iter().map(|lot| lot.history.len()).sum(),
            Claim::Record(_)
            | Claim::Records(_)
            | Claim::Consistency(_)
            | Claim::Fork(_)
            | Claim::Votes(_)
            | Claim::Block => 0,
        };
        self.claims.iter().map(of).sum()
    }

    /// How many signatures the check would verify if all went well: at most [`SIGNATURES_MAX`].
    #[must_use]
    pub fn signatures(&self) -> usize {
        let hops = self.handover.iter().map(|hop| hop.certificate.signatures.len());
        let batch = |claim: &RecordsClaim| claim.transactions.len();
        let mut before = None;
        let claims = self.claims.iter().map(|claim| match claim {
            Claim::Record(claim) => {
                // Neighbours of one transaction share its signature.
                let signed = Some((&claim.transaction, &claim.signature));
                let again = core::mem::replace(&mut before, signed) == signed;
                usize::from(!again)
            }
            Claim::Status(_) | Claim::Block => 0,
            Claim::Records(claim) => batch(claim),
            Claim::Upstream(claim) => batch(&claim.records),
            Claim::Consistency(claim) => claim.certificate.signatures.len(),
            Claim::Fork(claim) => claim.certificate.signatures.len(),
            Claim::Votes(_) => 2,
        });
        hops.sum::<usize>() + self.certificate.signatures.len() + claims.sum::<usize>()
    }
}
