//! `minlian`, the command of applications and inspectors: submit, status, history, record, prove, verify, trust.

mod arguments;
mod ask;
mod console;
mod exit;
mod export;
#[cfg(test)]
mod fixture;
mod layout;
mod prove;
mod qr;
mod report;
mod speech;
mod submit;
mod trust;
mod verify;

use crate::{
    arguments::{Arguments, Command},
    console::Console,
    exit::{Exit, Stop},
};
use clap::Parser as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let console = Console::open(arguments.lang);
    let exit = run(arguments.command, &console).unwrap_or_else(|stop| {
        console.talk(&speech::stop(console.lang(), &stop));
        stop.exit
    });
    exit.into()
}

fn run(command: Command, console: &Console) -> Result<Exit, Stop> {
    match command {
        // This path opens no socket and starts no runtime.
        Command::Verify(what) => Ok(verify::run(&what, console)),
        Command::Trust(what) => trust::run(&what, console),
        Command::Version(what) => {
            console.data(&if what.json {
                format!(r#"{{"minlian":"{}","proof_format":{}}}"#, exit::VERSION, proof::VERSION)
            } else {
                format!("minlian {} (proof format {})", exit::VERSION, proof::VERSION)
            })?;
            Ok(Exit::Done)
        }
        Command::Submit(what) => online(submit::run(*what, console)),
        Command::Status(what) => online(ask::status(&what, console)),
        Command::History(what) => online(ask::history(&what, console)),
        Command::Record(what) => online(ask::record(&what, console)),
        Command::Prove(what) => online(prove::run(&what, console)),
        Command::Export(what) => online(export::run(&what, console)),
    }
}

/// Runs what needs a network, until it is done or the user interrupts it.
fn online(work: impl Future<Output = Result<Exit, Stop>>) -> Result<Exit, Stop> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        tokio::select! {
            result = work => result,
            // What was settled is written down already; the rest is done again by the same command.
            _signal = tokio::signal::ctrl_c() => Err(Stop::interrupted()),
        }
    });
    // A file that is still being read must not keep us.
    runtime.shutdown_background();
    result
}
