//! What libp2p does for us, in the order in which it may refuse a connection.

use libp2p::{
    allow_block_list::{self, AllowedPeers},
    connection_limits::{self, ConnectionLimits},
    identify,
    identity::PublicKey,
    ping,
    swarm::NetworkBehaviour,
};

use crate::{
    config::Limits,
    door::Door,
    name::{self, Names},
    streams::Streams,
};

/// The order of the fields is the order of the checks: a connection is counted before it is asked who it is, and asked
/// who it is before anything speaks on it.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    pub(crate) limits: connection_limits::Behaviour,
    pub(crate) door: Door,
    pub(crate) allowed: allow_block_list::Behaviour<AllowedPeers>,
    pub(crate) identify: identify::Behaviour,
    pub(crate) ping: ping::Behaviour,
    pub(crate) streams: Streams,
}

impl Behaviour {
    pub(crate) fn new(limits: &Limits, key: PublicKey, names: Names) -> Self {
        let connections = ConnectionLimits::default()
            .with_max_pending_incoming(Some(limits.pending_incoming))
            .with_max_established_per_peer(Some(limits.established_per_peer))
            .with_max_established(Some(limits.established_total));
        let strangers = usize::try_from(limits.pending_incoming / 2).unwrap_or(usize::MAX);
        let per_address =
            usize::try_from(limits.pending_incoming_per_address).unwrap_or(usize::MAX);
        let per_known =
            usize::try_from(limits.pending_incoming_per_known_address).unwrap_or(usize::MAX);
        // We tell nobody where we listen and remember nothing of what peers say: addresses come from the chain.
        let identity = identify::Config::new(name::PROTOCOL.to_owned(), key)
            .with_agent_version("minlian".to_owned())
            .with_hide_listen_addrs(true)
            .with_cache_size(0);
        let pings = ping::Config::new()
            .with_interval(limits.ping_interval)
            .with_timeout(limits.silence_max);
        Self {
            limits: connection_limits::Behaviour::new(connections),
            door: Door::new(strangers, per_address, per_known, limits.descriptors),
            allowed: allow_block_list::Behaviour::default(),
            identify: identify::Behaviour::new(identity),
            ping: ping::Behaviour::new(pings),
            streams: Streams::new(names),
        }
    }
}
