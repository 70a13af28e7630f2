//! A connection on the short way: whole requests in, answers out, one read and one write for each;
//! until something comes that is for hyper.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    pin::{Pin, pin},
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
};

use super::{
    connection::{Activity, State},
    shortcut::Shortcut,
};

/// What is read at once; a request that does not fit takes the long way.
const READ_BYTES: usize = 16 << 10;

/// A thread's buffers: a connection holds memory only while it is on the long way.
struct Buffers {
    received: Box<[u8]>,
    answers: Vec<u8>,
}

thread_local! {
    static BUFFERS: RefCell<Buffers> = RefCell::new(Buffers {
        received: vec![0; READ_BYTES].into(),
        answers: Vec::with_capacity(READ_BYTES),
    });
}

/// What one read came to.
enum Next {
    /// Answered.
    On,
    /// Answered, but for these bytes, which the socket did not take yet.
    Write(Vec<u8>),
    /// These bytes are for hyper; the answers before them are out but for the first ones.
    LongWay { unsent: Vec<u8>, received: Vec<u8> },
    /// The client has left, or the connection broke.
    Over,
}

/// Serves as long as the short way lasts. Gives the bytes that are hyper's to begin with; `None`
/// when the connection is over.
pub(super) async fn serve(
    stream: &mut TcpStream,
    service: &impl Shortcut,
    activity: &Activity,
) -> Option<Vec<u8>> {
    let mut told = pin!(activity.told.notified());
    loop {
        let next = poll_fn(|cx| {
            if let Poll::Ready(next) = step(stream, service, activity, cx) {
                return Poll::Ready(next);
            }
            // Between requests: to finish and to abort are the same.
            told.as_mut().poll(cx).map(|()| Next::Over)
        });
        let (unsent, received) = match next.await {
            Next::On => continue,
            Next::Over => return None,
            Next::Write(unsent) => (unsent, None),
            Next::LongWay { unsent, received } => (unsent, Some(received)),
        };
        if !unsent.is_empty() {
            activity.set(State::Busy);
            let mut writing = pin!(stream.write_all(&unsent));
            let mut finish = false;
            loop {
                tokio::select! {
                    written = writing.as_mut() => {
                        written.ok()?;
                        break;
                    }
                    () = told.as_mut() => {}
                }
                if activity.is_aborted() {
                    return None;
                }
                finish = true;
                told.set(activity.told.notified());
            }
            activity.set(State::Idle);
            if finish {
                received.as_ref()?;
                // Hyper is to know it, too.
                activity.finish();
            }
        }
        if received.is_some() {
            return received;
        }
    }
}

/// One read, and what follows from it.
fn step(
    stream: &mut TcpStream,
    service: &impl Shortcut,
    activity: &Activity,
    cx: &mut Context<'_>,
) -> Poll<Next> {
    BUFFERS.with_borrow_mut(|Buffers { received, answers }| {
        let mut buffer = ReadBuf::new(received);
        match Pin::new(&mut *stream).poll_read(cx, &mut buffer) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(_)) => return Poll::Ready(Next::Over),
            Poll::Ready(Ok(())) => {}
        }
        let received = buffer.filled();
        if received.is_empty() {
            return Poll::Ready(Next::Over);
        }
        answers.clear();
        let mut at = 0;
        // A client that is to leave is told so by hyper.
        while at < received.len() && !activity.is_leaving() {
            match service.answer(&received[at..], answers) {
                Some(bytes) => at += bytes,
                None => break,
            }
        }
        if at > 0 {
            activity.set(State::Idle);
        }
        let Ok(unsent) = write(stream, answers, cx) else {
            return Poll::Ready(Next::Over);
        };
        Poll::Ready(match (unsent, &received[at..]) {
            ([], []) => Next::On,
            (unsent, []) => Next::Write(unsent.to_vec()),
            (unsent, received) => Next::LongWay {
                unsent: unsent.to_vec(),
                received: received.to_vec(),
            },
        })
    })
}

/// Writes what the socket takes; gives the rest.
fn write<'a>(
    stream: &mut TcpStream,
    answers: &'a [u8],
    cx: &mut Context<'_>,
) -> io::Result<&'a [u8]> {
    let mut rest = answers;
    while !rest.is_empty() {
        match Pin::new(&mut *stream).poll_write(cx, rest) {
            Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
            Poll::Ready(Ok(written)) => rest = &rest[written..],
            Poll::Ready(Err(error)) => return Err(error),
            Poll::Pending => break,
        }
    }
    Ok(rest)
}
