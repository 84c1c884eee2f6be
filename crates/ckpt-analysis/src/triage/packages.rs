//! What a package manager installed in the same diff: such files are honest, as far as the package is.

use std::collections::HashSet;

use super::places::{below, split};
use super::written::{MOST_READ, Written};

/// Most bytes of package databases that are read.
const MOST_LISTED: u64 = 32 << 20;

/// Largest database that is read as one file: Alpine's lists every file of every package.
const LARGEST: u64 = 16 << 20;

/// The package run of a diff, if there was one.
#[derive(Debug, Default)]
pub(super) struct Packages {
    /// Files that packages own, `/usr` cut off: distributions merge `/bin` and `/usr/bin` and name either.
    files: HashSet<Vec<u8>>,
    /// The database that was written.
    database: Option<Vec<u8>>,
}

/// Databases by path, for people: the program that writes them.
const DATABASES: [(&[u8], &str); 8] = [
    (b"/var/lib/dpkg/status", "dpkg"),
    (b"/lib/apk/db/installed", "apk"),
    (b"/usr/lib/apk/db/installed", "apk"),
    (b"/var/lib/rpm/rpmdb.sqlite", "rpm"),
    (b"/usr/lib/sysimage/rpm/rpmdb.sqlite", "rpm"),
    (b"/var/lib/rpm/Packages", "rpm"),
    (b"/var/lib/rpm/Packages.db", "rpm"),
    (b"/var/lib/pacman/local/ALPM_DB_VERSION", "pacman"),
];

impl Packages {
    /// Reads the databases that the container wrote.
    pub(super) fn of<'a>(written: impl Iterator<Item = Written<'a>>) -> Self {
        let mut found = Self::default();
        let mut left = MOST_LISTED;
        for file in written.filter(Written::is_file) {
            let path = file.path.as_bytes();
            if DATABASES.iter().any(|(database, _)| path == *database) && file.size > 0 {
                found.database.get_or_insert_with(|| path.to_vec());
            }
            let most = if path.ends_with(b"/apk/db/installed") {
                LARGEST
            } else if below(path, b"/var/lib/dpkg/info").is_some() && path.ends_with(b".list") {
                MOST_READ
            } else {
                continue;
            };
            let list = file.start(most.min(left));
            left = left.saturating_sub(list.len() as u64);
            if path.ends_with(b".list") {
                found.dpkg(&list);
            } else {
                found.apk(&list);
            }
        }
        found
    }

    /// A path a line. Source: deb(5), `dpkg/lib/dpkg/db-fsys-files.c`.
    fn dpkg(&mut self, list: &[u8]) {
        let paths = list.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"/"));
        self.files.extend(paths.map(|path| merged(path).to_vec()));
    }

    /// `F:` names a directory, each `R:` after it a file in it. Source: `apk-tools/doc/apk-v2.5.scd`.
    fn apk(&mut self, list: &[u8]) {
        let mut folder: &[u8] = b"";
        for line in list.split(|byte| *byte == b'\n') {
            if let Some(path) = line.strip_prefix(b"F:") {
                folder = path;
            } else if let Some(name) = line.strip_prefix(b"R:") {
                let path = if folder.is_empty() {
                    [b"/", name].concat()
                } else {
                    [b"/", folder, b"/", name].concat()
                };
                self.files.insert(merged(&path).to_vec());
            }
        }
    }

    /// Who ran, when packages were installed, updated or removed in the diff.
    pub(super) fn ran(&self) -> Option<&'static str> {
        let database = self.database.as_deref()?;
        DATABASES.iter().find(|(path, _)| *path == database).map(|(_, name)| *name)
    }

    /// Whether a package of the run owns a file. Where the database cannot be read (rpm), the run owns what lies in the
    /// directories of packages.
    pub(super) fn own(&self, path: &[u8]) -> bool {
        match self.ran() {
            None => false,
            Some("dpkg" | "apk") => self.files.contains(merged(path)),
            Some(_) => {
                let (folder, _) = split(path);
                below(path, b"/usr").is_some_and(|rest| below(rest, b"local").is_none())
                    || folder.starts_with(b"/etc")
                    || matches!(folder, b"/bin" | b"/sbin" | b"/lib" | b"/lib64")
            }
        }
    }
}

/// A path without `/usr`.
fn merged(path: &[u8]) -> &[u8] {
    match path.strip_prefix(b"/usr") {
        Some(rest) if rest.starts_with(b"/") => rest,
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_dpkg_and_apk() {
        let mut packages =
            Packages { database: Some(b"/var/lib/dpkg/status".to_vec()), ..Packages::default() };
        packages.dpkg(b"/.\n/usr\n/usr/bin/nc\n/etc/cron.d/x\n");
        assert_eq!(packages.ran(), Some("dpkg"));
        assert!(packages.own(b"/bin/nc") && packages.own(b"/etc/cron.d/x"));
        assert!(!packages.own(b"/usr/bin/other"));
        let mut packages =
            Packages { database: Some(b"/lib/apk/db/installed".to_vec()), ..Packages::default() };
        packages.apk(b"P:sudo\nF:usr/bin\nR:sudo\na:0:0:4755\nF:\nR:init\n");
        assert!(packages.own(b"/usr/bin/sudo") && packages.own(b"/init"));
        assert!(!packages.own(b"/usr/bin/su"));
        assert!(!Packages::default().own(b"/usr/bin/sudo"));
    }
}
