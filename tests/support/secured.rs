//! A client's side of TLS, and the certificates of `tests/tls`.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::Scratch;

/// A file of `tests/tls` with the permissions that git does not keep.
pub(crate) fn private(scratch: &Scratch, name: &str) -> String {
    scratch.write(name, std::fs::read(source(name)).expect("it is there"))
}

pub(crate) fn source(name: &str) -> String {
    format!("{}/tests/tls/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// A connection of a client that knows the CA, and has this certificate.
pub(crate) fn secure(
    stream: TcpStream,
    name: Option<&str>,
) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(source("ca.pem")).expect("a good certificate"))
        .expect("a good certificate");
    let builder =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("a good certificate")
            .with_root_certificates(roots);
    let config = match name {
        None => builder.with_no_client_auth(),
        Some(name) => {
            let chain = vec![
                CertificateDer::from_pem_file(source(&format!("{name}.pem")))
                    .expect("a good certificate"),
            ];
            let key = PrivateKeyDer::from_pem_file(source(&format!("{name}.key")))
                .expect("a good certificate");
            builder
                .with_client_auth_cert(chain, key)
                .expect("a good certificate")
        }
    };
    let connection = ClientConnection::new(
        Arc::new(config),
        "localhost".try_into().expect("a good certificate"),
    )
    .expect("a good certificate");
    StreamOwned::new(connection, stream)
}

/// TLS that reads what there is, even when the other side takes no more: rustls' own stream gives up on
/// both directions together.
pub(crate) struct Secured(pub(crate) StreamOwned<ClientConnection, TcpStream>);

impl Read for Secured {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let StreamOwned { conn, sock } = &mut self.0;
        loop {
            match conn.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => return result,
            }
            conn.read_tls(sock)?;
            conn.process_new_packets().map_err(io::Error::other)?;
        }
    }
}

impl Write for Secured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
