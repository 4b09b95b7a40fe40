//! Who may wait for a handshake: so many from the address of a known peer, and all others together within limits, and
//! nobody for whom there is no descriptor.

use core::{convert::Infallible, fmt, task};
use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    io,
    net::{IpAddr, Ipv6Addr},
    os::fd::{AsFd as _, AsRawFd as _},
};

use libp2p::{
    Multiaddr, PeerId,
    core::{Endpoint, transport::PortUse},
    swarm::{
        ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
        THandlerOutEvent, ToSwarm, dummy,
    },
};

use crate::name;

/// The limits that libp2p's own lack: by address, and with room kept for known peers. Who somebody is shows only after
/// the handshake, so until then an address has to do.
pub(crate) struct Door {
    strangers_max: usize,
    per_address_max: usize,
    per_known_max: usize,
    descriptors_max: Option<u32>,
    known: BTreeSet<IpAddr>,
    waiting: BTreeMap<ConnectionId, Waiting>,
}

/// A handshake under way, and who it may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waiting {
    Known(IpAddr),
    Stranger(IpAddr),
}

impl Door {
    pub(crate) const fn new(
        strangers_max: usize,
        per_address_max: usize,
        per_known_max: usize,
        descriptors_max: Option<u32>,
    ) -> Self {
        Self {
            strangers_max,
            per_address_max,
            per_known_max,
            descriptors_max,
            known: BTreeSet::new(),
            waiting: BTreeMap::new(),
        }
    }

    /// Replaces the addresses that are known.
    pub(crate) fn recognise(&mut self, addresses: impl Iterator<Item = IpAddr>) {
        self.known = addresses.map(|ip| ip.to_canonical()).collect();
    }

    fn admit(&mut self, id: ConnectionId, ip: IpAddr) -> Result<(), Crowded> {
        if self.descriptors_max.is_some_and(|most| lowest_free_descriptor() >= most) {
            return Err(Crowded::Descriptors);
        }
        let ip = ip.to_canonical();
        let (who, same_max) = if self.known.contains(&ip) {
            (Waiting::Known(ip), self.per_known_max)
        } else {
            (Waiting::Stranger(origin(ip)), self.per_address_max)
        };
        let same = self.waiting.values().filter(|&&other| other == who).count();
        let strangers =
            self.waiting.values().filter(|other| matches!(other, Waiting::Stranger(_))).count();
        let full = matches!(who, Waiting::Stranger(_)) && strangers >= self.strangers_max;
        if full || same >= same_max {
            return Err(Crowded::Handshakes);
        }
        self.waiting.insert(id, who);
        Ok(())
    }
}

/// Whom an address stands for. In IPv6 one host commands a whole /64.
fn origin(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

/// The system gives the lowest descriptor that is free: at least as many as its number are in use. Asking costs two system
/// calls, and a connection that is let in costs many.
fn lowest_free_descriptor() -> u32 {
    let duplicate = io::stdin().as_fd().try_clone_to_owned();
    duplicate.ok().and_then(|free| u32::try_from(free.as_raw_fd()).ok()).unwrap_or(u32::MAX)
}

/// Too much of something.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Crowded {
    Handshakes,
    Descriptors,
}

impl fmt::Display for Crowded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Handshakes => "too many unfinished handshakes",
            Self::Descriptors => "too many open files (ulimit -n)",
        })
    }
}

impl Error for Crowded {}

impl NetworkBehaviour for Door {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _here: &Multiaddr,
        there: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        let address = name::socket_address(there)
            .ok_or_else(|| ConnectionDenied::new(Crowded::Handshakes))?;
        self.admit(connection, address.ip()).map_err(ConnectionDenied::new)
    }

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _peer: PeerId,
        _here: &Multiaddr,
        _there: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.waiting.remove(&connection);
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _connection: ConnectionId,
        _peer: PeerId,
        _address: &Multiaddr,
        _role: Endpoint,
        _port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if let FromSwarm::ListenFailure(failure) = event {
            self.waiting.remove(&failure.connection_id);
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _peer: PeerId,
        _connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(
        &mut self,
        _context: &mut task::Context<'_>,
    ) -> task::Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        task::Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(addresses: &str, expected: &str) {
        let mut door = Door::new(4, 2, 3, None);
        let known = ["192.0.2.1", "192.0.2.2"];
        door.recognise(known.into_iter().map(|ip| ip.parse().unwrap()));
        let told: String = addresses
            .split(' ')
            .enumerate()
            .map(|(n, ip)| door.admit(ConnectionId::new_unchecked(n), ip.parse().unwrap()))
            .map(|admitted| if admitted.is_ok() { '+' } else { '-' })
            .collect();
        assert_eq!(told, expected, "{addresses}");
    }

    #[test]
    fn strangers_share_what_is_not_kept_for_known_peers() {
        check("10.0.0.1 10.0.0.1 10.0.0.1 10.0.0.2", "++-+");
        check("10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 192.0.2.1", "++++-+");
        check("192.0.2.1 192.0.2.1 ::ffff:192.0.2.1 192.0.2.1 192.0.2.2 10.0.0.1", "+++-++");
        check("2001:db8::1 2001:db8::2 2001:db8::3 2001:db8:0:1::1", "++-+");
    }

    /// what is left of the descriptors is kept for files, known or not.
    #[test]
    fn nobody_is_let_in_without_a_descriptor_to_spare() {
        let (id, ip) = (ConnectionId::new_unchecked(0), "192.0.2.1".parse().unwrap());
        let admitted = |descriptors| Door::new(4, 2, 3, descriptors).admit(id, ip);
        assert_eq!(admitted(None), Ok(()));
        assert_eq!(admitted(Some(1 << 20)), Ok(()));
        // The three standard ones are always in use.
        assert_eq!(admitted(Some(3)), Err(Crowded::Descriptors));
    }
}
