//! Names, checked before they become part of a URL or of a command.
//!
//! The kubelet puts what stands in the path into a file name on the node, and the API server matches paths: a name such as
//! `../x` must never reach either of them.

use std::fmt;
use std::str::FromStr;

/// Longest DNS label, in bytes (RFC 1123).
const MAX_LABEL: usize = 63;
/// Longest DNS subdomain, in bytes (`k8s.io/apimachinery/pkg/util/validation`).
const MAX_SUBDOMAIN: usize = 253;

/// Why something is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is no {what}: {rule}")]
pub struct NameError {
    what: &'static str,
    value: String,
    rule: &'static str,
}

impl NameError {
    pub(crate) fn new(what: &'static str, value: &str, rule: &'static str) -> Self {
        // Whatever was typed is quoted, but not without end.
        let value = value.chars().take(MAX_SUBDOMAIN).collect();
        Self { what, value, rule }
    }
}

fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

fn check_label(what: &'static str, text: &str) -> Result<(), NameError> {
    if text.len() <= MAX_LABEL && is_label(text) {
        return Ok(());
    }
    let rule = "at most 63 lower case letters, digits and '-', beginning and ending with a letter or digit";
    Err(NameError::new(what, text, rule))
}

fn check_subdomain(what: &'static str, text: &str) -> Result<(), NameError> {
    if text.len() <= MAX_SUBDOMAIN && text.split('.').all(is_label) {
        return Ok(());
    }
    let rule = "at most 253 lower case letters, digits, '-' and '.', each part beginning and ending with a letter or digit";
    Err(NameError::new(what, text, rule))
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            #[doc = concat!("Checks that `text` is a ", $what, ".")]
            ///
            /// # Errors
            ///
            /// It breaks the rule, which the error tells.
            pub fn new(text: &str) -> Result<Self, NameError> {
                $check($what, text)?;
                Ok(Self(text.to_owned()))
            }

            /// The name.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// A namespace: a DNS label.
    Namespace, "namespace", check_label
}
name! {
    /// A pod: a DNS subdomain. A static pod's name ends in the name of its node.
    PodName, "pod name", check_subdomain
}
name! {
    /// A container of a pod, also an init or ephemeral one: a DNS label.
    ContainerName, "container name", check_label
}
name! {
    /// A node, as the API server knows it: a DNS subdomain.
    NodeName, "node name", check_subdomain
}

/// One container of one pod.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// The pod's namespace.
    pub namespace: Namespace,
    /// The pod.
    pub pod: PodName,
    /// The container.
    pub container: ContainerName,
}

impl Target {
    /// Checks the three names.
    ///
    /// # Errors
    ///
    /// One of them is no name.
    pub fn new(namespace: &str, pod: &str, container: &str) -> Result<Self, NameError> {
        Ok(Self {
            namespace: Namespace::new(namespace)?,
            pod: PodName::new(pod)?,
            container: ContainerName::new(container)?,
        })
    }

    /// The path of the kubelet's endpoint.
    pub(crate) fn path(&self) -> String {
        let Self { namespace, pod, container } = self;
        format!("/checkpoint/{namespace}/{pod}/{container}")
    }

    /// Whether a path is that of an archive of this container, as kubelets name them. What the kubelet answers is not trusted
    /// where a file of this machine is read or deleted for it.
    #[must_use]
    pub fn names_archive(&self, path: &str) -> bool {
        let Self { namespace, pod, container } = self;
        let mut parts = path.rsplit('/');
        let name = parts.next().unwrap_or_default();
        let plain = path.starts_with('/') && path.split('/').all(|part| part != "..");
        plain
            && parts.next() == Some("checkpoints")
            && name.starts_with(&format!("checkpoint-{pod}_{namespace}-{container}-"))
            && name.ends_with(".tar")
    }

    /// Where the archive of this container would be on a node, with `*` in place of the time, which is the node's local time
    /// to the second (`pkg/kubelet/kubelet.go`, `CheckpointContainer`).
    #[must_use]
    pub fn likely_archive(&self) -> String {
        let Self { namespace, pod, container } = self;
        format!("/var/lib/kubelet/checkpoints/checkpoint-{pod}_{namespace}-{container}-*.tar")
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.namespace, self.pod, self.container)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_leave_their_place_are_refused() {
        let long = "a".repeat(64);
        for bad in ["", "../x", "a/b", "a%2fb", "A", "-a", "a-", "a_b", "a.b", "a?x", "é", &long] {
            assert!(Namespace::new(bad).is_err(), "{bad}");
            assert!(ContainerName::new(bad).is_err(), "{bad}");
        }
        for bad in ["", "..", "../x", "a..b", ".a", "a.", "a/b", "a b", "a\n", &"a.".repeat(200)] {
            assert!(PodName::new(bad).is_err(), "{bad}");
            assert!(NodeName::new(bad).is_err(), "{bad}");
        }
        assert!(Namespace::new(&"a".repeat(63)).is_ok());
        assert!(PodName::new("web-0.shop.example-7").is_ok());
    }

    #[test]
    fn the_error_quotes_what_was_typed_and_tells_the_rule() {
        let told = Namespace::new("../x\u{1b}[2J").unwrap_err().to_string();
        assert!(told.starts_with("\"../x\\u{1b}[2J\" is no namespace: at most 63"), "{told}");
    }

    #[test]
    fn only_archives_of_the_container_are_named_so() {
        let target = Target::new("shop", "web-0", "app").unwrap();
        let names = |path: &str| target.names_archive(path);
        assert!(names(
            "/var/lib/kubelet/checkpoints/checkpoint-web-0_shop-app-2026-11-23T00:22:56+02:00.tar"
        ));
        for path in [
            "/etc/shadow",
            "checkpoints/checkpoint-web-0_shop-app-1.tar",
            "/var/../checkpoints/checkpoint-web-0_shop-app-1.tar",
            "/var/lib/kubelet/checkpoints/checkpoint-web-1_shop-app-1.tar",
            "/var/lib/kubelet/pki/checkpoint-web-0_shop-app-1.tar",
            "/var/lib/kubelet/checkpoints/checkpoint-web-0_shop-app-1",
            "",
        ] {
            assert!(!names(path), "{path}");
        }
    }

    #[test]
    fn the_likely_archive_is_named_as_the_kubelet_names_it() {
        let target = Target::new("default", "counters-anch-node", "app").unwrap();
        assert_eq!(
            target.likely_archive(),
            "/var/lib/kubelet/checkpoints/checkpoint-counters-anch-node_default-app-*.tar"
        );
    }
}
