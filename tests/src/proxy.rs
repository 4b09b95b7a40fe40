//! Lines made of TCP proxies: one for each pair of validators and each side that dials, all under one set of conditions.

use crate::{Lines, Network, Pairs};
use client::Client;
use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep_until},
};

/// The most that is carried as a whole, bytes.
const PARCEL_BYTES: usize = 4096;
/// How many parcels may be on their way in one direction of a connection: what a router would buffer.
const PARCELS: usize = 64;
/// What a lost packet costs TCP at least: a retransmission.
const RETRANSMISSION: Duration = Duration::from_millis(200);

/// How one direction of a line is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// Nothing comes through. What was sent waits, as TCP lets it wait; nobody is told.
    pub cut: bool,
    /// How long everything takes.
    pub delay: Duration,
    /// How much comes through, for all connections together; zero is as much as there is.
    pub bytes_per_second: u64,
    /// Of a hundred parcels, how many are lost once and sent again.
    pub lost_percent: u64,
}

/// One direction between two validators, whoever dialled.
#[derive(Debug)]
struct Wire {
    condition: watch::Sender<Condition>,
    /// When the last parcel accepted will have gone out.
    busy_until: Mutex<Instant>,
    /// Whether a byte of the next parcel is to be changed.
    spoil: AtomicBool,
    parcels: AtomicU64,
    bytes: AtomicU64,
}

type Wires = Arc<BTreeMap<(u16, u16), Wire>>;

/// Lines made of proxies. They are gone when this is.
#[derive(Debug)]
pub struct Links {
    wires: Wires,
    entrances: BTreeMap<(u16, u16), SocketAddr>,
    hang_up: watch::Sender<()>,
    _doors: JoinSet<()>,
}

impl Links {
    /// Lays lines between validators that listen at these addresses.
    pub(crate) async fn lay(validators: [(u16, SocketAddr); 4]) -> Self {
        let numbers = validators.map(|(number, _)| number);
        let wire = || Wire {
            condition: watch::channel(Condition::default()).0,
            busy_until: Mutex::new(Instant::now()),
            spoil: AtomicBool::new(false),
            parcels: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        };
        let pairs = || {
            let all = numbers.iter().flat_map(|from| numbers.iter().map(|to| (*from, *to)));
            all.filter(|(from, to)| from != to)
        };
        let wires: Wires = Arc::new(pairs().map(|pair| (pair, wire())).collect());
        let (hang_up, hung_up) = watch::channel(());
        let (mut entrances, mut doors) = (BTreeMap::new(), JoinSet::new());
        for (from, to) in pairs() {
            let address = validators.iter().find(|(number, _)| *number == to);
            let (_, address) = *address.expect("every pair is of these");
            let door = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
            entrances.insert((from, to), door.local_addr().expect("it is bound"));
            doors.spawn(serve(door, (from, to), address, wires.clone(), hung_up.clone()));
        }
        Self { wires, entrances, hang_up, _doors: doors }
    }

    /// Every direction: from one validator to another.
    pub fn pairs(&self) -> impl Iterator<Item = (u16, u16)> {
        self.entrances.keys().copied()
    }

    /// Where one validator finds another.
    #[must_use]
    pub fn entrance(&self, from: u16, to: u16) -> SocketAddr {
        self.entrances[&(from, to)]
    }

    /// Puts every direction into one condition.
    pub fn set_all(&self, condition: Condition) {
        for wire in self.wires.values() {
            wire.condition.send_replace(condition);
        }
    }

    /// Changes one byte of what comes next from one validator to another.
    pub fn spoil(&self, from: u16, to: u16) {
        self.wires[&(from, to)].spoil.store(true, Relaxed);
    }

    /// Closes every connection, as a router that forgets does.
    pub fn reset(&self) {
        self.hang_up.send_replace(());
    }

    /// How many bytes were carried so far, in all directions together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.wires.values().map(|wire| wire.bytes.load(Relaxed)).sum()
    }
}

impl Lines for (Network, Links) {
    fn name(&self) -> &'static str {
        "proxies"
    }

    fn cut(&self, pairs: &Pairs) {
        for (pair, wire) in &*self.1.wires {
            wire.condition.send_modify(|condition| condition.cut = pairs.contains(pair));
        }
    }

    fn client(&self, validator: u16) -> Client {
        self.0.client(validator)
    }

    fn logs(&self) -> String {
        self.0.logs()
    }
}

async fn serve(
    door: TcpListener,
    (from, to): (u16, u16),
    address: SocketAddr,
    wires: Wires,
    hung_up: watch::Receiver<()>,
) {
    let mut carrying = JoinSet::new();
    while let Ok((near, _)) = door.accept().await {
        let (wires, mut hung_up) = (wires.clone(), hung_up.clone());
        hung_up.mark_unchanged();
        carrying.spawn(async move {
            // What dials into a cut is not answered, nor told; it may wait until there is a line.
            let mut condition = wires[&(from, to)].condition.subscribe();
            let mended = condition.wait_for(|condition| !condition.cut).await.is_ok();
            let Ok(far) = TcpStream::connect(address).await else { return };
            assert!(mended, "the wires are held here");
            for side in [&near, &far] {
                side.set_nodelay(true).unwrap_or_default();
            }
            let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
            tokio::select! {
                () = carry(near_in, far_out, &wires[&(from, to)]) => {}
                () = carry(far_in, near_out, &wires[&(to, from)]) => {}
                _ = hung_up.changed() => {}
            }
        });
        while carrying.try_join_next().is_some() {}
    }
}

/// Carries what comes on one side to the other until either has gone.
async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, wire: &Wire) {
    let (queue, mut queued) = mpsc::channel::<(Instant, Vec<u8>)>(PARCELS);
    let taking = async {
        let mut buffer = [0; PARCEL_BYTES];
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            let due = wire.accept(read);
            if queue.send((due, buffer[..read].to_vec())).await.is_err() {
                break;
            }
        }
        drop(queue);
    };
    let giving = async {
        let mut condition = wire.condition.subscribe();
        while let Some((due, mut parcel)) = queued.recv().await {
            sleep_until(due).await;
            if condition.wait_for(|condition| !condition.cut).await.is_err() {
                break;
            }
            if wire.spoil.swap(false, Relaxed) {
                let middle = parcel.len() / 2;
                parcel[middle] ^= 1;
            }
            wire.bytes.fetch_add(parcel.len() as u64, Relaxed);
            if to.write_all(&parcel).await.is_err() {
                break;
            }
        }
    };
    tokio::join!(taking, giving);
}

impl Wire {
    /// Notes a parcel, and says when it arrives.
    fn accept(&self, bytes: usize) -> Instant {
        let condition = *self.condition.borrow();
        let number = self.parcels.fetch_add(1, Relaxed);
        let mut busy = self.busy_until.lock().unwrap_or_else(PoisonError::into_inner);
        let mut going = (*busy).max(Instant::now());
        if let Some(nanos) = (bytes as u64 * 1_000_000_000).checked_div(condition.bytes_per_second)
        {
            going += Duration::from_nanos(nanos);
        }
        // Spread evenly and the same in every run, yet in step with nothing.
        if number * 37 % 100 < condition.lost_percent {
            going += RETRANSMISSION + 2 * condition.delay;
        }
        *busy = going;
        going + condition.delay
    }
}
