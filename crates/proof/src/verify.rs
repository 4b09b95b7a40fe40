//! The check: from bytes and a trust root to what has been proven, step by step.

mod authority;
mod batch;
mod blocks;
mod upstream;

use crate::{
    error::ProofError,
    file,
    map::{self, MapPath},
    receipt::{AgencyState, AuthorityClaim, Claim, Proof, RecordClaim, Said, StatusClaim},
    succession::Succession,
    trust::{Checkpoint, TrustRoot},
};
use authority::{Allowed, Authorities};
pub use authority::{Grounds, genesis_allows};
use std::collections::{BTreeMap, BTreeSet};
use types::{
    AgencyCode, BlockId, Certificate, ChainId, Committee, Hash, Header, Height, PublicKey,
    RecordId, Role, Round, Signature, Subject, SubjectState, Text, Timestamp, TxId, Validator,
    block,
    merkle::{self, PathError, climb},
    operation::Family,
    subject::{Kind, Link},
    transaction::{self, TransactionHeader, operation_leaf},
};

/// What was found out about a proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Every step, in the order in which people are told: those of each claim, then finality, then trust.
    pub steps: Vec<Step>,
    /// The proof, proven; or why not.
    pub result: Result<Proven<Proof>, Refusal>,
}

/// A value whose proof was checked. Nothing can be deserialised into it; [`verify`] alone makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven<T>(T);

impl<T> Proven<T> {
    /// The value.
    pub const fn get(&self) -> &T {
        &self.0
    }

    /// The value, no longer vouched for.
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// A proof that proves nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The reason that matters most: trust before finality, finality before claims.
    pub error: ProofError,
    /// What the file says, if it could be read. None of it is proven.
    pub claimed: Option<Box<Proof>>,
}

/// One step of the check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What was checked.
    pub check: Check,
    /// Of which claim; none for what all claims rest on.
    pub claim: Option<usize>,
    /// What came of it.
    pub outcome: Outcome,
}

/// What a step checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// The operation is the one an agency's key signed, and the one the log's entry names.
    Record,
    /// The key is that agency's, and the agency may make such records.
    Authority,
    /// The entry stands in the certified log.
    Inclusion,
    /// The subject stands in the certified map as claimed, or does not stand there.
    State,
    /// The records shown are all the records the subject has.
    History,
    /// The lots shown are the whole upstream of the lot asked for.
    Upstream,
    /// The log of an earlier block begins the log of this one.
    Consistency,
    /// Two blocks of one height were certified.
    Fork,
    /// A validator said two things where it may say one.
    Equivocation,
    /// A quorum of the committee agreed on the block.
    Finality,
    /// The chain is that of the trust root, and the committee follows from it.
    Trust,
    /// The block does not contradict the one saved in the trust root.
    Checkpoint,
}

impl Check {
    /// Its name, for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Authority => "authority",
            Self::Inclusion => "inclusion",
            Self::State => "state",
            Self::History => "history",
            Self::Upstream => "upstream",
            Self::Consistency => "consistency",
            Self::Fork => "fork",
            Self::Equivocation => "equivocation",
            Self::Finality => "finality",
            Self::Trust => "trust",
            Self::Checkpoint => "checkpoint",
        }
    }
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It holds, and this is what it says.
    Passed(Fact),
    /// It does not hold.
    Failed(ProofError),
    /// It rests on a step that does not hold, so nobody looked.
    NotEvaluated,
}

/// What a step that holds says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// Of [`Check::Record`].
    Record {
        /// The record.
        record: RecordId,
        /// The transaction that carried it.
        tx: TxId,
        /// Which of the transaction's operations it is, from 0.
        index: u32,
        /// How many the transaction has.
        count: u32,
        /// The agency that acted.
        agency: AgencyCode,
        /// The key that signed.
        key: PublicKey,
    },
    /// Of [`Check::Authority`].
    Authority {
        /// The agency's name.
        name: Text<96>,
        /// The family it has a role for.
        family: Family,
        /// How much of the role's scope the operation let us check.
        scope: Scope,
        /// Who says so.
        grounds: Grounds,
    },
    /// Of [`Check::Authority`], for a claim of authority.
    Held {
        /// The agency.
        agency: AgencyCode,
        /// Its name.
        name: Text<96>,
        /// The key that could sign for it, if one was asked about.
        key: Option<PublicKey>,
        /// In the block of this height.
        at: Height,
        /// The roles it held, with their numbers among its grants.
        roles: Vec<(u32, Role)>,
        /// Roles that ended before this time are not among them; it is the time of the block before, or later.
        time: Timestamp,
    },
    /// Of [`Check::State`], for a claim of authority.
    Line {
        /// How many agencies.
        agencies: usize,
        /// Hashes on all ways.
        hashes: usize,
        /// The map's root.
        root: Hash,
    },
    /// Of [`Check::Inclusion`].
    Inclusion {
        /// The entry's place in the log, from 0.
        position: u64,
        /// The log's size.
        size: u64,
        /// Hashes on the way.
        hashes: usize,
        /// The log's root.
        root: Hash,
        /// The block that brought the record.
        height: Height,
        /// That block's time.
        time: Timestamp,
    },
    /// Of [`Check::State`].
    State {
        /// The subject.
        subject: Subject,
        /// Whether it is on the ledger.
        present: bool,
        /// Hashes on the way.
        hashes: usize,
        /// The map's root.
        root: Hash,
    },
    /// Of [`Check::History`].
    History {
        /// How many records the subject has: all of them, and no others, are listed.
        records: u64,
        /// How many of these the same file shows whole.
        shown: u64,
    },
    /// Of [`Check::Record`], for a batch.
    Records {
        /// How many records.
        records: usize,
        /// Under how many signatures.
        transactions: usize,
        /// Of which agencies.
        agencies: Vec<AgencyCode>,
    },
    /// Of [`Check::Authority`], for a batch.
    Authorities {
        /// The names of the agencies.
        names: Vec<Text<96>>,
        /// For how many of the records the operation let us check the whole scope of the role.
        covered: usize,
        /// For how many of the records the ledger itself says so, and not genesis.
        by_ledger: usize,
    },
    /// Of [`Check::Inclusion`], for a batch.
    Inclusions {
        /// How many records.
        records: usize,
        /// The log's size.
        size: u64,
        /// Hashes beside them.
        hashes: usize,
        /// The log's root.
        root: Hash,
        /// When the first of them was recorded.
        first: Timestamp,
        /// And the last.
        last: Timestamp,
    },
    /// Of [`Check::State`], for the lots of an upstream.
    States {
        /// How many lots.
        lots: usize,
        /// Hashes on all ways.
        hashes: usize,
        /// The map's root.
        root: Hash,
    },
    /// Of [`Check::Upstream`].
    Upstream {
        /// The lots reached, the one asked for included.
        lots: usize,
        /// Their records.
        records: usize,
        /// How many steps up the farthest is.
        depth: usize,
        /// The lots that nothing on the ledger was made into: where the way ends.
        sources: usize,
    },
    /// Of [`Check::Consistency`].
    Consistency {
        /// The earlier block.
        height: Height,
        /// Its time.
        time: Timestamp,
        /// How long the log was.
        old: u64,
        /// How long it is.
        new: u64,
        /// Hashes between.
        hashes: usize,
    },
    /// Of [`Check::Fork`].
    Fork {
        /// The height.
        height: Height,
        /// The proof's block.
        one: BlockId,
        /// The other.
        other: BlockId,
        /// The seats that signed both.
        both: Vec<Validator>,
    },
    /// Of [`Check::Equivocation`].
    Equivocation {
        /// Who said two things.
        validator: Validator,
        /// At which height.
        height: Height,
        /// In which round.
        round: Round,
        /// What.
        said: Said,
    },
    /// Of [`Check::Checkpoint`].
    Checkpoint {
        /// The height of the block saved.
        height: Height,
        /// Whether it is this very block.
        same: bool,
    },
    /// Of [`Check::Finality`].
    Finality {
        /// The block.
        block: BlockId,
        /// Its height.
        height: Height,
        /// Its time.
        time: Timestamp,
        /// The round in which it was agreed on.
        round: Round,
        /// The seats that signed.
        signers: Vec<Validator>,
        /// How many had to.
        quorum: usize,
    },
    /// Of [`Check::Trust`].
    Trust {
        /// The network's name.
        name: Text<64>,
        /// The chain.
        chain: ChainId,
        /// The committee's digest.
        committee: Hash,
        /// How many validators it has.
        validators: usize,
        /// Through how many changes it follows from genesis.
        changes: usize,
    },
}

/// How much of a role's scope an operation lets anyone check who sees only the operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of it: the operation names the region, type or lots.
    Covered,
    /// The family only: the rest follows from the subject's earlier records, which the validators saw.
    Family,
}

/// Checks the proof that `bytes` spell, in either carrier. Takes no longer than the size of the file allows.
#[must_use]
pub fn verify(bytes: &[u8], root: &TrustRoot) -> Verdict {
    judge(file::read(bytes), root)
}

/// The same of a proof that stands inside another file, where there is only its binary carrier.
pub(crate) fn verify_binary(bytes: &[u8], root: &TrustRoot) -> Verdict {
    judge(file::read_binary(bytes), root)
}

/// What was read, and whether its seal is whole.
type Read = Result<(Proof, Result<(), ProofError>), ProofError>;

fn judge(read: Read, root: &TrustRoot) -> Verdict {
    let (proof, seal) = match read {
        Ok(read) => read,
        Err(error) => return Verdict::unread(error, None),
    };
    let Verdict { steps, result } = proof.verify(root);
    // What is wrong with what a file says tells more than that it was changed; that much is certain, though.
    let result = match (result, seal) {
        (Ok(proven), Err(error)) => {
            Err(Refusal { error, claimed: Some(Box::new(proven.into_inner())) })
        }
        (Err(Refusal { error: undecided, claimed }), Err(error)) if undecided.is_undecided() => {
            Err(Refusal { error, claimed })
        }
        (result, Ok(()) | Err(_)) => result,
    };
    Verdict { steps, result }
}

impl Verdict {
    fn unread(error: ProofError, claimed: Option<Box<Proof>>) -> Self {
        Self { steps: Vec::new(), result: Err(Refusal { error, claimed }) }
    }

    /// Why the proof proves nothing, if it does not.
    #[must_use]
    pub fn error(&self) -> Option<&ProofError> {
        self.result.as_ref().err().map(|refusal| &refusal.error)
    }

    /// The proof, if it is proven.
    #[must_use]
    pub fn proven(&self) -> Option<&Proven<Proof>> {
        self.result.as_ref().ok()
    }
}

impl Proof {
    /// Checks the proof. Every step that can be evaluated is, whatever became of the others.
    #[must_use]
    pub fn verify(self, root: &TrustRoot) -> Verdict {
        if let Err(error) = self.within_limits() {
            return Verdict::unread(error, Some(Box::new(self)));
        }
        let steps = Examination { proof: &self, root }.steps();
        let result = match worst(&steps) {
            Some(error) => Err(Refusal { error: error.clone(), claimed: Some(Box::new(self)) }),
            None => Ok(Proven(self)),
        };
        Verdict { steps, result }
    }

    /// Whether the block is final and follows from a trust root; then, who sat in the committee when.
    pub(crate) fn finality(&self, root: &TrustRoot) -> Result<Succession, ProofError> {
        self.within_limits()?;
        let examination = Examination { proof: self, root };
        let succession = examination.trust()?;
        examination.finality(&succession)?;
        if let Some(saved) = root.checkpoint() {
            examination.checkpoint(saved)?;
        }
        Ok(succession)
    }

    /// Whether it shows that its log continues that of a block that the trust root saved.
    pub(crate) fn continues(
        &self,
        saved: &Header,
        root: &TrustRoot,
        known: &Succession,
    ) -> Result<Fact, ProofError> {
        Examination { proof: self, root }.continues(saved, known)
    }
}

/// The failure to tell first: a definite one before an undecided one, what all rests on before what rests on it.
fn worst(steps: &[Step]) -> Option<&ProofError> {
    steps
        .iter()
        .filter_map(|step| match &step.outcome {
            Outcome::Failed(error) => Some((error, step)),
            Outcome::Passed(_) | Outcome::NotEvaluated => None,
        })
        .min_by_key(|(error, step)| {
            let rank = match step.check {
                Check::Trust => 0,
                Check::Finality => 1,
                Check::Checkpoint => 2,
                Check::Record
                | Check::Authority
                | Check::Inclusion
                | Check::State
                | Check::History
                | Check::Upstream
                | Check::Consistency
                | Check::Fork
                | Check::Equivocation => 3,
            };
            (error.is_undecided(), rank)
        })
        .map(|(error, _)| error)
}

struct Examination<'a> {
    proof: &'a Proof,
    root: &'a TrustRoot,
}

impl Examination<'_> {
    fn steps(&self) -> Vec<Step> {
        let trust = self.trust();
        let known = trust.as_ref().ok();
        let same_chain = self.proof.chain == *self.root.chain();
        let mut steps = Vec::new();
        let mut signed = None;
        let shown = self.shown();
        let mut authorities = Authorities::new(self.proof, self.root);
        for (index, claim) in self.proof.claims.iter().enumerate() {
            let mut push = |check, outcome| {
                steps.push(Step { check, claim: Some(index), outcome });
            };
            match claim {
                Claim::Record(claim) => {
                    push(Check::Record, evaluate(self.record(claim, &mut signed)));
                    // What an agency may do is written in the genesis of its own chain, or follows from it there.
                    let authority = || Self::authority(claim, &mut authorities);
                    push(Check::Authority, evaluate_if(same_chain, authority));
                    push(Check::Inclusion, evaluate(self.inclusion(claim)));
                }
                Claim::Status(claim) => {
                    push(Check::State, evaluate(self.state(claim)));
                    if let Some(history) = &claim.history {
                        let state = claim.state.as_ref();
                        push(Check::History, evaluate(self.history(state, history, &shown)));
                    }
                }
                Claim::Records(claim) => {
                    let shape = batch::shape(claim);
                    let sound = shape.is_ok();
                    let record = shape.and_then(|()| self.records(claim));
                    push(Check::Record, evaluate(record));
                    let authority = || batch::authorities(claim, &mut authorities);
                    push(Check::Authority, evaluate_if(sound && same_chain, authority));
                    push(Check::Inclusion, evaluate_if(sound, || self.inclusions(claim)));
                }
                Claim::Upstream(claim) => {
                    let shape = batch::shape(&claim.records);
                    let sound = shape.is_ok();
                    let record = shape.and_then(|()| self.records(&claim.records));
                    push(Check::Record, evaluate(record));
                    let authority = || batch::authorities(&claim.records, &mut authorities);
                    push(Check::Authority, evaluate_if(sound && same_chain, authority));
                    push(Check::Inclusion, evaluate_if(sound, || self.inclusions(&claim.records)));
                    push(Check::State, evaluate(self.lot_states(claim)));
                    push(Check::History, evaluate(self.lot_histories(claim, &shown)));
                    push(Check::Upstream, evaluate_if(sound, || upstream::whole(claim)));
                }
                Claim::Consistency(claim) => {
                    // Signatures of people whom the trust root does not know say nothing.
                    let outcome = known.map_or(Outcome::NotEvaluated, |known| {
                        evaluate(self.consistency(claim, known))
                    });
                    push(Check::Consistency, outcome);
                }
                Claim::Fork(claim) => {
                    let outcome = known
                        .map_or(Outcome::NotEvaluated, |known| evaluate(self.fork(claim, known)));
                    push(Check::Fork, outcome);
                }
                Claim::Votes(claim) => {
                    let outcome = known
                        .map_or(Outcome::NotEvaluated, |known| evaluate(self.votes(claim, known)));
                    push(Check::Equivocation, outcome);
                }
                // That the block is final is told below, of all claims.
                Claim::Block => {}
                Claim::Authority(claim) => {
                    push(Check::State, evaluate(self.line_states(claim)));
                    let tip = self.proof.header.height;
                    let held = || authorities.held(claim, tip);
                    push(Check::Authority, evaluate_if(same_chain, held));
                }
            }
        }
        let finality = known.map(|known| self.finality(known));
        let certain = matches!(finality, Some(Ok(_)));
        let mut push = |check, outcome| steps.push(Step { check, claim: None, outcome });
        push(Check::Finality, finality.map_or(Outcome::NotEvaluated, evaluate));
        push(Check::Trust, evaluate(trust.map(|known| self.trusted(&known))));
        if let Some(saved) = self.root.checkpoint() {
            push(Check::Checkpoint, evaluate_if(certain, || self.checkpoint(saved)));
        }
        steps
    }

    /// Follows the handover from the trust root to the committee of the proof's block.
    fn trust(&self) -> Result<Succession, ProofError> {
        let Proof { chain, header, handover, .. } = self.proof;
        let wanted = *self.root.chain();
        for found in [*chain, header.chain] {
            if found != wanted {
                return Err(ProofError::Chain { found, wanted });
            }
        }
        let known = Succession::follow(self.root, handover, header.height)?;
        let (found, wanted) = (header.committee, known.at(header.height).digest);
        if found == wanted { Ok(known) } else { Err(ProofError::TrustRoot { found, wanted }) }
    }

    fn trusted(&self, known: &Succession) -> Fact {
        let reign = known.at(self.proof.header.height);
        Fact::Trust {
            name: self.root.name().clone(),
            chain: self.proof.chain,
            committee: reign.digest,
            validators: reign.committee.size(),
            changes: known.changes_before(self.proof.header.height),
        }
    }

    fn finality(&self, known: &Succession) -> Result<Fact, ProofError> {
        let Proof { chain, header, certificate, .. } = self.proof;
        let committee = &known.at(header.height).committee;
        let block = certified(chain, header, certificate, committee)?;
        Ok(Fact::Finality {
            block,
            height: header.height,
            time: header.time,
            round: certificate.round,
            signers: signers(certificate, committee).cloned().collect(),
            quorum: committee.quorum(),
        })
    }

    /// What a quorum certified can be held against what a quorum certified before.
    fn checkpoint(&self, saved: &Checkpoint) -> Result<Fact, ProofError> {
        let header = &self.proof.header;
        self.root.fits(header)?;
        let height = saved.header().height;
        Ok(Fact::Checkpoint { height, same: header.height == height })
    }

    /// `signed` is the last signature that was checked, and whether it is good: the claims of one transaction share it.
    fn record<'c>(
        &self,
        claim: &'c RecordClaim,
        signed: &mut Option<(&'c TransactionHeader, &'c Signature, bool)>,
    ) -> Result<Fact, ProofError> {
        let RecordClaim { entry, transaction, signature, operation, operation_path, .. } = claim;
        if transaction.chain != self.proof.chain {
            let (found, wanted) = (transaction.chain, self.proof.chain);
            return Err(ProofError::Chain { found, wanted });
        }
        let known = signed.filter(|(last, by, _)| (*last, *by) == (transaction, signature));
        let good = known.map_or_else(|| transaction.check(signature).is_ok(), |(.., good)| good);
        *signed = Some((transaction, signature, good));
        if !good {
            return Err(ProofError::Signature { key: transaction.key });
        }
        version("transaction", transaction.version, transaction::VERSION)?;
        let (index, count) = (entry.index, transaction.count);
        let (leaf, wanted) = (operation_leaf(operation), transaction.operations);
        let found = climb::<merkle::List>(leaf, index.into(), count.into(), operation_path)
            .map_err(|error| match error {
                PathError::Index { .. } => ProofError::Index { index, count },
                PathError::Length { found, wanted } => ProofError::PathLength { found, wanted },
            })?;
        if found != wanted {
            return Err(ProofError::Operation { found, wanted });
        }
        let (tx, record) = (transaction.id(), operation.record(&transaction.agency));
        if entry.tx != tx {
            return Err(ProofError::EntryTransaction { found: entry.tx, wanted: tx });
        }
        if entry.record != record {
            return Err(ProofError::EntryRecord { found: entry.record, wanted: record });
        }
        let (agency, key) = (transaction.agency, transaction.key);
        Ok(Fact::Record { record, tx, index, count, agency, key })
    }

    fn authority(
        claim: &RecordClaim,
        authorities: &mut Authorities<'_>,
    ) -> Result<Fact, ProofError> {
        let RecordClaim { entry, transaction, operation, .. } = claim;
        let Allowed { name, family, scope, grounds } =
            authorities.may(transaction, operation, entry.height)?;
        Ok(Fact::Authority { name: name.clone(), family, scope, grounds })
    }

    /// That every agency of a line stands in the state as shown.
    fn line_states(&self, claim: &AuthorityClaim) -> Result<Fact, ProofError> {
        let places = claim.line.iter().map(|AgencyState { state, siblings }| (state, siblings));
        let (agencies, hashes) = self.places(places)?;
        Ok(Fact::Line { agencies, hashes, root: self.proof.header.state_root })
    }

    /// That all these states stand where they are said to; how many they are, and how many hashes lead there.
    fn places<'c>(
        &self,
        places: impl Iterator<Item = (&'c SubjectState, &'c Vec<Hash>)>,
    ) -> Result<(usize, usize), ProofError> {
        let wanted = self.proof.header.state_root;
        let (mut states, mut hashes) = (0, 0);
        for (state, siblings) in places {
            let found = siblings.len();
            if found > map::BITS {
                return Err(ProofError::PathLength { found, wanted: map::BITS });
            }
            let path = MapPath { siblings: siblings.clone(), other: None };
            let found = path
                .root_with(&state.subject.key(), &state.digest())
                .map_err(ProofError::StatePath)?;
            if found != wanted {
                return Err(ProofError::State { found, wanted });
            }
            (states, hashes) = (states + 1, hashes + siblings.len());
        }
        Ok((states, hashes))
    }

    fn inclusion(&self, claim: &RecordClaim) -> Result<Fact, ProofError> {
        let RecordClaim { entry, log_path, transaction, .. } = claim;
        let header = &self.proof.header;
        let (position, size, wanted) = (entry.position, header.log_size, header.log_root);
        let found =
            climb::<merkle::Rfc6962>(entry.leaf(), position, size, log_path).map_err(|error| {
                match error {
                    PathError::Index { .. } => ProofError::Position { position, size },
                    PathError::Length { found, wanted } => ProofError::PathLength { found, wanted },
                }
            })?;
        if found != wanted {
            return Err(ProofError::PathMismatch { found, wanted });
        }
        self.recorded_at(transaction, entry.height, entry.time)?;
        Ok(Fact::Inclusion {
            position,
            size,
            hashes: log_path.len(),
            root: found,
            height: entry.height,
            time: entry.time,
        })
    }

    /// Whether a transaction can have been recorded then, as the proof's block has it.
    fn recorded_at(
        &self,
        transaction: &TransactionHeader,
        height: Height,
        time: Timestamp,
    ) -> Result<(), ProofError> {
        let header = &self.proof.header;
        let limit = header.height.min(transaction.valid_until);
        if height > limit {
            return Err(ProofError::EntryHeight { found: height, limit });
        }
        // Block times strictly increase, so heights and times compare alike.
        if height.cmp(&header.height) != time.cmp(&header.time) {
            return Err(ProofError::EntryTime { found: time, block: header.time });
        }
        Ok(())
    }

    fn state(&self, claim: &StatusClaim) -> Result<Fact, ProofError> {
        let StatusClaim { subject, state, path, .. } = claim;
        let (key, wanted) = (subject.key(), self.proof.header.state_root);
        let found = path.siblings.len();
        if found > map::BITS {
            return Err(ProofError::PathLength { found, wanted: map::BITS });
        }
        if let Some(state) = state {
            if state.subject != *subject {
                return Err(ProofError::StateSubject { found: state.subject.clone() });
            }
            let found = path.root_with(&key, &state.digest()).map_err(ProofError::StatePath)?;
            if found != wanted {
                return Err(ProofError::State { found, wanted });
            }
        } else {
            let found = path.root_without(&key).map_err(ProofError::AbsencePath)?;
            if found != wanted {
                return Err(ProofError::Absence { found, wanted });
            }
        }
        let (subject, present) = (subject.clone(), state.is_some());
        Ok(Fact::State { subject, present, hashes: path.siblings.len(), root: wanted })
    }

    fn history(
        &self,
        state: Option<&SubjectState>,
        history: &[Link],
        shown: &BTreeMap<u64, BTreeSet<RecordId>>,
    ) -> Result<Fact, ProofError> {
        let state = state.ok_or(ProofError::HistoryOfNothing)?;
        let (found, wanted) = (history.len(), state.records);
        if u64::try_from(found) != Ok(wanted) {
            return Err(ProofError::HistoryCount { found, wanted });
        }
        let (found, wanted) =
            (history.iter().fold(Hash::ZERO, |head, link| link.extend(&head)), state.head);
        if found != wanted {
            return Err(ProofError::HistoryHead { found, wanted });
        }
        // One record can name a subject in two parts, so positions repeat; they never go back.
        let mut before = 0;
        for Link { position, .. } in history {
            if *position < before || *position >= self.proof.header.log_size {
                return Err(ProofError::HistoryOrder { position: *position });
            }
            before = *position;
        }
        let latest = match (history.last(), state.subject.kind) {
            (Some(link), _) => Some(link.position),
            // Genesis put these there, without a record.
            (None, Kind::Agency | Kind::Network) => Some(0),
            // Nothing else is on the ledger without a record that put it there.
            (
                None,
                Kind::Item
                | Kind::Basic
                | Kind::Licence
                | Kind::Lot
                | Kind::Proposal
                | Kind::List
                | Kind::Batch
                | Kind::Seed
                | Kind::Grant
                | Kind::Actor
                | Kind::Data
                | Kind::Document,
            ) => None,
        };
        if latest != Some(state.latest) {
            return Err(ProofError::HistoryOrder { position: state.latest });
        }
        let mut whole = 0;
        for Link { position, record, .. } in history {
            let Some(there) = shown.get(position) else { continue };
            if there.iter().any(|there| there != record) {
                return Err(ProofError::HistoryRecord { position: *position });
            }
            whole += 1;
        }
        Ok(Fact::History { records: state.records, shown: whole })
    }

    /// The records that the file shows whole, by their place in the log. Two at one place contradict every history.
    fn shown(&self) -> BTreeMap<u64, BTreeSet<RecordId>> {
        let mut shown: BTreeMap<u64, BTreeSet<RecordId>> = BTreeMap::new();
        let mut show = |position: u64, record: RecordId| {
            shown.entry(position).or_default().insert(record);
        };
        for claim in &self.proof.claims {
            match claim {
                Claim::Record(claim) => show(claim.entry.position, claim.entry.record),
                Claim::Records(claim) => batch::names(claim).for_each(|(at, id)| show(at, id)),
                Claim::Upstream(claim) => {
                    batch::names(&claim.records).for_each(|(at, id)| show(at, id));
                }
                Claim::Status(_)
                | Claim::Consistency(_)
                | Claim::Fork(_)
                | Claim::Votes(_)
                | Claim::Block
                | Claim::Authority(_) => {}
            }
        }
        shown
    }
}

fn evaluate_if(evaluable: bool, check: impl FnOnce() -> Result<Fact, ProofError>) -> Outcome {
    if evaluable { evaluate(check()) } else { Outcome::NotEvaluated }
}

/// The id of a block that a quorum of `committee` agreed on.
pub(crate) fn certified(
    chain: &ChainId,
    header: &Header,
    certificate: &Certificate,
    committee: &Committee,
) -> Result<BlockId, ProofError> {
    let id = header.id();
    if certificate.block != id || certificate.height != header.height {
        return Err(ProofError::Header);
    }
    version("block header", header.version, block::VERSION)?;
    certificate.verify(chain, committee).map_err(ProofError::Certificate)?;
    Ok(id)
}

/// The seats that signed.
fn signers<'c>(
    certificate: &'c Certificate,
    committee: &'c Committee,
) -> impl Iterator<Item = &'c Validator> {
    certificate.signatures.iter().filter_map(|(seat, _)| committee.seat(*seat))
}

fn evaluate(result: Result<Fact, ProofError>) -> Outcome {
    match result {
        Ok(fact) => Outcome::Passed(fact),
        Err(error) => Outcome::Failed(error),
    }
}

const fn version(what: &'static str, found: u16, known: u16) -> Result<(), ProofError> {
    if found == known { Ok(()) } else { Err(ProofError::Version { what, found, known }) }
}
