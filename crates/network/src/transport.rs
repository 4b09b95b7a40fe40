//! TCP, Noise and Yamux, and a deadline for saying goodbye.

use core::{
    pin::Pin,
    task::{Context, Poll},
};
use std::time::Duration;

use libp2p::{
    PeerId, Transport,
    core::{
        muxing::{StreamMuxer, StreamMuxerBox, StreamMuxerEvent},
        transport::Boxed,
        upgrade::Version,
    },
    identity::Keypair,
    noise, tcp, yamux,
};
use tokio::time::{Sleep, sleep};

use crate::config::Limits;

/// How long a connection may take to close. Without a limit, a peer that does not read would keep its connection, and
/// its place among the connections we allow, for as long as it likes.
const GOODBYE: Duration = Duration::from_secs(1);

/// Yamux refuses, by a panic, more streams than fit into its receive window of 1 GiB.
const STREAMS_MAX: usize = 4096;

/// Builds the only transport there is.
pub(crate) fn build(
    keys: &Keypair,
    limits: &Limits,
) -> Result<Boxed<(PeerId, StreamMuxerBox)>, noise::Error> {
    let mut muxer = yamux::Config::default();
    muxer.set_max_num_streams(limits.streams_per_connection.min(STREAMS_MAX));
    Ok(tcp::tokio::Transport::new(tcp::Config::new().nodelay(true))
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(keys)?)
        .multiplex(muxer)
        .timeout(limits.handshake)
        .map(|(peer, muxer), _endpoint| (peer, StreamMuxerBox::new(Hasty { muxer, goodbye: None })))
        .boxed())
}

/// A muxer that closes within [`GOODBYE`], politely or not.
struct Hasty<M> {
    muxer: M,
    goodbye: Option<Pin<Box<Sleep>>>,
}

impl<M: StreamMuxer + Unpin> StreamMuxer for Hasty<M> {
    type Substream = M::Substream;
    type Error = M::Error;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        Pin::new(&mut self.muxer).poll_inbound(context)
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        Pin::new(&mut self.muxer).poll_outbound(context)
    }

    fn poll_close(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Self::Error>> {
        let Self { muxer, goodbye } = &mut *self;
        if let Poll::Ready(closed) = Pin::new(muxer).poll_close(context) {
            return Poll::Ready(closed);
        }
        let deadline = goodbye.get_or_insert_with(|| Box::pin(sleep(GOODBYE)));
        deadline.as_mut().poll(context).map(Ok)
    }

    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<StreamMuxerEvent, Self::Error>> {
        Pin::new(&mut self.muxer).poll(context)
    }
}

#[cfg(test)]
mod tests {
    use core::convert::Infallible;

    use futures::io::Cursor;
    use libp2p::core::muxing::StreamMuxerExt;
    use tokio::time::{Instant, timeout};

    use super::*;

    /// Never gets its last words through.
    struct Endless;

    impl StreamMuxer for Endless {
        type Substream = Cursor<Vec<u8>>;
        type Error = Infallible;

        fn poll_inbound(
            self: Pin<&mut Self>,
            _context: &mut Context<'_>,
        ) -> Poll<Result<Self::Substream, Infallible>> {
            Poll::Pending
        }

        fn poll_outbound(
            self: Pin<&mut Self>,
            _context: &mut Context<'_>,
        ) -> Poll<Result<Self::Substream, Infallible>> {
            Poll::Pending
        }

        fn poll_close(
            self: Pin<&mut Self>,
            _context: &mut Context<'_>,
        ) -> Poll<Result<(), Infallible>> {
            Poll::Pending
        }

        fn poll(
            self: Pin<&mut Self>,
            _context: &mut Context<'_>,
        ) -> Poll<Result<StreamMuxerEvent, Infallible>> {
            Poll::Pending
        }
    }

    #[tokio::test]
    async fn a_connection_closes_though_the_peer_does_not_read() {
        let before = Instant::now();
        let close = Hasty { muxer: Endless, goodbye: None }.close();
        assert!(timeout(3 * GOODBYE, close).await.is_ok());
        assert!(before.elapsed() >= GOODBYE);
    }
}
