//! Agencies that the ledger itself enrolled: what they could record when, and every reason why not.

use super::*;
use crate::{AUTHORITY_WORK_MAX, AgencyLineError, AgencyState, AuthorityClaim, Grounds, LINE_MAX};
use types::authority::{AgencyFacts, Governance, Grant, KeyTerm, Possessed, Suspension};

/// Enrolled below the first agency of genesis, which delegates to it.
const NEWCOMER: &str = "11350100MXDEX00587";

fn newcomer() -> AgencyCode {
    AgencyCode::new(NEWCOMER).unwrap()
}

fn grant(number: u32, role: Role, by: Option<AgencyCode>, until: Option<u64>) -> Grant {
    let (from, until) = (Height(2), until.map(Height));
    Grant { number, role, by, from, expires: None, until }
}

fn item_role() -> Role {
    Role::Item { regions: vec![Region::new("350000").unwrap()] }
}

/// Two keys, of which one ends at 4; three roles: licences until 5, items as long as the agency above has them, lots for
/// blocks whose parent is before a time; not able to act at 6.
fn facts_of_newcomer() -> AgencyFacts {
    let term = |number, until| KeyTerm { key: key(1, number).public(), from: Height(2), until };
    let licences =
        Role::Licence { types: vec![text("11")], regions: vec![Region::new("350000").unwrap()] };
    let lots = Role::Trace { namespaces: vec![text("urn:epc:id:sgtin:6901234")] };
    AgencyFacts {
        name: text("新机构"),
        region: Region::new("350100").unwrap(),
        level: Level::City,
        parent: Some(code(0)),
        keys: vec![term(40, None), term(41, Some(Height(4)))],
        grants: vec![
            grant(0, licences, None, Some(5)),
            grant(1, item_role(), Some(code(0)), None),
            // After block 4, before block 5.
            Grant { expires: Some(Timestamp(1_004_500)), ..grant(2, lots, None, None) },
        ],
        suspensions: vec![Suspension { from: Height(6), until: Some(Height(7)) }],
    }
}

fn state(code: &AgencyCode, facts: AgencyFacts) -> SubjectState {
    SubjectState {
        subject: Subject::agency(code),
        status: Status::Active,
        owner: *code,
        version: 1,
        records: 0,
        head: Hash::ZERO,
        latest: 0,
        effective_from: Timestamp(1),
        facts: Facts::Agency(Box::new(facts)),
    }
}

/// What is recorded in each block by the newcomer, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Publish,
    PublishByOldKey,
    PublishElsewhere,
    Issue,
    Event,
    Rotate,
}

const ACTS: [Act; 6] = [
    Act::Publish,
    Act::PublishByOldKey,
    Act::PublishElsewhere,
    Act::Issue,
    Act::Event,
    Act::Rotate,
];
const BLOCKS: u64 = 8;

/// A ledger that records all of this in each of its blocks, whether the agency may or not.
pub(super) fn enrolled() -> Ledger {
    let mut ledger = Ledger::new(1);
    let genesis = &ledger.genesis;
    let mut above = AgencyFacts::of_genesis(&genesis.agencies[0]);
    above.suspensions = vec![Suspension { from: Height(7), until: Some(Height(8)) }];
    for state in [state(&code(0), above), state(&newcomer(), facts_of_newcomer())] {
        ledger.states.insert(state.subject.key(), state);
    }
    let chain = genesis.chain();
    for height in 1..=BLOCKS {
        let number = u32::try_from(height).unwrap();
        let acts = ACTS.map(|act| {
            let operation = match act {
                Act::Publish => publish(100 + number),
                Act::PublishByOldKey => publish(200 + number),
                Act::PublishElsewhere => {
                    let verb = ItemVerb::Publish { version: 1, planned_cancel: None };
                    item(300 + number, "360000", verb)
                }
                Act::Issue => licence(&format!("new {height}"), LicenceVerb::Issue(facts("1101"))),
                Act::Event => trace(&["urn:epc:id:sgtin:6901234.new"]),
                Act::Rotate => operation(Action::Govern(Governance::Rotate {
                    retire: key(1, 41).public(),
                    enrol: Possessed::sign(&key(1, 42), &chain, &newcomer()),
                })),
            };
            let signer = key(1, if act == Act::PublishByOldKey { 41 } else { 40 });
            Transaction::sign(chain, newcomer(), &signer, height, Height(100), vec![operation])
        });
        ledger.block(acts.into());
    }
    ledger
}

fn place(ledger: &Ledger, code: &AgencyCode) -> AgencyState {
    let key = Subject::agency(code).key();
    let siblings = map::prove(&ledger.kept, &key).siblings;
    AgencyState { state: ledger.states[&key].clone(), siblings }
}

pub(super) fn claim(ledger: &Ledger, at: u64) -> AuthorityClaim {
    let line = vec![place(ledger, &newcomer()), place(ledger, &code(0))];
    AuthorityClaim { agency: newcomer(), key: Some(key(1, 40).public()), at: Height(at), line }
}

/// Whether the agency of a claim could act, and its key sign, as the two states above have it; written a second time, and not
/// as the verifier works it out.
pub(super) fn could_act(claim: &AuthorityClaim, tip: Height) -> bool {
    let at = claim.at.0;
    let (active, keys): (bool, &[(types::PublicKey, core::ops::Range<u64>)]) =
        if claim.agency == newcomer() {
            (at >= 2 && at != 6, &[(key(1, 40).public(), 2..99), (key(1, 41).public(), 2..4)])
        } else {
            (claim.agency == code(0) && at >= 1 && at != 7, &[(key(1, 0).public(), 1..99)])
        };
    let mut signs = claim.key.iter();
    active
        && at <= tip.0 + 1
        && signs.all(|key| keys.iter().any(|(known, term)| known == key && term.contains(&at)))
}

/// Proofs of what agencies could do and did, and of what was recorded although they could not.
pub(super) fn proofs() -> (Vec<Proof>, Vec<Proof>) {
    let ledger = enrolled();
    let line = |at| Claim::Authority(Box::new(claim(&ledger, at)));
    let above = |at, key| {
        let line = vec![place(&ledger, &code(0))];
        Claim::Authority(Box::new(AuthorityClaim { agency: code(0), key, at: Height(at), line }))
    };
    let before =
        |height| Claim::Consistency(Box::new(kinds::consistency(&earlier(height), &ledger)));
    let act = |act| ACTS.iter().position(|one| *one == act).unwrap();
    let at = |height: usize, act: usize| (height - 1) * ACTS.len() + act;
    let batch = [at(2, 0), at(3, 1), at(4, 3), at(5, 0), at(8, 0)];
    let allowed = vec![
        vec![line(2)],
        vec![line(9), above(6, None)],
        vec![above(8, Some(key(1, 0).public()))],
        vec![done(&ledger, 2, act(Act::Publish)), line(3)],
        vec![done(&ledger, 3, act(Act::PublishByOldKey)), line(4)],
        vec![line(5), done(&ledger, 7, act(Act::Rotate))],
        vec![done(&ledger, 5, act(Act::Event)), line(5), before(4)],
        vec![Claim::Records(Box::new(kinds::batch(&ledger, &batch))), line(7)],
    ];
    let not_allowed = [
        (1, Act::Publish),
        (4, Act::PublishByOldKey),
        (4, Act::PublishElsewhere),
        (5, Act::Issue),
        (6, Act::Publish),
        (6, Act::Rotate),
        (7, Act::Publish),
        (7, Act::Event),
    ];
    let not_allowed =
        not_allowed.map(|(height, one)| vec![done(&ledger, height, act(one)), line(3)]);
    let root = ledger.root();
    let holds = |proof: &Proof| proof.clone().verify(&root).error().is_none();
    let allowed: Vec<Proof> = allowed.into_iter().map(|claims| ledger.proof(claims)).collect();
    let not_allowed: Vec<Proof> =
        not_allowed.into_iter().map(|claims| ledger.proof(claims)).collect();
    assert!(allowed.iter().all(holds));
    assert!(!not_allowed.iter().any(holds));
    (allowed, not_allowed)
}

/// What the newcomer did in a block.
pub(super) fn done(ledger: &Ledger, height: u64, act: usize) -> Claim {
    ledger.record_claim((usize::try_from(height).unwrap() - 1) * ACTS.len() + act)
}

/// The ledger as it was after its first blocks.
fn earlier(blocks: u64) -> Ledger {
    let (whole, mut ledger) = (enrolled(), enrolled());
    let kept = usize::try_from(blocks).unwrap() * ACTS.len();
    ledger.frontier = Frontier::new();
    ledger.kept.nodes.clear();
    ledger.entries.clear();
    for (entry, tx) in &whole.entries[..kept] {
        let mut nodes = Vec::new();
        ledger.frontier.append(entry.leaf(), &mut nodes);
        ledger.entries.push((*entry, tx.clone()));
    }
    ledger.header.height = Height(blocks);
    ledger.header.time = ledger.entries.last().unwrap().0.time;
    (ledger.header.log_size, ledger.header.log_root) =
        (ledger.frontier.size(), ledger.frontier.root());
    ledger
}

fn authority_of(ledger: &Ledger, claims: Vec<Claim>) -> Result<Fact, ProofError> {
    let verdict = ledger.proof(claims).verify(&ledger.root());
    let step = verdict.steps.iter().find(|step| step.check == Check::Authority).unwrap();
    match &step.outcome {
        Outcome::Passed(fact) => {
            assert_eq!(verdict.error(), None);
            Ok(fact.clone())
        }
        Outcome::Failed(error) => {
            assert_eq!(verdict.error(), Some(error), "nothing else is wrong");
            Err(error.clone())
        }
        Outcome::NotEvaluated => panic!("{verdict:?}"),
    }
}

/// The block, what is recorded in it, what the file shows beside, and whether the error is the right one.
type Judged<'r> = (u64, Act, Vec<Claim>, &'r dyn Fn(&ProofError) -> bool);

#[test]
fn a_record_is_judged_by_what_its_agency_could_do_at_its_height() {
    use ProofError as E;
    let ledger = enrolled();
    let role = |error: &E| matches!(error, E::Role { .. });
    let before = |height: u64| {
        let old = earlier(height);
        Claim::Consistency(Box::new(kinds::consistency(&old, &ledger)))
    };
    let pass: &dyn Fn(&E) -> bool = &|_| false;
    let rows: Vec<Judged<'_>> = vec![
        (1, Act::Publish, vec![], &|error| matches!(error, E::Unenrolled { .. })),
        (2, Act::Publish, vec![], pass),
        (3, Act::PublishByOldKey, vec![], pass),
        (4, Act::PublishByOldKey, vec![], &|error| matches!(error, E::KeyTerm { .. })),
        (4, Act::PublishElsewhere, vec![], &|error| matches!(error, E::Scope { .. })),
        (4, Act::Issue, vec![], pass),
        (5, Act::Issue, vec![], &role),
        (4, Act::Event, vec![], pass),
        // Whether the role had ended is told by the time of the block before, which the file must show.
        (5, Act::Event, vec![], &role),
        (5, Act::Event, vec![before(4)], pass),
        (7, Act::Event, vec![before(6)], &role),
        (5, Act::Publish, vec![], pass),
        (6, Act::Publish, vec![], &|error| matches!(error, E::Suspended { .. })),
        (6, Act::Rotate, vec![], &|error| matches!(error, E::Suspended { .. })),
        // The agency that delegated could not act itself.
        (7, Act::Publish, vec![], &role),
        (7, Act::Rotate, vec![], pass),
        (8, Act::Publish, vec![], pass),
    ];
    for (height, act, more, is) in rows {
        let number = ACTS.iter().position(|one| *one == act).unwrap();
        let mut claims = vec![done(&ledger, height, number)];
        let alone = authority_of(&ledger, claims.clone()).unwrap_err();
        assert!(matches!(alone, E::Agency { .. }), "genesis does not know it: {alone:?}");
        // At another height than the record's: the state tells of all.
        claims.push(Claim::Authority(Box::new(claim(&ledger, 2))));
        claims.extend(more);
        match authority_of(&ledger, claims) {
            Ok(fact) => {
                assert!(
                    matches!(fact, Fact::Authority { grounds: Grounds::Ledger, .. })
                        && std::ptr::eq(is, pass),
                    "{height} {act:?}: {fact:?}"
                );
            }
            Err(error) => {
                assert!(is(&error), "{height} {act:?}: {error:?}");
                let who =
                    matches!(error, E::Unenrolled { .. } | E::KeyTerm { .. } | E::Suspended { .. });
                let code = if who { "V-SUBMITTER" } else { "V-AUTHORITY" };
                assert_eq!((error.code(), error.is_undecided()), (code, false));
            }
        }
    }
}

#[test]
fn a_batch_is_judged_record_by_record() {
    let ledger = enrolled();
    let line = || Claim::Authority(Box::new(claim(&ledger, 9)));
    let at = |height: usize, act: usize| (height - 1) * ACTS.len() + act;
    let batch = |positions: &[usize]| Claim::Records(Box::new(kinds::batch(&ledger, positions)));
    let good = [at(2, 0), at(3, 1), at(4, 3), at(5, 0), at(8, 0)];
    let fact = authority_of(&ledger, vec![batch(&good), line()]).unwrap();
    assert_eq!(fact, Fact::Authorities { names: vec![text("新机构")], covered: 5, by_ledger: 5 });
    let bad = [at(2, 0), at(3, 1), at(6, 0)];
    let error = authority_of(&ledger, vec![batch(&bad), line()]).unwrap_err();
    assert!(matches!(error, ProofError::Suspended { height: Height(6), .. }));
}

#[test]
fn what_an_agency_held_is_told_for_every_height() {
    let ledger = enrolled();
    for (at, shown, numbers) in [
        (2, 2, vec![0, 1, 2]),
        (4, 4, vec![0, 1, 2]),
        // The block before is in the file, and the third role has not ended by its time.
        (5, 4, vec![1, 2]),
        // By the time of this block it has.
        (5, 5, vec![1]),
        (7, 7, vec![]),
        (8, 8, vec![1]),
        (9, 8, vec![1]),
    ] {
        // Rotating a key needs no role; whether the record itself holds is not asked here.
        let shown = done(&ledger, shown, 5);
        let claims = vec![Claim::Authority(Box::new(claim(&ledger, at))), shown];
        let Ok(Fact::Held { roles, .. }) = authority_of(&ledger, claims) else { panic!("{at}") };
        let found: Vec<u32> = roles.iter().map(|(number, _)| *number).collect();
        assert_eq!(found, numbers, "{at}");
    }
}

fn refused(change: impl FnOnce(&Ledger, &mut AuthorityClaim)) -> ProofError {
    let ledger = enrolled();
    let mut claim = claim(&ledger, 5);
    change(&ledger, &mut claim);
    let proof = ledger.proof(vec![Claim::Authority(Box::new(claim))]);
    proof.verify(&ledger.root()).error().expect("it was changed").clone()
}

#[test]
fn every_reason_a_claim_of_authority_is_refused_has_its_code() {
    use AgencyLineError as L;
    use ProofError as E;
    #[rustfmt::skip]
    let rows: Vec<Row> = vec![
        ("V-AUTHORITY", false, refused(|_, claim| claim.line.clear()), |e| *e == E::Line(L::Size { found: 0 })),
        ("V-AUTHORITY", false, refused(|_, claim| claim.line = vec![claim.line[0].clone(); LINE_MAX + 1]), |e| *e == E::Line(L::Size { found: LINE_MAX + 1 })),
        ("V-AUTHORITY", false, refused(|_, claim| claim.line.swap(0, 1)), |e| matches!(e, E::Line(L::Order { .. }))),
        ("V-AUTHORITY", false, refused(|_, claim| claim.line.push(claim.line[1].clone())), |e| matches!(e, E::Line(L::Order { .. }))),
        ("V-AUTHORITY", false, refused(|_, claim| claim.agency = code(1)), |e| matches!(e, E::Line(L::Order { .. }))),
        ("V-AUTHORITY", false, refused(|_, claim| claim.at = Height(0)), |e| *e == E::Line(L::Height { found: Height(0), limit: Height(9) })),
        ("V-AUTHORITY", false, refused(|_, claim| claim.at = Height(10)), |e| *e == E::Line(L::Height { found: Height(10), limit: Height(9) })),
        ("V-SUBMITTER", false, refused(|_, claim| claim.at = Height(1)), |e| matches!(e, E::Unenrolled { .. })),
        ("V-SUBMITTER", false, refused(|_, claim| claim.at = Height(6)), |e| matches!(e, E::Suspended { .. })),
        ("V-SUBMITTER", false, refused(|_, claim| claim.key = Some(key(1, 41).public())), |e| matches!(e, E::KeyTerm { .. })),
        ("V-STATE", false, refused(|_, claim| claim.line[1].state.version += 1), |e| matches!(e, E::State { .. })),
        ("V-PATH-LENGTH", false, refused(|_, claim| claim.line[0].siblings = vec![Hash::ZERO; 257]), |e| matches!(e, E::PathLength { .. })),
        ("V-MALFORMED", true, refused(|_, claim| heavy(claim, 800)), |e| matches!(e, E::Work { .. })),
    ];
    for (index, (code, undecided, error, is)) in rows.iter().enumerate() {
        assert!(is(error), "row {index}, {code}: {error:?}");
        assert_eq!((error.code(), error.is_undecided()), (*code, *undecided), "row {index}");
    }
}

/// Two agencies with as many regions as this, one delegating all of them to the other.
fn heavy(claim: &mut AuthorityClaim, regions: usize) {
    let role = || Role::Item { regions: vec![Region::new("350101").unwrap(); regions] };
    for (index, AgencyState { state, .. }) in claim.line.iter_mut().enumerate() {
        let Facts::Agency(facts) = &mut state.facts else { unreachable!("made so") };
        facts.grants = vec![grant(0, role(), (index == 0).then(|| code(0)), None)];
    }
}

/// As much to compare as one line may ask for: regions that cover nothing of one another are all held together.
pub(super) fn heaviest(ledger: &Ledger) -> AuthorityClaim {
    let mut claim = claim(ledger, 5);
    heavy(&mut claim, 720);
    for AgencyState { state, .. } in &mut claim.line[1..] {
        let Facts::Agency(facts) = &mut state.facts else { unreachable!("made so") };
        let mut regions = vec![Region::new("360101").unwrap(); 719];
        regions.push(Region::new("350101").unwrap());
        facts.grants[0].role = Role::Item { regions };
    }
    claim
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test may look at the clock")]
fn the_most_work_that_may_be_asked_for_is_soon_done() {
    let ledger = enrolled();
    let claim = heaviest(&ledger);
    let proof = ledger.proof(vec![Claim::Authority(Box::new(claim.clone()))]);
    let work = proof.authority_work();
    assert!(work <= AUTHORITY_WORK_MAX && work > AUTHORITY_WORK_MAX * 9 / 10, "{work}");
    let bytes = encode(&proof);
    let spent = (0..9).map(|_| {
        let started = std::time::Instant::now();
        assert!(verify(&bytes, &ledger.root()).error().is_some_and(|why| !why.is_undecided()));
        started.elapsed()
    });
    let spent = spent.min().unwrap();
    println!("authority: {} bytes, {work} comparisons, {} ms", bytes.len(), spent.as_millis());
    // Many records by one agency of few roles weigh by their lots.
    let many: Vec<Claim> = (0..BLOCKS).map(|height| done(&ledger, height + 1, 4)).collect();
    let light = ledger.proof(many.into_iter().chain([Claim::Authority(Box::new(claim))]).collect());
    assert!(light.authority_work() > AUTHORITY_WORK_MAX, "a line is weighed for every block");
}

#[test]
fn no_byte_of_an_authority_can_be_changed_but_the_height_asked_about() {
    let ledger = enrolled();
    let proof =
        ledger.proof(vec![done(&ledger, 2, 0), Claim::Authority(Box::new(claim(&ledger, 2)))]);
    let (root, mut bytes) = (ledger.root(), encode(&proof));
    assert_eq!(verify(&bytes, &root).error(), None);
    for place in 0..bytes.len() - 8 {
        let byte = bytes[place];
        for other in [byte ^ 1, byte ^ 0x80, byte.wrapping_add(1)] {
            bytes[place] = other;
            let end = bytes.len() - 8;
            let seal = crate::file::seal(&bytes[..end]);
            bytes[end..].copy_from_slice(&seal);
            if let Ok(proven) = verify(&bytes, &root).result {
                let mut found = proven.into_inner();
                let Some(Claim::Authority(claim)) = found.claims.last_mut() else {
                    panic!("byte {place}")
                };
                assert!(claim.at != Height(1) && claim.at != Height(6), "byte {place}");
                claim.at = Height(2);
                assert_eq!(found, proof, "byte {place}");
            }
        }
        bytes[place] = byte;
    }
}
