//! Registers of x86-64 and of 32-bit tasks on it.

use ckpt_coredump::CoreOptions;
use criu_image::messages::{
    CoreEntry, ThreadInfoX86, UserDescT, UserX86CetEntry, UserX86FpregsEntry, UserX86RegsEntry,
    UserX86XsaveEntry,
};

use crate::reader::Parsed;
use crate::world::{core, lacks, space, task, thread};

const OPTIONS: CoreOptions = CoreOptions::new();
const XSTATE: u32 = 0x202;

/// Every register has its own number.
fn info(mode: u32) -> ThreadInfoX86 {
    let gpregs = UserX86RegsEntry {
        r15: 15,
        r14: 14,
        r13: 13,
        r12: 12,
        bp: 105,
        bx: 103,
        r11: 11,
        r10: 10,
        r9: 9,
        r8: 8,
        ax: 0xffff_ffff_0000_0064,
        cx: 101,
        dx: 102,
        si: 106,
        di: 107,
        orig_ax: u64::MAX,
        ip: 116,
        cs: 0x33,
        flags: 0x246,
        sp: 104,
        ss: 0x2b,
        fs_base: 0x7f00_0000_1000,
        gs_base: 0x7f00_0000_2000,
        ds: 1,
        es: 2,
        fs: 3,
        gs: 0x63,
        mode: Some(mode),
    };
    let fpregs = UserX86FpregsEntry {
        cwd: 0x37f,
        swd: 0x3800, // the top of the stack is register 7
        twd: 0x80,
        fop: 0x1d9,
        rip: 0x1_0040_0010,
        rdp: 0x1_0060_0020,
        mxcsr: 0x1f80,
        mxcsr_mask: 0x2_ffff,
        st_space: (0..32).map(|word| 0x8000_0000 + word).collect(),
        xmm_space: (0..64).map(|word| 0x1000 + word).collect(),
        padding: vec![0xeeee_eeee; 24],
        xsave: None,
    };
    ThreadInfoX86 { gpregs, fpregs, ..ThreadInfoX86::default() }
}

fn with(xsave: UserX86XsaveEntry, mode: u32) -> ThreadInfoX86 {
    let mut info = info(mode);
    info.fpregs.xsave = Some(xsave);
    info
}

fn entry(info: ThreadInfoX86) -> CoreEntry {
    CoreEntry { mtype: 1, thread_info: Some(info), ..CoreEntry::default() }
}

fn parsed(info: ThreadInfoX86) -> Parsed {
    core(&task(7, entry(info)), &space(vec![], &[]), &OPTIONS)
}

/// A processor with AVX-512 and protection keys.
fn everything() -> UserX86XsaveEntry {
    UserX86XsaveEntry {
        xstate_bv: 0xaff,
        ymmh_space: (0..64).map(|word| 0x2000 + word).collect(),
        bndreg_state: (0..8).map(|word| 0x3000 + word).collect(),
        bndcsr_state: (0..8).map(|word| 0x4000 + word).collect(),
        opmask_reg: (0..8).map(|word| 0x5000 + word).collect(),
        zmm_upper: (0..64).map(|word| 0x6000 + word).collect(),
        hi16_zmm: (0..128).map(|word| 0x7000 + word).collect(),
        pkru: vec![0x5555_5554, 0],
        cet: None,
    }
}

#[test]
fn general_registers() {
    let parsed = parsed(info(1));
    assert_eq!((parsed.class, parsed.machine, parsed.flags), (2, 62, 0));
    let registers = parsed.at(parsed.note(1)).words(112, 27);
    let expected = [
        15,
        14,
        13,
        12,
        105,
        103,
        11,
        10,
        9,
        8,
        0xffff_ffff_0000_0064,
        101,
        102,
        106,
        107,
        u64::MAX,
        116,
        0x33,
        0x246,
        104,
        0x2b,
        0x7f00_0000_1000,
        0x7f00_0000_2000,
        1,
        2,
        3,
        0x63,
    ];
    assert_eq!(registers, expected);
}

/// `FXSAVE`: what the image has behind the registers is not the processor's.
fn is_fxsave(parsed: &Parsed, area: &[u8]) {
    let at = parsed.at(area);
    assert_eq!([0, 2, 4, 6].map(|offset| at.u16(offset)), [0x37f, 0x3800, 0x80, 0x1d9]);
    assert_eq!(at.words(8, 2), [0x1_0040_0010, 0x1_0060_0020]);
    assert_eq!(at.words32(24, 2), [0x1f80, 0x2_ffff]);
    assert_eq!(at.words32(32, 32), (0x8000_0000..0x8000_0020).collect::<Vec<_>>());
    assert_eq!(at.words32(160, 64), (0x1000..0x1040).collect::<Vec<_>>());
    assert_eq!(area[416..464], [0; 48]);
}

#[test]
fn floating_point_registers() {
    let parsed = parsed(info(1));
    let area = parsed.note(2);
    assert_eq!(area.len(), 512);
    is_fxsave(&parsed, area);
    assert_eq!(area[464..], [0; 48]);
    assert!(parsed.all(XSTATE).is_empty(), "a processor without XSAVE");
}

#[test]
fn the_whole_extended_state() {
    let parsed = parsed(with(everything(), 1));
    assert!(parsed.kinds().contains(&("LINUX", XSTATE)));
    let area = parsed.note(XSTATE);
    assert_eq!(area.len(), 2696);
    is_fxsave(&parsed, area);
    let at = parsed.at(area);
    assert_eq!(at.u64(464), 0x2ff, "XCR0: 0 to 7 and 9");
    assert_eq!(at.words(512, 8), [0x2ff, 0, 0, 0, 0, 0, 0, 0], "header; 11 is not in the area");
    assert_eq!(at.words32(576, 64), (0x2000..0x2040).collect::<Vec<_>>(), "ymm");
    assert_eq!(area[832..960], [0; 128]);
    assert_eq!(at.words(960, 8), (0x3000..0x3008).collect::<Vec<_>>(), "bounds");
    assert_eq!(at.words(1024, 8), (0x4000..0x4008).collect::<Vec<_>>(), "bounds configuration");
    assert_eq!(at.words(1088, 8), (0x5000..0x5008).collect::<Vec<_>>(), "masks");
    assert_eq!(at.words(1152, 64), (0x6000..0x6040).collect::<Vec<_>>(), "zmm0 to zmm15");
    assert_eq!(at.words(1664, 128), (0x7000..0x7080).collect::<Vec<_>>(), "zmm16 to zmm31");
    assert_eq!(at.u64(2688), 0x5555_5554, "protection keys");
}

/// The size of the area tells gdb its layout, and must be that of the components that XCR0 names.
#[test]
fn the_size_follows_the_components() {
    let all = everything();
    let none = UserX86XsaveEntry { xstate_bv: 0x217, ..UserX86XsaveEntry::default() };
    let avx = UserX86XsaveEntry { ymmh_space: all.ymmh_space.clone(), ..none.clone() };
    let mpx = UserX86XsaveEntry { bndcsr_state: all.bndcsr_state.clone(), ..avx.clone() };
    let avx512 = UserX86XsaveEntry { pkru: Vec::new(), ..all.clone() };
    let keys = UserX86XsaveEntry { pkru: all.pkru.clone(), ..mpx.clone() };
    let cases = [
        (none, 576, 0x3, 0x3),
        (avx, 832, 0x7, 0x7),
        (mpx, 1088, 0x17, 0x17),
        (avx512, 2688, 0xff, 0xff),
        (keys, 2696, 0x217, 0x217),
    ];
    for (xsave, size, xcr0, xstate_bv) in cases {
        let parsed = parsed(with(xsave, 1));
        let area = parsed.note(XSTATE);
        let at = parsed.at(area);
        assert_eq!((area.len(), at.u64(464), at.u64(512)), (size, xcr0, xstate_bv));
    }
}

/// Images are not always as long as they should be.
#[test]
fn odd_lists() {
    let mut info = with(everything(), 1);
    info.fpregs.st_space = vec![1; 500];
    info.fpregs.xmm_space = vec![2];
    let xsave = info.fpregs.xsave.as_mut().unwrap();
    (xsave.ymmh_space, xsave.hi16_zmm, xsave.pkru) = (vec![3; 5000], vec![4], vec![5; 100]);
    let parsed = parsed(info);
    let area = parsed.note(XSTATE);
    let at = parsed.at(area);
    assert_eq!(area.len(), 2696);
    assert_eq!(at.words32(28 + 4 * 32, 3), [1, 2, 0]);
    assert_eq!(at.words32(828, 2), [3, 0]);
    assert_eq!(at.words(1664, 2), [4, 0]);
    assert_eq!(at.words32(2688, 2), [5, 5]);
}

#[test]
fn a_shadow_stack_is_told() {
    let shadow = |ssp| {
        let cet = Some(UserX86CetEntry { cet: 0, ssp });
        task(7, entry(with(UserX86XsaveEntry { cet, ..everything() }, 1)))
    };
    let space = space(vec![], &[]);
    let told = lacks(&shadow(0x7fff_0000), &space, &OPTIONS);
    assert_eq!(told, ["thread 7: no shadow stack pointer (NT_X86_SHSTK)"]);
    assert!(lacks(&shadow(0), &space, &OPTIONS).is_empty(), "a processor that has them, unused");
}

/// The notes of i386, as a 64-bit kernel writes them for a 32-bit task.
#[test]
fn a_32_bit_task() {
    let mut info = with(everything(), 2);
    let segment = UserDescT {
        entry_number: 12,
        base_addr: 0xf7f0_0740,
        limit: 0xf_ffff,
        seg_32bit: true,
        contents_h: false,
        contents_l: false,
        read_exec_only: false,
        limit_in_pages: true,
        seg_not_present: false,
        usable: true,
    };
    let empty = UserDescT { seg_not_present: true, ..UserDescT::default() };
    info.tls = vec![segment, empty.clone(), empty];
    let parsed = parsed(info);
    assert_eq!((parsed.class, parsed.machine), (1, 3));
    let kinds: Vec<u32> = parsed.kinds().into_iter().map(|(_, kind)| kind).collect();
    assert_eq!(kinds, [1, 3, 0x5349_4749, 6, 2, 0x46e6_2b7f, XSTATE, 0x200]);
    let status = parsed.note(1);
    assert_eq!(status.len(), 144);
    let at = parsed.at(status);
    assert_eq!(at.words32(24, 4), [7, 1, 5, 4], "pid, ppid, pgrp, sid");
    let registers = [
        103,
        101,
        102,
        106,
        107,
        105,
        100,
        1,
        2,
        3,
        0x63,
        0xffff_ffff,
        116,
        0x33,
        0x246,
        104,
        0x2b,
    ];
    assert_eq!(at.words32(72, 17), registers);
    assert_eq!(at.u32(140), 1, "pr_fpvalid");
    let info = parsed.note(3);
    assert_eq!(info.len(), 124);
    assert_eq!(parsed.at(info).u32(4), 0x40_0100);
    assert_eq!((parsed.at(info).u16(8), parsed.at(info).u16(10)), (1000, 100));
    assert_eq!(parsed.at(info).words32(12, 4), [7, 1, 5, 4]);
    assert_eq!(&info[28..44], b"a name that is \0");
    is_fxsave(&parsed, parsed.note(0x46e6_2b7f));
    assert_eq!(parsed.note(XSTATE).len(), 2696);
    assert_eq!(parsed.at(parsed.note(0x200)).words32(0, 4), [12, 0xf7f0_0740, 0xf_ffff, 0x51]);
    assert_eq!(parsed.note(0x200).len(), 16);
}

/// `FSAVE`, 108 bytes: two bits of tag for each register, ten bytes of it.
#[test]
fn the_old_form_of_the_x87_state() {
    let mut info = info(2);
    // Register 7 is valid, 6 zero, 5 infinite, 4 denormal; the others are empty. Register 7 is the top.
    info.fpregs.twd = 0xf0;
    info.fpregs.st_space = [
        [1, 0x8000_0000, 0x4000, 0],
        [0; 4],
        [0; 4],
        [0; 4],
        [0; 4],
        [1, 0, 0, 0],
        [0, 0x8000_0000, 0x7fff, 0],
        [0; 4],
    ]
    .concat();
    let parsed = parsed(info);
    let area = parsed.note(2);
    assert_eq!(area.len(), 108);
    let at = parsed.at(area);
    // 4: denormal (special), 5: infinite (special), 6: zero, 7: valid.
    let tags = 0xffff_0000 | 0b00_01_10_10_11_11_11_11;
    assert_eq!(at.words32(0, 3), [0xffff_037f, 0xffff_3800, tags]);
    assert_eq!(at.words32(12, 4), [0x40_0010, 0x33, 0x60_0020, 0xffff_0001]);
    assert_eq!(area[28..38], [1, 0, 0, 0, 0, 0, 0, 0x80, 0, 0x40]);
    assert_eq!(area[28 + 60..38 + 60], [0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x7f]);
}

/// A thread can leave its process's mode; a core cannot.
#[test]
fn a_thread_of_the_other_mode() {
    let mut it = task(7, entry(info(1)));
    it.threads.push(thread(8, entry(info(2))));
    let space = space(vec![], &[]);
    assert_eq!(core(&it, &space, &OPTIONS).all(1).len(), 1);
    let told = lacks(&it, &space, &OPTIONS);
    assert_eq!(told, ["no registers of thread 8: it runs in another mode than its process"]);
}
