//! `POST /predict`: what is answered, and what is refused in which words.

use super::{SETOSA, get, post, post_as, router, send, state};
use axum::body::Body;
use http::{Request, StatusCode, header};
use iris_prediction_api::model::Model;
use serde_json::{Value, json};

#[tokio::test]
async fn each_species_is_recognised() {
    for (flower, species, class_id) in [
        (
            json!({"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}),
            "setosa",
            0,
        ),
        (
            json!({"sepal_length": 7.0, "sepal_width": 3.2, "petal_length": 4.7, "petal_width": 1.4}),
            "versicolor",
            1,
        ),
        (
            json!({"sepal_length": 6.3, "sepal_width": 3.3, "petal_length": 6.0, "petal_width": 2.5}),
            "virginica",
            2,
        ),
    ] {
        let answer = post("/predict", flower.to_string()).await;
        assert_eq!(answer.status, StatusCode::OK);
        let body = answer.json();
        assert_eq!(
            (&body["prediction"], &body["class_id"]),
            (&json!(species), &json!(class_id))
        );
        assert_eq!(body["model_version"], Model::built_in().unwrap().version());
        let probabilities = body["probabilities"].as_object().unwrap();
        let sum: f64 = probabilities.values().map(|p| p.as_f64().unwrap()).sum();
        assert!((sum - 1.0).abs() < 1e-12);
        let best = probabilities
            .iter()
            .max_by(|a, b| a.1.as_f64().partial_cmp(&b.1.as_f64()).unwrap())
            .unwrap();
        assert_eq!(best.0, species);
    }
}

#[tokio::test]
async fn the_answer_is_spelled_like_this() {
    insta::assert_snapshot!(post("/predict", SETOSA).await.shown());
}

#[tokio::test]
async fn key_order_integers_unknown_fields_and_space_do_not_matter() {
    let expected = post(
        "/predict",
        r#"{"sepal_length":5,"sepal_width":3.5,"petal_length":1.0,"petal_width":0.2}"#,
    )
    .await;
    for body in [
        r#"{"petal_width":0.2,"petal_length":1,"sepal_width":3.5,"sepal_length":5.0}"#,
        " {\n\"sepal_length\" : 5e0, \"sepal_width\":35e-1,\t\"petal_length\":1,\"petal_width\":0.2}\n",
        r#"{"species":"?","sepal_length":5,"sepal_width":3.5,"note":{"a":[1,{}]},"petal_length":1,"petal_width":0.2}"#,
        r#"{"sepal\u005flength":5,"sepal_width":3.5,"petal_length":1,"petal_width":0.2}"#,
    ] {
        let answer = post("/predict", body).await;
        assert_eq!(
            (answer.status, answer.json()),
            (StatusCode::OK, expected.json()),
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_body_in_pieces_is_one_body() {
    let pieces = SETOSA
        .as_bytes()
        .chunks(7)
        .map(|piece| Ok::<_, std::io::Error>(piece.to_vec()));
    let body = Body::from_stream(futures_util::stream::iter(pieces));
    assert_eq!(
        post("/predict", body).await.json(),
        post("/predict", SETOSA).await.json()
    );
}

#[tokio::test]
async fn an_unusual_flower_is_answered() {
    let body = r#"{"sepal_length":1000,"sepal_width":0,"petal_length":-0.0,"petal_width":1000}"#;
    assert_eq!(post("/predict", body).await.status, StatusCode::OK);
}

/// Every complaint's type and place.
fn complaints(body: &Value) -> Vec<(String, Value)> {
    let detail = body["detail"].as_array().unwrap();
    detail
        .iter()
        .map(|error| {
            (
                error["type"].as_str().unwrap().to_owned(),
                error["loc"].clone(),
            )
        })
        .collect()
}

#[tokio::test]
async fn all_fields_are_complained_about_at_once() {
    let body = r#"{"sepal_length":"5.1","sepal_width":-1,"petal_length":1001}"#;
    let answer = post("/predict", body).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    insta::assert_snapshot!(answer.shown());
}

#[tokio::test]
async fn each_kind_of_wrong_value_has_its_type() {
    for (value, kind) in [
        ("null", "float_type"),
        ("true", "float_type"),
        ("\"5.1\"", "float_type"),
        ("[5.1]", "float_type"),
        ("{}", "float_type"),
        ("1e999", "finite_number"),
        ("-1e999", "finite_number"),
        ("-0.1", "greater_than_equal"),
        ("1000.1", "less_than_equal"),
        ("1e300", "less_than_equal"),
    ] {
        let body = SETOSA.replace("0.2", value);
        let answer = post("/predict", body.clone()).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert_eq!(
            complaints(&answer.json()),
            [(kind.to_owned(), json!(["body", "petal_width"]))],
            "{body}"
        );
        // The input stands there as it was written; as text where JSON readers would stumble on it.
        let input = if value.ends_with("e999") {
            format!("\"{value}\"")
        } else {
            value.to_owned()
        };
        assert!(
            answer.text().contains(&format!("\"input\":{input}")),
            "{}",
            answer.text()
        );
    }
}

#[tokio::test]
async fn a_field_given_twice_is_refused() {
    let body = SETOSA.replace("{", r#"{"sepal_length":9.9,"#);
    let answer = post("/predict", body).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        complaints(&answer.json()),
        [("value_error".to_owned(), json!(["body", "sepal_length"]))]
    );
}

#[tokio::test]
async fn a_body_that_is_no_object_is_refused() {
    for body in ["[]", "[5.1,3.5,1.4,0.2]", "5.1", "null", "\"text\""] {
        let answer = post("/predict", body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert_eq!(
            complaints(&answer.json()),
            [("model_attributes_type".to_owned(), json!(["body"]))],
            "{body}"
        );
    }
    for body in ["", " \n"] {
        assert_eq!(
            complaints(&post("/predict", body).await.json()),
            [("missing".to_owned(), json!(["body"]))]
        );
    }
}

#[tokio::test]
async fn malformed_json_says_where() {
    let shown = post("/predict", "{\"sepal_length\": 5.1,\n  \"sepal_width\": ,}")
        .await
        .shown();
    insta::assert_snapshot!(shown);
}

#[tokio::test]
async fn malformed_json_is_refused_at_its_byte() {
    for (body, offset) in [
        (&b"{"[..], 0),
        (b"not json", 1),
        (b"{\"sepal_length\":NaN}", 16),
        (b"{\"sepal_length\":01}", 17),
        (b"{} {}", 3),
        (b"{\"sepal_length\":\xff}", 16),
        (b"\xff\xfe", 0),
    ] {
        let answer = post("/predict", body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body:?}");
        let expected = [("json_invalid".to_owned(), json!(["body", offset]))];
        assert_eq!(
            complaints(&answer.json()),
            expected,
            "{}",
            String::from_utf8_lossy(body)
        );
    }
}

#[tokio::test]
async fn deep_nesting_is_an_answer_not_a_crash() {
    let deep = "[".repeat(1_500) + &"]".repeat(1_500);
    let answer = post("/predict", SETOSA.replace("0.2", &deep)).await;
    assert_eq!(
        complaints(&answer.json()),
        [("float_type".to_owned(), json!(["body", "petal_width"]))]
    );
    // A long input is cut, so that an answer never outgrows what was sent.
    assert!(answer.body.len() < 400, "{}", answer.text());
    let unknown = SETOSA.replace('{', &format!("{{\"unknown\":{deep},"));
    assert_eq!(post("/predict", unknown).await.status, StatusCode::OK);
    assert_eq!(
        post("/predict", "[".repeat(4_000)).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
}

#[tokio::test]
async fn only_json_is_read() {
    for content_type in [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/vnd.iris+json",
    ] {
        assert_eq!(
            post_as("/predict", content_type, SETOSA).await.status,
            StatusCode::OK,
            "{content_type}"
        );
    }
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "json",
        "",
    ] {
        let answer = post_as("/predict", content_type, SETOSA).await;
        assert_eq!(
            answer.status,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "{content_type}"
        );
        assert_eq!(
            answer.json(),
            json!({"detail": "Content-Type must be application/json"})
        );
    }
    let undeclared = Request::post("/predict").body(Body::from(SETOSA)).unwrap();
    assert_eq!(
        send(router(state()), undeclared).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_declared_or_not() {
    let large = SETOSA.to_owned() + &" ".repeat(4_096);
    let declared = Request::post("/predict").header(header::CONTENT_LENGTH, large.len());
    let declared = send(
        router(state()),
        declared.body(Body::from(large.clone())).unwrap(),
    )
    .await;
    let pieces = large
        .as_bytes()
        .chunks(1_000)
        .map(|piece| Ok::<_, std::io::Error>(piece.to_vec()))
        .collect::<Vec<_>>();
    let undeclared = post(
        "/predict",
        Body::from_stream(futures_util::stream::iter(pieces)),
    )
    .await;
    for answer in [declared, undeclared] {
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(
            answer.json(),
            json!({"detail": "Request body is larger than 4096 bytes"})
        );
    }
    let largest = SETOSA.to_owned() + &" ".repeat(4_096 - SETOSA.len());
    assert_eq!(post("/predict", largest).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_a_bad_request() {
    let broken: [Result<&[u8], std::io::Error>; 2] =
        [Ok(b"{\"sepal"), Err(std::io::Error::other("gone"))];
    let answer = post(
        "/predict",
        Body::from_stream(futures_util::stream::iter(broken)),
    )
    .await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn other_methods_and_paths_are_named() {
    let answer = get("/predict").await;
    assert_eq!(
        (answer.status, &answer.headers[header::ALLOW]),
        (StatusCode::METHOD_NOT_ALLOWED, &"POST".parse().unwrap())
    );
    assert_eq!(answer.json(), json!({"detail": "Method Not Allowed"}));
    for path in ["/", "/Predict", "/predict/", "/predict/batch/x"] {
        let answer = post(path, SETOSA).await;
        assert_eq!(
            (answer.status, answer.json()),
            (StatusCode::NOT_FOUND, json!({"detail": "Not Found"})),
            "{path}"
        );
    }
}
