//! Licences from operations as others write them: the synthetic ones of the project's data, run in order on a fresh chain.

#![cfg(test)]

use ledger::{Memory, Rules, Tip, commit, propose, query, tip};
use records::Capture;
use serde_json::{Value, json};
use std::{fs, path::PathBuf};
use tests::{Desk, Network, program, repository};
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
    let text = fs::read(file).ok()?;
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
        region: Region::new(["350122", "350100", "350000", "350000"][n]).unwrap(),
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

/// One answer for programs, a line each, of a command that must end so.
fn rows(words: &[&str], code: i32) -> Vec<Value> {
    let ran = program::minlian(&[words, &["--json"]].concat()).expect(code);
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// With the command and real validators: a licence is issued under salts, shown in part, granted, used, suspended and revoked;
/// where it stood and who did what with it is proven, and what is not allowed is refused.
#[test]
fn a_licence_is_shown_granted_used_and_audited_on_real_validators() {
    let net = Network::up();
    let desk = Desk::new(&net);
    let at = |name: &str| net.scratch().join(name).to_str().unwrap().to_owned();
    let (url, root) = (net.url(2), net.genesis().to_str().unwrap().to_owned());
    let samples = fs::read_to_string(repository().join("genesis/samples/licences.ndjson")).unwrap();
    let mut issue: Value = serde_json::from_str(samples.lines().next().unwrap()).unwrap();
    issue["note"] = "with salts".into();
    let (plain, salted) = (at("plain.json"), at("salted.json"));
    fs::write(&plain, issue.to_string()).unwrap();
    program::minlian(&["salt", &plain, "--out", &salted]).expect(0);
    // Of what the command wrote nothing but the salts is new, and no two are the same.
    let document: Value = serde_json::from_str(&fs::read_to_string(&salted).unwrap()).unwrap();
    let meta = document["meta"].as_object().unwrap();
    assert_eq!(document["salts"].as_object().unwrap().len(), meta.len());
    // The file itself is the document: what is shown of it is under its digest.
    assert_eq!(net.submit(&[PathBuf::from(&salted)]).len(), 1);
    let id = meta["证照标识"].as_str().unwrap();
    let licence = format!("licence:{id}");

    // Where it stood, as a node says and as a file proves.
    let proof = at("status.proof");
    let stood = |time: &str, code: i32, standing: &str| {
        let ask = ["status", &licence, "--at", time, "--node", &url, "--proof", &proof];
        let row = rows(&ask, code).remove(0);
        assert_eq!(
            (row["standing"].as_str(), row["valid"].as_bool()),
            (Some(standing), Some(code == 0))
        );
        let verify = ["verify", &proof, "--trust-root", &root, "--at", time];
        let row = rows(&verify, 0).remove(0);
        assert_eq!(row["result"], "proven");
        let told = &row["beyond"]["standing"];
        assert!(told.to_string().contains(&format!("\"{standing}\"")), "{standing}: {told}");
    };
    stood("2026-03-01T00:00:00+08:00", 0, "active");
    stood("2026-01-04T23:59:59+08:00", 1, "absent");
    // Of a time to come a node tells what the licence itself says; a file of today says nothing.
    let later = "2031-01-05T00:00:00+08:00";
    let ask = ["status", &licence, "--at", later, "--node", &url, "--proof", &proof];
    assert_eq!(rows(&ask, 1).remove(0)["standing"], "expired");
    let verify = ["verify", &proof, "--trust-root", &root, "--at", later];
    assert_eq!(rows(&verify, 3).remove(0)["code"], "V-AT-LATER");

    // "Valid until", and nothing else.
    let shown = at("shown.proof");
    let words = ["present", &salted, "--fields", "valid until", "--node", &url, "--out", &shown];
    program::minlian(&words).expect(0);
    let told = rows(&["verify", &shown, "--trust-root", &root], 0).remove(0);
    let until = &meta["证照有效期截至"];
    let fields = &told["beyond"]["fields"];
    assert!(fields.to_string().contains(until.as_str().unwrap()), "{fields}");
    let bytes = fs::read(&shown).unwrap();
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("证照有效期截至") && holds(&until.to_string()));
    for (name, value) in meta.iter().filter(|(name, _)| *name != "证照有效期截至") {
        // A field is in such a file under its name and as JSON, however short it is.
        assert!(!holds(name) && !holds(&value.to_string()), "{name} is in the file");
        // What the operation itself says in the clear is no secret.
        if let Some(value) =
            value.as_str().filter(|value| value.chars().count() > 8 && !id.contains(value))
        {
            assert!(!holds(value), "{name} is in the file");
        }
    }
    let ran = program::minlian(&["verify", &shown, "--trust-root", &root, "--explain"]).expect(0);
    assert!(ran.stdout.contains("commitment to"), "{}", ran.stdout);
    let none = ["present", &salted, "--fields", "nothing", "--node", &url, "--out", &shown];
    assert_ne!(program::minlian(&none).code, 0);

    // Nothing is used without a live grant: not before it, not for another purpose, not by another, not once more.
    let reader = "11350000MXDEX0023F";
    let using = |time: &str, purpose: &str| {
        json!({
            "op": "licence.use", "at": time, "actor": reader, "licence": id, "purpose": purpose,
            "fields": ["证照编号"], "made_at": time,
        })
    };
    let first = using("2026-03-02T08:00:00+08:00", "养殖补贴审核");
    desk.refused("v2", &first, "E-GRANT-UNKNOWN");
    let grant = json!({
        "op": "licence.grant", "at": "2026-03-01T08:00:00+08:00", "licence": id, "grantee": reader,
        "purpose": "养殖补贴审核", "fields": ["证照编号"], "expires": "2030-06-01T00:00:00+08:00",
    });
    desk.refused("v3", &grant, "E-AUTH-OWNER");
    desk.done("issuer", &grant);
    desk.refused("v2", &using("2026-03-02T08:00:00+08:00", "别的事由"), "E-GRANT-UNKNOWN");
    let mut more = first.clone();
    more["fields"] = json!(["持证主体名称"]);
    desk.refused("v2", &more, "E-GRANT-FIELD");
    desk.done("v2", &first);
    let again = using("2026-03-03T08:00:00+08:00", "养殖补贴审核");
    desk.refused("v2", &again, "E-GRANT-SPENT");
    let mut person = using("2026-03-04T08:00:00+08:00", "查验13800138000");
    desk.refused("v2", &person, "E-REC-052");
    person["purpose"] = "查验".into();
    desk.refused("v2", &person, "E-GRANT-UNKNOWN");

    // Who did what with it, by who acted and by what it was done with; that it is all is in the file.
    let trail = at("trail.proof");
    for (by, name) in [("--actor", reader), ("--subject", licence.as_str())] {
        let all = rows(&["audit", by, name, "--node", &url, "--proof", &trail], 0);
        let acts: Vec<&Value> = all.iter().map(|row| &row["operation"]["action"]["use"]).collect();
        assert!(
            acts.len() == 2 && acts[0]["grant"].is_object() && acts[1]["use"].is_object(),
            "{by}: {all:?}"
        );
        let told = program::minlian(&["verify", &trail, "--trust-root", &root]).expect(0).stdout;
        assert!(told.contains("complete: 2 records"), "{told}");
        for lang in ["en", "zh-CN"] {
            let words = ["--lang", lang, "audit", by, name, "--node", &url];
            let told = program::minlian(&words).expect(0).stdout;
            assert!(told.contains("养殖补贴审核") && told.contains(id), "{told}");
        }
        let mut bytes = fs::read(&trail).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&trail, bytes).unwrap();
        assert_ne!(program::minlian(&["verify", &trail, "--trust-root", &root]).code, 0);
    }
    let nobody = ["audit", "--actor", "11350000MXDEX0031A", "--node", &url, "--proof", &trail];
    assert!(rows(&nobody, 1).is_empty());
    program::minlian(&["verify", &trail, "--trust-root", &root]).expect(0);

    // Its life ends, and stays ended.
    let act =
        |op: &str, time: &str| json!({ "op": op, "at": time, "licence": id, "reason": "示例" });
    desk.done("issuer", &act("licence.suspend", "2026-04-01T00:00:00+08:00"));
    stood("2026-04-02T00:00:00+08:00", 1, "suspended");
    stood("2026-03-31T00:00:00+08:00", 0, "active");
    desk.done("issuer", &act("licence.revoke", "2026-05-01T00:00:00+08:00"));
    stood("2026-05-02T00:00:00+08:00", 1, "revoked");
    for op in ["licence.resume", "licence.suspend", "licence.cancel"] {
        desk.refused("issuer", &act(op, "2026-06-01T00:00:00+08:00"), "E-SUB-TERMINAL");
    }
    let ran = program::minlian(&["status", &licence, "--node", &url]).expect(0);
    assert!(ran.stdout.starts_with("REVOKED"), "{}", ran.stdout);
    assert!(ran.stderr.contains(&format!("minlian prove --subject {licence}")), "{}", ran.stderr);
}
