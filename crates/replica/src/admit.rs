//! Step 3 of a record's life: into the pool here.

use crate::{Effect, Offence, Progress, Replica, Ticket};
use consensus::Stuck;
use ledger::{Rejection, State};
use types::{Timestamp, Verified, codec, net::Peer};

impl<S: State> Replica<S> {
    /// An application's transaction: admitted, answered, shared.
    pub(crate) fn submitted(
        &mut self,
        now: Timestamp,
        ticket: Ticket,
        tx: Verified,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Stuck> {
        let waiting = self.pool.get(&tx.id()).is_some();
        let frame = codec::encode(tx.get());
        let answer = self.pool.admit(&self.rules, &self.state, &self.tip, tx);
        let fresh = answer.is_ok() && !waiting;
        effects.push(Effect::Answer(ticket, answer));
        if fresh {
            // Who waits for nothing else is passed on at once; under load, a few together.
            let at_once = self.progress == Progress::Resting && !self.pausing;
            self.unshared.add(&frame, at_once, effects);
            self.wanted(now, effects)?;
        }
        Ok(())
    }

    /// A neighbour's transactions: admitted if they pass the same rules here.
    pub(crate) fn shared(
        &mut self,
        now: Timestamp,
        peer: Peer,
        txs: Vec<Verified>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Stuck> {
        let mut admitted = false;
        self.pool.foresee(&self.rules, &self.state, &self.tip, &txs);
        for tx in txs {
            match self.pool.admit(&self.rules, &self.state, &self.tip, tx) {
                Ok(_) => admitted = true,
                // Its state may be ahead of ours or behind; only what can never be right is an offence.
                Err(Rejection::Transaction(error)) => {
                    effects.push(Effect::Blame(peer, Offence::Transaction(error)));
                }
                Err(rejection) => tracing::trace!(%peer, code = rejection.code(), "not admitted"),
            }
        }
        if admitted { self.wanted(now, effects) } else { Ok(()) }
    }

    /// There is something to decide.
    fn wanted(&mut self, now: Timestamp, effects: &mut Vec<Effect>) -> Result<(), Stuck> {
        let is_time = !self.pausing || self.is_worth_a_block();
        if self.progress == Progress::Resting && is_time {
            self.begin(now, effects)
        } else {
            Ok(())
        }
    }
}
