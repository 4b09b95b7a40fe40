//! What the ledger decided about who may do what, and what a proof shows of it to one who has only the genesis: the same.

use super::*;
use crate::prove::{self, Asked, Unprovable};
use proof::{Claim, Fact, Grounds, Outcome, Proof, TrustRoot};
use types::operation::{ItemAction, ItemVerb};

impl Chain {
    fn prove(&self, at: Option<Height>, asked: &[Asked]) -> Result<Proof, Unprovable> {
        let proof = prove::as_of(&self.rules, &self.state, Height::GENESIS, at, asked)?;
        let root = TrustRoot::new(self.genesis.clone()).unwrap();
        let verdict = proof.clone().verify(&root);
        assert_eq!(verdict.error(), None, "an honest node hands out what holds: {asked:?} {at:?}");
        assert!(verdict.steps.iter().all(|step| matches!(step.outcome, Outcome::Passed(_))));
        // And in a file, for one who reads it from there.
        assert_eq!(proof::verify(&proof::encode(&proof), &root).error(), None);
        Ok(proof)
    }

    /// The proof of a record, which must rest on the ledger's own word for its agency.
    fn by_ledger(&self, record: RecordId) {
        let proof = self.prove(None, &[Asked::Record(record)]).unwrap();
        let verdict = proof.verify(&TrustRoot::new(self.genesis.clone()).unwrap());
        assert!(verdict.steps.iter().any(|step| matches!(
            step.outcome,
            Outcome::Passed(Fact::Authority { grounds: Grounds::Ledger, .. })
        )));
    }

    fn held(&self, n: usize, at: Height) -> Result<Vec<u32>, &'static str> {
        let asked = Asked::Authority { agency: code(n), key: None, at: Some(at) };
        let all = [asked];
        let proof = prove::as_of(&self.rules, &self.state, Height::GENESIS, None, &all).unwrap();
        let verdict = proof.verify(&TrustRoot::new(self.genesis.clone()).unwrap());
        if let Some(error) = verdict.error() {
            return Err(error.code());
        }
        let held = verdict.steps.iter().find_map(|step| match &step.outcome {
            Outcome::Passed(Fact::Held { roles, .. }) => {
                Some(roles.iter().map(|(number, _)| *number).collect())
            }
            Outcome::Passed(_) | Outcome::Failed(_) | Outcome::NotEvaluated => None,
        });
        Ok(held.expect("it is told"))
    }

    fn publish(&mut self, agency: AgencyCode, key: &SecretKey) -> Result<RecordId, &'static str> {
        let number = self.nonce;
        self.does(
            agency,
            key,
            Action::Item(ItemAction {
                code: format!("1135000000359125644350{number:09}").parse().unwrap(),
                basic: "000101001000".parse().unwrap(),
                // A basic code is opened at this level or above.
                level: Level::Province,
                region: province(),
                verb: ItemVerb::Publish { version: 1, planned_cancel: None },
            }),
        )
    }
}

#[test]
fn whatever_the_ledger_took_is_proven_for_ever_whatever_became_of_who_signed_it() {
    let mut chain = Chain::new();
    let (five, six) = (code(5), code(6));
    let (key_five, key_six) = (secret(0, 5), secret(0, 6));
    let mut records = Vec::new();
    // Every moment with the roles that the rules themselves say each of the two held then.
    let mut held: Vec<(Height, [Option<usize>; 2])> = Vec::new();
    let mut note = |chain: &Chain| {
        let at = chain.tip.moment();
        let of = |code: &AgencyCode| {
            let standing = chain.rules.agency(code)?;
            (standing.status == Status::Active)
                .then(|| chain.rules.authority().roles(code, at).count())
        };
        held.push((at.height, [of(&five), of(&six)]));
    };
    let items = Role::Item { regions: vec![province()] };
    chain.change(Change::Enrol(chain.enrolment(5, Some(3)))).unwrap();
    note(&chain);
    let mut below = chain.enrolment(6, Some(5));
    (below.level, below.region) = (Level::County, Region::new("350122").unwrap());
    chain.change(Change::Enrol(below)).unwrap();
    note(&chain);
    let now = chain.tip.time;
    let licences = licence_role(&["1"], "350100");
    // Ends between the parent and the block that is recorded last under it.
    let ends = now.plus(6_500);
    let to_five = Change::Grant { agency: five, role: licences, until: Some(ends) };
    chain.change(to_five).unwrap();
    chain.change(Change::Grant { agency: five, role: items.clone(), until: None }).unwrap();
    note(&chain);
    let act = Governance::Delegate { to: six, role: items, until: None };
    records.push(chain.does(five, &key_five, Action::Govern(act)).unwrap());
    note(&chain);
    records.push(chain.publish(six, &key_six).unwrap());
    note(&chain);
    // The block before is not after the end; the block itself is.
    assert!(chain.tip.time < ends && ends < chain.tip.time.plus(1000));
    records.push(chain.issue(five, &key_five, "1A").unwrap());
    note(&chain);
    assert_eq!(chain.issue(five, &key_five, "1A"), Err("E-AUTH-ROLE"), "it has ended");
    let new_key = secret(0, 50);
    let act = Governance::Rotate { retire: key_five.public(), enrol: chain.possessed(&new_key, 5) };
    records.push(chain.does(five, &key_five, Action::Govern(act)).unwrap());
    assert_eq!(chain.publish(five, &key_five), Err("E-AUTH-TERM"), "it is retired");
    records.push(chain.publish(five, &new_key).unwrap());
    note(&chain);
    chain.change(Change::Suspend(five)).unwrap();
    note(&chain);
    assert_eq!(chain.publish(six, &key_six), Err("E-AUTH-ROLE"), "who delegated cannot act");
    chain.change(Change::Reinstate(five)).unwrap();
    note(&chain);
    records.push(chain.publish(six, &key_six).unwrap());
    chain.change(Change::Revoke { agency: five, number: 1 }).unwrap();
    note(&chain);
    chain.change(Change::Suspend(six)).unwrap();
    chain.change(Change::Dissolve(six)).unwrap();
    chain.change(Change::Dissolve(five)).unwrap();
    note(&chain);
    chain.idle();

    for record in &records {
        chain.by_ledger(*record);
    }
    // Together, and as of earlier blocks: what the map must show is of the last.
    let all = Asked::Records(records.clone());
    let proof = chain.prove(None, core::slice::from_ref(&all)).unwrap();
    assert!(proof.claims.iter().any(|claim| matches!(claim, Claim::Authority(_))));
    let before = Height(chain.tip.height.0 - 1);
    let past = chain.prove(Some(before), &[all]).unwrap();
    assert_eq!(past.header.height, chain.tip.height);
    // What a proof says of every moment is what the rules said then.
    for (at, [of_five, of_six]) in held {
        for (n, wanted) in [(5, of_five), (6, of_six)] {
            let found = chain.held(n, at).map(|roles| roles.len()).ok();
            assert_eq!(found, wanted, "agency {n} in block {at}");
        }
    }
    // Nobody who is dissolved may act in the next block.
    assert_eq!(chain.held(5, chain.tip.height.next()), Err("V-SUBMITTER"));
    let stranger = Asked::Authority { agency: code(7), key: None, at: None };
    assert_eq!(chain.prove(None, &[stranger]), Err(Unprovable::Agency(code(7))));
    let late = Asked::Authority { agency: five, key: None, at: Some(Height(900)) };
    assert_eq!(chain.prove(None, &[late]), Err(Unprovable::Height(Height(900))));
}

#[test]
fn an_authority_too_many_committees_away_is_proven_from_a_block_on_the_way() {
    let mut chain = Chain::new();
    let (five, key) = (code(5), secret(0, 5));
    chain.change(Change::Enrol(chain.enrolment(5, Some(3)))).unwrap();
    let role = licence_role(&["1"], "350100");
    chain.change(Change::Grant { agency: five, role, until: None }).unwrap();
    let record = chain.issue(five, &key, "1A").unwrap();
    let authority = Asked::Authority { agency: five, key: Some(key.public()), at: None };
    let rows = [authority, Asked::Record(record)];
    let from = |chain: &Chain, since: Height, one: &Asked| {
        prove::asked(&chain.rules, &chain.state, since, core::slice::from_ref(one))
    };
    // Thirteen seats, so that nine signatures show a change; then one after the other is replaced.
    let (mut newcomer, mut changes) = (4, 0);
    let step = loop {
        match from(&chain, Height::GENESIS, &rows[0]) {
            Err(Unprovable::Far { step }) => break step,
            other => drop(other.expect("the reason is the distance")),
        }
        let full = chain.rules.committee().size() == 13;
        let leave = if full { vec![chain.leaving(0)] } else { vec![] };
        let join = vec![chain.seat(newcomer)];
        chain.change(Change::Committee { join, leave }).unwrap();
        let at = chain.tip.height.plus(3);
        while chain.rules.next() < at {
            chain.idle();
        }
        (newcomer, changes) = (newcomer + 1, changes + 1);
    };
    assert!(changes > 40, "{changes} changes take too many signatures already");
    let root = TrustRoot::new(chain.genesis.clone()).unwrap();
    let block = chain.prove(Some(step), &[Asked::Block]).expect("one file reaches it");
    let saved = root.advance(&block).unwrap();
    for one in &rows {
        assert_eq!(from(&chain, Height::GENESIS, one), Err(Unprovable::Far { step }));
        let proof = from(&chain, step, one).expect("the rest of the way fits");
        assert!(proof.claims.iter().any(|claim| matches!(claim, Claim::Authority(_))));
        assert!(proof.signatures() <= proof::SIGNATURES_MAX);
        let bytes = proof::encode(&proof);
        assert_eq!(proof::verify(&bytes, &saved).error(), None, "{one:?}");
        // To one who did not go that way it shows nothing.
        let why = proof::verify(&bytes, &root).error().map(proof::ProofError::code);
        assert_eq!(why, Some("V-TRUST-ROOT"), "{one:?}");
    }
}

#[test]
fn what_was_so_at_an_earlier_block_is_proven_for_ever() {
    let mut chain = Chain::new();
    let (three, key) = (code(3), secret(0, 3));
    let mut records = Vec::new();
    let licence = |verb| Action::Licence(LicenceAction { licence: "kept".parse().unwrap(), verb });
    let facts = LicenceFacts {
        kind: "1A".parse().unwrap(),
        region: Region::new("350100").unwrap(),
        valid_from: Timestamp(1),
        valid_until: None,
    };
    let subject: Subject = "licence:kept".parse().unwrap();
    chain.idle();
    records.push(chain.does(three, &key, licence(LicenceVerb::Issue(facts))).unwrap());
    let issued = chain.tip.height;
    records.push(chain.does(three, &key, licence(LicenceVerb::Suspend)).unwrap());
    let suspended = chain.tip.height;
    for _ in 0..20 {
        chain.issue(three, &key, "1A").unwrap();
    }
    records.push(chain.does(three, &key, licence(LicenceVerb::Revoke)).unwrap());

    // Records, blocks and consistency are of the very block asked for.
    for at in issued.0..=chain.tip.height.0 {
        let asked = [Asked::Record(records[0]), Asked::Block];
        let proof = chain.prove(Some(Height(at)), &asked).unwrap();
        assert_eq!((proof.header.height, proof.claims.len()), (Height(at), 2));
        if at > issued.0 {
            let proof = chain.prove(Some(Height(at)), &[Asked::Consistency(issued)]).unwrap();
            assert_eq!(proof.header.height, Height(at));
        }
    }
    assert!(matches!(
        chain.prove(Some(issued), &[Asked::Record(records[1])]),
        Err(Unprovable::Later(_))
    ));
    assert!(matches!(
        chain.prove(Some(issued), &[Asked::Records(records.clone())]),
        Err(Unprovable::Later(_))
    ));
    for bad in [Height(0), Height(chain.tip.height.0 + 1)] {
        assert_eq!(chain.prove(Some(bad), &[Asked::Block]), Err(Unprovable::Height(bad)));
    }
    // Of a subject: its complete history now, how long the log was then, and what it had by then, whole.
    for (at, wanted) in [(Height(1), 0), (issued, 1), (suspended, 2), (Height(suspended.0 + 9), 2)]
    {
        let proof = chain.prove(Some(at), &[Asked::Subject(subject.clone())]).unwrap();
        let [Claim::Status(status), Claim::Consistency(then), rest @ ..] = &proof.claims[..] else {
            panic!("{:?}", proof.claims)
        };
        assert_eq!(then.header.height, at);
        let history = status.history.as_ref().unwrap();
        assert_eq!(history.len(), 3);
        let by_then = history.iter().filter(|link| link.position < then.header.log_size).count();
        let shown = match rest {
            [] => 0,
            [Claim::Records(batch)] => batch.records.len(),
            other => panic!("{other:?}"),
        };
        assert_eq!((by_then, shown), (wanted, wanted), "{at}");
    }
}
