//! The page on which a browser checks proofs: one document with the verifier in it, under a policy that lets it reach nothing.

use super::Shared;
use axum::{
    Router,
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use sha2::{Digest as _, Sha256};
use std::sync::{Arc, LazyLock};
use types::checkpoint::base64;

/// The verifier, as `build.rs` has compiled it; nothing where its target is not installed.
const VERIFIER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/page.wasm"));
const TEMPLATE: &str = include_str!("../pages/verify.html");
const SCRIPT: &str = include_str!("../pages/verify.js");
const STYLE: &str = concat!(include_str!("../pages/page.css"), include_str!("../pages/verify.css"));

static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = |text: &str| base64(&Sha256::digest(text));
    let (script, style) = (hash(SCRIPT), hash(STYLE));
    format!(
        "default-src 'none'; script-src 'sha256-{script}' 'wasm-unsafe-eval'; style-src 'sha256-{style}'; \
         img-src data:; base-uri 'none'; form-action 'none'"
    )
});

static PAGE: LazyLock<String> = LazyLock::new(|| {
    TEMPLATE
        .replace("{{POLICY}}", &POLICY)
        .replace("{{STYLE}}", STYLE)
        .replace("{{SCRIPT}}", SCRIPT)
        // Last, and without braces of its own.
        .replace("{{VERIFIER}}", &base64(VERIFIER))
});

/// The route of the page.
pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new().route("/verify", get(async || answer()))
}

/// The page, as it is served and as it may be saved.
#[must_use]
pub fn page() -> &'static str {
    &PAGE
}

fn answer() -> Response {
    let mut response = page().into_response();
    let headers = response.headers_mut();
    // What a document cannot say of itself: that no other may show it in a frame.
    let policy = HeaderValue::try_from(format!("{}; frame-ancestors 'none'", *POLICY));
    headers.insert(header::CONTENT_SECURITY_POLICY, policy.expect("hashes in base64 are a header"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_whole_and_names_nothing_outside_itself() {
        assert!(!PAGE.contains("{{"), "every place is filled");
        for outside in ["http:", "https:", "src=", "@import", "url(", "fetch(", "XMLHttpRequest"] {
            assert!(!TEMPLATE.contains(outside), "{outside}");
            assert!(!SCRIPT.contains(outside) && !STYLE.contains(outside), "{outside}");
        }
        // What would end a script early, or begin another.
        assert!(!SCRIPT.contains("</") && !SCRIPT.contains("<!--") && !STYLE.contains("</"));
        assert_eq!(TEMPLATE.matches("<script").count(), 2);
    }
}
