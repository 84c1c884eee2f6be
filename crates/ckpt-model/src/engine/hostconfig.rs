//! docker's `hostconfig.json`: what was asked for when the container was made, in the words of the spec that docker makes of it.
//!
//! Source: `moby/api/types/container/hostconfig.go`, `moby/daemon/oci_linux.go`, `moby/oci/caps/defaults.go`.

use criu_image::names::capability_names;
use serde_json::{Map, Value};

use super::{text, texts};
use crate::confinement::{Confinement, ConfinementWords, DeviceRule, SpecNamespace};
use crate::container::SpecMount;

/// Capabilities that docker gives unasked.
const USUAL: [&str; 14] = [
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

/// How the container is confined. `user` is the one of the image or the command line.
pub(super) fn confinement(
    host: &Map<String, Value>,
    user: Option<&str>,
    source: &str,
) -> Confinement {
    let privileged = host.get("Privileged").and_then(Value::as_bool) == Some(true);
    let options = texts(host, "SecurityOpt");
    // Older ones have a colon.
    let option = |key: &str| {
        let mut values = options.iter().filter_map(|option| {
            let rest = option.strip_prefix(key)?;
            rest.strip_prefix('=')
                .or_else(|| rest.strip_prefix(':'))
                .or(rest.is_empty().then_some(""))
        });
        values.next_back()
    };
    let rules = texts(host, "DeviceCgroupRules");
    let masked = host.get("MaskedPaths").and_then(Value::as_array);
    Confinement {
        source: source.to_owned(),
        words: ConfinementWords::HostConfig,
        uid: uid(user),
        users_mapped: false,
        users_of_host: text(host, "UsernsMode").as_deref() == Some("host"),
        bounding: Some(bounding(host, privileged)),
        no_new_privileges: option("no-new-privileges").is_some_and(|value| value != "false"),
        apparmor: option("apparmor")
            .map(str::to_owned)
            .or(privileged.then(|| "unconfined".to_owned())),
        selinux: None,
        selinux_off: options
            .iter()
            .any(|option| matches!(option.as_str(), "label=disable" | "label:disable")),
        seccomp: !privileged && option("seccomp") != Some("unconfined"),
        namespaces: namespaces(host),
        devices: Vec::new(),
        named_devices: devices(host),
        all_devices: privileged || rules.iter().any(|rule| allows_all(rule)),
        device_rules: rules.iter().filter_map(|rule| device_rule(rule)).collect(),
        masked_paths: texts(host, "MaskedPaths"),
        readonly_paths: texts(host, "ReadonlyPaths"),
        // docker's own program writes an empty list in place of the option; without a list it covers some unasked.
        nothing_masked: option("systempaths") == Some("unconfined")
            || masked.is_some_and(Vec::is_empty),
    }
}

/// Paths of the host's devices, from `--device`.
fn devices(host: &Map<String, Value>) -> Vec<String> {
    let all = host.get("Devices").and_then(Value::as_array).into_iter().flatten();
    all.filter_map(|device| text(device.as_object()?, "PathOnHost")).collect()
}

/// Whether a rule of `--device-cgroup-rule` lets all devices be written: `a *:* rwm`.
fn allows_all(rule: &str) -> bool {
    let mut words = rule.split_whitespace();
    let (kind, numbers, access) = (words.next(), words.next(), words.next());
    kind == Some("a") && numbers == Some("*:*") && access.is_some_and(|access| access.contains('w'))
}

/// A rule of `--device-cgroup-rule` about block or character devices: `b 8:* rwm`.
fn device_rule(rule: &str) -> Option<DeviceRule> {
    let mut words = rule.split_whitespace();
    let block = match words.next()? {
        "b" => true,
        "c" => false,
        _ => return None,
    };
    let (major, minor) = words.next()?.split_once(':')?;
    let number = |text: &str| match text {
        "*" => Some(None),
        text => text.parse().ok().map(Some),
    };
    let access = words.next()?.to_owned();
    Some(DeviceRule { block, major: number(major)?, minor: number(minor)?, access })
}

/// The number of a user; one that has a name is some other than root.
fn uid(user: Option<&str>) -> u32 {
    let name = user.unwrap_or_default().split(':').next().unwrap_or_default();
    match name {
        "" | "root" => 0,
        name => name.parse().unwrap_or(u32::MAX),
    }
}

fn bounding(host: &Map<String, Value>, privileged: bool) -> Vec<String> {
    let named = |key: &str| -> Vec<String> {
        let names = texts(host, key).into_iter().map(|name| name.to_ascii_uppercase());
        names
            .map(|name| {
                if name == "ALL" || name.starts_with("CAP_") { name } else { format!("CAP_{name}") }
            })
            .collect()
    };
    let (added, dropped) = (named("CapAdd"), named("CapDrop"));
    let all = |list: &[String]| list.iter().any(|name| name == "ALL");
    let every = || {
        let (names, _) = capability_names(&[u32::MAX, u32::MAX]);
        names.into_iter().map(str::to_owned)
    };
    if privileged {
        return sorted(every().collect());
    }
    let mut list: Vec<String> = match (all(&added), all(&dropped)) {
        (true, _) => every().collect(),
        (false, true) => Vec::new(),
        (false, false) => USUAL.map(str::to_owned).to_vec(),
    };
    list.retain(|name| !dropped.contains(name));
    list.extend(added.into_iter().filter(|name| name != "ALL"));
    sorted(list)
}

fn sorted(mut list: Vec<String>) -> Vec<String> {
    list.sort();
    list.dedup();
    list
}

/// The namespaces of the container's own, and those that it joins.
fn namespaces(host: &Map<String, Value>) -> Vec<SpecNamespace> {
    let modes = [
        ("pid", "PidMode"),
        ("net", "NetworkMode"),
        ("ipc", "IpcMode"),
        ("uts", "UTSMode"),
        ("mnt", ""),
    ];
    let asked = modes.into_iter().map(|(kind, key)| (kind, text(host, key)));
    let own = asked.filter(|(_, mode)| mode.as_deref() != Some("host"));
    own.map(|(kind, mode)| SpecNamespace {
        kind: kind.to_owned(),
        path: mode.filter(|mode| mode.starts_with("container:")),
    })
    .collect()
}

/// What of the host is mounted, by `-v` and by `--mount`.
pub(super) fn mounts(host: &Map<String, Value>) -> Vec<SpecMount> {
    let bind = |source: Option<String>, destination: String, writable: bool| SpecMount {
        destination,
        kind: Some("bind".to_owned()),
        // Others are names of volumes.
        source: source.filter(|source| source.starts_with('/')),
        options: ["rbind", if writable { "rw" } else { "ro" }].map(str::to_owned).to_vec(),
    };
    let binds = texts(host, "Binds").into_iter().filter_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (source, destination) = (parts.next()?.to_owned(), parts.next()?.to_owned());
        let read_only = parts.next().is_some_and(|modes| modes.split(',').any(|mode| mode == "ro"));
        Some(bind(Some(source), destination, !read_only))
    });
    let mounts = host.get("Mounts").and_then(Value::as_array).into_iter().flatten();
    let mounts = mounts.filter_map(|mount| {
        let mount = mount.as_object().filter(|one| text(one, "Type").as_deref() == Some("bind"))?;
        let read_only = mount.get("ReadOnly").and_then(Value::as_bool).unwrap_or_default();
        Some(bind(text(mount, "Source"), text(mount, "Target")?, !read_only))
    });
    binds.chain(mounts).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> Confinement {
        let host: Map<String, Value> = serde_json::from_str(json).expect("an object");
        confinement(&host, None, "hostconfig.json")
    }

    #[test]
    fn what_was_asked_for() {
        let plain = of("{}");
        assert_eq!(plain.bounding.as_ref().map(Vec::len), Some(14));
        assert!(plain.seccomp && !plain.no_new_privileges && plain.uid == 0);
        assert_eq!(plain.namespaces.len(), 5);
        let more = of(
            r#"{"CapAdd":["SYS_ADMIN","CAP_NET_ADMIN"],"CapDrop":["MKNOD"],"PidMode":"host","NetworkMode":"container:x",
                "SecurityOpt":["seccomp=unconfined","apparmor:unconfined","no-new-privileges"]}"#,
        );
        let bounding = more.bounding.unwrap_or_default();
        assert!(bounding.iter().any(|name| name == "CAP_SYS_ADMIN") && bounding.len() == 15);
        assert!(!more.seccomp && more.no_new_privileges);
        assert_eq!(more.apparmor.as_deref(), Some("unconfined"));
        assert!(more.namespaces.iter().all(|namespace| namespace.kind != "pid"));
        assert!(of(r#"{"Privileged":true}"#).bounding.is_some_and(|all| all.len() > 36));
        assert!(of(r#"{"CapAdd":["all"]}"#).bounding.is_some_and(|all| all.len() > 36));
        assert_eq!(
            of(r#"{"CapDrop":["ALL"],"CapAdd":["CHOWN"]}"#).bounding,
            Some(vec!["CAP_CHOWN".to_owned()])
        );
        assert_eq!((uid(Some("1000:0")), uid(Some("root")), uid(Some("app"))), (1000, 0, u32::MAX));
    }

    #[test]
    fn devices_and_users() {
        let given = of(
            r#"{"Devices":[{"PathOnHost":"/dev/sda","PathInContainer":"/dev/x","CgroupPermissions":"r"},7],
                "DeviceCgroupRules":["c 1:3 rwm","b *:* rwm"],"UsernsMode":"host"}"#,
        );
        assert_eq!(given.named_devices, ["/dev/sda"]);
        let rules: Vec<String> = given.device_rules.iter().map(ToString::to_string).collect();
        assert_eq!(rules, ["c 1:3 rwm", "b *:* rwm"]);
        assert!(!given.all_devices && given.users_of_host);
        assert!(of(r#"{"DeviceCgroupRules":["a *:* rwm"]}"#).all_devices);
        let few =
            of(r#"{"Devices":null,"DeviceCgroupRules":["a *:* r","b 8:* rwm","b","b x:1 r"]}"#);
        assert!(!few.all_devices && !few.users_of_host);
        let disks =
            DeviceRule { block: true, major: Some(8), minor: None, access: "rwm".to_owned() };
        assert_eq!(few.device_rules, [disks]);
    }

    #[test]
    fn what_is_turned_off() {
        let plain = of(r#"{"MaskedPaths":["/proc/kcore"]}"#);
        assert!(!plain.selinux_off && !plain.nothing_masked);
        assert!(!of(r#"{"MaskedPaths":null}"#).nothing_masked);
        assert!(of(r#"{"MaskedPaths":[]}"#).nothing_masked);
        assert!(of(r#"{"SecurityOpt":["systempaths=unconfined"]}"#).nothing_masked);
        assert!(of(r#"{"SecurityOpt":["label=disable"]}"#).selinux_off);
        assert!(of(r#"{"SecurityOpt":["label:disable"]}"#).selinux_off);
        assert!(!of(r#"{"SecurityOpt":["label=type:x"]}"#).selinux_off);
    }

    #[test]
    fn what_is_mounted() {
        let host: Map<String, Value> = serde_json::from_str(
            r#"{"Binds":["/:/host:ro,z","data:/d"],
                "Mounts":[{"Type":"bind","Source":"/etc","Target":"/e"},{"Type":"volume","Source":"v","Target":"/v"}]}"#,
        )
        .expect("an object");
        let mounts = mounts(&host);
        let all = mounts.iter().map(|mount| {
            (mount.source.as_deref(), mount.destination.as_str(), mount.options[1].as_str())
        });
        let all: Vec<_> = all.collect();
        assert_eq!(
            all,
            [(Some("/"), "/host", "ro"), (None, "/d", "rw"), (Some("/etc"), "/e", "rw")]
        );
    }
}
