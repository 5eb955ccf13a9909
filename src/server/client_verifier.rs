//! Which clients are served by their certificate: those of a CA, and those of a list.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};

use crate::hex;

use super::certificates::{self, TlsError, fingerprint, read_pem, with_colons};
use super::der::CertificateFields;

/// Verifies the certificates of clients.
#[derive(Debug)]
pub(super) struct ClientVerifier {
    known_fingerprints: HashSet<[u8; 32]>,
    authority: Option<Arc<dyn ClientCertVerifier>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientVerifier {
    /// Accepts the clients of the list in one file, and those of the CA in the other.
    pub(super) fn open(
        known_clients: Option<&Path>,
        client_ca: Option<&Path>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, TlsError> {
        let known_fingerprints = match known_clients {
            Some(path) => read_known_clients(path)?,
            None => HashSet::new(),
        };
        let authority = match client_ca {
            Some(path) => Some(read_authority(path, provider)?),
            None => None,
        };
        Ok(Self {
            known_fingerprints,
            authority,
            algorithms: provider.signature_verification_algorithms,
        })
    }
}

thread_local! {
    /// Why the last certificate was refused on this thread. A thread-local, because rustls calls the verifier
    /// without a value of the connection and returns the error without the certificate.
    static REFUSAL: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Takes the reason why a certificate was refused on this thread since the last call.
pub(super) fn take_refusal() -> Option<String> {
    REFUSAL.take()
}

impl ClientVerifier {
    /// Says which certificate was refused, and why.
    fn describe(&self, own: &CertificateDer<'_>, error: &Error) -> String {
        let fingerprint = with_colons(&fingerprint(own));
        let reason = if self.authority.is_none() {
            "the list of known clients does not have it".to_owned()
        } else if CertificateFields::parse(own).is_some_and(|fields| !fields.is_version_3) {
            "it is of X.509 version 1 or 2, and such certificates are served only when \
             --tls-known-clients has their fingerprint"
                .to_owned()
        } else {
            format!("{error}; the list of known clients does not have it either")
        };
        format!("the client's certificate with SHA-256 {fingerprint} is refused: {reason}")
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[] // with hints, clients would hide certificates that only the list knows
    }

    fn verify_client_cert(
        &self,
        own: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if self.known_fingerprints.contains(&fingerprint(own)) {
            return Ok(ClientCertVerified::assertion());
        }
        let verified = match &self.authority {
            Some(authority) => authority.verify_client_cert(own, chain, now),
            None => Err(CertificateError::ApplicationVerificationFailure.into()),
        };
        if let Err(error) = &verified {
            REFUSAL.set(Some(self.describe(own, error)));
        }
        verified
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        certificates::verify_tls12(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        certificates::verify_tls13(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn read_authority(
    path: &Path,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in read_pem(path)? {
        roots
            .add(certificate)
            .map_err(|error| TlsError::new(path, error))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| TlsError::new(path, error))
}

/// Reads lines of a name and a fingerprint; others are blank, or a comment from `#` on.
fn read_known_clients(path: &Path) -> Result<HashSet<[u8; 32]>, TlsError> {
    let text = fs::read_to_string(path).map_err(|error| TlsError::new(path, error))?;
    let mut fingerprints = HashSet::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let fingerprint = parse_known_client(line).ok_or_else(|| {
            let number = index + 1;
            TlsError::new(
                path,
                format_args!("line {number}: expected a name and 32 bytes of hex with colons"),
            )
        })?;
        fingerprints.insert(fingerprint);
    }
    Ok(fingerprints)
}

fn parse_known_client(line: &str) -> Option<[u8; 32]> {
    let mut words = line.split_whitespace();
    words.next()?;
    let fingerprint = words.next()?.replace(':', "");
    if words.next().is_some() {
        return None;
    }
    hex::decode(&fingerprint).ok()
}
