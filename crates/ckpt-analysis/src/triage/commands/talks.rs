//! What says less by itself than together with a connection: a program on the command line of an interpreter or on its
//! standard input, or a client that makes tunnels.

use ckpt_model::{Strings, Task, fd_type};

use super::is_asked_for;
use super::judge::Verdict;
use crate::triage::finding::{Confidence, Severity};
use crate::triage::programs::{is_interpreter, program, stem};
use crate::triage::subject::{Subject, base_name};
use crate::triage::talk;

/// Words of one command line that are looked at.
const MOST_WORDS: usize = 64;

/// What a task that has a conversation does with it, by its command line.
pub(super) fn talks(subject: &Subject<'_>, task: &Task, argv: &Strings) -> Option<Verdict> {
    let held = subject.sockets_of(task.pid);
    if !held.iter().any(|(_, socket)| talk::is_conversation(socket)) {
        return None;
    }
    let name = program(task);
    if makes_tunnels(name, argv) && !is_asked_for(subject, task) {
        let what = "makes a tunnel through its connection";
        return Some((what, Severity::Medium, Confidence::Medium));
    }
    if !is_interpreter(name) {
        return None;
    }
    let mut options = argv.iter().skip(1).take(3);
    if options.any(|word| matches!(word, b"-c" | b"-e" | b"-r" | b"-E" | b"--eval" | b"-ne")) {
        let what = "runs a program that is on its command line, and talks over the network";
        return Some((what, Severity::Medium, Confidence::Medium));
    }
    let fed = reads_program(argv) && !on_terminal(subject, task);
    fed.then(|| {
        let away = talk::calls_out(subject, task) && !is_asked_for(subject, task);
        let severity = if away { Severity::High } else { Severity::Medium };
        let what =
            "runs a program that came through its standard input, and talks over the network";
        (what, severity, Confidence::Medium)
    })
}

/// Whether an interpreter reads its program from standard input: it calls itself by the language, and has neither a
/// script nor a module nor a program among its arguments.
fn reads_program(argv: &Strings) -> bool {
    let called = argv.first().is_some_and(|first| {
        let name = base_name(first);
        const READERS: [&[u8]; 8] =
            [b"python", b"pypy", b"perl", b"ruby", b"node", b"nodejs", b"php", b"lua"];
        READERS.contains(&stem(name))
    });
    let mut rest = argv.iter().skip(1).take(MOST_WORDS).filter(|word| !word.is_empty());
    called && rest.all(|word| matches!(word, b"-" | b"-u" | b"-B" | b"-E" | b"-s" | b"-q" | b"-O"))
}

/// Whether the standard input of a task is a terminal.
fn on_terminal(subject: &Subject<'_>, task: &Task) -> bool {
    let input = subject.checkpoint.descriptors().get(task.pid, 0);
    input.is_some_and(|input| input.fd_type == fd_type::TTY)
}

/// Whether it is an ssh that was told to forward: `-R`, `-L`, `-D`, `-w`, alone or in a group such as `-fNR`.
fn makes_tunnels(name: &[u8], argv: &Strings) -> bool {
    /// Options of ssh that need no value, so that others may follow in one word.
    const BARE: &[u8] = b"46AaCfGgKkMNnqsTtVvXxYy";
    if !matches!(name, b"ssh" | b"dbclient" | b"autossh") {
        return false;
    }
    let (mut value, mut operands) = (false, 0_usize);
    for word in argv.iter().skip(1).take(MOST_WORDS) {
        let group = word.strip_prefix(b"-").filter(|_| !value);
        let at = group.and_then(|group| group.iter().position(|byte| !BARE.contains(byte)));
        let option = group.zip(at).and_then(|(group, at)| group.get(at));
        if matches!(option, Some(b'R' | b'L' | b'D' | b'w')) {
            return true;
        }
        // What follows the host is a command with options of its own.
        operands = operands.saturating_add(usize::from(group.is_none() && !value));
        if operands > 1 {
            return false;
        }
        let last = group.zip(at).is_some_and(|(group, at)| group.len() == at.saturating_add(1));
        value = option.is_some() && last;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tunnels_of_ssh() {
        let makes = |line: &str| {
            makes_tunnels(b"ssh", &Strings(line.replace(' ', "\0").into_bytes().into()))
        };
        for line in
            ["ssh -fNR 80:h:80 a@b", "ssh -i k -D 1080 b", "ssh b -N -L1:h:1", "ssh -w 0:0 b"]
        {
            assert!(makes(line), "{line}");
        }
        for line in ["ssh b ls -L", "ssh -i -L b", "ssh -oX=-L b", "ssh -vv b"] {
            assert!(!makes(line), "{line}");
        }
    }
}
