//! An application's side: lines with TLS, what the command tells of what it asks, and what a program lists, hands in and
//! follows, whatever becomes of the line.

#![cfg(test)]

use client::{
    Client, Follower, Patience, Wait,
    api::{Fate, Kind, Order, RecordView, Wanted},
};
use nix::sys::signal::Signal;
use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, KeyPair};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
    version::TLS13,
};
use std::{
    collections::BTreeSet,
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tests::{
    Network, licence, lots,
    program::{self, Ran},
    repository,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::TlsConnector;
use types::Height;

const PATIENCE: Duration = Duration::from_secs(90);

/// Who signs certificates.
struct Authority {
    certificate: Certificate,
    key: KeyPair,
}

impl Authority {
    fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { certificate: params.self_signed(&key).unwrap(), key }
    }

    /// A certificate for a name, until the end of a year, with its key in one text.
    fn issue(&self, name: &str, last: i32) -> String {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2019, 1, 1);
        params.not_after = rcgen::date_time_ymd(last, 12, 31);
        let certificate = params.signed_by(&key, &self.certificate, &self.key).unwrap();
        certificate.pem() + &key.serialize_pem()
    }
}

/// Writes a file of this mode.
fn write(path: PathBuf, text: &str, mode: u32) -> PathBuf {
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path
}

/// Four validators with TLS: a sound certificate, one that is past its time, one of another name, and a sound one whose
/// node believes the authority's clients alone.
fn with_tls(authority: &Authority) -> Network {
    Network::altered(|validator, network, text| {
        let home = network.network_home().join(format!("v{validator}"));
        let shown = match validator {
            2 => authority.issue("localhost", 2020),
            3 => authority.issue("ledger.example", 2100),
            _ => authority.issue("localhost", 2100),
        };
        write(home.join("tls.pem"), &shown, 0o600);
        write(home.join("clients.pem"), &authority.certificate.pem(), 0o644);
        let listen = network.tls(validator);
        let clients = if validator == 4 { "clients = \"clients.pem\"\n" } else { "" };
        let tls = format!(
            "\n[tls]\nlisten = \"{listen}\"\ncertificate = \"tls.pem\"\nkey = \"tls.pem\"\n{clients}"
        );
        // A table is closed by the next; what stands at the end belongs to the last.
        text + &tls
    })
}

/// A-06: a system that shows the certificate which the operator wrote down records over TLS without any token; who shows another
/// one, or none, does not.
#[tokio::test(flavor = "multi_thread")]
async fn a_system_with_a_certificate_captures_over_tls() {
    let (authority, other) = (Authority::new("authority"), Authority::new("other"));
    let shown = ["agency", "somebody"].map(|name| authority.issue(name, 2100));
    let der = CertificateDer::from_pem_slice(shown[0].as_bytes()).unwrap();
    let digest = node::tls::fingerprint(&der);
    let network = Network::altered(|validator, network, text| {
        if validator != 1 {
            return text;
        }
        let (home, listen) = (network.network_home().join("v1"), network.tls(1));
        write(home.join("tls.pem"), &authority.issue("localhost", 2100), 0o600);
        write(home.join("clients.pem"), &authority.certificate.pem(), 0o644);
        text + &format!(
            "\n[gateway]\nkey = \"../keys/issuer.json\"\ndocuments = \"documents\"\n\n[[gateway.certificates]]\nname = \"mes\"\n\
             digest = \"{digest}\"\nscopes = [\"capture\", \"read\"]\nexpires = \"2100-01-01T00:00:00Z\"\n\n\
             [tls]\nlisten = \"{listen}\"\ncertificate = \"tls.pem\"\nkey = \"tls.pem\"\nclients = \"clients.pem\"\n"
        )
    });
    let ask = async |shown: Option<&str>, method: &str, path: &str, body: &str| {
        over_tls(network.tls(1), &authority, shown, (method, path, ""), body).await
    };
    let id = "urn:uuid:00000000-0000-4000-8000-000000000777";
    let event = format!(
        r#"{{"@context":"https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld","type":"ObjectEvent","eventID":"{id}",
        "action":"OBSERVE","epcList":["urn:epc:id:sgtin:9521001.010017.1"],"eventTime":"2026-03-02T08:00:00.000Z",
        "eventTimeZoneOffset":"+08:00"}}"#
    );
    let foreign = other.issue("agency", 2100);
    assert!(ask(Some(&foreign), "POST", "/epcis/events", &event).await.is_err());
    for nobody in [None, Some(&shown[1][..])] {
        let answer = ask(nobody, "POST", "/epcis/events", &event).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    }
    // What a browser sends along, in which the certificate lies, when a page of another site asks.
    for page in ["origin: https://evil.example\r\n", "sec-fetch-site: same-site\r\n"] {
        for path in ["/epcis/events", "/epcis/capture"] {
            let asked = ("POST", path, page);
            let answer = over_tls(network.tls(1), &authority, Some(&shown[0]), asked, &event).await;
            let answer = answer.unwrap();
            assert!(answer.starts_with("HTTP/1.1 403"), "{path} {page}: {answer}");
            assert!(answer.contains("E-AUTH-ORIGIN"), "{path} {page}: {answer}");
        }
    }
    let answer = ask(Some(&shown[0]), "POST", "/epcis/events", &event).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    let path = format!("/epcis/events/{}", id.replace(':', "%3A"));
    let answer = ask(Some(&shown[0]), "GET", &path, "").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(id), "{answer}");
    let log = network.network_home().join("v1/gateway-audit.ndjson");
    let log = fs::read_to_string(log).unwrap();
    assert!(log.contains("\"token\":\"mes\"") && log.contains("refused"), "{log}");
}

/// What is answered over TLS, on a line on which this certificate is shown.
async fn over_tls(
    address: SocketAddr,
    authority: &Authority,
    shown: Option<&str>,
    (method, path, headers): (&str, &str, &str),
    body: &str,
) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate.der().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_root_certificates(roots);
    let config = match shown {
        None => config.with_no_client_auth(),
        Some(pem) => {
            let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap();
            let chain = vec![CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()];
            config.with_client_auth_cert(chain, key).unwrap()
        }
    };
    let line = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut line = TlsConnector::from(Arc::new(config)).connect(name, line).await?;
    let length = body.len();
    let asked = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    line.write_all(asked.as_bytes()).await?;
    let mut answer = Vec::new();
    line.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[test]
fn a_line_is_believed_by_authority_name_and_time_and_says_what_to_do() {
    let (authority, other) = (Authority::new("authority"), Authority::new("other"));
    let namesake = Authority::new("authority");
    let network = with_tls(&authority);
    let file = |name: &str| network.scratch().join(name);
    let ca = write(file("ca.pem"), &authority.certificate.pem(), 0o644);
    let strangers = write(file("strangers.pem"), &other.certificate.pem(), 0o644);
    let namesake = write(file("namesake.pem"), &namesake.certificate.pem(), 0o644);
    let mine = write(file("mine.pem"), &authority.issue("agency", 2100), 0o600);
    let foreign = write(file("foreign.pem"), &other.issue("agency", 2100), 0o600);
    let open = write(file("open.pem"), &authority.issue("agency", 2100), 0o640);
    let text = write(file("text.pem"), "no certificate", 0o600);
    let text_of = |path: &Path| path.to_str().unwrap().to_owned();
    let [ca, strangers, namesake, mine, foreign, open, text] =
        [&ca, &strangers, &namesake, &mine, &foreign, &open, &text].map(|path| text_of(path));

    let port = |n: u16| network.tls(n).port();
    let tls = |n: u16| format!("https://localhost:{}", port(n));
    let api = network.url(1);
    let plain = api.rsplit(':').next().unwrap();
    let none = file("none.pem").to_str().unwrap().to_owned();
    // The node, what else is said, what the environment says, the exit code, and words that must be among those said.
    type Row<'a> = (String, &'a [&'a str], &'a [(&'a str, &'a str)], i32, &'a str);
    let rows: &[Row<'_>] = &[
        (tls(1), &["--ca", &ca], &[], 0, ""),
        (tls(1), &[], &[("MINLIAN_CA", &ca)], 0, ""),
        // Whom the system believes.
        (tls(1), &[], &[("SSL_CERT_FILE", &ca)], 0, ""),
        (
            tls(1),
            &[],
            &[("SSL_CERT_FILE", &strangers)],
            3,
            "name that authority's certificate: --ca FILE",
        ),
        (tls(1), &["--ca", &strangers], &[("SSL_CERT_FILE", &ca)], 3, "not known here"),
        (tls(1), &["--ca", &namesake], &[], 3, "not known here"),
        (tls(2), &["--ca", &ca], &[], 3, "ended at 2020-12-31"),
        (tls(3), &["--ca", &ca], &[], 3, "is for ledger.example, not for localhost"),
        (format!("https://127.0.0.1:{}", port(1)), &["--ca", &ca], &[], 3, "not for 127.0.0.1"),
        (tls(4), &["--ca", &ca], &[], 0, ""),
        (tls(4), &["--ca", &ca, "--client-cert", &mine], &[], 0, ""),
        (
            tls(4),
            &["--ca", &ca],
            &[("MINLIAN_CLIENT_CERT", &mine), ("MINLIAN_CLIENT_KEY", &mine)],
            0,
            "",
        ),
        (
            tls(4),
            &["--ca", &ca, "--client-cert", &foreign],
            &[],
            3,
            "does not take the certificate",
        ),
        (tls(1), &["--ca", &ca, "--client-cert", &open], &[], 2, "chmod 0600"),
        (
            tls(1),
            &["--ca", &ca, "--client-cert", &mine, "--client-key", &foreign],
            &[],
            2,
            "is not the key of",
        ),
        (tls(1), &["--ca", &ca, "--client-key", &mine], &[], 2, "which is not given"),
        (tls(1), &["--ca", &text], &[], 2, "holds no certificate in PEM"),
        (tls(1), &["--ca", &none], &[], 2, "cannot read"),
        (tls(1), &["--ca", &ca, "--client-cert", &ca], &[], 2, "others can read"),
        // One language and the other.
        (format!("https://localhost:{plain}"), &["--ca", &ca], &[], 3, "is it an http:// address?"),
        (format!("http://localhost:{}", port(1)), &[], &[], 3, "its address begins with https://"),
        // Files that are kept in the environment do not stand in the way of a node of this machine.
        (api.clone(), &[], &[("MINLIAN_CA", &none)], 0, ""),
        (format!("ftp://localhost:{plain}"), &[], &[], 2, "http:// or https://"),
    ];
    let files = [repository().join("genesis/samples/licences.ndjson")];
    let receipts = network.submit(&files);
    let record = receipts[0]["record"].as_str().unwrap();
    for (node, words, environment, code, said) in rows {
        let mut command = program::command("minlian");
        command.env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR");
        command.args(["record", record, "--json", "--lang", "en", "--node", node]).args(*words);
        let ran = Ran::of(&command.envs(environment.iter().copied()).output().unwrap());
        let what = format!("{node} {words:?} {environment:?}: {ran:?}");
        assert_eq!(ran.code, *code, "{what}");
        assert!(ran.stderr.contains(said), "{what}");
        assert_eq!(ran.stdout.contains(record), *code == 0, "{what}");
    }

    // A proof is checked without a look at any of them, or at a network.
    let proof = file("record.proof");
    let (proof, root) = (text_of(&proof), text_of(&network.genesis()));
    let node = tls(1);
    let asked = ["prove", "--record", record, "--out", &proof, "--node", &node, "--ca", &ca];
    program::minlian(&asked).expect(0);
    let mut verify = program::command("minlian");
    verify.env("MINLIAN_CA", &none).env("MINLIAN_CLIENT_CERT", &none);
    Ran::of(&verify.args(["verify", &proof, "--trust-root", &root]).output().unwrap()).expect(0);
}

/// What is asked is told on standard error, with the name by which the node's own log has it; data is as it was.
#[test]
fn what_is_asked_is_told_to_whoever_wants_to_know() {
    let network = Network::altered(|_, _, text| format!("log = \"info,node=debug\"\n{text}"));
    let receipts = network.submit(&[repository().join("genesis/samples/licences.ndjson")]);
    let record = receipts[0]["record"].as_str().unwrap();
    let (node, path) = (network.url(1), format!("/v1/records/{record}"));
    let ask = ["record", record, "--json", "--node", &node];
    let quiet = program::minlian(&ask).expect(0);
    assert_eq!(quiet.stderr, "");
    let told = program::minlian(&[&ask[..], &["-v"]].concat()).expect(0);
    assert_eq!(told.stdout, quiet.stdout);
    let lines: Vec<_> = told.stderr.lines().collect();
    let [line] = lines[..] else { panic!("one question is one line: {}", told.stderr) };
    for word in [&format!("node={node}"), "method=GET", &path, "status=200", "ms=", "request="] {
        assert!(line.contains(word), "{word}: {line}");
    }
    let name = line.split("request=").nth(1).unwrap().trim_matches('"').to_owned();
    let log = network.log(1);
    assert!(log.lines().any(|line| line.contains(&name) && line.contains(record)), "{name}");
    let more = program::minlian(&[&ask[..], &["-vv"]].concat()).expect(0);
    assert!(more.stderr.contains("asking") && more.stderr.lines().count() > 1, "{}", more.stderr);

    // What is asked again is told, too, and how it ended.
    network.signal(1, Signal::SIGKILL);
    let key = network.key("issuer");
    let mut submit = program::command("minlian");
    submit.args([
        "-v",
        "submit",
        "--lang",
        "en",
        "--node",
        &node,
        "--patience",
        "1",
        "--batch",
        "7",
    ]);
    submit.args(["--receipts", network.scratch().join("r").to_str().unwrap(), "--key"]);
    submit.arg(key).arg(repository().join("genesis/samples/licences.ndjson"));
    let ran = Ran::of(&submit.output().unwrap()).expect(4);
    assert!(ran.stderr.contains("no answer"), "{}", ran.stderr);
    let verify = ["-v", "verify", "none.proof", "--trust-root", "none.toml"];
    assert!(!program::minlian(&verify).expect(3).stderr.contains("node="));
}

/// Pages of lists, in both orders, by family and subject; many transactions at once; blocks and agencies.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_lists_to_the_end_and_hands_in_many_at_once() {
    let network = Network::up();
    let client = network.client(1);
    let issuer = network.signer("issuer");
    let mut many = Vec::new();
    for n in 0..40 {
        let operation = match n % 2 {
            0 => licence(&format!("listed {n}")),
            _ => lots(
                &format!("urn:epc:id:sgtin:9521001.010017.{n}"),
                "urn:epc:id:sgtin:9521001.010017.a",
            ),
        };
        many.push(network.sign(&issuer, vec![operation]).await);
    }
    let job = client.submit_many(&many).await.unwrap();
    assert_eq!((job.total, job.transactions.len()), (40, 40));
    assert_eq!(client.submit_many(&many).await.unwrap().job, job.job, "the same is the same job");
    let done = client.finished(&job.job, &Patience::default()).await.unwrap().unwrap();
    assert!(done.finished && done.committed == 40 && done.refused == 0, "{done:?}");
    let ids: Vec<_> = done.transactions.iter().map(|receipt| receipt.tx).collect();
    assert_eq!(ids, many.iter().map(types::Transaction::id).collect::<Vec<_>>());
    assert_eq!(client.job("0").await.unwrap(), None);
    assert!(client.submit_many(&[]).await.is_err());
    // A transaction of the job by its id, a record by its business's name, and by its document's digest.
    let receipt = client.settled(&ids[0], &Patience::default()).await.unwrap().unwrap();
    assert_eq!(receipt.status, Fate::Committed);
    let record = client.record(&receipt.records[0].record).await.unwrap().unwrap();
    let subject = "licence:listed 0".parse().unwrap();
    let view = client.subject(&subject).await.unwrap().unwrap();
    assert_eq!(view.state.records, 1);
    let history = client.history(&subject, 0, 10).await.unwrap().unwrap();
    assert_eq!(history.rows[0].record, record);
    let of_document = client.records(&record.operation.commitment.document).await.unwrap();
    assert_eq!(of_document.records, core::slice::from_ref(&record));
    assert!(client.record_proof(&record.record).await.unwrap().is_some());

    let all = listed(&client, Wanted { limit: Some(3), ..Wanted::default() }).await;
    let status = client.status().await.unwrap();
    assert_eq!(places(&all), (0..status.records).collect::<Vec<_>>());
    let mut newest = listed(&client, Wanted { order: Order::Newest, ..Wanted::default() }).await;
    newest.reverse();
    assert_eq!(newest, all);
    let wanted = |kind| Wanted { kind: Some(kind), limit: Some(7), ..Wanted::default() };
    let mut by_kind = BTreeSet::new();
    for (kind, count) in [(Kind::Licence, 20), (Kind::Trace, 20), (Kind::Item, 0)] {
        let rows = listed(&client, wanted(kind)).await;
        assert_eq!(rows.len(), count, "{kind:?}");
        by_kind.extend(places(&rows));
    }
    assert_eq!(by_kind.len(), 40);
    let subject = Some("lot:urn:epc:id:sgtin:9521001.010017.a".parse().unwrap());
    let of_lot = listed(&client, Wanted { subject, limit: Some(6), ..Wanted::default() }).await;
    assert_eq!(of_lot.len(), 20);
    let agency = Some(*issuer.agency());
    let by_agency = listed(&client, Wanted { agency, ..Wanted::default() }).await;
    assert_eq!(by_agency.len(), 40);
    let document = Some(record.operation.commitment.document);
    assert_eq!(listed(&client, Wanted { document, ..Wanted::default() }).await, [record]);
    let both = Wanted { document, order: Order::Newest, ..Wanted::default() };
    assert!(client.every(both).next().await.is_err(), "the node says what it cannot do");

    let (mut heights, mut cursor) = (Vec::new(), None);
    loop {
        let page = client.blocks(cursor, 4).await.unwrap();
        heights.extend(page.blocks.iter().map(|row| row.height.0));
        cursor = page.next.map(Height);
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(heights, (1..=heights[0]).rev().collect::<Vec<_>>());
    let agencies = client.agencies().await.unwrap().agencies;
    assert!(agencies.iter().any(|row| row.agency == *issuer.agency() && row.active));
}

async fn listed(client: &Client, wanted: Wanted) -> Vec<RecordView> {
    let (mut rows, mut list) = (Vec::new(), client.every(wanted));
    while let Some(row) = list.next().await.unwrap() {
        rows.push(row);
    }
    rows
}

fn places(rows: &[RecordView]) -> Vec<u64> {
    rows.iter().map(|row| row.position).collect()
}

/// A line to a node that ends after so many bytes of answer, each time a few more.
async fn torn(to: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for turn in 0_usize.. {
            let (mut near, _) = listener.accept().await.unwrap();
            let to = to.clone();
            tokio::spawn(async move {
                let mut far = TcpStream::connect(&to).await?;
                let (mut from_near, mut to_near) = near.split();
                let (from_far, mut to_far) = far.split();
                // Past the head of the answer, and into an event sooner or later.
                let mut some = from_far.take(150 + 37 * u64::try_from(turn % 90).unwrap_or(0));
                tokio::select! {
                    done = tokio::io::copy(&mut from_near, &mut to_far) => done,
                    done = tokio::io::copy(&mut some, &mut to_near) => done,
                }
            });
        }
    });
    format!("http://{address}")
}

/// Who follows blocks and records over lines that are torn anywhere, by a node that dies and comes back, has each once.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_follows_over_torn_lines_and_misses_nothing() {
    let network = Network::up();
    let torn = torn(network.url(1).trim_start_matches("http://").to_owned()).await;
    let moment = Duration::from_millis(5);
    let impatient = Patience { first: moment, longest: moment, ..Patience::default() };
    let through = Client::new(&torn).unwrap();
    let follow = |wanted| through.follow_records(wanted, 0).patient(impatient);
    let mut blocks = through.follow_blocks(Height(1)).patient(impatient);
    let mut records = follow(Wanted::default());
    let mut licences = follow(Wanted { kind: Some(Kind::Licence), ..Wanted::default() });
    const COUNT: u64 = 60;
    let writing = async {
        for n in 0..COUNT {
            if n == COUNT / 2 {
                network.signal(1, Signal::SIGKILL);
            }
            if n == COUNT * 2 / 3 {
                network.go_on();
            }
            let operation = match n % 3 {
                0 => lots(
                    &format!("urn:epc:id:sgtin:9521001.010017.{n}"),
                    "urn:epc:id:sgtin:9521001.010017.b",
                ),
                _ => licence(&format!("followed {n}")),
            };
            let status = network.client(2).status().await.unwrap();
            let signed = network.signer("issuer").sign(
                status.chain,
                status.valid_until_max,
                vec![operation],
            );
            let receipt =
                network.client(2).submit(&signed.unwrap(), Wait::Committed).await.unwrap();
            assert!(receipt.status != Fate::Refused, "{receipt:?}");
        }
    };
    let following = async {
        let mut seen = Vec::new();
        while seen.len() < usize::try_from(COUNT).unwrap() {
            seen.push(records.next().await.unwrap());
        }
        let mut of_kind = Vec::new();
        while of_kind.len() < usize::try_from(COUNT * 2 / 3).unwrap() {
            // Dropping it while it waits loses nothing.
            match timeout(Duration::from_millis(3), licences.next()).await {
                Ok(row) => of_kind.push(row.unwrap()),
                Err(_later) => {}
            }
        }
        let mut heights = Vec::new();
        while heights.last() < Some(&seen.last().unwrap().height.0) {
            heights.push(blocks.next().await.unwrap().height.0);
        }
        (seen, of_kind, heights)
    };
    let ((), (seen, of_kind, heights)) =
        timeout(PATIENCE, async { tokio::join!(writing, following) }).await.expect("events come");
    assert_eq!(heights, (1..=u64::try_from(heights.len()).unwrap()).collect::<Vec<_>>());
    let wanted = listed(&network.client(3), Wanted::default()).await;
    assert_eq!(seen, wanted);
    let kind = Some(Kind::Licence);
    assert_eq!(of_kind, listed(&network.client(3), Wanted { kind, ..Wanted::default() }).await);

    // A program that starts again goes on where it was; one that begins now asks where that is.
    let place = records.next_place();
    assert_eq!(place, COUNT);
    let mut again: Follower<_> = network.client(4).follow_records(Wanted::default(), place - 2);
    assert_eq!(again.next().await.unwrap(), wanted[wanted.len() - 2]);
    let mut later = network.client(4).follow_records(Wanted::default(), place);
    let (next, receipt) = tokio::join!(later.next(), network.commit(2, vec![licence("later")]));
    assert_eq!(next.unwrap().record, receipt.records[0].record);
    // What is no node is told at once, and a node that is away for longer than the patience is, in the end.
    let short =
        Patience { first: Duration::from_millis(5), total: Duration::from_millis(50), ..impatient };
    network.kill_all();
    let mut nobody = network.client(4).follow_blocks(Height(1)).patient(short);
    assert!(nobody.next().await.unwrap_err().is_passing());
}
