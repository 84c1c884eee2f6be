//! An event in one line, for people and for tools that show one line.

use ckpt_analysis::timeline::{Event, Source, Subject, Timer, What};
use ckpt_model::escape;
use criu_image::names;

/// The event as a line without its time, safe for a terminal.
pub(crate) fn message(event: &Event<'_>) -> String {
    let place = event.place;
    match (&event.subject, event.what) {
        (Subject::File(file), what) => {
            let deleted = if file.source == Source::Ghost { "deleted " } else { "" };
            format!("{deleted}{} {}: {}", file.kind.word(), what.word(), file.path.escaped())
        }
        (Subject::Line(line), _) => {
            let stream = line.stream.map_or("log", |stream| stream.word());
            format!("{stream}: {}", escape(&line.text))
        }
        (Subject::Timer(timer), _) => format!("{} would run out", self::timer(timer)),
        (Subject::Place(Some(remark)), What::StaleImage) => {
            format!("image of an earlier dump written: {place} ({remark})")
        }
        (_, What::DumpBegan) => format!("first image of the dump written: {place}"),
        (_, What::DumpEnded) => format!("last image of the dump written: {place}"),
        (_, What::Written) => format!("member of the archive written: {place}"),
        (_, What::ConfigSeen) => format!("kubelet saw the pod's configuration ({place})"),
        (_, What::Rollout) => format!("rollout restart of the pod asked for ({place})"),
        (_, What::Booted) => format!("host booted ({place})"),
        (_, what) => format!("container {} ({place})", what.word()),
    }
}

/// `itimer-real of process 4, SIGALRM, every 15 s`.
pub(crate) fn timer(timer: &Timer) -> String {
    let mut text = timer.kind.word().to_owned();
    if let Some(number) = timer.kind.number() {
        text.push_str(&format!(" {number}"));
    }
    text.push_str(&format!(" of process {}", timer.pid));
    if let Some(clock) = timer.clock {
        text.push_str(&format!(", {}", clock_name(clock)));
    }
    if timer.interval > 0 {
        text.push_str(&format!(", every {}", seconds(timer.interval)));
    }
    text
}

/// `CLOCK_MONOTONIC`; a clock of processor time of another process is a negative number.
pub(crate) fn clock_name(clock: u32) -> String {
    match names::CLOCKS.get(i64::from(clock)) {
        Some(name) => name.to_owned(),
        None => format!("clock {}", clock.cast_signed()),
    }
}

/// Nanoseconds as seconds: `900 s`, `0.25 s`.
pub(crate) fn seconds(nanos: u128) -> String {
    let (whole, rest) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    let fraction = format!("{rest:09}");
    match fraction.trim_end_matches('0') {
        "" => format!("{whole} s"),
        fraction => format!("{whole}.{fraction} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_exact() {
        assert_eq!(seconds(900_000_000_000), "900 s");
        assert_eq!(seconds(1), "0.000000001 s");
        assert_eq!(seconds(1_500_000_000), "1.5 s");
    }

    #[test]
    fn clocks_have_names() {
        assert_eq!(clock_name(1), "CLOCK_MONOTONIC");
        assert_eq!(clock_name(u32::MAX - 5), "clock -6");
    }
}
