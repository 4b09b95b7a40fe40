//! Namespace prefixes: what a document's own `@context` declares. Nothing is fetched from anywhere.

use crate::json::Value;
use std::{borrow::Cow, collections::BTreeMap};

/// The prefixes a document declares.
#[derive(Debug, Default)]
pub(crate) struct Prefixes<'v>(BTreeMap<&'v str, &'v str>);

/// Schemes that no document may turn into a prefix: an identifier would read differently from how it is written.
const SCHEMES: [&str; 6] = ["urn", "http", "https", "geo", "ni", "mailto"];

impl<'v> Prefixes<'v> {
    /// Reads a `@context`. Terms defined by objects, and contexts named by URI, declare no prefix here.
    pub(crate) fn of(context: Option<&'v Value>) -> Self {
        let entries = context.map_or(&[][..], Value::one_or_many);
        let declared = entries.iter().filter_map(Value::as_object).flatten();
        let prefixes =
            declared.filter_map(|(prefix, namespace)| Some((prefix.as_str(), namespace.as_str()?)));
        Self(
            prefixes
                .filter(|(prefix, _)| !prefix.starts_with('@') && !SCHEMES.contains(prefix))
                .collect(),
        )
    }

    /// The namespace of a prefix.
    pub(crate) fn namespace(&self, prefix: &str) -> Option<&'v str> {
        self.0.get(prefix).copied()
    }

    /// A compact form (`prefix:rest`) in full, if its prefix is declared; anything else as it is.
    pub(crate) fn expand<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.parts(text) {
            Some((namespace, rest)) => Cow::Owned(format!("{namespace}{rest}")),
            None => Cow::Borrowed(text),
        }
    }

    /// How many bytes a compact form has in full; `None` of anything else.
    pub(crate) fn expanded_bytes(&self, text: &str) -> Option<usize> {
        self.parts(text).map(|(namespace, rest)| namespace.len() + rest.len())
    }

    /// What a compact form is put together from.
    fn parts<'t>(&self, text: &'t str) -> Option<(&'v str, &'t str)> {
        let (prefix, rest) = text.split_once(':').filter(|(_, rest)| !rest.starts_with("//"))?;
        Some((self.namespace(prefix)?, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;

    #[test]
    fn only_declared_prefixes_are_expanded() {
        let context = parse(br#"["https://ref.gs1.org/x", {"ex":"https://ex.org/","urn":"https://evil.org/","@vocab":"x:"}, {"t":{"@id":"y"}}]"#).unwrap();
        let prefixes = Prefixes::of(Some(&context));
        for (text, want) in [
            ("ex:lot", "https://ex.org/lot"),
            ("ex://lot", "ex://lot"),
            ("urn:epc:id:sgtin:1", "urn:epc:id:sgtin:1"),
            ("t:lot", "t:lot"),
            ("https://ex.org/lot", "https://ex.org/lot"),
            ("lot", "lot"),
        ] {
            assert_eq!(prefixes.expand(text), want);
            let bytes = prefixes.expanded_bytes(text);
            assert_eq!(bytes, (text != want).then_some(want.len()), "{text}");
        }
    }
}
