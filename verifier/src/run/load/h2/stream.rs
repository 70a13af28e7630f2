//! One request in flight, and its answer as it comes: the status and the end. The body is counted, not kept.

use crate::run::load::connection::Pending;
use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::{Error, Reason, RecvStream, SendStream};
use http::{HeaderMap, Response};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A request that was sent.
pub(super) struct Stream {
    pub(super) connection: usize,
    pub(super) pending: Pending,
    /// When it is given up.
    pub(super) deadline_ns: u64,
    /// Bytes that had come over the connection when it was sent.
    pub(super) heard_bytes: u64,
    answer: Answer,
    upload: SendStream<Bytes>,
    /// Names and values of the answer's header fields, and its body.
    pub(super) bytes: u64,
}

enum Answer {
    Head(ResponseFuture),
    Body(u16, RecvStream),
}

impl Stream {
    pub(super) fn new(
        connection: usize,
        pending: Pending,
        deadline_ns: u64,
        heard_bytes: u64,
        (answer, upload): (ResponseFuture, SendStream<Bytes>),
    ) -> Stream {
        Stream {
            connection,
            pending,
            deadline_ns,
            heard_bytes,
            answer: Answer::Head(answer),
            upload,
            bytes: 0,
        }
    }

    /// Takes in what has come; the status once the answer is whole.
    ///
    /// # Errors
    /// When it will never be: the stream was reset, the connection ended, or this is no answer.
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
        now: impl Fn() -> u64,
    ) -> Poll<Result<u16, Error>> {
        loop {
            match &mut self.answer {
                Answer::Head(answer) => {
                    while let Poll::Ready(Some(interim)) = answer.poll_informational(context) {
                        self.bytes += head_bytes(&interim?);
                        begun(&mut self.pending, &now);
                    }
                    let response = ready!(Pin::new(answer).poll(context))?;
                    self.bytes += head_bytes(&response);
                    begun(&mut self.pending, &now);
                    let status = response.status().as_u16();
                    if !(200..600).contains(&status) {
                        return Poll::Ready(Err(Reason::PROTOCOL_ERROR.into()));
                    }
                    self.answer = Answer::Body(status, response.into_body());
                }
                Answer::Body(status, body) => {
                    while let Some(data) = ready!(body.poll_data(context)) {
                        let length = data?.len();
                        self.bytes += length as u64;
                        body.flow_control().release_capacity(length)?;
                    }
                    if let Some(trailers) = ready!(body.poll_trailers(context))? {
                        self.bytes += fields_bytes(&trailers);
                    }
                    return Poll::Ready(Ok(*status));
                }
            }
        }
    }

    /// Tells the server that nobody wants the answer any more.
    pub(super) fn cancel(mut self) {
        self.upload.send_reset(Reason::CANCEL);
    }
}

fn begun(pending: &mut Pending, now: impl Fn() -> u64) {
    if pending.first_byte_ns == 0 {
        pending.first_byte_ns = now();
    }
}

fn head_bytes<T>(response: &Response<T>) -> u64 {
    ":status200".len() as u64 + fields_bytes(response.headers())
}

fn fields_bytes(fields: &HeaderMap) -> u64 {
    let each = fields.iter();
    each.map(|(name, value)| (name.as_str().len() + value.len()) as u64)
        .sum()
}
