//! Archives brought here: read on the node, or through a helper pod.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use crate::apiserver::{ApiServer, Setup, Start, Streaming};
use crate::kubelet::{ARCHIVE, Kubelet, Runtime, Setup as KubeletSetup};
use crate::world::{World, archive};

const NAME: &str = "checkpoint-web-0_shop-app-2026-11-23T00:22:56Z.tar";

/// What a run with a helper needs.
pub(crate) struct Lab {
    pub(crate) world: World,
    pub(crate) kubelet: Kubelet,
    pub(crate) api: ApiServer,
    /// The archive on the "node".
    pub(crate) remote: PathBuf,
}

pub(crate) async fn lab(setup: Setup) -> Lab {
    let world = World::new();
    std::fs::create_dir(world.path("node")).unwrap();
    std::fs::create_dir(world.path("out")).unwrap();
    let remote = world.path("node").join(NAME);
    std::fs::write(&remote, archive()).unwrap();
    let kubelet = Kubelet::start(KubeletSetup::default()).await;
    let api = ApiServer::start(setup, &kubelet, &world.path("node")).await;
    api.kubeconfig(&world);
    Lab { world, kubelet, api, remote }
}

pub(crate) const FETCH: [&str; 6] =
    ["web-0", "app", "--kubeconfig", "kubeconfig", "--fetch", "out"];

impl Lab {
    /// Nothing is left anywhere: no pod, no part of a file.
    pub(crate) fn is_clean(&self) {
        assert_eq!(self.api.helpers(), Vec::<String>::new(), "a helper pod is left");
        assert_eq!(self.world.names("out"), Vec::<String>::new(), "a file is left");
    }
}

fn sha256(bytes: &[u8]) -> String {
    // Of the program's own hashes one is checked against sha256sum here.
    let mut child = std::process::Command::new("sha256sum")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap()[..64].to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn through_a_helper_pod() {
    let lab = lab(Setup::default()).await;
    let ran = lab.world.run(&FETCH).await;
    let hash = sha256(&archive());
    ran.ends(0)
        .has(&format!("  archive     {ARCHIVE}\n"))
        .has(&format!("  fetched     out/{NAME}\n"))
        .has(&format!("  sha256      {hash} (here and on the node)\n"))
        // What `verify` says of it, and `info`.
        .has("  verified    whole; 0 of 29 checks failed\n")
        .has("looper");
    let here = lab.world.path("out").join(NAME);
    assert_eq!(std::fs::read(&here).unwrap(), archive());
    assert_eq!(here.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(lab.world.names("out"), [NAME]);
    assert!(lab.remote.exists(), "what is on the node stays there");
    // The pod is as harmless as it can be, on the node, and gone.
    let [manifest] = &lab.api.manifests()[..] else { panic!("one pod") };
    let spec = &manifest["spec"];
    assert_eq!(manifest["metadata"]["namespace"], "shop");
    assert_eq!(spec["nodeName"], "worker-1");
    assert_eq!(spec["automountServiceAccountToken"], false);
    assert_eq!(spec["containers"][0]["image"], "busybox:stable");
    assert_eq!(spec["containers"][0]["volumeMounts"][0]["readOnly"], true);
    assert_eq!(spec["containers"][0]["securityContext"]["privileged"], false);
    assert_eq!(spec["volumes"][0]["hostPath"]["path"], "/var/lib/kubelet/checkpoints");
    assert_eq!(spec["tolerations"][0]["operator"], "Exists");
    assert_eq!(lab.api.deleted(), [manifest["metadata"]["name"].as_str().unwrap()]);
    assert_eq!(lab.api.helpers(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn image_namespace_and_json() {
    let lab = lab(Setup::default()).await;
    let more = [
        "--fetch-image",
        "lab/tools@sha256:ab",
        "--fetch-namespace",
        "kube-system",
        "--format",
        "json",
    ];
    let document = lab.world.run(&[&FETCH[..], &more].concat()).await.ends(0).json();
    let [manifest] = &lab.api.manifests()[..] else { panic!("one pod") };
    assert_eq!(manifest["metadata"]["namespace"], "kube-system");
    assert_eq!(manifest["spec"]["containers"][0]["image"], "lab/tools@sha256:ab");
    let fetched = &document["results"][0]["fetched"][0];
    assert_eq!(fetched["file"], format!("out/{NAME}"));
    assert_eq!(fetched["size"], archive().len());
    assert_eq!(fetched["sha256"], sha256(&archive()));
    assert_eq!(fetched["removed_from_node"], false);
    assert_eq!(fetched["verified"]["verdict"], "whole");
    assert_eq!(fetched["verified"]["failed"], serde_json::json!([]));
    assert_eq!(fetched["info"]["schema"], "ckpt-inspect/info/1");
    assert_eq!(fetched["info"]["container"]["name"], "lab-looper");
}

#[tokio::test(flavor = "multi_thread")]
async fn removed_on_the_node_only_when_asked() {
    let lab = lab(Setup::default()).await;
    lab.world
        .run(&[&FETCH[..], &["--rm-remote"]].concat())
        .await
        .ends(0)
        .has(
            "note: --rm-remote needs the archive's directory writable; a helper pod mounts it so\n",
        )
        .has("  on the node deleted\n");
    assert!(!lab.remote.exists());
    let [manifest] = &lab.api.manifests()[..] else { panic!("one pod") };
    assert_eq!(manifest["spec"]["containers"][0]["volumeMounts"][0]["readOnly"], false);
    lab.world.run(&["web-0", "--rm-remote"]).await.ends(2).has("--fetch");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_is_taken_up_again() {
    let lab = lab(Setup { streaming: Streaming::Breaks(1000, 2), ..Setup::default() }).await;
    let ran = lab.world.run(&FETCH).await;
    ran.ends(0).has("the stream broke at byte 1000 (").has("the stream broke at byte 2000 (");
    assert_eq!(std::fs::read(lab.world.path("out").join(NAME)).unwrap(), archive());
    let tails: Vec<_> = lab.api.commands().into_iter().filter(|words| words[0] == "tail").collect();
    assert_eq!(tails[1], ["tail", "-c", "+1001", &format!("/checkpoints/{NAME}")]);
    assert_eq!(lab.api.helpers(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_brings_nothing_is_given_up() {
    let lab = lab(Setup { streaming: Streaming::Breaks(0, 100), ..Setup::default() }).await;
    lab.world
        .run(&FETCH)
        .await
        .ends(3)
        .has(&format!("  archive     {ARCHIVE}\n"))
        .has(&format!("error: shop/web-0/app: cannot fetch {ARCHIVE} from worker-1: reading on the node failed: the stream broke"))
        .has("the archive is on the node still: copy it from there (scp), or try again");
    lab.is_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_on_the_way() {
    let lab = lab(Setup { streaming: Streaming::Corrupt, ..Setup::default() }).await;
    lab.world
        .run(&[&FETCH[..], &["--rm-remote"]].concat())
        .await
        .ends(3)
        .has(&format!("{ARCHIVE} came here damaged: sha256 "))
        .has(&format!(" here, {} on worker-1\n", sha256(&archive())))
        .has("the archive on the node is untouched: fetch it again");
    lab.is_clean();
    assert!(lab.remote.exists(), "nothing is deleted before the hashes agree");
}

#[tokio::test(flavor = "multi_thread")]
async fn helpers_that_do_not_run() {
    for (start, told) in [
        (
            Start::Waits("ImagePullBackOff"),
            "the helper pod does not start: ImagePullBackOff: because\n",
        ),
        (
            Start::Waits("InvalidImageName"),
            "the helper pod does not start: InvalidImageName: because\n",
        ),
        (Start::Ends, "the helper pod ended by itself: StartError\n"),
    ] {
        let lab = lab(Setup { start, ..Setup::default() }).await;
        let ran = lab.world.run(&FETCH).await;
        ran.ends(3)
            .has(told)
            .has("name an image that the node can pull with --fetch-image")
            .has(ARCHIVE);
        lab.is_clean();
        assert_eq!(lab.api.deleted().len(), 1);
    }
    let lab = lab(Setup { start: Start::Refused, ..Setup::default() }).await;
    lab.world
        .run(&FETCH)
        .await
        .ends(3)
        .has("violates PodSecurity \"baseline:latest\": hostPath volumes")
        .has("name one that does with --fetch-namespace");
    lab.is_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn access_that_helpers_need() {
    for denied in ["create pods", "get pods/exec"] {
        let lab = lab(Setup::denying(&[denied])).await;
        let ran = lab.world.run(&FETCH).await;
        ran.ends(3)
            .has(&format!("jane may not {denied}\n"))
            .has("what is missing is granted by this");
        lab.is_clean();
    }
    let lab = lab(Setup::denying(&["create pods/exec"])).await;
    lab.world
        .run(&[&FETCH[..], &["--check"]].concat())
        .await
        .ends(2)
        .has("no      may I create pods/exec in namespace shop?\n")
        .has("yes     may I delete pods in namespace shop?\n");
    assert_eq!(lab.kubelet.asked(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_is_not_there() {
    let lab = lab(Setup::default()).await;
    std::fs::remove_file(&lab.remote).unwrap();
    let ran = lab.world.run(&FETCH).await;
    ran.ends(3).has("hashing on the node failed: ").has("open").has(NAME);
    lab.is_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_cannot_be_deleted_is_told() {
    let twice = lab(Setup { failing_deletions: 2, ..Setup::default() }).await;
    twice.world.run(&FETCH).await.ends(0).lacks("warning");
    assert_eq!(twice.api.helpers(), Vec::<String>::new());
    let never = lab(Setup { failing_deletions: 100, ..Setup::default() }).await;
    let ran = never.world.run(&FETCH).await;
    let [helper] = &never.api.helpers()[..] else { panic!("it is there still") };
    ran.has(&format!("it ends by itself within four hours: kubectl delete pod -n shop {helper}\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_paths_of_the_kubelet() {
    let world = World::new();
    std::fs::create_dir(world.path("node")).unwrap();
    std::fs::create_dir(world.path("out")).unwrap();
    let odd = "it's $(odd) & \"quoted\".tar";
    std::fs::write(world.path("node").join(odd), archive()).unwrap();
    let runtime = vec![
        Runtime::Makes(format!("/var/lib/kubelet/check points/{odd}")),
        Runtime::Makes("/var/../etc/shadow".into()),
        Runtime::Makes("shadow".into()),
    ];
    let kubelet = Kubelet::start(KubeletSetup { runtime, ..KubeletSetup::default() }).await;
    let api = ApiServer::start(Setup::default(), &kubelet, &world.path("node")).await;
    api.kubeconfig(&world);
    world.run(&FETCH).await.ends(0).has("  fetched     out/it_s___odd_____quoted_.tar\n");
    assert_eq!(
        api.manifests()[0]["spec"]["volumes"][0]["hostPath"]["path"],
        "/var/lib/kubelet/check points"
    );
    for _ in 0..2 {
        world.run(&FETCH).await.ends(3).has("this is no absolute path of a file in a directory");
    }
    assert_eq!(api.manifests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_is_never_written_over() {
    let lab = lab(Setup::default()).await;
    lab.world.write("there.tar", "evidence");
    let args = ["web-0", "app", "--kubeconfig", "kubeconfig", "--fetch"];
    lab.world
        .run(&[&args[..], &["there.tar"]].concat())
        .await
        .ends(2)
        .has("there.tar exists; evidence is not written over");
    lab.world
        .run(&[&args[..], &["absent/a.tar"]].concat())
        .await
        .ends(2)
        .has("cannot write in absent");
    let several = ["-l", "app=web", "--kubeconfig", "kubeconfig", "--fetch", "a.tar"];
    lab.world.run(&several).await.ends(2).has("several archives need a directory");
    assert_eq!(lab.kubelet.asked(), 0, "all of that is found out before anything is frozen");
    // Under a name of its own, and then not again.
    lab.world.run(&[&args[..], &["a.tar"]].concat()).await.ends(0);
    assert_eq!(std::fs::read(lab.world.path("a.tar")).unwrap(), archive());
    lab.world.run(&FETCH).await.ends(0);
    lab.world.run(&FETCH).await.ends(3).has("cannot name out/");
    assert_eq!(lab.world.names("out"), [NAME]);
}

/// A kubelet on this machine whose archive is a file of it.
async fn on_the_node(world: &World) -> (Kubelet, PathBuf) {
    let remote = world.path("checkpoints").join(NAME);
    std::fs::create_dir_all(world.path("checkpoints")).unwrap();
    std::fs::create_dir_all(world.path("out")).unwrap();
    std::fs::write(&remote, archive()).unwrap();
    let runtime = vec![Runtime::Makes(remote.to_string_lossy().into_owned())];
    (Kubelet::start(KubeletSetup { runtime, ..KubeletSetup::default() }).await, remote)
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_node_itself() {
    let world = World::new();
    let (kubelet, remote) = on_the_node(&world).await;
    let args = ["web-0", "app", "--ca", "ca.crt", "--token-file", "token", "--fetch", "out"];
    world
        .ask(&kubelet, &args)
        .await
        .ends(0)
        .has(&format!("  fetched     out/{NAME}\n"))
        .has("looper");
    assert_eq!(std::fs::read(world.path("out").join(NAME)).unwrap(), archive());
    assert!(remote.exists());
    std::fs::remove_file(world.path("out").join(NAME)).unwrap();
    world
        .ask(&kubelet, &[&args[..], &["--rm-remote"]].concat())
        .await
        .ends(0)
        .has("on the node deleted");
    assert!(!remote.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kubelet_gets_no_other_file_of_this_machine_read_or_deleted() {
    let world = World::new();
    std::fs::create_dir(world.path("out")).unwrap();
    let precious = world.write("precious", "not for you");
    let runtime = vec![Runtime::Makes(precious.to_string_lossy().into_owned())];
    let kubelet = Kubelet::start(KubeletSetup { runtime, ..KubeletSetup::default() }).await;
    let args = [
        "web-0",
        "app",
        "--ca",
        "ca.crt",
        "--token-file",
        "token",
        "--fetch",
        "out",
        "--rm-remote",
    ];
    world.ask(&kubelet, &args).await.ends(3).has("it is not on this machine");
    assert!(precious.exists());
    assert_eq!(world.names("out"), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_is_not_the_node() {
    let world = World::new();
    std::fs::create_dir(world.path("out")).unwrap();
    let kubelet = Kubelet::start(KubeletSetup::default()).await;
    world
        .ask(
            &kubelet,
            &["web-0", "app", "--ca", "ca.crt", "--token-file", "token", "--fetch", "out"],
        )
        .await
        .ends(3)
        .has("it is not on this machine, and no API server is known to fetch it through")
        .has("copy it from the node (scp), or name a kubeconfig with --kubeconfig");
    // Elsewhere for certain: found out before anything is asked. 192.0.2.1 is nobody (RFC 5737).
    world
        .run(&["web-0", "app", "--node", "192.0.2.1", "--fetch", "out"])
        .await
        .ends(2)
        .has("192.0.2.1:10250 is not on this machine, and --node alone knows no API server to fetch through");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_and_is_no_checkpoint() {
    let lab = lab(Setup::default()).await;
    std::fs::write(&lab.remote, b"not an archive at all, but it came whole").unwrap();
    lab.world.run(&FETCH).await.ends(3).has("the fetched archive cannot be read: ");
    assert_eq!(lab.world.names("out"), [NAME], "it is kept: it is what the node has");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_at_once() {
    let lab = lab(Setup { slow_creation: Duration::from_millis(50), ..Setup::default() }).await;
    let runtime = ["0-a", "0-b", "1-a", "1-b"]
        .map(|one| Runtime::Makes(format!("/var/lib/kubelet/checkpoints/{one}.tar")));
    for name in ["0-a", "0-b", "1-a", "1-b"] {
        std::fs::write(lab.world.path("node").join(format!("{name}.tar")), archive()).unwrap();
    }
    let kubelet =
        Kubelet::start(KubeletSetup { runtime: runtime.into(), ..KubeletSetup::default() }).await;
    let api = ApiServer::start(Setup::default(), &kubelet, &lab.world.path("node")).await;
    api.kubeconfig(&lab.world);
    lab.world
        .run(&["-l", "app=web", "--kubeconfig", "kubeconfig", "--fetch", "out/"])
        .await
        .ends(0);
    assert_eq!(lab.world.names("out"), ["0-a.tar", "0-b.tar", "1-a.tar", "1-b.tar"]);
    assert_eq!(api.deleted().len(), 4);
}
