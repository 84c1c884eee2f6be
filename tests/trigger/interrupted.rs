//! Ctrl-C in every phase, and worse.

use std::time::Duration;

use tokio::net::TcpListener;
use tokio::process::Child;

use crate::apiserver::{Setup, Start, Streaming};
use crate::fetching::{FETCH, Lab, lab};
use crate::kubelet::{ARCHIVE, Kubelet, Runtime, Setup as KubeletSetup};
use crate::world::{Ran, World};

/// Waits until something is true; a test that waits in vain fails.
async fn until(what: &str, mut is: impl FnMut() -> bool) {
    for _ in 0..400 {
        if is() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{what} did not happen");
}

fn signal(child: &Child, name: &str) {
    let pid = child.id().expect("it runs").to_string();
    let status = std::process::Command::new("kill").args(["-s", name, &pid]).status().unwrap();
    assert!(status.success());
}

async fn interrupt(world: &World, child: Child) -> Ran {
    signal(&child, "INT");
    let ran = world.finish(child).await;
    ran.ends(130).has("interrupted\n");
    ran
}

const LEFT: &str = "shop/web-0/app: the kubelet was asked and did not answer yet; the node may hold an archive all the same, whole \
                    or in part: /var/lib/kubelet/checkpoints/checkpoint-web-0_shop-app-*.tar";

#[tokio::test(flavor = "multi_thread")]
async fn while_connecting() {
    let world = World::new();
    // Takes connections and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let node = listener.local_addr().unwrap().to_string();
    let child = world.command(&["web-0", "app", "--node", &node]).spawn().unwrap();
    let _held = listener.accept().await.unwrap();
    interrupt(&world, child).await.lacks("archive");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_kubelet_works() {
    let world = World::new();
    let runtime = vec![Runtime::Slow(Duration::from_secs(60))];
    let kubelet = Kubelet::start(KubeletSetup { runtime, ..KubeletSetup::default() }).await;
    let node = kubelet.address.to_string();
    let args =
        ["-n", "shop", "web-0", "app", "--node", &node, "--ca", "ca.crt", "--token-file", "token"];
    for name in ["INT", "TERM"] {
        let before = kubelet.asked();
        let child = world.command(&args).spawn().unwrap();
        until("the request", || kubelet.asked() > before).await;
        signal(&child, name);
        world.finish(child).await.ends(130).has("interrupted\n").has(LEFT);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_kubelet_works_behind_the_proxy() {
    let lab = lab(Setup::default()).await;
    let runtime = vec![Runtime::Slow(Duration::from_secs(60))];
    let kubelet = Kubelet::start(KubeletSetup { runtime, ..KubeletSetup::default() }).await;
    let api =
        crate::apiserver::ApiServer::start(Setup::default(), &kubelet, &lab.world.path("node"))
            .await;
    api.kubeconfig(&lab.world);
    let child = lab.world.command(&[&FETCH[..], &["--via", "apiserver"]].concat()).spawn().unwrap();
    until("the request", || kubelet.asked() == 1).await;
    interrupt(&lab.world, child).await.has(LEFT);
    assert_eq!(api.manifests(), Vec::<serde_json::Value>::new());
}

async fn start(lab: &Lab) -> Child {
    lab.world.command(&FETCH).spawn().unwrap()
}

fn on_the_node(ran: &Ran) {
    ran.has(&format!("shop/web-0/app: the archive is on the node: {ARCHIVE}\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_helper_is_being_created() {
    // The API server has the pod before its creator hears of it: the deletion must not come too early.
    let lab = lab(Setup { slow_creation: Duration::from_millis(1500), ..Setup::default() }).await;
    let child = start(&lab).await;
    until("the creation", || !lab.api.helpers().is_empty()).await;
    on_the_node(&interrupt(&lab.world, child).await);
    lab.is_clean();
    assert_eq!(lab.api.deleted().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_helper_starts() {
    let lab = lab(Setup { start: Start::Waits("ContainerCreating"), ..Setup::default() }).await;
    let child = start(&lab).await;
    until("a second look", || {
        lab.api.seen().iter().filter(|one| one.contains("pods/ckpt-inspect-fetch")).count() > 1
    })
    .await;
    on_the_node(&interrupt(&lab.world, child).await);
    lab.is_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn while_bytes_come() {
    let lab = lab(Setup { streaming: Streaming::Stalls(3000), ..Setup::default() }).await;
    let child = start(&lab).await;
    let arriving = || {
        lab.world.names("out").iter().any(|name| {
            std::fs::metadata(lab.world.path("out").join(name)).is_ok_and(|meta| meta.len() == 3000)
        })
    };
    until("the first bytes", arriving).await;
    let ran = interrupt(&lab.world, child).await;
    on_the_node(&ran);
    ran.lacks("Could not");
    lab.is_clean();
    assert_eq!(lab.api.deleted().len(), 1);
    assert!(lab.remote.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_bytes_come() {
    let lab = lab(Setup { streaming: Streaming::Stalls(3000), ..Setup::default() }).await;
    let child = start(&lab).await;
    until("the stream", || lab.api.commands().iter().any(|words| words[0] == "tail")).await;
    signal(&child, "KILL");
    lab.world.finish(child).await.ends(-1);
    // Nothing under a name that anybody would take for an archive, and a pod that ends by itself.
    let names = lab.world.names("out");
    assert!(
        names.iter().all(|name| name.starts_with(".ckpt-inspect-") && name.ends_with(".part")),
        "{names:?}"
    );
    assert_eq!(lab.api.manifests()[0]["spec"]["activeDeadlineSeconds"], 4 * 3600);
}

#[tokio::test(flavor = "multi_thread")]
async fn twice() {
    let setup =
        Setup { streaming: Streaming::Stalls(3000), failing_deletions: 1000, ..Setup::default() };
    let lab = lab(setup).await;
    let child = start(&lab).await;
    until("the stream", || lab.api.commands().iter().any(|words| words[0] == "tail")).await;
    signal(&child, "INT");
    tokio::time::sleep(Duration::from_millis(500)).await;
    signal(&child, "INT");
    let began = std::time::Instant::now();
    let ran = lab.world.finish(child).await;
    ran.ends(130).has("helper pods may be left: kubectl get pods -A -l app.kubernetes.io/name=ckpt-inspect-fetch\n");
    assert!(began.elapsed() < Duration::from_secs(1));
}
