//! Which paths are such places, by the standards and manuals that make them so.
//!
//! Source: crontab(5), cron(8), at(1), systemd.unit(5), bash(1), zsh(1), sshd(8), sshd_config(5), pam.conf(5), sudoers(5),
//! ld.so(8), environment(5), Python's `site`, githooks(5), udev(7), the XDG autostart specification, apt.conf(5),
//! modprobe.d(5), modules-load.d(5), inittab(5), and the init systems that images use (busybox, OpenRC, runit, s6);
//! systemd.generator(7), inetd(8), xinetd.conf(5), nsswitch.conf(5), logrotate(8), interfaces(5), dpkg.cfg(5),
//! git-config(1), ssh_config(5), incrontab(5), aliases(5), NetworkManager-dispatcher(8), dhclient-script(8).

use super::rules as r;
use crate::triage::finding::{Rule, Severity};
use crate::triage::places::{below, directly, is_library_path, split, within};

/// A place, and how what is written there is judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Location {
    pub(super) rule: &'static Rule,
    pub(super) nature: Nature,
}

/// What is written there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nature {
    /// Commands. They weigh so much unless they do something suspicious.
    Commands(Severity),
    /// Settings or scripts that name commands; only suspicious ones are told.
    Settings,
    /// Python that runs before every program.
    Python,
    /// Servers that are started when somebody connects.
    Servers,
    /// Where names of users and hosts are looked up.
    NameService,
    /// Public keys that let in.
    Keys,
    /// Settings of sshd.
    SshServer,
    /// Rules of PAM.
    PamRules,
    /// A module of PAM, or another file whose being there says all.
    Binary,
    /// Rules of sudo.
    Sudoers,
    /// Libraries that every program loads.
    Preload,
    /// Directories that libraries are looked for in.
    LibraryPaths,
    /// Variables of every login.
    Environment,
    /// Lines of Python among paths.
    PythonPaths,
    /// Rules of udev.
    Udev,
    /// Settings of apt.
    AptSettings,
    /// Names of kernel modules.
    ModuleNames,
}

/// The program of the container.
pub(super) const OWN_PROGRAM: Location =
    Location { rule: &r::PERSISTENCE_INIT, nature: Nature::Commands(Severity::Medium) };

/// What a path is, if it is such a place.
pub(super) fn locate(path: &[u8]) -> Option<Location> {
    let (folder, name) = split(path);
    let at = |rule, nature| Some(Location { rule, nature });
    let commands = |rule, severity| at(rule, Nature::Commands(severity));
    if name.is_empty() || name == b".placeholder" || name == b"README" {
        return None;
    }
    if is_cron(path) {
        return commands(&r::PERSISTENCE_CRON, Severity::High);
    }
    if directly(path, &[b"/var/spool/at", b"/var/spool/cron/atjobs", b"/var/spool/atjobs"]) {
        let job = !name.starts_with(b".");
        return job.then_some(()).and_then(|()| commands(&r::PERSISTENCE_AT_JOB, Severity::High));
    }
    if let Some(severity) = unit(path, name) {
        return commands(&r::PERSISTENCE_SYSTEMD, severity);
    }
    if let Some(found) = ssh(path, folder, name) {
        return Some(found);
    }
    if is_shell_startup(path, folder, name) {
        return commands(&r::PERSISTENCE_SHELL_STARTUP, Severity::Medium);
    }
    if let Some(severity) = init(path, name) {
        return commands(&r::PERSISTENCE_INIT, severity);
    }
    if within(path, &[b"/etc/pam.d", b"/usr/lib/pam.d"]) || path == b"/etc/pam.conf" {
        return at(&r::PERSISTENCE_PAM, Nature::PamRules);
    }
    if folder.ends_with(b"/security") && name.ends_with(b".so") && is_library_path(folder) {
        return at(&r::PERSISTENCE_PAM, Nature::Binary);
    }
    if path == b"/etc/sudoers"
        || path == b"/etc/doas.conf"
        || directly(path, &[b"/etc/sudoers.d", b"/etc/doas.d"])
    {
        return at(&r::PERSISTENCE_SUDOERS, Nature::Sudoers);
    }
    if path == b"/etc/ld.so.preload" {
        return at(&r::PERSISTENCE_LD_SO, Nature::Preload);
    }
    let musl = folder == b"/etc" && name.starts_with(b"ld-musl-") && name.ends_with(b".path");
    if path == b"/etc/ld.so.conf" || directly(path, &[b"/etc/ld.so.conf.d"]) || musl {
        return at(&r::PERSISTENCE_LD_SO, Nature::LibraryPaths);
    }
    let environments: [&[u8]; 3] =
        [b"/etc/environment", b"/etc/security/pam_env.conf", b"/etc/default/locale"];
    if environments.contains(&path)
        || name == b".pam_environment"
        || folder.ends_with(b"/environment.d")
    {
        return at(&r::PERSISTENCE_ENVIRONMENT, Nature::Environment);
    }
    if name.ends_with(b".pth") && is_python(folder) {
        return at(&r::PERSISTENCE_PYTHON_STARTUP, Nature::PythonPaths);
    }
    let python: [&[u8]; 2] = [b"sitecustomize.py", b"usercustomize.py"];
    if python.contains(&name) {
        return at(&r::PERSISTENCE_PYTHON_STARTUP, Nature::Python);
    }
    let hooks = folder.ends_with(b"/.git/hooks") || folder.ends_with(b"git-core/templates/hooks");
    if hooks && !name.ends_with(b".sample") {
        return commands(&r::PERSISTENCE_GIT_HOOK, Severity::Medium);
    }
    if folder.ends_with(b"/udev/rules.d") && name.ends_with(b".rules") {
        return at(&r::PERSISTENCE_UDEV, Nature::Udev);
    }
    let desktop: [&[u8]; 2] = [b"/xdg/autostart", b"/.config/autostart"];
    if desktop.iter().any(|end| folder.ends_with(end)) {
        return commands(&r::PERSISTENCE_XDG_AUTOSTART, Severity::Medium);
    }
    if directly(path, &[b"/etc/update-motd.d"]) {
        return commands(&r::PERSISTENCE_MOTD, Severity::Medium);
    }
    let packages: [&[u8]; 2] = [b"/etc/apt/apt.conf", b"/etc/dpkg/dpkg.cfg"];
    if packages.contains(&path)
        || directly(path, &[b"/etc/apt/apt.conf.d", b"/etc/dpkg/dpkg.cfg.d"])
    {
        return at(&r::PERSISTENCE_PACKAGE_HOOK, Nature::AptSettings);
    }
    if directly(path, &[b"/etc/pacman.d/hooks", b"/etc/apk/commit_hooks.d"]) {
        return commands(&r::PERSISTENCE_PACKAGE_HOOK, Severity::Medium);
    }
    let module: [&[u8]; 4] = [b".ko", b".ko.xz", b".ko.gz", b".ko.zst"];
    if module.iter().any(|end| name.ends_with(end)) {
        return at(&r::PERSISTENCE_KERNEL_MODULE, Nature::Binary);
    }
    let lists: [&[u8]; 4] = [
        b"/etc/modules-load.d",
        b"/usr/lib/modules-load.d",
        b"/etc/modprobe.d",
        b"/lib/modprobe.d",
    ];
    if path == b"/etc/modules" || directly(path, &lists) {
        return at(&r::PERSISTENCE_KERNEL_MODULE, Nature::ModuleNames);
    }
    hook(path, folder, name).map(|nature| Location { rule: &r::PERSISTENCE_HOOK, nature })
}

/// What programs run that do something else: folders whose files all run, and settings that name commands.
fn hook(path: &[u8], folder: &[u8], name: &[u8]) -> Option<Nature> {
    const FOLDERS: [&[u8]; 20] = [
        b"/etc/network/if-up.d",
        b"/etc/network/if-pre-up.d",
        b"/etc/network/if-down.d",
        b"/etc/network/if-post-down.d",
        b"/etc/NetworkManager/dispatcher.d",
        b"/etc/networkd-dispatcher",
        b"/usr/lib/networkd-dispatcher",
        b"/etc/dhcp/dhclient-enter-hooks.d",
        b"/etc/dhcp/dhclient-exit-hooks.d",
        b"/usr/share/udhcpc",
        b"/etc/udhcpc",
        b"/etc/ppp/ip-up.d",
        b"/etc/ppp/ip-down.d",
        b"/etc/ca-certificates/update.d",
        b"/etc/kernel/postinst.d",
        b"/etc/kernel/postrm.d",
        b"/etc/initramfs-tools/hooks",
        b"/etc/pm/sleep.d",
        b"/etc/acpi",
        b"/etc/resolvconf/update.d",
    ];
    const SETTINGS: [&[u8]; 11] = [
        b"/etc/logrotate.conf",
        b"/etc/network/interfaces",
        b"/etc/gitconfig",
        b"/etc/ssh/ssh_config",
        b"/etc/aliases",
        b"/etc/procmailrc",
        b"/etc/rsyslog.conf",
        b"/etc/bash_completion",
        b"/etc/vim/vimrc",
        b"/etc/vim/vimrc.local",
        b"/etc/tmux.conf",
    ];
    const OF_SETTINGS: [&[u8]; 8] = [
        b"/etc/logrotate.d",
        b"/etc/network/interfaces.d",
        b"/etc/ssh/ssh_config.d",
        b"/etc/rsyslog.d",
        b"/etc/bash_completion.d",
        b"/usr/share/bash-completion/completions",
        b"/usr/share/dbus-1/system-services",
        b"/usr/share/dbus-1/services",
    ];
    const OF_USERS: [&[u8]; 12] = [
        b".gitconfig",
        b".bash_completion",
        b".forward",
        b".procmailrc",
        b".vimrc",
        b".gdbinit",
        b".screenrc",
        b".tmux.conf",
        b".npmrc",
        b".envrc",
        b".pythonrc",
        b"sitecustomize.pl",
    ];
    let servers: [&[u8]; 2] = [b"/etc/inetd.conf", b"/etc/xinetd.conf"];
    if servers.contains(&path) || directly(path, &[b"/etc/xinetd.d", b"/etc/inetd.d"]) {
        return Some(Nature::Servers);
    }
    if path == b"/etc/nsswitch.conf" {
        return Some(Nature::NameService);
    }
    if within(path, &FOLDERS) {
        return Some(Nature::Commands(Severity::Low));
    }
    let of_folder = match name {
        b"config" => {
            [&b"/.git"[..], b"/.ssh", b"/.config/git"].iter().any(|end| folder.ends_with(end))
        }
        _ => {
            let folders = [
                &b"/.local/share/bash-completion/completions"[..],
                b"/.ipython/profile_default/startup",
                b"/.local/share/dbus-1/services",
                b"/.vim/plugin",
                b"/.oh-my-zsh/custom",
            ];
            folders.iter().any(|end| folder.ends_with(end))
        }
    };
    let named =
        SETTINGS.contains(&path) || directly(path, &OF_SETTINGS) || OF_USERS.contains(&name);
    (named || of_folder).then_some(Nature::Settings)
}

fn is_cron(path: &[u8]) -> bool {
    const FOLDERS: [&[u8]; 11] = [
        b"/etc/incron.d",
        b"/var/spool/incron",
        b"/etc/cron.d",
        b"/etc/cron.hourly",
        b"/etc/cron.daily",
        b"/etc/cron.weekly",
        b"/etc/cron.monthly",
        b"/etc/crontabs",
        b"/var/spool/cron/crontabs",
        b"/var/spool/cron/tabs",
        b"/var/cron/tabs",
    ];
    let files: [&[u8]; 2] = [b"/etc/crontab", b"/etc/anacrontab"];
    // Alpine's run-parts.
    let periodic = below(path, b"/etc/periodic").is_some();
    files.contains(&path)
        || directly(path, &FOLDERS)
        || directly(path, &[b"/var/spool/cron"])
        || periodic
}

/// A unit of systemd, or a part of one, and how much it weighs by where it lies.
fn unit(path: &[u8], name: &[u8]) -> Option<Severity> {
    const KINDS: [&[u8]; 6] =
        [b".service", b".timer", b".socket", b".path", b".mount", b".automount"];
    // Everything in these folders runs: generators when units are loaded, the rest when the system stops or sleeps.
    const RUN: [&[u8]; 6] = [
        b"system-generators",
        b"user-generators",
        b"system-environment-generators",
        b"user-environment-generators",
        b"system-shutdown",
        b"system-sleep",
    ];
    const ABOVE: [&[u8]; 5] = [
        b"/etc/systemd",
        b"/run/systemd",
        b"/usr/local/lib/systemd",
        b"/usr/lib/systemd",
        b"/lib/systemd",
    ];
    let (above, last) = split(split(path).0);
    if let Some(at) = ABOVE.iter().position(|known| above == *known)
        && RUN.contains(&last)
    {
        return Some(if at < 3 { Severity::High } else { Severity::Medium });
    }
    let dropped = split(path).0.ends_with(b".service.d") && name.ends_with(b".conf");
    if !dropped && !KINDS.iter().any(|kind| name.ends_with(kind)) {
        return None;
    }
    let own = path.windows(20).any(|window| window == b"/.config/systemd/use")
        || path.windows(24).any(|window| window == b"/.local/share/systemd/us");
    if own || within(path, &[b"/etc/systemd/system", b"/etc/systemd/user"]) {
        Some(Severity::High)
    } else if within(path, &[b"/usr/lib/systemd", b"/lib/systemd", b"/usr/local/lib/systemd"]) {
        Some(Severity::Medium)
    } else if below(path, b"/run/systemd").is_some_and(|rest| !rest.starts_with(b"generator")) {
        Some(Severity::Low)
    } else {
        None
    }
}

fn ssh(path: &[u8], folder: &[u8], name: &[u8]) -> Option<Location> {
    let nature = match name {
        b"authorized_keys" | b"authorized_keys2" => Nature::Keys,
        _ if directly(path, &[b"/etc/ssh/authorized_keys.d", b"/etc/ssh/authorized_keys"]) => {
            Nature::Keys
        }
        b"sshd_config" => Nature::SshServer,
        _ if folder == b"/etc/ssh/sshd_config.d" && name.ends_with(b".conf") => Nature::SshServer,
        b"rc" if folder.ends_with(b"/.ssh") => Nature::Commands(Severity::High),
        b"environment" if folder.ends_with(b"/.ssh") => Nature::Environment,
        b"sshrc" if folder == b"/etc/ssh" => Nature::Commands(Severity::High),
        _ => return None,
    };
    Some(Location { rule: &r::PERSISTENCE_SSH_KEY, nature })
}

fn is_shell_startup(path: &[u8], folder: &[u8], name: &[u8]) -> bool {
    const OF_ALL: [&[u8]; 13] = [
        b"/etc/profile",
        b"/etc/bash.bashrc",
        b"/etc/bashrc",
        b"/etc/bash.bash_logout",
        b"/etc/zshrc",
        b"/etc/zprofile",
        b"/etc/zshenv",
        b"/etc/csh.cshrc",
        b"/etc/csh.login",
        b"/etc/shrc",
        b"/etc/ksh.kshrc",
        b"/etc/mkshrc",
        b"/etc/inputrc",
    ];
    const OF_USERS: [&[u8]; 22] = [
        b".xinitrc",
        b".xsession",
        b".xsessionrc",
        b".bashrc",
        b".bash_profile",
        b".bash_login",
        b".bash_logout",
        b".bash_aliases",
        b".profile",
        b".zshrc",
        b".zprofile",
        b".zshenv",
        b".zlogin",
        b".zlogout",
        b".cshrc",
        b".tcshrc",
        b".login",
        b".kshrc",
        b".mkshrc",
        b".ashrc",
        b".shrc",
        b".xprofile",
    ];
    OF_ALL.contains(&path)
        || OF_USERS.contains(&name)
        || directly(path, &[b"/etc/profile.d", b"/etc/zsh", b"/etc/bash", b"/etc/fish/conf.d"])
        || folder.ends_with(b"/.config/fish/conf.d")
        || (folder.ends_with(b"/.config/fish") && name == b"config.fish")
}

fn init(path: &[u8], name: &[u8]) -> Option<Severity> {
    let local: [&[u8]; 5] =
        [b"/etc/rc.local", b"/etc/rc.d/rc.local", b"/etc/inittab", b"/etc/rc", b"/etc/rcS"];
    if local.contains(&path) {
        return Some(Severity::High);
    }
    const FOLDERS: [&[u8]; 15] = [
        b"/etc/cont-finish.d",
        b"/etc/init.d",
        b"/etc/rc.d",
        b"/etc/init",
        b"/etc/local.d",
        b"/etc/service",
        b"/etc/sv",
        b"/etc/runit",
        b"/etc/services.d",
        b"/etc/cont-init.d",
        b"/etc/s6-overlay",
        b"/etc/supervisor/conf.d",
        b"/etc/supervisor.d",
        b"/etc/supervisord.d",
        b"/etc/conf.d",
    ];
    let hook = path.windows(18).any(|window| window == b"docker-entrypoint.")
        || below(path, b"/docker-entrypoint.d").is_some();
    let runlevel = below(path, b"/etc").is_some_and(|rest| {
        rest.strip_prefix(b"rc").is_some_and(|rest| rest.get(1..4) == Some(b".d/"))
    });
    let state: [&[u8]; 3] = [b"pid", b"status", b"lock"];
    let passing = state.contains(&name) || within(path, &[b"/etc/service/supervise"]);
    (!passing && (within(path, &FOLDERS) || hook || runlevel)).then_some(Severity::Medium)
}

fn is_python(folder: &[u8]) -> bool {
    folder.ends_with(b"/site-packages") || folder.ends_with(b"/dist-packages")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(path: &str) -> Option<&'static str> {
        locate(path.as_bytes()).map(|found| found.rule.id)
    }

    #[test]
    fn standard_places() {
        for (path, wanted) in [
            ("/etc/cron.d/x", "persistence-cron"),
            ("/var/spool/cron/crontabs/www-data", "persistence-cron"),
            ("/var/spool/cron/root", "persistence-cron"),
            ("/etc/crontabs/root", "persistence-cron"),
            ("/etc/periodic/15min/x", "persistence-cron"),
            ("/var/spool/cron/atjobs/a0001", "persistence-at-job"),
            ("/etc/systemd/system/x.service", "persistence-systemd"),
            ("/etc/systemd/system/ssh.service.d/override.conf", "persistence-systemd"),
            ("/home/u/.config/systemd/user/x.timer", "persistence-systemd"),
            ("/home/u/.bashrc", "persistence-shell-startup"),
            ("/etc/profile.d/x.sh", "persistence-shell-startup"),
            ("/var/lib/postgresql/.ssh/authorized_keys", "persistence-ssh-key"),
            ("/etc/ssh/sshd_config.d/x.conf", "persistence-ssh-key"),
            ("/etc/rc.local", "persistence-init"),
            ("/etc/rc3.d/S99x", "persistence-init"),
            ("/etc/init.d/x", "persistence-init"),
            ("/etc/pam.d/sshd", "persistence-pam"),
            ("/lib/x86_64-linux-gnu/security/pam_x.so", "persistence-pam"),
            ("/etc/sudoers.d/x", "persistence-sudoers"),
            ("/etc/ld.so.preload", "persistence-ld-so"),
            ("/etc/environment", "persistence-environment"),
            ("/usr/lib/python3.12/site-packages/x.pth", "persistence-python-startup"),
            ("/srv/app/.git/hooks/post-commit", "persistence-git-hook"),
            ("/etc/udev/rules.d/9.rules", "persistence-udev"),
            ("/root/.config/autostart/x.desktop", "persistence-xdg-autostart"),
            ("/etc/update-motd.d/99-x", "persistence-motd"),
            ("/etc/apt/apt.conf.d/99x", "persistence-package-hook"),
            ("/lib/modules/6.1/x.ko.xz", "persistence-kernel-module"),
            ("/etc/dpkg/dpkg.cfg.d/x", "persistence-package-hook"),
            ("/etc/systemd/system-generators/x", "persistence-systemd"),
            ("/usr/lib/systemd/system-sleep/x", "persistence-systemd"),
            ("/var/spool/incron/root", "persistence-cron"),
            ("/etc/inetd.conf", "persistence-hook"),
            ("/etc/xinetd.d/x", "persistence-hook"),
            ("/etc/logrotate.d/x", "persistence-hook"),
            ("/etc/network/if-up.d/x", "persistence-hook"),
            ("/root/.gitconfig", "persistence-hook"),
            ("/srv/app/.git/config", "persistence-hook"),
            ("/root/.ssh/config", "persistence-hook"),
            ("/etc/bash_completion.d/x", "persistence-hook"),
            ("/etc/nsswitch.conf", "persistence-hook"),
        ] {
            assert_eq!(id(path), Some(wanted), "{path}");
        }
    }

    #[test]
    fn other_places() {
        for path in [
            "/etc/cron.d/.placeholder",
            "/var/spool/cron/atjobs/.SEQ",
            "/run/systemd/generator/x.service",
            "/srv/app/.git/hooks/post-commit.sample",
            "/etc/ssh/ssh_host_rsa_key",
            "/var/lib/x/data.pth",
            "/etc/hosts",
            "/",
            "",
        ] {
            assert_eq!(id(path), None, "{path}");
        }
    }
}
