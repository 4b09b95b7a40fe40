//! What stands in a request: paths, queries and bodies, read within limits and refused in our own words.

use super::problem::Failure;
use axum::{
    body::{Body, Bytes},
    extract::{FromRequestParts, Path, Query},
    http::{StatusCode, request::Parts},
};
use futures::StreamExt as _;
use serde::de::DeserializeOwned;
use tokio::sync::{Semaphore, SemaphorePermit};
use types::Subject;

/// How many bytes of all bodies are held at once, …
const BODIES_BYTES_MAX: usize = 256 << 20;
/// … beside so many of each, for which there is always room: who brings little is heard while others bring much.
const FREE_BYTES: usize = 64 << 10;

/// What is left of it. One for the process, as its memory is.
static ROOM: Semaphore = Semaphore::const_new(BODIES_BYTES_MAX);

/// The last part of a path, decoded.
pub(crate) struct Name(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        path.map(|Path(text)| Self(text)).map_err(|error| Failure::bad("E-HTTP-ID", &error))
    }
}

/// The query of a request. One with a name that means nothing, or twice, is refused: it would be a typing error unnoticed.
pub(crate) struct Asked<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query.map(|Query(asked)| Self(asked)).map_err(|error| Failure::bad("E-HTTP-QUERY", &error))
    }
}

/// A body of at most so many bytes. It takes room until the last who has its bytes is done with them.
pub(crate) async fn body(body: Body, max: usize, advice: &str) -> Result<Bytes, Failure> {
    read(body, (max, advice), &ROOM).await
}

async fn read(
    body: Body,
    (max, advice): (usize, &str),
    room: &'static Semaphore,
) -> Result<Bytes, Failure> {
    let mut chunks = body.into_data_stream();
    let mut held = Held { bytes: Vec::new(), room: take(room, 0)? };
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| {
            Failure::bad("E-HTTP-BODY", &format_args!("the body did not arrive whole: {error}"))
        })?;
        if chunk.len() > max - held.bytes.len() {
            return Err(Failure::too_large(max, advice));
        }
        let paid = |bytes: usize| bytes.saturating_sub(FREE_BYTES);
        let more = paid(held.bytes.len() + chunk.len()) - paid(held.bytes.len());
        // Before the bytes are: what there is no room for is not held.
        held.room.merge(take(room, more)?);
        held.bytes.extend_from_slice(&chunk);
    }
    Ok(Bytes::from_owner(held))
}

/// The bytes of a body, and the room they take.
struct Held {
    bytes: Vec<u8>,
    room: SemaphorePermit<'static>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Room for so many bytes. Nobody waits for it: who waits would hold what it has, and so might all.
fn take(room: &'static Semaphore, bytes: usize) -> Result<SemaphorePermit<'static>, Failure> {
    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
    room.try_acquire_many(bytes).map_err(|_full| {
        let detail = "the bodies of other requests take all the room there is; come back";
        Failure::new(StatusCode::SERVICE_UNAVAILABLE, "E-HTTP-FULL", detail).after(5)
    })
}

pub(crate) fn subject(text: &str) -> Result<Subject, Failure> {
    text.parse().map_err(|error| Failure::bad("E-HTTP-ID", &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{http::header, response::IntoResponse as _};
    use futures::stream;
    use std::io;

    const HALF: usize = 1 << 19;

    #[tokio::test]
    async fn long_bodies_share_the_room_and_short_ones_are_read_all_the_same() {
        static SMALL: Semaphore = Semaphore::const_new(2 * HALF);
        let ask = async |length: usize| {
            read(Body::from(vec![0_u8; length]), (2 * HALF, "split it"), &SMALL).await
        };
        let long = [ask(FREE_BYTES + HALF).await.unwrap(), ask(FREE_BYTES + HALF).await.unwrap()];
        assert_eq!(SMALL.available_permits(), 0);
        let refused = ask(FREE_BYTES + 1).await.unwrap_err().into_response();
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(refused.headers().contains_key(header::RETRY_AFTER));
        assert_eq!(ask(FREE_BYTES).await.unwrap().len(), FREE_BYTES);
        let part = long[0].slice(..1);
        drop(long);
        assert_eq!(SMALL.available_permits(), HALF, "who still has a part of one holds its room");
        drop(part);
        assert_eq!(SMALL.available_permits(), 2 * HALF);
    }

    #[tokio::test]
    async fn what_is_given_up_leaves_its_room() {
        static SMALL: Semaphore = Semaphore::const_new(2 * HALF);
        let piece = || Ok(vec![0_u8; FREE_BYTES]);
        let torn = || Err(io::Error::other("torn"));
        for (pieces, status) in [
            ([piece(), piece(), piece()], StatusCode::PAYLOAD_TOO_LARGE),
            ([piece(), piece(), torn()], StatusCode::BAD_REQUEST),
        ] {
            let body = Body::from_stream(stream::iter(pieces));
            let failed = read(body, (2 * FREE_BYTES, "split it"), &SMALL).await.unwrap_err();
            assert_eq!(failed.into_response().status(), status);
            assert_eq!(SMALL.available_permits(), 2 * HALF);
        }
    }
}
