//! A node, asked over HTTP: one method a question, errors sorted by what the caller can do about them.

use crate::{
    api::{
        Agencies, BlockView, Blocks, CheckpointView, EvidenceList, Fate, History, JobView,
        NodeStatus, Order, Problem, ProofRequest, Receipt, Receipts, RecordView, Records,
        SubjectView, Wanted,
    },
    tls::{Tls, TlsError, distrust, plain},
};
use reqwest::{RequestBuilder, Response, StatusCode, Url, header};
use serde::de::DeserializeOwned;
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::time::Instant;
use types::{Digest, Height, RecordId, Subject, Transaction, TxId, codec};

/// The longest answer that is read, bytes: a proof of a long history is the largest.
const ANSWER_BYTES_MAX: usize = 32 << 20;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a connection is kept for the next question. A node hangs up after ten seconds in which nothing was asked, and
/// whoever asks at that very moment gets no answer.
const KEPT: Duration = Duration::from_secs(5);

/// The name by which a node's log has a request.
const REQUEST_ID: &str = "x-request-id";

/// How long an answer may take. A node holds a submission that waits to be committed for ten seconds.
const ANSWER: Duration = Duration::from_secs(30);

/// How long what has no end may take.
const FOREVER: Duration = Duration::from_secs(u32::MAX as u64);

/// The longest pause a node can talk us into.
pub(crate) const PAUSE_MAX: Duration = Duration::from_secs(60);

/// A node, asked over HTTP.
#[derive(Clone, Debug)]
pub struct Client {
    base: String,
    http: reqwest::Client,
}

/// How far a submission is to have come when the node answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wait {
    /// In the node's pool.
    Accepted,
    /// In a block.
    Committed,
}

impl Wait {
    /// As the API spells it.
    const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Committed => "committed",
        }
    }
}

/// Why a question has no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ClientError {
    /// Not an address this version can ask.
    #[error("{url:?} is not a node's address: {why}")]
    Address {
        /// The address.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The files that say whom to believe, or who we are, cannot be used.
    #[error(transparent)]
    Tls(#[from] Arc<TlsError>),
    /// The node is not whom it has to be, or does not believe us. Asking again helps nothing.
    #[error("{url} cannot be asked safely: {why}")]
    Untrusted {
        /// Whom we asked.
        url: String,
        /// What is wrong, and what to do.
        why: String,
    },
    /// No answer arrived. Whether the question did is not known; asking again is safe.
    #[error("no answer from {url}: {why}")]
    Unreachable {
        /// Whom we asked.
        url: String,
        /// What happened.
        why: String,
    },
    /// The node is there and asks for patience (429, 503).
    #[error("{} ({})", problem.detail, problem.code)]
    Busy {
        /// For how long, if it said.
        retry_after: Option<Duration>,
        /// Why.
        problem: Problem,
    },
    /// The node refused, or failed, and says why.
    #[error("{} ({})", .0.detail, .0.code)]
    Problem(Problem),
    /// Whatever answered is not a node of this version.
    #[error("{url} does not answer like a node of this version: {why}")]
    Strange {
        /// Whom we asked.
        url: String,
        /// What is odd.
        why: String,
    },
}

impl ClientError {
    /// Whether the same question may have an answer later.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Busy { .. } => true,
            // 408: not done in time, which says nothing about what was asked.
            Self::Problem(problem) => problem.status >= 500 || problem.status == 408,
            Self::Address { .. } | Self::Tls(_) | Self::Untrusted { .. } | Self::Strange { .. } => {
                false
            }
        }
    }
}

impl From<TlsError> for ClientError {
    fn from(why: TlsError) -> Self {
        Self::Tls(Arc::new(why))
    }
}

/// How long to try again before giving up.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// The first pause; each further one is twice as long.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
    /// All pauses together.
    pub total: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(200),
            longest: Duration::from_secs(5),
            total: Duration::from_secs(120),
        }
    }
}

/// A pause before a question is asked again.
#[derive(Clone, Debug)]
pub struct Pause {
    /// How long.
    pub length: Duration,
    /// Why.
    pub why: ClientError,
}

impl Patience {
    /// Asks until there is an answer or no patience is left; `pausing` hears of every pause.
    ///
    /// # Errors
    /// The last error, when it will not pass or the pauses together exceed the total.
    pub async fn ask<T, F: Future<Output = Result<T, ClientError>>>(
        &self,
        mut pausing: impl FnMut(&Pause),
        mut question: impl FnMut() -> F,
    ) -> Result<T, ClientError> {
        let (mut next, mut spent) = (self.first, Duration::ZERO);
        loop {
            let why = match question().await {
                Ok(answer) => return Ok(answer),
                Err(why) => why,
            };
            let asked = match &why {
                ClientError::Busy { retry_after, .. } => *retry_after,
                ClientError::Unreachable { .. }
                | ClientError::Problem(_)
                | ClientError::Address { .. }
                | ClientError::Tls(_)
                | ClientError::Untrusted { .. }
                | ClientError::Strange { .. } => None,
            };
            // A node that says "at once" is not asked at once, or it would be asked for ever.
            let length = asked.unwrap_or(next).max(self.first).min(PAUSE_MAX);
            if !why.is_passing() || spent + length > self.total {
                return Err(why);
            }
            tracing::debug!(ms = whole(length), %why, "asking again after a pause");
            pausing(&Pause { length, why });
            tokio::time::sleep(length).await;
            spent += length;
            next = (next * 2).min(self.longest);
        }
    }
}

impl Client {
    /// A client of the node at a URL such as `http://127.0.0.1:28001` or `https://ledger.example.gov.cn`, which is believed if
    /// the system believes its authority. Nothing is sent yet.
    ///
    /// # Errors
    /// When it is not a URL that can be asked, or the system believes nobody.
    pub fn new(url: &str) -> Result<Self, ClientError> {
        if is_tls(url)? {
            Self::with(url, &Tls::open(None, None)?)
        } else {
            Self::over(url, plain())
        }
    }

    /// The same, of a node that is believed as `tls` says, and is shown what that has to show.
    ///
    /// # Errors
    /// When it is not a URL that can be asked.
    pub fn with(url: &str, tls: &Tls) -> Result<Self, ClientError> {
        is_tls(url)?;
        Self::over(url, tls.builder())
    }

    fn over(url: &str, builder: reqwest::ClientBuilder) -> Result<Self, ClientError> {
        let why = "the HTTP client does not start";
        let http = builder
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .pool_idle_timeout(KEPT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("minlian/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|_why| ClientError::Address { url: url.to_owned(), why })?;
        Ok(Self { base: url.trim_end_matches('/').to_owned(), http })
    }

    /// The node's address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.base
    }

    /// How the node and its chain are.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn status(&self) -> Result<NodeStatus, ClientError> {
        self.get("/v1/status").await
    }

    /// Hands in a transaction. Handing it in twice is one commit and the same receipt.
    ///
    /// A receipt with [`Fate::Accepted`] may come even when asked to wait for the commit: the node does not wait for ever.
    ///
    /// # Errors
    /// When there is no answer, or the node refuses: [`ClientError::Problem`] has the code.
    pub async fn submit(&self, tx: &Transaction, wait: Wait) -> Result<Receipt, ClientError> {
        let request = self
            .http
            .post(format!("{}/v1/transactions?wait={}", self.base, wait.name()))
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .body(codec::encode(tx));
        self.parse(&self.send(request).await?)
    }

    /// Hands in several transactions in one question, and gives a receipt for each, in their order. Each is its own: one that
    /// is refused holds up no other, and one whose code says that there is no room may be handed in again.
    ///
    /// At most so many bytes as one transaction may have, with four for each.
    ///
    /// # Errors
    /// When there is no answer, or one of them is no transaction, or there is room for none: then none was taken.
    pub async fn submit_batch<'t>(
        &self,
        transactions: impl IntoIterator<Item = &'t Transaction>,
        wait: Wait,
    ) -> Result<Vec<Receipt>, ClientError> {
        let request = self
            .http
            .post(format!("{}/v1/transactions:batch?wait={}", self.base, wait.name()))
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .body(crate::api::job(transactions));
        let Receipts { receipts } = self.parse(&self.send(request).await?)?;
        Ok(receipts)
    }

    /// Hands in many transactions at once: the node takes on all of them or none, and carries them out in their order,
    /// whatever happens to it meanwhile. Handing in the same again is the same job.
    ///
    /// At most [`api::JOB_TRANSACTIONS_MAX`](crate::api::JOB_TRANSACTIONS_MAX) and
    /// [`api::JOB_BYTES_MAX`](crate::api::JOB_BYTES_MAX) go into one.
    ///
    /// # Errors
    /// When there is no answer, or the node refuses one of them: then none was taken.
    pub async fn submit_many<'t>(
        &self,
        transactions: impl IntoIterator<Item = &'t Transaction>,
    ) -> Result<JobView, ClientError> {
        let request = self
            .http
            .post(format!("{}/v1/jobs", self.base))
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .body(crate::api::job(transactions));
        self.parse(&self.send(request).await?)
    }

    /// How a job is doing; `None` when the node knows of no such job.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn job(&self, id: &str) -> Result<Option<JobView>, ClientError> {
        found(self.get(&format!("/v1/jobs/{}", escaped(id))).await)
    }

    /// Waits until every transaction of a job is decided, looking every now and then; `None` when the node knows of no such job.
    ///
    /// # Errors
    /// When there is no answer, or nothing more was decided for as long as `patience` has pauses.
    pub async fn finished(
        &self,
        id: &str,
        patience: &Patience,
    ) -> Result<Option<JobView>, ClientError> {
        let (mut pause, mut spent, mut decided) = (patience.first, Duration::ZERO, 0);
        loop {
            let job = match patience.ask(|_| {}, || self.job(id)).await? {
                Some(job) if !job.finished => job,
                settled => return Ok(settled),
            };
            if job.committed + job.refused > decided {
                (pause, spent, decided) =
                    (patience.first, Duration::ZERO, job.committed + job.refused);
            }
            if spent > patience.total {
                let why = format!("job {id}: {decided} of {} decided, and no more", job.total);
                return Err(ClientError::Unreachable { url: self.base.clone(), why });
            }
            tokio::time::sleep(pause).await;
            spent += pause;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }

    /// Waits until a transaction that was accepted is committed or refused, looking every now and then.
    ///
    /// `None` when the node does not know it; submitting it again is safe.
    ///
    /// # Errors
    /// When there is no answer, or nothing was decided for as long as `patience` has pauses.
    pub async fn settled(
        &self,
        id: &TxId,
        patience: &Patience,
    ) -> Result<Option<Receipt>, ClientError> {
        let (mut pause, mut spent) = (patience.first, Duration::ZERO);
        loop {
            let quiet = |_: &Pause| {};
            // The node answers when it is decided, or after a while.
            let path = format!("/v1/transactions/{id}?wait=committed");
            let receipt: Option<Receipt> =
                patience.ask(quiet, || async { found(self.get(&path).await) }).await?;
            let undecided = receipt.as_ref().is_some_and(|r| r.status == Fate::Accepted);
            if !undecided {
                return Ok(receipt);
            }
            if spent > patience.total {
                let why = format!("transaction {} is accepted, and not decided yet", id.0.short());
                return Err(ClientError::Unreachable { url: self.base.clone(), why });
            }
            tokio::time::sleep(pause).await;
            spent += pause;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }

    /// What became of a transaction; `None` when the node does not know it.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn transaction(&self, id: &TxId) -> Result<Option<Receipt>, ClientError> {
        found(self.get(&format!("/v1/transactions/{id}")).await)
    }

    /// A record; `None` when it is not on the ledger.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn record(&self, id: &RecordId) -> Result<Option<RecordView>, ClientError> {
        found(self.get(&format!("/v1/records/{id}")).await)
    }

    /// A page of the records that are wanted; its `next` is the `cursor` of the next page.
    ///
    /// # Errors
    /// When there is no answer, or the node cannot list in this way.
    pub async fn list(&self, wanted: &Wanted) -> Result<Records, ClientError> {
        self.get(&wanted.path("/v1/records", None)).await
    }

    /// Every record that is wanted, fetched page by page as they are taken.
    #[must_use]
    pub fn every(&self, wanted: Wanted) -> Every {
        Every { client: self.clone(), wanted: Some(wanted), page: VecDeque::new() }
    }

    /// The records that commit to a document: the first page of them.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn records(&self, document: &Digest) -> Result<Records, ClientError> {
        self.get(&format!("/v1/records?document={document}")).await
    }

    /// Where a subject stands; `None` when it is not on the ledger.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn subject(&self, subject: &Subject) -> Result<Option<SubjectView>, ClientError> {
        found(self.get(&format!("/v1/subjects/{}", percent(subject))).await)
    }

    /// A page of a subject's history, oldest first; `None` when the subject is not on the ledger.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn history(
        &self,
        subject: &Subject,
        from: u64,
        limit: u64,
    ) -> Result<Option<History>, ClientError> {
        let subject = percent(subject);
        let path = format!("/v1/subjects/{subject}/history?from={from}&limit={limit}");
        let page: Option<History> = found(self.get(&path).await)?;
        // Whoever goes on as long as pages lead on would never end.
        let leads_on = |page: &History| page.rows.is_empty() && page.next > Some(from);
        if page.as_ref().is_some_and(leads_on) {
            return Err(self.strange("a page of a history is empty and leads on"));
        }
        Ok(page)
    }

    /// A block; `None` when there is none at that height yet.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn block(&self, height: Height) -> Result<Option<BlockView>, ClientError> {
        found(self.get(&format!("/v1/blocks/{height}")).await)
    }

    /// A page of blocks, newest first, from the height `cursor` down; its `next` is the `cursor` of the next page.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn blocks(&self, cursor: Option<Height>, limit: u64) -> Result<Blocks, ClientError> {
        let cursor = cursor.map(|height| format!("&cursor={height}")).unwrap_or_default();
        self.get(&format!("/v1/blocks?limit={limit}{cursor}")).await
    }

    /// The agencies, with their keys and roles.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn agencies(&self) -> Result<Agencies, ClientError> {
        self.get("/v1/agencies").await
    }

    /// The last block; `None` on a chain that has none.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn latest_block(&self) -> Result<Option<BlockView>, ClientError> {
        found(self.get("/v1/blocks/latest").await)
    }

    /// One proof file of all that is asked; `None` when something of it is not on the ledger.
    ///
    /// # Errors
    /// When there is no answer, or the node refuses.
    pub async fn prove(&self, request: &ProofRequest) -> Result<Option<Vec<u8>>, ClientError> {
        let body = self.http.post(format!("{}/v1/proofs", self.base)).json(request);
        found(self.send(body).await)
    }

    /// What the node signs of the log as a block left it; `None` when it has no such block.
    ///
    /// # Errors
    /// When there is no answer, or the node signs nothing.
    pub async fn checkpoint(&self, height: Height) -> Result<Option<CheckpointView>, ClientError> {
        found(self.get(&format!("/v1/checkpoints/{height}")).await)
    }

    /// The evidence that the node holds.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn evidence(&self) -> Result<EvidenceList, ClientError> {
        self.get("/v1/evidence").await
    }

    /// The proof file of a record; `None` when it is not on the ledger.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn record_proof(&self, id: &RecordId) -> Result<Option<Vec<u8>>, ClientError> {
        found(self.get_bytes(&format!("/v1/proofs/records/{id}")).await)
    }

    /// The proof file of where a subject stands, which may be that it is not on the ledger.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn subject_proof(&self, subject: &Subject) -> Result<Option<Vec<u8>>, ClientError> {
        found(self.get_bytes(&format!("/v1/proofs/subjects/{}", percent(subject))).await)
    }

    /// The node's genesis file. It is only as trustworthy as the node: take trust roots from your agency.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn genesis(&self) -> Result<String, ClientError> {
        String::from_utf8(self.get_bytes("/v1/genesis").await?)
            .map_err(|_why| self.strange("the genesis file is not UTF-8"))
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.parse(&self.get_bytes(path).await?)
    }

    async fn get_bytes(&self, path: &str) -> Result<Vec<u8>, ClientError> {
        self.send(self.http.get(format!("{}{path}", self.base))).await
    }

    /// A request for what has no end: nothing but its connection is timed.
    pub(crate) fn following(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("{}{path}", self.base)).timeout(FOREVER)
    }

    /// Sends a request, and tells the log how it went. The body is still to be read.
    async fn exchange(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let request = request.build().map_err(|why| self.strange(&why.to_string()))?;
        let (method, asked) = (request.method().clone(), told(request.url()));
        let node = &self.base;
        tracing::trace!(%node, %method, path = asked, "asking");
        let since = Instant::now();
        let answer = self.http.execute(request).await.map_err(|why| self.unreachable(&why));
        let ms = whole(since.elapsed());
        match &answer {
            Ok(answer) => {
                let name = answer.headers().get(REQUEST_ID).and_then(|name| name.to_str().ok());
                let (status, request) = (answer.status().as_u16(), name.unwrap_or("-"));
                tracing::debug!(%node, %method, path = asked, status, ms, request, "answer");
            }
            Err(why) => tracing::debug!(%node, %method, path = asked, ms, %why, "no answer"),
        }
        answer
    }

    async fn send(&self, request: RequestBuilder) -> Result<Vec<u8>, ClientError> {
        self.whole(self.exchange(request).await?).await
    }

    /// Opens what has no end.
    pub(crate) async fn open(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let answer = self.exchange(request).await?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let why = self.whole(answer).await.err();
        Err(why.unwrap_or_else(|| self.strange("it refuses and says nothing")))
    }

    /// The whole of an answer, if it is not a refusal.
    async fn whole(&self, answer: Response) -> Result<Vec<u8>, ClientError> {
        let status = answer.status();
        let retry_after = answer
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .map(Duration::from_secs);
        let bytes = self.body(answer).await?;
        if status.is_success() {
            return Ok(bytes);
        }
        let busy =
            matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        // Something in between, such as a proxy, may say 503 in its own words.
        let problem = match serde_json::from_slice(&bytes) {
            Ok(problem) => problem,
            Err(_foreign) if busy || status.is_server_error() => bare(status),
            Err(_foreign) => return Err(self.strange(&format!("it says {status}"))),
        };
        if busy {
            Err(ClientError::Busy { retry_after, problem })
        } else {
            Err(ClientError::Problem(problem))
        }
    }

    async fn body(&self, mut answer: Response) -> Result<Vec<u8>, ClientError> {
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|why| self.unreachable(&why))? {
            if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(self.strange("its answer does not end"));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    fn parse<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, ClientError> {
        serde_json::from_slice(bytes).map_err(|why| self.strange(&why.to_string()))
    }

    pub(crate) fn unreachable(&self, why: &reqwest::Error) -> ClientError {
        if let Some(why) = distrust(why) {
            return ClientError::Untrusted { url: self.base.clone(), why };
        }
        // The innermost cause is the one that names the reason; those around it say that there is one.
        let mut cause: &dyn std::error::Error = why;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        let why = cause.to_string();
        // hyper has a name for this which reqwest does not pass on; a test asks a listener with TLS and hears these words.
        if why.contains("HTTP version") {
            return self.strange(
                "what it says is not HTTP; if it serves TLS, its address begins with https://",
            );
        }
        ClientError::Unreachable { url: self.base.clone(), why }
    }

    pub(crate) fn strange(&self, why: &str) -> ClientError {
        ClientError::Strange { url: self.base.clone(), why: why.to_owned() }
    }
}

/// Records that were asked for, one after the other.
#[derive(Debug)]
pub struct Every {
    client: Client,
    /// What the next page is asked by; none after the last.
    wanted: Option<Wanted>,
    page: VecDeque<RecordView>,
}

impl Every {
    /// The next record; `None` at the end. After an error it may be asked again, and nothing is left out.
    ///
    /// # Errors
    /// When there is no answer, or the node cannot list in this way.
    pub async fn next(&mut self) -> Result<Option<RecordView>, ClientError> {
        loop {
            if let Some(record) = self.page.pop_front() {
                return Ok(Some(record));
            }
            let Some(wanted) = &self.wanted else { return Ok(None) };
            let Records { records, next } = self.client.list(wanted).await?;
            // A page may be empty and not be the last, but it was looked at: the next one begins beyond it.
            let moves_on = match (wanted.cursor, next, wanted.order) {
                (None, _, _) | (Some(_), None, _) => true,
                (Some(cursor), Some(next), Order::Oldest) => next > cursor,
                (Some(cursor), Some(next), Order::Newest) => next < cursor,
            };
            if !moves_on {
                return Err(self.client.strange("a page of its list does not lead on"));
            }
            self.wanted = self.wanted.take().filter(|_| next.is_some());
            if let Some(wanted) = &mut self.wanted {
                wanted.cursor = next;
            }
            self.page = records.into();
        }
    }
}

/// Whether an address is asked over TLS.
fn is_tls(url: &str) -> Result<bool, ClientError> {
    let address = |why| ClientError::Address { url: url.to_owned(), why };
    match Url::parse(url).map_err(|_why| address("it is not a URL"))?.scheme() {
        "http" => Ok(false),
        "https" => Ok(true),
        _ => Err(address("it has to begin with http:// or https://")),
    }
}

/// What is asked, as a log may have it: without the node, and without what is no path.
fn told(url: &Url) -> String {
    url.query().map_or_else(|| url.path().into(), |query| format!("{}?{query}", url.path()))
}

/// Whole milliseconds.
fn whole(time: Duration) -> u64 {
    time.as_millis().try_into().unwrap_or(u64::MAX)
}

/// A problem that came without words.
fn bare(status: StatusCode) -> Problem {
    let words = status.canonical_reason().unwrap_or("error").to_owned();
    Problem {
        kind: "about:blank".into(),
        title: words.clone(),
        status: status.as_u16(),
        code: format!("HTTP-{}", status.as_u16()),
        detail: words,
    }
}

/// "Not found" is an answer. That nothing answers at an address is none: it is the wrong address.
fn found<T>(answer: Result<T, ClientError>) -> Result<Option<T>, ClientError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(ClientError::Problem(problem))
            if problem.status == 404 && problem.code != "E-HTTP-ROUTE" =>
        {
            Ok(None)
        }
        Err(why) => Err(why),
    }
}

/// A subject as one segment of a path.
fn percent(subject: &Subject) -> String {
    escaped(&subject.to_string())
}

/// Text as one segment of a path: every byte outside the unreserved set of RFC 3986 section 2.3 escaped.
pub(crate) fn escaped(text: &str) -> String {
    use core::fmt::Write as _;
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(byte.into());
            }
            _ => write!(out, "%{byte:02X}").expect("a String takes what it is given"),
        }
        out
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpStream},
    };

    /// The next who asks, when the whole question is here.
    pub(crate) async fn asked(listener: &TcpListener) -> TcpStream {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (mut request, mut buffer) = (Vec::new(), [0; 1024]);
        while !request.ends_with(b"\r\n\r\n") {
            let read = stream.read(&mut buffer).await.unwrap();
            assert!(read > 0, "a request has an end");
            request.extend_from_slice(&buffer[..read]);
        }
        stream
    }

    /// A node that gives these pages, one after the other, whatever is asked for.
    async fn give(listener: TcpListener, pages: Vec<String>) {
        for page in pages {
            let mut stream = asked(&listener).await;
            let length = page.len();
            let head = format!("content-length: {length}\r\nconnection: close");
            let answer = format!("HTTP/1.1 200 X\r\n{head}\r\n\r\n{page}");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    }

    async fn giving(pages: Vec<String>) -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::new(&format!("http://{}", listener.local_addr().unwrap()));
        tokio::spawn(give(listener, pages));
        client.unwrap()
    }

    #[test]
    fn nobody_is_led_on_for_ever() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for (order, cursors, good) in [
            (Order::Oldest, [Some(3), Some(5), None], true),
            (Order::Oldest, [Some(3), Some(3), None], false),
            (Order::Oldest, [Some(5), Some(3), None], false),
            (Order::Newest, [Some(5), Some(3), None], true),
            (Order::Newest, [Some(3), Some(5), None], false),
        ] {
            let page = |next| Records { records: Vec::new(), next };
            let pages = cursors.map(|next| serde_json::to_string(&page(next)).unwrap());
            let found = runtime.block_on(async {
                let wanted = Wanted { order, ..Wanted::default() };
                giving(Vec::from(pages)).await.every(wanted).next().await
            });
            let strange = matches!(found, Err(ClientError::Strange { .. }));
            assert_eq!(
                (matches!(found, Ok(None)), strange),
                (good, !good),
                "{order:?} {cursors:?}"
            );
        }
        let subject: Subject = "licence:a".parse().unwrap();
        for (next, good) in [(None, true), (Some(7), false)] {
            let page = History { subject: subject.clone(), total: 9, rows: Vec::new(), next };
            let found = runtime.block_on(async {
                let node = giving(vec![serde_json::to_string(&page).unwrap()]).await;
                node.history(&subject, 0, 10).await
            });
            assert_eq!(found.is_ok(), good, "{next:?}");
        }
    }

    #[test]
    fn a_subject_is_one_segment_of_a_path() {
        for (subject, wanted) in [
            ("lot:urn:epc:id:sgtin:69.1?a=b#c", "lot%3Aurn%3Aepc%3Aid%3Asgtin%3A69.1%3Fa%3Db%23c"),
            ("lot:https://id.example/01/69", "lot%3Ahttps%3A%2F%2Fid.example%2F01%2F69"),
            ("licence:闽", "licence%3A%E9%97%BD"),
        ] {
            assert_eq!(percent(&subject.parse().unwrap()), wanted);
        }
    }

    #[test]
    fn a_wrong_address_is_not_told_as_an_absence() {
        let answer = |code: &str| {
            let problem = Problem { code: code.into(), ..bare(StatusCode::NOT_FOUND) };
            found::<()>(Err(ClientError::Problem(problem)))
        };
        assert!(matches!(answer("E-SUB-UNKNOWN"), Ok(None)));
        assert!(matches!(answer("E-HTTP-ROUTE"), Err(ClientError::Problem(_))));
    }

    #[test]
    fn only_addresses_that_can_be_asked_are_taken() {
        assert_eq!(Client::new("http://[::1]:28001/").unwrap().url(), "http://[::1]:28001");
        let tls = Tls::open(None, None).unwrap();
        assert_eq!(Client::with("https://node:1/", &tls).unwrap().url(), "https://node:1");
        for bad in ["", "node", "ftp://node"] {
            assert!(matches!(Client::new(bad), Err(ClientError::Address { .. })), "{bad}");
        }
    }
}
