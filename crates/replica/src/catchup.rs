//! For those who missed it: certified blocks from whoever has them. A height is a claim until it comes with a certificate.

use crate::{Effect, Offence, Progress, Replica, Wake, receive::SyncFrame};
use consensus::Stuck;
use ledger::{State, query};
use std::collections::{BTreeSet, VecDeque};
use types::{
    Block, Certificate, Certified, Height, codec,
    net::{Channel, Peer, To},
};

/// How many bytes of blocks one answer carries at most, give or take the last block.
const BLOCKS_PER_ANSWER_BYTES: usize = 1 << 20;
/// How many blocks one answer carries at most.
const BLOCKS_PER_ANSWER: usize = 256;
/// How long a neighbour may take to answer.
const PATIENCE_MS: u64 = 3000;
/// How long we wait for the vote to reach us before we ask for its result.
const HEADSTART_MS: u64 = 250;

#[derive(Debug, Default)]
pub(crate) struct CatchUp {
    /// Whom we asked, and from which height on.
    asked: Option<(Peer, Height)>,
    /// Whether a look at the neighbours' heights is due.
    due: bool,
    /// Who did not answer, or answered with anything but certified blocks; forgotten when everyone has failed.
    failed: BTreeSet<Peer>,
    /// Checked blocks that follow the one being written.
    ready: VecDeque<Certified>,
    /// Whom we asked last: the next question goes to somebody else, so that nobody sets the pace alone.
    last: Option<Peer>,
}

impl CatchUp {
    pub(crate) fn is_active(&self) -> bool {
        self.asked.is_some() || !self.ready.is_empty()
    }

    pub(crate) fn next(&mut self) -> Option<Certified> {
        self.ready.pop_front()
    }
}

impl<S: State> Replica<S> {
    /// A neighbour says it has blocks up to `height`.
    pub(crate) fn claimed(&mut self, peer: Peer, height: Height, effects: &mut Vec<Effect>) {
        if let Some(claim) = self.peers.get_mut(&peer) {
            *claim = height;
        }
        if height > self.tip.height && !self.catchup.due && !self.catchup.is_active() {
            self.catchup.due = true;
            // One block behind is the usual case, and the vote is probably on its way.
            let wait = if height > self.tip.height.plus(1) { 1 } else { HEADSTART_MS };
            effects.push(Effect::Set(Wake::CatchUp, wait));
        }
    }

    /// The time to look, or a neighbour's time to answer, is over.
    pub(crate) fn overdue(&mut self, effects: &mut Vec<Effect>) {
        self.catchup.due = false;
        if let Some((peer, _)) = self.catchup.asked.take() {
            self.catchup.failed.insert(peer);
            effects.push(Effect::Blame(peer, Offence::Silence));
        }
        self.look_behind(effects);
    }

    pub(crate) fn catchup_lost(&mut self, peer: Peer, effects: &mut Vec<Effect>) {
        if self.catchup.asked.is_some_and(|(asked, _)| asked == peer) {
            self.catchup.asked = None;
            effects.push(Effect::Cancel(Wake::CatchUp));
            self.look_behind(effects);
        }
    }

    /// Asks somebody who claims to be ahead, if anybody does and we are not asking already.
    pub(crate) fn look_behind(&mut self, effects: &mut Vec<Effect>) {
        if self.catchup.is_active()
            || self.catchup.due
            || matches!(self.progress, Progress::Committing(_))
        {
            return;
        }
        let tip = self.tip.height;
        let last = self.catchup.last;
        let ahead = |failed: &BTreeSet<Peer>| {
            let candidates =
                self.peers.iter().filter(|(peer, height)| **height > tip && !failed.contains(peer));
            candidates.map(|(peer, _)| *peer).min_by_key(|peer| (Some(*peer) <= last, *peer))
        };
        let chosen = ahead(&self.catchup.failed).or_else(|| ahead(&BTreeSet::new()));
        let Some(peer) = chosen else { return };
        if self.catchup.failed.contains(&peer) {
            self.catchup.failed.clear();
        }
        let from = tip.next();
        self.catchup.asked = Some((peer, from));
        self.catchup.last = Some(peer);
        effects.push(Effect::Send(
            To::One(peer),
            Channel::Sync,
            codec::encode(&SyncFrame::Ask(from)),
        ));
        effects.push(Effect::Set(Wake::CatchUp, PATIENCE_MS));
    }

    /// A neighbour wants blocks.
    pub(crate) fn asked(&self, peer: Peer, from: Height, effects: &mut Vec<Effect>) {
        let (mut blocks, mut bytes, mut height) = (Vec::new(), 0, from);
        while blocks.len() < BLOCKS_PER_ANSWER
            && bytes < BLOCKS_PER_ANSWER_BYTES
            && height <= self.written()
        {
            let pair =
                query::block(&self.state, height).zip(query::certificate(&self.state, height));
            let Some(pair) = pair else { break };
            bytes += codec::encode(&pair).len();
            blocks.push(pair);
            height = height.next();
        }
        // A last block that does not fit any more is for the next question; a single one always fits.
        while bytes > types::block::BLOCK_BYTES_MAX - 64 && blocks.len() > 1 {
            bytes -= blocks.pop().map_or(0, |pair| codec::encode(&pair).len());
        }
        effects.push(Effect::Send(
            To::One(peer),
            Channel::Sync,
            codec::encode(&SyncFrame::Tell(blocks)),
        ));
    }

    /// The last height that is on disk.
    fn written(&self) -> Height {
        match self.progress {
            Progress::Committing(height) => height.previous().unwrap_or_default(),
            Progress::Resting | Progress::Deciding => self.tip.height,
        }
    }

    /// The blocks we asked for, so the neighbour says.
    pub(crate) fn told(
        &mut self,
        peer: Peer,
        blocks: Vec<(Block, Certificate)>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Stuck> {
        let Some((_, mut next)) = self.catchup.asked.filter(|(asked, _)| *asked == peer) else {
            // An answer that comes too late is no offence, and no help.
            return Ok(());
        };
        self.catchup.asked = None;
        effects.push(Effect::Cancel(Wake::CatchUp));
        let mut fault = if blocks.is_empty() { Some("no blocks".to_owned()) } else { None };
        for (block, certificate) in blocks {
            if block.header.height < self.tip.height.next() {
                next = block.header.height.next();
                continue;
            }
            if block.header.height != next {
                fault = Some(format!("height {} where {next} was due", block.header.height));
                break;
            }
            match Certified::verify(block, certificate, self.rules.chain(), self.rules.committee())
            {
                Ok(certified) => self.catchup.ready.push_back(certified),
                Err(error) => {
                    fault = Some(error.to_string());
                    break;
                }
            }
            next = next.next();
        }
        if let Some(fault) = fault {
            self.catchup.failed.insert(peer);
            // A claim that does not come with blocks is no longer believed.
            self.peers.entry(peer).and_modify(|claim| *claim = self.tip.height);
            effects.push(Effect::Blame(peer, Offence::CatchUp(fault)));
        } else {
            self.catchup.failed.remove(&peer);
        }
        if !matches!(self.progress, Progress::Committing(_)) {
            self.follow(effects)?;
        }
        Ok(())
    }

    /// Commits the next block that is ready, or asks for more. Says whether a commit is under way.
    pub(crate) fn follow(&mut self, effects: &mut Vec<Effect>) -> Result<bool, Stuck> {
        while let Some(certified) = self.catchup.next() {
            if certified.height() < self.deciding() {
                continue;
            }
            if certified.height() > self.deciding() {
                self.catchup.ready.clear();
                break;
            }
            let outcome = self.execute(certified.block())?;
            self.commit(certified, outcome, effects);
            return Ok(true);
        }
        self.look_behind(effects);
        Ok(false)
    }
}
