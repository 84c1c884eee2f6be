//! Certificates, made anew for every run.

use std::sync::{Arc, LazyLock};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

/// A certificate and its key, in PEM.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// What kind of certificate a server shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Of the CA, for 127.0.0.1.
    Good,
    /// Of nobody, for 127.0.0.1.
    SelfSigned,
    /// As a kubelet makes it for itself: of a CA of its own.
    OwnCa,
    /// Of the CA, for another node.
    WrongName,
    /// Of the CA, for 127.0.0.1, in 2020.
    Expired,
    /// Of the CA, for 127.0.0.1, in 2200.
    NotYet,
}

fn named(name: &str, hosts: &[&str]) -> CertificateParams {
    let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(hosts).expect("names");
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn authority(name: &str) -> (Pair, Issuer<'static, KeyPair>) {
    let key = KeyPair::generate().expect("a key");
    let mut params = named(name, &[]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).expect("a certificate").pem();
    let pair = Pair { certificate, key: key.serialize_pem() };
    (pair, Issuer::new(params, key))
}

struct Authority {
    pair: Pair,
    issuer: Issuer<'static, KeyPair>,
}

static CA: LazyLock<Authority> = LazyLock::new(|| {
    let (pair, issuer) = authority("cluster-ca");
    Authority { pair, issuer }
});

static OTHER_CA: LazyLock<Authority> = LazyLock::new(|| {
    let (pair, issuer) = authority("somebody-else");
    Authority { pair, issuer }
});

/// The CA's certificate in PEM.
pub(crate) fn ca() -> String {
    CA.pair.certificate.clone()
}

fn signed(params: &CertificateParams, issuer: &Issuer<'_, KeyPair>) -> Pair {
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, issuer).expect("a certificate").pem();
    Pair { certificate, key: key.serialize_pem() }
}

/// A server's certificate.
pub(crate) fn server(kind: Kind) -> Pair {
    let here = ["127.0.0.1", "::1", "localhost", "worker-1"];
    let mut params = named("worker-1", &here);
    match kind {
        Kind::Good => signed(&params, &CA.issuer),
        Kind::SelfSigned => {
            let key = KeyPair::generate().expect("a key");
            let certificate = params.self_signed(&key).expect("a certificate").pem();
            Pair { certificate, key: key.serialize_pem() }
        }
        Kind::OwnCa => signed(&params, &authority("worker-1-ca@1700000000").1),
        Kind::WrongName => {
            let params = named("worker-2", &["worker-2", "worker-2.example", "10.0.0.2"]);
            signed(&params, &CA.issuer)
        }
        Kind::Expired => {
            params.not_before = date_time_ymd(2019, 1, 1);
            params.not_after = date_time_ymd(2020, 1, 1);
            signed(&params, &CA.issuer)
        }
        Kind::NotYet => {
            params.not_before = date_time_ymd(2200, 1, 1);
            params.not_after = date_time_ymd(2201, 1, 1);
            signed(&params, &CA.issuer)
        }
    }
}

/// A client's certificate that kubelets trust.
pub(crate) fn client() -> Pair {
    signed(&named("kube-apiserver-kubelet-client", &[]), &CA.issuer)
}

/// A client's certificate that they do not trust.
pub(crate) fn foreign_client() -> Pair {
    signed(&named("stranger", &[]), &OTHER_CA.issuer)
}

/// TLS of a server that knows client certificates of the CA, and takes clients without one.
pub(crate) fn serving(pair: &Pair, http2: bool) -> Arc<ServerConfig> {
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca().as_bytes()).expect("the CA")).expect("a root");
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .allow_unauthenticated()
        .build()
        .expect("a verifier");
    let chain = CertificateDer::pem_slice_iter(pair.certificate.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .expect("a chain");
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).expect("a key");
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_client_cert_verifier(clients)
        .with_single_cert(chain, key)
        .expect("a server");
    config.alpn_protocols =
        if http2 { vec![b"h2".to_vec(), b"http/1.1".to_vec()] } else { vec![b"http/1.1".to_vec()] };
    Arc::new(config)
}
