//! OTLP/JSON: one `TracesData` or `ExportTraceServiceRequest` in, the fields that a span row needs out.
//!
//! Format: opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding": lowerCamelCase names, ids in hex, 64-bit
//! numbers as text or number, enums as number (their names are taken, too), null for whatever is not set.
//! Unknown names are skipped.

use super::decode::RawSpan;
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
use std::borrow::Cow;
use std::fmt::Formatter;

/// Calls `span` as [`super::walk`] does; an id that is not hex is given empty, as a malformed one.
///
/// # Errors
/// When the text is no such JSON; nothing has then been given.
pub fn walk_json(
    text: &[u8],
    span: impl FnMut(&[u8], &RawSpan<'_>),
) -> Result<(), serde_json::Error> {
    serde_json::from_slice::<TracesJson<'_>>(text)?.walk(span);
    Ok(())
}

/// `TracesData`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct TracesJson<'a> {
    #[serde(borrow)]
    resource_spans: Option<Vec<ResourceSpans<'a>>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ResourceSpans<'a> {
    #[serde(borrow)]
    resource: Option<Resource<'a>>,
    #[serde(borrow)]
    scope_spans: Option<Vec<ScopeSpans<'a>>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Resource<'a> {
    #[serde(borrow)]
    attributes: Option<Vec<KeyValue<'a>>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ScopeSpans<'a> {
    #[serde(borrow)]
    spans: Option<Vec<Span<'a>>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Span<'a> {
    #[serde(borrow)]
    trace_id: Text<'a>,
    #[serde(borrow)]
    span_id: Text<'a>,
    #[serde(borrow)]
    parent_span_id: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    kind: Number,
    start_time_unix_nano: Number,
    end_time_unix_nano: Number,
    #[serde(borrow)]
    attributes: Option<Vec<KeyValue<'a>>>,
    #[serde(borrow)]
    status: Option<Status<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status<'a> {
    #[serde(borrow)]
    message: Text<'a>,
    code: Number,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct KeyValue<'a> {
    #[serde(borrow)]
    key: Text<'a>,
    #[serde(borrow)]
    value: Option<AnyValue<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct AnyValue<'a> {
    #[serde(borrow)]
    string_value: Text<'a>,
    int_value: Option<Number>,
}

/// Borrowed where nothing in it is escaped.
#[derive(Default)]
struct Text<'a>(Cow<'a, str>);

impl Text<'_> {
    fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text<'a>, D::Error> {
        deserializer.deserialize_any(TextOrNull)
    }
}

struct TextOrNull;

impl<'de> Visitor<'de> for TextOrNull {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E: Error>(self) -> Result<Text<'de>, E> {
        Ok(Text::default())
    }
}

/// A 64-bit number, or the name of a `SpanKind` or `StatusCode`.
#[derive(Clone, Copy, Default)]
pub(super) struct Number(pub(super) u64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Number, D::Error> {
        deserializer.deserialize_any(NumberOrName)
    }
}

struct NumberOrName;

impl Visitor<'_> for NumberOrName {
    type Value = Number;

    fn expecting(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str("a 64-bit number, as number or as text")
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Number, E> {
        Ok(Number(value))
    }

    /// As protobuf has it: two's complement.
    #[allow(clippy::cast_sign_loss, reason = "as on the wire")]
    fn visit_i64<E: Error>(self, value: i64) -> Result<Number, E> {
        Ok(Number(value as u64))
    }

    fn visit_unit<E: Error>(self) -> Result<Number, E> {
        Ok(Number(0))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Number, E> {
        if let Ok(value) = text.parse::<u64>() {
            return Ok(Number(value));
        }
        if let Ok(value) = text.parse::<i64>() {
            return self.visit_i64(value);
        }
        let number = match text {
            "SPAN_KIND_UNSPECIFIED" | "STATUS_CODE_UNSET" => 0,
            "SPAN_KIND_INTERNAL" | "STATUS_CODE_OK" => 1,
            "SPAN_KIND_SERVER" | "STATUS_CODE_ERROR" => 2,
            "SPAN_KIND_CLIENT" => 3,
            "SPAN_KIND_PRODUCER" => 4,
            "SPAN_KIND_CONSUMER" => 5,
            _ => return Err(E::custom(format!("{text:?} is no number"))),
        };
        Ok(Number(number))
    }
}

impl TracesJson<'_> {
    /// Calls `span` with each span and the sender's name.
    pub(super) fn walk(&self, mut span: impl FnMut(&[u8], &RawSpan<'_>)) {
        for of_resource in self.resource_spans.iter().flatten() {
            let resource = of_resource.resource.as_ref();
            let sender = sender(resource.and_then(|r| r.attributes.as_deref()));
            let scopes = of_resource.scope_spans.iter().flatten();
            let spans = scopes.flat_map(|scope| scope.spans.iter().flatten());
            spans.for_each(|found| found.give(sender, &mut span));
        }
    }
}

/// The value of the attribute with this key.
fn value<'a, 'j>(attributes: Option<&'a [KeyValue<'j>]>, key: &str) -> Option<&'a AnyValue<'j>> {
    let found = attributes?.iter().rev().find(|a| a.key.0 == key)?;
    found.value.as_ref()
}

/// As [`super::walk`] names it.
fn sender<'a>(attributes: Option<&'a [KeyValue<'_>]>) -> &'a [u8] {
    ["k8s.pod.name", "service.instance.id", "service.name"]
        .iter()
        .filter_map(|key| value(attributes, key))
        .map(|value| value.string_value.bytes())
        .find(|name| !name.is_empty())
        .unwrap_or_default()
}

impl Span<'_> {
    fn give(&self, sender: &[u8], span: &mut impl FnMut(&[u8], &RawSpan<'_>)) {
        let value = |key: &str| value(self.attributes.as_deref(), key);
        let int = |key: &str| value(key)?.int_value.map(|number| number.0);
        let status = self.status.as_ref();
        let [mut trace_id, mut span_id, mut parent_span_id] = [[0; 16]; 3];
        let narrow = |number: Number| i32::try_from(number.0).unwrap_or(0);
        span(
            sender,
            &RawSpan {
                trace_id: unhex(self.trace_id.bytes(), &mut trace_id),
                span_id: unhex(self.span_id.bytes(), &mut span_id),
                parent_span_id: unhex(self.parent_span_id.bytes(), &mut parent_span_id),
                name: self.name.bytes(),
                kind: narrow(self.kind),
                start_unix_ns: self.start_time_unix_nano.0,
                end_unix_ns: self.end_time_unix_nano.0,
                status: status.map_or(0, |status| narrow(status.code)),
                status_message: status.map_or(&[], |status| status.message.bytes()),
                http_status: int("http.response.status_code")
                    .or_else(|| int("http.status_code"))
                    .unwrap_or(0),
                error_type: value("error.type").map_or(&[], |value| value.string_value.bytes()),
            },
        );
    }
}

/// The bytes that the hex text stands for; none when it is no hex or too long. A parent of zeros is no parent.
pub(super) fn unhex<'a>(text: &[u8], room: &'a mut [u8; 16]) -> &'a [u8] {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let bytes = text.len() / 2;
    if !text.len().is_multiple_of(2) || bytes > room.len() {
        return &[];
    }
    for (byte, pair) in room.iter_mut().zip(text.chunks_exact(2)) {
        match (digit(pair[0]), digit(pair[1])) {
            #[allow(clippy::cast_possible_truncation, reason = "two hex digits")]
            (Some(high), Some(low)) => *byte = (high << 4 | low) as u8,
            _ => return &[],
        }
    }
    &room[..bytes]
}

#[cfg(test)]
mod tests;
