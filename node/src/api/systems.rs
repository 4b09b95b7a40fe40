//! Systems without keys: who they are, and how what they bring is signed with the key enrolled for them.

use super::{Shared, problem::Failure};
use crate::{
    gateway::{Denied, Documents, Event, Gateway, Scope, Shown, Shut, Token, Unkept},
    tls,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use ledger::Rejection;
use types::{
    Operation, Transaction, Verified, codec,
    transaction::{OPERATIONS_MAX, TRANSACTION_BYTES_MAX},
};

/// What a transaction takes beside its operations, bytes, at most.
const HEADER_BYTES: usize = 1024;

fn gateway(node: &Shared) -> Result<&Gateway, Failure> {
    node.gateway.as_ref().map_err(|shut| match shut {
        Shut::Absent => {
            let detail = "this node signs for nobody now: no [gateway] is configured, or nothing can be written";
            Failure::new(StatusCode::NOT_IMPLEMENTED, "E-GATEWAY-NONE", detail)
        }
        Shut::Unfit(_) => {
            let detail = "this node's gateway is shut, and its operator has to see why; /readyz says so, too";
            Failure::new(StatusCode::SERVICE_UNAVAILABLE, "E-GATEWAY-SHUT", detail)
        }
    })
}

/// What a request shows of whose it is. Any authorization but a token's is nobody's token, and not a certificate's.
fn shown(headers: &HeaderMap) -> Shown<'_> {
    let bearer = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    let bearer = bearer.map(|value| value.strip_prefix(b"Bearer ").unwrap_or_default());
    Shown { bearer, certificate: tls::certificate(headers), by_foreign_page: false }
}

/// Whether a page of another site has a browser ask this. Where something is recorded a browser says by one of two headers whose
/// page it is, which no page can change; an application sends neither.
fn is_by_foreign_page(headers: &HeaderMap) -> bool {
    let said = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
    // `none` is what the browser's user asks for without any page.
    let of_site =
        said("sec-fetch-site").is_some_and(|site| site != b"same-origin" && site != b"none");
    // A certificate is shown over TLS alone.
    let from_elsewhere = said("origin").is_some_and(|origin| {
        origin.strip_prefix(b"https://").is_none_or(|own| said("host") != Some(own))
    });
    of_site || from_elsewhere
}

/// Lets a system in, once that is written down.
pub(super) async fn admit<'n>(
    node: &'n Shared,
    headers: &HeaderMap,
    scope: Scope,
    act: &str,
) -> Result<(&'n Gateway, &'n Token), Failure> {
    enter(node, shown(headers), scope, act).await
}

/// Lets a system in that has something recorded, once that is written down. A browser shows a certificate for whatever page asks,
/// and what a page cannot read it could have signed all the same.
pub(super) async fn admit_to_record<'n>(
    node: &'n Shared,
    headers: &HeaderMap,
    scope: Scope,
    act: &str,
) -> Result<(&'n Gateway, &'n Token), Failure> {
    let shown = Shown { by_foreign_page: is_by_foreign_page(headers), ..shown(headers) };
    enter(node, shown, scope, act).await
}

async fn enter<'n>(
    node: &'n Shared,
    shown: Shown<'_>,
    scope: Scope,
    act: &str,
) -> Result<(&'n Gateway, &'n Token), Failure> {
    let gateway = gateway(node)?;
    match gateway.admit(shown, scope, act).await {
        Ok(token) => Ok((gateway, token)),
        Err(denied) => {
            let (status, code) = match denied {
                Denied::Unknown => (StatusCode::UNAUTHORIZED, "E-AUTH-TOKEN"),
                Denied::Expired => (StatusCode::UNAUTHORIZED, "E-AUTH-EXPIRED"),
                Denied::Scope => (StatusCode::FORBIDDEN, "E-AUTH-SCOPE"),
                Denied::Origin => (StatusCode::FORBIDDEN, "E-AUTH-ORIGIN"),
                Denied::Unaudited => (StatusCode::SERVICE_UNAVAILABLE, "E-NODE-DISK"),
            };
            Err(Failure::new(status, code, denied.to_string()))
        }
    }
}

/// The same again, on another thread, after it was let in and written down.
pub(super) fn find<'n>(
    node: &'n Shared,
    headers: &HeaderMap,
) -> Result<(&'n Gateway, &'n Token), Failure> {
    let gateway = gateway(node)?;
    let token = gateway.account(shown(headers));
    token.map(|token| (gateway, token)).ok_or_else(|| Failure::fault(&"the token is gone"))
}

pub(super) fn documents(gateway: &Gateway) -> Result<&Documents, Failure> {
    gateway.documents.as_ref().ok_or_else(|| {
        let detail =
            "this node keeps no documents: its operator has configured no `documents` in [gateway]";
        Failure::new(StatusCode::NOT_IMPLEMENTED, "E-EPCIS-DOCUMENTS", detail)
    })
}

/// Keeps a document and its events, where documents are kept, and writes down that they are signed: both before they are.
pub(super) fn keep(
    (gateway, token): (&Gateway, &Token),
    act: &str,
    document: &[u8],
    events: &[Event<'_>],
    count: usize,
) -> Result<(), Failure> {
    let disk = |what: &str, error: &dyn core::fmt::Display| {
        let detail = format!("{what}, so nothing is recorded: {error}");
        Failure::new(StatusCode::SERVICE_UNAVAILABLE, "E-NODE-DISK", detail)
    };
    if let Some(documents) = &gateway.documents {
        documents.keep(document, events).map_err(|why| match why {
            Unkept::Disk(error) => disk("the document cannot be kept", &error),
            Unkept::Crowded { .. } => {
                Failure::new(StatusCode::CONFLICT, "E-EPCIS-ID", why.to_string())
            }
        })?;
    }
    let key = gateway.signer(token).public();
    let outcome = format!("{count} operations signed with {key}");
    let written = gateway.used(token, act, &outcome);
    written.map_err(|error| disk("the use cannot be written down", &error))
}

/// Signs in as few transactions as they fit.
pub(super) fn sign(
    node: &Shared,
    (gateway, token): (&Gateway, &Token),
    operations: Vec<Operation>,
) -> Result<Vec<Verified>, Failure> {
    let rules = node.rules();
    let (chain, limits) = (*rules.chain(), rules.limits());
    let deadline = rules.next().plus(limits.validity_heights_max.into());
    let sign = |group| gateway.signer(token).sign(chain, deadline, group);
    let signed: Result<Vec<_>, _> = grouped(operations).into_iter().map(sign).collect();
    let signed = signed.map_err(|error| Failure::fault(&error))?;
    Transaction::verify_all(signed, &chain).map_err(|error| Failure::from(Rejection::from(error)))
}

/// Operations, as they fit into transactions.
pub(super) fn grouped(operations: Vec<Operation>) -> Vec<Vec<Operation>> {
    let mut groups: Vec<(usize, Vec<Operation>)> = Vec::new();
    for operation in operations {
        let bytes = codec::length(&operation);
        match groups.last_mut() {
            Some((all, group))
                if *all + bytes <= TRANSACTION_BYTES_MAX - HEADER_BYTES
                    && group.len() < OPERATIONS_MAX =>
            {
                *all += bytes;
                group.push(operation);
            }
            Some(_) | None => groups.push((bytes, vec![operation])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// What must be recorded all or not at all, and so in one transaction.
pub(super) fn together(operations: &[Operation]) -> Result<(), Failure> {
    let transactions = grouped(operations.to_vec()).len();
    if transactions <= 1 {
        return Ok(());
    }
    let detail = format!(
        "{} records, which take {transactions} transactions; what is recorded all or not at all has to fit into one, of \
         {OPERATIONS_MAX} operations and {TRANSACTION_BYTES_MAX} bytes: split the document",
        operations.len()
    );
    Err(Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "E-GATEWAY-SIZE", detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(said: &[(&'static str, &'static str)], foreign: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("node.example:8443"));
        for &(name, value) in said {
            headers.insert(name, HeaderValue::from_static(value));
        }
        assert_eq!(is_by_foreign_page(&headers), foreign, "{said:?}");
    }

    #[test]
    fn a_page_of_another_site_is_told_from_a_program_and_from_our_own_pages() {
        let own = ("origin", "https://node.example:8443");
        check(&[], false);
        check(&[("sec-fetch-site", "none")], false);
        check(&[("sec-fetch-site", "same-origin"), own], false);
        // Of a browser that says no more than that.
        check(&[own], false);
        check(&[("sec-fetch-site", "cross-site")], true);
        check(&[("sec-fetch-site", "same-site"), own], true);
        check(&[("sec-fetch-site", "")], true);
        for origin in [
            "https://evil.example",
            "https://node.example",
            "https://node.example:8443.evil.example",
            "http://node.example:8443",
            "null",
            "",
        ] {
            check(&[("origin", origin)], true);
            check(&[("sec-fetch-site", "same-origin"), ("origin", origin)], true);
        }
    }
}
