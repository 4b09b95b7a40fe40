//! Submission against a node that is a few lines long, and misbehaves as it is told.

use super::*;
use crate::fixture::{Folder, HOME, LICENCES, asked, genesis, key_file};
use books::{Row, Standing};
use client::api::{Fate, NodeStatus, Problem, Receipt, RecordView, Recorded};
use serde_json::{json, to_string};
use source::Rejected;
use std::os::unix::fs::PermissionsExt as _;
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
};
use types::{
    BlockId, Hash, RecordId, Transaction, TxId,
    authority::{Change, Governance},
    operation::{Action, Grade},
};

/// What the node does wrong next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Answers 429 to this many submissions.
    Busy(u32),
    /// Hangs up when it sees the licence that ends in 207.
    HangsUp,
    /// Forgets this many transactions that it accepted.
    Forgets(u32),
    /// Is not done in time with this many submissions.
    Late(u32),
    /// Shows of a proposal another change than was proposed.
    Misreports,
    /// None.
    None,
}

#[derive(Debug)]
struct Node {
    fault: Fault,
    /// Transactions in the order of their arrival, those that were refused left out.
    committed: Vec<Transaction>,
    /// Every answer to a submission.
    answers: Vec<u16>,
}

impl Node {
    fn place(&self, record: &RecordId) -> Option<(TxId, Recorded)> {
        let mut position = 0;
        for (height, tx) in (1..).zip(&self.committed) {
            for found in tx.records() {
                if found == *record {
                    let there = Recorded {
                        record: found,
                        position: Some(position),
                        height: Some(Height(height)),
                    };
                    return Some((tx.id(), there));
                }
                position += 1;
            }
        }
        None
    }

    fn receipt(&self, tx: &Transaction, status: Fate, height: Option<Height>) -> Receipt {
        let records = tx.records().map(|record| {
            self.place(&record)
                .map_or(Recorded { record, position: None, height: None }, |(_, there)| there)
        });
        Receipt {
            tx: tx.id(),
            status,
            height,
            records: records.collect(),
            code: None,
            detail: None,
        }
    }

    fn submit(&mut self, body: &[u8]) -> (u16, String) {
        match &mut self.fault {
            Fault::Busy(left) if *left > 0 => {
                *left -= 1;
                return (429, problem(429, "E-POOL-FULL", "this node holds as many as it may"));
            }
            Fault::Late(left) if *left > 0 => {
                *left -= 1;
                return (408, problem(408, "E-HTTP-TIMEOUT", "not done after 30 s; ask again"));
            }
            Fault::Busy(_)
            | Fault::HangsUp
            | Fault::Forgets(_)
            | Fault::Late(_)
            | Fault::Misreports
            | Fault::None => {}
        }
        let tx: Transaction = codec::decode(body).unwrap();
        let tx = tx.verify(&genesis(HOME).chain()).unwrap().into_inner();
        if self.fault == Fault::HangsUp && names(&tx, ".2026000207.").is_some() {
            return (0, String::new());
        }
        if tx.records().all(|record| self.place(&record).is_some()) {
            return (200, to_string(&self.receipt(&tx, Fate::Recorded, None)).unwrap());
        }
        // Licences whose number ends in 205 are nobody's to issue.
        if let Some(index) = names(&tx, ".2026000205.") {
            let detail = format!("operation {index}: no Licence role covers it");
            return (422, problem(422, "E-AUTH-ROLE", &detail));
        }
        if let Fault::Forgets(left) = &mut self.fault
            && *left > 0
        {
            *left -= 1;
        } else {
            self.committed.push(tx.clone());
        }
        (202, to_string(&self.receipt(&tx, Fate::Accepted, None)).unwrap())
    }

    fn answer(&mut self, method: &str, path: &str, body: &[u8]) -> (u16, String) {
        if method == "POST" {
            let answer = self.submit(body);
            self.answers.push(answer.0);
            return answer;
        }
        let none = || (404, problem(404, "E-NOT-FOUND", "not here"));
        if path == "/v1/status" {
            return (200, status());
        }
        if let Some(id) = path.strip_prefix("/v1/transactions/") {
            let found = (1..).zip(&self.committed).find(|(_, tx)| tx.id().to_string() == id);
            return found.map_or_else(none, |(height, tx)| {
                (200, to_string(&self.receipt(tx, Fate::Committed, Some(Height(height)))).unwrap())
            });
        }
        if let Some(id) = path.strip_prefix("/v1/records/") {
            return self
                .place(&id.parse().unwrap())
                .map_or_else(none, |(tx, there)| (200, self.record(tx, there)));
        }
        none()
    }

    fn record(&self, tx: TxId, there: Recorded) -> String {
        let tx = self.committed.iter().find(|found| found.id() == tx).unwrap();
        let index = tx.records().position(|record| record == there.record).unwrap();
        let mut operation = tx.operations[index].clone();
        if self.fault == Fault::Misreports
            && let Action::Govern(Governance::Propose(change)) = &mut operation.action
        {
            **change = Change::Elements(Vec::new());
        }
        to_string(&RecordView {
            record: there.record,
            position: there.position.unwrap(),
            height: there.height.unwrap(),
            time: Timestamp(0),
            tx: tx.id(),
            index: index.try_into().unwrap(),
            agency: tx.header.agency,
            agency_name: "test".into(),
            operation,
        })
        .unwrap()
    }
}

/// The first operation on a licence with this in its number.
fn names(tx: &Transaction, number: &str) -> Option<usize> {
    tx.operations.iter().position(|operation| match &operation.action {
        Action::Licence(act) => act.licence.contains(number),
        Action::Item(_)
        | Action::Trace(_)
        | Action::Govern(_)
        | Action::List(_)
        | Action::Batch(_)
        | Action::Seed(_)
        | Action::Use(_) => false,
    })
}

fn problem(status: u16, code: &str, detail: &str) -> String {
    let problem = Problem {
        kind: "about:blank".into(),
        title: "no".into(),
        status,
        code: code.into(),
        detail: detail.into(),
    };
    to_string(&problem).unwrap()
}

fn status() -> String {
    to_string(&NodeStatus {
        chain: genesis(HOME).chain(),
        name: "test".into(),
        height: Height(1),
        block: BlockId::default(),
        time: Timestamp(0),
        state_root: Hash::ZERO,
        records: 0,
        kept_from: None,
        log_root: Hash::ZERO,
        valid_until_max: Height(1000),
        round: None,
        pending: 0,
        catching_up: false,
        catch_up: None,
        votes: None,
        clock: None,
        highest: Height(1),
        validators: Vec::new(),
        quorum: 3,
        obstacles: Vec::new(),
    })
    .unwrap()
}

/// Answers one request a connection, as a node would.
async fn serve(mut stream: TcpStream, node: Arc<Mutex<Node>>) -> Option<()> {
    let (head, body) = asked(&mut stream).await?;
    let mut words = head.split(' ');
    let method = words.next()?.to_ascii_uppercase();
    let path = words.next()?.split('?').next()?.to_owned();
    let (status, text) = node.lock().unwrap().answer(&method, &path, &body);
    if status > 0 {
        let length = text.len();
        let answer = format!(
            "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nretry-after: 0\r\nconnection: close\r\n\r\n{text}"
        );
        stream.write_all(answer.as_bytes()).await.ok()?;
    }
    Some(())
}

/// A folder with a key and files to submit, and a node to submit them to.
struct Bench {
    folder: Folder,
    node: Arc<Mutex<Node>>,
}

impl Bench {
    fn new(name: &str, fault: Fault) -> Self {
        let folder = Folder::new(name);
        let key = folder.write("issuer.json", to_string(&key_file()).unwrap());
        std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o600)).unwrap();
        let node = Node { fault, committed: Vec::new(), answers: Vec::new() };
        Self { folder, node: Arc::new(Mutex::new(node)) }
    }

    /// Submits `licences.ndjson` in batches of two, with a second of patience.
    fn submit(&self, more: &str) -> Result<Exit, Stop> {
        self.online(async |url| {
            run(self.arguments(&url, more), &Console::open(Some(Lang::En))).await
        })
    }

    /// Proposes that an element be uniform.
    fn propose(&self) -> Result<Exit, Stop> {
        self.govern("propose elements 事项名称")
    }

    /// Governs, without being asked.
    fn govern(&self, act: &str) -> Result<Exit, Stop> {
        use clap::Parser as _;
        self.online(async |url| {
            let key = self.folder.path().join("issuer.json");
            let line = format!("minlian govern {act} --node {url} --key {} --yes", key.display());
            let command =
                arguments::Arguments::try_parse_from(line.split_whitespace()).unwrap().command;
            let arguments::Command::Govern(what) = command else { panic!("{command:?}") };
            crate::govern::run(&what, &Console::open(Some(Lang::En))).await
        })
    }

    /// Does what needs the node, whose address it is told.
    fn online(&self, work: impl AsyncFnOnce(String) -> Result<Exit, Stop>) -> Result<Exit, Stop> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            let node = Arc::clone(&self.node);
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, Arc::clone(&node)));
                }
            });
            work(url).await
        })
    }

    fn arguments(&self, url: &str, more: &str) -> arguments::Submit {
        use clap::Parser as _;
        let (file, key) =
            (self.folder.path().join("licences.ndjson"), self.folder.path().join("issuer.json"));
        let line = format!(
            "minlian submit {} --node {url} --key {} --batch 2 --patience 1 {more}",
            file.display(),
            key.display()
        );
        let command =
            arguments::Arguments::try_parse_from(line.split_whitespace()).unwrap().command;
        let arguments::Command::Submit(what) = command else { panic!("{command:?}") };
        *what
    }

    fn rows(&self) -> Vec<Row> {
        let text = self.folder.read("licences.receipts.ndjson").unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn rejected(&self) -> Vec<Rejected> {
        let text = self.folder.read("licences.rejected.ndjson").unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn answers(&self) -> Vec<u16> {
        self.node.lock().unwrap().answers.clone()
    }
}

/// The first lines of the sample.
fn lines(count: usize) -> String {
    LICENCES.lines().take(count).map(|line| format!("{line}\n")).collect()
}

fn line_numbers(rows: &[Row]) -> Vec<u64> {
    rows.iter().filter_map(|row| row.line).collect()
}

#[test]
fn a_node_that_asks_for_patience_gets_it() {
    let bench = Bench::new("busy", Fault::Busy(2));
    bench.folder.write("licences.ndjson", lines(4));
    assert_eq!(bench.submit("").unwrap(), Exit::Done);
    assert_eq!(line_numbers(&bench.rows()), [1, 2, 3, 4]);
    assert!(
        bench.rows().iter().all(|row| row.status == Standing::Committed && row.position.is_some())
    );
    let mut answers = bench.answers();
    answers.sort_unstable();
    assert_eq!(answers, [202, 202, 429, 429]);
    assert!(
        bench.folder.read(".licences.ndjson.minlian-state").is_none(),
        "nothing is left to go on with"
    );
}

#[test]
fn no_node_is_exit_four_and_loses_nothing() {
    let bench = Bench::new("nobody", Fault::None);
    bench.folder.write("licences.ndjson", lines(1));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // A port that was just given back refuses connections.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let arguments = bench.arguments(&format!("http://127.0.0.1:{port}"), "");
    let stop = runtime.block_on(run(arguments, &Console::open(Some(Lang::En)))).unwrap_err();
    assert_eq!(stop.exit, Exit::Network, "{:#}", stop.why);
    assert!(speech::stop(Lang::En, &stop).contains("Nothing is lost"));
}

#[test]
fn what_is_wrong_is_rejected_alone() {
    let bench = Bench::new("mixed", Fault::None);
    // Line 3 is no JSON, line 4 is empty; line 7, a licence nobody may issue, is refused by the node in the middle of a batch.
    let mut all: Vec<String> = lines(6).lines().map(str::to_owned).collect();
    all.insert(2, "{\"op\":".into());
    all.insert(3, String::new());
    bench.folder.write("licences.ndjson", all.join("\r\n"));
    assert_eq!(bench.submit("").unwrap(), Exit::Negative);
    assert_eq!(line_numbers(&bench.rows()), [1, 2, 5, 6, 8]);
    let rejected: Vec<_> =
        bench.rejected().into_iter().map(|one| (one.line, one.code, one.message)).collect();
    assert_eq!((rejected.len(), rejected[0].0), (2, Some(3)));
    assert_eq!(rejected[1], (Some(7), "E-AUTH-ROLE".into(), "no Licence role covers it".into()));
}

#[test]
fn an_interrupted_run_goes_on_where_it_was() {
    let bench = Bench::new("resume", Fault::HangsUp);
    bench.folder.write("licences.ndjson", lines(8));
    assert_eq!(bench.submit("").unwrap_err().exit, Exit::Network);
    let state = bench.folder.read(".licences.ndjson.minlian-state").unwrap();
    assert_eq!(state.lines().count(), 1 + 6, "{state}");
    assert_eq!(line_numbers(&bench.rows()), [1, 2, 3, 4, 6]);
    let before = bench.answers().len();
    // The machine fell over in the middle of a line.
    bench.folder.write(
        ".licences.ndjson.minlian-state",
        format!("{state}{{\"receipt\":{{\"file\":\"省").as_bytes(),
    );
    bench.node.lock().unwrap().fault = Fault::None;
    assert_eq!(bench.submit("").unwrap(), Exit::Negative);
    assert_eq!(bench.answers().len() - before, 1, "only what was left is handed in");
    assert_eq!(line_numbers(&bench.rows()), [1, 2, 3, 4, 6, 7, 8]);
    assert_eq!(bench.rejected().iter().map(|one| one.line).collect::<Vec<_>>(), [Some(5)]);
    assert!(bench.folder.read(".licences.ndjson.minlian-state").is_none());
}

#[test]
fn the_same_file_again_gives_the_same_receipts() {
    let bench = Bench::new("again", Fault::None);
    bench.folder.write("licences.ndjson", lines(4));
    assert_eq!(bench.submit("").unwrap(), Exit::Done);
    let before = bench.rows();
    assert_eq!(bench.submit("").unwrap(), Exit::Done);
    let after = bench.rows();
    assert!(after.iter().all(|row| row.status == Standing::Recorded));
    let places = |rows: &[Row]| -> Vec<_> {
        rows.iter().map(|row| (row.record, row.tx, row.height, row.position)).collect()
    };
    assert_eq!(places(&after), places(&before));
}

/// When a file was written, and under which name, is no part of what is recorded.
#[test]
fn a_file_in_which_bad_lines_were_mended_records_those_and_no_other() {
    let bench = Bench::new("mended", Fault::None);
    let path = bench.folder.path().join("licences.ndjson");
    let dated = |text: String, seconds: u64| {
        bench.folder.write("licences.ndjson", text);
        let time = std::time::UNIX_EPOCH + Duration::from_secs(seconds);
        std::fs::File::options().append(true).open(&path).unwrap().set_modified(time).unwrap();
    };
    dated(format!("{}{{}}\n", lines(3)), 1_700_000_000);
    assert_eq!(bench.submit("").unwrap(), Exit::Negative);
    let before = bench.rows();
    assert_eq!(before.len(), 3);
    dated(lines(4), 1_780_000_000);
    assert_eq!(bench.submit("").unwrap(), Exit::Done);
    let after = bench.rows();
    let records = |rows: &[Row]| rows.iter().map(|row| row.record).collect::<Vec<_>>();
    assert_eq!(records(&after)[..3], records(&before));
    assert!(after[..3].iter().all(|row| row.status == Standing::Recorded), "{after:?}");
    assert_eq!(after[3].status, Standing::Committed);
    // Whoever says when they were captured says another thing.
    assert_eq!(bench.submit("--captured-at 2026-11-01T00:00:00Z").unwrap(), Exit::Done);
    assert!(bench.rows().iter().all(|row| row.status == Standing::Committed));
}

#[test]
fn what_a_node_accepts_and_forgets_is_handed_in_again() {
    let bench = Bench::new("forgets", Fault::Forgets(1));
    bench.folder.write("licences.ndjson", lines(2));
    assert_eq!(bench.submit("").unwrap(), Exit::Done);
    assert_eq!(bench.answers(), [202, 202]);
    assert_eq!(line_numbers(&bench.rows()), [1, 2]);
    // Accepted is enough for whoever says so.
    let bench = Bench::new("accepted", Fault::Forgets(1));
    bench.folder.write("licences.ndjson", lines(2));
    assert_eq!(bench.submit("--wait accepted").unwrap(), Exit::Done);
    assert!(
        bench.rows().iter().all(|row| row.status == Standing::Accepted && row.height.is_none())
    );
}

#[test]
fn an_act_that_a_node_accepts_and_forgets_is_not_called_recorded() {
    let bench = Bench::new("governs", Fault::Forgets(1));
    let stop = bench.propose().unwrap_err();
    assert_eq!(stop.exit, Exit::Network, "{:#}", stop.why);
    let said = speech::stop(Lang::En, &stop);
    assert!(said.contains("nothing was recorded") && said.contains("run the same command again"));
    assert_eq!(bench.propose().unwrap(), Exit::Done);
    assert_eq!(bench.node.lock().unwrap().committed.len(), 1);
}

#[test]
fn what_is_not_done_in_time_is_not_called_rejected() {
    let bench = Bench::new("late", Fault::Late(2));
    bench.folder.write("licences.ndjson", lines(2));
    assert_eq!(bench.submit("").unwrap(), Exit::Done);
    assert_eq!(bench.answers(), [408, 408, 202]);
    assert_eq!((line_numbers(&bench.rows()), bench.rejected()), (vec![1, 2], Vec::new()));
    let bench = Bench::new("late-act", Fault::Late(1));
    assert_eq!(bench.propose().unwrap_err().exit, Exit::Network);
}

#[test]
fn a_change_is_approved_as_its_proposal_names_it_or_not_at_all() {
    let bench = Bench::new("approves", Fault::None);
    assert_eq!(bench.propose().unwrap(), Exit::Done);
    let proposal = bench.node.lock().unwrap().committed[0].records().next().unwrap();
    let approve = format!("approve {proposal}");
    bench.node.lock().unwrap().fault = Fault::Misreports;
    for act in [approve.clone(), format!("withdraw {proposal}")] {
        let stop = bench.govern(&act).unwrap_err();
        assert_eq!(stop.exit, Exit::Undecided, "{:#}", stop.why);
        assert_eq!(bench.node.lock().unwrap().committed.len(), 1, "nothing was signed");
    }
    bench.node.lock().unwrap().fault = Fault::None;
    assert_eq!(bench.govern(&approve).unwrap(), Exit::Done);
    assert_eq!(bench.node.lock().unwrap().committed.len(), 2);
    // A record that proposes nothing is no proposal.
    let approval = bench.node.lock().unwrap().committed[1].records().next().unwrap();
    let stop = bench.govern(&format!("approve {approval}")).unwrap_err();
    assert_eq!(stop.exit, Exit::Negative, "{:#}", stop.why);
}

#[test]
fn a_table_by_another_mapping_is_another_run() {
    let folder = Folder::new("mappings");
    let csv = folder.write("t.csv", "标识,名称\nA,甲\n");
    let run = |mapping: &str| {
        let mapping = folder.write("mapping.json", mapping);
        let mapped = table::map(&csv, &mapping).unwrap();
        let capture = Capture {
            system: "t".parse().unwrap(),
            version: "1".parse().unwrap(),
            captured_at: Timestamp::default(),
            grade: Grade::Internal,
        };
        let source = Source::open(&csv, Some(&mapped), None, capture, None).unwrap();
        Run::of(&source, genesis(HOME).chain(), key_file().agency.unwrap(), "committed")
    };
    let one = run(r#"{"id": "${标识}"}"#);
    assert_eq!(run(r#"{"id": "${标识}"}"#), one);
    // Or it would go on in the middle of other records.
    assert_ne!(run(r#"{"id": "${名称}"}"#), one);
    let kept: Run = serde_json::from_str(&to_string(&one).unwrap()).unwrap();
    assert_eq!(kept, one);
}

#[test]
fn what_touches_one_subject_arrives_in_order() {
    let bench = Bench::new("order", Fault::None);
    let mut text = String::new();
    for line in lines(4).lines() {
        let issue: serde_json::Value = serde_json::from_str(line).unwrap();
        let act = |op: &str, operate: &str, state: &str, at: &str| {
            json!({ "op": op, "operate_type": operate, "state": state, "at": at, "reason": "test",
                    "licence": issue["meta"]["证照标识"] })
        };
        let suspend = act("licence.suspend", "03", "02", "2026-06-15T10:30:00+08:00");
        let resume = act("licence.resume", "06", "01", "2026-07-15T10:30:00+08:00");
        text.push_str(&format!("{issue}\n{suspend}\n{resume}\n"));
    }
    bench.folder.write("licences.ndjson", text);
    assert_eq!(bench.submit("").unwrap(), Exit::Done, "{:?}", bench.rejected());
    let node = bench.node.lock().unwrap();
    let mut seen: BTreeMap<Subject, Vec<Timestamp>> = BTreeMap::new();
    let done = node
        .committed
        .iter()
        .flat_map(|tx| tx.operations.iter().map(|operation| (operation, tx.header.agency)));
    for (operation, agency) in done {
        let (subject, _) = operation.subjects(&agency).remove(0);
        seen.entry(subject).or_default().push(operation.effective_from);
    }
    assert_eq!(seen.len(), 4);
    assert!(seen.values().all(|times| times.len() == 3 && times.is_sorted()), "{seen:?}");
}

#[test]
fn checking_needs_neither_node_nor_key() {
    let bench = Bench::new("check", Fault::None);
    bench.folder.write("licences.ndjson", format!("{}[]\n", lines(2)));
    let mut arguments = bench.arguments("http://127.0.0.1:1", "");
    (arguments.check, arguments.node, arguments.key) = (true, None, None);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let exit = runtime.block_on(run(arguments, &Console::open(Some(Lang::En)))).unwrap();
    assert_eq!((exit, bench.rejected().len()), (Exit::Negative, 1));
    assert!(bench.folder.read("licences.receipts.ndjson").is_none());
}

#[test]
fn receipts_may_go_where_there_is_no_disk() {
    let bench = Bench::new("no-disk", Fault::None);
    bench.folder.write("licences.ndjson", lines(2));
    assert_eq!(bench.submit("--receipts /dev/null").unwrap(), Exit::Done);
}

#[test]
fn what_is_read_is_not_written_however_it_is_spelled() {
    let bench = Bench::new("spellings", Fault::None);
    let read = bench.folder.write("licences.ndjson", lines(2));
    let folder = bench.folder.path();
    std::os::unix::fs::symlink(&read, folder.join("symbolic")).unwrap();
    std::fs::hard_link(&read, folder.join("hard")).unwrap();
    let around = folder.join("..").join(folder.file_name().unwrap());
    let spellings = [
        read,
        around.join("licences.ndjson"),
        folder.join("symbolic"),
        folder.join("hard"),
        around.join("issuer.json"),
    ];
    for path in spellings {
        for option in ["--receipts", "--rejected", "--state"] {
            let more = format!("{option} {}", path.display());
            let stop = bench.submit(&more).unwrap_err();
            assert_eq!(stop.exit, Exit::Usage, "{more}: {:#}", stop.why);
            assert!(stop.why.to_string().contains("read and written"), "{more}: {:#}", stop.why);
        }
    }
    // Nor is one file written for two purposes, before it is there.
    let (one, other) = (folder.join("results"), around.join("results"));
    let more = format!("--receipts {} --rejected {}", one.display(), other.display());
    assert_eq!(bench.submit(&more).unwrap_err().exit, Exit::Usage);
    assert_eq!(bench.folder.read("licences.ndjson"), Some(lines(2)));
    assert_eq!(bench.folder.read("issuer.json"), Some(to_string(&key_file()).unwrap()));
    assert!(bench.folder.read("results").is_none() && bench.answers().is_empty());
}

#[test]
fn two_files_whose_results_would_be_one_file_are_refused() {
    let bench = Bench::new("stems", Fault::None);
    bench.folder.write("licences.ndjson", lines(2));
    bench.folder.write("licences.json", LICENCES.lines().nth(2).unwrap());
    bench.folder.write("licences.receipts.ndjson", "kept");
    let at = |name: &str| bench.folder.path().join(name).display().to_string();
    let (json, tables) = (at("licences.json"), format!("{} {}", at("t.csv"), at("t.CSV")));
    let both = format!("licences.ndjson and {json} would both write ");
    for (more, wanted) in [
        (json.clone(), both),
        (json.clone(), "licences.receipts.ndjson; name --receipts and --rejected".to_owned()),
        (format!("{json} --json"), "licences.rejected.ndjson; name --rejected".to_owned()),
        (format!("{json} --check"), "licences.rejected.ndjson; name --rejected".to_owned()),
        (format!("{tables} --mapping m.json"), "t.mapped.ndjson; rename one".to_owned()),
        // What an earlier run has left.
        (at("licences.receipts.ndjson"), "cannot be read and written".to_owned()),
    ] {
        let stop = bench.submit(&more).unwrap_err();
        assert_eq!(stop.exit, Exit::Usage, "{more}: {:#}", stop.why);
        assert!(stop.why.to_string().contains(&wanted), "{more}: {:#}", stop.why);
    }
    assert_eq!(bench.folder.read("licences.receipts.ndjson").as_deref(), Some("kept"));
    assert!(bench.answers().is_empty());
    // One list for both is what it says: nothing is lost then.
    let more = format!("{json} --receipts {} --rejected {}", at("r.ndjson"), at("j.ndjson"));
    assert_eq!(bench.submit(&more).unwrap(), Exit::Done);
    assert_eq!(bench.folder.read("r.ndjson").unwrap().lines().count(), 3);
}
