//! A reader of the report's page, for tests and for the fuzz target `report`.

use std::collections::HashSet;

/// What the templates write, and nothing else may be in a page.
const TAGS: [&str; 41] = [
    "html", "head", "meta", "title", "link", "style", "body", "a", "header", "div", "p", "h1",
    "h2", "h3", "h4", "nav", "ul", "ol", "li", "main", "section", "span", "strong", "code",
    "details", "summary", "dl", "dt", "dd", "pre", "table", "thead", "tbody", "tr", "th", "td",
    "svg", "rect", "path", "text", "script",
];
const VOID: [&str; 2] = ["meta", "link"];
const ATTRIBUTES: [&str; 32] = [
    "lang",
    "charset",
    "http-equiv",
    "content",
    "name",
    "rel",
    "href",
    "class",
    "id",
    "aria-label",
    "aria-labelledby",
    "open",
    "tabindex",
    "role",
    "viewBox",
    "x",
    "y",
    "width",
    "height",
    "d",
    "scope",
    "start",
    "visibility",
    "data-time",
    "data-from",
    "data-to",
    "data-first",
    "data-last",
    "data-left",
    "data-right",
    "data-filter",
    "data-folds",
];

/// Reads a page as strictly as no browser does: known tags in order, one style and one script, known attributes in quotes, no
/// other angle bracket.
/// Returns its text.
pub(crate) fn parse(page: &str) -> String {
    let mut text = String::new();
    let mut open: Vec<&str> = Vec::new();
    let mut ids = HashSet::new();
    let mut raw = Vec::new();
    let body = page.trim_start().strip_prefix("<!doctype html>").expect("a doctype");
    let mut rest = body;
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        assert!(!before.contains('>'), "a bracket in {before:?}");
        text.push_str(before);
        if let Some(end) = tag.strip_prefix("</") {
            let (name, after) = end.split_once('>').expect("the end of a tag");
            assert_eq!(open.pop(), Some(name), "</{name}> ends what is not open");
            rest = after;
            continue;
        }
        let name = tag[1..].split(|c: char| !c.is_ascii_alphanumeric()).next().expect("a name");
        assert!(TAGS.contains(&name), "<{name}> is none of the page's tags");
        rest = attributes(&tag[1 + name.len()..], &mut ids);
        if matches!(name, "style" | "script") {
            raw.push(name);
            rest = rest.split_once(&format!("</{name}>")).expect("its end").1;
        } else if !VOID.contains(&name) {
            open.push(name);
        }
    }
    assert_eq!(open, [""; 0]);
    assert_eq!(raw, ["style", "script"], "one of each is the page's own");
    text.push_str(rest);
    unescape(&text)
}

/// Skips the attributes of a tag, and its end.
fn attributes<'a>(mut rest: &'a str, ids: &mut HashSet<&'a str>) -> &'a str {
    loop {
        if let Some(after) = rest.strip_prefix('>') {
            return after;
        }
        rest = rest.strip_prefix(' ').expect("a space before an attribute");
        let end = rest.find(['=', ' ', '>']).expect("the end of a name");
        let (name, after) = rest.split_at(end);
        assert!(ATTRIBUTES.contains(&name), "{name} is none of the page's attributes");
        rest = after;
        if let Some(quoted) = after.strip_prefix("=\"") {
            let (value, after) = quoted.split_once('"').expect("the end of a value");
            assert!(!value.contains(['<', '>']), "{value:?}");
            assert!(name != "href" || value.starts_with('#') || value == "data:,", "{value:?}");
            assert!(name != "id" || ids.insert(value), "{value} twice");
            rest = after;
        }
    }
}

fn unescape(text: &str) -> String {
    let pairs = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#x27;", "'"),
        ("&#x2f;", "/"),
        ("&amp;", "&"),
    ];
    pairs.iter().fold(text.to_owned(), |text, (escaped, letter)| text.replace(escaped, letter))
}

/// Nothing in it changes what is seen of the rest.
pub(crate) fn assert_no_control_bytes(page: &str) {
    let bad = |letter: &char| {
        (letter.is_control() && *letter != '\n')
            || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert_eq!(page.chars().find(bad), None);
}
