//! The guard and its record, a signer that fails in every way, and who may speak with whom over TLS.

use super::*;
use crate::tls::tests::{Authority, Holder};
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
                let good = secret().public().verify(purpose.domain(), &CHAIN, &body, &signature);
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

fn misbehave(fault: Fault, stream: Stream, guard: &Guard) {
    let mut line = BufReader::new(stream);
    let greeting = match fault {
        Fault::SaysNothingEver => {
            std::thread::spawn(move || hold(line));
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
    write_line(line.get_mut(), &greeting).unwrap();
    if matches!(fault, Fault::DiesUnasked | Fault::HasAnotherKey) {
        return;
    }
    let Ok(Some(request)) = read_line::<Request>(&mut line) else { return };
    let signature = secret().sign(request.purpose.domain(), &CHAIN, b"something else");
    let right = || match guard.answer(&request).unwrap() {
        Answer::Signed { signature, .. } => signature,
        Answer::Refused { why, .. } => panic!("{why}"),
    };
    match fault {
        Fault::Hangs => {
            std::thread::spawn(move || hold(line));
        }
        Fault::AnswersAnother => {
            let answer = Answer::Signed { id: request.id + 1, signature: right() };
            write_line(line.get_mut(), &answer).unwrap();
        }
        Fault::AnswersLate => {
            let answer = Answer::Signed { id: request.id, signature: right() };
            std::thread::spawn(move || {
                std::thread::park_timeout(ANSWER_WITHIN + Duration::from_millis(300));
                // To a line that was given up.
                write_line(line.get_mut(), &answer).unwrap_or_default();
            });
        }
        Fault::SignsSomethingElse => {
            let answer = Answer::Signed { id: request.id, signature };
            write_line(line.get_mut(), &answer).unwrap();
        }
        Fault::Babbles => line.get_mut().write_all(&[b'x'; 9000]).unwrap_or_default(),
        Fault::DiesUnasked | Fault::DiesAsked | Fault::SaysNothingEver | Fault::HasAnotherKey => {}
    }
}

/// Until the other side hangs up.
fn hold(mut stream: impl Read) {
    let mut byte = [0];
    while stream.read(&mut byte).is_ok_and(|read| read > 0) {}
}

/// Does what is wanted with each line that comes, and serves the rest as a guard does.
fn troubled(
    lines: impl Iterator<Item = Stream> + Send + 'static,
    wanted: mpsc::Receiver<Fault>,
    guard: Arc<Guard>,
) {
    std::thread::spawn(move || {
        for stream in lines {
            match wanted.try_recv() {
                Ok(fault) => misbehave(fault, stream, &guard),
                Err(mpsc::TryRecvError::Empty) => {
                    let guard = guard.clone();
                    std::thread::spawn(move || guard.converse(stream).unwrap_or_default());
                }
                Err(mpsc::TryRecvError::Disconnected) => return,
            }
        }
    });
}

fn is_right_whatever_the_signer_does(reach: &Reach, faults: &mpsc::Sender<Fault>) {
    for (height, fault) in (1..).zip(FAULTS) {
        faults.send(fault).unwrap();
        let (height, round, step) = (Height(height), Round(0), Step::Prevote);
        let vote = Vote { height, round, step, block: None, seat: 0 };
        let key = asking(reach);
        let expected = vote.sign(&CHAIN, &secret());
        assert_eq!(vote.sign(&CHAIN, &key), expected, "{fault:?}");
        // And again, over the line that works.
        assert_eq!(vote.sign(&CHAIN, &key), expected, "{fault:?}");
    }
}

#[test]
fn whatever_a_signer_does_wrong_the_next_try_is_a_new_line_and_the_signature_is_right() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("signer");
    let listener = UnixListener::bind(&path).unwrap();
    let (faults, wanted) = mpsc::channel::<Fault>();
    let lines = std::iter::from_fn(move || Some(Box::new(listener.accept().unwrap().0) as Stream));
    troubled(lines, wanted, Arc::new(guard(directory.path())));
    is_right_whatever_the_signer_does(&Reach::Unix(path), &faults);
}

/// The two ends of a line, each with a certificate of one authority; and who else there is.
struct Ends {
    directory: tempfile::TempDir,
    authority: Authority,
    guard: Arc<Guard>,
}

impl Ends {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let guard = Arc::new(guard(directory.path()));
        let ends = Self { directory, authority: Authority::new(), guard };
        for end in ["signer", "node"] {
            ends.write(end, &ends.authority.issue(2120), &ends.authority);
        }
        ends
    }

    /// What one end shows and believes, under a name.
    fn write(&self, end: &str, own: &Holder, trusted: &Authority) {
        self.files(end, own, &trusted.certificate.pem());
    }

    fn files(&self, end: &str, own: &Holder, trusted: &str) {
        for (what, text) in [
            ("pem", own.certificate.pem()),
            ("key", own.key.serialize_pem()),
            ("trusted", trusted.to_owned()),
        ] {
            let path = self.directory.path().join(format!("{end}.{what}"));
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }

    fn tls(end: &str) -> MutualTls {
        let file = |what: &str| format!("{end}.{what}").into();
        let name = Some("localhost".to_owned());
        MutualTls { certificate: file("pem"), key: file("key"), trusted: file("trusted"), name }
    }

    fn reach(&self, address: SocketAddr, end: &str) -> Reach {
        let place = Place::Tls(address);
        place.reached(self.directory.path(), Some(&Self::tls(end))).unwrap()
    }

    /// A guard that listens with what is under this name.
    fn serve(&self, end: &str) -> SocketAddr {
        // Somebody else may take it in between; then nothing listens, and the test says so.
        let address = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
        let door = Place::Tls(address).served(self.directory.path(), Some(&Self::tls(end)));
        serve(door.unwrap(), self.guard.clone()).unwrap();
        address
    }
}

#[test]
fn over_tls_too_whatever_a_signer_does_wrong_the_signature_is_right() {
    let ends = Ends::new();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let config = Ends::tls("signer").server(ends.directory.path()).unwrap();
    let (faults, wanted) = mpsc::channel::<Fault>();
    let lines = std::iter::from_fn(move || {
        Some(admit(config.clone(), listener.accept().unwrap().0).unwrap())
    });
    troubled(lines, wanted, ends.guard.clone());
    is_right_whatever_the_signer_does(&ends.reach(address, "node"), &faults);
}

/// K-03: each end speaks to the one whose certificate it believes, and to nobody else.
#[test]
fn over_tls_each_end_is_who_its_certificate_says_or_nothing_is_signed() {
    let ends = Ends::new();
    let address = ends.serve("signer");
    let good = ends.reach(address, "node");
    let (_, greeting) = Remote::connect(good.clone(), &CHAIN, never).unwrap();
    assert_eq!((greeting.public, greeting.height), (secret().public(), Height(0)));

    let other = Authority::new();
    ends.write("stranger", &other.issue(2120), &ends.authority);
    ends.write("expired", &ends.authority.issue(2020), &ends.authority);
    ends.write("wary", &ends.authority.issue(2120), &other);
    let refused = |reach: Reach| {
        let error = Remote::connect(reach, &CHAIN, never).unwrap_err();
        assert!(error.is::<Unavailable>(), "{error:?}");
        // Somebody listens there: it is the certificates that are not right.
        let why = error.to_string();
        assert!(why.contains("alert") || why.contains("certificate"), "{why}");
    };
    // The signer believes neither a stranger nor what is over; a node does not believe another's signer, or another name.
    for end in ["stranger", "expired", "wary"] {
        refused(ends.reach(address, end));
    }
    let named = MutualTls { name: Some("another.example".into()), ..Ends::tls("node") };
    let place = Place::Tls(address).reached(ends.directory.path(), Some(&named)).unwrap();
    refused(place);
    let impostor = ends.serve("stranger");
    refused(ends.reach(impostor, "node"));
    // Who shows none, or speaks no TLS, hears nothing of the guard.
    for words in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"", &[0x16; 600]] {
        let mut plain = TcpStream::connect(address).unwrap();
        plain.write_all(words).unwrap();
        plain.shutdown(std::net::Shutdown::Write).unwrap();
        let mut said = Vec::new();
        plain.read_to_end(&mut said).unwrap_or_default();
        assert!(!said.windows(6).any(|word| word == b"public"), "{said:?}");
    }
    // All of that took no node's place, and nothing was signed.
    let idle: Vec<_> =
        (0..STRANGERS_MAX + 4).map(|_| TcpStream::connect(address).unwrap()).collect();
    assert_eq!(ends.guard.greeting().height, Height(0));
    drop(idle);
    let vote =
        Vote { height: Height(3), round: Round(0), step: Step::Precommit, block: None, seat: 0 };
    assert_eq!(vote.sign(&CHAIN, &asking(&good)), vote.sign(&CHAIN, &secret()));
}

#[test]
fn a_certificate_may_be_trusted_by_itself_without_an_authority() {
    let ends = Ends::new();
    let alone = |name: &str| {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec![name.into()]).unwrap();
        params.is_ca = rcgen::IsCa::ExplicitNoCa;
        Holder { certificate: params.self_signed(&key).unwrap(), key }
    };
    let (signer, node, third) = (alone("localhost"), alone("node"), alone("node"));
    ends.files("signer", &signer, &node.certificate.pem());
    ends.files("node", &node, &signer.certificate.pem());
    ends.files("third", &third, &signer.certificate.pem());
    let address = ends.serve("signer");
    assert!(Remote::connect(ends.reach(address, "node"), &CHAIN, never).is_ok());
    assert!(Remote::connect(ends.reach(address, "third"), &CHAIN, never).is_err());
}

#[test]
fn a_place_is_a_socket_or_an_address_with_certificates() {
    let (ends, home) = (Ends::new(), Path::new("/home"));
    let read = |words: &str| Place::read(home, words);
    assert_eq!(read("unix:run/signer").unwrap(), Place::Unix("/home/run/signer".into()));
    assert_eq!(read("unix:/run/signer").unwrap(), Place::Unix("/run/signer".into()));
    for address in ["10.0.0.7:27100", "[::1]:1"] {
        let words = format!("tls:{address}");
        let place = read(&words).unwrap();
        assert_eq!(place, Place::Tls(address.parse().unwrap()));
    }
    for wrong in ["", "/run/signer", "tls:signer.example:27100", "tls:10.0.0.7", "tcp:1.2.3.4:5"] {
        assert!(read(wrong).unwrap_err().to_string().contains("is not a signer's address"));
    }
    let (here, tls) = (ends.directory.path(), Ends::tls("node"));
    let (socket, line) = (Place::Unix("s".into()), read("tls:127.0.0.1:1").unwrap());
    assert!(line.clone().reached(here, None).is_err() && line.clone().served(here, None).is_err());
    assert!(socket.clone().reached(here, Some(&tls)).is_err());
    assert!(socket.served(here, Some(&tls)).is_err());
    // A key that others can read is no secret.
    let key = here.join("node.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    for refused in
        [line.clone().reached(here, Some(&tls)).err(), line.served(here, Some(&tls)).err()]
    {
        assert!(format!("{:#}", refused.unwrap()).contains("others can read"));
    }
}

#[test]
fn an_address_that_is_not_there_or_not_free_yet_is_no_disk_that_failed() {
    let ends = Ends::new();
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    for address in ["192.0.2.1:27100".parse().unwrap(), taken.local_addr().unwrap()] {
        let place = Place::Tls(address);
        let door = place.served(ends.directory.path(), Some(&Ends::tls("signer"))).unwrap();
        let why = serve(door, ends.guard.clone()).unwrap_err();
        assert_eq!(crate::cli::exit_code(&why), 4, "{why:#}");
        assert!(why.to_string().contains(&address.to_string()), "{why}");
    }
}

/// The key, as a node has it that has no line to its guard yet.
fn asking(reach: &Reach) -> SecretKey {
    let (line, public) = (Mutex::default(), secret().public());
    let remote = Remote { reach: reach.clone(), public, on_refusal: never, line };
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
                serving.converse(stream).unwrap_or_default();
                return;
            }
        }
    });
    let vote =
        Vote { height: Height(1), round: Round(0), step: Step::Precommit, block: None, seat: 0 };
    assert_eq!(vote.sign(&CHAIN, &asking(&Reach::Unix(path))), vote.sign(&CHAIN, &secret()));
    let tries = tries.load(Ordering::SeqCst);
    assert!((3..=12).contains(&tries), "{tries} tries in three seconds");
}
