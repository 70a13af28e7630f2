//! Servers of HTTP/2 that do not do as they should, and servers of other protocols: each planned request ends in
//! exactly one row with the right outcome, and the run ends on time.

use super::super::server::{Server, answer_ok};
use super::*;
use h2::Reason;
use http::HeaderMap;
use std::io::Read;

/// Stages last 300 ms, and so does the request timeout; the rest is for a busy machine.
const LATEST_END: Duration = Duration::from_secs(10);

fn drive2(plan: &Plan, url: &str) -> Recorded {
    let begun = Instant::now();
    let recorded = drive(plan, url, 1, &CancellationToken::new());
    assert!(begun.elapsed() < LATEST_END, "{:?}", begun.elapsed());
    recorded
}

/// The server's doings and the only outcome under every load.
fn all_end_as(
    act: impl Fn() -> Act,
    plan: impl Fn(&str) -> Plan,
    outcome: Outcome,
) -> Vec<Http2Server> {
    let servers = LOADS.map(|load| {
        let act = act();
        let server = Http2Server::start(move |_| act.clone());
        let recorded = drive2(&plan(load), &server.url());
        assert_all(&recorded.exchanges, outcome);
        server
    });
    servers.into()
}

#[test]
fn a_server_that_never_answers_has_its_streams_reset_and_its_connections_kept() {
    for server in all_end_as(|| Act::Never, plan2, Outcome::Timeout) {
        assert_eq!(server.opened(), 3);
        assert!(server.seen.cancelled.load(SeqCst) > 0);
    }
}

#[test]
fn a_connection_without_a_sign_of_life_is_made_anew() {
    // SETTINGS, and not a byte more: not even the answer to a ping.
    let server = Server::raw(|mut stream| {
        stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).unwrap();
        while stream.read(&mut [0; 999]).is_ok_and(|n| n > 0) {}
    });
    for load in [CLOSED, "kind = 'rate'\nrate = 100\nconnections = 1"] {
        let mut plan = plan2(load);
        plan.stages[0].duration = Duration::from_millis(1500);
        let before = server.seen().1;
        let recorded = drive2(&plan, &server.url);
        assert_all(&recorded.exchanges, Outcome::Timeout);
        let opened = server.seen().1 - before;
        let connections = plan.stages[0].load.connections() as usize;
        assert!(
            opened > connections && opened <= 5 * connections,
            "{load}: {opened}"
        );
    }
}

#[test]
fn a_reset_stream_is_a_reset_and_costs_no_connection() {
    for reason in [
        Reason::INTERNAL_ERROR,
        Reason::REFUSED_STREAM,
        Reason::NO_ERROR,
    ] {
        for server in all_end_as(|| Act::Reset(reason), patient2, Outcome::Reset) {
            assert_eq!(server.opened(), 3, "{reason}");
        }
    }
}

#[test]
fn statuses_are_as_over_http_1() {
    for (status, outcome) in [
        (204, Outcome::Ok),
        (302, Outcome::Ok),
        (503, Outcome::HttpError),
        (700, Outcome::Reset),
    ] {
        all_end_as(|| Act::Answer(status, Bytes::new()), patient2, outcome);
    }
}

#[test]
fn a_server_that_says_goodbye_is_connected_to_again() {
    for load in LOADS {
        let script = |number| {
            if number % 10 == 9 {
                Act::Goodbye
            } else {
                answer()
            }
        };
        let server = Http2Server::start(script);
        let recorded = drive2(&patient2(load), &server.url());
        let counts = outcomes(&recorded.exchanges);
        // What was under way when the last word came was not processed; a closed loop has nothing under way then.
        let ok = counts[&Outcome::Ok];
        assert!(
            ok + counts.get(&Outcome::Reset).unwrap_or(&0) == recorded.exchanges.len(),
            "{counts:?}"
        );
        assert!(load == OPEN || counts.len() == 1, "{load}: {counts:?}");
        let seen: BTreeSet<String> = traceparents(&server).into_iter().collect();
        for row in recorded
            .exchanges
            .iter()
            .filter(|row| row.outcome == Outcome::Ok)
        {
            let traceparent = recorded.key.traceparent(row.seq).to_vec();
            assert!(seen.contains(&String::from_utf8(traceparent).unwrap()));
        }
        assert!(
            load == USERS || server.opened() > 3,
            "{load}: {}",
            server.opened()
        );
    }
}

#[test]
fn a_connection_that_breaks_resets_what_it_carried_and_is_made_anew() {
    for (load, act) in LOADS
        .into_iter()
        .flat_map(|load| [(load, Act::Abort), (load, Act::Drop)])
    {
        let script = move |number| if number == 3 { act.clone() } else { answer() };
        let server = Http2Server::start(script);
        let recorded = drive2(&patient2(load), &server.url());
        let counts = outcomes(&recorded.exchanges);
        assert!(
            counts.contains_key(&Outcome::Ok) && counts.contains_key(&Outcome::Reset),
            "{load}: {counts:?}"
        );
        assert_eq!(counts.len(), 2, "{load}: {counts:?}");
        assert!(server.opened() > 3, "{load}: {}", server.opened());
    }
}

#[test]
fn a_server_that_drops_each_connection_is_not_stormed() {
    let server = Server::raw(|mut stream| {
        let _ = stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]);
    });
    for load in LOADS {
        let before = server.seen().1;
        let recorded = drive2(&plan2(load), &server.url);
        let counts = outcomes(&recorded.exchanges);
        assert!(!counts.contains_key(&Outcome::Ok), "{load}: {counts:?}");
        let opened = server.seen().1 - before;
        assert!(opened < 500, "{load}: {opened} connections in 300 ms");
    }
}

#[test]
fn an_oversized_head_is_a_reset_and_a_body_without_end_a_timeout() {
    let oversized = || {
        let mut fields = HeaderMap::new();
        for number in 0..10 {
            let name = http::HeaderName::try_from(format!("x-{number}")).unwrap();
            fields.insert(name, "x".repeat(8 << 10).try_into().unwrap());
        }
        Act::Head(fields)
    };
    all_end_as(oversized, patient2, Outcome::Reset);
    all_end_as(|| Act::Forever, plan2, Outcome::Timeout);
}

#[test]
fn an_answer_before_the_whole_request_is_an_answer() {
    let server = Http2Server::start(|_| Act::Early(413));
    let mut plan = patient2(CLOSED);
    plan.request.bodies = vec!["x".repeat(8 << 20)];
    assert_all(&drive2(&plan, &server.url()).exchanges, Outcome::HttpError);
    assert_eq!(
        server.opened(),
        3,
        "the rest of the request goes no further"
    );
}

#[test]
fn who_speaks_only_http_1_is_given_up_with_the_reason() {
    let server = Server::start(answer_ok);
    for load in LOADS {
        let mut plan = patient2(load);
        plan.stages[0].duration = Duration::from_secs(60);
        let recorded = drive2(&plan, &server.url);
        let error = target_failed(&recorded).unwrap();
        assert!(
            error.contains("HTTP/1.1 200 OK") && error.contains("--http2"),
            "{error}"
        );
        let counts = outcomes(&recorded.exchanges);
        let never_sent = |o: &Outcome| matches!(o, Outcome::ConnectError | Outcome::Unsent);
        assert!(counts.keys().all(never_sent), "{counts:?}");
        assert!(
            counts.contains_key(&Outcome::ConnectError),
            "{load}: {counts:?}"
        );
    }
}

#[test]
fn who_says_nothing_or_hangs_up_is_given_up_after_a_while() {
    let silent = Server::raw(|mut stream| while stream.read(&mut [0; 999]).is_ok_and(|n| n > 0) {});
    let gone = Server::raw(drop);
    for url in [&silent.url, &gone.url] {
        let soon = target_failed(&drive2(&plan2(CLOSED), url)).unwrap();
        assert!(soon.contains("greeting"), "{soon}");
        let mut plan = plan2(CLOSED);
        plan.stages[0].duration = Duration::from_secs(60);
        let recorded = drive2(&plan, url);
        let error = target_failed(&recorded).unwrap();
        assert!(
            error.contains("greeting") && error.contains("HTTP/1.1"),
            "{error}"
        );
        assert_all(&recorded.exchanges, Outcome::ConnectError);
        assert!(
            recorded.exchanges.len() < 500,
            "{}",
            recorded.exchanges.len()
        );
    }
}

#[test]
fn cancelled_it_ends_soon_and_what_was_planned_has_its_rows() {
    for load in LOADS {
        let cancel = CancellationToken::new();
        let stop = cancel.clone();
        let server = Http2Server::start(move |number| {
            if number == 5 {
                stop.cancel();
            }
            if number < 5 { answer() } else { Act::Never }
        });
        let mut plan = plan2(load);
        plan.stages[0].duration = Duration::from_secs(60);
        let begun = Instant::now();
        let recorded = drive(&plan, &server.url(), 2, &cancel);
        assert!(begun.elapsed() < LATEST_END);
        let counts = outcomes(&recorded.exchanges);
        assert!(
            counts[&Outcome::Ok] > 0 && counts[&Outcome::Timeout] > 0,
            "{counts:?}"
        );
    }
}

/// A frame: its type, flags and stream, with a payload of that length.
fn frame(kind: u8, flags: u8, stream: u8, length: u8) -> Vec<u8> {
    let head = [0, 0, length, kind, flags, 0, 0, 0, stream];
    [&head[..], &vec![0; usize::from(length)]].concat()
}

#[test]
fn floods_of_frames_end_in_rows_and_on_time() {
    let floods = [
        ("SETTINGS", frame(4, 0, 0, 0)),
        ("PING", frame(6, 0, 0, 8)),
        ("WINDOW_UPDATE of nothing", frame(8, 0, 0, 4)),
        ("DATA of a stream of nobody", frame(0, 0, 9, 200)),
        ("DATA of our stream, without a head", frame(0, 0, 1, 200)),
        (
            "HEADERS that do not end",
            [frame(1, 0, 1, 0), frame(9, 0, 1, 100)].concat(),
        ),
        ("CONTINUATION of nothing", frame(9, 0, 1, 100)),
        ("RST_STREAM", frame(3, 0, 1, 4)),
        ("an unknown type", frame(77, 255, 1, 100)),
        ("noise", vec![0xa5; 1000]),
    ];
    for (what, flood) in floods {
        let many = flood.repeat(64);
        let server = Server::raw(move |mut stream| {
            let _ = stream.write_all(&frame(4, 0, 0, 0));
            let mut preface = [0; 24];
            let _ = stream.read_exact(&mut preface);
            while stream.write_all(&many).is_ok() {
                std::thread::yield_now();
            }
        });
        for load in [CLOSED, OPEN] {
            let recorded = drive2(&plan2(load), &server.url);
            let counts = outcomes(&recorded.exchanges);
            assert!(!counts.is_empty(), "{what}, {load}");
            assert!(
                !counts.contains_key(&Outcome::Ok),
                "{what}, {load}: {counts:?}"
            );
        }
    }
}
