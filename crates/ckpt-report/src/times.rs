//! Times as RFC 3339 in UTC.

use jiff::Timestamp;

/// Seconds since 1970; nothing for 0, which archives write for a time that is not known.
pub(crate) fn seconds(seconds: i64) -> Option<String> {
    if seconds == 0 {
        return None;
    }
    Timestamp::from_second(seconds).ok().map(|time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn times_are_utc() {
        assert_eq!(seconds(0), None);
        assert_eq!(seconds(1).as_deref(), Some("1970-01-01T00:00:01Z"));
        assert_eq!(seconds(i64::MAX), None);
    }
}
