//! The Malachite core, driven by hand: every effect it yields is answered by name.

mod context;
mod convert;

use crate::{
    Action, Entry, Identity, Input, Signed, Start, Stuck, Tally,
    witness::{Said, Witness},
};
use arc_malachitebft_core_consensus as core_consensus;
use arc_malachitebft_core_types as core_types;
use context::{At, Chain, CoreVote, Seat, Validators, Value};
use convert::{
    core_message, core_round, core_timer, our_certificate, our_entry, our_polka, our_round,
    our_round_change, our_step, our_timer,
};
use core_consensus::{
    ConsensusMsg, Effect, LivenessMsg, LocallyProposedValue, Params, ProposedValue, Resumable as _,
    Resume, SignedConsensusMsg, ValuePayload, VoteExtensionError,
    r#gen::{CoResult, Gen},
    handle,
};
use core_types::{
    CertificateError, CommitCertificate, NilOrVal, PolkaCertificate, RoundCertificate,
    RoundCertificateType, SignedMessage, ThresholdParams, Validity, ValueOrigin,
    VoteExtensionPolicy, VoteType,
};
use std::collections::{BTreeMap, BTreeSet};
use types::{
    BlockId, ChainId, Committee, Height, Round, SecretKey, Signature,
    vote::{Message, Proposal, Step, Vote},
};

/// How many heights ahead messages are kept for, and how many of one seat's for each: its votes and proposals of the
/// first rounds. More is not needed to start a height, and nobody can fill the place of another. Certificates have places
/// of their own.
const EARLY_HEIGHTS: u64 = 3;
const EARLY_PER_SEAT: usize = 6;
/// No network gets so far in a height; whoever speaks of a later round is not listened to, however many they are.
const ROUND_MAX: Round = Round(1 << 30);
/// The core's own queue for the same purpose, which takes whatever comes; it is given nothing.
const QUEUE: usize = 1;

type State = core_consensus::State<Chain>;
type CoreInput = core_consensus::Input<Chain>;

/// The core, the key it signs with, and the committee it asks about.
pub(crate) struct Core {
    state: State,
    signer: Signer,
    /// The height under way; after it, the one to come.
    next: Height,
    /// Messages for heights that have not begun here.
    early: BTreeMap<Height, Vec<Message>>,
}

struct Signer {
    chain: ChainId,
    secret: SecretKey,
    vote_from: Height,
    committee: Committee,
    /// Of those in the committee, what each was heard to say.
    witness: Witness,
}

/// The core at the beginning of a height, in a seat.
fn state_for(start: &Start, seat: Option<u16>, vote_from: Height) -> State {
    let params = Params {
        // A node without a seat follows: it checks and decides, and never signs.
        address: Seat(seat.unwrap_or(u16::MAX)),
        threshold_params: ThresholdParams::default(),
        value_payload: ValuePayload::ProposalAndParts,
        enabled: seat.is_some() && start.height >= vote_from,
    };
    let (height, validators) = (At(start.height.0), Validators::of(&start.committee));
    State::new(Chain, height, validators, params, QUEUE, QUEUE)
}

impl Core {
    pub(crate) fn restore(
        identity: Identity,
        start: Start,
        journal: &[Entry],
    ) -> Result<(Self, Vec<Action>), Stuck> {
        let seat = start.committee.index_of(&identity.secret.public());
        let state = state_for(&start, seat, identity.vote_from);
        let signer = Signer {
            chain: identity.chain,
            secret: identity.secret,
            vote_from: identity.vote_from,
            committee: start.committee.clone(),
            witness: Witness::default(),
        };
        let mut core = Self { state, signer, next: start.height, early: BTreeMap::new() };
        let inputs: Vec<CoreInput> = journal
            .iter()
            .filter(|entry| entry.height() == start.height)
            .map(|entry| core.replayed(entry))
            .collect();
        // The index makes the core reuse a recorded signature, and stop if it would now say something else.
        core.state.index_wal_entries(&inputs);
        let mut actions = core.step(Input::Start(start))?;
        for input in inputs {
            core.run(input, &mut actions)?;
        }
        core.state.reset_entries_index();
        // What is replayed is in the journal; what follows from it and was lost in the crash is not yet, and must be before
        // it is said. And a turn that the journal shows we took is not taken again.
        let written: BTreeSet<Vec<u8>> = journal.iter().map(types::codec::encode).collect();
        let (height, round) = core.at();
        let taken = journal.iter().any(|entry| {
            matches!(entry, Entry::Message(Message::Proposal(proposal, _))
                if Some(proposal.seat) == seat && proposal.height == height && proposal.round == round)
        });
        actions.retain(|action| match action {
            Action::Journal(entry) => !written.contains(&types::codec::encode(entry)),
            Action::Propose { height: h, round: r } => (*h, *r) == (height, round) && !taken,
            Action::Sign(_)
            | Action::Broadcast(_)
            | Action::Set(_)
            | Action::Cancel(_)
            | Action::CancelAll
            | Action::Round { .. }
            | Action::Restream(_)
            | Action::Decide(_)
            | Action::Accuse(_) => true,
        });
        Ok((core, actions))
    }

    pub(crate) fn at(&self) -> (Height, Round) {
        (Height(self.state.height().0), our_round(self.state.round()))
    }

    /// Whom it has heard in the round under way.
    pub(crate) fn tally(&self) -> Tally {
        let round = self.state.round();
        let valid = self.state.driver.proposals_and_validities_for_round(round);
        let proposed = valid.iter().any(|(_, validity)| validity.is_valid());
        let mut tally = Tally { proposed, ..Tally::default() };
        let votes = self.state.driver.votes().per_round(round);
        for vote in votes.map(|round| round.received_votes().iter()).into_iter().flatten() {
            let Vote { step, block, seat, .. } = vote.message.vote;
            match step {
                Step::Prevote => tally.prevoted.insert(seat),
                Step::Precommit => tally.precommitted.insert(seat),
            };
            if step == Step::Precommit && block.is_none() {
                tally.refused.insert(seat);
            }
        }
        tally
    }

    /// Whether the engine is locked on this block, or would propose it again.
    pub(crate) fn holds(&self, block: &BlockId) -> bool {
        let round = self.state.driver.round_state();
        [&round.locked, &round.valid].into_iter().flatten().any(|held| held.value.0 == *block)
    }

    /// Whether a validator said this, or at least part of it.
    pub(crate) fn vouches(&self, message: &Message) -> bool {
        self.signer.speaker(message).is_some()
    }

    /// Whether this shows that somebody said two things, now or at the height before. Nothing else follows from it: the
    /// core does not hear it, which may have decided long ago.
    pub(crate) fn overhear(&mut self, message: &Message) -> Vec<Action> {
        let said = Said::of(message).filter(|said| {
            Witness::covers(self.at().0, message.height()) && self.signer.witness.is_news(said)
        });
        let good = said.filter(|_| self.signer.speaker(message).is_some());
        let evidence = good.and_then(|said| self.signer.witness.note(said));
        evidence.map(Action::Accuse).into_iter().collect()
    }

    /// The height before is decided and kept, and this one comes next.
    pub(crate) fn announce(&mut self, height: Height, committee: &Committee) {
        self.next = height;
        self.early = self.early.split_off(&height);
        if *committee != self.signer.committee {
            self.signer.committee = committee.clone();
            self.signer.witness.clear();
            // Who sat there before may have taken the places of who sits there now.
            for kept in self.early.values_mut() {
                kept.retain(|message| self.signer.is_sound(message));
            }
        }
    }

    /// The seats in whose names something is kept for a height that has not begun here.
    pub(crate) fn speakers(&self, height: Height) -> BTreeSet<u16> {
        self.early.get(&height).into_iter().flatten().flat_map(seats).collect()
    }

    fn keep_early(&mut self, message: Message, actions: &mut Vec<Action>) {
        let (height, last) = (message.height(), self.next.plus(EARLY_HEIGHTS));
        let is_near = (self.next..=last).contains(&height);
        if !is_near || self.early.get(&height).is_some_and(|kept| kept.contains(&message)) {
            return;
        }
        let Some(said) = Said::of(&message) else { return self.keep_certificate(message) };
        if let Some(seat) = self.signer.speaker(&message) {
            actions.extend(self.signer.witness.note(said).map(Action::Accuse));
            let kept = self.early.entry(height).or_default();
            let of_seat = kept.iter().filter_map(Said::of).filter(|said| said.place().3 == seat);
            if of_seat.count() < EARLY_PER_SEAT {
                kept.push(message);
            }
        }
    }

    /// Keeps a certificate for a height that has not begun here, of each kind the one of the latest round.
    ///
    /// It speaks in the names of others, so it takes no place of theirs, and every part of it has to be good: anybody can
    /// put what others signed before what they did not.
    fn keep_certificate(&mut self, message: Message) {
        let (height, kind) = (message.height(), core::mem::discriminant(&message));
        let kept = self.early.get(&height).into_iter().flatten();
        let mut rivals = kept.filter(|other| core::mem::discriminant(*other) == kind);
        if rivals.any(|rival| rival.round() >= message.round()) || !self.signer.is_sound(&message) {
            return;
        }
        let kept = self.early.entry(height).or_default();
        kept.retain(|other| core::mem::discriminant(other) != kind);
        kept.push(message);
    }

    pub(crate) fn step(&mut self, input: Input) -> Result<Vec<Action>, Stuck> {
        let mut actions = Vec::new();
        let input = match input {
            Input::Start(start) => {
                self.announce(start.height, &start.committee);
                self.signer.witness.begin(start.height);
                let validators = Validators::of(&start.committee);
                let seat = start.committee.index_of(&self.signer.secret.public());
                if self.state.params.address == Seat(seat.unwrap_or(u16::MAX)) {
                    self.state.params.enabled =
                        seat.is_some() && start.height >= self.signer.vote_from;
                } else {
                    // The core learns its seat once. A height begins with nothing of the one before, so a new core loses nothing.
                    self.state = state_for(&start, seat, self.signer.vote_from);
                }
                // No target time: then the core never acts on the clock it reads.
                CoreInput::StartHeight(
                    At(start.height.0),
                    validators,
                    false,
                    None,
                    VoteExtensionPolicy::Disabled,
                )
            }
            // The core counts rounds in more bits than a vote has: what follows the last round would be signed as the first.
            Input::Message(message) if message.round() > ROUND_MAX => return Ok(actions),
            Input::Message(message) if message.height() > self.at().0 => {
                self.keep_early(message, &mut actions);
                return Ok(actions);
            }
            Input::Message(message) if message.height() < self.at().0 => {
                return Ok(self.overhear(&message));
            }
            Input::Message(message) => {
                // What is new the core will check, and the witness hears of it. What contradicts something it may ignore.
                if Said::of(&message).is_some_and(|said| self.signer.witness.knows(&said)) {
                    actions.extend(self.overhear(&message));
                }
                core_message(message)
            }
            Input::Propose { height, round, block } => CoreInput::Propose(
                LocallyProposedValue::new(At(height.0), core_round(round), Value(block)),
            ),
            Input::Judged { height, round, block, valid } => {
                self.judged(height, round, block, valid)
            }
            Input::Elapsed(timer) => CoreInput::TimeoutElapsed(core_timer(timer)),
        };
        self.run(input, &mut actions)?;
        for message in self.early.remove(&self.at().0).unwrap_or_default() {
            self.run(core_message(message), &mut actions)?;
        }
        Ok(actions)
    }

    fn replayed(&self, entry: &Entry) -> CoreInput {
        match entry {
            Entry::Message(message) => core_message(message.clone()),
            Entry::Judged { height, round, block, valid } => {
                self.judged(*height, *round, *block, *valid)
            }
            Entry::Elapsed { timer, .. } => CoreInput::TimeoutElapsed(core_timer(*timer)),
        }
    }

    fn judged(&self, height: Height, round: Round, block: BlockId, valid: bool) -> CoreInput {
        let (height, round) = (At(height.0), core_round(round));
        let value = ProposedValue {
            height,
            round,
            valid_round: core_types::Round::Nil,
            proposer: *self.state.get_proposer(height, round),
            value: Value(block),
            validity: Validity::from_bool(valid),
        };
        CoreInput::ProposedValue(value, ValueOrigin::Consensus)
    }

    fn run(&mut self, input: CoreInput, actions: &mut Vec<Action>) -> Result<(), Stuck> {
        let mut coroutine = Gen::new(|co| handle(co, &mut self.state, &(), input));
        let mut next = coroutine.resume_with(Resume::Start);
        loop {
            match next {
                CoResult::Yielded(effect) => {
                    next = coroutine.resume_with(self.signer.answer(effect, actions));
                }
                CoResult::Complete(result) => {
                    sign_after_journal(actions);
                    return result.map_err(|error| Stuck(error.to_string()));
                }
            }
        }
    }
}

/// Puts what is remembered beside the key behind the journal entry of the same signature.
///
/// Between signing a block that it proposes again and journalling that, the core says something else. A crash there would
/// leave a record of a signature that the journal does not know, and the node would not vote for the rest of the height.
fn sign_after_journal(actions: &mut [Action]) {
    let signs: Vec<Signed> = actions
        .iter()
        .filter_map(|action| if let Action::Sign(signed) = action { Some(*signed) } else { None })
        .collect();
    for signed in signs {
        let remembers = |action: &Action| match action {
            Action::Journal(entry) => {
                entry.signed().is_some_and(|(_, kept)| kept.signature == signed.signature)
            }
            Action::Sign(_)
            | Action::Broadcast(_)
            | Action::Set(_)
            | Action::Cancel(_)
            | Action::CancelAll
            | Action::Round { .. }
            | Action::Propose { .. }
            | Action::Restream(_)
            | Action::Decide(_)
            | Action::Accuse(_) => false,
        };
        let is_it = |action: &Action| *action == Action::Sign(signed);
        let (from, to) = (actions.iter().position(is_it), actions.iter().position(remembers));
        if let (Some(from), Some(to)) = (from, to)
            && from < to
        {
            actions[from..=to].rotate_left(1);
        }
    }
}

impl Signer {
    /// The answer to one effect. Signing and checking are done on the spot; all else is left for the shell to do.
    fn answer(&mut self, effect: Effect<Chain>, actions: &mut Vec<Action>) -> Resume<Chain> {
        match effect {
            Effect::CancelAllTimeouts(r) => {
                actions.push(Action::CancelAll);
                r.resume_with(())
            }
            Effect::CancelTimeout(timeout, r) => {
                actions.extend(our_timer(timeout).map(Action::Cancel));
                r.resume_with(())
            }
            Effect::ScheduleTimeout(timeout, r) => {
                actions.extend(our_timer(timeout).map(Action::Set));
                r.resume_with(())
            }
            Effect::StartRound(height, round, proposer, _role, r) => {
                let (height, round) = (Height(height.0), our_round(round));
                actions.push(Action::Round { height, round, proposer: proposer.0 });
                r.resume_with(())
            }
            Effect::PublishConsensusMsg(message, r) => {
                actions.push(Action::Broadcast(match message {
                    SignedConsensusMsg::Vote(vote) => {
                        Message::Vote(vote.message.vote, vote.signature)
                    }
                    SignedConsensusMsg::Proposal(proposal) => {
                        Message::Proposal(proposal.message.proposal, proposal.signature)
                    }
                }));
                r.resume_with(())
            }
            Effect::PublishLivenessMsg(message, r) => {
                actions.push(Action::Broadcast(match message {
                    LivenessMsg::Vote(vote) => Message::Vote(vote.message.vote, vote.signature),
                    LivenessMsg::PolkaCertificate(certificate) => our_polka(certificate),
                    LivenessMsg::SkipRoundCertificate(certificate) => our_round_change(certificate),
                }));
                r.resume_with(())
            }
            Effect::RepublishVote(vote, r) => {
                actions.push(Action::Broadcast(Message::Vote(vote.message.vote, vote.signature)));
                r.resume_with(())
            }
            Effect::RepublishRoundCertificate(certificate, r) => {
                actions.push(Action::Broadcast(our_round_change(certificate)));
                r.resume_with(())
            }
            Effect::GetValue(height, round, _timeout, r) => {
                actions.push(Action::Propose { height: Height(height.0), round: our_round(round) });
                r.resume_with(())
            }
            Effect::RestreamProposal(_height, _round, _valid_round, _proposer, block, r) => {
                actions.push(Action::Restream(block));
                r.resume_with(())
            }
            // Certified blocks are applied beside the engine, which is then started at the next height.
            Effect::CertVerifiedSyncValue(_response, _proposer, r) => r.resume_with(()),
            Effect::CertRejectedSyncValue(_peer, _height, _error, r) => r.resume_with(()),
            Effect::Decide(certificate, _extensions, r) => {
                actions.push(Action::Decide(our_certificate(&certificate)));
                r.resume_with(())
            }
            // What the core knows of two-faced validators the witness knows too, and says at once.
            Effect::Finalize(_certificate, _extensions, _evidence, r) => r.resume_with(()),
            Effect::SignVote(vote, r) => {
                let signature = vote.vote.sign(&self.chain, &self.secret);
                let Vote { height, round, step, block, .. } = vote.vote;
                let step = match step {
                    Step::Prevote => 1,
                    Step::Precommit => 2,
                };
                actions.push(Action::Sign(Signed { height, round, step, block, signature }));
                r.resume_with(SignedMessage::new(vote, signature))
            }
            Effect::SignProposal(proposal, r) => {
                let signature = proposal.proposal.sign(&self.chain, &self.secret);
                let Proposal { height, round, block, .. } = proposal.proposal;
                let block = Some(block);
                actions.push(Action::Sign(Signed { height, round, step: 0, block, signature }));
                r.resume_with(SignedMessage::new(proposal, signature))
            }
            Effect::VerifySignature(signed, _key, r) => {
                let (said, valid) = match &signed.message {
                    ConsensusMsg::Vote(vote) => (
                        Said::Vote(vote.vote, signed.signature),
                        vote.vote.check(&self.chain, &self.committee, &signed.signature),
                    ),
                    ConsensusMsg::Proposal(proposal) => (
                        Said::Proposal(proposal.proposal, signed.signature),
                        proposal.proposal.check(&self.chain, &self.committee, &signed.signature),
                    ),
                };
                if valid.is_ok() {
                    actions.extend(self.witness.note(said).map(Action::Accuse));
                }
                r.resume_with(valid.is_ok())
            }
            Effect::VerifyCommitCertificate(certificate, _validators, _thresholds, r) => {
                r.resume_with(self.check_commit(&certificate))
            }
            Effect::VerifyExtendedCommitCertificate(
                certificate,
                _validators,
                _thresholds,
                _policy,
                r,
            ) => r.resume_with(self.check_commit(&certificate.trim_vote_extensions())),
            Effect::VerifyPolkaCertificate(certificate, _validators, _thresholds, r) => {
                r.resume_with(self.check_polka(&certificate).map(|votes| self.hear(votes, actions)))
            }
            Effect::VerifyRoundCertificate(certificate, _validators, _thresholds, r) => {
                r.resume_with(self.check_round(&certificate).map(|votes| self.hear(votes, actions)))
            }
            Effect::WalAppend(height, input, r) => {
                actions.extend(our_entry(height, input).map(Action::Journal));
                r.resume_with(())
            }
            Effect::ExtendVote(_height, _round, _value, _policy, r) => r.resume_with(None),
            Effect::VerifyVoteExtension(_height, _round, _value, _seat, _extension, _key, r) => {
                r.resume_with(Err(VoteExtensionError::InvalidVoteExtension))
            }
        }
    }

    /// Votes out of a certificate that was checked: a seat that says two things may say one of them only there.
    fn hear(&mut self, votes: Vec<(Vote, Signature)>, actions: &mut Vec<Action>) {
        for (vote, signature) in votes {
            let evidence = self.witness.note(Said::Vote(vote, signature));
            actions.extend(evidence.map(Action::Accuse));
        }
    }

    fn check_commit(
        &self,
        certificate: &CommitCertificate<Chain>,
    ) -> Result<(), CertificateError<Chain>> {
        let votes = certificate.commit_signatures.iter().map(|commit| {
            let value = NilOrVal::Val(certificate.value_id);
            let vote = CoreVote::new(
                certificate.height,
                certificate.round,
                Step::Precommit,
                value,
                commit.address,
            );
            let bad = CertificateError::InvalidCommitSignature(commit.clone());
            (vote.vote, commit.signature, bad)
        });
        self.check(votes, self.committee.quorum()).map(drop)
    }

    fn check_polka(
        &self,
        certificate: &PolkaCertificate<Chain>,
    ) -> Result<Vec<(Vote, Signature)>, CertificateError<Chain>> {
        let votes = certificate.polka_signatures.iter().map(|polka| {
            let value = NilOrVal::Val(certificate.value_id);
            let vote = CoreVote::new(
                certificate.height,
                certificate.round,
                Step::Prevote,
                value,
                polka.address,
            );
            let bad = CertificateError::InvalidPolkaSignature(polka.clone());
            (vote.vote, polka.signature, bad)
        });
        self.check(votes, self.committee.quorum())
    }

    fn check_round(
        &self,
        certificate: &RoundCertificate<Chain>,
    ) -> Result<Vec<(Vote, Signature)>, CertificateError<Chain>> {
        let needed = match certificate.cert_type {
            RoundCertificateType::Skip => self.committee.faults() + 1,
            RoundCertificateType::Precommit => self.committee.quorum(),
        };
        for signed in &certificate.round_signatures {
            if certificate.cert_type == RoundCertificateType::Precommit
                && signed.vote_type == VoteType::Prevote
            {
                return Err(CertificateError::InvalidVoteType(signed.address));
            }
        }
        let votes = certificate.round_signatures.iter().map(|signed| {
            let step = our_step(signed.vote_type);
            let vote = CoreVote::new(
                certificate.height,
                certificate.round,
                step,
                signed.value_id,
                signed.address,
            );
            let bad = CertificateError::InvalidRoundSignature(signed.clone());
            (vote.vote, signed.signature, bad)
        });
        self.check(votes, needed)
    }

    /// The votes, if so many different seats signed, and every signature is good. What costs nothing is looked at first.
    fn check(
        &self,
        votes: impl Iterator<Item = (Vote, Signature, CertificateError<Chain>)>,
        needed: usize,
    ) -> Result<Vec<(Vote, Signature)>, CertificateError<Chain>> {
        let votes: Vec<_> = votes.collect();
        let mut seats = BTreeSet::new();
        for (vote, ..) in &votes {
            if self.committee.seat(vote.seat).is_none() {
                return Err(CertificateError::UnknownValidator(Seat(vote.seat)));
            }
            if !seats.insert(vote.seat) {
                return Err(CertificateError::DuplicateVote(Seat(vote.seat)));
            }
        }
        let count = |number: usize| u64::try_from(number).expect("a committee is small");
        if seats.len() < needed {
            return Err(CertificateError::NotEnoughVotingPower {
                signed: count(seats.len()),
                total: count(self.committee.size()),
                expected: count(needed),
            });
        }
        let good = votes.into_iter().map(|(vote, signature, bad)| {
            let good = vote.check(&self.chain, &self.committee, &signature);
            good.map(|()| (vote, signature)).map_err(|_bad_signature| bad)
        });
        good.collect()
    }

    /// The seat that said this, if its signature is good; of a certificate, the first of those who did.
    fn speaker(&self, message: &Message) -> Option<u16> {
        let (height, round) = (message.height(), message.round());
        let check = |vote: Vote, signature| vote.check(&self.chain, &self.committee, signature);
        let good = match message {
            Message::Vote(vote, signature) => check(*vote, signature),
            Message::Proposal(proposal, signature) => {
                proposal.check(&self.chain, &self.committee, signature)
            }
            Message::Polka { block, signatures, .. } => {
                let (seat, signature) = signatures.first()?;
                let (step, block, seat) = (Step::Prevote, Some(*block), *seat);
                check(Vote { height, round, step, block, seat }, signature)
            }
            Message::RoundChange { votes, .. } => {
                let (seat, step, block, signature) = votes.first()?;
                let (step, block, seat) = (*step, *block, *seat);
                check(Vote { height, round, step, block, seat }, signature)
            }
        };
        good.ok().and_then(|()| seats(message).first().copied())
    }

    /// Whether every part of a message is good.
    fn is_sound(&self, message: &Message) -> bool {
        match core_message(message.clone()) {
            CoreInput::Vote(_) | CoreInput::Proposal(_) => self.speaker(message).is_some(),
            CoreInput::PolkaCertificate(certificate) => self.check_polka(&certificate).is_ok(),
            CoreInput::RoundCertificate(certificate) => self.check_round(&certificate).is_ok(),
            // No message is one of these.
            CoreInput::ProposedValue(..)
            | CoreInput::TimeoutElapsed(_)
            | CoreInput::StartHeight(..)
            | CoreInput::Propose(_)
            | CoreInput::SyncValueResponse(_) => false,
        }
    }
}

/// In whose names a message speaks.
fn seats(message: &Message) -> Vec<u16> {
    match message {
        Message::Vote(vote, _) => vec![vote.seat],
        Message::Proposal(proposal, _) => vec![proposal.seat],
        Message::Polka { signatures, .. } => signatures.iter().map(|(seat, _)| *seat).collect(),
        Message::RoundChange { votes, .. } => votes.iter().map(|(seat, ..)| *seat).collect(),
    }
}
