//! Rules: the files, and what is wrong with them.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use boreal::compiler::{CompilerBuilder, CompilerParams};
use boreal::module::Console;
use boreal::{Compiler, Scanner};
use thiserror::Error;

use super::set::{MOST_INCLUDED, RuleSet};

/// Namespace of rules whose file is named, as YARA has it.
const DEFAULT_NAMESPACE: &str = "default";

/// Most directories below each other that are looked into.
const MOST_DEPTH: usize = 32;

/// An external variable and its value: `NAME=VALUE`.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    name: String,
    value: Value,
}

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Text(String),
}

impl FromStr for Definition {
    type Err = String;

    /// As `yara -d` reads it: numbers, `true` and `false` are what they look like, everything else is text.
    fn from_str(text: &str) -> Result<Self, String> {
        let Some((name, value)) = text.split_once('=') else {
            return Err("give it as NAME=VALUE".to_owned());
        };
        let first = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !first || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(format!("`{}` is no name of a variable", name.escape_default()));
        }
        let value = match value {
            "true" => Value::Boolean(true),
            "false" => Value::Boolean(false),
            _ => match (value.parse(), value.parse()) {
                (Ok(number), _) => Value::Integer(number),
                (_, Ok(number)) if value.contains('.') => Value::Float(number),
                _ => Value::Text(value.to_owned()),
            },
        };
        Ok(Self { name: name.to_owned(), value })
    }
}

/// Why rules cannot be used: every file that has something wrong with it, with the place.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub struct RulesError {
    /// One report for each.
    pub reports: Vec<String>,
}

impl fmt::Display for RulesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reports.as_slice() {
            [one] => write!(f, "the rules cannot be used\n{one}"),
            all => {
                write!(
                    f,
                    "the rules cannot be used: {} files are wrong\n{}",
                    all.len(),
                    all.join("\n")
                )
            }
        }
    }
}

/// Compiled rules.
#[derive(Clone, Debug)]
pub struct Rules {
    scanner: Scanner,
    warnings: Vec<String>,
    count: usize,
    set: Arc<RuleSet>,
}

/// A rule file, and the namespace of its rules.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Source {
    path: PathBuf,
    namespace: String,
}

impl Rules {
    /// Compiles rule files, and all `*.yar` and `*.yara` below directories.
    ///
    /// Rules of a file that is named are in the namespace `default`; those of a file in a directory are in one of their own,
    /// its path from there, so that equal names in different files do no harm. A file of a directory that another one of it
    /// includes is compiled there and not once more. Bytes that are no UTF-8 stand for themselves.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or has an error. All files are tried, and each tells its first one.
    pub fn compile(paths: &[PathBuf], definitions: &[Definition]) -> Result<Self, RulesError> {
        let mut set = RuleSet::new(definitions);
        let mut compiler = compiler(definitions);
        let (mut warnings, mut reports) = (Vec::new(), Vec::new());
        for path in paths {
            match sources(path) {
                Ok(sources) if sources.is_empty() => {
                    reports.push(format!("error: {}: no *.yar or *.yara below it", path.display()));
                }
                Ok(sources) => {
                    for Source { path, namespace } in sources {
                        let first = set.items.len();
                        let added = set.add_file(&path, &namespace.into(), MOST_INCLUDED);
                        let compiled = added.and_then(|()| {
                            let items = set.items.get(first..).unwrap_or_default();
                            items.iter().try_for_each(|item| {
                                set.compile(&mut compiler, item).map(|told| warnings.extend(told))
                            })
                        });
                        reports.extend(compiled.err());
                    }
                }
                Err(error) => reports.push(format!("error: {}: {error}", path.display())),
            }
        }
        if !reports.is_empty() {
            return Err(RulesError { reports });
        }
        let scanner = compiler.finalize();
        let count = scanner.rules().filter(|rule| !rule.is_private).count();
        Ok(Self { scanner, warnings, count, set: Arc::new(set) })
    }

    /// How many rules there are, private ones not counted.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// What the compiler warns of, one report for each.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// A scanner of them; cheap.
    pub(super) fn scanner(&self) -> Scanner {
        self.scanner.clone()
    }

    /// What they were compiled from.
    pub(super) fn set(&self) -> &RuleSet {
        &self.set
    }
}

/// A compiler that knows the external variables.
pub(super) fn compiler(definitions: &[Definition]) -> Compiler {
    // What rules log is not for anybody here.
    let console = Console::with_callback(|_| {});
    let mut compiler = CompilerBuilder::new().add_module(console).build();
    compiler.set_params(CompilerParams::default().disable_unknown_escape_warning(true));
    for Definition { name, value } in definitions {
        match value {
            Value::Integer(value) => compiler.define_symbol(name, *value),
            Value::Float(value) => compiler.define_symbol(name, *value),
            Value::Boolean(value) => compiler.define_symbol(name, *value),
            Value::Text(value) => compiler.define_symbol(name, value.as_str()),
        };
    }
    compiler
}

/// The rule files that a path stands for, sorted.
fn sources(path: &Path) -> io::Result<Vec<Source>> {
    if !fs::metadata(path)?.is_dir() {
        let namespace = DEFAULT_NAMESPACE.to_owned();
        return Ok(vec![Source { path: path.to_owned(), namespace }]);
    }
    let mut files = BTreeSet::new();
    walk(path, MOST_DEPTH, &mut files)?;
    let mut included = BTreeSet::new();
    for file in &files {
        includes(file, &mut included);
    }
    let own = files.into_iter().filter(|file| !included.contains(&plain(file)));
    let sources = own.map(|file| {
        let namespace = file.strip_prefix(path).unwrap_or(&file).display().to_string();
        Source { path: file, namespace }
    });
    Ok(sources.collect())
}

/// Rule files below a directory; links to directories are not followed.
fn walk(folder: &Path, depth: usize, files: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let kind = entry.file_type()?;
        if kind.is_dir() {
            if let Some(depth) = depth.checked_sub(1) {
                walk(&path, depth, files)?;
            }
        } else if path.extension().is_some_and(|ext| ext == "yar" || ext == "yara") {
            files.insert(path);
        }
    }
    Ok(())
}

/// What a file includes.
fn includes(file: &Path, included: &mut BTreeSet<PathBuf>) {
    let (Ok(text), Some(folder)) = (fs::read(file), file.parent()) else { return };
    let text = String::from_utf8_lossy(&text);
    for line in text.lines() {
        let quoted = line.trim().strip_prefix("include").map(str::trim_start);
        let name =
            quoted.and_then(|rest| rest.strip_prefix('"')).and_then(|rest| rest.split('"').next());
        if let Some(name) = name {
            included.insert(plain(&folder.join(name)));
        }
    }
}

/// One name for a file, however it is written.
fn plain(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}
