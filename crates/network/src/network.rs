//! The handle the node speaks through: it puts messages in queues, and never waits.

use core::fmt;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{mpsc, watch};
use tracing::warn;
use types::net::{Channel, Peer, To};

use crate::{
    config::{ByChannel, Config, Fault, Neighbour},
    counters::{Counters, Tally},
    inbound::{self, Receiver},
    mesh::Mesh,
    outgoing::Queue,
};

/// Reports of offences that may wait. A peer whose next offence finds no room has others there.
const BLAME_WAITING: usize = 256;

/// A handle to the running network. Clones are handles to the same one; when the last is gone, it stops.
#[derive(Clone)]
pub struct Network {
    orders: watch::Sender<Order>,
    blame: mpsc::Sender<Peer>,
    shared: Arc<Shared>,
}

/// Listens, starts to dial, and returns at once. Where an address with a fixed IP was asked for,
/// [`Network::listening`] already knows its port.
///
/// # Errors
///
/// [`Fault::Runtime`] outside a tokio runtime, [`Fault::Key`] if the secret is no key, [`Fault::Listen`] if an address
/// is taken or not ours.
pub fn start(config: Config) -> Result<(Network, Receiver), Fault> {
    let runtime =
        tokio::runtime::Handle::try_current().map_err(|source| Fault::Runtime { source })?;
    let (orders, ordered) = watch::channel(Order::Admit(config.peers.clone()));
    let (blame, blamed) = mpsc::channel(BLAME_WAITING);
    let shared = Arc::new(Shared::default());
    let (inlets, receiver) = inbound::open(&config.limits);
    let mesh = Mesh::new(config, Arc::clone(&shared), inlets, ordered, blamed)?;
    runtime.spawn(mesh.run());
    Ok((Network { orders, blame, shared }, receiver))
}

impl Network {
    /// Queues a message and returns at once. It is dropped, and counted, if the peer is not connected or its queue is
    /// full, and if the message is empty or longer than its channel allows (the far side would hang up on us).
    pub fn send(&self, to: To, channel: Channel, message: Arc<[u8]>) {
        if message.is_empty() || message.len() > channel.frame_bytes_max() {
            warn!(
                channel = channel.name(),
                bytes = message.len(),
                "message of a size that no peer accepts"
            );
            self.shared.tally.dropped(channel, 1);
            return;
        }
        let links = self.shared.links();
        let refused = match to {
            To::Everyone => {
                links.values().filter(|link| !link.of(channel).push(Arc::clone(&message))).count()
            }
            To::One(peer) => {
                let queued = links.get(&peer).is_some_and(|link| link.of(channel).push(message));
                usize::from(!queued)
            }
        };
        self.shared.tally.dropped(channel, refused);
    }

    /// Replaces the list of admitted peers, at any time: as the chain's own state says, for instance. Connections with
    /// those no longer on it are closed at once and refused from then on; those that are new on it are dialled.
    pub fn admit(&self, peers: Vec<Neighbour>) {
        self.orders.send_if_modified(|order| match order {
            Order::Admit(admitted) => {
                *admitted = peers;
                true
            }
            Order::Stop => false,
        });
    }

    /// Reports that this peer sent what no honest one sends. A few such reports are borne with; then it is shut out for a
    /// while, longer each time.
    pub fn blame(&self, peer: Peer) {
        // An error means that more reports wait than matter, or that nobody is connected any more.
        self.blame.try_send(peer).unwrap_or(());
    }

    /// Who is connected now.
    #[must_use]
    pub fn connected(&self) -> Vec<Peer> {
        self.shared.links().keys().copied().collect()
    }

    /// What has been counted since the start.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.shared.tally.read()
    }

    /// Where we really listen, ports included.
    #[must_use]
    pub fn listening(&self) -> Vec<SocketAddr> {
        self.shared.listening().clone()
    }

    /// Hangs up on everyone and returns when the ports are free. What still waits in queues is lost.
    pub async fn stop(self) {
        self.orders.send_replace(Order::Stop);
        self.orders.closed().await;
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").field("connected", &self.connected()).finish_non_exhaustive()
    }
}

/// What the handle asks of the mesh. Only the latest order matters, so there is no queue of them.
#[derive(Debug)]
pub(crate) enum Order {
    Admit(Vec<Neighbour>),
    Stop,
}

/// The queues towards one peer.
pub(crate) type Link = ByChannel<Queue>;

/// What the handle and the mesh both see.
#[derive(Default)]
pub(crate) struct Shared {
    pub(crate) tally: Tally,
    links: Mutex<BTreeMap<Peer, Arc<Link>>>,
    listening: Mutex<Vec<SocketAddr>>,
}

impl Shared {
    /// The peers that are connected. A panic elsewhere cannot leave a map half changed, so poison is ignored.
    pub(crate) fn links(&self) -> MutexGuard<'_, BTreeMap<Peer, Arc<Link>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn listening(&self) -> MutexGuard<'_, Vec<SocketAddr>> {
        self.listening.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
