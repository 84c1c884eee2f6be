//! The client of one kubelet.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::header::HeaderValue;

use crate::address::NodeAddress;
use crate::cluster::Cluster;
use crate::connection::Endpoint;
use crate::error::{Error, Server};
use crate::name::{NodeName, Target};
use crate::observer::{Event, Observer, Silent};
use crate::secret::Secret;
use crate::tls::{Identity, Tls, Trust};

/// The kubelet's own limit, `runtimeRequestTimeout`, unless its configuration says otherwise. It ignores a timeout below
/// (`cri-client/pkg/remote_runtime.go`, `CheckpointContainer`).
pub const KUBELET_TIMEOUT: Duration = Duration::from_secs(120);

/// How long an answer is waited for when no timeout is given: a kubelet may be configured for more than
/// [`KUBELET_TIMEOUT`].
pub const PATIENCE: Duration = Duration::from_secs(600);

/// How much longer than the timeout itself an answer is waited for: the kubelet's own "deadline exceeded" says more than
/// ours.
const GRACE: Duration = Duration::from_secs(5);

/// How long a connection is waited for.
const CONNECT: Duration = Duration::from_secs(10);

/// Which requests are sent again, and when. Only errors that are known to pass and that froze nothing
/// ([`Error::is_transient`]) are ever followed by another request: a checkpoint freezes a container in production.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// How many times more.
    pub times: u32,
    /// The pause before the first of these; it doubles each time.
    pub pause: Duration,
}

impl Default for Retry {
    /// Three times, after 1, 2 and 4 seconds: archives are named to the second, so nothing faster is safe.
    fn default() -> Self {
        Self { times: 3, pause: Duration::from_secs(1) }
    }
}

/// A checkpoint that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checkpoint {
    /// Of which container.
    pub target: Target,
    /// The archives' paths on the node, as the kubelet tells them; one in practice, never none.
    pub paths: Vec<String>,
    /// From the request to the answer.
    pub duration: Duration,
}

/// Who we are for the kubelet, beside TLS.
#[derive(Debug, Clone)]
enum Bearer {
    Nobody,
    Token(Secret),
    File(PathBuf),
    Cluster(Cluster),
}

#[derive(Debug, Clone)]
enum Way {
    Direct { endpoint: Endpoint, bearer: Bearer },
    Proxied { cluster: Cluster, node: NodeName },
}

/// Asks one kubelet for checkpoints, directly or through the API server.
///
/// Dropping a future of its methods gives the request up and closes the connection; whether the node then stops is up to its
/// runtime.
#[derive(Clone)]
pub struct Client {
    way: Way,
    timeout: Option<Duration>,
    retry: Retry,
    observer: Arc<dyn Observer>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { way, timeout, retry, observer: _ } = self;
        f.debug_struct("Client")
            .field("way", way)
            .field("timeout", timeout)
            .field("retry", retry)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Begins a client that talks to the kubelet itself: `POST https://NODE:10250/checkpoint/…`.
    pub fn direct(address: NodeAddress) -> DirectBuilder {
        DirectBuilder {
            address,
            trust: Trust::Authorities(Vec::new()),
            identity: Ok(Identity::Nobody),
            bearer: Bearer::Nobody,
            server_name: None,
            connect: CONNECT,
        }
    }

    /// A client that goes through the API server: `POST /api/v1/nodes/NODE/proxy/checkpoint/…`.
    #[must_use]
    pub fn through(cluster: &Cluster, node: NodeName) -> Self {
        Self::new(Way::Proxied { cluster: cluster.clone(), node })
    }

    fn new(way: Way) -> Self {
        Self { way, timeout: None, retry: Retry::default(), observer: Arc::new(Silent) }
    }

    /// How long the runtime may take, in whole seconds: sent along, and kept to here. The kubelet ignores it below its own
    /// limit, [`KUBELET_TIMEOUT`] unless configured, and then goes on after this client gave up.
    #[must_use]
    pub fn timeout(self, timeout: Option<Duration>) -> Self {
        Self { timeout, ..self }
    }

    /// Which requests are sent again.
    #[must_use]
    pub fn retry(self, retry: Retry) -> Self {
        Self { retry, ..self }
    }

    /// Who is told what happens.
    #[must_use]
    pub fn observer(self, observer: Arc<dyn Observer>) -> Self {
        Self { observer, ..self }
    }

    /// Who answers.
    #[must_use]
    pub fn server(&self) -> Server {
        match &self.way {
            Way::Direct { endpoint, .. } => endpoint.server(),
            Way::Proxied { node, .. } => Server::Proxied(node.to_string()),
        }
    }

    /// Makes a checkpoint of a container. The container is frozen meanwhile, and runs on afterwards.
    ///
    /// # Errors
    ///
    /// See [`Error`]; [`Error::leftover`] tells whether something may lie on the node all the same.
    pub async fn checkpoint(&self, target: &Target) -> Result<Checkpoint, Error> {
        let began = Instant::now();
        let mut pause = self.retry.pause;
        for left in (0..=self.retry.times).rev() {
            match self.ask(target, &target.path()).await {
                Ok(paths) => {
                    let duration = began.elapsed();
                    return Ok(Checkpoint { target: target.clone(), paths, duration });
                }
                Err(error) if error.is_transient() && left > 0 => {
                    self.observer.event(target, &Event::Retry { error: &error, after: pause });
                    tokio::time::sleep(pause).await;
                    pause = pause.saturating_mul(2);
                }
                Err(error) => return Err(error),
            }
        }
        // Not reached: the last round returns.
        Err(Error::Interrupted)
    }

    /// Asks for a checkpoint of a pod that cannot exist (`-` is no name), which freezes nothing, and finds out what would
    /// stop a real one: connection, certificate, credentials, access, feature gate.
    ///
    /// # Errors
    ///
    /// What would stop it.
    pub async fn probe(&self, target: &Target) -> Result<(), Error> {
        let path = format!("/checkpoint/{}/-/-", target.namespace);
        match self.ask(target, &path).await {
            Err(Error::NoPod { .. }) | Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn ask(&self, target: &Target, path: &str) -> Result<Vec<String>, Error> {
        let path = match self.timeout {
            Some(timeout) => format!("{path}?timeout={}", timeout.as_secs()),
            None => path.to_owned(),
        };
        let observed = |event: &Event<'_>| self.observer.event(target, event);
        let wait = self.wait();
        let answer = match &self.way {
            Way::Direct { endpoint, bearer } => {
                let authorization = bearer.header().await?;
                let credentials = credentials(&endpoint.tls.identity, authorization.is_some());
                let what = format!("POST https://{}{path}", endpoint.address);
                observed(&Event::Request { what: &what, credentials });
                endpoint.post(&path, authorization, wait, || observed(&Event::Sent)).await?
            }
            Way::Proxied { cluster, node } => {
                let path = format!("/api/v1/nodes/{node}/proxy{path}");
                observed(&Event::Request {
                    what: &format!("POST {}{path}", cluster.address()),
                    credentials: "those of the kubeconfig",
                });
                // When it leaves is not told; from here on it may have.
                observed(&Event::Sent);
                cluster.post(&path, self.server(), wait).await?
            }
        };
        observed(&Event::Answered { status: answer.status });
        answer.judge(&self.server(), target)
    }

    /// How long an answer is waited for. Below its own limit the kubelet does not answer any sooner, so there is nothing to
    /// be gracious about.
    fn wait(&self) -> Duration {
        match self.timeout {
            None => PATIENCE,
            Some(timeout) if timeout < KUBELET_TIMEOUT => timeout,
            Some(timeout) => timeout.saturating_add(GRACE),
        }
    }
}

fn credentials(identity: &Identity, token: bool) -> &'static str {
    match (identity, token) {
        (Identity::Nobody, false) => "nothing",
        (Identity::Nobody, true) => "bearer token",
        (Identity::Certificate(..), false) => "client certificate",
        (Identity::Certificate(..), true) => "client certificate and bearer token",
        (Identity::Resolver(_), _) => "those of the kubeconfig",
    }
}

impl Bearer {
    /// The header, marked as sensitive so that nothing prints it.
    async fn header(&self) -> Result<Option<HeaderValue>, Error> {
        let token = match self {
            Self::Nobody => return Ok(None),
            Self::Cluster(cluster) => return cluster.authorization().await,
            Self::Token(token) => token.clone(),
            // Read anew for every request: files of service accounts are renewed.
            Self::File(path) => Secret::read(path).map_err(|error| {
                Error::setup(&format!("the token file {}", path.display()), error)
            })?,
        };
        bearer_header(&token).map(Some)
    }
}

/// `Bearer TOKEN`, marked as sensitive.
pub(crate) fn bearer_header(token: &Secret) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose())).map_err(|_| {
        Error::setup("the token", "it holds characters that no token has, such as a line break")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Settings of a client that talks to the kubelet itself.
#[derive(Debug)]
#[must_use]
pub struct DirectBuilder {
    address: NodeAddress,
    trust: Trust,
    identity: Result<Identity, Error>,
    bearer: Bearer,
    server_name: Option<String>,
    connect: Duration,
}

impl DirectBuilder {
    /// Which certificates of the kubelet are trusted; none, unless this says so.
    pub fn trust(self, trust: Trust) -> Self {
        Self { trust, ..self }
    }

    /// Client certificate with its chain, and its key, both in PEM.
    pub fn client_certificate(self, certificate: &[u8], key: &Secret) -> Self {
        Self { identity: Identity::from_pem(certificate, key), ..self }
    }

    /// A bearer token.
    pub fn token(self, token: Secret) -> Self {
        Self { bearer: Bearer::Token(token), ..self }
    }

    /// A file with a bearer token, read for every request.
    pub fn token_file(self, path: impl Into<PathBuf>) -> Self {
        Self { bearer: Bearer::File(path.into()), ..self }
    }

    /// The credentials of a kubeconfig or of a service account: its client certificate, its token, whatever its plugin gives.
    pub fn credentials_of(self, cluster: &Cluster) -> Self {
        Self { identity: Ok(cluster.identity()), bearer: Bearer::Cluster(cluster.clone()), ..self }
    }

    /// The name or address that the kubelet's certificate must be for, where it is not the one of its address.
    pub fn server_name(self, name: impl Into<String>) -> Self {
        Self { server_name: Some(name.into()), ..self }
    }

    /// How long a connection is waited for; 10 seconds unless this says otherwise.
    pub fn connect_timeout(self, connect: Duration) -> Self {
        Self { connect, ..self }
    }

    /// The client.
    ///
    /// # Errors
    ///
    /// Certificate or key cannot be used.
    pub fn build(self) -> Result<Client, Error> {
        let tls = Tls { trust: self.trust, identity: self.identity? };
        tls.attempt()?;
        let endpoint = Endpoint {
            address: self.address,
            server_name: self.server_name,
            tls: Arc::new(tls),
            connect: self.connect,
        };
        Ok(Client::new(Way::Direct { endpoint, bearer: self.bearer }))
    }
}
