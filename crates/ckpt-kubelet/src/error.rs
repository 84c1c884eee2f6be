//! Why there is no checkpoint, and what to do about it.

use std::fmt;

use crate::certificate::CertificateProblem;
use crate::name::{NameError, Target};
use crate::reason::{Reason, RuntimeError};

/// Who answered, or did not.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Server {
    /// A kubelet, asked directly; its host and port.
    Kubelet(String),
    /// The API server.
    ApiServer,
    /// The kubelet of a node, asked through the API server; the node.
    Proxied(String),
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kubelet(address) => write!(f, "the kubelet at {address}"),
            Self::ApiServer => f.write_str("the API server"),
            Self::Proxied(node) => write!(f, "the kubelet of {node} (through the API server)"),
        }
    }
}

/// An access that was denied.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Denied {
    /// Who denied it.
    pub server: Server,
    /// To whom, as the server knows them; empty where it does not say.
    pub user: String,
    /// The verb, such as `create`.
    pub verb: String,
    /// The resource with its subresource, such as `nodes/checkpoint`.
    pub resource: String,
    /// The server's own words.
    pub text: String,
}

/// Why there is no checkpoint, or no archive of it here. [`Display`](fmt::Display) tells the cause, [`Error::remedy`] what to
/// do, [`Error::word`] a stable word for programs.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Something is no name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Credentials, certificates or a kubeconfig cannot be used.
    #[error("cannot use {what}: {why}")]
    Setup {
        /// Which.
        what: String,
        /// Why, without anything secret.
        why: String,
    },
    /// There is neither a kubeconfig nor a service account.
    #[error("no way to the API server is known: {0}")]
    NoCluster(String),
    /// The host's name has no address.
    #[error("unknown host {host}: {why}")]
    UnknownHost {
        /// The host.
        host: String,
        /// The resolver's words.
        why: String,
    },
    /// Nobody listens there.
    #[error("connection refused by {0}")]
    Refused(Server),
    /// There is no way there, or it broke before anything was asked.
    #[error("cannot reach {server}: {why}")]
    Unreachable {
        /// Whom.
        server: Server,
        /// The operating system's words.
        why: String,
    },
    /// No connection in time; nothing was asked.
    #[error("no connection to {server} within {seconds} s")]
    ConnectTimeout {
        /// To whom.
        server: Server,
        /// The limit.
        seconds: u64,
    },
    /// Whoever listens there speaks no TLS.
    #[error("{0} does not speak TLS")]
    NotTls(Server),
    /// TLS failed, not for the certificates.
    #[error("no TLS connection to {server}: {why}")]
    Tls {
        /// To whom.
        server: Server,
        /// The words of the TLS library.
        why: String,
    },
    /// The server's certificate is not trusted.
    #[error("{0}")]
    Certificate(Box<CertificateProblem>),
    /// The server did not take our certificate.
    #[error("{server} refuses the client certificate: {why}")]
    ClientCertificate {
        /// Who.
        server: Server,
        /// Its alert.
        why: String,
    },
    /// A TLS port was asked without TLS.
    #[error("{0} was asked without TLS (400: Client sent an HTTP request to an HTTPS server)")]
    PlainHttp(Server),
    /// 401.
    #[error("{0} does not know these credentials (401 Unauthorized)")]
    Unauthorized(Server),
    /// 403.
    #[error("{}", denied(.0))]
    Forbidden(Box<Denied>),
    /// 404 of a kubelet without the endpoint.
    #[error(
        "{0} has no checkpoint endpoint (404 page not found): its feature gate ContainerCheckpoint is off"
    )]
    GateOff(Server),
    /// 404: no such pod.
    #[error("there is no pod {pod} in namespace {namespace} {place}")]
    NoPod {
        /// The namespace.
        namespace: String,
        /// The pod.
        pod: String,
        /// Where it was looked for: on which node, or in the cluster.
        place: String,
    },
    /// No pod has these labels.
    #[error("no pod in namespace {namespace} has the labels {selector}")]
    NoMatch {
        /// The namespace.
        namespace: String,
        /// The selector.
        selector: String,
    },
    /// 404: no such container.
    #[error("pod {pod} has no container {container}{}", those(.known))]
    NoContainer {
        /// The pod.
        pod: String,
        /// The container.
        container: String,
        /// The containers that there are, where that is known.
        known: Vec<String>,
    },
    /// The pod runs on no node yet.
    #[error("pod {0} is on no node yet")]
    NotScheduled(String),
    /// The API server says that the container is not running; the kubelet was not asked.
    #[error("container {container} of pod {pod} is not running: {state}")]
    NotRunning {
        /// The pod.
        pod: String,
        /// The container.
        container: String,
        /// Its state, in words.
        state: String,
    },
    /// No container of the pod is running; the kubelet was not asked.
    #[error("no container of pod {pod} is running{}", those(.known))]
    NothingRuns {
        /// The pod.
        pod: String,
        /// Its containers with their states.
        known: Vec<String>,
    },
    /// 404: the timeout is no number.
    #[error("{0} cannot read the timeout (404 cannot parse value of timeout parameter)")]
    BadTimeout(Server),
    /// 404: the path is not one of the kubelet's.
    #[error("{server} does not know this path (404): {text}")]
    NotFound {
        /// Who.
        server: Server,
        /// Its words.
        text: String,
    },
    /// 405.
    #[error("{server} does not take this method (405 Method Not Allowed{})", takes(.allow))]
    Method {
        /// Who.
        server: Server,
        /// What it takes, from the header `Allow`.
        allow: String,
    },
    /// 406.
    #[error("{0} has no answer of the form that was asked for (406 Not Acceptable)")]
    NotAcceptable(Server),
    /// 3xx, which is never followed.
    #[error("{server} answers with a redirection to {location}, which is not followed")]
    Redirect {
        /// Who.
        server: Server,
        /// Where to.
        location: String,
    },
    /// 500: the runtime did not do it.
    #[error("{0}")]
    Runtime(Box<RuntimeError>),
    /// The API server does not reach the kubelet, or has no time.
    #[error("the API server did not get through to {node} ({status}): {text}")]
    Gateway {
        /// The node.
        node: String,
        /// The status.
        status: u16,
        /// Its words.
        text: String,
    },
    /// No answer in time. The kubelet may be at it still.
    #[error("{server} did not answer within {seconds} s")]
    Timeout {
        /// Who.
        server: Server,
        /// The limit.
        seconds: u64,
    },
    /// The connection broke after the request was sent. The kubelet may be at it still.
    #[error("{server} dropped the connection before its answer was complete: {why}")]
    Lost {
        /// Who.
        server: Server,
        /// What happened.
        why: String,
    },
    /// An answer that is none of those of a kubelet.
    #[error("{server} gives an answer that is not understood ({status}): {text}")]
    Answer {
        /// Who.
        server: Server,
        /// The status.
        status: u16,
        /// The beginning of its text.
        text: String,
    },
    /// The API server refuses something else.
    #[error("the API server cannot {action}: {text}")]
    Api {
        /// What was asked of it, as a verb.
        action: String,
        /// Its words.
        text: String,
    },
    /// The archive could not be brought here. It is on the node.
    #[error("cannot fetch {path} from {node}: {why}")]
    Fetch {
        /// The archive's path on the node.
        path: String,
        /// The node.
        node: String,
        /// What happened.
        why: String,
        /// What to do.
        remedy: String,
    },
    /// The bytes that came here are not those on the node.
    #[error("{path} came here damaged: sha256 {here} here, {there} on {node}")]
    Damaged {
        /// The archive's path on the node.
        path: String,
        /// The node.
        node: String,
        /// Hash of what came here.
        here: String,
        /// Hash of what is there.
        there: String,
    },
    /// The caller gave up.
    #[error("interrupted")]
    Interrupted,
}

fn denied(denied: &Denied) -> String {
    let Denied { server, user, verb, resource, text } = denied;
    if verb.is_empty() || resource.is_empty() {
        return format!("{server} does not allow it (403 Forbidden): {text}");
    }
    let user = if user.is_empty() { "this user" } else { user };
    format!("{server} does not allow it (403 Forbidden): {user} may not {verb} {resource}")
}

fn those(known: &[String]) -> String {
    if known.is_empty() { String::new() } else { format!("; there are {}", known.join(", ")) }
}

fn takes(allow: &str) -> String {
    if allow.is_empty() { String::new() } else { format!(", it takes {allow}") }
}

impl Error {
    pub(crate) fn setup(what: &str, why: impl fmt::Display) -> Self {
        Self::Setup { what: what.to_owned(), why: why.to_string() }
    }

    /// Whether part of an archive, or a whole one, may lie on the node although there was no success.
    #[must_use]
    pub fn may_have_left_archive(&self) -> bool {
        match self {
            Self::Runtime(error) => error.reason.had_begun(),
            Self::Timeout { .. } | Self::Lost { .. } | Self::Gateway { .. } | Self::Interrupted => {
                true
            }
            Self::Answer { status, .. } => *status < 300 || *status >= 500,
            _ => false,
        }
    }

    /// Whether the same request may be sent again: it is known to fail for a moment only, and froze nothing.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Runtime(error) if error.reason.is_transient())
    }

    /// What may be on the node after this error, and where; `None` where nothing can be.
    #[must_use]
    pub fn leftover(&self, target: &Target) -> Option<String> {
        self.may_have_left_archive().then(|| leftover(target))
    }

    /// A stable word for programs, such as `forbidden` or `gate-off`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Name(_) => "name",
            Self::Setup { .. } => "setup",
            Self::NoCluster(_) => "no-cluster",
            Self::UnknownHost { .. } => "unknown-host",
            Self::Refused(_) => "refused",
            Self::Unreachable { .. } => "unreachable",
            Self::ConnectTimeout { .. } => "connect-timeout",
            Self::NotTls(_) => "not-tls",
            Self::Tls { .. } => "tls",
            Self::Certificate(_) => "certificate",
            Self::ClientCertificate { .. } => "client-certificate",
            Self::PlainHttp(_) => "plain-http",
            Self::Unauthorized(_) => "unauthorized",
            Self::Forbidden(_) => "forbidden",
            Self::GateOff(_) => "gate-off",
            Self::NoPod { .. } => "no-pod",
            Self::NoMatch { .. } => "no-match",
            Self::NoContainer { .. } => "no-container",
            Self::NotScheduled(_) => "not-scheduled",
            Self::NotRunning { .. } | Self::NothingRuns { .. } => "container-not-running",
            Self::BadTimeout(_) => "bad-timeout",
            Self::NotFound { .. } => "not-found",
            Self::Method { .. } => "method",
            Self::NotAcceptable(_) => "not-acceptable",
            Self::Redirect { .. } => "redirect",
            Self::Runtime(error) => error.reason.word(),
            Self::Gateway { .. } => "gateway",
            Self::Timeout { .. } => "timeout",
            Self::Lost { .. } => "connection-lost",
            Self::Answer { .. } => "answer",
            Self::Api { .. } => "api",
            Self::Fetch { .. } => "fetch",
            Self::Damaged { .. } => "damaged",
            Self::Interrupted => "interrupted",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Name(_) => "names are those that kubectl get pods shows".into(),
            Self::Setup { .. } => "correct the file or the option, and try again".into(),
            Self::NoCluster(_) => {
                "name a kubeconfig with --kubeconfig or KUBECONFIG, or a kubelet with --node".into()
            }
            Self::UnknownHost { .. } => {
                "give the node's address with --node ADDRESS, or go through the API server with --via apiserver".into()
            }
            Self::Refused(Server::Kubelet(_)) => {
                "is it the right port (10250 unless configured), does the kubelet run, and does it listen on this \
                 address? --via apiserver goes another way"
                    .into()
            }
            Self::Refused(_) => "is it the right address, and does it run?".into(),
            Self::Unreachable { .. } | Self::ConnectTimeout { .. } => {
                "a firewall or network policy may be between: nodes often take connections to 10250 only from the control \
                 plane; --via apiserver goes that way"
                    .into()
            }
            Self::NotTls(_) => "is it the kubelet's port (10250), and not its read-only port (10255)?".into(),
            Self::Tls { .. } => "is it a kubelet? It speaks TLS 1.2 or 1.3".into(),
            Self::Certificate(problem) => format!(
                "compare the fingerprint with the node's own (on the node: openssl x509 -noout -fingerprint -sha256 -in \
                 /var/lib/kubelet/pki/kubelet.crt), then one of:\n\
                 \x20 --ca FILE            trust this CA, or this certificate itself\n\
                 \x20 --via apiserver      let the API server make the connection\n\
                 \x20 --pin-sha256 {}  trust this certificate alone\n\
                 (--server-name NAME where only the name differs)",
                problem.presented.fingerprint
            ),
            Self::ClientCertificate { .. } => {
                "use a certificate of the CA that the kubelet trusts for clients (--client-ca-file), which has not expired"
                    .into()
            }
            Self::PlainHttp(_) => "use https in the address of the server".into(),
            Self::Unauthorized(Server::ApiServer) => {
                "sign in anew: the token or certificate in the kubeconfig is wrong or has expired".into()
            }
            Self::Unauthorized(_) => {
                "a kubelet takes certificates of its client CA (--client-cert, --client-key), and tokens if its webhook \
                 authentication is on (--token-file); these may be wrong or expired"
                    .into()
            }
            Self::Forbidden(denied) => forbidden_remedy(denied),
            Self::GateOff(_) => {
                "the gate is on by default since Kubernetes 1.30; before that, and where it was switched off, set \
                 featureGates: {ContainerCheckpoint: true} in the kubelet's configuration and restart it"
                    .into()
            }
            Self::NoPod { .. } => {
                "check name, -n NAMESPACE and node (kubectl get pods -A -o wide); a static pod's name ends in its node's name"
                    .into()
            }
            Self::NoMatch { .. } => "check the selector with kubectl get pods -l SELECTOR".into(),
            Self::NoContainer { .. } => "kubectl get pod -o yaml lists them, also init and ephemeral ones".into(),
            Self::NotScheduled(_) => "wait until it runs".into(),
            Self::NotRunning { .. } | Self::NothingRuns { .. } => Reason::NotRunning.remedy().into(),
            Self::BadTimeout(_) => "--timeout is a whole number of seconds".into(),
            Self::NotFound { .. } => "is it a kubelet, of version 1.25 or newer?".into(),
            Self::Method { .. } => {
                "a kubelet takes POST: something in between changed the method; try --via direct".into()
            }
            Self::NotAcceptable(_) => "something in between changed the header Accept; try --via direct".into(),
            Self::Redirect { .. } => {
                "something in between redirects, or it is no kubelet; credentials are sent to nobody else".into()
            }
            Self::Runtime(error) => error.reason.remedy().into(),
            Self::Gateway { .. } => {
                "the API server's own connection to the node failed; try --via direct, or look at the node".into()
            }
            Self::Timeout { .. } => {
                "give it more time with --timeout SECONDS; before asking again, look at the node: the container may be \
                 frozen while its checkpoint is being written"
                    .into()
            }
            Self::Lost { .. } => "before asking again, look at the node: the checkpoint may be complete".into(),
            Self::Answer { .. } => "is it a kubelet, and nothing in between?".into(),
            Self::Api { .. } => "kubectl with the same kubeconfig tells more".into(),
            Self::Fetch { remedy, .. } => remedy.clone(),
            Self::Damaged { .. } => "the archive on the node is untouched: fetch it again".into(),
            Self::Interrupted => "nothing to do".into(),
        }
    }
}

/// What may lie on the node.
pub(crate) fn leftover(target: &Target) -> String {
    format!(
        "the node may hold an archive all the same, whole or in part: {} (the time is the node's local time)",
        target.likely_archive()
    )
}

fn forbidden_remedy(denied: &Denied) -> String {
    let access = if denied.verb.is_empty() || denied.resource.is_empty() {
        "what is missing".to_owned()
    } else {
        format!("{} on {}", denied.verb, denied.resource)
    };
    match &denied.server {
        // The kubelet asks whether the API server may, not whether the user may.
        Server::Proxied(_) => format!(
            "the kubelet does not know you but the API server, whose own identity ({}) needs {access}; \
             system:kubelet-api-admin does not have it: bind it (docs/k8s/apiserver-identity.yaml), or go --via direct",
            if denied.user.is_empty() {
                "often kube-apiserver-kubelet-client"
            } else {
                &denied.user
            },
        ),
        Server::Kubelet(_) if denied.user == "system:anonymous" => format!(
            "the kubelet takes you for nobody: give credentials (--token-file, or --client-cert and --client-key), and \
             {access} to their user"
        ),
        _ => format!("grant {access} (docs/k8s/); --check prints the manifest to apply"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_begun_leaves_something() {
        let target = Target::new("default", "web", "app").unwrap();
        let server = || Server::Kubelet("a:1".into());
        assert!(Error::Refused(server()).leftover(&target).is_none());
        assert!(Error::GateOff(server()).leftover(&target).is_none());
        let told = Error::Timeout { server: server(), seconds: 3 }.leftover(&target).unwrap();
        assert!(told.contains("/checkpoint-web_default-app-*.tar"), "{told}");
    }
}
