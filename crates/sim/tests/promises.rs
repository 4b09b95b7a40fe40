//! Plans made by hand: each kind of trouble by itself; and trouble beyond what is promised, to see that the judge sees.

#![cfg(test)]

use sim::{
    Behaviour, Failure, Fault, Plan, Promise, Report, Then, Trouble, Troubled, Weather, run,
};
use std::thread;

/// Lives through plans, on two threads; what broke is told with its plan.
fn survive(plans: &[Plan]) -> Vec<Report> {
    let lived = live(plans);
    let broken: Vec<String> = plans
        .iter()
        .zip(&lived)
        .filter_map(|(plan, lived)| Some(format!("{}\n{plan:?}", lived.as_ref().err()?)))
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    lived.into_iter().flatten().collect()
}

fn live(plans: &[Plan]) -> Vec<Result<Report, Failure>> {
    let half = plans.len().div_ceil(2).max(1);
    thread::scope(|scope| {
        let halves: Vec<_> = plans
            .chunks(half)
            .map(|plans| scope.spawn(|| plans.iter().map(run).collect::<Vec<_>>()))
            .collect();
        halves.into_iter().flat_map(|half| half.join().unwrap()).collect()
    })
}

/// As many of the last seats as `count`, all in the same trouble.
fn troubled(validators: u16, count: u16, how: &Trouble) -> Vec<Troubled> {
    (validators - count..validators).map(|seat| Troubled { seat, how: how.clone() }).collect()
}

/// Plans of middling length for four, seven and ten validators, a few seeds each.
fn plans(seeds: u64, change: impl Fn(&mut Plan)) -> Vec<Plan> {
    let sizes = [4, 7, 10].into_iter().flat_map(|size| (0..seeds).map(move |seed| (size, seed)));
    sizes
        .map(|(validators, seed)| {
            let mut plan = Plan::with_troubled(seed, validators, Vec::new());
            plan.trouble_steps = 600 * u64::from(validators);
            change(&mut plan);
            plan
        })
        .collect()
}

/// Nothing is lost, repeated, cut or killed.
const fn quiet(plan: &mut Plan) {
    (plan.loss_permille, plan.twice_permille, plan.crash_per_10000) = (0, 0, 0);
    (plan.cuts_per_10000, plan.clogs_per_10000) = (0, 0);
}

fn lies(how: &[Behaviour], then: Then) -> Trouble {
    Trouble::Lies { how: how.to_vec(), then }
}

#[test]
fn the_worst_network_breaks_nothing() {
    survive(&plans(3, |plan| {
        (plan.loss_permille, plan.twice_permille) = (300, 500);
        (plan.cuts_per_10000, plan.clogs_per_10000, plan.crash_per_10000) = (300, 60, 60);
    }));
}

#[test]
fn links_clogged_in_one_order_and_unclogged_in_another_lose_nothing() {
    let reports = survive(&plans(3, |plan| {
        quiet(plan);
        plan.clogs_per_10000 = 100;
    }));
    assert!(reports.iter().all(|report| report.height > 3), "{reports:?}");
}

#[test]
fn over_long_thin_links_blocks_are_agreed_on() {
    let reports = survive(&plans(3, |plan| {
        quiet(plan);
        plan.weather = Weather::Far;
    }));
    assert!(reports.iter().all(|report| report.height > 5 && report.records > 0), "{reports:?}");
}

#[test]
fn f_liars_of_every_kind_break_nothing_and_are_convicted_if_they_say_two_things() {
    for behaviour in Behaviour::ALL {
        for then in [Then::LieOn, Then::Behave] {
            let reports = survive(&plans(2, |plan| {
                let how = lies(&[behaviour], then);
                plan.troubled = troubled(plan.validators, plan.faults(), &how);
            }));
            let accusations: u64 = reports.iter().map(|report| report.accusations).sum();
            match behaviour {
                Behaviour::TwoProposals
                | Behaviour::DoubleVotes
                | Behaviour::Amnesia
                | Behaviour::Mutation => assert!(accusations > 0, "{behaviour:?} {then:?}"),
                Behaviour::Withholding | Behaviour::SelectiveSilence | Behaviour::LyingCatchUp => {
                    assert_eq!(accusations, 0, "{behaviour:?} {then:?}");
                }
                Behaviour::FarFuture | Behaviour::Forgery => {}
            }
        }
    }
}

#[test]
fn f_liars_who_do_everything_at_once_break_nothing() {
    survive(&plans(3, |plan| {
        let how = lies(&Behaviour::ALL, Then::LieOn);
        plan.troubled = troubled(plan.validators, plan.faults(), &how);
    }));
}

#[test]
fn with_f_clocks_wrong_in_any_way_blocks_are_agreed_on_at_honest_times() {
    for fault in Fault::ALL {
        survive(&plans(2, |plan| {
            plan.troubled = troubled(plan.validators, plan.faults(), &Trouble::Clock(fault));
        }));
    }
}

#[test]
fn with_f_dead_the_rest_goes_on() {
    survive(&plans(3, |plan| {
        plan.troubled = troubled(plan.validators, plan.faults(), &Trouble::Dies);
    }));
}

#[test]
fn without_a_quorum_nothing_is_agreed_on_and_then_it_goes_on() {
    survive(&plans(3, |plan| plan.hush = true));
    survive(&plans(2, |plan| {
        plan.hush = true;
        let how = lies(&[Behaviour::TwoProposals, Behaviour::DoubleVotes], Then::LieOn);
        plan.troubled = troubled(plan.validators, plan.faults(), &how);
    }));
}

/// Some of the plans break just this promise, and no plan breaks one before it.
fn breaks(promise: Promise, plans: &[Plan]) {
    let broken: Vec<Failure> = live(plans).into_iter().filter_map(Result::err).collect();
    assert!(broken.iter().any(|failure| failure.promise == promise), "{promise}: {broken:?}");
}

#[test]
fn more_liars_than_promised_fork_the_chain_and_it_is_seen() {
    breaks(
        Promise::Agreement,
        &plans(4, |plan| {
            // Who also votes at random spoils the plot: a fork needs every liar to tell each half the same.
            quiet(plan);
            let how = lies(&[Behaviour::TwoProposals], Then::LieOn);
            plan.troubled = troubled(plan.validators, plan.faults() + 1, &how);
        }),
    );
}

#[test]
fn more_amnesia_than_promised_is_seen_too() {
    // Who forgets its lock says two things, and is convicted of it like any liar.
    let reports = live(&plans(4, |plan| {
        let how = lies(&[Behaviour::Amnesia], Then::LieOn);
        plan.troubled = troubled(plan.validators, plan.faults() + 1, &how);
    }));
    let accusations = reports.iter().flatten().map(|report| report.accusations).sum::<u64>();
    assert!(accusations > 0);
    let promises = reports.iter().filter_map(|lived| lived.as_ref().err()).map(|f| f.promise);
    for promise in promises {
        assert!([Promise::Agreement, Promise::Progress].contains(&promise), "{promise}");
    }
}

#[test]
fn a_quorum_of_wrong_clocks_dates_a_block_wrongly_and_it_is_seen() {
    breaks(
        Promise::Validity,
        &plans(1, |plan| {
            let quorum = plan.validators - plan.faults();
            plan.troubled = troubled(plan.validators, quorum, &Trouble::Clock(Fault::Ahead));
        }),
    );
}

#[test]
fn more_dead_than_promised_stop_the_chain_and_it_is_seen() {
    breaks(
        Promise::Progress,
        &plans(1, |plan| {
            plan.troubled = troubled(plan.validators, plan.faults() + 1, &Trouble::Dies);
        }),
    );
}
