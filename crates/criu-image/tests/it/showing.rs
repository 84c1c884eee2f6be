//! The tree that people see, and the lists of what decoding would drop.

use crate::writer::{Proto, Writer};
use bytes::Bytes;
use criu_image::messages::*;
use criu_image::schema::{Described, MessageSchema};
use criu_image::show::{escape, ip_text, show_payload, show_record, unix_name};
use criu_image::wire::{self, WireError, WireType};
use criu_image::{ByteOrder, Image, ImageKind, ImageSummary, ShowContext, ShowLimits, Shown};

const CONTEXT: ShowContext = ShowContext {
    order: ByteOrder::Little,
    mtype: None,
    limits: ShowLimits { depth: 64, nodes: 1 << 20 },
};

/// One line of text for a tree.
fn line(shown: &Shown) -> String {
    match shown {
        Shown::Number(value) => value.to_string(),
        Shown::Signed(value) => value.to_string(),
        Shown::Bool(value) => value.to_string(),
        Shown::Rendered { text, .. } => text.clone(),
        Shown::Text { text, .. } | Shown::Derived(text) => format!("{text:?}"),
        Shown::Bytes(bytes) => format!("<{}>", bytes.len()),
        Shown::List(values) => {
            format!("[{}]", values.iter().map(line).collect::<Vec<_>>().join(", "))
        }
        Shown::Message(fields) => {
            let fields: Vec<_> =
                fields.iter().map(|(label, value)| format!("{label}: {}", line(value))).collect();
            format!("{{{}}}", fields.join("; "))
        }
    }
}

fn tree(proto: &Proto, schema: &'static MessageSchema, context: &ShowContext) -> String {
    line(&show_payload(&Bytes::from(proto.0.clone()), schema, context))
}

#[test]
fn values_as_people_read_them() {
    let vma = Proto::new()
        .varint(1, 0x7fff_0000_0000)
        .varint(2, 0xffff_ffff_ff60_1000)
        .varint(3, 0)
        .varint(4, 0)
        .varint(5, 3)
        .varint(6, 0x122)
        .varint(7, 0x201)
        .varint(8, 1);
    assert_eq!(
        tree(&vma, VmaEntry::schema(), &CONTEXT),
        "{start: 0x7fff00000000; end: 0xffffffffff601000; pgoff: 0x0; shmid: 0; prot: PROT_READ | PROT_WRITE; \
         flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN; status: VMA_AREA_REGULAR | VMA_ANON_PRIVATE; fd: -1}"
    );
    let ghost = Proto::new()
        .varint(1, 0)
        .varint(2, 0)
        .varint(3, 0o100_644)
        .varint(4, 8 << 20 | 1)
        .varint(6, 0x8801);
    assert_eq!(
        tree(&ghost, GhostFileEntry::schema(), &CONTEXT),
        "{uid: 0; gid: 0; mode: 0100644; dev: 8:1; rdev: 136:1}"
    );
    let lock = Proto::new().varint(1, 4).varint(2, 1).varint(3, u64::MAX).varint(5, u64::MAX);
    assert_eq!(
        tree(&lock, FileLockEntry::schema(), &CONTEXT),
        "{flag: OFD; type: F_WRLCK; pid: -1; start: -1}"
    );
    let signals = Proto::new().varint(4, 1 << 8 | 1 << 14 | 1 << 33);
    assert_eq!(
        tree(&signals, SignalfdEntry::schema(), &CONTEXT),
        "{sigmask: [SIGKILL SIGTERM SIGRTMIN+2]}"
    );
}

#[test]
fn names_follow_the_architecture() {
    let file = Proto::new().varint(2, 0o40_000);
    let show = |mtype| tree(&file, RegFileEntry::schema(), &CONTEXT.with_mtype(mtype));
    assert_eq!(show(None), "{flags: O_RDONLY | O_DIRECT}");
    assert_eq!(show(Some(3)), "{flags: O_RDONLY | O_DIRECTORY}");
    let core = |mtype| Proto::new().varint(1, mtype).message(3, &Proto::new().varint(21, 23));
    assert_eq!(
        tree(&core(1), CoreEntry::schema(), &CONTEXT),
        "{mtype: X86_64; tc: {stop_signo: SIGURG}}"
    );
    assert_eq!(
        tree(&core(6), CoreEntry::schema(), &CONTEXT),
        "{mtype: MIPS; tc: {stop_signo: SIGSTOP}}"
    );
}

#[test]
fn addresses_follow_the_byte_order() {
    let socket = Proto::new()
        .varint(11, 16_777_343)
        .varint(12, 0)
        .varint(12, 0)
        .varint(12, 0)
        .varint(12, 16_777_216);
    assert_eq!(
        tree(&socket, InetSkEntry::schema(), &CONTEXT),
        "{src_addr: \"127.0.0.1\"; dst_addr: \"::1\"}"
    );
    assert_eq!(ip_text(&[0x7f00_0001], ByteOrder::Big).as_deref(), Some("127.0.0.1"));
    assert_eq!(ip_text(&[1, 2], ByteOrder::Big), None);
    let odd = Proto::new().varint(11, 1).varint(11, 2);
    assert_eq!(tree(&odd, InetSkEntry::schema(), &CONTEXT), "{src_addr: [1, 2]}");
}

#[test]
fn strings_cannot_drive_a_terminal() {
    assert_eq!(escape(b"/bin/sh"), "/bin/sh");
    assert_eq!(escape("gr\u{fc}n".as_bytes()), "gr\u{fc}n");
    assert_eq!(escape(b"\x1b[31m\xff\\\n\0"), "\\x1b[31m\\xff\\\\\\n\\x00");
    assert_eq!(escape("a\u{202e}b\u{9b}".as_bytes()), "a\\u{202e}b\\u{9b}");
    assert_eq!(unix_name(b"\0dbus\0x"), "@dbus\\x00x");
    assert_eq!(unix_name(b"/run/x.sock\0"), "/run/x.sock");
    assert_eq!(unix_name(b""), "");
}

#[test]
fn nothing_is_lost() {
    let odd = Proto::new()
        .varint(1, 5)
        .varint(17, 5)
        .bytes(18, b"abc")
        .fixed64(2, 9)
        .varint(1, 6)
        .varint(5, 1)
        .packed(5, &[2, 3]);
    assert_eq!(
        tree(&odd, PstreeEntry::schema(), &CONTEXT),
        "{pid: [5, 6]; unknown field 17 (varint): 5; unknown field 18 (length-delimited, 3 bytes): <3>; \
         unknown field 2 (fixed64): 9; threads: [1, 2, 3]}"
    );
    let mut broken = Proto::new().varint(1, 5);
    broken.0.extend([0x0b, 1, 2]);
    assert_eq!(
        tree(&broken, PstreeEntry::schema(), &CONTEXT),
        "{pid: 5; not protobuf: illegal wire type 3 at 2: <3>}"
    );
}

#[test]
fn depth_and_size_are_bounded() {
    let mut dir = Proto::new().bytes(1, b"x");
    for _ in 0..200 {
        dir = Proto::new().message(2, &dir);
    }
    let shown = tree(&dir, CgroupDirEntry::schema(), &CONTEXT);
    assert_eq!(shown.matches("children").count(), 65);
    assert!(matches!(
        wire::check(&dir.0, CgroupDirEntry::schema()),
        Err(WireError::TooDeep { .. })
    ));

    let limits = ShowLimits { depth: 64, nodes: 3 };
    let list = (0..10).fold(Proto::new(), |proto, thread| proto.varint(5, thread));
    let shown = tree(&list, PstreeEntry::schema(), &ShowContext { limits, ..CONTEXT });
    assert_eq!(shown, "{threads: [0, 1, 2]; bytes not shown: 14}");
}

#[test]
fn extras_are_told_beside_the_message() {
    let bytes =
        Writer::v1_1(0x5645_3709).record(&Proto::new().varint(1, 5).varint(2, 3)).raw(b"abc").bytes;
    let image = Image::open(ImageKind::PipesData, Bytes::from(bytes)).unwrap();
    let record = image.records().next().unwrap().unwrap();
    assert_eq!(
        line(&show_record(&record, &ShowContext::of(&image))),
        "{pipe_id: 5; bytes: 3; extra: {kind: \"pipe data\"; bytes: 3}}"
    );
}

#[test]
fn unknown_and_missing_fields_have_paths() {
    let task = Proto::new().varint(1, 1).varint(99, 1);
    let core = Proto::new().varint(1, 1).message(
        3,
        &task.message(15, &Proto::new().varint(1, 0)).message(15, &Proto::new().bytes(77, b"xy")),
    );
    let unknown = wire::unknown_fields(&core.0, CoreEntry::schema());
    let brief: Vec<_> = unknown
        .iter()
        .map(|field| (field.path.as_str(), field.number, field.wire_type, field.size))
        .collect();
    assert_eq!(
        brief,
        [("tc", 99, WireType::Varint, 1), ("tc.sigactions[1]", 77, WireType::LengthDelimited, 2)]
    );
    assert!(
        unknown
            .iter()
            .all(|field| core.0[field.offset] & 7 == [0, 2][usize::from(field.number == 77)])
    );
    let missing = wire::missing_required(&core.0, CoreEntry::schema());
    assert!(missing.contains(&"tc.comm".to_owned()));
    assert!(missing.contains(&"tc.sigactions[1].mask".to_owned()));
    assert!(!missing.contains(&"tc.task_state".to_owned()));
    assert_eq!(wire::count_unknown(&core.0, CoreEntry::schema()), 2);
    assert_eq!(wire::count_missing(&core.0, CoreEntry::schema()), missing.len() as u64);
}

#[test]
fn a_summary_counts_what_is_wrong() {
    let task = Proto::new().varint(1, 1).varint(2, 0).varint(3, 1).varint(4, 1);
    let bytes = Writer::v1_1(0x5027_3030)
        .record(&task)
        .record(&task.clone().varint(40, 1))
        .record(&Proto::new().varint(1, 1))
        .record(&Proto::new().bytes(1, b"pid"))
        .raw(b"xy")
        .bytes;
    let summary = ImageSummary::of(&Image::open(ImageKind::Pstree, Bytes::from(bytes)).unwrap());
    assert_eq!((summary.records, summary.bad_records, summary.unknown_fields), (4, 1, 2));
    assert_eq!(summary.missing_required, 3 + 4);
    assert!(summary.framing_error.is_some() && summary.first_bad_record.is_some());
}

#[test]
fn schemas_are_sound() {
    fn visit(schema: &'static MessageSchema, seen: &mut Vec<&'static MessageSchema>) {
        if seen.iter().any(|known| std::ptr::eq(*known, schema)) {
            return;
        }
        seen.push(schema);
        for (index, field) in schema.fields.iter().enumerate() {
            assert!(
                (1..64).contains(&field.number) || field.number == 128,
                "{}.{}",
                schema.name,
                field.name
            );
            assert!(!field.name.contains('#'));
            assert!(
                schema.fields[..index].iter().all(|other| other.number < field.number),
                "{}",
                schema.name
            );
            if let criu_image::schema::Kind::Message(sub) = field.kind {
                visit(sub(), seen);
            }
        }
    }
    let mut seen = Vec::new();
    for kind in ImageKind::ALL {
        kind.schema().into_iter().for_each(|schema| visit(schema, &mut seen));
    }
    assert!(seen.len() > 140, "{}", seen.len());
}
