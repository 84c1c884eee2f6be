//! A pager between long output and the terminal.

use std::io::{self, BufWriter, Write};
use std::process::{Child, ChildStdin, Command, Stdio};

/// What is used when the user names none: colours as they are, no pager for what fits, the screen left as it was.
const DEFAULT: &str = "less -FRX";

/// A running pager that reads what is written here.
#[derive(Debug)]
pub(crate) struct Pager {
    child: Child,
    input: Option<BufWriter<ChildStdin>>,
}

impl Pager {
    /// Starts `$PAGER`, or `less`; `None` when there is none, or the user wants none.
    pub(crate) fn start() -> Option<Self> {
        let command = match std::env::var("PAGER") {
            Ok(command) if command.trim().is_empty() || command.trim() == "cat" => return None,
            Ok(command) => command,
            Err(_) => DEFAULT.to_owned(),
        };
        let mut words = command.split_whitespace();
        let mut child =
            Command::new(words.next()?).args(words).stdin(Stdio::piped()).spawn().ok()?;
        let input = child.stdin.take().map(BufWriter::new);
        Some(Self { child, input })
    }

    /// Lets it end, which it does when its user does.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        let flushed = self.flush();
        self.input = None;
        self.child.wait()?;
        flushed
    }
}

impl Write for Pager {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.input {
            Some(input) => input.write(bytes),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.input.as_mut().map_or(Ok(()), Write::flush)
    }
}

/// A pager whose user left early is waited for all the same: it still has the terminal.
impl Drop for Pager {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.child.wait();
    }
}
