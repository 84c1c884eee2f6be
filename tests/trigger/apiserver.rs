//! An API server, as far as `trigger` asks it: pods, nodes, access reviews, the proxy to a kubelet, and `exec` over a
//! WebSocket, where the commands really run, in a folder that stands for the node's.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::SinkExt;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{
    AUTHORIZATION, CONNECTION, CONTENT_TYPE, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::certificates::{self, Kind};
use crate::kubelet::{APISERVER, Kubelet, State as KubeletState, TOKEN, WEAK_TOKEN};
use crate::serving::{Body, Handler, Peer, listen, whole};
use crate::world::World;

/// What helper pods do once they are created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Start {
    /// They run at the second look.
    Runs,
    /// They wait for ever, for this reason.
    Waits(&'static str),
    /// They end at once.
    Ends,
    /// They may not be created: Pod Security Admission.
    Refused,
}

/// What happens to the stream of `tail`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Streaming {
    /// Nothing.
    Whole,
    /// It breaks after so many bytes, so many times.
    Breaks(usize, usize),
    /// One bit is wrong.
    Corrupt,
    /// It stops after so many bytes, and stays open.
    Stalls(usize),
}

/// How the API server is set up.
#[derive(Debug)]
pub(crate) struct Setup {
    /// What nobody may do, as `VERB RESOURCE`.
    pub(crate) denied: HashSet<String>,
    /// Whether the API server's own identity may make checkpoints, by its name alone.
    pub(crate) identity_allowed: bool,
    pub(crate) start: Start,
    pub(crate) streaming: Streaming,
    /// How long the creation of a pod takes.
    pub(crate) slow_creation: Duration,
    /// How many deletions fail.
    pub(crate) failing_deletions: usize,
    /// Whether the proxy reaches the kubelet.
    pub(crate) proxy_works: bool,
    pub(crate) runtime: &'static str,
    pub(crate) version: &'static str,
    pub(crate) certificate: Kind,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            denied: HashSet::new(),
            identity_allowed: true,
            start: Start::Runs,
            streaming: Streaming::Whole,
            slow_creation: Duration::ZERO,
            failing_deletions: 0,
            proxy_works: true,
            runtime: "cri-o://1.33.1",
            version: "v1.33.2",
            certificate: Kind::Good,
        }
    }
}

impl Setup {
    pub(crate) fn denying(denied: &[&str]) -> Self {
        Self { denied: denied.iter().map(ToString::to_string).collect(), ..Self::default() }
    }
}

#[derive(Debug)]
pub(crate) struct State {
    setup: Setup,
    kubelet: Arc<KubeletState>,
    kubelet_address: SocketAddr,
    /// The folder that stands for the node's directory of archives.
    node: PathBuf,
    helpers: Mutex<BTreeMap<String, (Value, usize)>>,
    manifests: Mutex<Vec<Value>>,
    deleted: Mutex<Vec<String>>,
    commands: Mutex<Vec<Vec<String>>>,
    failing_deletions: Mutex<usize>,
    breaks_left: Mutex<usize>,
    seen: Mutex<Vec<String>>,
}

/// A running API server.
#[derive(Debug)]
pub(crate) struct ApiServer {
    pub(crate) address: SocketAddr,
    pub(crate) state: Arc<State>,
}

impl ApiServer {
    /// Starts one whose only node, worker-1, has this kubelet. `node` is the folder of the node's archives.
    pub(crate) async fn start(setup: Setup, kubelet: &Kubelet, node: &Path) -> Self {
        let tls = certificates::serving(&certificates::server(setup.certificate), false);
        let breaks = match setup.streaming {
            Streaming::Breaks(_, times) => times,
            _ => usize::MAX,
        };
        let state = Arc::new(State {
            kubelet: Arc::clone(&kubelet.state),
            kubelet_address: kubelet.address,
            node: node.to_owned(),
            helpers: Mutex::default(),
            manifests: Mutex::default(),
            deleted: Mutex::default(),
            commands: Mutex::default(),
            failing_deletions: Mutex::new(setup.failing_deletions),
            breaks_left: Mutex::new(breaks),
            seen: Mutex::default(),
            setup,
        });
        let address = listen("127.0.0.1:0", tls, Arc::clone(&state)).await;
        Self { address, state }
    }

    /// Writes a kubeconfig for it as `kubeconfig`, with the token that may do everything.
    pub(crate) fn kubeconfig(&self, world: &World) {
        let user = json!({ "token": TOKEN });
        world.write("kubeconfig", &self.kubeconfig_of(&user).to_string());
    }

    /// A kubeconfig for it with other credentials.
    pub(crate) fn kubeconfig_of(&self, user: &Value) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "lab",
            "clusters": [{"name": "lab", "cluster": {
                "server": format!("https://{}", self.address), "certificate-authority": "ca.crt",
            }}],
            "users": [{"name": "me", "user": user}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "me", "namespace": "shop"}}],
        })
    }

    /// Names of helper pods that exist now.
    pub(crate) fn helpers(&self) -> Vec<String> {
        self.state.helpers.lock().unwrap().keys().cloned().collect()
    }

    /// What helper pods were created.
    pub(crate) fn manifests(&self) -> Vec<Value> {
        self.state.manifests.lock().unwrap().clone()
    }

    /// Names of helper pods that were deleted.
    pub(crate) fn deleted(&self) -> Vec<String> {
        self.state.deleted.lock().unwrap().clone()
    }

    /// Commands that ran in helper pods.
    pub(crate) fn commands(&self) -> Vec<Vec<String>> {
        self.state.commands.lock().unwrap().clone()
    }

    /// Method and path of what was asked.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.state.seen.lock().unwrap().clone()
    }
}

fn answer(status: u16, value: &Value) -> Response<Body> {
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "application/json")
        .body(whole(value.to_string()))
        .unwrap()
}

/// A `Status`, as the API server tells errors.
fn status(code: u16, reason: &str, message: &str) -> Response<Body> {
    answer(
        code,
        &json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message, "reason": reason, "code": code,
        }),
    )
}

fn pod(name: &str, host: SocketAddr) -> Value {
    let running = json!({"running": {"startedAt": "2026-11-23T00:00:00Z"}});
    let container = |name: &str, state: &Value| json!({"name": name, "state": state, "ready": true, "restartCount": 0, "image": "x", "imageID": "x"});
    let node = match name {
        "web-9" => Value::Null,
        _ => json!("worker-1"),
    };
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "labels": {"app": "web"}},
        "spec": {
            "nodeName": node,
            "containers": [{"name": "app"}, {"name": "log"}],
            "initContainers": [{"name": "init-once"}],
        },
        "status": {
            "phase": "Running", "hostIP": host.ip().to_string(),
            "containerStatuses": [container("app", &running), container("log", &running)],
            "initContainerStatuses": [
                container("init-once", &json!({"terminated": {"exitCode": 0, "reason": "Completed"}})),
            ],
        },
    })
}

impl State {
    fn node_object(&self) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": "worker-1"},
            "status": {
                "addresses": [
                    {"type": "Hostname", "address": "worker-1"},
                    {"type": "InternalIP", "address": self.kubelet_address.ip().to_string()},
                ],
                "daemonEndpoints": {"kubeletEndpoint": {"Port": self.kubelet_address.port()}},
                "nodeInfo": {
                    "containerRuntimeVersion": self.setup.runtime, "kubeletVersion": self.setup.version,
                    "architecture": "amd64", "bootID": "", "kernelVersion": "", "kubeProxyVersion": "",
                    "machineID": "", "operatingSystem": "linux", "osImage": "", "systemUUID": "",
                },
            },
        })
    }

    fn may(&self, user: &str, verb: &str, resource: &str) -> bool {
        !user.ends_with("weak") && !self.setup.denied.contains(&format!("{verb} {resource}"))
    }

    fn forbidden(user: &str, verb: &str, resource: &str) -> Response<Body> {
        let plain = resource.split('/').next().unwrap();
        status(
            403,
            "Forbidden",
            &format!(
                "{plain} is forbidden: User \"{user}\" cannot {verb} resource \"{resource}\" in API group \"\" in the namespace \"shop\""
            ),
        )
    }

    fn review(&self, user: &str, body: &[u8]) -> Response<Body> {
        let mut review: Value = serde_json::from_slice(body).unwrap();
        let wanted = review["spec"]["resourceAttributes"].clone();
        let text = |key: &str| wanted[key].as_str().unwrap_or_default().to_owned();
        let resource = match text("subresource") {
            sub if sub.is_empty() => text("resource"),
            sub => format!("{}/{sub}", text("resource")),
        };
        let allowed = match review["spec"]["user"].as_str() {
            Some(APISERVER) => self.setup.identity_allowed,
            Some(_) => false,
            None => self.may(user, &text("verb"), &resource),
        };
        review["status"] = json!({"allowed": allowed});
        answer(201, &review)
    }

    async fn api(
        &self,
        user: &str,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, std::io::Error> {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let path = uri.path().trim_start_matches('/').to_owned();
        let query = uri.query().unwrap_or_default().to_owned();
        let parts: Vec<&str> = path.split('/').collect();
        let denied = |verb, resource| Ok(Self::forbidden(user, verb, resource));
        Ok(match (&method, &parts[..]) {
            (&Method::GET, ["api", "v1", "namespaces", "shop", "pods"]) => {
                if !self.may(user, "list", "pods") {
                    return denied("list", "pods");
                }
                let names: &[&str] =
                    if query.contains("app%3Dweb") { &["web-1", "web-0"] } else { &[] };
                let items: Vec<Value> =
                    names.iter().map(|name| pod(name, self.kubelet_address)).collect();
                answer(
                    200,
                    &json!({"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": items}),
                )
            }
            (&Method::GET, ["api", "v1", "namespaces", _, "pods", name, "exec"]) => {
                if !self.may(user, "get", "pods/exec") {
                    return denied("get", "pods/exec");
                }
                let _ = name;
                return Ok(self.exec(request, &query));
            }
            (&Method::GET, ["api", "v1", "namespaces", _, "pods", name]) => {
                if let Some(helper) = self.helper(name) {
                    return Ok(answer(200, &helper));
                }
                if !self.may(user, "get", "pods") {
                    return denied("get", "pods");
                }
                if name.starts_with("web-") {
                    answer(200, &pod(name, self.kubelet_address))
                } else {
                    status(404, "NotFound", &format!("pods \"{name}\" not found"))
                }
            }
            (&Method::POST, ["api", "v1", "namespaces", _, "pods"]) => {
                if !self.may(user, "create", "pods") {
                    return denied("create", "pods");
                }
                let body = request.into_body().collect().await.unwrap().to_bytes();
                self.create(&body).await
            }
            (&Method::DELETE, ["api", "v1", "namespaces", _, "pods", name]) => self.delete(name),
            (&Method::GET, ["api", "v1", "nodes", "worker-1"]) => {
                if !self.may(user, "get", "nodes") {
                    return denied("get", "nodes");
                }
                answer(200, &self.node_object())
            }
            (method, ["api", "v1", "nodes", "worker-1", "proxy", rest @ ..]) => {
                if !self.may(user, "create", "nodes/proxy") {
                    return Ok(status(
                        403,
                        "Forbidden",
                        &format!(
                            "nodes \"worker-1\" is forbidden: User \"{user}\" cannot create resource \"nodes/proxy\" in API group \"\" at \
                         the cluster scope"
                        ),
                    ));
                }
                if !self.setup.proxy_works {
                    return Ok(status(
                        503,
                        "ServiceUnavailable",
                        "error trying to reach service: dial tcp 10.0.0.7:10250: connect: connection refused",
                    ));
                }
                let inner = format!("/{}", rest.join("/"));
                let user = Some(APISERVER.to_owned());
                return self
                    .kubelet
                    .handle(user, "HTTP/2.0", method, &inner, &query, request.headers())
                    .await;
            }
            (&Method::POST, ["apis", "authorization.k8s.io", "v1", kind]) => {
                if *kind == "subjectaccessreviews" && !self.may(user, "create", kind) {
                    return denied("create", kind);
                }
                let body = request.into_body().collect().await.unwrap().to_bytes();
                self.review(user, &body)
            }
            (&Method::POST, ["apis", "authentication.k8s.io", "v1", "selfsubjectreviews"]) => {
                answer(
                    201,
                    &json!({
                        "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview", "metadata": {},
                        "status": {"userInfo": {"username": user}},
                    }),
                )
            }
            _ => status(404, "NotFound", &format!("no {method} /{path} here")),
        })
    }

    async fn create(&self, body: &[u8]) -> Response<Body> {
        if self.setup.start == Start::Refused {
            return status(
                403,
                "Forbidden",
                "pods \"x\" is forbidden: violates PodSecurity \"baseline:latest\": hostPath volumes (volume \"checkpoints\")",
            );
        }
        let manifest: Value = serde_json::from_slice(body).unwrap();
        let name = manifest["metadata"]["name"].as_str().unwrap().to_owned();
        self.manifests.lock().unwrap().push(manifest.clone());
        // It exists, and its creator hears of it later.
        self.helpers.lock().unwrap().insert(name, (manifest.clone(), 0));
        tokio::time::sleep(self.setup.slow_creation).await;
        answer(201, &manifest)
    }

    fn helper(&self, name: &str) -> Option<Value> {
        let mut helpers = self.helpers.lock().unwrap();
        let (helper, looks) = helpers.get_mut(name)?;
        *looks += 1;
        let waiting = |reason: &str| json!({"waiting": {"reason": reason, "message": "because"}});
        let (phase, state) = match self.setup.start {
            Start::Waits(reason) => ("Pending", waiting(reason)),
            Start::Ends => {
                ("Failed", json!({"terminated": {"exitCode": 127, "reason": "StartError"}}))
            }
            _ if *looks < 2 => ("Pending", waiting("ContainerCreating")),
            _ => ("Running", json!({"running": {}})),
        };
        let mut helper = helper.clone();
        helper["status"] = json!({"phase": phase, "containerStatuses": [{
            "name": "fetch", "state": state, "ready": true, "restartCount": 0, "image": "x", "imageID": "x",
        }]});
        Some(helper)
    }

    fn delete(&self, name: &str) -> Response<Body> {
        let mut failing = self.failing_deletions.lock().unwrap();
        if *failing > 0 {
            *failing -= 1;
            return status(500, "InternalError", "etcd is busy");
        }
        match self.helpers.lock().unwrap().remove(name) {
            Some((helper, _)) => {
                self.deleted.lock().unwrap().push(name.to_owned());
                answer(200, &helper)
            }
            None => status(404, "NotFound", &format!("pods \"{name}\" not found")),
        }
    }

    /// Answers 101 and runs the command on the WebSocket.
    fn exec(&self, mut request: Request<Incoming>, query: &str) -> Response<Body> {
        let command: Vec<String> = query
            .split('&')
            .filter_map(|pair| pair.strip_prefix("command="))
            .map(decoded)
            .collect();
        self.commands.lock().unwrap().push(command.clone());
        let key = request.headers()[SEC_WEBSOCKET_KEY].as_bytes().to_vec();
        let inside: Vec<String> = command
            .iter()
            .map(|word| word.replace("/checkpoints", &self.node.to_string_lossy()))
            .collect();
        let streaming = if inside[0] == "tail" { self.streaming() } else { Streaming::Whole };
        tokio::spawn(async move {
            let upgraded = hyper::upgrade::on(&mut request).await.expect("an upgrade");
            let socket =
                WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
            run(socket, inside, streaming).await;
        });
        Response::builder()
            .status(101)
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "websocket")
            .header(SEC_WEBSOCKET_ACCEPT, derive_accept_key(&key))
            .header(SEC_WEBSOCKET_PROTOCOL, "v5.channel.k8s.io")
            .body(whole(""))
            .unwrap()
    }

    fn streaming(&self) -> Streaming {
        let mut left = self.breaks_left.lock().unwrap();
        if *left == 0 {
            return Streaming::Whole;
        }
        *left -= 1;
        self.setup.streaming.clone()
    }
}

fn decoded(text: &str) -> String {
    let text = text.replace('+', " ");
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'%' {
            let digits = std::str::from_utf8(&tail[..2]).unwrap();
            bytes.push(u8::from_str_radix(digits, 16).unwrap());
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).unwrap()
}

type Socket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

/// A frame of a channel: 1 is standard output, 2 standard error, 3 the status.
fn frame(channel: u8, bytes: &[u8]) -> Message {
    let mut all = vec![channel];
    all.extend_from_slice(bytes);
    Message::binary(all)
}

async fn run(mut socket: Socket, command: Vec<String>, streaming: Streaming) {
    let mut child = tokio::process::Command::new(&command[0])
        .args(&command[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the command starts");
    // A real one opens its channels with empty frames.
    let _ = socket.send(frame(1, &[])).await;
    let mut out = child.stdout.take().unwrap();
    let mut sent = 0;
    let mut buffer = vec![0; 32 * 1024];
    loop {
        let mut len = out.read(&mut buffer).await.unwrap();
        if len == 0 {
            break;
        }
        if streaming == Streaming::Corrupt && sent == 0 {
            buffer[0] ^= 1;
        }
        let (Streaming::Breaks(most, _) | Streaming::Stalls(most)) = streaming else {
            if socket.send(frame(1, &buffer[..len])).await.is_err() {
                return;
            }
            sent += len;
            continue;
        };
        len = len.min(most - sent);
        if socket.send(frame(1, &buffer[..len])).await.is_err() {
            return;
        }
        sent += len;
        if sent == most && matches!(streaming, Streaming::Breaks(..)) {
            // Dropped, as by a load balancer: no status, no close.
            return;
        }
        if sent == most {
            std::future::pending::<()>().await;
        }
    }
    let mut told = Vec::new();
    child.stderr.take().unwrap().read_to_end(&mut told).await.unwrap();
    if !told.is_empty() {
        let _ = socket.send(frame(2, &told)).await;
    }
    let ended = child.wait().await.unwrap();
    let status = if ended.success() {
        json!({"metadata": {}, "status": "Success"})
    } else {
        json!({
            "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
            "message": format!("command terminated with non-zero exit code: {ended}"),
        })
    };
    let _ = socket.send(frame(3, status.to_string().as_bytes())).await;
    let _ = socket.close(None).await;
}

impl Handler for State {
    async fn answer(
        &self,
        peer: Peer,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, std::io::Error> {
        let users =
            HashMap::from([(TOKEN, "jane"), (WEAK_TOKEN, "system:serviceaccount:default:weak")]);
        let token = request.headers().get(AUTHORIZATION).map(|value| value.to_str().unwrap());
        let user = match token.and_then(|value| value.strip_prefix("Bearer ")) {
            Some(token) => users.get(token).copied(),
            None => peer.certificate.then_some("admin"),
        };
        self.seen.lock().unwrap().push(format!("{} {}", request.method(), request.uri()));
        let Some(user) = user else { return Ok(status(401, "Unauthorized", "Unauthorized")) };
        self.api(user, request).await
    }
}
