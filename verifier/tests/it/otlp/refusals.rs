//! What is no export, or too much of one, is refused with advice, and nothing of it is recorded.

use super::*;

#[tokio::test]
async fn http_requests_that_are_none_of_ours_are_refused_with_advice() {
    let receiving = Receiving::start();
    let http = receiving.http();
    let message = plain(receiving.key, 0..3);
    let json: (&str, &[u8]) = ("content-type", b"application/json");
    let gzip_encoding: (&str, &[u8]) = ("content-encoding", b"gzip");
    let snappy: (&str, &[u8]) = ("content-encoding", b"snappy");
    // Each cut character of the answer's text would be three bytes.
    let mut odd = [0xff; 60];
    odd[0] = b'x';
    let odd: (&str, &[u8]) = ("content-encoding", &odd);
    let torn = &gzip(&message)[..20];
    let (post, get) = (Method::POST, Method::GET);
    type Case<'a> = (
        Method,
        &'a str,
        &'a [(&'a str, &'a [u8])],
        &'a [u8],
        u16,
        &'a str,
    );
    let cases: [Case<'_>; 11] = [
        (
            post.clone(),
            "/v1/metrics",
            &[PROTOBUF],
            &message,
            404,
            "only traces are taken here, at /v1/traces",
        ),
        (post.clone(), "/", &[PROTOBUF], &message, 404, "/v1/traces"),
        (get.clone(), "/v1/traces", &[PROTOBUF], &[], 405, "POST"),
        (get, "/v1/traces", &[], &[], 405, "POST"),
        (
            post.clone(),
            "/v1/traces",
            &[json],
            b"{\"resourceSpans\":[]}",
            415,
            "OTEL_EXPORTER_OTLP_PROTOCOL",
        ),
        (
            post.clone(),
            "/v1/traces",
            &[],
            &message,
            415,
            "http/protobuf",
        ),
        (
            post.clone(),
            "/v1/traces",
            &[PROTOBUF, snappy],
            &message,
            415,
            "use gzip or none",
        ),
        (
            post.clone(),
            "/v1/traces",
            &[PROTOBUF, odd],
            &message,
            415,
            "compression",
        ),
        (
            post.clone(),
            "/v1/traces",
            &[PROTOBUF],
            &message[..message.len() - 1],
            400,
            "malformed protobuf",
        ),
        (
            post.clone(),
            "/v1/traces",
            &[PROTOBUF, gzip_encoding],
            torn,
            400,
            "broken gzip",
        ),
        (
            post,
            "/v1/traces",
            &[PROTOBUF, gzip_encoding],
            &message,
            400,
            "broken gzip",
        ),
    ];
    let count = cases.len() as u64;
    for (method, path, headers, body, status, advice) in cases {
        let what = format!("{method} {path} {headers:?}");
        let answer = send(http, method, path, headers, Bytes::copy_from_slice(body)).await;
        assert_eq!(answer.status.as_u16(), status, "{what}");
        let why = answer.http_refusal();
        assert!(why.contains(advice), "{what}: {why}");
    }
    let (books, recorded) = receiving.stop();
    assert_eq!(
        (
            books.requests,
            books.refused_requests,
            books.malformed_spans
        ),
        (0, count, 0)
    );
    assert_eq!(books.refused_examples.len(), 5, "{books:?}");
    assert!(recorded.spans.is_empty());
}

#[tokio::test]
async fn grpc_calls_that_are_none_of_ours_are_refused_with_the_right_status() {
    let receiving = Receiving::start();
    let message = plain(receiving.key, 0..3);
    let whole = frame(0, &message);
    let metrics = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
    let longer = [&whole[..], b"x"].concat();
    let cases: [(&str, &str, &[u8], &str, &str); 12] = [
        (metrics, "identity", &whole, "12", "only the trace service"),
        (
            "/v1/traces",
            "identity",
            &whole,
            "12",
            "only the trace service",
        ),
        (
            EXPORT,
            "identity",
            &frame(0, &message[..message.len() - 1]),
            "3",
            "malformed protobuf",
        ),
        (EXPORT, "identity", &[], "13", "torn"),
        (EXPORT, "identity", &whole[..4], "13", "torn"),
        (EXPORT, "identity", &whole[..whole.len() - 1], "13", "torn"),
        (EXPORT, "identity", &longer, "13", "torn"),
        (EXPORT, "identity", &frame(2, &message), "13", "torn"),
        (EXPORT, "gzip", &frame(1, &message), "3", "broken gzip"),
        (
            EXPORT,
            "identity",
            &frame(1, &gzip(&message)),
            "13",
            "does not say how",
        ),
        (
            EXPORT,
            "gzip",
            &frame(1, &gzip(&message)[..20]),
            "3",
            "broken gzip",
        ),
        (
            EXPORT,
            "zstd",
            &frame(1, &message),
            "12",
            "use gzip or none",
        ),
    ];
    // All on one connection: a refusal ends a stream, never the connection.
    let mut sender = connect2(receiving.grpc()).await;
    let count = cases.len() as u64;
    for (path, encoding, framed, code, why) in cases {
        let framed = Bytes::copy_from_slice(framed);
        let answer = call(&mut sender, path, encoding, framed).await.unwrap();
        let refusal = answer.grpc_refusal();
        assert!(
            refusal.0 == code && refusal.1.contains(why),
            "{path} {encoding}: {refusal:?}"
        );
    }
    let answer = call(&mut sender, EXPORT, "identity", whole).await.unwrap();
    answer.assert_taken_by_grpc();
    let (books, recorded) = receiving.stop();
    assert_eq!((books.requests, books.refused_requests), (1, count));
    assert_eq!(recorded.spans.len(), 3, "nothing of what was refused");
}

/// Most memory that this process has held so far.
fn peak_memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap();
    let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib << 10
}

#[tokio::test]
async fn a_gzip_bomb_is_refused_without_its_memory() {
    let receiving = Receiving::start();
    // Members of a gzip file concatenate: 1 GiB of zeros in 1 MiB.
    let bomb = Bytes::from(gzip(&vec![0; 16 << 20]).repeat(64));
    assert!(bomb.len() < 8 << 20);
    let before = peak_memory();
    let answer = post(receiving.http(), b"gzip", bomb.clone()).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(answer.http_refusal().contains("send smaller batches"));
    let mut sender = connect2(receiving.grpc()).await;
    let framed = frame(1, &bomb);
    let answer = call(&mut sender, EXPORT, "gzip", framed).await.unwrap();
    assert_eq!(
        answer.grpc_refusal(),
        ("8", "larger than 64 MiB: send smaller batches")
    );
    let grown = peak_memory() - before;
    assert!(grown < 5 * LARGEST_MESSAGE, "{} MiB", grown >> 20);
    let answer = call(
        &mut sender,
        EXPORT,
        "identity",
        frame(0, &plain(receiving.key, 0..1)),
    );
    answer.await.unwrap().assert_taken_by_grpc();
    let (books, _) = receiving.stop();
    assert_eq!((books.requests, books.refused_requests), (1, 2));
}

#[tokio::test]
async fn a_plain_message_that_is_too_large_is_refused() {
    let receiving = Receiving::start();
    let body = Bytes::from(vec![0; LARGEST_MESSAGE + (8 << 20)]);
    let mut sender = connect2(receiving.grpc()).await;
    let answer = call(&mut sender, EXPORT, "identity", body.clone())
        .await
        .unwrap();
    assert_eq!(answer.grpc_refusal().0, "8");
    let answer = post(receiving.http(), b"identity", body).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    let (books, _) = receiving.stop();
    assert_eq!((books.requests, books.refused_requests), (0, 2));
}

/// Who writes the whole body before it reads must find the answer then, not a connection that was reset.
#[test]
fn advice_reaches_senders_of_large_bodies() {
    let receiving = Receiving::start();
    let kinds = [
        ("application/json", 8 << 20, "415"),
        ("application/x-protobuf", LARGEST_MESSAGE + (8 << 20), "413"),
    ];
    for (kind, length, status) in kinds {
        for _ in 0..3 {
            let mut stream = TcpStream::connect(receiving.http()).unwrap();
            let head = format!(
                "POST /v1/traces HTTP/1.1\r\nhost: r\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&vec![0; length]).unwrap();
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).unwrap();
            assert_eq!(
                String::from_utf8_lossy(&answer),
                format!("HTTP/1.1 {status}")
            );
        }
    }
    let (books, _) = receiving.stop();
    assert_eq!((books.requests, books.refused_requests), (0, 6));
}
