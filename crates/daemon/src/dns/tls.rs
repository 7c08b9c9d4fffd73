//! Certificates: ours, read from PEM files and again when they change, and whom we trust as an upstream.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::SystemTime,
};

use generate::DnsCertificate;
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

/// Application protocols by which the two sides agree on what is spoken.
const ALPN_DOT: &[u8] = b"dot";
const ALPN_H2: &[u8] = b"h2";
const ALPN_HTTP1: &[u8] = b"http/1.1";

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("`{path}` cannot be read")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file holds something else.
    #[error("`{path}` holds no {what} in PEM form; it begins with `-----BEGIN`")]
    NotPem {
        /// The file.
        path: PathBuf,
        /// What should be there.
        what: &'static str,
    },
    /// The two do not belong together, or are of a kind that is not supported.
    #[error("the certificate in `{certificate}` and the key in `{key}` cannot be used together")]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// Settings the library does not take.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
}

/// Our certificate as it is now, and what listeners need of it.
pub(crate) struct ServerTls {
    pub(crate) dot: Arc<ServerConfig>,
    pub(crate) doh: Arc<ServerConfig>,
    held: Arc<Held>,
}

/// The certificate handed to clients; replaced while connections go on.
pub(crate) struct Held {
    files: DnsCertificate,
    current: RwLock<(Arc<CertifiedKey>, Stamp)>,
}

/// When the two files were last changed.
type Stamp = [Option<SystemTime>; 2];

impl Held {
    /// Reads the files.
    pub(crate) fn load(files: DnsCertificate) -> Result<Arc<Self>, CertificateError> {
        let stamp = stamp(&files);
        let current = RwLock::new((Arc::new(read(&files)?), stamp));
        Ok(Arc::new(Self { files, current }))
    }

    /// Takes the files again if they have changed; true when the new ones are in use. What cannot be used is an error,
    /// said once, and the old certificate stays.
    pub(crate) fn renew(&self) -> Result<bool, CertificateError> {
        let now = stamp(&self.files);
        if self.current.read().unwrap_or_else(PoisonError::into_inner).1 == now {
            return Ok(false);
        }
        let read = read(&self.files);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        current.1 = now;
        current.0 = Arc::new(read?);
        Ok(true)
    }
}

impl ServerTls {
    /// Reads the files.
    pub(crate) fn load(files: DnsCertificate) -> Result<Self, CertificateError> {
        let held = Held::load(files)?;
        let config = |protocols: &[&[u8]]| -> Result<Arc<ServerConfig>, rustls::Error> {
            let resolver: Arc<dyn ResolvesServerCert> = Arc::clone(&held) as _;
            let mut config = ServerConfig::builder_with_provider(provider())
                .with_safe_default_protocol_versions()?
                .with_no_client_auth()
                .with_cert_resolver(resolver);
            config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
            Ok(Arc::new(config))
        };
        Ok(Self { dot: config(&[ALPN_DOT])?, doh: config(&[ALPN_H2, ALPN_HTTP1])?, held })
    }

    /// See [`Held::renew`].
    pub(crate) fn renew(&self) -> Result<bool, CertificateError> {
        self.held.renew()
    }
}

impl ResolvesServerCert for Held {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).0))
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Held").field("files", &self.files).finish_non_exhaustive()
    }
}

/// Whom we trust as an upstream.
#[derive(Clone)]
pub(crate) struct ClientTls {
    pub(crate) dot: Arc<ClientConfig>,
    pub(crate) doh: Arc<ClientConfig>,
}

impl ClientTls {
    /// The system's trust anchors, and those in `extra`, a PEM file, e.g. of a test or of a company.
    pub(crate) fn load(extra: Option<&Path>) -> Result<Self, CertificateError> {
        let roots = Arc::new(roots(extra)?);
        let config = |protocol: &[u8]| -> Result<Arc<ClientConfig>, rustls::Error> {
            let mut config = ClientConfig::builder_with_provider(provider())
                .with_safe_default_protocol_versions()?
                .with_root_certificates(Arc::clone(&roots))
                .with_no_client_auth();
            config.alpn_protocols = vec![protocol.to_vec()];
            Ok(Arc::new(config))
        };
        Ok(Self { dot: config(ALPN_DOT)?, doh: config(ALPN_H2)? })
    }
}

/// For a connection that speaks another protocol: whom we trust, and what we show where we are asked.
pub(crate) fn client_config(
    extra: Option<&Path>,
    own: Option<&DnsCertificate>,
) -> Result<Arc<ClientConfig>, CertificateError> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let builder = builder.with_root_certificates(roots(extra)?);
    let Some(files) = own else { return Ok(Arc::new(builder.with_no_client_auth())) };
    let mismatch =
        |source| CertificateError::Mismatch { certificate: files.certificate.clone(), key: files.key.clone(), source };
    let config = builder.with_client_auth_cert(certificates(&files.certificate)?, private_key(&files.key)?);
    Ok(Arc::new(config.map_err(mismatch)?))
}

/// The system's trust anchors, and those in `extra`.
fn roots(extra: Option<&Path>) -> Result<RootCertStore, CertificateError> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    for error in &native.errors {
        tracing::warn!(%error, "some of the system's trust anchors cannot be read");
    }
    roots.add_parsable_certificates(native.certs);
    for certificate in extra.map(certificates).transpose()?.into_iter().flatten() {
        roots.add(certificate)?;
    }
    Ok(roots)
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn stamp(files: &DnsCertificate) -> Stamp {
    [&files.certificate, &files.key].map(|path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok())
}

fn read(files: &DnsCertificate) -> Result<CertifiedKey, CertificateError> {
    let chain = certificates(&files.certificate)?;
    let key = private_key(&files.key)?;
    CertifiedKey::from_der(chain, key, &provider()).map_err(|source| CertificateError::Mismatch {
        certificate: files.certificate.clone(),
        key: files.key.clone(),
        source,
    })
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, CertificateError> {
    let not_pem = |_| CertificateError::NotPem { path: path.to_owned(), what: "private key" };
    PrivateKeyDer::from_pem_slice(&octets(path)?).map_err(not_pem)
}

pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let octets = octets(path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&octets).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => Err(CertificateError::NotPem { path: path.to_owned(), what: "certificate" }),
    }
}

fn octets(path: &Path) -> Result<Vec<u8>, CertificateError> {
    fs::read(path).map_err(|source| CertificateError::Unreadable { path: path.to_owned(), source })
}
