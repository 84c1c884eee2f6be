//! How the program ends.

use std::io::{self, Write};
use std::process::ExitCode;

/// How a command ended, when it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Done, and everything was whole.
    Done,
    /// Done, and something was found; only where the user asked for the status to say so.
    Found,
    /// Done, with defects.
    Defects,
    /// The user gave up; what may be left was told.
    #[cfg(feature = "trigger")]
    Interrupted,
}

/// Status 2: nothing usable. clap ends with it too when it does not understand the command line.
pub(crate) const NOTHING_USABLE: u8 = 2;

/// Said when evidence is lost while it is looked at.
pub(crate) const LOST_EVIDENCE: &str = "ckpt-inspect: error: the evidence cannot be read any more: its disk fails, or somebody \
    shortened the file. What was told so far is not all; copy the evidence to another disk (ddrescue) and look at the copy\n";

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::SUCCESS,
            Outcome::Found => Self::from(1),
            Outcome::Defects => Self::from(3),
            // As shells say of a program that Ctrl-C ended.
            #[cfg(feature = "trigger")]
            Outcome::Interrupted => Self::from(130),
        }
    }
}

/// Tells an error with its causes. A reader that went away (`| head`) is none.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    let broken_pipe = |cause: &(dyn std::error::Error + 'static)| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    };
    if error.chain().any(broken_pipe) {
        return ExitCode::SUCCESS;
    }
    // Messages quote names that the evidence gives.
    let text = format!("{error:#}");
    let lines: Vec<String> = text.split('\n').map(ckpt::report::human::escaped_once).collect();
    let text = lines.join("\n");
    let _ = writeln!(io::stderr(), "ckpt-inspect: error: {text}");
    ExitCode::from(NOTHING_USABLE)
}
