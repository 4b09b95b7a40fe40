//! A chain in one value: secrets that everyone knows, a state in memory, and no votes but those of the certificate.

use ledger::{
    Commit, Memory, Pool, PoolLimits, Rejection, Rules, commit, propose, prove, prove::Asked, tip,
};
use proof::{Hop, Proof, TrustRoot};
use types::{
    Agency, AgencyCode, Certificate, Certified, ChainId, Committee, Digest, Genesis, Hash, Header,
    Height, Level, Operation, RecordId, Region, Role, Round, SecretKey, Subject, Text, Timestamp,
    Transaction, Validator, Verified,
    authority::Governance,
    genesis::{GovernanceRules, Limits, Seat, Timing},
    identifier::LicenceIdentifier,
    operation::{
        Action, Commitment, EventType, Grade, ItemAction, ItemVerb, LicenceAction, LicenceFacts,
        LicenceVerb, Provenance, TraceEvent,
    },
    subject::Part,
    usage::Usage,
    vote::{Step, Vote},
};

const CODES: [&str; 4] =
    ["11350000MXDEX0015L", "11350000MXDEX0023F", "11350000MXDEX0031A", "11350000MXDEX004X2"];

/// A chain of four agencies, three of which may record anything, and the fourth nothing. The first two govern.
#[derive(Debug)]
pub struct Chain {
    genesis: Genesis,
    rules: Rules,
    state: Memory,
    seed: u8,
}

impl Chain {
    /// A chain at genesis. Chains with different seeds have no key in common.
    #[must_use]
    pub fn new(name: &str, seed: u8) -> Self {
        let genesis = genesis(name, seed);
        Self { rules: Rules::new(&genesis), genesis, state: Memory::default(), seed }
    }

    /// A chain of other agencies, whose keys are those of [`Chain::organisation`] by their place; the first four have seats.
    #[must_use]
    pub fn with(agencies: Vec<Agency>, seed: u8) -> Self {
        let mut genesis = genesis("with", seed);
        for (seat, agency) in genesis.validators.iter_mut().zip(&agencies) {
            seat.agency = agency.code;
        }
        genesis.agencies = agencies;
        for (n, agency) in (0..).zip(&mut genesis.agencies) {
            agency.keys = vec![secret(seed, 100 + n).public()];
        }
        Self { rules: Rules::new(&genesis), genesis, state: Memory::default(), seed }
    }

    /// The rules for the next block.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// What it holds.
    #[must_use]
    pub const fn state(&self) -> &Memory {
        &self.state
    }

    /// The key that the agency at this place of [`Chain::with`] signs with.
    #[must_use]
    pub fn key(&self, place: u8) -> SecretKey {
        secret(self.seed, 100 + place)
    }

    /// What admission and execution both say of a transaction; it is committed if they let it pass.
    ///
    /// # Errors
    /// The rule it breaks.
    pub fn attempt(&mut self, tx: Transaction) -> Result<(), Rejection> {
        let tx = tx.verify(&self.genesis.chain())?;
        let tip = tip(&self.rules, &self.state);
        let mut pool = Pool::new(PoolLimits::default());
        let admitted = pool.admit(&self.rules, &self.state, &tip, tx.clone());
        let now = tip.time.plus(1000);
        let candidates = std::iter::once((&tx, 0));
        let (.., refused) = propose(&self.rules, &self.state, &tip, now, 1, candidates);
        let executed = refused.into_iter().next().map_or(Ok(()), |(_, why)| Err(why));
        // Only what no block could hold is seen at admission alone.
        if !matches!(admitted, Err(Rejection::Size { .. })) {
            assert_eq!(admitted.clone().map(drop), executed, "admission says what execution says");
        }
        admitted?;
        self.commit(vec![tx.into_inner()]);
        Ok(())
    }

    /// What it was agreed to be.
    #[must_use]
    pub const fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// The same, for one who checks proofs.
    #[must_use]
    pub fn trust_root(&self) -> TrustRoot {
        TrustRoot::new(self.genesis.clone()).expect("the genesis is sound")
    }

    /// The organisation key of an agency.
    #[must_use]
    pub fn organisation(&self, agency: u8) -> SecretKey {
        secret(self.seed, agency)
    }

    /// The consensus key of a seat.
    #[must_use]
    pub fn seat(&self, seat: u8) -> SecretKey {
        secret(self.seed, 10 + seat)
    }

    /// A transaction by an agency, signed.
    #[must_use]
    pub fn transaction(&self, agency: u8, nonce: u64, operations: Vec<Operation>) -> Transaction {
        let (code, key) = (code(agency.into()), self.organisation(agency));
        Transaction::sign(self.genesis.chain(), code, &key, nonce, Height(100), operations)
    }

    /// A block of these transactions, agreed on by the first three seats.
    pub fn commit(&mut self, transactions: Vec<Transaction>) -> Certified {
        self.append(transactions).certified().clone()
    }

    /// The same, with all that it changes.
    pub fn append(&mut self, transactions: Vec<Transaction>) -> Commit {
        let chain = self.genesis.chain();
        let checked: Vec<Verified> =
            transactions.into_iter().map(|tx| tx.verify(&chain).expect("it is sound")).collect();
        let tip = tip(&self.rules, &self.state);
        let now = tip.time.plus(1000);
        let candidates = checked.iter().map(|tx| (tx, 0));
        let (block, outcome, refused) = propose(&self.rules, &self.state, &tip, now, 1, candidates);
        assert!(refused.is_empty(), "{refused:?}");
        let governs = outcome.governs();
        let secrets = [0, 1, 2].map(|seat| (seat.into(), self.seat(seat)));
        let certificate = certify(&block.header, &chain, &secrets);
        let certified = Certified::verify(block, certificate, &chain, self.rules.committee())
            .expect("a quorum signed it");
        let commit = commit(certified, outcome);
        self.state.write(commit.writes());
        self.rules = self.rules.after(&self.state, governs).0;
        commit
    }

    /// The proof that a record is on it.
    #[must_use]
    pub fn prove_record(&self, record: &RecordId) -> Proof {
        prove::record(&self.rules, &self.state, record).expect("the record was committed")
    }

    /// The proof of where a subject stands.
    #[must_use]
    pub fn prove_subject(&self, subject: &Subject) -> Proof {
        prove::subject(&self.rules, &self.state, subject).expect("there is a block")
    }
}

impl Chain {
    /// The proof of all that is asked.
    #[must_use]
    pub fn prove(&self, asked: &[Asked]) -> Proof {
        prove::asked(&self.rules, &self.state, Height::GENESIS, asked).expect("it can be shown")
    }

    /// The same as of an earlier block.
    #[must_use]
    pub fn prove_at(&self, at: u64, asked: &[Asked]) -> Proof {
        prove::as_of(&self.rules, &self.state, Height::GENESIS, Some(Height(at)), asked)
            .expect("it can be shown")
    }
}

/// The same claims as of a block some changes of the committee later: from the first of these committees to the last.
///
/// The first must be the one that the proof's header names; a block that changes the committee changes nothing else.
#[must_use]
pub fn moved(proof: Proof, committees: &[Vec<SecretKey>]) -> Proof {
    let (base, chain) = (proof.header, proof.chain);
    let later = |header: Header, by: u64| Header {
        height: header.height.plus(by),
        time: header.time.plus(1000 * by),
        ..header
    };
    let sign = |header: &Header, committee: &[SecretKey]| {
        let quorum = committee.len() * 2 / 3 + 1;
        let secrets: Vec<_> = (0..).zip(committee.iter().take(quorum).cloned()).collect();
        certify(header, &chain, &secrets)
    };
    let mut handover = proof.handover;
    let (mut committee, mut after) = (base.committee, 1);
    for pair in committees.windows(2) {
        let seats = seats(&pair[1]);
        let next = Committee::new(seats.clone()).expect("keys differ").digest();
        let header = Header { committee, next_committee: next, ..later(base, after) };
        handover.push(Hop { header, certificate: sign(&header, &pair[0]), committee: seats });
        (committee, after) = (next, after + 1);
    }
    let header = Header { committee, next_committee: committee, ..later(base, after) };
    let certificate = sign(&header, committees.last().expect("there is one"));
    Proof { chain, handover, header, certificate, claims: proof.claims }
}

fn seats(secrets: &[SecretKey]) -> Vec<Validator> {
    let seat = |(number, secret): (usize, &SecretKey)| Validator {
        agency: code(number % 4),
        name: text(&format!("机构{number}")),
        key: secret.public(),
    };
    secrets.iter().enumerate().map(seat).collect()
}

/// The committees of one in which, one after the other, the oldest seat goes to the next of the newcomers.
#[must_use]
pub fn lastly(first: &[SecretKey], newcomers: &[SecretKey]) -> Vec<Vec<SecretKey>> {
    let mut all = vec![first.to_vec()];
    for newcomer in newcomers {
        let before = all.last().expect("there is the first");
        all.push(before[1..].iter().chain([newcomer]).cloned().collect());
    }
    all
}

/// The certificate of a header by these seats, whoever holds them.
#[must_use]
pub fn certify(header: &Header, chain: &ChainId, secrets: &[(u16, SecretKey)]) -> Certificate {
    let (height, round, block) = (header.height, Round(0), header.id());
    let sign = |(seat, secret): &(u16, SecretKey)| {
        let vote = Vote { height, round, step: Step::Precommit, block: Some(block), seat: *seat };
        (*seat, vote.sign(chain, secret))
    };
    Certificate { height, round, block, signatures: secrets.iter().map(sign).collect() }
}

fn secret(seed: u8, number: u8) -> SecretKey {
    let mut bytes = [seed; 32];
    bytes[0] = number;
    SecretKey::from_seed(bytes)
}

fn code(index: usize) -> AgencyCode {
    AgencyCode::new(CODES[index]).expect("the code is sound")
}

fn text<const MAX: usize>(text: &str) -> Text<MAX> {
    text.parse().expect("the text is short and plain")
}

fn region(code: &str) -> Region {
    Region::new(code).expect("the region is sound")
}

fn genesis(name: &str, seed: u8) -> Genesis {
    let roles = vec![
        Role::Item { regions: vec![region("350000")] },
        Role::Licence { types: vec![text("11")], regions: vec![region("350000")] },
        Role::Trace { namespaces: vec![text("urn:epc:")] },
    ];
    let agencies = (0..4u8).map(|n| Agency {
        code: code(n.into()),
        name: text(&format!("机构{n}")),
        region: region("350000"),
        level: Level::Province,
        parent: None,
        keys: vec![secret(seed, n).public()],
        roles: match n {
            0 | 1 => roles.iter().cloned().chain([Role::Govern {}]).collect(),
            2 => roles.clone(),
            _ => Vec::new(),
        },
    });
    let validators = (0..4u8).map(|n| Seat {
        agency: code(n.into()),
        consensus_key: secret(seed, 10 + n).public(),
        transport_key: secret(seed, 20 + n).public(),
    });
    Genesis {
        version: types::genesis::VERSION,
        name: text(name),
        time: "2026-01-01T00:00:00Z".parse().expect("a time"),
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
        validators: validators.collect(),
    }
}

/// An act, with a commitment to a document of this text.
#[must_use]
pub fn operation(action: Action, document: &str) -> Operation {
    let at: Timestamp = "2026-01-05T01:00:00Z".parse().expect("a time");
    Operation {
        action,
        commitment: Commitment {
            document: Digest::blake3(document.as_bytes()),
            content: Digest::blake3(format!("content of {document}").as_bytes()),
            fields: None,
        },
        effective_from: at,
        grade: Grade::Internal,
        provenance: Provenance { system: text("capture"), version: text("1.0"), captured_at: at },
    }
}

/// An act of governance.
#[must_use]
pub fn govern(act: Governance) -> Operation {
    operation(Action::Govern(act), "minutes")
}

/// A use of a licence, data or a document.
#[must_use]
pub fn used(act: Usage) -> Operation {
    operation(Action::Use(act), "use")
}

/// The publication of a service item.
#[must_use]
pub fn publish(number: u32) -> Operation {
    let verb = ItemVerb::Publish { version: 1, planned_cancel: None };
    let act = ItemAction {
        code: text(&format!("1135000000359125644350{number:09}")),
        basic: text("000101001000"),
        level: Level::Province,
        region: region("350000"),
        verb,
    };
    operation(Action::Item(act), &format!("item {number}"))
}

/// The issue of an e-licence, of the type that a national identifier says.
#[must_use]
pub fn licence(id: &str) -> Operation {
    let facts = LicenceFacts {
        kind: text(LicenceIdentifier::parse(id).map_or("11350000", |parts| parts.kind)),
        region: region("350122"),
        valid_from: "2026-01-05T00:00:00+08:00".parse().expect("a time"),
        valid_until: Some("2031-01-05T00:00:00+08:00".parse().expect("a time")),
    };
    let act = LicenceAction { licence: text(id), verb: LicenceVerb::Issue(facts) };
    operation(Action::Licence(act), id)
}

/// An event that turns one lot into another.
#[must_use]
pub fn lots(input: &str, output: &str) -> Operation {
    let mut lots = vec![(text(input), Part::Input), (text(output), Part::Output)];
    lots.sort();
    let event = TraceEvent {
        event: EventType::Transformation,
        id: Some(text("urn:uuid:ee6043d2-53eb-501b-898a-da1fdd315719")),
        time: "2026-07-25T17:00:00+08:00".parse().expect("a time"),
        step: Some(text("commissioning")),
        lots,
        cbv_hash: Some(Hash([6; 32])),
        corrects: None,
    };
    operation(Action::Trace(event), output)
}
