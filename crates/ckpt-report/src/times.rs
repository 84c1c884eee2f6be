//! Times as RFC 3339 in UTC.

use jiff::Timestamp;

/// Seconds since 1970; nothing for 0, which archives write for a time that is not known.
pub(crate) fn seconds(seconds: i64) -> Option<String> {
    if seconds == 0 {
        return None;
    }
    Timestamp::from_second(seconds).ok().map(|time| time.to_string())
}

/// Seconds since 1970 and nanoseconds after them, 0 included; nothing for a time that no calendar has.
pub(crate) fn exact(seconds: i64, nanos: u32) -> Option<String> {
    let nanos = i32::try_from(nanos).ok()?;
    Timestamp::new(seconds, nanos).ok().map(|time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::{exact, seconds};

    #[test]
    fn times_are_utc() {
        assert_eq!(seconds(0), None);
        assert_eq!(seconds(1).as_deref(), Some("1970-01-01T00:00:01Z"));
        assert_eq!(seconds(i64::MAX), None);
    }
    #[test]
    fn fractions_count_forward() {
        assert_eq!(exact(0, 0).as_deref(), Some("1970-01-01T00:00:00Z"));
        assert_eq!(exact(1, 250).as_deref(), Some("1970-01-01T00:00:01.00000025Z"));
        assert_eq!(exact(-1, 500_000_000).as_deref(), Some("1969-12-31T23:59:59.5Z"));
        assert_eq!(exact(i64::MAX, 1), None);
    }
}
