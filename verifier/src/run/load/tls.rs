//! Whom an `https://` target must prove to be, and the sessions that ask it.

use crate::plan::Http;
use anyhow::{Context, Result, ensure};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Whose certificates are believed; of no account for `http://`.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// The authorities in this PEM file and no others; without it, the system's.
    pub ca_file: Option<PathBuf>,
    /// Any certificate at all.
    pub insecure: bool,
}

/// TLS to one host.
#[derive(Clone, Debug)]
pub struct Tls {
    config: Arc<ClientConfig>,
    server: ServerName<'static>,
}

impl Tls {
    /// For the host, which its certificate must name.
    ///
    /// # Errors
    /// When the authorities can not be read, or no certificate can name such a host.
    pub(super) fn new(trust: &Trust, host: &str) -> Result<Tls> {
        let server = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
            .with_context(|| format!("no certificate can name the host {host:?}"))?;
        // The provider is named here, so that nothing depends on a default of the process.
        let provider = Arc::new(ring::default_provider());
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let mut config = if trust.insecure {
            let anyone = Arc::new(Anyone(provider));
            config
                .dangerous()
                .with_custom_certificate_verifier(anyone)
                .with_no_client_auth()
        } else {
            let roots = match &trust.ca_file {
                Some(path) => {
                    roots(path).with_context(|| format!("--ca-file {}", path.display()))?
                }
                None => system_roots()?,
            };
            config.with_root_certificates(roots).with_no_client_auth()
        };
        // Which protocol is asked for is each session's.
        config.alpn_protocols = Vec::new();
        Ok(Tls {
            config: Arc::new(config),
            server,
        })
    }

    pub(super) fn session(&self, http: Http) -> std::io::Result<ClientConnection> {
        let protocol: &[u8] = match http {
            Http::One => b"http/1.1",
            Http::Two => b"h2",
        };
        let (config, server) = (Arc::clone(&self.config), self.server.clone());
        let session = ClientConnection::new_with_alpn(config, server, vec![protocol.to_vec()]);
        let mut session = session.map_err(std::io::Error::other)?;
        session.set_buffer_limit(None); // a request is taken whole: its size is the plan's
        Ok(session)
    }
}

fn roots(path: &Path) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).context("can not be read")? {
        roots
            .add(certificate.context("is not PEM")?)
            .context("a certificate in it can not be used")?;
    }
    ensure!(
        !roots.is_empty(),
        "there is no certificate in it, in PEM form"
    );
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    ensure!(
        !roots.is_empty(),
        "this system trusts no certificate authority: name the target's with --ca-file, or take any with --insecure"
    );
    Ok(roots)
}

/// Believes every certificate; that the peer has its key is still asked for.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
