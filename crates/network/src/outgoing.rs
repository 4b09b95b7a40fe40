//! What waits for one peer in one channel, and the task that writes it to a stream.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{AsyncReadExt, AsyncWriteExt, io::BufWriter};
use libp2p::Stream;
use tokio::{sync::Notify, time::timeout};
use types::net::Channel;

use crate::{
    config::Bound,
    counters::wide,
    frame,
    mesh::End,
    network::{Link, Shared},
};

/// Small messages are gathered up to the size of one Yamux frame.
const GATHER_BYTES: usize = 16 << 10;

/// A peer that reads slower than this is not reading.
const BYTES_PER_SECOND_MIN: u64 = 32 << 10;

/// What waits for one peer in one channel.
pub(crate) struct Queue {
    bound: Bound,
    waiting: Mutex<Waiting>,
    bell: Notify,
}

#[derive(Default)]
struct Waiting {
    messages: VecDeque<Arc<[u8]>>,
    bytes: usize,
}

impl Queue {
    pub(crate) fn new(bound: Bound, channel: Channel) -> Self {
        let bytes = bound.bytes.max(channel.frame_bytes_max());
        let bound = Bound { messages: bound.messages.max(1), bytes };
        Self { bound, waiting: Mutex::default(), bell: Notify::new() }
    }

    /// Adds a message if there is room, and says whether there was.
    pub(crate) fn push(&self, message: Arc<[u8]>) -> bool {
        let mut waiting = self.waiting();
        let bytes = waiting.bytes.saturating_add(message.len());
        if waiting.messages.len() >= self.bound.messages || bytes > self.bound.bytes {
            return false;
        }
        waiting.bytes = bytes;
        waiting.messages.push_back(message);
        drop(waiting);
        self.bell.notify_one();
        true
    }

    /// Throws away what waits, and says how many messages that was.
    pub(crate) fn clear(&self) -> usize {
        core::mem::take(&mut *self.waiting()).messages.len()
    }

    fn pop(&self) -> Option<Arc<[u8]>> {
        let mut waiting = self.waiting();
        let message = waiting.messages.pop_front()?;
        waiting.bytes -= message.len();
        Some(message)
    }

    /// Waits until there is something to send.
    async fn filled(&self) {
        while self.waiting().messages.is_empty() {
            self.bell.notified().await;
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes what waits to a stream, until the stream ends or the peer stops reading.
pub(crate) async fn write(
    stream: Stream,
    channel: Channel,
    link: Arc<Link>,
    deadline: Duration,
    shared: Arc<Shared>,
) -> End {
    let queue = link.of(channel);
    let mut stream = BufWriter::with_capacity(GATHER_BYTES, stream);
    loop {
        while let Some(message) = queue.pop() {
            let written = frame::write(&mut stream, &message);
            if let Err(end) = patiently(deadline, message.len(), written).await {
                shared.tally.dropped(channel, 1);
                return end;
            }
            shared.tally.sent(channel, message.len());
        }
        // Everything that waited shares one flush.
        if let Err(end) = patiently(deadline, GATHER_BYTES, stream.flush()).await {
            return end;
        }

        // The far side never speaks on this stream, so reading tells only when it has let go of it.
        let mut nothing = [0];
        tokio::select! {
            biased;
            () = queue.filled() => {}
            read = stream.get_mut().read(&mut nothing) => return match read {
                Ok(0) => End::Broken(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => End::Offence { what: "spoke on a stream that is ours to speak on" },
                Err(error) => End::Broken(error),
            },
        }
    }
}

/// Waits for a write of `bytes` as long as an honest peer on a slow line may need.
async fn patiently(
    deadline: Duration,
    bytes: usize,
    write: impl Future<Output = io::Result<()>>,
) -> Result<(), End> {
    let grace = Duration::from_secs(wide(bytes) / BYTES_PER_SECOND_MIN);
    match timeout(deadline.saturating_add(grace), write).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(End::Broken(error)),
        Err(_elapsed) => Err(End::Stalled),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bound: (usize, usize), sizes: &[usize], taken: &[bool]) {
        let queue = Queue {
            bound: Bound { messages: bound.0, bytes: bound.1 },
            waiting: Mutex::default(),
            bell: Notify::new(),
        };
        let pushed: Vec<_> = sizes.iter().map(|&size| queue.push(vec![0; size].into())).collect();
        assert_eq!(pushed, taken, "{bound:?} {sizes:?}");
        let mut total = 0;
        while let Some(message) = queue.pop() {
            total += message.len();
        }
        let expected: usize =
            sizes.iter().zip(taken).filter(|(_, taken)| **taken).map(|(size, _)| size).sum();
        assert_eq!(total, expected);
        assert_eq!(queue.waiting().bytes, 0);
    }

    #[test]
    fn a_queue_is_bounded_by_messages_and_by_bytes() {
        check((2, 100), &[1, 1, 1], &[true, true, false]);
        check((9, 100), &[60, 60, 40, 1], &[true, false, true, false]);
        check((9, 100), &[100], &[true]);
    }

    #[test]
    fn the_largest_message_of_a_channel_always_fits() {
        for channel in Channel::ALL {
            let queue = Queue::new(Bound { messages: 0, bytes: 0 }, channel);
            assert!(queue.push(vec![0; channel.frame_bytes_max()].into()));
            assert!(!queue.push(vec![0; 1].into()));
        }
    }
}
