//! What is told to whoever reads the log, and how much of it: the filter can be changed while the node runs.

use anyhow::Context as _;
use std::sync::OnceLock;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::{
    EnvFilter, fmt,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

/// How to log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
    /// For systemd's journal: its own time, and each line's priority before it.
    Journald,
}

/// A line with its priority in front, as sd-daemon(3) has it; the journal takes it off and files it.
struct Prioritised(fmt::format::Format<fmt::format::Full, ()>);

impl<S, N> FormatEvent<S, N> for Prioritised
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> core::fmt::Result {
        let priority = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        };
        write!(writer, "<{priority}>")?;
        self.0.format_event(context, writer, event)
    }
}

/// What is logged when nobody says otherwise.
pub const DEFAULT: &str = "info,arc_malachitebft_core_consensus=warn,libp2p=warn,libp2p_swarm=warn";

/// What is logged with `-v`: what this node does, and not how its tools do it.
pub(crate) const MORE: &str =
    "debug,arc_malachitebft_core_consensus=info,hyper_util=info,libp2p=info,libp2p_swarm=info";

type Change = Box<dyn Fn(EnvFilter) -> Result<(), String> + Send + Sync>;

static CHANGE: OnceLock<Change> = OnceLock::new();
static STARTED: OnceLock<String> = OnceLock::new();

fn parse(filter: &str) -> anyhow::Result<EnvFilter> {
    EnvFilter::try_new(filter).with_context(|| {
        format!("{filter:?} is not a filter such as `info` or `info,network=debug`")
    })
}

/// Whether this is a filter.
///
/// # Errors
/// When it is none.
pub fn check(filter: &str) -> anyhow::Result<()> {
    parse(filter).map(drop)
}

/// Begins to log. Once a process.
///
/// # Errors
/// When the filter is none.
pub fn start(filter: &str, format: Format) -> anyhow::Result<()> {
    STARTED.set(filter.to_owned()).unwrap_or(());
    let filter = parse(filter)?;
    // A line that cannot be written is lost, and nothing else: to complain of it where it could not be written would end
    // the process, and the disk that the log lies on may be full.
    let builder = fmt().with_writer(std::io::stderr).with_ansi(false).log_internal_errors(false);
    let change: Change = match format {
        Format::Pretty => {
            let builder =
                builder.with_target(false).with_env_filter(filter).with_filter_reloading();
            let handle = builder.reload_handle();
            builder.init();
            Box::new(move |filter| handle.reload(filter).map_err(|error| error.to_string()))
        }
        Format::Journald => {
            let lines = fmt::format().without_time().with_target(false).with_ansi(false);
            let builder = builder
                .event_format(Prioritised(lines))
                .with_env_filter(filter)
                .with_filter_reloading();
            let handle = builder.reload_handle();
            builder.init();
            Box::new(move |filter| handle.reload(filter).map_err(|error| error.to_string()))
        }
        Format::Json => {
            let builder = builder.json().with_env_filter(filter).with_filter_reloading();
            let handle = builder.reload_handle();
            builder.init();
            Box::new(move |filter| handle.reload(filter).map_err(|error| error.to_string()))
        }
    };
    // A second start would have failed above.
    CHANGE.set(change).unwrap_or(());
    Ok(())
}

/// The filter with which the process began to log.
#[must_use]
pub fn started() -> &'static str {
    STARTED.get().map_or(DEFAULT, String::as_str)
}

/// Logs by another filter from now on.
///
/// # Errors
/// When the filter is none; what was logged before goes on being logged.
pub fn change(filter: &str) -> anyhow::Result<()> {
    let filter = parse(filter)?;
    let change = CHANGE.get().context("nothing is logged yet")?;
    change(filter).map_err(|error| anyhow::anyhow!(error))
}
