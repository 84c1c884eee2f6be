//! Process ids.

use std::fmt;

/// A process or thread id in the pid namespace of the dumped root task, as the container saw it.
///
/// Host pids appear only in `dump.log`; they are plain numbers with `host` in their name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pid(pub u32);

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
