//! Whether the chain moves, and in plain words why it does not.

use crate::shell::Snapshot;
use client::api::{NodeStatus, ValidatorStatus};
use ledger::{Rules, query};
use std::time::Duration;
use store::Store;
use types::{Genesis, Height};

/// A chain that has not moved for this many idle times has an obstacle.
const IDLE_TIMES: u32 = 5;

/// What a node says of itself.
#[must_use]
pub fn status(
    genesis: &Genesis,
    rules: &Rules,
    store: &Store,
    snapshot: &Snapshot,
    seat: Option<u16>,
) -> NodeStatus {
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
        log_root: header
            .as_ref()
            .map_or_else(|| proof::log::Frontier::new().root(), |header| header.log_root),
        valid_until_max: height.next().plus(genesis.limits.validity_heights_max.into()),
        round: status.round.map(|round| round.0),
        pending: u64::try_from(status.pending).unwrap_or(u64::MAX),
        catching_up: status.catching_up,
        highest: status.highest,
        quorum: u64::try_from(rules.committee().quorum()).unwrap_or(u64::MAX),
        obstacles: obstacles(genesis, rules, snapshot, &validators),
        validators,
    }
}

fn obstacles(
    genesis: &Genesis,
    rules: &Rules,
    snapshot: &Snapshot,
    validators: &[ValidatorStatus],
) -> Vec<String> {
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
            "no quorum: {reachable} of {size} validators are in reach and {quorum} are needed; missing: {}",
            missing.join(", ")
        ));
    }
    if status.highest > status.tip.height.plus(2) {
        found.push(format!(
            "behind: others have height {}, this node {}",
            status.highest, status.tip.height
        ));
    }
    let quiet = snapshot.committed_at.elapsed();
    let timing = &genesis.timing;
    let patience = Duration::from_millis(u64::from(timing.idle_ms) + u64::from(timing.propose_ms))
        * IDLE_TIMES;
    if quiet > patience && found.is_empty() {
        found.push(format!(
            "no block for {} s though a quorum is in reach; round {} of height {} is under way",
            quiet.as_secs(),
            status.round.map_or(0, |round| round.0),
            status.tip.height.next()
        ));
    }
    found
}
