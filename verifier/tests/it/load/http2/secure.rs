//! HTTP/2 over TLS, where ALPN decides on it.

use super::super::https::{Authority, answers};
use super::*;
use h2::server::Builder;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use verifier::run::load::Trust;

fn acceptor(authority: &Authority, protocols: &[&str]) -> TlsAcceptor {
    let mut config = (*authority.config).clone();
    config.alpn_protocols = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}

fn drive_secure(plan: &Plan, port: u16, trust: &Trust) -> Recorded {
    let target = Target::trusting(&format!("https://127.0.0.1:{port}"), trust).unwrap();
    drive_target(plan, &target, 2, &CancellationToken::new())
}

#[test]
fn every_load_is_carried_and_large_bodies_too() {
    let authority = Authority::new();
    let tls = acceptor(&authority, &["http/1.1", "h2"]);
    for (load, size) in LOADS.into_iter().zip([2, 1 << 20, 200_000]) {
        let body = Bytes::from(vec![b'x'; size]);
        let act = move |_| Act::Answer(200, body.clone());
        let server = Http2Server::with(&Builder::new(), Some(tls.clone()), act);
        let mut plan = patient2(load);
        plan.request.bodies = vec!["y".repeat(size)];
        let recorded = drive_secure(&plan, server.port, &authority.trust());
        assert_all(&recorded.exchanges, Outcome::Ok);
        assert!(
            recorded
                .exchanges
                .iter()
                .all(|row| row.bytes == answer_bytes(size))
        );
        assert_eq!(server.opened(), 3, "{load}");
        let requests = server.seen.requests.lock().unwrap();
        assert_eq!(requests.len(), recorded.exchanges.len());
        assert!(
            requests
                .iter()
                .all(|(head, body)| body.len() == size && head.uri().scheme_str() == Some("https"))
        );
    }
}

#[test]
fn a_target_that_does_not_choose_it_is_given_up_with_the_reason() {
    let authority = Authority::new();
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    let without = authority.serve(answers(answer.to_vec()));
    let other = acceptor(&authority, &["http/1.1"]);
    let other = Http2Server::with(&Builder::new(), Some(other), |_| super::answer());
    for (what, port) in [
        ("no ALPN", without.address().port()),
        ("http/1.1", other.port),
    ] {
        let recorded = drive_secure(&patient2(CLOSED), port, &authority.trust());
        assert_all(&recorded.exchanges, Outcome::ConnectError);
        let error = target_failed(&recorded).unwrap();
        assert!(
            error.contains("ALPN") && error.contains("--http2"),
            "{what}: {error}"
        );
    }
}

#[test]
fn who_can_not_prove_itself_is_not_asked() {
    let (authority, other) = (Authority::new(), Authority::new());
    let tls = acceptor(&authority, &["h2"]);
    let server = Http2Server::with(&Builder::new(), Some(tls), |_| super::answer());
    let recorded = drive_secure(&plan2(CLOSED), server.port, &other.trust());
    assert_all(&recorded.exchanges, Outcome::ConnectError);
    assert!(server.seen.requests.lock().unwrap().is_empty());
}
