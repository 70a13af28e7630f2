//! The real router, asked in-process; the real accept loop, on sockets, with a strict collector at
//! the far end; the real binary, run. Modules mirror the URLs or the parts.

#![allow(clippy::unwrap_used, missing_docs)]

mod batch;
mod certificates;
mod cli;
mod docs;
mod health;
mod metrics;
mod predict;
mod routes;
mod saturation;
mod serve;
mod server;
mod serving;
mod serving_tls;
mod short_way;
mod sink;
mod spans;
mod telemetry_admission;
mod telemetry_delivery;
mod telemetry_faults;
mod telemetry_sdk;
mod telemetry_spill;
mod telemetry_tls;
mod tls_front;
mod trace;
mod v2;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use iris_prediction_api::http::{AppState, router};
use iris_prediction_api::model::Model;
use iris_prediction_api::predict::{Limits, Predictor};
use iris_prediction_api::telemetry::Recorder;
use serde_json::Value;
use tower::ServiceExt as _;

pub const SETOSA: &str =
    r#"{"sepal_length":5.1,"sepal_width":3.5,"petal_length":1.4,"petal_width":0.2}"#;

/// The service, with small limits so that tests reach them.
pub fn state() -> AppState {
    let limits = Limits {
        body_bytes: 4_096,
        batch: 8,
    };
    AppState::new(Predictor::new(
        Model::built_in().unwrap(),
        Recorder::disabled(),
        limits,
    ))
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/json");
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// Status and body, for a snapshot; the model's version and a last digit that another
    /// machine's `exp` rounds otherwise are not the snapshot's business.
    pub fn shown(&self) -> String {
        let mut body = self.json();
        round(&mut body);
        let body = serde_json::to_string_pretty(&body).unwrap();
        let version = Model::built_in().unwrap().version().to_owned();
        format!(
            "{}\n{}",
            self.status,
            body.replace(&version, "<model version>")
        )
    }
}

fn round(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            let rounded = (number.as_f64().unwrap() * 1e9).round() / 1e9;
            *value = rounded.into();
        }
        Value::Array(values) => values.iter_mut().for_each(round),
        Value::Object(values) => values.values_mut().for_each(round),
        _ => {}
    }
}

pub async fn send(router: Router, request: Request<Body>) -> Answer {
    let (parts, body) = router.oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body,
    }
}

pub async fn get(path: &str) -> Answer {
    send(
        router(state()),
        Request::get(path).body(Body::empty()).unwrap(),
    )
    .await
}

pub async fn post(path: &str, body: impl Into<Body>) -> Answer {
    post_as(path, "application/json", body).await
}

pub async fn post_as(path: &str, content_type: &str, body: impl Into<Body>) -> Answer {
    let request = Request::post(path).header(header::CONTENT_TYPE, content_type);
    send(router(state()), request.body(body.into()).unwrap()).await
}

pub async fn ask(method: Method, path: &str) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .body(Body::empty())
        .unwrap();
    send(router(state()), request).await
}
