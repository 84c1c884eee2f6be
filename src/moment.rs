//! Times on the command line.

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
