//! A listener that speaks TLS and HTTP, as Go's `net/http` does.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

pub(crate) type Body = BoxBody<Bytes, std::io::Error>;

/// A body that is all there.
pub(crate) fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never: Infallible| match never {}).boxed()
}

/// Who a connection belongs to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    /// Whether there was a client certificate; the CA has only one client.
    pub(crate) certificate: bool,
}

/// What answers.
pub(crate) trait Handler: Send + Sync + 'static {
    /// An answer, or an error that drops the connection.
    fn answer(
        &self,
        peer: Peer,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Body>, std::io::Error>> + Send;
}

/// Listens on loopback until the test ends.
pub(crate) async fn listen(
    at: &str,
    tls: Arc<ServerConfig>,
    handler: Arc<impl Handler>,
) -> SocketAddr {
    let listener = TcpListener::bind(at).await.expect("a port of loopback");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            tokio::spawn(connection(tcp, Arc::clone(&tls), Arc::clone(&handler)));
        }
    });
    address
}

async fn connection(mut tcp: TcpStream, tls: Arc<ServerConfig>, handler: Arc<impl Handler>) {
    let mut first = [0];
    if tcp.peek(&mut first).await.ok() == Some(1) && first[0] != 0x16 {
        // net/http: "client sent an HTTP request to an HTTPS server".
        let mut request = [0; 4096];
        let _ = tcp.read(&mut request).await;
        let answer =
            b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
        let _ = tcp.write_all(answer).await;
        return;
    }
    let stream = match TlsAcceptor::from(tls).accept(tcp).into_fallible().await {
        Ok(stream) => stream,
        Err((_, mut tcp)) => {
            // Closed at once, with bytes unread, the alert would be lost on its way.
            let mut rest = Vec::new();
            let _ = tcp.shutdown().await;
            let _ = tokio::time::timeout(Duration::from_secs(1), tcp.read_to_end(&mut rest)).await;
            return;
        }
    };
    let session = stream.get_ref().1;
    let http2 = session.alpn_protocol() == Some(b"h2");
    let peer = Peer { certificate: session.peer_certificates().is_some() };
    let service = service_fn(move |request| {
        let handler = Arc::clone(&handler);
        async move { handler.answer(peer, request).await }
    });
    let io = TokioIo::new(stream);
    if http2 {
        let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(io, service)
            .await;
    } else {
        let _ = hyper::server::conn::http1::Builder::new()
            .serve_connection(io, service)
            .with_upgrades()
            .await;
    }
}
