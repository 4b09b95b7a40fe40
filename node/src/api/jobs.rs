//! Bulk submissions: on disk before they are answered, handed in at the pool's own pace, and accounted for to the last one.
//!
//! A job is a file beside the ledger. It is named by the digest of what was submitted, so that submitting it again is the
//! same job; a node that stops goes on with it when it starts.

use super::{
    Node, Shared,
    asked::{self, Name},
    problem::Failure,
    transactions,
};
use crate::{clock, shell::committed_receipt};
use axum::{
    Json,
    body::{Body, Bytes},
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use client::api::{self, Fate, JOB_BYTES_MAX, JOB_TRANSACTIONS_MAX, JobView, Receipt};
use ledger::Rejection;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use types::{
    Digest, Height, RecordId, Timestamp, Transaction, TxId, Verified, codec,
    transaction::TRANSACTION_BYTES_MAX,
};

/// How many jobs may be under way.
const RUNNING_MAX: usize = 32;
/// How many finished jobs are remembered.
const FINISHED_KEPT: usize = 1000;
/// The first pause when the pool has no room; each further one is twice as long, up to the longest.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How many transactions are handed in together.
const TOGETHER: usize = 64;
/// How long an outcome is waited for before the ledger is looked at again.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// What is known of a job, and what its file says.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Job {
    version: u16,
    created: Timestamp,
    finished: Option<Timestamp>,
    rows: Vec<Row>,
    /// How the system that submitted it wanted faults to be dealt with, where it had a say.
    behaviour: Option<String>,
    /// What was not taken on, and why.
    faults: Vec<String>,
}

/// A transaction of a job.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Row {
    tx: TxId,
    records: Vec<RecordId>,
    fate: Fate,
    height: Option<Height>,
    code: Option<String>,
    detail: Option<String>,
}

/// How one ended, as others are told.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) created: Timestamp,
    pub(crate) finished: Option<Timestamp>,
    pub(crate) behaviour: Option<String>,
    /// What was not taken on, and why.
    pub(crate) faults: Vec<String>,
    /// Why transactions were refused.
    pub(crate) refused: Vec<(Vec<RecordId>, String, String)>,
}

/// The bulk submissions of a node.
#[derive(Debug)]
pub struct Jobs {
    directory: PathBuf,
    jobs: Mutex<BTreeMap<String, Job>>,
}

impl Jobs {
    /// The jobs that lie in a directory; it is made when the first one is.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn open(directory: &Path) -> io::Result<Self> {
        let mut jobs = BTreeMap::new();
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries.collect::<Result<Vec<_>, _>>()?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        for path in entries.iter().map(fs::DirEntry::path) {
            let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
            if path.extension().is_none_or(|kind| kind != "json") {
                continue;
            }
            match serde_json::from_slice(&fs::read(&path)?) {
                Ok(job) => drop(jobs.insert(name.to_owned(), job)),
                Err(error) => {
                    tracing::warn!(file = %path.display(), %error, "not a job; it is left alone");
                }
            }
        }
        Ok(Self { directory: directory.to_owned(), jobs: Mutex::new(jobs) })
    }

    /// Goes on with what was not finished when the node stopped.
    pub fn resume(&self, node: &Arc<Shared>) {
        let unfinished: Vec<_> = {
            let jobs = self.lock();
            let unfinished = jobs.iter().filter(|(_, job)| job.finished.is_none());
            unfinished.map(|(id, _)| id.clone()).collect()
        };
        for id in unfinished {
            let read = fs::read(self.path(&id, "txs"))
                .map_err(|error| error.to_string())
                .and_then(|bytes| split(&bytes).map_err(|failure| format!("{failure:?}")));
            match read {
                Ok(transactions) => {
                    let chain = *node.rules().chain();
                    let verified = transactions.into_iter().map(|tx| tx.verify(&chain));
                    match verified.collect::<Result<Vec<_>, _>>() {
                        Ok(transactions) => drop(tokio::spawn(run(node.clone(), id, transactions))),
                        Err(error) => tracing::warn!(job = id, %error, "a job cannot go on"),
                    }
                }
                Err(error) => tracing::warn!(job = id, %error, "a job cannot go on"),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, id: &str, kind: &str) -> PathBuf {
        self.directory.join(format!("{id}.{kind}"))
    }

    /// Writes a file whole, or not at all.
    fn write(&self, id: &str, kind: &str, bytes: &[u8]) -> io::Result<()> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(&self.directory)?;
        let (draft, path) = (self.path(id, "draft"), self.path(id, kind));
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, &path)?;
        File::open(&self.directory)?.sync_all()
    }

    fn save(&self, id: &str, job: &Job) -> io::Result<()> {
        self.write(id, "json", &serde_json::to_vec(job)?)
    }

    /// How a job is doing; none if there is none of that name.
    pub(crate) fn account(&self, id: &str) -> Option<Account> {
        let jobs = self.lock();
        let job = jobs.get(id)?;
        let refused = job.rows.iter().filter(|row| row.fate == Fate::Refused);
        let why = |row: &Row| {
            (
                row.records.clone(),
                row.code.clone().unwrap_or_default(),
                row.detail.clone().unwrap_or_default(),
            )
        };
        Some(Account {
            created: job.created,
            finished: job.finished,
            behaviour: job.behaviour.clone(),
            faults: job.faults.clone(),
            refused: refused.map(why).collect(),
        })
    }

    /// Forgets the oldest finished jobs when there are too many.
    fn forget(&self) {
        let mut jobs = self.lock();
        let mut finished: Vec<_> = jobs
            .iter()
            .filter(|(_, job)| job.finished.is_some())
            .map(|(id, job)| (job.created, id.clone()))
            .collect();
        finished.sort();
        let surplus = finished.len().saturating_sub(FINISHED_KEPT);
        for (_, id) in finished.into_iter().take(surplus) {
            jobs.remove(&id);
            // A file that stays is found at the next start, and forgotten again.
            fs::remove_file(self.path(&id, "json")).unwrap_or(());
        }
    }
}

/// Takes a job on: when this returns it is on disk, and will be carried out.
pub(crate) fn begin(
    node: &Arc<Shared>,
    id: &str,
    transactions: Vec<Verified<Transaction>>,
    (behaviour, faults): (Option<&str>, Vec<String>),
) -> Result<(), Failure> {
    let jobs = &node.jobs;
    let rows = transactions.iter().map(|tx| Row {
        tx: tx.get().id(),
        records: tx.get().records().collect(),
        fate: Fate::Accepted,
        height: None,
        code: None,
        detail: None,
    });
    let job = Job {
        version: 1,
        created: clock::now(),
        finished: None,
        rows: rows.collect(),
        behaviour: behaviour.map(str::to_owned),
        faults,
    };
    {
        let mut all = jobs.lock();
        match all.get(id) {
            // The same again, under way or well ended.
            Some(known) if known.finished.is_none() || !has_refused(known) => return Ok(()),
            Some(_) | None => {}
        }
        let running = all.values().filter(|job| job.finished.is_none()).count();
        if running >= RUNNING_MAX {
            let detail = format!("{running} bulk submissions are under way here; come back");
            let busy = StatusCode::TOO_MANY_REQUESTS;
            return Err(Failure::new(busy, "E-JOB-FULL", detail).after(5));
        }
        all.insert(id.to_owned(), job.clone());
    }
    let bytes = api::job(transactions.iter().map(Verified::get));
    if let Err(error) = jobs.write(id, "txs", &bytes).and_then(|()| jobs.save(id, &job)) {
        jobs.lock().remove(id);
        let detail = format!("the job could not be written down, and is not taken on: {error}");
        return Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, "E-NODE-DISK", detail));
    }
    jobs.forget();
    tokio::spawn(run(node.clone(), id.to_owned(), transactions));
    Ok(())
}

fn has_refused(job: &Job) -> bool {
    job.rows.iter().any(|row| row.fate == Fate::Refused)
}

/// Hands in each transaction, waits until all are decided, and writes down how they ended.
async fn run(node: Arc<Shared>, id: String, transactions: Vec<Verified<Transaction>>) {
    let ids: Vec<TxId> = transactions.iter().map(|tx| tx.get().id()).collect();
    let (mut at, mut pause) = (0, PAUSE);
    while at < transactions.len() {
        let lot = &transactions[at..transactions.len().min(at + TOGETHER)];
        let answers = node.handle.submit_all(lot.to_vec()).await;
        let taken = answers.iter().take_while(|answer| !is_crowded(answer)).count();
        for (tx, answer) in lot.iter().zip(answers).take(taken) {
            let (tx_id, names) = (tx.get().id(), tx.get().records().collect::<Vec<_>>());
            let receipt = match answer {
                Ok(_) => None,
                Err(Rejection::Committed(_)) => committed_receipt(&node.handle.store, &tx_id),
                Err(Rejection::Recorded) => Some(transactions::recorded(&node, tx_id, &names)),
                Err(rejection) => Some(Receipt {
                    status: Fate::Refused,
                    code: Some(rejection.code().to_owned()),
                    detail: Some(rejection.to_string()),
                    ..transactions::accepted(tx_id, &names)
                }),
            };
            if let Some(receipt) = receipt {
                settle(&node, &id, at, &receipt);
            }
            at += 1;
        }
        // Nothing that was taken on is dropped because others came first.
        if taken < lot.len() {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        } else {
            pause = PAUSE;
        }
    }
    for (index, tx) in ids.into_iter().enumerate() {
        let is_open =
            node.jobs.lock().get(&id).is_some_and(|job| {
                job.rows.get(index).is_some_and(|row| row.fate == Fate::Accepted)
            });
        if !is_open {
            continue;
        }
        loop {
            let waited = tokio::time::timeout(LOOK_EVERY, node.handle.outcome(tx)).await;
            let receipt = transactions::decided(&node, tx).or_else(|| waited.ok().flatten());
            if let Some(receipt) = receipt {
                settle(&node, &id, index, &receipt);
                break;
            }
            // The replica is gone when it gives no outcome at once, and the next start goes on.
            tokio::time::sleep(PAUSE).await;
        }
    }
    let job = {
        let mut jobs = node.jobs.lock();
        let Some(job) = jobs.get_mut(&id) else { return };
        job.finished = Some(clock::now());
        job.clone()
    };
    match node.jobs.save(&id, &job) {
        Ok(()) => fs::remove_file(node.jobs.path(&id, "txs")).unwrap_or(()),
        Err(error) => tracing::warn!(job = id, %error, "a job's end was not written down"),
    }
}

/// Whether one found no room, and neither did any behind it.
pub(super) fn is_crowded(answer: &Result<TxId, Rejection>) -> bool {
    answer.as_ref().is_err_and(Rejection::is_passing)
}

fn settle(node: &Shared, id: &str, index: usize, receipt: &Receipt) {
    let mut jobs = node.jobs.lock();
    let row = jobs.get_mut(id).and_then(|job| job.rows.get_mut(index));
    if let Some(row) = row {
        row.fate = receipt.status;
        row.height = receipt.height;
        row.code.clone_from(&receipt.code);
        row.detail.clone_from(&receipt.detail);
    }
}

fn split(mut bytes: &[u8]) -> Result<Vec<Transaction>, Failure> {
    let mut transactions = Vec::new();
    while !bytes.is_empty() {
        let number = transactions.len() + 1;
        let bad = |why: &dyn core::fmt::Display| {
            Failure::bad("E-TX-ENCODING", &format_args!("transaction {number}: {why}"))
        };
        if number > JOB_TRANSACTIONS_MAX {
            return Err(bad(&format_args!("at most {JOB_TRANSACTIONS_MAX} at once")));
        }
        let (length, rest) = bytes
            .split_first_chunk::<4>()
            .ok_or_else(|| bad(&"the length before it is cut off"))?;
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        if length > TRANSACTION_BYTES_MAX {
            return Err(bad(&format_args!("{length} bytes; at most {TRANSACTION_BYTES_MAX}")));
        }
        let (encoded, rest) = rest.split_at_checked(length).ok_or_else(|| bad(&"it is cut off"))?;
        transactions.push(codec::decode(encoded).map_err(|error| bad(&error))?);
        bytes = rest;
    }
    Ok(transactions)
}

fn view(id: &str, job: &Job) -> JobView {
    let receipts: Vec<Receipt> = job
        .rows
        .iter()
        .map(|row| Receipt {
            status: row.fate,
            height: row.height,
            code: row.code.clone(),
            detail: row.detail.clone(),
            ..transactions::accepted(row.tx, &row.records)
        })
        .collect();
    let count = |wanted: &[Fate]| {
        let found = receipts.iter().filter(|receipt| wanted.contains(&receipt.status)).count();
        u64::try_from(found).unwrap_or(u64::MAX)
    };
    JobView {
        job: id.to_owned(),
        created: job.created,
        finished: job.finished.is_some(),
        total: count(&[Fate::Accepted, Fate::Committed, Fate::Recorded, Fate::Refused]),
        committed: count(&[Fate::Committed, Fate::Recorded]),
        refused: count(&[Fate::Refused]),
        transactions: receipts,
    }
}

/// Hand in many transactions at once
///
/// One after the other, each behind its length as four bytes, little-endian. All are checked before any is taken; then the
/// job is on disk, and is carried out whatever happens to this node. The same body again is the same job.
#[utoipa::path(
    post,
    path = "/v1/jobs",
    tag = "Submit",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 202, description = "Taken on.", body = JobView,
            headers(("location" = String, description = "Where to ask how it is doing."))),
        (status = 400, description = "One of them is not a transaction; none was taken."),
        (status = 413, description = "More bytes than at once."),
        (status = 429, description = "Too many jobs are under way; come back."),
    ),
)]
pub(super) async fn submit(State(node): Node, body: Body) -> Result<Response, Failure> {
    let bytes: Bytes = asked::body(body, JOB_BYTES_MAX, "submit in parts").await?;
    let id = name(&bytes);
    let transactions = verified(&node, bytes).await?;
    begin(&node, &id, transactions, (None, Vec::new()))?;
    let jobs = node.jobs.lock();
    let job = jobs.get(&id).ok_or_else(|| unknown(&id))?;
    let location = format!("/v1/jobs/{id}");
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(view(&id, job))).into_response())
}

/// The transactions of a body, each with its signature checked, away from those who wait for nothing of the kind.
pub(super) async fn verified(
    node: &Arc<Shared>,
    bytes: Bytes,
) -> Result<Vec<Verified<Transaction>>, Failure> {
    if bytes.is_empty() {
        return Err(Failure::bad("E-TX-ENCODING", &"there is no transaction in the body"));
    }
    let chain = *node.rules().chain();
    let checked = tokio::task::spawn_blocking(move || {
        let verify = |tx: Transaction| tx.verify(&chain).map_err(Rejection::from);
        let transactions = split(&bytes)?.into_iter().map(verify);
        Ok::<_, Failure>(transactions.collect::<Result<Vec<_>, _>>()?)
    });
    checked.await.map_err(|error| Failure::fault(&error))?
}

/// The name of a job: of what was submitted.
pub(crate) fn name(bytes: &[u8]) -> String {
    codec::hex(&Digest::blake3(bytes).bytes[..16])
}

fn unknown(id: &str) -> Failure {
    Failure::not_found("E-JOB-UNKNOWN", format!("this node knows of no job {id:?}"))
}

/// How a bulk submission is doing
#[utoipa::path(
    get,
    path = "/v1/jobs/{id}",
    tag = "Submit",
    params(("id" = String, Path, description = "The job: 32 hexadecimal digits.")),
    responses(
        (status = 200, description = "How it is doing.", body = JobView),
        (status = 404, description = "This node knows of no such job."),
    ),
)]
pub(super) async fn job(State(node): Node, Name(id): Name) -> Result<Json<JobView>, Failure> {
    let jobs = node.jobs.lock();
    jobs.get(&id).map(|job| Json(view(&id, job))).ok_or_else(|| unknown(&id))
}
