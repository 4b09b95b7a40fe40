//! The links between the nodes: what they lose, repeat, delay, hold back and let through.
//!
//! Every pair of nodes has two links, one each way. A link is *open*; *cut*, and loses what would arrive; or *clogged*,
//! and keeps it until it is unclogged. Messages may overtake one another everywhere, which real streams do not allow.

use crate::{Dice, Plan, Weather};
use replica::{Offence, Received, receive};
use std::rc::Rc;
use types::{ChainId, net::Channel};

/// Bytes a millisecond at 1 Mbit/s.
const FAR_BYTES_PER_MS: u64 = 125;

/// Something said, as it arrives: decoded once, whoever receives it.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) received: Result<Received, Offence>,
    /// The queue and the bytes; none for what a liar put together.
    pub(crate) frame: Option<(Channel, Vec<u8>)>,
}

impl Sent {
    /// Something a node sends.
    pub(crate) fn new(chain: &ChainId, channel: Channel, bytes: Vec<u8>) -> Rc<Self> {
        let received = receive(chain, channel, &bytes);
        Rc::new(Self { received, frame: Some((channel, bytes)) })
    }

    /// How long it is; what was put together is as long as a vote.
    fn bytes(&self) -> u64 {
        self.frame.as_ref().map_or(160, |(_, bytes)| bytes.len() as u64)
    }
}

/// Something on its way.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// Which of the receiver's lives it is for: a connection does not survive its end.
    pub(crate) life: u64,
    pub(crate) sent: Rc<Sent>,
}

/// Whether a link carries anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Open,
    Cut,
    Clogged,
}

#[derive(Debug)]
struct Link {
    flow: Flow,
    /// Until when it is busy with what was sent before.
    busy_until: u64,
    held: Vec<Parcel>,
}

/// Every link.
#[derive(Debug)]
pub(crate) struct Net {
    nodes: usize,
    links: Vec<Link>,
    weather: Weather,
    loss_permille: u64,
    twice_permille: u64,
    healed: bool,
}

impl Net {
    pub(crate) fn new(plan: &Plan) -> Self {
        let nodes = usize::from(plan.validators);
        let link = || Link { flow: Flow::Open, busy_until: 0, held: Vec::new() };
        Self {
            nodes,
            links: (0..nodes * nodes).map(|_| link()).collect(),
            weather: plan.weather,
            loss_permille: plan.loss_permille,
            twice_permille: plan.twice_permille,
            healed: false,
        }
    }

    fn link(&mut self, from: usize, to: usize) -> &mut Link {
        &mut self.links[from * self.nodes + to]
    }

    /// After how long each copy of a message arrives. No copy: it is lost.
    pub(crate) fn post(
        &mut self,
        dice: &mut Dice,
        now: u64,
        (from, to): (usize, usize),
        sent: &Sent,
    ) -> Vec<u64> {
        let copies = if self.healed {
            1
        } else if dice.odds(self.loss_permille, 1000) {
            0
        } else if dice.odds(self.twice_permille, 1000) {
            2
        } else {
            1
        };
        (0..copies)
            .map(|copy| {
                let delay = self.delay(dice, now, (from, to), sent.bytes());
                // What is repeated may be old.
                let again = if copy > 0 && dice.odds(1, 3) { dice.below(10_000) } else { 0 };
                delay + again
            })
            .collect()
    }

    fn delay(&mut self, dice: &mut Dice, now: u64, (from, to): (usize, usize), bytes: u64) -> u64 {
        match self.weather {
            Weather::Near => {
                let late = !self.healed && dice.odds(1, 20);
                1 + dice.below(if late { 1500 } else { 15 })
            }
            Weather::Far => {
                let link = self.link(from, to);
                let begins = link.busy_until.max(now);
                link.busy_until = begins + bytes / FAR_BYTES_PER_MS;
                let on_the_way = 140 + dice.below(21);
                let again = if dice.odds(1, 20) { 300 + dice.below(300) } else { 0 };
                link.busy_until - now + on_the_way + again
            }
        }
    }

    /// What has come to the end of its link, if it comes out there.
    pub(crate) fn arrive(&mut self, parcel: Parcel) -> Option<Parcel> {
        let link = self.link(parcel.from, parcel.to);
        match link.flow {
            Flow::Open => Some(parcel),
            Flow::Cut => None,
            Flow::Clogged => {
                link.held.push(parcel);
                None
            }
        }
    }

    /// Cuts a link that is open, or joins one that is cut. Says whether it was joined.
    pub(crate) fn toggle(&mut self, from: usize, to: usize) -> bool {
        let link = self.link(from, to);
        match link.flow {
            Flow::Open => link.flow = Flow::Cut,
            Flow::Cut => {
                link.flow = Flow::Open;
                return true;
            }
            Flow::Clogged => {}
        }
        false
    }

    /// Cuts every link out of a node.
    pub(crate) fn mute(&mut self, from: usize) {
        for to in 0..self.nodes {
            self.link(from, to).flow = Flow::Cut;
        }
    }

    /// Joins every link that is cut.
    pub(crate) fn join_all(&mut self) {
        for link in self.links.iter_mut().filter(|link| link.flow == Flow::Cut) {
            link.flow = Flow::Open;
        }
    }

    pub(crate) fn clog(&mut self, from: usize, to: usize) {
        let link = self.link(from, to);
        if link.flow == Flow::Open {
            link.flow = Flow::Clogged;
        }
    }

    /// Lets out what a clogged link held back.
    pub(crate) fn unclog(&mut self, from: usize, to: usize) -> Vec<Parcel> {
        let link = self.link(from, to);
        if link.flow == Flow::Clogged {
            link.flow = Flow::Open;
        }
        core::mem::take(&mut link.held)
    }

    /// Ends the trouble: every link is open, and nothing is lost any more. Returns what was held back.
    pub(crate) fn heal(&mut self) -> Vec<Parcel> {
        self.healed = true;
        let mut held = Vec::new();
        for link in &mut self.links {
            link.flow = Flow::Open;
            held.append(&mut link.held);
        }
        held
    }
}
