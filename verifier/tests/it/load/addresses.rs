//! Where nobody, or the wrong one, listens: refused connections, addresses that do not answer, targets that go away,
//! IPv6, and servers that speak or hang up before they were asked.

use super::server::{Server, answer_ok, reset_at_the_end};
use super::*;
use std::io::Read;
use std::net::{Shutdown, SocketAddr, TcpStream};

const LOADS: [&str; 3] = [
    "kind = 'connections'\nconnections = 3",
    "kind = 'users'\nusers = 3\nspawn_rate = 100\nwait = { constant = '20ms' }",
    "kind = 'rate'\nrate = 100\nconnections = 3",
];

fn stage(load: &str) -> Plan {
    plan(&format!("{load}\nduration = '300ms'"))
}

/// A listener whose queue is full: it lets nobody in, and refuses nobody. Ends when dropped.
fn full() -> (SocketAddr, Vec<TcpStream>, socket2::Socket) {
    let listener =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    listener
        .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let wait = Duration::from_millis(100);
    let queue: Vec<TcpStream> = (0..8)
        .map_while(|_| TcpStream::connect_timeout(&address, wait).ok())
        .collect();
    assert!(queue.len() < 8, "the queue has no end");
    (address, queue, listener)
}

#[test]
fn an_address_that_lets_nobody_in_is_a_connect_error_and_the_next_is_taken() {
    let (dead, _queue, _listener) = full();
    for load in LOADS {
        let server = Server::start(answer_ok);
        let target = Target {
            addresses: vec![dead, server.address()],
            host: "two.addresses".into(),
            tls: None,
        };
        let mut plan = stage(load);
        plan.stages[0].duration = Duration::from_secs(1);
        let rows = drive_target(&plan, &target, 1, &CancellationToken::new()).exchanges;
        let counts = outcomes(&rows);
        assert!(counts[&Outcome::Ok] > 3, "{load}: {counts:?}");
        let others = rows.len() - counts[&Outcome::Ok];
        // Each connection comes to the dead address once at most, and waits there for the request timeout.
        assert!(others <= 3, "{load}: {counts:?}");
        assert!(!counts.contains_key(&Outcome::Reset), "{load}: {counts:?}");
    }
}

#[test]
fn ipv6_and_a_name_of_both_families() {
    for load in LOADS {
        let server = Server::start_at("[::1]:0", answer_ok);
        let port = server.address().port();
        for url in [server.url.clone(), format!("http://localhost:{port}")] {
            let resolved = Target::resolve(&url).unwrap();
            if resolved.addresses.iter().any(SocketAddr::is_ipv6) {
                assert_all(&run(&stage(load), &url), Outcome::Ok);
            } else {
                assert!(url.contains("localhost"), "{url}: {resolved:?}"); // a machine's own names may have one family
            }
        }
    }
}

#[test]
fn a_target_that_goes_away_leaves_connect_errors() {
    for load in LOADS {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let held: Vec<TcpStream> = listener.incoming().take(3).map_while(Result::ok).collect();
            drop(listener);
            // One answer each, then the end.
            for mut stream in held {
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(
                    b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
                );
            }
        });
        let counts = outcomes(&run(&stage(load), &url));
        assert_eq!(counts.get(&Outcome::Ok), Some(&3), "{load}: {counts:?}");
        assert!(counts[&Outcome::ConnectError] > 3, "{load}: {counts:?}");
        let rest = counts
            .keys()
            .filter(|o| !matches!(o, Outcome::Ok | Outcome::ConnectError | Outcome::Unsent));
        assert_eq!(rest.count(), 0, "{load}: {counts:?}");
    }
}

/// Its own side is closed, the other is not: no reset will ever come.
fn hold(stream: TcpStream) {
    let _ = stream.shutdown(Shutdown::Write);
    let mut stream = stream;
    while stream.read(&mut [0; 4096]).is_ok_and(|n| n > 0) {}
}

#[test]
fn who_speaks_before_it_is_asked_is_heard() {
    // As an overloaded server or proxy does, that does not want to read any more.
    let busy = b"HTTP/1.1 503 Busy\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    for load in &LOADS[..2] {
        let server = Server::raw(move |mut stream| {
            let _ = stream.write_all(busy);
            hold(stream);
        });
        let begun = Instant::now();
        let rows = run(&stage(load), &server.url);
        assert_all(&rows, Outcome::HttpError);
        assert!(rows.len() > 3, "{load}: {} rows", rows.len());
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn who_hangs_up_before_it_is_asked_is_a_reset_and_no_timeout() {
    for load in &LOADS[..2] {
        let server = Server::raw(hold);
        let rows = run(&stage(load), &server.url);
        assert_all(&rows, Outcome::Reset);
        assert!(rows.len() > 3, "{load}: {} rows", rows.len());
    }
}

#[test]
fn an_answer_and_an_end_in_the_midst_of_a_long_request_is_that_answer() {
    let too_large = b"HTTP/1.1 413 Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    for (answer, outcome) in [(&too_large[..], Outcome::HttpError), (b"", Outcome::Reset)] {
        let server = Server::raw(move |mut stream| {
            let _ = stream.read(&mut [0; 512]);
            let _ = stream.write_all(answer);
            // The answer is on its way before the unread rest of the request makes a reset of the end.
            std::thread::sleep(Duration::from_millis(20));
            if answer.is_empty() {
                reset_at_the_end(&stream);
            }
        });
        let mut plan = stage(LOADS[0]);
        plan.request.bodies = vec!["x".repeat(8 << 20)];
        assert_all(&run(&plan, &server.url), outcome);
    }
}
