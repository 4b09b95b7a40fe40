//! Answers that take room: read a few at a time, of no more than a page, and held within limits until they are taken.

use super::problem::Failure;
use axum::{
    body::{Body, Bytes},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde::Serialize;
use tokio::sync::{Semaphore, SemaphorePermit};
use types::{Operation, block::BLOCK_BYTES_MAX, codec};

/// How many read at once: each may have a block in memory, and what is made of it.
const READING_MAX: usize = 8;
/// How many bytes of all answers wait for their clients at once, …
const ANSWERS_BYTES_MAX: usize = 256 << 20;
/// … beside so many of each, for which there is always room.
const FREE_BYTES: usize = 64 << 10;

/// Whose turn it is, …
static TURNS: Semaphore = Semaphore::const_new(READING_MAX);
/// … and what room is left. One for the process, as its memory is.
static ROOM: Semaphore = Semaphore::const_new(ANSWERS_BYTES_MAX);

/// Reads on a thread that nothing waits for, when it is its turn. Whoever gives up meanwhile is not read for.
pub(super) async fn in_turn<T: Send + 'static>(
    read: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    taking(&TURNS, read).await
}

async fn taking<T: Send + 'static>(
    turns: &'static Semaphore,
    read: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    // Nobody closes it; without a turn there would be no bound, and nothing else.
    let turn = turns.acquire().await.ok();
    let work = tokio::task::spawn_blocking(move || {
        // A client that has left takes the turn of others until the reading ends, as it takes the processor's.
        let _turn = turn;
        read()
    });
    work.await.map_err(|error| Failure::fault(&error))
}

/// What is read in its turn, spelled in JSON there, too.
pub(super) async fn json<T: Serialize + 'static>(
    read: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<Response, Failure> {
    let spell = move || serde_json::to_vec(&read()?).map_err(|error| Failure::fault(&error));
    answer("application/json", in_turn(spell).await??)
}

/// An answer that takes room until its client has taken it.
pub(super) fn answer(kind: &'static str, bytes: Vec<u8>) -> Result<Response, Failure> {
    let body = Body::from(hold(bytes, &ROOM)?);
    Ok(([(header::CONTENT_TYPE, kind)], body).into_response())
}

fn hold(bytes: Vec<u8>, room: &'static Semaphore) -> Result<Bytes, Failure> {
    let paid = u32::try_from(bytes.capacity().saturating_sub(FREE_BYTES)).unwrap_or(u32::MAX);
    // Nobody waits for it: who waits would hold what it has, and so might all.
    let room = room.try_acquire_many(paid).map_err(|_full| {
        let detail = "answers to others take all the room there is; come back, or ask for less";
        Failure::new(StatusCode::SERVICE_UNAVAILABLE, "E-HTTP-FULL", detail).after(5)
    })?;
    Ok(Bytes::from_owner(Held { bytes, _room: room }))
}

/// The bytes of an answer, and the room they take.
struct Held {
    bytes: Vec<u8>,
    _room: SemaphorePermit<'static>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// A page while it is filled: of so many records at most, and of no more than a block may have and one record. A record may
/// have a third of a mebibyte, and a thousand of those are no answer.
#[derive(Debug)]
pub(super) struct Page {
    left: usize,
    bytes: usize,
}

impl Page {
    /// One for so many records.
    pub(super) const fn new(limit: usize) -> Self {
        Self { left: limit, bytes: 0 }
    }

    /// Whether there is room for nothing more.
    pub(super) const fn is_full(&self) -> bool {
        self.left == 0 || self.bytes > BLOCK_BYTES_MAX
    }

    /// Takes up the room of a record.
    pub(super) fn add(&mut self, operation: &Operation) {
        self.left = self.left.saturating_sub(1);
        self.bytes += codec::length(operation);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    #[tokio::test]
    async fn answers_that_nobody_takes_share_the_room_and_short_ones_are_given_all_the_same() {
        static SMALL: Semaphore = Semaphore::const_new(1 << 20);
        let long = || hold(vec![0; FREE_BYTES + (1 << 19)], &SMALL);
        let held = [long().unwrap(), long().unwrap()];
        assert_eq!(SMALL.available_permits(), 0);
        let refused = hold(vec![0; FREE_BYTES + 1], &SMALL).unwrap_err().into_response();
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(refused.headers().contains_key(header::RETRY_AFTER));
        assert_eq!(hold(vec![0; FREE_BYTES], &SMALL).unwrap().len(), FREE_BYTES);
        // As it goes out piece by piece, the last piece holds the room.
        let [first, second] = held;
        let piece = first.slice(1..2);
        drop((first, second));
        assert_eq!(SMALL.available_permits(), 1 << 19);
        drop(piece);
        assert_eq!(SMALL.available_permits(), 1 << 20);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_few_read_at_once_and_the_others_in_their_turn() {
        static TWO: Semaphore = Semaphore::const_new(2);
        static READING: AtomicUsize = AtomicUsize::new(0);
        static MOST: AtomicUsize = AtomicUsize::new(0);
        let read = || {
            taking(&TWO, || {
                MOST.fetch_max(READING.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                // Long enough for others to come, if they may.
                for _ in 0..1000 {
                    std::thread::yield_now();
                }
                READING.fetch_sub(1, Ordering::SeqCst);
            })
        };
        for one in futures::future::join_all((0..40).map(|_| read())).await {
            one.unwrap();
        }
        assert!((1..=2).contains(&MOST.load(Ordering::SeqCst)));
        // Who gave up before its turn is not read for, and keeps nobody's.
        let held = TWO.acquire_many(2).await.unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(10), read()).await.is_err());
        drop(held);
        read().await.unwrap();
        assert_eq!(TWO.available_permits(), 2);
    }
}
