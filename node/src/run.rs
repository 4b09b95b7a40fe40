//! A validator as one process: from its directory to serving and voting, and back to rest.

use crate::{
    api,
    evidence::Records,
    home::Home,
    metrics::Metrics,
    room::Room,
    shell::{self, Addresses, Beside, Ended},
    signstate::SignState,
};
use anyhow::Context as _;
use axum_server::Handle;
use hyper_util::rt::TokioTimer;
use ledger::{Rules, query};
use std::{collections::BTreeMap, path::Path, process::ExitCode, sync::Arc, time::Duration};
use tokio::signal::unix::{SignalKind, signal};
use types::net::Peer;

/// How long a client may take to send its request's header.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// How often progress is told.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);
/// How many times in a row nothing must be missing.
const QUIET_TIMES: u32 = 3;
/// How long requests under way may take to end when the node stops.
const DRAIN: Duration = Duration::from_secs(5);

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
pub async fn run(home: &Path, until: Until) -> anyhow::Result<ExitCode> {
    die_of_panics();
    let Home { config, genesis, consensus, transport } = Home::open(home)?;
    let chain = genesis.chain();
    let store = match store::open(&config.data, &chain, end) {
        Ok(store) => Arc::new(store),
        Err(fault) => {
            tracing::error!(%fault, "cannot open the ledger");
            return Ok(ExitCode::from(fault.exit_code()));
        }
    };
    let signatures = SignState::open(&config.consensus_key, consensus.public(), &chain)?;
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
        limits: network::Limits::default(),
    })
    .context("cannot listen for other validators")?;
    let committee =
        |height| query::committee(&*store, height).unwrap_or_else(|| genesis.committee());
    let evidence = Records::open(&config.data, &chain, committee)?;
    let room = Room::new(config.data.clone(), config.reserve_mib.saturating_mul(1 << 20));
    let seat = rules.committee().index_of(&consensus.public());
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
        Beside { room, evidence, signatures, addresses },
    );
    let (handle, ended) = match started {
        Ok(started) => started,
        Err(why) => return Ok(explain(&why)),
    };

    let shared = Arc::new(api::Shared { genesis, handle: handle.clone(), metrics });
    let serving = Handle::new();
    let mut server = axum_server::bind(config.api).handle(serving.clone());
    server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    let mut server = tokio::spawn(server.serve(api::router(shared).into_make_service()));

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let code = tokio::select! {
        _ = terminate.recv() => ExitCode::SUCCESS,
        _ = interrupt.recv() => ExitCode::SUCCESS,
        () = caught_up(handle.clone()), if until == Until::CaughtUp => ExitCode::SUCCESS,
        ended = ended => match ended {
            Ok(why) => explain(&why),
            Err(_) => {
                tracing::error!("the replica ended without a word; this is a bug, and the node stops");
                ExitCode::FAILURE
            }
        },
        served = &mut server => {
            let api = config.api;
            match served {
                Ok(Ok(())) => ExitCode::SUCCESS,
                Ok(Err(error)) => anyhow::bail!("cannot serve the API at {api}: {error}"),
                Err(error) => anyhow::bail!("the API at {api} ended: {error}"),
            }
        }
    };
    tracing::info!("stopping");
    serving.graceful_shutdown(Some(DRAIN));
    handle.stop().await;
    network.stop().await;
    if let Err(fault) = store.flush() {
        tracing::warn!(%fault, "the next start will replay RocksDB's log");
    }
    tracing::info!(height = %query::height(&*store), "stopped");
    Ok(code)
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

fn explain(why: &Ended) -> ExitCode {
    tracing::error!(%why, "this validator stops");
    ExitCode::from(why.exit_code())
}
