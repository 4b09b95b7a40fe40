//! Whom an `https://` line believes, and who we are on it.
//!
//! A line is believed when the node's certificate follows from an authority that was named, or, when none was, from one that
//! the system believes. What travels on it is checked all the same: a line keeps strangers from listening, and proves nothing
//! about a record.

use reqwest::ClientBuilder;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject as _},
    version::TLS13,
};
use rustls_platform_verifier::BuilderVerifierExt as _;
use std::{
    error::Error,
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};
use types::Timestamp;
use zeroize::Zeroizing;

/// Whom an `https://` line believes, and who we are on it.
#[derive(Clone, Debug)]
pub struct Tls {
    config: ClientConfig,
}

/// Why there is no such line.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file that cannot be read.
    #[error("cannot read {}: {why}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: io::Error,
    },
    /// A file that holds no certificate, or one that is none.
    #[error("{} holds no certificate in PEM: {why}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A key that others may know.
    #[error(
        "others can read the TLS key in {} (mode {mode:04o}); `chmod 0600` it, or have a new one signed",
        path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A file that holds no key that can be used.
    #[error("{} holds no private key in PEM: {why}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A key and a certificate that do not belong together.
    #[error("{} is not the key of {}: {why}", key.display(), certificate.display())]
    Pair {
        /// The key's file.
        key: PathBuf,
        /// The certificate's file.
        certificate: PathBuf,
        /// What does not fit.
        why: rustls::Error,
    },
    /// The system believes nobody.
    #[error("this system names no authorities ({0}); name the node's: --ca FILE or MINLIAN_CA")]
    System(rustls::Error),
}

impl Tls {
    /// A line that believes the authorities in a PEM file, or the system's without one; and that shows a certificate, if one
    /// is given with its key.
    ///
    /// # Errors
    /// When a file is not what it should be, or others can read the key.
    pub fn open(
        authorities: Option<&Path>,
        shown: Option<(&Path, &Path)>,
    ) -> Result<Self, TlsError> {
        let builder = match authorities {
            None => begun().with_platform_verifier().map_err(TlsError::System)?,
            Some(path) => {
                let mut roots = RootCertStore::empty();
                for root in certificates(path)? {
                    roots.add(root).map_err(|why| TlsError::Certificate {
                        path: path.to_owned(),
                        why: why.to_string(),
                    })?;
                }
                begun().with_root_certificates(roots)
            }
        };
        let mut config = match shown {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let (chain, secret) = (certificates(certificate)?, secret(key)?);
                builder.with_client_auth_cert(chain, secret).map_err(|why| TlsError::Pair {
                    key: key.to_owned(),
                    certificate: certificate.to_owned(),
                    why,
                })?
            }
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { config })
    }

    pub(crate) fn builder(&self) -> ClientBuilder {
        builder(self.config.clone())
    }
}

/// What asks over plain HTTP and believes nobody: the tools of a node's own machine.
///
/// A client that may meet `https://` would read the system's authorities, which a small container does not have.
pub fn plain() -> ClientBuilder {
    builder(begun().with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

fn begun() -> ConfigBuilder<ClientConfig, WantsVerifier> {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .expect("the provider has what this version needs")
}

#[expect(clippy::disallowed_methods, reason = "the one place where it is given its TLS")]
fn builder(config: ClientConfig) -> ClientBuilder {
    reqwest::Client::builder().tls_backend_preconfigured(config)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bytes = fs::read(path).map_err(|why| TlsError::Read { path: path.to_owned(), why })?;
    let wrong = |why: &str| TlsError::Certificate { path: path.to_owned(), why: why.to_owned() };
    let found: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = found.map_err(|why| wrong(&why.to_string()))?;
    if found.is_empty() {
        return Err(wrong("no line says -----BEGIN CERTIFICATE-----"));
    }
    Ok(found)
}

fn secret(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let failed = |why| TlsError::Read { path: path.to_owned(), why };
    let mode = fs::metadata(path).map_err(failed)?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(TlsError::Exposed { path: path.to_owned(), mode });
    }
    let bytes = Zeroizing::new(fs::read(path).map_err(failed)?);
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|_why| {
        let sealed = bytes.windows(21).any(|window| window == b"ENCRYPTED PRIVATE KEY");
        let why = if sealed {
            "it is sealed under a passphrase; open it into a file of mode 0600 with `openssl pkey`"
        } else {
            "no line says -----BEGIN PRIVATE KEY-----"
        };
        TlsError::Key { path: path.to_owned(), why }
    })
}

/// What TLS found wrong, if that is why a question has no answer; and what to do about it.
pub(crate) fn distrust(why: &(dyn Error + 'static)) -> Option<String> {
    let mut next = Some(why);
    while let Some(cause) = next {
        if let Some(found) = cause.downcast_ref() {
            return explain(found);
        }
        // An I/O error hides the error it was made of from `source`.
        let inner = cause.downcast_ref().and_then(io::Error::get_ref);
        next = inner.map_or_else(|| cause.source(), |inner| Some(inner));
    }
    None
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library's cases grow, and those without words of ours have its own"
)]
fn explain(why: &rustls::Error) -> Option<String> {
    use CertificateError as C;
    let text = match why {
        rustls::Error::InvalidCertificate(why) => match why {
            // Another authority of the same name as one that is known.
            C::UnknownIssuer | C::BadSignature => {
                "its certificate is of an authority that is not known here; name that authority's \
                                 certificate: --ca FILE or MINLIAN_CA"
                    .into()
            }
            C::Expired => ended("its certificate is past its time"),
            C::ExpiredContext { not_after, .. } => {
                ended(&format!("its certificate ended at {}", time(not_after.as_secs())))
            }
            C::NotValidYet => early("its certificate is not valid yet"),
            C::NotValidYetContext { not_before, .. } => {
                early(&format!("its certificate begins at {}", time(not_before.as_secs())))
            }
            C::NotValidForName => {
                "its certificate is for another name; ask by the name that it has".into()
            }
            C::NotValidForNameContext { expected, presented } => format!(
                "its certificate is for {}, not for {}; ask by a name that it has, or have this one put into it \
                 (subjectAltName)",
                presented.iter().map(|name| plainly(name)).collect::<Vec<_>>().join(", "),
                expected.to_str()
            ),
            C::Revoked => {
                "its certificate was revoked; its operator has to have another one signed".into()
            }
            other => format!(
                "its certificate cannot be used: {other}; a node shows one that an authority signed for it, not that \
                 authority's own"
            ),
        },
        rustls::Error::AlertReceived(alert) => match alert {
            AlertDescription::HandshakeFailure | AlertDescription::ProtocolVersion => {
                "it speaks no version of TLS that is safe (1.2 or 1.3)".into()
            }
            AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError
            | AlertDescription::CertificateRequired => format!(
                "it does not take the certificate that was shown to it ({why}); it takes those of the authorities \
                 in its [tls] clients: --client-cert FILE"
            ),
            _ => format!("it ended the handshake: {why}"),
        },
        rustls::Error::InvalidMessage(_) => {
            "what answers there does not speak TLS; is it an http:// address?".into()
        }
        // A line that breaks is no question of trust.
        _ => return None,
    };
    Some(text)
}

fn ended(what: &str) -> String {
    format!("{what}; its operator has to renew it (or the clock of this machine is wrong)")
}

fn early(what: &str) -> String {
    format!("{what}; is the clock of this machine right?")
}

fn time(seconds: u64) -> String {
    Timestamp(seconds.saturating_mul(1000)).to_string()
}

/// `DnsName("a")` as rustls has it, as people write it.
fn plainly(name: &str) -> &str {
    name.split_once('(').map_or(name, |(_, name)| name.trim_end_matches(')').trim_matches('"'))
}
