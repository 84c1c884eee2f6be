//! What triage finds in stories that are told for it, and what it leaves alone in honest ones.

mod container;
mod document;
mod dump;
mod files;
mod hostile;
mod real_files;
mod secrets;

use ckpt_analysis::triage::{Finding, TriageOptions, triage};
use ckpt_model::Checkpoint;

/// The findings in a checkpoint.
fn findings(checkpoint: &Checkpoint) -> Vec<Finding> {
    triage(checkpoint, &TriageOptions::default()).findings
}
