//! Where a licence stands at a time, from its state now or from its complete history: the one place that decides it.

use crate::{
    operation::{Action, LicenceFacts, LicenceId, LicenceVerb, Operation},
    subject::Status,
    time::Timestamp,
};

/// Where a licence stands at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// No act on it has taken effect by then.
    Absent,
    /// Issued, but valid only later.
    Pending,
    /// What its latest act made of it; or [`Status::Expired`] when its time has run out.
    Known(Status),
}

impl Standing {
    /// Of a licence that an act has left in `status`, at a time.
    #[must_use]
    pub fn of(status: Status, facts: &LicenceFacts, at: Timestamp) -> Self {
        let over = facts.valid_until.is_some_and(|until| at >= until);
        match status {
            Status::Active | Status::Suspended if over => Self::Known(Status::Expired),
            Status::Active if at < facts.valid_from => Self::Pending,
            Status::Active
            | Status::Suspended
            | Status::Annulled
            | Status::Cancelled
            | Status::TransferredOut
            | Status::Revoked
            | Status::Superseded
            | Status::Proposed
            | Status::Enacted
            | Status::Expired
            | Status::Destroyed => Self::Known(status),
        }
    }

    /// Whether it may be relied on.
    #[must_use]
    pub const fn is_valid(self) -> bool {
        matches!(self, Self::Known(Status::Active))
    }
}

/// Where a licence stood at a time: `history` is every operation of its records, in the order of the log.
///
/// An act counts from its own `effective_from`, which for an annulment may lie before the time it was recorded. Of the acts
/// that count at a time, the one recorded last decides; then the licence's own dates do.
#[must_use]
pub fn status_at<'o>(
    licence: &LicenceId,
    history: impl IntoIterator<Item = &'o Operation>,
    at: Timestamp,
) -> Standing {
    let (mut facts, mut status) = (None, None);
    for operation in history {
        let Action::Licence(act) = &operation.action else { continue };
        let made = if act.licence == *licence {
            facts = act.verb.facts().or(facts);
            Some(act.verb.leaves())
        } else {
            (act.verb.supersedes() == Some(licence)).then_some(Status::Superseded)
        };
        if operation.effective_from <= at {
            status = made.or(status);
        }
    }
    match (status, facts) {
        (Some(status), Some(facts)) => Standing::of(status, facts, at),
        (Some(_) | None, _) => Standing::Absent,
    }
}

impl LicenceVerb {
    /// What the act makes of the licence it is done to.
    #[must_use]
    pub const fn leaves(&self) -> Status {
        match self {
            Self::Issue(_)
            | Self::Renew { .. }
            | Self::Change { .. }
            | Self::TransferIn { .. }
            | Self::Resume
            | Self::UndoTransferOut => Status::Active,
            Self::Suspend => Status::Suspended,
            Self::Annul => Status::Annulled,
            Self::Cancel => Status::Cancelled,
            Self::Revoke => Status::Revoked,
            Self::TransferOut => Status::TransferredOut,
            Self::Expire => Status::Expired,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Digest,
        agency::Region,
        operation::{Commitment, Grade, LicenceAction, Provenance},
    };

    fn act(id: &str, verb: LicenceVerb, from: u64) -> Operation {
        let digest = Digest::blake3(b"");
        Operation {
            action: Action::Licence(LicenceAction { licence: id.parse().unwrap(), verb }),
            commitment: Commitment { document: digest, content: digest, fields: None },
            effective_from: Timestamp(from),
            grade: Grade::Public,
            provenance: Provenance {
                system: "t".parse().unwrap(),
                version: "1".parse().unwrap(),
                captured_at: Timestamp(0),
            },
        }
    }

    fn facts() -> LicenceFacts {
        LicenceFacts {
            kind: "T".parse().unwrap(),
            region: Region::new("350000").unwrap(),
            valid_from: Timestamp(20),
            valid_until: Some(Timestamp(100)),
        }
    }

    fn check(history: &[Operation], rows: &[(u64, Standing)]) {
        for (at, want) in rows {
            let found = status_at(&"L".parse().unwrap(), history, Timestamp(*at));
            assert_eq!(found, *want, "at {at}");
        }
    }

    #[test]
    fn a_licence_stands_where_its_acts_and_its_dates_put_it() {
        use Standing::{Absent, Known, Pending};
        use Status::{Active, Annulled, Expired, Superseded, Suspended};
        let issue = act("L", LicenceVerb::Issue(facts()), 10);
        check(&[], &[(0, Absent), (50, Absent)]);
        let rows = [(9, Absent), (10, Pending), (19, Pending), (20, Known(Active))];
        check(std::slice::from_ref(&issue), &rows);
        let ends = [(99, Known(Active)), (100, Known(Expired))];
        check(std::slice::from_ref(&issue), &ends);
        let held = [
            issue.clone(),
            act("L", LicenceVerb::Suspend, 30),
            act("L", LicenceVerb::Resume, 40),
            act("L", LicenceVerb::Suspend, 90),
        ];
        check(&held, &[(29, Known(Active)), (30, Known(Suspended)), (40, Known(Active))]);
        check(&held, &[(99, Known(Suspended)), (100, Known(Expired))]);
        // An annulment reaches back over what was recorded before it.
        let void = [&held[..], &[act("L", LicenceVerb::Annul, 15)]].concat();
        check(&void, &[(14, Pending), (15, Known(Annulled)), (35, Known(Annulled))]);
        check(&void, &[(100, Known(Annulled))]);
        let renewed = LicenceVerb::Renew { supersedes: "L".parse().unwrap(), facts: facts() };
        let after = [issue.clone(), act("M", renewed, 60)];
        check(&after, &[(59, Known(Active)), (60, Known(Superseded)), (100, Known(Superseded))]);
        // What concerns others says nothing.
        check(&[issue, act("M", LicenceVerb::Revoke, 30)], &[(50, Known(Active))]);
    }
}
