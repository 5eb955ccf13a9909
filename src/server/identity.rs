//! Our own certificate and key, from PEM files or a PKCS#12 file.

use std::path::{Path, PathBuf};

use p12_keystore::{KeyStore, Pkcs12ImportPolicy};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::files::read_private;

use super::certificates::{self, TlsError};

/// Where our certificate and key are.
#[derive(Clone, Debug)]
pub enum TlsIdentity {
    /// Two PEM files: the chain, our certificate first; the private key.
    Pem(PathBuf, PathBuf),
    /// A PKCS#12 file, and a file whose first line is its password.
    Pkcs12(PathBuf, PathBuf),
}

/// Our chain and its key.
pub(super) struct CertifiedKey {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

/// RC2 and 3DES, which old tools encrypt such files with, are not understood here.
const PKCS12_ADVICE: &str = "either its password is another, or it is in old ciphers: then convert it with \
    `openssl pkcs12 -legacy -in OLD -nodes | openssl pkcs12 -export -out NEW`";

impl TlsIdentity {
    /// Reads certificate and key.
    pub(super) fn load(&self, allow_insecure_permissions: bool) -> Result<CertifiedKey, TlsError> {
        let read_secret = |path| {
            read_private(path, allow_insecure_permissions)
                .map_err(|error| TlsError(error.to_string()))
        };
        match self {
            Self::Pem(certificates, key) => {
                let pem = read_secret(key)?;
                let private = PrivateKeyDer::from_pem_slice(pem.as_bytes())
                    .map_err(|error| TlsError::new(key, error))?;
                Ok(CertifiedKey {
                    chain: certificates::read_pem(certificates)?,
                    key: private,
                })
            }
            Self::Pkcs12(file, password_file) => {
                let text = read_secret(password_file)?;
                read_pkcs12(file, text.lines().next().unwrap_or_default())
            }
        }
    }

    /// Reads our own certificate, without its key where that is in another file.
    pub(super) fn certificate(
        &self,
        allow_insecure_permissions: bool,
    ) -> Result<CertificateDer<'static>, TlsError> {
        let mut chain = match self {
            Self::Pem(certificates, _) => certificates::read_pem(certificates)?,
            Self::Pkcs12(..) => self.load(allow_insecure_permissions)?.chain,
        };
        Ok(chain.swap_remove(0))
    }

    /// The file to name when certificate and key do not fit together.
    pub(super) fn key_file(&self) -> &Path {
        match self {
            Self::Pem(_, key) => key,
            Self::Pkcs12(file, _) => file,
        }
    }
}

fn read_pkcs12(file: &Path, password: &str) -> Result<CertifiedKey, TlsError> {
    let bytes = certificates::read(file)?;
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
    Ok(CertifiedKey {
        chain,
        key: key.into(),
    })
}
