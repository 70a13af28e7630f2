//! Where the page is served: what can be typed for it, the listener, and the address to open.

use anyhow::{Context, Result, bail};
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, ToSocketAddrs};

/// Locust's port.
const PORT: u16 = 8089;

/// Where the page is served unless somebody says otherwise: this machine alone can reach it.
pub fn default_address() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, PORT))
}

/// Reads `0.0.0.0:8089`, `localhost:8089`, `[::1]:0`, an address alone, or a port alone.
///
/// # Errors
/// When the text is none of these.
pub fn parse_address(text: &str) -> Result<SocketAddr, String> {
    let like = "write it like 127.0.0.1:8089, 0.0.0.0:8089 or 8089";
    if let Ok(port) = text.parse::<u16>() {
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(address);
    }
    if let Ok(ip) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Ok(SocketAddr::from((ip, PORT)));
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("{text:?} is no port: {like}"));
    }
    let named = match text.contains(':') {
        true => text.to_socket_addrs(),
        false => (text, PORT).to_socket_addrs(),
    };
    let found =
        named.map_err(|error| format!("{text:?} is no address to listen on ({error}): {like}"))?;
    // Of localhost, the address that everybody means.
    let mut found: Vec<SocketAddr> = found.collect();
    found.sort_by_key(|address| !address.is_ipv4());
    let first = found.first().copied();
    first.ok_or_else(|| format!("{text:?} is no address to listen on: {like}"))
}

/// Listens.
///
/// # Errors
/// When somebody else does already, or it is not allowed; the error says what to do.
pub(super) fn listen(address: SocketAddr) -> Result<TcpListener> {
    match TcpListener::bind(address) {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == ErrorKind::AddrInUse => bail!(
            "the page can not be served at {address}: another program listens there already (another verifier, Locust); \
             end it, or choose another port with --web=127.0.0.1:{} (of verifier web and verifier show: --listen)",
            address.port().wrapping_add(1).max(1024)
        ),
        Err(error) => Err(error).with_context(|| {
            format!("the page can not be served at {address}: choose another address with --web=ADDRESS (of verifier web and verifier show: --listen)")
        }),
    }
}

/// The address to open in a browser.
pub(super) fn url(address: SocketAddr, token: Option<&str>) -> String {
    // What listens everywhere is reached here by this machine's own name for itself; from elsewhere by its address.
    let host = match address.ip() {
        ip if ip.is_unspecified() => "localhost".to_owned(),
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    let token = token.map(|token| format!("?token={token}"));
    format!(
        "http://{host}:{}/{}",
        address.port(),
        token.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_typed() {
        let parsed = |text| parse_address(text).unwrap().to_string();
        assert_eq!(parsed("8090"), "127.0.0.1:8090");
        assert_eq!(parsed("0.0.0.0:1"), "0.0.0.0:1");
        assert_eq!(parsed("0.0.0.0"), "0.0.0.0:8089");
        assert_eq!(parsed("localhost:9"), "127.0.0.1:9");
        assert_eq!(parsed("[::1]:0"), "[::1]:0");
        assert_eq!(parsed("::1"), "[::1]:8089");
        for wrong in ["", "70000", "http://a:1", "no such name:1", ":"] {
            assert!(parse_address(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_to_open() {
        let at = |text: &str, token| url(text.parse().unwrap(), token);
        assert_eq!(at("127.0.0.1:8089", None), "http://127.0.0.1:8089/");
        assert_eq!(at("0.0.0.0:1", Some("ab")), "http://localhost:1/?token=ab");
        assert_eq!(at("[::1]:2", None), "http://[::1]:2/");
    }

    #[test]
    fn a_taken_port_is_said_so() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let error = listen(taken.local_addr().unwrap()).unwrap_err().to_string();
        assert!(
            error.contains("another program listens there already"),
            "{error}"
        );
        assert!(error.contains("--web="), "{error}");
    }
}
