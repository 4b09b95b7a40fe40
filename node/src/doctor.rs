//! What an operator would look at, looked at: keys, disk, clock, lines, and what the node says of itself.

use crate::{
    clock,
    gateway::{Gateway, GatewayConfig},
    health,
    home::{Home, PeerConfig},
    room::Room,
};
use client::{api::NodeStatus, keystore};
use std::{net::SocketAddr, path::Path, time::Duration};
use tokio::net::TcpStream;

/// How long an address may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Descriptors a validator wants: RocksDB's files, its peers, its clients.
pub(crate) const DESCRIPTORS: u64 = 1024;

/// One thing looked at.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// What.
    pub what: &'static str,
    /// Whether it is as it should be.
    pub sound: bool,
    /// Whether it works, and is fit for development only.
    pub warning: bool,
    /// What was found, and if it is not sound, what to do.
    pub detail: String,
}

fn sound(what: &'static str, detail: impl Into<String>) -> Finding {
    Finding { what, sound: true, warning: false, detail: detail.into() }
}

fn unsound(what: &'static str, detail: impl Into<String>) -> Finding {
    Finding { what, sound: false, warning: false, detail: detail.into() }
}

/// Looks at everything, in the order in which a fault of one explains a fault of the next.
pub async fn examine(directory: &Path) -> Vec<Finding> {
    let home = match Home::open(directory) {
        Ok(home) => home,
        Err(error) => return vec![unsound("configuration", format!("{error:#}"))],
    };
    let chain = home.genesis.chain();
    let mut findings =
        vec![sound("configuration", format!("network {}, chain {chain}", home.genesis.name))];
    findings.push(keys(&home));
    findings.push(match home.signatures_told() {
        Ok(told) => sound("signatures", told),
        Err(error) => unsound("signatures", format!("{error:#}")),
    });
    findings.push(disk(&home));
    if let Some(gateway) = &home.config.gateway {
        findings.push(match Gateway::check(gateway, directory) {
            Ok(()) => sound("gateway", "its keys open, and its log is whole"),
            Err(error) => unsound("gateway", format!("shut, and signs for nobody: {error:#}")),
        });
    }
    findings.push(descriptors());
    let status = own_status(home.config.api).await;
    findings.push(match &status {
        Some(status) => {
            sound("process", format!("serves at {}, height {}", home.config.api, status.height))
        }
        None => unsound(
            "process",
            format!("nothing answers at {}; start it, or see its log", home.config.api),
        ),
    });
    if let Some(status) = &status {
        findings.push(chain_moves(status));
        findings.push(time(status));
    }
    for peer in &home.config.peers {
        findings.push(line(&home, peer).await);
    }
    findings
}

/// Whether the keys are encrypted at rest.
fn keys(home: &Home) -> Finding {
    let gateway = home.config.gateway.iter().flat_map(GatewayConfig::keys);
    let own = [home.config.consensus_key.as_path(), &home.config.transport_key];
    let is_clear = |path: &&Path| keystore::label(path).is_ok_and(|label| !label.is_sealed);
    let clear: Vec<_> = own.into_iter().chain(gateway).filter(is_clear).collect();
    if clear.is_empty() {
        return sound("keys", "encrypted at rest");
    }
    let names: Vec<_> = clear.iter().map(|path| path.display().to_string()).collect();
    let advice = "`key passphrase` encrypts them; in the clear they are for development only";
    Finding {
        warning: true,
        ..sound("keys", format!("not encrypted: {}; {advice}", names.join(", ")))
    }
}

fn disk(home: &Home) -> Finding {
    let data = &home.config.data;
    let place = if data.exists() {
        data.clone()
    } else {
        data.parent().map(Path::to_path_buf).unwrap_or_default()
    };
    match Room::new(place.clone(), home.config.reserve_mib.saturating_mul(1 << 20))
        .with_key(&home.config.consensus_key)
        .shortage()
    {
        Some(shortage) => unsound("disk", shortage),
        None => sound(
            "disk",
            format!(
                "more than the {} MiB reserve is free in {}",
                home.config.reserve_mib,
                place.display()
            ),
        ),
    }
}

fn descriptors() -> Finding {
    match store::files_allowed() {
        Some(allowed) if allowed < DESCRIPTORS => unsound(
            "descriptors",
            format!("at most {allowed} files may be open; allow {DESCRIPTORS} (ulimit -n)"),
        ),
        Some(allowed) => sound("descriptors", format!("{allowed} files may be open")),
        None => sound("descriptors", "no limit is known"),
    }
}

/// What a running node says of itself, if it answers.
pub(crate) async fn own_status(api: SocketAddr) -> Option<NodeStatus> {
    let http = client::plain().timeout(PATIENCE).build().ok()?;
    http.get(format!("http://{api}/v1/status")).send().await.ok()?.json().await.ok()
}

fn chain_moves(status: &NodeStatus) -> Finding {
    if status.obstacles.is_empty() {
        let reachable = status.validators.iter().filter(|validator| validator.reachable).count();
        return sound(
            "chain",
            format!("moves; {reachable} of {} validators in reach", status.validators.len()),
        );
    }
    unsound("chain", status.obstacles.join("; "))
}

/// What the neighbours say of this machine's clock; without them, the last block's time, which a quorum stands behind.
fn time(status: &NodeStatus) -> Finding {
    if let Some(clock) = &status.clock {
        let neighbours = usize::try_from(clock.neighbours).unwrap_or(usize::MAX);
        let offset = replica::Offset { ahead_ms: clock.ahead_ms, neighbours };
        return match health::clock_warning(Some(offset)) {
            Some(warning) => unsound("clock", warning),
            None => sound(
                "clock",
                format!("within {} ms of the median of {neighbours}", offset.distance_ms()),
            ),
        };
    }
    let now = clock::now();
    let ahead = status.time.since(now);
    if ahead > health::CLOCK_OFF_MS {
        return unsound(
            "clock",
            format!("the last block is {ahead} ms ahead of this machine; set its clock (NTP)"),
        );
    }
    let age = now.since(status.time);
    sound("clock", format!("no neighbour to compare with; the last block is {age} ms old"))
}

async fn line(home: &Home, peer: &PeerConfig) -> Finding {
    let seat = home.genesis.validators.iter().find(|seat| seat.transport_key == peer.transport_key);
    let name = seat
        .and_then(|seat| home.genesis.agency(&seat.agency))
        .map_or_else(|| peer.transport_key.short(), |agency| agency.name.to_string());
    let mut why = Vec::new();
    for address in &peer.addresses {
        match tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await {
            Ok(Ok(_)) => return sound("line", format!("{name} answers at {address}")),
            Ok(Err(error)) => why.push(format!("{address}: {error}")),
            Err(_) => why.push(format!("{address}: no answer in {} s", PATIENCE.as_secs())),
        }
    }
    if why.is_empty() {
        return unsound(
            "line",
            format!("{name} has no address in node.toml; it can only be reached if it dials us"),
        );
    }
    unsound(
        "line",
        format!(
            "{name} cannot be reached ({}); is it running, and does the firewall allow it?",
            why.join(", ")
        ),
    )
}
