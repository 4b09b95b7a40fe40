//! The judge: what was promised, and whether what just happened keeps it.
//!
//! The judge executes every block that is agreed on by itself, once, on a ledger of its own, and compares what each node
//! writes with what it would write. It never asks a node what to believe.

use crate::{Plan, clock};
use consensus::{Entry, Evidence, Place, Signed};
use core::fmt;
use ledger::{Column, Commit, Memory, Rules, SharedMemory, State as _, Tip, Write, prove, query};
use replica::{Received, Status};
use std::collections::{BTreeMap, BTreeSet};
use types::{
    BlockId, ChainId, Committee, Genesis, Height, Round, Signature, Timestamp, Transaction, TxId,
    codec,
    vote::{Message, Step},
};

/// What is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// No two blocks at one height; the same writes and the same roots everywhere.
    Agreement,
    /// Every block follows from the one before by the rules, holds only what was submitted, nothing twice, at a time
    /// that honest clocks allow.
    Validity,
    /// What was committed stays committed.
    Durability,
    /// An honest validator says one thing at each place, whatever it forgets.
    OneVote,
    /// What is on the ledger can be proven to somebody who trusts the genesis alone.
    Receipts,
    /// Who says two things is convicted, and nobody else.
    Evidence,
    /// A healed core agrees on new blocks, and everything submitted comes to an end.
    Progress,
    /// Without a quorum nothing is agreed on.
    Halt,
    /// An honest node neither stops, nor sends nonsense, nor is blamed for any.
    Service,
    /// The same plan gives the same run.
    Determinism,
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Agreement => "agreement",
            Self::Validity => "validity",
            Self::Durability => "durability",
            Self::OneVote => "one vote",
            Self::Receipts => "receipts",
            Self::Evidence => "evidence",
            Self::Progress => "progress",
            Self::Halt => "halt",
            Self::Service => "service",
            Self::Determinism => "determinism",
        })
    }
}

/// A promise that was broken, and how.
pub(crate) type Broken = (Promise, String);

fn unless(holds: bool, promise: Promise, what: impl FnOnce() -> String) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err((promise, what())) }
}

/// What is said at one place: the block, and for a proposal the round it is proposed again from.
type Said = (Option<BlockId>, Option<Round>);

/// Knows what was promised.
pub(crate) struct Judge {
    rules: Rules,
    root: proof::TrustRoot,
    chain: ChainId,
    committee: Committee,
    liars: BTreeSet<u16>,
    submitted: BTreeMap<TxId, Transaction>,
    /// The judge's own ledger, and what each block wrote to it.
    ledger: Memory,
    tip: Tip,
    writes: Vec<(BlockId, Vec<Write>)>,
    /// When each block was first written, and when the network was healed.
    written_at: Vec<u64>,
    healed_at: Option<u64>,
    /// How far each node came durably: its disk never shows less, and no more is known to others.
    reached: Vec<Height>,
    /// What each honest key has said at each place.
    spoken: BTreeMap<Place, Said>,
    /// What each node's journal holds of what its key signed, at the height under way.
    journalled: Vec<BTreeSet<Signature>>,
    /// What each node heard of the round it is in, from liars.
    heard: BTreeMap<(usize, Place), Option<BlockId>>,
    /// Who must be accused by whom before the height after is written.
    due: BTreeSet<(usize, Height, u16)>,
    /// Whom each node accused.
    accused: BTreeSet<(usize, Height, u16)>,
}

impl Judge {
    pub(crate) fn new(plan: &Plan, genesis: &Genesis) -> Self {
        let rules = Rules::new(genesis);
        let ledger = Memory::default();
        Self {
            root: proof::TrustRoot::new(genesis.clone()).expect("simulations have a sound genesis"),
            chain: genesis.chain(),
            committee: genesis.committee(),
            liars: (0..plan.validators).filter(|seat| plan.is_liar((*seat).into())).collect(),
            submitted: BTreeMap::new(),
            tip: ledger::tip(&rules, &ledger),
            rules,
            ledger,
            writes: Vec::new(),
            written_at: Vec::new(),
            healed_at: None,
            reached: vec![Height::GENESIS; plan.validators.into()],
            spoken: BTreeMap::new(),
            journalled: vec![BTreeSet::new(); plan.validators.into()],
            heard: BTreeMap::new(),
            due: BTreeSet::new(),
            accused: BTreeSet::new(),
        }
    }

    pub(crate) const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// What was agreed on last.
    pub(crate) const fn tip(&self) -> &Tip {
        &self.tip
    }

    /// How many accusations there were.
    pub(crate) fn accusations(&self) -> u64 {
        u64::try_from(self.accused.len()).unwrap_or(u64::MAX)
    }

    /// The network is healed.
    pub(crate) const fn heals(&mut self, elapsed: u64) {
        self.healed_at = Some(elapsed);
    }

    /// Somebody submits this; only such may be committed.
    pub(crate) fn submitted(&mut self, tx: &Transaction) {
        self.submitted.insert(tx.id(), tx.clone());
    }

    /// A node is about to write a block, over `before`, when so many milliseconds are over.
    pub(crate) fn commits(
        &mut self,
        node: usize,
        before: &SharedMemory,
        commit: &Commit,
        elapsed: u64,
    ) -> Result<(), Broken> {
        let block = commit.certified().block();
        let (height, id) = (block.header.height, block.id());
        let had = query::height(before);
        unless(had.next() == height, Promise::Durability, || {
            format!("node {node} holds {had} and commits {height}")
        })?;
        if height == self.tip.height.next() {
            self.execute(commit, elapsed)?;
        }
        let index = usize::try_from(height.0).unwrap_or(0);
        let (agreed, writes) = index
            .checked_sub(1)
            .and_then(|index| self.writes.get(index))
            .ok_or_else(|| (Promise::Agreement, format!("node {node} commits {height} alone")))?;
        unless(*agreed == id, Promise::Agreement, || {
            format!("two blocks at height {height}: {agreed}, and {id} at node {node}")
        })?;
        // Certificates may differ; nothing else may.
        let same = |write: &&Write| write.column != Column::Certificates;
        let theirs = commit.writes().iter().filter(same);
        unless(theirs.eq(writes.iter().filter(same)), Promise::Agreement, || {
            format!("node {node} would write something else at height {height} than the judge")
        })
    }

    /// Executes a block that nobody wrote before.
    fn execute(&mut self, commit: &Commit, elapsed: u64) -> Result<(), Broken> {
        let certified = commit.certified();
        let block = certified.block();
        let height = block.header.height;
        let invalid = |what: String| (Promise::Validity, format!("block {height}: {what}"));
        let latest = Timestamp(clock::START_MS + elapsed)
            .plus(clock::HONEST_MS)
            .plus(self.rules.clock_ahead_ms());
        unless(block.header.time <= latest, Promise::Validity, || {
            format!(
                "block {height} is of {}, when no clock can be past {latest}",
                block.header.time
            )
        })?;
        // In a healed network nobody dates a block long before its parent was there. What was proposed in trouble may be old.
        let before: Vec<u64> = self.written_at.iter().rev().take(2).copied().collect();
        if let ([parent, grandparent], Some(healed_at)) = (&before[..], self.healed_at)
            && *grandparent > healed_at
        {
            let earliest = Timestamp(clock::START_MS + parent.saturating_sub(BEHIND_MS));
            unless(block.header.time >= earliest, Promise::Validity, || {
                format!(
                    "block {height} is of {}, its parent of {earliest} at least",
                    block.header.time
                )
            })?;
        }
        self.written_at.push(elapsed);
        for tx in &block.transactions {
            let id = tx.id();
            unless(self.submitted.get(&id) == Some(tx), Promise::Validity, || {
                format!("block {height} carries {id}, which nobody submitted")
            })?;
            unless(query::place(&self.ledger, &id).is_none(), Promise::Validity, || {
                format!("block {height} carries {id}, which is committed")
            })?;
        }
        let outcome = ledger::validate(&self.rules, &self.ledger, &self.tip, block, |_| None)
            .map_err(|why| invalid(why.to_string()))?;
        self.tip = outcome.tip().clone();
        let governs = outcome.governs();
        let writes = ledger::commit(certified.clone(), outcome).writes().to_vec();
        self.ledger.write(&writes);
        (self.rules, _) = self.rules.after(&self.ledger, governs);
        self.writes.push((block.id(), writes));
        Ok(())
    }

    /// A node wrote a block: what its ledger holds can be proven. The newest record everywhere, an old one and subjects at
    /// one node of each height: all ledgers are the same but for the certificates.
    pub(crate) fn committed(&mut self, node: usize, ledger: &SharedMemory) -> Result<(), Broken> {
        let height = query::height(ledger);
        let size = query::header(ledger, height).map_or(0, |header| header.log_size);
        let Some(newest) = size.checked_sub(1) else { return Ok(()) };
        let nodes = u64::try_from(self.reached.len()).unwrap_or(1);
        if u64::try_from(node) != Ok(height.0 % nodes) {
            return self.prove(ledger, [newest].into_iter(), false);
        }
        let old = height.0.wrapping_mul(7919) % size;
        self.prove(ledger, [newest, old].into_iter(), true)
    }

    /// A node made durable what it wrote.
    pub(crate) fn synced(&mut self, node: usize, ledger: &SharedMemory) {
        self.reached[node] = query::height(ledger);
        self.journalled[node].clear();
    }

    /// An honest node says this to another: it has the blocks that it speaks of, or follows on, and cannot lose them.
    pub(crate) fn tells(&self, node: usize, said: &Received) -> Result<(), Broken> {
        let needs = match said {
            Received::Status(height, _) => *height,
            Received::Message(message) => message.height().previous().unwrap_or_default(),
            Received::Block(block) => block.header.height.previous().unwrap_or_default(),
            Received::Transactions(_) | Received::Ask(_) | Received::Tell(..) => Height::GENESIS,
        };
        let reached = self.reached[node];
        unless(reached >= needs, Promise::Durability, || {
            format!(
                "node {node} speaks as one that has block {needs}, and may lose all above {reached}"
            )
        })
    }

    /// A node answers an application, or takes an answer back, with so many commits that it may lose.
    pub(crate) fn answers(&self, node: usize, unsynced: usize) -> Result<(), Broken> {
        unless(unsynced == 0, Promise::Durability, || {
            format!("node {node} answers on the strength of {unsynced} commits that it may lose")
        })
    }

    /// Proves records of a ledger, and their subjects if asked, in one proof, and verifies it.
    fn prove(
        &self,
        ledger: &SharedMemory,
        positions: impl Iterator<Item = u64>,
        subjects: bool,
    ) -> Result<(), Broken> {
        let broken = |what: String| (Promise::Receipts, what);
        let mut whole: Option<proof::Proof> = None;
        let mut add = |proof: proof::Proof| match &mut whole {
            Some(whole) => whole.claims.extend(proof.claims),
            None => whole = Some(proof),
        };
        for position in positions {
            let found = query::record_at(ledger, position)
                .ok_or_else(|| broken(format!("no record at position {position}")))?;
            let id = &found.entry.record;
            let proof = prove::record(&self.rules, ledger, id)
                .ok_or_else(|| broken(format!("no proof of record {id}")))?;
            add(proof);
            let agency = &found.transaction.header.agency;
            for (subject, _) in found.operation().subjects(agency).iter().filter(|_| subjects) {
                let proof = prove::subject(&self.rules, ledger, subject)
                    .ok_or_else(|| broken(format!("no proof of {subject}")))?;
                add(proof);
            }
        }
        let Some(whole) = whole else { return Ok(()) };
        let verdict = proof::verify(&proof::encode(&whole), &self.root);
        unless(verdict.proven().is_some(), Promise::Receipts, || {
            format!("a proof as of height {} does not verify: {verdict:?}", whole.header.height)
        })
    }

    /// A node starts over a ledger. What it finds there is durable from then on.
    pub(crate) fn starts(&mut self, node: usize, ledger: &SharedMemory) -> Result<(), Broken> {
        let (height, reached) = (query::height(ledger), self.reached[node]);
        self.heard.retain(|(who, _), _| *who != node);
        self.due.retain(|(who, ..)| *who != node);
        unless(height >= reached, Promise::Durability, || {
            format!("node {node} had committed {reached} and starts with {height}")
        })?;
        if height > reached {
            self.synced(node, ledger);
        }
        Ok(())
    }

    /// A key says something, to itself or to others.
    pub(crate) fn says(&mut self, message: &Message) -> Result<(), Broken> {
        let (place, said) = match message {
            Message::Vote(vote, _) => (place_of(vote), (vote.block, None)),
            Message::Proposal(p, _) => {
                ((p.height, p.round, 0, p.seat), (Some(p.block), p.valid_round))
            }
            Message::Polka { .. } | Message::RoundChange { .. } => return Ok(()),
        };
        if self.liars.contains(&place.3) {
            return Ok(());
        }
        let before = *self.spoken.entry(place).or_insert(said);
        unless(before == said, Promise::OneVote, || {
            format!("seat {} said {before:?} and then {said:?} at {place:?}", place.3)
        })
    }

    /// A node's journal takes this: what it says in it counts as said.
    pub(crate) fn journals(&mut self, node: usize, record: &[u8]) -> Result<(), Broken> {
        // A record begins with its kind: 0 for an entry of the engine's, 1 for a block.
        let Some((kind, rest)) = record.split_first_chunk::<4>() else {
            return Err((Promise::Service, format!("node {node} journals nothing")));
        };
        if u32::from_le_bytes(*kind) != 0 {
            return Ok(());
        }
        let entry = codec::decode::<Entry>(rest)
            .map_err(|why| (Promise::Service, format!("node {node} journals nonsense: {why}")))?;
        match entry {
            Entry::Message(message) if author(&message) == u16::try_from(node).ok() => {
                if let Message::Vote(_, signature) | Message::Proposal(_, signature) = &message {
                    self.journalled[node].insert(*signature);
                }
                self.says(&message)
            }
            Entry::Message(_) | Entry::Judged { .. } | Entry::Elapsed { .. } => Ok(()),
        }
    }

    /// What is remembered beside a key only goes forward, and is in the journal already.
    pub(crate) fn signs(
        &self,
        node: usize,
        last: Option<Signed>,
        signed: Signed,
    ) -> Result<(), Broken> {
        let forward = last.is_none_or(|last| {
            last.place() < signed.place()
                || (last.place() == signed.place() && last.signature == signed.signature)
        });
        if self.liars.iter().any(|seat| usize::from(*seat) == node) {
            return Ok(());
        }
        unless(forward, Promise::OneVote, || {
            format!("node {node} signed {last:?} and then {signed:?}")
        })?;
        // Else a crash in between would silence the node for the rest of the height.
        unless(self.journalled[node].contains(&signed.signature), Promise::OneVote, || {
            format!(
                "node {node} remembers beside its key what its journal does not hold: {signed:?}"
            )
        })
    }

    /// Whether a liar's vote is among what is received.
    pub(crate) fn suspects(&self, received: &Received) -> bool {
        match received {
            Received::Message(Message::Vote(vote, _)) => self.liars.contains(&vote.seat),
            Received::Message(_)
            | Received::Status(..)
            | Received::Block(_)
            | Received::Transactions(_)
            | Received::Ask(_)
            | Received::Tell(..) => false,
        }
    }

    /// A node is about to be told something. If that completes a proof that somebody said two things in the round it is
    /// in, it must say so before it decides about a later height.
    pub(crate) fn hears(
        &mut self,
        node: usize,
        status: &Status,
        received: &Received,
    ) -> Result<(), Broken> {
        let (height, Some(round)) = (status.tip.height.next(), status.round) else { return Ok(()) };
        self.check_due(node, height)?;
        let Received::Message(Message::Vote(vote, signature)) = received else { return Ok(()) };
        if !self.liars.contains(&vote.seat) || (height, round) != (vote.height, vote.round) {
            return Ok(());
        }
        let known = self.heard.get(&(node, place_of(vote)));
        if known == Some(&vote.block)
            || vote.check(&self.chain, &self.committee, signature).is_err()
        {
            return Ok(());
        }
        if known.is_some() {
            self.due.insert((node, vote.height, vote.seat));
        } else {
            self.heard.insert((node, place_of(vote)), vote.block);
        }
        Ok(())
    }

    /// A node accuses somebody.
    pub(crate) fn accuses(&mut self, node: usize, evidence: &Evidence) -> Result<(), Broken> {
        let Some((height, .., seat)) = evidence.convicts(&self.chain, &self.committee) else {
            let what = format!("node {node} accuses without proof: {evidence:?}");
            return Err((Promise::Evidence, what));
        };
        self.accused.insert((node, height, seat));
        unless(self.liars.contains(&seat), Promise::Evidence, || {
            format!("node {node} convicts an honest validator: {evidence:?}")
        })
    }

    /// Whoever heard two things at a height has said so when it decides about a later one.
    fn check_due(&mut self, node: usize, height: Height) -> Result<(), Broken> {
        let over: Vec<_> =
            self.due.range((node, Height::GENESIS, 0)..(node, height, 0)).copied().collect();
        for key in over {
            self.due.remove(&key);
            unless(self.accused.contains(&key), Promise::Evidence, || {
                format!(
                    "node {node} heard two votes of seat {} at {} and accuses nobody",
                    key.2, key.1
                )
            })?;
        }
        self.heard.retain(|(who, place), _| *who != node || place.0 >= height);
        Ok(())
    }

    /// The end: a node holds what was agreed on, all of it, and can prove every record.
    pub(crate) fn inspects(
        &self,
        node: usize,
        ledger: &SharedMemory,
        every_record: bool,
    ) -> Result<(), Broken> {
        for (height, (id, _)) in (1..=query::height(ledger).0).zip(&self.writes) {
            let found = query::header(ledger, Height(height)).map(|header| header.id());
            unless(found == Some(*id), Promise::Durability, || {
                format!("node {node} holds {found:?} at height {height}, agreed was {id}")
            })?;
        }
        let size = query::header(ledger, query::height(ledger)).map_or(0, |h| h.log_size);
        let size = if every_record { size } else { 0 };
        (0..size)
            .step_by(CLAIMS)
            .try_for_each(|from| self.prove(ledger, from..size.min(from + CLAIMS as u64), true))
    }

    /// Whether a transaction is committed.
    pub(crate) fn is_committed(&self, id: &TxId) -> bool {
        self.ledger.get(Column::Transactions, id.as_bytes()).is_some()
    }
}

/// How far a block's time may lie before the time its parent was first written: as long as the proposers of bad clocks
/// that may follow one another take at most, each of whom can stop time for one height.
const BEHIND_MS: u64 = 30_000;

/// How many records one proof at the end is of.
const CLAIMS: usize = 64;

const fn place_of(vote: &types::vote::Vote) -> Place {
    let step = match vote.step {
        Step::Prevote => 1,
        Step::Precommit => 2,
    };
    (vote.height, vote.round, step, vote.seat)
}

/// The seat that says it says this.
pub(crate) const fn author(message: &Message) -> Option<u16> {
    match message {
        Message::Vote(vote, _) => Some(vote.seat),
        Message::Proposal(proposal, _) => Some(proposal.seat),
        Message::Polka { .. } | Message::RoundChange { .. } => None,
    }
}
