//! Licences from operations as others write them: the synthetic ones of the project's data, run in order on a fresh chain.

#![cfg(test)]

use ledger::{Memory, Rules, Tip, commit, propose, query, tip};
use records::Capture;
use serde_json::Value;
use std::path::PathBuf;
use types::{
    Agency, AgencyCode, Certificate, Certified, Genesis, Level, Operation, PublicKey, Region, Role,
    Round, SecretKey, Subject, Timestamp, Transaction,
    genesis::{GovernanceRules, Limits, Seat, Timing},
    operation::Grade,
    standing::Standing,
    subject::Status,
    vote::{Step, Vote},
};

/// The agencies of the data: the county's, the city's and the province's in one line, and one that uses licences.
const CODES: [&str; 4] =
    ["11350122XXXX0006X9", "11350100XXXX00051M", "11350000XXXX000270", "11350000XXXX00043M"];
const PREFIX: &str = "1.2.156.3005.2.11350000XXXX000270001.11350122XXXX0006X9";

fn data(name: &str) -> Option<Vec<Value>> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/cn").join(name);
    let text = std::fs::read(file).ok()?;
    let value: Value = serde_json::from_slice(&text).unwrap();
    Some(value["operations"].as_array().unwrap().clone())
}

fn code(n: usize) -> AgencyCode {
    AgencyCode::new(CODES[n]).unwrap()
}

fn secret(kind: u8, n: u8) -> SecretKey {
    let mut seed = [kind; 32];
    seed[0] = n;
    SecretKey::from_seed(seed)
}

fn public(kind: u8, n: usize) -> PublicKey {
    secret(kind, u8::try_from(n).unwrap()).public()
}

fn genesis() -> Genesis {
    let role = |place: &str| Role::Licence {
        types: vec!["11350000XXXX000270".parse().unwrap()],
        regions: vec![Region::new(place).unwrap()],
    };
    let agencies = (0..4).map(|n| Agency {
        code: code(n),
        name: format!("机构{n}").parse().unwrap(),
        region: Region::new("350000").unwrap(),
        level: [Level::County, Level::City, Level::Province, Level::Province][n],
        parent: (n < 2).then(|| code(n + 1)),
        keys: vec![public(0, n)],
        roles: match n {
            0 => vec![role("350122")],
            1 => vec![role("350100")],
            2 => vec![role("350000")],
            _ => vec![],
        },
    });
    Genesis {
        version: types::genesis::VERSION,
        name: "cn".parse().unwrap(),
        time: "2021-12-31T00:00:00+08:00".parse().unwrap(),
        limits: Limits {
            block_bytes_max: 1 << 20,
            block_operations_max: 1000,
            validity_heights_max: 1000,
        },
        timing: Timing {
            propose_ms: 500,
            vote_ms: 200,
            round_step_ms: 100,
            timeout_max_ms: 5000,
            idle_ms: 1000,
            clock_ahead_ms: 500,
        },
        governance: GovernanceRules { approval_percent: 67, open_heights: 100, lead_heights: 2 },
        agencies: agencies.collect(),
        validators: (0..4)
            .map(|n| Seat {
                agency: code(n),
                consensus_key: public(1, n),
                transport_key: public(2, n),
            })
            .collect(),
    }
}

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

    /// A block at a time, or at once after the last; what became of the transaction in it.
    fn block(&mut self, time: Timestamp, tx: Option<Transaction>) -> Option<String> {
        let chain = *self.rules.chain();
        let tx = tx.map(|tx| tx.verify(&chain).unwrap());
        let sized = tx.iter().map(|tx| (tx, 0));
        let (block, outcome, refused) =
            propose(&self.rules, &self.state, &self.tip, time, 1, sized);
        let (height, round, id) = (block.header.height, Round(0), block.id());
        let vote = |seat: u16| {
            let vote = Vote { height, round, step: Step::Precommit, block: Some(id), seat };
            (seat, vote.sign(&chain, &secret(1, u8::try_from(seat).unwrap())))
        };
        let signatures = (0..3).map(vote).collect();
        let certificate = Certificate { height, round, block: id, signatures };
        let certified =
            Certified::verify(block, certificate, &chain, self.rules.committee()).unwrap();
        let (next, governs) = (outcome.tip().clone(), outcome.governs());
        self.state.write(commit(certified, outcome).writes());
        self.tip = next;
        (self.rules, _) = self.rules.after(&self.state, governs);
        refused.into_iter().next().map(|(_, why)| format!("{} {why}", why.code()))
    }

    /// Runs an operation as its own document, when the chain lives at the time the document says.
    fn run(&mut self, document: &Value, wait: bool) -> Option<String> {
        let at: Timestamp = document["at"].as_str().unwrap().parse().unwrap();
        if wait && at > self.tip.time {
            self.block(at, None);
        }
        let prepared = prepare(document);
        // Which agency records a grant, the document does not say: the issuer's side does.
        let actor = prepared.1.unwrap_or_else(|| code(0));
        let number = (0..4).find(|n| code(*n) == actor).unwrap();
        self.nonce += 1;
        let (chain, key) = (*self.rules.chain(), secret(0, u8::try_from(number).unwrap()));
        let until = self.tip.height.plus(50);
        let tx = Transaction::sign(chain, actor, &key, self.nonce, until, vec![prepared.0]);
        self.block(self.tip.time.plus(1000), Some(tx))
    }

    fn stood(&self, licence: &str, at: &str) -> Standing {
        let id = format!("{PREFIX}.{licence}").parse().unwrap();
        query::status_at(&self.state, &id, at.parse().unwrap())
    }
}

fn prepare(document: &Value) -> (Operation, Option<AgencyCode>) {
    let capture = Capture {
        system: "test".parse().unwrap(),
        version: "1".parse().unwrap(),
        captured_at: Timestamp(1_640_966_400_000),
        grade: Grade::Internal,
    };
    let bytes = serde_json::to_vec(document).unwrap();
    let prepared = records::prepare(&bytes, &capture).unwrap().remove(0);
    (prepared.operation, prepared.actor)
}

#[test]
fn the_licences_of_others_run_in_the_order_of_their_file() {
    let Some(operations) = data("licences.json") else { return };
    let mut chain = Chain::new();
    for operation in &operations {
        assert_eq!(chain.run(operation, true), None, "{operation}");
    }
    assert_eq!(operations.len(), 10);
}

#[test]
fn licences_are_granted_and_used_as_others_write_it() {
    let (Some(mut operations), Some(uses)) = (data("licences.json"), data("presentations.json"))
    else {
        return;
    };
    operations.extend(uses);
    operations.sort_by_key(|row| row["at"].as_str().unwrap().parse::<Timestamp>().unwrap());
    let mut chain = Chain::new();
    for operation in &operations {
        assert_eq!(chain.run(operation, true), None, "{operation}");
        if operation["op"] == "use" {
            // It was granted once, and it is used; the same a minute later, or after ten, is refused.
            let mut again = operation.clone();
            again["at"] = "2022-03-01T10:06:00+08:00".into();
            again["加注件制作时间"] = "20220301100600".into();
            let refused = chain.run(&again, true).unwrap();
            assert!(refused.starts_with("E-GRANT-SPENT"), "{refused}");
            again["加注件制作时间"] = "20220301101000".into();
            let refused = chain.run(&again, true).unwrap();
            assert!(refused.starts_with("E-GRANT-EXPIRED"), "{refused}");
        }
    }
    use Status::{Active, Annulled, Expired, Superseded, Suspended};
    for (licence, at, want) in [
        ("2022000001.001.9", "2022-01-09T00:00:00+08:00", Standing::Absent),
        ("2022000001.001.9", "2022-03-01T00:00:00+08:00", Standing::Known(Active)),
        ("2022000001.001.9", "2022-06-01T09:00:00+08:00", Standing::Known(Superseded)),
        ("2022000001.002.7", "2022-07-01T00:00:00+08:00", Standing::Known(Active)),
        ("2022000001.002.7", "2027-01-10T00:00:00+08:00", Standing::Known(Expired)),
        ("2022000002.001.U", "2022-08-15T00:00:00+08:00", Standing::Known(Suspended)),
        ("2022000002.001.U", "2022-09-15T00:00:00+08:00", Standing::Known(Active)),
        ("2022000002.002.S", "2022-12-25T00:00:00+08:00", Standing::Pending),
        ("2022000002.002.S", "2023-01-11T00:00:00+08:00", Standing::Known(Active)),
        // 撤销 reaches back to the day of issue.
        ("2022000003.001.E", "2022-05-01T00:00:00+08:00", Standing::Known(Annulled)),
        ("2022000004.001.J", "2023-02-01T23:59:59+08:00", Standing::Known(Active)),
        ("2022000004.001.J", "2023-02-02T00:00:00+08:00", Standing::Known(Expired)),
    ] {
        assert_eq!(chain.stood(licence, at), want, "{licence} at {at}");
    }
    let trail = |subject: String| {
        query::subject(&chain.state, &subject.parse::<Subject>().unwrap()).unwrap().records
    };
    assert_eq!(trail(format!("data:licence:{PREFIX}.2022000001.001.9")), 2);
    assert_eq!(trail(format!("actor:{}", CODES[3])), 2);
}

/// Whoever meets a licence that is over finds it so, though no record says it.
#[test]
fn expiry_needs_no_record() {
    let Some(operations) = data("licences.json") else { return };
    let last = operations.len() - 1;
    let mut chain = Chain::new();
    for operation in &operations[..last] {
        assert_eq!(chain.run(operation, true), None, "{operation}");
    }
    let licence = "2022000004.001.J";
    assert_eq!(chain.stood(licence, "2023-02-02T00:00:00+08:00"), Standing::Known(Status::Expired));
    // Noted before its time, it is refused.
    let early = chain.run(&operations[last], false).unwrap();
    assert!(early.starts_with("E-LIC-UNEXPIRED"), "{early}");
    let suspend = serde_json::json!({
        "op": "licence.suspend", "at": "2023-02-03T00:00:00+08:00", "id": format!("{PREFIX}.{licence}"),
    });
    let late = chain.run(&suspend, true).unwrap();
    assert!(late.starts_with("E-LIC-EXPIRED"), "{late}");
}
