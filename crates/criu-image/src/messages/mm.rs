//! `mm-PID.img`: an address space.

use crate::message::message;
use crate::names;

message! {
    /// An address space. Source: `criu/images/mm.proto`.
    MmEntry = "mm_entry" {
        /// First byte of the program's code.
        mm_start_code: required uint64 = 1 [hex],
        /// End of the program's code, exclusive.
        mm_end_code: required uint64 = 2 [hex],
        /// First byte of initialised data.
        mm_start_data: required uint64 = 3 [hex],
        /// End of initialised data, exclusive.
        mm_end_data: required uint64 = 4 [hex],
        /// Stack pointer when the program was started.
        mm_start_stack: required uint64 = 5 [hex],
        /// First byte of the heap.
        mm_start_brk: required uint64 = 6 [hex],
        /// End of the heap, exclusive.
        mm_brk: required uint64 = 7 [hex],
        /// First byte of the argument strings; the task can move and overwrite them.
        mm_arg_start: required uint64 = 8 [hex],
        /// End of the argument strings, exclusive.
        mm_arg_end: required uint64 = 9 [hex],
        /// First byte of the initial environment.
        mm_env_start: required uint64 = 10 [hex],
        /// End of the initial environment, exclusive.
        mm_env_end: required uint64 = 11 [hex],
        /// File id of `/proc/PID/exe`: a REG or MEMFD of `files.img`.
        exe_file_id: required uint32 = 12,
        /// Auxiliary vector, key and value alternating, see [`names::AUXV`]. The final `AT_NULL` can be missing.
        mm_saved_auxv: repeated uint64 = 13 [hex],
        /// Mappings by address; guard pseudo entries follow at the end. Empty in the oldest dumps (`vmas-PID.img`).
        vmas: repeated message(VmaEntry) = 14,
        /// Whether the kernel would dump core.
        dumpable: optional int32 = 15 [names(&names::DUMPABLE)],
        /// Rings of Linux AIO.
        aios: repeated message(AioRingEntry) = 16,
        /// Huge pages were forbidden by `prctl(2)`.
        thp_disabled: optional bool = 17,
    }

    /// A ring of Linux AIO. Source: `criu/images/mm.proto`.
    AioRingEntry = "aio_ring_entry" {
        /// Its address.
        id: required uint64 = 1 [hex],
        /// Requests it holds.
        nr_req: required uint32 = 2,
        /// Bytes.
        ring_len: required uint32 = 3,
    }

    /// A mapping. Source: `criu/images/vma.proto`.
    VmaEntry = "vma_entry" {
        /// First address.
        start: required uint64 = 1 [hex],
        /// End address, exclusive.
        end: required uint64 = 2 [hex],
        /// Offset in the file, bytes (in spite of the name).
        pgoff: required uint64 = 3 [hex],
        /// By `status`: file id of a mapped file, id of shared memory, file id of a packet socket. 0 is a valid id.
        shmid: required uint64 = 4,
        /// Protection.
        prot: required uint32 = 5 [flags(&names::MMAP_PROT)],
        /// Mapping flags.
        flags: required uint32 = 6 [map_flags],
        /// CRIU's classification.
        status: required uint32 = 7 [flags(&names::VMA_STATUS)],
        /// Unused, -1.
        fd: required sint64 = 8,
        /// Advice, bit n is `MADV_*` n.
        madv: optional uint64 = 9 [flags(&names::MADVISE)],
        /// Open flags needed to map the file again.
        fdflags: optional uint32 = 10 [open_flags],
    }
}
