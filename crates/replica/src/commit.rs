//! Step 7 of a record's life: an agreed block becomes a commit, and the commit the new tip.

use crate::{Effect, Progress, Replica, Wake, patience::Patience, seating};
use consensus::Stuck;
use ledger::{Invalid, Outcome, State};
use std::collections::BTreeMap;
use types::{Block, Certificate, Certified, Height, Timestamp, Transaction, TxId, Verified};

/// How many keys of a block the last words of a node name.
const NAMED_MAX: usize = 16;

impl<S: State> Replica<S> {
    /// A quorum agreed on a block we judged.
    pub(crate) fn decided(
        &mut self,
        certificate: Certificate,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Stuck> {
        let Some(seen) = self.bodies.take(&certificate.block) else {
            // A body of long ago that we no longer hold. Those who are locked on it have it, and will have committed it.
            tracing::warn!(block = %certificate.block, "decided, and to be fetched");
            return Ok(());
        };
        let certified =
            Certified::verify(seen.block, certificate, self.rules.chain(), self.rules.committee())
                .map_err(|error| Stuck(format!("the decided block is not certified: {error}")))?;
        let outcome = match seen.outcome {
            Some(outcome) => outcome,
            None => self.execute(certified.block(), &[])?,
        };
        self.commit(certified, outcome, effects);
        Ok(())
    }

    /// What a certified block does, some of whose transactions were checked before. A quorum found it valid: if we do
    /// not, our execution differs from theirs.
    pub(crate) fn execute(&self, block: &Block, verified: &[Verified]) -> Result<Outcome, Stuck> {
        ledger::foresee(&self.state, verified);
        let by_id: BTreeMap<TxId, &Verified> = verified.iter().map(|tx| (tx.id(), tx)).collect();
        let known = |tx: &Transaction| {
            let id = tx.id();
            let here = by_id.get(&id).copied().or_else(|| self.pool.get(&id));
            here.filter(|mine| mine.get() == tx)
        };
        ledger::validate(&self.rules, &self.state, &self.tip, block, known)
            .map_err(|invalid| diverged(block, &invalid))
    }

    pub(crate) fn commit(
        &mut self,
        certified: Certified,
        outcome: Outcome,
        effects: &mut Vec<Effect>,
    ) {
        let height = certified.height();
        self.patience.decided(certified.certificate().round);
        if !self.signed.is_empty() {
            // Our own vote made the quorum. It is still to be sent, after the commit, and others may need it.
            self.write_journal(effects);
        }
        self.tip = outcome.tip().clone();
        self.touched = outcome.touched();
        self.governs = outcome.governs();
        for change in outcome.changes() {
            tracing::trace!(%height, key = %change.key, digest = %change.digest, subject = %change.subject, "changed");
        }
        self.carried = certified.block().transactions.iter().map(Transaction::id).collect();
        self.progress = Progress::Committing(height);
        // Entries of a height that is decided need not be remembered.
        self.unwritten.clear();
        effects.push(Effect::CancelRounds);
        effects.push(Effect::Cancel(Wake::Idle));
        effects.push(Effect::Commit(Box::new(ledger::commit(certified, outcome))));
    }

    /// The shell has written the block: settle the pool, and go on.
    pub(crate) fn committed(
        &mut self,
        now: Timestamp,
        height: Height,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Stuck> {
        if self.progress != Progress::Committing(height) {
            return Err(Stuck(format!(
                "told that height {height} is written, which was not asked for"
            )));
        }
        let (carried, touched): (Vec<TxId>, _) =
            (core::mem::take(&mut self.carried), core::mem::take(&mut self.touched));
        let (rules, amended) = self.rules.after(&self.state, core::mem::take(&mut self.governs));
        let timing = self.rules.timing();
        self.rules = rules;
        self.engine.announce(self.tip.height.next(), self.rules.committee());
        if amended.committee || self.rules.timing() != timing {
            // What was learned of seats is of those who sat there.
            self.patience = Patience::new(self.rules.timing(), self.rules.committee().faults());
        }
        if amended.committee {
            (self.seat, self.seats) = seating(&self.rules, &self.own);
            tracing::info!(%height, seat = ?self.seat, size = self.rules.committee().size(), "another committee from the next height on");
        }
        if amended.authority || amended.committee {
            effects.push(Effect::Admit(self.rules.peers()));
        }
        if amended.committee {
            self.early.retain(|message| self.engine.vouches(message));
        }
        let settled = (carried.as_slice(), touched.as_slice());
        let amended = amended.authority;
        for (id, rejection) in
            self.pool.settle(&self.rules, &self.state, &self.tip, settled, amended)
        {
            effects.push(Effect::Refused(id, rejection));
        }
        self.bodies.begin(self.tip.height.next());
        self.said.clear();
        self.turn = None;
        self.progress = Progress::Resting;
        self.settle_or_decide(now, effects)
    }

    /// Goes on: with the next block that was fetched, or with deciding it, or with a rest.
    pub(crate) fn settle_or_decide(
        &mut self,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Stuck> {
        if self.follow(effects)? || self.progress != Progress::Resting {
            return Ok(());
        }
        self.pausing = false;
        if self.pool.is_empty() {
            effects.push(Effect::Set(Wake::Idle, self.rules.timing().idle_ms.into()));
            self.join(now, effects)
        } else if let Some(pause) = self.pause(now) {
            self.pausing = true;
            effects.push(Effect::Set(Wake::Idle, pause));
            Ok(())
        } else {
            self.begin(now, effects)
        }
    }
}

/// This node stops here, and says what another's account of the same block is to be compared with. Nodes that agree say
/// theirs at the level `trace` when they commit.
fn diverged(block: &Block, invalid: &Invalid) -> Stuck {
    let (height, id) = (block.header.height, block.id());
    let mut report = format!(
        "this node's execution differs from the quorum's at height {height}: {invalid}; stop and compare versions"
    );
    if let Invalid::Diverges { field, ours, theirs, changes } = invalid {
        tracing::error!(%height, block = %id, field, %ours, agreed = %theirs, changes = changes.len(), "divergence");
        for change in changes {
            tracing::error!(%height, key = %change.key, digest = %change.digest, subject = %change.subject, "divergence: ours");
        }
        report.push_str("; of what this block changes, the first keys are here:");
        for change in changes.iter().take(NAMED_MAX) {
            report.push_str(&format!("\n  {change}"));
        }
        let more = changes.len().saturating_sub(NAMED_MAX);
        if more > 0 {
            report.push_str(&format!("\n  and {more} more, in the log"));
        }
        report.push_str(
            "\nThe first of them that another node has otherwise, or not at all, is where the two parted.",
        );
    }
    Stuck(report)
}
