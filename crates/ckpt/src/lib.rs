//! The public libraries of `ckpt-inspect` under one name, for tools that embed it.
//!
//! A checkpoint is opened, and then asked: nothing is decoded before. This prints the process tree of any checkpoint, as
//! podman, CRI-O, containerd, docker or CRIU itself wrote it:
//!
//! ```
//! use ckpt::Checkpoint;
//!
//! # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/real/looper-criu-4.2.tar.zst");
//! let checkpoint = Checkpoint::open(path)?;
//! let processes = checkpoint.processes();
//! for node in &processes.forest {
//!     let task = &processes.tasks[node.task];
//!     let argv: Vec<String> =
//!         task.argv.iter().flat_map(|argv| argv.iter()).map(|arg| ckpt::escape(arg).into_owned()).collect();
//!     println!("{:indent$}{} {}", "", task.pid, argv.join(" "), indent = 2 * node.depth);
//! }
//! for defect in checkpoint.defects() {
//!     eprintln!("{defect}");
//! }
//! # assert_eq!(processes.tasks.len(), 2);
//! # Ok::<(), ckpt::OpenError>(())
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`archive`] | evidence: members as byte ranges, compressions, OCI images |
//! | [`image`] | the CRIU image format: framing, messages, names |
//! | [`memory`] | address spaces: every byte with where it came from |
//! | [`model`] | the checkpoint as nouns; its main types are re-exported here |
//! | [`coredump`] | a task as an ELF core that gdb opens |
//! | [`oci`] | a checkpoint as an OCI image that engines restore from |
//! | [`analysis`] | opinions: what differs between two checkpoints, whether one is whole, its clocks in order |
//! | [`scan`] | strings, literals, expressions and patterns of bytes, YARA rules and secrets, over memory and files |
//! | [`report`] | JSON documents, trees, tables and an HTML page, written to any `Write` |

pub use ckpt_analysis as analysis;
pub use ckpt_archive as archive;
pub use ckpt_coredump as coredump;
pub use ckpt_memory as memory;
pub use ckpt_model as model;
pub use ckpt_oci as oci;
pub use ckpt_report as report;
pub use ckpt_scan as scan;
pub use criu_image as image;

pub use ckpt_model::{
    Checkpoint, Container, Defect, OpenError, OpenOptions, Pid, Task, Text, escape,
};

/// The examples of `docs/embedding.md`.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/embedding.md")]
struct Embedding;
