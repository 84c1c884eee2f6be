//! One request over one connection to a kubelet, with every way in which it can fail told apart.
//!
//! The line that matters is the one between *not sent* and *sent*: before it, nothing happened on the node; after it, a
//! container may be frozen and an archive may be written, whatever becomes of the connection.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::header::{
    ACCEPT, ALLOW, AUTHORIZATION, HOST, HeaderMap, HeaderValue, LOCATION, USER_AGENT,
};
use hyper::{Method, Request, Response, body::Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::AlertDescription;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::address::NodeAddress;
use crate::answer::Answer;
use crate::causes::{causes, innermost};
use crate::error::{Error, Server};
use crate::noted::{Note, Noted};
use crate::tls::{Identity, Tls};

/// Largest answer that is read, in bytes.
const MAX_ANSWER: usize = 1 << 20;

/// How we name ourselves.
pub(crate) const AGENT: &str = concat!("ckpt-inspect/", env!("CARGO_PKG_VERSION"));

/// Where a request goes.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) address: NodeAddress,
    /// The name that the certificate must be for, if not the address.
    pub(crate) server_name: Option<String>,
    pub(crate) tls: Arc<Tls>,
    /// Longest time until there is a connection.
    pub(crate) connect: Duration,
}

impl Endpoint {
    pub(crate) fn server(&self) -> Server {
        Server::Kubelet(self.address.to_string())
    }

    /// Opens a connection: name, TCP, TLS.
    async fn connect(&self) -> Result<TlsStream<TcpStream>, Error> {
        let server = self.server();
        let attempt = self.tls.attempt()?;
        let name = self.server_name.as_deref().unwrap_or(self.address.host());
        let name = ServerName::try_from(name.to_owned())
            .map_err(|error| Error::setup("the server's name", error))?;
        let tcp = async {
            let tcp = self.tcp().await?;
            TlsConnector::from(Arc::clone(&attempt.config)).connect(name, tcp).await.map_err(
                |error| match attempt.problem(&server.to_string()) {
                    Some(problem) => Error::Certificate(Box::new(problem)),
                    None => handshake_error(&server, &error),
                },
            )
        };
        let seconds = self.connect.as_secs();
        timeout(self.connect, tcp)
            .await
            .map_err(|_| Error::ConnectTimeout { server: self.server(), seconds })?
    }

    async fn tcp(&self) -> Result<TcpStream, Error> {
        let host = self.address.host();
        let unknown = |why: String| Error::UnknownHost { host: host.to_owned(), why };
        let addresses = tokio::net::lookup_host((host, self.address.port()))
            .await
            .map_err(|error| unknown(error.to_string()))?;
        let mut last = None;
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(tcp) => {
                    let _ = tcp.set_nodelay(true);
                    return Ok(tcp);
                }
                Err(error) => last = Some(error),
            }
        }
        let server = self.server();
        Err(match last {
            None => unknown("it has no address".to_owned()),
            Some(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                Error::Refused(server)
            }
            Some(error) => Error::Unreachable { server, why: error.to_string() },
        })
    }

    /// Sends a POST without a body and waits for its answer; `wait` begins when the connection stands.
    ///
    /// Dropping the future closes the connection.
    pub(crate) async fn post(
        &self,
        path: &str,
        authorization: Option<HeaderValue>,
        wait: Duration,
        sent: impl FnOnce(),
    ) -> Result<Answer, Error> {
        let tls = self.connect().await?;
        let http2 = tls.get_ref().1.alpn_protocol() == Some(b"h2");
        let server = self.server();
        let mut request = Request::builder().method(Method::POST);
        if http2 {
            request = request.uri(format!("https://{}{path}", self.address));
        } else {
            request = request.uri(path).header(HOST, self.address.to_string());
        }
        request = request.header(ACCEPT, "application/json").header(USER_AGENT, AGENT);
        if let Some(value) = authorization {
            request = request.header(AUTHORIZATION, value);
        }
        let request = request
            .body(Empty::<Bytes>::new())
            .map_err(|error| Error::setup("the request", error))?;
        sent();
        let note = Note::default();
        let noted = Noted { inner: tls, note: note.clone() };
        let answered = exchange(TokioIo::new(noted), request, http2);
        match timeout(wait, answered).await {
            Err(_) => Err(Error::Timeout { server, seconds: wait.as_secs() }),
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                Err(match after_sending(server, error.as_ref(), note.read().as_ref()) {
                    // The alert that says so may be lost on its way.
                    Error::Unreachable { server, why }
                        if !matches!(self.tls.identity, Identity::Nobody) =>
                    {
                        let why = format!("{why}; perhaps it refuses the client certificate");
                        Error::Unreachable { server, why }
                    }
                    error => error,
                })
            }
        }
    }
}

type Cause = Box<dyn StdError + Send + Sync>;

async fn exchange(
    io: TokioIo<Noted<TlsStream<TcpStream>>>,
    request: Request<Empty<Bytes>>,
    http2: bool,
) -> Result<Answer, Cause> {
    // The set ends the connection's task when it is dropped.
    let mut driver = JoinSet::new();
    let response = if http2 {
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await?;
        driver.spawn(connection);
        sender.send_request(request).await?
    } else {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await?;
        driver.spawn(connection);
        sender.send_request(request).await?
    };
    read(response).await
}

async fn read(response: Response<Incoming>) -> Result<Answer, Cause> {
    let (head, body) = response.into_parts();
    let (answer, body) = (Answer::of(head.status.as_u16(), &head.headers), body);
    let body = Limited::new(body, MAX_ANSWER).collect().await?.to_bytes().to_vec();
    Ok(Answer { body, ..answer })
}

impl Answer {
    /// An answer without its body.
    pub(crate) fn of(status: u16, headers: &HeaderMap) -> Self {
        let text = |name| {
            let value = headers.get(name).map(|value: &HeaderValue| value.as_bytes());
            String::from_utf8_lossy(value.unwrap_or_default()).into_owned()
        };
        Self { status, allow: text(ALLOW), location: text(LOCATION), body: Vec::new() }
    }
}

/// What a failed handshake means.
fn handshake_error(server: &Server, error: &io::Error) -> Error {
    let said = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let server = server.clone();
    match said {
        // What came was no TLS record.
        Some(rustls::Error::InvalidMessage(_)) => Error::NotTls(server),
        Some(said) => {
            refused(&server, said).unwrap_or_else(|| Error::Tls { server, why: said.to_string() })
        }
        None => Error::Tls { server, why: innermost(error) },
    }
}

/// Whether the server does not take our certificate.
fn refused(server: &Server, said: &rustls::Error) -> Option<Error> {
    let rustls::Error::AlertReceived(alert) = said else { return None };
    let ours = matches!(
        alert,
        AlertDescription::BadCertificate
            | AlertDescription::NoCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateRequired
            | AlertDescription::DecryptError
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
    );
    ours.then(|| Error::ClientCertificate { server: server.clone(), why: format!("{alert:?}") })
}

/// What a failure means once the request is on its way.
fn after_sending(
    server: Server,
    error: &(dyn StdError + Send + Sync + 'static),
    said: Option<&rustls::Error>,
) -> Error {
    if let Some(error) = said.and_then(|said| refused(&server, said)) {
        return error;
    }
    if causes(error).any(|cause| cause.downcast_ref::<LengthLimitError>().is_some()) {
        let text = format!("more than {MAX_ANSWER} bytes");
        return Error::Answer { server, status: 200, text };
    }
    let canceled = |cause: &(dyn StdError + 'static)| {
        cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled)
    };
    if causes(error).any(canceled) {
        return Error::Unreachable {
            server,
            why: "the connection closed before the request".into(),
        };
    }
    Error::Lost { server, why: innermost(error) }
}
