//! Calls of functions that run something, and what of a request reaches them.

use std::collections::BTreeSet;

use super::languages::{Language, has};
use super::variables::names;

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

/// Most bytes behind a call that belong to its arguments.
pub(super) const ARGUMENTS: usize = 600;

/// Functions that are handed to others by their names.
pub(super) const CALLED: [&str; 6] = ["assert", "system", "eval", "exec", "passthru", "shell_exec"];

pub(super) fn byte_before(text: &[u8], at: usize) -> Option<u8> {
    at.checked_sub(1).and_then(|before| text.get(before)).copied()
}

/// Where the arguments of a call begin.
pub(super) fn behind(at: usize, word: &str) -> usize {
    // `include $x`: the variable is the argument.
    at.saturating_add(word.len()).saturating_sub(usize::from(word.ends_with('$')))
}

/// What stands behind a call, to the end of the statement.
pub(super) fn arguments<'a>(
    language: &Language,
    text: &'a [u8],
    at: usize,
    word: &str,
) -> &'a [u8] {
    let from = behind(at, word);
    let rest = text.get(from..from.saturating_add(ARGUMENTS).min(text.len())).unwrap_or_default();
    let end = rest.iter().position(|byte| language.ends.contains(byte)).unwrap_or(rest.len());
    rest.get(..end).unwrap_or(rest)
}

/// Whether a word is the function that is meant, by what stands before it: `mysqli_exec(`, `->exec(`, `db.execute(` and
/// `pattern.exec(` are others.
pub(super) fn is_function(language: &Language, word: &str, before: Option<u8>, node: bool) -> bool {
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
pub(super) fn reaches(
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
    // Perl's runs something only with a pipe.
    if matches!(word, "open(" | "open ") && !opens_pipe(arguments) {
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

/// Whether an argument is a name in quotation marks.
pub(super) fn quoted_name(argument: &[u8], name: &str) -> bool {
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

/// `open(F, "$x |")`, `open(F, "| $x")`, `open(F, "-|", $x)`, `open(F, "|-")`: what is opened is a command.
fn opens_pipe(arguments: &[u8]) -> bool {
    let signs: [&[u8]; 8] = [b",\"|", b",'|", b"|\")", b"|')", b"|\"", b"|'", b"-|", b",qq{|"];
    signs.iter().any(|sign| has(arguments, sign))
}
