//! What the words of a command run.

use super::parse::{Command, Sign, Word, parse};
use crate::triage::programs::{Told, Wrapper, is_interpreter, is_shell, told_by};
use crate::triage::subject::base_name;

/// Texts with commands inside of each other that are looked into.
const DEEPEST: usize = 4;

/// Variables and settings whose values are commands, in lower case: systemd's begin with `Exec`.
const SETTINGS: [&[u8]; 16] = [
    b"server",
    b"binary",
    b"pager",
    b"editor",
    b"helper",
    b"sshcommand",
    b"script-shell",
    b"command",
    b"program",
    b"run",
    b"prompt_command",
    b"bash_env",
    b"hookspath",
    b"fsmonitor",
    b"proxycommand",
    b"localcommand",
];

/// Whether the value of a setting is a command.
pub(in crate::triage) fn is_command_setting(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with(b"exec") || SETTINGS.contains(&name.as_slice())
}

/// A command without what only stands before it.
#[derive(Debug)]
pub(in crate::triage) struct Call<'c> {
    /// The words before the program that are programs themselves: `sudo`, `nohup`.
    pub(in crate::triage) wrappers: Vec<&'c Word>,
    pub(in crate::triage) program: &'c Word,
    pub(in crate::triage) arguments: &'c [Word],
}

impl<'c> Call<'c> {
    /// What a command calls; `None` when it only gives variables their values, or redirects.
    pub(in crate::triage) fn of(command: &'c Command) -> Option<Self> {
        let mut wrappers = Vec::new();
        let mut words = command.words.as_slice();
        // What a shell is told to run begins with the options of the shell.
        while words
            .first()
            .is_some_and(|word| word.bare.starts_with(b"-") && word.bare.get(1) != Some(&b'/'))
        {
            words = words.get(1..)?;
        }
        loop {
            let (program, arguments) = words.split_first()?;
            // `command -v` only asks.
            let asks = arguments.first().is_some_and(|word| matches!(&*word.text, b"-v" | b"-V"));
            let wrapper = Wrapper::of(name_of(program)).filter(|_| !asks);
            match wrapper.map(|wrapper| wrapper.skip(arguments, |word| word.text.as_slice())) {
                Some(rest) if !rest.is_empty() => {
                    wrappers.push(program);
                    words = rest;
                }
                _ => return Some(Self { wrappers, program, arguments }),
            }
        }
    }

    /// Name of the program.
    pub(in crate::triage) fn name(&self) -> &'c [u8] {
        name_of(self.program)
    }

    /// Whether it is a shell, or an interpreter.
    pub(in crate::triage) fn interprets(&self) -> bool {
        is_shell(self.name()) || is_interpreter(self.name())
    }

    /// Whether it reads commands of a shell from a file that it is given.
    fn sources(&self) -> bool {
        matches!(self.name(), b"." | b"source")
    }

    /// What an interpreter is told.
    pub(in crate::triage) fn told(&self) -> Told<'c> {
        let words = || self.arguments.iter().map(|word| word.text.as_slice());
        match self.name() {
            b"." | b"source" => Told { script: words().next(), ..Told::default() },
            b"su" | b"runuser" => {
                let mut rest =
                    words().skip_while(|word| !matches!(*word, b"-c" | b"--command" | b"-lc"));
                Told { text: rest.nth(1), ..Told::default() }
            }
            name if self.interprets() => told_by(name, words()),
            _ => Told::default(),
        }
    }

    /// Whether it runs what it reads from its standard input.
    pub(in crate::triage) fn runs_input(&self) -> bool {
        self.interprets() && self.told().input
    }

    /// The words that decide what it runs, if it runs what it is given: a script, a text, what is evaluated.
    pub(in crate::triage) fn given(&self) -> &'c [Word] {
        if self.name() == b"eval" {
            return self.arguments;
        }
        if !self.interprets() && !self.sources() && !matches!(self.name(), b"su" | b"runuser") {
            return &[];
        }
        let Told { script, text, .. } = self.told();
        let last = script.or(text);
        let is = |word: &Word| last.is_some_and(|last| std::ptr::eq(last, word.text.as_slice()));
        let end = self.arguments.iter().position(is).map_or(0, |at| at.saturating_add(1));
        self.arguments.get(..end).unwrap_or_default()
    }

    /// Texts among its words that are lines of a shell.
    fn lines(&self) -> Vec<Vec<u8>> {
        let name = self.name();
        let texts = || self.arguments.iter().map(|word| word.text.as_slice());
        match name {
            b"eval" | b"watch" => vec![texts().collect::<Vec<_>>().join(&b' ')],
            b"trap" => texts().take(1).map(<[u8]>::to_vec).collect(),
            b"alias" => self
                .arguments
                .iter()
                .filter_map(|word| value(word).map(|(_, value)| value))
                .collect(),
            b"export" | b"declare" | b"typeset" | b"readonly" | b"local" => {
                self.arguments.iter().filter_map(setting).collect()
            }
            b"su" | b"runuser" => self.told().text.into_iter().map(<[u8]>::to_vec).collect(),
            _ if is_shell(name) => self.told().text.into_iter().map(<[u8]>::to_vec).collect(),
            _ => Vec::new(),
        }
    }
}

/// Name of a program, as the word has it: a login shell's begins with `-`, and systemd has signs in front.
fn name_of(word: &Word) -> &[u8] {
    let name = base_name(&word.text);
    let plain = name.iter().position(|byte| !matches!(byte, b'-' | b'+' | b'!' | b':' | b'@'));
    plain.and_then(|from| name.get(from..)).filter(|rest| !rest.is_empty()).unwrap_or(name)
}

/// Name and value of what is given by `=`. A value that begins with a quote ends with it.
pub(in crate::triage) fn value(word: &Word) -> Option<(&[u8], Vec<u8>)> {
    let at = memchr::memchr(b'=', &word.text)?;
    let name = word.text.get(..at)?;
    let rest = word.text.get(at.saturating_add(1)..)?;
    let first = word.quoted.first().filter(|first| {
        memchr::memchr(b'=', &word.bare) == Some(at)
            && rest.starts_with(first)
            && rest.get(first.len()).is_none_or(|byte| *byte == b',')
    });
    Some((name.strip_suffix(b"+").unwrap_or(name), first.map_or(rest, Vec::as_slice).to_vec()))
}

fn setting(word: &Word) -> Option<Vec<u8>> {
    value(word).filter(|(name, _)| is_command_setting(name)).map(|(_, value)| value)
}

/// The lines of a shell that stand in a command, parsed: what is substituted, evaluated, or given to a shell.
pub(in crate::triage) fn within(command: &Command) -> Vec<Vec<Command>> {
    let words = command.assigned.iter().chain(&command.words);
    let targets = command.redirections.iter().map(|one| &one.target);
    let mut lists: Vec<Vec<Command>> =
        words.chain(targets).flat_map(|word| word.inner.clone()).collect();
    let of_call = Call::of(command).map(|call| call.lines()).unwrap_or_default();
    let of_settings = command.assigned.iter().filter_map(setting);
    lists.extend(of_call.into_iter().chain(of_settings).map(|line| parse(&line)));
    lists
}

/// Hands on every command, those that stand in others after them.
pub(in crate::triage) fn walk(commands: &[Command], see: &mut impl FnMut(&Command)) {
    descend(commands, DEEPEST, see);
}

fn descend(commands: &[Command], depth: usize, see: &mut impl FnMut(&Command)) {
    for command in commands {
        see(command);
        if let Some(depth) = depth.checked_sub(1) {
            for list in within(command) {
                descend(&list, depth, see);
            }
        }
    }
}

/// Whether any command of a line enters the namespaces of the first process.
pub(in crate::triage) fn enters_the_host(commands: &[Command]) -> bool {
    let mut found = false;
    walk(commands, &mut |command| {
        let mut words = command.words.iter().map(|word| word.text.as_slice());
        let mut value = false;
        found |= words.any(|word| base_name(word) == b"nsenter")
            && words.any(|word| {
                let first = matches!(word, b"-t1" | b"--target=1")
                    || memchr::memmem::find(word, b"/proc/1/ns/").is_some()
                    || (value && word == b"1");
                value = matches!(word, b"-t" | b"--target");
                first
            });
    });
    found
}

/// Whether a line pipes something into what runs it.
pub(in crate::triage) fn pipes_into(commands: &[Command]) -> bool {
    pipes(commands, DEEPEST)
}

fn pipes(commands: &[Command], depth: usize) -> bool {
    let fed = commands.iter().filter_map(|command| commands.get(command.feeds?));
    let inner = |command| {
        let depth = depth.checked_sub(1);
        depth.is_some_and(|depth| within(command).iter().any(|list| pipes(list, depth)))
    };
    fed.filter_map(Call::of).any(|call| call.runs_input()) || commands.iter().any(inner)
}

/// The files that a command writes by redirecting its output.
pub(in crate::triage) fn written(command: &Command) -> impl Iterator<Item = &[u8]> {
    let out = command.redirections.iter().filter(|one| one.sign != Sign::Reads);
    out.map(|one| one.target.text.as_slice())
}

/// The words that a command reads by redirecting its input.
pub(in crate::triage) fn read(command: &Command) -> impl Iterator<Item = &Word> {
    let input = command.redirections.iter().filter(|one| one.sign == Sign::Reads);
    input.map(|one| &one.target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_behind_others() {
        for (line, name, arguments) in [
            ("sudo -u app env A=1 nice -n 5 /opt/x a", "x", 1),
            ("timeout -s KILL 5 x", "x", 0),
            ("flock -n /l x y", "x", 1),
            ("busybox sh -c y", "sh", 2),
            ("env", "env", 0),
            ("exec -a n x", "x", 0),
            ("xargs -I {} x", "x", 0),
            ("-c curl x", "curl", 1),
            ("-/usr/bin/x y", "x", 1),
            ("command x y", "x", 1),
            ("command -v x", "command", 2),
        ] {
            let commands = parse(line.as_bytes());
            let call = Call::of(&commands[0]).expect("a call");
            assert_eq!(call.name(), name.as_bytes(), "{line}");
            assert_eq!(call.arguments.len(), arguments, "{line}");
        }
        assert!(Call::of(&parse(b"A=1")[0]).is_none());
    }

    #[test]
    fn who_runs_input() {
        let runs =
            |line: &str| Call::of(&parse(line.as_bytes())[0]).is_some_and(|call| call.runs_input());
        for line in ["sh", "bash -s -- a", "sudo /bin/sh", "python3 -", "env -i bash -x", "node"] {
            assert!(runs(line), "{line}");
        }
        for line in ["sh /x", "sh -c x", "python3 -m json.tool", "python3 -c x", "jq .", "awk x"] {
            assert!(!runs(line), "{line}");
        }
    }

    #[test]
    fn lines_in_lines() {
        for line in [
            "x",
            "sh -c 'a; x'",
            "bash -lc \"exec x\"",
            "su - u -c 'x'",
            "eval x",
            "trap 'x' EXIT",
            "alias l='x'",
            "export PROMPT_COMMAND='x'",
            "RUN+=\"x\"",
            "a $(b `x`)",
            "sh -c 'sh -c \"sh -c x\"'",
            "a > $(x)",
        ] {
            let mut found = false;
            walk(&parse(line.as_bytes()), &mut |command| {
                found |= Call::of(command).is_some_and(|call| call.name() == b"x");
            });
            assert!(found, "{line}");
        }
    }
}
