//! What holds the container back, and is missing: filters, security modules, no_new_privs, another user than root.

use ckpt_model::{Confinement, ConfinementWords, Engine, Seccomp};

use crate::triage::finding::{Confidence, Finding, Rule, Seen, Severity};
use crate::triage::subject::Subject;

const SECCOMP_OFF: Rule = Rule {
    id: "seccomp-off",
    title: "No system call is filtered",
    why: "Engines filter system calls that containers hardly need and exploits do.",
    wrong: "Kubernetes runs pods unfiltered unless the pod or the kubelet asks for a profile.",
    check: "ckpt-inspect tree --format json EVIDENCE",
    attack: &["T1611"],
};

const APPARMOR_OFF: Rule = Rule {
    id: "apparmor-off",
    title: "AppArmor does not confine the container",
    why: "The host has AppArmor, and the container is excepted from it.",
    wrong: "Privileged containers are excepted; hosts without AppArmor are not reported.",
    check: "ckpt-inspect tree --format json EVIDENCE",
    attack: &["T1611"],
};

const SELINUX_OFF: Rule = Rule {
    id: "selinux-off",
    title: "SELinux does not confine the container",
    why: "The host has SELinux, and the container is excepted from it: nothing keeps it from files of the host that it gets hold of.",
    wrong: "Done to share directories of the host without giving them another label. Of docker only the request is known; without SELinux on the host it means nothing.",
    check: "ckpt-inspect tree --creds EVIDENCE",
    attack: &["T1611"],
};

const SYSTEM_PATHS_UNMASKED: Rule = Rule {
    id: "system-paths-unmasked",
    title: "Files of the kernel are not covered",
    why: "Engines cover files of /proc and /sys that give away the kernel's memory, keys and hardware, or change it: /proc/kcore, /proc/keys, /sys/firmware.",
    wrong: "Containers that build images, or run other containers, are started so on purpose; what crictl or ctr started without a list has none.",
    check: "ckpt-inspect files --mounts EVIDENCE",
    attack: &["T1611"],
};

const NO_NEW_PRIVILEGES_ABSENT: Rule = Rule {
    id: "no-new-privileges-absent",
    title: "Programs can gain rights by set-user-id",
    why: "Without no_new_privs a set-user-id program, or a file capability, gives a user of the container the rights of root in it.",
    wrong: "Nearly every container is started so: it is the default everywhere.",
    check: "ckpt-inspect tree --creds EVIDENCE",
    attack: &["T1548.001"],
};

const RUNS_AS_ROOT: Rule = Rule {
    id: "runs-as-root",
    title: "The container runs as root",
    why: "Its root is the host's root, held back only by what else confines it.",
    wrong: "Nearly every image does so unless it names a user.",
    check: "ckpt-inspect tree --creds EVIDENCE",
    attack: &["T1611"],
};

pub(in crate::triage) const RULES: &[&Rule] = &[
    &SECCOMP_OFF,
    &APPARMOR_OFF,
    &SELINUX_OFF,
    &SYSTEM_PATHS_UNMASKED,
    &NO_NEW_PRIVILEGES_ABSENT,
    &RUNS_AS_ROOT,
];

/// `lsmtype` of the inventory.
const SELINUX: u32 = 1;
const APPARMOR: u32 = 2;

/// Types of SELinux that confine nothing: `spc_t` is that of a container that is excepted.
const UNCONFINED_TYPES: [&[u8]; 2] = [b"spc_t", b"unconfined_t"];

pub(in crate::triage) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let Some(confinement) = &subject.checkpoint.container().confinement else { return };
    findings.extend(seccomp(subject, confinement));
    findings.extend(apparmor(subject, confinement));
    findings.extend(selinux(subject, confinement));
    findings.extend(unmasked(subject, confinement));
    let told = |what: &str| Seen::new(what).member(confinement.source.clone());
    let by_docker = confinement.words == ConfinementWords::HostConfig;
    if !confinement.no_new_privileges {
        let title = "programs of the container can gain rights";
        let seen = told(match by_docker {
            true => "SecurityOpt has no no-new-privileges",
            false => "process.noNewPrivileges is not set",
        });
        let rule = &NO_NEW_PRIVILEGES_ABSENT;
        findings.push(Finding::new(rule, Severity::Info, Confidence::High, title).seen(seen));
    }
    // Whether docker's daemon maps users is not said there, unless the container is excepted from it.
    let of_host = !confinement.users_mapped && (!by_docker || confinement.users_of_host);
    if confinement.uid == 0 && of_host {
        let title = "the first process of the container is root, of the host's users";
        let seen = told(match by_docker {
            true => "no User is named, and UsernsMode is host",
            false => "process.user.uid is 0, and linux.uidMappings maps nothing",
        });
        findings
            .push(Finding::new(&RUNS_AS_ROOT, Severity::Info, Confidence::High, title).seen(seen));
    }
}

fn seccomp(subject: &Subject<'_>, confinement: &Confinement) -> Option<Finding> {
    if confinement.seccomp {
        return None;
    }
    let engine = subject.checkpoint.container().engine;
    // Kubernetes leaves pods unfiltered unless it is told otherwise; podman and docker filter unless they are.
    let severity = match engine {
        Engine::Podman | Engine::Docker => Severity::Medium,
        _ => Severity::Low,
    };
    let title = "no system call of the container is filtered";
    let what = match confinement.words {
        ConfinementWords::HostConfig => "SecurityOpt or Privileged turns seccomp off",
        _ => "linux.seccomp refuses nothing",
    };
    let mut finding = Finding::new(&SECCOMP_OFF, severity, Confidence::High, title)
        .seen(Seen::new(what).member(confinement.source.clone()));
    let tasks = &subject.checkpoint.processes().tasks;
    let mut bare = tasks.iter().filter(|task| task.seccomp == Some(Seccomp::Disabled));
    if let Some(first) = bare.next() {
        let number = bare.count().saturating_add(1);
        let what = format!("{number} of {} processes run without a filter", tasks.len());
        finding = finding.seen(Seen::new(what).member(subject.core(first)));
    }
    Some(finding)
}

fn apparmor(subject: &Subject<'_>, confinement: &Confinement) -> Option<Finding> {
    let host = subject.checkpoint.criu().lsm == Some(APPARMOR);
    let asked = confinement.apparmor.as_deref() == Some("unconfined");
    let task = subject.checkpoint.processes().tasks.iter().find(|task| {
        let profile = task.credentials.as_ref().and_then(|all| all.lsm_profile.as_ref());
        profile.is_some_and(|profile| profile.as_bytes().starts_with(b"unconfined"))
    });
    if !(asked || (host && task.is_some())) {
        return None;
    }
    let title = "AppArmor does not confine the container";
    let mut finding = Finding::new(&APPARMOR_OFF, Severity::Low, Confidence::High, title);
    if asked {
        let what = match confinement.words {
            ConfinementWords::HostConfig => "SecurityOpt or Privileged turns AppArmor off",
            _ => "process.apparmorProfile is unconfined",
        };
        finding = finding.seen(Seen::new(what).member(confinement.source.clone()));
    }
    if let Some(task) = task {
        let what = format!("{} is unconfined", crate::triage::subject::named(task));
        finding = finding.seen(Seen::new(what).member(subject.core(task)));
    }
    Some(finding)
}

fn selinux(subject: &Subject<'_>, confinement: &Confinement) -> Option<Finding> {
    let lsm = subject.checkpoint.criu().lsm;
    let task = subject.checkpoint.processes().tasks.iter().find(|task| {
        let label = task.credentials.as_ref().and_then(|all| all.lsm_profile.as_ref());
        let of_type = label.and_then(|label| label.as_bytes().split(|byte| *byte == b':').nth(2));
        lsm == Some(SELINUX) && of_type.is_some_and(|one| UNCONFINED_TYPES.contains(&one))
    });
    // Where the images tell of another module, the request meant nothing.
    let asked = confinement.selinux_off && lsm.is_none_or(|lsm| lsm == SELINUX);
    if !asked && task.is_none() {
        return None;
    }
    let title = "SELinux does not confine the container";
    let mut finding = Finding::new(&SELINUX_OFF, Severity::Low, Confidence::High, title);
    if asked {
        let what = "SecurityOpt turns labels off";
        finding = finding.seen(Seen::new(what).member(confinement.source.clone()));
    }
    if let Some(task) = task {
        let what = format!("{} is unconfined", crate::triage::subject::named(task));
        finding = finding.seen(Seen::new(what).member(subject.core(task)));
    }
    Some(finding)
}

fn unmasked(subject: &Subject<'_>, confinement: &Confinement) -> Option<Finding> {
    // Of a privileged container nothing is covered, and more is told.
    let privileged =
        subject.checkpoint.container().privileged == Some(true) || confinement.all_devices;
    if !confinement.nothing_masked || privileged {
        return None;
    }
    let title = "no file of the kernel is covered";
    let what = match confinement.words {
        ConfinementWords::HostConfig => "SecurityOpt or MaskedPaths leaves the system's paths open",
        _ => "linux.maskedPaths is empty",
    };
    // The kubelet hands a list to its engines, which have none of their own; podman and docker have.
    let severity = match subject.checkpoint.container().engine {
        Engine::Podman | Engine::Docker => Severity::Low,
        _ => Severity::Info,
    };
    let finding = Finding::new(&SYSTEM_PATHS_UNMASKED, severity, Confidence::High, title);
    Some(finding.seen(Seen::new(what).member(confinement.source.clone())))
}
