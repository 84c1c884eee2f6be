//! What of a request reaches what a page runs.

use std::collections::BTreeSet;
use std::ops::Range;

use memchr::memmem;

use super::backticks::commands;
use super::calls::{
    ARGUMENTS, CALLED, How, arguments, behind, byte_before, is_function, quoted_name, reaches,
};
use super::languages::{Language, has};
use super::normal::normal;
use super::variables::{MOST_NAMES, assignments, last_name, names, tainted};

/// Most calls of a page that are judged.
pub(super) const MOST_CALLS: usize = 2000;

/// Back doors are short; of a longer page nobody can say that its parts belong together.
pub(super) const SHORT_PAGE: usize = 8 << 10;

/// What is tinier than this has no room for anything else.
const TINY_PAGE: usize = 2 << 10;

/// Most calls around one another that are followed.
const MOST_NESTED: usize = 8;

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
    let brought = |part: &[u8]| input(part) || tainted.iter().any(|name| names(part, name));
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
        for text in [
            "my $f = param('f'); open(my $h, '<', $f); print <$h>;",
            "my $f = param('f'); open(F, \"$f\") || die;",
            "open(F, \"ls /srv |\"); my $f = param('f'); print $f;",
        ] {
            assert_eq!(how(&SCRIPT, text), None, "{text}");
        }
        let node =
            "const { spawn } = require('child_process');\nspawn('git', ['log', req.params.id]);\n";
        assert_eq!(how(&NODE, node), Some(How::Handed));
    }

    /// Perl has more ways to run a command than functions that say so.
    #[test]
    fn pipes_of_perl() {
        for text in [
            "my $c = param('c'); open(F, \"$c|\"); print <F>;",
            "my $c = param('c'); open(F, \"$c |\") or die;",
            "my $c = param('c'); open F, \"$c |\"; print <F>;",
            "my $c = $q->param('c'); open(my $fh, '-|', $c) or die;",
            "my $c = param('c'); open(F, \"|-\", $c);",
            "my $c = param('c'); open(F, \"| $c\");",
            "my $c = param('c'); print qx{$c};",
            "my $c = param('c'); print qx/$c 2>&1/;",
            "my $c = param('c'); exec $c;",
            "my $c = param('c'); system \"$c\";",
        ] {
            assert_eq!(how(&SCRIPT, text), Some(How::Variable), "{text}");
        }
        let direct = "open(F, param('c').'|'); print <F>;";
        assert_eq!(how(&SCRIPT, direct), Some(How::Direct));
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
