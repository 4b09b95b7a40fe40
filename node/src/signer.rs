//! A consensus key on another process or machine: who guards it, and how a node has it sign.
//!
//! The guard ([`Guard`], `minlian-node signer`) has the key and a record of its own of what it signed; it signs one thing
//! at a time, forward only, and nothing leaves it before the record is durable. The node ([`Remote`]) asks over a Unix
//! socket, one request in flight, each answer under its request's number. While no answer comes the replica stands still,
//! as if the machine had paused, and is heard again when the guard is back; a refusal ends the node.
//!
//! Lines of JSON: the guard greets with [`Greeting`], then every [`Request`] has one [`Answer`].

use crate::{clock, home::Unavailable, signstate::SignState};
use anyhow::{Context as _, ensure};
use consensus::Signed;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    fs,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
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
    pub fn new(secret: SecretKey, chain: ChainId, record: SignState) -> anyhow::Result<Self> {
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
    fn converse(&self, stream: &UnixStream) -> io::Result<()> {
        let mut lines = BufReader::new(stream);
        write_line(stream, &self.greeting())?;
        while let Some(request) = read_line(&mut lines)? {
            let answer = self.answer(&request).unwrap_or_else(|error| {
                // What the disk now holds is unknown, so nothing more is signed until a new start has read it.
                tracing::error!(%error, "cannot record a signature");
                std::process::exit(74)
            });
            write_line(stream, &answer)?;
        }
        Ok(())
    }
}

/// Listens for nodes, in the background. The socket is its owner's alone.
///
/// # Errors
/// When the socket cannot be made, or another guard answers there.
pub fn serve(path: &Path, guard: Arc<Guard>) -> anyhow::Result<()> {
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
    let lines = Arc::new(AtomicUsize::new(0));
    std::thread::Builder::new().name("listener".into()).spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { continue };
            if lines.fetch_add(1, Ordering::SeqCst) >= LINES_MAX {
                lines.fetch_sub(1, Ordering::SeqCst);
                tracing::warn!("more nodes than may be connected; one is turned away");
                continue;
            }
            let (guard, count) = (guard.clone(), lines.clone());
            let served = std::thread::Builder::new().name("line".into()).spawn(move || {
                if let Err(error) = guard.converse(&stream) {
                    tracing::warn!(%error, "a node's line ended");
                }
                count.fetch_sub(1, Ordering::SeqCst);
            });
            if served.is_err() {
                lines.fetch_sub(1, Ordering::SeqCst);
            }
        }
    })?;
    Ok(())
}

/// A node's line to the guard of its key.
#[derive(Debug)]
pub struct Remote {
    path: PathBuf,
    public: PublicKey,
    on_refusal: fn(&str) -> !,
    line: Mutex<Line>,
}

#[derive(Debug, Default)]
struct Line {
    stream: Option<BufReader<UnixStream>>,
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
    /// A line to the guard that listens at `path`, and how it greets. `on_refusal` ends the process.
    ///
    /// # Errors
    /// When nobody answers there, or the guard is of another chain.
    pub fn connect(
        path: &Path,
        chain: &ChainId,
        on_refusal: fn(&str) -> !,
    ) -> anyhow::Result<(Self, Greeting)> {
        let (stream, greeting) = greeted(path).map_err(|error| {
            Unavailable(format!(
                "no signer answers at {}: {error}; start `minlian-node signer` there",
                path.display()
            ))
        })?;
        ensure!(
            greeting.chain == *chain,
            "the signer at {} signs for chain {}, this is chain {chain}",
            path.display(),
            greeting.chain
        );
        let line = Mutex::new(Line { stream: Some(stream), id: 0 });
        Ok((Self { path: path.to_owned(), public: greeting.public, on_refusal, line }, greeting))
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
        let mut stream = match line.stream.take() {
            Some(stream) => stream,
            None => {
                let (stream, greeting) = greeted(&self.path).map_err(passing)?;
                if greeting.public != self.public || greeting.chain != *chain {
                    return Err(Failure::Passing("another key answers".into()));
                }
                stream
            }
        };
        line.id += 1;
        let request = Request { id: line.id, purpose, chain: *chain, body: codec::hex(body) };
        write_line(stream.get_ref(), &request).map_err(passing)?;
        let answer = read_line(&mut stream).map_err(passing)?;
        match answer.ok_or_else(|| Failure::Passing("it hung up".into()))? {
            Answer::Signed { id, signature } if id == request.id => {
                let good = self.public.verify(domain, chain, body, &signature).is_ok();
                if !good {
                    return Err(Failure::Passing("its signature does not verify".into()));
                }
                line.stream = Some(stream);
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
                        tracing::warn!(signer = %self.path.display(), why, "no signature; nothing is voted on until the signer answers");
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
fn greeted(path: &Path) -> io::Result<(BufReader<UnixStream>, Greeting)> {
    let stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    stream.set_write_timeout(Some(ANSWER_WITHIN))?;
    let mut stream = BufReader::new(stream);
    let greeting: Greeting =
        read_line(&mut stream)?.ok_or_else(|| io::Error::other("it hung up"))?;
    if greeting.version != VERSION {
        let found = greeting.version;
        return Err(io::Error::other(format!("it speaks version {found}, this is {VERSION}")));
    }
    Ok((stream, greeting))
}

fn write_line(mut stream: &UnixStream, value: &impl Serialize) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(value)?;
    bytes.push(b'\n');
    stream.write_all(&bytes)
}

/// The next line; nothing when the other side has hung up.
fn read_line<T: DeserializeOwned>(stream: &mut BufReader<impl io::Read>) -> io::Result<Option<T>> {
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
mod tests {
    use super::*;
    use std::sync::mpsc;
    use types::{
        BlockId, Hash, Round,
        vote::{Step, Vote},
    };

    const CHAIN: ChainId = ChainId(Hash([7; 32]));

    fn secret() -> SecretKey {
        SecretKey::from_seed([1; 32])
    }

    fn guard(directory: &Path) -> Guard {
        let file = directory.join("consensus.json");
        let record = SignState::open(&file, secret().public(), &CHAIN)
            .or_else(|_| SignState::create(&file, secret().public(), Height(0)));
        Guard::new(secret(), CHAIN, record.unwrap()).unwrap()
    }

    /// What the body of a vote is, taken from the signing of one.
    fn body(height: u64, round: u32, block: Option<u8>) -> Vec<u8> {
        let block = block.map(|n| BlockId(Hash([n; 32])));
        codec::encode(&(Height(height), Round(round), block))
    }

    fn request(id: u64, purpose: Purpose, body: &[u8]) -> Request {
        Request { id, purpose, chain: CHAIN, body: codec::hex(body) }
    }

    #[test]
    fn the_guard_goes_forward_and_never_back_whatever_it_is_asked() {
        let directory = tempfile::tempdir().unwrap();
        let mut first = None;
        for (at, (purpose, height, round, block, allowed)) in [
            (Purpose::Prevote, 1, 0, Some(1), true),
            (Purpose::Prevote, 1, 0, Some(1), true),
            (Purpose::Prevote, 1, 0, Some(2), false),
            (Purpose::Prevote, 1, 0, None, false),
            (Purpose::Precommit, 1, 0, None, true),
            (Purpose::Prevote, 1, 0, Some(1), false),
            (Purpose::Prevote, 1, 2, Some(3), true),
            (Purpose::Precommit, 1, 1, Some(3), false),
            (Purpose::Prevote, 2, 0, None, true),
            (Purpose::Precommit, 1, 9, None, false),
        ]
        .into_iter()
        .enumerate()
        {
            // A new guard each time: what it refuses by is on the disk before the answer is there.
            let guard = guard(directory.path());
            let id = at as u64;
            let body = body(height, round, block);
            match guard.answer(&request(id, purpose, &body)).unwrap() {
                Answer::Signed { id: answered, signature } => {
                    assert!(allowed, "{purpose:?} {height} {round} {block:?}");
                    assert_eq!(answered, id);
                    let good =
                        secret().public().verify(purpose.domain(), &CHAIN, &body, &signature);
                    assert!(good.is_ok());
                    // The same again is the same signature.
                    if at < 2 {
                        assert_eq!(*first.get_or_insert(signature), signature);
                    }
                }
                Answer::Refused { why, .. } => {
                    assert!(!allowed && why.contains("about to say"), "{at}: {why}");
                }
            }
        }
        let greeting = guard(directory.path()).greeting();
        assert_eq!((greeting.height, greeting.public), (Height(2), secret().public()));
    }

    #[test]
    fn the_guard_signs_proposals_and_votes_of_its_chain_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let guard = guard(directory.path());
        let why = |request: Request| match guard.answer(&request).unwrap() {
            Answer::Refused { why, .. } => why,
            Answer::Signed { .. } => panic!("signed: {request:?}"),
        };
        let good = body(1, 0, Some(1));
        let other = ChainId(Hash([8; 32]));
        let foreign = Request { chain: other, ..request(1, Purpose::Prevote, &good) };
        assert!(why(foreign).contains("another chain"));
        for bad in [&good[..good.len() - 1], &[&good[..], &[0]].concat(), b"".as_slice()] {
            assert!(why(request(1, Purpose::Precommit, bad)).contains("not the body"));
        }
        assert!(why(request(1, Purpose::Proposal, &good)).contains("not the body"));
        let json = r#"{"id":1,"purpose":"transaction","chain":"","body":""}"#;
        assert!(serde_json::from_str::<Request>(json).is_err());
        assert_eq!(guard.greeting().height, Height(0), "nothing was remembered of all that");
    }

    #[test]
    fn one_record_has_one_guard() {
        let directory = tempfile::tempdir().unwrap();
        let held = guard(directory.path());
        let file = directory.path().join("consensus.json");
        let record = SignState::open(&file, secret().public(), &CHAIN).unwrap();
        let refused = Guard::new(secret(), CHAIN, record).unwrap_err().to_string();
        assert!(refused.contains("another process"), "{refused}");
        drop(held);
    }

    fn never(why: &str) -> ! {
        panic!("refused: {why}")
    }

    /// What a signer that is not as it should be does with one connection after its greeting.
    #[derive(Clone, Copy, Debug)]
    enum Fault {
        DiesUnasked,
        DiesAsked,
        Hangs,
        AnswersAnother,
        AnswersLate,
        SignsSomethingElse,
        Babbles,
        SaysNothingEver,
        HasAnotherKey,
    }

    const FAULTS: [Fault; 9] = [
        Fault::DiesUnasked,
        Fault::DiesAsked,
        Fault::Hangs,
        Fault::AnswersAnother,
        Fault::AnswersLate,
        Fault::SignsSomethingElse,
        Fault::Babbles,
        Fault::SaysNothingEver,
        Fault::HasAnotherKey,
    ];

    fn misbehave(fault: Fault, stream: UnixStream, guard: &Guard) {
        let greeting = match fault {
            Fault::SaysNothingEver => {
                std::thread::spawn(move || hold(&stream));
                return;
            }
            Fault::HasAnotherKey => {
                Greeting { public: SecretKey::from_seed([2; 32]).public(), ..guard.greeting() }
            }
            Fault::DiesUnasked
            | Fault::DiesAsked
            | Fault::Hangs
            | Fault::AnswersAnother
            | Fault::AnswersLate
            | Fault::SignsSomethingElse
            | Fault::Babbles => guard.greeting(),
        };
        write_line(&stream, &greeting).unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap());
        if matches!(fault, Fault::DiesUnasked | Fault::HasAnotherKey) {
            return;
        }
        let Ok(Some(request)) = read_line::<Request>(&mut lines) else { return };
        let signature = secret().sign(request.purpose.domain(), &CHAIN, b"something else");
        let right = || match guard.answer(&request).unwrap() {
            Answer::Signed { signature, .. } => signature,
            Answer::Refused { why, .. } => panic!("{why}"),
        };
        match fault {
            Fault::Hangs => {
                std::thread::spawn(move || hold(&stream));
            }
            Fault::AnswersAnother => {
                let answer = Answer::Signed { id: request.id + 1, signature: right() };
                write_line(&stream, &answer).unwrap();
            }
            Fault::AnswersLate => {
                let answer = Answer::Signed { id: request.id, signature: right() };
                std::thread::spawn(move || {
                    std::thread::park_timeout(ANSWER_WITHIN + Duration::from_millis(300));
                    // To a line that was given up.
                    write_line(&stream, &answer).unwrap_or_default();
                });
            }
            Fault::SignsSomethingElse => {
                write_line(&stream, &Answer::Signed { id: request.id, signature }).unwrap();
            }
            Fault::Babbles => (&stream).write_all(&[b'x'; 9000]).unwrap_or_default(),
            Fault::DiesUnasked
            | Fault::DiesAsked
            | Fault::SaysNothingEver
            | Fault::HasAnotherKey => {}
        }
    }

    /// Until the other side hangs up.
    fn hold(stream: &UnixStream) {
        let mut stream = stream;
        let mut byte = [0];
        while stream.read(&mut byte).is_ok_and(|read| read > 0) {}
    }

    #[test]
    fn whatever_a_signer_does_wrong_the_next_try_is_a_new_line_and_the_signature_is_right() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("signer");
        let guard = Arc::new(guard(directory.path()));
        let listener = UnixListener::bind(&path).unwrap();
        let (faults, wanted) = mpsc::channel::<Fault>();
        let serving = guard;
        std::thread::spawn(move || {
            for stream in listener.incoming().map(Result::unwrap) {
                match wanted.try_recv() {
                    Ok(fault) => misbehave(fault, stream, &serving),
                    Err(mpsc::TryRecvError::Empty) => {
                        let serving = serving.clone();
                        std::thread::spawn(move || serving.converse(&stream).unwrap_or_default());
                    }
                    Err(mpsc::TryRecvError::Disconnected) => return,
                }
            }
        });
        for (height, fault) in (1..).zip(FAULTS) {
            faults.send(fault).unwrap();
            let (height, round, step) = (Height(height), Round(0), Step::Prevote);
            let vote = Vote { height, round, step, block: None, seat: 0 };
            let key = asking(&path);
            let expected = vote.sign(&CHAIN, &secret());
            assert_eq!(vote.sign(&CHAIN, &key), expected, "{fault:?}");
            // And again, over the line that works.
            assert_eq!(vote.sign(&CHAIN, &key), expected, "{fault:?}");
        }
    }

    /// The key, as a node has it that has no line to its guard yet.
    fn asking(path: &Path) -> SecretKey {
        let (line, public) = (Mutex::default(), secret().public());
        let remote = Remote { path: path.to_owned(), public, on_refusal: never, line };
        SecretKey::elsewhere(public, Arc::new(remote))
    }

    #[test]
    fn a_signer_that_is_down_is_asked_now_and_then_and_found_when_it_is_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("signer");
        let listener = UnixListener::bind(&path).unwrap();
        let tries = Arc::new(AtomicUsize::new(0));
        let guard = Arc::new(guard(directory.path()));
        let (counted, serving) = (tries.clone(), guard);
        std::thread::spawn(move || {
            let began = clock::instant();
            for stream in listener.incoming().map(Result::unwrap) {
                counted.fetch_add(1, Ordering::SeqCst);
                if began.elapsed() > Duration::from_secs(3) {
                    serving.converse(&stream).unwrap_or_default();
                    return;
                }
            }
        });
        let vote = Vote {
            height: Height(1),
            round: Round(0),
            step: Step::Precommit,
            block: None,
            seat: 0,
        };
        assert_eq!(vote.sign(&CHAIN, &asking(&path)), vote.sign(&CHAIN, &secret()));
        let tries = tries.load(Ordering::SeqCst);
        assert!((3..=12).contains(&tries), "{tries} tries in three seconds");
    }
}
