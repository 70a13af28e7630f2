//! One listening socket per worker on one address: by SO_REUSEPORT, so that the kernel spreads
//! connections and no worker wakes for another's; or one given socket shared by all.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use socket2::{Domain, Protocol, Socket, Type};

/// Bound sockets, one per worker, not yet served.
#[derive(Debug)]
pub struct Listeners {
    address: SocketAddr,
    sockets: Vec<TcpListener>,
}

/// Connections that may wait to be accepted; the kernel lowers it to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

impl Listeners {
    /// Binds `workers` sockets to the address; with port 0 all share the port that the first gets.
    pub fn bind(address: SocketAddr, workers: usize) -> io::Result<Listeners> {
        let first = socket(address)?;
        let address = first.local_addr()?;
        let others = (1..workers.max(1)).map(|_| socket(address));
        let sockets = std::iter::once(Ok(first))
            .chain(others)
            .collect::<io::Result<_>>()?;
        Ok(Listeners { address, sockets })
    }

    /// Lets `workers` accept from one socket that someone else has bound.
    pub fn share(listener: TcpListener, workers: usize) -> io::Result<Listeners> {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let sockets = (1..workers.max(1))
            .map(|_| listener.try_clone())
            .collect::<io::Result<Vec<_>>>()?;
        Ok(Listeners {
            address,
            sockets: std::iter::once(listener).chain(sockets).collect(),
        })
    }

    /// The address with its real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn into_sockets(self) -> Vec<TcpListener> {
        self.sockets
    }
}

fn socket(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // A restart must not wait for the last process's connections to leave TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
