//! Submission: every record of a file checked, signed, handed in and followed until it is decided, however many there are.

mod books;
mod files;
mod sender;
mod source;
mod table;
#[cfg(test)]
mod tests;

use crate::{
    arguments::{self, Wait},
    commitments,
    console::{Console, Stopwatch},
    exit::{Exit, Stop},
    speech::{self, Lang, Tally},
};
use books::{Books, Receipts, Rejections, Run, Settled};
use client::{Client, Patience, Signer};
use files::Beside;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use records::Capture;
use sender::{Part, Pausing, Sender};
use source::{Found, Item, Source};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{sync::mpsc, task::JoinHandle};
use types::{
    AgencyCode, ChainId, Height, Operation, Subject, Timestamp, TxId, codec,
    transaction::TRANSACTION_BYTES_MAX,
};

/// Transactions whose admission is under way at one time.
const FLYING_MAX: usize = 8;

/// Transactions that are admitted and not settled. The more there are, the more a crash leaves to be recognised again.
const UNSETTLED_MAX: usize = 64;

/// After so many transactions the furthest deadline is asked for anew.
const LOOK_AHEAD_EVERY: u64 = 50;

/// A transaction's header and signature take less than this.
const OVERHEAD_BYTES: usize = 1024;

/// Submits files.
///
/// # Errors
/// When the node, the key or a file is not there. Records that are refused are no error.
pub(crate) async fn run(what: arguments::Submit, console: &Console) -> Result<Exit, Stop> {
    if let Some(file) = &what.commitments {
        return commitments::run(&what, file, console).await;
    }
    let time = Stopwatch::start();
    let Outputs { mut receipts, mut rejections } = Outputs::plan(&what)?;
    let identity = if what.check { None } else { Some(Identity::establish(&what, console).await?) };
    let agency = identity.as_ref().map(|identity| *identity.signer.agency());
    let mut sources = Vec::new();
    for path in &what.files {
        let mapped = match (&what.mapping, table::is_table(path)) {
            (Some(mapping), true) => {
                let (table, mapping) = (path.clone(), mapping.clone());
                let mapped = tokio::task::spawn_blocking(move || table::map(&table, &mapping));
                Some(mapped.await.map_err(|why| Stop::new(Exit::Disk, why))??)
            }
            (None, true) => {
                return Err(Stop::says(Exit::Usage, "a table (.csv) needs --mapping FILE"));
            }
            (Some(_) | None, false) => None,
        };
        let (capture, captured_at) = (capture(&what), what.captured_at);
        sources.push(Source::open(path, mapped.as_ref(), agency, capture, captured_at)?);
    }
    let mut tally = Tally::default();
    let mut failure = None;
    for source in sources {
        // One list of each kind for all files, or one beside each.
        let mut own_rejections = match &mut rejections {
            Shared::One(_) => None,
            Shared::Each => Some(Rejections::open(source.beside(Beside::Rejected))?),
        };
        let list = match (&mut rejections, &mut own_rejections) {
            (_, Some(own)) => own,
            (Shared::One(list), None) => list,
            (Shared::Each, None) => continue,
        };
        let before = list.count();
        let bars = Bars::new(console);
        let (valid, doubts) = check(&source, list, &bars).await?;
        let faulty = list.count() - before;
        console.talk(&speech::checked(console.lang(), valid, faulty, list.file().as_deref()));
        if !doubts.is_empty() {
            console.talk(&doubtful(console.lang(), &doubts));
        }
        let mut written = None;
        if let Some(identity) = &identity {
            let mut own_receipts = match &receipts {
                Shared::One(_) => None,
                Shared::Each => Some(Receipts::create(source.beside(Beside::Receipts))?),
            };
            let sink = match (&mut receipts, &mut own_receipts) {
                (_, Some(own)) => own,
                (Shared::One(sink), None) => sink,
                (Shared::Each, None) => continue,
            };
            let work = Work { what: &what, source: &source, identity, valid };
            failure = work.submit(console, &bars, sink, list, &mut tally).await.err();
            written = sink.file();
        }
        bars.finish();
        tally.rejected += list.count() - before;
        list.tell(console, what.files.len() > 1);
        if let Some(text) =
            speech::files_written(console.lang(), written.as_deref(), list.file().as_deref())
        {
            console.talk(&text);
        }
        if failure.is_some() {
            break;
        }
    }
    if !what.check {
        let accepted_only = what.wait == Wait::Accepted;
        console.talk(&speech::summary(console.lang(), &tally, accepted_only, &time.read()));
    }
    match failure {
        Some(stop) => Err(stop),
        None if tally.rejected > 0 => Ok(Exit::Negative),
        None => Ok(Exit::Done),
    }
}

/// Where one operation came to stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stands {
    pub(crate) chain: ChainId,
    pub(crate) tx: TxId,
    pub(crate) height: Option<Height>,
    pub(crate) position: Option<u64>,
}

/// Hands in one operation and follows it until it is decided; the words of a refusal are no error.
///
/// # Errors
/// When there is no answer.
pub(crate) async fn one(
    what: &arguments::Submit,
    client: Client,
    signer: Arc<Signer>,
    file: String,
    operation: Operation,
) -> Result<Result<Stands, String>, Stop> {
    let patience =
        Patience { total: Duration::from_secs(what.patience.into()), ..Patience::default() };
    let status = patience.ask(|_| {}, || client.status()).await?;
    signer.check_chain(&status.chain)?;
    let sender = Sender {
        client,
        signer,
        chain: status.chain,
        horizon: Mutex::new(status.valid_until_max),
        patience,
        wait: what.wait,
        file,
        pausing: Box::new(|_| {}),
    };
    let item =
        Item { line: None, at: String::new(), label: String::new(), operation, doubts: Vec::new() };
    let settled = sender.follow(sender.admit(vec![item]).await?).await?;
    Ok(match settled.into_iter().next() {
        Some(Settled::Receipt(row)) => Ok(Stands {
            chain: status.chain,
            tx: row.tx,
            height: row.height,
            position: row.position,
        }),
        Some(Settled::Rejected(why)) => Err(format!("{} {}", why.code, why.message)),
        None => return Err(Stop::says(Exit::Undecided, "nothing became of the operation")),
    })
}

/// When a file was last modified.
///
/// # Errors
/// When it cannot be read, or has no time.
pub(crate) fn modified_at(path: &Path) -> Result<Timestamp, Stop> {
    let fault = |why| Stop::file(path, why);
    let metadata = std::fs::metadata(path).map_err(fault)?;
    if !metadata.is_file() {
        return Err(fault(std::io::Error::other("not a file")));
    }
    source::modified(&metadata).map_err(fault)
}

fn capture(what: &arguments::Submit) -> Capture {
    Capture {
        system: what.system.clone(),
        version: what.system_version.clone(),
        captured_at: Timestamp::default(),
        grade: what.grade.into(),
    }
}

/// One for all files, or one beside each.
enum Shared<T> {
    One(T),
    Each,
}

/// Where results go.
struct Outputs {
    receipts: Shared<Receipts>,
    rejections: Shared<Rejections>,
}

impl Outputs {
    fn plan(what: &arguments::Submit) -> Result<Self, Stop> {
        if what.state.is_some() && what.files.len() > 1 {
            return Err(Stop::says(
                Exit::Usage,
                "--state is of one file; leave it out, or submit the files one by one",
            ));
        }
        files::keep_apart(what)?;
        let receipts = match &what.receipts {
            Some(path) => Shared::One(Receipts::create(path.clone())?),
            None if what.json => Shared::One(Receipts::Output),
            None => Shared::Each,
        };
        let rejections = match &what.rejected {
            Some(path) => Shared::One(Rejections::open(path.clone())?),
            None => Shared::Each,
        };
        Ok(Self { receipts, rejections })
    }
}

/// Who submits, and where.
struct Identity {
    client: Client,
    signer: Arc<Signer>,
    chain: ChainId,
    horizon: Height,
}

impl Identity {
    async fn establish(what: &arguments::Submit, console: &Console) -> Result<Self, Stop> {
        let (Some(node), Some(key)) = (&what.node, &what.key) else {
            return Err(Stop::says(Exit::Usage, "--node and --key are needed"));
        };
        let client = console.client(node)?;
        let signer = Arc::new(Signer::find(key).map_err(|why| Stop::key(key, why))?);
        let status = client.status().await?;
        signer.check_chain(&status.chain).map_err(|why| Stop::key(key, why))?;
        Ok(Self { client, signer, chain: status.chain, horizon: status.valid_until_max })
    }
}

/// Reads a file once to see what is valid, and writes down what is not.
async fn check(
    source: &Source,
    list: &mut Rejections,
    bars: &Bars,
) -> Result<(u64, BTreeMap<&'static str, u64>), Stop> {
    let (out, mut from_file) = mpsc::channel(256);
    let reading = {
        let source = source.clone();
        // On a thread of its own, so that the user can interrupt it.
        tokio::task::spawn_blocking(move || {
            source.read(|found| out.blocking_send(found).map_err(|_gone| Stop::interrupted()))
        })
    };
    let (mut valid, mut doubts) = (0, BTreeMap::new());
    while let Some(found) = from_file.recv().await {
        bars.check.inc(1);
        match found {
            Found::Record(item) => {
                valid += 1;
                for doubt in item.doubts {
                    *doubts.entry(doubt).or_default() += 1;
                }
            }
            Found::Faulty(faults) => list.add(&faults)?,
        }
    }
    bars.check.finish_and_clear();
    reading.await.map_err(|why| Stop::new(Exit::Disk, why))??;
    Ok((valid, doubts))
}

/// Events whose CBV hash is not what it seems, by the reason. The records do not rest on it.
fn doubtful(lang: Lang, doubts: &BTreeMap<&'static str, u64>) -> String {
    let list: Vec<String> = doubts.iter().map(|(name, count)| format!("{name} ×{count}")).collect();
    let list = list.join(", ");
    speech::say!(
        lang,
        "  CBV hash ids on which implementations may differ, or that others may share: {list}",
        "  CBV 事件哈希存在歧义或可被碰撞的情形：{list}"
    )
}

/// One file to submit.
struct Work<'a> {
    what: &'a arguments::Submit,
    source: &'a Source,
    identity: &'a Identity,
    valid: u64,
}

impl Work<'_> {
    async fn submit(
        &self,
        console: &Console,
        bars: &Bars,
        receipts: &mut Receipts,
        rejections: &mut Rejections,
        tally: &mut Tally,
    ) -> Result<(), Stop> {
        let Self { what, source, identity, valid } = self;
        let agency: AgencyCode = *identity.signer.agency();
        let run = Run::of(source, identity.chain, agency, what.wait.name());
        let state = match &what.state {
            Some(path) => path.clone(),
            None => source.beside(Beside::State),
        };
        let mut books = Books::open(&run, state, console, receipts, rejections, tally)?;
        let settled = books.settled();
        if settled > 0 {
            console.talk(&speech::resuming(console.lang(), settled, *valid));
        }
        bars.start(*valid, settled);
        let sender = Arc::new(Sender {
            client: identity.client.clone(),
            signer: Arc::clone(&identity.signer),
            chain: identity.chain,
            horizon: Mutex::new(identity.horizon),
            patience: Patience {
                total: Duration::from_secs(what.patience.into()),
                ..Patience::default()
            },
            wait: what.wait,
            file: source.name.clone(),
            pausing: bars.pausing(console.lang()),
        });
        let (batches, from_file) = mpsc::channel(4);
        let (to_settle, admitted) = mpsc::channel(UNSETTLED_MAX);
        let reading = {
            let (source, batch) = ((*source).clone(), usize::from(what.batch));
            tokio::task::spawn_blocking(move || read_batches(&source, settled, batch, &batches))
        };
        let settling = async {
            let mut admitted: mpsc::Receiver<JoinHandle<Result<Vec<Part>, Stop>>> = admitted;
            while let Some(parts) = admitted.recv().await {
                let parts = parts.await.map_err(|why| Stop::new(Exit::Disk, why))??;
                let entries = sender.follow(parts).await?;
                books.settle(&entries)?;
                bars.commit.set_position(books.settled());
            }
            Ok(())
        };
        tokio::try_join!(admit(&sender, from_file, to_settle, bars), settling)?;
        reading.await.map_err(|why| Stop::new(Exit::Disk, why))??;
        books.close()
    }
}

/// Records to be signed together.
#[derive(Debug)]
struct Batch {
    items: Vec<Item>,
    bytes: usize,
}

/// Reads a file again, passes over what is settled, and hands on the rest in batches.
fn read_batches(
    source: &Source,
    settled: u64,
    batch: usize,
    out: &mpsc::Sender<Batch>,
) -> Result<(), Stop> {
    let new = || Batch { items: Vec::new(), bytes: OVERHEAD_BYTES };
    // Whoever no longer listens has said why.
    let send = |batch| out.blocking_send(batch).map_err(|_gone| Stop::interrupted());
    let (mut open, mut seen) = (new(), 0);
    source.read(|found| {
        let item = match found {
            Found::Record(item) => item,
            // Written down by the first reading.
            Found::Faulty(_) => return Ok(()),
        };
        seen += 1;
        if seen <= settled {
            return Ok(());
        }
        let bytes = codec::encode(&item.operation).len();
        if open.items.len() >= batch || open.bytes + bytes > TRANSACTION_BYTES_MAX {
            send(std::mem::replace(&mut open, new()))?;
        }
        open.items.push(*item);
        open.bytes += bytes;
        Ok(())
    })?;
    if open.items.is_empty() { Ok(()) } else { send(open) }
}

/// Hands in batches, several at a time; those that touch a common subject one after the other.
async fn admit(
    sender: &Arc<Sender>,
    mut batches: mpsc::Receiver<Batch>,
    to_settle: mpsc::Sender<JoinHandle<Result<Vec<Part>, Stop>>>,
    bars: &Bars,
) -> Result<(), Stop> {
    let (done, mut landed) = mpsc::unbounded_channel::<u64>();
    let mut flying: BTreeMap<u64, BTreeSet<Subject>> = BTreeMap::new();
    let mut number = 0;
    while let Some(batch) = batches.recv().await {
        let subjects: BTreeSet<Subject> = batch
            .items
            .iter()
            .flat_map(|item| item.operation.subjects(sender.signer.agency()))
            .map(|(subject, _)| subject)
            .collect();
        while flying.len() >= FLYING_MAX
            || flying.values().any(|other| !other.is_disjoint(&subjects))
        {
            let Some(number) = landed.recv().await else { break };
            flying.remove(&number);
        }
        number += 1;
        if number % LOOK_AHEAD_EVERY == 0 {
            sender.look_ahead().await?;
        }
        flying.insert(number, subjects);
        let (task, done, bar) = (Arc::clone(sender), done.clone(), bars.submit.clone());
        let handle = tokio::spawn(async move {
            let count = u64::try_from(batch.items.len()).unwrap_or(u64::MAX);
            let parts = task.admit(batch.items).await;
            bar.inc(count);
            // Whoever no longer listens does not mind.
            done.send(number).ok();
            parts
        });
        if to_settle.send(handle).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// The three bars: seen on a terminal, silent elsewhere.
struct Bars {
    all: MultiProgress,
    check: ProgressBar,
    submit: ProgressBar,
    commit: ProgressBar,
}

impl Bars {
    fn new(console: &Console) -> Self {
        let (lang, all) = (console.lang(), MultiProgress::new());
        if console.is_verbose() || console.is_quiet() {
            all.set_draw_target(ProgressDrawTarget::hidden());
        }
        let spinner = ProgressStyle::with_template("{prefix}  {spinner} {human_pos}")
            .unwrap_or_else(|_template| ProgressStyle::default_spinner());
        let [check, submit, commit] = speech::phases(lang)
            .map(|name| ProgressBar::no_length().with_prefix(name).with_style(spinner.clone()));
        Self { check: all.add(check), submit, commit, all }
    }

    fn start(&self, length: u64, position: u64) {
        let style = ProgressStyle::with_template(
            "{prefix}  [{bar:32}] {human_pos}/{human_len}  {rate}/s  ETA {eta}  {msg}",
        )
        .unwrap_or_else(|_template| ProgressStyle::default_bar())
        .with_key("rate", |state: &ProgressState, out: &mut dyn core::fmt::Write| {
            // A rate that cannot be written is not worth failing for.
            write!(out, "{:.0}", state.per_sec()).unwrap_or(());
        });
        for bar in [&self.submit, &self.commit] {
            // Before it is anything else it is one of several, or it would draw a line of its own and leave it there.
            self.all.add(bar.clone());
            bar.set_style(style.clone().progress_chars("██░"));
            bar.set_length(length);
            bar.set_position(position);
        }
    }

    fn pausing(&self, lang: Lang) -> Pausing {
        let bar = self.submit.clone();
        Box::new(move |pause| {
            bar.set_message(pause.map(|pause| speech::pausing(lang, pause)).unwrap_or_default());
        })
    }

    fn finish(&self) {
        for bar in [&self.check, &self.submit, &self.commit] {
            bar.finish_and_clear();
        }
    }
}
