//! The pages a browser is given: the explorer, and the documentation of this API, from the node itself and nowhere else.

use super::{Shared, describe};
use axum::{
    Router,
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use std::sync::{Arc, LazyLock};

/// What a page may do: what this node gave it, and nothing from elsewhere.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

static DESCRIPTION: LazyLock<String> = LazyLock::new(|| {
    describe().to_pretty_json().expect("the description is made of what JSON can say")
});

/// The files, and where they are served.
#[rustfmt::skip]
const FILES: &[(&str, &str, &str)] = &[
    ("/", "text/html; charset=utf-8", include_str!("../pages/explorer.html")),
    ("/assets/explorer.js", "text/javascript; charset=utf-8", include_str!("../pages/explorer.js")),
    ("/docs", "text/html; charset=utf-8", include_str!("../pages/docs.html")),
    ("/assets/docs.js", "text/javascript; charset=utf-8", include_str!("../pages/docs.js")),
    ("/assets/page.css", "text/css; charset=utf-8", include_str!("../pages/page.css")),
];

/// The routes of the pages.
pub(super) fn routes() -> Router<Arc<Shared>> {
    let describe = get(|| async { page("application/json", DESCRIPTION.as_str()) });
    let router = Router::new().route("/v1/openapi.json", describe);
    FILES.iter().fold(router, |router, (path, kind, text)| {
        router.route(path, get(async move || page(kind, text)))
    })
}

fn page(kind: &'static str, text: &'static str) -> Response {
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
