//! What the validators can keep up with, found by search; what waiting is like at shares of that; and what twice as much does.

use crate::{
    figures::thousandths,
    net::Net,
    open::{HEAD, Seen, offer},
};
use serde_json::{Value, json};

/// Where the search begins if nothing is known, transactions a second.
const FIRST: u64 = 500;

/// Transactions to offer beyond saturation until a pool, which holds ten thousand of one key, is full and has been for a while:
/// some are committed meanwhile.
const FILLS: u64 = 15_000;

/// The longest overload that is offered of itself, seconds.
const OVERLOAD_MAX: u64 = 60;

/// How long loads are looked at, and how finely saturation is searched for.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) warm_up: u64,
    /// Each load of the search.
    pub(crate) search: u64,
    /// Each load that is measured.
    pub(crate) seconds: u64,
    /// Halvings between what was kept up with and what was not.
    pub(crate) halvings: u32,
}

/// The most that the validators keep up with, singly signed transactions a second. It begins below the hint, and
/// offers half as much again for as long as they keep up; then it halves what is between.
pub(crate) async fn saturation(
    net: &Net,
    hint: Option<u64>,
    pace: Pace,
) -> anyhow::Result<(u64, Value)> {
    println!("\nsaturation    the most that is committed as fast as it is offered, whoever waits");
    println!("{HEAD}");
    let mut steps = Vec::new();
    let mut tried = async |per_second: u64| -> anyhow::Result<bool> {
        let seen = offer(net, per_second, 1, (pace.warm_up, pace.search)).await?;
        let kept = seen.kept_up();
        seen.print(if kept { "kept up" } else { "fell behind" });
        steps.push(seen.json());
        Ok(kept)
    };
    let mut low = hint.map_or(FIRST, |hint| (hint * 3 / 4).max(FIRST / 5));
    while !tried(low).await? {
        anyhow::ensure!(low > 1, "not even one transaction a second is kept up with");
        low /= 2;
    }
    let mut high = low * 3 / 2 + 1;
    while tried(high).await? {
        (low, high) = (high, high * 3 / 2);
    }
    for _ in 0..pace.halvings {
        let middle = low.midpoint(high);
        if tried(middle).await? { low = middle } else { high = middle }
    }
    println!("              saturation: {low} transactions/s; {high} were too many");
    Ok((low, json!({ "per_second": low, "too_many": high, "steps": steps })))
}

/// Latency at a tenth, a half and nine tenths of saturation; then twice as much as that; then a half again.
pub(crate) async fn shares(net: &Net, saturation: u64, pace: Pace) -> anyhow::Result<Value> {
    println!(
        "\nshares        of {saturation} transactions/s; latency from the planned moment to the commit"
    );
    println!("{HEAD}");
    let at = async |percent: u64, seconds: u64, name: &str| -> anyhow::Result<Seen> {
        let per_second = (saturation * percent / 100).max(1);
        let seen = offer(net, per_second, 1, (pace.warm_up, seconds)).await?;
        seen.print(name);
        Ok(seen)
    };
    let tenth = at(10, pace.seconds, "10 % of saturation").await?;
    let half = at(50, pace.seconds, "50 %").await?;
    let most = at(90, pace.seconds, "90 %").await?;
    // Nothing is refused before the pools are full.
    let filled = (FILLS / saturation.max(1) + 2).min(OVERLOAD_MAX);
    let double = at(200, pace.seconds.max(filled), "200 %: overload").await?;
    let again = at(50, pace.seconds, "50 % after overload").await?;
    if double.ended.refused == 0 {
        println!(
            "              nothing was refused: the pools did not fill in time; more --seconds fill them"
        );
    }
    let ratio = again.finality.p99 * 1000 / half.finality.p99.max(1);
    println!(
        "              overload: {} of the requests refused, {} of saturation committed all the while; p99 at 50 % afterwards: {} of before",
        thousandths(double.error_thousandths()),
        thousandths(double.committed * 1000 / saturation.max(1)),
        thousandths(ratio),
    );
    Ok(json!({
        "of_per_second": saturation, "10": tenth.json(), "50": half.json(), "90": most.json(),
        "overload": double.json(), "50_after_overload": again.json(), "p99_after_to_before_thousandths": ratio,
    }))
}
