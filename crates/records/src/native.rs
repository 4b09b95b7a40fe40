//! Native operations: one object per act, named by its `op`, in the words of the national directories.

use crate::{
    fault::{Faults, Problem, quote},
    govern, item, licence, list,
    read::Members,
    seed, usage,
};
use types::{AgencyCode, Timestamp, operation::Action};

/// What an operation says, apart from who asks for it and how it was captured.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) action: Action,
    pub(crate) effective_from: Timestamp,
}

/// Reads an operation; the agency that acts is given where the document names it.
pub(crate) fn read(
    members: &Members<'_, '_>,
    faults: &mut Faults,
) -> Option<(Reading, Option<AgencyCode>)> {
    let op = members.required_text("op", faults)?;
    let actor = members.agency("actor", faults).or_else(|| usage::actor(op, members));
    let reading = match op.split_once('.') {
        Some(("licence", name)) if licence::knows(name) => licence::read(name, members, faults),
        Some(("item", name)) if item::knows(name) => item::read(name, members, faults),
        Some(("list", name)) if list::knows(name) => list::read(name, members, faults),
        Some(("govern", name)) if govern::knows(name) => govern::read(name, members, faults),
        Some(("seed", name)) if seed::knows(name) => seed::read(members, faults),
        Some(_) | None if usage::knows(op) => usage::read(op, members, faults),
        Some(_) | None => {
            members.fault("op", unknown(op), faults);
            None
        }
    };
    reading.map(|reading| (reading, actor))
}

fn unknown(op: &str) -> Problem {
    Problem::new(
        "E-REC-040",
        format!(
            "{:?} is not an operation; licence.{{issue, renew, change, transfer_in, suspend, resume, annul, cancel, revoke, \
             transfer_out, undo_transfer_out, expire, grant, use, revoke_grant}}, data.{{access, transfer, destroy}}, \
             document.{{register, reuse, retire}}, item.{{publish, amend, suspend, resume, cancel, merge, split, delegate}}, \
             list.{{publish, amend, cancel}}, seed.label and govern.{{propose, approve, withdraw, delegate, undelegate, \
             rotate}} are",
            quote(op)
        ),
        format!("没有名为“{}”的操作", quote(op)),
    )
}
