//! `minlian`, the command of applications and inspectors: submit, status, history, audit, record, prove,
//! salt, present, verify, trust; and what it says of itself.

mod arguments;
mod ask;
mod check;
mod commitments;
mod console;
mod disclose;
mod exit;
mod export;
#[cfg(test)]
mod fixture;
mod govern;
mod items;
mod new;
mod prove;
mod qr;
mod speech;
mod submit;
mod trace;
mod trail;
mod trust;
mod verify;
mod words;

use crate::{
    arguments::{Arguments, Command},
    console::{Console, Lines},
    exit::{Exit, Stop},
};
use clap::Parser as _;
use client::passphrase::{self, Given};
use std::process::ExitCode;
use verdict::layout;

fn main() -> ExitCode {
    let arguments = Arguments::parse_from(arguments::joined(std::env::args_os()));
    let file = arguments.passphrase_file.map(Given::File);
    passphrase::found_in(file.or_else(|| arguments.passphrase_fd.map(Given::Descriptor)));
    let lines = Lines {
        authorities: arguments.ca,
        certificate: arguments.client_cert,
        key: arguments.client_key,
    };
    let console = Console::open(arguments.lang)
        .painted(arguments.color)
        .telling(arguments.verbose)
        .hushed(arguments.quiet)
        .over(lines);
    let mut command = arguments.command;
    if let Command::Verify(what) = &mut command {
        what.quiet = arguments.quiet;
    }
    let exit = run(command, &console).unwrap_or_else(|stop| {
        console.complain(&speech::stop(console.lang(), &stop));
        stop.exit
    });
    exit.into()
}

fn run(command: Command, console: &Console) -> Result<Exit, Stop> {
    match command {
        // This path opens no socket and starts no runtime.
        Command::Verify(what) if matches!(&what.proof[..], [one] if commitments::is_line(one)) => {
            Ok(commitments::verify(&what, console))
        }
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
        Command::Completions(what) => words::completions(&what, console),
        Command::Man(what) => words::man(&what),
        Command::Agent(what) => words::keys(&what, console),
        Command::New(what) => new::run(&what, console),
        Command::Check(what) => check::run(&what, console),
        Command::Item(what) => online(items::run(&what, console)),
        Command::Govern(what) => online(govern::run(&what, console)),
        Command::Submit(what) => online(submit::run(*what, console)),
        Command::Status(what) => match what.at {
            Some(at) => online(trail::stood(&what, at, console)),
            None => online(ask::status(&what, console)),
        },
        Command::Audit(what) => online(trail::audit(&what, console)),
        Command::Salt(what) => disclose::salt(&what, console),
        Command::Present(what) => online(disclose::present(&what, console)),
        Command::History(what) => online(ask::history(&what, console)),
        Command::Record(what) => online(ask::record(&what, console)),
        Command::Prove(what) => online(prove::run(&what, console)),
        Command::ProveLine(what) => online(commitments::prove(&what, console)),
        Command::Trace(what) => online(trace::run(&what, console)),
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
