//! The bytes of one connection, plain or through TLS, on a non-blocking socket: the rest of the engine can not tell.

use super::tls::Tls;
use crate::plan::Http;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use rustls::ClientConnection;
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::SocketAddr;
use std::time::Duration;

/// A connection's socket, and its TLS session if it has one.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    tls: Option<Box<ClientConnection>>,
}

impl Wire {
    /// Begins to connect; events come with the token.
    pub(super) fn connect(
        address: SocketAddr,
        tls: Option<(&Tls, Http)>,
        registry: &Registry,
        token: Token,
    ) -> Result<Wire> {
        let mut stream = TcpStream::connect(address)?;
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        let tls = tls.map(|(tls, http)| tls.session(http)).transpose()?;
        let tls = tls.map(Box::new);
        Ok(Wire { stream, tls })
    }

    /// Goes on connecting; true when requests can be sent, the TLS handshake included.
    pub(super) fn established(&mut self) -> Result<bool> {
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        if self.stream.peer_addr().is_err() {
            return Ok(false);
        }
        // Only latency is lost without it.
        let _ = self.stream.set_nodelay(true);
        match &mut self.tls {
            None => Ok(true),
            Some(session) => handshake(session, &mut self.stream),
        }
    }

    /// Without TLS, HTTP/2 is a matter of prior knowledge; with it, of ALPN (RFC 9113 section 3.2).
    pub(super) fn agreed_on_http2(&self) -> bool {
        self.tls
            .as_ref()
            .is_none_or(|session| session.alpn_protocol() == Some(b"h2"))
    }

    /// When it is closed, the kernel forgets it at once.
    pub(super) fn forget_when_closed(&self) {
        // Without it, ports may run out, and rows with connect_error say so.
        let _ = rustix::net::sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO));
    }

    /// A short read has emptied the socket: asking again would only cost a call.
    pub(super) fn short_read_is_all(&self) -> bool {
        self.tls.is_none()
    }

    /// Reads what has come. 0: the peer has ended the stream in order.
    pub(super) fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        let Some(session) = &mut self.tls else {
            return self.stream.read(into);
        };
        loop {
            match session.reader().read(into) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return read,
            }
            session.read_tls(&mut self.stream)?;
            take_in(session, &mut self.stream)?;
        }
    }

    /// Takes some or all of the bytes; on an error nothing has gone out. What TLS has taken may still wait in it: [`Wire::flush`].
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        match &mut self.tls {
            None => self.stream.write(bytes),
            Some(session) => {
                let written = session.writer().write(bytes)?;
                match session.write_tls(&mut self.stream) {
                    Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
                    // Something has gone out: if more can not, the read tells.
                    _ => drop(send(session, &mut self.stream)),
                }
                Ok(written)
            }
        }
    }

    /// Hands over what TLS still holds, as far as there is room; true when it holds nothing.
    pub(super) fn flush(&mut self) -> Result<bool> {
        match &mut self.tls {
            None => Ok(true),
            Some(session) => send(session, &mut self.stream),
        }
    }

    /// TLS holds nothing that has not been sent.
    pub(super) fn flushed(&self) -> bool {
        self.tls
            .as_ref()
            .is_none_or(|session| !session.wants_write())
    }
}

/// The server has ended the TLS handshake, as it speaks no protocol that was offered (RFC 7301 section 3.2).
pub(super) fn refused_protocol(error: &Error) -> bool {
    let inner = error.get_ref();
    let refusal = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(
        refusal,
        Some(rustls::Error::AlertReceived(
            rustls::AlertDescription::NoApplicationProtocol
        ))
    )
}

fn handshake(session: &mut ClientConnection, stream: &mut TcpStream) -> Result<bool> {
    loop {
        send(session, stream)?;
        if !session.is_handshaking() {
            return Ok(true);
        }
        match session.read_tls(stream) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) => take_in(session, stream)?,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn take_in(session: &mut ClientConnection, stream: &mut TcpStream) -> Result<()> {
    let taken = session.process_new_packets();
    // An answer to what has come, or the alert that says why it was refused. The peer may be gone: the read tells.
    let _ = send(session, stream);
    taken
        .map(|_| ())
        .map_err(|error| Error::new(ErrorKind::InvalidData, error))
}

fn send(session: &mut ClientConnection, stream: &mut TcpStream) -> Result<bool> {
    while session.wants_write() {
        match session.write_tls(stream) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}
