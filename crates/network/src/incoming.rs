//! The task that reads one peer's stream of one channel.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use futures::io::BufReader;
use libp2p::Stream;
use types::net::{Channel, Peer};

use crate::{
    frame::{self, Unread},
    inbound::{Deaf, Inlet},
    mesh::End,
    network::Shared,
};

/// Small messages are read several at a time.
const GATHER_BYTES: usize = 8 << 10;

/// Reads messages and hands them over, until the stream ends or breaks the protocol. While there is no room, it does not
/// read; Yamux then holds up the peer on this stream alone.
pub(crate) async fn read(
    stream: Stream,
    peer: Peer,
    channel: Channel,
    inlet: Inlet,
    heard: Arc<AtomicU64>,
    shared: Arc<Shared>,
) -> End {
    let mut stream = BufReader::with_capacity(GATHER_BYTES, stream);
    loop {
        let alive = || {
            heard.fetch_add(1, Relaxed);
        };
        let message = match frame::read(&mut stream, channel.frame_bytes_max(), alive).await {
            Ok(message) => message,
            Err(Unread::Broken(error)) => return End::Broken(error),
            Err(Unread::Claimed(bytes)) => return End::Claimed { bytes },
        };
        shared.tally.received(channel, message.len());
        match inlet.deliver(peer, message).await {
            Ok(()) => {}
            Err(Deaf) => return End::Unheard,
        }
    }
}
