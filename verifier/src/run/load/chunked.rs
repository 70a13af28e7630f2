//! A chunked body, followed as its bytes come: it gives where the body ends, and holds nothing of it.
//!
//! RFC 9112 section 7.1. A line may end with a bare LF, as in a head; a CR must have its LF.

/// Longest chunk-size line, extensions included.
const LONGEST_LINE: usize = 4 << 10;
/// Longest trailer section.
const LONGEST_TRAILERS: usize = 64 << 10;

/// How far a chunked body has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunked {
    at: At,
    /// The last byte was the CR of a line's end.
    cr: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Size { size: u64, digits: u8, line: usize },
    Extension { size: u64, line: usize },
    Data(u64),
    DataEnd,
    Trailers { line: usize, total: usize },
    Whole,
}

const NEXT_CHUNK: At = At::Size {
    size: 0,
    digits: 0,
    line: 0,
};

impl Chunked {
    pub(super) const START: Chunked = Chunked {
        at: NEXT_CHUNK,
        cr: false,
    };

    /// Takes what belongs to the body off the front of `data`; true when the body is whole.
    pub(super) fn take(&mut self, data: &mut &[u8]) -> Result<bool, &'static str> {
        while let Some((&byte, rest)) = data.split_first() {
            if let At::Data(left) = &mut self.at {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(data.len());
                *data = &data[taken..];
                *left -= taken as u64;
                if *left == 0 {
                    self.at = At::DataEnd;
                }
                continue;
            }
            *data = rest;
            self.byte(byte)?;
            if self.at == At::Whole {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn byte(&mut self, byte: u8) -> Result<(), &'static str> {
        if std::mem::replace(&mut self.cr, byte == b'\r') && byte != b'\n' {
            return Err("a carriage return in the midst of a line of a chunked body");
        }
        self.at = match (self.at, byte) {
            (At::Size { digits: 0, .. }, b'\r' | b'\n') => return Err("a chunk has no size"),
            (At::Size { size, line, .. } | At::Extension { size, line }, b'\r') => {
                At::Extension { size, line }
            }
            (At::Size { size, .. } | At::Extension { size, .. }, b'\n') => match size {
                0 => At::Trailers { line: 0, total: 0 },
                _ => At::Data(size),
            },
            (At::Size { size, digits, line }, byte) => size_digit(size, digits, line, byte)?,
            (
                At::Extension {
                    line: LONGEST_LINE..,
                    ..
                },
                _,
            ) => {
                return Err("a chunk's size line is too long");
            }
            (At::Extension { size, line }, _) => At::Extension {
                size,
                line: line + 1,
            },
            (At::DataEnd, b'\r') => At::DataEnd,
            (At::DataEnd, b'\n') => NEXT_CHUNK,
            (At::DataEnd | At::Data(_), _) => return Err("a chunk does not end where it said"),
            (
                At::Trailers {
                    total: LONGEST_TRAILERS..,
                    ..
                },
                _,
            ) => {
                return Err("the trailers are larger than 64 KiB");
            }
            (At::Trailers { line: 0, .. }, b'\n') | (At::Whole, _) => At::Whole,
            (At::Trailers { total, .. }, b'\n') => At::Trailers {
                line: 0,
                total: total + 1,
            },
            (At::Trailers { line, total }, b'\r') => At::Trailers {
                line,
                total: total + 1,
            },
            (At::Trailers { line, total }, _) => At::Trailers {
                line: line + 1,
                total: total + 1,
            },
        };
        Ok(())
    }
}

fn size_digit(size: u64, digits: u8, line: usize, byte: u8) -> Result<At, &'static str> {
    let line = line + 1;
    match (byte, char::from(byte).to_digit(16)) {
        (b';' | b' ' | b'\t', _) if digits > 0 => Ok(At::Extension { size, line }),
        (_, Some(digit)) if digits < 15 => Ok(At::Size {
            size: size << 4 | u64::from(digit),
            digits: digits + 1,
            line,
        }),
        _ => Err("a chunk's size is not a number"),
    }
}
