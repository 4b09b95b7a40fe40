//! Honest proofs and what a forger makes of them, each with the verdict of `proof::verify`, for another verifier to match.
//!
//! Everything follows from the seed. The forger holds every key of every network: what is changed inside is signed and
//! sealed anew outside, so that the innermost check decides.

#![expect(clippy::print_stdout, reason = "a command speaks")]

#[path = "differential/authority.rs"]
mod authority;

use clap::Parser;
use ledger::{Memory, Rules, commit, propose, prove, prove::Asked, tip};
use proof::{
    Claim, ForkClaim, Proof, RecordClaim, RecordsClaim, Said, StatusClaim, TrustRoot,
    UpstreamClaim, VotesClaim, encode, map::MapPath, verify,
};
use sim::Dice;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, BufWriter, Write as _},
    path::PathBuf,
};
use types::{
    Agency, AgencyCode, BlockId, Certificate, Certified, Digest, Entry, Genesis, Hash, Header,
    Height, Level, Operation, RecordId, Region, Role, Round, SecretKey, Signature, Subject, Text,
    Timestamp, Transaction, TxId, Verified,
    authority::{Change, Enrolment, Governance, NewSeat, Possessed, Target},
    bulk::{BatchAction, SeedAction},
    codec,
    genesis::{GovernanceRules, Limits, Seat, Timing},
    item::{Edition, Element, Predecessor},
    key::Domain,
    merkle,
    operation::{
        Action, Commitment, EventType, Family, Grade, ItemAction, ItemVerb, LicenceAction,
        LicenceFacts, LicenceId, LicenceVerb, Provenance, TraceEvent,
    },
    subject::{Link, Part},
    usage::{self, Basis, DataUse, Presented, Reuse, Terms, Usage},
    vote::{Step, Vote},
};

/// Writes proofs with their verdicts, and the trust roots they are held against.
#[derive(Debug, Parser)]
#[command(name = "differential", version)]
struct Arguments {
    /// The directory to write `cases.ndjson` and the genesis files into.
    out: PathBuf,
    /// How many proofs.
    #[arg(long, default_value_t = 4000)]
    count: u64,
    /// What everything follows from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Judge `edges.ndjson` too, which `edges.py` has put into the directory.
    #[arg(long)]
    edges: bool,
}

fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    fs::create_dir_all(&arguments.out)?;
    let mut dice = Dice::new(arguments.seed, 7);
    let networks = [
        Network::grow('a', 4, 1, &mut dice),
        Network::grow('b', 7, 2, &mut dice),
        // The same people under another name: only the chain tells it from the first.
        Network::grow('c', 4, 1, &mut dice),
    ];
    for network in &networks {
        let path = arguments.out.join(format!("{}.toml", network.id));
        fs::write(path, network.genesis.to_toml())?;
        let path = arguments.out.join(format!("{}-saved.toml", network.id));
        fs::write(path, network.saved.to_text())?;
    }
    let mut forger = Forger { dice, networks: &networks };
    let mut out = Verdicts {
        file: BufWriter::new(fs::File::create(arguments.out.join("cases.ndjson"))?),
        counts: BTreeMap::new(),
    };
    for number in 0..arguments.count {
        let (kind, network, bytes) = forger.case(number);
        // One in four is judged by someone who saved a block.
        if forger.dice.odds(1, 4) {
            out.write(kind, &format!("{}-saved", network.id), &network.saved, &bytes)?;
        } else {
            out.write(kind, &network.id.to_string(), &network.root, &bytes)?;
        }
    }
    if arguments.edges {
        let genesis = fs::read_to_string(arguments.out.join("edges.toml"))?;
        let root = TrustRoot::from_toml(&genesis).map_err(io::Error::other)?;
        for line in fs::read_to_string(arguments.out.join("edges.ndjson"))?.lines() {
            let row: serde_json::Value = serde_json::from_str(line)?;
            let bytes = row["proof"].as_str().and_then(codec::unhex);
            let bytes = bytes.ok_or_else(|| io::Error::other("an edge without a proof"))?;
            out.write("edge of Ed25519", "edges", &root, &bytes)?;
        }
    }
    out.file.flush()?;
    for (code, count) in out.counts {
        println!("{count:>7} {code}");
    }
    Ok(())
}

/// Where verdicts go, and how many there are of each code.
struct Verdicts {
    file: BufWriter<fs::File>,
    counts: BTreeMap<&'static str, u64>,
}

impl Verdicts {
    fn write(&mut self, kind: &str, id: &str, root: &TrustRoot, bytes: &[u8]) -> io::Result<()> {
        let verdict = verify(bytes, root);
        let (result, code) = match verdict.error() {
            None => ("proven", None),
            Some(error) if error.is_undecided() => ("cannot-check", Some(error.code())),
            Some(error) => ("not-proven", Some(error.code())),
        };
        *self.counts.entry(code.unwrap_or("proven")).or_default() += 1;
        let proof = codec::hex(bytes);
        let row = serde_json::json!({
            "proof": proof, "root": id, "result": result, "code": code, "kind": kind,
        });
        writeln!(self.file, "{row}")
    }
}

const CODES: [&str; 7] = [
    "11350000MXDEX0015L",
    "11350000MXDEX0023F",
    "11350000MXDEX0031A",
    "11350000MXDEX004X2",
    "11350100MXDEX00587",
    "11350122MXDEX0066X",
    "11350000MXDEX0074P",
];
const REGIONS: [&str; 7] = ["350000", "350100", "350122", "350200", "360000", "350123", "100000"];
const KINDS: [&str; 5] = ["11350000", "11", "1", "9X", "水产"];
const LOTS: [&str; 6] = [
    "urn:epc:id:sgtin:6901234.1",
    "urn:epc:id:sgtin:6901234.2",
    "urn:epc:class:lgtin:1.2.3",
    "urn:epc:id:sgtin:690",
    "https://id.gs1.org/01/2",
    "批次一号",
];

/// White space, controls, marks of direction, their neighbours, and bytes that are not UTF-8.
const SPELLINGS: &[&[u8]] = &[
    b"\x00",
    b"\x1f",
    b"\x7f",
    b" ",
    b"\t",
    b"\xff",
    b"\xc0\x80",
    b"\xc1\xbf",
    b"\xed\xa0\x80",
    b"\xe0\x80\xaf",
    b"\xf4\x90\x80\x80",
    b"\xf0\x80\x80\x80",
    b"a\xcc\x81",
    "\u{80}".as_bytes(),
    "\u{85}".as_bytes(),
    "\u{9f}".as_bytes(),
    "\u{a0}".as_bytes(),
    "\u{ad}".as_bytes(),
    "\u{1680}".as_bytes(),
    "\u{180e}".as_bytes(),
    "\u{2000}".as_bytes(),
    "\u{200a}".as_bytes(),
    "\u{200b}".as_bytes(),
    "\u{200d}".as_bytes(),
    "\u{200e}".as_bytes(),
    "\u{200f}".as_bytes(),
    "\u{2027}".as_bytes(),
    "\u{2028}".as_bytes(),
    "\u{2029}".as_bytes(),
    "\u{202a}".as_bytes(),
    "\u{202e}".as_bytes(),
    "\u{202f}".as_bytes(),
    "\u{205f}".as_bytes(),
    "\u{2065}".as_bytes(),
    "\u{2066}".as_bytes(),
    "\u{2069}".as_bytes(),
    "\u{206a}".as_bytes(),
    "\u{3000}".as_bytes(),
    "\u{feff}".as_bytes(),
    "\u{fffe}".as_bytes(),
    "\u{ffff}".as_bytes(),
    "\u{1f41f}".as_bytes(),
    "\u{e0001}".as_bytes(),
    "\u{10ffff}".as_bytes(),
];

fn text<const MAX: usize>(text: &str) -> Text<MAX> {
    text.parse().expect("the text is short and plain")
}

fn region(code: &str) -> Region {
    Region::new(code).expect("the region is sound")
}

fn secret(seed: u8, number: u8) -> SecretKey {
    let mut bytes = [seed; 32];
    bytes[0] = number;
    SecretKey::from_seed(bytes)
}

fn small(dice: &mut Dice, bound: u8) -> u8 {
    u8::try_from(dice.below(bound.into())).expect("smaller than the bound")
}

fn pick<'t, T>(dice: &mut Dice, among: &'t [T]) -> &'t T {
    &among[dice.below_usize(among.len())]
}

fn word(dice: &mut Dice, among: &[&'static str]) -> &'static str {
    among[dice.below_usize(among.len())]
}

fn hash(dice: &mut Dice) -> Hash {
    Hash(core::array::from_fn(|_| small(dice, 255)))
}

/// A network whose every secret is known, and honest proofs as of each of its blocks.
struct Network {
    id: char,
    seed: u8,
    seats: u8,
    genesis: Genesis,
    root: TrustRoot,
    /// At each height, proofs of one claim each.
    proofs: Vec<Vec<Proof>>,
    /// Proofs of the later kinds.
    later: Vec<Proof>,
    /// The trust root of one who saved a block in the middle, a change of the committee behind it.
    saved: TrustRoot,
}

impl Network {
    fn grow(id: char, seats: u8, seed: u8, dice: &mut Dice) -> Self {
        let genesis = genesis(&format!("network {id}"), seats, seed);
        let root = TrustRoot::new(genesis.clone()).expect("the genesis is sound");
        let saved = root.clone();
        let (proofs, later) = (Vec::new(), Vec::new());
        let mut network = Self { id, seed, seats, genesis, root, proofs, later, saved };
        let mut rules = Rules::new(&network.genesis);
        let mut state = Memory::default();
        let mut records = Vec::new();
        let agencies = network.genesis.agencies.iter().map(|agency| Subject::agency(&agency.code));
        let mut subjects: BTreeSet<_> = agencies.chain([Subject::network()]).collect();
        for height in 0..9 {
            let candidates: Vec<Verified> = (0..12)
                .map(|nonce| network.transaction(dice, height * 100 + nonce))
                .filter_map(|tx| tx.verify(network.root.chain()).ok())
                .collect();
            let tip = tip(&rules, &state);
            let now = tip.time.plus(1000 + dice.below(1000));
            let offered = candidates.iter().map(|tx| (tx, 0));
            let proposer = u16::from(small(dice, seats));
            let (block, outcome, _refused) = propose(&rules, &state, &tip, now, proposer, offered);
            let certificate = network.certify(&block.header, dice);
            let certified =
                Certified::verify(block, certificate, network.root.chain(), rules.committee())
                    .expect("a quorum signed it");
            for tx in &certified.block().transactions {
                records.extend(tx.records());
                subjects.extend(
                    tx.operations
                        .iter()
                        .flat_map(|o| o.subjects(&tx.header.agency))
                        .map(|(subject, _)| subject),
                );
            }
            let governs = outcome.governs();
            state.write(commit(certified, outcome).writes());
            rules = rules.after(&state, governs).0;
            let mut proofs: Vec<Proof> =
                records.iter().filter_map(|id| prove::record(&rules, &state, id)).collect();
            let absent = (0..6).map(|n| format!("licence:absent-{n}").parse().expect("a subject"));
            let asked = subjects.iter().cloned().chain(absent);
            proofs.extend(asked.filter_map(|subject| prove::subject(&rules, &state, &subject)));
            network.proofs.push(proofs);
            network.tell_later(&rules, &state, &records, &subjects, dice);
        }
        let middle = network.proofs[5][0].clone();
        let middle = tests::moved(middle, &network.committees(1));
        network.saved = network.root.advance(&middle).expect("it follows from genesis");
        network
    }

    /// Proofs of the later kinds as of the last block.
    fn tell_later(
        &mut self,
        rules: &Rules,
        state: &Memory,
        records: &[RecordId],
        subjects: &BTreeSet<Subject>,
        dice: &mut Dice,
    ) {
        let mut asked = vec![vec![Asked::Block]];
        for step in [1, 2, 5] {
            let some = records.iter().step_by(step).copied().collect();
            asked.push(vec![Asked::Records(some)]);
        }
        for height in 1..=self.proofs.len() {
            asked.push(vec![Asked::Consistency(Height(u64::try_from(height).expect("few")))]);
        }
        for agency in &self.genesis.agencies {
            let keys = agency.keys.iter().copied().map(Some).chain([None]);
            for (key, at) in keys.zip([None, Some(Height(1)), Some(Height(4))]) {
                asked.push(vec![Asked::Authority { agency: agency.code, key, at }]);
            }
        }
        for subject in subjects {
            if let Ok(lot) = subject.id.as_str().parse()
                && subject.kind == types::subject::Kind::Lot
            {
                asked.push(vec![Asked::Upstream(lot), Asked::Subject(subject.clone())]);
            }
        }
        let made: Vec<Proof> = asked
            .iter()
            .filter_map(|asked| prove::asked(rules, state, Height::GENESIS, asked).ok())
            .collect();
        let last = made[0].clone();
        let mut header = last.header;
        header.time = header.time.plus(dice.below(3));
        let certificate = self.certify(&header, dice);
        let fork = Claim::Fork(Box::new(ForkClaim { header, certificate }));
        self.later.push(Proof { claims: vec![fork], ..last.clone() });
        for claim in [self.two_votes(dice, &last.header), self.two_votes(dice, &last.header)] {
            self.later.push(Proof { claims: vec![claim], ..last.clone() });
        }
        self.later.extend(made);
    }

    /// Two sayings of a seat, in order or not, different or not.
    fn two_votes(&self, dice: &mut Dice, header: &Header) -> Claim {
        let seat = small(dice, self.seats);
        let (height, round) =
            (Height(1 + dice.below(header.height.0)), Round(small(dice, 3).into()));
        let blocks: Vec<BlockId> = (0..2).map(|_| BlockId(hash(dice))).collect();
        let secret = secret(self.seed, 10 + seat);
        let chain = self.root.chain();
        let step = *pick(dice, &[Step::Prevote, Step::Precommit]);
        let seat = u16::from(seat);
        let (said, signatures) = if dice.odds(2, 3) {
            let mut all = [Some(blocks[0]), Some(blocks[1])];
            all[0] = all[0].filter(|_| dice.odds(1, 2));
            if dice.odds(4, 5) {
                all.sort_unstable();
            }
            let sign = |block| Vote { height, round, step, block, seat }.sign(chain, &secret);
            let [first, second] = all;
            (Said::Votes { step, first, second }, (sign(first), sign(second)))
        } else {
            let round_of = |dice: &mut Dice| dice.odds(1, 2).then(|| Round(small(dice, 3).into()));
            let second = if dice.odds(1, 2) { blocks[0] } else { blocks[1] };
            let mut all = [(blocks[0], round_of(dice)), (second, round_of(dice))];
            if dice.odds(4, 5) {
                all.sort_unstable();
            }
            let sign = |(block, valid_round)| {
                types::vote::Proposal { height, round, block, valid_round, seat }
                    .sign(chain, &secret)
            };
            let [first, second] = all;
            (Said::Proposals { first, second }, (sign(first), sign(second)))
        };
        Claim::Votes(Box::new(VotesClaim { height, round, seat, said, signatures }))
    }

    /// The committees from genesis's on, of which each replaces one seat.
    fn committees(&self, changes: u8) -> Vec<Vec<SecretKey>> {
        let first: Vec<_> = (0..self.seats).map(|n| secret(self.seed, 10 + n)).collect();
        let more: Vec<_> = (0..changes).map(|n| secret(self.seed, 40 + n)).collect();
        tests::lastly(&first, &more)
    }

    fn organisation(&self, agency: u8, key: u8) -> SecretKey {
        secret(self.seed, agency + 100 * key)
    }

    fn transaction(&self, dice: &mut Dice, nonce: u64) -> Transaction {
        let agency = small(dice, 4);
        let count = *pick(dice, &[1, 1, 1, 2, 3, 7]);
        let operations = (0..count).map(|_| operation(dice)).collect();
        let key = self.organisation(agency, small(dice, 2));
        self.sign(agency, &key, nonce, operations)
    }

    fn sign(&self, agency: u8, key: &SecretKey, nonce: u64, acts: Vec<Operation>) -> Transaction {
        let code = AgencyCode::new(CODES[usize::from(agency)]).expect("the code is sound");
        Transaction::sign(*self.root.chain(), code, key, nonce, Height(50), acts)
    }

    /// A certificate by a quorum, or by more.
    fn certify(&self, header: &Header, dice: &mut Dice) -> Certificate {
        let round = Round(u32::from(small(dice, 3)));
        let more = dice.below_usize(usize::from(self.seats) - self.root.committee().quorum() + 1);
        let first = small(dice, self.seats);
        let mut seats: Vec<u8> = (0..self.seats).map(|n| (first + n) % self.seats).collect();
        seats.truncate(self.root.committee().quorum() + more);
        seats.sort_unstable();
        let (height, block) = (header.height, header.id());
        let sign =
            |seat: u8| (u16::from(seat), self.vote(height, round, block, seat, Step::Precommit));
        Certificate { height, round, block, signatures: seats.into_iter().map(sign).collect() }
    }

    fn vote(&self, height: Height, round: Round, id: BlockId, seat: u8, step: Step) -> Signature {
        let vote = Vote { height, round, step, block: Some(id), seat: seat.into() };
        vote.sign(self.root.chain(), &secret(self.seed, 10 + seat % self.seats))
    }
}

fn genesis(name: &str, seats: u8, seed: u8) -> Genesis {
    let roles = |agency: u8| match agency {
        0 => vec![Role::Item { regions: vec![region("350100"), region("350122")] }],
        1 => vec![
            Role::Licence { types: vec![text("11")], regions: vec![region("350100")] },
            Role::Licence { types: vec![text("9"), text("水")], regions: vec![region("350000")] },
            Role::Item { regions: vec![region("350000")] },
            Role::Govern {},
        ],
        // No one of these two roles alone covers an event with lots of both.
        2 => vec![
            Role::Trace { namespaces: vec![text("urn:epc:id:sgtin:6901234")] },
            Role::Trace { namespaces: vec![text("urn:epc:class:"), text("批次")] },
            Role::Licence { types: Vec::new(), regions: Vec::new() },
        ],
        3 => vec![Role::Govern {}],
        _ => Vec::new(),
    };
    let code = |n: u8| AgencyCode::new(CODES[usize::from(n)]).expect("the code is sound");
    let agencies = (0..seats).map(|n| Agency {
        code: code(n),
        name: text(&format!("机构{n}")),
        region: region(if n < 3 { "350000" } else { "350100" }),
        level: if n < 3 { Level::Province } else { Level::City },
        parent: (n > 0).then(|| code(0)),
        keys: vec![secret(seed, n).public(), secret(seed, n + 100).public()],
        roles: roles(n),
    });
    let validators = (0..seats).map(|n| Seat {
        agency: code(n),
        consensus_key: secret(seed, 10 + n).public(),
        transport_key: secret(seed, 20 + n).public(),
    });
    Genesis {
        version: types::genesis::VERSION,
        name: text(name),
        time: Timestamp(1_767_225_600_000 + u64::from(seed)),
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

/// Any operation, allowed or not, over few subjects, so that histories grow.
fn operation(dice: &mut Dice) -> Operation {
    let family = *pick(
        dice,
        &[
            Family::Item,
            Family::Licence,
            Family::Trace,
            Family::Trace,
            Family::Authority,
            Family::Use,
        ],
    );
    operation_of(family, dice)
}

fn edition(planned_cancel: Option<Timestamp>) -> Edition {
    let elements = vec![Element::new(text("事项名称"), b"1"), Element::new(text("期限"), b"2")];
    Edition { version: 1, planned_cancel, elements }
}

fn operation_of(family: Family, dice: &mut Dice) -> Operation {
    let at = Timestamp(1_767_225_600_000 + dice.below(100_000));
    let until = if dice.odds(1, 2) { Some(at.plus(1_000_000)) } else { None };
    let action = match family {
        Family::Item => Action::Item(ItemAction {
            code: text(&format!("1135000000359125644350{:09}", dice.below(4))),
            basic: text("000101001000"),
            level: *pick(dice, &[Level::Province, Level::Province, Level::City]),
            region: region(word(dice, &REGIONS[..3])),
            verb: match dice.below(8) {
                0 | 1 => ItemVerb::Publish { version: 1, planned_cancel: until },
                2 => ItemVerb::Amend { version: 2, planned_cancel: until },
                3 => ItemVerb::Suspend,
                4 => ItemVerb::Resume,
                5 => ItemVerb::Cancel,
                6 => ItemVerb::Enter(edition(until)),
                _ => ItemVerb::Merge {
                    edition: edition(until),
                    predecessors: vec![Predecessor { code: text("A"), basic: text("B") }],
                },
            },
        }),
        Family::Licence => {
            let facts = LicenceFacts {
                kind: text(word(dice, &KINDS)),
                region: region(word(dice, &REGIONS)),
                valid_from: at,
                valid_until: until,
            };
            let supersedes = text(&format!("licence-{}", dice.below(5)));
            Action::Licence(LicenceAction {
                licence: text(&format!("licence-{}", dice.below(5))),
                verb: match dice.below(14) {
                    0..=2 => LicenceVerb::Issue(facts),
                    3 => LicenceVerb::Renew { supersedes, facts },
                    4 => LicenceVerb::Change { supersedes, facts },
                    5 => LicenceVerb::TransferIn { supersedes, facts },
                    6 => LicenceVerb::Suspend,
                    7 => LicenceVerb::Resume,
                    8 => LicenceVerb::Annul,
                    9 => LicenceVerb::Cancel,
                    10 => LicenceVerb::Revoke,
                    11 => LicenceVerb::TransferOut,
                    12 => LicenceVerb::UndoTransferOut,
                    _ => LicenceVerb::Expire,
                },
            })
        }
        Family::Authority => Action::Govern(governance(dice)),
        Family::Use => Action::Use(usage(dice, at)),
        Family::Trace if dice.odds(1, 8) => {
            let name = text(word(dice, &LOTS));
            if dice.odds(1, 2) {
                let (lines, root) = (1 + dice.below(1000), Hash([7; 32]));
                Action::Batch(BatchAction { series: name, lines, root })
            } else {
                let unit = text(&format!("U{}", dice.below(1000)));
                Action::Seed(SeedAction { permit: text("permit-1"), unit, lot: name })
            }
        }
        Family::Trace => {
            let parts = [Part::Observed, Part::Input, Part::Output, Part::Parent, Part::Child];
            // Most events are of lots that the third agency may speak of.
            let known = if dice.odds(3, 4) { &LOTS[..3] } else { &LOTS[..] };
            let mut lots: Vec<_> = (0..dice.below(4))
                .map(|_| (text(word(dice, known)), *pick(dice, &parts)))
                .collect();
            lots.sort();
            lots.dedup();
            Action::Trace(TraceEvent {
                event: *pick(
                    dice,
                    &[
                        EventType::Object,
                        EventType::Aggregation,
                        EventType::Transaction,
                        EventType::Transformation,
                        EventType::Association,
                    ],
                ),
                id: dice.odds(1, 2).then(|| text("urn:uuid:1")),
                time: at,
                step: dice.odds(1, 2).then(|| text("commissioning")),
                lots,
                cbv_hash: dice.odds(1, 2).then_some(Hash([6; 32])),
                corrects: dice.odds(1, 4).then(|| text("urn:uuid:0")),
            })
        }
    };
    let document = dice.below(1_000_000).to_le_bytes();
    Operation {
        action,
        commitment: Commitment {
            document: Digest::blake3(&document),
            content: Digest::blake3(b"content"),
            fields: dice.odds(1, 2).then_some(Hash([5; 32])),
        },
        effective_from: at,
        grade: *pick(dice, &[Grade::Public, Grade::Internal, Grade::Sensitive, Grade::Restricted]),
        provenance: Provenance { system: text("采集"), version: text("1.0"), captured_at: at },
    }
}

/// Any use, sensible or not, of few things, so that trails grow.
fn usage(dice: &mut Dice, at: Timestamp) -> Usage {
    let licence: LicenceId = text(&format!("licence-{}", dice.below(5)));
    let agency = AgencyCode::new(word(dice, &CODES)).expect("the code is sound");
    let purpose: usage::Purpose = text(word(dice, &["loan", "办理许可"]));
    let fields: Vec<types::fields::FieldName> =
        (0..dice.below(3)).map(|n| text(&format!("字段{n}"))).collect();
    let terms = Terms {
        licence: licence.clone(),
        grantee: agency,
        purpose: purpose.clone(),
        reference: dice.odds(1, 2).then(|| text("BJ-1")),
        fields: fields.clone(),
        expires: at.plus(dice.below(1000)),
        uses_max: u32::from(small(dice, 3)),
    };
    let basis = match dice.below(4) {
        0 => Basis::Grant(terms.id()),
        1 => Basis::Item(text("113500000035912564435000000000000")),
        2 => Basis::Licence(licence.clone()),
        _ => Basis::Role(u32::from(small(dice, 3))),
    };
    let document = Digest::blake3(&[small(dice, 3)]);
    let data = DataUse {
        data: usage::licence_data(&licence),
        purpose: purpose.clone(),
        fields: fields.clone(),
        basis: basis.clone(),
        made_at: at,
    };
    match dice.below(9) {
        0 => Usage::Grant(terms),
        1 => Usage::Use(Presented {
            grant: terms.id(),
            licence,
            purpose,
            fields,
            made_at: at,
            copy_until: dice.odds(1, 2).then_some(at),
        }),
        2 => Usage::Withdraw { grant: terms.id(), licence },
        3 => Usage::Access(data),
        4 => Usage::Transfer { data, to: agency },
        5 => Usage::Destroy(data),
        6 => Usage::Register { document, title: text("租赁合同") },
        7 => Usage::Reuse(Reuse {
            document,
            purpose,
            basis: dice.odds(1, 2).then_some(basis),
            made_at: at,
        }),
        _ => Usage::Retire { document },
    }
}

/// Any act of governance. What two must approve is seldom approved by the second, so that little changes.
fn governance(dice: &mut Dice) -> Governance {
    let agency = AgencyCode::new(word(dice, &CODES)).expect("the code is sound");
    let chain = types::ChainId(hash(dice));
    let possessed = |dice: &mut Dice| Possessed::sign(&secret(8, small(dice, 9)), &chain, &agency);
    let until = dice.odds(1, 3).then(|| Timestamp(1_767_225_600_000 + dice.below(100_000_000)));
    let some = |dice: &mut Dice| dice.below_usize(3);
    let role = match dice.below(5) {
        0 => {
            Role::Item { regions: (0..some(dice)).map(|_| region(word(dice, &REGIONS))).collect() }
        }
        1 => Role::Licence {
            types: (0..some(dice)).map(|_| text(word(dice, &KINDS))).collect(),
            regions: (0..some(dice)).map(|_| region(word(dice, &REGIONS))).collect(),
        },
        2 => Role::Trace { namespaces: (0..some(dice)).map(|_| text(word(dice, &LOTS))).collect() },
        3 => Role::Item { regions: vec![region("350122")] },
        _ => Role::Govern {},
    };
    let key = secret(small(dice, 3), small(dice, 40)).public();
    let number = u32::from(small(dice, 4));
    let limits = Limits {
        block_bytes_max: 1 << 20,
        block_operations_max: 1000,
        validity_heights_max: 10 + number,
    };
    let governance = GovernanceRules { approval_percent: 67, open_heights: 100, lead_heights: 2 };
    let timing = Timing {
        propose_ms: 500,
        vote_ms: 200,
        round_step_ms: 100,
        timeout_max_ms: 5000,
        idle_ms: 1000,
        clock_ahead_ms: 500,
    };
    let (proposal, target) =
        (RecordId(hash(dice)), *pick(dice, &[Target::Network, Target::Agency(agency)]));
    match dice.below(24) {
        0 | 1 => Governance::Approve { proposal, target },
        2 | 3 => Governance::Withdraw { proposal, target },
        4 | 5 => Governance::Delegate { to: agency, role, until },
        6 => Governance::Undelegate { from: agency, number },
        7 | 8 => Governance::Rotate { retire: key, enrol: possessed(dice) },
        more => Governance::Propose(Box::new(match more {
            9 | 10 => Change::Enrol(Enrolment {
                code: agency,
                name: text("新机构"),
                region: region(word(dice, &REGIONS)),
                level: *pick(dice, &[Level::National, Level::Town, Level::Village]),
                parent: dice.odds(1, 2).then_some(agency),
                keys: (0..some(dice)).map(|_| possessed(dice)).collect(),
            }),
            11 => Change::Suspend(agency),
            12 => Change::Reinstate(agency),
            13 => Change::Dissolve(agency),
            14 => Change::EnrolKey { agency, key: possessed(dice) },
            15 => Change::RetireKey { agency, key },
            16 | 17 => Change::Grant { agency, role, until },
            18 => Change::Revoke { agency, number },
            19 => Change::Committee {
                join: (0..some(dice))
                    .map(|_| NewSeat {
                        agency,
                        consensus_key: possessed(dice),
                        transport_key: possessed(dice),
                    })
                    .collect(),
                leave: (0..some(dice)).map(|_| key).collect(),
            },
            20 => Change::Committee { join: Vec::new(), leave: vec![key] },
            21 => Change::Limits(limits),
            22 => Change::Timing(timing),
            _ => Change::Rules(governance),
        })),
    }
}

struct Forger<'a> {
    dice: Dice,
    networks: &'a [Network],
}

impl<'a> Forger<'a> {
    /// One case: what was done, the trust root it is held against, and the bytes.
    fn case(&mut self, number: u64) -> (&'static str, &'a Network, Vec<u8>) {
        let network = pick(&mut self.dice, self.networks);
        let (kind, bytes) = match number % 26 {
            0 => ("honest", encode(&self.honest(network))),
            1 => ("byte", self.bytes(network, false)),
            2..=4 => ("byte, sealed", self.bytes(network, true)),
            5 => ("length, sealed", self.lengths(network)),
            6 => ("text, sealed", self.characters(network)),
            7 | 8 => ("splice", encode(&self.splice(network))),
            9 => ("header", encode(&self.header(network))),
            10 => ("certificate", encode(&self.certificate(network))),
            11 => ("transaction", encode(&self.transaction(network))),
            12 => ("forged record", encode(&self.record(network))),
            13 => ("forged status", encode(&self.status(network))),
            14 => ("seal", self.seal(network)),
            15 => ("later kinds", encode(&self.later(network))),
            16 | 17 => ("forged later kinds", encode(&self.forged_later(network))),
            18 | 19 => ("handover", encode(&self.handover(network))),
            20 => ("format 1", self.first_format(network)),
            24 => ("frames", self.frames(network)),
            21..=23 => ("authority", encode(&self.authority(network))),
            _ => ("armour", self.armour(network)),
        };
        let stranger = self.dice.odds(1, 20);
        let root = if stranger { pick(&mut self.dice, self.networks) } else { network };
        (kind, root, bytes)
    }

    fn honest(&mut self, network: &'a Network) -> Proof {
        let at = pick(&mut self.dice, &network.proofs);
        let mut proof = pick(&mut self.dice, at).clone();
        for _ in 0..*pick(&mut self.dice, &[0, 0, 1, 2, 5]) {
            proof.claims.extend(pick(&mut self.dice, at).claims.iter().cloned());
        }
        proof
    }

    /// A proof of a later kind, of several, and now and then after changes of the committee.
    fn later(&mut self, network: &'a Network) -> Proof {
        let dice = &mut self.dice;
        let mut proof = pick(dice, &network.later).clone();
        if dice.odds(1, 4) {
            let more = network.later.iter().filter(|more| more.header == proof.header);
            let more: Vec<_> = more.flat_map(|more| more.claims.iter().cloned()).collect();
            proof.claims.push(pick(dice, &more).clone());
        }
        if dice.odds(1, 4) {
            proof = tests::moved(proof, &network.committees(small(dice, 4)));
        }
        proof
    }

    /// A claim of a later kind with something changed, under a certificate that fits whatever came of it.
    fn forged_later(&mut self, network: &'a Network) -> Proof {
        let mut proof = self.later(network);
        let other = pick(&mut self.dice, &network.later).clone();
        let dice = &mut self.dice;
        let mut header = proof.header;
        let at = dice.below_usize(proof.claims.len());
        let twin = other.claims.into_iter().next().expect("it has one");
        match (&mut proof.claims[at], twin) {
            (Claim::Records(claim), Claim::Records(twin)) => {
                forge_batch(claim, Some(*twin), dice, network);
                settle(claim, &mut header, dice);
            }
            (Claim::Records(claim), _) => {
                forge_batch(claim, None, dice, network);
                settle(claim, &mut header, dice);
            }
            (Claim::Upstream(claim), twin) => {
                let twin = if let Claim::Upstream(twin) = twin { Some(*twin) } else { None };
                forge_upstream(claim, twin, dice, network);
                if dice.odds(1, 3) {
                    settle(&claim.records, &mut header, dice);
                }
            }
            (Claim::Consistency(claim), _) => {
                let signed = dice.odds(3, 4);
                let old = &mut claim.header;
                match dice.below(11) {
                    0 => old.height = Height(dice.below(10)),
                    1 => old.time = old.time.plus(dice.below(20_000)),
                    2 => old.log_size = dice.below(40),
                    3 => old.log_root = hash(dice),
                    4 => old.chain = *pick(dice, self.networks).root.chain(),
                    5 => old.committee = hash(dice),
                    6 => drop(claim.path.pop().is_some()),
                    7 => claim.path.push(hash(dice)),
                    8 => claim
                        .path
                        .iter_mut()
                        .for_each(|node| node.0[3] ^= u8::from(dice.odds(1, 2))),
                    9 => old.version = 2,
                    _ => {}
                }
                if signed {
                    claim.certificate = network.certify(&claim.header, dice);
                }
            }
            (Claim::Fork(claim), _) => {
                match dice.below(6) {
                    0 => claim.header.height = Height(dice.below(10)),
                    1 => claim.header = proof.header,
                    2 => claim.header.committee = hash(dice),
                    3 => claim.header.chain = *pick(dice, self.networks).root.chain(),
                    4 => claim.header.version = 2,
                    _ => {}
                }
                if dice.odds(3, 4) {
                    claim.certificate = network.certify(&claim.header, dice);
                }
            }
            (Claim::Votes(claim), _) => match dice.below(6) {
                0 => claim.seat = small(dice, 9).into(),
                1 => claim.height = Height(dice.below(12)),
                2 => claim.round = Round(small(dice, 4).into()),
                3 => claim.signatures = (claim.signatures.1, claim.signatures.0),
                4 => claim.signatures.1 = claim.signatures.0,
                _ => {}
            },
            (
                claim @ (Claim::Record(_) | Claim::Status(_) | Claim::Block | Claim::Authority(_)),
                twin,
            ) => *claim = twin,
        }
        if header != proof.header {
            proof.handover.clear();
            proof.header = header;
            proof.header.committee = *network.root.digest();
            proof.certificate = network.certify(&proof.header, dice);
        }
        proof
    }

    /// Changes of the committee, sound or not.
    fn handover(&mut self, network: &'a Network) -> Proof {
        let changes = 1 + small(&mut self.dice, 4);
        let committees = network.committees(changes);
        let base = if self.dice.odds(1, 2) { self.later(network) } else { self.honest(network) };
        let mut proof = tests::moved(Proof { handover: Vec::new(), ..base }, &committees);
        let dice = &mut self.dice;
        let at = dice.below_usize(proof.handover.len());
        let signers: Vec<SecretKey> = committees[at].clone();
        let resign = |hop: &mut proof::Hop, count: usize| {
            let secrets: Vec<_> = (0..).zip(signers.iter().take(count).cloned()).collect();
            hop.certificate = tests::certify(&hop.header, network.root.chain(), &secrets);
        };
        let quorum = network.root.committee().quorum();
        let again = proof.handover[at].clone();
        let hop = &mut proof.handover[at];
        match dice.below(18) {
            0 => drop(proof.handover.remove(at)),
            1 => proof.handover.insert(at, again),
            2 => proof.handover.swap(0, at),
            3 => hop.committee.swap(0, 1),
            4 => hop.committee.truncate(usize::from(small(dice, 5))),
            5 => hop.committee[1].key = hop.committee[0].key,
            6 => resign(hop, quorum + 1),
            7 => resign(hop, quorum - 1),
            8 => {
                hop.header.next_committee = hop.header.committee;
                resign(hop, quorum);
            }
            9 => {
                hop.header.committee = hash(dice);
                resign(hop, quorum);
            }
            10 => {
                hop.header.height = Height(dice.below(14));
                resign(hop, quorum);
            }
            11 => {
                hop.header.version = 2;
                resign(hop, quorum);
            }
            12 => {
                hop.header.chain = *pick(dice, self.networks).root.chain();
                resign(hop, quorum);
            }
            13 => hop.certificate.block = BlockId(hash(dice)),
            14 => hop.certificate.round = Round(9),
            // The last committee is replaced by the first, whose seats were given away.
            15 => proof.certificate = network.certify(&proof.header, dice),
            16 => {
                proof.handover.clear();
                proof.certificate = network.certify(&proof.header, dice);
            }
            _ => {}
        }
        proof
    }

    /// A file of the first format, of kinds that it had or had not.
    fn first_format(&mut self, network: &'a Network) -> Vec<u8> {
        let proof = if self.dice.odds(1, 6) { self.later(network) } else { self.honest(network) };
        let Proof { chain, header, certificate, claims, .. } = &proof;
        let body = codec::encode(&(chain, header, certificate, claims));
        let mut bytes = [&proof::MAGIC[..], &1u16.to_le_bytes(), &body, &[0; 8]].concat();
        seal(&mut bytes);
        bytes
    }

    /// One to three bytes changed.
    fn bytes(&mut self, network: &'a Network, sealed: bool) -> Vec<u8> {
        let honest = if self.dice.odds(1, 3) { self.later(network) } else { self.honest(network) };
        let mut bytes = encode(&honest);
        for _ in 0..=self.dice.below(3) / 2 {
            // Half of them where the frame and the first fields are not, which are large.
            let from = if self.dice.odds(1, 8) { 0 } else { 10 };
            let place = from + self.dice.below_usize(bytes.len() - from);
            bytes[place] = match self.dice.below(4) {
                0 => bytes[place] ^ 1 << self.dice.below(8),
                1 => bytes[place].wrapping_add(1),
                2 => 0,
                _ => small(&mut self.dice, 255),
            };
        }
        if sealed {
            seal(&mut bytes);
        }
        bytes
    }

    /// Cut off, cut out, doubled, or with a length that promises too much.
    fn lengths(&mut self, network: &'a Network) -> Vec<u8> {
        let mut bytes = encode(&self.honest(network));
        let (from, to) = (self.dice.below_usize(bytes.len()), self.dice.below_usize(bytes.len()));
        match self.dice.below(6) {
            0 => {
                bytes.truncate(from);
                return bytes;
            }
            1 => drop(bytes.drain(from.min(to)..from.max(to))),
            2 => {
                let tail = bytes[from.min(to)..from.max(to)].to_vec();
                bytes.splice(from..from, tail);
            }
            3 => {
                let length = *pick(&mut self.dice, &[u64::MAX, 1 << 40, 1 << 16, 1, 0]);
                let place = from.min(bytes.len() - 8);
                bytes[place..place + 8].copy_from_slice(&length.to_le_bytes());
            }
            4 => bytes.resize(bytes.len() + 1 + self.dice.below_usize(40), 0),
            _ => bytes.truncate(self.dice.below_usize(24)),
        }
        if bytes.len() >= 8 {
            seal(&mut bytes);
        }
        bytes
    }

    /// Characters in identifiers exchanged for others of the same length, fit for text or not.
    fn characters(&mut self, network: &'a Network) -> Vec<u8> {
        let mut bytes = encode(&self.honest(network));
        let words =
            ["urn:epc:", "licence-", "absent-", "采集", "1135000", "批次一号", "commissioning"];
        let places: Vec<usize> = words
            .iter()
            .flat_map(|word| {
                let (word, last) = (word.as_bytes(), word.len());
                bytes.windows(last).enumerate().filter(move |(_, w)| *w == word).map(|(at, _)| at)
            })
            .collect();
        let put = *pick(&mut self.dice, SPELLINGS);
        let place = if places.is_empty() {
            self.dice.below_usize(bytes.len() - 12)
        } else {
            // At the beginning, where white space is refused, or inside.
            *pick(&mut self.dice, &places) + *pick(&mut self.dice, &[0, 0, 3])
        };
        bytes[place..place + put.len()].copy_from_slice(put);
        seal(&mut bytes);
        bytes
    }

    /// Parts of two honest proofs exchanged, once or several times.
    fn splice(&mut self, network: &'a Network) -> Proof {
        let other =
            if self.dice.odds(1, 3) { pick(&mut self.dice, self.networks) } else { network };
        let (mut ours, mut theirs) = (self.honest(network), self.honest(other));
        for _ in 0..=self.dice.below(2) {
            match self.dice.below(13) {
                12 => {
                    // Records and histories that speak of one position, and disagree.
                    ours = self.honest(network);
                    let at = pick(&mut self.dice, &network.proofs);
                    for _ in 0..6 {
                        let mut more = pick(&mut self.dice, at).claims.clone();
                        if let (Some(Claim::Record(claim)), true) =
                            (more.first_mut(), self.dice.odds(1, 2))
                        {
                            claim.entry.position = self.dice.below(6);
                        }
                        ours.claims.append(&mut more);
                    }
                }
                0 => ours.header = theirs.header,
                1 => ours.certificate = theirs.certificate.clone(),
                2 => ours.chain = theirs.chain,
                3 => ours.claims.append(&mut theirs.claims),
                4 => (ours.header, ours.certificate) = (theirs.header, theirs.certificate.clone()),
                5 => ours.certificate.signatures = theirs.certificate.signatures.clone(),
                _ => self.splice_claims(&mut ours, &theirs),
            }
            if theirs.claims.is_empty() {
                theirs = self.honest(other);
            }
        }
        if self.dice.odds(1, 3) {
            ours.certificate = network.certify(&ours.header, &mut self.dice);
        }
        ours
    }

    fn splice_claims(&mut self, ours: &mut Proof, theirs: &Proof) {
        let dice = &mut self.dice;
        let (at, from) =
            (dice.below_usize(ours.claims.len()), dice.below_usize(theirs.claims.len()));
        match (&mut ours.claims[at], &theirs.claims[from]) {
            (Claim::Record(ours), Claim::Record(theirs)) => match dice.below(10) {
                0 => ours.entry = theirs.entry,
                1 => ours.log_path.clone_from(&theirs.log_path),
                2 => ours.transaction = theirs.transaction,
                3 => ours.signature = theirs.signature,
                4 => ours.operation = theirs.operation.clone(),
                5 => ours.operation_path.clone_from(&theirs.operation_path),
                6 => {
                    ours.transaction = theirs.transaction;
                    ours.signature = theirs.signature;
                    ours.operation = theirs.operation.clone();
                    ours.operation_path.clone_from(&theirs.operation_path);
                }
                7 => ours.entry.position = theirs.entry.position,
                8 => ours.entry.record = theirs.entry.record,
                _ => {
                    ours.entry = theirs.entry;
                    ours.log_path.clone_from(&theirs.log_path);
                }
            },
            (Claim::Status(ours), Claim::Status(theirs)) => match dice.below(7) {
                0 => ours.subject = theirs.subject.clone(),
                1 => ours.state = theirs.state.clone(),
                2 => ours.path = theirs.path.clone(),
                3 => ours.path.other = theirs.path.other,
                4 => ours.history = theirs.history.clone(),
                5 => {
                    ours.subject = theirs.subject.clone();
                    ours.state = theirs.state.clone();
                }
                _ => ours.path.siblings.clone_from(&theirs.path.siblings),
            },
            (ours, theirs) => *ours = theirs.clone(),
        }
    }

    /// A header that a quorum signed, though it fits nothing.
    fn header(&mut self, network: &'a Network) -> Proof {
        let mut proof = self.honest(network);
        let dice = &mut self.dice;
        let header = &mut proof.header;
        match dice.below(12) {
            0 => header.version = u16::from(small(dice, 4)),
            1 => header.chain = *pick(dice, self.networks).root.chain(),
            2 => header.committee = hash(dice),
            3 => header.next_committee = *pick(dice, self.networks).root.digest(),
            4 => header.log_root = hash(dice),
            5 => header.state_root = hash(dice),
            6 => header.log_size = dice.below(40),
            7 => header.log_size = *pick(dice, &[0, 1, u64::MAX, 1 << 63]),
            8 => header.height = Height(dice.below(10)),
            9 => header.time = Timestamp(header.time.0 - 1000 + dice.below(2000)),
            10 => header.proposer = u16::from(small(dice, 9)),
            _ => proof.chain = *pick(dice, self.networks).root.chain(),
        }
        proof.certificate = network.certify(&proof.header, dice);
        if dice.odds(1, 4) {
            self.splice_with_itself(&mut proof);
        }
        proof
    }

    fn splice_with_itself(&mut self, proof: &mut Proof) {
        let other = proof.clone();
        self.splice_claims(proof, &other);
    }

    fn certificate(&mut self, network: &'a Network) -> Proof {
        let mut proof = self.honest(network);
        let dice = &mut self.dice;
        let certificate = &mut proof.certificate;
        let at = dice.below_usize(certificate.signatures.len());
        let to = dice.below_usize(certificate.signatures.len());
        let (height, round, block) = (certificate.height, certificate.round, certificate.block);
        match dice.below(12) {
            0 => drop(certificate.signatures.remove(at)),
            1 => {
                let again = certificate.signatures[at];
                certificate.signatures.insert(to, again);
            }
            2 => certificate.signatures.swap(at, to),
            3 => certificate.signatures[at].0 = u16::from(small(dice, 9)),
            4 => certificate.round = Round(certificate.round.0 + 1),
            5 => certificate.height = certificate.height.next(),
            6 => certificate.block = BlockId(hash(dice)),
            7 => certificate.signatures.clear(),
            8 => {
                let seat = certificate.signatures[at].0;
                let seat = u8::try_from(seat).expect("few seats");
                certificate.signatures[at].1 =
                    network.vote(height, round, block, seat, Step::Prevote);
            }
            9 => {
                let (a, b) = (certificate.signatures[at].1, certificate.signatures[to].1);
                (certificate.signatures[at].1, certificate.signatures[to].1) = (b, a);
            }
            10 => certificate.signatures.push((
                u16::from(network.seats),
                network.vote(height, round, block, 0, Step::Precommit),
            )),
            _ => *certificate = pick(dice, self.networks).certify(&proof.header, dice),
        }
        proof
    }

    /// A transaction changed and signed again by somebody.
    fn transaction(&mut self, network: &'a Network) -> Proof {
        let mut proof = self.honest(network);
        let dice = &mut self.dice;
        let Some(Claim::Record(claim)) =
            proof.claims.iter_mut().find(|claim| matches!(claim, Claim::Record(_)))
        else {
            return self.record(network);
        };
        let tx = &mut claim.transaction;
        let mut signer = network.organisation(small(dice, 4), small(dice, 2));
        match dice.below(9) {
            0 => tx.version = u16::from(small(dice, 4)),
            1 => tx.chain = *pick(dice, self.networks).root.chain(),
            2 => tx.agency = AgencyCode::new(word(dice, &CODES)).expect("the code is sound"),
            3 => tx.count = *pick(dice, &[0, 1, 2, 3, 4, u32::MAX]),
            4 => tx.operations = hash(dice),
            5 => tx.valid_until = Height(dice.below(9)),
            6 => claim.entry.index = *pick(dice, &[0, 1, 2, u32::MAX]),
            7 => {
                claim.operation_path.push(hash(dice));
                signer = secret(9, 9);
            }
            _ => drop(claim.operation_path.pop()),
        }
        if dice.odds(3, 4) {
            resign(claim, &signer);
        }
        if dice.odds(1, 2) {
            adopt(claim, &mut proof.header);
            proof.certificate = network.certify(&proof.header, dice);
        }
        proof
    }

    /// A record that a quorum put on the ledger, whoever may have made it, whatever its entry says.
    fn record(&mut self, network: &'a Network) -> Proof {
        let mut proof = self.honest(network);
        let dice = &mut self.dice;
        let agency = small(dice, 5);
        let signer = match dice.below(8) {
            0 => secret(9, 9),
            1 => network.organisation(small(dice, 4), 0),
            _ => network.organisation(agency, small(dice, 2)),
        };
        let count = 1 + dice.below_usize(4);
        let govern = dice.odds(1, 2);
        let acts: Vec<Operation> = (0..count)
            .map(|_| if govern { operation_of(Family::Authority, dice) } else { operation(dice) })
            .collect();
        let mut tx = network.sign(agency, &signer, dice.below(1000), acts);
        let at = dice.below_usize(count);
        if dice.odds(1, 12) {
            tx.header.version = 2;
        }
        let header = &mut proof.header;
        let mut claim = RecordClaim {
            entry: Entry {
                position: 0,
                height: header.height,
                time: header.time,
                tx: tx.id(),
                index: u32::try_from(at).expect("few operations"),
                record: tx.operations[at].record(&tx.header.agency),
            },
            log_path: Vec::new(),
            operation_path: tx.path(at),
            operation: tx.operations[at].clone(),
            transaction: tx.header,
            signature: tx.signature,
        };
        if tx.header.version != 1 {
            resign(&mut claim, &signer);
        }
        match dice.below(16) {
            0 => claim.entry.tx = TxId(hash(dice)),
            1 => claim.entry.record = RecordId(hash(dice)),
            2 => claim.entry.height = Height(dice.below(60)),
            3 => claim.entry.time = Timestamp(header.time.0 + 1),
            4 => (claim.entry.height, claim.entry.time) = (Height(0), Timestamp(header.time.0 - 1)),
            5 => {
                header.height = Height(60);
                claim.entry.height = Height(*pick(dice, &[49, 50, 51, 60]));
                claim.entry.time = Timestamp(header.time.0 - 1);
            }
            6 => claim.entry.index = u32::MAX,
            _ => {}
        }
        let size = 1 + dice.below_usize(9);
        let place = dice.below_usize(size);
        claim.entry.position = u64::try_from(place).expect("few leaves");
        let mut leaves: Vec<Hash> = (0..size).map(|_| hash(dice)).collect();
        leaves[place] = claim.entry.leaf();
        claim.log_path = merkle::path::<merkle::Rfc6962>(&leaves, place);
        header.log_root = merkle::root::<merkle::Rfc6962>(&leaves);
        header.log_size = u64::try_from(size).expect("few leaves");
        match dice.below(12) {
            0 => drop(claim.log_path.pop()),
            1 => claim.log_path.push(hash(dice)),
            2 => claim.log_path.resize(70, hash(dice)),
            _ => {}
        }
        if dice.odds(1, 24) {
            header.version = 2;
        }
        // Other claims of the same block no longer hold; mostly they are left out.
        if dice.odds(3, 4) {
            proof.claims.clear();
        }
        let first = dice.below_usize(proof.claims.len() + 1);
        proof.claims.insert(first, Claim::Record(Box::new(claim)));
        proof.certificate = network.certify(&proof.header, dice);
        proof
    }

    /// A state, an absence or a history that a quorum put on the ledger, though it may contradict itself.
    fn status(&mut self, network: &'a Network) -> Proof {
        let mut proof = self.honest(network);
        let dice = &mut self.dice;
        let Some(Claim::Status(claim)) =
            proof.claims.iter_mut().find(|claim| matches!(claim, Claim::Status(_)))
        else {
            return self.splice(network);
        };
        let siblings = *pick(dice, &[0, 1, 2, 255, 256, 257, 300]);
        if dice.odds(1, 3) {
            claim.path.siblings.resize(siblings, hash(dice));
        }
        let key = claim.subject.key();
        match dice.below(6) {
            0 => claim.path.other = Some((key, hash(dice))),
            1 => claim.path.other = Some((hash(dice), hash(dice))),
            2 => {
                let mut near = key;
                near.0[31] ^= 1;
                claim.path.other = Some((near, hash(dice)));
            }
            3 => claim.path.other = None,
            _ => {}
        }
        alter(claim, dice);
        let StatusClaim { subject, state, path, .. } = &**claim;
        let MapPath { siblings, other: _ } = path;
        // Where the path itself is refused there is no root to lead to.
        let root = match state {
            Some(state) => path.root_with(&subject.key(), &state.digest()),
            None => path.root_without(&subject.key()),
        };
        if let (Ok(root), true) = (root, siblings.len() < 400) {
            proof.header.state_root = root;
        }
        if dice.odds(3, 4) {
            let kept = Claim::Status(claim.clone());
            proof.claims.retain(|claim| matches!(claim, Claim::Record(_)));
            let at = dice.below_usize(proof.claims.len() + 1);
            proof.claims.insert(at, kept);
        }
        proof.certificate = network.certify(&proof.header, dice);
        proof
    }

    /// The frames of a proof, in some order, torn, missing, or among those of another.
    fn frames(&mut self, network: &'a Network) -> Vec<u8> {
        let proof = if self.dice.odds(1, 2) { self.later(network) } else { self.honest(network) };
        let other = self.honest(network);
        let dice = &mut self.dice;
        let cut = |proof: &Proof| proof::frames(&encode(proof)).unwrap_or_default();
        let (mut words, others) = (cut(&proof), cut(&other));
        for _ in 0..words.len() {
            let (one, two) = (dice.below_usize(words.len()), dice.below_usize(words.len()));
            words.swap(one, two);
        }
        if words.is_empty() {
            return Vec::new();
        }
        let at = dice.below_usize(words.len());
        match dice.below(8) {
            0 => drop(words.remove(at)),
            1 => {
                let left = dice.below_usize(words[at].len());
                words[at].truncate(left);
            }
            2 => words.push(pick(dice, &others).clone()),
            3 => words.push(words[at].clone()),
            4 => {
                // A digit changed, and now and then the check made anew.
                let mut bytes = words[at].clone().into_bytes();
                let place = dice.below_usize(bytes.len());
                bytes[place] = *pick(dice, b"0129AFGZa/ ");
                if dice.odds(1, 2) {
                    let end = bytes.len() - 8;
                    let check = codec::hex(&Digest::blake3(&bytes[..end]).bytes[..4]);
                    bytes[end..].copy_from_slice(check.to_uppercase().as_bytes());
                }
                words[at] = String::from_utf8(bytes).expect("they are plain");
            }
            _ => {}
        }
        words.join(word(dice, &["\n", "\r\n", " ", "\n\n"])).into_bytes()
    }

    /// The seal broken, or an absent subject renamed under it, or what it stands for undecided.
    fn seal(&mut self, network: &'a Network) -> Vec<u8> {
        let mut proof = match self.dice.below(3) {
            0 => self.record(network),
            1 => self.status(network),
            _ => self.honest(network),
        };
        if self.dice.odds(1, 3) {
            proof.header.version = 2;
            proof.certificate = network.certify(&proof.header, &mut self.dice);
        }
        let mut bytes = encode(&proof);
        let named = bytes.windows(7).position(|window| window == b"absent-");
        match named {
            Some(place) if self.dice.odds(1, 2) => bytes[place + 7] ^= 8,
            Some(_) | None => {
                let place = bytes.len() - 1 - self.dice.below_usize(8);
                bytes[place] ^= 1 << self.dice.below(8);
            }
        }
        bytes
    }

    /// Text armour, with either line end, sound or not.
    fn armour(&mut self, network: &'a Network) -> Vec<u8> {
        let binary = if self.dice.odds(1, 4) {
            self.lengths(network)
        } else {
            encode(&self.honest(network))
        };
        let mut armoured = proof::armor(&binary);
        if self.dice.odds(1, 2) {
            armoured = armoured.replace('\n', "\r\n");
        }
        let mut bytes = armoured.into_bytes();
        let dice = &mut self.dice;
        let place = dice.below_usize(bytes.len());
        match dice.below(10) {
            0 | 1 => bytes[place] = *pick(dice, b"AZaz09+/=\r\n -\0\xff"),
            2 => bytes.truncate(place),
            3 => bytes.truncate(dice.below_usize(40)),
            4 => drop(bytes.remove(place)),
            5 => bytes.insert(place, *pick(dice, b"A=\n\r ")),
            6 => bytes.push(*pick(dice, b"A=\n\r ")),
            7 => {
                let last = bytes.len() - dice.below_usize(60);
                bytes.truncate(last);
            }
            _ => {}
        }
        bytes
    }
}

/// Something of a batch changed.
fn forge_batch(
    claim: &mut RecordsClaim,
    twin: Option<RecordsClaim>,
    dice: &mut Dice,
    network: &Network,
) {
    let at = dice.below_usize(claim.records.len());
    let of = dice.below_usize(claim.transactions.len());
    let record = &mut claim.records[at];
    let transaction = &mut claim.transactions[of];
    match dice.below(20) {
        0 => record.position = dice.below(60),
        1 => record.index = *pick(dice, &[0, 1, 2, 7, u32::MAX]),
        2 => record.transaction = *pick(dice, &[0, 1, 2, u32::MAX]),
        3 => record.operation = operation(dice),
        4 => drop(claim.records.remove(at)),
        5 => claim.records.swap(0, at),
        6 => claim.transactions.swap(0, of),
        7 => drop(claim.transactions.remove(of)),
        8 => {
            let again = claim.transactions[of].clone();
            claim.transactions.push(again);
        }
        9 => transaction.height = Height(dice.below(12)),
        10 => transaction.time = Timestamp(transaction.time.0 + dice.below(3000)),
        11 => drop(transaction.operation_nodes.pop().is_some()),
        12 => transaction.operation_nodes.push(hash(dice)),
        13 => drop(claim.log_nodes.pop().is_some()),
        14 => claim.log_nodes.push(hash(dice)),
        15 => claim.log_nodes.iter_mut().for_each(|node| node.0[7] ^= u8::from(dice.odds(1, 3))),
        16 => {
            let tx = &mut transaction.header;
            match dice.below(5) {
                0 => tx.version = 2,
                1 => tx.agency = AgencyCode::new(word(dice, &CODES)).expect("the code is sound"),
                2 => tx.count = *pick(dice, &[0, 1, 3, u32::MAX]),
                3 => tx.valid_until = Height(dice.below(9)),
                _ => tx.nonce += 1,
            }
            let signer = network.organisation(small(dice, 4), small(dice, 2));
            tx.key = signer.public();
            transaction.signature =
                signer.sign(Domain::Transaction, &tx.chain, &codec::encode(&*tx));
        }
        17 => transaction.header.chain.0 = hash(dice),
        18 => {
            if let Some(twin) = twin {
                claim.records = twin.records;
            }
        }
        _ => {}
    }
}

/// Makes a header fit the batch, now and then, as far as the batch can be fitted.
fn settle(claim: &RecordsClaim, header: &mut Header, dice: &mut Dice) {
    if dice.odds(1, 2) {
        return;
    }
    let leaves: Vec<(u64, Hash)> = claim
        .records
        .iter()
        .filter_map(|record| {
            let shared = claim.transactions.get(usize::try_from(record.transaction).ok()?)?;
            let entry = Entry {
                position: record.position,
                height: shared.height,
                time: shared.time,
                tx: shared.header.id(),
                index: record.index,
                record: record.operation.record(&shared.header.agency),
            };
            Some((record.position, entry.leaf()))
        })
        .collect();
    if let Ok(root) =
        proof::many::climb::<merkle::Rfc6962>(&leaves, header.log_size, &claim.log_nodes)
    {
        header.log_root = root;
    }
}

/// Something of an upstream changed.
fn forge_upstream(
    claim: &mut UpstreamClaim,
    twin: Option<UpstreamClaim>,
    dice: &mut Dice,
    network: &Network,
) {
    let at = dice.below_usize(claim.lots.len());
    match dice.below(12) {
        0 => drop(claim.lots.remove(at)),
        1 => claim.lots.swap(0, at),
        2 => claim.lot = text(word(dice, &LOTS)),
        3 => drop(claim.lots[at].history.pop().is_some()),
        4 => claim.lots[at].state.version += 1,
        5 => claim.lots[at].siblings.push(hash(dice)),
        6 => claim.lots[at].siblings = vec![hash(dice); 257],
        7 => {
            let again = claim.lots[at].clone();
            claim.lots.push(again);
        }
        8 => claim.lots[at].state.subject = "licence:licence-1".parse().expect("a subject"),
        9 => {
            if let Some(twin) = twin {
                claim.lots.extend(twin.lots);
                claim.lots.sort_by(|a, b| a.state.subject.id.cmp(&b.state.subject.id));
                claim.lots.dedup();
            }
        }
        _ => forge_batch(&mut claim.records, None, dice, network),
    }
}

/// Fields of a state and its history changed.
fn alter(claim: &mut StatusClaim, dice: &mut Dice) {
    if claim.state.is_none() {
        if dice.odds(1, 4) {
            claim.history = Some(Vec::new());
        }
        return;
    }
    let Some(state) = &mut claim.state else { return };
    let Some(history) = &mut claim.history else { return };
    if history.is_empty() {
        // What genesis put there has no record; one is made up, or said to be somewhere.
        if dice.odds(1, 2) {
            state.latest = dice.below(2);
            return;
        }
        let record = RecordId(hash(dice));
        history.push(Link { position: dice.below(9), record, part: Part::Target });
    }
    match dice.below(16) {
        0 => drop(history.pop()),
        1 => {
            let link = *pick(dice, history);
            history.push(link);
        }
        2 => {
            let (at, to) = (dice.below_usize(history.len()), dice.below_usize(history.len()));
            history.swap(at, to);
        }
        3 => {
            let at = dice.below_usize(history.len());
            history[at].position = dice.below(200);
        }
        4 => {
            let at = dice.below_usize(history.len());
            history[at].record = RecordId(hash(dice));
        }
        5 => state.latest = dice.below(40),
        6 => state.head = hash(dice),
        7 => state.records = dice.below(4),
        8 => history.clear(),
        9 => state.subject = Subject::licence(&text("another")),
        10 => claim.subject = Subject::licence(&text("another")),
        11 => state.version += 1,
        12 => claim.history = None,
        _ => {}
    }
    // Most of them made consistent again, so that the rest decides.
    if dice.odds(2, 3) {
        let Some(history) = &claim.history else { return };
        state.records = u64::try_from(history.len()).expect("few links");
        state.head = history.iter().fold(Hash::ZERO, |head, link: &Link| link.extend(&head));
        if dice.odds(2, 3) {
            state.latest = history.last().map_or(0, |link| link.position);
        }
    }
}

/// Makes a claim's entry the only one of the log.
fn adopt(claim: &RecordClaim, header: &mut Header) {
    header.log_root = claim.entry.leaf();
    header.log_size = 1;
}

fn resign(claim: &mut RecordClaim, signer: &SecretKey) {
    let tx = &mut claim.transaction;
    tx.key = signer.public();
    claim.signature = signer.sign(Domain::Transaction, &tx.chain, &codec::encode(&*tx));
    claim.entry.tx = tx.id();
    claim.entry.record = claim.operation.record(&tx.agency);
}

/// The seal of what stands before it, put in its place.
fn seal(bytes: &mut [u8]) {
    let end = bytes.len() - 8;
    let digest = Digest::blake3(&bytes[..end]).bytes;
    bytes[end..].copy_from_slice(&digest[..8]);
}
