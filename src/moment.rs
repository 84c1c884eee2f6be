//! Times: those on the command line, and now.

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use jiff::civil::Date;

/// A time as the user writes it; dates begin in UTC.
pub(crate) fn parse(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    if let Ok(date) = text.parse::<Date>() {
        return format!("{date}T00:00:00Z").parse().map_err(|error: jiff::Error| error.to_string());
    }
    Err("neither a time (2026-11-23T00:05:00Z) nor a date (2026-11-23)".to_owned())
}

/// The time, or the one that SOURCE_DATE_EPOCH names: <https://reproducible-builds.org/specs/source-date-epoch/>.
pub(crate) fn now() -> Result<String> {
    let time = source_date()?.unwrap_or_else(Timestamp::now);
    Ok(time.round(jiff::Unit::Second).unwrap_or(time).to_string())
}

/// The time that SOURCE_DATE_EPOCH names, if it is set.
pub(crate) fn source_date() -> Result<Option<Timestamp>> {
    let Ok(seconds) = std::env::var("SOURCE_DATE_EPOCH") else { return Ok(None) };
    let time = seconds.parse().ok().and_then(|s| Timestamp::from_second(s).ok());
    time.map(Some).with_context(|| format!("SOURCE_DATE_EPOCH is not a time: {seconds:?}"))
}
