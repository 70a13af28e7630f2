//! Single requests, while the run goes on and afterwards.

use super::browser::Events;
use super::*;

#[test]
fn a_request_is_drawn_while_the_run_goes_on_and_afterwards() {
    let page = Page::open();
    page.start(r#"{"rate":[300],"run_time":"60s"}"#);
    let mut events = Events::open(page.address, None);
    let some = |page: &Value| {
        page["traces"]
            .as_array()
            .is_some_and(|traces| traces.len() >= 50)
    };
    let shown = events.next_with(some);
    let line = &shown.data["traces"][0];
    assert_eq!(line["why"], "slowest");
    let id = line["trace_id"].as_str().unwrap().to_owned();
    let spans = |waterfall: &Value| {
        let bars = waterfall["bars"].as_array().into_iter().flatten();
        let spans = bars.filter(|bar| bar["client"] == false);
        let mut names: Vec<String> = spans
            .map(|bar| bar["name"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    };
    let expected = ["POST /predict", "data_preparation", "model_inference"];
    let asked = || page.get(&format!("/api/traces/{id}"));
    // Its spans are on their way for a moment.
    wait_until("its spans", || spans(&asked().json()) == expected);
    let drawn = asked().json();
    assert_eq!(drawn["trace_id"], *id);
    assert_eq!(drawn["bars"][0]["client"], true);
    let length_ms = drawn["length_ns"].as_f64().unwrap() / 1e6;
    assert!(
        (length_ms - line["latency_ms"].as_f64().unwrap()).abs() < 1e-6,
        "{drawn}"
    );
    assert!(
        drawn["title"]
            .as_str()
            .unwrap()
            .contains("aligned by this request alone"),
        "{drawn}"
    );

    for (path, status) in [
        ("00000000000000000000000000000000", 404),
        ("ffffffffffffffffffffffffffffffff", 404),
        ("short", 400),
        ("..%2F..%2Fetc%2Fpasswd", 400),
    ] {
        assert_eq!(
            page.get(&format!("/api/traces/{path}")).status,
            status,
            "{path}"
        );
    }
    let next = format!("{:032x}", u128::from_str_radix(&id, 16).unwrap() ^ 1);
    assert_eq!(page.get(&format!("/api/traces/{next}")).status, 404);

    page.post("/api/stop", "{}");
    page.wait_for("ended");
    assert_eq!(spans(&asked().json()), expected);
}
