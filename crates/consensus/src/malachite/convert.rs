//! Malachite's words into ours and back; nothing is decided here.

use super::{
    CoreInput,
    context::{At, Chain, CoreProposal, CoreVote, Seat},
};
use crate::{Entry, Timer, TimerKind};
use arc_malachitebft_core_types as core_types;
use core_types::{
    CommitCertificate, CommitSignature, NilOrVal, PolkaCertificate, PolkaSignature,
    RoundCertificate, RoundCertificateType, RoundSignature, SignedMessage, Timeout, TimeoutKind,
    VoteType,
};
use types::{
    Certificate, Height, Round,
    vote::{Message, Step},
};

pub(super) fn core_round(round: Round) -> core_types::Round {
    core_types::Round::new(round.0)
}

/// Rounds are at least 0 everywhere but before the first start, where nothing is sent.
pub(super) fn our_round(round: core_types::Round) -> Round {
    Round(round.as_u32().unwrap_or(0))
}

pub(super) const fn our_step(kind: VoteType) -> Step {
    match kind {
        VoteType::Prevote => Step::Prevote,
        VoteType::Precommit => Step::Precommit,
    }
}

pub(super) const fn core_step(step: Step) -> VoteType {
    match step {
        Step::Prevote => VoteType::Prevote,
        Step::Precommit => VoteType::Precommit,
    }
}

pub(super) fn our_timer(timeout: Timeout) -> Option<Timer> {
    let kind = match timeout.kind {
        TimeoutKind::Propose => TimerKind::Propose,
        TimeoutKind::Prevote => TimerKind::Prevote,
        TimeoutKind::Precommit => TimerKind::Precommit,
        TimeoutKind::Rebroadcast => TimerKind::Rebroadcast,
        // Only with a target time, which we never pass.
        TimeoutKind::FinalizeHeight(_) => return None,
    };
    Some(Timer { kind, round: our_round(timeout.round) })
}

pub(super) const fn core_timer(timer: Timer) -> Timeout {
    let round = core_types::Round::new(timer.round.0);
    match timer.kind {
        TimerKind::Propose => Timeout::propose(round),
        TimerKind::Prevote => Timeout::prevote(round),
        TimerKind::Precommit => Timeout::precommit(round),
        TimerKind::Rebroadcast => Timeout::rebroadcast(round),
    }
}

pub(super) fn core_message(message: Message) -> CoreInput {
    match message {
        Message::Vote(vote, signature) => {
            CoreInput::Vote(SignedMessage::new(CoreVote::of(vote), signature))
        }
        Message::Proposal(proposal, signature) => {
            CoreInput::Proposal(SignedMessage::new(CoreProposal::of(proposal), signature))
        }
        Message::Polka { height, round, block, signatures } => {
            CoreInput::PolkaCertificate(PolkaCertificate {
                height: At(height.0),
                round: core_round(round),
                value_id: block,
                polka_signatures: signatures
                    .into_iter()
                    .map(|(seat, signature)| PolkaSignature::new(Seat(seat), signature))
                    .collect(),
            })
        }
        Message::RoundChange { height, round, skip, votes } => {
            CoreInput::RoundCertificate(RoundCertificate {
                height: At(height.0),
                round: core_round(round),
                cert_type: if skip {
                    RoundCertificateType::Skip
                } else {
                    RoundCertificateType::Precommit
                },
                round_signatures: votes
                    .into_iter()
                    .map(|(seat, step, block, signature)| {
                        let value = block.map_or(NilOrVal::Nil, NilOrVal::Val);
                        RoundSignature::new(core_step(step), value, Seat(seat), signature)
                    })
                    .collect(),
            })
        }
    }
}

pub(super) fn our_polka(certificate: PolkaCertificate<Chain>) -> Message {
    Message::Polka {
        height: Height(certificate.height.0),
        round: our_round(certificate.round),
        block: certificate.value_id,
        signatures: certificate
            .polka_signatures
            .into_iter()
            .map(|p| (p.address.0, p.signature))
            .collect(),
    }
}

pub(super) fn our_round_change(certificate: RoundCertificate<Chain>) -> Message {
    Message::RoundChange {
        height: Height(certificate.height.0),
        round: our_round(certificate.round),
        skip: certificate.cert_type == RoundCertificateType::Skip,
        votes: certificate
            .round_signatures
            .into_iter()
            .map(|signed| {
                let block = match signed.value_id {
                    NilOrVal::Nil => None,
                    NilOrVal::Val(block) => Some(block),
                };
                (signed.address.0, our_step(signed.vote_type), block, signed.signature)
            })
            .collect(),
    }
}

pub(super) fn our_certificate(certificate: &CommitCertificate<Chain>) -> Certificate {
    let signed = |commit: &CommitSignature<Chain>| (commit.address.0, commit.signature);
    let mut signatures: Vec<_> = certificate.commit_signatures.iter().map(signed).collect();
    signatures.sort_unstable_by_key(|(seat, _)| *seat);
    Certificate {
        height: Height(certificate.height.0),
        round: our_round(certificate.round),
        block: certificate.value_id,
        signatures,
    }
}

pub(super) fn our_entry(height: At, input: CoreInput) -> Option<Entry> {
    Some(match input {
        CoreInput::Vote(vote) => Entry::Message(Message::Vote(vote.message.vote, vote.signature)),
        CoreInput::Proposal(proposal) => {
            Entry::Message(Message::Proposal(proposal.message.proposal, proposal.signature))
        }
        CoreInput::PolkaCertificate(certificate) => Entry::Message(our_polka(certificate)),
        CoreInput::RoundCertificate(certificate) => Entry::Message(our_round_change(certificate)),
        CoreInput::ProposedValue(value, _origin) => Entry::Judged {
            height: Height(value.height.0),
            round: our_round(value.round),
            block: value.value.0,
            valid: value.validity.is_valid(),
        },
        CoreInput::TimeoutElapsed(timeout) => {
            Entry::Elapsed { height: Height(height.0), timer: our_timer(timeout)? }
        }
        // These are never journalled by the core: they are rebuilt at every start, or become one of the above.
        CoreInput::StartHeight(..) | CoreInput::Propose(_) | CoreInput::SyncValueResponse(_) => {
            return None;
        }
    })
}
