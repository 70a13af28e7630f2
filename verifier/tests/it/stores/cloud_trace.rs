//! The two read calls of Cloud Trace's API v1 over traces that came as OTLP: pages, one trace, and the quota.

use super::store::{Trace, hex};
use bytes::Bytes;
use http::StatusCode;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::json;
use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Mutex;
use std::time::{Duration, Instant, UNIX_EPOCH};

/// Units within a minute.
pub struct Units {
    pub most: u32,
    taken: Mutex<Vec<(Instant, u32)>>,
    refused: Mutex<u32>,
}

impl Units {
    pub fn new(most: u32) -> Units {
        Units {
            most,
            taken: Mutex::default(),
            refused: Mutex::default(),
        }
    }

    /// Calls that were too many.
    pub fn refused(&self) -> u32 {
        *self.refused.lock().unwrap()
    }

    /// What all calls together have cost.
    pub fn taken(&self) -> u32 {
        self.taken.lock().unwrap().iter().map(|(_, u)| u).sum()
    }

    fn take(&self, units: u32) -> bool {
        let mut taken = self.taken.lock().unwrap();
        let recent = |at: &Instant| at.elapsed() < Duration::from_secs(60);
        let of_minute = taken.iter().filter(|(at, _)| recent(at));
        let granted = of_minute.map(|(_, u)| u).sum::<u32>() + units <= self.most;
        if granted {
            taken.push((Instant::now(), units));
        } else {
            *self.refused.lock().unwrap() += 1;
        }
        granted
    }
}

/// Google's.
impl Default for Units {
    fn default() -> Units {
        Units::new(300)
    }
}

pub fn answer(
    traces: &BTreeMap<Vec<u8>, Trace>,
    units: &Units,
    asked: &str,
    query: &str,
) -> (StatusCode, Bytes) {
    let error = |status: StatusCode, name: &str| {
        let message = format!("{name} by the test");
        let body = json!({"error": {"code": status.as_u16(), "message": message, "status": name}});
        (status, body.to_string().into())
    };
    if !units.take(if asked.is_empty() { 25 } else { 1 }) {
        return error(StatusCode::TOO_MANY_REQUESTS, "RESOURCE_EXHAUSTED");
    }
    let body = if asked.is_empty() {
        page(traces, query)
    } else {
        let found = traces.iter().find(|(id, _)| asked[1..] == hex(id));
        match found {
            Some((id, spans)) => trace(id, spans),
            None => return error(StatusCode::NOT_FOUND, "NOT_FOUND"),
        }
    };
    (StatusCode::OK, body.to_string().into())
}

/// The traces of the window that come behind the token, which is the last id of the page before.
fn page(traces: &BTreeMap<Vec<u8>, Trace>, query: &str) -> serde_json::Value {
    let unescaped = percent_encoding::percent_decode_str(query)
        .decode_utf8()
        .unwrap();
    let pairs: BTreeMap<_, _> = unescaped
        .split('&')
        .filter_map(|p| p.split_once('='))
        .collect();
    assert_eq!(pairs["view"], "COMPLETE");
    let size: usize = pairs["pageSize"].parse().unwrap();
    assert!(size <= 100);
    let time = |name| humantime::parse_rfc3339(pairs[name]).unwrap();
    let window = time("startTime")..=time("endTime");
    let begins = |spans: &Trace| {
        let began = |span: &Span| UNIX_EPOCH + Duration::from_nanos(span.start_time_unix_nano);
        spans.iter().any(|(_, span)| window.contains(&began(span)))
    };
    let after: Vec<u8> = pairs.get("pageToken").map_or(Vec::new(), |token| {
        let id = token.strip_prefix("after/").unwrap().as_bytes();
        let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        id.chunks(2).map(byte).collect()
    });
    let rest = traces.range((Excluded(after), Unbounded));
    let mut rest = rest.filter(|(_, spans)| begins(spans)).peekable();
    let mut page = Vec::new();
    let mut last = String::new();
    while let Some((id, spans)) = rest.next_if(|_| page.len() < size) {
        last = hex(id);
        page.push(trace(id, spans));
    }
    match (page.is_empty(), rest.peek()) {
        (true, _) => json!({}),
        (_, Some(_)) => json!({"traces": page, "nextPageToken": format!("after/{last}")}),
        (_, None) => json!({"traces": page}),
    }
}

fn trace(id: &[u8], spans: &Trace) -> serde_json::Value {
    let spans: Vec<_> = spans
        .iter()
        .map(|(resource, s)| span(resource.as_ref(), s))
        .collect();
    json!({"projectId": "p", "traceId": hex(id), "spans": spans})
}

fn span(resource: Option<&Resource>, span: &Span) -> serde_json::Value {
    let time = |ns| {
        let time = UNIX_EPOCH + Duration::from_nanos(ns);
        humantime::format_rfc3339_nanos(time).to_string()
    };
    let id = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_be_bytes).to_string();
    let attributes = resource
        .iter()
        .flat_map(|r| &r.attributes)
        .chain(&span.attributes);
    let mut labels: BTreeMap<&str, String> = attributes.filter_map(label).collect();
    if span.status.as_ref().is_some_and(|status| status.code == 2) {
        labels.insert(
            "/error/message",
            span.status.as_ref().unwrap().message.clone(),
        );
    }
    let mut span_json = json!({
        "spanId": id(&span.span_id), "name": span.name, "labels": labels,
        "startTime": time(span.start_time_unix_nano), "endTime": time(span.end_time_unix_nano),
    });
    if !span.parent_span_id.is_empty() {
        span_json["parentSpanId"] = id(&span.parent_span_id).into();
    }
    match span.kind {
        2 => span_json["kind"] = "RPC_SERVER".into(),
        3 => span_json["kind"] = "RPC_CLIENT".into(),
        _ => {}
    }
    span_json
}

fn label(attribute: &KeyValue) -> Option<(&str, String)> {
    let text = match attribute.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        Value::BoolValue(truth) => truth.to_string(),
        Value::DoubleValue(number) => number.to_string(),
        _ => return None,
    };
    Some((&attribute.key, text))
}
