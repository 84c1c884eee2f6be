//! What of a request reaches what a page runs.

use std::collections::BTreeSet;
use std::ops::Range;

use memchr::memmem;

use super::backticks::commands;
use super::languages::{Language, has};

/// Most bytes behind a call that belong to its arguments.
const ARGUMENTS: usize = 600;

/// Most calls of a page that are judged.
const MOST_CALLS: usize = 2000;

/// Back doors are short; of a longer page nobody can say that its parts belong together.
const SHORT_PAGE: usize = 8 << 10;

/// What is tinier than this has no room for anything else.
const TINY_PAGE: usize = 2 << 10;

/// Most variables of a page that are followed.
const MOST_NAMES: usize = 64;

/// Most assignments of a page that are read.
const MOST_ASSIGNMENTS: usize = 4000;

/// Most calls around one another that are followed.
const MOST_NESTED: usize = 8;

/// Most signs of one statement that may assign something.
const MOST_SIGNS: usize = 16;

/// How a request gets to what is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum How {
    /// To a program that the page names, as an argument.
    Handed,
    /// To a function that only the page knows.
    Called,
    /// Into a file that the request names.
    Stored,
    /// By a variable that was made of it.
    Variable,
    /// Not seen: the code itself is decoded and run.
    Decoded,
    /// As it is.
    Direct,
}

impl How {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Handed => "hands what a request brings to a program",
            Self::Called => "hands what a request brings to a function by its name",
            Self::Stored => "writes what a request brings into a file that it names",
            Self::Direct => "runs what a request brings",
            Self::Decoded => "decodes something and runs it",
            Self::Variable => "runs what is made of a request",
        }
    }
}

/// A call that runs something.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) how: How,
    /// As the page has it.
    pub(super) call: Vec<u8>,
}

/// A call, and where it stands in the text that is judged.
#[derive(Debug)]
struct Hit {
    how: How,
    at: Range<usize>,
}

impl Hit {
    /// A word, and the arguments behind it.
    fn new(how: How, at: usize, word: &str, arguments: &[u8]) -> Self {
        let from = behind(at, word);
        Self { how, at: at..from.saturating_add(arguments.len()) }
    }
}

/// The worst call of a page.
pub(super) fn examine(language: &Language, page: &[u8]) -> Option<Found> {
    let normal = normal(page, language);
    let text = normal.text.as_slice();
    let input = |part: &[u8]| language.input.iter().any(|word| has(part, word.as_bytes()));
    let tainted = tainted(language, text, &input);
    let hit = worst_call(language, text, &input, &tainted);
    let command = worst_command(language, page, &input, &tainted);
    if let Some(command) = command
        && hit.as_ref().is_none_or(|hit| hit.how <= command.how)
    {
        return Some(command);
    }
    let hit = hit.or_else(|| called_by_name(language, text, &tainted));
    let hit = hit.or_else(|| everything_together(language, text));
    let hit = hit.or_else(|| tiny(language, text));
    let hit = hit.or_else(|| stored(language, text, &input, &tainted))?;
    Some(Found { how: hit.how, call: normal.as_written(page, hit.at).to_vec() })
}

/// The worst command between backticks, with these.
fn worst_command(
    language: &Language,
    page: &[u8],
    input: &impl Fn(&[u8]) -> bool,
    tainted: &BTreeSet<&[u8]>,
) -> Option<Found> {
    let mut worst: Option<Found> = None;
    for command in commands(language, page) {
        let command = command.get(..ARGUMENTS).unwrap_or(command);
        let judged = normal(command, language).text;
        let Some(how) = reaches(language, "`", &judged, input, tainted) else { continue };
        if worst.as_ref().is_none_or(|known| known.how < how) {
            worst = Some(Found { how, call: [b"`", command, b"`"].concat() });
        }
    }
    worst
}

/// The worst call of a function.
fn worst_call(
    language: &Language,
    text: &[u8],
    input: &impl Fn(&[u8]) -> bool,
    tainted: &BTreeSet<&[u8]>,
) -> Option<Hit> {
    let node = has(text, b"child_process");
    let mut worst: Option<Hit> = None;
    let mut calls = 0_usize;
    for word in language.runs {
        for at in memmem::find_iter(text, word.as_bytes()) {
            calls = calls.saturating_add(1);
            if calls > MOST_CALLS {
                return worst;
            }
            if !is_function(language, word, byte_before(text, at), node) {
                continue;
            }
            let arguments = arguments(language, text, at, word);
            let Some(how) = reaches(language, word, arguments, input, tainted) else { continue };
            if worst.as_ref().is_none_or(|known| known.how < how) {
                worst = Some(Hit::new(how, at, word, arguments));
            }
        }
    }
    worst
}

fn byte_before(text: &[u8], at: usize) -> Option<u8> {
    at.checked_sub(1).and_then(|before| text.get(before)).copied()
}

/// Where the arguments of a call begin.
fn behind(at: usize, word: &str) -> usize {
    // `include $x`: the variable is the argument.
    at.saturating_add(word.len()).saturating_sub(usize::from(word.ends_with('$')))
}

/// What stands behind a call, to the end of the statement.
fn arguments<'a>(language: &Language, text: &'a [u8], at: usize, word: &str) -> &'a [u8] {
    let from = behind(at, word);
    let rest = text.get(from..from.saturating_add(ARGUMENTS).min(text.len())).unwrap_or_default();
    let end = rest.iter().position(|byte| language.ends.contains(byte)).unwrap_or(rest.len());
    rest.get(..end).unwrap_or(rest)
}

/// The variables that are made of a request. In a short page also those that are made of these.
fn tainted<'a>(
    language: &Language,
    text: &'a [u8],
    input: &impl Fn(&[u8]) -> bool,
) -> BTreeSet<&'a [u8]> {
    let assignments = assignments(language, text);
    let mut found: BTreeSet<&[u8]> = BTreeSet::new();
    let mut fresh = Vec::new();
    for (name, value) in &assignments {
        if found.len() < MOST_NAMES && input(value) && found.insert(name) {
            fresh.push(*name);
        }
    }
    if text.len() >= SHORT_PAGE {
        return found;
    }
    while let Some(known) = fresh.pop() {
        for (name, value) in &assignments {
            if found.len() < MOST_NAMES && names(value, known) && found.insert(name) {
                fresh.push(*name);
            }
        }
    }
    found
}

/// Names, and what is assigned to them: `$a=...`, and `foreach(... as $a)`.
fn assignments<'a>(language: &Language, text: &'a [u8]) -> Vec<(&'a [u8], &'a [u8])> {
    let mut found = Vec::new();
    for statement in text.split(|byte| language.ends.contains(byte)) {
        for at in memchr::memchr_iter(b'=', statement).take(MOST_SIGNS) {
            let (left, right) = statement.split_at_checked(at).unwrap_or_default();
            let right = right.get(1..).unwrap_or_default();
            // Comparisons assign nothing, nor do keys of an array.
            let compares = matches!(right.first(), Some(b'=' | b'>'))
                || matches!(left.last(), Some(b'!' | b'=' | b'<' | b'>'));
            let right = right.get(..ARGUMENTS).unwrap_or(right);
            if !compares && !is_cleaned(right) {
                found.push((last_name(left), right));
            }
        }
        if found.len() > MOST_ASSIGNMENTS {
            break;
        }
    }
    if language.sigil.is_some() {
        for at in memmem::find_iter(text, b"foreach(").take(MOST_CALLS) {
            let from = at.saturating_add(b"foreach(".len());
            let rest = text.get(from..from.saturating_add(ARGUMENTS).min(text.len()));
            let rest = rest.unwrap_or_default();
            let Some((list, names)) = [&b"as$"[..], b"as&$"].iter().find_map(|sign| {
                let at = memmem::find(rest, sign)?;
                Some((rest.get(..at)?, rest.get(at..)?))
            }) else {
                continue;
            };
            let end = names.iter().position(|byte| *byte == b')').unwrap_or(names.len());
            let names = names.get(..end).unwrap_or(names);
            for name in
                names.split(|byte| *byte == b'>').map(|one| one.strip_suffix(b"=").unwrap_or(one))
            {
                found.push((last_name(name), list));
            }
        }
    }
    found.retain(|(name, _)| name.len() > usize::from(language.sigil.is_some()));
    found
}

/// Whether a value was made harmless.
fn is_cleaned(value: &[u8]) -> bool {
    const CLEANS: [&[u8]; 5] =
        [b"intval(", b"(int)", b"escapeshell", b"shlex.quote(", b"parseint("];
    CLEANS.iter().any(|word| value.starts_with(word))
}

/// A short page that writes what a request brings into a file that it names.
fn stored(
    language: &Language,
    text: &[u8],
    input: &impl Fn(&[u8]) -> bool,
    tainted: &BTreeSet<&[u8]>,
) -> Option<Hit> {
    if text.len() >= SHORT_PAGE {
        return None;
    }
    let brought = |part: &[u8]| input(part) || tainted.iter().any(|name| self::names(part, name));
    language.stores.iter().find_map(|word| {
        memmem::find_iter(text, word.as_bytes()).take(MOST_CALLS).find_map(|at| {
            let before = byte_before(text, at);
            let function = is_function(language, word, before, true)
                || matches!(before, Some(b'.')) && language.sigil.is_none();
            let arguments = arguments(language, text, at, word);
            let mut each = arguments.split(|byte| *byte == b',');
            let (first, second) = (each.next().unwrap_or_default(), each.next());
            let opens = matches!(*word, "fopen(" | "open(" | "saveas(") || second.is_none();
            let written = if opens {
                // Opened first, and written by another call.
                let writes = second.is_none_or(|mode| has(mode, b"w") || has(mode, b"a"));
                let whole = has(text, b"write") || has(text, b"fputs(") || has(text, b"saveas(");
                writes && whole && brought(first)
            } else {
                brought(first) && second.is_some_and(brought)
            };
            (function && written).then(|| Hit::new(How::Stored, at, word, arguments))
        })
    })
}

/// Whether a word is the function that is meant, by what stands before it: `mysqli_exec(`, `->exec(`, `db.execute(` and
/// `pattern.exec(` are others.
fn is_function(language: &Language, word: &str, before: Option<u8>, node: bool) -> bool {
    let Some(before) = before else { return true };
    if !word.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return true;
    }
    let part = before.is_ascii_alphanumeric() || matches!(before, b'_' | b'>');
    match before {
        b':' => language.sigil.is_none(),
        b'.' => language.sigil.is_some() || node || !matches!(word, "exec(" | "execute(" | "eval("),
        _ if matches!(word, "bash-c" | "sh-c" | "qx") => true,
        _ => !part || matches!(language.name, "JSP" | "ASP"),
    }
}

/// What reaches a call.
fn reaches(
    language: &Language,
    word: &str,
    arguments: &[u8],
    input: &impl Fn(&[u8]) -> bool,
    tainted: &BTreeSet<&[u8]>,
) -> Option<How> {
    // Only a modifier makes it run its replacement.
    if word == "preg_replace(" && !runs_replacement(arguments) {
        return None;
    }
    // Callbacks run something only when the request names it.
    let mut each = arguments.split(|byte| *byte == b',');
    let callback = match word {
        "array_map("
        | "ob_start("
        | "call_user_func("
        | "call_user_func_array("
        | "forward_static_call("
        | "register_shutdown_function(" => each.next(),
        "array_filter(" | "array_walk(" | "array_reduce(" | "usort(" | "uasort(" | "uksort(" => {
            Some(each.nth(1).unwrap_or_default())
        }
        _ => None,
    };
    let judged = callback.unwrap_or(arguments);
    // `array_map('assert', $_POST)`.
    let by_name = callback.is_some_and(|one| CALLED.iter().any(|name| quoted_name(one, name)));
    let handed = names_program(word, arguments);
    if input(judged) || (by_name && input(arguments)) {
        return Some(if handed { How::Handed } else { How::Direct });
    }
    let nested = language.decodes.iter().filter(|word| has(judged, word.as_bytes())).count();
    let code = matches!(
        word,
        "eval("
            | "assert("
            | "create_function("
            | "exec("
            | "preg_replace("
            | "defineclass("
            | "assembly.load("
    );
    // `eval(${"_" . chr(80) . "OST"}['x'])`: the name is put together so as not to be read.
    let named_by_text = [&b"${"[..], b"$$"].iter().any(|start| judged.starts_with(start));
    if code && (nested > 0 || (language.sigil.is_some() && named_by_text)) {
        return Some(How::Decoded);
    }
    // Pages that are chosen by a variable are common, if not safe.
    let page = word.starts_with("include") || word.starts_with("require");
    let made = !page && tainted.iter().any(|name| names(judged, name));
    made.then_some(if handed { How::Handed } else { How::Variable })
}

/// Whether a call names the program that it runs, and that is no shell: the request gives arguments only.
fn names_program(word: &str, arguments: &[u8]) -> bool {
    const SHELLS: [&[u8]; 8] =
        [b"sh", b"bash", b"dash", b"ash", b"zsh", b"cmd", b"cmd.exe", b"powershell"];
    if !matches!(word, "spawn(" | "spawnsync(" | "execfile(" | "subprocess.")
        || has(arguments, b"shell=true")
        || has(arguments, b"shell:true")
    {
        return false;
    }
    let rest = if word == "subprocess." {
        // Of a list the first is the program; a text is a line of its own.
        let open = arguments.iter().position(|byte| *byte == b'(').unwrap_or(arguments.len());
        let list = arguments.get(open..).unwrap_or_default().strip_prefix(b"([");
        list.unwrap_or_default()
    } else {
        arguments
    };
    let mark = rest.first().copied().filter(|byte| matches!(byte, b'"' | b'\''));
    let inner = rest.get(1..).unwrap_or_default();
    let Some(end) = mark.and_then(|mark| memchr::memchr(mark, inner)) else { return false };
    let program = inner.get(..end).unwrap_or_default();
    let name = program.rsplit(|byte| *byte == b'/').next().unwrap_or(program);
    let interprets = name.starts_with(b"python") || name.starts_with(b"perl");
    !name.is_empty() && !interprets && !SHELLS.contains(&name)
}

/// Functions that are handed to others by their names.
const CALLED: [&str; 6] = ["assert", "system", "eval", "exec", "passthru", "shell_exec"];

/// Whether an argument is a name in quotation marks.
fn quoted_name(argument: &[u8], name: &str) -> bool {
    let inner = argument.strip_prefix(b"\"").or_else(|| argument.strip_prefix(b"'"));
    let rest = inner.and_then(|rest| rest.strip_prefix(name.as_bytes()));
    rest.is_some_and(|rest| matches!(rest.first(), Some(b'"' | b'\'')))
}

/// `/e` in a pattern of `preg_replace`.
fn runs_replacement(arguments: &[u8]) -> bool {
    let first = arguments.split(|byte| *byte == b',').next().unwrap_or_default();
    let quote = first.first().copied().filter(|byte| matches!(byte, b'"' | b'\''));
    let inner = quote.and_then(|quote| first.strip_suffix(&[quote]));
    inner.is_some_and(|inner| {
        let modifiers = inner.iter().rev().take_while(|byte| byte.is_ascii_alphabetic());
        modifiers.into_iter().any(|byte| *byte == b'e') && inner.len() > 3
    })
}

/// `$_GET['f']($_GET['x'])`: the request names the function. `$f($_GET['x'])`: nobody knows what does.
fn called_by_name(language: &Language, text: &[u8], tainted: &BTreeSet<&[u8]>) -> Option<Hit> {
    language.sigil?;
    if let Some(at) = tainted.iter().find_map(|name| called(text, name)) {
        return Some(Hit { how: How::Direct, at });
    }
    // `$f = 'assert'`.
    let known: BTreeSet<&[u8]> = assignments(language, text)
        .into_iter()
        .filter(|(_, value)| CALLED.iter().any(|name| quoted_name(value, name)))
        .map(|(name, _)| name)
        .take(MOST_NAMES)
        .collect();
    let mut given: Option<Hit> = None;
    for word in language.input.iter().filter(|word| word.starts_with("$_")) {
        for at in memmem::find_iter(text, word.as_bytes()).take(MOST_CALLS) {
            let rest = text.get(at..at.saturating_add(80).min(text.len())).unwrap_or_default();
            let close = rest.iter().position(|byte| matches!(byte, b']' | b'}'));
            if close.and_then(|close| rest.get(close.saturating_add(1))) == Some(&b'(') {
                return Some(Hit { how: How::Direct, at: at..at.saturating_add(rest.len()) });
            }
            if let Some((name, from)) = called_around(text, at) {
                let how = if known.contains(name) { How::Direct } else { How::Called };
                if given.as_ref().is_none_or(|given| given.how < how) {
                    given = Some(Hit { how, at: from..at.saturating_add(rest.len()) });
                }
            }
        }
    }
    given
}

/// The variable that is called with what stands at a place, directly or through other calls, and where it stands:
/// `$f(base64_decode($_POST['x']))`.
fn called_around(text: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let mut before = text.get(..at)?;
    for _ in 0..MOST_NESTED {
        let outer = before.strip_suffix(b"(")?;
        let name = last_name(outer);
        let from = outer.len().saturating_sub(name.len());
        match name {
            [] | [b'$'] => return None,
            [b'$', ..] => return Some((name, from)),
            _ => before = outer.get(..from)?,
        }
    }
    None
}

/// Where a name is called.
fn called(text: &[u8], name: &[u8]) -> Option<Range<usize>> {
    let mut ends = memmem::find_iter(text, name).map(|at| (at, at.saturating_add(name.len())));
    let (at, end) = ends.find(|(_, end)| text.get(*end) == Some(&b'('))?;
    Some(at..end.saturating_add(1))
}

/// A short page that takes a request, decodes and runs something, whatever way it takes between them.
fn everything_together(language: &Language, text: &[u8]) -> Option<Hit> {
    const CODE: [&str; 6] =
        ["eval(", "assert(", "defineclass(", "assembly.load(", "create_function(", "exec("];
    let any = |words: &[&str]| words.iter().any(|word| has(text, word.as_bytes()));
    let mut code = CODE.into_iter().filter(|word| language.runs.contains(word));
    let hit = code.find_map(|word| {
        let mut places = memmem::find_iter(text, word.as_bytes());
        let at = places.find(|at| is_function(language, word, byte_before(text, *at), false))?;
        Some(Hit::new(How::Variable, at, word, &[]))
    })?;
    let together = text.len() < SHORT_PAGE && any(language.input) && any(language.decodes);
    together.then_some(hit)
}

/// A tiny page that takes a request and runs a variable as code.
fn tiny(language: &Language, text: &[u8]) -> Option<Hit> {
    let any = |words: &[&str]| words.iter().any(|word| has(text, word.as_bytes()));
    if text.len() >= TINY_PAGE || !any(language.input) {
        return None;
    }
    ["eval(", "assert("].iter().find_map(|word| {
        memmem::find_iter(text, word.as_bytes()).find_map(|at| {
            let arguments = arguments(language, text, at, word);
            let variable = language.sigil.is_some_and(|sigil| arguments.first() == Some(&sigil));
            // `assert($a == 1)` asks.
            let asks = arguments.iter().any(|byte| matches!(byte, b'=' | b'<' | b'>' | b'&'))
                || has(arguments, b"instanceof");
            let code = variable && (*word == "eval(" || !asks);
            (code && is_function(language, word, byte_before(text, at), false))
                .then(|| Hit::new(How::Variable, at, word, arguments))
        })
    })
}

/// The name at the end of the left side of an assignment.
fn last_name(left: &[u8]) -> &[u8] {
    let left = left.strip_suffix(b".").or_else(|| left.strip_suffix(b":")).unwrap_or(left);
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let from = match left.iter().rposition(|byte| !part(byte)) {
        Some(at) if left.get(at) == Some(&b'$') => at,
        Some(at) => at.saturating_add(1),
        None => 0,
    };
    left.get(from..).unwrap_or_default()
}

/// Whether a text has a name that is not part of a longer one.
fn names(text: &[u8], name: &[u8]) -> bool {
    memmem::find_iter(text, name).any(|at| {
        let after = text.get(at.saturating_add(name.len()));
        let before = at.checked_sub(1).and_then(|before| text.get(before));
        let part =
            |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
        !part(after) && !part(before)
    })
}

/// A page as it is judged.
#[derive(Debug)]
pub(super) struct Normal {
    pub(super) text: Vec<u8>,
    /// Where each byte of the text stands in the page.
    places: Vec<usize>,
}

impl Normal {
    /// What the page has at a place of the text.
    fn as_written<'p>(&self, page: &'p [u8], at: Range<usize>) -> &'p [u8] {
        let place = |at: Option<usize>| self.places.get(at?).copied();
        let end = place(at.end.checked_sub(1)).map_or(0, |last| last.saturating_add(1));
        let start = place(Some(at.start)).unwrap_or(end);
        page.get(start..end).unwrap_or_default()
    }
}

/// The text in lower case, without `@`, comments, and blanks but those between words, its joined strings put together. Line
/// ends stay where they end statements.
pub(super) fn normal(text: &[u8], language: &Language) -> Normal {
    let mut out: Vec<u8> = Vec::with_capacity(text.len());
    let mut places: Vec<usize> = Vec::with_capacity(text.len());
    let (mut rest, mut blank) = (text, false);
    while let Some((byte, after)) = rest.split_first() {
        let place = text.len().saturating_sub(rest.len());
        rest = after;
        if *byte == b'/' && after.first() == Some(&b'*') {
            let end = memmem::find(after, b"*/").map_or(after.len(), |at| at.saturating_add(2));
            rest = after.get(end..).unwrap_or_default();
            continue;
        }
        let keeps = *byte == b'\n' && language.ends.contains(&b'\n');
        if *byte == b'@' || (byte.is_ascii_whitespace() && !keeps) {
            blank = true;
            continue;
        }
        // Words stay apart.
        let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        if blank && word(byte) && out.last().is_some_and(word) {
            out.push(b' ');
            places.push(place);
        }
        blank = false;
        out.push(byte.to_ascii_lowercase());
        places.push(place);
        // 'a'.'b' and "a"+"b" are one string.
        if let [.., one, b'.' | b'+', other] = out.as_slice()
            && matches!(one, b'\'' | b'"')
            && one == other
        {
            out.truncate(out.len().saturating_sub(3));
            places.truncate(out.len());
        }
    }
    Normal { text: out, places }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::triage::web_shell::languages::{ASP, JAVA, NODE, PHP, PYTHON, SCRIPT};

    fn how(language: &Language, text: &str) -> Option<How> {
        examine(language, text.as_bytes()).map(|found| found.how)
    }

    #[test]
    fn pages_of_intruders() {
        for text in [
            "<?php @eval($_POST[\"k\"]); ?>",
            "<?php system( $_GET['c'] );",
            "<?php $f = 'ass'.'ert'; $_GET['f']($_GET['x']); ?>",
            "<?php ev/* x */al($_REQUEST['a']);",
            "<?='sys'.'tem'; echo shell_exec($_COOKIE['x']);",
            "<?php echo `$_GET[c]`; ?>",
            "<?php preg_replace('/.*/e', $_POST['x'], ''); ?>",
            "<?php call_user_func($_GET['f'], 1);",
            "<?php include($_GET['page']);",
            "<?php $f = $_GET['f']; $f($_GET['x']);",
            "<?php array_map(\"assert\", (array)$_POST['x']);",
        ] {
            assert_eq!(how(&PHP, text), Some(How::Direct), "{text}");
        }
        assert_eq!(how(&PHP, "<?php eval(gzinflate(base64_decode('abc')));"), Some(How::Decoded));
        assert_eq!(how(&PHP, "<?php $c = $_POST['c']; exec($c, $o);"), Some(How::Variable));
        let built = "<?php $a = str_replace('x', '', 'axsxxsxert'); $a($_POST[1]); ?>";
        assert_eq!(how(&PHP, built), Some(How::Called));
        let nested = "<?php $f = $a.$b; $f(stripslashes(base64_decode($_COOKIE['s'])));";
        assert_eq!(how(&PHP, nested), Some(How::Called));
        let named = "<?php $f='as'.'sert'; $f(base64_decode($_COOKIE['s']));";
        assert_eq!(how(&PHP, named), Some(How::Direct));
        for text in [
            "<?php $k=$_REQUEST; foreach($k as $x) eval($x);",
            "<?php foreach ($_POST as $k => $v) { assert($v); }",
            "<?php $a=$_POST[\"a\"];$b=$a;eval($b);",
            "<?php if (isset($_GET['a']) && $x == 1) { $b = $_GET['a']; $c = $b; system($c); }",
            "<?php function f($x) { eval($x); } f(file_get_contents('php://input'));",
        ] {
            assert_eq!(how(&PHP, text), Some(How::Variable), "{text}");
        }
        let named = "<?php eval(${\"_\".chr(80).\"OST\"}[1]);";
        assert_eq!(how(&PHP, named), Some(How::Decoded));
        for text in [
            "<?php file_put_contents($_POST['f'], $_POST['c']);",
            "<?php $f = $_GET['n']; $c = $_POST['c']; fwrite(fopen($f, 'w'), $c);",
            "<?php move_uploaded_file($_FILES['f']['tmp_name'], $_FILES['f']['name']);",
        ] {
            assert_eq!(how(&PHP, text), Some(How::Stored), "{text}");
        }
        let jsp = "<% new java.io.FileOutputStream(request.getParameter(\"f\")).write(request.getParameter(\"c\").getBytes()); %>";
        assert_eq!(how(&JAVA, jsp), Some(How::Stored));
        let aspx = "<% System.IO.File.WriteAllText(Request[\"f\"], Request[\"c\"]); %>";
        assert_eq!(how(&ASP, aspx), Some(How::Stored));
        let node = "require('child_process').exec(req.query.c)";
        assert_eq!(how(&NODE, node), Some(How::Direct));
        let both = "<?php $k='k'; $p=file_get_contents('php://input'); function go($x) { $d = openssl_decrypt($x, 'AES', $GLOBALS['k']); eval($d); } go($p);";
        assert_eq!(how(&PHP, both), Some(How::Variable));
        assert_eq!(how(&SCRIPT, "#!/bin/bash\neval \"$QUERY_STRING\"\n"), Some(How::Direct));
        let jsp = "<% Runtime.getRuntime().exec(request.getParameter(\"c\")); %>";
        assert_eq!(how(&JAVA, jsp), Some(How::Direct));
        let jsp = "<% String c = request.getParameter(\"c\"); new ProcessBuilder(\"sh\", \"-c\", c).start(); %>";
        assert_eq!(how(&JAVA, jsp), Some(How::Variable));
        assert_eq!(
            how(&ASP, "<%@ Page Language=\"Jscript\"%><%eval(Request.Item[\"p\"],\"unsafe\");%>"),
            Some(How::Direct)
        );
        let cgi = "#!/usr/bin/perl\nuse CGI;\nmy $c = param('c');\nprint `$c`;\n";
        assert!(how(&SCRIPT, cgi).is_some());
        let cgi = "import cgi, os\nform = cgi.FieldStorage()\nos.system(form.getvalue('c'))\n";
        assert!(how(&PYTHON, cgi).is_some());
    }

    #[test]
    fn calls_are_quoted_as_they_are_written() {
        for (text, call) in [
            ("<?php @eval($_POST[\"k\"]); ?>", "eval($_POST[\"k\"])"),
            ("<?php Sys'.'tem( $_GET['C'] );", "Sys'.'tem( $_GET['C'] )"),
            ("<?php SYSTEM( $_GET['C'] );", "SYSTEM( $_GET['C'] )"),
            ("<?php ev/* x */al($_REQUEST['a']);", "ev/* x */al($_REQUEST['a'])"),
            ("<?php $F = $_GET['f']; $F($_GET['x']);", "$F("),
            ("<?php $_GET['Go']($_GET['x']); ?>", "$_GET['Go']($_GET['x']); ?>"),
            ("<?php include $_GET['Page'];", "include $_GET['Page']"),
            ("<?php assert('a'.'B'.$_POST['Z']);", "assert('a'.'B'.$_POST['Z'])"),
            ("<?php echo `Ls $_GET[C]`; ?>", "`Ls $_GET[C]`"),
        ] {
            let found = examine(&PHP, text.as_bytes()).map(|found| found.call);
            let found = found.map(|call| String::from_utf8(call).expect("ASCII"));
            assert_eq!(found.unwrap_or_default(), call, "{text}");
        }
    }

    #[test]
    fn honest_pages() {
        for text in [
            "<?php echo htmlspecialchars($_GET['q']); ?>",
            "<?php $name = $_POST['name']; $db->exec('SELECT 1'); echo $name;",
            "<?php $stmt = $pdo->prepare('x'); $stmt->execute([$_GET['id']]);",
            "<?php preg_replace('/[^a-z]/', '', $_GET['x']);",
            "<?php array_map('intval', $_POST['ids']);",
            "<?php if ($_GET['a'] == 'x') { require('page.php'); }",
            "<?php $data = base64_decode($row['img']); echo $data;",
            "<?php $db->query(\"UPDATE `users` SET name='\" . $db->quote($_POST['name']) . \"' WHERE `id`=1\");",
            "<?php $ids = array_filter($_POST['ids']); usort($_GET['a'], 'strcmp');",
            "<?php $n = intval($_GET['n']); system(\"seq $n\");",
            "<?php assert($_ENV['A'] !== null); $x = $_GET['x']; assert($y instanceof Z);",
            "<?php file_put_contents('/data/log', $_POST['line']);",
            "<?php move_uploaded_file($_FILES['f']['tmp_name'], $target);",
        ] {
            assert_eq!(how(&PHP, text), None, "{text}");
        }
        let flask =
            "import subprocess\nname = request.args['n']\nsubprocess.run(['convert', name])\n";
        assert_eq!(how(&PYTHON, flask), Some(How::Handed));
        let proxy = "#!/bin/sh\nproxy=$HTTP_PROXY\nsh -c \"curl -x $proxy http://a\"\n";
        assert_eq!(how(&SCRIPT, proxy), None);
        let node =
            "const { spawn } = require('child_process');\nspawn('git', ['log', req.params.id]);\n";
        assert_eq!(how(&NODE, node), Some(How::Handed));
    }

    #[test]
    fn hostile_pages_end() {
        let long = "eval(".repeat(50_000);
        assert_eq!(how(&PHP, &long), None);
        assert_eq!(how(&PHP, "eval("), None);
        assert_eq!(how(&PHP, "/*"), None);
        let chain: String = (0..20_000).map(|n| format!("$a{}=$a{n};", n + 1)).collect();
        assert_eq!(how(&PHP, &format!("<?php $a0=$_GET;{chain}")), None);
        how(&PHP, &"foreach(".repeat(30_000));
        how(&PHP, &"a=".repeat(100_000));
    }
}
