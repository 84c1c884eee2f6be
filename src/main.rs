//! Forensic reader of container checkpoints.

mod cli;
mod commands;
mod context;
mod directory;
mod dumping;
mod exit;
mod extracting;
mod guard;
mod layout;
mod moment;
mod output;
mod pager;
mod progress;
mod ruling;
mod scanning;
mod selecting;
mod shell;
#[cfg(feature = "trigger")]
mod trigger;
mod unfinished;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};

fn main() -> ExitCode {
    // Without it the program ends all the same, only in silence.
    let _ = ckpt::archive::explain_lost_evidence(exit::LOST_EVIDENCE, exit::NOTHING_USABLE);
    let mut command = cli::Cli::command();
    let matches = command.get_matches_mut();
    let cli = cli::Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match guard::check(&command, &matches).and_then(|()| commands::run(cli)) {
        Ok(outcome) => outcome.into(),
        Err(error) => exit::report(&error),
    }
}
