//! TLS to the collector: the certificates that the variables name, or the system's, are read once,
//! at the start, and every handshake is made with them.

use std::{io, path::Path, sync::Arc};

use anyhow::{Context, Result, anyhow, bail, ensure};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem, pem::PemObject};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::telemetry::config::{OtlpConfig, Protocol};

const CERTIFICATE: &str = "OTEL_EXPORTER_OTLP_[TRACES_]CERTIFICATE";
const CLIENT_CERTIFICATE: &str = "OTEL_EXPORTER_OTLP_[TRACES_]CLIENT_CERTIFICATE";
const CLIENT_KEY: &str = "OTEL_EXPORTER_OTLP_[TRACES_]CLIENT_KEY";

/// Whom we trust, who we are, and whom we expect to meet.
#[derive(Debug)]
pub(super) struct Tls {
    config: Arc<ClientConfig>,
    server: ServerName<'static>,
}

impl Tls {
    /// Reads the files; an error names the variable, the path and the problem.
    pub(super) fn new(otlp: &OtlpConfig, host: &str) -> Result<Tls> {
        let server = ServerName::try_from(host.to_owned())
            .with_context(|| format!("OTLP endpoint: no certificate can name the host {host:?}"))?;
        let roots = match &otlp.certificate {
            Some(path) => roots(path).with_context(|| shown(CERTIFICATE, path))?,
            None => system_roots()?,
        };
        // The provider is named here, so that nothing depends on a default of the process.
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let mut config = match (&otlp.client_certificate, &otlp.client_key) {
            (None, None) => config.with_no_client_auth(),
            (Some(certificate), Some(key)) => {
                let (certificates, secret) = identity(certificate, key)?;
                let used = config.with_client_auth_cert(certificates, secret);
                used.with_context(|| {
                    let certificate = shown(CLIENT_CERTIFICATE, certificate);
                    format!(
                        "{certificate} and {} can not be used",
                        shown(CLIENT_KEY, key)
                    )
                })?
            }
            (Some(given), None) => bail!(alone(CLIENT_CERTIFICATE, given, CLIENT_KEY)),
            (None, Some(given)) => bail!(alone(CLIENT_KEY, given, CLIENT_CERTIFICATE)),
        };
        config.alpn_protocols = vec![match otlp.protocol {
            Protocol::Grpc => b"h2".to_vec(),
            Protocol::HttpProtobuf => b"http/1.1".to_vec(),
        }];
        let config = Arc::new(config);
        Ok(Tls { config, server })
    }

    pub(super) async fn handshake(&self, tcp: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        TlsConnector::from(self.config.clone())
            .connect(self.server.clone(), tcp)
            .await
    }
}

/// A variable and its value, as a person has set it.
fn shown(variable: &str, path: &Path) -> String {
    format!("{variable}={path:?}")
}

fn alone(given: &str, path: &Path, missing: &str) -> String {
    let given = shown(given, path);
    format!("{given}: mutual TLS needs a certificate and its key; set {missing} too")
}

/// The authorities in the file, and no others.
fn roots(path: &Path) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for (n, certificate) in (1..).zip(certificates(path)?) {
        let added = roots.add(certificate);
        added.with_context(|| format!("certificate {n} in it can not be used"))?;
    }
    Ok(roots)
}

/// The authorities that the system trusts (or `SSL_CERT_FILE` and `SSL_CERT_DIR` name).
fn system_roots() -> Result<RootCertStore> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (used, ignored) = roots.add_parsable_certificates(found.certs);
    for error in &found.errors {
        tracing::debug!("a certificate of the system can not be read: {error}");
    }
    tracing::debug!(used, ignored, "certificate authorities of the system");
    let why = found.errors.first();
    let why = why.map_or_else(String::new, |error| format!(" ({error})"));
    ensure!(
        !roots.is_empty(),
        "the endpoint is https:// and this system trusts no certificate authority{why}; name the collector's in OTEL_EXPORTER_OTLP_CERTIFICATE"
    );
    Ok(roots)
}

/// Our certificates, the own one first, and the key to it.
fn identity(
    certificate: &Path,
    key: &Path,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let chain =
        certificates(certificate).with_context(|| shown(CLIENT_CERTIFICATE, certificate))?;
    let mut keys =
        read(key, "private key (without password)").with_context(|| shown(CLIENT_KEY, key))?;
    Ok((chain, keys.swap_remove(0)))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    read(path, "certificate")
}

/// Everything of one kind in a PEM file; at least one.
fn read<T: PemObject>(path: &Path, what: &str) -> Result<Vec<T>> {
    let text = std::fs::read(path).context("can not be read")?;
    let all: Vec<T> = T::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|error| match error {
            // The library would print these lines byte by byte, as numbers.
            pem::Error::MissingSectionEnd { .. } => anyhow!("is not PEM: an END line is missing"),
            pem::Error::IllegalSectionStart { .. } => anyhow!("is not PEM: a BEGIN line is broken"),
            error => anyhow!("is not PEM: {error}"),
        })?;
    ensure!(!all.is_empty(), "there is no {what} in it, in PEM form");
    Ok(all)
}
