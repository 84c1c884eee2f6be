//! Which events are shown.

use jiff::Timestamp;

use super::Source;

/// Which events are shown; all of them by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Filter {
    /// None before this time.
    pub since: Option<Timestamp>,
    /// None at this time or after it.
    pub until: Option<Timestamp>,
    /// Only of these sources; of all when there are none.
    pub sources: Vec<Source>,
    /// No lines of logs, whatever the sources are.
    pub no_logs: bool,
}

impl Filter {
    /// Whether events of the source are shown.
    #[must_use]
    pub fn shows_source(&self, source: Source) -> bool {
        let wanted = self.sources.is_empty() || self.sources.contains(&source);
        wanted && !(self.no_logs && source == Source::Log)
    }

    /// Whether events of the time are shown.
    #[must_use]
    pub fn shows_time(&self, time: Timestamp) -> bool {
        self.since.is_none_or(|since| since <= time) && self.until.is_none_or(|until| time < until)
    }
}
