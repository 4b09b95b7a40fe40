//! Fetching proofs: from a node into a file, looked at before it is kept.

use crate::{
    arguments,
    console::Console,
    exit::{Exit, Stop},
    qr::{self, Written},
    speech, verify,
};
use client::{
    Client, ClientError,
    api::{Ask, Authority, Named, ProofRequest, Said, Twice},
};
use proof::Claim;
use serde_json::json;
use std::{collections::BTreeSet, fs};
use types::{AgencyCode, Height, Round};

/// Fetches a proof and writes it to a file.
///
/// # Errors
/// When there is no answer, it is no proof of what was asked, or the file cannot be written.
pub(crate) async fn run(what: &arguments::Prove, console: &Console) -> Result<Exit, Stop> {
    let client = console.client(&what.node.node)?;
    let lang = console.lang();
    let mut ask = ask(what);
    if what.what.evidence {
        ask.extend(evidence(&client).await?);
        if ask.is_empty() {
            console.talk(&speech::no_evidence(lang, client.url()));
            return Ok(Exit::Negative);
        }
    }
    let request = ProofRequest { since: since(what)?, at: what.at.map(Height), ask };
    let Some(bytes) = client.prove(&request).await? else {
        console.talk(&speech::unprovable(lang, client.url()));
        return Ok(Exit::Negative);
    };
    let strange = |why: String| ClientError::Strange { url: client.url().to_owned(), why };
    let proof = proof::decode(&bytes).map_err(|why| strange(why.to_string()))?;
    // It may still be forged, which is for `verify` to find out; but it must be of what was asked, and beside that of
    // nothing but what that rests on.
    let fits = |(ask, claim): (&Ask, &Claim)| answers(ask, claim);
    let (asked, more) = proof.claims.split_at(request.ask.len().min(proof.claims.len()));
    if asked.len() != request.ask.len()
        || !request.ask.iter().zip(asked).all(fits)
        || !more.iter().all(|claim| supports(claim, request.at.is_some()))
    {
        return Err(strange("the proof is of something else".into()).into());
    }
    let codes = match &what.qr {
        None => None,
        Some(path) => {
            let Some(frames) = proof::frames(&bytes) else {
                console.talk(&speech::too_long_for_qr(lang, bytes.len()));
                return Ok(Exit::Negative);
            };
            Some(qr::write(path, &frames)?)
        }
    };
    let written = if what.armor { proof::armor(&bytes).into_bytes() } else { bytes };
    if let Some(out) = &what.out {
        fs::write(out, &written).map_err(|why| Stop::file(out, why))?;
    }
    let mut files: Vec<String> = what.out.iter().map(|path| path.display().to_string()).collect();
    match codes {
        Some(Written::Files(paths)) => {
            files.extend(paths.iter().map(|path| path.display().to_string()));
        }
        Some(Written::Text(text)) => console.data(&text)?,
        None => {}
    }
    let file = files.join(" ");
    // Pictures are scanned first; what was read is given in files, or on standard input.
    let check = what.out.as_ref().map_or_else(|| "-".to_owned(), |path| path.display().to_string());
    if what.json {
        let row = json!({
            "file": file,
            "files": files,
            "bytes": written.len(),
            "ask": request.ask,
            "chain": proof.chain,
            "as_of": { "height": proof.header.height, "time": proof.header.time },
        });
        console.data(&row.to_string())?;
    } else {
        console.talk(&speech::proof_written(lang, &file, &check, written.len(), &proof));
    }
    Ok(Exit::Done)
}

/// Up to which block the chain is known to whoever will check the proof.
fn since(what: &arguments::Prove) -> Result<Height, Stop> {
    let Some(path) = &what.trust_root else { return Ok(Height::GENESIS) };
    let root = verify::trust_root(path).map_err(|why| {
        Stop::says(Exit::Usage, format!("{} is not a trust root: {why}", path.display()))
    })?;
    Ok(root.checkpoint().map_or(Height::GENESIS, |saved| saved.header().height))
}

fn ask(request: &arguments::Prove) -> Vec<Ask> {
    let arguments::Prove { what, key, at, .. } = request;
    let authority = |agency: &AgencyCode| {
        Ask::Authority(Authority { agency: *agency, key: *key, at: at.map(Height) })
    };
    let records = match what.record.as_slice() {
        [] => None,
        [one] => Some(Ask::Record(*one)),
        many => Some(Ask::Records(many.to_vec())),
    };
    records
        .into_iter()
        .chain(what.subject.iter().map(|subject| Ask::Subject(Named(subject.clone()))))
        .chain(what.upstream.iter().map(|lot| Ask::Upstream(lot.clone())))
        .chain(what.consistency.map(|height| Ask::Consistency(Height(height))))
        .chain(what.block.then_some(Ask::Block))
        .chain(what.authority.iter().map(authority))
        .collect()
}

/// What the node holds of validators that said two things, as much as one file may show.
async fn evidence(client: &Client) -> Result<Vec<Ask>, Stop> {
    let said = |step: &str| match step {
        "proposal" => Some(Said::Proposal),
        "prevote" => Some(Said::Prevote),
        "precommit" => Some(Said::Precommit),
        _ => None,
    };
    let held = client.evidence().await?.evidence;
    let asks = held.iter().filter_map(|one| {
        let (height, round, seat) = (one.height, Round(one.round), one.seat);
        Some(Ask::Evidence(Twice { height, round, seat, step: said(&one.step)? }))
    });
    Ok(asks.take(EVIDENCE_MAX).collect())
}

/// As many things as a node is asked for at once.
const EVIDENCE_MAX: usize = 64;

/// Whether a claim that nobody asked for may stand beside those that were.
const fn supports(claim: &Claim, past: bool) -> bool {
    match claim {
        // Who signed, when genesis does not know them, and the time at which a role ended.
        Claim::Authority(_) | Claim::Consistency(_) => true,
        // The records that a subject had by then.
        Claim::Records(_) => past,
        Claim::Record(_)
        | Claim::Status(_)
        | Claim::Upstream(_)
        | Claim::Fork(_)
        | Claim::Votes(_)
        | Claim::Block => false,
    }
}

/// Whether a claim is of what was asked for.
fn answers(ask: &Ask, claim: &Claim) -> bool {
    match (ask, claim) {
        (Ask::Record(id), Claim::Record(claim)) => *id == claim.entry.record,
        (Ask::Records(ids), Claim::Records(claim)) => {
            let ids: BTreeSet<_> = ids.iter().collect();
            ids.len() == claim.records.len()
                && claim.records.iter().all(|record| {
                    let at = usize::try_from(record.transaction).unwrap_or(usize::MAX);
                    claim.transactions.get(at).is_some_and(|transaction| {
                        ids.contains(&record.operation.record(&transaction.header.agency))
                    })
                })
        }
        (Ask::Subject(subject), Claim::Status(claim)) => subject.0 == claim.subject,
        (Ask::Upstream(lot), Claim::Upstream(claim)) => *lot == claim.lot,
        (Ask::Consistency(height), Claim::Consistency(claim)) => *height == claim.header.height,
        (Ask::Block, Claim::Block) => true,
        (Ask::Authority(asked), Claim::Authority(claim)) => {
            asked.agency == claim.agency
                && asked.key == claim.key
                && asked.at.is_none_or(|at| at == claim.at)
        }
        (Ask::Evidence(asked), Claim::Votes(claim)) => asked.is(claim),
        (
            Ask::Record(_)
            | Ask::Records(_)
            | Ask::Subject(_)
            | Ask::Upstream(_)
            | Ask::Consistency(_)
            | Ask::Block
            | Ask::Authority(_)
            | Ask::Evidence(_),
            _,
        ) => false,
    }
}
