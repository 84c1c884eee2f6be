//! Credentials and trust, from the command line, the environment and the usual places.

use std::env;
use std::path::{Path, PathBuf};

use ckpt_kubelet::{Client, Cluster, Error, NodeAddress, Secret, Trust};

use crate::commands::trigger::{ClusterArgs, KubeletArgs};

/// Where a kubelet's own certificate, and the CA of a kubeadm cluster, lie on a node. Nobody but its root writes there.
const CA_OF_THE_NODE: [&str; 2] =
    ["/var/lib/kubelet/pki/kubelet.crt", "/etc/kubernetes/pki/ca.crt"];

/// The way to the API server.
///
/// A credential plugin may take its time, and blocks: it gets a thread of its own, so that Ctrl-C is heard meanwhile.
pub(super) async fn cluster(args: &ClusterArgs) -> Result<Cluster, Error> {
    let files = kubeconfigs(args.kubeconfig.as_deref());
    let context = args.context.clone();
    if files.is_empty() {
        if env::var_os("KUBERNETES_SERVICE_HOST").is_some() {
            return Cluster::in_cluster();
        }
        let why = "neither KUBECONFIG nor ~/.kube/config names one, and this is no pod";
        return Err(Error::NoCluster(why.into()));
    }
    let no_proxy = ["NO_PROXY", "no_proxy"].iter().find_map(|name| env::var(name).ok());
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || {
        runtime.block_on(Cluster::from_kubeconfig(&files, context.as_deref(), no_proxy.as_deref()))
    })
    .await
    .unwrap_or(Err(Error::Interrupted))
}

/// The files that kubectl would read.
fn kubeconfigs(named: Option<&Path>) -> Vec<PathBuf> {
    if let Some(file) = named {
        return vec![file.to_owned()];
    }
    // Of a list, files that are not there are passed over, as kubectl does.
    if let Some(list) = env::var_os("KUBECONFIG").filter(|list| !list.is_empty()) {
        let all: Vec<PathBuf> =
            env::split_paths(&list).filter(|path| !path.as_os_str().is_empty()).collect();
        let there: Vec<PathBuf> = all.iter().filter(|path| path.exists()).cloned().collect();
        return if there.is_empty() { all } else { there };
    }
    let home = env::var_os("HOME").map(|home| PathBuf::from(home).join(".kube/config"));
    home.into_iter().filter(|file| file.exists()).collect()
}

/// A client that talks to the kubelet at `address`.
pub(super) fn direct(
    args: &KubeletArgs,
    address: &NodeAddress,
    cluster: Option<&Cluster>,
) -> Result<Client, Error> {
    let mut builder = Client::direct(address.clone()).trust(trust(args, address, cluster)?);
    if let Some(name) = &args.server_name {
        builder = builder.server_name(name);
    }
    let own = args.client_cert.is_some() || args.token.is_some() || args.token_file.is_some();
    if let Some(cluster) = cluster.filter(|_| !own) {
        builder = builder.credentials_of(cluster);
    }
    if let (Some(certificate), Some(key)) = (&args.client_cert, &args.client_key) {
        let certificate = read("the client certificate", certificate)?;
        let key = Secret::read(key).map_err(|error| setup("the client key", key, &error))?;
        builder = builder.client_certificate(&certificate, &key);
    }
    if let Some(token) = &args.token {
        builder = builder.token(token.clone());
    }
    if let Some(file) = &args.token_file {
        builder = builder.token_file(file);
    }
    builder.build()
}

fn trust(
    args: &KubeletArgs,
    address: &NodeAddress,
    cluster: Option<&Cluster>,
) -> Result<Trust, Error> {
    if args.insecure_skip_tls_verify {
        return Ok(Trust::Anything);
    }
    if let Some(fingerprint) = args.pin_sha256 {
        return Ok(Trust::Pinned(fingerprint));
    }
    if let Some(file) = &args.ca {
        return Trust::from_pem(&format!("the CA {}", file.display()), &read("the CA", file)?);
    }
    if let Some(cluster) = cluster {
        return Ok(cluster.trust());
    }
    let mut pem = Vec::new();
    if address.is_here() {
        for file in CA_OF_THE_NODE {
            pem.extend(std::fs::read(file).unwrap_or_default());
        }
    }
    // With no CA at all the connection fails, and the error shows the certificate and the ways on.
    if pem.is_empty() {
        return Ok(Trust::Authorities(Vec::new()));
    }
    Trust::from_pem("the certificates of this node", &pem)
}

fn read(what: &str, file: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(file).map_err(|error| setup(what, file, &error))
}

fn setup(what: &str, file: &Path, error: &std::io::Error) -> Error {
    Error::Setup { what: format!("{what} {}", file.display()), why: error.to_string() }
}
