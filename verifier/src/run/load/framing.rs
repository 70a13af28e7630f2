//! How the head of an HTTP/1.x response says where its body ends, and whether the connection stays: RFC 9112 sections 6.3 and 9.3.

/// Where the message ends, as far as its head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Framing {
    /// `content-length`.
    pub(super) length: Option<u64>,
    /// `transfer-encoding: chunked`.
    pub(super) chunked: bool,
    /// The connection is to stay open.
    pub(super) keep_alive: bool,
}

/// Reads the framing headers; says why when they contradict each other or can not be followed.
pub(super) fn framing(response: &httparse::Response<'_, '_>) -> Result<Framing, &'static str> {
    let mut framing = Framing {
        length: None,
        chunked: false,
        keep_alive: response.version == Some(1),
    };
    for header in response.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            let text = std::str::from_utf8(header.value).unwrap_or("").trim();
            if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
                return Err("content-length is not a number");
            }
            let length = text.parse().map_err(|_| "content-length is out of range")?;
            if framing.length.is_some_and(|before| before != length) {
                return Err("two content-lengths differ");
            }
            framing.length = Some(length);
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            for coding in header.value.split(|b| *b == b',').map(<[u8]>::trim_ascii) {
                if framing.chunked {
                    return Err("chunked is not the last transfer-encoding");
                }
                framing.chunked = coding.eq_ignore_ascii_case(b"chunked");
            }
            if !framing.chunked {
                return Err("a transfer-encoding other than chunked");
            }
        } else if header.name.eq_ignore_ascii_case("connection") {
            for option in header.value.split(|b| *b == b',').map(<[u8]>::trim_ascii) {
                if option.eq_ignore_ascii_case(b"close") {
                    framing.keep_alive = false;
                } else if option.eq_ignore_ascii_case(b"keep-alive") && response.version == Some(0)
                {
                    framing.keep_alive = true;
                }
            }
        }
    }
    // HTTP/1.0 knows no chunks: who sends them may end them elsewhere (RFC 9112 6.1).
    framing.keep_alive &= !framing.chunked || response.version == Some(1);
    Ok(framing)
}
