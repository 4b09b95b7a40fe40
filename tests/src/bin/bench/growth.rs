//! What a record costs one validator as its ledger grows: each stage by itself, on one thread, on a real disk.
//!
//! Everything a validator does with a transaction but hearing and saying it: the pool admits it, a block is made of what
//! waits, another judges the block, and the store takes it, one sync a block. Nothing else runs beside it, so a figure of
//! one ledger can be held against the same figure of a longer one in the same run.

use crate::{
    figures::{Spread, disk_bytes, micros, thousandths},
    ledger::end,
    net::operation,
};
use client::Signer;
use ledger::{Pool, PoolLimits, Rules, commit, propose, prove, tip, validate};
use node::{clock, home, testnet::Testnet};
use serde_json::{Value, json};
use std::{fs, path::Path, sync::Arc};
use store::{Cached, Store};
use tests::certify;
use types::{Certified, Genesis, RecordId, SecretKey, Transaction};

/// Records in a block: fifty transactions of a hundred.
const BLOCK: u64 = 5000;
const TRANSACTION: u64 = 100;
/// Proofs asked for at each length.
const PROOFS: u64 = 500;

/// Microseconds of one stretch of the ledger, by stage.
#[derive(Default)]
struct Stages {
    records: u64,
    admit: u64,
    propose: u64,
    judge: u64,
    write: u64,
    sync: u64,
    settle: u64,
    commits: Vec<u64>,
}

impl Stages {
    const fn sum(&self) -> u64 {
        self.admit + self.propose + self.judge + self.write + self.sync + self.settle
    }

    /// Thousandths of a microsecond a record.
    fn each(&self, stage: u64) -> u64 {
        stage * 1000 / self.records.max(1)
    }
}

/// A validator without a network.
struct Alone {
    rules: Rules,
    store: Arc<Store>,
    state: Cached,
    pool: Pool,
    signer: Signer,
    secrets: Vec<(u16, SecretKey)>,
    records: u64,
    some: Vec<RecordId>,
}

impl Alone {
    fn open(&mut self, at: &Path, genesis: &Genesis) -> anyhow::Result<()> {
        self.store = Arc::new(store::open(at, &genesis.chain(), end)?);
        self.state = Cached::new(self.store.clone());
        Ok(())
    }

    /// One block more.
    fn grow(&mut self, stages: &mut Stages) -> anyhow::Result<()> {
        let chain = *self.rules.chain();
        let before = tip(&self.rules, &self.state);
        let mut txs: Vec<Transaction> = Vec::new();
        for first in (self.records..self.records + BLOCK).step_by(usize::try_from(TRANSACTION)?) {
            let operations = (first..first + TRANSACTION).map(operation).collect();
            txs.push(self.signer.sign(chain, before.height.plus(100), operations)?);
        }
        self.some.push(txs[0].operations[0].record(&txs[0].header.agency));
        // What a node hears is bytes; checking signatures is measured among the limits.
        let verified: Vec<_> =
            txs.into_iter().map(|tx| tx.verify(&chain)).collect::<Result<_, _>>()?;

        let started = clock::instant();
        for tx in verified {
            self.pool.admit(&self.rules, &self.state, &before, tx)?;
        }
        stages.admit += micros(started.elapsed());

        let time = before.time.plus(1000);
        let (rules, state) = (&self.rules, &self.state);
        let started = clock::instant();
        let (block, _, refused) = propose(rules, state, &before, time, 0, self.pool.turns());
        stages.propose += micros(started.elapsed());
        anyhow::ensure!(refused.is_empty(), "{refused:?}");

        let started = clock::instant();
        let known = |tx: &Transaction| self.pool.get(&tx.id());
        let outcome = validate(rules, state, &before, &block, known)?;
        stages.judge += micros(started.elapsed());

        let certificate = certify(&block.header, &chain, &self.secrets);
        let carried: Vec<_> = block.transactions.iter().map(Transaction::id).collect();
        let certified = Certified::verify(block, certificate, &chain, rules.committee())?;
        let touched = outcome.touched();
        let commit = commit(certified, outcome);
        let started = clock::instant();
        self.store.commit(&commit)?;
        self.state.committed(commit.writes());
        let written = micros(started.elapsed());
        self.store.sync()?;
        let synced = micros(started.elapsed());
        stages.write += written;
        stages.sync += synced - written;
        stages.commits.push(synced);

        let after = tip(&self.rules, &self.state);
        let started = clock::instant();
        let settled = (carried.as_slice(), touched.as_slice());
        let refused = self.pool.settle(&self.rules, &self.state, &after, settled, false);
        stages.settle += micros(started.elapsed());
        anyhow::ensure!(refused.is_empty() && self.pool.is_empty(), "all of it is in the block");
        self.records += BLOCK;
        stages.records += BLOCK;
        Ok(())
    }
}

/// Grows a ledger to each of these lengths, and prints what the last stretch before each cost.
pub(crate) fn growth(home: &Path, lengths: &[u64]) -> anyhow::Result<Value> {
    Testnet::create(home, 4, 1024)?;
    let genesis: Genesis = home::read_genesis(&home.join("genesis.toml"))?;
    let at = home.join("v1/data");
    let mut secrets = Vec::new();
    for seat in 0..3 {
        let file = home.join(format!("v{}/keys/consensus.json", seat + 1));
        secrets.push((seat, home::read_key(&file, "consensus")?));
    }
    let store = Arc::new(store::open(&at, &genesis.chain(), end)?);
    let mut alone = Alone {
        rules: Rules::new(&genesis),
        state: Cached::new(store.clone()),
        store,
        pool: Pool::new(PoolLimits::default()),
        signer: Signer::open(&home.join("keys/issuer.json"))?,
        secrets,
        records: 0,
        some: Vec::new(),
    };
    println!(
        "\ngrowth        one validator's part of a record, µs on one thread, at the end of each stretch"
    );
    println!(
        "                 records    admit  propose    judge    write     sync   settle      all"
    );
    let (mut rows, mut stages) = (Vec::new(), Stages::default());
    for length in lengths {
        while alone.records < *length {
            // The last tenth of the way, or the last block, is what is told.
            if alone.records + (length / 10).max(BLOCK) <= *length {
                stages = Stages::default();
            }
            alone.grow(&mut stages)?;
        }
        let each = [
            stages.admit,
            stages.propose,
            stages.judge,
            stages.write,
            stages.sync,
            stages.settle,
            stages.sum(),
        ]
        .map(|stage| stages.each(stage));
        let words: Vec<_> = each.iter().map(|each| format!("{:>8}", thousandths(*each))).collect();
        println!("              {:>10} {}", alone.records, words.join(" "));
        let mut row = look(&mut alone, &at, &genesis)?;
        let commits = Spread::of(core::mem::take(&mut stages.commits));
        println!(
            "                         commit of {BLOCK} records with its sync: p50 {} ms, p99 {}",
            thousandths(commits.p50),
            thousandths(commits.p99)
        );
        row["stages_ns_per_record"] = json!({
            "admit": each[0], "propose": each[1], "judge": each[2], "write": each[3], "sync": each[4],
            "settle": each[5], "all": each[6],
        });
        row["commit_us"] = commits.json();
        rows.push(row);
    }
    Ok(rows.into())
}

/// What a ledger of this length takes, and how soon it answers.
fn look(alone: &mut Alone, at: &Path, genesis: &Genesis) -> anyhow::Result<Value> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let rss = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .map_or(0, crate::figures::number)
        / 1024;
    let columns: Vec<_> = {
        alone.store.flush()?;
        let mut columns = alone.store.column_sizes();
        columns.sort_by_key(|(_, bytes)| core::cmp::Reverse(*bytes));
        columns
    };
    let bytes = disk_bytes(at);
    let mut times = Vec::new();
    let mut proof_bytes = 0;
    let step = usize::try_from((alone.some.len() as u64 / PROOFS).max(1))?;
    for record in alone.some.iter().step_by(step) {
        let started = clock::instant();
        let proof = prove::record(&alone.rules, &*alone.store, record);
        times.push(micros(started.elapsed()));
        let proof = proof.ok_or_else(|| anyhow::anyhow!("a record of the ledger is proven"))?;
        proof_bytes = proof::encode(&proof).len();
    }
    let proofs = Spread::of(times);
    // Restart: the store is closed and opened, and the end of the chain read.
    let scratch = tempfile::tempdir()?;
    alone.open(scratch.path(), genesis)?;
    let started = clock::instant();
    alone.open(at, genesis)?;
    let found = tip(&alone.rules, &alone.state);
    let opened = micros(started.elapsed());
    anyhow::ensure!(found.log.size() == alone.records, "it is the ledger that was closed");
    println!(
        "                         {} bytes of disk a record; RSS {rss} MiB; opened in {} s; a record proof of {proof_bytes} bytes in p50 {} ms, p99 {}",
        bytes / alone.records.max(1),
        thousandths(opened / 1000),
        thousandths(proofs.p50),
        thousandths(proofs.p99),
    );
    let each: Vec<_> = columns
        .iter()
        .map(|(name, bytes)| (*name, bytes / alone.records.max(1)))
        .filter(|(_, each)| *each > 0)
        .collect();
    let words: Vec<_> = each.iter().map(|(name, each)| format!("{name} {each}")).collect();
    println!("                         {}", words.join(", "));
    Ok(json!({
        "records": alone.records, "disk_bytes_per_record": bytes / alone.records.max(1), "rss_mib": rss,
        "open_us": opened, "proof_us": proofs.json(), "proof_bytes": proof_bytes,
        "bytes_per_record": each.into_iter().collect::<std::collections::BTreeMap<_, _>>(),
    }))
}
