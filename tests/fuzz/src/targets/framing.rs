//! Request framing, against hyper's parser and against itself: never a smuggled or lost request.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use signerd::fuzzing::{FramedRequest, FramingEnd, framing};

use super::choices::Choices;

/// The first byte chooses the pieces in which the rest arrives.
pub(crate) fn run(data: &[u8]) {
    let mut choices = Choices::new(data);
    let piece_bytes = 1 + choices.below(64);
    let wire = choices.rest();
    let (requests, end) = framing(wire, usize::MAX);
    let (in_pieces, end_in_pieces) = framing(wire, piece_bytes);
    assert_eq!(
        requests, in_pieces,
        "pieces of {piece_bytes} bytes change a request"
    );
    // What is refused as a whole may be refused later, or otherwise, in pieces, but is never served.
    let is_open = |end| matches!(end, FramingEnd::Waits);
    assert!(
        end == end_in_pieces || !is_open(end),
        "{end:?}, but {end_in_pieces:?} in pieces of {piece_bytes} bytes"
    );
    let theirs = read_by_hyper(wire);
    compare(&requests, end, &theirs);
}

/// What hyper made of a request.
#[derive(Debug)]
struct TheirRequest {
    method: String,
    query: String,
    path: String,
    /// `None` when the body did not end.
    body: Option<Vec<u8>>,
}

fn compare(ours: &[FramedRequest], end: FramingEnd, theirs: &[TheirRequest]) {
    for (index, our) in ours.iter().enumerate() {
        // A stricter reader may end the connection earlier; a request that both serve must be the same.
        let Some(their) = theirs.get(index) else {
            return;
        };
        let Some(body) = &their.body else {
            return;
        };
        let is_known = our.method != "OTHER";
        assert!(
            !is_known || our.method == their.method,
            "{our:?}, but {their:?}"
        );
        assert_eq!(&our.body, body, "{our:?}, but {their:?}");
        assert_eq!(our.query, their.query, "{our:?}, but {their:?}");
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'/';
        let is_normal = their.path.bytes().all(is_plain) && !their.path.contains("//");
        if is_normal && their.path.starts_with('/') {
            let normal = match their.path.trim_end_matches('/') {
                "" => "/",
                path => path,
            };
            assert_eq!(our.path, normal, "{our:?}, but {their:?}");
        }
    }
    // Where we wait for bytes, another reader must not have seen the end of a further request.
    let further = theirs.get(ours.len()).filter(|their| their.body.is_some());
    if let (FramingEnd::Waits, Some(lost)) = (end, further) {
        panic!("lost: {lost:?} after {ours:?}");
    }
}

fn read_by_hyper(wire: &[u8]) -> Vec<TheirRequest> {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let seen = Rc::clone(&seen);
        async move {
            let index = seen.borrow().len();
            seen.borrow_mut().push(TheirRequest {
                method: request.method().to_string(),
                query: request.uri().query().unwrap_or_default().to_owned(),
                path: request.uri().path().to_owned(),
                body: None,
            });
            let body = read_body(request.into_body()).await;
            seen.borrow_mut()[index].body = body;
            Ok::<_, Infallible>(hyper::Response::new(NoBody))
        }
    });
    let wire = Wire(wire.to_vec(), 0);
    let mut connection = pin!(
        http1::Builder::new()
            .header_read_timeout(None)
            .half_close(true)
            .serve_connection(wire, service)
    );
    let mut context = Context::from_waker(Waker::noop());
    // The wire is always ready, so that each poll makes progress.
    for _ in 0..10_000 {
        if connection.as_mut().poll(&mut context).is_ready() {
            break;
        }
    }
    seen.take()
}

async fn read_body(mut body: Incoming) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let frame = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        match frame {
            None => return Some(bytes),
            Some(Err(_)) => return None,
            Some(Ok(frame)) => bytes.extend_from_slice(frame.data_ref().unwrap_or(&Bytes::new())),
        }
    }
}

/// Gives its bytes at once, then the end, and takes everything.
struct Wire(Vec<u8>, usize);

impl Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let end = self.0.len().min(self.1 + buffer.remaining());
        buffer.put_slice(&self.0[self.1..end]);
        self.1 = end;
        Poll::Ready(Ok(()))
    }
}

impl Write for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

struct NoBody;

impl Body for NoBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }
}
