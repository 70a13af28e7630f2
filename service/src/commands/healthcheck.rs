//! `healthcheck`: one GET, for images that have no shell and no curl.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use anyhow::{Context as _, bail};
use http::Uri;

const TIMEOUT: Duration = Duration::from_secs(2);

/// Asks `url`.
///
/// # Errors
/// Anything but a 2xx answer within two seconds.
pub fn run(url: &str) -> anyhow::Result<()> {
    let uri: Uri = url
        .parse()
        .with_context(|| format!("{url:?} is not a URL"))?;
    let (Some("http"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        bail!("{url:?} must start with http://");
    };
    let status = status(authority.as_str(), uri.port_u16().unwrap_or(80), &uri)
        .with_context(|| format!("no answer from {url}"))?;
    if !status.starts_with('2') {
        bail!("{url} answered {status}");
    }
    Ok(())
}

/// The status code of the answer, as text.
fn status(authority: &str, port: u16, uri: &Uri) -> anyhow::Result<String> {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let address = (host, port)
        .to_socket_addrs()?
        .next()
        .context("the host has no address")?;
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n"
    )?;
    // "HTTP/1.1 200"
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    let head = std::str::from_utf8(&head)?;
    head.strip_prefix("HTTP/1.")
        .and_then(|rest| rest.split(' ').nth(1))
        .map(str::to_owned)
        .context("the answer is not HTTP")
}
