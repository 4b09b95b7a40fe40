//! A consensus key on another process or machine: who guards it, and how a node has it sign.
//!
//! The guard ([`Guard`], `minlian-node signer`) has the key and a record of its own of what it signed; it signs one thing
//! at a time, forward only, and nothing leaves it before the record is durable. The node ([`Remote`]) asks over a Unix
//! socket, or over TLS with a certificate at each end, one request in flight, each answer under its request's number. While
//! no answer comes the replica stands still, as if the machine had paused, and is heard again when the guard is back; a
//! refusal ends the node.
//!
//! Lines of JSON: the guard greets with [`Greeting`], then every [`Request`] has one [`Answer`].

use crate::{clock, home::Unavailable, signstate::SignState, tls::MutualTls};
use anyhow::{Context as _, ensure};
use consensus::Signed;
use rustls::{
    ClientConfig, ClientConnection, ServerConfig, ServerConnection, StreamOwned,
    pki_types::ServerName,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    fmt, fs,
    io::{self, BufRead as _, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::{
        fs::PermissionsExt as _,
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use types::{
    ChainId, Domain, Height, PublicKey, SecretKey, Signature, codec, key::Elsewhere, vote::Asked,
};

/// The version of what is spoken.
const VERSION: u16 = 1;
/// How long the guard may take for one answer, its disk included, before the line is given up.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Between two tries, at first and at most: a guard that is down is asked now and then, not all the time.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// How often it is told that no answer comes.
const TOLD_EVERY: Duration = Duration::from_secs(10);
/// The longest line.
const LINE_BYTES_MAX: u64 = 4096;
/// How many nodes may be connected: one, and the one that is just being restarted, and a look.
const LINES_MAX: usize = 4;
/// How many may be showing their certificates, and how long they may take: strangers come that far.
const STRANGERS_MAX: usize = 16;
const INTRODUCED_WITHIN: Duration = Duration::from_secs(5);
/// How long a line of TLS may be silent before it is given up: a machine that lost its power does not hang up. The node then
/// opens another.
const SILENT_MAX: Duration = Duration::from_secs(120);

/// What the guard says first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Greeting {
    /// The version of what is spoken.
    pub version: u16,
    /// The key.
    pub public: PublicKey,
    /// The only chain it signs for.
    pub chain: ChainId,
    /// The height up to which it may have signed anything.
    pub height: Height,
    /// The last thing it signed.
    pub last: Option<Signed>,
}

/// What it is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Its number; the answer has the same.
    pub id: u64,
    /// What for.
    pub purpose: Purpose,
    /// On which chain.
    pub chain: ChainId,
    /// What is signed, in hexadecimal.
    pub body: String,
}

/// The purposes of a consensus key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A block is proposed.
    Proposal,
    /// The first vote.
    Prevote,
    /// The second vote.
    Precommit,
}

impl Purpose {
    const fn of(domain: Domain) -> Option<Self> {
        match domain {
            Domain::Proposal => Some(Self::Proposal),
            Domain::Prevote => Some(Self::Prevote),
            Domain::Precommit => Some(Self::Precommit),
            Domain::Transaction | Domain::Handshake | Domain::Enrolment | Domain::Checkpoint => {
                None
            }
        }
    }

    const fn domain(self) -> Domain {
        match self {
            Self::Proposal => Domain::Proposal,
            Self::Prevote => Domain::Prevote,
            Self::Precommit => Domain::Precommit,
        }
    }
}

/// What it answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Answer {
    /// Signed.
    Signed {
        /// The request's number.
        id: u64,
        /// The signature.
        signature: Signature,
    },
    /// Not signed, and never to be.
    Refused {
        /// The request's number.
        id: u64,
        /// Why.
        why: String,
    },
}

/// A key, and the record of what it has signed.
#[derive(Debug)]
pub struct Guard {
    secret: SecretKey,
    chain: ChainId,
    record: Mutex<SignState>,
}

impl Guard {
    /// The guard of a key on one chain, with its record, which no other process may hold.
    ///
    /// # Errors
    /// When the record is held elsewhere.
    pub fn new(secret: SecretKey, chain: ChainId, mut record: SignState) -> anyhow::Result<Self> {
        record.hold()?;
        Ok(Self { secret, chain, record: Mutex::new(record) })
    }

    fn greeting(&self) -> Greeting {
        let record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        Greeting {
            version: VERSION,
            public: self.secret.public(),
            chain: self.chain,
            height: record.height(),
            last: record.last().copied(),
        }
    }

    /// The answer to a request: a signature that is remembered durably, or why there is none.
    ///
    /// # Errors
    /// When the record cannot be written. Nothing may be signed by this process any more.
    pub fn answer(&self, request: &Request) -> io::Result<Answer> {
        let Request { id, purpose, chain, body } = request;
        let refused = |why: &str| Ok(Answer::Refused { id: *id, why: why.to_owned() });
        if *chain != self.chain {
            return refused("of another chain");
        }
        let domain = purpose.domain();
        let Some((asked, body)) =
            codec::unhex(body).and_then(|body| Some((Asked::of(domain, &body)?, body)))
        else {
            return refused("not the body of a proposal or vote");
        };
        // One at a time: the record's lock is held until what it says is on the disk.
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        let signature = self.secret.sign(domain, chain, &body);
        let Asked { height, round, step, block } = asked;
        let signed = Signed { height, round, step, block, signature };
        match record.advance(chain, signed)? {
            Ok(()) => {
                tracing::debug!(%height, %round, step, "signed");
                Ok(Answer::Signed { id: *id, signature })
            }
            Err(refusal) => {
                tracing::warn!(%height, %round, step, %refusal, "refused to sign");
                refused(&refusal.to_string())
            }
        }
    }

    /// Serves one connection to its end.
    fn converse(&self, stream: impl Read + Write) -> io::Result<()> {
        let mut lines = BufReader::new(stream);
        write_line(lines.get_mut(), &self.greeting())?;
        while let Some(request) = read_line(&mut lines)? {
            let answer = self.answer(&request).unwrap_or_else(|error| {
                // What the disk now holds is unknown, so nothing more is signed until a new start has read it.
                tracing::error!(%error, "cannot record a signature");
                std::process::exit(store::exit_code_of(&error).into())
            });
            write_line(lines.get_mut(), &answer)?;
        }
        Ok(())
    }
}

/// Where a guard is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// On this machine: a socket of its owner's alone.
    Unix(PathBuf),
    /// On another, where both show certificates. An address and no name: nothing is looked up before a vote.
    Tls(SocketAddr),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Tls(address) => write!(f, "{address}"),
        }
    }
}

impl Place {
    /// The place that these words name, as `unix:/run/minlian/signer` or `tls:10.0.0.7:27100`; a path is relative to `home`.
    ///
    /// # Errors
    /// When they name none.
    pub fn read(home: &Path, words: &str) -> anyhow::Result<Self> {
        let unix = words.strip_prefix("unix:").map(|path| Self::Unix(home.join(path)));
        let tls = || Some(Self::Tls(words.strip_prefix("tls:")?.parse().ok()?));
        unix.or_else(tls).with_context(|| {
            format!(
                "{words:?} is not a signer's address such as unix:/run/minlian/signer or tls:10.0.0.7:27100"
            )
        })
    }

    /// How a node gets there.
    ///
    /// # Errors
    /// When certificates are missing, not sound, or not needed.
    pub fn reached(self, home: &Path, tls: Option<&MutualTls>) -> anyhow::Result<Reach> {
        match (self, tls) {
            (Self::Unix(path), None) => Ok(Reach::Unix(path)),
            (Self::Tls(address), Some(tls)) => {
                let name = tls.name.clone().unwrap_or_else(|| address.ip().to_string());
                let name = ServerName::try_from(name).context("in [signer_tls], name")?;
                let config = tls.client(home).context("in [signer_tls]")?;
                Ok(Reach::Tls { address, name, config })
            }
            (Self::Unix(_), Some(_)) => {
                anyhow::bail!("[signer_tls] is for a signer at tls:…, and `signer` names a socket")
            }
            (Self::Tls(address), None) => anyhow::bail!(
                "a signer at tls:{address} needs [signer_tls] with certificate, key and trusted"
            ),
        }
    }

    /// How a guard listens there.
    ///
    /// # Errors
    /// As [`Place::reached`].
    pub fn served(self, home: &Path, tls: Option<&MutualTls>) -> anyhow::Result<Door> {
        match (self, tls) {
            (Self::Unix(path), None) => Ok(Door::Unix(path)),
            (Self::Tls(address), Some(tls)) => Ok(Door::Tls(address, tls.server(home)?)),
            (Self::Unix(_), Some(_)) => anyhow::bail!("--tls-certificate is for --listen tls:…"),
            (Self::Tls(address), None) => anyhow::bail!(
                "--listen tls:{address} needs --tls-certificate, --tls-key and --tls-trusted"
            ),
        }
    }
}

/// A guard's way to listen.
#[derive(Clone, Debug)]
pub enum Door {
    /// At a socket.
    Unix(PathBuf),
    /// With these certificates.
    Tls(SocketAddr, Arc<ServerConfig>),
}

/// A node's way to its guard.
#[derive(Clone, Debug)]
pub enum Reach {
    /// By a socket.
    Unix(PathBuf),
    /// With these certificates.
    Tls {
        /// Where.
        address: SocketAddr,
        /// The name in the guard's certificate.
        name: ServerName<'static>,
        /// What is shown and believed.
        config: Arc<ClientConfig>,
    },
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Tls { address, .. } => write!(f, "{address}"),
        }
    }
}

impl Reach {
    /// A new line, on which nothing waits for longer than an answer may take.
    fn open(&self) -> io::Result<Stream> {
        match self {
            Self::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(ANSWER_WITHIN))?;
                stream.set_write_timeout(Some(ANSWER_WITHIN))?;
                Ok(Box::new(stream))
            }
            Self::Tls { address, name, config } => {
                let line = ClientConnection::new(config.clone(), name.clone());
                let line = line.map_err(io::Error::other)?;
                let stream = TcpStream::connect_timeout(address, ANSWER_WITHIN)?;
                prepare(&stream, ANSWER_WITHIN)?;
                let mut stream = StreamOwned::new(line, stream);
                introduce(&mut stream.conn, &mut stream.sock)?;
                Ok(Box::new(stream))
            }
        }
    }
}

/// A line, whatever carries it.
trait Carrier: Read + Write + fmt::Debug + Send {}

impl<T: Read + Write + fmt::Debug + Send> Carrier for T {}

type Stream = Box<dyn Carrier>;

fn prepare(stream: &TcpStream, patience: Duration) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))
}

/// Both ends show their certificates, in a bounded time however slowly the other one sends.
fn introduce<Data>(
    line: &mut rustls::ConnectionCommon<Data>,
    stream: &mut TcpStream,
) -> io::Result<()> {
    let began = clock::instant();
    while line.is_handshaking() {
        if began.elapsed() > INTRODUCED_WITHIN {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "certificates came too slowly"));
        }
        while line.wants_write() {
            line.write_tls(stream)?;
        }
        if !line.is_handshaking() {
            break;
        }
        if line.read_tls(stream)? == 0 {
            return Err(io::Error::other("it hung up while certificates were shown"));
        }
        if let Err(error) = line.process_new_packets() {
            // The other side is told why.
            while line.wants_write() && line.write_tls(stream).is_ok() {}
            return Err(io::Error::other(error));
        }
    }
    while line.wants_write() {
        line.write_tls(stream)?;
    }
    Ok(())
}

/// Listens for nodes, in the background. A socket is its owner's alone.
///
/// # Errors
/// When nothing can listen there, or another guard answers at that socket.
pub fn serve(door: Door, guard: Arc<Guard>) -> anyhow::Result<()> {
    let lines = Seats::new(LINES_MAX);
    match door {
        Door::Unix(path) => {
            let listener = listen(&path)?;
            in_background("listener", move || {
                for stream in listener.incoming().flatten() {
                    let Some(seat) = lines.take() else {
                        tracing::warn!("more nodes than may be connected; one is turned away");
                        continue;
                    };
                    let guard = guard.clone();
                    in_background("line", move || serve_line(&guard, stream, seat)).ok();
                }
            })?;
        }
        Door::Tls(address, config) => {
            // An address may be there later: it is the disk that another start does not cure.
            let listener = TcpListener::bind(address)
                .map_err(|error| Unavailable(format!("cannot listen at tls:{address}: {error}")))?;
            let strangers = Seats::new(STRANGERS_MAX);
            in_background("listener", move || {
                for stream in listener.incoming().flatten() {
                    // Who is not known yet takes no node's place.
                    let Some(stranger) = strangers.take() else { continue };
                    let (guard, config, lines) = (guard.clone(), config.clone(), lines.clone());
                    in_background("line", move || match admit(config, stream) {
                        Ok(stream) => {
                            drop(stranger);
                            match lines.take() {
                                Some(seat) => serve_line(&guard, stream, seat),
                                None => tracing::warn!(
                                    "more nodes than may be connected; one is turned away"
                                ),
                            }
                        }
                        Err(error) => tracing::warn!(%error, "not a node of this signer"),
                    })
                    .ok();
                }
            })?;
        }
    }
    Ok(())
}

fn listen(path: &Path) -> anyhow::Result<UnixListener> {
    let shown = path.display();
    if UnixStream::connect(path).is_ok() {
        anyhow::bail!("another process answers at {shown}; stop it first");
    }
    // What a guard left behind that was killed.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot remove {shown}"));
        }
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(path).with_context(|| format!("cannot listen at {shown}"))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// A line whose other end has shown a certificate that is believed here.
fn admit(config: Arc<ServerConfig>, stream: TcpStream) -> io::Result<Stream> {
    prepare(&stream, ANSWER_WITHIN)?;
    let line = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(line, stream);
    introduce(&mut stream.conn, &mut stream.sock)?;
    stream.sock.set_read_timeout(Some(SILENT_MAX))?;
    Ok(Box::new(stream))
}

fn serve_line(guard: &Guard, stream: impl Read + Write, _seat: Seat) {
    if let Err(error) = guard.converse(stream) {
        tracing::warn!(%error, "a node's line ended");
    }
}

fn in_background(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().name(name.into()).spawn(work).map(drop)
}

/// So many may be here at once.
#[derive(Clone, Debug)]
struct Seats {
    taken: Arc<AtomicUsize>,
    most: usize,
}

/// One of them, until it is dropped.
#[derive(Debug)]
struct Seat(Arc<AtomicUsize>);

impl Seats {
    fn new(most: usize) -> Self {
        Self { taken: Arc::default(), most }
    }

    fn take(&self) -> Option<Seat> {
        let seat = Seat(self.taken.clone());
        (self.taken.fetch_add(1, Ordering::SeqCst) < self.most).then_some(seat)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A node's line to the guard of its key.
#[derive(Debug)]
pub struct Remote {
    reach: Reach,
    public: PublicKey,
    on_refusal: fn(&str) -> !,
    line: Mutex<Line>,
}

#[derive(Debug, Default)]
struct Line {
    /// The line, and when it was last used.
    stream: Option<(BufReader<Stream>, Instant)>,
    id: u64,
}

/// Why a try gave no signature.
enum Failure {
    /// Another may.
    Passing(String),
    /// None will.
    Refused(String),
}

impl Remote {
    /// A line to the guard that is reached so, and how it greets. `on_refusal` ends the process.
    ///
    /// # Errors
    /// When nobody answers there, or the guard is of another chain.
    pub fn connect(
        reach: Reach,
        chain: &ChainId,
        on_refusal: fn(&str) -> !,
    ) -> anyhow::Result<(Self, Greeting)> {
        let (stream, greeting) = greeted(&reach).map_err(|error| {
            Unavailable(format!(
                "no signer answers at {reach}: {error}; start `minlian-node signer` there"
            ))
        })?;
        ensure!(
            greeting.chain == *chain,
            "the signer at {reach} signs for chain {}, this is chain {chain}",
            greeting.chain
        );
        let line = Mutex::new(Line { stream: Some((stream, clock::instant())), id: 0 });
        Ok((Self { reach, public: greeting.public, on_refusal, line }, greeting))
    }

    /// One request and its answer.
    fn attempt(
        &self,
        line: &mut Line,
        domain: Domain,
        chain: &ChainId,
        body: &[u8],
    ) -> Result<Signature, Failure> {
        let passing = |error: io::Error| Failure::Passing(error.to_string());
        let purpose = Purpose::of(domain)
            .ok_or_else(|| Failure::Refused("not a purpose of a consensus key".into()))?;
        // One that was silent for long may have been given up over there.
        let fresh = line.stream.take().filter(|(_, used)| used.elapsed() < SILENT_MAX / 2);
        let mut stream = match fresh {
            Some((stream, _)) => stream,
            None => {
                let (stream, greeting) = greeted(&self.reach).map_err(passing)?;
                if greeting.public != self.public || greeting.chain != *chain {
                    return Err(Failure::Passing("another key answers".into()));
                }
                stream
            }
        };
        line.id += 1;
        let request = Request { id: line.id, purpose, chain: *chain, body: codec::hex(body) };
        write_line(stream.get_mut(), &request).map_err(passing)?;
        let answer = read_line(&mut stream).map_err(passing)?;
        match answer.ok_or_else(|| Failure::Passing("it hung up".into()))? {
            Answer::Signed { id, signature } if id == request.id => {
                let good = self.public.verify(domain, chain, body, &signature).is_ok();
                if !good {
                    return Err(Failure::Passing("its signature does not verify".into()));
                }
                line.stream = Some((stream, clock::instant()));
                Ok(signature)
            }
            Answer::Refused { id, why } if id == request.id => Err(Failure::Refused(why)),
            // The line is given up with whatever else is on it: an answer can never be taken for another's.
            Answer::Signed { id, .. } | Answer::Refused { id, .. } => {
                Err(Failure::Passing(format!("it answered request {id}, not {}", request.id)))
            }
        }
    }
}

impl Elsewhere for Remote {
    fn sign(&self, domain: Domain, chain: &ChainId, body: &[u8]) -> Signature {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut pause, mut told, since) = (PAUSE_MIN, None::<Instant>, clock::instant());
        loop {
            match self.attempt(&mut line, domain, chain, body) {
                Ok(signature) => {
                    if told.is_some() {
                        let ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
                        tracing::info!(ms, "the signer answers again");
                    }
                    return signature;
                }
                Err(Failure::Refused(why)) => (self.on_refusal)(&why),
                Err(Failure::Passing(why)) => {
                    if told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
                        told = Some(clock::instant());
                        tracing::warn!(signer = %self.reach, why, "no signature; nothing is voted on until the signer answers");
                    }
                }
            }
            // Nobody unparks this thread; if somebody did, it would only ask sooner.
            std::thread::park_timeout(pause);
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
}

/// A line on which the guard has greeted.
fn greeted(reach: &Reach) -> io::Result<(BufReader<Stream>, Greeting)> {
    let mut stream = BufReader::new(reach.open()?);
    let greeting: Greeting =
        read_line(&mut stream)?.ok_or_else(|| io::Error::other("it hung up"))?;
    if greeting.version != VERSION {
        let found = greeting.version;
        return Err(io::Error::other(format!("it speaks version {found}, this is {VERSION}")));
    }
    Ok((stream, greeting))
}

fn write_line(stream: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(value)?;
    bytes.push(b'\n');
    stream.write_all(&bytes)?;
    stream.flush()
}

/// The next line; nothing when the other side has hung up.
fn read_line<T: DeserializeOwned>(stream: &mut BufReader<impl Read>) -> io::Result<Option<T>> {
    let mut bytes = Vec::new();
    stream.take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if bytes.last() != Some(&b'\n') {
        return Err(io::Error::other("a line without an end"));
    }
    serde_json::from_slice(&bytes).map(Some).map_err(io::Error::from)
}

#[cfg(test)]
mod tests;
