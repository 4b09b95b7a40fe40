//! Governance in one command: what will happen is said in words, agreed to, signed, and followed until it is decided.

mod words;

use self::words::{change_in_words, role_in_words, until_in_words};
use crate::{
    arguments,
    console::Console,
    exit::{Exit, Stop},
    layout::{count, hang},
    speech::{self, Lang, say},
};
use clap::{Args, Subcommand};
use client::{Client, ClientError, Patience, Signer, Wait, api::Fate};
use records::Capture;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, BufRead as _, IsTerminal as _},
    path::{Path, PathBuf},
    str::FromStr,
};
use types::{
    AgencyCode, Genesis, Height, PublicKey, RecordId, Region, Role, Subject, SubjectState,
    Timestamp, TxId,
    authority::{Change, Governance, Target},
    operation::{Action, Grade},
    subject::{Facts, Status},
};

/// Propose, approve and withdraw changes of who may do what; delegate; rotate keys
///
/// Says in words what will happen and asks before it signs. A proposal is made by an agency that governs, and enacted by the
/// approval that makes enough. Delegation goes to an agency directly below, and can only narrow.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  minlian govern propose grant 11350122XXXX0006X9 --role item:350122 --node URL --key keys/governor.json\n  \
                  minlian govern propose elements 事项名称 设定依据 法定办结时限 --node URL --key keys/governor.json\n  \
                  minlian govern approve 3f9c…e21b --node URL --key keys/other.json\n  \
                  minlian govern delegate 11350122XXXX0006X9 --role licence:11350000XXXX000270@350122 --until 2027-12-01T00:00:00+08:00 …\n  \
                  minlian govern list --node URL\n\n\
                  A ROLE is item:REGION,… or licence:TYPE,…@REGION,… or trace:NAMESPACE,… or govern."
)]
pub(crate) struct Govern {
    #[command(subcommand)]
    pub(crate) act: GovernAct,
    /// The node's address
    #[arg(long, value_name = "URL", env = "MINLIAN_NODE", global = true)]
    pub(crate) node: Option<String>,
    /// The agency's key: a file of mode 0600, env:NAME (a variable with such a file's text), or agent:AGENCY (ssh-agent)
    #[arg(long, value_name = "KEY", env = "MINLIAN_KEY", global = true)]
    pub(crate) key: Option<PathBuf>,
    /// Do it without asking
    #[arg(long, global = true)]
    pub(crate) yes: bool,
    /// Where to keep the document that the record commits to; --json prints it as well
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) keep: Option<PathBuf>,
    /// JSON on standard output
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// What is done.
#[derive(Debug, Subcommand)]
pub(crate) enum GovernAct {
    /// Propose a change, and thereby approve it
    Propose {
        #[command(subcommand)]
        change: Proposed,
    },
    /// Approve a proposal
    Approve {
        /// The record that proposed it
        #[arg(value_name = "PROPOSAL")]
        proposal: RecordId,
    },
    /// Take back a proposal of one's own
    Withdraw {
        /// The record that proposed it
        #[arg(value_name = "PROPOSAL")]
        proposal: RecordId,
    },
    /// Let an agency directly below do part of what one may do oneself
    Delegate {
        /// The agency below
        #[arg(value_name = "AGENCY")]
        to: AgencyCode,
        /// What it may do
        #[arg(long, value_name = "ROLE")]
        role: RoleText,
        /// Before this time; default as long as one may oneself
        #[arg(long, value_name = "RFC3339")]
        until: Option<Timestamp>,
    },
    /// Take back a delegation
    Undelegate {
        /// The agency below
        #[arg(value_name = "AGENCY")]
        from: AgencyCode,
        /// The number of the grant there
        #[arg(value_name = "NUMBER")]
        number: u32,
    },
    /// Replace one of one's own organisation keys
    Rotate {
        /// The key that ends
        #[arg(long, value_name = "KEY")]
        retire: PublicKey,
        /// The new key and its word, as `minlian-node key possess` prints them
        #[arg(long, value_name = "FILE")]
        enrol: PathBuf,
    },
    /// Every proposal about the network and the agencies of genesis, and about those named
    List {
        /// Agencies enrolled later
        #[arg(long, value_name = "AGENCY")]
        about: Vec<AgencyCode>,
        /// Only those that may still be approved
        #[arg(long)]
        open: bool,
    },
    /// A proposal, or what an agency may do
    Show {
        /// PROPOSAL or AGENCY
        #[arg(value_name = "WHAT")]
        what: String,
    },
}

/// What is proposed.
#[derive(Debug, Subcommand)]
pub(crate) enum Proposed {
    /// Let an agency do something
    Grant {
        /// The agency
        #[arg(value_name = "AGENCY")]
        agency: AgencyCode,
        /// What it may do
        #[arg(long, value_name = "ROLE")]
        role: RoleText,
        /// Before this time; default without end
        #[arg(long, value_name = "RFC3339")]
        until: Option<Timestamp>,
    },
    /// No longer let it
    Revoke {
        /// The agency
        #[arg(value_name = "AGENCY")]
        agency: AgencyCode,
        /// The number of the grant: minlian govern show AGENCY
        #[arg(value_name = "NUMBER")]
        number: u32,
    },
    /// Let an agency do nothing more, for now
    Suspend {
        /// The agency
        #[arg(value_name = "AGENCY")]
        agency: AgencyCode,
    },
    /// End its suspension
    Reinstate {
        /// The agency
        #[arg(value_name = "AGENCY")]
        agency: AgencyCode,
    },
    /// End it for good
    Dissolve {
        /// The agency
        #[arg(value_name = "AGENCY")]
        agency: AgencyCode,
    },
    /// Take a key from an agency
    RetireKey {
        /// The agency
        #[arg(value_name = "AGENCY")]
        agency: AgencyCode,
        /// The key
        #[arg(value_name = "KEY")]
        key: PublicKey,
    },
    /// Lay down which elements of service items are uniform at all levels; none at all ends that
    Elements {
        /// Their names
        #[arg(value_name = "NAME")]
        names: Vec<types::fields::FieldName>,
    },
    /// Any change, from a JSON file: `enrol`, `enrol_key`, committee, limits, timing, rules and those above
    File {
        /// What stands under `change` in a `govern.propose` operation
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// A role as it is written on the command line.
#[derive(Clone, Debug)]
pub(crate) struct RoleText(Role);

impl FromStr for RoleText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const SHAPE: &str =
            "item:REGION,… or licence:TYPE,…@REGION,… or trace:NAMESPACE,… or govern";
        let wrong = || format!("a role is {SHAPE}");
        let regions =
            |list: &str| -> Option<Vec<Region>> { list.split(',').map(Region::new).collect() };
        let role = match text.split_once(':') {
            None if text == "govern" => Some(Role::Govern {}),
            Some(("item", places)) => regions(places).map(|regions| Role::Item { regions }),
            Some(("licence", rest)) => rest.split_once('@').and_then(|(kinds, places)| {
                let types =
                    kinds.split(',').map(|kind| kind.parse().ok()).collect::<Option<_>>()?;
                Some(Role::Licence { types, regions: regions(places)? })
            }),
            Some(("trace", spaces)) => {
                let spaces = spaces.split(',').map(|space| space.parse().ok());
                spaces.collect::<Option<_>>().map(|namespaces| Role::Trace { namespaces })
            }
            Some(_) | None => None,
        };
        role.filter(Role::is_sound).map(Self).ok_or_else(wrong)
    }
}

/// Does it.
///
/// # Errors
/// When there is no answer, the node refuses, or nobody agrees.
pub(crate) async fn run(what: &Govern, console: &Console) -> Result<Exit, Stop> {
    let node = what.node.as_deref().ok_or_else(|| {
        Stop::says(Exit::Usage, console.lang().pick("--node is needed", "需要 --node"))
    })?;
    let client = console.client(node)?;
    match &what.act {
        GovernAct::List { about, open } => list(what, &client, about, *open, console).await,
        GovernAct::Show { what: named } => show(what, &client, named, console).await,
        GovernAct::Propose { .. }
        | GovernAct::Approve { .. }
        | GovernAct::Withdraw { .. }
        | GovernAct::Delegate { .. }
        | GovernAct::Undelegate { .. }
        | GovernAct::Rotate { .. } => perform(what, &client, console).await,
    }
}

/// The act, and its operation as a document has it.
async fn act(what: &Govern, client: &Client) -> Result<(Governance, Option<Change>), Stop> {
    let target = async |proposal: &RecordId| -> Result<(Target, Change), Stop> {
        let change = change_of(client, proposal).await?;
        Ok((change.target(), change))
    };
    Ok(match &what.act {
        GovernAct::Propose { change } => {
            let change = proposed(change)?;
            (Governance::Propose(Box::new(change.clone())), Some(change))
        }
        GovernAct::Approve { proposal } => {
            let (target, change) = target(proposal).await?;
            (Governance::Approve { proposal: *proposal, target }, Some(change))
        }
        GovernAct::Withdraw { proposal } => {
            let (target, change) = target(proposal).await?;
            (Governance::Withdraw { proposal: *proposal, target }, Some(change))
        }
        GovernAct::Delegate { to, role, until } => {
            (Governance::Delegate { to: *to, role: role.0.clone(), until: *until }, None)
        }
        GovernAct::Undelegate { from, number } => {
            (Governance::Undelegate { from: *from, number: *number }, None)
        }
        GovernAct::Rotate { retire, enrol } => {
            (Governance::Rotate { retire: *retire, enrol: from_file(enrol)? }, None)
        }
        GovernAct::List { .. } | GovernAct::Show { .. } => {
            return Err(Stop::says(Exit::Usage, "nothing is signed to look"));
        }
    })
}

/// The change that a proposal makes. What is signed names the proposal and nothing else of it, and the name is that of the
/// proposal's own content: so nobody can show another change than the one that is agreed to.
async fn change_of(client: &Client, proposal: &RecordId) -> Result<Change, Stop> {
    let unknown = || {
        Stop::says(
            Exit::Negative,
            format!(
                "there is no proposal {proposal}; `minlian govern list` shows those that are open"
            ),
        )
    };
    let view = client.record(proposal).await?.ok_or_else(unknown)?;
    if view.operation.record(&view.agency) != *proposal {
        let url = client.url().to_owned();
        let why = format!("what it shows as proposal {proposal} has another name");
        return Err(ClientError::Strange { url, why }.into());
    }
    let Action::Govern(Governance::Propose(change)) = view.operation.action else {
        return Err(unknown());
    };
    Ok(*change)
}

fn proposed(change: &Proposed) -> Result<Change, Stop> {
    Ok(match change {
        Proposed::Grant { agency, role, until } => {
            Change::Grant { agency: *agency, role: role.0.clone(), until: *until }
        }
        Proposed::Revoke { agency, number } => Change::Revoke { agency: *agency, number: *number },
        Proposed::Suspend { agency } => Change::Suspend(*agency),
        Proposed::Reinstate { agency } => Change::Reinstate(*agency),
        Proposed::Dissolve { agency } => Change::Dissolve(*agency),
        Proposed::RetireKey { agency, key } => Change::RetireKey { agency: *agency, key: *key },
        Proposed::Elements { names } => Change::Elements(names.clone()),
        Proposed::File { file } => from_file(file)?,
    })
}

/// Files of governance are small; whatever is longer is something else.
const FILE_BYTES_MAX: usize = 1 << 20;

fn from_file<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, Stop> {
    let bytes = crate::verify::read(path, FILE_BYTES_MAX).map_err(|why| Stop::file(path, why))?;
    serde_json::from_slice(&bytes)
        .map_err(|why| Stop::says(Exit::Usage, format!("{}: {why}", path.display())))
}

/// The operation as `minlian submit` would read it from a file: the record commits to this very text.
fn document(act: &Governance, agency: AgencyCode, at: Timestamp) -> Result<String, Stop> {
    let value = serde_json::to_value(act).map_err(|why| Stop::new(Exit::Usage, why))?;
    let inside = value.as_object().and_then(|map| map.iter().next());
    let (verb, members) = inside.ok_or_else(|| Stop::says(Exit::Usage, "an act is an object"))?;
    let mut operation = json!({ "op": format!("govern.{verb}"), "at": at, "actor": agency });
    if verb == "propose" {
        operation["change"] = members.clone();
        return Ok(operation.to_string());
    }
    let members = members.as_object();
    let members =
        members.ok_or_else(|| Stop::says(Exit::Usage, "an act names what it is about"))?;
    for (name, value) in members {
        operation[name.as_str()] = value.clone();
    }
    Ok(operation.to_string())
}

async fn perform(what: &Govern, client: &Client, console: &Console) -> Result<Exit, Stop> {
    let lang = console.lang();
    let key = what.key.as_ref().ok_or_else(|| {
        Stop::says(Exit::Usage, lang.pick("--key is needed to sign", "签名需要 --key"))
    })?;
    let signer = Signer::find(key).map_err(|why| Stop::key(key, why))?;
    let (act, change) = act(what, client).await?;
    let status = client.status().await?;
    signer.check_chain(&status.chain).map_err(|why| Stop::key(key, why))?;
    let document = document(&act, *signer.agency(), status.time)?;
    let capture = Capture {
        system: "minlian govern".parse().expect("a name is a text"),
        version: crate::exit::VERSION.parse().expect("a version is a text"),
        captured_at: status.time,
        grade: Grade::from(arguments::Grade::Internal),
    };
    let prepared = records::prepare(document.as_bytes(), &capture).map_err(|faults| {
        let all: Vec<String> = faults
            .iter()
            .map(|fault| match lang {
                Lang::En => format!("{} {}: {}", fault.code, fault.at, fault.message),
                Lang::Zh => format!("{} {}:{}", fault.code, fault.at, fault.zh),
            })
            .collect();
        Stop::says(Exit::Negative, all.join("\n"))
    })?;
    let operations: Vec<_> = prepared.into_iter().map(|one| one.operation).collect();
    console.talk(&told(lang, signer.agency(), &act, change.as_ref(), &status.name));
    if !what.yes && !agreed(console)? {
        console.talk(lang.pick("Nothing was done.", "未执行任何操作。"));
        return Ok(Exit::Negative);
    }
    if let Some(path) = &what.keep {
        fs::write(path, &document).map_err(|why| Stop::file(path, why))?;
    }
    let tx = signer.sign(status.chain, status.valid_until_max, operations)?;
    let mut receipt = match client.submit(&tx, Wait::Committed).await {
        Ok(receipt) => receipt,
        // Nobody refused anything: it may be on its way all the same.
        Err(why) if why.is_passing() => return Err(why.into()),
        Err(ClientError::Problem(problem)) => {
            return refused(what, &problem.code, &problem.detail, console);
        }
        Err(why) => return Err(why.into()),
    };
    if receipt.status == Fate::Accepted {
        let settled = client.settled(&tx.id(), &Patience::default()).await?;
        receipt = settled.ok_or_else(|| forgotten(lang, client.url(), &tx.id()))?;
    }
    if receipt.status == Fate::Refused {
        let (code, detail) = (receipt.code.unwrap_or_default(), receipt.detail.unwrap_or_default());
        return refused(what, &code, &detail, console);
    }
    let recorded = receipt.records.first().copied();
    let record = recorded.map(|one| one.record);
    let height = recorded.and_then(|one| one.height).or(receipt.height);
    let proposal = match &act {
        Governance::Propose(_) => record,
        Governance::Approve { proposal, .. } | Governance::Withdraw { proposal, .. } => {
            Some(*proposal)
        }
        Governance::Delegate { .. } | Governance::Undelegate { .. } | Governance::Rotate { .. } => {
            None
        }
    };
    let state = match proposal {
        None => None,
        Some(proposal) => {
            client.subject(&Subject::proposal(&proposal)).await?.map(|view| view.state)
        }
    };
    if what.json {
        let row = json!({
            "record": record, "height": height, "tx": receipt.tx, "proposal": proposal,
            "status": state.as_ref().map(|state| state.status), "approvals": state.as_ref().and_then(approvals),
            "document": document,
        });
        console.data(&row.to_string())?;
    } else {
        console.data(&done(lang, record, height, state.as_ref()))?;
    }
    Ok(Exit::Done)
}

/// The end of an act that a node accepted and knows no longer: its deadline passed, or the node lost it. To sign it again is
/// another act, so a proposal that was recorded elsewhere after all would stand twice.
fn forgotten(lang: Lang, url: &str, tx: &TxId) -> Stop {
    let tx = tx.0.short();
    let why = say!(
        lang,
        "nothing was recorded, as far as {url} knows: it accepted transaction {tx}, and knows it no longer. What other nodes \
         recorded all the same: minlian govern list",
        "据 {url} 所知，尚无任何内容上链：该节点曾接受交易 {tx}，现已不再知晓。其他节点是否已上链，请查询：minlian govern list"
    );
    Stop::says(Exit::Network, why)
}

fn refused(what: &Govern, code: &str, detail: &str, console: &Console) -> Result<Exit, Stop> {
    if what.json {
        console.data(&json!({ "refused": true, "code": code, "detail": detail }).to_string())?;
    } else {
        let (lang, detail) = (console.lang(), speech::clean(detail));
        console.talk(&say!(lang, "✘ refused   {detail} ({code})", "✘ 被拒绝   {detail}({code})"));
    }
    Ok(Exit::Negative)
}

/// Whether whoever sits at the terminal agrees.
fn agreed(console: &Console) -> Result<bool, Stop> {
    let lang = console.lang();
    if !io::stdin().is_terminal() {
        let why = lang.pick(
            "there is nobody to ask: give --yes to do it without asking",
            "无法确认:非交互运行时请加 --yes",
        );
        return Err(Stop::says(Exit::Usage, why));
    }
    console.talk(lang.pick("Sign and submit this? Type yes:", "确认签名并提交?请输入 yes:"));
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(matches!(line.trim(), "yes" | "是"))
}

/// What will happen, in words.
fn told(
    lang: Lang,
    agency: &AgencyCode,
    act: &Governance,
    change: Option<&Change>,
    network: &str,
) -> String {
    let network = speech::clean(network);
    let change = change.map(|change| change_in_words(lang, change)).unwrap_or_default();
    let text = match act {
        Governance::Propose(_) => say!(
            lang,
            "{agency} proposes to {change}. That is its approval, too; with one agency that governs it is enacted at once.",
            "{agency} 提议:{change}。提议即视为同意;只有一个治理机构时立即生效。"
        ),
        Governance::Approve { proposal, .. } => {
            let proposal = proposal.0.short();
            say!(
                lang,
                "{agency} approves proposal {proposal}: to {change}. If that makes enough, it is enacted with this record.",
                "{agency} 同意提案 {proposal}:{change}。达到所需同意数时,随本记录生效。"
            )
        }
        Governance::Withdraw { proposal, .. } => {
            let proposal = proposal.0.short();
            say!(
                lang,
                "{agency} withdraws its proposal {proposal}: to {change}.",
                "{agency} 撤回提案 {proposal}:{change}。"
            )
        }
        Governance::Delegate { to, role, until } => {
            let (role, until) = (role_in_words(lang, role), until_in_words(lang, *until));
            say!(
                lang,
                "{agency} lets {to} do part of what it may do itself: {role}, {until}. It holds from the next block on.",
                "{agency} 将自身权限的一部分委托给 {to}:{role},{until}。自下一区块起有效。"
            )
        }
        Governance::Undelegate { from, number } => say!(
            lang,
            "{agency} takes grant {number} back from {from}, and from those to whom it was passed on.",
            "{agency} 收回对 {from} 的第 {number} 项委托,再委托一并失效。"
        ),
        Governance::Rotate { retire, enrol } => {
            let (retire, enrol) = (retire.to_string(), enrol.key.to_string());
            say!(
                lang,
                "{agency} replaces its key {retire} by {enrol}, from the next block on. The old key signs this, and nothing after.",
                "{agency} 自下一区块起以密钥 {enrol} 更换 {retire}。旧密钥签署本操作后不再有效。"
            )
        }
    };
    hang(&say!(lang, "on \"{network}\": ", "网络“{network}”:"), &text)
}

fn approvals(state: &SubjectState) -> Option<usize> {
    let Facts::Proposal(facts) = &state.facts else { return None };
    Some(facts.approvals.len())
}

fn done(
    lang: Lang,
    record: Option<RecordId>,
    height: Option<Height>,
    state: Option<&SubjectState>,
) -> String {
    let record = record.map(|record| record.to_string()).unwrap_or_default();
    let height = height.map(|height| count(height.0)).unwrap_or_default();
    let mut text = say!(
        lang,
        "✔ recorded in block {height}\n  record    {record}",
        "✔ 已上链于区块 {height}\n  记录      {record}"
    );
    if let Some(state) = state {
        text.push('\n');
        text.push_str(&standing(lang, state));
    }
    text
}

fn standing(lang: Lang, state: &SubjectState) -> String {
    let (word, id) = (speech::status(lang, state.subject.kind, state.status), &state.subject.id);
    let facts = speech::facts(lang, &state.facts).unwrap_or_default();
    let mut text =
        say!(lang, "  proposal  {id}\n  {word}   {facts}", "  提案      {id}\n  {word}   {facts}");
    if state.status == Status::Active {
        text.push_str(&say!(
            lang,
            "\n  to approve it: minlian govern approve {id}",
            "\n  同意:minlian govern approve {id}"
        ));
    }
    text
}

async fn list(
    what: &Govern,
    client: &Client,
    about: &[AgencyCode],
    open: bool,
    console: &Console,
) -> Result<Exit, Stop> {
    let lang = console.lang();
    let genesis = client.genesis().await?;
    let strange = |why: String| ClientError::Strange { url: client.url().to_owned(), why };
    let genesis = Genesis::from_toml(&genesis).map_err(|why| strange(why.to_string()))?;
    let agencies: BTreeSet<AgencyCode> =
        genesis.agencies.iter().map(|agency| agency.code).chain(about.iter().copied()).collect();
    let subjects = [Subject::network(), Subject::elements()]
        .into_iter()
        .chain(agencies.iter().map(Subject::agency));
    let mut proposals: BTreeMap<u64, RecordId> = BTreeMap::new();
    for subject in subjects {
        let mut from = 0;
        while let Some(page) = client.history(&subject, from, 100).await? {
            for row in &page.rows {
                if matches!(&row.record.operation.action, Action::Govern(Governance::Propose(_))) {
                    proposals.insert(row.record.position, row.record.record);
                }
            }
            match page.next {
                Some(next) if next > from => from = next,
                Some(_) | None => break,
            }
        }
    }
    let mut shown = 0;
    for proposal in proposals.values() {
        let Some(view) = client.subject(&Subject::proposal(proposal)).await? else { continue };
        let Facts::Proposal(facts) = &view.state.facts else { continue };
        let is_open = view.state.status == Status::Active && facts.closes >= view.height.plus(1);
        if open && !is_open {
            continue;
        }
        shown += 1;
        if what.json {
            console.data(&proposal_row(&view.state, is_open).to_string())?;
        } else {
            let word = if view.state.status == Status::Active && !is_open {
                lang.pick("LAPSED", "已逾期")
            } else {
                speech::status(lang, view.state.subject.kind, view.state.status)
            };
            let (approvals, change) = (facts.approvals.len(), change_in_words(lang, &facts.change));
            let head = format!("{word}  {proposal}  ");
            console.data(&hang(
                &head,
                &say!(
                    lang,
                    "{change}; approved by {approvals}",
                    "{change};已有 {approvals} 家同意"
                ),
            ))?;
        }
    }
    if !what.json {
        console.talk(&say!(
            lang,
            "{shown} proposals about the network and the agencies of genesis; for agencies enrolled later: --about AGENCY",
            "关于网络及创世机构的提案 {shown} 项;其后登记的机构请加 --about 机构代码"
        ));
    }
    Ok(Exit::Done)
}

fn proposal_row(state: &SubjectState, is_open: bool) -> Value {
    let Facts::Proposal(facts) = &state.facts else { return Value::Null };
    json!({
        "proposal": state.subject.id, "status": state.status, "open": is_open, "proposer": state.owner,
        "change": facts.change, "approvals": facts.approvals, "closes": facts.closes,
    })
}

async fn show(
    what: &Govern,
    client: &Client,
    named: &str,
    console: &Console,
) -> Result<Exit, Stop> {
    let lang = console.lang();
    let subject = match (named.parse::<RecordId>(), AgencyCode::new(named)) {
        (Ok(proposal), _) => Subject::proposal(&proposal),
        (Err(_), Ok(agency)) => Subject::agency(&agency),
        (Err(_), Err(_)) => {
            let why = lang.pick(
                "name a proposal (64 hexadecimal digits) or an agency (18 characters)",
                "请给出提案(64 位十六进制)或机构代码(18 位)",
            );
            return Err(Stop::says(Exit::Usage, why));
        }
    };
    let Some(view) = client.subject(&subject).await? else {
        console.talk(&speech::unknown_subject(lang, &subject, client.url()));
        return Ok(Exit::Negative);
    };
    let state = &view.state;
    if what.json {
        console.data(&serde_json::to_string(&view).map_err(io::Error::from)?)?;
        return Ok(Exit::Done);
    }
    let mut lines = Vec::new();
    match &state.facts {
        Facts::Proposal(facts) => {
            lines.push(standing(lang, state));
            lines.push(hang("  ", &change_in_words(lang, &facts.change)));
            for agency in &facts.approvals {
                lines.push(say!(lang, "  approved by {agency}", "  {agency} 已同意"));
            }
        }
        Facts::Agency(facts) => {
            let (word, id) = (speech::status(lang, subject.kind, state.status), &subject.id);
            let name = speech::clean(&facts.name);
            lines.push(format!("{word}   {name} ({id})"));
            for term in &facts.keys {
                let (key, from) = (term.key, count(term.from.0));
                let mut text =
                    say!(lang, "key {key}, from block {from}", "密钥 {key},自区块 {from} 起");
                if let Some(until) = term.until.map(|until| count(until.0)) {
                    text.push_str(&say!(lang, " until before {until}", ",至区块 {until} 前"));
                }
                lines.push(hang("  ", &text));
            }
            for grant in &facts.grants {
                let (number, from) = (grant.number, count(grant.from.0));
                let (role, expires) =
                    (role_in_words(lang, &grant.role), until_in_words(lang, grant.expires));
                let mut text = say!(
                    lang,
                    "grant {number}: {role}, {expires}, from block {from}",
                    "授权 {number}:{role},{expires},自区块 {from} 起"
                );
                if let Some(by) = grant.by {
                    text.push_str(&say!(lang, ", delegated by {by}", ",由 {by} 委托"));
                }
                if let Some(until) = grant.until.map(|until| count(until.0)) {
                    text.push_str(&say!(
                        lang,
                        "; taken back from block {until}",
                        ";自区块 {until} 起已收回"
                    ));
                }
                lines.push(hang("  ", &text));
            }
        }
        Facts::Item { .. }
        | Facts::Basic { .. }
        | Facts::Licence { .. }
        | Facts::Lot
        | Facts::Network(_)
        | Facts::Elements(_)
        | Facts::List { .. }
        | Facts::Batch { .. }
        | Facts::Seed { .. }
        | Facts::Grant(_)
        | Facts::Trail
        | Facts::Document { .. } => lines.push(standing(lang, state)),
    }
    console.data(&lines.join("\n"))?;
    console.talk(&speech::as_of(lang, client.url(), &subject, view.height, view.time));
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_written_in_one_word() {
        for good in [
            "item:350000",
            "item:350100,350122",
            "licence:1135,12@350000,360000",
            "trace:urn:epc:,https://id.example/",
            "govern",
        ] {
            assert!(good.parse::<RoleText>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "item",
            "item:",
            "item:35",
            "licence:1135",
            "licence:@350000",
            "govern:1",
            "trace:",
            "all",
        ] {
            assert!(bad.parse::<RoleText>().is_err(), "{bad}");
        }
        let Role::Trace { namespaces } = "trace:urn:epc:,urn:b".parse::<RoleText>().unwrap().0
        else {
            panic!("a role to trace")
        };
        assert_eq!(namespaces.len(), 2);
    }

    #[test]
    fn every_act_is_a_document_that_is_read_as_that_act() {
        let agency = AgencyCode::new("91350100M000100Y43").unwrap();
        let role = || "item:350100".parse::<RoleText>().unwrap().0;
        let proposal = RecordId::default();
        let acts = [
            Governance::Propose(Box::new(Change::Grant {
                agency,
                role: role(),
                until: Some(Timestamp(1)),
            })),
            Governance::Propose(Box::new(Change::Suspend(agency))),
            Governance::Propose(Box::new(Change::Elements(vec!["事项名称".parse().unwrap()]))),
            Governance::Approve { proposal, target: Target::Elements },
            Governance::Approve { proposal, target: Target::Network },
            Governance::Withdraw { proposal, target: Target::Agency(agency) },
            Governance::Delegate { to: agency, role: role(), until: None },
            Governance::Undelegate { from: agency, number: 3 },
        ];
        let capture = Capture {
            system: "test".parse().unwrap(),
            version: "1".parse().unwrap(),
            captured_at: Timestamp(0),
            grade: Grade::Internal,
        };
        for act in acts {
            let text = document(&act, agency, Timestamp(1_800_000_000_000)).unwrap();
            let prepared = records::prepare(text.as_bytes(), &capture)
                .unwrap_or_else(|why| panic!("{text}: {why:?}"));
            assert_eq!(prepared[0].operation.action, Action::Govern(act.clone()), "{text}");
            assert_eq!(prepared[0].actor, Some(agency));
            for lang in [Lang::En, Lang::Zh] {
                let proposed =
                    if let Governance::Propose(change) = &act { Some(&**change) } else { None };
                let told = told(lang, &agency, &act, proposed, "网");
                assert!(told.contains(agency.as_str()), "{told}");
            }
        }
    }
}
