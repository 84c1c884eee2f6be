//! Opinions about checkpoints. What the model states is taken as given; here it is judged.
//!
//! [`compare`] holds two checkpoints against each other, of one container or of two: what appeared, what went, what
//! changed. Every opinion carries its reasons, see [`compare::Reason`]. [`timeline`] puts everything that has a time in
//! order, and says how exact each time is.
//!
//! [`verify`] holds one checkpoint against itself: whether it is whole and consistent, and whether the evidence is still
//! what it was. [`triage`](mod@triage) says where to look first.
//!
//! ```no_run
//! use ckpt_analysis::compare::{CompareOptions, compare};
//! use ckpt_model::Checkpoint;
//!
//! let (a, b) = (Checkpoint::open("monday.tar")?, Checkpoint::open("tuesday.tar")?);
//! let comparison = compare(&a, &b, &CompareOptions::default())?;
//! for task in &comparison.matching.only_b {
//!     println!("started: {}", task.pid);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Limits
//!
//! Two checkpoints are two moments: what came and went in between is in neither. Process start times are in no image, so
//! that a process is recognised by what `execve` gave it; see [`compare::Identity`] for what that proves.

#![warn(clippy::arithmetic_side_effects)]

pub mod compare;
mod redacting;
pub mod timeline;
pub mod triage;
pub mod verify;
