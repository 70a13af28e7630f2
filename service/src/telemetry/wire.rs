//! The few pieces of the protobuf wire format that OTLP needs: lengths, then bytes
//! (protobuf.dev/programming-guides/encoding). Each `*_len` says exactly what its `put_*` writes.

/// Bytes that `value` takes as a varint.
#[inline]
pub(super) fn varint_len(value: u64) -> usize {
    // Seven bits a byte, without division or branch: prost's formula.
    ((value | 1).ilog2() as usize * 9 + 73) / 64
}

/// Appends `value` as a varint.
#[inline]
pub(super) fn put_varint(buf: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        buf.push(value as u8 | 0x80);
        value >>= 7;
    }
    buf.push(value as u8);
}

/// Bytes of a length-delimited field whose tag is one byte (field number below 16).
#[inline]
pub(super) fn field_len(content: usize) -> usize {
    1 + varint_len(content as u64) + content
}

/// Starts a length-delimited field; its content must follow.
#[inline]
pub(super) fn put_head(buf: &mut Vec<u8>, field: u8, content: usize) {
    buf.push(field << 3 | 2);
    put_varint(buf, content as u64);
}

/// Bytes of a string field; proto3 leaves out the empty one.
#[inline]
pub(super) fn text_len(text: &str) -> usize {
    if text.is_empty() {
        0
    } else {
        field_len(text.len())
    }
}

/// Appends a string field, unless it is empty.
#[inline]
pub(super) fn put_text(buf: &mut Vec<u8>, field: u8, text: &str) {
    if !text.is_empty() {
        put_head(buf, field, text.len());
        buf.extend_from_slice(text.as_bytes());
    }
}

/// Bytes of an unsigned count; proto3 leaves out zero.
#[inline]
pub(super) fn count_len(count: u32) -> usize {
    if count == 0 {
        0
    } else {
        1 + varint_len(count.into())
    }
}

/// Appends an unsigned count, unless it is zero.
#[inline]
pub(super) fn put_count(buf: &mut Vec<u8>, field: u8, count: u32) {
    if count != 0 {
        buf.push(field << 3);
        put_varint(buf, count.into());
    }
}

/// What can be written as `opentelemetry.proto.common.v1.AnyValue`.
pub(super) trait AnyValue {
    /// Bytes of the message's content.
    fn len(&self) -> usize;
    /// Appends the message's content.
    fn put(&self, buf: &mut Vec<u8>);
}

/// Bytes of a `KeyValue` message's content.
#[inline]
pub(super) fn key_value_len(key: &str, value: &impl AnyValue) -> usize {
    text_len(key) + field_len(value.len())
}

/// Appends a `KeyValue` as the given field.
#[inline]
pub(super) fn put_key_value(buf: &mut Vec<u8>, field: u8, key: &str, value: &impl AnyValue) {
    let value_len = value.len();
    put_head(buf, field, text_len(key) + field_len(value_len));
    put_text(buf, 1, key);
    put_head(buf, 2, value_len);
    value.put(buf);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_have_the_length_they_say() {
        for shift in 0..64 {
            for value in [1_u64 << shift, (1_u64 << shift) - 1, (1_u64 << shift) + 1] {
                let mut buf = Vec::new();
                put_varint(&mut buf, value);
                assert_eq!(buf.len(), varint_len(value), "{value}");
            }
        }
        assert_eq!(varint_len(u64::MAX), 10);
    }
}
