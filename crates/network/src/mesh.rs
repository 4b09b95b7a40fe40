//! Who is connected, who should be, and what to do about the difference.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::SocketAddr,
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use futures::{FutureExt, StreamExt};
use libp2p::{
    Multiaddr, PeerId, Stream, Swarm, TransportError, allow_block_list,
    identity::Keypair,
    ping,
    swarm::{
        self, ConnectionError, ConnectionId, DialError, ListenError, SwarmEvent,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use tokio::{
    sync::{mpsc, watch},
    task::{AbortHandle, JoinError, JoinSet},
    time::{Instant, sleep_until},
};
use tracing::{debug, error, field::display, info, warn};
use types::net::{Channel, Peer};

use crate::{
    allowance::Allowance,
    behaviour::{Behaviour, BehaviourEvent},
    conduct::Conduct,
    config::{ByChannel, Config, Fault, Limits, Neighbour},
    counters::count,
    inbound::Inlets,
    incoming, name,
    network::{Link, Order, Shared},
    outgoing::{self, Queue},
    pace::{self, Pace},
    streams::{Happening, What},
    transport,
};

/// How many streams a connection may be negotiating at once.
const NEGOTIATING_MAX: usize = 16;

/// The failures after which a pause has its full length, whatever the limits.
const HOPELESS: u32 = 31;

/// A peer that opens a channel more often than this in a second is not mending a stream; it is wasting our time.
const REOPENED_MAX: u32 = 16;

/// The task that owns the swarm, and decides.
pub(crate) struct Mesh {
    swarm: Swarm<Behaviour>,
    here: Peer,
    limits: Limits,
    shared: Arc<Shared>,
    inlets: Inlets,
    members: BTreeMap<PeerId, Member>,
    tasks: JoinSet<Report>,
    serial: u64,
    paces: Paces,
    blamed: mpsc::Receiver<Peer>,
    // Last, so that whoever waits for the orders to close finds the rest gone.
    orders: watch::Receiver<Order>,
}

/// A peer we admit.
struct Member {
    peer: Peer,
    addresses: Vec<Multiaddr>,
    dial: Dial,
    /// Dials in a row that did not end in a connection we could speak on.
    attempt: u32,
    /// The connections we count on. When we hang up on a peer, they are forgotten at once.
    connections: BTreeMap<ConnectionId, Pulse>,
    link: Arc<Link>,
    present: bool,
    speaking: ByChannel<Speaking>,
    hearing: ByChannel<Hearing>,
    allowances: ByChannel<Allowance>,
    conduct: Conduct,
    /// Whether libp2p was told to refuse it, because it is shut out.
    barred: bool,
}

/// Whether to dial.
enum Dial {
    Due(Instant),
    Underway,
    /// It is connected, or has no address.
    Needless,
}

/// The signs of life of a connection.
struct Pulse {
    /// Counted by the readers of its streams.
    heard: Arc<AtomicU64>,
    heard_before: u64,
    /// When we last noticed a sign of life.
    alive: Instant,
}

/// How we speak in one channel: on a stream of ours.
struct Speaking {
    attempt: u32,
    line: Line,
}

/// The stream we speak on, or the way to it.
enum Line {
    Due(Instant),
    Opening(ConnectionId),
    Open { connection: ConnectionId, task: Task, since: Instant },
}

/// How we hear one channel: on a stream of theirs. There is at most one; a newer replaces the older.
#[derive(Default)]
struct Hearing {
    task: Option<Task>,
    /// A stream that came before we could speak to the peer. It is not read before the node knows of the peer.
    parked: Option<(ConnectionId, Stream)>,
    second: Option<Instant>,
    opened: u32,
}

/// A running reader or writer. Dropping it ends it.
struct Task {
    serial: u64,
    abort: AbortHandle,
}

impl Drop for Task {
    fn drop(&mut self) {
        self.abort.abort();
    }
}

/// What a reader or writer says last.
pub(crate) struct Report {
    id: PeerId,
    channel: Channel,
    serial: u64,
    end: End,
}

/// Why a reader or writer ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The stream ended.
    Broken(io::Error),
    /// The peer does not read.
    Stalled,
    /// The peer claims a message of a size its channel does not allow.
    Claimed {
        /// The size it claims.
        bytes: u32,
    },
    /// The peer broke the protocol otherwise.
    Offence {
        /// What it did.
        what: &'static str,
    },
    /// The node no longer listens.
    Unheard,
}

/// How often each kind of warning is given.
#[derive(Default)]
struct Paces {
    refused: Pace,
    crowded: Pace,
    foreign: Pace,
    offence: Pace,
    stalled: Pace,
    silent: Pace,
    penalty: Pace,
    barred: Pace,
    mistaken: Pace,
    listener: Pace,
}

/// Gives a warning if it is not the same one over and over.
macro_rules! warn_now_and_then {
    ($pace:expr, $($event:tt)+) => {
        if let Some(muted) = $pace.allow(Instant::now()) {
            warn!(muted, $($event)+);
        }
    };
}

impl Mesh {
    /// Takes the ports and the list of peers; nothing runs yet.
    pub(crate) fn new(
        mut config: Config,
        shared: Arc<Shared>,
        inlets: Inlets,
        mut orders: watch::Receiver<Order>,
        blamed: mpsc::Receiver<Peer>,
    ) -> Result<Self, Fault> {
        // The seed is wiped as it is read.
        let keys = Keypair::ed25519_from_bytes(&mut config.secret)
            .map_err(|source| Fault::Key { source: source.into() })?;
        let public = keys.public();
        let here = public
            .clone()
            .try_into_ed25519()
            .map(|key| Peer(key.to_bytes()))
            .map_err(|source| Fault::Key { source: source.into() })?;
        let transport = transport::build(&keys, &config.limits)
            .map_err(|source| Fault::Key { source: source.into() })?;
        let names = name::streams(&config.chain_id);
        let behaviour = Behaviour::new(&config.limits, public.clone(), names);
        // Connections end when a peer goes, is removed or misbehaves; never because there is little to say.
        let running = swarm::Config::with_tokio_executor()
            .with_idle_connection_timeout(Duration::from_secs(u64::from(u32::MAX)))
            .with_max_negotiating_inbound_streams(NEGOTIATING_MAX);
        let swarm = Swarm::new(transport, behaviour, public.to_peer_id(), running);
        orders.mark_unchanged();
        let mut mesh = Self {
            swarm,
            here,
            limits: config.limits,
            shared,
            inlets,
            members: BTreeMap::new(),
            tasks: JoinSet::new(),
            serial: 0,
            paces: Paces::default(),
            blamed,
            orders,
        };
        mesh.admit(&config.peers);
        mesh.listen(&config.listen)?;
        Ok(mesh)
    }

    fn listen(&mut self, addresses: &[SocketAddr]) -> Result<(), Fault> {
        for &address in addresses {
            self.swarm.listen_on(name::dial_address(address)).map_err(|error| {
                let source = match error {
                    TransportError::Other(error) => error,
                    TransportError::MultiaddrNotSupported(_) => io::ErrorKind::Unsupported.into(),
                };
                Fault::Listen { address, source }
            })?;
        }
        // Ports that the system chose are known at once; whoever started us may want to publish them.
        while let Some(Some(event)) = self.swarm.next().now_or_never() {
            if self.on_event(event).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Runs until it is told to stop, or until all handles are gone.
    pub(crate) async fn run(mut self) {
        loop {
            let due = self.act();
            let step = tokio::select! {
                event = self.swarm.select_next_some() => self.on_event(event),
                Some(ended) = self.tasks.join_next() => self.on_end(ended),
                changed = self.orders.changed() => match changed {
                    Ok(()) => self.on_order(),
                    Err(_no_handle_left) => ControlFlow::Break(()),
                },
                Some(peer) = self.blamed.recv() => {
                    self.on_blame(peer);
                    ControlFlow::Continue(())
                }
                () = until(due) => ControlFlow::Continue(()),
            };
            if step.is_break() {
                break;
            }
        }
        self.shared.links().clear();
        self.shared.listening().clear();
        self.inlets.presence.send_modify(BTreeMap::clear);
    }

    /// Dials, opens and closes what is due, and says when something will be due next.
    fn act(&mut self) -> Option<Instant> {
        let now = Instant::now();
        let mut next = None;
        for (&id, member) in &mut self.members {
            match member.conduct.shut_out_until(now) {
                Some(until) => next = sooner(next, until),
                None if core::mem::take(&mut member.barred) => {
                    self.swarm.behaviour_mut().allowed.allow_peer(id);
                    info!(peer = %member.peer, "peer may come back");
                }
                None => {}
            }
            if let Dial::Due(due) = member.dial {
                if due <= now {
                    let dialled = self.swarm.dial(
                        DialOpts::peer_id(id)
                            .addresses(member.addresses.clone())
                            // Two nodes that dial each other from their listening ports would share one connection,
                            // and both think that they opened it.
                            .allocate_new_port()
                            .condition(PeerCondition::DisconnectedAndNotDialing)
                            .build(),
                    );
                    member.dial = match dialled {
                        Ok(()) => Dial::Underway,
                        Err(error) => {
                            debug!(peer = %member.peer, %error, "dial refused");
                            member.redial(&self.limits, &self.here, now)
                        }
                    };
                }
                if let Dial::Due(due) = member.dial {
                    next = sooner(next, due);
                }
            }
            for (&connection, pulse) in &mut member.connections {
                let mut due = pulse.alive(now) + self.limits.silence_max;
                if due <= now {
                    // It is gone for good as soon as libp2p says so; until then, nobody needs to ask again.
                    pulse.alive = now;
                    due = now + self.limits.silence_max;
                    count(&self.shared.tally.silent);
                    warn_now_and_then!(self.paces.silent, peer = %member.peer, "connection is silent");
                    self.swarm.close_connection(connection);
                }
                next = sooner(next, due);
            }
            let Some((&connection, _)) = member.connections.last_key_value() else { continue };
            for channel in Channel::ALL {
                let speaking = member.speaking.of_mut(channel);
                match speaking.line {
                    Line::Due(due) if due <= now => {
                        speaking.line = Line::Opening(connection);
                        self.swarm.behaviour_mut().streams.open(id, connection, channel);
                    }
                    Line::Due(due) => next = sooner(next, due),
                    Line::Opening(_) | Line::Open { .. } => {}
                }
            }
        }
        next
    }

    fn on_order(&mut self) -> ControlFlow<()> {
        let peers = match &*self.orders.borrow_and_update() {
            Order::Admit(peers) => peers.clone(),
            Order::Stop => return ControlFlow::Break(()),
        };
        self.admit(&peers);
        ControlFlow::Continue(())
    }

    fn admit(&mut self, peers: &[Neighbour]) {
        let now = Instant::now();
        let mut admitted = BTreeSet::new();
        for Neighbour { peer, addresses } in peers.iter().filter(|known| known.peer != self.here) {
            let id = match name::id(*peer) {
                Ok(id) => id,
                Err(_not_a_point) => {
                    // Nobody can prove to hold such a key, so nobody is kept out by leaving it out.
                    warn!(%peer, "peer with an impossible key left out");
                    continue;
                }
            };
            admitted.insert(id);
            let addresses = addresses.iter().copied().map(name::dial_address).collect();
            if let Some(member) = self.members.get_mut(&id) {
                if member.addresses != addresses {
                    member.addresses = addresses;
                    member.attempt = 0;
                    if member.connections.is_empty() && !matches!(member.dial, Dial::Underway) {
                        member.dial = member.first_dial(&self.limits, &self.here, now);
                    }
                }
            } else {
                let member = Member::new(*peer, addresses, &self.limits, &self.here, now);
                self.members.insert(id, member);
                self.swarm.behaviour_mut().allowed.allow_peer(id);
            }
        }
        let known = peers.iter().flat_map(|known| &known.addresses).map(SocketAddr::ip);
        self.swarm.behaviour_mut().door.recognise(known);
        let removed: Vec<_> =
            self.members.keys().filter(|id| !admitted.contains(*id)).copied().collect();
        for id in removed {
            // This closes its connections, too.
            self.swarm.behaviour_mut().allowed.disallow_peer(id);
            if let Some(mut member) = self.members.remove(&id) {
                info!(peer = %member.peer, "peer no longer admitted");
                member.leave(&self.shared, &self.inlets);
            }
        }
    }

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) -> ControlFlow<()> {
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Streams(happening)) => self.on_stream(happening),
            SwarmEvent::Behaviour(BehaviourEvent::Ping(ping)) => self.on_ping(&ping),
            // What a peer says about itself is answered by libp2p, and neither believed nor repeated by us.
            SwarmEvent::Behaviour(BehaviourEvent::Identify(_)) => {}
            SwarmEvent::Behaviour(
                BehaviourEvent::Limits(never)
                | BehaviourEvent::Door(never)
                | BehaviourEvent::Allowed(never),
            ) => match never {},
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                if let Some(member) = self.members.get_mut(&peer_id) {
                    let address = endpoint.get_remote_address();
                    debug!(peer = %member.peer, %address, dialled = endpoint.is_dialer(), "connection");
                    member.connections.insert(connection_id, Pulse::new(Instant::now()));
                    member.dial = Dial::Needless;
                }
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, cause, .. } => {
                self.on_closed(peer_id, connection_id, cause.as_ref());
            }
            SwarmEvent::IncomingConnectionError { send_back_addr, error, peer_id, .. } => {
                self.on_refusal(&send_back_addr, error, peer_id);
            }
            SwarmEvent::OutgoingConnectionError { peer_id: Some(id), error, .. } => {
                self.on_failed_dial(id, &error);
            }
            SwarmEvent::NewListenAddr { address, .. } => {
                if let Some(address) = name::socket_address(&address) {
                    info!(%address, "listening");
                    self.shared.listening().push(address);
                }
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                let gone = name::socket_address(&address);
                self.shared.listening().retain(|&address| Some(address) != gone);
            }
            SwarmEvent::ListenerClosed { reason, .. } => {
                error!(?reason, "listener closed");
                return ControlFlow::Break(());
            }
            // Speaking of descriptors, for instance. libp2p pauses before it accepts again.
            SwarmEvent::ListenerError { error, .. } => {
                warn_now_and_then!(self.paces.listener, %error, "connection not accepted");
            }
            SwarmEvent::IncomingConnection { .. }
            | SwarmEvent::OutgoingConnectionError { peer_id: None, .. }
            | SwarmEvent::Dialing { .. }
            | SwarmEvent::NewExternalAddrCandidate { .. }
            | SwarmEvent::ExternalAddrConfirmed { .. }
            | SwarmEvent::ExternalAddrExpired { .. }
            | SwarmEvent::NewExternalAddrOfPeer { .. }
            | _ => {}
        }
        ControlFlow::Continue(())
    }

    fn on_closed(&mut self, id: PeerId, connection: ConnectionId, cause: Option<&ConnectionError>) {
        let Some(member) = self.members.get_mut(&id) else { return };
        if member.connections.remove(&connection).is_none() {
            return; // We hung up, and have drawn the conclusions.
        }
        let now = Instant::now();
        let cause = cause.map(display);
        debug!(peer = %member.peer, cause, "connection closed");
        for channel in Channel::ALL {
            let speaking = member.speaking.of_mut(channel);
            if speaking.connection() == Some(connection) {
                *speaking = Speaking { attempt: 0, line: Line::Due(now) };
            }
            let hearing = member.hearing.of_mut(channel);
            hearing.parked.take_if(|(carrier, _)| *carrier == connection);
        }
        if member.connections.is_empty() {
            if member.present {
                info!(peer = %member.peer, "peer lost");
                member.attempt = 0;
            }
            member.leave(&self.shared, &self.inlets);
            member.dial = member.redial(&self.limits, &self.here, now);
        }
    }

    fn on_refusal(&mut self, address: &Multiaddr, error: ListenError, id: Option<PeerId>) {
        match error {
            ListenError::Denied { cause } => {
                let peer = id.as_ref().map(name::spell);
                match cause.downcast::<allow_block_list::NotAllowed>() {
                    Ok(_) if id.is_some_and(|id| self.members.contains_key(&id)) => {
                        count(&self.shared.tally.barred);
                        warn_now_and_then!(self.paces.barred, peer, %address, "peer is shut out");
                    }
                    Ok(_) => {
                        count(&self.shared.tally.refused);
                        warn_now_and_then!(self.paces.refused, peer, %address, "unknown peer refused");
                    }
                    Err(cause) => {
                        count(&self.shared.tally.crowded);
                        warn_now_and_then!(self.paces.crowded, peer, %address, %cause, "too many connections");
                    }
                }
            }
            // Port scanners, and peers that went away: nobody needs to look.
            ListenError::Aborted
            | ListenError::WrongPeerId { .. }
            | ListenError::LocalPeerId { .. }
            | ListenError::Transport(_) => debug!(%address, "handshake failed"),
        }
    }

    fn on_failed_dial(&mut self, id: PeerId, error: &DialError) {
        let Some(member) = self.members.get_mut(&id) else { return };
        match error {
            DialError::WrongPeerId { obtained, address } => {
                let found = name::spell(obtained);
                warn_now_and_then!(
                    self.paces.mistaken, peer = %member.peer, %address, found, "another peer answers at this address"
                );
            }
            DialError::LocalPeerId { address } => {
                warn_now_and_then!(
                    self.paces.mistaken, peer = %member.peer, %address, "we answer at this address ourselves"
                );
            }
            DialError::NoAddresses
            | DialError::DialPeerConditionFalse(_)
            | DialError::Aborted
            | DialError::Denied { .. }
            | DialError::Transport(_) => {
                debug!(peer = %member.peer, attempt = member.attempt, %error, "dial failed");
            }
        }
        if member.connections.is_empty() {
            member.dial = member.redial(&self.limits, &self.here, Instant::now());
        }
    }

    /// Only answers count here. A ping that failed says nothing that silence does not say sooner: libp2p forgives the
    /// first failure, and waits ten seconds for a stream on which to try again.
    fn on_ping(&mut self, ping: &ping::Event) {
        if ping.result.is_ok()
            && let Some(member) = self.members.get_mut(&ping.peer)
            && let Some(pulse) = member.connections.get_mut(&ping.connection)
        {
            pulse.alive = Instant::now();
        }
    }

    fn on_stream(&mut self, happening: Happening) {
        let Happening { peer: id, connection, channel, what } = happening;
        let Some(member) = self.members.get_mut(&id) else { return };
        if !member.connections.contains_key(&connection) {
            return;
        }
        match what {
            What::Accepted(stream) => self.on_accepted(id, connection, channel, stream),
            What::Opened(stream) => self.on_opened(id, connection, channel, stream),
            What::Unknown => {
                count(&self.shared.tally.foreign);
                let peer = member.peer;
                warn_now_and_then!(
                    self.paces.foreign,
                    %peer,
                    ours = name::PROTOCOL,
                    "peer speaks another chain or protocol version: compare genesis and versions"
                );
                self.hang_up(id);
            }
            What::Failed(error) => {
                debug!(peer = %member.peer, channel = channel.name(), %error, "stream not opened");
                let speaking = member.speaking.of_mut(channel);
                if speaking.connection() == Some(connection) {
                    speaking.reopen(&self.limits, &self.here, &member.peer, Instant::now());
                }
            }
        }
    }

    fn on_accepted(&mut self, id: PeerId, carrier: ConnectionId, channel: Channel, stream: Stream) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let hearing = member.hearing.of_mut(channel);
        if hearing.too_often(Instant::now()) {
            self.offend(id, channel, "opens streams over and over");
            return;
        }
        if member.present {
            self.start_reader(id, carrier, channel, stream);
        } else {
            hearing.parked = Some((carrier, stream));
        }
    }

    fn on_opened(&mut self, id: PeerId, carrier: ConnectionId, channel: Channel, stream: Stream) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let speaking = member.speaking.of_mut(channel);
        match speaking.line {
            Line::Opening(connection) if connection == carrier => {}
            Line::Due(_) | Line::Opening(_) | Line::Open { .. } => return,
        }
        self.serial += 1;
        let serial = self.serial;
        let write = outgoing::write(
            stream,
            channel,
            Arc::clone(&member.link),
            self.limits.write_deadline,
            Arc::clone(&self.shared),
        );
        let abort =
            self.tasks.spawn(async move { Report { id, channel, serial, end: write.await } });
        let task = Task { serial, abort };
        speaking.line = Line::Open { connection: carrier, task, since: Instant::now() };
        match channel {
            Channel::Votes if !member.present => self.welcome(id),
            Channel::Votes | Channel::Proposals | Channel::Transactions | Channel::Sync => {}
        }
    }

    /// The peer can be spoken to: tells the node, and begins to listen to the peer.
    fn welcome(&mut self, id: PeerId) {
        self.serial += 1;
        let Some(member) = self.members.get_mut(&id) else { return };
        member.present = true;
        member.attempt = 0;
        info!(peer = %member.peer, "peer connected");
        self.shared.links().insert(member.peer, Arc::clone(&member.link));
        self.inlets.presence.send_modify(|present| {
            present.insert(member.peer, self.serial);
        });
        let parked = ByChannel::each(|channel| member.hearing.of_mut(channel).parked.take());
        let ByChannel { votes, proposals, transactions, sync } = parked;
        for (channel, parked) in
            Channel::ALL.into_iter().zip([votes, proposals, transactions, sync])
        {
            if let Some((carrier, stream)) = parked {
                self.start_reader(id, carrier, channel, stream);
            }
        }
    }

    fn start_reader(
        &mut self,
        id: PeerId,
        carrier: ConnectionId,
        channel: Channel,
        stream: Stream,
    ) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let Some(pulse) = member.connections.get(&carrier) else { return };
        self.serial += 1;
        let serial = self.serial;
        let read = incoming::read(
            stream,
            member.peer,
            channel,
            self.inlets.inlets.of(channel).clone(),
            member.allowances.of(channel).clone(),
            Arc::clone(&pulse.heard),
            Arc::clone(&self.shared),
        );
        let abort =
            self.tasks.spawn(async move { Report { id, channel, serial, end: read.await } });
        member.hearing.of_mut(channel).task = Some(Task { serial, abort });
    }

    fn on_end(&mut self, ended: Result<Report, JoinError>) -> ControlFlow<()> {
        let Report { id, channel, serial, end } = match ended {
            Ok(report) => report,
            Err(error) if error.is_cancelled() => return ControlFlow::Continue(()),
            Err(error) => {
                // A reader or writer panicked. That is a bug, and half a network is worse than none.
                error!(%error, "network stopped by a bug");
                return ControlFlow::Break(());
            }
        };
        let Some(member) = self.members.get_mut(&id) else { return ControlFlow::Continue(()) };
        let hearing = member.hearing.of_mut(channel);
        let speaking = member.speaking.of_mut(channel);
        if hearing.task.take_if(|task| task.serial == serial).is_none() {
            if speaking.serial() != Some(serial) {
                return ControlFlow::Continue(()); // A stream that has been replaced.
            }
            speaking.reopen(&self.limits, &self.here, &member.peer, Instant::now());
        }
        match end {
            End::Broken(error) => {
                debug!(peer = %member.peer, channel = channel.name(), %error, "stream ended");
            }
            End::Stalled => {
                count(&self.shared.tally.stalled);
                let peer = member.peer;
                warn_now_and_then!(self.paces.stalled, %peer, channel = channel.name(), "peer does not read");
                self.hang_up(id);
            }
            End::Claimed { bytes } => {
                debug!(peer = %member.peer, channel = channel.name(), bytes, "claim refused");
                self.offend(id, channel, "claims a message of a size that is not allowed");
            }
            End::Offence { what } => self.offend(id, channel, what),
            End::Unheard => {
                debug!("nobody listens any more");
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    /// Disconnects a peer that broke the protocol.
    fn offend(&mut self, id: PeerId, channel: Channel, what: &'static str) {
        let Some(member) = self.members.get(&id) else { return };
        count(&self.shared.tally.offences);
        let peer = member.peer;
        warn_now_and_then!(self.paces.offence, %peer, channel = channel.name(), what, "offence");
        self.shut_out(id);
    }

    /// The node found an offence in what a peer said.
    fn on_blame(&mut self, peer: Peer) {
        let now = Instant::now();
        let Ok(id) = name::id(peer) else { return };
        let Some(member) = self.members.get_mut(&id) else { return };
        // What it said before it was shut out is still being looked at, and was answered for.
        if member.conduct.shut_out_until(now).is_none() && member.conduct.note(&self.limits, now) {
            self.shut_out(id);
        }
    }

    /// Disconnects a peer, and refuses it for a while.
    fn shut_out(&mut self, id: PeerId) {
        self.hang_up(id);
        let now = Instant::now();
        let Some(member) = self.members.get_mut(&id) else { return };
        let pause = member.conduct.shut_out(&self.limits, now);
        let (peer, seconds) = (member.peer, pause.as_secs());
        count(&self.shared.tally.penalties);
        warn_now_and_then!(self.paces.penalty, %peer, seconds, "peer shut out for a while");
        member.barred = true;
        if !member.addresses.is_empty() {
            member.dial = Dial::Due(now + pause);
        }
        // This closes its connections, too, whichever side they were opened by.
        self.swarm.behaviour_mut().allowed.disallow_peer(id);
    }

    /// Closes every connection with a peer, and is in no hurry to dial it again.
    fn hang_up(&mut self, id: PeerId) {
        let Some(member) = self.members.get_mut(&id) else { return };
        for (connection, _) in core::mem::take(&mut member.connections) {
            self.swarm.close_connection(connection);
        }
        member.leave(&self.shared, &self.inlets);
        member.attempt = HOPELESS;
        member.dial = member.redial(&self.limits, &self.here, Instant::now());
    }
}

impl Member {
    fn new(
        peer: Peer,
        addresses: Vec<Multiaddr>,
        limits: &Limits,
        here: &Peer,
        now: Instant,
    ) -> Self {
        let link = ByChannel::each(|channel| Queue::new(*limits.outgoing.of(channel), channel));
        let mut member = Self {
            peer,
            addresses,
            dial: Dial::Needless,
            attempt: 0,
            connections: BTreeMap::new(),
            link: Arc::new(link),
            present: false,
            speaking: ByChannel::each(|_| Speaking { attempt: 0, line: Line::Due(now) }),
            hearing: ByChannel::default(),
            allowances: ByChannel::each(|channel| {
                Allowance::new(*limits.rates.of(channel), limits.flood_max, now)
            }),
            conduct: Conduct::default(),
            barred: false,
        };
        member.dial = member.first_dial(limits, here, now);
        member
    }

    /// The side with the smaller key dials at once; the other gives it a moment, or both would do it.
    fn first_dial(&self, limits: &Limits, here: &Peer, now: Instant) -> Dial {
        if self.addresses.is_empty() {
            return Dial::Needless;
        }
        if *here < self.peer { Dial::Due(now) } else { Dial::Due(now + limits.dial_courtesy) }
    }

    /// After a failure, or when the last connection is gone.
    fn redial(&mut self, limits: &Limits, here: &Peer, now: Instant) -> Dial {
        if self.addresses.is_empty() {
            return Dial::Needless;
        }
        let range = (limits.dial_backoff_min, limits.dial_backoff_max);
        let pause = pace::backoff(range, self.attempt, here, &self.peer);
        let first = self.attempt == 0 && *here > self.peer;
        let courtesy = if first { limits.dial_courtesy } else { Duration::ZERO };
        self.attempt = self.attempt.saturating_add(1).min(HOPELESS);
        Dial::Due(now + pause + courtesy)
    }

    /// Ends what ran for this peer, tells the node if it knew of it, and starts over with empty queues.
    fn leave(&mut self, shared: &Shared, inlets: &Inlets) {
        self.speaking =
            ByChannel::each(|_| Speaking { attempt: 0, line: Line::Due(Instant::now()) });
        self.hearing = ByChannel::default();
        if core::mem::take(&mut self.present) {
            shared.links().remove(&self.peer);
            inlets.presence.send_modify(|present| {
                present.remove(&self.peer);
            });
        }
        for channel in Channel::ALL {
            shared.tally.dropped(channel, self.link.of(channel).clear());
        }
    }
}

impl Pulse {
    fn new(now: Instant) -> Self {
        Self { heard: Arc::default(), heard_before: 0, alive: now }
    }

    /// When there was last a sign of life. On a slow line, the answer to a ping may wait behind a block; then it is the
    /// block that is heard.
    fn alive(&mut self, now: Instant) -> Instant {
        let heard = self.heard.load(Relaxed);
        if heard != self.heard_before {
            self.heard_before = heard;
            self.alive = now;
        }
        self.alive
    }
}

impl Speaking {
    fn connection(&self) -> Option<ConnectionId> {
        match self.line {
            Line::Due(_) => None,
            Line::Opening(connection) | Line::Open { connection, .. } => Some(connection),
        }
    }

    fn serial(&self) -> Option<u64> {
        match &self.line {
            Line::Due(_) | Line::Opening(_) => None,
            Line::Open { task, .. } => Some(task.serial),
        }
    }

    /// Tries again after a pause, which grows unless the stream had lived for a while.
    fn reopen(&mut self, limits: &Limits, here: &Peer, there: &Peer, now: Instant) {
        let lived = match self.line {
            Line::Open { since, .. } => now.saturating_duration_since(since),
            Line::Due(_) | Line::Opening(_) => Duration::ZERO,
        };
        let attempt = if lived > limits.dial_backoff_max { 0 } else { self.attempt };
        let range = (limits.dial_backoff_min, limits.dial_backoff_max);
        let pause = pace::backoff(range, attempt, here, there);
        *self =
            Self { attempt: attempt.saturating_add(1).min(HOPELESS), line: Line::Due(now + pause) };
    }
}

impl Hearing {
    /// Counts a stream that was opened, and says whether there were too many lately.
    fn too_often(&mut self, now: Instant) -> bool {
        if self.second.is_none_or(|until| until <= now) {
            self.second = Some(now + Duration::from_secs(1));
            self.opened = 0;
        }
        self.opened += 1;
        self.opened > REOPENED_MAX
    }
}

/// The earlier of two instants, if there is one.
fn sooner(next: Option<Instant>, due: Instant) -> Option<Instant> {
    Some(next.map_or(due, |next| next.min(due)))
}

/// Waits for an instant, or forever.
async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}
