//! Where a file comes from that a process runs or maps: the image, or elsewhere.
//!
//! The images name a file by its path and mount; the diff of the root file system says whether that path was written
//! since the container was made. What neither tells is taken to be the image's.

use ckpt_model::{ChangeKind, ChangeSource, Event, FileRef, Mount, Text, fd_type};
use criu_image::ImageKind;

use super::finding::Seen;
use super::places::{is_program_path, split};
use super::subject::Subject;

/// What the kernel puts behind the path of a deleted file.
const DELETED: &[u8] = b" (deleted)";

/// Folders for what nobody needs tomorrow.
const TEMPORARY: [&[u8]; 3] = [b"/tmp/", b"/var/tmp/", b"/dev/"];

/// Folders of the system and for temporary files, where no tool makes folders with a dot.
const SYSTEM_FOLDERS: [&[u8]; 12] = [
    b"/usr/",
    b"/bin/",
    b"/sbin/",
    b"/lib",
    b"/etc/",
    b"/boot/",
    b"/dev/",
    b"/tmp/",
    b"/var/tmp/",
    b"/run/",
    b"/proc/",
    b"/var/log/",
];

/// Folders with a dot that tools install programs and libraries into.
const TOOL_FOLDERS: [&[u8]; 60] = [
    b".local",
    b".cargo",
    b".rustup",
    b".nvm",
    b".fnm",
    b".volta",
    b".pyenv",
    b".rbenv",
    b".rvm",
    b".asdf",
    b".mise",
    b".venv",
    b".virtualenvs",
    b".env",
    b".npm",
    b".npm-global",
    b".yarn",
    b".pnpm",
    b".bin",
    b".bun",
    b".deno",
    b".dotnet",
    b".nuget",
    b".sdkman",
    b".jenv",
    b".jdks",
    b".gradle",
    b".m2",
    b".conda",
    b".mamba",
    b".pixi",
    b".nix-profile",
    b".opam",
    b".ghcup",
    b".cabal",
    b".stack",
    b".gem",
    b".bundle",
    b".heroku",
    b".apt",
    b".linuxbrew",
    b".krew",
    b".cache",
    b".vscode-server",
    b".cursor-server",
    b".next",
    b".julia",
    b".R",
    b".prisma",
    b".meteor",
    b".goenv",
    b".nodenv",
    b".composer",
    b".pub-cache",
    b".mix",
    b".poetry",
    b".uv",
    b".output",
    b".nuxt",
    b".svelte-kit",
];

/// Folders of the system that applications are put into, with those directly below that are the system's own.
const LOCAL_FOLDERS: [&[u8]; 2] = [b"/usr/local/", b"/usr/src/"];
const LOCAL_SYSTEM: [&[u8]; 5] = [b"bin", b"sbin", b"lib", b"lib64", b"libexec"];

/// What the file lies on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Store {
    /// The root file system, or what nothing is known of.
    #[default]
    Root,
    /// A mount that the engine brings in from outside: a volume, a directory of the host.
    Outside,
    /// A file system in memory.
    Memory,
}

/// Whether the diff has the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// Its content is as old as the container or younger, or the image has another one.
    Anew,
    /// Its content is older than the container: a change of its mode or owner alone, or a copy that kept the time.
    PerhapsBefore,
}

/// Where a file comes from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Provenance {
    /// Its path, without the kernel's ` (deleted)`.
    pub(crate) path: Text,
    /// It never was in a file system.
    pub(crate) memfd: bool,
    /// It has no name any more.
    pub(crate) deleted: bool,
    /// It was deleted, and another file has its name now: how programs are updated.
    pub(crate) replaced: bool,
    /// The diff of the root file system has it.
    pub(crate) written: Option<Written>,
    /// A package that was installed since the container was made brought it.
    pub(crate) packaged: bool,
    /// What it lies on.
    pub(crate) store: Store,
    /// Its name or a folder above it begins with a dot, and no tool is known that installs there.
    pub(crate) hidden: bool,
    /// Something was put into its folder since the container was made. A change of mode or owner alone does not show there.
    pub(crate) joined: bool,
    /// It lies in a folder for temporary files, or among devices.
    pub(crate) temporary: bool,
    /// What tells so.
    pub(crate) seen: Vec<Seen>,
}

impl Provenance {
    /// Of a file that the images refer to.
    pub(crate) fn of_file(subject: &Subject<'_>, file: &FileRef) -> Self {
        let path = file.path.as_bytes();
        let path = if file.deleted { path.strip_suffix(DELETED).unwrap_or(path) } else { path };
        let reg = subject.checkpoint.files().get(fd_type::REG, file.file_id);
        let mount = reg.and_then(|entry| entry.reg.as_ref()?.mnt_id);
        let mut found = Self::of_path_on(subject, path, mount);
        found.memfd = file.memfd;
        found.deleted = file.deleted && !file.memfd;
        if found.memfd {
            found = Self { path: found.path, memfd: true, ..Self::default() };
            let what = format!("{} is a file in memory (memfd)", found.path);
            let member = subject.image(ImageKind::Files, None);
            found.seen.push(Seen::new(what).member(member));
        }
        if found.deleted {
            // What the diff has under this name is another file.
            found.replaced = found.written.take().is_some() && !found.hidden && !found.temporary;
            found.seen.retain(|seen| !is_of_diff(seen));
            let what = format!("{} has no name any more", found.path);
            let remaps = subject.image(ImageKind::RemapFpath, None);
            let member = remaps.or_else(|| subject.image(ImageKind::Files, None));
            found.seen.push(Seen::new(what).member(member));
        }
        found
    }

    /// Of a path as the container names it.
    pub(crate) fn of_path(subject: &Subject<'_>, path: &[u8]) -> Self {
        Self::of_path_on(subject, path, None)
    }

    fn of_path_on(subject: &Subject<'_>, path: &[u8], mount: Option<i32>) -> Self {
        let mut found = Self { path: Text::from(path), ..Self::default() };
        found.hidden = is_hidden(path);
        found.temporary = TEMPORARY.iter().any(|folder| path.starts_with(folder));
        if let Some(mount) = mount_of(subject, path, mount) {
            found.store = store(mount, path);
            // The engine's own init lies among devices or on a mount of its own.
            found.temporary &= mount.mountpoint.as_bytes() != path;
            if found.store == Store::Memory {
                let what = format!("{} is a file system in memory", mount.mountpoint);
                let member = subject.image(ImageKind::Mountpoints, u64::from(mount.ns));
                found.seen.push(Seen::new(what).member(member));
            }
        }
        found.look_into_the_diff(subject);
        found
    }

    fn look_into_the_diff(&mut self, subject: &Subject<'_>) {
        let Some(change) = subject.change(self.path.as_bytes()) else { return };
        if change.noise.is_some() || change.kind == ChangeKind::Deleted {
            return;
        }
        if matches!(change.source, ChangeSource::Volume(_)) {
            self.store = Store::Outside;
            return;
        }
        if !matches!(change.source, ChangeSource::RootfsDiff) {
            return;
        }
        let container = subject.checkpoint.container();
        let began = container.time(Event::Created).or_else(|| container.time(Event::Started));
        let mtime = change.state.as_ref().map(|state| state.mtime);
        let before = match (began, mtime) {
            (Some(began), Some(mtime)) => mtime.secs < began.time.as_second(),
            _ => false,
        };
        let (folder, _) = split(self.path.as_bytes());
        let folder = subject.change(folder).and_then(|change| change.state.as_ref());
        self.joined = began
            .zip(folder)
            .is_some_and(|(began, folder)| folder.mtime.secs >= began.time.as_second());
        let joined = self.joined && is_program_path(self.path.as_bytes());
        let anew = change.kind == ChangeKind::Added || !before || joined;
        self.packaged = subject.packages.own(self.path.as_bytes());
        self.written = Some(if anew { Written::Anew } else { Written::PerhapsBefore });
        let what = match (change.kind, before) {
            (ChangeKind::Added, _) => format!("{} is not in the image", self.path),
            (ChangeKind::Modified, _) => format!("{} is another file in the image", self.path),
            (_, true) if self.joined => format!(
                "{} is in the diff of the root file system, with a time before the container was made, and its folder was changed since",
                self.path
            ),
            (_, false) => format!("{} was written since the container was made", self.path),
            (_, true) => format!(
                "{} is in the diff of the root file system, with a time before the container was made",
                self.path
            ),
        };
        self.seen.push(Seen::new(what).member(subject.member_of(change)));
    }

    /// Whether the deleted file gave way to that of a package: anybody can put a file where another one was.
    pub(crate) fn updated(&self) -> bool {
        self.replaced && self.packaged
    }

    /// Of a program that is not what the container was started with: nobody changed but its mode or owner then, if
    /// something was put into its folder.
    pub(crate) fn of_stranger(mut self) -> Self {
        if self.joined && self.written.is_some() {
            self.written = Some(Written::Anew);
        }
        self
    }

    /// Whether it is certainly not a program or library that the image brings and administrators know of.
    pub(crate) fn is_foreign(&self) -> bool {
        self.memfd
            || (self.deleted && !self.updated())
            || (self.written == Some(Written::Anew) && !self.packaged)
            || (self.written.is_some() && self.is_odd_place())
            || self.store == Store::Memory
            || self.hidden
    }

    /// Whether programs and libraries are hardly ever kept where it lies.
    pub(crate) fn is_odd_place(&self) -> bool {
        self.hidden || self.temporary
    }

    /// What is to be said of its place, in a few words; `None` when nothing is.
    pub(crate) fn oddity(&self) -> Option<&'static str> {
        Some(match () {
            () if self.memfd => "in memory only",
            () if self.deleted && self.hidden => "deleted, from a hidden place",
            () if self.deleted && self.temporary => "deleted, from a temporary folder",
            () if self.deleted => "deleted",
            () if self.written.is_some() && self.hidden => "not of the image, in a hidden place",
            () if self.written.is_some() && self.temporary => {
                "not of the image, in a temporary folder"
            }
            () if self.packaged => "of a package that was installed since",
            () if self.written.is_some() => "not of the image",
            () if self.store == Store::Memory => "on a file system in memory",
            () if self.hidden => "in a hidden place",
            () if self.temporary => "in a temporary folder",
            () if self.store == Store::Outside => "on a mount from outside",
            () => return None,
        })
    }
}

fn is_of_diff(seen: &Seen) -> bool {
    seen.member.as_deref().is_some_and(|member| member.ends_with("rootfs-diff.tar"))
}

/// Whether a component of a path begins with a dot or is made of blanks, and is no folder that tools are known to make.
pub(crate) fn is_hidden(path: &[u8]) -> bool {
    // Names of packages stand in the store's own folder; wrapped programs in it begin with a dot.
    if path.starts_with(b"/nix/store/") {
        return false;
    }
    let scratch = TEMPORARY.iter().any(|folder| path.starts_with(folder));
    let local = LOCAL_FOLDERS.iter().find_map(|folder| path.strip_prefix(*folder));
    let (_, name) = split(path);
    let mut above: Option<&[u8]> = None;
    path.split(|byte| *byte == b'/').enumerate().any(|(depth, part)| {
        // Tools install below somebody's home or where an application lies, not among the system's files.
        let system = match local {
            // "", "usr", "local", and then what is of the system itself.
            Some(_) => depth == 4 && above.is_some_and(|above| LOCAL_SYSTEM.contains(&above)),
            None => in_system(path),
        };
        let dotted = part.starts_with(b".") && part != b"." && part != b"..";
        let blank = !part.is_empty() && part.iter().all(u8::is_ascii_whitespace);
        let bundled = matches!(part, b".libs" | b".dylibs")
            // Package managers of node keep their own folders and files there.
            || (above == Some(b"node_modules") && !scratch)
            || (part == name && part.starts_with(b".pnp.") && !system);
        let tools = bundled || (!system && TOOL_FOLDERS.contains(&part));
        above = Some(part);
        (dotted && !tools) || blank
    })
}

/// Whether it lies in a folder of the system, or for temporary files.
pub(crate) fn in_system(path: &[u8]) -> bool {
    let local = LOCAL_FOLDERS.iter().any(|folder| path.starts_with(folder));
    !local && SYSTEM_FOLDERS.iter().any(|folder| path.starts_with(folder))
}

/// The mount of that number; where there is none the longest mount point above a path.
fn mount_of<'s>(subject: &'s Subject<'_>, path: &[u8], id: Option<i32>) -> Option<&'s Mount> {
    let mounts = subject.checkpoint.mounts();
    let id = id.and_then(|id| u32::try_from(id).ok());
    if let Some(mount) = id.and_then(|id| mounts.iter().find(|mount| mount.id == id)) {
        return Some(mount);
    }
    let above = mounts.iter().filter(|mount| {
        let point = mount.mountpoint.as_bytes();
        let rest = path.strip_prefix(point.strip_suffix(b"/").unwrap_or(point));
        rest.is_some_and(|rest| rest.starts_with(b"/"))
    });
    above.max_by_key(|mount| mount.mountpoint.as_bytes().len())
}

fn store(mount: &Mount, path: &[u8]) -> Store {
    let kind = mount.fstype.as_ref().map(Text::as_bytes);
    match kind {
        // A single file is what the engine mounts: its init, a program that it brings.
        _ if mount.is_root() || mount.mountpoint.as_bytes() == path => Store::Root,
        Some(b"tmpfs" | b"ramfs" | b"devtmpfs") => Store::Memory,
        _ if mount.external.is_some() => Store::Outside,
        _ => Store::Root,
    }
}

#[cfg(test)]
mod tests {
    use super::is_hidden;

    #[test]
    fn hidden_places() {
        for path in [
            "/tmp/.x/a",
            "/usr/bin/.a",
            "/srv/.../b",
            "/srv/ /b",
            "/root/.config/x",
            "/usr/lib/.cache/x",
            "/usr/local/bin/.local/x",
            "/usr/local/lib/.cache/x",
            "/usr/local/.x/y",
            "/tmp/node_modules/.x/y",
            "/app/node_modules/a/.x/y",
            "/usr/bin/.pnp.cjs",
            "/srv/shop/.stage/implant",
        ] {
            assert!(is_hidden(path.as_bytes()), "{path}");
        }
        for path in [
            "/usr/bin/a.b",
            "/app/.venv/bin/python",
            "/root/.cargo/bin/x",
            "./a",
            "../a",
            "/app/node_modules/.prisma/client/libquery_engine.so.node",
            "/usr/src/app/node_modules/.pnpm/a@1/node_modules/a/b.node",
            "/usr/src/app/.venv/lib/a.so",
            "/usr/local/share/.venv/bin/python",
            "/opt/.meteor/packages/node",
            "/app/.pnp.cjs",
        ] {
            assert!(!is_hidden(path.as_bytes()), "{path}");
        }
        assert!(!is_hidden(b"/nix/store/abc-foo-1.0/bin/.foo-wrapped"));
    }
}
