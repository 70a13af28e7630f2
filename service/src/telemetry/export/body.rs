//! A request body made of pieces that already exist: nothing is copied, and a second attempt sends
//! the same pieces. With gzip, the pieces become one.

use std::{
    collections::VecDeque,
    convert::Infallible,
    io::Write,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{BufMut, Bytes, BytesMut};
use flate2::{Compression, write::GzEncoder};
use http_body::{Body, Frame, SizeHint};

/// Pieces yet to be sent.
#[derive(Clone, Debug)]
pub(super) struct Pieces {
    pieces: VecDeque<Bytes>,
    len: u64,
}

impl Pieces {
    pub(super) fn new(pieces: Vec<Bytes>) -> Pieces {
        let len = pieces.iter().map(|piece| piece.len() as u64).sum();
        Pieces {
            pieces: pieces.into(),
            len,
        }
    }

    /// The same content, compressed.
    pub(super) fn gzip(self) -> Pieces {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        for piece in &self.pieces {
            // Writing to memory does not fail.
            let _ = encoder.write_all(piece);
        }
        Pieces::new(vec![encoder.finish().unwrap_or_default().into()])
    }

    /// As one gRPC message: a byte that says whether it is compressed, its length, itself
    /// (github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
    pub(super) fn grpc_message(mut self, compressed: bool) -> Pieces {
        let mut head = BytesMut::with_capacity(5);
        head.put_u8(u8::from(compressed));
        head.put_u32(u32::try_from(self.len).unwrap_or(u32::MAX));
        self.pieces.push_front(head.freeze());
        self.len += 5;
        self
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.pieces.pop_front();
        if let Some(piece) = &piece {
            self.len -= piece.len() as u64;
        }
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.len)
    }
}
