//! The rules of a set one by one, as they stand in their files: so that some of them can be compiled without the others.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use boreal::{Compiler, Scanner};
use boreal_parser::file::YaraFileComponent;
use codespan_reporting::diagnostic::{Diagnostic, Label};
use codespan_reporting::files::SimpleFile;
use codespan_reporting::term::{self, Config, termcolor::Buffer};

use super::rules::{Definition, compiler};

/// Most files that include one another.
pub(super) const MOST_INCLUDED: usize = 16;

/// What a set of rules is compiled from.
#[derive(Clone, Debug, Default)]
pub(super) struct RuleSet {
    definitions: Vec<Definition>,
    files: Vec<File>,
    /// In the order in which they are compiled.
    pub(super) items: Vec<Item>,
}

#[derive(Clone, Debug)]
struct File {
    name: String,
    text: String,
}

/// A rule, or an import.
#[derive(Clone, Debug)]
pub(super) struct Item {
    namespace: Arc<str>,
    file: usize,
    range: Range<usize>,
    rule: Option<ItemRule>,
}

/// What is to be known of a rule.
#[derive(Clone, Debug)]
struct ItemRule {
    name: String,
    is_global: bool,
    is_private: bool,
    /// Where its condition begins in the file.
    condition: usize,
}

impl Item {
    /// Namespace and name of a rule that is told when it matches.
    pub(super) fn told(&self) -> Option<(&str, &str)> {
        let rule = self.rule.as_ref().filter(|rule| !rule.is_private)?;
        Some((&self.namespace, &rule.name))
    }

    /// Whether the other rules of its namespace match only where it does.
    pub(super) fn is_global(&self) -> bool {
        self.rule.as_ref().is_some_and(|rule| rule.is_global)
    }
}

impl RuleSet {
    /// Nothing, with the external variables of what is added.
    pub(super) fn new(definitions: &[Definition]) -> Self {
        Self { definitions: definitions.to_vec(), ..Self::default() }
    }

    /// Adds the rules of a file and of what it includes; else a report of what is wrong.
    pub(super) fn add_file(
        &mut self,
        path: &Path,
        namespace: &Arc<str>,
        depth: usize,
    ) -> Result<(), String> {
        let name = path.display().to_string();
        let bytes = fs::read(path).map_err(|error| {
            let what = format!("Cannot read rules file {name}: {error}");
            diagnosed(&name, "", &Diagnostic::error().with_message(what))
        })?;
        let text = decoded(&bytes);
        let file = self.files.len();
        let parsed = match boreal_parser::parse(&text) {
            Ok(parsed) => parsed,
            Err(error) => return Err(diagnosed(&name, &text, &error.to_diagnostic())),
        };
        self.files.push(File { name: name.clone(), text: text.clone() });
        let mut from = 0;
        for component in parsed.components {
            match component {
                YaraFileComponent::Include(include) => {
                    from = include.span.end;
                    let wrong = |what: String| {
                        let label = Label::primary((), include.span.clone());
                        let what = Diagnostic::error().with_message(what).with_labels(vec![label]);
                        diagnosed(&name, &text, &what)
                    };
                    let path = path.parent().unwrap_or(path).join(&include.path);
                    let Some(depth) = depth.checked_sub(1) else {
                        return Err(wrong(format!(
                            "more than {MOST_INCLUDED} files include one another"
                        )));
                    };
                    let path = path.canonicalize().map_err(|error| {
                        wrong(format!("cannot include `{}`: {error}", path.display()))
                    })?;
                    self.add_file(&path, namespace, depth)?;
                }
                YaraFileComponent::Import(import) => {
                    from = import.span.end;
                    let (namespace, range) = (Arc::clone(namespace), import.span);
                    self.items.push(Item { namespace, file, range, rule: None });
                }
                YaraFileComponent::Rule(rule) => {
                    let end = closed(&text, rule.condition.span.end);
                    let range = from..end;
                    from = end;
                    let rule = ItemRule {
                        name: rule.name,
                        is_global: rule.is_global,
                        is_private: rule.is_private,
                        condition: rule.condition.span.start,
                    };
                    let namespace = Arc::clone(namespace);
                    self.items.push(Item { namespace, file, range, rule: Some(rule) });
                }
            }
        }
        Ok(())
    }

    /// Compiles an item; what the compiler warns of, else a report of what is wrong.
    pub(super) fn compile(
        &self,
        compiler: &mut Compiler,
        item: &Item,
    ) -> Result<Vec<String>, String> {
        let Some((file, text)) = self.text(item) else { return Ok(Vec::new()) };
        let start = item.range.start;
        // The compiler was given a piece of the file.
        let report = |mut diagnostic: Diagnostic<()>| {
            for label in &mut diagnostic.labels {
                label.range =
                    label.range.start.saturating_add(start)..label.range.end.saturating_add(start);
            }
            diagnosed(&file.name, &file.text, &diagnostic)
        };
        match compiler.add_rules_str_in_namespace(text, &item.namespace) {
            Ok(status) => {
                Ok(status.warnings().map(|warning| report(warning.to_diagnostic())).collect())
            }
            Err(error) => Err(report(error.to_diagnostic())),
        }
    }

    fn text(&self, item: &Item) -> Option<(&File, &str)> {
        let file = self.files.get(item.file)?;
        Some((file, file.text.get(item.range.clone())?))
    }

    fn condition(&self, item: &Item) -> Option<&str> {
        let start = item.rule.as_ref()?.condition;
        self.files.get(item.file)?.text.get(start..item.range.end)
    }

    /// A scanner of some of the rules, by their places, with what they need: imports, the global rules of their
    /// namespaces, and rules that they name.
    pub(super) fn scanner(&self, wanted: &[usize]) -> Option<Scanner> {
        let mut needed: BTreeSet<usize> = wanted.iter().copied().collect();
        let namespaces: BTreeSet<&str> = wanted
            .iter()
            .filter_map(|at| self.items.get(*at))
            .map(|item| &*item.namespace)
            .collect();
        let rules = self.items.iter().enumerate();
        needed.extend(
            rules
                .filter(|(_, item)| item.is_global() && namespaces.contains(&*item.namespace))
                .map(|(at, _)| at),
        );
        let mut names: HashMap<(&str, &str), usize> = HashMap::new();
        for (at, item) in self.items.iter().enumerate() {
            if let Some(rule) = &item.rule {
                names.insert((&item.namespace, &rule.name), at);
            }
        }
        let mut open: Vec<usize> = needed.iter().copied().collect();
        while let Some(at) = open.pop() {
            let Some(item) = self.items.get(at) else { continue };
            let Some(condition) = self.condition(item) else { continue };
            for (name, all) in words(condition) {
                let before = |(_, other): &(usize, &Item)| {
                    let rule = other.rule.as_ref();
                    other.namespace == item.namespace
                        && rule.is_some_and(|rule| rule.name.starts_with(name))
                };
                if all {
                    let some = self.items.iter().enumerate().take(at).filter(before);
                    open.extend(some.map(|(at, _)| at).filter(|at| needed.insert(*at)));
                } else if let Some(other) = names.get(&(&*item.namespace, name))
                    && needed.insert(*other)
                {
                    open.push(*other);
                }
            }
        }
        let mut compiler = compiler(&self.definitions);
        for (at, item) in self.items.iter().enumerate() {
            let import = item.rule.is_none() && namespaces.contains(&*item.namespace);
            if import || needed.contains(&at) {
                // They were compiled once with all others.
                self.compile(&mut compiler, item).ok()?;
            }
        }
        Some(compiler.finalize())
    }
}

/// Names in a condition that are none of strings or fields, and whether a `*` follows: more than those of rules, never fewer.
fn words(text: &str) -> impl Iterator<Item = (&str, bool)> {
    let part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let start = rest.find(part)?;
            let other = rest.get(..start)?.ends_with(['$', '#', '@', '!', '.']);
            let from = rest.get(start..)?;
            let end = from.find(|letter| !part(letter)).unwrap_or(from.len());
            let word = from.get(..end)?;
            rest = from.get(end..)?;
            if !other {
                return Some((word, rest.starts_with('*')));
            }
        }
    })
}

/// The end of a rule whose condition ends at an offset: there are brackets and comments before its brace.
fn closed(text: &str, from: usize) -> usize {
    let mut at = from;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let comment =
            [("//", "\n"), ("/*", "*/")].into_iter().find(|(open, _)| rest.starts_with(open));
        let step = match comment {
            Some((_, close)) => {
                rest.find(close).map_or(rest.len(), |end| end.saturating_add(close.len()))
            }
            None => {
                let first = rest.chars().next().map_or(1, char::len_utf8);
                if rest.starts_with('}') {
                    return at.saturating_add(first);
                }
                first
            }
        };
        at = at.saturating_add(step);
    }
    text.len()
}

/// The text of a rule file. Bytes that are no UTF-8 are written as `\xHH`, which is the same in strings and regular expressions
/// and nothing in comments.
fn decoded(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let backslashes = text.bytes().rev().take_while(|byte| *byte == b'\\').count();
            if backslashes % 2 == 1 {
                text.pop();
            }
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// A report with the lines that it is about.
fn diagnosed(name: &str, text: &str, diagnostic: &Diagnostic<()>) -> String {
    let file = SimpleFile::new(name, text);
    let mut out = Buffer::no_color();
    match term::emit_to_write_style(&mut out, &Config::default(), &file, diagnostic) {
        Ok(()) => String::from_utf8_lossy(out.as_slice()).trim_end().to_owned(),
        Err(_) => format!("{name}: {}", diagnostic.message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_utf8_stand_for_themselves() {
        assert_eq!(decoded("ä \\".as_bytes()), "ä \\");
        assert_eq!(decoded(b"/* caf\xe9 */ \"\xff\xfe\""), "/* caf\\xe9 */ \"\\xff\\xfe\"");
        assert_eq!(decoded(b"/\\\xe9/ /\\\\\xe9/"), "/\\xe9/ /\\\\\\xe9/");
    }

    #[test]
    fn the_end_of_a_rule() {
        let text = "rule a { condition: (true) /* } */ // }\n } rule b";
        assert_eq!(closed(text, 21), text.len() - " rule b".len());
        assert_eq!(closed("rule", 1), 4);
    }

    #[test]
    fn names_in_a_rule() {
        let all: Vec<_> = words("any of (Ab_*) and $a and pe.b and c1").collect();
        let wanted =
            ["any", "of", "Ab_", "and", "and", "pe", "and", "c1"].map(|word| (word, word == "Ab_"));
        assert_eq!(all, wanted);
    }
}
