//! Tokens and keys are never shown: not with `-vv`, not in an error, not in a panic.
//!
//! Every run of the program in these tests is searched for them (`World::finish`); here are the loudest ones.

use std::process::Command;

use ckpt_kubelet::{Client, Cluster, Fetcher, Secret, Trust};
use serde_json::json;

use crate::apiserver::{ApiServer, Setup};
use crate::certificates;
use crate::fetching::{FETCH, lab};
use crate::kubelet::{Kubelet, Runtime, Setup as KubeletSetup, TOKEN};
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn with_vv() {
    let lab = lab(Setup::default()).await;
    let ran = lab.world.run(&[&FETCH[..], &["-vv"]].concat()).await;
    ran.ends(0)
        .has("shop/web-0/app: POST https://127.0.0.1:")
        .has("shop/web-0/app: credentials: those of the kubeconfig (not shown)\n")
        .has("shop/web-0/app: answer 200\n")
        .has("helper pod runs")
        .has("hashes agree\n")
        .has("deleted\n");
    for auth in [
        &["--token", TOKEN][..],
        &["--token-file", "token"],
        &["--client-cert", "client.crt", "--client-key", "client.key"],
    ] {
        let args = [&["web-0", "app", "-vv", "--ca", "ca.crt"], auth].concat();
        lab.world.ask(&lab.kubelet, &args).await.ends(0).has("(not shown)");
        // And of a server that is not trusted, a command that is wrong, and the help.
        let args = [&["web-0", "app", "-vv"], auth].concat();
        lab.world.ask(&lab.kubelet, &args).await.ends(2);
        lab.world
            .ask(&lab.kubelet, &[auth, &["web-0", "app", "--nonsense"]].concat())
            .await
            .ends(2);
        lab.world
            .ask(&lab.kubelet, &[auth, &["web-0", "app", "--print-commands"]].concat())
            .await
            .ends(0);
        lab.world.run(&[auth, &["--help"]].concat()).await.ends(0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_errors() {
    let world = World::new();
    for runtime in [
        Runtime::Fails("criu failed".into()),
        Runtime::Drops,
        Runtime::DropsHalfWay,
        Runtime::Odd(302, "x".into()),
    ] {
        let kubelet =
            Kubelet::start(KubeletSetup { runtime: vec![runtime], ..KubeletSetup::default() })
                .await;
        let args = ["web-0", "app", "-vv", "--ca", "ca.crt", "--token", TOKEN];
        world.ask(&kubelet, &args).await.ends(2);
    }
}

/// Panics with everything that has a `Debug`; run as a process of its own by the test below.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "it panics; `in_a_panic` runs it"]
async fn panics_with_everything() {
    let kubelet = Kubelet::start(KubeletSetup::default()).await;
    let world = World::new();
    let api = ApiServer::start(Setup::default(), &kubelet, &world.path("node")).await;
    let exec = json!({"command": "true", "apiVersion": "client.authentication.k8s.io/v1", "env": [{"name": "A", "value": TOKEN}]});
    let user = json!({
        "token": TOKEN, "client-certificate": "client.crt", "client-key": "client.key", "exec": exec,
    });
    let file = world.write("kubeconfig", &api.kubeconfig_of(&user).to_string());
    let cluster = Cluster::from_kubeconfig(&[file], None, None).await.unwrap();
    let pair = certificates::client();
    let builder = Client::direct(kubelet.address.to_string().parse().unwrap())
        .trust(Trust::from_pem("the CA", certificates::ca().as_bytes()).unwrap())
        .token(Secret::new(TOKEN))
        .client_certificate(pair.certificate.as_bytes(), &Secret::new(&pair.key));
    let builder_told = format!("{builder:?} {builder:#?}");
    let with_token = builder.build().unwrap();
    let of_cluster = Client::direct(kubelet.address.to_string().parse().unwrap())
        .credentials_of(&cluster)
        .build()
        .unwrap();
    let fetcher = Fetcher::new(&cluster);
    let secret = Secret::new(TOKEN);
    // The keys differ from run to run, so that they are told apart from their own.
    for line in pair.key.lines().filter(|line| !line.starts_with("---")) {
        println!("KEY {line}");
    }
    panic!("{builder_told} {with_token:?} {of_cluster:#?} {cluster:?} {fetcher:?} {secret:?}");
}

#[test]
fn in_a_panic() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "secrets::panics_with_everything",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env("RUST_BACKTRACE", "full")
        .output()
        .unwrap();
    assert!(!output.status.success(), "it panics");
    let stdout = String::from_utf8(output.stdout).unwrap();
    let keys: Vec<&str> = stdout.lines().filter_map(|line| line.strip_prefix("KEY ")).collect();
    let rest: String = stdout.lines().filter(|line| !line.starts_with("KEY ")).collect();
    let told = rest + &String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("Secret(not shown)") && told.contains("key not shown"), "{told}");
    assert!(!keys.is_empty());
    for secret in [TOKEN, "strong-secret"].iter().chain(&keys) {
        assert!(!told.contains(secret), "{told}");
    }
}
