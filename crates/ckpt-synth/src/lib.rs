//! Checkpoints built byte by byte, for tests.
//!
//! A test describes processes; this crate writes the CRIU images and the archive around them, as one engine or another
//! would. It has its own protobuf writer and its own tar writer and knows no parser of this project, so that a wrong
//! decoder cannot agree with itself. The same description gives the same bytes, always.
//!
//! ```
//! use ckpt_synth::{Archive, Dump, Task};
//!
//! let mut dump = Dump::new();
//! dump.task(Task::new(1, 0).comm("sh").argv(&["sh", "-c", "sleep 1"]).env(&["TOKEN=abc"]))
//!     .task(Task::new(7, 1).exe("/bin/sleep").argv(&["sleep", "1"]).thread(8, "helper"))
//!     .zombie(9, 1, 0x300, "gone");
//! let archive = Archive::podman(&dump);
//! assert!(archive.names().contains(&"checkpoint/core-8.img".to_owned()));
//! let tar = archive.tar_zst();
//! assert_eq!(tar[..4], [0x28, 0xb5, 0x2f, 0xfd]);
//! ```
//!
//! What it does not write: TTYs, SysV semaphores and messages, network images beyond one address, registers beyond the
//! general ones, and the one page of text that CRIU itself leaves in every process.
//!
//! | module | subject |
//! |---|---|
//! | [`protobuf`], [`frame`] | messages, and image files made of them |
//! | [`tar`], [`content`], [`noise`] | members, their bytes, and bytes that are made while they are written |
//! | [`task`], [`memory`], [`mod@file`], [`layout`] | a process: itself, its memory, its descriptors, the default address space |
//! | [`dialect`], [`arch`] | which CRIU, which machine |
//! | [`dump`], [`chain`] | the images of one run, and of several |
//! | [`container`], [`engines`], [`archive`] | what engines add, and the archive |
//! | [`stories`] | ready-made checkpoints with known contents |

pub mod arch;
pub mod archive;
pub mod chain;
pub mod container;
pub mod content;
pub mod dialect;
pub mod dump;
pub mod engines;
pub mod file;
pub mod frame;
mod images;
mod json;
pub mod layout;
pub mod memory;
pub mod noise;
pub mod protobuf;
pub mod stories;
pub mod tar;
pub mod task;

pub use arch::Arch;
pub use archive::Archive;
pub use chain::Chain;
pub use container::Container;
pub use content::Content;
pub use dialect::{BlockLayout, Compression, Dialect};
pub use dump::Dump;
pub use file::File;
pub use frame::{ByteOrder, Framing, Image, magic};
pub use images::files::ROOT_MOUNT;
pub use images::tree::ns;
pub use memory::Vma;
pub use protobuf::Message;
pub use tar::{Kind, Member, NameForm, SparseForm};
pub use task::{Caps, State, Task};
