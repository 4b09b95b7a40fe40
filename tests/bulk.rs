//! A table of licences with bad rows in it, through deaths of the command and of its node: each row ends once, or is explained.
//!
//! `MINLIAN_BULK_ROWS=100000 cargo test --release --locked --workspace --test bulk -- --nocapture` is the run of `node/TESTS.md`.

#![cfg(test)]

use nix::sys::signal::Signal;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};
use tests::{Network, program, program::Ran, say};
use tokio::time::{Instant, sleep};
use types::{Subject, identifier::LicenceIdentifier};

/// Rows when nobody asks for more.
const ROWS: usize = 3000;
/// Rows that nobody should take.
const BAD: usize = 50;
/// What the command may take of memory, whatever the length of its file.
const MEMORY_KIB: u64 = 64 << 10;
/// How long nothing may happen.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long the whole may take.
const WHOLE: Duration = Duration::from_secs(3600);

const HEADER: &str = "identifier,number,issued,from,until,region,holder";
const MAPPING: &str = r#"{"op":"licence.issue","operate_type":"01","state":"01","at":"2026-01-05T09:00:00+08:00","meta":{
"证照标识":"${identifier}","证照类型名称":"水域滩涂养殖证","证照类型代码":"11350000XXXX2001XJ001","证照定义机构代码":"11350000XXXX2001XJ",
"证照编号":"${number}","证照名称":"水域滩涂养殖证","证照版本号":"001","证照颁发日期":"${issued}","证照颁发机构名称":"某县海洋与渔业局(示例)",
"证照颁发机构代码":"11350122XXXX200524","证照有效期起始":"${from}","证照有效期截至":"${until}","证照所属管辖属地编码":"${region}",
"持证主体名称":"${holder}","持证主体代码":"91350122XXXX400026","持证主体代码类型":"001","关联事项代码":"11350122XXXX2005244350117002011"}}"#;

/// What is wrong with a bad row, one kind after the other, and the code it is told by.
const WRONG: [(&str, &str); 5] = [
    ("a wrong check character", "E-REC-"),
    ("a cell too few", "E-CSV-ROW"),
    ("no such day", "E-REC-"),
    ("ends before it begins", "E-REC-"),
    ("no such region", "E-REC-"),
];

/// A table, the licences that its good rows issue, and the lines that are bad, with the kind.
struct Table {
    text: String,
    good: BTreeSet<String>,
    bad: BTreeMap<u64, usize>,
}

impl Table {
    fn of(rows: usize) -> Self {
        let table = Self::with(rows, true);
        assert_eq!(table.bad.len(), BAD);
        table
    }

    /// With bad rows, or with those rows mended.
    fn with(rows: usize, is_spoiled: bool) -> Self {
        let mut text = format!("{HEADER}\n");
        let (mut good, mut bad) = (BTreeSet::new(), BTreeMap::new());
        for row in 0..rows {
            let serial = format!("2026{row:08}");
            let mut identifier = LicenceIdentifier {
                kind: "11350000XXXX2001XJ001",
                issuer: "11350122XXXX200524",
                serial: &serial,
                version: "001",
            }
            .compose();
            let (mut until, mut region, mut issued) = ("20310104", "350122", "20260105");
            // Spread over the table, never its first or last row.
            let is_bad = is_spoiled && row % (rows / BAD) == rows / BAD / 2;
            let wrong = is_bad.then(|| bad.len() % WRONG.len());
            match wrong {
                None => {
                    good.insert(identifier.clone());
                }
                Some(kind) => {
                    // As people count the lines of the table: the first is the header.
                    bad.insert(u64::try_from(row).unwrap() + 2, kind);
                    match kind {
                        0 => {
                            let last = identifier.pop().unwrap();
                            identifier.push(if last == '0' { '1' } else { '0' });
                        }
                        1 => {}
                        2 => issued = "20260230",
                        3 => until = "20250101",
                        _ => region = "35012",
                    }
                }
            }
            let holder = if wrong == Some(1) { "" } else { ",某海水养殖公司(示例)" };
            let number = format!("闽示例养证〔2026〕第{row:08}号(示例)");
            writeln!(text, "{identifier},{number},{issued},20260105,{until},{region}{holder}")
                .unwrap();
        }
        Self { text, good, bad }
    }
}

/// The command over the table, begun again as often as it ends for lack of a node.
struct Clerk<'n> {
    network: &'n Network,
    folder: &'n Path,
}

impl Clerk<'_> {
    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn command(&self) -> Command {
        let mut command = program::command("minlian");
        command.arg("submit").arg(self.file("licences.csv"));
        command.arg("--mapping").arg(self.file("mapping.json"));
        command.arg("--node").arg(self.network.url(1)).arg("--key").arg(self.network.key("issuer"));
        command.arg("--receipts").arg(self.file("receipts.ndjson"));
        command.arg("--rejected").arg(self.file("rejected.ndjson"));
        command.args(["--wait", "committed", "--lang", "en"]);
        command
    }

    fn lines(&self, name: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.file(name)).unwrap_or_default();
        // The last line may be half written by who was killed.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn receipts(&self) -> usize {
        fs::read(self.file("receipts.ndjson"))
            .map_or(0, |bytes| bytes.iter().filter(|byte| **byte == b'\n').count())
    }

    /// Starts it and waits until it has that many receipts.
    async fn until(&self, receipts: usize) -> Child {
        let mut child = self.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let (mut seen, mut since) = (self.receipts(), Instant::now());
        while seen < receipts {
            assert!(
                child.try_wait().unwrap().is_none(),
                "ended with {seen} of {receipts} receipts"
            );
            assert!(since.elapsed() < PATIENCE, "stands still at {seen} of {receipts} receipts");
            sleep(Duration::from_millis(20)).await;
            let now = self.receipts();
            if now != seen {
                (seen, since) = (now, Instant::now());
            }
        }
        child
    }
}

async fn height_and_records(network: &Network, validator: u16) -> (u64, u64) {
    let status = network.node_status(validator).await;
    (status.height.0, status.records)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_ends_once_or_is_explained_whoever_dies() {
    let rows = env::var_os("MINLIAN_BULK_ROWS")
        .map_or(ROWS, |rows| rows.to_str().and_then(|rows| rows.parse().ok()).expect("a number"));
    let network = Network::up();
    let folder = network.scratch().join("bulk");
    fs::create_dir(&folder).unwrap();
    let table = Table::of(rows);
    let clerk = Clerk { network: &network, folder: &folder };
    fs::write(clerk.file("licences.csv"), &table.text).unwrap();
    fs::write(clerk.file("mapping.json"), MAPPING).unwrap();
    let begun = Instant::now();

    // Twice the command dies, in the middle of what it does.
    let mut receipts = Vec::new();
    for part in 1..=2 {
        let mut child = clerk.until(rows * part / 5).await;
        child.kill().unwrap();
        child.wait().unwrap();
        receipts.push(clerk.receipts());
    }
    // Then its node, while it goes on asking.
    let mut child = clerk.until(rows * 3 / 5).await;
    receipts.push(clerk.receipts());
    network.signal(1, Signal::SIGKILL);
    let (before, _) = height_and_records(&network, 2).await;
    while height_and_records(&network, 2).await.0 < before + 2 {
        sleep(Duration::from_millis(50)).await;
    }
    network.testnet(&["start", "v1"]);
    let code = loop {
        if let Some(status) = child.try_wait().unwrap() {
            match status.code() {
                // The node was away longer than the command waits: run again, as it says.
                Some(4) => child = clerk.until(0).await,
                code => break code,
            }
        }
        assert!(begun.elapsed() < WHOLE, "not done");
        sleep(Duration::from_millis(50)).await;
    };
    let took = begun.elapsed();
    assert_eq!(code, Some(1), "some rows are rejected, and nothing else is wrong");

    // Every good row has one receipt, and every bad one a reason.
    let written = clerk.lines("receipts.ndjson");
    let records: BTreeSet<&str> =
        written.iter().map(|row| row["record"].as_str().unwrap()).collect();
    assert_eq!((written.len(), records.len()), (rows - BAD, rows - BAD));
    let rejected = clerk.lines("rejected.ndjson");
    let mut explained = BTreeMap::new();
    for row in &rejected {
        let line = row["line"].as_u64().unwrap();
        let kind = *table.bad.get(&line).unwrap_or_else(|| panic!("line {line} is good: {row}"));
        let (what, code) = WRONG[kind];
        assert!(row["code"].as_str().unwrap().starts_with(code), "{what}: {row}");
        assert!(!row["message"].as_str().unwrap().is_empty(), "{what}: {row}");
        assert!(explained.insert(line, row).is_none(), "line {line} is explained twice");
    }
    assert_eq!(explained.len(), BAD);

    // The ledger has each good row once, and nothing else: every licence there, every record with a subject of its own.
    let (_, recorded) = height_and_records(&network, 1).await;
    assert_eq!(recorded, u64::try_from(rows - BAD).unwrap());
    let client = network.client(2);
    let mut issued = BTreeSet::new();
    let mut cursor = Some(0);
    let asked = client::plain().build().unwrap();
    while let Some(from) = cursor {
        let url = format!("{}/v1/records?limit=1000&cursor={from}", network.url(2));
        let page: Value = asked.get(url).send().await.unwrap().json().await.unwrap();
        for row in page["records"].as_array().unwrap() {
            let licence = row["operation"]["action"]["licence"]["licence"].as_str().unwrap();
            assert!(issued.insert(licence.to_owned()), "{licence} is recorded twice");
            assert!(records.contains(row["record"].as_str().unwrap()), "without a receipt: {row}");
        }
        cursor = page["next"].as_u64();
    }
    assert_eq!(issued, table.good);
    let one: Subject = format!("licence:{}", table.good.first().unwrap()).parse().unwrap();
    assert_eq!(client.subject(&one).await.unwrap().unwrap().state.records, 1);

    // And once more from the start: all of it is recognised, nothing is recorded again.
    let again = Ran::of(&clerk.command().output().unwrap()).expect(1);
    assert!(again.stderr.contains("0 new"), "{}", again.stderr);
    assert_eq!(height_and_records(&network, 1).await.1, recorded);
    assert_eq!(clerk.lines("receipts.ndjson").len(), rows - BAD);
    // The bad rows are mended in the table: they are recorded, and nothing else is.
    fs::write(clerk.file("licences.csv"), Table::with(rows, false).text).unwrap();
    let mut mended = clerk.command().stderr(Stdio::piped()).spawn().unwrap();
    let memory = peak_kib(&mut mended).await;
    let mended = Ran::of(&mended.wait_with_output().unwrap()).expect(0);
    assert!(mended.stderr.contains(&format!("{BAD} new")), "{}", mended.stderr);
    assert_eq!(height_and_records(&network, 1).await.1, u64::try_from(rows).unwrap());
    assert!(memory < MEMORY_KIB, "{memory} KiB");
    // Nor is it another record that the same rows make in a file of another name and time.
    fs::copy(clerk.file("licences.csv"), clerk.file("copy.csv")).unwrap();
    let mut copied = program::command("minlian");
    copied
        .arg("submit")
        .arg(clerk.file("copy.csv"))
        .arg("--mapping")
        .arg(clerk.file("mapping.json"));
    copied.arg("--node").arg(network.url(1)).arg("--key").arg(network.key("issuer"));
    let copied = Ran::of(&copied.args(["--lang", "en"]).output().unwrap()).expect(0);
    assert!(copied.stderr.contains("0 new"), "{}", copied.stderr);
    assert_eq!(height_and_records(&network, 1).await.1, u64::try_from(rows).unwrap());
    let reasons: BTreeSet<_> = rejected.iter().map(|row| row["code"].as_str().unwrap()).collect();
    say(&format!(
        "{rows} rows: {recorded} committed once, {BAD} explained ({reasons:?}); the command killed with {} and {} receipts, its \
         node with {}; {:.1} s; at most {} MiB of memory",
        receipts[0],
        receipts[1],
        receipts[2],
        took.as_secs_f64(),
        memory >> 10
    ));
}

/// How much memory a command takes at most until it ends.
async fn peak_kib(child: &mut Child) -> u64 {
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let now = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        peak = peak.max(now.unwrap_or(0));
        sleep(Duration::from_millis(5)).await;
    }
    assert!(peak > 0, "it ended before it could be looked at");
    peak
}

/// Ten times as many rows take no more memory: neither those of a table nor those of a file of lines are ever held.
#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_thousand_rows_take_as_much_memory_as_a_few() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    fs::write(file("mapping.json"), MAPPING).unwrap();
    let mut peaks = Vec::new();
    for rows in [20_000, 200_000] {
        let (table, lines) = (file(&format!("{rows}.csv")), file(&format!("{rows}.mapped.ndjson")));
        fs::write(&table, Table::of(rows).text).unwrap();
        for (what, mapping) in [(&table, true), (&lines, false)] {
            let mut command = program::command("minlian");
            command.args(["submit", "--check", "--lang", "en"]).arg(what);
            if mapping {
                command.arg("--mapping").arg(file("mapping.json"));
            }
            let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
            peaks.push(peak_kib(&mut child).await);
            let ran = Ran::of(&child.wait_with_output().unwrap()).expect(1);
            assert!(ran.stderr.contains(&format!("{BAD} ")), "{}", ran.stderr);
        }
        let bytes = fs::metadata(&lines).unwrap().len();
        assert!(rows < 200_000 || bytes > 8 * (MEMORY_KIB << 10) / 10, "{bytes} bytes of lines");
    }
    say(&format!(
        "20,000 and 200,000 rows, as a table and as lines: {peaks:?} KiB of memory at most"
    ));
    assert!(peaks.iter().all(|peak| *peak < MEMORY_KIB), "{peaks:?}");
}
