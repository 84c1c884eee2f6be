//! Where lines of a shell stand in a line of a file: crontab(5), systemd.service(5), inittab(5), aliases(5), apt.conf(5),
//! ssh_config(5), interfaces(5), and the settings of git, udev and supervisors.

use crate::triage::line::call::is_command_setting;
use crate::triage::line::{Command, parse};
use crate::triage::programs::{Wrapper, is_interpreter, is_shell};

/// Words of settings behind which a command stands.
const DIRECTIVES: [&[u8]; 8] = [
    b"ProxyCommand",
    b"LocalCommand",
    b"up",
    b"down",
    b"pre-up",
    b"post-up",
    b"pre-down",
    b"post-down",
];

/// Commands that stand where a system crontab has a user, and take paths.
const OF_FILES: [&[u8]; 16] = [
    b"cp", b"mv", b"rm", b"ls", b"cat", b"cd", b"touch", b"mkdir", b"find", b"chmod", b"chown",
    b"test", b"rsync", b"tar", b"gzip", b"echo",
];

/// Most texts of a line that are read as lines.
const MOST: usize = 64;

/// The commands that a line of a file runs, each line of a shell by itself.
pub(super) fn lists(line: &[u8]) -> Vec<Vec<Command>> {
    lines(line.trim_ascii_start()).into_iter().map(parse).collect()
}

/// As [`lists`], and whatever else may be a line of a shell: a job whose first word is no user, what stands behind a first
/// word (`run: curl ...`), and every text between quotes, which may be in a program of another language, or be written to
/// be run later.
pub(super) fn lists_and_texts(line: &[u8]) -> Vec<Vec<Command>> {
    let mut lists = lists_and_jobs(line);
    let words = |command: &Command| [command.assigned.as_slice(), &command.words].concat();
    let texts = lists.iter().flatten().flat_map(words).flat_map(|word| word.quoted);
    let texts = texts.filter(|text| text.contains(&b' ')).take(MOST);
    let texts: Vec<_> = texts.flat_map(|text: Vec<u8>| lists_and_jobs(&text)).collect();
    lists.extend(texts);
    lists
}

fn lists_and_jobs(line: &[u8]) -> Vec<Vec<Command>> {
    let mut lists = lists(line);
    lists.extend(after_times(line).map(parse));
    let line = line.trim_ascii_start();
    let end = line.iter().position(u8::is_ascii_whitespace);
    lists.extend(end.and_then(|end| line.get(end..)).map(parse));
    lists
}

fn lines(line: &[u8]) -> Vec<&[u8]> {
    if let Some(rest) = line.strip_prefix(b"#!") {
        return vec![rest];
    }
    if let Some(rest) = after_times(line) {
        return vec![after_user(rest)];
    }
    // `id:levels:action:command`.
    let fields = line.splitn(4, |byte| *byte == b':').collect::<Vec<_>>();
    if let [id, levels, action, command] = fields.as_slice() {
        let plain = |part: &[u8]| part.iter().all(u8::is_ascii_alphanumeric);
        if plain(id) && plain(levels) && plain(action) && !action.is_empty() {
            return vec![command];
        }
    }
    let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
    let (first, rest) = line.split_at_checked(end).unwrap_or_default();
    if DIRECTIVES.contains(&first) {
        return vec![rest];
    }
    // `DPkg::Pre-Invoke {"..."; "...";};`
    if memchr::memmem::find(first, b"::").is_some() {
        return line.split(|byte| *byte == b'"').skip(1).step_by(2).take(MOST).collect();
    }
    if let Some(command) = setting(line) {
        return vec![command];
    }
    // `name: "|command"`.
    let mut found = vec![line];
    found.extend(
        line.split(|byte| *byte == b'"')
            .skip(1)
            .step_by(2)
            .filter_map(|text| text.strip_prefix(b"|"))
            .take(MOST),
    );
    found
}

/// The command that a setting has as its value: `ExecStart=-/x`, `command = "/x"`, and `name = !x` of git.
fn setting(line: &[u8]) -> Option<&[u8]> {
    let name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let end = line.iter().position(|byte| !name(byte))?;
    let (key, rest) = line.split_at_checked(end)?;
    let rest = rest.trim_ascii_start();
    let value = rest.strip_prefix(b"+").unwrap_or(rest).strip_prefix(b"=")?;
    if value.starts_with(b"=") {
        return None;
    }
    let value = value.trim_ascii();
    let quoted = [b'"', b'\''].into_iter().find_map(|quote| {
        let inner = value.strip_prefix(&[quote])?.strip_suffix(&[quote])?;
        (!inner.contains(&quote)).then_some(inner)
    });
    let value = quoted.unwrap_or(value);
    match value.strip_prefix(b"!") {
        Some(command) => Some(command),
        None => is_command_setting(key).then_some(value),
    }
}

/// The command of a job, without the user that a system crontab has in front.
fn after_user(line: &[u8]) -> &[u8] {
    let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
    let (first, rest) = line.split_at_checked(end).unwrap_or_default();
    let name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let program = OF_FILES.contains(&first)
        || matches!(first, b"." | b"source" | b"eval" | b"export" | b"if")
        || Wrapper::of(first).is_some()
        || is_shell(first)
        || is_interpreter(first);
    let user = first.iter().all(name) && !rest.trim_ascii().is_empty() && !program;
    if user { rest } else { line }
}

/// The rest of a line behind the five fields of cron, or `@reboot` and the like.
fn after_times(line: &[u8]) -> Option<&[u8]> {
    let line = line.trim_ascii_start();
    let word = |from: &[u8]| from.iter().position(u8::is_ascii_whitespace);
    if line.starts_with(b"@") {
        let rest = line.get(word(line)?..)?.trim_ascii_start();
        return Some(rest);
    }
    let mut rest = line;
    for _ in 0..5 {
        let end = word(rest)?;
        let field = rest.get(..end)?;
        let of_time =
            |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'*' | b',' | b'/' | b'-');
        let named = field.len() == 3 && field.iter().all(u8::is_ascii_alphabetic);
        if !named && !field.iter().all(of_time) {
            return None;
        }
        rest = rest.get(end..)?.trim_ascii_start();
    }
    Some(rest)
}
