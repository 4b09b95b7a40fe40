//! Whether the chain moves, and in plain words why it does not.

use crate::shell::Snapshot;
use client::api::{CatchUp, Clock, NodeStatus, ValidatorStatus, Votes};
use ledger::query;
use replica::Status;
use std::{collections::BTreeSet, time::Duration};
use store::Store;
use types::{Genesis, Height};

/// A chain that has not moved for this many idle times has an obstacle.
const IDLE_TIMES: u32 = 5;
/// A clock further than this from the neighbours' median is warned of, milliseconds.
pub const CLOCK_OFF_MS: u64 = 500;

/// What a node says of itself.
#[must_use]
pub fn status(genesis: &Genesis, store: &Store, snapshot: &Snapshot) -> NodeStatus {
    let (rules, seat) = (&*snapshot.rules, snapshot.seat);
    // What is on disk is what can be asked for and proven; the replica may be a moment ahead of it.
    let header = query::header(store, query::height(store));
    let status = &snapshot.status;
    let validators: Vec<ValidatorStatus> = rules
        .committee()
        .seats()
        .map(|(index, validator)| ValidatorStatus {
            seat: index,
            agency: validator.agency,
            name: validator.name.to_string(),
            reachable: status.reachable.contains(&index),
            this_node: seat == Some(index),
        })
        .collect();
    let height = header.as_ref().map_or(Height::GENESIS, |header| header.height);
    NodeStatus {
        chain: *rules.chain(),
        name: genesis.name.to_string(),
        height,
        block: header.as_ref().map(types::Header::id).unwrap_or_default(),
        time: header.as_ref().map_or(genesis.time, |header| header.time),
        state_root: header.as_ref().map(|header| header.state_root).unwrap_or_default(),
        records: header.as_ref().map_or(0, |header| header.log_size),
        kept_from: Some(ledger::retention::kept_from(store)).filter(|kept| *kept > Height(1)),
        log_root: header
            .as_ref()
            .map_or_else(|| proof::log::Frontier::new().root(), |header| header.log_root),
        valid_until_max: height.next().plus(rules.limits().validity_heights_max.into()),
        round: status.round.map(|round| round.0),
        pending: u64::try_from(status.pending).unwrap_or(u64::MAX),
        catching_up: status.catching_up.is_some(),
        catch_up: status.catching_up.map(|fetching| CatchUp {
            from: fetching.from,
            height: fetching.height,
            to: fetching.to,
            blocks_per_s: fetching.per_second,
            eta_s: fetching.seconds_left(),
            summary: fetching.to_string(),
        }),
        votes: status.tally.as_ref().map(|tally| Votes {
            proposer: status.proposer,
            proposed: tally.proposed,
            prevoted: tally.prevoted.iter().copied().collect(),
            precommitted: tally.precommitted.iter().copied().collect(),
        }),
        clock: status.clock.map(|offset| Clock {
            ahead_ms: offset.ahead_ms,
            neighbours: u64::try_from(offset.neighbours).unwrap_or(u64::MAX),
        }),
        highest: status.highest,
        quorum: u64::try_from(rules.committee().quorum()).unwrap_or(u64::MAX),
        obstacles: obstacles(snapshot, &validators),
        validators,
    }
}

fn obstacles(snapshot: &Snapshot, validators: &[ValidatorStatus]) -> Vec<String> {
    let rules = &*snapshot.rules;
    let mut found: Vec<String> =
        snapshot.shortage.iter().chain(&snapshot.silence).cloned().collect();
    let status = &snapshot.status;
    let (reachable, quorum, size) =
        (status.reachable.len(), rules.committee().quorum(), rules.committee().size());
    if reachable < quorum {
        let missing: Vec<_> = validators
            .iter()
            .filter(|v| !v.reachable)
            .map(|v| format!("v{} {}", v.seat + 1, v.name))
            .collect();
        found.push(format!(
            "no_quorum: {reachable} of {size} validators are in reach and {quorum} are needed; missing: {}",
            missing.join(", ")
        ));
    }
    // One or two blocks behind is what a vote under way looks like.
    let fetching = status.catching_up.filter(|it| it.to > it.height.plus(2));
    found.extend(fetching.map(|fetching| fetching.to_string()));
    let quiet = snapshot.committed_at.elapsed();
    let timing = rules.timing();
    let patience = Duration::from_millis(u64::from(timing.idle_ms) + u64::from(timing.propose_ms))
        * IDLE_TIMES;
    if quiet > patience {
        if found.is_empty() || (snapshot.shortage.is_none() && reachable >= quorum) {
            found.push(waiting(status, quorum, quiet, validators));
        }
        // A clock that is off stops nothing by itself, but explains a proposal that gets no votes.
        found.extend(clock_warning(status.clock));
    }
    found
}

/// In which round of which height, for whose proposal or whose votes.
fn waiting(
    status: &Status,
    quorum: usize,
    quiet: Duration,
    validators: &[ValidatorStatus],
) -> String {
    let height = status.tip.height.next();
    let (Some(round), Some(tally)) = (status.round, &status.tally) else {
        return format!(
            "no block for {} s; height {height} is not begun: nothing was submitted, and too few others began it",
            quiet.as_secs()
        );
    };
    let name = |seat: u16| {
        let known = validators.iter().find(|validator| validator.seat == seat);
        known.map_or_else(|| format!("v{}", seat + 1), |v| format!("v{} {}", v.seat + 1, v.name))
    };
    let missing = |votes: &BTreeSet<u16>| {
        let absent = validators.iter().map(|v| v.seat).filter(|seat| !votes.contains(seat));
        let names: Vec<_> = absent.map(name).collect();
        format!("{} of {quorum} needed; missing: {}", votes.len(), names.join(", "))
    };
    let mut text = format!("no block for {} s; height {height}, round {round}: ", quiet.as_secs());
    if !tally.proposed {
        let proposer = status.proposer.map_or_else(|| "nobody".to_owned(), name);
        text.push_str(&format!("no valid proposal of {proposer}; "));
    }
    if tally.prevoted.len() < quorum {
        text.push_str(&format!("prevotes {}", missing(&tally.prevoted)));
    } else if tally.precommitted.len() < quorum {
        text.push_str(&format!("prevotes complete, precommits {}", missing(&tally.precommitted)));
    } else {
        text.push_str("votes complete, but not for one block");
    }
    text
}

/// How far this node's clock is off, in words, if it is off enough to matter.
#[must_use]
pub fn clock_warning(offset: Option<replica::Offset>) -> Option<String> {
    let offset = offset.filter(|offset| offset.distance_ms() > CLOCK_OFF_MS)?;
    let (way, by) = (if offset.ahead_ms > 0 { "ahead of" } else { "behind" }, offset.distance_ms());
    Some(format!(
        "this node's clock is {}.{} s {way} the median of {} neighbour{}: check NTP",
        by / 1000,
        by % 1000 / 100,
        offset.neighbours,
        if offset.neighbours == 1 { "" } else { "s" }
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use replica::Offset;
    use types::{AgencyCode, Round};

    #[test]
    fn a_clock_is_warned_of_from_half_a_second_on() {
        let said = |ahead_ms, neighbours| clock_warning(Some(Offset { ahead_ms, neighbours }));
        assert_eq!(clock_warning(None), None);
        assert_eq!(said(500, 3), None);
        assert_eq!(said(-500, 3), None);
        assert_eq!(
            said(-1830, 3).unwrap(),
            "this node's clock is 1.8 s behind the median of 3 neighbours: check NTP"
        );
        assert_eq!(
            said(86_400_000, 1).unwrap(),
            "this node's clock is 86400.0 s ahead of the median of 1 neighbour: check NTP"
        );
    }

    #[test]
    fn what_is_waited_for_is_told_by_name() {
        let validators: Vec<_> = (0..4)
            .map(|seat| ValidatorStatus {
                seat,
                agency: AgencyCode::new("11350000MXDEX0015L").unwrap(),
                name: format!("机构{}", seat + 1),
                reachable: true,
                this_node: seat == 0,
            })
            .collect();
        let tip = ledger::Tip {
            height: Height(41),
            id: types::BlockId::default(),
            time: types::Timestamp(0),
            state_root: types::Hash::ZERO,
            log: proof::log::Frontier::new(),
        };
        let say = |proposed, prevoted: &[u16], precommitted: &[u16]| {
            let tally = consensus::Tally {
                proposed,
                prevoted: prevoted.iter().copied().collect(),
                precommitted: precommitted.iter().copied().collect(),
                refused: BTreeSet::new(),
            };
            let status = Status {
                tip: tip.clone(),
                round: Some(Round(3)),
                proposer: Some(1),
                reachable: BTreeSet::new(),
                highest: Height(41),
                catching_up: None,
                tally: Some(tally),
                clock: None,
                pending: 0,
            };
            waiting(&status, 3, Duration::from_secs(12), &validators)
        };
        assert_eq!(
            say(false, &[0, 2], &[]),
            "no block for 12 s; height 42, round 3: no valid proposal of v2 机构2; prevotes 2 of 3 needed; missing: v2 机构2, v4 机构4"
        );
        assert_eq!(
            say(true, &[0, 1, 2], &[0]),
            "no block for 12 s; height 42, round 3: prevotes complete, precommits 1 of 3 needed; missing: v2 机构2, v3 机构3, v4 机构4"
        );
        assert_eq!(
            say(true, &[0, 1, 2], &[0, 1, 2]),
            "no block for 12 s; height 42, round 3: votes complete, but not for one block"
        );
    }
}
