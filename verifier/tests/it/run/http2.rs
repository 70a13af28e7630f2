//! HTTP/2 end to end: the real service, which speaks HTTP/1.1, behind a gateway that speaks HTTP/2.

use super::*;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::server::conn::http2;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;

/// Passes each request on, in a connection of its own; what goes wrong is a 502.
async fn pass_on(
    request: Request<Incoming>,
    service: SocketAddr,
) -> Result<Response<Full<Bytes>>, Infallible> {
    use http_body_util::BodyExt;
    let ask = async {
        let stream = tokio::net::TcpStream::connect(service).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let (head, body) = request.into_parts();
        let mut onward = Request::new(Full::new(body.collect().await?.to_bytes()));
        *onward.method_mut() = head.method;
        *onward.uri_mut() = head.uri.path().parse()?;
        *onward.headers_mut() = head.headers;
        onward.headers_mut().insert("host", "iris".parse()?);
        let answer = sender.send_request(onward).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        anyhow::Ok(Response::builder().status(status).body(Full::new(body))?)
    };
    let failed = |_| {
        Response::builder()
            .status(502)
            .body(Full::default())
            .unwrap()
    };
    Ok(ask.await.unwrap_or_else(failed))
}

/// Its URL; it runs until the test's process ends.
fn gateway(service: SocketAddr) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let respond = hyper::service::service_fn(move |request| pass_on(request, service));
                let server = http2::Builder::new(TokioExecutor::new());
                tokio::spawn(server.serve_connection(TokioIo::new(stream), respond));
            }
        });
    });
    url
}

#[test]
fn every_trace_is_there_over_http_2_too() {
    let folder = TempDir::new().unwrap();
    let otlp = format!("127.0.0.1:{}", free_port());
    let endpoint = format!("http://{otlp}");
    let service = Service::start(&folder, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)]);
    let url = gateway(service.url.trim_start_matches("http://").parse().unwrap());
    let plan = plan(
        &folder,
        "name = 'http2'
         thresholds = ['error_rate==0', 'coverage==1']
         [[stage]]\nname = 'closed'\nkind = 'connections'\nconnections = 4\nduration = '1s'
         [[stage]]\nname = 'open'\nkind = 'rate'\nrate = 200\nconnections = 2\nduration = '1s'\n",
    );
    let addresses = ["--otlp-grpc", &otlp, "--otlp-http", "127.0.0.1:0"];
    let args = [&[&plan, "--http2", "--url", &url], &addresses[..]].concat();
    let output = run(&folder, &args);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let verdict = verdict(&folder);
    assert_complete(&verdict);
    let planned = |stage: usize| verdict["stages"][stage]["exchanges"]["planned"].as_u64();
    assert!(planned(0) > Some(4), "{verdict}");
    assert_eq!(planned(1), Some(200));
    let written = fs::read_to_string(run_folder(&folder).join("plan.toml")).unwrap();
    assert!(written.contains("http = \"2\""), "{written}");
}

#[test]
fn who_speaks_only_http_1_is_said_on_the_terminal() {
    let folder = TempDir::new().unwrap();
    let output = run(&folder, &["quick", "--http2"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("--url"), "{}", text(&output));
    let service = Service::start(&folder, &[]);
    let output = run_at(
        &folder,
        &service.url,
        &["quick", "--http2", "--duration", "1s"],
    );
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.contains("HTTP/2's greeting"), "{told}");
}
