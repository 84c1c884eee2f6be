//! Registers of every other architecture, where its kernel has them.

use ckpt_coredump::CoreOptions;
use ckpt_memory::Mapping;
use ckpt_model::Pid;
use ckpt_synth::{Archive, Dump};
use criu_image::ByteOrder;
use criu_image::messages::*;

use crate::reader::Parsed;
use crate::world::{ANON, core, lacks, open, space, task, vma};

const LITTLE: CoreOptions = CoreOptions::new();
const BIG: CoreOptions = LITTLE.byte_order(ByteOrder::Big);

/// `count` numbers from `first` on.
fn numbers(first: u64, count: u64) -> Vec<u64> {
    (first..first + count).collect()
}

fn parsed(entry: CoreEntry, options: &CoreOptions) -> Parsed {
    core(&task(7, entry), &space(vec![], &[]), options)
}

/// Class, byte order, `e_machine`, `e_flags`; then the types of the notes of the thread behind those of the process.
fn looks(parsed: &Parsed) -> ((u8, bool, u16, u32), Vec<u32>) {
    let (class, big) = (parsed.class, parsed.big);
    let kinds = parsed.kinds().into_iter().map(|(_, kind)| kind);
    ((class, big, parsed.machine, parsed.flags), kinds.skip(4).collect())
}

fn aarch64(keys: Option<PacKeys>) -> CoreEntry {
    let gpregs = UserAarch64RegsEntry { regs: numbers(0, 31), sp: 31, pc: 32, pstate: 33 };
    let fpsimd = UserAarch64FpsimdContextEntry { vregs: numbers(100, 64), fpsr: 1, fpcr: 2 };
    let info = ThreadInfoAarch64 {
        clear_tid_addr: 0,
        tls: 0xffff_ab08_02c0,
        gpregs,
        fpsimd,
        pac_keys: keys,
        gcs: None,
    };
    CoreEntry { mtype: 3, ti_aarch64: Some(info), ..CoreEntry::default() }
}

#[test]
fn on_aarch64() {
    let parsed = parsed(aarch64(None), &LITTLE);
    assert_eq!(looks(&parsed), ((2, false, 183, 0), vec![2, 0x401]));
    let status = parsed.note(1);
    assert_eq!(status.len(), 392);
    assert_eq!(parsed.at(status).words(112, 34), numbers(0, 34));
    assert_eq!(parsed.at(status).u32(384), 1, "pr_fpvalid");
    let vector = parsed.note(2);
    assert_eq!(vector.len(), 528);
    assert_eq!(parsed.at(vector).words(0, 64), numbers(100, 64));
    assert_eq!(parsed.at(vector).words32(512, 4), [1, 2, 0, 0]);
    assert_eq!(parsed.note(0x401), 0xffff_ab08_02c0u64.to_le_bytes());
}

/// Which bits of an address are its signature, and never the keys that make it.
#[test]
fn signed_addresses() {
    let secret = 0x5ec2_e75e_c2e7_5ec2;
    let keys = PacKeys {
        pac_address_keys: Some(PacAddressKeys {
            apiakey_lo: secret,
            apiakey_hi: secret,
            apibkey_lo: secret,
            apibkey_hi: secret,
            apdakey_lo: secret,
            apdakey_hi: secret,
            apdbkey_lo: secret,
            apdbkey_hi: secret,
            pac_enabled_key: 15,
        }),
        pac_generic_keys: Some(PacGenericKeys { apgakey_lo: secret, apgakey_hi: secret }),
    };
    let highest = [
        (0x7f_ffff_f000, 0x007f_ff80_0000_0000),     // 39 bits
        (0x7fff_cda9_7000, 0x007f_8000_0000_0000), // 47 bits, as kernels with pages of 16 KiB have
        (0xffff_f92b_1000, 0x007f_0000_0000_0000), // 48 bits
        (0xf_ffff_f92b_1000, 0x0070_0000_0000_0000), // 52 bits
    ];
    for (end, mask) in highest {
        let space = space(vec![vma(end - 0x1000, 1, ANON, 3)], &[]);
        let parsed = core(&task(7, aarch64(Some(keys.clone()))), &space, &LITTLE);
        assert_eq!(parsed.at(parsed.note(0x406)).words(0, 2), [mask, mask], "up to {end:#x}");
        assert!(!parsed.bytes.windows(8).any(|bytes| bytes == secret.to_le_bytes()));
    }
    // A processor without: the message is there, and empty.
    assert!(parsed(aarch64(Some(PacKeys::default())), &LITTLE).all(0x406).is_empty());
}

#[test]
fn a_guarded_control_stack_is_told() {
    let mut entry = aarch64(None);
    let gcs = UserAarch64GcsEntry { gcspr_el0: 1, features_enabled: 1 };
    entry.ti_aarch64.as_mut().unwrap().gcs = Some(gcs);
    let told = lacks(&task(7, entry), &space(vec![], &[]), &LITTLE);
    assert_eq!(told, ["thread 7: no guarded control stack (NT_ARM_GCS)"]);
}

#[test]
fn on_arm() {
    let gpregs = UserArmRegsEntry {
        r0: 0,
        r1: 1,
        r2: 2,
        r3: 3,
        r4: 4,
        r5: 5,
        r6: 6,
        r7: 7,
        r8: 8,
        r9: 9,
        r10: 10,
        fp: 11,
        ip: 12,
        sp: 13,
        lr: 14,
        pc: 15,
        cpsr: 16,
        orig_r0: 17,
    };
    let fpstate = UserArmVfpstateEntry {
        vfp_regs: numbers(100, 32),
        fpscr: 1,
        ..UserArmVfpstateEntry::default()
    };
    let info = ThreadInfoArm { clear_tid_addr: 0, tls: 0, gpregs, fpstate };
    let entry = CoreEntry { mtype: 2, ti_arm: Some(info), ..CoreEntry::default() };
    let parsed = parsed(entry, &LITTLE);
    assert_eq!(looks(&parsed), ((1, false, 40, 0x0500_0000), vec![0x400]));
    let status = parsed.note(1);
    assert_eq!(status.len(), 148);
    assert_eq!(parsed.at(status).words32(72, 18), (0..18).collect::<Vec<_>>());
    assert_eq!(parsed.at(status).u32(144), 0, "no NT_FPREGSET");
    let vfp = parsed.note(0x400);
    assert_eq!(vfp.len(), 260);
    assert_eq!(parsed.at(vfp).words(0, 32), numbers(100, 32));
    assert_eq!(parsed.at(vfp).u32(256), 1);
    assert_eq!(parsed.note(3).len(), 124);
}

#[test]
fn on_ppc64_of_either_byte_order() {
    let gpregs = UserPpc64RegsEntry {
        gpr: numbers(0, 32),
        nip: 32,
        msr: 33,
        orig_gpr3: 34,
        ctr: 35,
        link: 36,
        xer: 37,
        ccr: 38,
        trap: 40,
        ..UserPpc64RegsEntry::default()
    };
    let info = ThreadInfoPpc64 {
        clear_tid_addr: 0,
        gpregs,
        fpstate: Some(UserPpc64FpstateEntry { fpregs: numbers(100, 33) }),
        vrstate: Some(UserPpc64VrstateEntry { vrregs: numbers(200, 66), vrsave: 7 }),
        vsxstate: Some(UserPpc64VsxstateEntry { vsxregs: numbers(300, 32) }),
        tmstate: Some(UserPpc64TmRegsEntry::default()),
    };
    let entry = CoreEntry { mtype: 4, ti_ppc64: Some(info), ..CoreEntry::default() };
    for (options, flags) in [(LITTLE, 2), (BIG, 1)] {
        let parsed = parsed(entry.clone(), &options);
        let expected = ((2, flags == 1, 21, flags), vec![2, 0x100, 0x102]);
        assert_eq!(looks(&parsed), expected);
        let status = parsed.note(1);
        assert_eq!(status.len(), 504);
        let mut registers = numbers(0, 41);
        registers[39] = 0;
        registers.resize(48, 0);
        assert_eq!(parsed.at(status).words(112, 48), registers);
        assert_eq!(parsed.at(parsed.note(2)).words(0, 33), numbers(100, 33));
        let altivec = parsed.note(0x100);
        assert_eq!(altivec.len(), 544);
        assert_eq!(parsed.at(altivec).words(0, 66), numbers(200, 66));
        assert_eq!(parsed.at(altivec).u32(528), 7);
        assert_eq!(parsed.at(parsed.note(0x102)).words(0, 32), numbers(300, 32));
        assert_eq!(parsed.note(0x102).len(), 256);
    }
    let told = lacks(&task(7, entry), &space(vec![], &[]), &LITTLE);
    assert_eq!(told, ["thread 7: no registers of a suspended transaction (NT_PPC_TM_CGPR)"]);
}

#[test]
fn on_s390x() {
    let gpregs = UserS390RegsEntry {
        psw_mask: 0x0705_0001_8000_0000,
        psw_addr: 0x1000,
        gprs: numbers(0, 16),
        acrs: (50..66).collect(),
        orig_gpr2: 77,
        system_call: 4,
    };
    let info = ThreadInfoS390 {
        clear_tid_addr: 0,
        gpregs,
        fpregs: UserS390FpregsEntry { fpc: 9, fprs: numbers(100, 16) },
        vxrs_low: Some(UserS390VxrsLowEntry { regs: numbers(200, 16) }),
        vxrs_high: Some(UserS390VxrsHighEntry { regs: numbers(300, 32) }),
        gs_cb: Some(UserS390GsCbEntry { regs: numbers(400, 4) }),
        gs_bc: None,
        ri_cb: Some(UserS390RiEntry { ri_on: 1, regs: numbers(500, 8) }),
    };
    let entry = CoreEntry { mtype: 5, ti_s390: Some(info), ..CoreEntry::default() };
    let parsed = parsed(entry.clone(), &BIG);
    let expected = ((2, true, 22, 0), vec![2, 0x307, 0x309, 0x30a, 0x30b]);
    assert_eq!(looks(&parsed), expected);
    let status = parsed.note(1);
    assert_eq!(status.len(), 336);
    let at = parsed.at(status);
    assert_eq!(at.words(112, 2), [0x0705_0001_8000_0000, 0x1000]);
    assert_eq!(at.words(128, 16), numbers(0, 16));
    assert_eq!(at.words32(256, 16), (50..66).collect::<Vec<_>>());
    assert_eq!(at.u64(320), 77);
    let fp = parsed.note(2);
    assert_eq!((fp.len(), parsed.at(fp).words32(0, 2)), (136, vec![9, 0]));
    assert_eq!(parsed.at(fp).words(8, 16), numbers(100, 16));
    assert_eq!(parsed.note(0x307), [0, 0, 0, 4]);
    assert_eq!(parsed.at(parsed.note(0x309)).words(0, 16), numbers(200, 16));
    assert_eq!(parsed.at(parsed.note(0x30a)).words(0, 32), numbers(300, 32));
    assert_eq!(parsed.at(parsed.note(0x30b)).words(0, 4), numbers(400, 4));
    let told = lacks(&task(7, entry), &space(vec![], &[]), &BIG);
    assert_eq!(told, ["thread 7: no runtime instrumentation (NT_S390_RI_CB)"]);
}

#[test]
fn on_mips64() {
    let mut info = ThreadInfoMips::default();
    let r = &mut info.gpregs;
    (r.r1, r.r29, r.r31, r.lo, r.hi) = (1, 29, 31, 32, 33);
    (r.cp0_epc, r.cp0_badvaddr, r.cp0_status, r.cp0_cause) = (34, 35, 36, 37);
    let f = &mut info.fpregs;
    (f.r0, f.r31, f.fpu_fcr31, f.fpu_id) = (100, 131, 1, 2);
    let entry = CoreEntry { mtype: 6, ti_mips: Some(info), ..CoreEntry::default() };
    let parsed = parsed(entry, &LITTLE);
    assert_eq!(looks(&parsed), ((2, false, 8, 0x8000_0000), vec![2]));
    let status = parsed.note(1);
    assert_eq!(status.len(), 480);
    let words = parsed.at(status).words(112, 45);
    let told: Vec<_> = words.iter().copied().enumerate().filter(|(_, word)| *word != 0).collect();
    let expected = [1, 29, 31, 32, 33, 34, 35, 36, 37].map(|word| (word, word as u64));
    assert_eq!(told, expected);
    let fp = parsed.note(2);
    assert_eq!(fp.len(), 264);
    assert_eq!((parsed.at(fp).u64(0), parsed.at(fp).u64(248)), (100, 131));
    assert_eq!(parsed.at(fp).words32(256, 2), [1, 2]);
}

#[test]
fn on_loongarch64() {
    let info = ThreadInfoLoongarch64 {
        clear_tid_addr: 0,
        tls: 0,
        gpregs: UserLoongarch64GpregsEntry { regs: numbers(0, 32), pc: 33 },
        fpregs: UserLoongarch64FpregsEntry { regs: numbers(100, 32), fcc: 8, fcsr: 9 },
    };
    let entry = CoreEntry { mtype: 7, ti_loongarch64: Some(info), ..CoreEntry::default() };
    let parsed = parsed(entry, &LITTLE);
    assert_eq!(looks(&parsed), ((2, false, 258, 0x43), vec![2]));
    let status = parsed.note(1);
    assert_eq!(status.len(), 480);
    let mut registers = numbers(0, 34);
    registers[32] = 0;
    registers.resize(45, 0);
    assert_eq!(parsed.at(status).words(112, 45), registers);
    let fp = parsed.note(2);
    assert_eq!((fp.len(), parsed.at(fp).words(0, 32)), (272, numbers(100, 32)));
    assert_eq!((parsed.at(fp).u64(256), parsed.at(fp).u32(264)), (8, 9));
}

#[test]
fn on_riscv64() {
    let gpregs = UserRiscv64RegsEntry {
        pc: 100,
        ra: 1,
        sp: 2,
        gp: 3,
        tp: 4,
        t0: 5,
        t1: 6,
        t2: 7,
        s0: 8,
        s1: 9,
        a0: 10,
        a1: 11,
        a2: 12,
        a3: 13,
        a4: 14,
        a5: 15,
        a6: 16,
        a7: 17,
        s2: 18,
        s3: 19,
        s4: 20,
        s5: 21,
        s6: 22,
        s7: 23,
        s8: 24,
        s9: 25,
        s10: 26,
        s11: 27,
        t3: 28,
        t4: 29,
        t5: 30,
        t6: 31,
    };
    let fpsimd = UserRiscv64DExtEntry { f: numbers(200, 32), fcsr: 6 };
    let info = ThreadInfoRiscv64 { clear_tid_addr: 0, tls: 4, gpregs, fpsimd };
    let entry = CoreEntry { mtype: 8, ti_riscv64: Some(info), ..CoreEntry::default() };
    let parsed = parsed(entry, &LITTLE);
    assert_eq!(looks(&parsed), ((2, false, 243, 5), vec![2]));
    let status = parsed.note(1);
    assert_eq!(status.len(), 376);
    let words = parsed.at(status).words(112, 32);
    assert_eq!((words[0], &words[1..]), (100, numbers(1, 31).as_slice()));
    let fp = parsed.note(2);
    assert_eq!((fp.len(), parsed.at(fp).words(0, 32)), (264, numbers(200, 32)));
    assert_eq!(parsed.at(fp).u32(256), 6);
}

/// An image of another architecture than its process's, or without the message that goes with its own.
#[test]
fn registers_of_another_architecture() {
    let mut it = task(7, aarch64(None));
    let stray = CoreEntry { mtype: 8, ..aarch64(None) };
    it.threads.push(crate::world::thread(8, stray));
    it.threads.push(crate::world::thread(9, CoreEntry { mtype: 3, ..CoreEntry::default() }));
    let space = space(Vec::<Mapping>::new(), &[]);
    assert_eq!(core(&it, &space, &LITTLE).all(1).len(), 1);
    assert_eq!(lacks(&it, &space, &LITTLE).len(), 2);
}

/// The machines that checkpoints can be written for.
pub(crate) const MACHINES: [ckpt_synth::Arch; 8] = [
    ckpt_synth::Arch::X86_64,
    ckpt_synth::Arch::Aarch64 { page_size: 4096 },
    ckpt_synth::Arch::Aarch64 { page_size: 65536 },
    ckpt_synth::Arch::Ppc64le { page_size: 65536 },
    ckpt_synth::Arch::S390x,
    ckpt_synth::Arch::LoongArch64 { page_size: 16384 },
    ckpt_synth::Arch::Riscv64,
    ckpt_synth::Arch::Aarch64 { page_size: 16384 },
];

/// A checkpoint of a machine: one process of two threads.
pub(crate) fn checkpoint(arch: ckpt_synth::Arch) -> ckpt_model::Checkpoint {
    let mut dump = Dump::new();
    dump.arch(arch).task(ckpt_synth::Task::new(1, 0).argv(&["sh", "-c"]).thread(2, "other"));
    open(&Archive::podman(&dump))
}

#[test]
fn a_whole_checkpoint_of_each() {
    for arch in MACHINES {
        let checkpoint = checkpoint(arch);
        let (task, memory) =
            (checkpoint.processes().get(Pid(1)).unwrap(), checkpoint.memory(Pid(1)).unwrap());
        let parsed = core(task, &memory, &CoreOptions::of(&checkpoint));
        assert_eq!(parsed.big, arch == ckpt_synth::Arch::S390x);
        assert_eq!(parsed.all(1).len(), 2, "{arch:?}");
        let page = arch.page_size();
        let files = parsed.at(parsed.note(0x4649_4c45)).words(0, 5);
        assert_eq!(files, [3, page, 0x40_0000, 0x40_0000 + page, 0], "{arch:?}");
        let auxv = parsed.at(parsed.note(6));
        let pairs: Vec<u64> = auxv.words(0, parsed.note(6).len() / 8);
        assert!(pairs.chunks(2).any(|pair| pair == [6, page]), "{arch:?}: AT_PAGESZ");
        assert!(pairs.ends_with(&[0, 0]));
        let heap = parsed.memory(ckpt_synth::layout::HEAP, 33 * page).unwrap();
        assert!(heap.starts_with(b"heap of 1\0hhh"));
        let aligned = parsed.loads.iter().all(|load| load.align == page);
        assert!(aligned, "{arch:?}");
        assert!(
            lacks(task, &memory, &CoreOptions::of(&checkpoint))
                .iter()
                .all(|lack| { lack.contains("mapped file") || lack.contains("of the kernel") })
        );
    }
}
