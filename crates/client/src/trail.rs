//! Where a licence stood at a time, and who did what with licences, data and documents: from complete histories.

use crate::{
    arguments, ask,
    console::Console,
    exit::{Exit, Stop},
    speech::{self, say},
};
use client::{
    Client, ClientError,
    api::{Ask, HistoryRow, Named, ProofRequest, RecordView},
};
use proof::{Claim, Proof, SharedTransaction, StatusClaim};
use std::{collections::BTreeMap, fs, path::Path};
use types::{
    Height, RecordId, Subject, Timestamp,
    operation::LicenceId,
    standing::status_at,
    subject::{Kind, Link},
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
    let licence = LicenceId::new(what.subject.id.as_str())
        .map_err(|why| Stop::says(Exit::Usage, why.to_string()))?;
    let (rows, written) = match &what.proof {
        Some(out) => {
            let Listed { rows, bytes } = prove(&client, &what.subject, out).await?;
            (rows, Some((out.display(), bytes)))
        }
        None => (whole(&client, &what.subject).await?.unwrap_or_default(), None),
    };
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
    let url = client.url();
    if let Some((file, bytes)) = written {
        console.talk(&say!(
            lang,
            "This is what {url} says. {file}, {bytes} bytes, has the same records, and is not checked yet; without a network: \
             minlian verify {file} --at {at} --trust-root GENESIS",
            "以上为 {url} 的答复。{file}（{bytes} 字节）含相同的记录，尚未核验；离线核验：\
             minlian verify {file} --at {at} --trust-root GENESIS"
        ));
    } else if !what.json {
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
    let nothing = || {
        let url = client.url();
        console.talk(&say!(
            lang,
            "{url} says that there is no record under {subject}",
            "{url} 答复：{subject} 名下没有任何记录"
        ));
        Exit::Negative
    };
    let Some(out) = &what.proof else {
        if client.subject(&subject).await?.is_none() {
            return Ok(nothing());
        }
        let history = arguments::History {
            subject,
            node: arguments::Node { node: what.node.node.clone() },
            from: 0,
            limit: None,
            json: what.json,
        };
        return ask::history(&history, console).await;
    };
    let Listed { rows, bytes } = prove(&client, &subject, out).await?;
    let exit = if rows.is_empty() {
        nothing()
    } else {
        ask::list(&rows, what.json, console)?;
        Exit::Done
    };
    let (file, url) = (out.display(), client.url());
    console.talk(&say!(
        lang,
        "This is what {url} says. {file}, {bytes} bytes, has the same records, without the agencies' names, and is not checked \
         yet; whether this is all: minlian verify {file} --trust-root GENESIS",
        "以上为 {url} 的答复。{file}（{bytes} 字节）含相同的记录（不含机构名称），尚未核验；\
         是否完整无遗漏，请核验：minlian verify {file} --trust-root GENESIS"
    ));
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

/// What a node lists, and has given a proof of.
struct Listed {
    rows: Vec<HistoryRow>,
    /// The length of the proof.
    bytes: usize,
}

/// Writes the proof of a subject with its complete history and every record of it, or of its absence.
///
/// Whether it holds is for `verify` to find out, which has a trust root; but it has what is listed, so that whoever checks it
/// has checked what they were told.
async fn prove(client: &Client, subject: &Subject, out: &Path) -> Result<Listed, Stop> {
    let strange =
        |why: &str| ClientError::Strange { url: client.url().to_owned(), why: why.into() };
    for _ in 0..TRIES {
        let rows = whole(client, subject).await?.unwrap_or_default();
        let mut records: Vec<RecordId> = rows.iter().map(|row| row.record.record).collect();
        records.sort_unstable();
        records.dedup();
        let mut ask = vec![Ask::Subject(Named(subject.clone()))];
        ask.extend(records.chunks(proof::BATCH_MAX).map(|some| Ask::Records(some.to_vec())));
        let request = ProofRequest { since: Height::GENESIS, at: None, ask };
        let bytes = client.prove(&request).await?.ok_or_else(|| strange("there is no proof"))?;
        let proof = proof::decode(&bytes).map_err(|why| strange(&why.to_string()))?;
        let claim = match proof.claims.first() {
            Some(Claim::Status(claim)) if claim.subject == *subject => claim,
            Some(_) | None => return Err(strange("the proof is of something else").into()),
        };
        let total = claim.state.as_ref().map_or(0, |state| state.records);
        if u64::try_from(rows.len()) != Ok(total) {
            continue;
        }
        if claim.history.is_none() && !rows.is_empty() {
            let why = "the history is longer than one proof lists";
            return Err(Stop::says(Exit::Undecided, why));
        }
        if !shows(&proof, claim, &rows) {
            return Err(strange("the proof does not show what it lists").into());
        }
        fs::write(out, &bytes).map_err(|why| Stop::file(out, why))?;
        return Ok(Listed { rows, bytes: bytes.len() });
    }
    Err(Stop::says(Exit::Network, "the history grows faster than it can be fetched; try again"))
}

/// Whether these rows are what a proof has, all of it and in its order. It does not have the names of agencies.
fn shows(proof: &Proof, claim: &StatusClaim, rows: &[HistoryRow]) -> bool {
    let mut there = BTreeMap::new();
    for claim in &proof.claims {
        let Claim::Records(claim) = claim else { continue };
        for record in &claim.records {
            let at = usize::try_from(record.transaction).unwrap_or(usize::MAX);
            there.insert(record.position, (claim.transactions.get(at), record));
        }
    }
    let links = claim.history.as_deref().unwrap_or_default();
    let is_there = |(sequence, (link, row)): (u64, (&Link, &HistoryRow))| {
        let HistoryRow { sequence: told, part, record } = row;
        let RecordView { record: id, position, height, time, tx, index, agency, .. } = record;
        let Some((Some(transaction), shown)) = there.get(&link.position) else { return false };
        let SharedTransaction { header, height: block, time: then, .. } = transaction;
        (link.position, link.record, link.part) == (*position, *id, *part)
            && (sequence, block, then) == (*told, height, time)
            && (header.id(), header.agency, shown.index) == (*tx, *agency, *index)
            && shown.operation == record.operation
    };
    links.len() == rows.len() && (0..).zip(links.iter().zip(rows)).all(is_there)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixture::{Folder, HOME, Ledger, genesis, give},
        speech::Lang,
    };
    use client::api::History;
    use proof::{RecordsClaim, SharedRecord};
    use tokio::net::TcpListener;
    use types::subject::Part;

    /// A licence's history, and the proof of it.
    fn honest() -> (History, Proof) {
        let mut proof = Ledger::new(&genesis(HOME), HOME, &[0, 1, 3]).both();
        let (Claim::Record(record), Claim::Status(status)) =
            (proof.claims.remove(0), proof.claims[0].clone())
        else {
            panic!("a record and its subject")
        };
        let (entry, header) = (record.entry, record.transaction);
        let transaction = SharedTransaction {
            header,
            signature: record.signature,
            height: entry.height,
            time: entry.time,
            operation_nodes: Vec::new(),
        };
        let operation = record.operation.clone();
        let shown = SharedRecord { position: 0, transaction: 0, index: 0, operation };
        proof.claims.push(Claim::Records(Box::new(RecordsClaim {
            transactions: vec![transaction],
            records: vec![shown],
            log_nodes: Vec::new(),
        })));
        let record = RecordView {
            record: entry.record,
            position: 0,
            height: entry.height,
            time: entry.time,
            tx: entry.tx,
            index: 0,
            agency: header.agency,
            agency_name: "test".into(),
            operation: record.operation,
        };
        let rows = vec![HistoryRow { sequence: 0, part: Part::Subject, record }];
        (History { subject: status.subject, total: 1, rows, next: None }, proof)
    }

    #[test]
    fn nothing_is_told_beside_a_proof_that_does_not_have_it() {
        type Lie = fn(&mut HistoryRow);
        let lies: [(Lie, Result<Exit, Exit>); 4] = [
            (|_| {}, Ok(Exit::Done)),
            (|row| row.record.operation.effective_from = Timestamp(0), Err(Exit::Undecided)),
            (|row| row.record.height = Height(1), Err(Exit::Undecided)),
            (|row| row.record.record = RecordId::default(), Err(Exit::Undecided)),
        ];
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (folder, console) = (Folder::new("trail"), Console::open(Some(Lang::En)));
        for (number, (lie, wanted)) in lies.into_iter().enumerate() {
            let (mut history, proof) = honest();
            lie(&mut history.rows[0]);
            let out = folder.path().join(format!("{number}.proof"));
            let (subject, page) =
                (history.subject.clone(), serde_json::to_string(&history).unwrap());
            let proof = proof::encode(&proof);
            let found = runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let node = format!("http://{}", listener.local_addr().unwrap());
                tokio::spawn(give(listener, page, proof.clone()));
                let at: Timestamp = "2026-06-01T00:00:00Z".parse().unwrap();
                let what = arguments::Ask {
                    subject,
                    node: arguments::Node { node },
                    at: Some(at),
                    proof: Some(out.clone()),
                    json: false,
                };
                stood(&what, at, &console).await
            });
            assert_eq!(found.map_err(|stop| stop.exit), wanted, "{number}");
            assert_eq!(fs::read(&out).ok(), wanted.is_ok().then_some(proof), "{number}");
        }
    }
}
