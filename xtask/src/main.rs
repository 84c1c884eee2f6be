//! The project's own commands; `cargo xtask` runs this.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod fuzz;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask COMMAND

  fuzz TARGET [--seconds N] [-- LIBFUZZER ARGS]   build one fuzz target and run it on its corpus
  fuzz --list                                     the targets
  fuzz --build                                    build every target
  fuzz --seed                                     fill the corpora from fixtures and synthetic checkpoints
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let outcome = match arguments.next().as_deref() {
        Some("fuzz") => fuzz::Command::parse(arguments).and_then(|command| command.run()),
        None | Some("help" | "-h" | "--help") => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Some(other) => Err(anyhow::anyhow!("no command `{other}`\n\n{USAGE}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
