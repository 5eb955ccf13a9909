//! TLS 1.2 and 1.3 (RFC 5246, 8446) under a connection: who we are, and which clients we serve.
//!
//! The files are read again at SIGHUP. Connections keep what they were made with, but those of clients
//! whose certificate is not accepted any more end.

use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use p12_keystore::{KeyStore, Pkcs12ImportPolicy};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig,
    ServerConnection, SignatureScheme,
};
use sha2::{Digest, Sha256};

use crate::files::read_private;

use super::pool::WorkerPool;
use super::secured::Secured;
use super::socket::Socket;

/// Where certificates and keys are.
#[derive(Clone, Debug)]
pub struct Files {
    /// Who we are.
    pub identity: Identity,
    /// Clients with a certificate of this CA (PEM) are served.
    pub client_ca: Option<PathBuf>,
    /// Clients of this list are served: lines of a name and the SHA-256 fingerprint of a certificate, in
    /// hex with colons. With neither list nor CA, no client is asked for a certificate.
    pub known_clients: Option<PathBuf>,
    /// Secrets that others can read are a warning, not an error.
    pub allow_insecure_permissions: bool,
}

/// Certificate and key.
#[derive(Clone, Debug)]
pub enum Identity {
    /// Two PEM files: the chain, our certificate first; the private key.
    Pem(PathBuf, PathBuf),
    /// A PKCS#12 file, and a file whose first line is its password.
    Pkcs12(PathBuf, PathBuf),
}

/// What listeners with TLS share.
pub struct Tls {
    files: Files,
    current: ArcSwap<Loaded>,
}

struct Loaded {
    config: Arc<ServerConfig>,
    fingerprint: String,
    clients: Option<Arc<Clients>>,
    /// Counts the readings of the files.
    number: u64,
}

/// A client that was accepted by its certificate.
pub(super) struct Client {
    tls: Arc<Tls>,
    chain: Vec<CertificateDer<'static>>,
    /// The reading of the files that it was accepted by.
    number: AtomicU64,
}

/// Why TLS cannot be had: the file, and what is wrong with it.
#[derive(Debug)]
pub struct TlsError(String);

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`] names the first file that is not as it should be.
    pub fn open(files: Files) -> Result<Arc<Self>, TlsError> {
        let current = ArcSwap::from_pointee(files.load(0)?);
        Ok(Arc::new(Self { files, current }))
    }

    /// Reads the files again, for the connections to come. Connections of clients that are not accepted
    /// any more end soon after.
    ///
    /// # Errors
    /// As [`Tls::open`]; then everything stays as it was.
    pub fn reload(&self) -> Result<(), TlsError> {
        let number = self.current.load().number + 1;
        self.current.store(Arc::new(self.files.load(number)?));
        Ok(())
    }

    /// SHA-256 of our own certificate in hex with colons, as lists of known servers hold it.
    pub fn fingerprint(&self) -> String {
        self.current.load().fingerprint.clone()
    }

    /// The server's side of a new connection, whose handshake is computed by `handshakes`.
    #[inline(never)] // moves a KiB over the stack
    pub(super) fn wrap(
        self: &Arc<Self>,
        socket: Socket,
        handshakes: &Arc<WorkerPool>,
    ) -> Result<Secured, Error> {
        let loaded = self.current.load_full();
        let connection = ServerConnection::new(Arc::clone(&loaded.config))?;
        Ok(Secured::new(
            connection,
            socket,
            handshakes,
            self,
            loaded.number,
        ))
    }
}

impl Client {
    /// A client with this chain of certificates, accepted by the reading `number` of the files.
    pub(super) fn new(tls: &Arc<Tls>, chain: Vec<CertificateDer<'static>>, number: u64) -> Self {
        Self {
            tls: Arc::clone(tls),
            chain,
            number: AtomicU64::new(number),
        }
    }

    /// Whether the files have been read again since it was accepted.
    pub(super) fn is_outdated(&self) -> bool {
        self.number.load(Ordering::Relaxed) != self.tls.current.load().number
    }

    /// Judges the certificate by the files as they are now; says whether it is accepted.
    pub(super) fn renew(&self) -> bool {
        let loaded = self.tls.current.load_full();
        self.number.store(loaded.number, Ordering::Relaxed);
        let (Some(clients), Some((own, others))) = (&loaded.clients, self.chain.split_first())
        else {
            return true;
        };
        let verdict = clients.verify_client_cert(own, others, UnixTime::now());
        verdict.is_ok()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tls({:?})", self.files)
    }
}

impl Files {
    fn load(&self, number: u64) -> Result<Loaded, TlsError> {
        let (chain, key, path) = self.identity()?;
        let Some(own) = chain.first() else {
            return Err(wrong(path, "holds no certificate"));
        };
        let fingerprint = colons(&fingerprint(own));
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("the provider serves TLS 1.2 and 1.3");
        let clients = self.clients(&provider)?.map(Arc::new);
        let builder = match &clients {
            Some(clients) => builder.with_client_cert_verifier(Arc::clone(clients) as _),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder
            .with_single_cert(chain, key)
            .map_err(|error| wrong(path, error))?;
        config.alpn_protocols = [b"http/1.1", b"http/1.0"].map(Vec::from).into();
        Ok(Loaded {
            config: Arc::new(config),
            fingerprint,
            clients,
            number,
        })
    }

    /// Whether clients are asked for a certificate.
    pub(crate) fn asks_clients(&self) -> bool {
        self.client_ca.is_some() || self.known_clients.is_some()
    }

    /// Our own certificate, without its key.
    pub(super) fn certificate(&self) -> Result<CertificateDer<'static>, TlsError> {
        let (chain, path) = match &self.identity {
            Identity::Pem(certificates, _) => (pem_certificates(certificates)?, certificates),
            Identity::Pkcs12(file, _) => (self.identity()?.0, file),
        };
        let first = chain.into_iter().next();
        first.ok_or_else(|| wrong(path, "holds no certificate"))
    }

    fn clients(&self, provider: &Arc<CryptoProvider>) -> Result<Option<Clients>, TlsError> {
        if self.client_ca.is_none() && self.known_clients.is_none() {
            return Ok(None);
        }
        let known = self
            .known_clients
            .as_deref()
            .map(known_clients)
            .transpose()?;
        let authority = self
            .client_ca
            .as_deref()
            .map(|path| authority(path, provider))
            .transpose()?;
        let algorithms = provider.signature_verification_algorithms;
        Ok(Some(Clients {
            known: known.unwrap_or_default(),
            authority,
            algorithms,
        }))
    }

    /// Our chain and its key, and the file to blame when they do not fit together.
    fn identity(
        &self,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>, &Path), TlsError> {
        let private = |path| {
            let text = read_private(path, self.allow_insecure_permissions);
            text.map_err(|error| TlsError(error.to_string()))
        };
        match &self.identity {
            Identity::Pem(certificates, key) => {
                let pem = private(key)?;
                let private = PrivateKeyDer::from_pem_slice(pem.as_bytes())
                    .map_err(|error| wrong(key, error))?;
                Ok((pem_certificates(certificates)?, private, key))
            }
            Identity::Pkcs12(file, password_file) => {
                let text = private(password_file)?;
                let password = text.lines().next().unwrap_or_default();
                let store =
                    KeyStore::from_pkcs12(&read(file)?, password, Pkcs12ImportPolicy::Strict)
                        .map_err(|error| wrong(file, format_args!("{error}; {PKCS12_ADVICE}")))?;
                let (_, chain) = store
                    .private_key_chain()
                    .ok_or_else(|| wrong(file, "holds no private key with its certificate"))?;
                let key = PrivatePkcs8KeyDer::from(chain.key().as_der().to_vec());
                let certificates = chain
                    .certs()
                    .iter()
                    .map(|it| CertificateDer::from(it.as_der().to_vec()));
                Ok((certificates.collect(), key.into(), file))
            }
        }
    }
}

/// RC2 and 3DES, which old tools encrypt such files with, are not understood here.
const PKCS12_ADVICE: &str = "either its password is another, or it is in old ciphers: then convert it with \
    `openssl pkcs12 -legacy -in OLD -nodes | openssl pkcs12 -export -out NEW`";

/// Judges the certificates of clients.
#[derive(Debug)]
struct Clients {
    known: HashSet<[u8; 32]>,
    authority: Option<Arc<dyn ClientCertVerifier>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for Clients {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[] // with hints, clients would hide certificates that only the list knows
    }

    fn verify_client_cert(
        &self,
        own: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match &self.authority {
            _ if self.known.contains(&fingerprint(own)) => Ok(ClientCertVerified::assertion()),
            Some(authority) => authority.verify_client_cert(own, chain, now),
            None => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|error| wrong(path, error))
}

fn pem_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bytes = read(path)?;
    let found = CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>();
    match found.map_err(|error| wrong(path, error))? {
        none if none.is_empty() => Err(wrong(path, "holds no certificate")),
        certificates => Ok(certificates),
    }
}

fn authority(
    path: &Path,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in pem_certificates(path)? {
        roots.add(certificate).map_err(|error| wrong(path, error))?;
    }
    let builder =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    builder.build().map_err(|error| wrong(path, error))
}

fn known_clients(path: &Path) -> Result<HashSet<[u8; 32]>, TlsError> {
    let text = fs::read_to_string(path).map_err(|error| wrong(path, error))?;
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    let print = |(index, line): (usize, &str)| {
        let mut words = line.split_whitespace().skip(1);
        let print = words
            .next()
            .filter(|_| words.next().is_none())
            .map(|print| print.replace(':', ""));
        print
            .and_then(|print| crate::hex::decode(&print).ok())
            .ok_or_else(|| {
                let line = index + 1;
                wrong(
                    path,
                    format_args!("line {line}: expected a name and 32 bytes of hex with colons"),
                )
            })
    };
    lines.map(print).collect()
}

fn fingerprint(certificate: &CertificateDer<'_>) -> [u8; 32] {
    Sha256::digest(certificate).into()
}

fn colons(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect::<Vec<_>>()
        .join(":")
}

fn wrong(path: &Path, reason: impl fmt::Display) -> TlsError {
    TlsError(format!("{}: {reason}", path.display()))
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TLS: {}", self.0)
    }
}

impl std::error::Error for TlsError {}
