//! Certificates in files, and why TLS cannot be served.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{
    WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
    verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use rustls::{CertificateError, DigitallySignedStruct, Error};
use sha2::{Digest, Sha256};

use super::der::CertificateFields;

/// Why TLS cannot be served: the file, and what is wrong with it.
#[derive(Debug)]
pub struct TlsError(pub(super) String);

impl TlsError {
    /// Blames a file.
    pub(super) fn new(path: &Path, reason: impl fmt::Display) -> Self {
        Self(format!("{}: {reason}", path.display()))
    }
}

/// A certificate expires within so many days: time to renew it.
const EXPIRY_WARNING_DAYS: i64 = 30;

pub(super) const DAY_SECONDS: i64 = 24 * 60 * 60;

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
        return Err(TlsError::new(path, "holds no certificate in PEM"));
    }
    Ok(certificates)
}

/// Reads the fields of a certificate from a file.
pub(super) fn fields<'a>(
    certificate: &'a CertificateDer<'_>,
    path: &Path,
) -> Result<CertificateFields<'a>, TlsError> {
    CertificateFields::parse(certificate)
        .ok_or_else(|| TlsError::new(path, "holds something that is not an X.509 certificate"))
}

/// When a certificate from a file is valid.
pub(super) struct CertificateDates {
    file: PathBuf,
    not_before: Timestamp,
    pub(super) not_after: Timestamp,
}

impl CertificateDates {
    /// Reads the dates of a certificate of `file`.
    pub(super) fn read(certificate: &CertificateDer<'_>, file: &Path) -> Result<Self, TlsError> {
        let fields = fields(certificate, file)?;
        Ok(Self {
            file: file.to_owned(),
            not_before: fields.not_before,
            not_after: fields.not_after,
        })
    }

    /// Returns a sentence about a certificate that is not valid now, or not for long.
    pub(super) fn warning(&self, now: Timestamp) -> Option<String> {
        let file = self.file.display();
        let not_before = self.not_before;
        let not_after = self.not_after;
        let seconds_left = not_after.as_second() - now.as_second();
        if now < not_before {
            Some(format!(
                "{file}: the certificate is not valid before {not_before}, and it is {now} now: peers that \
                 check this refuse it; is the clock of this host right?"
            ))
        } else if seconds_left < 0 {
            Some(format!(
                "{file}: the certificate expired at {not_after}: peers that check this refuse it; renew it, \
                 then reload"
            ))
        } else if seconds_left < EXPIRY_WARNING_DAYS * DAY_SECONDS {
            let days = seconds_left / DAY_SECONDS;
            Some(format!(
                "{file}: the certificate expires in {days} days, at {not_after}: renew it, then reload"
            ))
        } else {
            None
        }
    }
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

/// Verifies a signature of the handshake of TLS 1.2 with the key of a certificate of any version.
pub(super) fn verify_tls12(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let fields = parse(certificate)?;
    if fields.is_version_3 {
        return verify_tls12_signature(message, certificate, signature, algorithms);
    }
    let (key_algorithm, key) = fields.public_key().ok_or(CertificateError::BadEncoding)?;
    for (scheme, candidates) in algorithms.mapping {
        if *scheme != signature.scheme {
            continue;
        }
        for algorithm in *candidates {
            if algorithm.public_key_alg_id().as_ref() == key_algorithm {
                algorithm
                    .verify_signature(key, message, signature.signature())
                    .map_err(|_| CertificateError::BadSignature)?;
                return Ok(HandshakeSignatureValid::assertion());
            }
        }
    }
    Err(CertificateError::BadSignature.into())
}

/// Verifies a signature of the handshake of TLS 1.3 with the key of a certificate of any version.
pub(super) fn verify_tls13(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let fields = parse(certificate)?;
    if fields.is_version_3 {
        return verify_tls13_signature(message, certificate, signature, algorithms);
    }
    let key = SubjectPublicKeyInfoDer::from(fields.public_key_info);
    verify_tls13_signature_with_raw_key(message, &key, signature, algorithms)
}

fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Result<CertificateFields<'a>, Error> {
    CertificateFields::parse(certificate).ok_or_else(|| CertificateError::BadEncoding.into())
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TLS: {}", self.0)
    }
}

impl std::error::Error for TlsError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_says_when_a_certificate_is_not_valid_or_not_for_long() {
        let time = |text: &str| -> Timestamp { text.parse().expect("a time") };
        let dates = CertificateDates {
            file: PathBuf::from("server.pem"),
            not_before: time("2026-01-01T00:00:00Z"),
            not_after: time("2026-12-31T00:00:00Z"),
        };
        for (now, expected) in [
            (
                "2025-12-31T00:00:00Z",
                Some("is not valid before 2026-01-01T"),
            ),
            ("2026-01-01T00:00:00Z", None),
            ("2026-12-01T00:00:00Z", None),
            (
                "2026-12-01T00:00:01Z",
                Some("expires in 29 days, at 2026-12-31T"),
            ),
            ("2026-12-31T00:00:00Z", Some("expires in 0 days")),
            ("2026-12-31T00:00:01Z", Some("expired at 2026-12-31T")),
        ] {
            let warning = dates.warning(time(now));
            match expected {
                None => assert_eq!(warning, None, "{now}"),
                Some(expected) => {
                    let warning = warning.unwrap_or_default();
                    assert!(warning.starts_with("server.pem: "), "{now}: {warning}");
                    assert!(warning.contains(expected), "{now}: {warning}");
                }
            }
        }
    }
}
