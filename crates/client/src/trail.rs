//! Where a licence stood at a time, and who did what with licences, data and documents: from complete histories.

use crate::{
    arguments, ask,
    console::Console,
    exit::{Exit, Stop},
    speech::{self, say},
};
use client::{
    Client, ClientError,
    api::{Ask, HistoryRow, Named, ProofRequest},
};
use proof::Claim;
use std::{fs, path::Path};
use types::{
    Height, RecordId, Subject, Timestamp, operation::LicenceId, standing::status_at, subject::Kind,
    usage::DataName,
};

/// The rows a node is asked for at a time.
const PAGE: u64 = 100;

/// How often a history that grows while it is fetched is fetched again.
const TRIES: u8 = 5;

/// Says where a licence stood at a time, and writes the proof of it if one is asked for.
///
/// # Errors
/// When there is no answer.
pub(crate) async fn stood(
    what: &arguments::Ask,
    at: Timestamp,
    console: &Console,
) -> Result<Exit, Stop> {
    let (client, lang) = (console.client(&what.node.node)?, console.lang());
    if what.subject.kind != Kind::Licence {
        return Err(Stop::says(Exit::Usage, "--at is of licences: name it licence:ID"));
    }
    let rows = whole(&client, &what.subject).await?.unwrap_or_default();
    let licence = LicenceId::new(what.subject.id.as_str())
        .map_err(|why| Stop::says(Exit::Usage, why.to_string()))?;
    let standing = status_at(&licence, rows.iter().map(|row| &row.record.operation), at);
    if what.json {
        let row = serde_json::json!({
            "subject": what.subject.to_string(), "at": at, "standing": speech::usage::word(standing),
            "valid": standing.is_valid(), "records": rows.len(),
        });
        console.data(&row.to_string())?;
    } else {
        console.data(&speech::usage::stood(lang, &licence, at, standing))?;
    }
    if let Some(out) = &what.proof {
        let bytes = prove(&client, &what.subject, out).await?;
        let (file, time) = (out.display(), at);
        console.talk(&say!(
            lang,
            "{file} written, {bytes} bytes; check it without a network: minlian verify {file} --at {time} --trust-root GENESIS",
            "已写入 {file}，{bytes} 字节；离线核验：minlian verify {file} --at {time} --trust-root GENESIS"
        ));
    } else if !what.json {
        let url = client.url();
        console.talk(&say!(
            lang,
            "This is what {url} says; for a proof add --proof FILE",
            "以上为 {url} 的答复；如需证明请加 --proof FILE"
        ));
    }
    Ok(if standing.is_valid() { Exit::Done } else { Exit::Negative })
}

/// Lists what an agency did, or what was done with data or a document, and writes the proof that it is all.
///
/// # Errors
/// When there is no answer.
pub(crate) async fn audit(what: &arguments::Audit, console: &Console) -> Result<Exit, Stop> {
    let lang = console.lang();
    let subject = match (&what.actor, &what.subject) {
        (Some(code), _) => Subject::actor(code),
        (None, Some(subject)) => trail_of(subject)?,
        (None, None) => return Err(Stop::says(Exit::Usage, "give --actor or --subject")),
    };
    let client = console.client(&what.node.node)?;
    let written = match &what.proof {
        Some(out) => Some((prove(&client, &subject, out).await?, out)),
        None => None,
    };
    let exit = if client.subject(&subject).await?.is_some() {
        let history = arguments::History {
            subject: subject.clone(),
            node: arguments::Node { node: what.node.node.clone() },
            from: 0,
            limit: None,
            json: what.json,
        };
        ask::history(&history, console).await?
    } else {
        let url = client.url();
        console.talk(&say!(
            lang,
            "{url} says that there is no record under {subject}",
            "{url} 答复：{subject} 名下没有任何记录"
        ));
        Exit::Negative
    };
    if let Some((bytes, out)) = written {
        let file = out.display();
        console.talk(&say!(
            lang,
            "{file} written, {bytes} bytes; it shows that this is all: minlian verify {file} --trust-root GENESIS",
            "已写入 {file}，{bytes} 字节；可证明记录完整无遗漏：minlian verify {file} --trust-root GENESIS"
        ));
    }
    Ok(exit)
}

/// Under which subject it is kept what was done with something.
fn trail_of(subject: &Subject) -> Result<Subject, Stop> {
    match subject.kind {
        Kind::Licence | Kind::Item | Kind::Lot => DataName::new(subject.to_string())
            .map(|name| Subject::data(&name))
            .map_err(|why| Stop::says(Exit::Usage, why.to_string())),
        Kind::Data | Kind::Document | Kind::Grant | Kind::Actor => Ok(subject.clone()),
        Kind::Basic
        | Kind::Agency
        | Kind::Proposal
        | Kind::Network
        | Kind::List
        | Kind::Batch
        | Kind::Seed => Err(Stop::says(
            Exit::Usage,
            "what is audited is licence:…, item:…, lot:…, data:…, document:… or grant:…; for an agency give --actor",
        )),
    }
}

/// The whole history of a subject; `None` if it is not on the ledger.
async fn whole(client: &Client, subject: &Subject) -> Result<Option<Vec<HistoryRow>>, Stop> {
    let (mut rows, mut from) = (Vec::new(), 0);
    loop {
        let Some(page) = client.history(subject, from, PAGE).await? else { return Ok(None) };
        rows.extend(page.rows);
        match page.next {
            Some(next) if next > from => from = next,
            Some(_) | None => return Ok(Some(rows)),
        }
    }
}

/// Writes the proof of a subject with its complete history and every record of it, or of its absence.
async fn prove(client: &Client, subject: &Subject, out: &Path) -> Result<usize, Stop> {
    let strange =
        |why: &str| ClientError::Strange { url: client.url().to_owned(), why: why.into() };
    for _ in 0..TRIES {
        let rows = whole(client, subject).await?.unwrap_or_default();
        let mut records: Vec<RecordId> = rows.iter().map(|row| row.record.record).collect();
        records.sort_unstable();
        records.dedup();
        let mut ask = vec![Ask::Subject(Named(subject.clone()))];
        if !records.is_empty() {
            ask.push(Ask::Records(records));
        }
        let request = ProofRequest { since: Height::GENESIS, at: None, ask };
        let bytes = client.prove(&request).await?.ok_or_else(|| strange("there is no proof"))?;
        let proof = proof::decode(&bytes).map_err(|why| strange(&why.to_string()))?;
        let total = match proof.claims.first() {
            Some(Claim::Status(claim)) if claim.subject == *subject => {
                claim.state.as_ref().map_or(0, |state| state.records)
            }
            Some(_) | None => return Err(strange("the proof is of something else").into()),
        };
        if u64::try_from(rows.len()) == Ok(total) {
            fs::write(out, &bytes).map_err(|why| Stop::file(out, why))?;
            return Ok(bytes.len());
        }
    }
    Err(Stop::says(Exit::Network, "the history grows faster than it can be fetched; try again"))
}
