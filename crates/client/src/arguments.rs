//! The command line: what may be asked, and how it is explained.

use crate::speech::Lang;
use clap::{
    ArgAction, Args, Parser, Subcommand, ValueEnum,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};
use std::{ffi::OsString, path::PathBuf};
use types::{AgencyCode, PublicKey, RecordId, Subject, Text, Timestamp, operation};

/// Submit government records to a Minlian ledger, ask for them, and check their proofs.
#[derive(Debug, Parser)]
#[command(
    name = "minlian",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 done or proven; 1 not proven, some records rejected, or unknown; 2 usage; 3 could not decide; \
                  4 node or network not available, run again; 74 local I/O error; 130 interrupted."
)]
pub(crate) struct Arguments {
    /// The language to speak: zh-CN or en. The default follows the locale
    #[arg(long, global = true, value_name = "LANG", value_parser = language())]
    pub(crate) lang: Option<Lang>,
    /// The file whose first line opens a sealed key; its mode must be 0600
    #[arg(long, global = true, value_name = "FILE", env = "MINLIAN_PASSPHRASE_FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// The open descriptor whose first line opens a sealed key
    #[arg(long, global = true, value_name = "N", conflicts_with = "passphrase_file")]
    pub(crate) passphrase_fd: Option<u32>,
    /// The authorities that a node's certificate (https://) may follow from, PEM; the default is whom the system believes
    #[arg(long, global = true, value_name = "FILE", env = "MINLIAN_CA")]
    pub(crate) ca: Option<PathBuf>,
    /// The certificate to show to nodes (https://), PEM, with those between it and its authority
    #[arg(long, global = true, value_name = "FILE", env = "MINLIAN_CLIENT_CERT")]
    pub(crate) client_cert: Option<PathBuf>,
    /// That certificate's key, PEM, mode 0600; the default is that it stands in the same file
    #[arg(long, global = true, value_name = "FILE", env = "MINLIAN_CLIENT_KEY")]
    pub(crate) client_key: Option<PathBuf>,
    /// Tell on standard error what is asked of which node, how it went, how long it took, under which request id, and what
    /// is asked again; -vv tells when a question leaves, too, -vvv everything that the libraries tell
    #[arg(long, short, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Say nothing on standard error but why it failed, and of `verify` nothing at all: the exit code says it
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Whether to colour what is printed; auto colours a terminal, unless `NO_COLOR` is set
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Paint,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Whether to colour what is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Paint {
    /// A terminal, unless `NO_COLOR` is set
    Auto,
    /// Whatever it is
    Always,
    /// Nothing
    Never,
}

/// The languages, by the names that people give them.
fn language() -> impl TypedValueParser<Value = Lang> {
    let names = [
        PossibleValue::new("en").help("English"),
        PossibleValue::new("zh-CN").alias("zh").help("中文"),
    ];
    PossibleValuesParser::new(names).map(|name| if name == "en" { Lang::En } else { Lang::Zh })
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Submit(Box<Submit>),
    Status(Ask),
    History(History),
    Audit(Audit),
    Record(AskRecord),
    Prove(Prove),
    Salt(Salt),
    Present(Present),
    Export(Export),
    Verify(Verify),
    Trust(Trust),
    Version(Version),
    New(crate::new::New),
    Check(crate::check::Check),
    Item(crate::items::Item),
    Govern(crate::govern::Govern),
    Trace(Trace),
    #[command(name = "prove-line")]
    ProveLine(ProveLine),
    Agent(crate::words::Keys),
    Completions(crate::words::Completions),
    Man(crate::words::Man),
}

/// The node to ask.
#[derive(Clone, Debug, Args)]
pub(crate) struct Node {
    /// The node's address
    #[arg(long, value_name = "URL", env = "MINLIAN_NODE")]
    pub(crate) node: String,
}

/// Check documents, sign their records and hand them to a node
///
/// Files may be JSON (native operations), NDJSON (`.ndjson`, `.jsonl`: one document a line), EPCIS 2.0 documents, or tables
/// (`.csv`, with --mapping). A record is
/// named by its content, so the same command may be run again at any time: what is on the ledger is recognised, and gives
/// the same receipt.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  minlian submit licences.ndjson --node http://127.0.0.1:28001 \
                        --key keys/issuer.json --wait committed")]
pub(crate) struct Submit {
    /// The files
    #[arg(required_unless_present = "commitments", value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The node's address
    #[arg(long, value_name = "URL", env = "MINLIAN_NODE", required_unless_present = "check")]
    pub(crate) node: Option<String>,
    /// The agency's key: a file of mode 0600, env:NAME (a variable with such a file's text), or agent:AGENCY (ssh-agent)
    #[arg(long, value_name = "KEY", env = "MINLIAN_KEY", required_unless_present = "check")]
    pub(crate) key: Option<PathBuf>,
    /// A file of digests, 64 hexadecimal digits a line: one operation commits to all of them, and each can be proven alone
    #[arg(long, value_name = "FILE", requires = "series", conflicts_with_all = ["files", "receipts", "rejected", "state"])]
    pub(crate) commitments: Option<PathBuf>,
    /// The series that the batch goes on: a name within the namespaces of the agency's trace role
    #[arg(long, value_name = "NAME", requires = "commitments")]
    pub(crate) series: Option<operation::Lot>,
    /// How the rows of tables (`.csv`) become records: a JSON document with ${column}, ${column:number} or ${column?} in it
    #[arg(long, value_name = "FILE")]
    pub(crate) mapping: Option<PathBuf>,
    /// Only check the documents; needs no node and no key
    #[arg(long, conflicts_with_all = ["receipts", "state"])]
    pub(crate) check: bool,
    /// How far the records have to have come
    #[arg(long, value_name = "HOW", default_value = "committed")]
    pub(crate) wait: Wait,
    /// Where the receipts go; default `NAME.receipts.ndjson` beside each file, or standard output with --json
    #[arg(long, value_name = "OUT")]
    pub(crate) receipts: Option<PathBuf>,
    /// Where the rejected records go; default `NAME.rejected.ndjson` beside each file
    #[arg(long, value_name = "FILE")]
    pub(crate) rejected: Option<PathBuf>,
    /// Where progress is remembered until the end; default `.NAME.minlian-state` beside the file
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,
    /// The most operations under one signature
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) batch: u16,
    /// How sensitive the records are
    #[arg(long, default_value = "internal")]
    pub(crate) grade: Grade,
    /// The system that captured the documents. Part of every record: the same file under another name is other records
    #[arg(long, value_name = "NAME", default_value = "minlian")]
    pub(crate) system: Text<64>,
    /// That system's version. Part of every record, too
    #[arg(long, value_name = "VERSION", default_value = "1")]
    pub(crate) system_version: Text<32>,
    /// When the documents were captured. Part of every record; default when each took effect, as it says itself (an event's time,
    /// a licence's day), so that a copy of the file, or one with other rows mended, gives the same records
    #[arg(long, value_name = "RFC3339")]
    pub(crate) captured_at: Option<Timestamp>,
    /// How long to go on when the node does not answer, or nothing moves, seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    pub(crate) patience: u32,
    /// Receipts as NDJSON on standard output
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where a service item, e-licence or lot stands, as one node says
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  minlian status licence:1.2.156.3005.2… --node http://127.0.0.1:28001"
)]
pub(crate) struct Ask {
    /// What: item:…, basic:…, licence:… or lot:…
    #[arg(value_name = "KIND:ID")]
    pub(crate) subject: Subject,
    #[command(flatten)]
    pub(crate) node: Node,
    /// Where a licence stood at this time, by its complete history; the exit code is 0 if it was valid
    #[arg(long, value_name = "RFC3339")]
    pub(crate) at: Option<Timestamp>,
    /// Where to write the proof of that
    #[arg(long, value_name = "FILE", requires = "at")]
    pub(crate) proof: Option<PathBuf>,
    /// JSON on standard output
    #[arg(long)]
    pub(crate) json: bool,
}

/// Who did what with licences, data and documents: every record of it, by who acted or by what it was done with
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  minlian audit --actor 11350000XXXX00043M --node http://127.0.0.1:28001\n  \
                        minlian audit --subject licence:1.2.156.3005.2… --proof trail.proof --node …"
)]
pub(crate) struct Audit {
    /// Everything this agency did, was granted or was handed
    #[arg(
        long,
        value_name = "CODE",
        required_unless_present = "subject",
        conflicts_with = "subject"
    )]
    pub(crate) actor: Option<AgencyCode>,
    /// Everything that was done with licence:…, item:…, lot:…, data:…, document:… or grant:…
    #[arg(long, value_name = "KIND:ID")]
    pub(crate) subject: Option<Subject>,
    #[command(flatten)]
    pub(crate) node: Node,
    /// Where to write the proof that it is all there is
    #[arg(long, value_name = "FILE")]
    pub(crate) proof: Option<PathBuf>,
    /// NDJSON on standard output, one record a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// Every record of a service item, e-licence or lot, oldest first
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  minlian history lot:urn:epc:class:lgtin:6901234.012345.L1 --node http://127.0.0.1:28001"
)]
pub(crate) struct History {
    /// What: item:…, basic:…, licence:… or lot:…
    #[arg(value_name = "KIND:ID")]
    pub(crate) subject: Subject,
    #[command(flatten)]
    pub(crate) node: Node,
    /// The first record to show, from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) from: u64,
    /// The most records to show; default all
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// NDJSON on standard output, one record a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// One record, as one node says
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  minlian record 3f9c…e21b --node http://127.0.0.1:28001")]
pub(crate) struct AskRecord {
    /// The record's id, from its receipt
    #[arg(value_name = "ID")]
    pub(crate) record: RecordId,
    #[command(flatten)]
    pub(crate) node: Node,
    /// JSON on standard output
    #[arg(long)]
    pub(crate) json: bool,
}

/// Fetch a proof that can be checked without any network, for ever
///
/// What is asked for together goes into one file, under one block and its signatures. Several records share what they have
/// in common.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  minlian prove --record 3f9c…e21b --out record.proof --node http://127.0.0.1:28001\n  \
                        minlian prove --record 3f9c…e21b --subject licence:1.2.156.3005.2… --out licence.proof --node …\n  \
                        minlian prove --authority 11350000MXDEX0015L --at 1200 --out authority.proof --node …\n  \
                        minlian prove --upstream urn:epc:class:lgtin:6901234.012345.L1 --out lot.proof --node …"
)]
pub(crate) struct Prove {
    #[command(flatten)]
    pub(crate) node: Node,
    #[command(flatten)]
    pub(crate) what: Provable,
    /// That this key may sign for the agency of --authority, too
    #[arg(long, value_name = "KEY", requires = "authority")]
    pub(crate) key: Option<PublicKey>,
    /// As of this earlier block. Of a subject: all records it had by then, as the ledger of now shows
    #[arg(long, value_name = "HEIGHT", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) at: Option<u64>,
    /// For one who holds this trust root: what its saved block shows already is left out
    #[arg(long, value_name = "ROOT", env = "MINLIAN_TRUST_ROOT")]
    pub(crate) trust_root: Option<PathBuf>,
    /// The file to write
    #[arg(long, value_name = "FILE", required_unless_present = "qr")]
    pub(crate) out: Option<PathBuf>,
    /// Write it as QR codes too: FILE.svg, FILE.png (one file a code), FILE.txt (the codes' texts), or `terminal`
    #[arg(long, value_name = "FILE")]
    pub(crate) qr: Option<PathBuf>,
    /// Write text that survives e-mail, instead of bytes
    #[arg(long)]
    pub(crate) armor: bool,
    /// What was written, as JSON on standard output
    #[arg(long)]
    pub(crate) json: bool,
}

/// Prove one line of a batch of commitments; also written `minlian prove line`
///
/// The file must be the one that was submitted, with its `.batch.json` beside it. The batch's own proof is fetched once and
/// kept beside it, too.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  minlian prove line 2026-11-23.digests 1204417 --out line.proof --node http://127.0.0.1:28001"
)]
pub(crate) struct ProveLine {
    /// The file of digests
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The line, from 1
    #[arg(value_name = "N")]
    pub(crate) number: u64,
    /// The node's address; not needed when the batch's proof is here already
    #[arg(long, value_name = "URL", env = "MINLIAN_NODE")]
    pub(crate) node: Option<String>,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// What was written, as JSON on standard output
    #[arg(long)]
    pub(crate) json: bool,
}

/// `prove line` is written as two words, like its neighbours, and is a command of its own.
pub(crate) fn joined(words: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut words: Vec<OsString> = words.collect();
    let at = words.iter().position(|word| word == "prove");
    if let Some(at) = at
        && words.get(at + 1).is_some_and(|word| word == "line")
    {
        words.splice(at..=at + 1, [OsString::from("prove-line")]);
    }
    words
}

/// What can be proven.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Provable {
    /// That this record is on the ledger; several may be named
    #[arg(long, value_name = "ID")]
    pub(crate) record: Vec<RecordId>,
    /// Where this service item, e-licence or lot stands now, with its history; several may be named
    #[arg(long, value_name = "KIND:ID")]
    pub(crate) subject: Vec<Subject>,
    /// Everything this lot was made of, with every record of it
    #[arg(long, value_name = "LOT")]
    pub(crate) upstream: Vec<operation::Lot>,
    /// That the log of this earlier block begins the log of now
    #[arg(long, value_name = "HEIGHT")]
    pub(crate) consistency: Option<u64>,
    /// That the last block is final
    #[arg(long)]
    pub(crate) block: bool,
    /// Who may sign for this agency and what it may record: now, or with --at in the block of that height; several may be named
    #[arg(long, value_name = "AGENCY")]
    pub(crate) authority: Vec<AgencyCode>,
    /// That validators said two things where they may say one, as far as the node holds evidence of it
    #[arg(long)]
    pub(crate) evidence: bool,
}

/// Write a record's proof in the format of others, signed by the validators
///
/// The proof is checked first; then every node named signs the log as the proof's block left it, and a quorum must.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  minlian export record.proof --to tlog-proof --trust-root genesis.toml --out record.tlog-proof \
                        --node http://127.0.0.1:28001 --node http://127.0.0.1:28002 --node http://127.0.0.1:28003"
)]
pub(crate) struct Export {
    /// The proof of one record
    #[arg(value_name = "PROOF")]
    pub(crate) proof: PathBuf,
    /// The format: tlog-proof (C2SP, text) or cose (RFC 9942, a CBOR array of receipts)
    #[arg(long, value_name = "FORMAT")]
    pub(crate) to: Format,
    /// A validator's address; a quorum of them is needed
    #[arg(long, value_name = "URL", required = true)]
    pub(crate) node: Vec<String>,
    /// The genesis file of the chain, perhaps with a saved block
    #[arg(long, value_name = "GENESIS", env = "MINLIAN_TRUST_ROOT")]
    pub(crate) trust_root: PathBuf,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// What was written, as JSON on standard output
    #[arg(long)]
    pub(crate) json: bool,
}

/// A format of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// C2SP tlog-proof
    TlogProof,
    /// COSE Receipts
    Cose,
}

/// Give every field of every licence in a document a random salt, so that some can be shown without the others
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  minlian salt licence.json --out licence.salted.json")]
pub(crate) struct Salt {
    /// The document, JSON or NDJSON
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The file to write, which is then submitted and kept; one that is there is not overwritten
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// What was written, as JSON on standard output
    #[arg(long)]
    pub(crate) json: bool,
}

/// Show some fields of a recorded licence, and nothing of the others
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  minlian present licence.salted.json --fields \"valid until\" --out shown.proof --node http://127.0.0.1:28001"
)]
pub(crate) struct Present {
    /// The document, with its salts, as it was submitted
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The fields to show, as the document names them, or in English (\"valid until\", \"holder\", \"type\" …)
    #[arg(long, value_name = "NAME", required = true, num_args = 1.., value_delimiter = ',')]
    pub(crate) fields: Vec<String>,
    /// A proof of the document's record, had before
    #[arg(long, value_name = "PROOF", required_unless_present = "node")]
    pub(crate) proof: Option<PathBuf>,
    /// The node to ask for the proof instead, and for where the licence stands
    #[arg(long, value_name = "URL", env = "MINLIAN_NODE")]
    pub(crate) node: Option<String>,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// What was written, as JSON on standard output
    #[arg(long)]
    pub(crate) json: bool,
}

/// Look at a trust root, or advance it, without any network
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  minlian trust show genesis.toml\n  \
                        minlian trust advance genesis.toml --proof licence.proof --out root.txt\n  \
                        minlian trust export root.txt --out genesis.toml --genesis")]
pub(crate) struct Trust {
    #[command(subcommand)]
    pub(crate) act: TrustAct,
    /// JSON on standard output
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// What is done with a trust root.
#[derive(Debug, Subcommand)]
pub(crate) enum TrustAct {
    /// Whom it believes: the chain, the committees known, the block saved
    Show {
        /// The trust root: a genesis file, and perhaps a block saved after it
        #[arg(value_name = "ROOT")]
        root: PathBuf,
    },
    /// Write it in its one spelling
    Export {
        /// The trust root
        #[arg(value_name = "ROOT")]
        root: PathBuf,
        /// The file to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Without the block saved
        #[arg(long)]
        genesis: bool,
    },
    /// Save the block of a proof that holds: later proofs may be shorter, and forks are noticed
    Advance {
        /// The trust root
        #[arg(value_name = "ROOT")]
        root: PathBuf,
        /// A proof of any kind, as of a later block
        #[arg(long, value_name = "PROOF")]
        proof: PathBuf,
        /// The file to write; it may be the trust root itself
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// Check a proof, without any network
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  minlian verify SH-2026-004417.proof --document SH-2026-004417.json --trust-root genesis.toml"
)]
pub(crate) struct Verify {
    /// The proof: binary, armoured, or the texts of its QR codes, in one file or several, in any order; `-` is standard input
    #[arg(value_name = "PROOF", required_unless_present = "schema")]
    pub(crate) proof: Vec<PathBuf>,
    /// The genesis file of the chain, had from your agency, never from whoever presents the proof; perhaps with a saved block
    #[arg(long, value_name = "GENESIS", env = "MINLIAN_TRUST_ROOT")]
    pub(crate) trust_root: Option<PathBuf>,
    /// The document that the proof is said to be of
    #[arg(long, value_name = "FILE")]
    pub(crate) document: Option<PathBuf>,
    /// Say where the licence stood at this time; needs its complete history (`minlian status --at`)
    #[arg(long, value_name = "RFC3339")]
    pub(crate) at: Option<Timestamp>,
    /// Where to write the answer as one page to print, HTML, in the language spoken
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Where to write evidence, when the proof's block and the one saved in the trust root contradict one another
    #[arg(long, value_name = "FILE")]
    pub(crate) evidence: Option<PathBuf>,
    /// JSON on standard output
    #[arg(long)]
    pub(crate) json: bool,
    /// Show every hash that was computed, too
    #[arg(long, conflicts_with = "json")]
    pub(crate) explain: bool,
    /// Print nothing: `--quiet`, as main found it
    #[arg(skip)]
    pub(crate) quiet: bool,
    /// Check nothing; print the schema of what --json prints (JSON Schema 2020-12)
    #[arg(long, exclusive = true)]
    pub(crate) schema: bool,
}

/// The version of this command and of the proofs it knows
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  minlian version --json")]
pub(crate) struct Version {
    /// JSON on standard output
    #[arg(long)]
    pub(crate) json: bool,
}

/// What a lot was made of and what was made of it, as a tree
///
/// The graph is of one block. Places, quantities and licences are in the documents, not on the ledger: give those you have, and
/// each is matched to its record by digest.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  minlian trace urn:epc:class:lgtin:6901234.012345.L1 --up --node http://127.0.0.1:28001\n  \
                        minlian trace urn:epc:class:lgtin:6901234.012345.L1 --recall --json --node …\n  \
                        minlian trace urn:epc:id:sscc:6901234.0000000001 --documents catch.jsonld --prove lot.proof --node …"
)]
pub(crate) struct Trace {
    /// The lot, as its events name it
    #[arg(value_name = "LOT")]
    pub(crate) lot: operation::Lot,
    #[command(flatten)]
    pub(crate) node: Node,
    /// Only what it was made of
    #[arg(long)]
    pub(crate) up: bool,
    /// Only what was made of it
    #[arg(long)]
    pub(crate) down: bool,
    /// Everything downstream and who has it, also by events that were declared erroneous
    #[arg(long, conflicts_with = "up")]
    pub(crate) recall: bool,
    /// Documents behind the events: places, quantities and licences are shown from them
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) documents: Vec<PathBuf>,
    /// Write the proof that the upstream is complete, too
    #[arg(long, value_name = "FILE")]
    pub(crate) prove: Option<PathBuf>,
    /// The most steps from the lot
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub(crate) depth: usize,
    /// The most lots
    #[arg(long, value_name = "N", default_value_t = 2000)]
    pub(crate) lots: usize,
    /// JSON on standard output
    #[arg(long, group = "form")]
    pub(crate) json: bool,
    /// Graphviz on standard output
    #[arg(long, group = "form")]
    pub(crate) dot: bool,
    /// Mermaid on standard output
    #[arg(long, group = "form")]
    pub(crate) mermaid: bool,
}

/// How a graph is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As a tree for people.
    Tree,
    /// As JSON.
    Json,
    /// For Graphviz.
    Dot,
    /// For Mermaid.
    Mermaid,
}

impl Trace {
    /// How the graph is to be shown.
    pub(crate) const fn form(&self) -> Form {
        match (self.json, self.dot, self.mermaid) {
            (true, _, _) => Form::Json,
            (false, true, _) => Form::Dot,
            (false, false, true) => Form::Mermaid,
            (false, false, false) => Form::Tree,
        }
    }
}

/// How far the records have to have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Wait {
    /// In the node's pool, on its disk
    Accepted,
    /// In a block that a quorum agreed on
    Committed,
}

impl Wait {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Committed => "committed",
        }
    }
}

/// How sensitive a record is, 数据分类分级.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Grade {
    /// 1, 公开
    Public,
    /// 2, 内部
    Internal,
    /// 3, 敏感
    Sensitive,
    /// 4, 受限
    Restricted,
}

impl From<Grade> for operation::Grade {
    fn from(grade: Grade) -> Self {
        match grade {
            Grade::Public => Self::Public,
            Grade::Internal => Self::Internal,
            Grade::Sensitive => Self::Sensitive,
            Grade::Restricted => Self::Restricted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory as _, error::ErrorKind};

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_command_line_is_consistent_and_every_command_has_an_example() {
        let command = Arguments::command();
        command.clone().debug_assert();
        for sub in command.get_subcommands() {
            let name = sub.get_name();
            let acts = sub.get_subcommands().filter(|_| name == "agent");
            for sub in acts.chain((name != "agent").then_some(sub)) {
                let help = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains("minlian "), "{name}: {help}");
                // What a shell reads and what `man` reads has its own form.
                let is_data = !["completions", "man"].contains(&name);
                let json = sub.get_arguments().any(|argument| argument.get_id() == "json");
                assert_eq!(json, is_data, "{name}");
            }
        }
    }

    #[test]
    fn what_cannot_be_is_a_usage_error() {
        for (line, why) in [
            ("minlian submit", ErrorKind::MissingRequiredArgument),
            ("minlian submit a.json", ErrorKind::MissingRequiredArgument),
            ("minlian submit a.json --node u --key k --batch 0", ErrorKind::ValueValidation),
            ("minlian submit a.json --node u --key k --batch 1001", ErrorKind::ValueValidation),
            (
                "minlian submit a.json --node u --key k --captured-at noon",
                ErrorKind::ValueValidation,
            ),
            ("minlian status ship:1 --node u", ErrorKind::ValueValidation),
            ("minlian prove --node u --out f", ErrorKind::MissingRequiredArgument),
            ("minlian verify", ErrorKind::MissingRequiredArgument),
            ("minlian verify p --lang fr", ErrorKind::InvalidValue),
            ("minlian verfy p", ErrorKind::InvalidSubcommand),
        ] {
            let error = parse(line).expect_err(line);
            assert_eq!((error.kind(), error.exit_code()), (why, 2), "{line}");
        }
        for line in [
            "minlian submit a.json b.ndjson --node u --key k --wait accepted --grade public",
            "minlian submit a.json --check",
            "minlian verify p -q --lang zh-CN",
            "minlian -v status item:1 --node u -vv --ca f --client-cert f --client-key f",
            "minlian history item:1 --node u --from 5 --limit 10 --json",
        ] {
            assert!(parse(line).is_ok(), "{line}");
        }
    }
}
