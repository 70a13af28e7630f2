//! The outermost layer of every request: admits it (or answers 503 when its spans have no room),
//! gives it its place in a trace, and leaves one server span and one observation, whatever happens.

use std::{
    convert::Infallible, fmt, future::Future, net::SocketAddr, pin::Pin, sync::Arc, time::Duration,
};

use axum::{Router, body::Body};
use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::{body::Incoming, service::Service};
use tower::Service as _;

pub use super::description::Peer;
use super::{
    conventions::known_method,
    description::Head,
    server_span::{Outcome, ServerSpan},
    shortcut::{self, Shortcut},
    traceparent,
};
use crate::predict::Predictor;
use crate::telemetry::{Permit, Recorder, TraceState, now_unix_ns};

/// Counts requests as they begin and end; every `started` is followed by one `observe`.
pub trait Observe {
    /// A request has come in.
    fn started(&self) {}

    /// It has ended after `duration`, the same as its span's. `method` is from the conventions'
    /// list or `_OTHER`; `status` is `None` if the client went away before there was a response.
    fn observe(
        &self,
        method: &'static str,
        route: Option<&'static str>,
        status: Option<u16>,
        duration: Duration,
    );
}

impl<F: Fn(&'static str, Option<&'static str>, Option<u16>, Duration)> Observe for F {
    fn observe(
        &self,
        method: &'static str,
        route: Option<&'static str>,
        status: Option<u16>,
        duration: Duration,
    ) {
        self(method, route, status, duration);
    }
}

/// What the layer is told.
#[derive(Clone, Copy, Debug)]
pub struct TraceOptions {
    /// The route template that serves a path, e.g. `/v2/models/{model}/infer`.
    pub route_of: fn(&str) -> Option<&'static str>,
    /// Continue the caller's trace; if not, each request is the root of a new one.
    pub propagate: bool,
    /// Trace `/livez`, `/readyz`, `/healthz`, `/metrics` and the v2 health paths too.
    pub trace_probes: bool,
    /// Believe `X-Forwarded-Proto` and `X-Forwarded-For`; only behind a proxy that sets them.
    pub trust_forwarded: bool,
}

/// The layer; one per worker thread, so that requests share nothing with another core.
#[derive(Debug)]
pub struct Trace<O> {
    recorder: Recorder,
    options: TraceOptions,
    observe: O,
}

/// What a refused client is told.
const REFUSAL: &str =
    r#"{"detail":"the service cannot record this request's trace now; try again"}"#;

impl<O: Observe> Trace<O> {
    /// A layer that records with `recorder` and reports to `observe`.
    pub fn new(recorder: Recorder, options: TraceOptions, observe: O) -> Trace<O> {
        Trace {
            recorder,
            options,
            observe,
        }
    }

    pub(super) fn options(&self) -> &TraceOptions {
        &self.options
    }

    pub(super) fn recorder(&self) -> Recorder {
        self.recorder
    }

    pub(super) fn observer(&self) -> &O {
        &self.observe
    }

    /// Passes the request to `next` with its [`crate::telemetry::SpanContext`] among its extensions
    /// (absent if it is not traced) and, if there is one, the caller's [`TraceState`]. The span ends when `next` has answered: our bodies are whole
    /// by then, so there is no streaming that it would miss.
    pub async fn serve<B, F>(
        &self,
        peer: &Peer,
        mut request: Request<B>,
        next: impl FnOnce(Request<B>) -> F,
    ) -> Response<Body>
    where
        F: Future<Output = Response<Body>>,
    {
        let mut exchange = Exchange::begin(self, peer, &request);
        if let Some(span) = &exchange.span {
            let Ok(permit) = self.recorder.admit().await else {
                exchange.refused = true;
                exchange.status = Some(StatusCode::SERVICE_UNAVAILABLE);
                return refusal();
            };
            let extensions = request.extensions_mut();
            extensions.insert(span.context);
            if !span.trace_state.is_empty() {
                extensions.insert(TraceState(span.trace_state.clone()));
            }
            exchange.permit = Some(permit);
        }
        let response = next(request).await;
        exchange.status = Some(response.status());
        response
    }
}

/// The traced router as what [`super::serve::serve`] asks for one connection; with a predictor, that
/// is the one behind the router's `/predict`, and may be asked directly.
pub fn connection<O>(
    trace: Arc<Trace<O>>,
    router: Router,
    predictor: Option<&'static Predictor>,
    peer: SocketAddr,
) -> Traced<O> {
    // One count per request to share all of it, and it is this connection's own.
    Traced(Arc::new(OfConnection {
        trace,
        router,
        predictor,
        peer: peer.into(),
    }))
}

/// See [`connection`].
pub struct Traced<O>(Arc<OfConnection<O>>);

struct OfConnection<O> {
    trace: Arc<Trace<O>>,
    router: Router,
    predictor: Option<&'static Predictor>,
    peer: Peer,
}

impl<O> fmt::Debug for Traced<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Traced")
    }
}

impl<O: Observe + Send + Sync + 'static> Service<Request<Incoming>> for Traced<O> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let shared = self.0.clone();
        Box::pin(async move {
            let OfConnection {
                trace,
                router,
                peer,
                ..
            } = &*shared;
            // A router is always ready, and never fails.
            let next = |request| async {
                let Ok(response) = router.clone().call(request).await;
                response
            };
            Ok(trace.serve(peer, request, next).await)
        })
    }
}

impl<O: Observe> Shortcut for Traced<O> {
    fn answer(&self, received: &[u8], answer: &mut Vec<u8>) -> Option<usize> {
        let of = &*self.0;
        shortcut::answer(&of.trace, of.predictor?, &of.peer, received, answer)
    }
}

fn refusal() -> Response<Body> {
    let mut response = Response::new(Body::from(REFUSAL));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

fn is_probe(path: &str) -> bool {
    matches!(
        path,
        "/livez" | "/readyz" | "/healthz" | "/metrics" | "/v2/health/live" | "/v2/health/ready"
    )
}

/// One request under way. It ends when it is dropped: after its response, or because the client
/// went away and hyper dropped the work in the middle; so no way out of it loses the span.
struct Exchange<'a, O: Observe> {
    trace: &'a Trace<O>,
    method: &'static str,
    route: Option<&'static str>,
    start_unix_ns: u64,
    /// `None` for what is not traced.
    span: Option<ServerSpan>,
    refused: bool,
    status: Option<StatusCode>,
    /// Held until the span is recorded: fields are dropped after `drop` has run.
    permit: Option<Permit>,
}

impl<'a, O: Observe> Exchange<'a, O> {
    fn begin<B>(trace: &'a Trace<O>, peer: &Peer, request: &Request<B>) -> Exchange<'a, O> {
        let TraceOptions {
            route_of,
            propagate,
            trace_probes,
            trust_forwarded,
        } = trace.options;
        let start_unix_ns = now_unix_ns();
        trace.observe.started();
        let path = request.uri().path();
        let traced = trace.recorder.enabled() && (trace_probes || !is_probe(path));
        let route = route_of(path);
        Exchange {
            trace,
            method: known_method(request.method().as_str()),
            route,
            start_unix_ns,
            span: traced.then(|| {
                let parent = propagate.then(|| traceparent::parent(request.headers()));
                let head = Head::new(request, trust_forwarded);
                ServerSpan::new(&head, parent.flatten(), peer, route)
            }),
            refused: false,
            status: None,
            permit: None,
        }
    }
}

impl<O: Observe> Drop for Exchange<'_, O> {
    fn drop(&mut self) {
        let end = now_unix_ns().max(self.start_unix_ns);
        let status = self.status.map(|status| status.as_u16());
        if let Some(span) = &self.span {
            let error_type = match status {
                None => Some("client_disconnected"),
                Some(_) if self.refused => Some("span_buffer_full"),
                Some(_) => None,
            };
            let recorder = self.trace.recorder;
            // Refused, or gone while it waited: then the reserve pays.
            let admitted = self.permit.is_some();
            let times = (self.start_unix_ns, end);
            span.end(times, Outcome { status, error_type }, |span, shared| {
                recorder.record_described(span, shared, admitted);
            });
        }
        let duration = Duration::from_nanos(end - self.start_unix_ns);
        self.trace
            .observe
            .observe(self.method, self.route, status, duration);
    }
}
