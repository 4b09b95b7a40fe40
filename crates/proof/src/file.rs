//! The proof file: magic, format version, canonical body, seal, and nothing else.

use crate::{
    armor,
    error::ProofError,
    frames,
    receipt::{
        AUTHORITY_WORK_MAX, AgencyState, AuthorityClaim, CLAIMS_MAX, Claim, HOPS_MAX, LINKS_MAX,
        Proof, RecordClaim, RecordsClaim, SIGNATURES_MAX, first::ProofV1,
    },
};
use std::collections::{BTreeMap, BTreeSet};
use types::{
    AgencyCode, Digest, Height, Role, Timestamp,
    authority::Grant,
    codec::{self, CodecError, Wire},
    operation::Action,
    subject::Facts,
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

/// The proof that `bytes` spell, in any carrier: the binary file, its text armour, or its QR frames.
///
/// # Errors
/// Not a proof, of an unknown version, damaged, changed, or not spelled in the one way there is.
pub fn decode(bytes: &[u8]) -> Result<Proof, ProofError> {
    let (proof, seal) = read(bytes)?;
    seal.and(Ok(proof))
}

/// The proof that a binary carrier spells, and whether its seal is whole. What stands inside another file, or in frames,
/// is such a carrier and no other.
pub(crate) fn read_binary(bytes: &[u8]) -> Result<(Proof, Result<(), ProofError>), ProofError> {
    if MAGIC.starts_with(bytes) {
        return Err(ProofError::Truncated);
    }
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

/// The proof that `bytes` spell, and whether its seal is whole; so that a changed proof can be told what is wrong with it.
pub(crate) fn read(bytes: &[u8]) -> Result<(Proof, Result<(), ProofError>), ProofError> {
    let begins = [armor::BEGIN.as_bytes(), frames::BEGIN.as_bytes()];
    if begins.iter().any(|begin| begin.starts_with(bytes)) {
        return Err(ProofError::Truncated);
    }
    if bytes.starts_with(frames::BEGIN.as_bytes()) {
        return read_binary(&frames::unframe(bytes)?);
    }
    if bytes.starts_with(armor::BEGIN.as_bytes()) {
        return read_binary(&armor::dearmor(bytes)?);
    }
    read_binary(bytes)
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
        if found > SIGNATURES_MAX {
            return Err(ProofError::Signatures { found });
        }
        let found = self.authority_work();
        if found > AUTHORITY_WORK_MAX { Err(ProofError::Work { found }) } else { Ok(()) }
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
            | Claim::Block
            | Claim::Authority(_) => 0,
        };
        self.claims.iter().map(of).sum()
    }

    /// How much there is to compare before it is known who could record what: lists of roles held against one another,
    /// once for each block and agency, and against each record.
    #[must_use]
    pub fn authority_work(&self) -> u64 {
        let mut lines: BTreeMap<AgencyCode, (u64, u64)> = BTreeMap::new();
        let mut work = 0u64;
        for claim in &self.claims {
            if let Claim::Authority(claim) = claim {
                let (own, line) = weights(claim);
                lines.entry(claim.agency).or_insert((own, line));
                work = work.saturating_add(line);
            }
        }
        if lines.is_empty() {
            return 0;
        }
        let mut seen = BTreeSet::new();
        let mut of = |agency: AgencyCode, height: Height, time: Timestamp, action: &Action| {
            let Some((own, line)) = lines.get(&agency) else { return 0 };
            let lots = match action {
                Action::Trace(event) => count(event.lots.len()).max(1),
                Action::Item(_)
                | Action::Licence(_)
                | Action::Govern(_)
                | Action::List(_)
                | Action::Batch(_)
                | Action::Seed(_)
                | Action::Use(_) => 1,
            };
            let line = if seen.insert((agency, height, time)) { *line } else { 0 };
            line.saturating_add(own.saturating_mul(lots))
        };
        let batch = |claim: &RecordsClaim, of: &mut dyn FnMut(_, _, _, &Action) -> u64| {
            let each = claim.records.iter().filter_map(|record| {
                let at = usize::try_from(record.transaction).ok()?;
                let shared = claim.transactions.get(at)?;
                let action = &record.operation.action;
                Some(of(shared.header.agency, shared.height, shared.time, action))
            });
            each.fold(0, u64::saturating_add)
        };
        for claim in &self.claims {
            match claim {
                Claim::Record(claim) => {
                    let RecordClaim { entry, transaction, operation, .. } = &**claim;
                    let more = of(transaction.agency, entry.height, entry.time, &operation.action);
                    work = work.saturating_add(more);
                }
                Claim::Records(claim) => work = work.saturating_add(batch(claim, &mut of)),
                Claim::Upstream(claim) => {
                    work = work.saturating_add(batch(&claim.records, &mut of));
                }
                Claim::Status(_)
                | Claim::Consistency(_)
                | Claim::Fork(_)
                | Claim::Votes(_)
                | Claim::Block
                | Claim::Authority(_) => {}
            }
        }
        work
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
            Claim::Status(_) | Claim::Block | Claim::Authority(_) => 0,
            Claim::Records(claim) => batch(claim),
            Claim::Upstream(claim) => batch(&claim.records),
            Claim::Consistency(claim) => claim.certificate.signatures.len(),
            Claim::Fork(claim) => claim.certificate.signatures.len(),
            Claim::Votes(_) => 2,
        });
        hops.sum::<usize>() + self.certificate.signatures.len() + claims.sum::<usize>()
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// What the first agency of a line weighs, and what the whole line does: the entries of its roles' lists, and those of
/// delegated roles once for every entry of the agency above.
fn weights(claim: &AuthorityClaim) -> (u64, u64) {
    let role = |grant: &Grant| match &grant.role {
        Role::Item { regions } => count(regions.len()).max(1),
        Role::Licence { types, regions } => count(types.len() + regions.len()).max(1),
        Role::Trace { namespaces } => count(namespaces.len()).max(1),
        Role::Govern {} => 1,
    };
    let (mut own, mut line, mut above) = (0, 0u64, 1u64);
    for AgencyState { state, .. } in claim.line.iter().rev() {
        let (all, delegated) = match &state.facts {
            Facts::Agency(facts) => {
                let delegated = facts.grants.iter().filter(|grant| grant.by.is_some());
                let roles: u64 = facts.grants.iter().map(role).sum();
                let terms = count(facts.keys.len() + facts.suspensions.len());
                (roles + terms, delegated.map(role).sum::<u64>())
            }
            Facts::Item { .. }
            | Facts::Basic { .. }
            | Facts::Licence { .. }
            | Facts::Lot
            | Facts::Proposal(_)
            | Facts::Network(_)
            | Facts::Elements(_)
            | Facts::List { .. }
            | Facts::Batch { .. }
            | Facts::Seed { .. }
            | Facts::Grant(_)
            | Facts::Trail
            | Facts::Document { .. } => (1, 0),
        };
        line = line.saturating_add(all).saturating_add(delegated.saturating_mul(above));
        (own, above) = (all, all);
    }
    (own, line)
}
