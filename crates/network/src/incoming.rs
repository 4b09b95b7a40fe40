//! The task that reads one peer's stream of one channel.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use futures::io::BufReader;
use libp2p::Stream;
use tokio::time::{Instant, sleep};
use tracing::warn;
use types::net::{Channel, Peer};

use crate::{
    allowance::{Allowance, Verdict},
    frame::{self, Unread},
    inbound::{Deaf, Inlet},
    mesh::End,
    network::Shared,
};

/// Small messages are read several at a time.
const GATHER_BYTES: usize = 8 << 10;

/// Reads messages and hands them over, until the stream ends or breaks the protocol. While there is no room, or the peer
/// has used up its allowance, it does not read; Yamux then holds up the peer on this stream alone.
pub(crate) async fn read(
    stream: Stream,
    peer: Peer,
    channel: Channel,
    inlet: Inlet,
    allowance: Allowance,
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
        let bytes = message.len();
        shared.tally.received(channel, bytes);
        match inlet.deliver(peer, message).await {
            Ok(()) => {}
            Err(Deaf) => return End::Unheard,
        }
        match allowance.charge(bytes, Instant::now()) {
            Verdict::Fine => {}
            Verdict::Slower(pause) => {
                shared.tally.slowed(channel);
                sleep(pause).await;
                // What was not read kept the line busy; that it is not heard meanwhile is our doing.
                alive();
            }
            Verdict::Flood(pause) => {
                shared.tally.slowed(channel);
                match channel {
                    Channel::Votes | Channel::Proposals | Channel::Sync => {
                        let what = "says more than an honest peer can need, and does not stop";
                        return End::Offence { what };
                    }
                    Channel::Transactions => {
                        warn!(%peer, "peer offers more transactions than it may, and is read more slowly");
                        sleep(pause).await;
                        alive();
                    }
                }
            }
        }
    }
}
