//! What of a request reaches what a page runs.

use std::collections::BTreeSet;
use std::ops::Range;

use memchr::memmem;

use super::languages::{Language, has};

/// Most bytes behind a call that belong to its arguments.
const ARGUMENTS: usize = 600;

/// Most calls of a page that are judged.
const MOST_CALLS: usize = 2000;

/// Back doors are short; of a longer page nobody can say that its parts belong together.
const SHORT_PAGE: usize = 8 << 10;

/// Most variables of a page that are followed.
const MOST_NAMES: usize = 64;

/// How a request gets to what is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum How {
    /// To a function that only the page knows.
    Called,
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
            Self::Called => "hands what a request brings to a function by its name",
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

/// The worst call of a page.
pub(super) fn examine(language: &Language, page: &[u8]) -> Option<Found> {
    let normal = normal(page, language);
    let hit = worst(language, &normal.text)?;
    Some(Found { how: hit.how, call: normal.as_written(page, hit.at).to_vec() })
}

fn worst(language: &Language, text: &[u8]) -> Option<Hit> {
    let statements: Vec<&[u8]> = text.split(|byte| language.ends.contains(byte)).collect();
    let input = |part: &[u8]| language.input.iter().any(|word| has(part, word.as_bytes()));
    let tainted: BTreeSet<&[u8]> = statements
        .iter()
        .filter_map(|statement| {
            let at = statement.iter().position(|byte| *byte == b'=')?;
            let (left, right) = statement.split_at_checked(at)?;
            // Comparisons assign nothing.
            let assigns =
                right.get(1) != Some(&b'=') && !left.ends_with(b"!") && !left.ends_with(b"=");
            (assigns && input(right)).then(|| last_name(left))
        })
        .filter(|name| name.len() > usize::from(language.sigil.is_some()))
        .take(MOST_NAMES)
        .collect();
    let node = has(text, b"child_process");
    let mut worst: Option<Hit> = None;
    let mut calls = 0_usize;
    for word in language.runs {
        for at in memmem::find_iter(text, word.as_bytes()) {
            calls = calls.saturating_add(1);
            if calls > MOST_CALLS {
                return worst;
            }
            let before = at.checked_sub(1).and_then(|before| text.get(before)).copied();
            if !is_function(language, word, before, node) {
                continue;
            }
            // `include $x`: the variable is the argument.
            let from =
                at.saturating_add(word.len()).saturating_sub(usize::from(word.ends_with('$')));
            let rest =
                text.get(from..from.saturating_add(ARGUMENTS).min(text.len())).unwrap_or_default();
            let end =
                rest.iter().position(|byte| language.ends.contains(byte)).unwrap_or(rest.len());
            let arguments = rest.get(..end).unwrap_or(rest);
            let Some(how) = reaches(language, word, arguments, &input, &tainted) else { continue };
            if worst.as_ref().is_none_or(|known| known.how < how) {
                worst = Some(Hit { how, at: at..from.saturating_add(arguments.len()) });
            }
        }
    }
    let found = worst.or_else(|| called_by_name(language, text, &tainted));
    found.or_else(|| everything_together(language, text))
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
    let callback = matches!(
        word,
        "array_map("
            | "array_filter("
            | "usort("
            | "call_user_func("
            | "call_user_func_array("
            | "register_shutdown_function("
    );
    let first = arguments.split(|byte| *byte == b',').next().unwrap_or(arguments);
    let judged = if callback { first } else { arguments };
    let quoted = word == "`" && !arguments.contains(&b'`');
    if quoted {
        return None;
    }
    // `array_map('assert', $_POST)`.
    let by_name = callback && CALLED.iter().any(|name| quoted_name(first, name));
    if input(judged) || (by_name && input(arguments)) {
        return Some(How::Direct);
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
    if code && nested > 0 {
        return Some(How::Decoded);
    }
    // Pages that are chosen by a variable are common, if not safe.
    let page = word.starts_with("include") || word.starts_with("require");
    (!page && tainted.iter().any(|name| names(judged, name))).then_some(How::Variable)
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
    let mut given = None;
    for word in language.input.iter().filter(|word| word.starts_with("$_")) {
        for at in memmem::find_iter(text, word.as_bytes()).take(MOST_CALLS) {
            let rest = text.get(at..at.saturating_add(80).min(text.len())).unwrap_or_default();
            let close = rest.iter().position(|byte| matches!(byte, b']' | b'}'));
            if close.and_then(|close| rest.get(close.saturating_add(1))) == Some(&b'(') {
                return Some(Hit { how: How::Direct, at: at..at.saturating_add(rest.len()) });
            }
            let before = text.get(..at).and_then(|before| before.strip_suffix(b"("));
            let name = before.map(last_name).filter(|name| name.len() > 1);
            if let Some(name) = name.filter(|name| name.starts_with(b"$")) {
                let from = at.saturating_sub(name.len().saturating_add(1));
                let at = from..at.saturating_add(rest.len());
                given = given.or(Some(Hit { how: How::Called, at }));
            }
        }
    }
    given
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
    let at = code.find_map(|word| {
        let mut places = memmem::find_iter(text, word.as_bytes());
        let at = places.find(|at| {
            let before = at.checked_sub(1).and_then(|before| text.get(before)).copied();
            is_function(language, word, before, false)
        })?;
        Some(at..at.saturating_add(word.len()))
    })?;
    let together = text.len() < SHORT_PAGE && any(language.input) && any(language.decodes);
    together.then_some(Hit { how: How::Variable, at })
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

/// The text in lower case, without `@`, comments, and blanks but those between words, its joined strings put together. Line ends stay where they
/// end statements.
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
    use crate::triage::web_shell::languages::{ASP, JAVA, PHP, SCRIPT};

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
        assert!(how(&SCRIPT, cgi).is_some());
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
        ] {
            assert_eq!(how(&PHP, text), None, "{text}");
        }
    }

    #[test]
    fn hostile_pages_end() {
        let long = "eval(".repeat(50_000);
        assert_eq!(how(&PHP, &long), None);
        assert_eq!(how(&PHP, "eval("), None);
        assert_eq!(how(&PHP, "/*"), None);
    }
}
