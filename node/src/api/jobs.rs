//! Bulk submissions: on disk before they are answered, handed in at the pool's own pace, and accounted for to the last one.
//!
//! A job is a file beside the ledger. It is named by the digest of what was submitted, so that submitting it again is the
//! same job; a node that stops goes on with it when it starts.

use super::{
    Node, Shared, answers,
    asked::{self, Name},
    problem::Failure,
    transactions,
};
use crate::{
    clock,
    shell::{Unaccepted, committed_receipt},
};
use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use client::api::{self, Fate, JOB_BYTES_MAX, JOB_TRANSACTIONS_MAX, JobView, Receipt};
use ledger::{Rejection, query};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use types::{
    ChainId, Digest, Height, RecordId, Text, Timestamp, Transaction, TxId, Verified, codec,
    subject::Status,
    transaction::{TRANSACTION_BYTES_MAX, TransactionHeader},
};

/// How many jobs may be under way …
const RUNNING_MAX: usize = 32;
/// … and how many of one owner.
const RUNNING_OF_ONE: usize = 8;
/// How many finished jobs are remembered. When there are more, whoever has most loses the oldest.
const FINISHED_KEPT: usize = 1000;
/// How much they hold together, counted by [`Job::size`]: a body of a few bytes may be remembered by many. When it is more,
/// whoever holds most loses the oldest.
const RESULTS_KEPT: usize = 1_000_000;
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
    /// Whose quota it counts against.
    #[serde(default)]
    owner: Owner,
}

/// Whose quota a job counts against.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Owner(String);

impl Owner {
    /// A system's that has no key.
    pub(crate) fn of_system(name: &Text<64>) -> Self {
        Self(format!("system {name}"))
    }

    /// That of the first key that has something new to say, of those that may sign. What is decided already may have been
    /// copied from a block by anybody: if there is nothing else, the job is nobody's, and nobodies share one quota.
    fn of_keys(node: &Shared, transactions: &[Verified]) -> Result<Self, Failure> {
        let (rules, store) = (node.rules(), &node.handle.store);
        let mut known = false;
        for tx in transactions.iter().map(Verified::get) {
            let TransactionHeader { agency, key, valid_until, .. } = &tx.header;
            let standing = rules.agency(agency);
            let term = standing
                .into_iter()
                .flat_map(|standing| &standing.facts.keys)
                .find(|term| term.key == *key);
            known |= term.is_some();
            let signs = standing.zip(term).is_some_and(|(standing, _)| {
                standing.status == Status::Active && standing.facts.may_sign(key, rules.next())
            });
            if signs && *valid_until >= rules.next() && query::place(store, &tx.id()).is_none() {
                return Ok(Self(format!("key {key}")));
            }
        }
        if known {
            return Ok(Self::default());
        }
        let detail =
            "none of these keys is enrolled on the chain: nothing of this would be committed";
        Err(Failure::new(StatusCode::FORBIDDEN, "E-AUTH-KEY", detail))
    }
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
    /// Held while a job is written down: until it is on the disk it is not known, and nobody is told that it is taken on.
    writing: Mutex<()>,
}

impl Jobs {
    /// The jobs that lie in a directory; it is made when the first one is. What a crash left of others is removed.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn open(directory: &Path) -> io::Result<Self> {
        let jobs = Self {
            directory: directory.to_owned(),
            jobs: Mutex::default(),
            writing: Mutex::default(),
        };
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries.collect::<Result<Vec<_>, _>>()?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let paths: BTreeSet<_> = entries.iter().map(fs::DirEntry::path).collect();
        let mut read = 0;
        for path in &paths {
            let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
            let is = |kind: &str| path.extension().is_some_and(|found| found == kind);
            // What was being written when the node died: nobody was told that it is taken on.
            if is("draft") || (is("txs") && !paths.contains(&path.with_extension("json"))) {
                // One that stays is found at the next start.
                fs::remove_file(path).unwrap_or(());
            }
            if !is("json") {
                continue;
            }
            match serde_json::from_slice::<Job>(&fs::read(path)?) {
                Ok(job) => {
                    read += job.size();
                    jobs.lock().insert(name.to_owned(), job);
                }
                Err(error) => {
                    tracing::warn!(file = %path.display(), %error, "not a job; it is left alone");
                }
            }
            // However much lies there, about twice what is remembered is in memory at most.
            if read > RESULTS_KEPT {
                jobs.forget();
                read = 0;
            }
        }
        jobs.forget();
        Ok(jobs)
    }

    /// Goes on with what was not finished when the node stopped.
    pub fn resume(&self, node: &Arc<Shared>) {
        let unfinished: Vec<_> = {
            let jobs = self.lock();
            let unfinished = jobs.iter().filter(|(_, job)| job.finished.is_none());
            unfinished.map(|(id, _)| id.clone()).collect()
        };
        let chain = *node.rules().chain();
        for id in unfinished {
            match self.read(&id, &chain) {
                Ok(transactions) => drop(tokio::spawn(run(node.clone(), id, transactions))),
                Err(error) => {
                    tracing::warn!(job = id, %error, "a job cannot go on, and is given up");
                    drop(tokio::spawn(give_up(node.clone(), id)));
                }
            }
        }
    }

    /// The transactions of a job that was not finished; or why they cannot be told.
    fn read(&self, id: &str, chain: &ChainId) -> Result<Vec<Verified>, String> {
        let bytes = fs::read(self.path(id, "txs")).map_err(|error| error.to_string())?;
        let transactions = split(&bytes).map_err(|failure| format!("{failure:?}"))?;
        let all =
            Transaction::verify_all(transactions, chain).map_err(|error| error.to_string())?;
        let jobs = self.lock();
        let rows = jobs.get(id).into_iter().flat_map(|job| &job.rows);
        if !rows.map(|row| row.tx).eq(all.iter().map(Verified::id)) {
            return Err("its transactions are not those that it names".to_owned());
        }
        Ok(all)
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
        File::open(&self.directory)?.sync_all()?;
        // The first job makes the directory, which a power cut would take along with it.
        let above = self.directory.parent().filter(|above| !above.as_os_str().is_empty());
        File::open(above.unwrap_or_else(|| Path::new(".")))?.sync_all()
    }

    fn save(&self, id: &str, job: &Job) -> io::Result<()> {
        self.write(id, "json", &serde_json::to_vec(job)?)
    }

    /// The transactions of a job that are not decided, each with the number of its row.
    fn undecided(&self, id: &str) -> Vec<(usize, TxId)> {
        let jobs = self.lock();
        let rows = jobs.get(id).into_iter().flat_map(|job| job.rows.iter().enumerate());
        let open = rows.filter(|(_, row)| row.fate == Fate::Accepted);
        open.map(|(index, row)| (index, row.tx)).collect()
    }

    /// Ends a job: on the disk first, because whoever sees that it has ended may begin it anew. It waits for the disk.
    fn finish(&self, id: &str) {
        let _held = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(job) = self.lock().get(id).cloned() else { return };
        let job = Job { finished: Some(clock::now()), ..job };
        match self.save(id, &job) {
            Ok(()) => fs::remove_file(self.path(id, "txs")).unwrap_or(()),
            // All of it is decided, and the next start finds that out again.
            Err(error) => tracing::warn!(job = id, %error, "a job's end was not written down"),
        }
        self.lock().insert(id.to_owned(), job);
        self.forget();
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

    /// Forgets the oldest finished job of whoever has most of them, until there are not too many; and of whoever holds most,
    /// until they do not hold too much.
    fn forget(&self) {
        let mut jobs = self.lock();
        let mut finished: BTreeMap<Owner, Finished> = BTreeMap::new();
        let ended = jobs.iter().filter_map(|(id, job)| Some((id, job, job.finished?)));
        for (id, job, ended) in ended {
            let theirs = finished.entry(job.owner.clone()).or_default();
            theirs.size += job.size();
            theirs.jobs.insert((ended, id.clone()), job.size());
        }
        let mut count: usize = finished.values().map(|theirs| theirs.jobs.len()).sum();
        let mut size: usize = finished.values().map(|theirs| theirs.size).sum();
        loop {
            let most = match (count > FINISHED_KEPT, size > RESULTS_KEPT) {
                (_, true) => finished.values_mut().max_by_key(|theirs| theirs.size),
                (true, false) => finished.values_mut().max_by_key(|theirs| theirs.jobs.len()),
                (false, false) => break,
            };
            let Some(theirs) = most else { break };
            let Some(((_, id), freed)) = theirs.jobs.pop_first() else { break };
            theirs.size -= freed;
            (count, size) = (count - 1, size - freed);
            jobs.remove(&id);
            // One whose end was not written down has its transactions still.
            for kind in ["json", "txs"] {
                // A file that stays is found at the next start, and forgotten again.
                fs::remove_file(self.path(&id, kind)).unwrap_or(());
            }
        }
    }

    /// Takes a job on: when this gives it, it is on the disk. None, if it was before.
    fn take_on(&self, id: &str, job: Job, transactions: &[Verified]) -> Result<bool, Failure> {
        let _held = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let all = self.lock();
            match all.get(id) {
                // The same again, under way or well ended.
                Some(known) if known.finished.is_none() || !has_refused(known) => return Ok(false),
                Some(_) | None => {}
            }
            let running = || all.values().filter(|job| job.finished.is_none());
            let (in_all, theirs) =
                (running().count(), running().filter(|other| other.owner == job.owner).count());
            let full = match (in_all >= RUNNING_MAX, theirs >= RUNNING_OF_ONE) {
                (_, true) => Some(format!("{theirs} bulk submissions of yours are under way here")),
                (true, false) => Some(format!("{in_all} bulk submissions are under way here")),
                (false, false) => None,
            };
            if let Some(full) = full {
                let (busy, detail) = (StatusCode::TOO_MANY_REQUESTS, format!("{full}; come back"));
                return Err(Failure::new(busy, "E-JOB-FULL", detail).after(5));
            }
        }
        let bytes = api::job(transactions.iter().map(Verified::get));
        if let Err(error) = self.write(id, "txs", &bytes).and_then(|()| self.save(id, &job)) {
            let detail = format!("the job could not be written down, and is not taken on: {error}");
            return Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, "E-NODE-DISK", detail));
        }
        self.lock().insert(id.to_owned(), job);
        self.forget();
        Ok(true)
    }
}

/// Takes a job on: when this returns it is on disk, and will be carried out. It waits for the disk.
pub(crate) fn begin(
    node: &Arc<Shared>,
    id: &str,
    transactions: Vec<Verified>,
    owner: Owner,
    (behaviour, faults): (Option<&str>, Vec<String>),
) -> Result<(), Failure> {
    let job = Job::new(&transactions, owner, (behaviour, faults));
    if node.jobs.take_on(id, job, &transactions)? {
        tokio::spawn(run(node.clone(), id.to_owned(), transactions));
    }
    Ok(())
}

impl Job {
    fn new(
        transactions: &[Verified],
        owner: Owner,
        (behaviour, faults): (Option<&str>, Vec<String>),
    ) -> Self {
        let rows = transactions.iter().map(|tx| Row {
            tx: tx.id(),
            records: tx.records().to_vec(),
            fate: Fate::Accepted,
            height: None,
            code: None,
            detail: None,
        });
        Self {
            version: 1,
            created: clock::now(),
            finished: None,
            rows: rows.collect(),
            behaviour: behaviour.map(str::to_owned),
            faults,
            owner,
        }
    }

    /// How much there is to remember of it: transactions, records, and what was not taken on.
    fn size(&self) -> usize {
        let rows: usize = self.rows.iter().map(|row| 1 + row.records.len()).sum();
        rows + self.faults.len()
    }
}

/// What somebody has of finished jobs: each by when it ended, with its size.
#[derive(Default)]
struct Finished {
    size: usize,
    jobs: BTreeMap<(Timestamp, String), usize>,
}

fn has_refused(job: &Job) -> bool {
    job.rows.iter().any(|row| row.fate == Fate::Refused)
}

/// Hands in each transaction, waits until all are decided, and writes down how they ended.
async fn run(node: Arc<Shared>, id: String, transactions: Vec<Verified>) {
    let (mut at, mut pause) = (0, PAUSE);
    while at < transactions.len() {
        let lot = &transactions[at..transactions.len().min(at + TOGETHER)];
        let answers = node.handle.submit_all(lot.to_vec()).await;
        let taken = answers.iter().take_while(|answer| !is_crowded(answer)).count();
        for (tx, answer) in lot.iter().zip(answers).take(taken) {
            let (tx_id, names) = (tx.id(), tx.records().to_vec());
            let receipt = match answer {
                // Of what is undecided the ledger tells, or the next start, which hands it in again.
                Ok(_) | Err(Unaccepted::Undecided(_)) => None,
                Err(Unaccepted::Refused(Rejection::Committed(_))) => {
                    committed_receipt(&node.handle.store, &tx_id)
                }
                Err(Unaccepted::Refused(Rejection::Recorded)) => {
                    Some(transactions::recorded(&node, tx_id, &names))
                }
                Err(Unaccepted::Refused(rejection)) => Some(Receipt {
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
    for (index, tx) in node.jobs.undecided(&id) {
        settle(&node, &id, index, &decision(&node, tx).await);
    }
    end(node, id).await;
}

/// Ends a job whose transactions cannot be read again. What neither waits here nor has ended is refused, so that the same may
/// be sent again; all else ends as it does.
async fn give_up(node: Arc<Shared>, id: String) {
    for (index, tx) in node.jobs.undecided(&id) {
        let receipt = if is_lost(&node, tx).await { lost(tx) } else { decision(&node, tx).await };
        settle(&node, &id, index, &receipt);
    }
    end(node, id).await;
}

/// Whether nothing will come of a transaction here.
async fn is_lost(node: &Shared, tx: TxId) -> bool {
    if node.handle.is_pending(tx).await {
        return false;
    }
    // A replica that is gone has nothing pending, either; but of one that is there, an outcome can be waited for.
    let waited = tokio::time::timeout(Duration::ZERO, node.handle.outcome(tx)).await;
    waited.is_err() && transactions::decided(node, tx).is_none()
}

fn lost(tx: TxId) -> Receipt {
    let detail = format!(
        "transaction {tx} is neither committed nor waiting on this node, which can no longer read the job it came in; submit \
         the same again"
    );
    Receipt {
        status: Fate::Refused,
        code: Some("E-TX-UNKNOWN".to_owned()),
        detail: Some(detail),
        ..transactions::accepted(tx, &[])
    }
}

/// How a transaction ends that waits here.
async fn decision(node: &Shared, tx: TxId) -> Receipt {
    loop {
        let waited = tokio::time::timeout(LOOK_EVERY, node.handle.outcome(tx)).await;
        let receipt = transactions::decided(node, tx).or_else(|| waited.ok().flatten());
        if let Some(receipt) = receipt {
            return receipt;
        }
        // The replica is gone when it gives no outcome at once, and the next start goes on.
        tokio::time::sleep(PAUSE).await;
    }
}

/// Ends a job, away from those who wait for no disk.
async fn end(node: Arc<Shared>, id: String) {
    let name = id.clone();
    let ended = tokio::task::spawn_blocking(move || node.jobs.finish(&name)).await;
    if let Err(error) = ended {
        tracing::warn!(job = id, %error, "a job's end was not written down");
    }
}

/// Whether one found no room, and neither did any behind it.
pub(super) fn is_crowded(answer: &Result<TxId, Unaccepted>) -> bool {
    matches!(answer, Err(Unaccepted::Refused(rejection)) if rejection.is_passing())
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

/// Refuses a body in which a transaction stands twice. It is committed once, and would be remembered as often as it stands
/// there; and whoever reads blocks has transactions to repeat.
fn once_each(transactions: &[Verified]) -> Result<(), Failure> {
    let mut seen = BTreeMap::new();
    for (number, tx) in (1_usize..).zip(transactions) {
        if let Some(before) = seen.insert(tx.id(), number) {
            let why = format_args!(
                "transaction {number}: it is transaction {before} again; hand in each once"
            );
            return Err(Failure::bad("E-TX-ENCODING", &why));
        }
    }
    Ok(())
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
        (status = 403, description = "None of the keys is enrolled on the chain."),
        (status = 413, description = "More bytes than at once."),
        (status = 429, description = "Too many jobs are under way, in all or of this key; come back."),
    ),
)]
pub(super) async fn submit(State(node): Node, body: Body) -> Result<Response, Failure> {
    let bytes: Bytes = asked::body(body, JOB_BYTES_MAX, "submit in parts").await?;
    let id = name(&bytes);
    let transactions = verified(&node, bytes.clone()).await?;
    once_each(&transactions)?;
    let (shared, name) = (node.clone(), id.clone());
    let begun = tokio::task::spawn_blocking(move || {
        // What was read of the body waits for the disk here. Until it is taken on, the body's room is not another's.
        let _held = bytes;
        let owner = Owner::of_keys(&shared, &transactions)?;
        begin(&shared, &name, transactions, owner, (None, Vec::new()))
    });
    begun.await.map_err(|error| Failure::fault(&error))??;
    let location = [(header::LOCATION, format!("/v1/jobs/{id}"))];
    Ok((StatusCode::ACCEPTED, location, told(node, id).await?).into_response())
}

/// How a job is doing. It may have a hundred thousand records, and is copied, so that nobody waits while it is spelled.
async fn told(node: Arc<Shared>, id: String) -> Result<Response, Failure> {
    let read = move || {
        let job = node.jobs.lock().get(&id).cloned();
        job.map(|job| view(&id, &job)).ok_or_else(|| unknown(&id))
    };
    answers::json(read).await
}

/// The transactions of a body, each with its signature checked, away from those who wait for nothing of the kind.
pub(super) async fn verified(node: &Arc<Shared>, bytes: Bytes) -> Result<Vec<Verified>, Failure> {
    if bytes.is_empty() {
        return Err(Failure::bad("E-TX-ENCODING", &"there is no transaction in the body"));
    }
    let chain = *node.rules().chain();
    let checked = tokio::task::spawn_blocking(move || {
        let verified = Transaction::verify_all(split(&bytes)?, &chain);
        Ok::<_, Failure>(verified.map_err(Rejection::from)?)
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
pub(super) async fn job(State(node): Node, Name(id): Name) -> Result<Response, Failure> {
    told(node, id).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{
        Hash, Operation, SecretKey,
        bulk::BatchAction,
        operation::{Action, Commitment, Grade, Provenance},
    };

    const CHAIN: ChainId = ChainId(Hash([1; 32]));

    /// A transaction of one record for each nonce.
    fn signed<const N: usize>(nonces: [u64; N]) -> Vec<Verified> {
        let agency = "11350000MXDEX01033".parse().unwrap();
        let key = SecretKey::from_seed([9; 32]);
        let operation = Operation {
            action: Action::Batch(BatchAction {
                series: "s".parse().unwrap(),
                lines: 1,
                root: Hash([2; 32]),
            }),
            commitment: Commitment {
                document: Digest::blake3(b"document"),
                content: Digest::blake3(b"content"),
                fields: None,
            },
            effective_from: Timestamp(1),
            grade: Grade::Public,
            provenance: Provenance {
                system: "test".parse().unwrap(),
                version: "1".parse().unwrap(),
                captured_at: Timestamp(1),
            },
        };
        let sign = |nonce| {
            Transaction::sign(CHAIN, agency, &key, nonce, Height(9), vec![operation.clone()])
        };
        Transaction::verify_all(Vec::from(nonces.map(sign)), &CHAIN).unwrap()
    }

    fn job(owner: &str, created: u64, finished: bool) -> Job {
        let job = Job::new(&[], Owner(owner.into()), (None, Vec::new()));
        let created = Timestamp(created);
        Job { created, finished: finished.then_some(created), ..job }
    }

    fn code(failure: Failure) -> StatusCode {
        failure.into_response().status()
    }

    #[test]
    fn one_owner_leaves_room_for_others() {
        let folder = tempfile::tempdir().unwrap();
        let jobs = Jobs::open(&folder.path().join("jobs")).unwrap();
        let take_on = |id: &str, owner: &str| jobs.take_on(id, job(owner, 1, false), &[]);
        for number in 0..RUNNING_OF_ONE {
            assert!(take_on(&format!("a{number}"), "key a").unwrap());
        }
        assert!(!take_on("a0", "key a").unwrap(), "the same again");
        assert_eq!(code(take_on("more", "key a").unwrap_err()), StatusCode::TOO_MANY_REQUESTS);
        assert!(take_on("b", "key b").unwrap());
        // What ended leaves room.
        jobs.lock().get_mut("a0").unwrap().finished = Some(Timestamp(2));
        assert!(take_on("more", "key a").unwrap());
        let again = Jobs::open(&folder.path().join("jobs")).unwrap();
        assert_eq!(again.lock()["b"].owner, Owner("key b".into()));
    }

    #[test]
    fn whoever_has_most_results_loses_the_oldest() {
        let folder = tempfile::tempdir().unwrap();
        let jobs = Jobs::open(&folder.path().join("jobs")).unwrap();
        let finished = |id: String, owner: &str, created| {
            jobs.lock().insert(id, job(owner, created, true));
        };
        finished("theirs".into(), "key b", 1);
        for number in 0..FINISHED_KEPT + 50 {
            finished(format!("{number:05}"), "", u64::try_from(number).unwrap() + 2);
        }
        jobs.forget();
        let all = jobs.lock();
        assert_eq!(all.len(), FINISHED_KEPT);
        assert!(all.contains_key("theirs"), "the oldest of all is another's, and stays");
        assert!(!all.contains_key("00050") && all.contains_key("00051"));
    }

    #[test]
    fn whoever_holds_most_loses_the_oldest_at_a_start_too() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("jobs");
        let jobs = Jobs::open(&directory).unwrap();
        let of_size = |owner: &str, ended, size| {
            let faults = vec![String::new(); size];
            Job { faults, ..job(owner, ended, true) }
        };
        for (id, owner, ended) in [("b", "", 2), ("c", "", 3), ("d", "", 4), ("e", "", 5)] {
            jobs.save(id, &of_size(owner, ended, RESULTS_KEPT / 3)).unwrap();
        }
        jobs.save("theirs", &of_size("key b", 1, RESULTS_KEPT / 4)).unwrap();
        jobs.save("under way", &Job { finished: None, ..of_size("", 1, RESULTS_KEPT / 3) })
            .unwrap();
        let jobs = Jobs::open(&directory).unwrap();
        let known = |jobs: &Jobs| jobs.lock().keys().cloned().collect::<Vec<_>>();
        assert_eq!(known(&jobs), ["d", "e", "theirs", "under way"]);
        assert!(directory.join("d.json").exists() && !directory.join("c.json").exists());
        // What ends makes room for itself.
        jobs.finish("under way");
        assert_eq!(known(&jobs), ["e", "theirs", "under way"]);
    }

    #[test]
    fn a_transaction_stands_in_a_body_once_and_is_counted_with_its_records() {
        let txs = signed([1, 2, 1]);
        assert!(once_each(&txs[..2]).is_ok());
        let refused = once_each(&txs).unwrap_err();
        let said = format!("{refused:?}");
        assert!(said.contains("transaction 3: it is transaction 1 again"), "{said}");
        assert_eq!(code(refused), StatusCode::BAD_REQUEST);
        assert_eq!(Job::new(&txs, Owner::default(), (None, vec!["bad".into()])).size(), 3 + 3 + 1);
    }

    /// Whoever sees that a job has ended may begin it anew, and nothing of its end comes after that.
    #[test]
    fn a_job_has_ended_when_its_end_is_on_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("jobs");
        let jobs = Jobs::open(&directory).unwrap();
        let txs = signed([1]);
        let again = || Job::new(&txs, Owner("key a".into()), (None, Vec::new()));
        let has_ended = |jobs: &Jobs| jobs.lock()["x"].finished.is_some();
        assert!(jobs.take_on("x", again(), &txs).unwrap());
        jobs.lock().get_mut("x").unwrap().rows[0].fate = Fate::Refused;
        let held = jobs.writing.lock().unwrap();
        std::thread::scope(|scope| {
            let ending = scope.spawn(|| jobs.finish("x"));
            // Long enough for it to have come as far as it may.
            for _ in 0..10_000 {
                std::thread::yield_now();
            }
            assert!(!has_ended(&jobs) && !ending.is_finished());
            drop(held);
            ending.join().unwrap();
        });
        assert!(has_ended(&jobs) && has_ended(&Jobs::open(&directory).unwrap()));
        assert!(!directory.join("x.txs").exists());
        assert!(jobs.take_on("x", again(), &txs).unwrap(), "what was refused may be sent again");
        assert!(!has_ended(&jobs) && !has_ended(&Jobs::open(&directory).unwrap()));
        assert_eq!(jobs.read("x", &CHAIN).unwrap(), txs);
        // An end that cannot be written down is one all the same.
        fs::remove_dir_all(&directory).unwrap();
        fs::write(&directory, "").unwrap();
        jobs.finish("x");
        assert!(has_ended(&jobs));
    }

    #[test]
    fn what_a_start_cannot_read_is_refused_so_that_it_may_be_sent_again() {
        let folder = tempfile::tempdir().unwrap();
        let jobs = Jobs::open(&folder.path().join("jobs")).unwrap();
        let txs = signed([1, 2]);
        let job = Job::new(&txs, Owner::default(), (None, Vec::new()));
        assert!(jobs.take_on("x", job, &txs).unwrap());
        assert_eq!(jobs.read("x", &CHAIN).unwrap(), txs);
        let path = jobs.path("x", "txs");
        let sound = fs::read(&path).unwrap();
        let one = api::job([txs[0].get()]);
        for (bytes, why) in [
            (&sound[..sound.len() - 1], "it is cut off"),
            (&one[..], "are not those that it names"),
        ] {
            fs::write(&path, bytes).unwrap();
            let said = jobs.read("x", &CHAIN).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
        fs::remove_file(&path).unwrap();
        assert!(jobs.read("x", &CHAIN).is_err());
        // What was decided before stays as it was.
        jobs.lock().get_mut("x").unwrap().rows[0].fate = Fate::Committed;
        assert_eq!(jobs.undecided("x"), [(1, txs[1].id())]);
        let lost = lost(txs[1].id());
        assert_eq!((lost.status, lost.code.as_deref()), (Fate::Refused, Some("E-TX-UNKNOWN")));
    }

    #[test]
    fn what_a_crash_left_of_a_job_that_was_not_taken_on_is_gone_after_a_start() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("jobs");
        let jobs = Jobs::open(&directory).unwrap();
        let txs = signed([1]);
        let job = Job::new(&txs, Owner::default(), (None, Vec::new()));
        assert!(jobs.take_on("x", job, &txs).unwrap());
        // What cannot be read as a job is left alone, and what lies beside it.
        for left in ["x.draft", "y.draft", "y.txs", "z.json", "z.txs"] {
            fs::write(directory.join(left), "").unwrap();
        }
        let again = Jobs::open(&directory).unwrap();
        let names = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, ["x.json", "x.txs", "z.json", "z.txs"]);
        assert_eq!(again.read("x", &CHAIN).unwrap(), txs);
    }

    /// A second that comes while the first is being written down is not told of it before it is on the disk.
    #[test]
    fn nobody_is_told_of_a_job_before_it_is_on_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("jobs");
        let jobs = Jobs::open(&directory).unwrap();
        let held = jobs.writing.lock().unwrap();
        std::thread::scope(|scope| {
            let told = || {
                let new = jobs.take_on("x", job("key a", 1, false), &[]).unwrap();
                (new, directory.join("x.json").exists())
            };
            let both = [scope.spawn(told), scope.spawn(told)];
            // Long enough for both to have come as far as they may.
            for _ in 0..10_000 {
                std::thread::yield_now();
            }
            assert!(jobs.lock().is_empty() && both.iter().all(|one| !one.is_finished()));
            drop(held);
            let mut told = both.map(|one| one.join().unwrap());
            told.sort_unstable();
            assert_eq!(told, [(false, true), (true, true)]);
        });
        // What cannot be written down is not known.
        fs::remove_dir_all(&directory).unwrap();
        fs::write(&directory, "").unwrap();
        let failed = jobs.take_on("y", job("key a", 1, false), &[]).unwrap_err();
        assert_eq!(code(failed), StatusCode::SERVICE_UNAVAILABLE);
        assert!(!jobs.lock().contains_key("y"));
    }
}
