//! The commands, one file each: its arguments and `run`.

pub(crate) mod build;
pub(crate) mod compare;
pub(crate) mod completions;
pub(crate) mod diff;
pub(crate) mod extract;
pub(crate) mod files;
pub(crate) mod info;
pub(crate) mod list;
pub(crate) mod man;
pub(crate) mod maps;
pub(crate) mod memdump;
pub(crate) mod report;
pub(crate) mod scan;
pub(crate) mod search;
pub(crate) mod show;
pub(crate) mod strings;
pub(crate) mod timeline;
pub(crate) mod tree;
pub(crate) mod triage;
#[cfg(feature = "trigger")]
pub(crate) mod trigger;
pub(crate) mod verify;

use anyhow::Result;

use crate::cli::{Cli, Command};
use crate::context::Context;
use crate::exit::Outcome;

/// Runs the command that was asked for.
pub(crate) fn run(cli: Cli) -> Result<Outcome> {
    let context = Context::new(cli.color);
    match cli.command {
        Command::Info(args) => info::run(&args, &context),
        Command::List(args) => list::run(&args, &context),
        Command::Tree(args) => tree::run(&args, &context),
        Command::Diff(args) => diff::run(&args, &context),
        Command::Extract(args) => extract::run(&args, &context),
        Command::Files(args) => files::run(&args, &context),
        Command::Maps(args) => maps::run(&args, &context),
        Command::Memdump(args) => memdump::run(&args, &context),
        Command::Strings(args) => strings::run(&args, &context),
        Command::Report(args) => report::run(&args, &context),
        Command::Search(args) => search::run(&args, &context),
        Command::Scan(args) => scan::run(&args, &context),
        Command::Show(args) => show::run(&args, &context),
        Command::Timeline(args) => timeline::run(&args, &context),
        Command::Triage(args) => triage::run(&args, &context),
        Command::Verify(args) => verify::run(&args, &context),
        Command::Build(args) => build::run(&args, &context),
        #[cfg(feature = "trigger")]
        Command::Trigger(args) => trigger::run(&args, &context),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    }
}
