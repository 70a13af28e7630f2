//! Starts the iris prediction API.

fn main() {
    let artifact = iris_prediction_api::model::training::train().unwrap();
    println!("{}", serde_json::to_string_pretty(&artifact).unwrap());
}
