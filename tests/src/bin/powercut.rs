//! Cuts the power of four validators under load, again and again: `powercut --cuts 200 --seed 1`.

use clap::Parser;
use std::{io::Write as _, process::ExitCode};
use tests::powercut::{Plan, run};

/// Cuts the power of four validators under load, again and again, and checks what is left. Needs root, loop devices, ext4.
#[derive(Debug, Parser)]
struct Arguments {
    /// How often.
    #[arg(long, default_value_t = 20)]
    cuts: u32,
    /// From which all chance comes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> ExitCode {
    let Arguments { cuts, seed } = Arguments::parse();
    let (text, code) = match run(&Plan { cuts, seed }) {
        Ok(summary) => (summary.to_string(), ExitCode::SUCCESS),
        Err(failed) => (format!("seed {seed}: {failed}"), ExitCode::FAILURE),
    };
    writeln!(std::io::stdout(), "{text}").unwrap_or_default();
    code
}
