//! Who is to blame when two blocks are agreed on at one height, as anyone can work out of what both sides heard.
//!
//! With at most f liars this cannot happen. With more it can, and then at least f+1 of them left traces. Some said two
//! things in one place: [`Evidence`], which needs no answer. Others never contradict themselves word by word: they
//! precommitted one block, and later prevoted another as if they had not. That is what an honest validator also does if a
//! quorum prevoted the other block in between; so it is a [`Charge`], and whoever is charged unjustly answers it with that
//! quorum, which every honest validator has seen before it votes so.
//!
//! The limits of it: a charge names f+1 liars only after the honest ones among the charged have answered, out of what they
//! kept of that height; and votes that nobody shows cannot be weighed.

use crate::Evidence;
use std::collections::{BTreeMap, BTreeSet};
use types::{
    BlockId, Certificate, ChainId, Committee, Height, Round, Signature,
    vote::{Message, Proposal, Step, Vote},
};

/// A vote, with the signature under it.
pub type SignedVote = (Vote, Signature);

/// Something an honest validator does only after it has seen a quorum of prevotes, which is not among what is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Charge {
    /// A precommit for a block.
    Unfounded(SignedVote),
    /// A precommit for one block, and in a later round a prevote for another.
    Forgotten {
        /// The lock.
        precommit: SignedVote,
        /// What contradicts it.
        prevote: SignedVote,
    },
}

impl Charge {
    /// The seat that is charged, if it signed all of this and it is something to be charged with.
    #[must_use]
    pub fn charges(&self, chain: &ChainId, committee: &Committee) -> Option<u16> {
        let good = |(vote, signature): &SignedVote| vote.check(chain, committee, signature).is_ok();
        match self {
            Self::Unfounded(precommit) => {
                let (vote, _) = precommit;
                let is_for_block = vote.step == Step::Precommit && vote.block.is_some();
                (is_for_block && good(precommit)).then_some(vote.seat)
            }
            Self::Forgotten { precommit, prevote } => {
                let ((lock, _), (vote, _)) = (precommit, prevote);
                let is_forgotten = (lock.step, vote.step) == (Step::Precommit, Step::Prevote)
                    && (lock.height, lock.seat) == (vote.height, vote.seat)
                    && lock.round < vote.round
                    && lock.block.is_some()
                    && vote.block.is_some()
                    && lock.block != vote.block;
                (is_forgotten && good(precommit) && good(prevote)).then_some(lock.seat)
            }
        }
    }

    /// Whether this shows that it was right to do so: a quorum of prevotes for the block, in time.
    #[must_use]
    pub fn is_answered(&self, answer: &Message, chain: &ChainId, committee: &Committee) -> bool {
        let Message::Polka { height, round, block, signatures } = answer else { return false };
        let (asked, at, from, to) = match self {
            Self::Unfounded((vote, _)) => (vote.block, vote.height, vote.round, vote.round.0),
            Self::Forgotten { precommit: (lock, _), prevote: (vote, _) } => {
                (vote.block, vote.height, lock.round, vote.round.0.saturating_sub(1))
            }
        };
        let seats: BTreeSet<u16> = signatures
            .iter()
            .filter(|(seat, signature)| {
                let (height, round, seat) = (*height, *round, *seat);
                let vote = Vote { height, round, step: Step::Prevote, block: Some(*block), seat };
                vote.check(chain, committee, signature).is_ok()
            })
            .map(|(seat, _)| *seat)
            .collect();
        asked == Some(*block)
            && at == *height
            && (from.0..=to).contains(&round.0)
            && seats.len() >= committee.quorum()
    }
}

/// What two certificates for different blocks, and the messages around them, show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Who said two things.
    pub evidence: Vec<Evidence>,
    /// Who has something to answer.
    pub charges: Vec<Charge>,
}

impl Account {
    /// The seats that are convicted, or charged with something that nothing shown answers.
    #[must_use]
    pub fn culprits(&self, chain: &ChainId, committee: &Committee) -> BTreeSet<u16> {
        let convicted = self.evidence.iter().filter_map(|e| e.convicts(chain, committee));
        let charged = self.charges.iter().filter_map(|charge| charge.charges(chain, committee));
        convicted.map(|(.., seat)| seat).chain(charged).collect()
    }
}

/// The account of two certificates for different blocks of one height, out of all that can be shown; none if they are not
/// that. What is not signed well is passed over.
///
/// When answers to its charges come, it is asked for again, with them.
#[must_use]
pub fn account(
    chain: &ChainId,
    committee: &Committee,
    certificates: [&Certificate; 2],
    messages: &[Message],
) -> Option<Account> {
    let [mut first, mut second] = certificates;
    if first.height != second.height
        || first.block == second.block
        || certificates.iter().any(|one| one.verify(chain, committee).is_err())
    {
        return None;
    }
    if first.round > second.round {
        core::mem::swap(&mut first, &mut second);
    }
    let mut said = Testimony::new(chain, committee, first.height);
    for certificate in [first, second] {
        let (step, block) = (Step::Precommit, Some(certificate.block));
        for (seat, signature) in &certificate.signatures {
            said.vote(certificate.round, step, block, *seat, *signature);
        }
    }
    messages.iter().for_each(|message| said.message(message));
    let evidence = said.evidence();
    if first.round == second.round {
        return Some(Account { evidence, charges: Vec::new() });
    }
    let rounds = (first.round.0..=second.round.0).map(Round);
    let turn = rounds.into_iter().find(|round| said.polka(*round, second.block).is_some());
    let lock = |seat| said.get(first.round, Step::Precommit, first.block, seat);
    let charges = match turn {
        // Nobody shows that there was a quorum for the second block at all.
        None => {
            let signers = second.signatures.iter().map(|(seat, _)| *seat);
            let both = signers.filter(|seat| lock(*seat).is_some());
            let unfounded =
                both.filter_map(|seat| said.get(second.round, Step::Precommit, second.block, seat));
            unfounded.map(Charge::Unfounded).collect()
        }
        // Two quorums of prevotes in one round are evidence. If the first one is not shown, it is asked for.
        Some(round) if round == first.round => {
            if said.polka(round, first.block).is_some() {
                Vec::new()
            } else {
                let seats = said.polka(round, second.block).unwrap_or_default();
                seats.into_iter().filter_map(lock).map(Charge::Unfounded).collect()
            }
        }
        // The first quorum for another block after the lock: whoever is in both had no reason.
        Some(round) => {
            let seats = said.polka(round, second.block).unwrap_or_default();
            let pair = |seat| {
                let prevote = said.get(round, Step::Prevote, second.block, seat)?;
                Some(Charge::Forgotten { precommit: lock(seat)?, prevote })
            };
            seats.into_iter().filter_map(pair).collect()
        }
    };
    Some(Account { evidence, charges })
}

/// What seats are shown to have said at one height.
struct Testimony<'a> {
    chain: &'a ChainId,
    committee: &'a Committee,
    height: Height,
    votes: BTreeMap<(Round, Step, u16), BTreeMap<Option<BlockId>, Signature>>,
    proposals: BTreeMap<(Round, u16), BTreeMap<Proposal, Signature>>,
}

impl<'a> Testimony<'a> {
    const fn new(chain: &'a ChainId, committee: &'a Committee, height: Height) -> Self {
        Self { chain, committee, height, votes: BTreeMap::new(), proposals: BTreeMap::new() }
    }

    fn vote(
        &mut self,
        round: Round,
        step: Step,
        block: Option<BlockId>,
        seat: u16,
        signature: Signature,
    ) {
        let vote = Vote { height: self.height, round, step, block, seat };
        if vote.check(self.chain, self.committee, &signature).is_ok() {
            self.votes.entry((round, step, seat)).or_default().insert(block, signature);
        }
    }

    fn message(&mut self, message: &Message) {
        if message.height() != self.height {
            return;
        }
        let round = message.round();
        match message {
            Message::Vote(vote, signature) => {
                self.vote(round, vote.step, vote.block, vote.seat, *signature);
            }
            Message::Proposal(proposal, signature) => {
                if proposal.check(self.chain, self.committee, signature).is_ok() {
                    let place = self.proposals.entry((round, proposal.seat)).or_default();
                    place.insert(*proposal, *signature);
                }
            }
            Message::Polka { block, signatures, .. } => {
                for (seat, signature) in signatures {
                    self.vote(round, Step::Prevote, Some(*block), *seat, *signature);
                }
            }
            Message::RoundChange { votes, .. } => {
                for (seat, step, block, signature) in votes {
                    self.vote(round, *step, *block, *seat, *signature);
                }
            }
        }
    }

    fn get(&self, round: Round, step: Step, block: BlockId, seat: u16) -> Option<SignedVote> {
        let block = Some(block);
        let signature = self.votes.get(&(round, step, seat))?.get(&block)?;
        Some((Vote { height: self.height, round, step, block, seat }, *signature))
    }

    /// Who prevoted a block in a round, if they are a quorum.
    fn polka(&self, round: Round, block: BlockId) -> Option<Vec<u16>> {
        let seats: Vec<u16> = self
            .committee
            .seats()
            .map(|(seat, _)| seat)
            .filter(|seat| self.get(round, Step::Prevote, block, *seat).is_some())
            .collect();
        (seats.len() >= self.committee.quorum()).then_some(seats)
    }

    fn evidence(&self) -> Vec<Evidence> {
        let mut all = Vec::new();
        for ((round, step, seat), words) in &self.votes {
            let mut words = words.iter().map(|(block, signature)| {
                let (height, round, step, block, seat) =
                    (self.height, *round, *step, *block, *seat);
                (Vote { height, round, step, block, seat }, *signature)
            });
            if let (Some(one), Some(two)) = (words.next(), words.next()) {
                all.push(Evidence::Votes([one, two]));
            }
        }
        for words in self.proposals.values() {
            let mut words = words.iter().map(|(proposal, signature)| (*proposal, *signature));
            if let (Some(one), Some(two)) = (words.next(), words.next()) {
                all.push(Evidence::Proposals([one, two]));
            }
        }
        all
    }
}
