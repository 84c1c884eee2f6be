//! Archives and images that mean harm.

use super::{looper, looper_shell};
use crate::{
    Archive, ByteOrder, Dump, Framing, Image, Kind, Member, Message, SparseForm, Task, magic,
};

/// A sound podman archive with members that would harm who unpacks them: absolute names, names with `..`, a symbolic
/// link to `/etc` and a file below it, `checkpoint` as a link out of the archive, hard links to `/etc/shadow` and to a
/// member that is not there, devices, two members of one name (the first `config.dump` counts as podman wrote it, the
/// last says `"name": "second"`), names with control bytes and a NUL, an empty name, a name of 5000 bytes, and a
/// `deleted.files` that leads out of the root.
#[must_use]
pub fn hostile_members() -> Archive {
    let mut archive = Archive::podman(&looper());
    archive
        .member("/etc/cron.d/evil", b"* * * * * root true\n")
        .member("../../../../tmp/evil", b"up\n")
        .member("checkpoint/../../evil", b"up again\n")
        .member("checkpoint/./dot.img", b"dot")
        .symlink("etc", "/etc")
        .member("etc/evil", b"through a link\n")
        .symlink("checkpoint/parent", "/proc/self/root/tmp")
        .symlink("loop-a", "loop-b")
        .symlink("loop-b", "loop-a")
        .hardlink("checkpoint/shadow.img", "/etc/shadow")
        .hardlink("checkpoint/nowhere.img", "checkpoint/not-there.img")
        .device("checkpoint/mem.img", 1, 1)
        .push(Member::new("checkpoint/disk.img", Kind::BlockDevice(8, 0)))
        .push(Member::new("checkpoint/fifo.img", Kind::Fifo))
        .push(Member::new("checkpoint/odd.img", Kind::Other(b'Z')).content(&b"odd"[..]))
        .member("config.dump", b"{\"id\": \"0\", \"name\": \"second\"}")
        .member("checkpoint/\x1b[2J\x07.img", b"escape")
        .member("checkpoint/new\nline.img", b"newline")
        .member("", b"no name")
        .member("n".repeat(5000), b"long")
        .replace("deleted.files", &br#"["/../../etc/passwd", "", "relative", "/a/../../b"]"#[..]);
    archive
}

/// Headers that lie: a member that claims a tebibyte and a sparse file that claims 8 EiB; the archive ends without its
/// zero blocks.
#[must_use]
pub fn hostile_tar() -> Archive {
    let mut archive = Archive::podman(&looper());
    let sparse = Kind::Sparse {
        pieces: vec![(u64::MAX >> 2, b"far away".to_vec())],
        size: u64::MAX >> 1,
        form: SparseForm::OldGnu,
    };
    archive
        .push(Member::new("checkpoint/pages-77.img", sparse))
        .push(Member::file("checkpoint/pages-78.img", b"short").claimed_size(1 << 40))
        .unended();
    archive
}

/// Numbers that overflow, cross or lead nowhere. Pid 1 is sound. Pid 2's arguments end before they start and its
/// environment is 2^62 bytes long; its pagemap has entries that overlap, go backwards, wrap past the end of the address
/// space, claim 2^52 pages and are PRESENT and PARENT at once. Pid 3 has an executable and a descriptor that are in no
/// file table, and its pagemap names the pages of pid 1. `pipes-data.img` claims 4 GiB, `ghost-file-9.img` has a chunk
/// at 2^62, `seccomp.img` has filters whose `prev` form a circle, `cgroup.img` is nested 2000 deep, and a record of
/// `filelocks.img` claims 0xffffffff bytes.
#[must_use]
pub fn hostile_numbers() -> Dump {
    let page = |vaddr: u64, pages: u64, flags: u32| {
        // vaddr, compat_nr_pages, flags, nr_pages
        Message::new().uint(1, vaddr).uint(2, 0u32).uint(4, flags).uint(5, pages)
    };
    let head = |id: u32| Message::new().uint(1, id); // pages_id
    let mut dump = Dump::new();
    dump.task(looper_shell())
        .task(
            Task::new(2, 1)
                .arg_range(0x7ffd_2393_f800, 0x7ffd_2393_f000)
                .env_range(0x1000, 0x1000 + (1 << 62)),
        )
        .task(Task::new(3, 1).mm_extra(&Message::new().uint(12, 8_888u32))); // exe_file_id
    dump.image(
        "pagemap-2.img",
        magic::PAGEMAP,
        &[
            head(2),
            page(0x60_0000, 2, 4),
            page(0x60_1000, 2, 4),
            page(0x40_0000, 1, 4),
            page(!0xfff, 16, 4),
            page(0x7000_0000_0000, 1 << 52, 4),
            page(0x7100_0000_0000, 1, 5),
            page(0x7200_0001, 1, 4),
            page(0x7300_0000_0000, 0, 4),
        ],
    );
    dump.image("pagemap-3.img", magic::PAGEMAP, &[head(1), page(0x60_0000, 1, 4)]);
    // id, flags, type, fd
    let dangling = Message::new().uint(1, 9_999u32).uint(2, 0u32).uint(3, 1u32).uint(4, 77u32);
    dump.record("fdinfo-4.img", &dangling);
    dump.image(
        "pipes-data.img",
        magic::PIPES_DATA,
        &[Message::new().uint(1, 1u32).uint(2, u32::MAX)],
    );
    let ghost = [
        Message::new()
            .uint(1, 0u32)
            .uint(2, 0u32)
            .uint(3, 0o100_644u32)
            .bool(9, true)
            .uint(10, 1u64 << 62),
        Message::new().uint(1, 1u64 << 62).uint(2, 1u64 << 62), // len, off
    ];
    dump.image("ghost-file-9.img", magic::GHOST_FILE, &ghost);
    let filter = |prev: u32| Message::new().bytes(1, [6, 0, 0, 0, 0, 0, 0xff, 0x7f]).uint(2, prev); // filter, prev
    let filters = Message::new().message(1, &filter(1)).message(1, &filter(0));
    dump.image("seccomp.img", magic::SECCOMP, &[filters]);
    let dir = (0..2000).fold(Message::new().bytes(1, "leaf"), |child, _| {
        Message::new().bytes(1, "d").message(2, &child) // dir_name, children
    });
    let controller = Message::new().bytes(1, "").message(2, &dir);
    dump.image("cgroup.img", magic::CGROUP, &[Message::new().message(2, &controller)]);
    let mut locks = Image::new(magic::FILE_LOCKS, Framing::V1_1, ByteOrder::Little).into_bytes();
    locks.extend([0xff; 4]);
    locks.extend(b"few bytes");
    dump.raw("filelocks.img", locks);
    dump
}
