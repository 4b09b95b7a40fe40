//! The order: a vote machine with no idea what a record is.
//!
//! What it offers: [`Engine`], which is given [`Input`]s and returns [`Action`]s. Inside is Tendermint (Buchman, Kwon,
//! Milosevic, *The latest gossip on BFT consensus*, 2018), through the Malachite core; nothing else in the project names
//! it, so it can be replaced in one crate.
//!
//! Invariants: the outputs are a function of the inputs; every message that could commit us is preceded, in the list, by
//! the [`Entry`] that makes us remember it; replaying the entries of a height gives back the same messages and signs
//! nothing new; whoever is heard to say two things in one place is accused of it, once, even when the height is over.
//!
//! It knows neither what a block holds nor what time it is. Whoever receives a block judges it and says so.

mod account;
mod evidence;
mod malachite;
mod witness;

pub use account::{Account, Charge, SignedVote, account};
pub use evidence::Place;

use core::fmt;
use malachite::Core;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use types::{
    BlockId, Certificate, ChainId, Committee, Height, Round, SecretKey, Signature,
    codec::Wire,
    vote::{Message, Proposal, Step, Vote},
};

/// Who votes: the key, if this node has a seat, and the chain.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The chain.
    pub chain: ChainId,
    /// The consensus key.
    pub secret: SecretKey,
    /// The first height this node may vote at. Below it the key may have signed what this node does not remember.
    pub vote_from: Height,
}

/// A thing that was signed: its place in the order of all that a validator signs, and its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// For this height.
    pub height: Height,
    /// In this round.
    pub round: Round,
    /// 0 for a proposal, 1 for a prevote, 2 for a precommit.
    pub step: u8,
    /// For this block; none is a vote for nil.
    pub block: Option<BlockId>,
    /// The signature. Ed25519 makes the same one for the same content, and another for any other.
    pub signature: Signature,
}

impl Signed {
    /// Its place: an honest validator only goes forward.
    #[must_use]
    pub const fn place(&self) -> (Height, Round, u8) {
        (self.height, self.round, self.step)
    }
}

/// A height, and who decides it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The height.
    pub height: Height,
    /// Its committee.
    pub committee: Committee,
}

/// What the engine is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The height before is decided and kept; go on to this one.
    Start(Start),
    /// Somebody said this. Signatures are checked inside, once.
    Message(Message),
    /// The block we were asked for.
    Propose {
        /// The height it was asked for.
        height: Height,
        /// The round it was asked for.
        round: Round,
        /// The block.
        block: BlockId,
    },
    /// A block is here, and this is what execution says of it.
    Judged {
        /// Its height.
        height: Height,
        /// The round it came in.
        round: Round,
        /// The block.
        block: BlockId,
        /// Whether it may be agreed on.
        valid: bool,
    },
    /// A timer ran out.
    Elapsed(Timer),
}

/// What the engine wants done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Remember this before anything after it in the list is done.
    Journal(Entry),
    /// This was signed anew: remember it beside the key before it is said. It follows the entry that journals it.
    Sign(Signed),
    /// Say this to every validator.
    Broadcast(Message),
    /// Wake me after the time this timer takes.
    Set(Timer),
    /// Forget this timer.
    Cancel(Timer),
    /// Forget every timer.
    CancelAll,
    /// A round begins, with this seat to propose.
    Round {
        /// The height.
        height: Height,
        /// The round.
        round: Round,
        /// The seat that proposes.
        proposer: u16,
    },
    /// It is our turn: answer with [`Input::Propose`].
    Propose {
        /// For this height.
        height: Height,
        /// In this round.
        round: Round,
    },
    /// Send this block to everyone again: it is proposed again.
    Restream(BlockId),
    /// A quorum agreed.
    Decide(Certificate),
    /// Somebody said two things.
    Accuse(Evidence),
}

/// What is journalled, to be replayed after a restart within the height.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    /// A message, ours or another's, that was accepted.
    Message(Message),
    /// A block that was judged.
    Judged {
        /// Its height.
        height: Height,
        /// The round it came in.
        round: Round,
        /// The block.
        block: BlockId,
        /// The verdict.
        valid: bool,
    },
    /// A timer that ran out.
    Elapsed {
        /// The height it ran out in.
        height: Height,
        /// The timer.
        timer: Timer,
    },
}

impl Wire for Entry {
    const BYTES_MAX: usize = Message::BYTES_MAX + 8;
}

impl Entry {
    /// The height it belongs to.
    #[must_use]
    pub const fn height(&self) -> Height {
        match self {
            Self::Message(message) => message.height(),
            Self::Judged { height, .. } | Self::Elapsed { height, .. } => *height,
        }
    }

    /// What was signed, and in which seat, if this is a vote or a proposal.
    #[must_use]
    pub const fn signed(&self) -> Option<(u16, Signed)> {
        match self {
            Self::Message(Message::Vote(vote, signature)) => {
                let Vote { height, round, step, block, seat } = *vote;
                let step = match step {
                    Step::Prevote => 1,
                    Step::Precommit => 2,
                };
                Some((seat, Signed { height, round, step, block, signature: *signature }))
            }
            Self::Message(Message::Proposal(proposal, signature)) => {
                let Proposal { height, round, block, seat, .. } = *proposal;
                let (block, signature) = (Some(block), *signature);
                Some((seat, Signed { height, round, step: 0, block, signature }))
            }
            Self::Message(Message::Polka { .. } | Message::RoundChange { .. })
            | Self::Judged { .. }
            | Self::Elapsed { .. } => None,
        }
    }
}

/// What is waited for, and in which round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Timer {
    /// What is waited for.
    pub kind: TimerKind,
    /// The round.
    pub round: Round,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TimerKind {
    /// A proposal.
    Propose,
    /// A quorum of prevotes for one thing.
    Prevote,
    /// A quorum of precommits for one thing.
    Precommit,
    /// Anything: say our last votes again.
    Rebroadcast,
}

/// Two messages of one validator that no honest one sends. Whoever has both signatures can check them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Evidence {
    /// Two votes in one step.
    Votes([(Vote, Signature); 2]),
    /// Two proposals in one round.
    Proposals([(Proposal, Signature); 2]),
}

/// The machine refused to go on: its own record contradicts it, or it was driven wrongly.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("consensus cannot go on: {0}")]
pub struct Stuck(pub String);

/// Whom an engine has heard in the round under way: what to tell who asks why nothing is decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Whether a proposal of this round is here, with a block that may be agreed on.
    pub proposed: bool,
    /// Seats whose prevote is here.
    pub prevoted: BTreeSet<u16>,
    /// Seats whose precommit is here.
    pub precommitted: BTreeSet<u16>,
    /// Seats whose precommit is for nothing.
    pub refused: BTreeSet<u16>,
}

/// One validator's part in deciding one height after another.
pub struct Engine {
    core: Core,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (height, round) = self.at();
        f.debug_struct("Engine")
            .field("height", &height)
            .field("round", &round)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// The engine at `start`, having been told again everything it journalled within that height.
    ///
    /// The actions are to be performed like any others: they send again what was sent, and go on from there.
    ///
    /// # Errors
    /// When the journal contradicts itself: to go on could be to vote twice.
    pub fn restore(
        identity: Identity,
        start: Start,
        journal: &[Entry],
    ) -> Result<(Self, Vec<Action>), Stuck> {
        let (core, actions) = Core::restore(identity, start, journal)?;
        Ok((Self { core }, actions))
    }

    /// What follows from one input.
    ///
    /// # Errors
    /// When the machine cannot go on. The caller must stop voting.
    pub fn step(&mut self, input: Input) -> Result<Vec<Action>, Stuck> {
        self.core.step(input)
    }

    /// This height comes next, and this committee decides it: what is heard of it before it starts is judged by that.
    pub fn announce(&mut self, height: Height, committee: &Committee) {
        self.core.announce(height, committee);
    }

    /// Who was heard to speak of a height that is not started yet.
    #[must_use]
    pub fn speakers(&self, height: Height) -> BTreeSet<u16> {
        self.core.speakers(height)
    }

    /// What a message shows that is not for the vote, because its height is over or it is out of order: if anything, that
    /// somebody said two things.
    pub fn overhear(&mut self, message: &Message) -> Vec<Action> {
        self.core.overhear(message)
    }

    /// Whether it may yet need this block: it is locked on it, or would propose it again.
    #[must_use]
    pub fn holds(&self, block: &BlockId) -> bool {
        self.core.holds(block)
    }

    /// Whether a validator of this committee said this, or at least the first part of it.
    #[must_use]
    pub fn vouches(&self, message: &Message) -> bool {
        self.core.vouches(message)
    }

    /// Whom it has heard in the round under way.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.core.tally()
    }

    /// Where it is.
    #[must_use]
    pub fn at(&self) -> (Height, Round) {
        self.core.at()
    }
}

#[cfg(test)]
mod tests;
