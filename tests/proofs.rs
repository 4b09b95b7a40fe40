//! Proofs on paper, in the formats of others, of earlier blocks and of authority, from real validators.

#![cfg(test)]

use client::api::{Ask, Named, ProofRequest};
use consensus::Evidence;
use ledger::prove::Asked;
use node::home::read_key;
use proof::{Claim, ProofError, Said};
use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tests::{Chain, Network, exports, program, program::Ran, publish, python, repository, say};
use tokio::task::JoinSet;
use types::{
    BlockId, Hash, Height, RecordId, Round, Subject, codec,
    vote::{Proposal, Step, Vote},
};

/// What `tests/exports/check.py` says of a file, and whether it holds.
fn checked(format: &str, file: &str, genesis: &str, leaf: &str) -> (bool, String) {
    let done = python("exports/check.py")
        .args([format, file, "--genesis", genesis, "--record", leaf])
        .output()
        .unwrap();
    let said =
        String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    (done.status.success(), said)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_goes_on_paper_to_other_peoples_software_and_into_the_past() {
    let net = Network::up();
    let at = |name: &str| net.scratch().join(name).to_str().unwrap().to_owned();
    let (genesis, url) = (net.genesis().to_str().unwrap().to_owned(), net.url(1));
    let run = |words: &[&str]| Ran::of(&program::command("minlian").args(words).output().unwrap());
    let samples = repository().join("genesis/samples/licences.ndjson");
    let file = PathBuf::from(at("licences.ndjson"));
    fs::copy(samples, &file).unwrap();
    let receipts = net.submit(&[file]);
    let record = receipts[0]["record"].as_str().unwrap();
    let recorded = receipts[0]["height"].as_u64().unwrap();
    let proof = at("record.proof");

    // On paper: frames, of which the last comes first.
    run(&["prove", "--record", record, "--node", &url, "--out", &proof, "--qr", &at("r.txt")])
        .expect(0);
    run(&["prove", "--record", record, "--node", &url, "--qr", &at("r.svg")]).expect(0);
    run(&["prove", "--record", record, "--node", &url, "--qr", &at("r.png")]).expect(0);
    let text = fs::read_to_string(at("r.txt")).unwrap();
    let frames: Vec<&str> = text.lines().collect();
    assert!((2..=3).contains(&frames.len()), "{} frames", frames.len());
    assert!(PathBuf::from(at(&format!("r-1-of-{}.svg", frames.len()))).exists());
    assert!(PathBuf::from(at("r-2-of-2.png")).exists() || frames.len() != 2);
    let verify = |files: &[String]| {
        let mut words = vec!["verify", "--trust-root", &genesis];
        words.extend(files.iter().map(String::as_str));
        run(&words)
    };
    let scanned: Vec<String> = (0..frames.len())
        .rev()
        .map(|n| {
            let file = at(&format!("scan-{n}"));
            fs::write(&file, frames[n]).unwrap();
            file
        })
        .collect();
    verify(&scanned).expect(0);
    verify(&[at("r.txt")]).expect(0);
    let partly = verify(&scanned[..1]).expect(3);
    assert!(
        partly.stdout.contains("V-FRAMES") && partly.stdout.contains("missing: 1"),
        "{}",
        partly.stdout
    );
    fs::write(at("scan-0"), &frames[0][..frames[0].len() - 1]).unwrap();
    let torn = verify(&scanned).expect(3);
    assert!(torn.stdout.contains("V-MALFORMED"), "{}", torn.stdout);

    // To other people's software.
    let genesis_text = fs::read_to_string(&genesis).unwrap();
    let keys = exports::transport_keys(&genesis_text);
    let nodes: Vec<String> = (1..=4).map(|n| net.url(n)).collect();
    for (format, out) in [("tlog-proof", at("r.tlog-proof")), ("cose", at("r.cose"))] {
        let export = |nodes: &[String]| {
            let mut words = vec!["export", &proof, "--to", format, "--trust-root", &genesis];
            words.extend(["--out", &out, "--json"]);
            words.extend(nodes.iter().flat_map(|node| ["--node", node.as_str()]));
            run(&words)
        };
        let few = export(&nodes[..2]).expect(4);
        assert!(few.stderr.contains("3 are needed"), "{}", few.stderr);
        let done = export(&nodes).expect(0);
        let row: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
        let leaf = row["leaf"].as_str().unwrap();
        let entry = codec::unhex(leaf).unwrap();
        let signers = row["keys"].as_array().unwrap().len();
        let seen = exports::check(format, &fs::read(&out).unwrap(), &entry, &keys, signers);
        say(&format!("{format} as others read it: {seen:?}"));
        let (holds, said) = checked(format, &out, &genesis, leaf);
        assert!(holds, "{said}");
        say(&said);
        let other = leaf.replacen("00", "01", 1);
        assert!(!checked(format, &out, &genesis, &other).0, "another record");
        let bytes = fs::read(&out).unwrap();
        // Any of the log's signatures will do, so those of a tlog-proof are left alone.
        let text = String::from_utf8_lossy(&bytes);
        let end = text.rfind("\n\n").filter(|_| format != "cose").unwrap_or(bytes.len() - 1);
        for place in (30..end).step_by(end / 9) {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            fs::write(at("changed"), changed).unwrap();
            let (holds, said) = checked(format, &at("changed"), &genesis, leaf);
            assert!(!holds, "{format} {place}: {said}");
        }
    }
    // Nothing is signed but what a quorum certified.
    assert!(net.client(1).checkpoint(Height(1 << 40)).await.unwrap().is_none());

    // Into the past.
    let before = recorded - 1;
    for (words, code) in [
        (["--record", record, "--at", &recorded.to_string()], 0),
        (["--record", record, "--at", &before.to_string()], 1),
    ] {
        let ran =
            run(&[&["prove", "--node", &url, "--out", &at("past.proof")], &words[..]].concat());
        assert_eq!(ran.code, code, "{}", ran.stderr);
    }
    verify(&[at("past.proof")]).expect(0);
    let licence = net.client(1).record(&record.parse().unwrap()).await.unwrap().unwrap();
    let (subject, _) = licence.operation.subjects(&licence.agency).swap_remove(0);
    let height = net.node_status(1).await.height;
    net.agreed(&[1], height.next()).await;
    let (subject, recorded) = (subject.to_string(), recorded.to_string());
    let past = ["--subject", &subject, "--at", &recorded, "--out", &at("past.proof")];
    run(&[&["prove", "--node", &url], &past[..]].concat()).expect(0);
    let told = verify(&[at("past.proof")]).expect(0);
    let words = told.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("it had 1 record, no more and no less"), "{words}");

    // Authority, and evidence that there is none of.
    let agency = licence.agency.to_string();
    let words = ["prove", "--authority", &agency, "--node", &url, "--out", &at("a.proof")];
    run(&words).expect(0);
    let told = verify(&[at("a.proof")]).expect(0);
    assert!(told.stdout.contains("it could record"), "{}", told.stdout);
    run(&["prove", "--evidence", "--node", &url, "--out", &at("e.proof")]).expect(1);

    // Until somebody is found out: here one whose key somebody else signed a second vote with.
    let secret = read_key(&net.network_home().join("v3/keys/consensus.json"), "consensus").unwrap();
    let chain = net.chain();
    let vote = |block| {
        let (height, round, step, seat) = (Height(2), Round(7), Step::Precommit, 2);
        let vote = Vote { height, round, step, block, seat };
        (vote, vote.sign(&chain, &secret))
    };
    let evidence = Evidence::Votes([vote(Some(BlockId(Hash([9; 32])))), vote(None)]);
    net.testnet(&["kill", "v1"]);
    let file = net.network_home().join("v1/data/evidence.hex");
    fs::write(&file, codec::hex(&codec::encode(&evidence)) + "\n").unwrap();
    net.testnet(&["start", "v1"]);
    let height = net.node_status(2).await.height;
    net.agreed(&[1, 2], height.next()).await;
    run(&["prove", "--evidence", "--node", &url, "--out", &at("e.proof")]).expect(0);
    for (lang, word) in [("en", "PROVEN"), ("zh-CN", "已证明")] {
        let told =
            run(&["--lang", lang, "verify", &at("e.proof"), "--trust-root", &genesis]).expect(0);
        assert!(told.stdout.starts_with(word), "{}", told.stdout);
        assert!(told.stdout.contains("省农业农村主管部门"), "whose seat it is: {}", told.stdout);
    }
    let mut bytes = fs::read(at("e.proof")).unwrap();
    let middle = bytes.len() - 40;
    bytes[middle] ^= 1;
    fs::write(at("e.proof"), bytes).unwrap();
    assert_ne!(verify(&[at("e.proof")]).code, 0);
}

/// Evidence as a node keeps it, in either order of the two sayings, is a file that convicts the seat's key.
#[test]
fn whatever_evidence_a_node_keeps_becomes_a_file_that_convicts() {
    let mut chain = Chain::new("evidence", 1);
    chain.commit(vec![chain.transaction(0, 1, vec![publish(1)])]);
    let (id, root) = (chain.genesis().chain(), chain.trust_root());
    let (height, round, seat) = (Height(1), Round(3), 2);
    let (secret, block) = (chain.seat(2), |n| BlockId(Hash([n; 32])));
    let vote = |step, block| {
        let vote = Vote { height, round, step, block, seat };
        (vote, vote.sign(&id, &secret))
    };
    let proposal = |block, valid_round| {
        let proposal = Proposal { height, round, block, valid_round, seat };
        (proposal, proposal.sign(&id, &secret))
    };
    let all = [
        Evidence::Votes([vote(Step::Prevote, None), vote(Step::Prevote, Some(block(1)))]),
        Evidence::Votes([
            vote(Step::Precommit, Some(block(2))),
            vote(Step::Precommit, Some(block(1))),
        ]),
        Evidence::Proposals([proposal(block(2), None), proposal(block(1), None)]),
        // The same block twice is two sayings, when the round it stems from differs.
        Evidence::Proposals([proposal(block(1), Some(Round(1))), proposal(block(1), None)]),
    ];
    for evidence in all {
        assert!(evidence.convicts(&id, chain.rules().committee()).is_some(), "{evidence:?}");
        let turned = match evidence.clone() {
            Evidence::Votes([one, two]) => Evidence::Votes([two, one]),
            Evidence::Proposals([one, two]) => Evidence::Proposals([two, one]),
        };
        let claim = node::evidence::claim(&evidence);
        assert_eq!(claim, node::evidence::claim(&turned), "one spelling of {evidence:?}");
        let ordered = match &claim.said {
            Said::Votes { first, second, .. } => first < second,
            Said::Proposals { first, second } => first < second,
        };
        assert!(ordered, "{claim:?}");
        let proof = chain.prove(&[Asked::Votes(Box::new(claim.clone()))]);
        let bytes = proof::encode(&proof);
        assert_eq!(proof::verify(&bytes, &root).error(), None, "{evidence:?}");
        // The signatures went with what they are under.
        let mut exchanged = proof.clone();
        let (one, two) = claim.signatures;
        let claim = proof::VotesClaim { signatures: (two, one), ..claim };
        exchanged.claims = vec![Claim::Votes(Box::new(claim))];
        let why = proof::verify(&proof::encode(&exchanged), &root).error().map(ProofError::code);
        assert_eq!(why, Some("V-SIGNATURE"), "{evidence:?}");
    }
    // One that says what it never said convicts nobody, whoever keeps it.
    let forged = Evidence::Votes([vote(Step::Prevote, None), vote(Step::Precommit, None)]);
    assert!(forged.convicts(&id, chain.rules().committee()).is_none());
    let proof = chain.prove(&[Asked::Votes(Box::new(node::evidence::claim(&forged)))]);
    assert!(proof::verify(&proof::encode(&proof), &root).error().is_some());
}

/// Commits are made while proofs are asked for on many lines, and an inspector follows from block to block, each of which must
/// be shown to continue the one before.
#[tokio::test(flavor = "multi_thread")]
async fn an_inspector_follows_while_many_ask_and_commits_go_on() {
    const LINES: usize = 16;
    const COMMITS: u32 = 12;
    let net = Network::up();
    let at = |name: &str| net.scratch().join(name).to_str().unwrap().to_owned();
    let (genesis, url) = (net.genesis().to_str().unwrap().to_owned(), net.url(1));
    let run = |words: &[&str]| Ran::of(&program::command("minlian").args(words).output().unwrap());
    let first = net.commit(1, (0..100).map(|n| publish(1000 + n)).collect()).await;
    let records: Vec<RecordId> = first.records.iter().map(|one| one.record).collect();

    let prove = |more: &[&str], name: &str| {
        run(&[&["prove", "--node", &url, "--out", &at(name)], more].concat()).expect(0);
        proof::decode(&fs::read(at(name)).unwrap()).unwrap()
    };
    let advance = |root: &str, proof: &str, out: &str| {
        run(&["trust", "advance", root, "--proof", &at(proof), "--out", &at(out)])
    };
    let block = prove(&["--block"], "first.proof");
    advance(&genesis, "first.proof", "root").expect(0);
    let saved = at("root");

    // Many ask one validator, in every way, until there is nothing more to commit by it.
    let asked = Arc::new(AtomicBool::new(true));
    let mut lines = JoinSet::new();
    for line in 0..LINES {
        let (client, records, asked) = (net.client(1), records.clone(), Arc::clone(&asked));
        lines.spawn(async move {
            let (mut served, record) = (0u32, records[line]);
            let ask = vec![Ask::Records(records), Ask::Subject(Named(Subject::network()))];
            let all = ProofRequest { since: Height::GENESIS, at: None, ask };
            while asked.load(Ordering::Relaxed) {
                assert!(client.record_proof(&record).await.unwrap().is_some());
                assert!(client.subject_proof(&Subject::network()).await.unwrap().is_some());
                assert!(client.prove(&all).await.unwrap().is_some());
                served += 3;
            }
            served
        });
    }
    let mut height = first.height.unwrap();
    for number in 0..COMMITS {
        let receipt = net.commit(1, vec![publish(2000 + number)]).await;
        let now = receipt.height.unwrap();
        assert!(now > height, "each is in a block of its own");
        height = now;
    }
    // The one that is asked is not left behind by those that are not.
    net.agreed(&[1, 2, 3, 4], height).await;
    asked.store(false, Ordering::Relaxed);
    let served: Vec<u32> = lines.join_all().await;
    say(&format!("{COMMITS} commits, while {served:?} proofs were served on {LINES} lines"));
    assert!(served.iter().all(|served| *served > 0), "{served:?}");

    // What was saved is shown to be continued by whatever is fetched with it, and nothing else may be saved next.
    let alone = prove(&["--block"], "alone.proof");
    assert_eq!(alone.claims, [Claim::Block]);
    let refused = advance(&saved, "alone.proof", "further").expect(1);
    assert!(refused.stderr.contains("--trust-root"), "{}", refused.stderr);
    assert!(!PathBuf::from(at("further")).exists());
    let shown = prove(&["--block", "--trust-root", &saved], "shown.proof");
    let [Claim::Block, Claim::Consistency(then)] = &shown.claims[..] else {
        panic!("{:?}", shown.claims)
    };
    assert_eq!(then.header, block.header);
    advance(&saved, "shown.proof", "further").expect(0);
    let record = records[0].to_string();
    let record = prove(&["--record", &record, "--trust-root", &at("further")], "record.proof");
    assert!(record.header.height >= shown.header.height);
    run(&["verify", &at("record.proof"), "--trust-root", &at("further")]).expect(0);
}
