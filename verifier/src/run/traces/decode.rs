//! A lean walk over the bytes of an `ExportTraceServiceRequest`: the fields that a span row needs,
//! borrowed from the message; everything else is skipped.
//!
//! Format: opentelemetry-proto 1.x, `collector/trace/v1/trace_service.proto`, `trace/v1/trace.proto`.
//! Whatever a full decoder takes is taken, and gives the same. Some that it refuses is taken, too: the inside of what is skipped
//! (events, links, values of other attributes) is not looked at, and text is not checked to be UTF-8.

use super::wire::{Fields, Malformed};

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
    pub kind: i32,
    /// Unix nanoseconds.
    pub start_unix_ns: u64,
    /// Unix nanoseconds.
    pub end_unix_ns: u64,
    /// `StatusCode` on the wire.
    pub status: i32,
    /// Status message.
    pub status_message: &'a [u8],
    /// `http.response.status_code`, else its older name `http.status_code`; 0 for neither.
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
    let (mut http_status, mut old_http_status) = (None, None);
    let mut fields = Fields(message);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => span.trace_id = value.bytes()?,
            2 => span.span_id = value.bytes()?,
            4 => span.parent_span_id = value.bytes()?,
            5 => span.name = value.bytes()?,
            6 => span.kind = value.number()?,
            7 => span.start_unix_ns = value.fixed64()?,
            8 => span.end_unix_ns = value.fixed64()?,
            9 => match key_value(value.bytes()?)? {
                (b"http.response.status_code", AnyValue::Int(code)) => http_status = Some(code),
                (b"http.status_code", AnyValue::Int(code)) => old_http_status = Some(code),
                (b"error.type", AnyValue::Text(text)) => span.error_type = text,
                _ => {}
            },
            15 => status(&mut span, value.bytes()?)?,
            _ => {}
        }
    }
    // A sender in transition sends both names.
    span.http_status = http_status.or(old_http_status).unwrap_or(0);
    Ok(span)
}

fn status<'a>(span: &mut RawSpan<'a>, message: &'a [u8]) -> Result<(), Malformed> {
    let mut fields = Fields(message);
    while let Some((number, value)) = fields.next()? {
        match number {
            2 => span.status_message = value.bytes()?,
            3 => span.status = value.number()?,
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
                        2 | 4..=8 => AnyValue::Other,
                        // Unknown: not one of the oneof's, so what stood before still stands.
                        _ => any,
                    };
                }
            }
            _ => {}
        }
    }
    Ok((key, any))
}

#[cfg(test)]
mod tests;
