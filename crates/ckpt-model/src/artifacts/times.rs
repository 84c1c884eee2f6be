//! Times of files as a calendar has them.

use ckpt_archive::Timestamp as Recorded;
use criu_image::messages::Timeval;
use jiff::Timestamp;

use crate::{Checkpoint, DefectKind};

/// Which time of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    /// Last modification.
    Modified,
    /// Last access.
    Accessed,
    /// Last change of the inode.
    Changed,
}

impl Clock {
    fn words(self) -> &'static str {
        match self {
            Self::Modified => "modification time",
            Self::Accessed => "access time",
            Self::Changed => "change time",
        }
    }
}

/// A time that an archive holds. One that no calendar has is told, and is not there.
pub(super) fn stamp(
    checkpoint: &Checkpoint,
    time: Recorded,
    clock: Clock,
    place: impl FnOnce() -> String,
) -> Option<Timestamp> {
    let found = calendar(time.secs, i64::from(time.nanos));
    if found.is_none() {
        tell(checkpoint, place(), clock, &format!("{} s", time.secs));
    }
    found
}

/// A time that an image holds.
pub(super) fn timeval(
    checkpoint: &Checkpoint,
    time: &Timeval,
    clock: Clock,
    place: &str,
) -> Option<Timestamp> {
    let seconds = i64::try_from(time.tv_sec).ok();
    let nanos = time.tv_usec.checked_mul(1000).and_then(|nanos| i64::try_from(nanos).ok());
    let found = seconds.zip(nanos).and_then(|(seconds, nanos)| calendar(seconds, nanos));
    if found.is_none() {
        let claimed = format!("{} s {} us", time.tv_sec, time.tv_usec);
        tell(checkpoint, place.to_owned(), clock, &claimed);
    }
    found
}

/// A time whose nanoseconds are less than a second, within the years -9999 to 9999.
fn calendar(seconds: i64, nanos: i64) -> Option<Timestamp> {
    let nanos = i32::try_from(nanos).ok().filter(|nanos| (0..1_000_000_000).contains(nanos))?;
    Timestamp::new(seconds, nanos).ok()
}

fn tell(checkpoint: &Checkpoint, place: String, clock: Clock, claimed: &str) {
    let what = format!("{} {claimed} after 1970 is in no calendar; left out", clock.words());
    checkpoint.tell(DefectKind::Damaged, place, what);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn years_that_no_calendar_has() {
        assert!(calendar(i64::MAX, 0).is_none() && calendar(i64::MIN, 0).is_none());
        assert!(calendar(0, 1_000_000_000).is_none() && calendar(0, -1).is_none());
        assert_eq!(calendar(-1, 500_000_000).unwrap().as_nanosecond(), -500_000_000);
        assert_eq!(calendar(0, 0), Some(Timestamp::UNIX_EPOCH));
    }
}
