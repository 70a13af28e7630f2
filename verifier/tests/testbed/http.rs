//! One request over a connection of its own, blocking: its status and body, or `None` if nobody answers.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// `GET` of a path with its query.
pub fn get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    exchange(address, &format!("GET {path} HTTP/1.0\r\n\r\n"))
}

/// `POST` of a JSON body.
pub fn post(address: SocketAddr, path: &str, json: &str) -> Option<(u16, String)> {
    post_with(address, path, "", json)
}

/// The same with more headers, each with its line end.
pub fn post_with(
    address: SocketAddr,
    path: &str,
    headers: &str,
    json: &str,
) -> Option<(u16, String)> {
    let head = format!(
        "POST {path} HTTP/1.0\r\n{headers}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        json.len()
    );
    exchange(address, &(head + json))
}

/// HTTP/1.0, so that the answer ends with the connection and comes without chunks.
fn exchange(address: SocketAddr, request: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}
