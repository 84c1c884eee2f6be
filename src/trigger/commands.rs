//! The same with `kubectl` and `curl`, for those who want to see, or have only these.

use std::fmt::Write as _;
use std::io::Write;

use anyhow::Result;
use ckpt_kubelet::{HelperSpec, MOUNT, Namespace, NodeName};

use super::targets;
use crate::commands::trigger::{KubeletArgs, TriggerArgs, Via};
use crate::shell::quote;

/// Where kubelets write, unless they are configured otherwise.
const DIRECTORY: &str = "/var/lib/kubelet/checkpoints";

/// Writes a shell script. It holds no credentials: tokens stay in their files, or in `$TOKEN`.
pub(super) fn write(out: &mut impl Write, args: &TriggerArgs) -> Result<()> {
    let script = Script { args, kubectl: kubectl(args) };
    out.write_all(script.text()?.as_bytes())?;
    Ok(())
}

fn path(path: &std::path::Path) -> String {
    quote(&path.to_string_lossy())
}

fn kubectl(args: &TriggerArgs) -> String {
    let mut command = "kubectl".to_owned();
    if let Some(file) = &args.cluster.kubeconfig {
        let _ = write!(command, " --kubeconfig {}", path(file));
    }
    if let Some(context) = &args.cluster.context {
        let _ = write!(command, " --context {}", quote(context));
    }
    command
}

struct Script<'a> {
    args: &'a TriggerArgs,
    kubectl: String,
}

impl Script<'_> {
    fn text(&self) -> Result<String> {
        let Self { args, kubectl } = self;
        let mut text = String::from(
            "#!/bin/sh\n# Asks for checkpoints as ckpt-inspect trigger does.\nset -eu\n",
        );
        let namespaced = match &args.namespace {
            Some(namespace) => format!(" -n {namespace}"),
            None => String::new(),
        };
        let asks = targets::wants_cluster(args);
        let namespace = match &args.namespace {
            Some(namespace) => namespace.to_string(),
            None if asks => {
                let _ = writeln!(
                    text,
                    "NAMESPACE=$({kubectl} config view --minify -o jsonpath='{{..namespace}}'); NAMESPACE=${{NAMESPACE:-default}}"
                );
                "$NAMESPACE".to_owned()
            }
            None => "default".to_owned(),
        };
        let pods = match &args.selector {
            Some(selector) => format!(
                "$({kubectl}{namespaced} get pods -l {} -o name | cut -d/ -f2)",
                quote(selector)
            ),
            None => {
                let pods = targets::pods(args);
                pods.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
            }
        };
        let named = targets::containers(args);
        let containers = if named.is_empty() {
            format!(
                "$({kubectl}{namespaced} get pod \"$POD\" -o jsonpath='{{.status.containerStatuses[?(@.state.running)].name}}')"
            )
        } else {
            named.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        let _ = writeln!(text, "for POD in {pods}; do");
        self.node(&mut text, &namespaced);
        let _ = writeln!(text, "for CONTAINER in {containers}; do");
        let timeout =
            args.timeout.map_or_else(String::new, |seconds| format!("?timeout={seconds}"));
        let target = format!("checkpoint/{namespace}/$POD/$CONTAINER{timeout}");
        match args.cluster.via {
            Via::Apiserver => {
                let _ = writeln!(
                    text,
                    "  # Needs create on nodes/proxy; the API server's own identity needs create on nodes/checkpoint.\n  \
                     ANSWER=$({kubectl} create --raw \"/api/v1/nodes/$NODE/proxy/{target}\" -f /dev/null)"
                );
            }
            Via::Direct => self.curl(&mut text, &target),
        }
        text.push_str("  printf '%s\\n' \"$ANSWER\"\n");
        if args.fetch.fetch.is_some() {
            self.fetch(&mut text, &namespaced)?;
        }
        text.push_str("done\ndone\n");
        Ok(text)
    }

    /// Where the kubelet is.
    fn node(&self, text: &mut String, namespaced: &str) {
        let Self { args, kubectl } = self;
        let asks = targets::wants_cluster(args);
        if asks {
            let _ = writeln!(
                text,
                "  NODE=$({kubectl}{namespaced} get pod \"$POD\" -o jsonpath='{{.spec.nodeName}}')"
            );
        }
        match &args.kubelet.node {
            Some(address) => {
                let _ = writeln!(text, "  KUBELET={}", quote(&address.to_string()));
            }
            None if args.cluster.via == Via::Direct => {
                let _ = writeln!(
                    text,
                    "  ADDRESS=$({kubectl} get node \"$NODE\" -o jsonpath='{{.status.addresses[?(@.type==\"InternalIP\")].address}}')\n  \
                     PORT=$({kubectl} get node \"$NODE\" -o jsonpath='{{.status.daemonEndpoints.kubeletEndpoint.Port}}')\n  \
                     KUBELET=${{ADDRESS%% *}}:$PORT"
                );
            }
            None => {}
        }
    }

    /// The request. Headers with a token come from standard input: arguments are seen by every user.
    fn curl(&self, text: &mut String, target: &str) {
        let KubeletArgs {
            client_cert, client_key, token_file, ca, insecure_skip_tls_verify, ..
        } = &self.args.kubelet;
        let mut curl = "curl --fail-with-body --silent --show-error --request POST".to_owned();
        let mut before = String::new();
        if *insecure_skip_tls_verify {
            curl.push_str(" --insecure");
        } else if let Some(ca) = ca {
            let _ = write!(curl, " --cacert {}", path(ca));
        } else {
            curl.push_str(" --cacert \"${CA:?the CA of the kubelet, in PEM}\"");
        }
        match (client_cert, client_key) {
            (Some(cert), Some(key)) => {
                let _ = write!(curl, " --cert {} --key {}", path(cert), path(key));
            }
            _ => {
                let token = match token_file {
                    Some(file) => format!("$(cat {})", path(file)),
                    None => "${TOKEN:?a bearer token}".to_owned(),
                };
                before = format!("printf 'Authorization: Bearer %s' \"{token}\" |\n    ");
                curl.push_str(" --header @-");
            }
        }
        let _ = writeln!(
            text,
            "  # Needs create on nodes/checkpoint.\n  ANSWER=$({before}{curl} \"https://$KUBELET/{target}\")"
        );
    }

    fn fetch(&self, text: &mut String, namespaced: &str) -> Result<()> {
        let Self { args, kubectl } = self;
        let to = args.fetch.fetch.as_deref().map(path).unwrap_or_default();
        let _ = writeln!(
            text,
            "  ARCHIVE=$(printf '%s' \"$ANSWER\" | sed 's/.*\"items\":\\[\"\\([^\"]*\\)\".*/\\1/')\n  FILE=${{ARCHIVE##*/}}"
        );
        if !targets::wants_cluster(args) {
            let host =
                args.kubelet.node.as_ref().map(|node| quote(node.host())).unwrap_or_default();
            let _ = writeln!(text, "  scp root@{host}:\"$ARCHIVE\" {to}");
            return Ok(());
        }
        let namespace = args.fetch.fetch_namespace.clone().or_else(|| args.namespace.clone());
        let inside =
            namespace.as_ref().map_or_else(|| namespaced.to_owned(), |one| format!(" -n {one}"));
        let namespace = match namespace {
            Some(namespace) => namespace,
            None => Namespace::new("default")?,
        };
        let helper = "ckpt-inspect-fetch";
        let image = &args.fetch.fetch_image;
        let mut spec =
            HelperSpec::new(helper, namespace, NodeName::new("node-of-the-pod")?, image, DIRECTORY);
        spec.writable = args.fetch.rm_remote;
        // The shell puts the node in; nothing else in the manifest has a dollar sign.
        let manifest = spec.manifest().replace("node-of-the-pod", "$NODE").replace('`', "\\`");
        let _ = writeln!(text, "  {kubectl}{inside} apply -f - <<END\n{manifest}\nEND");
        let _ = writeln!(
            text,
            "  trap '{kubectl}{inside} delete pod {helper} --now' EXIT\n  \
             {kubectl}{inside} wait --for=condition=Ready pod/{helper} --timeout=2m\n  \
             TO={to}; [ ! -d \"$TO\" ] || TO=$TO/$FILE\n  \
             {kubectl}{inside} exec {helper} -- cat \"{MOUNT}/$FILE\" >\"$TO\"\n  \
             THERE=$({kubectl}{inside} exec {helper} -- sha256sum \"{MOUNT}/$FILE\" | cut -d' ' -f1)\n  \
             HERE=$(sha256sum \"$TO\" | cut -d' ' -f1)\n  \
             [ \"$HERE\" = \"$THERE\" ]"
        );
        if args.fetch.rm_remote {
            let _ = writeln!(text, "  {kubectl}{inside} exec {helper} -- rm \"{MOUNT}/$FILE\"");
        }
        let _ = writeln!(text, "  trap - EXIT\n  {kubectl}{inside} delete pod {helper} --now");
        text.push_str("  ckpt-inspect info \"$TO\"\n");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn words_stay_one_word() {
        for (word, quoted) in [
            ("app=web,tier!=x", "'app=web,tier!=x'"),
            ("a b", "'a b'"),
            ("$(id)", "'$(id)'"),
            ("it's", "'it'\\''s'"),
            ("", "''"),
            ("/a/b.c", "/a/b.c"),
        ] {
            assert_eq!(quote(word), quoted);
        }
    }
}
