//! Seed labels, 农作物种子标签二维码: the four lines of a label, and the unit of seed they are put on.

use crate::{
    fault::{Faults, Problem},
    identifiers::SeedLabel,
    native::Reading,
    read::{self, Members},
};
use types::{bulk::SeedAction, operation::Action};

/// Whether there is such an act.
pub(crate) fn knows(name: &str) -> bool {
    name == "label"
}

/// Reads an operation whose `op` is `seed.label`.
pub(crate) fn read(members: &Members<'_, '_>, faults: &mut Faults) -> Option<Reading> {
    members.only(
        &["op", "at", "actor", "label", "permit", "lot", "variety", "producer", "note", "_note"],
        faults,
    );
    members.require("at", faults);
    let at = members.time("at", faults);
    let permit = members.carried("permit", faults);
    let lot = members.carried("lot", faults);
    let text = members.required_text("label", faults)?;
    let label = match parse(text) {
        Ok(label) => label,
        Err(problem) => {
            members.fault("label", problem, faults);
            return None;
        }
    };
    // The names on the label equal those of the permit, where whoever submits it says what the permit has.
    for (name, found) in [("variety", label.variety), ("producer", label.producer)] {
        if let Some(approved) = members.text(name, faults)
            && approved != found
        {
            members.fault(name, Problem::disagree(name, "the label"), faults);
        }
    }
    let unit = read::carried(label.unit, &members.at("label"), faults)?;
    let act = SeedAction { permit: permit?, unit, lot: lot? };
    Some(Reading { action: Action::Seed(act), effective_from: at? })
}

/// A label's four lines, or what is wrong with them.
pub(crate) fn parse(text: &str) -> Result<SeedLabel<'_>, Problem> {
    const ZH: &str =
        "种子标签二维码应为四行:品种名称、生产经营者名称、单元识别代码(至多 20 位)、追溯网址";
    SeedLabel::parse(text).map_err(|why| Problem::new("E-REC-054", why, ZH))
}
