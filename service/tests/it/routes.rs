//! The template that spans and metrics name is the one that the router matched.

use super::{Answer, send, state};
use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{Next, from_fn};
use iris_prediction_api::http::router;
use iris_prediction_api::http::routes::route_of;
use proptest::prelude::*;

/// The template by which the router serves `path`.
async fn matched(path: &str) -> Option<String> {
    let tell = |request: Request, next: Next| async move {
        let matched = request
            .extensions()
            .get::<MatchedPath>()
            .map(|path| path.as_str().to_owned());
        let mut response = next.run(request).await;
        if let Some(matched) = matched {
            response
                .headers_mut()
                .insert("x-matched", matched.parse().unwrap());
        }
        response
    };
    let request = http::Request::get(path).body(Body::empty()).unwrap();
    let Answer { headers, .. } = send(router(state()).layer(from_fn(tell)), request).await;
    headers
        .get("x-matched")
        .map(|matched| matched.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn every_path_has_the_template_that_the_router_matches() {
    let mut found = std::collections::BTreeSet::new();
    for path in [
        "/predict",
        "/predict/batch",
        "/livez",
        "/readyz",
        "/healthz",
        "/metrics",
        "/openapi.json",
        "/docs",
        "/docs/",
        "/docs/swagger-ui.css",
        "/docs/a/b",
        "/v2",
        "/v2/health/live",
        "/v2/health/ready",
        "/v2/models/iris",
        "/v2/models/rose/ready",
        "/v2/models/iris/infer",
        "/v2/models/iris/versions/1",
        "/v2/models/iris/versions/1/ready",
        "/v2/models/iris/versions/1/infer",
    ] {
        let route = route_of(path);
        assert!(route.is_some(), "{path}");
        assert_eq!(matched(path).await.as_deref(), route, "{path}");
        found.extend(route);
    }
    assert_eq!(found.len(), 19);
}

#[test]
fn paths_put_together_at_random_agree_too() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    const WORDS: [&str; 13] = [
        "", "predict", "batch", "docs", "v2", "models", "iris", "versions", "ready", "infer",
        "health", "live", "x",
    ];
    let path = prop::collection::vec(prop::sample::select(&WORDS[..]), 1..7);
    proptest!(ProptestConfig::with_cases(200), |(segments in path)| {
        let path = format!("/{}", segments.join("/"));
        let matched = runtime.block_on(matched(&path));
        prop_assert_eq!(matched.as_deref(), route_of(&path), "{}", path);
    });
}
