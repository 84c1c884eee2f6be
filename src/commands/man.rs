//! `man`: man pages.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, CommandFactory, ValueHint};

use crate::cli::Cli;
use crate::exit::Outcome;

/// Man pages: the overview on standard output, or all of them into a directory
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ckpt-inspect man | man -l -
  ckpt-inspect man --to /usr/local/share/man/man1")]
pub(crate) struct ManArgs {
    /// Write one page for each command into DIR.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    to: Option<PathBuf>,
}

/// Runs `man`.
pub(crate) fn run(args: &ManArgs) -> Result<Outcome> {
    let command = Cli::command();
    match &args.to {
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page)?;
            io::stdout().write_all(&page)?;
        }
        Some(folder) => clap_mangen::generate_to(command, folder)
            .with_context(|| format!("cannot write man pages in {}", folder.display()))?,
    }
    Ok(Outcome::Done)
}
