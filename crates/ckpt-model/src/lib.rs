//! A container checkpoint as typed nouns: the container, its tasks, threads, credentials and files.
//!
//! [`Checkpoint::open`] finds the images in whatever an engine wrote, reads headers only, and decodes images when they
//! are asked for, once. Every id in the images is joined to what it refers to; the raw messages stay reachable. What is
//! missing, damaged, of an unknown format or out of place is a [`Defect`] and never stops the rest.
//!
//! ```no_run
//! use ckpt_model::Checkpoint;
//!
//! let checkpoint = Checkpoint::open("checkpoint.tar")?;
//! for node in &checkpoint.processes().forest {
//!     let task = &checkpoint.processes().tasks[node.task];
//!     let name = task.comm.clone().unwrap_or_default();
//!     println!("{:indent$}{} {name}", "", task.pid, indent = 2 * node.depth);
//! }
//! for defect in checkpoint.defects() {
//!     eprintln!("{defect}");
//! }
//! # Ok::<(), ckpt_model::OpenError>(())
//! ```
//!
//! # Limits
//!
//! The model states what the images state. Process start times are in no image; pids are the container's; what an
//! engine never captures ([`Engine::never_captured`]) is absent without a trace.

mod accounting;
pub mod artifacts;
mod attributes;
mod auxv;
mod changes;
mod checkpoint;
mod clocks;
mod cmdline;
mod confinement;
mod container;
mod defect;
mod details;
mod dump_log;
mod endpoint;
mod engine;
mod fds;
mod files;
mod images;
mod ipc;
mod links;
mod listing;
mod locate;
mod locks;
mod marks;
mod memory;
mod memory_map;
mod metadata;
mod mounts;
mod net;
mod opening;
mod owners;
mod pid;
mod pipes;
mod pod;
mod processes;
mod recover;
mod registers;
mod rtnetlink;
mod select;
mod shared;
mod signals;
mod sockets;
mod spec;
mod split_layout;
mod stale;
mod task;
mod text;
mod threads;
mod tree;
mod userns;

pub use accounting::{Account, Accounting, CriuFacts, Standing};
pub use attributes::{
    CgroupPlace, Countdown, Handler, Personality, PosixTimer, Registered, RobustList, Rseq,
    SignalStack, Timers,
};
pub use auxv::auxv;
pub use changes::{
    Aspect, BaseError, BaseImage, Change, ChangeFilter, ChangeKind, ChangeSource, Changes,
    ChangesOptions, Executable, FileCapabilities, FileState, FileType, Glob, GlobError,
    MAX_DELETED, MAX_HOLES, Noise,
};
pub use checkpoint::{Checkpoint, Sizes};
pub use clocks::{ImageClocks, Uptime, UptimeClock, Written};
pub use confinement::{Confinement, ConfinementWords, DeviceRule, SpecDevice, SpecNamespace};
pub use container::{BindMount, Container, Engine, Event, Host, Interface, Moment, Pod, SpecMount};
pub use defect::{Defect, DefectKind};
pub use details::Details;
pub use dump_log::{DumpLog, NotCaptured};
pub use endpoint::Endpoint;
pub use fds::{Descriptor, DescriptorType, Descriptors, Holder};
pub use files::{FileTable, Remap, fd_type};
pub use images::Images;
pub use ipc::{IpcNamespace, MessageQueue, SemaphoreSet};
pub use listing::{KUBELET_CHECKPOINTS, Listed, list};
pub use locate::{ContainerPlace, DumpKind, ImageDirectory, ParentLink};
pub use locks::FileLock;
pub use memory_map::{
    Examined, FileSources, FillError, FillOptions, Identity, IdentitySource, MappingFilter,
    MappingFilterError, MappingMark, MemoryMap, MemorySizes, Module, TextCheck, holds_stack_of,
    machine_name,
};
pub use mounts::Mount;
pub use net::{Firewall, NetInterface, Network};
pub use opening::{OpenError, OpenOptions};
pub use pid::Pid;
pub use pipes::Pipe;
pub use processes::Processes;
pub use recover::{Ghost, Lost, Piece, Recovered, Unhashed};
pub use registers::Arch;
pub use rtnetlink::{Address, Route, Rule};
pub use select::Need;
pub use signals::PendingSignal;
pub use sockets::{Family, Queued, Sender, Socket};
pub use stale::{StaleImage, Staleness};
pub use task::{
    Capabilities, Credentials, FileRef, Mark, Namespace, Namespaces, Rlimit, Seccomp, Share,
    Shared, Task, TaskState, Thread,
};
pub use text::{Strings, Text, escape};
pub use tree::Node;
pub use userns::{IdRange, UserNamespace};
