//! TLS towards callers: certificates that are exchanged while it runs, and certificates of clients.
//!
//! Promises that a new certificate is checked whole before it is used; one that cannot be read leaves the old one in
//! place.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio_rustls::TlsAcceptor;

/// Where certificates are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The chain that callers are shown, PEM.
    pub chain: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// The authorities by which certificates of clients are believed, PEM; without it, none is asked for.
    pub client_authorities: Option<PathBuf>,
    /// Whether a caller without a certificate is turned away.
    pub client_required: bool,
}

/// What is wrong with the certificates.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadCertificates {
    /// A file cannot be read.
    #[error("{path}: cannot be read; expected {expected}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{path}: holds no {expected}")]
    Empty {
        /// Which.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
    },
    /// They do not fit together.
    #[error("{path}: the certificates cannot be used")]
    Unusable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The certificates in use.
pub struct Certificates {
    files: Files,
    current: ArcSwap<rustls::ServerConfig>,
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.files.fmt(out)
    }
}

impl Certificates {
    /// Reads them.
    ///
    /// # Errors
    ///
    /// When they cannot be used.
    pub fn open(files: Files) -> Result<Certificates, BadCertificates> {
        let current = ArcSwap::from_pointee(read(&files)?);
        Ok(Certificates { files, current })
    }

    /// Reads them anew; connections that are open stay as they are.
    ///
    /// # Errors
    ///
    /// When they cannot be used; then the old ones stay.
    pub fn reload(&self) -> Result<(), BadCertificates> {
        self.current.store(Arc::new(read(&self.files)?));
        Ok(())
    }

    /// For the next handshake.
    #[must_use]
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load_full())
    }
}

fn read(files: &Files) -> Result<rustls::ServerConfig, BadCertificates> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let unusable = |path: &Path, source: Box<dyn std::error::Error + Send + Sync>| BadCertificates::Unusable {
        path: path.to_owned(),
        source,
    };
    let versions = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&files.chain, error.into()))?;
    let verified = match &files.client_authorities {
        None => versions.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for authority in certificates(path)? {
                roots.add(authority).map_err(|error| unusable(path, error.into()))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = if files.client_required { verifier } else { verifier.allow_unauthenticated() };
            versions.with_client_cert_verifier(verifier.build().map_err(|error| unusable(path, error.into()))?)
        }
    };
    let expected = "private key in PEM";
    let key = PrivateKeyDer::from_pem_slice(&bytes(&files.key, expected)?)
        .map_err(|_| BadCertificates::Empty { path: files.key.clone(), expected })?;
    let mut config = verified
        .with_single_cert(certificates(&files.chain)?, key)
        .map_err(|error| unusable(&files.chain, error.into()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// How TLS is spoken to a server, which is believed by the authorities in a file, or by those of this machine.
///
/// # Errors
///
/// When the file cannot be used.
pub fn towards(authorities: Option<&Path>) -> Result<rustls::ClientConfig, BadCertificates> {
    let mut roots = RootCertStore::empty();
    match authorities {
        Some(path) => roots.add_parsable_certificates(certificates(path)?),
        None => roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs),
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| BadCertificates::Unusable {
        path: authorities.unwrap_or(Path::new("")).to_owned(),
        source: error.into(),
    })?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// The certificates of a file.
///
/// # Errors
///
/// When it has none or cannot be read.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, BadCertificates> {
    let expected = "certificates in PEM";
    let empty = || BadCertificates::Empty { path: path.to_owned(), expected };
    let pem = bytes(path, expected)?;
    let list: Vec<_> = CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().map_err(|_| empty())?;
    if list.is_empty() { Err(empty()) } else { Ok(list) }
}

fn bytes(path: &Path, expected: &'static str) -> Result<Vec<u8>, BadCertificates> {
    fs::read(path).map_err(|source| BadCertificates::Unreadable { path: path.to_owned(), expected, source })
}
