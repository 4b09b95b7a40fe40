//! Errors on their way out (RFC 9457), each with a code that never changes.

use crate::shell::Unaccepted;
use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use client::api::Problem;
use ledger::{Rejection, prove::Unprovable};

/// What the problem is written as.
pub(super) const PROBLEM: &str = "application/problem+json";

/// An error on its way out.
#[derive(Debug)]
pub(crate) struct Failure {
    status: StatusCode,
    code: &'static str,
    detail: String,
    /// When to come back, seconds.
    retry_after: Option<u32>,
}

impl Failure {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let passing =
            matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        Self { status, code, detail: detail.into(), retry_after: passing.then_some(1) }
    }

    pub(crate) fn not_found(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }

    /// What was asked is not a question.
    pub(crate) fn bad(code: &'static str, error: &dyn core::fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, error.to_string())
    }

    /// More than a body may have.
    pub(crate) fn too_large(max: usize, advice: &str) -> Self {
        let detail = format!("a body has at most {max} bytes here; {advice}");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "E-HTTP-BODY", detail)
    }

    /// This machine's fault.
    pub(crate) fn fault(error: &dyn core::fmt::Display) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "E-NODE-FAULT", error.to_string())
    }

    /// It was here, and is no more: others keep it.
    pub(crate) fn dropped(why: &dyn core::fmt::Display) -> Self {
        Self::new(StatusCode::GONE, "E-BODY-DROPPED", why.to_string())
    }

    /// Nothing can be told yet.
    pub(crate) fn no_block() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "E-NODE-EMPTY",
            "this node has no block yet; ask again in a moment",
        )
    }

    pub(crate) const fn after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let problem = Problem {
            kind: format!("urn:minlian:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error").into(),
            status: self.status.as_u16(),
            code: self.code.into(),
            detail: self.detail,
        };
        let mut response = (self.status, Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        let status = match &rejection {
            Rejection::Full | Rejection::Quota => StatusCode::TOO_MANY_REQUESTS,
            Rejection::UnknownKey(_)
            | Rejection::ForeignKey { .. }
            | Rejection::Role { .. }
            | Rejection::Inactive { .. }
            | Rejection::KeyTerm { .. }
            | Rejection::Owner { .. } => StatusCode::FORBIDDEN,
            Rejection::Transaction(_)
            | Rejection::Size { .. }
            | Rejection::Horizon { .. }
            | Rejection::Lots { .. }
            | Rejection::Validity { .. }
            | Rejection::Itself { .. }
            | Rejection::Lines { .. }
            | Rejection::SeedUnit { .. } => StatusCode::BAD_REQUEST,
            Rejection::Expired { .. }
            | Rejection::Committed(_)
            | Rejection::Recorded
            | Rejection::Exists { .. }
            | Rejection::Unknown { .. }
            | Rejection::Terminal { .. }
            | Rejection::Status { .. }
            | Rejection::Version { .. }
            | Rejection::Level { .. }
            | Rejection::Identity { .. }
            | Rejection::Governance { .. }
            | Rejection::Item { .. }
            | Rejection::Objection { .. }
            | Rejection::SeedPermit { .. }
            | Rejection::SeedReused { .. } => StatusCode::CONFLICT,
        };
        Self::new(status, rejection.code(), rejection.to_string())
    }
}

impl From<Unaccepted> for Failure {
    fn from(why: Unaccepted) -> Self {
        match why {
            Unaccepted::Refused(rejection) => rejection.into(),
            Unaccepted::Undecided(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "E-TX-UNDECIDED", why.to_string())
            }
        }
    }
}

impl From<Unprovable> for Failure {
    fn from(why: Unprovable) -> Self {
        let detail = why.to_string();
        match why {
            Unprovable::Empty => Self::no_block(),
            Unprovable::Record(_) | Unprovable::Later(_) => {
                Self::not_found("E-REC-UNKNOWN", detail)
            }
            Unprovable::Dropped { .. } => Self::dropped(&detail),
            Unprovable::Lot(_) | Unprovable::Agency(_) => Self::not_found("E-SUB-UNKNOWN", detail),
            Unprovable::Height(_) => Self::not_found("E-BLOCK-UNKNOWN", detail),
            Unprovable::Early(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "E-BLOCK-UNKNOWN", detail)
            }
            Unprovable::TooMuch { .. } | Unprovable::Far { .. } => {
                Self::new(StatusCode::BAD_REQUEST, "E-PROOF-SIZE", detail)
            }
        }
    }
}
