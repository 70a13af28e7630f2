//! Where requests go: addresses, and the name that the target is called by.

use anyhow::{Context, Result, ensure};
use std::net::{SocketAddr, ToSocketAddrs};

/// A resolved target.
#[derive(Clone, Debug)]
pub struct Target {
    /// All its addresses; connections take them in turn.
    pub addresses: Vec<SocketAddr>,
    /// Value of the `host` header.
    pub host: String,
}

impl Target {
    /// Resolves `http://host:port`.
    ///
    /// # Errors
    /// When it is no such URL, or the name has no address.
    pub fn resolve(url: &str) -> Result<Target> {
        let host = url
            .strip_prefix("http://")
            .with_context(|| format!("{url}: only http:// can be loaded"))?;
        let host = host.trim_end_matches('/');
        let with_port = if host
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_ok())
        {
            host.to_owned()
        } else {
            format!("{host}:80")
        };
        let addresses: Vec<SocketAddr> = with_port
            .to_socket_addrs()
            .with_context(|| format!("cannot resolve {with_port}"))?
            .collect();
        ensure!(!addresses.is_empty(), "{with_port} has no address");
        Ok(Target {
            addresses,
            host: host.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolves() {
        assert_eq!(
            Target::resolve("http://127.0.0.1:81").unwrap().addresses,
            ["127.0.0.1:81".parse().unwrap()]
        );
        assert_eq!(
            Target::resolve("http://127.0.0.1").unwrap().addresses,
            ["127.0.0.1:80".parse().unwrap()]
        );
        assert_eq!(
            Target::resolve("http://[::1]:81").unwrap().addresses,
            ["[::1]:81".parse().unwrap()]
        );
        assert!(Target::resolve("https://127.0.0.1").is_err());
        assert!(Target::resolve("http://no.such.host.invalid").is_err());
    }
}
