//! How a checkpoint looks: versioned JSON, and trees and tables for people.
//!
//! [`json`] makes serialisable documents whose field names are a contract. [`human`] writes text for a terminal or a
//! file. Both take what `ckpt-model` states and decide nothing; neither looks at a terminal, at the environment or at the
//! clock, so that the same evidence always gives the same bytes. [`html`] makes one page of all documents. [`bodyfile`] and
//! [`timesketch`] write timelines for other tools.
//!
//! ```no_run
//! use ckpt_model::Checkpoint;
//! use ckpt_report::{human, json};
//!
//! let checkpoint = Checkpoint::open("checkpoint.tar")?;
//! let mut out = Vec::new();
//! json::write(&mut out, &json::tree(&checkpoint, &[]))?;
//! human::info(&mut out, &checkpoint, &human::Layout::default())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Limits
//!
//! A document is made whole before it is written, and borrows its text from the checkpoint. Text for people escapes
//! control characters, characters that reorder or hide text, and bytes that are not UTF-8; JSON keeps them, the first two
//! as `\u009b`. The width of text is estimated from tables of wide characters and never too small.

pub mod bodyfile;
pub mod html;
pub mod human;
pub mod json;
pub mod timesketch;

mod csv;
mod failure;
mod logs;
mod message;
mod services;
mod subtree;
mod svg;
mod times;
mod words;
