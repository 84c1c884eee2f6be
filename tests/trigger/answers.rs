//! Every answer of a kubelet, and what the user is told.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;

use crate::kubelet::{ARCHIVE, Kubelet, Runtime, Setup, TOKEN};
use crate::world::{Ran, World};

const AUTH: [&str; 4] = ["--ca", "ca.crt", "--token-file", "token"];

/// Asks for `pod` and `container` with good credentials.
async fn ask(world: &World, kubelet: &Kubelet, pod: &str, container: &str) -> Ran {
    world.ask(kubelet, &[&[pod, container], &AUTH[..]].concat()).await
}

/// The message when the runtime answers with this text.
async fn failing(why: &str) -> Ran {
    let world = World::new();
    let runtime = vec![Runtime::Fails(why.to_owned())];
    let kubelet = Kubelet::start(Setup { runtime, ..Setup::default() }).await;
    let ran = ask(&world, &kubelet, "web-0", "app").await;
    assert_eq!(kubelet.asked(), 1, "nothing is asked twice");
    ran.ends(2);
    ran
}

#[tokio::test(flavor = "multi_thread")]
async fn success_over_both_versions_of_http() {
    for (http2, version) in [(false, "HTTP/1.1"), (true, "HTTP/2.0")] {
        let world = World::new();
        let kubelet = Kubelet::start(Setup { http2, ..Setup::default() }).await;
        let ran = ask(&world, &kubelet, "web-0", "app").await;
        ran.ends(0).has("shop/web-0/app\n").has(&format!("  archive     {ARCHIVE}\n"));
        ran.has(&format!("  node        {}\n", kubelet.address)).has("  duration    0.");
        assert_eq!(ran.stderr, "");
        let [seen] = &kubelet.seen()[..] else { panic!("one request") };
        assert_eq!((seen.method.as_str(), seen.version.as_str()), ("POST", version));
        assert_eq!(seen.path, "/checkpoint/shop/web-0/app");
        assert_eq!(seen.user, "system:serviceaccount:default:strong");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn json_of_a_success() {
    let world = World::new();
    let kubelet = Kubelet::start(Setup::default()).await;
    let args = [&["web-0", "app", "--format", "json"], &AUTH[..]].concat();
    let mut document = world.ask(&kubelet, &args).await.ends(0).json();
    let result = &mut document["results"][0];
    assert!(result["duration_ms"].take().is_u64());
    assert_eq!(result["kubelet"].take(), kubelet.address.to_string());
    assert_eq!(
        document,
        serde_json::json!({
            "schema": "ckpt-inspect/trigger/1",
            "results": [{
                "namespace": "shop", "pod": "web-0", "container": "app", "node": null, "kubelet": null,
                "via": "direct", "archive": ARCHIVE, "archives": [ARCHIVE], "duration_ms": null,
                "fetched": [], "error": null,
            }],
            "defects": [],
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn several_items_and_odd_characters() {
    let world = World::new();
    let paths = vec!["/a/with space \u{1b}[31m'q'.tar".to_owned(), "/b/é.tar".to_owned()];
    let runtime = vec![Runtime::MakesAll(paths.clone())];
    let kubelet = Kubelet::start(Setup { runtime, ..Setup::default() }).await;
    let ran = ask(&world, &kubelet, "web-0", "app").await;
    ran.ends(0)
        .has("  archive     /a/with space \\x1b[31m'q'.tar\n")
        .has("  archive     /b/é.tar\n");
    ran.lacks("\u{1b}");
    let args = [&["web-0", "app", "--format", "json"], &AUTH[..]].concat();
    let document = world.ask(&kubelet, &args).await.json();
    assert_eq!(document["results"][0]["archives"], serde_json::json!(paths));
}

#[tokio::test(flavor = "multi_thread")]
async fn timeouts_are_sent_along() {
    let world = World::new();
    let kubelet = Kubelet::start(Setup::default()).await;
    for (seconds, noted) in [("30", true), ("300", false)] {
        let ran = world
            .ask(&kubelet, &[&["web-0", "app", "--timeout", seconds], &AUTH[..]].concat())
            .await;
        ran.ends(0);
        let note = "note: a kubelet ignores a timeout below its own runtimeRequestTimeout (120 s unless configured)";
        if noted {
            ran.has(note)
        } else {
            ran.lacks("note:")
        };
    }
    let paths: Vec<_> = kubelet.seen().into_iter().map(|seen| seen.path).collect();
    assert_eq!(
        paths,
        ["/checkpoint/shop/web-0/app?timeout=30", "/checkpoint/shop/web-0/app?timeout=300"]
    );
    world.ask(&kubelet, &["web-0", "app", "--timeout", "0"]).await.ends(2);
    world.ask(&kubelet, &["web-0", "app", "--timeout", "-1"]).await.ends(2);
    assert_eq!(kubelet.seen().len(), 2, "what is no timeout is not sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_pod_and_no_container() {
    let world = World::new();
    let kubelet = Kubelet::start(Setup::default()).await;
    let address = kubelet.address;
    ask(&world, &kubelet, "nosuch", "app")
        .await
        .ends(2)
        .has(&format!(
            "shop/nosuch/app: there is no pod nosuch in namespace shop on the node at {address}\n"
        ))
        .has("what to do: check name, -n NAMESPACE and node")
        .lacks("may hold an archive");
    ask(&world, &kubelet, "web-0", "nosuch")
        .await
        .ends(2)
        .has("pod web-0 has no container nosuch\n")
        .has("what to do: kubectl get pod -o yaml lists them")
        .lacks("may hold an archive");
    ask(&world, &kubelet, "web-0", "init-once")
        .await
        .ends(2)
        .has("the container is not running: container init-once not found\n")
        .has("only a running container can be checkpointed")
        .lacks("may hold an archive");
}

#[tokio::test(flavor = "multi_thread")]
async fn access() {
    let world = World::new();
    let kubelet = Kubelet::start(Setup::default()).await;
    let address = kubelet.address;
    let ask = async |auth: &[&str]| {
        world.ask(&kubelet, &[&["web-0", "app", "--ca", "ca.crt"], auth].concat()).await
    };
    for auth in [&["--token-file", "bad-token"][..], &[]] {
        ask(auth)
            .await
            .ends(2)
            .has(&format!(
                "the kubelet at {address} does not know these credentials (401 Unauthorized)\n"
            ))
            .has("what to do: a kubelet takes certificates of its client CA")
            .lacks("may hold an archive");
    }
    ask(&["--token-file", "weak-token"])
        .await
        .ends(2)
        .has(&format!(
            "the kubelet at {address} does not allow it (403 Forbidden): system:serviceaccount:default:weak may not create \
             nodes/checkpoint\n"
        ))
        .has("what to do: grant create on nodes/checkpoint (docs/k8s/)")
        .has("what is missing is granted by this (kubectl apply -f -):\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\n")
        .has("- kind: ServiceAccount\n  name: \"weak\"\n  namespace: \"default\"\n")
        .lacks("may hold an archive");
    ask(&["--client-cert", "client.crt", "--client-key", "client.key"]).await.ends(0);
    ask(&["--token", TOKEN]).await.ends(0);
    let users: Vec<_> = kubelet.seen().into_iter().map(|seen| seen.user).collect();
    assert_eq!(
        users[3..],
        ["kube-apiserver-kubelet-client", "system:serviceaccount:default:strong"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn anonymous_requests_are_nobody() {
    let world = World::new();
    let kubelet = Kubelet::start(Setup { anonymous: true, ..Setup::default() }).await;
    world
        .ask(&kubelet, &["web-0", "app", "--ca", "ca.crt"])
        .await
        .ends(2)
        .has("system:anonymous may not create nodes/checkpoint\n")
        .has("the kubelet takes you for nobody: give credentials (--token-file, or --client-cert and --client-key)")
        .lacks("kubectl apply");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gate_is_off() {
    let world = World::new();
    let kubelet = Kubelet::start(Setup { gate: false, ..Setup::default() }).await;
    let address = kubelet.address;
    ask(&world, &kubelet, "web-0", "app")
        .await
        .ends(2)
        .has(&format!(
            "the kubelet at {address} has no checkpoint endpoint (404 page not found): its feature gate ContainerCheckpoint is off\n"
        ))
        .has("featureGates: {ContainerCheckpoint: true}")
        .lacks("may hold an archive");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_something_in_between_may_make_of_it() {
    for (status, body, cause, remedy) in [
        (
            404,
            "cannot parse value of timeout parameter",
            "cannot read the timeout (404 cannot parse value of timeout parameter)",
            "--timeout is a whole number of seconds",
        ),
        (
            404,
            "404: Page Not Found",
            "does not know this path (404): 404: Page Not Found",
            "is it a kubelet, of version 1.25 or newer?",
        ),
        (
            405,
            "405: Method Not Allowed",
            "does not take this method (405 Method Not Allowed)",
            "something in between changed the method",
        ),
        (
            406,
            "406: Not Acceptable\n\nAvailable representations: application/json",
            "has no answer of the form that was asked for (406 Not Acceptable)",
            "changed the header Accept",
        ),
        (
            418,
            "teapot",
            "gives an answer that is not understood (418): teapot",
            "is it a kubelet, and nothing in between?",
        ),
        (
            429,
            "slow down",
            "gives an answer that is not understood (429): slow down",
            "is it a kubelet, and nothing in between?",
        ),
    ] {
        let world = World::new();
        let runtime = vec![Runtime::Odd(status, body.to_owned())];
        let kubelet = Kubelet::start(Setup { runtime, ..Setup::default() }).await;
        let ran = ask(&world, &kubelet, "web-0", "app").await;
        ran.ends(2).has(&format!("the kubelet at {} {cause}\n", kubelet.address)).has(remedy);
        ran.lacks("may hold an archive");
        assert_eq!(kubelet.asked(), 1, "nothing is asked twice");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirection_is_told_and_not_followed() {
    // To another server, which would be given the credentials, and to what would steer the terminal.
    for (location, told) in [
        ("https://127.0.0.1:1/checkpoint/", "https://127.0.0.1:1/checkpoint/"),
        ("/checkpoint/", "/checkpoint/"),
        ("/a\tb\u{202e}", "/a\\tb\\u{202e}"),
    ] {
        let world = World::new();
        let runtime = vec![Runtime::Elsewhere(location.to_owned())];
        let kubelet = Kubelet::start(Setup { runtime, ..Setup::default() }).await;
        let ran = ask(&world, &kubelet, "web-0", "app").await;
        ran.ends(2)
            .has(&format!("answers with a redirection to {told}, which is not followed\n"))
            .has("credentials are sent to nobody else")
            .lacks("may hold an archive");
        assert_eq!(kubelet.asked(), 1, "nothing is asked twice");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_none() {
    let world = World::new();
    for body in ["", "{}", "{\"items\":[]}", "<html>login</html>"] {
        let runtime = vec![Runtime::Odd(200, body.to_owned())];
        let kubelet = Kubelet::start(Setup { runtime, ..Setup::default() }).await;
        ask(&world, &kubelet, "web-0", "app")
            .await
            .ends(2)
            .has(&format!("gives an answer that is not understood (200): {body}"))
            .has("the node may hold an archive all the same");
    }
    // Ten megabytes are not read.
    let runtime = vec![Runtime::Odd(200, "x".repeat(10 << 20))];
    let kubelet = Kubelet::start(Setup { runtime, ..Setup::default() }).await;
    ask(&world, &kubelet, "web-0", "app").await.ends(2).has("more than 1048576 bytes");
}

const LEFT: &str = "note: the node may hold an archive all the same, whole or in part: \
                    /var/lib/kubelet/checkpoints/checkpoint-web-0_shop-app-*.tar (the time is the node's local time)";

#[tokio::test(flavor = "multi_thread")]
async fn runtimes_that_cannot() {
    for (why, cause, remedy) in [
        (
            "rpc error: code = Unknown desc = checkpoint/restore support not available",
            "the runtime's checkpoint support is off: checkpoint/restore support not available\n",
            "set enable_criu_support = true under [crio.runtime]",
        ),
        (
            "rpc error: code = Unavailable desc = connection error: desc = \"transport: Error while dialing: dial unix \
             /run/crio/crio.sock: connect: no such file or directory\"",
            "the kubelet does not reach its runtime: connection error: desc = \"transport: Error while dialing: dial unix \
             /run/crio/crio.sock: connect: no such file or directory\"\n",
            "look at the runtime's service on the node",
        ),
        (
            "rpc error: code = Unimplemented desc = unknown method CheckpointContainer for service runtime.v1.RuntimeService",
            "the runtime knows no checkpoints: unknown method CheckpointContainer",
            "containerd since 2.0",
        ),
        (
            "rpc error: code = Unknown desc = criu binary not found",
            "there is no CRIU on the node: criu binary not found\n",
            "install criu on the node",
        ),
        (
            "rpc error: code = Unknown desc = checkpoint/restore requires at least CRIU 31600",
            "CRIU on the node is too old: checkpoint/restore requires at least CRIU 31600\n",
            "install a newer criu",
        ),
        (
            "rpc error: code = Unknown desc = container \"ab12\" is in CONTAINER_EXITED state. only CONTAINER_RUNNING containers \
             can be checkpointed",
            "the container is not running: container \"ab12\" is in CONTAINER_EXITED state.",
            "only a running container can be checkpointed",
        ),
        (
            "CheckpointContainer requires the timeout value to be > 0",
            "a timeout must be above zero: CheckpointContainer requires the timeout value to be > 0\n",
            "--timeout is a number of seconds above zero",
        ),
    ] {
        failing(why).await.has(cause).has(remedy).lacks("may hold an archive");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_that_failed_half_way() {
    for (why, cause, remedy) in [
        (
            "rpc error: code = DeadlineExceeded desc = context deadline exceeded",
            "the runtime did not finish in time: context deadline exceeded\n",
            "give it more time with --timeout SECONDS",
        ),
        (
            "rpc error: code = Unknown desc = criu failed: type NOTIFY errno 0 path= /run/containerd/io/ab/criu-dump.log",
            "CRIU failed: criu failed: type NOTIFY errno 0 path= /run/containerd/io/ab/criu-dump.log\n  \
             CRIU's log on the node: /run/containerd/io/ab/criu-dump.log\n",
            "the lines with Error tell what it could not dump",
        ),
        (
            "rpc error: code = Unknown desc = Error (criu/files-reg.c:1031): Can't dump ghost file /tmp/x of 5242880 size, \
             increase limit",
            "a deleted file is over CRIU's ghost limit: Error (criu/files-reg.c:1031)",
            "ghost-limit in /etc/criu/runc.conf",
        ),
        (
            "Error (criu/sk-inet.c:191): inet: Connected TCP socket, consider using --tcp-established option.",
            "the container has established TCP connections: Error (criu/sk-inet.c:191)",
            "put tcp-established into /etc/criu/runc.conf",
        ),
        (
            "Error (criu/file-lock.c:110): Some file locks are hold by dumping tasks! You can try --file-locks to dump them.",
            "the container holds file locks: Error (criu/file-lock.c:110)",
            "put file-locks into /etc/criu/runc.conf",
        ),
        (
            "Error (criu/fsnotify.c:258): fsnotify: Can't find suitable path for handle (dev 0x800001 ino 0x1f)",
            "CRIU does not find the file of a watch: Error (criu/fsnotify.c:258)",
            "put force-irmap into /etc/criu/runc.conf",
        ),
        (
            "Error (criu/sk-unix.c:868): unix: External socket is used. Consider using --ext-unix-sk option.",
            "a unix socket leads out of the container: Error (criu/sk-unix.c:868)",
            "put ext-unix-sk into /etc/criu/runc.conf",
        ),
        (
            "write /var/lib/kubelet/checkpoints/x.tar: no space left on device",
            "the node's disk is full: write",
            "make room on the node",
        ),
        (
            "something new\nin two lines",
            "the runtime failed: something new\nin two lines\n",
            "look at the log of the runtime on the node",
        ),
    ] {
        failing(why).await.has(cause).has(remedy).has(LEFT);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_races_are_tried_again() {
    for why in [
        "rpc error: code = Unknown desc = cannot pause a paused container",
        "rpc error: code = Unknown desc = open /tmp/ctrd-checkpoint/status: no such file or directory",
    ] {
        let world = World::new();
        let runtime =
            vec![Runtime::Fails(why.to_owned()), Runtime::Makes("/checkpoints/a.tar".to_owned())];
        let kubelet = Kubelet::start(Setup { runtime, ..Setup::default() }).await;
        let ran = ask(&world, &kubelet, "web-0", "app").await;
        ran.ends(0).has("/checkpoints/a.tar").has("; once more in 1 s\n");
        assert_eq!(kubelet.asked(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_slow_for_us() {
    let world = World::new();
    let runtime = vec![Runtime::Slow(Duration::from_secs(30))];
    let kubelet = Kubelet::start(Setup { runtime, ..Setup::default() }).await;
    world
        .ask(&kubelet, &[&["web-0", "app", "--timeout", "1"], &AUTH[..]].concat())
        .await
        .ends(2)
        .has(&format!("the kubelet at {} did not answer within 1 s\n", kubelet.address))
        .has("the container may be frozen while its checkpoint is being written")
        .has(LEFT);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_break() {
    for http2 in [false, true] {
        for runtime in [Runtime::Drops, Runtime::DropsHalfWay] {
            let world = World::new();
            let setup = Setup { http2, runtime: vec![runtime], ..Setup::default() };
            let kubelet = Kubelet::start(setup).await;
            let ran = ask(&world, &kubelet, "web-0", "app").await;
            let cause = "dropped the connection before its answer was complete: ";
            ran.ends(2).has(&format!("the kubelet at {} {cause}", kubelet.address));
            ran.has("the checkpoint may be complete").has(LEFT);
            assert_eq!(kubelet.asked(), 1, "nothing is asked twice");
        }
    }
}

/// The kubelet of these tests says what a real one says, byte for byte.
#[tokio::test(flavor = "multi_thread")]
async fn the_kubelet_of_the_tests_is_like_a_real_one() {
    let kubelet = Kubelet::start(Setup { http2: false, ..Setup::default() }).await;
    let off = Kubelet::start(Setup { http2: false, gate: false, ..Setup::default() }).await;
    let token = format!("Authorization: Bearer {TOKEN}\r\n");
    for (kubelet, request, status, headers, body) in [
        (&kubelet, format!("POST /checkpoint/shop/web-0/app HTTP/1.1\r\n{token}"), "200 OK", "content-type: application/json\r\n", format!("{{\"items\":[\"{ARCHIVE}\"]}}")),
        (&kubelet, format!("POST /checkpoint/shop/web-0/app/ HTTP/1.1\r\n{token}"), "200 OK", "content-type: application/json\r\n", format!("{{\"items\":[\"{ARCHIVE}\"]}}")),
        (&kubelet, format!("POST /checkpoint/shop/web-0/app?timeout=x&timeout=0 HTTP/1.1\r\n{token}"), "200 OK", "", format!("{{\"items\":[\"{ARCHIVE}\"]}}")),
        (&kubelet, format!("POST /checkpoint/shop/x/app HTTP/1.1\r\n{token}"), "404 Not Found", "content-type: text/plain; charset=utf-8\r\n", "pod does not exist".into()),
        (&kubelet, format!("POST /checkpoint/shop/web-0/x HTTP/1.1\r\n{token}"), "404 Not Found", "", "container x does not exist".into()),
        (&kubelet, format!("POST /checkpoint/shop/web-0/app?timeout=abc HTTP/1.1\r\n{token}"), "404 Not Found", "", "cannot parse value of timeout parameter".into()),
        (&kubelet, format!("POST /checkpoint/shop/web-0/app?timeout=-1 HTTP/1.1\r\n{token}"), "500 Internal Server Error", "", "checkpointing of shop/web-0/app failed (CheckpointContainer requires the timeout value to be > 0)".into()),
        (&kubelet, format!("POST /checkpoint/shop/web-0/init-once HTTP/1.1\r\n{token}"), "500 Internal Server Error", "", "checkpointing of shop/web-0/init-once failed (container init-once not found)".into()),
        (&kubelet, format!("POST /checkpoint/shop HTTP/1.1\r\n{token}"), "404 Not Found", "", "404: Page Not Found".into()),
        (&kubelet, format!("POST /checkpoint HTTP/1.1\r\n{token}"), "307 Temporary Redirect", "location: /checkpoint/\r\n", String::new()),
        (&kubelet, "POST /checkpoint/shop/web-0/app HTTP/1.1\r\n".into(), "401 Unauthorized", "", "Unauthorized".into()),
        (&kubelet, format!("POST /checkpoint/shop/web-0/app HTTP/1.1\r\nAccept: text/plain\r\n{token}"), "406 Not Acceptable", "", "406: Not Acceptable\n\nAvailable representations: application/json".into()),
        (&off, format!("POST /checkpoint/shop/web-0/app HTTP/1.1\r\n{token}"), "404 Not Found", "x-content-type-options: nosniff\r\n", "404 page not found\n".into()),
    ] {
        let address = kubelet.address;
        let answer = tokio::task::spawn_blocking(move || raw(address, &request)).await.unwrap();
        let (head, got) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
        assert!(format!("{head}\r\n").contains(headers), "{answer}");
        assert_eq!(got, body, "{answer}");
    }
    let get = format!("GET /checkpoint/shop/web-0/app HTTP/1.1\r\n{token}");
    let address = kubelet.address;
    let answer = tokio::task::spawn_blocking(move || raw(address, &get)).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 405 Method Not Allowed\r\n")
            && answer.contains("allow: POST\r\n")
    );
    assert!(answer.ends_with("405: Method Not Allowed"));
}

fn raw(address: std::net::SocketAddr, request: &str) -> String {
    let mut roots = rustls::RootCertStore::empty();
    let ca = crate::certificates::ca();
    let der = <rustls::pki_types::CertificateDer<'_> as rustls::pki_types::pem::PemObject>::from_pem_slice(ca.as_bytes());
    roots.add(der.unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let session = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let tcp = std::net::TcpStream::connect(address).unwrap();
    let mut stream = rustls::StreamOwned::new(session, tcp);
    let text = format!("{request}Host: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}
