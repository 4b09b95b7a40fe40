//! Our nouns under the names that Malachite asks for them by.

use super::convert::{core_round, our_round};
use arc_malachitebft_core_types as core_types;
use core::fmt;
use core_types::{Context, NilOrVal, VoteType};
use types::{
    BlockId, Committee, Height, PublicKey, Round, SecretKey, Signature,
    vote::{Proposal, Step, Vote},
};

/// Malachite's view of our nouns.
#[derive(Clone, Debug)]
pub(super) struct Chain;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct At(pub(super) u64);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl core_types::Height for At {
    const ZERO: Self = Self(0);
    const INITIAL: Self = Self(1);

    fn increment_by(&self, n: u64) -> Self {
        Self(self.0 + n)
    }

    fn decrement_by(&self, n: u64) -> Option<Self> {
        self.0.checked_sub(n).map(Self)
    }

    fn as_u64(&self) -> u64 {
        self.0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Seat(pub(super) u16);

impl fmt::Display for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl core_types::Address for Seat {}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Value(pub(super) BlockId);

impl core_types::Value for Value {
    type Id = BlockId;

    fn id(&self) -> BlockId {
        self.0
    }
}

/// A vote or proposal of ours, under the names Malachite asks for it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CoreVote {
    pub(super) vote: Vote,
    seat: Seat,
    value: NilOrVal<BlockId>,
}

impl CoreVote {
    pub(super) fn new(
        height: At,
        round: core_types::Round,
        step: Step,
        value: NilOrVal<BlockId>,
        seat: Seat,
    ) -> Self {
        let block = match value {
            NilOrVal::Nil => None,
            NilOrVal::Val(block) => Some(block),
        };
        let vote =
            Vote { height: Height(height.0), round: our_round(round), step, block, seat: seat.0 };
        Self { vote, seat, value }
    }

    pub(super) fn of(vote: Vote) -> Self {
        let value = vote.block.map_or(NilOrVal::Nil, NilOrVal::Val);
        Self { vote, seat: Seat(vote.seat), value }
    }
}

impl core_types::Vote<Chain> for CoreVote {
    fn height(&self) -> At {
        At(self.vote.height.0)
    }

    fn round(&self) -> core_types::Round {
        core_round(self.vote.round)
    }

    fn value(&self) -> &NilOrVal<BlockId> {
        &self.value
    }

    fn take_value(self) -> NilOrVal<BlockId> {
        self.value
    }

    fn vote_type(&self) -> VoteType {
        match self.vote.step {
            Step::Prevote => VoteType::Prevote,
            Step::Precommit => VoteType::Precommit,
        }
    }

    fn validator_address(&self) -> &Seat {
        &self.seat
    }

    fn extension(&self) -> Option<&core_types::SignedExtension<Chain>> {
        None
    }

    fn take_extension(&mut self) -> Option<core_types::SignedExtension<Chain>> {
        None
    }

    fn extend(self, _extension: core_types::SignedExtension<Chain>) -> Self {
        // Extensions are disabled at every height; the core never asks.
        self
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CoreProposal {
    pub(super) proposal: Proposal,
    seat: Seat,
    value: Value,
}

impl CoreProposal {
    pub(super) fn of(proposal: Proposal) -> Self {
        Self { proposal, seat: Seat(proposal.seat), value: Value(proposal.block) }
    }
}

impl core_types::Proposal<Chain> for CoreProposal {
    fn height(&self) -> At {
        At(self.proposal.height.0)
    }

    fn round(&self) -> core_types::Round {
        core_round(self.proposal.round)
    }

    fn value(&self) -> &Value {
        &self.value
    }

    fn take_value(self) -> Value {
        self.value
    }

    fn pol_round(&self) -> core_types::Round {
        self.proposal.valid_round.map_or(core_types::Round::Nil, core_round)
    }

    fn validator_address(&self) -> &Seat {
        &self.seat
    }
}

/// Blocks travel whole, in a queue of their own; the core never sees parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NoPart;

impl core_types::ProposalPart<Chain> for NoPart {
    fn is_first(&self) -> bool {
        true
    }

    fn is_last(&self) -> bool {
        true
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CoreValidator {
    seat: Seat,
    key: PublicKey,
}

impl core_types::Validator<Chain> for CoreValidator {
    fn address(&self) -> &Seat {
        &self.seat
    }

    fn public_key(&self) -> &PublicKey {
        &self.key
    }

    fn voting_power(&self) -> u64 {
        1
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Validators(Vec<CoreValidator>);

impl Validators {
    pub(super) fn of(committee: &Committee) -> Self {
        Self(
            committee
                .seats()
                .map(|(seat, validator)| CoreValidator { seat: Seat(seat), key: validator.key })
                .collect(),
        )
    }
}

impl core_types::ValidatorSet<Chain> for Validators {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn total_voting_power(&self) -> u64 {
        u64::try_from(self.0.len()).expect("a committee is small")
    }

    fn get_by_address(&self, address: &Seat) -> Option<&CoreValidator> {
        self.0.get(usize::from(address.0))
    }

    fn get_by_index(&self, index: usize) -> Option<&CoreValidator> {
        self.0.get(index)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scheme;

impl core_types::SigningScheme for Scheme {
    type DecodingError = types::codec::CodecError;
    type Signature = Signature;
    type PublicKey = PublicKey;
    type PrivateKey = SecretKey;

    fn decode_signature(bytes: &[u8]) -> Result<Signature, Self::DecodingError> {
        text(bytes)?.parse().map_err(malformed)
    }

    fn encode_signature(signature: &Signature) -> Vec<u8> {
        signature.to_string().into_bytes()
    }

    fn decode_public_key(bytes: &[u8]) -> Result<PublicKey, Self::DecodingError> {
        text(bytes)?.parse().map_err(malformed)
    }

    fn encode_public_key(public_key: &PublicKey) -> Vec<u8> {
        public_key.to_string().into_bytes()
    }
}

pub(super) fn text(bytes: &[u8]) -> Result<&str, types::codec::CodecError> {
    core::str::from_utf8(bytes).map_err(malformed)
}

pub(super) fn malformed(error: impl fmt::Display) -> types::codec::CodecError {
    types::codec::CodecError::Malformed(error.to_string())
}

impl Context for Chain {
    type Address = Seat;
    type Height = At;
    type ProposalPart = NoPart;
    type Proposal = CoreProposal;
    type Validator = CoreValidator;
    type ValidatorSet = Validators;
    type Timeouts = core_types::LinearTimeouts;
    type Value = Value;
    type Vote = CoreVote;
    type Extension = ();
    type SigningScheme = Scheme;

    /// Everyone in turn; the height moves the turn on, so that a dead seat costs its own heights only.
    fn select_proposer<'a>(
        &self,
        validators: &'a Validators,
        height: At,
        round: core_types::Round,
    ) -> &'a CoreValidator {
        let size = u64::try_from(validators.0.len()).expect("a committee is small");
        let turn = (height.0 % size + u64::from(our_round(round).0) % size) % size;
        &validators.0[usize::try_from(turn).expect("smaller than the committee")]
    }

    fn new_proposal(
        &self,
        height: At,
        round: core_types::Round,
        value: Value,
        pol_round: core_types::Round,
        address: Seat,
    ) -> CoreProposal {
        CoreProposal::of(Proposal {
            height: Height(height.0),
            round: our_round(round),
            block: value.0,
            valid_round: pol_round.as_u32().map(Round),
            seat: address.0,
        })
    }

    fn new_prevote(
        &self,
        height: At,
        round: core_types::Round,
        value: NilOrVal<BlockId>,
        address: Seat,
    ) -> CoreVote {
        CoreVote::new(height, round, Step::Prevote, value, address)
    }

    fn new_precommit(
        &self,
        height: At,
        round: core_types::Round,
        value: NilOrVal<BlockId>,
        address: Seat,
    ) -> CoreVote {
        CoreVote::new(height, round, Step::Precommit, value, address)
    }
}
