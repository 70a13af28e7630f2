//! A target that runs already: its URL, checked before anything is started.

use anyhow::{Context, Result, bail, ensure};

/// Gives back `http://host:port` (or `https://`) of the URL.
///
/// # Errors
/// When the scheme is neither `http` nor `https`, or the URL holds more than a host and a port: the path is the plan's.
pub fn check(url: &str) -> Result<String> {
    let advice = || format!("--url {url:?}: write it like http://10.0.0.7:8080");
    let uri: http::Uri = url.parse().with_context(advice)?;
    let (scheme, port) = match uri.scheme_str() {
        Some("http") => ("http", 80),
        Some("https") => ("https", 443),
        _ => bail!(advice()),
    };
    let authority = uri.authority().with_context(advice)?;
    ensure!(
        !authority.as_str().contains('@') && !authority.host().is_empty(),
        advice()
    );
    ensure!(
        uri.path().trim_matches('/').is_empty() && uri.query().is_none(),
        "--url {url}: the path belongs in the plan, as request.path"
    );
    Ok(format!(
        "{scheme}://{}:{}",
        authority.host(),
        authority.port_u16().unwrap_or(port)
    ))
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn urls() {
        assert_eq!(
            check("http://localhost:8080/").unwrap(),
            "http://localhost:8080"
        );
        assert_eq!(check("http://[::1]:9").unwrap(), "http://[::1]:9");
        assert_eq!(check("http://iris").unwrap(), "http://iris:80");
        assert_eq!(check("https://iris").unwrap(), "https://iris:443");
        for (url, why) in [
            ("localhost:8080", "write it like"),
            ("http://", "write it like"),
            ("http://a@b", "write it like"),
            ("http://a/predict", "request.path"),
            ("not a url", "write it like"),
        ] {
            let error = format!("{:#}", check(url).unwrap_err());
            assert!(error.contains(why), "{url}: {error}");
        }
    }
}
