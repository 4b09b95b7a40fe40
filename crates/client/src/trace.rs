//! A lot's graph, asked of a node and drawn: upstream, downstream, a recall, and the proof of the upstream.

mod documents;
mod draw;

use crate::{
    arguments::{self, Form},
    console::Console,
    exit::{Exit, Stop},
    prove,
    speech::{self, say},
};
use client::{
    Client, ClientError,
    api::HistoryRow,
    graph::{Graph, Limits, Way, Withdrawn},
};
use documents::Documents;
use std::sync::Arc;
use tokio::task::JoinSet;
use types::{Subject, operation::Lot};

/// Histories asked for at one time.
const ASKING_MAX: usize = 8;

/// Rows of a history asked for at a time: an event may name a thousand lots, and an answer has its limit.
const ROWS: u64 = 50;

/// The most proofs of upstreams that go into one file.
const PROOFS_MAX: usize = 64;

/// Asks for a lot's graph and shows it.
///
/// # Errors
/// When there is no answer, a document cannot be read, or the proof cannot be written.
pub(crate) async fn run(what: &arguments::Trace, console: &Console) -> Result<Exit, Stop> {
    let lang = console.lang();
    let client = Arc::new(console.client(&what.node.node)?);
    let mut documents = Documents::open(&what.documents)?;
    let as_of = client.status().await?.height;
    let start = lot(&what.lot);
    if client.subject(&Subject::lot(&start)).await?.is_none() {
        console.talk(&speech::unknown_subject(lang, &Subject::lot(&start), client.url()));
        return Ok(Exit::Negative);
    }
    let limits = Limits { lots: what.lots, depth: what.depth, ..Limits::default() };
    let withdrawn = if what.recall { Withdrawn::Followed } else { Withdrawn::Ignored };
    let mut graph = Graph::new(start, ways(what), as_of, limits, withdrawn);
    explore(&client, &mut graph).await?;
    documents.join(&graph, &client).await?;
    let view = draw::View { lang, graph: &graph, documents: &documents, recall: what.recall };
    let drawn = match what.form() {
        Form::Tree => view.tree(),
        Form::Json => view.json(),
        Form::Dot => view.dot(),
        Form::Mermaid => view.mermaid(),
    };
    console.data(&drawn)?;
    if let Some(out) = &what.prove {
        let upstream = graph.proofs();
        if upstream.len() > PROOFS_MAX {
            let (found, most) = (upstream.len(), PROOFS_MAX);
            return Err(Stop::says(
                Exit::Usage,
                format!(
                    "{found} containers and lots in them; one file proves {most}: trace each lot"
                ),
            ));
        }
        let asked = arguments::Prove {
            node: what.node.clone(),
            what: arguments::Provable {
                record: Vec::new(),
                subject: Vec::new(),
                upstream,
                consistency: None,
                block: false,
                authority: Vec::new(),
                evidence: false,
            },
            at: None,
            key: None,
            trust_root: None,
            out: Some(out.clone()),
            qr: None,
            armor: false,
            json: false,
        };
        let exit = prove::run(&asked, console).await?;
        if exit != Exit::Done {
            return Ok(exit);
        }
    }
    if graph.cuts().is_empty() {
        return Ok(Exit::Done);
    }
    let lots = graph.nodes().len();
    console.talk(&say!(
        lang,
        "NOT THE WHOLE: the graph was cut at {lots} lots; ask with larger --lots and --depth.",
        "并非全部：图在 {lots} 个批次处截断；请加大 --lots 与 --depth 后重试。"
    ));
    Ok(Exit::Undecided)
}

fn ways(what: &arguments::Trace) -> Vec<Way> {
    match (what.up, what.down || what.recall) {
        (true, false) => vec![Way::Up],
        (false, true) => vec![Way::Down],
        (true, true) | (false, false) => vec![Way::Up, Way::Down],
    }
}

/// A lot may be written as `status` and `history` write it.
fn lot(text: &Lot) -> Lot {
    text.strip_prefix("lot:").and_then(|rest| rest.parse().ok()).unwrap_or_else(|| text.clone())
}

/// Asks for histories, some at a time, one step after the other, until none is wanted.
async fn explore(client: &Arc<Client>, graph: &mut Graph) -> Result<(), Stop> {
    loop {
        let mut wanted = graph.wanted().into_iter();
        if wanted.len() == 0 {
            return Ok(());
        }
        let mut asking = JoinSet::new();
        let room = graph.room();
        loop {
            while asking.len() < ASKING_MAX
                && let Some(lot) = wanted.next()
            {
                let client = Arc::clone(client);
                asking
                    .spawn(async move { (history(&client, &Subject::lot(&lot), room).await, lot) });
            }
            let Some(answer) = asking.join_next().await else { break };
            let (found, lot) = answer.map_err(|why| Stop::new(Exit::Undecided, why))?;
            match found? {
                Found::Whole(rows) => graph.learn(&lot, rows),
                Found::Beginning(rows) => graph.learn_beginning(&lot, rows),
            }
        }
    }
}

/// What was fetched of a history.
#[derive(Debug)]
enum Found {
    /// All of it.
    Whole(Vec<HistoryRow>),
    /// There is more than there was room for, or the node does not lead on to it.
    Beginning(Vec<HistoryRow>),
}

/// A subject's history, as far as there is room. That there is more is said, for the rows alone do not tell it: those beyond
/// may be the only ones that are new.
async fn history(client: &Client, subject: &Subject, room: usize) -> Result<Found, ClientError> {
    let (mut rows, mut from) = (Vec::new(), 0);
    loop {
        let Some(page) = client.history(subject, from, ROWS).await? else {
            return Ok(Found::Whole(rows));
        };
        rows.extend(page.rows);
        match page.next {
            None => return Ok(Found::Whole(rows)),
            // A page that leads nowhere would be asked for over and over.
            Some(next) if next <= from || rows.len() > room => return Ok(Found::Beginning(rows)),
            Some(next) => from = next,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::give;
    use client::api::History;
    use tokio::net::TcpListener;

    #[test]
    fn a_history_that_ends_before_its_end_is_not_called_whole() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for (next, is_whole) in [(None, true), (Some(0), false)] {
            let found = runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let client = Client::new(&format!("http://{}", listener.local_addr().unwrap()));
                let subject = Subject::lot(&"urn:x:a".parse().unwrap());
                let page = History { subject: subject.clone(), total: 5, rows: Vec::new(), next };
                tokio::spawn(give(listener, serde_json::to_string(&page).unwrap(), Vec::new()));
                history(&client.unwrap(), &subject, 10).await.unwrap()
            });
            assert_eq!(matches!(found, Found::Whole(_)), is_whole, "{next:?}");
        }
    }
}
