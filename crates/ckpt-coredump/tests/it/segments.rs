//! Memory in segments.

use std::time::Instant;

use ckpt_coredump::{Core, CoreOptions};
use ckpt_memory::{Mapping, VirtAddr};
use criu_image::messages::{CoreEntry, ThreadInfoX86, VmaEntry};

use crate::world::{ANON, FILE, PAGE, PARENT, PRESENT, VVAR, core, lacks, space, task, vma};

const OPTIONS: CoreOptions = CoreOptions::new();

fn x86() -> CoreEntry {
    CoreEntry { mtype: 1, thread_info: Some(ThreadInfoX86::default()), ..CoreEntry::default() }
}

fn i386() -> CoreEntry {
    let mut info = ThreadInfoX86::default();
    info.gpregs.mode = Some(2);
    CoreEntry { thread_info: Some(info), ..x86() }
}

/// Start, bytes in the file and bytes in memory of each segment, in pages.
fn shape(mappings: Vec<Mapping>, runs: &[(u64, u64, u32)]) -> Vec<(u64, u64, u64)> {
    let space = space(mappings, runs);
    let parsed = core(&task(7, x86()), &space, &OPTIONS);
    for load in parsed.loads.iter().filter(|load| load.memory < 1 << 30) {
        let expected = space.read(VirtAddr(load.start), load.memory).unwrap();
        assert!(parsed.memory(load.start, load.memory).unwrap() == expected);
    }
    parsed
        .loads
        .iter()
        .map(|load| (load.start / PAGE, load.file / PAGE, load.memory / PAGE))
        .collect()
}

#[test]
fn zeros_at_the_end_are_not_in_the_file() {
    assert_eq!(shape(vec![vma(0x1000, 9, ANON, 3)], &[(0x1000, 2, PRESENT)]), [(1, 2, 9)]);
    assert_eq!(shape(vec![vma(0x1000, 9, ANON, 3)], &[]), [(1, 0, 9)]);
}

#[test]
fn short_runs_of_zeros_lie_between_bytes() {
    let runs = [(0x3000, 1, PRESENT), (0x8000, 1, PRESENT)];
    assert_eq!(shape(vec![vma(0x1000, 20, ANON, 3)], &runs), [(1, 8, 20)]);
}

#[test]
fn long_ones_begin_a_segment() {
    let runs = [(0x100_0000, 1, PRESENT), (0x200_0000, 2, PRESENT)];
    let expected = [(0x1, 0, 0xfff), (0x1000, 1, 0x1000), (0x2000, 2, 0x2000)];
    assert_eq!(shape(vec![vma(0x1000, 0x3fff, ANON, 3)], &runs), expected);
}

/// What is not there lies in no segment: gdb would show zeros.
#[test]
fn holes_are_in_no_segment() {
    let runs = [(0x1000, 1, PRESENT), (0x2000, 1, PARENT), (0x3000, 1, PRESENT)];
    let told = [(1, 1, 1), (3, 1, 3)];
    assert_eq!(shape(vec![vma(0x1000, 5, ANON, 3)], &runs), told);
    let file = vma(0x1000, 5, FILE, 5);
    assert_eq!(
        shape(vec![file], &[(0x2000, 1, PRESENT), (0x4000, 1, PRESENT)]),
        [(2, 1, 1), (4, 1, 1)]
    );
}

#[test]
fn a_mapping_that_is_not_there_is_shown() {
    let mappings = vec![vma(0x1000, 2, FILE, 5), vma(0x3000, 2, VVAR, 1), vma(0x5000, 1, ANON, 0)];
    let space = space(mappings, &[]);
    let parsed = core(&task(7, x86()), &space, &OPTIONS);
    let loads: Vec<_> =
        parsed.loads.iter().map(|load| (load.start, load.flags, load.memory)).collect();
    assert_eq!(loads, [(0x1000, 5, 0), (0x3000, 4, 0), (0x5000, 0, PAGE)]);
    assert_eq!(parsed.byte(0x1000), None);
    let told = lacks(&task(7, x86()), &space, &OPTIONS);
    assert_eq!(
        told,
        [
            "8192 bytes of memory: not captured: a clean page of the mapped file",
            "8192 bytes of memory: not captured: memory of the kernel or of a device",
        ]
    );
}

#[test]
fn permissions() {
    let mappings = (0..8u32).map(|prot| vma(0x1000 * (u64::from(prot) + 1), 1, ANON, prot));
    let parsed = core(&task(7, x86()), &space(mappings.collect(), &[]), &OPTIONS);
    let flags: Vec<u32> = parsed.loads.iter().map(|load| load.flags).collect();
    assert_eq!(flags, [0, 4, 2, 6, 1, 5, 3, 7], "R is 4 here and 1 there");
}

/// A guard page faults: it lies in no segment, and nothing is missing.
#[test]
fn guard_pages_fault() {
    let mappings = vec![vma(0x1000, 4, ANON, 3), vma(0x2000, 1, 1 << 16, 0)];
    let space = space(mappings, &[(0x1000, 1, PRESENT), (0x3000, 1, PRESENT)]);
    let parsed = core(&task(7, x86()), &space, &OPTIONS);
    let loads: Vec<_> = parsed.loads.iter().map(|load| (load.start, load.memory)).collect();
    assert_eq!(loads, [(0x1000, PAGE), (0x3000, 2 * PAGE)]);
    assert!(lacks(&task(7, x86()), &space, &OPTIONS).is_empty());
}

/// Injected code is searched for in file parts.
#[test]
fn executable_anonymous_memory_is_whole() {
    assert_eq!(shape(vec![vma(0x1000, 9, ANON, 7)], &[(0x3000, 1, PRESENT)]), [(1, 9, 9)]);
    assert_eq!(shape(vec![vma(0x1000, 9, ANON, 5)], &[]), [(1, 9, 9)]);
    // A terabyte that a compiler has reserved is not.
    let pages = 1 << 28;
    let expected = [(1, 1, pages)];
    assert_eq!(shape(vec![vma(0x1000, pages, ANON, 7)], &[(0x1000, 1, PRESENT)]), expected);
}

#[test]
fn terabytes_cost_nothing() {
    let mappings = (1..100).map(|index| vma(index << 40, 1 << 27, ANON, 0));
    let space = space(mappings.collect(), &[(1 << 40, 1, PRESENT)]);
    let parsed = core(&task(7, x86()), &space, &OPTIONS);
    assert!(parsed.bytes.len() < 32 << 10);
    assert!(parsed.loads.iter().all(|load| load.memory == 1 << 39));
}

/// The field for the number of program headers has 16 bits.
#[test]
fn more_segments_than_the_header_can_count() {
    for count in [0xfffd, 0xfffe, 0xffff, 70_000u64] {
        let mappings = (0..count).map(|index| vma(0x10_000 + 2 * PAGE * index, 1, ANON, 3));
        let last = 0x10_000 + 2 * PAGE * (count - 1);
        let space = space(mappings.collect(), &[(last, 1, PRESENT)]);
        for entry in [x86(), i386()] {
            let parsed = core(&task(7, entry), &space, &OPTIONS);
            assert_eq!(parsed.loads.len() as u64, count);
            assert_eq!(parsed.memory(last, PAGE), space.read(VirtAddr(last), PAGE).ok());
        }
    }
}

/// Time and memory grow with the mappings and no faster.
#[test]
fn a_million_mappings() {
    let mappings = (0..1_000_000u64).map(|index| vma(0x10_000 + 2 * PAGE * index, 1, ANON, 3));
    let space = space(mappings.collect(), &[(0x10_000, 1, PRESENT)]);
    let began = Instant::now();
    let core = Core::of(&task(7, x86()), &space, &OPTIONS);
    core.write_to(&mut std::io::sink()).unwrap();
    assert_eq!(core.segments(), 1_000_000);
    assert!(core.size() < 60 << 20);
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}

/// A 32-bit task has nothing above 4 GiB; what the image has there (`[vsyscall]`) is told.
#[test]
fn a_32_bit_core_reaches_4_gib() {
    let mappings = vec![
        vma(0x1000, 1, ANON, 3),
        vma(0xffff_f000, 1, ANON, 3),
        vma(0xffff_ffff_ff60_0000, 1, 0x204, 4),
    ];
    let space = space(mappings, &[(0x1000, 1, PRESENT), (0xffff_f000, 1, PRESENT)]);
    let parsed = core(&task(7, i386()), &space, &OPTIONS);
    assert_eq!((parsed.class, parsed.machine, parsed.loads.len()), (1, 3, 2));
    assert_eq!(parsed.memory(0xffff_f000, PAGE), space.read(VirtAddr(0xffff_f000), PAGE).ok());
    let told = lacks(&task(7, i386()), &space, &OPTIONS);
    assert_eq!(told, ["1 mapping(s) left out: beyond the reach of a 32-bit core"]);
}

#[test]
fn the_last_page_of_the_address_space() {
    let last = 0xffff_ffff_ffff_e000;
    let space = space(vec![vma(last, 1, ANON, 3)], &[(last, 1, PRESENT)]);
    let parsed = core(&task(7, x86()), &space, &OPTIONS);
    assert_eq!(parsed.memory(last, PAGE), space.read(VirtAddr(last), PAGE).ok());
}

/// Damaged images have mappings that begin and end anywhere.
#[test]
fn mappings_off_the_page() {
    let odd =
        |start, end| Mapping::new(VmaEntry { start, end, status: ANON, ..VmaEntry::default() });
    let mappings = vec![odd(0x1100, 0x1101), odd(0x1234, 0x3333), odd(0x3333, 0x9001)];
    let space = space(mappings, &[(0x1000, 8, PRESENT)]);
    let parsed = core(&task(7, x86()), &space, &OPTIONS);
    assert_eq!(parsed.memory(0x1234, 0x7dcd), space.read(VirtAddr(0x1234), 0x7dcd).ok());
    assert_eq!(parsed.loads.len(), 3);
}
