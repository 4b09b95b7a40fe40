//! Blocks held against one another: an earlier one whose log this one continues, another of the same height, two sayings.

use super::{Examination, Fact, certified, signers};
use crate::{
    error::{EquivocationError, ProofError},
    log,
    receipt::{Claim, ConsistencyClaim, ForkClaim, Said, VotesClaim},
    succession::Succession,
};
use types::{
    Committee, Header,
    key::BadSignature,
    vote::{Proposal, Vote},
};

impl Examination<'_> {
    /// That the log of an earlier certified block begins the log of the proof's.
    pub(super) fn consistency(
        &self,
        claim: &ConsistencyClaim,
        known: &Succession,
    ) -> Result<Fact, ProofError> {
        let (old, new) = (&claim.header, &self.proof.header);
        self.same_chain(old)?;
        if old.height >= new.height || old.time >= new.time || old.log_size > new.log_size {
            return Err(ProofError::ConsistencyOrder { found: old.height, limit: new.height });
        }
        let committee = committee(old, known)?;
        certified(&self.proof.chain, old, &claim.certificate, committee)?;
        self.root.fits(old)?;
        log::verify_consistency(
            old.log_size,
            &old.log_root,
            new.log_size,
            &new.log_root,
            &claim.path,
        )
        .map_err(ProofError::Consistency)?;
        let next = old.height.plus(1);
        let leads = old.next_committee == known.at(next).digest
            && (next < new.height || new.parent == old.id());
        if !leads {
            return Err(ProofError::ConsistencyChain { found: old.height, limit: new.height });
        }
        Ok(Fact::Consistency {
            height: old.height,
            time: old.time,
            old: old.log_size,
            new: new.log_size,
            hashes: claim.path.len(),
        })
    }

    /// That the log of a block that was saved begins the log of the proof's.
    pub(super) fn continues(&self, saved: &Header, known: &Succession) -> Result<Fact, ProofError> {
        let of_saved =
            |claim: &&Claim| matches!(claim, Claim::Consistency(claim) if claim.header == *saved);
        match self.proof.claims.iter().find(of_saved) {
            Some(Claim::Consistency(claim)) => self.consistency(claim, known),
            Some(_) | None => Err(ProofError::ConsistencyMissing { saved: saved.height }),
        }
    }

    /// That another block of the proof's height was certified by the same committee.
    pub(super) fn fork(&self, claim: &ForkClaim, known: &Succession) -> Result<Fact, ProofError> {
        let (ours, theirs) = (&self.proof.header, &claim.header);
        self.same_chain(theirs)?;
        let (found, wanted) = (theirs.height, ours.height);
        if found != wanted {
            return Err(ProofError::Equivocation(EquivocationError::Height { found, wanted }));
        }
        if theirs == ours {
            return Err(ProofError::Equivocation(EquivocationError::Same));
        }
        let committee = committee(theirs, known)?;
        let other = certified(&self.proof.chain, theirs, &claim.certificate, committee)?;
        let both = signers(&claim.certificate, committee)
            .filter(|seat| {
                signers(&self.proof.certificate, committee).any(|ours| ours.key == seat.key)
            })
            .cloned()
            .collect();
        Ok(Fact::Fork { height: wanted, one: ours.id(), other, both })
    }

    /// That a seat signed two different things for one place.
    pub(super) fn votes(&self, claim: &VotesClaim, known: &Succession) -> Result<Fact, ProofError> {
        let VotesClaim { height, round, seat, said, signatures } = claim;
        let (height, round, seat) = (*height, *round, *seat);
        let ascending = match said {
            Said::Votes { first, second, .. } => first < second,
            Said::Proposals { first, second } => first < second,
        };
        let wrong = |why| Err(ProofError::Equivocation(why));
        if !ascending {
            return wrong(EquivocationError::Same);
        }
        let limit = self.proof.header.height;
        if height > limit {
            return wrong(EquivocationError::Later { found: height, limit });
        }
        let committee = &known.at(height).committee;
        let Some(validator) = committee.seat(seat) else {
            return wrong(EquivocationError::Seat { seat });
        };
        let chain = &self.proof.chain;
        let (one, other) = signatures;
        let checked = match *said {
            Said::Votes { step, first, second } => {
                let vote = |block| Vote { height, round, step, block, seat };
                vote(first)
                    .check(chain, committee, one)
                    .and_then(|()| vote(second).check(chain, committee, other))
            }
            Said::Proposals { first, second } => {
                let proposal =
                    |(block, valid_round)| Proposal { height, round, block, valid_round, seat };
                proposal(first)
                    .check(chain, committee, one)
                    .and_then(|()| proposal(second).check(chain, committee, other))
            }
        };
        let key = validator.key;
        checked.map_err(|BadSignature| ProofError::Signature { key })?;
        Ok(Fact::Equivocation { validator: validator.clone(), height, round, said: *said })
    }

    fn same_chain(&self, header: &Header) -> Result<(), ProofError> {
        let (found, wanted) = (header.chain, self.proof.chain);
        if found == wanted { Ok(()) } else { Err(ProofError::Chain { found, wanted }) }
    }
}

/// The committee of a header, if it names the one that sat at its height.
fn committee<'k>(header: &Header, known: &'k Succession) -> Result<&'k Committee, ProofError> {
    let reign = known.at(header.height);
    let (found, wanted) = (header.committee, reign.digest);
    if found == wanted {
        Ok(&reign.committee)
    } else {
        Err(ProofError::TrustRoot { found, wanted })
    }
}
