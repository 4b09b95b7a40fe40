//! Bodies of blocks at the height under way, and the next few: which are executed, which are kept, and for how long.
//!
//! A body is not signed. What entitles it to be executed is a signed proposal that names it, of which the engine accepts
//! two a round; so nobody can keep us busy, or take the place of a proposer, by offering blocks.

use crate::Seen;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use types::{Block, BlockId, Height, Round, Timestamp, net::Peer, vote::Proposal};

/// Executed bodies that are kept, besides those the engine holds on to.
const SEEN_MAX: usize = 8;
/// Bodies of one neighbour that wait for a proposal to name them.
const WAITING_PER_PEER: usize = 2;

#[derive(Debug, Default)]
pub(crate) struct Bodies {
    /// May be agreed on.
    seen: BTreeMap<BlockId, Seen>,
    /// May never be agreed on.
    refused: BTreeSet<BlockId>,
    /// Named by a proposal, as the work of this seat; none when it is proposed again, by anyone.
    named: BTreeMap<(BlockId, Option<u16>), Naming>,
    /// Who brought a spoiled body under this name: not listened to again about it.
    spoiled: BTreeSet<(Peer, BlockId)>,
    /// Not named yet.
    waiting: BTreeMap<Peer, VecDeque<Block>>,
}

/// How a proposal named a block first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Naming {
    /// In this round.
    pub(crate) round: Round,
    /// Heard then; none if a restart forgot it.
    pub(crate) heard: Option<Timestamp>,
    /// As new: its time is asked for.
    pub(crate) is_fresh: bool,
}

impl Bodies {
    /// A proposal that the engine accepted, heard then, names its block.
    pub(crate) fn name(&mut self, proposal: &Proposal, heard: Option<Timestamp>) {
        let is_fresh = proposal.valid_round.is_none();
        let author = is_fresh.then_some(proposal.seat);
        let naming = Naming { round: proposal.round, heard, is_fresh };
        self.named.entry((proposal.block, author)).or_insert(naming);
    }

    /// How this very body was proposed: by the one it says built it, or again by anyone.
    pub(crate) fn naming(&self, id: BlockId, block: &Block) -> Option<Naming> {
        let by = |author| self.named.get(&(id, author)).copied();
        by(Some(block.header.proposer)).or_else(|| by(None))
    }

    /// Whether this seat has proposed the block as new, in another round than this.
    pub(crate) fn was_fresh(&self, id: BlockId, seat: u16, round: Round) -> bool {
        self.named.get(&(id, Some(seat))).is_some_and(|naming| naming.round != round)
    }

    /// The latest time that a seat has given a block at this height.
    pub(crate) fn last_time(&self, seat: u16) -> Option<Timestamp> {
        let own = self.seen.values().map(|seen| &seen.block.header);
        own.filter(|header| header.proposer == seat).map(|header| header.time).max()
    }

    /// Whether it was executed, and the outcome is final.
    pub(crate) fn is_judged(&self, id: &BlockId) -> bool {
        self.seen.contains_key(id) || self.refused.contains(id)
    }

    pub(crate) fn get(&self, id: &BlockId) -> Option<&Seen> {
        self.seen.get(id)
    }

    pub(crate) fn take(&mut self, id: &BlockId) -> Option<Seen> {
        self.seen.remove(id)
    }

    pub(crate) fn refuse(&mut self, id: BlockId) {
        self.refused.insert(id);
    }

    /// Notes that what this neighbour brought under this name is not what the name stands for.
    pub(crate) fn spoil(&mut self, peer: Peer, id: BlockId) {
        self.spoiled.insert((peer, id));
    }

    pub(crate) fn is_spoiled(&self, peer: Peer, id: BlockId) -> bool {
        self.spoiled.contains(&(peer, id))
    }

    /// Keeps a body that may be agreed on. The oldest gives way, unless it is held on to.
    pub(crate) fn keep(&mut self, id: BlockId, seen: Seen, is_held: impl Fn(&BlockId) -> bool) {
        self.seen.insert(id, seen);
        while self.seen.len() > SEEN_MAX {
            let spare = self.seen.iter().filter(|(other, _)| **other != id && !is_held(other));
            let Some(oldest) = spare.min_by_key(|(_, seen)| seen.round).map(|(id, _)| *id) else {
                return;
            };
            self.seen.remove(&oldest);
        }
    }

    /// Keeps a body until it is named; the last few of each neighbour. One of a later height gives way first.
    pub(crate) fn wait(&mut self, peer: Peer, block: Block) {
        let mine = self.waiting.entry(peer).or_default();
        if mine.contains(&block) {
            return;
        }
        if mine.len() >= WAITING_PER_PEER {
            let height = |at: &usize| mine[*at].header.height;
            let later = (0..mine.len()).filter(|at| height(at) > block.header.height);
            mine.remove(later.max_by_key(height).unwrap_or(0));
        }
        mine.push_back(block);
    }

    /// Keeps a body of a height to come, if there is room for it beside what waits already.
    pub(crate) fn wait_early(&mut self, peer: Peer, block: Block) {
        if self.waiting.get(&peer).is_none_or(|mine| mine.len() < WAITING_PER_PEER) {
            self.wait(peer, block);
        }
    }

    /// The body with this id, of this height, that waits, and who gave it. Named at another height it is not what is named.
    pub(crate) fn claim(&mut self, id: &BlockId, height: Height) -> Option<(Peer, Block)> {
        let is_it = |block: &Block| block.header.height == height && block.id() == *id;
        self.waiting.iter_mut().find_map(|(peer, blocks)| {
            let at = blocks.iter().position(is_it)?;
            blocks.remove(at).map(|block| (*peer, block))
        })
    }

    /// What those should have who connect only now: the bodies of the latest rounds.
    pub(crate) fn latest(&self, count: usize) -> impl Iterator<Item = &Block> {
        let mut latest: Vec<&Seen> = self.seen.values().collect();
        latest.sort_by_key(|seen| core::cmp::Reverse(seen.round));
        latest.into_iter().take(count).map(|seen| &seen.block)
    }

    /// Forgets what a neighbour offered who is gone.
    pub(crate) fn lost(&mut self, peer: &Peer) {
        self.waiting.remove(peer);
    }

    /// Forgets everything of the heights before `height`, which begins now.
    pub(crate) fn begin(&mut self, height: Height) {
        self.seen.clear();
        self.refused.clear();
        self.spoiled.clear();
        self.named.clear();
        for blocks in self.waiting.values_mut() {
            blocks.retain(|block| block.header.height >= height);
        }
        self.waiting.retain(|_, blocks| !blocks.is_empty());
    }
}
