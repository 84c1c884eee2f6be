//! A stream that remembers what TLS said when it ended.
//!
//! In TLS 1.3 a client learns only after the handshake that its certificate is refused: by an alert in place of the first
//! answer. HTTP/2 then only says that the connection is gone, and drops the reason.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What TLS said, once it did.
#[derive(Debug, Clone, Default)]
pub(crate) struct Note(Arc<Mutex<Option<rustls::Error>>>);

impl Note {
    pub(crate) fn read(&self) -> Option<rustls::Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn write<T>(&self, outcome: io::Result<T>) -> io::Result<T> {
        outcome.inspect_err(|error| {
            if let Some(said) = error.get_ref().and_then(|inner| inner.downcast_ref()) {
                let mut note = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                *note = Some(rustls::Error::clone(said));
            }
        })
    }
}

/// The stream.
#[derive(Debug)]
pub(crate) struct Noted<S> {
    pub(crate) inner: S,
    pub(crate) note: Note,
}

impl<S: AsyncRead + Unpin> AsyncRead for Noted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let outcome = ready!(Pin::new(&mut self.inner).poll_read(context, into));
        Poll::Ready(self.note.write(outcome))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Noted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = ready!(Pin::new(&mut self.inner).poll_write(context, bytes));
        Poll::Ready(self.note.write(outcome))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = ready!(Pin::new(&mut self.inner).poll_flush(context));
        Poll::Ready(self.note.write(outcome))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
