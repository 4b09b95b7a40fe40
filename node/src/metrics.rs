//! What is counted, with labels from fixed sets, for Prometheus to fetch.

use network::Counters;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};
use replica::Status;
use types::{Height, net::Channel};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Code {
    code: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Queue {
    queue: &'static str,
}

/// A node's counters.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    height: Gauge,
    round: Gauge,
    pending: Gauge,
    reachable: Gauge,
    highest: Gauge,
    clock_ahead_ms: Gauge,
    fetched_per_second: Gauge,
    transactions: Counter,
    records: Counter,
    refused: Family<Code, Counter>,
    /// Protocol offences of neighbours.
    pub offences: Counter,
    /// Proofs that a validator said two things.
    pub accusations: Counter,
    /// Submissions answered as accepted, each after it was synced.
    pub accepted: Counter,
    /// Seconds to write down and sync what is to be accepted; its count is the number of syncs.
    pub accepted_seconds: Histogram,
    /// Seconds to append to the journal and sync it.
    pub journal_seconds: Histogram,
    /// Seconds to write a block and sync it.
    pub commit_seconds: Histogram,
    refused_peers: Gauge,
    crowded: Gauge,
    slowed: Family<Queue, Gauge>,
    penalties: Gauge,
    barred: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let seconds = || Histogram::new(exponential_buckets(0.0001, 2.0, 16));
        let mut metrics = Self {
            registry: Registry::with_prefix("minlian"),
            height: Gauge::default(),
            round: Gauge::default(),
            pending: Gauge::default(),
            reachable: Gauge::default(),
            highest: Gauge::default(),
            clock_ahead_ms: Gauge::default(),
            fetched_per_second: Gauge::default(),
            transactions: Counter::default(),
            records: Counter::default(),
            refused: Family::default(),
            offences: Counter::default(),
            accusations: Counter::default(),
            accepted: Counter::default(),
            accepted_seconds: seconds(),
            journal_seconds: seconds(),
            commit_seconds: seconds(),
            refused_peers: Gauge::default(),
            crowded: Gauge::default(),
            slowed: Family::default(),
            penalties: Gauge::default(),
            barred: Gauge::default(),
        };
        let registry = &mut metrics.registry;
        registry.register("height", "Height of the last block", metrics.height.clone());
        registry.register("round", "Round under way; 0 at rest", metrics.round.clone());
        registry.register("pool_transactions", "Transactions that wait", metrics.pending.clone());
        registry.register(
            "validators_reachable",
            "Validators in reach, this one included",
            metrics.reachable.clone(),
        );
        registry.register(
            "highest_claimed",
            "Highest block a neighbour claims",
            metrics.highest.clone(),
        );
        registry.register(
            "clock_ahead_ms",
            "Milliseconds this clock is ahead of the neighbours' median; negative behind",
            metrics.clock_ahead_ms.clone(),
        );
        registry.register(
            "catch_up_blocks_per_second",
            "Blocks a second while catching up; 0 else",
            metrics.fetched_per_second.clone(),
        );
        registry.register(
            "transactions_committed",
            "Transactions committed",
            metrics.transactions.clone(),
        );
        registry.register("records_committed", "Operations committed", metrics.records.clone());
        registry.register(
            "transactions_refused",
            "Transactions refused, by code",
            metrics.refused.clone(),
        );
        registry.register("offences", "Protocol offences of neighbours", metrics.offences.clone());
        registry.register(
            "accusations",
            "Proofs that a validator said two things",
            metrics.accusations.clone(),
        );
        registry.register(
            "transactions_accepted",
            "Submissions answered as accepted",
            metrics.accepted.clone(),
        );
        registry.register(
            "accepted_seconds",
            "Writing down what is to be accepted, synced once for many",
            metrics.accepted_seconds.clone(),
        );
        registry.register(
            "journal_seconds",
            "Appending to the journal, synced",
            metrics.journal_seconds.clone(),
        );
        registry.register(
            "commit_seconds",
            "Writing a block, synced",
            metrics.commit_seconds.clone(),
        );
        registry.register(
            "peers_refused",
            "Connections of strangers refused",
            metrics.refused_peers.clone(),
        );
        registry.register(
            "connections_crowded",
            "Connections turned away because there were too many",
            metrics.crowded.clone(),
        );
        registry.register(
            "peers_slowed",
            "Messages after which a peer was read more slowly, by queue",
            metrics.slowed.clone(),
        );
        registry.register(
            "peer_penalties",
            "Times that a peer was shut out for a while",
            metrics.penalties.clone(),
        );
        registry.register(
            "peers_barred",
            "Connections refused because the peer is shut out",
            metrics.barred.clone(),
        );
        metrics
    }
}

impl Metrics {
    /// A block was committed.
    pub fn committed(&self, height: Height, transactions: usize, records: usize) {
        self.height.set(gauge(height.0));
        self.transactions.inc_by(u64::try_from(transactions).unwrap_or(u64::MAX));
        self.records.inc_by(u64::try_from(records).unwrap_or(u64::MAX));
    }

    /// A transaction was refused.
    pub fn refused(&self, code: &'static str) {
        self.refused.get_or_create(&Code { code }).inc();
    }

    /// What the replica and the network say of themselves.
    pub fn observe(&self, status: &Status, counters: &Counters) {
        self.height.set(gauge(status.tip.height.0));
        self.round.set(status.round.map_or(0, |round| i64::from(round.0)));
        self.pending.set(gauge(u64::try_from(status.pending).unwrap_or(u64::MAX)));
        self.reachable.set(gauge(u64::try_from(status.reachable.len()).unwrap_or(u64::MAX)));
        self.highest.set(gauge(status.highest.0));
        self.clock_ahead_ms.set(status.clock.map_or(0, |offset| offset.ahead_ms));
        let rate = status.catching_up.map_or(0, |fetching| fetching.per_second);
        self.fetched_per_second.set(gauge(rate));
        self.refused_peers.set(gauge(counters.refused));
        self.crowded.set(gauge(counters.crowded));
        self.penalties.set(gauge(counters.penalties));
        self.barred.set(gauge(counters.barred));
        for channel in Channel::ALL {
            let slowed = self.slowed.get_or_create(&Queue { queue: channel.name() });
            slowed.set(gauge(counters.traffic.of(channel).slowed));
        }
    }

    /// The counters in the text form of `OpenMetrics`.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        encode(&mut out, &self.registry).unwrap_or(());
        out
    }
}

fn gauge(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// The names that a node serves, as Prometheus stores them.
    fn served() -> BTreeSet<String> {
        let metrics = Metrics::default();
        metrics.refused("E-TX-EXPIRED");
        for channel in Channel::ALL {
            drop(metrics.slowed.get_or_create(&Queue { queue: channel.name() }));
        }
        let text = metrics.text();
        let sample = |line: &str| line.split([' ', '{']).next().unwrap_or_default().to_owned();
        text.lines().filter(|line| !line.starts_with('#')).map(sample).collect()
    }

    /// Every `minlian_…` in a text.
    fn named(text: &str) -> BTreeSet<String> {
        let name = |rest: &str| {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            format!("minlian_{}", &rest[..end.unwrap_or(rest.len())])
        };
        text.split("minlian_").skip(1).map(name).collect()
    }

    #[test]
    fn the_dashboard_and_the_alerts_name_what_is_served() {
        let served = served();
        for (file, text) in [
            ("dashboard.json", include_str!("../watching/dashboard.json")),
            ("alerts.yml", include_str!("../watching/alerts.yml")),
        ] {
            let named = named(text);
            assert!(named.len() > 5, "{file}");
            let unknown: Vec<_> = named.difference(&served).collect();
            assert!(unknown.is_empty(), "{file} names what no node serves: {unknown:?}");
        }
        let dashboard: serde_json::Value =
            serde_json::from_str(include_str!("../watching/dashboard.json")).unwrap();
        assert!(dashboard["panels"].as_array().unwrap().len() > 10);
        // What is served is drawn, or an operator would never see it.
        let drawn = named(include_str!("../watching/dashboard.json"));
        let stem = |name: &String| {
            let stem = name.trim_end_matches("_bucket").trim_end_matches("_sum");
            stem.trim_end_matches("_count").to_owned()
        };
        let drawn: BTreeSet<_> = drawn.iter().map(stem).collect();
        let all: BTreeSet<_> = served.iter().map(stem).collect();
        assert_eq!(all.difference(&drawn).collect::<Vec<_>>(), Vec::<&String>::new());
    }

    /// nothing that anybody sends becomes a label.
    #[test]
    fn labels_come_from_fixed_sets() {
        let metrics = Metrics::default();
        metrics.refused("E-TX-EXPIRED");
        let labels = metrics.text();
        let labels: BTreeSet<_> = labels
            .lines()
            .filter_map(|line| line.split_once('{')?.1.split_once('}'))
            .flat_map(|(labels, _)| labels.split(','))
            .filter_map(|label| label.split_once('='))
            .map(|(name, _)| name)
            .collect();
        assert!(labels.iter().all(|name| ["code", "queue", "le"].contains(name)), "{labels:?}");
    }
}
