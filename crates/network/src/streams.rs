//! How streams are asked for, accepted and named: one protocol a channel.
//!
//! libp2p-stream does nearly this, but it opens streams on a connection of its own choosing, drops one of two streams
//! that arrive together, and remembers every connection it ever saw.

use core::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};
use std::{collections::VecDeque, io};

use libp2p::{
    InboundUpgrade, Multiaddr, OutboundUpgrade, PeerId, Stream, StreamProtocol,
    core::{Endpoint, transport::PortUse, upgrade::UpgradeInfo},
    swarm::{
        ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm,
        NetworkBehaviour, NotifyHandler, StreamUpgradeError, SubstreamProtocol, THandler,
        THandlerInEvent, THandlerOutEvent, ToSwarm,
        handler::{
            ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
        },
    },
};
use types::net::Channel;

use crate::{config::ByChannel, name::Names};

/// The behaviour that opens streams on demand and reports those that are opened by the far side.
pub(crate) struct Streams {
    names: Names,
    pending: VecDeque<ToSwarm<Happening, Channel>>,
}

/// Something that happened to a stream.
#[derive(Debug)]
pub(crate) struct Happening {
    pub(crate) peer: PeerId,
    pub(crate) connection: ConnectionId,
    pub(crate) channel: Channel,
    pub(crate) what: What,
}

/// What happened to it.
#[derive(Debug)]
pub(crate) enum What {
    /// The far side opened it, to speak on.
    Accepted(Stream),
    /// We opened it, to speak on.
    Opened(Stream),
    /// We asked for it, and the far side does not know its name.
    Unknown,
    /// We asked for it, and something broke.
    Failed(io::Error),
}

impl Streams {
    pub(crate) const fn new(names: Names) -> Self {
        Self { names, pending: VecDeque::new() }
    }

    /// Asks for a stream of ours. Exactly one [`What::Opened`], [`What::Unknown`] or [`What::Failed`] follows, unless
    /// the connection closes before.
    pub(crate) fn open(&mut self, peer_id: PeerId, connection: ConnectionId, channel: Channel) {
        self.pending.push_back(ToSwarm::NotifyHandler {
            peer_id,
            handler: NotifyHandler::One(connection),
            event: channel,
        });
    }

    fn handler(&self) -> Handler {
        Handler { names: Names::clone(&self.names), wanted: VecDeque::new(), news: VecDeque::new() }
    }
}

impl NetworkBehaviour for Streams {
    type ConnectionHandler = Handler;
    type ToSwarm = Happening;

    fn handle_established_inbound_connection(
        &mut self,
        _connection: ConnectionId,
        _peer: PeerId,
        _here: &Multiaddr,
        _there: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _connection: ConnectionId,
        _peer: PeerId,
        _address: &Multiaddr,
        _role: Endpoint,
        _port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler())
    }

    fn on_swarm_event(&mut self, _event: FromSwarm<'_>) {}

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        (channel, what): THandlerOutEvent<Self>,
    ) {
        let happening = Happening { peer, connection, channel, what };
        self.pending.push_back(ToSwarm::GenerateEvent(happening));
    }

    fn poll(
        &mut self,
        _context: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.pending.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

/// The same, for one connection.
pub(crate) struct Handler {
    names: Names,
    wanted: VecDeque<Channel>,
    news: VecDeque<(Channel, What)>,
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Channel;
    type ToBehaviour = (Channel, What);
    type InboundProtocol = Offer;
    type OutboundProtocol = Offer;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Channel;

    fn listen_protocol(&self) -> SubstreamProtocol<Offer> {
        SubstreamProtocol::new(Offer::of(&self.names, &Channel::ALL), ())
    }

    fn connection_keep_alive(&self) -> bool {
        true
    }

    fn poll(
        &mut self,
        _context: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Offer, Channel, (Channel, What)>> {
        if let Some(news) = self.news.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(news));
        }
        if let Some(channel) = self.wanted.pop_front() {
            let offer = Offer::of(&self.names, &[channel]);
            let protocol = SubstreamProtocol::new(offer, channel);
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        Poll::Pending
    }

    fn on_behaviour_event(&mut self, channel: Channel) {
        self.wanted.push_back(channel);
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Offer, Offer, (), Channel>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: (channel, stream),
                info: (),
            }) => self.news.push_back((channel, What::Accepted(stream))),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: (_, stream),
                info: channel,
            }) => self.news.push_back((channel, What::Opened(stream))),
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info: channel, error }) => {
                let what = match error {
                    StreamUpgradeError::NegotiationFailed => What::Unknown,
                    StreamUpgradeError::Timeout => What::Failed(io::ErrorKind::TimedOut.into()),
                    StreamUpgradeError::Io(error) => What::Failed(error),
                    StreamUpgradeError::Apply(never) => match never {},
                };
                self.news.push_back((channel, what));
            }
            // A name we do not know is the far side's business; it will see that we refuse.
            ConnectionEvent::ListenUpgradeError(_)
            | ConnectionEvent::AddressChange(_)
            | ConnectionEvent::LocalProtocolsChange(_)
            | ConnectionEvent::RemoteProtocolsChange(_)
            | _ => {}
        }
    }
}

/// The channels that a stream may become.
pub(crate) struct Offer(Vec<Named>);

/// A channel under its name on the wire.
#[derive(Clone)]
pub(crate) struct Named {
    channel: Channel,
    name: StreamProtocol,
}

impl Offer {
    fn of(names: &ByChannel<StreamProtocol>, channels: &[Channel]) -> Self {
        let named = |&channel: &Channel| Named { channel, name: names.of(channel).clone() };
        Self(channels.iter().map(named).collect())
    }
}

impl AsRef<str> for Named {
    fn as_ref(&self) -> &str {
        self.name.as_ref()
    }
}

impl UpgradeInfo for Offer {
    type Info = Named;
    type InfoIter = std::vec::IntoIter<Named>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.clone().into_iter()
    }
}

impl<S> InboundUpgrade<S> for Offer {
    type Output = (Channel, S);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Self::Error>>;

    fn upgrade_inbound(self, stream: S, named: Named) -> Self::Future {
        ready(Ok((named.channel, stream)))
    }
}

impl<S> OutboundUpgrade<S> for Offer {
    type Output = (Channel, S);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Self::Error>>;

    fn upgrade_outbound(self, stream: S, named: Named) -> Self::Future {
        ready(Ok((named.channel, stream)))
    }
}
