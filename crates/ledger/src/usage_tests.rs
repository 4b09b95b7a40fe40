//! Licences, grants, data and documents: each rule with the row that breaks it, and what no history may do.

use crate::fixture::{self, CODES, code, item_role, licence_role, region, secret};
use crate::{
    Memory, Pool, PoolLimits, Rejection, Rules, Tip, propose, prove, query, tip, validate,
};
use proptest::{collection::vec, prelude::*};
use std::collections::BTreeMap;
use types::{
    AgencyCode, Digest, Genesis, GrantId, Level, Operation, Subject, SubjectState, Timestamp,
    Transaction,
    identifier::LicenceIdentifier,
    operation::{
        Action, Commitment, Grade, ItemAction, ItemVerb, LicenceAction, LicenceFacts, LicenceId,
        LicenceVerb, Provenance,
    },
    standing::{Standing, status_at},
    subject::{Facts, Part, Status},
    usage::{Basis, DataUse, Presented, Reuse, Terms, Usage, grant_id},
};

const START: u64 = 1_700_000_000_000;

/// Items and licences: the province's of all kinds, a city's of some, and another office's of licences alone.
fn genesis() -> Genesis {
    fixture::genesis(fixture::agencies([
        (Level::Province, None, vec![item_role("350000"), licence_role("T", "350000")]),
        (Level::City, Some(0), vec![item_role("350100"), licence_role("T1", "350100")]),
        (Level::Province, None, vec![licence_role("T", "350000")]),
        (Level::Province, None, vec![]),
    ]))
}

/// A ledger of its own, whose time is told to it.
#[derive(Clone)]
struct Chain {
    rules: Rules,
    state: Memory,
    tip: Tip,
    nonce: u64,
}

impl Chain {
    fn new() -> Self {
        let (rules, state) = (Rules::new(&genesis()), Memory::default());
        let tip = tip(&rules, &state);
        Self { rules, state, tip, nonce: 0 }
    }

    /// Seconds since the chain began.
    fn seconds(&self) -> u64 {
        (self.tip.time.0 - START) / 1000
    }

    /// An empty block, if the time is not there yet.
    fn wait(&mut self, seconds: u64) {
        if self.seconds() < seconds {
            self.append(None, at(seconds));
        }
    }

    fn append(&mut self, tx: Option<&types::Verified>, now: Timestamp) -> Option<Rejection> {
        let sized = tx.into_iter().map(|tx| (tx, 0));
        let (block, outcome, refused) = propose(&self.rules, &self.state, &self.tip, now, 1, sized);
        let again = validate(&self.rules, &self.state, &self.tip, &block, |_| None).unwrap();
        assert_eq!(again.tip(), outcome.tip(), "the same block gives the same roots");
        fixture::append((&mut self.rules, &mut self.state, &mut self.tip), block, outcome);
        refused.into_iter().next().map(|(_, why)| why)
    }

    /// What became of an operation, at admission and at execution alike.
    fn run(&mut self, agency: usize, operation: Operation) -> Option<Rejection> {
        self.nonce += 1;
        let until = self.tip.height.plus(50);
        let (chain, key) = (*self.rules.chain(), secret(0, agency));
        let tx = Transaction::sign(chain, code(agency), &key, self.nonce, until, vec![operation]);
        let tx = tx.verify(&chain).unwrap();
        let mut pool = Pool::new(PoolLimits::default());
        let admitted = pool.admit(&self.rules, &self.state, &self.tip, tx.clone()).err();
        let refused = self.append(Some(&tx), self.tip.time.plus(1000));
        assert_eq!(admitted, refused, "what admission says is what execution says");
        refused
    }

    /// Does what a line says: `SECONDS AGENCY VERB …`; the operation takes effect then, in a block after one of that time, or so
    /// many seconds later as a last word `by=SECONDS` says.
    fn does(&mut self, line: &str) -> &'static str {
        let (line, shift) = line.split_once(" by=").unwrap_or((line, ""));
        let mut words = line.split(' ');
        let seconds: u64 = words.next().unwrap().parse().unwrap();
        let agency: usize = words.next().unwrap().parse().unwrap();
        self.wait(seconds);
        let words: Vec<&str> = words.collect();
        let (action, mut from) = action(agency, seconds, &words);
        if let Ok(shift) = shift.parse() {
            from = at(seconds.saturating_add_signed(shift));
        }
        let operation = operation(action, from, self.nonce);
        self.run(agency, operation).map_or("ok", |why| why.code())
    }

    fn state(&self, subject: &str) -> Option<SubjectState> {
        query::subject(&self.state, &subject.parse().unwrap())
    }

    /// Every operation of a subject's history, in order, each with the subject's part in it.
    fn history(&self, subject: &Subject) -> Vec<(Operation, Part)> {
        let links = query::history(&self.state, subject, 0, usize::MAX);
        links
            .iter()
            .map(|link| {
                let found = query::record_at(&self.state, link.position).unwrap();
                (found.operation().clone(), link.part)
            })
            .collect()
    }

    fn uses(&self, grant: &GrantId) -> Option<u32> {
        let state = query::subject(&self.state, &Subject::grant(grant))?;
        let Facts::Grant(facts) = state.facts else { panic!("{state:?}") };
        Some(facts.uses)
    }
}

const fn at(seconds: u64) -> Timestamp {
    Timestamp(START + seconds * 1000)
}

fn operation(action: Action, effective_from: Timestamp, n: u64) -> Operation {
    let digest = Digest::blake3(&n.to_le_bytes());
    Operation {
        action,
        commitment: Commitment { document: digest, content: digest, fields: None },
        effective_from,
        grade: Grade::Public,
        provenance: Provenance {
            system: "test".parse().unwrap(),
            version: "1".parse().unwrap(),
            captured_at: Timestamp(n),
        },
    }
}

fn names(text: &str) -> Vec<types::fields::FieldName> {
    let words = text.split(',').filter(|word| !word.is_empty());
    words.map(|word| word.parse().unwrap()).collect()
}

/// A basis: `item:I`, `licence:L`, `role:0`, or `grant:LICENCE/PURPOSE` of the agency that acts.
fn basis(agency: usize, text: &str) -> Basis {
    let (kind, name) = text.split_once(':').unwrap();
    match kind {
        "item" => Basis::Item(name.parse().unwrap()),
        "licence" => Basis::Licence(name.parse().unwrap()),
        "role" => Basis::Role(name.parse().unwrap()),
        "grant" => {
            let (licence, purpose) = name.split_once('/').unwrap();
            Basis::Grant(grant(licence, agency, purpose))
        }
        _ => panic!("{text}"),
    }
}

fn grant(licence: &str, grantee: usize, purpose: &str) -> GrantId {
    grant_id(&licence.parse().unwrap(), &code(grantee), &purpose.parse().unwrap(), None)
}

fn document(name: &str) -> Digest {
    Digest::blake3(name.as_bytes())
}

fn party(text: &str) -> AgencyCode {
    if text.len() == 1 { code(text.parse().unwrap()) } else { AgencyCode::new(text).unwrap() }
}

/// What is done, and from when it takes effect.
fn action(agency: usize, now: u64, words: &[&str]) -> (Action, Timestamp) {
    let word = |n: usize| words.get(n).copied().unwrap_or_default();
    let number = |n: usize| word(n).parse::<u32>().ok().map(u64::from);
    let facts = |until: Option<u64>| LicenceFacts {
        kind: "T1".parse().unwrap(),
        region: region("350100"),
        valid_from: at(0),
        valid_until: until.map(at),
    };
    let licence = |verb| Action::Licence(LicenceAction { licence: word(1).parse().unwrap(), verb });
    let from = number(2).map_or_else(|| at(now), at);
    let option =
        |name: &str| words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    let made_at = option("made").map_or_else(|| at(now), |made| at(made.parse().unwrap()));
    let data = || DataUse {
        data: word(1).parse().unwrap(),
        purpose: word(2).parse().unwrap(),
        fields: names(option("fields").unwrap_or_default()),
        basis: basis(agency, word(3)),
        made_at,
    };
    let act = match word(0) {
        "issue" => return (licence(LicenceVerb::Issue(facts(number(2)))), at(now)),
        "renew" | "change" | "transfer-in" => {
            let (supersedes, facts) = (word(2).parse().unwrap(), facts(number(3)));
            let verb = match word(0) {
                "renew" => LicenceVerb::Renew { supersedes, facts },
                "change" => LicenceVerb::Change { supersedes, facts },
                _ => LicenceVerb::TransferIn { supersedes, facts },
            };
            return (licence(verb), number(4).map_or_else(|| at(now), at));
        }
        "suspend" => return (licence(LicenceVerb::Suspend), from),
        "resume" => return (licence(LicenceVerb::Resume), from),
        "annul" => return (licence(LicenceVerb::Annul), from),
        "cancel" => return (licence(LicenceVerb::Cancel), from),
        "revoke" => return (licence(LicenceVerb::Revoke), from),
        "transfer-out" => return (licence(LicenceVerb::TransferOut), from),
        "undo" => return (licence(LicenceVerb::UndoTransferOut), from),
        "expire" => return (licence(LicenceVerb::Expire), from),
        "publish" | "hold" => {
            let verb = if word(0) == "publish" {
                ItemVerb::Publish { version: 1, planned_cancel: number(2).map(at) }
            } else {
                ItemVerb::Suspend
            };
            let act = ItemAction {
                code: word(1).parse().unwrap(),
                basic: "B".parse().unwrap(),
                level: Level::Province,
                region: region("350000"),
                verb,
            };
            return (Action::Item(act), number(3).map_or_else(|| at(now), at));
        }
        // grant LICENCE GRANTEE PURPOSE FIELDS EXPIRES USES
        "grant" => Usage::Grant(Terms {
            licence: word(1).parse().unwrap(),
            grantee: party(word(2)),
            purpose: word(3).parse().unwrap(),
            reference: None,
            fields: names(word(4)),
            expires: at(number(5).unwrap()),
            uses_max: u32::try_from(number(6).unwrap()).unwrap(),
        }),
        // use LICENCE GRANTEE PURPOSE FIELDS [PURPOSE NAMED] [LICENCE NAMED] [MADE AT] [COPY UNTIL]
        "use" => {
            let or = |n: usize, other| if word(n).is_empty() { word(other) } else { word(n) };
            Usage::Use(Presented {
                grant: grant(word(1), word(2).parse().unwrap(), word(3)),
                licence: or(6, 1).parse().unwrap(),
                purpose: or(5, 3).parse().unwrap(),
                fields: names(word(4)),
                made_at: at(number(7).unwrap_or(now)),
                copy_until: number(8).map(at),
            })
        }
        "withdraw" => Usage::Withdraw {
            grant: grant(word(1), word(2).parse().unwrap(), word(3)),
            licence: if word(4).is_empty() { word(1) } else { word(4) }.parse().unwrap(),
        },
        "access" => Usage::Access(data()),
        "transfer" => Usage::Transfer { data: data(), to: party(word(4)) },
        "destroy" => Usage::Destroy(data()),
        "register" => {
            Usage::Register { document: document(word(1)), title: word(2).parse().unwrap() }
        }
        "reuse" => Usage::Reuse(Reuse {
            document: document(word(1)),
            purpose: word(2).parse().unwrap(),
            basis: Some(word(3)).filter(|word| word.contains(':')).map(|word| basis(agency, word)),
            made_at,
        }),
        "retire" => Usage::Retire { document: document(word(1)) },
        other => panic!("{other}"),
    };
    (Action::Use(act), at(now))
}

/// Does all but the last line, which must all be right, and says what became of the last.
fn check(lines: &[&str], want: &str) {
    let mut chain = Chain::new();
    let (last, before) = lines.split_last().unwrap();
    for line in before {
        assert_eq!(chain.does(line), "ok", "{line} of {lines:?}");
    }
    assert_eq!(chain.does(last), want, "{lines:?}");
}

/// A licence of agency 1 that is valid for a thousand seconds.
const ISSUED: &str = "10 1 issue L 1000";

#[test]
fn a_licence_ends_with_its_time() {
    for verb in ["suspend L", "revoke L", "transfer-out L", "renew M L", "change M L"] {
        check(&[ISSUED, &format!("999 1 {verb}")], "ok");
        check(&[ISSUED, &format!("1000 1 {verb}")], "E-LIC-EXPIRED");
        // A record that says so changes nothing about what is possible.
        check(&[ISSUED, "1000 1 expire L", &format!("1001 1 {verb}")], "E-LIC-EXPIRED");
    }
    check(&[ISSUED, "20 1 suspend L", "1000 1 resume L"], "E-LIC-EXPIRED");
    for verb in ["annul", "cancel"] {
        check(&[ISSUED, &format!("1000 1 {verb} L")], "ok");
        check(&[ISSUED, "1000 1 expire L", &format!("1001 1 {verb} L")], "ok");
        check(&[ISSUED, &format!("20 1 {verb} L"), "1000 1 expire L"], "E-SUB-TERMINAL");
    }
    check(&[ISSUED, "999 1 expire L 1000"], "E-LIC-UNEXPIRED");
    check(&[ISSUED, "1000 1 expire L 999"], "E-LIC-UNEXPIRED");
    check(&["10 1 issue L", "5000 1 expire L"], "E-LIC-UNEXPIRED");
    check(&[ISSUED, "1000 1 expire L", "1001 1 expire L"], "E-LIC-UNEXPIRED");
    check(&[ISSUED, "1000 2 expire L"], "E-AUTH-OWNER");
    check(&[ISSUED, "1000 0 expire L"], "ok");
}

#[test]
fn a_transfer_may_be_withdrawn_until_it_is_taken_up() {
    check(&[ISSUED, "20 1 transfer-out L", "30 1 undo L"], "ok");
    check(&[ISSUED, "20 1 transfer-out L", "30 1 undo L", "40 1 suspend L"], "ok");
    check(&[ISSUED, "20 1 undo L"], "E-SUB-STATUS");
    check(&[ISSUED, "20 1 transfer-out L", "30 2 undo L"], "E-AUTH-OWNER");
    check(
        &[ISSUED, "20 1 transfer-out L", "30 0 transfer-in M L", "40 1 undo L"],
        "E-SUB-TERMINAL",
    );
}

#[test]
fn only_an_annulment_reaches_back() {
    for verb in ["suspend L 9", "revoke L 9", "cancel L 9", "transfer-out L 9", "renew M L 500 9"] {
        check(&[ISSUED, &format!("20 1 {verb}")], "E-LIC-BACKDATED");
    }
    check(&[ISSUED, "20 1 suspend L 10"], "ok");
    check(&[ISSUED, "20 1 suspend L", "30 1 resume L 19"], "E-LIC-BACKDATED");
    check(&[ISSUED, "20 1 suspend L", "30 1 annul L 5"], "ok");
    // What is still to have effect is put right from now on: a wrong year locks nothing.
    let wrong = "20 1 suspend L 900";
    for (right, want) in [
        ("30 1 resume L", "ok"),
        ("30 1 resume L 29", "E-LIC-BACKDATED"),
        ("30 1 renew M L 500", "E-SUB-STATUS"),
        ("30 1 revoke L", "ok"),
    ] {
        check(&[ISSUED, wrong, right], want);
    }
    check(&[ISSUED, "20 1 transfer-out L 900", "30 1 undo L"], "ok");
    let corrected = [ISSUED, wrong, "30 1 resume L", "40 1 grant L 3 loan a 100 1"];
    check(&corrected, "ok");
    let mut chain = Chain::new();
    for line in corrected {
        assert_eq!(chain.does(line), "ok", "{line}");
    }
    let history = chain.history(&"licence:L".parse().unwrap());
    for seconds in [10, 29, 30, 899, 900, 999] {
        let licence = "L".parse().unwrap();
        let stood = status_at(&licence, history.iter().map(|(act, _)| act), at(seconds));
        assert_eq!(stood, Standing::Known(Status::Active), "at {seconds}");
    }
}

/// An identifier in the national form, of a type and an issuer.
fn national(kind: &str, issuer: &str) -> String {
    LicenceIdentifier { kind, issuer, serial: "20260001", version: "001" }.compose()
}

#[test]
fn a_national_identifier_says_of_what_type_a_licence_is_and_who_issues_it() {
    let issues = |agency: usize, kind: &str, id: &str| {
        let facts = LicenceFacts {
            kind: kind.parse().unwrap(),
            region: region("350100"),
            valid_from: at(0),
            valid_until: None,
        };
        let verb = LicenceVerb::Issue(facts);
        let act = Action::Licence(LicenceAction { licence: id.parse().unwrap(), verb });
        Chain::new().run(agency, operation(act, at(0), 0)).map_or("ok", |why| why.code())
    };
    let good = national("T1001", CODES[1]);
    let (body, check) = good.rsplit_once('.').unwrap();
    assert_eq!(issues(1, "T1001", &good), "ok");
    assert_eq!(
        issues(1, "T1001", &format!("{body}.{}", if check == "0" { "1" } else { "0" })),
        "E-LIC-ID"
    );
    assert_eq!(issues(1, "T1001", &good.replace(".001.", ".002.")), "E-LIC-ID");
    for (agency, kind, named, issuer, want) in [
        // The type for which the role is held is the type that the identifier names.
        (1, "T1", "T1001", CODES[1], "E-LIC-KIND"),
        (1, "T1002", "T1001", CODES[1], "E-LIC-KIND"),
        (1, "T1001", "11350000XXXX000270001", CODES[1], "E-LIC-KIND"),
        (1, "T2001", "T2001", CODES[1], "E-AUTH-ROLE"),
        // The issuer acts, or one above it; of one that is not enrolled nothing is known.
        (0, "T1001", "T1001", CODES[1], "ok"),
        (2, "T1001", "T1001", CODES[1], "E-LIC-ISSUER"),
        (1, "T1001", "T1001", CODES[0], "E-LIC-ISSUER"),
        (1, "T1001", "T1001", "11430000006122244L", "ok"),
        // A region stands for whoever is in charge there.
        (1, "T1001", "T1001", "350100", "ok"),
        (1, "T1001", "T1001", "350122", "ok"),
        (1, "T1001", "T1001", "350000", "E-LIC-ISSUER"),
        (1, "T1001", "T1001", "350200", "E-LIC-ISSUER"),
        (0, "T1001", "T1001", "350200", "ok"),
        (1, "T1001", "T1001", "ABCDEF", "E-LIC-ISSUER"),
    ] {
        assert_eq!(
            issues(agency, kind, &national(named, issuer)),
            want,
            "{agency} {kind} {named} {issuer}"
        );
    }
}

#[test]
fn a_licence_is_succeeded_by_one_of_its_type() {
    let [other, same] = ["T2001", "T1"].map(|kind| {
        move |verb: fn(LicenceId, LicenceFacts) -> LicenceVerb, before: &[&str]| {
            let mut chain = Chain::new();
            for line in before {
                assert_eq!(chain.does(line), "ok", "{line}");
            }
            let facts = LicenceFacts {
                kind: kind.parse().unwrap(),
                region: region("350100"),
                valid_from: at(0),
                valid_until: None,
            };
            let act = LicenceAction {
                licence: "M".parse().unwrap(),
                verb: verb("L".parse().unwrap(), facts),
            };
            chain.run(0, operation(Action::Licence(act), at(30), 99)).map_or("ok", |why| why.code())
        }
    });
    let renew = |supersedes, facts| LicenceVerb::Renew { supersedes, facts };
    let change = |supersedes, facts| LicenceVerb::Change { supersedes, facts };
    let transfer = |supersedes, facts| LicenceVerb::TransferIn { supersedes, facts };
    let out = [ISSUED, "20 1 transfer-out L"];
    assert_eq!((same(renew, &[ISSUED]), other(renew, &[ISSUED])), ("ok", "E-LIC-SUCCESSION"));
    assert_eq!((same(change, &[ISSUED]), other(change, &[ISSUED])), ("ok", "E-LIC-SUCCESSION"));
    assert_eq!((same(transfer, &out), other(transfer, &out)), ("ok", "E-LIC-SUCCESSION"));
}

#[test]
fn what_takes_effect_later_is_not_relied_on_before() {
    let (granted, used) = ("20 1 grant L 3 loan a 100 2", "30 3 use L 3 loan");
    let planned = "E-USE-PLANNED";
    // Issued, resumed or renewed from a later day: not usable now, though the state says so; on that day it is.
    check(&["10 1 issue L by=40", granted], planned);
    check(&["10 1 issue L by=40", "50 1 grant L 3 loan a 100 2"], "ok");
    for resumed in ["25 1 resume L by=20", "25 1 undo L by=20"] {
        let stopped =
            if resumed.contains("undo") { "22 1 transfer-out L" } else { "22 1 suspend L" };
        check(&[ISSUED, granted, stopped, resumed, used], planned);
        check(&[ISSUED, granted, stopped, resumed, "45 3 use L 3 loan"], "ok");
    }
    check(&[ISSUED, "20 1 renew M L 900 by=20", "21 1 grant M 3 loan a 100 2"], planned);
    // Ended from a later day: how it stands until then the state does not say, and nothing untrue is said of it.
    for ended in ["suspend L", "revoke L", "cancel L", "transfer-out L", "annul L", "renew M L 900"]
    {
        check(&[ISSUED, granted, &format!("25 1 {ended} by=20"), used], planned);
        check(
            &[ISSUED, granted, &format!("25 1 {ended} by=20"), "45 3 use L 3 loan"],
            "E-GRANT-LICENCE",
        );
    }
    // A grant that holds later is no grant now, whenever the use says it was made.
    check(&[ISSUED, "20 1 grant L 3 loan a 100 2 by=20", used], planned);
    check(&[ISSUED, "20 1 grant L 3 loan a 100 2 by=20", "30 3 use L 3 loan a loan L 41"], planned);
    check(&[ISSUED, "20 1 grant L 3 loan a 100 2 by=20", "41 3 use L 3 loan"], "ok");
    // As a basis it is the same.
    check(&["10 1 issue L by=40", "20 1 access licence:L tax licence:L"], planned);
    let item = "10 0 publish I 500";
    check(&["10 0 publish I 500 by=40", "20 0 access item:I tax item:I"], planned);
    check(&[item, "15 0 hold I by=40", "20 0 access item:I tax item:I"], planned);
    check(&[item, "15 0 hold I by=40", "55 0 access item:I tax item:I"], "E-BASIS-OVER");
}

#[test]
fn what_was_done_was_done_by_now() {
    let granted = "20 1 grant L 3 loan a 9000 2";
    let issued = "10 1 issue L 9900";
    check(&[issued, granted, "30 3 use L 3 loan a loan L 3630"], "ok");
    check(&[issued, granted, "30 3 use L 3 loan a loan L 3631"], "E-USE-UNMADE");
    check(&[issued, granted, "30 3 use L 3 loan a loan L 30 31"], "ok");
    check(&[issued, granted, "30 3 use L 3 loan a loan L 30 30"], "E-USE-COPY");
    for line in [
        "access licence:L tax role:1",
        "transfer licence:L tax role:1 3",
        "destroy licence:L tax role:1",
        "reuse D tax",
    ] {
        let registered = "12 1 register D 合同";
        check(&[issued, registered, &format!("20 1 {line} made=3620")], "ok");
        check(&[issued, registered, &format!("20 1 {line} made=3621")], "E-USE-UNMADE");
    }
}

/// What a rule only looks at makes an order as what it changes does: who was let in because of it is not refused before it.
#[test]
fn what_leans_on_something_that_waits_is_proposed_after_it() {
    let mut chain = Chain::new();
    chain.wait(10);
    let now = chain.seconds();
    let (network, until) = (*chain.rules.chain(), chain.tip.height.plus(50));
    let mut pool = Pool::new(PoolLimits::default());
    let mut wait = |nonce: u64, agency: usize, line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let (action, from) = action(agency, now, &words);
        let operations = vec![operation(action, from, nonce)];
        let key = secret(0, agency);
        let tx = Transaction::sign(network, code(agency), &key, nonce, until, operations);
        let tx = tx.verify(&network).unwrap();
        let id = pool.admit(&chain.rules, &chain.state, &chain.tip, tx);
        id.unwrap_or_else(|why| panic!("{line}: {why}"))
    };
    // One key brings two; the second is leant on by another key, which has the turn before it.
    let first = wait(1, 1, "issue M 1000");
    let issue = wait(2, 1, "issue L 1000");
    let grant = wait(3, 0, "grant L 3 loan a 900 2");
    let order: Vec<_> = pool.turns().map(|(tx, _)| tx.id()).collect();
    assert_eq!(order, [first, issue, grant]);
    let next = at(now + 1);
    let (block, _, refused) =
        propose(&chain.rules, &chain.state, &chain.tip, next, 1, pool.turns());
    assert_eq!((refused, block.transactions.len()), (vec![], 3));
    // And when what it leant on is refused after all, it is judged again.
    let gone = pool.discard(&chain.rules, &chain.state, &chain.tip, &[issue]);
    assert_eq!(
        gone.iter().map(|(id, why)| (*id, why.code())).collect::<Vec<_>>(),
        [(grant, "E-SUB-UNKNOWN")]
    );
}

#[test]
fn nothing_is_used_without_a_live_grant() {
    let granted = "20 1 grant L 3 loan a,b 100 2";
    let used = "30 3 use L 3 loan";
    check(&[ISSUED, granted, used], "ok");
    check(&[ISSUED, granted, "30 3 use L 3 loan a"], "ok");
    check(&[ISSUED, granted, used, "31 3 use L 3 loan b"], "ok");
    // Without one, or with another's.
    check(&[ISSUED, used], "E-GRANT-UNKNOWN");
    check(&[ISSUED, granted, "30 2 use L 3 loan"], "E-GRANT-GRANTEE");
    check(&[ISSUED, granted, "30 1 use L 3 loan"], "E-GRANT-GRANTEE");
    check(&[ISSUED, granted, "30 2 use L 2 loan"], "E-GRANT-UNKNOWN");
    // For something else, of something else.
    check(&[ISSUED, granted, "30 3 use L 3 loan a tax"], "E-GRANT-PURPOSE");
    check(&[ISSUED, granted, "30 3 use L 3 loan a,c"], "E-GRANT-FIELD");
    check(&[ISSUED, granted, "30 3 use L 3 loan b,a"], "E-USE-FIELD-LIST");
    check(&[ISSUED, "11 1 issue M", granted, "30 3 use L 3 loan a loan M"], "E-GRANT-OF");
    // Too late, too early, too often.
    check(&[ISSUED, granted, "99 3 use L 3 loan"], "ok");
    check(&[ISSUED, granted, "100 3 use L 3 loan"], "E-GRANT-EXPIRED");
    check(&[ISSUED, granted, "101 3 use L 3 loan a loan L 99"], "E-GRANT-EXPIRED");
    check(&[ISSUED, granted, "30 3 use L 3 loan a loan L 100"], "E-GRANT-EXPIRED");
    check(&[ISSUED, granted, "30 3 use L 3 loan a loan L 19"], "E-GRANT-EARLY");
    check(&[ISSUED, granted, used, "31 3 use L 3 loan", "32 3 use L 3 loan"], "E-GRANT-SPENT");
    // Taken back, by whoever may.
    let withdrawn = "40 1 withdraw L 3 loan";
    check(&[ISSUED, granted, withdrawn], "ok");
    check(&[ISSUED, granted, "40 0 withdraw L 3 loan"], "ok");
    check(&[ISSUED, granted, "40 3 withdraw L 3 loan"], "E-AUTH-OWNER");
    check(&[ISSUED, granted, "40 2 withdraw L 3 loan"], "E-AUTH-OWNER");
    check(&[ISSUED, granted, withdrawn, "41 3 use L 3 loan"], "E-GRANT-WITHDRAWN");
    check(&[ISSUED, granted, withdrawn, "41 1 withdraw L 3 loan"], "E-GRANT-WITHDRAWN");
    check(&[ISSUED, "40 1 withdraw L 3 loan"], "E-GRANT-UNKNOWN");
    check(&[ISSUED, "11 1 issue M", granted, "40 1 withdraw L 3 loan M"], "E-GRANT-OF");
    check(&[ISSUED, granted, withdrawn, "41 1 grant L 3 loan a 100 1"], "E-SUB-EXISTS");
}

#[test]
fn a_grant_is_of_a_valid_licence_to_somebody_for_a_while() {
    check(&["20 1 grant L 3 loan a 100 1"], "E-SUB-UNKNOWN");
    for before in ["suspend L", "annul L", "cancel L", "revoke L", "transfer-out L", "renew M L"] {
        let before = format!("15 1 {before}");
        check(&[ISSUED, &before, "20 1 grant L 3 loan a 100 1"], "E-GRANT-LICENCE");
        let granted = "12 1 grant L 3 loan a 100 1";
        check(&[ISSUED, granted, &before, "20 3 use L 3 loan"], "E-GRANT-LICENCE");
    }
    check(&[ISSUED, "1000 1 grant L 3 loan a 2000 1"], "E-GRANT-LICENCE");
    check(&[ISSUED, "20 1 grant L 3 loan a 2000 1", "1000 3 use L 3 loan"], "E-GRANT-LICENCE");
    check(&[ISSUED, "20 0 grant L 3 loan a 100 1"], "ok");
    check(&[ISSUED, "20 2 grant L 3 loan a 100 1"], "E-AUTH-OWNER");
    check(&[ISSUED, "20 3 grant L 3 loan a 100 1"], "E-AUTH-OWNER");
    check(&[ISSUED, "20 1 grant L 113500000035912564 loan a 100 1"], "E-USE-PARTY");
    check(&[ISSUED, "20 1 grant L 3 loan  100 1"], "E-USE-FIELD-LIST");
    check(&[ISSUED, "20 1 grant L 3 loan b,a 100 1"], "E-USE-FIELD-LIST");
    check(&[ISSUED, "20 1 grant L 3 loan a,a 100 1"], "E-USE-FIELD-LIST");
    check(&[ISSUED, "20 1 grant L 3 loan a 100 0"], "E-GRANT-USES");
    check(&[ISSUED, "20 1 grant L 3 loan a 100 1000001"], "E-GRANT-USES");
    check(&[ISSUED, "20 1 grant L 3 loan a 20 1"], "E-GRANT-EXPIRY");
    let granted = "20 1 grant L 3 loan a 100 1";
    check(&[ISSUED, granted, "21 1 grant L 3 loan a,b 200 2"], "E-SUB-EXISTS");
    check(&[ISSUED, granted, "21 1 grant L 3 tax a 200 2"], "ok");
    check(&[ISSUED, granted, "21 1 grant L 1 loan a 200 2"], "ok");
}

#[test]
fn data_is_used_on_a_live_basis() {
    let item = "10 0 publish I 500";
    // An item in force, exercised by whoever acts or below.
    check(&[item, "20 0 access item:I tax item:I"], "ok");
    check(&[item, "20 1 access item:I tax item:I"], "E-BASIS-SCOPE");
    check(&[item, "500 0 access item:I tax item:I"], "E-BASIS-OVER");
    check(&[item, "15 0 hold I", "20 0 access item:I tax item:I"], "E-BASIS-OVER");
    check(&[item, "20 0 access item:I tax item:J"], "E-BASIS-UNKNOWN");
    // A valid licence that the agency or one below it issued, or that a role of it covers.
    check(&[ISSUED, "20 1 access licence:L tax licence:L"], "ok");
    check(&[ISSUED, "20 0 access licence:L tax licence:L"], "ok");
    check(&[ISSUED, "20 1 access licence:L tax licence:M"], "E-BASIS-UNKNOWN");
    check(&[ISSUED, "15 1 suspend L", "20 1 access licence:L tax licence:L"], "E-BASIS-OVER");
    check(&[ISSUED, "1000 1 access licence:L tax licence:L"], "E-BASIS-OVER");
    check(&[ISSUED, "20 3 access licence:L tax licence:L"], "E-BASIS-SCOPE");
    let persons = "11350000MXDEX0015L/persons";
    check(&[ISSUED, &format!("20 3 access {persons} tax licence:L")], "E-BASIS-SCOPE");
    check(&[ISSUED, &format!("20 2 access {persons} tax licence:L")], "ok");
    check(&[ISSUED, &format!("20 1 access {persons} tax licence:L")], "ok");
    // A role that is held, and of others' data only what it covers.
    check(&[ISSUED, "20 1 access licence:L tax role:1"], "ok");
    check(&[ISSUED, "20 1 access licence:L tax role:2"], "E-BASIS-UNKNOWN");
    check(&[ISSUED, "20 3 access licence:L tax role:0"], "E-BASIS-UNKNOWN");
    check(&[ISSUED, "20 2 access licence:L tax role:0"], "ok");
    check(&[item, "20 1 access item:I tax role:0"], "E-BASIS-SCOPE");
    check(&[item, "20 2 access item:I tax role:0"], "E-BASIS-SCOPE");
    check(&[item, "20 0 access item:I tax role:1"], "ok");
    check(&[ISSUED, &format!("20 1 access {persons} tax role:0")], "E-BASIS-SCOPE");
    check(&[ISSUED, &format!("20 0 access {persons} tax role:0")], "ok");
    // The data of a licence is its issuer's: nobody else's item or licence is a right to it.
    check(&["10 0 issue L 1000", "20 1 access licence:L tax role:0"], "E-DATA-FOREIGN");
    check(&["10 0 issue L 1000", "20 1 access licence:L tax role:1"], "ok");
    check(
        &["10 0 issue L 1000", "11 1 issue M", "20 1 access licence:L tax licence:M"],
        "E-DATA-FOREIGN",
    );
    check(&["10 0 issue L 1000", "20 1 access licence:L tax licence:L"], "E-DATA-FOREIGN");
    check(&["10 2 issue L 1000", item, "20 0 access licence:L tax item:I"], "E-DATA-FOREIGN");
    check(&["10 2 issue L 1000", item, "20 0 transfer licence:L tax item:I 3"], "E-DATA-FOREIGN");
    check(&["10 2 issue L 1000", item, "20 0 access licence:L tax role:1"], "ok");
    // A grant, which this uses up.
    let granted = "12 1 grant L 3 loan a 100 1";
    let access = "20 3 access licence:L loan grant:L/loan";
    check(&[ISSUED, granted, access], "ok");
    check(&[ISSUED, granted, access, "21 3 use L 3 loan"], "E-GRANT-SPENT");
    check(&[ISSUED, access], "E-GRANT-UNKNOWN");
    check(&[ISSUED, granted, "20 3 access licence:L tax grant:L/loan"], "E-GRANT-PURPOSE");
    check(&[ISSUED, granted, "100 3 access licence:L loan grant:L/loan"], "E-GRANT-EXPIRED");
    check(&[ISSUED, granted, "20 3 access licence:L loan grant:L/loan fields=a"], "ok");
    check(&[ISSUED, granted, "20 3 access licence:L loan grant:L/loan fields=b"], "E-GRANT-FIELD");
    check(
        &[ISSUED, "11 1 issue M", granted, "20 3 access licence:M loan grant:L/loan"],
        "E-BASIS-SCOPE",
    );
    // Whose it is.
    check(&[ISSUED, "20 1 access licence:M tax licence:L"], "E-DATA-UNKNOWN");
    check(&[ISSUED, "20 1 access persons tax licence:L"], "E-DATA-NAME");
    check(&[ISSUED, "20 1 access 113500000035912564/persons tax licence:L"], "E-DATA-UNKNOWN");
    // To whom it goes.
    check(&[ISSUED, "20 1 transfer licence:L tax role:1 3"], "ok");
    check(&[ISSUED, "20 1 transfer licence:L tax role:1 1"], "E-DATA-ITSELF");
    check(&[ISSUED, "20 1 transfer licence:L tax role:1 113500000035912564"], "E-USE-PARTY");
    // When it is no more.
    let destroyed = "20 1 destroy licence:L end role:1";
    check(&[ISSUED, destroyed], "ok");
    check(&[ISSUED, "20 0 destroy licence:L end role:1"], "ok");
    check(&[ISSUED, "20 2 destroy licence:L end role:0"], "E-DATA-OWNER");
    check(&[ISSUED, destroyed, "21 1 access licence:L tax role:1"], "E-DATA-GONE");
    check(&[ISSUED, destroyed, "21 1 transfer licence:L tax role:1 3"], "E-DATA-GONE");
    check(&[ISSUED, destroyed, "21 1 destroy licence:L end role:1"], "E-DATA-GONE");
    check(&[ISSUED, destroyed, "21 1 grant L 3 loan a 100 1"], "E-DATA-GONE");
    check(&[ISSUED, granted, destroyed, "21 3 use L 3 loan"], "E-DATA-GONE");
    check(&[ISSUED, granted, destroyed, "21 1 withdraw L 3 loan"], "ok");
}

#[test]
fn a_document_is_registered_once_and_used_by_many() {
    let registered = "10 1 register D 租赁合同";
    check(&[registered, "20 3 reuse D loan"], "ok");
    check(&[registered, "11 2 register D 合同"], "E-SUB-EXISTS");
    check(&["20 3 reuse D loan"], "E-SUB-UNKNOWN");
    check(&["20 3 retire D"], "E-SUB-UNKNOWN");
    check(&[registered, "15 3 retire D"], "E-AUTH-OWNER");
    check(&[registered, "15 0 retire D"], "ok");
    check(&[registered, "15 1 retire D", "20 3 reuse D loan"], "E-DOC-RETIRED");
    check(&[registered, "15 1 retire D", "20 1 retire D"], "E-DOC-RETIRED");
    check(&[registered, "15 1 retire D", "20 1 register D 合同"], "E-SUB-EXISTS");
    check(&[registered, "20 3 reuse D loan licence:L"], "E-BASIS-UNKNOWN");
    check(&[registered, ISSUED, "20 1 reuse D loan licence:L"], "ok");
    check(&[registered, ISSUED, "20 3 reuse D loan licence:L"], "E-BASIS-SCOPE");
    check(&[registered, "20 3 reuse D loan grant:L/loan"], "E-BASIS-SCOPE");
    let mut chain = Chain::new();
    assert_eq!(chain.does(registered), "ok");
    for (n, agency) in [0, 2, 3, 3].iter().enumerate() {
        assert_eq!(chain.does(&format!("{} {agency} reuse D loan", 20 + n)), "ok");
    }
    let state = chain.state(&Subject::document(&document("D")).to_string()).unwrap();
    assert!(matches!(state.facts, Facts::Document { uses: 4, .. }), "{state:?}");
    assert_eq!(state.records, 5);
}

/// Not even the ledger's own interface takes what names a person.
#[test]
fn no_record_names_a_person() {
    const CITIZEN: &str = "11010519491231002X";
    for line in [
        "10 1 issue 11010519491231002X",
        "10 1 suspend 13800138000",
        "10 1 renew M 11010519491231002X",
        "10 0 publish 11010519491231002X",
        "10 1 grant L 3 电话13800138000 a 100 1",
        "10 1 grant L 3 电话１３８００１３８０００ a 100 1",
        "10 1 grant 11010519491231002X 3 loan a 100 1",
        "10 1 grant L 3 loan 11010519491231002X 100 1",
        "10 3 use L 3 loan a 13800138000",
        "10 3 use L 3 loan 11010519491231002X",
        "10 1 withdraw L 3 loan 11010519491231002X",
        "10 1 access 11350000MXDEX0015L/11010519491231002X tax role:0",
        "10 1 access licence:11010519491231002X tax role:0",
        "10 1 transfer licence:L 13800138000 role:0 3",
        "10 1 destroy licence:L end item:11010519491231002X",
        "10 1 access licence:L end licence:13800138000",
        "10 1 register D 13800138000",
        "10 3 reuse D 11010519491231002X",
        "10 3 reuse D loan item:13800138000",
    ] {
        check(&[line], "E-REC-PERSONAL");
    }
    let mut chain = Chain::new();
    let (action, from) = action(1, 10, &["issue", "L"]);
    let mut personal = operation(action, from, 0);
    personal.provenance.system = CITIZEN.parse().unwrap();
    let why = chain.run(1, personal).unwrap();
    assert!(why.to_string().contains("/provenance/system"), "{why}");
    // Goods may have such numbers in their own way of writing.
    check(
        &["10 1 access lot:urn:epc:id:sgtin:9520001.012346.13800138000 tax role:0"],
        "E-DATA-UNKNOWN",
    );
}

/// What an agency did, and what was done with data, is there completely, and nothing else is.
#[test]
fn trails_are_complete() {
    let mut chain = Chain::new();
    let lines = [
        ISSUED,
        "12 1 grant L 3 loan a 100 5",
        "13 3 use L 3 loan",
        "14 3 access licence:L loan grant:L/loan",
        "15 1 transfer licence:L tax role:1 2",
        "16 2 access licence:L tax role:0",
        "17 1 register D 合同",
        "18 3 reuse D loan",
        "19 1 withdraw L 3 loan",
        "20 1 suspend L",
    ];
    for line in lines {
        assert_eq!(chain.does(line), "ok", "{line}");
    }
    let parts = |subject: &str| -> Vec<Part> {
        let subject: Subject = subject.parse().unwrap();
        let proof = prove::subject(&chain.rules, &chain.state, &subject).unwrap();
        let root = proof::TrustRoot::new(genesis()).unwrap();
        let verdict = proof::verify(&proof::encode(&proof), &root);
        assert!(verdict.error().is_none(), "{:?}", verdict.error());
        let proof::Claim::Status(claim) = &proof.claims[0] else { panic!() };
        claim.history.as_ref().unwrap().iter().map(|link| link.part).collect()
    };
    use Part::{Actor, Basis as By, Recipient, Subject as It, Target};
    assert_eq!(parts("licence:L"), [It, It]);
    assert_eq!(parts("data:licence:L"), [Target, Target, It, It, It, Target]);
    assert_eq!(parts(&format!("actor:{}", CODES[1])), [Actor, Actor, Actor, Actor]);
    assert_eq!(parts(&format!("actor:{}", CODES[2])), [Recipient, Actor]);
    assert_eq!(parts(&format!("actor:{}", CODES[3])), [Recipient, Actor, Actor, Actor]);
    assert_eq!(parts(&Subject::grant(&grant("L", 3, "loan")).to_string()), [It, It, By, It]);
    assert_eq!(parts(&Subject::document(&document("D")).to_string()), [It, It]);
}

/// Any line, sensible or not, of the agency, licence and purpose that are drawn.
fn line() -> impl Strategy<Value = String> {
    let verbs = [
        "issue L 300",
        "issue M",
        "suspend L",
        "resume L",
        "annul L",
        "annul L 15",
        "cancel M",
        "revoke L",
        "transfer-out L",
        "undo L",
        "expire L",
        "renew M L 500",
        "change N L 400",
        "transfer-in M L 500",
        "transfer-in N M",
        "grant L 3 loan a,b 200 2",
        "grant M 3 loan a 400 1",
        "use L 3 loan",
        "use L 3 loan a",
        "use M 3 loan",
        "use L 3 tax",
        "withdraw L 3 loan",
        "access licence:L loan grant:L/loan",
        "access licence:L tax licence:L",
        "access 11350000MXDEX0015L/x tax licence:M",
        "access licence:M loan grant:M/loan",
        "destroy licence:L end role:1",
        "register D 合同",
        "reuse D loan",
        "retire D",
    ];
    let shift = prop_oneof![3 => Just(0i64), 1 => -40..80i64];
    let agency = proptest::sample::select(vec![0, 1, 1, 1, 3, 3]);
    (proptest::sample::select(verbs.to_vec()), agency, shift)
        .prop_map(|(verb, agency, shift)| format!("{agency} {verb}{}", by(shift)))
}

/// The word by which an act takes effect at another time than now.
fn by(shift: i64) -> String {
    if shift == 0 { String::new() } else { format!(" by={shift}") }
}

const FINAL: [Status; 6] = [
    Status::Annulled,
    Status::Cancelled,
    Status::Revoked,
    Status::Superseded,
    Status::Enacted,
    Status::Destroyed,
];

/// Whether a subject may go from one state to another.
fn may_follow(subject: &Subject, before: Status, after: Status) -> bool {
    use types::subject::Kind;
    if before == after {
        return true;
    }
    // A licence that has run out is at an end too; only that it was unlawful, or the formal end, is said of it.
    let ended = subject.kind == Kind::Licence && before == Status::Expired;
    !FINAL.contains(&before) && (!ended || matches!(after, Status::Annulled | Status::Cancelled))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// No history leaves a final state, uses a grant that does not hold, or uses one too often; and where a licence
    /// stood at any time is what its complete history says.
    #[test]
    fn no_history_breaks_what_holds_for_ever(
        lines in vec((line(), 1u64..25), 1..40),
        asked in vec(0u64..700, 8),
    ) {
        let mut chain = Chain::new();
        let subjects = ["licence:L", "licence:M", "licence:N", "data:licence:L", "data:licence:M"];
        let grants = [("L", "loan"), ("M", "loan"), ("L", "tax")];
        let mut before: BTreeMap<String, Status> = BTreeMap::new();
        // Where each licence stood after each block, told by the ledger itself; an annulment repaints what it reaches.
        let mut painted: BTreeMap<&str, Vec<(u64, Option<SubjectState>)>> = BTreeMap::new();
        let mut now = 0;
        for (line, wait) in &lines {
            now = (now + wait).max(chain.seconds() + 1);
            let used: Vec<Option<u32>> =
                grants.iter().map(|(licence, purpose)| chain.uses(&grant(licence, 3, purpose))).collect();
            let said = chain.does(&format!("{now} {line}"));
            // What is used is valid at the ledger's time by its whole history; what is not is never said to be otherwise.
            let relied = ["use ", "grant ", "access licence:", "access 11350000MXDEX0015L/x tax licence:"]
                .iter()
                .find_map(|word| line.get(2..)?.strip_prefix(word)?.get(..1));
            if let Some(name) = relied {
                let parent = Timestamp(chain.tip.time.0 - 1000);
                let valid = query::status_at(&chain.state, &name.parse().unwrap(), parent).is_valid();
                let by_role = line.contains("role:");
                prop_assert!(said != "ok" || valid || by_role, "{} was used, though not valid", line);
                prop_assert!(!(valid && said == "E-GRANT-LICENCE"), "{} is valid", line);
            }
            let names = subjects.iter().map(|name| (*name).to_owned())
                .chain(grants.iter().map(|(licence, purpose)| Subject::grant(&grant(licence, 3, purpose)).to_string()))
                .chain([Subject::document(&document("D")).to_string()]);
            for name in names {
                let Some(state) = chain.state(&name) else { continue };
                if let Some(old) = before.insert(name.clone(), state.status) {
                    prop_assert!(may_follow(&state.subject, old, state.status), "{name}: {old:?} to {:?} by {line}", state.status);
                }
            }
            for ((licence, purpose), used) in grants.iter().zip(used) {
                let id = grant(licence, 3, purpose);
                let Some(state) = query::subject(&chain.state, &Subject::grant(&id)) else { continue };
                let Facts::Grant(facts) = &state.facts else { panic!() };
                prop_assert!(facts.uses <= facts.terms.uses_max);
                if used.is_some_and(|used| used != facts.uses) {
                    prop_assert!(said == "ok" && state.status == Status::Active);
                    prop_assert!(at(now) < facts.terms.expires, "an expired grant was used");
                }
            }
            for name in ["L", "M", "N"] {
                let state = chain.state(&format!("licence:{name}"));
                let rows = painted.entry(name).or_default();
                if rows.last().and_then(|(_, last)| last.as_ref()) != state.as_ref() {
                    let from = state.as_ref().map_or(now, |state| (state.effective_from.0 - START) / 1000);
                    // Whatever stood there from then on is painted over.
                    rows.retain(|(at, _)| *at < from);
                    rows.push((from, state));
                }
            }
        }
        for name in ["L", "M", "N"] {
            let id = name.parse().unwrap();
            let history = chain.history(&Subject::licence(&id));
            for seconds in &asked {
                let rows = &painted[name];
                let then = rows.iter().rfind(|(from, _)| from <= seconds).and_then(|(_, state)| state.as_ref());
                let want = then.map_or(Standing::Absent, |state| {
                    let Facts::Licence { facts, .. } = &state.facts else { panic!() };
                    Standing::of(state.status, facts, at(*seconds))
                });
                let found = status_at(&id, history.iter().map(|(operation, _)| operation), at(*seconds));
                prop_assert_eq!(query::status_at(&chain.state, &id, at(*seconds)), found);
                prop_assert_eq!(found, want, "{} at {}", name, seconds);
            }
        }
    }
}

/// Blocks carry no trace of how many hands computed them.
#[test]
fn one_and_eight_threads_compute_the_same_roots() {
    let script = [
        ISSUED,
        "12 1 grant L 3 loan a 100 5",
        "13 3 use L 3 loan",
        "14 3 access licence:L loan grant:L/loan",
        "15 1 transfer licence:L tax role:1 2",
        "17 1 register D 合同",
        "18 3 reuse D loan",
        "19 1 destroy licence:L end role:1",
        "20 1 annul L 11",
    ];
    let roots = || {
        let mut chain = Chain::new();
        for line in script {
            assert_eq!(chain.does(line), "ok", "{line}");
        }
        (chain.tip.state_root, chain.tip.log.root(), chain.tip.id)
    };
    let alone = roots();
    let together: Vec<_> = std::thread::scope(|scope| {
        let hands: Vec<_> = (0..8).map(|_| scope.spawn(roots)).collect();
        hands.into_iter().map(|hand| hand.join().unwrap()).collect()
    });
    assert!(together.iter().all(|roots| *roots == alone));
}
