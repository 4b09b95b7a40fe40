//! Questions about service items, answered from a proof: in force on a day, drift between levels, named lists.

pub(crate) mod life;

use crate::{
    console::Console,
    exit::{Exit, Stop},
    layout::{count, hang, pad},
    speech::{self, Lang, say},
    verify,
};
use clap::{Args, Subcommand};
use client::{
    Client, ClientError,
    api::{Ask, Named, ProofRequest},
};
use life::{Act, Drift, Standing, Stood};
use proof::{Claim, Proof, StatusClaim, TrustRoot};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, path::PathBuf};
use types::{
    AgencyCode, Height, Operation, RecordId, Subject, Timestamp,
    item::{ListName, ListVerb, members_root},
    operation::{Action, BasicCode, ItemCode},
    subject::{Facts, Status},
};

/// Ask about service items, with proof
///
/// Every answer is computed here, from a proof of the complete history: the node only fetches it. With a trust root the proof
/// is checked first. What was asked once can be answered again offline from the file (--out, then --proof).
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  minlian item in-force 11350000XXXX0002702350117002011 --on 2026-06-01 --node URL --trust-root genesis.toml\n  \
                  minlian item drift 350117002011 --node URL --trust-root genesis.toml --out drift.proof\n  \
                  minlian item drift 350117002011 --proof drift.proof --trust-root genesis.toml\n  \
                  minlian item list 高频事项清单 --contains 11350000XXXX0002702350117002011 --node URL\n\n\
                  Exit codes: 0 in force, no drift, or on the list; 1 not so, or not proven; 3 could not decide; 4 node not available."
)]
pub(crate) struct Item {
    #[command(subcommand)]
    pub(crate) act: ItemAct,
    #[command(flatten)]
    pub(crate) source: Source,
    /// JSON on standard output
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// Where the proof comes from, and who is believed.
#[derive(Debug, Args)]
pub(crate) struct Source {
    /// The node's address
    #[arg(long, value_name = "URL", env = "MINLIAN_NODE", global = true)]
    pub(crate) node: Option<String>,
    /// A proof that was fetched before: no node is asked
    #[arg(long, value_name = "PROOF", global = true)]
    pub(crate) proof: Option<PathBuf>,
    /// The genesis file of the chain, from your agency: the proof is checked against it
    #[arg(long, value_name = "GENESIS", env = "MINLIAN_TRUST_ROOT", global = true)]
    pub(crate) trust_root: Option<PathBuf>,
    /// Where to keep the proof
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) out: Option<PathBuf>,
}

/// What is asked.
#[derive(Debug, Subcommand)]
pub(crate) enum ItemAct {
    /// Whether an item was, or will be, in force on a day, in which version, and that no later one is recorded
    InForce {
        /// 实施编码
        #[arg(value_name = "CODE")]
        code: ItemCode,
        /// The day, in China: 2026-06-01 or 20260601
        #[arg(long, value_name = "DAY", value_parser = day)]
        on: Timestamp,
    },
    /// In which uniform elements the entries under a basic code differ from the one that opened it
    Drift {
        /// 基本编码
        #[arg(value_name = "BASIC-CODE")]
        basic: BasicCode,
        /// The day; default that of the last block
        #[arg(long, value_name = "DAY", value_parser = day)]
        on: Option<Timestamp>,
    },
    /// The items of a named list, as its latest version has them
    List {
        /// 清单名称
        #[arg(value_name = "NAME")]
        name: ListName,
        /// Whether this item is on it
        #[arg(long, value_name = "CODE")]
        contains: Option<ItemCode>,
    },
}

/// The first millisecond of a day in China.
fn day(text: &str) -> Result<Timestamp, String> {
    let digits = text.replace('-', "");
    let dashed = text.len() == 10
        && text.as_bytes().get(4) == Some(&b'-')
        && text.as_bytes().get(7) == Some(&b'-');
    let fits = digits.len() == 8
        && digits.bytes().all(|c| c.is_ascii_digit())
        && (dashed || text.len() == 8);
    let time = fits.then(|| {
        format!("{}-{}-{}T00:00:00+08:00", &digits[..4], &digits[4..6], &digits[6..]).parse()
    });
    time.and_then(Result::ok).ok_or_else(|| "a day is written 2026-06-01 or 20260601".to_owned())
}

/// The length of a day, milliseconds.
const DAY: u64 = 24 * 60 * 60 * 1000;

/// A record, as a proof shows it.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) position: u64,
    pub(crate) height: Height,
    pub(crate) agency: AgencyCode,
    pub(crate) record: RecordId,
    pub(crate) operation: Operation,
}

/// A proof in hand, and what it rests on.
struct Basis {
    proof: Proof,
    /// Whether a trust root vouches for it.
    proven: bool,
}

/// Answers.
///
/// # Errors
/// When there is no proof, or none that shows what is needed.
pub(crate) async fn run(what: &Item, console: &Console) -> Result<Exit, Stop> {
    match &what.act {
        ItemAct::InForce { code, on } => in_force(what, code, *on, console).await,
        ItemAct::Drift { basic, on } => drift(what, basic, *on, console).await,
        ItemAct::List { name, contains } => list(what, name, contains.as_ref(), console).await,
    }
}

async fn in_force(
    what: &Item,
    code: &ItemCode,
    on: Timestamp,
    console: &Console,
) -> Result<Exit, Stop> {
    let lang = console.lang();
    let subject = Subject::item(code);
    let Some(basis) = basis(&what.source, &subject, &[], Wanted::All, console).await? else {
        return Ok(Exit::Negative);
    };
    let claim = status_claim(&basis.proof, &subject)?;
    if claim.state.is_none() {
        return absent(what, &subject, &basis, console);
    }
    let shown = complete(&basis.proof, claim)?;
    let acts = life::acts(code, &shown);
    let stood = life::over(&acts, on, on.plus(DAY));
    let in_force = stood.iter().any(|(_, standing)| standing.is_in_force());
    let as_of = &basis.proof.header;
    if what.json {
        let row = |(from, standing): &(Timestamp, Standing)| {
            json!({ "from": from, "in_force": standing.is_in_force(), "standing": standing.name(),
                    "version": standing.version().map(|act| act.version()), "record": standing.version().map(|act| act.record) })
        };
        let answer = json!({
            "item": code, "on": on, "in_force": in_force,
            "whole_day": stood.iter().all(|(_, standing)| standing.is_in_force()),
            "stood": stood.iter().map(row).collect::<Vec<_>>(),
            "latest_version": acts.iter().filter_map(Act::version).max(), "records": acts.len(),
            "proven": basis.proven, "as_of": { "height": as_of.height, "time": as_of.time },
        });
        console.data(&answer.to_string())?;
    } else {
        console.data(&told_in_force(lang, code, &stood, &acts))?;
        console.talk(&footing(lang, &basis, what));
    }
    Ok(if in_force { Exit::Done } else { Exit::Negative })
}

fn told_in_force(
    lang: Lang,
    code: &ItemCode,
    stood: &[(Timestamp, Standing)],
    acts: &[Act],
) -> String {
    let whole = stood.iter().all(|(_, standing)| standing.is_in_force());
    let some = stood.iter().any(|(_, standing)| standing.is_in_force());
    let word = match (whole, some) {
        (true, _) => lang.pick("IN FORCE", "在用"),
        (false, true) => lang.pick("IN FORCE FOR PART OF THE DAY", "当日部分时间在用"),
        (false, false) => lang.pick("NOT IN FORCE", "不在用"),
    };
    let item = speech::thing(lang, &Subject::item(code));
    let mut lines = vec![format!("{word}   {item}")];
    for (from, standing) in stood {
        let from = from.in_china();
        lines.push(hang(&format!("  {from}  "), &standing_in_words(lang, standing)));
    }
    let (records, latest) = (acts.len(), acts.iter().filter_map(Act::version).max().unwrap_or(0));
    lines.push(say!(
        lang,
        "  its history has {records} records; version {latest} is the latest",
        "  其全部历史共 {records} 条记录,最新版本为 {latest}"
    ));
    lines.join("\n")
}

fn standing_in_words(lang: Lang, standing: &Standing) -> String {
    let version = |act: &Act| {
        let (number, from, height) =
            (act.version().unwrap_or(0), act.from.in_china(), count(act.height.0));
        let record = act.record.0.short();
        say!(
            lang,
            "version {number}, effective {from}, recorded in block {height} ({record})",
            "版本 {number},{from} 起生效,上链于区块 {height}({record})"
        )
    };
    match &standing.stood {
        Stood::NotYet => lang.pick("not published yet", "尚未生效").to_owned(),
        Stood::InForce => standing.version().map(version).unwrap_or_default(),
        Stood::Suspended => {
            let version = standing.version().map(version).unwrap_or_default();
            say!(lang, "suspended; {version}", "暂停;{version}")
        }
        Stood::Planned(end) => {
            let end = end.in_china();
            say!(lang, "ended as planned, {end}", "已按计划于 {end} 取消")
        }
        Stood::Cancelled => lang.pick("cancelled", "已取消").to_owned(),
        Stood::Replaced(others) => {
            let others = others.iter().map(|code| code.as_str()).collect::<Vec<_>>().join(", ");
            say!(lang, "replaced by {others}", "由 {others} 取代")
        }
    }
}

fn absent(what: &Item, subject: &Subject, basis: &Basis, console: &Console) -> Result<Exit, Stop> {
    let lang = console.lang();
    let as_of = &basis.proof.header;
    if what.json {
        let answer = json!({
            "subject": subject.to_string(), "absent": true, "proven": basis.proven,
            "as_of": { "height": as_of.height, "time": as_of.time },
        });
        console.data(&answer.to_string())?;
    } else {
        let thing = speech::thing(lang, subject);
        console.data(&say!(lang, "NOT ON THE LEDGER   {thing}", "不在账本上   {thing}"))?;
        console.talk(&footing(lang, basis, what));
    }
    Ok(Exit::Negative)
}

async fn drift(
    what: &Item,
    basic: &BasicCode,
    on: Option<Timestamp>,
    console: &Console,
) -> Result<Exit, Stop> {
    let lang = console.lang();
    let (subject, uniform) = (Subject::basic(basic), Subject::elements());
    let also = [uniform.clone()];
    let Some(basis) = basis(&what.source, &subject, &also, Wanted::All, console).await? else {
        return Ok(Exit::Negative);
    };
    let claim = status_claim(&basis.proof, &subject)?;
    if claim.state.is_none() {
        return absent(what, &subject, &basis, console);
    }
    let shown = complete(&basis.proof, claim)?;
    let names = match &status_claim(&basis.proof, &uniform)?.state {
        Some(state) => {
            let Facts::Elements(names) = &state.facts else {
                return Err(undecided(
                    lang.pick("the uniform elements are of another kind", "统一要素状态有误"),
                ));
            };
            names.clone()
        }
        None => Vec::new(),
    };
    let at = on.unwrap_or(basis.proof.header.time);
    let drift = life::drift(basic, &shown, &names, at);
    if what.json {
        let as_of = &basis.proof.header;
        let mut answer = drift_row(&drift);
        answer["basic"] = json!(basic);
        answer["at"] = json!(at);
        answer["uniform"] = json!(names);
        answer["proven"] = json!(basis.proven);
        answer["as_of"] = json!({ "height": as_of.height, "time": as_of.time });
        console.data(&answer.to_string())?;
    } else {
        console.data(&told_drift(lang, basic, &drift, names.is_empty(), at))?;
        console.talk(&footing(lang, &basis, what));
    }
    Ok(if drift.differing.is_empty() { Exit::Done } else { Exit::Negative })
}

fn drift_row(drift: &Drift) -> Value {
    let entry = |entry: &life::Entry| {
        json!({ "code": entry.code, "level": entry.level, "version": entry.version, "record": entry.record,
                "committed": entry.elements.is_some() })
    };
    let differing = drift
        .differing
        .iter()
        .map(|one| json!({ "element": one.name, "differ": one.differ, "lack": one.lack }));
    json!({
        "entries": drift.entries.iter().map(entry).collect::<Vec<_>>(),
        "reference": drift.entries.first().map(|entry| &entry.code),
        "compared": drift.compared, "differing": differing.collect::<Vec<_>>(),
    })
}

fn told_drift(
    lang: Lang,
    basic: &BasicCode,
    drift: &Drift,
    no_list: bool,
    at: Timestamp,
) -> String {
    let (entries, compared, differing) =
        (drift.entries.len(), drift.compared, drift.differing.len());
    let at = at.in_china();
    let word = if drift.differing.is_empty() {
        lang.pick("NO DRIFT", "一致")
    } else {
        lang.pick("DRIFT", "不一致")
    };
    let mut lines = vec![say!(
        lang,
        "{word}   basic code {basic}: {entries} entries in force at {at}; {differing} of {compared} elements differ",
        "{word}   基本编码 {basic}:{at} 在用事项 {entries} 个;{compared} 项要素中 {differing} 项不一致"
    )];
    if no_list {
        lines.push(lang.pick(
            "  no uniform elements are laid down, so every element was compared: minlian new elements",
            "  尚未确定统一要素清单,故比较全部要素:minlian new elements",
        ).to_owned());
    }
    for (number, entry) in drift.entries.iter().enumerate() {
        let (code, version) = (&entry.code, entry.version);
        let level = life::level(lang, entry.level);
        let note = match (number, &entry.elements) {
            (0, _) => lang.pick("   the one compared with", "   比较基准"),
            (_, None) => lang.pick("   without elements", "   未承诺要素"),
            (_, Some(_)) => "",
        };
        lines.push(say!(
            lang,
            "  {level}  {code}  version {version}{note}",
            "  {level}  {code}  版本 {version}{note}"
        ));
    }
    for one in &drift.differing {
        let codes = |codes: &[ItemCode]| {
            codes.iter().map(|code| code.as_str()).collect::<Vec<_>>().join(", ")
        };
        let mut text = Vec::new();
        if !one.differ.is_empty() {
            let codes = codes(&one.differ);
            text.push(say!(lang, "differs in {codes}", "不同:{codes}"));
        }
        if !one.lack.is_empty() {
            let codes = codes(&one.lack);
            text.push(say!(lang, "missing in {codes}", "缺失:{codes}"));
        }
        let head = format!("  ✘ {}  ", pad(&speech::clean(&one.name), 18));
        lines.push(hang(&head, &text.join("; ")));
    }
    lines.join("\n")
}

async fn list(
    what: &Item,
    name: &ListName,
    contains: Option<&ItemCode>,
    console: &Console,
) -> Result<Exit, Stop> {
    let lang = console.lang();
    let subject = Subject::list(name);
    let Some(basis) = basis(&what.source, &subject, &[], Wanted::LatestList, console).await? else {
        return Ok(Exit::Negative);
    };
    let claim = status_claim(&basis.proof, &subject)?;
    let Some(state) = &claim.state else { return absent(what, &subject, &basis, console) };
    let Facts::List { region, members, .. } = &state.facts else {
        return Err(undecided(lang.pick("this is not a list", "这不是清单")));
    };
    // The list is the record whose items have the digest that the state holds.
    let shown = shown(&basis.proof);
    let found = shown.iter().rev().find_map(|shown| {
        let Action::List(act) = &shown.operation.action else { return None };
        let codes = act.verb.members();
        (act.name == *name && members_root(codes) == *members).then_some((shown, codes))
    });
    let (record, codes) = found.ok_or_else(|| {
        undecided(lang.pick(
            "the proof does not show the version of the list that is in force; fetch it anew",
            "证明中没有清单的现行版本,请重新获取",
        ))
    })?;
    let listed = contains.map(|code| codes.binary_search(code).is_ok());
    let cancelled = state.status != Status::Active;
    if what.json {
        let as_of = &basis.proof.header;
        let answer = json!({
            "list": name, "region": region, "version": state.version, "digest": members, "items": codes,
            "cancelled": cancelled, "contains": listed, "record": record.record, "effective_from": record.operation.effective_from,
            "proven": basis.proven, "as_of": { "height": as_of.height, "time": as_of.time },
        });
        console.data(&answer.to_string())?;
    } else {
        let word = speech::status(lang, state.subject.kind, state.status);
        let (version, number) = (state.version, codes.len());
        let mut lines = vec![
            say!(
                lang,
                "{word}   list of service items {name}: version {version}, {number} items, region {region}",
                "{word}   专题清单“{name}”:版本 {version},事项 {number} 个,区划 {region}"
            ),
            say!(lang, "  digest  {members}", "  摘要  {members}"),
        ];
        match (contains, listed) {
            (Some(code), Some(true)) => {
                lines.push(say!(lang, "  ✔ {code} is on it", "  ✔ {code} 在清单内"));
            }
            (Some(code), _) => {
                lines.push(say!(lang, "  ✘ {code} is not on it", "  ✘ {code} 不在清单内"));
            }
            (None, _) => lines.extend(codes.iter().map(|code| format!("  {code}"))),
        }
        console.data(&lines.join("\n"))?;
        console.talk(&footing(lang, &basis, what));
    }
    let good = !cancelled && listed.unwrap_or(true);
    Ok(if good { Exit::Done } else { Exit::Negative })
}

/// What an answer rests on.
fn footing(lang: Lang, basis: &Basis, what: &Item) -> String {
    let (height, time) = (count(basis.proof.header.height.0), basis.proof.header.time.in_china());
    let from = what.source.node.clone().unwrap_or_default();
    match (basis.proven, &what.source.proof) {
        (true, _) => say!(
            lang,
            "Proven against your trust root, as of block {height} ({time}): the history is complete up to then. What was recorded \
             later is not known here.",
            "已依信任根证明(截至区块 {height},{time}):至此的历史完整无遗漏;此后的记录不在证明之内。"
        ),
        (false, None) => say!(
            lang,
            "As of block {height} ({time}), as {from} says: nothing is proven without --trust-root.",
            "截至区块 {height}({time}),以上为 {from} 的答复;未提供 --trust-root,未作证明。"
        ),
        (false, Some(_)) => say!(
            lang,
            "As of block {height} ({time}), as the file says: nothing is proven without --trust-root.",
            "截至区块 {height}({time}),以上为文件所述;未提供 --trust-root,未作证明。"
        ),
    }
}

/// Which records of a subject are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// Every one.
    All,
    /// The last that drew up or amended a list.
    LatestList,
}

/// The proof about a subject: of a file, or fetched; checked if there is a trust root. None when it does not hold.
async fn basis(
    source: &Source,
    subject: &Subject,
    also: &[Subject],
    wanted: Wanted,
    console: &Console,
) -> Result<Option<Basis>, Stop> {
    let lang = console.lang();
    let root = match &source.trust_root {
        None => None,
        Some(path) => Some(verify::trust_root(path).map_err(|why| {
            Stop::says(Exit::Undecided, format!("{} is not a trust root: {why}", path.display()))
        })?),
    };
    let bytes = match (&source.proof, &source.node) {
        (Some(path), _) => {
            let limit = proof::ARMOR_BYTES_MAX.max(proof::PROOF_BYTES_MAX);
            verify::read(path, limit).map_err(|why| Stop::file(path, why))?
        }
        (None, Some(node)) => fetch(&console.client(node)?, subject, also, wanted).await?,
        (None, None) => {
            let why = say!(lang, "--node or --proof is needed", "需要 --node 或 --proof");
            return Err(Stop::says(Exit::Usage, why));
        }
    };
    let basis = match root {
        None => {
            let proof = proof::decode(&bytes).map_err(|why| Stop::new(Exit::Undecided, why))?;
            Some(Basis { proof, proven: false })
        }
        Some(root) => checked(&bytes, &root, console),
    };
    // What does not hold must not take the place of what was kept before.
    if let (Some(_), Some(path)) = (&basis, &source.out) {
        fs::write(path, &bytes).map_err(|why| Stop::file(path, why))?;
    }
    Ok(basis)
}

/// What a trust root says of a proof.
fn checked(bytes: &[u8], root: &TrustRoot, console: &Console) -> Option<Basis> {
    let verdict = proof::verify(bytes, root);
    if let Some(proven) = verdict.proven() {
        return Some(Basis { proof: proven.get().clone(), proven: true });
    }
    let (lang, why) = (console.lang(), verdict.error());
    let (code, why) =
        why.map(|why| (why.code(), speech::clean(&why.to_string()))).unwrap_or_default();
    console.talk(&say!(
        lang,
        "NOT PROVEN   the proof does not hold against this trust root: {why} ({code})",
        "未证明   证明不能依此信任根成立:{why}({code})"
    ));
    None
}

/// Fetches the proof of a subject with its records. What is recorded meanwhile makes it incomplete: then it is fetched again.
async fn fetch(
    client: &Client,
    subject: &Subject,
    also: &[Subject],
    wanted: Wanted,
) -> Result<Vec<u8>, Stop> {
    const TRIES: usize = 5;
    const PAGE: u64 = 100;
    let mut last = None;
    for _ in 0..TRIES {
        let (mut records, mut from) = (Vec::new(), 0);
        while let Some(page) = client.history(subject, from, PAGE).await? {
            let useful = page.rows.iter().filter(|row| match wanted {
                Wanted::All => true,
                Wanted::LatestList => matches!(&row.record.operation.action,
                    Action::List(act) if !matches!(act.verb, ListVerb::Cancel)),
            });
            records.extend(useful.map(|row| row.record.record));
            match page.next {
                Some(next) if next > from => from = next,
                Some(_) | None => break,
            }
        }
        if wanted == Wanted::LatestList {
            records = records.pop().into_iter().collect();
        }
        let mut once = std::collections::BTreeSet::new();
        records.retain(|record| once.insert(*record));
        let subjects = std::iter::once(subject).chain(also);
        let mut ask: Vec<Ask> = subjects.map(|one| Ask::Subject(Named(one.clone()))).collect();
        ask.extend(records.chunks(proof::BATCH_MAX).map(|some| Ask::Records(some.to_vec())));
        let request = ProofRequest { since: Height::GENESIS, at: None, ask };
        let strange = |why: String| ClientError::Strange { url: client.url().to_owned(), why };
        let bytes =
            client.prove(&request).await?.ok_or_else(|| strange("it proves nothing".into()))?;
        let found = proof::decode(&bytes).map_err(|why| strange(why.to_string()))?;
        let done = status_claim(&found, subject).and_then(|claim| match (&claim.state, wanted) {
            (None, _) | (Some(_), Wanted::LatestList) => Ok(()),
            (Some(_), Wanted::All) => complete(&found, claim).map(drop),
        });
        match done {
            Ok(()) => return Ok(bytes),
            Err(why) => last = Some(why),
        }
    }
    Err(last.unwrap_or_else(|| {
        undecided("the subject changes faster than its proof is fetched; run it again")
    }))
}

fn undecided(why: &str) -> Stop {
    Stop::says(Exit::Undecided, why)
}

/// The claim about a subject's state.
fn status_claim<'p>(proof: &'p Proof, subject: &Subject) -> Result<&'p StatusClaim, Stop> {
    let mut all = proof.claims.iter().filter_map(Claim::status);
    all.find(|claim| claim.subject == *subject).ok_or_else(|| {
        Stop::says(
            Exit::Undecided,
            format!("the proof is not about {subject}: fetch one that is, with --node"),
        )
    })
}

/// Every record of the subject, if the proof shows them all.
fn complete(proof: &Proof, claim: &StatusClaim) -> Result<Vec<Shown>, Stop> {
    let lacks = || {
        Stop::says(
            Exit::Undecided,
            format!(
                "the proof does not show every record of {}: fetch it anew with --node",
                claim.subject
            ),
        )
    };
    let history = claim.history.as_ref().ok_or_else(lacks)?;
    let by_id: BTreeMap<RecordId, Shown> =
        shown(proof).into_iter().map(|shown| (shown.record, shown)).collect();
    let mut all: Vec<Shown> = Vec::with_capacity(history.len());
    for link in history {
        let shown = by_id.get(&link.record).ok_or_else(lacks)?;
        // A record may name the subject in two parts.
        if all.last().is_none_or(|last| last.record != shown.record) {
            all.push(shown.clone());
        }
    }
    Ok(all)
}

/// The records that a proof shows, by their place in the log.
fn shown(proof: &Proof) -> Vec<Shown> {
    let mut all = Vec::new();
    for claim in &proof.claims {
        match claim {
            Claim::Record(claim) => all.push(Shown {
                position: claim.entry.position,
                height: claim.entry.height,
                agency: claim.transaction.agency,
                record: claim.operation.record(&claim.transaction.agency),
                operation: claim.operation.clone(),
            }),
            Claim::Records(claim) => all.extend(claim.records.iter().filter_map(|one| {
                let at = usize::try_from(one.transaction).ok()?;
                let transaction = claim.transactions.get(at)?;
                let agency = transaction.header.agency;
                Some(Shown {
                    position: one.position,
                    height: transaction.height,
                    agency,
                    record: one.operation.record(&agency),
                    operation: one.operation.clone(),
                })
            })),
            Claim::Status(_)
            | Claim::Upstream(_)
            | Claim::Consistency(_)
            | Claim::Fork(_)
            | Claim::Authority(_)
            | Claim::Votes(_)
            | Claim::Block => {}
        }
    }
    all.sort_by_key(|shown| shown.position);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Folder, HOME, Ledger, genesis};

    #[test]
    fn only_what_holds_is_kept() {
        let folder = Folder::new("kept");
        let console = Console::open(Some(Lang::En));
        let root = folder.write("root.toml", genesis(HOME).to_toml());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for (salt, is_kept) in [(HOME, true), (60, false)] {
            let status = Ledger::new(&genesis(salt), salt, &[0, 1, 3]).status();
            let subject = status.claims[0].status().unwrap().subject.clone();
            let (bytes, out) = (proof::encode(&status), folder.write("out.proof", "before"));
            let source = Source {
                node: None,
                proof: Some(folder.write("brought.proof", &bytes)),
                trust_root: Some(root.clone()),
                out: Some(out.clone()),
            };
            let found = runtime.block_on(basis(&source, &subject, &[], Wanted::All, &console));
            assert_eq!(found.unwrap().is_some(), is_kept);
            let wanted = if is_kept { bytes } else { b"before".to_vec() };
            assert_eq!(fs::read(&out).unwrap(), wanted);
        }
    }

    #[test]
    fn a_day_is_a_day_in_china() {
        for text in ["2026-06-01", "20260601"] {
            assert_eq!(day(text).unwrap().to_string(), "2026-05-31T16:00:00.000Z");
        }
        for bad in ["", "2026-6-1", "2026-06-31", "202606011", "2026/06/01", "2026060-1", "省省省"]
        {
            assert!(day(bad).is_err(), "{bad}");
        }
    }
}
