//! The command `minlian-node`: what operators type, and what they read.

use crate::{
    bundle, clock, doctor, fsck,
    gateway::{Gateway, audit},
    genesis, home, join, keeping, keys, layers, logs, run,
    shell::Listening,
    signer::{self, Guard, Place},
    signstate::SignState,
    testnet::{NodeView, Testnet, VALIDATORS_MAX},
    tls::MutualTls,
    watch,
};
use anyhow::Context as _;
use clap::{ArgAction, CommandFactory as _, Parser, Subcommand};
use client::passphrase::{self, Given};
use ledger::retention::Retention;
use nix::sys::signal::Signal;
use sd_notify::NotifyState;
use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};
use types::{Height, Text, Timestamp};

/// Runs validators of a Minlian ledger, alone or a whole development network on one machine.
#[derive(Debug, Parser)]
#[command(
    name = "minlian-node",
    version,
    propagate_version = true,
    after_help = "\
Exit codes: 0 done; 1 a definite negative; 2 usage; 3 could not decide; 4 a network or peer unavailable, safe to retry;
5 refused for safety and 74 the disk failed, do not restart automatically; 75 the disk is full or read-only, start again: it
serves and waits; 130 interrupted.

Try:  minlian-node testnet up --validators 4 --home ./minlian-testnet"
)]
pub struct Cli {
    /// What to log, as in `info` or `info,network=debug`.
    #[arg(long, global = true, env = "MINLIAN_LOG", value_name = "FILTER")]
    log: Option<String>,
    /// Log more than that: -v what is done, -vv everything.
    #[arg(long, short, global = true, action = ArgAction::Count)]
    verbose: u8,
    /// Log less: -q what a person may want to look at, -qq only why it ends.
    #[arg(long, short, global = true, action = ArgAction::Count, conflicts_with = "verbose")]
    quiet: u8,
    /// A setting of node.toml that holds for this run, as `reserve_mib=1024` or `tls.listen=127.0.0.1:8443`; in the environment
    /// that is `MINLIAN_RESERVE_MIB`, `MINLIAN_TLS__LISTEN`. A flag counts before the environment, and that before the file.
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// What was done or found, as JSON on standard output; talk stays on standard error.
    #[arg(long, global = true)]
    json: bool,
    /// How to log.
    #[arg(long, global = true, env = "MINLIAN_LOG_FORMAT", value_enum, default_value = "pretty")]
    log_format: logs::Format,
    /// The file whose first line opens sealed keys; its mode must be 0600.
    #[arg(long, global = true, value_name = "FILE", env = "MINLIAN_PASSPHRASE_FILE")]
    passphrase_file: Option<PathBuf>,
    /// The open descriptor whose first line opens sealed keys.
    #[arg(long, global = true, value_name = "N", conflicts_with = "passphrase_file")]
    passphrase_fd: Option<u32>,
    #[command(subcommand)]
    command: Command,
}

impl Cli {
    /// What is logged, if that was said: by name, or so much more or less.
    fn filter(&self) -> Option<&str> {
        match (self.verbose, self.quiet) {
            (0, 0) => self.log.as_deref(),
            (1, _) => Some(logs::MORE),
            (2.., _) => Some("trace"),
            (0, 1) => Some("warn"),
            (0, 2..) => Some("error"),
        }
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the validator whose directory this is, until SIGTERM or Ctrl-C; a second one ends it at once.
    #[command(after_help = "\
Try:  minlian-node start --home v1
      minlian-node start --home v1 --log info,network=debug --log-format json")]
    Start {
        /// The validator's directory, with node.toml in it.
        #[arg(long, env = "MINLIAN_HOME")]
        home: PathBuf,
        /// Vote at once, without listening first whether another process uses this validator's key.
        #[arg(long)]
        no_listen: bool,
    },
    /// A whole network on this machine, for development.
    #[command(subcommand)]
    Testnet(TestnetCommand),
    /// Make and show keys.
    #[command(subcommand)]
    Key(keys::Command),
    /// Make the file that every operator must agree on.
    #[command(subcommand)]
    Genesis(GenesisCommand),
    /// Check everything on a stopped validator's disk again: certificates, links, execution, every key.
    #[command(after_help = "\
Try:  minlian-node fsck --home v1")]
    Fsck {
        /// The validator's directory.
        #[arg(long, env = "MINLIAN_HOME")]
        home: PathBuf,
    },
    /// Look at keys, disk, clock, lines and the running node, and say in plain words what is wrong.
    #[command(after_help = "\
Try:  minlian-node doctor --home v1")]
    Doctor {
        /// The validator's directory.
        #[arg(long, env = "MINLIAN_HOME")]
        home: PathBuf,
    },
    /// Put a damaged ledger aside, fetch it again from the other validators, check all of it, and end.
    #[command(after_help = "\
Try:  minlian-node recover --home v1")]
    Recover {
        /// The validator's directory.
        #[arg(long, env = "MINLIAN_HOME")]
        home: PathBuf,
    },
    /// Write a ledger to a file, or check one and put it in the ledger's place.
    #[command(subcommand)]
    Snapshot(keeping::SnapshotCommand),
    /// Say how much of the disk a validator takes, and with what.
    #[command(subcommand)]
    Data(keeping::DataCommand),
    /// Remove ledgers that were put aside and hold nothing that the one in place lacks, and what interrupted commands left; and,
    /// of a stopped validator, the bodies of blocks that are older than its operator wants to keep.
    ///
    /// Without --keep-days, --keep-blocks, and `retention` in node.toml, no body is removed. Where two of them are given, what
    /// keeps more counts; the last 64 blocks always stay. Headers, certificates, the log, states, histories and indexes stay.
    /// A record whose body is gone can be shown by others only: let somebody keep all of them.
    #[command(after_help = "\
Try:  minlian-node prune --home v1 --keep-days 3650 --dry-run")]
    Prune {
        /// The validator's directory.
        #[arg(long, env = "MINLIAN_HOME")]
        home: PathBuf,
        /// Keep the bodies of the last so many days, before the last block's time, instead of what node.toml says.
        #[arg(long, value_name = "N")]
        keep_days: Option<u64>,
        /// Keep the bodies of the last so many blocks, instead of what node.toml says.
        #[arg(long, value_name = "N")]
        keep_blocks: Option<u64>,
        /// Those ledgers too that cannot be opened any more.
        #[arg(long)]
        damaged: bool,
        /// Only say what would be removed.
        #[arg(long, conflicts_with = "yes")]
        dry_run: bool,
        /// Do not ask first.
        #[arg(long)]
        yes: bool,
    },
    /// Read the log of what the gateway signed and refused, beside a node that may be running.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Make a validator's directory: keys, node.toml, and what genesis needs to know.
    #[command(after_help = "\
Try:  minlian-node init --home v1 --agency 11350000MXDEX0015L --listen 10.0.0.5:27001 > v1.enrol.json")]
    Init(join::Init),
    /// Give a validator's directory the genesis of its network, and say where its neighbours are.
    #[command(after_help = "\
Try:  minlian-node join --home v1 --genesis genesis.toml --chain f63f…c098 --peer KEY@10.0.0.6:27001")]
    Join(join::Join),
    /// Say where the running node is, and what stands in its way.
    #[command(after_help = "\
Try:  minlian-node status --home v1 --json")]
    Status {
        /// The validator's directory.
        #[arg(long, env = "MINLIAN_HOME")]
        home: PathBuf,
    },
    /// List the other validators: whether the running node reaches them, and where they are.
    #[command(after_help = "\
Try:  minlian-node peers --home v1")]
    Peers {
        /// The validator's directory.
        #[arg(long, env = "MINLIAN_HOME")]
        home: PathBuf,
    },
    /// What helps others to help.
    #[command(subcommand)]
    Debug(bundle::DebugCommand),
    /// Guard a consensus key for a node in another process: sign for it, forward only, with a record of its own.
    #[command(after_help = "\
Try:  minlian-node signer --key consensus.json --genesis genesis.toml --listen unix:/run/minlian-signer/socket")]
    Signer {
        /// The consensus key's file; its record of signatures lies beside it.
        #[arg(long)]
        key: PathBuf,
        /// The chain's genesis file: nothing is signed for another chain.
        #[arg(long)]
        genesis: PathBuf,
        /// Where to listen, as `unix:/run/minlian/signer`, or `tls:10.0.0.7:27100` for a node on another machine.
        #[arg(long)]
        listen: String,
        /// With `tls:`, the signer's certificate, in PEM.
        #[arg(long, value_name = "FILE", requires = "tls_key", requires = "tls_trusted")]
        tls_certificate: Option<PathBuf>,
        /// With `tls:`, its key, in PEM.
        #[arg(long, value_name = "FILE", requires = "tls_certificate")]
        tls_key: Option<PathBuf>,
        /// With `tls:`, the node's very certificate, or an authority that signs for nobody else, in PEM.
        #[arg(long, value_name = "FILE", requires = "tls_certificate")]
        tls_trusted: Option<PathBuf>,
    },
    /// Show or check what one operator decides: node.toml.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print what a shell needs to complete this command's words.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual's pages, one a subcommand, to a directory.
    Man {
        /// The directory; it must be there.
        directory: PathBuf,
    },
    /// Print the description of the HTTP API, as `node/openapi.json` has it.
    Openapi,
    /// Print the version and the formats it speaks.
    Version,
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// Follow the chain of digests through the whole log, and say where it ends: whoever noted an earlier end sees it there.
    #[command(after_help = "\
Try:  minlian-node audit verify --home v1")]
    Verify {
        /// The validator's directory.
        #[arg(long, env = "MINLIAN_HOME")]
        home: PathBuf,
    },
    /// Print lines of the log as they stand there, one a line, once all of it is found whole.
    #[command(after_help = "\
Try:  minlian-node audit export --home v1 --since 2026-11-01T00:00:00Z --token erp > november.ndjson")]
    Export {
        /// The validator's directory.
        #[arg(long, env = "MINLIAN_HOME")]
        home: PathBuf,
        /// Those of this time or later (RFC 3339).
        #[arg(long)]
        since: Option<Timestamp>,
        /// Those before this time.
        #[arg(long)]
        until: Option<Timestamp>,
        /// Those of this token or certificate, by its name.
        #[arg(long)]
        token: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
enum TestnetCommand {
    /// Make a network, or go on with one, and stay with it until Ctrl-C.
    Up {
        /// How many validators.
        #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(4..=i64::from(VALIDATORS_MAX)))]
        validators: u16,
        /// The network's directory.
        #[arg(long, default_value = "minlian-testnet")]
        home: PathBuf,
        /// Leave it running in the background.
        #[arg(long)]
        detach: bool,
        /// Validator N listens on this port plus N, and serves its API 1000 above.
        #[arg(long, default_value_t = 27000)]
        base_port: u16,
    },
    /// Show every validator: process, height, root, and what stands in its way.
    Status {
        /// The network's directory.
        #[arg(long, default_value = "minlian-testnet")]
        home: PathBuf,
    },
    /// Stop every validator.
    Down {
        /// The network's directory.
        #[arg(long, default_value = "minlian-testnet")]
        home: PathBuf,
    },
    /// Kill a validator without warning (SIGKILL).
    Kill(One),
    /// Start a validator that does not run, and wait until it has caught up.
    Start(One),
    /// Freeze a validator (SIGSTOP).
    Pause(One),
    /// Thaw a validator (SIGCONT).
    Resume(One),
    /// Print what a validator, or each of them, has logged.
    Logs {
        /// Which; all if none is named.
        node: Option<String>,
        /// The network's directory.
        #[arg(long, default_value = "minlian-testnet")]
        home: PathBuf,
        /// How many lines of each.
        #[arg(short = 'n', long, default_value_t = 20)]
        lines: usize,
    },
}

#[derive(Debug, clap::Args)]
struct One {
    /// Which: v1, v2, …
    node: String,
    /// The network's directory.
    #[arg(long, default_value = "minlian-testnet")]
    home: PathBuf,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Print every value that holds.
    Show {
        /// The validator's directory.
        #[arg(long, env = "MINLIAN_HOME")]
        home: PathBuf,
        /// With where each comes from.
        #[arg(long)]
        origin: bool,
    },
    /// Read everything as a start would, and say what is wrong.
    Check {
        /// The validator's directory.
        #[arg(long, env = "MINLIAN_HOME")]
        home: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
enum GenesisCommand {
    /// Fill a template with the enrolments of agencies, in seat order, and print the chain id.
    Build {
        /// The template: a genesis without keys and validators, such as genesis/devnet.toml.
        #[arg(long)]
        template: PathBuf,
        /// The file to write.
        #[arg(long)]
        out: PathBuf,
        /// The network's name, instead of the template's.
        #[arg(long)]
        name: Option<Text<64>>,
        /// The time of height 0 (RFC 3339), instead of the template's.
        #[arg(long)]
        time: Option<Timestamp>,
        /// What `key enrol` printed, one file an agency.
        #[arg(required = true)]
        enrolments: Vec<PathBuf>,
    },
    /// Check a genesis file and print its chain id.
    Show {
        /// The file.
        file: PathBuf,
    },
}

/// Reads the arguments and does what they ask.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let file = cli.passphrase_file.clone().map(Given::File);
    passphrase::found_in(file.or_else(|| cli.passphrase_fd.map(Given::Descriptor)));
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("error: cannot start: {error}"));
            return ExitCode::from(store::exit_code_of(&error));
        }
    };
    match runtime.block_on(dispatch(cli)) {
        Ok(code) => code,
        Err(error) => {
            complain(&format!("error: {error:#}"));
            ExitCode::from(exit_code(&error))
        }
    }
}

/// Guards a key until it is told to stop.
async fn guard(
    key: &Path,
    genesis: &Path,
    listen: &str,
    tls: Option<MutualTls>,
) -> anyhow::Result<ExitCode> {
    run::keep_memory_private();
    let place = Place::read(Path::new("."), listen)?;
    let door = place.clone().served(Path::new("."), tls.as_ref())?;
    let mut told = run::Told::new()?;
    let chain = home::read_genesis(genesis)?.chain();
    let secret = home::read_key_of(key, "consensus", &chain)?;
    let record = SignState::open(key, secret.public(), &chain)?;
    tracing::info!(key = %secret.public(), record = %record, "guarding a consensus key");
    signer::serve(door, Arc::new(Guard::new(secret, chain, record)?))?;
    run::tell_supervisor(&[NotifyState::Ready]);
    told.stop().await;
    run::tell_supervisor(&[NotifyState::Stopping]);
    if let Place::Unix(path) = place {
        fs::remove_file(path).ok();
    }
    Ok(ExitCode::SUCCESS)
}

/// 2 for what was not said, 4 for what may be tried again, 5 for what was refused for safety, 74 for what the system refused,
/// 75 for want of room, 1 for the rest.
pub(crate) fn exit_code(error: &anyhow::Error) -> u8 {
    if error.chain().any(|cause| cause.downcast_ref::<home::Unsafe>().is_some()) {
        5
    } else if error.chain().any(|cause| cause.downcast_ref::<keeping::Unasked>().is_some()) {
        2
    } else if error.chain().any(|cause| cause.downcast_ref::<home::Unavailable>().is_some()) {
        4
    } else {
        let refused = error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>());
        refused.map_or(1, store::exit_code_of)
    }
}

async fn dispatch(cli: Cli) -> anyhow::Result<ExitCode> {
    let told = cli.filter().map(str::to_owned);
    layers::take_flags(&cli.set, told.as_deref())?;
    let filter = told.as_deref().unwrap_or(logs::DEFAULT);
    let json = cli.json;
    match cli.command {
        Command::Start { home, no_listen } => {
            logs::start(filter, cli.log_format)?;
            let listening = if no_listen { Listening::WhileVoting } else { Listening::First };
            let home = fs::canonicalize(&home)
                .with_context(|| format!("no directory {}", home.display()))?;
            run::run(&home, run::Until::Told, listening).await
        }
        Command::Testnet(command) => testnet(command, json).await,
        Command::Key(command) => keys::run(command, json),
        Command::Genesis(command) => genesis_command(command, json),
        Command::Fsck { home } => fsck(&home, json),
        Command::Doctor { home } => {
            let directory = fs::canonicalize(&home)
                .with_context(|| format!("no directory {}", home.display()))?;
            let findings = doctor::examine(&directory).await;
            if json {
                print(&serde_json::json!({ "findings": findings }));
            } else {
                for found in &findings {
                    let mark = match (found.sound, found.warning) {
                        (true, false) => '✔',
                        (true, true) => '!',
                        (false, _) => '✘',
                    };
                    print(&format!("{mark} {:<14} {}", found.what, found.detail));
                }
            }
            let healthy = findings.iter().all(|found| found.sound);
            Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::Recover { home } => {
            logs::start(filter, cli.log_format)?;
            keeping::recover(&home, json).await
        }
        Command::Snapshot(command) => {
            logs::start(filter, cli.log_format)?;
            keeping::snapshot(command, json).await
        }
        Command::Data(command) => {
            logs::start(filter, cli.log_format)?;
            keeping::data(command, json)
        }
        Command::Prune { home, keep_days, keep_blocks, damaged, dry_run, yes } => {
            logs::start(filter, cli.log_format)?;
            let sure = match (dry_run, yes) {
                (true, _) => keeping::Sure::Never,
                (false, true) => keeping::Sure::Yes,
                (false, false) => keeping::Sure::Ask,
            };
            let asked = Retention { keep_blocks, keep_days };
            keeping::prune(&home, asked, damaged, sure, json).await
        }
        Command::Audit(command) => audit(command, json),
        Command::Init(what) => join::init(&what),
        Command::Join(what) => join::join(&what, json),
        Command::Status { home } => watch::status(&home, json).await,
        Command::Peers { home } => watch::peers(&home, json).await,
        Command::Debug(bundle::DebugCommand::Bundle { home, out }) => {
            bundle::write(&home, &out, json).await
        }
        Command::Signer { key, genesis, listen, tls_certificate, tls_key, tls_trusted } => {
            logs::start(filter, cli.log_format)?;
            let tls = tls_certificate.zip(tls_key).zip(tls_trusted);
            let tls = tls.map(|((certificate, key), trusted)| MutualTls {
                certificate,
                key,
                trusted,
                name: None,
            });
            guard(&key, &genesis, &listen, tls).await
        }
        Command::Config(command) => config(command, json),
        Command::Completions { shell } => {
            let mut command = Cli::command();
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut command, "minlian-node", &mut text);
            // A reader who has gone does not want the rest.
            std::io::stdout().write_all(&text).unwrap_or(());
            Ok(ExitCode::SUCCESS)
        }
        Command::Man { directory } => {
            clap_mangen::generate_to(Cli::command(), &directory)
                .with_context(|| format!("cannot write to {}", directory.display()))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Openapi => {
            print(&crate::api::describe().to_pretty_json()?);
            Ok(ExitCode::SUCCESS)
        }
        Command::Version => {
            let (version, block, tx, genesis) = (
                env!("CARGO_PKG_VERSION"),
                types::block::VERSION,
                types::transaction::VERSION,
                types::genesis::VERSION,
            );
            if json {
                print(&serde_json::json!({
                    "version": version, "block_format": block, "transaction_format": tx, "genesis_format": genesis,
                }));
            } else {
                print(&format!(
                    "minlian-node {version}\nformats: block {block}, transaction {tx}, genesis {genesis}"
                ));
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn testnet(command: TestnetCommand, json: bool) -> anyhow::Result<ExitCode> {
    match command {
        TestnetCommand::Up { validators, home, detach, base_port } => {
            up(validators, &home, detach, base_port, json).await
        }
        TestnetCommand::Status { home } => {
            let views = Testnet::open(&home)?.view().await;
            if json {
                print(&serde_json::json!({ "nodes": views }));
            } else {
                print(&table(&views));
            }
            let ready = views.iter().all(|view| view.state == "ready");
            Ok(if ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        TestnetCommand::Down { home } => {
            let stopped = Testnet::open(&home)?.down().await?;
            let text =
                format!("{stopped} validators stopped. `testnet up` goes on where they stopped.");
            tell(json, &serde_json::json!({ "stopped": stopped }), &text);
            Ok(ExitCode::SUCCESS)
        }
        TestnetCommand::Kill(One { node, home }) => {
            let net = Testnet::open(&home)?;
            net.signal(&node, Signal::SIGKILL)?;
            while !net.has_ended(&node) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            let (left, size) =
                (net.names().filter(|name| net.pid(name).is_some()).count(), net.names().count());
            let quorum = size * 2 / 3 + 1;
            let outlook = match left.checked_sub(quorum) {
                Some(0) => "the network goes on, with no room for another failure".to_owned(),
                Some(room) => format!("the network goes on, with room for {room} more"),
                None => "the network halts until enough are back; nothing is lost".to_owned(),
            };
            let done = serde_json::json!({
                "killed": node, "left": left, "validators": size, "quorum": quorum,
            });
            let text = format!(
                "{node} killed (SIGKILL). {left} of {size} validators left, quorum is {quorum}: {outlook}."
            );
            tell(json, &done, &text);
            Ok(ExitCode::SUCCESS)
        }
        TestnetCommand::Start(One { node, home }) => {
            start_one(&Testnet::open(&home)?, &node, json).await
        }
        TestnetCommand::Pause(One { node, home }) => {
            Testnet::open(&home)?.signal(&node, Signal::SIGSTOP)?;
            let text = format!("{node} paused. `testnet resume {node}` thaws it.");
            tell(json, &serde_json::json!({ "paused": node }), &text);
            Ok(ExitCode::SUCCESS)
        }
        TestnetCommand::Resume(One { node, home }) => {
            Testnet::open(&home)?.signal(&node, Signal::SIGCONT)?;
            let text = format!("{node} goes on.");
            tell(json, &serde_json::json!({ "resumed": node }), &text);
            Ok(ExitCode::SUCCESS)
        }
        TestnetCommand::Logs { node, home, lines } => {
            let net = Testnet::open(&home)?;
            let names: Vec<_> = net
                .names()
                .filter(|name| node.as_deref().is_none_or(|only| only == *name))
                .collect();
            anyhow::ensure!(!names.is_empty(), "no such validator");
            for name in names {
                let text = fs::read_to_string(net.log_path(name)?).unwrap_or_default();
                let all: Vec<_> = text.lines().collect();
                for line in all.iter().skip(all.len().saturating_sub(lines)) {
                    let shown = serde_json::json!({ "node": name, "line": line });
                    tell(json, &shown, &format!("{name}  {line}"));
                }
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn up(
    validators: u16,
    home: &Path,
    detach: bool,
    base_port: u16,
    json: bool,
) -> anyhow::Result<ExitCode> {
    // A program is told once, when there is something to tell.
    let print = |text: &str| {
        if !json {
            print(text);
        }
    };
    let started = clock::instant();
    let (net, created) = Testnet::create(home, validators, base_port)?;
    let genesis = home::read_genesis(&net.genesis_path())?;
    let verb = if created { "Created" } else { "Going on with" };
    print(&format!("{verb} a development network in {}", net.home().display()));
    print(&format!("  network   {}   chain {}", genesis.name, genesis.chain().0.short()));
    print(&format!("  genesis   {}   (also the trust root)", net.genesis_path().display()));
    print(&format!(
        "  issuer    {}   (holds every record role; development only)",
        net.issuer_path().display()
    ));
    print("  keys      not encrypted: for development, and for nothing else");
    net.start_all()?;
    let (height, block) = match net.await_agreement().await {
        Ok(agreed) => agreed,
        Err(error) => {
            net.down().await?;
            return Err(error);
        }
    };
    let views = net.view().await;
    if json {
        tell(
            json,
            &serde_json::json!({
                "network": genesis.name, "chain": genesis.chain(), "genesis": net.genesis_path(), "issuer": net.issuer_path(),
                "created": created, "height": height, "block": block, "nodes": views,
            }),
            "",
        );
    }
    print(&table(&views));
    print(&format!(
        "✔ {n}/{n} validators agree on block {height} ({})   {:.1} s",
        block.short(),
        started.elapsed().as_secs_f32(),
        n = net.names().count(),
    ));
    print(&format!(
        "Try        minlian submit genesis/samples/*.json* --node {} --key {}",
        net.first_url(),
        net.issuer_path().display()
    ));
    let shown = net.home().display();
    print(&format!(
        "Break it   minlian-node testnet kill v3 --home {shown}      Stop   minlian-node testnet down --home {shown}"
    ));
    if detach {
        return Ok(ExitCode::SUCCESS);
    }
    tokio::signal::ctrl_c().await?;
    print("Stopping");
    net.down().await?;
    Ok(ExitCode::SUCCESS)
}

async fn start_one(net: &Testnet, name: &str, json: bool) -> anyhow::Result<ExitCode> {
    let started = clock::instant();
    net.start(name)?;
    let deadline = clock::after(60_000);
    loop {
        let views = net.view().await;
        let others =
            views.iter().filter(|view| view.name != name).filter_map(|view| view.height).max();
        let mine = views.iter().find(|view| view.name == name);
        if let Some(view) = mine {
            anyhow::ensure!(view.pid.is_some(), "{name} ended; see `testnet logs {name}`");
            let caught_up =
                view.height.zip(others).is_some_and(|(mine, others)| mine + 1 >= others);
            // Its lines to the others take a moment; what stands in its way before that is not worth telling.
            let settled = view.obstacles.is_empty() || started.elapsed() > Duration::from_secs(5);
            if settled && (caught_up || (view.height.is_some() && others.is_none())) {
                let seconds = started.elapsed().as_secs_f32();
                let height = view.height.unwrap_or(0);
                let mut text = format!("{name} is back at height {height} after {seconds:.1} s.");
                for obstacle in &view.obstacles {
                    text.push_str("\n  ");
                    text.push_str(obstacle);
                }
                let done = serde_json::json!({
                    "started": name, "height": height, "obstacles": view.obstacles,
                });
                tell(json, &done, &text);
                return Ok(ExitCode::SUCCESS);
            }
        }
        anyhow::ensure!(
            clock::instant() < deadline,
            "{name} has not caught up after 60 s; see `testnet logs {name}`"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn table(views: &[NodeView]) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["NODE", "AGENCY", "PID", "P2P", "API", "STATE", "HEIGHT", "RECORDS", "ROOT"]);
    for view in views {
        let or_dash = |value: Option<String>| value.unwrap_or_else(|| "–".into());
        table.add_row([
            view.name.clone(),
            view.agency.clone(),
            or_dash(view.pid.map(|pid| pid.to_string())),
            view.p2p.port().to_string(),
            view.api.clone(),
            view.state.to_owned(),
            or_dash(view.height.map(|height| height.to_string())),
            or_dash(view.records.map(|records| records.to_string())),
            or_dash(view.root.map(|root| root.short())),
        ]);
    }
    let mut text = table.trim_fmt();
    let mut obstacles: Vec<_> =
        views.iter().flat_map(|view| view.obstacles.iter().cloned()).collect();
    obstacles.sort();
    obstacles.dedup();
    for obstacle in obstacles {
        text.push_str("\n! ");
        text.push_str(&obstacle);
    }
    text
}

fn fsck(directory: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let (config, genesis) = home::read_public(directory)?;
    let folder = config.data.join("ledger");
    if !folder.try_exists().with_context(|| format!("cannot look for {}", folder.display()))? {
        // Opening it would make one, and an empty ledger is sound.
        let why = format!(
            "there is no ledger in {}, so nothing can be checked; `minlian-node start` fetches it from the others, \
             `minlian-node snapshot restore` makes it of a file",
            config.data.display()
        );
        if json {
            print(&serde_json::json!({ "sound": null, "why": why }));
        } else {
            complain(&format!("error: {why}"));
        }
        return Ok(ExitCode::from(3));
    }
    let complain_and_exit = |fault: &store::Fault| {
        complain(&format!("error: {fault}"));
        Ok(ExitCode::from(fault.exit_code()))
    };
    let ledger = match store::open(&config.data, &genesis.chain(), end_check) {
        Ok(ledger) => ledger,
        Err(fault) => return complain_and_exit(&fault),
    };
    let scratch = keeping::named_beside(&config.data, "fsck");
    // What an interrupted check left behind is of no use.
    fs::remove_dir_all(&scratch).ok();
    let checked = fsck::check(&genesis, &ledger, &scratch, |height, tip| {
        complain(&format!("checked {height} of {tip}"));
    });
    fs::remove_dir_all(&scratch).ok();
    let report = match checked {
        Ok(report) => report,
        Err(fault) => return complain_and_exit(&fault),
    };
    let sound = report.damage.is_empty();
    let dropped = report.kept_from.previous().unwrap_or_default();
    if json {
        print(&serde_json::json!({
            "sound": sound, "blocks": report.blocks, "kept_from": report.kept_from, "records": report.records, "keys": report.keys,
            "damage": report.damage, "more": report.more,
        }));
    } else {
        let how = if dropped == Height::GENESIS {
            "certificates, links, execution and every key computed again".to_owned()
        } else {
            format!(
                "certificates, links, log, state map, histories and indexes computed again; bodies and signatures from block {} \
                 on. The bodies of blocks 1 to {dropped} were dropped by retention: they were not executed again",
                report.kept_from
            )
        };
        let (blocks, records, keys) = (report.blocks, report.records, report.keys);
        print(&format!("{blocks} blocks, {records} records, {keys} keys: {how}"));
        for what in &report.damage {
            print(&format!("✘ {what}"));
        }
        match (sound, report.more) {
            (true, _) => print("✔ the ledger on this disk is what the committee agreed on"),
            (false, more) => print(&format!(
                "{} more. Keep a copy of {}, then let this validator fetch the ledger again from the others.",
                more,
                config.data.display()
            )),
        }
    }
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Ends a check at what cannot even be read: RocksDB's own checksums found the damage, and its message names the file.
fn end_check(fault: &store::Fault) -> ! {
    complain(&format!("✘ {fault}"));
    std::process::exit(i32::from(fault.exit_code()))
}

fn config(command: ConfigCommand, json: bool) -> anyhow::Result<ExitCode> {
    match command {
        ConfigCommand::Show { home, origin } => {
            let values = layers::read(&home)?.values;
            if json {
                let values: serde_json::Map<_, _> = values
                    .into_iter()
                    .map(|(name, (value, from))| {
                        let from = from.to_string();
                        (name, serde_json::json!({ "value": value, "origin": from }))
                    })
                    .collect();
                print(&serde_json::Value::Object(values));
                return Ok(ExitCode::SUCCESS);
            }
            let width = values.values().map(|(_, from)| from.to_string().len()).max().unwrap_or(0);
            for (name, (value, from)) in values {
                let line = format!("{name} = {value}");
                print(&if origin { format!("{from:<width$}  {line}") } else { line });
            }
            Ok(ExitCode::SUCCESS)
        }
        ConfigCommand::Check { home } => {
            let home = fs::canonicalize(&home)
                .with_context(|| format!("no directory {}", home.display()))?;
            let home::Home { config, genesis, .. } = home::Home::open(&home)?;
            if let Some(filter) = &config.log {
                logs::check(filter)?;
            }
            if let Some(gateway) = &config.gateway {
                // Nothing is written: the node may be running, and its log is its own.
                Gateway::check(gateway, &home)?;
            }
            if let Some(tls) = &config.tls {
                tls.open(&home).context("in [tls]")?;
            }
            let file = home.join(home::CONFIG);
            let found = serde_json::json!({
                "sound": true, "file": file, "network": genesis.name, "chain": genesis.chain(),
            });
            let text = format!("✔ {} is sound; network {}", file.display(), genesis.name);
            tell(json, &found, &text);
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn genesis_command(command: GenesisCommand, json: bool) -> anyhow::Result<ExitCode> {
    match command {
        GenesisCommand::Build { template, out, name, time, enrolments } => {
            let text = fs::read_to_string(&template)
                .with_context(|| format!("cannot read {}", template.display()))?;
            let read = |path: &PathBuf| {
                let text = fs::read_to_string(path)
                    .with_context(|| format!("cannot read {}", path.display()))?;
                serde_json::from_str(&text).with_context(|| format!("in {}", path.display()))
            };
            let enrolments: Vec<_> = enrolments.iter().map(read).collect::<anyhow::Result<_>>()?;
            let genesis = genesis::build(&text, &enrolments, name, time)?;
            genesis::write(&genesis, &out)?;
            let (chain, file) = (genesis.chain(), out.display());
            let done = serde_json::json!({ "name": genesis.name, "chain": chain, "file": out });
            tell(json, &done, &format!("chain id  {chain}\nwritten to {file}"));
            complain("Every operator compares the chain id over another channel before starting.");
        }
        GenesisCommand::Show { file } => {
            let genesis = home::read_genesis(&file)?;
            let committee = genesis.committee();
            if json {
                print(&serde_json::json!({
                    "name": genesis.name, "chain": genesis.chain(), "agencies": genesis.agencies.len(),
                    "validators": committee.size(), "quorum": committee.quorum(),
                }));
            } else {
                print(&format!(
                    "{}\nchain id    {}\nagencies    {}\nvalidators  {}, quorum {}",
                    genesis.name,
                    genesis.chain(),
                    genesis.agencies.len(),
                    committee.size(),
                    committee.quorum()
                ));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The gateway's log, as an operator reads it.
fn audit(command: AuditCommand, json: bool) -> anyhow::Result<ExitCode> {
    let home = match &command {
        AuditCommand::Verify { home } | AuditCommand::Export { home, .. } => home,
    };
    let home =
        fs::canonicalize(home).with_context(|| format!("no directory {}", home.display()))?;
    let found = match audit::verify(&home, |_, _| Ok(())) {
        Ok(found) => found,
        Err(error) => {
            let why = format!("{error:#}");
            if json {
                print(&serde_json::json!({ "sound": false, "why": why }));
            } else {
                complain(&format!("✘ {why}"));
            }
            return Ok(ExitCode::FAILURE);
        }
    };
    match command {
        AuditCommand::Verify { .. } => {
            let audit::Verified { files, first, end, torn } = found;
            let told = serde_json::json!({
                "sound": true, "files": files, "first": first, "next": end.number, "last": end.last, "torn": torn,
            });
            let lines = end.number - first;
            let mut text = format!(
                "✔ {lines} lines in {files} files, from number {first} on; the next is {}, after {}",
                end.number, end.last
            );
            if first > 0 {
                text.push_str(
                    "\n  what came before is not here: it was put elsewhere, or is missing",
                );
            }
            tell(json, &told, &text);
        }
        AuditCommand::Export { since, until, token, .. } => {
            audit::verify(&home, |line, text| {
                let wanted = since.is_none_or(|since| line.time >= since)
                    && until.is_none_or(|until| line.time < until)
                    && token.as_ref().is_none_or(|token| line.token.as_ref() == Some(token));
                if wanted {
                    print(text);
                }
                Ok(())
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints what was done: for a program, or for a person.
pub(crate) fn tell(json: bool, value: &serde_json::Value, text: &str) {
    if json {
        print(value);
    } else {
        print(text);
    }
}

pub(crate) fn print(line: &(impl core::fmt::Display + ?Sized)) {
    // A reader who has gone does not want the rest.
    writeln!(std::io::stdout(), "{line}").unwrap_or(());
}

pub(crate) fn complain(line: &str) {
    writeln!(std::io::stderr(), "{line}").unwrap_or(());
}
