//! The program, a folder to run it in, and the archives to run it on.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a run of the program gave.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Everything, for a snapshot.
    pub(crate) fn transcript(&self) -> String {
        let mut all = self.stdout.clone();
        if !self.stderr.is_empty() {
            all.push_str("--- stderr\n");
            all.push_str(&self.stderr);
        }
        all.push_str(&format!("--- exit {}\n", self.status));
        all
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| {
            panic!("{error} in {:?} (stderr {:?})", self.stdout, self.stderr)
        })
    }
}

/// Runs the program in `folder`.
pub(crate) fn run_in(folder: &Path, args: &[&str]) -> Ran {
    run_with(folder, args, Stdio::null())
}

/// Runs the program in `folder` with something on standard input.
pub(crate) fn run_with(folder: &Path, args: &[&str], stdin: Stdio) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_ckpt-inspect"))
        .args(args)
        .current_dir(folder)
        .env_remove("CKPT_SPOOL_DIR")
        .env("NO_COLOR", "1")
        .stdin(stdin)
        .output()
        .expect("the program runs");
    Ran {
        status: output.status.code().expect("the program ends by itself"),
        stdout: String::from_utf8(output.stdout).expect("output is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("messages are UTF-8"),
    }
}

/// The bundled real checkpoints.
pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/real")
}

/// The folder of real archives that `CKPT_ARCHIVES` names; without it the test says that it was skipped.
pub(crate) fn archives(test: &str) -> Option<PathBuf> {
    match std::env::var_os("CKPT_ARCHIVES") {
        Some(folder) => {
            let folder = PathBuf::from(folder);
            let folder = if folder.is_absolute() {
                folder
            } else {
                Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)
            };
            assert!(
                folder.is_dir(),
                "CKPT_ARCHIVES names {}, which is no folder",
                folder.display()
            );
            Some(folder)
        }
        None => {
            eprintln!("{test}: skipped, CKPT_ARCHIVES is not set");
            None
        }
    }
}

/// Every checkpoint below a folder of cases, relative to it, sorted.
pub(crate) fn checkpoints(archives: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for case in std::fs::read_dir(archives).expect("cases") {
        let case = case.expect("a case").path();
        if !case.is_dir() {
            continue;
        }
        for entry in std::fs::read_dir(&case).expect("a case folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let is_archive = name.contains(".tar") && path.is_file();
            let is_image = path.is_dir() && name.starts_with("image-");
            if is_archive || is_image {
                let case = case.file_name().expect("a name").to_string_lossy();
                found.push(format!("{case}/{name}"));
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no checkpoint below {}", archives.display());
    found
}
