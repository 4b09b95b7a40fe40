//! Scenarios of governance: every change, every refusal by its code, and the committee through many changes.

use crate::{
    Draft, Memory, Pool, PoolLimits, Rules, Tip, commit,
    execute::tip,
    propose,
    prove::{self, Asked},
    query, validate,
};
use proof::TrustRoot;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};
use types::{
    Agency, AgencyCode, Certificate, Certified, Digest, Genesis, Height, Level, Operation,
    PublicKey, RecordId, Region, Role, Round, SecretKey, Subject, Timestamp, Transaction,
    agency::CodeError,
    authority::{Change, Enrolment, Governance, NewSeat, Possessed, Target},
    genesis::{GovernanceRules, Limits, Seat, Timing},
    operation::{Action, Commitment, Grade, LicenceAction, LicenceFacts, LicenceVerb, Provenance},
    subject::{Facts, Status},
    vote::{Step, Vote},
};

mod authority;

const CODES: [&str; 4] =
    ["11350000MXDEX0015L", "11350000MXDEX0023F", "11350000MXDEX0031A", "11350000MXDEX004X2"];

/// A code with right check characters for a number, found by trying.
fn code(n: usize) -> AgencyCode {
    if let Some(known) = CODES.get(n) {
        return AgencyCode::new(known).unwrap();
    }
    let mut text = format!("11350000MXDE{n:04}00").into_bytes();
    loop {
        match AgencyCode::new(core::str::from_utf8(&text).unwrap()) {
            Ok(code) => return code,
            Err(CodeError::OrganisationCheck(c)) => text[16] = u8::try_from(c).unwrap(),
            Err(CodeError::Check(c)) => text[17] = u8::try_from(c).unwrap(),
            Err(other) => panic!("{other}"),
        }
    }
}

fn secret(kind: u8, n: usize) -> SecretKey {
    let mut seed = [kind; 32];
    seed[1..3].copy_from_slice(&u16::try_from(n).unwrap().to_le_bytes());
    SecretKey::from_seed(seed)
}

/// The secret of a seat's consensus key, of those that the tests give away.
fn of_seat(key: &PublicKey) -> &'static SecretKey {
    static SEATS: OnceLock<BTreeMap<PublicKey, SecretKey>> = OnceLock::new();
    let all = SEATS.get_or_init(|| {
        (0..200).map(|n| secret(1, n)).map(|secret| (secret.public(), secret)).collect()
    });
    all.get(key).expect("it is one of ours")
}

fn province() -> Region {
    Region::new("350000").unwrap()
}

fn licence_role(kinds: &[&str], place: &str) -> Role {
    Role::Licence {
        types: kinds.iter().map(|kind| kind.parse().unwrap()).collect(),
        regions: vec![Region::new(place).unwrap()],
    }
}

/// Four agencies: 0, 1 and 2 govern, 3 may issue licences.
fn genesis() -> Genesis {
    let agency = |n: usize| Agency {
        code: code(n),
        name: format!("机构{n}").parse().unwrap(),
        region: province(),
        level: Level::Province,
        parent: None,
        keys: vec![secret(0, n).public()],
        roles: if n < 3 { vec![Role::Govern {}] } else { vec![licence_role(&["1"], "350000")] },
    };
    Genesis {
        version: types::genesis::VERSION,
        name: "governed".parse().unwrap(),
        time: Timestamp(1_700_000_000_000),
        limits: Limits {
            block_bytes_max: 1 << 20,
            block_operations_max: 100,
            validity_heights_max: 1000,
        },
        timing: Timing {
            propose_ms: 300,
            vote_ms: 100,
            round_step_ms: 100,
            timeout_max_ms: 3000,
            idle_ms: 400,
            clock_ahead_ms: 500,
        },
        governance: GovernanceRules { approval_percent: 51, open_heights: 10, lead_heights: 3 },
        agencies: (0..4).map(agency).collect(),
        validators: (0..4)
            .map(|n| Seat {
                agency: code(n),
                consensus_key: secret(1, n).public(),
                transport_key: secret(2, n).public(),
            })
            .collect(),
    }
}

struct Chain {
    genesis: Genesis,
    rules: Rules,
    state: Memory,
    tip: Tip,
    nonce: u64,
}

impl Chain {
    fn new() -> Self {
        let (genesis, state) = (genesis(), Memory::default());
        let rules = Rules::new(&genesis);
        let tip = tip(&rules, &state);
        Self { genesis, rules, state, tip, nonce: 0 }
    }

    fn operation(&mut self, action: Action) -> Operation {
        self.nonce += 1;
        let digest = Digest::blake3(&self.nonce.to_le_bytes());
        Operation {
            action,
            commitment: Commitment { document: digest, content: digest, fields: None },
            effective_from: self.tip.time,
            grade: Grade::Public,
            provenance: Provenance {
                system: "test".parse().unwrap(),
                version: "1".parse().unwrap(),
                captured_at: self.tip.time,
            },
        }
    }

    /// Does this in a block of its own, in an agency's name, with a key: its record, or the code of its refusal.
    fn does(
        &mut self,
        agency: AgencyCode,
        key: &SecretKey,
        action: Action,
    ) -> Result<RecordId, &'static str> {
        let operation = self.operation(action);
        self.records(agency, key, vec![operation])
    }

    /// Records these in one transaction, in a block of their own: the first one's record, or the code of the refusal.
    fn records(
        &mut self,
        agency: AgencyCode,
        key: &SecretKey,
        operations: Vec<Operation>,
    ) -> Result<RecordId, &'static str> {
        let record = operations[0].record(&agency);
        let until = Height(self.tip.height.0 + 50);
        let chain = *self.rules.chain();
        let tx = Transaction::sign(chain, agency, key, self.nonce, until, operations);
        let tx = tx.verify(&chain).unwrap();
        let mut pool = Pool::new(PoolLimits::default());
        let admitted = pool.admit(&self.rules, &self.state, &self.tip, tx.clone());
        let now = self.tip.time.plus(1000);
        let bytes = types::codec::encode(tx.get()).len();
        let sized = core::iter::once((&tx, bytes));
        let (block, outcome, refused) = propose(&self.rules, &self.state, &self.tip, now, 1, sized);
        assert_eq!(admitted.err(), refused.first().map(|(_, why)| why.clone()));
        let again = validate(&self.rules, &self.state, &self.tip, &block, |_| None).unwrap();
        assert_eq!(again.tip(), outcome.tip());
        self.append(block, outcome);
        refused.first().map_or(Ok(record), |(_, why)| Err(why.code()))
    }

    fn append(&mut self, block: types::Block, outcome: crate::Outcome) {
        let (height, round, id) = (block.header.height, Round(0), block.id());
        let committee = self.rules.committee().clone();
        let vote = |(seat, validator): (u16, &types::Validator)| {
            let vote = Vote { height, round, step: Step::Precommit, block: Some(id), seat };
            (seat, vote.sign(self.rules.chain(), of_seat(&validator.key)))
        };
        let signatures = committee.seats().take(committee.quorum()).map(vote).collect();
        let certificate = Certificate { height, round, block: id, signatures };
        let next_committee = block.header.next_committee;
        let certified =
            Certified::verify(block, certificate, self.rules.chain(), &committee).unwrap();
        let (next, governs) = (outcome.tip().clone(), outcome.governs());
        self.state.write(commit(certified, outcome).writes());
        self.tip = next;
        (self.rules, _) = self.rules.after(&self.state, governs);
        // A node that restarts here has the rules of one that went on.
        let restarted = Rules::load(&self.genesis, &self.state);
        assert_eq!(restarted.committee(), self.rules.committee());
        assert_eq!(restarted.network(), self.rules.network());
        assert_eq!(restarted.seated(), self.rules.seated());
        assert!(restarted.agencies().eq(self.rules.agencies()));
        assert_eq!(self.rules.committee().digest(), next_committee);
        let kept = query::committee(&self.state, self.rules.next());
        assert_eq!(kept.as_ref(), Some(self.rules.committee()));
    }

    fn idle(&mut self) {
        let time = self.tip.time.plus(1000);
        let (block, outcome) = Draft::new(&self.rules, &self.state, &self.tip, time).finish(0);
        self.append(block, outcome);
    }

    /// An agency of genesis governs, with its first key.
    fn govern(&mut self, n: usize, act: Governance) -> Result<RecordId, &'static str> {
        self.does(code(n), &secret(0, n), Action::Govern(act))
    }

    fn propose(&mut self, n: usize, change: Change) -> Result<RecordId, &'static str> {
        self.govern(n, Governance::Propose(Box::new(change)))
    }

    /// Proposed by 0 and approved by 1, which is enough.
    fn change(&mut self, change: Change) -> Result<(), &'static str> {
        let target = change.target();
        let proposal = self.propose(0, change)?;
        self.govern(1, Governance::Approve { proposal, target }).map(|_record| ())
    }

    fn issue(
        &mut self,
        agency: AgencyCode,
        key: &SecretKey,
        kind: &str,
    ) -> Result<RecordId, &'static str> {
        let id = format!("L{}", self.nonce);
        let facts = LicenceFacts {
            kind: kind.parse().unwrap(),
            region: Region::new("350100").unwrap(),
            valid_from: Timestamp(1),
            valid_until: None,
        };
        let act = LicenceAction { licence: id.parse().unwrap(), verb: LicenceVerb::Issue(facts) };
        self.does(agency, key, Action::Licence(act))
    }

    fn possessed(&self, secret: &SecretKey, agency: usize) -> Possessed {
        Possessed::sign(secret, self.rules.chain(), &code(agency))
    }

    fn enrolment(&self, n: usize, parent: Option<usize>) -> Enrolment {
        Enrolment {
            code: code(n),
            name: format!("机构{n}").parse().unwrap(),
            region: Region::new("350100").unwrap(),
            level: Level::City,
            parent: parent.map(code),
            keys: vec![self.possessed(&secret(0, n), n)],
        }
    }

    fn seat(&self, n: usize) -> NewSeat {
        let agency = n % 4;
        NewSeat {
            agency: code(agency),
            consensus_key: self.possessed(&secret(1, n), agency),
            transport_key: self.possessed(&secret(2, n), agency),
        }
    }

    fn status(&self, subject: &Subject) -> Option<Status> {
        query::subject(&self.state, subject).map(|state| state.status)
    }

    /// Changes the committee, and waits until the new one decided.
    fn seated(&mut self, change: Change) {
        self.change(change).unwrap();
        let at = self.tip.height.plus(3);
        while self.tip.height < at {
            self.idle();
        }
    }

    fn leaving(&self, n: usize) -> PublicKey {
        self.rules.members()[n].validator.key
    }
}

/// A proposal that is there is not proposed again, whatever became of it: it would be open once more, without its approvals.
#[test]
fn a_proposal_sent_again_is_the_one_that_is_there() {
    let mut chain = Chain::new();
    let (zero, key) = (code(0), secret(0, 0));
    let limits = |max| {
        let change = Change::Limits(Limits {
            block_bytes_max: 1 << 20,
            block_operations_max: max,
            validity_heights_max: 100,
        });
        Action::Govern(Governance::Propose(Box::new(change)))
    };
    for (max, end) in [(200, None), (300, Some(Status::Cancelled)), (400, Some(Status::Enacted))] {
        let operation = chain.operation(limits(max));
        // Twice in one transaction is once.
        let twice = vec![operation.clone(), operation.clone()];
        let proposal = chain.records(zero, &key, twice).unwrap();
        let target = Target::Network;
        match end {
            Some(Status::Cancelled) => {
                chain.govern(0, Governance::Withdraw { proposal, target }).unwrap();
            }
            Some(_) => {
                chain.govern(1, Governance::Approve { proposal, target }).unwrap();
                chain
                    .change(Change::Limits(Limits {
                        block_bytes_max: 1 << 20,
                        block_operations_max: 500,
                        validity_heights_max: 100,
                    }))
                    .unwrap();
            }
            None => {}
        }
        let before = query::subject(&chain.state, &Subject::proposal(&proposal)).unwrap();
        assert_eq!(before.status, end.unwrap_or(Status::Active));
        chain.nonce += 1;
        assert_eq!(chain.records(zero, &key, vec![operation.clone()]), Err("E-REC-RECORDED"));
        // Beside something new it keeps its place.
        chain.nonce += 1;
        let new = chain.operation(limits(max + 1));
        chain.records(zero, &key, vec![operation, new]).unwrap();
        let after = query::subject(&chain.state, &Subject::proposal(&proposal)).unwrap();
        assert_eq!(after, before);
    }
    assert_eq!(chain.rules.network().limits.block_operations_max, 500);
}

#[test]
fn an_agency_is_enrolled_granted_suspended_reinstated_and_dissolved() {
    let mut chain = Chain::new();
    let (five, key) = (code(5), secret(0, 5));
    assert_eq!(chain.issue(five, &key, "1A"), Err("E-AUTH-KEY"));
    let change = Change::Enrol(chain.enrolment(5, Some(0)));
    let proposal = chain.propose(0, change.clone()).unwrap();
    // Proposed is not enrolled.
    assert_eq!(chain.status(&Subject::agency(&five)), Some(Status::Proposed));
    assert_eq!(chain.issue(five, &key, "1A"), Err("E-AUTH-KEY"));
    assert_eq!(chain.change(Change::Suspend(five)), Err("E-SUB-UNKNOWN"));
    let target = Target::Agency(five);
    let approve = Governance::Approve { proposal, target };
    assert_eq!(chain.govern(0, approve.clone()), Err("E-GOV-TWICE"));
    assert_eq!(chain.govern(3, approve.clone()), Err("E-AUTH-ROLE"));
    let wrong = Governance::Approve { proposal, target: Target::Network };
    assert_eq!(chain.govern(1, wrong), Err("E-GOV-TARGET"));
    chain.govern(2, approve.clone()).unwrap();
    assert_eq!(chain.status(&Subject::proposal(&proposal)), Some(Status::Enacted));
    assert_eq!(chain.govern(1, approve), Err("E-SUB-TERMINAL"));
    assert_eq!(chain.propose(0, change), Err("E-SUB-EXISTS"));
    // Enrolled is not granted anything.
    assert_eq!(chain.issue(five, &key, "1A"), Err("E-AUTH-ROLE"));
    let grant = |until| Change::Grant { agency: five, role: licence_role(&["1"], "350100"), until };
    let now = chain.tip.time;
    assert_eq!(chain.change(grant(Some(now))), Err("E-GOV-EXPIRY"));
    chain.change(grant(Some(now.plus(3_600_000)))).unwrap();
    chain.issue(five, &key, "1A").unwrap();
    assert_eq!(chain.issue(five, &key, "2A"), Err("E-AUTH-ROLE"));
    chain.change(Change::Suspend(five)).unwrap();
    assert_eq!(chain.issue(five, &key, "1A"), Err("E-AUTH-INACTIVE"));
    assert_eq!(chain.change(Change::Suspend(five)), Err("E-SUB-STATUS"));
    chain.change(Change::Reinstate(five)).unwrap();
    chain.issue(five, &key, "1A").unwrap();
    // The grant runs out by itself, by the time of the block before.
    chain.tip.time = now.plus(3_600_000);
    assert_eq!(chain.rules.authority().roles(&five, chain.tip.moment()).count(), 0);
    chain.tip = tip(&chain.rules, &chain.state);
    chain.change(Change::Revoke { agency: five, number: 0 }).unwrap();
    assert_eq!(chain.issue(five, &key, "1A"), Err("E-AUTH-ROLE"));
    assert_eq!(chain.change(Change::Revoke { agency: five, number: 0 }), Err("E-GOV-GRANT"));
    chain.change(Change::Dissolve(five)).unwrap();
    assert_eq!(chain.change(Change::Reinstate(five)), Err("E-SUB-TERMINAL"));
    // Its whole story is in its history.
    let state = query::subject(&chain.state, &Subject::agency(&five)).unwrap();
    assert_eq!(usize::try_from(state.records).unwrap(), 12);
    let Facts::Agency(facts) = state.facts else { panic!("{state:?}") };
    assert_eq!(facts.grants.len(), 1);
    assert!(facts.grants[0].until.is_some());
}

#[test]
fn what_governance_may_not_do_is_refused_by_its_own_code() {
    let chain = Chain::new();
    let four = |chain: &Chain, edit: &dyn Fn(&mut Enrolment)| {
        let mut enrolment = chain.enrolment(4, Some(0));
        edit(&mut enrolment);
        Change::Enrol(enrolment)
    };
    let other = chain.possessed(&secret(0, 4), 5);
    let taken = chain.possessed(&secret(0, 0), 4);
    let seated = chain.possessed(&secret(1, 0), 4);
    let mut twice = chain.seat(5);
    twice.transport_key = twice.consensus_key;
    let mut foreign = chain.seat(5);
    foreign.agency = code(2);
    let unknown = secret(9, 9).public();
    let (limits, timing) = (chain.genesis.limits, chain.genesis.timing);
    let rules = chain.genesis.governance;
    let seats = |range: core::ops::Range<usize>| range.map(|n| chain.seat(n)).collect::<Vec<_>>();
    let committee = |join, leave: &[usize]| Change::Committee {
        join,
        leave: leave.iter().map(|n| chain.leaving(*n)).collect(),
    };
    let many = Role::Trace { namespaces: vec!["urn:".parse().unwrap(); 65] };
    let grant = |role, until| Change::Grant { agency: code(3), role, until };
    let rows: Vec<(Change, &str)> = vec![
        (four(&chain, &|e| e.keys.clear()), "E-GOV-KEYS"),
        (four(&chain, &|e| e.keys = vec![other]), "E-GOV-POSSESSION"),
        (four(&chain, &|e| e.keys = vec![taken]), "E-GOV-KEY-TAKEN"),
        (four(&chain, &|e| e.keys = vec![seated]), "E-GOV-KEY-TAKEN"),
        (four(&chain, &|e| e.keys = vec![e.keys[0], e.keys[0]]), "E-GOV-KEY-TAKEN"),
        (four(&chain, &|e| e.parent = Some(code(5))), "E-SUB-UNKNOWN"),
        (four(&chain, &|e| (e.level, e.region) = (Level::Province, province())), "E-GOV-LEVEL"),
        (four(&chain, &|e| e.level = Level::County), "E-GOV-REGION"),
        (four(&chain, &|e| e.region = Region::new("360100").unwrap()), "E-GOV-REGION"),
        (four(&chain, &|e| (e.level, e.parent) = (Level::Province, None)), "E-GOV-REGION"),
        (four(&chain, &|e| e.code = code(1)), "E-SUB-EXISTS"),
        (Change::Suspend(code(9)), "E-SUB-UNKNOWN"),
        (Change::Reinstate(code(3)), "E-SUB-STATUS"),
        (Change::Dissolve(code(3)), "E-GOV-SEATED"),
        (Change::EnrolKey { agency: code(3), key: taken }, "E-GOV-POSSESSION"),
        (Change::RetireKey { agency: code(3), key: unknown }, "E-GOV-KEY-UNKNOWN"),
        (Change::RetireKey { agency: code(3), key: secret(0, 3).public() }, "E-GOV-KEY-LAST"),
        (Change::Revoke { agency: code(3), number: 7 }, "E-GOV-GRANT"),
        (grant(Role::Item { regions: vec![] }, None), "E-GOV-SCOPE"),
        (grant(many, None), "E-GOV-SCOPE"),
        (grant(Role::Govern {}, Some(Timestamp(u64::MAX))), "E-GOV-ENDLESS"),
        (grant(licence_role(&["1"], "350000"), Some(Timestamp(5))), "E-GOV-EXPIRY"),
        (committee(vec![], &[]), "E-GOV-NOTHING"),
        (committee(vec![], &[0]), "E-GOV-COMMITTEE"),
        (committee(seats(5..7), &[]), "E-GOV-NEWCOMERS"),
        (committee(seats(5..7), &[0, 1]), "E-GOV-NEWCOMERS"),
        (committee(vec![chain.seat(1)], &[]), "E-GOV-KEY-TAKEN"),
        (committee(vec![chain.seat(1)], &[1]), "E-GOV-KEY-TAKEN"),
        (committee(vec![twice], &[]), "E-GOV-KEY-TAKEN"),
        (committee(vec![foreign], &[]), "E-GOV-POSSESSION"),
        (Change::Committee { join: seats(5..6), leave: vec![unknown] }, "E-GOV-SEAT-UNKNOWN"),
        (Change::Limits(Limits { block_bytes_max: 0, ..limits }), "E-GOV-PARAMETER"),
        (Change::Limits(Limits { block_operations_max: 0, ..limits }), "E-GOV-PARAMETER"),
        (Change::Limits(Limits { validity_heights_max: 0, ..limits }), "E-GOV-PARAMETER"),
        (Change::Timing(Timing { propose_ms: 0, ..timing }), "E-GOV-PARAMETER"),
        (Change::Timing(Timing { vote_ms: 0, ..timing }), "E-GOV-PARAMETER"),
        (Change::Timing(Timing { timeout_max_ms: 0, ..timing }), "E-GOV-PARAMETER"),
        (Change::Timing(Timing { idle_ms: 0, ..timing }), "E-GOV-PARAMETER"),
        (Change::Timing(Timing { clock_ahead_ms: 0, ..timing }), "E-GOV-PARAMETER"),
        (Change::Rules(GovernanceRules { approval_percent: 50, ..rules }), "E-GOV-PARAMETER"),
        (Change::Rules(GovernanceRules { approval_percent: 101, ..rules }), "E-GOV-PARAMETER"),
        (Change::Rules(GovernanceRules { lead_heights: 0, ..rules }), "E-GOV-PARAMETER"),
        (Change::Rules(GovernanceRules { open_heights: 0, ..rules }), "E-GOV-PARAMETER"),
    ];
    for (change, want) in rows {
        let mut chain = Chain::new();
        assert_eq!(chain.propose(0, change.clone()), Err(want), "{change:?}");
    }
    let mut chain = Chain::new();
    assert_eq!(chain.propose(3, Change::Suspend(code(1))), Err("E-AUTH-ROLE"));
}

#[test]
fn somebody_always_governs() {
    let mut chain = Chain::new();
    chain.change(Change::Revoke { agency: code(2), number: 0 }).unwrap();
    chain.change(Change::Suspend(code(1))).unwrap();
    // One is left, and is enough for itself; it cannot take that away.
    for change in [
        Change::Suspend(code(0)),
        Change::Dissolve(code(0)),
        Change::Revoke { agency: code(0), number: 0 },
    ] {
        assert_eq!(chain.propose(0, change), Err("E-GOV-UNGOVERNED"));
    }
    let proposal = chain.propose(0, Change::Reinstate(code(1))).unwrap();
    assert_eq!(chain.status(&Subject::proposal(&proposal)), Some(Status::Enacted));
}

#[test]
fn a_proposal_closes_and_can_be_withdrawn_by_whoever_made_it() {
    let mut chain = Chain::new();
    let change = Change::Suspend(code(3));
    let target = change.target();
    let proposal = chain.propose(0, change.clone()).unwrap();
    let withdraw = Governance::Withdraw { proposal, target };
    assert_eq!(chain.govern(1, withdraw.clone()), Err("E-GOV-PROPOSER"));
    chain.govern(0, withdraw.clone()).unwrap();
    assert_eq!(chain.govern(0, withdraw), Err("E-SUB-TERMINAL"));
    let approve = |proposal| Governance::Approve { proposal, target };
    assert_eq!(chain.govern(1, approve(proposal)), Err("E-SUB-TERMINAL"));
    let proposal = chain.propose(0, change).unwrap();
    for _ in 0..10 {
        chain.idle();
    }
    assert_eq!(chain.govern(1, approve(proposal)), Err("E-GOV-CLOSED"));
    let nowhere = RecordId(types::Hash([7; 32]));
    assert_eq!(chain.govern(1, approve(nowhere)), Err("E-SUB-UNKNOWN"));
}

#[test]
fn keys_rotate_and_what_is_retired_signs_no_more() {
    let mut chain = Chain::new();
    let (old, new) = (secret(0, 3), secret(0, 33));
    let rotate = |enrol, retire: &SecretKey| Governance::Rotate { retire: retire.public(), enrol };
    let good = chain.possessed(&new, 3);
    assert_eq!(chain.govern(3, rotate(chain.possessed(&new, 2), &old)), Err("E-GOV-POSSESSION"));
    let unknown = secret(0, 35);
    assert_eq!(chain.govern(3, rotate(good, &unknown)), Err("E-GOV-KEY-UNKNOWN"));
    chain.govern(3, rotate(good, &old)).unwrap();
    assert_eq!(chain.issue(code(3), &old, "1A"), Err("E-AUTH-TERM"));
    chain.issue(code(3), &new, "1A").unwrap();
    // A key that was used is never used again, by anybody.
    let again = chain.possessed(&old, 3);
    assert_eq!(
        chain.change(Change::EnrolKey { agency: code(3), key: again }),
        Err("E-GOV-KEY-TAKEN")
    );
    let third = secret(0, 34);
    let key = chain.possessed(&third, 3);
    chain.change(Change::EnrolKey { agency: code(3), key }).unwrap();
    chain.change(Change::RetireKey { agency: code(3), key: new.public() }).unwrap();
    assert_eq!(chain.issue(code(3), &new, "1A"), Err("E-AUTH-TERM"));
    chain.issue(code(3), &third, "1A").unwrap();
}

#[test]
fn delegation_goes_one_level_down_and_only_narrows() {
    let mut chain = Chain::new();
    chain.change(Change::Enrol(chain.enrolment(6, Some(3)))).unwrap();
    let mut village = chain.enrolment(7, Some(6));
    (village.level, village.region) = (Level::Village, Region::new("350122").unwrap());
    chain.change(Change::Enrol(village)).unwrap();
    let delegate = |to: usize, role| Governance::Delegate { to: code(to), role, until: None };
    let wide = licence_role(&["1"], "350000");
    let narrow = licence_role(&["11"], "350100");
    for role in [
        licence_role(&["2"], "350000"),
        licence_role(&["1"], "360000"),
        licence_role(&["1", "2"], "350000"),
        Role::Item { regions: vec![province()] },
        Role::Govern {},
    ] {
        assert_eq!(chain.govern(3, delegate(6, role)), Err("E-GOV-WIDER"));
    }
    assert_eq!(chain.govern(3, delegate(7, narrow.clone())), Err("E-GOV-LINE"));
    assert_eq!(chain.govern(0, delegate(6, Role::Govern {})), Err("E-GOV-LINE"));
    chain.govern(3, delegate(6, narrow.clone())).unwrap();
    let six = |chain: &mut Chain, act| chain.does(code(6), &secret(0, 6), Action::Govern(act));
    assert_eq!(six(&mut chain, delegate(7, wide)), Err("E-GOV-WIDER"));
    six(&mut chain, delegate(7, narrow)).unwrap();
    chain.issue(code(6), &secret(0, 6), "11").unwrap();
    chain.issue(code(7), &secret(0, 7), "11").unwrap();
    assert_eq!(chain.issue(code(7), &secret(0, 7), "12"), Err("E-AUTH-ROLE"));
    // What is taken back above falls below, and comes back with it.
    chain.change(Change::Suspend(code(6))).unwrap();
    assert_eq!(chain.issue(code(7), &secret(0, 7), "11"), Err("E-AUTH-ROLE"));
    chain.change(Change::Reinstate(code(6))).unwrap();
    chain.issue(code(7), &secret(0, 7), "11").unwrap();
    let take = Governance::Undelegate { from: code(6), number: 0 };
    assert_eq!(chain.govern(0, take.clone()), Err("E-GOV-GRANT"));
    chain.govern(3, take).unwrap();
    for n in [6, 7] {
        assert_eq!(chain.issue(code(n), &secret(0, n), "11"), Err("E-AUTH-ROLE"));
    }
}

#[test]
fn a_licence_is_renewed_by_whoever_is_in_charge_of_the_old_one_too() {
    let mut chain = Chain::new();
    chain.change(Change::Enrol(chain.enrolment(5, Some(3)))).unwrap();
    let role = licence_role(&["1"], "350100");
    chain.change(Change::Grant { agency: code(5), role, until: None }).unwrap();
    let licence =
        |id: &str, verb| Action::Licence(LicenceAction { licence: id.parse().unwrap(), verb });
    let facts = |place: &str| LicenceFacts {
        kind: "1".parse().unwrap(),
        region: Region::new(place).unwrap(),
        valid_from: Timestamp(1),
        valid_until: None,
    };
    for id in ["A", "B"] {
        let issue = licence(id, LicenceVerb::Issue(facts("350100")));
        chain.does(code(5), &secret(0, 5), issue).unwrap();
    }
    let renew = |new: &str, old: &str| {
        let supersedes = old.parse().unwrap();
        licence(new, LicenceVerb::Renew { supersedes, facts: facts("350200") })
    };
    let change = |new: &str, old: &str| {
        let supersedes = old.parse().unwrap();
        licence(new, LicenceVerb::Change { supersedes, facts: facts("350200") })
    };
    let (three, key) = (code(3), secret(0, 3));
    chain.does(three, &key, renew("A2", "A")).unwrap();
    // The line is the same, and the role is now for another city.
    let role = licence_role(&["1"], "350200");
    chain.change(Change::Grant { agency: three, role, until: None }).unwrap();
    chain.change(Change::Revoke { agency: three, number: 0 }).unwrap();
    assert_eq!(chain.does(three, &key, renew("B2", "B")), Err("E-AUTH-ROLE"));
    assert_eq!(chain.does(three, &key, change("B2", "B")), Err("E-AUTH-ROLE"));
}

/// Whatever an agency does to itself, and whatever is granted to it, it can be stopped.
#[test]
fn an_agency_can_always_be_ended() {
    let mut chain = Chain::new();
    let three = code(3);
    // It fills what there is of its own with keys.
    let (mut n, mut key) = (1000, secret(0, 3));
    loop {
        let next = secret(3, n);
        let enrol = chain.possessed(&next, 3);
        let act = Governance::Rotate { retire: key.public(), enrol };
        match chain.does(three, &key, Action::Govern(act)) {
            Ok(_) => (key, n) = (next, n + 1),
            Err(why) => {
                assert_eq!(why, "E-GOV-SIZE");
                break;
            }
        }
    }
    assert!(n > 1800, "{n}");
    // Governance still can give it a key, and roles, until that is full too.
    let mine = secret(4, 0);
    let more = chain.possessed(&mine, 3);
    chain.change(Change::EnrolKey { agency: three, key: more }).unwrap();
    let space = |n: usize| format!("urn:{n:0>60}").parse().unwrap();
    for size in [16, 1] {
        let role = Role::Trace { namespaces: (0..size).map(space).collect() };
        while chain.change(Change::Grant { agency: three, role: role.clone(), until: None }).is_ok()
        {
        }
        let grant = Change::Grant { agency: three, role, until: None };
        assert_eq!(chain.change(grant), Err("E-GOV-SIZE"));
    }
    while chain.change(Change::Suspend(three)).is_ok() {
        match chain.change(Change::Reinstate(three)) {
            Ok(()) => {}
            Err(why) => {
                assert_eq!(why, "E-GOV-SIZE");
                break;
            }
        }
    }
    // All of it can be ended: each key but the last, each role, and the agency.
    let standing = chain.rules.agency(&three).unwrap().clone();
    assert_eq!(standing.status, Status::Suspended);
    chain.change(Change::RetireKey { agency: three, key: mine.public() }).unwrap();
    for grant in &standing.facts.grants {
        chain.change(Change::Revoke { agency: three, number: grant.number }).unwrap();
    }
    assert!(chain.rules.authority().roles(&three, chain.tip.moment()).next().is_none());
    // A seat is given up before its agency is dissolved.
    let change =
        Change::Committee { join: vec![chain.seat(5)], leave: vec![secret(1, 3).public()] };
    chain.change(change).unwrap();
    for _ in 0..4 {
        chain.idle();
    }
    chain.change(Change::Dissolve(three)).unwrap();
}

#[test]
fn the_committee_is_replaced_seat_by_seat_until_none_of_the_first_is_left() {
    let mut chain = Chain::new();
    let first = chain.rules.committee().clone();
    let mut changes = 0;
    for n in 4..28 {
        let before = chain.rules.committee().clone();
        let change = Change::Committee { join: vec![chain.seat(n)], leave: vec![chain.leaving(0)] };
        chain.change(change.clone()).unwrap();
        let at = chain.tip.height.plus(3);
        // Not yet, and nothing else before it; those who join may connect already, those who leave still are.
        assert_eq!(chain.rules.committee(), &before);
        assert_eq!(chain.rules.peers().len(), 5);
        let more = Change::Committee { join: vec![chain.seat(100)], leave: vec![] };
        assert_eq!(chain.propose(0, more), Err("E-GOV-PENDING"));
        while chain.rules.next() < at {
            assert_eq!(chain.rules.committee(), &before);
            chain.idle();
        }
        assert_ne!(chain.rules.committee(), &before);
        assert_eq!(chain.rules.peers().len(), 4);
        assert_eq!(chain.rules.committee().index_of(&secret(1, n).public()), Some(3));
        changes += 1;
    }
    let all = query::committees(&chain.state);
    assert_eq!(all.len(), changes + 1);
    assert_eq!(all[0], (Height(1), first.clone()));
    // Every hand-over is in the headers: the one before says who comes.
    for pair in all.windows(2) {
        let (from, committee) = &pair[1];
        let before = query::header(&chain.state, from.previous().unwrap()).unwrap();
        assert_eq!(before.next_committee, committee.digest());
        assert_eq!(before.committee, pair[0].1.digest());
    }
    for (_, seat) in first.seats() {
        assert_eq!(chain.rules.committee().index_of(&seat.key), None);
    }
}

/// One joins and leaves again, one leaves and comes back: whoever sat before sits in another order, and a proof tells of
/// every change, or is refused.
#[test]
fn no_committee_sits_twice_though_the_same_validators_do() {
    let mut chain = Chain::new();
    let root = TrustRoot::new(chain.genesis.clone()).unwrap();
    let turns = |chain: &Chain| -> Vec<PublicKey> {
        chain.rules.committee().seats().map(|(_, seat)| seat.key).collect()
    };
    let keys = |all: &[usize]| all.iter().map(|n| secret(1, *n).public()).collect::<Vec<_>>();
    let mut seen = BTreeSet::from([chain.rules.committee().digest()]);
    // The fifth sits, leaves, and comes back with the same keys; then the first four have sat in every order but one.
    for round in 1..=4usize {
        let join = Change::Committee { join: vec![chain.seat(8)], leave: vec![] };
        chain.seated(join);
        assert_eq!(chain.rules.committee().size(), 5);
        assert!(seen.insert(chain.rules.committee().digest()));
        let leave = Change::Committee { join: vec![], leave: keys(&[8]) };
        if round == 4 {
            assert_eq!(chain.propose(0, leave), Err("E-GOV-PARAMETER"), "no order is left");
            break;
        }
        chain.seated(leave);
        let mut wanted = keys(&[0, 1, 2, 3]);
        wanted.rotate_left(round);
        assert_eq!(turns(&chain), wanted);
        assert!(seen.insert(chain.rules.committee().digest()));
        // Everything that was proven along the way holds from genesis on, and tells of every change.
        let proof =
            prove::asked(&chain.rules, &chain.state, Height::GENESIS, &[Asked::Block]).unwrap();
        assert_eq!(proof.handover.len(), 2 * round);
        assert_eq!(proof.clone().verify(&root).error(), None);
        // None of it can be left out: neither a round trip, nor one change.
        for (from, count) in [(0, 2 * round), (2 * round - 2, 2), (0, 1)] {
            let mut short = proof.clone();
            drop(short.handover.drain(from..from + count));
            let why = short.verify(&root).error().map(proof::ProofError::code);
            assert_eq!(why, Some("V-TRUST-ROOT"), "{from} {count}");
        }
    }
    let replace = Change::Committee { join: vec![chain.seat(12)], leave: keys(&[8, 3]) };
    chain.seated(replace);
    assert!(seen.insert(chain.rules.committee().digest()));
}

#[test]
fn limits_and_timing_change_with_the_next_block_and_the_pool_obeys() {
    let mut chain = Chain::new();
    let limits = Limits { block_operations_max: 1, ..chain.genesis.limits };
    let mut pool = Pool::new(PoolLimits::default());
    let two: Vec<_> = (0..2)
        .map(|_| {
            let act = Governance::Undelegate { from: code(1), number: 0 };
            chain.operation(Action::Govern(act))
        })
        .collect();
    let until = Height(40);
    let id = *chain.rules.chain();
    // Refused by the rules; what matters here is its size.
    let tx = Transaction::sign(id, code(3), &secret(0, 3), 1, until, two).verify(&id).unwrap();
    assert_eq!(
        pool.admit(&chain.rules, &chain.state, &chain.tip, tx).unwrap_err().code(),
        "E-GOV-GRANT"
    );
    let licences: Vec<_> = (0..2)
        .map(|n| {
            let facts = LicenceFacts {
                kind: "1A".parse().unwrap(),
                region: province(),
                valid_from: Timestamp(1),
                valid_until: None,
            };
            let verb = LicenceVerb::Issue(facts);
            let licence = format!("P{n}").parse().unwrap();
            chain.operation(Action::Licence(LicenceAction { licence, verb }))
        })
        .collect();
    let tx = Transaction::sign(id, code(3), &secret(0, 3), 2, until, licences).verify(&id).unwrap();
    pool.admit(&chain.rules, &chain.state, &chain.tip, tx).unwrap();
    chain.change(Change::Limits(limits)).unwrap();
    assert_eq!(chain.rules.limits(), &limits);
    let refused = pool.settle(&chain.rules, &chain.state, &chain.tip, (&[], &[]), true);
    assert_eq!(refused.iter().map(|(_, why)| why.code()).collect::<Vec<_>>(), ["E-TX-SIZE"]);
    let timing = Timing { idle_ms: 999, ..chain.genesis.timing };
    chain.change(Change::Timing(timing)).unwrap();
    assert_eq!(chain.rules.timing(), timing);
    let rules = GovernanceRules { approval_percent: 100, ..chain.genesis.governance };
    chain.change(Change::Rules(rules)).unwrap();
    let change = Change::Suspend(code(3));
    let target = change.target();
    let proposal = chain.propose(0, change).unwrap();
    for (n, want) in [(1, Status::Active), (2, Status::Enacted)] {
        chain.govern(n, Governance::Approve { proposal, target }).unwrap();
        assert_eq!(chain.status(&Subject::proposal(&proposal)), Some(want));
    }
}

#[test]
fn two_changes_of_the_committee_in_one_block_are_one_too_many() {
    let mut chain = Chain::new();
    let change =
        |chain: &Chain, n: usize| Change::Committee { join: vec![chain.seat(n)], leave: vec![] };
    let proposals: Vec<_> = [5, 6].map(|n| chain.propose(0, change(&chain, n)).unwrap()).into();
    let id = *chain.rules.chain();
    let txs: Vec<_> = proposals
        .iter()
        .map(|proposal| {
            let act = Governance::Approve { proposal: *proposal, target: Target::Network };
            let operation = chain.operation(Action::Govern(act));
            let until = Height(40);
            Transaction::sign(id, code(1), &secret(0, 1), chain.nonce, until, vec![operation])
                .verify(&id)
                .unwrap()
        })
        .collect();
    let now = chain.tip.time.plus(1);
    let sized = txs.iter().map(|tx| (tx, 1000));
    let (block, outcome, refused) = propose(&chain.rules, &chain.state, &chain.tip, now, 0, sized);
    assert_eq!(refused.iter().map(|(_, why)| why.code()).collect::<Vec<_>>(), ["E-GOV-PENDING"]);
    assert_eq!(block.transactions.len(), 1);
    chain.append(block, outcome);
    chain.idle();
    assert_eq!(chain.rules.committee().size(), 4);
    chain.idle();
    assert_eq!(chain.rules.committee().size(), 5);
}
