//! What engines mean by what they write.

use std::borrow::Cow;
use std::collections::BTreeSet;

/// A digest without its algorithm, where that is the one of all image ids.
pub(super) fn digest(text: &str) -> &str {
    let hex = |digest: &&str| digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit());
    text.strip_prefix("sha256:").filter(hex).unwrap_or(text)
}

/// Registry, name, and tag or digest of an image, with what is meant where nothing is said: `redis` is
/// `docker.io/library/redis:latest`.
// source: distribution/reference, normalize.go
pub(super) fn image(text: &str) -> Cow<'_, str> {
    let bare = digest(text);
    if bare != text || text.is_empty() {
        return bare.into();
    }
    let has_registry = |first: &str| first.contains(['.', ':']) || first == "localhost";
    let (registry, rest) = match text.split_once('/') {
        Some((first, rest)) if has_registry(first) => (first, rest),
        _ => ("docker.io", text),
    };
    let registry = if registry == "index.docker.io" { "docker.io" } else { registry };
    let library = if registry == "docker.io" && !rest.contains('/') { "library/" } else { "" };
    let tag = if rest.contains([':', '@']) { "" } else { ":latest" };
    format!("{registry}/{library}{rest}{tag}").into()
}

/// The name of a runtime: of a path its last part, of a shim of containerd (`io.containerd.runc.v2`) what it runs.
pub(super) fn runtime(text: &str) -> &str {
    let name = text.rsplit('/').next().unwrap_or(text);
    let shim = name.strip_prefix("io.containerd.").and_then(|rest| rest.rsplit_once(".v"));
    match shim {
        Some((runtime, version)) if version.bytes().all(|b| b.is_ascii_digit()) => runtime,
        _ => name,
    }
}

/// Whether two lists have the same addresses. Some engines write how long the network's part is, and some do not.
pub(super) fn addresses(a: &str, b: &str) -> bool {
    let whole = |text: &str| text.split(' ').all(|address| address.contains('/'));
    let both = whole(a) && whole(b);
    let set = |text: &str| -> BTreeSet<String> {
        let all = text.split(' ').map(|address| match address.split_once('/') {
            Some((bare, _)) if !both => bare,
            _ => address,
        });
        all.map(str::to_owned).collect()
    };
    set(a) == set(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_image_has_many_names() {
        for (short, full) in [
            ("redis", "docker.io/library/redis:latest"),
            ("redis:7", "index.docker.io/library/redis:7"),
            ("grafana/loki:3", "docker.io/grafana/loki:3"),
            ("localhost/app", "localhost/app:latest"),
            ("registry:5000/app", "registry:5000/app:latest"),
        ] {
            assert_eq!(image(short), image(full), "{short}");
            assert_eq!(image(full), image(&image(full)), "{full}");
        }
        for (one, other) in [
            ("redis:7", "redis:8"),
            ("redis", "quay.io/library/redis"),
            ("localhost/redis", "redis"),
            ("redis@sha256:aa", "redis"),
        ] {
            assert_ne!(image(one), image(other), "{one}");
        }
    }

    #[test]
    fn ids_runtimes_and_addresses() {
        let hex = "b51a2e94a293d78e433a39237ddb3f66a9dd24a1dfad73dfe2010db73907b411";
        assert_eq!(digest(&format!("sha256:{hex}")), hex);
        assert_eq!(digest("sha256:short"), "sha256:short");
        assert_ne!(digest(&format!("sha512:{hex}")), hex);
        assert_eq!(image(&format!("sha256:{hex}")), hex);
        assert_eq!(runtime("io.containerd.runc.v2"), "runc");
        assert_eq!(runtime("/usr/bin/crun"), "crun");
        assert_eq!(runtime("io.containerd.runc.vx"), "io.containerd.runc.vx");
        assert!(addresses("10.0.0.2/16 fd00::2/64", "fd00::2 10.0.0.2"));
        assert!(!addresses("10.0.0.2/16", "10.0.0.2/24"));
        assert!(!addresses("10.0.0.2", "10.0.0.3"));
    }
}
