//! Pages that run what a request brings.
//!
//! A page is read as text without blanks and comments, in lower case, with joined strings (`'ev'.'al'`) put together. Then
//! it is asked what reaches the functions that run something: input of the request, a variable that was made of it, or
//! text that is decoded first.

mod backticks;
mod calls;
mod languages;
mod normal;
mod page;
mod variables;

use super::finding::{Confidence, Finding, Rule, Severity};
use super::group::Group;
use super::places::{is_scratch, is_served, is_upload, split};
use super::quote::quote;
use super::subject::Subject;
use super::written::{MOST_READ, Written, written};
use calls::How;
use languages::{Language, NODE, SCRIPT, has, language};
use normal::normal;
use page::examine;

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

pub(super) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut group = Group::default();
    for file in written(subject).filter(|file| file.is_file() && file.size > 8) {
        if let Some(finding) = judge(subject, &file) {
            group.push(finding);
        }
    }
    group.finish(findings);
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
    let language = language(path, &start, file.mode & 0o111 != 0)?;
    let text = file.start(MOST_READ);
    let packaged = subject.packages.own(path);
    let Some(found) = examine(language, &text) else {
        return uploaded(file, language, &text);
    };
    // Applications of these languages are no pages, and run programs on request.
    let server_side = is_server_side(language);
    let severity = match (found.how, served || is_scratch(path)) {
        _ if packaged => Severity::Low,
        (How::Direct, true) => Severity::Critical,
        (How::Direct | How::Decoded, _) => Severity::High,
        (How::Variable, true) if server_side => Severity::High,
        (How::Variable | How::Called | How::Stored | How::Handed, _) => Severity::Medium,
    };
    let confidence = match found.how {
        How::Direct => Confidence::High,
        How::Decoded => Confidence::Medium,
        How::Variable | How::Called | How::Stored | How::Handed => Confidence::Low,
    };
    let title = format!("a {} page that {}: {}", language.name, found.how.word(), file.path);
    let finding = Finding::new(&WEB_SHELL, severity, confidence, title).path(file.path.clone());
    let what = format!("{}: {}", found.how.word(), quote(&found.call));
    Some(finding.seen(file.seen(what)).seen(file.seen(file.line())))
}

/// Whether pages of a language are all that is written in it where a server runs it.
fn is_server_side(language: &Language) -> bool {
    ![SCRIPT.name, NODE.name].contains(&language.name)
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
    let server_side = is_server_side(language);
    let says = normal(text, language).text.len() > 60;
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
