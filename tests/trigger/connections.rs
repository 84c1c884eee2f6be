//! Ways in which there is no connection, and certificates that are not trusted.

use std::net::TcpListener;

use ckpt_kubelet::Fingerprint;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::certificates::Kind;
use crate::kubelet::{Kubelet, Setup};
use crate::world::{Ran, World};

async fn with(kind: Kind) -> Kubelet {
    Kubelet::start(Setup { certificate: kind, ..Setup::default() }).await
}

fn fingerprint(kubelet: &Kubelet) -> String {
    let der = CertificateDer::from_pem_slice(kubelet.pair.certificate.as_bytes()).unwrap();
    Fingerprint::of(&der).to_string()
}

async fn ask(world: &World, kubelet: &Kubelet, trust: &[&str]) -> Ran {
    world.ask(kubelet, &[&["web-0", "app", "--token-file", "token"], trust].concat()).await
}

/// The message shows the certificate and the three ways on, and nothing was asked.
fn shows_the_ways_on(ran: &Ran, kubelet: &Kubelet, why: &str, names: &str) {
    let (address, fingerprint) = (kubelet.address, fingerprint(kubelet));
    ran.ends(2)
        .has(&format!("the certificate of the kubelet at {address} is not trusted: {why}\n"))
        .has(&format!("SHA-256 fingerprint: {fingerprint}\n"))
        .has(&format!("its names: {names}\n"))
        .has("--ca FILE ")
        .has("--via apiserver ")
        .has(&format!("--pin-sha256 {fingerprint} "))
        .lacks("may hold an archive");
    assert_eq!(kubelet.seen(), [], "credentials are not sent to whoever is not trusted");
}

const NAMES: &str = "127.0.0.1, ::1, localhost, worker-1";

#[tokio::test(flavor = "multi_thread")]
async fn self_signed() {
    let world = World::new();
    let kubelet = with(Kind::SelfSigned).await;
    let why = "it is self-signed, and not among the trusted ones";
    for trust in [&[][..], &["--ca", "ca.crt"]] {
        shows_the_ways_on(&ask(&world, &kubelet, trust).await, &kubelet, why, NAMES);
    }
    // The ways on lead on.
    world.write("kubelet.crt", &kubelet.pair.certificate);
    ask(&world, &kubelet, &["--ca", "kubelet.crt"]).await.ends(0);
    let plain = fingerprint(&kubelet);
    let pairs: Vec<String> = plain
        .to_uppercase()
        .as_bytes()
        .chunks(2)
        .map(|pair| String::from_utf8(pair.to_vec()).unwrap())
        .collect();
    for pin in [plain, pairs.join(":")] {
        ask(&world, &kubelet, &["--pin-sha256", &pin]).await.ends(0).lacks("warning");
    }
    ask(&world, &kubelet, &["--insecure-skip-tls-verify"])
        .await
        .ends(0)
        .has("warning: the kubelet's certificate is not checked: whoever is in between reads the credentials");
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_by_the_kubelets_own_ca() {
    let world = World::new();
    let kubelet = with(Kind::OwnCa).await;
    let why = "it is signed by \"worker-1-ca@1700000000\", which is no trusted CA";
    shows_the_ways_on(&ask(&world, &kubelet, &["--ca", "ca.crt"]).await, &kubelet, why, NAMES);
    // The certificate itself is trust enough, although its CA is unknown; its name counts still.
    world.write("kubelet.crt", &kubelet.pair.certificate);
    ask(&world, &kubelet, &["--ca", "kubelet.crt"]).await.ends(0);
    ask(&world, &kubelet, &["--ca", "kubelet.crt", "--server-name", "other"])
        .await
        .ends(2)
        .has("it is not for the name other\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_another_name() {
    let world = World::new();
    let kubelet = with(Kind::WrongName).await;
    let ran = ask(&world, &kubelet, &["--ca", "ca.crt"]).await;
    let names = "worker-2, worker-2.example, 10.0.0.2";
    shows_the_ways_on(&ran, &kubelet, "it is not for the name 127.0.0.1", names);
    ran.has("(--server-name NAME where only the name differs)");
    for name in ["worker-2", "10.0.0.2"] {
        ask(&world, &kubelet, &["--ca", "ca.crt", "--server-name", name]).await.ends(0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn out_of_its_time() {
    let world = World::new();
    let kubelet = with(Kind::Expired).await;
    let why = "it expired, 2020-01-01T00:00:00Z";
    shows_the_ways_on(&ask(&world, &kubelet, &["--ca", "ca.crt"]).await, &kubelet, why, NAMES);
    // Naming it as trusted does not make it younger.
    world.write("kubelet.crt", &kubelet.pair.certificate);
    ask(&world, &kubelet, &["--ca", "kubelet.crt"]).await.ends(2).has("it expired");
    let kubelet = with(Kind::NotYet).await;
    let why = "it is not valid yet, 2200-01-01T00:00:00Z (is this machine's clock right?)";
    shows_the_ways_on(&ask(&world, &kubelet, &["--ca", "ca.crt"]).await, &kubelet, why, NAMES);
}

#[tokio::test(flavor = "multi_thread")]
async fn not_the_pinned_one() {
    let world = World::new();
    let kubelet = with(Kind::Good).await;
    let other = "ab".repeat(32);
    let ran = ask(&world, &kubelet, &["--pin-sha256", &other]).await;
    shows_the_ways_on(&ran, &kubelet, &format!("it is not the pinned one, {other}"), NAMES);
    ask(&world, &kubelet, &["--pin-sha256", "abcd"]).await.ends(2).has("64 hexadecimal digits");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_that_the_kubelet_refuses() {
    let world = World::new();
    let kubelet = with(Kind::Good).await;
    let args = [
        "web-0",
        "app",
        "--ca",
        "ca.crt",
        "--client-cert",
        "foreign.crt",
        "--client-key",
        "foreign.key",
    ];
    world
        .ask(&kubelet, &args)
        .await
        .ends(2)
        .has(&format!("the kubelet at {} refuses the client certificate: ", kubelet.address))
        .has("use a certificate of the CA that the kubelet trusts for clients")
        .lacks("may hold an archive");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_are_none() {
    let world = World::new();
    let kubelet = with(Kind::Good).await;
    world.write("none", "no certificate at all");
    world.write("two-lines", "first-line\nsecond-line");
    for (args, told) in [
        (
            &["--client-cert", "client.crt", "--client-key", "none"][..],
            "cannot use the client key: there is no private key in it",
        ),
        (
            &["--client-cert", "none", "--client-key", "client.key"],
            "cannot use the client certificate: there is no certificate in it",
        ),
        (
            &["--client-cert", "client.crt", "--client-key", "foreign.key"],
            "cannot use the client certificate and its key: ",
        ),
        (
            &["--client-cert", "client.crt", "--client-key", "absent"],
            "cannot use the client key absent: No such file",
        ),
        (&["--token-file", "absent"], "cannot use the token file absent: No such file"),
        (
            &["--token-file", "two-lines"],
            "cannot use the token: it holds characters that no token has",
        ),
    ] {
        let ran = world.ask(&kubelet, &[&["web-0", "app", "--ca", "ca.crt"], args].concat()).await;
        ran.ends(2).has(told).lacks("first-line").lacks("second-line");
    }
    ask(&world, &kubelet, &["--ca", "none"])
        .await
        .ends(2)
        .has("cannot use the CA none: there is no certificate in it");
    assert_eq!(kubelet.seen(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_listens() {
    let world = World::new();
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let node = format!("127.0.0.1:{port}");
    world
        .run(&["web-0", "app", "--node", &node])
        .await
        .ends(2)
        .has(&format!("connection refused by the kubelet at {node}\n"))
        .has("is it the right port (10250 unless configured)")
        .lacks("may hold an archive");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_of_that_name() {
    let world = World::new();
    // RFC 6761: `.invalid` never exists, and nobody need be asked.
    world
        .run(&["web-0", "app", "--node", "worker-1.invalid"])
        .await
        .ends(2)
        .has("unknown host worker-1.invalid: ")
        .has("give the node's address with --node ADDRESS");
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_speaks_no_tls() {
    let world = World::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let node = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            let text = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
            let _ = tokio::io::AsyncWriteExt::write_all(&mut tcp, text).await;
        }
    });
    world
        .run(&["web-0", "app", "--node", &node])
        .await
        .ends(2)
        .has(&format!("the kubelet at {node} does not speak TLS\n"))
        .has("not its read-only port (10255)?");
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_hangs_up() {
    let world = World::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let node = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    world
        .run(&["web-0", "app", "--node", &node])
        .await
        .ends(2)
        .has(&format!("no TLS connection to the kubelet at {node}: "))
        .lacks("may hold an archive");
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_of_ipv6() {
    let world = World::new();
    let kubelet = Kubelet::start(Setup { at: "[::1]:0", ..Setup::default() }).await;
    let ran = ask(&world, &kubelet, &["--ca", "ca.crt"]).await;
    ran.ends(0).has(&format!("  node        [::1]:{}\n", kubelet.address.port()));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_checked_before_anything_is_asked() {
    let world = World::new();
    let kubelet = with(Kind::Good).await;
    let node = kubelet.address.to_string();
    for (args, told) in [
        (&["-n", "../x", "web-0", "app"][..], "is no namespace"),
        (&["-n", "shop", "../x", "app"], "is no pod name"),
        (&["-n", "shop", "web-0", "../x"], "is no container name"),
        (&["-n", "shop", "web-0", "a%2fb"], "is no container name"),
        (&["-n", "shop", "web-0", "-c", "a?timeout=1"], "is no container name"),
        (&["-n", "shop", "--pod", "UPPER", "-c", "app"], "is no pod name"),
    ] {
        let args = [args, &["--node", &node]].concat();
        world.run(&args).await.ends(2).has(told);
    }
    world.run(&["web-0", "app", "--node", "http://x"]).await.ends(2).has("is no node address");
    world
        .run(&["web-0", "--node", &node])
        .await
        .ends(2)
        .has("name the containers: without an API server nobody tells which there are");
    assert_eq!(kubelet.seen(), []);
}
