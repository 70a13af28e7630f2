//! Answers of Cloud Trace in; what is read of them, or that nothing is, out.

use super::*;

/// As the API's reference writes them.
const PAGE: &str = r#"{"traces": [{"projectId": "p", "traceId": "0af7651916cd43dd8448eb211c80319c", "spans": [
  {"spanId": "13235353014750950193", "kind": "RPC_SERVER", "name": "POST /predict", "parentSpanId": "1",
   "startTime": "2026-01-02T03:04:05.123456789Z", "endTime": "2026-01-02T03:04:06Z",
   "labels": {"/http/status_code": "503", "g.co/r/k8s_container/pod_name": "api-1", "service.instance.id": "x"}},
  {"spanId": "2", "name": "model_inference", "parentSpanId": "13235353014750950193",
   "startTime": "2026-01-02T03:04:05.5Z", "endTime": "2026-01-02T03:04:06Z",
   "labels": {"error.type": "ModelFailed", "otel.status_description": "no model"}}]}], "nextPageToken": "a"}"#;

type Seen = (
    String,
    [u64; 2],
    String,
    i32,
    [u64; 2],
    i32,
    u64,
    [String; 2],
);

fn walked(text: &str) -> Result<Vec<Seen>, serde_json::Error> {
    let text_of = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let id = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_be_bytes);
    let mut seen = Vec::new();
    walk_cloud_trace(text.as_bytes(), |sender, s| {
        assert_eq!(s.trace_id[..2], [0x0a, 0xf7]);
        seen.push((
            text_of(sender),
            [id(s.span_id), id(s.parent_span_id)],
            text_of(s.name),
            s.kind,
            [s.start_unix_ns, s.end_unix_ns],
            s.status,
            s.http_status,
            [text_of(s.error_type), text_of(s.status_message)],
        ));
    })?;
    Ok(seen)
}

#[test]
fn a_page_gives_its_spans_with_what_their_labels_tell() {
    let id = 13_235_353_014_750_950_193;
    let second = 1_767_323_045_000_000_000;
    let end = second + 1_000_000_000;
    let texts = |a: &str, b: &str| [a.to_owned(), b.to_owned()];
    let server = (
        "api-1".to_owned(),
        [id, 1],
        "POST /predict".to_owned(),
        KIND_SERVER,
        [second + 123_456_789, end],
        STATUS_ERROR,
        503,
        texts("", ""),
    );
    let inner = (
        String::new(),
        [2, id],
        "model_inference".to_owned(),
        KIND_INTERNAL,
        [second + 500_000_000, end],
        STATUS_ERROR,
        0,
        texts("ModelFailed", "no model"),
    );
    assert_eq!(walked(PAGE).unwrap(), [server, inner]);
}

#[test]
fn one_trace_is_read_like_a_page_and_a_span_without_errors_has_no_status() {
    let text = r#"{"projectId": "p", "traceId": "0af7651916cd43dd8448eb211c80319c", "spans": [
        {"spanId": "7", "kind": "RPC_CLIENT", "name": "a", "startTime": "2026-01-02T03:04:05Z",
         "labels": {"http.response.status_code": "404", "otel.status_code": "OK"}}]}"#;
    let seen = walked(text).unwrap();
    let (_, ids, _, kind, _, status, http_status, _) = &seen[0];
    assert_eq!((seen.len(), *ids, *kind), (1, [7, 0], KIND_CLIENT));
    assert_eq!((*status, *http_status), (0, 404));
}

#[test]
fn any_sign_of_an_error_is_one() {
    for label in [
        r#""/error/message": """#,
        r#""/error/name": "x""#,
        r#""otel.status_code": "ERROR""#,
        r#""http.status_code": "500""#,
    ] {
        let text = format!(
            r#"{{"traceId": "0af7651916cd43dd8448eb211c80319c", "spans": [{{"spanId": "7", "labels": {{{label}}}}}]}}"#
        );
        assert_eq!(walked(&text).unwrap()[0].5, STATUS_ERROR, "{label}");
    }
}

#[test]
fn what_is_no_trace_is_refused_and_nothing_is_a_page_without_traces() {
    assert!(walked("{}").unwrap().is_empty());
    for span in [
        r#"{"startTime": "yesterday"}"#,
        r#"{"startTime": "1969-01-01T00:00:00Z"}"#,
        r#"{"spanId": "x"}"#,
        "7",
    ] {
        let text = format!(r#"{{"traceId": "0a", "spans": [{span}]}}"#);
        assert!(walked(&text).is_err(), "{span}");
    }
    assert!(walked("<html>").is_err());
}
