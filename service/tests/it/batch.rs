//! `POST /predict/batch`: as `/predict`, several at once.

use super::{SETOSA, post};
use http::StatusCode;
use serde_json::{Value, json};

const VIRGINICA: &str =
    r#"{"sepal_length":6.3,"sepal_width":3.3,"petal_length":6.0,"petal_width":2.5}"#;

fn batch(flowers: &[&str]) -> String {
    format!("{{\"instances\":[{}]}}", flowers.join(","))
}

#[tokio::test]
async fn answers_keep_the_order_and_equal_the_single_ones() {
    let answer = post("/predict/batch", batch(&[VIRGINICA, SETOSA, VIRGINICA])).await;
    assert_eq!(answer.status, StatusCode::OK);
    let body = answer.json();
    let mut single = post("/predict", VIRGINICA).await.json();
    assert_eq!(
        single.as_object_mut().unwrap().remove("model_version"),
        Some(body["model_version"].clone())
    );
    assert_eq!(body["predictions"][0], single);
    assert_eq!(body["predictions"][1]["prediction"], "setosa");
    assert_eq!(body["predictions"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn the_answer_is_spelled_like_this() {
    insta::assert_snapshot!(post("/predict/batch", batch(&[VIRGINICA])).await.shown());
}

#[tokio::test]
async fn all_instances_are_complained_about_at_once() {
    let body = batch(&[SETOSA, "{\"sepal_length\":1e999}", "7", VIRGINICA]);
    let answer = post("/predict/batch", body).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    insta::assert_snapshot!(answer.shown());
}

#[tokio::test]
async fn a_batch_has_its_bounds() {
    assert_eq!(
        post("/predict/batch", batch(&[SETOSA; 8])).await.status,
        StatusCode::OK
    );
    for (body, kind, loc) in [
        (batch(&[]), "too_short", json!(["body", "instances"])),
        (
            batch(&[SETOSA; 9]),
            "too_long",
            json!(["body", "instances"]),
        ),
        ("{}".to_owned(), "missing", json!(["body", "instances"])),
        (
            "{\"instances\":[],\"instances\":[]}".to_owned(),
            "value_error",
            json!(["body", "instances"]),
        ),
        (
            "{\"instances\":{}}".to_owned(),
            "list_type",
            json!(["body", "instances"]),
        ),
        ("[]".to_owned(), "model_attributes_type", json!(["body"])),
        (String::new(), "missing", json!(["body"])),
        (
            "{\"instances\":[".to_owned(),
            "json_invalid",
            json!(["body", 13]),
        ),
        (
            batch(&["[5.1,3.5,1.4,0.2]"]),
            "model_attributes_type",
            json!(["body", "instances", 0]),
        ),
    ] {
        let answer = post("/predict/batch", body.clone()).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        let detail: Value = answer.json()["detail"].clone();
        assert_eq!(
            (&detail[0]["type"], &detail[0]["loc"]),
            (&json!(kind), &loc),
            "{body}"
        );
        assert_eq!(detail.as_array().unwrap().len(), 1, "{body}");
    }
}
