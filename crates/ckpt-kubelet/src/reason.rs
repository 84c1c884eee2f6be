//! What a container runtime meant when a checkpoint failed.
//!
//! The kubelet answers 500 with one line, `checkpointing of NS/POD/CONTAINER failed (…)`; in the brackets is the gRPC error of
//! the runtime, and in that, at times, what runc or CRIU said. The phrases below are those of the sources named with them.

use std::fmt;

/// Most of a runtime's text that is kept, in bytes.
const MOST_TEXT: usize = 8192;

/// Why a runtime did not make a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The runtime knows no checkpoints.
    Unimplemented,
    /// The runtime knows them, but they are switched off, or it found no CRIU when it started.
    Disabled,
    /// There is no CRIU on the node.
    NoCriu,
    /// CRIU on the node is too old.
    OldCriu,
    /// The container is not running, or the runtime does not know it any more.
    NotRunning,
    /// Somebody else holds the container paused at this moment.
    Paused,
    /// The runtime's directory of the checkpoint went away under it: two at once.
    Raced,
    /// The kubelet does not reach its runtime.
    RuntimeDown,
    /// It took longer than the runtime may.
    Deadline,
    /// A timeout below zero.
    NegativeTimeout,
    /// The node's disk is full.
    DiskFull,
    /// A deleted file that is still open is larger than CRIU takes along.
    GhostFile,
    /// An established TCP connection.
    Tcp,
    /// A file lock.
    FileLock,
    /// An inotify or fanotify watch, or another handle, whose file is not found.
    FileHandle,
    /// A unix socket whose other end is outside of the container.
    UnixSocket,
    /// CRIU failed and did not say why; its log on the node does.
    Criu,
    /// Something that is not known here.
    Other,
}

/// Phrases, in lower case, the telling ones first.
const PHRASES: &[(&str, Reason)] = &[
    // CRIU: criu/files-reg.c, criu/sk-inet.c, criu/file-lock.c, criu/fsnotify.c, criu/sk-unix.c.
    ("can't dump ghost file", Reason::GhostFile),
    ("ghost-limit", Reason::GhostFile),
    ("connected tcp socket", Reason::Tcp),
    ("tcp-established", Reason::Tcp),
    ("file locks are hold", Reason::FileLock),
    ("--file-locks", Reason::FileLock),
    ("can't find suitable path for handle", Reason::FileHandle),
    ("inotify", Reason::FileHandle),
    ("fanotify", Reason::FileHandle),
    ("external socket is used", Reason::UnixSocket),
    ("half of stream unix connection", Reason::UnixSocket),
    // containerd: core/runtime, internal/cri/server/container_checkpoint_linux.go.
    ("ctrd-checkpoint/status: no such file", Reason::Raced),
    ("cannot pause a paused container", Reason::Paused),
    ("only container_running containers can be checkpointed", Reason::NotRunning),
    // CRI-O: server/container_checkpoint.go, internal/lib/checkpoint.go; go-criu.
    ("checkpoint/restore support not available", Reason::Disabled),
    ("checkpoint/restore requires at least criu", Reason::OldCriu),
    ("criu binary not found", Reason::NoCriu),
    ("\"criu\": executable file not found", Reason::NoCriu),
    ("is not running", Reason::NotRunning),
    // kubelet: pkg/kubelet/kubelet.go; cri-client/pkg/remote_runtime.go.
    ("requires the timeout value to be > 0", Reason::NegativeTimeout),
    ("unknown method checkpointcontainer", Reason::Unimplemented),
    ("code = unimplemented", Reason::Unimplemented),
    ("no space left on device", Reason::DiskFull),
    ("code = deadlineexceeded", Reason::Deadline),
    ("context deadline exceeded", Reason::Deadline),
    ("code = unavailable", Reason::RuntimeDown),
    ("criu failed", Reason::Criu),
    ("dump.log", Reason::Criu),
];

/// A runtime's refusal, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RuntimeError {
    /// What it means.
    pub reason: Reason,
    /// The gRPC code, such as `Unavailable`, where there is one.
    pub code: Option<String>,
    /// The runtime's own words, without what the kubelet and gRPC put around them.
    pub text: String,
    /// CRIU's log on the node, where the text names it.
    pub log: Option<String>,
}

impl RuntimeError {
    /// Decodes the body of a 500.
    #[must_use]
    pub fn decode(body: &str) -> Self {
        let body = cut(body, MOST_TEXT);
        let inner = match body.split_once(" failed (") {
            Some((before, rest)) if before.starts_with("checkpointing of ") => {
                rest.strip_suffix(')').unwrap_or(rest)
            }
            _ => body,
        };
        let mut text = inner;
        let mut code = None;
        // Errors that passed through two services are wrapped twice; the inner code is the telling one.
        while let Some((word, rest)) =
            text.strip_prefix("rpc error: code = ").and_then(|rest| rest.split_once(" desc = "))
        {
            code = Some(word.to_owned());
            text = rest;
        }
        let lower = body.to_lowercase();
        let reason = PHRASES
            .iter()
            .find(|(phrase, _)| lower.contains(phrase))
            .map_or(Reason::Other, |(_, reason)| *reason);
        let gone = reason == Reason::Other
            && lower.contains("(container ")
            && lower.contains(" not found)");
        Self {
            reason: if gone { Reason::NotRunning } else { reason },
            code,
            text: text.trim().to_owned(),
            log: log(body),
        }
    }
}

/// The path of a `dump.log` in a text: `path=/run/containerd/…/criu-dump.log`, `log file: /var/…/dump.log`.
fn log(text: &str) -> Option<String> {
    let end = text.find("dump.log")?.checked_add("dump.log".len())?;
    let before = text.get(..end)?;
    let stop = |c: char| c.is_whitespace() || "=\"'`:(".contains(c);
    let path = before.rsplit(stop).next()?;
    path.starts_with('/').then(|| path.to_owned())
}

fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.get(..end).unwrap_or_default()
}

impl Reason {
    /// Whether it goes away by itself, and nothing was frozen: the same request may be sent again.
    #[must_use]
    pub fn is_transient(self) -> bool {
        matches!(self, Self::Paused | Self::Raced)
    }

    /// Whether the runtime had begun, so that part of an archive may lie on the node.
    #[must_use]
    pub fn had_begun(self) -> bool {
        !matches!(
            self,
            Self::Unimplemented
                | Self::Disabled
                | Self::NoCriu
                | Self::OldCriu
                | Self::NotRunning
                | Self::RuntimeDown
                | Self::NegativeTimeout
        )
    }

    /// A stable word for programs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Unimplemented => "runtime-unimplemented",
            Self::Disabled => "criu-disabled",
            Self::NoCriu => "criu-missing",
            Self::OldCriu => "criu-too-old",
            Self::NotRunning => "container-not-running",
            Self::Paused => "container-paused",
            Self::Raced => "checkpoint-raced",
            Self::RuntimeDown => "runtime-down",
            Self::Deadline => "runtime-deadline",
            Self::NegativeTimeout => "timeout-negative",
            Self::DiskFull => "disk-full",
            Self::GhostFile => "ghost-file-too-large",
            Self::Tcp => "tcp-established",
            Self::FileLock => "file-locks",
            Self::FileHandle => "file-handle",
            Self::UnixSocket => "unix-socket",
            Self::Criu => "criu-failed",
            Self::Other => "runtime-error",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Unimplemented => {
                "update the runtime: CRI-O makes checkpoints since 1.25, containerd since 2.0; cri-dockerd does not"
            }
            Self::Disabled => {
                "on the node: install criu, and for CRI-O set enable_criu_support = true under [crio.runtime] (since 1.37 \
                 container_level_enabled under [crio.checkpoint_restore]); then restart the runtime"
            }
            Self::NoCriu => {
                "install criu on the node, where the runtime finds it, and restart the runtime"
            }
            Self::OldCriu => "install a newer criu on the node",
            Self::NotRunning => {
                "only a running container can be checkpointed: look at its state with kubectl get pod -o wide, and name a \
                 container that runs"
            }
            Self::Paused => {
                "somebody else holds it paused, likely another checkpoint: wait for that one, and ask again"
            }
            Self::Raced => {
                "another checkpoint of it was under way: wait for that one, and ask again"
            }
            Self::RuntimeDown => {
                "the kubelet does not reach its runtime: look at the runtime's service on the node (journalctl -u crio, \
                 journalctl -u containerd)"
            }
            Self::Deadline => {
                "give it more time with --timeout SECONDS, above the kubelet's own runtimeRequestTimeout (2 minutes unless it \
                 is configured); large memory and slow disks need it"
            }
            Self::NegativeTimeout => "--timeout is a number of seconds above zero",
            Self::DiskFull => {
                "make room on the node: the kubelet never deletes checkpoints, see /var/lib/kubelet/checkpoints"
            }
            Self::GhostFile => {
                "a deleted file that the container holds open is larger than CRIU takes along (1 MiB unless configured): set \
                 ghost-limit in /etc/criu/runc.conf or /etc/criu/crun.conf on the node, for example ghost-limit 512M"
            }
            Self::Tcp => {
                "the container has established TCP connections: put tcp-established into /etc/criu/runc.conf or \
                 /etc/criu/crun.conf on the node"
            }
            Self::FileLock => {
                "the container holds file locks: put file-locks into /etc/criu/runc.conf or /etc/criu/crun.conf on the node"
            }
            Self::FileHandle => {
                "CRIU does not find the file that an inotify or fanotify watch is for, which is common on overlay file \
                 systems: put force-irmap into /etc/criu/runc.conf or /etc/criu/crun.conf on the node, with irmap-scan-path \
                 for where the file is"
            }
            Self::UnixSocket => {
                "a unix socket of the container is connected to something outside: put ext-unix-sk into \
                 /etc/criu/runc.conf or /etc/criu/crun.conf on the node"
            }
            Self::Criu => {
                "read CRIU's log on the node; the lines with Error tell what it could not dump (often: deleted files over \
                 ghost-limit, established TCP connections, file locks, inotify watches; see /etc/criu/runc.conf)"
            }
            Self::Other => {
                "look at the log of the runtime on the node (journalctl -u crio, journalctl -u containerd)"
            }
        }
    }
}

impl fmt::Display for RuntimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.reason {
            Reason::Unimplemented => "the runtime knows no checkpoints",
            Reason::Disabled => "the runtime's checkpoint support is off",
            Reason::NoCriu => "there is no CRIU on the node",
            Reason::OldCriu => "CRIU on the node is too old",
            Reason::NotRunning => "the container is not running",
            Reason::Paused => "the container is paused by somebody else",
            Reason::Raced => "another checkpoint got in between",
            Reason::RuntimeDown => "the kubelet does not reach its runtime",
            Reason::Deadline => "the runtime did not finish in time",
            Reason::NegativeTimeout => "a timeout must be above zero",
            Reason::DiskFull => "the node's disk is full",
            Reason::GhostFile => "a deleted file is over CRIU's ghost limit",
            Reason::Tcp => "the container has established TCP connections",
            Reason::FileLock => "the container holds file locks",
            Reason::FileHandle => "CRIU does not find the file of a watch",
            Reason::UnixSocket => "a unix socket leads out of the container",
            Reason::Criu => "CRIU failed",
            Reason::Other => "the runtime failed",
        };
        write!(f, "{what}: {}", self.text)?;
        if let Some(log) = self.log.as_ref().filter(|_| self.reason == Reason::Criu) {
            write!(f, "\n  CRIU's log on the node: {log}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(inner: &str) -> RuntimeError {
        RuntimeError::decode(&format!("checkpointing of default/web/app failed ({inner})"))
    }

    #[test]
    fn the_runtimes_words_without_what_is_around_them() {
        let error =
            decode("rpc error: code = Unknown desc = checkpoint/restore support not available");
        assert_eq!(error.reason, Reason::Disabled);
        assert_eq!(error.code.as_deref(), Some("Unknown"));
        assert_eq!(error.text, "checkpoint/restore support not available");
        let twice =
            decode("rpc error: code = Unknown desc = rpc error: code = Unavailable desc = x (y)");
        assert_eq!((twice.code.as_deref(), twice.text.as_str()), (Some("Unavailable"), "x (y)"));
    }

    #[test]
    fn a_log_is_found_where_it_is_named() {
        for (text, log) in [
            (
                "criu failed: type NOTIFY errno 0 path= /run/containerd/io/c/criu-dump.log",
                Some("/run/containerd/io/c/criu-dump.log"),
            ),
            (
                "criu failed: errno 0\nlog file: /var/lib/c/dump.log: unknown",
                Some("/var/lib/c/dump.log"),
            ),
            ("path=/run/x/dump.log", Some("/run/x/dump.log")),
            ("see dump.log", None),
            ("", None),
        ] {
            assert_eq!(decode(text).log.as_deref(), log, "{text}");
        }
    }

    #[test]
    fn text_without_end_is_cut_between_characters() {
        let error = RuntimeError::decode(&"é".repeat(MOST_TEXT));
        assert!(error.text.len() <= MOST_TEXT);
    }

    #[test]
    fn every_phrase_is_lower_case_and_leads_to_its_reason() {
        for (phrase, reason) in PHRASES {
            assert_eq!(*phrase, phrase.to_lowercase());
            assert_eq!(decode(phrase).reason, *reason, "{phrase}");
        }
    }
}
