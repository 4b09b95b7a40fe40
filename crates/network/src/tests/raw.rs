//! A peer that finishes the handshake, and then writes whatever it likes where Yamux is spoken.

use core::{
    pin::Pin,
    task::{Context, Poll, ready},
};
use std::{
    future::{Ready, ready},
    io,
    sync::{Arc, Mutex},
};

use futures::{AsyncRead, AsyncWrite, io::Cursor};
use libp2p::{
    Swarm, Transport,
    core::{
        UpgradeInfo,
        muxing::{StreamMuxer, StreamMuxerBox, StreamMuxerEvent},
        upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, Version},
    },
    identity::Keypair,
    noise,
    swarm::{self, dummy},
    tcp,
};

/// What came back.
pub(super) type Answers = Arc<Mutex<Vec<u8>>>;

/// Whether one of the frames that came back is Yamux's last word, for a reason.
pub(super) fn says_that_it_is_over(answers: &Answers) -> bool {
    let answers = answers.lock().unwrap();
    let mut rest = &answers[..];
    while let Some((header, tail)) = rest.split_first_chunk::<12>() {
        let [_, kind, .., a, b, c, d] = *header;
        let value = u32::from_be_bytes([a, b, c, d]);
        match kind {
            0 => rest = tail.get(usize::try_from(value).unwrap()..).unwrap_or_default(),
            3 if value > 0 => return true,
            _ => rest = tail,
        }
    }
    false
}

pub(super) fn swarm(bytes: Vec<u8>, answers: Answers) -> Swarm<dummy::Behaviour> {
    let keys = Keypair::ed25519_from_bytes(super::secret(9)).unwrap();
    let transport = tcp::tokio::Transport::new(tcp::Config::new())
        .upgrade(Version::V1)
        .authenticate(noise::Config::new(&keys).unwrap())
        .multiplex(Speech(bytes, answers))
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
        .boxed();
    let running =
        swarm::Config::with_tokio_executor().with_idle_connection_timeout(super::PATIENCE);
    Swarm::new(transport, dummy::Behaviour, keys.public().to_peer_id(), running)
}

#[derive(Clone)]
struct Speech(Vec<u8>, Answers);

struct Speaker<C> {
    line: C,
    bytes: Vec<u8>,
    answers: Answers,
}

impl UpgradeInfo for Speech {
    type Info = &'static str;
    type InfoIter = core::iter::Once<Self::Info>;

    fn protocol_info(&self) -> Self::InfoIter {
        core::iter::once("/yamux/1.0.0")
    }
}

impl<C> InboundConnectionUpgrade<C> for Speech {
    type Output = Speaker<C>;
    type Error = io::Error;
    type Future = Ready<io::Result<Speaker<C>>>;

    fn upgrade_inbound(self, line: C, _info: Self::Info) -> Self::Future {
        ready(Ok(Speaker { line, bytes: self.0, answers: self.1 }))
    }
}

impl<C> OutboundConnectionUpgrade<C> for Speech {
    type Output = Speaker<C>;
    type Error = io::Error;
    type Future = Ready<io::Result<Speaker<C>>>;

    fn upgrade_outbound(self, line: C, _info: Self::Info) -> Self::Future {
        ready(Ok(Speaker { line, bytes: self.0, answers: self.1 }))
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> StreamMuxer for Speaker<C> {
    type Substream = Cursor<Vec<u8>>;
    type Error = io::Error;

    fn poll_inbound(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<io::Result<Self::Substream>> {
        Poll::Pending
    }

    fn poll_outbound(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<io::Result<Self::Substream>> {
        Poll::Pending
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<StreamMuxerEvent>> {
        let Self { line, bytes, answers } = &mut *self;
        while !bytes.is_empty() {
            let written = ready!(Pin::new(&mut *line).poll_write(context, bytes))?;
            bytes.drain(..written);
        }
        // A flush that waits still lets us read.
        if let Poll::Ready(flushed) = Pin::new(&mut *line).poll_flush(context) {
            flushed?;
        }
        let mut buffer = [0; 1024];
        loop {
            let read = ready!(Pin::new(&mut *line).poll_read(context, &mut buffer))?;
            if read == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            answers.lock().unwrap().extend(&buffer[..read]);
        }
    }
}
