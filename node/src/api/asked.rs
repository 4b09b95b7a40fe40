//! What stands in a request: paths, queries and bodies, read within limits and refused in our own words.

use super::problem::Failure;
use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{FromRequestParts, Path, Query},
    http::request::Parts,
};
use serde::de::DeserializeOwned;
use types::Subject;

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

/// A body of at most so many bytes.
pub(crate) async fn body(body: Body, max: usize, advice: &str) -> Result<Bytes, Failure> {
    to_bytes(body, max).await.map_err(|error| {
        let mut cause: Option<&dyn core::error::Error> = Some(&error);
        while let Some(error) = cause {
            if error.to_string().contains("length limit") {
                return Failure::too_large(max, advice);
            }
            cause = error.source();
        }
        Failure::bad("E-HTTP-BODY", &format_args!("the body did not arrive whole: {error}"))
    })
}

pub(crate) fn subject(text: &str) -> Result<Subject, Failure> {
    text.parse().map_err(|error| Failure::bad("E-HTTP-ID", &error))
}
