//! The target as a client sees it: is it ready, does it predict.

use super::report::Report;
use crate::plan::Plan;
use crate::run::traces::Client;
use anyhow::{Result, ensure};
use bytes::Bytes;
use http::{Method, header};

/// Where a service says whether it is ready, the usual names.
const READY: [&str; 2] = ["/readyz", "/healthz"];
/// A flower whose class nobody doubts, and that class.
const FLOWER: &str =
    r#"{"sepal_length":6.3,"sepal_width":3.3,"petal_length":6.0,"petal_width":2.5}"#;
const CLASS: &str = "virginica";

/// Asks it; whether it answers at all.
pub(super) async fn check(url: &str, plan: &Plan, report: &mut Report) -> bool {
    let client = match Client::new() {
        Ok(client) => client,
        Err(error) => {
            report.failed(&format!("target {url}: {error:#}"), "");
            return false;
        }
    };
    match ready(&client, url).await {
        Ok(path) => report.ok(&format!("target {url} is ready ({path})")),
        Err(error) => {
            report.failed(
                &format!("target {url}: {error:#}"),
                "is the address right, and its Service reachable from here? name it with --url",
            );
            return false;
        }
    }
    let iris = plan.request.path == "/predict" && plan.tasks.is_empty();
    if !iris {
        report.not_checked(
            "an answer",
            "the plan's requests are not the iris service's: whether an answer is right is not known",
        );
        return true;
    }
    let answer = predict(&client, url, None).await;
    let right = match answer {
        Ok(body) if body.contains(CLASS) => Ok(format!("POST /predict: {}", body.trim())),
        Ok(body) => Err(format!("POST /predict: no {CLASS} in {body:?}")),
        Err(error) => Err(format!("POST /predict: {error:#}")),
    };
    match right {
        Ok(what) => report.ok(&what),
        Err(what) => report.failed(&what, "is this the iris service? see its log"),
    }
    true
}

async fn ready(client: &Client, url: &str) -> Result<&'static str> {
    let mut status = None;
    for path in READY {
        let (said, _) = client.get(&format!("{url}{path}"), &[]).await?;
        if said.is_success() {
            return Ok(path);
        }
        status.get_or_insert(said);
    }
    anyhow::bail!(
        "{} answers {}: it is not ready",
        READY[0],
        status.unwrap_or_default()
    )
}

/// One prediction, with this `traceparent` or none; the answer's body.
///
/// # Errors
/// When nothing answers, or with an error.
pub(super) async fn predict(
    client: &Client,
    url: &str,
    traceparent: Option<String>,
) -> Result<String> {
    let mut headers = vec![(header::CONTENT_TYPE, "application/json".to_owned())];
    if let Some(traceparent) = traceparent {
        headers.push((header::HeaderName::from_static("traceparent"), traceparent));
    }
    let body = Bytes::from_static(FLOWER.as_bytes());
    let url = format!("{url}/predict");
    let (status, body) = client.send(Method::POST, &url, &headers, body).await?;
    let body = String::from_utf8_lossy(&body).into_owned();
    ensure!(status.is_success(), "HTTP status {status}: {body}");
    Ok(body)
}
