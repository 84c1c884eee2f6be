//! Device nodes that lead to the disks or the memory of the host.
//!
//! Source: `Documentation/admin-guide/devices.txt` of the kernel.

use ckpt_model::{Confinement, ConfinementWords, DeviceRule, FileType, SpecDevice, escape};

use super::finding::{Confidence, Finding, Rule, Seen, Severity};
use super::group::Group;
use super::places::{below, within};
use super::subject::Subject;
use super::written::{Written, written};

const DEVICE_NODE: Rule = Rule {
    id: "device-node",
    title: "A device of the host was made or given",
    why: "Through a disk, or through the memory of the kernel, everything of the host can be read and written, if the container's devices are not restricted.",
    wrong: "Containers for storage, virtual machines and hardware are given such devices on purpose.",
    check: "ckpt-inspect diff --format json EVIDENCE",
    attack: &["T1006", "T1611"],
};

pub(super) const RULES: &[&Rule] = &[&DEVICE_NODE];

/// The major number of memory devices, and those minors that are the memory itself: mem, kmem, port.
const MEMORY: u32 = 1;
const RAW_MEMORY: [u32; 3] = [1, 2, 4];

pub(super) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut group = Group::default();
    let confinement = subject.checkpoint.container().confinement.as_ref();
    for file in written(subject).filter(|file| !is_given(file, confinement)) {
        if let Some(finding) = made(&file) {
            group.push(finding);
        }
    }
    group.finish(findings);
    if let Some(confinement) = confinement {
        let given =
            confinement.devices.iter().filter_map(|device| given(device, &confinement.source));
        findings.extend(given);
        findings.extend(named(confinement));
        findings.extend(allowed(confinement));
    }
}

/// Whether the engine was told to give a device, or all of them: those lie in `/dev`.
fn is_given(file: &Written<'_>, confinement: Option<&Confinement>) -> bool {
    let Some(confinement) = confinement else { return false };
    let in_dev = below(file.path.as_bytes(), b"/dev").is_some();
    let block = file.kind == FileType::BlockDevice;
    let same = |device: &SpecDevice| {
        let number = (u32::try_from(device.major).ok(), u32::try_from(device.minor).ok());
        device.block == block
            && file.device.map(|(major, minor)| (Some(major), Some(minor))) == Some(number)
    };
    let named = |device: &String| device.as_bytes() == file.path.as_bytes();
    let given = confinement.devices.iter().any(same) || confinement.named_devices.iter().any(named);
    in_dev && (confinement.all_devices || given)
}

/// Devices that docker was told to give, of which it is only told how the host calls them.
fn named(confinement: &Confinement) -> impl Iterator<Item = Finding> {
    confinement.named_devices.iter().filter_map(|device| {
        let what = reach_by_name(device.as_bytes())?;
        let path = escape(device.as_bytes());
        let title = format!("{what} was given to the container: {path}");
        let finding = Finding::new(&DEVICE_NODE, Severity::Medium, Confidence::High, title);
        let seen = Seen::new(format!("Devices: {path}")).member(confinement.source.clone());
        Some(finding.path(device.as_str()).seen(seen))
    })
}

/// Devices that the container may use once it has a node of them: with `CAP_MKNOD`, which docker gives unasked, one is soon made.
fn allowed(confinement: &Confinement) -> impl Iterator<Item = Finding> {
    let rules = confinement.device_rules.iter().filter(|rule| rule.opens());
    let rules = rules.filter(|rule| !confinement.all_devices && !has_node(confinement, rule));
    rules.filter_map(|rule| {
        let every = "the container may use every disk of the host";
        let title = match (rule.block, rule.major) {
            (true, None) => every.to_owned(),
            (true, Some(_)) => format!("the container may use disks of the host: {rule}"),
            (false, major) => {
                let number = |number: Option<i64>| number.and_then(|one| u32::try_from(one).ok());
                let memory = major.is_none_or(|_| number(major) == Some(MEMORY))
                    && rule.minor.is_none_or(|_| {
                        number(rule.minor).is_some_and(|minor| RAW_MEMORY.contains(&minor))
                    });
                memory.then(|| format!("the container may use the memory of the host: {rule}"))?
            }
        };
        let finding = Finding::new(&DEVICE_NODE, Severity::Medium, Confidence::High, title);
        let key = match confinement.words {
            ConfinementWords::HostConfig => "DeviceCgroupRules",
            _ => "linux.resources.devices allows",
        };
        let seen = Seen::new(format!("{key}: {rule}")).member(confinement.source.clone());
        Some(finding.seen(seen))
    })
}

/// Whether a rule is that of a device that was given, which is told by itself.
fn has_node(confinement: &Confinement, rule: &DeviceRule) -> bool {
    confinement.devices.iter().any(|device| {
        let numbers = (Some(device.major), Some(device.minor));
        device.block == rule.block && numbers == (rule.major, rule.minor)
    })
}

/// What a device of the host leads to, by the name that the kernel gives it.
fn reach_by_name(path: &[u8]) -> Option<&'static str> {
    const DISKS: [&[u8]; 10] =
        [b"sd", b"hd", b"vd", b"xvd", b"nvme", b"mmcblk", b"dm-", b"md", b"loop", b"sr"];
    const FOLDERS: [&[u8]; 2] = [b"/dev/disk", b"/dev/mapper"];
    let name = below(path, b"/dev")?;
    if matches!(name, b"mem" | b"kmem" | b"port") {
        return Some("the memory of the host");
    }
    let numbered =
        |rest: &[u8]| !rest.contains(&b'/') && rest.first().is_some_and(u8::is_ascii_alphanumeric);
    let disk = DISKS.iter().any(|disk| name.strip_prefix(*disk).is_some_and(numbered));
    // A control node is none, and mapped ones lie in a folder.
    let folder = within(path, &FOLDERS) && name != b"mapper/control";
    (disk || folder).then_some("a disk of the host")
}

/// A node that the container has and its engine did not ask for.
fn made(file: &Written<'_>) -> Option<Finding> {
    let (major, minor) = file.device?;
    let block = match file.kind {
        FileType::BlockDevice => true,
        FileType::CharDevice => false,
        _ => return None,
    };
    // A whiteout of overlayfs.
    if (major, minor) == (0, 0) {
        return None;
    }
    let what = reach(block, major, minor);
    let in_dev = below(file.path.as_bytes(), b"/dev").is_some();
    let severity = match what {
        Some(_) => Severity::High,
        None if in_dev => return None,
        None => Severity::Low,
    };
    let kind = if block { "block" } else { "character" };
    let what = what.unwrap_or("a device");
    let title = format!("{what}: {}", file.path);
    let line = format!("{} is the {kind} device {major}:{minor}", file.path);
    let finding = Finding::new(&DEVICE_NODE, severity, Confidence::High, title);
    Some(finding.path(file.path.clone()).seen(file.seen(line)).seen(file.seen(file.line())))
}

/// What a device leads to, when it leads out of the container.
fn reach(block: bool, major: u32, minor: u32) -> Option<&'static str> {
    if block {
        return Some("a disk of the host");
    }
    (major == MEMORY && RAW_MEMORY.contains(&minor)).then_some("the memory of the host")
}

/// A device that the engine was told to give.
fn given(device: &SpecDevice, source: &str) -> Option<Finding> {
    let number = |number: i64| u32::try_from(number).unwrap_or_default();
    let what = reach(device.block, number(device.major), number(device.minor))?;
    let path = escape(device.path.as_bytes());
    let title = format!("{what} was given to the container: {path}");
    let line = format!("linux.devices: {path} is {}:{}", device.major, device.minor);
    let finding = Finding::new(&DEVICE_NODE, Severity::Medium, Confidence::High, title);
    let seen = Seen::new(line).member(source.to_owned());
    Some(finding.path(device.path.as_str()).seen(seen))
}
