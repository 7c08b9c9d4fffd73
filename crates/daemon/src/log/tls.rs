//! The certificate of syslog over TLS (RFC 5425), and whom we let send.

use std::sync::Arc;

use generate::LogCertificate;
use rustls::{
    RootCertStore, ServerConfig,
    server::{ResolvesServerCert, WebPkiClientVerifier},
};

use crate::dns::{CertificateError, Held, certificates, provider};

/// Our certificate as it is now, and what listeners need of it.
pub(crate) struct LogTls {
    pub(crate) config: Arc<ServerConfig>,
    held: Arc<Held>,
}

impl LogTls {
    /// Reads the files. With a client authority, senders must show a certificate that hangs on it (RFC 5425 section 5.1);
    /// its file is read at the start only.
    pub(crate) fn load(files: LogCertificate) -> Result<Self, CertificateError> {
        let held = Held::load(files.server)?;
        let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
        let builder = match files.client_authority {
            Some(path) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates(&path)? {
                    roots.add(certificate)?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
                    .build()
                    .map_err(|error| rustls::Error::General(error.to_string()))?;
                builder.with_client_cert_verifier(verifier)
            }
            None => builder.with_no_client_auth(),
        };
        let resolver: Arc<dyn ResolvesServerCert> = Arc::clone(&held) as _;
        Ok(Self { config: Arc::new(builder.with_cert_resolver(resolver)), held })
    }

    /// See [`Held::renew`].
    pub(crate) fn renew(&self) -> Result<bool, CertificateError> {
        self.held.renew()
    }
}
