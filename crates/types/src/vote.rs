//! What validators say to one another while they agree, and the bytes they sign to say it.

use crate::{
    codec::{self, Wire},
    committee::{Committee, VALIDATORS_MAX},
    hash::{BlockId, ChainId},
    key::{BadSignature, Domain, SecretKey, Signature},
    time::{Height, Round},
};
use serde::{Deserialize, Serialize};

/// The two votes of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// First.
    Prevote,
    /// Second.
    Precommit,
}

/// A vote for a block, or for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Vote {
    /// For this height.
    pub height: Height,
    /// In this round.
    pub round: Round,
    /// Which of the two.
    pub step: Step,
    /// The block; none is a vote for nil.
    pub block: Option<BlockId>,
    /// The seat that votes.
    pub seat: u16,
}

impl Vote {
    fn domain(&self) -> Domain {
        match self.step {
            Step::Prevote => Domain::Prevote,
            Step::Precommit => Domain::Precommit,
        }
    }

    /// The seat is not signed: the key is the seat, and a committee that shifts must not invalidate old certificates.
    fn body(&self) -> Vec<u8> {
        codec::encode(&(self.height, self.round, self.block))
    }

    /// The vote, signed.
    #[must_use]
    pub fn sign(&self, chain: &ChainId, secret: &SecretKey) -> Signature {
        secret.sign(self.domain(), chain, &self.body())
    }

    /// Whether the seat's key made `signature` for this vote.
    ///
    /// # Errors
    /// When it did not, or the committee has no such seat.
    pub fn check(
        &self,
        chain: &ChainId,
        committee: &Committee,
        signature: &Signature,
    ) -> Result<(), BadSignature> {
        let seat = committee.seat(self.seat).ok_or(BadSignature)?;
        seat.key.verify(self.domain(), chain, &self.body(), signature)
    }
}

/// A proposer's word that this is its block for a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Proposal {
    /// For this height.
    pub height: Height,
    /// In this round.
    pub round: Round,
    /// The block.
    pub block: BlockId,
    /// The earlier round in which a quorum prevoted it, if it is proposed again.
    pub valid_round: Option<Round>,
    /// The seat that proposes.
    pub seat: u16,
}

impl Proposal {
    fn body(&self) -> Vec<u8> {
        codec::encode(&(self.height, self.round, self.block, self.valid_round))
    }

    /// The proposal, signed.
    #[must_use]
    pub fn sign(&self, chain: &ChainId, secret: &SecretKey) -> Signature {
        secret.sign(Domain::Proposal, chain, &self.body())
    }

    /// Whether the seat's key made `signature` for this proposal.
    ///
    /// # Errors
    /// When it did not, or the committee has no such seat.
    pub fn check(
        &self,
        chain: &ChainId,
        committee: &Committee,
        signature: &Signature,
    ) -> Result<(), BadSignature> {
        let seat = committee.seat(self.seat).ok_or(BadSignature)?;
        seat.key.verify(Domain::Proposal, chain, &self.body(), signature)
    }
}

/// What a consensus key is asked to sign, as whoever guards the key must know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// For this height.
    pub height: Height,
    /// In this round.
    pub round: Round,
    /// 0 for a proposal, 1 for a prevote, 2 for a precommit: the order within a round.
    pub step: u8,
    /// For this block; none is a vote for nil.
    pub block: Option<BlockId>,
}

impl Asked {
    /// What the body of a signature says; nothing if it is not something that a consensus key signs.
    #[must_use]
    pub fn of(domain: Domain, body: &[u8]) -> Option<Self> {
        let vote = |step| {
            let (height, round, block) = codec::decode::<VoteBody>(body).ok()?.0;
            Some(Self { height, round, step, block })
        };
        match domain {
            Domain::Proposal => {
                let (height, round, block, _) = codec::decode::<ProposalBody>(body).ok()?.0;
                Some(Self { height, round, step: 0, block: Some(block) })
            }
            Domain::Prevote => vote(1),
            Domain::Precommit => vote(2),
            Domain::Transaction | Domain::Handshake | Domain::Enrolment | Domain::Checkpoint => {
                None
            }
        }
    }
}

#[derive(Serialize, Deserialize)]
struct VoteBody((Height, Round, Option<BlockId>));

impl Wire for VoteBody {
    const BYTES_MAX: usize = 64;
}

#[derive(Serialize, Deserialize)]
struct ProposalBody((Height, Round, BlockId, Option<Round>));

impl Wire for ProposalBody {
    const BYTES_MAX: usize = 64;
}

/// Everything validators say in the votes' queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// A signed vote.
    Vote(Vote, Signature),
    /// A signed proposal. The block itself travels in the proposals' queue.
    Proposal(Proposal, Signature),
    /// A quorum of prevotes for one block: lets a lagging validator see what is valid.
    Polka {
        /// The height.
        height: Height,
        /// The round.
        round: Round,
        /// The block.
        block: BlockId,
        /// Seats and signatures of the prevotes.
        signatures: Vec<(u16, Signature)>,
    },
    /// Votes that justify entering a round.
    RoundChange {
        /// The height.
        height: Height,
        /// The round the votes are of.
        round: Round,
        /// Whether they are f+1 votes of a later round, rather than 2f+1 precommits.
        skip: bool,
        /// The votes.
        votes: Vec<(u16, Step, Option<BlockId>, Signature)>,
    },
}

impl Wire for Message {
    const BYTES_MAX: usize = 128 + VALIDATORS_MAX * 128;
}

impl Message {
    /// The height it speaks of.
    #[must_use]
    pub const fn height(&self) -> Height {
        match self {
            Self::Vote(vote, _) => vote.height,
            Self::Proposal(proposal, _) => proposal.height,
            Self::Polka { height, .. } | Self::RoundChange { height, .. } => *height,
        }
    }

    /// The round it speaks of.
    #[must_use]
    pub const fn round(&self) -> Round {
        match self {
            Self::Vote(vote, _) => vote.round,
            Self::Proposal(proposal, _) => proposal.round,
            Self::Polka { round, .. } | Self::RoundChange { round, .. } => *round,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Hash;

    #[test]
    fn what_is_signed_can_be_read_by_whoever_guards_the_key() {
        let (height, round, block) = (Height(7), Round(3), Some(BlockId(Hash([5; 32]))));
        for (step, domain, number) in
            [(Step::Prevote, Domain::Prevote, 1), (Step::Precommit, Domain::Precommit, 2)]
        {
            for block in [block, None] {
                let vote = Vote { height, round, step, block, seat: 2 };
                let asked = Asked { height, round, step: number, block };
                assert_eq!(Asked::of(domain, &vote.body()), Some(asked));
                assert_eq!(Asked::of(Domain::Proposal, &vote.body()), None);
            }
        }
        for valid_round in [None, Some(Round(1))] {
            let block = BlockId(Hash([5; 32]));
            let proposal = Proposal { height, round, block, valid_round, seat: 2 };
            let asked = Asked { height, round, step: 0, block: Some(block) };
            assert_eq!(Asked::of(Domain::Proposal, &proposal.body()), Some(asked));
            let body = proposal.body();
            assert_eq!(Asked::of(Domain::Prevote, &body), None);
            assert_eq!(Asked::of(Domain::Transaction, &body), None);
            assert_eq!(Asked::of(Domain::Proposal, &body[..body.len() - 1]), None);
            assert_eq!(Asked::of(Domain::Proposal, &[&body[..], &[0]].concat()), None);
        }
    }
}
