//! TLS over a socket: the handshake step by step, then data.
//!
//! A step of the handshake takes milliseconds, so a pool of threads computes it. The deadline of the whole
//! handshake is that of the first head.

use std::io::{self, ErrorKind, Read, Write};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::{Error, ServerConnection, Stream as TlsStream};

use crate::http::wipe;

use super::client_verifier::take_refusal;
use super::pool::{PoolError, WorkerPool};
use super::socket::Socket;
use super::stream::{Phase, Stream};
use super::tls::{HandshakeFault, Tls, VerifiedClient};

/// A socket with TLS over it.
pub(super) struct SecureSocket {
    /// `None` while a step of the handshake is computed, and after a step has failed.
    connection: Option<Box<ServerConnection>>,
    socket: Socket,
    handshakes: Arc<WorkerPool>,
    tls: Arc<Tls>,
    /// Which reading of the TLS files the connection was made with.
    generation: u64,
    peer: Option<IpAddr>,
}

/// Measured: 17 KiB.
const IDLE_BYTES: usize = 18 * 1024;

impl SecureSocket {
    /// The server's side of a new connection, before its handshake.
    #[inline(never)] // moves a KiB over the stack
    pub(super) fn new(
        socket: Socket,
        tls: &Arc<Tls>,
        handshakes: &Arc<WorkerPool>,
        peer: Option<IpAddr>,
    ) -> Result<Self, Error> {
        tls.warn_of_expiry();
        let (config, generation) = tls.config();
        Ok(Self {
            connection: Some(Box::new(ServerConnection::new(config)?)),
            socket,
            handshakes: Arc::clone(handshakes),
            tls: Arc::clone(tls),
            generation,
            peer,
        })
    }

    /// The stream of data, once the handshake is done.
    fn stream(&mut self) -> io::Result<TlsStream<'_, ServerConnection, Socket>> {
        let is_handshaking = self
            .connection
            .as_ref()
            .is_none_or(|connection| connection.is_handshaking());
        if is_handshaking {
            self.shake_hands()?;
        }
        let connection = self.connection.as_mut().ok_or_else(aborted)?;
        Ok(TlsStream::new(connection, &mut self.socket))
    }

    /// Exchanges the messages of the handshake. A failure is counted and logged, except that of a client
    /// which has sent nothing: a probe of the port.
    #[inline(never)]
    fn shake_hands(&mut self) -> io::Result<()> {
        let mut has_begun = false;
        let result = self.exchange_messages(&mut has_begun);
        if let Err(error) = &result
            && has_begun
        {
            self.tls
                .record_failure(fault(error), self.peer, &reason(error));
            // Do not try again: the second failure would be counted too.
            self.connection = None;
        }
        result
    }

    fn exchange_messages(&mut self, has_begun: &mut bool) -> io::Result<()> {
        loop {
            self.send_pending()?;
            let connection = self.connection.as_mut().ok_or_else(aborted)?;
            if !connection.is_handshaking() {
                break;
            }
            if connection.read_tls(&mut self.socket)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            *has_begun = true;
            let processed = self.process();
            if processed.is_err() {
                self.send_pending().ok(); // the alert with the reason
            }
            processed?;
        }
        let connection = self.connection.as_ref().ok_or_else(aborted)?;
        if let Some(chain) = connection.peer_certificates() {
            let chain = chain.iter().map(|it| it.clone().into_owned()).collect();
            self.socket
                .set_client(VerifiedClient::new(&self.tls, chain, self.generation));
        }
        Ok(())
    }

    /// Computes the next step from what was read, on another thread.
    fn process(&mut self) -> io::Result<()> {
        let mut connection = self.connection.take().ok_or_else(aborted)?;
        let processed = self.handshakes.run(move || {
            let result = connection.process_new_packets().map(|_| ());
            let result = result.map_err(|error| match take_refusal() {
                Some(refusal) => io::Error::new(ErrorKind::PermissionDenied, refusal),
                None => io::Error::new(ErrorKind::InvalidData, error),
            });
            (connection, result)
        });
        match processed {
            Ok((connection, result)) => {
                self.connection = Some(connection);
                result
            }
            Err(PoolError::Full) => {
                let reason = "too many handshakes are waiting";
                Err(io::Error::new(ErrorKind::ResourceBusy, reason))
            }
            Err(PoolError::Panicked) => Err(aborted()),
        }
    }

    fn send_pending(&mut self) -> io::Result<()> {
        let connection = self.connection.as_mut().ok_or_else(aborted)?;
        while connection.wants_write() {
            connection.write_tls(&mut self.socket)?;
        }
        Ok(())
    }

    /// Wipes what rustls has decrypted in its buffer of records: that lives as long as the connection,
    /// and is otherwise overwritten by the next records alone.
    #[inline(never)]
    fn wipe_records(&mut self) {
        // rustls offers the part of the buffer that holds no record yet; an error changes nothing.
        if let Some(connection) = &mut self.connection {
            connection.read_tls(&mut WipeOnly).ok();
        }
    }
}

/// Why a handshake failed, for metrics.
fn fault(error: &io::Error) -> HandshakeFault {
    let is_alert = |error: &Error| matches!(error, Error::AlertReceived(_));
    let is_certificate = |error: &Error| {
        matches!(
            error,
            Error::NoCertificatesPresented | Error::InvalidCertificate(_)
        )
    };
    let kind = error.kind();
    let of_tls = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>());
    if kind == ErrorKind::PermissionDenied || of_tls.is_some_and(is_certificate) {
        HandshakeFault::ClientCertificate
    } else if of_tls.is_some_and(is_alert) {
        HandshakeFault::ClientAlert
    } else if kind == ErrorKind::TimedOut {
        HandshakeFault::Timeout
    } else if kind == ErrorKind::ResourceBusy {
        HandshakeFault::Overloaded
    } else if kind == ErrorKind::InvalidData {
        HandshakeFault::Protocol
    } else {
        HandshakeFault::Closed
    }
}

/// Why a handshake failed, in words.
fn reason(error: &io::Error) -> String {
    if error.kind() == ErrorKind::TimedOut {
        "it took too long".to_owned()
    } else if error.kind() == ErrorKind::UnexpectedEof {
        "the client closed the connection".to_owned()
    } else {
        error.to_string()
    }
}

/// The handshake has failed.
fn aborted() -> io::Error {
    ErrorKind::ConnectionAborted.into()
}

// None of these is inlined: their frames are large, and would stay on the stack of an idle connection.
impl Read for SecureSocket {
    #[inline(never)]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream()?.read(buffer)
    }
}

impl Write for SecureSocket {
    #[inline(never)]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream()?.write(bytes)
    }

    #[inline(never)]
    fn flush(&mut self) -> io::Result<()> {
        self.stream()?.flush()
    }
}

/// Reads no bytes, and wipes the buffer that it is offered.
struct WipeOnly;

impl Read for WipeOnly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        wipe(buffer);
        Err(ErrorKind::WouldBlock.into())
    }
}

impl Stream for SecureSocket {
    fn idle_bytes(&self) -> usize {
        IDLE_BYTES
    }

    fn enter(&mut self, phase: Phase) {
        self.socket.enter(phase);
    }

    fn trust(&mut self) {
        self.socket.trust();
    }

    fn client_certificate(&self) -> Option<Arc<str>> {
        self.socket.client_certificate()
    }

    fn pause(&mut self, duration: Duration) {
        self.socket.pause(duration);
    }

    fn wait_readable(&mut self) -> io::Result<()> {
        // rustls does not want to read while decrypted data waits.
        let connection = self.connection.as_ref();
        if connection.is_some_and(|connection| connection.wants_read()) {
            self.wipe_records();
            self.socket.wait_readable()
        } else {
            Ok(())
        }
    }

    fn release_memory(&mut self) {
        self.socket.release_memory();
    }

    fn yield_now(&mut self) {
        self.socket.yield_now();
    }

    fn close_writing(&mut self) {
        let connection = self.connection.as_mut();
        if let Some(connection) = connection.filter(|it| !it.is_handshaking()) {
            connection.send_close_notify();
            self.send_pending().ok();
        }
        self.socket.close_writing();
    }
}
