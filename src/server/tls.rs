//! TLS 1.2 and 1.3 (RFC 5246, 8446) under a connection: our identity, and the clients that are served.
//!
//! The files are read again at SIGHUP. Connections keep what they were made with, except those of clients
//! whose certificate is not accepted any more: they end.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::SingleCertAndKey;

use super::certificates::{self, CertificateDates, fingerprint, with_colons};
use super::client_verifier::ClientVerifier;

pub use super::certificates::TlsError;
pub use super::identity::TlsIdentity;

/// Where certificates and keys are.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// Our own certificate and key.
    pub identity: TlsIdentity,
    /// Clients with a certificate of this CA (PEM) are served.
    pub client_ca: Option<PathBuf>,
    /// Clients of this list are served: lines of a name and the SHA-256 fingerprint of a certificate, in
    /// hex with colons. With neither list nor CA, no client is asked for a certificate.
    pub known_clients: Option<PathBuf>,
    /// Secrets that others can read are a warning, not an error.
    pub allow_insecure_permissions: bool,
}

/// What all listeners with TLS share.
pub struct Tls {
    files: TlsFiles,
    current: ArcSwap<LoadedTls>,
    failed_handshakes: [AtomicU64; HandshakeFault::ALL.len()],
    /// When to look for certificates that expire, in seconds of Unix time.
    next_expiry_check: AtomicI64,
}

/// One reading of the files.
struct LoadedTls {
    config: Arc<ServerConfig>,
    fingerprint: String,
    /// When our own certificate expires, in seconds of Unix time.
    not_after: i64,
    /// Our own certificate, and those of the CA of clients.
    dated: Vec<CertificateDates>,
    clients: Option<Arc<ClientVerifier>>,
    /// Counts the readings.
    generation: u64,
}

/// Why a handshake failed, for metrics.
#[derive(Clone, Copy)]
pub(super) enum HandshakeFault {
    /// The client has no certificate that is accepted.
    ClientCertificate,
    /// The client does not accept us: it sent an alert.
    ClientAlert,
    /// The client closed the connection.
    Closed,
    /// It took too long.
    Timeout,
    /// Too many handshakes were waiting.
    Overloaded,
    /// The client speaks no TLS, or none that we speak.
    Protocol,
}

impl HandshakeFault {
    /// All of them, in the order of their numbers.
    const ALL: [Self; 6] = [
        Self::ClientCertificate,
        Self::ClientAlert,
        Self::Closed,
        Self::Timeout,
        Self::Overloaded,
        Self::Protocol,
    ];

    /// Returns a word for it.
    fn name(self) -> &'static str {
        match self {
            Self::ClientCertificate => "client_certificate",
            Self::ClientAlert => "client_alert",
            Self::Closed => "closed",
            Self::Timeout => "timeout",
            Self::Overloaded => "overloaded",
            Self::Protocol => "protocol",
        }
    }
}

/// A client that was accepted by its certificate.
pub(super) struct VerifiedClient {
    tls: Arc<Tls>,
    chain: Vec<CertificateDer<'static>>,
    /// SHA-256 of its own certificate in hex with colons.
    fingerprint: Arc<str>,
    /// The reading of the files that it was accepted by.
    generation: AtomicU64,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`] names the first file that is wrong.
    pub fn open(files: TlsFiles) -> Result<Arc<Self>, TlsError> {
        let current = ArcSwap::from_pointee(files.load(0)?);
        Ok(Arc::new(Self {
            files,
            current,
            failed_handshakes: Default::default(),
            next_expiry_check: AtomicI64::new(0),
        }))
    }

    /// Reads the files again, for new connections. Connections of clients that are not accepted any more
    /// end soon after.
    ///
    /// # Errors
    /// As [`Tls::open`]; then everything stays as it was.
    pub fn reload(&self) -> Result<(), TlsError> {
        let generation = self.current.load().generation + 1;
        self.current.store(Arc::new(self.files.load(generation)?));
        self.next_expiry_check.store(0, Ordering::Relaxed);
        self.warn_of_expiry();
        Ok(())
    }

    /// SHA-256 of our own certificate in hex with colons, as lists of known servers hold it.
    pub fn fingerprint(&self) -> String {
        self.current.load().fingerprint.clone()
    }

    /// When our own certificate expires, in seconds of Unix time.
    pub(crate) fn not_after(&self) -> i64 {
        self.current.load().not_after
    }

    /// Handshakes that have failed since the start, by reason.
    pub fn failed_handshakes(&self) -> Vec<(&'static str, u64)> {
        let mut failed = Vec::new();
        for fault in HandshakeFault::ALL {
            let count = self.failed_handshakes[fault as usize].load(Ordering::Relaxed);
            failed.push((fault.name(), count));
        }
        failed
    }

    /// Counts and logs a handshake that failed.
    pub(super) fn record_failure(&self, fault: HandshakeFault, peer: Option<IpAddr>, reason: &str) {
        self.failed_handshakes[fault as usize].fetch_add(1, Ordering::Relaxed);
        match peer {
            Some(peer) => log::debug!("TLS: the handshake with {peer} failed: {reason}"),
            None => log::debug!("TLS: the handshake with a local client failed: {reason}"),
        }
    }

    /// Logs a certificate that has expired, is not yet valid, or expires soon; at most once a day.
    pub(crate) fn warn_of_expiry(&self) {
        let now = Timestamp::now();
        let due = self.next_expiry_check.load(Ordering::Relaxed);
        if now.as_second() < due {
            return;
        }
        let tomorrow = now.as_second() + certificates::DAY_SECONDS;
        self.next_expiry_check.store(tomorrow, Ordering::Relaxed);
        for certificate in &self.current.load().dated {
            if let Some(warning) = certificate.warning(now) {
                log::warn!("TLS: {warning}");
            }
        }
    }

    /// The configuration for a new connection, and the generation of the files that it was made from.
    pub(super) fn config(&self) -> (Arc<ServerConfig>, u64) {
        let loaded = self.current.load();
        (Arc::clone(&loaded.config), loaded.generation)
    }
}

impl VerifiedClient {
    /// A client with this chain of certificates, accepted by this generation of the files.
    pub(super) fn new(
        tls: &Arc<Tls>,
        chain: Vec<CertificateDer<'static>>,
        generation: u64,
    ) -> Self {
        let fingerprint = chain
            .first()
            .map_or_else(String::new, |own| with_colons(&fingerprint(own)));
        Self {
            tls: Arc::clone(tls),
            chain,
            fingerprint: fingerprint.into(),
            generation: AtomicU64::new(generation),
        }
    }

    /// SHA-256 of its certificate in hex with colons.
    pub(super) fn fingerprint(&self) -> Arc<str> {
        Arc::clone(&self.fingerprint)
    }

    /// Whether the files have been read again since it was accepted.
    pub(super) fn is_outdated(&self) -> bool {
        self.generation.load(Ordering::Relaxed) != self.tls.current.load().generation
    }

    /// Verifies the certificate by the files as they are now. Returns whether it is accepted.
    pub(super) fn renew(&self) -> bool {
        let loaded = self.tls.current.load_full();
        self.generation.store(loaded.generation, Ordering::Relaxed);
        let Some(clients) = &loaded.clients else {
            return true;
        };
        let Some((own, others)) = self.chain.split_first() else {
            return true;
        };
        clients
            .verify_client_cert(own, others, UnixTime::now())
            .is_ok()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tls({:?})", self.files)
    }
}

impl TlsFiles {
    /// Whether clients are asked for a certificate.
    pub(crate) fn asks_clients(&self) -> bool {
        self.client_ca.is_some() || self.known_clients.is_some()
    }

    /// Reads our own certificate.
    pub(super) fn certificate(&self) -> Result<CertificateDer<'static>, TlsError> {
        self.identity.certificate(self.allow_insecure_permissions)
    }

    fn load(&self, generation: u64) -> Result<LoadedTls, TlsError> {
        let own = self.identity.load(self.allow_insecure_permissions)?;
        let fingerprint = with_colons(&fingerprint(&own.cert[0]));
        let certificate_file = self.identity.certificate_file();
        let mut dated = vec![CertificateDates::read(&own.cert[0], certificate_file)?];
        let not_after = dated[0].not_after.as_second();
        if let Some(ca) = &self.client_ca {
            for certificate in certificates::read_pem(ca)? {
                dated.push(CertificateDates::read(&certificate, ca)?);
            }
        }
        let provider = Arc::new(ring::default_provider());
        let clients = if self.asks_clients() {
            let verifier = ClientVerifier::open(
                self.known_clients.as_deref(),
                self.client_ca.as_deref(),
                &provider,
            )?;
            Some(Arc::new(verifier))
        } else {
            None
        };
        let builder = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider serves TLS 1.2 and 1.3");
        let builder = match &clients {
            Some(clients) => builder.with_client_cert_verifier(Arc::clone(clients) as _),
            None => builder.with_no_client_auth(),
        };
        // `with_single_cert` would refuse a certificate of version 1.
        let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(own)));
        config.alpn_protocols = [b"http/1.1", b"http/1.0"].map(Vec::from).into();
        Ok(LoadedTls {
            config: Arc::new(config),
            fingerprint,
            not_after,
            dated,
            clients,
            generation,
        })
    }
}
