//! A ledger of one record, for tests: genesis, block, certificate, and the two proofs that can be cut from it.

use client::api::KeyFile;
use proof::{Claim, Proof, RecordClaim, StatusClaim, log, map};
use records::Capture;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use types::{
    Agency, AgencyCode, Block, BlockId, Certificate, Entry, Genesis, Hash, Header, Height, Level,
    Operation, Region, Role, Round, SecretKey, Subject, SubjectState, Timestamp, Transaction,
    codec,
    genesis::{GovernanceRules, Limits, Seat, Timing},
    operation::{Action, Grade},
    subject::{Facts, Link, Part, Status},
    vote::{Step, Vote},
};

/// The licences of the samples, one a line.
pub(crate) const LICENCES: &str = include_str!("../../../genesis/samples/licences.ndjson");

const CODES: [&str; 4] =
    ["11350000XXXX000195", "11350000XXXX000270", "11350000XXXX00035T", "11350000XXXX00043M"];
const NAMES: [&str; 4] = ["省海洋与渔业局", "省市场监督管理局", "省农业农村厅", "省大数据管理局"];

fn secret(number: u8) -> SecretKey {
    SecretKey::from_seed([number; 32])
}

fn code(index: usize) -> AgencyCode {
    AgencyCode::new(CODES[index]).unwrap()
}

/// A network of four agencies; `salt` tells networks apart.
pub(crate) fn genesis(salt: u8) -> Genesis {
    let number = |n: usize| u8::try_from(n).unwrap();
    let fujian = Region::new("350000").unwrap();
    Genesis {
        version: 1,
        name: "闽链测试网".parse().unwrap(),
        time: "2026-01-01T00:00:00Z".parse().unwrap(),
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
        agencies: (0..4)
            .map(|n| Agency {
                code: code(n),
                name: NAMES[n].parse().unwrap(),
                region: fujian,
                level: Level::Province,
                parent: None,
                keys: vec![secret(1 + number(n)).public()],
                roles: vec![Role::Licence {
                    types: vec!["11350000".parse().unwrap()],
                    regions: vec![fujian],
                }],
            })
            .collect(),
        validators: (0..4)
            .map(|n| Seat {
                agency: code(n),
                consensus_key: secret(salt + number(n)).public(),
                transport_key: secret(salt + 10 + number(n)).public(),
            })
            .collect(),
    }
}

/// The salt of the network the tests trust.
pub(crate) const HOME: u8 = 20;

/// The first agency's key file.
pub(crate) fn key_file() -> KeyFile {
    KeyFile {
        version: 1,
        purpose: "organisation".into(),
        agency: Some(code(0)),
        public: secret(1).public(),
        secret: codec::hex(secret(1).seed()),
    }
}

/// The document behind the record.
pub(crate) fn document() -> &'static [u8] {
    LICENCES.lines().next().unwrap().as_bytes()
}

fn operation(document: &[u8]) -> Operation {
    let capture = Capture {
        system: "test".parse().unwrap(),
        version: "1".parse().unwrap(),
        captured_at: Timestamp(1_780_000_000_000),
        grade: Grade::Internal,
    };
    records::prepare(document, &capture).unwrap().remove(0).operation
}

struct Pages(BTreeMap<Vec<u8>, Vec<u8>>);

impl map::Pages for Pages {
    fn page(&self, path: &[u8]) -> Option<Vec<u8>> {
        self.0.get(path).cloned()
    }
}

/// A ledger of one record, whose block is signed by the validators in `seats`.
pub(crate) struct Ledger {
    header: Header,
    certificate: Certificate,
    record: RecordClaim,
    state: SubjectState,
    pages: Pages,
}

impl Ledger {
    pub(crate) fn new(genesis: &Genesis, salt: u8, seats: &[u16]) -> Self {
        Self::of(document(), genesis, salt, seats)
    }

    /// The same, of another document.
    pub(crate) fn of(document: &[u8], genesis: &Genesis, salt: u8, seats: &[u16]) -> Self {
        let (chain, committee) = (genesis.chain(), genesis.committee());
        let operation = operation(document);
        let Action::Licence(act) = &operation.action else { panic!("the sample is a licence") };
        let transaction =
            Transaction::sign(chain, code(0), &secret(1), 7, Height(3000), vec![operation.clone()]);
        let time: Timestamp = "2026-11-23T12:14:07Z".parse().unwrap();
        let record = operation.record(&code(0));
        let entry = Entry {
            position: 0,
            height: Height(2119),
            time,
            tx: transaction.id(),
            index: 0,
            record,
        };
        let mut frontier = log::Frontier::new();
        frontier.append(entry.leaf(), &mut Vec::new());
        let mut state = SubjectState {
            subject: Subject::licence(&act.licence),
            status: Status::Active,
            owner: code(0),
            version: 1,
            records: 0,
            head: Hash::ZERO,
            latest: 0,
            effective_from: operation.effective_from,
            facts: Facts::Licence { facts: act.verb.facts().unwrap().clone(), successor: None },
        };
        state.append(&Link { position: 0, record, part: Part::Subject });
        let writes = BTreeMap::from([(state.subject.key(), Some(state.digest()))]);
        let update = map::update(&Pages(BTreeMap::new()), &writes);
        let pages =
            update.pages.into_iter().filter_map(|(path, page)| Some((path, page?))).collect();
        let header = Header {
            version: 1,
            chain,
            height: Height(2119),
            time,
            proposer: 0,
            parent: BlockId::default(),
            payload: Block::payload(std::slice::from_ref(&transaction)),
            log_size: 1,
            log_root: frontier.root(),
            state_root: update.root,
            committee: committee.digest(),
            next_committee: committee.digest(),
        };
        let (height, round, block) = (header.height, Round(0), header.id());
        let sign = |seat: &u16| {
            let vote =
                Vote { height, round, step: Step::Precommit, block: Some(block), seat: *seat };
            (*seat, vote.sign(&chain, &secret(salt + u8::try_from(*seat).unwrap())))
        };
        let certificate =
            Certificate { height, round, block, signatures: seats.iter().map(sign).collect() };
        let record = RecordClaim {
            entry,
            log_path: Vec::new(),
            transaction: transaction.header,
            signature: transaction.signature,
            operation,
            operation_path: Vec::new(),
        };
        Self { header, certificate, record, state, pages: Pages(pages) }
    }

    /// The proof of two records of one transaction, each of its own document.
    pub(crate) fn pair(documents: [&[u8]; 2], genesis: &Genesis, salt: u8, seats: &[u16]) -> Proof {
        let chain = genesis.chain();
        let operations = documents.map(operation);
        let transaction =
            Transaction::sign(chain, code(0), &secret(1), 7, Height(3000), operations.to_vec());
        let time: Timestamp = "2026-11-23T12:14:07Z".parse().unwrap();
        let entries = [0_u32, 1].map(|index| Entry {
            position: index.into(),
            height: Height(2119),
            time,
            tx: transaction.id(),
            index,
            record: operations[usize::try_from(index).unwrap()].record(&code(0)),
        });
        let mut frontier = log::Frontier::new();
        entries.iter().for_each(|entry| frontier.append(entry.leaf(), &mut Vec::new()));
        let header = Header {
            time,
            payload: Block::payload(std::slice::from_ref(&transaction)),
            log_size: 2,
            log_root: frontier.root(),
            ..Self::of(documents[0], genesis, salt, seats).header
        };
        let claim = |index: usize| {
            Claim::Record(Box::new(RecordClaim {
                entry: entries[index],
                log_path: vec![entries[1 - index].leaf()],
                transaction: transaction.header,
                signature: transaction.signature,
                operation: operations[index].clone(),
                operation_path: transaction.path(index),
            }))
        };
        let claims = vec![claim(0), claim(1)];
        Proof { claims, ..Self::certified(genesis, salt, seats, header) }
    }

    /// The proof of any block, as these seats might have certified it.
    pub(crate) fn certified(genesis: &Genesis, salt: u8, seats: &[u16], header: Header) -> Proof {
        let (chain, height, round, block) = (genesis.chain(), header.height, Round(0), header.id());
        let sign = |seat: &u16| {
            let vote =
                Vote { height, round, step: Step::Precommit, block: Some(block), seat: *seat };
            (*seat, vote.sign(&chain, &secret(salt + u8::try_from(*seat).unwrap())))
        };
        let certificate =
            Certificate { height, round, block, signatures: seats.iter().map(sign).collect() };
        Proof { chain, handover: Vec::new(), header, certificate, claims: vec![Claim::Block] }
    }

    fn proof(&self, claim: Claim) -> Proof {
        let (header, certificate) = (self.header, self.certificate.clone());
        Proof {
            chain: header.chain,
            handover: Vec::new(),
            header,
            certificate,
            claims: vec![claim],
        }
    }

    pub(crate) fn record(&self) -> Proof {
        self.proof(Claim::Record(Box::new(self.record.clone())))
    }

    /// The record, and the state of its licence with its whole history.
    pub(crate) fn both(&self) -> Proof {
        let mut proof = self.record();
        proof.claims.extend(self.status().claims);
        proof
    }

    pub(crate) fn status(&self) -> Proof {
        let path = map::prove(&self.pages, &self.state.subject.key());
        let link = Link { position: 0, record: self.record.entry.record, part: Part::Subject };
        self.proof(Claim::Status(Box::new(StatusClaim {
            subject: self.state.subject.clone(),
            state: Some(self.state.clone()),
            path,
            history: Some(vec![link]),
        })))
    }

    pub(crate) fn absence(&self, subject: &Subject) -> Proof {
        let path = map::prove(&self.pages, &subject.key());
        self.proof(Claim::Status(Box::new(StatusClaim {
            subject: subject.clone(),
            state: None,
            path,
            history: None,
        })))
    }
}

/// A folder of a test's own, removed at the end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("minlian-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn read(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.0.join(name)).ok()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// What is asked of a node: the head, in small letters, and the body. `None` of who hangs up before its end.
pub(crate) async fn asked(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&buffer[..read]);
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
        if bytes.len() >= end + 4 + length {
            return Some((head, bytes.split_off(end + 4)));
        }
    }
}

/// A node that gives one page and one proof, whichever of them are asked for.
pub(crate) async fn give(listener: TcpListener, page: String, proof: Vec<u8>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let (head, _) = asked(&mut stream).await.expect("a request has an end");
        let body = if head.starts_with("post") { &proof[..] } else { page.as_bytes() };
        let length = body.len();
        let head = format!("content-length: {length}\r\nconnection: close");
        stream.write_all(format!("HTTP/1.1 200 X\r\n{head}\r\n\r\n").as_bytes()).await.unwrap();
        stream.write_all(body).await.unwrap();
    }
}
