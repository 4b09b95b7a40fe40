//! What a running node says of itself, shown to its operator.

use crate::{
    cli::{complain, print},
    doctor::own_status,
    home::{self, Unavailable},
};
use client::api::NodeStatus;
use std::{net::SocketAddr, path::Path, process::ExitCode};

async fn asked(api: SocketAddr) -> anyhow::Result<NodeStatus> {
    own_status(api).await.ok_or_else(|| {
        Unavailable(format!("nothing answers at {api}; is the node running? its log says")).into()
    })
}

/// Where the node is, and what stands in its way; exit code 1 when something does.
///
/// # Errors
/// When nothing answers.
pub async fn status(home: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let (config, _) = home::read_public(home)?;
    let status = asked(config.api).await?;
    if json {
        print(&serde_json::to_string(&status)?);
    } else {
        let reachable = status.validators.iter().filter(|validator| validator.reachable).count();
        print(&format!("network     {}   chain {}", status.name, status.chain));
        print(&format!(
            "block       {} at height {}, {}",
            status.block.0.short(),
            status.height,
            status.time
        ));
        print(&format!("records     {}   log {}", status.records, status.log_root.short()));
        if let Some(kept) = status.kept_from {
            print(&format!(
                "bodies      of blocks {kept} on; older ones were dropped by retention"
            ));
        }
        print(&format!("state       {}", status.state_root.short()));
        print(&format!("waiting     {} transactions", status.pending));
        print(&format!(
            "validators  {reachable} of {} in reach, quorum {}",
            status.validators.len(),
            status.quorum
        ));
        if let Some(catching_up) = &status.catch_up {
            print(&format!("catching up {}", catching_up.summary));
        }
        for obstacle in &status.obstacles {
            print(&format!("! {obstacle}"));
        }
    }
    Ok(if status.obstacles.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The other validators, and where they are; exit code 1 when fewer than a quorum are in reach.
///
/// # Errors
/// When nothing answers.
pub async fn peers(home: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let (config, genesis) = home::read_public(home)?;
    let status = asked(config.api).await?;
    let addresses = |seat: &client::api::ValidatorStatus| {
        let known = genesis.validators.iter().find(|known| known.agency == seat.agency);
        let peer = known.and_then(|known| {
            config.peers.iter().find(|peer| peer.transport_key == known.transport_key)
        });
        let addresses = peer.map(|peer| peer.addresses.clone()).unwrap_or_default();
        addresses.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let reachable = status.validators.iter().filter(|validator| validator.reachable).count();
    let enough = u64::try_from(reachable).unwrap_or(u64::MAX) >= status.quorum;
    if json {
        let rows: Vec<_> = status
            .validators
            .iter()
            .map(|validator| {
                let addresses = addresses(validator);
                serde_json::json!({
                    "seat": validator.seat, "agency": validator.agency, "name": validator.name,
                    "reachable": validator.reachable, "this_node": validator.this_node, "addresses": addresses,
                })
            })
            .collect();
        print(&serde_json::json!({ "validators": rows, "quorum": status.quorum }));
    } else {
        let mut table = comfy_table::Table::new();
        table.load_style(comfy_table::presets::NOTHING);
        table.set_header(["SEAT", "AGENCY", "REACHED", "ADDRESSES IN node.toml"]);
        for validator in &status.validators {
            let reached = match (validator.this_node, validator.reachable) {
                (true, _) => "this node",
                (false, true) => "yes",
                (false, false) => "no",
            };
            let addresses = addresses(validator).join(", ");
            let seat = validator.seat.to_string();
            table.add_row([seat.as_str(), &validator.name, reached, &addresses]);
        }
        print(&table.trim_fmt());
        if !enough {
            complain(&format!("{reachable} in reach, {} make a quorum", status.quorum));
        }
    }
    Ok(if enough { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
