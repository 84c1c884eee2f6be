//! Nothing that a command line names to be read is written to, and nothing is written to twice.
//!
//! Every argument that takes a path is meant, whatever the command: paths are told by their [`ValueHint`], so that what is
//! read by an argument that comes later is guarded without being named here.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, ValueHint};

/// Arguments whose paths are written to; all others are read.
const WRITTEN: [&str; 5] = ["output", "manifest", "to", "fetch", "spool"];

/// Fails when a path that would be written to is, or lies in, one that is read.
pub(crate) fn check(command: &Command, matches: &ArgMatches) -> Result<()> {
    let Some((name, matches)) = matches.subcommand() else { return Ok(()) };
    let Some(command) = command.find_subcommand(name) else { return Ok(()) };
    let (mut written, mut read) = (Vec::new(), Vec::new());
    for argument in command.get_arguments().filter(|argument| is_path(argument.get_value_hint())) {
        let id = argument.get_id().as_str();
        let given =
            matches.value_source(id).is_some_and(|source| source != ValueSource::DefaultValue);
        let paths = matches.get_raw(id).into_iter().flatten().map(PathBuf::from);
        match WRITTEN.contains(&id) {
            true if given => written.extend(paths),
            true => {}
            false => read.extend(paths),
        }
    }
    for (at, path) in written.iter().enumerate() {
        if written.iter().take(at).any(|other| other == path) {
            bail!("{} would be written to twice: give two names", path.display());
        }
        for input in &read {
            if same_file(path, input) {
                bail!(
                    "{} is to be read, and nothing is ever written over it: give another name",
                    path.display()
                );
            }
            if lies_in(path, input) {
                bail!("{} lies in the evidence, where nothing is ever written", path.display());
            }
        }
    }
    Ok(())
}

fn is_path(hint: ValueHint) -> bool {
    matches!(hint, ValueHint::AnyPath | ValueHint::FilePath | ValueHint::DirPath)
}

/// Whether two names are of one file, be it by a link.
fn same_file(path: &Path, input: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (path.metadata(), input.metadata()) {
        (Ok(a), Ok(b)) => b.is_file() && (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

/// Whether a path, which need not exist yet, lies in a directory that is read.
fn lies_in(path: &Path, input: &Path) -> bool {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let place = path.canonicalize().or_else(|_| folder.unwrap_or(Path::new(".")).canonicalize());
    match (place, input.canonicalize()) {
        (Ok(place), Ok(input)) => input.is_dir() && place.starts_with(&input),
        _ => false,
    }
}
