//! The library without the command line.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ckpt_kubelet::{
    Client, Cluster, Error, Event, Fetcher, NodeAddress, NodeName, Observer, Retry, Secret, Target,
    Trust,
};

use crate::apiserver::{ApiServer, Setup, Streaming};
use crate::certificates;
use crate::fetching::lab;
use crate::kubelet::{ARCHIVE, Kubelet, Runtime, Setup as KubeletSetup, TOKEN};

fn address(kubelet: &Kubelet) -> NodeAddress {
    kubelet.address.to_string().parse().unwrap()
}

fn client(kubelet: &Kubelet) -> Client {
    Client::direct(address(kubelet))
        .trust(Trust::from_pem("the CA", certificates::ca().as_bytes()).unwrap())
        .token(Secret::new(TOKEN))
        .build()
        .unwrap()
}

fn target() -> Target {
    Target::new("shop", "web-0", "app").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint() {
    let kubelet = Kubelet::start(KubeletSetup::default()).await;
    let made = client(&kubelet).checkpoint(&target()).await.unwrap();
    assert_eq!(made.paths, [ARCHIVE]);
    assert_eq!(made.target, target());
    client(&kubelet).probe(&target()).await.unwrap();
    assert_eq!(kubelet.asked(), 1, "a probe is no checkpoint");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_future_closes_the_connection() {
    let runtime = vec![Runtime::Slow(Duration::from_secs(60))];
    let kubelet = Kubelet::start(KubeletSetup { runtime, ..KubeletSetup::default() }).await;
    let client = client(&kubelet);
    let began = Instant::now();
    let given_up =
        tokio::time::timeout(Duration::from_millis(500), client.checkpoint(&target())).await;
    assert!(given_up.is_err() && began.elapsed() < Duration::from_secs(5));
    assert_eq!(kubelet.asked(), 1);
}

#[derive(Default)]
struct Retries(Mutex<Vec<Duration>>);

impl Observer for Retries {
    fn event(&self, _: &Target, event: &Event<'_>) {
        if let Event::Retry { after, .. } = event {
            self.0.lock().unwrap().push(*after);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn races_are_tried_again_with_growing_pauses_and_not_for_ever() {
    let runtime = vec![Runtime::Fails("cannot pause a paused container".into())];
    let kubelet = Kubelet::start(KubeletSetup { runtime, ..KubeletSetup::default() }).await;
    let retries = Arc::new(Retries::default());
    let pause = Duration::from_millis(10);
    let error = client(&kubelet)
        .retry(Retry { times: 3, pause })
        .observer(retries.clone())
        .checkpoint(&target())
        .await
        .unwrap_err();
    assert_eq!(error.word(), "container-paused");
    assert_eq!(kubelet.asked(), 4);
    assert_eq!(*retries.0.lock().unwrap(), [pause, pause * 2, pause * 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_answers_in_time() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: NodeAddress = listener.local_addr().unwrap().to_string().parse().unwrap();
    let client =
        Client::direct(address).connect_timeout(Duration::from_millis(300)).build().unwrap();
    let error = client.checkpoint(&target()).await.unwrap_err();
    assert!(matches!(error, Error::ConnectTimeout { .. }), "{error}");
    assert_eq!(error.leftover(&target()), None);
    assert!(error.remedy().contains("firewall"));
}

async fn cluster(api: &ApiServer, world: &crate::world::World) -> Cluster {
    api.kubeconfig(world);
    Cluster::from_kubeconfig(&[world.path("kubeconfig")], None, None).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_helper_that_is_dropped_is_deleted() {
    let lab = lab(Setup { streaming: Streaming::Stalls(10), ..Setup::default() }).await;
    let cluster = cluster(&lab.api, &lab.world).await;
    let fetcher = Fetcher::new(&cluster);
    let node = NodeName::new("worker-1").unwrap();
    let fetching = async {
        let helper = fetcher.open(&target(), &node, ARCHIVE).await.unwrap();
        helper.copy(&mut Vec::new()).await.unwrap();
    };
    assert!(tokio::time::timeout(Duration::from_secs(3), fetching).await.is_err());
    assert_eq!(fetcher.clean_up().await, Vec::<String>::new());
    assert_eq!(lab.api.helpers(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_helper_brings_the_bytes() {
    let lab = lab(Setup::default()).await;
    let cluster = cluster(&lab.api, &lab.world).await;
    let fetcher = Fetcher::new(&cluster).writable(true);
    let node = NodeName::new("worker-1").unwrap();
    let helper = fetcher.open(&target(), &node, ARCHIVE).await.unwrap();
    let mut bytes = Vec::new();
    let fetched = helper.copy(&mut bytes).await.unwrap();
    assert_eq!(bytes, crate::world::archive());
    assert_eq!(fetched.size, bytes.len() as u64);
    helper.remove().await.unwrap();
    assert!(!lab.remote.exists());
    assert!(helper.close().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_archive() {
    let lab = lab(Setup::default()).await;
    std::fs::write(&lab.remote, b"").unwrap();
    let cluster = cluster(&lab.api, &lab.world).await;
    let fetcher = Fetcher::new(&cluster);
    let node = NodeName::new("worker-1").unwrap();
    let helper = fetcher.open(&target(), &node, ARCHIVE).await.unwrap();
    assert_eq!(helper.copy(&mut Vec::new()).await.unwrap().size, 0);
    helper.close().await;
}
