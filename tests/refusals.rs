//! Every reason for which a record is refused, in one place: its code, and what causes it. A code without a row fails here.
//!
//! Rows of the ledger are done: admission and execution must both say the code. Rows of documents are read. The codes are
//! taken from the sources of `ledger` and `records`, so a new one needs a row in the same commit.

#![cfg(test)]

use ledger::{Pool, PoolLimits, Rejection, tip};
use records::{Capture, prepare};
use std::{collections::BTreeSet, fs, path::Path};
use tests::{Chain, operation, repository};
use types::{
    Agency, AgencyCode, Hash, Height, Level, Operation, PublicKey, RecordId, Region, Role,
    SecretKey, Signature, Timestamp, Transaction,
    authority::{Change, Enrolment, Governance, NewSeat, Possessed, Target},
    bulk::{BatchAction, SeedAction},
    item::{Edition, Element, ListAction, ListVerb, Predecessor, Successor, elements_root},
    operation::{
        Action, EventType, Grade, ItemAction, ItemVerb, LicenceAction, LicenceFacts, LicenceVerb,
        TraceEvent,
    },
    subject::Part,
};

/// 0 governs alone and has every role; 1 is below it, with the items of one city; 2 has no role; 3 no parent and no role.
const CODES: [&str; 4] =
    ["11350000MXDEX0015L", "11350100MXDEX00587", "11350000MXDEX0031A", "11350000MXDEX004X2"];

fn code(n: u8) -> AgencyCode {
    AgencyCode::new(CODES[usize::from(n)]).unwrap()
}

fn region(text: &str) -> Region {
    Region::new(text).unwrap()
}

fn chain() -> Chain {
    let item = |place: &str| Role::Item { regions: vec![region(place)] };
    let licence =
        Role::Licence { types: vec!["1".parse().unwrap()], regions: vec![region("350000")] };
    let trace = Role::Trace { namespaces: vec!["urn:".parse().unwrap()] };
    let agency = |n: u8| Agency {
        code: code(n),
        name: format!("机构{n}").parse().unwrap(),
        region: region(if n == 1 { "350100" } else { "350000" }),
        level: if n == 1 { Level::City } else { Level::Province },
        parent: (n == 1).then(|| code(0)),
        keys: Vec::new(),
        roles: match n {
            0 => vec![item("350000"), licence.clone(), trace.clone(), Role::Govern {}],
            1 => vec![item("350100"), licence.clone()],
            _ => Vec::new(),
        },
    };
    Chain::with((0..4).map(agency).collect(), 73)
}

/// A chain, and what is tried on it.
struct Bench {
    chain: Chain,
    nonce: u64,
}

impl Bench {
    fn new() -> Self {
        Self { chain: chain(), nonce: 0 }
    }

    fn sign(&mut self, who: u8, operations: Vec<Operation>) -> Transaction {
        self.nonce += 1;
        let (genesis, key) = (self.chain.genesis().chain(), self.chain.key(who));
        Transaction::sign(genesis, code(who), &key, self.nonce, Height(900), operations)
    }

    fn attempt(&mut self, who: u8, action: Action) -> Result<RecordId, Rejection> {
        let act = self.prepare(action);
        let record = act.record(&code(who));
        let tx = self.sign(who, vec![act]);
        self.chain.attempt(tx).map(|()| record)
    }

    fn prepare(&mut self, action: Action) -> Operation {
        let mut act = operation(action, &format!("document {}", self.nonce));
        if let Action::Item(item) = &act.action {
            act.commitment.fields = match &item.verb {
                ItemVerb::Enter(edition)
                | ItemVerb::Revise(edition)
                | ItemVerb::Merge { edition, .. } => {
                    Some(elements_root([edition.elements.as_slice()]))
                }
                ItemVerb::Split { successors } => {
                    Some(elements_root(successors.iter().map(|new| new.elements.as_slice())))
                }
                ItemVerb::Publish { .. }
                | ItemVerb::Amend { .. }
                | ItemVerb::Suspend
                | ItemVerb::Resume
                | ItemVerb::Cancel
                | ItemVerb::Entrust { .. } => None,
            };
        }
        act
    }

    fn ok(&mut self, who: u8, action: Action) -> RecordId {
        self.attempt(who, action).unwrap_or_else(|why| panic!("{why}"))
    }

    fn no(&mut self, who: u8, action: Action) -> Rejection {
        self.attempt(who, action).expect_err("it must be refused")
    }

    fn propose(&mut self, change: Change) -> RecordId {
        self.ok(0, Action::Govern(Governance::Propose(Box::new(change))))
    }

    fn no_change(&mut self, change: Change) -> Rejection {
        self.no(0, Action::Govern(Governance::Propose(Box::new(change))))
    }

    fn possessed(&self, n: u8, agency: u8) -> Possessed {
        let secret = SecretKey::from_seed([n; 32]);
        Possessed::sign(&secret, &self.chain.genesis().chain(), &code(agency))
    }
}

fn elements(names: &[&str]) -> Vec<Element> {
    names.iter().map(|name| Element::new(name.parse().unwrap(), b"1")).collect()
}

fn item_code(n: u32) -> types::operation::ItemCode {
    format!("{n:024}").parse().unwrap()
}

fn item_at(n: u32, level: Level, place: &str, verb: ItemVerb) -> Action {
    let (code, basic) = (item_code(n), "B".parse().unwrap());
    Action::Item(ItemAction { code, basic, level, region: region(place), verb })
}

fn item(n: u32, verb: ItemVerb) -> Action {
    item_at(n, Level::Province, "350000", verb)
}

fn edition(version: u32) -> Edition {
    Edition { version, planned_cancel: None, elements: elements(&["a", "b"]) }
}

fn enter(n: u32) -> Action {
    item(n, ItemVerb::Enter(edition(1)))
}

fn predecessor(n: u32) -> Predecessor {
    Predecessor { code: item_code(n), basic: "B".parse().unwrap() }
}

fn merged(n: u32, version: u32, old: &[u32]) -> Action {
    let predecessors = old.iter().map(|n| predecessor(*n)).collect();
    item(n, ItemVerb::Merge { edition: edition(version), predecessors })
}

fn split(n: u32, new: &[u32]) -> Action {
    let successor = |n: &u32| Successor {
        code: item_code(*n),
        basic: "B".parse().unwrap(),
        level: Level::Province,
        region: region("350000"),
        planned_cancel: None,
        elements: elements(&["a"]),
    };
    item(n, ItemVerb::Split { successors: new.iter().map(successor).collect() })
}

fn facts() -> LicenceFacts {
    LicenceFacts {
        kind: "11".parse().unwrap(),
        region: region("350100"),
        valid_from: Timestamp(1000),
        valid_until: Some(Timestamp(2000)),
    }
}

fn licence(id: &str, verb: LicenceVerb) -> Action {
    Action::Licence(LicenceAction { licence: id.parse().unwrap(), verb })
}

fn grant(agency: u8, role: Role, until: Option<Timestamp>) -> Change {
    Change::Grant { agency: code(agency), role, until }
}

fn items_of(place: &str) -> Role {
    Role::Item { regions: vec![region(place)] }
}

fn delegate(to: u8, role: Role) -> Action {
    Action::Govern(Governance::Delegate { to: code(to), role, until: None })
}

type Row = (&'static str, &'static str, fn(&mut Bench) -> Rejection);

/// The table of the ledger: code, what causes it in words, and that very thing.
const ROWS: &[Row] = &[
    ("E-BATCH-LINES", "a batch of nothing", |b| {
        let series = "urn:series".parse().unwrap();
        b.no(0, Action::Batch(BatchAction { series, lines: 0, root: Hash::ZERO }))
    }),
    ("E-SEED-UNIT", "a unit code with a sign in it", |b| b.no(0, seed("a-b"))),
    ("E-SEED-REUSED", "a unit code on a second pack", |b| {
        b.ok(0, seed("AB12"));
        b.no(0, seed("AB12"))
    }),
    ("E-SEED-PERMIT", "a pack under a permit that has run out", |b| {
        b.ok(0, licence("permit-1", LicenceVerb::Issue(facts())));
        b.no(0, seed("AB12"))
    }),
    ("E-TX-VERSION", "a transaction of another version", |b| {
        let mut tx = one(b);
        tx.header.version = 9;
        b.chain.attempt(tx).unwrap_err()
    }),
    ("E-TX-CHAIN", "a transaction for another chain", |b| {
        let mut tx = one(b);
        tx.header.chain = types::ChainId(Hash([9; 32]));
        b.chain.attempt(tx).unwrap_err()
    }),
    ("E-TX-COUNT", "a transaction without operations", |b| {
        let tx = b.sign(0, Vec::new());
        b.chain.attempt(tx).unwrap_err()
    }),
    ("E-TX-OPERATIONS", "operations other than those that were signed", |b| {
        let mut tx = one(b);
        tx.operations[0].grade = Grade::Restricted;
        b.chain.attempt(tx).unwrap_err()
    }),
    ("E-TX-SIGNATURE", "a signature by nobody", |b| {
        let mut tx = one(b);
        let other: Signature = one(b).signature;
        tx.signature = other;
        b.chain.attempt(tx).unwrap_err()
    }),
    ("E-TX-SIZE", "more operations than a block may hold", |b| {
        let many = (0..1000).map(|n| operation(enter(n), &n.to_string()));
        let mut many: Vec<_> = many.collect();
        let limits = types::genesis::Limits {
            block_operations_max: 999,
            ..b.chain.rules().limits().to_owned()
        };
        b.propose(Change::Limits(limits));
        let tx = b.sign(0, core::mem::take(&mut many));
        b.chain.attempt(tx).unwrap_err()
    }),
    ("E-TX-EXPIRED", "a deadline that has passed", |b| {
        b.ok(0, enter(1));
        until(b, Height(1))
    }),
    ("E-TX-HORIZON", "a deadline too far ahead", |b| until(b, Height(5000))),
    ("E-TX-COMMITTED", "a transaction that is committed", |b| {
        let tx = one(b);
        b.chain.attempt(tx.clone()).unwrap();
        b.chain.attempt(tx).unwrap_err()
    }),
    ("E-REC-RECORDED", "records that are on the ledger, under a new signature", |b| {
        let tx = one(b);
        let again = b.sign(0, tx.operations.clone());
        b.chain.attempt(tx).unwrap();
        b.chain.attempt(again).unwrap_err()
    }),
    ("E-AUTH-KEY", "a key that nobody enrolled", |b| {
        signed_by(b, 0, &SecretKey::from_seed([9; 32]))
    }),
    ("E-AUTH-AGENCY", "the key of another agency", |b| {
        let key = b.chain.key(1);
        signed_by(b, 0, &key)
    }),
    ("E-AUTH-ROLE", "an item entered without a role", |b| b.no(2, enter(1))),
    ("E-AUTH-OWNER", "another's licence suspended", |b| {
        b.ok(0, licence("L", LicenceVerb::Issue(facts())));
        b.no(1, licence("L", LicenceVerb::Suspend))
    }),
    ("E-AUTH-INACTIVE", "an act of a suspended agency", |b| {
        b.propose(Change::Suspend(code(1)));
        b.no(1, item_at(1, Level::City, "350100", ItemVerb::Suspend))
    }),
    ("E-AUTH-TERM", "a signature with a key that was replaced", |b| {
        let (retire, enrol) = (b.chain.key(1).public(), b.possessed(50, 1));
        b.ok(1, Action::Govern(Governance::Rotate { retire, enrol }));
        b.no(1, item_at(1, Level::City, "350100", ItemVerb::Suspend))
    }),
    ("E-SUB-EXISTS", "an item entered twice", |b| {
        b.ok(0, enter(1));
        b.no(0, enter(1))
    }),
    ("E-SUB-UNKNOWN", "an item suspended that is not there", |b| {
        b.no(0, item(1, ItemVerb::Suspend))
    }),
    ("E-SUB-TERMINAL", "a cancelled item resumed", |b| {
        b.ok(0, enter(1));
        b.ok(0, item(1, ItemVerb::Cancel));
        b.no(0, item(1, ItemVerb::Resume))
    }),
    ("E-SUB-STATUS", "an item resumed that is not suspended", |b| {
        b.ok(0, enter(1));
        b.no(0, item(1, ItemVerb::Resume))
    }),
    ("E-ITEM-VERSION", "a version left out", |b| {
        b.ok(0, enter(1));
        b.no(0, item(1, ItemVerb::Revise(edition(3))))
    }),
    ("E-ITEM-LEVEL", "a city's entry under a basic code that no province opened", |b| {
        b.no(1, item_at(1, Level::City, "350100", ItemVerb::Enter(edition(1))))
    }),
    ("E-ITEM-IDENTITY", "an item that changes its region", |b| {
        b.ok(0, enter(1));
        b.no(0, item_at(1, Level::City, "350100", ItemVerb::Revise(edition(2))))
    }),
    ("E-LIC-VALIDITY", "a licence that ends before it begins", |b| {
        let facts = LicenceFacts { valid_until: Some(Timestamp(999)), ..facts() };
        b.no(0, licence("L", LicenceVerb::Issue(facts)))
    }),
    ("E-LIC-ITSELF", "a licence that supersedes itself", |b| {
        let supersedes = "L".parse().unwrap();
        b.no(0, licence("L", LicenceVerb::Renew { supersedes, facts: facts() }))
    }),
    ("E-TRACE-LOTS", "an event that names a lot twice", |b| {
        let lot: (types::operation::Lot, Part) = ("urn:a".parse().unwrap(), Part::Observed);
        b.no(
            0,
            Action::Trace(TraceEvent {
                event: EventType::Object,
                id: None,
                time: Timestamp(1),
                step: None,
                lots: vec![lot.clone(), lot],
                cbv_hash: None,
                corrects: None,
            }),
        )
    }),
    ("E-POOL-FULL", "a pool that holds as much as it may", |b| pool(b, 1)),
    ("E-POOL-QUOTA", "a key that waits for as much as it may", |b| pool(b, 2)),
    ("E-ITEM-CODE", "a code of three characters", |b| {
        let Action::Item(mut act) = enter(1) else { unreachable!() };
        act.code = "ABC".parse().unwrap();
        b.no(0, Action::Item(act))
    }),
    ("E-ITEM-REGION", "a provincial entry in a city", |b| {
        b.no(0, item_at(1, Level::Province, "350100", ItemVerb::Enter(edition(1))))
    }),
    ("E-ITEM-DATES", "an end that is planned before the beginning", |b| {
        let edition = Edition { planned_cancel: Some(Timestamp(1)), ..edition(1) };
        b.no(0, item(1, ItemVerb::Enter(edition)))
    }),
    ("E-ITEM-ELEMENTS", "an element twice", |b| {
        b.no(0, item(1, ItemVerb::Enter(Edition { elements: elements(&["a", "a"]), ..edition(1) })))
    }),
    ("E-ITEM-UNIFORM", "a version without a uniform element", |b| {
        b.propose(Change::Elements(vec!["c".parse().unwrap()]));
        b.no(0, enter(1))
    }),
    ("E-ITEM-ROOT", "a commitment to other elements", |b| {
        let mut act = b.prepare(enter(1));
        act.commitment.fields = Some(Hash::ZERO);
        let tx = b.sign(0, vec![act]);
        b.chain.attempt(tx).unwrap_err()
    }),
    ("E-ITEM-PREDECESSORS", "one item merged into a new one", |b| {
        b.ok(0, enter(1));
        b.no(0, merged(2, 1, &[1]))
    }),
    ("E-ITEM-SUCCESSORS", "an item split into one", |b| {
        b.ok(0, enter(1));
        b.no(0, split(1, &[2]))
    }),
    ("E-ITEM-ITSELF", "an item merged into itself", |b| {
        b.ok(0, enter(1));
        b.no(0, merged(1, 2, &[1]))
    }),
    ("E-ITEM-ENTRUST", "work entrusted to oneself", |b| {
        b.ok(0, enter(1));
        let tasks = vec!["accept".parse().unwrap()];
        b.no(0, item(1, ItemVerb::Entrust { to: code(0), tasks, until: None }))
    }),
    ("E-LIST-MEMBERS", "a list of nothing", |b| {
        let (name, region) = ("名单".parse().unwrap(), region("350000"));
        let verb = ListVerb::Publish { members: Vec::new() };
        b.no(0, Action::List(ListAction { name, region, verb }))
    }),
    ("E-LIST-NAME", "a city's list that is named as a province's", |b| {
        b.ok(0, enter(1));
        let (name, region) = ("名单".parse().unwrap(), region("350100"));
        let verb = ListVerb::Publish { members: vec![item_code(1)] };
        b.no(1, Action::List(ListAction { name, region, verb }))
    }),
    ("E-GOV-CLOSED", "an approval after the proposal closed", |b| {
        second_governor(b);
        let rules = types::genesis::GovernanceRules {
            open_heights: 10,
            ..b.chain.rules().network().governance
        };
        let proposal = b.propose(Change::Rules(rules));
        approve(b, 1, proposal, Target::Network).unwrap();
        let proposal = b.propose(Change::Suspend(code(2)));
        for n in 0..12 {
            b.ok(0, enter(n));
        }
        approve(b, 1, proposal, Target::Agency(code(2))).unwrap_err()
    }),
    ("E-GOV-TWICE", "a second approval", |b| {
        second_governor(b);
        let proposal = b.propose(Change::Suspend(code(2)));
        approve(b, 0, proposal, Target::Agency(code(2))).unwrap_err()
    }),
    ("E-GOV-TARGET", "an approval that names another target", |b| {
        second_governor(b);
        let proposal = b.propose(Change::Suspend(code(2)));
        approve(b, 1, proposal, Target::Network).unwrap_err()
    }),
    ("E-GOV-PROPOSER", "another's proposal withdrawn", |b| {
        second_governor(b);
        let (proposal, target) = (b.propose(Change::Suspend(code(2))), Target::Agency(code(2)));
        b.no(1, Action::Govern(Governance::Withdraw { proposal, target }))
    }),
    ("E-GOV-KEY-TAKEN", "a key enrolled twice", |b| {
        let key = b.possessed(50, 1);
        b.propose(Change::EnrolKey { agency: code(1), key });
        b.no_change(Change::EnrolKey { agency: code(1), key })
    }),
    ("E-GOV-KEY-UNKNOWN", "a key retired that is not the agency's", |b| {
        b.no_change(Change::RetireKey { agency: code(1), key: public(50) })
    }),
    ("E-GOV-POSSESSION", "a key without its holder's word", |b| {
        let key = b.possessed(50, 2);
        b.no_change(Change::EnrolKey { agency: code(1), key })
    }),
    ("E-GOV-KEY-LAST", "an agency's last key retired", |b| {
        let key = b.chain.key(1).public();
        b.no_change(Change::RetireKey { agency: code(1), key })
    }),
    ("E-GOV-KEYS", "an agency enrolled without keys", |b| {
        b.no_change(Change::Enrol(Enrolment {
            code: AgencyCode::new("113500000035912564").unwrap(),
            name: "新".parse().unwrap(),
            region: region("350000"),
            level: Level::Province,
            parent: None,
            keys: Vec::new(),
        }))
    }),
    ("E-GOV-GRANT", "a grant revoked that is not there", |b| {
        b.no_change(Change::Revoke { agency: code(2), number: 7 })
    }),
    ("E-GOV-SCOPE", "a role over nothing", |b| {
        b.no_change(grant(2, Role::Item { regions: Vec::new() }, None))
    }),
    ("E-GOV-EXPIRY", "a role that has ended already", |b| {
        b.no_change(grant(2, items_of("350000"), Some(Timestamp(1))))
    }),
    ("E-GOV-ENDLESS", "a role to govern that would end", |b| {
        b.no_change(grant(2, Role::Govern {}, Some(Timestamp(4_000_000_000_000))))
    }),
    ("E-GOV-WIDER", "a role passed on that one does not have", |b| {
        b.no(0, delegate(1, items_of("360000")))
    }),
    ("E-GOV-LINE", "a role passed to an agency that is not below", |b| {
        b.no(0, delegate(3, items_of("350100")))
    }),
    ("E-GOV-LEVEL", "an agency enrolled below one of its own level", |b| {
        let enrolment = enrolled(b, Level::Province, "350000");
        b.no_change(Change::Enrol(enrolment))
    }),
    ("E-GOV-REGION", "a city's agency enrolled in a county", |b| {
        let enrolment = enrolled(b, Level::City, "350122");
        b.no_change(Change::Enrol(enrolment))
    }),
    ("E-GOV-SEAT-UNKNOWN", "a seat that leaves and is not there", |b| {
        b.no_change(Change::Committee { join: Vec::new(), leave: vec![public(50)] })
    }),
    ("E-GOV-SEATED", "an agency dissolved that has a seat", |b| {
        b.no_change(Change::Dissolve(code(2)))
    }),
    ("E-GOV-COMMITTEE", "fewer than four seats", |b| {
        let leave = vec![b.chain.seat(3).public()];
        b.no_change(Change::Committee { join: Vec::new(), leave })
    }),
    ("E-GOV-NEWCOMERS", "more seats that join than may be absent", |b| {
        let join = vec![seat(b, 50), seat(b, 52)];
        b.no_change(Change::Committee { join, leave: Vec::new() })
    }),
    ("E-GOV-PENDING", "a second committee while one waits", |b| {
        let rules = types::genesis::GovernanceRules {
            lead_heights: 100,
            ..b.chain.rules().network().governance
        };
        b.propose(Change::Rules(rules));
        let (first, second) = (seat(b, 50), seat(b, 52));
        b.propose(Change::Committee { join: vec![first], leave: Vec::new() });
        b.no_change(Change::Committee { join: vec![second], leave: Vec::new() })
    }),
    ("E-GOV-NOTHING", "a committee that stays as it is", |b| {
        b.no_change(Change::Committee { join: Vec::new(), leave: Vec::new() })
    }),
    ("E-GOV-PARAMETER", "an element named twice as uniform", |b| {
        b.no_change(Change::Elements(vec!["a".parse().unwrap(), "a".parse().unwrap()]))
    }),
    ("E-GOV-UNGOVERNED", "the last agency that governs suspended", |b| {
        b.no_change(Change::Suspend(code(0)))
    }),
    ("E-GOV-SIZE", "more grants than a subject has room for", |b| {
        let space = |n: usize| format!("urn:{n:0>250}").parse().unwrap();
        let role = Role::Trace { namespaces: (0..64).map(space).collect() };
        for _ in 0..3 {
            b.propose(grant(2, role.clone(), None));
        }
        b.no_change(grant(2, role, None))
    }),
];

fn one(b: &mut Bench) -> Transaction {
    let act = b.prepare(enter(1));
    b.sign(0, vec![act])
}

fn public(n: u8) -> PublicKey {
    SecretKey::from_seed([n; 32]).public()
}

fn until(b: &mut Bench, until: Height) -> Rejection {
    let act = b.prepare(enter(7));
    let (genesis, key) = (b.chain.genesis().chain(), b.chain.key(0));
    b.chain.attempt(Transaction::sign(genesis, code(0), &key, 99, until, vec![act])).unwrap_err()
}

fn signed_by(b: &mut Bench, who: u8, key: &SecretKey) -> Rejection {
    let act = b.prepare(enter(7));
    let genesis = b.chain.genesis().chain();
    let tx = Transaction::sign(genesis, code(who), key, 99, Height(900), vec![act]);
    b.chain.attempt(tx).unwrap_err()
}

/// A pack of seed.
fn seed(unit: &str) -> Action {
    Action::Seed(SeedAction {
        permit: "permit-1".parse().unwrap(),
        unit: unit.parse().unwrap(),
        lot: "urn:lot:1".parse().unwrap(),
    })
}

/// A pool for so many transactions, after the first by the same key.
fn pool(b: &mut Bench, transactions_max: usize) -> Rejection {
    let mut pool = Pool::new(PoolLimits { transactions_max, ..PoolLimits::default() });
    let mut refused = None;
    for n in 0..2 {
        let act = b.prepare(enter(n));
        let tx = b.sign(0, vec![act]).verify(&b.chain.genesis().chain()).unwrap();
        let (rules, state) = (b.chain.rules(), b.chain.state());
        refused = pool.admit(rules, state, &tip(rules, state), tx).err();
    }
    refused.expect("the second is one too many")
}

/// A new agency below the first.
fn enrolled(b: &Bench, level: Level, place: &str) -> Enrolment {
    let code = AgencyCode::new("113500000035912564").unwrap();
    let secret = SecretKey::from_seed([50; 32]);
    Enrolment {
        code,
        name: "新".parse().unwrap(),
        region: region(place),
        level,
        parent: Some(self::code(0)),
        keys: vec![Possessed::sign(&secret, &b.chain.genesis().chain(), &code)],
    }
}

/// From now on two approvals are needed.
fn second_governor(b: &mut Bench) {
    b.propose(grant(1, Role::Govern {}, None));
}

fn approve(
    b: &mut Bench,
    who: u8,
    proposal: RecordId,
    target: Target,
) -> Result<RecordId, Rejection> {
    b.attempt(who, Action::Govern(Governance::Approve { proposal, target }))
}

fn seat(b: &Bench, n: u8) -> NewSeat {
    NewSeat {
        agency: code(2),
        consensus_key: b.possessed(n, 2),
        transport_key: b.possessed(n + 1, 2),
    }
}

/// The table of documents: code, and a document that has just that fault, or has it among others.
const DOCUMENTS: &[(&str, &str)] = &[
    ("E-REC-001", "\u{feff}{}"),
    ("E-REC-002", "{"),
    ("E-REC-003", r#"{"a":1,"a":2}"#),
    ("E-REC-004", "deep"),
    ("E-REC-005", "many"),
    ("E-REC-006", r#"{"op":12345678901234567890}"#),
    ("E-REC-007", r#"{"op":"\ud800"}"#),
    ("E-REC-010", "{}"),
    ("E-REC-011", r#"{"op":"item.publish"}"#),
    ("E-REC-012", r#"{"op":"item.publish","x":1}"#),
    ("E-REC-013", r#"{"op":1}"#),
    ("E-REC-014", r#"{"op":"item.cancel","effective":"2026-01-01","实施编码":""}"#),
    ("E-REC-015", r#"{"op":"item.cancel","effective":"soon"}"#),
    ("E-REC-016", r#"[{"type":"EPCISDocument"}]"#),
    ("E-REC-020", r#"{"type":"MadeUpEvent"}"#),
    ("E-REC-021", r#"{"type":"ObjectEvent","eventTimeZoneOffset":"8"}"#),
    ("E-REC-022", r#"{"type":"ObjectEvent","action":"MAKE"}"#),
    ("E-REC-023", r#"{"type":"ObjectEvent","action":"OBSERVE","bizStep":"walking"}"#),
    ("E-REC-024", r#"{"type":"ObjectEvent","action":"OBSERVE","epcList":["a b"]}"#),
    (
        "E-REC-025",
        r#"{"type":"ObjectEvent","action":"ADD","quantityList":[{"epcClass":"urn:a:b","quantity":-1}]}"#,
    ),
    ("E-REC-026", r#"{"type":"ObjectEvent","action":"OBSERVE","wing":1}"#),
    (
        "E-REC-027",
        r#"{"@context":"https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld","type":"ObjectEvent","action":"OBSERVE","eventTime":"2026-01-01T00:00:00Z","eventTimeZoneOffset":"+08:00"}"#,
    ),
    ("E-REC-040", r#"{"op":"item.delete"}"#),
    ("E-REC-042", r#"{"op":"licence.suspend","licence":"1"}"#),
    (
        "E-REC-043",
        r#"{"op":"licence.suspend","licence":"1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.V"}"#,
    ),
    ("E-REC-044", r#"{"op":"item.cancel","actor":"1"}"#),
    ("E-REC-045", r#"{"op":"list.publish","effective":"2026-01-01","list":{"行政区划代码":"1"}}"#),
    ("E-REC-046", r#"{"op":"item.cancel","实施编码":"1"}"#),
    (
        "E-REC-047",
        r#"{"op":"item.cancel","实施编码":"11350122XXXX0007896350117002011","基本编码":"1"}"#,
    ),
    ("E-REC-048", r#"{"op":"item.publish","item":{"事项版本":0}}"#),
    (
        "E-REC-049",
        r#"{"op":"item.publish","effective":"2026-01-01","item":{"计划取消日期":"20250101"}}"#,
    ),
    (
        "E-REC-051",
        r#"{"op":"licence.suspend","salt":"x","licence":"1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.U"}"#,
    ),
    ("E-REC-052", r#"{"op":"item.publish","item":{"事项版本":1,"电话":"13800138000"}}"#),
    ("E-REC-060", "[]"),
    ("E-REC-061", r#"{"op":"govern.propose","at":"2026-01-01T00:00:00Z","change":{"nothing":1}}"#),
    (
        "E-REC-080",
        r#"{"op":"item.merge","effective":"2026-01-01","predecessors":[],"item":{"实施编码":"11350122XXXX0007896350117002011","事项名称":"a","事项版本":1}}"#,
    ),
    (
        "E-REC-081",
        r#"{"op":"list.publish","effective":"2026-01-01","list":{"清单名称":"a","行政区划代码":"350000","清单版本":1,"事项":[]}}"#,
    ),
    ("E-REC-082", r#"{"op":"item.delegate","scope":[]}"#),
    ("E-REC-083", r#"{"// op":"a comment","op":"item.cancel"}"#),
];

/// Codes of faults that take a whole document to have; `crates/records/tests` has one of each.
const ELSEWHERE: &[(&str, &str)] = &[
    ("E-REC-028", "chain_of_events.rs: what_the_schema_lets_pass_is_refused_at_its_place"),
    ("E-REC-029", "refusals.rs: malformed_events_are_refused_where_they_are_wrong"),
    ("E-REC-070", "usage.rs"),
    ("E-REC-071", "usage.rs"),
    ("E-REC-072", "usage.rs"),
    ("E-REC-073", "usage.rs"),
    ("E-REC-074", "usage.rs"),
    ("E-REC-075", "usage.rs"),
    ("E-REC-076", "usage.rs: every_field_has_a_salt_of_its_own"),
    ("E-REC-030", "refusals.rs, documents.rs: faulty_gdst_files_are_refused_by_the_element"),
    ("E-REC-031", "refusals.rs, documents.rs: faulty_gdst_files_are_refused_by_the_element"),
    ("E-REC-050", "refusals.rs: malformed_licence_operations_are_refused"),
    ("E-REC-053", "refusals.rs: malformed_licence_operations_are_refused"),
    ("E-REC-054", "refusals.rs"),
];

fn codes(text: &str) -> BTreeSet<String> {
    let quoted = text.split('"').filter(|part| {
        part.starts_with("E-")
            && part.len() > 4
            && part.bytes().all(|c| matches!(c, b'A'..=b'Z' | b'0'..=b'9' | b'-'))
    });
    quoted.map(str::to_owned).collect()
}

fn sources(folder: &Path) -> String {
    let mut paths: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let text = |path: &std::path::PathBuf| {
        if path.is_dir() { sources(path) } else { fs::read_to_string(path).unwrap() }
    };
    paths.iter().map(text).collect()
}

#[test]
fn every_code_of_the_ledger_has_a_row_and_every_row_its_code() {
    let known =
        codes(&fs::read_to_string(repository().join("crates/ledger/src/rejection.rs")).unwrap());
    let rows: BTreeSet<String> = ROWS.iter().map(|(code, ..)| (*code).to_owned()).collect();
    assert_eq!(rows.len(), ROWS.len(), "no code twice");
    let lacking: Vec<_> = known.difference(&rows).collect();
    assert!(lacking.is_empty(), "codes without a row in tests/refusals.rs: {lacking:?}");
    let unknown: Vec<_> = rows.difference(&known).collect();
    assert!(unknown.is_empty(), "rows of codes that there are not: {unknown:?}");
    for (code, words, cause) in ROWS {
        let why = cause(&mut Bench::new());
        assert_eq!(why.code(), *code, "{words}: {why}");
        assert!(!why.to_string().is_empty());
    }
}

/// Of licences, grants, data and documents there are a hundred rows beside the rules.
#[test]
fn every_objection_has_a_row_beside_its_rule() {
    let rules = repository().join("crates/ledger/src");
    let known = codes(&fs::read_to_string(rules.join("objection.rs")).unwrap());
    let shown = codes(&fs::read_to_string(rules.join("usage_tests.rs")).unwrap());
    let lacking: Vec<_> = known.difference(&shown).collect();
    assert!(known.len() > 20 && lacking.is_empty(), "codes without a row: {lacking:?}");
}

#[test]
fn every_code_of_documents_has_a_row_and_every_row_its_code() {
    let known = codes(&sources(&repository().join("crates/records/src")));
    let known: BTreeSet<String> =
        known.into_iter().filter(|code| code.starts_with("E-REC-")).collect();
    let rows = DOCUMENTS.iter().map(|(code, _)| code).chain(ELSEWHERE.iter().map(|(code, _)| code));
    let rows: BTreeSet<String> = rows.map(|code| (*code).to_owned()).collect();
    assert_eq!(rows.len(), DOCUMENTS.len() + ELSEWHERE.len(), "no code twice");
    assert_eq!(
        known, rows,
        "left: the codes there are; right: those with a row in tests/refusals.rs"
    );
    let tests = sources(&repository().join("crates/records/tests"));
    for (code, _) in ELSEWHERE {
        assert!(tests.contains(code), "{code}");
    }
    let capture = Capture {
        system: "test".parse().unwrap(),
        version: "1".parse().unwrap(),
        captured_at: Timestamp(0),
        grade: Grade::Public,
    };
    for (code, document) in DOCUMENTS {
        let document = match *document {
            "deep" => "[".repeat(100) + &"]".repeat(100),
            "many" => format!("[{}]", vec![r#"{"op":"x"}"#; records::RECORDS_MAX + 1].join(",")),
            text => text.to_owned(),
        };
        let faults = prepare(document.as_bytes(), &capture).expect_err(code);
        let told: Vec<_> = faults.iter().map(|fault| fault.code).collect();
        assert!(told.contains(code), "{code}: {told:?}");
    }
}
