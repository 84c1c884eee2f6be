//! What is resolved once, before a command runs: terminal, colours, width, where to spool.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use ckpt::archive::{self, Watch};
use ckpt::model::{Checkpoint, Need, OpenOptions};
use ckpt::report::human::Layout;

use crate::cli::{EvidenceArgs, PickArgs, SpoolArgs, When};
use crate::progress::Bar;

/// The resolved surroundings of a command.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    color: When,
    stdout_is_terminal: bool,
    stderr_is_terminal: bool,
}

impl Context {
    /// Looks at the standard streams.
    pub(crate) fn new(color: When) -> Self {
        Self {
            color,
            stdout_is_terminal: io::stdout().is_terminal(),
            stderr_is_terminal: io::stderr().is_terminal(),
        }
    }

    /// Whether standard output is a terminal.
    pub(crate) fn stdout_is_terminal(&self) -> bool {
        self.stdout_is_terminal
    }

    /// How output for people is laid out; `to_file` when it does not go to standard output.
    pub(crate) fn layout(&self, to_file: bool) -> Layout {
        let terminal = self.stdout_is_terminal && !to_file;
        let color = match self.color {
            When::Always => true,
            When::Never => false,
            When::Auto => terminal && wants_color(),
        };
        Layout { width: if terminal { width() } else { None }, color }
    }

    /// Whom to tell how far long work has come: somebody only when standard error is a terminal.
    pub(crate) fn progress(&self) -> Option<Bar> {
        self.stderr_is_terminal.then(Bar::default)
    }

    /// The same for work during which output is written, to standard output when `to_stdout`: rows and a bar do not go to
    /// one terminal.
    pub(crate) fn progress_beside_output(&self, to_stdout: bool) -> Option<Bar> {
        self.progress().filter(|_| !(to_stdout && self.stdout_is_terminal))
    }

    /// Options for opening evidence.
    pub(crate) fn archive_options(&self, spool: &SpoolArgs) -> archive::Options {
        let mut options = archive::Options::default();
        if let Some(dir) = &spool.spool {
            options = options.spool_dir(dir);
        }
        if self.stderr_is_terminal {
            options = options.progress(Arc::new(Bar::default()));
        }
        options
    }

    /// Options for opening a checkpoint.
    pub(crate) fn open_options(
        &self,
        pick: &PickArgs,
        spool: &SpoolArgs,
        need: Need,
    ) -> OpenOptions {
        let mut options = Checkpoint::options().archive(self.archive_options(spool)).need(need);
        for parent in &pick.parent {
            options = options.parent(parent);
        }
        if let Some(images) = &pick.images {
            options = options.images(images);
        }
        if let Some(container) = &pick.container {
            options = options.container(container);
        }
        options
    }

    /// Opens the checkpoint that the user named.
    pub(crate) fn open(&self, args: &EvidenceArgs, need: Need) -> Result<Checkpoint> {
        self.open_watched(args, need, None)
    }

    /// As [`open`](Self::open), with somebody who looks at a compressed archive while it passes by.
    pub(crate) fn open_watched(
        &self,
        args: &EvidenceArgs,
        need: Need,
        watch: Option<Arc<dyn Watch>>,
    ) -> Result<Checkpoint> {
        let mut options = self.open_options(&args.pick, &args.spool, need);
        if let Some(watch) = watch {
            options = options.archive(self.archive_options(&args.spool).watch(watch));
        }
        let checkpoint = if is_standard_input(&args.evidence) {
            options.open_reader("-", io::stdin())
        } else {
            options.open(&args.evidence)
        };
        checkpoint.context("cannot open the checkpoint")
    }
}

/// Whether evidence is `-`.
pub(crate) fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Columns of the terminal.
fn width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    (size.ws_col > 0).then(|| usize::from(size.ws_col))
}

/// <https://no-color.org>, and terminals that know no colours.
fn wants_color() -> bool {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    !no_color && !dumb
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_a_bar_do_not_go_to_one_terminal() {
        let context = |stdout_is_terminal, stderr_is_terminal| Context {
            color: When::Never,
            stdout_is_terminal,
            stderr_is_terminal,
        };
        assert!(context(true, true).progress_beside_output(true).is_none());
        assert!(context(true, true).progress_beside_output(false).is_some());
        assert!(context(false, true).progress_beside_output(true).is_some());
        assert!(context(false, false).progress_beside_output(false).is_none());
    }
}
