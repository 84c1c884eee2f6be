//! `trigger`: ask a kubelet for a checkpoint.

use std::num::NonZero;
use std::path::PathBuf;

use anyhow::Result;
use ckpt_kubelet::{ContainerName, Fingerprint, Namespace, NodeAddress, PodName, Secret};
use clap::{ArgAction, Args, ValueEnum, ValueHint};

use crate::cli::{OutputArgs, SpoolArgs};
use crate::context::Context;
use crate::exit::Outcome;
use crate::trigger;

/// Ask a kubelet for a checkpoint of a running container, and bring the archive here
///
/// The container is frozen for the time of the checkpoint and runs on afterwards. The archive stays on its node, which never
/// deletes it by itself; --fetch brings it here, checks its hash and shows `info` of it. Node, kubelet and containers are
/// found through the API server, with the kubeconfig that kubectl uses or as the service account of a pod; --node asks a
/// kubelet without any API server. Archives hold every secret that the container had in memory: keep them as such.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ckpt-inspect trigger web-0                                all running containers of a pod
  ckpt-inspect trigger -n shop web-0 app --fetch evidence/  one container, the archive brought here
  ckpt-inspect trigger -n shop -l app=web --jobs 2          every pod with a label
  ckpt-inspect trigger -n shop web-0 --check                what would stop it; nothing is frozen
  ckpt-inspect trigger -n shop web-0 app --print-commands   the same with kubectl and curl
  ckpt-inspect trigger web-0 app --node 10.0.0.7 --token-file token --ca kubelet-ca.crt

Exit status: 0 all done; 2 no checkpoint, or --check found what stops it; 3 some of several failed, or an archive has
defects; 130 interrupted. Access that is needed, and security advice: docs/trigger.md.")]
pub(crate) struct TriggerArgs {
    /// The pod.
    #[arg(required_unless_present_any = ["selector", "pods"], conflicts_with = "selector")]
    pub(crate) pod: Option<PodName>,

    /// Its containers, also init and ephemeral ones [default: all that run].
    #[arg(value_name = "CONTAINER")]
    pub(crate) containers: Vec<ContainerName>,

    /// Namespace of the pods [default: that of the kubeconfig's context].
    #[arg(short, long)]
    pub(crate) namespace: Option<Namespace>,

    /// All pods with these labels, as kubectl takes them.
    #[arg(short = 'l', long, conflicts_with = "node")]
    pub(crate) selector: Option<String>,

    /// A further pod; repeatable.
    #[arg(long = "pod", value_name = "POD", conflicts_with = "selector")]
    pub(crate) pods: Vec<PodName>,

    /// A container, in each of the pods; repeatable.
    #[arg(short = 'c', long = "container", value_name = "CONTAINER")]
    pub(crate) more_containers: Vec<ContainerName>,

    /// How long the runtime may take. The kubelet ignores values below its own runtimeRequestTimeout (120 unless configured)
    /// and goes on, while this program gives up in time.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) timeout: Option<u32>,

    /// Most checkpoints under way at once.
    #[arg(long, value_name = "N", default_value = "4")]
    pub(crate) jobs: NonZero<usize>,

    /// Find out what would stop it, without freezing anything; print manifests that grant access which is missing.
    #[arg(long)]
    pub(crate) check: bool,

    /// Print what to type with kubectl and curl instead of doing anything.
    #[arg(long, conflicts_with = "check")]
    pub(crate) print_commands: bool,

    /// Tell on standard error what is done; twice for more. Credentials are never told.
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) verbose: u8,

    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,

    #[command(flatten)]
    pub(crate) kubelet: KubeletArgs,

    #[command(flatten)]
    pub(crate) fetch: FetchArgs,

    #[command(flatten)]
    pub(crate) spool: SpoolArgs,

    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// How the API server is reached.
#[derive(Debug, Args)]
#[command(next_help_heading = "API server")]
pub(crate) struct ClusterArgs {
    /// The kubeconfig [default: KUBECONFIG, ~/.kube/config, or the pod's service account].
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) kubeconfig: Option<PathBuf>,

    /// Context of the kubeconfig [default: its current one].
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,

    /// The way of the request.
    #[arg(long, value_enum, default_value_t, value_name = "WAY")]
    pub(crate) via: Via,
}

/// Which way a request takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Via {
    /// To the kubelet itself; needs `create` on `nodes/checkpoint`.
    #[default]
    Direct,
    /// Through the API server; needs `create` on `nodes/proxy`, which is nearly all power over the nodes, and the API server's
    /// own identity needs `nodes/checkpoint`.
    Apiserver,
}

/// How a kubelet is reached directly.
#[derive(Debug, Args)]
#[command(next_help_heading = "Kubelet")]
pub(crate) struct KubeletArgs {
    /// The kubelet, without asking an API server where it is. Pod and container must be named, and credentials given, unless
    /// --kubeconfig or --context is there as well.
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(crate) node: Option<NodeAddress>,

    /// Client certificate with its chain, in PEM.
    #[arg(long, value_name = "FILE", requires = "client_key", value_hint = ValueHint::FilePath)]
    pub(crate) client_cert: Option<PathBuf>,

    /// The certificate's key, in PEM.
    #[arg(long, value_name = "FILE", requires = "client_cert", value_hint = ValueHint::FilePath)]
    pub(crate) client_key: Option<PathBuf>,

    /// Bearer token. Every user of this machine can see it in the list of processes: better a file.
    #[arg(long, value_name = "TOKEN", conflicts_with = "token_file", hide_default_value = true)]
    pub(crate) token: Option<Secret>,

    /// File with a bearer token.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) token_file: Option<PathBuf>,

    /// CA that signed the kubelet's certificate, or that certificate itself, in PEM [default: the CA of the kubeconfig, on
    /// the node itself its own].
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) ca: Option<PathBuf>,

    /// Name or address that the kubelet's certificate must be for [default: the address that is asked].
    #[arg(long, value_name = "NAME")]
    pub(crate) server_name: Option<String>,

    /// Trust only the kubelet certificate with this SHA-256, whoever signed it.
    #[arg(long, value_name = "HEX", conflicts_with_all = ["ca", "insecure_skip_tls_verify"])]
    pub(crate) pin_sha256: Option<Fingerprint>,

    /// Trust any certificate of the kubelet: whoever is in between reads the token, and can answer in its place.
    #[arg(long, conflicts_with = "ca")]
    pub(crate) insecure_skip_tls_verify: bool,
}

/// Whether and how the archive is brought here.
#[derive(Debug, Args)]
#[command(next_help_heading = "Fetch")]
pub(crate) struct FetchArgs {
    /// Bring the archive here: into a file, or into a directory under its own name. On the node itself it is read; from
    /// elsewhere a pod that sleeps on that node, with the directory mounted read-only, is asked for it and then deleted.
    #[arg(long, value_name = "FILE|DIR", value_hint = ValueHint::AnyPath)]
    pub(crate) fetch: Option<PathBuf>,

    /// Image of that pod: anything with sh, sleep, wc, sha256sum, tail and rm.
    #[arg(long, value_name = "IMAGE", default_value = "busybox:stable")]
    pub(crate) fetch_image: String,

    /// Namespace of that pod [default: that of the container's pod].
    #[arg(long, value_name = "NAMESPACE")]
    pub(crate) fetch_namespace: Option<Namespace>,

    /// Delete the archive on the node, after it is here and both hashes agree. That pod then mounts the directory writable.
    #[arg(long, requires = "fetch")]
    pub(crate) rm_remote: bool,
}

/// Runs `trigger`.
pub(crate) fn run(args: &TriggerArgs, context: &Context) -> Result<Outcome> {
    trigger::run(args, context)
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use crate::cli::Cli;

    #[test]
    fn examples_of_the_help_are_understood() {
        let mut command = Cli::command();
        let trigger = command.find_subcommand_mut("trigger").expect("it is there");
        let help = trigger.get_after_help().expect("examples").to_string();
        let docs = include_str!("../../docs/trigger.md");
        let examples: Vec<&str> = help
            .lines()
            .chain(docs.lines())
            .map(str::trim)
            .filter(|line| line.starts_with("ckpt-inspect trigger"))
            // What an example is for stands apart, or behind a `#`.
            .map(|line| line.split(" #").next().unwrap_or(line))
            .map(|line| line.split("  ").next().unwrap_or(line))
            .collect();
        assert!(examples.len() > 8, "{examples:?}");
        for example in examples {
            if let Err(error) = Cli::try_parse_from(example.split_whitespace()) {
                panic!("{example}: {error}");
            }
        }
    }
}
