//! The shapes a document may have, and where the records are in it.

use crate::{
    fault::{Faults, Place, Problem, quote},
    json::Value,
    read::{Members, time},
};

/// The most records in one document.
pub const RECORDS_MAX: usize = 10_000;

/// A record in a document: an event or an operation.
#[derive(Debug)]
pub(crate) struct Found<'v> {
    /// Where it is: a JSON pointer.
    pub(crate) at: String,
    pub(crate) record: &'v Value,
    /// The `@context` that gives its words their meaning.
    pub(crate) context: Option<&'v Value>,
    pub(crate) form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// An EPCIS event.
    Event,
    /// A native operation.
    Operation,
}

/// Finds the records of a document, and says what is wrong around them.
pub(crate) fn records<'v>(document: &'v Value, faults: &mut Faults) -> Vec<Found<'v>> {
    let root = Place::start("");
    let mut found = Vec::new();
    match document {
        Value::Array(items) => {
            for (index, item) in items.iter().take(RECORDS_MAX + 1).enumerate() {
                single(item, &root.index(index), &mut found, faults);
            }
        }
        Value::Object(_) => match document.get("type").and_then(Value::as_str) {
            Some("EPCISDocument") => epcis_document(document, &root, &mut found, faults),
            Some("EPCISQueryDocument") => query_document(document, &root, &mut found, faults),
            Some(_) | None if document.get("operations").is_some() => {
                operations(document, &root, &mut found, faults);
            }
            Some(_) | None => single(document, &root, &mut found, faults),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            faults.add(&root, strange());
        }
    }
    if found.len() > RECORDS_MAX {
        faults.add(
            &root,
            Problem::too_many("records in one document", "文档中记录的数量", RECORDS_MAX),
        );
        found.clear();
    }
    if found.is_empty() && faults.len() == 0 {
        let problem =
            Problem::new("E-REC-060", "there is no record in this document", "文档中没有任何记录");
        faults.add(&root, problem);
    }
    found
}

fn strange() -> Problem {
    Problem::new(
        "E-REC-010",
        "neither an EPCIS 2.0 document or event (`type`) nor an operation (`op`)",
        "既不是 EPCIS 2.0 文档或事件(type),也不是操作(op)",
    )
}

/// A record on its own.
fn single<'v>(
    value: &'v Value,
    place: &Place<'_>,
    found: &mut Vec<Found<'v>>,
    faults: &mut Faults,
) {
    if value.get("op").is_some() {
        found.push(Found {
            at: place.to_string(),
            record: value,
            context: None,
            form: Form::Operation,
        });
    } else if let Some(kind) = value.get("type") {
        if matches!(kind.as_str(), Some("EPCISDocument" | "EPCISQueryDocument")) {
            faults.add(place, Problem::not_here("EPCISDocument", "a list of events", "事件列表"));
            return;
        }
        check_context(value, place, faults);
        found.push(Found {
            at: place.to_string(),
            record: value,
            context: value.get("@context"),
            form: Form::Event,
        });
    } else {
        faults.add(place, strange());
    }
}

fn operations<'v>(
    document: &'v Value,
    root: &Place<'_>,
    found: &mut Vec<Found<'v>>,
    faults: &mut Faults,
) {
    let Some(members) = Members::of(document, root, faults) else { return };
    members.only(&["operations", "note", "_note"], faults);
    let place = members.at("operations");
    for (index, item) in members
        .list("operations", faults)
        .unwrap_or_default()
        .iter()
        .take(RECORDS_MAX + 1)
        .enumerate()
    {
        let place = place.index(index);
        if item.get("op").is_some() {
            found.push(Found {
                at: place.to_string(),
                record: item,
                context: None,
                form: Form::Operation,
            });
        } else {
            faults.add(&place, Problem::missing("op"));
        }
    }
}

fn epcis_document<'v>(
    document: &'v Value,
    root: &Place<'_>,
    found: &mut Vec<Found<'v>>,
    faults: &mut Faults,
) {
    let Some(members) = Members::of(document, root, faults) else { return };
    namespaced(
        &members,
        &[
            "@context",
            "id",
            "type",
            "schemaVersion",
            "creationDate",
            "instanceIdentifier",
            "sender",
            "receiver",
            "epcisHeader",
            "epcisBody",
        ],
        faults,
    );
    check_context(document, root, faults);
    members.require("schemaVersion", faults);
    if let Some(version) = members.text("schemaVersion", faults)
        && !(version == "2" || version.starts_with("2."))
    {
        let problem = Problem::new(
            "E-REC-020",
            format!("{:?} is not a version of EPCIS read here; 2.0 is", quote(version)),
            format!("不支持 EPCIS 版本“{}”,应为 2.0", quote(version)),
        );
        members.fault("schemaVersion", problem, faults);
    }
    if let Some(date) = members.required_text("creationDate", faults)
        && time(date).is_none()
    {
        members.fault("creationDate", Problem::time(date), faults);
    }
    members.require("epcisBody", faults);
    let place = members.at("epcisBody");
    let Some(body) = document.get("epcisBody").and_then(|body| Members::of(body, &place, faults))
    else {
        return;
    };
    namespaced(&body, &["eventList"], faults);
    events(&body, document, found, faults);
}

fn query_document<'v>(
    document: &'v Value,
    root: &Place<'_>,
    found: &mut Vec<Found<'v>>,
    faults: &mut Faults,
) {
    let Some(members) = Members::of(document, root, faults) else { return };
    namespaced(
        &members,
        &["@context", "id", "type", "schemaVersion", "creationDate", "epcisBody"],
        faults,
    );
    check_context(document, root, faults);
    members.time("creationDate", faults);
    members.require("epcisBody", faults);
    let place = members.at("epcisBody");
    let Some(body) = document.get("epcisBody").and_then(|body| Members::of(body, &place, faults))
    else {
        return;
    };
    namespaced(&body, &["queryResults"], faults);
    body.require("queryResults", faults);
    let place = body.at("queryResults");
    let Some(results) =
        body.get("queryResults").and_then(|results| Members::of(results, &place, faults))
    else {
        return;
    };
    namespaced(&results, &["queryName", "subscriptionID", "resultsBody"], faults);
    results.require("resultsBody", faults);
    let place = results.at("resultsBody");
    let Some(body) = results.get("resultsBody").and_then(|body| Members::of(body, &place, faults))
    else {
        return;
    };
    namespaced(&body, &["eventList", "vocabularyList"], faults);
    events(&body, document, found, faults);
}

fn events<'v>(
    body: &Members<'v, '_>,
    document: &'v Value,
    found: &mut Vec<Found<'v>>,
    faults: &mut Faults,
) {
    body.require("eventList", faults);
    let place = body.at("eventList");
    for (index, record) in
        body.list("eventList", faults).unwrap_or_default().iter().take(RECORDS_MAX + 1).enumerate()
    {
        let at = place.index(index).to_string();
        found.push(Found { at, record, context: document.get("@context"), form: Form::Event });
    }
}

/// Members that are not known belong to somebody: their names have a prefix.
pub(crate) fn namespaced(members: &Members<'_, '_>, known: &[&str], faults: &mut Faults) {
    for name in
        members.map().keys().filter(|name| !known.contains(&name.as_str()) && !has_namespace(name))
    {
        members.fault(name, not_namespaced(name), faults);
    }
}

/// Whether a name is `prefix:name` or a whole URI.
pub(crate) fn has_namespace(name: &str) -> bool {
    name.split_once(':').is_some_and(|(prefix, rest)| !prefix.is_empty() && !rest.is_empty())
}

pub(crate) fn not_namespaced(name: &str) -> Problem {
    Problem::new(
        "E-REC-026",
        format!(
            "`{}` is not a member EPCIS 2.0 knows here, and has no namespace prefix",
            quote(name)
        ),
        format!("“{}”不是 EPCIS 2.0 在此处定义的成员,且没有命名空间前缀", quote(name)),
    )
}

/// The most bytes of a `@context`, which is hashed with every event.
pub const CONTEXT_BYTES_MAX: usize = 16 << 10;

/// A context has to be there, and to be the one of EPCIS; otherwise the words of the events mean nothing.
fn check_context(owner: &Value, place: &Place<'_>, faults: &mut Faults) {
    let Some(context) = owner.get("@context") else {
        faults.add(place, Problem::missing("@context"));
        return;
    };
    let at = place.member("@context");
    let entries = context.one_or_many();
    if entries.iter().any(|entry| entry.as_str().is_none() && entry.as_object().is_none()) {
        faults.add(
            &at,
            Problem::kind("a URI, an object, or a list of them", "URI、对象或二者的数组"),
        );
    }
    let standard = |entry: &Value| {
        entry.as_str().is_some_and(|uri| {
            uri.starts_with("https://ref.gs1.org/standards/epcis/")
                || uri.starts_with("https://gs1.github.io/EPCIS/")
        })
    };
    if !entries.iter().any(standard) {
        let problem = Problem::new(
            "E-REC-020",
            "the context of EPCIS, https://ref.gs1.org/standards/epcis/epcis-context.jsonld, is not named",
            "未引用 EPCIS 上下文 https://ref.gs1.org/standards/epcis/epcis-context.jsonld",
        );
        faults.add(&at, problem);
    }
}
