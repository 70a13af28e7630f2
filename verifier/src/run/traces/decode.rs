//! A lean walk over the bytes of an `ExportTraceServiceRequest`: the fields that a span row needs,
//! borrowed from the message; everything else is skipped.
//!
//! Formats: the protobuf wire format (protobuf.dev/programming-guides/encoding) and
//! opentelemetry-proto 1.x, `collector/trace/v1/trace_service.proto`, `trace/v1/trace.proto`. Differences to a full decoder:
//! groups (wire types 3 and 4), which OTLP has never had, are malformed; text is not checked to be UTF-8.

use thiserror::Error;

/// The bytes are no protobuf message, or none of this shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("malformed protobuf: {0}")]
pub struct Malformed(&'static str);

/// One span as it stands in the message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RawSpan<'a> {
    /// 16 bytes in a valid span.
    pub trace_id: &'a [u8],
    /// 8 bytes in a valid span.
    pub span_id: &'a [u8],
    /// 8 bytes, or none for a root.
    pub parent_span_id: &'a [u8],
    /// Span name.
    pub name: &'a [u8],
    /// `SpanKind` on the wire.
    pub kind: u64,
    /// Unix nanoseconds.
    pub start_unix_ns: u64,
    /// Unix nanoseconds.
    pub end_unix_ns: u64,
    /// `StatusCode` on the wire.
    pub status: u64,
    /// Status message.
    pub status_message: &'a [u8],
    /// `http.response.status_code`, or its older name `http.status_code`.
    pub http_status: u64,
    /// `error.type`.
    pub error_type: &'a [u8],
}

/// Calls `span` with each span and the sender's name: the resource's `k8s.pod.name`, else
/// `service.instance.id`, else `service.name`, else nothing.
///
/// # Errors
/// When the message is malformed; `span` has then been called for what stood before.
pub fn walk<'a>(
    message: &'a [u8],
    mut span: impl FnMut(&'a [u8], &RawSpan<'a>),
) -> Result<(), Malformed> {
    let mut fields = Fields(message);
    while let Some((number, value)) = fields.next()? {
        if number == 1 {
            resource_spans(value.bytes()?, &mut span)?;
        }
    }
    Ok(())
}

fn resource_spans<'a>(
    message: &'a [u8],
    span: &mut impl FnMut(&'a [u8], &RawSpan<'a>),
) -> Result<(), Malformed> {
    // The resource may stand behind the spans, so it is looked for first.
    let mut sender = Sender::default();
    let mut fields = Fields(message);
    while let Some((number, value)) = fields.next()? {
        if number == 1 {
            sender.resource(value.bytes()?)?;
        }
    }
    let mut fields = Fields(message);
    while let Some((number, value)) = fields.next()? {
        if number == 2 {
            let mut scope = Fields(value.bytes()?);
            while let Some((number, value)) = scope.next()? {
                if number == 2 {
                    span(sender.name(), &read_span(value.bytes()?)?);
                }
            }
        }
    }
    Ok(())
}

#[derive(Default)]
struct Sender<'a> {
    pod: &'a [u8],
    instance: &'a [u8],
    service: &'a [u8],
}

impl<'a> Sender<'a> {
    fn resource(&mut self, message: &'a [u8]) -> Result<(), Malformed> {
        let mut fields = Fields(message);
        while let Some((number, value)) = fields.next()? {
            if number == 1 {
                let (key, value) = key_value(value.bytes()?)?;
                match (key, value) {
                    (b"k8s.pod.name", AnyValue::Text(text)) => self.pod = text,
                    (b"service.instance.id", AnyValue::Text(text)) => self.instance = text,
                    (b"service.name", AnyValue::Text(text)) => self.service = text,
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn name(&self) -> &'a [u8] {
        [self.pod, self.instance, self.service]
            .into_iter()
            .find(|name| !name.is_empty())
            .unwrap_or_default()
    }
}

fn read_span(message: &[u8]) -> Result<RawSpan<'_>, Malformed> {
    let mut span = RawSpan::default();
    let mut fields = Fields(message);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => span.trace_id = value.bytes()?,
            2 => span.span_id = value.bytes()?,
            4 => span.parent_span_id = value.bytes()?,
            5 => span.name = value.bytes()?,
            6 => span.kind = value.varint()?,
            7 => span.start_unix_ns = value.fixed64()?,
            8 => span.end_unix_ns = value.fixed64()?,
            9 => attribute(&mut span, value.bytes()?)?,
            15 => status(&mut span, value.bytes()?)?,
            _ => {}
        }
    }
    Ok(span)
}

fn attribute<'a>(span: &mut RawSpan<'a>, message: &'a [u8]) -> Result<(), Malformed> {
    match key_value(message)? {
        (b"http.response.status_code" | b"http.status_code", AnyValue::Int(code)) => {
            span.http_status = code
        }
        (b"error.type", AnyValue::Text(text)) => span.error_type = text,
        _ => {}
    }
    Ok(())
}

fn status<'a>(span: &mut RawSpan<'a>, message: &'a [u8]) -> Result<(), Malformed> {
    let mut fields = Fields(message);
    while let Some((number, value)) = fields.next()? {
        match number {
            2 => span.status_message = value.bytes()?,
            3 => span.status = value.varint()?,
            _ => {}
        }
    }
    Ok(())
}

enum AnyValue<'a> {
    Text(&'a [u8]),
    Int(u64),
    Other,
}

fn key_value(message: &[u8]) -> Result<(&[u8], AnyValue<'_>), Malformed> {
    let (mut key, mut any): (&[u8], _) = (&[], AnyValue::Other);
    let mut fields = Fields(message);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => key = value.bytes()?,
            2 => {
                let mut inner = Fields(value.bytes()?);
                while let Some((number, value)) = inner.next()? {
                    any = match number {
                        1 => AnyValue::Text(value.bytes()?),
                        3 => AnyValue::Int(value.varint()?),
                        _ => AnyValue::Other,
                    };
                }
            }
            _ => {}
        }
    }
    Ok((key, any))
}

#[derive(Clone, Copy)]
enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32,
}

impl<'a> Wire<'a> {
    fn bytes(self) -> Result<&'a [u8], Malformed> {
        if let Wire::Bytes(bytes) = self {
            Ok(bytes)
        } else {
            Err(Malformed(
                "a field has another wire type than OTLP gives it",
            ))
        }
    }

    fn varint(self) -> Result<u64, Malformed> {
        if let Wire::Varint(value) = self {
            Ok(value)
        } else {
            Err(Malformed(
                "a field has another wire type than OTLP gives it",
            ))
        }
    }

    fn fixed64(self) -> Result<u64, Malformed> {
        if let Wire::Fixed64(value) = self {
            Ok(value)
        } else {
            Err(Malformed(
                "a field has another wire type than OTLP gives it",
            ))
        }
    }
}

/// The fields of one message, in their order.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    #[inline]
    fn next(&mut self) -> Result<Option<(u64, Wire<'a>)>, Malformed> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        if key > u64::from(u32::MAX) || key < 8 {
            return Err(Malformed("a field number is out of range"));
        }
        let value = match key & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(u64::from_le_bytes(*self.take::<8>()?)),
            2 => {
                let len = usize::try_from(self.varint()?).map_err(|_| CUT)?;
                let (bytes, rest) = self.0.split_at_checked(len).ok_or(CUT)?;
                self.0 = rest;
                Wire::Bytes(bytes)
            }
            5 => {
                self.take::<4>()?;
                Wire::Fixed32
            }
            _ => return Err(Malformed("a wire type that OTLP does not use")),
        };
        Ok(Some((key >> 3, value)))
    }

    #[inline]
    fn take<const N: usize>(&mut self) -> Result<&'a [u8; N], Malformed> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(CUT)?;
        self.0 = rest;
        Ok(bytes)
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0_u64;
        for (place, &byte) in self.0.iter().take(10).enumerate() {
            if place == 9 && byte > 1 {
                return Err(Malformed("a varint is longer than 64 bits"));
            }
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                self.0 = &self.0[place + 1..];
                return Ok(value);
            }
        }
        Err(CUT)
    }
}

const CUT: Malformed = Malformed("the message ends inside a field");

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::{AnyValue as Any, KeyValue, any_value::Value};
    use opentelemetry_proto::tonic::resource::v1::Resource;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
    use proptest::collection::vec;
    use proptest::prelude::*;
    use prost::Message;

    fn any_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            ".{0,8}".prop_map(Value::StringValue),
            any::<i64>().prop_map(Value::IntValue),
            any::<bool>().prop_map(Value::BoolValue),
            any::<f64>().prop_map(Value::DoubleValue),
            vec(any::<u8>(), 0..8).prop_map(Value::BytesValue),
        ]
    }

    fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
        let key = prop_oneof![
            Just("http.response.status_code".to_owned()),
            Just("error.type".to_owned()),
            Just("service.name".to_owned()),
            Just("service.instance.id".to_owned()),
            Just("k8s.pod.name".to_owned()),
            "[a-z.]{0,12}",
        ];
        vec((key, any_value()), 0..5).prop_map(|pairs| {
            pairs
                .into_iter()
                .map(|(key, value)| KeyValue {
                    key,
                    value: Some(Any { value: Some(value) }),
                    ..KeyValue::default()
                })
                .collect()
        })
    }

    prop_compose! {
        fn span()(
            trace_id in vec(any::<u8>(), 0..20), span_id in vec(any::<u8>(), 0..10), parent in vec(any::<u8>(), 0..10),
            name in ".{0,12}", kind in 0..6, start: u64, end: u64, attributes in attributes(),
            status in proptest::option::of((".{0,6}", 0..3)), dropped: u32,
        ) -> Span {
            Span {
                trace_id, span_id, parent_span_id: parent, name, kind, start_time_unix_nano: start, end_time_unix_nano: end,
                attributes, dropped_attributes_count: dropped, flags: 0x101,
                status: status.map(|(message, code)| Status { message, code }), ..Span::default()
            }
        }
    }

    prop_compose! {
        fn request()(groups in vec((proptest::option::of(attributes()), vec(span(), 0..4)), 0..4)) -> ExportTraceServiceRequest {
            let resource_spans = groups.into_iter().map(|(resource, spans)| ResourceSpans {
                resource: resource.map(|attributes| Resource { attributes, ..Resource::default() }),
                scope_spans: vec![ScopeSpans { spans, ..ScopeSpans::default() }],
                schema_url: "https://opentelemetry.io/schemas/1.40.0".into(),
            }).collect();
            ExportTraceServiceRequest { resource_spans }
        }
    }

    fn last_text<'a>(attributes: &'a [KeyValue], key: &str) -> &'a str {
        let mut texts = attributes.iter().filter(|a| a.key == key).filter_map(|a| {
            match a.value.as_ref()?.value.as_ref()? {
                Value::StringValue(text) => Some(text.as_str()),
                _ => None,
            }
        });
        texts.next_back().unwrap_or("")
    }

    fn last_int(attributes: &[KeyValue], key: &str) -> u64 {
        let mut ints = attributes.iter().filter(|a| a.key == key).filter_map(|a| {
            match a.value.as_ref()?.value.as_ref()? {
                Value::IntValue(int) => Some(int.cast_unsigned()),
                _ => None,
            }
        });
        ints.next_back().unwrap_or(0)
    }

    fn assert_same(request: &ExportTraceServiceRequest, bytes: &[u8]) {
        let mut expected = Vec::new();
        for group in &request.resource_spans {
            let attributes = group.resource.as_ref().map_or(&[][..], |r| &r.attributes);
            let sender = ["k8s.pod.name", "service.instance.id", "service.name"]
                .iter()
                .map(|key| last_text(attributes, key))
                .find(|text| !text.is_empty())
                .unwrap_or("");
            for span in group.scope_spans.iter().flat_map(|s| &s.spans) {
                expected.push((
                    sender.as_bytes(),
                    RawSpan {
                        trace_id: &span.trace_id,
                        span_id: &span.span_id,
                        parent_span_id: &span.parent_span_id,
                        name: span.name.as_bytes(),
                        kind: span.kind as u64,
                        start_unix_ns: span.start_time_unix_nano,
                        end_unix_ns: span.end_time_unix_nano,
                        status: span.status.as_ref().map_or(0, |s| s.code as u64),
                        status_message: span.status.as_ref().map_or(b"", |s| s.message.as_bytes()),
                        http_status: last_int(&span.attributes, "http.response.status_code"),
                        error_type: last_text(&span.attributes, "error.type").as_bytes(),
                    },
                ));
            }
        }
        let mut seen = Vec::new();
        walk(bytes, |sender, span| seen.push((sender, *span))).unwrap();
        assert_eq!(seen, expected);
    }

    proptest! {
        #[test]
        fn sees_what_prost_sees(request in request()) {
            assert_same(&request, &request.encode_to_vec());
        }

        #[test]
        fn a_resource_behind_its_spans_counts(resource in attributes(), span in span()) {
            let resource = ResourceSpans { resource: Some(Resource { attributes: resource, ..Resource::default() }), ..ResourceSpans::default() };
            let spans = ResourceSpans { scope_spans: vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }], ..ResourceSpans::default() };
            // Messages concatenate: the parts of one ResourceSpans in the order given.
            let inner = [spans.encode_to_vec(), resource.encode_to_vec()].concat();
            let mut bytes = vec![0x0a];
            prost::encoding::encode_varint(inner.len() as u64, &mut bytes);
            bytes.extend(inner);
            let request = ExportTraceServiceRequest::decode(&bytes[..]).unwrap();
            assert_same(&request, &bytes);
        }

        #[test]
        fn damage_never_panics_and_is_seen_where_prost_sees_it(request in request(), at: prop::sample::Index, byte: u8, cut: prop::sample::Index) {
            let mut bytes = request.encode_to_vec();
            if !bytes.is_empty() {
                let index = at.index(bytes.len());
                bytes[index] = byte;
                bytes.truncate(cut.index(bytes.len()) + 1);
            }
            let ours = walk(&bytes, |_, _| {});
            let theirs = ExportTraceServiceRequest::decode(&bytes[..]);
            // We skip what prost reads (events, links, UTF-8), so only one direction is promised, but for groups.
            if theirs.is_ok() && let Err(error) = ours {
                prop_assert_eq!(error, Malformed("a wire type that OTLP does not use"));
            }
        }

        #[test]
        fn noise_never_panics(bytes in vec(any::<u8>(), 0..300)) {
            let _ = walk(&bytes, |_, _| {});
        }
    }
}
