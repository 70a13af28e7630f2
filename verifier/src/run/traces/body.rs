//! A request's body, whole and decompressed, or refused: no sender and no number of senders can make it fill memory.

use super::refusal::Refusal;
use bytes::{Buf, Bytes, BytesMut};
use flate2::read::MultiGzDecoder;
use http::HeaderValue;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::cell::Cell;
use std::io::Read;

/// Largest message after decompression.
pub(super) const LARGEST_MESSAGE: usize = 64 << 20;
/// Largest body: a message and its gRPC frame.
const LARGEST_BODY: usize = LARGEST_MESSAGE + 5;
/// Of bodies that are still coming, all together.
const LARGEST_TOGETHER: usize = 8 * LARGEST_MESSAGE;
/// How much of a refused request is still read, so that a sender that writes all of it before it reads
/// finds the answer and not a reset connection.
const LONGEST_REST: usize = 4 * LARGEST_MESSAGE;

/// What may still be held of bodies that are coming.
pub(super) struct Room(Cell<usize>);

impl Default for Room {
    fn default() -> Room {
        Room(Cell::new(LARGEST_TOGETHER))
    }
}

/// What one body holds of the room; given back when it is dropped, however its request ends.
struct Held<'a> {
    room: &'a Room,
    bytes: usize,
}

impl Held<'_> {
    fn more(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.bytes += bytes;
        if self.bytes > LARGEST_BODY {
            self.bytes -= bytes;
            return Err(Refusal::too_large(LARGEST_MESSAGE));
        }
        let Some(left) = self.room.0.get().checked_sub(bytes) else {
            self.bytes -= bytes;
            return Err(Refusal::not_now("too many requests at once: send again"));
        };
        self.room.0.set(left);
        Ok(())
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.room.0.set(self.room.0.get() + self.bytes);
    }
}

/// Reads a body to its end.
pub(super) async fn read(body: &mut Incoming, room: &Room) -> Result<Bytes, Refusal> {
    let mut held = Held { room, bytes: 0 };
    let mut parts = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| Refusal::torn(format!("the request broke off: {error}")))?;
        if let Ok(part) = frame.into_data() {
            held.more(part.len())?;
            parts.push(part);
        }
    }
    Ok(match <[Bytes; 1]>::try_from(parts) {
        Ok([whole]) => whole,
        Err(parts) => {
            let mut whole = BytesMut::with_capacity(held.bytes);
            parts.iter().for_each(|part| whole.extend_from_slice(part));
            whole.freeze()
        }
    })
}

/// Reads on for the sake of the sender, and keeps nothing.
pub(super) async fn read_rest(body: &mut Incoming) {
    let mut rest = http_body_util::Limited::new(body, LONGEST_REST);
    while let Some(Ok(_)) = rest.frame().await {}
}

/// Takes the named compression off.
pub(super) fn decompress(body: Bytes, encoding: Option<&HeaderValue>) -> Result<Bytes, Refusal> {
    match encoding.map(HeaderValue::as_bytes) {
        None | Some(b"identity") => Ok(body),
        Some(b"gzip") => {
            // Spans shrink to about a fifth; the buffer grows as it must.
            let mut message = Vec::with_capacity((body.len() * 5).min(LARGEST_MESSAGE));
            let mut decoder = MultiGzDecoder::new(body.reader()).take(LARGEST_MESSAGE as u64 + 1);
            decoder
                .read_to_end(&mut message)
                .map_err(|error| Refusal::broken(format!("broken gzip: {error}")))?;
            if message.len() > LARGEST_MESSAGE {
                return Err(Refusal::too_large(LARGEST_MESSAGE));
            }
            Ok(message.into())
        }
        Some(other) => Err(Refusal::compression(format!(
            "compression {:?} is not known here: use gzip or none",
            String::from_utf8_lossy(other)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bodies_together_are_bounded_and_give_their_room_back() {
        let room = Room::default();
        let hold = || Held {
            room: &room,
            bytes: 0,
        };
        let code = |result: Result<(), Refusal>| result.unwrap_err().grpc;
        let mut bodies: Vec<Held<'_>> = (0..8).map(|_| hold()).collect();
        for body in &mut bodies {
            body.more(LARGEST_MESSAGE - 1).unwrap();
            body.more(1).unwrap();
            assert_eq!(code(body.more(6)), 8);
        }
        let mut another = hold();
        assert_eq!(code(another.more(1)), 14);
        bodies.pop();
        another.more(LARGEST_MESSAGE).unwrap();
        drop((bodies, another));
        assert_eq!(room.0.get(), LARGEST_TOGETHER);
    }
}
