//! Connections are limited, watched and, at the end, drained without cutting anyone off.

use std::{net::TcpListener, time::Duration};

use iris_prediction_api::{
    http::serve::{Listeners, ServeOptions},
    telemetry::Recorder,
};

use crate::{
    server::{Client, Server, options, trace_options, wait_for},
    telemetry_faults::wait_until,
};

fn start(options: ServeOptions) -> Server {
    Server::start(Recorder::disabled(), trace_options(), options)
}

#[test]
fn a_request_under_way_is_finished_and_its_connection_closed() {
    let server = start(options());
    let (reached, go, draining) = (
        server.reached.clone(),
        server.go.clone(),
        server.draining.clone(),
    );
    let mut client = server.connect();
    client.write("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
    wait_for(&reached);
    let address = server.address;
    let ended = server.begin_stop();
    wait_for(&draining);
    wait_until(|| std::net::TcpStream::connect(address).is_err());
    go.notify_one();
    let answer = client.read().unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "slow"));
    assert!(
        answer.head.contains("connection: close\r\n"),
        "{}",
        answer.head
    );
    assert!(client.read().is_none());
    assert_eq!(ended.join().unwrap().unwrap().aborted_connections, 0);
}

#[test]
fn clients_in_keep_alive_are_asked_to_leave_and_idle_ones_closed() {
    let server = start(options());
    let mut idle = server.connect();
    let mut active = server.connect();
    assert_eq!(idle.predict("").status, 200);
    assert_eq!(active.predict("").status, 200);
    let draining = server.draining.clone();
    let address = server.address;
    let ended = server.begin_stop();
    wait_for(&draining);
    wait_until(|| std::net::TcpStream::connect(address).is_err());
    assert!(active.predict("").head.contains("connection: close\r\n"));
    assert!(idle.read().is_none());
    assert_eq!(ended.join().unwrap().unwrap().aborted_connections, 0);
}

#[test]
fn during_the_drain_delay_requests_are_served() {
    let server = start(ServeOptions {
        drain_delay: Duration::from_millis(300),
        ..options()
    });
    let (draining, address) = (server.draining.clone(), server.address);
    let ended = server.begin_stop();
    wait_for(&draining);
    assert_eq!(Client::connect(address).predict("").status, 200);
    ended.join().unwrap().unwrap();
}

#[test]
fn a_drain_ends_at_its_deadline() {
    let server = start(ServeOptions {
        drain_timeout: Duration::from_millis(200),
        ..options()
    });
    let mut client = server.connect();
    client.write("GET /forever HTTP/1.1\r\nHost: x\r\n\r\n");
    wait_for(&server.reached);
    assert_eq!(server.stop().aborted_connections, 1);
    assert!(client.read().is_none());
}

#[test]
fn too_many_connections_are_told_so() {
    let server = start(ServeOptions {
        max_connections: 2,
        ..options()
    });
    let mut kept: Vec<Client> = (0..2).map(|_| server.connect()).collect();
    for client in &mut kept {
        assert_eq!(client.predict("").status, 200);
    }
    let answer = server.connect().read().unwrap();
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (503, r#"{"detail":"too many connections"}"#)
    );
    kept.pop();
    wait_until(|| {
        let mut client = server.connect();
        client.write("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n");
        client.read().is_some_and(|answer| answer.status == 200)
    });
    assert!(server.stop().refused_connections >= 1);
}

#[test]
fn a_head_that_takes_too_long_is_cut_off_and_an_idle_connection_is_not() {
    let server = start(ServeOptions {
        header_read_timeout: Duration::from_millis(250),
        ..options()
    });
    let mut idle = server.connect();
    assert_eq!(idle.predict("").status, 200);
    let mut slow = server.connect();
    slow.write("POST /predict HTTP/1.1\r\nHost:");
    assert!(slow.read().is_none());
    let mut silent = server.connect();
    assert!(silent.read().is_none());
    assert_eq!(idle.predict("").status, 200);
    server.stop();
}

#[test]
fn idle_and_stalled_connections_have_limits_of_their_own() {
    let limit = Duration::from_millis(250);
    let server = start(ServeOptions {
        idle_timeout: limit,
        ..options()
    });
    let mut idle = server.connect();
    assert_eq!(idle.predict("").status, 200);
    assert!(idle.read().is_none());
    server.stop();

    let server = start(ServeOptions {
        stall_timeout: limit,
        ..options()
    });
    let mut stalled = server.connect();
    stalled.write("POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf");
    assert!(stalled.read().is_none());
    let observed = server.observed.clone();
    wait_until(|| !observed.lock().unwrap().is_empty());
    server.stop();
}

#[test]
fn a_given_listener_is_shared_by_all_workers() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let listeners = Listeners::share(listener, 3).unwrap();
    assert_eq!(listeners.address(), address);
    // Port 0 is replaced by a real port that all workers share.
    let bound = Listeners::bind("127.0.0.1:0".parse().unwrap(), 3).unwrap();
    assert_ne!(bound.address().port(), 0);
}

#[test]
fn a_taken_address_is_an_error() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    assert!(Listeners::bind(other.local_addr().unwrap(), 1).is_err());
}
