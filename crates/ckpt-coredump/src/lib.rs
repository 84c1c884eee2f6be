//! One checkpointed task as an ELF core that gdb opens.
//!
//! A [`Core`] is laid out of a task and its address space, and written front to back to any writer. It is the core that
//! a kernel would have written of the task when CRIU froze it, on a machine of the task's own architecture and byte
//! order, whatever the host; nothing but the evidence is read.
//!
//! ```no_run
//! use ckpt_coredump::{Core, CoreOptions};
//! use ckpt_model::{Checkpoint, Pid};
//!
//! let checkpoint = Checkpoint::open("checkpoint.tar")?;
//! let (pid, options) = (Pid(7), CoreOptions::of(&checkpoint));
//! if let (Some(task), Some(memory)) = (checkpoint.processes().get(pid), checkpoint.memory(pid)) {
//!     let core = Core::of(task, &memory, &options);
//!     core.write_sparse_to(&mut std::fs::File::create("core.7")?)?;
//!     for lack in core.lacks() {
//!         eprintln!("{lack}");
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is in it
//!
//! * A `PT_LOAD` for each stretch of memory that is there. Bytes lie in the file; memory that was never written is the
//!   part of a segment that its file part does not cover. What the evidence does not hold lies in no segment, so that a
//!   debugger says that it cannot read it: it takes memory of a segment that is not in the file for zeros. A mapping
//!   that is not there at all has an empty segment at its first address.
//! * `NT_PRSTATUS` of each thread with registers, `NT_FPREGSET` and the notes of its architecture; once, behind the
//!   first of them, `NT_PRPSINFO`, `NT_SIGINFO` (a signal that waits, zeros when none does), `NT_AUXV` and `NT_FILE`.
//! * x86-64: `NT_X86_XSTATE`. 32-bit tasks of it: an ELF32 core with the notes of i386, and `NT_386_TLS`.
//! * aarch64: `NT_ARM_TLS`, and `NT_ARM_PAC_MASK` where addresses are signed. Never the keys.
//! * ppc64, s390x, mips64, loongarch64, riscv64 and arm: their general and floating point registers, and the vector
//!   registers that CRIU keeps.
//!
//! # Limits
//!
//! CRIU rewinds threads that wait in a system call, so that they will make it again: the program counter is on the
//! instruction of the call. Processor times are in no image. [`Core::lacks`] says what else is missing.
//!
//! | module | subject |
//! |---|---|
//! | `core` | what a core is made of, and writing it |
//! | `segments`, `sink` | memory: its layout, and where it goes |
//! | `note`, `process`, `files`, `siginfo`, `thread` | notes of the process and of its threads |
//! | `registers` | registers, a file an architecture |
//! | `elf`, `machine`, `words` | headers, machines, numbers in their byte order |
//! | `lack` | what a core lacks |

#![warn(clippy::arithmetic_side_effects)]

mod core;
mod elf;
mod files;
mod lack;
mod machine;
mod note;
mod process;
mod registers;
mod segments;
mod siginfo;
mod sink;
mod thread;
mod words;

pub use self::core::{Core, CoreOptions};
pub use lack::Lack;
