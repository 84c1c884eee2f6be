//! From the bytes of a line to its commands.

/// Longest line, bytes; what is longer is read by its beginning.
const LONGEST: usize = 64 << 10;

/// Longest `${...}`, bytes.
const LONGEST_NAME: usize = 256;

/// Most commands of a line, those inside of others among them.
const MOST: usize = 512;

/// Most words of one command.
const MOST_WORDS: usize = 256;

/// Substitutions inside of each other that are looked into.
const DEEPEST: usize = 8;

/// A word, without its quotes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::triage) struct Word {
    /// All of it; substitutions and variables as they stand.
    pub(in crate::triage) text: Vec<u8>,
    /// What stands in it outside of quotes.
    pub(in crate::triage) bare: Vec<u8>,
    /// What stands in it between quotes.
    pub(in crate::triage) quoted: Vec<Vec<u8>>,
    /// The commands whose output is put in its place.
    pub(in crate::triage) inner: Vec<Vec<Command>>,
}

impl Word {
    /// An argument as a program has it: a shell has taken away the quotes.
    pub(in crate::triage) fn argument(text: &[u8]) -> Self {
        let text = text.get(..LONGEST).unwrap_or(text);
        Self { text: text.to_vec(), quoted: vec![text.to_vec()], ..Self::default() }
    }
}

/// What a redirection does with its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::triage) enum Sign {
    /// `<`, `<<`, `<<<`, `<>`
    Reads,
    /// `>`, `>>`, `>|`, `&>`
    Writes,
    /// `>&`, `<&`: the target is a descriptor, or a file.
    Copies,
}

/// Where input comes from, or output goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::triage) struct Redirection {
    pub(in crate::triage) sign: Sign,
    pub(in crate::triage) target: Word,
}

/// One command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::triage) struct Command {
    /// `NAME=VALUE` before the first word.
    pub(in crate::triage) assigned: Vec<Word>,
    pub(in crate::triage) words: Vec<Word>,
    pub(in crate::triage) redirections: Vec<Redirection>,
    /// Which command of the same list reads what it writes.
    pub(in crate::triage) feeds: Option<usize>,
}

impl Command {
    /// What arguments are as a command.
    pub(in crate::triage) fn of<'w>(words: impl Iterator<Item = &'w [u8]>) -> Self {
        Self { words: words.take(MOST_WORDS).map(Word::argument).collect(), ..Self::default() }
    }

    fn is_empty(&self) -> bool {
        self.assigned.is_empty() && self.words.is_empty() && self.redirections.is_empty()
    }
}

/// The commands of a line. Those in brackets and braces stand among the others.
pub(in crate::triage) fn parse(line: &[u8]) -> Vec<Command> {
    let line = line.get(..LONGEST).unwrap_or(line);
    let mut left = MOST;
    Parser { line, at: 0, depth: 0, left: &mut left }.list(None)
}

#[derive(Debug)]
struct Parser<'a, 'n> {
    line: &'a [u8],
    at: usize,
    depth: usize,
    /// How many more commands are read.
    left: &'n mut usize,
}

/// The list of commands that is being read.
#[derive(Debug, Default)]
struct List {
    commands: Vec<Command>,
    current: Command,
    /// Where groups began that are still open, in commands, and whether by a bracket.
    open: Vec<(usize, bool)>,
    /// Where the last command, or group of such, began.
    unit: usize,
}

impl List {
    /// Ends a command; whether there was one.
    fn end(&mut self) -> bool {
        if self.current.is_empty() {
            return false;
        }
        self.unit = self.commands.len();
        self.commands.push(std::mem::take(&mut self.current));
        true
    }

    /// What was last is read by what follows.
    fn pipe(&mut self) {
        self.end();
        let next = self.commands.len();
        for command in self.commands.iter_mut().skip(self.unit) {
            // What a command in a group hands to another one of it goes no other way.
            command.feeds.get_or_insert(next);
        }
    }

    fn open(&mut self, bracket: bool) {
        self.end();
        self.open.push((self.commands.len(), bracket));
    }

    fn close(&mut self) {
        self.end();
        self.unit = self.open.pop().map_or(self.unit, |(from, _)| from);
    }
}

fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() && byte != b'\n'
}

/// Bytes that end a word where they stand outside of quotes.
fn cuts(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b';' | b'&' | b'|' | b'(' | b')' | b'<' | b'>')
}

impl<'a> Parser<'a, '_> {
    fn byte(&self, ahead: usize) -> Option<u8> {
        self.line.get(self.at.saturating_add(ahead)).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.line.get(self.at..).unwrap_or_default()
    }

    fn skip(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes);
    }

    /// Commands to the end of the line, or to what closes them.
    fn list(&mut self, end: Option<u8>) -> Vec<Command> {
        let mut list = List::default();
        while let Some(byte) = self.byte(0) {
            if *self.left == 0 {
                break;
            }
            match byte {
                _ if is_blank(byte) => self.skip(1),
                b'\\' if self.byte(1) == Some(b'\n') => self.skip(2),
                // A comment.
                b'#' if self.begins_word() => {
                    let rest = self.rest();
                    self.skip(memchr::memchr(b'\n', rest).unwrap_or(rest.len()));
                }
                b')' if Some(byte) == end && list.open.is_empty() => {
                    self.skip(1);
                    break;
                }
                // It ends a group, or a label of `case`.
                b')' => {
                    self.skip(1);
                    match list.open.last() {
                        Some((_, true)) => list.close(),
                        _ => list.current = Command::default(),
                    }
                }
                b'(' => {
                    self.skip(1);
                    list.open(true);
                }
                b'&' if self.byte(1) == Some(b'>') => {
                    self.skip(1);
                    self.redirection(&mut list.current, true);
                }
                b'|' if self.byte(1) != Some(b'|') => {
                    let both = self.byte(1) == Some(b'&');
                    self.skip(1_usize.saturating_add(usize::from(both)));
                    list.pipe();
                    *self.left = self.left.saturating_sub(1);
                }
                b';' | b'&' | b'|' | b'\n' => {
                    let twice = self.byte(1) == Some(byte) && byte != b'\n';
                    self.skip(1_usize.saturating_add(usize::from(twice)));
                    *self.left = self.left.saturating_sub(usize::from(list.end()));
                }
                b'<' | b'>' if self.byte(1) != Some(b'(') => {
                    self.redirection(&mut list.current, false);
                }
                _ => self.take(&mut list),
            }
        }
        list.end();
        list.commands
    }

    fn begins_word(&self) -> bool {
        let before = self.at.checked_sub(1).and_then(|at| self.line.get(at));
        before.is_none_or(|byte| cuts(*byte))
    }

    /// Takes a word to where it belongs: before, among or behind those of a command.
    fn take(&mut self, list: &mut List) {
        let word = self.word();
        let digits = !word.bare.is_empty() && word.bare.iter().all(u8::is_ascii_digit);
        let of_shell =
            word.bare.starts_with(b"{") && word.bare.ends_with(b"}") && word.bare.len() > 2;
        if (digits || of_shell) && matches!(self.byte(0), Some(b'<' | b'>')) {
            // The descriptor of a redirection.
            return;
        }
        if list.current.words.is_empty() && word.quoted.is_empty() && word.inner.is_empty() {
            match word.text.as_slice() {
                b"{" | b"if" | b"while" | b"until" => return list.open(false),
                b"}" | b"done" | b"fi" | b"esac" => return list.close(),
                b"then" | b"else" | b"elif" | b"do" | b"!" => return,
                b"for" | b"case" | b"select" => list.open(false),
                _ => {}
            }
        }
        if list.current.words.is_empty() && assigns(&word) {
            list.current.assigned.push(word);
        } else if list.current.words.len() < MOST_WORDS {
            list.current.words.push(word);
        }
    }

    fn redirection(&mut self, command: &mut Command, both: bool) {
        let signs = self.rest().iter().take(3).take_while(|byte| matches!(**byte, b'<' | b'>'));
        let signs = signs.count();
        let sign = self.rest().get(..signs).unwrap_or_default();
        let writes = both || sign.starts_with(b">");
        self.skip(signs);
        let copies = self.byte(0) == Some(b'&');
        let more = copies
            || matches!(self.byte(0), Some(b'|'))
            || (signs == 2 && self.byte(0) == Some(b'-'));
        self.skip(usize::from(more));
        while self.byte(0).is_some_and(is_blank) {
            self.skip(1);
        }
        let target = if self.byte(0).is_some_and(|byte| cuts(byte) && !self.opens_inner()) {
            Word::default()
        } else {
            self.word()
        };
        let sign = match (copies, writes) {
            (true, _) => Sign::Copies,
            (false, true) => Sign::Writes,
            (false, false) => Sign::Reads,
        };
        command.redirections.push(Redirection { sign, target });
    }

    fn opens_inner(&self) -> bool {
        matches!((self.byte(0), self.byte(1)), (Some(b'<' | b'>'), Some(b'(')))
    }

    /// One word; at least one byte is taken.
    fn word(&mut self) -> Word {
        let mut word = Word::default();
        let from = self.at;
        while let Some(byte) = self.byte(0) {
            match byte {
                b'<' | b'>' if self.byte(1) == Some(b'(') => self.inner(&mut word, 2, None),
                b'$' if self.byte(1) == Some(b'(') => self.inner(&mut word, 2, None),
                b'$' if self.byte(1) == Some(b'{') => self.parameter(&mut word),
                b'`' => self.backticks(&mut word, None),
                b'\\' => {
                    // The end of a line goes on.
                    let next = self.byte(1).filter(|byte| *byte != b'\n');
                    word.text.extend(next);
                    word.bare.extend(next);
                    self.skip(2);
                }
                b'\'' => self.single(&mut word),
                b'"' => self.double(&mut word),
                // A call in some other language.
                b'(' if self.at > from && self.byte(1) != Some(b')') && !is_keyword(&word.text) => {
                    self.push(&mut word, byte);
                }
                b')' if memchr::memchr(b'(', &word.bare).is_some() => self.push(&mut word, byte),
                _ if cuts(byte) => break,
                _ => self.push(&mut word, byte),
            }
        }
        if self.at == from {
            self.skip(1);
        }
        word
    }

    fn push(&mut self, word: &mut Word, byte: u8) {
        word.text.push(byte);
        word.bare.push(byte);
        self.skip(1);
    }

    /// `${NAME:-word}`: a name, and no word.
    fn parameter(&mut self, word: &mut Word) {
        let rest = self.rest();
        let rest = rest.get(..LONGEST_NAME).unwrap_or(rest);
        let end = memchr::memchr2(b'}', b'\n', rest).map_or(2, |end| end.saturating_add(1));
        let text = rest.get(..end).unwrap_or(rest);
        word.text.extend_from_slice(text);
        word.bare.extend_from_slice(text);
        self.skip(text.len());
    }

    /// Between apostrophes nothing means anything; one alone is part of a word.
    fn single(&mut self, word: &mut Word) {
        let rest = self.line.get(self.at.saturating_add(1)..).unwrap_or_default();
        let Some(end) = memchr::memchr(b'\'', rest) else { return self.push(word, b'\'') };
        let text = rest.get(..end).unwrap_or_default();
        word.text.extend_from_slice(text);
        word.quoted.push(text.to_vec());
        self.skip(end.saturating_add(2));
    }

    fn double(&mut self, word: &mut Word) {
        let rest = self.line.get(self.at.saturating_add(1)..).unwrap_or_default();
        if memchr::memchr(b'"', rest).is_none() {
            return self.push(word, b'"');
        }
        self.skip(1);
        let mut text = Vec::new();
        while let Some(byte) = self.byte(0) {
            match byte {
                b'"' => {
                    self.skip(1);
                    break;
                }
                b'\\' => {
                    text.extend(self.byte(1));
                    self.skip(2);
                }
                b'$' if self.byte(1) == Some(b'(') => self.inner(word, 2, Some(&mut text)),
                b'`' => self.backticks(word, Some(&mut text)),
                _ => {
                    text.push(byte);
                    self.skip(1);
                }
            }
        }
        word.text.extend_from_slice(&text);
        word.quoted.push(text);
    }

    /// `$(...)`, `<(...)`: commands, and how they stand there.
    fn inner(&mut self, word: &mut Word, opening: usize, quoted: Option<&mut Vec<u8>>) {
        let from = self.at;
        self.skip(opening);
        if self.depth < DEEPEST {
            let (line, at, depth) = (self.line, self.at, self.depth.saturating_add(1));
            let mut parser = Parser { line, at, depth, left: &mut *self.left };
            let commands = parser.list(Some(b')'));
            self.at = parser.at;
            word.inner.push(commands);
        }
        self.stands(word, from, quoted);
    }

    fn backticks(&mut self, word: &mut Word, quoted: Option<&mut Vec<u8>>) {
        let from = self.at;
        self.skip(1);
        if let Some(end) = memchr::memchr(b'`', self.rest()).filter(|_| self.depth < DEEPEST) {
            let line = self.rest().get(..end).unwrap_or_default();
            let depth = self.depth.saturating_add(1);
            let mut parser = Parser { line, at: 0, depth, left: &mut *self.left };
            word.inner.push(parser.list(None));
            self.skip(end.saturating_add(1));
        }
        self.stands(word, from, quoted);
    }

    fn stands(&self, word: &mut Word, from: usize, quoted: Option<&mut Vec<u8>>) {
        let text = self.line.get(from..self.at.min(self.line.len())).unwrap_or_default();
        match quoted {
            Some(quoted) => quoted.extend_from_slice(text),
            None => {
                word.text.extend_from_slice(text);
                word.bare.extend_from_slice(text);
            }
        }
    }
}

/// Whether a command follows a word.
fn is_keyword(word: &[u8]) -> bool {
    matches!(word, b"if" | b"then" | b"elif" | b"else" | b"while" | b"until" | b"do" | b"!")
}

/// Whether a word gives a variable its value: `NAME=`, `NAME+=`.
fn assigns(word: &Word) -> bool {
    let name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let end = word.bare.iter().position(|byte| !name(byte)).unwrap_or(0);
    let rest = word.bare.get(end..).unwrap_or_default();
    end > 0
        && !word.bare.first().is_some_and(u8::is_ascii_digit)
        && word.text.starts_with(word.bare.get(..=end).unwrap_or(b"="))
        && (rest.starts_with(b"=") || rest.starts_with(b"+="))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line as its words, commands apart by `;`, fed ones by `|`.
    fn shown(commands: &[Command]) -> String {
        let each = commands.iter().enumerate().map(|(at, command)| {
            let word = |word: &Word| String::from_utf8_lossy(&word.text).into_owned();
            let mut parts: Vec<String> =
                command.assigned.iter().map(|one| format!("[{}]", word(one))).collect();
            parts.extend(command.words.iter().map(word));
            for redirection in &command.redirections {
                let sign = match redirection.sign {
                    Sign::Reads => "<",
                    Sign::Writes => ">",
                    Sign::Copies => "&",
                };
                parts.push(format!("{sign}{}", word(&redirection.target)));
            }
            let fed = commands.iter().any(|other| other.feeds == Some(at));
            format!("{}{}", if fed { "| " } else { "" }, parts.join(","))
        });
        each.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn words_and_signs() {
        for (line, wanted) in [
            ("a b  'c d'e \"f \\\"g\"", "a,b,c de,f \"g"),
            ("A=1 B+='2 3' c D=4", "[A=1],[B+=2 3],c,D=4"),
            ("a | b |& c || d && e & f", "a; | b; | c; d; e; f"),
            ("(a; b) | c", "a; b; | c"),
            ("{ a | d; b; } | c", "a; | d; b; | c"),
            ("while read l; do $l; done | x", "read,l; $l; | x"),
            ("a > b 2>&1 <c >>d &>e <>f", "a,>b,&1,<c,>d,>e,<f"),
            ("exec 3<>/dev/tcp/h/1; sh <&3 >&3", "exec,</dev/tcp/h/1; sh,&3,&3"),
            ("a # b; c\nd", "a; d"),
            ("echo $# it's", "echo,$#,it's"),
            ("case $x in a) b ;; c) d;; esac | e", "b; d; | e"),
            ("until(: >a);do b;done", ":,>a; b"),
            ("f() { a; }", "f; a"),
            ("open(\"/tmp/x\") as y", "open(/tmp/x),as,y"),
            ("echo ${A:-/tmp/x y} z", "echo,${A:-/tmp/x y},z"),
            ("a \\\n b", "a,b"),
            ("", ""),
        ] {
            assert_eq!(shown(&parse(line.as_bytes())), wanted, "{line}");
        }
    }

    #[test]
    fn commands_inside() {
        for (line, wanted) in [
            ("x $(a | b) y", "a; | b"),
            ("x \"$(a 'b c' \")\")\"", "a,b c,)"),
            ("x `a b`", "a,b"),
            ("v=$(a)", "a"),
            ("bash <(a b)", "a,b"),
            ("x $(( 1 + 2 ))", "1,+,2"),
        ] {
            let commands = parse(line.as_bytes());
            let words = commands[0].words.iter().chain(&commands[0].assigned);
            let inner: Vec<_> = words.flat_map(|word| &word.inner).collect();
            assert_eq!(inner.len(), 1, "{line}");
            assert_eq!(shown(inner[0]), wanted, "{line}");
        }
        let nested = parse(b"a $(b $(c))");
        assert_eq!(shown(&nested[0].words[1].inner[0][0].words[1].inner[0]), "c");
    }

    #[test]
    fn hostile_lines_end() {
        for text in [
            "$(", "`", "\"$(", "(", "<(", "'", "{ ", "| ", "; a ", "a=", "<", "f(", "${", "\\",
            ")", "&>",
        ] {
            parse(text.as_bytes());
            parse(text.repeat(20_000).as_bytes());
        }
    }
}
