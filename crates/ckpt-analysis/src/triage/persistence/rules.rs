//! The kinds of things that come back.

use crate::triage::finding::Rule;

/// All of them.
pub(in crate::triage) const RULES: &[&Rule] = &[
    &PERSISTENCE_CRON,
    &PERSISTENCE_AT_JOB,
    &PERSISTENCE_SYSTEMD,
    &PERSISTENCE_SHELL_STARTUP,
    &PERSISTENCE_SSH_KEY,
    &PERSISTENCE_INIT,
    &PERSISTENCE_PAM,
    &PERSISTENCE_SUDOERS,
    &PERSISTENCE_LD_SO,
    &PERSISTENCE_ENVIRONMENT,
    &PERSISTENCE_PYTHON_STARTUP,
    &PERSISTENCE_GIT_HOOK,
    &PERSISTENCE_UDEV,
    &PERSISTENCE_XDG_AUTOSTART,
    &PERSISTENCE_MOTD,
    &PERSISTENCE_PACKAGE_HOOK,
    &PERSISTENCE_HOOK,
    &PERSISTENCE_KERNEL_MODULE,
];

pub(super) const PERSISTENCE_CRON: Rule = Rule {
    id: "persistence-cron",
    title: "A cron job was written",
    why: "Cron runs it again and again, also after the intruder is gone.",
    wrong: "A container whose work is to run cron writes its crontab when it starts; a job does nothing where no cron runs, unless the file lies on a volume.",
    check: "ckpt-inspect diff --path '/etc/cron*/**' --path '/var/spool/cron/**' EVIDENCE",
    attack: &["T1053.003"],
};

pub(super) const PERSISTENCE_AT_JOB: Rule = Rule {
    id: "persistence-at-job",
    title: "A job for at was written",
    why: "It runs once, at a time that was chosen, under the user who made it.",
    wrong: "Nearly no container uses at(1).",
    check: "ckpt-inspect diff --path '/var/spool/**' EVIDENCE",
    attack: &["T1053.002"],
};

pub(super) const PERSISTENCE_SYSTEMD: Rule = Rule {
    id: "persistence-systemd",
    title: "A systemd unit was written",
    why: "A service or timer starts with the system or by the clock and is restarted when it dies.",
    wrong: "A container that runs systemd writes units while it boots (generators, presets, `systemctl enable`); without systemd a unit does nothing.",
    check: "ckpt-inspect diff --path '*.service' --path '*.timer' EVIDENCE",
    attack: &["T1543.002", "T1053.006"],
};

pub(super) const PERSISTENCE_SHELL_STARTUP: Rule = Rule {
    id: "persistence-shell-startup",
    title: "A startup file of shells was written",
    why: "Every shell of that user, or of all users, runs it first.",
    wrong: "Tools that are installed when a container starts add lines to `.bashrc` and `/etc/profile.d` (nvm, conda, rustup).",
    check: "ckpt-inspect diff --path '.*rc' --path '*profile*' EVIDENCE",
    attack: &["T1546.004"],
};

pub(super) const PERSISTENCE_SSH_KEY: Rule = Rule {
    id: "persistence-ssh-key",
    title: "A key or setting that lets somebody in by SSH was written",
    why: "Whoever has the private key can log in as that user, whatever the password is.",
    wrong: "Containers that serve SSH or git install keys when they start; without a running sshd a key opens nothing, but volumes and home directories can be shared.",
    check: "ckpt-inspect diff --path '**/.ssh/**' --path '/etc/ssh/**' EVIDENCE",
    attack: &["T1098.004"],
};

pub(super) const PERSISTENCE_INIT: Rule = Rule {
    id: "persistence-init",
    title: "Something that runs at the start was written",
    why: "It runs when the container is started again: `rc.local`, init scripts, services of supervisors, hooks of entrypoints, or the program of the container itself.",
    wrong: "Entrypoints that configure themselves write there; supervisors get their services when the container starts.",
    check: "ckpt-inspect diff --path '/etc/init*/**' --path '/etc/rc*' EVIDENCE",
    attack: &["T1037.004", "T1543"],
};

pub(super) const PERSISTENCE_PAM: Rule = Rule {
    id: "persistence-pam",
    title: "The way users are checked at login was changed",
    why: "A module or rule of PAM sees every password, and can let anybody in.",
    wrong: "Packages that add a way to log in (`sssd`, `ldap`) change these files.",
    check: "ckpt-inspect diff --path '/etc/pam.d/**' --path 'pam_*.so' EVIDENCE",
    attack: &["T1556.003"],
};

pub(super) const PERSISTENCE_SUDOERS: Rule = Rule {
    id: "persistence-sudoers",
    title: "Rules of sudo were written",
    why: "They let a user become root, without a password where they say so.",
    wrong: "Images for development give their user `NOPASSWD` when they start.",
    check: "ckpt-inspect diff --path '/etc/sudoers' --path '/etc/sudoers.d/*' EVIDENCE",
    attack: &["T1548.003"],
};

pub(super) const PERSISTENCE_LD_SO: Rule = Rule {
    id: "persistence-ld-so",
    title: "What the dynamic linker loads was changed",
    why: "`/etc/ld.so.preload` puts a library into every program that starts; `ld.so.conf` decides which library is found first. Rootkits in user space live here.",
    wrong: "Packages with libraries of their own add a file to `/etc/ld.so.conf.d`; a few memory allocators and profilers are preloaded by `/etc/ld.so.preload`.",
    check: "ckpt-inspect diff --path '/etc/ld.so.*' --path '/etc/ld.so.conf.d/*' EVIDENCE",
    attack: &["T1574.006"],
};

pub(super) const PERSISTENCE_ENVIRONMENT: Rule = Rule {
    id: "persistence-environment",
    title: "An environment for every login was written",
    why: "Variables such as `LD_PRELOAD` or `BASH_ENV` in these files make every program that is started after a login load what they name.",
    wrong: "`/etc/environment` is written by images that hand their variables to cron or SSH; only variables that load code are reported.",
    check: "ckpt-inspect diff --path '/etc/environment' --path '*environment*' EVIDENCE",
    attack: &["T1574.006"],
};

pub(super) const PERSISTENCE_PYTHON_STARTUP: Rule = Rule {
    id: "persistence-python-startup",
    title: "Code that every Python runs at its start was written",
    why: "`sitecustomize`, `usercustomize` and lines of `.pth` files that begin with `import` run in every Python program before its own first line.",
    wrong: "Pip writes `.pth` files for editable installs and for setuptools; coverage and tracing tools use the same door.",
    check: "ckpt-inspect diff --path '*.pth' --path '*customize.py' EVIDENCE",
    attack: &["T1546.018"],
};

pub(super) const PERSISTENCE_GIT_HOOK: Rule = Rule {
    id: "persistence-git-hook",
    title: "A hook of git was written",
    why: "It runs when somebody commits, pulls or pushes there, with the rights of that person.",
    wrong: "Tools for developers (pre-commit, husky, git-lfs) install hooks.",
    check: "ckpt-inspect diff --path '**/.git/hooks/*' EVIDENCE",
    attack: &["T1546"],
};

pub(super) const PERSISTENCE_UDEV: Rule = Rule {
    id: "persistence-udev",
    title: "A rule of udev was written",
    why: "A rule can run a program as root whenever a device appears.",
    wrong: "Packages for hardware bring rules; hardly any container runs udev.",
    check: "ckpt-inspect diff --path '**/udev/rules.d/*' EVIDENCE",
    attack: &["T1546.017"],
};

pub(super) const PERSISTENCE_XDG_AUTOSTART: Rule = Rule {
    id: "persistence-xdg-autostart",
    title: "A program that starts with the desktop was written",
    why: "It starts whenever that user logs in to a desktop.",
    wrong: "Containers with a desktop (VNC, noVNC) write such files honestly.",
    check: "ckpt-inspect diff --path '**/autostart/*' EVIDENCE",
    attack: &["T1547.013"],
};

pub(super) const PERSISTENCE_MOTD: Rule = Rule {
    id: "persistence-motd",
    title: "A script of the message of the day was written",
    why: "Scripts in `update-motd.d` run as root whenever somebody logs in.",
    wrong: "Images with a greeting write one when they start.",
    check: "ckpt-inspect diff --path '/etc/update-motd.d/*' EVIDENCE",
    attack: &["T1546"],
};

pub(super) const PERSISTENCE_PACKAGE_HOOK: Rule = Rule {
    id: "persistence-package-hook",
    title: "A hook of the package manager was written",
    why: "It runs as root whenever packages are installed or updated.",
    wrong: "Images for development add hooks that clean up after apt.",
    check: "ckpt-inspect diff --path '/etc/apt/apt.conf.d/*' EVIDENCE",
    attack: &["T1546.016"],
};

pub(super) const PERSISTENCE_HOOK: Rule = Rule {
    id: "persistence-hook",
    title: "Something that another program runs was written",
    why: "Many programs run what their settings name, or everything in a folder: the network when it comes up, logrotate, git, ssh, inetd, the name service, mail, editors. Whoever writes there waits for them.",
    wrong: "Images set up networks, git and mail when they start; of settings only those are told that do something suspicious.",
    check: "ckpt-inspect diff --path '/etc/**' --path '**/.gitconfig' --path '**/.ssh/config' EVIDENCE",
    attack: &["T1546"],
};

pub(super) const PERSISTENCE_KERNEL_MODULE: Rule = Rule {
    id: "persistence-kernel-module",
    title: "A kernel module, or its loading, was written",
    why: "A module in the kernel of the host is beyond everything that a container can be held in.",
    wrong: "Packages of drivers bring modules; a container that may not load modules (`CAP_SYS_MODULE`) cannot use one.",
    check: "ckpt-inspect diff --path '*.ko*' --path '/etc/modules*' EVIDENCE",
    attack: &["T1547.006"],
};
