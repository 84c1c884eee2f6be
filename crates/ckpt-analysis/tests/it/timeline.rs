//! Timelines: every clock that an archive can have, and those that lie.

use ckpt_analysis::timeline::{
    Event, Filter, LogFormat, Precision, Source, Stream, Subject, Timeline, TimerKind, Undated,
    What, timeline,
};
use ckpt_archive::Options;
use ckpt_model::{Checkpoint, DefectKind};
use ckpt_synth::{Archive, Container, Dump, File, Kind, Member, Message, Task};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::{dump, init, open};

fn of(checkpoint: &Checkpoint) -> Timeline {
    timeline(checkpoint, &Options::default())
}

/// A podman checkpoint with this diff and this log.
fn podman(dump: &Dump, diff: &Archive) -> Archive {
    let mut archive = Archive::podman(dump);
    archive.replace("rootfs-diff.tar", diff.tar());
    archive
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// Time, what and path or place of the events of a source.
fn rows(timeline: &Timeline, source: Source) -> Vec<String> {
    let mut filter = Filter::default();
    filter.sources = vec![source];
    timeline.events(&filter).map(|event| row(&event)).collect()
}

fn row(event: &Event<'_>) -> String {
    let subject = match &event.subject {
        Subject::File(file) => file.path.escaped().into_owned(),
        Subject::Line(line) => format!("{:?}", line.text),
        _ => event.place.to_owned(),
    };
    format!("{} {} {subject}", event.time, event.what.word())
}

fn times(pairs: &[(u32, u64)]) -> Message {
    pairs.iter().fold(Message::new(), |entry, (field, value)| entry.uint(*field, *value))
}

#[test]
fn files_have_the_times_that_their_archives_have() {
    let mut diff = Archive::new();
    diff.push(
        Member::file("etc/x", b"x")
            .pax("mtime", "1795392583.123456789")
            .pax("atime", "1795392584")
            .pax("ctime", "1795392585.5"),
    )
    .push(Member::dir("opt").mtime(7))
    .push(Member::new("opt/link", Kind::Symlink(b"/etc/x".to_vec())).mtime(8))
    .push(Member::new("opt/fifo", Kind::Fifo).mtime(9))
    .push(Member::file("opt/old", b"").pax("mtime", "-1.5"));
    let checkpoint = open(&podman(&dump([init()]), &diff));
    let timeline = of(&checkpoint);
    assert_eq!(
        rows(&timeline, Source::RootfsDiff),
        [
            "1969-12-31T23:59:58.5Z modified /opt/old",
            "1970-01-01T00:00:07Z modified /opt",
            "1970-01-01T00:00:08Z modified /opt/link",
            "1970-01-01T00:00:09Z modified /opt/fifo",
            "2026-11-23T00:09:43.123456789Z modified /etc/x",
            "2026-11-23T00:09:44Z accessed /etc/x",
            "2026-11-23T00:09:45.5Z changed /etc/x",
        ]
    );
    let all = Filter::default();
    let precise = |what| {
        let mut events = timeline.events(&all);
        let of_x = |event: &Event<'_>| matches!(event.subject, Subject::File(file) if file.path.as_bytes() == b"/etc/x");
        events.find(|event| event.what == what && of_x(event)).unwrap().precision
    };
    assert_eq!(precise(What::Modified), Precision::Nanos);
    assert_eq!(precise(What::Accessed), Precision::Seconds);
    // Those of /dev/shm are as podman keeps them.
    assert_eq!(
        rows(&timeline, Source::DevShm),
        ["2026-11-23T01:44:57Z modified /dev/shm", "2026-11-23T01:44:57Z modified /dev/shm/queue"]
    );
    assert_eq!(timeline.defects(), []);
}

#[test]
fn deleted_files_have_microseconds_and_names_that_are_gone_have_no_date() {
    let mut dump = dump([init().fd(5, File::deleted("/tmp/x", b"gone"))]);
    let entry = Message::new().uint(1, 0u32).uint(2, 0u32).uint(3, 0o100_755u32);
    let time = |seconds: u64, micros: u64| times(&[(1, seconds), (2, micros)]);
    let entry = entry.message(7, &time(1_795_400_001, 250)).message(8, &time(1_795_400_000, 0));
    dump.image("ghost-file-1.img", ckpt_synth::magic::GHOST_FILE, &[entry]);
    dump.append("ghost-file-1.img", b"gone".to_vec());
    let checkpoint = open(&Archive::podman(&dump));
    let timeline = of(&checkpoint);
    assert_eq!(
        rows(&timeline, Source::Ghost),
        ["2026-11-23T02:13:20Z modified /tmp/x", "2026-11-23T02:13:21.00025Z accessed /tmp/x"]
    );
    let mut filter = Filter::default();
    filter.sources = vec![Source::Ghost];
    for event in timeline.events(&filter) {
        assert_eq!(event.precision, Precision::Micros);
        let Subject::File(file) = event.subject else { panic!("no file") };
        assert_eq!(
            (file.pid.map(|pid| pid.0), file.artifact.as_deref()),
            (Some(1), Some("ghost-1"))
        );
    }
    let all = Filter::default();
    let undated: Vec<_> = timeline.undated(&all).collect();
    let [Undated::Deleted(deletion)] = undated[..] else { panic!("{undated:?}") };
    assert_eq!(deletion.path.as_bytes(), b"/etc/motd");
    // A whiteout has a time, which is 1970.
    let checkpoint = open(&Archive::containerd(&crate::dump([init()])));
    let timeline = of(&checkpoint);
    assert_eq!(timeline.undated(&all).count(), 1);
    assert!(rows(&timeline, Source::RootfsDiff).iter().all(|row| row.starts_with("2026-11-23")));
}

#[test]
fn the_container_and_the_dump() {
    let mut archive = Archive::containerd(&dump([init()]));
    archive.mtime_of("checkpoint/cgroup.img", 1_795_398_296);
    let checkpoint = open(&archive);
    let timeline = of(&checkpoint);
    let container = rows(&timeline, Source::Container);
    assert!(container.contains(
        &"2026-11-23T01:44:57.916723896Z checkpointed config.dump: checkpointedTime".to_owned()
    ));
    assert!(container.iter().any(|row| row.contains("started status: StartedAt")), "{container:?}");
    let images = rows(&timeline, Source::Images);
    assert_eq!(images[0], "2026-11-23T01:44:56Z dump-began checkpoint/cgroup.img");
    assert!(images[1].starts_with("2026-11-23T01:44:57Z dump-ended checkpoint/"), "{images:?}");
    assert_eq!(images.len(), 2);
    let members = rows(&timeline, Source::Member);
    assert!(members.contains(&"2026-11-23T01:44:57Z written rootfs-diff.tar".to_owned()));
    assert!(!members.iter().any(|row| row.contains("/core-1.img")), "{members:?}");
}

#[test]
fn the_boot_is_worked_out_and_says_so() {
    let mut dump = dump([init()]);
    dump.uptime(2_000_000_000);
    let checkpoint = open(&Archive::podman(&dump));
    let timeline = of(&checkpoint);
    let mut filter = Filter::default();
    filter.sources = vec![Source::Host];
    let events: Vec<Event<'_>> = timeline.events(&filter).collect();
    let boots: Vec<_> = events.iter().map(|event| (event.time.to_string(), event.place)).collect();
    // 01:44:57 less 2325.861300904 s and less 2000 s.
    assert_eq!(
        boots,
        [
            ("2026-11-23T01:06:11.138699096Z".to_owned(), "checkpoint/timens-0.img: boottime"),
            ("2026-11-23T01:11:37Z".to_owned(), "checkpoint/inventory.img: dump_uptime"),
        ]
    );
    let errors: Vec<_> = events.iter().map(|event| event.derived.unwrap().uncertainty).collect();
    assert_eq!(errors[0], SignedDuration::from_secs(1));
    assert!(errors[1] > SignedDuration::from_secs(1), "the dump took its time");
}

#[test]
fn timers_are_due_after_the_dump() {
    let itimer = |seconds: u64, micros: u64, interval: u64| {
        times(&[(1, interval), (2, 0), (3, seconds), (4, micros)])
    };
    let posix = |id: u64, clock: u64, left: u64| {
        times(&[
            (1, id),
            (2, clock),
            (3, 39),
            (4, 0),
            (5, 0),
            (6, 0),
            (7, 0),
            (8, 0),
            (9, left),
            (10, 1),
        ])
    };
    let timers = Message::new()
        .message(1, &itimer(60, 500_000, 15))
        .message(2, &itimer(0, 0, 0))
        .message(3, &itimer(5, 0, 0))
        .message(4, &posix(0, 1, 10))
        .message(4, &posix(1, u64::from((-6i32).cast_unsigned()), 10))
        .message(4, &posix(2, 0, u64::MAX));
    let fown = times(&[(1, 0), (2, 0), (3, 0), (4, 0), (5, 0)]);
    let timerfd = Message::new().uint(2, 2u32).message(3, &fown);
    let timerfd = timerfd.and(&times(&[(4, 1), (5, 0), (6, 0), (7, 3), (8, 0), (9, 0), (10, 0)]));
    let fd = File::Other { kind: 17, field: 12, message: timerfd };
    let child = Task::new(2, 1).fd(9, fd.clone());
    let checkpoint =
        open(&Archive::podman(&dump([Task::new(1, 0).timers(&timers).fd(7, fd), child])));
    let timeline = of(&checkpoint);
    let mut filter = Filter::default();
    filter.sources = vec![Source::Timer];
    let due: Vec<_> = timeline
        .events(&filter)
        .map(|event| {
            let Subject::Timer(timer) = event.subject else { panic!("no timer") };
            assert!(event.derived.unwrap().uncertainty >= SignedDuration::from_secs(1));
            (event.time.to_string(), timer.kind, timer.pid.0, timer.interval)
        })
        .collect();
    assert_eq!(
        due,
        [
            ("2026-11-23T01:45:00Z".to_owned(), TimerKind::Timerfd(7), 1, 0),
            ("2026-11-23T01:45:07.000000001Z".to_owned(), TimerKind::Posix(0), 1, 0),
            ("2026-11-23T01:45:57.5Z".to_owned(), TimerKind::Real, 1, 15_000_000_000),
        ]
    );
    let by_processor: Vec<TimerKind> = timeline
        .undated(&filter)
        .map(|undated| match undated {
            Undated::CpuTimer(timer) => timer.kind,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(by_processor, [TimerKind::Prof, TimerKind::Posix(1)]);
    let [defect] = timeline.defects() else { panic!("{:?}", timeline.defects()) };
    assert!(defect.what.contains("posix-timer of process 1"), "{defect}");
}

#[test]
fn times_that_no_calendar_has_are_told() {
    let mut diff = Archive::new();
    diff.push(Member::file("a", b"").pax("mtime", "292277026596"))
        .push(Member::file("b", b"").pax("mtime", "-9223372036854775807").mtime(5))
        .push(Member::file("c", b"").pax("mtime", "NaN").mtime(6))
        .push(Member::dir("d").pax("atime", "99999999999999").mtime(7));
    let mut dump = dump([init().fd(5, File::deleted("/tmp/x", b"gone"))]);
    let entry = Message::new().uint(1, 0u32).uint(2, 0u32).uint(3, 0o100_755u32);
    let time = times(&[(1, 5), (2, 1_000_000)]);
    let entry = entry.message(7, &time).message(8, &times(&[(1, u64::MAX), (2, 0)]));
    dump.image("ghost-file-1.img", ckpt_synth::magic::GHOST_FILE, &[entry]);
    let clock = times(&[(1, u64::MAX), (2, u64::MAX)]);
    let timens = Message::new().message(1, &clock).message(2, &clock);
    dump.image("timens-0.img", ckpt_synth::magic::TIMENS, &[timens]);
    let checkpoint = open(&podman(&dump, &diff));
    let timeline = of(&checkpoint);
    assert_eq!(
        rows(&timeline, Source::RootfsDiff),
        ["1970-01-01T00:00:06Z modified /c", "1970-01-01T00:00:07Z modified /d"]
    );
    assert_eq!(rows(&timeline, Source::Ghost), [""; 0]);
    assert_eq!(rows(&timeline, Source::Host), [""; 0]);
    let mut told: Vec<String> = checkpoint.defects().iter().map(ToString::to_string).collect();
    told.extend(timeline.defects().iter().map(ToString::to_string));
    for words in [
        "rootfs-diff.tar: a: modification time 292277026596 s after 1970 is in no calendar",
        "rootfs-diff.tar: b: modification time",
        "rootfs-diff.tar: d: access time 99999999999999 s",
        "ghost-file-1.img: modification time 18446744073709551615 s 0 us",
        "ghost-file-1.img: access time 5 s 1000000 us",
        "timens-0.img: boottime: an uptime of",
    ] {
        assert!(told.iter().any(|defect| defect.contains(words)), "no {words:?} in {told:#?}");
    }
}

/// A checkpoint with this log.
fn logged(log: &[u8]) -> Checkpoint {
    let mut archive = Archive::crio(&dump([init()]));
    archive.replace("io.kubernetes.cri-o.LogPath", log.to_vec());
    open(&archive)
}

fn lines(timeline: &Timeline) -> Vec<String> {
    rows(timeline, Source::Log)
}

#[test]
fn logs_are_merged_and_what_is_no_line_is_counted() {
    let log = b"2026-11-23T00:00:03.000000001+00:00 stderr F third\n\
        2026-11-23T02:00:01.5+02:00 stdout P first\n\
        no line\n\
        \0\0\0\x002026-11-23T00:00:02Z stdout F second \x1b[31m\xff\n\
        \n\
        {\"log\":\"fourth\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-23T00:00:04Z\"}\n\
        {\"log\":\"bro\n\
        2026-99-23T00:00:02Z stdout F no time\n\
        2026-11-23T00:00:05Z stdout F cut he";
    let checkpoint = logged(log);
    let timeline = of(&checkpoint);
    assert_eq!(
        lines(&timeline),
        [
            "2026-11-23T00:00:01.5Z log b\"first\"",
            "2026-11-23T00:00:02Z log b\"second \\x1b[31m\\xff\"",
            "2026-11-23T00:00:03.000000001Z log b\"third\"",
            "2026-11-23T00:00:04Z log b\"fourth\"",
            "2026-11-23T00:00:05Z log b\"cut he\"",
        ]
    );
    assert_eq!(timeline.log_lines(), 5);
    let mut filter = Filter::default();
    filter.sources = vec![Source::Log];
    let facts: Vec<_> = timeline
        .events(&filter)
        .map(|event| {
            let Subject::Line(line) = event.subject else { panic!("no line") };
            (line.stream, line.partial, line.cut, line.format, event.precision)
        })
        .collect();
    let cri = |stream, precision| (Some(stream), false, false, LogFormat::Cri, precision);
    assert!(facts[0].1, "it goes on");
    assert_eq!(facts[2], cri(Stream::Stderr, Precision::Nanos));
    assert_eq!(facts[3].3, LogFormat::JsonFile);
    assert_eq!(
        facts.iter().map(|fact| fact.2).collect::<Vec<_>>(),
        [false, false, false, false, true]
    );
    let told: Vec<_> =
        timeline.defects().iter().map(|defect| (defect.kind, &*defect.what)).collect();
    let left_out = |line: &str, words: &str| {
        let line = line.as_bytes();
        let first = log.windows(line.len()).position(|window| window == line).unwrap();
        format!("1 line(s) left out, the first at byte {first}: {words}")
    };
    assert_eq!(
        told,
        [
            (DefectKind::Unknown, &*left_out("no line", "neither CRI nor json-file")),
            (DefectKind::Damaged, &*left_out("2026-99", "no valid time")),
            (DefectKind::Damaged, &*left_out("{\"log\":\"bro", "broken JSON")),
        ]
    );
}

#[test]
fn a_log_that_the_archive_does_not_have_whole() {
    let container = Container::new("cut");
    let mut archive = Archive::podman(dump([init()]).container(container));
    let log = "2026-11-23T00:00:01Z stdout F a\n2026-11-23T00:00:02Z stdout F b\n".repeat(200);
    let all = archive.without("ctr.log");
    all.member("ctr.log", log.into_bytes());
    let tar = archive.tar();
    let cut = &tar[..tar.len() - 4096];
    let evidence =
        ckpt_archive::Evidence::from_bytes("cut", cut.to_vec().into(), &Options::default());
    let checkpoint = Checkpoint::options().open_evidence(evidence.unwrap()).unwrap();
    let timeline = of(&checkpoint);
    assert!((200..400).contains(&timeline.log_lines()), "{}", timeline.log_lines());
    assert!(
        timeline
            .defects()
            .iter()
            .any(|defect| defect.what.contains("bytes of the log are not there")),
        "{:?}",
        timeline.defects()
    );
}

#[test]
fn clocks_of_kubernetes() {
    let archive = Archive::crio(&dump([init()]));
    let timeline = of(&open(&archive));
    let rows = rows(&timeline, Source::Container);
    let place = "spec.dump: annotations: ";
    for (time, what, key) in [
        ("2026-11-23T00:11:05Z", "rollout", "kubectl.kubernetes.io/restartedAt"),
        ("2026-11-23T00:11:06.597845011Z", "config-seen", "kubernetes.io/config.seen"),
    ] {
        let row = format!("{time} {what} {place}{key}");
        assert!(rows.iter().any(|one| one.contains(&row)), "no {row:?} in {rows:#?}");
    }
    let filter = Filter::default();
    let events: Vec<_> = timeline.events(&filter).collect();
    let precision = |what| events.iter().find(|one| one.what == what).map(|one| one.precision);
    assert_eq!(precision(What::Rollout), Some(Precision::Seconds));
    assert_eq!(precision(What::ConfigSeen), Some(Precision::Nanos));
}

#[test]
fn filters() {
    let checkpoint = open(&Archive::crio(&dump([init()])));
    let timeline = of(&checkpoint);
    let count = |change: &dyn Fn(&mut Filter)| {
        let mut filter = Filter::default();
        change(&mut filter);
        timeline.events(&filter).count()
    };
    let all = count(&|_| {});
    assert_eq!(count(&|filter| filter.no_logs = true), all - 2);
    assert_eq!(count(&|filter| filter.sources = vec![Source::Log]), 2);
    assert_eq!(
        count(&|filter| {
            filter.sources = vec![Source::Log];
            filter.no_logs = true;
        }),
        0
    );
    let noon = at("2026-11-23T01:41:58Z");
    let before = count(&|filter| filter.until = Some(noon));
    let after = count(&|filter| filter.since = Some(noon));
    assert_eq!(before + after, all, "the end of one is the begin of the other");
    assert!(before > 0 && after > 0);
    let exact = at("2026-11-23T01:41:57.000000001Z");
    let window = |filter: &mut Filter| {
        filter.since = Some(exact);
        filter.until = Some(exact + SignedDuration::from_nanos(1));
    };
    assert_eq!(count(&window), 1);
}

fn log_of(times: &[u32]) -> Vec<u8> {
    let line = |(number, seconds): (usize, &u32)| {
        let time = Timestamp::from_second(i64::from(*seconds)).expect("a time");
        format!("{time} stdout F {number}\n")
    };
    times.iter().enumerate().map(line).collect::<String>().into_bytes()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the order of the lines, the events are what a stable sort makes of them.
    #[test]
    fn merging_is_a_stable_sort(times in prop::collection::vec(0u32..50, 0..60)) {
        let checkpoint = logged(&log_of(&times));
        let timeline = of(&checkpoint);
        let mut expected: Vec<(u32, usize)> =
            times.iter().copied().enumerate().map(|(number, time)| (time, number)).collect();
        expected.sort_by_key(|(time, _)| *time);
        let mut filter = Filter::default();
        filter.sources = vec![Source::Log];
        let found: Vec<(i64, String)> = timeline.events(&filter).map(|event| {
            let Subject::Line(line) = event.subject else { panic!("no line") };
            (event.time.as_second(), String::from_utf8_lossy(&line.text).into_owned())
        }).collect();
        let expected: Vec<_> = expected.into_iter().map(|(time, number)| (i64::from(time), number.to_string())).collect();
        prop_assert_eq!(found, expected);
        prop_assert_eq!(timeline.log_lines(), times.len() as u64);
    }

    /// Any bytes are a log, and every line of it is an event or counted as none.
    #[test]
    fn any_bytes_are_a_log(log in prop::collection::vec(
        prop_oneof![
            Just(b"2026-11-23T00:00:01Z stdout F x".to_vec()),
            Just(b"{\"log\":\"x\",\"time\":\"2026-11-23T00:00:02Z\"}".to_vec()),
            prop::collection::vec(any::<u8>(), 0..40),
        ], 0..20)) {
        let log = log.join(&b'\n');
        let checkpoint = logged(&log);
        let timeline = of(&checkpoint);
        let nonempty = log.split(|byte| *byte == b'\n')
            .filter(|line| line.iter().any(|byte| *byte != 0)).count() as u64;
        let left_out: u64 = timeline.defects().iter().map(|defect| {
            let number = defect.what.split(' ').next().unwrap_or_default();
            number.parse::<u64>().expect("a count of lines")
        }).sum();
        prop_assert_eq!(timeline.log_lines() + left_out, nonempty);
        prop_assert_eq!(lines(&timeline).len() as u64, timeline.log_lines());
    }

    /// Events come in order, whatever the archives say.
    #[test]
    fn events_are_in_order(mtimes in prop::collection::vec(0u64..2_000_000_000, 1..20), logs in prop::collection::vec(0u32..2_000_000_000, 0..20)) {
        let mut diff = Archive::new();
        for (number, mtime) in mtimes.iter().enumerate() {
            diff.push(Member::file(format!("f{number}"), b"").mtime(*mtime));
        }
        let mut archive = podman(&dump([init()]), &diff);
        archive.replace("ctr.log", log_of(&logs));
        let checkpoint = open(&archive);
        let timeline = of(&checkpoint);
        let all = Filter::default();
        let keys: Vec<_> = timeline.events(&all).map(|event| (event.time, event.source)).collect();
        prop_assert!(keys.is_sorted());
        let files = keys.iter().filter(|(_, source)| *source == Source::RootfsDiff).count();
        prop_assert_eq!(files, mtimes.len());
    }
}
