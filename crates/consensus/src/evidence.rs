//! Who said two things, as anyone can check who has the committee.

use crate::Evidence;
use types::{ChainId, Committee, Height, Round, vote::Step};

/// What an honest validator says at most once: the height, the round, and 0 for a proposal, 1 for a prevote, 2 for a
/// precommit, by a seat.
pub type Place = (Height, Round, u8, u16);

impl Evidence {
    /// The height it is of: that height's committee says who may be convicted.
    #[must_use]
    pub const fn height(&self) -> Height {
        match self {
            Self::Votes([(first, _), _]) => first.height,
            Self::Proposals([(first, _), _]) => first.height,
        }
    }

    /// Where the two things were said, if both were said there, they differ, and the same seat signed both.
    #[must_use]
    pub fn convicts(&self, chain: &ChainId, committee: &Committee) -> Option<Place> {
        match self {
            Self::Votes([(first, one), (second, other)]) => {
                let place = |vote: &types::vote::Vote| {
                    let step = match vote.step {
                        Step::Prevote => 1,
                        Step::Precommit => 2,
                    };
                    (vote.height, vote.round, step, vote.seat)
                };
                let signed = first.check(chain, committee, one).is_ok()
                    && second.check(chain, committee, other).is_ok();
                (signed && place(first) == place(second) && first.block != second.block)
                    .then(|| place(first))
            }
            Self::Proposals([(first, one), (second, other)]) => {
                let place = |proposal: &types::vote::Proposal| {
                    (proposal.height, proposal.round, 0, proposal.seat)
                };
                let signed = first.check(chain, committee, one).is_ok()
                    && second.check(chain, committee, other).is_ok();
                (signed && place(first) == place(second) && first != second).then(|| place(first))
            }
        }
    }
}

impl types::codec::Wire for Evidence {
    const BYTES_MAX: usize = 512;
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{
        AgencyCode, BlockId, Hash, SecretKey, Validator,
        vote::{Proposal, Vote},
    };

    const CHAIN: ChainId = ChainId(Hash([3; 32]));

    fn secret(seat: u16) -> SecretKey {
        SecretKey::from_seed([u8::try_from(seat).unwrap() + 1; 32])
    }

    fn committee() -> Committee {
        let seats = (0..4).map(|seat| Validator {
            agency: AgencyCode::new("91350100M000100Y43").unwrap(),
            name: "机构".parse().unwrap(),
            key: secret(seat).public(),
        });
        Committee::new(seats.collect()).unwrap()
    }

    fn vote(round: u32, step: Step, block: Option<u8>, seat: u16) -> Vote {
        let block = block.map(|n| BlockId(Hash([n; 32])));
        Vote { height: Height(5), round: Round(round), step, block, seat }
    }

    #[test]
    fn two_things_in_one_place_convict_and_nothing_else_does() {
        let first = vote(1, Step::Prevote, Some(1), 2);
        for (second, convicts) in [
            (vote(1, Step::Prevote, Some(2), 2), true),
            (vote(1, Step::Prevote, None, 2), true),
            (first, false),
            (vote(2, Step::Prevote, Some(2), 2), false),
            (vote(1, Step::Precommit, Some(2), 2), false),
            (vote(1, Step::Prevote, Some(2), 3), false),
        ] {
            let sign = |vote: Vote| (vote, vote.sign(&CHAIN, &secret(vote.seat)));
            let evidence = Evidence::Votes([sign(first), sign(second)]);
            assert_eq!(evidence.convicts(&CHAIN, &committee()).is_some(), convicts, "{second:?}");
            assert_eq!(evidence.convicts(&ChainId(Hash([4; 32])), &committee()), None);
            // A signature by anyone else is no evidence against the seat.
            let forged = Evidence::Votes([sign(first), (second, second.sign(&CHAIN, &secret(0)))]);
            assert_eq!(forged.convicts(&CHAIN, &committee()), None);
        }
    }

    #[test]
    fn two_proposals_in_one_round_convict() {
        let proposal = |block: u8, valid_round| Proposal {
            height: Height(5),
            round: Round(3),
            block: BlockId(Hash([block; 32])),
            valid_round,
            seat: 1,
        };
        let sign = |proposal: Proposal| (proposal, proposal.sign(&CHAIN, &secret(1)));
        for (second, convicts) in [
            (proposal(2, None), true),
            (proposal(1, Some(Round(0))), true),
            (proposal(1, None), false),
        ] {
            let evidence = Evidence::Proposals([sign(proposal(1, None)), sign(second)]);
            assert_eq!(evidence.convicts(&CHAIN, &committee()).is_some(), convicts);
        }
    }
}
