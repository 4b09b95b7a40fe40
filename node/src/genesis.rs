//! From a template and the agencies' applications to a genesis file.

use crate::home;
use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use std::{fs, path::Path};
use types::{AgencyCode, Genesis, PublicKey, Text, Timestamp, genesis::Seat};

/// What an agency hands to the one who builds genesis: its public keys.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    /// The format, 1.
    pub version: u16,
    /// The agency.
    pub agency: AgencyCode,
    /// The keys that sign transactions for it.
    pub organisation_keys: Vec<PublicKey>,
    /// Its seat, if it operates a validator.
    pub validator: Option<SeatKeys>,
}

/// The public keys of a seat.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeatKeys {
    /// Signs votes.
    pub consensus_key: PublicKey,
    /// Opens connections.
    pub transport_key: PublicKey,
}

/// The enrolment of an agency from its key files.
///
/// # Errors
/// When a key file cannot be read or is for another purpose.
pub fn enrol(
    agency: AgencyCode,
    organisation: &[impl AsRef<Path>],
    seat: Option<(&Path, &Path)>,
) -> anyhow::Result<Enrolment> {
    let keys =
        organisation.iter().map(|path| Ok(home::read_key(path.as_ref(), "organisation")?.public()));
    let validator = seat
        .map(|(consensus, transport)| {
            anyhow::Ok(SeatKeys {
                consensus_key: home::read_key(consensus, "consensus")?.public(),
                transport_key: home::read_key(transport, "transport")?.public(),
            })
        })
        .transpose()?;
    Ok(Enrolment {
        version: 1,
        agency,
        organisation_keys: keys.collect::<anyhow::Result<_>>()?,
        validator,
    })
}

/// A genesis: the template with the keys and seats of the enrolments, in their order.
///
/// # Errors
/// When an enrolment names an agency the template does not know, or the result does not fit together.
pub fn build(
    template: &str,
    enrolments: &[Enrolment],
    name: Option<Text<64>>,
    time: Option<Timestamp>,
) -> anyhow::Result<Genesis> {
    let mut genesis = Genesis::template(template)?;
    if let Some(name) = name {
        genesis.name = name;
    }
    if let Some(time) = time {
        genesis.time = time;
    }
    for enrolment in enrolments {
        ensure!(
            enrolment.version == 1,
            "the enrolment of {} has format {}, this version reads 1",
            enrolment.agency,
            enrolment.version
        );
        let agency = genesis
            .agencies
            .iter_mut()
            .find(|agency| agency.code == enrolment.agency)
            .with_context(|| {
                format!("{} is not in the template; add the agency there first", enrolment.agency)
            })?;
        agency.keys.extend(&enrolment.organisation_keys);
        if let Some(keys) = enrolment.validator {
            genesis.validators.push(Seat {
                agency: enrolment.agency,
                consensus_key: keys.consensus_key,
                transport_key: keys.transport_key,
            });
        }
    }
    genesis.check()?;
    Ok(genesis)
}

/// Writes a genesis file, which must not exist.
///
/// # Errors
/// When it exists or cannot be written.
pub fn write(genesis: &Genesis, path: &Path) -> anyhow::Result<()> {
    use std::io::Write as _;
    let mut out =
        fs::OpenOptions::new().write(true).create_new(true).open(path).with_context(|| {
            format!("cannot create {}; a genesis is never overwritten", path.display())
        })?;
    write!(
        out,
        "# Genesis of {}, chain id {}\n\n{}",
        genesis.name,
        genesis.chain(),
        genesis.to_toml()
    )?;
    out.sync_all()?;
    Ok(())
}
