//! A validator as one process: from its directory to serving and voting, and back to rest.

use crate::{
    api, doctor,
    evidence::Records,
    gateway::{Gateway, Shut},
    home::{self, Config, Home, Unavailable, Unsafe},
    keeping, logs,
    metrics::Metrics,
    room::{self, Room},
    shell::{self, Addresses, Beside, Ended, Listening},
    signstate::SignState,
};
use anyhow::Context as _;
use axum_server::{
    Handle,
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};
use hyper_util::rt::TokioTimer;
use ledger::{Rules, query};
use sd_notify::NotifyState;
use std::{
    collections::BTreeMap, io, net::SocketAddr, path::Path, process::ExitCode, sync::Arc,
    time::Duration,
};
use tokio::signal::unix::{Signal, SignalKind, signal};
use types::{Genesis, net::Peer};

/// How long a client may take to send its request's header.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// How often progress is told.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);
/// How many times in a row nothing must be missing.
const QUIET_TIMES: u32 = 3;
/// How often all neighbours must be found to lack a block before whoever fetches gives up.
const OUT_OF_REACH_TIMES: u32 = 20;
/// How long requests under way may take to end when the node stops, and then the replica: with what comes after, less than
/// five seconds.
const DRAIN: Duration = Duration::from_secs(3);
const LAST_WORD: Duration = Duration::from_secs(1);
/// The same, when a node that could only be read from begins to write.
const HANDOVER: Duration = Duration::from_secs(1);
/// How long an answer that was under way then may go on reading, and how often it is looked whether it does.
const LET_GO: Duration = Duration::from_secs(60);
const LET_GO_EVERY: Duration = Duration::from_millis(20);
/// How often it is looked whether the disk can be written to.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// What must be free to open a ledger: RocksDB moves what is in its log alone, as much as memtables hold, into tables.
const OPENING_BYTES: u64 = 96 << 20;

/// Ends the process after a failed read, which cannot be answered and must not be survived.
pub(crate) fn end(fault: &store::Fault) -> ! {
    tracing::error!(%fault, "disk");
    std::process::exit(i32::from(fault.exit_code()))
}

/// From now on a panic on any thread ends the process, once it is told. Half a node is worse than none: it would answer
/// and not vote, or vote and not remember. Whoever supervises it starts it again, from what is on disk.
fn die_of_panics() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        // Where everything else is told, and, should that be what broke, where the system looks.
        tracing::error!(%panic, "this is a bug; the node stops");
        tell(panic);
        std::process::abort();
    }));
}

/// How long a validator runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Until a signal, or a failure.
    Told,
    /// The same, or until it has every block that others have.
    CaughtUp,
}

/// Runs the validator whose directory this is.
///
/// # Errors
/// When it cannot start: what is wrong, and what to do.
pub async fn run(home: &Path, until: Until, listening: Listening) -> anyhow::Result<ExitCode> {
    die_of_panics();
    warn_of_descriptors();
    keep_memory_private();
    let opened = Home::open(home)?;
    let (config, genesis) = (&opened.config, &opened.genesis);
    let chain = genesis.chain();
    let mut told = Told::new()?;
    reload_logs(home)?;
    if let Some(why) = keeping::interrupted(&config.data) {
        return Err(Unsafe(why).into());
    }
    if let Some(code) = serve_until_writable(config, genesis, &mut told).await? {
        return Ok(code);
    }
    let store = match store::open(&config.data, &chain, end) {
        Ok(store) => Arc::new(store),
        Err(fault) => {
            tracing::error!(%fault, "cannot open the ledger");
            return Ok(ExitCode::from(fault.exit_code()));
        }
    };
    // Not before: on a disk that cannot be written to there is nothing to sign, and much to serve.
    let signatures = opened.signatures()?;
    let Home { config, genesis, consensus, guard: _, transport } = opened;
    let tls = config.tls.as_ref().map(|tls| tls.open(home)).transpose().context("in [tls]")?;
    let gateway = gateway_of(&config, home);
    let floor = signatures.floor();
    let metrics = Arc::new(Metrics::default());
    let mut known: BTreeMap<Peer, Vec<_>> = BTreeMap::new();
    for peer in &config.peers {
        let addresses = known.entry(Peer(*peer.transport_key.as_bytes())).or_default();
        addresses.extend(peer.addresses.iter().copied());
    }
    let own = Peer(*transport.public().as_bytes());
    let addresses = Addresses { own, known };
    let rules = Rules::load(&genesis, &*store);
    let peers = addresses.neighbours(&rules.peers());
    let (network, inbound) = network::start(network::Config {
        secret: *transport.seed(),
        chain_id: *chain.as_bytes(),
        listen: config.listen.clone(),
        peers,
        limits: network::Limits {
            descriptors: descriptors_for_peers(),
            ..network::Limits::default()
        },
    })
    .map_err(unheard)?;
    let committee =
        |height| query::committee(&*store, height).unwrap_or_else(|| genesis.committee());
    let evidence = Records::open(&config.data, &chain, committee)?;
    let seat = rules.committee().index_of(&consensus.public());
    let public = consensus.public();
    if seat.is_none() {
        tracing::warn!(
            key = %public,
            "this consensus key has no seat in the committee of the next block: following what neighbours tell, and \
             voting from the height at which the chain gives it a seat"
        );
    }
    tracing::info!(
        chain = %chain.0.short(),
        network = %genesis.name,
        seat,
        height = %query::height(&*store),
        listen = ?config.listen,
        api = %config.api,
        "starting"
    );
    let started = shell::start(
        &genesis,
        consensus,
        store.clone(),
        network.clone(),
        inbound,
        metrics.clone(),
        Beside { room: room_of(&config), evidence, signatures, addresses, listening },
    );
    let (handle, ended) = match started {
        Ok(started) => started,
        Err(why) => return Ok(explain(&why)),
    };

    let jobs = jobs_of(&config)?;
    let archive = config.retention.archive.clone();
    let shared =
        api::Shared::new(genesis, handle.clone(), metrics, jobs, gateway, Some(transport), archive);
    shared.jobs.resume(&shared);
    let (serving, mut server) = serve(&config, tls, shared.clone());
    let mut disk_failed = false;
    let code = tokio::select! {
        () = told.stop() => ExitCode::SUCCESS,
        () = caught_up(handle.clone()), if until == Until::CaughtUp => ExitCode::SUCCESS,
        why = out_of_reach(handle.clone()), if until == Until::CaughtUp => {
            tracing::error!("{why}");
            ExitCode::from(4)
        }
        ended = ended => match ended {
            Ok(why) => {
                disk_failed = why.is_disk();
                explain(&why)
            }
            Err(_) => {
                tracing::error!("the replica ended without a word; this is a bug, and the node stops");
                ExitCode::FAILURE
            }
        },
        served = &mut server => match served {
            Ok(Ok(())) => ExitCode::SUCCESS,
            Ok(Err(unserved)) => return Err(unserved.into()),
            Err(error) => anyhow::bail!("the API at {} ended: {error}", config.api),
        }
    };
    tracing::info!("stopping");
    tell_supervisor(&[NotifyState::Stopping]);
    // Who waits for an answer gets it while the replica still works, for as long as that takes at most.
    shared.stop();
    serving.graceful_shutdown(Some(DRAIN));
    let rest = async {
        if !server.is_finished() {
            tokio::time::timeout(DRAIN, server).await.map(drop).unwrap_or_default();
        }
        // A replica that waits for its signer does not hear; what it has said is on the disk.
        if tokio::time::timeout(LAST_WORD, handle.stop()).await.is_err() {
            tracing::warn!("the replica does not answer, and is left behind");
        }
        network.stop().await;
        // A disk that failed is not asked again: what it says now need not be true.
        if !disk_failed && let Err(fault) = store.flush() {
            tracing::warn!(%fault, "the next start will replay RocksDB's log");
        }
    };
    tokio::select! {
        () = rest => {}
        () = told.stop() => tracing::warn!("told twice: ending at once; what was committed is on the disk"),
    }
    let height = query::height(&*store);
    if until == Until::CaughtUp && code == ExitCode::SUCCESS {
        // The record was older than the key's own past: the key may also have voted for the block after the last.
        let mut record = SignState::open(&config.consensus_key, public, &chain)?;
        if record.floor() > floor {
            record.raise(height.next())?;
            tracing::warn!(floor = %record.floor(), "the record of signatures was too old; this key votes above its new floor");
        }
    }
    tracing::info!(%height, "stopped");
    Ok(code)
}

/// Why there are no lines to other validators. An address may be there later: it is the disk that another start does not cure.
fn unheard(fault: network::Fault) -> anyhow::Error {
    const WHAT: &str = "cannot listen for other validators";
    match fault {
        network::Fault::Listen { address, source } => {
            Unavailable(format!("{WHAT} on {address}: {source}")).into()
        }
        network::Fault::Key { .. } | network::Fault::Runtime { .. } => {
            anyhow::Error::new(fault).context(WHAT)
        }
    }
}

/// Logs as node.toml says, from now on and after every SIGHUP. A node is not ended by a terminal that closes.
fn reload_logs(home: &Path) -> anyhow::Result<()> {
    if let Some(filter) = home::read_log_filter(home)? {
        logs::change(&filter)?;
    }
    let (home, mut hangup) = (home.to_owned(), signal(SignalKind::hangup())?);
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            let filter = home::read_log_filter(&home);
            let filter = filter.map(|filter| filter.unwrap_or_else(|| logs::started().to_owned()));
            match filter.and_then(|filter| logs::change(&filter).map(|()| filter)) {
                Ok(filter) => tracing::info!(filter, "logging by another filter"),
                Err(error) => tracing::warn!(%error, "the log goes on as it was"),
            }
        }
    });
    Ok(())
}

/// SIGTERM and Ctrl-C.
pub(crate) struct Told {
    terminate: Signal,
    interrupt: Signal,
}

impl Told {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Ends when one of them comes.
    pub(crate) async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn room_of(config: &Config) -> Room {
    Room::new(config.data.clone(), config.reserve_mib.saturating_mul(1 << 20))
        .with_key(&config.consensus_key)
}

/// What signs for systems without keys. One that cannot be opened stays shut, and a person is told; the validator votes all
/// the same.
fn gateway_of(config: &Config, home: &Path) -> Result<Gateway, Shut> {
    let Some(gateway) = &config.gateway else { return Err(Shut::Absent) };
    Gateway::open(gateway, home).map_err(|error| {
        let why = format!("{error:#}");
        tracing::error!(why, "the gateway stays shut; this validator goes on without it");
        Shut::Unfit(why)
    })
}

/// Bulk submissions lie beside the ledger: they are no part of it, and outlive it.
fn jobs_of(config: &Config) -> anyhow::Result<Arc<api::Jobs>> {
    let directory = config.data.with_file_name("jobs");
    let jobs = api::Jobs::open(&directory)
        .with_context(|| format!("cannot read the jobs in {}", directory.display()))?;
    Ok(Arc::new(jobs))
}

type Server = tokio::task::JoinHandle<Result<(), Unavailable>>;

/// Serves until the end, or says where it cannot: an address may be there later.
async fn serve_at(
    address: SocketAddr,
    serving: impl Future<Output = io::Result<()>>,
) -> Result<(), Unavailable> {
    let ended = serving.await;
    ended.map_err(|error| Unavailable(format!("cannot serve the API at {address}: {error}")))
}

/// Serves the API in the background, with TLS too where that is configured. One that ends ends both.
fn serve(
    config: &Config,
    tls: Option<RustlsConfig>,
    shared: Arc<api::Shared>,
) -> (Handle<api::Place>, Server) {
    let serving = Handle::new();
    let door = api::Door::new(api::connections_allowed());
    let router = api::router(shared);
    // HTTP/1.1 alone: nobody asks this API for more, and a protocol that is not spoken has no holes.
    let mut plain = axum_server::bind(api::Place::new(config.api))
        .handle(serving.clone())
        .http1_only()
        .first_request_timeout(HEADER_TIMEOUT)
        .acceptor(door.clone());
    plain.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    let plain = serve_at(config.api, plain.serve(router.clone().into_make_service()));
    drop(tokio::spawn(tell_ready(serving.clone())));
    let Some((tls, listen)) = tls.zip(config.tls.as_ref().map(|tls| tls.listen)) else {
        return (serving, tokio::spawn(plain));
    };
    let mut secured = axum_server::bind(api::Place::new(listen))
        .handle(serving.clone())
        .http1_only()
        .first_request_timeout(HEADER_TIMEOUT)
        .acceptor(RustlsAcceptor::new(tls).handshake_timeout(HEADER_TIMEOUT).acceptor(door));
    secured.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    let secured = serve_at(listen, secured.serve(router.into_make_service()));
    let both = async { tokio::try_join!(plain, secured).map(|((), ())| ()) };
    (serving, tokio::spawn(both))
}

/// While the disk cannot be written to, reads and proofs are served and nothing is voted on. Ends when it can; gives an
/// exit code if the node is told to stop. Ending the process instead would only have it started again, and again.
async fn serve_until_writable(
    config: &Config,
    genesis: &Genesis,
    told: &mut Told,
) -> anyhow::Result<Option<ExitCode>> {
    // What opening the ledger takes. The reserve is for this, among other things.
    let bytes = config.reserve_mib.saturating_mul(1 << 20).min(OPENING_BYTES);
    let place = if config.data.exists() {
        config.data.clone()
    } else {
        config.data.parent().map(Path::to_path_buf).unwrap_or_default()
    };
    let mut room = Room::new(place.clone(), bytes).with_key(&config.consensus_key);
    let mut lacking = || room.shortage().map(str::to_owned).or_else(|| room::refusal(&place));
    let Some(shortage) = lacking() else { return Ok(None) };
    tracing::error!(%shortage, "nothing can be written; reads and proofs are served, if there are any");
    let chain = genesis.chain();
    let opened = store::open_reading(&config.data, &chain, end)
        .map_err(anyhow::Error::from)
        .and_then(|store| {
            let committee =
                |height| query::committee(&store, height).unwrap_or_else(|| genesis.committee());
            let evidence = Records::open(&config.data, &chain, committee)?;
            Ok((store, evidence))
        });
    let mut serving = None;
    let _publish = match opened {
        Ok((store, evidence)) => {
            let (handle, publish) = shell::reading(genesis, Arc::new(store), evidence, &shortage);
            let metrics = Arc::new(Metrics::default());
            let genesis = genesis.clone();
            let (jobs, archive) = (jobs_of(config)?, config.retention.archive.clone());
            let gateway = Err(Shut::Absent);
            let shared = api::Shared::new(genesis, handle, metrics, jobs, gateway, None, archive);
            serving = Some(serve(config, None, shared));
            Some(publish)
        }
        Err(error) => {
            tracing::warn!(%error, "nothing can be served until the disk can be written to");
            None
        }
    };
    let writable = async {
        while lacking().is_some() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let stopped = tokio::select! {
        () = writable => None,
        () = told.stop() => Some(ExitCode::SUCCESS),
    };
    if let Some((serving, server)) = serving {
        serving.graceful_shutdown(Some(HANDOVER));
        tokio::time::timeout(2 * HANDOVER, server).await.map(drop).unwrap_or_default();
        if stopped.is_none() {
            tokio::select! {
                () = let_go(&config.data) => {}
                () = told.stop() => return Ok(Some(ExitCode::SUCCESS)),
            }
        }
    }
    Ok(stopped)
}

/// Returns when this process has let go of a ledger that it only read. An answer under way goes on when its connection is
/// closed; until it is done it has the ledger's lock, which whoever opens the ledger would take for another process's.
async fn let_go(data: &Path) {
    let held = async {
        while is_held(data) {
            tokio::time::sleep(LET_GO_EVERY).await;
        }
    };
    // If it is held even then, whoever opens it says so.
    tokio::time::timeout(LET_GO, held).await.unwrap_or(());
}

/// Whether anybody has a ledger open, this process included.
fn is_held(data: &Path) -> bool {
    std::fs::File::open(data.join("lock")).is_ok_and(|lock| lock.try_lock().is_err())
}

/// Keys are in this memory: the system writes no image of it when the process crashes, and lets none of the same user
/// read it.
pub(crate) fn keep_memory_private() {
    if let Err(error) = nix::sys::prctl::set_dumpable(false) {
        tracing::warn!(%error, "a crash may write keys to a core file");
    }
}

/// Tells systemd, if it is there, how the node is.
pub(crate) fn tell_supervisor(what: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(what) {
        tracing::warn!(%error, "cannot notify the supervisor");
    }
}

/// Tells systemd that the API is served, and from then on, as often as it wants to hear it, that this process still runs
/// its tasks. A replica that waits for its disk or signer is no reason to be killed: it would wait again.
async fn tell_ready(serving: Handle<api::Place>) {
    if serving.listening().await.is_none() {
        return;
    }
    tell_supervisor(&[NotifyState::Ready]);
    let Some(within) = sd_notify::watchdog_enabled() else { return };
    // A supervisor that does not listen makes whoever tells it wait. That is a thread of its own then, which nobody waits for.
    let (beat, beats) = std::sync::mpsc::sync_channel(1);
    let told = std::thread::Builder::new().name("watchdog".into()).spawn(move || {
        while beats.recv().is_ok() {
            tell_supervisor(&[NotifyState::Watchdog]);
        }
    });
    if let Err(error) = told {
        tracing::warn!(%error, "no thread for the watchdog");
        return;
    }
    let mut ticks = tokio::time::interval((within / 2).max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // One that is not told yet says as much as two.
        beat.try_send(()).unwrap_or(());
    }
}

/// An eighth of what may be open is kept for files; clients of the API leave room for neighbours beside that.
fn descriptors_for_peers() -> Option<u32> {
    let allowed = store::files_allowed().and_then(|files| u32::try_from(files).ok())?;
    Some(allowed - allowed / 8)
}

fn warn_of_descriptors() {
    if let Some(allowed) = store::files_allowed()
        && allowed < doctor::DESCRIPTORS
    {
        tracing::warn!(
            allowed,
            wanted = doctor::DESCRIPTORS,
            "few files may be open at once; under load connections will be turned away (ulimit -n)"
        );
    }
}

/// Ends when this node has had every block its neighbours have for a while; says how far it is until then.
async fn caught_up(handle: shell::Handle) {
    let (mut quiet, mut seconds) = (0, 0_u32);
    loop {
        tokio::time::sleep(PROGRESS_EVERY).await;
        let status = handle.status.borrow().status.clone();
        let (height, highest) = (status.tip.height.0, status.highest.0);
        let behind = highest.saturating_sub(height);
        quiet =
            if behind <= 1 && highest > 0 && status.reachable.len() > 1 { quiet + 1 } else { 0 };
        if quiet >= QUIET_TIMES {
            tracing::info!(height, "caught up");
            return;
        }
        // While blocks come the replica says how fast; why none come is said here.
        if status.catching_up.is_none() && seconds.is_multiple_of(5) {
            let reachable = status.reachable.len();
            tracing::info!(height, highest, reachable, "waiting for neighbours that have more");
        }
        seconds = seconds.wrapping_add(1);
    }
}

/// Why a node that fetches all blocks will not have them, once that has been so for a while.
async fn out_of_reach(handle: shell::Handle) -> String {
    let mut seconds = 0;
    loop {
        tokio::time::sleep(PROGRESS_EVERY).await;
        let fetching = handle.status.borrow().status.catching_up;
        match fetching.filter(|fetching| fetching.dropped_below.is_some()) {
            Some(fetching) if seconds >= OUT_OF_REACH_TIMES => return fetching.to_string(),
            Some(_) => seconds += 1,
            None => seconds = 0,
        }
    }
}

fn explain(why: &Ended) -> ExitCode {
    tracing::error!(%why, "this validator stops");
    ExitCode::from(why.exit_code())
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{ChainId, Hash};

    #[tokio::test]
    async fn an_answer_under_way_is_not_taken_for_another_process() {
        let directory = tempfile::tempdir().unwrap();
        let (data, chain) = (directory.path().join("data"), ChainId(Hash([7; 32])));
        drop(store::open(&data, &chain, end).unwrap());
        let reading = store::open_reading(&data, &chain, end).unwrap();
        let answer = tokio::spawn(async move {
            tokio::time::sleep(5 * LET_GO_EVERY).await;
            drop(reading);
        });
        let fault = store::open(&data, &chain, end).unwrap_err();
        assert!(matches!(fault, store::Fault::Locked { .. }), "{fault}");
        let_go(&data).await;
        drop(store::open(&data, &chain, end).unwrap());
        answer.await.unwrap();
    }

    #[test]
    fn an_address_that_is_not_there_yet_is_no_disk_that_failed() {
        let address = "192.0.2.1:27001".parse().unwrap();
        let source = io::ErrorKind::AddrNotAvailable.into();
        let why = unheard(network::Fault::Listen { address, source });
        assert_eq!(crate::cli::exit_code(&why), 4);
        assert!(why.to_string().contains("192.0.2.1:27001"), "{why}");
    }

    #[tokio::test]
    async fn neither_is_one_where_the_api_cannot_be_served_yet() {
        let address = "192.0.2.1:28001".parse().unwrap();
        let fault = async { Err(io::Error::from(io::ErrorKind::AddrNotAvailable)) };
        let why = anyhow::Error::new(serve_at(address, fault).await.unwrap_err());
        assert_eq!(crate::cli::exit_code(&why), 4);
        assert!(why.to_string().contains("192.0.2.1:28001"), "{why}");
    }
}
