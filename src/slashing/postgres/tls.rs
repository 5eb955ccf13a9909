//! TLS to the database (RFC 8446, 5246), with the checks that each `sslmode` asks for.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use super::url::{DatabaseSettings, SslMode};

/// The CA certificates of the system, on the distributions that we know.
const SYSTEM_CA_FILES: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

/// Makes the configuration of the client's side. `None` when TLS is never used.
///
/// # Errors
/// The file, and what is wrong with it.
pub(super) fn client_config(
    settings: &DatabaseSettings,
) -> Result<Option<Arc<ClientConfig>>, String> {
    if settings.ssl_mode == SslMode::Disable {
        return Ok(None);
    }
    let provider = Arc::new(ring::default_provider());
    let verifier = DatabaseVerifier {
        roots: root_verifier(settings, &provider)?,
        checks_name: settings.ssl_mode == SslMode::VerifyFull,
        provider: Arc::clone(&provider),
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider serves TLS 1.2 and 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let config = match &settings.ssl_identity {
        None => builder.with_no_client_auth(),
        Some((certificates, key)) => {
            let chain = read_certificates(certificates)?;
            let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", key.display());
            let bytes = fs::read(key).map_err(|error| wrong(&error))?;
            // JDBC takes DER, libpq takes PEM.
            let key = PrivateKeyDer::from_pem_slice(&bytes)
                .or_else(|_| PrivateKeyDer::try_from(bytes))
                .map_err(|_| {
                    wrong(
                        &"expected a key in PEM or DER without a password; of a .p12 file, \
                         `openssl pkcs12 -nocerts -nodes` prints it",
                    )
                })?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| format!("{}: {error}", certificates.display()))?
        }
    };
    Ok(Some(Arc::new(config)))
}

fn root_verifier(
    settings: &DatabaseSettings,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<WebPkiServerVerifier>>, String> {
    if !matches!(settings.ssl_mode, SslMode::VerifyCa | SslMode::VerifyFull) {
        return Ok(None);
    }
    let system = || {
        let mut files = SYSTEM_CA_FILES.iter().map(Path::new);
        files.find(|path| path.exists())
    };
    let path = settings.ssl_root_cert.as_deref().or_else(system).ok_or(
        "sslmode=verify-ca and verify-full need the CA's certificate: name it with sslrootcert=FILE",
    )?;
    let mut roots = RootCertStore::empty();
    for certificate in read_certificates(path)? {
        // The system's list may hold certificates that rustls does not accept.
        let _ = roots.add(certificate);
    }
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let verifier = verifier
        .build()
        .map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(Some(verifier))
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let bytes = fs::read(path).map_err(|error| wrong(&error))?;
    let mut certificates = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        certificates.push(certificate.map_err(|error| wrong(&error))?);
    }
    if certificates.is_empty() {
        return Err(wrong(&"holds no certificate in PEM"));
    }
    Ok(certificates)
}

/// Checks what the mode asks for.
#[derive(Debug)]
struct DatabaseVerifier {
    /// `None`: any certificate is accepted, as by JDBC's `prefer` and `require`.
    roots: Option<Arc<WebPkiServerVerifier>>,
    checks_name: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for DatabaseVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(roots) = &self.roots else {
            return Ok(ServerCertVerified::assertion());
        };
        let verified =
            roots.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.checks_name => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
