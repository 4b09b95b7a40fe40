//! Fetching proofs: from a node into a file, looked at before it is kept.

use crate::{
    arguments,
    console::Console,
    exit::{Exit, Stop},
    speech,
};
use client::{Client, ClientError};
use proof::Claim;
use serde_json::json;
use std::fs;

/// Fetches a proof and writes it to a file.
///
/// # Errors
/// When there is no answer, it is no proof of what was asked, or the file cannot be written.
pub(crate) async fn run(what: &arguments::Prove, console: &Console) -> Result<Exit, Stop> {
    let client = Client::new(&what.node.node)?;
    let lang = console.lang();
    let found = if let Some(id) = &what.what.record {
        let found = client.record_proof(id).await?;
        if found.is_none() {
            console.talk(&speech::unknown_record(lang, id, client.url()));
        }
        found
    } else if let Some(subject) = &what.what.subject {
        let found = client.subject_proof(subject).await?;
        if found.is_none() {
            console.talk(&speech::unknown_subject(lang, subject, client.url()));
        }
        found
    } else {
        return Err(Stop::says(Exit::Usage, "--record or --subject"));
    };
    let Some(bytes) = found else { return Ok(Exit::Negative) };
    let strange = |why: String| ClientError::Strange { url: client.url().to_owned(), why };
    let proof = proof::decode(&bytes).map_err(|why| strange(why.to_string()))?;
    // It may still be forged, which is for `verify` to find out; but it must be of what was asked.
    let asked = proof.claims.iter().all(|claim| match claim {
        Claim::Record(claim) => what.what.record.is_some_and(|id| id == claim.entry.record),
        Claim::Status(claim) => what.what.subject.as_ref() == Some(&claim.subject),
    });
    if !asked {
        return Err(strange("the proof is of something else".into()).into());
    }
    let written = if what.armor { proof::armor(&bytes).into_bytes() } else { bytes };
    fs::write(&what.out, &written).map_err(|why| Stop::file(&what.out, why))?;
    let file = what.out.display().to_string();
    if what.json {
        let row = json!({
            "file": file,
            "bytes": written.len(),
            "record": what.what.record,
            "subject": what.what.subject.as_ref().map(ToString::to_string),
            "chain": proof.chain,
            "as_of": { "height": proof.header.height, "time": proof.header.time },
        });
        console.data(&row.to_string())?;
    } else {
        console.talk(&speech::proof_written(lang, &file, written.len(), &proof));
    }
    Ok(Exit::Done)
}
