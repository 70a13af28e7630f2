//! `/v2`: the Open Inference Protocol, as KServe and Triton clients speak it.

use super::{ask, get, post};
use http::{Method, StatusCode, header};
use iris_prediction_api::model::Model;
use serde_json::{Value, json};

fn request(shape: Value, datatype: &str, data: Value) -> String {
    json!({"id": "42", "inputs": [{"name": "input", "shape": shape, "datatype": datatype, "data": data}]}).to_string()
}

const INFER: &str = "/v2/models/iris/infer";

#[tokio::test]
async fn server_and_model_describe_themselves() {
    insta::assert_snapshot!(get("/v2/models/iris").await.shown());
    assert_eq!(get("/v2").await.json()["name"], "iris-prediction-api");
    assert_eq!(get("/v2/health/live").await.json(), json!({"live": true}));
    assert_eq!(get("/v2/health/ready").await.json(), json!({"ready": true}));
    assert_eq!(
        get("/v2/models/iris/ready").await.json(),
        json!({"name": "iris", "ready": true})
    );
}

#[tokio::test]
async fn flat_and_nested_data_of_both_types_mean_the_same() {
    let flat = post(
        INFER,
        request(
            json!([2, 4]),
            "FP64",
            json!([5.1, 3.5, 1.4, 0.2, 6.3, 3.3, 6.0, 2.5]),
        ),
    )
    .await;
    insta::assert_snapshot!(flat.shown());
    let nested = post(
        INFER,
        request(
            json!([2, 4]),
            "FP32",
            json!([[5.1, 3.5, 1.4, 0.2], [6.3, 3.3, 6, 2.5]]),
        ),
    )
    .await;
    assert_eq!(nested.json(), flat.json());
}

#[tokio::test]
async fn one_flower_may_come_without_its_batch_dimension() {
    let one = post(
        INFER,
        request(json!([4]), "FP64", json!([5.1, 3.5, 1.4, 0.2])),
    )
    .await;
    let row = post(
        INFER,
        request(json!([1, 4]), "FP64", json!([5.1, 3.5, 1.4, 0.2])),
    )
    .await;
    assert_eq!((one.status, one.json()), (StatusCode::OK, row.json()));
}

#[tokio::test]
async fn a_version_can_be_named() {
    let version = Model::built_in().unwrap().version().to_owned();
    let path = format!("/v2/models/iris/versions/{version}");
    assert_eq!(get(&path).await.json(), get("/v2/models/iris").await.json());
    assert_eq!(get(&format!("{path}/ready")).await.status, StatusCode::OK);
    let body = request(json!([1, 4]), "FP64", json!([5.1, 3.5, 1.4, 0.2]));
    assert_eq!(
        post(&format!("{path}/infer"), body.clone()).await.json(),
        post(INFER, body).await.json()
    );
}

#[tokio::test]
async fn the_id_is_echoed_only_if_there_is_one_and_outputs_can_be_chosen() {
    let mut body: Value =
        serde_json::from_str(&request(json!([1, 4]), "FP64", json!([5.1, 3.5, 1.4, 0.2]))).unwrap();
    body["outputs"] = json!([{"name": "class_id"}]);
    body["parameters"] = json!({"anything": true});
    body.as_object_mut().unwrap().remove("id");
    let answer = post(INFER, body.to_string()).await.json();
    assert_eq!(answer.get("id"), None);
    let class_id = json!([{"name": "class_id", "datatype": "INT64", "shape": [1], "data": [0]}]);
    assert_eq!(answer["outputs"], class_id);
}

#[tokio::test]
async fn what_is_wrong_is_said_in_one_line() {
    let good = json!([5.1, 3.5, 1.4, 0.2]);
    let mut shown = String::new();
    for body in [
        String::new(),
        "{\"inputs\":".to_owned(),
        "{}".to_owned(),
        "{\"inputs\":[]}".to_owned(),
        request(json!([1, 4]), "INT64", good.clone()),
        request(json!([1, 3]), "FP64", good.clone()),
        request(json!([1, 4, 1]), "FP64", good.clone()),
        request(json!([0, 4]), "FP64", json!([])),
        request(json!([9, 4]), "FP64", good.clone()),
        request(json!([2, 4]), "FP64", good.clone()),
        request(json!([2, 4]), "FP64", json!([[1, 2, 3], [4, 5, 6, 7, 8]])),
        request(json!([1, 4]), "FP64", json!(["5.1", 3.5, 1.4, 0.2])),
        request(
            json!([2, 4]),
            "FP64",
            json!([5.1, 3.5, 1.4, 0.2, -1, 3.5, 2000, 0.2]),
        ),
        request(json!([1, 4]), "FP64", good.clone()).replace("1.4", "1e999"),
        request(json!([1, 4]), "FP64", good.clone())
            .replace("\"id\"", "\"outputs\":[{\"name\":\"x\"}],\"id\""),
    ] {
        let answer = post(INFER, body.clone()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        shown += answer.json()["error"].as_str().unwrap();
        shown += "\n";
    }
    insta::assert_snapshot!(shown);
}

#[tokio::test]
async fn what_is_not_here_is_said_in_this_protocol_s_shape() {
    let body = request(json!([1, 4]), "FP64", json!([5.1, 3.5, 1.4, 0.2]));
    for answer in [
        post("/v2/models/rose/infer", body.clone()).await,
        post("/v2/models/iris/versions/0/infer", body).await,
        get("/v2/models/rose").await,
        get("/v2/models/iris/versions/0/ready").await,
        get("/v2/nothing").await,
    ] {
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert!(answer.json()["error"].is_string(), "{}", answer.text());
    }
    let answer = ask(Method::DELETE, INFER).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.headers[header::ALLOW], "POST");
    assert_eq!(answer.json(), json!({"error": "Method Not Allowed"}));
}
