//! A file of the run folder as an answer, some of it at a time.

use super::files;
use super::refusal::Refusal;
use super::site::Site;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use http::header;
use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

/// Bytes that are read at once.
const AT_ONCE: usize = 64 << 10;
/// What comes out of a run folder is nobody's page.
const INERT: &str = "default-src 'none'; sandbox";

/// `GET /files/PATH`.
pub(super) async fn file(
    State(site): State<Arc<Site>>,
    Path(path): Path<String>,
) -> Result<Response, Refusal> {
    let found = site.shown().and_then(|folder| files::open(&folder, &path));
    let file = found.ok_or_else(|| Refusal::nothing(format!("the run has no file {path:?}")))?;
    let name = path.rsplit('/').next().unwrap_or("file");
    attachment(file, name, kind(name))
}

/// The file as something to be kept, by that name.
pub(super) fn attachment(file: File, name: &str, kind: &'static str) -> Result<Response, Refusal> {
    let length = file.metadata().map_err(Refusal::nothing)?.len();
    let plain: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "-_. ".contains(c) {
                c
            } else {
                '_'
            }
        })
        .collect();
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{plain}\""),
        ),
        (header::CONTENT_LENGTH, length.to_string()),
        (header::CONTENT_SECURITY_POLICY, INERT.to_owned()),
    ];
    Ok((headers, content(file, length)).into_response())
}

/// So many bytes of a file; more may be appended meanwhile.
pub(super) fn content(file: File, length: u64) -> Body {
    Body::from_stream(stream::try_unfold(
        (file, length),
        |(file, left)| async move {
            if left == 0 {
                return Ok::<_, io::Error>(None);
            }
            let read = tokio::task::spawn_blocking(move || read(file, left)).await;
            let (file, bytes) = read.map_err(io::Error::other)??;
            let left = left - bytes.len() as u64;
            Ok(Some((bytes, (file, left))))
        },
    ))
}

fn read(mut file: File, left: u64) -> io::Result<(File, Bytes)> {
    let mut bytes = vec![0; AT_ONCE.min(usize::try_from(left).unwrap_or(AT_ONCE))];
    let read = file.read(&mut bytes)?;
    if read == 0 {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the file was cut meanwhile",
        ));
    }
    bytes.truncate(read);
    Ok((file, bytes.into()))
}

fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("csv") => "text/csv; charset=utf-8",
        Some("json") => "application/json",
        Some("html") => "text/html; charset=utf-8",
        Some("md" | "txt" | "log" | "toml" | "hgrm" | "jsonl") => "text/plain; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}
