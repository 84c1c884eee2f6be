//! Where a command writes: standard output, a file that appears when it is complete, or a device.

use std::borrow::Cow;
use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use ckpt::model::Defect;

use crate::context::Context;
use crate::exit::Outcome;
use crate::pager::Pager;
use crate::unfinished::{Old, Unfinished};

/// A sink for a command's output.
#[derive(Debug)]
pub(crate) enum Output {
    /// Standard output.
    Standard(BufWriter<io::Stdout>),
    /// A file that takes this name when it is complete.
    File(BufWriter<Unfinished>, PathBuf),
    /// A device, pipe or socket that has a name already: it is written into, never replaced.
    Device(BufWriter<File>, PathBuf),
    /// A pager on the terminal.
    Pager(Pager),
}

impl Output {
    /// Opens standard output, which is also called `-`, or what the user named. A link is followed.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path.filter(|path| *path != Path::new("-")) else {
            return Ok(Self::Standard(BufWriter::new(io::stdout())));
        };
        let name = || format!("cannot write {}", path.display());
        let meta = path.metadata();
        if path.as_os_str().as_encoded_bytes().ends_with(b"/")
            || meta.as_ref().is_ok_and(std::fs::Metadata::is_dir)
        {
            bail!("{} is a directory: name a file", path.display());
        }
        let path = match meta {
            Ok(meta) if meta.is_file() => path.canonicalize().with_context(name)?,
            Ok(_) => {
                let device = OpenOptions::new().write(true).open(path).with_context(name)?;
                return Ok(Self::Device(BufWriter::new(device), path.to_owned()));
            }
            // There is nothing yet; or what is wrong is told when it is made.
            Err(_) => path.to_owned(),
        };
        let folder =
            path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = Unfinished::new_in(folder)
            .with_context(|| format!("cannot write in {}", folder.display()))?;
        Ok(Self::File(BufWriter::new(file), path))
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

    /// What it is called in messages.
    fn name(&self) -> Cow<'_, str> {
        match self {
            Self::Standard(_) => "standard output".into(),
            Self::Pager(_) => "the pager".into(),
            Self::File(_, path) | Self::Device(_, path) => path.to_string_lossy(),
        }
    }

    /// Whether it goes to what the user named, and not to standard output.
    pub(crate) fn is_file(&self) -> bool {
        matches!(self, Self::File(..) | Self::Device(..))
    }

    /// The file, when it goes to a regular one and nothing was written yet.
    pub(crate) fn as_file(&mut self) -> Option<&mut File> {
        match self {
            Self::File(out, _) => Some(out.get_mut().file()),
            _ => None,
        }
    }

    /// Writes what is left, and gives a file its name.
    pub(crate) fn finish(self) -> Result<()> {
        self.end(Old::Replaced)
    }

    /// As [`finish`](Self::finish), but a file that has the name already is left alone, and an error.
    pub(crate) fn finish_new(self) -> Result<()> {
        self.end(Old::Kept)
    }

    fn end(self, old: Old) -> Result<()> {
        match self {
            Self::Standard(mut out) => out.flush().context("cannot write to standard output"),
            Self::Pager(pager) => pager.finish().context("cannot write to the pager"),
            Self::Device(mut out, path) => {
                out.flush().with_context(|| format!("cannot write {}", path.display()))
            }
            Self::File(out, path) => {
                let cannot = || format!("cannot write {}", path.display());
                let file = out
                    .into_inner()
                    .map_err(io::IntoInnerError::into_error)
                    .with_context(cannot)?;
                let name = path.file_name().with_context(cannot)?;
                file.name(name, old).with_context(cannot)
            }
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match self {
            Self::Standard(out) => out.write(bytes),
            Self::File(out, _) => out.write(bytes),
            Self::Device(out, _) => out.write(bytes),
            Self::Pager(pager) => pager.write(bytes),
        };
        written.map_err(|error| match error.kind() {
            // This one is asked for again.
            io::ErrorKind::Interrupted => error,
            kind => io::Error::new(kind, format!("cannot write to {}: {error}", self.name())),
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Standard(out) => out.flush(),
            Self::File(out, _) => out.flush(),
            Self::Device(out, _) => out.flush(),
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
