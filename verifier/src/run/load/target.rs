//! Where requests go: addresses, and the name that the target is called by.

use super::tls::{Tls, Trust};
use anyhow::{Context, Result, bail, ensure};
use std::net::{SocketAddr, ToSocketAddrs};

/// A resolved target.
#[derive(Clone, Debug)]
pub struct Target {
    /// All its addresses; connections take them in turn.
    pub addresses: Vec<SocketAddr>,
    /// Value of the `host` header.
    pub host: String,
    /// For an `https://` target.
    pub tls: Option<Tls>,
}

impl Target {
    /// Resolves `http://host:port`. The request's path is the plan's.
    ///
    /// # Errors
    /// When it is no such URL, or the name has no address.
    pub fn resolve(url: &str) -> Result<Target> {
        Target::trusting(url, &Trust::default())
    }

    /// The same, or `https://host:port`.
    ///
    /// # Errors
    /// When it is no such URL, the name has no address, or the trusted certificates can not be read.
    pub fn trusting(url: &str, trust: &Trust) -> Result<Target> {
        let (host, https) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
            (Some(host), _) => (host, false),
            (_, Some(host)) => (host, true),
            _ => bail!("{url}: a target is written http://host:port or https://host:port"),
        };
        let host = host.strip_suffix('/').unwrap_or(host);
        ensure!(
            !host.contains(['/', '?', '#']),
            "{url}: the path is the plan's (request.path); a target is http://host:port"
        );
        ensure!(
            !host.contains('@'),
            "{url}: credentials go into the plan's request.headers, not into the URL"
        );
        let port = host.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
        let with_port = match port {
            Some(Ok(_)) => host.to_owned(),
            _ => format!("{host}:{}", if https { 443 } else { 80 }),
        };
        let name = with_port.rsplit_once(':').map_or(host, |(name, _)| name);
        let tls = https.then(|| Tls::new(trust, name)).transpose()?;
        let mut addresses: Vec<SocketAddr> = Vec::new();
        for address in with_port
            .to_socket_addrs()
            .with_context(|| format!("cannot resolve {with_port}"))?
        {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        ensure!(!addresses.is_empty(), "{with_port} has no address");
        Ok(Target {
            addresses,
            host: host.to_owned(),
            tls,
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
        for (url, why) in [
            ("https://a b", "no certificate can name"),
            ("ftp://127.0.0.1", "https://host:port"),
            ("127.0.0.1:80", "http://host:port"),
            ("http://127.0.0.1:80/predict", "request.path"),
            ("http://me:secret@127.0.0.1", "request.headers"),
            ("http://no.such.host.invalid", "cannot resolve"),
        ] {
            let error = format!("{:#}", Target::resolve(url).unwrap_err());
            assert!(error.contains(why), "{url}: {error}");
        }
    }
}
