//! Forensic reader of container checkpoints.

mod cli;
mod commands;
mod context;
mod directory;
mod dumping;
mod exit;
mod extracting;
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

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match commands::run(cli) {
        Ok(outcome) => outcome.into(),
        Err(error) => exit::report(&error),
    }
}
