//! Runs simulations by seed: `sim --seeds N [--from S]`, or `sim --seed S`.

use sim::{Plan, run};
use std::{io::Write as _, process::ExitCode};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)?.parse::<u64>().ok()
    };
    let seeds = match (value("--seed"), value("--seeds")) {
        (Some(seed), _) => seed..seed + 1,
        (None, Some(count)) => {
            let from = value("--from").unwrap_or(0);
            from..from + count
        }
        (None, None) => {
            say("usage: sim --seeds N [--from S] | --seed S");
            return ExitCode::from(2);
        }
    };
    let (mut failed, mut blocks, mut records, mut crashes, mut simulated, mut runs) =
        (0_u64, 0, 0, 0, 0, 0_u64);
    for seed in seeds {
        let plan = Plan::from_seed(seed);
        runs += 1;
        match run(plan) {
            Ok(report) => {
                // Every tenth is lived through twice: the same seed must give the same run, bit for bit.
                if seed.is_multiple_of(10) && run(plan).as_ref() != Ok(&report) {
                    failed += 1;
                    say(&format!("seed {seed}: two runs differ"));
                }
                blocks += report.height;
                records += report.records;
                crashes += report.crashes;
                simulated += report.simulated_ms;
            }
            Err(why) => {
                failed += 1;
                say(&why);
            }
        }
    }
    say(&format!(
        "{runs} seeds: {blocks} blocks, {records} records, {crashes} crashes, {} s simulated; {failed} failed",
        simulated / 1000
    ));
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn say(line: &str) {
    // Whoever closed our output does not want to know.
    writeln!(std::io::stdout(), "{line}").unwrap_or(());
}
