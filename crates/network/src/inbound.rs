//! What the node hears, and in which order: news of peers first, then the most urgent channel that has something.

use core::fmt;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use types::net::{Channel, Peer};

use crate::config::{ByChannel, Limits};

/// Something heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inbound {
    /// We can speak to this peer now. Comes before any of its messages.
    Connected(Peer),
    /// The last connection with this peer is gone. Messages it sent before may still follow.
    Lost(Peer),
    /// Bytes, exactly as the peer sent them: between 1 and [`Channel::frame_bytes_max`] of them.
    Message(Peer, Channel, Vec<u8>),
}

/// Where the node listens.
pub struct Receiver {
    presence: watch::Receiver<Presence>,
    announced: Presence,
    news: VecDeque<Inbound>,
    lanes: ByChannel<mpsc::Receiver<Parcel>>,
    turn: usize,
}

/// Who is connected, and for the how-manieth time. A state and not a queue: it stays small however often peers come and
/// go while the node is busy elsewhere.
pub(crate) type Presence = BTreeMap<Peer, u64>;

/// The order of the lanes in each turn. Urgent first; but every eighth turn begins further down, so that a peer which
/// floods one channel slows the channels below it and cannot silence them.
const TURNS: [[Channel; 4]; 8] = {
    use Channel::{Proposals, Sync, Transactions, Votes};
    const URGENT: [Channel; 4] = [Votes, Proposals, Sync, Transactions];
    let mut turns = [URGENT; 8];
    turns[7] = [Proposals, Sync, Transactions, Votes];
    turns
};

/// The order of the lanes in every sixty-fourth turn, in which the least urgent comes first.
const PATIENT: [Channel; 4] =
    [Channel::Transactions, Channel::Sync, Channel::Proposals, Channel::Votes];

impl Receiver {
    /// Splits it into one that hears of peers, votes and proposals, and one that hears the rest. What the one brings need
    /// not wait until whoever reads the other is done with what that brought. News of a peer and its messages in the
    /// second may overtake one another.
    #[must_use]
    pub fn split(self) -> (Self, Self) {
        let Self { presence, announced, news, lanes, turn } = self;
        let ByChannel { votes, proposals, transactions, sync } = lanes;
        let urgent = ByChannel { votes, proposals, transactions: closed(), sync: closed() };
        let patient = ByChannel { votes: closed(), proposals: closed(), transactions, sync };
        let nobody = watch::channel(Presence::new()).1;
        (
            Self { presence, announced, news, lanes: urgent, turn },
            Self {
                presence: nobody,
                announced: Presence::new(),
                news: VecDeque::new(),
                lanes: patient,
                turn: 0,
            },
        )
    }

    /// Waits for the next thing. `None` means that the network has stopped. Nothing is lost if the wait is cancelled.
    pub async fn recv(&mut self) -> Option<Inbound> {
        loop {
            if let Some(inbound) = self.try_recv() {
                return Some(inbound);
            }
            let ByChannel { votes, proposals, transactions, sync } = &mut self.lanes;
            let (channel, parcel) = tokio::select! {
                biased;
                Ok(()) = self.presence.changed() => {
                    // Seen here, so that it is not seen again; told by `try_recv`.
                    self.presence.mark_changed();
                    continue;
                }
                Some(parcel) = votes.recv() => (Channel::Votes, parcel),
                Some(parcel) = proposals.recv() => (Channel::Proposals, parcel),
                Some(parcel) = sync.recv() => (Channel::Sync, parcel),
                Some(parcel) = transactions.recv() => (Channel::Transactions, parcel),
                else => return None,
            };
            return Some(parcel.open(channel));
        }
    }

    /// The next thing, if it is already here.
    pub fn try_recv(&mut self) -> Option<Inbound> {
        // An error means that the mesh is gone; its last word may still be unread.
        if self.presence.has_changed().unwrap_or(true) {
            self.compare();
        }
        if let Some(news) = self.news.pop_front() {
            return Some(news);
        }
        self.turn = (self.turn + 1) % 64;
        let order = if self.turn == 0 { &PATIENT } else { &TURNS[self.turn % 8] };
        order.iter().find_map(|&channel| {
            self.lanes.of_mut(channel).try_recv().ok().map(|parcel| parcel.open(channel))
        })
    }

    /// Turns the difference between who is connected and whom we told about into news.
    fn compare(&mut self) {
        let present = self.presence.borrow_and_update().clone();
        let lost = self.announced.iter().filter(|&(peer, time)| present.get(peer) != Some(time));
        self.news.extend(lost.map(|(&peer, _)| Inbound::Lost(peer)));
        let new = present.iter().filter(|&(peer, time)| self.announced.get(peer) != Some(time));
        self.news.extend(new.map(|(&peer, _)| Inbound::Connected(peer)));
        self.announced = present;
    }
}

/// A lane on which nothing ever comes.
fn closed() -> mpsc::Receiver<Parcel> {
    mpsc::channel(1).1
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("announced", &self.announced).finish_non_exhaustive()
    }
}

/// Opens the way from the readers of streams to the node.
pub(crate) fn open(limits: &Limits) -> (Inlets, Receiver) {
    let (present, presence) = watch::channel(Presence::new());
    let pairs = ByChannel::each(|channel| {
        let bound = limits.incoming.of(channel);
        let (sender, receiver) = mpsc::channel(bound.messages.max(1));
        // One message of the channel always fits, or its reader would wait forever.
        let bytes = bound.bytes.clamp(channel.frame_bytes_max(), Semaphore::MAX_PERMITS);
        (Inlet { sender, room: Arc::new(Semaphore::new(bytes)) }, receiver)
    });
    let ByChannel { votes, proposals, transactions, sync } = pairs;
    let inlets = ByChannel {
        votes: votes.0,
        proposals: proposals.0,
        transactions: transactions.0,
        sync: sync.0,
    };
    let lanes = ByChannel {
        votes: votes.1,
        proposals: proposals.1,
        transactions: transactions.1,
        sync: sync.1,
    };
    let receiver =
        Receiver { presence, announced: Presence::new(), news: VecDeque::new(), lanes, turn: 0 };
    (Inlets { presence: present, inlets }, receiver)
}

/// The mesh's end of the way to the node.
pub(crate) struct Inlets {
    pub(crate) presence: watch::Sender<Presence>,
    pub(crate) inlets: ByChannel<Inlet>,
}

/// One channel's entrance, shared by the readers of all peers. Those who wait are served in turn, so that a peer which
/// floods a channel gets its share of it and no more.
#[derive(Clone)]
pub(crate) struct Inlet {
    sender: mpsc::Sender<Parcel>,
    room: Arc<Semaphore>,
}

impl Inlet {
    /// Waits for room, then hands the message over. `Err` means that nobody listens any more.
    pub(crate) async fn deliver(&self, peer: Peer, bytes: Vec<u8>) -> Result<(), Deaf> {
        let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(size).await.map_err(|_closed| Deaf)?;
        self.sender.send(Parcel { peer, bytes, _room: room }).await.map_err(|_closed| Deaf)
    }
}

/// Nobody listens any more.
#[derive(Debug)]
pub(crate) struct Deaf;

/// A message on its way to the node, and the room it takes up until it is heard.
struct Parcel {
    peer: Peer,
    bytes: Vec<u8>,
    _room: OwnedSemaphorePermit,
}

impl Parcel {
    fn open(self, channel: Channel) -> Inbound {
        Inbound::Message(self.peer, channel, self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: Peer = Peer([7; 32]);

    async fn put(inlets: &Inlets, channel: Channel, bytes: &[u8]) {
        inlets.inlets.of(channel).deliver(PEER, bytes.to_vec()).await.unwrap();
    }

    #[tokio::test]
    async fn the_most_urgent_comes_first() {
        let (inlets, mut receiver) = open(&Limits::default());
        for channel in [Channel::Transactions, Channel::Sync, Channel::Proposals, Channel::Votes] {
            put(&inlets, channel, channel.name().as_bytes()).await;
        }
        inlets.presence.send_replace(Presence::from([(PEER, 1)]));
        let mut heard = Vec::new();
        while let Some(inbound) = receiver.try_recv() {
            heard.push(match inbound {
                Inbound::Connected(_) => "connected",
                Inbound::Lost(_) => "lost",
                Inbound::Message(_, channel, _) => channel.name(),
            });
        }
        assert_eq!(heard, ["connected", "votes", "proposals", "sync", "transactions"]);
    }

    #[tokio::test]
    async fn a_flood_of_votes_does_not_silence_the_rest() {
        let (inlets, mut receiver) = open(&Limits::default());
        for _ in 0..200 {
            put(&inlets, Channel::Votes, b"vote").await;
        }
        for channel in [Channel::Transactions, Channel::Sync, Channel::Proposals] {
            put(&inlets, channel, b"x").await;
        }
        let heard: Vec<_> = (0..64).filter_map(|_| receiver.try_recv()).collect();
        for channel in Channel::ALL {
            let found =
                heard.iter().any(|i| matches!(i, Inbound::Message(_, c, _) if *c == channel));
            assert!(found, "{} was silenced", channel.name());
        }
    }

    #[tokio::test]
    async fn a_peer_that_came_back_unseen_is_told_as_lost_and_connected() {
        let (inlets, mut receiver) = open(&Limits::default());
        inlets.presence.send_replace(Presence::from([(PEER, 1)]));
        assert_eq!(receiver.recv().await, Some(Inbound::Connected(PEER)));
        inlets.presence.send_replace(Presence::new());
        inlets.presence.send_replace(Presence::from([(PEER, 2)]));
        assert_eq!(receiver.recv().await, Some(Inbound::Lost(PEER)));
        assert_eq!(receiver.recv().await, Some(Inbound::Connected(PEER)));
        assert_eq!(receiver.try_recv(), None);
        inlets.presence.send_modify(BTreeMap::clear);
        drop(inlets);
        assert_eq!(receiver.recv().await, Some(Inbound::Lost(PEER)));
        assert_eq!(receiver.recv().await, None);
    }

    #[tokio::test]
    async fn split_in_two_each_half_hears_its_own_and_ends_with_the_mesh() {
        let (inlets, receiver) = open(&Limits::default());
        let (mut urgent, mut patient) = receiver.split();
        inlets.presence.send_replace(Presence::from([(PEER, 1)]));
        for channel in Channel::ALL {
            put(&inlets, channel, b"x").await;
        }
        let message = |channel| Some(Inbound::Message(PEER, channel, b"x".to_vec()));
        assert_eq!(urgent.recv().await, Some(Inbound::Connected(PEER)));
        assert_eq!(urgent.recv().await, message(Channel::Votes));
        assert_eq!(urgent.recv().await, message(Channel::Proposals));
        assert_eq!(patient.recv().await, message(Channel::Sync));
        assert_eq!(patient.recv().await, message(Channel::Transactions));
        assert_eq!((urgent.try_recv(), patient.try_recv()), (None, None));
        drop(inlets);
        assert_eq!((urgent.recv().await, patient.recv().await), (None, None));
    }

    #[tokio::test]
    async fn a_full_lane_makes_its_readers_wait_and_no_other() {
        let mut limits = Limits::default();
        limits.incoming.transactions.messages = 1;
        let (inlets, mut receiver) = open(&limits);
        put(&inlets, Channel::Transactions, b"one").await;
        let second = inlets.inlets.transactions.deliver(PEER, b"two".to_vec());
        tokio::pin!(second);
        tokio::select! {
            biased;
            _ = &mut second => panic!("there is no room"),
            () = put(&inlets, Channel::Votes, b"vote") => {}
        }
        assert_eq!(
            receiver.recv().await,
            Some(Inbound::Message(PEER, Channel::Votes, b"vote".to_vec()))
        );
        assert_eq!(
            receiver.recv().await,
            Some(Inbound::Message(PEER, Channel::Transactions, b"one".to_vec()))
        );
        second.await.unwrap();
    }
}
