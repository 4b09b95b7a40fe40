//! The committee changes while the network lives: who votes when, who is spoken to, and crashes in between.

use super::*;
use consensus::Signed;
use ledger::{SharedMemory, query};
use types::{
    Agency, AgencyCode, BlockId, Digest, Operation, Region, Role, Transaction,
    agency::Level,
    authority::{Change, Governance, NewSeat, Possessed, Target},
    genesis::{GovernanceRules, Limits, Seat, Timing},
    operation::{Action, Commitment, Grade, Provenance},
};

const CODE: &str = "11350000MXDEX0015L";
const NODES: usize = 9;
const LEAD: u32 = 4;

fn secret(kind: u8, n: usize) -> SecretKey {
    let mut seed = [kind; 32];
    seed[0] = u8::try_from(n).unwrap();
    SecretKey::from_seed(seed)
}

fn peer(n: usize) -> Peer {
    Peer(*secret(2, n).public().as_bytes())
}

fn genesis() -> Genesis {
    let code = AgencyCode::new(CODE).unwrap();
    Genesis {
        version: types::genesis::VERSION,
        name: "reforming".parse().unwrap(),
        time: Timestamp(1_600_000_000_000),
        limits: Limits {
            block_bytes_max: 1 << 16,
            block_operations_max: 10,
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
        governance: GovernanceRules { approval_percent: 100, open_heights: 10, lead_heights: LEAD },
        agencies: vec![Agency {
            code,
            name: "机构".parse().unwrap(),
            region: Region::new("350000").unwrap(),
            level: Level::Province,
            parent: None,
            keys: vec![secret(0, 0).public()],
            roles: vec![Role::Govern {}],
        }],
        validators: (0..4)
            .map(|n| Seat {
                agency: code,
                consensus_key: secret(1, n).public(),
                transport_key: secret(2, n).public(),
            })
            .collect(),
    }
}

#[derive(Default)]
struct Node {
    replica: Option<Replica<SharedMemory>>,
    disk: SharedMemory,
    journal: Vec<Vec<u8>>,
    signed: Option<Signed>,
    alarms: BTreeMap<Wake, u64>,
    /// Whom it speaks with.
    admits: BTreeSet<Peer>,
    /// The heights at which it signed anything.
    voted: BTreeSet<Height>,
}

/// As many nodes as ever have a seat; two are connected while both admit each other.
struct Hall {
    genesis: Genesis,
    nodes: Vec<Node>,
    now: u64,
    mail: VecDeque<(usize, usize, Channel, Vec<u8>)>,
    linked: BTreeSet<(usize, usize)>,
    agreed: BTreeMap<Height, BlockId>,
    accused: usize,
    /// A node crashes after so many effects of all, and so on.
    crashes: VecDeque<(usize, u64)>,
    effects: u64,
    nonce: u64,
    accepted: usize,
}

impl Hall {
    fn new(crashes: impl IntoIterator<Item = (usize, u64)>) -> Self {
        let mut hall = Self {
            genesis: genesis(),
            nodes: (0..NODES).map(|_| Node::default()).collect(),
            now: 0,
            mail: VecDeque::new(),
            linked: BTreeSet::new(),
            agreed: BTreeMap::new(),
            accused: 0,
            crashes: crashes.into_iter().collect(),
            effects: 0,
            nonce: 0,
            accepted: 0,
        };
        (0..NODES).for_each(|n| hall.start(n));
        hall
    }

    fn clock(&self) -> Timestamp {
        Timestamp(1_700_000_000_000 + self.now)
    }

    fn start(&mut self, n: usize) {
        let now = self.clock();
        let node = &mut self.nodes[n];
        node.alarms.clear();
        let voter = Voter { signed: node.signed, ..Voter::new(secret(1, n)) };
        let (disk, journal) = (node.disk.clone(), node.journal.clone());
        let (replica, effects) =
            Replica::restore(&self.genesis, voter, disk, &journal, now, PoolLimits::default())
                .unwrap();
        node.replica = Some(replica);
        self.perform(n, effects);
    }

    fn crash(&mut self, n: usize) {
        self.nodes[n].replica = None;
        self.nodes[n].admits.clear();
        self.mail.retain(|(from, to, ..)| *from != n && *to != n);
        self.relink();
        self.start(n);
    }

    /// Connects those who admit each other, and nobody else.
    fn relink(&mut self) {
        let admits = |n: usize, other: usize| {
            self.nodes[n].replica.is_some() && self.nodes[n].admits.contains(&peer(other))
        };
        let pairs = (0..NODES).flat_map(|n| (0..n).map(move |other| (n, other)));
        let linked: BTreeSet<_> =
            pairs.filter(|(n, other)| admits(*n, *other) && admits(*other, *n)).collect();
        let before = core::mem::replace(&mut self.linked, linked.clone());
        for (n, other) in before.difference(&linked) {
            self.step(*n, Event::Lost(peer(*other)));
            self.step(*other, Event::Lost(peer(*n)));
        }
        for (n, other) in linked.difference(&before) {
            self.step(*n, Event::Connected(peer(*other)));
            self.step(*other, Event::Connected(peer(*n)));
        }
    }

    fn step(&mut self, n: usize, event: Event) {
        let now = self.clock();
        let Some(replica) = self.nodes[n].replica.as_mut() else { return };
        let effects = replica.step(now, event).unwrap();
        self.perform(n, effects);
    }

    fn perform(&mut self, n: usize, effects: Vec<Effect>) {
        for effect in effects {
            self.effects += 1;
            if let Some((at, _)) = self.crashes.front().filter(|(_, after)| self.effects >= *after)
            {
                let at = *at;
                self.crashes.pop_front();
                self.crash(at);
                if at == n {
                    return;
                }
            }
            match effect {
                Effect::Journal(entries) => self.nodes[n].journal.extend(entries),
                Effect::Sign(signed) => {
                    let before = self.nodes[n].signed.replace(signed);
                    let same = before.is_some_and(|b| b.signature == signed.signature);
                    assert!(before.is_none_or(|b| b.place() < signed.place()) || same);
                    self.nodes[n].voted.insert(signed.height);
                }
                Effect::Commit(commit) => {
                    let block = commit.certified().block();
                    let (height, id) = (block.header.height, block.id());
                    assert_eq!(*self.agreed.entry(height).or_insert(id), id, "a fork at {height}");
                    self.nodes[n].disk.write(commit.writes());
                    self.nodes[n].journal.clear();
                    self.step(n, Event::Committed(height));
                }
                Effect::Send(to, channel, bytes) => {
                    for other in (0..NODES).filter(|other| *other != n) {
                        let wanted = to == To::Everyone || to == To::One(peer(other));
                        if wanted && self.linked.contains(&(n.max(other), n.min(other))) {
                            self.mail.push_back((n, other, channel, bytes.clone()));
                        }
                    }
                }
                Effect::Set(wake, delay) => {
                    let at = self.now + delay.max(1);
                    self.nodes[n].alarms.insert(wake, at);
                }
                Effect::Cancel(wake) => {
                    self.nodes[n].alarms.remove(&wake);
                }
                Effect::CancelRounds => {
                    self.nodes[n].alarms.retain(|wake, _| !matches!(wake, Wake::Round(_)));
                }
                Effect::Admit(peers) => {
                    self.nodes[n].admits = peers.into_iter().collect();
                    self.relink();
                }
                Effect::Check(unchecked) => self.step(n, Event::Checked(unchecked.check())),
                Effect::Accuse(_) => self.accused += 1,
                // One that is behind may not see yet that the change before is over.
                Effect::Answer(_, answer) => self.accepted += usize::from(answer.is_ok()),
                // So may one that took it in while behind, once it has caught up.
                Effect::Refused(..) | Effect::Blame(..) => {}
            }
            if self.nodes[n].replica.is_none() {
                return;
            }
        }
    }

    fn advance(&mut self) {
        if let Some((from, to, channel, bytes)) = self.mail.pop_front() {
            if self.linked.contains(&(from.max(to), from.min(to))) {
                let received = receive(&self.genesis.chain(), channel, &bytes).unwrap();
                self.step(to, Event::Received(peer(from), received));
            }
            return;
        }
        let alarms = self.nodes.iter().enumerate();
        let (at, n, wake) = alarms
            .flat_map(|(n, node)| node.alarms.iter().map(move |(wake, at)| (*at, n, *wake)))
            .min()
            .expect("something is always to come");
        self.now = self.now.max(at);
        self.nodes[n].alarms.remove(&wake);
        self.step(n, Event::Elapsed(wake));
    }

    fn height(&self, n: usize) -> Height {
        query::height(&self.nodes[n].disk)
    }

    fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let limit = self.now + 600_000;
        while !done(self) {
            self.advance();
            assert!(self.now < limit, "{what}: heights {:?}", self.heights());
        }
    }

    fn heights(&self) -> Vec<u64> {
        (0..NODES).map(|n| self.height(n).0).collect()
    }

    /// One governs alone, so a proposal is a decision. Says at which height the committee takes over.
    fn reform(&mut self, at: usize, join: &[usize], leave: &[usize]) -> Height {
        let (chain, code) = (self.genesis.chain(), AgencyCode::new(CODE).unwrap());
        let seat = |n: &usize| NewSeat {
            agency: code,
            consensus_key: Possessed::sign(&secret(1, *n), &chain, &code),
            transport_key: Possessed::sign(&secret(2, *n), &chain, &code),
        };
        let change = Change::Committee {
            join: join.iter().map(seat).collect(),
            leave: leave.iter().map(|n| secret(1, *n).public()).collect(),
        };
        assert_eq!(change.target(), Target::Network);
        self.nonce += 1;
        let digest = Digest::blake3(&self.nonce.to_le_bytes());
        let operation = Operation {
            action: Action::Govern(Governance::Propose(Box::new(change))),
            commitment: Commitment { document: digest, content: digest, fields: None },
            effective_from: self.clock(),
            grade: Grade::Public,
            provenance: Provenance {
                system: "test".parse().unwrap(),
                version: "1".parse().unwrap(),
                captured_at: self.clock(),
            },
        };
        let until = Height(self.height(at).0 + 500);
        let tx = Transaction::sign(chain, code, &secret(0, 0), self.nonce, until, vec![operation]);
        let id = tx.id();
        self.accepted = 0;
        // Every node is told: one of them may crash before it has told the others.
        for n in 0..NODES {
            let verified = tx.clone().verify(&chain).unwrap();
            let is_seated = self.nodes[n].replica.as_ref().is_some_and(|r| r.seat().is_some());
            if is_seated {
                self.step(n, Event::Submitted(Ticket(0), verified));
            }
        }
        assert!(self.accepted > 0, "somebody takes it");
        self.until("the change is committed", |hall| {
            query::place(&hall.nodes[at].disk, &id).is_some()
        });
        let place = query::place(&self.nodes[at].disk, &id).unwrap();
        place.height.plus(LEAD.into())
    }
}

fn seated(hall: &Hall, n: usize) -> bool {
    hall.nodes[n].replica.as_ref().is_some_and(|replica| replica.seat().is_some())
}

/// Seat by seat until none of the first is left: 4 → 5 → … with those who left cut off at their height.
fn relay(crashes: impl IntoIterator<Item = (usize, u64)>) -> Hall {
    let mut hall = Hall::new(crashes);
    hall.until("a first block", |hall| hall.height(3) >= Height(2));
    let steps: [(&[usize], &[usize]); 7] = [
        (&[4], &[]),
        (&[5], &[0]),
        (&[6], &[1]),
        (&[7], &[2]),
        (&[8], &[3]),
        (&[0], &[4]),
        (&[], &[5]),
    ];
    let mut present: BTreeSet<usize> = (0..4).collect();
    for (join, leave) in steps {
        let at = *present.iter().find(|n| !leave.contains(n)).unwrap();
        let from = hall.reform(at, join, leave);
        present.extend(join);
        present.retain(|n| !leave.contains(n));
        hall.until("the new committee decides", |hall| {
            present.iter().all(|n| hall.height(*n) >= from.plus(6))
        });
        for n in 0..NODES {
            let votes: Vec<_> = hall.nodes[n].voted.range(from..).collect();
            if present.contains(&n) {
                assert!(seated(&hall, n), "{n} has a seat");
            } else {
                assert!(votes.is_empty(), "{n} voted at {votes:?}, after {from}");
                assert!(!hall.linked.iter().any(|(a, b)| {
                    (*a == n && present.contains(b)) || (*b == n && present.contains(a))
                }));
            }
        }
        // Those who joined vote, not only sit.
        for n in join {
            assert!(hall.nodes[*n].voted.range(from..).next().is_some(), "{n} votes");
        }
    }
    assert_eq!(hall.accused, 0);
    hall
}

#[test]
fn the_committee_is_replaced_under_way() {
    let hall = relay([]);
    assert!(hall.height(8) > Height(60), "{:?}", hall.heights());
}

#[test]
fn the_first_height_of_a_committee_takes_one_round() {
    // Whoever of them leads it: those behind the one that leaves all have another seat.
    for first in 2..6 {
        let mut hall = Hall::new([]);
        hall.until("some blocks", |hall| hall.height(3) >= Height(first));
        let from = hall.reform(1, &[4], &[0]);
        hall.until("the new committee decides", |hall| {
            [1, 2, 3, 4].iter().all(|n| hall.height(*n) >= from)
        });
        let certificate = query::certificate(&hall.nodes[1].disk, from).unwrap();
        assert_eq!(certificate.round, Round(0), "height {from}");
    }
}

#[test]
fn a_crash_at_any_time_during_a_change_forks_nothing_and_stalls_nobody() {
    let whole = relay([]).effects;
    for start in 0..20 {
        // Another node every so often, all through the run.
        let step = whole / 12;
        let crashes = (0..11).map(|k| {
            let at = start * step / 20 + k * step;
            (usize::try_from(start + k).unwrap() % NODES, at.max(1))
        });
        relay(crashes);
    }
}

#[test]
fn all_crash_at_once_when_the_new_committee_takes_over() {
    for delay in 0..40 {
        let mut hall = Hall::new([]);
        hall.until("a first block", |hall| hall.height(3) >= Height(2));
        let from = hall.reform(1, &[4], &[0]);
        hall.until("just before", |hall| hall.height(1).next() >= from);
        for _ in 0..delay {
            hall.advance();
        }
        for n in 0..NODES {
            hall.crash(n);
        }
        hall.until("the new committee decides", |hall| {
            [1, 2, 3, 4].iter().all(|n| hall.height(*n) >= from.plus(5))
        });
        assert!(hall.nodes[4].voted.range(from..).next().is_some());
        assert!(hall.nodes[0].voted.range(from..).next().is_none());
    }
}
