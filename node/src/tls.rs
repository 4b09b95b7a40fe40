//! TLS: for the API, who this node is, and which systems show a certificate of their own; between a node and its signer, who
//! each of the two is.
//!
//! A certificate counts when it follows from the operator's list of authorities and its holder has signed the handshake; then
//! the requests on that line carry its digest, which `[gateway]` knows or does not. What a request itself says of that is
//! thrown away.

use crate::home::Unsafe;
use anyhow::{Context as _, ensure};
use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use axum_server::{tls::TlsInfo, tls_rustls::RustlsConfig};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
    version::TLS13,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};
use types::{Digest, hash::Algorithm};

/// Where the digest of a line's certificate stands among a request's headers, from this node and nobody else.
const CERTIFICATE: HeaderName = HeaderName::from_static("x-minlian-certificate");

/// `[tls]` in `node.toml`. Paths are relative to the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// Where the API listens with TLS, beside where it listens without.
    pub listen: SocketAddr,
    /// This node's certificate, and those between it and its authority, in PEM.
    pub certificate: PathBuf,
    /// Its key, in PEM; nobody else may read the file.
    pub key: PathBuf,
    /// The authorities whose certificates clients may show, in PEM; none are asked for without it.
    pub clients: Option<PathBuf>,
}

impl TlsConfig {
    /// Reads what it names.
    ///
    /// # Errors
    /// When a file cannot be read or is not what it should be, or others can read the key.
    pub fn open(&self, home: &Path) -> anyhow::Result<RustlsConfig> {
        let secret = private_key(&home.join(&self.key))?;
        let chain = certificates(&home.join(&self.certificate))?;
        let provider = provider();
        let config = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&TLS13])?;
        let config = match &self.clients {
            None => config.with_no_client_auth(),
            Some(path) => {
                let roots = roots(&home.join(path))?;
                // Who shows none is like anybody without a token: most of the API is for everyone.
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                        .allow_unauthenticated()
                        .build()?;
                config.with_client_cert_verifier(verifier)
            }
        };
        let mut config = config.with_single_cert(chain, secret).with_context(|| {
            format!("{} is not the key of {}", self.key.display(), self.certificate.display())
        })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(RustlsConfig::from_config(Arc::new(config)))
    }
}

/// What one end of a line between a node and its signer shows, and whom it believes: `[signer_tls]` in `node.toml`, and the
/// flags of `minlian-node signer`. Both ends show a certificate, and neither speaks to anybody else.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MutualTls {
    /// This end's certificate, and those between it and its authority, in PEM.
    pub certificate: PathBuf,
    /// Its key, in PEM; nobody else may read the file.
    pub key: PathBuf,
    /// The other end's very certificate, or an authority that signs for nobody else, in PEM.
    pub trusted: PathBuf,
    /// The name that is in the signer's certificate; its address, if none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl MutualTls {
    /// Reads what the signer's end needs.
    ///
    /// # Errors
    /// When a file cannot be read or is not what it should be, or others can read the key.
    pub fn server(&self, home: &Path) -> anyhow::Result<Arc<ServerConfig>> {
        let (provider, roots) = (provider(), roots(&home.join(&self.trusted))?);
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
                .build()?;
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(verifier)
            .with_single_cert(
                certificates(&home.join(&self.certificate))?,
                private_key(&home.join(&self.key))?,
            )
            .with_context(|| self.mismatch())?;
        Ok(Arc::new(config))
    }

    /// Reads what the node's end needs.
    ///
    /// # Errors
    /// As [`MutualTls::server`].
    pub fn client(&self, home: &Path) -> anyhow::Result<Arc<ClientConfig>> {
        let config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])?
            .with_root_certificates(roots(&home.join(&self.trusted))?)
            .with_client_auth_cert(
                certificates(&home.join(&self.certificate))?,
                private_key(&home.join(&self.key))?,
            )
            .with_context(|| self.mismatch())?;
        Ok(Arc::new(config))
    }

    fn mismatch(&self) -> String {
        format!("{} is not the key of {}", self.key.display(), self.certificate.display())
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// A key that only its owner can read.
fn private_key(path: &Path) -> anyhow::Result<PrivateKeyDer<'static>> {
    let shown = path.display();
    let metadata = fs::metadata(path).with_context(|| format!("cannot read {shown}"))?;
    if metadata.permissions().mode() & 0o077 != 0 {
        let why = format!("others can read the TLS key in {shown}; run: chmod 600 {shown}");
        return Err(Unsafe(why).into());
    }
    PrivateKeyDer::from_pem_file(path).with_context(|| format!("{shown} holds no key in PEM"))
}

fn roots(path: &Path) -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for root in certificates(path)? {
        roots.add(root).with_context(|| format!("in {}", path.display()))?;
    }
    Ok(roots)
}

fn certificates(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let shown = path.display();
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path)
        .with_context(|| format!("cannot read {shown}"))?
        .collect();
    let found = found.with_context(|| format!("{shown} is not in PEM"))?;
    ensure!(!found.is_empty(), "{shown} holds no certificate in PEM");
    Ok(found)
}

/// The digest by which `[gateway]` knows a certificate: SHA-256 over its DER, as `openssl x509 -fingerprint -sha256` prints.
#[must_use]
pub fn fingerprint(certificate: &[u8]) -> Digest {
    Digest { algorithm: Algorithm::Sha256, bytes: Sha256::digest(certificate).into() }
}

/// Puts the digest of the line's certificate where [`certificate`] finds it, and nothing of what the request says itself.
///
/// # Panics
/// Never: a digest in hexadecimal is a header.
pub async fn recognise(mut request: Request, next: Next) -> Response {
    let shown = request
        .extensions()
        .get::<Arc<TlsInfo>>()
        .and_then(|line| line.peer_certificates.first())
        .map(|certificate| fingerprint(certificate).to_string());
    let headers = request.headers_mut();
    headers.remove(CERTIFICATE);
    if let Some(shown) = shown {
        let value = HeaderValue::try_from(shown).expect("a digest in hexadecimal is a header");
        headers.insert(CERTIFICATE, value);
    }
    next.run(request).await
}

/// The digest of the certificate on whose line a request came, after [`recognise`].
#[must_use]
pub fn certificate(headers: &HeaderMap) -> Option<Digest> {
    headers.get(CERTIFICATE)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use axum::{Router, middleware, routing::get};
    use axum_server::tls_rustls::RustlsAcceptor;
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
    use rustls::{SupportedProtocolVersion, pki_types::ServerName, version::TLS12};
    use std::io;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
    };
    use tokio_rustls::TlsConnector;

    pub(crate) struct Authority {
        pub(crate) certificate: rcgen::Certificate,
        key: KeyPair,
    }

    pub(crate) struct Holder {
        pub(crate) certificate: rcgen::Certificate,
        pub(crate) key: KeyPair,
    }

    impl Authority {
        pub(crate) fn new() -> Self {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            Self { certificate: params.self_signed(&key).unwrap(), key }
        }

        pub(crate) fn issue(&self, last: i32) -> Holder {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(vec!["localhost".into()]).unwrap();
            params.not_after = rcgen::date_time_ymd(last, 1, 1);
            let certificate = params.signed_by(&key, &self.certificate, &self.key).unwrap();
            Holder { certificate, key }
        }
    }

    /// What a server answers, over a line on which this certificate is shown.
    async fn ask(
        address: SocketAddr,
        authority: &Authority,
        holder: Option<&Holder>,
        headers: &str,
    ) -> io::Result<String> {
        ask_in(&TLS13, address, authority, holder, headers).await
    }

    /// The same, in one version of TLS.
    async fn ask_in(
        version: &'static SupportedProtocolVersion,
        address: SocketAddr,
        authority: &Authority,
        holder: Option<&Holder>,
        headers: &str,
    ) -> io::Result<String> {
        let mut roots = RootCertStore::empty();
        roots.add(authority.certificate.der().clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots);
        let config = match holder {
            None => config.with_no_client_auth(),
            Some(Holder { certificate, key }) => {
                let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
                config.with_client_auth_cert(vec![certificate.der().clone()], key).unwrap()
            }
        };
        let line = TcpStream::connect(address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        let mut line = TlsConnector::from(Arc::new(config)).connect(name, line).await?;
        let asked =
            format!("GET / HTTP/1.1\r\nhost: localhost\r\n{headers}connection: close\r\n\r\n");
        line.write_all(asked.as_bytes()).await?;
        let mut answer = String::new();
        line.read_to_string(&mut answer).await?;
        Ok(answer.rsplit("\r\n").next().unwrap_or_default().to_owned())
    }

    /// a line is who its certificate says, and nothing that a request says makes it another.
    #[tokio::test]
    async fn a_line_is_who_its_certificate_says() {
        let folder = tempfile::tempdir().unwrap();
        let (authority, other) = (Authority::new(), Authority::new());
        let server = authority.issue(2120);
        let write = |name: &str, text: String| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        write("tls.pem", server.certificate.pem());
        let key = write("tls.key", server.key.serialize_pem());
        write("clients.pem", authority.certificate.pem());
        let config = TlsConfig {
            listen: ([127, 0, 0, 1], 0).into(),
            certificate: "tls.pem".into(),
            key: "tls.key".into(),
            clients: Some("clients.pem".into()),
        };
        // A key that others can read is no secret.
        fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(config.open(folder.path()).unwrap_err().is::<Unsafe>());
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        for (certificate, key) in
            [("tls.key", "tls.key"), ("clients.pem", "tls.key"), ("none", "tls.key")]
        {
            let (certificate, key) = (certificate.into(), key.into());
            let wrong = TlsConfig { certificate, key, ..config.clone() };
            assert!(wrong.open(folder.path()).is_err());
        }

        let echo = async |headers: HeaderMap| {
            certificate(&headers).map_or_else(|| "nobody".into(), |digest| digest.to_string())
        };
        let router = Router::new().route("/", get(echo)).layer(middleware::from_fn(recognise));
        let handle = axum_server::Handle::new();
        let acceptor = RustlsAcceptor::new(config.open(folder.path()).unwrap())
            .acceptor(crate::api::Door::new(16));
        let serving = axum_server::bind(config.listen).handle(handle.clone()).acceptor(acceptor);
        tokio::spawn(serving.serve(router.into_make_service()));
        let address = handle.listening().await.unwrap();

        let known = authority.issue(2120);
        let name = fingerprint(known.certificate.der()).to_string();
        let claim = format!("x-minlian-certificate: {name}\r\n");
        let ask = async |holder, headers: &str| ask(address, &authority, holder, headers).await;
        assert_eq!(ask(Some(&known), "").await.unwrap(), name);
        assert_eq!(ask(None, "").await.unwrap(), "nobody");
        assert_eq!(ask(None, &claim).await.unwrap(), "nobody", "a claim is no certificate");
        let second = authority.issue(2120);
        assert_ne!(ask(Some(&second), &claim).await.unwrap(), name, "nor another's");
        let (foreign, expired) = (other.issue(2120), authority.issue(2020));
        assert!(ask(Some(&foreign), "").await.is_err(), "of another authority");
        assert!(ask(Some(&expired), "").await.is_err(), "no longer valid");
        // An older TLS is not spoken, whoever asks in it.
        let older = ask_in(&TLS12, address, &authority, Some(&known), "").await.unwrap_err();
        assert!(older.to_string().contains("ProtocolVersion"), "{older}");
        // Without TLS there is nobody to listen to here.
        let mut plain = TcpStream::connect(address).await.unwrap();
        plain.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        plain.read_to_end(&mut answer).await.unwrap_or_default();
        assert!(!answer.starts_with(b"HTTP"), "no HTTP is spoken without TLS");
    }
}
