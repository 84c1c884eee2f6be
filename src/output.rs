//! Where a command writes: standard output, or a file that appears when it is complete.

use std::fmt::Display;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use ckpt::model::Defect;
use tempfile::NamedTempFile;

use crate::context::Context;
use crate::exit::Outcome;
use crate::pager::Pager;

/// A sink for a command's output.
#[derive(Debug)]
pub(crate) enum Output {
    /// Standard output.
    Standard(BufWriter<io::Stdout>),
    /// A file under a temporary name in its directory.
    File(BufWriter<NamedTempFile>, PathBuf),
    /// A pager on the terminal.
    Pager(Pager),
}

impl Output {
    /// Opens standard output, or the file that the user named.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else { return Ok(Self::Standard(BufWriter::new(io::stdout()))) };
        let folder =
            path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = NamedTempFile::new_in(folder)
            .with_context(|| format!("cannot write in {}", folder.display()))?;
        Ok(Self::File(BufWriter::new(file), path.to_owned()))
    }

    /// Puts a pager before standard output, where that is a terminal and there is one.
    pub(crate) fn paged(self, context: &Context) -> Self {
        match self {
            Self::Standard(out) if context.stdout_is_terminal() => {
                Pager::start().map_or(Self::Standard(out), Self::Pager)
            }
            other => other,
        }
    }

    /// Whether it goes to a file.
    pub(crate) fn is_file(&self) -> bool {
        matches!(self, Self::File(..))
    }

    /// The file, when it goes to one and nothing was written yet.
    pub(crate) fn as_file(&mut self) -> Option<&mut std::fs::File> {
        match self {
            Self::File(out, _) => Some(out.get_mut().as_file_mut()),
            _ => None,
        }
    }

    /// Writes what is left, and gives a file its name.
    pub(crate) fn finish(self) -> Result<()> {
        self.end(|file, path| file.persist(path).map(drop))
    }

    /// As [`finish`](Self::finish), but a file that has the name already is left alone, and an error.
    pub(crate) fn finish_new(self) -> Result<()> {
        self.end(|file, path| file.persist_noclobber(path).map(drop))
    }

    fn end(
        self,
        name_it: impl FnOnce(NamedTempFile, &Path) -> Result<(), tempfile::PersistError>,
    ) -> Result<()> {
        match self {
            Self::Standard(mut out) => out.flush().context("cannot write to standard output"),
            Self::Pager(pager) => pager.finish().context("cannot write to the pager"),
            Self::File(out, path) => {
                let name = || format!("cannot write {}", path.display());
                let file =
                    out.into_inner().map_err(io::IntoInnerError::into_error).with_context(name)?;
                name_it(file, &path).map_err(|error| error.error).with_context(name)
            }
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Standard(out) => out.write(bytes),
            Self::File(out, _) => out.write(bytes),
            Self::Pager(pager) => pager.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Standard(out) => out.flush(),
            Self::File(out, _) => out.flush(),
            Self::Pager(pager) => pager.flush(),
        }
    }
}

/// Most defects that are told one by one to a person.
const MOST_TOLD: usize = 20;

/// Tells defects on standard error, as warnings.
pub(crate) fn warn(defects: &[Defect]) -> Outcome {
    warn_lines(defects.iter());
    outcome(defects)
}

/// Tells lines that are safe for a terminal on standard error, as warnings.
pub(crate) fn warn_lines<T: Display>(lines: impl ExactSizeIterator<Item = T>) {
    let mut stderr = io::stderr().lock();
    let rest = lines.len().saturating_sub(MOST_TOLD);
    for line in lines.take(MOST_TOLD) {
        let _ = writeln!(stderr, "warning: {line}");
    }
    if rest > 0 {
        let _ = writeln!(stderr, "warning: {rest} more defects; --format json lists them all");
    }
}

/// Tells something that is no defect on standard error.
pub(crate) fn note(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "note: {text}");
}

/// How a command that met these defects ends.
pub(crate) fn outcome(defects: &[Defect]) -> Outcome {
    if defects.is_empty() { Outcome::Done } else { Outcome::Defects }
}
