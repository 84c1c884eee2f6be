//! Pages that run what a request brings.
//!
//! A page is read as text without blanks and comments, in lower case, with joined strings (`'ev'.'al'`) put together. Then
//! it is asked what reaches the functions that run something: input of the request, a variable that was made of it in one
//! step, or text that is decoded first.

use std::collections::BTreeSet;

use memchr::memmem;

use super::finding::{Confidence, Finding, Rule, Severity};
use super::group::Group;
use super::places::{is_scratch, is_served, is_upload, split, within};
use super::quote::quote;
use super::subject::Subject;
use super::written::{MOST_READ, Written, written};

const WEB_SHELL: Rule = Rule {
    id: "web-shell",
    title: "A page that runs what a request brings",
    why: "It takes code or commands from a request and runs them: a back door that any browser opens.",
    wrong: "Administration tools (database front ends, panels) run commands by design; test code. The rule wants input of a request in what is run, or code that is decoded and then run.",
    check: "ckpt-inspect search --artifacts --regex '(?i)(eval|assert|system|exec|passthru|popen)\\s*\\(' EVIDENCE",
    attack: &["T1505.003"],
};

pub(super) const RULES: &[&Rule] = &[&WEB_SHELL];

/// Largest page that is read: longer ones are data, or libraries.
const LARGEST: u64 = 4 << 20;

/// Most bytes behind a call that belong to its arguments.
const ARGUMENTS: usize = 600;

/// Most calls of a page that are judged.
const MOST_CALLS: usize = 2000;

/// Back doors are short; of a longer page nobody can say that its parts belong together.
const SHORT_PAGE: usize = 8 << 10;

/// Most variables of a page that are followed.
const MOST_NAMES: usize = 64;

/// What makes a language's pages dangerous. All words in lower case and without blanks.
#[derive(Debug)]
struct Language {
    name: &'static str,
    /// Functions that run code or commands.
    runs: &'static [&'static str],
    /// Where a request's data is.
    input: &'static [&'static str],
    /// Functions that turn text into other text.
    decodes: &'static [&'static str],
    /// What ends a statement.
    ends: &'static [u8],
    /// What variables begin with, `$` in PHP.
    sigil: Option<u8>,
}

const PHP: Language = Language {
    name: "PHP",
    runs: &[
        "eval(",
        "assert(",
        "system(",
        "exec(",
        "passthru(",
        "shell_exec(",
        "popen(",
        "proc_open(",
        "pcntl_exec(",
        "create_function(",
        "call_user_func(",
        "call_user_func_array(",
        "array_map(",
        "array_filter(",
        "usort(",
        "register_shutdown_function(",
        "preg_replace(",
        "include(",
        "include_once(",
        "require(",
        "require_once(",
        "include$",
        "require$",
        "`",
    ],
    input: &[
        "$_get",
        "$_post",
        "$_request",
        "$_cookie",
        "$_files",
        "$_server['http_",
        "$_server[\"http_",
        "$_server['query",
        "$_server[\"query",
        "php://input",
        "getallheaders(",
        "apache_request_headers(",
        "$http_raw_post_data",
        "filter_input(",
    ],
    decodes: &[
        "base64_decode(",
        "gzinflate(",
        "gzuncompress(",
        "gzdecode(",
        "str_rot13(",
        "strrev(",
        "hex2bin(",
        "pack(",
        "convert_uudecode(",
        "urldecode(",
        "openssl_decrypt(",
    ],
    ends: b";",
    sigil: Some(b'$'),
};

const JAVA: Language = Language {
    name: "JSP",
    runs: &[
        "getruntime().exec(",
        "runtime.exec(",
        "new processbuilder(",
        "defineclass(",
        "scriptenginemanager(",
        ".eval(",
        "elprocessor(",
    ],
    input: &[
        "request.getparameter",
        "request.getheader",
        "request.getinputstream",
        "request.getreader",
        "request.getquerystring",
        "request.getcookies",
        "${param.",
    ],
    decodes: &["base64", "cipher.getinstance", "urlclassloader"],
    ends: b";",
    sigil: None,
};

const ASP: Language = Language {
    name: "ASP",
    runs: &[
        "eval(",
        "execute(",
        "executeglobal(",
        "execute request",
        "eval request",
        "execute request",
        "process.start(",
        "processstartinfo(",
        "wscript.shell",
        "assembly.load(",
        ".exec(",
        "shell(",
    ],
    input: &[
        "request.form",
        "request.querystring",
        "request.item",
        "request(",
        "request[",
        "request.binaryread",
        "request.headers",
        "request.params",
    ],
    decodes: &["frombase64string(", "createdecryptor("],
    ends: b";\n",
    sigil: None,
};

const NODE: Language = Language {
    name: "JavaScript",
    runs: &[
        "exec(",
        "execsync(",
        "execfile(",
        "spawn(",
        "spawnsync(",
        "eval(",
        "new function(",
        "runinthiscontext(",
    ],
    input: &[
        "req.query",
        "req.body",
        "req.params",
        "req.headers",
        "req.cookies",
        "req.url",
        "request.query",
        "ctx.query",
    ],
    decodes: &["buffer.from(", "atob("],
    ends: b";\n",
    sigil: None,
};

const SCRIPT: Language = Language {
    name: "CGI",
    runs: &[
        "os.system(",
        "os.popen(",
        "subprocess.",
        "exec(",
        "eval(",
        "system(",
        "`",
        "qx",
        "popen(",
        "eval\"",
        "eval$",
        "bash-c",
        "sh-c",
    ],
    input: &[
        "fieldstorage(",
        "query_string",
        "request.args",
        "request.form",
        "request.get_json",
        "request.values",
        "request.data",
        "param(",
        "params[",
        "http_",
        "self.path",
        "self.headers",
    ],
    decodes: &["b64decode(", "decode_base64(", "decompress(", "fromhex(", "marshal.loads("],
    ends: b";\n",
    sigil: None,
};

pub(super) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut group = Group::default();
    for file in written(subject).filter(|file| file.is_file() && file.size > 8) {
        if let Some(finding) = judge(subject, &file) {
            group.push(finding);
        }
    }
    group.finish(findings);
}

/// What language a file is a page of, by its name and how it begins.
fn language(path: &[u8], start: &[u8]) -> Option<&'static Language> {
    let name = split(path).1.to_ascii_lowercase();
    let parts: Vec<&[u8]> = name.split(|byte| *byte == b'.').skip(1).collect();
    let is = |ends: &[&[u8]]| parts.iter().any(|part| ends.contains(part));
    let php = has(start, b"<?php") || has(start, b"<?=");
    if is(&[
        b"php", b"php3", b"php4", b"php5", b"php7", b"php8", b"phtml", b"phar", b"pht", b"inc",
        b"phps",
    ]) || (php && is_page_place(path))
    {
        return Some(&PHP);
    }
    if is(&[b"jsp", b"jspx", b"jspf", b"jsw", b"jsv"]) {
        return Some(&JAVA);
    }
    if is(&[b"asp", b"aspx", b"ashx", b"asmx", b"asa", b"cer", b"cshtml"]) {
        return Some(&ASP);
    }
    if is(&[b"js", b"mjs", b"cjs"]) && is_served(path) {
        return Some(&NODE);
    }
    let script = is(&[b"cgi", b"pl", b"py", b"rb", b"sh"]) || start.starts_with(b"#!");
    (script && is_served(path)).then_some(&SCRIPT)
}

/// Whether a text with PHP in it is looked at whatever it is called.
fn is_page_place(path: &[u8]) -> bool {
    is_served(path) || is_scratch(path) || within(path, &[b"/app", b"/opt", b"/home"])
}

fn has(text: &[u8], word: &[u8]) -> bool {
    memmem::find(text, word).is_some()
}

fn judge(subject: &Subject<'_>, file: &Written<'_>) -> Option<Finding> {
    let path = file.path.as_bytes();
    let served = is_served(path);
    if settings(path) {
        return prepended(file);
    }
    if file.size > LARGEST || (!served && !named_as_page(path)) {
        return None;
    }
    let start = file.start(512);
    let language = language(path, &start)?;
    let text = file.start(MOST_READ);
    let packaged = subject.packages.own(path);
    let Some(found) = examine(language, &text) else {
        return uploaded(file, language, &text);
    };
    let severity = match (found.how, served || is_scratch(path)) {
        _ if packaged => Severity::Low,
        (How::Direct, true) => Severity::Critical,
        (How::Direct | How::Decoded, _) | (How::Variable, true) => Severity::High,
        (How::Variable, false) => Severity::Medium,
    };
    let confidence = match found.how {
        How::Direct => Confidence::High,
        How::Decoded => Confidence::Medium,
        How::Variable => Confidence::Low,
    };
    let title = format!("a {} page that {}: {}", language.name, found.how.word(), file.path);
    let finding = Finding::new(&WEB_SHELL, severity, confidence, title).path(file.path.clone());
    let what = format!("{}: {}", found.how.word(), quote(&found.call));
    Some(finding.seen(file.seen(what)).seen(file.seen(file.line())))
}

/// Whether a name alone says that a web server may run it; other files are looked at where they are served.
fn named_as_page(path: &[u8]) -> bool {
    const ENDS: [&[u8]; 12] = [
        b".php", b".phtml", b".phar", b".php5", b".php7", b".jsp", b".jspx", b".asp", b".aspx",
        b".ashx", b".asmx", b".cgi",
    ];
    let name = path.to_ascii_lowercase();
    ENDS.iter().any(|end| name.ends_with(end))
}

/// Files that tell a web server, or PHP, to run others.
fn settings(path: &[u8]) -> bool {
    let names: [&[u8]; 3] = [b".htaccess", b".user.ini", b"php.ini"];
    let name = split(path).1;
    names.contains(&name)
        || (name.ends_with(b".ini") && has(path, b"/php") && has(path, b"conf.d/"))
}

/// A setting that runs a file before every page, or makes pictures pages.
fn prepended(file: &Written<'_>) -> Option<Finding> {
    let text = file.start(MOST_READ);
    let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let mut lines = lines.filter(|line| !line.starts_with(b"#") && !line.starts_with(b";"));
    let (line, what) = lines.find_map(|line| {
        let lower = line.to_ascii_lowercase();
        let file = lower.rsplit(|byte| matches!(byte, b'=' | b' ')).next().unwrap_or_default();
        let prepend = (has(&lower, b"auto_prepend_file") || has(&lower, b"auto_append_file"))
            && !matches!(file, b"" | b"none" | b"\"\"");
        let picture = [&b".jpg"[..], b".png", b".gif", b".ico", b".txt"];
        let handler = (has(&lower, b"addtype") || has(&lower, b"addhandler"))
            && has(&lower, b"php")
            && picture.iter().any(|end| has(&lower, end));
        if prepend {
            Some((line, "runs a file with every page"))
        } else {
            handler.then_some((line, "makes pages of other files"))
        }
    })?;
    let title = format!("a setting that {what}: {}", file.path);
    let finding = Finding::new(&WEB_SHELL, Severity::High, Confidence::Medium, title);
    let seen = file.seen(format!("{what}: {}", quote(line)));
    Some(finding.path(file.path.clone()).seen(seen).seen(file.seen(file.line())))
}

/// A page where users put files. Those that say nothing keep others from being listed.
fn uploaded(file: &Written<'_>, language: &Language, text: &[u8]) -> Option<Finding> {
    let server_side = ![SCRIPT.name, NODE.name].contains(&language.name);
    let says = normal(text, language).len() > 60;
    if !is_upload(file.path.as_bytes())
        || !server_side
        || !says
        || !named_as_page(file.path.as_bytes())
    {
        return None;
    }
    let title = format!("a {} page among uploaded files: {}", language.name, file.path);
    let finding = Finding::new(&WEB_SHELL, Severity::Medium, Confidence::Low, title);
    Some(finding.path(file.path.clone()).seen(file.seen(file.line())))
}

/// How a request gets to what is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum How {
    /// By a variable that was made of it.
    Variable,
    /// Not seen: the code itself is decoded and run.
    Decoded,
    /// As it is.
    Direct,
}

impl How {
    fn word(self) -> &'static str {
        match self {
            Self::Direct => "runs what a request brings",
            Self::Decoded => "decodes something and runs it",
            Self::Variable => "runs what is made of a request",
        }
    }
}

/// A call that runs something.
#[derive(Debug)]
struct Found {
    how: How,
    call: Vec<u8>,
}

/// The worst call of a page.
fn examine(language: &Language, text: &[u8]) -> Option<Found> {
    let text = normal(text, language);
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
    let node = has(&text, b"child_process");
    let mut worst: Option<Found> = None;
    let mut calls = 0_usize;
    for word in language.runs {
        for at in memmem::find_iter(&text, word.as_bytes()) {
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
                worst = Some(Found { how, call: [word.as_bytes(), arguments].concat() });
            }
        }
    }
    let found = worst.or_else(|| called_by_name(language, &text, &tainted));
    found.or_else(|| everything_together(language, &text))
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

/// `$_GET['f']($_GET['x'])`: the request names the function.
fn called_by_name(language: &Language, text: &[u8], tainted: &BTreeSet<&[u8]>) -> Option<Found> {
    let called = |name: &&&[u8]| names_before(text, name, b'(');
    if language.sigil.is_some()
        && let Some(name) = tainted.iter().find(called)
    {
        return Some(Found { how: How::Direct, call: [name, &b"("[..]].concat() });
    }
    let words = language.input.iter().filter(|word| word.starts_with("$_"));
    for word in words.filter(|_| language.sigil.is_some()) {
        for at in memmem::find_iter(text, word.as_bytes()).take(MOST_CALLS) {
            let rest = text.get(at..at.saturating_add(80).min(text.len())).unwrap_or_default();
            let close = rest.iter().position(|byte| matches!(byte, b']' | b'}'));
            if close.and_then(|close| rest.get(close.saturating_add(1))) == Some(&b'(') {
                return Some(Found { how: How::Direct, call: rest.to_vec() });
            }
        }
    }
    None
}

/// Whether a name stands right before a byte.
fn names_before(text: &[u8], name: &[u8], byte: u8) -> bool {
    memmem::find_iter(text, name).any(|at| text.get(at.saturating_add(name.len())) == Some(&byte))
}

/// A short page that takes a request, decodes and runs something, whatever way it takes between them.
fn everything_together(language: &Language, text: &[u8]) -> Option<Found> {
    const CODE: [&str; 6] =
        ["eval(", "assert(", "defineclass(", "assembly.load(", "create_function(", "exec("];
    let any = |words: &[&str]| words.iter().any(|word| has(text, word.as_bytes()));
    let mut code = CODE.into_iter().filter(|word| language.runs.contains(word));
    let word = code.find(|word| {
        memmem::find_iter(text, word.as_bytes()).any(|at| {
            let before = at.checked_sub(1).and_then(|before| text.get(before)).copied();
            is_function(language, word, before, false)
        })
    })?;
    let together = text.len() < SHORT_PAGE && any(language.input) && any(language.decodes);
    together.then(|| Found { how: How::Variable, call: word.as_bytes().to_vec() })
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

/// The text in lower case, without `@`, comments, and blanks but those between words, its joined strings put together. Line ends stay where they
/// end statements.
fn normal(text: &[u8], language: &Language) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(text.len());
    let (mut rest, mut blank) = (text, false);
    while let Some((byte, after)) = rest.split_first() {
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
        }
        blank = false;
        out.push(byte.to_ascii_lowercase());
        // 'a'.'b' and "a"+"b" are one string.
        if let [.., one, b'.' | b'+', other] = out.as_slice()
            && matches!(one, b'\'' | b'"')
            && one == other
        {
            out.truncate(out.len().saturating_sub(3));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

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
