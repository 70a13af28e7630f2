//! A trace store in the test's process: it takes OTLP/HTTP, and gives what it was given as Tempo does and as Cloud Trace does.

use super::cloud_trace::{self, Units};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, TracesData};
use prost::Message;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

/// One trace's spans, each with who sent it.
pub type Trace = Vec<(Option<Resource>, Span)>;

/// How it behaves.
#[derive(Default)]
pub struct Store {
    /// By id.
    pub traces: Mutex<BTreeMap<Vec<u8>, Trace>>,
    /// Takes this trace of those that come, counted from 1, and does not keep it.
    pub loses: Option<usize>,
    /// Ids that came, in their order.
    pub seen: Mutex<Vec<Vec<u8>>>,
    /// Answers every read with this.
    pub refuses: Option<(StatusCode, &'static str)>,
    /// Tempo has a trace, and can not give it.
    pub broken: bool,
    /// Cloud Trace's read quota.
    pub units: Units,
}

impl Store {
    /// Serves until the test's process ends; gives its address.
    pub fn serve(self: &Arc<Store>) -> String {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        listener.set_nonblocking(true).unwrap();
        let store = Arc::clone(self);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(store.accept(listener));
        });
        url
    }

    async fn accept(self: Arc<Store>, listener: std::net::TcpListener) {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        while let Ok((stream, _)) = listener.accept().await {
            let store = Arc::clone(&self);
            tokio::spawn(async move {
                let answer = service_fn(|request| store.answer(request));
                let _ = http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), answer)
                    .await;
            });
        }
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let (status, body) = if head.method == Method::POST {
            self.export(&body);
            (StatusCode::OK, Bytes::new())
        } else if let Some((status, why)) = self.refuses {
            (status, Bytes::from(why))
        } else if let Some(asked) = head.uri.path().strip_prefix("/v1/projects/p/traces") {
            assert!(head.headers.get(http::header::AUTHORIZATION).is_none());
            let query = head.uri.query().unwrap_or_default();
            cloud_trace::answer(&self.traces.lock().unwrap(), &self.units, asked, query)
        } else {
            self.tempo(head.uri.path(), head.headers.get(http::header::ACCEPT))
        };
        let answer = Response::builder()
            .status(status)
            .body(Full::new(body))
            .unwrap();
        Ok(answer)
    }

    fn export(&self, body: &[u8]) {
        let request = ExportTraceServiceRequest::decode(body).unwrap();
        let mut traces = self.traces.lock().unwrap();
        let mut seen = self.seen.lock().unwrap();
        for of_resource in request.resource_spans {
            let scopes = of_resource.scope_spans.into_iter();
            for span in scopes.flat_map(|scope| scope.spans) {
                let number = match seen.iter().position(|id| *id == span.trace_id) {
                    Some(place) => place + 1,
                    None => {
                        seen.push(span.trace_id.clone());
                        seen.len()
                    }
                };
                if self.loses != Some(number) {
                    let trace = traces.entry(span.trace_id.clone()).or_default();
                    trace.push((of_resource.resource.clone(), span));
                }
            }
        }
    }

    /// Ids of the traces that it took and does not have.
    pub fn lost(&self) -> Vec<String> {
        let (seen, traces) = (self.seen.lock().unwrap(), self.traces.lock().unwrap());
        let lost = seen.iter().filter(|id| !traces.contains_key(*id));
        lost.map(|id| hex(id)).collect()
    }

    fn tempo(&self, path: &str, accept: Option<&http::HeaderValue>) -> (StatusCode, Bytes) {
        if path == "/api/echo" {
            return (StatusCode::OK, Bytes::from_static(b"echo"));
        }
        let Some(id) = path.strip_prefix("/api/traces/") else {
            return (StatusCode::BAD_REQUEST, Bytes::new());
        };
        assert_eq!(accept.unwrap(), "application/protobuf");
        if self.broken {
            return (StatusCode::INTERNAL_SERVER_ERROR, "no ingester".into());
        }
        let traces = self.traces.lock().unwrap();
        let Some((_, trace)) = traces.iter().find(|(known, _)| hex(known) == id) else {
            return (StatusCode::NOT_FOUND, Bytes::new());
        };
        let of_resource = |(resource, span): &(Option<Resource>, Span)| ResourceSpans {
            resource: resource.clone(),
            scope_spans: vec![ScopeSpans {
                spans: vec![span.clone()],
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        };
        let data = TracesData {
            resource_spans: trace.iter().map(of_resource).collect(),
        };
        (StatusCode::OK, data.encode_to_vec().into())
    }
}

pub fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}
