//! The service's paths as templates, and the template that serves a given path: a span, a metric
//! and the router must mean the same by `/predict`.

/// Predict one flower.
pub const PREDICT: &str = "/predict";
/// Predict several.
pub const BATCH: &str = "/predict/batch";
/// Is the process alive?
pub const LIVEZ: &str = "/livez";
/// Is traffic welcome?
pub const READYZ: &str = "/readyz";
/// Both, in words.
pub const HEALTHZ: &str = "/healthz";
/// For Prometheus.
pub const METRICS: &str = "/metrics";
/// The API's description.
pub const OPENAPI: &str = "/openapi.json";
/// The API's description for people.
pub const DOCS: &str = "/docs";
/// Its page.
pub const DOCS_PAGE: &str = "/docs/";
/// Its scripts and styles.
pub const DOCS_ASSET: &str = "/docs/{*asset}";
/// Open Inference Protocol: the server.
pub const V2: &str = "/v2";
/// Open Inference Protocol: is the process alive?
pub const V2_LIVE: &str = "/v2/health/live";
/// Open Inference Protocol: is traffic welcome?
pub const V2_READY: &str = "/v2/health/ready";
/// Open Inference Protocol: a model.
pub const MODEL: &str = "/v2/models/{model}";
/// Open Inference Protocol: can the model be asked?
pub const MODEL_READY: &str = "/v2/models/{model}/ready";
/// Open Inference Protocol: ask the model.
pub const MODEL_INFER: &str = "/v2/models/{model}/infer";
/// Open Inference Protocol: a version of a model.
pub const VERSION: &str = "/v2/models/{model}/versions/{version}";
/// Open Inference Protocol: can this version be asked?
pub const VERSION_READY: &str = "/v2/models/{model}/versions/{version}/ready";
/// Open Inference Protocol: ask this version.
pub const VERSION_INFER: &str = "/v2/models/{model}/versions/{version}/infer";

const FIXED: [&str; 12] = [
    PREDICT, BATCH, LIVEZ, READYZ, HEALTHZ, METRICS, OPENAPI, DOCS, DOCS_PAGE, V2, V2_LIVE,
    V2_READY,
];

/// The template that serves `path`, if any; low in cardinality whatever a client asks for.
pub fn route_of(path: &str) -> Option<&'static str> {
    if let Some(fixed) = FIXED.into_iter().find(|fixed| *fixed == path) {
        return Some(fixed);
    }
    if path.starts_with(DOCS_PAGE) {
        return Some(DOCS_ASSET);
    }
    let rest = after_segment(path.strip_prefix("/v2/models/")?)?;
    match rest.strip_prefix("/versions/") {
        None => ending(rest, [MODEL, MODEL_READY, MODEL_INFER]),
        Some(version) => ending(
            after_segment(version)?,
            [VERSION, VERSION_READY, VERSION_INFER],
        ),
    }
}

/// What follows the first path segment, slash included; `None` if the segment is empty.
fn after_segment(path: &str) -> Option<&str> {
    let end = path.find('/').unwrap_or(path.len());
    (end > 0).then(|| &path[end..])
}

fn ending(rest: &str, [itself, ready, infer]: [&'static str; 3]) -> Option<&'static str> {
    match rest {
        "" => Some(itself),
        "/ready" => Some(ready),
        "/infer" => Some(infer),
        _ => None,
    }
}
