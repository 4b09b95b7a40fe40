//! What proofs cost: their bytes beside those of a block, how many one core checks, how many one node hands out.

use crate::{
    figures::{micros, thousandths},
    net::Net,
};
use client::{
    Wait,
    api::{Ask, Named, ProofRequest},
};
use ledger::{prove::Asked, query};
use node::clock;
use proof::{Claim, ForkClaim, Proof, Said, TrustRoot, VotesClaim};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tests::{Chain, certify, lastly, licence, lots, moved, publish};
use tokio::task::JoinSet;
use types::{
    Block, Certificate, Certified, Hash, Header, Height, Round, Subject, Transaction, codec,
    merkle::path_length,
    vote::{Step, Vote},
};

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
        ("two votes of a seat", vec![Asked::Votes(Box::new(two_votes(&chain)))]),
    ];
    let mut rows: Vec<(&str, Option<Vec<Asked>>, Proof)> = rows
        .into_iter()
        .map(|(name, asked)| {
            let proof = chain.prove(&asked);
            (name, Some(asked), proof)
        })
        .collect();
    // Nobody asks a ledger for these: what they show is brought along, or lies between its blocks.
    rows.push(("two certified blocks", None, two_blocks(&chain)));
    for (name, changes) in [("record, 1 change", 1), ("record, 24 changes", 24)] {
        let all: Vec<_> = (0..4 + changes).map(|seat| chain.seat(seat)).collect();
        let (first, more) = all.split_at(4);
        let record = chain.prove(&[Asked::Record(records[500])]);
        rows.push((name, None, moved(record, &lastly(first, more))));
    }
    println!(
        "\nproofs        bytes at a thousand, a million and a billion records; checked and made on one core, from memory"
    );
    let mut report = Vec::new();
    for (name, asked, proof) in rows {
        let sizes = [1_000, 1_000_000, 1_000_000_000].map(|count| grown(&proof, count));
        let checked = checks(&proof::encode(&proof), &root, each)?;
        let makes = |asked: Vec<Asked>| {
            rate(each, || {
                let made = proof::encode(&chain.prove(&asked));
                anyhow::ensure!(!made.is_empty(), "a proof has bytes");
                Ok(())
            })
        };
        let made = asked.map(makes).transpose()?;
        let [thousand, million, billion] = sizes;
        let told = made.map_or_else(|| "-".to_owned(), |made| made.to_string());
        println!(
            "              {name:<20}{thousand:>8}{million:>8}{billion:>8}   {checked:>8} {told:>8} a second"
        );
        report.push(json!({
            "kind": name, "bytes": sizes, "checks_per_second": checked, "made_per_second": made,
        }));
    }
    // What it takes without proofs: the block itself, which shows where a record stands only to one who has all others, too.
    println!(
        "\nshipped       bytes of a block of a hundred records with its certificate; checked and read on one core, from memory"
    );
    let mut shipped = Vec::new();
    for (name, of) in [("one transaction", 100), ("a hundred transactions", 1)] {
        let (mut chain, _) = thousand();
        let operations = (0..100).map(|n| publish(10_000 + n)).collect::<Vec<_>>();
        let signed = (99..).zip(operations.chunks(of));
        let all = signed.map(|(nonce, some)| chain.transaction(0, nonce, some.to_vec())).collect();
        let certified = chain.commit(all);
        let (block, certificate) =
            (codec::encode(certified.block()), codec::encode(certified.certificate()));
        let bytes = block.len() + certificate.len();
        let (committee, id) = (chain.rules().committee(), chain.genesis().chain());
        let checked = rate(each, || {
            let (block, certificate): (Block, Certificate) =
                (codec::decode(&block)?, codec::decode(&certificate)?);
            let transactions = block.transactions.clone();
            Certified::verify(block, certificate, &id, committee)?;
            transactions.into_iter().try_for_each(|tx| tx.verify(&id).map(drop))?;
            Ok(())
        })?;
        let read = rate(each, || {
            let found = query::block(chain.state(), certified.height())
                .zip(query::certificate(chain.state(), certified.height()));
            let (block, certificate) =
                found.ok_or_else(|| anyhow::anyhow!("what was committed is there"))?;
            let read = codec::encode(&block).len() + codec::encode(&certificate).len();
            anyhow::ensure!(read == bytes, "it is the block that was committed");
            Ok(())
        })?;
        println!("              {name:<24}{bytes:>20}   {checked:>8} {read:>8} a second");
        shipped.push(json!({
            "of": name, "bytes": bytes, "checks_per_second": checked, "reads_per_second": read,
        }));
    }
    Ok(json!({ "kinds": report, "block_of_100": shipped }))
}

/// A seat that prevoted for nil and for a block.
fn two_votes(chain: &Chain) -> VotesClaim {
    let header = chain.prove(&[Asked::Block]).header;
    let (height, round, seat, step) = (header.height, Round(1), 2, Step::Prevote);
    let (first, second) = (None, Some(header.id()));
    let sign =
        |block| Vote { height, round, step, block, seat }.sign(&header.chain, &chain.seat(2));
    let signatures = (sign(first), sign(second));
    VotesClaim { height, round, seat, said: Said::Votes { step, first, second }, signatures }
}

/// The last block, and another that the same seats certified.
fn two_blocks(chain: &Chain) -> Proof {
    let proof = chain.prove(&[Asked::Block]);
    let header = Header { log_root: Hash::ZERO, ..proof.header };
    let seats = [0, 1, 2].map(|seat| (seat.into(), chain.seat(seat)));
    let certificate = certify(&header, &proof.chain, &seats);
    Proof { claims: vec![Claim::Fork(Box::new(ForkClaim { header, certificate }))], ..proof }
}

/// How often a proof is checked in so long, a second.
fn checks(bytes: &[u8], root: &TrustRoot, time: Duration) -> anyhow::Result<u64> {
    rate(time, || {
        let verdict = proof::verify(bytes, root);
        anyhow::ensure!(verdict.error().is_none(), "an honest proof holds: {:?}", verdict.error());
        Ok(())
    })
}

/// How often something is done in so long, a second.
fn rate(time: Duration, mut act: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<u64> {
    let (started, mut done) = (clock::instant(), 0u64);
    while started.elapsed() < time {
        act()?;
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
