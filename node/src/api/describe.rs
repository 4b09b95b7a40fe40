//! The API's description, made of what stands beside each handler, with what holds for all of them added once.

use super::{described, problem::PROBLEM};
use client::api::Problem;
use utoipa::{
    PartialSchema as _, ToSchema as _,
    openapi::{
        ContentBuilder, Info, OpenApi, OpenApiBuilder, Ref, RefOr, ResponseBuilder,
        path::{Operation, PathItem},
        schema::Components,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

const WORDS: &str = "A node of a Minlian ledger. Errors are problem+json (RFC 9457) with a `code` that never changes. Every \
    answer names its request in `x-request-id`; a name sent in that header is kept. 429 and 503 say in `Retry-After` when \
    to come back. What is submitted is named by its content: submitting it again is always safe.";

/// What any request may be answered with, whatever it asks: the status, why, and whether every operation has it.
const ALWAYS: &[(&str, &str)] = &[
    ("408", "Not done within 30 seconds; ask again."),
    ("503", "Not now: the node is full, has no block yet, or begins or stops; come back."),
];

/// What operations call it that are for systems with a token.
const TOKEN: &str = "token";

/// The description that the handlers fill in.
pub(super) fn head() -> OpenApi {
    let info = Info::builder().title("Minlian").version("1").description(Some(WORDS)).build();
    let schemas = [(Problem::name().into_owned(), Problem::schema())];
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "What `minlian-node key token` printed; a client certificate over TLS does as well, unless a page of another site has a \
             browser show it where something is recorded (403, `E-AUTH-ORIGIN`).",
        ))
        .build();
    let components = Components::builder()
        .schemas_from_iter(schemas)
        .security_scheme(TOKEN, SecurityScheme::Http(token))
        .build();
    OpenApiBuilder::new().info(info).components(Some(components)).build()
}

/// The `OpenAPI` 3.1 document of this node's API.
#[must_use]
pub fn describe() -> OpenApi {
    let mut document = described().into_openapi();
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            complete(operation);
        }
    }
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete].into_iter().flatten()
}

/// Adds the answers that are not the handler's own, and gives every refusal its form.
fn complete(operation: &mut Operation) {
    let asks = operation.parameters.as_ref().is_some_and(|all| !all.is_empty())
        || operation.request_body.is_some();
    let refused = asks.then_some(("400", "What was asked is not a question of this API."));
    let all = &mut operation.responses.responses;
    for (status, why) in refused.iter().chain(ALWAYS) {
        let answer = ResponseBuilder::new().description(*why).build();
        all.entry((*status).to_owned()).or_insert(RefOr::T(answer));
    }
    for (status, answer) in all {
        if let RefOr::T(answer) = answer
            && status.starts_with(['4', '5'])
            && answer.content.is_empty()
        {
            let problem =
                ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name()))).build();
            answer.content.insert(PROBLEM.to_owned(), RefOr::T(problem));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_is_the_committed_one() {
        let committed = include_str!("../../openapi.json");
        let now = describe().to_pretty_json().unwrap();
        assert!(
            committed.trim_end() == now,
            "the API is not what node/openapi.json says. If that is meant: minlian-node openapi > node/openapi.json"
        );
    }

    #[test]
    fn every_refusal_has_a_form_and_every_operation_a_name_and_words() {
        let mut names = std::collections::BTreeSet::new();
        let mut document = describe();
        assert_eq!(serde_json::to_value(&document.openapi).unwrap(), "3.1.0");
        for (path, item) in &mut document.paths.paths {
            for operation in operations(item) {
                let name = operation.operation_id.clone().unwrap_or_default();
                assert!(names.insert((name, path.clone())), "{path}");
                assert!(
                    operation.summary.as_ref().is_some_and(|words| !words.is_empty()),
                    "{path}"
                );
                for (status, answer) in &operation.responses.responses {
                    let RefOr::T(answer) = answer else { continue };
                    assert!(!answer.description.is_empty(), "{path} {status}");
                    assert!(
                        !status.starts_with('4') || answer.content.contains_key(PROBLEM),
                        "{path} {status}"
                    );
                }
            }
        }
        assert!(names.len() > 20);
    }

    #[test]
    fn what_needs_a_token_says_so_and_nothing_else_does() {
        let mut document = describe();
        let components = document.components.as_ref().unwrap();
        assert!(components.security_schemes.contains_key(TOKEN));
        for (path, item) in &mut document.paths.paths {
            for operation in operations(item) {
                let refuses = operation.responses.responses.contains_key("401");
                assert_eq!(operation.security.is_some(), refuses, "{path}");
            }
        }
    }
}
