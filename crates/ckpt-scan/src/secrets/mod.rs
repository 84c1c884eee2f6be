//! Secrets: keys, tokens, passwords and card numbers in environments, memory and files.
//!
//! Rules are few and precise: each checks more than a form. A checksum has to be right, a body has to decode, the other half
//! of a pair has to stand beside it; see [`rules`]. What only has the form is of [low](Confidence::Low) confidence.
//!
//! [`summary`] does all of it in one call:
//!
//! ```no_run
//! use ckpt_model::Checkpoint;
//! use ckpt_scan::Work;
//! use ckpt_scan::secrets::{Confidence, summary};
//!
//! let checkpoint = Checkpoint::open("checkpoint.tar")?;
//! let found = summary(&checkpoint, [], &[], Confidence::Medium, Work::default());
//! for folded in &found.secrets {
//!     println!("{}: {} in {} places", folded.secret.rule().title, folded.secret.redacted(), folded.places);
//! }
//! # Ok::<(), ckpt_model::OpenError>(())
//! ```
//!
//! The parts of it are [`Environment`], a [`SecretScanner`] that knows the values of password-like variables and finds them
//! elsewhere too, [`Sightings`] for [`run`](crate::run), and a [`Folding`].
//!
//! # Limits
//!
//! Bytes are looked at as they are, and as UTF-16 where [`SecretScanner::utf16`] asks for it; not in what is compressed or
//! encoded once more. A secret that memory holds in pieces is not found. That a token is of the right form says nothing about whether it is still valid.

mod aws;
mod azure;
mod card;
mod config;
mod environment;
mod folding;
mod jwt;
mod kubeconfig;
mod logins;
mod pem;
mod redact;
mod rows;
mod rule;
mod scanner;
mod secret;
mod summary;
mod tokens;
mod url;
mod value;
mod view;
mod wide;

pub use environment::{Environment, Variable};
pub use folding::{FoldedSecret, Folding, Spot};
pub use redact::{Redactor, redacted};
pub use rule::{Confidence, SecretRule, rules};
pub use scanner::{SecretScanner, Space};
pub use secret::Secret;
pub use summary::{Sighting, Sightings, Summary, WordSpot, summary};
