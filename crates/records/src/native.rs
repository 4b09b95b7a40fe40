//! Native operations: one object per act, named by its `op`, in the words of the national directories.

use crate::{
    fault::{Faults, Problem, quote},
    govern, item, licence, list,
    read::Members,
    seed,
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
    let actor = members.agency("actor", faults);
    let reading = match op.split_once('.') {
        Some(("licence", name)) if licence::knows(name) => licence::read(name, members, faults),
        Some(("item", name)) if item::knows(name) => item::read(name, members, faults),
        Some(("list", name)) if list::knows(name) => list::read(name, members, faults),
        Some(("govern", name)) if govern::knows(name) => govern::read(name, members, faults),
        Some(("seed", name)) if seed::knows(name) => seed::read(members, faults),
        Some(_) | None => {
            members.fault("op", unknown(op), faults);
            None
        }
    };
    reading.map(|reading| (reading, actor))
}

fn unknown(op: &str) -> Problem {
    let (why, zh) = match op {
        "licence.expire" => (
            "a licence expires by the date it carries; expiry is not recorded",
            "证照到期由有效期决定,无需上链记录",
        ),
        "grant" | "use" => (
            "grants and uses of a licence are not recorded by this version",
            "本版本尚不支持亮证授权与用证记录",
        ),
        _other => {
            return Problem::new(
                "E-REC-040",
                format!(
                    "{:?} is not an operation; licence.{{issue, renew, change, transfer_in, suspend, resume, annul, cancel, \
                     revoke, transfer_out}}, item.{{publish, amend, suspend, resume, cancel, merge, split, delegate}}, \
                     list.{{publish, amend, cancel}}, seed.label and govern.{{propose, approve, withdraw, \
                     delegate, undelegate, rotate}} are",
                    quote(op)
                ),
                format!("没有名为“{}”的操作", quote(op)),
            );
        }
    };
    Problem::new("E-REC-041", format!("{op} is not supported: {why}"), format!("不支持 {op}:{zh}"))
}
