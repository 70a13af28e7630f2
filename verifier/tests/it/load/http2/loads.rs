//! Every kind of load over HTTP/2, at servers that do as they should.

use super::*;
use h2::server::Builder;

#[test]
fn each_request_has_its_row_and_its_own_trace() {
    for (load, workers) in LOADS.into_iter().zip([1, 3, 2]) {
        let server = Http2Server::start(|_| answer());
        let cancel = CancellationToken::new();
        let recorded = drive(&patient2(load), &server.url(), workers, &cancel);
        assert_all(&recorded.exchanges, Outcome::Ok);
        let sent = recorded
            .exchanges
            .iter()
            .map(|row| String::from_utf8(recorded.key.traceparent(row.seq).to_vec()).unwrap());
        let seen = traceparents(&server);
        assert_eq!(seen.len(), recorded.exchanges.len(), "{load}");
        assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), sent.collect());
        assert_eq!(server.opened(), 3, "{load}: connections");
        for row in &recorded.exchanges {
            let moments = [row.intended_ns, row.sent_ns, row.first_byte_ns, row.done_ns];
            assert!(moments.is_sorted() && row.intended_ns != 0, "{row:?}");
            assert_eq!((row.status, row.bytes), (200, answer_bytes(2)));
        }
        let connected = recorded
            .exchanges
            .iter()
            .filter(|row| row.connected_ns != 0);
        assert_eq!(
            connected.count(),
            if load == OPEN { 0 } else { 3 },
            "{load}"
        );
        let connections: BTreeSet<u32> = recorded.exchanges.iter().map(|r| r.connection).collect();
        assert_eq!(connections, (0..3).collect(), "{load}");
        let opened: u32 = recorded
            .journal
            .iter()
            .map(|entry| match entry.observation {
                Observation::Worker { opened, .. } => opened,
                _ => 0,
            })
            .sum();
        assert_eq!(opened, 3, "{load}");
    }
}

#[test]
fn a_connection_of_a_closed_loop_carries_one_request_at_a_time() {
    let server = Http2Server::start(|_| Act::Later(Duration::from_millis(10)));
    assert_all(&run(&patient2(CLOSED), &server.url()), Outcome::Ok);
    assert_eq!(server.seen.most_at_work.load(SeqCst), 3);
}

#[test]
fn an_open_loop_has_as_many_requests_in_flight_as_the_server_allows_and_the_rest_wait() {
    for (most, allowed) in [(1, Some(1)), (4, Some(4)), (20, None)] {
        let mut settings = Builder::new();
        if let Some(allowed) = allowed {
            settings.max_concurrent_streams(allowed);
        }
        // 20 requests in 200 ms, each of which takes longer than that.
        let server = Http2Server::with(&settings, None, |_| Act::Later(Duration::from_millis(400)));
        let mut plan = patient2("kind = 'rate'\nrate = 100\nconnections = 1");
        plan.stages[0].duration = Duration::from_millis(200);
        let rows = run(&plan, &server.url());
        assert_eq!(rows.len(), 20);
        assert_eq!(server.seen.most_at_work.load(SeqCst), most);
        assert_eq!(server.opened(), 1);
        // What waits is not said to be sent.
        for row in rows.iter().filter(|row| row.sent_ns != 0) {
            let at = |other: &&Exchange| {
                other.sent_ns != 0 && (other.sent_ns..other.done_ns).contains(&row.sent_ns)
            };
            assert!(rows.iter().filter(at).count() <= most, "{row:?}");
        }
        let ok: Vec<_> = rows.iter().filter(|r| r.outcome == Outcome::Ok).collect();
        let counts = outcomes(&rows);
        let others = counts
            .keys()
            .any(|o| !matches!(o, Outcome::Ok | Outcome::Unsent));
        assert!(!others, "{counts:?}");
        let last = ok.iter().max_by_key(|row| row.intended_ns).unwrap();
        let waited = last.latency_ns() > 2 * last.service_time_ns();
        assert!(
            if most == 20 {
                ok.len() == 20
            } else {
                ok.len() < 20 || waited
            },
            "{counts:?} {last:?}"
        );
        assert!(
            most != 4 || waited,
            "the wait for a stream is missing: {last:?}"
        );
    }
}

#[test]
fn connections_are_kept_fresh_or_rotated_as_the_plan_says() {
    for load in LOADS {
        let drive = |reuse: &str| {
            let server = Http2Server::start(|_| answer());
            let mut plan = patient2(&format!("{load}\n{reuse}"));
            plan.stages[0].duration = Duration::from_millis(800);
            let rows = run(&plan, &server.url());
            assert_all(&rows, Outcome::Ok);
            (rows, server.opened())
        };
        let (rows, opened) = drive("reuse = 'fresh'");
        assert_eq!(opened, rows.len(), "{load}");
        for row in rows {
            let connected = row.intended_ns <= row.connected_ns && row.connected_ns <= row.sent_ns;
            assert!(connected && row.connected_ns != 0, "{load}: {row:?}");
        }
        let (rows, opened) = drive("reuse = 'rotate'\nconnection_lifetime = '100ms'");
        assert!(
            opened > 6 && opened < rows.len() / 2,
            "{load}: {opened} of {}",
            rows.len()
        );
    }
}

#[test]
fn stages_and_tasks_follow_one_another() {
    let tasks = "
        [[stage]]\nname = 'two'\nkind = 'rate'\nrate = 200\nconnections = 2\nduration = '300ms'\n
        [[task]]\nname = 'predict'\nmethod = 'POST'\npath = '/predict'\nbodies = ['a', 'bc']\nheaders = { host = 'iris.example', X-Who = 'me' }\n
        [[task]]\nname = 'head'\nmethod = 'HEAD'\npath = '/docs?full=1'\n";
    let server = Http2Server::start(|_| answer());
    let mut plan = plan(&format!("{CLOSED}\nduration = '200ms'\n{tasks}"));
    plan.request.http = verifier::plan::Http::Two;
    plan.request.timeout = Duration::from_secs(5);
    let recorded = drive(&plan, &server.url(), 2, &CancellationToken::new());
    let requests = server.seen.requests.lock().unwrap();
    assert_eq!(requests.len(), recorded.exchanges.len());
    let by_trace: BTreeMap<_, _> = requests
        .iter()
        .map(|(head, body)| (head.headers()["traceparent"].as_bytes(), (head, body)))
        .collect();
    for row in &recorded.exchanges {
        let (head, body) = by_trace[&recorded.key.traceparent(row.seq)[..]];
        assert_eq!(row.outcome, Outcome::Ok);
        let uri = head.uri();
        match (row.task, row.seq % 2) {
            (0, turn) => {
                assert_eq!((head.method().as_str(), uri.path()), ("POST", "/predict"));
                assert_eq!(uri.authority().unwrap(), "iris.example");
                assert_eq!(head.headers()["x-who"], "me");
                assert!(!head.headers().contains_key("host"));
                let expected: &[u8] = if turn == 0 { b"a" } else { b"bc" };
                assert_eq!(body, expected);
                assert_eq!(head.headers()["content-length"], body.len().to_string());
            }
            _ => {
                assert_eq!(
                    (head.method().as_str(), uri.query()),
                    ("HEAD", Some("full=1"))
                );
                assert_eq!(
                    uri.authority().unwrap().as_str(),
                    server.url().trim_start_matches("http://")
                );
                assert!(body.is_empty() && !head.headers().contains_key("content-length"));
            }
        }
    }
    let stages: BTreeMap<u16, usize> =
        recorded
            .exchanges
            .iter()
            .fold(BTreeMap::new(), |mut n, row| {
                *n.entry(row.stage).or_default() += 1;
                n
            });
    assert_eq!(stages[&1], 60, "{stages:?}");
}

#[test]
fn large_bodies_go_through_the_windows_of_both_sides() {
    let body = Bytes::from(vec![b'x'; 3 << 20]);
    let sent = body.clone();
    let server = Http2Server::start(move |_| Act::Answer(200, sent.clone()));
    for load in [CLOSED, OPEN] {
        let mut plan = patient2(load);
        plan.request.bodies = vec!["y".repeat(3 << 20)];
        let rows = run(&plan, &server.url());
        assert_all(&rows, Outcome::Ok);
        assert!(rows.iter().all(|row| row.bytes == answer_bytes(body.len())));
    }
    let requests = server.seen.requests.lock().unwrap();
    assert!(
        requests
            .iter()
            .all(|(_, body)| body.len() == 3 << 20 && body.iter().all(|b| *b == b'y'))
    );
}
