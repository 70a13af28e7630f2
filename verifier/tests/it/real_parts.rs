//! The real collector and the real Jaeger, with the configurations of this repository: what goes in comes out, is
//! counted, and outlives what it should outlive.

mod configurations;
mod google;

use crate::testbed::{Collector, Jaeger, collector, get, jaeger, post, wait_until};

const JAEGER: &str = "{exporter=\"otlp_grpc/jaeger\"}";

/// The id of the test trace of this number.
fn trace_id(number: u32) -> String {
    format!("{number:032x}")
}

/// One span, acknowledged by the collector.
fn send(collector: &Collector, number: u32) {
    let trace = trace_id(number);
    let span = format!(
        r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"iris"}}}}]}},
        "scopeSpans":[{{"spans":[{{"traceId":"{trace}","spanId":"{number:016x}","name":"model_inference","kind":1,
        "startTimeUnixNano":"1790000000000000000","endTimeUnixNano":"1790000000000001000"}}]}}]}}]}}"#
    );
    let (status, body) = post(collector.http(), "/v1/traces", &span).unwrap();
    assert_eq!(status, 200, "{body}");
}

/// Jaeger's answer to the question for a test trace.
fn asked(jaeger: &Jaeger, number: u32) -> (u16, String) {
    let path = format!("/api/v3/traces/{}", trace_id(number));
    get(jaeger.query_http(), &path).unwrap()
}

fn comes_out(jaeger: &Jaeger, collector: &Collector, number: u32) {
    wait_until(
        || asked(jaeger, number).0 == 200,
        || {
            format!(
                "trace {number} is not in Jaeger\n{}\n{}",
                collector.log(),
                jaeger.log()
            )
        },
    );
}

fn to(jaeger: &Jaeger) -> [(&'static str, String); 1] {
    [("JAEGER_OTLP", jaeger.otlp().to_string())]
}

#[test]
fn a_span_comes_out_of_jaeger_and_the_file_and_is_counted() {
    let Some(jaeger) = jaeger(100) else { return };
    let collector = collector(&["local"], &to(&jaeger)).unwrap();
    send(&collector, 1);
    comes_out(&jaeger, &collector, 1);
    let (_, answer) = asked(&jaeger, 1);
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    let span = &answer["result"]["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
    assert_eq!(span["name"], "model_inference", "{answer}");
    assert_eq!(asked(&jaeger, 2).0, 404);

    let file = || std::fs::read_to_string(collector.traces_file()).unwrap_or_default();
    wait_until(|| file().ends_with('\n'), || "no line in the file".into());
    assert_eq!(file().matches(&trace_id(1)).count(), 1, "{}", file());

    let metric = |name: &str| collector.metric(name);
    let accepted = "otelcol_receiver_accepted_spans{transport=\"http\",receiver=\"otlp\"}";
    assert_eq!(metric(accepted), Some(1.0));
    let sent = |exporter: &str| metric(&format!("otelcol_exporter_sent_spans{exporter}"));
    wait_until(|| sent(JAEGER) == Some(1.0), || "not counted".into());
    assert_eq!(sent("{exporter=\"file\"}"), Some(1.0));
    assert_eq!(
        metric("otelcol_processor_memory_limiter_accepted_spans"),
        Some(1.0)
    );
    assert_eq!(metric("otelcol_exporter_send_failed_spans"), None);
    assert_eq!(metric("otelcol_exporter_enqueue_failed_spans"), None);
    assert_eq!(
        metric(&format!("otelcol_exporter_queue_size{JAEGER}")),
        Some(0.0)
    );
}

/// A span that the collector acknowledged while Jaeger was down; then the collector ends so, and both come back.
fn ended_with_a_queue(
    configs: &[&str],
    end: impl FnOnce(&mut Collector),
) -> Option<(Jaeger, Collector)> {
    let mut jaeger = jaeger(100)?;
    jaeger.stop();
    let mut collector = collector(configs, &to(&jaeger)).unwrap();
    send(&collector, 1);
    let queued = format!("otelcol_exporter_queue_size{JAEGER}");
    assert_eq!(collector.metric(&queued), Some(1.0));
    end(&mut collector);
    collector.start();
    jaeger.start();
    send(&collector, 2);
    comes_out(&jaeger, &collector, 2);
    Some((jaeger, collector))
}

#[test]
fn a_durable_queue_outlives_a_killed_collector() {
    let ended = ended_with_a_queue(&["local", "durable"], |collector| collector.kill());
    let Some((jaeger, collector)) = ended else {
        return;
    };
    comes_out(&jaeger, &collector, 1);
}

#[test]
fn a_durable_queue_outlives_a_stopped_collector() {
    let ended = ended_with_a_queue(&["local", "durable"], |collector| collector.stop());
    let Some((jaeger, collector)) = ended else {
        return;
    };
    comes_out(&jaeger, &collector, 1);
}

#[test]
fn a_queue_in_memory_goes_with_a_killed_collector() {
    let ended = ended_with_a_queue(&["local"], |collector| collector.kill());
    let Some((jaeger, collector)) = ended else {
        return;
    };
    assert_eq!(asked(&jaeger, 1).0, 404);
    // Nothing is on its way any more: only the span of the second life was ever sent.
    let sent = || collector.metric(&format!("otelcol_exporter_sent_spans{JAEGER}"));
    wait_until(|| sent() == Some(1.0), || format!("{:?}", sent()));
    let queued = format!("otelcol_exporter_queue_size{JAEGER}");
    assert_eq!(collector.metric(&queued), Some(0.0));
}

#[test]
fn jaeger_keeps_the_newest_traces_only() {
    let Some(jaeger) = jaeger(3) else { return };
    let collector = collector(&["local"], &to(&jaeger)).unwrap();
    for number in 1..=5 {
        send(&collector, number);
        comes_out(&jaeger, &collector, number);
    }
    let kept = (1..=5).filter(|number| asked(&jaeger, *number).0 == 200);
    assert_eq!(kept.collect::<Vec<_>>(), [3, 4, 5]);
}
