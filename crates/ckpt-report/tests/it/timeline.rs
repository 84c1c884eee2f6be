//! Timelines for other tools: what is written is read back by parsers that know the other tool's form and nothing else.

use ckpt_analysis::timeline::{Filter, Timeline, timeline};
use ckpt_archive::{Evidence, Options};
use ckpt_model::Checkpoint;
use ckpt_report::human::Layout;
use ckpt_report::{bodyfile, human, json, timesketch};
use ckpt_synth::{Archive, Dump, File, Member, Task};
use proptest::prelude::*;
use serde_json::Value;

/// A podman checkpoint with files of these names and lines of these texts in its log.
fn checkpoint(names: &[Vec<u8>], texts: &[Vec<u8>]) -> Checkpoint {
    let mut dump = Dump::new();
    dump.task(Task::new(1, 0).fd(5, File::deleted("/tmp/ghost|x", b"gone")));
    let mut diff = Archive::new();
    for (number, name) in (1u64..).zip(names) {
        diff.push(Member::file(name.clone(), b"x").mode(0o4751).owner(7, 8).mtime(number));
    }
    let mut log = Vec::new();
    for text in texts {
        log.extend(b"2026-11-23T00:00:01.5Z stdout F ");
        log.extend(text);
        log.push(b'\n');
    }
    let mut archive = Archive::podman(&dump);
    archive.replace("rootfs-diff.tar", diff.tar()).replace("ctr.log", log);
    let evidence = Evidence::from_bytes("synthetic", archive.tar().into(), &Options::default());
    Checkpoint::options().open_evidence(evidence.expect("evidence")).expect("a checkpoint")
}

fn of(checkpoint: &Checkpoint) -> Timeline {
    timeline(checkpoint, &Options::default())
}

fn written(write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).expect("a Vec takes all");
    String::from_utf8(out).expect("UTF-8")
}

/// What mactime does to a field of a line: it splits at `|`, and makes a byte of `%XX`.
fn fields(line: &str) -> Vec<Vec<u8>> {
    let decode = |field: &str| {
        let (bytes, mut out, mut at) = (field.as_bytes(), Vec::new(), 0);
        while let Some(byte) = bytes.get(at) {
            // `from_str_radix` alone would take the sign of `+A` too.
            let digits =
                bytes.get(at + 1..at + 3).filter(|two| two.iter().all(u8::is_ascii_hexdigit));
            let digits = digits.and_then(|two| std::str::from_utf8(two).ok());
            let code = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
            match code.filter(|_| *byte == b'%') {
                Some(code) => (out.push(code), at += 3),
                None => (out.push(*byte), at += 1),
            };
        }
        out
    };
    line.split('|').map(decode).collect()
}

/// Takes the escapes of the project apart: `\\`, `\n`, `\r`, `\t`, `\xHH`, `\u{H}`.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(text).expect("UTF-8");
    let (mut out, mut rest) = (Vec::new(), text);
    while let Some((before, after)) = rest.split_once('\\') {
        out.extend(before.bytes());
        let (code, behind) = match after.as_bytes() {
            [b'x', ..] => {
                (vec![u8::from_str_radix(&after[1..3], 16).expect("two digits")], &after[3..])
            }
            [b'u', ..] => {
                let (digits, behind) = after[2..].split_once('}').expect("a closing brace");
                let code = u32::from_str_radix(digits, 16).expect("digits");
                let letter = char::from_u32(code).expect("a letter");
                (letter.to_string().into_bytes(), behind)
            }
            [letter, ..] => {
                let code = match letter {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'0' => 0,
                    other => *other,
                };
                (vec![code], &after[1..])
            }
            [] => panic!("a backslash at the end of {text:?}"),
        };
        out.extend(code);
        rest = behind;
    }
    out.extend(rest.bytes());
    out
}

/// Records of RFC 4180, whatever is in them.
fn records(text: &str) -> Vec<Vec<String>> {
    let (mut records, mut record, mut cell) = (Vec::new(), Vec::new(), String::new());
    let mut letters = text.chars().peekable();
    let mut quoted = false;
    while let Some(letter) = letters.next() {
        match (letter, quoted) {
            ('"', false) => quoted = true,
            ('"', true) if letters.peek() == Some(&'"') => cell.extend(letters.next()),
            ('"', true) => quoted = false,
            (',', false) => record.push(std::mem::take(&mut cell)),
            ('\r', false) => {
                assert_eq!(letters.next(), Some('\n'), "a line ends in CR LF");
                record.push(std::mem::take(&mut cell));
                records.push(std::mem::take(&mut record));
            }
            (letter, _) => cell.push(letter),
        }
    }
    assert!(record.is_empty() && cell.is_empty() && !quoted, "the last line has its end");
    records
}

/// Names that a tar can have one after another, none of them twice.
fn names() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let byte = prop_oneof![
        Just(b'|'),
        Just(b'%'),
        Just(b'\\'),
        Just(b'\n'),
        Just(b'A'),
        Just(b'7'),
        Just(0x1b),
        Just(0xff),
        (1u8..=255).prop_filter("a name", |byte| *byte != b'/')
    ];
    prop::collection::btree_set(prop::collection::vec(byte, 1..30), 1..8)
        .prop_map(|names| names.into_iter().map(|name| [b"n".as_slice(), &name].concat()).collect())
}

fn texts() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let byte = prop_oneof![
        Just(b'"'),
        Just(b','),
        Just(b'\r'),
        Just(b'='),
        Just(b'@'),
        Just(b'\t'),
        Just(0x1b),
        Just(0xff),
        any::<u8>().prop_filter("a line", |byte| *byte != b'\n')
    ];
    prop::collection::vec(prop::collection::vec(byte, 0..30), 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_bodyfile_has_the_names_again(names in names()) {
        let checkpoint = checkpoint(&names, &[]);
        let timeline = of(&checkpoint);
        let body = written(|out| bodyfile::write(out, &timeline, &Filter::default()));
        prop_assert!(!body.chars().any(|letter| letter.is_control() && letter != '\n'));
        let mut found = Vec::new();
        for line in body.lines() {
            let fields = fields(line);
            prop_assert_eq!(fields.len(), 11, "{}", line);
            for (at, field) in fields.iter().enumerate() {
                if at != 1 && at != 3 {
                    prop_assert!(std::str::from_utf8(field).unwrap().parse::<u64>().is_ok(), "{}", line);
                }
            }
            if &fields[4] == b"7" {
                prop_assert_eq!(&fields[3][..], b"r/rrwsr-x--x");
                prop_assert_eq!(&fields[5][..], b"8");
                let mtime: u64 = std::str::from_utf8(&fields[8]).unwrap().parse().unwrap();
                found.push((mtime, unescaped(&fields[1])));
            }
        }
        let expected: Vec<_> =
            (1u64..).zip(&names).map(|(mtime, name)| (mtime, [b"/", &name[..]].concat())).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn csv_has_the_cells_again(names in names(), texts in texts()) {
        let checkpoint = checkpoint(&names, &texts);
        let timeline = of(&checkpoint);
        let all = Filter::default();
        let csv = written(|out| timesketch::csv(out, &checkpoint, &timeline, &all));
        let records = records(&csv);
        let (heading, records) = records.split_first().unwrap();
        let column = |name: &str| heading.iter().position(|title| title == name).unwrap();
        let (path, text, what) = (column("path"), column("text"), column("what"));
        let mut found = (Vec::new(), Vec::new());
        for record in records {
            prop_assert_eq!(record.len(), heading.len());
            for cell in record {
                let number = cell.parse::<i64>().is_ok();
                prop_assert!(number || !cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{}", cell);
                prop_assert!(!cell.chars().any(char::is_control), "{}", cell);
            }
            let plain = |cell: &String| {
                let guarded = cell.strip_prefix('\'').filter(|rest| {
                    rest.trim_start_matches('\'').starts_with(['=', '+', '-', '@'])
                });
                unescaped(guarded.unwrap_or(cell).as_bytes())
            };
            match record[what].as_str() {
                "log" => found.1.push(plain(&record[text])),
                "modified" if record[column("uid")] == "7" => found.0.push(plain(&record[path])),
                _ => {}
            }
        }
        let expected: Vec<_> = names.iter().map(|name| [b"/", &name[..]].concat()).collect();
        prop_assert_eq!(found.0, expected);
        prop_assert_eq!(found.1, texts);
    }

    #[test]
    fn sketches_have_what_timesketch_requires(names in names(), texts in texts()) {
        let checkpoint = checkpoint(&names, &texts);
        let timeline = of(&checkpoint);
        let all = Filter::default();
        let lines = written(|out| timesketch::jsonl(out, &checkpoint, &timeline, &all));
        let records: Vec<Value> =
            lines.lines().map(|line| serde_json::from_str(line).expect("a record")).collect();
        prop_assert_eq!(records.len(), timeline.events(&all).count());
        for (record, event) in records.iter().zip(timeline.events(&all)) {
            let text = |key: &str| record[key].as_str().map(str::to_owned).unwrap_or_default();
            prop_assert!(!text("message").is_empty() && !text("timestamp_desc").is_empty());
            prop_assert!(!text("message").chars().any(char::is_control));
            let datetime: jiff::Timestamp = text("datetime").parse().expect("ISO 8601");
            prop_assert_eq!(datetime.as_microsecond(), event.time.as_microsecond());
            prop_assert!(text("datetime").ends_with("+00:00"));
            prop_assert_eq!(record["timestamp"].as_i64(), Some(event.time.as_microsecond()));
            prop_assert_eq!(text("time").parse::<jiff::Timestamp>().unwrap(), event.time);
        }
    }

    #[test]
    fn rows_fit_and_say_nothing_to_the_terminal(names in names(), texts in texts(), width in 20usize..120) {
        let checkpoint = checkpoint(&names, &texts);
        let timeline = of(&checkpoint);
        let layout = Layout { width: Some(width), color: false };
        let table = written(|out| human::timeline(out, &timeline, &Filter::default(), &layout));
        for line in table.lines() {
            prop_assert!(line.chars().count() <= width, "{}", line);
            prop_assert!(!line.chars().any(char::is_control), "{}", line);
        }
    }
}

#[test]
fn the_document_is_the_lines_of_the_events() {
    let checkpoint = checkpoint(&[b"a\xff".to_vec()], &[b"x\xfe".to_vec()]);
    let timeline = of(&checkpoint);
    let all = Filter::default();
    let document = written(|out| json::write(out, &json::timeline(&checkpoint, &timeline, &all)));
    let document: Value = serde_json::from_str(&document).expect("a document");
    assert_eq!(document["schema"], "ckpt-inspect/timeline/1");
    let events = document["events"].as_array().expect("events");
    let lines = written(|out| {
        timeline
            .events(&all)
            .try_for_each(|event| json::write_line(out, &json::EventRecord::of(&event)))
    });
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events, &lines);
    let of = |what: &str, source: &str| {
        let found = |event: &&Value| event["what"] == what && event["source"] == source;
        events.iter().find(found).expect("the event")
    };
    let log = of("log", "log");
    assert_eq!((&log["text"], &log["text_base64"]), (&Value::from("x\\xfe"), &Value::from("eP4=")));
    assert_eq!((&log["stream"], &log["precision"]), (&Value::from("stdout"), &Value::from("ns")));
    let file = of("modified", "rootfs-diff");
    assert_eq!(
        (&file["path"], &file["path_base64"]),
        (&Value::from("/a\\xff"), &Value::from("L2H/"))
    );
    assert_eq!((&file["mode"], &file["type"]), (&Value::from("4751"), &Value::from("file")));
    assert_eq!(file["artifact"], "rootfs-1");
    let boot = of("booted", "host");
    assert_eq!(
        (&boot["derived"], &boot["uncertainty"]),
        (&Value::from(true), &Value::from("PT1S"))
    );
    let ghost = of("modified", "ghost");
    assert_eq!((&ghost["deleted"], &ghost["pid"]), (&Value::from(true), &Value::from(1)));
    assert_eq!(document["undated"][0]["path"], "/etc/motd");
}
