//! Probes, before and during shutdown.

use super::{SETOSA, get, router, send, state};
use axum::body::Body;
use http::{Request, StatusCode};

#[tokio::test]
async fn a_service_that_can_predict_is_ready() {
    insta::assert_snapshot!(get("/readyz").await.shown());
    assert_eq!(get("/livez").await.status, StatusCode::OK);
    let health = get("/healthz").await.json();
    assert_eq!(
        (&health["status"], &health["ready"]),
        (&"alive".into(), &true.into())
    );
}

#[tokio::test]
async fn while_draining_it_is_alive_and_serves_but_is_not_ready() {
    let state = state();
    state.readiness.drain();
    let ask = |request: Request<Body>| send(router(state), request);
    let get = |path: &str| ask(Request::get(path).body(Body::empty()).unwrap());
    let unready = get("/readyz").await;
    assert_eq!(unready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(unready.json()["status"], "draining");
    assert_eq!(
        get("/v2/health/ready").await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    for path in ["/livez", "/healthz", "/v2/health/live"] {
        assert_eq!(get(path).await.status, StatusCode::OK, "{path}");
    }
    assert_eq!(get("/healthz").await.json()["reason"], "draining");
    let predict = Request::post("/predict").body(Body::from(SETOSA)).unwrap();
    assert_eq!(ask(predict).await.status, StatusCode::OK);
}
