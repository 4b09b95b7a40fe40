//! Governance, 治理: from an operation in JSON to a proposal, an approval or an act of an agency's own authority.

use crate::{
    canonical::canonical,
    fault::{Faults, Problem, quote},
    native::Reading,
    read::Members,
};
use types::{authority::Governance, operation::Action};

/// The acts, each with the members it has besides those that every operation may have.
const VERBS: [(&str, &[&str]); 6] = [
    ("propose", &["change"]),
    ("approve", &["proposal", "target"]),
    ("withdraw", &["proposal", "target"]),
    ("delegate", &["to", "role", "until"]),
    ("undelegate", &["from", "number"]),
    ("rotate", &["retire", "enrol"]),
];

/// Whether there is such an act.
pub(crate) fn knows(name: &str) -> bool {
    VERBS.iter().any(|(verb, _)| *verb == name)
}

/// Reads an operation whose `op` is `govern.` and `name`.
pub(crate) fn read(name: &str, members: &Members<'_, '_>, faults: &mut Faults) -> Option<Reading> {
    const ALWAYS: [&str; 7] = ["op", "at", "actor", "effective", "reason", "note", "_note"];
    let (_, own) = VERBS.iter().find(|(verb, _)| *verb == name)?;
    members.only(&[&ALWAYS[..], own].concat(), faults);
    for required in own.iter().filter(|member| **member != "until") {
        members.require(required, faults);
    }
    members.require("at", faults);
    let at = members.time("at", faults);
    let effective = if members.has("effective") { members.time("effective", faults) } else { at };
    // What is inside has one meaning, that of the types themselves; they say what is wrong, and where.
    let inside: Vec<_> =
        own.iter().filter_map(|member| Some((*member, canonical(members.get(member)?)))).collect();
    let text = match inside.as_slice() {
        [("change", change)] => format!("{{\"propose\":{change}}}"),
        several => {
            let rows: Vec<_> =
                several.iter().map(|(member, value)| format!("\"{member}\":{value}")).collect();
            format!("{{\"{name}\":{{{}}}}}", rows.join(","))
        }
    };
    let mut json = serde_json::Deserializer::from_str(&text);
    match serde_path_to_error::deserialize::<_, Governance>(&mut json) {
        Ok(act) => Some(Reading { action: Action::Govern(act), effective_from: effective? }),
        Err(error) => {
            let path = quote(&error.path().to_string());
            let why = error.inner().to_string();
            // The line and column are those of a text nobody wrote.
            let why = why.split(" at line ").next().unwrap_or_default();
            members.fault(
                own.first().copied().unwrap_or("op"),
                Problem::new(
                    "E-REC-061",
                    format!("at {path}: {}", quote(why)),
                    format!("在 {path} 处:{}", quote(why)),
                ),
                faults,
            );
            None
        }
    }
}
