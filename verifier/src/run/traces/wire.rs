//! The protobuf wire format: the fields of one message, borrowed from its bytes, in their order.
//!
//! Format: protobuf.dev/programming-guides/encoding. What is malformed here is malformed to prost, too.

use thiserror::Error;

/// The bytes are no protobuf message, or none of the expected shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("malformed protobuf: {0}")]
pub struct Malformed(&'static str);

const CUT: Malformed = Malformed("the message ends inside a field");
const OTHER_TYPE: Malformed = Malformed("a field has another wire type than OTLP gives it");
const TOO_LONG: Malformed = Malformed("a varint is longer than 64 bits");
/// Groups in groups that are followed; each costs a stack frame.
const DEEPEST_GROUP: u32 = 100;

/// One field's value.
#[derive(Clone, Copy)]
pub(super) enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32,
    /// A group, skipped: OTLP has none, but an unknown field may be one.
    Group,
}

impl<'a> Wire<'a> {
    pub(super) fn bytes(self) -> Result<&'a [u8], Malformed> {
        if let Wire::Bytes(bytes) = self {
            Ok(bytes)
        } else {
            Err(OTHER_TYPE)
        }
    }

    pub(super) fn varint(self) -> Result<u64, Malformed> {
        if let Wire::Varint(value) = self {
            Ok(value)
        } else {
            Err(OTHER_TYPE)
        }
    }

    /// An enum's number: 32 bits, of which a sign is extended to 64 on the wire.
    #[allow(clippy::cast_possible_truncation, reason = "the format says so")]
    pub(super) fn number(self) -> Result<i32, Malformed> {
        self.varint().map(|value| value as i32)
    }

    pub(super) fn fixed64(self) -> Result<u64, Malformed> {
        if let Wire::Fixed64(value) = self {
            Ok(value)
        } else {
            Err(OTHER_TYPE)
        }
    }
}

/// What is left of one message.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    /// The next field's number and value.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<(u64, Wire<'a>)>, Malformed> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let (number, kind) = self.key()?;
        Ok(Some((number, self.value(number, kind, DEEPEST_GROUP)?)))
    }

    #[inline]
    fn key(&mut self) -> Result<(u64, u64), Malformed> {
        let key = self.varint()?;
        if key > u64::from(u32::MAX) || key < 8 {
            return Err(Malformed("a field number is out of range"));
        }
        Ok((key >> 3, key & 7))
    }

    #[inline]
    fn value(&mut self, number: u64, kind: u64, depth: u32) -> Result<Wire<'a>, Malformed> {
        Ok(match kind {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(u64::from_le_bytes(*self.take::<8>()?)),
            2 => {
                let len = usize::try_from(self.varint()?).map_err(|_| CUT)?;
                let (bytes, rest) = self.0.split_at_checked(len).ok_or(CUT)?;
                self.0 = rest;
                Wire::Bytes(bytes)
            }
            3 => {
                self.skip_group(number, depth)?;
                Wire::Group
            }
            5 => {
                self.take::<4>()?;
                Wire::Fixed32
            }
            _ => {
                return Err(Malformed(
                    "a wire type that does not exist, or the end of no group",
                ));
            }
        })
    }

    #[cold]
    fn skip_group(&mut self, number: u64, depth: u32) -> Result<(), Malformed> {
        let inner = depth
            .checked_sub(1)
            .ok_or(Malformed("groups are nested too deeply"))?;
        loop {
            match self.key()? {
                (end, 4) if end == number => return Ok(()),
                (field, kind) => drop(self.value(field, kind, inner)?),
            }
        }
    }

    #[inline]
    fn take<const N: usize>(&mut self) -> Result<&'a [u8; N], Malformed> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(CUT)?;
        self.0 = rest;
        Ok(bytes)
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, Malformed> {
        match *self.0 {
            [byte, ref rest @ ..] if byte < 0x80 => {
                self.0 = rest;
                Ok(u64::from(byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0_u64;
        for (place, &byte) in self.0.iter().take(10).enumerate() {
            if place == 9 && byte > 1 {
                return Err(TOO_LONG);
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
