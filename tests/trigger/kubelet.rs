//! A kubelet, as far as `/checkpoint` goes: statuses, headers and bodies are those of a real one.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{
    ACCEPT, ALLOW, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, Request, Response, StatusCode};

use crate::certificates::{self, Kind, Pair};
use crate::serving::{Body, Handler, Peer, listen, whole};

/// What the runtime does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Runtime {
    /// Makes an archive, under this path.
    Makes(String),
    /// Makes several.
    MakesAll(Vec<String>),
    /// Fails with this text in the brackets.
    Fails(String),
    /// Answers after that long, as `Makes`.
    Slow(Duration),
    /// The connection ends without an answer.
    Drops,
    /// The connection ends in the middle of the answer.
    DropsHalfWay,
    /// Answers with these status and body, as no kubelet would.
    Odd(u16, String),
    /// A redirection.
    Elsewhere(String),
}

/// Where kubelets write.
pub(crate) const ARCHIVE: &str =
    "/var/lib/kubelet/checkpoints/checkpoint-web-0_shop-app-2026-11-23T00:22:56Z.tar";

/// How the kubelet is set up.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) at: &'static str,
    pub(crate) certificate: Kind,
    pub(crate) http2: bool,
    /// The feature gate.
    pub(crate) gate: bool,
    /// Bearer tokens and their users.
    pub(crate) tokens: HashMap<String, String>,
    /// Who may make checkpoints.
    pub(crate) allowed: Vec<String>,
    /// Whether requests without credentials are those of `system:anonymous`.
    pub(crate) anonymous: bool,
    /// What the runtime does, one request after the other; the last stays.
    pub(crate) runtime: Vec<Runtime>,
}

/// The token that may, and the one that may not.
pub(crate) const TOKEN: &str = "eyJhbGciOi.strong-secret.c2lnbmF0dXJl";
pub(crate) const WEAK_TOKEN: &str = "eyJhbGciOi.weak-secret.c2lnbmF0dXJl";

impl Default for Setup {
    fn default() -> Self {
        let account = |name: &str| format!("system:serviceaccount:default:{name}");
        Self {
            at: "127.0.0.1:0",
            certificate: Kind::Good,
            http2: true,
            gate: true,
            tokens: HashMap::from([
                (TOKEN.to_owned(), account("strong")),
                (WEAK_TOKEN.to_owned(), account("weak")),
            ]),
            allowed: vec![account("strong"), APISERVER.to_owned()],
            anonymous: false,
            runtime: vec![Runtime::Makes(ARCHIVE.to_owned())],
        }
    }
}

/// The user of the client certificate.
pub(crate) const APISERVER: &str = "kube-apiserver-kubelet-client";

/// A request that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) version: String,
    pub(crate) user: String,
}

/// A running kubelet.
#[derive(Debug)]
pub(crate) struct Kubelet {
    pub(crate) address: SocketAddr,
    pub(crate) pair: Pair,
    pub(crate) state: Arc<State>,
}

#[derive(Debug)]
pub(crate) struct State {
    gate: bool,
    tokens: HashMap<String, String>,
    allowed: Vec<String>,
    anonymous: bool,
    runtime: Mutex<VecDeque<Runtime>>,
    seen: Mutex<Vec<Seen>>,
}

impl Kubelet {
    pub(crate) async fn start(setup: Setup) -> Self {
        let pair = certificates::server(setup.certificate);
        let tls = certificates::serving(&pair, setup.http2);
        let state = Arc::new(State {
            gate: setup.gate,
            tokens: setup.tokens,
            allowed: setup.allowed,
            anonymous: setup.anonymous,
            runtime: Mutex::new(setup.runtime.into()),
            seen: Mutex::default(),
        });
        let address = listen(setup.at, tls, Arc::clone(&state)).await;
        Self { address, pair, state }
    }

    /// What came so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().unwrap().clone()
    }

    /// Requests for checkpoints of real containers that came so far.
    pub(crate) fn asked(&self) -> usize {
        self.seen().iter().filter(|seen| !seen.path.contains("/-/-")).count()
    }
}

fn text(status: u16, body: impl Into<String>) -> Response<Body> {
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "text/plain; charset=utf-8")
        .body(whole(body.into()))
        .unwrap()
}

/// The JSON of a success, without a newline at its end.
fn items(paths: &[String]) -> String {
    serde_json::json!({ "items": paths }).to_string()
}

fn success(paths: &[String]) -> Response<Body> {
    Response::builder().header(CONTENT_TYPE, "application/json").body(whole(items(paths))).unwrap()
}

impl State {
    /// Who asks; `None` for nobody.
    fn user(&self, peer: Peer, headers: &HeaderMap) -> Option<String> {
        if peer.certificate {
            return Some(APISERVER.to_owned());
        }
        match headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap_or_default()) {
            Some(value) => self.tokens.get(value.strip_prefix("Bearer ")?).cloned(),
            None => self.anonymous.then(|| "system:anonymous".to_owned()),
        }
    }

    /// What the kubelet answers to a user.
    pub(crate) async fn handle(
        &self,
        user: Option<String>,
        version: &str,
        method: &Method,
        path: &str,
        query: &str,
        headers: &HeaderMap,
    ) -> Result<Response<Body>, std::io::Error> {
        let told = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        self.seen.lock().unwrap().push(Seen {
            method: method.to_string(),
            path: told,
            version: version.to_owned(),
            user: user.clone().unwrap_or_default(),
        });
        // Authentication and access come before anything else.
        let Some(user) = user else { return Ok(text(401, "Unauthorized")) };
        let verb = if *method == Method::POST { "create" } else { "get" };
        if !self.allowed.contains(&user) {
            return Ok(text(
                403,
                format!(
                    "Forbidden (user={user}, verb={verb}, resource=nodes, subresource(s)=[checkpoint])\n"
                ),
            ));
        }
        if !self.gate {
            let mut answer = text(404, "404 page not found\n");
            answer.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, "nosniff".parse().unwrap());
            return Ok(answer);
        }
        if path == "/checkpoint" {
            let answer = Response::builder().status(307).header(LOCATION, "/checkpoint/");
            return Ok(answer.body(whole("")).unwrap());
        }
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let [_, namespace, pod, container] = parts[..] else {
            return Ok(text(404, "404: Page Not Found"));
        };
        if *method != Method::POST {
            let mut answer = text(405, "405: Method Not Allowed");
            answer.headers_mut().insert(ALLOW, "POST".parse().unwrap());
            return Ok(answer);
        }
        let accept = headers.get(ACCEPT).map_or("*/*", |value| value.to_str().unwrap());
        if !accept.contains("json") && accept != "*/*" {
            let body = "406: Not Acceptable\n\nAvailable representations: application/json";
            return Ok(text(406, body));
        }
        self.checkpoint(namespace, pod, container, query).await
    }

    async fn checkpoint(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        query: &str,
    ) -> Result<Response<Body>, std::io::Error> {
        if namespace != "shop" || !pod.starts_with("web-") {
            return Ok(text(404, "pod does not exist"));
        }
        if !["app", "log", "init-once"].contains(&container) {
            return Ok(text(404, format!("container {container} does not exist")));
        }
        let failed = |why: &str| {
            text(500, format!("checkpointing of {namespace}/{pod}/{container} failed ({why})"))
        };
        // The last of several counts.
        if let Some(value) = query.rsplit('&').find_map(|pair| pair.strip_prefix("timeout=")) {
            match value.parse::<i64>() {
                Err(_) => return Ok(text(404, "cannot parse value of timeout parameter")),
                Ok(seconds) if seconds < 0 => {
                    let why = "CheckpointContainer requires the timeout value to be > 0";
                    return Ok(failed(why));
                }
                Ok(_) => {}
            }
        }
        if container == "init-once" {
            return Ok(failed("container init-once not found"));
        }
        let runtime = {
            let mut all = self.runtime.lock().unwrap();
            if all.len() > 1 { all.pop_front() } else { all.front().cloned() }.unwrap()
        };
        Ok(match runtime {
            Runtime::Makes(path) => success(&[path]),
            Runtime::MakesAll(paths) => success(&paths),
            Runtime::Fails(why) => failed(&why),
            Runtime::Slow(time) => {
                tokio::time::sleep(time).await;
                success(&[ARCHIVE.to_owned()])
            }
            Runtime::Drops => return Err(std::io::Error::other("the kubelet died")),
            Runtime::DropsHalfWay => {
                let whole = items(&[ARCHIVE.to_owned()]);
                let half = Bytes::from(whole[..20].to_owned());
                let frames: Vec<Result<Frame<Bytes>, std::io::Error>> =
                    vec![Ok(Frame::data(half)), Err(std::io::Error::other("the kubelet died"))];
                Response::builder()
                    .header(CONTENT_TYPE, "application/json")
                    .header(CONTENT_LENGTH, whole.len())
                    .body(StreamBody::new(stream::iter(frames)).boxed())
                    .unwrap()
            }
            Runtime::Elsewhere(location) => {
                let location = HeaderValue::from_bytes(location.as_bytes()).unwrap();
                Response::builder().status(307).header(LOCATION, location).body(whole("")).unwrap()
            }
            Runtime::Odd(status, body) => {
                let mut answer = text(status, body);
                *answer.status_mut() = StatusCode::from_u16(status).unwrap();
                answer
            }
        })
    }
}

impl Handler for State {
    async fn answer(
        &self,
        peer: Peer,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, std::io::Error> {
        let user = self.user(peer, request.headers());
        let version = format!("{:?}", request.version());
        let uri = request.uri();
        let query = uri.query().unwrap_or_default();
        self.handle(user, &version, request.method(), uri.path(), query, request.headers()).await
    }
}
