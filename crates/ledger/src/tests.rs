//! The rules row by row, and what every history must keep true.

use crate::fixture::{self, code, item_role, licence_role, region, secret};
use crate::{
    Draft, Invalid, Memory, Outcome, Pool, PoolLimits, Rejection, Rules, State, Tip,
    execute::{Nodes, Pages},
    judge::{Overlay, judge},
    propose, query, tip, validate,
};
use proof::{log, map};
use proptest::{collection::vec, prelude::*};
use std::collections::BTreeMap;
use types::{
    Block, Digest, Genesis, Hash, Height, Level, Operation, Role, SecretKey, Subject, Timestamp,
    Transaction, TxId, Verified,
    bulk::{BatchAction, SeedAction},
    codec,
    genesis::Limits,
    merkle::{self, Rfc6962},
    operation::{
        Action, Commitment, EventType, Grade, ItemAction, ItemVerb, LicenceAction, LicenceFacts,
        LicenceVerb, Provenance, TraceEvent,
    },
    subject::{Facts, Part, Status},
};

mod builds;
mod documents;
mod pool;
mod retention;

/// The province with every role, a city below it, another province's office, and one without roles; blocks are small.
fn genesis() -> Genesis {
    let trace = |space: &str| Role::Trace { namespaces: vec![space.parse().unwrap()] };
    let province =
        vec![item_role("350000"), licence_role("T", "350000"), trace("urn:"), Role::Govern {}];
    let city = vec![item_role("350100"), licence_role("T1", "350100"), trace("urn:b:")];
    let other = vec![item_role("360000"), licence_role("T", "350000"), trace("urn:c:")];
    let all = fixture::agencies([
        (Level::Province, None, province),
        (Level::Province, Some(0), city),
        (Level::Province, None, other),
        (Level::Province, None, vec![]),
    ]);
    let limits =
        Limits { block_bytes_max: 1 << 16, block_operations_max: 6, validity_heights_max: 100 };
    Genesis { limits, ..fixture::genesis(all) }
}

fn operation(action: Action, n: u64) -> Operation {
    Operation {
        action,
        commitment: Commitment {
            document: Digest::blake3(&n.to_le_bytes()),
            content: Digest::blake3(&n.to_le_bytes()),
            fields: None,
        },
        effective_from: Timestamp(n),
        grade: Grade::Public,
        provenance: Provenance {
            system: "test".parse().unwrap(),
            version: "1".parse().unwrap(),
            captured_at: Timestamp(n),
        },
    }
}

/// What is done, in a line: `issue L1`, `renew L2 L1`, `publish I1 B1 p 1`, `trace urn:b:1 urn:b:2`.
fn action(line: &str) -> Action {
    let mut words = line.split(' ');
    let verb = words.next().unwrap();
    let mut next = || words.next().unwrap_or("");
    let facts = |kind: &str, place: &str, until: Option<u64>| LicenceFacts {
        kind: kind.parse().unwrap(),
        region: region(place),
        valid_from: Timestamp(10),
        valid_until: until.map(Timestamp),
    };
    let licence =
        |id: &str, verb| Action::Licence(LicenceAction { licence: id.parse().unwrap(), verb });
    let usual = facts("T1", "350100", None);
    match verb {
        "trace" => Action::Trace(TraceEvent {
            event: EventType::Object,
            id: None,
            time: Timestamp(0),
            step: None,
            lots: words.map(|lot| (lot.parse().unwrap(), Part::Observed)).collect(),
            cbv_hash: None,
            corrects: None,
        }),
        "issue" => licence(next(), LicenceVerb::Issue(usual)),
        "issue-type" => licence(next(), LicenceVerb::Issue(facts(next(), "350100", None))),
        "issue-region" => licence(next(), LicenceVerb::Issue(facts("T1", next(), None))),
        "issue-until" => {
            let id = next();
            let until = next().parse().unwrap();
            licence(id, LicenceVerb::Issue(facts("T1", "350100", Some(until))))
        }
        "renew" | "change" | "transfer-in" => {
            let (id, supersedes) = (next(), next().parse().unwrap());
            licence(
                id,
                match verb {
                    "renew" => LicenceVerb::Renew { supersedes, facts: usual },
                    "change" => LicenceVerb::Change { supersedes, facts: usual },
                    _ => LicenceVerb::TransferIn { supersedes, facts: usual },
                },
            )
        }
        "suspend" => licence(next(), LicenceVerb::Suspend),
        "resume" => licence(next(), LicenceVerb::Resume),
        "annul" => licence(next(), LicenceVerb::Annul),
        "cancel" => licence(next(), LicenceVerb::Cancel),
        "revoke" => licence(next(), LicenceVerb::Revoke),
        "transfer-out" => licence(next(), LicenceVerb::TransferOut),
        "publish" | "amend" | "hold" | "release" | "withdraw" => {
            let (item, basic, place, version) = (next(), next(), next(), next());
            let (version, planned_cancel) = (version.parse().unwrap_or(0), None);
            Action::Item(ItemAction {
                code: item.parse().unwrap(),
                basic: basic.parse().unwrap(),
                level: if place.ends_with("0000") { Level::Province } else { Level::City },
                region: region(place),
                verb: match verb {
                    "publish" => ItemVerb::Publish { version, planned_cancel },
                    "amend" => ItemVerb::Amend { version, planned_cancel },
                    "hold" => ItemVerb::Suspend,
                    "release" => ItemVerb::Resume,
                    _ => ItemVerb::Cancel,
                },
            })
        }
        "batch" => Action::Batch(BatchAction {
            series: next().parse().unwrap(),
            lines: next().parse().unwrap(),
            root: Hash::ZERO,
        }),
        "seed" => Action::Seed(SeedAction {
            permit: next().parse().unwrap(),
            unit: next().parse().unwrap(),
            lot: next().parse().unwrap(),
        }),
        _ => panic!("{line}"),
    }
}

/// A ledger of its own, block by block.
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

    fn now(&self) -> Timestamp {
        self.tip.time.plus(1000)
    }

    fn sign(&mut self, agency: usize, operations: Vec<Operation>) -> Verified {
        self.nonce += 1;
        let until = Height(self.tip.height.0 + 50);
        Transaction::sign(
            *self.rules.chain(),
            code(agency),
            &secret(0, agency),
            self.nonce,
            until,
            operations,
        )
        .verify(self.rules.chain())
        .unwrap()
    }

    /// A block of these, whatever does not fit or may not be in it left out.
    fn block(&self, txs: &[Verified]) -> (Block, Outcome, Vec<(TxId, Rejection)>) {
        let sized = txs.iter().map(|tx| (tx, codec::encode(tx.get()).len()));
        propose(&self.rules, &self.state, &self.tip, self.now(), 1, sized)
    }

    fn append(&mut self, block: Block, outcome: Outcome) {
        fixture::append((&mut self.rules, &mut self.state, &mut self.tip), block, outcome);
        assert_eq!(tip(&self.rules, &self.state), self.tip);
    }

    /// Does what the lines say, each by an agency in a block of its own: the code of the refusal, or "ok".
    fn does(&mut self, line: &str) -> &'static str {
        let (agency, line) = line.split_once(": ").unwrap();
        let done = operation(action(line), self.nonce);
        self.performs(agency.parse().unwrap(), done, line)
    }

    fn performs(&mut self, agency: usize, done: Operation, line: &str) -> &'static str {
        let tx = self.sign(agency, vec![done]);
        let mut pool = Pool::new(PoolLimits::default());
        let admitted = pool.admit(&self.rules, &self.state, &self.tip, tx.clone());
        let (block, outcome, refused) = self.block(&[tx]);
        // What admission says is what execution says.
        assert_eq!(admitted.err(), refused.first().map(|(_, why)| why.clone()), "{line}");
        self.append(block, outcome);
        refused.first().map_or("ok", |(_, why)| why.code())
    }

    fn status(&self, subject: &str) -> Option<Status> {
        query::subject(&self.state, &subject.parse().unwrap()).map(|state| state.status)
    }
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

#[test]
fn a_licence_lives_as_its_states_allow() {
    let verbs = [
        "suspend L",
        "resume L",
        "annul L",
        "cancel L",
        "revoke L",
        "transfer-out L",
        "renew N L",
        "change N L",
        "transfer-in N L",
        "issue L",
    ];
    use Status::{Active, Annulled, Cancelled, Revoked, Superseded, Suspended, TransferredOut};
    let status = |to: Status| Ok::<_, &str>(to);
    let (no, end, exists) = (Err("E-SUB-STATUS"), Err("E-SUB-TERMINAL"), Err("E-SUB-EXISTS"));
    let over = [end, end, end, end, end, end, end, end, end, exists];
    type Row<'a> = (&'a [&'a str], Status, [Result<Status, &'a str>; 10]);
    let rows: [Row<'_>; 8] = [
        (
            &[],
            Active,
            [
                status(Suspended),
                no,
                status(Annulled),
                status(Cancelled),
                status(Revoked),
                status(TransferredOut),
                status(Superseded),
                status(Superseded),
                no,
                exists,
            ],
        ),
        (
            &["suspend L"],
            Suspended,
            [
                no,
                status(Active),
                status(Annulled),
                status(Cancelled),
                status(Revoked),
                no,
                no,
                no,
                no,
                exists,
            ],
        ),
        (
            &["transfer-out L"],
            TransferredOut,
            [no, no, no, no, no, no, no, no, status(Superseded), exists],
        ),
        (&["annul L"], Annulled, over),
        (&["cancel L"], Cancelled, over),
        (&["revoke L"], Revoked, over),
        (&["renew M L"], Superseded, over),
        (
            &["suspend L", "resume L"],
            Active,
            [
                status(Suspended),
                no,
                status(Annulled),
                status(Cancelled),
                status(Revoked),
                status(TransferredOut),
                status(Superseded),
                status(Superseded),
                no,
                exists,
            ],
        ),
    ];
    for (before, from, results) in rows {
        let mut chain = Chain::new();
        assert_eq!(chain.does("1: issue L"), "ok");
        for line in before {
            assert_eq!(chain.does(&format!("1: {line}")), "ok");
        }
        assert_eq!(chain.status("licence:L"), Some(from));
        for (verb, want) in verbs.iter().zip(results) {
            let mut chain = chain.clone();
            let said = chain.does(&format!("1: {verb}"));
            assert_eq!(said, want.err().unwrap_or("ok"), "{verb} from {from:?}");
            assert_eq!(
                chain.status("licence:L"),
                Some(want.unwrap_or(from)),
                "{verb} from {from:?}"
            );
        }
    }
    for verb in &verbs[..9] {
        check(&[&format!("1: {verb}")], "E-SUB-UNKNOWN");
    }
}

#[test]
fn a_licence_is_acted_on_by_its_issuer_and_its_superior() {
    check(&["1: issue L", "1: suspend L"], "ok");
    check(&["1: issue L", "0: suspend L"], "ok");
    check(&["0: issue L", "1: suspend L"], "E-AUTH-OWNER");
    check(&["1: issue L", "2: suspend L"], "E-AUTH-OWNER");
    check(&["1: issue L", "3: suspend L"], "E-AUTH-OWNER");
    check(&["1: issue L", "2: renew N L"], "E-AUTH-OWNER");
    check(&["1: issue L", "1: transfer-out L", "2: transfer-in N L"], "ok");
    check(&["3: issue L"], "E-AUTH-ROLE");
    check(&["1: issue-type L T2"], "E-AUTH-ROLE");
    check(&["0: issue-type L T2"], "ok");
    check(&["0: issue-type L X"], "E-AUTH-ROLE");
    check(&["1: issue-region L 350200"], "E-AUTH-ROLE");
    check(&["1: issue-region L 350000"], "E-AUTH-ROLE");
    check(&["1: issue-region L 350122"], "ok");
    check(&["0: issue-region L 360000"], "E-AUTH-ROLE");
    check(&["1: issue-until L 10"], "E-LIC-VALIDITY");
    check(&["1: issue-until L 11"], "ok");
    check(&["1: issue L", "1: renew L L"], "E-LIC-ITSELF");
    check(&["1: issue L", "1: issue M", "1: renew M L"], "E-SUB-EXISTS");
}

#[test]
fn a_service_item_lives_from_publication_to_withdrawal() {
    let opened = "0: publish P B 350000 1";
    check(&[opened], "ok");
    check(&["1: publish C B 350100 1"], "E-ITEM-LEVEL");
    check(&[opened, "1: publish C B 350100 1"], "ok");
    check(&[opened, "0: publish P B 350000 1"], "E-SUB-EXISTS");
    check(&["0: publish P B 350000 2"], "E-ITEM-VERSION");
    check(&[opened, "0: amend P B 350000 2"], "ok");
    check(&[opened, "0: amend P B 350000 1"], "E-ITEM-VERSION");
    check(&[opened, "0: amend P B 350000 3"], "E-ITEM-VERSION");
    check(&[opened, "0: amend P B 350000 2", "0: amend P B 350000 3"], "ok");
    check(&["0: amend P B 350000 2"], "E-SUB-UNKNOWN");
    check(&[opened, "0: amend P B2 350000 2"], "E-ITEM-IDENTITY");
    check(&[opened, "0: amend P B 350200 2"], "E-ITEM-IDENTITY");
    check(&[opened, "0: release P B 350000"], "E-SUB-STATUS");
    check(&[opened, "0: hold P B 350000"], "ok");
    check(&[opened, "0: hold P B 350000", "0: hold P B 350000"], "E-SUB-STATUS");
    check(&[opened, "0: hold P B 350000", "0: release P B 350000"], "ok");
    check(&[opened, "0: hold P B 350000", "0: withdraw P B 350000"], "ok");
    for verb in ["amend", "hold", "release", "withdraw"] {
        let again = format!("0: {verb} P B 350000 2");
        check(&[opened, "0: withdraw P B 350000", &again], "E-SUB-TERMINAL");
    }
    check(&[opened, "0: withdraw P B 350000", "1: publish C B 350100 1"], "E-ITEM-LEVEL");
    check(&[opened, "0: withdraw P B 350000", opened], "E-SUB-EXISTS");
    // The roles: by region, or as its owner.
    check(&["1: publish P B 350000 1"], "E-AUTH-ROLE");
    check(&["3: publish P B 350000 1"], "E-AUTH-ROLE");
    check(&[opened, "1: hold P B 350000"], "E-AUTH-ROLE");
    check(&[opened, "1: publish C B 350100 1", "0: hold C B 350100"], "ok");
    check(&[opened, "1: publish C B 350100 1", "2: hold C B 350100"], "E-AUTH-ROLE");
}

#[test]
fn a_basic_code_is_closed_by_the_entry_that_opened_it_and_by_no_other() {
    let (opened, second) = ("0: publish P B 350000 1", "2: publish Q B 360000 1");
    check(&[opened, second, "2: withdraw Q B 360000", "1: publish C B 350100 1"], "ok");
    check(&[opened, second, "0: withdraw P B 350000", "1: publish C B 350100 1"], "E-ITEM-LEVEL");
    // Those that are there come to their own ends.
    check(&[opened, second, "0: withdraw P B 350000", "2: withdraw Q B 360000"], "ok");
}

#[test]
fn an_event_names_lots_in_order_within_the_agencys_names() {
    check(&["1: trace urn:b:1 urn:b:2"], "ok");
    check(&["1: trace urn:b:1", "0: trace urn:b:1"], "ok");
    check(&["1: trace urn:b:2 urn:b:1"], "E-TRACE-LOTS");
    check(&["1: trace urn:b:1 urn:b:1"], "E-TRACE-LOTS");
    check(&["1: trace urn:a:1 urn:b:1"], "E-AUTH-ROLE");
    check(&["2: trace urn:b:1"], "E-AUTH-ROLE");
    check(&["3: trace"], "E-AUTH-ROLE");
    let many: Vec<String> = (0..=1024).map(|n| format!("urn:{n:04}")).collect();
    check(&[&format!("0: trace {}", many.join(" "))], "E-TRACE-LOTS");
    check(&[&format!("0: trace {}", many[..1024].join(" "))], "ok");
}

#[test]
fn what_concerns_the_whole_transaction_has_its_own_codes() {
    let mut chain = Chain::new();
    let issue = |id: &str| operation(action(&format!("issue {id}")), 1);
    let first = chain.sign(1, vec![issue("L")]);
    let (block, outcome, _) = chain.block(core::slice::from_ref(&first));
    chain.append(block, outcome);
    let again = chain.sign(1, vec![issue("L")]);
    let by = |agency: usize, key: &SecretKey, until: u64, operations| {
        Transaction::sign(*chain.rules.chain(), code(agency), key, 1, Height(until), operations)
            .verify(chain.rules.chain())
            .unwrap()
    };
    let small = PoolLimits { transactions_max: 1, bytes_max: 1 << 20 };
    let one = vec![issue("M")];
    let many = (0..7).map(|n| issue(&format!("M{n}"))).collect();
    let large = (0..6).map(|n| {
        let lots: Vec<_> =
            (0..100).map(|m| format!("urn:{n}:{m:03}:{}", "x".repeat(200))).collect();
        operation(action(&format!("trace {}", lots.join(" "))), 1)
    });
    for (tx, limits, want) in [
        (first, PoolLimits::default(), "E-TX-COMMITTED"),
        (again, PoolLimits::default(), "E-REC-RECORDED"),
        (by(1, &secret(0, 1), 1, one.clone()), PoolLimits::default(), "E-TX-EXPIRED"),
        (by(1, &secret(0, 1), 103, one.clone()), PoolLimits::default(), "E-TX-HORIZON"),
        (by(1, &secret(9, 1), 9, one.clone()), PoolLimits::default(), "E-AUTH-KEY"),
        (by(1, &secret(0, 2), 9, one.clone()), PoolLimits::default(), "E-AUTH-AGENCY"),
        (by(1, &secret(0, 1), 9, many), PoolLimits::default(), "E-TX-SIZE"),
        (by(0, &secret(0, 0), 9, large.collect()), PoolLimits::default(), "E-TX-SIZE"),
        (
            by(1, &secret(0, 1), 9, one.clone()),
            PoolLimits { transactions_max: 0, ..small },
            "E-POOL-FULL",
        ),
        (by(1, &secret(0, 1), 9, one.clone()), PoolLimits { bytes_max: 9, ..small }, "E-POOL-FULL"),
        (by(1, &secret(0, 1), 2, one), PoolLimits::default(), "ok"),
    ] {
        let said = Pool::new(limits).admit(&chain.rules, &chain.state, &chain.tip, tx);
        assert_eq!(said.map_or_else(|why| why.code(), |_| "ok"), want);
    }
}

#[test]
fn the_same_record_again_keeps_its_place() {
    let mut chain = Chain::new();
    let issue = |id: &str| operation(action(&format!("issue {id}")), 1);
    let first = chain.sign(1, vec![issue("L"), issue("L"), issue("M")]);
    let second = chain.sign(1, vec![issue("M"), issue("N")]);
    let (block, outcome, refused) = chain.block(&[first.clone(), second.clone()]);
    assert_eq!((block.transactions.len(), refused), (2, vec![]));
    chain.append(block, outcome);
    let positions = |tx: &Verified| query::place(&chain.state, &tx.id()).unwrap().positions;
    assert_eq!((positions(&first), positions(&second)), (vec![0, 0, 1], vec![1, 2]));
    let third = chain.clone().sign(1, vec![issue("N"), issue("O"), issue("L")]);
    let (block, outcome, _) = chain.block(core::slice::from_ref(&third));
    chain.append(block, outcome);
    assert_eq!(query::place(&chain.state, &third.id()).unwrap().positions, vec![2, 3, 0]);
    // What could be recorded again, and is not: the rules have nothing against a second event of a lot.
    let trace = |lots: &str| operation(action(&format!("trace {lots}")), 1);
    let (one, two) = ("urn:b:1", "urn:b:1 urn:b:2");
    for (events, expected) in [
        (vec![trace(one), trace(one), trace(two), trace(two)], vec![4, 4, 5, 5]),
        (vec![trace(two), trace("urn:b:3"), trace(one)], vec![5, 6, 4]),
    ] {
        let events = chain.clone().sign(1, events);
        let (block, outcome, refused) = chain.block(core::slice::from_ref(&events));
        assert_eq!(refused, vec![]);
        chain.append(block, outcome);
        assert_eq!(query::place(&chain.state, &events.id()).unwrap().positions, expected);
    }
}

#[test]
fn a_block_is_refused_for_any_field_that_is_not_what_it_must_be() {
    let mut chain = Chain::new();
    chain.does("1: issue K");
    let txs: Vec<_> = (0..7)
        .map(|n| {
            let done = operation(action(&format!("issue L{n}")), n);
            chain.sign(1, vec![done])
        })
        .collect();
    let (sound, outcome, _) = chain.block(&txs);
    assert_eq!(sound.transactions.len(), 6);
    let judge = |block: &Block| validate(&chain.rules, &chain.state, &chain.tip, block, |_| None);
    let again = judge(&sound).unwrap();
    assert_eq!((again.tip(), again.touched()), (outcome.tip(), outcome.touched()));
    let seventh = txs[6].get().clone();
    type Edit = Box<dyn Fn(&mut Block)>;
    let edits: Vec<(&str, Edit)> = vec![
        ("version", Box::new(|b| b.header.version = 2)),
        ("chain", Box::new(|b| b.header.chain.0.0[0] ^= 1)),
        ("height", Box::new(|b| b.header.height = Height(3))),
        ("early", Box::new(|b| b.header.time = Timestamp(1))),
        ("proposer", Box::new(|b| b.header.proposer = 4)),
        ("parent", Box::new(|b| b.header.parent.0.0[0] ^= 1)),
        ("payload", Box::new(|b| b.header.payload.0[0] ^= 1)),
        ("log size", Box::new(|b| b.header.log_size += 1)),
        ("diverges: log root", Box::new(|b| b.header.log_root.0[0] ^= 1)),
        ("diverges: state root", Box::new(|b| b.header.state_root.0[0] ^= 1)),
        ("committee", Box::new(|b| b.header.committee.0[0] ^= 1)),
        ("next committee", Box::new(|b| b.header.next_committee.0[0] ^= 1)),
        ("payload", Box::new(|b| b.transactions.swap(0, 1))),
        ("payload", Box::new(|b| drop(b.transactions.pop()))),
        (
            "size",
            Box::new(move |b| {
                b.transactions.push(seventh.clone());
                b.header.payload = Block::payload(&b.transactions);
            }),
        ),
        (
            "transaction 1",
            Box::new(|b| {
                b.transactions[1] = b.transactions[0].clone();
                b.header.payload = Block::payload(&b.transactions);
            }),
        ),
        ("transaction 2", Box::new(|b| b.transactions[2].signature = b.transactions[1].signature)),
        // Another time changes the entries of the log, and so its root.
        ("diverges: log root", Box::new(|b| b.header.time = b.header.time.plus(500))),
    ];
    for (want, edit) in edits {
        let mut block = sound.clone();
        edit(&mut block);
        let said = match judge(&block).unwrap_err() {
            Invalid::Header { field } => field.to_owned(),
            Invalid::Early { .. } => "early".into(),
            Invalid::Size => "size".into(),
            Invalid::Transaction { index, .. } => format!("transaction {index}"),
            Invalid::Diverges { field, .. } => format!("diverges: {field}"),
        };
        assert_eq!(said, want);
    }
}

#[test]
fn what_leaves_the_pool_leaves_nothing_behind() {
    let mut chain = Chain::new();
    let mut pool = Pool::new(PoolLimits::default());
    let issue = |id: &str| operation(action(&format!("issue {id}")), 1);
    let first = chain.sign(1, vec![issue("L")]);
    let second = chain.sign(1, vec![issue("L"), issue("M")]);
    let third = chain.sign(1, vec![operation(action("suspend L"), 1)]);
    for tx in [&first, &second, &third] {
        pool.admit(&chain.rules, &chain.state, &chain.tip, tx.clone()).unwrap();
    }
    // The second repeats a record of the first; when that goes, the record is its own.
    let refused = pool.discard(&chain.rules, &chain.state, &chain.tip, &[first.id()]);
    assert_eq!(refused, vec![]);
    assert_sound(&chain, &pool);
    // And when that goes too, nothing is left to suspend.
    let refused = pool.discard(&chain.rules, &chain.state, &chain.tip, &[second.id()]);
    assert_eq!(refused.iter().map(|(_, why)| why.code()).collect::<Vec<_>>(), ["E-SUB-UNKNOWN"]);
    assert!(pool.is_empty());
    let fresh = chain.sign(1, vec![issue("L")]);
    assert!(pool.admit(&chain.rules, &chain.state, &chain.tip, fresh).is_ok());
}

/// who brings a thousand does not keep waiting who brings one; but nothing comes before what it builds on.
#[test]
fn keys_take_turns() {
    let mut chain = Chain::new();
    let mut pool = Pool::new(PoolLimits::default());
    let mut wait = |agency, what: &str| {
        let tx = chain.sign(agency, vec![operation(action(what), 1)]);
        let id = pool.admit(&chain.rules, &chain.state, &chain.tip, tx);
        id.unwrap_or_else(|why| panic!("{what}: {why}"))
    };
    let flood: Vec<TxId> = (0..1000).map(|n| wait(0, &format!("trace urn:b:{n}"))).collect();
    let late = wait(1, "trace urn:b:late");
    let builds = wait(1, "trace urn:b:700");
    let order: Vec<TxId> = pool.turns().map(|(tx, _)| tx.id()).collect();
    let place = |id: &TxId| order.iter().position(|other| other == id).unwrap();
    assert_eq!(order.len(), 1002);
    assert_eq!(place(&late), 1, "in the first turn, behind the one that waits longest");
    assert_eq!((place(&flood[700]), place(&builds)), (3, 4), "what it builds on comes with it");
    let places: Vec<_> = flood.iter().filter(|id| **id != flood[700]).map(place).collect();
    assert!(places.is_sorted(), "each key's own order stays");
    // And nobody who was let in is refused for the order.
    let (block, _, refused) =
        propose(&chain.rules, &chain.state, &chain.tip, chain.now(), 0, pool.turns());
    assert_eq!(refused, vec![]);
    assert!(block.transactions.iter().any(|tx| tx.id() == late));
}

/// keys that flood share the room, and leave as much as each of them has to who does not.
#[test]
fn keys_that_flood_leave_room_for_others() {
    // Agencies in the order in which they bring a transaction each, over and over, until each is refused; how many of each are
    // then waiting, and how many one who comes after them can bring.
    let check = |limits: PoolLimits, flood: &[usize], late: usize, want: (&[usize], usize)| {
        let mut chain = Chain::new();
        let mut pool = Pool::new(limits);
        let mut number = 0;
        let mut bring = |agency: usize| {
            number += 1;
            let act =
                operation(action(&format!("trace urn:{}:{number:06}", ["a", "b", "c"][agency])), 1);
            let tx = chain.sign(agency, vec![act]);
            let said = pool.admit(&chain.rules, &chain.state, &chain.tip, tx);
            said.map(drop).map_err(|why| why.code())
        };
        let mut waiting = vec![0; flood.len()];
        let mut tell = vec![None; flood.len()];
        while tell.iter().any(Option::is_none) {
            for (place, agency) in flood.iter().enumerate() {
                match bring(*agency) {
                    Ok(()) => waiting[place] += 1,
                    Err(code) => tell[place] = Some(code),
                }
            }
        }
        assert!(tell.iter().all(|code| *code == Some("E-POOL-QUOTA")), "{tell:?}");
        let brought = (0..limits.transactions_max).take_while(|_| bring(late).is_ok()).count();
        assert_eq!((waiting.as_slice(), brought), want, "{flood:?}");
        // And what it brought is proposed in turn with theirs, not after all of it.
        let newcomer = secret(0, late).public();
        let order: Vec<_> = pool.turns().map(|(tx, _)| tx.get().header.key).collect();
        let first = order.iter().position(|key| *key == newcomer).unwrap();
        assert!(first <= flood.len(), "{flood:?}: {first}");
        assert_sound(&chain, &pool);
    };
    let by_count = PoolLimits { transactions_max: 120, ..PoolLimits::default() };
    check(by_count, &[0], 1, (&[60], 30));
    check(by_count, &[0, 1], 2, (&[40, 40], 20));
    // The same where it is the bytes that are short; each transaction here has as many.
    let one = {
        let mut chain = Chain::new();
        codec::length(chain.sign(0, vec![operation(action("trace urn:a:000001"), 1)]).get())
    };
    let by_bytes = PoolLimits { bytes_max: 120 * one, ..PoolLimits::default() };
    check(by_bytes, &[0], 1, (&[60], 30));
    check(by_bytes, &[0, 1], 2, (&[40, 40], 20));
}

/// What the pool thinks its transactions will do is what they would do, one after the other, from nothing.
fn assert_sound(chain: &Chain, pool: &Pool) {
    let mut overlay = Overlay::default();
    let at = chain.tip.moment();
    for (tx, _) in pool.iter() {
        let effects = judge(&chain.rules, &chain.state, &overlay, at, u64::MAX >> 1, tx).unwrap();
        overlay.absorb(effects);
    }
    let mine = pool.overlay();
    let plain = |overlay: &Overlay| {
        let subjects: Vec<_> =
            overlay.subjects.iter().map(|(key, s)| (*key, s.status, s.version, s.owner)).collect();
        (subjects, overlay.records.keys().copied().collect::<Vec<_>>())
    };
    assert_eq!(plain(mine), plain(&overlay));
}

/// Everything that must hold of a chain, recomputed from nothing.
fn assert_whole(chain: &Chain) {
    let Chain { state, tip, .. } = chain;
    let leaves: Vec<Hash> = (0..tip.log.size())
        .map(|at| {
            let found = query::record_at(state, at).unwrap();
            assert_eq!(query::position(state, &found.entry.record), Some(at));
            found.entry.leaf()
        })
        .collect();
    assert_eq!(merkle::root::<Rfc6962>(&leaves), tip.log.root());
    assert_eq!(
        log::Frontier::restore(tip.log.size(), &Nodes(state)).unwrap().root(),
        tip.log.root()
    );
    let mut links: BTreeMap<Subject, Vec<(u64, Part)>> = BTreeMap::new();
    for at in 0..tip.log.size() {
        let found = query::record_at(state, at).unwrap();
        for (subject, part) in found.operation().subjects(&found.transaction.header.agency) {
            links.entry(subject).or_default().push((at, part));
        }
    }
    // What genesis says, in the map since the first block, and nobody's record.
    let mut writes = BTreeMap::new();
    if tip.height > Height::GENESIS {
        writes.extend(chain.rules.first().iter().map(|(key, first)| (*key, Some(first.digest()))));
    }
    for (subject, links) in links {
        let found = query::subject(state, &subject).unwrap();
        assert_eq!(found.subject, subject);
        writes.insert(subject.key(), Some(found.digest()));
        let history = query::history(state, &subject, 0, 10_000);
        let plain: Vec<_> = history.iter().map(|link| (link.position, link.part)).collect();
        assert_eq!(plain, links, "{subject}");
        assert_eq!(found.records, u64::try_from(history.len()).unwrap());
        assert_eq!(found.latest, history.last().unwrap().position);
        assert_eq!(history.iter().fold(Hash::ZERO, |head, link| link.extend(&head)), found.head);
    }
    let naive = map::update(&Pages(&Memory::default()), &writes);
    assert_eq!(if writes.is_empty() { Hash::ZERO } else { naive.root }, tip.state_root);
    assert_eq!(map::root(&Pages(state)), tip.state_root);
}

fn lines() -> impl Strategy<Value = Vec<(usize, Vec<(String, u64)>)>> {
    let licence =
        ("(issue|suspend|resume|annul|cancel|revoke|transfer-out) L[0-3]").prop_map(|l| l);
    let succeed = "(renew|change|transfer-in) L[0-5] L[0-3]".prop_map(|l| l);
    let item = "(publish|amend|hold|release|withdraw) [PQ] B 350000 [1-3]".prop_map(|l| l);
    let city = "(publish|amend|withdraw) C B 350100 [1-2]".prop_map(|l| l);
    let trace =
        prop_oneof![Just("trace urn:b:1".to_owned()), Just("trace urn:b:1 urn:b:2".to_owned())];
    let line = prop_oneof![4 => licence, 2 => succeed, 2 => item, 1 => city, 2 => trace];
    vec((0..3_usize, vec((line, 0..3_u64), 1..4)), 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever is tried, in whatever order: what is admitted is proposed, what is proposed is valid, and the chain is whole.
    #[test]
    fn every_history_is_sound(history in lines(), cuts in vec(1..6_usize, 40)) {
        let mut chain = Chain::new();
        let mut pool = Pool::new(PoolLimits::default());
        let (mut left, mut past) = (history.into_iter(), Vec::new());
        for (n, cut) in cuts.into_iter().enumerate() {
            for (agency, lines) in left.by_ref().take(cut) {
                let operations = lines.iter().map(|(line, n)| operation(action(line), *n)).collect();
                let tx = chain.sign(agency, operations);
                if pool.admit(&chain.rules, &chain.state, &chain.tip, tx).is_ok() {
                    assert_sound(&chain, &pool);
                }
            }
            let first = pool.iter().next().map(|(tx, _)| tx.id());
            if let Some(id) = first.filter(|_| n % 7 == 3) {
                pool.discard(&chain.rules, &chain.state, &chain.tip, &[id]);
                assert_sound(&chain, &pool);
            }
            let before: BTreeMap<_, _> = subjects(&chain);
            let (block, outcome, refused) =
                propose(&chain.rules, &chain.state, &chain.tip, chain.now(), 0, pool.turns());
            prop_assert_eq!(refused, vec![]);
            let again = validate(&chain.rules, &chain.state, &chain.tip, &block, |_| None);
            let again = again.unwrap();
            prop_assert_eq!(again.tip(), outcome.tip());
            let (committed, touched): (Vec<TxId>, _) =
                (block.transactions.iter().map(Transaction::id).collect(), outcome.touched());
            let verified = block.transactions.iter().map(|tx| tx.clone().verify(chain.rules.chain()).unwrap());
            let block_of: Vec<Verified> = verified.collect();
            chain.append(block, outcome);
            let late = pool.settle(&chain.rules, &chain.state, &chain.tip, (&committed, &touched), false);
            prop_assert_eq!(late, vec![]);
            assert_sound(&chain, &pool);
            past.extend(block_of);
            for tx in &past {
                let again = judge(&chain.rules, &chain.state, pool.overlay(), chain.tip.moment(), 0, tx);
                prop_assert_eq!(again.unwrap_err().code(), "E-TX-COMMITTED");
            }
            for (subject, (status, version)) in subjects(&chain) {
                let Some((old, was)) = before.get(&subject) else { continue };
                // A basic code goes on to note what its levels do; everything else that is over stays as it was.
                let over = matches!(old, Status::Annulled | Status::Cancelled | Status::Revoked | Status::Superseded);
                prop_assert!(!over || status == *old, "{subject} was {old:?}");
                prop_assert!(version == *was || (!over && version > *was), "{subject}");
            }
        }
        assert_whole(&chain);
    }

    /// Another node, which holds nothing in its pool and reads its own copy, comes to the same roots.
    #[test]
    fn two_nodes_agree(history in lines()) {
        let (mut here, mut there) = (Chain::new(), Chain::new());
        for (agency, lines) in history {
            let operations = lines.iter().map(|(line, n)| operation(action(line), *n)).collect();
            let tx = here.sign(agency, operations);
            let (block, outcome, _) = here.block(&[tx]);
            let copy = std::thread::scope(|scope| {
                let judge = || validate(&there.rules, &there.state, &there.tip, &block, |_| None);
                scope.spawn(judge).join().unwrap()
            });
            there.append(block.clone(), copy.unwrap());
            here.append(block, outcome);
        }
        prop_assert_eq!(&here.state, &there.state);
        prop_assert_eq!(here.tip, there.tip);
    }
}

fn subjects(chain: &Chain) -> BTreeMap<Subject, (Status, u32)> {
    let pairs = chain.state.scan(crate::Column::Subjects, &[], &[], 1000);
    pairs
        .iter()
        .map(|(_, bytes)| codec::decode::<crate::execute::Kept>(bytes).unwrap().state)
        .map(|state| (state.subject, (state.status, state.version)))
        .collect()
}

#[test]
fn an_empty_block_changes_nothing_but_the_tip() {
    let mut chain = Chain::new();
    let empty =
        |chain: &Chain| Draft::new(&chain.rules, &chain.state, &chain.tip, chain.now()).finish(0);
    // The first takes in what genesis says: the network, and four agencies.
    let (block, outcome) = empty(&chain);
    assert_ne!(block.header.state_root, chain.tip.state_root);
    assert_eq!(outcome.touched().len(), 5);
    chain.append(block, outcome);
    let (block, outcome) = empty(&chain);
    assert_eq!(block.header.state_root, chain.tip.state_root);
    assert_eq!(outcome.touched(), []);
}

#[test]
fn a_batch_goes_on_its_series_and_a_seed_unit_is_used_once() {
    for (lines, want) in [
        (&["1: batch urn:b:s 1"][..], "ok"),
        (&["1: batch urn:b:s 25000000", "1: batch urn:b:s 4294967296"], "ok"),
        (&["1: batch urn:b:s 0"], "E-BATCH-LINES"),
        (&["1: batch urn:b:s 4294967297"], "E-BATCH-LINES"),
        (&["1: batch urn:x:s 1"], "E-AUTH-ROLE"),
        (&["3: batch urn:b:s 1"], "E-AUTH-ROLE"),
        // A series belongs to whoever began it, and to those above.
        (&["1: batch urn:b:s 1", "0: batch urn:b:s 1"], "ok"),
        (&["0: batch urn:b:s 1", "1: batch urn:b:s 1"], "E-AUTH-OWNER"),
        (&["1: seed P1 35072220260000000217 urn:b:1"], "ok"),
        (&["1: seed P1 A1 urn:b:1", "1: seed P1 A1 urn:b:1"], "E-SEED-REUSED"),
        (&["1: seed P1 A1 urn:b:1", "0: seed P1 A1 urn:b:2"], "E-SEED-REUSED"),
        (&["1: seed P1 A1 urn:b:1", "1: seed P1 A2 urn:b:1"], "ok"),
        (&["1: seed P1 A1 urn:b:1", "1: seed P2 A1 urn:b:1"], "ok"),
        (&["1: seed P1 A-1 urn:b:1"], "E-SEED-UNIT"),
        (&["1: seed P1 种1 urn:b:1"], "E-SEED-UNIT"),
        (&["1: seed P1 A1 urn:x:1"], "E-AUTH-ROLE"),
        // A permit that is on the ledger is valid, and of the line of whoever puts codes under it.
        (&["0: issue P1", "0: seed P1 A1 urn:1"], "ok"),
        (&["0: issue P1", "1: seed P1 A1 urn:b:1"], "ok"),
        (&["1: issue P1", "0: seed P1 A1 urn:1"], "ok"),
        (&["0: issue P1", "2: seed P1 A1 urn:c:1"], "E-SEED-PERMIT"),
        (&["2: issue P1", "0: seed P1 A1 urn:1"], "E-SEED-PERMIT"),
        (&["0: issue P1", "0: suspend P1", "0: seed P1 A1 urn:1"], "E-SEED-PERMIT"),
        (&["0: issue-until P1 1000", "0: seed P1 A1 urn:1"], "E-SEED-PERMIT"),
    ] {
        check(lines, want);
    }
    let mut chain = Chain::new();
    for line in ["1: batch urn:b:s 3", "1: batch urn:b:s 4", "1: seed P A urn:b:1"] {
        assert_eq!(chain.does(line), "ok");
    }
    let state = |name: &str| query::subject(&chain.state, &name.parse().unwrap()).unwrap();
    assert_eq!(
        (state("batch:urn:b:s").facts, state("batch:urn:b:s").records),
        (Facts::Batch { lines: 7 }, 2)
    );
    assert_eq!(state("seed:P/A").facts, Facts::Seed { lot: "urn:b:1".parse().unwrap() });
}
