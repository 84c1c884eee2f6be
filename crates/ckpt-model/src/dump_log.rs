//! `dump.log`: what CRIU said while it dumped.
//!
//! CRI-O and containerd keep it in the archive, runc beside the images; podman and docker archives have none. It is text
//! for people, so only lines whose form has been stable since CRIU 3 are read, and nothing that an image tells is taken
//! from here.

use std::collections::HashMap;

use crate::Text;

/// What was read out of a `dump.log`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DumpLog {
    /// Path of the member.
    pub path: Text,
    /// `4.2.1` of `Version: 4.2.1 (gitid 0)`.
    pub criu_version: Option<String>,
    /// What follows `Running on`: host name, kernel release and build, architecture.
    pub running_on: Option<Text>,
    /// Processes in the container's cgroup that are no descendants of the dumped root, so that nothing else is known of
    /// them (`Unexpected process N in the freezer cgroup`, `criu/seize.c`).
    pub not_captured: Vec<NotCaptured>,
    /// Lines that begin with `Error`, without their time stamp.
    pub errors: Vec<Text>,
    /// Lines that begin with `Warn`, without their time stamp.
    pub warnings: Vec<Text>,
    /// Whether the log says that the dump failed.
    pub failed: bool,
    /// Whether the log says that the dump, or the pre-dump, succeeded.
    pub succeeded: bool,
}

/// A process that the dump met and left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotCaptured {
    /// Its pid on the host; the pid in the container is not told.
    pub host_pid: u32,
    /// Its name, from the line in which CRIU stopped it.
    pub comm: Option<Text>,
    /// The line that tells it.
    pub line: Text,
}

/// Most lines of each kind that are kept.
const MAX_LINES: usize = 1000;

impl DumpLog {
    /// Reads a log.
    #[must_use]
    pub fn parse(path: Text, log: &[u8]) -> Self {
        let mut parsed = Self { path, ..Self::default() };
        let mut seized: HashMap<u32, Text> = HashMap::new();
        for line in log.split(|byte| *byte == b'\n') {
            parsed.line(without_stamp(line), &mut seized);
        }
        for process in &mut parsed.not_captured {
            process.comm = seized.get(&process.host_pid).cloned();
        }
        parsed
    }

    fn line(&mut self, line: &[u8], seized: &mut HashMap<u32, Text>) {
        if let Some(rest) = line.strip_prefix(b"SEIZE ") {
            if let Some((pid, rest)) = number(rest)
                && let Some(comm) =
                    rest.strip_prefix(b" (comm ").and_then(|rest| before_last(rest, b"): "))
                && seized.len() < MAX_SEIZED
            {
                seized.insert(pid, Text::from(comm));
            }
        } else if let Some(rest) = line.strip_prefix(b"Version: ") {
            let version: Vec<u8> = rest.iter().copied().take_while(u8::is_ascii_graphic).collect();
            self.criu_version.get_or_insert_with(|| Text(version).escaped().into_owned());
        } else if let Some(rest) = line.strip_prefix(b"Running on ") {
            self.running_on.get_or_insert_with(|| Text::from(rest));
        } else if line.starts_with(b"Error") {
            self.failed |= find(line, b"Dumping FAILED").is_some();
            if self.errors.len() < MAX_LINES {
                self.errors.push(Text::from(line));
            }
        } else if line.starts_with(b"Dumping finished successfully")
            || line.starts_with(b"Pre-dumping finished successfully")
        {
            self.succeeded = true;
        } else if line.starts_with(b"Warn") {
            self.unexpected(line);
            if self.warnings.len() < MAX_LINES {
                self.warnings.push(Text::from(line));
            }
        }
    }

    /// A process that CRIU met in the container's cgroup and not in the tree.
    fn unexpected(&mut self, line: &[u8]) {
        if let Some(at) = find(line, b"Unexpected process ")
            && let Some(rest) = line.get(at.saturating_add(b"Unexpected process ".len())..)
            && let Some((host_pid, rest)) = number(rest)
            && rest.starts_with(b" in the freezer cgroup")
            && self.not_captured.len() < MAX_LINES
            // CRIU looks more than once.
            && self.not_captured.iter().all(|known| known.host_pid != host_pid)
        {
            let line = Text::from(line);
            self.not_captured.push(NotCaptured { host_pid, comm: None, line });
        }
    }
}

/// Most names of stopped processes that are remembered.
const MAX_SEIZED: usize = 1 << 20;

/// A line without its `(00.048359) `.
fn without_stamp(line: &[u8]) -> &[u8] {
    let stamped = line.strip_prefix(b"(").and_then(|rest| {
        let end = rest.iter().position(|byte| *byte == b')')?;
        let (stamp, rest) = rest.split_at_checked(end)?;
        let digits = stamp.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
        if digits { rest.strip_prefix(b") ") } else { None }
    });
    stamped.unwrap_or(line)
}

fn number(text: &[u8]) -> Option<(u32, &[u8])> {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    Some((std::str::from_utf8(digits).ok()?.parse().ok()?, rest))
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

/// What stands before the last `end`: a process may have any name, brackets included.
fn before_last<'a>(text: &'a [u8], end: &[u8]) -> Option<&'a [u8]> {
    let at = text.windows(end.len()).rposition(|window| window == end)?;
    text.get(..at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &[u8] = b"(00.000060) Version: 4.2.1 (gitid 0)\n\
        (00.000064) Running on vm Linux 6.18.44 #1 SMP @0 x86_64\n\
        (00.047834) SEIZE 6319 (comm sh): success\n\
        (00.047887) SEIZE 6334 (comm a) b): c): success\n\
        (00.048359) Warn  (criu/seize.c:404): Unexpected process 6334 in the freezer cgroup (status 0x80057f)\n\
        (00.048360) Warn  (criu/seize.c:404): Unexpected process 6334 in the freezer cgroup (status 0x80057f)\n\
        (00.363538) Error (criu/cr-dump.c:1975): Dumping FAILED.\n";

    #[test]
    fn processes_that_the_dump_missed_are_named() {
        let log = DumpLog::parse(Text::from("dump.log"), LOG);
        assert_eq!(log.criu_version.as_deref(), Some("4.2.1"));
        assert_eq!(log.not_captured.len(), 1);
        assert_eq!(log.not_captured[0].host_pid, 6334);
        assert_eq!(log.not_captured[0].comm, Some(Text::from("a) b): c")));
        assert!(log.failed);
        assert_eq!(log.errors.len(), 1);
    }
}
