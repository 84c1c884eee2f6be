//! Pods, nodes and access, found out through the API server.

use serde_json::json;

use crate::apiserver::{ApiServer, Setup};
use crate::certificates::Kind;
use crate::kubelet::{ARCHIVE, Kubelet, Runtime, Setup as KubeletSetup, TOKEN};
use crate::world::World;

/// A world with an API server whose kubeconfig is `kubeconfig`, and a kubelet that takes jane.
async fn lab(setup: Setup) -> (World, Kubelet, ApiServer) {
    lab_with(setup, KubeletSetup::default()).await
}

async fn lab_with(setup: Setup, kubelet: KubeletSetup) -> (World, Kubelet, ApiServer) {
    let world = World::new();
    let kubelet = Kubelet::start(kubelet).await;
    let api = ApiServer::start(setup, &kubelet, &world.path("node")).await;
    api.kubeconfig(&world);
    (world, kubelet, api)
}

const CONFIG: [&str; 2] = ["--kubeconfig", "kubeconfig"];

fn with(args: &[&'static str]) -> Vec<&'static str> {
    [args, &CONFIG[..]].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_running_containers_of_a_pod() {
    let (world, kubelet, _api) = lab(Setup::default()).await;
    let ran = world.run(&with(&["web-0"])).await;
    let node = format!("  node        worker-1 ({})\n", kubelet.address);
    ran.ends(0).has("shop/web-0/app\n").has("shop/web-0/log\n").has(&node).lacks("init-once");
    assert_eq!(kubelet.asked(), 2);
    // The kubelet is asked with the token of the kubeconfig, and trusted by its CA.
    assert!(kubelet.seen().iter().all(|seen| seen.user == "system:serviceaccount:default:strong"));
}

#[tokio::test(flavor = "multi_thread")]
async fn through_the_api_server() {
    let (world, kubelet, api) = lab(Setup::default()).await;
    let ran = world.run(&with(&["web-0", "app", "--via", "apiserver", "--timeout", "150"])).await;
    ran.ends(0).has(ARCHIVE);
    assert_eq!(kubelet.seen()[0].user, "kube-apiserver-kubelet-client");
    let path = "POST /api/v1/nodes/worker-1/proxy/checkpoint/shop/web-0/app?timeout=150";
    assert!(api.seen().contains(&path.to_owned()), "{:?}", api.seen());
}

#[tokio::test(flavor = "multi_thread")]
async fn several_pods_and_partial_failure() {
    let runtime = vec![
        Runtime::Makes("/checkpoints/1.tar".into()),
        Runtime::Fails("rpc error: code = Unknown desc = criu failed".into()),
    ];
    let kubelet = KubeletSetup { runtime, ..KubeletSetup::default() };
    let (world, kubelet, _api) = lab_with(Setup::default(), kubelet).await;
    let args = ["-l", "app=web", "-c", "app", "--jobs", "1", "--format", "json"];
    let ran = world.run(&with(&args)).await;
    ran.ends(3).has("error: shop/web-1/app: CRIU failed: criu failed\n");
    let document = ran.json();
    let results = document["results"].as_array().unwrap();
    assert_eq!(results[0]["pod"], "web-0", "pods come by name");
    assert_eq!(results[0]["archive"], "/checkpoints/1.tar");
    assert_eq!(results[1]["error"]["kind"], "criu-failed");
    assert_eq!(results[1]["archive"], serde_json::Value::Null);
    assert!(
        results[1]["error"]["may_remain"].as_str().unwrap().contains("checkpoint-web-1_shop-app-*")
    );
    assert_eq!(kubelet.asked(), 2);
    // One that does not exist does not stop the other.
    let ran = world.run(&with(&["web-0", "app", "--pod", "nosuch", "--jobs", "1"])).await;
    ran.has("shop/nosuch: there is no pod nosuch in namespace shop in the cluster\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_bounded() {
    let slow = Runtime::Slow(std::time::Duration::from_millis(600));
    let kubelet = KubeletSetup { runtime: vec![slow], ..KubeletSetup::default() };
    let (world, _kubelet, _api) = lab_with(Setup::default(), kubelet).await;
    let time = async |jobs: &'static str| {
        let began = std::time::Instant::now();
        world.run(&with(&["-l", "app=web", "--jobs", jobs])).await.ends(0);
        began.elapsed().as_millis()
    };
    // Four containers of 0.6 s.
    assert!(time("1").await >= 2400);
    assert!(time("4").await < 2400);
    world.run(&with(&["web-0", "--jobs", "0"])).await.ends(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn containers_that_do_not_run_and_pods_that_are_not_there() {
    let (world, kubelet, _api) = lab(Setup::default()).await;
    for (args, told) in [
        (
            &["web-0", "init-once"][..],
            "container init-once of pod web-0 is not running: terminated (Completed)\n",
        ),
        (
            &["web-0", "nosuch"],
            "pod web-0 has no container nosuch; there are app, log, init-once\n",
        ),
        (&["nosuch"], "there is no pod nosuch in namespace shop in the cluster\n"),
        (&["web-9"], "pod web-9 is on no node yet\n"),
        (&["-l", "app=none"], "no pod in namespace shop has the labels app=none\n"),
    ] {
        world.run(&with(args)).await.ends(2).has(told).lacks("may hold an archive");
    }
    assert_eq!(kubelet.asked(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn access_that_is_missing_comes_with_its_manifest() {
    let (world, _kubelet, _api) =
        lab(Setup::denying(&["get pods", "create nodes/checkpoint"])).await;
    world
        .run(&with(&["web-0"]))
        .await
        .ends(2)
        .has("the API server does not allow it (403 Forbidden): jane may not get pods\n")
        .has("what is missing is granted by this (kubectl apply -f -):\n")
        .has("  resources: [\"nodes/checkpoint\"]\n  verbs: [create]\n")
        .has("  resources: [\"pods\"]\n  verbs: [get]\n")
        .has("- apiGroup: rbac.authorization.k8s.io\n  kind: User\n  name: \"jane\"\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_may_not_be_read_is_found_all_the_same() {
    let (world, _kubelet, _api) = lab(Setup::denying(&["get nodes"])).await;
    // The pod's status has the address; the port is then the usual one, where nobody listens here.
    world
        .run(&with(&["web-0", "app"]))
        .await
        .ends(2)
        .has("connection refused by the kubelet at 127.0.0.1:10250\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_needs_two_accesses() {
    let args = with(&["web-0", "app", "--via", "apiserver"]);
    let (world, _kubelet, _api) = lab(Setup::denying(&["create nodes/proxy"])).await;
    world
        .run(&args)
        .await
        .ends(2)
        .has("the API server does not allow it (403 Forbidden): jane may not create nodes/proxy\n")
        .has("resources: [\"nodes/proxy\"]");
    let kubelet = KubeletSetup { allowed: Vec::new(), ..KubeletSetup::default() };
    let setup = Setup { identity_allowed: false, ..Setup::default() };
    let (world, _kubelet, _api) = lab_with(setup, kubelet).await;
    world
        .run(&args)
        .await
        .ends(2)
        .has("the kubelet of worker-1 (through the API server) does not allow it (403 Forbidden): kube-apiserver-kubelet-client may not create nodes/checkpoint\n")
        .has("the kubelet does not know you but the API server, whose own identity (kube-apiserver-kubelet-client)")
        .has("name: ckpt-inspect-apiserver\n")
        .has("kind: User\n  name: \"kube-apiserver-kubelet-client\"\n");
    let (world, kubelet, _api) = lab(Setup { proxy_works: false, ..Setup::default() }).await;
    world
        .run(&args)
        .await
        .ends(2)
        .has("the API server did not get through to worker-1 (503): error trying to reach service: dial tcp 10.0.0.7:10250")
        .has("may hold an archive");
    assert_eq!(kubelet.asked(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_asked_twice_through_the_proxy_either() {
    for status in [429, 500, 503, 504] {
        let runtime = vec![Runtime::Odd(status, "no".to_owned())];
        let kubelet = KubeletSetup { runtime, ..KubeletSetup::default() };
        let (world, kubelet, _api) = lab_with(Setup::default(), kubelet).await;
        world.run(&with(&["web-0", "app", "--via", "apiserver"])).await.ends(2);
        assert_eq!(kubelet.asked(), 1, "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_of_every_kind() {
    let (mut world, kubelet, api) = lab(Setup::default()).await;
    let plugin = world.write("plugin", &format!(
        "#!/bin/sh\ncat <<END\n{}\nEND\n",
        json!({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": TOKEN}})
    ));
    std::fs::set_permissions(&plugin, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let exec = json!({"apiVersion": "client.authentication.k8s.io/v1", "command": "./plugin", "interactiveMode": "Never"});
    for user in [
        json!({"token": TOKEN}),
        json!({"tokenFile": "token"}),
        json!({"client-certificate": "client.crt", "client-key": "client.key"}),
        json!({"exec": exec}),
    ] {
        world.write("kubeconfig", &api.kubeconfig_of(&user).to_string());
        world.run(&with(&["web-0", "app", "-vv"])).await.ends(0);
    }
    assert_eq!(kubelet.asked(), 4);
    // What a plugin prints is a secret, whether it is understood or not.
    world.secret("garbled-secret");
    for script in [
        "#!/bin/sh\necho '{garbled-secret'\n",
        "#!/bin/sh\necho garbled-secret\necho garbled-secret >&2\nexit 3\n",
    ] {
        world.write("plugin", script);
        let user = json!({"exec": exec});
        world.write("kubeconfig", &api.kubeconfig_of(&user).to_string());
        world.run(&with(&["web-0", "app", "-vv"])).await.ends(2).has("its credential plugin");
    }
    // A token that no header can hold is an error, not the end of the program.
    let user = json!({"token": "garbled-secret\nx"});
    world.write("kubeconfig", &api.kubeconfig_of(&user).to_string());
    world
        .run(&with(&["web-0", "app"]))
        .await
        .ends(2)
        .has("its token holds characters that no token has");
}

#[tokio::test(flavor = "multi_thread")]
async fn kubeconfigs_that_are_none() {
    let (mut world, _kubelet, api) = lab(Setup::default()).await;
    world.secret("quoted-secret");
    for (text, told) in [
        (
            "users:\n- name: me\n  user: {token: quoted-secret\n",
            "cannot use the kubeconfig kubeconfig: it is not understood in line",
        ),
        ("users: quoted-secret\n", "cannot use the kubeconfig kubeconfig: it is not understood"),
        ("{}", "it names no current context; choose one with --context"),
        ("current-context: x\n", "it has no context x"),
    ] {
        world.write("kubeconfig", text);
        world.run(&with(&["web-0"])).await.ends(2).has(told);
    }
    world
        .run(&["web-0", "--kubeconfig", "absent"])
        .await
        .ends(2)
        .has("cannot use the kubeconfig absent: ");
    world
        .run(&["web-0"])
        .await
        .ends(2)
        .has("no way to the API server is known")
        .has("--kubeconfig or KUBECONFIG");
    api.kubeconfig(&world);
    world
        .run(&with(&["web-0", "--context", "nosuch"]))
        .await
        .ends(2)
        .has("it has no context nosuch");
}

#[tokio::test(flavor = "multi_thread")]
async fn kubeconfigs_are_found_as_kubectl_finds_them() {
    let (world, kubelet, _api) = lab(Setup::default()).await;
    let mut command = world.command(&["web-0", "app"]);
    command.env("KUBECONFIG", "absent:kubeconfig");
    world.finish(command.spawn().unwrap()).await.ends(0);
    std::fs::create_dir(world.path(".kube")).unwrap();
    let absolute = std::fs::read_to_string(world.path("kubeconfig"))
        .unwrap()
        .replace("ca.crt", world.path("ca.crt").to_str().unwrap());
    world.write(".kube/config", &absolute);
    world.run(&["web-0", "app"]).await.ends(0);
    assert_eq!(kubelet.asked(), 2);
    // A pod without a service account.
    let mut command = world.command(&["web-0"]);
    command
        .env("HOME", "/nonexistent")
        .env("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        .env("KUBERNETES_SERVICE_PORT", "1");
    world.finish(command.spawn().unwrap()).await.ends(2).has("no way to the API server is known: ");
}

/// A proxy that only notes where it should go to.
async fn proxy() -> (String, std::sync::Arc<std::sync::Mutex<Vec<String>>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked = std::sync::Arc::<std::sync::Mutex<Vec<String>>>::default();
    let noted = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            let mut request = vec![0; 1024];
            let len = tokio::io::AsyncReadExt::read(&mut tcp, &mut request).await.unwrap_or(0);
            let text = String::from_utf8_lossy(&request[..len]).into_owned();
            noted.lock().unwrap().push(text.lines().next().unwrap_or_default().to_owned());
            let refused = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n";
            let _ = tokio::io::AsyncWriteExt::write_all(&mut tcp, refused).await;
        }
    });
    (address, asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn proxies_of_the_kubeconfig_and_of_the_environment() {
    let (world, kubelet, api) = lab(Setup::default()).await;
    let (proxy, asked) = proxy().await;
    let run = async |no_proxy: &str| {
        let mut command = world.command(&with(&["web-0", "app"]));
        command.env("HTTPS_PROXY", &proxy).env("NO_PROXY", no_proxy);
        world.finish(command.spawn().unwrap()).await
    };
    run("example.com").await.ends(2).has("the API server");
    assert_eq!(asked.lock().unwrap()[0], format!("CONNECT {} HTTP/1.1", api.address));
    run("localhost,127.0.0.0/8").await.ends(0);
    // What the kubeconfig says goes before the environment.
    let mut config = api.kubeconfig_of(&json!({"token": TOKEN}));
    config["clusters"][0]["cluster"]["proxy-url"] = json!(proxy);
    world.write("kubeconfig", &config.to_string());
    let before = asked.lock().unwrap().len();
    world.run(&with(&["web-0", "app"])).await.ends(2);
    assert!(asked.lock().unwrap().len() > before);
    assert_eq!(kubelet.asked(), 1, "the kubelet itself is never behind a proxy");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_is_not_trusted_or_not_there() {
    let (world, kubelet, _api) =
        lab(Setup { certificate: Kind::SelfSigned, ..Setup::default() }).await;
    world
        .run(&with(&["web-0"]))
        .await
        .ends(2)
        .has("certificate")
        .has("is it the CA of the kubeconfig (certificate-authority)?");
    let gone = json!({
        "current-context": "x", "clusters": [{"name": "x", "cluster": {"server": "https://127.0.0.1:1"}}],
        "contexts": [{"name": "x", "context": {"cluster": "x"}}],
    });
    world.write("kubeconfig", &gone.to_string());
    world.run(&with(&["web-0"])).await.ends(2).has("connection refused by the API server\n");
    // Plain HTTP to a TLS port: of the kubelet here, which answers as Go does.
    let plain =
        gone.to_string().replace("https://127.0.0.1:1", &format!("http://{}", kubelet.address));
    world.write("kubeconfig", &plain);
    world
        .run(&with(&["web-0"]))
        .await
        .ends(2)
        .has("Client sent an HTTP request to an HTTPS server")
        .has("use https in the address of the server");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kubelet_that_is_named_while_pods_are_looked_up() {
    let (world, kubelet, _api) = lab(Setup::denying(&["get nodes"])).await;
    let node = kubelet.address.to_string();
    world
        .run(&["web-0", "--kubeconfig", "kubeconfig", "--node", &node])
        .await
        .ends(0)
        .has("shop/web-0/log\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_asks_everything_and_freezes_nothing() {
    let (world, kubelet, _api) = lab(Setup::default()).await;
    let server = format!("does the kubelet at {} take our request?", kubelet.address);
    world
        .run(&with(&["web-0", "--check"]))
        .await
        .ends(0)
        .has("yes     may I get pods in namespace shop?\n")
        .has("yes     may I create nodes/checkpoint?\n")
        .has("yes     is pod shop/web-0 running?")
        .has("unknown is container init-once running? no: terminated (Completed)\n")
        .has("yes     does the runtime (cri-o://1.33.1) make checkpoints? if criu is installed on the node\n")
        .has("yes     is ContainerCheckpoint on by default in this kubelet (v1.33.2)? unless it was switched off\n")
        .has(&format!("yes     {server}\n"))
        .lacks("kubectl apply");
    assert_eq!(kubelet.asked(), 0);
    let document = world.run(&with(&["web-0", "--check", "--format", "json"])).await.ends(0).json();
    assert_eq!(document["schema"], "ckpt-inspect/trigger-check/1");
    assert_eq!(document["checks"][0]["verdict"], "yes");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_finds_what_would_stop_it() {
    let setup = Setup {
        runtime: "containerd://1.7.27",
        version: "v1.29.3",
        ..Setup::denying(&["create nodes/checkpoint"])
    };
    let kubelet = KubeletSetup { gate: false, ..KubeletSetup::default() };
    let (world, kubelet, _api) = lab_with(setup, kubelet).await;
    world
        .run(&with(&["web-0", "--check"]))
        .await
        .ends(2)
        .has("no      may I create nodes/checkpoint?\n")
        .has("no      does the runtime (containerd://1.7.27) make checkpoints? containerd makes checkpoints since 2.0\n")
        .has("unknown is ContainerCheckpoint on by default in this kubelet (v1.29.3)? off unless it was switched on")
        .has("take our request? the kubelet at")
        .has("its feature gate ContainerCheckpoint is off\n")
        .has("what is missing is granted by this (kubectl apply -f -):\n")
        .has("a checkpoint would fail: see what is answered with no\n");
    assert_eq!(kubelet.asked(), 0);
    // The same is told when a checkpoint was tried.
    world
        .run(&with(&["web-0", "app"]))
        .await
        .ends(2)
        .has("what the API server says:\n  no      may I create nodes/checkpoint?")
        .has("  no      does the runtime (containerd://1.7.27) make checkpoints?");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_of_the_proxy_and_of_fetching() {
    let setup = Setup { identity_allowed: false, ..Setup::default() };
    let (world, _kubelet, _api) = lab(setup).await;
    world
        .run(&with(&["web-0", "--check", "--via", "apiserver"]))
        .await
        .has("yes     may I create nodes/proxy?\n")
        .has("unknown may the API server (kube-apiserver-kubelet-client) create nodes/checkpoint? not by this name alone")
        .has("name: ckpt-inspect-apiserver\n")
        .lacks("may I create nodes/checkpoint?\n");
    let (world, _kubelet, _api) = lab(Setup::denying(&["create subjectaccessreviews"])).await;
    world
        .run(&with(&["web-0", "--check", "--via", "apiserver"]))
        .await
        .ends(0)
        .has("unknown may the API server (kube-apiserver-kubelet-client) create nodes/checkpoint? the API server does not allow it");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_of_a_kubelet_alone() {
    let world = World::new();
    let kubelet = Kubelet::start(KubeletSetup::default()).await;
    let auth = ["web-0", "app", "--check", "--ca", "ca.crt", "--token-file"];
    world.ask(&kubelet, &[&auth[..], &["token"]].concat()).await.ends(0);
    world
        .ask(&kubelet, &[&auth[..], &["weak-token"]].concat())
        .await
        .ends(2)
        .has("system:serviceaccount:default:weak may not create nodes/checkpoint");
    assert_eq!(kubelet.asked(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_printed_and_nothing_is_asked() {
    let (world, kubelet, api) = lab(Setup::default()).await;
    for args in [
        &["web-0", "app", "--print-commands"][..],
        &["-l", "app in (web, db)", "--print-commands", "--via", "apiserver"],
        &[
            "-n",
            "shop",
            "web-0",
            "--print-commands",
            "--fetch",
            "out dir/",
            "--rm-remote",
            "--timeout",
            "150",
        ],
        &[
            "-n",
            "shop",
            "web-0",
            "app",
            "--print-commands",
            "--node",
            "10.0.0.7",
            "--token",
            TOKEN,
            "--ca",
            "ca.crt",
            "--fetch",
            "a.tar",
        ],
        &[
            "web-0",
            "app",
            "--print-commands",
            "--node",
            "10.0.0.7",
            "--client-cert",
            "client.crt",
            "--client-key",
            "client.key",
        ],
    ] {
        let ran = world.run(args).await;
        ran.ends(0).has("checkpoint/").has("set -eu\n");
        // A shell understands it.
        world.write("script", &ran.stdout);
        let read =
            std::process::Command::new("sh").arg("-n").arg(world.path("script")).output().unwrap();
        assert!(read.status.success(), "{}\n{}", String::from_utf8_lossy(&read.stderr), ran.stdout);
    }
    assert_eq!((kubelet.seen(), api.seen()), (vec![], vec![]));
}

/// In a pod: no kubeconfig, but two variables and the files of a service account. Their path is fixed, so that the program
/// gets a file system of its own to have them in.
#[tokio::test(flavor = "multi_thread")]
async fn in_a_pod_as_its_service_account() {
    let (world, kubelet, api) = lab(Setup::default()).await;
    world.write("namespace", "shop");
    let account = "/run/secrets/kubernetes.io/serviceaccount";
    let own_run = format!(
        "mount -t tmpfs none /run && mkdir -p {account} && cp ca.crt token namespace {account}"
    );
    let inside = |script: &str| {
        let mut command = world.command(&[]);
        let program = env!("CARGO_BIN_EXE_ckpt-inspect");
        let mut unshare = tokio::process::Command::new("unshare");
        unshare
            .args(["--map-root-user", "--mount", "sh", "-c"])
            .arg(format!("{own_run} && {script}"))
            .args([program, "trigger", "web-0", "app", "-v"])
            .current_dir(command.as_std().get_current_dir().unwrap())
            .env_clear()
            .envs(command.as_std().get_envs().filter_map(|(name, value)| Some((name, value?))))
            .env("KUBERNETES_SERVICE_HOST", api.address.ip().to_string())
            .env("KUBERNETES_SERVICE_PORT", api.address.port().to_string())
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        command = unshare;
        command
    };
    let possible = inside("true").status().await.is_ok_and(|status| status.success());
    if !possible {
        eprintln!("skipped: no mount namespace can be made here");
        return;
    }
    let child = inside("exec \"$0\" \"$@\"").spawn().unwrap();
    let ran = world.finish(child).await;
    ran.ends(0).has("shop/web-0/app\n").has(ARCHIVE);
    assert_eq!(kubelet.asked(), 1);
}
