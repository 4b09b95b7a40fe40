//! Where a licence stood at a time, as a proof shows it: from the complete history, each record of it whole.

use crate::{
    receipt::{Claim, Proof, RecordsClaim},
    verify::Proven,
};
use std::collections::BTreeMap;
use types::{
    Operation, Subject, Timestamp,
    operation::LicenceId,
    standing::{Standing, status_at},
    subject::Kind,
};

/// Why a proof does not say where a licence stood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoodError {
    /// It is not about a licence.
    #[error("the file shows no licence's state")]
    Nothing,
    /// The history is not there, or some of its records are not.
    #[error(
        "the file shows {shown} of the {records} records of {subject}; all are needed: fetch it with `minlian status --at`"
    )]
    Incomplete {
        /// The licence.
        subject: Subject,
        /// Its records that the file shows.
        shown: u64,
        /// How many it has.
        records: u64,
    },
    /// It is asked of a time after the block.
    #[error("the file is as of {until} and cannot say what holds at {at}")]
    Later {
        /// The time asked for.
        at: Timestamp,
        /// The block's time.
        until: Timestamp,
    },
}

impl StoodError {
    /// The code, for ever.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Nothing => "V-AT-NOTHING",
            Self::Incomplete { .. } => "V-AT-INCOMPLETE",
            Self::Later { .. } => "V-AT-LATER",
        }
    }
}

/// Where the licences stood whose state a proof shows. One that is proven to be absent was never issued.
///
/// # Errors
/// Why it does not say.
pub fn stood_at(
    proof: &Proven<Proof>,
    at: Timestamp,
) -> Result<Vec<(Subject, Standing)>, StoodError> {
    let proof = proof.get();
    let until = proof.header.time;
    if at > until {
        return Err(StoodError::Later { at, until });
    }
    let whole = whole(proof);
    let mut found = Vec::new();
    for claim in &proof.claims {
        let Claim::Status(claim) = claim else { continue };
        if claim.subject.kind != Kind::Licence {
            continue;
        }
        let Ok(licence) = LicenceId::new(claim.subject.id.as_str()) else { continue };
        let Some(state) = &claim.state else {
            found.push((claim.subject.clone(), Standing::Absent));
            continue;
        };
        let links = claim.history.as_deref().unwrap_or_default();
        let there: Vec<&Operation> =
            links.iter().filter_map(|link| whole.get(&link.position).copied()).collect();
        let shown = u64::try_from(there.len()).unwrap_or(u64::MAX);
        if shown != state.records {
            let (subject, records) = (claim.subject.clone(), state.records);
            return Err(StoodError::Incomplete { subject, shown, records });
        }
        found.push((claim.subject.clone(), status_at(&licence, there, at)));
    }
    if found.is_empty() { Err(StoodError::Nothing) } else { Ok(found) }
}

/// The operations that the file shows whole, by their place in the log. A proof that holds shows one at each place.
fn whole(proof: &Proof) -> BTreeMap<u64, &Operation> {
    let mut all = BTreeMap::new();
    for claim in &proof.claims {
        match claim {
            Claim::Record(claim) => {
                all.insert(claim.entry.position, &claim.operation);
            }
            Claim::Records(claim) => batch(claim, &mut all),
            Claim::Upstream(claim) => batch(&claim.records, &mut all),
            Claim::Status(_)
            | Claim::Consistency(_)
            | Claim::Fork(_)
            | Claim::Votes(_)
            | Claim::Authority(_)
            | Claim::Block => {}
        }
    }
    all
}

fn batch<'p>(claim: &'p RecordsClaim, all: &mut BTreeMap<u64, &'p Operation>) {
    all.extend(claim.records.iter().map(|record| (record.position, &record.operation)));
}
