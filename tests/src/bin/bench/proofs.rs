//! What proofs cost: their bytes beside those of a block, how many one core checks, how many one node hands out.

use crate::{
    figures::{micros, thousandths},
    net::Net,
};
use client::{
    Wait,
    api::{Ask, Named, ProofRequest},
};
use ledger::prove::Asked;
use node::clock;
use proof::{Claim, Proof, TrustRoot};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tests::{Chain, licence, lots, publish};
use tokio::task::JoinSet;
use types::{Hash, Height, Subject, Transaction, codec, merkle::path_length};

/// Lines on which a node is asked at once.
const LINES: usize = 8;

/// A ledger of a thousand records, in blocks of a hundred.
fn thousand() -> (Chain, Vec<types::RecordId>) {
    let mut chain = Chain::new("bench", 1);
    let mut records = Vec::new();
    for block in 0..10u32 {
        let lot = |n: u32| format!("urn:epc:id:sgtin:9521005.050021.{n}");
        let mut operations: Vec<_> = (0..98).map(|n| publish(1 + block * 100 + n)).collect();
        operations.push(licence(&format!("licence {block}")));
        operations.push(lots(&lot(block), &lot(block + 1)));
        let tx = chain.transaction(0, block.into(), operations);
        records.extend(tx.records());
        chain.commit(vec![tx]);
    }
    (chain, records)
}

/// The proof as it would be in a log and a map of so many records: every path as long as it must be, all else real.
fn grown(proof: &Proof, records: u64) -> usize {
    let log = path_length(records / 2, records);
    // Of random keys the deepest neighbours share about as many bits as there are doublings, and one or two more.
    let map = log + 2;
    let mut proof = proof.clone();
    for claim in &mut proof.claims {
        match claim {
            Claim::Record(claim) => claim.log_path.resize(log, Hash::ZERO),
            Claim::Status(claim) => claim.path.siblings.resize(map, Hash::ZERO),
            Claim::Upstream(claim) => {
                claim.lots.iter_mut().for_each(|lot| lot.siblings.resize(map, Hash::ZERO));
                let more = log.saturating_sub(path_length(500, 1000));
                let nodes = claim.records.log_nodes.len() + more;
                claim.records.log_nodes.resize(nodes, Hash::ZERO);
            }
            Claim::Authority(claim) => {
                claim.line.iter_mut().for_each(|place| place.siblings.resize(map, Hash::ZERO));
            }
            Claim::Consistency(claim) => claim.path.resize(log, Hash::ZERO),
            // Neighbours share all but the way from their corner of the log to its root.
            Claim::Records(claim) => {
                let small = path_length(500, 1000);
                let more = claim.log_nodes.len() + log.saturating_sub(small);
                claim.log_nodes.resize(more, Hash::ZERO);
            }
            Claim::Fork(_) | Claim::Votes(_) | Claim::Block => {}
        }
    }
    proof::encode(&proof).len()
}

/// Sizes, and checks a second on one core.
pub(crate) fn sizes(each: Duration) -> anyhow::Result<Value> {
    let (chain, records) = thousand();
    let (root, agency) = (chain.trust_root(), chain.genesis().agencies[0].code);
    let subject = |text: &str| -> anyhow::Result<Subject> { Ok(text.parse()?) };
    let lot = |n: u32| format!("urn:epc:id:sgtin:9521005.050021.{n}");
    let rows = [
        ("record", vec![Asked::Record(records[500])]),
        ("status and history", vec![Asked::Subject(subject("licence:licence 5")?)]),
        ("absence", vec![Asked::Subject(subject("licence:nowhere")?)]),
        ("batch of 100", vec![Asked::Records(records[400..500].to_vec())]),
        ("upstream of 6 lots", vec![Asked::Upstream(lot(5).parse()?)]),
        ("authority", vec![Asked::Authority { agency, key: None, at: None }]),
        ("consistency", vec![Asked::Consistency(Height(5))]),
        ("block, final", vec![Asked::Block]),
    ];
    println!(
        "\nproofs        bytes at a thousand, a million and a billion records; checked on one core"
    );
    let mut report = Vec::new();
    for (name, asked) in rows {
        let proof = chain.prove(&asked);
        let sizes = [1_000, 1_000_000, 1_000_000_000].map(|count| grown(&proof, count));
        let rate = checks(&proof::encode(&proof), &root, each)?;
        let [thousand, million, billion] = sizes;
        println!("              {name:<20}{thousand:>8}{million:>8}{billion:>8}   {rate} a second");
        report.push(json!({ "kind": name, "bytes": sizes, "checks_per_second": rate }));
    }
    let operations: Vec<_> = (0..100).map(|n| publish(10_000 + n)).collect();
    let tx: Transaction = chain.transaction(0, 99, operations);
    let block = codec::encode(&vec![tx]).len();
    println!(
        "              a block of 100 records, which shows one of them only to one who has the rest: {block}"
    );
    Ok(json!({ "kinds": report, "block_of_100_bytes": block }))
}

/// How often a proof is checked in so long, a second.
fn checks(bytes: &[u8], root: &TrustRoot, time: Duration) -> anyhow::Result<u64> {
    let (started, mut done) = (clock::instant(), 0u64);
    while started.elapsed() < time {
        let verdict = proof::verify(bytes, root);
        anyhow::ensure!(verdict.error().is_none(), "an honest proof holds: {:?}", verdict.error());
        done += 1;
    }
    Ok(done * 1_000_000 / micros(started.elapsed()).max(1))
}

/// How many proofs one node hands out a second, while nothing else is asked of it.
pub(crate) async fn served(net: &Net, seconds: u64) -> anyhow::Result<Value> {
    let all = net.sign(1, 100).await?;
    let tx: Transaction = codec::decode(&all[0])?;
    net.first().submit(&tx, Wait::Committed).await?;
    let records: Vec<_> = tx.records().collect();
    let (subject, _) = tx.operations[0].subjects(&tx.header.agency).swap_remove(0);
    let asks = [
        ("record", Ask::Record(records[50])),
        ("status", Ask::Subject(Named(subject))),
        ("batch of 100", Ask::Records(records)),
    ];
    let mut report = Vec::new();
    println!("\nserved        proofs by one node, asked on {LINES} lines");
    for (name, ask) in asks {
        let request = Arc::new(ProofRequest { since: Height::GENESIS, at: None, ask: vec![ask] });
        let (done, bytes) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let started = clock::instant();
        let mut lines = JoinSet::new();
        for _ in 0..LINES {
            let (client, request) = (net.first().clone(), Arc::clone(&request));
            let (done, bytes) = (Arc::clone(&done), Arc::clone(&bytes));
            lines.spawn(async move {
                while started.elapsed() < Duration::from_secs(seconds) {
                    let file = client.prove(&request).await?;
                    let length = file.map_or(0, |file| file.len());
                    anyhow::ensure!(length > 0, "what is on the ledger is proven");
                    done.fetch_add(1, Relaxed);
                    bytes.store(u64::try_from(length)?, Relaxed);
                }
                Ok(())
            });
        }
        while let Some(line) = lines.join_next().await {
            line??;
        }
        let rate = done.load(Relaxed) * 1_000_000_000 / micros(started.elapsed()).max(1);
        let bytes = bytes.load(Relaxed);
        println!("              {name:<14}{:>10} a second, {bytes} bytes each", thousandths(rate));
        report.push(json!({ "kind": name, "per_second_thousandths": rate, "bytes": bytes }));
    }
    Ok(report.into())
}
