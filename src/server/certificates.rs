//! Certificates in files, and why TLS cannot be served.

use std::fmt;
use std::fs;
use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};

/// Why TLS cannot be served: the file, and what is wrong with it.
#[derive(Debug)]
pub struct TlsError(pub(super) String);

impl TlsError {
    /// Blames a file.
    pub(super) fn new(path: &Path, reason: impl fmt::Display) -> Self {
        Self(format!("{}: {reason}", path.display()))
    }
}

/// Reads a whole file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|error| TlsError::new(path, error))
}

/// Reads the certificates of a PEM file, at least one.
pub(super) fn read_pem(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bytes = read(path)?;
    let mut certificates = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        certificates.push(certificate.map_err(|error| TlsError::new(path, error))?);
    }
    if certificates.is_empty() {
        return Err(TlsError::new(path, "holds no certificate"));
    }
    Ok(certificates)
}

/// SHA-256 of a certificate, which lists of known clients and servers hold.
pub(super) fn fingerprint(certificate: &CertificateDer<'_>) -> [u8; 32] {
    Sha256::digest(certificate).into()
}

/// A fingerprint in hex with colons.
pub(super) fn with_colons(bytes: &[u8]) -> String {
    let mut pairs = Vec::new();
    for byte in bytes {
        pairs.push(format!("{byte:02X}"));
    }
    pairs.join(":")
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TLS: {}", self.0)
    }
}

impl std::error::Error for TlsError {}
