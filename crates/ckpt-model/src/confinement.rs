//! How the runtime spec confines the container: rights, namespaces, filters, devices.

use std::fmt;

use oci_spec::runtime::{
    Linux, LinuxDevice, LinuxDeviceCgroup, LinuxDeviceType, LinuxNamespace, LinuxSeccomp,
    LinuxSeccompAction, Process, Spec,
};

/// What the runtime was told to hold the container in with. It is what was asked for when the container was created; what
/// holds a process is with its [`Task`](crate::Task).
///
/// Source: `runtime-spec/config.md`, `runtime-spec/config-linux.md`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Confinement {
    /// Member that tells it, safe for a terminal.
    pub source: String,
    /// In whose words.
    pub words: ConfinementWords,
    /// User id that the first process starts with, in the container's user namespace.
    pub uid: u32,
    /// Whether user ids of the container are mapped to others of the host.
    pub users_mapped: bool,
    /// Whether it was asked for that they are not.
    pub users_of_host: bool,
    /// Capabilities that can be had at all (`CAP_CHOWN`), sorted; `None` when the spec does not tell.
    pub bounding: Option<Vec<String>>,
    /// Whether privileges can be gained by running a program.
    pub no_new_privileges: bool,
    /// AppArmor profile; `None` leaves it to the runtime.
    pub apparmor: Option<String>,
    /// SELinux label of the first process.
    pub selinux: Option<String>,
    /// Whether it was asked for that SELinux does not confine it.
    pub selinux_off: bool,
    /// Whether a seccomp filter refuses any system call.
    pub seccomp: bool,
    /// Namespaces that are not the runtime's own.
    pub namespaces: Vec<SpecNamespace>,
    /// Devices of the host that are made in the container.
    pub devices: Vec<SpecDevice>,
    /// Devices of the host that were asked for by their path alone.
    pub named_devices: Vec<String>,
    /// Whether every device may be used.
    pub all_devices: bool,
    /// Devices that may be used, if they are made in the container: what is allowed and not taken back.
    pub device_rules: Vec<DeviceRule>,
    /// Paths that are covered.
    pub masked_paths: Vec<String>,
    /// Paths that are made read-only.
    pub readonly_paths: Vec<String>,
    /// Whether no path is covered, though engines cover some unasked.
    pub nothing_masked: bool,
}

/// What describes how a container is confined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfinementWords {
    /// The spec of the runtime, which is all that it did.
    #[default]
    Spec,
    /// docker's `hostconfig.json`: what was asked for. What it does not name is as docker does it unasked; whose users the
    /// container's are is a setting of the daemon.
    HostConfig,
}

/// A namespace of the spec.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpecNamespace {
    /// The kernel's word: `pid`, `net`, `ipc`, `uts`, `mnt`, `user`, `cgroup`, `time`.
    pub kind: String,
    /// The namespace to join; a new one is made when there is none.
    pub path: Option<String>,
}

/// A device of the spec.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpecDevice {
    /// Path in the container.
    pub path: String,
    /// Whether it is a block device.
    pub block: bool,
    /// Major number.
    pub major: i64,
    /// Minor number.
    pub minor: i64,
}

/// A kind of device that may be used, with numbers or without: `b 8:* rwm`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceRule {
    /// Whether it is of block devices; of character devices if not.
    pub block: bool,
    /// Major number; `None` is every one.
    pub major: Option<i64>,
    /// Minor number; `None` is every one.
    pub minor: Option<i64>,
    /// Letters: `r` to read, `w` to write, `m` to make.
    pub access: String,
}

impl DeviceRule {
    /// Whether devices may be read or written, beyond being made.
    #[must_use]
    pub fn opens(&self) -> bool {
        self.access.contains(['r', 'w'])
    }
}

/// As docker's `--device-cgroup-rule` has it.
impl fmt::Display for DeviceRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |number: Option<i64>| number.map_or("*".into(), |number| number.to_string());
        let kind = if self.block { 'b' } else { 'c' };
        let access = crate::text::escape(self.access.as_bytes());
        write!(f, "{kind} {}:{} {access}", number(self.major), number(self.minor))
    }
}

impl Confinement {
    /// `None` when the spec has no process or nothing about Linux, or when those parts could not be read.
    pub(crate) fn of(spec: &Spec, source: &str) -> Option<Self> {
        let (process, linux) = (spec.process().as_ref()?, spec.linux().as_ref()?);
        Some(Self { source: source.to_owned(), ..Self::read(process, linux) })
    }

    fn read(process: &Process, linux: &Linux) -> Self {
        let named = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let mapped = |ids: &Option<Vec<_>>| ids.as_ref().is_some_and(|ids| !ids.is_empty());
        let bounding = process.capabilities().as_ref().map(|sets| {
            let all = sets.bounding().iter().flatten();
            let mut names: Vec<String> = all.map(|one| format!("CAP_{one}")).collect();
            names.sort();
            names
        });
        let devices = linux.resources().as_ref().and_then(|limits| limits.devices().as_ref());
        Self {
            source: String::new(),
            words: ConfinementWords::Spec,
            uid: process.user().uid(),
            users_mapped: mapped(linux.uid_mappings()),
            users_of_host: false,
            bounding,
            no_new_privileges: process.no_new_privileges().unwrap_or_default(),
            apparmor: named(process.apparmor_profile()),
            selinux: named(process.selinux_label()),
            selinux_off: false,
            seccomp: linux.seccomp().as_ref().is_some_and(refuses),
            namespaces: linux.namespaces().iter().flatten().map(namespace).collect(),
            devices: linux.devices().iter().flatten().map(device).collect(),
            named_devices: Vec::new(),
            all_devices: devices.is_some_and(|rules| rules.iter().any(allows_all)),
            device_rules: devices.map(|rules| allowed(rules)).unwrap_or_default(),
            masked_paths: linux.masked_paths().clone().unwrap_or_default(),
            readonly_paths: linux.readonly_paths().clone().unwrap_or_default(),
            nothing_masked: linux.masked_paths().iter().flatten().next().is_none(),
        }
    }
}

/// Whether a filter refuses anything.
fn refuses(filter: &LinuxSeccomp) -> bool {
    let allows = |action| action == LinuxSeccompAction::ScmpActAllow;
    let rules = filter.syscalls().iter().flatten();
    !allows(filter.default_action()) || rules.into_iter().any(|rule| !allows(rule.action()))
}

fn namespace(namespace: &LinuxNamespace) -> SpecNamespace {
    let path = namespace.path().as_ref().map(|path| path.to_string_lossy().into_owned());
    SpecNamespace { kind: namespace.typ().to_string(), path: path.filter(|path| !path.is_empty()) }
}

fn device(device: &LinuxDevice) -> SpecDevice {
    SpecDevice {
        path: device.path().to_string_lossy().into_owned(),
        block: device.typ() == LinuxDeviceType::B,
        major: device.major(),
        minor: device.minor(),
    }
}

/// What of the rules is allowed in the end: later ones count before earlier ones.
fn allowed(rules: &[LinuxDeviceCgroup]) -> Vec<DeviceRule> {
    let number = |number: Option<i64>| number.filter(|number| *number >= 0);
    let mut list: Vec<DeviceRule> = Vec::new();
    for rule in rules {
        let block = match rule.typ() {
            Some(LinuxDeviceType::B) => true,
            Some(LinuxDeviceType::C | LinuxDeviceType::U) => false,
            // All of them: `all_devices` tells where they are allowed.
            _ if rule.allow() => continue,
            _ => {
                list.clear();
                continue;
            }
        };
        let (major, minor) = (number(rule.major()), number(rule.minor()));
        if rule.allow() {
            let access = rule.access().clone().unwrap_or_else(|| "rwm".to_owned());
            list.push(DeviceRule { block, major, minor, access });
        } else {
            let covers = |of: Option<i64>, one: Option<i64>| of.is_none() || of == one;
            list.retain(|one| {
                one.block != block || !covers(major, one.major) || !covers(minor, one.minor)
            });
        }
    }
    list
}

/// Whether a rule lets every device be read and written: runtimes begin with one that refuses all of them.
fn allows_all(rule: &LinuxDeviceCgroup) -> bool {
    let any = |number: Option<i64>| number.is_none_or(|number| number < 0);
    let kind = matches!(rule.typ(), None | Some(LinuxDeviceType::A));
    let access = rule.access().as_deref().unwrap_or("rwm");
    rule.allow() && kind && any(rule.major()) && any(rule.minor()) && access.contains('w')
}
