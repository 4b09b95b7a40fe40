//! A load that goes on: what grows that should not, and what becomes slower.

use crate::{
    figures::{Spread, in_words, thousandths},
    net::{Buckets, Net, Resources},
    open::Open,
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::mpsc;

/// Seconds between two looks; a line is printed every minute, and for the last look.
const LOOK: u64 = 10;
const MINUTE: u64 = 60;

/// Transactions that are signed together while the load runs.
const CHUNK: u64 = 1000;

/// What was seen at one moment.
struct Look {
    second: u64,
    records: u64,
    disk_bytes: u64,
    nodes: Vec<Resources>,
    /// How often the first validator wrote a block, by how long that took.
    commits: Buckets,
}

impl Look {
    async fn at(net: &Net, open: &Open) -> anyhow::Result<Self> {
        Ok(Self {
            second: open.elapsed() / 1_000_000,
            records: net.records().await?,
            disk_bytes: net.disk_bytes(),
            nodes: net.look(),
            commits: net.commits().await?,
        })
    }

    fn most(&self, of: impl Fn(&Resources) -> u64) -> u64 {
        self.nodes.iter().map(of).max().unwrap_or_default()
    }
}

/// So many singly signed transactions a second, for so long, signed as they are sent.
pub(crate) async fn soak(net: &Net, per_second: u64, seconds: u64) -> anyhow::Result<Value> {
    println!("\nsoak          {per_second} singly signed transactions/s for {seconds} s");
    println!(
        "                minute  committed/s    p50 ms       p99  commit p99 ms ≤   RSS MiB  descriptors  disk MiB  refused"
    );
    let (filling, stock) = mpsc::channel(usize::try_from(per_second * 3 + CHUNK)?);
    let mut open = Open::start(net, per_second, 1, stock).await?;
    let signing = async {
        // It waits when there is enough in stock, and ends when nobody takes any more.
        loop {
            for tx in net.sign(CHUNK, 1).await? {
                if filling.send(tx).await.is_err() {
                    return anyhow::Ok(());
                }
            }
        }
    };
    let looking = async move {
        let mut looks = vec![Look::at(net, &open).await?];
        let mut rows = Vec::new();
        let mut printed = 0;
        while looks.last().is_some_and(|last| last.second < seconds) {
            let next = ((looks.len() as u64) * LOOK).min(seconds);
            open.until(Duration::from_secs(next)).await?;
            looks.push(Look::at(net, &open).await?);
            let last = looks.len() - 1;
            if looks[last].second / MINUTE > looks[printed].second / MINUTE || next == seconds {
                rows.push(line(&looks[printed], &looks[last], &open));
                printed = last;
            }
        }
        let ended = open.stop(net).await?;
        anyhow::Ok((looks, rows, ended, open))
    };
    // Signing ends with the load.
    let (looks, rows, ended, open) = {
        tokio::pin!(signing, looking);
        tokio::select! {
            done = &mut looking => done?,
            failed = &mut signing => {
                failed?;
                looking.await?
            }
        }
    };
    let last = looks.len() - 1;
    // The caches fill at first; what still grows in the second half goes on growing.
    let settled = &looks[last / 2..];
    let slope = (0..net.names.len())
        .map(|node| {
            let rss = settled
                .iter()
                .filter_map(|look| Some((look.second, look.nodes.get(node)?.rss_kib)));
            let rss: Vec<_> = rss.collect();
            slope(&rss)
        })
        .max()
        .unwrap_or_default();
    let (early, late) = (&looks[last / 4], &looks[last - last / 4]);
    let quarter = |from: &Look, to: &Look| {
        let finality = open.finality(from.second * 1_000_000, to.second * 1_000_000);
        (finality, to.commits.since(&from.commits).p99_us())
    };
    let (first, commit_first) = quarter(&looks[0], early);
    let (second, commit_second) = quarter(late, &looks[last]);
    let files = |look: &Look| look.most(|node| node.files);
    let records = (looks[last].records - looks[0].records).max(1);
    let disk = looks[last].disk_bytes.saturating_sub(looks[0].disk_bytes) / records;
    println!(
        "              RSS in the second half: {} MiB an hour and node at most; descriptors {} → {}; {disk} bytes of disk a record, all nodes together",
        in_mebibytes(slope),
        files(&looks[0]),
        files(&looks[last]),
    );
    println!(
        "              finality p99 in the first quarter {} ms, in the last {}; commit p99 at most {} ms, then {}",
        thousandths(first.p99),
        thousandths(second.p99),
        thousandths(commit_first),
        thousandths(commit_second),
    );
    println!(
        "              {} of {} requests refused: {}; accepted and not committed after all: {} records",
        ended.refused,
        ended.sent,
        in_words(&ended.errors),
        ended.lost,
    );
    Ok(json!({
        "offered_per_second": per_second, "seconds": seconds, "minutes": rows,
        "rss_kib_per_hour": slope, "descriptors": [files(&looks[0]), files(&looks[last])],
        "disk_bytes_per_record": disk, "records": records,
        "first_quarter": { "finality_us": first.json(), "commit_p99_us_at_most": commit_first },
        "last_quarter": { "finality_us": second.json(), "commit_p99_us_at_most": commit_second },
        "sent": ended.sent, "refused": ended.refused, "errors": ended.errors, "lost_records": ended.lost,
    }))
}

/// One line of the table: what was between two looks.
fn line(from: &Look, to: &Look, open: &Open) -> Value {
    let seconds = (to.second - from.second).max(1);
    let rate = (to.records - from.records) / seconds;
    let finality: Spread = open.finality(from.second * 1_000_000, to.second * 1_000_000);
    let commit = to.commits.since(&from.commits).p99_us();
    let (rss, files) = (to.most(|node| node.rss_kib), to.most(|node| node.files));
    let (_, refused) = open.counted();
    println!(
        "              {:>8}{rate:>13}{:>10}{:>10}{:>17}{:>10}{files:>13}{:>10}{refused:>9}",
        thousandths(to.second * 1000 / MINUTE),
        thousandths(finality.p50),
        thousandths(finality.p99),
        thousandths(commit),
        rss / 1024,
        to.disk_bytes >> 20,
    );
    json!({
        "second": to.second, "committed_per_second": rate, "finality_us": finality.json(),
        "commit_p99_us_at_most": commit, "rss_kib": rss, "descriptors": files, "disk_bytes": to.disk_bytes,
        "refused": refused,
    })
}

/// What is added an hour, by the straight line that lies closest to these moments (seconds) and values.
fn slope(points: &[(u64, u64)]) -> i64 {
    let count: i128 = points.iter().map(|_| 1).sum();
    let sum = |of: fn(i128, i128) -> i128| -> i128 {
        points.iter().map(|(x, y)| of(i128::from(*x), i128::from(*y))).sum()
    };
    let (x, y) = (sum(|x, _| x), sum(|_, y| y));
    let spread = count * sum(|x, _| x * x) - x * x;
    let slope = (count * sum(|x, y| x * y) - x * y) * 3600;
    i64::try_from(slope.checked_div(spread).unwrap_or_default()).unwrap_or(i64::MAX)
}

fn in_mebibytes(kib: i64) -> String {
    let sign = if kib < 0 { "-" } else { "" };
    format!("{sign}{}", thousandths(kib.unsigned_abs() * 1000 / 1024))
}

#[cfg(test)]
mod tests {
    use super::slope;

    #[test]
    fn a_slope_is_what_an_hour_adds() {
        for (points, hour) in [
            (&[(0, 100), (10, 101), (20, 102)][..], 360),
            (&[(0, 7), (10, 7), (20, 7)][..], 0),
            (&[(0, 50), (10, 40)][..], -3600),
            (&[(5, 1)][..], 0),
        ] {
            assert_eq!(slope(points), hour, "{points:?}");
        }
    }
}
