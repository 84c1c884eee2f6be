//! The messages, one module a subject. Names and numbers are upstream's, one to one; every struct names the file of
//! `criu/images/` that declares it, every field says its number.
//!
//! * Struct names are the CamelCase of upstream's (`pagemap_entry` is [`PagemapEntry`]), field names are upstream's.
//! * `string` and `bytes` fields are byte vectors: the kernel's C strings have no encoding.
//! * Enumerations are numbers, named by the tables of [`crate::names`], so that unknown values survive.
//! * `required` fields that are missing decode as zero; [`crate::wire::missing_required`] tells.
//! * Fields that newer CRIU added are dropped by decoding; [`crate::wire::unknown_fields`] lists them.
//!
//! Checked against CRIU 4.2 and, where marked "after 4.2", the development branch of 2026.

mod cgroup;
mod core;
mod core_arch;
mod core_mips;
mod core_riscv64;
mod core_x86;
mod creds;
mod events;
mod files;
mod fsnotify;
mod inventory;
mod ipc;
mod locks;
mod mm;
mod mnt;
mod namespaces;
mod net;
mod pagemap;
mod pipes;
mod pstree;
mod security;
mod sockets;
mod stats;
mod tcp;
mod timers;
mod tty;
mod unix;

pub use self::core::*;
pub use cgroup::*;
pub use core_arch::*;
pub use core_mips::*;
pub use core_riscv64::*;
pub use core_x86::*;
pub use creds::*;
pub use events::*;
pub use files::*;
pub use fsnotify::*;
pub use inventory::*;
pub use ipc::*;
pub use locks::*;
pub use mm::*;
pub use mnt::*;
pub use namespaces::*;
pub use net::*;
pub use pagemap::*;
pub use pipes::*;
pub use pstree::*;
pub use security::*;
pub use sockets::*;
pub use stats::*;
pub use tcp::*;
pub use timers::*;
pub use tty::*;
pub use unix::*;
