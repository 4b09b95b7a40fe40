//! Runs simulations by seed, on every core: `sim --seeds N [--from S] [--jobs J]`, or `sim --seed S [--twice]`.

use sim::{Failure, Plan, Report, kept, run, run_twice};
use std::{
    collections::BTreeMap,
    io::{IsTerminal as _, Write as _, stderr, stdout},
    process::ExitCode,
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

const USAGE: &str = "\
Lives through whole networks' lives and checks every promise after every step.

usage: sim --seeds N [--from S] [--jobs J]   the seeds of tests/seeds.txt, then N from S (default 0) on
       sim --seed S [--twice]                one seed; twice to see that both lives are the same
";
/// Of so many seeds, one is lived through twice: the same seed must give the same run, bit for bit.
const TWICE_EVERY: u64 = 10;
/// A replica that catches up commits block after block, each within the other.
const STACK_BYTES: usize = 64 << 20;

struct Arguments {
    seeds: Vec<u64>,
    jobs: usize,
    twice: bool,
}

fn main() -> ExitCode {
    let Some(arguments) = arguments(std::env::args().skip(1)) else {
        say(USAGE.trim_end());
        return ExitCode::from(2);
    };
    if let [seed] = arguments.seeds[..] {
        say(&format!("{:?}", Plan::from_seed(seed)));
    }
    let started = now();
    let (total, failure) = live(&arguments);
    let took = started.elapsed();
    let ended = if let Some(failure) = &failure {
        say(&failure.to_string());
        say(&format!("again: scripts/sim --seed {}", failure.seed));
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    };
    say(&total.summary(took, arguments.jobs, failure.is_some()));
    ended
}

fn arguments(mut words: impl Iterator<Item = String>) -> Option<Arguments> {
    let (mut seed, mut count, mut from, mut twice) = (None, None, 0, false);
    let mut jobs = thread::available_parallelism().map_or(1, usize::from);
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|word| word.parse::<u64>().ok());
        match word.as_str() {
            "--seed" => seed = Some(number()?),
            "--seeds" => count = Some(number()?),
            "--from" => from = number()?,
            "--jobs" => jobs = usize::try_from(number()?).ok().filter(|jobs| *jobs > 0)?,
            "--twice" => twice = true,
            _ => return None,
        }
    }
    let seeds = match (seed, count) {
        (Some(seed), None) => vec![seed],
        (None, Some(count)) => kept().into_iter().chain(from..from.checked_add(count)?).collect(),
        (Some(_), Some(_)) | (None, None) => return None,
    };
    Some(Arguments { jobs: jobs.min(seeds.len()).max(1), seeds, twice })
}

/// What all runs came to.
#[derive(Default)]
struct Total {
    runs: u64,
    blocks: u64,
    records: u64,
    crashes: u64,
    accusations: u64,
    steps: u64,
    simulated_ms: u64,
}

impl Total {
    fn add(&mut self, report: &Report) {
        self.runs += 1;
        self.blocks += report.height;
        self.records += report.records;
        self.crashes += report.crashes;
        self.accusations += report.accusations;
        self.steps += report.steps;
        self.simulated_ms += report.simulated_ms;
    }

    fn summary(&self, took: Duration, jobs: usize, failed: bool) -> String {
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
        let Self { runs, blocks, records, crashes, accusations, steps, simulated_ms } = self;
        let rate = runs * 10_000 / took_ms;
        format!(
            "{runs} seeds kept every promise{}: {steps} steps, {blocks} blocks, {records} records, {crashes} crashes, \
             {accusations} accusations\n{}.{} seconds on {jobs} threads: {}.{} seeds/s; {} simulated seconds, {} for \
             each real one",
            if failed { ", one did not" } else { "" },
            took_ms / 1000,
            took_ms % 1000 / 100,
            rate / 10,
            rate % 10,
            simulated_ms / 1000,
            simulated_ms / took_ms,
        )
    }
}

/// Lives through all seeds, until one fails. Which failure is told does not depend on the threads: it is that of the
/// first seed of the list that fails.
fn live(arguments: &Arguments) -> (Total, Option<Failure>) {
    let (next, end) = (AtomicUsize::new(0), AtomicUsize::new(arguments.seeds.len()));
    let (sender, receiver) = mpsc::channel();
    let work = |sender: mpsc::Sender<Lived>| loop {
        let at = next.fetch_add(1, Ordering::Relaxed);
        if at >= end.load(Ordering::Relaxed) {
            return;
        }
        let plan = Plan::from_seed(arguments.seeds[at]);
        let twice = arguments.twice || plan.seed.is_multiple_of(TWICE_EVERY);
        let lived = if twice { run_twice(&plan) } else { run(&plan) };
        if lived.is_err() {
            end.fetch_min(at, Ordering::Relaxed);
        }
        if sender.send((at, lived)).is_err() {
            return;
        }
    };
    thread::scope(|scope| {
        for number in 0..arguments.jobs {
            let builder = thread::Builder::new().stack_size(STACK_BYTES);
            let (sender, work) = (sender.clone(), &work);
            builder
                .name(format!("sim-{number}"))
                .spawn_scoped(scope, move || work(sender))
                .expect("the machine has room for a thread a core");
        }
        drop(sender);
        gather(&receiver, arguments.seeds.len())
    })
}

type Lived = (usize, Result<Report, Failure>);

/// Takes the results in the order of the list, whatever order they come in.
fn gather(receiver: &mpsc::Receiver<Lived>, all: usize) -> (Total, Option<Failure>) {
    let (mut total, mut waiting) = (Total::default(), BTreeMap::new());
    let (mut next, started) = (0, now());
    let is_watched = stderr().is_terminal();
    while let Ok((at, lived)) = receiver.recv() {
        waiting.insert(at, lived);
        while let Some(lived) = waiting.remove(&next) {
            match lived {
                Ok(report) => total.add(&report),
                Err(failure) => {
                    clear(is_watched);
                    return (total, Some(failure));
                }
            }
            next += 1;
        }
        if is_watched {
            let took = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
            let done = total.runs;
            let line = format!("\r\x1b[K{done}/{all} seeds, {}/s", done * 1000 / took);
            // Whoever closed our terminal does not want to know.
            stderr().write_all(line.as_bytes()).unwrap_or(());
        }
    }
    clear(is_watched);
    (total, None)
}

fn clear(is_watched: bool) {
    if is_watched {
        stderr().write_all(b"\r\x1b[K").unwrap_or(());
    }
}

#[expect(clippy::disallowed_methods, reason = "how fast the simulator is, not what it does")]
fn now() -> Instant {
    Instant::now()
}

fn say(line: &str) {
    // Whoever closed our output does not want to know.
    writeln!(stdout(), "{line}").unwrap_or(());
}
