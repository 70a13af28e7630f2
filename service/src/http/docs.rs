//! The API's description, for programs and for people; every byte of it is in this binary.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use http::{HeaderName, HeaderValue, StatusCode, header};
use utoipa::OpenApi;
use utoipa_swagger_ui::Config;

use super::{AppState, routes};
use crate::answer;
use crate::error::Error;
use crate::predict;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Iris prediction API",
        description = "Predicts the species of an iris flower from four measurements in centimetres. Every request leaves a trace."
    ),
    tags(
        (name = "predict", description = "One flower, or several"),
        (name = "open inference protocol v2", description = "The same for KServe and Triton clients"),
        (name = "probes", description = "For whoever runs the service"),
    ),
    paths(
        predict::predict,
        predict::predict_batch,
        super::health::livez,
        super::health::readyz,
        super::health::healthz,
        super::metrics::scrape,
        super::health::v2_server,
        super::health::v2_live,
        super::health::v2_ready,
        predict::open_inference::metadata,
        predict::open_inference::ready,
        predict::open_inference::infer,
    )
)]
struct Description;

static OPENAPI: LazyLock<String> =
    LazyLock::new(|| Description::openapi().to_json().unwrap_or_default());

static PAGE: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    // Relative, so that the page works behind a proxy that adds a prefix; and no validator badge,
    // which would send the description's address to a server on the internet.
    let config = Config::new(["../openapi.json"]).validator_url("none");
    Arc::new(
        config
            .use_base_layout()
            .try_it_out_enabled(true)
            .display_request_duration(true),
    )
});

/// Nothing from anywhere else: a page that reached for the internet would be seen to fail.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:",
);

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route(routes::OPENAPI, get(openapi))
        .route(routes::DOCS, get(|| async { Redirect::permanent("docs/") }))
        .route(routes::DOCS_PAGE, get(|| async { asset("index.html") }))
        .route(
            routes::DOCS_ASSET,
            get(|Path(path): Path<String>| async move { asset(&path) }),
        )
}

async fn openapi() -> Response {
    answer::json(StatusCode::OK, OPENAPI.as_str())
}

fn asset(path: &str) -> Response {
    let Ok(Some(file)) = utoipa_swagger_ui::serve(path, PAGE.clone()) else {
        return Error::NotFound("Not Found".into()).into_response();
    };
    let mut response = Response::new(Body::from(file.bytes.into_owned()));
    let headers = response.headers_mut();
    if let Ok(content_type) = HeaderValue::from_str(&file.content_type) {
        headers.insert(header::CONTENT_TYPE, content_type);
    }
    if file.gzpipped {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(
        HeaderName::from_static("x-content-type-options"),
        HeaderValue::from_static("nosniff"),
    );
    response
}
