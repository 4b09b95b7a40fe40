//! What things are called on libp2p's side: peers, addresses, and the streams of a chain.

use std::{
    fmt::Write,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use libp2p::{
    Multiaddr, PeerId, StreamProtocol,
    identity::{DecodingError, PublicKey, ed25519},
    multiaddr::Protocol,
};
use types::net::{Channel, Peer};

use crate::config::ByChannel;

/// The protocol, with its version. A change that old nodes cannot follow takes a new number.
pub(crate) const PROTOCOL: &str = "/minlian/1";

/// The streams of one chain, by channel.
pub(crate) type Names = Arc<ByChannel<StreamProtocol>>;

/// Names the streams of a chain: the protocol, sixteen bytes of the chain id, the channel.
pub(crate) fn streams(chain_id: &[u8; 32]) -> Names {
    streams_of(PROTOCOL, chain_id)
}

/// The same, in some version of the protocol.
pub(crate) fn streams_of(protocol: &str, chain_id: &[u8; 32]) -> Names {
    let chain = hex(&chain_id[..16]);
    Arc::new(ByChannel::each(|channel: Channel| {
        StreamProtocol::try_from_owned(format!("{protocol}/{chain}/{}", channel.name()))
            .expect("a stream name needs only to begin with a slash, and ours does")
    }))
}

/// libp2p's name of a peer. Fails if the bytes are not a point of the curve.
pub(crate) fn id(peer: Peer) -> Result<PeerId, DecodingError> {
    ed25519::PublicKey::try_from_bytes(&peer.0).map(|key| PublicKey::from(key).to_peer_id())
}

/// A peer id as people know it: the key in hexadecimal, as in genesis. It is made of our own digits, so it is safe in a
/// log whatever the peer sent.
pub(crate) fn spell(id: &PeerId) -> String {
    PublicKey::try_decode_protobuf(id.as_ref().digest())
        .ok()
        .and_then(|key| key.try_into_ed25519().ok())
        .map_or_else(|| id.to_base58(), |key| hex(&key.to_bytes()))
}

/// An address in libp2p's spelling.
pub(crate) fn dial_address(address: SocketAddr) -> Multiaddr {
    Multiaddr::from(address.ip()).with(Protocol::Tcp(address.port()))
}

/// An address in ours, if it is one of TCP over IP.
pub(crate) fn socket_address(address: &Multiaddr) -> Option<SocketAddr> {
    let mut parts = address.iter();
    let ip = ip_of(&parts.next()?)?;
    match parts.next() {
        Some(Protocol::Tcp(port)) => Some(SocketAddr::new(ip, port)),
        Some(_) | None => None,
    }
}

fn ip_of(part: &Protocol<'_>) -> Option<IpAddr> {
    if let Protocol::Ip4(ip) = part {
        Some(IpAddr::V4(*ip))
    } else if let Protocol::Ip6(ip) = part {
        Some(IpAddr::V6(*ip))
    } else {
        None
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a string has room");
        hex
    })
}

#[cfg(test)]
mod tests {
    use libp2p::identity::Keypair;

    use super::*;

    #[test]
    fn a_peer_is_spelled_by_its_key() {
        let keys = Keypair::ed25519_from_bytes([1; 32]).unwrap();
        let peer = Peer(keys.public().try_into_ed25519().unwrap().to_bytes());
        assert_eq!(id(peer).unwrap(), keys.public().to_peer_id());
        assert_eq!(spell(&keys.public().to_peer_id()), hex(&peer.0));
        assert!(
            (0..=255).any(|byte| id(Peer([byte; 32])).is_err()),
            "half of all strings are no keys"
        );
    }

    #[test]
    fn addresses_come_back_as_they_went() {
        for text in ["127.0.0.1:9", "[::1]:65535", "0.0.0.0:0"] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(socket_address(&dial_address(address)), Some(address));
        }
        assert_eq!(socket_address(&"/dns/example.org/tcp/1".parse().unwrap()), None);
        assert_eq!(socket_address(&"/ip4/127.0.0.1/udp/1".parse().unwrap()), None);
    }

    #[test]
    fn a_stream_is_named_for_its_chain_and_channel() {
        let names = streams(&[0xab; 32]);
        let name = "/minlian/1/abababababababababababababababab/votes";
        assert_eq!(names.of(Channel::Votes).as_ref(), name);
    }
}
