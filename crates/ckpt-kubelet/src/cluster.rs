//! The API server: how it is reached, who we are there, and what is asked of it.

use std::error::Error as StdError;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::header::{ACCEPT, AUTHORIZATION, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Response};
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec, SubjectAccessReview,
    SubjectAccessReviewSpec,
};
use k8s_openapi::api::core::v1 as core;
use kube::api::{Api, ListParams, PostParams};
use kube::client::{Body, ConfigExt};
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Config, Error as KubeError};
use tower::{Layer, ServiceExt, service_fn};

use crate::answer::{self, Answer};
use crate::causes::{causes, innermost};
use crate::connection::AGENT;
use crate::error::{Error, Server};
use crate::name::{Namespace, NodeName, PodName};
use crate::no_proxy;
use crate::secret::Secret;
use crate::tls::{Identity, Trust};
use crate::workload::{Node, Pod};

/// Largest answer of a proxied kubelet, in bytes.
const MAX_ANSWER: usize = 1 << 20;

/// How long the API server is waited for, for anything but a checkpoint.
const WAIT: Duration = Duration::from_secs(30);

/// A way to an API server, with credentials. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    pub(crate) client: kube::Client,
    config: Arc<Config>,
    identity: Identity,
}

impl fmt::Debug for Cluster {
    /// Nothing of the configuration is shown: it is full of credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("address", &self.address()).finish_non_exhaustive()
    }
}

/// What may be done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Access {
    /// The verb, such as `create`.
    pub verb: &'static str,
    /// The resource, such as `nodes`.
    pub resource: &'static str,
    /// The subresource, such as `checkpoint`; empty for none.
    pub subresource: &'static str,
    /// In which namespace; `None` for what has none.
    pub namespace: Option<Namespace>,
}

impl Access {
    /// Access to something that belongs to no namespace.
    #[must_use]
    pub fn cluster(verb: &'static str, resource: &'static str, subresource: &'static str) -> Self {
        Self { verb, resource, subresource, namespace: None }
    }

    /// Access to something in a namespace.
    #[must_use]
    pub fn within(
        namespace: &Namespace,
        verb: &'static str,
        resource: &'static str,
        subresource: &'static str,
    ) -> Self {
        Self { namespace: Some(namespace.clone()), ..Self::cluster(verb, resource, subresource) }
    }

    fn attributes(&self) -> ResourceAttributes {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        ResourceAttributes {
            verb: some(self.verb),
            resource: some(self.resource),
            subresource: some(self.subresource),
            namespace: self.namespace.as_ref().map(ToString::to_string),
            version: some("v1"),
            ..ResourceAttributes::default()
        }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if !self.subresource.is_empty() {
            write!(f, "/{}", self.subresource)?;
        }
        match &self.namespace {
            Some(namespace) => write!(f, " in namespace {namespace}"),
            None => Ok(()),
        }
    }
}

impl Cluster {
    /// As kubeconfig files say, merged as kubectl does: of two entries of one name the first counts. A credential plugin that
    /// they name is run, which blocks. `HTTPS_PROXY` counts where they name no proxy, but for hosts that `no_proxy` names in the
    /// form of the variable `NO_PROXY`.
    ///
    /// # Errors
    ///
    /// A file cannot be read, is no kubeconfig, lacks the context, or its credentials cannot be had.
    pub async fn from_kubeconfig(
        files: &[PathBuf],
        context: Option<&str>,
        no_proxy: Option<&str>,
    ) -> Result<Self, Error> {
        let mut merged: Option<Kubeconfig> = None;
        for file in files {
            let what = format!("the kubeconfig {}", file.display());
            let next =
                Kubeconfig::read_from(file).map_err(|error| kubeconfig_error(&what, &error))?;
            merged = Some(match merged {
                None => next,
                Some(first) => {
                    first.merge(next).map_err(|error| kubeconfig_error(&what, &error))?
                }
            });
        }
        let names: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
        let what = format!("the kubeconfig {}", names.join(", "));
        let merged = merged.ok_or_else(|| Error::NoCluster("no kubeconfig is named".into()))?;
        let options = KubeConfigOptions {
            context: context.map(str::to_owned),
            ..KubeConfigOptions::default()
        };
        let own_proxy = names_proxy(&merged, context);
        let mut config = Config::from_custom_kubeconfig(merged, &options)
            .await
            .map_err(|error| kubeconfig_error(&what, &error))?;
        let host = config.cluster_url.host().unwrap_or_default();
        if !own_proxy && no_proxy.is_some_and(|list| no_proxy::names(list, host)) {
            config.proxy_url = None;
        }
        Self::new(config, &what)
    }

    /// As the service account of the pod that this runs in.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn in_cluster() -> Result<Self, Error> {
        let config = Config::incluster().map_err(|error| Error::NoCluster(error.to_string()))?;
        Self::new(config, "the service account of this pod")
    }

    fn new(mut config: Config, what: &str) -> Result<Self, Error> {
        // kube sends requests again on its own on 503 and 504. None of ours may be: one of them freezes a container.
        config.default_retry = false;
        // A library that is used with another provider installed keeps it.
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        tidy_token(&mut config, what)?;
        let identity = match config.rustls_client_config() {
            Ok(tls) => Identity::Resolver(tls.client_auth_cert_resolver),
            // A plain http address, such as that of kubectl proxy, needs none.
            Err(_) if config.cluster_url.scheme_str() == Some("http") => Identity::Nobody,
            Err(error) => return Err(setup_error(what, &error)),
        };
        let client =
            kube::Client::try_from(config.clone()).map_err(|error| setup_error(what, &error))?;
        Ok(Self { client, config: Arc::new(config), identity })
    }

    /// The namespace of the context, or of the service account.
    #[must_use]
    pub fn default_namespace(&self) -> &str {
        &self.config.default_namespace
    }

    /// The API server's address, without anything secret.
    #[must_use]
    pub fn address(&self) -> String {
        let uri = &self.config.cluster_url;
        let host = uri.authority().map_or("", |authority| authority.as_str());
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        format!("{}://{host}", uri.scheme_str().unwrap_or("https"))
    }

    /// The CA of the cluster. Kubelets with a certificate of the cluster are signed by it; those that made their own are not.
    #[must_use]
    pub fn trust(&self) -> Trust {
        let certificates = self.config.root_cert.iter().flatten();
        Trust::Authorities(certificates.map(|der| der.clone().into()).collect())
    }

    pub(crate) fn identity(&self) -> Identity {
        self.identity.clone()
    }

    /// The header that identifies us, renewed where it must be; `None` where TLS alone does.
    pub(crate) async fn authorization(&self) -> Result<Option<HeaderValue>, Error> {
        let what = "the credentials of the kubeconfig";
        // The layer puts the header into a request that goes nowhere.
        let layer = self.config.auth_layer().map_err(|error| setup_error(what, &error))?;
        let Some(layer) = layer else { return Ok(None) };
        let nowhere = service_fn(|request: Request<Body>| async move {
            let header = request.headers().get(AUTHORIZATION).cloned();
            Ok::<_, Box<dyn StdError + Send + Sync>>(Response::new(header))
        });
        let refused = || Error::setup(what, "no token can be had");
        let answer = layer
            .layer(nowhere)
            .oneshot(Request::new(Body::empty()))
            .await
            .map_err(|_| refused())?;
        Ok(answer.into_body().map(|mut header| {
            header.set_sensitive(true);
            header
        }))
    }

    /// Sends a POST without a body, once, and gives whatever comes back.
    pub(crate) async fn post(
        &self,
        path: &str,
        server: Server,
        wait: Duration,
    ) -> Result<Answer, Error> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, AGENT)
            .body(Body::empty())
            .map_err(|error| Error::setup("the request", error))?;
        let exchange = async {
            let response = self.client.send(request).await.map_err(|error| {
                broken("ask for a checkpoint", &error).unwrap_or_else(|| Error::Lost {
                    server: Server::ApiServer,
                    why: innermost(&error),
                })
            })?;
            let (head, body) = response.into_parts();
            let lost = |why: String| Error::Lost { server: server.clone(), why };
            let body = Limited::new(body, MAX_ANSWER)
                .collect()
                .await
                .map_err(|error| lost(innermost(error.as_ref())))?;
            let answer = Answer::of(head.status.as_u16(), &head.headers);
            Ok(Answer { body: body.to_bytes().to_vec(), ..answer })
        };
        let seconds = wait.as_secs();
        tokio::time::timeout(wait, exchange)
            .await
            .map_err(|_| Error::Timeout { server: server.clone(), seconds })?
    }

    /// One pod.
    ///
    /// # Errors
    ///
    /// It does not exist, or may not be read.
    pub async fn pod(&self, namespace: &Namespace, name: &PodName) -> Result<Pod, Error> {
        let api: Api<core::Pod> = Api::namespaced(self.client.clone(), namespace.as_str());
        let action = format!("read pod {namespace}/{name}");
        match soon(api.get(name.as_str())).await {
            Ok(pod) => Pod::read(namespace, &pod),
            Err(KubeError::Api(status)) if status.code == 404 => Err(Error::NoPod {
                namespace: namespace.to_string(),
                pod: name.to_string(),
                place: "in the cluster".into(),
            }),
            Err(error) => Err(api_error(&action, &error)),
        }
    }

    /// The pods that have these labels, by name.
    ///
    /// # Errors
    ///
    /// There is none, or they may not be listed.
    pub async fn pods(&self, namespace: &Namespace, selector: &str) -> Result<Vec<Pod>, Error> {
        let api: Api<core::Pod> = Api::namespaced(self.client.clone(), namespace.as_str());
        let list = soon(api.list(&ListParams::default().labels(selector)))
            .await
            .map_err(|error| api_error("list pods", &error))?;
        let mut pods =
            list.iter().map(|pod| Pod::read(namespace, pod)).collect::<Result<Vec<_>, _>>()?;
        pods.sort_by(|a, b| a.name.cmp(&b.name));
        if pods.is_empty() {
            return Err(Error::NoMatch {
                namespace: namespace.to_string(),
                selector: selector.to_owned(),
            });
        }
        Ok(pods)
    }

    /// One node.
    ///
    /// # Errors
    ///
    /// It does not exist, or may not be read.
    pub async fn node(&self, name: &NodeName) -> Result<Node, Error> {
        let api: Api<core::Node> = Api::all(self.client.clone());
        let node = soon(api.get(name.as_str()))
            .await
            .map_err(|error| api_error(&format!("read node {name}"), &error))?;
        Ok(Node::read(name, &node))
    }

    /// Whether we may do something.
    ///
    /// # Errors
    ///
    /// The API server does not say.
    pub async fn may_i(&self, access: &Access) -> Result<bool, Error> {
        let api: Api<SelfSubjectAccessReview> = Api::all(self.client.clone());
        let review = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec {
                resource_attributes: Some(access.attributes()),
                ..SelfSubjectAccessReviewSpec::default()
            },
            ..SelfSubjectAccessReview::default()
        };
        let answer = soon(api.create(&PostParams::default(), &review))
            .await
            .map_err(|error| api_error("review access", &error))?;
        Ok(answer.status.is_some_and(|status| status.allowed))
    }

    /// Whether another user, without groups, may do something.
    ///
    /// # Errors
    ///
    /// The API server does not say; few users may ask.
    pub async fn may(&self, user: &str, access: &Access) -> Result<bool, Error> {
        let api: Api<SubjectAccessReview> = Api::all(self.client.clone());
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                resource_attributes: Some(access.attributes()),
                user: Some(user.to_owned()),
                ..SubjectAccessReviewSpec::default()
            },
            ..SubjectAccessReview::default()
        };
        let answer = soon(api.create(&PostParams::default(), &review))
            .await
            .map_err(|error| api_error("review access", &error))?;
        Ok(answer.status.is_some_and(|status| status.allowed))
    }

    /// Our name at the API server.
    ///
    /// # Errors
    ///
    /// The API server does not say; it does since Kubernetes 1.28.
    pub async fn who_am_i(&self) -> Result<String, Error> {
        let api: Api<SelfSubjectReview> = Api::all(self.client.clone());
        let answer = soon(api.create(&PostParams::default(), &SelfSubjectReview::default()))
            .await
            .map_err(|error| api_error("tell who we are", &error))?;
        let user = answer.status.and_then(|status| status.user_info).and_then(|info| info.username);
        user.ok_or_else(|| api_text("tell who we are", "it tells no name"))
    }
}

/// Whether the chosen cluster of a kubeconfig names a proxy.
fn names_proxy(kubeconfig: &Kubeconfig, context: Option<&str>) -> bool {
    let context = context.or(kubeconfig.current_context.as_deref());
    let context = kubeconfig.contexts.iter().find(|named| Some(named.name.as_str()) == context);
    let cluster = context.and_then(|named| named.context.as_ref()).map(|context| &context.cluster);
    let cluster = kubeconfig.clusters.iter().find(|named| Some(&named.name) == cluster);
    let proxy = cluster.and_then(|named| named.cluster.as_ref()).and_then(|c| c.proxy_url.as_ref());
    proxy.is_some_and(|proxy| !proxy.is_empty())
}

/// Limits how long one question may take.
pub(crate) async fn soon<T>(
    question: impl Future<Output = Result<T, KubeError>>,
) -> Result<T, KubeError> {
    tokio::time::timeout(WAIT, question)
        .await
        .unwrap_or_else(|_| Err(KubeError::Service("no answer within 30 s".into())))
}

/// Tokens end in no white space, but the files that hold them often do; kubectl takes it off, kube does not.
fn tidy_token(config: &mut Config, what: &str) -> Result<(), Error> {
    let info = &mut config.auth_info;
    if info.token.is_none()
        && let Some(file) = &info.token_file
    {
        let secret = Secret::read(file.as_ref())
            .map_err(|error| Error::setup(&format!("the token file {file}"), error))?;
        let len = std::fs::metadata(file).map_or(0, |meta| meta.len());
        if usize::try_from(len).ok() != Some(secret.expose().len()) {
            info.token = Some(secret.expose().into());
            info.token_file = None;
        }
        crate::client::bearer_header(&secret)
            .map_err(|_| Error::setup(what, "its token holds characters that no token has"))?;
    }
    // kube ends the program over a token that no header can hold.
    if let Some(token) = &info.token {
        let token = Secret::new(secrecy::ExposeSecret::expose_secret(token).trim());
        crate::client::bearer_header(&token)
            .map_err(|_| Error::setup(what, "its token holds characters that no token has"))?;
        info.token = Some(token.expose().into());
    }
    Ok(())
}

/// Why a kubeconfig is of no use. What a YAML parser says quotes the file, and the file holds secrets: only the place is
/// told.
fn kubeconfig_error(what: &str, error: &KubeconfigError) -> Error {
    let why = match error {
        KubeconfigError::ReadConfig(error, _) => error.to_string(),
        KubeconfigError::Parse(error) => match error.location() {
            Some(at) => {
                format!("it is not understood in line {}, column {}", at.line(), at.column())
            }
            None => "it is not understood".to_owned(),
        },
        KubeconfigError::CurrentContextNotSet => {
            "it names no current context; choose one with --context".to_owned()
        }
        KubeconfigError::LoadContext(name) => format!("it has no context {name}"),
        KubeconfigError::LoadClusterOfContext(name) => format!("it has no cluster {name}"),
        // These quote nothing but paths and positions.
        KubeconfigError::LoadCertificateAuthority(_)
        | KubeconfigError::LoadClientCertificate(_)
        | KubeconfigError::MissingClusterUrl
        | KubeconfigError::ParseClusterUrl(_)
        | KubeconfigError::KindMismatch
        | KubeconfigError::ApiVersionMismatch => error.to_string(),
        KubeconfigError::LoadClientKey(_) => "its client key cannot be read".to_owned(),
        KubeconfigError::ParseProxyUrl(_) => "the address of its proxy is none".to_owned(),
        KubeconfigError::ParseNoProxy(_) => {
            "NO_PROXY in the environment is not understood".to_owned()
        }
        _ => "it cannot be used".to_owned(),
    };
    Error::setup(what, why)
}

/// Why credentials are of no use. What a plugin printed is its answer, the token, and is never repeated.
fn setup_error(what: &str, error: &KubeError) -> Error {
    use kube::client::AuthError;
    let why = match error {
        KubeError::Auth(AuthError::AuthExecStart(error)) => {
            format!("its credential plugin does not start: {error}")
        }
        KubeError::Auth(AuthError::AuthExecRun { cmd, out }) => {
            format!(
                "its credential plugin {cmd} failed ({}); run it by hand to see why",
                out.status
            )
        }
        KubeError::Auth(AuthError::ReadTokenFile(error, path)) => {
            format!("the token file {}: {error}", path.display())
        }
        KubeError::Auth(AuthError::AuthExecParse(_) | AuthError::ExecPluginFailed) => {
            "its credential plugin gives no ExecCredential that is understood".to_owned()
        }
        KubeError::Auth(AuthError::MissingCommand) => "its credential plugin has no command".into(),
        KubeError::Auth(_) => "its credentials cannot be had".to_owned(),
        KubeError::InferKubeconfig(error) => return kubeconfig_error(what, error),
        KubeError::RustlsTls(_) => "its certificates or its key cannot be used".to_owned(),
        KubeError::ProxyProtocolUnsupported { .. } | KubeError::ProxyProtocolDisabled { .. } => {
            "its proxy is neither http, https nor socks5".to_owned()
        }
        _ => "it cannot be used".to_owned(),
    };
    Error::setup(what, why)
}

fn api_text(action: &str, text: &str) -> Error {
    Error::Api { action: action.to_owned(), text: text.to_owned() }
}

/// What an error of kube means.
pub(crate) fn api_error(action: &str, error: &KubeError) -> Error {
    match error {
        KubeError::Api(status) if status.code == 401 => Error::Unauthorized(Server::ApiServer),
        KubeError::Api(status) if status.code == 403 => {
            Error::Forbidden(Box::new(answer::forbidden(Server::ApiServer, &status.message)))
        }
        KubeError::Api(status) if status.message.contains(answer::PLAIN_HTTP) => {
            Error::PlainHttp(Server::ApiServer)
        }
        KubeError::Api(status) if status.message.is_empty() => {
            api_text(action, &format!("status {}", status.code))
        }
        KubeError::Api(status) => api_text(action, &status.message),
        KubeError::Auth(_) => setup_error("the credentials of the kubeconfig", error),
        // The parser's words may quote what was read.
        KubeError::SerdeError(_) | KubeError::FromUtf8(_) => {
            api_text(action, "its answer is not understood; is it an API server?")
        }
        other => broken(action, other).unwrap_or_else(|| api_text(action, &innermost(other))),
    }
}

/// Failures before anything was sent.
fn broken(action: &str, error: &KubeError) -> Option<Error> {
    if matches!(error, KubeError::Auth(_)) {
        return Some(setup_error("the credentials of the kubeconfig", error));
    }
    let legacy = causes(error)
        .find_map(|cause| cause.downcast_ref::<hyper_util::client::legacy::Error>())
        .filter(|error| error.is_connect())?;
    let server = Server::ApiServer;
    let io = causes(legacy).find_map(|cause| cause.downcast_ref::<std::io::Error>());
    let why = innermost(legacy);
    Some(match io.map(std::io::Error::kind) {
        Some(std::io::ErrorKind::ConnectionRefused) => Error::Refused(server),
        _ if why.contains("certificate") => api_text(
            action,
            &format!("{why}; is it the CA of the kubeconfig (certificate-authority)?"),
        ),
        _ => Error::Unreachable { server, why },
    })
}
