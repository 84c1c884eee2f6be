//! `completions`: for shells.

use std::io;

use anyhow::Result;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::exit::Outcome;

/// Shell completions on standard output
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ckpt-inspect completions bash > /etc/bash_completion.d/ckpt-inspect
  ckpt-inspect completions zsh > \"${fpath[1]}/_ckpt-inspect\"")]
pub(crate) struct CompletionsArgs {
    /// The shell.
    shell: Shell,
}

/// Runs `completions`.
#[allow(clippy::unnecessary_wraps)] // one signature for all commands
pub(crate) fn run(args: &CompletionsArgs) -> Result<Outcome> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "ckpt-inspect", &mut text);
    io::Write::write_all(&mut io::stdout(), &text)?;
    Ok(Outcome::Done)
}
