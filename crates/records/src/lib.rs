//! From a document to a commitment: EPCIS 2.0 events, e-licences, service items.
//!
//! [`prepare`] reads a document as a system in use produces it, says everything that is wrong with it ([`Fault`]), and gives
//! the operations an agency may sign ([`Prepared`]). [`matches()`], and [`Marks`] for many, says later whether a document is
//! the one behind an operation. The document itself stays with the agency; only digests, identifiers and times leave it.
//!
//! Two digests are made of every record. `commitment.document` is of the exact bytes submitted. `commitment.content` is of
//! the canonical form (RFC 8785) of `{"context": …, "record": …}`: the record, and the `@context` that gives its words
//! their meaning, `null` where there is none. So a record can be shown without the rest of its file, and the same text
//! under another context is another content.
//!
//! On-ledger identifiers of lots are the strings as written, except that a compact form (`prefix:rest`) whose prefix the
//! document's own `@context` declares is written out; contexts named by URI are never fetched and declare nothing here.
//!
//! This crate never learns that there is a chain, and never reads a clock, a file or a random number.

mod canonical;
pub mod cbv;
mod comments;
mod context;
mod digital_link;
mod document;
mod elements;
mod epcis;
mod fault;
mod fields;
mod gdst;
mod govern;
pub mod identifiers;
mod item;
mod json;
mod licence;
mod list;
mod native;
mod privacy;
mod read;
mod reform;
mod seed;
mod usage;
mod vocabulary;

pub use comments::{has_comments, strip};
pub use document::{CONTEXT_BYTES_MAX, RECORDS_MAX};
pub use fault::{FAULTS_MAX, Fault};
pub use fields::{SaltedFields, salted_fields};
pub use json::{DEPTH_MAX, MEMBERS_MAX, VALUES_MAX};
pub use privacy::{SALT_DIGITS_MAX, SALT_DIGITS_MIN, hidden_licence, is_hidden};

use crate::{
    canonical::canonical,
    cbv::Room,
    context::Prefixes,
    document::{Form, Found},
    fault::{Faults, Place, Problem},
    json::Value,
    read::Members,
};
use core::cell::OnceCell;
use std::collections::BTreeSet;
use types::{
    AgencyCode, Digest, Operation, Text, Timestamp, codec,
    operation::{Action, Commitment, Grade, Provenance},
    usage::Usage,
};

/// The largest document, bytes.
pub const DOCUMENT_BYTES_MAX: usize = 8 << 20;

/// How a document was captured: what the operations say of their origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    /// The system that captured it.
    pub system: Text<64>,
    /// Its version.
    pub version: Text<32>,
    /// When.
    pub captured_at: Timestamp,
    /// How sensitive its records are.
    pub grade: Grade,
}

/// An operation ready to be signed, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// The operation.
    pub operation: Operation,
    /// Where its record is in the document: a JSON pointer, empty for the whole document.
    pub at: String,
    /// One line for people, such as `licence.issue 1.2.156.3005.2…`.
    pub label: String,
    /// The acting agency, if the document names one.
    pub actor: Option<AgencyCode>,
    /// Of an event, what to know of its CBV hash before relying on it.
    pub ambiguous: Vec<cbv::Ambiguity>,
}

impl Prepared {
    /// The same, captured when it took effect, as its document says. A copy of the document, or one with other records in it,
    /// then makes the same record.
    #[must_use]
    pub fn captured_with_its_effect(mut self) -> Self {
        self.operation.provenance.captured_at = self.operation.effective_from;
        self
    }
}

/// Reads a document and prepares an operation for each of its records.
///
/// Accepted are EPCIS 2.0 documents and query documents, one event or a list of events with their own `@context`, and native
/// operations: one object with an `op`, a list of them, or `{"operations": […]}`.
///
/// # Errors
/// Everything that is wrong with the document, up to [`FAULTS_MAX`] faults; nothing is prepared from a document with a fault.
pub fn prepare(document: &[u8], capture: &Capture) -> Result<Vec<Prepared>, Vec<Fault>> {
    prepare_within(&Room::of_document(), document, capture)
}

/// The same of one document of several that share the room of one: the parts of a document that was sent.
///
/// # Errors
/// Those of [`prepare`]. Once the room is spent, that is the fault of the whole.
pub fn prepare_within(
    room: &Room,
    document: &[u8],
    capture: &Capture,
) -> Result<Vec<Prepared>, Vec<Fault>> {
    if room.is_spent() {
        return Err(vec![cbv::too_much().at(String::new())]);
    }
    if document.len() > DOCUMENT_BYTES_MAX {
        return Err(vec![too_large(document.len()).at(String::new())]);
    }
    let value = json::parse(document).map_err(|fault| vec![fault])?;
    let mut faults = Faults::default();
    comments::refuse(&value, &Place::start(""), &mut faults);
    let found = document::records(&value, &mut faults);
    let document = Digest::blake3(document);
    let mut contexts = Contexts::default();
    let mut prepared = Vec::with_capacity(found.len());
    for found in found {
        if faults.is_full() || room.is_spent() {
            break;
        }
        let Some(context) = contexts.read(&found, &mut faults) else { continue };
        let content = content(&context.text, found.record);
        let commitment = Commitment { document, content, fields: None };
        let prefixes = &context.prefixes;
        prepared.extend(record(&found, prefixes, commitment, capture, room, &mut faults));
    }
    faults.or(prepared)
}

fn too_large(bytes: usize) -> Problem {
    Problem::new(
        "E-REC-005",
        format!("{bytes} bytes; a document has at most {DOCUMENT_BYTES_MAX}: split it"),
        format!("文档为 {bytes} 字节,上限为 {DOCUMENT_BYTES_MAX} 字节,请拆分"),
    )
}

fn record(
    found: &Found<'_>,
    prefixes: &Prefixes<'_>,
    mut commitment: Commitment,
    capture: &Capture,
    room: &Room,
    faults: &mut Faults,
) -> Option<Prepared> {
    let place = Place::start(&found.at);
    let members = Members::of(found.record, &place, faults)?;
    let (action, effective_from, actor) = match found.form {
        Form::Event => {
            let event = epcis::read(&members, prefixes, room, faults)?;
            let time = event.time;
            (Action::Trace(event), time, None)
        }
        Form::Operation => {
            let (reading, actor) = native::read(&members, faults)?;
            commitment.fields = if matches!(&reading.action, Action::Licence(_)) {
                fields::commitment(&members, faults)
            } else {
                elements::fields(&reading.action)
            };
            (reading.action, reading.effective_from, actor)
        }
    };
    let provenance = Provenance {
        system: capture.system.clone(),
        version: capture.version.clone(),
        captured_at: capture.captured_at,
    };
    let label = label(found, &action);
    let operation =
        Operation { action, commitment, effective_from, grade: capture.grade, provenance };
    let bytes = codec::length(&operation);
    if bytes > types::operation::OPERATION_BYTES_MAX {
        faults.add(
            &place,
            Problem::too_many(
                "bytes in one operation: name fewer lots",
                "操作的字节数",
                types::operation::OPERATION_BYTES_MAX,
            ),
        );
        return None;
    }
    let ambiguous = match found.form {
        Form::Event => epcis::ambiguity::of(members.map(), prefixes).into_iter().collect(),
        Form::Operation => Vec::new(),
    };
    Some(Prepared { operation, at: found.at.clone(), label, actor, ambiguous })
}

/// One line for people. It names only what the ledger names.
fn label(found: &Found<'_>, action: &Action) -> String {
    let op = found.record.get("op").and_then(Value::as_str).unwrap_or_default();
    match action {
        Action::Item(act) => format!("{op} {}", act.code),
        Action::Licence(act) => format!("{op} {}", act.licence),
        Action::Govern(_) => op.to_owned(),
        Action::List(act) => format!("{op} {}", act.name),
        Action::Batch(act) => format!("{op} {}", act.series),
        Action::Seed(act) => format!("{op} {}", act.unit),
        Action::Use(act) => match act {
            Usage::Grant(terms) => format!("{op} {}", terms.licence),
            Usage::Use(used) => format!("{op} {}", used.licence),
            Usage::Withdraw { licence, .. } => format!("{op} {licence}"),
            Usage::Access(used) | Usage::Destroy(used) | Usage::Transfer { data: used, .. } => {
                format!("{op} {}", used.data)
            }
            Usage::Register { document, .. } | Usage::Retire { document } => {
                format!("{op} {document}")
            }
            Usage::Reuse(reuse) => format!("{op} {}", reuse.document),
        },
        Action::Trace(event) => {
            let step = event.step.as_deref().map(|step| format!(" {step}")).unwrap_or_default();
            let lots = match event.lots.as_slice() {
                [] => String::new(),
                [(lot, _)] => format!(" {lot}"),
                [(lot, _), rest @ ..] => format!(" {lot} +{}", rest.len()),
            };
            format!("{}{step}{lots}", epcis::type_name(event.event))
        }
    }
}

/// The context last seen: all events of a document share one.
#[derive(Default)]
struct Contexts<'v>(Option<Context<'v>>);

impl<'v> Contexts<'v> {
    /// The context that a record stands under, unless it is too long.
    fn read(&mut self, found: &Found<'v>, faults: &mut Faults) -> Option<&Context<'v>> {
        let same = self.0.as_ref().is_some_and(|last| last.is(found.context));
        if !same {
            let context = Context::of(found.context);
            if context.is_long() {
                faults.add(&owner(found).member("@context"), long_context());
            }
            self.0 = Some(context);
        }
        self.0.as_ref().filter(|context| !context.is_long())
    }
}

/// A context, or that there is none, and what is made of it for every record under it.
struct Context<'v> {
    value: Option<&'v Value>,
    /// Its canonical text.
    text: String,
    prefixes: Prefixes<'v>,
}

impl<'v> Context<'v> {
    fn of(value: Option<&'v Value>) -> Self {
        let text = value.map_or_else(|| "null".to_owned(), canonical);
        Self { value, text, prefixes: Prefixes::of(value) }
    }

    /// Whether it is this one, and not one that says the same.
    fn is(&self, value: Option<&Value>) -> bool {
        match (self.value, value) {
            (Some(one), Some(other)) => core::ptr::eq(one, other),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }

    fn is_long(&self) -> bool {
        self.text.len() > CONTEXT_BYTES_MAX
    }
}

/// Who brought the context that a record stands under: the record, or the document for all of its records.
fn owner<'f>(found: &'f Found<'_>) -> Place<'f> {
    let own = found.record.get("@context").zip(found.context);
    let alone = own.is_some_and(|(own, context)| core::ptr::eq(own, context));
    Place::start(if alone { found.at.as_str() } else { "" })
}

fn long_context() -> Problem {
    Problem::too_many("bytes of `@context`", "“@context”的字节数", CONTEXT_BYTES_MAX)
}

/// The digest of a record under a context.
fn content(context: &str, record: &Value) -> Digest {
    Digest::blake3(format!(r#"{{"context":{context},"record":{}}}"#, canonical(record)).as_bytes())
}

/// Whether a document stands behind an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// It is the document that was submitted, byte for byte.
    Exact,
    /// It is another file with the same record in it, under the same context.
    Content,
    /// It is neither.
    No,
}

/// What a document can be recognised by. It is hashed once and read once at most, however many operations it is held against:
/// a proof may show thousands.
#[derive(Debug)]
pub struct Marks<'d> {
    document: &'d [u8],
    file: Digest,
    /// The contents of its records, when somebody asked for them.
    contents: OnceCell<BTreeSet<Digest>>,
}

impl<'d> Marks<'d> {
    /// Those of a document, which is not checked against any other rule.
    #[must_use]
    pub fn of(document: &'d [u8]) -> Self {
        Self { document, file: Digest::blake3(document), contents: OnceCell::new() }
    }

    /// Whether the document stands behind an operation's commitment.
    #[must_use]
    pub fn matches(&self, operation: &Operation) -> Match {
        let Commitment { document, content, .. } = &operation.commitment;
        // What is larger was never recorded.
        if self.document.len() > DOCUMENT_BYTES_MAX {
            Match::No
        } else if self.file == *document {
            Match::Exact
        } else if self.contents.get_or_init(|| contents(self.document)).contains(content) {
            Match::Content
        } else {
            Match::No
        }
    }
}

/// The contents of a document's records.
fn contents(document: &[u8]) -> BTreeSet<Digest> {
    let Ok(value) = json::parse(document) else { return BTreeSet::new() };
    let mut contexts = Contexts::default();
    let found = document::records(&value, &mut Faults::default());
    found
        .into_iter()
        .filter_map(|found| {
            let context = contexts.read(&found, &mut Faults::default())?;
            Some(content(&context.text, found.record))
        })
        .collect()
}

/// Whether a document stands behind an operation's commitment; [`Marks`] for several.
#[must_use]
pub fn matches(operation: &Operation, document: &[u8]) -> Match {
    Marks::of(document).matches(operation)
}
