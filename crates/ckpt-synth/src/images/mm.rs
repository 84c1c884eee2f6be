//! `mm-PID.img`. Source: `criu/images/mm.proto` and `vma.proto`.

use crate::layout::AddressSpace;
use crate::memory::Vma;
use crate::protobuf::Message;

/// `mm_entry`; `vmas` are its VMAs with their numbers resolved.
pub(crate) fn mm(space: &AddressSpace, exe: u32, vmas: &[Message]) -> Message {
    Message::new()
        .uint(1, space.code.0) // mm_start_code
        .uint(2, space.code.1) // mm_end_code
        .uint(3, space.data.0) // mm_start_data
        .uint(4, space.data.1) // mm_end_data
        .uint(5, space.start_stack) // mm_start_stack
        .uint(6, space.brk.0) // mm_start_brk
        .uint(7, space.brk.1) // mm_brk
        .uint(8, space.args.0) // mm_arg_start
        .uint(9, space.args.1) // mm_arg_end
        .uint(10, space.env.0) // mm_env_start
        .uint(11, space.env.1) // mm_env_end
        .uint(12, exe) // exe_file_id
        .uints(13, space.auxv.iter().copied()) // mm_saved_auxv
        .messages(14, vmas) // vmas
        .int(15, 1) // dumpable
        .bool(17, false) // thp_disabled
}

/// `vma_entry`, with `shmid` resolved from the mapping's file or segment.
pub(crate) fn vma(vma: &Vma, shmid: u64) -> Message {
    Message::new()
        .uint(1, vma.start) // start
        .uint(2, vma.end) // end
        .uint(3, vma.pgoff) // pgoff
        .uint(4, shmid) // shmid
        .uint(5, vma.prot) // prot
        .uint(6, vma.flags) // flags
        .uint(7, vma.status) // status
        .sint(8, -1) // fd
        .uint_opt(9, vma.madv) // madv
}
