//! Batches of commitments, and units of seed: what is recorded by the million, by few rules.

use crate::{
    rejection::Rejection,
    rules::{Case, Changes, View},
};
use types::{
    Subject,
    bulk::{BatchAction, LINES_MAX, SeedAction},
    operation::{Family, Lot},
    subject::Facts,
};

impl<V: View> Case<'_, V> {
    /// A series belongs to whoever began it, and grows by whole batches.
    pub(crate) fn batch(&self, act: &BatchAction) -> Result<Changes, Rejection> {
        self.covers_name(&act.series, "the series")?;
        if act.lines == 0 || act.lines > LINES_MAX {
            return Err(Rejection::Lines { index: self.index, lines: act.lines });
        }
        let subject = Subject::batch(&act.series);
        let key = subject.key();
        let mut state = match self.view.subject(&key) {
            Some(state) => state,
            None => self.new_state(subject.clone(), 1, Facts::Batch { lines: 0 }),
        };
        self.owns(&state)?;
        let Facts::Batch { lines } = &mut state.facts else {
            return Err(Rejection::Identity { index: self.index, subject });
        };
        *lines = lines
            .checked_add(act.lines)
            .ok_or(Rejection::Lines { index: self.index, lines: act.lines })?;
        state.effective_from = self.effective_from;
        Ok(vec![(key, state)])
    }

    /// A code is put on one pack, and on no other, ever.
    pub(crate) fn seed(&self, act: &SeedAction) -> Result<Changes, Rejection> {
        self.covers_name(&act.lot, "the lot")?;
        if !act.unit.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(Rejection::SeedUnit { index: self.index, unit: act.unit.clone() });
        }
        let subject = Subject::seed(&act.permit, &act.unit);
        let key = subject.key();
        if self.view.subject(&key).is_some() {
            return Err(Rejection::SeedReused { index: self.index, subject });
        }
        // Of a permit that is not on this ledger nothing is known; one that is binds its issuer's line, while it is valid.
        let permit = Subject::licence(&act.permit);
        if let Some(found) = self.view.subject(&permit.key()) {
            let (mine, owner) = (&self.agency, &found.owner);
            let one_line =
                self.rules.is_or_above(mine, owner) || self.rules.is_or_above(owner, mine);
            let valid = found.effective_from <= self.at.time && self.standing(&found).is_valid();
            if !one_line || !valid {
                return Err(Rejection::SeedPermit { index: self.index, permit });
            }
        }
        let state = self.new_state(subject, 1, Facts::Seed { lot: act.lot.clone() });
        Ok(vec![(key, state)])
    }

    fn covers_name(&self, name: &Lot, what: &str) -> Result<(), Rejection> {
        if self.covers(|role| role.covers_lot(name)) {
            return Ok(());
        }
        Err(self.role(Family::Trace, format!("{what} {name}")))
    }
}
