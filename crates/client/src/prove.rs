//! Fetching proofs: from a node into a file, looked at before it is kept.

use crate::{
    arguments,
    console::Console,
    exit::{Exit, Stop},
    speech, verify,
};
use client::{
    Client, ClientError,
    api::{Ask, Authority, Named, ProofRequest},
};
use proof::Claim;
use serde_json::json;
use std::{collections::BTreeSet, fs};
use types::{AgencyCode, Height};

/// Fetches a proof and writes it to a file.
///
/// # Errors
/// When there is no answer, it is no proof of what was asked, or the file cannot be written.
pub(crate) async fn run(what: &arguments::Prove, console: &Console) -> Result<Exit, Stop> {
    let client = Client::new(&what.node.node)?;
    let lang = console.lang();
    let request = ProofRequest { since: since(what)?, at: what.at.map(Height), ask: ask(what) };
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
    let written = if what.armor { proof::armor(&bytes).into_bytes() } else { bytes };
    fs::write(&what.out, &written).map_err(|why| Stop::file(&what.out, why))?;
    let file = what.out.display().to_string();
    if what.json {
        let row = json!({
            "file": file,
            "bytes": written.len(),
            "ask": request.ask,
            "chain": proof.chain,
            "as_of": { "height": proof.header.height, "time": proof.header.time },
        });
        console.data(&row.to_string())?;
    } else {
        console.talk(&speech::proof_written(lang, &file, written.len(), &proof));
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
        (
            Ask::Record(_)
            | Ask::Records(_)
            | Ask::Subject(_)
            | Ask::Upstream(_)
            | Ask::Consistency(_)
            | Ask::Block
            | Ask::Authority(_),
            _,
        ) => false,
    }
}
