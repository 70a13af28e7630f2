//! The API's description: complete, and served from this binary alone.

use super::get;
use http::{StatusCode, header};
use serde_json::Value;
use std::collections::BTreeSet;

#[tokio::test]
async fn the_description_names_every_path_and_its_schemas() {
    let openapi = get("/openapi.json").await.json();
    let paths: BTreeSet<&str> = openapi["paths"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    insta::assert_snapshot!(paths.into_iter().collect::<Vec<_>>().join("\n"));
    let flower = &openapi["components"]["schemas"]["Flower"];
    assert_eq!(flower["required"].as_array().unwrap().len(), 4);
    assert_eq!(flower["properties"]["sepal_length"]["maximum"], 1_000);
    for schema in [
        "PredictResponse",
        "Probabilities",
        "BatchRequest",
        "BatchResponse",
        "Invalid",
        "Detail",
    ] {
        assert!(
            openapi["components"]["schemas"][schema].is_object(),
            "{schema}"
        );
    }
    assert_eq!(openapi["info"]["version"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn the_description_s_example_is_a_good_request() {
    let openapi = get("/openapi.json").await.json();
    let properties = openapi["components"]["schemas"]["Flower"]["properties"]
        .as_object()
        .unwrap();
    let example: Value = properties
        .iter()
        .map(|(name, schema)| (name.clone(), schema["example"].clone()))
        .collect();
    assert_eq!(
        super::post("/predict", example.to_string()).await.status,
        StatusCode::OK
    );
}

/// Everything that a page loads, as it names it.
fn loaded(page: &str) -> Vec<&str> {
    let after = |attribute: &str| {
        page.split(attribute)
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap())
            .collect::<Vec<_>>()
    };
    [after("src=\""), after("href=\"")].concat()
}

#[tokio::test]
async fn the_page_loads_nothing_from_elsewhere() {
    assert_eq!(get("/docs").await.status, StatusCode::PERMANENT_REDIRECT);
    let page = get("/docs/").await;
    assert_eq!(page.headers[header::CONTENT_TYPE], "text/html");
    assert!(
        page.headers[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap()
            .starts_with("default-src 'self'")
    );
    let loaded = loaded(page.text());
    assert!(loaded.len() >= 5, "{loaded:?}");
    for asset in loaded {
        assert!(!asset.contains("//"), "{asset} comes from elsewhere");
        let answer = get(&format!("/docs/{}", asset.trim_start_matches("./"))).await;
        assert_eq!(answer.status, StatusCode::OK, "{asset}");
        assert!(!answer.body.is_empty(), "{asset}");
    }
    let settings = get("/docs/swagger-initializer.js").await;
    assert!(
        settings.text().contains("openapi.json"),
        "{}",
        settings.text()
    );
    assert!(
        settings.text().contains("\"validatorUrl\": \"none\""),
        "{}",
        settings.text()
    );
}

#[tokio::test]
async fn an_asset_that_does_not_exist_is_not_found() {
    let answer = get("/docs/nothing.js").await;
    assert_eq!(
        (answer.status, answer.json()),
        (
            StatusCode::NOT_FOUND,
            serde_json::json!({"detail": "Not Found"})
        )
    );
}
