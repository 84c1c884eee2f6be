//! The program, a folder to run it in, and an eye on what it must never say.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::certificates::{self, Pair};
use crate::kubelet::{Kubelet, TOKEN, WEAK_TOKEN};

/// What a run of the program gave.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Everything.
    pub(crate) fn transcript(&self) -> String {
        format!("{}--- stderr\n{}--- exit {}\n", self.stdout, self.stderr, self.status)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error} in {}", self.transcript()))
    }

    pub(crate) fn has(&self, text: &str) -> &Self {
        assert!(self.transcript().contains(text), "{text:?} is not in\n{}", self.transcript());
        self
    }

    pub(crate) fn lacks(&self, text: &str) -> &Self {
        assert!(!self.transcript().contains(text), "{text:?} is in\n{}", self.transcript());
        self
    }

    pub(crate) fn ends(&self, status: i32) -> &Self {
        assert_eq!(self.status, status, "{}", self.transcript());
        self
    }
}

/// A folder with tokens, keys and certificates in files.
#[derive(Debug)]
pub(crate) struct World {
    folder: TempDir,
    secrets: Vec<String>,
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut world = Self { folder, secrets: Vec::new() };
        world.write("token", &format!("{TOKEN}\n"));
        world.write("weak-token", WEAK_TOKEN);
        world.write("bad-token", "eyJhbGciOi.unknown-secret.c2lnbmF0dXJl");
        world.write("ca.crt", &certificates::ca());
        world.keep("client", &certificates::client());
        world.keep("foreign", &certificates::foreign_client());
        let tokens = [TOKEN, WEAK_TOKEN, "strong-secret", "weak-secret", "unknown-secret"];
        world.secrets.extend(tokens.map(str::to_owned));
        world
    }

    fn keep(&mut self, name: &str, pair: &Pair) {
        self.write(&format!("{name}.crt"), &pair.certificate);
        self.write(&format!("{name}.key"), &pair.key);
        // Every line of the key but those that say that it is one.
        let lines = pair.key.lines().filter(|line| !line.starts_with("---"));
        self.secrets.extend(lines.map(str::to_owned));
    }

    /// Something else that must never be shown.
    pub(crate) fn secret(&mut self, text: &str) {
        self.secrets.push(text.to_owned());
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// Names in the folder, or in one below, sorted.
    pub(crate) fn names(&self, below: &str) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.path(below))
            .expect("the folder")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// The program with `trigger` and these arguments, ready to run.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ckpt-inspect"));
        command
            .arg("trigger")
            .args(args)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("TMPDIR", self.folder.path())
            .env("RUST_BACKTRACE", "full")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs it.
    pub(crate) async fn run(&self, args: &[&str]) -> Ran {
        let child = self.command(args).spawn().expect("the program starts");
        self.finish(child).await
    }

    /// Waits for its end, and looks for secrets in everything that it said.
    pub(crate) async fn finish(&self, child: Child) -> Ran {
        let output = child.wait_with_output().await.expect("the program ends");
        let ran = Ran {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("output is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("messages are UTF-8"),
        };
        for secret in &self.secrets {
            assert!(!ran.transcript().contains(secret), "a secret is shown:\n{}", ran.transcript());
        }
        ran
    }

    /// Runs it against a kubelet, with the token that may.
    pub(crate) async fn ask(&self, kubelet: &Kubelet, more: &[&str]) -> Ran {
        let node = kubelet.address.to_string();
        let mut args = vec!["-n", "shop", "--node", &node];
        args.extend(more);
        self.run(&args).await
    }
}

/// A real archive of a CRI-O container as a plain tar.
pub(crate) fn archive() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/real/looper-criu-4.2.tar.zst");
    std::fs::read(path).expect("the fixture")
}
