//! Our own certificate and key, from PEM files or a PKCS#12 file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use p12_keystore::{KeyStore, Pkcs12ImportPolicy};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::{CertifiedKey, SigningKey};
use zeroize::Zeroizing;

use crate::files::read_private;

use super::certificates::{self, TlsError};
use super::der::{CertificateFields, EcPrivateKey};

/// Where our certificate and key are.
#[derive(Clone, Debug)]
pub enum TlsIdentity {
    /// Two PEM files: the chain, our certificate first; the private key.
    Pem(PathBuf, PathBuf),
    /// A PKCS#12 file, and a file whose first line is its password.
    Pkcs12(PathBuf, PathBuf),
}

/// RC2 and 3DES, which old tools encrypt such files with, are not supported.
const PKCS12_ADVICE: &str = "either its password is another, or it is in old ciphers: then convert it with \
    `openssl pkcs12 -legacy -in OLD -nodes | openssl pkcs12 -export -out NEW`";

const JKS_ADVICE: &str = "is a Java keystore (JKS), which is not read; convert it with \
    `keytool -importkeystore -srckeystore OLD -destkeystore NEW.p12 -deststoretype PKCS12`";

const PEM_ADVICE: &str = "is a PEM file, not PKCS#12: give the certificate by --tls-cert and the key by \
    --tls-key";

const ENCRYPTED_ADVICE: &str = "the private key is encrypted, and is not read with a password: decrypt it \
    with `openssl pkey -in OLD -out NEW`, and run `chmod 600 NEW`";

const KEY_ADVICE: &str = "keys are RSA from 2048 bits, EC on P-256 or P-384, or Ed25519; make one with \
    `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`";

/// Curves that keys may be on.
const SERVED_CURVES: [&str; 2] = ["P-256", "P-384"];

/// The first bytes of files of Java: JKS and JCEKS.
const JKS_MAGIC: [[u8; 4]; 2] = [[0xfe, 0xed, 0xfe, 0xed], [0xce, 0xce, 0xce, 0xce]];

impl TlsIdentity {
    /// Reads certificate and key, which belong together.
    pub(super) fn load(&self, allow_insecure_permissions: bool) -> Result<CertifiedKey, TlsError> {
        let (chain, key) = match self {
            Self::Pem(certificates, key) => {
                let pem = read_secret(key, allow_insecure_permissions)?;
                (
                    certificates::read_pem(certificates)?,
                    parse_pem_key(&pem, key)?,
                )
            }
            Self::Pkcs12(file, password_file) => {
                let text = read_secret(password_file, allow_insecure_permissions)?;
                read_pkcs12(file, text.lines().next().unwrap_or_default())?
            }
        };
        let signing_key = match_key(&chain, &key, self.certificate_file(), self.key_file())?;
        Ok(CertifiedKey::new(chain, signing_key))
    }

    /// Reads our own certificate, without its key where that is in another file.
    pub(super) fn certificate(
        &self,
        allow_insecure_permissions: bool,
    ) -> Result<CertificateDer<'static>, TlsError> {
        let mut chain = match self {
            Self::Pem(certificates, _) => certificates::read_pem(certificates)?,
            Self::Pkcs12(..) => self.load(allow_insecure_permissions)?.cert,
        };
        Ok(chain.swap_remove(0))
    }

    /// The file with the certificate.
    pub(super) fn certificate_file(&self) -> &Path {
        match self {
            Self::Pem(file, _) | Self::Pkcs12(file, _) => file,
        }
    }

    fn key_file(&self) -> &Path {
        match self {
            Self::Pem(_, file) | Self::Pkcs12(file, _) => file,
        }
    }
}

fn read_secret(
    path: &Path,
    allow_insecure_permissions: bool,
) -> Result<Zeroizing<String>, TlsError> {
    read_private(path, allow_insecure_permissions).map_err(|error| TlsError(error.to_string()))
}

fn parse_pem_key(text: &str, path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    if text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----")
        || text.contains("Proc-Type: 4,ENCRYPTED")
    {
        return Err(TlsError::new(path, ENCRYPTED_ADVICE));
    }
    PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|error| {
        if matches!(error, pem::Error::NoItemsFound) {
            TlsError::new(path, "holds no private key in PEM")
        } else {
            TlsError::new(path, error)
        }
    })
}

fn read_pkcs12(
    file: &Path,
    password: &str,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
    let bytes = certificates::read(file)?;
    if JKS_MAGIC.iter().any(|magic| bytes.starts_with(magic)) {
        return Err(TlsError::new(file, JKS_ADVICE));
    }
    if bytes.starts_with(b"-----BEGIN ") {
        return Err(TlsError::new(file, PEM_ADVICE));
    }
    let store = KeyStore::from_pkcs12(&bytes, password, Pkcs12ImportPolicy::Strict)
        .map_err(|error| TlsError::new(file, format_args!("{error}; {PKCS12_ADVICE}")))?;
    let (_, found) = store
        .private_key_chain()
        .ok_or_else(|| TlsError::new(file, "holds no private key with its certificate"))?;
    let mut chain = Vec::new();
    for certificate in found.certs() {
        chain.push(CertificateDer::from(certificate.as_der().to_vec()));
    }
    if chain.is_empty() {
        return Err(TlsError::new(file, "holds no certificate"));
    }
    let key = PrivatePkcs8KeyDer::from(found.key().as_der().to_vec());
    Ok((chain, key.into()))
}

/// Makes the key ready to sign, and checks that it belongs to the first certificate of the chain.
fn match_key(
    chain: &[CertificateDer<'static>],
    key: &PrivateKeyDer<'static>,
    certificate_file: &Path,
    key_file: &Path,
) -> Result<Arc<dyn SigningKey>, TlsError> {
    let mut certificates = Vec::new();
    for certificate in chain {
        certificates.push(certificates::fields(certificate, certificate_file)?);
    }
    let ec_key = EcPrivateKey::parse(key);
    if let Some(curve) = ec_key.as_ref().and_then(EcPrivateKey::curve_name)
        && !SERVED_CURVES.contains(&curve)
    {
        let reason = format_args!("the private key is on the curve {curve}; {KEY_ADVICE}");
        return Err(TlsError::new(key_file, reason));
    }
    let owned = match ec_key {
        // Reading the key checks that it belongs to the public key of the certificate.
        Some(half) if !half.has_public_half => find_by_half(&half, &certificates),
        Some(_) | None => {
            let key = any_supported_type(key)
                .map_err(|error| TlsError::new(key_file, format_args!("{error}; {KEY_ADVICE}")))?;
            find_by_key(key, &certificates)
        }
    };
    match owned {
        Some((0, key)) => Ok(key),
        Some((index, _)) => Err(TlsError::new(
            certificate_file,
            format_args!(
                "the private key belongs to certificate {} of {}: put that one first, and behind each \
                 certificate the one of its issuer",
                index + 1,
                chain.len()
            ),
        )),
        None => Err(TlsError::new(
            key_file,
            format_args!(
                "the private key does not belong to the certificate in {}",
                certificate_file.display()
            ),
        )),
    }
}

/// Finds the certificate that has the public half of the key, and completes the key with it.
fn find_by_half(
    half: &EcPrivateKey<'_>,
    certificates: &[CertificateFields<'_>],
) -> Option<(usize, Arc<dyn SigningKey>)> {
    for (index, certificate) in certificates.iter().enumerate() {
        if let Some(completed) = half.with_public_half(certificate)
            && let Ok(key) = any_supported_type(&completed.into())
        {
            return Some((index, key));
        }
    }
    None
}

/// Finds the certificate of a key.
fn find_by_key(
    key: Arc<dyn SigningKey>,
    certificates: &[CertificateFields<'_>],
) -> Option<(usize, Arc<dyn SigningKey>)> {
    let Some(public_key) = key.public_key() else {
        return Some((0, key));
    };
    let index = certificates
        .iter()
        .position(|certificate| certificate.public_key_info == public_key.as_ref())?;
    Some((index, key))
}
