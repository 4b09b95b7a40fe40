//! The door of the API: so many connections and no more, and none that takes nothing of what it asked for.

use crate::clock;
use axum_server::{AddrListener, Address, accept::Accept};
use std::{
    future::{Ready, ready},
    io,
    net::SocketAddr,
    os::fd::{AsRawFd as _, RawFd},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready as poll_ready},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Sleep, sleep},
};

/// The most connections a node holds, if it may open that many files.
pub const CONNECTIONS_MAX: usize = 2048;
/// The fewest.
const CONNECTIONS_MIN: usize = 8;
/// How long a client may take nothing of an answer before its connection ends.
const STALLED: Duration = Duration::from_secs(30);

/// How often it is said at most that clients are turned away.
const TOLD_EVERY_MS: u64 = 10_000;

/// How many connections this process may hold: a half of the files it may open, the other half being the ledger's and the
/// neighbours'.
#[must_use]
pub fn connections_allowed() -> usize {
    let files = store::files_allowed().and_then(|files| usize::try_from(files).ok());
    files.map_or(CONNECTIONS_MAX, |files| (files / 2).clamp(CONNECTIONS_MIN, CONNECTIONS_MAX))
}

/// Where the API listens, and which descriptor is the first that no client gets. The system gives the lowest that is free, so
/// one as high as this says how many are in use: what is left above belongs to the ledger's files, which a validator must be
/// able to open at any time, or it has to stop.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    address: SocketAddr,
    kept_from: RawFd,
}

impl Place {
    /// At `address`, with a quarter of the descriptors kept back.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        let allowed = store::files_allowed().and_then(|files| RawFd::try_from(files).ok());
        Self { address, kept_from: allowed.map_or(RawFd::MAX, |files| files - files / 4) }
    }
}

impl Address for Place {
    type Stream = TcpStream;
    type Listener = Listener;
}

/// Turns away at once whom there is no descriptor for, before anything is done for it.
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
    kept_from: RawFd,
    /// Since when it may be said again that somebody was turned away, and how many were since it was.
    told: Mutex<(Option<Instant>, u64)>,
}

impl Listener {
    fn tell(&self) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let (again, muted) = &mut *told;
        if again.is_some_and(|again| clock::instant() < again) {
            *muted += 1;
            return;
        }
        tracing::warn!(muted, "a client was turned away: too many files are open (ulimit -n)");
        (*again, *muted) = (Some(clock::after(TOLD_EVERY_MS)), 0);
    }
}

impl AddrListener<TcpStream, Place> for Listener {
    async fn bind_to(place: Place) -> io::Result<Self> {
        let listener = TcpListener::bind(place.address).await?;
        Ok(Self { listener, kept_from: place.kept_from, told: Mutex::default() })
    }

    async fn accept_stream(&self) -> io::Result<(TcpStream, Place)> {
        loop {
            let (stream, address) = self.listener.accept().await?;
            if stream.as_raw_fd() < self.kept_from {
                return Ok((stream, Place { address, kept_from: self.kept_from }));
            }
            self.tell();
        }
    }

    fn get_local_addr(&self) -> io::Result<Place> {
        let address = self.listener.local_addr()?;
        Ok(Place { address, kept_from: self.kept_from })
    }
}

/// Lets in so many at a time. Who comes when it is full is turned away at once: to wait would hold what there is none of.
#[derive(Clone, Debug)]
pub struct Door {
    room: Arc<Semaphore>,
    stalled: Duration,
}

impl Door {
    /// A door for so many.
    #[must_use]
    pub fn new(connections: usize) -> Self {
        Self { room: Arc::new(Semaphore::new(connections)), stalled: STALLED }
    }
}

impl<S> Accept<TcpStream, S> for Door {
    type Stream = Connection;
    type Service = S;
    type Future = Ready<io::Result<(Connection, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let Ok(permit) = self.room.clone().try_acquire_owned() else {
            return ready(Err(io::Error::other("too many connections")));
        };
        let nodelay = stream.set_nodelay(true);
        let (timer, stalled) = (Box::pin(sleep(self.stalled)), self.stalled);
        let connection = Connection { stream, timer, stalled, waiting: false, _permit: permit };
        ready(nodelay.map(|()| (connection, service)))
    }
}

/// A connection that ends when a write has waited for too long.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    timer: Pin<Box<Sleep>>,
    stalled: Duration,
    waiting: bool,
    _permit: OwnedSemaphorePermit,
}

impl Connection {
    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        poll: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.waiting = false;
            return poll;
        }
        if !self.waiting {
            self.waiting = true;
            let until = tokio::time::Instant::now() + self.stalled;
            self.timer.as_mut().reset(until);
        }
        poll_ready!(self.timer.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.watch(context, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    /// a crowd is turned away at once, and who leaves makes room.
    #[tokio::test]
    async fn so_many_connections_and_no_more() {
        let handle = axum_server::Handle::new();
        let server = axum_server::bind(std::net::SocketAddr::from(([127, 0, 0, 1], 0)))
            .handle(handle.clone())
            .http1_only()
            .acceptor(Door::new(2));
        let router = axum::Router::new().route("/", axum::routing::get(async || "here"));
        tokio::spawn(server.serve(router.into_make_service()));
        let address = handle.listening().await.unwrap();
        let ask = async || {
            let mut line = TcpStream::connect(address).await.unwrap();
            let asked = line.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
            let mut answer = [0; 256];
            let length = if asked.is_ok() { line.read(&mut answer).await.unwrap_or(0) } else { 0 };
            let text = String::from_utf8_lossy(&answer[..length]).into_owned();
            (line, text)
        };
        let (first, answer) = ask().await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let (second, answer) = ask().await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        for _ in 0..50 {
            assert_eq!(ask().await.1, "", "there is no room for a third");
        }
        drop(first);
        let deadline = crate::clock::after(30_000);
        while !ask().await.1.starts_with("HTTP/1.1 200") {
            assert!(crate::clock::instant() < deadline, "nobody is let in after one has left");
        }
        drop(second);
    }

    /// whoever would take one of the descriptors that are kept for files is turned away, and the others are not.
    #[tokio::test]
    async fn who_would_take_a_kept_descriptor_is_turned_away() {
        let place = Place::new(SocketAddr::from(([127, 0, 0, 1], 0)));
        let mut listener = Listener::bind_to(place).await.unwrap();
        let address = listener.get_local_addr().unwrap().address;
        let first = TcpStream::connect(address).await.unwrap();
        let (accepted, _) = listener.accept_stream().await.unwrap();
        listener.kept_from = 0;
        let mut turned_away = TcpStream::connect(address).await.unwrap();
        let accepting = listener.accept_stream();
        let ended = turned_away.read_u8();
        tokio::select! {
            _ = accepting => panic!("it was let in"),
            ended = ended => assert!(ended.is_err()),
        }
        drop((first, accepted));
    }

    /// who takes nothing of what it asked for is let go.
    #[tokio::test]
    async fn a_write_that_nobody_takes_ends() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let deaf = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let door = Door { stalled: Duration::from_millis(200), ..Door::new(1) };
        let (mut connection, ()) = door.accept(stream, ()).await.unwrap();
        let junk = vec![0; 1 << 20];
        let ended = loop {
            if let Err(error) = connection.write_all(&junk).await {
                break error;
            }
        };
        assert_eq!(ended.kind(), io::ErrorKind::TimedOut);
        drop(deaf);
    }
}
