//! When the images were written, and when the host booted.

use std::sync::Arc;

use ckpt_model::{DefectKind, ImageClocks, Uptime, UptimeClock};
use jiff::{SignedDuration, Timestamp};

use super::event::{About, Dated};
use super::{Building, Derivation, Precision, Source, What};

/// Nanoseconds of a second.
const SECOND: i128 = 1_000_000_000;

/// How far the truth may be from a modification time that has no fraction: engines cut it off, or round it.
const WHOLE_SECOND: SignedDuration = SignedDuration::from_secs(1);

/// Begin and end of each dump of the chain, and the boot of the host.
pub(super) fn dumps(building: &mut Building<'_>) {
    for clocks in building.checkpoint.image_clocks() {
        let ends = [(What::DumpBegan, &clocks.oldest), (What::DumpEnded, &clocks.youngest)];
        for (what, image) in ends {
            let Some(image) = image else { continue };
            let Some(time) = building.stamp(image.time, &image.place) else { continue };
            building.push(Dated {
                time,
                precision: Precision::of(time),
                what,
                source: Source::Images,
                place: Arc::from(image.place.as_str()),
                derived: None,
                about: About::Place(None),
            });
        }
        for uptime in &clocks.uptimes {
            boot(building, &clocks, uptime);
        }
    }
}

fn boot(building: &mut Building<'_>, clocks: &ImageClocks, uptime: &Uptime) {
    // The clock was read when the image was written; `/proc/uptime` when the first one was about to be.
    let (read, slack) = match uptime.clock {
        UptimeClock::Boottime => (uptime.written, SignedDuration::ZERO),
        _ => (clocks.oldest.as_ref().map(|image| image.time), dump_took(building, clocks)),
    };
    let Some(read) = read else { return };
    let Some(at) = building.stamp(read, &uptime.place) else { return };
    let nanos = i128::try_from(uptime.nanos).ok();
    let booted = nanos.and_then(|nanos| at.as_nanosecond().checked_sub(nanos));
    match booted.and_then(|nanos| Timestamp::from_nanosecond(nanos).ok()) {
        Some(time) => building.push(Dated {
            time,
            precision: Precision::Seconds,
            what: What::Booted,
            source: Source::Host,
            place: Arc::from(uptime.place.as_str()),
            derived: Some(Box::new(Derivation {
                uncertainty: granularity(at).saturating_add(slack),
                from: "the image's modification time, less the uptime",
            })),
            about: About::Container,
        }),
        None => {
            let seconds = uptime.nanos.checked_div(SECOND.unsigned_abs()).unwrap_or_default();
            let what = format!("an uptime of {seconds} s: no boot so long ago is in a calendar");
            building.tell(DefectKind::Damaged, uptime.place.as_str(), what);
        }
    }
}

/// How exact a modification time is.
pub(super) fn granularity(time: Timestamp) -> SignedDuration {
    match Precision::of(time) {
        Precision::Seconds => WHOLE_SECOND,
        _ => SignedDuration::ZERO,
    }
}

/// How long a dump took: as CRIU counted it, else from its first image to its last.
pub(super) fn dump_took(building: &Building<'_>, clocks: &ImageClocks) -> SignedDuration {
    // The statistics are those of the images that are shown.
    let shown = building.checkpoint.images().is_some_and(|own| *own.path() == clocks.directory);
    if let Some(stats) = building.checkpoint.statistics().filter(|_| shown) {
        let micros = i64::from(stats.freezing_time).saturating_add(i64::from(stats.frozen_time));
        return SignedDuration::from_micros(micros);
    }
    let seconds = clocks.oldest.as_ref().zip(clocks.youngest.as_ref());
    let seconds = seconds.map(|(first, last)| last.time.secs.saturating_sub(first.time.secs));
    SignedDuration::from_secs(seconds.unwrap_or_default())
}

/// Images that an earlier dump left in the directory.
pub(super) fn left_overs(building: &mut Building<'_>) {
    for image in building.checkpoint.stale() {
        let place = image.path.escaped().into_owned();
        if image.modified == 0 {
            continue;
        }
        let time = ckpt_archive::Timestamp { secs: image.modified, nanos: 0 };
        let Some(time) = building.stamp(time, &place) else { continue };
        building.push(Dated {
            time,
            precision: Precision::Seconds,
            what: What::StaleImage,
            source: Source::Images,
            place: Arc::from(place),
            derived: None,
            about: About::Place(Some(image.why.to_string().into())),
        });
    }
}
